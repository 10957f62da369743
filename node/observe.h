/* What happens in a node, as numbers and as log lines: the one place that its other files tell.
 *
 * Nothing here decides anything; nothing of it is replicated. A line about a call carries its
 * request id, CONNECTION.MSGID, and never a field of the call: neither a secret nor a user's name.
 */
#ifndef NODE_OBSERVE_H
#define NODE_OBSERVE_H

#include "fsm/fsm.h"
#include "node/metrics.h"
#include "op/frame.h"

struct node;
struct node_connection;
struct node_request;

struct node_verdict {
    bool holds;
    char text[160];
};

struct node_observed {
    struct node_metrics metrics;
    struct node_verdict checks[CHECK_COUNT]; /* of /readyz, as last looked at */
    uint64_t leader;                         /* the newest that was known; 0: none yet */
};

/* False when out of memory. */
bool node_observe_init(struct node_observed *observed);
void node_observe_done(struct node_observed *observed);

/* A request gets its one answer. */
void node_observe_answer(struct node *node, const struct node_request *request,
                         enum op_outcome outcome, const struct op_details *details);
/* A call is refused before it became a request. `row` may be NULL: no such operation. */
void node_observe_refusal(struct node *node, const struct node_connection *connection,
                          const struct op_row *row, uint32_t msgid, enum op_outcome outcome);
/* The FSM swept a session (fsm_ended_cb; `arg` is the node). */
void node_observe_ended(void *arg, const struct fsm_ended *ended);
/* A batch of the log is durable. */
void node_observe_log(struct node *node, uint64_t bytes, uint64_t took_us);
/* Role, term or leader changed. */
void node_observe_leader(struct node *node, uint64_t leader);
/* A queue is full, and no other tenant has more waiting in it: it is refused for that. */
void node_observe_share(struct node *node, const struct node_request *request);
/* The sweep got nowhere. */
void node_observe_cleanup(struct node *node, enum node_cleanup_error error);
/* Something that is only counted. */
void node_observe_count(struct node *node, enum node_metric id);

#endif

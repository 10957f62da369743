/* Writes: gathers the commands of a loop turn into one stamped entry, and answers when it is
 * applied.
 *
 * What was queued and not submitted when leadership goes is RETRY; what was submitted is UNKNOWN.
 */
#ifndef NODE_BATCH_H
#define NODE_BATCH_H

#include "node/denials.h"
#include "node/fair.h"
#include "node/pace.h"

enum { BATCH_QUEUE_MAX = 16384, BATCH_QUEUE_BYTES_MAX = 64 * 1024 * 1024 };

/* Commands in the log and not applied are at most PACE_BYTES_MOST: what waits longer waits in the
 * queue, where each tenant has its turn. 50 ms of it are 10 MB a second. While tenants share the
 * log it is the pace's window, so that nobody stands behind more of another's than the log takes
 * anyhow. They do for so long after two of them were in one entry: */
enum { BATCH_SHARED_US = 1000000 };

/* The longest that who is refused is sent away for: a fifth of libtenure's own deadline. */
enum { BATCH_HINT_MOST_US = 1000000 };

/* Uses of replaced secrets that wait for an entry. What is more than these is told by the next. */
enum { REUSES_MAX = 16 };

struct node_reuse {
    struct id128 session;
    uint8_t verifier[32];
};

struct node_batch {
    struct node_fair queue; /* of requests */
    struct list flights;    /* entries submitted and not applied, oldest first */
    size_t flying_bytes;    /* of their commands */
    struct node_pace pace;  /* of the entries that were applied */
    uint64_t shared_us;     /* env_mono_us when two tenants were last in one entry; 0: never */
    struct node_flight *applying;
    uint64_t counted_us; /* env_mono_us since which `counted` commands of clients were applied */
    uint64_t counted;
    uint64_t per_second; /* as last counted, over a second or more */
    uint64_t tick_stamp; /* of the newest TICK in flight; 0: none */
    struct node_reuse reuses[REUSES_MAX];
    size_t reuse_count;
    struct node_denials denials;
    uint8_t buffer[OP_ENTRY_BYTES_MAX];
};

/* `key`: random, for the queue's buckets. */
void node_batch_init(struct node_batch *batch, const struct siphash_key *key);
void node_batch_done(struct node *node);
/* Takes the request; answers at once when it cannot be queued. */
void node_batch_add(struct node *node, struct node_request *request);
/* An answer is NOT_FOUND, `fresh` when it is not an earlier one's repetition: then it goes into the
 * next DENIALS; when the request shows a secret that a rotation replaced long before, REUSE goes
 * into the next entry (model.md section 4). */
void node_batch_denied(struct node *node, const struct node_request *request, bool fresh);
/* Turn end: at most one entry. `tick`: put a TICK first. True when something is left to send. */
bool node_batch_turn(struct node *node, bool tick);
/* A TERM_START entry of its own, stamped `stamp`. False when raftlog would not take it. */
bool node_batch_term_start(struct node *node, uint64_t term, uint64_t stamp, uint64_t *ret_index);
/* An entry of the log is applied: answers those who wait for it. */
bool node_batch_apply(struct node *node, uint64_t index, uint64_t term, struct bytes entry);
/* What is queued and not submitted gets RETRY. */
void node_batch_unsent(struct node *node);
/* Leadership is gone. */
void node_batch_lost(struct node *node);
/* How long who is refused because of a full queue does well to wait: half of what the queue takes
 * at the rate of late, between NODE_OVERLOADED_HINT_US and BATCH_HINT_MOST_US; the first while no
 * rate is known. Who comes back sooner costs the node the work of refusing it again; who is sent
 * away for longer than its deadline is refused for good. */
uint64_t node_batch_hint(const struct node_batch *batch);
bool node_batch_empty(const struct node_batch *batch);

#endif

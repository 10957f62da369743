/* One call of a client on its way through the node: its states, and the only moves between them.
 *
 *              queued --> submitted ---.
 *             /  (write)                \
 *   received -                           --> answered
 *             \  (read)                 /
 *              arrived --> confirming --
 *                             ^  |
 *                             |  v
 *                            waiting (T6: until an entry with stamp >= c is applied)
 *
 * What changes the cluster itself goes from confirming to operating (node/operate.h).
 *
 * What may be either (OP_EITHER) goes one of the two ways, and changes from confirming or waiting
 * to queued when it turns out that it has to be a command: nothing of it is in the log until then.
 *
 * Invariants
 *   R1  a request is in exactly one queue, the one of its state, until it is answered
 *   R2  it is answered once; then it is freed
 *   R3  when its connection goes first, or its caller cancels it, it goes on and its answer is
 *       dropped; while the connection lives it counts against that one's bounds
 */
#ifndef NODE_REQUEST_H
#define NODE_REQUEST_H

#include "base/list.h"
#include "op/command.h"
#include "op/frame.h"

struct node;
struct node_connection;

/* When too much waits, who is refused comes back no sooner than this (node_batch_hint). */
#define NODE_OVERLOADED_HINT_US 100000

enum request_state {
    REQUEST_RECEIVED,
    REQUEST_QUEUED,     /* node/batch.c: waits for this turn's entry */
    REQUEST_SUBMITTED,  /* node/batch.c: in the log, not applied */
    REQUEST_ARRIVED,    /* node/reads.c: waits for a round to begin */
    REQUEST_CONFIRMING, /* node/reads.c: its round is on its way */
    REQUEST_WAITING,    /* node/reads.c: confirmed, a deadline is too close to call */
    REQUEST_OPERATING,  /* node/operate.c: confirmed, changes the cluster */
    REQUEST_ANSWERED,
};

struct node_request {
    struct list in_queue;               /* of its state */
    struct list in_connection;          /* of its connection, while that lives */
    struct node_connection *connection; /* NULL once that is gone */
    enum request_state state;
    bool unwanted;              /* cancelled: its answer is dropped */
    bool stale;                 /* a read of this node as it stands: no round, no way to wait */
    uint64_t connection_number; /* with msgid, its name in the log */
    uint64_t arrived_us;        /* env_mono_us */
    uint32_t msgid;
    const struct op_row *row;
    struct op_caller caller; /* texts live in `bytes` */
    uint8_t secret[32];      /* minted for a write; wiped with the request */
    uint64_t clock;          /* a read's c, once confirmed */
    size_t cost;             /* bytes that it and the greatest answer to it can take */
    size_t body_size;        /* reads: the request in stored form */
    size_t command_size;     /* all but reads: the command as it goes into the entry */
    uint8_t bytes[];         /* caller's texts, then body or command */
};

/* Moves on; a move that the table does not allow is a bug (ASSERT). */
void node_request_move(struct node_request *request, enum request_state to);
struct bytes node_request_body(const struct node_request *request);
struct bytes node_request_command(const struct node_request *request);
/* The request again, from its body or its command, stored into `ret_command` (not of a read). */
void node_request_decode(const struct node_request *request, union op_request *ret_request,
                         struct op_command *ret_command);

/* The last move: sends the answer (unless the caller is gone), leaves its queue, wipes and frees.
 * `s` and `value` as for op_response_write; `head->outcome` decides between result and error. */
void node_request_answer(struct node *node, struct node_request *request,
                         const struct op_reply_head *head, const struct op_details *details,
                         const struct op_struct *s, const void *value);
/* An answer of this node's own (NOT_LEADER, OVERLOADED, UNKNOWN, …), with position, T and leader
 * filled in from the node. */
void node_request_refuse(struct node *node, struct node_request *request, enum op_outcome outcome);
/* The FSM's answer to it; `clock` is a write's stamp or a read's c. */
struct fsm_reply;
void node_request_reply(struct node *node, struct node_request *request,
                        const struct fsm_reply *reply, uint64_t clock);

#endif

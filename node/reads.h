/* Reads: linearizable without a log write (model.md section 7 and T6).
 *
 * What may be either a read or a command begins here when it seems to have nothing to write.
 *
 * Arrivals of a turn share one confirmation round, which begins after the last of them. Then c is
 * read afresh, and each is answered from the FSM, or waits until an entry with stamp >= c is
 * applied.
 *
 * A stale read does nothing of that: it is what its caller asked for by name, and is marked so.
 */
#ifndef NODE_READS_H
#define NODE_READS_H

#include "node/fair.h"

struct node_reads {
    struct node_fair arrived;
    struct list rounds;   /* on their way: struct read_round */
    struct list waiting;  /* confirmed requests, T6 */
    size_t count;         /* of all three */
    uint64_t tick_wanted; /* the largest c that somebody waits for; 0: none */
};

enum { READS_MAX = 65536 };

/* `key`: as for node_batch_init. */
void node_reads_init(struct node_reads *reads, const struct siphash_key *key);
void node_reads_done(struct node *node);
void node_reads_add(struct node *node, struct node_request *request);
/* Answers at once, from what is applied here, at T: whoever leads, and however old that is. */
void node_reads_stale(struct node *node, struct node_request *request);
/* Turn end: begins a round for what has arrived. */
void node_reads_turn(struct node *node);
/* T moved on: answers who waited for it. */
void node_reads_applied(struct node *node);
void node_reads_lost(struct node *node);
bool node_reads_empty(const struct node_reads *reads);

#endif

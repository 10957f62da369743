/* A queue that tenants share: each turn takes one of every tenant that waits, so that a tenant with
 * thousands of requests holds up another's by no more than one of its own; and when it is full, the
 * longest gives way. Knows tenants by their names alone; counts no rates, and answers nobody.
 *
 * Stochastic fairness queueing (McKenney, INFOCOM 1990): tenants are hashed to buckets with a key
 * that nobody outside knows; two of one bucket share its turns.
 *
 * Invariants
 *   1. A bucket's requests are in the order in which they came: one client's are never swapped.
 *   2. `turn` holds exactly the buckets that are not empty; the first of them is next.
 *   3. count and bytes are the sums over the buckets.
 */
#ifndef NODE_FAIR_H
#define NODE_FAIR_H

#include "base/hash.h"
#include "node/request.h"

enum { FAIR_BUCKETS = 256 };

struct node_fair_bucket {
    struct list requests; /* by their in_queue */
    struct list in_turn;
    size_t count;
};

struct node_fair {
    struct node_fair_bucket buckets[FAIR_BUCKETS];
    struct list turn;
    struct siphash_key key;
    size_t count;
    size_t bytes; /* of their commands; 0 for reads */
};

/* `key` is copied; it has to be random. */
void node_fair_init(struct node_fair *fair, const struct siphash_key *key);
/* At the end of what its tenant has here. */
void node_fair_add(struct node_fair *fair, struct node_request *request);
/* Whose turn it is; NULL when it is empty. Nothing changes. */
struct node_request *node_fair_next(const struct node_fair *fair);
/* Takes node_fair_next out; its tenant's next turn comes after all others'. */
void node_fair_take(struct node_fair *fair, struct node_request *request);
/* Puts one that was taken back in front of what its tenant has here. */
void node_fair_return(struct node_fair *fair, struct node_request *request);
/* Takes out the newest of the bucket with the most requests: one of those that make the queue long.
 * NULL when that is this tenant's own bucket, or when it is empty: then nothing was taken. */
struct node_request *node_fair_make_room(struct node_fair *fair, struct bytes tenant);

#endif

/* How much of one turn of the loop each tenant may have: what its clients ask beyond that waits for
 * the next turn, so that a tenant which sends thousands of calls at once makes nobody else wait for
 * all of them to be taken apart. Knows tenants by their names and calls by their sizes; reads
 * nothing itself, and refuses nothing.
 *
 * As fair.h, which shares what comes behind this, it hashes tenants to buckets with a key that
 * nobody outside knows; two of one bucket share its part. While others ask for nothing a tenant has
 * longer turns for itself: that costs nobody anything, and fewer turns cost less.
 *
 * Invariants
 *   1. `held` has only what found nothing left, in the order in which it came
 *   2. who is held is asked again in the next turn, while something is left for its bucket
 */
#ifndef NODE_SHARE_H
#define NODE_SHARE_H

#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A call counts as one, and as one more for each SHARE_CALL_BYTES of it. */
enum {
    SHARE_BUCKETS = 256,
    SHARE_CALLS = 64,   /* a turn's part of a bucket: about 1 ms of one processor */
    SHARE_ALONE = 4096, /* of one that nobody shares turns with */
    SHARE_CALL_BYTES = 4096,
    SHARE_US = 1000000, /* others are there for so long after their newest call */
};

struct node_share {
    uint32_t left;    /* of this turn */
    bool asked;       /* something was taken in this turn */
    struct list held; /* whoever waits for the next turn */
};

struct node_shares {
    struct node_share buckets[SHARE_BUCKETS];
    struct siphash_key key;
    const struct node_share *newest; /* asked last; NULL: nobody did */
    uint64_t shared_us;              /* MONO: when two had asked last; 0: never */
};

/* `key` is copied; it has to be random. */
void node_shares_init(struct node_shares *shares, const struct siphash_key *key);
/* The tenant's; borrowed, and the same as long as `shares` live. */
struct node_share *node_share_of(struct node_shares *shares, struct bytes tenant);
/* Is anything left of this turn's part? */
bool node_share_left(const struct node_share *share);
/* A call of so many bytes is taken. Only when something was left: the last one may exceed it. */
void node_share_take(struct node_share *share, size_t bytes);
/* A turn is over, at MONO: everybody has a whole part again. True when somebody is held. */
bool node_shares_turn(struct node_shares *shares, uint64_t now_us);

#endif

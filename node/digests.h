/* The newest (position, digest) pairs at entry ends, for comparing nodes at one position (S8). */
#ifndef NODE_DIGESTS_H
#define NODE_DIGESTS_H

#include "base/hash.h"

enum { DIGESTS_KEPT = 4096 };

struct node_digests {
    struct {
        uint64_t position;
        struct hash128 digest;
    } ring[DIGESTS_KEPT];
    uint64_t count;
};

void node_digests_init(struct node_digests *digests);
/* One that does not rise is not kept. */
void node_digests_add(struct node_digests *digests, uint64_t position, struct hash128 digest);
/* False when that position is no entry's end, or too old, or not reached. */
bool node_digests_find(const struct node_digests *digests, uint64_t position,
                       struct hash128 *ret_digest);

#endif

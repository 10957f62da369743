/* A ring of the newest state digests. */
#include "node/digests.h"

#include "base/sat.h"

void node_digests_init(struct node_digests *digests)
{
    digests->count = 0;
}

void node_digests_add(struct node_digests *digests, uint64_t position, struct hash128 digest)
{
    if (digests->count > 0 &&
        digests->ring[(digests->count - 1) % DIGESTS_KEPT].position >= position) {
        return;
    }
    digests->ring[digests->count % DIGESTS_KEPT].position = position;
    digests->ring[digests->count % DIGESTS_KEPT].digest = digest;
    digests->count++;
}

bool node_digests_find(const struct node_digests *digests, uint64_t position,
                       struct hash128 *ret_digest)
{
    uint64_t low = digests->count - u64_min(digests->count, DIGESTS_KEPT);
    uint64_t high = digests->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (digests->ring[middle % DIGESTS_KEPT].position < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == digests->count || digests->ring[low % DIGESTS_KEPT].position != position) {
        return false;
    }
    *ret_digest = digests->ring[low % DIGESTS_KEPT].digest;
    return true;
}

/* Parts of a turn; see share.h. */
#include "node/share.h"

#include "base/assert.h"

void node_shares_init(struct node_shares *shares, const struct siphash_key *key)
{
    shares->key = *key;
    for (size_t i = 0; i < SHARE_BUCKETS; i++) {
        shares->buckets[i].taken = 0;
        list_init(&shares->buckets[i].held);
    }
}

struct node_share *node_share_of(struct node_shares *shares, struct bytes tenant)
{
    return &shares->buckets[base_siphash64(&shares->key, tenant) % SHARE_BUCKETS];
}

bool node_share_left(const struct node_share *share)
{
    return share->taken < SHARE_CALLS;
}

void node_share_take(struct node_share *share, size_t bytes)
{
    ASSERT(node_share_left(share));
    share->taken += 1 + (uint32_t)(bytes / SHARE_CALL_BYTES);
}

bool node_shares_turn(struct node_shares *shares)
{
    bool held = false;
    for (size_t i = 0; i < SHARE_BUCKETS; i++) {
        shares->buckets[i].taken = 0;
        held = held || !list_empty(&shares->buckets[i].held);
    }
    return held;
}

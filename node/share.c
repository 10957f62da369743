/* Parts of a turn; see share.h. */
#include "node/share.h"

#include "base/assert.h"

void node_shares_init(struct node_shares *shares, const struct siphash_key *key)
{
    *shares = (struct node_shares){.key = *key};
    for (size_t i = 0; i < SHARE_BUCKETS; i++) {
        shares->buckets[i].left = SHARE_CALLS;
        list_init(&shares->buckets[i].held);
    }
}

struct node_share *node_share_of(struct node_shares *shares, struct bytes tenant)
{
    return &shares->buckets[base_siphash64(&shares->key, tenant) % SHARE_BUCKETS];
}

bool node_share_left(const struct node_share *share)
{
    return share->left > 0;
}

void node_share_take(struct node_share *share, size_t bytes)
{
    ASSERT(node_share_left(share));
    size_t cost = 1 + bytes / SHARE_CALL_BYTES;
    share->left -= cost < share->left ? (uint32_t)cost : share->left;
    share->asked = true;
}

/* Whoever asked in this turn: somebody else than the one before? */
static void look(struct node_shares *shares, uint64_t now_us)
{
    for (size_t i = 0; i < SHARE_BUCKETS; i++) {
        struct node_share *share = &shares->buckets[i];
        if (share->asked) {
            if (shares->newest != NULL && shares->newest != share) {
                shares->shared_us = now_us;
            }
            shares->newest = share;
            share->asked = false;
        }
    }
}

bool node_shares_turn(struct node_shares *shares, uint64_t now_us)
{
    bool held = false;
    look(shares, now_us);
    bool shared = shares->shared_us != 0 && now_us - shares->shared_us < SHARE_US;
    for (size_t i = 0; i < SHARE_BUCKETS; i++) {
        shares->buckets[i].left = shared ? SHARE_CALLS : SHARE_ALONE;
        held = held || !list_empty(&shares->buckets[i].held);
    }
    return held;
}

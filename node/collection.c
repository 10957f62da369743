/* Gathers the clocks that members offer, brings them to one moment, and looks for the time. */
#include "node/collection.h"

#include "base/assert.h"
#include "base/sat.h"
#include "node/internal.h"

static uint64_t heartbeat_us(const struct node *node)
{
    return (uint64_t)node->config->heartbeat_ms * 1000;
}

/* Offers are brought to one moment by our own clock: it must have run evenly since they came. */
static bool offers_are_fresh(const struct node *node, uint64_t now)
{
    const struct node_collection *collection = &node->collection;
    for (size_t i = 0; i < collection->count; i++) {
        if (node_lead_too_far_apart(node, collection->received[i], now)) {
            return false;
        }
    }
    return true;
}

static void conclude(struct node *node, uint64_t now)
{
    const struct node_collection *collection = &node->collection;
    if (!offers_are_fresh(node, now)) {
        node_collection_begin(node);
        return;
    }
    struct node_time_offer offers[RLOG_MEMBERS_MAX + 1];
    size_t count = 0;
    offers[count++] = node_clocks_own(node, now);
    for (size_t i = 0; i < collection->count; i++) {
        uint64_t since = now - collection->received[i];
        offers[count] = collection->offers[i];
        offers[count].value = sat_add(offers[count].value, since);
        offers[count].wall_value = sat_add(offers[count].wall_value, since);
        count++;
    }
    struct node_time_finding finding = node_time_collect(offers, count);
    if (finding.verdict == NODE_TIME_NONE) {
        finding.by_walls = node_time_by_walls(offers, count, rlog_voters(node->rlog),
                                              &finding.value);
    }
    node_lead_collected(node, &finding, now);
}

/* Ourselves, and those whose offers are in. The members may change meanwhile: who has no vote any
 * more does not count, nor does what it offered. */
static size_t voters_known(struct node *node)
{
    struct node_collection *collection = &node->collection;
    size_t kept = 0;
    for (size_t i = 0; i < collection->count; i++) {
        if (rlog_is_voter(node->rlog, collection->offers[i].node)) {
            collection->offers[kept] = collection->offers[i];
            collection->received[kept++] = collection->received[i];
        }
    }
    collection->count = kept;
    return kept + 1;
}

/* A majority has answered, and the rest had a heartbeat's time or answered too. */
void node_collection_step(struct node *node)
{
    struct node_collection *collection = &node->collection;
    size_t voters = rlog_voters(node->rlog);
    size_t known = voters_known(node);
    uint64_t now = env_boot_us(node->env);
    if (known <= voters / 2) {
        collection->majority_at = 0; /* the voters changed: it may have been one of others */
    } else if (collection->majority_at == 0) {
        collection->majority_at = now;
    }
    bool waited = collection->majority_at != 0 &&
                  now - collection->majority_at >= heartbeat_us(node);
    if (known == voters || waited) {
        conclude(node, now);
        return;
    }
    if (now - node->clocks.asked_at >= (uint64_t)node->config->election_ms * 1000 / 2) {
        node_clocks_ask(node); /* it was lost, or the answers were */
    }
    env_timer_start(node->lead.timer, heartbeat_us(node));
}

void node_collection_begin(struct node *node)
{
    node->collection.count = 0;
    node->collection.majority_at = 0;
    node_clocks_ask(node);
    node_collection_step(node);
}

void node_collection_offer(struct node *node, struct node_time_offer offer)
{
    struct node_collection *collection = &node->collection;
    for (size_t i = 0; i < collection->count; i++) {
        if (collection->offers[i].node == offer.node) {
            return;
        }
    }
    if (!rlog_is_voter(node->rlog, offer.node)) {
        return;
    }
    (void)voters_known(node);
    ASSERT(collection->count < RLOG_MEMBERS_MAX);
    collection->offers[collection->count] = offer;
    collection->received[collection->count++] = env_boot_us(node->env);
    node_collection_step(node);
}

/* The arithmetic of cluster time on one node. */
#include "node/time.h"

#include "base/sat.h"

void node_time_init(struct node_time *time)
{
    *time = (struct node_time){.has_clock = false};
}

uint64_t node_time_clock(const struct node_time *time, uint64_t boot_us)
{
    if (!time->has_clock) {
        return time->floor;
    }
    int64_t clock = (int64_t)boot_us + time->offset;
    return u64_max(clock < 0 ? 0 : (uint64_t)clock, time->floor);
}

void node_time_stamp_in_log(struct node_time *time, uint64_t stamp)
{
    time->floor = u64_max(time->floor, stamp);
}

void node_time_follow(struct node_time *time, uint64_t value, uint64_t boot_us)
{
    int64_t offset = (int64_t)u64_min(value, NODE_TIME_MAX_US) - (int64_t)boot_us;
    if (time->has_clock && offset > time->offset) {
        time->offset = offset;
    }
}

void node_time_learn(struct node_time *time, uint64_t value, uint64_t boot_us)
{
    uint64_t least = u64_max(u64_min(value, NODE_TIME_MAX_US), time->floor);
    int64_t offset = (int64_t)least - (int64_t)boot_us;
    time->has_clock = true;
    time->offset = offset;
}

void node_time_void(struct node_time *time)
{
    time->has_clock = false;
    time->offset = 0;
}

/* The largest clock below `bound` (by value, then by place), or NULL. */
static const struct node_time_offer *next_below(const struct node_time_offer *offers, size_t count,
                                                const struct node_time_offer *bound)
{
    const struct node_time_offer *best = NULL;
    for (const struct node_time_offer *offer = offers; offer < offers + count; offer++) {
        bool below = bound == NULL || offer->value < bound->value ||
                     (offer->value == bound->value && offer > bound);
        if (offer->has_clock && below && (best == NULL || offer->value > best->value)) {
            best = offer;
        }
    }
    return best;
}

enum node_time_verdict node_time_collect(const struct node_time_offer *offers, size_t count,
                                         uint64_t *ret_value, uint64_t *ret_odd)
{
    const struct node_time_offer *first = next_below(offers, count, NULL);
    if (first == NULL) {
        return NODE_TIME_NONE;
    }
    const struct node_time_offer *upper = next_below(offers, count, first);
    while (upper != NULL) {
        const struct node_time_offer *lower = next_below(offers, count, upper);
        if (lower != NULL && first->value - upper->value > NODE_TIME_ODD_US &&
            upper->value - lower->value <= NODE_TIME_ODD_US) {
            *ret_value = upper->value;
            *ret_odd = first->node;
            return NODE_TIME_ODD_ONE;
        }
        upper = lower;
    }
    *ret_value = first->value;
    return NODE_TIME_AGREED;
}

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
        return 0;
    }
    int64_t clock = (int64_t)boot_us + time->offset;
    return clock < 0 ? 0 : (uint64_t)clock;
}

void node_time_follow(struct node_time *time, uint64_t value, uint64_t boot_us)
{
    int64_t offset = (int64_t)u64_min(value, NODE_TIME_MAX_US) - (int64_t)boot_us;
    if (time->has_clock && offset > time->offset) {
        time->offset = offset;
    }
}

void node_time_learn(struct node_time *time, uint64_t era, uint64_t value, uint64_t boot_us)
{
    time->has_clock = true;
    time->era = era;
    time->offset = (int64_t)u64_min(value, NODE_TIME_MAX_US) - (int64_t)boot_us;
}

void node_time_keep(struct node_time *time, uint64_t boot_us, uint64_t wall_us)
{
    if (time->has_clock) {
        time->kept = (struct node_time_kept){
            .known = true, .clock = node_time_clock(time, boot_us), .wall_us = wall_us};
    }
}

void node_time_void(struct node_time *time)
{
    time->has_clock = false;
    time->offset = 0;
    time->kept = (struct node_time_kept){.known = false};
}

/* The newest era that anybody knows of, also those who have lost its clock. */
static uint64_t newest_era(const struct node_time_offer *offers, size_t count)
{
    uint64_t era = 0;
    for (size_t i = 0; i < count; i++) {
        era = u64_max(era, offers[i].era);
    }
    return era;
}

struct offers {
    const struct node_time_offer *first;
    size_t count;
    uint64_t era; /* the others do not count */
};

/* The largest clock below `bound` (by value, then by place), or NULL. */
static const struct node_time_offer *next_below(const struct offers *offers,
                                                const struct node_time_offer *bound)
{
    const struct node_time_offer *best = NULL;
    for (size_t i = 0; i < offers->count; i++) {
        const struct node_time_offer *offer = &offers->first[i];
        bool counts = offer->has_clock && offer->era == offers->era;
        bool below = bound == NULL || offer->value < bound->value ||
                     (offer->value == bound->value && offer > bound);
        if (counts && below && (best == NULL || offer->value > best->value)) {
            best = offer;
        }
    }
    return best;
}

struct node_time_finding node_time_collect(const struct node_time_offer *first_offer, size_t count)
{
    const struct offers offers = {
        .first = first_offer, .count = count, .era = newest_era(first_offer, count)};
    const struct node_time_offer *first = next_below(&offers, NULL);
    if (first == NULL) {
        return (struct node_time_finding){.verdict = NODE_TIME_NONE};
    }
    const struct node_time_offer *upper = next_below(&offers, first);
    while (upper != NULL) {
        const struct node_time_offer *lower = next_below(&offers, upper);
        if (lower != NULL && first->value - upper->value > NODE_TIME_ODD_US &&
            upper->value - lower->value <= NODE_TIME_ODD_US) {
            return (struct node_time_finding){.verdict = NODE_TIME_ODD_ONE,
                                              .era = offers.era,
                                              .value = upper->value,
                                              .odd = first->node};
        }
        upper = lower;
    }
    return (struct node_time_finding){
        .verdict = NODE_TIME_AGREED, .era = offers.era, .value = first->value};
}

/* ---- wall clocks (T3) ---- */

enum node_time_wall node_time_wall_offer(const struct node_time *time, uint64_t wall_us,
                                         bool synchronised, uint64_t *ret_value)
{
    const struct node_time_kept *kept = &time->kept;
    *ret_value = 0;
    if (!kept->known) {
        return NODE_TIME_WALL_NONE;
    }
    if (!synchronised) {
        return NODE_TIME_WALL_UNTRUE;
    }
    uint64_t value = wall_us >= kept->wall_us ? sat_add(kept->clock, wall_us - kept->wall_us)
                                              : sat_sub(kept->clock, kept->wall_us - wall_us);
    *ret_value = u64_min(value, NODE_TIME_MAX_US);
    return NODE_TIME_WALL_OFFERED;
}

bool node_time_by_walls(const struct node_time_offer *offers, size_t count, size_t members,
                        uint64_t *ret_value)
{
    uint64_t era = newest_era(offers, count), least = UINT64_MAX, most = 0;
    size_t agreed = 0;
    for (size_t i = 0; i < count; i++) {
        if (offers[i].era != era || offers[i].wall == NODE_TIME_WALL_NONE) {
            continue;
        }
        if (offers[i].wall != NODE_TIME_WALL_OFFERED) {
            return false;
        }
        least = u64_min(least, offers[i].wall_value);
        most = u64_max(most, offers[i].wall_value);
        agreed++;
    }
    *ret_value = most;
    return agreed > members / 2 && most - least <= NODE_TIME_WALLS_US;
}

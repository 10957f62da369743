/* S5: T and the leaders' clocks, against the time of the clients. */
#include "jepsen/check/order.h"

#include "base/assert.h"
#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

struct look {
    const struct history *history;
    const struct order *order;
    const struct check_options *options;
    struct check_verdict *verdict;
    uint32_t row;
};

static bool refuse(const struct look *look, const char *rule, uint32_t other)
{
    return check_refuse(look->verdict, MODEL_S5, rule, other, look->row);
}

uint64_t check_ns_of_us(uint64_t us)
{
    return us > UINT64_MAX / 1000 ? UINT64_MAX : us * 1000;
}

uint64_t check_drift_ns(const struct check_options *options, uint64_t span_ns)
{
    return span_ns / 1000000 * options->drift_ppm + options->epsilon_ns;
}

bool check_timeless(const struct check_options *options, uint64_t from_ns, uint64_t to_ns)
{
    for (uint32_t i = 0; i < options->timeless_count; i++) {
        if (options->timeless[i].to_ns >= from_ns && options->timeless[i].from_ns <= to_ns) {
            return true;
        }
    }
    return false;
}

/* ---- the pace: how far the clock went between two answers ---- */

/* Did the clock gain more from `a` to `b` than time went by, and `slack_ns` more? */
static bool ran_ahead(const struct look *look, const struct event *a, const struct event *b,
                      uint64_t slack_ns)
{
    uint64_t span = sat_sub(b->ret_ns, a->call_ns);

    return b->clock > a->clock && check_ns_of_us(b->clock - a->clock) >
                                      span + check_drift_ns(look->options, span) + slack_ns;
}

static bool fell_behind(const struct look *look, const struct event *a, const struct event *b)
{
    uint64_t span = sat_sub(b->call_ns, a->ret_ns);

    return check_ns_of_us(sat_sub(b->clock, a->clock)) + check_drift_ns(look->options, span) +
               look->options->leaderless_ns <
           span;
}

/* Less clock for its call: what comes later gets the tighter bound from `b`. */
static bool is_faster(const struct event *a, const struct event *b)
{
    return b->clock + a->call_ns / 1000 <= a->clock + b->call_ns / 1000;
}

/* S5: between two answers the cluster's clock goes on as the client's does; by more where one that
 * was learned, and lay behind, gives way to the one that it was learned from, which takes another
 * leader. Rows in the order of positions; the bounds that earlier rows give widen with drift. */
static bool check_pace(struct look *look)
{
    const struct history *history = look->history;
    const struct order *order = look->order;
    uint32_t fast = UINT32_MAX, slow = UINT32_MAX, same = UINT32_MAX; /* the last of one term */
    bool written = false; /* a clock under which nothing was written may be made anew (T2) */

    for (uint32_t i = 0; i < order->count; i++) {
        const struct event *b = &history->events[order->rows[i]];
        const struct event *a = fast == UINT32_MAX ? b : &history->events[fast];
        const struct event *c = slow == UINT32_MAX ? b : &history->events[slow];
        const struct event *d = same == UINT32_MAX ? b : &history->events[same];

        written = written || history_is_write(b);
        if (b->clock == 0 || !history_definite(b) || b->attempt > 1 || !written) {
            continue;
        }
        if (check_timeless(look->options, u64_min(a->call_ns, c->call_ns), b->ret_ns)) {
            fast = slow = same = order->rows[i];
            continue;
        }
        look->row = order->rows[i];
        if (ran_ahead(look, a, b, a->term == b->term ? 0 : look->options->learned_ns)) {
            return refuse(look, "the cluster's clock ran ahead of real time", fast);
        }
        if (d->term == b->term && ran_ahead(look, d, b, 0)) {
            return refuse(look, "the cluster's clock ran ahead under one leader", same);
        }
        if (fell_behind(look, c, b)) {
            return refuse(look, "the cluster's clock fell behind real time", slow);
        }
        if (is_faster(a, b)) {
            fast = look->row;
        }
        if (d->term != b->term || is_faster(d, b)) {
            same = look->row;
        }
        /* The tightest row to compare with: most clock for its return. */
        if (b->clock + c->ret_ns / 1000 >= c->clock + b->ret_ns / 1000) {
            slow = look->row;
        }
    }
    return true;
}

/* ---- the order: one leader's clock goes on ---- */

static bool by_clock(const struct event *a, const struct event *b)
{
    return a->term != b->term ? a->term < b->term : a->clock < b->clock;
}

/* Tries that follow another are told what that one was told, and when. */
static bool shows_clock(const struct event *event)
{
    return history_definite(event) && event->clock != 0 && event->attempt <= 1;
}

/* Under one leader no answer has a clock below that of an answer that had returned when it was
 * asked for, but for what somebody moved the clock of that machine by. From the highest clock down:
 * `above` is the first row not yet among those that lie above by enough. */
static bool check_clock_order(struct look *look, const uint32_t *rows, uint32_t count)
{
    const struct event *events = look->history->events;
    uint32_t above = count, which = UINT32_MAX;

    for (uint32_t at = count; at-- > 0;) {
        const struct event *event = &events[rows[at]];

        if (at + 1 < count && events[rows[at + 1]].term != event->term) {
            above = at + 1;
            which = UINT32_MAX;
        }
        while (events[rows[above - 1]].clock > sat_add(event->clock, look->options->stepped_us)) {
            above--;
            if (which == UINT32_MAX || events[rows[above]].ret_ns < events[which].ret_ns) {
                which = rows[above];
            }
        }
        if (which != UINT32_MAX && events[which].ret_ns < event->call_ns &&
            !check_timeless(look->options, events[which].call_ns, event->ret_ns)) {
            look->row = rows[at];
            return refuse(look, "the clock of a leader went back", which);
        }
    }
    return true;
}

static bool check_clock_orders(struct look *look)
{
    const struct order *order = look->order;
    uint32_t count = 0, *rows = malloc((order->count + 1) * sizeof *rows);

    ASSERT(rows != NULL);
    for (uint32_t i = 0; i < order->count; i++) {
        if (shows_clock(&look->history->events[order->rows[i]])) {
            rows[count++] = order->rows[i];
        }
    }
    order_sort(look->history, &rows, count, by_clock);
    bool good = check_clock_order(look, rows, count);
    free(rows);
    return good;
}

bool check_clocks(const struct history *history, const struct order *order,
                  const struct check_options *options, struct check_verdict *verdict)
{
    struct look look = {.history = history, .order = order, .options = options, .verdict = verdict};
    return check_pace(&look) && check_clock_orders(&look);
}

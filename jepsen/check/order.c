/* Puts rows in order, and checks the order itself: S1 (real time), S5, S13, S14. */
#include "jepsen/check/order.h"

#include "base/assert.h"
#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

bool check_refuse(struct check_verdict *verdict, enum model_property property, const char *rule,
                  uint32_t first, uint32_t second)
{
    verdict->kind = CHECK_VIOLATION;
    verdict->property = property;
    (void)snprintf(verdict->rule, sizeof verdict->rule, "%s", rule);
    verdict->op_count = 0;
    if (first != UINT32_MAX) {
        verdict->ops[verdict->op_count++] = first;
    }
    if (second != UINT32_MAX && second != first) {
        verdict->ops[verdict->op_count++] = second;
    }
    return false;
}

/* ---- sorting: a plain merge sort, since qsort has no argument for the rows ---- */

static bool by_number(const struct event *a, const struct event *b)
{
    if (a->client != b->client) {
        return a->client < b->client;
    }
    if (a->number != b->number) {
        return a->number < b->number;
    }
    return a->attempt != b->attempt ? a->attempt < b->attempt : a->call_ns < b->call_ns;
}

/* Writes at one position are tries of one operation: a higher try mints after a lower one. */
static bool by_position(const struct event *a, const struct event *b)
{
    if (a->position != b->position) {
        return a->position < b->position;
    }
    if (history_is_write(a) != history_is_write(b)) {
        return history_is_write(a);
    }
    return history_is_write(a) ? by_number(a, b) : a->call_ns < b->call_ns;
}

static bool sorted(const struct history *history, const uint32_t *rows, uint32_t count,
                   before_fn *before)
{
    for (uint32_t i = 1; i < count; i++) {
        if (before(&history->events[rows[i]], &history->events[rows[i - 1]])) {
            return false;
        }
    }
    return true;
}

static void merge(const struct history *history, const uint32_t *from, uint32_t *to, uint32_t left,
                  uint32_t middle, uint32_t right, before_fn *before)
{
    uint32_t a = left, b = middle;

    for (uint32_t i = left; i < right; i++) {
        bool second = a == middle ||
                      (b < right && before(&history->events[from[b]], &history->events[from[a]]));
        to[i] = second ? from[b++] : from[a++];
    }
}

void order_sort(const struct history *history, uint32_t **rows, uint32_t count, before_fn *before)
{
    uint32_t *other;

    if (sorted(history, *rows, count, before)) {
        return;
    }
    other = malloc(count * sizeof *other);
    ASSERT(other != NULL);
    for (uint64_t width = 1; width < count; width *= 2) {
        uint32_t *swap = *rows;

        for (uint64_t left = 0; left < count; left += 2 * width) {
            uint64_t middle = u64_min(left + width, count),
                     right = u64_min(left + 2 * width, count);

            merge(history, *rows, other, (uint32_t)left, (uint32_t)middle, (uint32_t)right, before);
        }
        *rows = other;
        other = swap;
    }
    free(other);
}

/* ---- tries of one operation ---- */

/* Does it say for certain what became of the operation? Whoever used the number for another request
 * or without a registration was told of that alone. */
static bool tells(const struct event *event)
{
    return history_definite(event) && event->outcome != OP_NUMBER_REUSED &&
           event->outcome != OP_CLIENT_UNKNOWN;
}

/* The try that stands for all: one that tells, its secret if it can be, the first that returned.
 * `end` when there is none. */
static uint32_t chief(const struct history *history, const struct order *order, uint32_t at,
                      uint32_t end)
{
    const struct event *best = NULL;
    uint32_t which = end;

    for (uint32_t i = at; i < end; i++) {
        const struct event *event = &history->events[order->numbered[i]];

        if (tells(event) && (best == NULL || (event->superseded != best->superseded
                                                  ? best->superseded
                                                  : event->ret_ns < best->ret_ns))) {
            best = event;
            which = i;
        }
    }
    return which;
}

/* A try above the one in `told` has no answer: the secret that this one told may be gone. A row has
 * the number of its last try, which alone may have been answered. */
static bool may_mint_again(const struct history *history, const struct order *order, uint32_t at,
                           uint32_t end, uint32_t told)
{
    const struct event *event = &history->events[told];
    bool unknown = false;

    if (event->outcome != OP_OK || op_minted_token(op_row_of_number(event->f)) == NULL) {
        return false;
    }
    for (uint32_t i = at; i < end; i++) {
        const struct event *other = &history->events[order->numbered[i]];

        unknown = unknown || other->attempt > event->attempt + 1 ||
                  (other->attempt > event->attempt &&
                   op_outcome_class(other->outcome) == OP_CLASS_UNKNOWN);
    }
    return unknown;
}

/* Sets the first call of each try in [at, end), and which of them remain in doubt. */
static void group(struct order *order, const struct history *history, uint32_t at, uint32_t end,
                  bool *drop)
{
    uint64_t first = HISTORY_NEVER;
    uint32_t told = chief(history, order, at, end);
    bool kept = false;

    for (uint32_t i = at; i < end; i++) {
        first = u64_min(first, history->events[order->numbered[i]].call_ns);
    }
    for (uint32_t i = at; i < end; i++) {
        uint32_t row = order->numbered[i];

        order->call_ns[row] = first;
        if (op_outcome_class(history->events[row].outcome) == OP_CLASS_UNKNOWN) {
            drop[row] = told != end || kept; /* one of several unknown tries stands for all */
            kept = true;
        } else if (tells(&history->events[row])) {
            order->again[row] = i != told;
            order->doubts[row] = may_mint_again(history, order, at, end, row);
        }
    }
}

static void group_all(struct order *order, const struct history *history, bool *drop)
{
    for (uint32_t at = 0, end; at < order->numbered_count; at = end) {
        const struct event *first = &history->events[order->numbered[at]];

        for (end = at + 1; end < order->numbered_count; end++) {
            const struct event *next = &history->events[order->numbered[end]];

            if (next->client != first->client || next->number != first->number) {
                break;
            }
        }
        group(order, history, at, end, drop);
    }
}

void order_init(struct order *order, const struct history *history)
{
    size_t size = history->count + 1;
    bool *drop = calloc(size, sizeof *drop);

    memset(order, 0, sizeof *order);
    order->rows = malloc(size * sizeof *order->rows);
    order->numbered = malloc(size * sizeof *order->numbered);
    order->doubtful = malloc(size * sizeof *order->doubtful);
    order->call_ns = malloc(size * sizeof *order->call_ns);
    order->again = calloc(size, sizeof *order->again);
    order->doubts = calloc(size, sizeof *order->doubts);
    ASSERT(drop != NULL && order->rows != NULL && order->numbered != NULL &&
           order->doubtful != NULL && order->call_ns != NULL && order->again != NULL &&
           order->doubts != NULL);
    for (uint32_t row = 0; row < history->count; row++) {
        order->call_ns[row] = history->events[row].call_ns;
        if (history->events[row].client != 0) {
            order->numbered[order->numbered_count++] = row;
        }
    }
    order_sort(history, &order->numbered, order->numbered_count, by_number);
    group_all(order, history, drop);
    for (uint32_t row = 0; row < history->count; row++) {
        const struct event *event = &history->events[row];
        bool unknown = op_outcome_class(event->outcome) == OP_CLASS_UNKNOWN;

        if ((history_definite(event) || (unknown && !drop[row])) && event->position != 0) {
            order->rows[order->count++] = row;
        } else if (unknown && !drop[row] && history_is_write(event)) {
            order->doubtful[order->doubtful_count++] = row;
        }
    }
    order_sort(history, &order->rows, order->count, by_position);
    free(drop);
}

void order_done(struct order *order)
{
    free(order->rows);
    free(order->numbered);
    free(order->doubtful);
    free(order->call_ns);
    free(order->again);
    free(order->doubts);
}

/* ---- the order itself ---- */

static bool together(const struct event *a, const struct event *b)
{
    return a->position == b->position && history_is_write(a) == history_is_write(b);
}

/* What returned before another was invoked stands at or before it, reads after their command. */
static bool check_real_time(const struct history *history, const struct order *order,
                            struct check_verdict *verdict)
{
    uint64_t least = HISTORY_NEVER;
    uint32_t which = UINT32_MAX, end = order->count;

    while (end > 0) {
        const struct event *last = &history->events[order->rows[end - 1]];
        uint32_t at = end;

        for (; at > 0 && together(&history->events[order->rows[at - 1]], last); at--) {
            if (order->call_ns[order->rows[at - 1]] > least) {
                return check_refuse(
                    verdict, MODEL_S1,
                    "an operation that had returned stands behind one invoked later",
                    order->rows[at - 1], which);
            }
        }
        for (uint32_t i = at; i < end; i++) {
            const struct event *event = &history->events[order->rows[i]];

            if (event->ret_ns < least && history_definite(event)) {
                least = event->ret_ns;
                which = order->rows[i];
            }
        }
        end = at;
    }
    return true;
}

/* The same command told twice: by another try, or by another request of the same (task, n). */
static bool same_command(const struct history *history, const struct event *a,
                         const struct event *b)
{
    union op_request x, y;

    if (a->client != 0 && a->client == b->client && a->number == b->number) {
        return true;
    }
    if (a->f != b->f || (a->f != OP_state_put && a->f != OP_task_begin)) {
        return false;
    }
    history_request(history, a, &x);
    history_request(history, b, &y);
    return a->f == OP_state_put ? x.state_put.has_fence && y.state_put.has_fence &&
                                      id128_equal(x.state_put.fence.id, y.state_put.fence.id) &&
                                      x.state_put.operation == y.state_put.operation
                                : x.task_begin.has_fence && y.task_begin.has_fence &&
                                      id128_equal(x.task_begin.fence.id, y.task_begin.fence.id) &&
                                      x.task_begin.operation == y.task_begin.operation;
}

static bool check_pair(const struct history *history, uint32_t before, uint32_t after,
                       struct check_verdict *verdict)
{
    const struct event *a = &history->events[before], *b = &history->events[after];
    bool commands = history_is_write(a) && history_is_write(b);

    if (a->position == b->position && commands && !same_command(history, a, b)) {
        return check_refuse(verdict, MODEL_S14, "two commands at one position", before, after);
    }
    if (!history_definite(a) || !history_definite(b)) {
        return true;
    }
    if (b->time < a->time) {
        return check_refuse(verdict, MODEL_S5, "T goes back while the position goes on", before,
                            after);
    }
    if (a->position == b->position && a->time != b->time) {
        return check_refuse(verdict, MODEL_S5, "two values of T at one position", before, after);
    }
    if (b->term < a->term && a->position < b->position) {
        return check_refuse(verdict, MODEL_S13, "the term goes back while the position goes on",
                            before, after);
    }
    return true;
}

bool check_orders(const struct history *history, const struct order *order,
                  const struct check_options *options, struct check_verdict *verdict)
{
    (void)options;
    for (uint32_t i = 1; i < order->count; i++) {
        if (!check_pair(history, order->rows[i - 1], order->rows[i], verdict)) {
            return false;
        }
    }
    return check_real_time(history, order, verdict);
}

/* The smallest part of a history that shows a violation: takes away what can be taken away. */
#include "jepsen/check/order.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void check_plain(const struct history *history, const struct check_options *options,
                 struct check_verdict *ret_verdict)
{
    struct order order;

    order_init(&order, history);
    if (check_orders(history, &order, options, ret_verdict) &&
        (options->witness_only || (check_clocks(history, &order, options, ret_verdict) &&
                                   check_sweeps(history, &order, options, ret_verdict) &&
                                   check_tries(history, &order, options, ret_verdict) &&
                                   check_derived(history, &order, options, ret_verdict) &&
                                   check_lists(history, &order, ret_verdict) &&
                                   check_events(history, &order, options, ret_verdict))) &&
        check_witness(history, &order, options, ret_verdict) && !options->witness_only &&
        options->blind_steps != 0) {
        (void)check_blind(history, &order, options, ret_verdict);
    }
    order_done(&order);
}

struct reduction {
    const struct history *history;
    const struct check_options *options;
    const struct check_verdict *verdict;
    uint32_t *kept; /* rows, in order */
    uint32_t count;
    uint64_t checks_left;
};

enum { CHECKS_MAX = 2000, ROWS_WORTH_IT = 2000000 };

static struct history *part_of(const struct reduction *reduction, uint32_t from, uint32_t to)
{
    struct history *part = history_create();

    for (uint32_t i = 0; i < reduction->count; i++) {
        if (i < from || i >= to) {
            history_copy(part, reduction->history, reduction->kept[i]);
        }
    }
    return part;
}

/* Does it still break the same promise by the same rule without [from, to)? */
static bool same_without(struct reduction *reduction, uint32_t from, uint32_t to)
{
    struct check_verdict verdict = {.kind = CHECK_OK};
    struct history *part = part_of(reduction, from, to);

    check_plain(part, reduction->options, &verdict);
    history_destroy(part);
    reduction->checks_left--;
    return verdict.kind == CHECK_VIOLATION && verdict.property == reduction->verdict->property &&
           strcmp(verdict.rule, reduction->verdict->rule) == 0;
}

static void drop(struct reduction *reduction, uint32_t from, uint32_t to)
{
    memmove(reduction->kept + from, reduction->kept + to,
            (reduction->count - to) * sizeof *reduction->kept);
    reduction->count -= to - from;
}

/* From the end, in chunks that get smaller: what depends on a row goes before the row. */
static bool pass(struct reduction *reduction, uint32_t chunk)
{
    bool any = false;

    for (uint32_t to = reduction->count; to > 0 && reduction->checks_left > 0;) {
        uint32_t from = to > chunk ? to - chunk : 0;

        if (same_without(reduction, from, to)) {
            drop(reduction, from, to);
            any = true;
        }
        to = from;
    }
    return any;
}

void check_reduce(const struct history *history, const struct check_options *options,
                  struct check_verdict *verdict)
{
    struct reduction reduction = {.history = history,
                                  .options = options,
                                  .verdict = verdict,
                                  .count = history->count,
                                  .checks_left = CHECKS_MAX};

    if (history->count > ROWS_WORTH_IT) {
        return;
    }
    reduction.kept = malloc((history->count + 1) * sizeof *reduction.kept);
    ASSERT(reduction.kept != NULL);
    for (uint32_t i = 0; i < history->count; i++) {
        reduction.kept[i] = i;
    }
    for (uint32_t chunk = history->count / 2; chunk > 1; chunk /= 2) {
        (void)pass(&reduction, chunk);
    }
    while (pass(&reduction, 1) && reduction.checks_left > 0) {
    }
    if (reduction.count <= CHECK_OPS_MAX && reduction.count > 0) {
        memcpy(verdict->ops, reduction.kept, reduction.count * sizeof *reduction.kept);
        verdict->op_count = reduction.count;
    }
    free(reduction.kept);
}

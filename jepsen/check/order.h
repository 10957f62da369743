/* Inside jepsen/check: rows in the order of positions, tries of one operation put together. */
#ifndef JEPSEN_CHECK_ORDER_H
#define JEPSEN_CHECK_ORDER_H

#include "jepsen/check/check.h"

struct order {
    uint32_t *rows; /* placed rows by position, reads after commands */
    uint32_t count;
    uint32_t *numbered; /* rows with a request number, by (client, number, try) */
    uint32_t numbered_count;
    uint32_t *doubtful; /* commands that may have been applied, nobody knows where */
    uint32_t doubtful_count;
    uint64_t *call_ns; /* by row: when its operation was invoked first */
    bool *again;       /* by row: another try, of the same operation, was answered too */
    bool *doubts;      /* by row: a later try, never answered, may have minted its secret anew */
};

void order_init(struct order *order, const struct history *history);
void order_done(struct order *order);

typedef bool before_fn(const struct event *a, const struct event *b);

/* Stable. `rows` was allocated by malloc, and may be another block afterwards. */
void order_sort(const struct history *history, uint32_t **rows, uint32_t count, before_fn *before);

/* Records a violation by up to two rows (UINT32_MAX: none). Returns false, for callers' returns. */
bool check_refuse(struct check_verdict *verdict, enum model_property property, const char *rule,
                  uint32_t first, uint32_t second);

/* Each returns false with a violation. */
bool check_orders(const struct history *history, const struct order *order,
                  const struct check_options *options, struct check_verdict *verdict);
bool check_clocks(const struct history *history, const struct order *order,
                  const struct check_options *options, struct check_verdict *verdict);
bool check_sweeps(const struct history *history, const struct order *order,
                  const struct check_options *options, struct check_verdict *verdict);
bool check_tries(const struct history *history, const struct order *order,
                 const struct check_options *options, struct check_verdict *verdict);
bool check_derived(const struct history *history, const struct order *order,
                   const struct check_options *options, struct check_verdict *verdict);
bool check_lists(const struct history *history, const struct order *order,
                 struct check_verdict *verdict);
bool check_events(const struct history *history, const struct order *order,
                  const struct check_options *options, struct check_verdict *verdict);
/* May also answer UNDECIDED. */
bool check_witness(const struct history *history, const struct order *order,
                   const struct check_options *options, struct check_verdict *verdict);
bool check_blind(const struct history *history, const struct order *order,
                 const struct check_options *options, struct check_verdict *verdict);

/* ---- clocks.c: what is allowed between two moments ---- */

uint64_t check_ns_of_us(uint64_t us);
/* How far two clocks may differ after that span, ε included. */
uint64_t check_drift_ns(const struct check_options *options, uint64_t span_ns);
/* T may have gone on by any amount between the two moments, or not at all. */
bool check_timeless(const struct check_options *options, uint64_t from_ns, uint64_t to_ns);

/* ---- shrink.c ---- */

/* All checks of one history, without reduction and V1. */
void check_plain(const struct history *history, const struct check_options *options,
                 struct check_verdict *ret_verdict);
/* Fills ops with the smallest part of the history that shows the same violation. */
void check_reduce(const struct history *history, const struct check_options *options,
                  struct check_verdict *verdict);

#endif

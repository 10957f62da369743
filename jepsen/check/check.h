/* The checker: does a history keep the promises of docs/MODEL.md section 9?
 *
 *   struct history *history = history_create();
 *   row = history_invoke(history, &call); … history_return(history, row, &answer);
 *   check_history(history, &options, &verdict);
 *
 * Sweeps (direct checks of one promise each), then the witness (replay in the order of positions),
 * then the blind search per session, which ignores positions. The first violation ends it and is
 * reduced to the operations that show it.
 */
#ifndef JEPSEN_CHECK_CHECK_H
#define JEPSEN_CHECK_CHECK_H

#include "jepsen/check/history.h"

/* As tenure-check exits. */
enum check_kind {
    CHECK_OK = 0,
    CHECK_VIOLATION = 1,
    CHECK_UNDECIDED = 3,
    CHECK_INVALID = 4,
};

/* V1: what a run exercised. */
struct check_counters {
    uint64_t operations; /* rows */
    uint64_t definite;   /* answered DONE or REFUSED */
    uint64_t unknown;    /* outcome not known */
    uint64_t retried;    /* sent again under their number, after a try that nobody answered */
    uint64_t leader_changes;
    uint64_t fenced;        /* refused by the fence law */
    uint64_t near_deadline; /* answers about a session within 1 s of its deadline */
    uint64_t revokes;
    uint64_t snapshots;      /* installs: told by the runner, no row shows them */
    uint64_t members;        /* changes of the list of members: told by the runner as well */
    uint64_t blind_sessions; /* partitions that the blind search decided */
};

struct check_span {
    uint64_t from_ns, to_ns;
};

struct check_options {
    struct op_limits limits;
    uint64_t epsilon_ns;    /* of S5 and S6: one round trip + 10 ms */
    uint64_t learned_ns;    /* a clock that was learned lies so far behind the one it is of (T2) */
    uint64_t stepped_us;    /* by how much boot clocks were moved, all together */
    uint64_t leaderless_ns; /* longest time without a leader (S5) */
    uint64_t drift_ppm;
    /* While T stood still and an operator had to state it (docs/MODEL.md T3): S5 and S6 do not
     * measure across such a time. Borrowed. */
    const struct check_span *timeless;
    uint32_t timeless_count;
    uint64_t blind_steps; /* of the search, for each partition; 0: no blind search */
    uint64_t placements;  /* unknown commands that the witness may place */
    bool witness_only;
    bool reduce;                 /* find the smallest explanation */
    uint64_t snapshots, members; /* copied to the counters */
    struct check_counters least; /* V1: fewer than this is INVALID */
};

enum { CHECK_OPS_MAX = 64 };

struct check_verdict {
    enum check_kind kind;
    enum model_property property; /* of a violation */
    char rule[200];
    uint32_t ops[CHECK_OPS_MAX]; /* rows that show it, in the order of the history */
    uint32_t op_count;
    struct check_counters counters;
};

/* Defaults of limits.def; 60 ms, 100 ms, no steps, 3 s, 200 ppm; 200,000 steps; 8 placements. */
void check_options_init(struct check_options *options);
void check_history(const struct history *history, const struct check_options *options,
                   struct check_verdict *ret_verdict);
/* Sets the counter of that name; false when there is none. */
bool check_counter_set(struct check_counters *counters, const char *name, uint64_t value);
/* Prints verdict, counters and, for a violation, its operations as JSON lines. */
void check_print(const struct history *history, const struct check_verdict *verdict, FILE *file);

#endif

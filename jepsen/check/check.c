/* The verdict on a history: the checks in order, the counters of V1, and how it is printed. */
#include "jepsen/check/order.h"

#include <inttypes.h>
#include <string.h>

void check_options_init(struct check_options *options)
{
    memset(options, 0, sizeof *options);
    op_limits_init(&options->limits);
    options->epsilon_ns = 60000000;
    options->learned_ns = 100000000;
    options->leaderless_ns = 3000000000;
    options->drift_ppm = 200;
    options->blind_steps = 200000;
    options->placements = 8;
    options->reduce = true;
}

#define EACH_COUNTER(COUNTER)                                                                      \
    COUNTER(operations)                                                                            \
    COUNTER(definite)                                                                              \
    COUNTER(unknown)                                                                               \
    COUNTER(retried)                                                                               \
    COUNTER(leader_changes)                                                                        \
    COUNTER(fenced)                                                                                \
    COUNTER(near_deadline)                                                                         \
    COUNTER(revokes)                                                                               \
    COUNTER(snapshots)                                                                             \
    COUNTER(members)                                                                               \
    COUNTER(blind_sessions)

bool check_counter_set(struct check_counters *counters, const char *name, uint64_t value)
{
#define COUNTER(counter)                                                                           \
    if (strcmp(name, #counter) == 0) {                                                             \
        counters->counter = value;                                                                 \
        return true;                                                                               \
    }
    EACH_COUNTER(COUNTER)
#undef COUNTER
    return false;
}

/* Says how near: the least of what is left, where an answer says so. */
static bool near_deadline(const struct history *history, const struct event *event)
{
    const uint64_t near_us = 1000000;
    union op_reply reply;

    if (event->outcome == OP_EXPIRED) {
        return true;
    }
    if (event->outcome != OP_OK || event->f != OP_session_validate) {
        return false;
    }
    history_reply(history, event, &reply);
    return reply.session_validate.idle < near_us || reply.session_validate.absolute < near_us;
}

static bool is_revoke(enum op_number f)
{
    return f == OP_revoke_user || f == OP_revoke_agent || f == OP_revoke_tenant ||
           f == OP_revoke_all || f == OP_revoke_lineage || f == OP_session_revoke;
}

static void count(const struct history *history, struct check_counters *counters)
{
    uint32_t least_term = UINT32_MAX, most_term = 0;

    counters->operations = history->count;
    for (uint32_t row = 0; row < history->count; row++) {
        const struct event *event = &history->events[row];

        counters->definite += history_definite(event);
        counters->unknown += op_outcome_class(event->outcome) == OP_CLASS_UNKNOWN;
        counters->retried += event->again;
        counters->fenced += event->outcome == OP_FENCED;
        counters->near_deadline += near_deadline(history, event);
        counters->revokes += event->outcome == OP_OK && is_revoke(event->f);
        if (history_definite(event) && event->term != 0) {
            least_term = event->term < least_term ? event->term : least_term;
            most_term = event->term > most_term ? event->term : most_term;
        }
    }
    counters->leader_changes = most_term > least_term ? most_term - least_term : 0;
}

/* V1: a run that did not exercise what it claims proves nothing. */
static void check_exercised(const struct check_options *options, struct check_verdict *verdict)
{
    const struct check_counters *least = &options->least, *counters = &verdict->counters;

#define COUNTER(counter)                                                                           \
    if (counters->counter < least->counter) {                                                      \
        verdict->kind = CHECK_INVALID;                                                             \
        (void)snprintf(verdict->rule, sizeof verdict->rule,                                        \
                       "V1: %s is %" PRIu64 ", less than the %" PRIu64 " asked for", #counter,     \
                       counters->counter, least->counter);                                         \
        return;                                                                                    \
    }
    EACH_COUNTER(COUNTER)
#undef COUNTER
}

void check_history(const struct history *history, const struct check_options *options,
                   struct check_verdict *ret_verdict)
{
    memset(ret_verdict, 0, sizeof *ret_verdict);
    count(history, &ret_verdict->counters);
    ret_verdict->counters.snapshots = options->snapshots;
    ret_verdict->counters.members = options->members;
    check_plain(history, options, ret_verdict);
    if (ret_verdict->kind == CHECK_VIOLATION && options->reduce) {
        check_reduce(history, options, ret_verdict);
    }
    if (ret_verdict->kind == CHECK_OK) {
        check_exercised(options, ret_verdict);
    }
}

static const char *kind_text(enum check_kind kind)
{
    switch (kind) {
    case CHECK_OK:
        return "OK";
    case CHECK_VIOLATION:
        return "VIOLATION";
    case CHECK_UNDECIDED:
        return "UNDECIDED";
    case CHECK_INVALID:
        return "INVALID";
    }
    return "?";
}

void check_print(const struct history *history, const struct check_verdict *verdict, FILE *file)
{
    (void)fprintf(file, "%s", kind_text(verdict->kind));
    if (verdict->kind != CHECK_OK) {
        (void)fprintf(file, "%s%s: %s", verdict->property != 0 ? " " : "",
                      model_property_text(verdict->property), verdict->rule);
    }
    (void)fprintf(file, "\n");
#define COUNTER(counter)                                                                           \
    (void)fprintf(file, "  %-15s %" PRIu64 "\n", #counter, verdict->counters.counter);
    EACH_COUNTER(COUNTER)
#undef COUNTER
    for (uint32_t i = 0; i < verdict->op_count; i++) {
        (void)history_write_row(history, verdict->ops[i], file);
    }
}

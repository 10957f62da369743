/* Time, machines and questions to the machine itself: what a case file says beside operations.
 *
 *   machine LIMIT=N ...   begins anew, with these limits; T is 1000s, TERM_START is position 1
 *   at T, after D         the stamp of the entries that follow
 *   pass                  T reaches the stamp by a TERM_START, which sweeps nothing
 *   sweep                 ticks until there is no work left; says how many
 *   snapshot_restore      continues on a machine that was restored from a snapshot
 *   mark, digest          whether anything that the law reads has changed since the mark
 *   T                     cluster time
 *   deadline              the earliest deadline, as an offset from T
 *   counts                records in use
 *   steps                 lookups, comparisons and replies that the last command or read took
 */
#include "tests/cases/directives.h"

#include "base/sat.h"
#include "tests/cases/machines.h"

#include <inttypes.h>

static struct bytes only_word(const struct scenario *scenario, const struct words *words)
{
    if (words->count != 2 || !words->list[1].plain) {
        case_wrong(scenario, "one word belongs here");
    }
    return words->list[1].key;
}

static uint64_t only_time(const struct scenario *scenario, const struct words *words)
{
    uint64_t time;

    if (!case_time_read(only_word(scenario, words), &time)) {
        case_wrong(scenario, "not a time");
    }
    return time;
}

static void do_machine(struct scenario *scenario, const struct words *words)
{
    struct op_limits limits;

    machines_limits(&limits);
    for (size_t i = 1; i < words->count; i++) {
        const struct word *word = &words->list[i];
        uint64_t value;

        if (!case_number_read(word->value, &value) && !case_time_read(word->value, &value)) {
            case_wrong(scenario, "not a number or a time");
        }
        if (!op_limits_set(&limits, word->key, value)) {
            case_wrong(scenario, "no such limit, or out of its bounds: %.*s", (int)word->key.size,
                       (const char *)word->key.data);
        }
    }
    machines_begin(scenario, &limits);
    case_print(scenario, "ok\n");
}

static void do_at(struct scenario *scenario, const struct words *words)
{
    scenario->stamp = only_time(scenario, words);
}

static void do_after(struct scenario *scenario, const struct words *words)
{
    scenario->stamp += only_time(scenario, words);
}

static void do_time(struct scenario *scenario, const struct words *words)
{
    (void)words;
    case_print(scenario, "T=");
    case_stamp_print(scenario, fsm_time(scenario->first.fsm));
    case_print(scenario, "\n");
}

static void do_pass(struct scenario *scenario, const struct words *words)
{
    machines_pass(scenario);
    do_time(scenario, words);
}

static void do_sweep(struct scenario *scenario, const struct words *words)
{
    static struct questions before;
    struct answer answer;
    unsigned ticks = 0;

    (void)words;
    machines_pass(scenario);
    questions_ask(scenario, &before);
    while (fsm_sweep_due(scenario->first.fsm)) {
        machines_apply_own(scenario, OP_COMMAND_TICK, 0, &answer);
        ticks++;
        questions_compare(scenario, &before);
    }
    case_print(scenario, "ticks=%u\n", ticks);
}

/* The second machine is restored, and the two change places. */
static void do_snapshot_restore(struct scenario *scenario, const struct words *words)
{
    struct replica first = scenario->first;

    (void)words;
    machines_restore(scenario);
    scenario->first = scenario->second;
    scenario->second = first;
    machines_restore(scenario);
    case_print(scenario, scenario->broken ? "differs\n" : "same\n");
}

static void do_mark(struct scenario *scenario, const struct words *words)
{
    (void)words;
    scenario->marked = machines_law(scenario->first.fsm);
}

static void do_digest(struct scenario *scenario, const struct words *words)
{
    bool same = hash128_equal(scenario->marked, machines_law(scenario->first.fsm));

    (void)words;
    case_print(scenario, same ? "same\n" : "changed\n");
}

static void do_deadline(struct scenario *scenario, const struct words *words)
{
    const struct fsm *fsm = scenario->first.fsm;
    uint64_t deadline = fsm_next_deadline(fsm);

    (void)words;
    case_print(scenario, "deadline=");
    case_time_print(scenario,
                    deadline == OP_INFINITE ? deadline : sat_sub(deadline, fsm_time(fsm)));
    case_print(scenario, "\n");
}

static void do_counts(struct scenario *scenario, const struct words *words)
{
    static const struct {
        const char *name;
        enum fsm_table table;
    } shown[] = {
        {"sessions", FSM_SESSIONS}, {"tombstones", FSM_TOMBSTONES}, {"tasks", FSM_TASKS},
        {"keys", FSM_KEYS},         {"watermarks", FSM_WATERMARKS}, {"clients", FSM_CLIENTS},
    };
    const struct fsm *fsm = scenario->first.fsm;
    const char *blank = "";

    (void)words;
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        case_print(scenario, "%s%s=%" PRIu32, blank, shown[i].name,
                   table_count(fsm->tables[shown[i].table]));
        blank = " ";
    }
    case_print(scenario, "\n");
}

static void do_steps(struct scenario *scenario, const struct words *words)
{
    const struct fsm_counters *now = &scenario->first.fsm->counters;
    const struct fsm_counters *then = &scenario->counted;

    (void)words;
    case_print(scenario, "lookups=%" PRIu64 " comparisons=%" PRIu64 " replies=%" PRIu64 "\n",
               now->lookups - then->lookups, now->comparisons - then->comparisons,
               now->replies - then->replies);
}

bool directive(struct scenario *scenario, const struct words *words)
{
    static const struct {
        const char *name;
        void (*run)(struct scenario *scenario, const struct words *words);
    } directives[] = {
        {"machine", do_machine},   {"at", do_at},         {"after", do_after},
        {"pass", do_pass},         {"sweep", do_sweep},   {"snapshot_restore", do_snapshot_restore},
        {"mark", do_mark},         {"digest", do_digest}, {"T", do_time},
        {"deadline", do_deadline}, {"counts", do_counts}, {"steps", do_steps},
    };

    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++) {
        if (case_word_is(words->list[0].key, directives[i].name)) {
            directives[i].run(scenario, words);
            return true;
        }
    }
    return false;
}

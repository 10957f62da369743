/* The simulator's command: seeds in, a verdict out. Plays nothing itself. */
#include "tests/sim/run.h"

#include "base/sat.h"

#include <inttypes.h>
#include <sim_commit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: sim --seed N | --seeds A..B | --replay N | --faults  [option]...\n"
    "\n"
    "Runs the real nodes and the real client library in a simulated world under faults, checks\n"
    "them after every step, and hands the history to the checker.\n"
    "\n"
    "  --seed N         one seed\n"
    "  --seeds A..B     all of them, the last included\n"
    "  --replay N       one seed, with its log, its faults and its answers\n"
    "  --faults         the faults, and why some are off\n"
    "  --minutes M      simulated time of faults in each seed (default: 30 s)\n"
    "  --nodes 3|5      so many nodes; otherwise the seed draws it\n"
    "  --on NAME        switches a fault on; --off NAME off; --off all\n"
    "  --history FILE   writes the history of the last seed there, as JSON lines\n"
    "  --keep-going     plays the seeds after a failing one too\n"
    "  --traces         prints the trace hash of each seed\n"
    "\n"
    "Exit codes: 0 every seed is OK, 1 one failed, 2 usage, 4 INVALID: nothing was shown.\n";

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INVALID = 4 };

struct settings {
    uint64_t first, last;
    uint64_t fault_us;
    size_t nodes;
    bool has_seed, verbose, keep_going, traces, list;
    const char *history;
    bool on[FAULTS];
};

/* ---- arguments ---- */

static bool number_of(const char *text, uint64_t *ret_value, const char **ret_end)
{
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return false;
    }
    *ret_value = strtoull(text, &end, 10);
    *ret_end = end;
    return true;
}

static bool whole_number(const char *text, uint64_t *ret_value)
{
    const char *end;
    return number_of(text, ret_value, &end) && *end == '\0';
}

static bool range_of(const char *text, struct settings *settings)
{
    const char *end;
    return number_of(text, &settings->first, &end) && strncmp(end, "..", 2) == 0 &&
           whole_number(end + 2, &settings->last) && settings->first <= settings->last;
}

static bool set_fault(struct settings *settings, const char *name, bool on)
{
    enum fault_kind kind;
    if (!on && strcmp(name, "all") == 0) {
        memset(settings->on, 0, sizeof(settings->on));
        return true;
    }
    if (!fault_of(name, &kind)) {
        return false;
    }
    settings->on[kind] = on;
    return true;
}

static bool set_value(struct settings *settings, const char *option, const char *value)
{
    uint64_t number;
    if (strcmp(option, "--seed") == 0 || strcmp(option, "--replay") == 0) {
        settings->has_seed = true;
        settings->verbose = strcmp(option, "--replay") == 0;
        return whole_number(value, &settings->first) && whole_number(value, &settings->last);
    }
    if (strcmp(option, "--seeds") == 0) {
        settings->has_seed = true;
        return range_of(value, settings);
    }
    if (strcmp(option, "--minutes") == 0 && whole_number(value, &number) && number > 0) {
        settings->fault_us = number * 60 * SIM_SECOND;
        return true;
    }
    if (strcmp(option, "--nodes") == 0 && whole_number(value, &number)) {
        settings->nodes = (size_t)number;
        return number == 3 || number == 5;
    }
    if (strcmp(option, "--history") == 0) {
        settings->history = value;
        return true;
    }
    return (strcmp(option, "--on") == 0 && set_fault(settings, value, true)) ||
           (strcmp(option, "--off") == 0 && set_fault(settings, value, false));
}

static bool set_flag(struct settings *settings, const char *option)
{
    bool *flag = strcmp(option, "--faults") == 0       ? &settings->list
                 : strcmp(option, "--keep-going") == 0 ? &settings->keep_going
                 : strcmp(option, "--traces") == 0     ? &settings->traces
                                                       : NULL;
    if (flag != NULL) {
        *flag = true;
    }
    return flag != NULL;
}

static bool settings_of(int argc, char **argv, struct settings *settings)
{
    *settings = (struct settings){.fault_us = 30 * SIM_SECOND};
    for (size_t kind = 0; kind < FAULTS; kind++) {
        settings->on[kind] = fault_reason((enum fault_kind)kind) == NULL;
    }
    for (int i = 1; i < argc; i++) {
        if (set_flag(settings, argv[i])) {
            continue;
        }
        if (i + 1 == argc || !set_value(settings, argv[i], argv[i + 1])) {
            fprintf(stderr, "sim: what is \"%s\"?\n", argv[i]);
            return false;
        }
        i++;
    }
    return settings->has_seed || settings->list;
}

static int list_faults(void)
{
    for (size_t i = 0; i < FAULTS; i++) {
        enum fault_kind kind = (enum fault_kind)i;
        const char *reason = fault_reason(kind);
        printf("%-16s %s%s\n", fault_name(kind),
               reason == NULL ? "on" : "off: ", reason == NULL ? "" : reason);
        if (reason != NULL) {
            printf("%-16s shown failing: sim --seeds 1..%d --on %s\n", "",
                   kind == FAULT_BIRTH ? 2000 : 30, fault_name(kind));
        }
    }
    return EXIT_SUCCESS;
}

/* ---- sums ---- */

static void add(struct run_counters *sum, const struct run_counters *one)
{
    sum->steps += one->steps;
    sum->simulated_us += one->simulated_us;
    sum->restarts += one->restarts;
    sum->installs += one->installs;
    sum->digests += one->digests;
    sum->retried += one->retried;
    sum->superseded += one->superseded;
    sum->placed += one->placed;
    sum->times_stated += one->times_stated;
    sum->commands += one->commands;
    sum->longest_recovery_us = u64_max(sum->longest_recovery_us, one->longest_recovery_us);
    for (size_t i = 0; i < FAULTS; i++) {
        sum->faults[i] += one->faults[i];
    }
    for (size_t i = 0; i < sizeof(sum->calls) / sizeof(sum->calls[0]); i++) {
        sum->calls[i] += one->calls[i];
    }
    for (size_t i = 0; i < sizeof(sum->outcomes) / sizeof(sum->outcomes[0]); i++) {
        sum->outcomes[i] += one->outcomes[i];
    }
    sum->check.operations += one->check.operations;
    sum->check.definite += one->check.definite;
    sum->check.unknown += one->check.unknown;
    sum->check.leader_changes += one->check.leader_changes;
    sum->check.fenced += one->check.fenced;
    sum->check.near_deadline += one->check.near_deadline;
    sum->check.revokes += one->check.revokes;
    sum->check.blind_sessions += one->check.blind_sessions;
}

static void print_sum(const struct run_counters *sum, uint64_t seeds, double real)
{
    double simulated = (double)sum->simulated_us / 1e6;
    double busy = (double)clock() / CLOCKS_PER_SEC;
    printf("%" PRIu64 " seeds, %.0f simulated s in %.1f s (%.1f s of one core): %.0f times real "
           "time\n",
           seeds, simulated, real, busy, busy > 0 ? simulated / busy : 0.0);
    printf("operations %" PRIu64 ", definite %" PRIu64 ", unknown %" PRIu64 " (in the log %" PRIu64
           "), retried %" PRIu64 ", superseded %" PRIu64 ", commands applied %" PRIu64 "\n",
           sum->check.operations, sum->check.definite, sum->check.unknown, sum->placed,
           sum->retried, sum->superseded, sum->commands);
    printf("leader changes %" PRIu64 ", restarts %" PRIu64 ", snapshots installed %" PRIu64
           ", times stated %" PRIu64 ", longest recovery %" PRIu64 " ms\n",
           sum->check.leader_changes, sum->restarts, sum->installs, sum->times_stated,
           sum->longest_recovery_us / 1000);
    printf("fenced %" PRIu64 ", near a deadline %" PRIu64 ", revokes %" PRIu64
           ", equal digests %" PRIu64 ", sessions searched %" PRIu64 "\n",
           sum->check.fenced, sum->check.near_deadline, sum->check.revokes, sum->digests,
           sum->check.blind_sessions);
    printf("faults:");
    for (size_t i = 0; i < FAULTS; i++) {
        if (sum->faults[i] != 0) {
            printf(" %s %" PRIu64, fault_name((enum fault_kind)i), sum->faults[i]);
        }
    }
    printf("\noutcomes:");
    for (size_t i = 0; i < sizeof(sum->outcomes) / sizeof(sum->outcomes[0]); i++) {
        if (sum->outcomes[i] != 0) {
            printf(" %s %" PRIu64, tenure_outcome_name((enum tenure_outcome)i), sum->outcomes[i]);
        }
    }
    printf("\n");
}

/* V1: many seeds together have to show all of it; each alone has had its answers. */
static bool exercised(const struct run_counters *sum, const struct settings *settings)
{
    enum { MANY = 20, ALL = 100 }; /* seeds; what is rare has to be in ALL of them */
    bool good = true;
    if (settings->last - settings->first + 1 < MANY) {
        return true;
    }
    bool few = settings->last - settings->first + 1 < ALL;
    const struct {
        const char *name;
        uint64_t count;
    } all[] = {{"leader change", sum->check.leader_changes},
               {"refusal by the fence", sum->check.fenced},
               {"answer near a deadline", sum->check.near_deadline},
               {"unknown outcome", sum->check.unknown + sum->placed},
               {"revoke", sum->check.revokes},
               {"repeated call", sum->retried},
               {"comparison of digests", sum->digests},
               {"snapshot of another node's", sum->installs + few}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].count == 0) {
            printf("INVALID: no %s\n", all[i].name);
            good = false;
        }
    }
    for (size_t i = 0; i < FAULTS; i++) {
        if (!few && settings->on[i] && i != FAULT_BIRTH && sum->faults[i] == 0) {
            printf("INVALID: no fault %s\n", fault_name((enum fault_kind)i));
            good = false;
        }
    }
    return good;
}

/* ---- seeds ---- */

static int play_seed(const struct settings *settings, uint64_t seed, struct run_counters *sum)
{
    static struct run run;
    FILE *file = NULL;
    if (settings->history != NULL) {
        file = fopen(settings->history, "w");
    }
    run.verbose = settings->verbose;
    enum run_verdict verdict = run_play(&run, seed, settings->nodes, settings->fault_us,
                                        settings->on, file);
    if (file != NULL) {
        (void)fclose(file);
    }
    add(sum, &run.counters);
    if (settings->traces) {
        printf("seed %" PRIu64 " trace %016" PRIx64 "\n", seed, run.trace);
    }
    if (verdict == RUN_OK) {
        return EXIT_SUCCESS;
    }
    printf("%s seed %" PRIu64 ": %s\n", verdict == RUN_FAILED ? "FAILED" : "INVALID", seed,
           verdict == RUN_FAILED ? run.failure : "nobody got an answer");
    return verdict == RUN_FAILED ? EXIT_FAILED : EXIT_INVALID;
}

static int play_all(const struct settings *settings)
{
    static struct run_counters sum;
    struct timespec from, to;
    int worst = EXIT_SUCCESS;
    uint64_t played = 0;
    (void)timespec_get(&from, TIME_UTC);
    for (uint64_t seed = settings->first; seed <= settings->last; seed++) {
        int one = play_seed(settings, seed, &sum);
        played++;
        (void)fflush(stdout);
        worst = one == EXIT_FAILED || worst == EXIT_SUCCESS ? one == 0 ? worst : one : worst;
        if (one == EXIT_FAILED && !settings->keep_going) {
            break;
        }
    }
    (void)timespec_get(&to, TIME_UTC);
    print_sum(&sum, played,
              (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    if (worst == EXIT_SUCCESS && !exercised(&sum, settings)) {
        worst = EXIT_INVALID;
    }
    printf("%s\n", worst == EXIT_SUCCESS ? "OK" : worst == EXIT_FAILED ? "FAILED" : "INVALID");
    return worst;
}

int main(int argc, char **argv)
{
    struct settings settings;
    if (!settings_of(argc, argv, &settings)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (settings.list) {
        return list_faults();
    }
    printf("seed %" PRIu64 "..%" PRIu64 " commit %s\n", settings.first, settings.last, SIM_COMMIT);
    (void)fflush(stdout);
    return play_all(&settings);
}

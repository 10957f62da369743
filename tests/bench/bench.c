/* tenure-bench: how many calls a running cluster answers, how fast, and at what cost of processor
 * time. Asserts no speed; starts and ends no process.
 *
 * Usage: tenure-bench OP[,OP...] OUTSTANDING SECONDS [FOLDER [CONTROL]]
 *   OP      create, validate, touch, state_put, revoke, or mix (90 % validate, 8 % touch, 1 %
 *           create, 1 % revoke)
 *   FOLDER  of cluster/local; without it, where TENURE_CONFIG lies
 *   CONTROL a pipe that "enable" and "disable" are written into as the measured time begins and
 *           ends, for perf record --control
 *
 * Eight connections share OUTSTANDING calls; as one ends, its slot starts the next. One line of
 * JSON for each OP. What is revoked, touched, validated and written to is made before the measured
 * time, and all of it is revoked and swept after it, also when SIGINT or SIGTERM end the run.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/run.h"
#include "tests/bench/servers.h"

enum {
    OUTSTANDING_MAX = 65536,
    METADATA = 300,
    MAKERS = 64, /* calls that are outstanding while sessions are made */
    POOL = 2000,
    POOL_PER_CALL = 140, /* a session of the pool is touched again after 0.6 s or more */
    VICTIMS_PER_SECOND = 3000,
    VICTIMS_PER_CALL = 150, /* and second; when they are used up, the run ends early */
    SWEEP_US = 60000000,
};

#define SECOND UINT64_C(1000000)
#define IDLE (3600 * SECOND)
#define IDLE_TOUCH (60 * SECOND) /* a touch writes when it moves the deadline by 0.6 s or more */

static const struct {
    const char *name;
    enum run_kind kind;
    uint64_t idle_us;
    bool pool;
    bool victims;
} operations[] = {
    {"create", RUN_CREATE, IDLE, false, false},    {"validate", RUN_VALIDATE, IDLE, true, false},
    {"touch", RUN_TOUCH, IDLE_TOUCH, true, false}, {"state_put", RUN_STATE_PUT, IDLE, true, false},
    {"revoke", RUN_REVOKE, IDLE, false, true},     {"mix", RUN_MIX, IDLE_TOUCH, true, true},
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

/* ---- before and after ---- */

/* False: not all of them could be made. */
static bool make(struct run *run, size_t count)
{
    enum run_kind kind = run->kind;
    size_t outstanding = run->outstanding;
    run->kind = RUN_CREATE;
    run->outstanding = MAKERS;
    run->keep = true;
    run->starts_max = count;
    run->end_us = UINT64_MAX;
    run_play(run);
    run->kind = kind;
    run->outstanding = outstanding;
    run->keep = kind == RUN_MIX;
    run->starts_max = UINT64_MAX;
    return run->counters.done == count;
}

/* The youngest session has to be old enough for its first touch to write. */
static void grow_old(struct run *run)
{
    uint64_t until = crowd_now_us() + run->idle_us / 100, now;
    while ((now = crowd_now_us()) < until && !run->crowd->stopped) {
        crowd_turn(run->crowd, until - now);
    }
}

static bool prepare(struct run *run, size_t index, uint64_t seconds)
{
    run->kind = operations[index].kind;
    run->idle_us = operations[index].idle_us;
    if (operations[index].pool) {
        if (!make(run, POOL + POOL_PER_CALL * run->outstanding)) {
            return false;
        }
        run->pool = run->victims;
        run->victims = (struct run_sessions){.first = 0};
    }
    size_t victims = seconds * (VICTIMS_PER_SECOND + VICTIMS_PER_CALL * run->outstanding);
    if (operations[index].victims &&
        !make(run, run->kind == RUN_MIX ? 2 * run->outstanding + 100 : victims)) {
        return false;
    }
    if (run->kind == RUN_TOUCH || run->kind == RUN_MIX) {
        grow_old(run);
    }
    return true;
}

/* So that the next operation does not pay for this one's sweep. */
static bool clean_up(struct run *run, uint64_t sessions_before)
{
    struct tenure_revoke_agent_request request = {.agent = tenure_text(run->agent)};
    struct tenure_revoke_agent_reply reply;
    struct tenure_result result;
    bool clean = tenure_revoke_agent(run->crowd->clients[0], &request, &reply, &result) ==
                 TENURE_OK;
    if (!clean) {
        fprintf(stderr, "tenure-bench: %s: %s\n", tenure_outcome_name(result.outcome),
                result.message);
    }
    tenure_result_done(&result);
    uint64_t until = crowd_now_us() + SWEEP_US;
    while (clean && !run->crowd->stopped && crowd_look(run->crowd).sessions > sessions_before) {
        clean = crowd_now_us() < until;
        crowd_turn(run->crowd, SECOND / 20);
    }
    if (!clean) {
        fprintf(stderr, "tenure-bench: sessions stay behind\n");
    }
    return clean;
}

/* ---- the report ---- */

/* Of this process: it shares the machine with the servers. */
static double own_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_cost(const char *name, bool known, double seconds, uint64_t operations_done)
{
    if (known && operations_done > 0) {
        printf(", \"%s\": %.2f", name, seconds * 1e5 / (double)operations_done);
    } else {
        printf(", \"%s\": null", name);
    }
}

struct cost {
    bool known;
    double servers;
    double client;
};

static struct cost cost_now(const struct run *run)
{
    const struct remote *remote = &run->crowd->remote;
    struct cost cost = {.client = own_cpu()};
    cost.known = servers_cpu_all(remote->folder, remote->count, &cost.servers);
    return cost;
}

static void report(struct run *run, const char *name, struct cost before)
{
    const struct run_counters *counters = &run->counters;
    struct cost after = cost_now(run);
    uint64_t answered = counters->done + counters->elided;
    printf("{\"op\": \"%s\", \"outstanding\": %zu, \"connections\": %d, \"seconds\": %.3f, "
           "\"started\": %" PRIu64 ", \"done\": %" PRIu64 ", \"elided\": %" PRIu64
           ", \"errors\": %" PRIu64 ", \"samples\": %" PRIu64 ", \"per_second\": %.0f",
           name, run->outstanding, CROWD_CONNECTIONS, (double)run->took_us / 1e6, counters->started,
           counters->done, counters->elided, counters->errors, counters->samples,
           (double)counters->done * 1e6 / (double)(run->took_us + 1));
    printf(", \"p50_us\": %" PRIu32, run_percentile(run, 500));
    printf(", \"p99_us\": %" PRIu32, run_percentile(run, 990));
    printf(", \"p999_us\": %" PRIu32, run_percentile(run, 999));
    print_cost("servers_cpu_s_per_100k", before.known && after.known,
               after.servers - before.servers, answered);
    print_cost("client_cpu_s_per_100k", true, after.client - before.client, answered);
    printf("}\n");
    fflush(stdout);
}

/* It measured something, nothing failed, and each call that began is counted once. */
static bool adds_up(const struct run *run)
{
    const struct run_counters *counters = &run->counters;
    return counters->done > 0 && counters->errors == 0 &&
           counters->started == counters->done + counters->elided;
}

/* Into the pipe, if there is one and somebody reads. */
static void tell(const char *control, const char *command)
{
    int pipe = control == NULL ? -1 : open(control, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (control != NULL && (pipe < 0 || write(pipe, command, strlen(command)) < 0)) {
        perror(control);
    }
    if (pipe >= 0) {
        close(pipe);
    }
}

/* What the command line asks of each operation. */
struct order {
    size_t outstanding;
    uint64_t seconds;
    const char *control; /* or NULL */
};

/* False: calls failed, or what it made could not be cleaned up. */
static bool measure(struct crowd *crowd, size_t index, const struct order *order)
{
    struct run run = {.crowd = crowd,
                      .outstanding = order->outstanding,
                      .metadata = METADATA,
                      .starts_max = UINT64_MAX};
    uint64_t sessions = crowd_look(crowd).sessions;
    (void)snprintf(run.agent, sizeof(run.agent), "bench-%d-%zu", (int)getpid(), index);
    bool fine = prepare(&run, index, order->seconds);
    if (fine && !crowd->stopped) {
        struct cost before = cost_now(&run);
        tell(order->control, "enable\n");
        run.end_us = crowd_now_us() + order->seconds * SECOND;
        run_play(&run);
        tell(order->control, "disable\n");
        report(&run, operations[index].name, before);
        fine = adds_up(&run);
    }
    fine = clean_up(&run, sessions) && fine;
    run_done(&run);
    return fine;
}

/* ---- the command line ---- */

/* Takes the next name of a list with commas between. OPERATIONS: it is none. */
static size_t take(const char **names)
{
    size_t size = strcspn(*names, ","), index = 0;
    while (index < OPERATIONS && (strlen(operations[index].name) != size ||
                                  strncmp(operations[index].name, *names, size) != 0)) {
        index++;
    }
    *names += (*names)[size] == ',' ? size + 1 : size;
    return index;
}

static bool all_known(const char *names)
{
    bool known = *names != '\0';
    while (*names != '\0') {
        known = take(&names) < OPERATIONS && known;
    }
    return known;
}

/* The folder of the file that TENURE_CONFIG names. NULL: it names none. */
static const char *default_folder(char text[512])
{
    const char *config = getenv("TENURE_CONFIG");
    if (config == NULL) {
        return NULL;
    }
    const char *end = strrchr(config, '/');
    (void)snprintf(text, 512, "%.*s", end == NULL ? 1 : (int)(end - config),
                   end == NULL ? "." : config);
    return text;
}

int main(int argc, char **argv)
{
    struct crowd crowd;
    char text[512];
    const struct order order = {.outstanding = argc > 3 ? strtoul(argv[2], NULL, 10) : 0,
                                .seconds = argc > 3 ? strtoull(argv[3], NULL, 10) : 0,
                                .control = argc > 5 ? argv[5] : NULL};
    const char *folder = argc > 4 ? argv[4] : default_folder(text);
    if (argc < 4 || argc > 6 || folder == NULL || !all_known(argv[1]) || order.outstanding == 0 ||
        order.outstanding > OUTSTANDING_MAX || order.seconds == 0 || order.seconds > 3600) {
        fprintf(stderr, "usage: tenure-bench OP[,OP...] OUTSTANDING SECONDS [FOLDER [CONTROL]]\n"
                        "  OP      create, validate, touch, state_put, revoke, mix\n"
                        "  FOLDER  of cluster/local; without it, where TENURE_CONFIG lies\n"
                        "  CONTROL pipe for perf record --control\n");
        return 2;
    }
    crowd_open(&crowd, folder);
    bool fine = true;
    for (const char *names = argv[1]; *names != '\0' && !crowd.stopped;) {
        fine = measure(&crowd, take(&names), &order) && fine;
    }
    fine = fine && !crowd.stopped;
    crowd_close(&crowd);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

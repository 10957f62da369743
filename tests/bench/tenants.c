/* What one tenant feels of another's flood: its writes' latency alone, and beside a flood out of a
 * process of its own, so that it waits for the servers and not for the flood's loop. In pairs, turn
 * about, since a machine is busier in one second than in the next.
 */
#include "tests/bench/measures.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/load.h"

enum {
    RIVALS = 4,
    RIVAL_LANES = 8,
    PAIRS = 3,
    WARM_US = 500000,     /* of a flood, before anything is measured beside it */
    FLOOD_US = 600000000, /* somebody ends it before */
    LINE_MAX = 200,
};

/* Another process of this program, which floods until it is told to end. */
struct flood {
    uint64_t lanes, per_second; /* outstanding; asked for, 0 for as many as are answered */
    pid_t pid;
    FILE *says;
    uint64_t done, again; /* a second, summed over the pairs */
};

extern char **environ;

/* ---- the flood ---- */

bool measure_flood(struct crowd *crowd, uint64_t lanes, uint64_t per_second)
{
    static struct load load;
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    bool fine = load_open(&load, crowd, "client", LOAD_CONNECTIONS,
                          (lanes + LOAD_CONNECTIONS - 1) / LOAD_CONNECTIONS);
    if (fine) {
        load_use(&load, lanes);
        load_play(&load, per_second, WARM_US);
        load.done = load.again = 0;
        printf("flooding\n");
        (void)fflush(stdout);
        load_play(&load, per_second, FLOOD_US);
        double seconds = (double)(crowd_now_us() - load.began_us) / 1e6;
        printf("%.0f %.0f\n", (double)load.done / seconds, (double)load.again / seconds);
        (void)fflush(stdout);
        load_drain(&load);
    }
    load_close(&load);
    return fine && load.refused == 0;
}

/* Returns when it floods. */
static bool flood_start(struct flood *flood, const char *folder)
{
    int pipe_of[2];
    char numbers[2][24];
    char *const words[] = {
        (char *)"tenure-measure", (char *)"flood", (char *)folder, numbers[0], numbers[1], NULL};
    posix_spawn_file_actions_t actions;
    (void)snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, flood->lanes);
    (void)snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, flood->per_second);
    if (pipe2(pipe_of, O_CLOEXEC) != 0 || posix_spawn_file_actions_init(&actions) != 0) {
        return false;
    }
    (void)posix_spawn_file_actions_adddup2(&actions, pipe_of[1], STDOUT_FILENO);
    int rc = posix_spawn(&flood->pid, "/proc/self/exe", &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(pipe_of[1]);
    flood->says = fdopen(pipe_of[0], "r");
    char line[LINE_MAX];
    return rc == 0 && flood->says != NULL && fgets(line, sizeof(line), flood->says) != NULL;
}

/* Ends it, and waits until nothing of it is open. */
static bool flood_stop(struct flood *flood)
{
    int status = 0;
    uint64_t done = 0, again = 0;
    bool said = kill(flood->pid, SIGTERM) == 0 &&
                fscanf(flood->says, "%" SCNu64 " %" SCNu64, &done, &again) == 2;
    flood->done += done;
    flood->again += again;
    bool ended = waitpid(flood->pid, &status, 0) == flood->pid;
    (void)fclose(flood->says);
    return said && ended && status == 0;
}

/* ---- the other tenant ---- */

static bool pair(struct load *alone, struct load *beside, struct flood *flood, uint64_t span_us)
{
    load_play(alone, 0, span_us);
    load_drain(alone);
    if (!flood_start(flood, alone->crowd->remote.folder)) {
        return false;
    }
    load_play(beside, 0, span_us);
    load_drain(beside);
    return flood_stop(flood) && !alone->crowd->stopped;
}

static void tell(struct load *alone, struct load *beside, const struct flood *flood,
                 uint64_t seconds)
{
    printf("{\"measure\": \"tenants\", \"outstanding\": %zu, \"alone_per_second\": %" PRIu64
           ", \"alone_p50_us\": %" PRIu32 ", \"alone_p99_us\": %" PRIu32
           ", \"flood_outstanding\": %" PRIu64 ", \"flood_asked_per_second\": %" PRIu64
           ", \"flood_per_second\": %" PRIu64 ", \"flood_again_per_second\": %" PRIu64,
           alone->lane_count, alone->done / seconds, load_percentile(alone, 50),
           load_percentile(alone, 99), flood->lanes, flood->per_second, flood->done / PAIRS,
           flood->again / PAIRS);
    printf(", \"beside_per_second\": %" PRIu64 ", \"beside_p50_us\": %" PRIu32
           ", \"beside_p99_us\": %" PRIu32 ", \"again\": %" PRIu64 ", \"lost\": %" PRIu64 "}\n",
           beside->done / seconds, load_percentile(beside, 50), load_percentile(beside, 99),
           beside->again, alone->lost + beside->lost);
}

bool measure_tenants(struct crowd *crowd, uint64_t seconds, uint64_t lanes, uint64_t per_second)
{
    static struct load alone, beside;
    struct flood flood = {.lanes = lanes, .per_second = per_second};
    bool fine = load_open(&alone, crowd, "rival", RIVALS, RIVAL_LANES) &&
                load_open(&beside, crowd, "rival", RIVALS, RIVAL_LANES);
    load_use(&alone, alone.lane_count);
    load_use(&beside, beside.lane_count);
    for (size_t i = 0; fine && i < PAIRS; i++) {
        fine = pair(&alone, &beside, &flood, seconds * 1000000 / PAIRS);
    }
    if (fine) {
        load_read_back(&alone);
        load_read_back(&beside);
        tell(&alone, &beside, &flood, seconds);
    }
    fine = fine && alone.done > 0 && beside.done > 0 && alone.lost + beside.lost == 0 &&
           alone.refused + beside.refused == 0;
    load_close(&alone);
    load_close(&beside);
    return fine;
}

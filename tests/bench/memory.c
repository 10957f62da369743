/* What a session costs in memory. Cleans nothing up: the cluster is thrown away. */
#include "tests/bench/measures.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/bench/run.h"
#include "tests/bench/servers.h"

enum { OUTSTANDING = 256, APPLY_US = 120000000 };

#define IDLE_US UINT64_C(86400000000)

static bool look(const struct crowd *crowd, struct servers_memory memory[])
{
    for (size_t i = 0; i < crowd->remote.count; i++) {
        if (!servers_memory(crowd->remote.folder, i + 1, &memory[i])) {
            fprintf(stderr, "tenure-measure: node %zu: no process of this cluster\n", i + 1);
            return false;
        }
    }
    return true;
}

/* The most that a node grew by, and the most that one has. */
static void print(const struct crowd *crowd, uint64_t sessions,
                  const struct servers_memory before[], const struct servers_memory after[])
{
    int64_t fsm = 0, resident = 0;
    uint64_t most = 0;
    for (size_t i = 0; i < crowd->remote.count; i++) {
        int64_t fsm_grew = (int64_t)after[i].fsm - (int64_t)before[i].fsm;
        int64_t resident_grew = (int64_t)after[i].resident - (int64_t)before[i].resident;
        fsm = fsm_grew > fsm ? fsm_grew : fsm;
        resident = resident_grew > resident ? resident_grew : resident;
        most = after[i].resident > most ? after[i].resident : most;
    }
    printf(", \"fsm_bytes_per_session\": %.0f, \"resident_bytes_per_session\": %.0f, "
           "\"resident_mib\": %.0f}\n",
           (double)fsm / (double)sessions, (double)resident / (double)sessions,
           (double)most / 1048576);
}

bool measure_memory(struct crowd *crowd, uint64_t sessions, size_t metadata)
{
    struct servers_memory before[REMOTE_NODES_MAX], after[REMOTE_NODES_MAX];
    struct run run = {.crowd = crowd,
                      .kind = RUN_CREATE,
                      .outstanding = OUTSTANDING,
                      .agent = "bench-memory",
                      .idle_us = IDLE_US,
                      .metadata = metadata,
                      .starts_max = sessions,
                      .end_us = UINT64_MAX};
    bool fine = crowd_await(crowd, REMOTE_ALL, APPLY_US) && look(crowd, before);
    if (fine) {
        run_play(&run);
        fine = run.counters.done == sessions && crowd_await(crowd, REMOTE_ALL, APPLY_US) &&
               look(crowd, after);
    }
    if (fine) {
        printf("{\"measure\": \"memory\", \"sessions\": %" PRIu64 ", \"metadata_bytes\": %zu, "
               "\"seconds\": %.1f",
               sessions, metadata, (double)run.took_us / 1e6);
        print(crowd, sessions, before, after);
    } else {
        fprintf(stderr, "tenure-measure: %" PRIu64 " of %" PRIu64 " sessions\n", run.counters.done,
                sessions);
    }
    run_done(&run);
    return fine;
}

/* What a cluster still does when ten times as much is asked of it as it can do: with more calls
 * outstanding than a node's queue holds. What another tenant feels of it is tenants.c.
 */
#include "tests/bench/measures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/load.h"
#include "tests/bench/servers.h"

enum {
    LANES_EACH = 240, /* of a connection: as many numbers as a client may have open, or less */
    PEAK_LANES = 512, /* outstanding when the peak is looked for */
    TIMES = 10,       /* so many times the peak is asked for */
};

static uint64_t most_resident(const struct crowd *crowd)
{
    uint64_t most = 0;
    for (size_t node = 1; node <= crowd->remote.count; node++) {
        struct servers_memory memory;
        if (servers_memory(crowd->remote.folder, node, &memory) && memory.resident > most) {
            most = memory.resident;
        }
    }
    return most >> 20;
}

static bool overload(struct load *load, uint64_t seconds)
{
    struct crowd *crowd = load->crowd;
    uint64_t before = most_resident(crowd);
    uint64_t term = crowd_look(crowd).term;
    load_use(load, PEAK_LANES);
    load_play(load, 0, seconds * 1000000);
    load_drain(load);
    uint64_t peak = load->done / seconds;
    uint32_t peak_p99 = load_percentile(load, 99);
    load_use(load, load->lane_count);
    load_play(load, TIMES * peak, seconds * 1000000);
    load_drain(load);
    uint64_t after = most_resident(crowd);
    load_read_back(load);
    bool stayed = crowd_look(crowd).term == term;
    printf("{\"measure\": \"overload\", \"seconds\": %" PRIu64 ", \"peak_per_second\": %" PRIu64
           ", \"peak_p99_us\": %" PRIu32 ", \"asked_per_second\": %" PRIu64 ", \"unsent\": %" PRIu64
           ", \"outstanding\": %zu, \"done_per_second\": %" PRIu64 ", \"p99_us\": %" PRIu32,
           seconds, peak, peak_p99, TIMES * peak, load->unsent, load->lane_count,
           load->done / seconds, load_percentile(load, 99));
    printf(", \"again\": %" PRIu64 ", \"undone\": %" PRIu64 ", \"unknown\": %" PRIu64
           ", \"refused\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"same_leader\": %d"
           ", \"mib_before\": %" PRIu64 ", \"mib_after\": %" PRIu64 "}\n",
           load->again, load->undone, load->unknown, load->refused, load->lost, stayed, before,
           after);
    return peak > 0 && load->done > 0 && load->refused == 0 && load->lost == 0 && stayed;
}

bool measure_overload(struct crowd *crowd, uint64_t seconds)
{
    static struct load load;
    bool fine = load_open(&load, crowd, "client", LOAD_CONNECTIONS, LANES_EACH) &&
                overload(&load, seconds);
    load_close(&load);
    return fine && !crowd->stopped;
}

/* What a cluster still does when ten times as much is asked of it as it can do, and what another
 * tenant feels of that. Writes alone: each lane has a key of its own and writes numbers into it, so
 * that what was acknowledged can be read back.
 *
 * The load is open: calls arrive at a rate, whether earlier ones are answered or not. What finds no
 * lane free is counted as not sent: LANES_MAX calls wait at a time, more than a node's queue holds.
 * libtenure tries again what is refused, so a lane is busy until its call is done, or time is up.
 */
#include "tests/bench/measures.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/one.h"
#include "tests/bench/servers.h"

enum {
    CONNECTIONS = 96,
    LANES_EACH = 240, /* of a connection: as many numbers as a client may have open, or less */
    LANES_MAX = CONNECTIONS * LANES_EACH,
    PEAK_LANES = 512, /* outstanding when the peak is looked for */
    TIMES = 10,       /* so many times the peak is asked for */
    RIVALS = 4,
    RIVAL_LANES = 8,
    SAMPLES_MAX = 4000000,
    WAIT_US = 20000,
    CALL_US = 10000000,
    DRAIN_US = 30000000,
};

struct lane {
    struct load *load;
    size_t connection;
    char key[32];
    uint64_t sent, acknowledged; /* numbers */
    uint64_t began_us;
};

/* One tenant's. */
struct load {
    struct crowd *crowd;
    size_t connections, lane_count;
    struct tenure_client *clients[CONNECTIONS];
    char tokens[CONNECTIONS][RUN_TOKEN];
    struct lane *lanes;
    struct lane **idle;
    size_t idle_count, open;
    /* of one turn of it */
    uint64_t rate, began_us, end_us; /* rate 0: as one call ends the next begins */
    uint64_t arrived, unsent, done, undone, unknown, refused, again, samples_count;
    uint32_t *samples;
    uint64_t lost;
};

/* ---- calls ---- */

static void on_put(void *arg, const struct tenure_result *result,
                   const struct tenure_state_put_reply *reply)
{
    struct lane *lane = arg;
    struct load *load = lane->load;
    uint64_t now = crowd_now_us();
    (void)reply;
    load->open--;
    load->idle[load->idle_count++] = lane;
    load->again += result->attempts > 1 ? result->attempts - 1 : 0;
    if (result->outcome == TENURE_OK) {
        lane->acknowledged = lane->sent;
        load->done += now < load->end_us;
        if (load->samples_count < SAMPLES_MAX) {
            load->samples[load->samples_count++] = (uint32_t)(now - lane->began_us);
        }
        return;
    }
    switch (tenure_outcome_class(result->outcome)) {
    case TENURE_CLASS_RETRY:
        load->undone++;
        return;
    case TENURE_CLASS_UNKNOWN:
        load->unknown++;
        return;
    case TENURE_CLASS_DONE:
    case TENURE_CLASS_REFUSED:
        break;
    }
    if (load->refused++ == 0) {
        fprintf(stderr, "tenure-measure: %s: %s\n", tenure_outcome_name(result->outcome),
                result->message);
    }
}

static void begin(struct load *load)
{
    struct lane *lane = load->idle[--load->idle_count];
    char value[24];
    (void)snprintf(value, sizeof(value), "%" PRIu64, ++lane->sent);
    load->open++;
    lane->began_us = crowd_now_us();
    one_put(load->clients[lane->connection], load->tokens[lane->connection], lane->key, value,
            on_put, lane);
}

static void arrive(struct load *load, uint64_t now)
{
    uint64_t due = load->rate == 0 ? load->arrived + load->idle_count
                                   : (now - load->began_us) * load->rate / 1000000;
    if (now >= load->end_us || load->crowd->stopped) {
        return;
    }
    while (load->arrived < due && load->idle_count > 0) {
        load->arrived++;
        begin(load);
    }
    load->unsent += due - load->arrived;
    load->arrived = due;
}

static void on_get(void *arg, const struct tenure_result *result,
                   const struct tenure_state_get_reply *reply)
{
    struct lane *lane = arg;
    char text[24] = "";
    lane->load->open--;
    if (reply != NULL) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)reply->value.size,
                       (const char *)reply->value.data);
    }
    uint64_t number = strtoull(text, NULL, 10);
    if (number < lane->acknowledged || number > lane->sent) {
        if (lane->load->lost++ == 0) {
            fprintf(stderr, "tenure-measure: %s: %" PRIu64 " was acknowledged, there is \"%s\"\n",
                    tenure_outcome_name(result->outcome), lane->acknowledged, text);
        }
    }
}

/* ---- turns ---- */

/* Only those with something to do, as crowd_turn. */
static void turn(struct crowd *crowd, struct load *const loads[], size_t count)
{
    struct pollfd ready[2 * CONNECTIONS + 1];
    uint64_t due[2 * CONNECTIONS], wait_us = WAIT_US;
    struct tenure_client *clients[2 * CONNECTIONS];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < loads[i]->connections; at++) {
            clients[used] = loads[i]->clients[at];
            due[used] = tenure_timeout_us(clients[used]);
            wait_us = due[used] < wait_us ? due[used] : wait_us;
            ready[used] = (struct pollfd){.fd = tenure_fd(clients[used]), .events = POLLIN};
            used++;
        }
    }
    ready[used] = (struct pollfd){.fd = crowd->signals, .events = POLLIN};
    (void)poll(ready, used + 1, (int)(wait_us / 1000));
    crowd->stopped = crowd->stopped || ready[used].revents != 0;
    for (size_t i = 0; i < used; i++) {
        if (ready[i].revents != 0 || due[i] < 1000 + wait_us) {
            tenure_process(clients[i], 0);
        }
    }
}

static void prepare(struct load *load, uint64_t rate, uint64_t seconds)
{
    load->rate = rate;
    load->began_us = crowd_now_us();
    load->end_us = load->began_us + seconds * 1000000;
    load->arrived = load->unsent = load->done = load->undone = load->unknown = 0;
    load->refused = load->again = load->samples_count = 0;
}

/* Until all have ended and nothing is open; `full_mib`: memory of the node with the most, when the
 * load is about to end. */
static void play(struct crowd *crowd, struct load *const loads[], size_t count)
{
    bool open = true;
    uint64_t give_up_us = 0;
    while (open) {
        uint64_t now = crowd_now_us();
        open = false;
        for (size_t i = 0; i < count; i++) {
            arrive(loads[i], now);
            open = open || loads[i]->open > 0 || (now < loads[i]->end_us && !crowd->stopped);
            give_up_us = loads[i]->end_us + DRAIN_US;
        }
        turn(crowd, loads, count);
        open = open && now < give_up_us;
    }
}

static void read_back(struct load *load)
{
    for (size_t i = 0; i < load->lane_count; i++) {
        struct lane *lane = &load->lanes[i];
        if (lane->acknowledged > 0) {
            load->open++;
            one_get(load->clients[lane->connection], load->tokens[lane->connection], lane->key,
                    on_get, lane);
        }
    }
    while (load->open > 0) {
        turn(load->crowd, &load, 1);
    }
}

/* ---- set-up ---- */

static void idle_first(struct load *load, size_t lanes)
{
    load->idle_count = 0;
    for (size_t i = 0; i < lanes; i++) {
        load->idle[load->idle_count++] = &load->lanes[i];
    }
}

static bool load_open(struct load *load, struct crowd *crowd, const char *certificate,
                      size_t connections, size_t lanes_each)
{
    *load = (struct load){.crowd = crowd,
                          .connections = connections,
                          .lane_count = connections * lanes_each,
                          .lanes = calloc(connections * lanes_each, sizeof(*load->lanes)),
                          .idle = calloc(connections * lanes_each, sizeof(*load->idle)),
                          .samples = calloc(SAMPLES_MAX, sizeof(*load->samples))};
    bool fine = load->lanes != NULL && load->idle != NULL && load->samples != NULL;
    for (size_t i = 0; i < connections; i++) {
        load->clients[i] = remote_client(&crowd->remote, certificate, REMOTE_ALL, NULL, CALL_US);
        fine = fine && one_open(load->clients[i], "bench-overload", load->tokens[i], NULL);
    }
    for (size_t i = 0; fine && i < load->lane_count; i++) {
        struct lane *lane = &load->lanes[i];
        *lane = (struct lane){.load = load, .connection = i % connections};
        (void)snprintf(lane->key, sizeof(lane->key), "key-%zu", i / connections);
    }
    return fine;
}

static void load_close(struct load *load)
{
    for (size_t i = 0; i < load->connections; i++) {
        tenure_close(load->clients[i]);
    }
    free(load->lanes);
    free(load->idle);
    free(load->samples);
}

/* ---- figures ---- */

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

static int by_time(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static uint32_t p99(struct load *load)
{
    if (load->samples_count == 0) {
        return 0;
    }
    qsort(load->samples, load->samples_count, sizeof(*load->samples), by_time);
    return load->samples[(load->samples_count - 1) * 99 / 100];
}

static bool overload(struct load *load, uint64_t seconds)
{
    struct crowd *crowd = load->crowd;
    uint64_t before = most_resident(crowd);
    uint64_t term = crowd_look(crowd).term;
    idle_first(load, PEAK_LANES);
    prepare(load, 0, seconds);
    play(crowd, &load, 1);
    uint64_t peak = load->done / seconds;
    uint32_t peak_p99 = p99(load);
    idle_first(load, load->lane_count);
    prepare(load, TIMES * peak, seconds);
    play(crowd, &load, 1);
    uint64_t after = most_resident(crowd);
    read_back(load);
    bool stayed = crowd_look(crowd).term == term;
    printf("{\"measure\": \"overload\", \"seconds\": %" PRIu64 ", \"peak_per_second\": %" PRIu64
           ", \"peak_p99_us\": %" PRIu32 ", \"asked_per_second\": %" PRIu64 ", \"unsent\": %" PRIu64
           ", \"outstanding\": %zu, \"done_per_second\": %" PRIu64 ", \"p99_us\": %" PRIu32,
           seconds, peak, peak_p99, TIMES * peak, load->unsent, load->lane_count,
           load->done / seconds, p99(load));
    printf(", \"again\": %" PRIu64 ", \"undone\": %" PRIu64 ", \"unknown\": %" PRIu64
           ", \"refused\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"same_leader\": %d"
           ", \"mib_before\": %" PRIu64 ", \"mib_after\": %" PRIu64 "}\n",
           load->again, load->undone, load->unknown, load->refused, load->lost, stayed, before,
           after);
    return peak > 0 && load->done > 0 && load->refused == 0 && load->lost == 0 && stayed;
}

static bool beside(struct load *load, struct load *rival, uint64_t seconds)
{
    struct load *const both[] = {load, rival};
    idle_first(rival, rival->lane_count);
    prepare(rival, 0, seconds);
    play(load->crowd, &rival, 1);
    uint64_t alone = rival->done / seconds;
    uint32_t alone_p99 = p99(rival);
    idle_first(load, RIVALS * RIVAL_LANES * 100);
    prepare(load, 0, seconds);
    prepare(rival, 0, seconds);
    play(load->crowd, both, 2);
    read_back(rival);
    printf("{\"measure\": \"tenants\", \"outstanding\": %zu, \"alone_per_second\": %" PRIu64
           ", \"alone_p99_us\": %" PRIu32 ", \"flood_outstanding\": %d"
           ", \"flood_per_second\": %" PRIu64 ", \"beside_per_second\": %" PRIu64
           ", \"beside_p99_us\": %" PRIu32 ", \"lost\": %" PRIu64 "}\n",
           rival->lane_count, alone, alone_p99, RIVALS * RIVAL_LANES * 100, load->done / seconds,
           rival->done / seconds, p99(rival), rival->lost);
    return alone > 0 && rival->done > 0 && rival->lost == 0 && rival->refused == 0;
}

bool measure_overload(struct crowd *crowd, uint64_t seconds)
{
    static struct load load, rival;
    bool fine = load_open(&load, crowd, "client", CONNECTIONS, LANES_EACH) &&
                overload(&load, seconds);
    if (fine && !crowd->stopped) {
        fine = load_open(&rival, crowd, "rival", RIVALS, RIVAL_LANES) &&
               beside(&load, &rival, seconds);
        load_close(&rival);
    }
    load_close(&load);
    return fine && !crowd->stopped;
}

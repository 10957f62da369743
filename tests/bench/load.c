/* The calls of load.h, and the loop that turns their connections. */
#include "tests/bench/load.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/one.h"

enum {
    SAMPLES_MAX = 4000000,
    WAIT_US = 20000,
    CALL_US = 10000000,
    DRAIN_US = 30000000,
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
static void turn(struct load *load)
{
    struct crowd *crowd = load->crowd;
    struct pollfd ready[LOAD_CONNECTIONS + 1];
    uint64_t due[LOAD_CONNECTIONS], wait_us = WAIT_US;
    size_t count = load->connections;
    for (size_t i = 0; i < count; i++) {
        due[i] = tenure_timeout_us(load->clients[i]);
        wait_us = due[i] < wait_us ? due[i] : wait_us;
        ready[i] = (struct pollfd){.fd = tenure_fd(load->clients[i]), .events = POLLIN};
    }
    ready[count] = (struct pollfd){.fd = crowd->signals, .events = POLLIN};
    (void)poll(ready, count + 1, (int)(wait_us / 1000));
    crowd->stopped = crowd->stopped || ready[count].revents != 0;
    for (size_t i = 0; i < count; i++) {
        if (ready[i].revents != 0 || due[i] < 1000 + wait_us) {
            tenure_process(load->clients[i], 0);
        }
    }
}

static int by_time(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* ---- for load.h ---- */

bool load_open(struct load *load, struct crowd *crowd, const char *certificate, size_t connections,
               size_t lanes_each)
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

void load_close(struct load *load)
{
    for (size_t i = 0; i < load->connections; i++) {
        tenure_close(load->clients[i]);
    }
    free(load->lanes);
    free(load->idle);
    free(load->samples);
}

void load_use(struct load *load, size_t lanes)
{
    load->idle_count = 0;
    for (size_t i = 0; i < lanes && i < load->lane_count; i++) {
        load->idle[load->idle_count++] = &load->lanes[i];
    }
    load->done = load->unsent = load->undone = load->unknown = 0;
    load->refused = load->again = load->samples_count = 0;
}

void load_play(struct load *load, uint64_t rate, uint64_t span_us)
{
    load->rate = rate;
    load->arrived = 0;
    load->began_us = crowd_now_us();
    load->end_us = load->began_us + span_us;
    for (uint64_t now = load->began_us; now < load->end_us && !load->crowd->stopped;) {
        arrive(load, now);
        turn(load);
        now = crowd_now_us();
    }
}

void load_drain(struct load *load)
{
    uint64_t end_us = crowd_now_us() + DRAIN_US;
    while (load->open > 0 && crowd_now_us() < end_us) {
        turn(load);
    }
}

void load_read_back(struct load *load)
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
        turn(load);
    }
}

uint32_t load_percentile(struct load *load, uint64_t percent)
{
    if (load->samples_count == 0) {
        return 0;
    }
    qsort(load->samples, load->samples_count, sizeof(*load->samples), by_time);
    return load->samples[(load->samples_count - 1) * percent / 100];
}

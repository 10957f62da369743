/* Stacks, pace and calls of lanes. Draws nothing that a workload should. */
#include "jepsen/load/load.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- change of stacks ---- */

static void lane_go(struct lane *lane)
{
    lane->due_us = LOAD_NEVER;
    ASSERT(swapcontext(&lane->caller, &lane->context) == 0);
}

static void lane_leave(struct lane *lane)
{
    ASSERT(swapcontext(&lane->context, &lane->caller) == 0);
}

/* Nothing is begun when the run is over: the lane stays here. */
static void lane_stop_if_over(struct lane *lane)
{
    while (lane->load->quiet) {
        lane->due_us = LOAD_NEVER;
        lane_leave(lane);
    }
}

/* makecontext hands over numbers: the lane in two halves. */
static void on_stack(unsigned high, unsigned low)
{
    struct lane *lane = (struct lane *)(uintptr_t)((uint64_t)high << 32 | low);
    lane->body(lane);
    lane->due_us = LOAD_NEVER;
    lane_leave(lane);
}

struct lane *load_lane(struct load *load, const struct workload *workload,
                       void (*body)(struct lane *lane))
{
    ASSERT(load->lane_count < LOAD_LANES_MAX);
    struct lane *lane = &load->lanes[load->lane_count];
    uint64_t address = (uint64_t)(uintptr_t)lane;
    *lane = (struct lane){.load = load,
                          .workload = workload,
                          .recorder = &load->recorders[load->lane_count % LOAD_FOLLOWERS],
                          .index = load->self * 1000 + load->lane_count,
                          .stack = malloc(LOAD_STACK),
                          .body = body};
    load->lane_count++;
    ASSERT(lane->stack != NULL && getcontext(&lane->context) == 0);
    lane->context.uc_stack.ss_sp = lane->stack;
    lane->context.uc_stack.ss_size = LOAD_STACK;
    lane->context.uc_link = NULL;
    makecontext(&lane->context, (void (*)(void))on_stack, 2, (unsigned)(address >> 32),
                (unsigned)address);
    return lane;
}

uint64_t load_step(struct load *load)
{
    uint64_t next = LOAD_NEVER;
    for (uint32_t i = 0; i < load->lane_count; i++) {
        struct lane *lane = &load->lanes[i];
        if (!load->quiet && lane->due_us <= load_now_us()) {
            lane_go(lane);
        }
        next = lane->due_us < next ? lane->due_us : next;
    }
    return next;
}

/* ---- calls ---- */

void lane_pause(struct lane *lane, uint64_t us)
{
    lane->due_us = load_now_us() + us;
    lane_leave(lane);
}

static void on_answer(void *arg, uint32_t row, const struct tenure_result *result,
                      const void *reply)
{
    struct lane *lane = arg;
    (void)row;
    lane->result = *result;
    lane->reply = reply;
    lane_go(lane);
}

const struct tenure_result *lane_call(struct lane *lane, enum op_number number, const void *request)
{
    uint64_t now = load_now_us(), interval = lane->load->interval_us;
    if (lane->next_us > now) {
        lane_pause(lane, lane->next_us - now);
        now = load_now_us();
    }
    lane_stop_if_over(lane);
    lane->next_us = now + interval / 2 + lane_random(lane, interval);
    (void)recorder_call(lane->recorder, number, request, on_answer, lane);
    lane_leave(lane);
    return &lane->result;
}

const void *lane_reply(const struct lane *lane)
{
    return lane->reply;
}

static void on_started(void *arg, uint32_t row, const struct tenure_result *result,
                       const void *reply)
{
    struct lane *lane = arg;
    (void)row;
    (void)result;
    (void)reply;
    if (--lane->started == 0 && lane->joining) {
        lane->joining = false;
        lane_go(lane);
    }
}

void lane_start(struct lane *lane, enum op_number number, const void *request)
{
    lane_stop_if_over(lane);
    lane->started++;
    (void)recorder_call(lane->recorder, number, request, on_started, lane);
}

void lane_join(struct lane *lane)
{
    if (lane->started > 0) {
        lane->joining = true;
        lane->due_us = LOAD_NEVER;
        lane_leave(lane);
    }
}

/* ---- small things ---- */

uint64_t lane_random(struct lane *lane, uint64_t below)
{
    uint64_t *state = &lane->load->random;
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return below == 0 ? 0 : *state % below;
}

bool lane_chance(struct lane *lane, unsigned percent)
{
    return lane_random(lane, 100) < percent;
}

uint32_t lane_index(const struct lane *lane)
{
    return lane->index;
}

uint32_t lane_count(struct lane *lane)
{
    return ++lane->count;
}

void lane_follow(struct lane *lane)
{
    uint64_t first = lane->hasty ? LOAD_FOLLOWERS + lane->load->server_count : 0;
    uint64_t count = lane->hasty ? LOAD_HASTY : LOAD_FOLLOWERS;
    lane->recorder = &lane->load->recorders[first + lane_random(lane, count)];
}

void lane_stay(struct lane *lane)
{
    lane->recorder =
        &lane->load->recorders[LOAD_FOLLOWERS + lane_random(lane, lane->load->server_count)];
}

void lane_operate(struct lane *lane)
{
    if (lane->load->operator_ != NULL) {
        lane->recorder = lane->load->operator_;
    }
}

/* The sockets that the client's loop looks at: the kernel lists them. */
void lane_break(struct lane *lane)
{
    char path[64], line[128];
    struct sockaddr_storage peer;
    (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", tenure_fd(lane->recorder->client));
    FILE *file = fopen(path, "re");
    ASSERT(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        socklen_t size = sizeof peer;
        int fd;
        if (sscanf(line, "tfd: %d", &fd) == 1 &&
            getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.ss_family == AF_INET) {
            (void)shutdown(fd, SHUT_RDWR);
        }
    }
    fclose(file);
}

uint32_t lane_workers(const struct lane *lane)
{
    return lane->load->worker_count;
}

/* The world's course: one heap of events, the turn that each process ends, the trace hash. */
#include "env/sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "env/loop.h"

enum stream { STREAM_START = 1, STREAM_TIES, STREAM_NET, STREAM_DISK, STREAM_SCRIPT };

struct script {
    struct sim_event event;
    struct sim *sim;
    struct list link;
    void (*callback)(void *arg);
    void *arg;
};

void *sim_alloc(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size); /* glibc's calloc passes its fast lists by */
    ASSERT(memory != NULL);
    return memset(memory, 0, size);
}

void sim_trace(struct sim *sim, uint64_t value)
{
    sim->trace = sim_mix((sim->trace ^ value) + UINT64_C(0x9e3779b97f4a7c15));
}

void sim_trace_bytes(struct sim *sim, struct bytes data)
{
    /* FNV-1a, a word at a time, turned so that the high bits of a word count too */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    size_t at = 0;
    for (; data.size - at >= sizeof(hash); at += sizeof(hash)) {
        uint64_t word;
        memcpy(&word, data.data + at, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    for (; at < data.size; at++) {
        hash = (hash ^ data.data[at]) * UINT64_C(0x100000001b3);
    }
    sim_trace(sim, data.size);
    sim_trace(sim, hash);
}

struct sim *sim_create(uint64_t seed)
{
    struct sim *sim = sim_alloc(sizeof(*sim));
    struct sim_rng start = sim_rng_of(seed, STREAM_START);
    sim->seed = seed;
    sim->start_us = SIM_SECOND + sim_rng_below(&start, 1000000 * SIM_SECOND);
    sim->now_us = sim->start_us;
    sim->rng.ties = sim_rng_of(seed, STREAM_TIES);
    sim->rng.net = sim_rng_of(seed, STREAM_NET);
    sim->rng.disk = sim_rng_of(seed, STREAM_DISK);
    sim->rng.script = sim_rng_of(seed, STREAM_SCRIPT);
    sim->links = sim_alloc((size_t)SIM_HOSTS_MAX * SIM_HOSTS_MAX * sizeof(sim->links[0]));
    list_init(&sim->scripts);
    list_init(&sim->points);
    sim_trace(sim, seed);
    sim_log_init(sim);
    return sim;
}

static void host_destroy(struct sim_host *host)
{
    LIST_FOR_EACH_SAFE(node, following, &host->processes)
    {
        sim_process_free(LIST_ENTRY(node, struct env, link));
    }
    sim_disk_destroy(host->disk);
    free(host);
}

void sim_destroy(struct sim *sim)
{
    if (sim == NULL) {
        return;
    }
    ASSERT(!sim->firing);
    for (uint32_t i = 0; i < sim->hosts_count; i++) {
        host_destroy(sim->hosts[i]);
    }
    LIST_FOR_EACH_SAFE(node, following, &sim->scripts)
    {
        free(LIST_ENTRY(node, struct script, link));
    }
    LIST_FOR_EACH_SAFE(node, following, &sim->points)
    {
        free(LIST_ENTRY(node, struct sim_point, link));
    }
    sim_heap_done(&sim->heap);
    free(sim->links);
    free(sim);
}

uint64_t sim_seed(const struct sim *sim)
{
    return sim->seed;
}

uint64_t sim_now_us(const struct sim *sim)
{
    return sim->now_us;
}

uint64_t sim_trace_hash(const struct sim *sim)
{
    return sim->trace;
}

uint64_t sim_random(struct sim *sim, uint64_t bound)
{
    return sim_rng_below(&sim->rng.script, bound);
}

/* ---- events ---- */

void sim_event_init(struct sim_event *event, enum sim_event_kind kind, struct env *env,
                    void (*fire)(struct sim_event *event))
{
    *event = (struct sim_event){.kind = kind, .env = env, .fire = fire};
    list_init(&event->deferred);
}

bool sim_event_waits(const struct sim_event *event)
{
    return event->slot != 0 || !list_empty(&event->deferred);
}

void sim_event_cancel(struct sim *sim, struct sim_event *event)
{
    sim_heap_remove(&sim->heap, event);
    list_remove(&event->deferred);
}

void sim_event_at(struct sim *sim, struct sim_event *event, uint64_t at_us)
{
    list_remove(&event->deferred);
    event->late = false;
    if (event->env != NULL && event->env->crashed) {
        sim_heap_remove(&sim->heap, event);
        return;
    }
    event->at_us = u64_max(at_us, sim->now_us);
    event->tie = sim_rng_next(&sim->rng.ties);
    event->sequence = sim->sequence++;
    sim_heap_set(&sim->heap, event);
}

void sim_event_in(struct sim *sim, struct sim_event *event, uint64_t delay_us)
{
    sim_event_at(sim, event, sat_add(sim->now_us, delay_us));
}

static void script_fire(struct sim_event *event)
{
    struct script *script = SIM_EVENT_OWNER(event, struct script, event);
    void (*callback)(void *arg) = script->callback;
    void *arg = script->arg;
    struct sim *sim = script->sim;
    list_remove(&script->link);
    free(script);
    sim->firing = false;
    callback(arg);
    sim->firing = true;
}

void sim_at(struct sim *sim, uint64_t delay_us, void (*callback)(void *arg), void *arg)
{
    struct script *script = sim_alloc(sizeof(*script));
    script->sim = sim;
    script->callback = callback;
    script->arg = arg;
    sim_event_init(&script->event, SIM_EVENT_SCRIPT, NULL, script_fire);
    list_append(&sim->scripts, &script->link);
    sim_event_in(sim, &script->event, delay_us);
}

/* ---- turns ---- */

static void turn_end(struct env *env)
{
    struct sim *sim = env->sim;
    if (sim->turn == env) {
        sim->turn = NULL;
    }
    if (env->crashed) {
        return;
    }
    if (sim_standing(env)) {
        env->turn_owed = true;
        return;
    }
    if (env->turn_end != NULL) {
        ASSERT(!sim->firing);
        env->calls++;
        sim->firing = true;
        env->turn_end(env->turn_arg);
        sim->firing = false;
    }
}

/* Ends the open turn unless the next event belongs to it. */
static void turn_settle(struct sim *sim)
{
    const struct sim_event *first = sim_heap_first(&sim->heap);
    if (sim->turn != NULL &&
        (first == NULL || first->at_us > sim->now_us || first->env != sim->turn)) {
        turn_end(sim->turn);
    }
}

/* True when the event has to come later: its process stands still or is slow. */
static bool postponed(struct sim *sim, struct sim_event *event)
{
    struct env *env = event->env;
    if (sim_standing(env)) {
        list_append(&env->deferred, &event->deferred);
        return true;
    }
    if (env->slow_us > 0 && !event->late) {
        sim_event_in(sim, event, sim_rng_below(&sim->rng.ties, env->slow_us));
        event->late = true;
        return true;
    }
    return false;
}

static void deliver(struct sim *sim, struct sim_event *event)
{
    struct env *env = event->env;
    if (env != NULL && postponed(sim, event)) {
        return;
    }
    sim_trace(sim, sim->now_us);
    sim_trace(sim, (uint64_t)event->kind << 32 | (env == NULL ? 0 : env->number));
    if (env != NULL) {
        env->events++;
        env->calls++;
        sim->turn = env;
    }
    sim->firing = true;
    event->fire(event);
    sim->firing = false;
    turn_settle(sim);
}

bool sim_step(struct sim *sim)
{
    ASSERT(!sim->firing);
    turn_settle(sim);
    struct sim_event *event = sim_heap_first(&sim->heap);
    if (event == NULL) {
        return false;
    }
    sim_heap_remove(&sim->heap, event);
    sim->now_us = event->at_us;
    deliver(sim, event);
    return true;
}

/* Fires the next event if it is due by `limit_us`; else the time passes up to there. */
static bool step_before(struct sim *sim, uint64_t limit_us)
{
    turn_settle(sim);
    const struct sim_event *first = sim_heap_first(&sim->heap);
    if (first != NULL && first->at_us <= limit_us) {
        return sim_step(sim);
    }
    if (limit_us != UINT64_MAX) {
        sim->now_us = u64_max(sim->now_us, limit_us);
    }
    return false;
}

bool sim_run_until(struct sim *sim, bool (*condition)(void *arg), void *arg, uint64_t max_us)
{
    uint64_t limit_us = sat_add(sim->now_us, max_us);
    for (;;) {
        if (condition != NULL && condition(arg)) {
            return true;
        }
        if (!step_before(sim, limit_us)) {
            return condition != NULL && condition(arg);
        }
    }
}

/* ---- env/loop.h ---- */

void env_turn(struct env *env, uint64_t wait_us)
{
    struct sim *sim = env->sim;
    ASSERT(!sim->firing);
    ASSERT(env->crashed || !sim_standing(env));
    uint64_t limit_us = sat_add(sim->now_us, wait_us);
    uint64_t events = env->events;
    turn_end(env);
    while (env->events == events && !env->crashed) {
        if (!step_before(sim, limit_us)) {
            return;
        }
    }
    while (sim->turn == env && sim_step(sim)) {
    }
}

int env_fd(const struct env *env)
{
    (void)env;
    return -1;
}

uint64_t env_timeout_us(const struct env *env)
{
    const struct sim *sim = env->sim;
    uint64_t earliest_us = UINT64_MAX;
    for (size_t i = 0; i < sim->heap.count; i++) {
        if (sim->heap.slots[i].event->env == env) {
            earliest_us = u64_min(earliest_us, sim->heap.slots[i].at_us);
        }
    }
    return earliest_us == UINT64_MAX ? UINT64_MAX : sat_sub(earliest_us, sim->now_us);
}

void env_wait(const struct env *env, uint64_t wait_us)
{
    (void)env;
    (void)wait_us;
    UNREACHABLE("simulated processes have no threads: only env_turn moves their world");
}

void env_wake(struct env *env)
{
    if (!sim_event_waits(&env->wake)) {
        sim_event_in(env->sim, &env->wake, 0);
    }
}

uint64_t env_turn_us(const struct env *env)
{
    (void)env;
    return 0;
}

void env_on_turn_end(struct env *env, void (*callback)(void *arg), void *arg)
{
    env->turn_end = callback;
    env->turn_arg = arg;
}

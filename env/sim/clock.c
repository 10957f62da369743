/* Clocks of a host (rate, steps, stops) and the timers of its processes, which follow MONO. */
#include "env/clock.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/sat.h"
#include "env/sim/world.h"

enum { STREAM_CLOCK = 100, PPM = 1000000 };

struct env_timer {
    struct sim_event event;
    struct env *env;
    struct list link;
    uint64_t due_us; /* by MONO */
    env_timer_cb callback;
    void *arg;
};

/* ---- ticks ---- */

/* a * b / c without overflow, for b and c below 2^32. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    if (b == c) {
        return a; /* no drift: nearly always */
    }
    return a / c * b + a % c * b / c;
}

static uint64_t rate(const struct sim_clocks *clocks)
{
    return (uint64_t)(PPM + clocks->ppm);
}

static uint64_t ticks_at(const struct sim_host *host, uint64_t now_us)
{
    const struct sim_clocks *clocks = &host->clocks;
    if (clocks->still || now_us < clocks->base_us) {
        return clocks->ticks;
    }
    return clocks->ticks + scale(now_us - clocks->base_us, rate(clocks), PPM);
}

static uint64_t ticks(const struct sim_host *host)
{
    return ticks_at(host, host->sim->now_us);
}

/* Makes now the base, so that rate or standing may change. */
static void rebase(struct sim_host *host)
{
    host->clocks.ticks = ticks(host);
    host->clocks.base_us = host->sim->now_us;
}

static uint64_t mono_of(const struct sim_host *host)
{
    const struct sim_clocks *clocks = &host->clocks;
    if (host->stopped && host->stop == SIM_STOP_SUSPEND) {
        return clocks->suspended_at + clocks->mono_us;
    }
    return ticks(host) + clocks->mono_us;
}

static void timer_schedule(struct env_timer *timer)
{
    struct sim_host *host = timer->env->host;
    uint64_t wait = sat_sub(timer->due_us, mono_of(host));
    uint64_t needed = sat_add(scale(wait, PPM, rate(&host->clocks)), wait > 0 ? 1 : 0);
    sim_event_in(host->sim, &timer->event, needed);
}

static void timers_reschedule(struct sim_host *host)
{
    LIST_FOR_EACH(process, &host->processes)
    {
        struct env *env = LIST_ENTRY(process, struct env, link);
        LIST_FOR_EACH(node, &env->handles.timers)
        {
            struct env_timer *timer = LIST_ENTRY(node, struct env_timer, link);
            if (sim_event_waits(&timer->event)) {
                timer_schedule(timer);
            }
        }
    }
}

/* ---- hosts ---- */

void sim_clocks_boot(struct sim_host *host)
{
    struct sim_clocks *clocks = &host->clocks;
    struct sim_rng boot = sim_rng_of(sim_rng_next(&host->sim->rng.ties),
                                     STREAM_CLOCK + (uint64_t)host->number);
    rebase(host);
    uint64_t uptime_us = SIM_SECOND + sim_rng_below(&boot, 30 * SIM_SECOND);
    clocks->mono_us = uptime_us - clocks->ticks;
    clocks->boot_us = uptime_us - clocks->ticks;
    for (size_t i = 0; i < sizeof(clocks->boot_id.bytes); i++) {
        clocks->boot_id.bytes[i] = (uint8_t)sim_rng_next(&boot);
    }
}

void sim_clocks_init(struct sim_host *host)
{
    struct sim_clocks *clocks = &host->clocks;
    struct sim_rng rng = sim_rng_of(host->sim->seed, STREAM_CLOCK + (uint64_t)host->number);
    /* 2025-01-01 in Unix time, and up to two seconds of error either way. */
    uint64_t wall_us = UINT64_C(1735689600) * SIM_SECOND + sim_rng_below(&rng, 4 * SIM_SECOND);
    clocks->ticks = host->sim->now_us;
    clocks->base_us = host->sim->now_us;
    clocks->synchronised = true;
    clocks->wall_us = wall_us - 2 * SIM_SECOND - host->sim->start_us;
    sim_clocks_boot(host);
    host->up = true;
}

void sim_host_stop(struct sim_host *host, enum sim_stop kind)
{
    ASSERT(!host->stopped);
    rebase(host);
    host->stopped = true;
    host->stop = kind;
    host->clocks.suspended_at = host->clocks.ticks;
    host->clocks.still = kind == SIM_STOP_HYPERVISOR;
    sim_links_watch(host);
}

void sim_host_continue(struct sim_host *host)
{
    struct sim_clocks *clocks = &host->clocks;
    if (!host->stopped) {
        return;
    }
    rebase(host);
    if (host->stop == SIM_STOP_SUSPEND) {
        clocks->mono_us -= clocks->ticks - clocks->suspended_at;
    }
    host->stopped = false;
    clocks->still = false;
    timers_reschedule(host);
    LIST_FOR_EACH(node, &host->processes)
    {
        sim_wake_up(LIST_ENTRY(node, struct env, link));
    }
}

void sim_host_step_wall(struct sim_host *host, int64_t by_us)
{
    host->clocks.wall_us += (uint64_t)by_us;
}

void sim_host_step_boot(struct sim_host *host, int64_t by_us)
{
    uint64_t boot_us = ticks(host) + host->clocks.boot_us;
    if (by_us < 0 && boot_us < (uint64_t)0 - (uint64_t)by_us) {
        by_us = -(int64_t)boot_us;
    }
    host->clocks.boot_us += (uint64_t)by_us;
}

void sim_host_drift(struct sim_host *host, int32_t ppm)
{
    ASSERT(ppm > -PPM / 2 && ppm < PPM / 2);
    rebase(host);
    host->clocks.ppm = ppm;
    timers_reschedule(host);
}

void sim_host_set_grain(struct sim_host *host, uint64_t grain_us)
{
    host->clocks.grain_us = grain_us;
}

void sim_host_set_synchronised(struct sim_host *host, bool synchronised)
{
    host->clocks.synchronised = synchronised;
}

/* ---- env/clock.h ---- */

uint64_t env_mono_us(struct env *env)
{
    return mono_of(env->host);
}

uint64_t env_boot_us(struct env *env)
{
    const struct sim_clocks *clocks = &env->host->clocks;
    uint64_t now_us = env->sim->now_us;
    uint64_t since_us = clocks->grain_us == 0 ? 0 : now_us % clocks->grain_us;
    return ticks_at(env->host, now_us - since_us) + clocks->boot_us;
}

uint64_t env_wall_us(struct env *env)
{
    return ticks(env->host) + env->host->clocks.wall_us;
}

bool env_wall_synchronised(struct env *env)
{
    return env->host->clocks.synchronised;
}

struct id128 env_boot_id(struct env *env)
{
    return env->host->clocks.boot_id;
}

/* ---- timers ---- */

static void timer_fire(struct sim_event *event)
{
    struct env_timer *timer = SIM_EVENT_OWNER(event, struct env_timer, event);
    if (mono_of(timer->env->host) < timer->due_us) {
        timer_schedule(timer); /* its clock became slower, or stood still */
        return;
    }
    timer->callback(timer->arg);
}

struct env_timer *env_timer_create(struct env *env, env_timer_cb callback, void *arg)
{
    ASSERT(!env->sim->in_run);
    struct env_timer *timer = sim_alloc(sizeof(*timer));
    timer->env = env;
    timer->callback = callback;
    timer->arg = arg;
    sim_event_init(&timer->event, SIM_EVENT_TIMER, env, timer_fire);
    list_append(&env->handles.timers, &timer->link);
    return timer;
}

void env_timer_start(struct env_timer *timer, uint64_t delay_us)
{
    struct env *env = timer->env;
    ASSERT(!env->sim->in_run);
    /* A timer is never early, and often a little late. */
    uint64_t late_us = sim_rng_below(&env->sim->rng.ties, 64);
    timer->due_us = sat_add(mono_of(env->host), sat_add(delay_us, late_us));
    timer_schedule(timer);
}

void env_timer_stop(struct env_timer *timer)
{
    ASSERT(!timer->env->sim->in_run);
    sim_event_cancel(timer->env->sim, &timer->event);
}

void env_timer_destroy(struct env_timer *timer)
{
    if (timer == NULL) {
        return;
    }
    env_timer_stop(timer);
    list_remove(&timer->link);
    free(timer);
}

void sim_timers_end(struct env *env)
{
    LIST_FOR_EACH(node, &env->handles.timers)
    {
        sim_event_cancel(env->sim, &LIST_ENTRY(node, struct env_timer, link)->event);
    }
}

void sim_timers_free(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->handles.timers)
    {
        free(LIST_ENTRY(node, struct env_timer, link));
    }
}

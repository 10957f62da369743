/* Hosts and processes: start, crash, power cut, pause, stop. What they own lives in other files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/random.h"
#include "env/sim/world.h"

enum { STREAM_PROCESS = 1000, FIRST_FREE_PORT = 40000 };

static void copy_name(char *buffer, size_t size, const char *name)
{
    ASSERT(strlen(name) < size);
    memcpy(buffer, name, strlen(name) + 1);
}

struct sim_host *sim_host_create(struct sim *sim, const char *name)
{
    ASSERT(sim->hosts_count < SIM_HOSTS_MAX);
    struct sim_host *host = sim_alloc(sizeof(*host));
    host->sim = sim;
    host->number = sim->hosts_count;
    host->next_port = FIRST_FREE_PORT;
    host->work_base_us = 50;
    host->work_jitter_us = 400;
    copy_name(host->name, sizeof(host->name), name);
    (void)snprintf(host->address, sizeof(host->address), "10.0.0.%u", (unsigned)host->number + 1);
    list_init(&host->processes);
    host->disk = sim_disk_create();
    sim->hosts[sim->hosts_count++] = host;
    sim_links_init(sim, host);
    sim_clocks_init(host);
    return host;
}

const char *sim_host_address(const struct sim_host *host)
{
    return host->address;
}

bool sim_standing(const struct env *env)
{
    return env->paused || env->host->stopped;
}

void sim_wake_up(struct env *env)
{
    if (sim_standing(env) || env->crashed) {
        return;
    }
    uint64_t order = 0;
    LIST_FOR_EACH_SAFE(node, following, &env->deferred)
    {
        struct sim_event *event = LIST_ENTRY(node, struct sim_event, deferred);
        sim_event_in(env->sim, event, 0);
        /* In the order in which they fell due, before all else at this instant. */
        event->tie = order++;
        sim_heap_set(&env->sim->heap, event);
    }
    if (env->turn_owed) {
        env->turn_owed = false;
        sim_event_in(env->sim, &env->wake, 0);
    }
}

/* ---- hosts ---- */

void sim_host_power_cut(struct sim_host *host)
{
    sim_log_world(host->sim, "power cut of %s", host->name);
    LIST_FOR_EACH_SAFE(node, following, &host->processes)
    {
        sim_process_end(LIST_ENTRY(node, struct env, link), true);
    }
    sim_disk_power_cut(host);
    host->up = false;
    if (host->stopped) {
        sim_host_continue(host);
    }
}

/* ---- processes ---- */

static void wake_fire(struct sim_event *event)
{
    (void)event; /* the turn that ends after it is all there is to do */
}

struct env *sim_process_start(struct sim_host *host, const char *name)
{
    struct sim *sim = host->sim;
    struct env *env = sim_alloc(sizeof(*env));
    if (!host->up) {
        sim_clocks_boot(host);
        host->up = true;
    }
    env->sim = sim;
    env->host = host;
    env->number = ++sim->processes;
    copy_name(env->name, sizeof(env->name), name);
    env->random = sim_rng_of(sim->seed, STREAM_PROCESS + (uint64_t)env->number);
    sim_event_init(&env->wake, SIM_EVENT_WAKE, env, wake_fire);
    list_append(&host->processes, &env->link);
    list_init(&env->deferred);
    list_init(&env->handles.timers);
    list_init(&env->handles.works);
    list_init(&env->handles.conns);
    list_init(&env->handles.listeners);
    list_init(&env->handles.tls);
    list_init(&env->handles.files);
    sim_log_world(sim, "%s starts on %s as process %u", name, host->name, (unsigned)env->number);
    return env;
}

void sim_process_end(struct env *env, bool power)
{
    if (env->crashed) {
        return;
    }
    sim_trace(env->sim, UINT64_C(0xdead) << 32 | env->number);
    sim_log_world(env->sim, "process %u of %s ends", (unsigned)env->number, env->host->name);
    env->crashed = true;
    sim_timers_end(env);
    sim_works_end(env);
    sim_conns_end(env, power);
    sim_files_end(env);
    sim_event_cancel(env->sim, &env->wake);
    ASSERT(list_empty(&env->deferred));
    if (env->sim->turn == env) {
        env->sim->turn = NULL;
    }
}

void sim_process_crash(struct env *env)
{
    sim_process_end(env, false);
}

void sim_process_free(struct env *env)
{
    if (env == NULL) {
        return;
    }
    ASSERT(!env->sim->firing);
    sim_process_end(env, false);
    sim_timers_free(env);
    sim_works_free(env);
    sim_conns_free(env);
    sim_tls_free(env);
    sim_files_free(env);
    list_remove(&env->link);
    free(env);
}

bool sim_process_crashed(const struct env *env)
{
    return env->crashed;
}

uint64_t sim_process_calls(const struct env *env)
{
    return env->calls;
}

struct sim_host *sim_process_host(const struct env *env)
{
    return env->host;
}

void sim_process_pause(struct env *env)
{
    env->paused = true;
}

void sim_process_resume(struct env *env)
{
    env->paused = false;
    sim_wake_up(env);
}

void sim_process_slow(struct env *env, uint64_t max_us)
{
    env->slow_us = max_us;
}

/* ---- env/random.h ---- */

void env_random(struct env *env, void *buffer, size_t size)
{
    ASSERT(!env->sim->in_run);
    uint8_t *at = buffer;
    while (size > 0) {
        uint64_t value = sim_rng_next(&env->random);
        for (unsigned i = 0; i < 8 && size > 0; i++, size--) {
            *at++ = (uint8_t)(value >> (8 * i));
        }
    }
}

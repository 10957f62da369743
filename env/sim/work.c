/* Queued work: `run` in one event after a seeded delay, `done` in a later one. */
#include "env/work.h"

#include <stdlib.h>

#include "base/assert.h"
#include "env/sim/world.h"

struct item {
    struct sim_event event;
    struct env *env;
    struct list link;
    struct env_work *work;
    bool hung; /* fell due while the host's disk hangs */
};

static void done_fire(struct sim_event *event)
{
    struct item *item = SIM_EVENT_OWNER(event, struct item, event);
    struct env_work *work = item->work;
    list_remove(&item->link);
    free(item);
    work->env_private = NULL;
    work->done(work);
}

static void run_fire(struct sim_event *event)
{
    struct item *item = SIM_EVENT_OWNER(event, struct item, event);
    struct env *env = item->env;
    struct sim *sim = env->sim;
    if (env->host->work_hangs) {
        item->hung = true;
        return;
    }
    sim->in_run = true;
    item->work->run(item->work);
    sim->in_run = false;
    sim_event_init(&item->event, SIM_EVENT_DONE, env, done_fire);
    sim_event_in(sim, &item->event, 1 + sim_rng_below(&sim->rng.disk, 50));
}

void env_work_submit(struct env *env, struct env_work *work)
{
    struct sim *sim = env->sim;
    ASSERT(!sim->in_run);
    if (env->crashed) {
        return;
    }
    struct item *item = sim_alloc(sizeof(*item));
    item->env = env;
    item->work = work;
    work->env_private = item;
    list_append(&env->handles.works, &item->link);
    sim_event_init(&item->event, SIM_EVENT_RUN, env, run_fire);
    uint64_t delay_us = env->host->work_base_us;
    delay_us += sim_rng_below(&sim->rng.disk, env->host->work_jitter_us);
    sim_event_in(sim, &item->event, delay_us);
}

void sim_works_resume(struct sim_host *host)
{
    LIST_FOR_EACH(process, &host->processes)
    {
        struct env *env = LIST_ENTRY(process, struct env, link);
        LIST_FOR_EACH(node, &env->handles.works)
        {
            struct item *item = LIST_ENTRY(node, struct item, link);
            if (item->hung) {
                item->hung = false;
                sim_event_in(host->sim, &item->event, sim_rng_below(&host->sim->rng.disk, 100));
            }
        }
    }
}

void sim_works_end(struct env *env)
{
    LIST_FOR_EACH(node, &env->handles.works)
    {
        sim_event_cancel(env->sim, &LIST_ENTRY(node, struct item, link)->event);
    }
}

void sim_works_free(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->handles.works)
    {
        free(LIST_ENTRY(node, struct item, link));
    }
}

void sim_disk_latency(struct sim_host *host, uint64_t base_us, uint64_t jitter_us)
{
    host->work_base_us = base_us;
    host->work_jitter_us = jitter_us;
}

void sim_disk_hang(struct sim_host *host, bool hang)
{
    host->work_hangs = hang;
    if (!hang) {
        sim_works_resume(host);
    }
}

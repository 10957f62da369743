/* Fault points: counts of hits, and the planned crash of a process at its n-th. */
#include "env/fault.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/sim/world.h"

static struct sim_point *point_find(const struct sim *sim, const char *name)
{
    LIST_FOR_EACH(node, &sim->points)
    {
        struct sim_point *point = LIST_ENTRY(node, struct sim_point, link);
        if (strcmp(point->name, name) == 0) {
            return point;
        }
    }
    return NULL;
}

static struct sim_point *point_made(struct sim *sim, const char *name)
{
    struct sim_point *point = point_find(sim, name);
    if (point == NULL) {
        point = sim_alloc(sizeof(*point));
        ASSERT(strlen(name) < sizeof(point->name));
        memcpy(point->name, name, strlen(name) + 1);
        list_append(&sim->points, &point->link);
    }
    return point;
}

/* Names are texts of the program most often: the one of this address is tried first. */
static struct sim_point *point_of(struct sim *sim, const char *name)
{
    struct sim_point **recent = &sim->recent_points[(uintptr_t)name / 8 % SIM_RECENT_POINTS];
    if (*recent == NULL || strcmp((*recent)->name, name) != 0) {
        *recent = point_made(sim, name);
    }
    return *recent;
}

void sim_fault_hit(struct env *env, const char *name)
{
    if (env->crashed) {
        return;
    }
    env->hits++;
    env->sim->points_hits++;
    point_of(env->sim, name)->hits++;
    bool meant = env->plan.name == NULL || strcmp(env->plan.name, name) == 0;
    if (env->plan.left == 0 || !meant || --env->plan.left > 0) {
        return;
    }
    sim_log_world(env->sim, "process %u crashes at %s", (unsigned)env->number, name);
    if (env->plan.crash == SIM_CRASH_POWER) {
        sim_host_power_cut(env->host);
    } else {
        sim_process_crash(env);
    }
}

void env_fault(struct env *env, const char *name)
{
    sim_fault_hit(env, name);
}

void sim_fault_crash_at(struct env *env, const char *name, uint64_t n, enum sim_crash crash)
{
    env->plan.name = name;
    env->plan.left = n;
    env->plan.crash = crash;
}

uint64_t sim_fault_hits(const struct sim *sim, const char *name)
{
    if (name == NULL) {
        return sim->points_hits;
    }
    const struct sim_point *point = point_find(sim, name);
    return point == NULL ? 0 : point->hits;
}

uint64_t sim_fault_hits_of(const struct env *env)
{
    return env->hits;
}

void sim_fault_visit(const struct sim *sim,
                     void (*visit)(void *arg, const char *name, uint64_t hits), void *arg)
{
    LIST_FOR_EACH(node, &sim->points)
    {
        const struct sim_point *point = LIST_ENTRY(node, struct sim_point, link);
        visit(arg, point->name, point->hits);
    }
}

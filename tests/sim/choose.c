/* What a call is about: some session, task or fence that its process knows of. Calls nobody. */
#include "tests/sim/calls.h"

#include "base/sat.h"

#include <string.h>

/* Who ranks highest among those that are asked: leaving one out that is not chosen changes no
 * choice. */
static uint64_t rank(uint64_t draw, struct step step)
{
    return sim_mix(draw ^ sim_mix(step_key(step) + 1));
}

/* From when on what was made counts as new: by time and not by number, for the same reason. */
static uint64_t new_since(struct run *run)
{
    uint64_t back_us = 2 * SIM_SECOND + run_random(run, run->plan.idle_us);
    bool any = run_chance(run, 30);
    return any ? 0 : sat_sub(sim_now_us(run->sim), back_us);
}

static struct run_session *choose(struct run *run, const char *user, uint32_t depth)
{
    uint64_t since_us = new_since(run);
    uint64_t draw = run_random(run, UINT64_MAX);
    struct run_session *best = NULL;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct run_session *session = &run->sessions[i];
        if (session->known && session->since_us >= since_us &&
            (user == NULL || strcmp(session->user, user) == 0) && session->depth >= depth &&
            (best == NULL || rank(draw, session->step) > rank(draw, best->step))) {
            best = session;
        }
    }
    return best;
}

struct run_session *session_of(struct run *run, const char *user)
{
    return choose(run, user, 0);
}

struct run_session *any_session(struct run *run)
{
    return choose(run, NULL, 0);
}

struct run_session *deep_session(struct run *run, uint32_t depth)
{
    return choose(run, NULL, depth);
}

struct run_session *session_known(struct run *run, const struct tenure_id *id)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (run->sessions[i].known && memcmp(&run->sessions[i].id, id, sizeof(*id)) == 0) {
            return &run->sessions[i];
        }
    }
    return NULL;
}

struct run_session *session_above(struct run *run, struct run_session *session)
{
    struct run_session *above = session;
    bool higher = true;
    while (higher && above->depth > 1) {
        struct run_session *parent = session_known(run, &above->parent);
        above = parent == NULL ? above : parent;
        higher = parent != NULL && run_chance(run, 60);
    }
    return above;
}

struct run_task *any_task(struct run *run)
{
    uint64_t since_us = new_since(run);
    uint64_t draw = run_random(run, UINT64_MAX);
    struct run_task *best = NULL;
    for (size_t i = 0; i < TASKS_MAX; i++) {
        struct run_task *task = &run->tasks[i];
        if (task->known && task->since_us >= since_us &&
            (best == NULL || rank(draw, task->step) > rank(draw, best->step))) {
            best = task;
        }
    }
    return best;
}

struct run_fence *any_fence(struct run_actor *actor)
{
    size_t first = (size_t)run_random(actor->run, FENCES_MAX);
    for (size_t i = 0; i < FENCES_MAX; i++) {
        struct run_fence *fence = &actor->fences[(first + i) % FENCES_MAX];
        if (fence->held) {
            return fence;
        }
    }
    return NULL;
}

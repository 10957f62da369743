/* The workload's generators of lists and quotas. Pages are short, so that most lists take several
 * of them, and begin where there may be something or nothing. */
#include "tests/sim/calls.h"

#include <inttypes.h>
#include <stdio.h>

static bool draw_max(struct run *run, uint64_t *ret_max)
{
    *ret_max = 1 + run_random(run, 4);
    return run_chance(run, 50);
}

bool draw_grant_list(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = any_session(run);
    if (session == NULL) {
        return false;
    }
    struct tenure_grant_list_request *request = &draft->request.grant_list;
    request->user = acting(run, draft, session->user);
    request->token = tampered(run, draft, session->token, OP_TOKEN_session);
    return true;
}

/* Behind nothing, behind a session that is known, or behind nearly all. */
static bool draw_after(struct run *run, uint64_t *ret_after)
{
    struct run_session *session = any_session(run);
    *ret_after = session == NULL ? 0 : session->made + run_random(run, 2);
    return run_chance(run, 40);
}

bool draw_session_list(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_session_list_request *request = &draft->request.session_list;
    snprintf(draft->user, sizeof(draft->user), "user-%" PRIu64, run_random(run, USERS));
    request->user = tenure_text(draft->user);
    request->has_after = draw_after(run, &request->after);
    request->has_max = draw_max(run, &request->max);
    return true;
}

/* Mostly of one that stands above another. */
bool draw_session_children(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_session_children_request *request = &draft->request.session_children;
    struct run_session *below = run_chance(run, 90) ? deep_session(run, 2) : NULL;
    struct run_session *session = below == NULL ? any_session(run) : session_above(run, below);
    if (session == NULL) {
        return false;
    }
    request->user = acting(run, draft, session->user);
    request->token = tampered(run, draft, session->token, OP_TOKEN_session);
    request->has_after = draw_after(run, &request->after);
    request->has_max = draw_max(run, &request->max);
    return true;
}

bool draw_task_list(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_task_list_request *request = &draft->request.task_list;
    struct run_session *session = any_session(run);
    request->has_token = session != NULL && run_chance(run, 40);
    snprintf(draft->user, sizeof(draft->user), "user-%" PRIu64, run_random(run, USERS));
    request->user = tenure_text(draft->user);
    if (request->has_token) {
        request->user = acting(run, draft, session->user);
        request->token = tampered(run, draft, session->token, OP_TOKEN_session);
    }
    request->has_after = draw_after(run, &request->after);
    request->has_max = draw_max(run, &request->max);
    return true;
}

bool draw_state_list(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_state_list_request *request = &draft->request.state_list;
    struct run_fence *fence = actor->worker ? any_fence(actor) : NULL;
    struct run_session *session = any_session(run);
    if (actor->worker ? fence == NULL : session == NULL) {
        return false;
    }
    request->has_after = run_chance(run, 50);
    snprintf(draft->text, sizeof(draft->text), "key-%" PRIu64, run_random(run, KEYS));
    request->after = tenure_text(draft->text);
    request->has_max = draw_max(run, &request->max);
    if (fence == NULL) {
        request->user = acting(run, draft, session->user);
        request->has_token = true;
        request->token = tampered(run, draft, session->token, OP_TOKEN_session);
        return true;
    }
    request->user = tenure_text(fence->user);
    request->has_fence = true;
    request->fence = tenure_text(fence->token);
    request->session = reach(run, fence);
    request->has_session = run_chance(run, 70);
    return true;
}

/* Mostly on from where this process knows them, or from anywhere; from the first on when it knows
 * none yet. */
bool draw_events_read(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_events_read_request *request = &draft->request.events_read;
    request->has_max = run_chance(run, 30);
    request->max = 1 + run_random(run, 8);
    if (actor->event_position == 0) {
        return true;
    }
    request->has_origin = run_chance(run, 50);
    request->origin = actor->event_origin;
    if (run_chance(run, 3)) {
        request->origin.bytes[0] ^= 1;
    }
    if (run_chance(run, 80)) {
        request->has_after = request->has_k = true;
        request->after = actor->event_position;
        request->k = actor->event_k;
        return true;
    }
    request->has_after = draw_after(run, &request->after);
    request->has_k = run_chance(run, 50);
    request->k = run_random(run, 2);
    return true;
}

/* ---- quotas ---- */

/* So small that they are met soon, and taken away as often: a run is to go on. Clients are never
 * bounded, for then nobody could go on. */
static const struct {
    uint32_t quota;
    uint64_t least, more;
} bounds[] = {
    {TENURE_QUOTA_USER_SESSIONS, 1, 6},           {TENURE_QUOTA_USER_TASKS, 1, 12},
    {TENURE_QUOTA_SESSION_TASKS, 1, 4},           {TENURE_QUOTA_SESSION_KEYS, 0, 4},
    {TENURE_QUOTA_SESSION_STATE_BYTES, 20, 2000}, {TENURE_QUOTA_TENANT_SESSIONS, 4, 40},
    {TENURE_QUOTA_TENANT_TASKS, 4, 60},           {TENURE_QUOTA_TENANT_STATE_BYTES, 100, 20000}};

bool draw_quota_set(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_quota_set_request *request = &draft->request.quota_set;
    size_t count = sizeof(bounds) / sizeof(bounds[0]);
    size_t which = (size_t)run_random(run, count);
    request->quota = bounds[which].quota;
    request->value = bounds[which].least + run_random(run, bounds[which].more);
    request->has_value = run_chance(run, 40);
    return actor->root || run_chance(run, 50);
}

bool draw_quota_list(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_quota_list_request *request = &draft->request.quota_list;
    snprintf(draft->user, sizeof(draft->user), "user-%" PRIu64, run_random(run, USERS));
    request->user = tenure_text(draft->user);
    request->has_user = run_chance(run, 60);
    return true;
}

/* Generators of what is asked about tasks: begun, claimed, kept, closed. The mixes are in calls.c.
 */
#include "tests/sim/calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void draw_task(struct run *run, struct draft *draft)
{
    struct tenure_task_begin_request *request = &draft->request.task_begin;
    request->kind = tenure_text("work");
    request->scope = run_chance(run, 40) ? TENURE_TASK_SCOPE_USER : TENURE_TASK_SCOPE_SESSION;
    request->ttl = SIM_SECOND + lifetime(run, 40 * SIM_SECOND);
    if (run_chance(run, 30)) {
        request->has_permissions = true;
        request->permissions_count = 1;
        request->permissions[0].permission = tenure_text("state:write");
    }
}

/* The same sub-task again, by a call of its own: what a worker does that was started anew. */
static bool begin_again(struct run *run, const struct run_fence *fence, struct draft *draft)
{
    struct tenure_task_begin_request *request = &draft->request.task_begin;
    if (!fence->began || !run_chance(run, 25)) {
        return false;
    }
    *request = fence->beginning;
    request->user = tenure_text(fence->user);
    request->fence = tenure_text(fence->token);
    return true;
}

bool draw_task_begin(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_task_begin_request *request = &draft->request.task_begin;
    struct run_fence *fence = actor->worker ? any_fence(actor) : NULL;
    struct run_session *session = any_session(run);
    if (actor->worker ? fence == NULL : session == NULL) {
        return false;
    }
    if (fence != NULL && begin_again(run, fence, draft)) {
        return true;
    }
    draw_task(run, draft);
    if (fence != NULL) {
        request->user = tenure_text(fence->user);
        request->has_fence = request->has_operation = true;
        request->fence = tenure_text(fence->token);
        request->operation = fence->next++;
        fence->beginning = *request;
        fence->began = true;
        return true;
    }
    request->user = acting(run, draft, session->user);
    request->has_token = true;
    request->token = tenure_text(session->token);
    struct run_session *other = run_chance(run, 30) ? session_of(run, session->user) : NULL;
    if (other != NULL) {
        request->has_targets = true;
        request->targets_count = 1;
        request->targets[0].token = tampered(run, draft, other->token, OP_TOKEN_session);
    }
    return true;
}

/* By a worker: its token is kept. By a service: another owner, whose fence nobody uses. */
bool draw_task_claim(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_task *task = any_task(run);
    if (task == NULL) {
        return false;
    }
    struct tenure_task_claim_request *request = &draft->request.task_claim;
    request->user = acting(run, draft, task->user);
    request->task = task->id;
    request->lease = 4 * SIM_SECOND + lifetime(run, 5 * SIM_SECOND);
    draft->fence = &actor->fences[run_random(run, FENCES_MAX)];
    return true;
}

/* One in twenty asks for less than leases are. */
bool draw_task_heartbeat(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_fence *fence = any_fence(actor);
    if (fence == NULL) {
        return false;
    }
    struct tenure_task_heartbeat_request *request = &draft->request.task_heartbeat;
    request->user = acting(run, draft, fence->user);
    request->fence = tampered(run, draft, fence->token, OP_TOKEN_fence);
    request->lease = 4 * SIM_SECOND + lifetime(run, 5 * SIM_SECOND);
    if (run_chance(run, 5)) {
        request->lease = run_random(run, 5 * SIM_SECOND);
    }
    return true;
}

/* To a worker, perhaps itself; its process is named, or whichever it is. The fence goes to it. */
bool draw_task_hand_over(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    const struct run_fence *fence = any_fence(actor);
    if (fence == NULL) {
        return false;
    }
    uint64_t chosen = run_random(run, run->actor_count);
    struct run_actor *to = &run->actors[chosen];
    struct tenure_task_hand_over_request *request = &draft->request.task_hand_over;
    request->user = acting(run, draft, fence->user);
    request->task = fence->task;
    request->fence = tenure_text(fence->token);
    request->lease = 4 * SIM_SECOND + lifetime(run, 5 * SIM_SECOND);
    request->worker = tenure_text(to->worker ? "service/worker" : "service/gateway");
    request->has_instance = run_chance(run, 80) && to->client != NULL;
    if (request->has_instance) {
        memcpy(&request->instance, &to->client->instance, sizeof(request->instance));
    }
    draft->fence = &(to->worker ? to : actor)->fences[run_random(run, FENCES_MAX)];
    return true;
}

/* Mostly with something to say, which no other call says. */
static bool draw_result(struct run *run, struct draft *draft, struct tenure_bytes *ret_result)
{
    snprintf(draft->text, sizeof(draft->text), "%u-%" PRIu32, run->step.index, run->step.ordinal);
    *ret_result = tenure_text(draft->text);
    return run_chance(run, 80);
}

bool draw_task_complete(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_fence *fence = any_fence(actor);
    if (fence == NULL) {
        return false;
    }
    struct tenure_task_complete_request *request = &draft->request.task_complete;
    request->user = acting(run, draft, fence->user);
    request->fence = tenure_text(fence->token);
    request->operation = draw_operation(run, fence);
    request->has_result = draw_result(run, draft, &request->result);
    return true;
}

bool draw_task_fail(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_fence *fence = any_fence(actor);
    if (fence == NULL) {
        return false;
    }
    struct tenure_task_fail_request *request = &draft->request.task_fail;
    request->user = acting(run, draft, fence->user);
    request->fence = tenure_text(fence->token);
    request->operation = draw_operation(run, fence);
    request->has_result = draw_result(run, draft, &request->result);
    return true;
}

/* The first that was begun in this session: what else was begun there may hang below it. */
static struct run_task *first_task(struct run *run, struct tenure_id session)
{
    struct run_task *first = NULL;
    for (size_t i = 0; i < TASKS_MAX; i++) {
        struct run_task *task = &run->tasks[i];
        if (task->known && memcmp(&task->session, &session, sizeof(session)) == 0 &&
            (first == NULL || task->since_us < first->since_us)) {
            first = task;
        }
    }
    return first;
}

/* By a worker: what its own may hang below. */
bool draw_task_cancel(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_fence *fence = any_fence(actor);
    struct run_task *task = fence == NULL ? any_task(run) : first_task(run, fence->session);
    if (task == NULL) {
        return false;
    }
    draft->request.task_cancel = (struct tenure_task_cancel_request){
        .user = acting(run, draft, task->user), .task = task->id};
    return true;
}

/* By another session of the same user, mostly: most tasks that were begun long ago are orphans. */
bool draw_task_adopt(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_task *task = any_task(run);
    struct run_session *session = task == NULL ? NULL : session_of(run, task->user);
    if (session == NULL) {
        return false;
    }
    struct tenure_task_adopt_request *request = &draft->request.task_adopt;
    request->user = acting(run, draft, session->user);
    request->token = tenure_text(session->token);
    request->task = task->id;
    return true;
}

/* Of where some task was begun: perhaps it was adopted since. */
bool draw_revoke_lineage(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_task *task = run_chance(run, 80) ? any_task(run) : NULL;
    if (task == NULL) {
        return false;
    }
    draft->request.revoke_lineage = (struct tenure_revoke_lineage_request){
        .user = acting(run, draft, task->user), .session = task->session};
    return true;
}

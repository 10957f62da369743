/* Of a random history, the calls about tasks and by them. */
#include "tests/unit/jepsen/mix.h"

#include <string.h>

/* What the fence says, of its own session or of another, about one resource or none. */
void mix_check_fence(struct mix *mix)
{
    struct known_task *task = mix_some_task(mix);
    struct op_fence_check_request *request = &mix->request.fence_check;

    mix->f = OP_fence_check;
    mix->caller = mix_caller_of(mix, task->tenant);
    request->user = mix_user_of(mix, task->user);
    request->fence = mix_some_fence(mix, task);
    request->has_session = mix_one_in(mix, 3);
    request->session = mix_some_session(mix)->token.id;
    request->permission = mix_pick(mix, permissions, PERMISSIONS);
    request->has_resource = !mix_one_in(mix, 4);
    request->resource = mix_pick(mix, resources, 5);
    mix_go(mix);
}

void mix_list_tasks(struct mix *mix)
{
    struct op_task_list_request *request = &mix->request.task_list;
    const struct known_session *session = mix_some_session(mix);

    mix->f = OP_task_list;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    request->has_token = mix_one_in(mix, 2);
    request->token = session->token;
    request->has_after = mix_one_in(mix, 2);
    request->after = mix_below(mix, mix->maker->position + 1);
    request->has_max = mix_one_in(mix, 2);
    request->max = mix_below(mix, 5);
    mix_go(mix);
}

void mix_begin(struct mix *mix)
{
    struct op_task_begin_request *request = &mix->request.task_begin;
    const struct known_session *session = mix_some_session(mix);
    struct known_task *parent = mix->task_count > 0 && mix_one_in(mix, 4) ? mix_some_task(mix)
                                                                          : NULL;
    const char *user = session->user;
    uint8_t tenant = session->tenant;

    mix->f = OP_task_begin;
    if (parent != NULL && parent->fences[0].attempt != 0) {
        user = parent->user;
        tenant = parent->tenant;
        request->has_fence = request->has_operation = true;
        request->fence = mix_some_fence(mix, parent);
        request->operation = parent->next++;
    } else {
        request->has_token = true;
        request->token = session->token;
    }
    mix->caller = mix_caller_of(mix, tenant);
    request->user = mix_user_of(mix, user);
    request->kind = bytes_of_text("work");
    request->scope = mix_one_in(mix, 2) ? OP_TASK_SCOPE_USER : OP_TASK_SCOPE_SESSION;
    request->ttl = (10 + mix_below(mix, 300)) * SECOND;
    if (mix_one_in(mix, 2)) {
        request->has_targets = true;
        request->targets_count = 1;
        request->targets[0].token = mix_some_session(mix)->token;
    }
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK && mix->task_count < TASKS_MAX) {
        mix->tasks[mix->task_count++] = (struct known_task){
            .id = mix->maker->answer.reply.task_begin.task,
            .session = mix->maker->answer.reply.task_begin.session,
            .user = user,
            .tenant = tenant,
            .next = 1,
            .deadline = mix->maker->time + request->ttl};
    }
}

void mix_claim(struct mix *mix)
{
    struct op_task_claim_request *request = &mix->request.task_claim;
    struct known_task *task = mix_some_task(mix);

    mix->f = OP_task_claim;
    mix->caller = mix_caller_of(mix, task->tenant);
    request->user = mix_user_of(mix, task->user);
    request->task = task->id;
    request->lease = (5 + mix_below(mix, 60)) * SECOND;
    if (task->fences[0].attempt != 0 && mix_one_in(mix, 2)) {
        request->has_fence = true;
        request->fence = task->fences[0];
    }
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        task->fences[2] = task->fences[1];
        task->fences[1] = task->fences[0];
        task->fences[0] = mix->maker->answer.reply.task_claim.fence;
        task->lease = mix->maker->time + request->lease;
    }
}

void mix_heartbeat(struct mix *mix)
{
    struct op_task_heartbeat_request *request = &mix->request.task_heartbeat;
    struct known_task *task = mix_some_task(mix);

    if (task->fences[0].attempt == 0) {
        return;
    }
    mix->f = OP_task_heartbeat;
    mix->caller = mix_caller_of(mix, task->tenant);
    request->user = mix_user_of(mix, task->user);
    request->fence = mix_some_fence(mix, task);
    request->lease = (4 + mix_below(mix, 60)) * SECOND;
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        task->lease = mix->maker->time + mix->maker->answer.reply.task_heartbeat.lease;
    }
}

/* The lineage that a task left just now: nobody may claim it then. */
static void revoke_left(struct mix *mix, struct known_task *task)
{
    const struct id128 left = task->session;

    task->session = mix->request.task_adopt.token.id;
    if (!mix_one_in(mix, 3)) {
        return;
    }
    memset(&mix->request, 0, sizeof mix->request);
    mix->f = OP_revoke_lineage;
    mix->request.revoke_lineage.user = bytes_of_text(task->user);
    mix->request.revoke_lineage.session = left;
    mix_go(mix);
    memset(&mix->request, 0, sizeof mix->request);
    mix->f = OP_task_claim;
    mix->request.task_claim.user = bytes_of_text(task->user);
    mix->request.task_claim.task = task->id;
    mix->request.task_claim.lease = 20 * SECOND;
    mix_go(mix);
}

void mix_adopt(struct mix *mix)
{
    struct op_task_adopt_request *request = &mix->request.task_adopt;
    struct known_task *task = mix_some_task(mix);
    struct known_session *session = mix_some_session(mix);

    for (int i = 0; i < 8 && (session->user != task->user || session->tenant != task->tenant);
         i++) {
        session = mix_some_session(mix);
    }
    mix->f = OP_task_adopt;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    request->token = session->token;
    request->task = task->id;
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        revoke_left(mix, task);
    }
}

void mix_hand_over(struct mix *mix)
{
    struct op_task_hand_over_request *request = &mix->request.task_hand_over;
    struct known_task *task = mix_some_task(mix);

    if (task->fences[0].attempt == 0) {
        return;
    }
    mix->f = OP_task_hand_over;
    mix->caller = mix_caller_of(mix, task->tenant);
    request->user = mix_user_of(mix, task->user);
    request->task = task->id;
    request->fence = mix_some_fence(mix, task);
    request->lease = (5 + mix_below(mix, 60)) * SECOND;
    request->worker = bytes_of_text("service/1");
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        task->fences[2] = task->fences[1];
        task->fences[1] = task->fences[0];
        task->fences[0] = mix->maker->answer.reply.task_hand_over.fence;
        task->lease = mix->maker->time + request->lease;
    }
}

/* By the fence, or by the id alone. */
void mix_close_task(struct mix *mix)
{
    struct known_task *task = mix_some_task(mix);
    struct bytes result = mix_pick(mix, keys, 3);

    if (task->fences[0].attempt == 0 || mix_one_in(mix, 3)) {
        mix->f = OP_task_cancel;
        mix->request.task_cancel.user = mix_user_of(mix, task->user);
        mix->request.task_cancel.task = task->id;
    } else if (mix_one_in(mix, 2)) {
        mix->f = OP_task_complete;
        mix->request.task_complete.user = mix_user_of(mix, task->user);
        mix->request.task_complete.fence = mix_some_fence(mix, task);
        mix->request.task_complete.operation = mix_one_in(mix, 4) ? task->next - 1 : task->next++;
        mix->request.task_complete.has_result = mix_one_in(mix, 2);
        mix->request.task_complete.result = result;
    } else {
        mix->f = OP_task_fail;
        mix->request.task_fail.user = mix_user_of(mix, task->user);
        mix->request.task_fail.fence = mix_some_fence(mix, task);
        mix->request.task_fail.operation = mix_one_in(mix, 4) ? task->next - 1 : task->next++;
        mix->request.task_fail.has_result = mix_one_in(mix, 2);
        mix->request.task_fail.result = result;
    }
    mix->caller = mix_caller_of(mix, task->tenant);
    mix_go(mix);
}

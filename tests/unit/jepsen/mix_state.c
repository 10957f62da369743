/* Of a random history, the calls that write and read state. */
#include "tests/unit/jepsen/mix.h"

#include <stdio.h>
#include <string.h>

void mix_put(struct mix *mix)
{
    struct op_state_put_request *request = &mix->request.state_put;
    struct known_session *session = mix_some_session(mix);
    struct known_task *task = mix->task_count > 0 && !mix_one_in(mix, 4) ? mix_some_task(mix)
                                                                         : NULL;
    uint64_t next = 0;

    mix->f = OP_state_put;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    if (task != NULL && task->fences[0].attempt != 0) {
        request->has_fence = request->has_session = request->has_operation = true;
        mix->caller = mix_caller_of(mix, task->tenant);
        request->user = mix_user_of(mix, task->user);
        request->fence = mix_some_fence(mix, task);
        request->session = session->token.id;
        next = task->next;
        request->operation = next > 1 && mix_one_in(mix, 8) ? next - 1 : next;
        task->next += request->operation == next;
    } else {
        request->has_token = true;
        request->token = session->token;
        mix_spoil(mix, &request->token);
    }
    request->key = mix_pick(mix, keys, 3);
    (void)snprintf(mix->value, sizeof mix->value, "v%u", mix->values++);
    request->value = bytes_of_text(mix->value);
    request->has_expected = mix_one_in(mix, 6);
    request->expected = mix_one_in(mix, 2) ? 0 : mix->version;
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        mix->version = mix->maker->answer.reply.state_put.version;
    }
}

void mix_delete(struct mix *mix)
{
    struct op_state_delete_request *request = &mix->request.state_delete;
    struct known_session *session = mix_some_session(mix);

    mix->f = OP_state_delete;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    request->has_token = true;
    request->token = session->token;
    mix_spoil(mix, &request->token);
    request->key = mix_pick(mix, keys, 3);
    request->has_expected = mix_one_in(mix, 6);
    request->expected = mix_one_in(mix, 2) ? 0 : mix->version;
    mix_go(mix);
}

/* Pages of one or two, mostly: there are few keys. */
static void list_keys(struct mix *mix)
{
    const struct op_state_get_request by = mix->request.state_get;
    struct op_state_list_request *request = &mix->request.state_list;

    memset(&mix->request, 0, sizeof mix->request);
    mix->f = OP_state_list;
    request->user = by.user;
    request->has_token = by.has_token;
    request->token = by.token;
    request->has_fence = by.has_fence;
    request->fence = by.fence;
    request->has_session = by.has_session;
    request->session = by.session;
    request->has_after = mix_one_in(mix, 2);
    request->after = by.key;
    request->has_max = mix_one_in(mix, 2);
    request->max = mix_below(mix, 4);
    mix_go(mix);
}

void mix_get(struct mix *mix)
{
    struct op_state_get_request *request = &mix->request.state_get;
    struct known_session *session = mix_some_session(mix);
    struct known_task *task = mix->task_count > 0 && mix_one_in(mix, 2) ? mix_some_task(mix) : NULL;

    mix->f = OP_state_get;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    if (task != NULL && task->fences[0].attempt != 0) {
        request->has_fence = request->has_session = true;
        mix->caller = mix_caller_of(mix, task->tenant);
        request->user = mix_user_of(mix, task->user);
        request->fence = mix_some_fence(mix, task);
        request->session = session->token.id;
    } else {
        request->has_token = true;
        request->token = session->token;
    }
    request->key = mix_pick(mix, keys, 3);
    if (mix_one_in(mix, 4)) {
        list_keys(mix);
        return;
    }
    mix_go(mix);
}

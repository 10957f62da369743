/* One call for each word of scene.h. */
#include "tests/unit/jepsen/scene.h"

#include <string.h>

#define SECOND 1000000ULL

void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    maker_init(&scene->maker, 1, MODEL_MUTATION_NONE);
    scene->caller.tenant = "acme";
}

void scene_done(struct scene *scene)
{
    maker_done(&scene->maker);
}

void scene_lie(struct scene *scene, enum model_mutation mutation)
{
    model_mutate(scene->maker.model, mutation);
}

struct history_answer scene_answer(struct scene *scene)
{
    const struct event *event = &scene->maker.history->events[scene->maker.row];

    return (struct history_answer){.outcome = event->outcome,
                                   .ret_ns = event->ret_ns,
                                   .position = event->position,
                                   .time = event->time,
                                   .clock = event->clock,
                                   .term = event->term};
}

static void fresh(struct scene *scene)
{
    memset(&scene->request, 0, sizeof scene->request);
}

static void call(struct scene *scene, enum op_number f)
{
    maker_call(&scene->maker, &scene->caller, f, &scene->request);
    model_mutate(scene->maker.model, MODEL_MUTATION_NONE);
}

void scene_create(struct scene *scene, const char *user, const char *agent, uint64_t idle_s,
                  uint64_t absolute_s)
{
    static const char *const permissions[] = {"state:write", "task:begin", "task:user"};
    struct op_session_create_request *request = &scene->request.session_create;

    fresh(scene);
    scene->user = user;
    request->user = bytes_of_text(user);
    request->agent = bytes_of_text(agent);
    request->idle = idle_s * SECOND;
    request->absolute = absolute_s * SECOND;
    request->has_grants = !scene->no_grants;
    request->grants_count = scene->no_grants ? 0 : 3;
    for (uint32_t i = 0; i < request->grants_count; i++) {
        request->grants[i].permission = bytes_of_text(permissions[i]);
    }
    request->grants[0].has_ttl = scene->grant_ttl != 0;
    request->grants[0].ttl = scene->grant_ttl * SECOND;
    call(scene, OP_session_create);
    scene->token = scene->maker.answer.reply.session_create.token;
}

void scene_validate(struct scene *scene)
{
    fresh(scene);
    scene->request.session_validate.user = bytes_of_text(scene->user);
    scene->request.session_validate.token = scene->token;
    call(scene, OP_session_validate);
}

void scene_end(struct scene *scene)
{
    fresh(scene);
    scene->request.session_end.user = bytes_of_text(scene->user);
    scene->request.session_end.token = scene->token;
    call(scene, OP_session_end);
}

void scene_revoke_user(struct scene *scene, const char *user)
{
    fresh(scene);
    scene->request.revoke_user.user = bytes_of_text(user);
    call(scene, OP_revoke_user);
}

void scene_revoke_agent(struct scene *scene, const char *agent)
{
    fresh(scene);
    scene->request.revoke_agent.agent = bytes_of_text(agent);
    call(scene, OP_revoke_agent);
}

void scene_grant(struct scene *scene, const char *permission, uint64_t ttl_s)
{
    struct op_grant_add_request *request = &scene->request.grant_add;

    fresh(scene);
    request->user = bytes_of_text(scene->user);
    request->token = scene->token;
    request->permission = bytes_of_text(permission);
    request->has_ttl = ttl_s != 0;
    request->ttl = ttl_s * SECOND;
    call(scene, OP_grant_add);
}

void scene_check(struct scene *scene, const char *permission)
{
    fresh(scene);
    scene->request.permission_check.user = bytes_of_text(scene->user);
    scene->request.permission_check.token = scene->token;
    scene->request.permission_check.permission = bytes_of_text(permission);
    call(scene, OP_permission_check);
}

void scene_begin(struct scene *scene, uint32_t scope, uint64_t ttl_s)
{
    struct op_task_begin_request *request = &scene->request.task_begin;

    fresh(scene);
    request->user = bytes_of_text(scene->user);
    request->has_token = true;
    request->token = scene->token;
    request->kind = bytes_of_text("work");
    request->scope = scope;
    request->ttl = ttl_s * SECOND;
    call(scene, OP_task_begin);
    scene->task = scene->maker.answer.reply.task_begin.task;
}

void scene_claim(struct scene *scene, uint64_t lease_s)
{
    fresh(scene);
    scene->request.task_claim.user = bytes_of_text(scene->user);
    scene->request.task_claim.task = scene->task;
    scene->request.task_claim.lease = lease_s * SECOND;
    call(scene, OP_task_claim);
    scene->fence = scene->maker.answer.reply.task_claim.fence;
}

void scene_put(struct scene *scene, const char *key, const char *value)
{
    struct op_state_put_request *request = &scene->request.state_put;

    fresh(scene);
    request->user = bytes_of_text(scene->user);
    request->has_token = true;
    request->token = scene->token;
    request->key = bytes_of_text(key);
    request->value = bytes_of_text(value);
    call(scene, OP_state_put);
}

void scene_get(struct scene *scene, const char *key)
{
    fresh(scene);
    scene->request.state_get.user = bytes_of_text(scene->user);
    scene->request.state_get.has_token = true;
    scene->request.state_get.token = scene->token;
    scene->request.state_get.key = bytes_of_text(key);
    call(scene, OP_state_get);
}

void scene_task_put(struct scene *scene, struct id128 session, uint64_t operation, const char *key,
                    const char *value)
{
    struct op_state_put_request *request = &scene->request.state_put;

    fresh(scene);
    request->user = bytes_of_text(scene->user);
    request->has_fence = request->has_session = request->has_operation = true;
    request->fence = scene->fence;
    request->session = session;
    request->operation = operation;
    request->key = bytes_of_text(key);
    request->value = bytes_of_text(value);
    call(scene, OP_state_put);
}

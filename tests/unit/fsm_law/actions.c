/* The operations as short calls; see actions.h. Holds no test. */
#include "tests/unit/fsm_law/actions.h"

#include <string.h>

void actor_init(struct actor *actor, struct machine *machine, const char *tenant, const char *name)
{
    struct call call;

    memset(actor, 0, sizeof *actor);
    actor->machine = machine;
    actor->caller = caller_of(tenant, name, 4000);
    call_init(&call, OP_client_register, &actor->caller, 0, 0);
    assert_int_equal(machine_command(machine, &call), OP_OK);
    actor->client = machine->fields.client_register.client;
    actor->request = 1;
}

void act_begin(struct actor *actor, enum op_number number)
{
    call_init(&actor->call, number, &actor->caller, actor->client, actor->request);
    actor->call.lowest = actor->request > 100 ? actor->request - 100 : 1;
    actor->request++;
}

enum op_outcome act(struct actor *actor)
{
    return machine_command(actor->machine, &actor->call);
}

static uint64_t fresh(const struct actor *actor)
{
    return fsm_position(actor->machine->fsm) + 100000;
}

struct session open_session_with(struct actor *actor, const char *user, const char *agent,
                                 const char *permissions, uint64_t idle_seconds)
{
    struct op_session_create_request *request;
    struct session session = {id_of(fresh(actor)), fresh(actor), user, 0};
    const char *at = permissions;

    act_begin(actor, OP_session_create);
    request = &actor->call.fields.session_create;
    request->user = text(user);
    request->agent = text(agent);
    request->idle = idle_seconds * SECOND;
    request->absolute = 1000 * SECOND;
    while (*at != 0) {
        size_t size = strcspn(at, ",");

        request->has_grants = true;
        request->grants[request->grants_count++].permission = bytes_of(at, size);
        at += size + (at[size] == ',');
    }
    actor->call.minted_id = session.id;
    actor->call.minted_secret = session.secret;
    assert_int_equal(act(actor), OP_OK);
    session.epoch = actor->machine->fields.session_create.epoch;
    return session;
}

struct session open_session(struct actor *actor, const char *user, const char *agent)
{
    return open_session_with(actor, user, agent, "task:begin,task:user,state:write", 100);
}

enum op_outcome end_session(struct actor *actor, const struct session *session)
{
    act_begin(actor, OP_session_end);
    actor->call.fields.session_end.user = text(session->user);
    actor->call.fields.session_end.token = token_of(session->id, session->secret);
    return act(actor);
}

enum op_outcome revoke_agent(struct actor *actor, const char *agent)
{
    act_begin(actor, OP_revoke_agent);
    actor->call.fields.revoke_agent.agent = text(agent);
    return act(actor);
}

enum op_outcome revoke_user(struct actor *actor, const char *user)
{
    act_begin(actor, OP_revoke_user);
    actor->call.fields.revoke_user.user = text(user);
    return act(actor);
}

enum op_outcome grant(struct actor *actor, const struct session *session, const char *permission,
                      uint64_t ttl_seconds)
{
    struct op_grant_add_request *request;

    act_begin(actor, OP_grant_add);
    request = &actor->call.fields.grant_add;
    request->user = text(session->user);
    request->token = token_of(session->id, session->secret);
    request->permission = text(permission);
    request->has_ttl = ttl_seconds > 0;
    request->ttl = ttl_seconds * SECOND;
    return act(actor);
}

struct task begin_task(struct actor *actor, const struct session *session, enum op_task_scope scope,
                       const struct session *target)
{
    struct op_task_begin_request *request;
    struct task task = {id_of(fresh(actor)), 0, session->user, 0, 0};

    act_begin(actor, OP_task_begin);
    request = &actor->call.fields.task_begin;
    request->user = text(session->user);
    request->has_token = true;
    request->token = token_of(session->id, session->secret);
    request->kind = text("compaction");
    request->scope = scope;
    request->ttl = 500 * SECOND;
    if (target != NULL) {
        request->has_targets = true;
        request->targets_count = 1;
        request->targets[0].token = token_of(target->id, target->secret);
    }
    actor->call.minted_id = task.id;
    assert_int_equal(act(actor), OP_OK);
    task.epoch = actor->machine->fields.task_begin.epoch;
    return task;
}

enum op_outcome claim_task(struct actor *actor, struct task *task, uint64_t lease_seconds)
{
    uint64_t secret = fresh(actor);
    enum op_outcome outcome;

    act_begin(actor, OP_task_claim);
    actor->call.fields.task_claim.user = text(task->user);
    actor->call.fields.task_claim.task = task->id;
    actor->call.fields.task_claim.lease = lease_seconds * SECOND;
    actor->call.minted_id = task->id;
    actor->call.minted_secret = secret;
    outcome = act(actor);
    if (outcome == OP_OK) {
        task->secret = secret;
        task->attempt = actor->machine->fields.task_claim.attempt;
    }
    return outcome;
}

enum op_outcome put_fenced(struct actor *actor, const struct task *task, struct id128 session,
                           uint64_t operation)
{
    struct op_state_put_request *request;

    act_begin(actor, OP_state_put);
    request = &actor->call.fields.state_put;
    request->user = text(task->user);
    request->has_fence = true;
    request->fence = fence_of(task->id, task->attempt, task->secret);
    request->has_session = true;
    request->session = session;
    request->has_operation = true;
    request->operation = operation;
    request->key = text("summary");
    request->value = text("what was said");
    return act(actor);
}

enum op_outcome put(struct actor *actor, const struct session *session, const char *key)
{
    struct op_state_put_request *request;

    act_begin(actor, OP_state_put);
    request = &actor->call.fields.state_put;
    request->user = text(session->user);
    request->has_token = true;
    request->token = token_of(session->id, session->secret);
    request->key = text(key);
    request->value = text("value");
    return act(actor);
}

enum op_outcome validate(struct actor *actor, const struct session *session)
{
    struct call call;

    call_init(&call, OP_session_validate, &actor->caller, 0, 0);
    call.fields.session_validate.user = text(session->user);
    call.fields.session_validate.token = token_of(session->id, session->secret);
    assert_int_equal(machine_read(actor->machine, &call, 0), FSM_READ_ANSWERED);
    return actor->machine->reply.outcome;
}

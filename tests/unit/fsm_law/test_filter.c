/* Law: a task reaches no resource that its own session does not reach, in whichever session it
 * acts, also when its own has ended and was swept (docs/MODEL.md section 4, resource filters). */
#include "tests/unit/fsm_law/actions.h"

struct stage {
    struct machine machine;
    struct actor actor;
};

static int setup(void **state)
{
    static struct stage stage;
    struct op_limits limits = small_limits();

    machine_init(&stage.machine, &limits);
    actor_init(&stage.actor, &stage.machine, "acme", "service/front");
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;

    machine_done(&stage->machine);
    return 0;
}

static struct session open_within(struct actor *actor, const char *pattern, uint64_t number)
{
    struct session session = {id_of(number), number, "alice", 0};
    struct op_session_create_request *request;

    act_begin(actor, OP_session_create);
    request = &actor->call.fields.session_create;
    request->user = text("alice");
    request->agent = text("a");
    request->idle = 100 * SECOND;
    request->absolute = 1000 * SECOND;
    request->has_grants = true;
    request->grants_count = 3;
    request->grants[0].permission = text("task:begin");
    request->grants[1].permission = text("task:user");
    request->grants[2].permission = text("state:write");
    request->has_filter = true;
    request->filter_count = 1;
    request->filter[0].pattern = text(pattern);
    actor->call.minted_id = session.id;
    actor->call.minted_secret = session.secret;
    assert_int_equal(act(actor), OP_OK);
    return session;
}

static enum op_outcome reach(struct stage *s, const struct task *task, const struct session *in,
                             const char *resource)
{
    struct call call;
    struct op_fence_check_request *request = &call.fields.fence_check;

    call_init(&call, OP_fence_check, &s->actor.caller, 0, 0);
    request->user = text("alice");
    request->fence = fence_of(task->id, task->attempt, task->secret);
    request->has_session = true;
    request->session = in->id;
    request->permission = text("state:write");
    request->has_resource = true;
    request->resource = text(resource);
    assert_int_equal(machine_read(&s->machine, &call, 0), FSM_READ_ANSWERED);
    return s->machine.reply.outcome;
}

static void a_task_reaches_what_both_sessions_reach(void **state)
{
    struct stage *s = *state;
    struct session other = open_within(&s->actor, "**", 900001);
    struct session own = open_within(&s->actor, "db/*", 900002);
    struct task task = begin_task(&s->actor, &own, OP_TASK_SCOPE_USER, NULL);

    assert_int_equal(claim_task(&s->actor, &task, 60), OP_OK);
    assert_int_equal(reach(s, &task, &other, "db/orders"), OP_OK);
    assert_int_equal(reach(s, &task, &other, "fs/orders"), OP_OUT_OF_SCOPE);
    assert_int_equal(end_session(&s->actor, &own), OP_OK);
    machine_tick(&s->machine);
    assert_int_equal(reach(s, &task, &other, "db/orders"), OP_OK);
    assert_int_equal(reach(s, &task, &other, "fs/orders"), OP_OUT_OF_SCOPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_reaches_what_both_sessions_reach, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

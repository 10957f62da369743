/* Law: unknown id, other tenant, other user, other incarnation and bad secret cannot be told apart,
 * by the answer or by the path to it (docs/MODEL.md section 4). */
#include "tests/unit/fsm_law/actions.h"

#include <string.h>

struct stage {
    struct machine machine;
    struct actor front;
    struct actor foreign; /* another tenant */
    struct session session;
    struct task task;
};

/* One way to ask without the right to know. */
struct probe {
    const char *text;
    bool foreign;
    const char *user;
    bool unknown_id;
    bool bad_secret;
    bool other_incarnation;
};

static const struct probe probes[] = {
    {"unknown id", false, "alice", true, false, false},
    {"bad secret", false, "alice", false, true, false},
    {"another user", false, "bob", false, false, false},
    {"a user that nobody knows", false, "nobody", false, false, false},
    {"another tenant", true, "alice", false, false, false},
    {"another incarnation", false, "alice", false, false, true},
    {"all at once", true, "bob", true, true, true},
};

static int setup(void **state)
{
    static struct stage stage;
    struct op_limits limits = small_limits();

    machine_init(&stage.machine, &limits);
    actor_init(&stage.front, &stage.machine, "acme", "service/front");
    actor_init(&stage.foreign, &stage.machine, "rival", "service/front");
    stage.session = open_session(&stage.front, "alice", "a");
    (void)open_session(&stage.front, "bob", "a");
    (void)open_session(&stage.foreign, "alice", "a");
    stage.task = begin_task(&stage.front, &stage.session, OP_TASK_SCOPE_USER, NULL);
    assert_int_equal(claim_task(&stage.front, &stage.task, 60), OP_OK);
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;

    machine_done(&stage->machine);
    return 0;
}

static struct op_token probe_token(const struct probe *probe, struct id128 id, uint64_t attempt,
                                   uint64_t secret)
{
    struct op_token token = fence_of(probe->unknown_id ? id_of(9999) : id, attempt,
                                     probe->bad_secret ? secret + 1 : secret);

    if (probe->other_incarnation) {
        token.incarnation = id_of(78);
    }
    return token;
}

/* The counters after one probe less those before, and an answer without a word of why. */
static struct fsm_counters measure(struct stage *stage, const struct probe *probe,
                                   const struct call *call)
{
    struct fsm_counters before = stage->machine.fsm->counters;
    struct fsm_counters after;

    if (op_row_of_number(call->number)->access == OP_READ) {
        assert_int_equal(machine_read(&stage->machine, call, 0), FSM_READ_ANSWERED);
    } else {
        (void)machine_command(&stage->machine, call);
    }
    after = stage->machine.fsm->counters;
    if (probe != NULL) {
        static const struct op_details nothing;

        assert_int_equal(stage->machine.reply.outcome, OP_NOT_FOUND);
        assert_memory_equal(&stage->machine.details, &nothing, sizeof nothing);
        assert_int_equal(stage->machine.reply.body.size, 1);
    }
    return (struct fsm_counters){after.lookups - before.lookups,
                                 after.comparisons - before.comparisons,
                                 after.replies - before.replies};
}

static struct call session_call(struct stage *stage, const struct probe *probe,
                                enum op_number number)
{
    struct actor *actor = probe->foreign ? &stage->foreign : &stage->front;
    struct op_token token = probe_token(probe, stage->session.id, 0, stage->session.secret);

    act_begin(actor, number);
    if (number == OP_session_validate) {
        actor->call.fields.session_validate.user = text(probe->user);
        actor->call.fields.session_validate.token = token;
    } else if (number == OP_session_end) {
        actor->call.fields.session_end.user = text(probe->user);
        actor->call.fields.session_end.token = token;
    } else {
        actor->call.fields.state_get.user = text(probe->user);
        actor->call.fields.state_get.has_token = true;
        actor->call.fields.state_get.token = token;
        actor->call.fields.state_get.key = text("k");
    }
    return actor->call;
}

static struct call fence_call(struct stage *stage, const struct probe *probe)
{
    struct actor *actor = probe->foreign ? &stage->foreign : &stage->front;
    struct op_state_put_request *request;

    act_begin(actor, OP_state_put);
    request = &actor->call.fields.state_put;
    request->user = text(probe->user);
    request->has_fence = true;
    request->fence = probe_token(probe, stage->task.id, stage->task.attempt, stage->task.secret);
    request->has_session = true;
    request->session = stage->session.id;
    request->has_operation = true;
    request->operation = 1;
    request->key = text("k");
    request->value = text("v");
    return actor->call;
}

static void assert_same(const struct fsm_counters *a, const struct fsm_counters *b)
{
    assert_int_equal(a->lookups, b->lookups);
    assert_int_equal(a->comparisons, b->comparisons);
    assert_int_equal(a->replies, b->replies);
}

static void sessions_take_one_path(void **state)
{
    static const enum op_number numbers[] = {OP_session_validate, OP_session_end, OP_state_get};
    static const struct probe owner = {"the owner", false, "alice", false, false, false};
    struct stage *stage = *state;

    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
        for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
            struct call call = session_call(stage, &probes[i], numbers[n]);
            struct fsm_counters cost = measure(stage, &probes[i], &call);

            assert_int_equal(cost.lookups, 1);
            assert_int_equal(cost.comparisons, 1);
            assert_int_equal(cost.replies, 1);
        }
    }
    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
        struct call call = session_call(stage, &owner, numbers[n]);
        struct fsm_counters cost = measure(stage, NULL, &call);

        assert_int_equal(cost.lookups, 1);
        assert_int_equal(cost.comparisons, 1);
    }
}

static void fences_take_one_path(void **state)
{
    static const struct probe owner = {"the owner", false, "alice", false, false, false};
    struct stage *stage = *state;
    struct call call = fence_call(stage, &owner);
    struct fsm_counters right = measure(stage, NULL, &call);

    assert_int_equal(stage->machine.reply.outcome, OP_OK);
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        struct fsm_counters cost;

        call = fence_call(stage, &probes[i]);
        cost = measure(stage, &probes[i], &call);
        assert_same(&cost, &right);
    }
}

static void the_dead_are_not_told_apart_either(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(end_session(&stage->front, &stage->session), OP_OK);
    for (int swept = 0; swept < 2; swept++) {
        for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
            struct call call = session_call(stage, &probes[i], OP_session_validate);
            struct fsm_counters cost = measure(stage, &probes[i], &call);

            assert_int_equal(cost.lookups, 1);
            assert_int_equal(cost.comparisons, 1);
        }
        assert_int_equal(validate(&stage->front, &stage->session), OP_ENDED);
        assert_int_equal(stage->machine.details.cause, OP_END_CAUSE_LOGOUT);
        machine_tick(&stage->machine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sessions_take_one_path, setup, teardown),
        cmocka_unit_test_setup_teardown(fences_take_one_path, setup, teardown),
        cmocka_unit_test_setup_teardown(the_dead_are_not_told_apart_either, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

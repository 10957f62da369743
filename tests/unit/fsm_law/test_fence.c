/* Law: each of W1 to W9 refuses a write that breaks it alone (docs/MODEL.md section 5). */
#include "tests/unit/fsm_law/actions.h"

struct stage {
    struct machine machine;
    struct actor alice; /* the service that opens sessions */
    struct actor worker;
};

static int setup(void **state)
{
    static struct stage stage;
    struct op_limits limits = small_limits();

    machine_init(&stage.machine, &limits);
    actor_init(&stage.alice, &stage.machine, "acme", "service/front");
    actor_init(&stage.worker, &stage.machine, "acme", "service/worker");
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;

    machine_done(&stage->machine);
    return 0;
}

static void refused_by(struct stage *stage, enum op_outcome outcome, unsigned rule)
{
    assert_int_equal(outcome, OP_FENCED);
    assert_int_equal(stage->machine.details.failed, FENCE_RULE(rule));
    assert_int_equal(stage->machine.details.headline, rule);
}

static void accepts_what_breaks_nothing(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 1), OP_OK);
}

static void w1_an_attempt_before_the_newest(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);
    struct task old;

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    old = task;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
        refused_by(s, put_fenced(&s->worker, &old, own.id, 1), 1);
        assert_int_equal(s->machine.details.task_attempt, task.attempt);
    }
    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(put_fenced(&s->worker, &old, own.id, 1), OP_NOT_FOUND); /* the fifth back */
}

static void w1_attempt_and_secret_belong_together(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);
    struct task old;
    struct task mixed;

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    old = task;
    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    mixed = task;
    mixed.attempt = old.attempt;
    refused_by(s, put_fenced(&s->worker, &mixed, own.id, 1), 1);
    mixed = old;
    mixed.attempt = task.attempt;
    refused_by(s, put_fenced(&s->worker, &mixed, own.id, 1), 1);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 1), OP_OK);
}

static void w2_another_user_is_not_found(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct session bobs = open_session(&s->alice, "bob", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_USER, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(put_fenced(&s->worker, &task, bobs.id, 1), OP_NOT_FOUND);
    assert_false(s->machine.details.has_failed);
}

static void w3_the_session_that_is_written_is_dead(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct session other = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_USER, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(end_session(&s->alice, &other), OP_OK);
    refused_by(s, put_fenced(&s->worker, &task, other.id, 1), 3);
    machine_tick(&s->machine);
    refused_by(s, put_fenced(&s->worker, &task, other.id, 1), 3);
}

static void w3_the_own_session_is_dead(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct session target = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, &target);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(put_fenced(&s->worker, &task, target.id, 1), OP_OK);
    assert_int_equal(end_session(&s->alice, &own), OP_OK);
    refused_by(s, put_fenced(&s->worker, &task, target.id, 2), 3);
    assert_int_equal(s->machine.details.cause, OP_END_CAUSE_LOGOUT);
    refused_by(s, put_fenced(&s->worker, &task, own.id, 2), 3);
    machine_tick(&s->machine);
    refused_by(s, put_fenced(&s->worker, &task, own.id, 2), 3);
}

static void w4_the_session_is_newer_than_the_task(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_USER, NULL);
    struct session next;

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(end_session(&s->alice, &own), OP_OK);
    next = open_session(&s->alice, "alice", "a");
    refused_by(s, put_fenced(&s->worker, &task, next.id, 1), 4);
    assert_int_equal(s->machine.details.task_epoch, task.epoch);
    assert_int_equal(s->machine.details.session_epoch, next.epoch);
    assert_true(task.epoch < next.epoch);
}

static void w5_a_session_that_was_not_named(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct session other = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    refused_by(s, put_fenced(&s->worker, &task, other.id, 1), 5);
}

static void w6_its_agent_was_revoked(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct session other = open_session(&s->alice, "alice", "b");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_USER, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(put_fenced(&s->worker, &task, other.id, 1), OP_OK);
    assert_int_equal(revoke_agent(&s->alice, "a"), OP_OK);
    refused_by(s, put_fenced(&s->worker, &task, other.id, 2), 6);
    machine_tick(&s->machine);
    refused_by(s, put_fenced(&s->worker, &task, other.id, 2), 6);
    refused_by(s, claim_task(&s->worker, &task, 60), 6);
}

static void w7_the_permission_is_not_among_its_pairs(void **state)
{
    struct stage *s = *state;
    struct session own = open_session_with(&s->alice, "alice", "a", "task:begin", 100);
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    refused_by(s, put_fenced(&s->worker, &task, own.id, 1), 7);
    assert_int_equal(grant(&s->alice, &own, "state:write", 0), OP_OK); /* growth never reaches it */
    refused_by(s, put_fenced(&s->worker, &task, own.id, 1), 7);
}

static void w7_a_grant_that_lapsed_and_was_given_again(void **state)
{
    struct stage *s = *state;
    struct session own = open_session_with(&s->alice, "alice", "a", "task:begin", 100);
    struct task task;

    assert_int_equal(grant(&s->alice, &own, "state:write", 2), OP_OK);
    task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);
    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 1), OP_OK);
    assert_int_equal(grant(&s->alice, &own, "state:write", 3), OP_OK); /* extended: same G */
    s->machine.stamp += 2 * SECOND;
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 2), OP_OK);
    s->machine.stamp += 1 * SECOND;
    refused_by(s, put_fenced(&s->worker, &task, own.id, 3), 7);
    assert_int_equal(grant(&s->alice, &own, "state:write", 0), OP_OK); /* a new G */
    refused_by(s, put_fenced(&s->worker, &task, own.id, 3), 7);
}

static void w7_the_other_session_must_hold_it_since_before(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct session other = open_session_with(&s->alice, "alice", "a", "x:y", 100);
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_USER, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    refused_by(s, put_fenced(&s->worker, &task, other.id, 1), 7);
    assert_int_equal(grant(&s->alice, &other, "state:write", 0), OP_OK); /* G above E */
    refused_by(s, put_fenced(&s->worker, &task, other.id, 1), 7);
}

static void w8_the_lease_is_over(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 10), OP_OK);
    s->machine.stamp += 10 * SECOND - 1;
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 1), OP_OK);
    s->machine.stamp += 1;
    refused_by(s, put_fenced(&s->worker, &task, own.id, 2), 8);
}

static void w9_a_number_is_carried_out_once(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);
    uint64_t version;

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(s->machine.fields.task_claim.next, 1);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 1), OP_OK);
    version = s->machine.fields.state_put.version;
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 1), OP_OK); /* another request */
    assert_true(s->machine.reply.repeated);
    assert_int_equal(s->machine.reply.position, version + 1); /* a command of its own */
    assert_int_equal(s->machine.fields.state_put.version, version);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 66), OP_INVALID);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 65), OP_OK);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 1), OP_FORGOTTEN);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 2), OP_OK); /* 65 - 63: in the window */
    s->worker.call.fields.state_put.value = text("something else");
    s->worker.call.request = s->worker.request++;
    assert_int_equal(act(&s->worker), OP_OP_MISMATCH);
    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(s->machine.fields.task_claim.next, 66);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 2), OP_OK); /* under the new attempt */
    assert_true(s->machine.reply.repeated);
}

static void a_refusal_does_not_use_the_number_up(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct session other = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    refused_by(s, put_fenced(&s->worker, &task, other.id, 1), 5);
    assert_int_equal(put_fenced(&s->worker, &task, own.id, 1), OP_OK);
    assert_false(s->machine.reply.repeated);
}

static void a_user_task_outlives_logout_with_what_it_held_without_deadline(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct session other = open_session(&s->alice, "alice", "b");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_USER, NULL);

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(end_session(&s->alice, &own), OP_OK);
    assert_int_equal(put_fenced(&s->worker, &task, other.id, 1), OP_OK);
    machine_tick(&s->machine);
    assert_int_equal(fsm_session_count(s->machine.fsm), 1);
    assert_int_equal(put_fenced(&s->worker, &task, other.id, 2), OP_OK);
}

static enum op_outcome begin_under(struct stage *s, const struct task *parent, uint64_t operation,
                                   enum op_task_scope scope, uint64_t id)
{
    struct op_task_begin_request *request;

    act_begin(&s->worker, OP_task_begin);
    request = &s->worker.call.fields.task_begin;
    request->user = text(parent->user);
    request->has_fence = true;
    request->fence = fence_of(parent->id, parent->attempt, parent->secret);
    request->kind = text("part");
    request->scope = scope;
    request->ttl = 1000 * SECOND;
    request->has_operation = true;
    request->operation = operation;
    s->worker.call.minted_id = id_of(id);
    return act(&s->worker);
}

static void a_sub_task_has_the_epoch_session_and_deadline_of_its_parent(void **state)
{
    struct stage *s = *state;
    struct session own = open_session(&s->alice, "alice", "a");
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_USER, NULL);
    struct task sub = {id_of(51), 0, "alice", task.epoch, 0};

    assert_int_equal(claim_task(&s->worker, &task, 60), OP_OK);
    assert_int_equal(begin_under(s, &task, 1, OP_TASK_SCOPE_SESSION, 51), OP_OK);
    assert_int_equal(s->machine.fields.task_begin.epoch, task.epoch);
    assert_true(s->machine.fields.task_begin.begun > task.epoch);
    assert_int_equal(s->machine.fields.task_begin.left, 500 * SECOND);
    assert_true(id128_equal(s->machine.fields.task_begin.session, own.id));
    assert_int_equal(begin_under(s, &task, 1, OP_TASK_SCOPE_SESSION, 52), OP_OK); /* W9 */
    assert_true(s->machine.reply.repeated);
    assert_true(id128_equal(s->machine.fields.task_begin.task, id_of(51)));
    assert_int_equal(claim_task(&s->worker, &sub, 60), OP_OK);
    assert_int_equal(begin_under(s, &sub, 1, OP_TASK_SCOPE_USER, 53), OP_INVALID);
    assert_int_equal(end_session(&s->alice, &own), OP_OK);
    machine_tick(&s->machine);
    assert_int_equal(begin_under(s, &task, 2, OP_TASK_SCOPE_SESSION, 54), OP_ENDED);
    assert_int_equal(begin_under(s, &task, 2, OP_TASK_SCOPE_USER, 54), OP_OK);
}

static void the_headline_follows_the_order_of_report(void **state)
{
    struct stage *s = *state;
    struct session own = open_session_with(&s->alice, "alice", "a", "task:begin", 100);
    struct task task = begin_task(&s->alice, &own, OP_TASK_SCOPE_SESSION, NULL);
    struct session next;

    assert_int_equal(claim_task(&s->worker, &task, 10), OP_OK);
    s->machine.stamp += 10 * SECOND;
    assert_int_equal(revoke_agent(&s->alice, "a"), OP_OK);
    next = open_session_with(&s->alice, "alice", "b", "x:y", 100);
    task.attempt = 1; /* forged */
    assert_int_equal(put_fenced(&s->worker, &task, next.id, 1), OP_FENCED);
    assert_int_equal(s->machine.details.headline, 4);
    assert_int_equal(s->machine.details.failed, FENCE_RULE(1) | FENCE_RULE(3) | FENCE_RULE(4) |
                                                    FENCE_RULE(5) | FENCE_RULE(6) | FENCE_RULE(7) |
                                                    FENCE_RULE(8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepts_what_breaks_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(w1_an_attempt_before_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(w1_attempt_and_secret_belong_together, setup, teardown),
        cmocka_unit_test_setup_teardown(w2_another_user_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(w3_the_session_that_is_written_is_dead, setup, teardown),
        cmocka_unit_test_setup_teardown(w3_the_own_session_is_dead, setup, teardown),
        cmocka_unit_test_setup_teardown(w4_the_session_is_newer_than_the_task, setup, teardown),
        cmocka_unit_test_setup_teardown(w5_a_session_that_was_not_named, setup, teardown),
        cmocka_unit_test_setup_teardown(w6_its_agent_was_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(w7_the_permission_is_not_among_its_pairs, setup, teardown),
        cmocka_unit_test_setup_teardown(w7_a_grant_that_lapsed_and_was_given_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(w7_the_other_session_must_hold_it_since_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(w8_the_lease_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(w9_a_number_is_carried_out_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_does_not_use_the_number_up, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_user_task_outlives_logout_with_what_it_held_without_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sub_task_has_the_epoch_session_and_deadline_of_its_parent,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_headline_follows_the_order_of_report, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Law: one effect and one result per request number, and what a later try is given (docs/MODEL.md
 * section 6). */
#include "tests/unit/fsm_law/actions.h"

#include <string.h>

struct stage {
    struct machine machine;
    struct actor actor;
};

static int setup(void **state)
{
    static struct stage stage;
    struct op_limits limits = small_limits();

    limits.client_open_max = 8;
    limits.client_silence_us = 50 * SECOND;
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

static void a_repeated_number_has_the_first_result(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    struct fsm_reply first;
    uint64_t lifetime;

    s->machine.stamp += SECOND;
    assert_int_equal(end_session(&s->actor, &session), OP_OK);
    first = s->machine.reply;
    lifetime = s->machine.fields.session_end.lifetime;
    s->machine.stamp += SECOND;
    assert_int_equal(act(&s->actor), OP_OK);
    assert_true(s->machine.reply.repeated);
    assert_false(s->machine.reply.superseded);
    assert_int_equal(s->machine.reply.position, first.position);
    assert_int_equal(s->machine.reply.time, first.time);
    assert_int_equal(s->machine.fields.session_end.lifetime, lifetime);
    assert_int_equal(fsm_position(s->machine.fsm), first.position + 1);
}

static void refusals_are_remembered_with_their_details(void **state)
{
    struct stage *s = *state;
    struct session session = open_session_with(&s->actor, "alice", "a", "", 100);

    assert_int_equal(put(&s->actor, &session, "k"), OP_DENIED);
    struct call denied = s->actor.call;

    assert_int_equal(grant(&s->actor, &session, "state:write", 0), OP_OK);
    assert_int_equal(machine_command(&s->machine, &denied), OP_DENIED);
    assert_true(s->machine.reply.repeated);
    assert_true(bytes_equal(s->machine.details.required, text("state:write")));
    assert_int_equal(put(&s->actor, &session, "k"), OP_OK);
}

static void the_first_result_comes_before_secrets_and_life(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    assert_int_equal(put(&s->actor, &session, "k"), OP_OK);
    struct call write = s->actor.call;

    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    assert_int_equal(machine_command(&s->machine, &write), OP_OK);
    assert_true(s->machine.reply.repeated);
    assert_int_equal(put(&s->actor, &session, "k"), OP_ENDED);
}

static void the_same_number_for_another_request_is_an_error(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    assert_int_equal(put(&s->actor, &session, "k"), OP_OK);
    s->actor.call.fields.state_put.value = text("another");
    assert_int_equal(act(&s->actor), OP_NUMBER_REUSED);
}

static void below_the_lowest_open_number_all_is_forgotten(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a"); /* number 1 */
    struct call create = s->actor.call;

    assert_int_equal(table_count(s->machine.fsm->tables[FSM_REQUESTS]), 1);
    act_begin(&s->actor, OP_session_end);
    s->actor.call.lowest = 2;
    s->actor.call.fields.session_end.user = text("alice");
    s->actor.call.fields.session_end.token = token_of(session.id, session.secret);
    assert_int_equal(act(&s->actor), OP_OK);
    assert_int_equal(table_count(s->machine.fsm->tables[FSM_REQUESTS]), 1);
    assert_int_equal(machine_command(&s->machine, &create), OP_FORGOTTEN);
    assert_int_equal(op_outcome_class(OP_FORGOTTEN), OP_CLASS_UNKNOWN);
}

static void at_most_so_many_numbers_are_open(void **state)
{
    struct stage *s = *state;

    act_begin(&s->actor, OP_revoke_user);
    s->actor.call.fields.revoke_user.user = text("alice");
    s->actor.call.request = 8;
    assert_int_equal(act(&s->actor), OP_OK);
    s->actor.call.request = 9;
    assert_int_equal(act(&s->actor), OP_OVERLOADED); /* not REFUSED: it is not remembered */
    assert_true(bytes_equal(s->machine.details.limit, text("client_open_max")));
    s->actor.call.lowest = 2;
    assert_int_equal(act(&s->actor), OP_OK);
    s->actor.call.lowest = UINT64_MAX;
    s->actor.call.request = UINT64_MAX;
    assert_int_equal(act(&s->actor), OP_OK);
    assert_int_equal(table_count(s->machine.fsm->tables[FSM_REQUESTS]), 1);
}

static void wrong_numbers_are_refused(void **state)
{
    struct stage *s = *state;

    act_begin(&s->actor, OP_revoke_user);
    s->actor.call.fields.revoke_user.user = text("alice");
    s->actor.call.request = 0;
    assert_int_equal(act(&s->actor), OP_INVALID);
    assert_true(bytes_equal(s->machine.details.field, text("number")));
    s->actor.call.request = 1;
    s->actor.call.lowest = 2;
    assert_int_equal(act(&s->actor), OP_INVALID);
    s->actor.call.lowest = 1;
    s->actor.call.attempt = 0;
    assert_int_equal(act(&s->actor), OP_INVALID);
}

static void a_number_belongs_to_the_certificate_that_registered(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    assert_int_equal(end_session(&s->actor, &session), OP_OK);
    s->actor.call.caller.name = text("service/other");
    assert_int_equal(act(&s->actor), OP_CLIENT_UNKNOWN);
    s->actor.call.caller = s->actor.caller;
    s->actor.call.caller.tenant = text("rival");
    assert_int_equal(act(&s->actor), OP_CLIENT_UNKNOWN);
    s->actor.call.caller = s->actor.caller;
    s->actor.call.client++;
    assert_int_equal(act(&s->actor), OP_CLIENT_UNKNOWN);
}

static void only_silence_evicts_swept_or_not(void **state)
{
    struct stage *s = *state;

    s->machine.stamp += 50 * SECOND - 1;
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    s->machine.stamp += 50 * SECOND;
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_CLIENT_UNKNOWN);
    assert_int_equal(table_count(s->machine.fsm->tables[FSM_CLIENTS]), 1);
    machine_tick(&s->machine);
    assert_int_equal(table_count(s->machine.fsm->tables[FSM_CLIENTS]), 0);
    assert_int_equal(table_count(s->machine.fsm->tables[FSM_REQUESTS]), 0);
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_CLIENT_UNKNOWN);
}

/* ---- tries ---- */

static void a_higher_try_mints_again_for_the_same_object(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    struct id128 before;

    assert_true(s->machine.reply.minted);
    assert_true(fsm_minted_before(s->machine.fsm, &s->actor.caller, s->actor.client,
                                  s->actor.call.request, &before));
    assert_true(id128_equal(before, session.id));
    s->actor.call.attempt = 3;
    s->actor.call.minted_secret = 31;
    assert_int_equal(act(&s->actor), OP_OK);
    assert_true(s->machine.reply.minted && s->machine.reply.repeated);
    assert_false(s->machine.reply.superseded);
    assert_int_equal(s->machine.reply.position, session.epoch);
    assert_int_equal(validate(&s->actor, &session), OP_NOT_FOUND); /* replaced: simply bad */
    session.secret = 31;
    assert_int_equal(validate(&s->actor, &session), OP_OK);
    s->actor.call.attempt = 2; /* late */
    s->actor.call.minted_secret = 21;
    assert_int_equal(act(&s->actor), OP_OK);
    assert_true(s->machine.reply.superseded);
    assert_false(s->machine.reply.minted);
    assert_int_equal(validate(&s->actor, &session), OP_OK);
    s->actor.call.attempt = 3; /* a double */
    assert_int_equal(act(&s->actor), OP_OK);
    assert_true(s->machine.reply.superseded);
    assert_int_equal(validate(&s->actor, &session), OP_OK);
}

static void a_try_minted_for_another_id_is_asked_again(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    s->actor.call.attempt = 2;
    s->actor.call.minted_id = id_of(5);
    s->actor.call.minted_secret = 21;
    assert_int_equal(act(&s->actor), OP_MINT_AGAIN);
    assert_int_equal(validate(&s->actor, &session), OP_OK);
    s->actor.call.minted_id = session.id; /* the same try: it does not count as seen */
    assert_int_equal(act(&s->actor), OP_OK);
    assert_true(s->machine.reply.minted);
    session.secret = 21;
    assert_int_equal(validate(&s->actor, &session), OP_OK);
    assert_int_equal(fsm_session_count(s->machine.fsm), 1);
}

static void an_ended_session_is_reminted_alike_before_and_after_its_sweep(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    struct call create = s->actor.call;

    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    for (uint64_t try = 2; try < 4; try++) {
        create.attempt = try;
        create.minted_secret = try;
        assert_int_equal(machine_command(&s->machine, &create), OP_OK);
        assert_true(s->machine.reply.minted);
        session.secret = try;
        assert_int_equal(validate(&s->actor, &session), OP_ENDED);
        assert_int_equal(s->machine.details.cause, OP_END_CAUSE_REVOKED);
        machine_tick(&s->machine);
        assert_int_equal(fsm_session_count(s->machine.fsm), 0);
    }
}

static void a_claim_is_reminted_until_another_claim(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    struct task task = begin_task(&s->actor, &session, OP_TASK_SCOPE_SESSION, NULL);
    struct task replaced;

    assert_int_equal(claim_task(&s->actor, &task, 60), OP_OK);
    struct call claim = s->actor.call;

    replaced = task;
    claim.attempt = 2;
    claim.minted_secret = task.secret = 21;
    assert_int_equal(machine_command(&s->machine, &claim), OP_OK);
    assert_true(s->machine.reply.minted);
    assert_int_equal(s->machine.fields.task_claim.attempt, task.attempt);
    /* It does not enter the last four verifiers: no W1, but nothing at all. */
    assert_int_equal(put_fenced(&s->actor, &replaced, session.id, 1), OP_NOT_FOUND);
    assert_int_equal(put_fenced(&s->actor, &task, session.id, 1), OP_OK);
    assert_int_equal(claim_task(&s->actor, &replaced, 60), OP_OK); /* the same worker again */
    claim.attempt = 3;
    claim.minted_secret = 31;
    assert_int_equal(machine_command(&s->machine, &claim), OP_OK);
    assert_true(s->machine.reply.superseded);
    assert_false(s->machine.reply.minted);
    assert_int_equal(put_fenced(&s->actor, &replaced, session.id, 2), OP_OK);
}

static void retry_is_never_remembered(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    act_begin(&s->actor, OP_session_create);
    s->actor.call.fields.session_create.user = text("alice");
    s->actor.call.fields.session_create.agent = text("a");
    s->actor.call.fields.session_create.idle = 100 * SECOND;
    s->actor.call.fields.session_create.absolute = 100 * SECOND;
    s->actor.call.minted_id = session.id; /* an id that is taken */
    assert_int_equal(act(&s->actor), OP_MINT_AGAIN);
    s->actor.call.minted_id = id_of(5);
    assert_int_equal(act(&s->actor), OP_OK);
    assert_false(s->machine.reply.repeated);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_repeated_number_has_the_first_result),
        TEST(refusals_are_remembered_with_their_details),
        TEST(the_first_result_comes_before_secrets_and_life),
        TEST(the_same_number_for_another_request_is_an_error),
        TEST(below_the_lowest_open_number_all_is_forgotten),
        TEST(at_most_so_many_numbers_are_open),
        TEST(wrong_numbers_are_refused),
        TEST(a_number_belongs_to_the_certificate_that_registered),
        TEST(only_silence_evicts_swept_or_not),
        TEST(a_higher_try_mints_again_for_the_same_object),
        TEST(a_try_minted_for_another_id_is_asked_again),
        TEST(an_ended_session_is_reminted_alike_before_and_after_its_sweep),
        TEST(a_claim_is_reminted_until_another_claim),
        TEST(retry_is_never_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

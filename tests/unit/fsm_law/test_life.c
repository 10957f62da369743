/* Law: a session dies at exactly one position, for the earliest cause in log order, whether the
 * sweep has passed or not; reads answer under T6 (docs/MODEL.md sections 2 to 4). */
#include "tests/unit/fsm_law/actions.h"

struct stage {
    struct machine machine;
    struct actor actor;
};

static int setup(void **state)
{
    static struct stage stage;
    struct op_limits limits = small_limits();

    limits.tombstone_us = 300 * SECOND;
    limits.watermark_us = 60 * SECOND;
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

static void ended_by(struct stage *s, const struct session *session, enum op_outcome outcome,
                     enum op_end_cause cause)
{
    assert_int_equal(validate(&s->actor, session), outcome);
    assert_int_equal(s->machine.details.cause, cause);
    machine_tick(&s->machine);
    assert_int_equal(fsm_session_count(s->machine.fsm), 0);
    assert_int_equal(validate(&s->actor, session), outcome);
    assert_int_equal(s->machine.details.cause, cause);
}

/* Time passes, and something else than a tick is applied at the new T. */
static void pass(struct stage *s, uint64_t time)
{
    uint8_t entry[512];
    size_t size;

    s->machine.stamp += time;
    size = entry_of_kind(OP_COMMAND_TERM_START, s->machine.stamp, entry, sizeof entry);
    (void)machine_entry(&s->machine, bytes_of(entry, size));
}

/* A stamp that no leader's clock can say still leaves the machine standing. */
static void the_end_of_time_is_survived(void **state)
{
    struct stage *s = *state;

    (void)open_session(&s->actor, "alice", "a");
    s->machine.stamp = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        machine_tick(&s->machine);
    }
    assert_int_equal(fsm_session_count(s->machine.fsm), 0);
    assert_int_equal(fsm_next_deadline(s->machine.fsm), OP_INFINITE);
}

static void a_deadline_has_passed_when_time_reaches_it(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    pass(s, 100 * SECOND - 1);
    assert_int_equal(validate(&s->actor, &session), OP_OK);
    assert_int_equal(s->machine.fields.session_validate.idle, 1);
    pass(s, 1);
    ended_by(s, &session, OP_EXPIRED, OP_END_CAUSE_IDLE_TIMEOUT);
}

static void absolute_comes_before_idle_on_a_tie(void **state)
{
    struct stage *s = *state;
    struct session session = open_session_with(&s->actor, "alice", "a", "", 1000);

    s->machine.stamp += 1000 * SECOND;
    pass(s, 0);
    ended_by(s, &session, OP_EXPIRED, OP_END_CAUSE_ABSOLUTE_TIMEOUT);
}

static void a_revoke_comes_first_when_the_deadline_is_later(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    pass(s, 99 * SECOND);
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    pass(s, 10 * SECOND);
    ended_by(s, &session, OP_ENDED, OP_END_CAUSE_REVOKED);
}

static void a_deadline_comes_first_when_the_revoke_finds_it_passed(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    s->machine.stamp += 100 * SECOND; /* the revoke's own entry brings the time */
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    ended_by(s, &session, OP_EXPIRED, OP_END_CAUSE_IDLE_TIMEOUT);
}

static void a_second_revoke_does_not_move_the_first(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    pass(s, 200 * SECOND);
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    ended_by(s, &session, OP_ENDED, OP_END_CAUSE_REVOKED);
    pass(s, 100 * SECOND); /* 300 s after the first: forgotten */
    assert_int_equal(validate(&s->actor, &session), OP_NOT_FOUND);
}

static void logout_stays_the_cause(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    assert_int_equal(end_session(&s->actor, &session), OP_OK);
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    pass(s, 200 * SECOND);
    assert_int_equal(end_session(&s->actor, &session), OP_ENDED);
    assert_int_equal(s->machine.details.cause, OP_END_CAUSE_LOGOUT);
    ended_by(s, &session, OP_ENDED, OP_END_CAUSE_LOGOUT);
}

static void a_revoke_ends_all_below_it_and_nothing_after_it(void **state)
{
    struct stage *s = *state;
    struct session first = open_session(&s->actor, "alice", "a");
    struct session second = open_session(&s->actor, "alice", "b");
    struct session bobs = open_session(&s->actor, "bob", "a");
    struct session third;

    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    third = open_session(&s->actor, "alice", "a");
    for (int swept = 0; swept < 2; swept++) {
        assert_int_equal(validate(&s->actor, &first), OP_ENDED);
        assert_int_equal(validate(&s->actor, &second), OP_ENDED);
        assert_int_equal(validate(&s->actor, &bobs), OP_OK);
        assert_int_equal(validate(&s->actor, &third), OP_OK);
        machine_tick(&s->machine);
        assert_false(fsm_sweep_due(s->machine.fsm));
        assert_int_equal(fsm_session_count(s->machine.fsm), 2);
    }
}

static void names_of_one_tenant_mean_nothing_to_another(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    struct actor rival;

    actor_init(&rival, &s->machine, "rival", "service/front");
    assert_int_equal(revoke_user(&rival, "alice"), OP_OK);
    assert_int_equal(revoke_agent(&rival, "a"), OP_OK);
    assert_int_equal(validate(&s->actor, &session), OP_OK);
}

static void a_tombstone_is_forgotten_at_its_time_swept_or_not(void **state)
{
    struct stage *s = *state;
    struct session swept = open_session(&s->actor, "alice", "a");
    struct session unswept;

    assert_int_equal(end_session(&s->actor, &swept), OP_OK);
    machine_tick(&s->machine);
    unswept = open_session(&s->actor, "alice", "a");
    assert_int_equal(end_session(&s->actor, &unswept), OP_OK);
    pass(s, 300 * SECOND - 1);
    assert_int_equal(validate(&s->actor, &swept), OP_ENDED);
    assert_int_equal(validate(&s->actor, &unswept), OP_ENDED);
    pass(s, 1);
    assert_int_equal(validate(&s->actor, &swept), OP_NOT_FOUND);
    assert_int_equal(validate(&s->actor, &unswept), OP_NOT_FOUND);
    machine_tick(&s->machine);
    assert_int_equal(table_count(s->machine.fsm->tables[FSM_TOMBSTONES]), 0);
}

static void all_is_freed_in_the_end(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    struct task task = begin_task(&s->actor, &session, OP_TASK_SCOPE_USER, NULL);
    struct fsm *fsm = s->machine.fsm;

    assert_int_equal(put(&s->actor, &session, "k"), OP_OK);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(claim_task(&s->actor, &task, 60), OP_OK);
    }
    assert_int_equal(put_fenced(&s->actor, &task, session.id, 1), OP_OK);
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    machine_tick(&s->machine);
    assert_int_equal(fsm_session_count(fsm), 0);
    assert_int_equal(table_count(fsm->tables[FSM_TOMBSTONES]), 1); /* pinned by the task */
    assert_int_equal(validate(&s->actor, &session), OP_ENDED);
    pass(s, 799 * SECOND);
    machine_tick(&s->machine);
    assert_int_equal(fsm_task_count(fsm), 1);
    assert_int_equal(validate(&s->actor, &session), OP_ENDED);
    pass(s, 1 * SECOND);
    assert_int_equal(validate(&s->actor, &session), OP_NOT_FOUND);
    machine_tick(&s->machine);
    for (enum fsm_table table = FSM_META; table < FSM_TABLES; table++) {
        uint32_t left = table_count(fsm->tables[table]);

        /* The record of the cluster; the tenant and its name. */
        bool stays = table == FSM_META || table == FSM_TENANTS || table == FSM_NAMES;

        if (table != FSM_EVENTS) { /* what happened is told until newer events take its place */
            assert_int_equal(left, stays ? 1 : 0);
        }
    }
}

static void a_dropped_watermark_raises_the_floor(void **state)
{
    struct stage *s = *state;
    const struct tenant_record *tenant;
    uint64_t position;

    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    position = s->machine.fields.revoke_user.watermark;
    pass(s, 60 * SECOND - 1);
    machine_tick(&s->machine);
    assert_int_equal(table_count(s->machine.fsm->tables[FSM_WATERMARKS]), 1);
    pass(s, 1);
    machine_tick(&s->machine);
    assert_int_equal(table_count(s->machine.fsm->tables[FSM_WATERMARKS]), 0);
    tenant = table_read(s->machine.fsm->tables[FSM_TENANTS], 1);
    assert_int_equal(tenant->auth_floor, position);
}

/* ---- T6 ---- */

static enum fsm_read_verdict validate_at(struct stage *s, const struct session *session,
                                         uint64_t clock)
{
    struct call call;

    call_init(&call, OP_session_validate, &s->actor.caller, 0, 0);
    call.fields.session_validate.user = text(session->user);
    call.fields.session_validate.token = token_of(session->id, session->secret);
    return machine_read(&s->machine, &call, clock);
}

static void a_read_waits_while_a_deadline_lies_between_time_and_clock(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    uint64_t deadline = s->machine.stamp + 100 * SECOND;
    struct session stranger = session;

    assert_int_equal(validate_at(s, &session, deadline - 1), FSM_READ_ANSWERED);
    assert_int_equal(s->machine.reply.outcome, OP_OK);
    assert_int_equal(validate_at(s, &session, deadline), FSM_READ_WAIT);
    assert_int_equal(validate_at(s, &session, deadline + SECOND), FSM_READ_WAIT);
    stranger.secret++;
    assert_int_equal(validate_at(s, &stranger, deadline), FSM_READ_ANSWERED);
    assert_int_equal(s->machine.reply.outcome, OP_NOT_FOUND);
    pass(s, 100 * SECOND);
    assert_int_equal(validate_at(s, &session, deadline), FSM_READ_ANSWERED);
    assert_int_equal(s->machine.reply.outcome, OP_EXPIRED);
}

/* T7: by the clock of a read, 1 % of 100 s is the least move; nothing is written by asking. */
static void a_touch_is_a_command_when_its_clock_says_so(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    uint64_t opened = s->machine.stamp;
    struct call *call = &s->actor.call;

    act_begin(&s->actor, OP_session_touch);
    call->fields.session_touch.user = text(session.user);
    call->fields.session_touch.token = token_of(session.id, session.secret);
    assert_int_equal(machine_read(&s->machine, call, opened + SECOND - 1), FSM_READ_ANSWERED);
    assert_false(s->machine.fields.session_touch.written);
    assert_int_equal(s->machine.fields.session_touch.idle, 100 * SECOND);
    assert_int_equal(machine_read(&s->machine, call, opened + SECOND), FSM_READ_COMMAND);
    assert_int_equal(machine_read(&s->machine, call, opened + 100 * SECOND), FSM_READ_WAIT);
    call->attempt = 2; /* its first try may have been a command */
    assert_int_equal(machine_read(&s->machine, call, opened), FSM_READ_COMMAND);
    call->attempt = 1;
    s->machine.stamp = opened + SECOND;
    assert_int_equal(machine_command(&s->machine, call), OP_OK);
    assert_true(s->machine.fields.session_touch.written);
    assert_int_equal(fsm_next_deadline(s->machine.fsm), opened + 101 * SECOND);
    assert_int_equal(machine_read(&s->machine, call, 0), FSM_READ_COMMAND); /* its number is used */
}

static void a_check_waits_for_its_own_grant_alone(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    uint64_t now = s->machine.stamp;
    struct call call;

    assert_int_equal(grant(&s->actor, &session, "door:open", 2), OP_OK);
    call_init(&call, OP_permission_check, &s->actor.caller, 0, 0);
    call.fields.permission_check.user = text("alice");
    call.fields.permission_check.token = token_of(session.id, session.secret);
    call.fields.permission_check.permission = text("door:open");
    assert_int_equal(machine_read(&s->machine, &call, now + 2 * SECOND - 1), FSM_READ_ANSWERED);
    assert_int_equal(s->machine.fields.permission_check.left, 2 * SECOND);
    assert_int_equal(machine_read(&s->machine, &call, now + 2 * SECOND), FSM_READ_WAIT);
    call.fields.permission_check.permission = text("state:write");
    assert_int_equal(machine_read(&s->machine, &call, now + 2 * SECOND), FSM_READ_ANSWERED);
    assert_int_equal(s->machine.reply.outcome, OP_OK);
    pass(s, 2 * SECOND);
    call.fields.permission_check.permission = text("door:open");
    assert_int_equal(machine_read(&s->machine, &call, 0), FSM_READ_ANSWERED);
    assert_int_equal(s->machine.reply.outcome, OP_DENIED);
    assert_true(bytes_equal(s->machine.details.required, text("door:open")));
}

static void time_never_goes_back(void **state)
{
    struct stage *s = *state;
    uint64_t before;

    pass(s, 10 * SECOND);
    before = fsm_time(s->machine.fsm);
    s->machine.stamp -= 5 * SECOND;
    pass(s, 0);
    assert_int_equal(fsm_time(s->machine.fsm), before);
    assert_int_equal(s->machine.reply.time, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_end_of_time_is_survived),
        TEST(a_deadline_has_passed_when_time_reaches_it),
        TEST(absolute_comes_before_idle_on_a_tie),
        TEST(a_revoke_comes_first_when_the_deadline_is_later),
        TEST(a_deadline_comes_first_when_the_revoke_finds_it_passed),
        TEST(a_second_revoke_does_not_move_the_first),
        TEST(logout_stays_the_cause),
        TEST(a_revoke_ends_all_below_it_and_nothing_after_it),
        TEST(names_of_one_tenant_mean_nothing_to_another),
        TEST(a_tombstone_is_forgotten_at_its_time_swept_or_not),
        TEST(all_is_freed_in_the_end),
        TEST(a_dropped_watermark_raises_the_floor),
        TEST(a_read_waits_while_a_deadline_lies_between_time_and_clock),
        TEST(a_touch_is_a_command_when_its_clock_says_so),
        TEST(a_check_waits_for_its_own_grant_alone),
        TEST(time_never_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

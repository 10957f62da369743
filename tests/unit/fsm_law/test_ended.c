/* Law: who counts is told of each session's end once, at its sweep, with cause, lifetime and how
 * late the sweep came; not of what an image brings (fsm.h, fsm_watch_ended). */
#include "tests/unit/fsm_law/actions.h"

struct stage {
    struct machine machine;
    struct actor actor;
    size_t count;
    struct fsm_ended last;
};

static void on_ended(void *arg, const struct fsm_ended *ended)
{
    struct stage *stage = arg;

    stage->count++;
    stage->last = *ended;
}

static int setup(void **state)
{
    static struct stage stage;
    struct op_limits limits = small_limits();

    stage.count = 0;
    machine_init(&stage.machine, &limits);
    actor_init(&stage.actor, &stage.machine, "acme", "service/front");
    fsm_watch_ended(stage.machine.fsm, on_ended, &stage);
    *state = &stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;

    machine_done(&stage->machine);
    return 0;
}

static void told(const struct stage *s, size_t count, enum op_end_cause cause, uint64_t lifetime_us,
                 uint64_t late_us)
{
    assert_int_equal(s->count, count);
    assert_int_equal(s->last.cause, cause);
    assert_int_equal(s->last.lifetime_us, lifetime_us);
    assert_int_equal(s->last.late_us, late_us);
    assert_true(s->last.bytes >= sizeof(struct session_record));
}

static void each_end_is_told_once(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    s->machine.stamp += 7 * SECOND;
    assert_int_equal(end_session(&s->actor, &session), OP_OK);
    assert_int_equal(s->count, 0); /* not before it is written down */
    machine_tick(&s->machine);
    told(s, 1, OP_END_CAUSE_LOGOUT, 7 * SECOND, 0);
    machine_tick(&s->machine);
    assert_int_equal(s->count, 1);

    (void)open_session(&s->actor, "bob", "a");
    s->machine.stamp += 103 * SECOND;
    machine_tick(&s->machine);
    told(s, 2, OP_END_CAUSE_IDLE_TIMEOUT, 100 * SECOND, 3 * SECOND);

    (void)open_session(&s->actor, "carol", "a");
    s->machine.stamp += SECOND;
    assert_int_equal(revoke_agent(&s->actor, "a"), OP_OK);
    machine_tick(&s->machine);
    told(s, 3, OP_END_CAUSE_REVOKED, SECOND, 0);
}

static void what_it_held_counts(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");
    uint64_t bytes;

    assert_int_equal(put(&s->actor, &session, "key"), OP_OK);
    assert_int_equal(end_session(&s->actor, &session), OP_OK);
    machine_tick(&s->machine);
    bytes = s->last.bytes;
    assert_true(bytes > sizeof(struct session_record));
}

static void nobody_may_count(void **state)
{
    struct stage *s = *state;
    struct session session = open_session(&s->actor, "alice", "a");

    fsm_watch_ended(s->machine.fsm, NULL, NULL);
    assert_int_equal(end_session(&s->actor, &session), OP_OK);
    machine_tick(&s->machine);
    assert_int_equal(s->count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_end_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_it_held_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_may_count, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

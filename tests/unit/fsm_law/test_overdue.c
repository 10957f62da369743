/* Law: a dead session that is not swept is counted once, from its death on, however it died
 * (fsm.h, fsm_overdue). */
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

static uint32_t overdue(const struct stage *s, uint64_t since)
{
    return fsm_overdue(s->machine.fsm, fsm_time(s->machine.fsm) - since);
}

/* Time passes; nothing is swept. */
static void pass(struct stage *s, uint64_t seconds)
{
    s->machine.stamp += seconds * SECOND;
    act_begin(&s->actor, OP_client_register);
    (void)act(&s->actor);
}

static void by_a_deadline(void **state)
{
    struct stage *s = *state;

    (void)open_session(&s->actor, "alice", "a"); /* idles for 100 s */
    (void)open_session_with(&s->actor, "bob", "a", "state:write", 10);
    assert_int_equal(overdue(s, 0), 0);
    pass(s, 9);
    assert_int_equal(overdue(s, 0), 0);
    pass(s, 1);
    assert_int_equal(overdue(s, 0), 1);
    assert_int_equal(overdue(s, 1), 0); /* dead, not yet for so long */
    pass(s, 60);
    assert_int_equal(overdue(s, 60 * SECOND), 1);
    assert_int_equal(overdue(s, 60 * SECOND + 1), 0);
    pass(s, 60);
    assert_int_equal(overdue(s, 0), 2);
    machine_tick(&s->machine);
    assert_int_equal(overdue(s, 0), 0);
}

static void by_its_end(void **state)
{
    struct stage *s = *state;
    struct session one = open_session(&s->actor, "alice", "a");
    struct session two = open_session(&s->actor, "alice", "a");

    assert_int_equal(end_session(&s->actor, &two), OP_OK);
    pass(s, 5);
    assert_int_equal(end_session(&s->actor, &one), OP_OK);
    assert_int_equal(overdue(s, 0), 2);
    assert_int_equal(overdue(s, 5 * SECOND), 1);
    assert_int_equal(overdue(s, 5 * SECOND + 1), 0);
    machine_tick(&s->machine);
    assert_int_equal(overdue(s, 0), 0);
}

static void under_watermarks_once(void **state)
{
    struct stage *s = *state;
    struct session ended = open_session(&s->actor, "alice", "a");

    (void)open_session(&s->actor, "alice", "a");
    (void)open_session(&s->actor, "alice", "b");
    (void)open_session(&s->actor, "bob", "a");
    (void)open_session(&s->actor, "bob", "b");
    assert_int_equal(end_session(&s->actor, &ended), OP_OK);
    assert_int_equal(revoke_user(&s->actor, "alice"), OP_OK);
    assert_int_equal(overdue(s, 0), 3);
    pass(s, 7);
    assert_int_equal(revoke_agent(&s->actor, "a"), OP_OK);
    (void)open_session(&s->actor, "alice", "a"); /* younger than both */
    assert_int_equal(overdue(s, 7 * SECOND), 3);
    assert_int_equal(overdue(s, 0), 4);
    pass(s, 101); /* and now all of them idled as well */
    assert_int_equal(overdue(s, 0), 6);
    machine_tick(&s->machine);
    assert_int_equal(overdue(s, 0), 0);
}

static struct session open_child(struct stage *s, const struct session *parent)
{
    struct session child = {id_of(900 + s->actor.request), 900 + s->actor.request, parent->user, 0};
    struct op_session_create_request *request;

    act_begin(&s->actor, OP_session_create);
    request = &s->actor.call.fields.session_create;
    request->user = text(parent->user);
    request->agent = text("helper");
    request->idle = 100 * SECOND;
    request->absolute = 1000 * SECOND;
    request->has_parent = true;
    request->parent = token_of(parent->id, parent->secret);
    s->actor.call.minted_id = child.id;
    s->actor.call.minted_secret = child.secret;
    assert_int_equal(act(&s->actor), OP_OK);
    return child;
}

static void with_its_parent(void **state)
{
    struct stage *s = *state;
    struct session parent = open_session(&s->actor, "alice", "a");
    struct session child = open_child(s, &parent);
    struct session below = open_child(s, &child);

    (void)open_child(s, &parent);
    (void)open_child(s, &below);
    assert_int_equal(end_session(&s->actor, &below), OP_OK);
    assert_int_equal(overdue(s, 0), 2);
    assert_int_equal(end_session(&s->actor, &parent), OP_OK);
    assert_int_equal(overdue(s, 0), 5);
    machine_tick(&s->machine);
    assert_int_equal(overdue(s, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_a_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(by_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(under_watermarks_once, setup, teardown),
        cmocka_unit_test_setup_teardown(with_its_parent, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

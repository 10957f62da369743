/* Law: everything is bounded by a count that the log alone decides; a full table is SWEEPING while
 * the sweep has work and LIMIT otherwise; a tick does a bounded amount of work. */
#include "tests/unit/fsm_law/actions.h"

#include <stdio.h>
#include <string.h>

struct stage {
    struct machine machine;
    struct actor actor;
};

static struct stage stage;

static void begin(const struct op_limits *limits)
{
    machine_init(&stage.machine, limits);
    actor_init(&stage.actor, &stage.machine, "acme", "service/front");
}

static int teardown(void **state)
{
    (void)state;
    machine_done(&stage.machine);
    return 0;
}

static enum op_outcome try_session(const char *user)
{
    struct op_session_create_request *request;

    act_begin(&stage.actor, OP_session_create);
    request = &stage.actor.call.fields.session_create;
    request->user = text(user);
    request->agent = text("a");
    request->idle = 100 * SECOND;
    request->absolute = 100 * SECOND;
    stage.actor.call.minted_id = id_of(5000 + stage.actor.request);
    return act(&stage.actor);
}

static void limit_named(enum op_outcome outcome, const char *name)
{
    assert_int_equal(outcome, OP_LIMIT);
    assert_true(bytes_equal(stage.machine.details.limit, text(name)));
}

static void a_full_table_is_sweeping_while_there_is_something_to_sweep(void **state)
{
    struct op_limits limits = small_limits();

    (void)state;
    limits.sessions_max = 16;
    begin(&limits);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(try_session(i < 4 ? "alice" : "bob"), OP_OK);
    }
    limit_named(try_session("bob"), "sessions_max");
    assert_int_equal(revoke_user(&stage.actor, "alice"), OP_OK);
    assert_int_equal(try_session("bob"), OP_SWEEPING);
    assert_true(stage.machine.details.has_hint && stage.machine.details.hint > 0);
    machine_tick(&stage.machine);
    assert_int_equal(act(&stage.actor), OP_OK); /* the same number again: it was never remembered */
    assert_false(stage.machine.reply.repeated);
}

static void names_run_out_without_harm(void **state)
{
    struct op_limits limits = small_limits();
    char user[8] = "u00";

    (void)state;
    limits.names_max = 64;
    begin(&limits);
    for (int i = 0; i < 61; i++) { /* tenant, certificate, agent: three of 64 */
        user[1] = (char)('0' + i / 10);
        user[2] = (char)('0' + i % 10);
        assert_int_equal(try_session(user), OP_OK);
    }
    limit_named(try_session("one more"), "names_max");
    assert_int_equal(try_session("u07"), OP_OK);
    limit_named(revoke_user(&stage.actor, "stranger"), "names_max");
}

static void a_session_can_be_ended_when_blocks_are_full(void **state)
{
    struct op_limits limits = small_limits();
    enum op_outcome outcome = OP_OK;
    struct session session;
    char key[16];

    (void)state;
    limits.blocks_max = 640;
    begin(&limits);
    session = open_session(&stage.actor, "alice", "a");
    for (int i = 0; i < 640 && outcome == OP_OK; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        outcome = put(&stage.actor, &session, key);
    }
    limit_named(outcome, "blocks_max");
    assert_int_equal(end_session(&stage.actor, &session), OP_OK);
    assert_int_equal(revoke_user(&stage.actor, "alice"), OP_OK);
    machine_tick(&stage.machine);
    session = open_session(&stage.actor, "alice", "a");
    assert_int_equal(put(&stage.actor, &session, "key"), OP_OK);
}

static void a_sessions_own_counts(void **state)
{
    struct op_limits limits = small_limits();
    struct session session;

    (void)state;
    limits.session_keys_max = 2;
    limits.session_grants_max = 4;
    limits.session_tasks_max = 1;
    limits.session_state_bytes_max = 1024;
    begin(&limits);
    session = open_session(&stage.actor, "alice", "a");
    assert_int_equal(put(&stage.actor, &session, "1"), OP_OK);
    assert_int_equal(put(&stage.actor, &session, "2"), OP_OK);
    assert_int_equal(put(&stage.actor, &session, "2"), OP_OK);
    limit_named(put(&stage.actor, &session, "3"), "session_keys_max");
    assert_int_equal(grant(&stage.actor, &session, "x:1", 1), OP_OK);
    limit_named(grant(&stage.actor, &session, "x:2", 0), "session_grants_max");
    stage.machine.stamp += SECOND; /* a grant that lapsed counts no longer */
    assert_int_equal(grant(&stage.actor, &session, "x:2", 0), OP_OK);
    (void)begin_task(&stage.actor, &session, OP_TASK_SCOPE_SESSION, NULL);
    stage.actor.call.minted_id = id_of(4);
    stage.actor.call.request = stage.actor.request++;
    limit_named(act(&stage.actor), "session_tasks_max");
}

static void state_bytes_are_counted_as_values_change(void **state)
{
    static uint8_t value[2000];
    struct op_limits limits = small_limits();
    struct session session;

    (void)state;
    limits.session_state_bytes_max = 1024;
    begin(&limits);
    session = open_session(&stage.actor, "alice", "a");
    assert_int_equal(put(&stage.actor, &session, "key"), OP_OK);
    stage.actor.call.request = stage.actor.request++;
    stage.actor.call.fields.state_put.value = bytes_of(value, 1022);
    limit_named(act(&stage.actor), "session_state_bytes_max");
    stage.actor.call.request = stage.actor.request++;
    stage.actor.call.fields.state_put.value = bytes_of(value, 1021);
    assert_int_equal(act(&stage.actor), OP_OK);
    stage.actor.call.request = stage.actor.request++;
    stage.actor.call.fields.state_put.value = bytes_of(value, 0);
    assert_int_equal(act(&stage.actor), OP_OK);
    assert_int_equal(put(&stage.actor, &session, "another"), OP_OK);
}

static void clients_are_bounded_and_only_silence_makes_room(void **state)
{
    struct op_limits limits = small_limits();
    struct call call;

    (void)state;
    limits.clients_max = 4;
    begin(&limits);
    call_init(&call, OP_client_register, &stage.actor.caller, 0, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(machine_command(&stage.machine, &call), OP_OK);
    }
    limit_named(machine_command(&stage.machine, &call), "clients_max");
    stage.machine.stamp += 600 * SECOND;
    assert_int_equal(machine_command(&stage.machine, &call), OP_SWEEPING);
    machine_tick(&stage.machine);
    assert_int_equal(machine_command(&stage.machine, &call), OP_OK);
}

static void tombstones_are_bounded_and_the_oldest_goes(void **state)
{
    struct op_limits limits = small_limits();
    struct session first;
    struct session second;

    (void)state;
    limits.tombstones_max = 16;
    begin(&limits);
    first = open_session(&stage.actor, "alice", "a");
    assert_int_equal(end_session(&stage.actor, &first), OP_OK);
    second = open_session(&stage.actor, "alice", "a");
    assert_int_equal(end_session(&stage.actor, &second), OP_OK);
    for (int i = 0; i < 15; i++) {
        struct session other = open_session(&stage.actor, "bob", "a");

        assert_int_equal(end_session(&stage.actor, &other), OP_OK);
    }
    assert_int_equal(validate(&stage.actor, &first), OP_ENDED);
    machine_tick(&stage.machine);
    assert_int_equal(table_count(stage.machine.fsm->tables[FSM_TOMBSTONES]), 16);
    assert_int_equal(validate(&stage.actor, &first), OP_NOT_FOUND);
    assert_int_equal(validate(&stage.actor, &second), OP_ENDED);
}

static void a_tick_does_a_bounded_amount_of_work(void **state)
{
    static uint8_t value[60000];
    struct op_limits limits = small_limits();
    struct session session;
    uint32_t ticks = 0;
    char key[16];

    (void)state;
    begin(&limits);
    session = open_session(&stage.actor, "alice", "a");
    for (int i = 0; i < 17; i++) { /* 17 * (1 + 1 + 242) units of keys: above 4,096 */
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(put(&stage.actor, &session, key), OP_OK);
        stage.actor.call.request = stage.actor.request++;
        stage.actor.call.fields.state_put.value = bytes_of(value, sizeof value);
        assert_int_equal(act(&stage.actor), OP_OK);
    }
    assert_int_equal(end_session(&stage.actor, &session), OP_OK);
    while (fsm_sweep_due(stage.machine.fsm)) {
        uint32_t before = table_count(stage.machine.fsm->tables[FSM_BLOCKS]);

        machine_tick(&stage.machine);
        ticks++;
        assert_true(before - table_count(stage.machine.fsm->tables[FSM_BLOCKS]) <= FSM_SWEEP_UNITS);
        assert_int_equal(validate(&stage.actor, &session), OP_ENDED);
    }
    assert_int_equal(ticks, 2);
    assert_int_equal(table_count(stage.machine.fsm->tables[FSM_KEYS]), 0);
}

/* Of the greatest filter, and bound to many networks. */
static struct session open_wide(uint64_t number)
{
    static char pattern[240];
    struct session session = {id_of(number), number, "alice", 0};
    struct op_session_create_request *request;

    memset(pattern, 'p', sizeof pattern);
    act_begin(&stage.actor, OP_session_create);
    request = &stage.actor.call.fields.session_create;
    request->user = text("alice");
    request->agent = text("a");
    request->idle = request->absolute = 100 * SECOND;
    request->has_grants = true;
    request->grants_count = 2;
    request->grants[0].permission = text("task:begin");
    request->grants[1].permission = text("task:user");
    request->has_filter = request->has_networks = true;
    request->filter_count = OP_MAX_pattern;
    request->networks_count = OP_MAX_network;
    for (size_t i = 0; i < OP_MAX_pattern; i++) {
        request->filter[i].pattern = bytes_of(pattern, sizeof pattern - i);
        request->networks[i].network = text("2001:db8::/32");
    }
    stage.actor.call.minted_id = session.id;
    stage.actor.call.minted_secret = number;
    assert_int_equal(act(&stage.actor), OP_OK);
    return session;
}

/* Returns in how many ticks everything is swept that is due. */
static uint32_t sweep_in_bounds(void)
{
    uint32_t ticks = 0;

    do {
        uint32_t before = table_count(stage.machine.fsm->tables[FSM_BLOCKS]);

        machine_tick(&stage.machine);
        ticks++;
        assert_true(before - table_count(stage.machine.fsm->tables[FSM_BLOCKS]) <= FSM_SWEEP_UNITS);
    } while (fsm_sweep_due(stage.machine.fsm));
    return ticks;
}

static void the_blocks_of_filters_and_bindings_are_work(void **state)
{
    struct op_limits limits = small_limits();

    (void)state;
    begin(&limits);
    for (uint64_t i = 0; i < 250; i++) {
        (void)open_wide(7000 + i);
    }
    stage.machine.stamp += 101 * SECOND;
    assert_true(sweep_in_bounds() > 1);
    assert_int_equal(table_count(stage.machine.fsm->tables[FSM_SESSIONS]), 0);
}

static void the_blocks_that_a_last_task_held_are_work(void **state)
{
    struct op_limits limits = small_limits();

    (void)state;
    begin(&limits);
    for (uint64_t i = 0; i < 250; i++) {
        struct session session = open_wide(7000 + i);

        (void)begin_task(&stage.actor, &session, OP_TASK_SCOPE_USER, NULL);
    }
    stage.machine.stamp += 101 * SECOND;
    (void)sweep_in_bounds();
    assert_int_equal(table_count(stage.machine.fsm->tables[FSM_TASKS]), 250);
    stage.machine.stamp += 500 * SECOND + limits.tombstone_us;
    assert_true(sweep_in_bounds() > 1);
    assert_int_equal(table_count(stage.machine.fsm->tables[FSM_TASKS]), 0);
}

static void arguments_out_of_bounds_are_named(void **state)
{
    struct op_limits limits = small_limits();
    struct session session;

    (void)state;
    begin(&limits);
    session = open_session(&stage.actor, "alice", "a");
    assert_int_equal(grant(&stage.actor, &session, "Not:Valid", 0), OP_INVALID);
    assert_true(bytes_equal(stage.machine.details.field, text("permission")));
    assert_int_equal(try_session(""), OP_INVALID);
    assert_true(bytes_equal(stage.machine.details.field, text("user")));
    stage.actor.call.fields.session_create.user = text("alice");
    stage.actor.call.fields.session_create.idle = SECOND - 1;
    stage.actor.call.request = stage.actor.request++;
    assert_int_equal(act(&stage.actor), OP_INVALID);
    assert_true(bytes_equal(stage.machine.details.field, text("idle")));
    stage.actor.call.fields.session_create.idle = SECOND;
    stage.actor.call.fields.session_create.absolute = UINT64_MAX;
    stage.actor.call.request = stage.actor.request++;
    assert_int_equal(act(&stage.actor), OP_INVALID);
    assert_true(bytes_equal(stage.machine.details.field, text("absolute")));
}

static void a_role_may_do_what_its_row_says(void **state)
{
    struct op_limits limits = small_limits();

    (void)state;
    begin(&limits);
    stage.actor.caller.role = OP_ROLE_OPERATOR;
    assert_int_equal(revoke_user(&stage.actor, "alice"), OP_OK);
    assert_int_equal(try_session("alice"), OP_FORBIDDEN);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_table_is_sweeping_while_there_is_something_to_sweep),
        TEST(names_run_out_without_harm),
        TEST(a_session_can_be_ended_when_blocks_are_full),
        TEST(a_sessions_own_counts),
        TEST(state_bytes_are_counted_as_values_change),
        TEST(clients_are_bounded_and_only_silence_makes_room),
        TEST(tombstones_are_bounded_and_the_oldest_goes),
        TEST(a_tick_does_a_bounded_amount_of_work),
        TEST(the_blocks_of_filters_and_bindings_are_work),
        TEST(the_blocks_that_a_last_task_held_are_work),
        TEST(arguments_out_of_bounds_are_named),
        TEST(a_role_may_do_what_its_row_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

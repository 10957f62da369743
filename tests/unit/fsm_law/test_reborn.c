/* Law: a restored cluster begins a new incarnation (docs/MODEL.md section 6): epochs and T do not
 * go back, all that lived is ended, nothing of before opens anything, what was set stays. */
#include "tests/unit/fsm_law/actions.h"
#include "tests/unit/fsm_law/recount.h"

#include <string.h>

static struct machine machine;
static struct actor actor;
static struct session session;
static struct task task;
static struct fsm_rebirth rebirth;

static void set_policy(void)
{
    act_begin(&actor, OP_policy_set);
    actor.call.caller.role = OP_ROLE_OPERATOR;
    actor.call.fields.policy_set.name = text("kiosk");
    actor.call.fields.policy_set.idle = 60 * SECOND;
    actor.call.fields.policy_set.absolute = 600 * SECOND;
    (void)act(&actor);
}

/* Alive and dead, swept and not: what a backup may hold. */
static int setup(void **state)
{
    struct op_limits limits = small_limits();

    (void)state;
    machine_init(&machine, &limits);
    actor_init(&actor, &machine, "acme", "service/front");
    set_policy();
    struct session swept = open_session(&actor, "alice", "a");
    assert_int_equal(end_session(&actor, &swept), OP_OK);
    machine_tick(&machine);
    struct session dead = open_session(&actor, "alice", "a");
    assert_int_equal(end_session(&actor, &dead), OP_OK);
    (void)open_session(&actor, "bob", "b");
    assert_int_equal(revoke_user(&actor, "bob"), OP_OK);
    session = open_session(&actor, "alice", "a");
    assert_int_equal(put(&actor, &session, "key"), OP_OK);
    (void)begin_task(&actor, &session, OP_TASK_SCOPE_USER, NULL);
    task = begin_task(&actor, &session, OP_TASK_SCOPE_SESSION, NULL);
    assert_int_equal(claim_task(&actor, &task, 30), OP_OK);
    assert_int_equal(put_fenced(&actor, &task, session.id, 1), OP_OK);
    rebirth = (struct fsm_rebirth){.incarnation = id_of(78),
                                   .time = fsm_time(machine.fsm) + 5 * SECOND,
                                   .position = fsm_position(machine.fsm) + FSM_REBORN_STEP};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    machine_done(&machine);
    return 0;
}

/* Reborn, and once more under the incarnation that calls of this test carry: what does not open
 * anything then is gone, and not only of another incarnation. */
static void be_reborn(void)
{
    struct fsm_rebirth again = rebirth;

    assert_null(fsm_reborn(machine.fsm, &rebirth));
    again.incarnation = id_of(77);
    again.position = fsm_position(machine.fsm) + FSM_REBORN_STEP;
    assert_null(fsm_reborn(machine.fsm, &again));
    machine.stamp = rebirth.time;
}

static uint32_t used(enum fsm_table table)
{
    return table_count(machine.fsm->tables[table]);
}

static void all_that_lived_is_ended(void **state)
{
    static const enum fsm_table gone[] = {
        FSM_SESSIONS, FSM_TOMBSTONES, FSM_TASKS,        FSM_KEYS,   FSM_CLIENTS,
        FSM_REQUESTS, FSM_OPERATIONS, FSM_CERTIFICATES, FSM_COVERS, FSM_WATERMARKS};
    struct recounted sum;

    (void)state;
    assert_null(fsm_reborn(machine.fsm, &rebirth));
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        if (used(gone[i]) != 0) {
            fail_msg("%u records are left in table %u", used(gone[i]), (unsigned)gone[i]);
        }
    }
    assert_true(fsm_next_deadline(machine.fsm) == OP_INFINITE);
    recount(machine.fsm, &sum);
    assert_int_equal(sum.sessions + sum.tasks + sum.clients + sum.bytes, 0);
}

static void epochs_and_time_go_on(void **state)
{
    (void)state;
    assert_null(fsm_reborn(machine.fsm, &rebirth));
    assert_true(fsm_position(machine.fsm) >= rebirth.position);
    assert_int_equal(fsm_time(machine.fsm), rebirth.time);
    assert_int_equal(fsm_term(machine.fsm), 0);
    assert_true(id128_equal(fsm_incarnation(machine.fsm), rebirth.incarnation));
}

static void epochs_are_above_all_of_before(void **state)
{
    (void)state;
    be_reborn();
    actor_init(&actor, &machine, "acme", "service/front");
    assert_true(open_session(&actor, "alice", "a").epoch > rebirth.position + FSM_REBORN_STEP);
}

static void nothing_of_before_opens_anything(void **state)
{
    uint64_t client = actor.client;

    (void)state;
    be_reborn();
    assert_int_equal(put_fenced(&actor, &task, session.id, 2), OP_CLIENT_UNKNOWN);
    actor_init(&actor, &machine, "acme", "service/front");
    assert_true(actor.client > client);
    assert_int_equal(validate(&actor, &session), OP_NOT_FOUND);
    assert_int_equal(put_fenced(&actor, &task, session.id, 2), OP_NOT_FOUND);
    assert_int_equal(claim_task(&actor, &task, 30), OP_NOT_FOUND);
}

/* A login that is older than the restore was revoked with all others. */
static void a_login_of_before_opens_no_session(void **state)
{
    uint64_t login = fsm_position(machine.fsm);

    (void)state;
    be_reborn();
    actor_init(&actor, &machine, "acme", "service/front");
    act_begin(&actor, OP_session_create);
    actor.call.minted_id = id_of(900);
    actor.call.minted_secret = 900;
    actor.call.fields.session_create.user = text("alice");
    actor.call.fields.session_create.agent = text("a");
    actor.call.fields.session_create.idle = 60 * SECOND;
    actor.call.fields.session_create.absolute = 60 * SECOND;
    actor.call.fields.session_create.has_auth_position = true;
    actor.call.fields.session_create.auth_position = login;
    assert_int_equal(act(&actor), OP_LOGIN_REVOKED);
}

static const struct event_record *event_at(uint64_t position, uint32_t kind)
{
    const struct table *events = machine.fsm->tables[FSM_EVENTS];
    const struct event_record *found = NULL;

    for (uint32_t slot = table_next(events, SLOT_NONE); slot != SLOT_NONE;
         slot = table_next(events, slot)) {
        const struct event_record *event = table_read(events, slot);

        found = event->position >= position && event->kind == kind ? event : found;
    }
    return found;
}

static void tenants_stay_and_are_told(void **state)
{
    const struct event_record *event;

    (void)state;
    assert_int_equal(used(FSM_TENANTS), 1);
    assert_null(fsm_reborn(machine.fsm, &rebirth));
    assert_int_equal(used(FSM_TENANTS), 1);
    event = event_at(rebirth.position, OP_EVENT_KIND_ALL_REVOKED);
    assert_non_null(event);
    assert_int_equal(event->position, rebirth.position);
    event = event_at(rebirth.position, OP_EVENT_KIND_SESSION_ENDED);
    assert_non_null(event);
    assert_int_equal(event->time, rebirth.time);
}

static void policies_stay(void **state)
{
    const struct tenant_record *tenant = table_read(machine.fsm->tables[FSM_TENANTS],
                                                    fsm_tenant_of(machine.fsm, text("acme")));
    uint32_t policies = tenant->policy_count;

    (void)state;
    assert_int_equal(policies, 1);
    assert_null(fsm_reborn(machine.fsm, &rebirth));
    tenant = table_read(machine.fsm->tables[FSM_TENANTS], fsm_tenant_of(machine.fsm, text("acme")));
    assert_int_equal(tenant->policy_count, policies);
}

/* However many revokes there were, there is room for the one that a restore is. */
static void full_watermarks_are_no_obstacle(void **state)
{
    enum op_outcome outcome = OP_OK;
    unsigned revokes = 0;

    (void)state;
    while (outcome == OP_OK) { /* each denies somebody, so that none can be moved */
        (void)open_session(&actor, "alice", "a");
        act_begin(&actor, OP_revoke_all);
        actor.call.caller.role = OP_ROLE_OPERATOR;
        outcome = act(&actor);
        revokes++;
        assert_true(revokes < 1000);
    }
    assert_true(outcome == OP_LIMIT || outcome == OP_SWEEPING);
    assert_int_equal(used(FSM_WATERMARKS), table_capacity(machine.fsm->tables[FSM_WATERMARKS]) - 1);
    rebirth.position = fsm_position(machine.fsm) + FSM_REBORN_STEP;
    assert_null(fsm_reborn(machine.fsm, &rebirth));
    assert_int_equal(used(FSM_WATERMARKS), 0);
}

static void a_restore_that_would_go_back_is_refused(void **state)
{
    struct hash128 digest = fsm_digest(machine.fsm);
    struct fsm_rebirth wrong[3] = {rebirth, rebirth, rebirth};

    (void)state;
    wrong[0].time = fsm_time(machine.fsm) - 1;
    wrong[1].position = fsm_position(machine.fsm) + FSM_REBORN_STEP - 1;
    wrong[2].incarnation = fsm_incarnation(machine.fsm);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_non_null(fsm_reborn(machine.fsm, &wrong[i]));
        assert_true(hash128_equal(digest, fsm_digest(machine.fsm)));
    }
    rebirth.time = fsm_time(machine.fsm);
    assert_null(fsm_reborn(machine.fsm, &rebirth));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_that_lived_is_ended),
        CASE(epochs_and_time_go_on),
        CASE(epochs_are_above_all_of_before),
        CASE(nothing_of_before_opens_anything),
        CASE(a_login_of_before_opens_no_session),
        CASE(tenants_stay_and_are_told),
        CASE(policies_stay),
        CASE(full_watermarks_are_no_obstacle),
        CASE(a_restore_that_would_go_back_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* F-77, F-78, F-79, F-81, F-82, F-83, F-85, F-86, F-88: what is done is counted once, by who led;
 * the checks of readiness follow what they stand on; each call has one line with its request id. */
#include "tests/node/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct world world;
    struct tenure_client *client;
    size_t lines; /* of the component "request" */
    char last[512];
};

static void on_line(void *arg, const char *line)
{
    struct fixture *f = arg;
    if (strstr(line, "debug request") != NULL) {
        f->lines++;
        snprintf(f->last, sizeof(f->last), "%s", line);
    }
}

static int start(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof(fixture));
    *state = &fixture;
    world_start(&fixture.world, 1);
    (void)world_leader(&fixture.world);
    fixture.client = world_client(&fixture.world, WORLD_NODES, "service");
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    tenure_close(f->client);
    world_end(&f->world);
    return 0;
}

static void look_all(struct world *world)
{
    const struct node_process process = {.started_us = 1};
    for (int i = 0; i < 2; i++) { /* what the disk says is known at the second look */
        for (size_t n = 0; n < WORLD_NODES; n++) {
            if (world->nodes[n].node != NULL) {
                node_look(world->nodes[n].node, &process);
            }
        }
        world_pass(world, SIM_SECOND);
    }
}

static uint64_t total(const struct world *world, enum node_metric id, size_t a, size_t b)
{
    uint64_t sum = 0;
    for (size_t n = 0; n < WORLD_NODES; n++) {
        if (world->nodes[n].node != NULL) {
            sum += node_metrics_value(&world->nodes[n].node->observed.metrics, id, a, b);
        }
    }
    return sum;
}

static size_t place_of(enum op_number number)
{
    size_t count = 0;
    return (size_t)(op_row_of_number(number) - op_rows(&count));
}

static uint64_t calls(const struct world *world, enum op_number number, enum op_outcome outcome)
{
    return total(world, METRIC_REQUESTS, place_of(number), outcome);
}

static enum tenure_outcome world_check(struct tenure_client *client,
                                       const struct world_session *session, const char *permission)
{
    const struct tenure_permission_check_request request = {.user = tenure_text(session->user),
                                                            .token = tenure_text(session->token),
                                                            .permission = tenure_text(permission)};
    struct tenure_permission_check_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_permission_check(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

static void what_is_done_is_counted_once(void **state)
{
    struct fixture *f = *state;
    struct world *world = &f->world;
    struct world_session session;
    struct tenure_result result;
    assert_int_equal(world_create(f->client, "alice", 60 * SIM_SECOND, 600 * SIM_SECOND, &session),
                     TENURE_OK);
    assert_int_equal(world_validate(f->client, &session, &result), TENURE_OK);
    world_agree(world);
    look_all(world);
    assert_int_equal(total(world, METRIC_ACTIVE_SESSIONS, 0, 0), WORLD_NODES); /* each has it */
    assert_int_equal(world_check(f->client, &session, "tool:run"), TENURE_DENIED);
    assert_int_equal(world_logout(f->client, &session), TENURE_OK);
    assert_int_equal(world_validate(f->client, &session, &result), TENURE_ENDED);
    assert_int_equal(world_create(f->client, "bob", SIM_SECOND, SIM_SECOND, &session), TENURE_OK);
    world_pass(world, 3 * SIM_SECOND);
    world_agree(world);
    assert_int_equal(calls(world, OP_session_create, OP_OK), 2);
    assert_int_equal(calls(world, OP_session_validate, OP_OK), 1);
    assert_int_equal(calls(world, OP_session_validate, OP_ENDED), 1);
    assert_int_equal(total(world, METRIC_EXPIRED_USAGE, OP_END_CAUSE_LOGOUT, 0), 1);
    assert_int_equal(total(world, METRIC_SESSIONS_ENDED, OP_END_CAUSE_LOGOUT, 0), 1);
    assert_int_equal(total(world, METRIC_SESSIONS_ENDED, OP_END_CAUSE_ABSOLUTE_TIMEOUT, 0), 1);
    /* The first bucket: less than a minute, less than a kilobyte. */
    assert_int_equal(total(world, METRIC_SESSION_DURATION, 0, 0), 2);
    assert_int_equal(total(world, METRIC_SESSION_MEMORY, 0, 0), 2);
    assert_int_equal(total(world, METRIC_PERMISSION_VIOLATIONS, place_of(OP_permission_check), 0),
                     1);
    look_all(world);
    assert_int_equal(total(world, METRIC_SERVING, 0, 0), 1);
    assert_int_equal(total(world, METRIC_ACTIVE_SESSIONS, 0, 0), 0);
    assert_int_equal(total(world, METRIC_MEMBER_CONNECTED, 0, 0), WORLD_NODES);
    assert_true(total(world, METRIC_LOG_BYTES, 0, 0) > 0);
    assert_true(total(world, METRIC_ACCEPTED, 0, 0) > 0);
}

static void what_lies_outside_of_a_filter_is_counted(void **state)
{
    struct fixture *f = *state;
    const struct tenure_session_create_request create = {
        .user = tenure_text("alice"),
        .agent = tenure_text("agent"),
        .idle = SIM_SECOND * 60,
        .absolute = SIM_SECOND * 600,
        .has_grants = true,
        .grants = {{.permission = tenure_text("tool:run")}},
        .grants_count = 1,
        .has_filter = true,
        .filter = {{.pattern = tenure_text("db/*")}},
        .filter_count = 1};
    struct tenure_session_create_reply created;
    struct tenure_permission_check_reply reply;
    struct tenure_result session, result;
    assert_int_equal(tenure_session_create(f->client, &create, &created, &session), TENURE_OK);
    struct tenure_permission_check_request check = {.user = tenure_text("alice"),
                                                    .token = created.token,
                                                    .permission = tenure_text("tool:run"),
                                                    .has_resource = true,
                                                    .resource = tenure_text("db/orders")};
    assert_int_equal(tenure_permission_check(f->client, &check, &reply, &result), TENURE_OK);
    tenure_result_done(&result);
    check.resource = tenure_text("fs/orders");
    assert_int_equal(tenure_permission_check(f->client, &check, &reply, &result),
                     TENURE_OUT_OF_SCOPE);
    tenure_result_done(&result);
    tenure_result_done(&session);
    size_t of = place_of(OP_permission_check);
    assert_int_equal(total(&f->world, METRIC_RESOURCE_VIOLATIONS, of, 0), 1);
    assert_int_equal(total(&f->world, METRIC_PERMISSION_VIOLATIONS, of, 0), 0);
}

static void each_call_has_one_line(void **state)
{
    struct fixture *f = *state;
    struct world_session session;
    struct tenure_result result;
    assert_int_equal(world_create(f->client, "alice", 60 * SIM_SECOND, 600 * SIM_SECOND, &session),
                     TENURE_OK);
    sim_log_to(f->world.sim, ENV_LOG_DEBUG, on_line, f);
    assert_int_equal(world_validate(f->client, &session, &result), TENURE_OK);
    assert_int_equal(f->lines, 1);
    unsigned connection = 0;
    unsigned msgid = 0;
    const char *at = strstr(f->last, "debug request");
    assert_int_equal(sscanf(at, "debug request %u.%u: session.validate OK", &connection, &msgid),
                     2);
    assert_true(connection > 0);
    assert_non_null(strstr(f->last, " of acme"));
    assert_null(strstr(f->last, "alice")); /* users are in no log */
    assert_int_equal(world_validate(f->client, &session, &result), TENURE_OK);
    unsigned next = 0;
    at = strstr(f->last, "debug request");
    assert_int_equal(sscanf(at, "debug request %u.%u:", &connection, &next), 2);
    assert_int_not_equal(next, msgid);
    assert_int_equal(f->lines, 2);
    sim_log_to(f->world.sim, ENV_LOG_ERROR, NULL, NULL);
}

static void want_check(const struct world *world, size_t node, enum node_check which, bool holds)
{
    const struct node_verdict *verdict = &world->nodes[node].node->observed.checks[which];
    if (verdict->holds != holds) {
        fail_msg("node %zu: %s: %s", node + 1, node_check_name(which), verdict->text);
    }
}

static void want_ready(const struct world *world, size_t node, const char *text)
{
    char got[4096];
    bool ready = node_ready(world->nodes[node].node, false, got, sizeof(got));
    assert_int_equal(ready, strcmp(text, "ready\n") == 0);
    assert_non_null(strstr(got, text));
}

static void readiness_follows_the_quorum(void **state)
{
    struct fixture *f = *state;
    struct world *world = &f->world;
    look_all(world);
    for (size_t n = 0; n < WORLD_NODES; n++) {
        for (size_t i = 0; i < CHECK_COUNT; i++) {
            want_check(world, n, (enum node_check)i, true);
        }
        want_ready(world, n, "ready\n");
    }
    size_t alone = world_other(world_leader(world));
    for (size_t n = 0; n < WORLD_NODES; n++) {
        if (n != alone) {
            world_node_kill(&world->nodes[n]);
        }
    }
    world_pass(world, 5 * SIM_SECOND);
    look_all(world);
    want_check(world, alone, CHECK_QUORUM, false);
    want_check(world, alone, CHECK_RUNNING, true);
    want_check(world, alone, CHECK_VOTER, true);
    want_check(world, alone, CHECK_CLOCK, true);
    want_ready(world, alone, "[-] quorum: no leader is known");
    assert_int_equal(total(world, METRIC_CHECK, CHECK_QUORUM, 0), 0);
    assert_int_equal(total(world, METRIC_CHECK, CHECK_VOTER, 0), 1);
}

static void readiness_falls_when_it_stops(void **state)
{
    struct fixture *f = *state;
    struct world *world = &f->world;
    const struct node_process process = {.started_us = 1};
    size_t other = world_other(world_leader(world));
    look_all(world);
    node_stop(world->nodes[other].node);
    node_look(world->nodes[other].node, &process);
    want_check(world, other, CHECK_RUNNING, false);
    want_ready(world, other, "[-] running: this node is stopping\n");
    world_pass(world, 5 * SIM_SECOND);
    assert_true(world->nodes[other].stopped); /* no look holds it back */
}

/* Of its own disk alone: it is still a voter that knows its leader. */
static void readiness_follows_the_disk(void **state)
{
    struct fixture *f = *state;
    struct world *world = &f->world;
    size_t other = world_other(world_leader(world));
    struct sim_host *host = world->nodes[other].host;
    look_all(world);
    want_check(world, other, CHECK_DISK, true);
    sim_disk_set_capacity(host, sim_disk_used(host));
    world_pass(world, SIM_SECOND);
    look_all(world);
    want_check(world, other, CHECK_DISK, false);
    want_ready(world, other, "[-] disk: 0 MiB are free, at least ");
    want_check(world, other, CHECK_QUORUM, true);
    want_check(world, world_leader(world), CHECK_DISK, true);
    assert_int_equal(total(world, METRIC_CHECK, CHECK_DISK, 0), WORLD_NODES - 1);
    sim_disk_set_capacity(host, UINT64_MAX);
    world_pass(world, SIM_SECOND);
    look_all(world);
    want_ready(world, other, "ready\n");
}

static uint64_t failures(const struct world *world, enum node_cleanup_error error)
{
    return total(world, METRIC_CLEANUP_FAILURES, error, 0);
}

/* Where nobody can sweep, that is counted, and what it leaves behind is seen a minute later. */
static void what_is_not_swept_is_seen(void **state)
{
    struct fixture *f = *state;
    struct world *world = &f->world;
    struct world_session session;
    size_t leader = world_leader(world);
    assert_int_equal(world_create(f->client, "alice", SIM_SECOND, SIM_SECOND, &session), TENURE_OK);
    world_agree(world);
    while (world_clock(&world->nodes[leader]) < session.time + SIM_SECOND * 9 / 10) {
        world_pass(world, SIM_MILLISECOND);
    }
    for (size_t n = 0; n < WORLD_NODES; n++) {
        sim_net_isolate(world->sim, world->nodes[n].host, true);
        assert_true(world->nodes[n].node->time.has_clock);
    }
    assert_int_equal(world_leader(world), leader);
    world_pass(world, 30 * SIM_SECOND);
    look_all(world);
    assert_int_equal(
        failures(world, CLEANUP_LEADERSHIP_LOST) + failures(world, CLEANUP_NOT_COMMITTED), 1);
    assert_int_equal(total(world, METRIC_LEAKED_SESSIONS, 0, 0), 0); /* dead for 30 s */
    world_pass(world, 40 * SIM_SECOND);
    look_all(world);
    assert_int_equal(total(world, METRIC_LEAKED_SESSIONS, 0, 0), WORLD_NODES); /* each has it */
    assert_int_equal(total(world, METRIC_ACTIVE_SESSIONS, 0, 0), WORLD_NODES);
    sim_net_heal(world->sim);
    (void)world_leader(world);
    world_pass(world, 3 * SIM_SECOND);
    look_all(world);
    assert_int_equal(total(world, METRIC_LEAKED_SESSIONS, 0, 0), 0);
    assert_int_equal(total(world, METRIC_ACTIVE_SESSIONS, 0, 0), 0);
}

/* A leader without time takes ends, and cannot sweep what ended: once a second it says so. */
static void a_sweep_without_time_is_counted(void **state)
{
    struct fixture *f = *state;
    struct world *world = &f->world;
    struct world_session session;
    assert_int_equal(
        world_create(f->client, "alice", 3600 * SIM_SECOND, 7200 * SIM_SECOND, &session),
        TENURE_OK);
    world_agree(world);
    world_doubt_walls(world, true);
    world_pass(world, SIM_SECOND);
    for (size_t n = 0; n < WORLD_NODES; n++) {
        world_node_power_cut(&world->nodes[n]);
    }
    for (size_t n = 0; n < WORLD_NODES; n++) {
        world_node_run(&world->nodes[n]);
    }
    world_pass(world, 5 * SIM_SECOND);
    assert_true(world_timeless(world) < WORLD_NODES);
    assert_int_equal(failures(world, CLEANUP_NO_TIME), 0); /* nothing is to be swept */
    assert_int_equal(world_logout(f->client, &session), TENURE_OK);
    world_pass(world, 5 * SIM_SECOND);
    uint64_t count = failures(world, CLEANUP_NO_TIME);
    assert_true(count >= 3 && count <= 6);
    look_all(world);
    assert_int_equal(total(world, METRIC_SESSIONS_ENDED, OP_END_CAUSE_LOGOUT, 0), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_done_is_counted_once),  CASE(what_lies_outside_of_a_filter_is_counted),
        CASE(each_call_has_one_line),        CASE(readiness_follows_the_quorum),
        CASE(readiness_falls_when_it_stops), CASE(readiness_follows_the_disk),
        CASE(what_is_not_swept_is_seen),     CASE(a_sweep_without_time_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

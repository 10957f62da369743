/* A disk that is nearly full costs a node its leadership and nothing else; while too many are, only
 * what ends, revokes or keeps is served; and when there is space, all is served again at once. */
#include "tests/node/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/log_state.h"
#include "raftlog/rlog.h"

#define HOUR (3600 * SIM_SECOND)

enum { SEGMENT = 8192 };

static struct world world;

static void begin(uint64_t seed)
{
    world_start(&world, seed);
    world_pass(&world, SIM_SECOND); /* all have looked, and have prepared a segment */
}

/* Another program leaves `room` bytes of its disk. */
static void fill(size_t which, uint64_t room)
{
    struct sim_host *host = world.nodes[which].host;
    sim_disk_set_capacity(host, sim_disk_used(host) + room);
}

static void fill_all(uint64_t room)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        fill(i, room);
    }
}

static void empty_all(void)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        sim_disk_set_capacity(world.nodes[i].host, UINT64_MAX);
    }
}

static bool leads_elsewhere(void *arg)
{
    size_t now = world_leader_now(&world);
    return now != WORLD_NODES && now != *(const size_t *)arg;
}

static bool refuses(void *arg)
{
    size_t leader = world_leader_now(&world);
    (void)arg;
    return leader != WORLD_NODES && world.nodes[leader].node->space.refuses;
}

static bool serves_all(void *arg)
{
    size_t leader = world_leader_now(&world);
    (void)arg;
    return leader != WORLD_NODES && !world.nodes[leader].node->space.refuses;
}

static void short_of_space(uint64_t room)
{
    fill_all(room);
    assert_true(sim_run_until(world.sim, refuses, NULL, 5 * SIM_SECOND));
    world_pass(&world, SIM_SECOND);
}

static void none_has_failed(void)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        assert_non_null(world.nodes[i].node);
        assert_false(world.nodes[i].failed);
    }
}

/* ---- one ---- */

static void a_leader_short_of_space_hands_over(void **state)
{
    struct load load;
    (void)state;
    begin(1);
    load_start(&load, &world, 100);
    size_t leader = world_leader(&world);
    uint64_t begun = sim_now_us(world.sim);
    fill(leader, UINT64_C(1) << 20);
    assert_true(sim_run_until(world.sim, leads_elsewhere, &leader, 3 * SIM_SECOND));
    assert_true(sim_now_us(world.sim) - begun < 2 * SIM_SECOND); /* nobody had to miss a leader */
    assert_true(world.nodes[leader].node->space.is_short);
    assert_false(refuses(NULL)); /* a majority has room */
    uint64_t done = load.done;
    world_pass(&world, 2 * SIM_SECOND);
    assert_true(load.done > done + 20);
    assert_true(world_leader(&world) != leader);
    empty_all();
    world_pass(&world, SIM_SECOND);
    assert_false(world.nodes[leader].node->space.is_short);
    none_has_failed();
    load_finish(&load);
    world_end(&world);
}

/* Nobody to hand over to: who has no room either is not asked. */
static void leadership_goes_only_where_there_is_room(void **state)
{
    (void)state;
    begin(2);
    short_of_space(UINT64_C(1) << 20);
    size_t leader = world_leader(&world);
    uint64_t term = world.nodes[leader].node->lead.term;
    world_pass(&world, 5 * SIM_SECOND);
    assert_int_equal(world_leader_now(&world), leader);
    assert_int_equal(world.nodes[leader].node->lead.term, term);
    size_t roomy = world_other(leader);
    sim_disk_set_capacity(world.nodes[roomy].host, UINT64_MAX);
    assert_true(sim_run_until(world.sim, leads_elsewhere, &leader, 3 * SIM_SECOND));
    assert_int_equal(world_leader_now(&world), roomy);
    world_pass(&world, SIM_SECOND);
    assert_true(refuses(NULL)); /* it has room, and a majority has not */
    world_end(&world);
}

/* ---- all ---- */

struct owned {
    struct tenure_id task;
    uint64_t operation;
    char fence[256];
};

static void own_a_task(struct tenure_client *client, const struct world_session *session,
                       struct owned *ret_owned)
{
    const struct tenure_task_begin_request begin_it = {.user = tenure_text(session->user),
                                                       .has_token = true,
                                                       .token = tenure_text(session->token),
                                                       .kind = tenure_text("work"),
                                                       .scope = TENURE_TASK_SCOPE_SESSION,
                                                       .ttl = HOUR};
    struct tenure_task_begin_reply begun;
    struct tenure_task_claim_reply claimed;
    struct tenure_result result;
    assert_int_equal(tenure_task_begin(client, &begin_it, &begun, &result), TENURE_OK);
    tenure_result_done(&result);
    const struct tenure_task_claim_request claim = {
        .user = begin_it.user, .task = begun.task, .lease = 120 * SIM_SECOND};
    assert_int_equal(tenure_task_claim(client, &claim, &claimed, &result), TENURE_OK);
    ret_owned->task = claimed.task;
    ret_owned->operation = claimed.next;
    snprintf(ret_owned->fence, sizeof(ret_owned->fence), "%.*s", (int)claimed.fence.size,
             (const char *)claimed.fence.data);
    tenure_result_done(&result);
}

static enum tenure_outcome heartbeat(struct tenure_client *client, const struct owned *owned)
{
    const struct tenure_task_heartbeat_request request = {.user = tenure_text("alice"),
                                                          .fence = tenure_text(owned->fence),
                                                          .lease = 120 * SIM_SECOND};
    struct tenure_task_heartbeat_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_task_heartbeat(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

static enum tenure_outcome complete(struct tenure_client *client, const struct owned *owned)
{
    const struct tenure_task_complete_request request = {.user = tenure_text("alice"),
                                                         .fence = tenure_text(owned->fence),
                                                         .operation = owned->operation};
    struct tenure_task_complete_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_task_complete(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

static enum tenure_outcome fail_it(struct tenure_client *client, const struct owned *owned)
{
    const struct tenure_task_fail_request request = {.user = tenure_text("alice"),
                                                     .fence = tenure_text(owned->fence),
                                                     .operation = owned->operation};
    struct tenure_task_fail_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_task_fail(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

static void only_what_ends_is_served_while_all_are_short(void **state)
{
    struct world_session alice, bob, carol;
    struct tenure_result result;
    struct owned first, second;
    (void)state;
    begin(3);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    assert_int_equal(world_create(client, "alice", HOUR, 2 * HOUR, &alice), TENURE_OK);
    assert_int_equal(world_create(client, "bob", HOUR, 2 * HOUR, &bob), TENURE_OK);
    own_a_task(client, &alice, &first);
    own_a_task(client, &alice, &second);
    short_of_space(UINT64_C(1) << 20);
    assert_int_equal(world_put(client, &alice, "key", "value"), TENURE_NO_SPACE);
    assert_int_equal(world_create(client, "carol", HOUR, 2 * HOUR, &carol), TENURE_NO_SPACE);
    assert_int_equal(world_validate(client, &alice, &result), TENURE_OK);
    tenure_result_done(&result);
    assert_int_equal(heartbeat(client, &first), TENURE_OK);
    assert_int_equal(complete(client, &first), TENURE_OK);
    assert_int_equal(fail_it(client, &second), TENURE_OK);
    struct tenure_client *late = world_client(&world, WORLD_NODES, "service");
    assert_int_equal(world_logout(late, &bob), TENURE_OK); /* it has to register first */
    assert_int_equal(world_revoke(late, "alice"), TENURE_OK);
    assert_int_equal(world_validate(client, &alice, &result), TENURE_ENDED);
    tenure_result_done(&result);
    empty_all();
    assert_true(sim_run_until(world.sim, serves_all, NULL, 2 * SIM_SECOND));
    assert_int_equal(world_create(client, "carol", HOUR, 2 * HOUR, &carol), TENURE_OK);
    assert_int_equal(world_put(client, &carol, "key", "value"), TENURE_OK);
    none_has_failed();
    tenure_close(client);
    tenure_close(late);
    world_agree(&world);
    world_end(&world);
}

/* What the law names, and nothing else: op/ops.def's column. */
static void the_reserve_is_for_what_takes_away_or_keeps(void **state)
{
    static const char *const kept[] = {
        "client.register", "session.end",    "revoke.user",    "revoke.agent",  "revoke.tenant",
        "revoke.all",      "revoke.lineage", "task.heartbeat", "task.complete", "task.fail",
        "task.cancel",     "session.revoke", "grant.revoke",
    };
    size_t count = 0;
    size_t found = 0;
    (void)state;
    const struct op_row *rows = op_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool named = false;
        for (size_t k = 0; k < sizeof(kept) / sizeof(kept[0]); k++) {
            named = named || strcmp(rows[i].method, kept[k]) == 0;
        }
        found += named;
        assert_int_equal(rows[i].from_reserve, named);
    }
    assert_int_equal(found, sizeof(kept) / sizeof(kept[0]));
}

/* ---- full to the last byte ---- */

static bool all_wait(void *arg)
{
    size_t waiting = 0;
    (void)arg;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        struct rlog_status status;
        rlog_status(world.nodes[i].node->rlog, &status);
        waiting += status.log_waits;
    }
    return waiting == WORLD_NODES;
}

/* The reserve of each is two small segments. */
static void begin_with_small_segments(uint64_t seed)
{
    world_begin(&world, seed);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        struct rlog_log_disk *disk = &world.nodes[i].node->rlog->log->disk;
        disk->segment_bytes = SEGMENT;
        disk->capacity = disk->offset + SEGMENT;
    }
    (void)world_leader(&world);
    world_pass(&world, SIM_SECOND);
}

static void log_out(struct tenure_client *client, struct world_session *sessions, size_t count,
                    enum tenure_outcome *ret_outcomes)
{
    for (size_t i = 0; i < count; i++) {
        ret_outcomes[i] = world_logout(client, &sessions[i]);
    }
}

static void all_are_full_then_there_is_space(void **state)
{
    enum { SESSIONS = 40 };
    struct world_session sessions[SESSIONS], late;
    enum tenure_outcome outcomes[SESSIONS];
    struct tenure_result result;
    size_t done = 0;
    (void)state;
    begin_with_small_segments(4);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    for (size_t i = 0; i < SESSIONS; i++) {
        assert_int_equal(world_create(client, "alice", HOUR, 2 * HOUR, &sessions[i]), TENURE_OK);
    }
    short_of_space(0);
    log_out(client, sessions, SESSIONS, outcomes);
    while (done < SESSIONS && outcomes[done] == TENURE_OK) {
        done++;
    }
    assert_in_range(done, 8, SESSIONS - 1); /* as long as the reserve lasts */
    assert_true(sim_run_until(world.sim, all_wait, NULL, 30 * SIM_SECOND));
    world_node_kill(&world.nodes[0]); /* what a node held in memory alone was no promise */
    world_node_power_cut(&world.nodes[1]);
    world_node_run(&world.nodes[0]);
    world_node_run(&world.nodes[1]);
    world_pass(&world, 5 * SIM_SECOND);
    empty_all();
    assert_true(sim_run_until(world.sim, serves_all, NULL, 10 * SIM_SECOND));
    assert_int_equal(world_create(client, "bob", HOUR, 2 * HOUR, &late), TENURE_OK);
    for (size_t i = 0; i < done; i++) {
        assert_int_equal(world_validate(client, &sessions[i], &result), TENURE_ENDED);
        tenure_result_done(&result);
    }
    none_has_failed();
    tenure_close(client);
    world_agree(&world);
    world_end(&world);
}

/* SIGTERM on a full disk is no wait for ever. */
static void a_full_node_stops_when_it_is_told_to(void **state)
{
    struct world_session session;
    (void)state;
    begin_with_small_segments(5);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    short_of_space(0);
    for (int i = 0; i < 200 && !all_wait(NULL); i++) {
        (void)world_revoke(client, "nobody");
    }
    assert_true(all_wait(NULL));
    node_stop(world.nodes[2].node);
    world_pass(&world, 5 * SIM_SECOND);
    assert_true(world.nodes[2].stopped);
    world_node_kill(&world.nodes[2]);
    empty_all();
    world_node_run(&world.nodes[2]);
    assert_true(sim_run_until(world.sim, serves_all, NULL, 10 * SIM_SECOND));
    assert_int_equal(world_create(client, "bob", HOUR, 2 * HOUR, &session), TENURE_OK);
    tenure_close(client);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_short_of_space_hands_over),
        cmocka_unit_test(leadership_goes_only_where_there_is_room),
        cmocka_unit_test(only_what_ends_is_served_while_all_are_short),
        cmocka_unit_test(the_reserve_is_for_what_takes_away_or_keeps),
        cmocka_unit_test(all_are_full_then_there_is_space),
        cmocka_unit_test(a_full_node_stops_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

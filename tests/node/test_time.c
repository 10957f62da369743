/* Cluster time on three nodes: deadlines (T5, T6), clocks over restarts, reboots and jumps (T2,
 * T3). */
#include "tests/node/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sat.h"

#define HOUR (3600 * SIM_SECOND)

/* One round trip, 10 ms and what a simulated disk takes: model.md section 3, "Expiry". */
#define EPSILON (40 * SIM_MILLISECOND)

/* ---- T4, T5, T6 ---- */

/* Asks all through the session's last moments: first only OK, then only EXPIRED, each in its time.
 */
static void watch_it_die(struct world *world, struct tenure_client *client,
                         const struct world_session *session)
{
    uint64_t deadline = session->time + session->absolute;
    bool dead = false;
    struct tenure_result result;
    do {
        enum tenure_outcome outcome = world_validate(client, session, &result);
        if (outcome == TENURE_OK) {
            assert_false(dead);
            assert_true(result.time < deadline);
            assert_true(result.clock < deadline);
        } else {
            assert_int_equal(outcome, TENURE_EXPIRED);
            assert_true(result.time >= deadline);
            dead = true;
        }
        world_pass(world, 700);
    } while (result.clock < deadline + 50 * SIM_MILLISECOND);
    assert_true(dead);
}

static void a_session_dies_at_its_deadline(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world world;
        world_start(&world, seed);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", 2 * SIM_SECOND, 2 * SIM_SECOND, &session),
                         TENURE_OK);
        world_pass(&world, 1900 * SIM_MILLISECOND);
        watch_it_die(&world, client, &session);
        tenure_close(client);
        world_end(&world);
    }
}

/* The leader goes just before the deadline: its successor is neither early nor takes it back. */
static void a_deadline_survives_its_leader(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world world;
        world_start(&world, seed);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", 3 * SIM_SECOND, 3 * SIM_SECOND, &session),
                         TENURE_OK);
        uint64_t born = sim_now_us(world.sim);
        world_pass(&world, 3 * SIM_SECOND - seed * 2 * SIM_MILLISECOND);
        world_node_kill(&world.nodes[world_leader(&world)]);
        (void)world_leader(&world);
        struct tenure_result result;
        for (int i = 0; i < 100; i++) {
            enum tenure_outcome outcome = world_validate(client, &session, &result);
            assert_int_equal(outcome, TENURE_EXPIRED);
            assert_true(sim_now_us(world.sim) - born + EPSILON >= 3 * SIM_SECOND);
        }
        tenure_close(client);
        world_end(&world);
    }
}

/* From outside, by the world's own clock alone (S6): many sessions, three leaders. */
static void no_answer_is_early_or_late(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 11);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    for (int round = 0; round < 6; round++) {
        struct world_session session;
        uint64_t called = sim_now_us(world.sim);
        assert_int_equal(world_create(client, "alice", HOUR, 2500 * SIM_MILLISECOND, &session),
                         TENURE_OK);
        uint64_t returned = sim_now_us(world.sim);
        if (round % 2 == 0) {
            world_pass(&world, 2000 * SIM_MILLISECOND);
            world_node_kill(&world.nodes[world_leader(&world)]);
        }
        bool dead = false;
        while (sim_now_us(world.sim) < returned + 2600 * SIM_MILLISECOND) {
            uint64_t asked = sim_now_us(world.sim);
            enum tenure_outcome outcome = world_validate(client, &session, NULL);
            assert_true(outcome == TENURE_OK || outcome == TENURE_EXPIRED);
            assert_false(outcome == TENURE_OK && dead);
            assert_false(outcome == TENURE_OK &&
                         asked > returned + 2500 * SIM_MILLISECOND + EPSILON);
            dead = outcome == TENURE_EXPIRED;
            assert_false(dead && sim_now_us(world.sim) + EPSILON < called + 2500 * SIM_MILLISECOND);
            world_pass(&world, 3000);
        }
        for (size_t i = 0; i < WORLD_NODES; i++) {
            if (world.nodes[i].node == NULL) {
                world_node_run(&world.nodes[i]);
            }
        }
    }
    tenure_close(client);
    world_end(&world);
}

static void wall_clocks_do_not_count(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 3);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", 60 * SIM_SECOND, 60 * SIM_SECOND, &session),
                     TENURE_OK);
    struct tenure_result before;
    assert_int_equal(world_validate(client, &session, &before), TENURE_OK);
    uint64_t start = sim_now_us(world.sim);
    for (int i = 0; i < 10; i++) {
        for (size_t n = 0; n < WORLD_NODES; n++) {
            int64_t by = (int64_t)(600 * SIM_SECOND) * ((i + (int)n) % 2 == 0 ? 1 : -1);
            sim_host_step_wall(world.nodes[n].host, by);
        }
        world_pass(&world, SIM_SECOND);
        struct tenure_result after;
        assert_int_equal(world_validate(client, &session, &after), TENURE_OK);
        uint64_t real = sim_now_us(world.sim) - start;
        uint64_t counted = after.clock - before.clock;
        assert_true(counted + EPSILON > real && counted < real + EPSILON);
    }
    tenure_close(client);
    world_end(&world);
}

/* T5: with a deadline anywhere, T moves at least once a second though nobody calls. */
static void time_moves_while_nobody_calls(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 4);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    size_t leader = world_leader(&world);
    uint64_t last = fsm_time(world.nodes[leader].node->fsm);
    uint64_t since = sim_now_us(world.sim);
    for (int i = 0; i < 6000; i++) {
        world_pass(&world, SIM_MILLISECOND);
        uint64_t now = fsm_time(world.nodes[leader].node->fsm);
        if (now != last) {
            last = now;
            since = sim_now_us(world.sim);
        }
        assert_true(sim_now_us(world.sim) - since < SIM_SECOND + EPSILON);
    }
    tenure_close(client);
    world_end(&world);
}

/* ---- T2: restarts and reboots ---- */

static void a_process_restart_keeps_the_clock(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 5);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", 60 * SIM_SECOND, 60 * SIM_SECOND, &session),
                     TENURE_OK);
    struct tenure_result before;
    assert_int_equal(world_validate(client, &session, &before), TENURE_OK);
    uint64_t start = sim_now_us(world.sim);
    world_pass(&world, 2 * SIM_SECOND);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_kill(&world.nodes[i]);
    }
    world_pass(&world, 20 * SIM_SECOND);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_run(&world.nodes[i]);
        assert_true(world.nodes[i].node->time.has_clock);
    }
    struct tenure_result after;
    assert_int_equal(world_validate(client, &session, &after), TENURE_OK);
    uint64_t real = sim_now_us(world.sim) - start; /* T8: downtime counts in full */
    uint64_t counted = after.clock - before.clock;
    assert_true(counted + EPSILON > real && counted < real + EPSILON);
    world_pass(&world, 40 * SIM_SECOND);
    assert_int_equal(world_validate(client, &session, NULL), TENURE_EXPIRED);
    tenure_close(client);
    world_end(&world);
}

/* Also when the cluster is younger than the time between two writes of the file. */
static void a_clock_just_made_is_kept_too(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 40);
    world_want_clocks(&world);
    world_pass(&world, 20 * SIM_MILLISECOND);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_kill(&world.nodes[i]);
    }
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_run(&world.nodes[i]);
        assert_true(world.nodes[i].node->time.has_clock);
    }
    (void)world_leader(&world);
    world_end(&world);
}

static bool is_timeless(void *arg)
{
    return world_timeless(arg) != WORLD_NODES;
}

/* The last try of a call may still be under way at its deadline: then it is TIMED_OUT. */
static void want_no_time(enum tenure_outcome outcome)
{
    assert_true(outcome == TENURE_NO_TIME || outcome == TENURE_TIMED_OUT);
}

static void all_reboot(struct world *world)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_power_cut(&world->nodes[i]);
    }
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_run(&world->nodes[i]);
        assert_false(world->nodes[i].node->time.has_clock);
    }
}

static void without_any_clock_an_operator_states_the_time(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 6);
    world_doubt_walls(&world, true);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct tenure_client *operator= world_client(&world, WORLD_NODES, "operator");
    struct world_session mine;
    struct world_session other;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &mine), TENURE_OK);
    assert_int_equal(world_create(client, "bob", HOUR, HOUR, &other), TENURE_OK);
    assert_int_equal(world_revoke(operator, "nobody"), TENURE_OK); /* registered by now */
    world_pass(&world, 2 * SIM_SECOND);
    all_reboot(&world);
    assert_true(sim_run_until(world.sim, is_timeless, &world, 10 * SIM_SECOND));
    client->timeout_us = SIM_SECOND;
    struct world_session late;
    uint64_t stands = mine.time;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        stands = u64_max(stands, fsm_time(world.nodes[i].node->fsm));
    }
    want_no_time(world_create(client, "alice", HOUR, HOUR, &late));
    want_no_time(world_validate(client, &mine, NULL));
    want_no_time(world_put(client, &mine, "k", "v"));
    assert_int_equal(world_logout(client, &mine), TENURE_OK);
    assert_int_equal(world_revoke(operator, "bob"), TENURE_OK);
    for (size_t i = 0; i < WORLD_NODES; i++) { /* under the stamp T */
        assert_true(fsm_time(world.nodes[i].node->fsm) <= stands);
    }
    struct tenure_cluster_time_request request = {.time = stands + 600 * SIM_SECOND};
    struct tenure_cluster_time_reply reply;
    struct tenure_result result;
    assert_int_equal(tenure_cluster_time(client, &request, &reply, &result), TENURE_FORBIDDEN);
    tenure_result_done(&result);
    assert_int_equal(tenure_cluster_time(operator, & request, &reply, &result), TENURE_OK);
    tenure_result_done(&result);
    assert_true(reply.time >= request.time);
    client->timeout_us = 10 * SIM_SECOND;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &late), TENURE_OK);
    assert_true(late.time >= request.time);
    assert_int_equal(world_validate(client, &mine, NULL), TENURE_ENDED);
    assert_int_equal(world_validate(client, &other, NULL), TENURE_ENDED);
    /* It is stated once: a cluster that knows its time is told nothing. */
    request.time += HOUR;
    assert_int_equal(tenure_cluster_time(operator, & request, &reply, &result), TENURE_INVALID);
    tenure_result_done(&result);
    world_want_clocks(&world);
    world_node_kill(&world.nodes[world_leader(&world)]);
    assert_int_equal(world_validate(client, &late, NULL), TENURE_OK);
    tenure_close(client);
    tenure_close(operator);
    world_end(&world);
}

/* ---- T3: the wall clocks ---- */

/* An hour's session, a power cut of all, and `away_us` without power. */
static void lose_all_clocks(struct world *world, struct tenure_client *client,
                            struct world_session *session, uint64_t away_us)
{
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, session), TENURE_OK);
    world_pass(world, 2 * SIM_SECOND);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_power_cut(&world->nodes[i]);
    }
    world_pass(world, away_us);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_run(&world->nodes[i]);
        assert_false(world->nodes[i].node->time.has_clock);
    }
}

static void wall_clocks_that_agree_tell_the_time(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 40);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    uint64_t begun = sim_now_us(world.sim);
    lose_all_clocks(&world, client, &session, HOUR / 2);
    struct tenure_result result;
    assert_int_equal(world_validate(client, &session, &result), TENURE_OK);
    uint64_t real = sim_now_us(world.sim) - begun; /* T8: downtime counts in full */
    uint64_t counted = result.clock - session.time;
    assert_true(counted + EPSILON > real && counted < real + EPSILON);
    assert_int_equal(world_timeless(&world), WORLD_NODES);
    world_pass(&world, HOUR / 2);
    assert_int_equal(world_validate(client, &session, NULL), TENURE_EXPIRED);
    tenure_close(client);
    world_end(&world);
}

/* One of three lies by more than 5 s, or its kernel is in doubt: nobody knows who is right. */
static void wall_clocks_that_do_not_agree_tell_nothing(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct world world;
        world_start(&world, 41);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        struct sim_host *host = world.nodes[world_leader(&world)].host;
        world_pass(&world, 2 * SIM_SECOND);
        lose_all_clocks(&world, client, &session, SIM_SECOND);
        if (how == 0) {
            sim_host_step_wall(host, 6 * (int64_t)SIM_SECOND);
        } else {
            sim_host_set_synchronised(host, false);
        }
        assert_true(sim_run_until(world.sim, is_timeless, &world, 10 * SIM_SECOND));
        client->timeout_us = SIM_SECOND;
        want_no_time(world_validate(client, &session, NULL));
        world_pass(&world, 5 * SIM_SECOND);
        assert_true(is_timeless(&world));
        /* It is asked again: what was wrong is put right, and nobody has to state a time. */
        if (how == 0) {
            sim_host_step_wall(host, -6 * (int64_t)SIM_SECOND);
        } else {
            sim_host_set_synchronised(host, true);
        }
        client->timeout_us = 10 * SIM_SECOND;
        assert_int_equal(world_validate(client, &session, NULL), TENURE_OK);
        tenure_close(client);
        world_end(&world);
    }
}

/* The wall clocks are asked only when no clock is left: one that is left is right. */
static void one_clock_outweighs_all_wall_clocks(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 42);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    world_pass(&world, 2 * SIM_SECOND);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        sim_host_step_wall(world.nodes[i].host, (int64_t)HOUR);
    }
    world_node_power_cut(&world.nodes[0]);
    world_node_power_cut(&world.nodes[1]);
    world_node_run(&world.nodes[0]);
    world_node_run(&world.nodes[1]);
    struct tenure_result result;
    assert_int_equal(world_validate(client, &session, &result), TENURE_OK);
    assert_true(result.clock < session.time + HOUR / 2);
    tenure_close(client);
    world_end(&world);
}

static void a_time_out_of_this_world_is_refused(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 7);
    world_doubt_walls(&world, true);
    struct tenure_client *operator= world_client(&world, WORLD_NODES, "operator");
    assert_int_equal(world_revoke(operator, "nobody"), TENURE_OK);
    all_reboot(&world);
    assert_true(sim_run_until(world.sim, is_timeless, &world, 10 * SIM_SECOND));
    struct tenure_cluster_time_request request = {.time = UINT64_MAX};
    struct tenure_cluster_time_reply reply;
    struct tenure_result result;
    assert_int_equal(tenure_cluster_time(operator, & request, &reply, &result), TENURE_INVALID);
    tenure_result_done(&result);
    assert_true(is_timeless(&world));
    tenure_close(operator);
    world_end(&world);
}

static void a_rebooted_node_learns_from_the_others(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 8);
    world_pass(&world, 2 * SIM_SECOND);
    size_t which = world_leader(&world);
    world_node_power_cut(&world.nodes[which]);
    world_node_run(&world.nodes[which]);
    assert_false(world.nodes[which].node->time.has_clock);
    world_want_clocks(&world);
    uint64_t one = world_clock(&world.nodes[which]);
    uint64_t other = world_clock(&world.nodes[world_other(which)]);
    assert_true(one + EPSILON > other && one < other + EPSILON);
    world_end(&world);
}

static void a_damaged_clock_file_costs_the_clock_alone(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 9);
    world_pass(&world, 2 * SIM_SECOND);
    struct world_node *node = &world.nodes[1];
    world_node_kill(node);
    assert_int_equal(sim_disk_flip(node->host, "/data/CLOCK", 8 * 40), ENV_OK);
    assert_int_equal(sim_disk_flip(node->host, "/data/CLOCK", 8 * (4096 + 40)), ENV_OK);
    world_node_run(node);
    assert_false(node->node->time.has_clock);
    world_want_clocks(&world);
    world_pass(&world, 2 * SIM_SECOND);
    world_node_kill(node);
    world_node_run(node); /* and it has written a good one since */
    assert_true(node->node->time.has_clock);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_dies_at_its_deadline),
        cmocka_unit_test(a_deadline_survives_its_leader),
        cmocka_unit_test(no_answer_is_early_or_late),
        cmocka_unit_test(wall_clocks_do_not_count),
        cmocka_unit_test(time_moves_while_nobody_calls),
        cmocka_unit_test(a_process_restart_keeps_the_clock),
        cmocka_unit_test(a_clock_just_made_is_kept_too),
        cmocka_unit_test(without_any_clock_an_operator_states_the_time),
        cmocka_unit_test(wall_clocks_that_agree_tell_the_time),
        cmocka_unit_test(wall_clocks_that_do_not_agree_tell_nothing),
        cmocka_unit_test(one_clock_outweighs_all_wall_clocks),
        cmocka_unit_test(a_time_out_of_this_world_is_refused),
        cmocka_unit_test(a_rebooted_node_learns_from_the_others),
        cmocka_unit_test(a_damaged_clock_file_costs_the_clock_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How a cluster comes to its one clock (T2, Birth and eras): leaders that make it are lost before
 * anybody else holds it. What clocks do once there is one is in test_time.c. */
#include "tests/node/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/sat.h"

#define HOUR (3600 * SIM_SECOND)
#define EPSILON (40 * SIM_MILLISECOND)

static void want_one_clock(const struct world *world)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        assert_true(world->nodes[i].node->time.has_clock);
        least = u64_min(least, world_clock(&world->nodes[i]));
        most = u64_max(most, world_clock(&world->nodes[i]));
    }
    assert_true(most - least < EPSILON);
}

static bool somebody_tells(void *arg)
{
    const struct world *world = arg;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (world->nodes[i].node->lead.state == LEAD_TELLING) {
            return true;
        }
    }
    return false;
}

static size_t teller(const struct world *world)
{
    size_t which = 0;
    while (world->nodes[which].node->lead.state != LEAD_TELLING) {
        which++;
    }
    return which;
}

static bool is_timeless(void *arg)
{
    return world_timeless(arg) != WORLD_NODES;
}

/* The clock of `world` has to run with real time from here on, whoever leads. */
static void want_time_to_flow(struct world *world, struct tenure_client *client,
                              const struct world_session *session)
{
    struct tenure_result before;
    assert_int_equal(world_validate(client, session, &before), TENURE_OK);
    uint64_t start = sim_now_us(world->sim);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_pass(world, 2 * SIM_SECOND);
        rlog_step_down(world->nodes[world_leader(world)].node->rlog);
        world_pass(world, SIM_SECOND);
        struct tenure_result after;
        assert_int_equal(world_validate(client, session, &after), TENURE_OK);
        uint64_t real = sim_now_us(world->sim) - start;
        uint64_t counted = after.clock - before.clock;
        assert_true(counted + EPSILON > real && counted < real + EPSILON);
    }
}

/* A first leader is cut off with the clock that it has just made, and another is born after it. */
static void a_clock_that_nobody_else_holds_is_forgotten(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world world;
        world_begin(&world, seed);
        assert_true(sim_run_until(world.sim, somebody_tells, &world, 10 * SIM_SECOND));
        size_t first = teller(&world);
        sim_net_isolate(world.sim, world.nodes[first].host, true);
        world_pass(&world, 7 * SIM_SECOND);
        size_t second = world_leader(&world);
        assert_int_not_equal(second, first);
        assert_true(world_clock(&world.nodes[second]) < WORLD_T0 + 7 * SIM_SECOND);
        assert_true(world_clock(&world.nodes[first]) >= WORLD_T0 + 7 * SIM_SECOND);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
        sim_net_heal(world.sim);
        world_pass(&world, 2 * SIM_SECOND);
        want_one_clock(&world);
        want_time_to_flow(&world, client, &session);
        tenure_close(client);
        world_end(&world);
    }
}

/* And does not come back either when those lose theirs who had it from the second leader. */
static void a_clock_that_was_forgotten_is_no_time_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct world world;
        world_begin(&world, seed);
        assert_true(sim_run_until(world.sim, somebody_tells, &world, 10 * SIM_SECOND));
        size_t first = teller(&world);
        sim_net_isolate(world.sim, world.nodes[first].host, true);
        world_pass(&world, 7 * SIM_SECOND);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
        size_t second = world_other(first);
        size_t third = WORLD_NODES - first - second;
        world_node_power_cut(&world.nodes[second]);
        world_node_power_cut(&world.nodes[third]);
        sim_net_heal(world.sim);
        world_node_run(&world.nodes[second]);
        assert_true(world.nodes[first].node->time.has_clock);
        assert_true(sim_run_until(world.sim, is_timeless, &world, 20 * SIM_SECOND));
        tenure_close(client);
        world_end(&world);
    }
}

/* A first leader goes while its clock is on the way to the others: some may hold it. */
static void a_clock_that_a_few_hold_is_found_or_forgotten(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world world;
        world_begin(&world, seed);
        assert_true(sim_run_until(world.sim, somebody_tells, &world, 10 * SIM_SECOND));
        size_t first = teller(&world);
        world_pass(&world, 300 * seed); /* µs: links take some hundred */
        sim_net_isolate(world.sim, world.nodes[first].host, true);
        world_pass(&world, 3 * SIM_SECOND);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
        sim_net_heal(world.sim);
        world_pass(&world, 2 * SIM_SECOND);
        want_one_clock(&world);
        want_time_to_flow(&world, client, &session);
        tenure_close(client);
        world_end(&world);
    }
}

/* A first leader that is lost before its TERM_START commits has made no clock yet. */
static void no_clock_is_made_before_the_first_entry_is_applied(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world world;
        world_begin(&world, seed);
        size_t first = WORLD_NODES;
        while (first == WORLD_NODES) {
            assert_true(sim_step(world.sim));
            for (size_t i = 0; i < WORLD_NODES; i++) {
                if (world.nodes[i].node->lead.state == LEAD_STARTING) {
                    first = i;
                }
            }
        }
        sim_net_isolate(world.sim, world.nodes[first].host, true);
        world_pass(&world, 5 * SIM_SECOND);
        assert_false(world.nodes[first].node->time.has_clock);
        sim_net_heal(world.sim);
        (void)world_leader(&world);
        world_pass(&world, 2 * SIM_SECOND);
        want_one_clock(&world);
        world_end(&world);
    }
}

/* The same where an operator states the time (T3): to a leader that is cut off, then to another. */
static void a_time_stated_to_a_lost_leader_is_forgotten(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 3);
    world_doubt_walls(&world, true);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_power_cut(&world.nodes[i]);
    }
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_run(&world.nodes[i]);
    }
    assert_true(sim_run_until(world.sim, is_timeless, &world, 10 * SIM_SECOND));
    size_t first = world_timeless(&world);
    sim_net_isolate(world.sim, world.nodes[first].host, true);
    uint64_t stated;
    assert_int_equal(
        node_lead_state_time(world.nodes[first].node, session.time + 900 * SIM_SECOND, &stated),
        OP_OK);
    assert_int_equal(world.nodes[first].node->lead.state, LEAD_TELLING);
    while (world_timeless(&world) == WORLD_NODES) {
        assert_true(sim_step(world.sim));
    }
    size_t second = world_timeless(&world);
    assert_int_not_equal(second, first);
    assert_int_equal(
        node_lead_state_time(world.nodes[second].node, session.time + 100 * SIM_SECOND, &stated),
        OP_OK);
    assert_int_equal(world_validate(client, &session, NULL), TENURE_OK);
    sim_net_heal(world.sim);
    world_pass(&world, 2 * SIM_SECOND);
    want_one_clock(&world);
    want_time_to_flow(&world, client, &session);
    tenure_close(client);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_nobody_else_holds_is_forgotten),
        cmocka_unit_test(a_clock_that_was_forgotten_is_no_time_again),
        cmocka_unit_test(a_clock_that_a_few_hold_is_found_or_forgotten),
        cmocka_unit_test(no_clock_is_made_before_the_first_entry_is_applied),
        cmocka_unit_test(a_time_stated_to_a_lost_leader_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

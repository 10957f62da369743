/* Clocks that follow, jump, or are led astray, on three nodes (T2). */
#include "tests/node/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HOUR (3600 * SIM_SECOND)

/* One round trip, 10 ms and what a simulated disk takes: model.md section 3, "Expiry". */
#define EPSILON (40 * SIM_MILLISECOND)

/* ---- T2: following ---- */

static void followers_keep_up_with_a_fast_leader(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 50);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", 20 * SIM_SECOND, 20 * SIM_SECOND, &session),
                     TENURE_OK);
    size_t leader = world_leader(&world);
    sim_host_drift(world.nodes[leader].host, 50000);
    world_pass(&world, 10 * SIM_SECOND);
    uint64_t fast = world_clock(&world.nodes[leader]);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        assert_true(world_clock(&world.nodes[i]) + EPSILON > fast);
    }
    /* So the time goes on without it where it was with it. */
    world_node_kill(&world.nodes[leader]);
    size_t next = world_leader(&world);
    assert_true(world_clock(&world.nodes[next]) > fast);
    assert_int_equal(world_validate(client, &session, NULL), TENURE_OK);
    tenure_close(client);
    world_end(&world);
}

/* An entry of a leader before, an hour ahead, comes into the log of `node`; it may be cut again. */
static void append_an_hour_ahead(const struct world_node *node, bool local)
{
    uint8_t bytes[64];
    struct base_writer writer;
    struct op_command tick = {.number = OP_COMMAND_TICK};
    base_writer_init(&writer, bytes, sizeof(bytes));
    op_entry_begin(&writer);
    op_entry_add(&writer, &tick);
    op_entry_finish(&writer, world_clock(node) + HOUR, 1);
    struct rlog_machine machine = node_machine_of(node->node);
    machine.appended(machine.arg, node->node->lead.term - 1, local, base_written(&writer));
}

static void a_stamp_that_may_be_cut_from_the_log_is_no_time(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 31);
    world_pass(&world, 2 * SIM_SECOND);
    for (int i = 0; i < 4; i++) {
        size_t leader = world_leader(&world);
        struct world_node *node = &world.nodes[world_other(leader)];
        append_an_hour_ahead(node, i % 2 == 0);
        if (i / 2 != 0) {
            node_time_void(&node->node->time); /* nor does it raise what is learned then */
            world_want_clocks(&world);
        }
        uint64_t one = world_clock(node);
        uint64_t other = world_clock(&world.nodes[leader]);
        assert_true(one + EPSILON > other && one < other + EPSILON);
    }
    world_end(&world);
}

/* An answer to the node's newest question, in the form of node/clocks.c. */
static void answer(const struct world_node *node, uint64_t from, uint64_t clock)
{
    uint8_t bytes[64];
    struct base_writer writer;
    base_writer_init(&writer, bytes, sizeof(bytes));
    base_write_u8(&writer, 3);
    base_write_u64(&writer, node->node->clocks.nonce);
    base_write_u8(&writer, 1);
    base_write_u64(&writer, clock);
    base_write_u64(&writer, node->node->time.era);
    base_write_u8(&writer, NODE_TIME_WALL_NONE);
    base_write_u64(&writer, 0);
    node_clocks_message(node->node, from, PEER_CLOCK_ANSWER, base_written(&writer));
}

/* C3: within 100 ms of asking. What is later may be of any time. */
static void an_answer_that_comes_late_makes_no_clock(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 32);
    world_pass(&world, 2 * SIM_SECOND);
    size_t leader = world_leader(&world);
    struct world_node *node = &world.nodes[world_other(leader)];
    world_node_power_cut(node);
    sim_net_isolate(world.sim, node->host, true);
    world_node_run(node);
    for (int late = 1; late >= 0; late--) {
        node_clocks_ask(node->node);
        world_pass(&world, NODE_TIME_ANSWER_US - 1000 + 2000 * (uint64_t)late);
        assert_false(node->node->time.has_clock);
        answer(node, world.nodes[leader].config.node, world_clock(&world.nodes[leader]));
        assert_int_equal(node->node->time.has_clock, late == 0);
    }
    world_end(&world);
}

/* ---- T2: one clock jumps ---- */

static void an_odd_clock_is_outvoted(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < WORLD_NODES; shift++) {
        struct world world;
        world_start(&world, 20 + shift);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", 8 * SIM_SECOND, 8 * SIM_SECOND, &session),
                         TENURE_OK);
        size_t odd = (world_leader(&world) + shift) % WORLD_NODES; /* shift 0: the leader's own */
        sim_host_step_boot(world.nodes[odd].host, 10 * (int64_t)SIM_SECOND);
        world_pass(&world, 100 * SIM_MILLISECOND);
        if (shift != 0) { /* make somebody collect */
            rlog_step_down(world.nodes[world_leader(&world)].node->rlog);
        }
        world_pass(&world, SIM_SECOND);
        assert_int_equal(world_validate(client, &session, NULL), TENURE_OK);
        world_want_clocks(&world);
        world_pass(&world, 9 * SIM_SECOND);
        assert_int_equal(world_validate(client, &session, NULL), TENURE_EXPIRED);
        uint64_t one = world_clock(&world.nodes[odd]);
        uint64_t other = world_clock(&world.nodes[world_other(odd)]);
        assert_true(one + EPSILON > other && one < other + EPSILON);
        tenure_close(client);
        world_end(&world);
    }
}

/* A boot clock that jumps while its node collects must not carry the others' answers along. */
static void a_jump_within_a_collection_is_noticed(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 30);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", 60 * SIM_SECOND, 60 * SIM_SECOND, &session),
                     TENURE_OK);
    struct tenure_result before;
    assert_int_equal(world_validate(client, &session, &before), TENURE_OK);
    uint64_t start = sim_now_us(world.sim);
    rlog_step_down(world.nodes[world_leader(&world)].node->rlog);
    size_t collecting = WORLD_NODES;
    while (collecting == WORLD_NODES) {
        assert_true(sim_step(world.sim));
        for (size_t i = 0; i < WORLD_NODES; i++) {
            const struct node *node = world.nodes[i].node;
            if (node != NULL && node->lead.state == LEAD_COLLECTING &&
                node->collection.count == 1) {
                collecting = i; /* waits for the third clock */
            }
        }
    }
    sim_host_step_boot(world.nodes[collecting].host, 5 * (int64_t)SIM_SECOND);
    world_pass(&world, 3 * SIM_SECOND);
    struct tenure_result after;
    assert_int_equal(world_validate(client, &session, &after), TENURE_OK);
    uint64_t real = sim_now_us(world.sim) - start;
    uint64_t counted = after.clock - before.clock;
    assert_true(counted < real + EPSILON);
    tenure_close(client);
    world_end(&world);
}

/* A leader whose clock went down serves nothing any more in its term, and gives it up even when
 * that is not possible at once: an entry is on its way, so that no follower has the whole log. */
static void a_leader_whose_clock_went_down_leaves(void **state)
{
    (void)state;
    for (uint64_t seed = 101; seed <= 106; seed++) {
        struct world world;
        world_start(&world, seed);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
        size_t old = world_leader(&world);
        const struct node *node = world.nodes[old].node;
        uint64_t term = node->lead.term;
        const struct tenure_revoke_user_request revoke = {.user = tenure_text("nobody")};
        (void)tenure_revoke_user_start(client, &revoke, NULL, NULL);
        while (list_empty(&node->batch->flights)) {
            assert_true(sim_step(world.sim));
        }
        sim_host_step_boot(world.nodes[old].host, 10 * (int64_t)SIM_SECOND);
        while (world_clock(&world.nodes[old]) >
               world_clock(&world.nodes[world_other(old)]) + 5 * SIM_SECOND) {
            assert_true(sim_step(world.sim)); /* until its collection has concluded */
        }
        while (node->lead.term == term) {
            assert_int_not_equal(node->lead.state, LEAD_SERVING);
            assert_true(sim_step(world.sim));
        }
        assert_int_equal(world_validate(client, &session, NULL), TENURE_OK);
        tenure_close(client);
        world_end(&world);
    }
}

/* A leader tells its clock however busy it is. */
static void a_voided_follower_learns_under_steady_traffic(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 60);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    size_t follower = world_other(world_leader(&world));
    const struct tenure_session_validate_request validate = {.user = tenure_text("alice"),
                                                             .token = tenure_text(session.token)};
    node_time_void(&world.nodes[follower].node->time);
    for (int i = 0; i < 100 && !world.nodes[follower].node->time.has_clock; i++) {
        (void)tenure_session_validate_start(client, &validate, NULL, NULL);
        world_pass(&world, 10 * SIM_MILLISECOND);
    }
    assert_true(world.nodes[follower].node->time.has_clock);
    tenure_close(client);
    world_end(&world);
}

/* The odd node is told again when it did not hear it the first time: here its clock comes back, as
 * if the message had been lost. */
static void an_odd_clock_is_voided_until_it_is_gone(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 61);
    world_pass(&world, SIM_SECOND);
    size_t odd = world_other(world_leader(&world));
    struct node *node = world.nodes[odd].node;
    sim_host_step_boot(world.nodes[odd].host, 10 * (int64_t)SIM_SECOND);
    struct node *leader = world.nodes[world_leader(&world)].node;
    leader->lead.last_reading = 0; /* as if it had stood still: it collects */
    struct node_time before = node->time;
    while (node->time.has_clock) {
        before = node->time;
        assert_true(sim_step(world.sim));
    }
    node->time = before;
    world_pass(&world, 2 * SIM_SECOND);
    assert_true(node->time.has_clock);
    uint64_t one = world_clock(&world.nodes[odd]);
    uint64_t other = world_clock(&world.nodes[world_other(odd)]);
    assert_true(one + EPSILON > other && one < other + EPSILON);
    world_end(&world);
}

/* The log was full when TERM_START was to begin; until it begins the machine's clock jumps. */
static void a_jump_before_the_term_begins_is_noticed(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 62);
    world_pass(&world, SIM_SECOND);
    size_t which = world_leader(&world);
    struct node *leader = world.nodes[which].node;
    leader->lead.state = LEAD_STARTING;
    leader->lead.start_index = 0;
    leader->lead.last_reading = env_boot_us(leader->env);
    sim_host_step_boot(world.nodes[which].host, 10 * (int64_t)SIM_SECOND);
    env_timer_start(leader->lead.timer, SIM_MILLISECOND);
    world_pass(&world, 2 * SIM_SECOND);
    uint64_t one = world_clock(&world.nodes[which]);
    uint64_t other = world_clock(&world.nodes[world_other(which)]);
    assert_true(one + EPSILON > other && one < other + EPSILON);
    assert_true(other < WORLD_T0 + 5 * SIM_SECOND);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(followers_keep_up_with_a_fast_leader),
        cmocka_unit_test(a_stamp_that_may_be_cut_from_the_log_is_no_time),
        cmocka_unit_test(an_answer_that_comes_late_makes_no_clock),
        cmocka_unit_test(an_odd_clock_is_outvoted),
        cmocka_unit_test(a_jump_within_a_collection_is_noticed),
        cmocka_unit_test(a_leader_whose_clock_went_down_leaves),
        cmocka_unit_test(a_voided_follower_learns_under_steady_traffic),
        cmocka_unit_test(an_odd_clock_is_voided_until_it_is_gone),
        cmocka_unit_test(a_jump_before_the_term_begins_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

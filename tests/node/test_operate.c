/* What an operator changes while others write: members and leadership, by the calls of tenurectl
 * (node/operate.c). No writer's call fails for it, and what was acknowledged stays.
 */
#include "tests/node/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/rlog.h"

static struct world world;
static struct load load;
static struct tenure_client *office;

enum { FOURTH = WORLD_NODES + 1 };

static void begin(uint64_t seed)
{
    world_start(&world, seed);
    office = world_client(&world, WORLD_NODES, "operator");
    load_start(&load, &world, 2000);
    world_pass(&world, SIM_SECOND);
}

/* Nobody's call failed, and some were made. */
static void end(void)
{
    uint64_t done = load.done;
    world_pass(&world, 2 * SIM_SECOND);
    assert_true(load.done > done + 20);
    assert_int_equal(load.failed, 0);
    load_finish(&load);
    tenure_close(office);
    world_end(&world);
}

static enum tenure_outcome add(const struct tenure_id *store, uint64_t node, char message[256])
{
    const struct world_node *joiner = &world.fourth;
    const struct tenure_member_add_request request = {.node = node,
                                                      .address = tenure_text(joiner->peer_listen),
                                                      .client_address = tenure_text(joiner->listen),
                                                      .store = *store};
    struct tenure_member_add_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_member_add(office, &request, &reply, &result);
    snprintf(message, 256, "%s", result.message);
    tenure_result_done(&result);
    return outcome;
}

static enum tenure_outcome promote(uint64_t node, uint64_t *ret_voters)
{
    const struct tenure_member_promote_request request = {.node = node};
    struct tenure_member_promote_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_member_promote(office, &request, &reply, &result);
    *ret_voters = outcome == TENURE_OK ? reply.voters : 0;
    tenure_result_done(&result);
    return outcome;
}

static enum tenure_outcome take_out(uint64_t node, uint64_t *ret_voters)
{
    const struct tenure_member_remove_request request = {.node = node};
    struct tenure_member_remove_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_member_remove(office, &request, &reply, &result);
    *ret_voters = outcome == TENURE_OK ? reply.voters : 0;
    tenure_result_done(&result);
    return outcome;
}

static enum tenure_outcome send_lead(uint64_t node, uint64_t *ret_leader)
{
    const struct tenure_leader_transfer_request request = {.has_node = true, .node = node};
    struct tenure_leader_transfer_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_leader_transfer(office, &request, &reply, &result);
    *ret_leader = outcome == TENURE_OK ? reply.node : 0;
    tenure_result_done(&result);
    return outcome;
}

/* The fourth is a voter when this returns. */
static void grow(void)
{
    struct tenure_id store;
    char message[256];
    uint64_t voters;
    world_join(&world, &store);
    assert_int_equal(add(&store, FOURTH, message), TENURE_OK);
    assert_int_equal(add(&store, FOURTH, message), TENURE_OK); /* it is so */
    assert_int_equal(promote(FOURTH, &voters), TENURE_OK);
    assert_int_equal(voters, 4);
}

static void a_leader_is_taken_out_under_load(void **state)
{
    (void)state;
    for (uint64_t seed = 700; seed < 704; seed++) {
        begin(seed);
        grow();
        size_t leader = world_leader(&world);
        uint64_t voters, again;
        assert_int_equal(take_out(leader + 1, &voters), TENURE_OK);
        assert_int_equal(voters, 3);
        assert_int_equal(take_out(leader + 1, &again), TENURE_OK); /* it is so */
        world_pass(&world, SIM_SECOND);
        assert_int_not_equal(world.nodes[leader].node->lead.state, LEAD_SERVING);
        world_node_kill(&world.nodes[leader]);
        uint64_t last;
        assert_int_equal(take_out(world_other(leader) + 1, &last), TENURE_INVALID); /* M2 */
        end();
    }
}

static void leadership_goes_round_under_load(void **state)
{
    (void)state;
    begin(710);
    for (size_t i = 0; i < 6; i++) {
        uint64_t wanted = world_other(world_leader(&world)) + 1;
        uint64_t leads;
        assert_int_equal(send_lead(wanted, &leads), TENURE_OK);
        assert_int_equal(leads, wanted);
        assert_int_equal(send_lead(wanted, &leads), TENURE_OK); /* it is so */
    }
    end();
}

static void a_member_with_another_disk_is_told_what_to_say(void **state)
{
    struct tenure_id store;
    char message[256];
    uint64_t voters;
    (void)state;
    begin(720);
    world_join(&world, &store);
    store.bytes[0] ^= 1;
    assert_int_equal(add(&store, 1, message), TENURE_INVALID);
    assert_non_null(strstr(message, "member replace"));
    assert_int_equal(add(&store, 0, message), TENURE_INVALID);
    assert_int_equal(take_out(2, &voters), TENURE_INVALID);
    assert_int_equal(promote(FOURTH, &voters), TENURE_INVALID);
    end();
}

struct transfer {
    bool ended;
    enum tenure_outcome outcome;
};

static void on_transferred(void *arg, const struct tenure_result *result,
                           const struct tenure_leader_transfer_reply *reply)
{
    struct transfer *transfer = arg;
    (void)reply;
    transfer->ended = true;
    transfer->outcome = result->outcome;
}

static bool has_ended(void *arg)
{
    return ((struct transfer *)arg)->ended;
}

/* Who is sent leadership hears nothing: the call ends, with a reason, and the leader goes on. */
static void leadership_that_cannot_go_is_answered(void **state)
{
    (void)state;
    begin(730);
    size_t leader = world_leader(&world);
    size_t to = world_other(leader);
    struct transfer transfer = {.ended = false};
    const struct tenure_leader_transfer_request request = {.has_node = true, .node = to + 1};
    sim_net_cut(world.sim, world.nodes[leader].host, world.nodes[to].host, true);
    sim_net_cut(world.sim, world.nodes[to].host, world.nodes[leader].host, true);
    assert_int_not_equal(tenure_leader_transfer_start(office, &request, on_transferred, &transfer),
                         0);
    assert_true(sim_run_until(world.sim, has_ended, &transfer, 12 * SIM_SECOND));
    assert_int_not_equal(transfer.outcome, TENURE_OK);
    sim_net_heal(world.sim);
    world_pass(&world, 2 * SIM_SECOND);
    assert_true(node_operate_empty(&world.nodes[world_leader(&world)].node->operations));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_is_taken_out_under_load),
        cmocka_unit_test(leadership_goes_round_under_load),
        cmocka_unit_test(a_member_with_another_disk_is_told_what_to_say),
        cmocka_unit_test(leadership_that_cannot_go_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

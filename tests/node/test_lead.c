/* Leadership as clients see it: who answers, who must not any more, how it is handed over and lost.
 */
#include "tests/node/load.h"
#include "tests/node/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "op/token.h"

#define HOUR (3600 * SIM_SECOND)
#define SERVICE "tenure://test/acme/service/gateway"

static void ask_validate(struct raw *raw, uint32_t msgid, const struct world_session *session)
{
    struct op_session_validate_request validate = {
        .has_user = true, .user = bytes_of_text(session->user), .has_token = true};
    assert_true(op_token_read(bytes_of_text(session->token), OP_TOKEN_session, &validate.token));
    raw_request(raw, msgid, "session.validate", NULL,
                op_row_of_method(bytes_of_text("session.validate"))->request, &validate);
}

static void cut_off(struct world *world, size_t which, bool cut)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (i != which) {
            sim_net_cut(world->sim, world->nodes[i].host, world->nodes[which].host, cut);
            sim_net_cut(world->sim, world->nodes[which].host, world->nodes[i].host, cut);
        }
    }
}

struct watch {
    struct world *world;
    size_t old;
};

static bool another_leads(void *arg)
{
    const struct watch *watch = arg;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        const struct node *node = watch->world->nodes[i].node;
        if (i != watch->old && node != NULL && node->lead.state == LEAD_SERVING) {
            return true;
        }
    }
    return false;
}

static size_t wait_for_another(struct world *world, size_t old)
{
    struct watch watch = {world, old};
    assert_true(sim_run_until(world->sim, another_leads, &watch, 20 * SIM_SECOND));
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (i != old && world->nodes[i].node->lead.state == LEAD_SERVING) {
            return i;
        }
    }
    return old;
}

static bool reads_wait(void *arg)
{
    const struct node *node = arg;
    return node->reads.count > 0;
}

/* The leader stands still at every moment of a read's way, while another revokes what it is about.
 */
static void a_frozen_leader_answers_nothing_when_it_thaws(void **state)
{
    (void)state;
    size_t frozen_in_time = 0;
    for (int steps = 0; steps < 36; steps += 2) {
        struct world world;
        struct raw raw;
        world_start(&world, 100);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
        size_t old = world_leader(&world);
        struct env_tls *tls = world_identity(&world, SERVICE);
        raw_open(&raw, &world, old, tls);
        raw_hello(&raw);
        ask_validate(&raw, 2, &session);
        const struct node *node = world.nodes[old].node;
        assert_true(sim_run_until(world.sim, reads_wait, world.nodes[old].node, SIM_SECOND));
        for (int i = 0; i < steps; i++) {
            assert_true(sim_step(world.sim));
        }
        sim_process_pause(world.nodes[old].env);
        bool unanswered = node->reads.count > 0;
        size_t now = wait_for_another(&world, old);
        struct tenure_client *other = world_client(&world, now, "service");
        assert_int_equal(world_revoke(other, "alice"), TENURE_OK);
        sim_process_resume(world.nodes[old].env);
        struct raw_answer answer;
        raw_answer(&raw, &answer);
        if (unanswered) {
            frozen_in_time++;
            assert_int_not_equal(answer.head.outcome, OP_OK);
        }
        tenure_close(other);
        tenure_close(client);
        raw_close(&raw);
        env_tls_destroy(tls);
        world_end(&world);
    }
    assert_true(frozen_in_time >= 4); /* otherwise nothing was tried */
}

/* A clock can stand still with the machine; only the confirmation round tells then. */
static void a_deposed_leader_answers_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 201; seed < 207; seed++) {
        struct world world;
        struct raw raw;
        world_start(&world, seed);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        struct world_session session;
        assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
        size_t old = world_leader(&world);
        struct env_tls *tls = world_identity(&world, SERVICE);
        raw_open(&raw, &world, old, tls);
        raw_hello(&raw);
        ask_validate(&raw, 2, &session);
        raw_expect(&raw, 2, OP_OK);
        bool cut = seed % 3 != 1;
        bool stopped = seed % 3 != 0; /* both: for all that it knows, no time has passed */
        if (cut) {
            cut_off(&world, old, true);
        }
        if (stopped) {
            sim_host_stop(world.nodes[old].host, SIM_STOP_HYPERVISOR);
        }
        size_t now = wait_for_another(&world, old);
        struct tenure_client *other = world_client(&world, now, "service");
        assert_int_equal(world_revoke(other, "alice"), TENURE_OK);
        ask_validate(&raw, 3, &session);
        if (stopped) {
            sim_host_continue(world.nodes[old].host);
        }
        struct raw_answer answer;
        raw_answer(&raw, &answer);
        /* NOT_LEADER, or NOT_READY where it asks for clocks before it hears of the new term */
        assert_int_equal(op_outcome_class(answer.head.outcome), OP_CLASS_RETRY);
        tenure_close(other);
        tenure_close(client);
        raw_close(&raw);
        env_tls_destroy(tls);
        world_end(&world);
    }
}

/* L2: after a pause no read and no write goes by the clock that was, before all were asked anew. */
static void a_pause_of_all_makes_the_leader_ask_for_clocks(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 300);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    size_t leader = world_leader(&world);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        sim_process_pause(world.nodes[i].env);
    }
    world_pass(&world, 560 * SIM_MILLISECOND);
    sim_process_resume(world.nodes[leader].env);
    const struct node *node = world.nodes[leader].node;
    while (node->lead.state == LEAD_SERVING) { /* first of all it notices */
        uint64_t position = fsm_position(node->fsm);
        assert_true(sim_step(world.sim));
        assert_int_equal(fsm_position(node->fsm), position);
    }
    assert_true(node->lead.state == LEAD_COLLECTING || node->lead.state == LEAD_FOLLOWING);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        sim_process_resume(world.nodes[i].env);
    }
    assert_int_equal(world_validate(client, &session, NULL), TENURE_OK);
    tenure_close(client);
    world_end(&world);
}

static bool has_stopped(void *arg)
{
    const struct world_node *node = arg;
    return node->stopped;
}

static void a_graceful_stop_hands_over_and_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 400; seed < 406; seed++) {
        struct world world;
        struct load load;
        world_start(&world, seed);
        load_start(&load, &world, 100);
        world_pass(&world, 200 * SIM_MILLISECOND);
        size_t old = world_leader(&world);
        struct world_node *node = &world.nodes[old];
        node_stop(node->node);
        uint64_t began = sim_now_us(world.sim);
        (void)wait_for_another(&world, old);
        assert_true(sim_now_us(world.sim) - began < 400 * SIM_MILLISECOND); /* no time-out */
        assert_true(sim_run_until(world.sim, has_stopped, node, 20 * SIM_SECOND));
        node_destroy(node->node);
        node->node = NULL;
        sim_process_free(node->env);
        world_pass(&world, 500 * SIM_MILLISECOND);
        world_node_run(node);
        world_pass(&world, 500 * SIM_MILLISECOND);
        load_finish(&load);
        assert_int_equal(load.failed, 0);
        world_agree(&world);
        world_end(&world);
    }
}

/* All that is under way belongs to somebody: a crash at any moment leaves nothing behind. */
static void a_crash_at_any_step_is_survived(void **state)
{
    (void)state;
    struct world world;
    struct load load;
    world_start(&world, 500);
    load_start(&load, &world, 2000);
    struct world_session session;
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    for (int i = 0; i < 40; i++) {
        world_pass(&world, sim_random(world.sim, 300 * SIM_MILLISECOND));
        size_t which = i % 3 == 2 ? sim_random(world.sim, WORLD_NODES) : world_leader(&world);
        for (uint64_t steps = sim_random(world.sim, 200); steps > 0; steps--) {
            assert_true(sim_step(world.sim));
        }
        world_node_kill(&world.nodes[which]);
        world_pass(&world, sim_random(world.sim, 900 * SIM_MILLISECOND));
        world_node_run(&world.nodes[which]);
        assert_int_equal(world_validate(client, &session, NULL), TENURE_OK);
    }
    load_finish(&load);
    world_agree(&world);
    tenure_close(client);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frozen_leader_answers_nothing_when_it_thaws),
        cmocka_unit_test(a_deposed_leader_answers_nothing),
        cmocka_unit_test(a_pause_of_all_makes_the_leader_ask_for_clocks),
        cmocka_unit_test(a_graceful_stop_hands_over_and_loses_nothing),
        cmocka_unit_test(a_crash_at_any_step_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

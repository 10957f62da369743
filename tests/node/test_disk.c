/* What survives: power cuts under load, snapshots while serving, wrong folders, a crash at each
 * point. */
#include "tests/node/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR (3600 * SIM_SECOND)

enum { TRAILING = 4096 }; /* entries that raftlog keeps behind a snapshot */

static bool is_timeless(void *arg)
{
    return world_timeless(arg) != WORLD_NODES;
}

static void state_the_time(struct world *world)
{
    enum tenure_outcome outcome = TENURE_UNREACHABLE;
    for (int i = 0; i < 5 && outcome != TENURE_OK; i++) {
        assert_true(sim_run_until(world->sim, is_timeless, world, 10 * SIM_SECOND));
        struct tenure_client *operator= world_client(world, world_timeless(world), "operator");
        const struct tenure_cluster_time_request request = {.time = WORLD_T0 + 60 * SIM_SECOND};
        struct tenure_cluster_time_reply reply;
        struct tenure_result result;
        outcome = tenure_cluster_time(operator, & request, &reply, &result);
        tenure_result_done(&result);
        tenure_close(operator);
    }
    assert_int_equal(outcome, TENURE_OK);
}

/* S7: all machines lose power in the middle of writing, each disk keeps what it pleases. */
static void a_power_cut_of_all_loses_nothing_acknowledged(void **state)
{
    (void)state;
    for (uint64_t seed = 600; seed < 612; seed++) {
        struct world world;
        struct load load;
        world_start(&world, seed);
        world_doubt_walls(&world, true);
        load_start(&load, &world, 500);
        for (int cut = 0; cut < 2; cut++) {
            world_pass(&world,
                       100 * SIM_MILLISECOND + sim_random(world.sim, 700 * SIM_MILLISECOND));
            for (size_t i = 0; i < WORLD_NODES; i++) {
                world_node_power_cut(&world.nodes[i]);
                for (uint64_t steps = sim_random(world.sim, 60); steps > 0; steps--) {
                    (void)sim_step(world.sim);
                }
            }
            for (size_t i = 0; i < WORLD_NODES; i++) {
                world_node_run(&world.nodes[i]);
            }
            state_the_time(&world);
        }
        assert_true(load.done > 0);
        load_finish(&load);
        world_agree(&world);
        world_end(&world);
    }
}

struct catching_up {
    const struct node *node;
    uint64_t index;
};

static bool has_caught_up(void *arg)
{
    const struct catching_up *lagging = arg;
    struct rlog_status status;
    rlog_status(lagging->node->rlog, &status);
    return status.applied >= lagging->index;
}

/* One lags, the others compact their logs meanwhile: it is sent a snapshot while they serve. */
static void a_snapshot_is_taken_and_installed_while_serving(void **state)
{
    (void)state;
    struct world world;
    struct load load;
    world_start(&world, 700);
    load_start(&load, &world, 100);
    load.pace_us = 3000;
    world_pass(&world, SIM_SECOND);
    size_t away = world_other(world_leader(&world));
    struct rlog_status late;
    rlog_status(world.nodes[away].node->rlog, &late);
    world_node_kill(&world.nodes[away]);
    struct rlog_status status = {.snapshot = 0};
    for (int i = 0; i < 60 && status.snapshot <= late.last + TRAILING; i++) {
        world_pass(&world, SIM_SECOND);
        rlog_status(world.nodes[world_leader(&world)].node->rlog, &status);
    }
    assert_true(status.snapshot > late.last + TRAILING); /* what it lacks is in no log any more */
    load.pace_us = 50000;
    uint64_t done = load.done;
    world_node_run(&world.nodes[away]);
    struct catching_up lagging = {.node = world.nodes[away].node, .index = status.applied};
    assert_true(sim_run_until(world.sim, has_caught_up, &lagging, 20 * SIM_SECOND));
    world_pass(&world, SIM_SECOND);
    assert_true(load.done > done + 100); /* they served on */
    assert_true(world.nodes[away].node->time.has_clock);
    world_node_kill(&world.nodes[away]);
    world_node_run(&world.nodes[away]); /* from its own snapshot */
    load_finish(&load);
    world_agree(&world);
    world_end(&world);
}

/* ---- folders ---- */

static void want_refusal(struct world_node *node, const char *part)
{
    assert_false(world_node_try(node));
    assert_null(strchr(node->error, '\n'));
    if (strstr(node->error, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", node->error, part);
    }
}

static void certify(struct sim_host *host, const char *identity)
{
    assert_int_equal(sim_certificate_write(host, "/pki/own.pem", "cluster-ca", identity), ENV_OK);
    assert_int_equal(sim_key_write(host, "/pki/own.key", "cluster-ca", identity), ENV_OK);
}

static void a_folder_that_is_not_ours_is_refused_in_one_line(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 800);
    struct world_node *node = &world.nodes[0];
    world_node_kill(node);
    node->config.node = 2; /* the configuration of another node */
    certify(node->host, "tenure://test/-/peer/2");
    want_refusal(node, "/data");
    node->config.node = 1;
    want_refusal(node, "peer/2"); /* the certificate of another node */
    certify(node->host, "tenure://other/-/peer/1");
    want_refusal(node, "other"); /* another cluster's */
    certify(node->host, "tenure://test/acme/service/1");
    want_refusal(node, "service"); /* no node's at all */
    certify(node->host, "tenure://test/-/peer/1");
    node->config.folder = (char *)"/nowhere";
    want_refusal(node, "/nowhere");
    node->config.folder = (char *)"/data";
    node->config.listen = (char *)"nonsense";
    want_refusal(node, "nonsense");
    node->config.listen = node->listen;
    node->config.election_ms = 60000; /* T8: leases of 5 s */
    want_refusal(node, "election_ms");
    node->config.election_ms = 500;
    world_node_run(node);
    world_pass(&world, SIM_SECOND);
    world_agree(&world);
    world_end(&world);
}

static void a_disk_that_fails_ends_the_node_in_one_line(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 900);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    struct world_node *node = &world.nodes[world_leader(&world)];
    node->may_fail = true;
    sim_disk_fail(node->host, SIM_DISK_SYNC, "/data/*", 1, UINT64_MAX, ENV_IO);
    assert_int_equal(world_put(client, &session, "k", "v"), TENURE_OK);
    assert_true(node->failed);
    assert_null(strchr(node->error, '\n'));
    world_node_kill(node);
    sim_disk_fail_clear(node->host);
    world_node_run(node);
    char value[64];
    assert_int_equal(world_get(client, &session, "k", value), TENURE_OK);
    assert_string_equal(value, "v");
    world_pass(&world, SIM_SECOND);
    world_agree(&world);
    tenure_close(client);
    world_end(&world);
}

/* ---- every fault point ---- */

static uint64_t hits_of_a_run(void)
{
    struct world world;
    struct load load;
    world_start(&world, 1000);
    uint64_t before = sim_fault_hits_of(world.nodes[0].env);
    load_start(&load, &world, 4000);
    world_pass(&world, 1500 * SIM_MILLISECOND);
    uint64_t hits = sim_fault_hits_of(world.nodes[0].env) - before;
    load_finish(&load);
    world_end(&world);
    return hits;
}

static void a_crash_at_a_fault_point_is_survived(void **state)
{
    (void)state;
    enum { SAMPLES = 24 };
    uint64_t hits = hits_of_a_run();
    assert_true(hits > SAMPLES);
    size_t crashed = 0;
    for (uint64_t sample = 0; sample < SAMPLES; sample++) {
        struct world world;
        struct load load;
        world_start(&world, 1000);
        struct world_node *node = &world.nodes[0];
        sim_fault_crash_at(node->env, NULL, 1 + sample * hits / SAMPLES,
                           sample % 2 == 0 ? SIM_CRASH_PROCESS : SIM_CRASH_POWER);
        load_start(&load, &world, 4000);
        world_pass(&world, 1500 * SIM_MILLISECOND);
        if (world_node_bury(node)) {
            crashed++;
            world_node_run(node);
        }
        world_pass(&world, 500 * SIM_MILLISECOND);
        load_finish(&load);
        world_agree(&world);
        world_end(&world);
    }
    assert_true(crashed >= SAMPLES - 2);
}

static void ignore_accept(void *arg, struct env_conn *conn)
{
    (void)arg;
    env_conn_close(conn, false);
}

/* It says so, leaves nothing behind, and starts when the port is free. */
static void a_node_whose_port_is_taken_does_not_start(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 70);
    struct world_node *node = &world.nodes[world_other(world_leader(&world))];
    world_node_kill(node);
    struct env *squatter = sim_process_start(node->host, "squatter");
    char error[512];
    struct env_tls *tls = NULL;
    assert_int_equal(env_tls_create(squatter, "/pki/ca.pem", "/pki/own.pem", "/pki/own.key", error,
                                    sizeof(error), &tls),
                     ENV_OK);
    char address[ENV_ADDRESS_MAX];
    struct env_listener *listener = NULL;
    assert_int_equal(env_listen(squatter, node->listen, tls, "tenure/1", ignore_accept, NULL,
                                address, &listener),
                     ENV_OK);
    assert_false(world_node_try(node));
    assert_non_null(strstr(node->error, node->listen));
    env_listener_close(listener);
    env_tls_destroy(tls);
    sim_process_free(squatter);
    world_node_run(node);
    world_agree(&world);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_of_all_loses_nothing_acknowledged),
        cmocka_unit_test(a_snapshot_is_taken_and_installed_while_serving),
        cmocka_unit_test(a_folder_that_is_not_ours_is_refused_in_one_line),
        cmocka_unit_test(a_disk_that_fails_ends_the_node_in_one_line),
        cmocka_unit_test(a_crash_at_a_fault_point_is_survived),
        cmocka_unit_test(a_node_whose_port_is_taken_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

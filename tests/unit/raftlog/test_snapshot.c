/* Snapshots bound the log, start a node, and bring a lagging one to the same state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/raftlog/cluster.h"

static struct cluster *small_snapshots(uint64_t seed, size_t count)
{
    struct cluster *cluster = cluster_create(seed, count);
    cluster->config.snapshot_bytes = 16 * 1024;
    cluster->config.trailing = 64;
    cluster->padding = 100;
    return cluster;
}

static uint64_t snapshot_of(const struct cluster_node *node)
{
    struct rlog_status status;
    rlog_status(node->rlog, &status);
    return status.snapshot;
}

static void are_taken_when_due_and_start_a_node(void **state)
{
    (void)state;
    struct cluster *cluster = small_snapshots(1, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 1000);
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_run(cluster, SIM_SECOND);
    for (size_t i = 0; i < 3; i++) {
        assert_true(snapshot_of(&cluster->nodes[i]) > 500);
        assert_int_equal(cluster->nodes[i].restores, 0);
        cluster_power_cut(cluster, i);
    }
    cluster_start_all(cluster);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cluster->nodes[i].restores, 1);
        assert_true(cluster->nodes[i].count > 500);
    }
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_write(cluster, 100);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

static void bring_a_lagging_follower_to_the_same_state(void **state)
{
    (void)state;
    struct cluster *cluster = small_snapshots(2, 3);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 100);
    size_t lagging = leader->id % 3;
    cluster_crash(cluster, lagging);
    cluster_write(cluster, 1500);
    cluster_run(cluster, SIM_SECOND);
    assert_int_equal(cluster_start(cluster, lagging), 0);
    cluster_settle(cluster, 20 * SIM_SECOND);
    assert_int_equal(cluster->nodes[lagging].restores, 1);
    assert_true(snapshot_of(&cluster->nodes[lagging]) > 500);
    /* And what it holds now starts it again. */
    cluster_power_cut(cluster, lagging);
    cluster_write(cluster, 10);
    assert_int_equal(cluster_start(cluster, lagging), 0);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

static void a_large_image_travels_in_pieces(void **state)
{
    (void)state;
    struct cluster *cluster = small_snapshots(3, 3);
    cluster->config.snapshot_bytes = 1024 * 1024 * 1024;
    cluster->padding = 0;
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    size_t lagging = leader->id % 3;
    cluster_run(cluster, SIM_SECOND);
    cluster_crash(cluster, lagging);
    /* Numbers that do not compress: the file takes several chunks of the stream. */
    for (size_t i = 0; i < 40; i++) {
        cluster->next_value += sim_random(cluster->sim, 1000);
        cluster_write(cluster, 1000);
    }
    leader = cluster_leader(cluster);
    rlog_snapshot_now(leader->rlog);
    cluster_run(cluster, SIM_SECOND);
    assert_true(snapshot_of(leader) > 40000);
    assert_int_equal(cluster_start(cluster, lagging), 0);
    /* It goes on writing meanwhile. */
    cluster_write(cluster, 500);
    cluster_settle(cluster, 20 * SIM_SECOND);
    assert_int_equal(cluster->nodes[lagging].restores, 1);
    cluster_destroy(cluster);
}

static void a_stream_that_breaks_begins_anew(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 20; seed++) {
        struct cluster *cluster = small_snapshots(seed, 3);
        cluster_start_all(cluster);
        struct cluster_node *leader = cluster_wait_leader(cluster);
        size_t lagging = leader->id % 3;
        cluster_run(cluster, SIM_SECOND);
        cluster_crash(cluster, lagging);
        cluster_write(cluster, 2000);
        cluster_run(cluster, SIM_SECOND);
        assert_int_equal(cluster_start(cluster, lagging), 0);
        for (size_t i = 0; i < 8; i++) {
            cluster_run(cluster, sim_random(cluster->sim, 20 * SIM_MILLISECOND));
            if (i == 4) {
                cluster_power_cut(cluster, lagging);
                assert_int_equal(cluster_start(cluster, lagging), 0);
            }
            sim_net_reset(cluster->sim, leader->host, cluster->nodes[lagging].host);
        }
        cluster_settle(cluster, 30 * SIM_SECOND);
        cluster_destroy(cluster);
    }
}

static void a_crash_at_any_write_of_an_install_is_survived(void **state)
{
    (void)state;
    bool crashed = true;
    for (uint64_t n = 1; crashed; n++) { /* until the install has fewer points than that */
        struct cluster *cluster = small_snapshots(30, 3);
        cluster_start_all(cluster);
        struct cluster_node *leader = cluster_wait_leader(cluster);
        size_t lagging = leader->id % 3;
        struct cluster_node *node = &cluster->nodes[lagging];
        sim_disk_set_policy(node->host, n % 2 == 0 ? SIM_DISK_LOSE : SIM_DISK_RANDOM);
        cluster_run(cluster, SIM_SECOND);
        cluster_crash(cluster, lagging);
        cluster_write(cluster, 600);
        cluster_run(cluster, SIM_SECOND);
        assert_int_equal(cluster_start(cluster, lagging), 0);
        sim_fault_crash_at(node->env, NULL, n, SIM_CRASH_POWER);
        cluster_run(cluster, SIM_SECOND);
        crashed = sim_process_crashed(node->env);
        assert_true(crashed || n > 20);
        if (crashed) {
            cluster_crash(cluster, lagging);
            if (cluster_start(cluster, lagging) != 0) {
                fail_msg("crash at hit %u: %s", (unsigned)n, node->error);
            }
        }
        cluster_settle(cluster, 30 * SIM_SECOND);
        cluster_destroy(cluster);
    }
}

static void bindings_are_part_of_them(void **state)
{
    (void)state;
    struct cluster *cluster = small_snapshots(40, 3);
    cluster->config.trailing = 1;
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 1000);
    cluster_run(cluster, SIM_SECOND);
    for (size_t i = 0; i < 3; i++) {
        assert_true(snapshot_of(&cluster->nodes[i]) > 100);
        cluster_power_cut(cluster, i);
    }
    cluster_replace_disk(cluster, 2);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_run(cluster, 5 * SIM_SECOND);
    assert_true(cluster_logged(cluster, "node 3's disk was replaced"));
    assert_int_equal(cluster->nodes[2].count, 0);
    cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_taken_when_due_and_start_a_node),
        cmocka_unit_test(bring_a_lagging_follower_to_the_same_state),
        cmocka_unit_test(a_large_image_travels_in_pieces),
        cmocka_unit_test(a_stream_that_breaks_begins_anew),
        cmocka_unit_test(a_crash_at_any_write_of_an_install_is_survived),
        cmocka_unit_test(bindings_are_part_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

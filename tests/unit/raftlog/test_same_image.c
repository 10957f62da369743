/* The nodes of a busy cluster take the same images: at the same index, the same bytes; so what one
 * leader began to send, the next one goes on with. Who was asked for one of its own, was away, or
 * was made from a leader's image is with the others again at the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/snapshot_format.h"
#include "tests/unit/raftlog/cluster.h"

enum { BURST = 150, STEP_US = 200, LONG_US = 60 * 1000 * 1000 };

static struct rlog_status status_of(const struct cluster *cluster, size_t node)
{
    struct rlog_status status;
    rlog_status(cluster->nodes[node].rlog, &status);
    return status;
}

static uint64_t image_of(const struct cluster *cluster, size_t node)
{
    return status_of(cluster, node).snapshot;
}

static void read_image(const struct cluster *cluster, size_t node, uint8_t **ret_data,
                       size_t *ret_size)
{
    char path[64], name[RLOG_SNAPSHOT_NAME_MAX];
    rlog_snapshot_name(name, image_of(cluster, node));
    (void)snprintf(path, sizeof path, "/data/snapshots/%s", name);
    assert_int_equal(sim_disk_read(cluster->nodes[node].host, path, ret_data, ret_size), 0);
}

static void check_same(const struct cluster *cluster, size_t node, size_t other)
{
    uint8_t *a, *b;
    size_t a_size, b_size;
    assert_int_equal(image_of(cluster, node), image_of(cluster, other));
    read_image(cluster, node, &a, &a_size);
    read_image(cluster, other, &b, &b_size);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
    free(a);
    free(b);
}

/* Many entries at a time: each node applies them in turns of its own. */
static void write_burst(struct cluster *cluster)
{
    cluster_write(cluster, BURST);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_run(cluster, SIM_SECOND);
}

/* Until each node has taken another one than now. */
static void write_until_next(struct cluster *cluster)
{
    uint64_t before[3];
    for (size_t i = 0; i < 3; i++) {
        before[i] = image_of(cluster, i);
    }
    for (size_t i = 0; i < 3; i++) {
        for (size_t bursts = 0; image_of(cluster, i) == before[i]; bursts++) {
            assert_true(bursts < 20);
            write_burst(cluster);
        }
    }
}

static void check_all_same(const struct cluster *cluster)
{
    check_same(cluster, 0, 1);
    check_same(cluster, 0, 2);
}

static struct cluster *begin(uint64_t seed)
{
    struct cluster *cluster = cluster_create(seed, 3);
    cluster->config.snapshot_bytes = 16 * 1024;
    cluster->config.trailing = 64;
    cluster->padding = 90;
    return cluster;
}

static void all_nodes_take_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct cluster *cluster = begin(seed);
        cluster_start_all(cluster);
        size_t odd = cluster_wait_leader(cluster)->id % 3;
        for (size_t i = 0; i < 5; i++) {
            write_until_next(cluster);
            check_all_same(cluster);
        }
        write_burst(cluster);
        rlog_snapshot_now(cluster->nodes[odd].rlog); /* for a backup */
        cluster_run(cluster, SIM_SECOND);
        assert_true(image_of(cluster, odd) > image_of(cluster, (odd + 1) % 3));
        write_until_next(cluster);
        check_all_same(cluster);
        cluster_crash(cluster, odd);
        for (size_t i = 0; i < 12; i++) {
            cluster_write(cluster, BURST);
        }
        assert_int_equal(cluster_start(cluster, odd), 0); /* gets an image, and then the log */
        cluster_settle(cluster, 20 * SIM_SECOND);
        assert_true(cluster->nodes[odd].restores > 0);
        write_until_next(cluster);
        check_all_same(cluster);
        cluster_destroy(cluster);
    }
}

/* The leader's own disk is the slowest: what the others have stored is applied before it has. */
static void a_slow_disk_changes_no_index(void **state)
{
    (void)state;
    struct cluster *cluster = begin(7);
    cluster_start_all(cluster);
    size_t leader = cluster_wait_leader(cluster)->id - 1;
    sim_disk_latency(cluster->nodes[leader].host, 20 * SIM_MILLISECOND, 0);
    for (size_t i = 0; i < 4; i++) {
        write_until_next(cluster);
        check_all_same(cluster);
    }
    cluster_destroy(cluster);
}

static uint64_t received(const struct cluster *cluster, size_t node)
{
    return status_of(cluster, node).snapshot_received;
}

/* Nobody asks for the image that travels, and entries come meanwhile. */
static void the_next_leader_goes_on(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 14; seed++) {
        struct cluster *cluster = begin(seed);
        cluster->config.trailing = 16;
        cluster->record = CLUSTER_RECORD_MAX;
        cluster_start_all(cluster);
        size_t lagging = cluster_wait_leader(cluster)->id % 3;
        cluster_crash(cluster, lagging);
        size_t leader = cluster_wait_leader(cluster)->id - 1;
        size_t other = 3 - leader - lagging;
        write_burst(cluster);
        rlog_snapshot_now(cluster->nodes[other].rlog); /* for a backup */
        cluster_run(cluster, SIM_SECOND);
        for (size_t i = 0; image_of(cluster, leader) < 8 * BURST; i++) {
            assert_true(i < 40);
            write_burst(cluster);
        }
        uint8_t *image;
        size_t size;
        read_image(cluster, leader, &image, &size);
        free(image);
        assert_int_equal(cluster_start(cluster, lagging), 0);
        for (uint64_t us = 0; received(cluster, lagging) < size / 2; us += STEP_US) {
            assert_true(us < LONG_US);
            if (received(cluster, lagging) > 0) { /* not while it waits for a connection */
                (void)cluster_submit(&cluster->nodes[leader]);
            }
            cluster_run(cluster, STEP_US);
        }
        uint64_t before = received(cluster, lagging);
        cluster_crash(cluster, leader);
        assert_int_equal(cluster_wait_leader(cluster)->id - 1, other);
        cluster_write(cluster, 5);
        cluster_settle(cluster, 60 * SIM_SECOND);
        assert_int_equal(cluster->nodes[lagging].restores, 1);
        print_message("%u bytes: %u, then %u\n", (unsigned)size, (unsigned)before,
                      (unsigned)(received(cluster, lagging) - before));
        assert_true(received(cluster, lagging) <=
                    size + RLOG_SNAPSHOT_BLOCK_MAX + 2 * (size_t)128 * 1024);
        cluster_destroy(cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_nodes_take_the_same),
        cmocka_unit_test(a_slow_disk_changes_no_index),
        cmocka_unit_test(the_next_leader_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A snapshot that is on its way to a lagging node goes on where it was, whatever breaks: the
 * connection, the receiver, the leader. What arrived is of use for the same image alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/snapshot_format.h"
#include "tests/unit/raftlog/cluster.h"

enum { NUMBERS = 2000, SHORT_US = 200, LONG_US = 100 * 1000 * 1000 };

struct transfer {
    struct cluster *cluster;
    size_t lagging, leader, other;
    uint64_t size; /* of the leader's image */
};

static struct rlog_status status_of(const struct transfer *transfer, size_t node)
{
    struct rlog_status status;
    rlog_status(transfer->cluster->nodes[node].rlog, &status);
    return status;
}

static uint64_t received(const struct transfer *transfer)
{
    return status_of(transfer, transfer->lagging).snapshot_received;
}

struct look {
    char found[64];
    size_t parts;
};

static void look_for_part(void *arg, const char *name)
{
    struct look *look = arg;
    if (strstr(name, ".part") != NULL) {
        snprintf(look->found, sizeof look->found, "%s", name);
        look->parts++;
    }
}

/* What arrived in part, and stays on the lagging node's disk. */
static struct look parts_of(const struct transfer *transfer)
{
    struct look look = {.parts = 0};
    const struct sim_host *host = transfer->cluster->nodes[transfer->lagging].host;
    (void)sim_disk_list((struct sim_host *)(uintptr_t)host, "/data/snapshots", look_for_part,
                        &look);
    return look;
}

static void read_image(const struct transfer *transfer, size_t node, uint8_t **ret_data,
                       size_t *ret_size)
{
    char path[64], name[RLOG_SNAPSHOT_NAME_MAX];
    rlog_snapshot_name(name, status_of(transfer, node).snapshot);
    snprintf(path, sizeof path, "/data/snapshots/%s", name);
    assert_int_equal(sim_disk_read(transfer->cluster->nodes[node].host, path, ret_data, ret_size),
                     0);
}

static void note_leader(struct transfer *transfer)
{
    const struct cluster_node *leader = cluster_wait_leader(transfer->cluster);
    transfer->leader = leader->id - 1;
    transfer->other = 3 - transfer->leader - transfer->lagging;
}

static void write_numbers(struct transfer *transfer, size_t count)
{
    for (size_t i = 0; i < count; i += 250) {
        cluster_write(transfer->cluster, 250);
    }
    cluster_run(transfer->cluster, SIM_SECOND);
}

static void take_images(struct transfer *transfer)
{
    uint8_t *a, *b;
    size_t a_size, b_size;
    rlog_snapshot_now(transfer->cluster->nodes[transfer->leader].rlog);
    rlog_snapshot_now(transfer->cluster->nodes[transfer->other].rlog);
    cluster_run(transfer->cluster, SIM_SECOND);
    read_image(transfer, transfer->leader, &a, &a_size);
    read_image(transfer, transfer->other, &b, &b_size);
    assert_true(a_size == b_size && memcmp(a, b, a_size) == 0); /* one state, one image */
    transfer->size = a_size;
    free(a);
    free(b);
}

static void take_image(struct transfer *transfer)
{
    uint8_t *image;
    size_t size;
    rlog_snapshot_now(transfer->cluster->nodes[transfer->leader].rlog);
    cluster_run(transfer->cluster, SIM_SECOND);
    read_image(transfer, transfer->leader, &image, &size);
    transfer->size = size;
    free(image);
}

/* One node is down and lags; the leader has an image, of eight blocks, and the other one the same
 * if it is to be so. */
static struct transfer begin_with(uint64_t seed, bool both)
{
    struct transfer transfer = {.cluster = cluster_create(seed, 3)};
    struct cluster *cluster = transfer.cluster;
    cluster->config.trailing = 16;
    cluster->config.snapshot_bytes = UINT64_C(1) << 40;
    cluster->record = CLUSTER_RECORD_MAX;
    cluster_start_all(cluster);
    transfer.lagging = cluster_wait_leader(cluster)->id % 3;
    cluster_run(cluster, SIM_SECOND);
    cluster_crash(cluster, transfer.lagging);
    note_leader(&transfer);
    write_numbers(&transfer, NUMBERS);
    if (both) {
        take_images(&transfer);
    } else {
        take_image(&transfer);
    }
    assert_true(transfer.size > 7 * (uint64_t)RLOG_SNAPSHOT_CHUNK);
    return transfer;
}

static struct transfer begin(uint64_t seed)
{
    return begin_with(seed, true);
}

/* Until the lagging node got so much of it, in this life. */
static uint64_t run_until_received(struct transfer *transfer, uint64_t bytes)
{
    for (uint64_t us = 0; received(transfer) < bytes; us += SHORT_US) {
        assert_true(us < LONG_US);
        cluster_run(transfer->cluster, SHORT_US);
    }
    assert_true(received(transfer) < transfer->size);
    return received(transfer);
}

static void start(struct transfer *transfer, size_t node)
{
    if (cluster_start(transfer->cluster, node) != 0) {
        fail_msg("%s", transfer->cluster->nodes[node].error);
    }
}

/* All is well; the lagging node got `before` bytes, and then no more than the rest: what it had of
 * a block that was not whole comes twice. */
static void end(struct transfer *transfer, uint64_t before, uint64_t after)
{
    cluster_settle(transfer->cluster, 60 * SIM_SECOND);
    assert_int_equal(transfer->cluster->nodes[transfer->lagging].restores, 1);
    after = received(transfer) - after;
    print_message("%u bytes: %u, then %u\n", (unsigned)transfer->size, (unsigned)before,
                  (unsigned)after);
    assert_true(before + after >= transfer->size);
    assert_true(before + after <= transfer->size + RLOG_SNAPSHOT_BLOCK_MAX + 2 * 128 * 1024);
    assert_true(after < transfer->size);
    assert_int_equal(parts_of(transfer).parts, 0);
    cluster_destroy(transfer->cluster);
}

static void goes_on_over_a_new_connection(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct transfer transfer = begin(seed);
        struct cluster *cluster = transfer.cluster;
        start(&transfer, transfer.lagging);
        uint64_t before = run_until_received(&transfer, transfer.size / 4 * (1 + seed % 3));
        sim_net_reset(cluster->sim, cluster->nodes[transfer.leader].host,
                      cluster->nodes[transfer.lagging].host);
        cluster_run(cluster, SIM_MILLISECOND);
        assert_int_equal(parts_of(&transfer).parts, 1);
        cluster_run(cluster, 5 * SIM_SECOND); /* it does not wait for the core's next try */
        assert_int_equal(status_of(&transfer, transfer.lagging).snapshot,
                         status_of(&transfer, transfer.leader).snapshot);
        end(&transfer, before, before);
    }
}

static void goes_on_after_the_receiver_died(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed < 16; seed++) {
        struct transfer transfer = begin(seed);
        struct cluster *cluster = transfer.cluster;
        start(&transfer, transfer.lagging);
        uint64_t before = run_until_received(&transfer, transfer.size / 4 * (1 + seed % 3));
        cluster_crash(cluster, transfer.lagging);
        assert_int_equal(parts_of(&transfer).parts, 1);
        start(&transfer, transfer.lagging);
        end(&transfer, before, 0);
    }
}

/* What was written but not synced may be gone, or be something else. */
static void a_power_cut_leaves_nothing_wrong(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 26; seed++) {
        struct transfer transfer = begin(seed);
        struct cluster *cluster = transfer.cluster;
        sim_disk_set_policy(cluster->nodes[transfer.lagging].host, SIM_DISK_RANDOM);
        for (size_t i = 0; i < 3; i++) {
            start(&transfer, transfer.lagging);
            (void)run_until_received(&transfer, transfer.size / 3);
            cluster_power_cut(cluster, transfer.lagging);
        }
        start(&transfer, transfer.lagging);
        cluster_settle(cluster, 60 * SIM_SECOND);
        assert_int_equal(cluster->nodes[transfer.lagging].restores, 1);
        assert_int_equal(parts_of(&transfer).parts, 0);
        cluster_destroy(cluster);
    }
}

static void goes_on_under_a_new_leader(void **state)
{
    (void)state;
    for (uint64_t seed = 30; seed < 36; seed++) {
        struct transfer transfer = begin(seed);
        struct cluster *cluster = transfer.cluster;
        start(&transfer, transfer.lagging);
        uint64_t before = run_until_received(&transfer, transfer.size / 4 * (1 + seed % 3));
        cluster_crash(cluster, transfer.leader);
        cluster_run(cluster, SIM_MILLISECOND);
        assert_int_equal(parts_of(&transfer).parts, 1);
        assert_int_equal(cluster_wait_leader(cluster)->id - 1, transfer.other);
        cluster_settle(cluster, 60 * SIM_SECOND);
        start(&transfer, transfer.leader);
        end(&transfer, before, before);
    }
}

/* All has arrived, and is being checked: the next leader's offer of the same image finds it so, or
 * is looked at when that is over; none is forgotten. */
static void the_leader_dies_while_the_image_is_checked(void **state)
{
    (void)state;
    for (uint64_t late_us = 0; late_us < 3000; late_us += 300) {
        struct transfer transfer = begin(50);
        struct cluster *cluster = transfer.cluster;
        start(&transfer, transfer.lagging);
        (void)run_until_received(&transfer, transfer.size / 2);
        while (received(&transfer) < transfer.size) {
            cluster_run(cluster, 20);
        }
        cluster_run(cluster, late_us);
        cluster_crash(cluster, transfer.leader);
        assert_int_equal(cluster_wait_leader(cluster)->id - 1, transfer.other);
        cluster_settle(cluster, 10 * SIM_SECOND);
        assert_int_equal(cluster->nodes[transfer.lagging].restores, 1);
        assert_int_equal(parts_of(&transfer).parts, 0);
        cluster_destroy(cluster);
    }
}

/* And a new node, which has no vote. */
static void a_learner_goes_on_under_a_new_leader(void **state)
{
    (void)state;
    struct transfer transfer = begin(37);
    struct cluster *cluster = transfer.cluster;
    size_t voter = transfer.lagging;
    start(&transfer, voter);
    cluster_settle(cluster, 60 * SIM_SECOND);
    transfer.lagging = cluster_join(cluster);
    cluster_change(cluster, RLOG_ADD, transfer.lagging);
    note_leader(&transfer);
    transfer.other = voter;
    write_numbers(&transfer, 250);
    for (size_t i = 0; i < 3; i++) {
        rlog_snapshot_now(cluster->nodes[i].rlog);
    }
    cluster_run(cluster, SIM_SECOND);
    start(&transfer, transfer.lagging);
    uint64_t before = run_until_received(&transfer, transfer.size / 2);
    uint8_t *image;
    size_t size;
    read_image(&transfer, transfer.leader, &image, &size);
    free(image);
    transfer.size = size;
    cluster_crash(cluster, transfer.leader);
    cluster_settle(cluster, 60 * SIM_SECOND);
    start(&transfer, transfer.leader);
    end(&transfer, before, before);
}

static void another_image_begins_anew(void **state)
{
    (void)state;
    for (uint64_t seed = 40; seed < 44; seed++) {
        struct transfer transfer = begin(seed);
        struct cluster *cluster = transfer.cluster;
        start(&transfer, transfer.lagging);
        (void)run_until_received(&transfer, transfer.size / 2);
        struct look first = parts_of(&transfer);
        cluster_crash(cluster, transfer.lagging);
        write_numbers(&transfer, 250);
        take_images(&transfer);
        start(&transfer, transfer.lagging);
        (void)run_until_received(&transfer, transfer.size / 2);
        struct look second = parts_of(&transfer);
        assert_int_equal(second.parts, 1);
        assert_string_not_equal(first.found, second.found);
        cluster_settle(cluster, 60 * SIM_SECOND);
        assert_int_equal(cluster->nodes[transfer.lagging].restores, 1);
        assert_int_equal(received(&transfer), transfer.size);
        assert_int_equal(parts_of(&transfer).parts, 0);
        cluster_destroy(cluster);
    }
}

/* Of the same index, but other bytes: the part that arrived is of no use. */
static void the_same_index_is_not_the_same_image(void **state)
{
    (void)state;
    struct transfer transfer = begin(45);
    struct cluster *cluster = transfer.cluster;
    char path[128];
    start(&transfer, transfer.lagging);
    (void)run_until_received(&transfer, transfer.size / 2);
    struct look look = parts_of(&transfer);
    cluster_crash(cluster, transfer.lagging);
    /* As if it were what arrived of the image that is there, and it is of another index. */
    snprintf(path, sizeof path, "/data/snapshots/%s", look.found);
    uint8_t *part;
    size_t size;
    assert_int_equal(sim_disk_read(cluster->nodes[transfer.lagging].host, path, &part, &size), 0);
    write_numbers(&transfer, 250);
    take_images(&transfer);
    char other[RLOG_SNAPSHOT_NAME_MAX];
    uint8_t *image;
    size_t image_size;
    read_image(&transfer, transfer.leader, &image, &image_size);
    struct base_reader reader;
    base_reader_init(&reader, bytes_of(image + image_size - 12, 8));
    rlog_snapshot_name_part(other, status_of(&transfer, transfer.leader).snapshot,
                            base_read_u64(&reader));
    snprintf(path, sizeof path, "/data/snapshots/%s", other);
    assert_int_equal(
        sim_disk_write(cluster->nodes[transfer.lagging].host, path, bytes_of(part, size)), 0);
    free(part);
    free(image);
    start(&transfer, transfer.lagging);
    cluster_settle(cluster, 60 * SIM_SECOND);
    assert_int_equal(received(&transfer), transfer.size);
    assert_false(cluster_logged(cluster, "not whole"));
    cluster_destroy(cluster);
}

static bool was_found_damaged(struct cluster *cluster)
{
    return cluster_logged(cluster, "damaged: another one is taken");
}

/* Damage in the leader's own file, which arrives as it is. */
static void a_damaged_image_is_never_installed(void **state)
{
    (void)state;
    struct transfer transfer = begin(46);
    struct cluster *cluster = transfer.cluster;
    char path[64], name[RLOG_SNAPSHOT_NAME_MAX];
    uint64_t damaged = status_of(&transfer, transfer.leader).snapshot;
    rlog_snapshot_name(name, damaged);
    snprintf(path, sizeof path, "/data/snapshots/%s", name);
    assert_int_equal(sim_disk_flip(cluster->nodes[transfer.leader].host, path, 8 * 700000), 0);
    start(&transfer, transfer.lagging);
    assert_true(cluster_run_until(cluster, was_found_damaged, 20 * SIM_SECOND));
    assert_true(cluster_logged(cluster, "that arrived is not whole"));
    assert_int_equal(parts_of(&transfer).parts, 0);
    assert_int_equal(cluster->nodes[transfer.lagging].restores, 0);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 60 * SIM_SECOND);
    assert_true(status_of(&transfer, transfer.leader).snapshot > damaged);
    assert_int_equal(cluster->nodes[transfer.lagging].restores, 1);
    cluster_destroy(cluster);
}

static void a_damaged_part_is_cut_off(void **state)
{
    (void)state;
    struct transfer transfer = begin(47);
    struct cluster *cluster = transfer.cluster;
    char path[128];
    start(&transfer, transfer.lagging);
    uint64_t before = run_until_received(&transfer, transfer.size / 4 * 3);
    cluster_crash(cluster, transfer.lagging);
    snprintf(path, sizeof path, "/data/snapshots/%s", parts_of(&transfer).found);
    /* In the third block: two stay. */
    assert_int_equal(sim_disk_flip(cluster->nodes[transfer.lagging].host, path, 8 * 600000), 0);
    start(&transfer, transfer.lagging);
    cluster_settle(cluster, 60 * SIM_SECOND);
    assert_true(received(&transfer) < transfer.size - 2 * (uint64_t)RLOG_SNAPSHOT_CHUNK);
    assert_true(received(&transfer) > transfer.size - before);
    assert_false(cluster_logged(cluster, "not whole"));
    cluster_destroy(cluster);
}

/* ---- what does not go on ---- */

static size_t times_logged(const struct cluster *cluster, const char *text)
{
    size_t count = 0;
    for (size_t i = 0; i < 64 && i < cluster->log_count; i++) {
        count += strstr(cluster->log[i], text) != NULL;
    }
    return count;
}

static void count_image(void *arg, const char *name)
{
    size_t *count = arg;
    *count += strstr(name, ".part") == NULL;
}

static size_t images_of(const struct transfer *transfer, size_t node)
{
    size_t count = 0;
    (void)sim_disk_list(transfer->cluster->nodes[node].host, "/data/snapshots", count_image,
                        &count);
    return count;
}

/* The node takes one of what it holds now, and that is more than before. */
static void another_image(struct transfer *transfer, size_t node)
{
    uint64_t before = status_of(transfer, node).snapshot;
    cluster_write(transfer->cluster, 10);
    cluster_run(transfer->cluster, SIM_SECOND);
    rlog_snapshot_now(transfer->cluster->nodes[node].rlog);
    cluster_run(transfer->cluster, SIM_SECOND);
    assert_true(status_of(transfer, node).snapshot > before);
}

/* The leader's own file cannot be read: that is said once, asked again with pauses, and ends with
 * the next image. */
static void an_unreadable_image_is_replaced(void **state)
{
    (void)state;
    struct transfer transfer = begin(60);
    struct cluster *cluster = transfer.cluster;
    char path[64], name[RLOG_SNAPSHOT_NAME_MAX];
    rlog_snapshot_name(name, status_of(&transfer, transfer.leader).snapshot);
    snprintf(path, sizeof path, "/data/snapshots/%s", name);
    sim_disk_fail(cluster->nodes[transfer.leader].host, SIM_DISK_OPEN, path, 1, UINT64_MAX,
                  ENV_FAILED);
    start(&transfer, transfer.lagging);
    cluster_run(cluster, SIM_SECOND);
    uint64_t opened = sim_fault_hits(cluster->sim, "disk.open");
    cluster_run(cluster, 10 * SIM_SECOND);
    assert_int_equal(times_logged(cluster, "cannot be read"), 1);
    assert_true(sim_fault_hits(cluster->sim, "disk.open") - opened <= 12);
    assert_int_equal(cluster->nodes[transfer.lagging].restores, 0);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    assert_int_equal(cluster->nodes[transfer.lagging].restores, 1);
    cluster_destroy(cluster);
}

/* It lost the leadership, and the connection is there: what it sent is sent no more. */
static void who_led_once_keeps_no_old_image(void **state)
{
    (void)state;
    struct transfer transfer = begin(61);
    struct cluster *cluster = transfer.cluster;
    size_t led = transfer.leader;
    start(&transfer, transfer.lagging);
    (void)run_until_received(&transfer, transfer.size / 4);
    sim_disk_latency(cluster->nodes[transfer.lagging].host, 100 * SIM_MILLISECOND, 0);
    rlog_step_down(cluster->nodes[led].rlog);
    cluster_settle(cluster, 60 * SIM_SECOND);
    assert_int_not_equal(cluster_wait_leader(cluster)->id - 1, led);
    assert_int_equal(images_of(&transfer, led), 1);
    another_image(&transfer, led);
    cluster_run(cluster, 5 * SIM_SECOND);
    assert_int_equal(images_of(&transfer, led), 1);
    cluster_destroy(cluster);
}

/* The next leader has no image, and brings the node up by its log: what the last one sent stands
 * still for ever. */
static void who_receives_no_more_keeps_no_old_image(void **state)
{
    (void)state;
    struct transfer transfer = begin_with(62, false);
    struct cluster *cluster = transfer.cluster;
    start(&transfer, transfer.lagging);
    (void)run_until_received(&transfer, transfer.size / 4);
    rlog_step_down(cluster->nodes[transfer.leader].rlog);
    cluster_settle(cluster, 60 * SIM_SECOND);
    assert_int_equal(cluster->nodes[transfer.lagging].restores, 0);
    another_image(&transfer, transfer.lagging);
    another_image(&transfer, transfer.lagging);
    assert_int_equal(images_of(&transfer, transfer.lagging), 2); /* it could still go on */
    cluster_run(cluster, 25 * SIM_SECOND);
    assert_int_equal(images_of(&transfer, transfer.lagging), 1);
    assert_int_equal(parts_of(&transfer).parts, 0);
    cluster_destroy(cluster);
}

static void a_full_disk_is_not_tried_with_each_heartbeat(void **state)
{
    (void)state;
    struct transfer transfer = begin(63);
    struct cluster *cluster = transfer.cluster;
    struct sim_host *host = cluster->nodes[transfer.lagging].host;
    start(&transfer, transfer.lagging);
    (void)run_until_received(&transfer, transfer.size / 4);
    sim_disk_set_capacity(host, sim_disk_used(host));
    cluster_run(cluster, SIM_SECOND);
    uint64_t begun = received(&transfer);
    cluster_run(cluster, 8 * SIM_SECOND);
    assert_int_equal(times_logged(cluster, "is not stored: the disk is full"), 1);
    assert_true(received(&transfer) - begun <= 10 * transfer.size); /* at most, each time */
    sim_disk_set_capacity(host, UINT64_MAX);
    cluster_run(cluster, 2 * SIM_SECOND); /* the longest pause, and the transfer */
    assert_int_equal(status_of(&transfer, transfer.lagging).snapshot,
                     status_of(&transfer, transfer.leader).snapshot);
    cluster_settle(cluster, 60 * SIM_SECOND);
    cluster_destroy(cluster);
}

/* And nothing is written that would make the leader's next image another one. */
static void a_damaged_image_does_not_come_with_each_heartbeat(void **state)
{
    (void)state;
    struct transfer transfer = begin(64);
    struct cluster *cluster = transfer.cluster;
    char path[64], name[RLOG_SNAPSHOT_NAME_MAX];
    rlog_snapshot_name(name, status_of(&transfer, transfer.leader).snapshot);
    snprintf(path, sizeof path, "/data/snapshots/%s", name);
    assert_int_equal(sim_disk_flip(cluster->nodes[transfer.leader].host, path, 8 * 700000), 0);
    start(&transfer, transfer.lagging);
    cluster_run(cluster, 10 * SIM_SECOND);
    assert_true(received(&transfer) >= 5 * transfer.size); /* it is tried again */
    assert_true(received(&transfer) <= 15 * transfer.size);
    assert_int_equal(times_logged(cluster, "is not stored"), 1);
    cluster_destroy(cluster);
}

/* All has arrived, and the node restores from it for long, while the leader takes a newer image
 * and offers that: what was restored counts, and the log does the rest. */
static void a_newer_image_waits_for_a_restore(void **state)
{
    (void)state;
    struct transfer transfer = begin(65);
    struct cluster *cluster = transfer.cluster;
    struct sim_host *host = cluster->nodes[transfer.lagging].host;
    uint64_t size = transfer.size;
    start(&transfer, transfer.lagging);
    (void)run_until_received(&transfer, size / 2);
    sim_disk_latency(host, SIM_SECOND / 5, 0); /* so that a piece is on its way when all is here */
    while (received(&transfer) < size) {
        cluster_run(cluster, 20);
    }
    sim_disk_latency(host, 6 * SIM_SECOND, 0); /* of the next piece, which has the last byte */
    another_image(&transfer, transfer.leader);
    sim_net_reset(cluster->sim, cluster->nodes[transfer.leader].host, host);
    cluster_run(cluster, 3 * SIM_SECOND);
    assert_int_equal(cluster->nodes[transfer.lagging].restores, 0);
    sim_disk_latency(host, 50, 400);
    cluster_settle(cluster, 10 * SIM_SECOND);
    assert_int_equal(cluster->nodes[transfer.lagging].restores, 1);
    assert_int_equal(received(&transfer), size);
    cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_over_a_new_connection),
        cmocka_unit_test(goes_on_after_the_receiver_died),
        cmocka_unit_test(a_power_cut_leaves_nothing_wrong),
        cmocka_unit_test(goes_on_under_a_new_leader),
        cmocka_unit_test(the_leader_dies_while_the_image_is_checked),
        cmocka_unit_test(a_learner_goes_on_under_a_new_leader),
        cmocka_unit_test(another_image_begins_anew),
        cmocka_unit_test(the_same_index_is_not_the_same_image),
        cmocka_unit_test(a_damaged_image_is_never_installed),
        cmocka_unit_test(a_damaged_part_is_cut_off),
        cmocka_unit_test(an_unreadable_image_is_replaced),
        cmocka_unit_test(who_led_once_keeps_no_old_image),
        cmocka_unit_test(who_receives_no_more_keeps_no_old_image),
        cmocka_unit_test(a_full_disk_is_not_tried_with_each_heartbeat),
        cmocka_unit_test(a_damaged_image_does_not_come_with_each_heartbeat),
        cmocka_unit_test(a_newer_image_waits_for_a_restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

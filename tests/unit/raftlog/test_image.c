/* A cluster that was born with an image: whoever lacks it gets it, and nobody goes on without it
 * (RLOG_IMAGE_INDEX in store.h). Few entries are behind it, so that no newer snapshot hides it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "env/disk.h"
#include "tests/unit/raftlog/cluster.h"

enum { IMAGE_VALUES = 500, PATH_SIZE = 128 };

#define SNAPSHOTS "/data/snapshots"

struct only_file {
    char path[PATH_SIZE];
    size_t count;
};

static void take_file(void *arg, const char *name)
{
    struct only_file *file = arg;
    snprintf(file->path, sizeof file->path, "%s/%s", SNAPSHOTS, name);
    file->count++;
}

/* Of the node's image; there is no other snapshot. */
static struct only_file image_of(struct cluster *cluster, size_t node)
{
    struct only_file file = {.count = 0};
    assert_int_equal(sim_disk_list(cluster->nodes[node].host, SNAPSHOTS, take_file, &file), ENV_OK);
    assert_int_equal(file.count, 1);
    return file;
}

static void lose_image(struct cluster *cluster, size_t node)
{
    struct only_file file = image_of(cluster, node);
    struct env *env = sim_process_start(cluster->nodes[node].host, "lose");
    assert_int_equal(env_remove(env, file.path), ENV_OK);
    sim_process_free(env);
}

static void damage_image(struct cluster *cluster, size_t node)
{
    struct only_file file = image_of(cluster, node);
    struct sim_host *host = cluster->nodes[node].host;
    assert_int_equal(sim_disk_flip(host, file.path, UINT64_C(8) * 400), ENV_OK);
}

static bool has_vote(const struct cluster_node *node)
{
    struct rlog_status status;
    rlog_status(node->rlog, &status);
    return status.damage[0] == '\0';
}

static bool all_have_votes(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i].rlog != NULL && !has_vote(&cluster->nodes[i])) {
            return false;
        }
    }
    return cluster_is_even(cluster);
}

/* `count` nodes with the image and a few entries. */
static struct cluster *restored(uint64_t seed, size_t count)
{
    struct cluster *cluster = cluster_create_restored(seed, count, IMAGE_VALUES);
    cluster_start_all(cluster);
    cluster_write(cluster, 5);
    cluster_settle(cluster, 5 * SIM_SECOND);
    assert_int_equal(cluster->nodes[0].values[0], 1);
    return cluster;
}

static void all_begin_with_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct cluster *cluster = restored(seed, 3);
        for (size_t i = 0; i < 3; i++) {
            cluster_power_cut(cluster, i);
        }
        cluster_start_all(cluster);
        cluster_write(cluster, 5);
        cluster_settle(cluster, 20 * SIM_SECOND);
        cluster_destroy(cluster);
    }
}

static void comes_back(void (*harm)(struct cluster *cluster, size_t node), uint64_t seed)
{
    struct cluster *cluster = restored(seed, 3);
    size_t node = cluster_wait_leader(cluster)->id % 3;
    struct cluster_node *victim = &cluster->nodes[node];
    cluster_crash(cluster, node);
    harm(cluster, node);
    assert_int_equal(cluster_start(cluster, node), 0);
    assert_false(has_vote(victim));
    assert_int_equal(victim->count, 0);
    assert_true(cluster_run_until(cluster, all_have_votes, 20 * SIM_SECOND));
    cluster_write(cluster, 5);
    cluster_settle(cluster, 5 * SIM_SECOND);
    /* It has it on its disk. */
    cluster_power_cut(cluster, node);
    assert_int_equal(cluster_start(cluster, node), 0);
    assert_true(has_vote(victim));
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

static void who_loses_it_is_repaired(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 15; seed++) {
        comes_back(lose_image, seed);
    }
}

static void a_damaged_one_is_replaced(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed <= 25; seed++) {
        comes_back(damage_image, seed);
    }
}

/* With it alone nobody is elected: what it had acknowledged is gone with its image. */
static void who_lost_it_elects_nobody(void **state)
{
    (void)state;
    struct cluster *cluster = restored(31, 3);
    for (size_t i = 0; i < 3; i++) {
        cluster_crash(cluster, i);
    }
    lose_image(cluster, 0);
    assert_int_equal(cluster_start(cluster, 0), 0);
    assert_int_equal(cluster_start(cluster, 1), 0);
    cluster_run(cluster, 20 * SIM_SECOND);
    assert_null(cluster_leader(cluster));
    assert_int_equal(cluster->nodes[0].count, 0);
    assert_int_equal(cluster_start(cluster, 2), 0);
    assert_true(cluster_run_until(cluster, all_have_votes, 20 * SIM_SECOND));
    cluster_destroy(cluster);
}

static void a_single_node_does_not_start_without_it(void **state)
{
    (void)state;
    struct cluster *cluster = restored(41, 1);
    cluster_crash(cluster, 0);
    lose_image(cluster, 0);
    assert_int_equal(cluster_start(cluster, 0), ENV_INVALID);
    assert_non_null(strstr(cluster->nodes[0].error, "are missing and no snapshot holds them"));
    cluster_destroy(cluster);
}

static void promote(struct cluster *cluster, size_t node)
{
    cluster_change(cluster, RLOG_PROMOTE, node);
    cluster_write(cluster, 5);
    cluster_settle(cluster, 10 * SIM_SECOND);
    assert_true(cluster->nodes[node].restores > 0);
}

static void who_joins_gets_it(void **state)
{
    (void)state;
    for (uint64_t seed = 51; seed <= 53; seed++) {
        struct cluster *cluster = restored(seed, 3);
        size_t node = cluster_join(cluster);
        assert_int_equal(cluster_start(cluster, node), 0);
        cluster_change(cluster, RLOG_ADD, node);
        promote(cluster, node);
        cluster_destroy(cluster);
    }
}

static void a_replaced_disk_gets_it(void **state)
{
    (void)state;
    for (uint64_t seed = 61; seed <= 63; seed++) {
        struct cluster *cluster = restored(seed, 3);
        size_t node = cluster_wait_leader(cluster)->id % 3;
        cluster_crash(cluster, node);
        cluster_join_again(cluster, node);
        assert_int_equal(cluster_start(cluster, node), 0);
        cluster_run(cluster, 3 * SIM_SECOND); /* the others see that the old one is gone */
        cluster_change(cluster, RLOG_REPLACE, node);
        promote(cluster, node);
        cluster_destroy(cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_begin_with_it),
        cmocka_unit_test(who_loses_it_is_repaired),
        cmocka_unit_test(a_damaged_one_is_replaced),
        cmocka_unit_test(who_lost_it_elects_nobody),
        cmocka_unit_test(a_single_node_does_not_start_without_it),
        cmocka_unit_test(who_joins_gets_it),
        cmocka_unit_test(a_replaced_disk_gets_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

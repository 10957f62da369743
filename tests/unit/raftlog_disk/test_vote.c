/* Neither term nor vote ever goes back: not by a crash, not by one damaged file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/sealed.h"
#include "raftlog/vote.h"
#include "tests/unit/raftlog_disk/world.h"

static const struct id128 store_id = {"store-of-the-one"};
static struct world world;

static const struct rlog_vote history[] = {{1, 0}, {1, 2}, {2, 0}, {2, 3}, {7, 1}, {8, 0}, {9, 3}};
enum { HISTORY = sizeof history / sizeof history[0] };

static bool vote_equal(struct rlog_vote a, struct rlog_vote b)
{
    return a.term == b.term && a.voted_for == b.voted_for;
}

static int load(struct rlog_vote *ret_vote)
{
    world.error[0] = '\0';
    return rlog_vote_load(world.env, "/d", store_id, ret_vote, world.error, ERROR_MAX);
}

static void begin(uint64_t seed)
{
    world_create(&world, seed);
    assert_int_equal(rlog_vote_format(world.env, "/d", store_id, history[0]), ENV_OK);
}

static void test_the_last_vote_is_kept(void **state)
{
    struct rlog_vote vote;

    (void)state;
    begin(1);
    for (size_t i = 0; i < HISTORY; i++) {
        if (i > 0) {
            assert_int_equal(rlog_vote_store(world.env, "/d", store_id, history[i - 1], history[i]),
                             ENV_OK);
        }
        sim_disk_set_policy(world.host, SIM_DISK_LOSE);
        world_cycle(&world, true);
        assert_int_equal(load(&vote), ENV_OK);
        assert_true(vote_equal(vote, history[i]));
    }
    world_destroy(&world);
}

/* The vote after a crash is the last one that was returned from, or the one under way; and what one
 * loading says, the next one does not take back. */
static void crash_once(uint64_t n, bool power, enum sim_disk_policy policy, bool *ret_crashed)
{
    size_t stored = 0;
    struct rlog_vote vote = {0, 0};
    struct rlog_vote again = {0, 0};
    int rc;

    begin(10 + n);
    sim_disk_set_policy(world.host, policy);
    sim_fault_crash_at(world.env, NULL, n, power ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
    while (stored + 1 < HISTORY && rlog_vote_store(world.env, "/d", store_id, history[stored],
                                                   history[stored + 1]) == ENV_OK) {
        stored++;
    }
    *ret_crashed = world_crashed(&world);
    world_cycle(&world, false);
    sim_fault_crash_at(world.env, NULL, n % 2 == 0 ? 1 + n % 11 : 0, SIM_CRASH_POWER);
    rc = load(&vote);
    if (world_crashed(&world)) {
        world_cycle(&world, false);
        rc = load(&vote);
    }
    sim_fault_crash_at(world.env, NULL, 0, SIM_CRASH_POWER);
    assert_int_equal(rc, ENV_OK);
    assert_true(vote_equal(vote, history[stored]) ||
                (stored + 1 < HISTORY && vote_equal(vote, history[stored + 1])));
    world_cycle(&world, true);
    assert_int_equal(load(&again), ENV_OK);
    assert_true(vote_equal(vote, again));
    world_destroy(&world);
}

static void test_crash_at_every_point(void **state)
{
    static const enum sim_disk_policy policies[] = {SIM_DISK_KEEP, SIM_DISK_LOSE, SIM_DISK_RANDOM};

    (void)state;
    for (size_t p = 0; p < 6; p++) {
        bool crashed = true;
        uint64_t n;

        for (n = 1; crashed; n++) {
            crash_once(n, p < 3, policies[p % 3], &crashed);
        }
        assert_true(n > 60);
    }
}

static void test_every_byte(void **state)
{
    static const char *const paths[] = {"/d/vote-0", "/d/vote-1"};
    struct rlog_vote vote;
    struct saved saved = {.count = 0};

    (void)state;
    begin(3);
    assert_int_equal(rlog_vote_store(world.env, "/d", store_id, history[0], history[3]), ENV_OK);
    saved_add(&saved, &world, "/d");
    assert_int_equal(saved.count, 2);
    for (size_t f = 0; f < 2; f++) {
        for (size_t bit = 0; bit < 8 * saved.files[f].size; bit++) {
            assert_int_equal(sim_disk_flip(world.host, paths[f], bit), ENV_OK);
            assert_int_equal(load(&vote), ENV_OK);
            assert_true(vote_equal(vote, history[3]));
            /* The damaged file was repaired: the other one may go now. */
            assert_int_equal(env_remove(world.env, paths[1 - f]), ENV_OK);
            vote = history[0];
            assert_int_equal(load(&vote), ENV_OK);
            assert_true(vote_equal(vote, history[3]));
        }
    }
    saved_free(&saved);
    world_destroy(&world);
}

/* What a loading has told stands in both files, durably, also when it was in a cache alone before.
 */
static void test_loading_makes_both_files_durable(void **state)
{
    static const char *const paths[] = {"/d/vote-0", "/d/vote-1"};
    static const char *const points[] = {"vote.before_sync", "vote.after_sync"};

    (void)state;
    for (uint64_t way = 0; way < 8; way++) {
        struct rlog_vote told, again;

        begin(7 + way);
        sim_disk_set_policy(world.host, SIM_DISK_LOSE);
        sim_fault_crash_at(world.env, points[way / 4], 1 + way / 2 % 2, SIM_CRASH_PROCESS);
        assert_int_equal(rlog_vote_store(world.env, "/d", store_id, history[0], history[3]),
                         ENV_CRASHED * (way < 6));
        world_cycle(&world, false);
        assert_int_equal(load(&told), ENV_OK);
        world_cycle(&world, true);
        assert_int_equal(sim_disk_flip(world.host, paths[way % 2], 130), ENV_OK);
        assert_int_equal(load(&again), ENV_OK);
        assert_true(vote_equal(told, again));
        world_destroy(&world);
    }
}

static void test_both_damaged_is_refused(void **state)
{
    struct rlog_vote vote;
    struct id128 other = {"store-of-another"};

    (void)state;
    begin(4);
    assert_int_equal(rlog_vote_load(world.env, "/d", other, &vote, world.error, ERROR_MAX),
                     ENV_DENIED);
    assert_non_null(strstr(world.error, "another node's store"));
    assert_int_equal(sim_disk_flip(world.host, "/d/vote-0", 200), ENV_OK);
    assert_int_equal(sim_disk_flip(world.host, "/d/vote-1", 100), ENV_OK);
    assert_int_equal(load(&vote), ENV_INVALID);
    assert_non_null(strstr(world.error, "remove this node"));
    assert_int_equal(env_remove(world.env, "/d/vote-0"), ENV_OK);
    assert_true(load(&vote) < 0);
    assert_non_null(strstr(world.error, "remove this node"));
    world_destroy(&world);
}

/* One of a later version, beside an older one that is whole: that one may have been taken back. */
static void test_a_later_version_is_refused(void **state)
{
    static const struct rlog_sealed_kind later = {RLOG_MAGIC('t', 'n', 'V', 'O'), 2};
    static const char *const paths[] = {"/d/vote-0", "/d/vote-1"};
    struct siphash_key key = rlog_store_key(store_id);
    struct rlog_vote vote;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint8_t block[RLOG_SEALED_EXTRA + 4];

        begin(9);
        (void)rlog_seal(block, later, &key, bytes_of_text("what"));
        assert_int_equal(sim_disk_patch(world.host, paths[i], 0, bytes_of(block, sizeof block)),
                         ENV_OK);
        assert_int_equal(load(&vote), ENV_LIMIT);
        assert_non_null(strstr(world.error, "upgrade this node"));
        assert_int_equal(load(&vote), ENV_LIMIT); /* it is there still */
        world_destroy(&world);
    }
}

/* An error of any call is told, and the vote that comes out later is one of the two. */
static void test_every_call_fails(void **state)
{
    static const enum sim_disk_op ops[] = {SIM_DISK_OPEN, SIM_DISK_WRITE, SIM_DISK_SYNC};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (uint64_t n = 1; n <= 2; n++) {
            struct rlog_vote vote, again;

            begin(50 + n);
            sim_disk_set_policy(world.host, SIM_DISK_LOSE);
            sim_disk_fail(world.host, ops[i], "*vote*", n, 1, ENV_IO);
            assert_int_equal(rlog_vote_store(world.env, "/d", store_id, history[0], history[4]),
                             ENV_IO);
            world_cycle(&world, false);
            assert_int_equal(load(&vote), ENV_OK);
            assert_true(vote_equal(vote, history[0]) || vote_equal(vote, history[4]));
            world_cycle(&world, true);
            assert_int_equal(load(&again), ENV_OK);
            assert_true(vote_equal(vote, again));
            world_destroy(&world);
        }
    }
}

static void test_format(void **state)
{
    static const uint8_t expected[] = {'t', 'n', 'V', 'O', 1, 0, 0, 0, 16, 0, 0, 0, 1, 0,
                                       0,   0,   0,   0,   0, 0, 0, 0, 0,  0, 0, 0, 0, 0};
    uint8_t *data;
    size_t size;

    (void)state;
    begin(5);
    assert_int_equal(sim_disk_read(world.host, "/d/vote-0", &data, &size), ENV_OK);
    assert_int_equal(size, 40);
    assert_memory_equal(data, expected, sizeof expected);
    free(data);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_vote_is_kept),
        cmocka_unit_test(test_crash_at_every_point),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_loading_makes_both_files_durable),
        cmocka_unit_test(test_both_damaged_is_refused),
        cmocka_unit_test(test_a_later_version_is_refused),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

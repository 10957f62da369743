/* A write or sync that fails ends the log: it says so once, reports nothing more, and loses
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/raftlog_disk/shadow.h"

static struct world world;
static struct shadow shadow;

static void script(void)
{
    for (int i = 0; i < 14 && shadow.failures == 0; i++) {
        shadow_append(&shadow, (size_t)(30 + 60 * i));
        shadow_append(&shadow, 7);
        if (i % 2 == 0) {
            shadow_wait(&shadow);
        }
        if (i == 4) {
            shadow_truncate(&shadow, shadow.now.last - 1);
        }
        if (i == 5) {
            world_pass(&world, 150 * SIM_MILLISECOND);
        }
        if (i == 7) {
            shadow_wait(&shadow);
            if (shadow.failures == 0) {
                shadow_prune(&shadow, shadow.stored, 2);
            }
        }
        if (i == 9) {
            shadow_restart(&shadow, 40);
        }
    }
    shadow_wait(&shadow);
    world_pass(&world, 250 * SIM_MILLISECOND);
}

/* One run in which the n-th call of `op` fails, and all after it when `for_good`; then a power cut
 * and a recovery on a healthy disk. False when the script made fewer than n such calls. */
static bool run(enum sim_disk_op op, uint64_t n, bool for_good, int rc)
{
    uint64_t reports;
    bool failed;

    world_create(&world, 1000 + n);
    shadow_init(&shadow, &world, 2048);
    assert_int_equal(shadow_format(&shadow), ENV_OK);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
    sim_disk_fail(world.host, op, "/d/log*", n, for_good ? UINT64_MAX : 1, rc);
    script();
    failed = shadow.failures > 0;
    if (failed) {
        assert_int_equal(shadow.failures, 1);
        assert_int_equal(shadow.failed_rc, rc);
        reports = shadow.reports;
        shadow_append(&shadow, 10); /* harmless, and never reported */
        world_pass(&world, SIM_SECOND);
        assert_int_equal(shadow.failures, 1);
        assert_int_equal(shadow.reports, reports);
        assert_false(shadow.late);
    }
    sim_disk_fail_clear(world.host);
    sim_disk_set_policy(world.host, n % 2 == 0 ? SIM_DISK_RANDOM : SIM_DISK_LOSE);
    for (int life = 0; life < 4; life++) { /* first the process alone ends, the cache lives on */
        sim_process_crash(world.env);
        shadow_close(&shadow);
        world_cycle(&world, life % 2 == 1);
        assert_int_equal(shadow_open(&shadow), ENV_OK);
    }
    shadow_close(&shadow);
    world_destroy(&world);
    return failed;
}

/* Fails the first, the second, ... until nothing fails any more. */
static void count_through(enum sim_disk_op op, bool for_good, int rc, uint64_t least)
{
    uint64_t n = 1, quiet = 0;

    for (; quiet < 8; n++) { /* a spare that gets no space is no failure */
        quiet = run(op, n, for_good, rc) ? 0 : quiet + 1;
    }
    assert_true(n - 9 >= least);
}

static void test_every_write(void **state)
{
    (void)state;
    count_through(SIM_DISK_WRITE, true, ENV_NO_SPACE, 10);
    count_through(SIM_DISK_WRITE, false, ENV_IO, 10);
}

static void test_every_sync(void **state)
{
    (void)state;
    count_through(SIM_DISK_SYNC, true, ENV_IO, 15);
    count_through(SIM_DISK_SYNC, false, ENV_IO, 15);
    count_through(SIM_DISK_FOLDER_SYNC, false, ENV_IO, 4);
}

static void test_every_allocation(void **state)
{
    (void)state;
    count_through(SIM_DISK_ALLOCATE, true, ENV_NO_SPACE, 1);
    count_through(SIM_DISK_ALLOCATE, false, ENV_IO, 3);
}

static void test_every_other_call(void **state)
{
    (void)state;
    count_through(SIM_DISK_OPEN, false, ENV_IO, 4);
    count_through(SIM_DISK_RENAME, false, ENV_IO, 4);
    count_through(SIM_DISK_REMOVE, false, ENV_IO, 4);
}

/* The spare segment is a convenience: without space for it the log goes on to its last byte. */
static void test_no_space_for_a_spare_is_no_failure(void **state)
{
    (void)state;
    world_create(&world, 5);
    shadow_init(&shadow, &world, 4096);
    assert_int_equal(shadow_format(&shadow), ENV_OK);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
    sim_disk_set_capacity(world.host, sim_disk_used(world.host));
    for (int i = 0; i < 6; i++) {
        shadow_append(&shadow, 300);
        shadow_wait(&shadow);
    }
    assert_int_equal(shadow.failures, 0);
    assert_int_equal(shadow.stored, 6);
    shadow_append(&shadow, 3000);
    shadow_wait(&shadow);
    assert_int_equal(shadow.failures, 1);
    assert_int_equal(shadow.failed_rc, ENV_NO_SPACE);
    assert_int_equal(shadow.stored, 6);
    shadow_close(&shadow);
    world_destroy(&world);
}

/* Destroying a log whose env lives on waits for the work that is on its way, and calls nobody. */
static void test_destroy_in_the_middle(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < 3000; us += 25) {
        uint64_t reports;

        world_create(&world, 6 + us);
        shadow_init(&shadow, &world, 2048);
        assert_int_equal(shadow_format(&shadow), ENV_OK);
        assert_int_equal(shadow_open(&shadow), ENV_OK);
        for (int i = 0; i < 8; i++) {
            shadow_append(&shadow, 500);
        }
        world_pass(&world, us);
        reports = shadow.reports;
        shadow_close(&shadow);
        world_pass(&world, SIM_SECOND);
        assert_int_equal(shadow.reports, reports);
        assert_int_equal(shadow_open(&shadow), ENV_OK);
        shadow_close(&shadow);
        world_destroy(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_write),
        cmocka_unit_test(test_every_sync),
        cmocka_unit_test(test_every_allocation),
        cmocka_unit_test(test_every_other_call),
        cmocka_unit_test(test_no_space_for_a_spare_is_no_failure),
        cmocka_unit_test(test_destroy_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A write or sync that fails ends the log: it says so once, reports nothing more, and loses
 * nothing. A disk that is full ends nothing: the log waits, reports nothing meanwhile, and goes on.
 */
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
        assert_int_equal(shadow.failed_rc, rc == ENV_NO_SPACE ? ENV_IO : rc); /* only of a sync */
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

    for (; quiet < 8; n++) {
        quiet = run(op, n, for_good, rc) ? 0 : quiet + 1;
    }
    assert_true(n - 9 >= least);
}

static void test_every_write(void **state)
{
    (void)state;
    count_through(SIM_DISK_WRITE, true, ENV_IO, 10);
    count_through(SIM_DISK_WRITE, false, ENV_IO, 10);
}

static void test_every_sync(void **state)
{
    (void)state;
    count_through(SIM_DISK_SYNC, true, ENV_IO, 15);
    count_through(SIM_DISK_SYNC, false, ENV_IO, 15);
    count_through(SIM_DISK_SYNC, false, ENV_NO_SPACE, 15); /* never trusted again, for any reason */
    count_through(SIM_DISK_FOLDER_SYNC, false, ENV_IO, 4);
}

static void test_every_allocation(void **state)
{
    (void)state;
    count_through(SIM_DISK_ALLOCATE, false, ENV_IO, 3);
}

static void test_every_other_call(void **state)
{
    (void)state;
    count_through(SIM_DISK_OPEN, false, ENV_IO, 4);
    count_through(SIM_DISK_RENAME, false, ENV_IO, 4);
    count_through(SIM_DISK_REMOVE, false, ENV_IO, 4);
}

/* Nothing is left on the disk from the n-th call of `op` on, for so many calls: all is stored once
 * there is space, or whatever of it was when the process or the power ends before. */
static bool run_full(enum sim_disk_op op, uint64_t n, uint64_t times)
{
    bool waited;

    world_create(&world, 2000 + n);
    shadow_init(&shadow, &world, 2048);
    assert_int_equal(shadow_format(&shadow), ENV_OK);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
    sim_disk_fail(world.host, op, "/d/log*", n, times, ENV_NO_SPACE);
    script();
    world_pass(&world, 3 * SIM_SECOND); /* a spare is tried again twice a second */
    assert_int_equal(shadow.failures, 0);
    assert_false(rlog_log_waits(shadow.log));
    assert_true(rlog_log_reserved(shadow.log));
    assert_int_equal(rlog_log_stored(shadow.log), rlog_log_last(shadow.log));
    sim_disk_fail_clear(world.host);
    sim_disk_fail(world.host, op, "/d/log*", 1, UINT64_MAX, ENV_NO_SPACE);
    for (int i = 0; i < 20; i++) {
        shadow_append(&shadow, 400);
        world_pass(&world, 30 * SIM_MILLISECOND);
    }
    waited = rlog_log_waits(shadow.log);
    assert_int_equal(shadow.failures, 0);
    sim_disk_fail_clear(world.host);
    sim_disk_set_policy(world.host, n % 2 == 0 ? SIM_DISK_RANDOM : SIM_DISK_LOSE);
    for (int life = 0; life < 3; life++) {
        sim_process_crash(world.env);
        shadow_close(&shadow);
        world_cycle(&world, life % 2 == 1);
        assert_int_equal(shadow_open(&shadow), ENV_OK);
    }
    shadow_close(&shadow);
    world_destroy(&world);
    return waited;
}

static void test_a_full_disk_ends_nothing(void **state)
{
    static const enum sim_disk_op ops[] = {SIM_DISK_WRITE, SIM_DISK_ALLOCATE, SIM_DISK_OPEN,
                                           SIM_DISK_RENAME};
    (void)state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        for (uint64_t n = 1; n < 24; n++) {
            assert_true(run_full(ops[i], n, 1 + n % 4));
        }
    }
}

/* However the batch that waits and the spare that is made meanwhile fall together: the log goes on,
 * and no segment is forgotten that the batch began before it found no space. */
static void test_what_waits_goes_on_however_slow_the_disk(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 60; n++) {
        struct saved left = {.count = 0};

        world_create(&world, 3000 + n);
        shadow_init(&shadow, &world, 2048);
        assert_int_equal(shadow_format(&shadow), ENV_OK);
        assert_int_equal(shadow_open(&shadow), ENV_OK);
        sim_disk_latency(world.host, 0, 600 * SIM_MILLISECOND);
        sim_disk_fail(world.host, SIM_DISK_WRITE, "/d/log*", n, 1, ENV_NO_SPACE);
        for (int i = 0; i < 24; i++) {
            shadow_append(&shadow, 300);
            world_pass(&world, 300 * SIM_MILLISECOND);
        }
        world_pass(&world, 30 * SIM_SECOND);
        assert_false(rlog_log_waits(shadow.log));
        assert_int_equal(shadow.stored, rlog_log_last(shadow.log));
        shadow_prune(&shadow, shadow.stored, 0);
        world_pass(&world, 5 * SIM_SECOND);
        saved_add(&left, &world, "/d/log");
        assert_int_equal(left.count, 3); /* the newest segment, the spare and the mark */
        saved_free(&left);
        shadow_close(&shadow);
        world_destroy(&world);
    }
}

/* The space of the next segment is taken before it is needed, and found again after a restart: what
 * others leave of the disk decides nothing before that is used up. */
static void test_the_reserve_outlives_a_restart_and_lasts(void **state)
{
    uint64_t kept = 0;

    (void)state;
    world_create(&world, 5);
    shadow_init(&shadow, &world, 4096);
    assert_int_equal(shadow_format(&shadow), ENV_OK);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
    world_pass(&world, SIM_SECOND);
    sim_disk_set_capacity(world.host, sim_disk_used(world.host));
    sim_process_crash(world.env);
    shadow_close(&shadow);
    world_cycle(&world, false);
    /* What is given back now would be somebody else's. */
    sim_disk_fail(world.host, SIM_DISK_REMOVE, "*spare", 1, UINT64_MAX, ENV_NO_SPACE);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
    world_pass(&world, SIM_SECOND);
    assert_true(rlog_log_reserved(shadow.log));
    sim_disk_fail_clear(world.host);
    while (!rlog_log_waits(shadow.log)) {
        shadow_append(&shadow, 300);
        world_pass(&world, 50 * SIM_MILLISECOND);
        kept = shadow.stored;
    }
    assert_true(kept >= 2 * 6); /* of 512 bytes and a head, in two segments of eight blocks */
    assert_false(rlog_log_reserved(shadow.log));
    assert_false(rlog_log_idle(shadow.log));
    world_pass(&world, 10 * SIM_SECOND);
    assert_int_equal(shadow.failures, 0);
    assert_int_equal(shadow.stored, kept); /* what is not durable is not acknowledged */
    sim_disk_set_capacity(world.host, UINT64_MAX);
    world_pass(&world, SIM_SECOND);
    assert_int_equal(shadow.stored, rlog_log_last(shadow.log));
    assert_true(rlog_log_reserved(shadow.log));
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
        cmocka_unit_test(test_a_full_disk_ends_nothing),
        cmocka_unit_test(test_what_waits_goes_on_however_slow_the_disk),
        cmocka_unit_test(test_the_reserve_outlives_a_restart_and_lasts),
        cmocka_unit_test(test_destroy_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

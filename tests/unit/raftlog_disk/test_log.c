/* What was reported as stored is there after any crash, and nothing is there that was not appended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/log_format.h"
#include "tests/unit/raftlog_disk/shadow.h"

enum { SEGMENT = 4096 };

static struct world world;
static struct shadow shadow;

static void begin(uint64_t seed, uint64_t segment_bytes)
{
    world_create(&world, seed);
    shadow_init(&shadow, &world, segment_bytes);
    assert_int_equal(shadow_format(&shadow), ENV_OK);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
}

static void end(void)
{
    shadow_close(&shadow);
    world_pass(&world, SIM_SECOND); /* work that was under way ends, and frees the log */
    world_destroy(&world);
}

/* Frees, restarts the process or the machine, recovers and checks. */
static void cycle(bool power)
{
    sim_process_crash(world.env);
    shadow_close(&shadow);
    world_cycle(&world, power);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
}

static size_t count_files(void)
{
    struct saved saved = {.count = 0};
    size_t count;

    saved_add(&saved, &world, "/d/log");
    count = saved.count;
    saved_free(&saved);
    return count;
}

/* ---- plain life ---- */

static void test_reports_and_survives(void **state)
{
    (void)state;
    begin(1, SEGMENT);
    for (int i = 0; i < 5; i++) {
        shadow_append(&shadow, 100);
    }
    assert_int_equal(rlog_log_stored(shadow.log), 0);
    assert_int_equal(rlog_log_pending_bytes(shadow.log), 500 + 5 * RLOG_RECORD_EXTRA);
    assert_false(rlog_log_idle(shadow.log));
    shadow_wait(&shadow);
    assert_int_equal(shadow.stored, 5);
    assert_int_equal(rlog_log_pending_bytes(shadow.log), 0);
    assert_false(rlog_log_idle(shadow.log)); /* the mark is not written yet */
    world_pass(&world, 150 * SIM_MILLISECOND);
    assert_true(rlog_log_idle(shadow.log));
    assert_int_equal(rlog_log_bytes_since(shadow.log, 0), 500);
    assert_int_equal(rlog_log_bytes_since(shadow.log, 3), 200);
    sim_disk_set_policy(world.host, SIM_DISK_LOSE);
    cycle(true);
    assert_int_equal(rlog_log_last(shadow.log), 5);
    assert_int_equal(rlog_log_stored(shadow.log), 5);
    end();
}

static void test_one_sync_for_all_of_a_turn(void **state)
{
    uint64_t writes, syncs;

    (void)state;
    begin(2, 1024 * 1024);
    writes = sim_fault_hits(world.sim, "log.before_write");
    syncs = sim_fault_hits(world.sim, "disk.sync");
    for (int i = 0; i < 200; i++) {
        shadow_append(&shadow, 50);
    }
    shadow_wait(&shadow);
    assert_int_equal(shadow.stored, 200);
    assert_int_equal(sim_fault_hits(world.sim, "log.before_write") - writes, 1);
    assert_int_equal(sim_fault_hits(world.sim, "disk.sync") - syncs, 1);
    end();
}

static void test_gathers_while_a_batch_is_on_its_way(void **state)
{
    uint64_t writes;

    (void)state;
    begin(3, 1024 * 1024);
    sim_disk_latency(world.host, 1000, 1);
    writes = sim_fault_hits(world.sim, "log.before_write");
    shadow_append(&shadow, 50);
    world_pass(&world, 100); /* the first batch is submitted */
    for (int i = 0; i < 100; i++) {
        shadow_append(&shadow, 50);
        world_pass(&world, 5);
    }
    shadow_wait(&shadow);
    assert_int_equal(shadow.stored, 101);
    assert_int_equal(sim_fault_hits(world.sim, "log.before_write") - writes, 2);
    end();
}

static void test_rolls_over(void **state)
{
    (void)state;
    begin(4, SEGMENT);
    for (int i = 0; i < 100; i++) {
        shadow_append(&shadow, 200);
    }
    shadow_append(&shadow, 3 * SEGMENT); /* a segment of its own size */
    shadow_append(&shadow, 10);
    shadow_wait(&shadow);
    assert_int_equal(shadow.stored, 102);
    assert_true(count_files() > 7);
    sim_disk_set_policy(world.host, SIM_DISK_LOSE);
    cycle(true);
    assert_int_equal(rlog_log_last(shadow.log), 102);
    end();
}

static void test_truncates_by_queue_order(void **state)
{
    (void)state;
    begin(5, SEGMENT);
    sim_disk_latency(world.host, 1000, 1);
    for (int i = 0; i < 10; i++) {
        shadow_append(&shadow, 30);
    }
    world_pass(&world, 100);
    shadow_append(&shadow, 30);
    shadow_truncate(&shadow, 7); /* the batch with 7..10 is on its way */
    shadow_append(&shadow, 30);
    while (shadow.reports == 0) {
        world_pass(&world, 10);
    }
    assert_int_equal(shadow.stored, 6);
    shadow_wait(&shadow);
    assert_int_equal(shadow.stored, 7);
    assert_int_equal(rlog_log_term(shadow.log, 7), 2);
    assert_int_equal(rlog_log_term(shadow.log, 6), 1);
    assert_int_equal(rlog_log_term(shadow.log, 8), 0);
    cycle(true);
    assert_int_equal(rlog_log_last(shadow.log), 7);
    end();
}

static void test_restarts_at_a_snapshot(void **state)
{
    size_t files;

    (void)state;
    begin(6, SEGMENT);
    for (int i = 0; i < 60; i++) {
        shadow_append(&shadow, 200);
    }
    shadow_wait(&shadow);
    files = count_files();
    shadow_append(&shadow, 200);
    shadow_restart(&shadow, 1000);
    assert_int_equal(rlog_log_start(shadow.log), 1001);
    assert_int_equal(rlog_log_last(shadow.log), 1000);
    assert_int_equal(count_files(), files); /* not before the marker is durable */
    shadow_append(&shadow, 5);
    shadow_wait(&shadow);
    world_pass(&world, 10000);
    assert_true(count_files() <= 4); /* mark, one or two segments, perhaps a spare */
    cycle(true);
    assert_int_equal(rlog_log_start(shadow.log), 1001);
    assert_int_equal(rlog_log_last(shadow.log), 1001);
    end();
}

/* The crash comes between the snapshot and the marker. */
static void test_restarts_at_the_snapshot_when_opened(void **state)
{
    (void)state;
    begin(7, SEGMENT);
    for (int i = 0; i < 20; i++) {
        shadow_append(&shadow, 100);
    }
    shadow_wait(&shadow);
    shadow_restart(&shadow, 50);
    sim_disk_set_policy(world.host, SIM_DISK_LOSE);
    cycle(true); /* nothing of the restart is on the disk */
    assert_int_equal(rlog_log_start(shadow.log), 51);
    shadow_append(&shadow, 100);
    shadow_wait(&shadow);
    cycle(true);
    assert_int_equal(rlog_log_last(shadow.log), 51);

    shadow_append(&shadow, 100);
    shadow_append(&shadow, 100);
    shadow_wait(&shadow);
    shadow_restart(&shadow, 52); /* another term at 52, and 53 is there */
    cycle(true);
    assert_int_equal(rlog_log_last(shadow.log), 52);
    end();
}

static void test_prunes_whole_segments(void **state)
{
    size_t before;

    (void)state;
    begin(8, SEGMENT);
    for (int i = 0; i < 100; i++) {
        shadow_append(&shadow, 200);
    }
    shadow_wait(&shadow);
    world_pass(&world, SIM_SECOND);
    before = count_files();
    shadow_prune(&shadow, 80, 10);
    assert_int_equal(rlog_log_start(shadow.log), 71);
    assert_int_equal(rlog_log_term(shadow.log, 70), 1);
    world_pass(&world, SIM_SECOND);
    assert_true(count_files() + 3 < before);
    cycle(true);
    assert_true(rlog_log_start(shadow.log) <= 71);
    assert_true(rlog_log_start(shadow.log) > 40);
    assert_int_equal(rlog_log_last(shadow.log), 100);
    shadow_prune(&shadow, 100, 0);
    assert_int_equal(rlog_log_start(shadow.log), 101);
    shadow_append(&shadow, 1);
    shadow_wait(&shadow);
    cycle(true);
    end();
}

static void test_a_missing_beginning_is_refused(void **state)
{
    (void)state;
    begin(9, SEGMENT);
    for (int i = 0; i < 100; i++) {
        shadow_append(&shadow, 200);
    }
    shadow_wait(&shadow);
    shadow_prune(&shadow, 100, 0);
    world_pass(&world, SIM_SECOND);
    sim_process_crash(world.env);
    shadow_close(&shadow);
    world_cycle(&world, false);
    shadow.snapshot_index = 10; /* an older snapshot than the log was pruned for */
    assert_int_equal(shadow_try_open(&shadow), ENV_INVALID);
    assert_non_null(strstr(world.error, "log is damaged at index 11"));
    end();
}

/* ---- crashes ---- */

/* All that a log does, in a form that crosses segments often. */
static void script(void)
{
    for (int i = 0; i < 12 && !world_crashed(&world); i++) {
        shadow_append(&shadow, (size_t)(40 + 97 * i));
        shadow_append(&shadow, 7);
        if (i % 2 == 0) {
            shadow_wait(&shadow);
        }
        if (i == 4 || i == 9) {
            shadow_truncate(&shadow, shadow.now.last - 1);
        }
        if (i == 5 && !world_crashed(&world)) {
            world_pass(&world, 150 * SIM_MILLISECOND); /* the mark is written */
        }
        if (i == 6) {
            shadow_wait(&shadow);
            shadow_prune(&shadow, shadow.stored, 2);
        }
        if (i == 8) {
            shadow_restart(&shadow, 40);
        }
    }
    shadow_wait(&shadow);
    world_pass(&world, 150 * SIM_MILLISECOND);
}

struct crash_mode {
    const char *name;
    enum sim_crash crash;
    enum sim_disk_policy policy;
};

static const struct crash_mode modes[] = {
    {"process", SIM_CRASH_PROCESS, SIM_DISK_KEEP},
    {"process, later power, all lost", SIM_CRASH_PROCESS, SIM_DISK_LOSE},
    {"power, all kept", SIM_CRASH_POWER, SIM_DISK_KEEP},
    {"power, all lost", SIM_CRASH_POWER, SIM_DISK_LOSE},
    {"power, random sectors", SIM_CRASH_POWER, SIM_DISK_RANDOM},
};

/* Recovers; crashes `again` hits into it first, when that is not 0, under the same mode. */
static void recover(const struct crash_mode *mode, uint64_t again)
{
    int rc;

    shadow_close(&shadow);
    world_cycle(&world, false);
    if (again != 0) {
        sim_fault_crash_at(world.env, NULL, again, mode->crash);
    }
    rc = shadow_open(&shadow);
    if (rc == ENV_CRASHED || world_crashed(&world)) {
        shadow_close(&shadow);
        world_cycle(&world, false);
        rc = shadow_open(&shadow);
    }
    sim_fault_crash_at(world.env, NULL, 0, mode->crash);
    assert_int_equal(rc, ENV_OK);
    /* And it goes on; the process ends with everything written. */
    shadow_append(&shadow, 300);
    shadow_append(&shadow, 30);
    shadow_wait(&shadow);
    assert_int_equal(shadow.stored, shadow.now.last);
    cycle(true);
}

static void test_crash_at_every_point(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
        uint64_t n = 1;
        bool crashed = true;

        for (; crashed; n++) {
            begin(100 + n, 2048);
            sim_disk_set_policy(world.host, modes[m].policy);
            sim_fault_crash_at(world.env, NULL, n, modes[m].crash);
            script();
            crashed = world_crashed(&world);
            if (!crashed) {
                sim_fault_crash_at(world.env, NULL, 0, modes[m].crash);
                sim_process_crash(world.env);
            }
            recover(&modes[m], n % 3 == 0 ? 1 + n % 40 : 0);
            end();
        }
        print_message("%s: %u points\n", modes[m].name, (unsigned)n - 2);
        assert_true(n > 100);
    }
}

/* ---- random histories ---- */

static void random_op(void)
{
    uint64_t pick = sim_random(world.sim, 100);

    if (pick < 60) {
        uint64_t count = 1 + sim_random(world.sim, 6);

        for (uint64_t i = 0; i < count; i++) {
            shadow_append(&shadow, (size_t)sim_random(world.sim, pick == 0 ? 6000 : 300));
        }
    } else if (pick < 70 && shadow.now.last > shadow.snapshot_index) {
        uint64_t room = shadow.now.last - shadow.snapshot_index;
        uint64_t start = rlog_log_start(shadow.log);
        uint64_t index = shadow.snapshot_index + 1 + sim_random(world.sim, room);

        shadow_truncate(&shadow, index < start ? start : index);
    } else if (pick < 73) {
        shadow_restart(&shadow, shadow.snapshot_index + 1 + sim_random(world.sim, 30));
    } else if (pick < 80 && shadow.stored > shadow.snapshot_index) {
        uint64_t index = shadow.snapshot_index + 1 +
                         sim_random(world.sim, shadow.stored - shadow.snapshot_index);

        if (rlog_log_term(shadow.log, index) != 0) {
            shadow_prune(&shadow, index, sim_random(world.sim, 5));
        }
    } else if (pick < 95) {
        world_pass(&world, sim_random(world.sim, 1500));
    } else {
        shadow_wait(&shadow);
    }
}

static void random_history(uint64_t seed)
{
    static const enum sim_disk_policy policies[] = {SIM_DISK_RANDOM, SIM_DISK_LOSE, SIM_DISK_KEEP};

    begin(seed, 1024 + 512 * (seed % 13));
    for (int life = 0; life < 4; life++) {
        bool power = sim_random(world.sim, 4) != 0;
        uint64_t ops = sim_random(world.sim, 60);

        sim_disk_set_policy(world.host, policies[sim_random(world.sim, 3)]);
        sim_fault_crash_at(world.env, NULL, 1 + sim_random(world.sim, 300),
                           power ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
        for (uint64_t i = 0; i < ops && !world_crashed(&world); i++) {
            random_op();
        }
        sim_process_crash(world.env);
        shadow_close(&shadow);
        world_cycle(&world, power);
        assert_int_equal(shadow_open(&shadow), ENV_OK);
    }
    end();
}

static void test_random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        if (getenv("LOG_SEED") != NULL) {
            seed = strtoull(getenv("LOG_SEED"), NULL, 10);
            print_message("seed %llu\n", (unsigned long long)seed);
            random_history(seed);
            return;
        }
        random_history(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports_and_survives),
        cmocka_unit_test(test_one_sync_for_all_of_a_turn),
        cmocka_unit_test(test_gathers_while_a_batch_is_on_its_way),
        cmocka_unit_test(test_rolls_over),
        cmocka_unit_test(test_truncates_by_queue_order),
        cmocka_unit_test(test_restarts_at_a_snapshot),
        cmocka_unit_test(test_restarts_at_the_snapshot_when_opened),
        cmocka_unit_test(test_prunes_whole_segments),
        cmocka_unit_test(test_a_missing_beginning_is_refused),
        cmocka_unit_test(test_crash_at_every_point),
        cmocka_unit_test(test_random_histories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

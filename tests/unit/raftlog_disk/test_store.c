/* A folder holds a whole node or none, says which in one line, and belongs to one process at a
 * time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/log.h"
#include "raftlog/raftlog.h"
#include "raftlog/snapshot_format.h"
#include "raftlog/snapshots.h"
#include "raftlog/store.h"
#include "raftlog/vote.h"
#include "tests/unit/raftlog_disk/world.h"

static struct world world;
static struct rlog_store store;
static uint8_t machine[1000];

static struct rlog_birth birth_of(void)
{
    struct rlog_birth birth = {.cluster = "blue",
                               .incarnation = {"incarnation-0001"},
                               .member_count = 3,
                               .machine = bytes_of(machine, sizeof machine)};

    for (size_t i = 0; i < 3; i++) {
        birth.members[i].id = i + 1;
        (void)snprintf(birth.members[i].address, sizeof birth.members[i].address, "10.0.0.%zu:7000",
                       i + 1);
    }
    for (size_t i = 0; i < sizeof machine; i++) {
        machine[i] = (uint8_t)(i * 7);
    }
    return birth;
}

static int format(void)
{
    struct rlog_birth birth = birth_of();

    world.error[0] = '\0';
    return rlog_store_format(world.env, "/d/node", 2, &birth, bytes_of_text("members 1 2 3"), 4096,
                             world.error, ERROR_MAX, NULL);
}

static int open_store(void)
{
    world.error[0] = '\0';
    return rlog_store_open(world.env, "/d/node", &store, world.error, ERROR_MAX);
}

static bool birth_equal(void)
{
    struct rlog_birth birth = birth_of();
    bool equal = store.id == 2 && strcmp(store.birth.cluster, "blue") == 0 &&
                 id128_equal(store.birth.incarnation, birth.incarnation) &&
                 store.birth.member_count == 3 && bytes_equal(store.birth.machine, birth.machine) &&
                 store.birth.machine.data == store.machine_bytes;

    for (size_t i = 0; equal && i < 3; i++) {
        equal = store.birth.members[i].id == i + 1 &&
                strcmp(store.birth.members[i].address, birth.members[i].address) == 0;
    }
    return equal;
}

static void ignore_stored(void *arg, uint64_t index)
{
    (void)arg;
    (void)index;
}

static void ignore_failed(void *arg, int rc, const char *detail)
{
    (void)arg;
    (void)rc;
    (void)detail;
}

/* Everything that a node needs is in the folder. */
static void check_whole(void)
{
    struct rlog_log_config config = {
        .folder = "/d/node/log", .segment_bytes = 4096, .store_id = store.store_id};
    struct rlog_log_handlers handlers = {.stored = ignore_stored, .failed = ignore_failed};
    struct rlog_snapshot_info info;
    struct rlog_log_entry entry;
    struct rlog_log *log = NULL;
    struct rlog_vote vote;

    assert_true(birth_equal());
    assert_false(id128_is_zero(store.store_id));
    assert_int_equal(
        rlog_vote_load(world.env, "/d/node", store.store_id, &vote, world.error, ERROR_MAX),
        ENV_OK);
    assert_true(vote.term == 1 && vote.voted_for == 0);
    assert_int_equal(
        rlog_snapshots_newest(world.env, "/d/node/snapshots", &info, world.error, ERROR_MAX),
        ENV_NOT_FOUND);
    assert_int_equal(
        rlog_log_open(world.env, &config, 0, 0, &handlers, world.error, ERROR_MAX, &log), ENV_OK);
    assert_int_equal(rlog_log_start(log), 1);
    assert_int_equal(rlog_log_last(log), 1);
    entry = rlog_log_entry(log, 1);
    assert_int_equal(entry.term, 1);
    assert_int_equal(entry.type, RLOG_CHANGE);
    assert_true(bytes_equal(entry.payload, bytes_of_text("members 1 2 3")));
    rlog_log_destroy(log);
}

static void test_is_born_once(void **state)
{
    struct id128 first;

    (void)state;
    world_create(&world, 1);
    assert_int_equal(open_store(), ENV_NOT_FOUND);
    assert_non_null(strstr(world.error, "holds no node"));
    assert_non_null(strstr(world.error, "--init"));
    assert_int_equal(format(), ENV_OK);
    sim_disk_set_policy(world.host, SIM_DISK_LOSE);
    world_cycle(&world, true);
    assert_int_equal(open_store(), ENV_OK);
    check_whole();
    first = store.store_id;
    rlog_store_close(&store);
    assert_int_equal(format(), ENV_EXISTS);
    assert_non_null(strstr(world.error, "holds a node already"));
    assert_int_equal(open_store(), ENV_OK);
    assert_true(id128_equal(first, store.store_id));
    rlog_store_close(&store);
    world_destroy(&world);
}

static void test_belongs_to_one_process(void **state)
{
    struct env *first;

    (void)state;
    world_create(&world, 2);
    assert_int_equal(format(), ENV_OK);
    first = world.env;
    assert_int_equal(open_store(), ENV_OK);
    world.env = sim_process_start(world.host, "second");
    {
        struct rlog_store second;
        int rc = rlog_store_open(world.env, "/d/node", &second, world.error, ERROR_MAX);

        assert_int_equal(rc, ENV_IN_USE);
        assert_non_null(strstr(world.error, "another tenured runs on this folder"));
        sim_process_crash(first);
        rlog_store_close(&store);
        sim_process_free(first);
        assert_int_equal(rlog_store_open(world.env, "/d/node", &second, world.error, ERROR_MAX),
                         ENV_OK);
        rlog_store_close(&second);
    }
    world_destroy(&world);
}

static void test_a_foreign_folder_is_left_alone(void **state)
{
    (void)state;
    world_create(&world, 3);
    assert_int_equal(sim_disk_write(world.host, "/d/node/letter.txt", bytes_of_text("dear")),
                     ENV_OK);
    assert_int_equal(open_store(), ENV_INVALID);
    assert_non_null(strstr(world.error, "BIRTH is missing"));
    assert_int_equal(format(), ENV_EXISTS);
    assert_non_null(strstr(world.error, "not empty"));
    assert_false(sim_disk_exists(world.host, "/d/node/LOCK"));
    world_destroy(&world);
}

/* After a crash at any point of its making: a whole node, or none and a line that says so. */
static void test_crash_at_every_point(void **state)
{
    static const enum sim_disk_policy policies[] = {SIM_DISK_KEEP, SIM_DISK_LOSE, SIM_DISK_RANDOM};

    (void)state;
    for (size_t p = 0; p < 6; p++) {
        bool crashed = true;
        unsigned whole = 0, none = 0;

        for (uint64_t n = 1; crashed; n++) {
            int rc;

            world_create(&world, 100 * p + n);
            sim_disk_set_policy(world.host, policies[p % 3]);
            sim_fault_crash_at(world.env, NULL, n, p < 3 ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
            rc = format();
            crashed = world_crashed(&world);
            assert_true(crashed || rc == ENV_OK);
            world_cycle(&world, false);
            rc = open_store();
            if (rc == ENV_OK) {
                check_whole();
                rlog_store_close(&store);
                whole++;
            } else {
                assert_true(rc == ENV_NOT_FOUND || rc == ENV_INVALID);
                assert_true(crashed);
                assert_null(strstr(world.error, "damaged"));
                none++;
            }
            world_destroy(&world);
        }
        assert_true(none > 30 && whole > 0);
    }
}

static void test_every_byte_of_the_birth(void **state)
{
    uint8_t *data;
    size_t size;

    (void)state;
    world_create(&world, 4);
    assert_int_equal(format(), ENV_OK);
    assert_int_equal(sim_disk_read(world.host, "/d/node/BIRTH", &data, &size), ENV_OK);
    assert_memory_equal(data, "tnBI\1\0\0\0", 8);
    for (size_t at = 0; at < size; at++) {
        assert_int_equal(sim_disk_flip(world.host, "/d/node/BIRTH", 8 * at + at % 8), ENV_OK);
        assert_int_equal(open_store(), ENV_INVALID);
        assert_non_null(strstr(world.error, "BIRTH is damaged"));
        assert_int_equal(sim_disk_flip(world.host, "/d/node/BIRTH", 8 * at + at % 8), ENV_OK);
    }
    for (size_t cut = 0; cut < size; cut += 13) {
        assert_int_equal(sim_disk_write(world.host, "/d/node/BIRTH", bytes_of(data, cut)), ENV_OK);
        assert_int_equal(open_store(), ENV_INVALID);
    }
    free(data);
    world_destroy(&world);
}

static void test_every_call_fails(void **state)
{
    static const enum sim_disk_op ops[] = {
        SIM_DISK_OPEN,        SIM_DISK_WRITE,         SIM_DISK_SYNC,  SIM_DISK_ALLOCATE,
        SIM_DISK_FOLDER_SYNC, SIM_DISK_FOLDER_CREATE, SIM_DISK_RENAME};

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        int rc = ENV_IO;

        for (uint64_t n = 1; rc != ENV_OK; n++) {
            world_create(&world, 60 + n);
            sim_disk_fail(world.host, ops[i], "*", n, 1, ENV_IO);
            rc = format();
            assert_true(rc == ENV_OK || (rc == ENV_IO && strlen(world.error) > 10));
            sim_disk_fail_clear(world.host);
            world_cycle(&world, false);
            assert_true(rc != ENV_OK || open_store() == ENV_OK);
            if (rc == ENV_OK) {
                rlog_store_close(&store);
            }
            world_destroy(&world);
        }
    }
}

static void test_bounds_of_a_birth(void **state)
{
    static uint8_t large[16 * 1024 + 1];
    struct rlog_birth birth = birth_of();

    (void)state;
    world_create(&world, 5);
    birth.machine = bytes_of(large, sizeof large);
    assert_int_equal(rlog_store_format(world.env, "/d/node", 2, &birth, bytes_of_text("x"), 4096,
                                       world.error, ERROR_MAX, NULL),
                     ENV_INVALID);
    assert_false(sim_disk_exists(world.host, "/d/node"));
    birth.machine.size--;
    assert_int_equal(rlog_store_format(world.env, "/d/node", 2, &birth, bytes_of_text("x"), 4096,
                                       world.error, ERROR_MAX, NULL),
                     ENV_OK);
    assert_int_equal(open_store(), ENV_OK);
    assert_int_equal(store.birth.machine.size, 16 * 1024);
    rlog_store_close(&store);
    world_destroy(&world);
}

static void write_machine(void *arg, void (*sink)(void *sink_arg, struct bytes piece),
                          void *sink_arg)
{
    (void)arg;
    sink(sink_arg, bytes_of(machine, sizeof machine));
}

static int refuse_piece(void *arg, struct bytes piece)
{
    (void)piece;
    (void)snprintf(arg, ERROR_MAX, "not of this cluster");
    return ENV_DENIED;
}

static void test_who_refuses_an_image_says_why(void **state)
{
    const struct rlog_image image = {.write = write_machine};
    struct rlog_birth birth = birth_of();
    char name[RLOG_SNAPSHOT_NAME_MAX], path[128];

    (void)state;
    world_create(&world, 9);
    birth.image = &image;
    assert_int_equal(rlog_format(world.env, "/d/node", 2, &birth, world.error, ERROR_MAX, NULL),
                     ENV_OK);
    rlog_snapshot_name(name, RLOG_IMAGE_INDEX);
    (void)snprintf(path, sizeof path, "/d/node/snapshots/%s", name);
    assert_int_equal(
        rlog_image_read(world.env, path, refuse_piece, world.error, world.error, ERROR_MAX),
        ENV_DENIED);
    assert_string_equal(world.error, "not of this cluster");
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_born_once),
        cmocka_unit_test(test_belongs_to_one_process),
        cmocka_unit_test(test_a_foreign_folder_is_left_alone),
        cmocka_unit_test(test_crash_at_every_point),
        cmocka_unit_test(test_every_byte_of_the_birth),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_bounds_of_a_birth),
        cmocka_unit_test(test_who_refuses_an_image_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

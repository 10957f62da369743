/* A snapshot is there whole or not at all, and no byte of it is ever taken for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/sealed.h"
#include "raftlog/snapshot_format.h"
#include "raftlog/snapshots.h"
#include "tests/unit/raftlog_disk/world.h"

static struct world world;

/* ---- an image: compressible, then noise, then compressible ---- */

enum { IMAGE_MAX = 900 * 1024 };
static uint8_t image[IMAGE_MAX];

static void image_make(void)
{
    uint64_t noise = 88172645463325252u;

    for (size_t i = 0; i < IMAGE_MAX; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        image[i] = i / 100000 % 2 == 0 ? (uint8_t)(i / 512) : (uint8_t)noise;
    }
}

struct compare {
    size_t at;
    bool differs;
    size_t stop_at; /* feed refuses from here on; 0: never */
};

static int compare_feed(void *arg, struct bytes piece)
{
    struct compare *compare = arg;

    if (compare->stop_at != 0 && compare->at >= compare->stop_at) {
        return ENV_LIMIT;
    }
    if (compare->at + piece.size > IMAGE_MAX ||
        memcmp(image + compare->at, piece.data, piece.size) != 0) {
        compare->differs = true;
    }
    compare->at += piece.size;
    return ENV_OK;
}

/* ---- writing ---- */

struct writing {
    int rc;
    unsigned done;
};

static void writing_done(void *arg, int rc)
{
    struct writing *writing = arg;

    writing->rc = rc;
    writing->done++;
}

static struct rlog_snapshot_meta meta_of(uint64_t index)
{
    return (struct rlog_snapshot_meta){.index = index,
                                       .term = index / 10 + 1,
                                       .configuration_index = index - 3,
                                       .configuration = bytes_of_text("members: 1 2 3")};
}

static bool done_or_crashed(void *arg)
{
    const struct writing *writing = arg;

    return writing->done > 0 || world_crashed(&world);
}

/* Pieces of odd sizes; returns the writer when it is done or the process crashed. */
static struct rlog_snapshot_writer *write_image(uint64_t index, size_t size,
                                                struct writing *writing)
{
    struct rlog_snapshot_meta meta = meta_of(index);
    struct rlog_snapshot_writer *writer;
    size_t at = 0, step = 1;

    *writing = (struct writing){.rc = ENV_OK};
    writer = rlog_snapshot_writer_create(world.env, "/d/log", &meta, writing_done, writing);
    while (at < size) {
        size_t piece = step > size - at ? size - at : step;

        rlog_snapshot_writer_piece(writer, bytes_of(image + at, piece));
        at += piece;
        step = step * 3 % 70001 + 1;
        if (rlog_snapshot_writer_pending(writer) > 600 * 1024) {
            world_pass(&world, 1000);
        }
    }
    rlog_snapshot_writer_finish(writer);
    assert_int_equal(writing->done > 0 && writing->rc == ENV_OK, 0);
    (void)sim_run_until(world.sim, done_or_crashed, writing, 10 * SIM_SECOND);
    assert_true(done_or_crashed(writing));
    return writer;
}

static void write_ok(uint64_t index, size_t size)
{
    struct writing writing;
    struct rlog_snapshot_writer *writer = write_image(index, size, &writing);

    assert_int_equal(writing.rc, ENV_OK);
    assert_int_equal(writing.done, 1);
    assert_int_equal(rlog_snapshot_writer_pending(writer), 0);
    rlog_snapshot_writer_destroy(writer);
}

static int newest(struct rlog_snapshot_info *ret_info)
{
    world.error[0] = '\0';
    return rlog_snapshots_newest(world.env, "/d/log", ret_info, world.error, ERROR_MAX);
}

static int restore(uint64_t index, struct compare *compare)
{
    size_t stop_at = compare->stop_at;

    *compare = (struct compare){.stop_at = stop_at};
    world.error[0] = '\0';
    return rlog_snapshot_restore(world.env, "/d/log", index, compare_feed, compare, world.error,
                                 ERROR_MAX);
}

static void check_info(const struct rlog_snapshot_info *info, uint64_t index)
{
    struct rlog_snapshot_meta meta = meta_of(index);

    assert_int_equal(info->meta.index, index);
    assert_int_equal(info->meta.term, meta.term);
    assert_int_equal(info->meta.configuration_index, meta.configuration_index);
    assert_true(bytes_equal(info->meta.configuration, meta.configuration));
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

static bool any_beside(void)
{
    struct saved saved = {.count = 0};
    bool found = false;

    saved_add(&saved, &world, "/d/log");
    for (size_t i = 0; i < saved.count; i++) {
        found = found || strstr(saved.files[i].path, ".tmp") != NULL;
    }
    saved_free(&saved);
    return found;
}

/* ---- tests ---- */

static void test_comes_back_as_it_was(void **state)
{
    static const size_t sizes[] = {0, 1, 262143, 262144, 262145, IMAGE_MAX};
    struct rlog_snapshot_info info;

    (void)state;
    world_create(&world, 1);
    sim_disk_set_policy(world.host, SIM_DISK_LOSE);
    assert_int_equal(newest(&info), ENV_NOT_FOUND);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct compare compare = {.at = 0};

        write_ok(100 + i, sizes[i]);
        world_cycle(&world, true);
        assert_int_equal(newest(&info), ENV_OK);
        check_info(&info, 100 + i);
        assert_int_equal(restore(100 + i, &compare), ENV_OK);
        assert_int_equal(compare.at, sizes[i]);
        assert_false(compare.differs);
    }
    assert_true(info.file_bytes < 600 * 1024); /* half of it is compressible */
    assert_int_equal(count_files(), 6);
    assert_int_equal(rlog_snapshots_keep(world.env, "/d/log", 105), ENV_OK);
    world_cycle(&world, true);
    assert_int_equal(count_files(), 1);
    assert_int_equal(newest(&info), ENV_OK);
    check_info(&info, 105);
    world_destroy(&world);
}

static void test_every_byte(void **state)
{
    struct saved saved = {.count = 0};
    unsigned at_once = 0;

    (void)state;
    world_create(&world, 2);
    write_ok(50, 700);
    saved_add(&saved, &world, "/d/log");
    assert_int_equal(saved.count, 1);
    assert_memory_equal(saved.files[0].data, "tnSN\2\0\0\0", 8);
    for (size_t bit = 0; bit < 8 * saved.files[0].size; bit++) {
        struct rlog_snapshot_info info;
        struct compare compare = {.at = 0};

        assert_int_equal(sim_disk_flip(world.host, saved.files[0].path, bit), ENV_OK);
        at_once += newest(&info) == ENV_INVALID;
        assert_int_equal(restore(50, &compare), ENV_INVALID);
        assert_non_null(strstr(world.error, "snapshot 50 is damaged"));
        assert_false(compare.differs);
        assert_int_equal(sim_disk_flip(world.host, saved.files[0].path, bit), ENV_OK);
    }
    assert_true(at_once > 8 * 80);
    for (size_t size = 0; size < saved.files[0].size; size++) {
        struct compare compare = {.at = 0};

        assert_int_equal(
            sim_disk_write(world.host, saved.files[0].path, bytes_of(saved.files[0].data, size)),
            ENV_OK);
        assert_int_equal(restore(50, &compare), ENV_INVALID);
    }
    saved_free(&saved);
    world_destroy(&world);
}

/* Chunks that are whole, but missing, twice, exchanged, of another file, or followed by more. */
static void test_every_chunk_in_its_place(void **state)
{
    enum { STEP = 23456 };
    struct saved saved = {.count = 0};
    struct saved_file *a, *b;
    struct compare compare = {.at = 0};
    static const char *const path = "/d/log/snap-0000000000000032";

    (void)state;
    world_create(&world, 3);
    write_ok(50, IMAGE_MAX);
    write_ok(51, IMAGE_MAX);
    saved_add(&saved, &world, "/d/log");
    a = &saved.files[0];
    b = &saved.files[1];
    assert_int_equal(a->size, b->size);
    /* Another snapshot's file under this name. */
    assert_int_equal(sim_disk_write(world.host, path, bytes_of(b->data, b->size)), ENV_OK);
    assert_int_equal(restore(50, &compare), ENV_INVALID);
    /* The rest of another file, from each possible place on: the blocks have equal sizes. */
    for (size_t at = 200; at + 1 < a->size; at += STEP) {
        assert_int_equal(sim_disk_write(world.host, path, bytes_of(a->data, a->size)), ENV_OK);
        assert_int_equal(sim_disk_patch(world.host, path, at, bytes_of(b->data + at, b->size - at)),
                         ENV_OK);
        assert_int_equal(restore(50, &compare), ENV_INVALID);
    }
    {
        uint8_t *longer = malloc(a->size + 1);

        assert_non_null(longer);
        memcpy(longer, a->data, a->size);
        longer[a->size] = 0;
        assert_int_equal(sim_disk_write(world.host, path, bytes_of(longer, a->size + 1)), ENV_OK);
        assert_int_equal(restore(50, &compare), ENV_INVALID);
        free(longer);
    }
    saved_free(&saved);
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
            struct rlog_snapshot_writer *writer;
            struct rlog_snapshot_info info;
            struct compare compare = {.at = 0};
            struct writing writing;

            world_create(&world, 1000 * p + n);
            write_ok(10, 5000);
            sim_disk_set_policy(world.host, policies[p % 3]);
            sim_fault_crash_at(world.env, NULL, n, p < 3 ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
            writer = write_image(20, 300 * 1024, &writing);
            if (writing.done > 0) {
                int rc = rlog_snapshots_keep(world.env, "/d/log", 20);

                assert_int_equal(rc, world_crashed(&world) ? ENV_CRASHED : ENV_OK);
            }
            crashed = world_crashed(&world);
            sim_process_crash(world.env);
            rlog_snapshot_writer_destroy(writer);
            world_cycle(&world, false);
            assert_int_equal(newest(&info), ENV_OK);
            assert_true(info.meta.index == 20 || (info.meta.index == 10 && writing.done == 0));
            check_info(&info, info.meta.index);
            assert_int_equal(restore(info.meta.index, &compare), ENV_OK);
            assert_int_equal(compare.at, info.meta.index == 20 ? 300 * 1024 : 5000);
            assert_false(compare.differs);
            assert_false(any_beside());
            {
                struct rlog_snapshot_info again;

                world_cycle(&world, true); /* what was found stays found */
                assert_int_equal(newest(&again), ENV_OK);
                assert_int_equal(again.meta.index, info.meta.index);
            }
            world_destroy(&world);
        }
        assert_true(n > 15);
    }
}

static void test_every_call_fails(void **state)
{
    static const enum sim_disk_op ops[] = {SIM_DISK_OPEN, SIM_DISK_WRITE, SIM_DISK_SYNC,
                                           SIM_DISK_FOLDER_SYNC, SIM_DISK_RENAME};

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        int rc = ENV_NO_SPACE;

        for (uint64_t n = 1; rc != ENV_OK; n++) {
            struct rlog_snapshot_writer *writer;
            struct rlog_snapshot_info info;
            struct writing writing;

            world_create(&world, 2000 + n);
            write_ok(10, 5000);
            sim_disk_fail(world.host, ops[i], "*", n, 1, ENV_NO_SPACE);
            writer = write_image(20, 600 * 1024, &writing);
            rc = writing.rc;
            assert_int_equal(writing.done, 1);
            assert_true(rc == ENV_OK || rc == ENV_NO_SPACE);
            sim_disk_fail_clear(world.host);
            rlog_snapshot_writer_destroy(writer);
            world_pass(&world, SIM_SECOND);
            assert_int_equal(newest(&info), ENV_OK);
            assert_true(info.meta.index == 20 || rc != ENV_OK);
            assert_int_equal(count_files(), info.meta.index == 20 ? 2 : 1);
            world_destroy(&world);
        }
    }
}

/* Given up at any moment: nothing is told, nothing is left. */
static void test_give_up(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < 3000; us += 50) {
        struct rlog_snapshot_meta meta = meta_of(30);
        struct writing writing = {.rc = ENV_OK};
        struct rlog_snapshot_writer *writer;

        world_create(&world, 3000 + us);
        writer = rlog_snapshot_writer_create(world.env, "/d/log", &meta, writing_done, &writing);
        rlog_snapshot_writer_piece(writer, bytes_of(image, 300 * 1024));
        if (us % 100 == 0) {
            rlog_snapshot_writer_finish(writer);
        }
        world_pass(&world, us);
        if (writing.done == 0) {
            rlog_snapshot_writer_destroy(writer);
            writer = NULL;
        }
        world_pass(&world, SIM_SECOND);
        assert_true(writing.done == 0 || writer != NULL);
        rlog_snapshot_writer_destroy(writer);
        world_pass(&world, SIM_SECOND);
        assert_true(count_files() <= (us % 100 == 0 ? 1 : 0));
        world_destroy(&world);
    }
}

/* ---- sending and receiving ---- */

static struct rlog_snapshot_receiver *receive(uint64_t index, uint64_t identity,
                                              uint64_t *ret_offset)
{
    struct rlog_snapshot_receiver *receiver = NULL;

    assert_int_equal(
        rlog_snapshot_receiver_create(world.env, "/d", index, identity, &receiver, ret_offset),
        ENV_OK);
    return receiver;
}

/* What arrived in part is removed for another image, and when a snapshot reaches as far. */
static void test_parts_are_kept_as_long_as_they_are_of_use(void **state)
{
    struct rlog_snapshot_receiver *receiver;
    struct rlog_snapshot_info info;
    uint64_t offset;

    (void)state;
    world_create(&world, 11);
    write_ok(60, 700);
    rlog_snapshot_receiver_destroy(receive(70, 1, &offset));
    assert_int_equal(newest(&info), ENV_OK); /* at a start it stays */
    assert_int_equal(rlog_snapshots_keep(world.env, "/d/log", 60), ENV_OK);
    assert_true(sim_disk_exists(world.host, "/d/snap-0000000000000046-0000000000000001.part"));
    receiver = receive(70, 2, &offset);
    assert_false(sim_disk_exists(world.host, "/d/snap-0000000000000046-0000000000000001.part"));
    rlog_snapshot_receiver_destroy(receiver);
    assert_int_equal(rlog_snapshots_keep(world.env, "/d", 69), ENV_OK);
    assert_true(sim_disk_exists(world.host, "/d/snap-0000000000000046-0000000000000002.part"));
    assert_int_equal(rlog_snapshots_keep(world.env, "/d", 70), ENV_OK);
    assert_false(sim_disk_exists(world.host, "/d/snap-0000000000000046-0000000000000002.part"));
    world_destroy(&world);
}

static int send(uint64_t index, size_t piece_bytes, size_t damage_at, uint64_t as_index)
{
    struct rlog_snapshot_receiver *receiver;
    struct rlog_snapshot_info info;
    struct compare compare = {.at = 0};
    uint64_t offset = 0, identity, total;
    size_t size = 1;
    int rc = rlog_snapshot_file_tell(world.env, "/d/log", index, &total, &identity);

    assert_int_equal(rc, ENV_OK);
    rc = rlog_snapshot_receiver_create(world.env, "/d", as_index, identity, &receiver, &offset);
    assert_int_equal(rc, ENV_OK);
    assert_int_equal(offset, 0);
    while (size > 0) {
        uint8_t piece[4096];

        assert_int_equal(
            rlog_snapshot_file_read(world.env, "/d/log", index, offset, piece, piece_bytes, &size),
            ENV_OK);
        if (damage_at >= offset && damage_at < offset + size) {
            piece[damage_at - offset] ^= 1;
        }
        assert_int_equal(rlog_snapshot_receiver_append(receiver, bytes_of(piece, size)), ENV_OK);
        offset += size;
    }
    assert_int_equal(offset, total);
    rc = rlog_snapshot_receiver_finish(receiver, compare_feed, &compare, &info, world.error,
                                       ERROR_MAX);
    if (rc == ENV_OK) {
        check_info(&info, index);
        assert_int_equal(info.file_bytes, offset);
    } else {
        assert_non_null(strstr(world.error, "that arrived"));
    }
    rlog_snapshot_receiver_destroy(receiver);
    return rc;
}

static void test_travels_whole_or_not(void **state)
{
    struct rlog_snapshot_info info;
    struct compare compare = {.at = 0};

    (void)state;
    world_create(&world, 9);
    write_ok(60, 700);
    assert_int_equal(send(60, 100, SIZE_MAX, 61), ENV_INVALID); /* not the one announced */
    assert_int_equal(newest(&info), ENV_OK);
    for (size_t at = 0; at < info.file_bytes; at++) {
        assert_int_equal(send(60, 100, at, 60), ENV_INVALID);
        assert_false(sim_disk_exists(world.host, "/d/snap-000000000000003c"));
    }
    assert_int_equal(send(60, 77, SIZE_MAX, 60), ENV_OK);
    sim_disk_set_policy(world.host, SIM_DISK_LOSE);
    world_cycle(&world, true);
    assert_int_equal(rlog_snapshots_newest(world.env, "/d", &info, world.error, ERROR_MAX), ENV_OK);
    assert_int_equal(
        rlog_snapshot_restore(world.env, "/d", 60, compare_feed, &compare, world.error, ERROR_MAX),
        ENV_OK);
    assert_int_equal(compare.at, 700);
    assert_false(compare.differs);
    world_destroy(&world);
}

/* Seals the file's block of that number anew, as one of a later version. False: there are fewer. */
static bool seal_as_later(const struct saved_file *file, unsigned number)
{
    struct siphash_key key = {{0}}; /* of the chain: its hash, then how many blocks it has */
    struct base_writer writer;
    size_t at = 0;

    for (unsigned blocks = 0; at < file->size; blocks++) {
        struct base_reader reader;
        struct rlog_sealed_kind kind;
        uint32_t size;

        base_reader_init(&reader, bytes_of(file->data + at, file->size - at));
        kind.magic = base_read_u32(&reader);
        kind.version = base_read_u32(&reader) + 1;
        size = base_read_u32(&reader);
        if (blocks == number) {
            static uint8_t block[RLOG_SNAPSHOT_BLOCK_MAX];

            (void)rlog_seal(block, kind, &key, bytes_of(file->data + at + RLOG_SEALED_HEAD, size));
            assert_int_equal(sim_disk_patch(world.host, file->path, at,
                                            bytes_of(block, RLOG_SEALED_EXTRA + size)),
                             ENV_OK);
            return true;
        }
        at += RLOG_SEALED_HEAD + size;
        base_reader_init(&reader, bytes_of(file->data + at, RLOG_SEALED_TAIL));
        base_writer_init(&writer, key.bytes, sizeof key.bytes);
        base_write_u64(&writer, base_read_u64(&reader));
        base_write_u64(&writer, blocks + 1);
        at += RLOG_SEALED_TAIL;
    }
    return false;
}

/* Head, members, a chunk, the end: whichever is of a later program, nothing of it is damage. */
static void test_a_later_version_is_refused(void **state)
{
    unsigned number;

    (void)state;
    for (number = 0;; number++) {
        struct saved saved = {.count = 0};
        struct compare compare = {.at = 0};

        world_create(&world, 11);
        write_ok(60, 700);
        saved_add(&saved, &world, "/d/log");
        bool sealed = seal_as_later(&saved.files[0], number);
        int rc = restore(60, &compare);
        assert_int_equal(rc, sealed ? ENV_LIMIT : ENV_OK);
        assert_true(!sealed || strstr(world.error, "upgrade") != NULL);
        saved_free(&saved);
        world_destroy(&world);
        if (!sealed) {
            break;
        }
    }
    assert_int_equal(number, 4);
}

static void test_a_refusing_machine_ends_the_restore(void **state)
{
    struct compare compare = {.stop_at = 300000};

    (void)state;
    world_create(&world, 10);
    write_ok(60, IMAGE_MAX);
    assert_int_equal(restore(60, &compare), ENV_LIMIT);
    compare.stop_at = 0;
    assert_int_equal(restore(61, &compare), ENV_NOT_FOUND);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back_as_it_was),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_chunk_in_its_place),
        cmocka_unit_test(test_crash_at_every_point),
        cmocka_unit_test(test_a_later_version_is_refused),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_parts_are_kept_as_long_as_they_are_of_use),
        cmocka_unit_test(test_travels_whole_or_not),
        cmocka_unit_test(test_a_refusing_machine_ends_the_restore),
    };

    image_make();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

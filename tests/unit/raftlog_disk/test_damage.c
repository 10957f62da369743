/* A damaged byte anywhere in a log is found or harms nothing; a torn end and damage are told apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sat.h"
#include "raftlog/log_format.h"
#include "tests/unit/raftlog_disk/shadow.h"

enum { SEGMENT = 2048, SETTLE_US = 150 * 1000 };

static struct world world;
static struct shadow shadow;
static struct saved saved;

/* A log of several segments at rest, with its mark up to date and no process in it. */
static void begin(void)
{
    world_create(&world, 77);
    shadow_init(&shadow, &world, SEGMENT);
    assert_int_equal(shadow_format(&shadow), ENV_OK);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
    for (int i = 0; i < 14; i++) {
        shadow_append(&shadow, (size_t)(20 + 20 * i));
        if (i % 3 == 0) {
            shadow_wait(&shadow);
        }
        if (i == 6) {
            shadow_truncate(&shadow, 5);
        }
    }
    shadow_wait(&shadow);
    world_pass(&world, SETTLE_US);
    sim_process_crash(world.env);
    shadow_close(&shadow);
    world_cycle(&world, false);
    saved.count = 0;
    saved_add(&saved, &world, "/d/log");
}

static void end(void)
{
    saved_free(&saved);
    world_destroy(&world);
}

/* Opens what is there now: NULL when it was refused in one line, "" when all is as it was, and
 * otherwise what is wrong. Puts the files back. */
static const char *outcome(void)
{
    int rc = shadow_try_open(&shadow);
    const char *wrong = NULL;

    if (rc == ENV_OK) {
        wrong = shadow_wrong(&shadow);
        wrong = wrong == NULL && rlog_log_last(shadow.log) != shadow.now.last ? "shorter" : wrong;
        wrong = wrong == NULL ? "" : wrong;
    } else {
        assert_true(strlen(world.error) > 20 && strchr(world.error, '\n') == NULL);
    }
    shadow_close(&shadow);
    saved_restore(&saved, &world, "/d/log");
    return wrong;
}

static bool is_segment(const struct saved_file *file)
{
    return strstr(file->path, "/segment-") != NULL;
}

static void test_every_byte(void **state)
{
    unsigned refused = 0, harmless = 0, marks = 0;

    (void)state;
    begin();
    for (size_t f = 0; f < saved.count; f++) {
        const struct saved_file *file = &saved.files[f];

        for (size_t at = 0; at < file->size; at++) {
            const char *wrong;

            assert_int_equal(sim_disk_flip(world.host, file->path, 8 * at + at % 8), ENV_OK);
            wrong = outcome();
            if (wrong != NULL && wrong[0] != '\0') {
                fail_msg("%s, byte %zu: %s", file->path, at, wrong);
            }
            refused += wrong == NULL;
            harmless += wrong != NULL;
            marks += wrong == NULL && !is_segment(file);
        }
    }
    print_message("%u refused, %u harmless\n", refused, harmless);
    assert_int_equal(marks, 0); /* one slot of the mark is enough */
    assert_true(refused > 2500 && harmless > 1000);
    end();
}

/* Without a mark that knows them, later batches prove the earlier ones: only the newest batch may
 * be taken for a torn end. */
static void test_every_byte_when_the_mark_is_old(void **state)
{
    unsigned refused = 0, torn = 0;
    struct saved_file *mark = NULL;
    uint64_t last = 0;

    (void)state;
    begin();
    for (size_t f = 0; f < saved.count; f++) {
        mark = strstr(saved.files[f].path, "/mark") != NULL ? &saved.files[f] : mark;
    }
    assert_non_null(mark);
    for (size_t slot = 0; slot < RLOG_MARK_SLOTS; slot++) {
        struct siphash_key key = rlog_store_key((struct id128){"store-of-the-one"});
        struct rlog_log_point point = {.batch = 0};

        rlog_mark_write(mark->data + slot * RLOG_MARK_STRIDE, &key, &point);
    }
    saved_restore(&saved, &world, "/d/log");
    for (size_t f = 0; f < saved.count; f++) {
        const struct saved_file *file = &saved.files[f];

        for (size_t at = 0; is_segment(file) && at < file->size; at += 3) {
            const char *wrong;

            assert_int_equal(sim_disk_flip(world.host, file->path, 8 * at + at % 8), ENV_OK);
            wrong = outcome();
            if (wrong != NULL && wrong[0] != '\0') {
                torn++;
                last = last == 0 ? f + 1 : last;
                assert_int_equal(last, f + 1); /* the newest segment alone */
                assert_string_equal(wrong, "what was stored is gone");
            }
            refused += wrong == NULL;
        }
    }
    print_message("%u refused, %u taken for torn\n", refused, torn);
    assert_true(refused > 700 && torn > 100 && torn < 250); /* heads and bodies */
    end();
}

/* A segment without a batch yet proves all that stands before it. */
static void test_a_new_segment_proves_the_one_before(void **state)
{
    const char *first = "/d/log/segment-0000000000000001-0000000000000001";
    uint8_t *data;
    size_t size;

    (void)state;
    world_create(&world, 79);
    shadow_init(&shadow, &world, SEGMENT);
    assert_int_equal(shadow_format(&shadow), ENV_OK);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
    sim_disk_set_policy(world.host, SIM_DISK_LOSE);
    sim_fault_crash_at(world.env, "log.after_roll", 1, SIM_CRASH_POWER);
    while (!world_crashed(&world)) {
        shadow_append(&shadow, 400);
        shadow_wait(&shadow);
    }
    assert_true(shadow.stored > 0);
    shadow_close(&shadow);
    world_cycle(&world, false);
    assert_int_equal(sim_disk_read(world.host, first, &data, &size), ENV_OK);
    while (data[size - 1] == 0) {
        size--;
    }
    free(data);
    assert_int_equal(sim_disk_flip(world.host, first, 8 * (size - 1)), ENV_OK);
    assert_int_equal(shadow_try_open(&shadow), ENV_INVALID);
    shadow_close(&shadow);
    world_destroy(&world);
}

/* Segments go in any order: what is left before a gap does not count, if the rest is enough. */
static void test_a_removal_that_was_interrupted(void **state)
{
    (void)state;
    begin();
    assert_int_equal(env_remove(world.env, saved.files[2].path), ENV_OK);
    assert_true(is_segment(&saved.files[2]) && is_segment(&saved.files[1]));
    shadow.snapshot_index = 10;
    shadow.snapshot_term = 2;
    assert_string_equal(outcome(), "");
    assert_int_equal(env_remove(world.env, saved.files[2].path), ENV_OK);
    shadow.snapshot_index = 2;
    shadow.snapshot_term = 1;
    assert_null(outcome());
    end();
}

/* All sectors of the log, one after the other, replaced by zeros or by another sector's bytes. */
static void test_every_sector(void **state)
{
    unsigned refused = 0;

    (void)state;
    begin();
    for (size_t f = 0; f < saved.count; f++) {
        const struct saved_file *file = &saved.files[f];

        for (size_t at = 0; is_segment(file) && at + 512 <= file->size; at += 512) {
            for (int way = 0; way < 3; way++) {
                uint8_t sector[512] = {0};
                const struct saved_file *other = &saved.files[(f + (size_t)way) % saved.count];
                size_t from = way == 1 ? (at + 512) % file->size : at % other->size;
                const char *wrong;

                if (way > 0) {
                    memcpy(sector, (way == 1 ? file : other)->data + from, sizeof sector);
                }
                assert_int_equal(
                    sim_disk_patch(world.host, file->path, at, bytes_of(sector, sizeof sector)),
                    ENV_OK);
                wrong = outcome();
                if (wrong != NULL && wrong[0] != '\0') {
                    fail_msg("%s, sector at %zu, way %d: %s", file->path, at, way, wrong);
                }
                refused += wrong == NULL;
            }
        }
    }
    assert_true(refused > 20);
    end();
}

static void test_every_file_missing_or_cut(void **state)
{
    (void)state;
    begin();
    for (size_t f = 0; f < saved.count; f++) {
        const struct saved_file *file = &saved.files[f];
        const char *wrong;

        assert_int_equal(env_remove(world.env, file->path), ENV_OK);
        wrong = outcome();
        if (strstr(file->path, "spare") == NULL) {
            assert_null(wrong);
        }
        for (size_t size = 0; size < file->size; size += 256) {
            assert_int_equal(sim_disk_write(world.host, file->path, bytes_of(file->data, size)),
                             ENV_OK);
            wrong = outcome();
            if (wrong != NULL && wrong[0] != '\0') {
                fail_msg("%s cut to %zu: %s", file->path, size, wrong);
            }
        }
    }
    end();
}

static void test_two_files_exchanged(void **state)
{
    (void)state;
    begin();
    for (size_t f = 0; f + 1 < saved.count; f++) {
        const struct saved_file *a = &saved.files[f], *b = &saved.files[f + 1];
        const char *wrong;

        assert_int_equal(sim_disk_write(world.host, a->path, bytes_of(b->data, b->size)), ENV_OK);
        assert_int_equal(sim_disk_write(world.host, b->path, bytes_of(a->data, a->size)), ENV_OK);
        wrong = outcome();
        if (is_segment(a) && is_segment(b)) {
            assert_null(wrong);
        }
        assert_true(wrong == NULL || wrong[0] == '\0');
    }
    end();
}

/* The newest batch is whole on the disk, was reported, and is damaged: the mark knows. */
static void test_the_line_names_the_index(void **state)
{
    const struct saved_file *last = NULL;
    size_t at;

    (void)state;
    begin();
    for (size_t f = 0; f < saved.count; f++) {
        last = is_segment(&saved.files[f]) ? &saved.files[f] : last;
    }
    assert_non_null(last);
    for (at = last->size; last->data[at - 1] == 0; at--) {
    }
    assert_int_equal(sim_disk_flip(world.host, last->path, 8 * (at - 1)), ENV_OK);
    assert_int_equal(shadow_try_open(&shadow), ENV_INVALID);
    assert_non_null(strstr(world.error, "log is damaged at index "));
    shadow_close(&shadow);
    end();
}

static void test_another_store_is_refused(void **state)
{
    struct rlog_log_handlers handlers = {.arg = NULL};
    struct rlog_log_config config = {
        .folder = "/d/log", .segment_bytes = SEGMENT, .store_id = {"store-of-another"}};
    struct rlog_log *log = NULL;

    (void)state;
    begin();
    assert_int_equal(
        rlog_log_open(world.env, &config, 0, 0, &handlers, world.error, ERROR_MAX, &log),
        ENV_DENIED);
    assert_non_null(strstr(world.error, "another node's store"));
    end();
}

/* Old bytes behind the tail that look like a batch of ours never become one. */
static void test_leftovers_of_a_torn_batch_are_gone(void **state)
{
    size_t kept;

    (void)state;
    world_create(&world, 78);
    shadow_init(&shadow, &world, 64 * 1024);
    assert_int_equal(shadow_format(&shadow), ENV_OK);
    assert_int_equal(shadow_open(&shadow), ENV_OK);
    for (kept = 0; kept < 20; kept++) {
        const char *path = "/d/log/segment-0000000000000001-0000000000000001";
        uint8_t *data;
        size_t size, at;

        sim_disk_set_policy(world.host, SIM_DISK_RANDOM);
        shadow_append(&shadow, 200);
        shadow_wait(&shadow);
        shadow_append(&shadow, 4000); /* torn: the crash comes before its sync */
        sim_fault_crash_at(world.env, "log.before_sync", 1, SIM_CRASH_POWER);
        shadow_wait(&shadow);
        assert_true(world_crashed(&world));
        shadow_close(&shadow);
        world_cycle(&world, false);
        assert_int_equal(shadow_open(&shadow), ENV_OK);
        assert_int_equal(sim_disk_read(world.host, path, &data, &size), ENV_OK);
        for (at = 512; data[at] != 0; at += 512) { /* batch after batch */
            struct rlog_batch_head head;
            struct siphash_key key = rlog_store_key((struct id128){"store-of-the-one"});
            uint64_t chain;

            assert_int_equal(rlog_batch_head_read(bytes_of(data + at, 512), &key, &head, &chain),
                             ENV_OK);
            at += rlog_blocks_up(RLOG_BATCH_HEAD + head.body_bytes) - 512;
        }
        for (; at < size; at++) {
            assert_int_equal(data[at], 0);
        }
        free(data);
    }
    shadow_close(&shadow);
    world_destroy(&world);
}

/* The first bytes of each file say what it is and in which version; kept for ever. */
static void test_formats(void **state)
{
    (void)state;
    begin();
    for (size_t f = 0; f < saved.count; f++) {
        const struct saved_file *file = &saved.files[f];
        const char *magic = is_segment(file) ? "tnSG\1\0\0\0" : "tnMK\1\0\0\0";

        if (strstr(file->path, "spare") == NULL) {
            assert_memory_equal(file->data, magic, 8);
        }
        if (is_segment(file) && file->data[512] != 0) {
            assert_memory_equal(file->data + 512, "tnBA\1\0\0\0", 8);
        }
        if (!is_segment(file) && strstr(file->path, "mark") != NULL) {
            assert_int_equal(file->size, 4096 + 512);
            assert_memory_equal(file->data + 4096, magic, 8);
        }
    }
    end();
}

/* A format of a later program is not taken for damage, which would let the log go. A version that
 * is merely another number is damage: the checksum covers it. */
static void test_a_later_version_is_refused(void **state)
{
    struct siphash_key key = rlog_store_key((struct id128){"store-of-the-one"});
    struct rlog_sealed_kind later = {RLOG_MAGIC('t', 'n', 'S', 'G'), 2};
    uint8_t block[RLOG_SEALED_EXTRA + 4];

    (void)state;
    begin();
    assert_true(is_segment(&saved.files[1]));
    (void)rlog_seal(block, later, &key, bytes_of_text("what"));
    assert_int_equal(
        sim_disk_patch(world.host, saved.files[1].path, 0, bytes_of(block, sizeof block)), ENV_OK);
    assert_int_equal(shadow_try_open(&shadow), ENV_LIMIT);
    assert_non_null(strstr(world.error, "format"));
    shadow_close(&shadow);
    assert_int_equal(sim_disk_write(world.host, saved.files[1].path,
                                    bytes_of(saved.files[1].data, saved.files[1].size)),
                     ENV_OK);
    assert_int_equal(sim_disk_patch(world.host, saved.files[1].path, 4, bytes_of("\2", 1)), ENV_OK);
    assert_int_equal(shadow_try_open(&shadow), ENV_INVALID);
    shadow_close(&shadow);
    end();
}

/* So is a mark: the slot of a later program may be the newer one, whatever the other says. */
static void test_a_later_mark_is_refused(void **state)
{
    struct siphash_key key = rlog_store_key((struct id128){"store-of-the-one"});
    struct rlog_sealed_kind later = {RLOG_MAGIC('t', 'n', 'M', 'K'), 2};
    uint8_t block[RLOG_SEALED_EXTRA + 4], none[RLOG_BLOCK] = {0};

    (void)state;
    (void)rlog_seal(block, later, &key, bytes_of_text("what"));
    for (unsigned i = 0; i < 4; i++) { /* either slot, beside a whole one and a damaged one */
        uint64_t here = (uint64_t)(i % 2) * RLOG_MARK_STRIDE;
        uint64_t other = RLOG_MARK_STRIDE - here;

        begin();
        assert_int_equal(
            sim_disk_patch(world.host, "/d/log/mark", here, bytes_of(block, sizeof block)), ENV_OK);
        if (i >= 2) {
            assert_int_equal(
                sim_disk_patch(world.host, "/d/log/mark", other, bytes_of(none, sizeof none)),
                ENV_OK);
        }
        assert_int_equal(shadow_try_open(&shadow), ENV_LIMIT);
        assert_non_null(strstr(world.error, "upgrade"));
        shadow_close(&shadow);
        end();
    }
}

/* The only segment of a new log, with one batch of one record of this type behind its head; the
 * batch's head is of `version`. */
static void forge_batch(uint32_t version, uint32_t type)
{
    static const uint8_t zeros[RLOG_BATCH_HEAD];
    struct siphash_key key = rlog_store_key((struct id128){"store-of-the-one"});
    struct rlog_sealed_kind kind = {RLOG_MAGIC('t', 'n', 'B', 'A'), version};
    struct rlog_segment_head head = {.number = 1};
    struct rlog_record record = {.type = type, .index = 1, .term = 1};
    struct rlog_batch_head batch = {.body_bytes = RLOG_RECORD_EXTRA, .record_count = 1};
    uint8_t segment[SEGMENT] = {0}, mark[RLOG_MARK_STRIDE + RLOG_BLOCK] = {0};
    uint8_t *at = segment + RLOG_BLOCK;
    char path[64] = "/d/log/";

    batch.before.chain = rlog_segment_head_write(segment, &key, &head);
    (void)rlog_record_write(at + RLOG_BATCH_HEAD, &key, rlog_batch_head_write(at, &key, &batch),
                            &record);
    if (version != 1) {
        (void)rlog_seal(at, kind, &key, bytes_of(zeros, sizeof zeros - RLOG_SEALED_EXTRA));
    }
    rlog_segment_name(path + strlen(path), head.number, 1);
    rlog_mark_write(mark, &key, &head.before);
    assert_int_equal(sim_disk_write(world.host, path, bytes_of(segment, SEGMENT)), ENV_OK);
    assert_int_equal(sim_disk_write(world.host, "/d/log/mark", bytes_of(mark, sizeof mark)),
                     ENV_OK);
}

/* What a later program appended is neither a torn end, which would be overwritten with zeros, nor
 * damage, for which the whole log would go: the node does not start, and nothing is touched. */
static void test_a_later_batch_or_record_is_refused(void **state)
{
    static const struct {
        uint32_t version, type;
        int rc;
    } cases[] = {{1, RLOG_COMMAND, ENV_OK},
                 {1, 9, ENV_LIMIT},
                 {1, 18, ENV_LIMIT},
                 {2, RLOG_COMMAND, ENV_LIMIT}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_create(&world, 80);
        shadow_init(&shadow, &world, SEGMENT);
        forge_batch(cases[i].version, cases[i].type);
        for (int again = 0; again < 2; again++) { /* the first try changed nothing */
            assert_int_equal(shadow_try_open(&shadow), cases[i].rc);
            if (cases[i].rc == ENV_LIMIT) {
                assert_non_null(strstr(world.error, "upgrade this node"));
            }
            shadow_close(&shadow);
        }
        world_destroy(&world);
    }
}

/* A sealed segment that begins behind `before`, with one batch of one RESTART to `restart` if that
 * is not 0, as somebody can write it who knows the store's key. */
static void forge(uint64_t before, uint64_t restart)
{
    struct siphash_key key = rlog_store_key((struct id128){"store-of-the-one"});
    struct rlog_segment_head head = {.number = 1, .before = {.index = before, .term = 1}};
    struct rlog_record record = {.type = RLOG_RECORD_RESTART, .index = restart, .term = 1};
    struct rlog_batch_head batch = {.body_bytes = RLOG_RECORD_EXTRA, .record_count = 1};
    char path[64] = "/d/log/";
    uint8_t segment[SEGMENT] = {0}, mark[RLOG_MARK_STRIDE + RLOG_BLOCK] = {0};

    batch.before = head.before;
    batch.before.chain = rlog_segment_head_write(segment, &key, &head);
    if (restart != 0) {
        uint8_t *at = segment + RLOG_BLOCK;

        (void)rlog_record_write(at + RLOG_BATCH_HEAD, &key, rlog_batch_head_write(at, &key, &batch),
                                &record);
    }
    rlog_segment_name(path + strlen(path), head.number, before + 1);
    rlog_mark_write(mark, &key, &head.before);
    assert_int_equal(sim_disk_write(world.host, path, bytes_of(segment, SEGMENT)), ENV_OK);
    assert_int_equal(sim_disk_write(world.host, "/d/log/mark", bytes_of(mark, sizeof mark)),
                     ENV_OK);
}

/* An index that no log reaches would wrap to 0 at the next entry. Seen by fuzz_log. */
static void test_an_index_without_a_next_one_is_refused(void **state)
{
    static const struct {
        uint64_t before, restart, first; /* first: of the log that is recovered; 0: refused */
    } cases[] = {
        {0, 7, 8},
        {0, RLOG_INDEX_MAX, RLOG_INDEX_MAX + 1},
        {0, RLOG_INDEX_MAX + 1, 0},
        {0, UINT64_MAX - 1, 0},
        {0, UINT64_MAX, 0},
        {RLOG_INDEX_MAX, 0, RLOG_INDEX_MAX + 1},
        {RLOG_INDEX_MAX + 1, 0, 0},
        {UINT64_MAX, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int rc;

        world_create(&world, 79);
        shadow_init(&shadow, &world, SEGMENT);
        forge(cases[i].before, cases[i].restart);
        shadow.snapshot_index = u64_max(cases[i].before, cases[i].restart);
        shadow.snapshot_term = 1;
        rc = shadow_try_open(&shadow);
        assert_int_equal(rc, cases[i].first != 0 ? ENV_OK : ENV_INVALID);
        if (rc == ENV_OK) {
            assert_int_equal(rlog_log_start(shadow.log), cases[i].first);
            assert_int_equal(rlog_log_last(shadow.log), cases[i].first - 1);
        } else {
            assert_non_null(strstr(world.error, "log is damaged"));
            assert_null(strchr(world.error, '\n'));
        }
        shadow_close(&shadow);
        world_destroy(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_byte_when_the_mark_is_old),
        cmocka_unit_test(test_a_new_segment_proves_the_one_before),
        cmocka_unit_test(test_a_removal_that_was_interrupted),
        cmocka_unit_test(test_every_sector),
        cmocka_unit_test(test_every_file_missing_or_cut),
        cmocka_unit_test(test_two_files_exchanged),
        cmocka_unit_test(test_the_line_names_the_index),
        cmocka_unit_test(test_another_store_is_refused),
        cmocka_unit_test(test_leftovers_of_a_torn_batch_are_gone),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_a_later_version_is_refused),
        cmocka_unit_test(test_a_later_mark_is_refused),
        cmocka_unit_test(test_a_later_batch_or_record_is_refused),
        cmocka_unit_test(test_an_index_without_a_next_one_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Law: a backup gives back what was put into it, or says in one line why it does not: another key,
 * a byte that was changed anywhere, an end that is missing, a frame in another place. */
#include "client-lib/cli/backup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILE_BYTES_MAX = 1 << 16, PIECES = 3, HEAD = 44, OVERHEAD = 20 };

struct stage {
    char folder[64];
    char path[128];
    struct backup backup;
    uint8_t key[BACKUP_KEY];
    uint8_t file[FILE_BYTES_MAX]; /* as it was written */
    size_t size;
    struct cli_error error;
};

static const size_t piece_sizes[PIECES] = {700, 900, 900};

/* The last two are equal. */
static struct bytes piece_of(size_t which)
{
    static uint8_t buffer[1000];
    which = which < PIECES - 1 ? which : PIECES - 2;
    for (size_t i = 0; i < piece_sizes[which]; i++) {
        buffer[i] = (uint8_t)(which + i * 7);
    }
    return bytes_of(buffer, piece_sizes[which]);
}

static struct backup_facts facts_of(void)
{
    struct backup_facts facts = {.position = 12345, .time = 67890, .sessions = 3, .tasks = 4};
    snprintf(facts.cluster, sizeof(facts.cluster), "north");
    memset(facts.digest, 1, sizeof(facts.digest));
    memset(facts.hash_key, 2, sizeof(facts.hash_key));
    memset(facts.incarnation.bytes, 3, sizeof(facts.incarnation.bytes));
    op_limits_init(&facts.limits);
    facts.limits.sessions_max = 1000;
    return facts;
}

static void put(const struct stage *stage, const uint8_t *content, size_t size)
{
    FILE *file = fopen(stage->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Changes one byte where it stands. */
static void put_byte(const struct stage *stage, size_t at, uint8_t byte)
{
    FILE *file = fopen(stage->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_equal(fputc(byte, file), byte);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    const struct backup_facts facts = facts_of();
    const uint8_t salt[16] = {9};
    assert_non_null(stage);
    snprintf(stage->folder, sizeof(stage->folder), "/tmp/tenure-backup-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    snprintf(stage->path, sizeof(stage->path), "%s/backup", stage->folder);
    memset(stage->key, 5, sizeof(stage->key));
    assert_true(
        backup_create(&stage->backup, stage->path, stage->key, salt, &facts, &stage->error));
    for (size_t i = 0; i < PIECES; i++) {
        assert_true(backup_write(&stage->backup, piece_of(i), &stage->error));
    }
    assert_true(backup_finish(&stage->backup, &stage->error));
    FILE *file = fopen(stage->path, "rb");
    assert_non_null(file);
    stage->size = fread(stage->file, 1, FILE_BYTES_MAX, file);
    assert_int_equal(fclose(file), 0);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    (void)unlink(stage->path);
    assert_int_equal(rmdir(stage->folder), 0);
    free(stage);
    return 0;
}

/* Everything that is in the file, with `key`. */
static bool is_good(struct stage *stage, const uint8_t *key)
{
    struct backup_facts facts;
    struct bytes piece = {NULL, 1};
    bool good = backup_open(&stage->backup, stage->path, key, &facts, &stage->error);
    while (good && piece.size > 0) {
        good = backup_read(&stage->backup, &piece, &stage->error);
    }
    backup_close(&stage->backup);
    return good;
}

static void expect_error(const struct stage *stage, const char *text)
{
    if (strstr(stage->error.text, text) == NULL || strchr(stage->error.text, '\n') != NULL) {
        fail_msg("\"%s\" does not say: %s", stage->error.text, text);
    }
}

static void what_was_put_in_comes_out(void **state)
{
    struct stage *stage = *state;
    const struct backup_facts wanted = facts_of();
    struct backup_facts facts;
    struct bytes piece;
    assert_true(backup_open(&stage->backup, stage->path, stage->key, &facts, &stage->error));
    assert_memory_equal(&facts, &wanted, sizeof(facts));
    for (size_t i = 0; i < PIECES; i++) {
        assert_true(backup_read(&stage->backup, &piece, &stage->error));
        assert_true(bytes_equal(piece, piece_of(i)));
    }
    assert_true(backup_read(&stage->backup, &piece, &stage->error));
    assert_int_equal(piece.size, 0);
    backup_close(&stage->backup);
}

static void another_key_opens_nothing(void **state)
{
    struct stage *stage = *state;
    uint8_t other[BACKUP_KEY];
    for (size_t i = 0; i < BACKUP_KEY; i++) {
        memcpy(other, stage->key, sizeof(other));
        other[i] ^= 1;
        assert_false(is_good(stage, other));
        expect_error(stage, "another key");
    }
}

static void a_changed_byte_is_found_anywhere(void **state)
{
    struct stage *stage = *state;
    for (size_t i = 0; i < stage->size; i++) {
        put_byte(stage, i, stage->file[i] ^ 0x40);
        if (is_good(stage, stage->key)) {
            fail_msg("byte %zu", i);
        }
        put_byte(stage, i, stage->file[i]);
    }
    assert_true(is_good(stage, stage->key));
}

static void a_missing_end_is_found(void **state)
{
    struct stage *stage = *state;
    for (size_t size = stage->size - 1; size >= 8; size--) {
        assert_int_equal(truncate(stage->path, (off_t)size), 0);
        if (is_good(stage, stage->key)) {
            fail_msg("%zu of %zu bytes", size, stage->size);
        }
        expect_error(stage, "is cut off");
    }
    stage->file[stage->size] = 0;
    put(stage, stage->file, stage->size + 1);
    assert_false(is_good(stage, stage->key));
}

/* The last two pieces are equal and do not look it: who exchanges them, or leaves one out, is
 * found. */
static void frames_have_their_place(void **state)
{
    enum { FRAME = 900 + OVERHEAD, END = 12 + OVERHEAD };
    struct stage *stage = *state;
    uint8_t *second = stage->file + stage->size - END - 2 * FRAME;
    uint8_t exchanged[FRAME];
    assert_memory_not_equal(second, second + FRAME, FRAME);
    memcpy(exchanged, second, FRAME);
    memcpy(second, second + FRAME, FRAME);
    memcpy(second + FRAME, exchanged, FRAME);
    put(stage, stage->file, stage->size);
    assert_false(is_good(stage, stage->key));
    expect_error(stage, "damaged");
    memmove(second, second + FRAME, FRAME + END);
    put(stage, stage->file, stage->size - FRAME);
    assert_false(is_good(stage, stage->key));
    expect_error(stage, "damaged");
}

static void nothing_that_exists_is_written_over(void **state)
{
    struct stage *stage = *state;
    const struct backup_facts facts = facts_of();
    const uint8_t salt[16] = {9};
    assert_false(
        backup_create(&stage->backup, stage->path, stage->key, salt, &facts, &stage->error));
    expect_error(stage, "exists already");
    assert_true(is_good(stage, stage->key));
}

/* A save that is given up, or ends in the middle, leaves nothing under the name. */
static void what_is_not_whole_has_not_its_name(void **state)
{
    struct stage *stage = *state;
    const struct backup_facts facts = facts_of();
    const uint8_t salt[16] = {9};
    assert_int_equal(unlink(stage->path), 0);
    for (int last = 0; last < 2; last++) {
        assert_true(
            backup_create(&stage->backup, stage->path, stage->key, salt, &facts, &stage->error));
        assert_true(backup_write(&stage->backup, piece_of(0), &stage->error));
        assert_false(cli_file_exists(stage->path));
        if (last == 0) {
            backup_drop(&stage->backup); /* and tear_down finds nothing beside it */
        }
    }
    assert_false(cli_file_exists(stage->path));
    assert_true(backup_finish(&stage->backup, &stage->error));
    assert_true(is_good(stage, stage->key));
}

/* T may not go back: a machine whose clock is behind restores nothing. */
static void a_clock_that_is_behind_restores_nothing(void **state)
{
    char *words[] = {"tenurectl",
                     "snapshot",
                     "restore",
                     "--in",
                     "backup",
                     "--backup-key",
                     "key",
                     "--image",
                     "image",
                     "--out",
                     "out",
                     "--member",
                     "1=127.0.0.1:1,127.0.0.1:2",
                     "--member",
                     "2=127.0.0.1:3,127.0.0.1:4",
                     "--member",
                     "3=127.0.0.1:5,127.0.0.1:6"};
    struct stage *stage = *state;
    struct cli_memory memory = {NULL};
    struct cli_table table;
    struct cli_run run;
    enum cli_exit code;
    struct backup_facts facts = facts_of();
    struct cli_restored restored = {.cluster = facts.cluster, .limits = &facts.limits, .time = 1};
    cli_table_init(&table);
    assert_true(
        cli_parse(&table, sizeof(words) / sizeof(words[0]), words, &memory, &run, &stage->error));
    assert_true(cli_birth_check(&run, &restored, &stage->error, &code));
    restored.time = UINT64_MAX / 4;
    assert_false(cli_birth_check(&run, &restored, &stage->error, &code));
    expect_error(stage, "clock lies before");
    assert_int_equal(code, CLI_LOCAL);
    cli_memory_done(&memory);
    cli_table_done(&table);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_put_in_comes_out),
        CASE(another_key_opens_nothing),
        CASE(a_changed_byte_is_found_anywhere),
        CASE(a_missing_end_is_found),
        CASE(frames_have_their_place),
        CASE(nothing_that_exists_is_written_over),
        CASE(what_is_not_whole_has_not_its_name),
        CASE(a_clock_that_is_behind_restores_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

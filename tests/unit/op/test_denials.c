/* Rows of DENIALS: what is written is read, what does not fit is counted, nothing else is taken. */
#include "op/command.h"
#include "op/denials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { BUFFER = 64 * 1024 };

static struct op_denial row_of(const char *user, uint32_t count)
{
    return (struct op_denial){.tenant = bytes_of_text("acme"),
                              .name = bytes_of_text("service/app"),
                              .user = bytes_of_text(user),
                              .object = {{7, 7}},
                              .count = count};
}

static void test_rows_come_back(void **state)
{
    const struct op_denial rows[] = {row_of("alice", 1), row_of("", UINT32_MAX), row_of("bob", 6)};
    uint8_t buffer[BUFFER];
    struct base_writer writer;
    struct op_denials denials;
    struct op_denial row;

    (void)state;
    base_writer_init(&writer, buffer, sizeof buffer);
    op_denials_write(&writer, rows, 3, 9);
    assert_true(op_denials_read(base_written(&writer), &denials));
    assert_int_equal(denials.overflow, 9);
    for (size_t i = 0; i < 3; i++) {
        assert_true(op_denials_next(&denials, &row));
        assert_true(bytes_equal(row.tenant, rows[i].tenant));
        assert_true(bytes_equal(row.name, rows[i].name));
        assert_true(bytes_equal(row.user, rows[i].user));
        assert_true(id128_equal(row.object, rows[i].object));
        assert_int_equal(row.count, rows[i].count);
    }
    assert_false(op_denials_next(&denials, &row));
}

static void test_what_does_not_fit_is_counted(void **state)
{
    static char text[OP_NAME_MAX];
    static struct op_denial rows[OP_DENIALS_MAX];
    static uint8_t buffer[BUFFER];
    struct base_writer writer;
    struct op_denials denials;

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < OP_DENIALS_MAX; i++) {
        struct bytes longest = bytes_of(text, sizeof text);

        rows[i] = (struct op_denial){longest, longest, longest, ID128_ZERO, 2};
    }
    base_writer_init(&writer, buffer, sizeof buffer);
    op_denials_write(&writer, rows, OP_DENIALS_MAX, 5);
    assert_true(base_written(&writer).size <= OP_DENIALS_BYTES_MAX);
    assert_true(op_denials_read(base_written(&writer), &denials));
    assert_in_range(denials.count, 100, OP_DENIALS_MAX - 1);
    assert_int_equal(denials.overflow, 5 + 2 * (OP_DENIALS_MAX - denials.count));
    base_writer_init(&writer, buffer, sizeof buffer);
    rows[1].count = UINT32_MAX;
    op_denials_write(&writer, rows, OP_DENIALS_MAX, UINT32_MAX - 1);
    assert_true(op_denials_read(base_written(&writer), &denials));
    assert_int_equal(denials.overflow, UINT32_MAX);
}

static void test_nothing_else_is_taken(void **state)
{
    struct op_denial row = row_of("alice", 1);
    uint8_t buffer[BUFFER];
    struct base_writer writer;
    struct op_denials denials;
    size_t size;

    (void)state;
    base_writer_init(&writer, buffer, sizeof buffer);
    op_denials_write(&writer, &row, 1, 0);
    size = base_written(&writer).size;
    for (size_t cut = 0; cut < size; cut++) {
        assert_false(op_denials_read(bytes_of(buffer, cut), &denials));
    }
    assert_false(op_denials_read(bytes_of(buffer, size + 1), &denials));
    assert_true(op_denials_read(bytes_of(buffer, size), &denials));
    memset(buffer + size - 4, 0, 4); /* a row that nobody was denied */
    assert_false(op_denials_read(bytes_of(buffer, size), &denials));
    memset(buffer + 4, 0xff, 2); /* more rows than there may be */
    assert_false(op_denials_read(bytes_of(buffer, size), &denials));
}

static void test_in_an_entry(void **state)
{
    struct op_denial row = row_of("alice", 6);
    uint8_t body[1024], buffer[BUFFER];
    struct base_writer fields, writer;
    struct base_reader reader;
    struct op_command command = {.number = OP_COMMAND_DENIALS}, read;
    struct op_entry_head head;
    struct op_denials denials;

    (void)state;
    base_writer_init(&fields, body, sizeof body);
    op_denials_write(&fields, &row, 1, 0);
    command.body = base_written(&fields);
    base_writer_init(&writer, buffer, sizeof buffer);
    op_entry_begin(&writer);
    op_entry_add(&writer, &command);
    op_entry_finish(&writer, 1, 1);
    assert_int_equal(base_written(&writer).size, 14 + op_command_size(&command));
    base_reader_init(&reader, base_written(&writer));
    assert_true(op_entry_read(&reader, &head));
    assert_true(op_command_read(&reader, &read));
    assert_true(base_reader_finished(&reader));
    assert_int_equal(read.number, OP_COMMAND_DENIALS);
    assert_true(op_denials_read(read.body, &denials));
    assert_int_equal(denials.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_come_back),
        cmocka_unit_test(test_what_does_not_fit_is_counted),
        cmocka_unit_test(test_nothing_else_is_taken),
        cmocka_unit_test(test_in_an_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Law: a cursor stays in its buffer and remembers that it failed; integers are little-endian. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void reads_what_was_written(void **state)
{
    uint8_t buffer[64];
    struct base_writer writer;
    struct base_reader reader;
    struct id128 id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

    (void)state;
    base_writer_init(&writer, buffer, sizeof buffer);
    base_write_u8(&writer, 0xab);
    base_write_u16(&writer, 0x1234);
    base_write_u32(&writer, 0x89abcdef);
    base_write_u64(&writer, 0x0123456789abcdefULL);
    base_write_id(&writer, id);
    base_write_short(&writer, bytes_of_text("xy"));
    base_write_long(&writer, bytes_of_text("z"));
    base_write_bytes(&writer, bytes_of_text("!"));
    assert_false(writer.failed);
    assert_int_equal(base_written(&writer).size, 1 + 2 + 4 + 8 + 16 + 4 + 5 + 1);
    assert_int_equal(buffer[1], 0x34); /* little-endian */
    assert_int_equal(buffer[3], 0xef);
    assert_int_equal(buffer[7], 0xef);

    base_reader_init(&reader, base_written(&writer));
    assert_int_equal(base_read_u8(&reader), 0xab);
    assert_int_equal(base_read_u16(&reader), 0x1234);
    assert_int_equal(base_read_u32(&reader), 0x89abcdef);
    assert_true(base_read_u64(&reader) == 0x0123456789abcdefULL);
    assert_true(id128_equal(base_read_id(&reader), id));
    assert_true(bytes_equal(base_read_short(&reader, 2), bytes_of_text("xy")));
    assert_true(bytes_equal(base_read_long(&reader, 1), bytes_of_text("z")));
    assert_false(base_reader_finished(&reader));
    assert_int_equal(base_reader_left(&reader), 1);
    assert_true(bytes_equal(base_read_bytes(&reader, 1), bytes_of_text("!")));
    assert_true(base_reader_finished(&reader));
}

/* Buffers of the exact size on the heap: the address sanitizer sees a byte too far. */
static void a_short_source_fails_every_read(void **state)
{
    (void)state;
    for (size_t size = 0; size < 16; size++) {
        uint8_t *source = malloc(size + (size == 0));
        struct base_reader reader;

        assert_non_null(source);
        memset(source, 0xff, size);
        base_reader_init(&reader, bytes_of(source, size));
        assert_true(id128_is_zero(base_read_id(&reader)));
        assert_true(reader.failed);
        base_reader_init(&reader, bytes_of(source, size));
        (void)base_read_u64(&reader);
        assert_true(reader.failed == (size < 8));
        base_reader_init(&reader, bytes_of(source, size));
        (void)base_read_u32(&reader);
        assert_true(reader.failed == (size < 4));
        base_reader_init(&reader, bytes_of(source, size));
        (void)base_read_u16(&reader);
        assert_true(reader.failed == (size < 2));
        base_reader_init(&reader, bytes_of(source, size));
        assert_int_equal(base_read_bytes(&reader, size + 1).size, 0);
        assert_true(reader.failed);
        free(source);
    }
}

static void a_failed_reader_yields_zeros(void **state)
{
    static const uint8_t source[12] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
    struct base_reader reader;

    (void)state;
    base_reader_init(&reader, bytes_of(source, sizeof source));
    assert_int_equal(base_read_bytes(&reader, 13).size, 0);
    assert_true(reader.failed);
    assert_int_equal(base_read_u8(&reader), 0);
    assert_int_equal(base_read_u16(&reader), 0);
    assert_int_equal(base_read_u32(&reader), 0);
    assert_true(base_read_u64(&reader) == 0);
    assert_null(base_read_bytes(&reader, 1).data);
    assert_null(base_read_short(&reader, 10).data);
    assert_false(base_reader_finished(&reader));
}

static void a_length_beyond_its_bound_fails(void **state)
{
    static const uint8_t source[] = {3, 0, 'a', 'b', 'c', 2, 0, 0, 0, 'd', 'e'};
    struct base_reader reader;

    (void)state;
    base_reader_init(&reader, bytes_of(source, sizeof source));
    assert_int_equal(base_read_short(&reader, 2).size, 0);
    assert_true(reader.failed);
    base_reader_init(&reader, bytes_of(source, sizeof source));
    assert_int_equal(base_read_short(&reader, 3).size, 3);
    assert_int_equal(base_read_long(&reader, 1).size, 0);
    assert_true(reader.failed);
}

static void an_empty_source_is_finished(void **state)
{
    struct base_reader reader;

    (void)state;
    base_reader_init(&reader, BYTES_NONE);
    assert_true(base_reader_finished(&reader));
    assert_int_equal(base_read_bytes(&reader, 0).size, 0);
    assert_true(base_reader_finished(&reader));
    (void)base_read_u8(&reader);
    assert_true(reader.failed);
}

/* Writes the same pieces into a buffer of `size`: fails exactly when they do not fit. */
static void a_full_buffer_fails_and_stays_within(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 16; size++) {
        uint8_t *buffer = malloc(size + (size == 0));
        struct base_writer writer;

        assert_non_null(buffer);
        base_writer_init(&writer, buffer, size);
        base_write_u16(&writer, 1);
        base_write_u64(&writer, 2);
        base_write_short(&writer, bytes_of_text("abc"));
        assert_true(writer.failed == (size < 15));
        assert_int_equal(base_written(&writer).size, size < 15 ? 0 : 15);
        base_write_u8(&writer, 1);
        assert_true(writer.failed == (size < 16));
        free(buffer);
    }
}

static void a_length_that_its_prefix_cannot_hold_fails(void **state)
{
    static uint8_t buffer[70000];
    struct base_writer writer;

    (void)state;
    base_writer_init(&writer, buffer, sizeof buffer);
    base_write_short(&writer, bytes_of(buffer, 65536));
    assert_true(writer.failed);
}

static void orders_bytes_and_ids(void **state)
{
    struct id128 low = {{1}};
    struct id128 high = {{2}};

    (void)state;
    assert_true(bytes_compare(bytes_of_text("a"), bytes_of_text("b")) < 0);
    assert_true(bytes_compare(bytes_of_text("ab"), bytes_of_text("a")) > 0);
    assert_true(bytes_compare(bytes_of_text("\x7f"), bytes_of_text("\x80")) < 0);
    assert_int_equal(bytes_compare(bytes_of_text(""), BYTES_NONE), 0);
    assert_true(bytes_equal(bytes_of_text(""), BYTES_NONE));
    assert_false(bytes_equal(bytes_of_text("a"), bytes_of_text("ab")));
    assert_true(id128_compare(low, high) < 0 && id128_compare(high, low) > 0);
    assert_true(id128_is_zero(ID128_ZERO) && !id128_is_zero(low));
}

static void compares_secrets(void **state)
{
    uint8_t a[32];
    uint8_t b[32];

    (void)state;
    memset(a, 7, sizeof a);
    memset(b, 7, sizeof b);
    assert_true(base_equal_constant_time(a, b, sizeof a));
    for (size_t i = 0; i < sizeof b; i++) {
        b[i] ^= 0x80;
        assert_false(base_equal_constant_time(a, b, sizeof a));
        b[i] ^= 0x80;
    }
    assert_true(base_equal_constant_time(a, b, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(a_short_source_fails_every_read),
        cmocka_unit_test(a_failed_reader_yields_zeros),
        cmocka_unit_test(a_length_beyond_its_bound_fails),
        cmocka_unit_test(an_empty_source_is_finished),
        cmocka_unit_test(a_full_buffer_fails_and_stays_within),
        cmocka_unit_test(a_length_that_its_prefix_cannot_hold_fails),
        cmocka_unit_test(orders_bytes_and_ids),
        cmocka_unit_test(compares_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

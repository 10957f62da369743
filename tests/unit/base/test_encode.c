/* Law: base64url (RFC 4648) and hexadecimal have one text for one value, and refuse all others. */
#include "base/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct bytes encoded(uint8_t *buffer, size_t size, struct bytes source)
{
    struct base_writer writer;

    base_writer_init(&writer, buffer, size);
    base64url_write(&writer, source);
    assert_false(writer.failed);
    return base_written(&writer);
}

static void base64url_has_the_vectors_of_rfc_4648(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t text[16];
        uint8_t raw[16];
        size_t size = 99;
        struct bytes source = bytes_of_text(vectors[i][0]);
        struct bytes expected = bytes_of_text(vectors[i][1]);

        assert_int_equal(base64url_size(source.size), expected.size);
        assert_true(bytes_equal(encoded(text, sizeof text, source), expected));
        assert_true(base64url_read(expected, raw, source.size, &size));
        assert_true(bytes_equal(bytes_of(raw, size), source));
    }
}

static void base64url_round_trips_every_length(void **state)
{
    uint8_t source[60];

    (void)state;
    for (size_t i = 0; i < sizeof source; i++) {
        source[i] = (uint8_t)(i * 73 + 5);
    }
    for (size_t size = 0; size <= sizeof source; size++) {
        uint8_t text[80];
        uint8_t raw[sizeof source];
        size_t raw_size = 0;
        struct bytes all = encoded(text, base64url_size(size), bytes_of(source, size));

        assert_int_equal(all.size, base64url_size(size));
        assert_true(base64url_read(all, raw, size, &raw_size));
        assert_true(bytes_equal(bytes_of(raw, raw_size), bytes_of(source, size)));
        if (size > 0) {
            assert_false(base64url_read(all, raw, size - 1, &raw_size));
        }
    }
}

static void base64url_refuses_every_other_text(void **state)
{
    static const char *const wrong[] = {
        "A",    "AAAAA", "Zg==",   "Zg=",   "Zh",   "Zm9",
        "Zm+v", "Zm/v",  "Zm9v\n", " Zm9v", "Zm.v", "Z\x80m9",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t raw[16];
        size_t size = 99;

        assert_false(base64url_read(bytes_of_text(wrong[i]), raw, sizeof raw, &size));
        assert_int_equal(size, 99);
    }
}

/* One byte: of all 256 values of the second character, just those with no trailing bits pass. */
static void base64url_has_one_text_for_one_value(void **state)
{
    unsigned accepted = 0;

    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            uint8_t text[2] = {(uint8_t)first, (uint8_t)second};
            uint8_t raw[1];
            uint8_t again[2];
            size_t size;

            if (base64url_read(bytes_of(text, 2), raw, 1, &size)) {
                accepted++;
                assert_true(bytes_equal(encoded(again, 2, bytes_of(raw, 1)), bytes_of(text, 2)));
            }
        }
    }
    assert_int_equal(accepted, 256);
}

static void hexadecimal_round_trips(void **state)
{
    static const uint8_t source[] = {0x00, 0x1f, 0xa0, 0xff};
    char text[9];
    uint8_t raw[4];

    (void)state;
    hex_write(text, bytes_of(source, sizeof source));
    assert_string_equal(text, "001fa0ff");
    assert_true(hex_read(bytes_of_text(text), raw, sizeof raw));
    assert_memory_equal(raw, source, sizeof source);
    assert_true(hex_read(bytes_of_text("001FA0fF"), raw, sizeof raw));
    assert_memory_equal(raw, source, sizeof source);
    assert_false(hex_read(bytes_of_text("001fa0f"), raw, sizeof raw));
    assert_false(hex_read(bytes_of_text("001fa0ff0"), raw, sizeof raw));
    assert_false(hex_read(bytes_of_text("001fa0ff00"), raw, sizeof raw));
    assert_false(hex_read(bytes_of_text("001fa0fg"), raw, sizeof raw));
    assert_false(hex_read(bytes_of_text("0x1fa0ff"), raw, sizeof raw));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_has_the_vectors_of_rfc_4648),
        cmocka_unit_test(base64url_round_trips_every_length),
        cmocka_unit_test(base64url_refuses_every_other_text),
        cmocka_unit_test(base64url_has_one_text_for_one_value),
        cmocka_unit_test(hexadecimal_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How tenurectl reads and writes values: what is printed can be given back as an argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client-lib/cli/cli.h"

static void durations_have_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {
        {"1us", 1},
        {"250ms", 250000},
        {"30s", 30000000},
        {"0s", 0},
        {"30m", 1800000000},
        {"1h30m", 5400000000},
        {"2d", 172800000000},
        {"1s500ms7us", 1500007},
        {"18446744073709551615us", UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t us = 77;
        assert_true(cli_duration_read(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
}

static void what_is_no_duration_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "30",
        "s",
        "-1s",
        "1.5s",
        "30x",
        "30 m",
        "30m ",
        "1hm",
        "18446744073709551616us",
        "18446744073709551615s",
        "18446744073709551615us1us",
        "0x10s",
        "1M",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t us = 77;
        assert_false(cli_duration_read(bad[i], &us));
        assert_int_equal(us, 77);
    }
}

static void a_printed_duration_can_be_read(void **state)
{
    (void)state;
    for (uint64_t us = 1; us < UINT64_MAX / 7; us = us * 7 + 3) {
        char text[CLI_TIME_TEXT];
        uint64_t again;
        cli_duration_write(us, text);
        assert_true(cli_duration_read(text, &again));
        assert_int_equal(again, us);
    }
}

static void times_are_utc_with_microseconds(void **state)
{
    char text[CLI_TIME_TEXT];
    (void)state;
    cli_time_write(1795330069041592, text);
    assert_string_equal(text, "2026-11-22T06:47:49.041592Z");
    cli_duration_write(TENURE_INFINITE, text);
    assert_string_equal(text, "infinite");
    cli_duration_write(0, text);
    assert_string_equal(text, "0s");
}

static void numbers_are_digits_alone(void **state)
{
    static const char *const bad[] = {"",   "-1",  "+1",  " 1",
                                      "1 ", "0x1", "1e3", "18446744073709551616"};
    uint64_t number;
    (void)state;
    assert_true(cli_number_read("18446744073709551615", &number));
    assert_true(number == UINT64_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(cli_number_read(bad[i], &number));
    }
}

static void check_blob(const void *data, size_t size, const char *form)
{
    struct cli_memory memory = {NULL};
    struct cli_error error;
    struct tenure_bytes again;
    char *text = cli_blob_write(&memory, (struct tenure_bytes){data, size});
    assert_string_equal(text, form);
    assert_true(cli_blob_read(&memory, text, &again, &error));
    assert_int_equal(again.size, size);
    assert_memory_equal(again.data, data, size);
    cli_memory_done(&memory);
}

static void printed_bytes_can_be_given_back(void **state)
{
    (void)state;
    check_blob("hello", 5, "hello");
    check_blob("", 0, "");
    check_blob("\0\xff", 2, "hex:00ff");
    check_blob("a\nb", 3, "hex:610a62");
    check_blob("@file", 5, "text:@file");
    check_blob("hex:00", 6, "text:hex:00");
    check_blob("text:x", 6, "text:text:x");
    check_blob("gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
}

static void wrong_bytes_are_refused(void **state)
{
    static const char *const bad[] = {"hex:0", "hex:zz", "hex:00 11", "@", "@/no/such/file"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cli_memory memory = {NULL};
        struct cli_error error = {""};
        struct tenure_bytes bytes;
        assert_false(cli_blob_read(&memory, bad[i], &bytes, &error));
        assert_true(error.text[0] != '\0');
        assert_null(strchr(error.text, '\n'));
        cli_memory_done(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(a_printed_duration_can_be_read),
        cmocka_unit_test(times_are_utc_with_microseconds),
        cmocka_unit_test(numbers_are_digits_alone),
        cmocka_unit_test(printed_bytes_can_be_given_back),
        cmocka_unit_test(wrong_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

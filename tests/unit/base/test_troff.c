/* Law: a manual page shows a text as it stands, and a buffer is never overrun. */
#include "base/troff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void text_is_escaped(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"plain words", "plain words"},
        {".SH is no request", "\\&.SH is no request"},
        {"'quoted'", "\\(aqquoted\\(aq"},
        {"--user a.b", "\\-\\-user a.b"},
        {"\\fB", "\\efB"},
        {"a^b~c`", "a\\(hab\\(tic\\(ga"},
    };
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        base_troff(text, sizeof text, pairs[i][0]);
        assert_string_equal(text, pairs[i][1]);
    }
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
    static const char whole[] = "\\&.\\-\\(aqx";
    char text[sizeof whole + 1];
    (void)state;
    for (size_t size = 1; size <= sizeof whole; size++) {
        memset(text, '#', sizeof text);
        base_troff(text, size, ".-'x");
        assert_true(strlen(text) < size);
        assert_memory_equal(text, whole, strlen(text));
        assert_int_equal(text[size], '#');
        /* Never half of an escape. */
        size_t length = strlen(text);
        assert_true(length == 0 || length == 2 || length == 3 || length == 5 || length >= 9);
    }
    assert_string_equal(text, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

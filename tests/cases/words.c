/* Lines into words, and words into times and numbers. Knows no operation. */
#include "tests/cases/words.h"

#include <inttypes.h>
#include <string.h>

bool case_word_is(struct bytes word, const char *text)
{
    return bytes_equal(word, bytes_of_text(text));
}

struct bytes case_cut(struct bytes *text, char separator)
{
    struct bytes whole = *text;

    for (size_t i = 0; i < whole.size; i++) {
        if (whole.data[i] == (uint8_t)separator) {
            *text = bytes_of(whole.data + i + 1, whole.size - i - 1);
            return bytes_of(whole.data, i);
        }
    }
    *text = BYTES_NONE;
    return whole;
}

/* One word from `at` on: where it ends. */
static size_t word_end(const struct scenario *scenario, struct bytes line, size_t at)
{
    bool quoted = false;

    while (at < line.size && (quoted || line.data[at] != ' ')) {
        quoted ^= line.data[at] == '"';
        at++;
    }
    if (quoted) {
        case_wrong(scenario, "a quote without its end");
    }
    return at;
}

static struct word word_of(struct bytes text)
{
    struct bytes rest = text;
    struct word word = {.key = case_cut(&rest, '=')};

    word.plain = word.key.size == text.size;
    word.value = rest;
    if (rest.size >= 2 && rest.data[0] == '"' && rest.data[rest.size - 1] == '"') {
        word.value = bytes_of(rest.data + 1, rest.size - 2);
    }
    return word;
}

void case_words(const struct scenario *scenario, struct bytes line, struct words *ret_words)
{
    size_t at = 0;

    ret_words->count = 0;
    while (at < line.size) {
        size_t end;

        if (line.data[at] == ' ') {
            at++;
            continue;
        }
        if (ret_words->count == CASE_WORDS_MAX) {
            case_wrong(scenario, "too many words");
        }
        end = word_end(scenario, line, at);
        ret_words->list[ret_words->count++] = word_of(bytes_of(line.data + at, end - at));
        at = end;
    }
}

/* ---- numbers and times ---- */

struct unit {
    const char *text;
    uint64_t us;
};

static const struct unit units[] = {
    {"ms", 1000},          {"us", 1},        {"d", OP_DAY}, {"h", 3600 * OP_SECOND},
    {"m", 60 * OP_SECOND}, {"s", OP_SECOND},
};

enum { UNIT_COUNT = sizeof units / sizeof units[0] };

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_read(struct bytes text, uint64_t *ret_number)
{
    size_t at = 0;
    uint64_t number = 0;

    while (at < text.size && digit(text.data[at])) {
        uint64_t next = number * 10 + (uint64_t)(text.data[at] - '0');

        if (number > UINT64_MAX / 10 || next < number) {
            return 0;
        }
        number = next;
        at++;
    }
    *ret_number = number;
    return at;
}

bool case_number_read(struct bytes text, uint64_t *ret_number)
{
    if (case_word_is(text, "infinite")) {
        *ret_number = OP_INFINITE;
        return true;
    }
    return text.size > 0 && digits_read(text, ret_number) == text.size;
}

static const struct unit *unit_of(struct bytes text)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        size_t size = strlen(units[i].text);

        if (text.size >= size && memcmp(text.data, units[i].text, size) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

bool case_time_read(struct bytes text, uint64_t *ret_us)
{
    uint64_t us = 0;

    if (case_word_is(text, "infinite")) {
        *ret_us = OP_INFINITE;
        return true;
    }
    if (text.size == 0) {
        return false;
    }
    while (text.size > 0) {
        uint64_t number;
        size_t size = digits_read(text, &number);
        const struct unit *unit = unit_of(bytes_of(text.data + size, text.size - size));

        if (size == 0 || unit == NULL || number > UINT64_MAX / unit->us) {
            return false;
        }
        us += number * unit->us;
        size += strlen(unit->text);
        text = bytes_of(text.data + size, text.size - size);
    }
    *ret_us = us;
    return true;
}

static void part_print(struct scenario *scenario, uint64_t *us, uint64_t unit, const char *text)
{
    if (*us >= unit) {
        case_print(scenario, "%" PRIu64 "%s", *us / unit, text);
        *us %= unit;
    }
}

void case_time_print(struct scenario *scenario, uint64_t us)
{
    if (us == OP_INFINITE) {
        case_print(scenario, "infinite");
        return;
    }
    if (us == 0) {
        case_print(scenario, "0s");
        return;
    }
    if (us >= 2 * OP_DAY) {
        part_print(scenario, &us, OP_DAY, "d");
    }
    part_print(scenario, &us, 3600 * OP_SECOND, "h");
    part_print(scenario, &us, 60 * OP_SECOND, "m");
    part_print(scenario, &us, OP_SECOND, "s");
    part_print(scenario, &us, 1000, "ms");
    part_print(scenario, &us, 1, "us");
}

void case_stamp_print(struct scenario *scenario, uint64_t us)
{
    case_print(scenario, "%" PRIu64 "s", us / (uint64_t)OP_SECOND);
    us %= OP_SECOND;
    part_print(scenario, &us, 1000, "ms");
    part_print(scenario, &us, 1, "us");
}

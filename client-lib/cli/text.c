/* How values look to people: numbers, durations, times, bytes. Knows no option and no field. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/encode.h"
#include "client-lib/cli/cli.h"
#include "op/text.h"

#define SECOND_US UINT64_C(1000000)

static const struct {
    const char *name;
    uint64_t us;
} units[] = {
    {"us", 1},
    {"ms", 1000},
    {"s", SECOND_US},
    {"m", 60 * SECOND_US},
    {"h", 3600 * SECOND_US},
    {"d", 86400 * SECOND_US},
};

/* Reads the digits that `*at` begins with and moves it behind them. */
static bool digits(const char **at, uint64_t *ret_number)
{
    const char *from = *at;
    uint64_t number = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (*at == from) {
        return false;
    }
    *ret_number = number;
    return true;
}

bool cli_number_read(const char *text, uint64_t *ret_number)
{
    uint64_t number;
    if (!digits(&text, &number) || *text != '\0') {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool unit(const char **at, uint64_t *ret_us)
{
    size_t size = strspn(*at, "abcdefghijklmnopqrstuvwxyz");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == size && memcmp(units[i].name, *at, size) == 0) {
            *at += size;
            *ret_us = units[i].us;
            return true;
        }
    }
    return false;
}

bool cli_duration_read(const char *text, uint64_t *ret_us)
{
    uint64_t total = 0;
    do {
        uint64_t number;
        uint64_t us;
        if (!digits(&text, &number) || !unit(&text, &us) || number > (UINT64_MAX - total) / us) {
            return false;
        }
        total += number * us;
    } while (*text != '\0');
    *ret_us = total;
    return true;
}

void cli_duration_write(uint64_t us, char ret_text[CLI_TIME_TEXT])
{
    if (us == TENURE_INFINITE) {
        snprintf(ret_text, CLI_TIME_TEXT, "infinite");
        return;
    }
    if (us == 0) {
        snprintf(ret_text, CLI_TIME_TEXT, "0s");
        return;
    }
    size_t size = 0;
    for (size_t i = sizeof(units) / sizeof(units[0]); i-- > 0;) {
        uint64_t count = us / units[i].us;
        us %= units[i].us;
        if (count > 0) {
            int more = snprintf(ret_text + size, CLI_TIME_TEXT - size, "%" PRIu64 "%s", count,
                                units[i].name);
            size += (size_t)more;
        }
    }
}

void cli_time_write(uint64_t us, char ret_text[CLI_TIME_TEXT])
{
    time_t seconds = (time_t)(us / SECOND_US);
    struct tm utc;
    size_t size = 0;
    if (gmtime_r(&seconds, &utc) != NULL) {
        size = strftime(ret_text, CLI_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    snprintf(ret_text + size, CLI_TIME_TEXT - size, ".%06uZ", (unsigned)(us % SECOND_US));
}

static const char *after(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

static bool blob_of_hex(struct cli_memory *memory, const char *digits_text,
                        struct tenure_bytes *ret_bytes, struct cli_error *ret_error)
{
    size_t size = strlen(digits_text) / 2;
    uint8_t *content = cli_take(memory, size + 1);
    if (strlen(digits_text) % 2 != 0 || !hex_read(bytes_of_text(digits_text), content, size)) {
        return cli_fail(ret_error, "give an even number of hexadecimal digits after hex:");
    }
    *ret_bytes = (struct tenure_bytes){content, size};
    return true;
}

bool cli_blob_read(struct cli_memory *memory, const char *text, struct tenure_bytes *ret_bytes,
                   struct cli_error *ret_error)
{
    const char *hex = after(text, "hex:");
    const char *literal = after(text, "text:");
    if (text[0] == '@') {
        struct bytes content;
        if (!cli_file_read(memory, text + 1, &content, ret_error)) {
            return false;
        }
        *ret_bytes = (struct tenure_bytes){content.data, content.size};
        return true;
    }
    if (hex != NULL) {
        return blob_of_hex(memory, hex, ret_bytes, ret_error);
    }
    *ret_bytes = tenure_text(literal != NULL ? literal : text);
    return true;
}

char *cli_blob_write(struct cli_memory *memory, struct tenure_bytes blob)
{
    const char *text = blob.size == 0 ? "" : (const char *)blob.data;
    if (!op_text_valid(bytes_of(blob.data, blob.size))) {
        char *hex = cli_take(memory, 4 + 2 * blob.size + 1);
        memcpy(hex, "hex:", 4);
        hex_write(hex + 4, bytes_of(blob.data, blob.size));
        return hex;
    }
    char *copy = cli_take_text(memory, text, blob.size);
    if (copy[0] != '@' && after(copy, "hex:") == NULL && after(copy, "text:") == NULL) {
        return copy;
    }
    char *marked = cli_take(memory, 5 + blob.size + 1);
    memcpy(marked, "text:", 5);
    memcpy(marked + 5, copy, blob.size);
    return marked;
}

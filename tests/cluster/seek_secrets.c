/* Looks for the secrets of tokens, and for derived values, in files, in every form in which
 * somebody might print them. A part of twelve bytes is enough to be found.
 *
 *   seek-secrets TOKENS FILE...         TOKENS: one token a line, or the 64 hexadecimal digits of
 *                                       a derived value. Exit status 0: none is there.
 *   seek-secrets --print FORM TOKENS    the first line's secret in that form, to plant it
 *   seek-secrets --forms                the forms
 */
#include "base/encode.h"
#include "op/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 12, SLOTS = 1 << 20, FORM_MAX = 128, TOKEN_BYTES_MAX = 96 };

enum form {
    FORM_RAW,
    FORM_HEX,
    FORM_HEX_UPPER,
    FORM_TOKEN,
    FORM_URL,
    FORM_BASE64,
    FORM_ESCAPED,
    FORM_COUNT
};

static const char *const form_names[FORM_COUNT] = {"raw",       "hex",    "hex-upper", "token",
                                                   "base64url", "base64", "escaped"};

struct window {
    bool used;
    uint8_t bytes[WINDOW];
    uint32_t line; /* of the token, from 1 */
    enum form form;
};

static struct window *windows;

static void die(const char *what, const char *which)
{
    fprintf(stderr, "seek-secrets: %s %s\n", what, which);
    exit(2);
}

static size_t slot_of(const uint8_t *bytes)
{
    uint64_t key;
    memcpy(&key, bytes, sizeof(key));
    key *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(key >> 44) % SLOTS;
}

static void remember(const uint8_t *bytes, uint32_t line, enum form form)
{
    size_t slot = slot_of(bytes);
    while (windows[slot].used) {
        if (memcmp(windows[slot].bytes, bytes, WINDOW) == 0) {
            return;
        }
        slot = (slot + 1) % SLOTS;
    }
    windows[slot].used = true;
    memcpy(windows[slot].bytes, bytes, WINDOW);
    windows[slot].line = line;
    windows[slot].form = form;
}

static const struct window *known(const uint8_t *bytes)
{
    for (size_t slot = slot_of(bytes); windows[slot].used; slot = (slot + 1) % SLOTS) {
        if (memcmp(windows[slot].bytes, bytes, WINDOW) == 0) {
            return &windows[slot];
        }
    }
    return NULL;
}

/* ---- forms ---- */

static size_t put_hex(const uint8_t *secret, const char *digits, uint8_t *ret)
{
    for (size_t i = 0; i < 32; i++) {
        ret[2 * i] = (uint8_t)digits[secret[i] >> 4];
        ret[2 * i + 1] = (uint8_t)digits[secret[i] & 15];
    }
    return 64;
}

/* Whole characters of 6 bits, no padding. */
static size_t put_base64(const uint8_t *secret, const char *last, uint8_t *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint32_t bits = 0;
    unsigned have = 0;
    size_t size = 0;
    for (size_t i = 0; i < 32; i++) {
        bits = bits << 8 | secret[i];
        for (have += 8; have >= 6; have -= 6) {
            uint32_t digit = bits >> (have - 6) & 63;
            ret[size++] = (uint8_t)(digit < 62 ? digits[digit] : last[digit - 62]);
        }
    }
    return size;
}

/* As a log line in text form shows bytes. Never more than FORM_MAX. */
static size_t put_escaped(const uint8_t *secret, uint8_t *ret)
{
    char *at = (char *)ret;
    for (size_t i = 0; i < 32; i++) {
        if (secret[i] >= 0x20 && secret[i] < 0x7f) {
            *at++ = (char)secret[i];
        } else {
            static const char digits[] = "0123456789abcdef";
            *at++ = '\\';
            *at++ = 'x';
            *at++ = digits[secret[i] >> 4];
            *at++ = digits[secret[i] & 15];
        }
    }
    return (size_t)(at - (char *)ret);
}

/* The characters of the token's own text that hold nothing but secret; a derived value has none. */
static size_t put_token(const char *text, uint8_t *ret)
{
    size_t before = text[1] == 'n' ? 32 : 48; /* bytes of the token in front of its secret */
    size_t first = (before * 4 + 2) / 3;
    size_t last = (before + 32) * 4 / 3;
    if (text[0] != 't') {
        return 0;
    }
    memcpy(ret, text + 4 + first, last - first);
    return last - first;
}

static size_t put_form(enum form form, const char *text, const struct op_token *token, uint8_t *ret)
{
    switch (form) {
    case FORM_RAW:
        memcpy(ret, token->secret, 32);
        return 32;
    case FORM_HEX:
        return put_hex(token->secret, "0123456789abcdef", ret);
    case FORM_HEX_UPPER:
        return put_hex(token->secret, "0123456789ABCDEF", ret);
    case FORM_TOKEN:
        return put_token(text, ret);
    case FORM_URL:
        return put_base64(token->secret, "-_", ret);
    case FORM_BASE64:
        return put_base64(token->secret, "+/", ret);
    case FORM_ESCAPED:
        return put_escaped(token->secret, ret);
    case FORM_COUNT:
        break;
    }
    die("no such form", "");
    return 0;
}

/* ---- files ---- */

static bool read_token(const char *text, struct op_token *ret_token)
{
    return hex_read(bytes_of_text(text), ret_token->secret, sizeof(ret_token->secret)) ||
           op_token_read(bytes_of_text(text), OP_TOKEN_session, ret_token) ||
           op_token_read(bytes_of_text(text), OP_TOKEN_fence, ret_token);
}

/* The next line of the file; false at its end. */
static bool next_token(FILE *file, char text[256], struct op_token *ret_token)
{
    if (fgets(text, 256, file) == NULL) {
        return false;
    }
    text[strcspn(text, "\n")] = '\0';
    if (!read_token(text, ret_token)) {
        die("this is neither a token nor a derived value:", text);
    }
    return true;
}

static void remember_all(const char *path)
{
    char text[256];
    struct op_token token;
    uint8_t form[FORM_MAX];
    FILE *file = fopen(path, "r");
    uint32_t line = 0;
    if (file == NULL) {
        die("cannot read", path);
    }
    while (next_token(file, text, &token)) {
        line++;
        for (enum form i = FORM_RAW; i < FORM_COUNT; i++) {
            size_t size = put_form(i, text, &token, form);
            for (size_t at = 0; at + WINDOW <= size; at++) {
                remember(form + at, line, i);
            }
        }
    }
    fclose(file);
    if (line == 0 || line > 2000) {
        die("no tokens, or too many, in", path);
    }
}

/* False: something is there. */
static bool seek(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        die("cannot read", path);
    }
    size_t size = (size_t)ftell(file);
    uint8_t *bytes = malloc(size + 1);
    rewind(file);
    if (bytes == NULL || fread(bytes, 1, size, file) != size) {
        die("cannot read", path);
    }
    fclose(file);
    bool clean = true;
    for (size_t at = 0; at + WINDOW <= size && clean; at++) {
        const struct window *window = known(bytes + at);
        if (window != NULL) {
            printf("%s: byte %zu: the secret of line %" PRIu32 ", as %s\n", path, at, window->line,
                   form_names[window->form]);
            clean = false;
        }
    }
    free(bytes);
    return clean;
}

static void print_form(const char *name, const char *path)
{
    char text[256];
    struct op_token token;
    uint8_t bytes[FORM_MAX];
    FILE *file = fopen(path, "r");
    if (file == NULL || !next_token(file, text, &token)) {
        die("no token in", path);
    }
    fclose(file);
    for (enum form i = FORM_RAW; i < FORM_COUNT; i++) {
        if (strcmp(form_names[i], name) == 0) {
            size_t size = put_form(i, text, &token, bytes);
            (void)fwrite(bytes, 1, size, stdout);
            return;
        }
    }
    die("no such form:", name);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--forms") == 0) {
        for (size_t i = 0; i < FORM_COUNT; i++) {
            puts(form_names[i]);
        }
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "--print") == 0) {
        print_form(argv[2], argv[3]);
        return 0;
    }
    if (argc < 3) {
        die("usage: seek-secrets TOKENS FILE...", "");
    }
    windows = calloc(SLOTS, sizeof(*windows));
    if (windows == NULL) {
        die("out of memory", "");
    }
    remember_all(argv[1]);
    bool clean = true;
    for (int i = 2; i < argc; i++) {
        clean = seek(argv[i]) && clean;
    }
    free(windows);
    return clean ? 0 : 1;
}

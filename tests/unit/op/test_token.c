/* F-65. Law: a token has one text, its checksum covers it all, no kind passes for another. */
#include "op/token.h"

#include "base/encode.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct op_token sample(enum op_token_kind kind)
{
    struct op_token token = {.epoch = 0};

    for (uint8_t i = 0; i < 16; i++) {
        token.incarnation.bytes[i] = i;
        token.id.bytes[i] = (uint8_t)(0x10 + i);
    }
    for (uint8_t i = 0; i < 32; i++) {
        token.secret[i] = (uint8_t)(0x20 + i);
    }
    if (kind == OP_TOKEN_fence) {
        token.epoch = 17;
        token.attempt = 0x0102030405060708ULL;
    }
    return token;
}

static struct bytes write_text(uint8_t *buffer, enum op_token_kind kind,
                               const struct op_token *token)
{
    struct base_writer writer;

    base_writer_init(&writer, buffer, OP_TOKEN_TEXT_MAX);
    op_token_write(&writer, kind, token);
    assert_false(writer.failed);
    return base_written(&writer);
}

static void round_trip(enum op_token_kind kind, const char *prefix, size_t size)
{
    uint8_t buffer[OP_TOKEN_TEXT_MAX];
    struct op_token token = sample(kind);
    struct op_token again;
    struct bytes text = write_text(buffer, kind, &token);

    assert_int_equal(text.size, size);
    assert_memory_equal(text.data, prefix, 4);
    assert_true(op_token_read(text, kind, &again));
    assert_memory_equal(&again, &token, sizeof token);
}

static void both_kinds_round_trip(void **state)
{
    (void)state;
    round_trip(OP_TOKEN_session, "tn1_", 4 + base64url_size(16 + 16 + 32 + 4));
    round_trip(OP_TOKEN_fence, "tf1_", 4 + base64url_size(16 + 16 + 8 + 8 + 32 + 4));
}

/* Spelled out by hand: the bytes of the format, its checksum with the prefix in front. */
static void the_text_is_the_documented_one(void **state)
{
    uint8_t raw[4 + 84];
    uint8_t expected[OP_TOKEN_TEXT_MAX];
    uint8_t buffer[OP_TOKEN_TEXT_MAX];
    struct op_token token = sample(OP_TOKEN_fence);
    struct base_writer writer;
    size_t at = 4;

    (void)state;
    memcpy(raw, "tf1_", 4);
    for (uint8_t i = 0; i < 32; i++) {
        raw[at++] = i;
    }
    memcpy(raw + at, "\x11\0\0\0\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01", 16);
    at += 16;
    for (uint8_t i = 0; i < 32; i++) {
        raw[at++] = (uint8_t)(0x20 + i);
    }
    base_writer_init(&writer, raw + at, 4);
    base_write_u32(&writer, base_crc32c(0, bytes_of(raw, at)));
    base_writer_init(&writer, expected, sizeof expected);
    base_write_bytes(&writer, bytes_of(raw, 4));
    base64url_write(&writer, bytes_of(raw + 4, 84));
    assert_true(bytes_equal(write_text(buffer, OP_TOKEN_fence, &token), base_written(&writer)));
}

static void every_changed_character_is_refused(enum op_token_kind kind)
{
    uint8_t buffer[OP_TOKEN_TEXT_MAX];
    struct op_token token = sample(kind);
    struct bytes text = write_text(buffer, kind, &token);

    for (size_t i = 0; i < text.size; i++) {
        uint8_t right = buffer[i];

        for (unsigned wrong = 0; wrong < 256; wrong++) {
            buffer[i] = (uint8_t)wrong;
            assert_true(op_token_read(text, kind, &token) == (wrong == right));
        }
        buffer[i] = right;
    }
}

static void damage_is_refused(void **state)
{
    (void)state;
    every_changed_character_is_refused(OP_TOKEN_session);
    every_changed_character_is_refused(OP_TOKEN_fence);
}

static void other_lengths_and_kinds_are_refused(void **state)
{
    uint8_t buffer[OP_TOKEN_TEXT_MAX + 4];
    struct op_token token = sample(OP_TOKEN_session);
    struct op_token untouched = token;
    struct bytes text = write_text(buffer, OP_TOKEN_session, &token);

    (void)state;
    memset(buffer + text.size, 'A', 4);
    for (size_t size = 0; size < text.size + 4; size++) {
        if (size != text.size) {
            assert_false(op_token_read(bytes_of(buffer, size), OP_TOKEN_session, &token));
        }
    }
    assert_false(op_token_read(text, OP_TOKEN_fence, &token));
    buffer[1] = 'f';
    assert_false(op_token_read(text, OP_TOKEN_fence, &token));
    assert_memory_equal(&token, &untouched, sizeof token);
}

static void the_verifier_covers_incarnation_id_and_secret(void **state)
{
    struct op_token token = sample(OP_TOKEN_session);
    uint8_t input[64];

    (void)state;
    op_token_verifier_input(&token, input);
    for (uint8_t i = 0; i < 64; i++) {
        assert_int_equal(input[i], i);
    }
}

static void count_token(void *arg, struct op_token *token)
{
    unsigned *count = arg;

    token->verifier[0] = 1;
    ++*count;
}

static void tokens_of_lists_are_visited_too(void **state)
{
    static struct op_task_begin_request request;
    const struct op_struct *s = op_row_of_number(OP_task_begin)->request;
    unsigned count = 0;

    (void)state;
    memset(&request, 0, sizeof request);
    op_visit_tokens(s, &request, count_token, &count);
    assert_int_equal(count, 0);
    request.has_fence = true;
    request.has_targets = true;
    request.targets_count = 3;
    op_visit_tokens(s, &request, count_token, &count);
    assert_int_equal(count, 4);
    assert_int_equal(request.token.verifier[0], 0);
    assert_int_equal(request.fence.verifier[0], 1);
    assert_int_equal(request.targets[2].token.verifier[0], 1);
    assert_int_equal(request.targets[3].token.verifier[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_round_trip),
        cmocka_unit_test(the_text_is_the_documented_one),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(other_lengths_and_kinds_are_refused),
        cmocka_unit_test(the_verifier_covers_incarnation_id_and_secret),
        cmocka_unit_test(tokens_of_lists_are_visited_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

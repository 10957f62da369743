/* Law: the stored form has exactly one encoding for each value, and refuses everything else. */
#include "op/op.h"
#include "tests/unit/op/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 200, STORED_MAX = 256 * 1024 };

static uint8_t memory[FILL_MEMORY];
static uint8_t stored_bytes[STORED_MAX];
static uint8_t again_bytes[STORED_MAX];

union any {
    union op_request request;
    union op_reply reply;
    struct op_envelope envelope;
    struct op_details details;
};

static struct bytes store(uint8_t *buffer, const struct op_struct *s, const void *value,
                          enum op_store_flags flags)
{
    struct base_writer writer;

    base_writer_init(&writer, buffer, STORED_MAX);
    op_store(&writer, s, value, flags);
    assert_false(writer.failed);
    return base_written(&writer);
}

static bool load(const struct op_struct *s, struct bytes source, void *ret_value)
{
    struct base_reader reader;

    base_reader_init(&reader, source);
    return op_load(&reader, s, ret_value) && base_reader_finished(&reader);
}

static void for_each_struct(void (*check)(const struct op_struct *s))
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    for (size_t i = 0; i < count; i++) {
        check(rows[i].request);
        check(rows[i].reply);
    }
    check(&op_envelope_struct);
    check(&op_details_struct);
}

static void check_round_trip(const struct op_struct *s)
{
    struct fill fill = {.random = 1, .verifiers = true, .memory = memory};

    for (unsigned round = 0; round < ROUNDS; round++) {
        static union any value;
        static union any loaded;
        struct bytes stored;

        fill.mode = round == 0 ? FILL_LEAST : round == 1 ? FILL_FULL : FILL_RANDOM;
        fill_struct(&fill, s, &value);
        stored = store(stored_bytes, s, &value, OP_STORE_ALL);
        assert_true(load(s, stored, &loaded));
        assert_true(fill_same(s, &value, &loaded));
        assert_true(bytes_equal(store(again_bytes, s, &loaded, OP_STORE_ALL), stored));
    }
}

static void every_struct_round_trips(void **state)
{
    (void)state;
    for_each_struct(check_round_trip);
}

/* The source lies in memory of its exact size: the address sanitizer sees a byte too far. */
static bool load_exact(const struct op_struct *s, struct bytes source, void *ret_value)
{
    uint8_t *copy = malloc(source.size + (source.size == 0));
    bool good;

    assert_non_null(copy);
    memcpy(copy, source.data, source.size);
    good = load(s, bytes_of(copy, source.size), ret_value);
    free(copy);
    return good;
}

static void check_truncation(const struct op_struct *s)
{
    struct fill fill = {.random = 2, .mode = FILL_RANDOM, .verifiers = true, .memory = memory};

    for (unsigned round = 0; round < 3; round++) {
        static union any value;
        struct bytes stored;

        fill_struct(&fill, s, &value);
        stored = store(stored_bytes, s, &value, OP_STORE_ALL);
        for (size_t size = 0; size < stored.size; size++) {
            assert_false(load_exact(s, bytes_of(stored.data, size), &value));
        }
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for_each_struct(check_truncation);
}

/* What is loaded from a flipped byte, if anything, is stored as just those bytes. */
static void check_flips(const struct op_struct *s)
{
    struct fill fill = {.random = 3, .mode = FILL_RANDOM, .verifiers = true, .memory = memory};
    static union any value;
    struct bytes stored;

    fill_struct(&fill, s, &value);
    stored = store(stored_bytes, s, &value, OP_STORE_ALL);
    for (size_t i = 0; i < stored.size; i++) {
        for (unsigned flip = 1; flip < 256; flip = flip < 128 ? 2 * flip : flip + 127) {
            stored_bytes[i] ^= (uint8_t)flip;
            if (load(s, stored, &value)) {
                assert_true(bytes_equal(store(again_bytes, s, &value, OP_STORE_ALL), stored));
            }
            stored_bytes[i] ^= (uint8_t)flip;
        }
    }
}

static void one_value_has_one_encoding(void **state)
{
    (void)state;
    for_each_struct(check_flips);
}

static bool loads(const struct op_struct *s, const char *source, size_t size)
{
    static union any value;

    return load(s, bytes_of(source, size), &value);
}

#define LOADS(s, literal) loads(s, literal, sizeof(literal) - 1)

static void malformed_structs_are_refused(void **state)
{
    const struct op_struct *end = op_row_of_number(OP_grant_add)->request;
    const struct op_struct *details = &op_details_struct;
    const struct op_struct *begin = op_row_of_number(OP_task_begin)->request;

    (void)state;
    assert_true(LOADS(details, "\x00"));
    assert_true(LOADS(details, "\x01\x08\x01\x00\x00\x00x"));
    assert_true(LOADS(details, "\x01\x06\x01\x00\x00\x00"));
    assert_false(LOADS(details, "\x01\x06\x00\x00\x00\x00"));     /* no such value */
    assert_false(LOADS(details, "\x01\x06\x09\x00\x00\x00"));     /* no such value */
    assert_false(LOADS(details, "\x01\x3f\x01\x00\x00\x00"));     /* no such tag */
    assert_false(LOADS(details, "\x00\x00"));                     /* a byte too many */
    assert_false(LOADS(details, "\x01\x08\x01\x00\x00\x00\x07")); /* control character */
    assert_false(LOADS(details, "\x01\x08\x81\x00\x00\x00"));     /* too long */
    assert_false(LOADS(details, "\x02\x08\x01\x00\x00\x00x\x08\x01\x00\x00\x00x")); /* twice */
    assert_false(LOADS(details, "\x02\x09\x01\x00\x00\x00x\x08\x01\x00\x00\x00x")); /* descending */
    assert_false(LOADS(end, "\x00"));                       /* fields missing */
    assert_false(LOADS(begin, "\x01\x07\xff\xff\xff\xff")); /* a list too long */
}

/* As many well-formed items as are claimed, but one more than the list may have. */
static void a_list_of_one_too_many_is_refused(void **state)
{
    const struct op_struct *begin = op_row_of_number(OP_task_begin)->request;
    static struct op_task_begin_request request;
    struct bytes whole;

    (void)state;
    memset(&request, 0, sizeof request);
    request.scope = OP_TASK_SCOPE_USER;
    request.has_permissions = true;
    request.permissions_count = OP_MAX_permission;
    whole = store(stored_bytes, begin, &request, OP_STORE_ALL);
    assert_true(load(begin, whole, &request));
    /* The list is the last field: its count lies before 64 items of 6 bytes. */
    assert_memory_equal(stored_bytes + whole.size - OP_MAX_permission * 6 - 4, "\x40\0\0\0", 4);
    stored_bytes[whole.size - OP_MAX_permission * 6 - 4]++;
    memcpy(stored_bytes + whole.size, stored_bytes + whole.size - 6, 6);
    assert_false(load(begin, bytes_of(stored_bytes, whole.size + 6), &request));
}

static void booleans_are_zero_or_one(void **state)
{
    static const struct op_field fields[] = {{.tag = 1,
                                              .kind = OP_KIND_boolean,
                                              .name = "flag",
                                              .offset = 1,
                                              .has_offset = 0,
                                              .required = true}};
    static const struct op_struct s = {"test", 2, fields, 1};

    (void)state;
    assert_true(LOADS(&s, "\x01\x01\x00"));
    assert_true(LOADS(&s, "\x01\x01\x01"));
    assert_false(LOADS(&s, "\x01\x01\x02"));
}

static void digest_of(struct op_task_begin_request *request, uint8_t *buffer, struct bytes *ret)
{
    *ret = store(buffer, op_row_of_number(OP_task_begin)->request, request,
                 OP_STORE_WITHOUT_TOKENS);
}

/* The caller's own token does not matter to it; what the task is to write into does. */
static void a_form_without_tokens_tells_requests_apart(void **state)
{
    struct fill fill = {.random = 4, .mode = FILL_FULL, .verifiers = true, .memory = memory};
    static struct op_task_begin_request request;
    struct bytes first;
    struct bytes second;

    (void)state;
    fill_struct(&fill, op_row_of_number(OP_task_begin)->request, &request);
    digest_of(&request, stored_bytes, &first);
    request.fence.verifier[3] ^= 1;
    request.fence.attempt ^= 1;
    request.has_token = false;
    request.targets[0].token.verifier[0] ^= 1;
    digest_of(&request, again_bytes, &second);
    assert_true(bytes_equal(first, second));
    request.targets[0].token.id.bytes[0] ^= 1;
    digest_of(&request, again_bytes, &second);
    assert_false(bytes_equal(first, second));
    request.targets[0].token.id.bytes[0] ^= 1;
    request.ttl--;
    digest_of(&request, again_bytes, &second);
    assert_false(bytes_equal(first, second));
}

/* Epoch and attempt are a fence's: of a session's token they have one stored value. */
static void a_session_token_has_no_epoch(void **state)
{
    const struct op_struct *s = op_row_of_number(OP_session_end)->request;
    static struct op_session_end_request request;
    struct bytes first;

    (void)state;
    memset(&request, 0, sizeof request);
    first = store(stored_bytes, s, &request, OP_STORE_ALL);
    request.token.epoch = 5;
    request.token.attempt = 6;
    assert_true(bytes_equal(store(again_bytes, s, &request, OP_STORE_ALL), first));
}

/* A secret leaves no trace in what is stored. */
static void secrets_are_never_stored(void **state)
{
    struct fill fill = {.random = 5, .mode = FILL_FULL, .verifiers = true, .memory = memory};
    static struct op_session_end_request request;
    const struct op_struct *s = op_row_of_number(OP_session_end)->request;
    struct bytes first;

    (void)state;
    fill_struct(&fill, s, &request);
    first = store(stored_bytes, s, &request, OP_STORE_ALL);
    memset(request.token.secret, 0x5a, sizeof request.token.secret);
    assert_true(bytes_equal(store(again_bytes, s, &request, OP_STORE_ALL), first));
}

static void a_short_buffer_fails_the_writer(void **state)
{
    struct fill fill = {.random = 6, .mode = FILL_RANDOM, .verifiers = true, .memory = memory};
    static struct op_task_begin_request request;
    const struct op_struct *s = op_row_of_number(OP_task_begin)->request;
    size_t whole;

    (void)state;
    fill_struct(&fill, s, &request);
    whole = store(stored_bytes, s, &request, OP_STORE_ALL).size;
    for (size_t size = 0; size < whole; size++) {
        uint8_t *buffer = malloc(size + (size == 0));
        struct base_writer writer;

        assert_non_null(buffer);
        base_writer_init(&writer, buffer, size);
        op_store(&writer, s, &request, OP_STORE_ALL);
        assert_true(writer.failed);
        free(buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_struct_round_trips),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(one_value_has_one_encoding),
        cmocka_unit_test(malformed_structs_are_refused),
        cmocka_unit_test(a_list_of_one_too_many_is_refused),
        cmocka_unit_test(booleans_are_zero_or_one),
        cmocka_unit_test(a_form_without_tokens_tells_requests_apart),
        cmocka_unit_test(a_session_token_has_no_epoch),
        cmocka_unit_test(secrets_are_never_stored),
        cmocka_unit_test(a_short_buffer_fails_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Law: what msgpack-c writes for any row, the decoder reads back the same; nothing less passes. */
#include "op/frame.h"
#include "op/head.h"
#include "tests/unit/op/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 100, BUFFER_SIZE = 512 * 1024 };

static uint8_t memory[FILL_MEMORY];
static uint8_t buffer[BUFFER_SIZE];

union any {
    union op_request request;
    union op_reply reply;
    struct op_hello_request hello_request;
    struct op_hello_reply hello_reply;
    struct op_status_request status_request;
    struct op_status_reply status_reply;
};

static struct fill filler(uint64_t seed, enum fill_mode mode)
{
    return (struct fill){.random = seed, .mode = mode, .memory = memory};
}

static enum fill_mode mode_of(unsigned round)
{
    return round == 0 ? FILL_LEAST : round == 1 ? FILL_FULL : FILL_RANDOM;
}

/* The message without its prefix, which must say its size. */
static struct bytes body_of(const struct base_writer *writer)
{
    struct bytes frame = base_written(writer);
    size_t size = 0;

    assert_false(writer->failed);
    assert_true(op_frame_size(frame, OP_FRAME_MAX, &size));
    assert_int_equal(size, frame.size);
    return bytes_of(frame.data + OP_FRAME_PREFIX, frame.size - OP_FRAME_PREFIX);
}

/* The real unpacker takes what ours takes. For small frames only: it may ask for much memory. */
static void check_with_oracle(struct bytes body)
{
    msgpack_unpacked result;
    size_t offset = 0;

    msgpack_unpacked_init(&result);
    assert_int_equal(msgpack_unpack_next(&result, (const char *)body.data, body.size, &offset),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(offset, body.size);
    msgpack_unpacked_destroy(&result);
}

/* ---- requests ---- */

static struct bytes write_request(const struct op_envelope *envelope, const char *method,
                                  const struct op_struct *s, const void *value)
{
    struct base_writer writer;

    base_writer_init(&writer, buffer, sizeof buffer);
    op_request_write(&writer, 70000, method, envelope, s, value);
    return body_of(&writer);
}

static void check_request(const char *method, const struct op_struct *s)
{
    struct fill fill = filler(11, FILL_RANDOM);
    struct fill envelope_fill = fill;

    envelope_fill.memory = malloc(FILL_MEMORY);
    assert_non_null(envelope_fill.memory);
    for (unsigned round = 0; round < ROUNDS; round++) {
        static union any value;
        static union any read;
        struct op_envelope envelope;
        struct op_envelope envelope_read;
        struct op_message message;
        struct op_fault fault;
        struct bytes body;

        fill.mode = mode_of(round);
        envelope_fill.mode = fill.mode;
        fill_struct(&envelope_fill, &op_envelope_struct, &envelope);
        fill_struct(&fill, s, &value);
        body = write_request(&envelope, method, s, &value);
        assert_true(op_message_read(body, &message, &fault));
        assert_int_equal(message.kind, OP_MESSAGE_REQUEST);
        assert_int_equal(message.msgid, 70000);
        assert_true(bytes_equal(message.method, bytes_of_text(method)));
        assert_true(
            op_map_read(message.params, &op_envelope_struct, &envelope_read, s, &read, &fault));
        assert_true(fill_same(&op_envelope_struct, &envelope, &envelope_read));
        assert_true(fill_same(s, &value, &read));
        check_with_oracle(body);
    }
    free(envelope_fill.memory);
}

static void every_request_round_trips(void **state)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        check_request(rows[i].method, rows[i].request);
    }
    check_request(OP_METHOD_HELLO, &op_hello_request_struct);
    check_request(OP_METHOD_STATUS, &op_status_request_struct);
    check_request(OP_METHOD_TIME, &op_time_request_struct);
}

/* ---- responses ---- */

static struct op_reply_head sample_head(enum op_outcome outcome)
{
    return (struct op_reply_head){.outcome = outcome,
                                  .position = 17,
                                  .time = UINT64_MAX,
                                  .clock = 300,
                                  .term = 4,
                                  .superseded = true,
                                  .leader = bytes_of_text("127.0.0.2:7001"),
                                  .message = bytes_of_text("what happened")};
}

static void assert_same_head(const struct op_reply_head *a, const struct op_reply_head *b)
{
    assert_int_equal(a->outcome, b->outcome);
    assert_true(a->position == b->position && a->time == b->time);
    assert_true(a->clock == b->clock && a->term == b->term);
    assert_int_equal(a->superseded, b->superseded);
    assert_true(bytes_equal(a->leader, b->leader));
}

static struct bytes write_response(const struct op_reply_head *head,
                                   const struct op_details *details, const struct op_struct *s,
                                   const void *value)
{
    struct base_writer writer;

    base_writer_init(&writer, buffer, sizeof buffer);
    op_response_write(&writer, 9, head, details, s, value);
    return body_of(&writer);
}

static void check_reply(const struct op_struct *s)
{
    struct fill fill = filler(12, FILL_RANDOM);

    for (unsigned round = 0; round < ROUNDS; round++) {
        static union any value;
        static union any read;
        struct op_reply_head head = sample_head(OP_OK);
        struct op_reply_head head_read;
        struct op_details details;
        struct op_message message;
        struct op_fault fault;
        struct bytes body;

        fill.mode = mode_of(round);
        fill_struct(&fill, s, &value);
        body = write_response(&head, NULL, s, &value);
        assert_true(op_message_read(body, &message, &fault));
        assert_int_equal(message.kind, OP_MESSAGE_RESPONSE);
        assert_int_equal(message.msgid, 9);
        assert_true(op_response_read(&message, &head_read, &details, s, &read, &fault));
        assert_same_head(&head, &head_read);
        assert_true(fill_same(s, &value, &read));
        check_with_oracle(body);
    }
}

static void every_reply_round_trips(void **state)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        check_reply(rows[i].reply);
    }
}

/* Hello and status repeat keys of the head: one key is written, and both are read from it. */
static void status_says_position_and_term_once(void **state)
{
    struct fill fill = filler(13, FILL_FULL);
    struct op_status_reply value;
    struct op_status_reply read;
    struct op_reply_head head = sample_head(OP_OK);
    struct op_details details;
    struct op_message message;
    struct op_fault fault;

    (void)state;
    fill_struct(&fill, &op_status_reply_struct, &value);
    value.position = 99;
    value.has_leader = false;
    assert_true(op_message_read(write_response(&head, NULL, &op_status_reply_struct, &value),
                                &message, &fault));
    assert_true(
        op_response_read(&message, &head, &details, &op_status_reply_struct, &read, &fault));
    assert_true(head.position == 99);
    assert_true(head.term == value.term);
    assert_true(read.has_leader); /* the head's, since the struct left it out */
    read.has_leader = false;
    assert_true(fill_same(&op_status_reply_struct, &value, &read));
}

static void every_error_round_trips(void **state)
{
    struct fill fill = filler(14, FILL_RANDOM);

    (void)state;
    for (uint64_t number = 1; number < 100; number++) {
        enum op_outcome outcome;
        struct op_reply_head head;
        struct op_reply_head head_read;
        struct op_details details;
        struct op_details details_read;
        struct op_message message;
        struct op_fault fault;

        if (!op_outcome_of(number, &outcome)) {
            continue;
        }
        head = sample_head(outcome);
        fill.mode = mode_of((unsigned)number - 1);
        fill_struct(&fill, &op_details_struct, &details);
        assert_true(op_message_read(write_response(&head, &details, NULL, NULL), &message, &fault));
        assert_int_equal(message.result.size, 0);
        assert_true(op_response_read(&message, &head_read, &details_read, NULL, NULL, &fault));
        assert_same_head(&head, &head_read);
        assert_true(bytes_equal(head_read.message, head.message));
        assert_true(fill_same(&op_details_struct, &details, &details_read));
    }
}

static void an_error_without_words_has_its_outcomes(void **state)
{
    struct op_reply_head head = {.outcome = OP_FENCED};
    struct op_details details;
    struct op_message message;
    struct op_fault fault;

    (void)state;
    assert_true(op_message_read(write_response(&head, NULL, NULL, NULL), &message, &fault));
    assert_true(op_response_read(&message, &head, &details, NULL, NULL, &fault));
    assert_true(bytes_equal(head.message, bytes_of_text(op_outcome_message(OP_FENCED))));
    assert_int_equal(head.leader.size, 0);
}

/* ---- damage ---- */

/* A small request of every row, in memory of its exact size. */
static uint8_t *small_request(const struct op_row *row, size_t *ret_size)
{
    struct fill fill = filler(21, FILL_RANDOM);
    static union any value;
    struct op_envelope envelope = {.has_client = true, .client = 300};
    struct bytes body;
    uint8_t *copy;

    fill_struct(&fill, row->request, &value);
    body = write_request(&envelope, row->method, row->request, &value);
    copy = malloc(body.size);
    assert_non_null(copy);
    memcpy(copy, body.data, body.size);
    *ret_size = body.size;
    return copy;
}

static bool reads(const struct op_row *row, struct bytes body, struct op_fault *ret_fault)
{
    static union any value;
    struct op_envelope envelope;
    struct op_message message;

    *ret_fault = (struct op_fault){.text = NULL};
    return op_message_read(body, &message, ret_fault) && message.params.size > 0 &&
           op_map_read(message.params, &op_envelope_struct, &envelope, row->request, &value,
                       ret_fault);
}

static void every_truncation_is_refused(void **state)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct op_fault fault;
        size_t whole;
        uint8_t *body = small_request(&rows[i], &whole);

        assert_true(reads(&rows[i], bytes_of(body, whole), &fault));
        for (size_t size = 0; size < whole; size++) {
            uint8_t *copy = malloc(size + (size == 0));

            assert_non_null(copy);
            memcpy(copy, body, size);
            assert_false(reads(&rows[i], bytes_of(copy, size), &fault));
            assert_int_equal(fault.outcome, OP_PROTOCOL);
            assert_non_null(fault.text);
            free(copy);
        }
        free(body);
    }
}

static void every_flip_is_survived(void **state)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        size_t size;
        uint8_t *body = small_request(&rows[i], &size);

        for (size_t at = 0; at < size; at++) {
            /* All flips at the front, where the structure is dense; every 17th further on. */
            for (unsigned flip = 1; flip < 256; flip += at < 64 ? 1 : 17) {
                struct op_fault fault;
                bool good;

                body[at] ^= (uint8_t)flip;
                good = reads(&rows[i], bytes_of(body, size), &fault);
                if (good && flip % 17 == 1) { /* the oracle is slow */
                    check_with_oracle(bytes_of(body, size));
                }
                assert_true(good || fault.text != NULL || body[0] != 0x94 || body[1] == 1);
                body[at] ^= (uint8_t)flip;
            }
        }
        free(body);
    }
}

/* Random bytes, and random pieces of MessagePack: never a crash, never a read too far. */
static void rubbish_is_survived(void **state)
{
    static const uint8_t heads[] = {0x94, 0x00, 0x91, 0x81, 0x82, 0xa4, 0xc4, 0xdc, 0xde, 0xd9,
                                    0xc0, 0xcf, 0x93, 0x01, 0x02, 0xa5, 'u',  's',  'e',  'r'};
    struct fill random = filler(22, FILL_RANDOM);
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (unsigned round = 0; round < 50000; round++) {
        size_t size = fill_random(&random) % 40;
        uint8_t *body = malloc(size + (size == 0));
        struct op_fault fault;

        assert_non_null(body);
        for (size_t i = 0; i < size; i++) {
            body[i] = round % 2 == 0 ? (uint8_t)fill_random(&random)
                                     : heads[fill_random(&random) % sizeof heads];
        }
        (void)reads(&rows[round % count], bytes_of(body, size), &fault);
        free(body);
    }
}

static void a_short_buffer_fails_the_writer(void **state)
{
    struct fill fill = filler(23, FILL_RANDOM);
    static union any value;
    const struct op_row *row = op_row_of_number(OP_task_begin);
    size_t whole;

    (void)state;
    fill_struct(&fill, row->request, &value);
    whole = write_request(NULL, row->method, row->request, &value).size + OP_FRAME_PREFIX;
    for (size_t size = 0; size < whole; size++) {
        uint8_t *small = malloc(size + (size == 0));
        struct base_writer writer;

        assert_non_null(small);
        base_writer_init(&writer, small, size);
        op_request_write(&writer, 70000, row->method, NULL, row->request, &value);
        assert_true(writer.failed);
        free(small);
    }
}

/* A frame that does not begin at the buffer's start still finds its prefix. */
static void frames_follow_one_another(void **state)
{
    struct base_writer writer;
    size_t size = 0;
    struct bytes both;
    struct op_message message;
    struct op_fault fault;

    (void)state;
    base_writer_init(&writer, buffer, sizeof buffer);
    op_notification_write(&writer, OP_METHOD_CANCEL, 5);
    op_notification_write(&writer, OP_METHOD_GOAWAY, 0);
    both = base_written(&writer);
    assert_true(op_frame_size(both, OP_FRAME_MAX, &size));
    assert_true(size < both.size);
    assert_true(op_message_read(bytes_of(both.data + 4, size - 4), &message, &fault));
    assert_int_equal(message.kind, OP_MESSAGE_NOTIFICATION);
    {
        struct op_cancel cancel;

        assert_true(op_map_read(message.params, &op_cancel_struct, &cancel, NULL, NULL, &fault));
        assert_true(cancel.msgid == 5);
    }
    both = bytes_of(both.data + size, both.size - size);
    assert_true(op_frame_size(both, OP_FRAME_MAX, &size));
    assert_int_equal(size, both.size);
    assert_true(op_message_read(bytes_of(both.data + 4, size - 4), &message, &fault));
    assert_true(bytes_equal(message.method, bytes_of_text("goaway")));
    assert_true(op_map_read(message.params, NULL, NULL, NULL, NULL, &fault));
}

static void a_frame_has_a_greatest_size(void **state)
{
    static const uint8_t frame[] = {0x00, 0x00, 0xff, 0xfc, 0x00};
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff};
    size_t size = 7;

    (void)state;
    assert_true(op_frame_size(bytes_of(frame, 3), OP_FRAME_HELLO_MAX, &size));
    assert_int_equal(size, 0);
    assert_true(op_frame_size(bytes_of(frame, 5), OP_FRAME_HELLO_MAX, &size));
    assert_int_equal(size, OP_FRAME_HELLO_MAX);
    assert_false(op_frame_size(bytes_of(frame, 4), OP_FRAME_HELLO_MAX - 1, &size));
    assert_false(op_frame_size(bytes_of(huge, 4), OP_FRAME_MAX, &size));
    assert_int_equal(size, OP_FRAME_HELLO_MAX);
}

/* A struct of one blob, as long as one likes. */
struct large {
    bool has_blob;
    struct bytes blob;
};

static const struct op_field large_fields[] = {{.tag = 1,
                                                .kind = OP_KIND_blob,
                                                .name = "blob",
                                                .offset = offsetof(struct large, blob),
                                                .has_offset = offsetof(struct large, has_blob),
                                                .bound = 2 * OP_FRAME_MAX,
                                                .required = true}};
static const struct op_struct large_struct = {"large", sizeof(struct large), large_fields, 1};

static void a_frame_beyond_the_greatest_is_not_written(void **state)
{
    enum { OVERHEAD = OP_FRAME_PREFIX + 3 + 2 + 1 + 1 + 5 + 5 }; /* all but the blob's bytes */
    static uint8_t blob[OP_FRAME_MAX];
    static uint8_t frame[2 * OP_FRAME_MAX];

    (void)state;
    for (size_t over = 0; over <= 1; over++) {
        struct large large = {.blob = bytes_of(blob, OP_FRAME_MAX - OVERHEAD + over)};
        struct base_writer writer;

        base_writer_init(&writer, frame, sizeof frame);
        op_request_write(&writer, 1, "m", NULL, &large_struct, &large);
        assert_true(writer.failed == (over > 0));
        assert_int_equal(base_written(&writer).size, over > 0 ? 0 : OP_FRAME_MAX);
    }
}

/* A client's program may hand over anything: the frame fails, and nothing else. */
static void values_out_of_bounds_fail_the_writer(void **state)
{
    const struct op_row *row = op_row_of_number(OP_task_begin);
    static struct op_task_begin_request request;
    struct base_writer writer;

    (void)state;
    for (unsigned fault = 0; fault < 4; fault++) {
        memset(&request, 0, sizeof request);
        request.user = bytes_of_text("alice");
        request.kind = bytes_of_text("index");
        request.scope = OP_TASK_SCOPE_USER;
        if (fault == 1) {
            request.user = bytes_of(memory, OP_NAME_MAX + 1);
        } else if (fault == 2) {
            request.scope = 77;
        } else if (fault == 3) {
            request.has_targets = true;
            request.targets_count = OP_MAX_target + 1;
        }
        base_writer_init(&writer, buffer, sizeof buffer);
        op_request_write(&writer, 1, row->method, NULL, row->request, &request);
        assert_true(writer.failed == (fault != 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_round_trips),
        cmocka_unit_test(every_reply_round_trips),
        cmocka_unit_test(status_says_position_and_term_once),
        cmocka_unit_test(every_error_round_trips),
        cmocka_unit_test(an_error_without_words_has_its_outcomes),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flip_is_survived),
        cmocka_unit_test(rubbish_is_survived),
        cmocka_unit_test(a_short_buffer_fails_the_writer),
        cmocka_unit_test(frames_follow_one_another),
        cmocka_unit_test(a_frame_has_a_greatest_size),
        cmocka_unit_test(a_frame_beyond_the_greatest_is_not_written),
        cmocka_unit_test(values_out_of_bounds_fail_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Law: each breach of the protocol is refused in its own words and names the field it is about. */
#include "op/frame.h"
#include "op/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <string.h>

/* ---- messages ---- */

static const char *message_fault(const char *frame, size_t size)
{
    struct op_message message = {.msgid = 77};
    struct op_fault fault = {.text = NULL};

    if (op_message_read(bytes_of(frame, size), &message, &fault)) {
        return NULL;
    }
    assert_int_equal(fault.outcome, OP_PROTOCOL);
    assert_int_equal(message.msgid, 77); /* untouched */
    return fault.text;
}

#define MESSAGE(literal) message_fault(literal, sizeof(literal) - 1)
#define REFUSED(literal, text) assert_string_equal(MESSAGE(literal), text)

static void messages_have_their_shape(void **state)
{
    static const char not_map[] = "a map belongs where something else is";
    static const char one_map[] = "the parameters are not a list of one map";
    static const char neither[] = "not a request, a response or a notification";

    (void)state;
    assert_null(MESSAGE("\x94\x00\x05\xa1m\x91\x80"));
    assert_null(MESSAGE("\x94\x01\x05\xc0\x80"));
    assert_null(MESSAGE("\x94\x01\x05\x80\xc0"));
    assert_null(MESSAGE("\x93\x02\xa1m\x91\x80"));
    REFUSED("", "the message ends too early");
    REFUSED("\x80", "a message is not a list");
    REFUSED("\x90", "the message ends too early");
    REFUSED("\x94\xa1x\x05\xa1m\x91\x80", neither);
    REFUSED("\x94\x03\x05\xa1m\x91\x80", neither);
    REFUSED("\x94\x02\x05\xa1m\x91\x80", neither);
    REFUSED("\x93\x00\x05\xa1m", neither);
    REFUSED("\x94\x00\xa1x\xa1m\x91\x80", "the message id is not a number");
    REFUSED("\x94\x00\xff\xa1m\x91\x80", "the message id is not a number");
    REFUSED("\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1m\x91\x80",
            "the message id has more than 32 bits");
    REFUSED("\x94\x00\x05\x06\x91\x80", "the method is not a text");
    REFUSED("\x94\x00\x05\xa0\x91\x80", "the method is not a name");
    REFUSED("\x94\x00\x05\xa1\n\x91\x80", "the method is not a name");
    REFUSED("\x94\x00\x05\xa1m\x80", one_map);
    REFUSED("\x94\x00\x05\xa1m\x90", one_map);
    REFUSED("\x94\x00\x05\xa1m\x92\x80\x80", one_map);
    REFUSED("\x94\x00\x05\xa1m\x91\xc0", not_map);
    REFUSED("\x94\x01\x05\xc0\xc0", "a response has an error or a result, and not both");
    REFUSED("\x94\x01\x05\x80\x80", "a response has an error or a result, and not both");
    REFUSED("\x94\x01\x05\xc0\x90", not_map);
    REFUSED("\x94\x00\x05\xa1m\x91\x80\xc0", "bytes follow the message");
    REFUSED("\x94\x00\xcc\x05\xa1m\x91\x80", "a number or length is not in its shortest form");
}

/* Message, parameters and map are three; five more containers may follow, a sixth may not. */
static void maps_lie_at_most_eight_deep(void **state)
{
    (void)state;
    assert_null(MESSAGE("\x94\x00\x05\xa1m\x91\x81\xa1k\x91\x91\x91\x91\x90"));
    REFUSED("\x94\x00\x05\xa1m\x91\x81\xa1k\x91\x91\x91\x91\x91\x90",
            "lists and maps lie too deep in one another");
}

/* ---- maps ---- */

/* A map under way: pairs are added to it, then it is read as a request of one row. */
struct map {
    msgpack_sbuffer buffer;
    msgpack_packer packer;
};

static void map_begin(struct map *map, size_t count)
{
    msgpack_sbuffer_init(&map->buffer);
    msgpack_packer_init(&map->packer, &map->buffer, msgpack_sbuffer_write);
    (void)msgpack_pack_map(&map->packer, count);
}

static void put_str(struct map *map, struct bytes text)
{
    (void)msgpack_pack_str(&map->packer, text.size);
    (void)msgpack_pack_str_body(&map->packer, text.data, text.size);
}

static void put_bin(struct map *map, struct bytes blob)
{
    (void)msgpack_pack_bin(&map->packer, blob.size);
    (void)msgpack_pack_bin_body(&map->packer, blob.data, blob.size);
}

static void put_key(struct map *map, const char *key)
{
    put_str(map, bytes_of_text(key));
}

static void put_text(struct map *map, const char *key, const char *text)
{
    put_key(map, key);
    put_str(map, bytes_of_text(text));
}

static void put_number(struct map *map, const char *key, uint64_t number)
{
    put_key(map, key);
    (void)msgpack_pack_uint64(&map->packer, number);
}

static struct bytes token_text(enum op_token_kind kind)
{
    static uint8_t text[OP_TOKEN_TEXT_MAX];
    static const struct op_token token = {.epoch = 0};
    struct base_writer writer;

    base_writer_init(&writer, text, sizeof text);
    op_token_write(&writer, kind, &token);
    return base_written(&writer);
}

/* Ends the map and reads it; the fault's outcome is `outcome`, its field `field` (or NULL). */
static void map_refused(struct map *map, enum op_number number, enum op_outcome outcome,
                        const char *field, const char *text)
{
    static union op_request request;
    struct op_envelope envelope;
    struct op_fault fault = {.text = NULL};
    struct bytes source = bytes_of(map->buffer.data, map->buffer.size);

    assert_false(op_map_read(source, &op_envelope_struct, &envelope,
                             op_row_of_number(number)->request, &request, &fault));
    assert_int_equal(fault.outcome, outcome);
    assert_string_equal(fault.text, text);
    if (field == NULL) {
        assert_null(fault.field);
    } else {
        assert_string_equal(fault.field, field);
    }
    msgpack_sbuffer_destroy(&map->buffer);
}

static void map_accepted(struct map *map, enum op_number number)
{
    static union op_request request;
    struct op_envelope envelope;
    struct op_fault fault;

    assert_true(op_map_read(bytes_of(map->buffer.data, map->buffer.size), &op_envelope_struct,
                            &envelope, op_row_of_number(number)->request, &request, &fault));
    msgpack_sbuffer_destroy(&map->buffer);
}

static void keys_are_known_and_come_once(void **state)
{
    struct map map;

    (void)state;
    map_begin(&map, 1);
    put_text(&map, "user", "alice");
    map_accepted(&map, OP_revoke_user);

    map_begin(&map, 2);
    put_text(&map, "user", "alice");
    put_text(&map, "user", "alice");
    map_refused(&map, OP_revoke_user, OP_PROTOCOL, "user", "the same key twice in one map");

    map_begin(&map, 2);
    put_text(&map, "user", "alice");
    put_text(&map, "users", "alice");
    map_refused(&map, OP_revoke_user, OP_INVALID, NULL, "a field that this call does not have");

    map_begin(&map, 1);
    put_bin(&map, bytes_of_text("user"));
    put_bin(&map, bytes_of_text("alice"));
    map_refused(&map, OP_revoke_user, OP_PROTOCOL, NULL, "a map has a key that is not a text");

    map_begin(&map, 0);
    map_refused(&map, OP_revoke_user, OP_INVALID, "user", "missing");

    map_begin(&map, 1);
    put_text(&map, "user", "alice");
    (void)msgpack_pack_nil(&map.packer);
    map_refused(&map, OP_revoke_user, OP_PROTOCOL, NULL, "bytes follow the map");
}

static void user_refused(struct bytes text, const char *why)
{
    struct map map;

    map_begin(&map, 1);
    put_key(&map, "user");
    put_str(&map, text);
    map_refused(&map, OP_revoke_user, OP_INVALID, "user", why);
}

static void texts_are_bounded_and_clean(void **state)
{
    static const char bad[] = "not UTF-8 without control characters";
    uint8_t longest[OP_NAME_MAX + 1];
    struct map map;

    (void)state;
    memset(longest, 'a', sizeof longest);
    map_begin(&map, 1);
    put_key(&map, "user");
    put_str(&map, bytes_of(longest, OP_NAME_MAX));
    map_accepted(&map, OP_revoke_user);
    user_refused(bytes_of(longest, OP_NAME_MAX + 1), "too long");
    user_refused(BYTES_NONE, "empty");
    user_refused(bytes_of_text("a\xff"), bad);
    user_refused(bytes_of_text("a\nb"), bad);
    user_refused(bytes_of("a\0b", 3), bad);

    map_begin(&map, 1);
    put_key(&map, "user");
    put_bin(&map, bytes_of_text("alice"));
    map_refused(&map, OP_revoke_user, OP_INVALID, "user", "not a text");

    map_begin(&map, 1);
    put_number(&map, "user", 1);
    map_refused(&map, OP_revoke_user, OP_INVALID, "user", "not a text");
}

static void numbers_are_unsigned_and_whole(void **state)
{
    static const char why[] = "not an unsigned whole number";
    struct map map;

    (void)state;
    map_begin(&map, 1);
    put_text(&map, "client", "1");
    map_refused(&map, OP_client_register, OP_INVALID, "client", why);

    map_begin(&map, 1);
    put_key(&map, "timeout");
    (void)msgpack_pack_int64(&map.packer, -1);
    map_refused(&map, OP_client_register, OP_INVALID, "timeout", why);

    map_begin(&map, 1);
    put_key(&map, "timeout");
    (void)msgpack_pack_double(&map.packer, 1.0);
    map_refused(&map, OP_client_register, OP_INVALID, "timeout", why);

    map_begin(&map, 1);
    put_key(&map, "number");
    (void)msgpack_pack_nil(&map.packer);
    map_refused(&map, OP_client_register, OP_INVALID, "number", why);

    map_begin(&map, 1);
    put_key(&map, "number");
    msgpack_sbuffer_write(&map.buffer, "\xcd\x00\x05", 3);
    map_refused(&map, OP_client_register, OP_PROTOCOL, NULL,
                "a number or length is not in its shortest form");
}

static void ids_have_sixteen_bytes(void **state)
{
    static const uint8_t raw[17] = {0};
    struct map map;

    (void)state;
    for (size_t size = 15; size <= 17; size++) {
        map_begin(&map, 1);
        put_key(&map, "incarnation");
        put_bin(&map, bytes_of(raw, size));
        if (size == 16) {
            map_accepted(&map, OP_client_register);
        } else {
            map_refused(&map, OP_client_register, OP_INVALID, "incarnation",
                        "not an id of 16 bytes");
        }
    }
    map_begin(&map, 1);
    put_text(&map, "incarnation", "0123456789abcdef");
    map_refused(&map, OP_client_register, OP_INVALID, "incarnation", "not an id of 16 bytes");
}

static void blobs_are_binary_and_bounded(void **state)
{
    static const uint8_t blob[257] = {0};
    struct map map;

    (void)state;
    for (size_t size = 256; size <= 257; size++) {
        map_begin(&map, 3);
        put_text(&map, "user", "alice");
        put_key(&map, "value");
        put_bin(&map, BYTES_NONE);
        put_key(&map, "key");
        put_bin(&map, bytes_of(blob, size));
        if (size == 256) {
            map_accepted(&map, OP_state_put);
        } else {
            map_refused(&map, OP_state_put, OP_INVALID, "key", "too long");
        }
    }
    map_begin(&map, 1);
    put_text(&map, "key", "a text");
    map_refused(&map, OP_state_put, OP_INVALID, "key", "not binary");
}

static void tokens_are_well_formed_and_of_their_kind(void **state)
{
    static const char why[] = "not a well-formed token of its kind";
    struct map map;

    (void)state;
    map_begin(&map, 2);
    put_text(&map, "user", "alice");
    put_key(&map, "token");
    put_str(&map, token_text(OP_TOKEN_session));
    map_accepted(&map, OP_session_end);

    map_begin(&map, 1);
    put_key(&map, "token");
    put_str(&map, token_text(OP_TOKEN_fence));
    map_refused(&map, OP_session_end, OP_INVALID, "token", why);

    map_begin(&map, 1);
    put_text(&map, "token", "tn1_nonsense");
    map_refused(&map, OP_session_end, OP_INVALID, "token", why);

    map_begin(&map, 1);
    put_key(&map, "token");
    put_bin(&map, token_text(OP_TOKEN_session));
    map_refused(&map, OP_session_end, OP_INVALID, "token", "not a text");
}

static void enumerations_are_known_texts(void **state)
{
    struct map map;

    (void)state;
    map_begin(&map, 1);
    put_text(&map, "scope", "cluster");
    map_refused(&map, OP_task_begin, OP_INVALID, "scope", "not one of the values that it may have");
    map_begin(&map, 1);
    put_number(&map, "scope", 1);
    map_refused(&map, OP_task_begin, OP_INVALID, "scope", "not a text");
}

static void begin_targets(struct map *map, size_t count)
{
    map_begin(map, 1);
    put_key(map, "targets");
    (void)msgpack_pack_array(&map->packer, count);
}

static void lists_are_bounded(void **state)
{
    struct map map;

    (void)state;
    begin_targets(&map, OP_MAX_target + 1);
    for (size_t i = 0; i <= OP_MAX_target; i++) {
        (void)msgpack_pack_map(&map.packer, 1);
        put_key(&map, "token");
        put_str(&map, token_text(OP_TOKEN_session));
    }
    map_refused(&map, OP_task_begin, OP_INVALID, "targets", "too many elements");

    begin_targets(&map, 1000000000);
    map_refused(&map, OP_task_begin, OP_PROTOCOL, NULL,
                "a list or map claims more than the message holds");

    begin_targets(&map, 1);
    (void)msgpack_pack_map(&map.packer, 0);
    map_refused(&map, OP_task_begin, OP_INVALID, "token", "missing");

    begin_targets(&map, 1);
    (void)msgpack_pack_nil(&map.packer);
    map_refused(&map, OP_task_begin, OP_PROTOCOL, NULL, "a map belongs where something else is");

    begin_targets(&map, 1);
    (void)msgpack_pack_map(&map.packer, 2);
    put_key(&map, "token");
    put_str(&map, token_text(OP_TOKEN_session));
    put_key(&map, "token");
    put_str(&map, token_text(OP_TOKEN_session));
    map_refused(&map, OP_task_begin, OP_PROTOCOL, "token", "the same key twice in one map");

    map_begin(&map, 1);
    put_number(&map, "targets", 3);
    map_refused(&map, OP_task_begin, OP_INVALID, "targets", "not a list");
}

static void responses_miss_nothing(void **state)
{
    struct map map;
    struct op_message message = {.kind = OP_MESSAGE_RESPONSE};
    struct op_reply_head head;
    struct op_details details;
    struct op_fault fault;
    struct op_revoke_user_reply reply;

    (void)state;
    map_begin(&map, 4);
    put_number(&map, "position", 1);
    put_number(&map, "T", 1);
    put_number(&map, "clock", 1);
    put_number(&map, "term", 1);
    message.result = bytes_of(map.buffer.data, map.buffer.size);
    assert_true(op_response_read(&message, &head, &details, NULL, NULL, &fault));
    assert_false(op_response_read(&message, &head, &details,
                                  op_row_of_number(OP_revoke_user)->reply, &reply, &fault));
    assert_string_equal(fault.field, "watermark");
    message.error = message.result; /* an error without a code */
    message.result = BYTES_NONE;
    assert_false(op_response_read(&message, &head, &details, NULL, NULL, &fault));
    assert_string_equal(fault.field, "code");
    msgpack_sbuffer_destroy(&map.buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_have_their_shape),
        cmocka_unit_test(maps_lie_at_most_eight_deep),
        cmocka_unit_test(keys_are_known_and_come_once),
        cmocka_unit_test(texts_are_bounded_and_clean),
        cmocka_unit_test(numbers_are_unsigned_and_whole),
        cmocka_unit_test(ids_have_sixteen_bytes),
        cmocka_unit_test(blobs_are_binary_and_bounded),
        cmocka_unit_test(tokens_are_well_formed_and_of_their_kind),
        cmocka_unit_test(enumerations_are_known_texts),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(responses_miss_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

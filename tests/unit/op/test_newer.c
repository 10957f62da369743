/* Law: a client skips what only a newer server says, and does what the answer's class demands. */
#include "op/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <string.h>

static void pack_text(msgpack_packer *packer, const char *text)
{
    (void)msgpack_pack_str(packer, strlen(text));
    (void)msgpack_pack_str_body(packer, text, strlen(text));
}

static void pack_pair(msgpack_packer *packer, const char *key, uint64_t value)
{
    pack_text(packer, key);
    (void)msgpack_pack_uint64(packer, value);
}

/* An error with a code, a class, a key, a detail and a cause that this version does not know. */
static void pack_newer_error(msgpack_sbuffer *out, const char *class)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, out, msgpack_sbuffer_write);
    (void)msgpack_pack_map(&packer, 10);
    pack_pair(&packer, "position", 5);
    pack_pair(&packer, "T", 6);
    pack_text(&packer, "later");
    (void)msgpack_pack_array(&packer, 1);
    (void)msgpack_pack_map(&packer, 1);
    (void)msgpack_pack_nil(&packer);
    (void)msgpack_pack_double(&packer, 0.5);
    pack_pair(&packer, "clock", 7);
    pack_pair(&packer, "term", 8);
    pack_pair(&packer, "code", 63);
    pack_text(&packer, "name");
    pack_text(&packer, "TOO_NEW");
    pack_text(&packer, "class");
    pack_text(&packer, class);
    pack_text(&packer, "message");
    pack_text(&packer, "ask somebody younger");
    pack_text(&packer, "details");
    (void)msgpack_pack_map(&packer, 3);
    pack_text(&packer, "cause");
    pack_text(&packer, "struck by lightning");
    pack_pair(&packer, "failed", 16);
    pack_pair(&packer, "latest", 1);
}

static void newer_error_becomes(const char *class, enum op_outcome outcome)
{
    struct op_message message = {.kind = OP_MESSAGE_RESPONSE};
    struct op_reply_head head;
    struct op_details details;
    struct op_fault fault;
    msgpack_sbuffer out;

    msgpack_sbuffer_init(&out);
    pack_newer_error(&out, class);
    message.error = bytes_of(out.data, out.size);
    assert_true(op_response_read(&message, &head, &details, NULL, NULL, &fault));
    assert_int_equal(head.outcome, outcome);
    assert_true(bytes_equal(head.message, bytes_of_text("ask somebody younger")));
    assert_true(head.position == 5 && head.time == 6);
    assert_true(details.has_failed && details.failed == 16);
    assert_false(details.has_cause);
    msgpack_sbuffer_destroy(&out);
}

static void a_newer_server_may_say_more(void **state)
{
    (void)state;
    newer_error_becomes("REFUSED", OP_PROTOCOL);
    newer_error_becomes("RETRY", OP_NOT_READY);
    newer_error_becomes("UNKNOWN", OP_UNKNOWN);
    newer_error_becomes("SOMETHING", OP_UNKNOWN);
}

/* A key that comes twice is refused all the same when it is one of ours. */
static void a_known_key_still_comes_once(void **state)
{
    struct op_message message = {.kind = OP_MESSAGE_RESPONSE};
    struct op_reply_head head;
    struct op_details details;
    struct op_fault fault;
    msgpack_sbuffer out;
    msgpack_packer packer;

    (void)state;
    msgpack_sbuffer_init(&out);
    msgpack_packer_init(&packer, &out, msgpack_sbuffer_write);
    (void)msgpack_pack_map(&packer, 5);
    pack_pair(&packer, "position", 5);
    pack_pair(&packer, "T", 6);
    pack_pair(&packer, "clock", 7);
    pack_pair(&packer, "term", 8);
    pack_pair(&packer, "T", 9);
    message.result = bytes_of(out.data, out.size);
    assert_false(op_response_read(&message, &head, &details, NULL, NULL, &fault));
    assert_string_equal(fault.field, "T");
    msgpack_sbuffer_destroy(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newer_server_may_say_more),
        cmocka_unit_test(a_known_key_still_comes_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

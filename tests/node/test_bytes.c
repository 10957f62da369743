/* F-43: hostile bytes over a connection get one clear error, or the end of that connection, and
 * nobody else notices. What breaks the frame ends it under msgid 0; what is wrong with a request's
 * map is answered under its msgid, and the connection goes on (docs/PROTOCOL.md section 2).
 */
#include "tests/node/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encode.h"

#define SERVICE "tenure://test/acme/service/gateway"

struct fixture {
    struct world world;
    size_t leader;
    struct env_tls *tls;
    struct raw raw;   /* the hostile one */
    struct raw other; /* who must not notice */
};

static struct fixture fixture;

static int start(void **state)
{
    *state = &fixture;
    world_start(&fixture.world, 5);
    fixture.leader = world_leader(&fixture.world);
    fixture.tls = world_identity(&fixture.world, SERVICE);
    raw_open(&fixture.other, &fixture.world, fixture.leader, fixture.tls);
    raw_hello(&fixture.other);
    raw_open(&fixture.raw, &fixture.world, fixture.leader, fixture.tls);
    raw_hello(&fixture.raw);
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    raw_close(&f->raw);
    raw_close(&f->other);
    env_tls_destroy(f->tls);
    world_end(&f->world);
    return 0;
}

static void again(struct fixture *f)
{
    raw_close(&f->raw);
    raw_open(&f->raw, &f->world, f->leader, f->tls);
    raw_hello(&f->raw);
}

static void other_is_served(struct fixture *f, uint32_t msgid)
{
    raw_request(&f->other, msgid, OP_METHOD_STATUS, NULL, NULL, NULL);
    raw_expect(&f->other, msgid, OP_OK);
}

/* The message of these hexadecimal digits, framed. */
static void say(struct fixture *f, const char *hex)
{
    uint8_t frame[512] = {0};
    size_t size = strlen(hex) / 2;
    assert_true(size < sizeof(frame) - 4 && hex_read(bytes_of_text(hex), frame + 4, size));
    frame[2] = (uint8_t)(size >> 8);
    frame[3] = (uint8_t)size;
    raw_write(&f->raw, bytes_of(frame, size + 4));
}

#define REQUEST "940007" /* [0, 7, */
#define STATUS "ab6e6f64652e737461747573"
#define AT "a26174" /* "at" */
#define REVOKE "ab7265766f6b652e75736572"
#define USER "a475736572"

struct vector {
    const char *what;
    const char *hex;
    enum op_outcome outcome;
    bool goes_on; /* answered under msgid 7, not 0 */
};

static const struct vector vectors[] = {
    {"nothing", "", OP_PROTOCOL, false},
    {"nil", "c0", OP_PROTOCOL, false},
    {"a byte that is none", "c1", OP_PROTOCOL, false},
    {"a map for a message", "80", OP_PROTOCOL, false},
    {"an empty list", "90", OP_PROTOCOL, false},
    {"too few elements", "930007" STATUS, OP_PROTOCOL, false},
    {"too many elements",
     "95000"
     "7" STATUS "9180c0",
     OP_PROTOCOL, false},
    {"a type that is none", "940307" STATUS "9180", OP_PROTOCOL, false},
    {"a negative type", "94ff07" STATUS "9180", OP_PROTOCOL, false},
    {"a response", "940107c080", OP_PROTOCOL, false},
    {"a msgid of 33 bits", "9400cf0000000100000000" STATUS "9180", OP_PROTOCOL, false},
    {"a text for a msgid", "9400a137" STATUS "9180", OP_PROTOCOL, false},
    {"a number for a method",
     "94000705"
     "9180",
     OP_PROTOCOL, false},
    {"an empty method", "940007a09180", OP_PROTOCOL, false},
    {"a method of control characters", "940007a10a9180", OP_PROTOCOL, false},
    {"params without a list", REQUEST STATUS "80", OP_PROTOCOL, false},
    {"params of two maps", REQUEST STATUS "928080", OP_PROTOCOL, false},
    {"params of a list", REQUEST STATUS "9190", OP_PROTOCOL, false},
    {"bytes after the message", REQUEST STATUS "918000", OP_PROTOCOL, false},
    {"a message cut short", REQUEST STATUS "9181", OP_PROTOCOL, false},
    {"a count of four thousand million", REQUEST STATUS "91dfffffffff", OP_PROTOCOL, false},
    {"a text of four thousand million", REQUEST STATUS "9181dbffffffff", OP_PROTOCOL, false},
    {"a msgid not in its shortest form", "9400cc07" STATUS "9180", OP_PROTOCOL, false},
    {"a count not in its shortest form", REQUEST STATUS "91de0000", OP_PROTOCOL, false},
    {"a key not in its shortest form", REQUEST STATUS "9181d902617401", OP_PROTOCOL, false},
    {"a number not in its shortest form", REQUEST STATUS "9181" AT "cd0001", OP_PROTOCOL, false},
    {"a positive number in a signed form", REQUEST STATUS "9181" AT "d001", OP_PROTOCOL, false},
    {"nine deep", REQUEST STATUS "9181" AT "91919191919190", OP_PROTOCOL, false},
    {"no such method", "940007a26e6f9180", OP_PROTOCOL, true},
    {"the same key twice", REQUEST STATUS "9182" AT "01" AT "01", OP_PROTOCOL, true},
    {"a key that is a number", REQUEST STATUS "91810101", OP_PROTOCOL, true},
    {"a key that it does not have", REQUEST STATUS "9181a16b01", OP_INVALID, true},
    {"a text for a number", REQUEST STATUS "9181" AT "a131", OP_INVALID, true},
    {"a negative number", REQUEST STATUS "9181" AT "ff", OP_INVALID, true},
    {"a fraction", REQUEST STATUS "9181" AT "cb3ff0000000000000", OP_INVALID, true},
    {"not a number", REQUEST STATUS "9181" AT "ca7fc00000", OP_INVALID, true},
    {"an extension", REQUEST STATUS "9181" AT "d40100", OP_INVALID, true},
    {"nil for a value", REQUEST STATUS "9181" AT "c0", OP_INVALID, true},
    {"true for a number", REQUEST STATUS "9181" AT "c3", OP_INVALID, true},
    {"a list for a number", REQUEST STATUS "9181" AT "9101", OP_INVALID, true},
    {"bytes for a text", REQUEST REVOKE "9181" USER "c40161", OP_INVALID, true},
    {"an empty text", REQUEST REVOKE "9181" USER "a0", OP_INVALID, true},
    {"a text that is not UTF-8", REQUEST REVOKE "9181" USER "a2c328", OP_INVALID, true},
    {"an overlong text", REQUEST REVOKE "9181" USER "a2c0af", OP_INVALID, true},
    {"a zero byte in a text", REQUEST REVOKE "9181" USER "a3610062", OP_INVALID, true},
};

static void each_vector_has_one_answer(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *vector = &vectors[i];
        print_message("%s\n", vector->what);
        say(f, vector->hex);
        raw_expect(&f->raw, vector->goes_on ? 7 : 0, vector->outcome);
        if (vector->goes_on) {
            raw_request(&f->raw, 8, OP_METHOD_STATUS, NULL, NULL, NULL);
            raw_expect(&f->raw, 8, OP_OK);
        } else {
            raw_expect_closed(&f->raw);
            again(f);
        }
        other_is_served(f, (uint32_t)i + 10);
    }
}

/* A whole request of a numbered operation. */
static struct bytes good_request(uint8_t buffer[512])
{
    const struct op_envelope envelope = {.has_client = true,
                                         .client = 1,
                                         .has_incarnation = true,
                                         .has_number = true,
                                         .number = 1,
                                         .has_attempt = true,
                                         .attempt = 1,
                                         .has_lowest = true,
                                         .lowest = 1};
    const struct op_revoke_user_request revoke = {.has_user = true, .user = bytes_of_text("alice")};
    struct base_writer writer;
    base_writer_init(&writer, buffer, 512);
    op_request_write(&writer, 7, "revoke.user", &envelope,
                     op_row_of_number(OP_revoke_user)->request, &revoke);
    return base_written(&writer);
}

/* Cut at each byte: nothing comes of it, and nothing stays of it. */
static void a_request_cut_at_each_byte_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    const struct node *node = f->world.nodes[f->leader].node;
    uint8_t buffer[512];
    struct bytes whole = good_request(buffer);
    uint64_t before = fsm_position(node->fsm);
    for (size_t size = 1; size < whole.size; size++) {
        struct op_message message;
        raw_write(&f->raw, bytes_of(whole.data, size));
        assert_false(raw_take(&f->raw, 5 * SIM_MILLISECOND, &message));
        again(f);
    }
    world_pass(&f->world, SIM_SECOND);
    assert_int_equal(fsm_session_count(node->fsm), 0);
    assert_true(fsm_position(node->fsm) >= before);
    assert_int_equal(node->listener.count, 2);
    assert_int_equal(node->listener.bytes, 0);
    other_is_served(f, 10);
}

/* Each bit of a request turned over: one answer, or the end, and never silence. */
static void each_bit_turned_over_has_an_answer(void **state)
{
    struct fixture *f = *state;
    uint8_t buffer[512];
    struct bytes whole = good_request(buffer);
    unsigned answered = 0, ended = 0;
    for (size_t bit = 8 * OP_FRAME_PREFIX; bit < 8 * whole.size; bit++) {
        struct raw_answer answer;
        buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        raw_write(&f->raw, whole);
        buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        raw_answer(&f->raw, &answer);
        assert_int_not_equal(answer.head.outcome, OP_OK);
        if (answer.msgid == 0) {
            raw_expect_closed(&f->raw);
            again(f);
            ended++;
        } else {
            answered++;
        }
    }
    assert_true(answered > 100 && ended > 100);
    other_is_served(f, 10);
}

/* Byte by byte it is the same request. */
static void a_byte_at_a_time_is_the_same_request(void **state)
{
    struct fixture *f = *state;
    uint8_t buffer[512];
    struct bytes whole = good_request(buffer);
    for (size_t at = 0; at < whole.size; at++) {
        raw_write(&f->raw, bytes_of(whole.data + at, 1));
        world_pass(&f->world, 50 * SIM_MILLISECOND);
        if (at % 20 == 0) {
            other_is_served(f, (uint32_t)at + 10);
        }
    }
    raw_expect(&f->raw, 7, OP_CLIENT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_vector_has_one_answer, start, end),
        cmocka_unit_test_setup_teardown(a_request_cut_at_each_byte_leaves_nothing, start, end),
        cmocka_unit_test_setup_teardown(each_bit_turned_over_has_an_answer, start, end),
        cmocka_unit_test_setup_teardown(a_byte_at_a_time_is_the_same_request, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

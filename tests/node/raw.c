/* The client of raw.h. */
#include "tests/node/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct raw *raw = arg;
    (void)conn;
    (void)identity;
    raw->open = true;
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct raw *raw = arg;
    (void)conn;
    if (raw->size + data.size > raw->capacity) {
        raw->capacity = 2 * (raw->size + data.size);
        raw->input = realloc(raw->input, raw->capacity);
        ASSERT(raw->input != NULL);
    }
    memcpy(raw->input + raw->size, data.data, data.size);
    raw->size += data.size;
    raw->received += data.size;
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct raw *raw = arg;
    (void)conn;
    (void)rc;
    (void)detail;
    raw->closed = true;
    raw->conn = NULL;
}

static bool is_open(void *arg)
{
    const struct raw *raw = arg;
    return raw->open || raw->closed;
}

void raw_open(struct raw *raw, struct world *world, size_t which, struct env_tls *tls)
{
    static const struct env_conn_handlers handlers = {
        .on_open = on_open, .on_data = on_data, .on_close = on_close};
    *raw = (struct raw){.world = world};
    raw->conn = env_connect(world->console, world->nodes[which].listen, tls, "tenure/1", &handlers,
                            raw);
    raw->message = malloc(OP_FRAME_MAX);
    assert_non_null(raw->conn);
    assert_non_null(raw->message);
    assert_true(sim_run_until(world->sim, is_open, raw, 10 * SIM_SECOND));
    assert_true(raw->open);
}

static bool is_closed(void *arg)
{
    const struct raw *raw = arg;
    return raw->closed;
}

void raw_close(struct raw *raw)
{
    if (raw->world == NULL) {
        return; /* a test has failed in between */
    }
    if (raw->conn != NULL) {
        env_conn_close(raw->conn, false);
    }
    assert_true(sim_run_until(raw->world->sim, is_closed, raw, 60 * SIM_SECOND));
    free(raw->input);
    free(raw->message);
    *raw = (struct raw){.world = NULL};
}

void raw_write(struct raw *raw, struct bytes data)
{
    assert_non_null(raw->conn);
    env_conn_write(raw->conn, data);
}

void raw_request(struct raw *raw, uint32_t msgid, const char *method,
                 const struct op_envelope *envelope, const struct op_struct *s, const void *value)
{
    static uint8_t frame[OP_FRAME_MAX];
    struct base_writer writer;
    base_writer_init(&writer, frame, sizeof(frame));
    op_request_write(&writer, msgid, method, envelope, s, value);
    assert_false(writer.failed);
    raw_write(raw, base_written(&writer));
}

void raw_hello(struct raw *raw)
{
    const struct op_hello_request hello = {.has_version = true,
                                           .version = OP_PROTOCOL_VERSION,
                                           .has_instance = true,
                                           .instance = {{7}}};
    raw_request(raw, 1, OP_METHOD_HELLO, NULL, &op_hello_request_struct, &hello);
    raw_expect(raw, 1, OP_OK);
}

static bool has_frame(void *arg)
{
    const struct raw *raw = arg;
    size_t size = 0;
    bool fits = op_frame_size(bytes_of(raw->input, raw->size), OP_FRAME_MAX, &size);
    return raw->closed || !fits || (size != 0 && size <= raw->size);
}

bool raw_take(struct raw *raw, uint64_t max_us, struct op_message *ret_message)
{
    (void)sim_run_until(raw->world->sim, has_frame, raw, max_us);
    size_t size = 0;
    assert_true(op_frame_size(bytes_of(raw->input, raw->size), OP_FRAME_MAX, &size));
    if (size == 0 || size > raw->size) {
        return false;
    }
    memcpy(raw->message, raw->input + OP_FRAME_PREFIX, size - OP_FRAME_PREFIX);
    raw->size -= size;
    memmove(raw->input, raw->input + size, raw->size);
    struct op_fault fault;
    assert_true(
        op_message_read(bytes_of(raw->message, size - OP_FRAME_PREFIX), ret_message, &fault));
    return true;
}

void raw_answer(struct raw *raw, struct raw_answer *ret_answer)
{
    struct op_message message;
    struct op_fault fault;
    assert_true(raw_take(raw, 10 * SIM_SECOND, &message));
    assert_int_equal(message.kind, OP_MESSAGE_RESPONSE);
    assert_true(
        op_response_read(&message, &ret_answer->head, &ret_answer->details, NULL, NULL, &fault));
    ret_answer->msgid = message.msgid;
    ret_answer->result = message.result;
}

void raw_expect(struct raw *raw, uint32_t msgid, enum op_outcome outcome)
{
    struct raw_answer answer;
    raw_answer(raw, &answer);
    assert_int_equal(answer.msgid, msgid);
    assert_string_equal(op_outcome_name(answer.head.outcome), op_outcome_name(outcome));
}

void raw_expect_closed(struct raw *raw)
{
    assert_true(sim_run_until(raw->world->sim, is_closed, raw, 30 * SIM_SECOND));
    assert_int_equal(raw->size, 0);
}

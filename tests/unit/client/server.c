/* The scripted server of server.h. */
#include "tests/unit/client/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

enum { FRAME_MAX = 1 << 17 };

/* ---- out ---- */

void server_write(struct server_end *end, const void *data, size_t size)
{
    if (end->conn != NULL) {
        env_conn_write(end->conn, bytes_of(data, size));
    }
}

static void respond(struct server_end *end, uint32_t msgid, const struct op_reply_head *head,
                    const struct op_details *details, const struct op_struct *s, const void *value)
{
    uint8_t frame[4096];
    struct base_writer writer;
    base_writer_init(&writer, frame, sizeof(frame));
    op_response_write(&writer, msgid, head, details, s, value);
    ASSERT(!writer.failed);
    server_write(end, frame, base_written(&writer).size);
}

static struct op_reply_head head_of(enum op_outcome outcome)
{
    return (struct op_reply_head){
        .outcome = outcome, .position = 300, .time = 1000, .clock = 1001, .term = 3};
}

void server_done_with(const struct request *request, const void *value)
{
    struct op_reply_head head = head_of(OP_OK);
    respond(request->from, request->msgid, &head, NULL, request->row->reply, value);
}

void server_answer(const struct request *request, enum op_outcome outcome,
                   const struct op_details *details)
{
    struct op_reply_head head = head_of(outcome);
    struct op_details none = {.has_failed = false};
    respond(request->from, request->msgid, &head, details == NULL ? &none : details, NULL, NULL);
}

void server_not_leader(const struct request *request, const char *leader)
{
    struct op_reply_head head = head_of(OP_NOT_LEADER);
    struct op_details none = {.has_failed = false};
    head.leader = bytes_of_text(leader);
    respond(request->from, request->msgid, &head, &none, NULL, NULL);
}

void server_goaway(struct server_end *end)
{
    uint8_t frame[64];
    struct base_writer writer;
    base_writer_init(&writer, frame, sizeof(frame));
    op_notification_write(&writer, OP_METHOD_GOAWAY, 0);
    server_write(end, frame, base_written(&writer).size);
}

void server_close(struct server_end *end)
{
    if (end->conn != NULL) {
        env_conn_close(end->conn, false);
    }
}

/* ---- the script that does what is asked ---- */

static void load(const struct request *request, void *ret_value)
{
    struct base_reader reader;
    base_reader_init(&reader, bytes_of(request->fields, request->fields_size));
    ASSERT(op_load(&reader, request->row->request, ret_value));
}

void server_obey(struct server *server, const struct request *request)
{
    (void)server;
    union op_request asked;
    union op_reply reply;
    memset(&reply, 0, sizeof(reply));
    load(request, &asked);
    if (request->row->number == OP_revoke_user) {
        reply.revoke_user.watermark = 100 + request->envelope.number;
    } else if (request->row->number == OP_session_validate) {
        reply.session_validate.session = asked.session_validate.token.id;
        reply.session_validate.agent = bytes_of_text("agent");
    } else if (request->row->number == OP_session_end) {
        reply.session_end.session = asked.session_end.token.id;
    } else if (request->row->number == OP_session_touch) {
        reply.session_touch.session = asked.session_touch.token.id; /* and wrote nothing */
    } else if (request->row->number == OP_state_get) {
        reply.state_get.session = asked.state_get.token.id;
        reply.state_get.value = bytes_of_text("value");
    } else if (request->row->number == OP_session_create) {
        reply.session_create.has_token = true;
        memset(&reply.session_create.token.secret, 7, 32);
    } else if (request->row->number == OP_client_register) {
        reply.client_register.client = 41;
        reply.client_register.incarnation = server->hello.incarnation;
        reply.client_register.has_silence = true;
        reply.client_register.silence = server->silence;
    } else {
        UNREACHABLE("no answer for this operation");
    }
    server_done_with(request, &reply);
}

/* ---- in ---- */

static void say_hello(struct server_end *end, uint32_t msgid)
{
    struct server *server = end->server;
    struct op_reply_head head = head_of(server->hello_outcome);
    struct op_details none = {.has_failed = false};
    server->hellos++;
    if (!server->hello_silent) {
        respond(end, msgid, &head, &none, &op_hello_reply_struct, &server->hello);
    }
}

static void take_request(struct server_end *end, const struct op_message *message)
{
    struct server *server = end->server;
    struct request request = {.from = end, .msgid = message->msgid};
    ASSERT(message->method.size < sizeof(request.method));
    memcpy(request.method, message->method.data, message->method.size);
    request.row = op_row_of_method(message->method);
    bool states_time = bytes_equal(message->method, bytes_of_text(OP_METHOD_TIME));
    const struct op_struct *s = request.row != NULL ? request.row->request
                                : states_time       ? &op_time_request_struct
                                                    : &op_status_request_struct;
    union op_request value;
    struct op_fault fault;
    if (!op_map_read(message->params, &op_envelope_struct, &request.envelope, s, &value, &fault)) {
        UNREACHABLE(fault.text);
    }
    struct base_writer writer;
    base_writer_init(&writer, request.fields, sizeof(request.fields));
    op_store(&writer, s, &value, OP_STORE_ALL);
    request.fields_size = base_written(&writer).size;
    bool registers = request.row != NULL && request.row->number == OP_client_register;
    server->registrations += registers;
    if (registers && !server->register_scripted) {
        server_obey(server, &request);
        return;
    }
    server->count++;
    server->last = request;
    if (server->script != NULL) {
        server->script(server, &request);
    }
}

static void take_message(struct server_end *end, struct bytes frame)
{
    struct op_message message;
    struct op_fault fault;
    ASSERT(op_message_read(frame, &message, &fault));
    if (message.kind == OP_MESSAGE_NOTIFICATION) {
        struct op_cancel cancel;
        ASSERT(bytes_equal(message.method, bytes_of_text(OP_METHOD_CANCEL)));
        ASSERT(op_map_read(message.params, &op_cancel_struct, &cancel, NULL, NULL, &fault));
        end->server->cancels++;
        end->server->cancelled = (uint32_t)cancel.msgid;
        return;
    }
    ASSERT(message.kind == OP_MESSAGE_REQUEST && message.msgid != 0);
    if (bytes_equal(message.method, bytes_of_text(OP_METHOD_HELLO))) {
        say_hello(end, message.msgid);
    } else {
        take_request(end, &message);
    }
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct server_end *end = arg;
    (void)conn;
    ASSERT(end->input_size + data.size <= sizeof(end->input));
    memcpy(end->input + end->input_size, data.data, data.size);
    end->input_size += data.size;
    size_t used = 0;
    size_t size = 0;
    while (op_frame_size(bytes_of(end->input + used, end->input_size - used), FRAME_MAX, &size) &&
           size != 0 && size <= end->input_size - used) {
        take_message(end, bytes_of(end->input + used + OP_FRAME_PREFIX, size - OP_FRAME_PREFIX));
        used += size;
        size = 0;
    }
    memmove(end->input, end->input + used, end->input_size - used);
    end->input_size -= used;
}

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    (void)arg;
    (void)conn;
    (void)identity;
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct server_end *end = arg;
    (void)conn;
    (void)rc;
    (void)detail;
    end->conn = NULL;
    end->server->closed++;
}

static void on_accept(void *arg, struct env_conn *conn)
{
    static const struct env_conn_handlers handlers = {
        .on_open = on_open, .on_data = on_data, .on_close = on_close};
    struct server *server = arg;
    ASSERT(server->end_count < SERVER_CONNECTIONS_MAX);
    struct server_end *end = calloc(1, sizeof(*end));
    ASSERT(end != NULL);
    end->server = server;
    end->conn = conn;
    server->ends[server->end_count++] = end;
    env_conn_adopt(conn, &handlers, end);
}

/* ---- life ---- */

void server_start(struct server *server, struct env *env, struct env_tls *tls, const char *host)
{
    char address[ENV_ADDRESS_MAX];
    memset(server, 0, sizeof(*server));
    server->env = env;
    server->tls = tls;
    server->hello.version = OP_PROTOCOL_VERSION;
    server->hello.cluster = bytes_of_text("c");
    server->hello.incarnation.bytes[0] = 0xa0;
    server->hello.node = 1;
    (void)snprintf(address, sizeof(address), "%s:0", host);
    ASSERT(env_listen(env, address, tls, "tenure/1", on_accept, server, server->address,
                      &server->listener) == ENV_OK);
}

void server_stop(struct server *server)
{
    if (server->listener != NULL) {
        env_listener_close(server->listener);
        server->listener = NULL;
    }
    for (size_t i = 0; i < server->end_count; i++) {
        server_close(server->ends[i]);
    }
}

void server_done(struct server *server)
{
    for (size_t i = 0; i < server->end_count; i++) {
        free(server->ends[i]);
    }
    env_tls_destroy(server->tls);
}

struct server_end *server_newest(const struct server *server)
{
    for (size_t i = server->end_count; i > 0; i--) {
        if (server->ends[i - 1]->conn != NULL) {
            return server->ends[i - 1];
        }
    }
    return NULL;
}

size_t server_open_count(const struct server *server)
{
    size_t count = 0;
    for (size_t i = 0; i < server->end_count; i++) {
        count += server->ends[i]->conn != NULL;
    }
    return count;
}

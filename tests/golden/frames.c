/* What clients send and get, of every operation; what of it stands in the log; tokens; and a
 * history of calls. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "jepsen/check/history.h"
#include "op/command.h"
#include "op/denials.h"
#include "op/frame.h"
#include "op/token.h"
#include "tests/golden/golden.h"

enum { FRAME_MAX = 64 * 1024 };

static uint8_t buffer[FRAME_MAX];
static struct base_writer writer;

static void begin(void)
{
    base_writer_init(&writer, buffer, sizeof(buffer));
}

static void add(struct golden *golden, const char *what, const char *kind)
{
    char name[GOLDEN_NAME_MAX];
    ASSERT(!writer.failed);
    snprintf(name, sizeof(name), "%s %s", what, kind);
    golden_add(golden, name, base_written(&writer));
}

/* ---- frames ---- */

/* The operations that the node answers of itself. */
static const struct {
    const char *method;
    const struct op_struct *request, *reply;
} own[] = {
    {OP_METHOD_HELLO, &op_hello_request_struct, &op_hello_reply_struct},
    {OP_METHOD_STATUS, &op_status_request_struct, &op_status_reply_struct},
    {OP_METHOD_TIME, &op_time_request_struct, &op_time_reply_struct},
    {OP_METHOD_SNAPSHOT_TAKE, &op_snapshot_take_request_struct, &op_snapshot_take_reply_struct},
    {OP_METHOD_SNAPSHOT_READ, &op_snapshot_read_request_struct, &op_snapshot_read_reply_struct},
};
enum { OWN = sizeof(own) / sizeof(own[0]) };

static const struct op_reply_head sample_head = {.outcome = OP_OK,
                                                 .position = 1234,
                                                 .time = 1700000000000000,
                                                 .clock = 1700000000000001,
                                                 .term = 7};

static void make_method(struct golden *golden, uint32_t msgid, const char *method,
                        const struct op_struct *request, const struct op_struct *reply,
                        bool enveloped)
{
    union op_request asked;
    union {
        union op_reply of_row;
        struct op_status_reply status;
        struct op_snapshot_take_reply taken;
    } answered;
    struct op_envelope envelope;
    struct op_reply_head head = sample_head;
    golden_fill(0, msgid, false, request, &asked);
    golden_fill(1, msgid, false, &op_envelope_struct, &envelope);
    begin();
    op_request_write(&writer, msgid, method, enveloped ? &envelope : NULL, request, &asked);
    add(golden, method, "request");
    ASSERT(reply->size <= sizeof(answered));
    golden_fill(0, msgid + 1000, false, reply, &answered);
    begin();
    op_response_write(&writer, msgid, &head, NULL, reply, &answered);
    add(golden, method, "reply");
}

void golden_frames_make(struct golden *golden)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);
    struct op_reply_head head = sample_head;
    struct op_details details;
    for (uint32_t i = 0; i < OWN; i++) {
        make_method(golden, 2000 + i, own[i].method, own[i].request, own[i].reply, false);
    }
    for (size_t i = 0; i < count; i++) {
        make_method(golden, rows[i].number, rows[i].method, rows[i].request, rows[i].reply, true);
    }
    golden_fill(0, 7, false, &op_details_struct, &details);
    head.outcome = OP_FENCED;
    head.leader = bytes_of_text("10.0.0.1:7400");
    head.message = bytes_of_text("the fence refuses this task here");
    begin();
    op_response_write(&writer, 5, &head, &details, &op_details_struct, &details);
    add(golden, "any", "error");
    begin();
    op_notification_write(&writer, OP_METHOD_CANCEL, 9);
    add(golden, OP_METHOD_CANCEL, "notification");
}

/* By the piece's name, of which the kind comes last. */
static const struct op_struct *struct_of(const char *name, bool reply, bool *ret_enveloped)
{
    struct bytes method = bytes_of(name, strcspn(name, " "));
    const struct op_row *row = op_row_of_method(method);
    *ret_enveloped = row != NULL;
    for (size_t i = 0; i < OWN; i++) {
        if (bytes_equal(method, bytes_of_text(own[i].method))) {
            return reply ? own[i].reply : own[i].request;
        }
    }
    return row == NULL ? NULL : reply ? row->reply : row->request;
}

static void tell_request(FILE *text, const struct golden_piece *piece,
                         const struct op_message *message)
{
    static union op_request request;
    struct op_envelope envelope;
    struct op_fault fault = {.text = ""};
    bool enveloped;
    const struct op_struct *s = struct_of(piece->name, false, &enveloped);
    bool read = s != NULL &&
                (enveloped ? op_map_read(message->params, &op_envelope_struct, &envelope, s,
                                         &request, &fault)
                           : op_map_read(message->params, s, &request, NULL, NULL, &fault));
    if (!read) {
        fprintf(text, "  is not read: %s\n", fault.text);
        return;
    }
    if (enveloped) {
        golden_struct(text, "  envelope", &op_envelope_struct, &envelope);
    }
    golden_struct(text, "  request", s, &request);
}

static void tell_response(FILE *text, const struct golden_piece *piece,
                          const struct op_message *message)
{
    static union {
        union op_reply of_row;
        struct op_status_reply status;
        struct op_snapshot_take_reply taken;
    } reply;
    struct op_reply_head head;
    struct op_details details;
    struct op_fault fault = {.text = ""};
    bool enveloped;
    const struct op_struct *s = struct_of(piece->name, true, &enveloped);
    s = s == NULL ? &op_details_struct : s;
    if (!op_response_read(message, &head, &details, s, &reply, &fault)) {
        fprintf(text, "  is not read: %s\n", fault.text);
        return;
    }
    fprintf(text,
            "  outcome=%u position=%" PRIu64 " time=%" PRIu64 " clock=%" PRIu64 " term=%" PRIu64
            " leader=%.*s message=%.*s\n",
            (unsigned)head.outcome, head.position, head.time, head.clock, head.term,
            (int)head.leader.size, (const char *)head.leader.data, (int)head.message.size,
            (const char *)head.message.data);
    if (head.outcome == OP_OK) {
        golden_struct(text, "  reply", s, &reply);
    } else {
        golden_struct(text, "  details", &op_details_struct, &details);
    }
}

void golden_frames_tell(const struct golden *golden, FILE *text)
{
    for (size_t i = 0; i < golden->count; i++) {
        const struct golden_piece *piece = &golden->pieces[i];
        struct op_message message;
        struct op_fault fault;
        fprintf(text, "%s\n", piece->name);
        if (piece->size < OP_FRAME_PREFIX ||
            !op_message_read(bytes_of(piece->data + OP_FRAME_PREFIX, piece->size - OP_FRAME_PREFIX),
                             &message, &fault)) {
            fprintf(text, "  is no message\n");
            continue;
        }
        switch (message.kind) {
        case OP_MESSAGE_REQUEST:
            tell_request(text, piece, &message);
            break;
        case OP_MESSAGE_RESPONSE:
            tell_response(text, piece, &message);
            break;
        case OP_MESSAGE_NOTIFICATION:
            golden_hex(text, "  notification", message.params);
            break;
        }
    }
}

/* ---- entries of the log ---- */

static void make_entry(struct golden *golden, const struct op_command *command, const char *name)
{
    begin();
    op_entry_begin(&writer);
    op_entry_add(&writer, command);
    op_entry_finish(&writer, 1700000000000002, 1);
    add(golden, name, "entry");
}

static void make_operation(struct golden *golden, const struct op_row *row)
{
    static uint8_t body[FRAME_MAX];
    static union op_request request;
    struct base_writer stored;
    struct op_command command = {.number = row->number,
                                 .caller = {.tenant = bytes_of_text("acme"),
                                            .name = bytes_of_text("service/web"),
                                            .role = OP_ROLE_SERVICE,
                                            .instance = {{1, 2, 3}}},
                                 .client = 5,
                                 .incarnation = {{4, 5, 6}},
                                 .request = 7,
                                 .attempt = 2,
                                 .lowest = 6,
                                 .minted_id = {{9}}};
    memset(command.digest, 0xd1, sizeof(command.digest));
    memset(command.operation_digest, 0xd2, sizeof(command.operation_digest));
    memset(command.minted_verifier, 0xd3, sizeof(command.minted_verifier));
    golden_fill(0, row->number, true, row->request, &request);
    base_writer_init(&stored, body, sizeof(body));
    op_store(&stored, row->request, &request, OP_STORE_ALL);
    command.body = base_written(&stored);
    make_entry(golden, &command, row->method);
}

void golden_entries_make(struct golden *golden)
{
    static const struct op_denial denial = {.tenant = {(const uint8_t *)"acme", 4},
                                            .name = {(const uint8_t *)"service/web", 11},
                                            .user = {(const uint8_t *)"alice", 5},
                                            .object = {{7}},
                                            .count = 3};
    uint8_t rows_buffer[256];
    struct base_writer rows_writer;
    size_t count;
    const struct op_row *rows = op_rows(&count);
    struct op_command command = {.number = OP_COMMAND_TICK};
    make_entry(golden, &command, "tick");
    command = (struct op_command){.number = OP_COMMAND_TERM_START, .term = 12};
    make_entry(golden, &command, "term-start");
    command = (struct op_command){.number = OP_COMMAND_REUSE, .minted_id = {{8}}};
    memset(command.minted_verifier, 0xd4, sizeof(command.minted_verifier));
    make_entry(golden, &command, "reuse");
    base_writer_init(&rows_writer, rows_buffer, sizeof(rows_buffer));
    op_denials_write(&rows_writer, &denial, 1, 2);
    command = (struct op_command){.number = OP_COMMAND_DENIALS, .body = base_written(&rows_writer)};
    make_entry(golden, &command, "denials");
    command = (struct op_command){.number = OP_COMMAND_LEVEL, .level = 3};
    make_entry(golden, &command, "level");
    for (size_t i = 0; i < count; i++) {
        if (rows[i].access != OP_READ) {
            make_operation(golden, &rows[i]);
        }
    }
}

static void tell_caller(FILE *text, const struct op_command *command)
{
    fprintf(text,
            "  caller=%.*s %.*s role=%u client=%" PRIu64 " request=%" PRIu64 " attempt=%" PRIu64
            " lowest=%" PRIu64 "\n",
            (int)command->caller.tenant.size, (const char *)command->caller.tenant.data,
            (int)command->caller.name.size, (const char *)command->caller.name.data,
            command->caller.role, command->client, command->request, command->attempt,
            command->lowest);
    golden_hex(text, "  digest", bytes_of(command->digest, sizeof(command->digest)));
    golden_hex(text, "  operation digest",
               bytes_of(command->operation_digest, sizeof(command->operation_digest)));
}

static void tell_body(FILE *text, const struct op_command *command)
{
    static union op_request request;
    static uint8_t again[FRAME_MAX];
    const struct op_row *row = op_row_of_number(command->number);
    struct base_reader reader;
    struct base_writer stored;
    base_reader_init(&reader, command->body);
    memset(&request, 0, sizeof(request));
    if (row == NULL || !op_load(&reader, row->request, &request) ||
        !base_reader_finished(&reader)) {
        golden_hex(text, "  body", command->body);
        return;
    }
    tell_caller(text, command);
    golden_struct(text, "  request", row->request, &request);
    base_writer_init(&stored, again, sizeof(again));
    op_store(&stored, row->request, &request, OP_STORE_ALL); /* verifiers are not shown above */
    fprintf(text, "  stored again: %s\n",
            bytes_equal(base_written(&stored), command->body) ? "the same" : "other bytes");
}

void golden_entries_tell(const struct golden *golden, FILE *text)
{
    for (size_t i = 0; i < golden->count; i++) {
        struct base_reader reader;
        struct op_entry_head head;
        struct op_command command;
        base_reader_init(&reader, golden_bytes(&golden->pieces[i]));
        fprintf(text, "%s\n", golden->pieces[i].name);
        if (!op_entry_read(&reader, &head) || !op_command_read(&reader, &command) ||
            !base_reader_finished(&reader)) {
            fprintf(text, "  is not read\n");
            continue;
        }
        fprintf(text, "  stamp=%" PRIu64 " count=%u number=%u term=%" PRIu64 "\n", head.stamp,
                head.count, command.number, command.term);
        if (command.number == OP_COMMAND_LEVEL) {
            fprintf(text, "  level=%" PRIu64 "\n", command.level);
        }
        golden_hex(text, "  minted", bytes_of(command.minted_id.bytes, 16));
        golden_hex(text, "  verifier",
                   bytes_of(command.minted_verifier, sizeof(command.minted_verifier)));
        tell_body(text, &command);
    }
}

/* ---- tokens ---- */

static struct op_token sample_token(bool fence)
{
    struct op_token token = {.incarnation = {{1, 2, 3}}, .id = {{4, 5, 6}}};
    token.epoch = fence ? 17 : 0;
    token.attempt = fence ? 23 : 0;
    memset(token.secret, 0x5e, sizeof(token.secret));
    return token;
}

void golden_tokens_make(struct golden *golden)
{
    static const char *const names[] = {"session", "fence"};
    for (int fence = 0; fence < 2; fence++) {
        struct op_token token = sample_token(fence == 1);
        begin();
        op_token_write(&writer, fence == 1 ? OP_TOKEN_fence : OP_TOKEN_session, &token);
        add(golden, names[fence], "token");
    }
}

void golden_tokens_tell(const struct golden *golden, FILE *text)
{
    for (size_t i = 0; i < golden->count; i++) {
        struct bytes bytes = golden_bytes(&golden->pieces[i]);
        struct op_token token;
        bool fence = strncmp(golden->pieces[i].name, "fence", 5) == 0;
        fprintf(text, "%.*s\n", (int)bytes.size, (const char *)bytes.data);
        if (!op_token_read(bytes, fence ? OP_TOKEN_fence : OP_TOKEN_session, &token)) {
            fprintf(text, "  is not read\n");
            continue;
        }
        fprintf(text, "  epoch=%" PRIu64 " attempt=%" PRIu64 "\n", token.epoch, token.attempt);
        golden_hex(text, "  incarnation", bytes_of(token.incarnation.bytes, 16));
        golden_hex(text, "  id", bytes_of(token.id.bytes, 16));
        golden_hex(text, "  secret", bytes_of(token.secret, sizeof(token.secret)));
    }
}

/* ---- a history ---- */

static void make_call(struct history *history, const struct op_row *row)
{
    static union op_request request;
    static union op_reply reply;
    const struct history_call call = {.proc = 1,
                                      .seq = row->number,
                                      .attempt = 1,
                                      .f = row->number,
                                      .caller = {.tenant = bytes_of_text("acme"),
                                                 .certificate = bytes_of_text("service/web"),
                                                 .role = OP_ROLE_SERVICE,
                                                 .instance = {{1}}},
                                      .client = 5,
                                      .number = row->number,
                                      .call_ns = 1000,
                                      .request = &request};
    const struct history_answer answer = {.outcome = OP_OK,
                                          .ret_ns = 2000,
                                          .position = 77,
                                          .time = 88,
                                          .clock = 99,
                                          .term = 3,
                                          .reply = &reply};
    golden_fill(0, row->number, false, row->request, &request);
    golden_fill(1, row->number + 1, false, row->reply, &reply);
    history_return(history, history_invoke(history, &call), &answer);
}

static void keep_lines(struct golden *golden, const struct history *history)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&lines, &size);
    ASSERT(file != NULL);
    ASSERT(history_write(history, file));
    fclose(file);
    golden_add(golden, "lines", bytes_of(lines, size));
    free(lines);
}

void golden_history_make(struct golden *golden)
{
    struct history *history = history_create();
    make_call(history, op_row_of_number(OP_session_create));
    make_call(history, op_row_of_number(OP_state_put));
    make_call(history, op_row_of_number(OP_task_claim));
    make_call(history, op_row_of_number(OP_session_list));
    keep_lines(golden, history);
    history_destroy(history);
}

/* Read, and written again: the lines are text already. */
void golden_history_tell(const struct golden *golden, FILE *text)
{
    struct history *history = history_create();
    struct bytes lines = golden_bytes(&golden->pieces[0]);
    char fault[256];
    FILE *file = fmemopen((void *)(uintptr_t)lines.data, lines.size, "r");
    ASSERT(file != NULL);
    if (!history_read(history, file, fault, sizeof(fault)) || !history_write(history, text)) {
        fprintf(text, "is not read: %s\n", fault);
    }
    fclose(file);
    history_destroy(history);
}

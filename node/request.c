/* The states of a client's call, and its one answer. */
#include "node/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/crypto.h"
#include "fsm/fsm.h"
#include "node/derive.h"
#include "node/inspect.h"
#include "node/internal.h"

#define TO(state) (1u << (state))

static const unsigned moves[] = {
    [REQUEST_RECEIVED] = TO(REQUEST_QUEUED) | TO(REQUEST_ARRIVED) | TO(REQUEST_ANSWERED),
    [REQUEST_QUEUED] = TO(REQUEST_SUBMITTED) | TO(REQUEST_ANSWERED),
    [REQUEST_SUBMITTED] = TO(REQUEST_ANSWERED),
    [REQUEST_ARRIVED] = TO(REQUEST_CONFIRMING) | TO(REQUEST_ANSWERED),
    [REQUEST_CONFIRMING] = TO(REQUEST_WAITING) | TO(REQUEST_QUEUED) | TO(REQUEST_OPERATING) |
                           TO(REQUEST_ANSWERED),
    [REQUEST_WAITING] = TO(REQUEST_QUEUED) | TO(REQUEST_ANSWERED),
    [REQUEST_OPERATING] = TO(REQUEST_ANSWERED),
    [REQUEST_ANSWERED] = 0,
};

void node_request_move(struct node_request *request, enum request_state to)
{
    ASSERT(moves[request->state] & TO(to));
    request->state = to;
}

static size_t texts_size(const struct node_request *request)
{
    return request->caller.tenant.size + request->caller.name.size;
}

struct bytes node_request_body(const struct node_request *request)
{
    return bytes_of(request->bytes + texts_size(request), request->body_size);
}

struct bytes node_request_command(const struct node_request *request)
{
    return bytes_of(request->bytes + texts_size(request), request->command_size);
}

void node_request_decode(const struct node_request *request, union op_request *ret_request,
                         struct op_command *ret_command)
{
    struct bytes body = node_request_body(request);
    struct base_reader reader;
    if (request->row->access != OP_READ) {
        base_reader_init(&reader, node_request_command(request));
        bool read = op_command_read(&reader, ret_command);
        ASSERT(read); /* we wrote it */
        body = ret_command->body;
    }
    base_reader_init(&reader, body);
    bool loaded = op_load(&reader, request->row->request, ret_request);
    ASSERT(loaded); /* we stored it */
}

static void request_free(struct node_request *request)
{
    list_remove(&request->in_queue);
    list_remove(&request->in_connection);
    env_wipe(request->secret, sizeof(request->secret));
    free(request);
}

/* What the answer to this row shows belongs to its asker alone: it is not left in our memory. */
static bool tells_secret(const struct op_row *row)
{
    return op_minted_token(row) != NULL || row->number == OP_session_derive;
}

void node_request_answer(struct node *node, struct node_request *request,
                         const struct op_reply_head *head, const struct op_details *details,
                         const struct op_struct *s, const void *value)
{
    node_request_move(request, REQUEST_ANSWERED);
    node_observe_answer(node, request, head->outcome, details);
    struct node_connection *connection = request->connection;
    uint32_t msgid = request->msgid;
    bool unwanted = request->unwanted;
    bool secret = tells_secret(request->row);
    if (connection != NULL) {
        node_connection_forget(connection, request);
    }
    request_free(request);
    if (connection == NULL) {
        return; /* R3 */
    }
    if (!unwanted) {
        struct base_writer writer;
        base_writer_init(&writer, node->scratch, NODE_SCRATCH);
        op_response_write(&writer, msgid, head, details, s, value);
        ASSERT(!writer.failed); /* every reply's fields are bounded below OP_FRAME_MAX */
        struct bytes frame = base_written(&writer);
        node_connection_send(connection, frame);
        if (secret) {
            env_wipe(node->scratch, frame.size);
        }
    }
    node_connection_relieved(connection);
}

void node_request_refuse(struct node *node, struct node_request *request, enum op_outcome outcome)
{
    struct op_reply_head head = node_head(node, outcome);
    struct op_details details = {.has_hint = outcome == OP_OVERLOADED,
                                 .hint = node_batch_hint(node->batch)};
    node_request_answer(node, request, &head, details.has_hint ? &details : NULL, NULL, NULL);
}

static struct op_reply_head head_of(struct node *node, const struct fsm_reply *reply,
                                    uint64_t clock, bool stale)
{
    return (struct op_reply_head){
        .outcome = reply->outcome,
        .position = reply->position,
        .time = reply->time,
        .clock = clock,
        .term = reply->term,
        .superseded = reply->superseded,
        .stale = stale,
        .leader = node_leader_address(node),
    };
}

/* Puts the minted secret into the reply's token, or takes the token out when it has none. */
static void complete_token(const struct node_request *request, const struct fsm_reply *reply,
                           union op_reply *value)
{
    const struct op_field *field = op_minted_token(request->row);
    if (field == NULL) {
        return;
    }
    bool *has = (bool *)((uint8_t *)value + field->has_offset);
    struct op_token *token = (struct op_token *)(void *)((uint8_t *)value + field->offset);
    *has = reply->minted;
    memcpy(token->secret, request->secret, sizeof(token->secret));
}

/* A derived value is made here: its key is no part of the FSM's state. */
static void complete_derived(struct node *node, const struct node_request *request,
                             union op_reply *value, uint8_t derived[32])
{
    if (request->row->number != OP_session_derive) {
        return;
    }
    union op_request asked;
    node_request_decode(request, &asked, NULL);
    const struct node_derive_source source = {.tenant = request->caller.tenant,
                                              .session = value->session_derive.session,
                                              .label = asked.session_derive.label};
    node_derive(node->bootstrap->derive_key, &source, derived);
    value->session_derive.has_value = true;
    value->session_derive.value = bytes_of(derived, 32);
}

void node_request_reply(struct node *node, struct node_request *request,
                        const struct fsm_reply *reply, uint64_t clock)
{
    struct op_reply_head head = head_of(node, reply, clock, request->stale);
    if (reply->repeated) {
        node_observe_count(node, METRIC_REPEATED);
    }
    struct base_reader reader;
    base_reader_init(&reader, reply->body);
    if (op_outcome_class(reply->outcome) != OP_CLASS_DONE) {
        if (reply->outcome == OP_NOT_FOUND && !request->stale) {
            node_batch_denied(node, request, !reply->repeated);
        }
        struct op_details details;
        bool loaded = op_load(&reader, &op_details_struct, &details);
        ASSERT(loaded);
        node_request_answer(node, request, &head, &details, NULL, NULL);
        return;
    }
    uint8_t derived[32];
    union op_reply value;
    bool loaded = op_load(&reader, request->row->reply, &value);
    ASSERT(loaded); /* the FSM wrote it */
    complete_token(request, reply, &value);
    complete_derived(node, request, &value, derived);
    struct rlog_status status;
    node_inspect(node, request->row, &value, &status);
    const struct op_row *row = request->row;
    node_request_answer(node, request, &head, NULL, row->reply, &value);
    if (tells_secret(row)) {
        env_wipe(&value, sizeof(value));
        env_wipe(derived, sizeof(derived));
    }
}

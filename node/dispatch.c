/* From a client's message to a request: envelope, role, fields, verifiers, digest, mint. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/crypto.h"
#include "node/internal.h"

/* One call while it is being taken apart. */
struct call {
    struct node *node;
    struct node_connection *connection;
    const struct op_message *message;
    const struct op_row *row;
    struct op_envelope envelope;
    union op_request request;
};

static void refuse(const struct call *call, enum op_outcome outcome, const char *text,
                   const char *field)
{
    struct op_reply_head head = node_head(call->node, outcome);
    head.message = text == NULL ? BYTES_NONE : bytes_of_text(text);
    struct op_details details = {.has_field = field != NULL,
                                 .has_hint = outcome == OP_OVERLOADED,
                                 .hint = NODE_OVERLOADED_HINT_US};
    if (field != NULL) {
        details.field = bytes_of_text(field);
    }
    struct base_writer writer;
    base_writer_init(&writer, call->node->scratch, NODE_SCRATCH);
    op_response_write(&writer, call->message->msgid, &head, &details, NULL, NULL);
    node_observe_refusal(call->node, call->connection, call->row, call->message->msgid, outcome);
    node_connection_send(call->connection, base_written(&writer));
}

/* An operator names the tenant in each call, but in a read of what is no tenant's; a service's
 * stands in its certificate. */
static bool take_tenant(const struct call *call, struct bytes *ret_tenant)
{
    bool is_operator = call->connection->role == OP_ROLE_OPERATOR;
    bool named = call->envelope.has_tenant;
    bool of_none = call->row->access == OP_READ && call->row->roles == OP_ROLE_OPERATOR;
    if (is_operator && !named && of_none) {
        *ret_tenant = BYTES_NONE;
        return true;
    }
    if (is_operator && !named) {
        refuse(call, OP_INVALID, "an operator has to name the tenant", "tenant");
        return false;
    }
    if (!is_operator && named) {
        refuse(call, OP_FORBIDDEN, "only an operator may name a tenant", "tenant");
        return false;
    }
    *ret_tenant = is_operator ? call->envelope.tenant : bytes_of_text(call->connection->tenant);
    return true;
}

/* Numbered operations carry client, incarnation, number, try and lowest open number. */
static bool check_numbers(const struct call *call)
{
    const struct op_envelope *e = &call->envelope;
    if (call->row->idempotency != OP_NUMBERED) {
        return true;
    }
    const char *missing = !e->has_client        ? "client"
                          : !e->has_incarnation ? "incarnation"
                          : !e->has_number      ? "number"
                          : !e->has_attempt     ? "attempt"
                          : !e->has_lowest      ? "lowest"
                                                : NULL;
    if (missing != NULL) {
        refuse(call, OP_INVALID, "this operation needs a request number of a registered client",
               missing);
        return false;
    }
    if (e->number == 0 || e->attempt == 0 || e->lowest == 0 || e->lowest > e->number) {
        refuse(call, OP_INVALID, "numbers count from 1, and lowest is at most number", "number");
        return false;
    }
    return true;
}

static void visit_token(void *arg, struct op_token *token)
{
    const struct node *node = arg;
    node_mint_verifier(&node->mint, token);
    env_wipe(token->secret, sizeof(token->secret));
}

/* First 16 bytes of SHA-256 over the operation's number and its fields in stored form. */
static void digest_of(struct node *node, const struct call *call, enum op_store_flags flags,
                      uint8_t ret_digest[16])
{
    struct base_writer writer;
    base_writer_init(&writer, node->scratch, NODE_SCRATCH);
    base_write_u32(&writer, (uint32_t)call->row->number);
    op_store(&writer, call->row->request, &call->request, flags);
    ASSERT(!writer.failed);
    uint8_t digest[32];
    env_hasher_sha256(node->mint.hasher, base_written(&writer), digest);
    memcpy(ret_digest, digest, 16);
}

/* The greatest frame that this operation's result can make, roughly: its fields at their bounds. */
static size_t answer_most(const struct op_row *row)
{
    size_t size = 512;
    for (size_t i = 0; i < row->reply->field_count; i++) {
        const struct op_field *field = &row->reply->fields[i];
        bool sized = field->kind == OP_KIND_blob || field->kind == OP_KIND_text;
        size += 64 + (sized ? field->bound : 0);
    }
    return size;
}

/* NULL: the node has no memory for it. */
static struct node_request *request_create(const struct call *call, struct bytes tenant,
                                           size_t size)
{
    struct bytes name = bytes_of_text(call->connection->name);
    struct node_request *request = NULL;
    size_t cost = sizeof(*request) + tenant.size + name.size + size + answer_most(call->row);
    if (node_listener_has_room(&call->node->listener, cost)) {
        request = calloc(1, sizeof(*request) + tenant.size + name.size + size);
    }
    if (request == NULL) {
        return NULL;
    }
    memcpy(request->bytes, tenant.data, tenant.size);
    memcpy(request->bytes + tenant.size, name.data, name.size);
    request->caller = (struct op_caller){
        .tenant = bytes_of(request->bytes, tenant.size),
        .name = bytes_of(request->bytes + tenant.size, name.size),
        .role = call->connection->role,
        .instance = call->connection->instance,
    };
    request->state = REQUEST_RECEIVED;
    request->row = call->row;
    request->connection_number = call->connection->number;
    request->arrived_us = env_mono_us(call->node->env);
    request->msgid = call->message->msgid;
    request->connection = call->connection;
    list_init(&request->in_queue);
    request->cost = cost;
    node_connection_own(call->connection, request);
    return request;
}

static bool is_stale(const struct call *call)
{
    return call->envelope.has_stale && call->envelope.stale;
}

static void count_token(void *arg, struct op_token *token)
{
    (void)token;
    ++*(size_t *)arg;
}

/* Stale reads exist where nobody's right hangs on them (section 7): a token would be a decision. */
static bool check_stale(struct call *call)
{
    size_t tokens = 0;
    op_visit_tokens(call->row->request, &call->request, count_token, &tokens);
    if (!is_stale(call) || (call->row->may_be_stale && tokens == 0)) {
        return true;
    }
    refuse(call, OP_INVALID,
           tokens > 0 ? "a stale read decides nothing: it takes no token"
                      : "this operation has no stale form",
           "stale");
    return false;
}

static void dispatch_read(struct call *call, struct bytes tenant)
{
    struct base_writer writer;
    base_writer_init(&writer, call->node->scratch, NODE_SCRATCH);
    op_store(&writer, call->row->request, &call->request, OP_STORE_ALL);
    struct bytes body = base_written(&writer);
    struct node_request *request = request_create(call, tenant, body.size);
    if (request == NULL) {
        refuse(call, OP_OVERLOADED, NULL, NULL);
        return;
    }
    request->body_size = body.size;
    memcpy(request->bytes + tenant.size + request->caller.name.size, body.data, body.size);
    request->stale = is_stale(call);
    if (request->stale) {
        node_reads_stale(call->node, request);
    } else {
        node_reads_add(call->node, request);
    }
}

/* Does what may be either seem to have something to write? Nothing is confirmed yet: this chooses
 * its way, and the answer at the end of either way is a confirmed read's or a command's. */
static bool seems_to_write(const struct call *call, const struct op_command *command)
{
    struct node *node = call->node;
    struct fsm_read read = {.caller = command->caller,
                            .number = call->row->number,
                            .request = &call->request,
                            .clock = node_time_clock(&node->time, env_boot_us(node->env)),
                            .command = command};
    return call->row->access == OP_WRITE || fsm_read_writes(node->fsm, &read);
}

/* Does the cluster's feature level allow it, as far as this node knows? Where not, a confirmed
 * round says so (node/reads.c): the level may have been raised by another leader. */
static bool is_served(const struct call *call)
{
    return node_level_admits(call->node, op_row_level(call->row));
}

static void dispatch_write(struct call *call, struct bytes tenant)
{
    struct node *node = call->node;
    struct op_command command = {
        .number = (uint32_t)call->row->number,
        .caller = {.tenant = tenant,
                   .name = bytes_of_text(call->connection->name),
                   .role = call->connection->role,
                   .instance = call->connection->instance},
        .client = call->envelope.client,
        .incarnation = call->envelope.incarnation,
        .request = call->envelope.number,
        .attempt = call->envelope.attempt,
        .lowest = call->envelope.lowest,
    };
    digest_of(node, call, OP_STORE_ALL, command.digest);
    digest_of(node, call, OP_STORE_WITHOUT_TOKENS, command.operation_digest);
    uint8_t secret[32];
    node_mint_command(node, call->row, &call->request, &command, secret);
    struct base_writer body;
    base_writer_init(&body, node->scratch, NODE_SCRATCH);
    op_store(&body, call->row->request, &call->request, OP_STORE_ALL);
    command.body = base_written(&body);
    size_t size = op_command_size(&command);
    struct node_request *request = size > OP_COMMAND_BYTES_MAX ? NULL
                                                               : request_create(call, tenant, size);
    if (request == NULL) {
        refuse(call, size > OP_COMMAND_BYTES_MAX ? OP_INVALID : OP_OVERLOADED,
               size > OP_COMMAND_BYTES_MAX ? "the request is larger than 96 KiB" : NULL, NULL);
        env_wipe(secret, sizeof(secret));
        return;
    }
    request->command_size = size;
    memcpy(request->secret, secret, sizeof(secret));
    env_wipe(secret, sizeof(secret));
    struct base_writer writer;
    base_writer_init(&writer, request->bytes + tenant.size + request->caller.name.size, size);
    op_entry_add(&writer, &command);
    ASSERT(!writer.failed);
    if (is_served(call) && seems_to_write(call, &command)) {
        node_batch_add(node, request);
    } else {
        node_reads_add(node, request);
    }
}

static void cancel(struct node_connection *connection, const struct op_message *message)
{
    struct op_cancel which;
    struct op_fault fault;
    if (!op_map_read(message->params, &op_cancel_struct, &which, NULL, NULL, &fault)) {
        node_connection_break(connection, fault.text);
        return;
    }
    LIST_FOR_EACH(at, &connection->requests)
    {
        struct node_request *request = LIST_ENTRY(at, struct node_request, in_connection);
        if (request->msgid == which.msgid && !request->unwanted) {
            request->unwanted = true; /* it goes on, and counts until it is answered */
            return;
        }
    }
}

static void dispatch_call(struct call *call)
{
    struct op_fault fault;
    if (!op_map_read(call->message->params, &op_envelope_struct, &call->envelope,
                     call->row->request, &call->request, &fault)) {
        refuse(call, fault.outcome, fault.text, fault.field);
        return;
    }
    struct bytes tenant;
    if ((call->row->roles & (uint32_t)call->connection->role) == 0) {
        refuse(call, OP_FORBIDDEN, NULL, NULL);
        return;
    }
    if (!take_tenant(call, &tenant) || !check_numbers(call) || !check_stale(call)) {
        return;
    }
    enum op_outcome admitted = is_stale(call) && !call->node->stopping
                                   ? OP_OK
                                   : node_lead_admits(call->node, call->row);
    if (admitted == OP_OK && is_stale(call) && !is_served(call)) {
        admitted = OP_NOT_YET;
    }
    if (admitted != OP_OK) {
        refuse(call, admitted, NULL, NULL);
        return;
    }
    op_visit_tokens(call->row->request, &call->request, visit_token, call->node);
    if (call->row->access == OP_READ) {
        dispatch_read(call, tenant);
    } else {
        dispatch_write(call, tenant);
    }
}

void node_dispatch_message(struct node *node, struct node_connection *connection,
                           const struct op_message *message)
{
    switch (message->kind) {
    case OP_MESSAGE_RESPONSE:
        node_connection_break(connection, "a client sends no responses");
        return;
    case OP_MESSAGE_NOTIFICATION:
        if (bytes_equal(message->method, bytes_of_text(OP_METHOD_CANCEL))) {
            cancel(connection, message);
        }
        return;
    case OP_MESSAGE_REQUEST:
        break;
    }
    struct call call = {.node = node, .connection = connection, .message = message};
    call.row = op_row_of_method(message->method);
    if (call.row == NULL) {
        refuse(&call, OP_PROTOCOL, "no such method", NULL);
        return;
    }
    dispatch_call(&call);
    env_wipe(&call.request, sizeof(call.request));
}

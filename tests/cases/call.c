/* Reading one call of a case file. What a certificate's client library and the leader would add is
 * added here: a registered client, the next number, a fresh id and secret.
 *
 * Words that every call takes beside its fields:
 *   as=NAME        a name for what it makes (session, task, fence, client)
 *   cert=ROLE/NAME tenant=NAME instance=N      who calls; service/app, acme, 1
 *   client=NAME number=N try=N lowest=N        the next free number, try 1
 *   incarnation=other                          the client knows the cluster from before a restore
 *   mint=NAME|fresh|none                       the leader minted for the id of NAME, ...
 *   clock=+5s, clock=1005s                     reads: the leader's clock (+: above T)
 */
#include "tests/cases/call.h"

#include "base/sat.h"
#include "op/denials.h"
#include "tests/cases/machines.h"

#include <string.h>

enum { CLIENT_WINDOW = 200, UNKNOWN_CLIENT = 999999999 };

struct envelope {
    struct bytes cert;
    struct bytes tenant;
    struct bytes client;
    struct bytes mint;
    struct bytes clock;
    struct bytes incarnation;
    uint64_t instance;
    uint64_t number;
    uint64_t attempt;
    uint64_t lowest;
    uint64_t term;
    uint64_t count;
};

uint32_t call_mints(const struct op_row *row)
{
    for (size_t i = 0; i < row->reply->field_count; i++) {
        if (row->reply->fields[i].kind == OP_KIND_token) {
            return (uint32_t)row->reply->fields[i].bound;
        }
    }
    return 0;
}

/* ---- clients ---- */

static struct case_client *client_add(struct scenario *scenario, uint64_t position)
{
    struct case_client *client;

    if (scenario->client_count == CASE_CLIENTS_MAX) {
        case_wrong(scenario, "too many clients");
    }
    client = &scenario->clients[scenario->client_count++];
    memset(client, 0, sizeof *client);
    client->position = position;
    client->next = 1;
    client->lowest = 1;
    return client;
}

static struct case_client *client_at(struct scenario *scenario, uint64_t position)
{
    for (size_t i = 0; i < scenario->client_count; i++) {
        if (scenario->clients[i].position == position) {
            return &scenario->clients[i];
        }
    }
    return client_add(scenario, position);
}

static void register_entry(struct scenario *scenario, const struct op_caller *caller,
                           struct answer *ret_answer)
{
    uint8_t buffer[1024];
    uint8_t body[16];
    struct base_writer writer;
    struct base_writer fields;
    struct op_client_register_request request = {.op_unused_ = false};
    struct op_command command = {.number = OP_client_register, .caller = *caller};

    base_writer_init(&fields, body, sizeof body);
    op_store(&fields, op_row_of_number(OP_client_register)->request, &request, OP_STORE_ALL);
    command.body = base_written(&fields);
    base_writer_init(&writer, buffer, sizeof buffer);
    op_entry_begin(&writer);
    op_entry_add(&writer, &command);
    op_entry_finish(&writer, scenario->stamp, 1);
    machines_apply(scenario, base_written(&writer), ret_answer);
}

/* The client that this certificate uses when the file names none; registered when there is none, or
 * when it was silent for too long. */
static struct case_client *client_standing(struct scenario *scenario,
                                           const struct op_caller *caller)
{
    uint64_t now = u64_max(fsm_time(scenario->first.fsm), scenario->stamp);
    struct case_client *client;
    struct answer answer;

    for (size_t i = scenario->client_count; i > 0; i--) {
        client = &scenario->clients[i - 1];
        if (client->standing && bytes_equal(bytes_of_text(client->tenant), caller->tenant) &&
            bytes_equal(bytes_of_text(client->name), caller->name) &&
            sat_add(client->heard, scenario->birth.limits.client_silence_us) > now) {
            return client;
        }
    }
    register_entry(scenario, caller, &answer);
    if (answer.reply.outcome != OP_OK) {
        case_wrong(scenario, "no client for this certificate: %s",
                   op_outcome_name(answer.reply.outcome));
    }
    client = client_add(scenario, answer.reply.position);
    client->standing = true;
    if (!case_copy(client->tenant, sizeof client->tenant, caller->tenant) ||
        !case_copy(client->name, sizeof client->name, caller->name)) {
        case_wrong(scenario, "the certificate's names are too long");
    }
    return client;
}

static struct case_client *client_of(struct scenario *scenario, const struct envelope *envelope,
                                     const struct op_caller *caller)
{
    const struct binding *binding;

    if (envelope->client.size == 0) {
        return client_standing(scenario, caller);
    }
    if (case_word_is(envelope->client, "unknown")) {
        return client_at(scenario, UNKNOWN_CLIENT);
    }
    binding = case_binding(scenario, envelope->client);
    if (binding == NULL || binding->kind != BOUND_CLIENT) {
        case_wrong(scenario, "no such client");
    }
    return client_at(scenario, binding->client);
}

/* The number, and the lowest that is open: a file that says nothing keeps the newest 200 open. */
static void number_request(struct scenario *scenario, const struct envelope *envelope,
                           struct op_command *command)
{
    struct case_client *client = client_of(scenario, envelope, &command->caller);
    bool named = envelope->number != OP_INFINITE;

    command->client = client->position;
    command->request = named ? envelope->number : client->next;
    command->attempt = envelope->attempt;
    if (command->request >= client->next && command->request < OP_INFINITE) {
        client->next = command->request + 1;
    }
    if (envelope->lowest != OP_INFINITE) {
        command->lowest = envelope->lowest;
        client->lowest = u64_max(client->lowest, envelope->lowest);
    } else {
        command->lowest = u64_max(client->lowest, sat_sub(client->next, CLIENT_WINDOW));
        command->lowest = u64_max(1, u64_min(command->lowest, command->request));
    }
    client->heard = u64_max(fsm_time(scenario->first.fsm), scenario->stamp);
}

/* ---- what the leader draws ---- */

/* A fence is for the task that the request names; whatever else is for the id that was drawn. */
static struct id128 token_id(const struct call *call)
{
    const struct op_field *object = op_minted_token(call->row) == NULL ? NULL
                                                                       : op_minted_for(call->row);
    struct id128 id = call->command.minted_id;

    if (object != NULL && object->kind == OP_KIND_token) {
        struct op_token token;

        memcpy(&token, (const uint8_t *)&call->request + object->offset, sizeof token);
        id = token.id;
    } else if (object != NULL) {
        memcpy(&id, (const uint8_t *)&call->request + object->offset, sizeof id);
    }
    return id;
}

static void mint(struct scenario *scenario, const struct envelope *envelope, struct call *call)
{
    struct op_command *command = &call->command;
    const struct binding *binding = case_binding(scenario, envelope->mint);

    command->minted_id = case_draw_id(scenario);
    call->minted_secret = case_draw_secret(scenario);
    if (binding != NULL) {
        command->minted_id = binding->id;
    } else if (case_word_is(envelope->mint, "none")) {
        command->minted_id = ID128_ZERO;
    } else if (envelope->mint.size == 0) {
        (void)fsm_minted_before(scenario->first.fsm, &command->caller, command->client,
                                command->request, &command->minted_id);
    } else if (!case_word_is(envelope->mint, "fresh")) {
        case_wrong(scenario, "mint: a name, fresh or none");
    }
    if (call_mints(call->row) != 0) {
        command->minted_id = token_id(call);
        case_verifier(command->minted_id, call->minted_secret, command->minted_verifier);
    }
}

/* ---- names ---- */

static void bind_user(struct scenario *scenario, const struct call *call, struct binding *binding)
{
    const struct op_field *user = field_of(call->row->request, bytes_of_text("user"));

    if (user != NULL && user->kind == OP_KIND_text) {
        struct bytes text;

        memcpy(&text, (const uint8_t *)&call->request + user->offset, sizeof text);
        if (!case_copy(binding->user, sizeof binding->user, text)) {
            case_wrong(scenario, "too long a user for a name");
        }
    }
    (void)case_copy(binding->tenant, sizeof binding->tenant, call->caller.tenant);
}

static void bind(struct scenario *scenario, struct call *call, size_t ahead)
{
    uint64_t position = fsm_position(scenario->first.fsm) + ahead + 1;
    uint32_t mints = call_mints(call->row);
    enum binding_kind kind = mints == OP_TOKEN_session ? BOUND_SESSION
                             : mints == OP_TOKEN_fence ? BOUND_FENCE
                                                       : BOUND_OBJECT;
    struct binding *binding;

    if (call->name.size == 0) {
        return;
    }
    if (call->row->idempotency == OP_FREE) {
        kind = BOUND_CLIENT;
    }
    binding = case_bind(scenario, call->name, kind);
    binding->id = kind == BOUND_FENCE ? token_id(call) : call->command.minted_id;
    binding->secret = call->minted_secret;
    binding->attempt = position;
    binding->client = position;
    bind_user(scenario, call, binding);
}

static void take_number(const struct op_struct *s, const void *reply, const char *name,
                        uint64_t *number)
{
    const struct op_field *field = field_of(s, bytes_of_text(name));

    if (field != NULL && field->kind == OP_KIND_u64) {
        memcpy(number, (const uint8_t *)reply + field->offset, sizeof *number);
    }
}

void call_bound(struct scenario *scenario, const struct call *call, const void *reply)
{
    const struct op_struct *s = call->row->reply;

    for (size_t i = 0; i < scenario->binding_count && call->name.size > 0; i++) {
        struct binding *binding = &scenario->bindings[i];

        if (bytes_equal(bytes_of_text(binding->name), call->name)) {
            take_number(s, reply, "epoch", &binding->epoch);
            take_number(s, reply, "attempt", &binding->attempt);
            take_number(s, reply, "client", &binding->client);
        }
    }
}

/* ---- words ---- */

static void number_word(const struct scenario *scenario, struct bytes value, uint64_t *ret_number)
{
    if (!case_number_read(value, ret_number)) {
        case_wrong(scenario, "not a number: %.*s", (int)value.size, (const char *)value.data);
    }
}

/* False: not one of the words that every call takes. */
static bool envelope_word(struct scenario *scenario, const struct word *word,
                          struct envelope *envelope, struct call *call)
{
    struct {
        const char *key;
        struct bytes *text;
        uint64_t *number;
    } keys[] = {
        {"as", &call->name, NULL},
        {"cert", &envelope->cert, NULL},
        {"tenant", &envelope->tenant, NULL},
        {"client", &envelope->client, NULL},
        {"mint", &envelope->mint, NULL},
        {"clock", &envelope->clock, NULL},
        {"incarnation", &envelope->incarnation, NULL},
        {"instance", NULL, &envelope->instance},
        {"number", NULL, &envelope->number},
        {"try", NULL, &envelope->attempt},
        {"lowest", NULL, &envelope->lowest},
        {"term", NULL, &envelope->term},
        {"count", NULL, &envelope->count},
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!case_word_is(word->key, keys[i].key)) {
            continue;
        }
        if (keys[i].text != NULL) {
            *keys[i].text = word->value;
        } else {
            number_word(scenario, word->value, keys[i].number);
        }
        return true;
    }
    return false;
}

static void word_read(struct scenario *scenario, const struct word *word, struct call *call,
                      struct envelope *envelope)
{
    const struct op_row *row = call->kind == OP_COMMAND_REUSE
                                   ? op_row_of_number(OP_session_validate) /* for its token */
                               : call->kind == OP_COMMAND_DENIALS
                                   ? op_row_of_number(OP_session_revoke) /* for its user and id */
                                   : call->row;
    const struct op_field *field = row == NULL ? NULL : field_of(row->request, word->key);

    if (word->plain) {
        case_wrong(scenario, "a word without a value: %.*s", (int)word->key.size,
                   (const char *)word->key.data);
    }
    if (field != NULL) {
        value_read(scenario, field, word->value, &call->request);
    } else if (!envelope_word(scenario, word, envelope, call)) {
        case_wrong(scenario, "no such field: %.*s", (int)word->key.size,
                   (const char *)word->key.data);
    }
}

static void caller_read(struct scenario *scenario, const struct envelope *envelope,
                        struct op_caller *caller)
{
    struct bytes name = envelope->cert;
    struct bytes role = case_cut(&name, '/');

    caller->tenant = envelope->tenant;
    caller->name = envelope->cert;
    caller->role = case_word_is(role, "operator") ? OP_ROLE_OPERATOR
                   : case_word_is(role, "peer")   ? OP_ROLE_PEER
                                                  : OP_ROLE_SERVICE;
    caller->instance = (struct id128){{(uint8_t)envelope->instance, 0x22}};
    if (envelope->instance == 0) {
        caller->instance = ID128_ZERO;
    }
    (void)scenario;
}

static uint64_t clock_of(struct scenario *scenario, struct bytes text)
{
    uint64_t time = fsm_time(scenario->first.fsm);
    bool above = text.size > 0 && text.data[0] == '+';
    uint64_t clock;

    if (text.size == 0) {
        return u64_max(time, scenario->stamp);
    }
    if (!case_time_read(above ? bytes_of(text.data + 1, text.size - 1) : text, &clock)) {
        case_wrong(scenario, "not a clock");
    }
    return above ? time + clock : clock;
}

static void complete(const struct scenario *scenario, const struct call *call)
{
    const struct op_struct *s = call->row->request;

    for (size_t i = 0; i < s->field_count; i++) {
        const uint8_t *has = (const uint8_t *)&call->request + s->fields[i].has_offset;

        if (s->fields[i].required && *has == 0) {
            case_wrong(scenario, "%s: %s is missing", call->row->name, s->fields[i].name);
        }
    }
}

static const struct op_row *row_of(struct bytes name)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(bytes_of_text(rows[i].name), name)) {
            return &rows[i];
        }
    }
    return NULL;
}

static void command_digests(struct call *call)
{
    static const enum op_store_flags flags[2] = {OP_STORE_ALL, OP_STORE_WITHOUT_TOKENS};
    static const struct siphash_key key = {{9}};
    static uint8_t image[128 * 1024];
    uint8_t *digests[2] = {call->command.digest, call->command.operation_digest};

    for (size_t i = 0; i < 2; i++) {
        struct base_writer writer;
        struct hash128 hash;

        base_writer_init(&writer, image, sizeof image);
        base_write_u32(&writer, call->row->number);
        op_store(&writer, call->row->request, &call->request, flags[i]);
        hash = base_siphash128(&key, base_written(&writer));
        memcpy(digests[i], &hash, sizeof hash);
    }
}

static void command_read(struct scenario *scenario, const struct envelope *envelope, size_t ahead,
                         struct call *call)
{
    call->command.number = call->row->number;
    call->command.caller = call->caller;
    call->command.incarnation = case_incarnation();
    if (case_word_is(envelope->incarnation, "other")) {
        call->command.incarnation = case_draw_id(scenario);
    }
    if (call->row->idempotency == OP_NUMBERED) {
        number_request(scenario, envelope, &call->command);
        mint(scenario, envelope, call);
    }
    command_digests(call);
    bind(scenario, call, ahead);
}

void call_read(struct scenario *scenario, const struct words *words, size_t ahead,
               struct call *ret_call)
{
    struct bytes name = words->list[0].key;
    struct envelope envelope = {.cert = bytes_of_text("service/app"),
                                .tenant = bytes_of_text("acme"),
                                .instance = 1,
                                .count = 1,
                                .number = OP_INFINITE,
                                .attempt = 1,
                                .lowest = OP_INFINITE};

    memset(ret_call, 0, sizeof *ret_call);
    ret_call->row = row_of(name);
    if (case_word_is(name, "tick")) {
        ret_call->kind = OP_COMMAND_TICK;
    } else if (case_word_is(name, "term_start")) {
        ret_call->kind = OP_COMMAND_TERM_START;
    } else if (case_word_is(name, "reuse")) {
        ret_call->kind = OP_COMMAND_REUSE;
    } else if (case_word_is(name, "denials")) {
        ret_call->kind = OP_COMMAND_DENIALS;
    } else if (ret_call->row == NULL) {
        case_wrong(scenario, "no such command: %.*s", (int)name.size, (const char *)name.data);
    }
    for (size_t i = 1; i < words->count; i++) {
        word_read(scenario, &words->list[i], ret_call, &envelope);
    }
    ret_call->term = envelope.term;
    ret_call->count = envelope.count;
    caller_read(scenario, &envelope, &ret_call->caller);
    if (ret_call->kind == OP_COMMAND_REUSE) {
        const struct op_token *token = &ret_call->request.session_validate.token;

        ret_call->command.minted_id = token->id;
        memcpy(ret_call->command.minted_verifier, token->verifier, sizeof token->verifier);
    }
    if (ret_call->row == NULL) {
        return;
    }
    complete(scenario, ret_call);
    ret_call->clock = clock_of(scenario, envelope.clock);
    if (ret_call->row->access != OP_READ) {
        command_read(scenario, &envelope, ahead, ret_call);
    }
}

/* One row; nothing for other commands. */
static struct bytes denials_body(const struct call *call, uint8_t *image, size_t size)
{
    struct op_denial row = {.tenant = call->caller.tenant,
                            .name = call->caller.name,
                            .user = call->request.session_revoke.user,
                            .object = call->request.session_revoke.session,
                            .count = (uint32_t)call->count};
    struct base_writer writer;

    if (call->kind != OP_COMMAND_DENIALS) {
        return BYTES_NONE;
    }
    base_writer_init(&writer, image, size);
    op_denials_write(&writer, &row, 1, 0);
    return base_written(&writer);
}

void call_encode(const struct call *call, struct base_writer *writer)
{
    static uint8_t image[128 * 1024];
    struct op_command command = call->command;
    struct base_writer body;

    if (call->row == NULL) {
        command.number = call->kind;
        command.term = call->term;
        command.body = denials_body(call, image, sizeof image);
    } else {
        base_writer_init(&body, image, sizeof image);
        op_store(&body, call->row->request, &call->request, OP_STORE_ALL);
        command.body = base_written(&body);
    }
    op_entry_add(writer, &command);
}

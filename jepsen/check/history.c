/* Rows, and their fields packed into words by op's tables. See history.h.
 *
 * Packed: one word whose bits say which tags are present, then each field in the table's order.
 * Bytes, ids and secrets are numbers of names, so that a row of a write takes about 150 bytes.
 */
#include "jepsen/check/history.h"

#include "base/assert.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

struct history *history_create(void)
{
    struct history *history = calloc(1, sizeof *history);

    ASSERT(history != NULL);
    history->names = model_names_create();
    return history;
}

void history_destroy(struct history *history)
{
    if (history == NULL) {
        return;
    }
    model_names_destroy(history->names);
    free(history->events);
    free(history->words);
    free(history);
}

/* ---- packing ---- */

static void put_word(struct history *history, uint32_t word)
{
    if (history->word_count == history->word_capacity) {
        history->words = model_names_grow_raw(history->words, &history->word_capacity,
                                              history->word_count + 1, sizeof *history->words);
    }
    history->words[history->word_count++] = word;
}

static void put_u64(struct history *history, uint64_t value)
{
    put_word(history, (uint32_t)value);
    put_word(history, (uint32_t)(value >> 32));
}

static uint32_t name_of(struct history *history, const void *data, size_t size)
{
    return model_names_number(history->names, bytes_of(data, size));
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

static void put_token(struct history *history, const struct op_token *token,
                      enum op_token_kind kind)
{
    bool hidden = all_zero(token->secret, sizeof token->secret);

    put_word(history, name_of(history, token->incarnation.bytes, 16));
    put_word(history, name_of(history, token->id.bytes, 16));
    put_word(history, name_of(history, hidden ? token->verifier : token->secret, 32));
    if (kind == OP_TOKEN_fence) {
        put_u64(history, token->attempt);
        put_u64(history, token->epoch);
    }
}

static void pack(struct history *history, const struct op_struct *s, const void *value);

static void pack_field(struct history *history, const struct op_field *field, const void *value)
{
    const uint8_t *at = (const uint8_t *)value + field->offset;
    uint32_t count;

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        put_u64(history, *(const uint64_t *)(const void *)at);
        break;
    case OP_KIND_boolean:
        put_word(history, *(const bool *)(const void *)at);
        break;
    case OP_KIND_enumeration:
        put_word(history, *(const uint32_t *)(const void *)at);
        break;
    case OP_KIND_id:
        put_word(history, name_of(history, at, 16));
        break;
    case OP_KIND_blob:
    case OP_KIND_text:
        put_word(history,
                 model_names_number(history->names, *(const struct bytes *)(const void *)at));
        break;
    case OP_KIND_token:
        put_token(history, (const struct op_token *)(const void *)at,
                  (enum op_token_kind)field->bound);
        break;
    case OP_KIND_list:
        count = *(const uint32_t *)(const void *)((const uint8_t *)value + field->count_offset);
        put_word(history, count);
        for (uint32_t i = 0; i < count; i++) {
            pack(history, field->item, at + i * field->item->size);
        }
        break;
    }
}

static bool is_present(const struct op_field *field, const void *value)
{
    return field->required ||
           *(const bool *)(const void *)((const uint8_t *)value + field->has_offset);
}

static void pack(struct history *history, const struct op_struct *s, const void *value)
{
    uint32_t tags = 0;

    for (size_t i = 0; i < s->field_count; i++) {
        if (is_present(&s->fields[i], value)) {
            tags |= 1U << s->fields[i].tag;
        }
    }
    put_word(history, tags);
    for (size_t i = 0; i < s->field_count; i++) {
        if (tags & (1U << s->fields[i].tag)) {
            pack_field(history, &s->fields[i], value);
        }
    }
}

/* ---- unpacking: returns the words behind what it read ---- */

static uint64_t u64_at(const uint32_t *words)
{
    return words[0] | (uint64_t)words[1] << 32;
}

static void copy_name(const struct history *history, uint32_t name, uint8_t *to, size_t size)
{
    struct bytes from = model_names_bytes(history->names, name);

    ASSERT(from.size == size);
    memcpy(to, from.data, size);
}

static const uint32_t *unpack(const struct history *history, const uint32_t *words,
                              const struct op_struct *s, void *ret_value);

static const uint32_t *unpack_token(const struct history *history, const uint32_t *words,
                                    enum op_token_kind kind, struct op_token *token)
{
    *token = (struct op_token){.attempt = 0};
    copy_name(history, words[0], token->incarnation.bytes, 16);
    copy_name(history, words[1], token->id.bytes, 16);
    copy_name(history, words[2], token->secret, 32);
    if (kind != OP_TOKEN_fence) {
        return words + 3;
    }
    token->attempt = u64_at(words + 3);
    token->epoch = u64_at(words + 5);
    return words + 7;
}

static const uint32_t *unpack_field(const struct history *history, const uint32_t *words,
                                    const struct op_field *field, void *value)
{
    uint8_t *at = (uint8_t *)value + field->offset;
    uint32_t count;

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        *(uint64_t *)(void *)at = u64_at(words);
        return words + 2;
    case OP_KIND_boolean:
        *(bool *)(void *)at = words[0] != 0;
        return words + 1;
    case OP_KIND_enumeration:
        *(uint32_t *)(void *)at = words[0];
        return words + 1;
    case OP_KIND_id:
        copy_name(history, words[0], at, 16);
        return words + 1;
    case OP_KIND_blob:
    case OP_KIND_text:
        *(struct bytes *)(void *)at = model_names_bytes(history->names, words[0]);
        return words + 1;
    case OP_KIND_token:
        return unpack_token(history, words, (enum op_token_kind)field->bound,
                            (struct op_token *)(void *)at);
    case OP_KIND_list:
        break;
    }
    count = words[0];
    *(uint32_t *)(void *)((uint8_t *)value + field->count_offset) = count;
    words++;
    for (uint32_t i = 0; i < count; i++) {
        words = unpack(history, words, field->item, at + i * field->item->size);
    }
    return words;
}

/* Lists are not cleared beyond their items: their count says how far to look. */
static const uint32_t *unpack(const struct history *history, const uint32_t *words,
                              const struct op_struct *s, void *ret_value)
{
    uint32_t tags = *words++;

    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        bool there = (tags & (1U << field->tag)) != 0;

        *(bool *)(void *)((uint8_t *)ret_value + field->has_offset) = there;
        if (there) {
            words = unpack_field(history, words, field, ret_value);
        } else if (field->kind == OP_KIND_list) {
            *(uint32_t *)(void *)((uint8_t *)ret_value + field->count_offset) = 0;
        } else if (field->kind == OP_KIND_token) {
            *(struct op_token *)(void *)((uint8_t *)ret_value +
                                         field->offset) = (struct op_token){.attempt = 0};
        } else if (field->kind == OP_KIND_blob || field->kind == OP_KIND_text) {
            *(struct bytes *)(void *)((uint8_t *)ret_value + field->offset) = BYTES_NONE;
        } else if (field->kind == OP_KIND_u64 || field->kind == OP_KIND_time_us) {
            *(uint64_t *)(void *)((uint8_t *)ret_value + field->offset) = 0;
        } else if (field->kind == OP_KIND_id) {
            *(struct id128 *)(void *)((uint8_t *)ret_value + field->offset) = ID128_ZERO;
        }
    }
    return words;
}

/* ---- rows ---- */

static uint32_t caller_name(struct history *history, const struct history_caller *caller)
{
    uint32_t parts[4] = {model_names_number(history->names, caller->tenant),
                         model_names_number(history->names, caller->certificate), caller->role,
                         name_of(history, caller->instance.bytes, 16)};

    return name_of(history, parts, sizeof parts);
}

struct history_caller history_caller_of(const struct history *history, const struct event *event)
{
    struct history_caller caller;
    uint32_t parts[4];

    memcpy(parts, model_names_bytes(history->names, event->caller).data, sizeof parts);
    caller.tenant = model_names_bytes(history->names, parts[0]);
    caller.certificate = model_names_bytes(history->names, parts[1]);
    caller.role = parts[2];
    memcpy(caller.instance.bytes, model_names_bytes(history->names, parts[3]).data, 16);
    return caller;
}

uint32_t history_invoke(struct history *history, const struct history_call *call)
{
    const struct op_row *row = op_row_of_number(call->f);
    struct event *event;

    ASSERT(row != NULL);
    history->events = model_names_grow_raw(history->events, &history->capacity, history->count + 1,
                                           sizeof *history->events);
    event = &history->events[history->count];
    *event = (struct event){.call_ns = call->call_ns,
                            .ret_ns = HISTORY_NEVER,
                            .client = call->client,
                            .number = call->number,
                            .proc = call->proc,
                            .seq = call->seq,
                            .caller = caller_name(history, &call->caller),
                            .request = history->word_count,
                            .attempt = call->attempt,
                            .again = call->again,
                            .f = (uint8_t)call->f,
                            .outcome = OP_UNKNOWN,
                            .command = row->access != OP_READ};
    pack(history, row->request, call->request);
    return history->count++;
}

void history_return(struct history *history, uint32_t row, const struct history_answer *answer)
{
    struct event *event = &history->events[row];

    event->ret_ns = answer->ret_ns;
    event->position = answer->position;
    event->time = answer->time;
    event->clock = answer->clock;
    event->term = (uint32_t)answer->term;
    event->outcome = (uint8_t)answer->outcome;
    event->superseded = answer->superseded;
    if (op_row_of_number(event->f)->access == OP_EITHER && history_definite(event)) {
        event->command = answer->reply != NULL &&
                         op_wrote(op_row_of_number(event->f), answer->outcome, answer->reply);
    }
    event->reply = history->word_count;
    if (answer->outcome == OP_OK && answer->reply != NULL) {
        pack(history, op_row_of_number(event->f)->reply, answer->reply);
    } else if (answer->outcome != OP_OK && answer->details != NULL) {
        pack(history, &op_details_struct, answer->details);
    } else {
        put_word(history, 0);
    }
}

void history_place(struct history *history, uint32_t row, uint64_t position, uint64_t time)
{
    history->events[row].position = position;
    history->events[row].time = time;
}

void history_copy(struct history *history, const struct history *from, uint32_t row)
{
    const struct event *event = &from->events[row];
    union op_request request = {false};
    union op_reply reply = {false};
    struct op_details details = {.has_failed = false};
    struct history_call call = {.proc = event->proc,
                                .seq = event->seq,
                                .attempt = event->attempt,
                                .again = event->again,
                                .f = event->f,
                                .caller = history_caller_of(from, event),
                                .client = event->client,
                                .number = event->number,
                                .call_ns = event->call_ns,
                                .request = &request};
    struct history_answer answer = {.outcome = event->outcome,
                                    .superseded = event->superseded,
                                    .ret_ns = event->ret_ns,
                                    .position = event->position,
                                    .time = event->time,
                                    .clock = event->clock,
                                    .term = event->term,
                                    .details = &details,
                                    .reply = &reply};

    history_request(from, event, &request);
    if (event->outcome == OP_OK) {
        history_reply(from, event, &reply);
    } else if (event->ret_ns != HISTORY_NEVER) {
        history_details(from, event, &details);
    }
    history_return(history, history_invoke(history, &call), &answer);
}

void history_request(const struct history *history, const struct event *event,
                     union op_request *ret_request)
{
    (void)unpack(history, history->words + event->request, op_row_of_number(event->f)->request,
                 ret_request);
}

void history_reply(const struct history *history, const struct event *event,
                   union op_reply *ret_reply)
{
    ASSERT(event->outcome == OP_OK);
    (void)unpack(history, history->words + event->reply, op_row_of_number(event->f)->reply,
                 ret_reply);
}

void history_details(const struct history *history, const struct event *event,
                     struct op_details *ret_details)
{
    static const uint32_t none = 0;
    bool there = event->outcome != OP_OK && event->ret_ns != HISTORY_NEVER;

    (void)unpack(history, there ? history->words + event->reply : &none, &op_details_struct,
                 ret_details);
}

uint64_t history_digest(const struct history *history, const struct event *event)
{
    static const struct siphash_key key = {{3}};
    const uint32_t *from = history->words + event->request;
    union op_request request;
    const uint32_t *end = unpack(history, from, op_row_of_number(event->f)->request, &request);

    return base_siphash64(&key, bytes_of(from, (size_t)(end - from) * sizeof *from)) ^ event->f;
}

bool history_is_write(const struct event *event)
{
    return event->command;
}

bool history_definite(const struct event *event)
{
    enum op_class class = op_outcome_class(event->outcome);

    return class == OP_CLASS_DONE || class == OP_CLASS_REFUSED;
}

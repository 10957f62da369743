/* Maps into structs: driven by the field tables, strict for requests, open to more in responses.
 *
 * Does not decide what a field's value means, beyond its kind and its bound.
 */
#include "base/assert.h"
#include "op/access.h"
#include "op/head.h"
#include "op/pack.h"
#include "op/text.h"
#include "op/token.h"

#include <string.h>

struct decoder {
    struct base_reader reader;
    unsigned depth; /* containers that the reader is in */
    bool open;      /* a response: unknown keys and unknown enumeration values are skipped */
    struct op_details *details; /* where the key `details` goes; NULL: it is a key like others */
    struct op_fault fault;
};

/* One struct to fill. */
struct target {
    const struct op_struct *s; /* NULL: none */
    void *value;
};

static bool read_map(struct decoder *decoder, const struct target *targets, size_t target_count);

/* ---- refusing ---- */

static bool refuse(struct decoder *decoder, enum op_outcome outcome, const char *text,
                   const struct op_field *field)
{
    decoder->fault = (struct op_fault){
        .outcome = outcome, .text = text, .field = field == NULL ? NULL : field->name};
    return false;
}

static bool invalid(struct decoder *decoder, const struct op_field *field, const char *text)
{
    return refuse(decoder, OP_INVALID, text, field);
}

static bool next(struct decoder *decoder, struct op_pack *ret_pack)
{
    const char *text = NULL;

    return op_pack_read(&decoder->reader, ret_pack, &text) ||
           refuse(decoder, OP_PROTOCOL, text, NULL);
}

static bool skip(struct decoder *decoder)
{
    const char *text = NULL;

    return op_pack_skip(&decoder->reader, decoder->depth, &text) ||
           refuse(decoder, OP_PROTOCOL, text, NULL);
}

/* ---- values ---- */

static bool read_number(struct decoder *decoder, const struct op_field *field, uint64_t *ret_value)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_UNSIGNED) {
        return invalid(decoder, field, "not an unsigned whole number");
    }
    *ret_value = pack.number;
    return true;
}

static bool read_boolean(struct decoder *decoder, const struct op_field *field, bool *ret_value)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_BOOLEAN) {
        return invalid(decoder, field, "not true or false");
    }
    *ret_value = pack.number == 1;
    return true;
}

/* In a response, a value that only a newer server knows leaves the number at 0: absent. */
static bool read_enumeration(struct decoder *decoder, const struct op_field *field,
                             uint32_t *ret_value)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_STR) {
        return invalid(decoder, field, "not a text");
    }
    if (!op_enum_number(field->enumeration, pack.bytes, ret_value) && !decoder->open) {
        return invalid(decoder, field, "not one of the values that it may have");
    }
    return true;
}

static bool read_id(struct decoder *decoder, const struct op_field *field, struct id128 *ret_value)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_BIN || pack.bytes.size != sizeof ret_value->bytes) {
        return invalid(decoder, field, "not an id of 16 bytes");
    }
    memcpy(ret_value->bytes, pack.bytes.data, sizeof ret_value->bytes);
    return true;
}

static bool read_blob(struct decoder *decoder, const struct op_field *field,
                      struct bytes *ret_value)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_BIN) {
        return invalid(decoder, field, "not binary");
    }
    if (pack.bytes.size > field->bound) {
        return invalid(decoder, field, "too long");
    }
    *ret_value = pack.bytes;
    return true;
}

static bool read_text(struct decoder *decoder, const struct op_field *field,
                      struct bytes *ret_value)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_STR) {
        return invalid(decoder, field, "not a text");
    }
    if (pack.bytes.size > field->bound) {
        return invalid(decoder, field, "too long");
    }
    if (pack.bytes.size == 0 && !decoder->open) {
        return invalid(decoder, field, "empty");
    }
    if (!op_text_valid(pack.bytes)) {
        return invalid(decoder, field, "not UTF-8 without control characters");
    }
    *ret_value = pack.bytes;
    return true;
}

static bool read_token(struct decoder *decoder, const struct op_field *field,
                       struct op_token *ret_value)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_STR) {
        return invalid(decoder, field, "not a text");
    }
    if (!op_token_read(pack.bytes, (enum op_token_kind)field->bound, ret_value)) {
        return invalid(decoder, field, "not a well-formed token of its kind");
    }
    return true;
}

static bool read_list(struct decoder *decoder, const struct op_field *field, void *value)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_ARRAY) {
        return invalid(decoder, field, "not a list");
    }
    if (pack.number > field->bound) {
        return invalid(decoder, field, "too many elements");
    }
    decoder->depth++;
    for (size_t i = 0; i < (size_t)pack.number; i++) {
        struct target item = {field->item, op_item(field, value, i)};

        if (!read_map(decoder, &item, 1)) {
            return false;
        }
    }
    decoder->depth--;
    *(uint32_t *)op_member(value, field->count_offset) = (uint32_t)pack.number;
    return true;
}

static bool read_value(struct decoder *decoder, const struct op_field *field, void *value)
{
    void *member = op_member(value, field->offset);

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        return read_number(decoder, field, member);
    case OP_KIND_boolean:
        return read_boolean(decoder, field, member);
    case OP_KIND_enumeration:
        return read_enumeration(decoder, field, member);
    case OP_KIND_id:
        return read_id(decoder, field, member);
    case OP_KIND_blob:
        return read_blob(decoder, field, member);
    case OP_KIND_text:
        return read_text(decoder, field, member);
    case OP_KIND_token:
        return read_token(decoder, field, member);
    case OP_KIND_list:
        return read_list(decoder, field, value);
    }
    UNREACHABLE("a field's kind comes from the table");
}

/* ---- maps ---- */

static const struct op_field *field_of_name(const struct op_struct *s, struct bytes name)
{
    for (size_t i = 0; s != NULL && i < s->field_count; i++) {
        const char *own = s->fields[i].name;

        if (name.size > 0 && (uint8_t)own[0] == name.data[0] &&
            bytes_equal(bytes_of_text(own), name)) {
            return &s->fields[i];
        }
    }
    return NULL;
}

static bool read_field(struct decoder *decoder, const struct op_field *field, void *value)
{
    bool *has = op_member(value, field->has_offset);

    if (*has) {
        return refuse(decoder, OP_PROTOCOL, "the same key twice in one map", field);
    }
    if (!read_value(decoder, field, value)) {
        return false;
    }
    *has = field->kind != OP_KIND_enumeration ||
           *(const uint32_t *)op_const_member(value, field->offset) != 0;
    return true;
}

/* The value of a key that no target has. */
static bool read_unknown(struct decoder *decoder, struct bytes key)
{
    if (decoder->details != NULL && bytes_equal(key, bytes_of_text(OP_KEY_DETAILS))) {
        struct target target = {&op_details_struct, decoder->details};

        decoder->details = NULL; /* a second one is a key like others */
        return read_map(decoder, &target, 1);
    }
    return decoder->open
               ? skip(decoder)
               : refuse(decoder, OP_INVALID, "a field that this call does not have", NULL);
}

static bool read_pair(struct decoder *decoder, const struct target *targets, size_t target_count)
{
    struct base_reader start;
    struct op_pack key;
    bool known = false;

    if (!next(decoder, &key)) {
        return false;
    }
    if (key.kind != OP_PACK_STR) {
        return refuse(decoder, OP_PROTOCOL, "a map has a key that is not a text", NULL);
    }
    start = decoder->reader;
    for (size_t i = 0; i < target_count; i++) {
        const struct op_field *field = field_of_name(targets[i].s, key.bytes);

        if (field != NULL) {
            decoder->reader = start; /* one key may stand for a field of each (op/head.h) */
            known = true;
            if (!read_field(decoder, field, targets[i].value)) {
                return false;
            }
        }
    }
    return known || read_unknown(decoder, key.bytes);
}

static bool check_complete(struct decoder *decoder, const struct target *target)
{
    for (size_t i = 0; target->s != NULL && i < target->s->field_count; i++) {
        const struct op_field *field = &target->s->fields[i];

        if (field->required && !op_flag(target->value, field->has_offset)) {
            return invalid(decoder, field, "missing");
        }
    }
    return true;
}

static bool read_map(struct decoder *decoder, const struct target *targets, size_t target_count)
{
    struct op_pack pack;

    if (!next(decoder, &pack)) {
        return false;
    }
    if (pack.kind != OP_PACK_MAP) {
        return refuse(decoder, OP_PROTOCOL, "a map belongs where something else is", NULL);
    }
    decoder->depth++;
    for (uint64_t i = 0; i < pack.number; i++) {
        if (!read_pair(decoder, targets, target_count)) {
            return false;
        }
    }
    decoder->depth--;
    for (size_t i = 0; i < target_count; i++) {
        if (!check_complete(decoder, &targets[i])) {
            return false;
        }
    }
    return true;
}

/* Reads `map` whole into the targets, which are zeroed first. */
static bool read_whole(struct decoder *decoder, struct bytes map, const struct target *targets,
                       size_t target_count, struct op_fault *ret_fault)
{
    bool good;

    for (size_t i = 0; i < target_count; i++) {
        if (targets[i].s != NULL) {
            memset(targets[i].value, 0, targets[i].s->size);
        }
    }
    base_reader_init(&decoder->reader, map);
    good = read_map(decoder, targets, target_count);
    if (good && !base_reader_finished(&decoder->reader)) {
        good = refuse(decoder, OP_PROTOCOL, "bytes follow the map", NULL);
    }
    if (!good) {
        *ret_fault = decoder->fault;
    }
    return good;
}

bool op_map_read(struct bytes map, const struct op_struct *first, void *ret_first,
                 const struct op_struct *second, void *ret_second, struct op_fault *ret_fault)
{
    struct decoder decoder = {.open = false};
    struct target targets[2] = {{first, ret_first}, {second, ret_second}};

    return read_whole(&decoder, map, targets, 2, ret_fault);
}

/* ---- responses ---- */

static bool read_result(struct bytes map, struct op_reply_head *ret_head, const struct op_struct *s,
                        void *ret_value, struct op_fault *ret_fault)
{
    struct op_result_head head;
    struct decoder decoder = {.open = true};
    struct target targets[2] = {{&op_result_head_struct, &head}, {s, ret_value}};

    if (!read_whole(&decoder, map, targets, 2, ret_fault)) {
        return false;
    }
    *ret_head = (struct op_reply_head){.outcome = OP_OK,
                                       .position = head.position,
                                       .time = head.T,
                                       .clock = head.clock,
                                       .term = head.term,
                                       .superseded = head.superseded,
                                       .stale = head.stale,
                                       .leader = head.leader};
    return true;
}

/* The outcome of an error. A number that only a newer server knows becomes the one that makes a
 * client do what its class demands. */
static enum op_outcome outcome_of(const struct op_error_head *head)
{
    enum op_outcome outcome;

    if (op_outcome_of(head->code, &outcome) && op_outcome_class(outcome) != OP_CLASS_DONE) {
        return outcome;
    }
    if (bytes_equal(head->class, bytes_of_text(op_class_name(OP_CLASS_REFUSED)))) {
        return OP_PROTOCOL;
    }
    if (bytes_equal(head->class, bytes_of_text(op_class_name(OP_CLASS_RETRY)))) {
        return OP_NOT_READY;
    }
    return OP_UNKNOWN;
}

static bool read_error(struct bytes map, struct op_reply_head *ret_head,
                       struct op_details *ret_details, struct op_fault *ret_fault)
{
    struct op_error_head head;
    struct decoder decoder = {.open = true, .details = ret_details};
    struct target target = {&op_error_head_struct, &head};

    if (!read_whole(&decoder, map, &target, 1, ret_fault)) {
        return false;
    }
    *ret_head = (struct op_reply_head){.outcome = outcome_of(&head),
                                       .position = head.position,
                                       .time = head.T,
                                       .clock = head.clock,
                                       .term = head.term,
                                       .superseded = head.superseded,
                                       .stale = head.stale,
                                       .leader = head.leader,
                                       .message = head.message};
    return true;
}

bool op_response_read(const struct op_message *message, struct op_reply_head *ret_head,
                      struct op_details *ret_details, const struct op_struct *s, void *ret_value,
                      struct op_fault *ret_fault)
{
    ASSERT(message->kind == OP_MESSAGE_RESPONSE);
    memset(ret_details, 0, sizeof *ret_details);
    if (message->error.size > 0) {
        if (s != NULL) {
            memset(ret_value, 0, s->size);
        }
        return read_error(message->error, ret_head, ret_details, ret_fault);
    }
    return read_result(message->result, ret_head, s, ret_value, ret_fault);
}

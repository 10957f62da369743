/* Frames written: msgpack-c into a bounded writer, without allocation. Reads nothing. */
#include "op/frame.h"

#include "base/assert.h"
#include "op/access.h"
#include "op/head.h"
#include "op/token.h"

#include <msgpack.h>

/* One frame under way. */
struct encoder {
    struct base_writer *writer;
    uint8_t *prefix; /* where the frame's size belongs; NULL when even that did not fit */
    msgpack_packer packer;
};

static int put(void *data, const char *bytes, size_t size)
{
    struct base_writer *writer = data;

    base_write_bytes(writer, bytes_of(bytes, size));
    return writer->failed ? -1 : 0;
}

/* ---- pieces: a failure is the writer's, which remembers it ---- */

static void begin(struct encoder *encoder, struct base_writer *writer, size_t element_count)
{
    encoder->writer = writer;
    encoder->prefix = writer->at;
    base_write_u32(writer, 0);
    msgpack_packer_init(&encoder->packer, writer, put);
    (void)msgpack_pack_array(&encoder->packer, element_count);
}

static void finish(struct encoder *encoder)
{
    size_t size;

    if (encoder->writer->failed) {
        return;
    }
    size = (size_t)(encoder->writer->at - encoder->prefix) - OP_FRAME_PREFIX;
    if (size > OP_FRAME_MAX - OP_FRAME_PREFIX) {
        encoder->writer->failed = true;
        return;
    }
    for (size_t i = 0; i < OP_FRAME_PREFIX; i++) {
        encoder->prefix[i] = (uint8_t)(size >> (8 * (OP_FRAME_PREFIX - 1 - i)));
    }
}

static void put_number(struct encoder *encoder, uint64_t value)
{
    (void)msgpack_pack_uint64(&encoder->packer, value);
}

static void put_text(struct encoder *encoder, struct bytes text)
{
    (void)msgpack_pack_str(&encoder->packer, text.size);
    (void)msgpack_pack_str_body(&encoder->packer, text.data, text.size);
}

static void put_name(struct encoder *encoder, const char *name)
{
    put_text(encoder, bytes_of_text(name));
}

static void put_binary(struct encoder *encoder, struct bytes blob)
{
    (void)msgpack_pack_bin(&encoder->packer, blob.size);
    (void)msgpack_pack_bin_body(&encoder->packer, blob.data, blob.size);
}

/* ---- fields ---- */

static void put_fields(struct encoder *encoder, const struct op_struct *s, const void *value);

/* A value out of its bounds can come from a client's program: it fails the frame, and no more. */
static bool bounded(struct encoder *encoder, bool good)
{
    if (!good) {
        encoder->writer->failed = true;
    }
    return good;
}

static void put_enumeration(struct encoder *encoder, const struct op_field *field, uint32_t number)
{
    const char *text = op_enum_text(field->enumeration, number);

    if (bounded(encoder, text != NULL)) {
        put_name(encoder, text);
    }
}

static void put_token(struct encoder *encoder, const struct op_field *field,
                      const struct op_token *token)
{
    uint8_t text[OP_TOKEN_TEXT_MAX];
    struct base_writer writer;

    base_writer_init(&writer, text, sizeof text);
    op_token_write(&writer, (enum op_token_kind)field->bound, token);
    ASSERT(!writer.failed);
    put_text(encoder, base_written(&writer));
}

/* Fields that are present. */
static size_t count_fields(const struct op_struct *s, const void *value)
{
    size_t count = 0;

    for (size_t i = 0; s != NULL && i < s->field_count; i++) {
        count += op_present(&s->fields[i], value);
    }
    return count;
}

static void put_list(struct encoder *encoder, const struct op_field *field, const void *value)
{
    uint32_t count = op_list_count(field, value);

    if (!bounded(encoder, count <= field->bound)) {
        return;
    }
    (void)msgpack_pack_array(&encoder->packer, count);
    for (uint32_t i = 0; i < count; i++) {
        const void *item = op_const_item(field, value, i);

        (void)msgpack_pack_map(&encoder->packer, count_fields(field->item, item));
        put_fields(encoder, field->item, item);
    }
}

static void put_value(struct encoder *encoder, const struct op_field *field, const void *value)
{
    const void *member = op_const_member(value, field->offset);

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        put_number(encoder, *(const uint64_t *)member);
        return;
    case OP_KIND_boolean:
        (void)(*(const bool *)member ? msgpack_pack_true : msgpack_pack_false)(&encoder->packer);
        return;
    case OP_KIND_enumeration:
        put_enumeration(encoder, field, *(const uint32_t *)member);
        return;
    case OP_KIND_id:
        put_binary(encoder, bytes_of(member, sizeof(struct id128)));
        return;
    case OP_KIND_blob:
        if (bounded(encoder, ((const struct bytes *)member)->size <= field->bound)) {
            put_binary(encoder, *(const struct bytes *)member);
        }
        return;
    case OP_KIND_text:
        if (bounded(encoder, ((const struct bytes *)member)->size <= field->bound)) {
            put_text(encoder, *(const struct bytes *)member);
        }
        return;
    case OP_KIND_token:
        put_token(encoder, field, member);
        return;
    case OP_KIND_list:
        put_list(encoder, field, value);
        return;
    }
    UNREACHABLE("a field's kind comes from the table");
}

static void put_field(struct encoder *encoder, const struct op_field *field, const void *value)
{
    put_name(encoder, field->name);
    put_value(encoder, field, value);
}

static void put_fields(struct encoder *encoder, const struct op_struct *s, const void *value)
{
    for (size_t i = 0; s != NULL && i < s->field_count; i++) {
        if (op_present(&s->fields[i], value)) {
            put_field(encoder, &s->fields[i], value);
        }
    }
}

/* ---- messages ---- */

void op_request_write(struct base_writer *writer, uint32_t msgid, const char *method,
                      const struct op_envelope *envelope, const struct op_struct *s,
                      const void *value)
{
    const struct op_struct *first = envelope == NULL ? NULL : &op_envelope_struct;
    struct encoder encoder;

    begin(&encoder, writer, 4);
    put_number(&encoder, OP_MESSAGE_REQUEST);
    put_number(&encoder, msgid);
    put_name(&encoder, method);
    (void)msgpack_pack_array(&encoder.packer, 1);
    (void)msgpack_pack_map(&encoder.packer, count_fields(first, envelope) + count_fields(s, value));
    put_fields(&encoder, first, envelope);
    put_fields(&encoder, s, value);
    finish(&encoder);
}

static bool same(const char *a, const char *b)
{
    return bytes_equal(bytes_of_text(a), bytes_of_text(b));
}

/* Whether `s` has a field of that name: then its own is the one that is written (op/head.h). */
static bool has_field(const struct op_struct *s, const void *value, const char *name)
{
    for (size_t i = 0; s != NULL && i < s->field_count; i++) {
        if (same(s->fields[i].name, name) && op_present(&s->fields[i], value)) {
            return true;
        }
    }
    return false;
}

/* Head and fields as one map. */
static void put_result(struct encoder *encoder, const struct op_reply_head *head,
                       const struct op_struct *s, const void *value)
{
    const struct op_struct *head_struct = &op_result_head_struct;
    struct op_result_head wire = {.position = head->position,
                                  .T = head->time,
                                  .clock = head->clock,
                                  .term = head->term,
                                  .has_superseded = head->superseded,
                                  .superseded = head->superseded,
                                  .has_stale = head->stale,
                                  .stale = head->stale,
                                  .has_leader = head->leader.size > 0,
                                  .leader = head->leader};
    size_t count = count_fields(s, value);

    for (size_t i = 0; i < head_struct->field_count; i++) {
        const struct op_field *field = &head_struct->fields[i];

        count += op_present(field, &wire) && !has_field(s, value, field->name);
    }
    (void)msgpack_pack_map(&encoder->packer, count);
    for (size_t i = 0; i < head_struct->field_count; i++) {
        const struct op_field *field = &head_struct->fields[i];

        if (op_present(field, &wire) && !has_field(s, value, field->name)) {
            put_field(encoder, field, &wire);
        }
    }
    put_fields(encoder, s, value);
}

static void put_error(struct encoder *encoder, const struct op_reply_head *head,
                      const struct op_details *details)
{
    const char *message = op_outcome_message(head->outcome);
    struct op_error_head wire = {
        .position = head->position,
        .T = head->time,
        .clock = head->clock,
        .term = head->term,
        .has_superseded = head->superseded,
        .superseded = head->superseded,
        .has_stale = head->stale,
        .stale = head->stale,
        .has_leader = head->leader.size > 0,
        .leader = head->leader,
        .code = (uint64_t)head->outcome,
        .name = bytes_of_text(op_outcome_name(head->outcome)),
        .class = bytes_of_text(op_class_name(op_outcome_class(head->outcome))),
        .message = head->message.size > 0 ? head->message : bytes_of_text(message)};
    size_t detail_count = details == NULL ? 0 : count_fields(&op_details_struct, details);

    (void)msgpack_pack_map(&encoder->packer,
                           count_fields(&op_error_head_struct, &wire) + (detail_count > 0));
    put_fields(encoder, &op_error_head_struct, &wire);
    if (detail_count > 0) {
        put_name(encoder, OP_KEY_DETAILS);
        (void)msgpack_pack_map(&encoder->packer, detail_count);
        put_fields(encoder, &op_details_struct, details);
    }
}

void op_response_write(struct base_writer *writer, uint32_t msgid, const struct op_reply_head *head,
                       const struct op_details *details, const struct op_struct *s,
                       const void *value)
{
    struct encoder encoder;

    begin(&encoder, writer, 4);
    put_number(&encoder, OP_MESSAGE_RESPONSE);
    put_number(&encoder, msgid);
    if (op_outcome_class(head->outcome) == OP_CLASS_DONE) {
        (void)msgpack_pack_nil(&encoder.packer);
        put_result(&encoder, head, s, value);
    } else {
        put_error(&encoder, head, details);
        (void)msgpack_pack_nil(&encoder.packer);
    }
    finish(&encoder);
}

void op_notification_write(struct base_writer *writer, const char *method, uint32_t msgid)
{
    struct op_cancel cancel = {.msgid = msgid};
    bool names_request = same(method, OP_METHOD_CANCEL);
    struct encoder encoder;

    begin(&encoder, writer, 3);
    put_number(&encoder, OP_MESSAGE_NOTIFICATION);
    put_name(&encoder, method);
    (void)msgpack_pack_array(&encoder.packer, 1);
    (void)msgpack_pack_map(&encoder.packer, names_request ? 1 : 0);
    if (names_request) {
        put_fields(&encoder, &op_cancel_struct, &cancel);
    }
    finish(&encoder);
}

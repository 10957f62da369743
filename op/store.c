/* The stored form of a struct of fields: one encoding for one value. Not the form on the wire. */
#include "base/assert.h"
#include "op/access.h"
#include "op/op.h"
#include "op/text.h"

#include <string.h>

/* ---- writing ---- */

static void store_struct(struct base_writer *writer, const struct op_struct *s, const void *value,
                         enum op_store_flags flags, bool nested);

static void store_bytes(struct base_writer *writer, const struct op_field *field,
                        const struct bytes *value)
{
    ASSERT(value->size <= field->bound);
    base_write_long(writer, *value);
}

/* Epoch and attempt belong to fences. Without its credentials (OP_STORE_WITHOUT_TOKENS) a token
 * still says which object it names. */
static void store_token(struct base_writer *writer, const struct op_field *field,
                        const struct op_token *token, enum op_store_flags flags)
{
    static const uint8_t nothing[sizeof token->verifier];
    bool whole = flags == OP_STORE_ALL;
    bool fence = field->bound == OP_TOKEN_fence;

    base_write_u8(writer, (uint8_t)field->bound);
    base_write_id(writer, token->incarnation);
    base_write_id(writer, token->id);
    base_write_u64(writer, whole && fence ? token->epoch : 0);
    base_write_u64(writer, whole && fence ? token->attempt : 0);
    base_write_bytes(writer, bytes_of(whole ? token->verifier : nothing, sizeof nothing));
}

static void store_list(struct base_writer *writer, const struct op_field *field, const void *value,
                       enum op_store_flags flags)
{
    uint32_t count = op_list_count(field, value);

    ASSERT(count <= field->bound);
    base_write_u32(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        store_struct(writer, field->item, op_const_item(field, value, i), flags, true);
    }
}

static void store_enumeration(struct base_writer *writer, const struct op_field *field,
                              uint32_t number)
{
    ASSERT(op_enum_text(field->enumeration, number) != NULL);
    base_write_u32(writer, number);
}

static void store_field(struct base_writer *writer, const struct op_field *field, const void *value,
                        enum op_store_flags flags)
{
    const void *member = op_const_member(value, field->offset);

    base_write_u8(writer, field->tag);
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        base_write_u64(writer, *(const uint64_t *)member);
        return;
    case OP_KIND_boolean:
        base_write_u8(writer, *(const bool *)member);
        return;
    case OP_KIND_enumeration:
        store_enumeration(writer, field, *(const uint32_t *)member);
        return;
    case OP_KIND_id:
        base_write_id(writer, *(const struct id128 *)member);
        return;
    case OP_KIND_blob:
    case OP_KIND_text:
        store_bytes(writer, field, member);
        return;
    case OP_KIND_token:
        store_token(writer, field, member, flags);
        return;
    case OP_KIND_list:
        store_list(writer, field, value, flags);
        return;
    }
    UNREACHABLE("a field's kind comes from the table");
}

/* A digest without tokens leaves out those that show who asks. A list's tokens say what is asked
 * for: they stay, without their secrets (store_token). */
static bool stored(const struct op_field *field, const void *value, enum op_store_flags flags,
                   bool nested)
{
    bool left_out = field->kind == OP_KIND_token && flags != OP_STORE_ALL && !nested;

    return op_present(field, value) && !left_out;
}

static void store_struct(struct base_writer *writer, const struct op_struct *s, const void *value,
                         enum op_store_flags flags, bool nested)
{
    uint8_t count = 0;

    for (size_t i = 0; i < s->field_count; i++) {
        count = (uint8_t)(count + stored(&s->fields[i], value, flags, nested));
    }
    base_write_u8(writer, count);
    for (size_t i = 0; i < s->field_count; i++) {
        if (stored(&s->fields[i], value, flags, nested)) {
            store_field(writer, &s->fields[i], value, flags);
        }
    }
}

void op_store(struct base_writer *writer, const struct op_struct *s, const void *value,
              enum op_store_flags flags)
{
    store_struct(writer, s, value, flags, false);
}

/* ---- reading ---- */

static void load_bytes(struct base_reader *reader, const struct op_field *field,
                       struct bytes *ret_value)
{
    *ret_value = base_read_long(reader, field->bound);
    if (field->kind == OP_KIND_text && !op_text_valid(*ret_value)) {
        reader->failed = true;
    }
}

static void load_token(struct base_reader *reader, const struct op_field *field,
                       struct op_token *ret_token)
{
    struct bytes verifier;

    if (base_read_u8(reader) != field->bound) {
        reader->failed = true;
    }
    ret_token->incarnation = base_read_id(reader);
    ret_token->id = base_read_id(reader);
    ret_token->epoch = base_read_u64(reader);
    ret_token->attempt = base_read_u64(reader);
    verifier = base_read_bytes(reader, sizeof ret_token->verifier);
    if (verifier.data != NULL) {
        memcpy(ret_token->verifier, verifier.data, verifier.size);
    }
    if (field->bound == OP_TOKEN_session && (ret_token->epoch != 0 || ret_token->attempt != 0)) {
        reader->failed = true;
    }
}

static void load_list(struct base_reader *reader, const struct op_field *field, void *value)
{
    uint32_t count = base_read_u32(reader);

    if (count > field->bound) {
        reader->failed = true;
    }
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        reader->failed = !op_load(reader, field->item, op_item(field, value, i));
    }
    if (!reader->failed) {
        *(uint32_t *)op_member(value, field->count_offset) = count;
    }
}

static void load_boolean(struct base_reader *reader, bool *ret_value)
{
    uint8_t value = base_read_u8(reader);

    if (value > 1) {
        reader->failed = true;
    }
    *ret_value = value == 1;
}

static void load_enumeration(struct base_reader *reader, const struct op_field *field,
                             uint32_t *ret_value)
{
    *ret_value = base_read_u32(reader);
    if (op_enum_text(field->enumeration, *ret_value) == NULL) {
        reader->failed = true;
    }
}

static void load_field(struct base_reader *reader, const struct op_field *field, void *value)
{
    void *member = op_member(value, field->offset);

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        *(uint64_t *)member = base_read_u64(reader);
        return;
    case OP_KIND_boolean:
        load_boolean(reader, member);
        return;
    case OP_KIND_enumeration:
        load_enumeration(reader, field, member);
        return;
    case OP_KIND_id:
        *(struct id128 *)member = base_read_id(reader);
        return;
    case OP_KIND_blob:
    case OP_KIND_text:
        load_bytes(reader, field, member);
        return;
    case OP_KIND_token:
        load_token(reader, field, member);
        return;
    case OP_KIND_list:
        load_list(reader, field, value);
        return;
    }
    UNREACHABLE("a field's kind comes from the table");
}

static const struct op_field *field_of_tag(const struct op_struct *s, uint8_t tag)
{
    for (size_t i = 0; i < s->field_count; i++) {
        if (s->fields[i].tag == tag) {
            return &s->fields[i];
        }
    }
    return NULL;
}

static bool complete(const struct op_struct *s, const void *value)
{
    for (size_t i = 0; i < s->field_count; i++) {
        if (s->fields[i].required && !op_flag(value, s->fields[i].has_offset)) {
            return false;
        }
    }
    return true;
}

bool op_load(struct base_reader *reader, const struct op_struct *s, void *ret_value)
{
    uint8_t count;
    uint8_t last = 0;

    memset(ret_value, 0, s->size);
    count = base_read_u8(reader);
    for (uint8_t i = 0; i < count && !reader->failed; i++) {
        uint8_t tag = base_read_u8(reader);
        const struct op_field *field = field_of_tag(s, tag);

        if (field == NULL || tag <= last) {
            reader->failed = true;
            break;
        }
        load_field(reader, field, ret_value);
        *(bool *)op_member(ret_value, field->has_offset) = true;
        last = tag;
    }
    return !reader->failed && complete(s, ret_value);
}

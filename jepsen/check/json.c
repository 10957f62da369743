/* Fields as JSON: numbers as integers (infinite and other large ones as text), ids as hexadecimal,
 * tokens as their text, blobs as text where they are one. Knows no operation. */
#include "jepsen/check/json.h"

#include "base/encode.h"
#include "op/text.h"
#include "op/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_PREFIX "hex:"

static const void *at(const void *value, size_t offset)
{
    return (const uint8_t *)value + offset;
}

json_t *json_of_id(struct id128 id)
{
    char text[33];

    hex_write(text, bytes_of(id.bytes, sizeof id.bytes));
    return json_string(text);
}

bool json_to_id(const json_t *value, struct id128 *ret_id)
{
    const char *text = json_string_value(value);

    return text != NULL && hex_read(bytes_of_text(text), ret_id->bytes, sizeof ret_id->bytes);
}

static json_t *json_of_u64(uint64_t value)
{
    char text[24];

    if (value <= INT64_MAX) {
        return json_integer((json_int_t)value);
    }
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

bool json_to_u64(const json_t *value, uint64_t *ret_value)
{
    const char *text = json_string_value(value);
    char *end;

    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *ret_value = (uint64_t)json_integer_value(value);
        return true;
    }
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return false;
    }
    *ret_value = strtoull(text, &end, 10);
    return *end == '\0';
}

/* Text as it is; anything else, and what could be taken for it, in hexadecimal. */
static json_t *json_of_bytes(struct bytes bytes)
{
    size_t prefix = strlen(HEX_PREFIX);
    char *text;
    json_t *value;

    if (bytes.size == 0) {
        return json_string("");
    }
    if (op_text_valid(bytes) && (bytes.size < prefix || memcmp(bytes.data, HEX_PREFIX, prefix))) {
        return json_stringn((const char *)bytes.data, bytes.size);
    }
    text = malloc(prefix + 2 * bytes.size + 1);
    if (text == NULL) {
        return NULL;
    }
    memcpy(text, HEX_PREFIX, prefix);
    hex_write(text + prefix, bytes);
    value = json_string(text);
    free(text);
    return value;
}

static bool json_to_bytes(const json_t *value, struct json_scratch *scratch,
                          struct bytes *ret_bytes)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value), prefix = strlen(HEX_PREFIX);
    uint8_t *to = scratch->bytes + scratch->used;

    if (text == NULL) {
        return false;
    }
    *ret_bytes = bytes_of(text, size);
    if (size < prefix || memcmp(text, HEX_PREFIX, prefix) != 0) {
        return true;
    }
    size = (size - prefix) / 2;
    if (size > sizeof scratch->bytes - scratch->used ||
        !hex_read(bytes_of_text(text + prefix), to, size)) {
        return false;
    }
    scratch->used += size;
    *ret_bytes = bytes_of(to, size);
    return true;
}

static json_t *json_of_token(const struct op_field *field, const struct op_token *token)
{
    char text[OP_TOKEN_TEXT_MAX];
    struct base_writer writer;

    base_writer_init(&writer, text, sizeof text);
    op_token_write(&writer, (enum op_token_kind)field->bound, token);
    return json_stringn(text, base_written(&writer).size);
}

static json_t *json_of_list(const struct op_field *field, const void *value)
{
    uint32_t count = *(const uint32_t *)at(value, field->count_offset);
    json_t *list = json_array();

    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(
            list, json_of_struct(field->item, at(value, field->offset + i * field->item->size)));
    }
    return list;
}

static json_t *json_of_field(const struct op_field *field, const void *value)
{
    const void *from = at(value, field->offset);
    const char *text;

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        return json_of_u64(*(const uint64_t *)from);
    case OP_KIND_boolean:
        return json_boolean(*(const bool *)from);
    case OP_KIND_enumeration:
        text = op_enum_text(field->enumeration, *(const uint32_t *)from);
        return json_string(text == NULL ? "" : text);
    case OP_KIND_id:
        return json_of_id(*(const struct id128 *)from);
    case OP_KIND_blob:
    case OP_KIND_text:
        return json_of_bytes(*(const struct bytes *)from);
    case OP_KIND_token:
        return json_of_token(field, from);
    case OP_KIND_list:
        return json_of_list(field, value);
    }
    return NULL;
}

json_t *json_of_struct(const struct op_struct *s, const void *value)
{
    json_t *object = json_object();

    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];

        if (field->required || *(const bool *)at(value, field->has_offset)) {
            (void)json_object_set_new(object, field->name, json_of_field(field, value));
        }
    }
    return object;
}

static bool json_to_list(const json_t *list, const struct op_field *field,
                         struct json_scratch *scratch, void *value, const char **ret_field)
{
    size_t count = json_array_size(list);

    if (!json_is_array(list) || count > field->bound) {
        return false;
    }
    *(uint32_t *)(void *)((uint8_t *)value + field->count_offset) = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        if (!json_to_struct(json_array_get(list, i), field->item, scratch,
                            (uint8_t *)value + field->offset + i * field->item->size, ret_field)) {
            return false;
        }
    }
    return true;
}

static bool json_to_field(const json_t *json, const struct op_field *field,
                          struct json_scratch *scratch, void *value, const char **ret_field)
{
    void *to = (uint8_t *)value + field->offset;
    struct bytes *bytes = to;
    const char *text = json_string_value(json);

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        return json_to_u64(json, to);
    case OP_KIND_boolean:
        *(bool *)to = json_is_true(json);
        return json_is_boolean(json);
    case OP_KIND_enumeration:
        return text != NULL && op_enum_number(field->enumeration, bytes_of_text(text), to);
    case OP_KIND_id:
        return json_to_id(json, to);
    case OP_KIND_blob:
    case OP_KIND_text:
        return json_to_bytes(json, scratch, bytes) && bytes->size <= field->bound;
    case OP_KIND_token:
        return text != NULL &&
               op_token_read(bytes_of_text(text), (enum op_token_kind)field->bound, to);
    case OP_KIND_list:
        return json_to_list(json, field, scratch, value, ret_field);
    }
    return false;
}

bool json_to_struct(const json_t *object, const struct op_struct *s, struct json_scratch *scratch,
                    void *ret_value, const char **ret_field)
{
    memset(ret_value, 0, s->size);
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        const json_t *json = json_object_get(object, field->name);

        if (json == NULL && !field->required) {
            continue;
        }
        *ret_field = field->name;
        if (json == NULL || !json_to_field(json, field, scratch, ret_value, ret_field)) {
            return false;
        }
        *(bool *)(void *)((uint8_t *)ret_value + field->has_offset) = true;
    }
    return true;
}

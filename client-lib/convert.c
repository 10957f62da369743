/* Between the public structs, where tokens are texts, and op's, where they are parsed. Lists stand
 * in requests themselves, and behind a pointer in replies. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "client-lib/internal.h"
#include "env/crypto.h"
#include "op/text.h"
#include "op/token.h"

/* Bump memory inside one malloc; sizes are counted first. */
struct arena {
    uint8_t *at;
    uint8_t *end;
};

static void *take(struct arena *arena, size_t size)
{
    uint8_t *taken = arena->at;
    ASSERT((size_t)(arena->end - arena->at) >= size);
    arena->at += size;
    return taken;
}

static struct bytes copy_bytes(struct arena *arena, struct bytes source)
{
    if (source.size == 0) {
        return (struct bytes){(const uint8_t *)"", 0};
    }
    void *copy = take(arena, source.size);
    memcpy(copy, source.data, source.size);
    return bytes_of(copy, source.size);
}

/* The two views have one layout; the compiler checks that it stays so. */
_Static_assert(sizeof(struct bytes) == sizeof(struct tenure_bytes), "views are alike");
_Static_assert(sizeof(struct id128) == sizeof(struct tenure_id), "ids are alike");

static struct bytes public_bytes(const uint8_t *at)
{
    struct tenure_bytes view;
    memcpy(&view, at, sizeof(view));
    return bytes_of(view.data, view.size);
}

static void set_public_bytes(uint8_t *at, struct bytes source)
{
    struct tenure_bytes view = {source.data, source.size};
    memcpy(at, &view, sizeof(view));
}

static uint32_t read_count(const uint8_t *at)
{
    uint32_t count;
    memcpy(&count, at, sizeof(count));
    return count;
}

static size_t scalar_size(enum op_kind kind)
{
    switch (kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        return sizeof(uint64_t);
    case OP_KIND_boolean:
        return sizeof(bool);
    case OP_KIND_enumeration:
        return sizeof(uint32_t);
    case OP_KIND_id:
        return sizeof(struct id128);
    case OP_KIND_blob:
    case OP_KIND_text:
    case OP_KIND_token:
    case OP_KIND_list:
        break;
    }
    return 0;
}

const uint8_t *tenure_items(const struct tenure_field_map *map, const void *value)
{
    const uint8_t *items = (const uint8_t *)value + map->offset;
    if (map->pointer) {
        memcpy(&items, (const uint8_t *)value + map->offset, sizeof(items));
    }
    return items;
}

static bool public_has(const struct tenure_field_map *map, const uint8_t *value)
{
    return map->has_offset == SIZE_MAX || *(const bool *)(value + map->has_offset);
}

/* ---- requests: public to op's ---- */

static size_t request_bytes(const struct op_struct *s, const struct tenure_field_map *map,
                            const uint8_t *value)
{
    size_t size = 0;
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        if (!public_has(&map[i], value)) {
            continue;
        }
        if (field->kind == OP_KIND_blob || field->kind == OP_KIND_text) {
            size += public_bytes(value + map[i].offset).size;
        } else if (field->kind == OP_KIND_list) {
            uint32_t count = read_count(value + map[i].count_offset);
            for (uint32_t k = 0; k < count && k < field->bound; k++) {
                size += request_bytes(field->item, map[i].item,
                                      tenure_items(&map[i], value) + k * map[i].item_size);
            }
        }
    }
    return size;
}

static bool request_fill(struct arena *arena, const struct op_struct *s,
                         const struct tenure_field_map *map, const uint8_t *value, uint8_t *ret,
                         const char **ret_field);

static bool request_list(struct arena *arena, const struct op_field *field,
                         const struct tenure_field_map *map, const uint8_t *value, uint8_t *ret,
                         const char **ret_field)
{
    uint32_t count = read_count(value + map->count_offset);
    if (count > field->bound) {
        *ret_field = field->name;
        return false;
    }
    memcpy(ret + field->count_offset, &count, sizeof(count));
    for (uint32_t k = 0; k < count; k++) {
        if (!request_fill(arena, field->item, map->item,
                          tenure_items(map, value) + k * map->item_size,
                          ret + field->offset + k * field->item->size, ret_field)) {
            return false;
        }
    }
    return true;
}

static bool request_token(const struct op_field *field, struct bytes text, uint8_t *ret,
                          const char **ret_field)
{
    struct op_token token;
    bool good = op_token_read(text, (enum op_token_kind)field->bound, &token);
    if (good) {
        memcpy(ret + field->offset, &token, sizeof(token));
    } else {
        *ret_field = field->name;
    }
    env_wipe(&token, sizeof(token));
    return good;
}

/* What a server would refuse anyway: bounds, texts that are none, numbers without a meaning. */
static bool request_plain(struct arena *arena, const struct op_field *field, const uint8_t *from,
                          uint8_t *ret)
{
    if (field->kind == OP_KIND_blob || field->kind == OP_KIND_text) {
        struct bytes copy = copy_bytes(arena, public_bytes(from));
        memcpy(ret + field->offset, &copy, sizeof(copy));
        return copy.size <= field->bound &&
               (field->kind == OP_KIND_blob || (copy.size > 0 && op_text_valid(copy)));
    }
    memcpy(ret + field->offset, from, scalar_size(field->kind));
    return field->kind != OP_KIND_enumeration ||
           op_enum_text(field->enumeration, read_count(from)) != NULL;
}

static bool request_fill(struct arena *arena, const struct op_struct *s,
                         const struct tenure_field_map *map, const uint8_t *value, uint8_t *ret,
                         const char **ret_field)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        bool has = public_has(&map[i], value);
        memcpy(ret + field->has_offset, &has, sizeof(has));
        if (!has) {
            continue;
        }
        const uint8_t *from = value + map[i].offset;
        if (field->kind == OP_KIND_list) {
            if (!request_list(arena, field, &map[i], value, ret, ret_field)) {
                return false;
            }
        } else if (field->kind == OP_KIND_token) {
            if (!request_token(field, public_bytes(from), ret, ret_field)) {
                return false;
            }
        } else if (!request_plain(arena, field, from, ret)) {
            *ret_field = field->name;
            return false;
        }
    }
    return true;
}

void *tenure_request_copy(const struct tenure_method *method, const void *value,
                          const char **ret_field)
{
    const struct op_struct *s = method->request;
    size_t size = s->size + request_bytes(s, method->request_map, value);
    uint8_t *memory = calloc(1, size);
    *ret_field = NULL;
    if (memory == NULL) {
        return NULL;
    }
    struct arena arena = {memory + s->size, memory + size};
    if (!request_fill(&arena, s, method->request_map, value, memory, ret_field)) {
        env_wipe(memory, size); /* the tokens before the wrong field */
        free(memory);
        return NULL;
    }
    return memory;
}

/* ---- replies: op's to public ---- */

enum { ITEM_ALIGNMENT = 8 };

_Static_assert(_Alignof(uint64_t) <= ITEM_ALIGNMENT && _Alignof(void *) <= ITEM_ALIGNMENT,
               "items may be aligned so");

static bool op_has(const struct op_field *field, const uint8_t *value)
{
    return field->required || *(const bool *)(value + field->has_offset);
}

static size_t reply_bytes(const struct op_struct *s, const struct tenure_field_map *map,
                          const uint8_t *value);

static size_t list_bytes(const struct op_field *field, const struct tenure_field_map *map,
                         const uint8_t *value)
{
    uint32_t count = read_count(value + field->count_offset);
    size_t size = ITEM_ALIGNMENT + count * map->item_size;
    for (uint32_t k = 0; k < count; k++) {
        size += reply_bytes(field->item, map->item, value + field->offset + k * field->item->size);
    }
    return size;
}

static size_t reply_bytes(const struct op_struct *s, const struct tenure_field_map *map,
                          const uint8_t *value)
{
    size_t size = 0;
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        if (field->kind == OP_KIND_token) {
            size += OP_TOKEN_TEXT_MAX;
        } else if (field->kind == OP_KIND_blob || field->kind == OP_KIND_text) {
            struct bytes view;
            memcpy(&view, value + field->offset, sizeof(view));
            size += view.size + 1;
        } else if (field->kind == OP_KIND_list && op_has(field, value)) {
            size += list_bytes(field, &map[i], value);
        }
    }
    return size;
}

static void reply_token(struct arena *arena, const struct op_field *field, const uint8_t *from,
                        uint8_t *to)
{
    struct op_token token;
    memcpy(&token, from, sizeof(token));
    struct base_writer writer;
    base_writer_init(&writer, take(arena, OP_TOKEN_TEXT_MAX), OP_TOKEN_TEXT_MAX);
    op_token_write(&writer, (enum op_token_kind)field->bound, &token);
    set_public_bytes(to, base_written(&writer));
}

static void reply_fill(struct arena *arena, const struct op_struct *s,
                       const struct tenure_field_map *map, const uint8_t *value, uint8_t *ret);

static void reply_list(struct arena *arena, const struct op_field *field,
                       const struct tenure_field_map *map, const uint8_t *value, uint8_t *ret)
{
    uint32_t count = read_count(value + field->count_offset);
    (void)take(arena, (size_t)(-(uintptr_t)arena->at % ITEM_ALIGNMENT));
    uint8_t *items = take(arena, count * map->item_size);
    memset(items, 0, count * map->item_size);
    memcpy(ret + map->count_offset, &count, sizeof(count));
    memcpy(ret + map->offset, &items, sizeof(items));
    for (uint32_t k = 0; k < count; k++) {
        reply_fill(arena, field->item, map->item, value + field->offset + k * field->item->size,
                   items + k * map->item_size);
    }
}

static void reply_field(struct arena *arena, const struct op_field *field,
                        const struct tenure_field_map *map, const uint8_t *value, uint8_t *ret)
{
    const uint8_t *from = value + field->offset;
    uint8_t *to = ret + map->offset;
    if (field->kind == OP_KIND_token) {
        reply_token(arena, field, from, to);
    } else if (field->kind == OP_KIND_blob || field->kind == OP_KIND_text) {
        struct bytes view;
        memcpy(&view, from, sizeof(view));
        set_public_bytes(to, copy_bytes(arena, view));
    } else if (field->kind == OP_KIND_list) {
        reply_list(arena, field, map, value, ret);
    } else {
        memcpy(to, from, scalar_size(field->kind));
    }
}

static void reply_fill(struct arena *arena, const struct op_struct *s,
                       const struct tenure_field_map *map, const uint8_t *value, uint8_t *ret)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        bool has = *((const bool *)value + field->has_offset);
        if (map[i].has_offset != SIZE_MAX) {
            memcpy(ret + map[i].has_offset, &has, sizeof(has));
        }
        if (has || field->required) {
            reply_field(arena, field, &map[i], value, ret);
        }
    }
}

/* Its size is kept, since it may hold secrets that are wiped in the end. */
struct memory {
    size_t size;
    uint8_t bytes[];
};

void tenure_result_done(struct tenure_result *result)
{
    struct memory *memory = result->memory;
    if (memory != NULL) {
        env_wipe(memory->bytes, memory->size);
    }
    free(memory);
    result->memory = NULL;
}

bool tenure_reply_copy(const struct op_struct *s, const struct tenure_field_map *map,
                       const void *value, void *ret_value, void **ret_memory)
{
    size_t size = reply_bytes(s, map, value);
    struct memory *memory = size == 0 ? NULL : malloc(sizeof(*memory) + size);
    struct arena arena = {NULL, NULL};
    if (size != 0) {
        if (memory == NULL) {
            return false;
        }
        memory->size = size;
        arena = (struct arena){memory->bytes, memory->bytes + size};
    }
    reply_fill(&arena, s, map, value, ret_value);
    *ret_memory = memory;
    return true;
}

/* Interned names: one record a text, counted, found by an index over the text's hash. Does not know
 * what a name is a name of. */
#include "fsm/name.h"

#include "base/assert.h"

#include <string.h>

/* The image ends with the text; the count of uses is replicated like the text. */
struct name {
    uint32_t uses;
    uint8_t size;
    uint8_t text[NAME_BYTES_MAX];
};

enum { NAME_RECORD_BYTES = offsetof(struct name, text) + NAME_BYTES_MAX };

static const struct table_field fields[] = {
    {1, TABLE_U32, offsetof(struct name, uses), 0},
    {2, TABLE_U8, offsetof(struct name, size), 0},
    {3, TABLE_BYTES, offsetof(struct name, text), NAME_BYTES_MAX},
};

const struct table_type name_type = {
    .id = NAME_TABLE_ID,
    .name = "name",
    .record_size = NAME_RECORD_BYTES,
    .slot_size = (NAME_RECORD_BYTES + 7) / 8 * 8,
    .fields = fields,
    .field_count = sizeof fields / sizeof fields[0],
};

struct names {
    struct table *table;
    struct index *index;
    struct siphash_key key;
};

enum { NAMES_HEAD_BYTES = 64 };

_Static_assert(sizeof(struct names) <= NAMES_HEAD_BYTES, "the index begins after the head");

size_t names_size(uint32_t capacity)
{
    return NAMES_HEAD_BYTES + index_size(capacity);
}

struct names *names_create(void *memory, size_t size, struct table *table,
                           const struct siphash_key *key)
{
    struct names *names = memory;

    ASSERT((uintptr_t)memory % 8 == 0);
    ASSERT(size >= names_size(table_capacity(table)));
    names->table = table;
    names->key = *key;
    names->index = index_create((uint8_t *)memory + NAMES_HEAD_BYTES, size - NAMES_HEAD_BYTES,
                                table_capacity(table));
    return names;
}

struct wanted {
    const struct names *names;
    struct bytes text;
};

static bool has_text(const void *arg, uint32_t slot)
{
    const struct wanted *wanted = arg;

    return bytes_equal(names_text(wanted->names, slot), wanted->text);
}

static uint32_t find(const struct names *names, struct bytes text, uint64_t hash)
{
    struct wanted wanted = {.names = names, .text = text};

    return index_find(names->index, hash, has_text, &wanted);
}

uint32_t names_find(const struct names *names, struct bytes text)
{
    return find(names, text, base_siphash64(&names->key, text));
}

static uint32_t add(struct names *names, struct bytes text, uint64_t hash)
{
    uint32_t slot = table_take(names->table);
    struct name *name;

    if (slot == SLOT_NONE) {
        return SLOT_NONE;
    }
    name = table_write(names->table, slot);
    name->uses = 1;
    name->size = (uint8_t)text.size;
    if (text.size > 0) {
        memcpy(name->text, text.data, text.size);
    }
    index_insert(names->index, hash, slot);
    return slot;
}

uint32_t names_hold(struct names *names, struct bytes text)
{
    uint64_t hash = base_siphash64(&names->key, text);
    uint32_t slot = find(names, text, hash);
    struct name *name;

    ASSERT(text.size <= NAME_BYTES_MAX);
    if (slot == SLOT_NONE) {
        return add(names, text, hash);
    }
    name = table_write(names->table, slot);
    ASSERT(name->uses < UINT32_MAX);
    name->uses++;
    return slot;
}

void names_release(struct names *names, uint32_t slot)
{
    struct name *name = table_write(names->table, slot);

    ASSERT(name->uses > 0);
    name->uses--;
    if (name->uses == 0) {
        index_remove(names->index, base_siphash64(&names->key, names_text(names, slot)), slot);
        table_free(names->table, slot);
    }
}

struct bytes names_text(const struct names *names, uint32_t slot)
{
    const struct name *name = table_read(names->table, slot);
    size_t size = name->size < NAME_BYTES_MAX ? name->size : NAME_BYTES_MAX;

    return bytes_of(name->text, size);
}

void names_rebuild(struct names *names)
{
    index_clear(names->index);
    for (uint32_t slot = table_next(names->table, SLOT_NONE); slot != SLOT_NONE;
         slot = table_next(names->table, slot)) {
        index_insert(names->index, base_siphash64(&names->key, names_text(names, slot)), slot);
    }
}

/* Numbers byte strings in the order of their first sight. See names.h. */
#include "jepsen/model/names.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    uint32_t hash;
    uint32_t size;
    const uint8_t *bytes;
};

/* Bytes never move: a request of a history points at them while the law names what it makes. */
struct pool {
    struct pool *before;
    size_t used;
    size_t capacity;
    uint8_t bytes[];
};

struct names {
    struct pool *pool; /* the newest, which has room */
    struct entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* numbers, 0 when free */
    uint32_t mask;
};

enum { SLOTS_LEAST = 1024, POOL_LEAST = 4096, POOL_MOST = 1 << 22 };

static void *must(void *memory)
{
    ASSERT(memory != NULL);
    return memory;
}

void *model_names_grow_raw(void *items, uint32_t *capacity, uint32_t count, size_t item_size)
{
    uint32_t wanted = *capacity;

    if (count <= wanted) {
        return items;
    }
    while (wanted < count) {
        wanted = wanted == 0 ? 4 : wanted + wanted / 2;
    }
    *capacity = wanted;
    return must(realloc(items, (size_t)wanted * item_size));
}

void *model_names_grow(void *items, uint32_t *capacity, uint32_t count, size_t item_size)
{
    uint32_t before = *capacity;

    items = model_names_grow_raw(items, capacity, count, item_size);
    if (*capacity > before) {
        memset((uint8_t *)items + (size_t)before * item_size, 0,
               (size_t)(*capacity - before) * item_size);
    }
    return items;
}

/* Eight bytes at a time; texts come from histories, so nobody aims at the slots. */
static uint32_t hash_of(struct bytes text)
{
    uint64_t hash = text.size * 0x9e3779b97f4a7c15u, word;
    size_t at = 0;

    for (; at + sizeof word <= text.size; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    word = 0;
    if (at < text.size) {
        memcpy(&word, text.data + at, text.size - at);
    }
    hash = (hash ^ word) * 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

struct names *model_names_create(void)
{
    struct names *names = must(calloc(1, sizeof *names));

    names->slots = must(calloc(SLOTS_LEAST, sizeof *names->slots));
    names->mask = SLOTS_LEAST - 1;
    names->entries = model_names_grow(NULL, &names->capacity, 1, sizeof *names->entries);
    names->count = 1;
    return names;
}

void model_names_destroy(struct names *names)
{
    if (names == NULL) {
        return;
    }
    while (names->pool != NULL) {
        struct pool *before = names->pool->before;

        free(names->pool);
        names->pool = before;
    }
    free(names->entries);
    free(names->slots);
    free(names);
}

static void widen(struct names *names)
{
    uint32_t mask = names->mask * 2 + 1;
    uint32_t *slots = must(calloc((size_t)mask + 1, sizeof *slots));

    for (uint32_t number = 1; number < names->count; number++) {
        uint32_t at = names->entries[number].hash & mask;

        while (slots[at] != 0) {
            at = (at + 1) & mask;
        }
        slots[at] = number;
    }
    free(names->slots);
    names->slots = slots;
    names->mask = mask;
}

/* Room for `size` bytes. */
static uint8_t *take(struct names *names, size_t size)
{
    struct pool *pool = names->pool;

    if (pool == NULL || pool->capacity - pool->used < size) {
        size_t wanted = pool == NULL ? POOL_LEAST : pool->capacity * 2;
        wanted = wanted > POOL_MOST ? POOL_MOST : wanted;
        wanted = wanted < size ? size : wanted;
        pool = must(malloc(sizeof *pool + wanted));
        *pool = (struct pool){.before = names->pool, .capacity = wanted};
        names->pool = pool;
    }
    pool->used += size;
    return pool->bytes + pool->used - size;
}

static uint32_t append(struct names *names, struct bytes text, uint32_t hash)
{
    uint8_t *bytes = take(names, text.size);

    memcpy(bytes, text.data, text.size);
    names->entries = model_names_grow_raw(names->entries, &names->capacity, names->count + 1,
                                          sizeof *names->entries);
    names->entries[names->count] = (struct entry){
        .hash = hash, .size = (uint32_t)text.size, .bytes = bytes};
    return names->count++;
}

uint32_t model_names_number(struct names *names, struct bytes text)
{
    uint32_t hash, at;

    if (text.size == 0) {
        return 0;
    }
    hash = hash_of(text);
    at = hash & names->mask;
    while (names->slots[at] != 0) {
        const struct entry *entry = &names->entries[names->slots[at]];

        if (entry->hash == hash && entry->size == text.size &&
            memcmp(entry->bytes, text.data, text.size) == 0) {
            return names->slots[at];
        }
        at = (at + 1) & names->mask;
    }
    names->slots[at] = append(names, text, hash);
    at = names->count - 1;
    if ((uint64_t)names->count * 4 > (uint64_t)names->mask * 3) {
        widen(names);
    }
    return at;
}

struct bytes model_names_bytes(const struct names *names, uint32_t number)
{
    const struct entry *entry = &names->entries[number];

    ASSERT(number < names->count);
    return number == 0 ? BYTES_NONE : bytes_of(entry->bytes, entry->size);
}

uint32_t model_names_end(const struct names *names)
{
    return names->count;
}

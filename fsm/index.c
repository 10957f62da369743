/* The hash index: open addressing, linear probing, backward-shift removal. Never hashes anything
 * itself and never rehashes.
 *
 *  1. An entry stands at its home (its hash's low bits) or in the unbroken run of entries after it.
 *  2. At most half of the places are taken, so that every run ends.
 *  3. A place with slot SLOT_NONE is empty; all zero is the empty index.
 */
#include "fsm/index.h"

#include "base/assert.h"

#include <string.h>

struct index_entry {
    uint32_t hash; /* the low half */
    uint32_t slot;
};

struct index {
    struct index_entry *entries;
    uint32_t mask;
    uint32_t count;
    uint32_t capacity;
};

enum { INDEX_HEAD_BYTES = 64, INDEX_CAPACITY_MAX = 1 << 30 };

_Static_assert(sizeof(struct index) <= INDEX_HEAD_BYTES,
               "the entries begin on a line of their own");

/* The smallest power of two that is at least twice the capacity. */
static uint32_t places(uint32_t capacity)
{
    uint32_t count = 2;

    ASSERT(capacity > 0 && capacity <= INDEX_CAPACITY_MAX);
    while (count < 2 * capacity) {
        count *= 2;
    }
    return count;
}

size_t index_size(uint32_t capacity)
{
    return INDEX_HEAD_BYTES + (size_t)places(capacity) * sizeof(struct index_entry);
}

struct index *index_create(void *memory, size_t size, uint32_t capacity)
{
    struct index *index = memory;

    ASSERT((uintptr_t)memory % 8 == 0);
    ASSERT(size >= index_size(capacity));
    index->entries = (struct index_entry *)(void *)((uint8_t *)memory + INDEX_HEAD_BYTES);
    index->mask = places(capacity) - 1;
    index->count = 0;
    index->capacity = capacity;
    return index;
}

uint32_t index_find(const struct index *index, uint64_t hash,
                    bool (*match)(const void *arg, uint32_t slot), const void *arg)
{
    uint32_t low = (uint32_t)hash;

    for (uint32_t at = low & index->mask;; at = (at + 1) & index->mask) {
        const struct index_entry *entry = &index->entries[at];

        if (entry->slot == SLOT_NONE) {
            return SLOT_NONE;
        }
        if (entry->hash == low && match(arg, entry->slot)) {
            return entry->slot;
        }
    }
}

void index_insert(struct index *index, uint64_t hash, uint32_t slot)
{
    uint32_t at = (uint32_t)hash & index->mask;

    ASSERT(slot != SLOT_NONE);
    ASSERT(index->count < index->capacity);
    while (index->entries[at].slot != SLOT_NONE) {
        at = (at + 1) & index->mask;
    }
    index->entries[at] = (struct index_entry){.hash = (uint32_t)hash, .slot = slot};
    index->count++;
}

/* Closes the hole: moves each entry of the run back that may stand there by its home. */
static void close_hole(struct index *index, uint32_t hole)
{
    for (uint32_t at = (hole + 1) & index->mask; index->entries[at].slot != SLOT_NONE;
         at = (at + 1) & index->mask) {
        uint32_t home = index->entries[at].hash & index->mask;

        /* The hole lies between the entry's home and its place, both included (cyclically). */
        if (((at - home) & index->mask) >= ((at - hole) & index->mask)) {
            index->entries[hole] = index->entries[at];
            hole = at;
        }
    }
    index->entries[hole] = (struct index_entry){.hash = 0, .slot = SLOT_NONE};
}

void index_remove(struct index *index, uint64_t hash, uint32_t slot)
{
    uint32_t at = (uint32_t)hash & index->mask;

    while (index->entries[at].slot != slot || index->entries[at].hash != (uint32_t)hash) {
        ASSERT(index->entries[at].slot != SLOT_NONE);
        at = (at + 1) & index->mask;
    }
    close_hole(index, at);
    index->count--;
}

void index_clear(struct index *index)
{
    for (uint32_t at = 0; index->count > 0 && at <= index->mask; at++) {
        if (index->entries[at].slot != SLOT_NONE) { /* writes to no page that is untouched */
            index->entries[at] = (struct index_entry){.hash = 0, .slot = SLOT_NONE};
            index->count--;
        }
    }
}

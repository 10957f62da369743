/* The hierarchical set of used slots. Knows no slot's meaning and keeps no count. */
#include "fsm/bits.h"

#include "base/assert.h"

#include <string.h>

size_t bits_size(uint32_t capacity)
{
    size_t count = capacity;
    size_t words = 0;

    do {
        count = bits_words(count);
        words += count;
    } while (count > 1);
    return words * sizeof(uint64_t);
}

void bits_init(struct bits *bits, void *memory, uint32_t capacity)
{
    uint64_t *at = memory;
    size_t count = capacity;

    ASSERT(capacity > 0);
    bits->capacity = capacity;
    bits->level_count = 0;
    do {
        ASSERT(bits->level_count < BITS_LEVELS_MAX);
        count = bits_words(count);
        bits->level[bits->level_count++] = at;
        at += count;
    } while (count > 1);
}

uint32_t bits_lowest_hole(const struct bits *bits)
{
    uint32_t word = 0;

    for (uint32_t level = bits->level_count; level-- > 0;) {
        uint64_t holes = ~bits->level[level][word];

        if (holes == 0) {
            return bits->capacity; /* only the top word can be full here */
        }
        word = word * 64 + (uint32_t)__builtin_ctzll(holes);
    }
    return word;
}

uint32_t bits_next(const struct bits *bits, uint32_t from, uint32_t end)
{
    const uint64_t *words = bits->level[0];
    uint32_t word = from / 64;
    uint64_t members;

    ASSERT(end <= bits->capacity);
    if (from >= end) {
        return end;
    }
    members = words[word] & UINT64_MAX << from % 64;
    while (members == 0) {
        word++;
        if (word >= bits_words(end)) {
            return end;
        }
        members = words[word];
    }
    from = word * 64 + (uint32_t)__builtin_ctzll(members);
    return from < end ? from : end;
}

void bits_add(struct bits *bits, uint32_t number)
{
    ASSERT(number < bits->capacity);
    for (uint32_t level = 0; level < bits->level_count; level++) {
        bit_set(bits->level[level], number);
        if (bits->level[level][number / 64] != UINT64_MAX) {
            return;
        }
        number /= 64;
    }
}

void bits_remove(struct bits *bits, uint32_t number)
{
    ASSERT(number < bits->capacity);
    for (uint32_t level = 0; level < bits->level_count; level++) {
        bool was_full = bits->level[level][number / 64] == UINT64_MAX;

        bit_clear(bits->level[level], number);
        if (!was_full) {
            return;
        }
        number /= 64;
    }
}

void bits_clear(struct bits *bits, uint32_t end)
{
    size_t count = end;

    for (uint32_t level = 0; level < bits->level_count; level++) {
        count = bits_words(count);
        memset(bits->level[level], 0, count * sizeof(uint64_t));
    }
}

/* A set of small numbers 0..capacity-1 that finds its lowest hole at once. For table slots.
 *
 * Six levels of 64-bit words at most: a bit of level 0 is a member, a bit of level k + 1 says that
 * a word of level k is full. All zero is the empty set, so that untouched pages are a valid one.
 */
#ifndef FSM_BITS_H
#define FSM_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BITS_LEVELS_MAX = 6 };

struct bits {
    uint64_t *level[BITS_LEVELS_MAX];
    uint32_t level_count;
    uint32_t capacity;
};

/* 64-bit words of one level that holds `count` bits. */
static inline size_t bits_words(size_t count)
{
    return (count + 63) / 64;
}

/* Bytes of all levels; a multiple of 8. */
size_t bits_size(uint32_t capacity);
/* Lays the levels into `memory` (8-byte aligned, zeroed, borrowed). */
void bits_init(struct bits *bits, void *memory, uint32_t capacity);
/* The smallest number that is not in the set; `capacity` or above when it is full. */
uint32_t bits_lowest_hole(const struct bits *bits);
/* The smallest member from `from` on and below `end`; `end` when there is none. */
uint32_t bits_next(const struct bits *bits, uint32_t from, uint32_t end);
void bits_add(struct bits *bits, uint32_t number);
void bits_remove(struct bits *bits, uint32_t number);
/* Empties a set whose members are all below `end`; touches nothing that lies above. */
void bits_clear(struct bits *bits, uint32_t end);

static inline bool bit_test(const uint64_t *words, uint32_t number)
{
    return (words[number / 64] >> number % 64 & 1) != 0;
}

static inline void bit_set(uint64_t *words, uint32_t number)
{
    words[number / 64] |= UINT64_C(1) << number % 64;
}

static inline void bit_clear(uint64_t *words, uint32_t number)
{
    words[number / 64] &= ~(UINT64_C(1) << number % 64);
}

#endif

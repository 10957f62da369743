/* The sorted set: a treap for each owner, all within two arrays of links. Its shape follows from
 * the set and the key alone and shows nowhere: only the order does.
 *
 *  1. In order: what hangs on the left of a slot stands before it, on the right after it.
 *  2. As a heap: no slot has a greater weight than the one it hangs on. Weights are keyed hashes of
 *     slots, so nobody who chooses the order can make a set deep: O(log n) expected.
 *  3. The links of a slot that is in no set mean nothing; a root of SLOT_NONE is the empty set.
 */
#include "fsm/sorted.h"

#include "base/assert.h"

struct sorted {
    uint32_t *left;  /* by slot */
    uint32_t *right; /* by slot */
    uint32_t *roots; /* by owner */
    uint32_t capacity;
    uint32_t owners;
    const struct siphash_key *key;
    sorted_order order;
    const void *arg;
};

enum { SORTED_HEAD_BYTES = 64 };

_Static_assert(sizeof(struct sorted) <= SORTED_HEAD_BYTES,
               "the links begin on a line of their own");

/* Slots and owners are counted from 1; 0 is none. */
static size_t links(uint32_t count)
{
    return (((size_t)count + 1) * sizeof(uint32_t) + 63) & ~(size_t)63;
}

size_t sorted_size(uint32_t capacity, uint32_t owners)
{
    return SORTED_HEAD_BYTES + 2 * links(capacity) + links(owners);
}

struct sorted *sorted_create(void *memory, size_t size, uint32_t capacity, uint32_t owners,
                             const struct siphash_key *key, sorted_order order, const void *arg)
{
    struct sorted *sorted = memory;
    uint8_t *at = (uint8_t *)memory + SORTED_HEAD_BYTES;

    ASSERT((uintptr_t)memory % 8 == 0);
    ASSERT(size >= sorted_size(capacity, owners));
    sorted->left = (uint32_t *)(void *)at;
    sorted->right = (uint32_t *)(void *)(at + links(capacity));
    sorted->roots = (uint32_t *)(void *)(at + 2 * links(capacity));
    sorted->capacity = capacity;
    sorted->owners = owners;
    sorted->key = key;
    sorted->order = order;
    sorted->arg = arg;
    return sorted;
}

static uint64_t weight(const struct sorted *sorted, uint32_t slot)
{
    return base_siphash64(sorted->key, bytes_of(&slot, sizeof slot));
}

static bool before(const struct sorted *sorted, uint32_t a, uint32_t b)
{
    return sorted->order(sorted->arg, a, b) < 0;
}

static uint32_t *root_of(const struct sorted *sorted, uint32_t owner)
{
    ASSERT(owner != SLOT_NONE && owner <= sorted->owners);
    return &sorted->roots[owner];
}

/* Takes the set at `from` apart: what stands before `slot` on its left, the rest on its right. */
static void split(struct sorted *sorted, uint32_t from, uint32_t slot)
{
    uint32_t *lower = &sorted->left[slot];
    uint32_t *upper = &sorted->right[slot];

    while (from != SLOT_NONE) {
        if (before(sorted, from, slot)) {
            *lower = from;
            lower = &sorted->right[from];
            from = *lower;
        } else {
            *upper = from;
            upper = &sorted->left[from];
            from = *upper;
        }
    }
    *lower = *upper = SLOT_NONE;
}

void sorted_add(struct sorted *sorted, uint32_t owner, uint32_t slot)
{
    uint32_t *link = root_of(sorted, owner);
    uint64_t own = weight(sorted, slot);

    ASSERT(slot != SLOT_NONE && slot <= sorted->capacity);
    while (*link != SLOT_NONE && weight(sorted, *link) >= own) {
        link = before(sorted, slot, *link) ? &sorted->left[*link] : &sorted->right[*link];
    }
    split(sorted, *link, slot);
    *link = slot;
}

void sorted_remove(struct sorted *sorted, uint32_t owner, uint32_t slot)
{
    uint32_t *link = root_of(sorted, owner);
    uint32_t lower = sorted->left[slot];
    uint32_t upper = sorted->right[slot];

    while (*link != slot) {
        ASSERT(*link != SLOT_NONE);
        link = before(sorted, slot, *link) ? &sorted->left[*link] : &sorted->right[*link];
    }
    while (lower != SLOT_NONE && upper != SLOT_NONE) {
        if (weight(sorted, lower) >= weight(sorted, upper)) {
            *link = lower;
            link = &sorted->right[lower];
            lower = *link;
        } else {
            *link = upper;
            link = &sorted->left[upper];
            upper = *link;
        }
    }
    *link = lower != SLOT_NONE ? lower : upper;
}

void sorted_drop(struct sorted *sorted, uint32_t owner)
{
    *root_of(sorted, owner) = SLOT_NONE;
}

uint32_t sorted_first(const struct sorted *sorted, uint32_t owner, sorted_behind behind,
                      const void *arg)
{
    uint32_t slot = *root_of(sorted, owner);
    uint32_t first = SLOT_NONE;

    while (slot != SLOT_NONE) {
        if (behind(arg, slot)) {
            first = slot;
            slot = sorted->left[slot];
        } else {
            slot = sorted->right[slot];
        }
    }
    return first;
}

uint32_t sorted_next(const struct sorted *sorted, uint32_t owner, uint32_t slot)
{
    uint32_t at = *root_of(sorted, owner);
    uint32_t next = SLOT_NONE;

    while (at != SLOT_NONE) {
        if (before(sorted, slot, at)) {
            next = at;
            at = sorted->left[at];
        } else {
            at = sorted->right[at];
        }
    }
    return next;
}

void sorted_clear(struct sorted *sorted)
{
    for (uint32_t owner = 1; owner <= sorted->owners; owner++) {
        if (sorted->roots[owner] != SLOT_NONE) { /* writes to no page that is untouched */
            sorted->roots[owner] = SLOT_NONE;
        }
    }
}

/* The heap of deadlines: a binary heap of slots with the place of each slot. Knows no clock.
 *
 *  1. Entry i is not before its parent (i - 1) / 2, in the order of (deadline, ids).
 *  2. places[slot - 1] is 1 + the slot's entry, or 0: not in the heap. All zero is the empty heap.
 */
#include "fsm/deadline.h"

#include "base/assert.h"

struct deadlines {
    uint64_t *times;  /* by entry */
    uint32_t *slots;  /* by entry */
    uint32_t *places; /* by slot */
    uint32_t count;
    uint32_t capacity;
    deadline_order order;
    const void *arg;
};

struct deadline {
    uint64_t time;
    uint32_t slot;
};

enum { DEADLINES_HEAD_BYTES = 64 };

_Static_assert(sizeof(struct deadlines) <= DEADLINES_HEAD_BYTES, "the heap begins after the head");

size_t deadlines_size(uint32_t capacity)
{
    return DEADLINES_HEAD_BYTES + (size_t)capacity * (sizeof(uint64_t) + 2 * sizeof(uint32_t));
}

struct deadlines *deadlines_create(void *memory, size_t size, uint32_t capacity,
                                   deadline_order order, const void *arg)
{
    struct deadlines *deadlines = memory;
    uint8_t *at = (uint8_t *)memory + DEADLINES_HEAD_BYTES;

    ASSERT((uintptr_t)memory % 8 == 0);
    ASSERT(size >= deadlines_size(capacity));
    ASSERT(order != NULL);
    deadlines->times = (uint64_t *)(void *)at;
    deadlines->slots = (uint32_t *)(void *)(at + (size_t)capacity * sizeof(uint64_t));
    deadlines->places = deadlines->slots + capacity;
    deadlines->count = 0;
    deadlines->capacity = capacity;
    deadlines->order = order;
    deadlines->arg = arg;
    return deadlines;
}

static struct deadline entry_at(const struct deadlines *deadlines, uint32_t at)
{
    return (struct deadline){.time = deadlines->times[at], .slot = deadlines->slots[at]};
}

static void put(struct deadlines *deadlines, uint32_t at, struct deadline entry)
{
    deadlines->times[at] = entry.time;
    deadlines->slots[at] = entry.slot;
    deadlines->places[entry.slot - 1] = at + 1;
}

static bool before(const struct deadlines *deadlines, struct deadline a, struct deadline b)
{
    if (a.time != b.time) {
        return a.time < b.time;
    }
    return deadlines->order(deadlines->arg, a.slot, b.slot) < 0;
}

/* Puts `entry` at `at` or, as far as it is before its parents, above. */
static uint32_t rise(struct deadlines *deadlines, uint32_t at, struct deadline entry)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        struct deadline above = entry_at(deadlines, parent);

        if (!before(deadlines, entry, above)) {
            break;
        }
        put(deadlines, at, above);
        at = parent;
    }
    put(deadlines, at, entry);
    return at;
}

/* Puts `entry` at `at` or, as far as its children are before it, below. */
static void sink(struct deadlines *deadlines, uint32_t at, struct deadline entry)
{
    while (at < deadlines->count / 2) {
        uint32_t child = 2 * at + 1;
        struct deadline below = entry_at(deadlines, child);

        if (child + 1 < deadlines->count) {
            struct deadline right = entry_at(deadlines, child + 1);

            if (before(deadlines, right, below)) {
                child++;
                below = right;
            }
        }
        if (!before(deadlines, below, entry)) {
            break;
        }
        put(deadlines, at, below);
        at = child;
    }
    put(deadlines, at, entry);
}

static void settle(struct deadlines *deadlines, uint32_t at, struct deadline entry)
{
    if (rise(deadlines, at, entry) == at) {
        sink(deadlines, at, entry);
    }
}

void deadlines_set(struct deadlines *deadlines, uint32_t slot, uint64_t deadline)
{
    struct deadline entry = {.time = deadline, .slot = slot};
    uint32_t place;

    ASSERT(slot != SLOT_NONE && slot <= deadlines->capacity);
    if (deadline == UINT64_MAX) {
        deadlines_remove(deadlines, slot);
        return;
    }
    place = deadlines->places[slot - 1];
    if (place == 0) {
        rise(deadlines, deadlines->count++, entry);
    } else {
        settle(deadlines, place - 1, entry);
    }
}

void deadlines_remove(struct deadlines *deadlines, uint32_t slot)
{
    uint32_t place;

    ASSERT(slot != SLOT_NONE && slot <= deadlines->capacity);
    place = deadlines->places[slot - 1];
    if (place == 0) {
        return;
    }
    deadlines->places[slot - 1] = 0;
    deadlines->count--;
    if (place - 1 < deadlines->count) { /* it was not the last: the last takes its place */
        settle(deadlines, place - 1, entry_at(deadlines, deadlines->count));
    }
}

uint64_t deadlines_earliest(const struct deadlines *deadlines, uint32_t *ret_slot)
{
    if (deadlines->count == 0) {
        *ret_slot = SLOT_NONE;
        return UINT64_MAX;
    }
    *ret_slot = deadlines->slots[0];
    return deadlines->times[0];
}

void deadlines_visit(const struct deadlines *deadlines, deadline_wanted wanted, void *arg)
{
    uint32_t open[64] = {0}; /* each step takes one and adds two a level below: 33 at most */
    size_t count = deadlines->count > 0 ? 1 : 0;

    while (count > 0) {
        uint32_t at = open[--count];

        if (!wanted(arg, deadlines->slots[at], deadlines->times[at])) {
            continue;
        }
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < deadlines->count;
             child++) {
            ASSERT(count < sizeof open / sizeof open[0]);
            open[count++] = child;
        }
    }
}

void deadlines_clear(struct deadlines *deadlines)
{
    for (uint32_t i = 0; i < deadlines->count; i++) {
        deadlines->places[deadlines->slots[i] - 1] = 0;
    }
    deadlines->count = 0;
}

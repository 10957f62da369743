/* The event heap: each event has four children, and its key beside it, so that a comparison stays
 * within the heap's own memory; places are kept in the events, so that any can be moved. */
#include "env/sim/event.h"

#include <stdlib.h>

#include "base/assert.h"

enum { CHILDREN = 4 };

static bool before(const struct sim_slot *a, const struct sim_slot *b)
{
    if (a->at_us != b->at_us) {
        return a->at_us < b->at_us;
    }
    if (a->tie != b->tie) {
        return a->tie < b->tie;
    }
    return a->event->sequence < b->event->sequence;
}

static void place(struct sim_heap *heap, size_t index, struct sim_slot slot)
{
    heap->slots[index] = slot;
    slot.event->slot = index + 1;
}

/* Puts `slot` at `index` or, as far as it is before its parents, above. */
static size_t rise(struct sim_heap *heap, size_t index, struct sim_slot slot)
{
    while (index > 0 && before(&slot, &heap->slots[(index - 1) / CHILDREN])) {
        place(heap, index, heap->slots[(index - 1) / CHILDREN]);
        index = (index - 1) / CHILDREN;
    }
    place(heap, index, slot);
    return index;
}

static size_t first_child(const struct sim_heap *heap, size_t index)
{
    size_t best = CHILDREN * index + 1;
    size_t end = best + CHILDREN < heap->count ? best + CHILDREN : heap->count;
    for (size_t child = best + 1; child < end; child++) {
        if (before(&heap->slots[child], &heap->slots[best])) {
            best = child;
        }
    }
    return best;
}

/* Puts `slot` at `index` or, as far as its children are before it, below. */
static void sink(struct sim_heap *heap, size_t index, struct sim_slot slot)
{
    while (CHILDREN * index + 1 < heap->count) {
        size_t child = first_child(heap, index);
        if (!before(&heap->slots[child], &slot)) {
            break;
        }
        place(heap, index, heap->slots[child]);
        index = child;
    }
    place(heap, index, slot);
}

static void settle(struct sim_heap *heap, size_t index, struct sim_slot slot)
{
    if (rise(heap, index, slot) == index) {
        sink(heap, index, slot);
    }
}

void sim_heap_done(struct sim_heap *heap)
{
    free(heap->slots);
    *heap = (struct sim_heap){0};
}

void sim_heap_set(struct sim_heap *heap, struct sim_event *event)
{
    struct sim_slot slot = {.at_us = event->at_us, .tie = event->tie, .event = event};
    if (event->slot != 0) {
        settle(heap, event->slot - 1, slot);
        return;
    }
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? 64 : 2 * heap->capacity;
        heap->slots = realloc(heap->slots, heap->capacity * sizeof(heap->slots[0]));
        ASSERT(heap->slots != NULL);
    }
    rise(heap, heap->count++, slot);
}

void sim_heap_remove(struct sim_heap *heap, struct sim_event *event)
{
    if (event->slot == 0) {
        return;
    }
    size_t index = event->slot - 1;
    ASSERT(index < heap->count && heap->slots[index].event == event);
    struct sim_slot last = heap->slots[--heap->count];
    event->slot = 0;
    if (last.event != event) {
        settle(heap, index, last);
    }
}

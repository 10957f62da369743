/* The event heap: a binary heap with places kept in the events, so that any can be removed. */
#include "env/sim/event.h"

#include <stdlib.h>

#include "base/assert.h"

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    if (a->at_us != b->at_us) {
        return a->at_us < b->at_us;
    }
    if (a->tie != b->tie) {
        return a->tie < b->tie;
    }
    return a->sequence < b->sequence;
}

static void place(struct sim_heap *heap, size_t index, struct sim_event *event)
{
    heap->slots[index] = event;
    event->slot = index + 1;
}

static void rise(struct sim_heap *heap, size_t index)
{
    struct sim_event *event = heap->slots[index];
    while (index > 0 && before(event, heap->slots[(index - 1) / 2])) {
        place(heap, index, heap->slots[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(heap, index, event);
}

static void sink(struct sim_heap *heap, size_t index)
{
    struct sim_event *event = heap->slots[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && before(heap->slots[child + 1], heap->slots[child])) {
            child++;
        }
        if (!before(heap->slots[child], event)) {
            break;
        }
        place(heap, index, heap->slots[child]);
        index = child;
    }
    place(heap, index, event);
}

void sim_heap_done(struct sim_heap *heap)
{
    free(heap->slots);
    *heap = (struct sim_heap){0};
}

void sim_heap_add(struct sim_heap *heap, struct sim_event *event)
{
    ASSERT(event->slot == 0);
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity == 0 ? 64 : 2 * heap->capacity;
        heap->slots = realloc(heap->slots, heap->capacity * sizeof(heap->slots[0]));
        ASSERT(heap->slots != NULL);
    }
    place(heap, heap->count++, event);
    rise(heap, event->slot - 1);
}

void sim_heap_remove(struct sim_heap *heap, struct sim_event *event)
{
    if (event->slot == 0) {
        return;
    }
    size_t index = event->slot - 1;
    ASSERT(index < heap->count && heap->slots[index] == event);
    struct sim_event *last = heap->slots[--heap->count];
    event->slot = 0;
    if (last != event) {
        place(heap, index, last);
        rise(heap, index);
        sink(heap, last->slot - 1);
    }
}

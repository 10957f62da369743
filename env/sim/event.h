/* Events and their heap, ordered by (time, seeded tie, sequence). Knows no process and no host. */
#ifndef ENV_SIM_EVENT_H
#define ENV_SIM_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct env;

/* What an event is, for the trace. */
enum sim_event_kind {
    SIM_EVENT_SCRIPT = 1,
    SIM_EVENT_WAKE,
    SIM_EVENT_TIMER,
    SIM_EVENT_RUN,
    SIM_EVENT_DONE,
    SIM_EVENT_SYN,
    SIM_EVENT_ACCEPT,
    SIM_EVENT_ARRIVE,
    SIM_EVENT_SEND,
    SIM_EVENT_RECEIVE,
    SIM_EVENT_PROBE,
    SIM_EVENT_TIMEOUT,
    SIM_EVENT_CLOSE,
};

/* Lives inside what it belongs to. */
struct sim_event {
    uint64_t at_us;
    uint64_t tie;
    uint64_t sequence;
    size_t slot;          /* place in the heap, from 1; 0: not in it */
    struct list deferred; /* in its process's list while that stands still */
    struct env *env;      /* the process that it is addressed to; NULL: the world */
    enum sim_event_kind kind;
    bool late; /* a slow process's event that has had its delay */
    void (*fire)(struct sim_event *event);
};

/* The event's key, as it was when the event was set. */
struct sim_slot {
    uint64_t at_us;
    uint64_t tie;
    struct sim_event *event;
};

struct sim_heap {
    struct sim_slot *slots;
    size_t count;
    size_t capacity;
};

void sim_heap_done(struct sim_heap *heap);
/* Adds it, or moves it to where its new key belongs. */
void sim_heap_set(struct sim_heap *heap, struct sim_event *event);
/* Harmless when it is not in the heap. */
void sim_heap_remove(struct sim_heap *heap, struct sim_event *event);
static inline struct sim_event *sim_heap_first(const struct sim_heap *heap)
{
    return heap->count == 0 ? NULL : heap->slots[0].event;
}

#define SIM_EVENT_OWNER(event, type, member)                                                       \
    ((type *)(void *)((char *)(event) - offsetof(type, member)))

#endif

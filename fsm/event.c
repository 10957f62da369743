/* The rings of events, one per tenant: what happened, once, in the order of positions. Knows how
 * they are kept; what is told is event_command.c's, who reads it events_read.c's.
 *
 *  1. The place of an event is (position, k); k counts the tenant's events of one position from 0.
 *  2. Numbers of a tenant's events go up by one with each. The newest `event_count` are kept.
 *  3. What goes is the oldest: the tenant's own when it keeps as many as it may, otherwise, when
 *     the table is full, that of the tenant who keeps most. Its place is remembered as lost.
 *  4. Nothing is refused because of events: they take the place of older ones, and no name's.
 */
#include "fsm/machine.h"

#include "base/assert.h"

#include <string.h>

static struct tenant_record *tenant_write(struct fsm *fsm, uint32_t slot)
{
    return table_write(fsm->tables[FSM_TENANTS], slot);
}

struct number_query {
    const struct fsm *fsm;
    uint32_t tenant;
    uint64_t number;
};

static bool match_event(const void *arg, uint32_t slot)
{
    const struct number_query *query = arg;
    const struct event_record *event = table_read(query->fsm->tables[FSM_EVENTS], slot);

    return event->tenant == query->tenant && event->number == query->number;
}

static uint32_t slot_of(const struct fsm *fsm, uint32_t tenant, uint64_t number)
{
    struct number_query query = {fsm, tenant, number};

    return index_find(fsm->indexes[INDEX_EVENT], fsm_hash_pair(fsm, tenant, number), match_event,
                      &query);
}

const struct event_record *fsm_event_of(const struct fsm *fsm, uint32_t tenant, uint64_t number)
{
    uint32_t slot = slot_of(fsm, tenant, number);

    ASSERT(slot != SLOT_NONE); /* invariant 2 */
    return table_read(fsm->tables[FSM_EVENTS], slot);
}

static void lose_oldest(struct fsm *fsm, uint32_t tenant_slot)
{
    struct tenant_record *tenant = tenant_write(fsm, tenant_slot);
    uint64_t number = tenant->event_number - tenant->event_count + 1;
    uint32_t slot = slot_of(fsm, tenant_slot, number);
    const struct event_record *event;

    ASSERT(tenant->event_count > 0 && slot != SLOT_NONE);
    event = table_read(fsm->tables[FSM_EVENTS], slot);
    tenant->lost_position = event->position;
    tenant->lost_k = event->k;
    tenant->event_count--;
    index_remove(fsm->indexes[INDEX_EVENT], fsm_hash_pair(fsm, tenant_slot, number), slot);
    table_free(fsm->tables[FSM_EVENTS], slot);
    fsm_schedule(fsm, FSM_TENANTS, tenant_slot);
}

/* Invariant 3. */
static void make_room(struct fsm *fsm, uint32_t tenant_slot)
{
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], tenant_slot);
    const struct table *events = fsm->tables[FSM_EVENTS];
    uint32_t eventful = tenant_slot;

    if (tenant->event_count < fsm->limits.tenant_events_max) {
        if (table_count(events) < table_capacity(events)) {
            return;
        }
        (void)deadlines_earliest(fsm->heaps[HEAP_EVENTFUL], &eventful);
        ASSERT(eventful != SLOT_NONE);
    }
    lose_oldest(fsm, eventful);
}

static uint32_t copy_text(uint8_t *to, struct bytes text)
{
    ASSERT(text.size <= OP_NAME_MAX);
    if (text.size > 0) {
        memcpy(to, text.data, text.size);
    }
    return (uint32_t)text.size;
}

static void fill(struct event_record *record, const struct fsm_event *event)
{
    record->session = event->session;
    record->task = event->task;
    record->parent = event->parent;
    record->epoch = event->epoch;
    record->attempt = event->attempt;
    record->given = event->given;
    record->ended = event->ended;
    record->lifetime = event->lifetime;
    record->kind = event->kind;
    record->cause = event->cause;
    record->user_size = copy_text(record->user, event->user);
    record->name_size = copy_text(record->name, event->name);
}

void fsm_event_add(struct fsm_context *ctx, uint32_t tenant_slot, const struct fsm_event *event)
{
    struct fsm *fsm = ctx->fsm;
    struct tenant_record *tenant;
    struct event_record *record;
    uint32_t slot;

    make_room(fsm, tenant_slot);
    tenant = tenant_write(fsm, tenant_slot);
    tenant->event_k = tenant->event_position == ctx->position ? tenant->event_k + 1 : 0;
    tenant->event_position = ctx->position;
    tenant->event_number++;
    tenant->event_count++;
    slot = table_take(fsm->tables[FSM_EVENTS]);
    ASSERT(slot != SLOT_NONE);
    record = table_write(fsm->tables[FSM_EVENTS], slot);
    fill(record, event);
    record->position = ctx->position;
    record->k = tenant->event_k;
    record->number = tenant->event_number;
    record->time = ctx->now;
    record->tenant = tenant_slot;
    if (ctx->row != NULL) { /* an operation: somebody asked for it */
        record->by_size = copy_text(record->by, ctx->caller->name);
    }
    index_insert(fsm->indexes[INDEX_EVENT], fsm_hash_pair(fsm, tenant_slot, record->number), slot);
    fsm_schedule(fsm, FSM_TENANTS, tenant_slot);
}

/* Reading a tenant's events from a place on. An answer leaves nothing out: what is lost is said
 * (S10). Depends on no deadline: deaths are told where the sweep found them.
 *
 * A page costs a search through the tenant's numbers, and a step for each event that it shows.
 */
#include "fsm/machine.h"

struct place {
    uint64_t position, k;
};

static bool before(struct place a, struct place b)
{
    return a.position != b.position ? a.position < b.position : a.k < b.k;
}

static struct place place_of(const struct event_record *event)
{
    return (struct place){event->position, event->k};
}

/* The number of the first kept event behind that place; one above the newest when there is none. */
static uint64_t first_behind(const struct fsm *fsm, uint32_t slot, struct place place)
{
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], slot);
    uint64_t from = tenant->event_number - tenant->event_count + 1;
    uint64_t to = tenant->event_number + 1;

    while (from < to) {
        uint64_t middle = from + (to - from) / 2;

        if (before(place, place_of(fsm_event_of(fsm, slot, middle)))) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return from;
}

static struct op_item_event show(const struct event_record *event)
{
    return (struct op_item_event){
        .has_position = true,
        .position = event->position,
        .has_k = true,
        .k = event->k,
        .has_number = true,
        .number = event->number,
        .has_time = true,
        .time = event->time,
        .has_kind = true,
        .kind = event->kind,
        .has_user = event->user_size > 0,
        .user = bytes_of(event->user, event->user_size),
        .has_session = !id128_is_zero(event->session),
        .session = event->session,
        .has_task = !id128_is_zero(event->task),
        .task = event->task,
        .has_name = event->name_size > 0,
        .name = bytes_of(event->name, event->name_size),
        .has_by = event->by_size > 0,
        .by = bytes_of(event->by, event->by_size),
        .has_cause = event->cause != OP_END_CAUSE_NONE,
        .cause = event->cause,
        .has_ended = event->ended != 0,
        .ended = event->ended,
        .has_lifetime = event->ended != 0,
        .lifetime = event->lifetime,
        .has_epoch = event->epoch != 0,
        .epoch = event->epoch,
        .has_attempt = event->attempt != 0,
        .attempt = event->attempt,
        .has_given = event->given != 0,
        .given = event->given,
        .has_parent = !id128_is_zero(event->parent),
        .parent = event->parent,
    };
}

static enum op_outcome refuse_compacted(struct fsm_context *ctx, const struct tenant_record *tenant)
{
    ctx->details->has_oldest_position = true;
    ctx->details->oldest_position = tenant->lost_position;
    ctx->details->has_oldest_k = true;
    ctx->details->oldest_k = tenant->lost_k;
    return OP_COMPACTED;
}

static enum op_outcome list(struct fsm_context *ctx, struct place place, uint64_t max,
                            struct op_events_read_reply *reply)
{
    const struct fsm *fsm = ctx->fsm;
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], ctx->tenant);
    uint64_t number;

    if (before(place, (struct place){tenant->lost_position, tenant->lost_k})) {
        return refuse_compacted(ctx, tenant);
    }
    number = first_behind(fsm, ctx->tenant, place);
    while (number <= tenant->event_number && reply->events_count < max) {
        const struct event_record *event = fsm_event_of(fsm, ctx->tenant, number);

        reply->events[reply->events_count++] = show(event);
        reply->next = event->position;
        reply->k = event->k;
        number++;
    }
    reply->more = number <= tenant->event_number;
    return OP_OK;
}

enum op_outcome fsm_do_events_read(struct fsm_context *ctx,
                                   const struct op_events_read_request *request,
                                   struct op_events_read_reply *reply)
{
    uint64_t max = request->has_max ? request->max : OP_MAX_event;
    struct place place = {request->has_after ? request->after : 0, 0};

    if (max == 0 || max > OP_MAX_event) {
        return fsm_refuse_field(ctx, "max");
    }
    if (request->has_origin && !id128_equal(request->origin, ctx->fsm->incarnation)) {
        ctx->details->has_origin = true;
        ctx->details->origin = ctx->fsm->incarnation;
        return OP_OTHER_INCARNATION;
    }
    if (place.position > ctx->position) { /* nobody was told such a place */
        return fsm_refuse_field(ctx, "after");
    }
    if (request->has_after) {
        place.k = request->has_k ? request->k : OP_INFINITE;
    }
    reply->has_origin = reply->has_next = reply->has_k = true;
    reply->has_events = reply->has_more = true;
    reply->origin = ctx->fsm->incarnation;
    reply->next = place.position;
    reply->k = place.k;
    return ctx->tenant == SLOT_NONE ? OP_OK : list(ctx, place, max, reply);
}

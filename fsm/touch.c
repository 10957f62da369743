/* Keeping a session alive: touch (docs/MODEL.md T7) and renewal (section 4). When it is dead is
 * life.c's to say.
 *
 *  1. A touch that would move the idle deadline by too little writes nothing, as a command too.
 *  2. What a read finds too small a move by its clock is one by every T that it can be true at.
 *  3. Neither deadline ever moves back here, and none beyond what the policy allowed at creation.
 */
#include "fsm/machine.h"

#include "base/sat.h"

/* T7: a move below this is not worth a command. */
static uint64_t least_move(const struct session_record *session)
{
    return u64_min(session->idle_us / 100, 5 * OP_SECOND);
}

static bool moves(const struct fsm_context *ctx, const struct session_record *session)
{
    uint64_t deadline = sat_add(ctx->clock, session->idle_us);

    return sat_sub(deadline, session->idle_deadline) >= least_move(session);
}

static void move_idle(struct fsm_context *ctx, uint32_t slot)
{
    struct session_record *session = table_write(ctx->fsm->tables[FSM_SESSIONS], slot);

    session->idle_deadline = sat_add(ctx->now, session->idle_us);
    fsm_schedule(ctx->fsm, FSM_SESSIONS, slot);
}

enum op_outcome fsm_do_session_touch(struct fsm_context *ctx,
                                     const struct op_session_touch_request *request,
                                     struct op_session_touch_reply *reply)
{
    struct fsm_session session;
    const struct cover_record *agent;
    enum op_outcome outcome;

    if (request->has_address && !fsm_address_valid(request->address)) {
        return fsm_refuse_field(ctx, "address");
    }
    outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome == OP_OK) {
        outcome = fsm_binding_admits(ctx, &session, FSM_GIVEN(request, address),
                                     FSM_GIVEN(request, fingerprint));
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    reply->has_written = true;
    reply->written = moves(ctx, session.record);
    if (reply->written && ctx->command == NULL) {
        ctx->writes = true;
        return OP_OK;
    }
    if (reply->written) {
        move_idle(ctx, session.slot);
    }
    agent = table_read(ctx->fsm->tables[FSM_COVERS], session.head->cover[COVER_AGENT]);
    reply->has_session = true;
    reply->session = session.head->selector;
    reply->has_epoch = true;
    reply->epoch = session.head->created;
    reply->has_agent = true;
    reply->agent = names_text(ctx->fsm->names, agent->name);
    reply->has_idle = true;
    reply->idle = sat_sub(session.record->idle_deadline, ctx->now);
    reply->has_absolute = true;
    reply->absolute = sat_sub(session.record->absolute_deadline, ctx->now);
    return OP_OK;
}

enum op_outcome fsm_do_session_renew(struct fsm_context *ctx,
                                     const struct op_session_renew_request *request,
                                     struct op_session_renew_reply *reply)
{
    uint64_t asked = request->has_absolute ? request->absolute : OP_INFINITE;
    struct session_record *record;
    struct fsm_session session;
    struct fsm_session above;
    enum op_outcome outcome;
    uint64_t wanted;

    if (asked < ctx->fsm->limits.session_ttl_min_us) {
        return fsm_refuse_field(ctx, "absolute");
    }
    outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    move_idle(ctx, session.slot);
    above = fsm_parent_of(ctx->fsm, &session);
    record = table_write(ctx->fsm->tables[FSM_SESSIONS], session.slot);
    wanted = u64_min(sat_add(ctx->now, asked), record->absolute_cap);
    if (above.record != NULL) {
        wanted = u64_min(wanted, above.record->absolute_deadline);
    }
    record->absolute_deadline = u64_max(record->absolute_deadline, wanted);
    fsm_schedule(ctx->fsm, FSM_SESSIONS, session.slot);
    reply->has_session = true;
    reply->session = record->head.selector;
    reply->has_idle = true;
    reply->idle = sat_sub(record->idle_deadline, ctx->now);
    reply->has_absolute = true;
    reply->absolute = sat_sub(record->absolute_deadline, ctx->now);
    return OP_OK;
}

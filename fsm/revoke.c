/* Revokes: one watermark each, whatever it covers. Who is dead by it follows (life.c, W6); nothing
 * is written to sessions or tasks here. */
#include "fsm/machine.h"

static enum op_outcome revoke(struct fsm_context *ctx, enum cover_kind kind, struct bytes name,
                              const char *field)
{
    struct fsm *fsm = ctx->fsm;
    uint32_t known = names_find(fsm->names, name);
    enum op_outcome outcome;

    if (name.size == 0) {
        return fsm_refuse_field(ctx, field);
    }
    outcome = fsm_watermark_room(
        ctx, known == SLOT_NONE ? SLOT_NONE : fsm_cover_of(fsm, kind, ctx->tenant, known));
    if (outcome == OP_OK) {
        outcome = fsm_room(ctx, FSM_NAMES, fsm_name_missing(fsm, name));
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    fsm_watermark_add(fsm, fsm_cover_hold(fsm, kind, ctx->tenant, name), ctx->position, ctx->now);
    return OP_OK;
}

enum op_outcome fsm_do_revoke_user(struct fsm_context *ctx,
                                   const struct op_revoke_user_request *request,
                                   struct op_revoke_user_reply *reply)
{
    reply->has_watermark = true;
    reply->watermark = ctx->position;
    return revoke(ctx, COVER_USER, request->user, "user");
}

enum op_outcome fsm_do_revoke_agent(struct fsm_context *ctx,
                                    const struct op_revoke_agent_request *request,
                                    struct op_revoke_agent_reply *reply)
{
    reply->has_watermark = true;
    reply->watermark = ctx->position;
    return revoke(ctx, COVER_AGENT, request->agent, "agent");
}

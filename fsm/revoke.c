/* Revokes: one watermark each, whatever it covers. Who is dead by it follows (life.c, W6); nothing
 * is written to sessions or tasks here, but for the one session whose own record is its watermark.
 */
#include "fsm/machine.h"

/* `field` names whom it is about, where the kind has a name. */
static enum op_outcome revoke(struct fsm_context *ctx, enum cover_kind kind, struct bytes name,
                              const char *field)
{
    struct fsm *fsm = ctx->fsm;
    bool named = fsm_cover_named(kind);
    enum op_outcome outcome;

    if (named && name.size == 0) {
        return fsm_refuse_field(ctx, field);
    }
    outcome = fsm_watermark_room(ctx, kind, fsm_cover_of(fsm, kind, ctx->tenant, name));
    if (outcome == OP_OK && named) {
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

enum op_outcome fsm_do_revoke_tenant(struct fsm_context *ctx,
                                     const struct op_revoke_tenant_request *request,
                                     struct op_revoke_tenant_reply *reply)
{
    (void)request;
    reply->has_watermark = true;
    reply->watermark = ctx->position;
    return revoke(ctx, COVER_TENANT, BYTES_NONE, NULL);
}

enum op_outcome fsm_do_revoke_all(struct fsm_context *ctx,
                                  const struct op_revoke_all_request *request,
                                  struct op_revoke_all_reply *reply)
{
    (void)request;
    reply->has_watermark = true;
    reply->watermark = ctx->position;
    return revoke(ctx, COVER_ALL, BYTES_NONE, NULL);
}

/* The watermark of one session and all below it is in its record: of one that is dead already too,
 * for its tasks of scope user may live (section 5: never its revocation). A lineage's is its
 * root's. */
static void revoke_session(struct fsm_context *ctx, const struct fsm_session *session)
{
    struct session_record *record;

    if (fsm_alive(ctx, session)) {
        record = table_write(ctx->fsm->tables[FSM_SESSIONS], session->slot);
        record->status_cause = SESSION_ENDED | ((uint32_t)OP_END_CAUSE_REVOKED << 16);
        record->end_position = ctx->position;
        record->end_time = ctx->now;
        fsm_schedule(ctx->fsm, FSM_SESSIONS, session->slot);
    }
    fsm_head_write(ctx->fsm, session)->revoked = ctx->position;
}

enum op_outcome fsm_do_session_revoke(struct fsm_context *ctx,
                                      const struct op_session_revoke_request *request,
                                      struct op_session_revoke_reply *reply)
{
    struct fsm_session session;
    enum op_outcome outcome = fsm_find_target(ctx, request->user, request->session, &session);

    if (outcome != OP_OK) {
        return outcome;
    }
    revoke_session(ctx, &session);
    reply->has_session = true;
    reply->session = request->session;
    reply->has_watermark = true;
    reply->watermark = ctx->position;
    return OP_OK;
}

enum op_outcome fsm_do_revoke_lineage(struct fsm_context *ctx,
                                      const struct op_revoke_lineage_request *request,
                                      struct op_revoke_lineage_reply *reply)
{
    struct fsm_session session;
    enum op_outcome outcome = fsm_find_target(ctx, request->user, request->session, &session);

    if (outcome != OP_OK) {
        return outcome;
    }
    session = fsm_root_of(ctx->fsm, &session);
    revoke_session(ctx, &session);
    reply->has_lineage = true;
    reply->lineage = session.head->selector;
    reply->has_watermark = true;
    reply->watermark = ctx->position;
    return OP_OK;
}

/* Listing the sessions that a user has open, page by page, by C. Shows no secret, and nothing that
 * is dead, swept or not.
 *
 * A page costs one search and then a step for each record that it looks at, FSM_PAGE_RECORDS at
 * most: so it may be short, or even empty, while dead sessions wait for the sweep.
 */
#include "fsm/machine.h"

#include "base/sat.h"

struct place {
    const struct fsm *fsm;
    uint64_t after;
};

static const struct session_record *session_at(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_SESSIONS], slot);
}

static bool behind(const void *arg, uint32_t slot)
{
    const struct place *place = arg;

    return session_at(place->fsm, slot)->head.created > place->after;
}

void fsm_session_line(const struct fsm_context *ctx, const struct session_record *session,
                      struct op_item_listed_session *ret_item)
{
    const struct fsm *fsm = ctx->fsm;
    const struct cover_record *agent = table_read(fsm->tables[FSM_COVERS],
                                                  session->head.cover[COVER_AGENT]);

    *ret_item = (struct op_item_listed_session){
        .has_session = true,
        .session = session->head.selector,
        .has_epoch = true,
        .epoch = session->head.created,
        .has_agent = true,
        .agent = names_text(fsm->names, agent->name),
        .has_policy = session->policy != SLOT_NONE,
        .has_idle = true,
        .idle = sat_sub(session->idle_deadline, ctx->now),
        .has_absolute = true,
        .absolute = sat_sub(session->absolute_deadline, ctx->now),
    };
    if (ret_item->has_policy) {
        ret_item->policy = names_text(fsm->names, session->policy);
    }
}

static void list(struct fsm_context *ctx, uint32_t cover, uint64_t after, uint64_t max,
                 struct op_session_list_reply *reply)
{
    const struct sorted *sessions = ctx->fsm->sorted[SORTED_SESSIONS];
    /* What the user's own revokes have reached is dead. */
    struct place place = {ctx->fsm, u64_max(after, fsm_watermark_newest(ctx->fsm, cover))};
    uint32_t slot = sorted_first(sessions, cover, behind, &place);

    for (uint32_t looked = 0;
         slot != SLOT_NONE && looked < FSM_PAGE_RECORDS && reply->sessions_count < max; looked++) {
        struct fsm_session session = {&session_at(ctx->fsm, slot)->head, session_at(ctx->fsm, slot),
                                      NULL, slot};

        if (fsm_alive(ctx, &session)) {
            fsm_session_line(ctx, session.record, &reply->sessions[reply->sessions_count++]);
        }
        reply->next = session.head->created;
        slot = sorted_next(sessions, cover, slot);
    }
    reply->has_next = slot != SLOT_NONE;
}

enum op_outcome fsm_do_session_list(struct fsm_context *ctx,
                                    const struct op_session_list_request *request,
                                    struct op_session_list_reply *reply)
{
    struct fsm *fsm = ctx->fsm;
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_session;
    uint32_t cover = fsm_cover_of(fsm, COVER_USER, ctx->tenant, request->user);

    if (max == 0 || max > OP_MAX_listed_session) {
        return fsm_refuse_field(ctx, "max");
    }
    reply->has_sessions = true;
    if (cover != SLOT_NONE) {
        list(ctx, cover, request->has_after ? request->after : 0, max, reply);
    }
    return OP_OK;
}

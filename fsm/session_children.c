/* Listing the children of a session that are alive, page by page, by C. Shows no secret, nothing
 * below them, and nothing that is dead, swept or not.
 *
 *  1. A page says that there are more exactly when one of those behind it is alive: no sweep
 *     changes an answer. For that it may look at all children, session_children_max at most.
 */
#include "fsm/machine.h"

static struct fsm_session child_at(const struct fsm *fsm, uint32_t slot)
{
    const struct session_record *record = table_read(fsm->tables[FSM_SESSIONS], slot);

    return (struct fsm_session){&record->head, record, NULL, slot};
}

/* The first from this one on that lives and was created behind that position, or SLOT_NONE. */
static uint32_t next_alive(struct fsm_context *ctx, uint32_t slot, uint64_t after)
{
    while (slot != SLOT_NONE) {
        struct fsm_session child = child_at(ctx->fsm, slot);

        if (child.head->created > after && fsm_alive(ctx, &child)) {
            return slot;
        }
        slot = child.record->child_next;
    }
    return SLOT_NONE;
}

static void list(struct fsm_context *ctx, const struct fsm_session *parent, uint64_t after,
                 uint64_t max, struct op_session_children_reply *reply)
{
    uint32_t slot = next_alive(ctx, parent->record->child_first, after);

    while (slot != SLOT_NONE && reply->sessions_count < max) {
        struct fsm_session child = child_at(ctx->fsm, slot);

        fsm_session_line(ctx, child.record, &reply->sessions[reply->sessions_count++]);
        reply->next = child.head->created;
        slot = next_alive(ctx, child.record->child_next, after);
    }
    reply->has_next = slot != SLOT_NONE;
}

enum op_outcome fsm_do_session_children(struct fsm_context *ctx,
                                        const struct op_session_children_request *request,
                                        struct op_session_children_reply *reply)
{
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_session;
    struct fsm_session session;
    enum op_outcome outcome;

    if (max == 0 || max > OP_MAX_listed_session) {
        return fsm_refuse_field(ctx, "max");
    }
    outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    reply->has_session = true;
    reply->session = session.head->selector;
    reply->has_sessions = true;
    list(ctx, &session, request->has_after ? request->after : 0, max, reply);
    return OP_OK;
}

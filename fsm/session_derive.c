/* What a derived value is asked for: a session that lives, by its secret. The value itself is made
 * by the node that answers (node/derive.c), from a key that is no part of the replicated state.
 */
#include "fsm/machine.h"

enum op_outcome fsm_do_session_derive(struct fsm_context *ctx,
                                      const struct op_session_derive_request *request,
                                      struct op_session_derive_reply *reply)
{
    struct fsm_session session;
    enum op_outcome outcome;

    if (request->label.size == 0) {
        return fsm_refuse_field(ctx, "label");
    }
    outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    reply->has_session = reply->has_epoch = true;
    reply->session = session.record->head.selector;
    reply->epoch = session.record->head.created;
    return OP_OK;
}

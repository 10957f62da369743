/* Listing the grants that a session holds, in the order of their permissions. What holds is
 * grant.c's to say.
 */
#include "fsm/machine.h"

#include "base/sat.h"

static void list_grant(const struct fsm_context *ctx, const struct fsm_grant *grant,
                       struct op_item_listed_grant *ret_item)
{
    *ret_item = (struct op_item_listed_grant){
        .has_permission = true,
        .permission = names_text(ctx->fsm->names, grant->permission),
        .has_given = true,
        .given = grant->given,
        .has_left = grant->deadline != OP_INFINITE,
    };
    if (ret_item->has_left) {
        ret_item->left = sat_sub(grant->deadline, ctx->now);
    }
}

/* There are few: each goes to its place among those before it. */
static void insert(struct op_grant_list_reply *reply, const struct op_item_listed_grant *item)
{
    uint32_t at = reply->grants_count++;

    while (at > 0 && bytes_compare(reply->grants[at - 1].permission, item->permission) > 0) {
        reply->grants[at] = reply->grants[at - 1];
        at--;
    }
    reply->grants[at] = *item;
}

enum op_outcome fsm_do_grant_list(struct fsm_context *ctx,
                                  const struct op_grant_list_request *request,
                                  struct op_grant_list_reply *reply)
{
    struct fsm_session session;
    struct fsm_grants held;
    enum op_outcome outcome = fsm_find_session(ctx, request->user, &request->token, &session);

    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    reply->has_session = reply->has_grants = true;
    reply->session = session.head->selector;
    fsm_grants_held(ctx, &session, &held);
    for (uint32_t i = 0; i < held.count; i++) {
        struct op_item_listed_grant item;

        list_grant(ctx, &held.list[i], &item);
        insert(reply, &item);
    }
    return OP_OK;
}

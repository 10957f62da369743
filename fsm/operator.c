/* What operators ask of the cluster as a whole: its name for tokens, how full it is, its limits.
 * Members are raftlog's matter and addresses the node's: what is left open here is filled in by the
 * node that answers (node/inspect.c).
 */
#include "fsm/machine.h"

#include "base/assert.h"

enum op_outcome fsm_do_cluster_get(struct fsm_context *ctx,
                                   const struct op_cluster_get_request *request,
                                   struct op_cluster_get_reply *reply)
{
    const struct fsm *fsm = ctx->fsm;

    (void)request;
    reply->has_incarnation = true;
    reply->incarnation = fsm->incarnation;
    reply->has_sessions = true;
    reply->sessions = table_count(fsm->tables[FSM_SESSIONS]);
    reply->has_tasks = true;
    reply->tasks = table_count(fsm->tables[FSM_TASKS]);
    reply->has_clients = true;
    reply->clients = table_count(fsm->tables[FSM_CLIENTS]);
    reply->has_tenants = true;
    reply->tenants = table_count(fsm->tables[FSM_TENANTS]);
    return OP_OK;
}

enum op_outcome fsm_do_member_list(struct fsm_context *ctx,
                                   const struct op_member_list_request *request,
                                   struct op_member_list_reply *reply)
{
    (void)ctx;
    (void)request;
    reply->has_members = true; /* the node's to fill */
    return OP_OK;
}

static void list_limit(struct op_limit_list_reply *reply, const char *name, uint64_t value)
{
    ASSERT(reply->limits_count < OP_MAX_listed_limit);
    reply->limits[reply->limits_count++] = (struct op_item_listed_limit){
        .has_name = true, .name = bytes_of_text(name), .has_value = true, .value = value};
}

#define LIST_LIMIT_(tag, name, standard, least, greatest, help)                                    \
    list_limit(reply, #name, ctx->fsm->limits.name);

enum op_outcome fsm_do_limit_list(struct fsm_context *ctx,
                                  const struct op_limit_list_request *request,
                                  struct op_limit_list_reply *reply)
{
    (void)request;
    reply->has_limits = true;
    OP_LIMITS(LIST_LIMIT_)
    return OP_OK;
}

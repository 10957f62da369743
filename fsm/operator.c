/* What operators ask of the cluster as a whole: what it is, how full, its limits, its tenants.
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

/* What changes the members or the leader is the node's alone (node/operate.c): its log of commands
 * and so this state know nothing of it. */
#define NOT_OURS_(name)                                                                            \
    enum op_outcome fsm_do_##name(struct fsm_context *ctx,                                         \
                                  const struct op_##name##_request *request,                       \
                                  struct op_##name##_reply *reply)                                 \
    {                                                                                              \
        (void)ctx;                                                                                 \
        (void)request;                                                                             \
        (void)reply;                                                                               \
        return OP_OK;                                                                              \
    }
NOT_OURS_(member_add)
NOT_OURS_(member_promote)
NOT_OURS_(member_remove)
NOT_OURS_(member_replace)
NOT_OURS_(leader_transfer)

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

/* ---- tenants ---- */

static void list_tenant(const struct fsm *fsm, uint32_t slot, struct op_tenant_list_reply *reply)
{
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], slot);
    uint32_t cover_slot = fsm_cover_of(fsm, COVER_TENANT, slot, BYTES_NONE);
    const struct cover_record *cover = cover_slot == SLOT_NONE
                                           ? NULL
                                           : table_read(fsm->tables[FSM_COVERS], cover_slot);

    reply->tenants[reply->tenants_count++] = (struct op_item_listed_tenant){
        .has_number = true,
        .number = slot,
        .has_name = true,
        .name = names_text(fsm->names, tenant->name),
        .has_sessions = true,
        .sessions = cover == NULL ? 0 : cover->session_count,
        .has_tasks = true,
        .tasks = cover == NULL ? 0 : cover->task_count,
        .has_clients = true,
        .clients = tenant->client_count,
        .has_state_bytes = true,
        .state_bytes = tenant->state_bytes,
        .has_tombstones = true,
        .tombstones = tenant->stone_count,
        .has_policies = true,
        .policies = tenant->policy_count,
    };
}

/* A tenant keeps its slot for ever, and slots are taken lowest first: they are its number. */
enum op_outcome fsm_do_tenant_list(struct fsm_context *ctx,
                                   const struct op_tenant_list_request *request,
                                   struct op_tenant_list_reply *reply)
{
    const struct table *tenants = ctx->fsm->tables[FSM_TENANTS];
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_tenant;
    uint64_t after = request->has_after ? request->after : 0;
    uint32_t slot;

    if (max == 0 || max > OP_MAX_listed_tenant) {
        return fsm_refuse_field(ctx, "max");
    }
    reply->has_tenants = true;
    slot = after >= table_capacity(tenants) ? SLOT_NONE : table_next(tenants, (uint32_t)after);
    while (slot != SLOT_NONE && reply->tenants_count < max) {
        list_tenant(ctx->fsm, slot, reply);
        reply->next = slot;
        slot = table_next(tenants, slot);
    }
    reply->has_next = slot != SLOT_NONE;
    return OP_OK;
}

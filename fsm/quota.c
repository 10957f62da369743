/* Quotas: what a tenant, each of its users and each of its sessions may have at most, below the
 * cluster's limits. Counts nothing itself: covers, tenants and sessions do.
 *
 *  1. A quota refuses growth and nothing else: one that is set below what is in use ends nothing.
 *  2. What is not swept yet counts. So while the sweep has work the answer is SWEEPING, and QUOTA
 *     only where all that counts is alive, or kept by the law.
 *  3. What bounds the tenant as a whole is an operator's to set, and bounds no operator.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

enum { QUOTAS = OP_QUOTA_SESSION_STATE_BYTES };

_Static_assert(sizeof(((struct tenant_record *)0)->quota) == QUOTAS * sizeof(uint64_t),
               "a tenant has a place for each quota");

#define NAME_(E, number, NAME, text) [number] = text,
static const char *const names[QUOTAS + 1] = {OP_ENUM_QUOTA(NAME_, )};
#undef NAME_

static const struct tenant_record *tenant_read(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_TENANTS], slot);
}

static bool is_set(const struct tenant_record *tenant, uint32_t quota)
{
    return (tenant->quotas_set & (1u << quota)) != 0;
}

static const struct cover_record *cover_of(const struct fsm_context *ctx, enum cover_kind kind,
                                           struct bytes name)
{
    uint32_t slot = ctx->tenant == SLOT_NONE ? SLOT_NONE
                                             : fsm_cover_of(ctx->fsm, kind, ctx->tenant, name);

    return slot == SLOT_NONE ? NULL : table_read(ctx->fsm->tables[FSM_COVERS], slot);
}

static uint64_t sessions_of(const struct cover_record *cover)
{
    return cover == NULL ? 0 : cover->session_count;
}

static uint64_t tasks_of(const struct cover_record *cover)
{
    return cover == NULL ? 0 : cover->task_count;
}

/* ---- asking ---- */

enum op_outcome fsm_quota_room(struct fsm_context *ctx, uint32_t quota, uint64_t used,
                               uint64_t more)
{
    const struct tenant_record *tenant = ctx->tenant == SLOT_NONE
                                             ? NULL
                                             : tenant_read(ctx->fsm, ctx->tenant);

    ASSERT(quota > 0 && quota <= QUOTAS);
    if (more == 0 || tenant == NULL || !is_set(tenant, quota) ||
        sat_add(used, more) <= tenant->quota[quota - 1]) {
        return OP_OK;
    }
    return fsm_refuse_full(ctx, names[quota]) == OP_SWEEPING ? OP_SWEEPING : OP_QUOTA;
}

enum op_outcome fsm_quota_session(struct fsm_context *ctx, struct bytes user)
{
    const struct cover_record *all = cover_of(ctx, COVER_TENANT, BYTES_NONE);
    const struct cover_record *own = cover_of(ctx, COVER_USER, user);
    enum op_outcome outcome = fsm_quota_room(ctx, OP_QUOTA_TENANT_SESSIONS, sessions_of(all), 1);

    return outcome == OP_OK ? fsm_quota_room(ctx, OP_QUOTA_USER_SESSIONS, sessions_of(own), 1)
                            : outcome;
}

enum op_outcome fsm_quota_task(struct fsm_context *ctx, const struct session_head *own)
{
    const struct table *covers = ctx->fsm->tables[FSM_COVERS];
    const struct cover_record *all = table_read(covers, own->cover[COVER_TENANT]);
    const struct cover_record *user = table_read(covers, own->cover[COVER_USER]);
    enum op_outcome outcome = fsm_quota_room(ctx, OP_QUOTA_TENANT_TASKS, tasks_of(all), 1);

    if (outcome == OP_OK) {
        outcome = fsm_quota_room(ctx, OP_QUOTA_USER_TASKS, tasks_of(user), 1);
    }
    return outcome == OP_OK ? fsm_quota_room(ctx, OP_QUOTA_SESSION_TASKS, own->task_count, 1)
                            : outcome;
}

enum op_outcome fsm_quota_client(struct fsm_context *ctx)
{
    if (ctx->tenant == SLOT_NONE || ctx->caller->role == OP_ROLE_OPERATOR) { /* invariant 3 */
        return OP_OK;
    }
    return fsm_quota_room(ctx, OP_QUOTA_TENANT_CLIENTS,
                          tenant_read(ctx->fsm, ctx->tenant)->client_count, 1);
}

enum op_outcome fsm_quota_bytes(struct fsm_context *ctx, const struct session_record *session,
                                uint64_t bytes)
{
    uint64_t more = sat_sub(bytes, session->state_bytes);
    uint64_t all = tenant_read(ctx->fsm, session->head.tenant)->state_bytes;
    enum op_outcome outcome = fsm_quota_room(ctx, OP_QUOTA_TENANT_STATE_BYTES, all, more);

    return outcome == OP_OK
               ? fsm_quota_room(ctx, OP_QUOTA_SESSION_STATE_BYTES, session->state_bytes, more)
               : outcome;
}

/* ---- setting and listing ---- */

enum op_outcome fsm_do_quota_set(struct fsm_context *ctx,
                                 const struct op_quota_set_request *request,
                                 struct op_quota_set_reply *reply)
{
    struct tenant_record *tenant;

    if (request->quota == 0 || request->quota > QUOTAS) {
        return fsm_refuse_field(ctx, "quota");
    }
    if (request->quota <= OP_QUOTA_TENANT_STATE_BYTES && ctx->caller->role != OP_ROLE_OPERATOR) {
        return OP_FORBIDDEN;
    }
    tenant = table_write(ctx->fsm->tables[FSM_TENANTS], ctx->tenant);
    tenant->quotas_set &= ~(1u << request->quota);
    tenant->quotas_set |= request->has_value ? 1u << request->quota : 0;
    tenant->quota[request->quota - 1] = request->has_value ? request->value : 0;
    reply->has_since = true;
    reply->since = ctx->position;
    return OP_OK;
}

/* False: it is a session's, or of a user that nobody named. */
static bool used_of(struct fsm_context *ctx, const struct op_quota_list_request *request,
                    enum op_quota quota, uint64_t *ret_used)
{
    const struct cover_record *all = cover_of(ctx, COVER_TENANT, BYTES_NONE);
    const struct cover_record *own = request->has_user ? cover_of(ctx, COVER_USER, request->user)
                                                       : NULL;
    bool known = ctx->tenant != SLOT_NONE;

    switch (quota) {
    case OP_QUOTA_TENANT_SESSIONS:
        *ret_used = sessions_of(all);
        return true;
    case OP_QUOTA_TENANT_TASKS:
        *ret_used = tasks_of(all);
        return true;
    case OP_QUOTA_TENANT_CLIENTS:
        *ret_used = known ? tenant_read(ctx->fsm, ctx->tenant)->client_count : 0;
        return true;
    case OP_QUOTA_TENANT_STATE_BYTES:
        *ret_used = known ? tenant_read(ctx->fsm, ctx->tenant)->state_bytes : 0;
        return true;
    case OP_QUOTA_USER_SESSIONS:
        *ret_used = sessions_of(own);
        return request->has_user;
    case OP_QUOTA_USER_TASKS:
        *ret_used = tasks_of(own);
        return request->has_user;
    case OP_QUOTA_SESSION_TASKS:
    case OP_QUOTA_SESSION_KEYS:
    case OP_QUOTA_SESSION_STATE_BYTES:
    case OP_QUOTA_NONE:
        break;
    }
    return false;
}

enum op_outcome fsm_do_quota_list(struct fsm_context *ctx,
                                  const struct op_quota_list_request *request,
                                  struct op_quota_list_reply *reply)
{
    reply->has_quotas = true;
    for (uint32_t quota = 1; quota <= QUOTAS; quota++) {
        struct op_item_listed_quota *line = &reply->quotas[reply->quotas_count++];

        line->has_quota = true;
        line->quota = quota;
        line->has_value = ctx->tenant != SLOT_NONE &&
                          is_set(tenant_read(ctx->fsm, ctx->tenant), quota);
        line->value = line->has_value ? tenant_read(ctx->fsm, ctx->tenant)->quota[quota - 1] : 0;
        line->has_used = used_of(ctx, request, (enum op_quota)quota, &line->used);
        line->used = line->has_used ? line->used : 0;
    }
    return OP_OK;
}

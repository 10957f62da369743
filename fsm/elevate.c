/* Elevation: permissions for a while, on evidence, under a new secret (docs/MODEL.md section 4).
 * How it ends is for life, the grants and their revoke to say.
 *
 *  1. A pair that it gives has G = its position, whatever the session held before: no task that
 *     began earlier has it. What the session holds for at least as long stays as it is.
 *  2. A child is not elevated: it has its parent's pairs or none (grant.c).
 *  3. Its deadline is the command's T + what the policy allows at most.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

static bool permissions_fit(const struct op_session_elevate_request *request)
{
    for (uint32_t i = 0; i < request->permissions_count; i++) {
        struct bytes permission = request->permissions[i].permission;

        if (!op_permission_valid(permission)) {
            return false;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (bytes_equal(permission, request->permissions[j].permission)) {
                return false;
            }
        }
    }
    return request->permissions_count > 0;
}

static enum op_outcome elevate_check(struct fsm_context *ctx,
                                     const struct op_session_elevate_request *request)
{
    const struct op_limits *limits = &ctx->fsm->limits;

    if (!permissions_fit(request)) {
        return fsm_refuse_field(ctx, "permissions");
    }
    if (request->has_ttl &&
        (request->ttl < limits->session_ttl_min_us || request->ttl > limits->session_ttl_max_us)) {
        return fsm_refuse_field(ctx, "ttl");
    }
    return OP_OK;
}

/* What the session will hold: invariant 1. Permissions without a name yet have SLOT_NONE. */
static uint32_t missing_names(const struct fsm *fsm,
                              const struct op_session_elevate_request *request)
{
    uint32_t missing = 0;

    for (uint32_t i = 0; i < request->permissions_count; i++) {
        missing += fsm_name_missing(fsm, request->permissions[i].permission);
    }
    return missing;
}

static uint32_t count_after(const struct fsm *fsm, const struct fsm_grants *held,
                            const struct op_session_elevate_request *request)
{
    uint32_t count = held->count;

    for (uint32_t i = 0; i < request->permissions_count; i++) {
        uint32_t name = names_find(fsm->names, request->permissions[i].permission);

        count += fsm_grants_find(held, name) == NULL ? 1 : 0;
    }
    return count;
}

static void give(struct fsm_grants *grants, struct fsm_grant grant)
{
    const struct fsm_grant *held = fsm_grants_find(grants, grant.permission);

    if (held == NULL) {
        ASSERT(grants->count < OP_MAX_grant);
        grants->list[grants->count++] = grant;
    } else if (held->deadline < grant.deadline) {
        grants->list[held - grants->list] = grant;
    }
}

static void elevate(struct fsm_context *ctx, uint32_t slot,
                    const struct op_session_elevate_request *request, uint64_t deadline,
                    struct fsm_grants *grants)
{
    struct names *names = ctx->fsm->names;
    uint32_t held[OP_MAX_permission];

    for (uint32_t i = 0; i < request->permissions_count; i++) {
        held[i] = names_hold(names, request->permissions[i].permission);
        ASSERT(held[i] != SLOT_NONE);
        give(grants, (struct fsm_grant){held[i], true, ctx->position, deadline});
    }
    fsm_session_grants_set(ctx->fsm, slot, grants);
    for (uint32_t i = 0; i < request->permissions_count; i++) {
        names_release(names, held[i]); /* the session's own use stays */
    }
    (void)fsm_rotate_secret(ctx, slot);
}

enum op_outcome fsm_do_session_elevate(struct fsm_context *ctx,
                                       const struct op_session_elevate_request *request,
                                       struct op_session_elevate_reply *reply)
{
    uint64_t asked = request->has_ttl ? request->ttl : OP_INFINITE;
    enum op_outcome outcome = elevate_check(ctx, request);
    struct fsm_policy policy;
    struct fsm_session session;
    struct fsm_grants grants;

    if (outcome == OP_OK) {
        outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    }
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome == OP_OK && session.head->depth > 1) {
        outcome = fsm_refuse_permission(ctx, request->permissions[0].permission);
    }
    if (outcome == OP_OK) {
        outcome = fsm_policy_admit(ctx, request->policy, request->has_evidence, request->evidence,
                                   &policy);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    fsm_grants_held(ctx, &session, &grants);
    outcome = fsm_grants_room(ctx, missing_names(ctx->fsm, request),
                              count_after(ctx->fsm, &grants, request), fsm_rotation_blocks());
    if (outcome != OP_OK) {
        return outcome;
    }
    reply->left = u64_min(asked, policy.absolute);
    elevate(ctx, session.slot, request, sat_add(ctx->now, reply->left), &grants);
    reply->has_session = true;
    reply->session = request->token.id;
    reply->has_token = true;
    reply->token.incarnation = ctx->fsm->incarnation;
    reply->token.id = request->token.id;
    reply->has_given = true;
    reply->given = ctx->position;
    reply->has_left = true;
    return OP_OK;
}

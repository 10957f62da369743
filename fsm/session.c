/* Sessions: opening, asking after, and ending one. When a session is dead is life.c's to say; what
 * becomes of a dead one is sweep.c's.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

static bool lifetime_fits(const struct op_limits *limits, uint64_t lifetime)
{
    return lifetime >= limits->session_ttl_min_us && lifetime <= limits->session_ttl_max_us;
}

static bool grant_repeats(const struct op_session_create_request *request, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (bytes_equal(request->grants[i].permission, request->grants[at].permission)) {
            return true;
        }
    }
    return false;
}

static bool grants_fit(const struct op_limits *limits,
                       const struct op_session_create_request *request)
{
    for (uint32_t i = 0; i < request->grants_count; i++) {
        const struct op_item_grant *grant = &request->grants[i];

        if (!op_permission_valid(grant->permission) || grant_repeats(request, i) ||
            (grant->has_ttl && !lifetime_fits(limits, grant->ttl))) {
            return false;
        }
    }
    return true;
}

/* What a session is opened with: what was asked for, within its policy. */
struct opening {
    uint64_t idle, absolute;
    uint64_t absolute_most; /* renewal included */
};

static enum op_outcome opening_of(struct fsm_context *ctx,
                                  const struct op_session_create_request *request,
                                  struct opening *ret_opening)
{
    struct fsm_policy policy;
    enum op_outcome outcome;

    *ret_opening = (struct opening){request->idle, request->absolute, request->absolute};
    if (!request->has_policy) {
        return OP_OK;
    }
    outcome = fsm_policy_admit(ctx, request->policy, request->has_evidence, request->evidence,
                               &policy);
    if (outcome != OP_OK) {
        return outcome;
    }
    *ret_opening = (struct opening){u64_min(request->idle, policy.idle),
                                    u64_min(request->absolute, policy.absolute), policy.absolute};
    return OP_OK;
}

/* What the request alone tells, whatever is stored. */
static enum op_outcome create_form(struct fsm_context *ctx,
                                   const struct op_session_create_request *request)
{
    const struct op_limits *limits = &ctx->fsm->limits;

    if (request->user.size == 0) {
        return fsm_refuse_field(ctx, "user");
    }
    if (request->agent.size == 0) {
        return fsm_refuse_field(ctx, "agent");
    }
    if (!grants_fit(limits, request)) {
        return fsm_refuse_field(ctx, "grants");
    }
    if (!fsm_filter_valid(request)) {
        return fsm_refuse_field(ctx, "filter");
    }
    if (!fsm_networks_valid(request)) {
        return fsm_refuse_field(ctx, "networks");
    }
    if (request->has_fingerprint && request->fingerprint.size == 0) {
        return fsm_refuse_field(ctx, "fingerprint");
    }
    if (request->grants_count > limits->session_grants_max) {
        ctx->details->has_limit = true;
        ctx->details->limit = bytes_of_text("session_grants_max");
        return OP_LIMIT;
    }
    return OP_OK;
}

/* Its policy as it is now, and the lifetimes within it: asked after a known (task, n) was. */
static enum op_outcome create_lifetimes(struct fsm_context *ctx,
                                        const struct op_session_create_request *request,
                                        struct opening *ret_opening)
{
    const struct op_limits *limits = &ctx->fsm->limits;
    enum op_outcome outcome = opening_of(ctx, request, ret_opening);

    if (outcome != OP_OK) {
        return outcome;
    }
    if (!lifetime_fits(limits, ret_opening->idle)) {
        return fsm_refuse_field(ctx, "idle");
    }
    if (!lifetime_fits(limits, ret_opening->absolute)) {
        return fsm_refuse_field(ctx, "absolute");
    }
    return OP_OK;
}

/* Whom a session stands under, by enum cover_kind. */
#define COVER_NAMES(request) {[COVER_USER] = (request)->user, [COVER_AGENT] = (request)->agent}

/* Is the login older than a revoke that covers it, or than one that was dropped already? */
static bool login_revoked(const struct fsm_context *ctx,
                          const struct op_session_create_request *request)
{
    const struct fsm *fsm = ctx->fsm;
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], ctx->tenant);
    struct bytes names[COVER_KINDS] = COVER_NAMES(request);
    uint64_t floor = u64_max(tenant->auth_floor, fsm_meta(fsm)->auth_floor);

    for (enum cover_kind kind = COVER_USER; kind < COVER_KINDS; kind++) {
        uint32_t cover = fsm_cover_of(fsm, kind, ctx->tenant, names[kind]);

        if (cover != SLOT_NONE) {
            floor = u64_max(floor, fsm_watermark_newest(fsm, cover));
        }
    }
    return request->has_auth_position && floor > request->auth_position;
}

static enum op_outcome create_room(struct fsm_context *ctx,
                                   const struct op_session_create_request *request,
                                   const struct fsm_filter *filter,
                                   const struct fsm_binding *binding)
{
    struct fsm *fsm = ctx->fsm;
    uint32_t names = fsm_name_missing(fsm, request->user) + fsm_name_missing(fsm, request->agent) +
                     (request->has_policy ? fsm_name_missing(fsm, request->policy) : 0);
    uint32_t blocks = chain_blocks(request->metadata.size) + chain_blocks(filter->size) +
                      chain_blocks(binding->size);
    enum op_outcome outcome = fsm_room(ctx, FSM_SESSIONS, 1);

    if (outcome == OP_OK) {
        outcome = fsm_quota_session(ctx, request->user);
    }
    for (uint32_t i = 0; i < request->grants_count; i++) {
        names += fsm_name_missing(fsm, request->grants[i].permission);
    }
    if (request->grants_count > GRANTS_INLINE) {
        blocks += fsm_grants_blocks(request->grants_count);
    }
    if (outcome == OP_OK) {
        outcome = fsm_room(ctx, FSM_NAMES, names);
    }
    return outcome == OP_OK ? fsm_room(ctx, FSM_BLOCKS, blocks) : outcome;
}

/* Given anew, or a copy of what is held above. */
static void create_grants(struct fsm_context *ctx, uint32_t slot,
                          const struct op_session_create_request *request,
                          const struct fsm_descent *descent)
{
    struct names *names = ctx->fsm->names;
    struct fsm_grants grants = {.count = request->grants_count};

    for (uint32_t i = 0; i < request->grants_count; i++) {
        const struct op_item_grant *item = &request->grants[i];

        grants.list[i].permission = names_hold(names, item->permission);
        ASSERT(grants.list[i].permission != SLOT_NONE);
        grants.list[i].given = ctx->position;
        grants.list[i].deadline = item->has_ttl ? sat_add(ctx->now, item->ttl) : OP_INFINITE;
        if (descent->parent.head != NULL) {
            const struct fsm_grant *held = fsm_grants_find(&descent->held,
                                                           grants.list[i].permission);

            grants.list[i].given = held->given;
            grants.list[i].deadline = u64_min(grants.list[i].deadline, held->deadline);
        }
    }
    fsm_session_grants_set(ctx->fsm, slot, &grants);
    for (uint32_t i = 0; i < grants.count; i++) {
        names_release(names, grants.list[i].permission); /* the session's own use stays */
    }
}

/* Below another session: at most as long as that, and ended with it. */
static void take_place(struct fsm_context *ctx, uint32_t slot, const struct fsm_descent *descent)
{
    struct session_record *session = table_write(ctx->fsm->tables[FSM_SESSIONS], slot);
    const struct session_record *parent = descent->parent.record;

    session->head.depth = 1;
    session->head.fence_floor = OP_INFINITE;
    if (parent == NULL) {
        return;
    }
    session->head.depth = parent->head.depth + 1;
    session->head.parent = parent->head.selector;
    session->head.fence_floor = descent->floor;
    session->absolute_deadline = u64_min(session->absolute_deadline, parent->absolute_deadline);
    session->absolute_cap = u64_min(session->absolute_cap, parent->absolute_cap);
    fsm_child_link(ctx->fsm, descent->parent.slot, slot);
}

static const struct session_record *create(struct fsm_context *ctx,
                                           const struct op_session_create_request *request,
                                           const struct opening *opening,
                                           const struct fsm_descent *descent,
                                           const struct fsm_filter *filter,
                                           const struct fsm_binding *binding)
{
    struct fsm *fsm = ctx->fsm;
    uint32_t slot = table_take(fsm->tables[FSM_SESSIONS]);
    struct session_record *session = table_write(fsm->tables[FSM_SESSIONS], slot);
    struct session_head *head = &session->head;
    struct bytes names[COVER_KINDS] = COVER_NAMES(request);

    head->selector = ctx->command->minted_id;
    memcpy(head->verifier, ctx->command->minted_verifier, sizeof head->verifier);
    head->created = ctx->position;
    head->created_time = ctx->now;
    head->secret_made = ctx->position;
    head->tenant = ctx->tenant;
    for (enum cover_kind kind = COVER_USER; kind < COVER_KINDS; kind++) {
        head->cover[kind] = fsm_cover_hold(fsm, kind, ctx->tenant, names[kind]);
    }
    session->idle_us = opening->idle;
    session->idle_deadline = sat_add(ctx->now, opening->idle);
    session->absolute_deadline = sat_add(ctx->now, opening->absolute);
    session->absolute_cap = sat_add(ctx->now, opening->absolute_most);
    session->policy = request->has_policy ? names_hold(fsm->names, request->policy) : SLOT_NONE;
    session->evidence = request->has_evidence ? request->evidence : OP_EVIDENCE_NONE;
    session->metadata_size = (uint32_t)request->metadata.size;
    session->metadata_chain = chain_write(fsm_blocks(fsm), request->metadata);
    session->filter_size = filter->size;
    session->filter_chain = chain_write(fsm_blocks(fsm), bytes_of(filter->image, filter->size));
    session->binding_size = binding->size;
    session->binding_chain = chain_write(fsm_blocks(fsm), bytes_of(binding->image, binding->size));
    session->status_cause = SESSION_LIVE;
    take_place(ctx, slot, descent);
    create_grants(ctx, slot, request, descent);
    fsm_covers_join(fsm, head);
    fsm_covers_link(fsm, slot);
    fsm_schedule(fsm, FSM_SESSIONS, slot);
    index_insert(fsm->indexes[INDEX_SESSION], fsm_hash_id(fsm, head->selector), slot);
    sorted_add(fsm->sorted[SORTED_SESSIONS], head->cover[COVER_USER], slot);
    return session;
}

enum op_outcome fsm_do_session_create(struct fsm_context *ctx,
                                      const struct op_session_create_request *request,
                                      struct op_session_create_reply *reply)
{
    struct opening opening = {0, 0, 0};
    struct fsm_descent descent = {.parent = {NULL, NULL, NULL, SLOT_NONE}};
    enum op_outcome outcome = create_form(ctx, request);
    const struct session_record *session;
    struct fsm_filter filter;
    struct fsm_binding binding;

    if (outcome == OP_OK) {
        outcome = fsm_child_ask(ctx, request, &descent);
    }
    if (ctx->first) {
        return outcome;
    }
    if (outcome == OP_OK) {
        outcome = create_lifetimes(ctx, request, &opening);
    }
    if (outcome == OP_OK) {
        outcome = fsm_filter_ask(ctx, request, &descent.parent, &filter);
    }
    if (outcome == OP_OK) {
        outcome = fsm_binding_ask(ctx, request, &descent.parent, &binding);
    }
    if (outcome == OP_OK && login_revoked(ctx, request)) {
        outcome = OP_LOGIN_REVOKED;
    }
    if (outcome == OP_OK) {
        outcome = create_room(ctx, request, &filter, &binding);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    if (id128_is_zero(ctx->command->minted_id) ||
        fsm_session_of(ctx->fsm, ctx->command->minted_id).head != NULL) {
        return OP_MINT_AGAIN; /* a stopped id never becomes a new session */
    }
    session = create(ctx, request, &opening, &descent, &filter, &binding);
    ctx->minted = ctx->command->minted_id;
    reply->has_session = true;
    reply->session = ctx->minted;
    reply->has_token = true;
    reply->token.incarnation = ctx->fsm->incarnation;
    reply->token.id = ctx->minted;
    reply->has_epoch = true;
    reply->epoch = ctx->position;
    reply->has_idle = true;
    reply->idle = opening.idle;
    reply->has_absolute = true;
    reply->absolute = sat_sub(session->absolute_deadline, ctx->now);
    reply->has_parent = !id128_is_zero(session->head.parent);
    reply->parent = session->head.parent;
    return OP_OK;
}

enum op_outcome fsm_do_session_validate(struct fsm_context *ctx,
                                        const struct op_session_validate_request *request,
                                        struct op_session_validate_reply *reply)
{
    struct fsm *fsm = ctx->fsm;
    struct fsm_session session;
    const struct cover_record *agent;
    enum op_outcome outcome;

    if (request->has_address && !fsm_address_valid(request->address)) {
        return fsm_refuse_field(ctx, "address");
    }
    outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome == OP_OK) {
        outcome = fsm_binding_admits(ctx, &session, FSM_GIVEN(request, address),
                                     FSM_GIVEN(request, fingerprint));
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    agent = table_read(fsm->tables[FSM_COVERS], session.head->cover[COVER_AGENT]);
    reply->has_session = true;
    reply->session = session.head->selector;
    reply->has_epoch = true;
    reply->epoch = session.head->created;
    reply->has_agent = true;
    reply->agent = names_text(fsm->names, agent->name);
    reply->has_idle = true;
    reply->idle = sat_sub(session.record->idle_deadline, ctx->now);
    reply->has_absolute = true;
    reply->absolute = sat_sub(session.record->absolute_deadline, ctx->now);
    if (session.record->metadata_size > 0) {
        chain_read(fsm_blocks(fsm), session.record->metadata_chain, fsm->value,
                   session.record->metadata_size);
        reply->has_metadata = true;
        reply->metadata = bytes_of(fsm->value, session.record->metadata_size);
    }
    return OP_OK;
}

enum op_outcome fsm_do_session_end(struct fsm_context *ctx,
                                   const struct op_session_end_request *request,
                                   struct op_session_end_reply *reply)
{
    struct fsm *fsm = ctx->fsm;
    struct fsm_session session;
    struct session_record *record;
    enum op_outcome outcome = fsm_find_session(ctx, request->user, &request->token, &session);

    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    record = table_write(fsm->tables[FSM_SESSIONS], session.slot);
    record->status_cause = SESSION_ENDED | ((uint32_t)OP_END_CAUSE_LOGOUT << 16);
    record->end_position = ctx->position;
    record->end_time = ctx->now;
    fsm_schedule(fsm, FSM_SESSIONS, session.slot);
    reply->has_session = true;
    reply->session = record->head.selector;
    reply->has_lifetime = true;
    reply->lifetime = sat_sub(ctx->now, record->head.created_time);
    return OP_OK;
}

/* The law of grants: pairs (permission, G), docs/MODEL.md sections 2 and 4. */
#include "jepsen/model/rules.h"

/* Where a grant added now ends. */
static uint64_t asked_deadline(const struct ask *ask)
{
    const struct op_grant_add_request *request = &ask->op->request->grant_add;

    return request->has_ttl ? sat_add(ask->time, request->ttl) : OP_INFINITE;
}

static uint32_t live_grants(struct model *model, const struct session *session, uint64_t time)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < session->grant_count; i++) {
        count += !life_passed(model, session->grants[i].deadline, time);
    }
    return count;
}

void expect_grant_add(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_grant_add_request *request = &ask->op->request->grant_add;
    struct op_grant_add_reply *reply = &expect->reply.grant_add;
    uint32_t session = expect_session(model, ask, &request->token, expect);
    const struct session *of = &model->sessions[session];
    const struct grant *held;
    uint64_t deadline = asked_deadline(ask);

    if (!op_permission_valid(request->permission) || (request->has_ttl && request->ttl == 0)) {
        expect_either(expect, OP_INVALID, MODEL_S1, "a permission or lifetime out of bounds");
        return;
    }
    if (request->has_ttl && (request->ttl < model->limits.session_ttl_min_us ||
                             request->ttl > model->limits.session_ttl_max_us)) {
        expect_also(expect, OP_INVALID);
    }
    if (session == 0) {
        return;
    }
    held = life_holds(model, of, state_name(model, request->permission), ask->time);
    if (of->parent != 0 && held == NULL) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "a child gains nothing");
        return;
    }
    if (of->parent != 0) {
        const struct grant *most = state_grant(&model->sessions[of->parent], held->permission);

        deadline = u64_min(deadline, most == NULL ? held->deadline : most->deadline);
    }
    reply->session = request->token.id;
    reply->given = held != NULL ? held->given : ask->op->position;
    if (held != NULL && held->elevated && deadline > held->deadline) {
        reply->given = ask->op->position; /* section 4: what lasts longer than it is given anew */
    }
    if (held != NULL && deadline < held->deadline) {
        expect->free_tags = TAG(3); /* shorter than what is held: whether it shrinks is not said */
        deadline = held->deadline;  /* an add adds: so a command without an answer is taken */
    }
    reply->has_left = deadline != OP_INFINITE;
    reply->left = sat_sub(deadline, ask->time);
    if (held == NULL && live_grants(model, of, ask->time) >= model->limits.session_grants_max) {
        expect_refusal(expect, OP_LIMIT, MODEL_S1, "the session has all the grants it may have");
    } else if (held == NULL && of->grant_count >= model->limits.session_grants_max) {
        expect_also(expect, OP_LIMIT); /* full of what has lapsed */
    }
}

void apply_grant_add(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    const struct op_grant_add_request *request = &ask->op->request->grant_add;
    const struct op_grant_add_reply *reply = &answer->reply.grant_add;
    struct session *session = &model->sessions[state_session_of(model, request->token.id)];
    uint32_t permission = state_name(model, request->permission);
    struct grant *grant = state_grant(session, permission);

    if (grant == NULL) {
        session->grants = model_names_grow(session->grants, &session->grant_capacity,
                                           session->grant_count + 1, sizeof *session->grants);
        grant = &session->grants[session->grant_count++];
        grant->elevated = false;
    }
    grant->permission = permission;
    grant->elevated = grant->elevated && grant->given == reply->given;
    grant->given = reply->given;
    grant->deadline = reply->has_left ? sat_add(ask->time, reply->left) : OP_INFINITE;
}

/* ---- elevation ---- */

static bool elevation_valid(const struct op_session_elevate_request *request)
{
    for (uint32_t i = 0; i < request->permissions_count; i++) {
        if (!op_permission_valid(request->permissions[i].permission)) {
            return false;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (bytes_equal(request->permissions[i].permission,
                            request->permissions[j].permission)) {
                return false;
            }
        }
    }
    return request->permissions_count > 0 && (!request->has_ttl || request->ttl > 0);
}

/* More pairs than a session may have, once it is given those that it lacks at `time`? */
static void expect_elevation_room(struct model *model, const struct ask *ask,
                                  const struct session *of, struct model_expect *expect)
{
    const struct op_session_elevate_request *request = &ask->op->request->session_elevate;
    uint32_t living = live_grants(model, of, ask->time), stored = of->grant_count;

    for (uint32_t i = 0; i < request->permissions_count; i++) {
        uint32_t permission = state_name(model, request->permissions[i].permission);

        living += life_holds(model, of, permission, ask->time) == NULL;
        stored += state_grant((struct session *)of, permission) == NULL;
    }
    if (living > model->limits.session_grants_max) {
        expect_refusal(expect, OP_LIMIT, MODEL_S1, "the session has all the grants it may have");
    } else if (stored > model->limits.session_grants_max) {
        expect_also(expect, OP_LIMIT); /* full of what has lapsed */
    }
}

void expect_session_elevate(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_session_elevate_request *request = &ask->op->request->session_elevate;
    struct op_session_elevate_reply *reply = &expect->reply.session_elevate;
    uint32_t session = expect_session(model, ask, &request->token, expect);
    struct policy policy;

    if (!elevation_valid(request)) {
        expect_either(expect, OP_INVALID, MODEL_S1, "permissions or a lifetime out of bounds");
        return;
    }
    if (request->has_ttl && (request->ttl < model->limits.session_ttl_min_us ||
                             request->ttl > model->limits.session_ttl_max_us)) {
        expect_also(expect, OP_INVALID);
    }
    if (session == 0) {
        return;
    }
    if (model->sessions[session].parent != 0) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "a child gains nothing");
        return;
    }
    if (!rule_policy(model, ask, request->policy, &policy)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "the tenant has no policy of that name");
        return;
    }
    if (policy.evidence > (request->has_evidence ? request->evidence : 0)) {
        expect_refusal(expect, OP_UNPROVEN, MODEL_S12, "the policy needs more evidence");
        return;
    }
    reply->session = request->token.id;
    reply->given = ask->op->position;
    reply->left = request->has_ttl ? u64_min(request->ttl, policy.absolute) : policy.absolute;
    expect->free_tags = TAG(2);
    expect_elevation_room(model, ask, &model->sessions[session], expect);
}

/* What it holds for as long already stays; all else is given now, so that no older task has it. */
void apply_session_elevate(struct model *model, const struct ask *ask,
                           const struct model_answer *answer)
{
    const struct op_session_elevate_request *request = &ask->op->request->session_elevate;
    const struct op_session_elevate_reply *reply = &answer->reply.session_elevate;
    struct session *session = &model->sessions[state_session_of(model, request->token.id)];
    uint64_t deadline = sat_add(ask->time, reply->left);

    for (uint32_t i = 0; i < request->permissions_count; i++) {
        uint32_t permission = state_name(model, request->permissions[i].permission);
        struct grant *grant = state_grant(session, permission);

        if (grant == NULL) {
            session->grants = model_names_grow(session->grants, &session->grant_capacity,
                                               session->grant_count + 1, sizeof *session->grants);
            grant = &session->grants[session->grant_count++];
            grant->deadline = 0;
        }
        if (grant->deadline < deadline) {
            *grant = (struct grant){permission, reply->given, deadline, true};
        }
    }
    apply_rotation(model, ask, session, reply->has_token ? &reply->token : NULL);
}

void expect_grant_revoke(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_grant_revoke_request *request = &ask->op->request->grant_revoke;
    uint32_t session = expect_session(model, ask, &request->token, expect);
    const struct grant *held;

    if (!op_permission_valid(request->permission)) {
        expect_either(expect, OP_INVALID, MODEL_S1, "no permission has that form");
        return;
    }
    if (session == 0) {
        return;
    }
    held = life_holds(model, &model->sessions[session], state_name(model, request->permission),
                      ask->time);
    if (held == NULL) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "the session does not hold the permission");
        return;
    }
    expect->reply.grant_revoke.session = request->token.id;
    expect->reply.grant_revoke.given = held->given;
}

/* Copies of the pair in tasks hold no more, as the session that they came from does not. */
void apply_grant_revoke(struct model *model, const struct ask *ask,
                        const struct model_answer *answer)
{
    const struct op_grant_revoke_request *request = &ask->op->request->grant_revoke;
    struct session *session = &model->sessions[state_session_of(model, request->token.id)];
    struct grant *grant = state_grant(session, state_name(model, request->permission));

    (void)answer;
    if (grant != NULL) {
        *grant = session->grants[--session->grant_count];
    }
}

void expect_permission_check(struct model *model, const struct ask *ask,
                             struct model_expect *expect)
{
    const struct op_permission_check_request *request = &ask->op->request->permission_check;
    struct op_permission_check_reply *reply = &expect->reply.permission_check;
    uint32_t session = expect_session(model, ask, &request->token, expect);
    const struct grant *held;

    if (!op_permission_valid(request->permission)) {
        expect_either(expect, OP_INVALID, MODEL_S1, "no permission has that form");
        expect_also(expect, OP_DENIED);
        return;
    }
    if (request->has_resource && !rule_resource_valid(request->resource)) {
        expect_either(expect, OP_INVALID, MODEL_S1, "no resource has that form");
        return;
    }
    if (session == 0 && expect->outcome != OP_NOT_FOUND && expect->property == MODEL_S4) {
        expect->property = MODEL_S12;
    }
    if (!expect_place(model, session, SAID(request, address), SAID(request, fingerprint), expect)) {
        return;
    }
    held = life_holds(model, &model->sessions[session], state_name(model, request->permission),
                      ask->time);
    if (held == NULL) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "the session does not hold the permission");
        expect->details.has_required = true;
        expect->details.required = request->permission;
        return;
    }
    if (!expect_reached(model, &model->sessions[session], request->has_resource, request->resource,
                        expect)) {
        return;
    }
    reply->session = request->token.id;
    reply->given = held->given;
    reply->has_left = held->deadline != OP_INFINITE;
    reply->left = sat_sub(held->deadline, ask->time);
}

void apply_permission_check(struct model *model, const struct ask *ask,
                            const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

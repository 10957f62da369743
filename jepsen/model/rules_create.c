/* The law of session.create: policies, parents, and what a child may not go beyond (docs/MODEL.md
 * sections 4 to 6). Of what a session does afterwards: rules_session.c. */
#include "jepsen/model/rules.h"

#include "base/hash.h"

static bool lifetime_valid(const struct model *model, uint64_t lifetime)
{
    return lifetime >= model->limits.session_ttl_min_us &&
           lifetime <= model->limits.session_ttl_max_us;
}

/* What nothing that is stored has a part in. 0 never means infinite. */
static bool create_valid(const struct model *model, const struct op_session_create_request *request)
{
    for (uint32_t i = 0; request->has_grants && i < request->grants_count; i++) {
        const struct op_item_grant *grant = &request->grants[i];

        if (!op_permission_valid(grant->permission) || (grant->has_ttl && grant->ttl == 0)) {
            return false;
        }
    }
    return rule_filter_valid(request) && rule_networks_valid(request) &&
           (!request->has_fingerprint || request->fingerprint.size > 0) &&
           (!request->has_grants || request->grants_count <= model->limits.session_grants_max);
}

static bool has_twins(const struct op_session_create_request *request)
{
    for (uint32_t i = 0; request->has_grants && i < request->grants_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (bytes_equal(request->grants[i].permission, request->grants[j].permission)) {
                return true;
            }
        }
    }
    return false;
}

/* What it is opened with: with a policy, at most what that allows. */
struct opening {
    uint64_t idle, absolute, most;
    bool refused;
};

static struct opening opening_of(struct model *model, const struct ask *ask,
                                 struct model_expect *expect)
{
    const struct op_session_create_request *request = &ask->op->request->session_create;
    struct opening opening = {request->idle, request->absolute, request->absolute, false};
    struct policy policy;

    if (request->has_policy && !rule_policy(model, ask, request->policy, &policy)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "the tenant has no policy of that name");
        opening.refused = true;
        return opening;
    }
    if (request->has_policy) {
        opening.refused = policy.evidence > (request->has_evidence ? request->evidence : 0);
        opening.idle = u64_min(opening.idle, policy.idle);
        opening.absolute = u64_min(opening.absolute, policy.absolute);
        opening.most = policy.absolute;
    }
    if (opening.refused) {
        expect_refusal(expect, OP_UNPROVEN, MODEL_S12, "the policy needs more evidence");
    }
    if (!lifetime_valid(model, opening.idle) || !lifetime_valid(model, opening.absolute)) {
        expect_either(expect, OP_INVALID, MODEL_S1, "T9: a lifetime out of bounds");
        expect_also(expect, OP_LIMIT);
        opening.refused = true;
    }
    return opening;
}

/* What a (task, n) of a child stands for: all but the tokens that show who asks. */
static uint64_t create_digest(struct model *model, const struct op_session_create_request *request)
{
    static const struct siphash_key key = {{2}};
    uint64_t parts[14 + 2 * OP_MAX_grant + OP_MAX_pattern + OP_MAX_network] = {
        state_name(model, request->user),
        state_name(model, request->agent),
        request->idle,
        request->absolute,
        request->has_metadata ? 1 + state_name(model, request->metadata) : 0,
        request->has_policy ? 1 + state_name(model, request->policy) : 0,
        request->has_evidence ? 1 + request->evidence : 0,
        request->has_auth_position ? 1 + request->auth_position : 0,
        request->has_grants ? 1 + request->grants_count : 0,
        request->has_filter ? request->filter_count : 0,
        request->has_networks ? request->networks_count : 0,
        request->has_fingerprint ? state_name(model, request->fingerprint) : 0};
    size_t count = 12;

    for (uint32_t i = 0; request->has_grants && i < request->grants_count; i++) {
        parts[count++] = state_name(model, request->grants[i].permission);
        parts[count++] = request->grants[i].has_ttl ? 1 + request->grants[i].ttl : 0;
    }
    for (uint32_t i = 0; request->has_filter && i < request->filter_count; i++) {
        parts[count++] = state_name(model, request->filter[i].pattern);
    }
    for (uint32_t i = 0; request->has_networks && i < request->networks_count; i++) {
        parts[count++] = state_name(model, request->networks[i].network);
    }
    return base_siphash64(&key, bytes_of(parts, count * sizeof parts[0]));
}

/* Below what it is opened. */
struct descent {
    uint32_t session; /* 0: it is a root */
    uint32_t task;    /* that opens it, or 0 */
    bool again;       /* the task has opened it before */
};

/* Section 5: to create a child is a write into the own session. */
static bool expect_task_opens(struct model *model, const struct ask *ask, struct descent *descent,
                              struct model_expect *expect)
{
    const struct op_session_create_request *request = &ask->op->request->session_create;
    uint32_t task = expect_task(model, ask, &request->fence, expect);
    const struct done *done;

    if (task == 0) {
        return false;
    }
    if (expect_number(model, &model->tasks[task], request->operation, create_digest(model, request),
                      expect, &done)) {
        if (done != NULL) {
            expect->reply.session_create.session = state_id_of(model,
                                                               model->sessions[done->object].id);
            expect->reply.session_create.epoch = done->version;
            expect->reply.session_create.has_parent = true;
            expect->reply.session_create.parent = state_id_of(
                model, model->sessions[model->sessions[done->object].parent].id);
            expect->free_tags = TAG(2) | TAG(4) | TAG(5) |
                                (model->sessions[done->object].unnamed ? TAG(1) : 0);
            descent->again = expect->bare = true;
        }
        return done != NULL;
    }
    descent->task = task;
    descent->session = model->tasks[task].session;
    return !expect_fence(model, ask, task, descent->session, "", &request->fence, expect);
}

/* Who opens a child, and whether that holds all that it gives. False: refused. */
static bool expect_parent(struct model *model, const struct ask *ask, struct descent *ret_descent,
                          struct model_expect *expect)
{
    const struct op_session_create_request *request = &ask->op->request->session_create;

    if ((request->has_parent && request->has_fence) ||
        request->has_fence != request->has_operation) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "a child is opened by one session or task");
        return false;
    }
    if (request->has_fence && !expect_task_opens(model, ask, ret_descent, expect)) {
        return false;
    }
    if (request->has_parent) {
        ret_descent->session = expect_session(model, ask, &request->parent, expect);
        if (ret_descent->session == 0) {
            return false;
        }
    }
    for (uint32_t i = 0;
         ret_descent->session != 0 && request->has_grants && i < request->grants_count; i++) {
        uint32_t permission = state_name(model, request->grants[i].permission);
        const struct grant *held =
            ret_descent->task != 0
                ? life_copy(model, &model->tasks[ret_descent->task], permission, ask->time)
                : life_holds(model, &model->sessions[ret_descent->session], permission, ask->time);

        if (held == NULL && model->mutation != MODEL_MUTATION_PERMISSION_IGNORED) {
            expect_refusal(expect, OP_DENIED, MODEL_S12, "a child is given what is not held");
            return false;
        }
    }
    return true;
}

/* Those that live; what is dead counts until its sweep, but an answer by that is SWEEPING. */
static struct tally children(struct model *model, const struct ask *ask, uint32_t parent)
{
    struct tally tally = {0, 0};

    for (uint32_t i = parent + 1; i < model->session_count; i++) {
        uint64_t also;

        if (model->sessions[i].parent != parent ||
            (life_of(model, &model->sessions[i], ask->time, &also) != 0 &&
             model->mutation != MODEL_MUTATION_DEAD_CHILD_COUNTS)) {
            continue;
        }
        if (model->sessions[i].unnamed || rule_may_be_compromised(model, ask, i)) {
            tally.maybe++;
        } else {
            tally.sure++;
        }
    }
    return tally;
}

static void expect_child_limits(struct model *model, const struct ask *ask, uint32_t parent,
                                struct model_expect *expect)
{
    struct tally tally = children(model, ask, parent);

    if (model->sessions[parent].depth >= model->limits.session_depth_max) {
        expect_refusal(expect, OP_LIMIT, MODEL_S1, "sessions are too deep");
    } else if (tally.sure >= model->limits.session_children_max) {
        expect_refusal(expect, OP_LIMIT, MODEL_S1, "the session has all its children");
    } else if (tally.sure + tally.maybe >= model->limits.session_children_max) {
        expect_also(expect, OP_LIMIT);
    }
}

/* F is the least of the parent's and of the E of the task that made it. */
static void apply_parent(struct model *model, const struct ask *ask, struct session *session)
{
    const struct op_session_create_request *request = &ask->op->request->session_create;
    uint32_t task = request->has_fence ? state_task_of(model, request->fence.id) : 0;
    const struct session *parent;

    session->depth = 1;
    session->floor = OP_INFINITE;
    session->parent = request->has_parent ? state_session_of(model, request->parent.id)
                                          : model->tasks[task].session;
    if (session->parent == 0) {
        return;
    }
    parent = &model->sessions[session->parent];
    session->depth = parent->depth + 1;
    session->floor = parent->floor;
    session->cap = u64_min(session->cap, parent->cap);
    if (task != 0) {
        session->floor = u64_min(session->floor, model->tasks[task].epoch);
        state_done_add(&model->tasks[task],
                       (struct done){.n = request->operation,
                                     .digest = create_digest(model, request),
                                     .version = session->epoch,
                                     .object = (uint32_t)(session - model->sessions)});
    }
}

/* What lies outside of the parent's reach or places. */
struct excess {
    bool outside, wider;
};

static struct excess excess_of(struct model *model, const struct ask *ask, uint32_t parent)
{
    const struct op_session_create_request *request = &ask->op->request->session_create;
    const struct session *session = &model->sessions[parent];

    return (struct excess){.outside = parent != 0 && rule_filter_outside(model, request, session),
                           .wider = parent != 0 && rule_binding_wider(model, request, session)};
}

/* Where something else is refused as well, the order is not said. */
static void also_excess(const struct excess *excess, struct model_expect *expect)
{
    expect->also |= excess->outside ? TAG(OP_OUT_OF_SCOPE) : 0;
    expect->also |= excess->wider ? TAG(OP_BOUND_ELSEWHERE) : 0;
}

/* False after refusing: a revoke lies above the login. */
static bool expect_login(struct model *model, const struct ask *ask, const struct excess *excess,
                         struct model_expect *expect)
{
    const struct op_session_create_request *request = &ask->op->request->session_create;

    if (!request->has_auth_position) {
        return true;
    }
    if (life_auth_floor(model, ask->tenant, request->auth_position, ask->time)) {
        expect_also(expect, OP_LOGIN_REVOKED);
    }
    if (!life_login_revoked(model, ask->tenant, ask->user, state_name(model, request->agent),
                            request->auth_position)) {
        return true;
    }
    expect_also(expect, expect->outcome == OP_OK ? OP_LOGIN_REVOKED : expect->outcome);
    expect_refusal(expect, OP_LOGIN_REVOKED, MODEL_S2, "a revoke lies above the login");
    also_excess(excess, expect);
    return false;
}

/* False after refusing: a child does not go beyond its parent. */
static bool expect_within(const struct excess *excess, struct model_expect *expect)
{
    if (excess->outside) {
        expect_refusal(expect, OP_OUT_OF_SCOPE, MODEL_S12, "a child reaches beyond its parent");
    }
    if (excess->wider) {
        expect_either(expect, OP_BOUND_ELSEWHERE, MODEL_S12, "a child is used beyond its parent");
    }
    return !excess->outside && !excess->wider;
}

/* What the law leaves open: to refuse, or to take as it is. */
static void expect_oddities(const struct model *model,
                            const struct op_session_create_request *request,
                            const struct opening *opening, struct model_expect *expect)
{
    if (has_twins(request) || opening->idle > opening->absolute) {
        expect_also(expect, OP_INVALID);
    }
    for (uint32_t i = 0; request->has_grants && i < request->grants_count; i++) {
        /* A grant shorter than the least lifetime: T9 speaks of lifetimes, not of grants. */
        if (request->grants[i].has_ttl && !lifetime_valid(model, request->grants[i].ttl)) {
            expect_also(expect, OP_INVALID);
        }
    }
}

static void expect_created(struct model *model, const struct ask *ask,
                           const struct opening *opening, uint32_t parent,
                           struct model_expect *expect)
{
    struct op_session_create_reply *reply = &expect->reply.session_create;

    reply->epoch = ask->op->position;
    reply->idle = opening->idle;
    reply->absolute = opening->absolute;
    if (parent != 0) {
        uint64_t left = sat_sub(model->sessions[parent].absolute, ask->time);

        reply->absolute = u64_min(opening->absolute, left);
        reply->has_parent = true;
        reply->parent = state_id_of(model, model->sessions[parent].id);
    }
    expect->free_tags = TAG(1) | TAG(2) | (opening->idle > opening->absolute ? TAG(4) : 0);
    /* What was dead may not be swept yet: RETRY, never this, unless all live. */
    if (model->session_count > model->limits.sessions_max) {
        expect_also(expect, OP_LIMIT);
    }
    expect_session_quotas(model, ask, expect);
}

void expect_session_create(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_session_create_request *request = &ask->op->request->session_create;
    struct model_expect unfit = {.outcome = OP_OK};
    struct opening opening = opening_of(model, ask, &unfit);
    struct descent parent = {0, 0, false};

    if (!create_valid(model, request)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "a field that no session can have");
        expect_also(expect, OP_LIMIT);
        return;
    }
    /* Section 5: who asks, a known (t, n) and W1 to W8 come before what a policy says today. */
    if (!expect_parent(model, ask, &parent, expect) || parent.again) {
        expect->also |= expect->outcome == OP_DENIED && opening.refused
                            ? unfit.also | TAG(unfit.outcome)
                            : 0;
        return;
    }
    if (parent.session != 0) {
        expect_child_limits(model, ask, parent.session, expect);
    }
    if (opening.refused) { /* the order of these is not said */
        expect_either(expect, unfit.outcome, unfit.property, unfit.rule);
        expect->also = (expect->also | unfit.also) & ~TAG(OP_OK);
    }
    struct excess excess = excess_of(model, ask, parent.session);

    if (expect->outcome != OP_OK) {
        also_excess(&excess, expect);
    }
    if ((expect->outcome != OP_OK && !opening.refused) ||
        !expect_login(model, ask, &excess, expect) || opening.refused ||
        !expect_within(&excess, expect)) {
        return;
    }
    expect_oddities(model, request, &opening, expect);
    expect_created(model, ask, &opening, parent.session, expect);
}

static void stand_under_covers(struct model *model, struct session *session)
{
    const uint32_t names[COVER_KINDS] = {
        [COVER_USER] = session->user, [COVER_AGENT] = session->agent};

    for (enum cover_kind kind = COVER_USER; kind < COVER_KINDS; kind++) {
        session->covers[kind] = state_cover(model, kind, session->tenant, names[kind]);
        model->covers[session->covers[kind]].fresh++;
    }
}

void rule_name_session(struct model *model, uint64_t epoch, struct id128 id)
{
    for (uint32_t i = 1; i < model->session_count; i++) {
        if (model->sessions[i].unnamed && model->sessions[i].epoch == epoch && !id128_is_zero(id)) {
            state_session_name(model, &model->sessions[i], id);
        }
    }
}

void apply_session_create(struct model *model, const struct ask *ask,
                          const struct model_answer *answer)
{
    const struct op_session_create_request *request = &ask->op->request->session_create;
    const struct op_session_create_reply *reply = &answer->reply.session_create;
    struct opening opening = opening_of(model, ask, &(struct model_expect){.outcome = OP_OK});
    struct session *session;

    if (reply->epoch != ask->op->position || state_session_of(model, reply->session) != 0) {
        rule_name_session(model, reply->epoch, reply->session); /* a known (task, n), told again */
        return;
    }
    session = state_session_add(model, reply->session);

    session->incarnation = state_id(model, reply->token.incarnation);
    session->secret = reply->has_token ? state_secret(model, &reply->token) : 0;
    session->unnamed = ask->op->unanswered;
    session->tenant = ask->tenant;
    session->user = ask->user;
    session->agent = state_name(model, request->agent);
    session->metadata = request->has_metadata ? state_name(model, request->metadata) : 0;
    stand_under_covers(model, session);
    session->epoch = session->made = reply->epoch;
    session->created = ask->time;
    session->idle_time = opening.idle;
    session->idle = sat_add(ask->time, reply->idle);
    session->absolute = sat_add(ask->time, reply->absolute);
    session->cap = sat_add(ask->time, opening.most);
    session->policy = request->has_policy ? state_name(model, request->policy) : 0;
    session->evidence = request->has_evidence ? request->evidence : 0;
    apply_parent(model, ask, session);
    apply_filter(model, request, session);
    apply_binding(model, request, session);
    for (uint32_t i = 0; request->has_grants && i < request->grants_count; i++) {
        const struct op_item_grant *from = &request->grants[i];
        uint32_t permission = state_name(model, from->permission);
        struct grant *grant = state_grant(session, permission);

        if (grant == NULL) {
            session->grants = model_names_grow(session->grants, &session->grant_capacity,
                                               session->grant_count + 1, sizeof *session->grants);
            grant = &session->grants[session->grant_count++];
        }
        *grant = (struct grant){.permission = permission,
                                .given = reply->epoch,
                                .deadline = from->has_ttl ? sat_add(ask->time, from->ttl)
                                                          : OP_INFINITE};
        if (session->parent != 0) {
            const struct grant *held = state_grant(&model->sessions[session->parent], permission);

            grant->given = held == NULL ? 0 : held->given;
            grant->deadline = held == NULL ? 0 : u64_min(grant->deadline, held->deadline);
        }
    }
}

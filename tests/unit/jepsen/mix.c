/* What a random history asks for: mostly right, often just wrong. */
#include "tests/unit/jepsen/maker.h"

#include <stdio.h>
#include <string.h>

enum { SESSIONS_MAX = 64, TASKS_MAX = 64, PERMISSIONS = 5 };

#define SECOND 1000000ULL

struct known_session {
    struct op_token token;
    const char *user;
    uint8_t tenant;
    uint64_t idle_deadline;
    struct known_session *parent; /* of a child */
    uint32_t depth;
    bool asked[PERMISSIONS]; /* opened with */
};

struct known_task {
    struct id128 id;
    struct id128 session;      /* that it was begun in, or adopted by last */
    struct op_token fences[3]; /* newest first; attempt 0: none */
    const char *user;
    uint8_t tenant;
    uint64_t next, deadline, lease;
};

struct mix {
    struct maker *maker;
    struct maker_caller callers[5]; /* two tenants, two workers of each; an operator */
    struct known_session sessions[SESSIONS_MAX];
    uint32_t session_count;
    struct known_task tasks[TASKS_MAX];
    uint32_t task_count, values;
    bool trees;       /* many sessions are children, of children too */
    uint64_t version; /* of the newest write */
    struct {
        uint64_t position, k;
    } places[2]; /* by tenant: up to where its events were told */
    char value[32];
    union op_request request;
    enum op_number f;
    struct maker_caller *caller;
};

static const char *const users[] = {"alice", "bob", "carol"};
static const char *const agents[] = {"writer", "reader"};
static const char *const permissions[PERMISSIONS] = {"state:write", "task:begin", "task:user", "p1",
                                                     "task:adopt"};
static const char *const patterns[] = {"a/b", "a/*", "a/**", "a/b/**", "*/b", "**"};
static const char *const resources[] = {"a", "a/b", "a/bc", "a/b/c", "x/b"};
static const char *const networks[] = {"10.1.0.0/16", "10.1.2.0/25", "2001:db8::/47"};
static const char *const addresses[] = {"10.1.2.3", "10.1.2.200", "::ffff:10.1.2.4",
                                        "2001:db8:2::1"};
#define PLACE(mix, f)                                                                              \
    ((mix)->request.f.has_address = (mix)->request.f.has_fingerprint = !one_in(mix, 6),            \
     (mix)->request.f.address = pick(mix, addresses, 4),                                           \
     (mix)->request.f.fingerprint = pick(mix, addresses, 2))
static const char *const policies[] = {"team", "vault", "standard", "elevated", "privileged"};
static const char *const keys[] = {"k1", "k2", "k3"};

static uint64_t below(struct mix *mix, uint64_t n)
{
    return maker_random(mix->maker, n);
}

static bool one_in(struct mix *mix, uint64_t n)
{
    return below(mix, n) == 0;
}

static struct bytes pick(struct mix *mix, const char *const *texts, uint64_t count)
{
    return bytes_of_text(texts[below(mix, count)]);
}

static struct maker_caller *caller_of(struct mix *mix, uint8_t tenant)
{
    if (one_in(mix, 25)) {
        tenant = !tenant;
    }
    return &mix->callers[tenant * 2 + (one_in(mix, 4) ? 1 : 0)];
}

static struct bytes user_of(struct mix *mix, const char *user)
{
    return one_in(mix, 25) ? pick(mix, users, 3) : bytes_of_text(user);
}

static void spoil(struct mix *mix, struct op_token *token)
{
    if (one_in(mix, 30)) {
        token->secret[20] ^= 1;
    }
}

/* Half of the time the youngest few, so that things happen to one. */
static struct known_session *some_session(struct mix *mix)
{
    uint32_t count = mix->session_count;

    if (count > 4 && !one_in(mix, 3)) {
        return &mix->sessions[count - 1 - below(mix, 4)];
    }
    return &mix->sessions[below(mix, count)];
}

static struct known_task *some_task(struct mix *mix)
{
    uint32_t count = mix->task_count;

    return count > 4 && !one_in(mix, 3) ? &mix->tasks[count - 1 - below(mix, 4)]
                                        : &mix->tasks[below(mix, count)];
}

static struct op_token some_fence(struct mix *mix, const struct known_task *task)
{
    struct op_token fence = task->fences[one_in(mix, 4) ? below(mix, 3) : 0];

    if (fence.attempt == 0) {
        fence = task->fences[0];
    }
    spoil(mix, &fence);
    return fence;
}

static void go(struct mix *mix)
{
    maker_call(mix->maker, mix->caller, mix->f, &mix->request);
    if (op_row_of_number(mix->f)->idempotency == OP_NUMBERED && one_in(mix, 15)) {
        maker_retry(mix->maker, mix->caller, mix->f, &mix->request);
    }
}

/* Its session, where that is known. */
static struct known_session *session_of(struct mix *mix, struct id128 id)
{
    for (uint32_t i = 0; i < mix->session_count; i++) {
        if (id128_equal(mix->sessions[i].token.id, id)) {
            return &mix->sessions[i];
        }
    }
    return NULL;
}

/* The deepest of a few. */
static struct known_session *deep_session(struct mix *mix)
{
    struct known_session *deepest = some_session(mix);

    for (int i = 0; i < 3; i++) {
        struct known_session *other = some_session(mix);

        deepest = other->depth > deepest->depth ? other : deepest;
    }
    return deepest;
}

/* Whose child it is to be, or NULL. */
static struct known_session *draw_place(struct mix *mix, struct op_session_create_request *request,
                                        const char **ret_user, uint8_t *ret_tenant)
{
    struct known_task *task = mix->task_count > 0 && one_in(mix, 2) ? some_task(mix) : NULL;
    struct known_session *parent = mix->trees && !one_in(mix, 3) ? deep_session(mix)
                                                                 : some_session(mix);

    if (task != NULL && task->fences[0].attempt != 0) {
        *ret_tenant = task->tenant;
        *ret_user = task->user;
        request->has_fence = request->has_operation = true;
        request->fence = some_fence(mix, task);
        request->operation = one_in(mix, 8) && task->next > 1 ? task->next - 1 : task->next++;
        return session_of(mix, task->session);
    }
    *ret_tenant = parent->tenant;
    *ret_user = parent->user;
    request->has_parent = true;
    request->parent = parent->token;
    return parent;
}

static void draw_grants(struct mix *mix, struct op_session_create_request *request,
                        const struct known_session *parent)
{
    bool child = request->has_parent || request->has_fence;

    request->has_grants = true;
    for (uint32_t i = 0; i < PERMISSIONS; i++) {
        bool held = parent != NULL && parent->asked[i];

        if (child ? one_in(mix, held ? 2 : 20) : !one_in(mix, 4)) {
            struct op_item_grant *grant = &request->grants[request->grants_count++];

            grant->permission = bytes_of_text(permissions[i]);
            grant->has_ttl = one_in(mix, mix->trees ? 8 : 3);
            grant->ttl = (5 + below(mix, 40)) * SECOND;
        }
    }
}

static void learn_session(struct mix *mix, const struct op_session_create_request *request,
                          struct known_session *parent, const char *user, uint8_t tenant)
{
    const struct op_session_create_reply *reply = &mix->maker->answer.reply.session_create;
    struct known_session *known = &mix->sessions[mix->session_count];

    if (mix->maker->answer.outcome != OP_OK || !reply->has_token ||
        mix->session_count == SESSIONS_MAX) {
        return;
    }
    mix->session_count++;
    *known = (struct known_session){.token = reply->token,
                                    .user = user,
                                    .tenant = tenant,
                                    .idle_deadline = mix->maker->time + reply->idle,
                                    .parent = parent,
                                    .depth = parent == NULL ? 1 : parent->depth + 1};
    for (uint32_t i = 0; i < request->grants_count; i++) {
        for (uint32_t j = 0; j < PERMISSIONS; j++) {
            known->asked[j] |= bytes_equal(request->grants[i].permission,
                                           bytes_of_text(permissions[j]));
        }
    }
}

static void draw_filter(struct mix *mix, struct op_session_create_request *request)
{
    request->has_filter = one_in(mix, 3);
    request->filter_count = 1 + (uint32_t)below(mix, 2);
    request->filter[0].pattern = pick(mix, patterns, 6);
    request->filter[1].pattern = pick(mix, patterns, 6);
}

static void create(struct mix *mix)
{
    struct op_session_create_request *request = &mix->request.session_create;
    uint8_t tenant = (uint8_t)one_in(mix, 4);
    const char *user = users[below(mix, 3)];
    struct known_session *parent = NULL;

    mix->f = OP_session_create;
    if (mix->session_count > 0 && (mix->trees ? !one_in(mix, 4) : one_in(mix, 3))) {
        parent = draw_place(mix, request, &user, &tenant);
    }
    mix->caller = &mix->callers[tenant * 2];
    request->user = bytes_of_text(user);
    request->agent = pick(mix, agents, 2);
    request->idle = (20 + below(mix, 100)) * SECOND;
    request->absolute = request->idle + below(mix, 200) * SECOND;
    if (one_in(mix, 8)) {
        request->has_policy = true;
        request->policy = pick(mix, policies, 5);
        request->has_evidence = one_in(mix, 2);
        request->evidence = one_in(mix, 2) ? OP_EVIDENCE_MFA : OP_EVIDENCE_REAUTHENTICATION;
    }
    draw_filter(mix, request);
    request->networks_count = request->has_networks = one_in(mix, 5);
    request->networks[0].network = pick(mix, networks, 3);
    request->has_fingerprint = one_in(mix, 12);
    request->fingerprint = pick(mix, addresses, 2);
    request->has_auth_position = one_in(mix, 4);
    request->auth_position = below(mix, mix->maker->position + 1);
    draw_grants(mix, request, parent);
    go(mix);
    learn_session(mix, request, parent, user, tenant);
    if (request->has_fence && one_in(mix, 3)) {
        go(mix); /* the same operation under another number: told again, and its retry */
        maker_retry(mix->maker, mix->caller, mix->f, &mix->request);
    }
}

static void ask_of(struct mix *mix, enum op_number f, const struct known_session *session)
{
    struct op_token token = session->token;
    struct bytes user = user_of(mix, session->user);

    spoil(mix, &token);
    mix->f = f;
    mix->caller = caller_of(mix, session->tenant);
    if (f == OP_session_validate) {
        mix->request.session_validate.user = user;
        mix->request.session_validate.token = token;
        PLACE(mix, session_validate);
    } else if (f == OP_session_get) {
        mix->request.session_get.user = user;
        mix->request.session_get.token = token;
    } else if (f == OP_grant_list) {
        mix->request.grant_list.user = user;
        mix->request.grant_list.token = token;
    } else if (f == OP_session_derive) {
        mix->request.session_derive.user = user;
        mix->request.session_derive.token = token;
        mix->request.session_derive.label = bytes_of_text("memory");
    } else if (f == OP_session_touch) {
        mix->request.session_touch.user = user;
        mix->request.session_touch.token = token;
        PLACE(mix, session_touch);
    } else if (f == OP_session_renew) {
        mix->request.session_renew.user = user;
        mix->request.session_renew.token = token;
        mix->request.session_renew.has_absolute = one_in(mix, 2);
        mix->request.session_renew.absolute = below(mix, 100) * SECOND;
    } else if (f == OP_session_end) {
        mix->request.session_end.user = user;
        mix->request.session_end.token = token;
    } else if (f == OP_permission_check) {
        mix->request.permission_check.user = user;
        mix->request.permission_check.token = token;
        PLACE(mix, permission_check);
        mix->request.permission_check.permission = pick(mix, permissions, PERMISSIONS);
        mix->request.permission_check.has_resource = !one_in(mix, 4);
        mix->request.permission_check.resource = pick(mix, resources, 5);
    } else if (f == OP_grant_revoke) {
        mix->request.grant_revoke.user = user;
        mix->request.grant_revoke.token = token;
        mix->request.grant_revoke.permission = pick(mix, permissions, PERMISSIONS);
    } else if (f == OP_grant_add) {
        mix->request.grant_add.user = user;
        mix->request.grant_add.token = token;
        mix->request.grant_add.permission = pick(mix, permissions, PERMISSIONS);
        mix->request.grant_add.has_ttl = one_in(mix, 2);
        mix->request.grant_add.ttl = (2 + below(mix, 30)) * SECOND;
    }
    go(mix);
}

/* What the fence says, of its own session or of another, about one resource or none. */
static void check_fence(struct mix *mix)
{
    struct known_task *task = some_task(mix);
    struct op_fence_check_request *request = &mix->request.fence_check;

    mix->f = OP_fence_check;
    mix->caller = caller_of(mix, task->tenant);
    request->user = user_of(mix, task->user);
    request->fence = some_fence(mix, task);
    request->has_session = one_in(mix, 3);
    request->session = some_session(mix)->token.id;
    request->permission = pick(mix, permissions, PERMISSIONS);
    request->has_resource = !one_in(mix, 4);
    request->resource = pick(mix, resources, 5);
    go(mix);
}

static void ask_session(struct mix *mix, enum op_number f)
{
    ask_of(mix, f, some_session(mix));
}

static void revoke_one(struct mix *mix, const struct known_session *session)
{
    mix->caller = caller_of(mix, session->tenant);
    if (one_in(mix, 2)) {
        mix->f = OP_session_revoke;
        mix->request.session_revoke.user = user_of(mix, session->user);
        mix->request.session_revoke.session = session->token.id;
    } else {
        mix->f = OP_revoke_lineage;
        mix->request.revoke_lineage.user = user_of(mix, session->user);
        mix->request.revoke_lineage.session = session->token.id;
    }
    go(mix);
}

static void revoke(struct mix *mix)
{
    uint64_t kind = below(mix, 20);

    mix->caller = &mix->callers[one_in(mix, 4) ? 2 : 0];
    if (kind < 2) {
        mix->f = kind == 0 ? OP_revoke_tenant : OP_revoke_all;
        mix->caller = one_in(mix, 4) ? mix->caller : &mix->callers[4];
    } else if (kind < 10) {
        mix->f = OP_revoke_user;
        mix->request.revoke_user.user = pick(mix, users, 3);
    } else {
        mix->f = OP_revoke_agent;
        mix->request.revoke_agent.agent = pick(mix, agents, 2);
    }
    go(mix);
}

static void list_tasks(struct mix *mix)
{
    struct op_task_list_request *request = &mix->request.task_list;
    const struct known_session *session = some_session(mix);

    mix->f = OP_task_list;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    request->has_token = one_in(mix, 2);
    request->token = session->token;
    request->has_after = one_in(mix, 2);
    request->after = below(mix, mix->maker->position + 1);
    request->has_max = one_in(mix, 2);
    request->max = below(mix, 5);
    go(mix);
}

static void list_sessions(struct mix *mix)
{
    struct op_session_list_request *request = &mix->request.session_list;
    const struct known_session *session = some_session(mix);

    mix->f = OP_session_list;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    request->has_after = one_in(mix, 2);
    request->after = below(mix, mix->maker->position + 1);
    request->has_max = one_in(mix, 2);
    request->max = below(mix, 4);
    go(mix);
}

static void list_children(struct mix *mix)
{
    struct op_session_children_request *request = &mix->request.session_children;
    const struct known_session *session = deep_session(mix);

    session = session->parent != NULL ? session->parent : session;
    mix->f = OP_session_children;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    request->token = session->token;
    request->has_after = one_in(mix, 3);
    request->after = below(mix, mix->maker->position + 1);
    request->has_max = one_in(mix, 2);
    request->max = below(mix, 4);
    go(mix);
}

/* Whoever rotates knows the new secret; `spoil` shows wrong ones. */
static void rotate(struct mix *mix)
{
    struct known_session *session = &mix->sessions[below(mix, mix->session_count)];
    struct op_session_rotate_request *request = &mix->request.session_rotate;

    mix->f = OP_session_rotate;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    request->token = session->token;
    spoil(mix, &request->token);
    request->has_policy = one_in(mix, 4);
    request->policy = pick(mix, policies, 5);
    request->has_evidence = one_in(mix, 2);
    request->evidence = OP_EVIDENCE_MFA;
    go(mix);
    if (mix->maker->answer.outcome == OP_OK && mix->maker->answer.reply.session_rotate.has_token) {
        session->token = mix->maker->answer.reply.session_rotate.token;
    }
}

/* For so long that it ends in the run; under a policy whose evidence is not always shown. */
static void elevate(struct mix *mix)
{
    struct known_session *session = &mix->sessions[below(mix, mix->session_count)];
    struct op_session_elevate_request *request = &mix->request.session_elevate;

    mix->f = OP_session_elevate;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    request->token = session->token;
    spoil(mix, &request->token);
    request->policy = pick(mix, policies, 5);
    request->has_evidence = !one_in(mix, 4);
    request->evidence = one_in(mix, 2) ? OP_EVIDENCE_MFA : OP_EVIDENCE_REAUTHENTICATION;
    request->permissions_count = 1 + (uint32_t)below(mix, 2);
    request->permissions[0].permission = pick(mix, permissions, PERMISSIONS);
    request->permissions[1].permission = pick(mix, permissions, PERMISSIONS);
    request->has_ttl = !one_in(mix, 4);
    request->ttl = (2 + below(mix, 30)) * SECOND;
    go(mix);
    if (mix->maker->answer.outcome == OP_OK && mix->maker->answer.reply.session_elevate.has_token) {
        session->token = mix->maker->answer.reply.session_elevate.token;
    }
}

/* Now and then one that is built in. */
static void set_policy(struct mix *mix)
{
    struct op_policy_set_request *request = &mix->request.policy_set;

    mix->caller = &mix->callers[one_in(mix, 4) ? 2 : 0];
    mix->f = OP_policy_set;
    request->name = pick(mix, policies, 3);
    request->idle = below(mix, 60) * SECOND;
    request->absolute = (1 + below(mix, 200)) * SECOND;
    request->has_evidence = one_in(mix, 2);
    request->evidence = one_in(mix, 2) ? OP_EVIDENCE_MFA : OP_EVIDENCE_REAUTHENTICATION;
    go(mix);
}

static void begin(struct mix *mix)
{
    struct op_task_begin_request *request = &mix->request.task_begin;
    const struct known_session *session = some_session(mix);
    struct known_task *parent = mix->task_count > 0 && one_in(mix, 4) ? some_task(mix) : NULL;
    const char *user = session->user;
    uint8_t tenant = session->tenant;

    mix->f = OP_task_begin;
    if (parent != NULL && parent->fences[0].attempt != 0) {
        user = parent->user;
        tenant = parent->tenant;
        request->has_fence = request->has_operation = true;
        request->fence = some_fence(mix, parent);
        request->operation = parent->next++;
    } else {
        request->has_token = true;
        request->token = session->token;
    }
    mix->caller = caller_of(mix, tenant);
    request->user = user_of(mix, user);
    request->kind = bytes_of_text("work");
    request->scope = one_in(mix, 2) ? OP_TASK_SCOPE_USER : OP_TASK_SCOPE_SESSION;
    request->ttl = (10 + below(mix, 300)) * SECOND;
    if (one_in(mix, 2)) {
        request->has_targets = true;
        request->targets_count = 1;
        request->targets[0].token = some_session(mix)->token;
    }
    go(mix);
    if (mix->maker->answer.outcome == OP_OK && mix->task_count < TASKS_MAX) {
        mix->tasks[mix->task_count++] = (struct known_task){
            .id = mix->maker->answer.reply.task_begin.task,
            .session = mix->maker->answer.reply.task_begin.session,
            .user = user,
            .tenant = tenant,
            .next = 1,
            .deadline = mix->maker->time + request->ttl};
    }
}

static void claim(struct mix *mix)
{
    struct op_task_claim_request *request = &mix->request.task_claim;
    struct known_task *task = some_task(mix);

    mix->f = OP_task_claim;
    mix->caller = caller_of(mix, task->tenant);
    request->user = user_of(mix, task->user);
    request->task = task->id;
    request->lease = (5 + below(mix, 60)) * SECOND;
    if (task->fences[0].attempt != 0 && one_in(mix, 2)) {
        request->has_fence = true;
        request->fence = task->fences[0];
    }
    go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        task->fences[2] = task->fences[1];
        task->fences[1] = task->fences[0];
        task->fences[0] = mix->maker->answer.reply.task_claim.fence;
        task->lease = mix->maker->time + request->lease;
    }
}

static void heartbeat(struct mix *mix)
{
    struct op_task_heartbeat_request *request = &mix->request.task_heartbeat;
    struct known_task *task = some_task(mix);

    if (task->fences[0].attempt == 0) {
        return;
    }
    mix->f = OP_task_heartbeat;
    mix->caller = caller_of(mix, task->tenant);
    request->user = user_of(mix, task->user);
    request->fence = some_fence(mix, task);
    request->lease = (4 + below(mix, 60)) * SECOND;
    go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        task->lease = mix->maker->time + mix->maker->answer.reply.task_heartbeat.lease;
    }
}

/* The lineage that a task left just now: nobody may claim it then. */
static void revoke_left(struct mix *mix, struct known_task *task)
{
    const struct id128 left = task->session;

    task->session = mix->request.task_adopt.token.id;
    if (!one_in(mix, 3)) {
        return;
    }
    memset(&mix->request, 0, sizeof mix->request);
    mix->f = OP_revoke_lineage;
    mix->request.revoke_lineage.user = bytes_of_text(task->user);
    mix->request.revoke_lineage.session = left;
    go(mix);
    memset(&mix->request, 0, sizeof mix->request);
    mix->f = OP_task_claim;
    mix->request.task_claim.user = bytes_of_text(task->user);
    mix->request.task_claim.task = task->id;
    mix->request.task_claim.lease = 20 * SECOND;
    go(mix);
}

static void adopt(struct mix *mix)
{
    struct op_task_adopt_request *request = &mix->request.task_adopt;
    struct known_task *task = some_task(mix);
    struct known_session *session = some_session(mix);

    for (int i = 0; i < 8 && (session->user != task->user || session->tenant != task->tenant);
         i++) {
        session = some_session(mix);
    }
    mix->f = OP_task_adopt;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    request->token = session->token;
    request->task = task->id;
    go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        revoke_left(mix, task);
    }
}

static void hand_over(struct mix *mix)
{
    struct op_task_hand_over_request *request = &mix->request.task_hand_over;
    struct known_task *task = some_task(mix);

    if (task->fences[0].attempt == 0) {
        return;
    }
    mix->f = OP_task_hand_over;
    mix->caller = caller_of(mix, task->tenant);
    request->user = user_of(mix, task->user);
    request->task = task->id;
    request->fence = some_fence(mix, task);
    request->lease = (5 + below(mix, 60)) * SECOND;
    request->worker = bytes_of_text("service/1");
    go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        task->fences[2] = task->fences[1];
        task->fences[1] = task->fences[0];
        task->fences[0] = mix->maker->answer.reply.task_hand_over.fence;
        task->lease = mix->maker->time + request->lease;
    }
}

/* By the fence, or by the id alone. */
static void close_task(struct mix *mix)
{
    struct known_task *task = some_task(mix);
    struct bytes result = pick(mix, keys, 3);

    if (task->fences[0].attempt == 0 || one_in(mix, 3)) {
        mix->f = OP_task_cancel;
        mix->request.task_cancel.user = user_of(mix, task->user);
        mix->request.task_cancel.task = task->id;
    } else if (one_in(mix, 2)) {
        mix->f = OP_task_complete;
        mix->request.task_complete.user = user_of(mix, task->user);
        mix->request.task_complete.fence = some_fence(mix, task);
        mix->request.task_complete.operation = one_in(mix, 4) ? task->next - 1 : task->next++;
        mix->request.task_complete.has_result = one_in(mix, 2);
        mix->request.task_complete.result = result;
    } else {
        mix->f = OP_task_fail;
        mix->request.task_fail.user = user_of(mix, task->user);
        mix->request.task_fail.fence = some_fence(mix, task);
        mix->request.task_fail.operation = one_in(mix, 4) ? task->next - 1 : task->next++;
        mix->request.task_fail.has_result = one_in(mix, 2);
        mix->request.task_fail.result = result;
    }
    mix->caller = caller_of(mix, task->tenant);
    go(mix);
}

static void put(struct mix *mix)
{
    struct op_state_put_request *request = &mix->request.state_put;
    struct known_session *session = some_session(mix);
    struct known_task *task = mix->task_count > 0 && !one_in(mix, 4) ? some_task(mix) : NULL;
    uint64_t next = 0;

    mix->f = OP_state_put;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    if (task != NULL && task->fences[0].attempt != 0) {
        request->has_fence = request->has_session = request->has_operation = true;
        mix->caller = caller_of(mix, task->tenant);
        request->user = user_of(mix, task->user);
        request->fence = some_fence(mix, task);
        request->session = session->token.id;
        next = task->next;
        request->operation = next > 1 && one_in(mix, 8) ? next - 1 : next;
        task->next += request->operation == next;
    } else {
        request->has_token = true;
        request->token = session->token;
        spoil(mix, &request->token);
    }
    request->key = pick(mix, keys, 3);
    (void)snprintf(mix->value, sizeof mix->value, "v%u", mix->values++);
    request->value = bytes_of_text(mix->value);
    request->has_expected = one_in(mix, 6);
    request->expected = one_in(mix, 2) ? 0 : mix->version;
    go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        mix->version = mix->maker->answer.reply.state_put.version;
    }
}

static void delete(struct mix *mix)
{
    struct op_state_delete_request *request = &mix->request.state_delete;
    struct known_session *session = some_session(mix);

    mix->f = OP_state_delete;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    request->has_token = true;
    request->token = session->token;
    spoil(mix, &request->token);
    request->key = pick(mix, keys, 3);
    request->has_expected = one_in(mix, 6);
    request->expected = one_in(mix, 2) ? 0 : mix->version;
    go(mix);
}

/* Pages of one or two, mostly: there are few keys. */
static void list_keys(struct mix *mix)
{
    const struct op_state_get_request by = mix->request.state_get;
    struct op_state_list_request *request = &mix->request.state_list;

    memset(&mix->request, 0, sizeof mix->request);
    mix->f = OP_state_list;
    request->user = by.user;
    request->has_token = by.has_token;
    request->token = by.token;
    request->has_fence = by.has_fence;
    request->fence = by.fence;
    request->has_session = by.has_session;
    request->session = by.session;
    request->has_after = one_in(mix, 2);
    request->after = by.key;
    request->has_max = one_in(mix, 2);
    request->max = below(mix, 4);
    go(mix);
}

static void get(struct mix *mix)
{
    struct op_state_get_request *request = &mix->request.state_get;
    struct known_session *session = some_session(mix);
    struct known_task *task = mix->task_count > 0 && one_in(mix, 2) ? some_task(mix) : NULL;

    mix->f = OP_state_get;
    mix->caller = caller_of(mix, session->tenant);
    request->user = user_of(mix, session->user);
    if (task != NULL && task->fences[0].attempt != 0) {
        request->has_fence = request->has_session = true;
        mix->caller = caller_of(mix, task->tenant);
        request->user = user_of(mix, task->user);
        request->fence = some_fence(mix, task);
        request->session = session->token.id;
    } else {
        request->has_token = true;
        request->token = session->token;
    }
    request->key = pick(mix, keys, 3);
    if (one_in(mix, 4)) {
        list_keys(mix);
        return;
    }
    go(mix);
}

/* From the place where the last page ended, mostly. The specification alone, which has no sweep,
 * tells no events. */
static void read_events(struct mix *mix)
{
    struct op_events_read_request *request = &mix->request.events_read;
    uint8_t tenant = (uint8_t)one_in(mix, 4);

    if (mix->maker->ask == NULL) {
        return;
    }
    mix->f = OP_events_read;
    mix->caller = one_in(mix, 8) ? &mix->callers[4] : &mix->callers[tenant * 2];
    tenant = mix->caller == &mix->callers[4] ? 1 : tenant;
    request->has_after = request->has_k = !one_in(mix, 4);
    request->after = one_in(mix, 8) ? below(mix, mix->maker->position)
                                    : mix->places[tenant].position;
    request->k = mix->places[tenant].k;
    request->has_max = one_in(mix, 2);
    request->max = below(mix, 6);
    go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        mix->places[tenant].position = mix->maker->answer.reply.events_read.next;
        mix->places[tenant].k = mix->maker->answer.reply.events_read.k;
    } else if (mix->maker->answer.outcome == OP_COMPACTED) {
        mix->places[tenant].position = mix->maker->answer.details.oldest_position;
        mix->places[tenant].k = mix->maker->answer.details.oldest_k;
    }
}

/* Now and then to just before, at or just after a deadline. */
static void pass_time(struct mix *mix)
{
    uint64_t deadline = some_session(mix)->idle_deadline;

    if (mix->task_count > 0 && one_in(mix, 2)) {
        const struct known_task *task = some_task(mix);

        deadline = one_in(mix, 2) ? task->deadline : task->lease;
    }
    if (one_in(mix, 12) && deadline > mix->maker->time + 2 &&
        deadline < mix->maker->time + 60 * SECOND) {
        maker_wait(mix->maker, deadline - mix->maker->time - 1 + below(mix, 2));
    } else {
        maker_wait(mix->maker, 1 + below(mix, 10) * below(mix, SECOND / 10));
    }
}

/* What was taken just now: with a new G. */
static void give_again(struct mix *mix)
{
    const struct op_grant_revoke_request taken = mix->request.grant_revoke;

    if (mix->f != OP_grant_revoke || mix->maker->answer.outcome != OP_OK || one_in(mix, 3)) {
        return;
    }
    memset(&mix->request, 0, sizeof mix->request);
    mix->f = OP_grant_add;
    mix->request.grant_add.user = taken.user;
    mix->request.grant_add.token = taken.token;
    mix->request.grant_add.permission = taken.permission;
    go(mix);
}

/* Small, and taken away as often as set. What bounds a tenant is an operator's to set. */
static void set_quota(struct mix *mix)
{
    struct op_quota_set_request *request = &mix->request.quota_set;

    mix->f = OP_quota_set;
    mix->caller = &mix->callers[below(mix, 5)];
    request->quota = 1 + (uint32_t)below(mix, 9);
    request->has_value = one_in(mix, 2);
    request->value = request->quota == OP_QUOTA_TENANT_STATE_BYTES ||
                             request->quota == OP_QUOTA_SESSION_STATE_BYTES
                         ? below(mix, 200)
                         : below(mix, 12);
    go(mix);
}

static void list_quotas(struct mix *mix)
{
    struct op_quota_list_request *request = &mix->request.quota_list;

    mix->f = OP_quota_list;
    mix->caller = &mix->callers[below(mix, 5)];
    request->has_user = one_in(mix, 2);
    request->user = pick(mix, users, 3);
    go(mix);
}

/* What operators ask of the whole cluster; a service may not. */
static void look(struct mix *mix)
{
    static const enum op_number reads[] = {OP_limit_list, OP_member_list, OP_cluster_get,
                                           OP_tenant_list, OP_tenant_list};
    mix->f = reads[below(mix, 5)];
    if (mix->f == OP_tenant_list) {
        mix->request.tenant_list.has_after = one_in(mix, 3);
        mix->request.tenant_list.after = below(mix, 3);
        mix->request.tenant_list.has_max = one_in(mix, 2);
        mix->request.tenant_list.max = below(mix, 3);
    }
    mix->caller = &mix->callers[one_in(mix, 8) ? 0 : 4];
    go(mix);
}

/* Something happens to a session, or to one above it, and then somebody asks after it. */
static void shake(struct mix *mix)
{
    struct known_session *session = deep_session(mix);
    struct known_session *above = session;
    uint64_t what = below(mix, 10);

    while (above->parent != NULL && (above == session || one_in(mix, 2))) {
        above = above->parent;
    }
    if (what < 1) {
        ask_of(mix, OP_session_end, above);
    } else if (what < 2) {
        revoke_one(mix, one_in(mix, 2) ? session : above);
    } else if (what < 6) {
        ask_of(mix, OP_grant_revoke, above);
        give_again(mix);
    }
    memset(&mix->request, 0, sizeof mix->request);
    ask_of(mix, one_in(mix, 3) ? OP_session_validate : OP_permission_check, session);
}

static void step(struct mix *mix)
{
    uint64_t what = below(mix, 100);

    memset(&mix->request, 0, sizeof mix->request);
    if (mix->trees && mix->session_count > 0 && one_in(mix, 5)) {
        shake(mix);
    } else if (what < 10 || mix->session_count == 0) {
        create(mix);
    } else if (what < 14) {
        if (one_in(mix, 4)) {
            if (one_in(mix, 2)) {
                list_sessions(mix);
            } else {
                list_children(mix);
            }
        } else if (one_in(mix, 3)) {
            list_tasks(mix);
        } else {
            ask_session(mix, one_in(mix, 3)   ? OP_session_get
                             : one_in(mix, 8) ? OP_session_derive
                                              : OP_session_validate);
        }
    } else if (what < 17) {
        ask_session(mix, OP_session_touch);
    } else if (what < 18) {
        ask_session(mix, OP_session_renew);
    } else if (what < 20) {
        if (one_in(mix, 2)) {
            elevate(mix);
        } else {
            rotate(mix);
        }
    } else if (what < 22) {
        ask_session(mix, OP_session_end);
    } else if (what < 30) {
        if (mix->task_count > 0 && one_in(mix, 3)) {
            check_fence(mix);
        } else {
            ask_session(mix, one_in(mix, 4) ? OP_grant_list : OP_permission_check);
        }
    } else if (what < 40) {
        ask_session(mix, one_in(mix, 3) ? OP_grant_revoke : OP_grant_add);
        give_again(mix);
    } else if (what < 41) {
        revoke_one(mix, some_session(mix));
    } else if (what < 42) {
        revoke(mix);
    } else if (what < 43) {
        if (one_in(mix, 2)) {
            set_policy(mix);
        } else if (one_in(mix, 2)) {
            read_events(mix);
        } else if (one_in(mix, 2)) {
            look(mix);
        } else if (one_in(mix, 2)) {
            list_quotas(mix);
        } else {
            set_quota(mix);
        }
    } else if (what < 53) {
        begin(mix);
    } else if (what < 63 && mix->task_count > 0) {
        claim(mix);
    } else if (what < 67 && mix->task_count > 0) {
        heartbeat(mix);
    } else if (what < 69 && mix->task_count > 0) {
        close_task(mix);
    } else if (what < 71 && mix->task_count > 0) {
        hand_over(mix);
    } else if (what < 75 && mix->task_count > 0) {
        adopt(mix);
    } else if (what < 77) {
        delete (mix);
    } else if (what < 85) {
        put(mix);
    } else {
        get(mix);
    }
    if (mix->session_count > 0) {
        pass_time(mix);
    }
}

void maker_mix(struct maker *maker, uint32_t steps)
{
    struct mix mix = {.maker = maker, .trees = maker_random(maker, 3) == 0};

    for (uint8_t i = 0; i < 5; i++) {
        mix.callers[i] = (struct maker_caller){
            .tenant = i < 2 ? "acme" : "umbrella", .worker = i, .root = i == 4};
        memset(&mix.request, 0, sizeof mix.request);
        maker_call(maker, &mix.callers[i], OP_client_register, &mix.request);
    }
    while (maker->history->count < steps) {
        step(&mix);
    }
}

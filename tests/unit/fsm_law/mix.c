/* A seeded stream of calls; see mix.h. Holds no test. */
#include "tests/unit/fsm_law/mix.h"

#include <string.h>

static const char *const users[] = {"alice", "bob", "carol"};
static const char *const agents[] = {"a", "b"};
static const char *const permissions[] = {"task:begin", "task:user", "state:write", "x:1",
                                          "x:2",        "x:3",       "task:adopt"};
static const char *const patterns[] = {"a/b", "a/bc", "a/*", "a/**"}; /* two are resources */
static const char *const keys[] = {"k1", "k2", "a longer key", "k4"};

enum { PERMISSIONS = sizeof permissions / sizeof permissions[0] };

static uint64_t next(struct mix *mix)
{
    uint64_t z = mix->random += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t mix_below(struct mix *mix, uint64_t bound)
{
    return next(mix) % bound;
}

static bool chance(struct mix *mix, uint64_t percent)
{
    return mix_below(mix, 100) < percent;
}

static uint64_t seconds(struct mix *mix, uint64_t most)
{
    return (1 + mix_below(mix, most)) * SECOND;
}

void mix_init(struct mix *mix, uint64_t seed)
{
    memset(mix, 0, sizeof *mix);
    mix->random = seed;
    mix->made = 1000;
    mix->callers[0] = caller_of("acme", "service/front", 1);
    mix->callers[1] = caller_of("acme", "service/worker", 2);
    mix->callers[2] = caller_of("rival", "service/front", 3);
    mix->callers[3] = caller_of("rival", "service/worker", 4);
}

uint64_t mix_pause(struct mix *mix)
{
    if (chance(mix, 80)) {
        return 0;
    }
    return chance(mix, 1) && chance(mix, 20) ? 700 * SECOND : mix_below(mix, 3 * SECOND);
}

static struct mix_session *pick_session(struct mix *mix)
{
    struct mix_session *session = &mix->sessions[mix_below(mix, MIX_SESSIONS)];

    mix->actor = session->actor;
    mix->user = session->user;
    return session;
}

static struct mix_task *pick_task(struct mix *mix)
{
    struct mix_task *task = &mix->tasks[mix_below(mix, MIX_TASKS)];

    mix->actor = task->actor;
    mix->user = task->user;
    return task;
}

static struct bytes user_of(struct mix *mix)
{
    return text(users[chance(mix, 3) ? mix_below(mix, 3) : mix->user]);
}

static struct bytes permission(struct mix *mix)
{
    return text(permissions[mix_below(mix, PERMISSIONS)]);
}

static struct op_token session_token(struct mix *mix, const struct mix_session *session)
{
    return token_of(session->id, session->secret + chance(mix, 3));
}

static struct op_token fence_token(struct mix *mix, const struct mix_task *task)
{
    return fence_of(task->id, task->attempt - chance(mix, 2), task->secret);
}

/* ---- calls ---- */

static void begin(struct mix *mix, struct call *call, enum op_number number)
{
    if (chance(mix, 3)) {
        mix->actor = (uint32_t)mix_below(mix, MIX_ACTORS);
    }
    call_init(call, number, &mix->callers[mix->actor], mix->clients[mix->actor],
              mix->requests[mix->actor]);
    call->lowest = call->request > 20 ? call->request - 20 : 1;
}

static struct mix_session *session_of(struct mix *mix, struct id128 id)
{
    for (size_t i = 0; i < MIX_SESSIONS; i++) {
        if (!id128_is_zero(id) && id128_equal(mix->sessions[i].id, id)) {
            return &mix->sessions[i];
        }
    }
    return NULL;
}

/* The deeper of two. */
static struct mix_session *pick_deep(struct mix *mix)
{
    struct mix_session *one = pick_session(mix);
    struct mix_session *other = pick_session(mix);
    struct mix_session *deep = other->depth > one->depth ? other : one;

    mix->actor = deep->actor;
    mix->user = deep->user;
    return deep;
}

/* One above it that is known, often the highest. */
static struct mix_session *above(struct mix *mix, struct mix_session *session)
{
    struct mix_session *parent = session_of(mix, session->parent);

    while (parent != NULL) {
        session = parent;
        parent = chance(mix, 60) ? session_of(mix, session->parent) : NULL;
    }
    return session;
}

/* Below a session, or by a task; returns how many grants it may ask for. */
static uint32_t place(struct mix *mix, struct call *call)
{
    struct op_session_create_request *request = &call->fields.session_create;

    if (chance(mix, 80)) {
        request->has_parent = true;
        request->parent = session_token(mix, pick_deep(mix));
    } else {
        struct mix_task *task = pick_task(mix);

        request->has_fence = request->has_operation = true;
        request->fence = fence_token(mix, task);
        request->operation = task->operation;
    }
    request->user = user_of(mix);
    call->caller = mix->callers[mix->actor];
    call->client = mix->clients[mix->actor];
    call->request = mix->requests[mix->actor];
    call->lowest = call->request > 20 ? call->request - 20 : 1;
    return (uint32_t)mix_below(mix, 4);
}

static void create(struct mix *mix, struct call *call)
{
    struct op_session_create_request *request = &call->fields.session_create;
    uint32_t wanted = (uint32_t)mix_below(mix, PERMISSIONS + 1);

    mix->actor = (uint32_t)mix_below(mix, MIX_ACTORS);
    begin(mix, call, OP_session_create);
    mix->user = (uint32_t)mix_below(mix, 3);
    request->user = text(users[mix->user]);
    if (chance(mix, 50)) {
        wanted = place(mix, call);
    }
    request->agent = text(agents[mix_below(mix, 2)]);
    request->idle = chance(mix, 2) ? 1 : seconds(mix, 100);
    request->absolute = seconds(mix, 100);
    request->has_policy = chance(mix, 20);
    request->policy = text(chance(mix, 50) ? "team" : "elevated");
    request->has_evidence = chance(mix, 80);
    request->evidence = OP_EVIDENCE_REAUTHENTICATION;
    request->has_grants = true;
    for (uint32_t i = 0; i < wanted; i++) {
        struct op_item_grant *item = &request->grants[request->grants_count++];

        item->permission = text(permissions[i]);
        item->has_ttl = chance(mix, 30);
        item->ttl = seconds(mix, 20);
    }
    request->has_filter = chance(mix, 30);
    request->filter_count = 1 + (uint32_t)mix_below(mix, 2);
    for (uint32_t i = 0; i < request->filter_count; i++) {
        request->filter[i].pattern = text(patterns[mix_below(mix, 4)]);
    }
    request->has_metadata = chance(mix, 30);
    request->metadata = text("some bytes of the caller's own");
    call->minted_id = id_of(++mix->made);
    call->minted_secret = ++mix->made;
}

static void elevate(struct mix *mix, struct call *call, const struct mix_session *session)
{
    struct op_session_elevate_request *request = &call->fields.session_elevate;
    uint64_t first = mix_below(mix, PERMISSIONS);

    begin(mix, call, OP_session_elevate);
    request->user = user_of(mix);
    request->token = session_token(mix, session);
    request->policy = text(chance(mix, 50) ? "team" : "elevated");
    request->has_evidence = chance(mix, 80);
    request->evidence = OP_EVIDENCE_REAUTHENTICATION;
    request->permissions_count = 1 + (uint32_t)mix_below(mix, 3);
    for (uint32_t i = 0; i < request->permissions_count; i++) {
        request->permissions[i].permission = text(permissions[(first + i) % PERMISSIONS]);
    }
    request->has_ttl = chance(mix, 80);
    request->ttl = seconds(mix, 20);
    call->minted_id = session->id;
    call->minted_secret = ++mix->made;
}

static void simple(struct mix *mix, struct call *call)
{
    struct mix_session *session = pick_session(mix);

    switch (mix_below(mix, 22)) {
    case 20:
        session = above(mix, pick_deep(mix));
        begin(mix, call, OP_session_revoke);
        call->fields.session_revoke.user = user_of(mix);
        call->fields.session_revoke.session = session->id;
        return;
    case 21:
        session = above(mix, pick_deep(mix));
        begin(mix, call, OP_grant_revoke);
        call->fields.grant_revoke.user = user_of(mix);
        call->fields.grant_revoke.token = session_token(mix, session);
        call->fields.grant_revoke.permission = permission(mix);
        return;
    case 8:
        begin(mix, call, OP_session_renew);
        call->fields.session_renew.user = user_of(mix);
        call->fields.session_renew.token = session_token(mix, session);
        return;
    case 7:
        begin(mix, call, OP_policy_set);
        call->fields.policy_set.name = text("team");
        call->fields.policy_set.idle = seconds(mix, 60);
        call->fields.policy_set.absolute = seconds(mix, 90);
        return;
    case 10:
    case 11:
        elevate(mix, call, session);
        return;
    case 0:
        begin(mix, call, OP_session_end);
        call->fields.session_end.user = user_of(mix);
        call->fields.session_end.token = session_token(mix, session);
        return;
    case 1:
        begin(mix, call, OP_revoke_user);
        call->fields.revoke_user.user = user_of(mix);
        return;
    case 2:
        begin(mix, call, OP_revoke_agent);
        call->fields.revoke_agent.agent = text(agents[mix_below(mix, 2)]);
        return;
    case 9: /* of everybody, and so seldom */
        if (chance(mix, 10)) {
            begin(mix, call, chance(mix, 50) ? OP_revoke_tenant : OP_revoke_all);
            call->caller.role = OP_ROLE_OPERATOR;
            return;
        }
        if (chance(mix, 20)) {
            begin(mix, call, OP_revoke_lineage);
            call->fields.revoke_lineage.user = user_of(mix);
            call->fields.revoke_lineage.session = session->id;
            return;
        }
        /* fall through */
    case 3:
    case 4:
    case 5:
    case 6:
        begin(mix, call, OP_session_touch);
        call->fields.session_touch.user = user_of(mix);
        call->fields.session_touch.token = session_token(mix, session);
        return;
    default:
        begin(mix, call, OP_grant_add);
        call->fields.grant_add.user = user_of(mix);
        call->fields.grant_add.token = session_token(mix, session);
        call->fields.grant_add.permission = permission(mix);
        call->fields.grant_add.has_ttl = chance(mix, 60);
        call->fields.grant_add.ttl = seconds(mix, 20);
        return;
    }
}

static void task_begin(struct mix *mix, struct call *call)
{
    struct op_task_begin_request *request = &call->fields.task_begin;
    struct mix_task *parent = pick_task(mix);
    bool by_fence = chance(mix, 25);
    struct mix_session *session = by_fence ? NULL : pick_session(mix);

    begin(mix, call, OP_task_begin);
    request->user = user_of(mix);
    request->kind = text("part");
    request->scope = chance(mix, 50) ? OP_TASK_SCOPE_USER : OP_TASK_SCOPE_SESSION;
    request->ttl = seconds(mix, 60);
    request->has_fence = by_fence;
    request->has_token = !by_fence;
    if (by_fence) {
        request->fence = fence_token(mix, parent);
        request->has_operation = true;
        request->operation = parent->operation;
    } else {
        request->token = session_token(mix, session);
    }
    if (chance(mix, 30)) {
        const struct mix_session *target = &mix->sessions[mix_below(mix, MIX_SESSIONS)];

        request->has_targets = true;
        request->targets_count = 1;
        request->targets[0].token = token_of(target->id, target->secret);
    }
    if (chance(mix, 20)) {
        request->has_permissions = true;
        request->permissions_count = 1;
        request->permissions[0].permission = permission(mix);
    }
    call->minted_id = id_of(++mix->made);
}

static void claim(struct mix *mix, struct call *call)
{
    struct mix_task *task = pick_task(mix);

    mix->actor ^= (uint32_t)mix_below(mix, 2); /* the other worker of the tenant */
    begin(mix, call, OP_task_claim);
    call->fields.task_claim.user = user_of(mix);
    call->fields.task_claim.task = task->id;
    call->fields.task_claim.lease = (5 + mix_below(mix, 30)) * SECOND;
    if (chance(mix, 20)) {
        call->fields.task_claim.has_fence = true;
        call->fields.task_claim.fence = fence_token(mix, task);
    }
    call->minted_id = task->id;
    call->minted_secret = ++mix->made;
}

static void heartbeat(struct mix *mix, struct call *call)
{
    struct mix_task *task = pick_task(mix);

    begin(mix, call, OP_task_heartbeat);
    call->fields.task_heartbeat.user = user_of(mix);
    call->fields.task_heartbeat.fence = fence_token(mix, task);
    call->fields.task_heartbeat.lease = (4 + mix_below(mix, 30)) * SECOND;
}

/* The next number; or an old one, or one that is far ahead and makes old ones forgotten. */
static uint64_t operation_of(struct mix *mix, const struct mix_task *task)
{
    switch (mix_below(mix, 12)) {
    case 0:
        return task->operation > 1 ? task->operation - 1 : 1;
    case 1:
        return task->operation + 50 + mix_below(mix, 16);
    case 2:
        return 1;
    default:
        return task->operation;
    }
}

static void adopt(struct mix *mix, struct call *call)
{
    struct mix_task *task = pick_task(mix);
    struct mix_session *session = pick_session(mix);

    begin(mix, call, OP_task_adopt);
    call->fields.task_adopt.user = user_of(mix);
    call->fields.task_adopt.token = session_token(mix, session);
    call->fields.task_adopt.task = task->id;
}

static void hand_over(struct mix *mix, struct call *call)
{
    struct mix_task *task = pick_task(mix);

    begin(mix, call, OP_task_hand_over);
    call->fields.task_hand_over.user = user_of(mix);
    call->fields.task_hand_over.task = task->id;
    call->fields.task_hand_over.fence = fence_token(mix, task);
    call->fields.task_hand_over.lease = (5 + mix_below(mix, 30)) * SECOND;
    call->fields.task_hand_over.worker = text("service/front");
    call->fields.task_hand_over.has_instance = chance(mix, 50);
    call->fields.task_hand_over.instance = id_of(1 + mix_below(mix, 4));
    call->minted_id = task->id;
    call->minted_secret = ++mix->made;
}

/* By the fence, or by the id alone. */
static void close_task(struct mix *mix, struct call *call)
{
    struct mix_task *task = pick_task(mix);

    switch (mix_below(mix, 3)) {
    case 0:
        begin(mix, call, OP_task_complete);
        call->fields.task_complete.user = user_of(mix);
        call->fields.task_complete.fence = fence_token(mix, task);
        call->fields.task_complete.operation = operation_of(mix, task);
        call->fields.task_complete.has_result = chance(mix, 70);
        call->fields.task_complete.result = text("what came of it");
        return;
    case 1:
        begin(mix, call, OP_task_fail);
        call->fields.task_fail.user = user_of(mix);
        call->fields.task_fail.fence = fence_token(mix, task);
        call->fields.task_fail.operation = operation_of(mix, task);
        return;
    default:
        begin(mix, call, OP_task_cancel);
        call->fields.task_cancel.user = user_of(mix);
        call->fields.task_cancel.task = task->id;
        return;
    }
}

static void put(struct mix *mix, struct call *call)
{
    static uint8_t value[3000];
    struct op_state_put_request *request = &call->fields.state_put;
    bool by_fence = chance(mix, 60);
    struct mix_task *task = pick_task(mix);
    struct mix_session *session = &mix->sessions[mix_below(mix, MIX_SESSIONS)];

    if (!by_fence) {
        session = pick_session(mix);
    }
    begin(mix, call, OP_state_put);
    request->user = user_of(mix);
    request->has_token = !by_fence;
    request->has_fence = by_fence;
    if (by_fence) {
        request->fence = fence_token(mix, task);
        request->has_session = chance(mix, 60);
        request->session = session->id;
        request->has_operation = true;
        request->operation = operation_of(mix, task);
    } else {
        request->token = session_token(mix, session);
    }
    request->key = text(keys[mix_below(mix, 4)]);
    memset(value, (int)mix_below(mix, 256), sizeof value);
    request->value = bytes_of(value, mix_below(mix, chance(mix, 20) ? sizeof value : 200));
    request->has_expected = chance(mix, 20);
    request->expected = chance(mix, 70) ? 0 : mix_below(mix, 1000);
}

/* What a put would be, without a value. */
static void remove_key(struct mix *mix, struct call *call)
{
    struct op_state_delete_request *request = &call->fields.state_delete;
    bool by_fence = chance(mix, 40);
    struct mix_task *task = pick_task(mix);
    struct mix_session *session = by_fence ? NULL : pick_session(mix);

    begin(mix, call, OP_state_delete);
    request->user = user_of(mix);
    request->has_token = !by_fence;
    request->has_fence = by_fence;
    request->key = text(keys[mix_below(mix, 4)]);
    request->has_expected = chance(mix, 10);
    if (by_fence) {
        request->fence = fence_token(mix, task);
        request->has_operation = true;
        request->operation = operation_of(mix, task);
    } else {
        request->token = session_token(mix, session);
    }
}

static void read(struct mix *mix, struct call *call)
{
    struct mix_session *session = pick_session(mix);

    switch (mix_below(mix, 4)) {
    case 3:
        session = above(mix, pick_deep(mix));
        begin(mix, call, OP_session_children);
        call->fields.session_children.user = user_of(mix);
        call->fields.session_children.token = session_token(mix, session);
        call->fields.session_children.has_max = chance(mix, 60);
        call->fields.session_children.max = 1 + mix_below(mix, 3);
        return;
    case 0:
        begin(mix, call, OP_session_validate);
        call->fields.session_validate.user = user_of(mix);
        call->fields.session_validate.token = session_token(mix, session);
        return;
    case 1:
        begin(mix, call, OP_permission_check);
        call->fields.permission_check.user = user_of(mix);
        call->fields.permission_check.token = session_token(mix, session);
        call->fields.permission_check.permission = permission(mix);
        call->fields.permission_check.has_resource = chance(mix, 80);
        call->fields.permission_check.resource = text(patterns[mix_below(mix, 2)]);
        return;
    default: {
        struct mix_task *task = pick_task(mix);
        bool by_fence = chance(mix, 60);

        session = by_fence ? session : pick_session(mix);
        begin(mix, call, OP_state_get);
        call->fields.state_get.user = user_of(mix);
        call->fields.state_get.has_token = !by_fence;
        call->fields.state_get.has_fence = by_fence;
        call->fields.state_get.token = session_token(mix, session);
        call->fields.state_get.fence = fence_token(mix, task);
        call->fields.state_get.has_session = by_fence && chance(mix, 70);
        call->fields.state_get.session = session->id;
        call->fields.state_get.key = text(keys[mix_below(mix, 4)]);
        return;
    }
    }
}

static bool again(struct mix *mix, struct call *call)
{
    const struct call *old = &mix->old[mix_below(mix, MIX_OLD)];

    if (old->number == OP_NUMBER_NONE_) {
        return false;
    }
    *call = *old;
    call->attempt += mix_below(mix, 3);
    if (!id128_is_zero(call->minted_id)) {
        call->minted_secret = ++mix->made;
    }
    return true;
}

void mix_next(struct mix *mix, struct call *call)
{
    for (uint32_t i = 0; i < MIX_ACTORS; i++) {
        if (mix->clients[i] == 0) {
            mix->actor = i;
            call_init(call, OP_client_register, &mix->callers[i], 0, 0);
            return;
        }
    }
    if (chance(mix, 8) && again(mix, call)) {
        return;
    }
    switch (mix_below(mix, 10)) {
    case 0:
    case 1:
        create(mix, call);
        return;
    case 2:
        simple(mix, call);
        return;
    case 3:
    case 4:
        task_begin(mix, call);
        return;
    case 5:
        if (chance(mix, 30)) {
            heartbeat(mix, call);
        } else if (chance(mix, 15)) {
            close_task(mix, call);
        } else if (chance(mix, 20)) {
            adopt(mix, call);
        } else if (chance(mix, 15)) {
            hand_over(mix, call);
        } else {
            claim(mix, call);
        }
        return;
    case 6:
    case 7:
        if (chance(mix, 15)) {
            remove_key(mix, call);
        } else {
            put(mix, call);
        }
        return;
    default:
        read(mix, call);
        return;
    }
}

/* ---- answers ---- */

static struct mix_task *task_of(struct mix *mix, struct id128 id)
{
    for (size_t i = 0; i < MIX_TASKS; i++) {
        if (id128_equal(mix->tasks[i].id, id)) {
            return &mix->tasks[i];
        }
    }
    return NULL;
}

static void learn_session(struct mix *mix, const struct call *call,
                          const struct op_session_create_reply *reply)
{
    struct mix_session *known = session_of(mix, call->minted_id);
    struct mix_session *parent = session_of(mix, reply->has_parent ? reply->parent : ID128_ZERO);

    if (known != NULL) {
        known->secret = call->minted_secret;
        return;
    }
    known = &mix->sessions[mix_below(mix, MIX_SESSIONS)];
    *known = (struct mix_session){.id = call->minted_id,
                                  .secret = call->minted_secret,
                                  .actor = mix->actor,
                                  .user = mix->user,
                                  .parent = reply->has_parent ? reply->parent : ID128_ZERO,
                                  .depth = parent == NULL ? 1 : parent->depth + 1};
    mix->deep += known->depth >= 3;
}

static void learn_minted(struct mix *mix, const struct call *call, const struct machine *machine)
{
    struct mix_task *task = task_of(mix, call->minted_id);

    if (call->number == OP_session_create) {
        learn_session(mix, call, &machine->fields.session_create);
    } else if (call->number == OP_session_elevate) {
        struct mix_session *session = session_of(mix, call->minted_id);

        if (session != NULL) {
            session->secret = call->minted_secret;
        }
    } else if (task != NULL) {
        task->secret = call->minted_secret;
        task->attempt = machine->fields.task_claim.attempt;
        task->operation = machine->fields.task_claim.next;
    }
}

void mix_learn(struct mix *mix, const struct call *call, const struct machine *machine)
{
    const struct fsm_reply *reply = &machine->reply;

    if (call->number == OP_client_register) {
        mix->clients[mix->actor] = machine->fields.client_register.client;
        mix->requests[mix->actor] = 1;
        return;
    }
    if (reply->outcome == OP_CLIENT_UNKNOWN) {
        for (uint32_t i = 0; i < MIX_ACTORS; i++) {
            mix->clients[i] = mix->clients[i] == call->client ? 0 : mix->clients[i];
        }
        return;
    }
    if (op_row_of_number(call->number)->access == OP_READ) {
        return;
    }
    if (call->request == mix->requests[mix->actor] && call->client == mix->clients[mix->actor]) {
        mix->requests[mix->actor]++;
        mix->old[mix_below(mix, MIX_OLD)] = *call;
    }
    if (reply->minted) {
        learn_minted(mix, call, machine);
    } else if (reply->outcome == OP_OK && call->number == OP_task_begin && !reply->repeated) {
        mix->tasks[mix_below(mix, MIX_TASKS)] = (struct mix_task){call->minted_id, 0,        0, 1,
                                                                  mix->actor,      mix->user};
    } else if (reply->outcome == OP_OK && call->number == OP_state_put &&
               call->fields.state_put.has_fence) {
        struct mix_task *task = task_of(mix, call->fields.state_put.fence.id);

        if (task != NULL && task->operation <= call->fields.state_put.operation) {
            task->operation = call->fields.state_put.operation + 1;
        }
    }
}

/* The workload: generators of operations, and the mixes of the processes. An operation that has no
 * generator of its own is drawn by the table.
 *
 * Draws stand in statements of their own: the order within one would be the compiler's. Values are
 * unique. Some calls are wrong on purpose: another user, a fence of a lost attempt, a
 * session that the task must not reach.
 */
#include "tests/sim/calls.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const permissions[PERMISSIONS] = {
    "state:write", "task:begin", "task:user", "task:adopt", "tool:run", "tool:read", "mail:send"};

const char *permission_text(size_t which)
{
    return permissions[which];
}

uint32_t call_permission(struct bytes permission)
{
    uint32_t bit = 0;
    for (uint32_t i = 0; i < PERMISSIONS; i++) {
        bit |= bytes_equal(permission, bytes_of_text(permissions[i])) ? UINT32_C(1) << i : 0;
    }
    return bit;
}

struct tenure_bytes any_permission(struct run *run)
{
    return tenure_text(permissions[run_random(run, PERMISSIONS)]);
}

struct tenure_bytes acting(struct run *run, struct draft *draft, const char *user)
{
    if (run_chance(run, 2)) {
        snprintf(draft->user, sizeof(draft->user), "user-%" PRIu64, run_random(run, USERS));
        return tenure_text(draft->user);
    }
    return tenure_text(user);
}

struct tenure_bytes tampered(struct run *run, struct draft *draft, const char *text,
                             enum op_token_kind kind)
{
    struct op_token token;
    struct base_writer writer;
    bool known = op_token_read(bytes_of_text(text), kind, &token);
    if (!known || !run_chance(run, 3)) {
        return tenure_text(text);
    }
    token.secret[run_random(run, sizeof(token.secret))] ^= 1;
    base_writer_init(&writer, (uint8_t *)draft->token, sizeof(draft->token) - 1);
    op_token_write(&writer, kind, &token);
    draft->token[writer.at - writer.start] = '\0';
    return tenure_text(draft->token);
}

uint64_t lifetime(struct run *run, uint64_t more_us)
{
    uint64_t us = SIM_SECOND + run_random(run, more_us);
    return us - us % run->plan.grain_us;
}

/* Now and then the one that a rotation replaced, or another. */
static struct tenure_bytes secret_of(struct run *run, struct draft *draft,
                                     const struct run_session *session)
{
    bool old = session->old_token[0] != '\0' && run_chance(run, 10);
    return old ? tenure_text(session->old_token)
               : tampered(run, draft, session->token, OP_TOKEN_session);
}

/* ---- one generator an operation; false: there is nothing to ask about yet ---- */

static bool draw_session_validate(struct run_actor *actor, struct draft *draft)
{
    struct run_session *session = any_session(actor->run);
    if (session == NULL) {
        return false;
    }
    draft->request.session_validate = (struct tenure_session_validate_request){
        .user = acting(actor->run, draft, session->user)};
    draft->request.session_validate.token = secret_of(actor->run, draft, session);
    SAY_PLACE(actor->run, &draft->request.session_validate);
    return true;
}

static bool draw_session_touch(struct run_actor *actor, struct draft *draft)
{
    struct run_session *session = any_session(actor->run);
    if (session == NULL) {
        return false;
    }
    draft->request.session_touch = (struct tenure_session_touch_request){
        .user = acting(actor->run, draft, session->user), .token = tenure_text(session->token)};
    SAY_PLACE(actor->run, &draft->request.session_touch);
    return true;
}

static bool draw_session_rotate(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = any_session(run);
    if (session == NULL) {
        return false;
    }
    struct tenure_session_rotate_request *request = &draft->request.session_rotate;
    struct tenure_session_create_request drawn = {.has_policy = false};
    request->user = acting(run, draft, session->user);
    request->token = secret_of(run, draft, session);
    draw_policy(run, &drawn);
    request->has_policy = drawn.has_policy && run_chance(run, 30);
    request->policy = drawn.policy;
    request->has_evidence = drawn.has_evidence;
    request->evidence = drawn.evidence;
    return true;
}

/* Most of them end while the run goes on, by their deadline or by a revoke (draw_grant_add). */
static bool draw_session_elevate(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = any_session(run);
    if (session == NULL) {
        return false;
    }
    struct tenure_session_elevate_request *request = &draft->request.session_elevate;
    request->user = acting(run, draft, session->user);
    request->token = secret_of(run, draft, session);
    request->policy = tenure_text(run_chance(run, 70) ? "elevated" : "privileged");
    request->has_evidence = run_chance(run, 85);
    request->evidence = run_chance(run, 75) ? TENURE_EVIDENCE_MFA
                                            : TENURE_EVIDENCE_REAUTHENTICATION;
    size_t first = (size_t)run_random(run, PERMISSIONS);
    request->permissions_count = 1 + (uint32_t)run_random(run, 2);
    for (size_t i = 0; i < request->permissions_count; i++) {
        request->permissions[i].permission = tenure_text(permissions[(first + i) % PERMISSIONS]);
    }
    request->has_ttl = run_chance(run, 90);
    request->ttl = lifetime(run, 4 * SIM_SECOND);
    return true;
}

static bool draw_session_end(struct run_actor *actor, struct draft *draft)
{
    struct run_session *session = any_session(actor->run);
    if (session == NULL) {
        return false;
    }
    draft->request.session_end = (struct tenure_session_end_request){
        .user = acting(actor->run, draft, session->user), .token = tenure_text(session->token)};
    return true;
}

static bool draw_revoke_user(struct run_actor *actor, struct draft *draft)
{
    snprintf(draft->user, sizeof(draft->user), "user-%" PRIu64, run_random(actor->run, USERS));
    draft->request.revoke_user.user = tenure_text(draft->user);
    return true;
}

static bool draw_revoke_agent(struct run_actor *actor, struct draft *draft)
{
    snprintf(draft->text, sizeof(draft->text), "agent-%" PRIu64, run_random(actor->run, AGENTS));
    draft->request.revoke_agent.agent = tenure_text(draft->text);
    return true;
}

/* What kills everybody is asked for seldom, so that most runs stay lively. */
static bool draw_revoke_tenant(struct run_actor *actor, struct draft *draft)
{
    (void)draft;
    return run_chance(actor->run, actor->root ? 100 : 4);
}

static bool draw_revoke_all(struct run_actor *actor, struct draft *draft)
{
    (void)actor;
    (void)draft;
    return true;
}

/* What is asked of the cluster as a whole. */
static bool draw_nothing(struct run_actor *actor, struct draft *draft)
{
    (void)actor;
    (void)draft;
    return true;
}

/* A session of the user of a worker's task, not its own, or NULL. */
static struct run_session *reached(struct run *run)
{
    size_t worker = run->plan.services + (size_t)run_random(run, run->plan.workers);
    const struct run_fence *fence = any_fence(&run->actors[worker]);
    struct run_session *session = fence == NULL ? NULL : session_of(run, fence->user);
    bool own = session != NULL && memcmp(&session->id, &fence->session, sizeof(session->id)) == 0;
    return own ? NULL : session;
}

/* It loses the permission to write, and is given it anew: tasks that began before must not use what
 * was given after (W7). */
static void give_anew(struct run_actor *actor, const struct run_session *session,
                      struct tenure_grant_add_request *request)
{
    request->user = tenure_text(session->user);
    request->token = tenure_text(session->token);
    request->permission = tenure_text("state:write");
    const struct tenure_grant_revoke_request revoke = {
        .user = request->user, .token = request->token, .permission = request->permission};
    record_call(actor, OP_grant_revoke, &revoke, NULL);
}

static bool draw_grant_add(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = any_session(run);
    if (session == NULL) {
        return false;
    }
    struct tenure_grant_add_request *request = &draft->request.grant_add;
    request->user = acting(run, draft, session->user);
    request->token = tenure_text(session->token);
    request->permission = any_permission(run);
    request->has_ttl = run_chance(run, 60);
    request->ttl = lifetime(run, 6 * SIM_SECOND);
    struct run_session *other = run_chance(run, 12) ? reached(run) : NULL;
    if (other != NULL) {
        give_anew(actor, other, request);
    }
    return true;
}

static bool draw_permission_check(struct run_actor *actor, struct draft *draft)
{
    struct run_session *session = any_session(actor->run);
    if (session == NULL) {
        return false;
    }
    struct tenure_permission_check_request *request = &draft->request.permission_check;
    request->user = acting(actor->run, draft, session->user);
    request->token = tenure_text(session->token);
    request->permission = any_permission(actor->run);
    request->has_resource = run_chance(actor->run, 80);
    request->resource = any_resource(actor->run);
    SAY_PLACE(actor->run, request);
    return true;
}

struct tenure_id reach(struct run *run, const struct run_fence *fence)
{
    struct run_session *any = run_chance(run, 3) ? any_session(run) : NULL;
    if (any != NULL) {
        return any->id;
    }
    struct run_session *session = run_chance(run, 40) ? session_of(run, fence->user) : NULL;
    return session == NULL ? fence->session : session->id;
}

/* Unique, and bytes that no compression makes smaller. */
static size_t draw_value(struct run *run, uint8_t *ret_value, size_t size_max)
{
    enum { HEAD = 16 };
    size_t size = HEAD + (size_t)run_random(run, run_chance(run, 10) ? 1300 : 20);
    if (run->plan.large && run_chance(run, 40)) {
        size = HEAD + (size_t)run_random(run, size_max - HEAD);
    }
    for (size_t i = 0; i < size; i++) {
        ret_value[i] = (uint8_t)(i < HEAD ? '.' : run_random(run, 256));
    }
    int head = snprintf((char *)ret_value, HEAD, "%u-%" PRIu32, run->step.index, run->step.ordinal);
    ret_value[head] = '.';
    return size;
}

/* The number of a task's write: mostly the next, else one that is known, with another value, or
 * one that lies far ahead, far back, or in the older half of the window. */
uint64_t draw_operation(struct run *run, struct run_fence *fence)
{
    bool first = fence->next == fence->first;
    if (run_chance(run, first ? 30 : 1)) {
        fence->next += 62; /* the window is 64, and some of what was asked since was refused */
    }
    if (run_chance(run, 5) && fence->next > 2) {
        return fence->next - 1 - run_random(run, 2);
    }
    if (run_chance(run, 8) && fence->next > 66) {
        return fence->next - 65 - run_random(run, 2);
    }
    if (run_chance(run, 3) && fence->next > 60) {
        return fence->next - 34 - run_random(run, 25);
    }
    return fence->next++;
}

/* The same write again, by a call of its own: what a worker does that was started anew. */
static bool put_again(struct run *run, const struct run_fence *fence, struct draft *draft)
{
    struct tenure_state_put_request *request = &draft->request.state_put;
    const struct run_put *last = &fence->last;
    if (last->operation == 0 || !run_chance(run, 6)) {
        return false;
    }
    snprintf(draft->text, sizeof(draft->text), "key-%" PRIu64, last->key);
    memcpy(draft->value, last->value, last->size);
    request->key = tenure_text(draft->text);
    request->value.data = draft->value;
    request->value.size = last->size;
    request->session = last->session;
    request->operation = last->operation;
    request->has_expected = last->has_expected;
    request->expected = last->expected;
    return true;
}

static void keep_put(struct run_fence *fence, const struct tenure_state_put_request *request,
                     uint64_t key)
{
    if (request->value.size <= sizeof(fence->last.value)) {
        fence->last = (struct run_put){.session = request->session,
                                       .operation = request->operation,
                                       .key = key,
                                       .size = request->value.size,
                                       .has_expected = request->has_expected,
                                       .expected = request->expected};
        memcpy(fence->last.value, request->value.data, request->value.size);
    }
}

/* Sometimes only while the key has the version that was seen last, or, wrongly, another's. */
static bool draw_expected(struct run *run, const struct tenure_id *session, uint64_t key,
                          uint64_t *ret_expected)
{
    bool wrong = run_chance(run, 30);
    size_t of = (size_t)(key + (wrong ? 1 : 0)) % KEYS;
    *ret_expected = wrong ? 1 : 0;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (run->sessions[i].known &&
            memcmp(&run->sessions[i].id, session, sizeof(*session)) == 0) {
            *ret_expected = run->sessions[i].versions[of];
        }
    }
    return run_chance(run, 30);
}

static bool draw_state_put(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_state_put_request *request = &draft->request.state_put;
    struct run_fence *fence = actor->worker ? any_fence(actor) : NULL;
    struct run_session *session = any_session(run);
    if (actor->worker ? fence == NULL : session == NULL) {
        return false;
    }
    uint64_t key = run_random(run, KEYS);
    snprintf(draft->text, sizeof(draft->text), "key-%" PRIu64, key);
    request->key = tenure_text(draft->text);
    request->value.data = draft->value;
    request->value.size = draw_value(run, draft->value, sizeof(draft->value));
    if (fence == NULL) {
        request->user = acting(run, draft, session->user);
        request->has_token = true;
        request->token = tampered(run, draft, session->token, OP_TOKEN_session);
        request->has_expected = draw_expected(run, &session->id, key, &request->expected);
        return true;
    }
    request->user = tenure_text(fence->user);
    request->has_fence = request->has_session = request->has_operation = true;
    request->fence = tampered(run, draft, fence->token, OP_TOKEN_fence);
    if (!put_again(run, fence, draft)) {
        request->session = reach(run, fence);
        request->has_expected = draw_expected(run, &request->session, key, &request->expected);
        request->operation = draw_operation(run, fence);
        keep_put(fence, request, key);
    }
    return true;
}

static bool draw_state_delete(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_state_delete_request *request = &draft->request.state_delete;
    struct run_fence *fence = actor->worker ? any_fence(actor) : NULL;
    struct run_session *session = any_session(run);
    if (actor->worker ? fence == NULL : session == NULL) {
        return false;
    }
    uint64_t key = run_random(run, KEYS);
    snprintf(draft->text, sizeof(draft->text), "key-%" PRIu64, key);
    request->key = tenure_text(draft->text);
    if (fence == NULL) {
        request->user = acting(run, draft, session->user);
        request->has_token = true;
        request->token = tenure_text(session->token);
        request->has_expected = draw_expected(run, &session->id, key, &request->expected);
        return true;
    }
    request->user = tenure_text(fence->user);
    request->has_fence = request->has_session = request->has_operation = true;
    request->fence = tenure_text(fence->token);
    request->session = reach(run, fence);
    request->operation = draw_operation(run, fence);
    request->has_expected = draw_expected(run, &request->session, key, &request->expected);
    return true;
}

static bool draw_state_get(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct tenure_state_get_request *request = &draft->request.state_get;
    struct run_fence *fence = actor->worker ? any_fence(actor) : NULL;
    struct run_session *session = any_session(run);
    if (actor->worker ? fence == NULL : session == NULL) {
        return false;
    }
    snprintf(draft->text, sizeof(draft->text), "key-%" PRIu64, run_random(run, KEYS));
    request->key = tenure_text(draft->text);
    if (fence == NULL) {
        request->user = acting(run, draft, session->user);
        request->has_token = true;
        request->token = tenure_text(session->token);
        return true;
    }
    request->user = tenure_text(fence->user);
    request->has_fence = request->has_session = true;
    request->fence = tenure_text(fence->token);
    request->session = reach(run, fence);
    return true;
}

/* ---- mixes ---- */

struct generator {
    enum op_number number;
    draw_fn *draw;
    uint64_t service, worker; /* weights */
};

/* Registering is the library's own: it does so by itself, again and again. */
static const struct generator generators[] = {
    {OP_client_register, NULL, 0, 0},
    {OP_session_create, draw_session_create, 11, 3},
    {OP_session_validate, draw_session_validate, 7, 0},
    {OP_session_list, draw_session_list, 1, 0},
    {OP_session_children, draw_session_children, 1, 0},
    {OP_session_touch, draw_session_touch, 5, 0},
    {OP_session_rotate, draw_session_rotate, 2, 0},
    {OP_session_elevate, draw_session_elevate, 3, 0},
    {OP_session_end, draw_session_end, 3, 0},
    {OP_revoke_user, draw_revoke_user, 1, 0},
    {OP_revoke_agent, draw_revoke_agent, 1, 0},
    {OP_revoke_lineage, draw_revoke_lineage, 1, 0},
    {OP_revoke_tenant, draw_revoke_tenant, 1, 0},
    {OP_revoke_all, draw_revoke_all, 0, 0}, /* an operator's, call_root */
    {OP_cluster_get, draw_nothing, 0, 0},   /* these too */
    {OP_member_list, draw_nothing, 0, 0},
    {OP_limit_list, draw_nothing, 0, 0},
    {OP_member_add, draw_nothing, 0, 0}, /* what changes the cluster itself is nobody's here */
    {OP_member_promote, draw_nothing, 0, 0},
    {OP_member_remove, draw_nothing, 0, 0},
    {OP_member_replace, draw_nothing, 0, 0},
    {OP_leader_transfer, draw_nothing, 0, 0},
    {OP_tenant_list, draw_nothing, 0, 0},
    {OP_quota_set, draw_quota_set, 1, 0},
    {OP_quota_list, draw_quota_list, 1, 0},
    {OP_grant_add, draw_grant_add, 8, 0},
    {OP_permission_check, draw_permission_check, 5, 0},
    {OP_grant_list, draw_grant_list, 2, 0},
    {OP_task_begin, draw_task_begin, 11, 8},
    {OP_task_claim, draw_task_claim, 1, 22},
    {OP_task_heartbeat, draw_task_heartbeat, 0, 10},
    {OP_task_hand_over, draw_task_hand_over, 0, 3},
    {OP_task_complete, draw_task_complete, 0, 2},
    {OP_task_fail, draw_task_fail, 0, 1},
    {OP_task_cancel, draw_task_cancel, 1, 2},
    {OP_task_adopt, draw_task_adopt, 3, 0},
    {OP_task_list, draw_task_list, 3, 3},
    {OP_fence_check, draw_fence_check, 0, 9},
    {OP_state_put, draw_state_put, 11, 18},
    {OP_state_delete, draw_state_delete, 2, 3},
    {OP_state_get, draw_state_get, 9, 14},
    {OP_state_list, draw_state_list, 1, 2},
    {OP_events_read, draw_events_read, 4, 0},
};

enum { GENERATORS = sizeof(generators) / sizeof(generators[0]), ROW_CHANCE = 3 };

static bool has_generator(enum op_number number)
{
    size_t at = 0;
    while (at < GENERATORS && generators[at].number != number) {
        at++;
    }
    return at < GENERATORS;
}

/* ---- by the table: an operation that has no generator of its own ---- */

static struct tenure_bytes text_by_table(struct run *run, const struct op_field *field,
                                         const char *user)
{
    if (strcmp(field->name, "user") == 0) {
        return tenure_text(user);
    }
    if (strcmp(field->name, "resource") == 0) {
        return any_resource(run);
    }
    return field->bound == OP_PERMISSION_MAX ? any_permission(run) : tenure_text("by-table");
}

/* One field by its kind, from what there is; a list stays empty. */
static void draw_field(struct run *run, const struct op_field *field,
                       const struct run_session *session, const struct run_fence *fence,
                       uint8_t *ret_value)
{
    uint64_t number = 1 + run_random(run, 10);
    uint32_t choice = field->kind == OP_KIND_enumeration && field->enumeration->count > 1
                          ? 1 + (uint32_t)run_random(run, field->enumeration->count - 1)
                          : 1;
    const char *user = fence == NULL ? session->user : fence->user;
    struct tenure_bytes text = text_by_table(run, field, user);
    switch (field->kind) {
    case OP_KIND_u64:
        memcpy(ret_value, &number, sizeof(number));
        break;
    case OP_KIND_time_us:
        number *= SIM_SECOND;
        memcpy(ret_value, &number, sizeof(number));
        break;
    case OP_KIND_enumeration:
        memcpy(ret_value, &choice, sizeof(choice));
        break;
    case OP_KIND_id:
        memcpy(ret_value, &session->id, sizeof(session->id));
        break;
    case OP_KIND_token:
        text = tenure_text(field->bound == OP_TOKEN_fence ? fence->token : session->token);
        memcpy(ret_value, &text, sizeof(text));
        break;
    case OP_KIND_blob:
    case OP_KIND_text:
        memcpy(ret_value, &text, sizeof(text));
        break;
    case OP_KIND_boolean:
    case OP_KIND_list:
        break;
    }
}

static bool wants_fence(const struct op_row *row)
{
    for (size_t i = 0; i < row->request->field_count; i++) {
        const struct op_field *field = &row->request->fields[i];
        if (field->kind == OP_KIND_token && field->bound == OP_TOKEN_fence) {
            return true;
        }
    }
    return false;
}

static bool draw_by_table(struct run_actor *actor, const struct op_row *row, struct draft *draft)
{
    struct run *run = actor->run;
    const struct tenure_method method = tenure_method_of(row->number);
    const struct run_fence *fence = wants_fence(row) ? any_fence(actor) : NULL;
    const struct run_session *session = any_session(run);
    if (session == NULL || (wants_fence(row) && fence == NULL)) {
        return false;
    }
    for (size_t i = 0; i < row->request->field_count; i++) {
        const struct tenure_field_map *map = &method.request_map[i];
        bool has = true;
        if (map->has_offset != SIZE_MAX) {
            has = run_chance(run, 50);
            memcpy((uint8_t *)&draft->request + map->has_offset, &has, sizeof(has));
        }
        if (has) {
            draw_field(run, &row->request->fields[i], session, fence,
                       (uint8_t *)&draft->request + map->offset);
        }
    }
    return true;
}

/* Some row without a generator of its own, each with the same chance, or NULL. */
static const struct op_row *draw_row(struct run *run)
{
    const struct op_row *drawn = NULL;
    size_t count;
    uint64_t seen = 0;
    const struct op_row *rows = op_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (!has_generator(rows[i].number) && run_random(run, ++seen) == 0) {
            drawn = &rows[i];
        }
    }
    return run_chance(run, ROW_CHANCE * seen) ? drawn : NULL;
}

static bool call_by_table(struct run_actor *actor, struct draft *draft)
{
    const struct op_row *row = draw_row(actor->run);
    if (row == NULL) {
        return false;
    }
    if (draw_by_table(actor, row, draft)) {
        record_call(actor, row->number, &draft->request, NULL);
    }
    return true;
}

static const struct generator *draw_generator(struct run_actor *actor)
{
    uint64_t left = run_random(actor->run, 100); /* the weights of each mix add up to 100 */
    for (size_t i = 0; i < GENERATORS; i++) {
        uint64_t weight = actor->worker ? generators[i].worker : generators[i].service;
        if (left < weight) {
            return &generators[i];
        }
        left -= weight;
    }
    UNREACHABLE("the weights of a mix add up to 100");
}

/* Somebody who tries one session after another that is not his, at once: six are an alert. */
static bool call_foreign(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    if (actor->foreign_left == 0) {
        actor->foreign_left = run_chance(run, 1) ? 5 + run_random(run, 5) : 0;
        actor->foreign_user = run_random(run, USERS);
    }
    struct run_session *session = any_session(run);
    if (actor->foreign_left == 0 || session == NULL) {
        return false;
    }
    struct tenure_session_validate_request *request = &draft->request.session_validate;
    actor->foreign_left--;
    snprintf(draft->user, sizeof(draft->user), "user-%" PRIu64, actor->foreign_user);
    request->user = tenure_text(draft->user);
    request->token = tenure_text(session->token);
    record_call(actor, OP_session_validate, &draft->request, NULL);
    return true;
}

/* Revokes seldom, as what it revokes may be everything; looks more often. */
static void call_root(struct run_actor *actor, struct draft *draft)
{
    static const enum op_number revokes[] = {OP_revoke_user,   OP_revoke_agent, OP_revoke_tenant,
                                             OP_revoke_tenant, OP_revoke_all,   OP_revoke_all};
    static const enum op_number reads[] = {OP_cluster_get, OP_member_list, OP_limit_list,
                                           OP_tenant_list, OP_quota_list};
    bool looks = run_chance(actor->run, 10);
    if (run_chance(actor->run, 3) && draw_quota_set(actor, draft)) {
        record_call(actor, OP_quota_set, &draft->request, NULL);
        return;
    }
    if (!looks && !run_chance(actor->run, 2)) {
        return;
    }
    size_t count = looks ? sizeof(reads) / sizeof(reads[0]) : sizeof(revokes) / sizeof(revokes[0]);
    enum op_number number = (looks ? reads : revokes)[run_random(actor->run, count)];
    for (size_t i = 0; i < GENERATORS; i++) {
        if (generators[i].number == number && generators[i].draw(actor, draft)) {
            record_call(actor, number, &draft->request, NULL);
        }
    }
}

void call_any(struct run_actor *actor)
{
    static struct draft draft;
    memset(&draft, 0, offsetof(struct draft, value));
    if (actor->root) {
        call_root(actor, &draft);
        return;
    }
    if (call_by_table(actor, &draft) || call_tree(actor, &draft) || call_foreign(actor, &draft)) {
        return;
    }
    const struct generator *generator = draw_generator(actor);
    if (generator->draw(actor, &draft)) {
        record_call(actor, generator->number, &draft.request, draft.fence);
    }
}

void call_probe(struct run_actor *actor)
{
    static struct draft draft;
    memset(&draft, 0, offsetof(struct draft, value));
    (void)draw_session_create(actor, &draft);
    record_call(actor, OP_session_create, &draft.request, NULL);
}

/* Each is a step of its own, named by the step that created the session. */
static void last_read(struct run_actor *actor, const struct run_session *session, uint32_t which,
                      enum op_number number, const void *request)
{
    struct run *run = actor->run;
    bool probed = session->step.maker == STEP_PROBE;
    struct step step = {STEP_READ, probed ? UINT8_MAX : session->step.index,
                        session->step.ordinal * (KEYS + 1) + which};
    struct run_draws before = run_enter(run, step);
    if (run_keeps(run)) {
        record_call(actor, number, request, NULL);
    }
    run_leave(run, before);
}

void call_last_reads(struct run_actor *actor, size_t which)
{
    const struct run_session *session = &actor->run->sessions[which];
    if (!session->known) {
        return;
    }
    const struct tenure_session_validate_request validate = {.user = tenure_text(session->user),
                                                             .token = tenure_text(session->token)};
    last_read(actor, session, KEYS, OP_session_validate, &validate);
    for (uint32_t key = 0; key < KEYS; key++) {
        char name[32];
        snprintf(name, sizeof(name), "key-%" PRIu32, key);
        const struct tenure_state_get_request get = {.user = validate.user,
                                                     .has_token = true,
                                                     .token = validate.token,
                                                     .key = tenure_text(name)};
        last_read(actor, session, key, OP_state_get, &get);
    }
}

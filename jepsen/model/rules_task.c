/* The law of tasks: begin, sub-tasks, claim. docs/MODEL.md section 5. */
#include "jepsen/model/rules.h"

#include "base/hash.h"

/* What a sub-task's (task, n) stands for: all but the tokens that show who asks. */
static uint64_t begin_digest(struct model *model, const struct op_task_begin_request *request)
{
    static const struct siphash_key key = {{1}};
    uint32_t parts[4 + OP_MAX_target + OP_MAX_permission];
    size_t count = 0;

    parts[count++] = state_name(model, request->kind);
    parts[count++] = request->scope;
    parts[count++] = (uint32_t)request->ttl;
    parts[count++] = (uint32_t)(request->ttl >> 32);
    for (uint32_t i = 0; request->has_targets && i < request->targets_count; i++) {
        parts[count++] = state_id(model, request->targets[i].token.id);
    }
    for (uint32_t i = 0; request->has_permissions && i < request->permissions_count; i++) {
        parts[count++] = state_name(model, request->permissions[i].permission);
    }
    return base_siphash64(&key, bytes_of(parts, count * sizeof parts[0]));
}

/* Tasks of a session that surely count at T: dropped ones no longer do. */
static uint32_t tasks_counted(const struct model *model, const struct session *session,
                              uint64_t time)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < session->task_count; i++) {
        count += time < sat_add(session->task_ends[i], model->limits.tombstone_us);
    }
    return count;
}

/* Does the beginner hold it: the session, or the task that begins a sub-task? */
static const struct grant *beginner_holds(struct model *model, const struct ask *ask,
                                          uint32_t session, uint32_t parent, uint32_t permission)
{
    return parent != 0 ? life_copy(model, &model->tasks[parent], permission, ask->time)
                       : life_holds(model, &model->sessions[session], permission, ask->time);
}

static bool begin_shape_valid(const struct model *model,
                              const struct op_task_begin_request *request)
{
    bool by_fence = request->has_fence;

    for (uint32_t i = 0; request->has_permissions && i < request->permissions_count; i++) {
        if (!op_permission_valid(request->permissions[i].permission)) {
            return false;
        }
    }
    return request->has_token != by_fence && (!by_fence || request->has_operation) &&
           request->ttl != 0 && request->ttl <= model->limits.task_ttl_max_us;
}

/* Permissions that are asked for and not held, and scope `user` without the right to it. */
static void expect_rights(struct model *model, const struct ask *ask, uint32_t session,
                          uint32_t parent, struct model_expect *expect)
{
    const struct op_task_begin_request *request = &ask->op->request->task_begin;
    bool outlives = request->scope == OP_TASK_SCOPE_USER;

    if (parent == 0 &&
        beginner_holds(model, ask, session, 0, ask_permission(model, "task:begin")) == NULL) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "the session does not hold task:begin");
        return;
    }
    if (outlives &&
        beginner_holds(model, ask, session, parent, ask_permission(model, "task:user")) == NULL) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "scope user without holding task:user");
        if (parent != 0) {
            expect_also(expect, OP_FENCED);
            expect_also(expect, OP_INVALID);
        }
        return;
    }
    if (parent != 0 && outlives && !model->tasks[parent].outlives) {
        expect_refusal(expect, OP_INVALID, MODEL_S3, "a sub-task outlives its parent's scope");
        expect_also(expect, OP_DENIED);
        expect_also(expect, OP_FENCED);
        return;
    }
    for (uint32_t i = 0; request->has_permissions && i < request->permissions_count; i++) {
        uint32_t permission = state_name(model, request->permissions[i].permission);

        if (beginner_holds(model, ask, session, parent, permission) == NULL) {
            expect_refusal(expect, OP_DENIED, MODEL_S12, "a task is given what is not held");
            if (parent != 0) {
                expect_also(expect, OP_FENCED);
            }
            return;
        }
    }
}

/* Each target is shown with its secret, and belongs to the asker. */
static void expect_targets(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_task_begin_request *request = &ask->op->request->task_begin;

    for (uint32_t i = 0; request->has_targets && i < request->targets_count; i++) {
        struct model_expect target = {.outcome = OP_OK};

        if (expect_session(model, ask, &request->targets[i].token, &target) != 0) {
            expect->also |= target.also;
            continue;
        }
        if (target.outcome == OP_NOT_FOUND) {
            expect_refusal(expect, OP_NOT_FOUND, MODEL_S3, "a target is not the asker's to name");
            expect_also(expect, OP_INVALID); /* where a scope is too wide as well */
            return;
        }
        expect_also(expect, target.outcome); /* a dead target: refuse, or let W3 do it */
        expect_also(expect, OP_ENDED);
        expect_also(expect, OP_NOT_FOUND);
    }
}

static void expect_begin_limits(struct model *model, const struct ask *ask, uint32_t session,
                                uint32_t parent, struct model_expect *expect)
{
    const struct session *own = &model->sessions[session];

    if (parent != 0 && model->tasks[parent].depth + 1 >= model->limits.task_depth_max) {
        if (model->tasks[parent].depth + 1 > model->limits.task_depth_max) {
            expect_refusal(expect, OP_LIMIT, MODEL_S1, "sub-tasks are too deep");
        } else {
            expect_also(expect, OP_LIMIT); /* whether the first task counts is not said */
        }
    }
    if (tasks_counted(model, own, ask->time) >= model->limits.session_tasks_max) {
        expect_refusal(expect, OP_LIMIT, MODEL_S1, "the session has all the tasks it may have");
    } else if (own->task_count >= model->limits.session_tasks_max) {
        expect_also(expect, OP_LIMIT);
    }
    if (model->task_count > model->limits.tasks_max) {
        expect_also(expect, OP_LIMIT);
    }
    expect_task_quotas(model, ask, session, expect);
}

static void expect_begin_reply(struct model *model, const struct ask *ask, uint32_t session,
                               uint32_t parent, struct model_expect *expect)
{
    const struct op_task_begin_request *request = &ask->op->request->task_begin;
    struct op_task_begin_reply *reply = &expect->reply.task_begin;
    const struct task *above = &model->tasks[parent];

    reply->session = ID128_ZERO;
    if (session != 0) {
        struct bytes id = model_names_bytes(model->names, model->sessions[session].id);

        for (size_t i = 0; i < sizeof reply->session.bytes; i++) {
            reply->session.bytes[i] = id.data[i];
        }
    }
    reply->begun = ask->op->position;
    reply->epoch = model->mutation == MODEL_MUTATION_FLOOR_IGNORED
                       ? ask->op->position
                       : u64_min(ask->op->position, model->sessions[session].floor);
    reply->left = request->ttl;
    expect->free_tags = TAG(1);
    if (parent == 0) {
        return;
    }
    if (model->mutation != MODEL_MUTATION_EPOCH_OF_CHILD) {
        reply->epoch = u64_min(reply->epoch, above->epoch);
    }
    if (sat_add(ask->time, request->ttl) > above->deadline) {
        reply->left = sat_sub(above->deadline, ask->time);
        expect_also(expect, OP_INVALID); /* at most the parent's: cut, or refused */
    }
}

/* Settles everything that comes before rights and limits; the beginner's own session, or 0. */
static uint32_t expect_beginner(struct model *model, const struct ask *ask, uint32_t *ret_parent,
                                struct model_expect *expect)
{
    const struct op_task_begin_request *request = &ask->op->request->task_begin;
    const struct done *done;

    *ret_parent = 0;
    if (!request->has_fence) {
        return expect_session(model, ask, &request->token, expect);
    }
    *ret_parent = expect_task(model, ask, &request->fence, expect);
    if (*ret_parent == 0) {
        return 0;
    }
    if (expect_number(model, &model->tasks[*ret_parent], request->operation,
                      begin_digest(model, request), expect, &done)) {
        if (done != NULL) {
            expect_begin_reply(model, ask, done->session, *ret_parent, expect);
            expect->reply.task_begin.begun = done->version;
            expect->free_tags = TAG(1) | TAG(4) | TAG(5);
        }
        return 0;
    }
    if (expect_fence(model, ask, *ret_parent, 0, "task:begin", &request->fence, expect)) {
        return 0;
    }
    if (request->scope != OP_TASK_SCOPE_USER &&
        expect_death(model, ask, model->tasks[*ret_parent].session, expect)) {
        return 0; /* section 5: under an ended own session only scope `user` is accepted */
    }
    return model->tasks[*ret_parent].session;
}

void expect_task_begin(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_task_begin_request *request = &ask->op->request->task_begin;
    uint32_t parent, session;

    if (!begin_shape_valid(model, request)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "an argument is out of bounds");
        expect_also(expect, OP_NOT_FOUND);
        return;
    }
    if (request->ttl < model->limits.session_ttl_min_us) {
        expect_also(expect, OP_INVALID);
    }
    session = expect_beginner(model, ask, &parent, expect);
    if (session == 0) {
        return;
    }
    if (parent != 0 && request->scope != OP_TASK_SCOPE_USER &&
        expect_death(model, ask, session, expect)) {
        /* Under an ended own session only scope user is accepted; how that is said is open. */
        expect_also(expect, OP_FENCED);
        expect_also(expect, OP_INVALID);
        expect_also(expect, OP_DENIED);
        expect_also(expect, OP_NOT_FOUND);
        return;
    }
    expect_targets(model, ask, expect);
    if (expect->outcome != OP_OK) {
        expect_also(expect, OP_DENIED); /* the order of targets and rights is not said */
        return;
    }
    expect_rights(model, ask, session, parent, expect);
    if (expect->outcome != OP_OK) {
        return;
    }
    expect_begin_limits(model, ask, session, parent, expect);
    if (expect->outcome == OP_OK) {
        expect_begin_reply(model, ask, session, parent, expect);
    }
}

static void give_pair(struct task *task, uint32_t permission, uint64_t given)
{
    task->pairs = model_names_grow(task->pairs, &task->pair_capacity, task->pair_count + 1,
                                   sizeof *task->pairs);
    task->pairs[task->pair_count++] = (struct grant){.permission = permission, .given = given};
}

/* What was asked for, or all that the beginner holds now. */
static void give_pairs(struct model *model, const struct ask *ask, struct task *task)
{
    const struct op_task_begin_request *request = &ask->op->request->task_begin;
    const struct session *own = &model->sessions[task->session];
    const struct grant *held;

    for (uint32_t i = 0; request->has_permissions && i < request->permissions_count; i++) {
        uint32_t permission = state_name(model, request->permissions[i].permission);

        held = beginner_holds(model, ask, task->session, task->parent, permission);
        if (held != NULL) {
            give_pair(task, permission, held->given);
        }
    }
    for (uint32_t i = 0; !request->has_permissions && i < own->grant_count; i++) {
        uint32_t permission = own->grants[i].permission;

        held = beginner_holds(model, ask, task->session, task->parent, permission);
        if (held != NULL) {
            give_pair(task, permission, held->given);
        }
    }
}

static void note_targets(struct model *model, const struct op_task_begin_request *request,
                         struct task *task)
{
    for (uint32_t i = 0; request->has_targets && i < request->targets_count; i++) {
        task->targets = model_names_grow(task->targets, &task->target_capacity,
                                         task->target_count + 1, sizeof *task->targets);
        task->targets[task->target_count++] = state_session_of(model, request->targets[i].token.id);
    }
}

void rule_name_task(struct model *model, uint64_t begun, struct id128 id)
{
    for (uint32_t i = 1; i < model->task_count; i++) {
        if (model->tasks[i].unnamed && model->tasks[i].begun == begun && !id128_is_zero(id)) {
            state_task_name(model, &model->tasks[i], id);
        }
    }
}

void apply_task_begin(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    const struct op_task_begin_request *request = &ask->op->request->task_begin;
    const struct op_task_begin_reply *reply = &answer->reply.task_begin;
    uint32_t parent = request->has_fence ? state_task_of(model, request->fence.id) : 0;
    struct session *own;
    struct task *task;

    if (reply->begun != ask->op->position || state_task_of(model, reply->task) != 0) {
        rule_name_task(model, reply->begun, reply->task); /* a known (task, n), told again */
        return;
    }
    task = state_task_add(model, reply->task);
    task->parent = parent;
    task->session = parent != 0 ? model->tasks[parent].session
                                : state_session_of(model, request->token.id);
    task->incarnation = state_id(model, parent != 0 ? request->fence.incarnation
                                                    : request->token.incarnation);
    own = &model->sessions[task->session];
    task->tenant = own->tenant;
    task->user = own->user;
    task->agent = own->agent;
    task->unnamed = ask->op->unanswered;
    task->kind = state_name(model, request->kind);
    task->depth = parent != 0 ? model->tasks[parent].depth + 1 : 1;
    task->outlives = request->scope == OP_TASK_SCOPE_USER;
    task->begun = reply->begun;
    task->epoch = reply->epoch;
    task->deadline = sat_add(ask->time, reply->left);
    note_targets(model, request, task);
    give_pairs(model, ask, task);
    own->task_ends = model_names_grow(own->task_ends, &own->task_capacity, own->task_count + 1,
                                      sizeof(uint64_t));
    own->task_ends[own->task_count++] = task->deadline;
    if (parent != 0) {
        state_done_add(&model->tasks[parent],
                       (struct done){.n = request->operation,
                                     .digest = begin_digest(model, request),
                                     .version = reply->begun,
                                     .object = state_task_of(model, reply->task),
                                     .session = model->tasks[parent].session});
    }
}

/* A claim is refused where W3's second half, W6 or the task's deadline would refuse a write. */
static bool expect_claim_fence(struct model *model, const struct ask *ask, uint32_t task,
                               struct model_expect *expect)
{
    const struct op_token none = {.attempt = 0};
    const struct task *of = &model->tasks[task];
    const uint64_t asked = TAG(3) | TAG(6) | TAG(8);
    uint64_t doubtful = 0;
    uint64_t failed = fence_failed(model, of, &none, 0, 0, ask->time) & asked;

    if (rule_may_be_compromised(model, ask, of->session)) {
        expect_also(expect, OP_FENCED);
        doubtful = TAG(3) | TAG(6);
    }
    if (!life_passed(model, of->deadline, ask->time)) {
        failed &= ~TAG(8); /* the lease may be over: that is what claims are for */
    }
    if (failed == 0) {
        return false;
    }
    expect_refusal(expect, OP_FENCED, failed & TAG(6) ? MODEL_S2 : MODEL_S3,
                   "a claim where W3, W6 or the task's deadline refuses a write");
    expect_also(expect, OP_ENDED);
    expect_also(expect, OP_EXPIRED);
    expect->details.has_failed = true;
    expect->details.failed = failed;
    expect->failed_free = ~asked | doubtful | (of->claimed ? TAG(8) : 0);
    return true;
}

/* Re-claim while CLAIMED needs the token before, or the lease to be over, or the same worker. */
static void expect_turn(struct model *model, const struct ask *ask, const struct task *task,
                        struct model_expect *expect)
{
    const struct op_task_claim_request *request = &ask->op->request->task_claim;
    bool free = !task->claimed || life_passed(model, task->lease, ask->time) ||
                (task->worker == ask->certificate &&
                 id128_equal(task->instance, ask->op->instance));
    bool closed = life_closed(model, task) != 0;
    bool shown = request->has_fence && request->fence.attempt == task->attempts[0].position &&
                 state_secret(model, &request->fence) == task->attempts[0].secret;

    if (request->has_fence && !shown) {
        expect_also(expect, OP_NOT_FOUND); /* a token that is of no use: said, or passed over */
        expect_also(expect, OP_FENCED);
        expect->failed_free = UINT64_MAX;
    }
    if (closed) {
        expect_refusal(expect, OP_CLOSED_TASK, MODEL_S3, "the task is done, failed or cancelled");
    } else if (!free && !shown && model->mutation != MODEL_MUTATION_TAKEOVER) {
        expect_refusal(expect, OP_TAKEN, MODEL_S3, "another worker's lease still runs");
    }
}

/* A claim's and a hand-over's are one list of fields. */
static void expect_attempt(struct model *model, const struct ask *ask, uint32_t task,
                           uint64_t lease, struct model_expect *expect)
{
    struct op_task_claim_reply *reply = &expect->reply.task_claim;
    const struct task *of = &model->tasks[task];
    struct bytes id = model_names_bytes(model->names, of->id);
    struct bytes own = model_names_bytes(model->names, model->sessions[of->session].id);

    for (size_t i = 0; i < sizeof reply->session.bytes; i++) {
        reply->task.bytes[i] = id.data[i];
        reply->session.bytes[i] = own.data[i];
    }
    reply->epoch = of->epoch;
    reply->attempt = model->mutation == MODEL_MUTATION_ATTEMPT_KEPT && of->claimed
                         ? of->attempts[0].position
                         : ask->op->position;
    reply->next = of->newest + 1;
    reply->lease = lease;
    reply->left = sat_sub(of->deadline, ask->time);
    expect->free_tags = TAG(2) | (lease > reply->left ? TAG(7) : 0);
}

static void apply_attempt(struct model *model, const struct ask *ask,
                          const struct model_answer *answer, uint32_t worker, struct id128 instance)
{
    const struct op_task_claim_reply *reply = &answer->reply.task_claim;
    struct task *task = &model->tasks[state_task_of(model, reply->task)];

    for (size_t i = ATTEMPTS_KEPT - 1; i > 0 && !task->adopted; i--) {
        task->attempts[i] = task->attempts[i - 1];
    }
    task->adopted = false;
    task->attempts[0] = (struct attempt){
        .position = reply->attempt,
        .secret = reply->has_fence ? state_secret(model, &reply->fence) : 0};
    task->claimed = true;
    task->lease = sat_add(ask->time, reply->lease);
    task->worker = worker;
    task->instance = instance;
}

static bool expect_lease(const struct model *model, uint64_t lease, struct model_expect *expect)
{
    if (lease >= model->limits.lease_min_us && lease <= model->limits.lease_max_us) {
        return true;
    }
    expect_refusal(expect, OP_INVALID, MODEL_S1, "the lease is out of bounds");
    expect_also(expect, OP_NOT_FOUND);
    return false;
}

void expect_task_claim(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_task_claim_request *request = &ask->op->request->task_claim;
    uint32_t task = state_task_of(model, request->task);
    const struct task *of = &model->tasks[task];

    if (!expect_lease(model, request->lease, expect)) {
        return;
    }
    if (task == 0 || !ask_owns(model, ask, of->tenant, of->user)) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S3, "W2: no such task of this user");
        return;
    }
    expect_task_forgotten(model, ask, of, expect);
    if (expect_claim_fence(model, ask, task, expect)) {
        expect_turn(model, ask, of, &(struct model_expect){.outcome = OP_OK});
        expect_also(expect, OP_TAKEN);
        expect_also(expect, OP_CLOSED_TASK);
        return;
    }
    expect_turn(model, ask, of, expect);
    expect_attempt(model, ask, task, request->lease, expect);
}

void apply_task_claim(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    apply_attempt(model, ask, answer, ask->certificate, ask->op->instance);
}

/* Acts on the task, as a heartbeat does; another worker owns it from then on. */
void expect_task_hand_over(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_task_hand_over_request *request = &ask->op->request->task_hand_over;
    uint32_t task;

    if (!expect_lease(model, request->lease, expect)) {
        return;
    }
    if (!id128_equal(request->task, request->fence.id)) {
        expect_refusal(expect, OP_INVALID, MODEL_S3, "the fence is another task's");
        expect_also(expect, OP_NOT_FOUND);
        return;
    }
    task = expect_task(model, ask, &request->fence, expect);
    if (task != 0 && !expect_fence(model, ask, task, 0, "", &request->fence, expect)) {
        expect_attempt(model, ask, task, request->lease, expect);
    }
}

void apply_task_hand_over(struct model *model, const struct ask *ask,
                          const struct model_answer *answer)
{
    const struct op_task_hand_over_request *request = &ask->op->request->task_hand_over;

    apply_attempt(model, ask, answer, state_name(model, request->worker),
                  request->has_instance ? request->instance : ID128_ZERO);
}

/* Acts on the task: of W3 the second half, W5 and W7 are met. It moves the end of the lease, never
 * to before what was promised. */
void expect_task_heartbeat(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_task_heartbeat_request *request = &ask->op->request->task_heartbeat;
    struct op_task_heartbeat_reply *reply = &expect->reply.task_heartbeat;
    const struct task *of;
    uint32_t task;

    if (!expect_lease(model, request->lease, expect)) {
        return;
    }
    task = expect_task(model, ask, &request->fence, expect);
    if (task == 0 || expect_fence(model, ask, task, 0, "", &request->fence, expect)) {
        return;
    }
    of = &model->tasks[task];
    reply->task = request->fence.id;
    reply->attempt = of->attempts[0].position;
    reply->lease = u64_max(sat_sub(of->lease, ask->time), request->lease);
    reply->left = sat_sub(of->deadline, ask->time);
}

void apply_task_heartbeat(struct model *model, const struct ask *ask,
                          const struct model_answer *answer)
{
    struct id128 id = ask->op->request->task_heartbeat.fence.id;

    if (model->mutation != MODEL_MUTATION_HEARTBEAT_IGNORED) {
        model->tasks[state_task_of(model, id)].lease = sat_add(ask->time,
                                                               answer->reply.task_heartbeat.lease);
    }
}

/* A read of the fence: W1–W8 for an act that is not done. */
void expect_fence_check(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_fence_check_request *request = &ask->op->request->fence_check;
    char permission[OP_PERMISSION_MAX + 1] = "";
    const struct task *of;
    uint32_t task, session;
    struct bytes id;

    for (size_t i = 0; i < request->permission.size && i < OP_PERMISSION_MAX; i++) {
        permission[i] = (char)request->permission.data[i];
    }
    if (!op_permission_valid(request->permission)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "a permission has another form");
        expect_also(expect, OP_NOT_FOUND);
        return;
    }
    if (request->has_resource && !rule_resource_valid(request->resource)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "no resource has that form");
        expect_also(expect, OP_NOT_FOUND);
        return;
    }
    task = expect_task(model, ask, &request->fence, expect);
    if (task == 0) {
        return;
    }
    of = &model->tasks[task];
    session = request->has_session ? state_session_of(model, request->session) : of->session;
    if (session == 0 || model->sessions[session].tenant != of->tenant ||
        model->sessions[session].user != of->user) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S3,
                       "W2: task and session are not of one tenant and user");
        return;
    }
    if (session != of->session && life_forgotten(model, &model->sessions[session], ask->time)) {
        expect_also(expect, OP_NOT_FOUND);
    }
    if (expect_fence(model, ask, task, session, permission, &request->fence, expect) ||
        !expect_reached(model, &model->sessions[of->session], request->has_resource,
                        request->resource, expect) ||
        !expect_reached(model, &model->sessions[session], request->has_resource, request->resource,
                        expect)) {
        return;
    }
    id = model_names_bytes(model->names, model->sessions[session].id);
    for (size_t i = 0; i < sizeof expect->reply.fence_check.session.bytes; i++) {
        expect->reply.fence_check.session.bytes[i] = id.data[i];
    }
    expect->reply.fence_check.task_epoch = of->epoch;
    expect->reply.fence_check.session_epoch = model->sessions[session].epoch;
    expect->reply.fence_check.attempt = of->attempts[0].position;
    expect->reply.fence_check.lease = sat_sub(of->lease, ask->time);
}

void apply_fence_check(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

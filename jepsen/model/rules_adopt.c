/* The law of adoption: docs/MODEL.md section 5. */
#include "jepsen/model/rules.h"

/* Did the session hold this very pair at its end, without a deadline? (section 4) */
static bool held_at_end(const struct model *model, const struct session *own,
                        const struct grant *pair)
{
    for (uint32_t i = 0; i < own->grant_count; i++) {
        if (own->grants[i].permission == pair->permission && own->grants[i].given == pair->given) {
            return own->grants[i].deadline == OP_INFINITE &&
                   life_held_above(model, own, &own->grants[i]);
        }
    }
    return false;
}

/* An orphan, that no revoke has reached and nobody has closed. */
static bool expect_orphan(struct model *model, const struct ask *ask, uint32_t task,
                          struct model_expect *expect)
{
    const struct op_token none = {.attempt = 0};
    const struct task *of = &model->tasks[task];
    uint64_t also = 0;
    uint32_t cause = life_of(model, &model->sessions[of->session], ask->time, &also);

    if (rule_may_be_compromised(model, ask, of->session)) {
        expect_also(expect, OP_NOT_ADOPTABLE);
    }
    if (life_closed(model, of) != 0) {
        expect_refusal(expect, OP_CLOSED_TASK, MODEL_S3, "the task is done, failed or cancelled");
        return false;
    }
    if (life_passed(model, of->deadline, ask->time)) {
        expect_refusal(expect, OP_NOT_ADOPTABLE, MODEL_S4, "T is at or after the task's deadline");
        return false;
    }
    if (of->outlives || cause == 0) {
        expect_refusal(expect, OP_NOT_ADOPTABLE, MODEL_S3, "only what died with its session");
        return false;
    }
    if (cause == OP_END_CAUSE_REVOKED || cause == OP_END_CAUSE_COMPROMISED ||
        (fence_failed(model, of, &none, 0, 0, ask->time) & TAG(6)) != 0) {
        expect_refusal(expect, OP_NOT_ADOPTABLE, MODEL_S2, "what a revoke has reached stays dead");
        return false;
    }
    return true;
}

/* W6 asks for every lineage that it ever belonged to: does it leave one that is not known? */
static bool leaves_lineage(const struct model *model, const struct task *task, uint32_t adopter)
{
    uint32_t root = life_root(model, task->session);

    for (uint32_t i = 0; i < task->left_count; i++) {
        if (task->left[i] == root) {
            return false;
        }
    }
    return root != life_root(model, adopter);
}

void expect_task_adopt(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_task_adopt_request *request = &ask->op->request->task_adopt;
    struct op_task_adopt_reply *reply = &expect->reply.task_adopt;
    uint32_t session = expect_session(model, ask, &request->token, expect);
    uint32_t task = state_task_of(model, request->task);
    const struct task *of = &model->tasks[task];

    if (session == 0) {
        return;
    }
    if (life_holds(model, &model->sessions[session], ask_permission(model, "task:adopt"),
                   ask->time) == NULL &&
        model->mutation != MODEL_MUTATION_PERMISSION_IGNORED) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "the session does not hold task:adopt");
        return;
    }
    if (task == 0 || !ask_owns(model, ask, of->tenant, of->user)) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S3, "W2: no such task of this user");
        return;
    }
    expect_task_forgotten(model, ask, of, expect);
    if (!expect_orphan(model, ask, task, expect)) {
        return;
    }
    if (model->sessions[session].task_count >= model->limits.session_tasks_max) {
        expect_also(expect, OP_LIMIT); /* forgotten tasks count no more */
    }
    expect_quota(model, ask, OP_QUOTA_SESSION_TASKS, rule_session_tasks(model, ask, session), 1,
                 expect);
    if (leaves_lineage(model, of, session) && of->left_count >= model->limits.task_lineages_max) {
        expect_refusal(expect, OP_LIMIT, MODEL_S1, "the task left all the lineages it may leave");
        return;
    }
    reply->task = request->task;
    reply->session = request->token.id;
    reply->epoch = model->mutation == MODEL_MUTATION_ADOPTION_KEEPS_EPOCH ? of->epoch
                                                                          : ask->op->position;
    reply->left = sat_sub(of->deadline, ask->time);
}

/* The adopter's pairs, for the permissions that both hold. */
static void adopt_pairs(struct model *model, const struct ask *ask, struct task *task,
                        uint32_t adopter)
{
    const struct session *own = &model->sessions[task->session];
    uint32_t kept = 0;

    for (uint32_t i = 0; i < task->pair_count; i++) {
        const struct grant *grant = life_holds(model, &model->sessions[adopter],
                                               task->pairs[i].permission, ask->time);

        if (grant != NULL && held_at_end(model, own, &task->pairs[i])) {
            task->pairs[kept++] = (struct grant){.permission = grant->permission,
                                                 .given = grant->given};
        }
    }
    task->pair_count = kept;
}

/* The session that it leaves counts one task less. */
static void leave(struct session *own, uint64_t deadline)
{
    uint32_t at = 0;

    while (at < own->task_count && own->task_ends[at] != deadline) {
        at++;
    }
    if (at < own->task_count) {
        own->task_ends[at] = own->task_ends[--own->task_count];
    }
}

void apply_task_adopt(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    const struct op_task_adopt_reply *reply = &answer->reply.task_adopt;
    struct task *task = &model->tasks[state_task_of(model, reply->task)];
    uint32_t adopter = state_session_of(model, reply->session);
    struct session *session = &model->sessions[adopter];

    if (leaves_lineage(model, task, adopter)) {
        task->left = model_names_grow(task->left, &task->left_capacity, task->left_count + 1,
                                      sizeof *task->left);
        task->left[task->left_count++] = life_root(model, task->session);
    }
    adopt_pairs(model, ask, task, adopter);
    leave(&model->sessions[task->session], task->deadline);
    task->session = adopter;
    task->agent = session->agent;
    task->epoch = reply->epoch;
    task->target_count = 0;
    task->claimed = false;
    if (!task->adopted) { /* an attempt without a secret, which the next claim takes over */
        for (size_t i = ATTEMPTS_KEPT - 1; i > 0; i--) {
            task->attempts[i] = task->attempts[i - 1];
        }
    }
    task->attempts[0] = (struct attempt){.position = ask->op->position};
    task->adopted = true;
    session->task_ends = model_names_grow(session->task_ends, &session->task_capacity,
                                          session->task_count + 1, sizeof(uint64_t));
    session->task_ends[session->task_count++] = task->deadline;
}

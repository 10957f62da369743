/* What several operations share: who is asking about what, and refusals in the law's order. */
#include "jepsen/model/rules.h"

#include "base/sat.h"

#include <string.h>

void expect_refusal(struct model_expect *expect, enum op_outcome outcome,
                    enum model_property property, const char *rule)
{
    expect->outcome = outcome;
    expect->property = property;
    expect->rule = rule;
}

void expect_either(struct model_expect *expect, enum op_outcome outcome,
                   enum model_property property, const char *rule)
{
    if (expect->outcome != OP_OK) {
        expect_also(expect, expect->outcome);
    }
    expect_refusal(expect, outcome, property, rule);
}

void expect_also(struct model_expect *expect, enum op_outcome outcome)
{
    expect->also |= 1ULL << outcome;
}

uint32_t ask_permission(struct model *model, const char *permission)
{
    return permission[0] == '\0' ? 0 : state_name(model, bytes_of_text(permission));
}

bool ask_owns(const struct model *model, const struct ask *ask, uint32_t tenant, uint32_t user)
{
    return (ask->tenant == tenant || model->mutation == MODEL_MUTATION_TENANT_IGNORED) &&
           (ask->user == user || model->mutation == MODEL_MUTATION_USER_IGNORED ||
            model->mutation == MODEL_MUTATION_W2);
}

static bool presents(struct model *model, const struct session *session,
                     const struct op_token *token)
{
    return state_id(model, token->incarnation) == session->incarnation &&
           (state_secret(model, token) == session->secret ||
            state_secret(model, token) == session->older ||
            model->mutation == MODEL_MUTATION_SECRET_IGNORED);
}

/* No row shows a REUSE: from the grace after the first rotation on, there may have been one. That
 * somebody showed an old secret is a sweep's to ask (jepsen/check/sweeps.c). */
bool rule_may_be_compromised(const struct model *model, const struct ask *ask, uint32_t session)
{
    return ask->time >= life_reuse_time(model, &model->sessions[session]);
}

void apply_compromised(struct model *model, const struct ask *ask)
{
    const char *name = ask->op->f == OP_session_create ? "parent" : "token";
    const struct op_field *field = op_field_named(op_row_of_number(ask->op->f)->request, name);
    const struct op_token *token;
    uint32_t session;

    if (field == NULL || field->kind != OP_KIND_token || ask->op->f == OP_task_begin) {
        return; /* of a beginning it may be a target */
    }
    token = (const struct op_token *)(const void *)((const uint8_t *)ask->op->request +
                                                    field->offset);
    session = life_root(model, state_session_of(model, token->id));
    if (rule_may_be_compromised(model, ask, session) && model->sessions[session].ended == 0) {
        model->sessions[session].ended = ask->op->position;
        model->sessions[session].ended_time = ask->time;
        model->sessions[session].compromised = true;
    }
}

bool expect_death(struct model *model, const struct ask *ask, uint32_t session,
                  struct model_expect *expect)
{
    const struct session *of = &model->sessions[session];
    uint64_t also;
    uint32_t cause = life_of(model, of, ask->time, &also);
    bool deadline = cause == OP_END_CAUSE_IDLE_TIMEOUT || cause == OP_END_CAUSE_ABSOLUTE_TIMEOUT;

    if (rule_may_be_compromised(model, ask, session)) {
        expect_also(expect, OP_ENDED);
        also |= TAG(OP_END_CAUSE_COMPROMISED);
    }
    if (life_forgotten(model, of, ask->time)) {
        expect_also(expect, OP_NOT_FOUND);
    }
    if (cause == 0) {
        return false;
    }
    if (deadline) {
        expect_refusal(expect, OP_EXPIRED, MODEL_S4, "T is at or after the session's deadline");
        if (also & (TAG(OP_END_CAUSE_REVOKED) | TAG(OP_END_CAUSE_PARENT_ENDED))) {
            expect_also(expect, OP_ENDED);
        }
    } else if (cause == OP_END_CAUSE_PARENT_ENDED) {
        expect_refusal(expect, OP_ENDED, MODEL_S1, "a session above has ended");
    } else if (cause == OP_END_CAUSE_REVOKED) {
        expect_refusal(expect, OP_ENDED, MODEL_S2, "a revoke lies above the session's epoch");
    } else {
        expect_refusal(expect, OP_ENDED, MODEL_S1, "the session was ended before");
    }
    expect->details.has_cause = true;
    expect->details.cause = cause;
    expect->causes_free = also;
    return true;
}

uint32_t expect_session(struct model *model, const struct ask *ask, const struct op_token *token,
                        struct model_expect *expect)
{
    uint32_t session = state_session_of(model, token->id);
    const struct session *of = &model->sessions[session];

    if (session == 0) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S1, "no session has that id");
        return 0;
    }
    if (!ask_owns(model, ask, of->tenant, of->user)) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S1, "the session is another user's or tenant's");
        return 0;
    }
    if (!presents(model, of, token)) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S1, "the secret is not the session's");
        if (of->before_counts && state_secret(model, token) == of->before) {
            expect_also(expect, OP_ENDED); /* a REUSE came before that rotation, and refused it */
        }
        return 0;
    }
    if (of->older != 0 && state_secret(model, token) == of->older) {
        expect_also(expect, OP_NOT_FOUND); /* until a later try replaced it: nobody saw when */
    }
    return expect_death(model, ask, session, expect) ? 0 : session;
}

void expect_task_forgotten(struct model *model, const struct ask *ask, const struct task *task,
                           struct model_expect *expect)
{
    if (ask->time >= sat_add(task->deadline, model->limits.tombstone_us)) {
        expect_also(expect, OP_NOT_FOUND); /* section 2: kept so long, swept some time after */
    }
}

uint32_t expect_task(struct model *model, const struct ask *ask, const struct op_token *fence,
                     struct model_expect *expect)
{
    uint32_t task = state_task_of(model, fence->id);
    const struct task *of = &model->tasks[task];

    if (task == 0) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S3, "no task has that id");
        return 0;
    }
    if (!ask_owns(model, ask, of->tenant, of->user)) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S3,
                       "W2: the task is another user's or tenant's");
        return 0;
    }
    if (!fence_known(model, of, fence)) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S3, "the fence's secret is none of the task's");
        return 0;
    }
    for (size_t i = 0; i < ATTEMPTS_KEPT; i++) {
        if (of->attempts[i].older != 0 && state_secret(model, fence) == of->attempts[i].older) {
            expect_also(expect, OP_NOT_FOUND);
        }
    }
    expect_task_forgotten(model, ask, of, expect);
    return task;
}

static const char *rule_text(uint64_t headline)
{
    static const char *const texts[] = {
        "",
        "W1: the fence is not of the task's present attempt",
        "W2: task and session are not of one tenant and user",
        "W3: the session, or the task's own, is not alive",
        "W4: the session was created after the task began",
        "W5: the session is neither the task's own nor a target",
        "W6: a revoke lies above the task's fence epoch",
        "W7: the permission is not held, or was given after the task began",
        "W8: T is at or after the lease's or the task's deadline",
    };

    return texts[headline];
}

bool expect_fence(struct model *model, const struct ask *ask, uint32_t task, uint32_t target,
                  const char *needs, const struct op_token *fence, struct model_expect *expect)
{
    const struct task *of = &model->tasks[task];
    uint64_t failed = fence_failed(model, of, fence, target, ask_permission(model, needs),
                                   ask->time);
    uint64_t headline = fence_headline(failed);
    struct op_details *details = &expect->details;
    bool doubtful = false;

    if (rule_may_be_compromised(model, ask, of->session) ||
        rule_may_be_compromised(model, ask, target)) {
        expect_also(expect, OP_FENCED); /* W3, W6 */
        doubtful = true;
    }
    if (failed == 0) {
        return false;
    }
    expect_refusal(expect, OP_FENCED, MODEL_S3, rule_text(headline));
    if (failed & TAG(3)) {
        expect->failed_free = TAG(7); /* a grant dies with its session: W3 says that already */
    }
    details->has_failed = details->has_headline = !doubtful;
    details->failed = failed;
    details->headline = headline;
    details->has_task_epoch = details->has_task_attempt = true;
    details->task_epoch = of->epoch;
    details->task_attempt = of->attempts[0].position;
    if (target != 0) {
        details->has_session_epoch = true;
        details->session_epoch = model->sessions[target].epoch;
    }
    return true;
}

bool expect_number(struct model *model, const struct task *task, uint64_t n, uint64_t digest,
                   struct model_expect *expect, const struct done **ret_done)
{
    bool ignored = model->mutation == MODEL_MUTATION_W9;

    *ret_done = NULL;
    if (n == 0) {
        expect_refusal(expect, OP_INVALID, MODEL_S3, "W9: operation numbers begin at 1");
        return true;
    }
    if (ignored) {
        return false;
    }
    *ret_done = state_done((struct task *)task, n);
    if (*ret_done != NULL && (*ret_done)->digest != digest) {
        expect_refusal(expect, OP_OP_MISMATCH, MODEL_S3,
                       "W9: the number was used for another operation");
        *ret_done = NULL;
        return true;
    }
    if (*ret_done != NULL) {
        expect->outcome = OP_OK;
        expect->repeated = true;
        return true;
    }
    if (task->newest >= WINDOW && n <= task->newest - WINDOW) {
        expect_refusal(expect, OP_FORGOTTEN, MODEL_S3, "W9: the number lies below the window");
        return true;
    }
    if (n > sat_add(task->newest, WINDOW)) {
        expect_refusal(expect, OP_INVALID, MODEL_S3, "W9: the number lies above the window");
        expect_also(expect, OP_LIMIT);
        return true;
    }
    return false;
}

/* A later try mints the secret anew while the object carries the one of this request. */
void apply_again(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    const struct op_session_create_reply *create = &answer->reply.session_create;
    const struct op_task_claim_reply *claim = &answer->reply.task_claim;

    if (ask->op->f == OP_session_create && create->has_token) {
        struct session *session = &model->sessions[state_session_of(model, create->session)];

        session->older = session->secret;
        session->secret = state_secret(model, &create->token);
        session->incarnation = state_id(model, create->token.incarnation);
    } else if (ask->op->f == OP_session_rotate && answer->reply.session_rotate.has_token) {
        const struct op_session_rotate_reply *rotate = &answer->reply.session_rotate;
        struct session *session = &model->sessions[state_session_of(model, rotate->session)];

        session->older = session->secret;
        session->secret = state_secret(model, &rotate->token);
    } else if (ask->op->f == OP_session_elevate && answer->reply.session_elevate.has_token) {
        const struct op_session_elevate_reply *elevate = &answer->reply.session_elevate;
        struct session *session = &model->sessions[state_session_of(model, elevate->session)];

        session->older = session->secret;
        session->secret = state_secret(model, &elevate->token);
    } else if ((ask->op->f == OP_task_claim || ask->op->f == OP_task_hand_over) &&
               claim->has_fence) {
        struct task *task = &model->tasks[state_task_of(model, claim->task)];

        for (size_t i = 0; i < ATTEMPTS_KEPT; i++) {
            if (task->attempts[i].position == claim->attempt) {
                task->attempts[i].older = task->attempts[i].secret;
                task->attempts[i].secret = state_secret(model, &claim->fence);
            }
        }
    }
}

void doubt_secret(struct model *model, const struct model_op *op, uint64_t first)
{
    if (op->f == OP_session_create || rule_rotates(op) != NULL) {
        for (uint32_t i = 1; i < model->session_count; i++) {
            if (model->sessions[i].made == first) {
                model->sessions[i].older = model->sessions[i].secret;
            }
        }
    } else if (op->f == OP_task_claim || op->f == OP_task_hand_over) {
        struct id128 id = op->f == OP_task_claim ? op->request->task_claim.task
                                                 : op->request->task_hand_over.task;
        struct task *task = &model->tasks[state_task_of(model, id)];

        for (size_t i = 0; i < ATTEMPTS_KEPT; i++) {
            if (task->attempts[i].position == first) {
                task->attempts[i].older = task->attempts[i].secret;
            }
        }
    }
}

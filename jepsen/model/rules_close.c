/* The law of closing tasks: complete, fail, cancel. docs/MODEL.md sections 2 and 5. */
#include "jepsen/model/rules.h"

#include "base/hash.h"

/* Complete and fail say the same of different ends. */
struct closing {
    const struct op_token *fence;
    uint64_t n;
    bool has_result;
    struct bytes result;
    uint32_t status; /* enum op_task_status */
};

static struct closing closing_of(const struct model_op *op)
{
    const struct op_task_complete_request *complete = &op->request->task_complete;
    const struct op_task_fail_request *fail = &op->request->task_fail;

    if (op->f == OP_task_complete) {
        return (struct closing){&complete->fence, complete->operation, complete->has_result,
                                complete->result, OP_TASK_STATUS_DONE};
    }
    return (struct closing){&fail->fence, fail->operation, fail->has_result, fail->result,
                            OP_TASK_STATUS_FAILED};
}

/* What the (task, n) stands for: all but the token. */
static uint64_t close_digest(struct model *model, const struct closing *closing)
{
    static const struct siphash_key key = {{3}};
    uint32_t parts[3] = {closing->status, closing->has_result,
                         closing->has_result ? state_name(model, closing->result) : 0};

    return base_siphash64(&key, bytes_of(parts, sizeof parts));
}

/* Acts on the task: of W3 the second half, W5 and W7 are met. */
static void expect_close(struct model *model, const struct ask *ask, struct model_expect *expect,
                         struct id128 *ret_task, uint64_t *ret_closed)
{
    struct closing closing = closing_of(ask->op);
    uint32_t task = expect_task(model, ask, closing.fence, expect);
    const struct done *done;

    if (task == 0) {
        return;
    }
    *ret_task = closing.fence->id;
    *ret_closed = ask->op->position;
    if (expect_number(model, &model->tasks[task], closing.n, close_digest(model, &closing), expect,
                      &done)) {
        *ret_closed = done != NULL ? done->version : 0;
        return;
    }
    (void)expect_fence(model, ask, task, 0, "", closing.fence, expect);
}

static void apply_close(struct model *model, const struct ask *ask, uint64_t closed)
{
    struct closing closing = closing_of(ask->op);
    struct task *task = &model->tasks[state_task_of(model, closing.fence->id)];

    if (closed != ask->op->position) {
        return; /* a known (task, n), told again */
    }
    state_done_add(
        task,
        (struct done){.n = closing.n, .digest = close_digest(model, &closing), .version = closed});
    if (model->mutation != MODEL_MUTATION_CLOSE_IGNORED) {
        task->closed = closing.status;
    }
}

void expect_task_complete(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    expect_close(model, ask, expect, &expect->reply.task_complete.task,
                 &expect->reply.task_complete.closed);
}

void apply_task_complete(struct model *model, const struct ask *ask,
                         const struct model_answer *answer)
{
    apply_close(model, ask, answer->reply.task_complete.closed);
}

void expect_task_fail(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    expect_close(model, ask, expect, &expect->reply.task_fail.task,
                 &expect->reply.task_fail.closed);
}

void apply_task_fail(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    apply_close(model, ask, answer->reply.task_fail.closed);
}

/* Ending goes a way that no fence closes: who may claim a task may cancel it, until it is over. */
void expect_task_cancel(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    struct id128 id = ask->op->request->task_cancel.task;
    uint32_t task = state_task_of(model, id);
    const struct task *of = &model->tasks[task];

    if (task == 0 || !ask_owns(model, ask, of->tenant, of->user)) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S3, "W2: no such task of this user");
        return;
    }
    expect_task_forgotten(model, ask, of, expect);
    if (life_closed(model, of) != 0) {
        expect_refusal(expect, OP_CLOSED_TASK, MODEL_S3, "the task is done, failed or cancelled");
        return;
    }
    if (life_passed(model, of->deadline, ask->time)) {
        expect_refusal(expect, OP_EXPIRED, MODEL_S4, "T is at or after the task's deadline");
        return;
    }
    expect->reply.task_cancel.task = id;
    expect->reply.task_cancel.closed = ask->op->position;
}

void apply_task_cancel(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    (void)answer;
    if (model->mutation != MODEL_MUTATION_CLOSE_IGNORED) {
        model->tasks[state_task_of(model, ask->op->request->task_cancel.task)].closed =
            OP_TASK_STATUS_CANCELLED;
    }
}

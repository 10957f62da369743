/* Closing tasks: complete and fail, by the attempt that owns one; cancel, by whoever may claim it.
 *
 *       claim          complete
 *   OPEN -----> CLAIMED -----> DONE
 *     |           |  '-------> FAILED
 *     '-----+-----'    fail
 *           '----------------> CANCELLED
 *              cancel
 *
 *  1. What is closed stays closed: W1 asks for CLAIMED, and so does every claim.
 *  2. Complete and fail act on the task by W1 to W9. Cancel goes the way that no fence closes; only
 *     a task that is closed or past its deadline already has nothing left to cancel.
 *  3. What is below a failed or cancelled task is cancelled with it, and nothing of it is written
 *     (life.c).
 */
#include "fsm/machine.h"

#include "base/assert.h"

/* What complete and fail have in common: their requests differ in nothing but the name. */
struct closing {
    struct bytes user;
    const struct op_token *fence;
    uint64_t operation;
    struct bytes result; /* empty: none */
    enum task_status status;
};

static enum op_outcome close_ask(struct fsm_context *ctx, const struct closing *closing,
                                 struct fsm_task *ret_task)
{
    struct fence_question question = {ret_task, closing->fence, &ret_task->own, true,
                                      ctx->row->needs};
    enum op_outcome outcome = fsm_find_fence(ctx, closing->user, closing->fence, ret_task);

    if (outcome == OP_OK) {
        outcome = fsm_window_admit(ctx, ret_task, closing->operation);
    }
    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    outcome = fsm_fence(ctx, &question);
    if (outcome == OP_OK) {
        outcome = fsm_room(ctx, FSM_OPERATIONS, 1);
    }
    return outcome == OP_OK ? fsm_room(ctx, FSM_BLOCKS, chain_blocks(closing->result.size))
                            : outcome;
}

/* `ret_task`: what was closed, or no record. */
static enum op_outcome close_by_fence(struct fsm_context *ctx, const struct closing *closing,
                                      struct id128 *ret_task)
{
    struct fsm_task found;
    struct task_record *task;
    enum op_outcome outcome = close_ask(ctx, closing, &found);

    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    task = table_write(ctx->fsm->tables[FSM_TASKS], found.slot);
    ASSERT(task->status == TASK_CLAIMED && task->result_chain == SLOT_NONE);
    task->status = closing->status;
    task->result_chain = chain_write(fsm_blocks(ctx->fsm), closing->result);
    task->result_size = (uint32_t)closing->result.size;
    *ret_task = task->id;
    return OP_OK;
}

enum op_outcome fsm_do_task_complete(struct fsm_context *ctx,
                                     const struct op_task_complete_request *request,
                                     struct op_task_complete_reply *reply)
{
    struct closing closing = {request->user, &request->fence, request->operation,
                              request->has_result ? request->result : BYTES_NONE, TASK_DONE};

    reply->has_task = true;
    reply->has_closed = true;
    reply->closed = ctx->position;
    return close_by_fence(ctx, &closing, &reply->task);
}

enum op_outcome fsm_do_task_fail(struct fsm_context *ctx,
                                 const struct op_task_fail_request *request,
                                 struct op_task_fail_reply *reply)
{
    struct closing closing = {request->user, &request->fence, request->operation,
                              request->has_result ? request->result : BYTES_NONE, TASK_FAILED};

    reply->has_task = true;
    reply->has_closed = true;
    reply->closed = ctx->position;
    return close_by_fence(ctx, &closing, &reply->task);
}

enum op_outcome fsm_do_task_cancel(struct fsm_context *ctx,
                                   const struct op_task_cancel_request *request,
                                   struct op_task_cancel_reply *reply)
{
    struct fsm_task found;
    struct task_record *task;
    enum op_outcome outcome = fsm_find_task(ctx, request->user, request->task, &found);

    if (outcome == OP_OK) {
        outcome = fsm_refuse_closed(ctx, found.record);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    if (fsm_deadline_passed(ctx, found.record->deadline)) {
        ctx->details->has_cause = true;
        ctx->details->cause = OP_END_CAUSE_TASK_DEADLINE;
        return OP_EXPIRED;
    }
    task = table_write(ctx->fsm->tables[FSM_TASKS], found.slot);
    task->status = TASK_CANCELLED;
    reply->has_task = true;
    reply->task = task->id;
    reply->has_closed = true;
    reply->closed = ctx->position;
    return OP_OK;
}

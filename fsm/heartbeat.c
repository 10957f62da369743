/* The sign of life by which a worker keeps its task. Who owns the task is claim.c's to say.
 *
 *  1. It is judged as what acts on the task, lease included: one that comes late revives nothing.
 *  2. It extends and never shortens: a lease that was promised stays, in whatever order two arrive.
 *  3. It has no operation number: it would take the place of a write in the task's window, and a
 *     repetition of its request number extends nothing anyway.
 */
#include "fsm/machine.h"

#include "base/sat.h"

enum op_outcome fsm_do_task_heartbeat(struct fsm_context *ctx,
                                      const struct op_task_heartbeat_request *request,
                                      struct op_task_heartbeat_reply *reply)
{
    const struct op_limits *limits = &ctx->fsm->limits;
    struct fsm_task task;
    struct fence_question question = {&task, &request->fence, &task.own, true, ctx->row->needs};
    struct task_record *record;
    enum op_outcome outcome;

    if (request->lease < limits->lease_min_us || request->lease > limits->lease_max_us) {
        return fsm_refuse_field(ctx, "lease");
    }
    outcome = fsm_find_fence(ctx, request->user, &request->fence, &task);
    if (outcome == OP_OK) {
        outcome = fsm_fence(ctx, &question);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    record = table_write(ctx->fsm->tables[FSM_TASKS], task.slot);
    record->lease_deadline = u64_max(record->lease_deadline, sat_add(ctx->now, request->lease));
    reply->has_task = true;
    reply->task = record->id;
    reply->has_attempt = true;
    reply->attempt = record->attempt;
    reply->has_lease = true;
    reply->lease = sat_sub(record->lease_deadline, ctx->now);
    reply->has_left = true;
    reply->left = sat_sub(record->deadline, ctx->now);
    return OP_OK;
}

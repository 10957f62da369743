/* Opening a session below another one: who may, and what it takes over. The rest of opening is
 * session.c's, what ends it with its parent is life.c's.
 *
 *  1. A child has the user of its parent, at most its absolute deadline, and of its pairs those
 *     that were asked for (grant.c, invariant 3).
 *  2. A task opens one by a write into its own session: W1 to W9. It passes on what it passes W7
 *     for, and its E: F = min(F of the parent, E of the task).
 */
#include "fsm/machine.h"

#include "base/sat.h"

static enum op_outcome by_session(struct fsm_context *ctx,
                                  const struct op_session_create_request *request,
                                  struct fsm_descent *descent)
{
    enum op_outcome outcome = fsm_find_session(ctx, request->user, &request->parent,
                                               &descent->parent);

    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &descent->parent);
    }
    if (outcome == OP_OK) {
        fsm_grants_held(ctx, &descent->parent, &descent->held);
        descent->floor = descent->parent.head->fence_floor;
    }
    return outcome;
}

static enum op_outcome by_task(struct fsm_context *ctx,
                               const struct op_session_create_request *request,
                               struct fsm_descent *descent)
{
    struct fsm_task task;
    struct fence_question question = {&task, &request->fence, &task.own, false, ctx->row->needs};
    enum op_outcome outcome = fsm_find_fence(ctx, request->user, &request->fence, &task);

    if (outcome == OP_OK) {
        outcome = fsm_window_admit(ctx, &task, request->operation);
    }
    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    outcome = fsm_fence(ctx, &question);
    if (outcome == OP_OK) {
        outcome = fsm_room(ctx, FSM_OPERATIONS, 1);
    }
    if (outcome == OP_OK) {
        descent->parent = task.own;
        fsm_task_grants(ctx, &task, &descent->held);
        descent->floor = u64_min(task.own.head->fence_floor, task.record->epoch);
    }
    return outcome;
}

static enum op_outcome child_room(struct fsm_context *ctx, const struct fsm_session *parent)
{
    if (parent->head->depth >= ctx->fsm->limits.session_depth_max) {
        ctx->details->has_limit = true;
        ctx->details->limit = bytes_of_text("session_depth_max");
        return OP_LIMIT;
    }
    if (parent->record->child_count >= ctx->fsm->limits.session_children_max) {
        return fsm_refuse_full(ctx, "session_children_max");
    }
    return OP_OK;
}

enum op_outcome fsm_child_ask(struct fsm_context *ctx,
                              const struct op_session_create_request *request,
                              struct fsm_descent *descent)
{
    enum op_outcome outcome;

    if (request->has_parent && request->has_fence) {
        return fsm_refuse_field(ctx, "parent");
    }
    if (request->has_fence != request->has_operation) {
        return fsm_refuse_field(ctx, "operation");
    }
    if (!request->has_parent && !request->has_fence) {
        return OP_OK;
    }
    outcome = request->has_fence ? by_task(ctx, request, descent)
                                 : by_session(ctx, request, descent);
    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    for (uint32_t i = 0; i < request->grants_count; i++) {
        struct bytes permission = request->grants[i].permission;

        if (fsm_grants_find(&descent->held, names_find(ctx->fsm->names, permission)) == NULL) {
            return fsm_refuse_permission(ctx, permission);
        }
    }
    return child_room(ctx, &descent->parent);
}

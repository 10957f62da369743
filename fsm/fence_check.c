/* Asking the fence without acting: true at its position alone. It narrows the race between a check
 * and an act in another store, and does not close it (docs/MODEL.md section 5).
 */
#include "fsm/machine.h"

#include "base/sat.h"

#include <string.h>

enum op_outcome fsm_do_fence_check(struct fsm_context *ctx,
                                   const struct op_fence_check_request *request,
                                   struct op_fence_check_reply *reply)
{
    char permission[OP_PERMISSION_MAX + 1] = "";
    struct fsm_task task;
    struct fsm_session session;
    enum op_outcome outcome;

    if (!op_permission_valid(request->permission)) {
        return fsm_refuse_field(ctx, "permission");
    }
    if (request->has_resource && !fsm_resource_valid(request->resource)) {
        return fsm_refuse_field(ctx, "resource");
    }
    memcpy(permission, request->permission.data, request->permission.size);
    outcome = fsm_find_fenced(ctx, request->user, &request->fence,
                              request->has_session ? &request->session : NULL, &task, &session);
    if (outcome != OP_OK) {
        return outcome;
    }
    outcome = fsm_fence(ctx, &(struct fence_question){.task = &task,
                                                      .token = &request->fence,
                                                      .target = &session,
                                                      .permission = permission});
    if (outcome == OP_OK) {
        outcome = fsm_filter_reaches(ctx, &task.own, FSM_GIVEN(request, resource));
    }
    if (outcome == OP_OK) {
        outcome = fsm_filter_reaches(ctx, &session, FSM_GIVEN(request, resource));
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    reply->has_session = true;
    reply->session = session.head->selector;
    reply->has_task_epoch = true;
    reply->task_epoch = task.record->epoch;
    reply->has_session_epoch = true;
    reply->session_epoch = session.head->created;
    reply->has_attempt = true;
    reply->attempt = task.record->attempt;
    reply->has_lease = true;
    reply->lease = sat_sub(task.record->lease_deadline, ctx->now);
    return OP_OK;
}

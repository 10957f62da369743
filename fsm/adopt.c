/* Adoption: a task whose session has ended goes on under another session of the same user (section
 * 5). Who is an orphan is life.c's to say, what the task may do from then on, fence.c's.
 *
 *  1. Only what died with its session is an orphan: a task of scope user goes on by itself, and
 *     what is closed or past its deadline is over.
 *  2. What a revoke has reached stays dead: adoption would lift E above it.
 *  3. The task gets no more than both held: its own pairs as they stood at the end of its session,
 *     and of them the adopter's, with the adopter's G.
 *  4. E = A = the position of the adoption; no secret opens the task before it is claimed.
 *  5. A revoke of a lineage that the task leaves still reaches it (lineage.c).
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

struct adoption {
    struct fsm_session adopter;
    struct fsm_task task;
    struct fsm_grants pairs;
};

/* Invariants 1 and 2. */
static enum op_outcome orphan_check(struct fsm_context *ctx, const struct fsm_task *task)
{
    enum op_outcome outcome = fsm_refuse_closed(ctx, task->record);
    struct fsm_end end = fsm_session_end_of(ctx, &task->own);
    bool revoked = end.cause == OP_END_CAUSE_REVOKED || end.cause == OP_END_CAUSE_COMPROMISED;

    if (outcome != OP_OK) {
        return outcome;
    }
    if (fsm_deadline_passed(ctx, task->record->deadline)) {
        ctx->details->has_cause = true;
        ctx->details->cause = OP_END_CAUSE_TASK_DEADLINE;
        return OP_NOT_ADOPTABLE;
    }
    if (task->record->scope == OP_TASK_SCOPE_USER || !end.ended) {
        return OP_NOT_ADOPTABLE;
    }
    if (revoked || fsm_task_revoked(ctx->fsm, task)) {
        ctx->details->has_cause = true;
        ctx->details->cause = revoked ? end.cause : OP_END_CAUSE_REVOKED;
        return OP_NOT_ADOPTABLE;
    }
    return OP_OK;
}

/* Invariant 3. */
static void common_pairs(struct fsm_context *ctx, struct adoption *adoption)
{
    struct fsm_grants before;
    struct fsm_grants held;

    fsm_task_grants(ctx, &adoption->task, &before);
    fsm_grants_held(ctx, &adoption->adopter, &held);
    adoption->pairs.count = 0;
    for (uint32_t i = 0; i < before.count; i++) {
        const struct fsm_grant *grant = fsm_grants_find(&held, before.list[i].permission);

        if (grant != NULL) {
            adoption->pairs.list[adoption->pairs.count++] = *grant;
        }
    }
}

static enum op_outcome adopt_ask(struct fsm_context *ctx,
                                 const struct op_task_adopt_request *request,
                                 struct adoption *adoption)
{
    struct bytes needs = bytes_of_text(ctx->row->needs);
    enum op_outcome outcome = fsm_find_session(ctx, request->user, &request->token,
                                               &adoption->adopter);
    struct fsm_grant grant;

    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &adoption->adopter);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    if (!fsm_session_holds(ctx, &adoption->adopter, needs, &grant)) {
        return fsm_refuse_permission(ctx, needs);
    }
    outcome = fsm_find_task(ctx, request->user, request->task, &adoption->task);
    if (outcome == OP_OK) {
        outcome = orphan_check(ctx, &adoption->task);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    if (adoption->adopter.head->task_count >= ctx->fsm->limits.session_tasks_max) {
        return fsm_refuse_full(ctx, "session_tasks_max");
    }
    outcome = fsm_quota_room(ctx, OP_QUOTA_SESSION_TASKS, adoption->adopter.head->task_count, 1);
    if (outcome != OP_OK) { /* its user and tenant have it already */
        return outcome;
    }
    outcome = fsm_lineage_room(ctx, &adoption->task, &adoption->adopter);
    if (outcome == OP_OK) {
        outcome = fsm_pin_room(ctx, &adoption->adopter);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    common_pairs(ctx, adoption);
    return fsm_room(
        ctx, FSM_BLOCKS,
        fsm_grants_blocks(adoption->pairs.count) + fsm_pin_blocks(&adoption->adopter) +
            chain_blocks((size_t)TASK_VERIFIERS_OLDER * 32) +
            chain_blocks((adoption->task.record->lineage_count + 1) * sizeof(struct id128)));
}

/* Invariant 4. */
static const struct task_record *adopt(struct fsm_context *ctx, const struct adoption *adoption)
{
    struct fsm *fsm = ctx->fsm;
    struct task_record *task = table_write(fsm->tables[FSM_TASKS], adoption->task.slot);

    fsm_task_disown(fsm, task);
    fsm_lineage_leave(fsm, task, &adoption->task.own, &adoption->adopter);
    chain_free(fsm_blocks(fsm), task->target_chain);
    fsm_grants_free(fsm, task->pair_chain, task->pair_count);
    fsm_task_unlist(fsm, &adoption->task.own, adoption->task.slot);
    task->target_chain = SLOT_NONE;
    task->target_count = 0;
    task->pair_count = adoption->pairs.count;
    task->pair_chain = fsm_grants_write(fsm, &adoption->pairs);
    task->session = adoption->adopter.head->selector;
    task->epoch = ctx->position;
    task->attempt = ctx->position;
    fsm_task_pin(fsm, task->session, fsm_task_forgotten_time(fsm, task));
    fsm_task_unpin(fsm, adoption->task.own.head->selector);
    fsm_task_list(fsm, &adoption->adopter, adoption->task.slot);
    return task;
}

enum op_outcome fsm_do_task_adopt(struct fsm_context *ctx,
                                  const struct op_task_adopt_request *request,
                                  struct op_task_adopt_reply *reply)
{
    struct adoption adoption;
    enum op_outcome outcome = adopt_ask(ctx, request, &adoption);
    const struct task_record *task;

    if (outcome != OP_OK) {
        return outcome;
    }
    task = adopt(ctx, &adoption);
    reply->has_task = true;
    reply->task = task->id;
    reply->has_session = true;
    reply->session = task->session;
    reply->has_epoch = true;
    reply->epoch = task->epoch;
    reply->has_left = true;
    reply->left = sat_sub(task->deadline, ctx->now);
    return OP_OK;
}

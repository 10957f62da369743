/* The fence law, W1 to W8 (docs/MODEL.md section 5): may this task do this to that session now? All
 * rules are evaluated, and all that failed are reported. W2 is the lookup's (lookup.c), W9
 * window.c's.
 *
 *  1. Rules judge their own matter alone, so that each can fail alone: the life of sessions is W3's
 *     and W6's; W7 asks what was given, and of a dead session what it held at its end.
 *  2. E comes from the task's record, never from the token.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

/* W1: the newest attempt of a claimed task. */
static bool attempt_fails(const struct fsm *fsm, const struct fence_question *q)
{
    const struct task_record *task = q->task->record;

    return fsm_task_status_of(fsm, task) != TASK_CLAIMED || q->token->attempt != task->attempt ||
           !q->task->newest;
}

static bool is_own(const struct fence_question *q)
{
    return id128_equal(q->target->head->selector, q->task->record->session);
}

/* W3: the session that is written lives, and so does the own one unless the task outlives it. */
static bool life_fails(struct fsm_context *ctx, const struct fence_question *q)
{
    bool target_dead = !q->on_task && !fsm_alive(ctx, q->target);
    bool orphaned = q->task->record->scope != OP_TASK_SCOPE_USER && !fsm_alive(ctx, &q->task->own);

    return target_dead || orphaned;
}

/* W4: what was created after the task began is closed to it. */
static bool epoch_fails(const struct fence_question *q)
{
    return !is_own(q) && q->target->head->created >= q->task->record->epoch;
}

static bool is_target(const struct fsm *fsm, const struct task_record *task, struct id128 id)
{
    struct id128 targets[OP_MAX_target];

    ASSERT(task->target_count <= OP_MAX_target);
    chain_read(fsm_blocks(fsm), task->target_chain, targets,
               task->target_count * sizeof targets[0]);
    for (uint32_t i = 0; i < task->target_count; i++) {
        if (id128_equal(targets[i], id)) {
            return true;
        }
    }
    return false;
}

/* W5: the own session, a named target, or the whole of the user's. */
static bool reach_fails(const struct fsm *fsm, const struct fence_question *q)
{
    const struct task_record *task = q->task->record;

    return !q->on_task && !is_own(q) && task->scope != OP_TASK_SCOPE_USER &&
           !is_target(fsm, task, q->target->head->selector);
}

static bool revoked_after(const struct fsm *fsm, const struct session_head *head, uint64_t epoch)
{
    if (head->revoked > epoch) {
        return true;
    }
    for (size_t kind = 0; kind < COVER_KINDS; kind++) {
        if (fsm_watermark_newest(fsm, head->cover[kind]) > epoch) {
            return true;
        }
    }
    return false;
}

/* W6: a revoke after E of anything that the task stands under, or of a lineage that it left. */
bool fsm_task_revoked(const struct fsm *fsm, const struct fsm_task *task)
{
    for (struct fsm_session at = task->own; at.head != NULL; at = fsm_parent_of(fsm, &at)) {
        if (revoked_after(fsm, at.head, task->record->epoch)) {
            return true;
        }
    }
    return fsm_lineage_revoked(fsm, task->record);
}

/* W7: the permission is among the pairs that still hold, and another session holds it too, since
 * before the task began where the session itself is older. */
static bool permission_fails(struct fsm_context *ctx, const struct fence_question *q)
{
    const struct task_record *task = q->task->record;
    struct bytes permission = bytes_of_text(q->permission);
    struct fsm_grants copies;
    const struct fsm_grant *copy;
    struct fsm_grant held;

    if (permission.size == 0) {
        return false;
    }
    fsm_grants_read(ctx->fsm, task->pair_chain, task->pair_count, &copies);
    copy = fsm_grants_find(&copies, names_find(ctx->fsm->names, permission));
    if (copy == NULL || !fsm_session_holds(ctx, &q->task->own, permission, &held) ||
        held.given != copy->given) {
        return true;
    }
    if (is_own(q) || !fsm_alive(ctx, q->target)) {
        return false;
    }
    return !fsm_session_holds(ctx, q->target, permission, &held) ||
           (q->target->head->created < task->epoch && held.given >= task->epoch);
}

/* W8: neither lost nor over. */
static bool time_fails(struct fsm_context *ctx, const struct fence_question *q)
{
    const struct task_record *task = q->task->record;
    uint64_t deadline = q->token == NULL ? task->deadline
                                         : u64_min(task->lease_deadline, task->deadline);

    return fsm_deadline_passed(ctx, deadline);
}

static uint32_t failed_rules(struct fsm_context *ctx, const struct fence_question *q)
{
    uint32_t failed = 0;

    failed |= q->token != NULL && attempt_fails(ctx->fsm, q) ? FENCE_RULE(1) : 0;
    failed |= life_fails(ctx, q) ? FENCE_RULE(3) : 0;
    failed |= epoch_fails(q) ? FENCE_RULE(4) : 0;
    failed |= reach_fails(ctx->fsm, q) ? FENCE_RULE(5) : 0;
    failed |= fsm_task_revoked(ctx->fsm, q->task) ? FENCE_RULE(6) : 0;
    failed |= permission_fails(ctx, q) ? FENCE_RULE(7) : 0;
    failed |= time_fails(ctx, q) ? FENCE_RULE(8) : 0;
    return failed;
}

static uint64_t headline(uint32_t failed)
{
    static const uint8_t order[] = {4, 3, 5, 6, 1, 8, 7};

    for (size_t i = 0; i < sizeof order; i++) {
        if ((failed & FENCE_RULE(order[i])) != 0) {
            return order[i];
        }
    }
    UNREACHABLE("no rule failed");
}

enum op_outcome fsm_fence(struct fsm_context *ctx, const struct fence_question *q)
{
    uint32_t failed = failed_rules(ctx, q);
    struct op_details *details = ctx->details;

    if (failed == 0) {
        return OP_OK;
    }
    details->has_failed = true;
    details->failed = failed;
    details->has_headline = true;
    details->headline = headline(failed);
    details->has_task_epoch = true;
    details->task_epoch = q->task->record->epoch;
    details->has_session_epoch = true;
    details->session_epoch = q->target->head->created;
    details->has_task_attempt = true;
    details->task_attempt = q->task->record->attempt;
    if ((failed & FENCE_RULE(1)) != 0) {
        (void)fsm_refuse_closed(ctx, q->task->record); /* that it is closed says why */
    }
    if ((failed & FENCE_RULE(3)) != 0) {
        bool target_dead = !q->on_task && !fsm_alive(ctx, q->target);

        details->has_cause = true;
        details->cause = fsm_session_end_of(ctx, target_dead ? q->target : &q->task->own).cause;
    }
    return OP_FENCED;
}

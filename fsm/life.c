/* Life as a predicate (docs/MODEL.md section 2): who is alive, who ended, why and when. Never
 * writes, and answers the same whether the sweep has passed or not.
 *
 *  1. A deadline d has passed iff T >= d (T4); in a read with clock c, one in (T, c] leaves the
 *     answer undecided (T6).
 *  2. A session ends at the earliest of: its logout, the first watermark above C of a cover, its
 *     idle and absolute deadlines. A deadline comes before a revoke whose T has reached it, since T
 *     rises before the command is applied.
 *  3. So does a session whose parent ends: the earliest of its own end and those above it counts,
 *     its own on a tie. Above one that is not swept nothing is.
 */
#include "fsm/machine.h"

#include "base/sat.h"

bool fsm_deadline_passed(struct fsm_context *ctx, uint64_t deadline)
{
    if (deadline == OP_INFINITE) {
        return false;
    }
    if (deadline <= ctx->now) {
        return true;
    }
    if (deadline <= ctx->clock) {
        ctx->undecided = true;
    }
    return false;
}

/* The earliest watermark over the session: its position, with its T, or UINT64_MAX. */
static uint64_t revoked(const struct fsm *fsm, const struct session_head *head, uint64_t *ret_time)
{
    uint64_t position = UINT64_MAX;

    for (size_t kind = 0; kind < COVER_KINDS; kind++) {
        uint32_t slot = fsm_watermark_above(fsm, head->cover[kind], head->created);
        const struct watermark_record *watermark;

        if (slot == SLOT_NONE) {
            continue;
        }
        watermark = (const struct watermark_record *)table_read(fsm->tables[FSM_WATERMARKS], slot);
        if (watermark->position < position) {
            position = watermark->position;
            *ret_time = watermark->time;
        }
    }
    return position;
}

/* By what it says itself; of one that is not swept. */
static struct fsm_end own_end_of(struct fsm_context *ctx, const struct session_record *record)
{
    uint64_t revoke_time = 0;
    uint64_t deadline, revoke;

    if (fsm_session_status(record) == SESSION_ENDED) {
        return (struct fsm_end){true, fsm_session_cause(record), record->end_time,
                                record->end_position};
    }
    deadline = u64_min(record->idle_deadline, record->absolute_deadline);
    revoke = revoked(ctx->fsm, &record->head, &revoke_time);
    if (revoke != UINT64_MAX && revoke_time < deadline) {
        return (struct fsm_end){true, OP_END_CAUSE_REVOKED, revoke_time, revoke};
    }
    if (revoke != UINT64_MAX || fsm_deadline_passed(ctx, deadline)) {
        enum op_end_cause cause = record->absolute_deadline <= record->idle_deadline
                                      ? OP_END_CAUSE_ABSOLUTE_TIMEOUT
                                      : OP_END_CAUSE_IDLE_TIMEOUT;

        return (struct fsm_end){true, cause, deadline, 0};
    }
    return (struct fsm_end){false, OP_END_CAUSE_NONE, 0, 0};
}

/* Invariant 3: in the order of the log. */
static bool comes_before(const struct fsm_end *a, const struct fsm_end *b)
{
    if (a->position != 0 && b->position != 0) {
        return a->position < b->position;
    }
    return a->position == 0 && b->position != 0 ? a->time <= b->time : a->time < b->time;
}

/* What a revoke of a session covers, is all below it; so is what a reuse does to a lineage. */
static enum op_end_cause inherited(const struct session_record *above, const struct fsm_end *end)
{
    bool whole = end->cause == OP_END_CAUSE_REVOKED || end->cause == OP_END_CAUSE_COMPROMISED;

    return fsm_session_status(above) == SESSION_ENDED && whole ? end->cause
                                                               : OP_END_CAUSE_PARENT_ENDED;
}

struct fsm_end fsm_session_end_of(struct fsm_context *ctx, const struct fsm_session *session)
{
    bool undecided = ctx->undecided;
    struct fsm_session above;
    struct fsm_end end;

    if (session->record == NULL) {
        return (struct fsm_end){true, (enum op_end_cause)session->stone->cause,
                                session->stone->end_time, 0};
    }
    end = own_end_of(ctx, session->record);
    for (above = fsm_parent_of(ctx->fsm, session); above.record != NULL;
         above = fsm_parent_of(ctx->fsm, &above)) {
        struct fsm_end over = own_end_of(ctx, above.record);

        if (over.ended && (!end.ended || comes_before(&over, &end))) {
            over.cause = inherited(above.record, &over);
            end = over;
        }
    }
    if (end.ended) {
        ctx->undecided = undecided; /* no deadline to come was before that */
    }
    return end;
}

bool fsm_alive(struct fsm_context *ctx, const struct fsm_session *session)
{
    return !fsm_session_end_of(ctx, session).ended;
}

uint64_t fsm_forgotten_time(const struct fsm *fsm, const struct session_head *head,
                            uint64_t end_time)
{
    return u64_max(sat_add(end_time, fsm->limits.tombstone_us), head->tasks_until);
}

/* A task outlives none above it: their deadlines lie no earlier, so none is forgotten first. */
enum task_status fsm_task_status_of(const struct fsm *fsm, const struct task_record *task)
{
    enum task_status own = (enum task_status)task->status;
    enum task_status above = TASK_OPEN;

    if (own != TASK_OPEN && own != TASK_CLAIMED) {
        return own;
    }
    while (!id128_is_zero(task->parent) && (above == TASK_OPEN || above == TASK_CLAIMED)) {
        uint32_t slot = fsm_task_of(fsm, task->parent);

        if (slot == SLOT_NONE) {
            break;
        }
        task = table_read(fsm->tables[FSM_TASKS], slot);
        above = (enum task_status)task->status;
    }
    return above == TASK_FAILED || above == TASK_CANCELLED ? TASK_CANCELLED : own;
}

enum op_outcome fsm_refuse_closed(struct fsm_context *ctx, const struct task_record *task)
{
    enum task_status status = fsm_task_status_of(ctx->fsm, task);

    if (status == TASK_OPEN || status == TASK_CLAIMED) {
        return OP_OK;
    }
    ctx->details->has_status = true;
    ctx->details->status = status;
    return OP_CLOSED_TASK;
}

uint64_t fsm_task_forgotten_time(const struct fsm *fsm, const struct task_record *task)
{
    return sat_add(task->deadline, fsm->limits.tombstone_us);
}

enum op_outcome fsm_refuse_dead(struct fsm_context *ctx, const struct fsm_session *session)
{
    struct fsm_end end = fsm_session_end_of(ctx, session);

    if (!end.ended) {
        return OP_OK;
    }
    ctx->details->has_cause = true;
    ctx->details->cause = end.cause;
    if (end.cause == OP_END_CAUSE_IDLE_TIMEOUT || end.cause == OP_END_CAUSE_ABSOLUTE_TIMEOUT) {
        return OP_EXPIRED;
    }
    return OP_ENDED;
}

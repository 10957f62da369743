/* Listing the tasks of a user, or of one of its sessions, page by page, by B: each as it is, swept
 * or not. Shows no secret, and no result of a task.
 *
 * A page costs one search and then a step for each record that it looks at, FSM_PAGE_RECORDS at
 * most.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

struct place {
    const struct fsm *fsm;
    const struct id128 *session; /* NULL: of all */
    uint64_t after;
};

static const struct task_record *task_at(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_TASKS], slot);
}

void fsm_task_list(struct fsm *fsm, const struct fsm_session *own, uint32_t slot)
{
    sorted_add(fsm->sorted[SORTED_TASKS], own->head->cover[COVER_USER], slot);
    sorted_add(fsm->sorted[SORTED_OWN], own->head->cover[COVER_USER], slot);
}

void fsm_task_unlist(struct fsm *fsm, const struct fsm_session *own, uint32_t slot)
{
    sorted_remove(fsm->sorted[SORTED_TASKS], own->head->cover[COVER_USER], slot);
    sorted_remove(fsm->sorted[SORTED_OWN], own->head->cover[COVER_USER], slot);
}

static bool behind(const void *arg, uint32_t slot)
{
    const struct place *place = arg;
    const struct task_record *task = task_at(place->fsm, slot);
    int by_session = place->session == NULL ? 0 : id128_compare(task->session, *place->session);

    return by_session != 0 ? by_session > 0 : task->begun > place->after;
}

/* What it is, of the statuses that nobody writes down too (docs/MODEL.md section 2). */
static enum op_task_status status_of(struct fsm_context *ctx, const struct task_record *task,
                                     const struct fsm_session *own)
{
    enum task_status status = fsm_task_status_of(ctx->fsm, task);

    if (status != TASK_OPEN && status != TASK_CLAIMED) {
        return (enum op_task_status)status;
    }
    if (task->scope == OP_TASK_SCOPE_SESSION && !fsm_alive(ctx, own)) {
        return OP_TASK_STATUS_ORPHANED;
    }
    if (status == TASK_CLAIMED && fsm_deadline_passed(ctx, task->lease_deadline)) {
        return OP_TASK_STATUS_LOST;
    }
    return (enum op_task_status)status;
}

static bool is_closed(enum op_task_status status)
{
    return status == OP_TASK_STATUS_DONE || status == OP_TASK_STATUS_FAILED ||
           status == OP_TASK_STATUS_CANCELLED;
}

static void list_owner(struct fsm_context *ctx, const struct task_record *task,
                       struct op_item_listed_task *item)
{
    (void)fsm_deadline_passed(ctx, task->lease_deadline); /* what is left of it is shown */
    item->has_worker = item->has_lease = true;
    item->worker = names_text(ctx->fsm->names, task->owner);
    item->lease = sat_sub(task->lease_deadline, ctx->now);
}

static void list_task(struct fsm_context *ctx, const struct task_record *task,
                      struct op_item_listed_task *ret_item)
{
    struct fsm_session own = fsm_session_of(ctx->fsm, task->session);
    enum op_task_status status;

    ASSERT(own.head != NULL); /* a task pins its own session */
    status = status_of(ctx, task, &own);
    (void)fsm_deadline_passed(ctx, task->deadline);
    *ret_item = (struct op_item_listed_task){
        .has_task = true,
        .task = task->id,
        .has_session = true,
        .session = task->session,
        .has_parent = !id128_is_zero(task->parent),
        .parent = task->parent,
        .has_kind = true,
        .kind = names_text(ctx->fsm->names, task->kind),
        .has_scope = true,
        .scope = task->scope,
        .has_status = true,
        .status = status,
        .has_begun = true,
        .begun = task->begun,
        .has_epoch = true,
        .epoch = task->epoch,
        .has_attempt = task->attempt != 0,
        .attempt = task->attempt,
        .has_left = true,
        .left = sat_sub(task->deadline, ctx->now),
    };
    if (task->status == TASK_CLAIMED && !is_closed(status)) {
        list_owner(ctx, task, ret_item);
    }
}

static void list(struct fsm_context *ctx, uint32_t cover, const struct place *place, uint64_t max,
                 struct op_task_list_reply *reply)
{
    const struct sorted *tasks =
        ctx->fsm->sorted[place->session == NULL ? SORTED_TASKS : SORTED_OWN];
    uint32_t slot = sorted_first(tasks, cover, behind, place);

    for (uint32_t looked = 0; slot != SLOT_NONE; looked++) {
        const struct task_record *task = task_at(ctx->fsm, slot);

        if (place->session != NULL && !id128_equal(task->session, *place->session)) {
            break;
        }
        if (looked == FSM_PAGE_RECORDS || reply->tasks_count == max) {
            reply->has_next = true;
            break;
        }
        if (!fsm_deadline_passed(ctx, fsm_task_forgotten_time(ctx->fsm, task))) {
            list_task(ctx, task, &reply->tasks[reply->tasks_count++]);
        }
        reply->next = task->begun;
        slot = sorted_next(tasks, cover, slot);
    }
}

enum op_outcome fsm_do_task_list(struct fsm_context *ctx,
                                 const struct op_task_list_request *request,
                                 struct op_task_list_reply *reply)
{
    struct place place = {ctx->fsm, NULL, request->has_after ? request->after : 0};
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_task;
    uint32_t cover = fsm_cover_of(ctx->fsm, COVER_USER, ctx->tenant, request->user);
    struct fsm_session session;
    enum op_outcome outcome;

    if (max == 0 || max > OP_MAX_listed_task) {
        return fsm_refuse_field(ctx, "max");
    }
    if (request->has_token) {
        outcome = fsm_find_session(ctx, request->user, &request->token, &session);
        outcome = outcome == OP_OK ? fsm_refuse_dead(ctx, &session) : outcome;
        if (outcome != OP_OK) {
            return outcome;
        }
        place.session = &session.head->selector;
        reply->has_session = true;
        reply->session = *place.session;
    }
    reply->has_tasks = true;
    if (cover != SLOT_NONE) {
        list(ctx, cover, &place, max, reply);
    }
    return OP_OK;
}

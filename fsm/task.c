/* Beginning a task, by a session or by another task. Who owns it is claim.c's, what it may do is
 * fence.c's.
 *
 *  1. E = min(B, E of the parent, F of the own session); it is fixed here.
 *  2. A sub-task has its parent's own session, at most its deadline, and at most what the parent
 *     itself passes W7 for now.
 *  3. A task pins its own session's tombstone until it is forgotten.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

#define TASK_USER_PERMISSION "task:user"

/* What a task is begun with, once all that refuses has been asked. */
struct beginning {
    struct fsm_session own;
    struct fsm_task parent; /* no record: begun by a session */
    struct fsm_grants pairs;
    struct id128 targets[OP_MAX_target];
    uint32_t target_count;
    uint64_t deadline;
};

static enum op_outcome begin_check(struct fsm_context *ctx,
                                   const struct op_task_begin_request *request)
{
    if (request->has_token == request->has_fence) {
        return fsm_refuse_field(ctx, "token");
    }
    if (request->has_fence != request->has_operation) {
        return fsm_refuse_field(ctx, "operation");
    }
    if (request->kind.size == 0) {
        return fsm_refuse_field(ctx, "kind");
    }
    if (request->ttl < OP_SECOND || request->ttl > ctx->fsm->limits.task_ttl_max_us) {
        return fsm_refuse_field(ctx, "ttl");
    }
    for (uint32_t i = 0; i < request->permissions_count; i++) {
        if (!op_permission_valid(request->permissions[i].permission)) {
            return fsm_refuse_field(ctx, "permissions");
        }
    }
    return OP_OK;
}

static enum op_outcome permission_check(struct fsm_context *ctx, const struct fsm_grants *held,
                                        struct bytes permission)
{
    if (fsm_grants_find(held, names_find(ctx->fsm->names, permission)) == NULL) {
        return fsm_refuse_permission(ctx, permission);
    }
    return OP_OK;
}

/* Begun with a session's own secret. */
static enum op_outcome begin_by_session(struct fsm_context *ctx,
                                        const struct op_task_begin_request *request,
                                        struct beginning *begin, struct fsm_grants *held)
{
    enum op_outcome outcome = fsm_find_session(ctx, request->user, &request->token, &begin->own);

    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &begin->own);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    fsm_grants_held(ctx, &begin->own, held);
    return permission_check(ctx, held, bytes_of_text(ctx->row->needs));
}

/* Begun by a task: acts on that task, under its fence (W9, then W1 to W8). */
static enum op_outcome begin_by_task(struct fsm_context *ctx,
                                     const struct op_task_begin_request *request,
                                     struct beginning *begin, struct fsm_grants *held)
{
    struct fsm_task *parent = &begin->parent;
    struct fence_question question = {parent, &request->fence, &begin->own, true, ctx->row->needs};
    enum op_outcome outcome = fsm_find_fence(ctx, request->user, &request->fence, parent);

    if (outcome != OP_OK) {
        return outcome;
    }
    outcome = fsm_window_admit(ctx, parent, request->operation);
    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    begin->own = parent->own;
    outcome = fsm_fence(ctx, &question);
    if (outcome != OP_OK) {
        return outcome;
    }
    if (request->scope == OP_TASK_SCOPE_USER && parent->record->scope != OP_TASK_SCOPE_USER) {
        return fsm_refuse_field(ctx, "scope");
    }
    if (request->scope != OP_TASK_SCOPE_USER) {
        outcome = fsm_refuse_dead(ctx, &begin->own);
    }
    if (outcome == OP_OK && parent->record->depth >= ctx->fsm->limits.task_depth_max) {
        ctx->details->has_limit = true;
        ctx->details->limit = bytes_of_text("task_depth_max");
        outcome = OP_LIMIT;
    }
    if (outcome == OP_OK) {
        fsm_task_grants(ctx, parent, held);
        outcome = fsm_room(ctx, FSM_OPERATIONS, 1);
    }
    return outcome;
}

/* All that is held, or what was named of it. */
static enum op_outcome begin_pairs(struct fsm_context *ctx,
                                   const struct op_task_begin_request *request,
                                   const struct fsm_grants *held, struct fsm_grants *ret_pairs)
{
    *ret_pairs = *held;
    if (request->scope == OP_TASK_SCOPE_USER) {
        enum op_outcome outcome = permission_check(ctx, held, bytes_of_text(TASK_USER_PERMISSION));

        if (outcome != OP_OK) {
            return outcome;
        }
    }
    if (!request->has_permissions) {
        return OP_OK;
    }
    ret_pairs->count = 0;
    for (uint32_t i = 0; i < request->permissions_count; i++) {
        struct bytes permission = request->permissions[i].permission;
        enum op_outcome outcome = permission_check(ctx, held, permission);
        uint32_t name = names_find(ctx->fsm->names, permission);

        if (outcome != OP_OK) {
            return outcome;
        }
        if (fsm_grants_find(ret_pairs, name) == NULL) {
            ret_pairs->list[ret_pairs->count++] = *fsm_grants_find(held, name);
        }
    }
    return OP_OK;
}

static enum op_outcome begin_targets(struct fsm_context *ctx,
                                     const struct op_task_begin_request *request,
                                     struct beginning *begin)
{
    begin->target_count = 0;
    for (uint32_t i = 0; i < request->targets_count; i++) {
        struct fsm_session target;
        enum op_outcome outcome = fsm_find_session(ctx, request->user, &request->targets[i].token,
                                                   &target);

        if (outcome == OP_OK) {
            outcome = fsm_refuse_dead(ctx, &target);
        }
        if (outcome != OP_OK) {
            return outcome;
        }
        begin->targets[begin->target_count++] = target.head->selector;
    }
    return OP_OK;
}

static enum op_outcome begin_room(struct fsm_context *ctx,
                                  const struct op_task_begin_request *request,
                                  const struct beginning *begin)
{
    /* The own session's grants may have to move into a chain (grant.c, invariant 2). */
    uint32_t blocks = fsm_grants_blocks(begin->pairs.count) +
                      chain_blocks(begin->target_count * sizeof begin->targets[0]) +
                      fsm_pin_blocks(&begin->own);
    enum op_outcome outcome;

    if (begin->own.head->task_count >= ctx->fsm->limits.session_tasks_max) {
        return fsm_refuse_full(ctx, "session_tasks_max");
    }
    outcome = fsm_quota_task(ctx, begin->own.head);
    if (outcome == OP_OK) {
        outcome = fsm_room(ctx, FSM_TASKS, 1);
    }
    if (outcome == OP_OK) {
        outcome = fsm_pin_room(ctx, &begin->own);
    }
    if (outcome == OP_OK) {
        outcome = fsm_room(ctx, FSM_NAMES, fsm_name_missing(ctx->fsm, request->kind));
    }
    return outcome == OP_OK ? fsm_room(ctx, FSM_BLOCKS, blocks) : outcome;
}

static enum op_outcome begin_ask(struct fsm_context *ctx,
                                 const struct op_task_begin_request *request,
                                 struct beginning *begin)
{
    struct fsm_grants held;
    enum op_outcome outcome = begin_check(ctx, request);

    if (outcome == OP_OK) {
        outcome = request->has_fence ? begin_by_task(ctx, request, begin, &held)
                                     : begin_by_session(ctx, request, begin, &held);
    }
    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    outcome = begin_pairs(ctx, request, &held, &begin->pairs);
    if (outcome == OP_OK) {
        outcome = begin_targets(ctx, request, begin);
    }
    if (outcome == OP_OK) {
        outcome = begin_room(ctx, request, begin);
    }
    if (outcome == OP_OK && (id128_is_zero(ctx->command->minted_id) ||
                             fsm_task_of(ctx->fsm, ctx->command->minted_id) != SLOT_NONE)) {
        outcome = OP_MINT_AGAIN;
    }
    begin->deadline = sat_add(ctx->now, request->ttl);
    if (begin->parent.record != NULL) {
        begin->deadline = u64_min(begin->deadline, begin->parent.record->deadline);
    }
    return outcome;
}

static const struct task_record *begin_write(struct fsm_context *ctx,
                                             const struct op_task_begin_request *request,
                                             const struct beginning *begin)
{
    struct fsm *fsm = ctx->fsm;
    const struct task_record *parent = begin->parent.record;
    uint32_t slot = table_take(fsm->tables[FSM_TASKS]);
    struct task_record *task = table_write(fsm->tables[FSM_TASKS], slot);
    uint64_t floor = begin->own.head->fence_floor;

    task->id = ctx->command->minted_id;
    task->session = begin->own.head->selector;
    task->parent = parent == NULL ? ID128_ZERO : parent->id;
    task->begun = ctx->position;
    task->epoch = u64_min(u64_min(ctx->position, floor),
                          parent == NULL ? OP_INFINITE : parent->epoch);
    task->deadline = begin->deadline;
    task->kind = names_hold(fsm->names, request->kind);
    ASSERT(task->kind != SLOT_NONE);
    task->scope = request->scope;
    task->status = TASK_OPEN;
    task->depth = parent == NULL ? 1 : parent->depth + 1;
    task->pair_count = begin->pairs.count;
    task->pair_chain = fsm_grants_write(fsm, &begin->pairs);
    task->target_count = begin->target_count;
    task->target_chain = chain_write(
        fsm_blocks(fsm), bytes_of(begin->targets, begin->target_count * sizeof begin->targets[0]));
    fsm_task_pin(fsm, task->session, fsm_task_forgotten_time(fsm, task));
    fsm_schedule(fsm, FSM_TASKS, slot);
    index_insert(fsm->indexes[INDEX_TASK], fsm_hash_id(fsm, task->id), slot);
    fsm_task_list(fsm, &begin->own, slot);
    return task;
}

enum op_outcome fsm_do_task_begin(struct fsm_context *ctx,
                                  const struct op_task_begin_request *request,
                                  struct op_task_begin_reply *reply)
{
    struct beginning begin = {.parent = {.record = NULL}};
    enum op_outcome outcome = begin_ask(ctx, request, &begin);
    const struct task_record *task;

    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    task = begin_write(ctx, request, &begin);
    reply->has_task = true;
    reply->task = task->id;
    reply->has_session = true;
    reply->session = task->session;
    reply->has_begun = true;
    reply->begun = task->begun;
    reply->has_epoch = true;
    reply->epoch = task->epoch;
    reply->has_left = true;
    reply->left = sat_sub(task->deadline, ctx->now);
    return OP_OK;
}

/* Claiming a task, and handing one over: a new attempt with a new secret, owned for the length of a
 * lease. E stays.
 *
 *  1. A claim is refused where W3's second half, W6 or the task's deadline would refuse its writes.
 *  2. While the task is CLAIMED, only the attempt before, the same worker, or the end of the lease
 *     lets another claim through.
 *  3. A hand-over acts on the task by W1 to W8: who lost it has nothing to give.
 *  4. The last four verifiers are remembered, so that an old attempt learns W1 and a stranger
 * nothing.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

static bool same_worker(const struct fsm_context *ctx, const struct task_record *task)
{
    return task->owner == names_find(ctx->fsm->names, ctx->caller->name) &&
           !id128_is_zero(ctx->caller->instance) &&
           id128_equal(task->instance, ctx->caller->instance);
}

/* Invariant 2. */
static enum op_outcome free_check(struct fsm_context *ctx,
                                  const struct op_task_claim_request *request,
                                  const struct fsm_task *task)
{
    const struct task_record *record = task->record;

    enum op_outcome outcome = fsm_refuse_closed(ctx, record);

    if (outcome != OP_OK || record->status == TASK_OPEN) {
        return outcome;
    }
    if ((request->has_fence && task->newest && request->fence.attempt == record->attempt) ||
        same_worker(ctx, record) || fsm_deadline_passed(ctx, record->lease_deadline)) {
        return OP_OK;
    }
    ctx->details->has_lease = true;
    ctx->details->lease = sat_sub(record->lease_deadline, ctx->now);
    ctx->details->has_task_attempt = true;
    ctx->details->task_attempt = record->attempt;
    return OP_TAKEN;
}

static enum op_outcome claim_find(struct fsm_context *ctx,
                                  const struct op_task_claim_request *request,
                                  struct fsm_task *ret_task)
{
    if (!request->has_fence) {
        return fsm_find_task(ctx, request->user, request->task, ret_task);
    }
    if (!id128_equal(request->fence.id, request->task)) {
        return fsm_refuse_field(ctx, "fence");
    }
    return fsm_find_fence(ctx, request->user, &request->fence, ret_task);
}

static enum op_outcome attempt_check(struct fsm_context *ctx, uint64_t lease)
{
    const struct op_limits *limits = &ctx->fsm->limits;

    return lease < limits->lease_min_us || lease > limits->lease_max_us
               ? fsm_refuse_field(ctx, "lease")
               : OP_OK;
}

static enum op_outcome attempt_room(struct fsm_context *ctx, struct bytes owner)
{
    enum op_outcome outcome = fsm_room(ctx, FSM_NAMES, fsm_name_missing(ctx->fsm, owner));

    return outcome == OP_OK
               ? fsm_room(ctx, FSM_BLOCKS, chain_blocks((size_t)TASK_VERIFIERS_OLDER * 32))
               : outcome;
}

static enum op_outcome claim_ask(struct fsm_context *ctx,
                                 const struct op_task_claim_request *request,
                                 struct fsm_task *ret_task)
{
    struct fence_question question = {ret_task, NULL, &ret_task->own, true, ctx->row->needs};
    enum op_outcome outcome = attempt_check(ctx, request->lease);

    if (outcome == OP_OK) {
        outcome = claim_find(ctx, request, ret_task);
    }
    if (outcome == OP_OK) {
        outcome = fsm_fence(ctx, &question);
    }
    if (outcome == OP_OK) {
        outcome = free_check(ctx, request, ret_task);
    }
    return outcome == OP_OK ? attempt_room(ctx, ctx->caller->name) : outcome;
}

/* Invariant 4: the present verifier becomes the newest of the older ones. */
static void push_verifier(struct fsm *fsm, struct task_record *task)
{
    uint8_t older[1 + TASK_VERIFIERS_OLDER][32];
    uint32_t kept = task->older_count;

    if (task->owner == SLOT_NONE) {
        return; /* never claimed, or adopted and not claimed since */
    }
    memcpy(older[0], task->verifier, 32);
    chain_read(fsm_blocks(fsm), task->older_chain, older[1], (size_t)kept * 32);
    chain_free(fsm_blocks(fsm), task->older_chain);
    task->older_count = kept < TASK_VERIFIERS_OLDER ? kept + 1 : TASK_VERIFIERS_OLDER;
    task->older_chain = chain_write(fsm_blocks(fsm),
                                    bytes_of(older, (size_t)task->older_count * 32));
}

void fsm_task_disown(struct fsm *fsm, struct task_record *task)
{
    push_verifier(fsm, task);
    if (task->owner != SLOT_NONE) {
        names_release(fsm->names, task->owner);
    }
    task->owner = SLOT_NONE;
    task->instance = ID128_ZERO;
    memset(task->verifier, 0, sizeof task->verifier);
    task->status = TASK_OPEN;
}

/* A new attempt: whose it is, and for how long. */
struct attempt {
    struct bytes owner; /* the name in its certificate */
    struct id128 instance;
    uint64_t lease;
};

static const struct task_record *claim(struct fsm_context *ctx, uint32_t slot,
                                       const struct attempt *attempt)
{
    struct fsm *fsm = ctx->fsm;
    struct task_record *task = table_write(fsm->tables[FSM_TASKS], slot);
    uint32_t owner = names_hold(fsm->names, attempt->owner);

    ASSERT(owner != SLOT_NONE);
    push_verifier(fsm, task);
    if (task->owner != SLOT_NONE) {
        names_release(fsm->names, task->owner);
    }
    task->owner = owner;
    task->instance = attempt->instance;
    memcpy(task->verifier, ctx->command->minted_verifier, sizeof task->verifier);
    task->attempt = ctx->position;
    task->lease_deadline = sat_add(ctx->now, attempt->lease);
    task->status = TASK_CLAIMED;
    ctx->minted = task->id;
    return task;
}

static void claim_reply(const struct fsm_context *ctx, const struct task_record *task,
                        struct op_task_claim_reply *reply)
{
    reply->has_task = true;
    reply->task = task->id;
    reply->has_fence = true;
    reply->fence.incarnation = ctx->fsm->incarnation;
    reply->fence.id = task->id;
    reply->fence.epoch = task->epoch;
    reply->fence.attempt = task->attempt;
    reply->has_session = true;
    reply->session = task->session;
    reply->has_epoch = true;
    reply->epoch = task->epoch;
    reply->has_attempt = true;
    reply->attempt = task->attempt;
    reply->has_next = true;
    reply->next = sat_add(task->newest, 1);
    reply->has_lease = true;
    reply->lease = sat_sub(task->lease_deadline, ctx->now);
    reply->has_left = true;
    reply->left = sat_sub(task->deadline, ctx->now);
}

enum op_outcome fsm_do_task_claim(struct fsm_context *ctx,
                                  const struct op_task_claim_request *request,
                                  struct op_task_claim_reply *reply)
{
    struct attempt attempt = {ctx->caller->name, ctx->caller->instance, request->lease};
    struct fsm_task found;
    enum op_outcome outcome = claim_ask(ctx, request, &found);

    if (outcome == OP_OK) {
        claim_reply(ctx, claim(ctx, found.slot, &attempt), reply);
    }
    return outcome;
}

/* ---- handing over ---- */

static enum op_outcome hand_over_ask(struct fsm_context *ctx,
                                     const struct op_task_hand_over_request *request,
                                     struct fsm_task *ret_task)
{
    struct fence_question question = {ret_task, &request->fence, &ret_task->own, true,
                                      ctx->row->needs};
    enum op_outcome outcome = attempt_check(ctx, request->lease);

    if (outcome != OP_OK) {
        return outcome;
    }
    if (request->worker.size == 0) {
        return fsm_refuse_field(ctx, "worker");
    }
    if (!id128_equal(request->fence.id, request->task)) {
        return fsm_refuse_field(ctx, "fence");
    }
    outcome = fsm_find_fence(ctx, request->user, &request->fence, ret_task);
    if (outcome == OP_OK) {
        outcome = fsm_fence(ctx, &question);
    }
    return outcome == OP_OK ? attempt_room(ctx, request->worker) : outcome;
}

_Static_assert(sizeof(struct op_task_hand_over_reply) == sizeof(struct op_task_claim_reply),
               "one list of fields makes both");

enum op_outcome fsm_do_task_hand_over(struct fsm_context *ctx,
                                      const struct op_task_hand_over_request *request,
                                      struct op_task_hand_over_reply *reply)
{
    struct attempt attempt = {
        request->worker, request->has_instance ? request->instance : ID128_ZERO, request->lease};
    struct op_task_claim_reply claimed = {.has_task = false};
    struct fsm_task found;
    enum op_outcome outcome = hand_over_ask(ctx, request, &found);

    if (outcome == OP_OK) {
        claim_reply(ctx, claim(ctx, found.slot, &attempt), &claimed);
        memcpy(reply, &claimed, sizeof *reply);
    }
    return outcome;
}

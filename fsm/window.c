/* W9: the newest operation numbers of each task, with what they answered. Knows no other rule.
 *
 *  1. A task's records have numbers in (newest - 64, newest].
 *  2. Only a result of class DONE is kept: a refusal does not use its number up.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

struct operation_query {
    const struct fsm *fsm;
    uint32_t task;
    uint64_t number;
};

static const struct operation_record *operation_read(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_OPERATIONS], slot);
}

static bool match_operation(const void *arg, uint32_t slot)
{
    const struct operation_query *query = arg;
    const struct operation_record *record = operation_read(query->fsm, slot);

    return record->head.of == query->task && record->number == query->number;
}

static uint32_t operation_of(const struct fsm *fsm, uint32_t task, uint64_t number)
{
    struct operation_query query = {fsm, task, number};

    return index_find(fsm->indexes[INDEX_OPERATION], fsm_hash_pair(fsm, task, number),
                      match_operation, &query);
}

/* The first result. The command that asks is one of its own, under a number of its own: position, T
 * and term are its own too, else an answer would stand before what its caller had seen already. A
 * secret that the first made is not told again. */
static void tell_again(struct fsm_context *ctx, const struct result_head *result)
{
    struct fsm_reply own = ctx->answer;

    fsm_result_take(ctx, result);
    ctx->answer.position = own.position;
    ctx->answer.time = own.time;
    ctx->answer.term = own.term;
    ctx->answer.superseded = op_minted_token(ctx->row) != NULL;
}

enum op_outcome fsm_window_admit(struct fsm_context *ctx, const struct fsm_task *task,
                                 uint64_t number)
{
    uint64_t newest = task->record->newest;
    const struct operation_record *record;
    uint32_t slot;

    if (number == 0 || number > sat_add(newest, FSM_OPERATION_WINDOW)) {
        return fsm_refuse_field(ctx, "operation");
    }
    if (sat_add(number, FSM_OPERATION_WINDOW) <= newest) {
        return OP_FORGOTTEN;
    }
    slot = operation_of(ctx->fsm, task->slot, number);
    if (slot != SLOT_NONE) {
        record = operation_read(ctx->fsm, slot);
        if (memcmp(record->digest, ctx->command->operation_digest, sizeof record->digest) != 0) {
            return OP_OP_MISMATCH;
        }
        tell_again(ctx, &record->head);
        return ctx->answer.outcome;
    }
    ctx->operation_task = task->slot;
    ctx->operation_number = number;
    return OP_OK;
}

static void operations_free(struct fsm *fsm, uint32_t task, uint64_t from, uint64_t to)
{
    for (uint64_t number = from; number <= to; number++) {
        uint32_t slot = operation_of(fsm, task, number);

        if (slot != SLOT_NONE) {
            chain_free(fsm_blocks(fsm), operation_read(fsm, slot)->head.body_chain);
            index_remove(fsm->indexes[INDEX_OPERATION], fsm_hash_pair(fsm, task, number), slot);
            table_free(fsm->tables[FSM_OPERATIONS], slot);
        }
    }
}

void fsm_window_record(struct fsm_context *ctx)
{
    struct fsm *fsm = ctx->fsm;
    struct task_record *task = table_write(fsm->tables[FSM_TASKS], ctx->operation_task);
    uint64_t newest = u64_max(task->newest, ctx->operation_number);
    struct operation_record *record;
    uint32_t slot;

    operations_free(fsm, ctx->operation_task, sat_sub(task->newest, FSM_OPERATION_WINDOW - 1),
                    u64_min(task->newest, sat_sub(newest, FSM_OPERATION_WINDOW)));
    task->newest = newest;
    slot = table_take(fsm->tables[FSM_OPERATIONS]);
    ASSERT(slot != SLOT_NONE);
    record = table_write(fsm->tables[FSM_OPERATIONS], slot);
    fsm_result_keep(ctx, &record->head, ctx->operation_task);
    record->number = ctx->operation_number;
    record->attempt = task->attempt;
    memcpy(record->digest, ctx->command->operation_digest, sizeof record->digest);
    index_insert(fsm->indexes[INDEX_OPERATION],
                 fsm_hash_pair(fsm, ctx->operation_task, record->number), slot);
}

void fsm_window_free(struct fsm *fsm, uint32_t slot)
{
    const struct task_record *task = table_read(fsm->tables[FSM_TASKS], slot);

    operations_free(fsm, slot, sat_sub(task->newest, FSM_OPERATION_WINDOW - 1), task->newest);
}

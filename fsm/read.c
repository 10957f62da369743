/* Answering a read from the applied state, under T6. Changes nothing that is replicated; that the
 * leader may answer at all is the node's to know. */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

static struct fsm_context begin(struct fsm *fsm, const struct fsm_read *read)
{
    return (struct fsm_context){
        .fsm = fsm,
        .caller = &read->caller,
        .row = op_row_of_number(read->number),
        .position = fsm_position(fsm),
        .now = fsm_time(fsm),
        .clock = u64_max(read->clock, fsm_time(fsm)),
        .tenant = fsm_tenant_of(fsm, read->caller.tenant),
        .details = &fsm->details,
    };
}

/* ANSWERED: `ret_outcome`, with the reply or the details in the machine. */
static enum fsm_read_verdict ask(struct fsm_context *ctx, const struct fsm_read *read,
                                 enum op_outcome *ret_outcome)
{
    struct fsm *fsm = ctx->fsm;

    ASSERT(ctx->row != NULL && ctx->row->access != OP_WRITE);
    ASSERT((ctx->row->access == OP_EITHER) == (read->command != NULL));
    if (read->command != NULL && !fsm_dedupe_fresh(fsm, read->command)) {
        return FSM_READ_COMMAND;
    }
    memset(&fsm->reply, 0, ctx->row->reply->size);
    memset(&fsm->details, 0, sizeof fsm->details);
    *ret_outcome = fsm_dispatch(ctx, read->request, &fsm->reply);
    if (ctx->undecided) {
        return FSM_READ_WAIT;
    }
    return ctx->writes ? FSM_READ_COMMAND : FSM_READ_ANSWERED;
}

enum fsm_read_verdict fsm_read(struct fsm *fsm, const struct fsm_read *read, void *buffer,
                               size_t capacity, struct fsm_reply *ret_reply)
{
    struct fsm_context ctx = begin(fsm, read);
    enum op_outcome outcome = OP_OK;
    enum fsm_read_verdict verdict = ask(&ctx, read, &outcome);
    struct base_writer writer;

    ASSERT(capacity >= FSM_REPLY_MAX);
    if (verdict != FSM_READ_ANSWERED) {
        return verdict;
    }
    fsm->counters.replies++;
    base_writer_init(&writer, buffer, capacity);
    if (op_outcome_class(outcome) == OP_CLASS_DONE) {
        op_store(&writer, ctx.row->reply, &fsm->reply, OP_STORE_ALL);
    } else {
        op_store(&writer, &op_details_struct, &fsm->details, OP_STORE_ALL);
    }
    ASSERT(!writer.failed);
    *ret_reply = (struct fsm_reply){.position = ctx.position,
                                    .time = ctx.now,
                                    .term = fsm_term(fsm),
                                    .outcome = outcome,
                                    .body = base_written(&writer)};
    return FSM_READ_ANSWERED;
}

bool fsm_read_writes(struct fsm *fsm, const struct fsm_read *read)
{
    struct fsm_context ctx = begin(fsm, read);
    enum op_outcome outcome;

    return ask(&ctx, read, &outcome) == FSM_READ_COMMAND;
}

bool fsm_minted_before(struct fsm *fsm, const struct op_caller *caller, uint64_t client,
                       uint64_t request, struct id128 *ret_id)
{
    uint32_t client_slot = fsm_client_of(fsm, fsm_time(fsm), caller, client);
    const struct request_record *record;
    uint32_t slot;

    if (client_slot == SLOT_NONE) {
        return false;
    }
    slot = fsm_request_of(fsm, client_slot, request);
    if (slot == SLOT_NONE) {
        return false;
    }
    record = table_read(fsm->tables[FSM_REQUESTS], slot);
    if (record->mints == 0) {
        return false;
    }
    *ret_id = record->object;
    return true;
}

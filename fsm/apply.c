/* Applying an entry: stamp, then each command by dedupe, dispatch, reply, record. The meaning of a
 * command is its handler's.
 *
 *  1. An entry is understood whole before its first command is applied.
 *  2. T rises before the first command and stands still within the entry.
 *  3. Every command takes one position, whatever becomes of it.
 *  4. A result is remembered after its reply is built, and never refused any more.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"
#include "op/denials.h"

#include <string.h>

static bool body_read(struct fsm *fsm, const struct op_row *row, struct bytes body)
{
    struct base_reader reader;

    base_reader_init(&reader, body);
    return op_load(&reader, row->request, &fsm->request) && base_reader_finished(&reader);
}

static bool is_ours(uint32_t number)
{
    return number == OP_COMMAND_TICK || number == OP_COMMAND_TERM_START ||
           number == OP_COMMAND_REUSE || number == OP_COMMAND_LEVEL;
}

static bool understood(struct fsm *fsm, struct bytes entry)
{
    struct op_entry_head head;
    struct base_reader reader;

    base_reader_init(&reader, entry);
    if (!op_entry_read(&reader, &head) || head.count == 0) { /* each entry moves the position */
        return false;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        struct op_command command;
        const struct op_row *row;

        if (!op_command_read(&reader, &command)) {
            return false;
        }
        if (command.number == OP_COMMAND_DENIALS) {
            struct op_denials denials;

            if (!op_denials_read(command.body, &denials)) {
                return false;
            }
            continue;
        }
        if (command.number == OP_COMMAND_LEVEL && command.level > fsm->level_max) {
            return false;
        }
        if (is_ours(command.number)) {
            continue;
        }
        row = op_row_of_number(command.number);
        if (row == NULL || row->access == OP_READ || !body_read(fsm, row, command.body)) {
            return false;
        }
    }
    return base_reader_finished(&reader);
}

static struct fsm_context begin(struct fsm *fsm, const struct op_command *command)
{
    struct meta_record *meta = table_write(fsm->tables[FSM_META], 1);
    struct fsm_context ctx = {
        .fsm = fsm,
        .caller = &command->caller,
        .command = command,
        .position = ++meta->position,
        .now = meta->time,
        .clock = meta->time,
        .details = &fsm->details,
    };

    if (command->number == OP_COMMAND_TERM_START) {
        meta->term = command->term;
    }
    ctx.answer.position = meta->position;
    ctx.answer.time = meta->time;
    ctx.answer.term = meta->term;
    return ctx;
}

/* Its handler, and what there is to tell of it. */
static enum op_outcome carry_out(struct fsm_context *ctx)
{
    struct fsm *fsm = ctx->fsm;
    enum op_outcome outcome = fsm_dispatch(ctx, &fsm->request, &fsm->reply);

    if (outcome == OP_OK && !ctx->first) {
        fsm_event_command(ctx, &fsm->request, &fsm->reply);
    }
    return outcome;
}

/* Builds the reply of what was not answered by an earlier result. */
static void finish(struct fsm_context *ctx, enum op_outcome outcome)
{
    struct fsm *fsm = ctx->fsm;
    struct base_writer writer;

    fsm->counters.replies++;
    if (ctx->first) {
        return;
    }
    base_writer_init(&writer, fsm->body, sizeof fsm->body);
    if (op_outcome_class(outcome) == OP_CLASS_DONE) {
        op_store(&writer, ctx->row->reply, &fsm->reply, OP_STORE_ALL);
    } else {
        op_store(&writer, &op_details_struct, &fsm->details, OP_STORE_ALL);
    }
    ASSERT(!writer.failed);
    ctx->answer.outcome = outcome;
    ctx->answer.minted = !id128_is_zero(ctx->minted);
    ctx->answer.body = base_written(&writer);
    if (outcome == OP_OK && ctx->operation_task != SLOT_NONE) {
        fsm_window_record(ctx);
    }
}

static void apply_client_command(struct fsm_context *ctx)
{
    struct fsm *fsm = ctx->fsm;
    const struct op_command *command = ctx->command;
    enum op_outcome outcome;
    bool loaded;

    ctx->row = op_row_of_number(command->number);
    loaded = body_read(fsm, ctx->row, command->body);
    ASSERT(loaded); /* `understood` has read it before */
    memset(&fsm->reply, 0, ctx->row->reply->size);
    memset(&fsm->details, 0, sizeof fsm->details);
    ctx->tenant = fsm_tenant_of(fsm, command->caller.tenant);
    if (ctx->row->idempotency == OP_FREE) {
        finish(ctx, carry_out(ctx));
    } else if (fsm_dedupe_answer(ctx, &outcome)) {
        finish(ctx, outcome);
    } else {
        finish(ctx, carry_out(ctx));
        fsm_dedupe_record(ctx);
    }
}

/* It never goes down, whatever an older leader had proposed. */
static void raise_level(const struct fsm_context *ctx)
{
    struct meta_record *meta = table_write(ctx->fsm->tables[FSM_META], 1);

    meta->level = u64_max(meta->level, ctx->command->level);
}

static void apply_command(struct fsm_context *ctx)
{
    if (ctx->command->number == OP_COMMAND_TICK) {
        fsm_sweep(ctx);
    } else if (ctx->command->number == OP_COMMAND_REUSE) {
        fsm_reuse(ctx);
        fsm_event_reuse(ctx);
    } else if (ctx->command->number == OP_COMMAND_DENIALS) {
        fsm_denials(ctx);
    } else if (ctx->command->number == OP_COMMAND_LEVEL) {
        raise_level(ctx);
    } else if (ctx->command->number != OP_COMMAND_TERM_START) {
        apply_client_command(ctx);
    }
}

bool fsm_apply(struct fsm *fsm, struct bytes entry, fsm_reply_cb reply, void *arg)
{
    struct op_entry_head head;
    struct base_reader reader;
    struct meta_record *meta;

    if (!understood(fsm, entry)) {
        return false;
    }
    base_reader_init(&reader, entry);
    (void)op_entry_read(&reader, &head);
    meta = table_write(fsm->tables[FSM_META], 1);
    meta->time = u64_max(meta->time, head.stamp);
    for (uint32_t i = 0; i < head.count; i++) {
        struct op_command command;
        struct fsm_context ctx;

        (void)op_command_read(&reader, &command);
        ctx = begin(fsm, &command);
        apply_command(&ctx);
        store_settle(fsm->store);
        if (reply != NULL) {
            reply(arg, i, &ctx.answer);
        }
    }
    store_settle(fsm->store);
    return true;
}

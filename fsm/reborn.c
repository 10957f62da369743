/* A machine that was filled from a backup begins a new incarnation (docs/MODEL.md section 6). What
 * the image held is read elsewhere; who may restore, and from which file, is not decided here.
 *
 *  1. Everything is revoked, by one watermark over all tenants at the first position of the new
 *     incarnation: sessions, and by W6 every task.
 *  2. What is dead is swept to its end: tasks, tombstones, clients and their records go too. What
 *     is left has no deadline, so that the cluster is at its birth as far as time goes.
 *  3. Watermarks go into the auth floors, as they always do: a login of before opens nothing.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

/* What the next piece of work is done by: a command that nobody sent. */
static struct fsm_context context_of(struct fsm *fsm, struct op_command *command, uint64_t now)
{
    struct meta_record *meta = table_write(fsm->tables[FSM_META], 1);

    *command = (struct op_command){.number = OP_COMMAND_TICK};
    return (struct fsm_context){.fsm = fsm,
                                .caller = &command->caller,
                                .command = command,
                                .position = ++meta->position,
                                .now = now,
                                .clock = now,
                                .tenant = SLOT_NONE,
                                .client = SLOT_NONE,
                                .operation_task = SLOT_NONE,
                                .details = &fsm->details};
}

static void revoke_all(struct fsm *fsm, uint64_t now)
{
    struct op_command command;
    struct fsm_context ctx = context_of(fsm, &command, now);
    const struct fsm_event event = {.kind = OP_EVENT_KIND_ALL_REVOKED};
    const struct table *tenants = fsm->tables[FSM_TENANTS];

    fsm_watermark_add(fsm, fsm_cover_hold(fsm, COVER_ALL, SLOT_NONE, BYTES_NONE), ctx.position,
                      ctx.now);
    for (uint32_t slot = table_next(tenants, SLOT_NONE); slot != SLOT_NONE;
         slot = table_next(tenants, slot)) {
        fsm_event_add(&ctx, slot, &event);
    }
    store_settle(fsm->store);
}

static void sweep(struct fsm *fsm, uint64_t now)
{
    struct op_command command;
    struct fsm_context ctx = context_of(fsm, &command, now);

    fsm_sweep(&ctx);
    store_settle(fsm->store);
}

const char *fsm_reborn(struct fsm *fsm, const struct fsm_rebirth *rebirth)
{
    struct meta_record *meta;

    if (rebirth->time < fsm_time(fsm)) {
        return "the time of the restore lies before the cluster time of the image";
    }
    if (rebirth->position < sat_add(fsm_position(fsm), FSM_REBORN_STEP)) {
        return "the first position of the restore lies too close to those of the image";
    }
    if (id128_equal(rebirth->incarnation, fsm->incarnation)) {
        return "the restore has the incarnation of the image";
    }
    if (table_count(fsm->tables[FSM_WATERMARKS]) >= table_capacity(fsm->tables[FSM_WATERMARKS])) {
        return "the image has no room for one more watermark";
    }
    meta = table_write(fsm->tables[FSM_META], 1);
    meta->incarnation = rebirth->incarnation;
    meta->time = rebirth->time;
    meta->position = rebirth->position - 1;
    meta->term = 0;
    fsm->incarnation = rebirth->incarnation;
    store_settle(fsm->store);
    revoke_all(fsm, rebirth->time);
    while (fsm_sweep_due(fsm)) {
        sweep(fsm, rebirth->time);
    }
    while (fsm_next_deadline(fsm) != OP_INFINITE) {
        sweep(fsm, OP_INFINITE - 1);
    }
    return NULL;
}

/* The heaps that tell the sweep what to do next: each entry follows from one record alone, so that
 * all of them can be made anew after a restore. Sweeps nothing itself. */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

static void schedule_session(struct fsm *fsm, uint32_t slot)
{
    const struct session_record *session = table_read(fsm->tables[FSM_SESSIONS], slot);
    bool live = fsm_session_status(session) == SESSION_LIVE;

    deadlines_set(fsm->heaps[HEAP_SESSION], slot,
                  live ? u64_min(session->idle_deadline, session->absolute_deadline) : OP_INFINITE);
    deadlines_set(fsm->heaps[HEAP_ENDED], slot, live ? OP_INFINITE : session->end_position);
}

static void schedule_cover(struct fsm *fsm, uint32_t slot)
{
    const struct cover_record *cover = table_read(fsm->tables[FSM_COVERS], slot);
    uint64_t position = OP_INFINITE;

    if (cover->session_first != SLOT_NONE) {
        const struct session_record *oldest = table_read(fsm->tables[FSM_SESSIONS],
                                                         cover->session_first);
        uint32_t above = fsm_watermark_above(fsm, slot, oldest->head.created);

        if (above != SLOT_NONE) {
            const struct watermark_record *watermark = table_read(fsm->tables[FSM_WATERMARKS],
                                                                  above);

            position = watermark->position;
        }
    }
    deadlines_set(fsm->heaps[HEAP_REVOKED], slot, position);
}

static void schedule_watermark(struct fsm *fsm, uint32_t slot)
{
    const struct watermark_record *watermark = table_read(fsm->tables[FSM_WATERMARKS], slot);

    deadlines_set(fsm->heaps[HEAP_WATERMARK], slot,
                  watermark->below > 0 ? OP_INFINITE
                                       : sat_add(watermark->time, fsm->limits.watermark_us));
}

static void schedule_tombstone(struct fsm *fsm, uint32_t slot)
{
    const struct tombstone_record *stone = table_read(fsm->tables[FSM_TOMBSTONES], slot);

    deadlines_set(fsm->heaps[HEAP_TOMBSTONE], slot,
                  stone->head.pins > 0 ? OP_INFINITE
                                       : fsm_forgotten_time(fsm, &stone->head, stone->end_time));
}

static void schedule_tenant(struct fsm *fsm, uint32_t slot)
{
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], slot);

    deadlines_set(fsm->heaps[HEAP_CROWDED], slot, OP_INFINITE - tenant->stone_count);
    deadlines_set(fsm->heaps[HEAP_EVENTFUL], slot, OP_INFINITE - tenant->event_count);
}

void fsm_schedule(struct fsm *fsm, enum fsm_table table, uint32_t slot)
{
    switch (table) {
    case FSM_TENANTS:
        schedule_tenant(fsm, slot);
        return;
    case FSM_SESSIONS:
        schedule_session(fsm, slot);
        return;
    case FSM_COVERS:
        schedule_cover(fsm, slot);
        return;
    case FSM_WATERMARKS:
        schedule_watermark(fsm, slot);
        return;
    case FSM_TOMBSTONES:
        schedule_tombstone(fsm, slot);
        return;
    case FSM_TASKS:
        deadlines_set(fsm->heaps[HEAP_TASK], slot,
                      fsm_task_forgotten_time(fsm, table_read(fsm->tables[table], slot)));
        return;
    case FSM_CLIENTS: {
        const struct client_record *client = table_read(fsm->tables[table], slot);

        deadlines_set(fsm->heaps[HEAP_CLIENT], slot,
                      sat_add(client->heard, fsm->limits.client_silence_us));
        return;
    }
    case FSM_DENIALS: {
        const struct denial_record *denial = table_read(fsm->tables[table], slot);

        deadlines_set(fsm->heaps[HEAP_DENIAL], slot,
                      sat_add(denial->recent[0], fsm->limits.denial_window_us));
        return;
    }
    case FSM_META:
    case FSM_NAMES:
    case FSM_BLOCKS:
    case FSM_KEYS:
    case FSM_REQUESTS:
    case FSM_OPERATIONS:
    case FSM_CERTIFICATES:
    case FSM_EVENTS:
    case FSM_TABLES:
        break;
    }
    UNREACHABLE("this table has no heap");
}

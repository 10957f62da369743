/* The sweep: writes down what already holds and frees what is dead. No answer but SWEEPING depends
 * on it (docs/MODEL.md section 2).
 *
 * Order: sessions below a watermark (by the watermark's position, then C), ended sessions (by
 * position of their end), then what has reached a deadline (by deadline, then kind, then id).
 *
 *  1. One tick does at most FSM_SWEEP_UNITS units: each record and each block counts one.
 *     What it has to tell of a session and its tasks counts too, up to a whole tick.
 *  2. A dead session is swept in pieces: keys first, the session itself last, so that it can be
 * taken up again where the units ran out.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

struct sweep {
    struct fsm_context *ctx;
    struct fsm *fsm;
    uint32_t left; /* units */
};

/* False: not within this tick. A single record never costs more than a whole tick. */
static bool spend(struct sweep *sweep, uint32_t units)
{
    ASSERT(units <= FSM_SWEEP_UNITS);
    if (units > sweep->left) {
        sweep->left = 0;
        return false;
    }
    sweep->left -= units;
    return true;
}

/* ---- sessions ---- */

static bool sweep_key(struct sweep *sweep, uint32_t session_slot, uint32_t slot)
{
    struct fsm *fsm = sweep->fsm;
    const struct key_record *record = table_read(fsm->tables[FSM_KEYS], slot);
    uint8_t key[FSM_KEY_MAX];
    struct session_record *session;

    if (!spend(sweep, 1 + chain_blocks(record->key_size) + chain_blocks(record->value_size))) {
        return false;
    }
    index_remove(fsm->indexes[INDEX_KEY],
                 fsm_hash_key(fsm, session_slot, fsm_key_text(fsm, record, key)), slot);
    chain_free(fsm_blocks(fsm), record->key_chain);
    chain_free(fsm_blocks(fsm), record->value_chain);
    session = table_write(fsm->tables[FSM_SESSIONS], session_slot);
    session->key_first = record->next;
    session->key_count--;
    table_free(fsm->tables[FSM_KEYS], slot);
    return true;
}

/* What its tasks keep: the grants without deadline. Frees the session's own list first. */
static uint32_t keep_grants(struct fsm *fsm, const struct fsm_session *session, uint32_t *ret_count)
{
    struct fsm_grants all;
    struct fsm_grants kept = {.count = 0};
    struct fsm_grants none = {.count = 0};
    uint32_t chain;

    fsm_session_grants(fsm, session, &all);
    for (uint32_t i = 0; i < all.count; i++) {
        if (session->head->pins > 0 && all.list[i].deadline == OP_INFINITE) {
            kept.list[kept.count++] = all.list[i];
        }
    }
    *ret_count = kept.count;
    for (uint32_t i = 0; i < kept.count; i++) { /* so that no name goes in between */
        (void)names_hold(fsm->names, names_text(fsm->names, kept.list[i].permission));
    }
    fsm_session_grants_set(fsm, session->slot, &none);
    chain = fsm_grants_write(fsm, &kept);
    for (uint32_t i = 0; i < kept.count; i++) {
        names_release(fsm->names, kept.list[i].permission);
    }
    return chain;
}

static void tell_ended(const struct sweep *sweep, const struct session_record *session,
                       const struct fsm_end *end)
{
    const struct fsm *fsm = sweep->fsm;
    struct fsm_ended ended = {
        .cause = end->cause,
        .lifetime_us = sat_sub(end->time, session->head.created_time),
        .late_us = sat_sub(sweep->ctx->now, end->time),
        .bytes = sizeof *session + session->metadata_size + session->state_bytes,
    };

    if (fsm->on_ended != NULL) {
        fsm->on_ended(fsm->on_ended_arg, &ended);
    }
}

static void session_to_tombstone(struct sweep *sweep, uint32_t slot)
{
    struct fsm *fsm = sweep->fsm;
    struct session_record *record = table_write(fsm->tables[FSM_SESSIONS], slot);
    struct fsm_session session = {&record->head, record, NULL, slot};
    struct fsm_end end = fsm_session_end_of(sweep->ctx, &session);
    bool forgotten = fsm_deadline_passed(sweep->ctx,
                                         fsm_forgotten_time(fsm, &record->head, end.time)) &&
                     record->head.pins == 0;
    uint32_t kept_count = 0;
    uint32_t kept = keep_grants(fsm, &session, &kept_count);

    ASSERT(end.ended);
    tell_ended(sweep, record, &end);
    fsm_event_swept(sweep->ctx, &session, &end);
    fsm_state_gone(fsm, slot);
    ASSERT(record->child_first == SLOT_NONE);
    fsm_child_unlink(fsm, slot);
    fsm_covers_unlink(fsm, slot);
    sorted_remove(fsm->sorted[SORTED_SESSIONS], record->head.cover[COVER_USER], slot);
    if (forgotten) {
        fsm_covers_leave(fsm, &record->head);
    } else {
        fsm_tombstone_make(fsm, record, end, kept, kept_count);
    }
    if (forgotten || record->head.pins == 0) {
        chain_free(fsm_blocks(fsm), record->filter_chain);
    }
    chain_free(fsm_blocks(fsm), record->binding_chain);
    chain_free(fsm_blocks(fsm), record->metadata_chain);
    chain_free(fsm_blocks(fsm), record->older_chain);
    if (record->policy != SLOT_NONE) {
        names_release(fsm->names, record->policy);
    }
    deadlines_remove(fsm->heaps[HEAP_SESSION], slot);
    deadlines_remove(fsm->heaps[HEAP_ENDED], slot);
    index_remove(fsm->indexes[INDEX_SESSION], fsm_hash_id(fsm, record->head.selector), slot);
    table_free(fsm->tables[FSM_SESSIONS], slot);
}

/* What stands for a dead session: first one below it, which is dead too. */
static uint32_t lowest(const struct fsm *fsm, uint32_t slot)
{
    const struct session_record *session = table_read(fsm->tables[FSM_SESSIONS], slot);

    while (session->child_first != SLOT_NONE) {
        slot = session->child_first;
        session = table_read(fsm->tables[FSM_SESSIONS], slot);
    }
    return slot;
}

static void sweep_session(struct sweep *sweep, uint32_t dead)
{
    uint32_t slot = lowest(sweep->fsm, dead);
    const struct session_record *session = table_read(sweep->fsm->tables[FSM_SESSIONS], slot);
    uint32_t units;

    sorted_drop(sweep->fsm->sorted[SORTED_KEYS], slot); /* nobody lists a dead session's keys */
    while (session->key_first != SLOT_NONE) {
        if (!sweep_key(sweep, slot, session->key_first)) {
            return;
        }
        store_settle(sweep->fsm->store);
    }
    units = 2 + chain_blocks(session->metadata_size) + fsm_older_blocks(session) +
            chain_blocks(session->filter_size) + chain_blocks(session->binding_size) +
            2 * fsm_grants_blocks(session->grant_count) + fsm_event_units(session);
    if (spend(sweep, units < FSM_SWEEP_UNITS ? units : FSM_SWEEP_UNITS)) {
        session_to_tombstone(sweep, slot);
    }
}

/* ---- what else reaches a deadline ---- */

static void sweep_task(struct sweep *sweep, uint32_t slot)
{
    struct fsm *fsm = sweep->fsm;
    const struct task_record *task = table_read(fsm->tables[FSM_TASKS], slot);
    uint32_t operations = (uint32_t)u64_min(task->newest, FSM_OPERATION_WINDOW);
    struct fsm_session own = fsm_session_of(fsm, task->session);

    if (!spend(sweep, 1 + operations * (1 + FSM_RESULT_BLOCKS) +
                          fsm_grants_blocks(task->pair_count) +
                          chain_blocks(task->target_count * sizeof(struct id128)) +
                          chain_blocks(task->lineage_count * sizeof(struct id128)) +
                          chain_blocks((size_t)task->older_count * sizeof(task->verifier)) +
                          chain_blocks(task->result_size) + fsm_unpin_blocks(fsm, &own))) {
        return;
    }
    fsm_task_unlist(fsm, &own, slot);
    fsm_lineages_free(fsm, task);
    fsm_task_unpin(fsm, task->session);
    fsm_window_free(fsm, slot);
    chain_free(fsm_blocks(fsm), task->older_chain);
    chain_free(fsm_blocks(fsm), task->target_chain);
    chain_free(fsm_blocks(fsm), task->result_chain);
    fsm_grants_free(fsm, task->pair_chain, task->pair_count);
    names_release(fsm->names, task->kind);
    if (task->owner != SLOT_NONE) {
        names_release(fsm->names, task->owner);
    }
    deadlines_remove(fsm->heaps[HEAP_TASK], slot);
    index_remove(fsm->indexes[INDEX_TASK], fsm_hash_id(fsm, task->id), slot);
    table_free(fsm->tables[FSM_TASKS], slot);
}

static void sweep_client(struct sweep *sweep, uint32_t slot)
{
    const struct client_record *client = table_read(sweep->fsm->tables[FSM_CLIENTS], slot);

    if (spend(sweep, 1 + client->remembered * (1 + FSM_RESULT_BLOCKS))) {
        fsm_client_drop(sweep->fsm, slot);
    }
}

static void sweep_due(struct sweep *sweep, enum fsm_heap heap, uint32_t slot)
{
    struct fsm *fsm = sweep->fsm;

    switch (heap) {
    case HEAP_SESSION:
        sweep_session(sweep, slot);
        return;
    case HEAP_TASK:
        sweep_task(sweep, slot);
        return;
    case HEAP_TOMBSTONE:
        if (spend(sweep, 1)) {
            fsm_tombstone_free(fsm, slot);
        }
        return;
    case HEAP_CLIENT:
        sweep_client(sweep, slot);
        return;
    case HEAP_WATERMARK:
        if (spend(sweep, 1)) {
            fsm_watermark_drop(fsm, slot);
        }
        return;
    case HEAP_DENIAL:
        if (spend(sweep, 1)) {
            fsm_denial_free(fsm, slot);
        }
        return;
    case HEAP_REVOKED:
    case HEAP_ENDED:
    case HEAP_CROWDED:
    case HEAP_EVENTFUL:
    case FSM_HEAPS:
        break;
    }
    UNREACHABLE("not a heap of deadlines");
}

/* ---- order ---- */

/* The heap of deadlines whose earliest is the earliest of all. */
static uint64_t earliest(const struct fsm *fsm, enum fsm_heap *ret_heap, uint32_t *ret_slot)
{
    uint64_t best = OP_INFINITE;

    for (enum fsm_heap heap = HEAP_SESSION; heap < FSM_HEAPS; heap++) {
        uint32_t slot = SLOT_NONE;
        uint64_t deadline = deadlines_earliest(fsm->heaps[heap], &slot);

        if (slot != SLOT_NONE && deadline < best) {
            best = deadline;
            *ret_heap = heap;
            *ret_slot = slot;
        }
    }
    return best;
}

/* One piece of work; false when there is none left. */
static bool sweep_one(struct sweep *sweep)
{
    struct fsm *fsm = sweep->fsm;
    enum fsm_heap heap = FSM_HEAPS;
    uint32_t slot = SLOT_NONE;

    (void)deadlines_earliest(fsm->heaps[HEAP_REVOKED], &slot);
    if (slot != SLOT_NONE) {
        const struct cover_record *cover = table_read(fsm->tables[FSM_COVERS], slot);

        sweep_session(sweep, cover->session_first);
        return true;
    }
    (void)deadlines_earliest(fsm->heaps[HEAP_ENDED], &slot);
    if (slot != SLOT_NONE) {
        sweep_session(sweep, slot);
        return true;
    }
    if (earliest(fsm, &heap, &slot) > sweep->ctx->now || heap == FSM_HEAPS) {
        return false; /* also at the end of all time, and nothing has a deadline */
    }
    sweep_due(sweep, heap, slot);
    return true;
}

void fsm_sweep(struct fsm_context *ctx)
{
    struct sweep sweep = {ctx, ctx->fsm, FSM_SWEEP_UNITS};

    while (sweep.left > 0 && sweep_one(&sweep)) {
        store_settle(ctx->fsm->store);
    }
}

uint64_t fsm_next_deadline(const struct fsm *fsm)
{
    enum fsm_heap heap;
    uint32_t slot;

    return earliest(fsm, &heap, &slot);
}

bool fsm_sweep_due(const struct fsm *fsm)
{
    uint32_t revoked = SLOT_NONE;
    uint32_t ended = SLOT_NONE;

    (void)deadlines_earliest(fsm->heaps[HEAP_REVOKED], &revoked);
    (void)deadlines_earliest(fsm->heaps[HEAP_ENDED], &ended);
    return revoked != SLOT_NONE || ended != SLOT_NONE || fsm_next_deadline(fsm) <= fsm_time(fsm);
}

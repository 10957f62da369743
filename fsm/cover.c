/* Covers and watermarks: revoking all that a user, an agent or a tenant has open, or everyone, in
 * O(1). Writes down nothing about sessions: that they are dead follows from the watermark (life.c).
 *
 *  1. A cover's sessions are listed in the order of C: they join at the end and C only grows.
 *  2. A cover's watermarks are listed in the order of position.
 *  3. heads = fresh + the sum of `below` over its watermarks.
 *  4. A cover is freed when nothing refers to it and it has no watermark.
 *  5. A watermark goes when nothing is below it any more and watermark_us has passed; going, it
 *     raises the tenant's auth floor, everyone's that of all tenants.
 *  6. Of the watermarks without anything below, a cover has one newest at most, which the next
 *     revoke moves: so their number follows the sessions, not the revokes.
 *  7. A tenant's watermark_count is the number of its watermarks. Everyone's are no tenant's.
 *  8. session_count is the length of a cover's list, task_count the number of tasks whose own
 *     session it covers: the cover outlives them, since they pin that session's tombstone.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

/* What tells one cover of a kind from another. */
static const struct cover_shape {
    bool of_tenant, named;
} shapes[COVER_KINDS] = {
    [COVER_USER] = {true, true},
    [COVER_AGENT] = {true, true},
    [COVER_TENANT] = {true, false},
    [COVER_ALL] = {false, false},
};

struct cover_query {
    const struct fsm *fsm;
    uint32_t kind;
    uint32_t tenant;
    uint32_t name;
};

static const struct cover_record *cover_read(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_COVERS], slot);
}

static struct cover_record *cover_write(struct fsm *fsm, uint32_t slot)
{
    return table_write(fsm->tables[FSM_COVERS], slot);
}

static const struct watermark_record *watermark_read(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_WATERMARKS], slot);
}

static struct watermark_record *watermark_write(struct fsm *fsm, uint32_t slot)
{
    return table_write(fsm->tables[FSM_WATERMARKS], slot);
}

static bool match_cover(const void *arg, uint32_t slot)
{
    const struct cover_query *query = arg;
    const struct cover_record *cover = cover_read(query->fsm, slot);

    return cover->kind == query->kind && cover->tenant == query->tenant &&
           cover->name == query->name;
}

bool fsm_cover_named(enum cover_kind kind)
{
    return shapes[kind].named;
}

uint32_t fsm_cover_of(const struct fsm *fsm, enum cover_kind kind, uint32_t tenant,
                      struct bytes name)
{
    struct cover_query query = {fsm, kind, shapes[kind].of_tenant ? tenant : SLOT_NONE,
                                shapes[kind].named ? names_find(fsm->names, name) : SLOT_NONE};
    uint32_t slot = index_find(fsm->indexes[INDEX_COVER],
                               fsm_hash_cover(fsm, kind, query.tenant, query.name), match_cover,
                               &query);

    return shapes[kind].named && query.name == SLOT_NONE ? SLOT_NONE : slot;
}

uint32_t fsm_cover_hold(struct fsm *fsm, enum cover_kind kind, uint32_t tenant, struct bytes name)
{
    uint32_t slot = fsm_cover_of(fsm, kind, tenant, name);
    struct cover_record *cover;

    if (slot != SLOT_NONE) {
        return slot;
    }
    slot = table_take(fsm->tables[FSM_COVERS]);
    ASSERT(slot != SLOT_NONE); /* sized for every session, tombstone and watermark */
    cover = cover_write(fsm, slot);
    cover->kind = kind;
    cover->tenant = shapes[kind].of_tenant ? tenant : SLOT_NONE;
    cover->name = shapes[kind].named ? names_hold(fsm->names, name) : SLOT_NONE;
    ASSERT(!shapes[kind].named || cover->name != SLOT_NONE);
    index_insert(fsm->indexes[INDEX_COVER], fsm_hash_cover(fsm, kind, cover->tenant, cover->name),
                 slot);
    return slot;
}

/* Invariant 4. */
static void cover_settle(struct fsm *fsm, uint32_t slot)
{
    const struct cover_record *cover = cover_read(fsm, slot);

    if (cover->heads > 0 || cover->watermark_first != SLOT_NONE) {
        return;
    }
    ASSERT(cover->session_first == SLOT_NONE && cover->session_count == 0);
    ASSERT(cover->task_count == 0);
    index_remove(fsm->indexes[INDEX_COVER],
                 fsm_hash_cover(fsm, cover->kind, cover->tenant, cover->name), slot);
    if (cover->name != SLOT_NONE) {
        names_release(fsm->names, cover->name);
    }
    table_free(fsm->tables[FSM_COVERS], slot);
}

uint64_t fsm_watermark_newest(const struct fsm *fsm, uint32_t cover)
{
    uint32_t slot = cover_read(fsm, cover)->watermark_last;

    return slot == SLOT_NONE ? 0 : watermark_read(fsm, slot)->position;
}

uint32_t fsm_watermark_above(const struct fsm *fsm, uint32_t cover, uint64_t position)
{
    uint32_t slot = cover_read(fsm, cover)->watermark_first;

    if (fsm_watermark_newest(fsm, cover) <= position) {
        return SLOT_NONE; /* whatever lives: one look, however many revokes there were */
    }
    while (slot != SLOT_NONE && watermark_read(fsm, slot)->position <= position) {
        slot = watermark_read(fsm, slot)->next;
    }
    return slot;
}

/* Whoever its newest watermark denies, an older or a newer one denies too: nothing is below it. */
static bool movable(const struct fsm *fsm, const struct cover_record *cover)
{
    return cover->watermark_last != SLOT_NONE &&
           watermark_read(fsm, cover->watermark_last)->below == 0;
}

/* No tenant takes revoking away from another: it has its part of all watermarks, and of that a part
 * for those that deny somebody. Those that deny nobody leave room in the table too. All tenants
 * together leave some for everyone's. And the table has one more than the limit says, which no
 * revoke gets: a restore revokes all (reborn.c), however many revokes there were. */
enum { TENANT_SHARE = 4, NOBODY_SHARE = 2, ALL_SHARE = 64, REBORN = 1 };

enum op_outcome fsm_watermark_room(struct fsm_context *ctx, enum cover_kind kind,
                                   uint32_t cover_slot)
{
    struct fsm *fsm = ctx->fsm;
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], ctx->tenant);
    const struct cover_record *cover = cover_slot == SLOT_NONE ? NULL : cover_read(fsm, cover_slot);
    uint32_t capacity = table_capacity(fsm->tables[FSM_WATERMARKS]) - REBORN;
    bool somebody = cover != NULL && cover->heads > 0;

    if (cover != NULL && movable(fsm, cover)) {
        return OP_OK;
    }
    if (!shapes[kind].of_tenant) {
        return fsm_room(ctx, FSM_WATERMARKS, 1 + REBORN);
    }
    if (tenant->watermark_count >= capacity / TENANT_SHARE / (somebody ? 1 : NOBODY_SHARE)) {
        return fsm_refuse_full(ctx, "watermarks_max");
    }
    return fsm_room(ctx, FSM_WATERMARKS,
                    1 + (somebody ? 0 : capacity / TENANT_SHARE) + 1 + capacity / ALL_SHARE +
                        REBORN);
}

/* One watermark more or less of the tenant, if it is one's. */
static void tenant_count(struct fsm *fsm, uint32_t tenant_slot, int change)
{
    if (tenant_slot != SLOT_NONE) {
        struct tenant_record *tenant = table_write(fsm->tables[FSM_TENANTS], tenant_slot);

        ASSERT(change > 0 || tenant->watermark_count > 0);
        tenant->watermark_count += (uint32_t)change;
    }
}

/* Invariant 5. */
static void floor_raise(struct fsm *fsm, uint32_t tenant_slot, uint64_t position)
{
    if (tenant_slot == SLOT_NONE) {
        struct meta_record *meta = table_write(fsm->tables[FSM_META], 1);

        meta->auth_floor = u64_max(meta->auth_floor, position);
    } else {
        struct tenant_record *tenant = table_write(fsm->tables[FSM_TENANTS], tenant_slot);

        tenant->auth_floor = u64_max(tenant->auth_floor, position);
    }
}

/* An empty record at the end of the cover's list. */
static uint32_t watermark_append(struct fsm *fsm, uint32_t cover_slot)
{
    struct cover_record *cover = cover_write(fsm, cover_slot);
    uint32_t slot = table_take(fsm->tables[FSM_WATERMARKS]);
    struct watermark_record *watermark;

    ASSERT(slot != SLOT_NONE);
    watermark = watermark_write(fsm, slot);
    watermark->cover = cover_slot;
    watermark->previous = cover->watermark_last;
    if (cover->watermark_last == SLOT_NONE) {
        cover->watermark_first = slot;
    } else {
        watermark_write(fsm, cover->watermark_last)->next = slot;
    }
    cover->watermark_last = slot;
    tenant_count(fsm, cover->tenant, 1);
    return slot;
}

void fsm_watermark_add(struct fsm *fsm, uint32_t cover_slot, uint64_t position, uint64_t time)
{
    struct cover_record *cover = cover_write(fsm, cover_slot);
    uint32_t slot = movable(fsm, cover) ? cover->watermark_last : watermark_append(fsm, cover_slot);
    struct watermark_record *watermark = watermark_write(fsm, slot);

    watermark->position = position;
    watermark->time = time;
    watermark->below = cover->fresh;
    cover->fresh = 0;
    fsm_schedule(fsm, FSM_WATERMARKS, slot);
    fsm_schedule(fsm, FSM_COVERS, cover_slot);
}

void fsm_watermark_drop(struct fsm *fsm, uint32_t slot)
{
    const struct watermark_record *watermark = watermark_read(fsm, slot);
    uint32_t cover_slot = watermark->cover;
    struct cover_record *cover = cover_write(fsm, cover_slot);

    ASSERT(watermark->below == 0);
    tenant_count(fsm, cover->tenant, -1);
    floor_raise(fsm, cover->tenant, watermark->position);
    if (watermark->previous == SLOT_NONE) {
        cover->watermark_first = watermark->next;
    } else {
        watermark_write(fsm, watermark->previous)->next = watermark->next;
    }
    if (watermark->next == SLOT_NONE) {
        cover->watermark_last = watermark->previous;
    } else {
        watermark_write(fsm, watermark->next)->previous = watermark->previous;
    }
    deadlines_remove(fsm->heaps[HEAP_WATERMARK], slot);
    table_free(fsm->tables[FSM_WATERMARKS], slot);
    cover_settle(fsm, cover_slot);
}

void fsm_covers_join(struct fsm *fsm, const struct session_head *head)
{
    for (size_t kind = 0; kind < COVER_KINDS; kind++) {
        struct cover_record *cover = cover_write(fsm, head->cover[kind]);

        cover->heads++;
        cover->fresh++;
    }
}

void fsm_covers_leave(struct fsm *fsm, const struct session_head *head)
{
    for (size_t kind = 0; kind < COVER_KINDS; kind++) {
        uint32_t slot = head->cover[kind];
        uint32_t above = fsm_watermark_above(fsm, slot, head->created);
        struct cover_record *cover = cover_write(fsm, slot);

        ASSERT(cover->heads > 0);
        cover->heads--;
        if (above == SLOT_NONE) {
            ASSERT(cover->fresh > 0);
            cover->fresh--;
        } else {
            ASSERT(watermark_read(fsm, above)->below > 0);
            watermark_write(fsm, above)->below--;
            fsm_schedule(fsm, FSM_WATERMARKS, above);
        }
        cover_settle(fsm, slot);
    }
}

static struct session_record *session_write(struct fsm *fsm, uint32_t slot)
{
    return table_write(fsm->tables[FSM_SESSIONS], slot);
}

void fsm_covers_link(struct fsm *fsm, uint32_t slot)
{
    struct session_record *session = session_write(fsm, slot);

    for (size_t kind = 0; kind < COVER_KINDS; kind++) {
        struct cover_record *cover = cover_write(fsm, session->head.cover[kind]);

        session->cover_previous[kind] = cover->session_last;
        session->cover_next[kind] = SLOT_NONE;
        cover->session_count++;
        if (cover->session_last == SLOT_NONE) {
            cover->session_first = slot;
        } else {
            session_write(fsm, cover->session_last)->cover_next[kind] = slot;
        }
        cover->session_last = slot;
        fsm_schedule(fsm, FSM_COVERS, session->head.cover[kind]);
    }
}

void fsm_covers_unlink(struct fsm *fsm, uint32_t slot)
{
    const struct session_record *session = session_write(fsm, slot);

    for (size_t kind = 0; kind < COVER_KINDS; kind++) {
        struct cover_record *cover = cover_write(fsm, session->head.cover[kind]);
        uint32_t previous = session->cover_previous[kind];
        uint32_t next = session->cover_next[kind];

        ASSERT(cover->session_count > 0);
        cover->session_count--;
        if (previous == SLOT_NONE) {
            cover->session_first = next;
        } else {
            session_write(fsm, previous)->cover_next[kind] = next;
        }
        if (next == SLOT_NONE) {
            cover->session_last = previous;
        } else {
            session_write(fsm, next)->cover_previous[kind] = previous;
        }
        fsm_schedule(fsm, FSM_COVERS, session->head.cover[kind]);
    }
}

void fsm_covers_task(struct fsm *fsm, const struct session_head *own, int change)
{
    for (size_t kind = 0; kind < COVER_KINDS; kind++) {
        struct cover_record *cover = cover_write(fsm, own->cover[kind]);

        ASSERT(change > 0 || cover->task_count > 0);
        cover->task_count += (uint32_t)change;
    }
}

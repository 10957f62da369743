/* Tombstones: what is left of a session after its sweep, so that its owner still learns that and
 * why it ended, and its tasks still find what they stand on. Bounded by time and by number per
 * tenant.
 *
 *  1. A tombstone that a task needs is pinned: in no list, and not freed. Otherwise it is in its
 *     tenant's list, the one that was swept first at the front, and in HEAP_TOMBSTONE.
 *  2. A full table takes from the tenant whose list is longest, so that what one tenant ends does
 *     not make unknown what another, with fewer, has ended.
 */
#include "fsm/machine.h"

#include "base/assert.h"

static struct tombstone_record *stone_write(struct fsm *fsm, uint32_t slot)
{
    return table_write(fsm->tables[FSM_TOMBSTONES], slot);
}

static struct tenant_record *tenant_write(struct fsm *fsm, uint32_t slot)
{
    return table_write(fsm->tables[FSM_TENANTS], slot);
}

static void list_add(struct fsm *fsm, uint32_t slot)
{
    struct tombstone_record *stone = stone_write(fsm, slot);
    struct tenant_record *tenant = tenant_write(fsm, stone->head.tenant);

    stone->previous = tenant->stone_last;
    stone->next = SLOT_NONE;
    if (tenant->stone_last == SLOT_NONE) {
        tenant->stone_first = slot;
    } else {
        stone_write(fsm, tenant->stone_last)->next = slot;
    }
    tenant->stone_last = slot;
    tenant->stone_count++;
    fsm_schedule(fsm, FSM_TENANTS, stone->head.tenant);
}

static void list_take_out(struct fsm *fsm, uint32_t slot)
{
    struct tombstone_record *stone = stone_write(fsm, slot);
    struct tenant_record *tenant = tenant_write(fsm, stone->head.tenant);

    if (stone->previous == SLOT_NONE) {
        tenant->stone_first = stone->next;
    } else {
        stone_write(fsm, stone->previous)->next = stone->next;
    }
    if (stone->next == SLOT_NONE) {
        tenant->stone_last = stone->previous;
    } else {
        stone_write(fsm, stone->next)->previous = stone->previous;
    }
    tenant->stone_count--;
    fsm_schedule(fsm, FSM_TENANTS, stone->head.tenant);
}

void fsm_tombstone_free(struct fsm *fsm, uint32_t slot)
{
    const struct tombstone_record *stone = table_read(fsm->tables[FSM_TOMBSTONES], slot);

    ASSERT(stone->head.pins == 0);
    list_take_out(fsm, slot);
    fsm_grants_free(fsm, stone->kept_chain, stone->kept_count);
    fsm_covers_leave(fsm, &stone->head);
    deadlines_remove(fsm->heaps[HEAP_TOMBSTONE], slot);
    index_remove(fsm->indexes[INDEX_TOMBSTONE], fsm_hash_id(fsm, stone->head.selector), slot);
    table_free(fsm->tables[FSM_TOMBSTONES], slot);
}

/* Within the tenant's number: its oldest goes. Within the table: that of the longest list. */
static void make_room(struct fsm *fsm, uint32_t tenant_slot)
{
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], tenant_slot);
    const struct table *stones = fsm->tables[FSM_TOMBSTONES];
    uint32_t crowded;

    if (tenant->stone_count >= fsm->limits.tombstones_max) {
        fsm_tombstone_free(fsm, tenant->stone_first);
    } else if (table_count(stones) == table_capacity(stones)) {
        (void)deadlines_earliest(fsm->heaps[HEAP_CROWDED], &crowded);
        ASSERT(crowded != SLOT_NONE); /* the table holds more than there are tasks to pin them */
        tenant = table_read(fsm->tables[FSM_TENANTS], crowded);
        fsm_tombstone_free(fsm, tenant->stone_first);
    }
}

void fsm_tombstone_make(struct fsm *fsm, const struct session_record *session, struct fsm_end end,
                        uint32_t kept_chain, uint32_t kept_count)
{
    struct tombstone_record *stone;
    uint32_t slot;

    make_room(fsm, session->head.tenant);
    slot = table_take(fsm->tables[FSM_TOMBSTONES]);
    ASSERT(slot != SLOT_NONE);
    stone = stone_write(fsm, slot);
    stone->head = session->head;
    stone->end_time = end.time;
    stone->cause = end.cause;
    stone->kept_chain = kept_chain;
    stone->kept_count = kept_count;
    if (stone->head.pins > 0) {
        stone->filter_chain = session->filter_chain;
        stone->filter_size = session->filter_size;
    }
    if (stone->head.pins == 0) {
        list_add(fsm, slot);
    }
    fsm_schedule(fsm, FSM_TOMBSTONES, slot);
    index_insert(fsm->indexes[INDEX_TOMBSTONE], fsm_hash_id(fsm, stone->head.selector), slot);
}

uint32_t fsm_tombstone_blocks(const struct tombstone_record *stone)
{
    return fsm_grants_blocks(stone->kept_count) + chain_blocks(stone->filter_size);
}

void fsm_tombstone_unpin(struct fsm *fsm, uint32_t slot)
{
    struct tombstone_record *stone = stone_write(fsm, slot);

    ASSERT(stone->head.pins == 0);
    fsm_grants_free(fsm, stone->kept_chain, stone->kept_count);
    stone->kept_chain = SLOT_NONE;
    stone->kept_count = 0;
    chain_free(fsm_blocks(fsm), stone->filter_chain);
    stone->filter_chain = SLOT_NONE;
    stone->filter_size = 0;
    list_add(fsm, slot);
    fsm_schedule(fsm, FSM_TOMBSTONES, slot);
}

/* Denials: how often a certificate that acts for a user was told NOT_FOUND, and the event at the
 * sixth within the window. The answers themselves were given before, by the leader alone.
 *
 *  1. A denial at T = t counts while T < t + denial_window_us, swept or not.
 *  2. The sixth that counts is told, and then no other until the window has passed since.
 *  3. Whose is what was asked about is told to the tenant that owns it, and to no other.
 *  4. What tenants are told of another's certificate is bounded whatever users that makes up: an
 *     owner hears of one certificate once within the window.
 *  5. A full table gives up what stops to count first. No name is kept by it.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"
#include "op/denials.h"

#include <string.h>

struct denial_query {
    const struct fsm *fsm;
    enum denial_kind kind;
    struct bytes tenant, name, user;
};

static uint64_t hash_of(const struct denial_query *query)
{
    const struct siphash_key *key = &query->fsm->key;
    uint64_t certificate = fsm_hash_pair(query->fsm, base_siphash64(key, query->tenant),
                                         base_siphash64(key, query->name));

    return fsm_hash_pair(query->fsm, fsm_hash_pair(query->fsm, certificate, query->kind),
                         base_siphash64(key, query->user));
}

uint64_t fsm_hash_denial(const struct fsm *fsm, const struct denial_record *denial)
{
    struct denial_query query = {
        fsm, (enum denial_kind)denial->kind, bytes_of(denial->tenant, denial->tenant_size),
        bytes_of(denial->name, denial->name_size), bytes_of(denial->user, denial->user_size)};

    return hash_of(&query);
}

static bool match_denial(const void *arg, uint32_t slot)
{
    const struct denial_query *query = arg;
    const struct denial_record *denial = table_read(query->fsm->tables[FSM_DENIALS], slot);

    return denial->kind == (uint32_t)query->kind &&
           bytes_equal(bytes_of(denial->tenant, denial->tenant_size), query->tenant) &&
           bytes_equal(bytes_of(denial->name, denial->name_size), query->name) &&
           bytes_equal(bytes_of(denial->user, denial->user_size), query->user);
}

void fsm_denial_free(struct fsm *fsm, uint32_t slot)
{
    const struct denial_record *denial = table_read(fsm->tables[FSM_DENIALS], slot);

    index_remove(fsm->indexes[INDEX_DENIAL], fsm_hash_denial(fsm, denial), slot);
    deadlines_remove(fsm->heaps[HEAP_DENIAL], slot);
    table_free(fsm->tables[FSM_DENIALS], slot);
}

static uint32_t copy_text(uint8_t *to, struct bytes text)
{
    if (text.size > 0) {
        memcpy(to, text.data, text.size);
    }
    return (uint32_t)text.size;
}

static uint32_t take(struct fsm *fsm, const struct denial_query *query)
{
    struct table *denials = fsm->tables[FSM_DENIALS];
    struct denial_record *denial;
    uint32_t slot;

    if (table_count(denials) == table_capacity(denials)) { /* invariant 5 */
        (void)deadlines_earliest(fsm->heaps[HEAP_DENIAL], &slot);
        fsm_denial_free(fsm, slot);
    }
    slot = table_take(denials);
    ASSERT(slot != SLOT_NONE);
    denial = table_write(denials, slot);
    denial->kind = query->kind;
    denial->tenant_size = copy_text(denial->tenant, query->tenant);
    denial->name_size = copy_text(denial->name, query->name);
    denial->user_size = copy_text(denial->user, query->user);
    index_insert(fsm->indexes[INDEX_DENIAL], fsm_hash_denial(fsm, denial), slot);
    return slot;
}

/* The record, which is made where there is none; whoever writes it schedules it. */
static uint32_t slot_of(struct fsm *fsm, const struct denial_query *query)
{
    uint32_t slot = index_find(fsm->indexes[INDEX_DENIAL], hash_of(query), match_denial, query);

    return slot == SLOT_NONE ? take(fsm, query) : slot;
}

/* Invariants 1 and 2; true at the sixth. */
static bool count_one(struct denial_record *denial, uint64_t now, uint64_t window)
{
    uint64_t sixth = denial->recent[DENIALS_RECENT - 1];
    bool alert = sixth != 0 && now < sat_add(sixth, window) &&
                 (denial->alerted == 0 || now >= sat_add(denial->alerted, window));

    memmove(denial->recent + 1, denial->recent, (DENIALS_RECENT - 1) * sizeof denial->recent[0]);
    denial->recent[0] = now;
    denial->alerted = alert ? now : denial->alerted;
    return alert;
}

static bool count_row(struct fsm_context *ctx, const struct op_denial *row)
{
    struct fsm *fsm = ctx->fsm;
    struct denial_query query = {fsm, DENIAL_COUNT, row->tenant, row->name, row->user};
    uint32_t slot = slot_of(fsm, &query);
    struct denial_record *denial = table_write(fsm->tables[FSM_DENIALS], slot);
    bool alert = false;

    for (uint32_t i = 0; i < row->count && i <= DENIALS_RECENT; i++) { /* more change nothing */
        alert |= count_one(denial, ctx->now, fsm->limits.denial_window_us);
    }
    fsm_schedule(fsm, FSM_DENIALS, slot);
    return alert;
}

/* Invariant 4: is that owner to be told of the row's certificate now? Then it is written down. */
static bool due(struct fsm_context *ctx, const struct op_denial *row, uint32_t owner)
{
    struct fsm *fsm = ctx->fsm;
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], owner);
    struct denial_query query = {fsm, DENIAL_TOLD, row->tenant, row->name,
                                 names_text(fsm->names, tenant->name)};
    uint32_t slot = slot_of(fsm, &query);
    struct denial_record *denial = table_write(fsm->tables[FSM_DENIALS], slot);

    if (denial->alerted != 0 && ctx->now < sat_add(denial->alerted, fsm->limits.denial_window_us)) {
        return false;
    }
    denial->recent[0] = denial->alerted = ctx->now;
    fsm_schedule(fsm, FSM_DENIALS, slot);
    return true;
}

/* What was asked about, as an event of its owner; false when nobody owns such a thing. */
static bool owned_by(const struct fsm *fsm, struct id128 object, struct fsm_event *event,
                     uint32_t *ret_tenant)
{
    struct fsm_session session = fsm_session_of(fsm, object);
    const struct cover_record *user;

    if (session.head == NULL) {
        uint32_t slot = fsm_task_of(fsm, object);
        const struct task_record *task;

        if (slot == SLOT_NONE) {
            return false;
        }
        task = table_read(fsm->tables[FSM_TASKS], slot);
        session = fsm_session_of(fsm, task->session);
        ASSERT(session.head != NULL); /* a task pins its own session */
        event->task = object;
    }
    user = table_read(fsm->tables[FSM_COVERS], session.head->cover[COVER_USER]);
    event->session = session.head->selector;
    event->user = names_text(fsm->names, user->name);
    *ret_tenant = session.head->tenant;
    return true;
}

/* Invariant 3: to the tenant of the caller whom it acted for; to the owner's, when that is another,
 * whose it was. */
static void tell(struct fsm_context *ctx, const struct op_denial *row)
{
    struct fsm_event owned = {.kind = OP_EVENT_KIND_FOREIGN_ACCESS, .name = row->name};
    struct fsm_event event = {
        .kind = OP_EVENT_KIND_FOREIGN_ACCESS, .user = row->user, .name = row->name};
    uint32_t caller = fsm_tenant_of(ctx->fsm, row->tenant);
    uint32_t owner = SLOT_NONE;

    if (owned_by(ctx->fsm, row->object, &owned, &owner) && owner == caller) {
        event.session = owned.session;
        event.task = owned.task;
    } else if (owner != SLOT_NONE && due(ctx, row, owner)) {
        fsm_event_add(ctx, owner, &owned);
    }
    if (caller != SLOT_NONE) {
        fsm_event_add(ctx, caller, &event);
    }
}

bool fsm_foreign(const struct fsm *fsm, struct bytes tenant, struct bytes user, struct id128 object)
{
    struct fsm_event owned = {.user = BYTES_NONE};
    uint32_t owner;

    return owned_by(fsm, object, &owned, &owner) &&
           (owner != fsm_tenant_of(fsm, tenant) ||
            (user.size > 0 && !bytes_equal(user, owned.user)));
}

void fsm_denials(struct fsm_context *ctx)
{
    struct op_denials denials;
    struct op_denial row;
    bool read = op_denials_read(ctx->command->body, &denials);

    ASSERT(read); /* the entry was understood */
    while (op_denials_next(&denials, &row)) {
        if (count_row(ctx, &row)) {
            tell(ctx, &row);
        }
    }
}

/* Images: the store's walk out, the store's restore in, and then all that is derived from records
 * made anew: indexes, heaps, names. What an image looks like is the store's. */
#include "fsm/machine.h"

#include "base/assert.h"

void fsm_snapshot_begin(struct fsm *fsm, fsm_snapshot_sink sink, void *arg)
{
    store_walk_begin(fsm->store, sink, arg);
}

bool fsm_snapshot_step(struct fsm *fsm, uint32_t slots)
{
    return store_walk_step(fsm->store, slots);
}

void fsm_snapshot_abort(struct fsm *fsm)
{
    store_walk_abort(fsm->store);
}

bool fsm_snapshot_running(const struct fsm *fsm)
{
    return store_walk_running(fsm->store);
}

static void forget_derived(struct fsm *fsm)
{
    for (size_t i = 0; i < FSM_INDEXES; i++) {
        index_clear(fsm->indexes[i]);
    }
    for (size_t i = 0; i < FSM_HEAPS; i++) {
        deadlines_clear(fsm->heaps[i]);
    }
    for (size_t i = 0; i < FSM_SORTED; i++) {
        sorted_clear(fsm->sorted[i]);
    }
}

void fsm_restore_begin(struct fsm *fsm)
{
    fsm->restore_error = NULL;
    forget_derived(fsm);
    store_restore_begin(fsm->store);
}

bool fsm_restore_feed(struct fsm *fsm, struct bytes piece)
{
    return store_restore_feed(fsm->store, piece, &fsm->restore_error);
}

/* Under which hash the index knows this record. */
static uint64_t hash_of(const struct fsm *fsm, enum fsm_index index, const void *record)
{
    switch (index) {
    case INDEX_TENANT:
        return fsm_hash_pair(fsm, ((const struct tenant_record *)record)->name, 0);
    case INDEX_COVER: {
        const struct cover_record *cover = record;

        return fsm_hash_cover(fsm, cover->kind, cover->tenant, cover->name);
    }
    case INDEX_SESSION:
        return fsm_hash_id(fsm, ((const struct session_record *)record)->head.selector);
    case INDEX_TOMBSTONE:
        return fsm_hash_id(fsm, ((const struct tombstone_record *)record)->head.selector);
    case INDEX_TASK:
        return fsm_hash_id(fsm, ((const struct task_record *)record)->id);
    case INDEX_KEY: {
        const struct key_record *key = record;
        uint8_t text[FSM_KEY_MAX];

        return fsm_hash_key(fsm, key->session, fsm_key_text(fsm, key, text));
    }
    case INDEX_CLIENT:
        return fsm_hash_pair(fsm, ((const struct client_record *)record)->position, 0);
    case INDEX_REQUEST: {
        const struct request_record *request = record;

        return fsm_hash_pair(fsm, request->head.of, request->number);
    }
    case INDEX_OPERATION: {
        const struct operation_record *operation = record;

        return fsm_hash_pair(fsm, operation->head.of, operation->number);
    }
    case INDEX_CERTIFICATE: {
        const struct certificate_record *certificate = record;

        return fsm_hash_pair(fsm, certificate->tenant, certificate->name);
    }
    case INDEX_EVENT: {
        const struct event_record *event = record;

        return fsm_hash_pair(fsm, event->tenant, event->number);
    }
    case INDEX_DENIAL:
        return fsm_hash_denial(fsm, record);
    case FSM_INDEXES:
        break;
    }
    UNREACHABLE("no such index");
}

static void rebuild_index(struct fsm *fsm, enum fsm_index index, enum fsm_table table)
{
    const struct table *records = fsm->tables[table];

    for (uint32_t slot = table_next(records, SLOT_NONE); slot != SLOT_NONE;
         slot = table_next(records, slot)) {
        index_insert(fsm->indexes[index], hash_of(fsm, index, table_read(records, slot)), slot);
    }
}

static void rebuild_heaps(struct fsm *fsm, enum fsm_table table)
{
    const struct table *records = fsm->tables[table];

    for (uint32_t slot = table_next(records, SLOT_NONE); slot != SLOT_NONE;
         slot = table_next(records, slot)) {
        fsm_schedule(fsm, table, slot);
    }
}

static void rebuild_keys(struct fsm *fsm)
{
    const struct table *keys = fsm->tables[FSM_KEYS];

    for (uint32_t slot = table_next(keys, SLOT_NONE); slot != SLOT_NONE;
         slot = table_next(keys, slot)) {
        const struct key_record *key = table_read(keys, slot);

        sorted_add(fsm->sorted[SORTED_KEYS], key->session, slot);
    }
}

static void rebuild_sessions(struct fsm *fsm)
{
    const struct table *sessions = fsm->tables[FSM_SESSIONS];

    for (uint32_t slot = table_next(sessions, SLOT_NONE); slot != SLOT_NONE;
         slot = table_next(sessions, slot)) {
        const struct session_record *session = table_read(sessions, slot);

        sorted_add(fsm->sorted[SORTED_SESSIONS], session->head.cover[COVER_USER], slot);
    }
}

static void rebuild_tasks(struct fsm *fsm)
{
    const struct table *tasks = fsm->tables[FSM_TASKS];

    for (uint32_t slot = table_next(tasks, SLOT_NONE); slot != SLOT_NONE;
         slot = table_next(tasks, slot)) {
        const struct task_record *task = table_read(tasks, slot);
        struct fsm_session own = fsm_session_of(fsm, task->session);

        if (own.head != NULL) {
            fsm_task_list(fsm, &own, slot);
        }
    }
}

static void rebuild(struct fsm *fsm)
{
    names_rebuild(fsm->names);
    rebuild_index(fsm, INDEX_TENANT, FSM_TENANTS);
    rebuild_index(fsm, INDEX_COVER, FSM_COVERS);
    rebuild_index(fsm, INDEX_SESSION, FSM_SESSIONS);
    rebuild_index(fsm, INDEX_TOMBSTONE, FSM_TOMBSTONES);
    rebuild_index(fsm, INDEX_TASK, FSM_TASKS);
    rebuild_index(fsm, INDEX_KEY, FSM_KEYS);
    rebuild_index(fsm, INDEX_CLIENT, FSM_CLIENTS);
    rebuild_index(fsm, INDEX_REQUEST, FSM_REQUESTS);
    rebuild_index(fsm, INDEX_OPERATION, FSM_OPERATIONS);
    rebuild_index(fsm, INDEX_CERTIFICATE, FSM_CERTIFICATES);
    rebuild_index(fsm, INDEX_EVENT, FSM_EVENTS);
    rebuild_index(fsm, INDEX_DENIAL, FSM_DENIALS);
    rebuild_heaps(fsm, FSM_TENANTS);
    rebuild_heaps(fsm, FSM_COVERS);
    rebuild_heaps(fsm, FSM_WATERMARKS);
    rebuild_heaps(fsm, FSM_SESSIONS);
    rebuild_heaps(fsm, FSM_TOMBSTONES);
    rebuild_heaps(fsm, FSM_TASKS);
    rebuild_heaps(fsm, FSM_CLIENTS);
    rebuild_heaps(fsm, FSM_DENIALS);
    rebuild_keys(fsm);
    rebuild_sessions(fsm);
    rebuild_tasks(fsm);
}

#define META_LIMIT_SAME_(tag, name, standard, least, greatest, help)                               \
    same = same && meta->name == fsm->limits.name;

static const char *foreign(const struct fsm *fsm)
{
    const struct meta_record *meta;
    bool same = true;

    if (!table_used(fsm->tables[FSM_META], 1)) {
        return "the image has no record of the cluster";
    }
    meta = fsm_meta(fsm);
    if (!id128_equal(meta->incarnation, fsm->incarnation)) {
        return "the image belongs to another incarnation of the cluster";
    }
    if (meta->level > fsm->level_max) {
        return "the image is of a feature level that this version does not know";
    }
    OP_LIMITS(META_LIMIT_SAME_)
    return same ? NULL : "the image was made under other limits";
}

bool fsm_restore_end(struct fsm *fsm)
{
    if (!store_restore_end(fsm->store, &fsm->restore_error)) {
        return false;
    }
    fsm->restore_error = foreign(fsm);
    if (fsm->restore_error != NULL) {
        return false;
    }
    rebuild(fsm);
    return true;
}

const char *fsm_restore_error(const struct fsm *fsm)
{
    return fsm->restore_error == NULL ? "" : fsm->restore_error;
}

/* Making the machine inside its range: sizes, plans, and the facts that a node asks for. What a
 * command means is in the files of the law.
 */
#include "fsm/machine.h"

#include "base/assert.h"

#include <string.h>

/* Hands out parts of the range; without a range it only counts. */
struct carver {
    uint8_t *start; /* NULL: counting */
    size_t used;
};

static void *carve(struct carver *carver, size_t size)
{
    size_t at = (carver->used + 63) & ~(size_t)63;

    carver->used = at + size;
    return carver->start == NULL ? NULL : carver->start + at;
}

/* Slots of each table. A task pins one tombstone at most; each session and each tombstone refers to
 * the covers of its user and agent, of its tenant and of everyone, each watermark to one: so
 * tombstones and covers are never full before what they come from is. */
static uint32_t capacity_of(const struct op_limits *limits, enum fsm_table table)
{
    uint64_t stones = limits->tombstones_max + limits->tasks_max + 1;

    switch (table) {
    case FSM_META:
        return 1;
    case FSM_NAMES:
        return (uint32_t)limits->names_max;
    case FSM_BLOCKS:
        return (uint32_t)limits->blocks_max;
    case FSM_TENANTS:
        return (uint32_t)limits->tenants_max;
    case FSM_COVERS:
        return (uint32_t)((limits->sessions_max + stones) * 2 + limits->tenants_max + 1 +
                          limits->watermarks_max + 1);
    case FSM_WATERMARKS:
        return (uint32_t)limits->watermarks_max + 1; /* a restore's: fsm_watermark_room */
    case FSM_SESSIONS:
        return (uint32_t)limits->sessions_max;
    case FSM_TOMBSTONES:
        return (uint32_t)stones;
    case FSM_TASKS:
        return (uint32_t)limits->tasks_max;
    case FSM_KEYS:
        return (uint32_t)limits->keys_max;
    case FSM_CLIENTS:
        return (uint32_t)limits->clients_max;
    case FSM_REQUESTS:
    case FSM_OPERATIONS:
        return (uint32_t)limits->requests_max;
    case FSM_CERTIFICATES: /* one client each at least */
        return (uint32_t)limits->clients_max;
    case FSM_EVENTS:
        return (uint32_t)limits->events_max;
    case FSM_DENIALS:
        return (uint32_t)limits->denials_max;
    case FSM_TABLES:
        break;
    }
    UNREACHABLE("no such table");
}

static enum fsm_table table_of_index(enum fsm_index index)
{
    switch (index) {
    case INDEX_TENANT:
        return FSM_TENANTS;
    case INDEX_COVER:
        return FSM_COVERS;
    case INDEX_SESSION:
        return FSM_SESSIONS;
    case INDEX_TOMBSTONE:
        return FSM_TOMBSTONES;
    case INDEX_TASK:
        return FSM_TASKS;
    case INDEX_KEY:
        return FSM_KEYS;
    case INDEX_CLIENT:
        return FSM_CLIENTS;
    case INDEX_REQUEST:
        return FSM_REQUESTS;
    case INDEX_OPERATION:
        return FSM_OPERATIONS;
    case INDEX_CERTIFICATE:
        return FSM_CERTIFICATES;
    case INDEX_EVENT:
        return FSM_EVENTS;
    case INDEX_DENIAL:
        return FSM_DENIALS;
    case FSM_INDEXES:
        break;
    }
    UNREACHABLE("no such index");
}

static enum fsm_table table_of_heap(enum fsm_heap heap)
{
    switch (heap) {
    case HEAP_REVOKED:
        return FSM_COVERS;
    case HEAP_ENDED:
    case HEAP_SESSION:
        return FSM_SESSIONS;
    case HEAP_CROWDED:
    case HEAP_EVENTFUL:
        return FSM_TENANTS;
    case HEAP_TASK:
        return FSM_TASKS;
    case HEAP_TOMBSTONE:
        return FSM_TOMBSTONES;
    case HEAP_CLIENT:
        return FSM_CLIENTS;
    case HEAP_WATERMARK:
        return FSM_WATERMARKS;
    case HEAP_DENIAL:
        return FSM_DENIALS;
    case FSM_HEAPS:
        break;
    }
    UNREACHABLE("no such heap");
}

/* ---- ties between equal deadlines ---- */

static int by_number(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Covers are keyed by position: there are no ties. A tenant keeps its slot for ever, what counts
 * denials as long as it is. */
static int order_slots(const void *arg, uint32_t a, uint32_t b)
{
    (void)arg;
    return by_number(a, b);
}

static int order_sessions(const void *arg, uint32_t a, uint32_t b)
{
    const struct table *table = ((const struct fsm *)arg)->tables[FSM_SESSIONS];
    const struct session_record *x = table_read(table, a);
    const struct session_record *y = table_read(table, b);

    return id128_compare(x->head.selector, y->head.selector);
}

static int order_tombstones(const void *arg, uint32_t a, uint32_t b)
{
    const struct table *table = ((const struct fsm *)arg)->tables[FSM_TOMBSTONES];
    const struct tombstone_record *x = table_read(table, a);
    const struct tombstone_record *y = table_read(table, b);

    return id128_compare(x->head.selector, y->head.selector);
}

static int order_tasks(const void *arg, uint32_t a, uint32_t b)
{
    const struct table *table = ((const struct fsm *)arg)->tables[FSM_TASKS];
    const struct task_record *x = table_read(table, a);
    const struct task_record *y = table_read(table, b);

    return id128_compare(x->id, y->id);
}

static int order_clients(const void *arg, uint32_t a, uint32_t b)
{
    const struct table *table = ((const struct fsm *)arg)->tables[FSM_CLIENTS];
    const struct client_record *x = table_read(table, a);
    const struct client_record *y = table_read(table, b);

    return by_number(x->position, y->position);
}

static int order_watermarks(const void *arg, uint32_t a, uint32_t b)
{
    const struct table *table = ((const struct fsm *)arg)->tables[FSM_WATERMARKS];
    const struct watermark_record *x = table_read(table, a);
    const struct watermark_record *y = table_read(table, b);

    return by_number(x->position, y->position);
}

static deadline_order order_of(enum fsm_heap heap)
{
    static const deadline_order orders[FSM_HEAPS] = {
        [HEAP_REVOKED] = order_slots,        [HEAP_ENDED] = order_sessions,
        [HEAP_CROWDED] = order_slots,        [HEAP_EVENTFUL] = order_slots,
        [HEAP_SESSION] = order_sessions,     [HEAP_TASK] = order_tasks,
        [HEAP_TOMBSTONE] = order_tombstones, [HEAP_CLIENT] = order_clients,
        [HEAP_WATERMARK] = order_watermarks, [HEAP_DENIAL] = order_slots,
    };

    return orders[heap];
}

/* ---- sorted sets ---- */

static int order_keys(const void *arg, uint32_t a, uint32_t b)
{
    const struct fsm *fsm = arg;
    uint8_t x[FSM_KEY_MAX];
    uint8_t y[FSM_KEY_MAX];

    return bytes_compare(fsm_key_text(fsm, table_read(fsm->tables[FSM_KEYS], a), x),
                         fsm_key_text(fsm, table_read(fsm->tables[FSM_KEYS], b), y));
}

static int order_epochs(const void *arg, uint32_t a, uint32_t b)
{
    const struct table *table = ((const struct fsm *)arg)->tables[FSM_SESSIONS];
    const struct session_record *x = table_read(table, a);
    const struct session_record *y = table_read(table, b);

    return by_number(x->head.created, y->head.created);
}

static int order_begun(const void *arg, uint32_t a, uint32_t b)
{
    const struct table *table = ((const struct fsm *)arg)->tables[FSM_TASKS];
    const struct task_record *x = table_read(table, a);
    const struct task_record *y = table_read(table, b);

    return by_number(x->begun, y->begun);
}

static int order_own(const void *arg, uint32_t a, uint32_t b)
{
    const struct table *table = ((const struct fsm *)arg)->tables[FSM_TASKS];
    const struct task_record *x = table_read(table, a);
    const struct task_record *y = table_read(table, b);
    int by_session = id128_compare(x->session, y->session);

    return by_session != 0 ? by_session : by_number(x->begun, y->begun);
}

/* Of what, whose, and in which order. */
static const struct {
    enum fsm_table table;
    enum fsm_table owners;
    sorted_order order;
} sets[FSM_SORTED] = {
    [SORTED_KEYS] = {FSM_KEYS, FSM_SESSIONS, order_keys},
    [SORTED_SESSIONS] = {FSM_SESSIONS, FSM_COVERS, order_epochs},
    [SORTED_TASKS] = {FSM_TASKS, FSM_COVERS, order_begun},
    [SORTED_OWN] = {FSM_TASKS, FSM_COVERS, order_own},
};

/* ---- laying out ---- */

static void plan(const struct op_limits *limits, struct store_plan *ret_plans)
{
    for (enum fsm_table table = FSM_META; table < FSM_TABLES; table++) {
        ret_plans[table].type = fsm_table_type(table);
        ret_plans[table].capacity = capacity_of(limits, table);
    }
}

/* The one arithmetic of fsm_memory_size and fsm_create. */
static struct fsm *lay_out(struct carver *carver, const struct op_limits *limits,
                           const struct siphash_key *key)
{
    struct store_plan plans[FSM_TABLES];
    bool counting = carver->start == NULL;
    struct fsm *fsm = carve(carver, sizeof *fsm);
    size_t size;
    void *memory;

    plan(limits, plans);
    size = store_size(plans, FSM_TABLES);
    memory = carve(carver, size);
    if (!counting) {
        fsm->store = store_create(memory, size, plans, FSM_TABLES, key);
        for (size_t i = 0; i < FSM_TABLES; i++) {
            fsm->tables[i] = store_table(fsm->store, i);
        }
    }
    size = names_size(plans[FSM_NAMES].capacity);
    memory = carve(carver, size);
    if (!counting) {
        fsm->names = names_create(memory, size, fsm->tables[FSM_NAMES], key);
    }
    for (enum fsm_index i = INDEX_TENANT; i < FSM_INDEXES; i++) {
        uint32_t capacity = plans[table_of_index(i)].capacity;

        size = index_size(capacity);
        memory = carve(carver, size);
        if (!counting) {
            fsm->indexes[i] = index_create(memory, size, capacity);
        }
    }
    for (enum fsm_heap i = HEAP_REVOKED; i < FSM_HEAPS; i++) {
        uint32_t capacity = plans[table_of_heap(i)].capacity;

        size = deadlines_size(capacity);
        memory = carve(carver, size);
        if (!counting) {
            fsm->heaps[i] = deadlines_create(memory, size, capacity, order_of(i), fsm);
        }
    }
    for (size_t i = 0; i < FSM_SORTED; i++) {
        uint32_t capacity = plans[sets[i].table].capacity;
        uint32_t owners = plans[sets[i].owners].capacity;

        size = sorted_size(capacity, owners);
        memory = carve(carver, size);
        if (!counting) {
            fsm->sorted[i] = sorted_create(memory, size, capacity, owners, &fsm->key, sets[i].order,
                                           fsm);
        }
    }
    return fsm;
}

size_t fsm_memory_size(const struct op_limits *limits)
{
    static const struct siphash_key no_key;
    struct carver carver = {NULL, 0};

    (void)lay_out(&carver, limits, &no_key);
    return carver.used;
}

#define META_LIMIT_SET_(tag, limit, standard, least, greatest, help)                               \
    meta->limit = birth->limits.limit;

struct fsm *fsm_create(void *memory, size_t size, const struct fsm_birth *birth)
{
    struct carver carver = {memory, 0};
    struct meta_record *meta;
    struct fsm *fsm;
    uint32_t slot;

    ASSERT(memory != NULL && ((uintptr_t)memory & 63) == 0);
    ASSERT(op_limits_check(&birth->limits) == NULL);
    ASSERT(size >= fsm_memory_size(&birth->limits));
    fsm = lay_out(&carver, &birth->limits, &birth->hash_key);
    fsm->limits = birth->limits;
    fsm->key = birth->hash_key;
    fsm->incarnation = birth->incarnation;
    fsm->level_max = birth->level != 0 ? birth->level : OP_LEVEL;
    slot = table_take(fsm->tables[FSM_META]);
    ASSERT(slot == 1);
    meta = table_write(fsm->tables[FSM_META], slot);
    meta->time = birth->time;
    meta->incarnation = birth->incarnation;
    meta->level = OP_LEVEL_FIRST;
    OP_LIMITS(META_LIMIT_SET_)
    store_settle(fsm->store);
    return fsm;
}

/* ---- facts ---- */

uint64_t fsm_position(const struct fsm *fsm)
{
    return fsm_meta(fsm)->position;
}

uint64_t fsm_time(const struct fsm *fsm)
{
    return fsm_meta(fsm)->time;
}

uint64_t fsm_term(const struct fsm *fsm)
{
    return fsm_meta(fsm)->term;
}

uint64_t fsm_level(const struct fsm *fsm)
{
    return fsm_meta(fsm)->level;
}

struct id128 fsm_incarnation(const struct fsm *fsm)
{
    return fsm->incarnation;
}

struct hash128 fsm_digest(const struct fsm *fsm)
{
    return store_digest(fsm->store);
}

uint64_t fsm_session_count(const struct fsm *fsm)
{
    return table_count(fsm->tables[FSM_SESSIONS]);
}

uint64_t fsm_task_count(const struct fsm *fsm)
{
    return table_count(fsm->tables[FSM_TASKS]);
}

const char *fsm_table_name(size_t table)
{
    return table < FSM_TABLES ? fsm_table_type((enum fsm_table)table)->name : NULL;
}

uint32_t fsm_table_used(const struct fsm *fsm, size_t table)
{
    return table_count(fsm->tables[table]);
}

uint32_t fsm_table_capacity(const struct fsm *fsm, size_t table)
{
    return table_capacity(fsm->tables[table]);
}

void fsm_watch_ended(struct fsm *fsm, fsm_ended_cb callback, void *arg)
{
    fsm->on_ended = callback;
    fsm->on_ended_arg = arg;
}

/* Counts from scratch, without any of the machine's lists. */
#include "tests/unit/fsm_law/recount.h"

#include <stdlib.h>

/* By slot of the cover, the tenant, and the session. */
struct counts {
    uint32_t *cover_sessions, *cover_tasks, *tenant_clients;
    uint64_t *tenant_bytes, *session_bytes;
};

static void *room(const struct fsm *fsm, enum fsm_table table, size_t size)
{
    void *memory = calloc((size_t)table_capacity(fsm->tables[table]) + 1, size);

    assert_non_null(memory);
    return memory;
}

#define EACH(slot, table)                                                                          \
    uint32_t slot = table_next(table, SLOT_NONE);                                                  \
    slot != SLOT_NONE;                                                                             \
    slot = table_next(table, slot)

static void count_sessions(const struct fsm *fsm, struct counts *counts, struct recounted *sum)
{
    const struct table *sessions = fsm->tables[FSM_SESSIONS];
    const struct table *keys = fsm->tables[FSM_KEYS];

    for (EACH(slot, keys)) {
        const struct key_record *key = table_read(keys, slot);

        counts->session_bytes[key->session] += key->key_size + key->value_size;
    }
    for (EACH(slot, sessions)) {
        const struct session_record *session = table_read(sessions, slot);

        for (size_t kind = 0; kind < COVER_KINDS; kind++) {
            counts->cover_sessions[session->head.cover[kind]]++;
        }
        assert_int_equal(session->state_bytes, counts->session_bytes[slot]);
        counts->tenant_bytes[session->head.tenant] += session->state_bytes;
        sum->bytes += session->state_bytes;
        sum->sessions++;
    }
}

static void count_tasks(const struct fsm *fsm, struct counts *counts, struct recounted *sum)
{
    const struct table *tasks = fsm->tables[FSM_TASKS];

    for (EACH(slot, tasks)) {
        const struct task_record *task = table_read(tasks, slot);
        struct fsm_session own = fsm_session_of(fsm, task->session);

        assert_non_null(own.head);
        for (size_t kind = 0; kind < COVER_KINDS; kind++) {
            counts->cover_tasks[own.head->cover[kind]]++;
        }
        sum->tasks++;
    }
}

static void compare(const struct fsm *fsm, const struct counts *counts)
{
    const struct table *covers = fsm->tables[FSM_COVERS];
    const struct table *tenants = fsm->tables[FSM_TENANTS];

    for (EACH(slot, covers)) {
        const struct cover_record *cover = table_read(covers, slot);

        assert_int_equal(cover->session_count, counts->cover_sessions[slot]);
        assert_int_equal(cover->task_count, counts->cover_tasks[slot]);
    }
    for (EACH(slot, tenants)) {
        const struct tenant_record *tenant = table_read(tenants, slot);

        assert_int_equal(tenant->client_count, counts->tenant_clients[slot]);
        assert_int_equal(tenant->state_bytes, counts->tenant_bytes[slot]);
    }
}

void recount(const struct fsm *fsm, struct recounted *ret_sum)
{
    const struct table *clients = fsm->tables[FSM_CLIENTS];
    struct counts counts = {.cover_sessions = room(fsm, FSM_COVERS, sizeof *counts.cover_sessions),
                            .cover_tasks = room(fsm, FSM_COVERS, sizeof *counts.cover_tasks),
                            .tenant_clients = room(fsm, FSM_TENANTS, sizeof *counts.tenant_clients),
                            .tenant_bytes = room(fsm, FSM_TENANTS, sizeof *counts.tenant_bytes),
                            .session_bytes = room(fsm, FSM_SESSIONS, sizeof *counts.session_bytes)};

    *ret_sum = (struct recounted){0, 0, 0, 0};
    count_sessions(fsm, &counts, ret_sum);
    count_tasks(fsm, &counts, ret_sum);
    for (EACH(slot, clients)) {
        counts.tenant_clients[((const struct client_record *)table_read(clients, slot))->tenant]++;
        ret_sum->clients++;
    }
    compare(fsm, &counts);
    free(counts.cover_sessions);
    free(counts.cover_tasks);
    free(counts.tenant_clients);
    free(counts.tenant_bytes);
    free(counts.session_bytes);
}

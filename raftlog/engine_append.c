/* A received AppendEntries, stepped in parts; and who may vote. Carries out no update (engine.c).
 *
 * The core records a CHANGE rightly only when it is the first of what it gets, and rolls back to
 * the right one only when it has been told of each that is committed (guard.h, M1 and M1b). So a
 * message becomes several: each CHANGE alone, and before it word of the CHANGE before.
 */
#include "base/assert.h"
#include "raftlog/engine_raft.h"
#include "raftlog/guard.h"

/* Entries and batch of one part: the batch is the core's on every way but one. */
static void step_part(struct rlog_engine *engine, struct raft_message *message)
{
    struct raft_append_entries *part = &message->append_entries;
    void *batch = NULL;
    if (part->n_entries > 0) {
        batch = raft_malloc(1);
        ASSERT(batch != NULL);
        for (unsigned i = 0; i < part->n_entries; i++) {
            part->entries[i].batch = batch;
        }
    }
    struct raft_event event = {.type = RAFT_RECEIVE, .receive = {.message = message}};
    unsigned flags = 0;
    rlog_engine_step(engine, &event, NULL, &flags);
    if (batch != NULL && (flags & (unsigned)(RAFT_UPDATE_ENTRIES)) != 0) {
        raft_free(batch);
    }
}

static void settle_change(struct rlog_engine *engine, const struct raft_append_entries *part)
{
    uint64_t previous = part->prev_log_index;
    raft_index before = rlog_guard_settled(&engine->raft, part,
                                           rlog_log_term(engine->rlog->log, previous));
    if (before != 0 && before >= rlog_log_start(engine->rlog->log)) {
        rlog_engine_configure(engine, before);
    }
}

void rlog_engine_append(struct rlog_engine *engine, struct rlog_received *received)
{
    const struct rlog *rlog = engine->rlog;
    struct raft_append_entries rest = received->message.append_entries;
    bool more = true;
    while (more && rlog_alive(rlog)) {
        struct raft_message message = received->message;
        struct raft_append_entries *part = &message.append_entries;
        *part = rest;
        part->n_entries = rlog_guard_part(&rest);
        settle_change(engine, part);
        uint64_t end = rest.prev_log_index + part->n_entries;
        uint64_t end_term = part->n_entries == 0 ? rest.prev_log_term
                                                 : part->entries[part->n_entries - 1].term;
        step_part(engine, &message);
        if (part->n_entries > 0) { /* without any there may be no array */
            rest.entries += part->n_entries;
        }
        rest.n_entries -= part->n_entries;
        rest.prev_log_index = end;
        rest.prev_log_term = end_term;
        /* What was not taken is sent again, and what follows it with it. */
        more = rest.n_entries > 0 && raft_state(&engine->raft) == RAFT_FOLLOWER &&
               rlog_log_term(rlog->log, end) == end_term;
    }
}

bool rlog_engine_votes(const struct rlog_engine *engine)
{
    const struct rlog *rlog = engine->rlog;
    const struct rlog_roll *roll = &rlog->members.roll;
    size_t self = rlog_roll_find(roll, rlog->config.id);
    if (self == roll->count) {
        return true; /* the core says no by itself */
    }
    return id128_equal(roll->list[self].store, rlog->store.store_id) ||
           (id128_is_zero(roll->list[self].store) && !rlog_joined(rlog));
}

/* Carries out libraft's updates in the order of raft.md section 3. Knows no connection and no file
 * format.
 *
 * One event, one update:
 *   step -> 1 term and vote durable -> 2 entries into the log -> 3 snapshot takes the log's place
 *        -> 4 messages leave -> 5 commit noted, installed snapshot restored -> 6 timer
 * Role changes and applies follow from rlog_settle.
 *
 * Invariants:
 *   E1  no message of an update leaves before its term and vote are durable
 *   E2  entries are in our log before a message that names them is encoded
 *   E3  `commit` never goes back (M9); applied <= commit
 *   E4  a durable index is reported only when it is above what the core knows and within its log
 *   E5  the core's configuration is the roll at our log's end
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "raftlog/engine_raft.h"
#include "raftlog/guard.h"
#include "raftlog/peers.h"
#include "raftlog/repair.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/streams.h"

static uint64_t now_ms(const struct rlog_engine *engine)
{
    return env_mono_us(engine->rlog->env) / 1000;
}

/* ---- an update, in order ---- */

/* 1. */
static bool store_vote(struct rlog_engine *engine)
{
    struct rlog *rlog = engine->rlog;
    struct rlog_vote after = {raft_current_term(&engine->raft), raft_voted_for(&engine->raft)};
    if (after.term == rlog->vote.term && after.voted_for == rlog->vote.voted_for) {
        return true;
    }
    int rc = rlog_vote_store(rlog->env, rlog->config.folder, rlog->store.store_id, rlog->vote,
                             after);
    if (rc != 0) {
        rlog_fail(rlog, rc, "term and vote cannot be stored: %s", env_error_text(rc));
        return false;
    }
    rlog->vote = after;
    return true;
}

/* The log was cut off: what is left says who belongs to the cluster. */
static void note_again(struct rlog *rlog)
{
    rlog_members_rewind(&rlog->members);
    for (uint64_t i = rlog->engine->applied + 1; i <= rlog_log_last(rlog->log); i++) {
        struct rlog_log_entry entry = rlog_log_entry(rlog->log, i);
        (void)rlog_members_note(&rlog->members, entry.type, entry.payload);
    }
}

/* 2. `local`: they were submitted here. */
static void append_entries(struct rlog_engine *engine, const struct raft_update *update, bool local)
{
    struct rlog *rlog = engine->rlog;
    uint64_t index = update->entries.index;
    if (index <= rlog_log_last(rlog->log)) {
        rlog_log_truncate(rlog->log, index);
        note_again(rlog);
    }
    ASSERT(index == rlog_log_last(rlog->log) + 1);
    for (unsigned i = 0; i < update->entries.n; i++) {
        const struct raft_entry *entry = &update->entries.batch[i];
        struct rlog_log_entry stored = {entry->term, rlog_entry_type_of(entry->type),
                                        bytes_of(entry->buf.base, entry->buf.len)};
        rlog_log_append(rlog->log, &stored);
        if (stored.type == RLOG_COMMAND) {
            rlog->machine.appended(rlog->machine.arg, stored.term, local, stored.payload);
        } else {
            bool readable = rlog_members_note(&rlog->members, stored.type, stored.payload);
            ASSERT(readable); /* the guards and rlog_change have read it */
        }
    }
    ASSERT(rlog_guard_agrees(&engine->raft, &rlog->members.roll)); /* E5 */
    if (update->entries.batch == &engine->raft.barrier) {
        raft_free(engine->raft.barrier.batch);
        engine->raft.barrier.batch = NULL;
    }
}

/* 3, after the messages have left. The file is durable already, and the machine holds a second
 * state made of it: that becomes the state, and we say so. All in one turn of the loop, so that
 * nobody ever sees the core with a snapshot and the machine without it. */
static void finish_install(struct rlog_engine *engine, struct raft_snapshot_metadata *metadata)
{
    struct rlog *rlog = engine->rlog;
    uint64_t index = metadata->index;
    rlog->machine.restore_take(rlog->machine.arg);
    bool readable = rlog_members_restore(&rlog->members, engine->arriving->meta.configuration);
    ASSERT(readable); /* rlog_engine_install has read it before */
    engine->applied = index;
    engine->commit = rlog_guard_commit(engine->commit, index);
    engine->configuration_index = metadata->configuration_index;
    rlog_snapshot_task_installed(rlog, engine->arriving);
    struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT,
                               .persisted_snapshot = {.metadata = *metadata, .last = true}};
    rlog_engine_step(engine, &event, NULL, NULL);
}

/* M4: an entry of our own term, when the core saw no need for one. */
static void own_barrier(struct rlog_engine *engine)
{
    static const uint8_t zeros[8] = {0};
    uint64_t index;
    if (raft_state(&engine->raft) != RAFT_LEADER || engine->own_first != 0) {
        return;
    }
    (void)rlog_engine_submit(engine->rlog, RLOG_BARRIER, bytes_of(zeros, sizeof zeros), &index);
}

static void note_leadership(struct rlog_engine *engine, const struct raft_update *update)
{
    if ((update->flags & (unsigned)(RAFT_UPDATE_STATE)) != 0) {
        engine->own_first = 0;
    }
    if (raft_state(&engine->raft) == RAFT_LEADER && engine->own_first == 0 &&
        (update->flags & (unsigned)(RAFT_UPDATE_ENTRIES)) != 0) {
        engine->own_first = update->entries.index;
    }
}

/* 6. */
static void set_timer(struct rlog_engine *engine)
{
    uint64_t heartbeat_ms = engine->rlog->config.heartbeat_us / 1000;
    uint64_t at_ms = rlog_guard_tick(raft_timeout(&engine->raft), engine->tick_ms, heartbeat_ms);
    if (at_ms == engine->timer_at_ms || engine->halted) {
        return;
    }
    uint64_t now_us = env_mono_us(engine->rlog->env);
    uint64_t at_us = at_ms * 1000;
    engine->timer_at_ms = at_ms;
    env_timer_start(engine->timer, at_us > now_us ? at_us - now_us : 0);
}

static void carry_out(struct rlog_engine *engine, const struct raft_update *update, bool local)
{
    struct rlog *rlog = engine->rlog;
    const unsigned vote_flags = (unsigned)(RAFT_UPDATE_CURRENT_TERM) |
                                (unsigned)(RAFT_UPDATE_VOTED_FOR);
    struct raft_snapshot_metadata metadata;
    bool install = (update->flags & (unsigned)(RAFT_UPDATE_SNAPSHOT)) != 0;
    if ((update->flags & vote_flags) != 0 && !store_vote(engine)) {
        if (install) {
            metadata = update->snapshot.metadata;
            raft_configuration_close(&metadata.configuration);
        }
        return;
    }
    if ((update->flags & (unsigned)(RAFT_UPDATE_ENTRIES)) != 0) {
        append_entries(engine, update, local);
    }
    note_leadership(engine, update);
    if (install) {
        metadata = update->snapshot.metadata;
        rlog_snapshot_task_abort(rlog);
        rlog_log_restart(rlog->log, metadata.index, metadata.term);
    }
    if ((update->flags & (unsigned)(RAFT_UPDATE_MESSAGES)) != 0) {
        rlog_translate_send(engine, update->messages.batch, update->messages.n);
    }
    if (install) {
        finish_install(engine, &metadata);
    } else if (!engine->raft.snapshot.installing) {
        engine->commit = rlog_guard_commit(engine->commit, raft_commit_index(&engine->raft));
    }
    raft_index changed = engine->raft.configuration_uncommitted_index;
    if (changed != 0 && changed <= engine->commit && changed <= rlog_log_last(rlog->log) &&
        !engine->raft.snapshot.installing) {
        rlog_engine_configure(engine, changed);
    }
    set_timer(engine);
}

void rlog_engine_configure(struct rlog_engine *engine, uint64_t index)
{
    struct raft_event event = {.type = RAFT_CONFIGURATION};
    struct rlog_log_entry entry = rlog_log_entry(engine->rlog->log, index);
    event.configuration.index = index;
    bool decoded = rlog_engine_decode(entry.payload, &event.configuration.conf);
    ASSERT(decoded); /* the core has it already */
    rlog_engine_step(engine, &event, NULL, NULL);
}

void rlog_engine_step(struct rlog_engine *engine, struct raft_event *event, int *ret_rc,
                      unsigned *ret_flags)
{
    struct raft_update update;
    memset(&update, 0, sizeof update);
    event->time = now_ms(engine);
    bool local = event->type == RAFT_SUBMIT;
    int rc = raft_step(&engine->raft, event, &update);
    if (ret_rc != NULL) {
        *ret_rc = rc;
    } else if (rc == RAFT_SHUTDOWN) {
        rlog_fail(
            engine->rlog, ENV_INVALID,
            "a committed entry differs from the leader's: this node's data is not trustworthy");
    } else if (rc != 0) {
        rlog_fail(engine->rlog, ENV_FAILED, "the Raft core gave up: %s", raft_strerror(rc));
    }
    if (ret_flags != NULL) {
        *ret_flags = rc == 0 ? update.flags : 0;
    }
    if (rc == 0) {
        rlog_guard_answers(&engine->raft, event, update.messages.batch, update.messages.n);
        carry_out(engine, &update, local);
    }
}

void rlog_engine_on_timer(void *arg)
{
    struct rlog_engine *engine = arg;
    if (engine->halted) {
        return;
    }
    engine->timer_at_ms = 0;
    engine->tick_ms = now_ms(engine);
    if (raft_state(&engine->raft) == RAFT_FOLLOWER && !rlog_engine_votes(engine)) {
        env_timer_start(engine->timer, engine->rlog->config.election_us); /* it only listens */
        return;
    }
    struct raft_event event = {.type = RAFT_TIMEOUT};
    struct rlog_guard_undo undo = {NULL, 0};
    if (rlog_repair_needed(engine->rlog)) {
        rlog_guard_stand_aside(&engine->raft, &undo); /* D1 */
    }
    rlog_engine_step(engine, &event, NULL, NULL);
    rlog_guard_received(&undo);
    rlog_settle(engine->rlog);
}

/* ---- events ---- */

/* D1, and the log's new beginning before a leader's first entries. False: nothing is to come of the
 * message. */
static bool take_without_vote(struct rlog *rlog, const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
    case RAFT_REQUEST_VOTE_RESULT:
    case RAFT_TIMEOUT_NOW:
        return false;
    case RAFT_APPEND_ENTRIES:
        return message->append_entries.term < raft_current_term(&rlog->engine->raft) ||
               rlog_repair_renew(rlog);
    case RAFT_APPEND_ENTRIES_RESULT:
    case RAFT_INSTALL_SNAPSHOT:
        return true;
    }
    UNREACHABLE("a message type outside its enum");
}

bool rlog_engine_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body)
{
    struct rlog_engine *engine = rlog->engine;
    struct rlog_received received;
    struct rlog_guard_undo undo;
    if (!rlog_translate_receive(rlog, from, kind, body, &received)) {
        return false;
    }
    enum rlog_guard_verdict verdict = rlog_guard_receive(&engine->raft, &received.message,
                                                         now_ms(engine), &undo);
    if (verdict != RLOG_GUARD_STEP) {
        rlog_received_done(&received);
        if (verdict == RLOG_GUARD_WENT_BACK) {
            rlog_peers_refuse(rlog, from,
                              "node %llu's log went back: its folder is older than what it "
                              "acknowledged: empty it, make it anew with tenured --join, and say "
                              "tenurectl member replace",
                              (unsigned long long)from);
        }
        return verdict != RLOG_GUARD_BROKEN;
    }
    if (rlog_repair_needed(rlog) && !take_without_vote(rlog, &received.message)) {
        rlog_guard_received(&undo);
        rlog_received_done(&received);
        return true;
    }
    if (received.message.type == RAFT_APPEND_ENTRIES) {
        rlog_engine_append(engine, &received);
    } else if (rlog_engine_votes(engine) || (received.message.type != RAFT_REQUEST_VOTE &&
                                             received.message.type != RAFT_TIMEOUT_NOW)) {
        struct raft_event event = {.type = RAFT_RECEIVE, .receive = {.message = &received.message}};
        rlog_engine_step(engine, &event, NULL, NULL);
    }
    rlog_guard_received(&undo);
    rlog_received_done(&received);
    own_barrier(engine);
    return true;
}

enum rlog_submit rlog_engine_submit(struct rlog *rlog, enum rlog_entry_type type,
                                    struct bytes payload, uint64_t *ret_index)
{
    struct rlog_engine *engine = rlog->engine;
    struct raft_entry entry = {
        .term = raft_current_term(&engine->raft),
        .type = rlog_raft_type(type),
        .buf = {.base = (void *)(uintptr_t)payload.data, .len = payload.size},
        .batch = (void *)(uintptr_t)payload.data, /* ours in any case: never freed by the core */
    };
    uint64_t index = raft_last_index(&engine->raft) + 1;
    struct raft_event event = {.type = RAFT_SUBMIT, .submit = {.entries = &entry, .n = 1}};
    int rc = 0;
    rlog_engine_step(engine, &event, &rc, NULL);
    if (rc == RAFT_NOTLEADER) {
        return RLOG_NOT_LEADER;
    }
    if (rc != 0) {
        return RLOG_BUSY;
    }
    *ret_index = index;
    return RLOG_SUBMITTED;
}

void rlog_engine_stored(struct rlog *rlog, uint64_t index)
{
    struct rlog_engine *engine = rlog->engine;
    if (index <= engine->raft.last_stored || index > raft_last_index(&engine->raft) ||
        engine->raft.snapshot.installing) {
        return;
    }
    struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES,
                               .persisted_entries = {.index = index}};
    rlog_engine_step(engine, &event, NULL, NULL);
}

bool rlog_engine_install(struct rlog *rlog, uint64_t from, uint64_t term,
                         const struct rlog_snapshot_info *info)
{
    struct rlog_engine *engine = rlog->engine;
    struct raft_message message;
    struct rlog_guard_undo undo;
    memset(&message, 0, sizeof message);
    if (!rlog_engine_decode(info->meta.configuration, &message.install_snapshot.conf)) {
        return false;
    }
    message.type = RAFT_INSTALL_SNAPSHOT;
    message.server_id = from;
    message.server_address = rlog_peers_place(rlog, from);
    message.install_snapshot.term = term;
    message.install_snapshot.last_index = info->meta.index;
    message.install_snapshot.last_term = info->meta.term;
    message.install_snapshot.conf_index = info->meta.configuration_index;
    if (rlog_repair_waits(rlog) ||
        rlog_guard_receive(&engine->raft, &message, now_ms(engine), &undo) != RLOG_GUARD_STEP) {
        raft_configuration_close(&message.install_snapshot.conf);
        return true;
    }
    engine->arriving = info;
    struct raft_event event = {.type = RAFT_RECEIVE, .receive = {.message = &message}};
    rlog_engine_step(engine, &event, NULL, NULL);
    engine->arriving = NULL;
    return true;
}

void rlog_engine_snapshot_taken(struct rlog *rlog, uint64_t index, uint64_t configuration_index)
{
    struct rlog_engine *engine = rlog->engine;
    uint64_t trailing = rlog->config.trailing;
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    struct raft_event event = {.type = RAFT_SNAPSHOT, .snapshot = {.trailing = (unsigned)trailing}};
    struct raft_snapshot_metadata *metadata = &event.snapshot.metadata;
    /* The core has been told of that configuration long since, and looks at the index alone. */
    ASSERT(configuration_index <= engine->raft.configuration_committed_index);
    bool decoded = rlog_engine_decode(rlog_roll_write(&rlog->members.applied, buffer),
                                      &metadata->configuration);
    ASSERT(decoded);
    metadata->index = index;
    metadata->term = rlog_log_term(rlog->log, index);
    metadata->configuration_index = configuration_index;
    rlog_engine_step(engine, &event, NULL, NULL);
    if (index > trailing && index - trailing >= rlog_log_start(rlog->log)) {
        rlog_snapshot_task_prune(rlog, index - trailing + 1);
    }
}

void rlog_engine_forget_match(struct rlog *rlog, uint64_t id)
{
    rlog_guard_forget_match(&rlog->engine->raft, id);
}

bool rlog_engine_transfer_to(struct rlog *rlog, uint64_t id)
{
    struct raft_event event = {.type = RAFT_TRANSFER, .transfer = {.server_id = id}};
    int rc = 0;
    if (!rlog_peers_connected(rlog, id) || rlog_repair_of(rlog, id) ||
        !rlog_guard_may_take_over(&rlog->engine->raft, id)) { /* M10 */
        return false;
    }
    rlog_engine_step(rlog->engine, &event, &rc, NULL);
    return rc == 0;
}

void rlog_engine_transfer(struct rlog *rlog)
{
    const struct rlog_roll *roll = &rlog->members.roll;
    for (size_t i = 0; i < roll->count; i++) {
        if (rlog_engine_transfer_to(rlog, roll->list[i].id)) {
            return;
        }
    }
}

/* ---- what follows ---- */

bool rlog_engine_notify(struct rlog *rlog)
{
    struct rlog_engine *engine = rlog->engine;
    enum rlog_role role = rlog_engine_role(rlog);
    uint64_t term = rlog_engine_term(rlog);
    uint64_t leader = rlog_engine_leader(rlog);
    own_barrier(engine);
    if (engine->told && role == engine->told_role && term == engine->told_term &&
        leader == engine->told_leader) {
        return false;
    }
    engine->told = true;
    engine->told_role = role;
    engine->told_term = term;
    engine->told_leader = leader;
    env_log(rlog->env, ENV_LOG_INFO, "raft", "role=%s term=%llu leader=%llu",
            raft_state_name((int)raft_state(&engine->raft)), (unsigned long long)term,
            (unsigned long long)leader);
    rlog_streams_follow_role(rlog);
    rlog->machine.role_changed(rlog->machine.arg, role, term, leader);
    return true;
}

/* Never skipped: what is behind it would be applied to another state than the others have. */
static void not_understood(struct rlog *rlog, uint64_t index, uint64_t term, const char *what)
{
    rlog_fail(rlog, ENV_LIMIT,
              "the %s at %llu of term %llu cannot be understood by this program: upgrade this "
              "node, its data is untouched and a later tenured goes on from it",
              what, (unsigned long long)index, (unsigned long long)term);
}

static void apply_one(struct rlog_engine *engine, uint64_t index)
{
    struct rlog *rlog = engine->rlog;
    struct rlog_log_entry entry = rlog_log_entry(rlog->log, index);
    engine->applied = index;
    switch (entry.type) {
    case RLOG_COMMAND:
        if (!rlog->machine.apply(rlog->machine.arg, index, entry.term, entry.payload)) {
            not_understood(rlog, index, entry.term, "entry");
        }
        break;
    case RLOG_CHANGE:
        engine->configuration_index = index;
        if (!rlog_members_apply(&rlog->members, entry.type, entry.payload)) {
            not_understood(rlog, index, entry.term, "change of the members");
        }
        break;
    case RLOG_BARRIER:
        if (!rlog_members_apply(&rlog->members, entry.type, entry.payload)) {
            not_understood(rlog, index, entry.term, "binding of a disk");
        }
        break;
    }
}

bool rlog_engine_apply(struct rlog *rlog)
{
    struct rlog_engine *engine = rlog->engine;
    uint64_t last = rlog_log_last(rlog->log);
    uint64_t end = engine->commit < last ? engine->commit : last;
    if (engine->applied >= end) {
        return false;
    }
    if (end - engine->applied > RLOG_APPLY_ENTRIES) {
        end = engine->applied + RLOG_APPLY_ENTRIES;
        rlog_settle_soon(rlog);
    }
    while (engine->applied < end && rlog_alive(rlog)) {
        apply_one(engine, engine->applied + 1);
        if (rlog_alive(rlog)) {
            rlog_snapshot_task_applied(rlog);
        }
    }
    return true;
}

/* ---- looking ---- */

enum rlog_role rlog_engine_role(const struct rlog *rlog)
{
    switch (raft_state((struct raft *)&rlog->engine->raft)) {
    case RAFT_LEADER:
        return RLOG_LEADER;
    case RAFT_CANDIDATE:
        return RLOG_CANDIDATE;
    case RAFT_FOLLOWER:
    case RAFT_UNAVAILABLE:
        return RLOG_FOLLOWER;
    }
    UNREACHABLE("a state outside its enum");
}

uint64_t rlog_engine_term(const struct rlog *rlog)
{
    return raft_current_term(&rlog->engine->raft);
}

uint64_t rlog_engine_leader(const struct rlog *rlog)
{
    raft_id id = 0;
    const char *address = NULL;
    raft_leader((struct raft *)&rlog->engine->raft, &id, &address);
    return id;
}

uint64_t rlog_engine_commit(const struct rlog *rlog)
{
    return rlog->engine->commit;
}

bool rlog_engine_match(const struct rlog *rlog, uint64_t id, uint64_t *ret_match)
{
    raft_index match = 0;
    if (rlog_engine_role(rlog) != RLOG_LEADER ||
        raft_match_index(&rlog->engine->raft, id, &match) != 0) {
        return false;
    }
    *ret_match = match;
    return true;
}

uint64_t rlog_engine_applied(const struct rlog *rlog)
{
    return rlog->engine->applied;
}

uint64_t rlog_engine_own_first(const struct rlog *rlog)
{
    return rlog->engine->own_first;
}

uint64_t rlog_engine_configured(const struct rlog *rlog)
{
    const struct raft *raft = &rlog->engine->raft;
    return raft->configuration_uncommitted_index != 0 ? raft->configuration_uncommitted_index
                                                      : raft->configuration_committed_index;
}

uint64_t rlog_engine_settled(const struct rlog *rlog)
{
    uint64_t index = rlog->engine->configuration_index;
    return index == 0 && rlog->members.roll.count > 0 && !rlog_joined(rlog)
               ? 1
               : index; /* the first one is, by definition */
}

uint64_t rlog_engine_unsettled(const struct rlog *rlog, uint64_t *ret_term)
{
    uint64_t index = rlog_engine_configured(rlog);
    if (index <= rlog_engine_settled(rlog)) {
        return 0;
    }
    *ret_term = rlog_log_term(rlog->log, index);
    return index;
}

bool rlog_engine_ends_before(const struct rlog *rlog, uint64_t term, uint64_t index)
{
    uint64_t last = rlog_log_last(rlog->log);
    uint64_t last_term = rlog_log_term(rlog->log, last);
    return term > last_term || (term == last_term && index > last);
}

bool rlog_engine_may_change(const struct rlog *rlog)
{
    const struct rlog_engine *engine = rlog->engine;
    return rlog_guard_may_change(&engine->raft, engine->own_first, engine->commit);
}

bool rlog_engine_transferring(const struct rlog *rlog)
{
    return raft_transferee(&rlog->engine->raft) != 0;
}

/* Starts and ends libraft's core: its settings, the START event, configurations in its encoding.
 * Carries out no update (engine.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/random.h"
#include "raftlog/engine_raft.h"
#include "raftlog/guard.h"

/* ---- configurations ---- */

struct bytes rlog_engine_first_configuration(const struct rlog_birth *birth, uint8_t *buffer)
{
    struct raft_configuration configuration;
    struct raft_buffer encoded = {NULL, 0};
    struct bytes result = BYTES_NONE;
    raft_configuration_init(&configuration);
    int rc = birth->member_count == 0 ? RAFT_INVALID : 0;
    for (size_t i = 0; rc == 0 && i < birth->member_count; i++) {
        const struct rlog_member *member = &birth->members[i];
        rc = raft_configuration_add(&configuration, member->id, member->address, RAFT_VOTER);
    }
    if (rc == 0 && raft_configuration_encode(&configuration, &encoded) == 0 &&
        encoded.len <= RLOG_CONFIGURATION_MAX) {
        memcpy(buffer, encoded.base, encoded.len);
        result = bytes_of(buffer, encoded.len);
    }
    raft_free(encoded.base);
    raft_configuration_close(&configuration);
    return result;
}

bool rlog_engine_decode(struct bytes encoded, struct raft_configuration *ret_configuration)
{
    struct raft_buffer buffer = {(void *)(uintptr_t)encoded.data, encoded.size};
    raft_configuration_init(ret_configuration);
    if (!rlog_guard_configuration(encoded) ||
        raft_configuration_decode(&buffer, ret_configuration) != 0) {
        raft_configuration_close(ret_configuration);
        return false;
    }
    return true;
}

struct bytes rlog_engine_configuration(const struct rlog *rlog, uint8_t *buffer,
                                       uint64_t *ret_index)
{
    const struct rlog_engine *engine = rlog->engine;
    struct raft_buffer encoded = {NULL, 0};
    struct bytes result = BYTES_NONE;
    if (raft_configuration_encode(&engine->raft.configuration, &encoded) == 0) {
        result = rlog_members_write_configuration(&rlog->members,
                                                  bytes_of(encoded.base, encoded.len), buffer);
        *ret_index = engine->configuration_index;
    }
    raft_free(encoded.base);
    return result;
}

/* ---- start ---- */

static struct raft_entry *load_entries(const struct rlog_log *log, void *batch, unsigned count)
{
    struct raft_entry *entries = raft_calloc(count, sizeof *entries);
    ASSERT(entries != NULL);
    uint64_t start = rlog_log_start(log);
    for (unsigned i = 0; i < count; i++) {
        struct rlog_log_entry entry = rlog_log_entry(log, start + i);
        entries[i].term = entry.term;
        entries[i].type = rlog_raft_type(entry.type);
        entries[i].buf.base = (void *)(uintptr_t)entry.payload.data;
        entries[i].buf.len = entry.payload.size;
        entries[i].batch = batch;
    }
    return entries;
}

/* Entries and batch stay ours when the core accepts them and are freed by it when not. */
static int start_core(struct rlog_engine *engine, struct raft_snapshot_metadata *metadata)
{
    struct rlog *rlog = engine->rlog;
    unsigned count = (unsigned)(rlog_log_last(rlog->log) + 1 - rlog_log_start(rlog->log));
    void *batch = NULL;
    struct raft_entry *entries = NULL;
    if (count > 0) {
        batch = raft_malloc(1);
        ASSERT(batch != NULL);
        entries = load_entries(rlog->log, batch, count);
    }
    struct raft_event event = {.type = RAFT_START,
                               .start = {.term = rlog->vote.term,
                                         .voted_for = rlog->vote.voted_for,
                                         .metadata = metadata,
                                         .start_index = rlog_log_start(rlog->log),
                                         .entries = entries,
                                         .n_entries = count}};
    int rc = 0;
    rlog_engine_step(engine, &event, &rc, NULL);
    if (rc == 0) {
        raft_free(batch);
        raft_free(entries);
    }
    return rc == 0 ? 0 : ENV_INVALID;
}

/* M2: a single voter leads from START on, so its new term and vote are durable before. */
static int vote_for_a_single_voter(struct rlog *rlog)
{
    if (rlog->members.count != 1) {
        return 0;
    }
    struct rlog_vote after = {rlog->vote.term + 1, rlog->config.id};
    int rc = rlog_vote_store(rlog->env, rlog->config.folder, rlog->store.store_id, rlog->vote,
                             after);
    if (rc == 0) {
        rlog->vote = after;
    }
    return rc;
}

static int open_core(struct rlog_engine *engine, char *error, size_t error_size)
{
    struct rlog *rlog = engine->rlog;
    unsigned seed = 0;
    size_t self = rlog_members_find(&rlog->members, rlog->config.id);
    if (raft_init(&engine->raft, NULL, NULL, rlog->config.id, rlog->members.list[self].address) !=
        0) {
        snprintf(error, error_size, "the Raft core does not start");
        return ENV_FAILED;
    }
    engine->opened = true;
    engine->raft.tracer = NULL;
    env_random(rlog->env, &seed, sizeof seed);
    raft_seed(&engine->raft, seed);
    raft_set_pre_vote(&engine->raft, true);
    raft_set_election_timeout(&engine->raft, (unsigned)(rlog->config.election_us / 1000));
    raft_set_heartbeat_timeout(&engine->raft, (unsigned)(rlog->config.heartbeat_us / 1000));
    raft_set_max_inflight_entries(&engine->raft, RLOG_INFLIGHT_ENTRIES);
    return 0;
}

int rlog_engine_create(struct rlog *rlog, const struct rlog_snapshot_info *snapshot, char *error,
                       size_t error_size)
{
    struct rlog_engine *engine = calloc(1, sizeof *engine);
    ASSERT(engine != NULL);
    engine->rlog = rlog;
    rlog->engine = engine;
    engine->timer = env_timer_create(rlog->env, rlog_engine_on_timer, engine);
    engine->configuration_index = 1;
    int rc = open_core(engine, error, error_size);
    if (rc != 0) {
        return rc;
    }
    rc = vote_for_a_single_voter(rlog);
    if (rc != 0) {
        snprintf(error, error_size, "term and vote cannot be stored: %s", env_error_text(rc));
        return rc;
    }
    struct raft_snapshot_metadata metadata;
    if (snapshot != NULL) {
        struct bytes raft = BYTES_NONE;
        if (!rlog_members_read_configuration(snapshot->meta.configuration, &rlog->members, &raft) ||
            !rlog_engine_decode(raft, &metadata.configuration)) {
            snprintf(error, error_size, "the snapshot's list of members cannot be read");
            return ENV_INVALID;
        }
        metadata.index = snapshot->meta.index;
        metadata.term = snapshot->meta.term;
        metadata.configuration_index = snapshot->meta.configuration_index;
        engine->configuration_index = metadata.configuration_index;
        engine->applied = metadata.index;
        engine->commit = metadata.index;
    }
    rc = start_core(engine, snapshot != NULL ? &metadata : NULL);
    if (rc != 0) {
        snprintf(error, error_size, "the Raft core refuses this log");
    }
    return rc;
}

void rlog_engine_halt(struct rlog *rlog)
{
    if (rlog->engine != NULL) {
        rlog->engine->halted = true;
        env_timer_stop(rlog->engine->timer);
    }
}

void rlog_engine_destroy(struct rlog *rlog)
{
    struct rlog_engine *engine = rlog->engine;
    if (engine == NULL) {
        return;
    }
    env_timer_destroy(engine->timer);
    if (engine->opened) {
        raft_close(&engine->raft, NULL);
    }
    free(engine);
    rlog->engine = NULL;
}

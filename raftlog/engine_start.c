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

bool rlog_engine_decode(struct bytes encoded, struct raft_configuration *ret_configuration)
{
    struct raft_buffer buffer = {(void *)(uintptr_t)encoded.data, encoded.size};
    struct rlog_roll roll;
    raft_configuration_init(ret_configuration);
    if (!rlog_roll_read(encoded, &roll) ||
        raft_configuration_decode(&buffer, ret_configuration) != 0) {
        raft_configuration_close(ret_configuration);
        return false;
    }
    return true;
}

struct bytes rlog_engine_configuration(const struct rlog *rlog, uint8_t *buffer,
                                       uint64_t *ret_index)
{
    *ret_index = rlog->engine->configuration_index;
    return rlog_roll_write(&rlog->members.applied, buffer);
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
    const struct rlog_roll *roll = &rlog->members.roll;
    if (rlog_roll_voters(roll) != 1 || !rlog_roll_votes(roll, rlog->config.id)) {
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
    if (raft_init(&engine->raft, NULL, NULL, rlog->config.id, rlog->config.listen) != 0) {
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
        if (!rlog_engine_decode(snapshot->meta.configuration, &metadata.configuration)) {
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
    } else if (!rlog_guard_agrees(&engine->raft, &rlog->members.roll)) {
        snprintf(error, error_size, "the Raft core reads another list of members in this log");
        rc = ENV_INVALID;
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

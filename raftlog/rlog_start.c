/* Formatting a folder and starting on one: puts the parts together. Each part does its own work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/net.h"
#include "raftlog/engine.h"
#include "raftlog/met.h"
#include "raftlog/peers.h"
#include "raftlog/reads.h"
#include "raftlog/repair.h"
#include "raftlog/sealed.h"
#include "raftlog/rlog.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/snapshots.h"
#include "raftlog/streams.h"

enum { FIRST_SEGMENT_BYTES = 1024 * 1024 /* later ones are of the configured size */ };

void rlog_config_init(struct rlog_config *config)
{
    memset(config, 0, sizeof *config);
    config->election_us = 500 * 1000;
    config->heartbeat_us = 50 * 1000;
    config->segment_bytes = 64 * 1024 * 1024;
    config->snapshot_bytes = 64 * 1024 * 1024;
    config->trailing = 4096;
    config->backlog_max = RLOG_INFLIGHT_ENTRIES; /* what waits longer gathers in larger entries */
    config->peer_queue_max = 16 * 1024 * 1024;
    config->append_bytes = RLOG_APPEND_BYTES;
    config->image_block = RLOG_SNAPSHOT_CHUNK;
    config->image_chunk = RLOG_STREAM_CHUNK;
}

/* ---- birth ---- */

static bool take_founders(const struct rlog_birth *birth, struct rlog_roll *ret_roll)
{
    memset(ret_roll, 0, sizeof *ret_roll);
    for (size_t i = 0; i < birth->member_count && i < RLOG_MEMBERS_MAX; i++) {
        ret_roll->list[i] = birth->members[i];
        ret_roll->list[i].voter = true;
        ret_roll->list[i].store = ID128_ZERO;
        ret_roll->count++;
    }
    return ret_roll->count == birth->member_count;
}

int rlog_format(struct env *env, const char *folder, uint64_t id, const struct rlog_birth *birth,
                char *error, size_t error_size, struct id128 *ret_store_id)
{
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    struct rlog_roll roll;
    struct rlog_roll again;
    struct bytes configuration = BYTES_NONE;
    bool founds = birth->member_count > 0;
    if (founds && take_founders(birth, &roll)) {
        configuration = rlog_roll_write(&roll, buffer);
    }
    if (founds && (configuration.size == 0 || !rlog_roll_read(configuration, &again))) {
        snprintf(error, error_size, "two members have the same id or address");
        return ENV_INVALID;
    }
    if (founds && rlog_roll_find(&roll, id) == roll.count) {
        snprintf(error, error_size, "node %llu is not among the members of cluster %s",
                 (unsigned long long)id, birth->cluster);
        return ENV_INVALID;
    }
    return rlog_store_format(env, folder, id, birth, configuration, FIRST_SEGMENT_BYTES, error,
                             error_size, ret_store_id);
}

/* ---- start ---- */

/* The folder, the configuration and the certificate must speak of the same node. */
static int check_birth(const struct rlog *rlog, char *error, size_t error_size)
{
    const struct rlog_store *store = &rlog->store;
    const char *identity = env_tls_identity(rlog->config.tls);
    uint64_t certified = rlog_members_identity(store->birth.cluster, identity);
    if (store->id != rlog->config.id) {
        snprintf(error, error_size, "%s is node %llu's folder, but this is node %llu",
                 rlog->config.folder, (unsigned long long)store->id,
                 (unsigned long long)rlog->config.id);
        return ENV_INVALID;
    }
    if (certified != rlog->config.id) {
        snprintf(error, error_size,
                 "the certificate is %s's, but %s belongs to tenure://%s/-/peer/%llu", identity,
                 rlog->config.folder, store->birth.cluster, (unsigned long long)store->id);
        return ENV_INVALID;
    }
    return 0;
}

static int give_birth(struct rlog *rlog, char *error, size_t error_size)
{
    int rc = rlog->machine.birth(rlog->machine.arg, &rlog->store.birth);
    if (rc != 0) {
        snprintf(error, error_size, "%s: the birth's settings are refused", rlog->config.folder);
    }
    return rc;
}

static int open_store(struct rlog *rlog, char *error, size_t error_size)
{
    int rc = rlog_store_open(rlog->env, rlog->config.folder, &rlog->store, error, error_size);
    if (rc != 0) {
        return rc;
    }
    rlog_members_init(&rlog->members);
    rc = check_birth(rlog, error, error_size);
    if (rc == 0) {
        rc = rlog_vote_load(rlog->env, rlog->config.folder, rlog->store.store_id, &rlog->vote,
                            error, error_size);
    }
    if (rc == 0) {
        rc = rlog_repair_create(rlog, error, error_size);
    }
    if (rc == 0) {
        rc = rlog_met_load(rlog->env, rlog->config.folder, rlog->store.store_id, &rlog->members,
                           error, error_size);
        if (rc == ENV_INVALID) {
            rlog_members_init(&rlog->members);
            rc = rlog_repair_found(rlog, RLOG_DAMAGED_MET, error, error_size);
        }
    }
    return rc == 0 ? give_birth(rlog, error, error_size) : rc;
}

struct restoring {
    struct rlog *rlog;
    uint64_t bytes;
};

static int restore_piece(void *arg, struct bytes piece)
{
    struct restoring *restoring = arg;
    const struct rlog *rlog = restoring->rlog;
    restoring->bytes += piece.size;
    return rlog->machine.restore_feed(rlog->machine.arg, piece);
}

static int restore_pieces(struct rlog *rlog, struct rlog_snapshot_info *info, char *error,
                          size_t error_size)
{
    const struct rlog_machine *machine = &rlog->machine;
    struct restoring restoring = {.rlog = rlog};
    uint64_t index = info->meta.index;
    int rc = rlog_snapshot_restore(rlog->env, rlog->snapshot_folder, index, restore_piece,
                                   &restoring, error, error_size);
    info->raw_bytes = restoring.bytes;
    if (rc == 0) {
        rc = machine->restore_end(machine->arg);
        if (rc != 0) {
            snprintf(error, error_size,
                     "the snapshot at %llu is whole, but not understood by this program: upgrade "
                     "this node, its data is untouched",
                     (unsigned long long)index);
            rc = ENV_LIMIT; /* its bytes are whole */
        }
    }
    return rc;
}

static int restore(struct rlog *rlog, struct rlog_snapshot_info *info, char *error,
                   size_t error_size)
{
    const struct rlog_machine *machine = &rlog->machine;
    int rc = machine->restore_begin(machine->arg);
    if (rc != 0) {
        snprintf(error, error_size, "the snapshot at %llu cannot be restored: %s",
                 (unsigned long long)info->meta.index, env_error_text(rc));
        rc = ENV_LIMIT;
    } else {
        rc = restore_pieces(rlog, info, error, error_size);
    }
    if (rc == 0) {
        machine->restore_take(machine->arg);
    }
    machine->restore_drop(machine->arg);
    return rc;
}

/* `ret_info->meta.index` is 0 when there is no snapshot. */
static int restore_newest(struct rlog *rlog, struct rlog_snapshot_info *ret_info, char *error,
                          size_t error_size)
{
    int rc = rlog_snapshots_newest(rlog->env, rlog->snapshot_folder, ret_info, error, error_size);
    if (rc == ENV_NOT_FOUND) {
        ret_info->meta.index = 0;
        ret_info->meta.term = 0;
        return 0;
    }
    if (rc == 0) {
        rc = restore(rlog, ret_info, error, error_size);
    }
    if (rc != ENV_INVALID) {
        return rc;
    }
    ret_info->meta.index = 0;
    ret_info->meta.term = 0;
    return rlog_repair_found(rlog, RLOG_DAMAGED_DATA, error, error_size);
}

bool rlog_joined(const struct rlog *rlog)
{
    return rlog->store.birth.member_count == 0;
}

/* What libraft demands at START of a log without a snapshot before it; rlog_log_open has seen to it
 * that log and snapshot meet. The log of one who joins is empty at first. */
static int check_first_entry(const struct rlog *rlog, char *error, size_t error_size)
{
    if ((rlog_joined(rlog) || rlog_repair_needed(rlog)) && rlog_log_last(rlog->log) == 0) {
        return 0; /* nothing has arrived yet, or it began anew */
    }
    if (rlog_log_last(rlog->log) < 1 || rlog_log_entry(rlog->log, 1).type != RLOG_CHANGE) {
        snprintf(error, error_size, "%s: the log's first entry is not the first list of members",
                 rlog->log_folder);
        return ENV_INVALID;
    }
    return 0;
}

/* A log that is damaged, or that stands behind a damaged image, is not used: what the node has is
 * its image, or nothing. */
static int open_log(struct rlog *rlog, const struct rlog_snapshot_meta *snapshot, char *error,
                    size_t error_size)
{
    struct rlog_log_config config = rlog_log_config_of(rlog);
    struct rlog_log_handlers handlers = rlog_log_handlers_of(rlog);
    int rc = 0;
    if (!rlog_repair_waits(rlog)) {
        rc = rlog_log_open(rlog->env, &config, snapshot->index, snapshot->term, &handlers, error,
                           error_size, &rlog->log);
        if (rc == 0 && snapshot->index == 0) {
            rc = check_first_entry(rlog, error, error_size);
        }
        if (rc == ENV_INVALID) {
            rlog_log_destroy(rlog->log);
            rlog->log = NULL;
            rc = rlog_repair_found(rlog, RLOG_DAMAGED_DATA, error, error_size);
        }
    }
    if (rc == 0 && rlog_repair_waits(rlog)) {
        rc = rlog_log_create_empty(rlog->env, &config, snapshot->index, snapshot->term, &handlers,
                                   &rlog->log);
    }
    return rc;
}

/* The snapshot's roll, and what the entries behind it make of that. */
static int tell_what_was_found(struct rlog *rlog, const struct rlog_snapshot_info *newest,
                               char *error, size_t error_size)
{
    uint64_t snapshot = newest == NULL ? 0 : newest->meta.index;
    if (newest != NULL && !rlog_members_restore(&rlog->members, newest->meta.configuration)) {
        snprintf(error, error_size, "the snapshot's list of members is " RLOG_LATER_FORMAT);
        return ENV_INVALID;
    }
    for (uint64_t i = rlog_log_start(rlog->log); i <= rlog_log_last(rlog->log); i++) {
        struct rlog_log_entry entry = rlog_log_entry(rlog->log, i);
        if (entry.type == RLOG_COMMAND) {
            rlog->machine.appended(rlog->machine.arg, entry.term, true, entry.payload);
        } else if (i > snapshot && !rlog_members_note(&rlog->members, entry.type, entry.payload)) {
            snprintf(error, error_size,
                     "%s: the change of the members at %llu is " RLOG_LATER_FORMAT,
                     rlog->log_folder, (unsigned long long)i);
            return ENV_INVALID;
        }
    }
    return 0;
}

static int start_parts(struct rlog *rlog, char *error, size_t error_size)
{
    struct rlog_snapshot_info info;
    int rc = open_store(rlog, error, error_size);
    if (rc == 0) {
        rc = restore_newest(rlog, &info, error, error_size);
    }
    if (rc == 0) {
        rc = open_log(rlog, &info.meta, error, error_size);
    }
    if (rc != 0) {
        return rc;
    }
    const struct rlog_snapshot_info *newest = info.meta.index == 0 ? NULL : &info;
    rc = tell_what_was_found(rlog, newest, error, error_size);
    if (rc != 0) {
        return rc;
    }
    rlog_streams_create(rlog);
    rlog_reads_create(rlog);
    rlog_snapshot_task_create(rlog, newest);
    rc = rlog_peers_create(rlog, error, error_size);
    if (rc == 0) {
        rc = rlog_engine_create(rlog, newest, error, error_size);
    }
    return rc;
}

int rlog_start(struct env *env, const struct rlog_config *config,
               const struct rlog_machine *machine, char *error, size_t error_size,
               struct rlog **ret_rlog)
{
    struct rlog *rlog = calloc(1, sizeof *rlog);
    ASSERT(rlog != NULL);
    rlog->env = env;
    rlog->config = *config;
    rlog->machine = *machine;
    rlog_timers_create(rlog);
    snprintf(rlog->log_folder, sizeof rlog->log_folder, "%s/log", config->folder);
    snprintf(rlog->snapshot_folder, sizeof rlog->snapshot_folder, "%s/snapshots", config->folder);
    snprintf(error, error_size, "%s: cannot start", config->folder);
    int rc = start_parts(rlog, error, error_size);
    if (rc != 0) {
        rlog->phase = RLOG_STOPPED;
        rlog_destroy(rlog);
        return rc;
    }
    rlog_peers_check(rlog);
    rlog_repair_start(rlog);
    rlog_peers_start(rlog);
    rlog_settle_soon(rlog);
    *ret_rlog = rlog;
    return 0;
}

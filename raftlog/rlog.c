/* Start, stop and the public face of raftlog: puts the parts together. Each part does its own work.
 *
 *   running -> handing over -> finishing -> stopped
 *   any of them -> failed (on_fatal)
 */
#include "raftlog/rlog.h"

#include <stdarg.h>
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
#include "raftlog/snapshot_task.h"
#include "raftlog/streams.h"

enum {
    STOP_PAUSE_US = 1000,
    FIRST_SEGMENT_BYTES = 1024 * 1024, /* later ones are of the configured size */
};

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
}

/* ---- settling and failing ---- */

bool rlog_alive(const struct rlog *rlog)
{
    return rlog->phase != RLOG_FAILED && rlog->phase != RLOG_STOPPED;
}

/* The leader says whose disk each member's is, once it has met it. */
static bool bind_stores(struct rlog *rlog)
{
    const struct rlog_roll *roll = &rlog->members.roll;
    bool any = false;
    if (rlog_engine_role(rlog) != RLOG_LEADER || rlog->phase != RLOG_RUNNING) {
        return false;
    }
    for (size_t i = 0; i < roll->count; i++) {
        uint64_t id = roll->list[i].id;
        struct id128 store = id == rlog->config.id ? rlog->store.store_id
                                                   : rlog_peers_store(rlog, id);
        if (!id128_is_zero(roll->list[i].store) || id128_is_zero(store)) {
            continue;
        }
        uint8_t buffer[RLOG_BINDING_SIZE];
        uint64_t index = 0;
        any = rlog_engine_submit(rlog, RLOG_BARRIER, rlog_members_write_binding(buffer, id, store),
                                 &index) == RLOG_SUBMITTED ||
              any;
    }
    return any;
}

static bool met_stored(struct rlog *rlog, int rc)
{
    if (rc != 0) {
        rlog_fail(rlog, rc, "whom this node met cannot be stored: %s", env_error_text(rc));
    }
    return rc == 0;
}

/* On a full disk the file tells an older meeting, which the applied binding overrides again. */
static bool store_overridden(struct rlog *rlog)
{
    int rc = rlog_met_store(rlog->env, rlog->config.folder, rlog->store.store_id, &rlog->members);
    return rc == ENV_NO_SPACE || met_stored(rlog, rc);
}

/* A full disk: the member was not met, and may come again. */
bool rlog_meet(struct rlog *rlog, uint64_t id, struct id128 store)
{
    if (!rlog_members_meet(&rlog->members, id, store)) {
        return true;
    }
    int rc = rlog_met_store(rlog->env, rlog->config.folder, rlog->store.store_id, &rlog->members);
    if (rc == ENV_NO_SPACE) {
        rlog_members_unmeet(&rlog->members, id);
        return false;
    }
    return met_stored(rlog, rc);
}

/* What is applied says whose disk this node's is. A node that joined reads on its way to the
 * present whose it was before: that ends it only once it was its own. */
static void check_own_store(struct rlog *rlog)
{
    const struct rlog_members *members = &rlog->members;
    uint64_t id = rlog->config.id;
    struct id128 bound = rlog_members_bound(members, id);
    bool own = id128_equal(bound, rlog->store.store_id);
    if (!own && !id128_is_zero(bound) && (rlog->bound || !rlog_joined(rlog))) {
        rlog_fail(rlog, ENV_INVALID,
                  "this node's disk was replaced: node %llu has another one in this cluster",
                  (unsigned long long)id);
        return;
    }
    rlog->bound = rlog->bound || own;
    if (!rlog->removed && rlog->bound && members->applied.count > 0 &&
        rlog_roll_find(&members->applied, id) == members->applied.count) {
        rlog->removed = true;
        env_log(rlog->env, ENV_LOG_WARN, "raft",
                "node %llu was removed from the cluster: stop it; its folder is of no more use",
                (unsigned long long)id);
    }
}

/* Connections and our own store must fit what is bound. */
static void check_stores(struct rlog *rlog)
{
    rlog->members.changed = false;
    if (rlog_members_override(&rlog->members) && !store_overridden(rlog)) {
        return;
    }
    check_own_store(rlog);
    if (rlog_alive(rlog)) {
        rlog_peers_check(rlog);
    }
}

static void on_stop_timer(void *arg);

static bool settle_once(struct rlog *rlog)
{
    bool any = rlog_engine_notify(rlog);
    any = (rlog_alive(rlog) && rlog_engine_apply(rlog)) || any;
    if (rlog_alive(rlog) && rlog->members.changed) {
        check_stores(rlog);
    }
    any = (rlog_alive(rlog) && rlog_repair_advance(rlog)) || any;
    any = (rlog_alive(rlog) && bind_stores(rlog)) || any;
    if (rlog_alive(rlog)) {
        rlog_watch_catch_up(rlog);
    }
    return (rlog_alive(rlog) && rlog_reads_advance(rlog)) || any;
}

void rlog_settle(struct rlog *rlog)
{
    if (rlog->settling || !rlog_alive(rlog)) {
        return;
    }
    rlog->settling = true;
    uint64_t before = rlog_engine_applied(rlog);
    while (rlog_alive(rlog) && settle_once(rlog) &&
           rlog_engine_applied(rlog) - before < RLOG_APPLY_ENTRIES) {
    }
    if (rlog_alive(rlog)) {
        rlog_snapshot_task_advance(rlog);
    }
    rlog->settling = false;
}

static void on_settle_timer(void *arg)
{
    rlog_settle(arg);
}

void rlog_settle_soon(struct rlog *rlog)
{
    env_timer_start(rlog->settle_timer, 0);
}

void rlog_fail(struct rlog *rlog, int rc, const char *format, ...)
{
    char detail[512];
    va_list arguments;
    if (!rlog_alive(rlog)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    rlog->phase = RLOG_FAILED;
    rlog_engine_halt(rlog);
    rlog_peers_close(rlog, false);
    env_log(rlog->env, ENV_LOG_ERROR, "raft", "%s", detail);
    rlog->machine.on_fatal(rlog->machine.arg, rc, detail);
}

/* ---- the log's news ---- */

static void on_stored(void *arg, uint64_t index)
{
    struct rlog *rlog = arg;
    if (rlog_alive(rlog) && rlog->engine != NULL) {
        rlog_engine_stored(rlog, index);
        rlog_settle(rlog);
    }
}

static void on_log_written(void *arg, uint64_t bytes, uint64_t took_us)
{
    const struct rlog *rlog = arg;
    if (rlog->machine.log_written != NULL) {
        rlog->machine.log_written(rlog->machine.arg, bytes, took_us);
    }
}

static void on_log_failed(void *arg, int rc, const char *detail)
{
    rlog_fail(arg, rc, "the log cannot be written: %s", detail);
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

static int restore_piece(void *arg, struct bytes piece)
{
    struct rlog *rlog = arg;
    return rlog->machine.restore_feed(rlog->machine.arg, piece);
}

int rlog_restore(struct rlog *rlog, uint64_t index, char *error, size_t error_size)
{
    rlog->machine.restore_begin(rlog->machine.arg);
    int rc = rlog_snapshot_restore(rlog->env, rlog->snapshot_folder, index, restore_piece, rlog,
                                   error, error_size);
    if (rc == 0) {
        rc = rlog->machine.restore_end(rlog->machine.arg);
        if (rc != 0) {
            snprintf(error, error_size, "the snapshot at %llu is unusable: %s",
                     (unsigned long long)index, env_error_text(rc));
            rc = ENV_LIMIT; /* its bytes are whole */
        }
    }
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
        rc = rlog_restore(rlog, ret_info->meta.index, error, error_size);
    }
    if (rc != ENV_INVALID) {
        return rc;
    }
    ret_info->meta.index = 0;
    ret_info->meta.term = 0;
    rc = rlog_repair_found(rlog, RLOG_DAMAGED_DATA, error, error_size);
    return rc == 0 ? give_birth(rlog, error, error_size) : rc; /* half of an image was fed */
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

struct rlog_log_config rlog_log_config_of(const struct rlog *rlog)
{
    return (struct rlog_log_config){
        .folder = rlog->log_folder,
        .segment_bytes = rlog->config.segment_bytes,
        .store_id = rlog->store.store_id,
    };
}

struct rlog_log_handlers rlog_log_handlers_of(struct rlog *rlog)
{
    return (struct rlog_log_handlers){rlog, on_stored, on_log_written, on_log_failed};
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
        snprintf(error, error_size, "the snapshot's list of members cannot be read");
        return ENV_INVALID;
    }
    for (uint64_t i = rlog_log_start(rlog->log); i <= rlog_log_last(rlog->log); i++) {
        struct rlog_log_entry entry = rlog_log_entry(rlog->log, i);
        if (entry.type == RLOG_COMMAND) {
            rlog->machine.appended(rlog->machine.arg, entry.term, true, entry.payload);
        } else if (i > snapshot && !rlog_members_note(&rlog->members, entry.type, entry.payload)) {
            snprintf(error, error_size, "%s: the membership change at %llu cannot be read",
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
    rlog->settle_timer = env_timer_create(env, on_settle_timer, rlog);
    rlog->stop_timer = env_timer_create(env, on_stop_timer, rlog);
    rlog->hand_timer = env_timer_create(env, rlog_hand_over_step, rlog);
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

/* ---- stop ---- */

static bool others_could_lead(const struct rlog *rlog)
{
    return rlog_roll_voters(&rlog->members.roll) > 1 && rlog_engine_role(rlog) == RLOG_LEADER &&
           env_mono_us(rlog->env) < rlog->stop_deadline_us;
}

static void finish(struct rlog *rlog)
{
    rlog->phase = RLOG_FINISHING;
    rlog_reads_refuse(rlog);
    rlog_snapshot_task_abort(rlog);
    rlog_engine_halt(rlog);
    rlog_peers_close(rlog, true);
}

/* A log that failed never gets idle; one that waits for space has acknowledged nothing of it. */
static bool nothing_in_flight(const struct rlog *rlog)
{
    return (rlog->phase == RLOG_FAILED || rlog_log_idle(rlog->log) || rlog_log_waits(rlog->log)) &&
           rlog_streams_idle(rlog) && rlog_snapshot_task_idle(rlog) && rlog_peers_closed(rlog);
}

static void on_stop_timer(void *arg)
{
    struct rlog *rlog = arg;
    if (rlog->phase == RLOG_HANDING_OVER) {
        rlog_engine_transfer(rlog);
        rlog_settle(rlog);
        if (rlog->phase == RLOG_HANDING_OVER && !others_could_lead(rlog)) {
            finish(rlog);
        }
    }
    if (rlog->phase != RLOG_HANDING_OVER && nothing_in_flight(rlog)) {
        rlog->phase = RLOG_STOPPED;
        env_timer_stop(rlog->settle_timer);
        rlog->stopped(rlog->stopped_arg);
    } else {
        env_timer_start(rlog->stop_timer, STOP_PAUSE_US);
    }
}

void rlog_stop(struct rlog *rlog, void (*stopped)(void *arg), void *arg)
{
    ASSERT(rlog->phase == RLOG_RUNNING || rlog->phase == RLOG_FAILED);
    rlog->stopped = stopped;
    rlog->stopped_arg = arg;
    rlog->stop_deadline_us = env_mono_us(rlog->env) + rlog->config.election_us;
    if (rlog->phase == RLOG_RUNNING) {
        rlog->phase = RLOG_HANDING_OVER;
    }
    env_timer_start(rlog->stop_timer, 0);
}

void rlog_step_down(struct rlog *rlog)
{
    if (rlog->phase == RLOG_RUNNING) {
        rlog_engine_transfer(rlog);
        rlog_settle_soon(rlog);
    }
}

bool rlog_hand_over(struct rlog *rlog, uint64_t id)
{
    bool begun = rlog->phase == RLOG_RUNNING && rlog_engine_transfer_to(rlog, id);
    if (begun) {
        rlog_settle_soon(rlog);
    }
    return begun;
}

void rlog_destroy(struct rlog *rlog)
{
    if (rlog == NULL) {
        return;
    }
    rlog->phase = rlog->phase == RLOG_FAILED ? RLOG_FAILED : RLOG_STOPPED;
    rlog_engine_destroy(rlog);
    rlog_peers_destroy(rlog);
    rlog_reads_destroy(rlog);
    if (rlog->snapshot_task != NULL) {
        rlog_snapshot_task_destroy(rlog);
    }
    rlog_streams_destroy(rlog);
    rlog_repair_destroy(rlog);
    rlog_log_destroy(rlog->log);
    rlog_store_close(&rlog->store);
    env_timer_destroy(rlog->settle_timer);
    env_timer_destroy(rlog->stop_timer);
    env_timer_destroy(rlog->hand_timer);
    free(rlog);
}

/* ---- writing, reading, looking ---- */

/* The leader is unknown while leadership is handed over. */
bool rlog_ready(const struct rlog *rlog)
{
    return rlog->phase == RLOG_RUNNING && rlog_engine_leader(rlog) == rlog->config.id &&
           !rlog->handing.wanted &&
           rlog_log_last(rlog->log) - rlog_engine_applied(rlog) < rlog->config.backlog_max &&
           rlog_log_pending_bytes(rlog->log) < RLOG_PENDING_MAX;
}

enum rlog_submit rlog_submit(struct rlog *rlog, struct bytes entry, uint64_t *ret_index)
{
    ASSERT(entry.size > 0 && entry.size <= RLOG_ENTRY_MAX);
    if (rlog->phase != RLOG_RUNNING || rlog_engine_leader(rlog) != rlog->config.id) {
        return RLOG_NOT_LEADER;
    }
    if (!rlog_ready(rlog)) {
        return RLOG_BUSY;
    }
    return rlog_engine_submit(rlog, RLOG_COMMAND, entry, ret_index);
}

enum rlog_submit rlog_confirm(struct rlog *rlog, rlog_confirmed_cb done, void *arg)
{
    return rlog->phase == RLOG_RUNNING ? rlog_reads_confirm(rlog, done, arg) : RLOG_NOT_LEADER;
}

void rlog_peer_send(struct rlog *rlog, uint64_t id, uint8_t kind, struct bytes message)
{
    ASSERT(kind >= 1 && kind <= RLOG_USER_KIND_MAX && message.size <= RLOG_MESSAGE_MAX);
    struct base_writer *writer = rlog_alive(rlog) ? rlog_peers_begin(rlog, id, kind) : NULL;
    if (writer != NULL) {
        base_write_bytes(writer, message);
        rlog_peers_end(rlog);
    }
}

void rlog_status(const struct rlog *rlog, struct rlog_status *ret_status)
{
    memset(ret_status, 0, sizeof *ret_status);
    ret_status->id = rlog->config.id;
    ret_status->term = rlog_engine_term(rlog);
    ret_status->leader = rlog_engine_leader(rlog);
    ret_status->role = rlog_engine_role(rlog);
    ret_status->commit = rlog_engine_commit(rlog);
    ret_status->applied = rlog_engine_applied(rlog);
    ret_status->last = rlog_log_last(rlog->log);
    ret_status->stored = rlog_log_stored(rlog->log);
    ret_status->snapshot = rlog_snapshot_task_index(rlog);
    rlog_snapshot_task_tell(rlog, &ret_status->snapshots, &ret_status->snapshot_bytes);
    ret_status->pending_bytes = rlog_log_pending_bytes(rlog->log);
    ret_status->log_waits = rlog_log_waits(rlog->log);
    ret_status->log_reserved = rlog_log_reserved(rlog->log);
    ret_status->store_id = rlog->store.store_id;
    rlog_repair_tell(rlog, ret_status->damage, sizeof ret_status->damage);
    const struct rlog_roll *roll = &rlog->members.roll;
    ret_status->configuration = rlog_engine_configured(rlog);
    ret_status->changing = ret_status->configuration > rlog_engine_commit(rlog);
    ret_status->voters = rlog_roll_voters(roll);
    ret_status->member_count = roll->count;
    for (size_t i = 0; i < roll->count; i++) {
        uint64_t id = roll->list[i].id;
        ret_status->members[i] = roll->list[i];
        ret_status->connected[i] = id == rlog->config.id || rlog_peers_connected(rlog, id);
        ret_status->progress[i] = (struct rlog_progress){
            .store = rlog_members_bound(&rlog->members, id),
            .silent_us = rlog_peers_silent(rlog, id),
            .close = rlog_is_close(rlog, id),
            .damaged = rlog_repair_of(rlog, id),
        };
        ret_status->progress[i].known = rlog_engine_match(rlog, id, &ret_status->progress[i].match);
    }
}

const struct rlog_member *rlog_members(const struct rlog *rlog, size_t *ret_count)
{
    *ret_count = rlog->members.roll.count;
    return rlog->members.roll.list;
}

size_t rlog_voters(const struct rlog *rlog)
{
    return rlog_roll_voters(&rlog->members.roll);
}

bool rlog_is_voter(const struct rlog *rlog, uint64_t id)
{
    return rlog_roll_votes(&rlog->members.roll, id);
}

uint64_t rlog_applied(const struct rlog *rlog)
{
    return rlog_engine_applied(rlog);
}

const struct rlog_birth *rlog_birth(const struct rlog *rlog)
{
    return &rlog->store.birth;
}

const char *rlog_address(const struct rlog *rlog)
{
    return rlog_peers_address(rlog);
}

void rlog_snapshot_now(struct rlog *rlog)
{
    rlog_snapshot_task_want(rlog);
}

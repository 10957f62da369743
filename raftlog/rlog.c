/* What follows from what, failing, stopping, and the public face of raftlog: each part does its own
 * work. Starts nothing (rlog_start.c) and tells nothing of itself (rlog_status.c).
 *
 *   running -> handing over -> finishing -> stopped
 *   any of them -> failed (on_fatal)
 */
#include "raftlog/rlog.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/sat.h"
#include "raftlog/engine.h"
#include "raftlog/met.h"
#include "raftlog/peers.h"
#include "raftlog/reads.h"
#include "raftlog/repair.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/streams.h"

enum { STOP_PAUSE_US = 1000 };

/* ---- settling and failing ---- */

bool rlog_alive(const struct rlog *rlog)
{
    return rlog->phase != RLOG_FAILED && rlog->phase != RLOG_STOPPED;
}

void rlog_held(struct rlog *rlog, uint64_t since_us)
{
    rlog->snapshot_held_us = u64_max(rlog->snapshot_held_us, env_mono_us(rlog->env) - since_us);
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

void rlog_timers_create(struct rlog *rlog)
{
    rlog->settle_timer = env_timer_create(rlog->env, on_settle_timer, rlog);
    rlog->stop_timer = env_timer_create(rlog->env, on_stop_timer, rlog);
    rlog->hand_timer = env_timer_create(rlog->env, rlog_hand_over_step, rlog);
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

/* ---- writing and reading ---- */

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

void rlog_snapshot_now(struct rlog *rlog)
{
    rlog_snapshot_task_want(rlog);
}

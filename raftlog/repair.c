/* Carries repair.h out: the note, the log's new beginning, what members tell each other of it.
 * Knows no file format and nothing of libraft.
 */
#include "raftlog/repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "env/disk.h"
#include "env/random.h"
#include "raftlog/damage.h"
#include "raftlog/engine.h"
#include "raftlog/met.h"
#include "raftlog/peers.h"
#include "raftlog/rlog.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/snapshots.h"
#include "raftlog/wire.h"

enum {
    COMPLAIN_EVERY_US = 60 * 1000 * 1000,
    PATIENCE_ELECTIONS = 4, /* without a leader, or without a word of a member */
};

/* What a member said of itself. */
struct repaired {
    uint64_t id; /* 0: a free place */
    bool needed;
    uint64_t heard_us;
    uint64_t life, term; /* in which this node, leading, began to count anew for it */
    uint64_t until;
};

struct rlog_repair {
    struct rlog *rlog;
    struct rlog_damage note;
    struct env_timer *timer;
    uint64_t life;
    uint64_t term, until, match; /* what the leader of `term` said last */
    struct repaired members[RLOG_MEMBERS_MAX];
    uint64_t led_us; /* when a leader was known last */
    uint64_t complained_us;
};

bool rlog_repair_needed(const struct rlog *rlog)
{
    return rlog->repair->note.stage != RLOG_DAMAGE_NONE;
}

bool rlog_repair_waits(const struct rlog *rlog)
{
    return rlog->repair->note.stage == RLOG_DAMAGE_FOUND;
}

/* ---- the note ---- */

static int note_store(struct rlog *rlog, const struct rlog_damage *note)
{
    int rc = rlog_damage_store(rlog->env, rlog->config.folder, rlog->store.store_id, note);
    if (rc == 0) {
        rlog->repair->note = *note;
    }
    return rc;
}

int rlog_repair_found(struct rlog *rlog, enum rlog_damaged_part part, char *error,
                      size_t error_size)
{
    struct rlog_damage note = rlog->repair->note;
    char text[RLOG_DAMAGE_TEXT_MAX];
    snprintf(text, sizeof text, "%s", error);
    if (rlog->store.birth.member_count == 1) {
        snprintf(error, error_size,
                 "%s; no other member can give it back: restore this very folder, or the cluster "
                 "from a backup",
                 text);
        return ENV_INVALID;
    }
    if (note.stage == RLOG_DAMAGE_NONE || part == RLOG_DAMAGED_DATA) {
        memcpy(note.text, text, sizeof note.text);
    }
    note.lost_met = note.lost_met || part == RLOG_DAMAGED_MET;
    if (part == RLOG_DAMAGED_DATA) {
        note.stage = RLOG_DAMAGE_FOUND;
    } else if (note.stage == RLOG_DAMAGE_NONE) {
        note.stage = RLOG_DAMAGE_RENEWED; /* the log is as it was */
    }
    int rc = note_store(rlog, &note);
    if (rc == ENV_NO_SPACE && note.stage == RLOG_DAMAGE_FOUND && !note.lost_met) {
        rlog->repair->note =
            note; /* nothing is touched before it is noted: a start finds it again */
        return 0;
    }
    if (rc != 0) {
        snprintf(error, error_size, "%s, and that cannot be noted: %s", text, env_error_text(rc));
        return rc;
    }
    return 0;
}

/* ---- the log's new beginning ---- */

static int folder_make(struct env *env, const char *path)
{
    int rc = env_folder_create(env, path);
    return rc == ENV_EXISTS ? ENV_OK : rc;
}

/* Until the note says RENEWED, a crash lets all of this be done again. */
static int renew(struct rlog *rlog, char *error, size_t error_size)
{
    struct rlog_repair *repair = rlog->repair;
    struct rlog_damage note = repair->note;
    struct rlog_log *log = NULL;
    uint64_t index = rlog_log_last(rlog->log);
    uint64_t term = rlog_log_term(rlog->log, index);
    struct rlog_log_config config = rlog_log_config_of(rlog);
    ASSERT(index == rlog_snapshot_task_index(rlog));
    int rc = note_store(rlog, &note); /* perhaps there was no space for it before */
    if (rc == 0) {
        rc = folder_make(rlog->env, rlog->snapshot_folder);
    }
    if (rc == 0) {
        rc = rlog_snapshots_keep(rlog->env, rlog->snapshot_folder, index);
    }
    if (rc == 0) {
        rc = folder_make(rlog->env, rlog->log_folder);
    }
    if (rc == 0) {
        rc = env_folder_sync(rlog->env, rlog->config.folder);
    }
    if (rc == 0) {
        rc = rlog_log_renew(rlog->env, &config, index, term);
    }
    if (rc == 0) {
        note.stage = RLOG_DAMAGE_RENEWED;
        rc = note_store(rlog, &note);
    }
    if (rc != 0) {
        snprintf(error, error_size, "%s", env_error_text(rc));
        return rc;
    }
    struct rlog_log_handlers handlers = rlog_log_handlers_of(rlog);
    rc = rlog_log_open(rlog->env, &config, index, term, &handlers, error, error_size, &log);
    if (rc == 0) {
        rlog_log_destroy(rlog->log);
        rlog->log = log;
    }
    return rc;
}

bool rlog_repair_renew(struct rlog *rlog)
{
    char error[512] = "";
    if (!rlog_repair_waits(rlog)) {
        return true;
    }
    int rc = renew(rlog, error, sizeof error);
    if (rc == ENV_NO_SPACE) {
        return false; /* tried again with the leader's next message */
    }
    if (rc != 0) {
        rlog_fail(rlog, rc, "the log cannot begin anew after damage: %s", error);
        return false;
    }
    env_log(rlog->env, ENV_LOG_WARN, "repair",
            "a leader is there: the damaged log is removed and begins anew after %llu",
            (unsigned long long)rlog_log_last(rlog->log));
    return true;
}

/* ---- telling ---- */

static void tell_one(struct rlog *rlog, uint64_t id)
{
    struct rlog_wire_repair message = {
        .term = rlog_engine_term(rlog),
        .life = rlog->repair->life,
        .needed = rlog_repair_needed(rlog),
    };
    struct base_writer *writer = rlog_peers_begin(rlog, id, RLOG_WIRE_REPAIR);
    if (writer != NULL) {
        rlog_wire_write_repair(writer, &message);
        rlog_peers_end(rlog);
    }
}

static void tell_all(struct rlog *rlog)
{
    uint64_t ids[RLOG_PEERS_MAX];
    size_t count = rlog_peers_ready(rlog, ids);
    for (size_t i = 0; i < count; i++) {
        tell_one(rlog, ids[i]);
    }
}

void rlog_repair_greet(struct rlog *rlog, uint64_t id)
{
    if (rlog_repair_needed(rlog)) {
        tell_one(rlog, id);
    }
}

static struct repaired *find(struct rlog_repair *repair, uint64_t id)
{
    struct repaired *place = NULL;
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        if (repair->members[i].id == id) {
            return &repair->members[i];
        }
        if (place == NULL && !repair->members[i].needed) {
            place = &repair->members[i];
        }
    }
    if (place != NULL) {
        *place = (struct repaired){.id = id};
    }
    return place;
}

bool rlog_repair_of(const struct rlog *rlog, uint64_t id)
{
    const struct rlog_repair *repair = rlog->repair;
    uint64_t patience_us = PATIENCE_ELECTIONS * rlog->config.election_us;
    if (id == rlog->config.id) {
        return rlog_repair_needed(rlog);
    }
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        const struct repaired *member = &repair->members[i];
        if (member->id == id && member->needed) {
            return sat_sub(env_mono_us(rlog->env), member->heard_us) < patience_us;
        }
    }
    return false;
}

void rlog_repair_tell(const struct rlog *rlog, char *text, size_t text_size)
{
    const struct rlog_repair *repair = rlog->repair;
    uint64_t leader = rlog_engine_leader(rlog);
    text[0] = '\0';
    if (!rlog_repair_needed(rlog)) {
        return;
    }
    if (leader == 0 || repair->until == 0) {
        snprintf(text, text_size, "%s; waits for a leader", repair->note.text);
    } else {
        snprintf(text, text_size, "%s; node %llu repairs it: %llu of %llu entries",
                 repair->note.text, (unsigned long long)leader, (unsigned long long)repair->match,
                 (unsigned long long)repair->until);
    }
}

/* ---- nobody can lead ---- */

/* Of the voters that this node knows of: without log and image, those of its birth. */
static size_t list_damaged(const struct rlog *rlog, char *list, size_t list_size,
                           size_t *ret_voters)
{
    const struct rlog_roll *roll = &rlog->members.roll;
    const struct rlog_birth *birth = &rlog->store.birth;
    size_t members = roll->count > 0 ? roll->count : birth->member_count;
    size_t count = 0, used = 0;
    list[0] = '\0';
    *ret_voters = roll->count > 0 ? rlog_roll_voters(roll) : members;
    for (size_t i = 0; i < members; i++) {
        uint64_t id = roll->count > 0 ? roll->list[i].id : birth->members[i].id;
        if (rlog_repair_of(rlog, id) && (roll->count == 0 || roll->list[i].voter)) {
            int size = snprintf(list + used, list_size - used, "%s%llu", count == 0 ? "" : ", ",
                                (unsigned long long)id);
            used += size > 0 && (size_t)size < list_size - used ? (size_t)size : 0;
            count++;
        }
    }
    return count;
}

static void complain(struct rlog *rlog)
{
    struct rlog_repair *repair = rlog->repair;
    uint64_t now_us = env_mono_us(rlog->env);
    size_t voters = 0;
    char list[160];
    if (rlog_engine_leader(rlog) != 0) {
        repair->led_us = now_us;
        return;
    }
    if (now_us - repair->led_us < PATIENCE_ELECTIONS * rlog->config.election_us ||
        (repair->complained_us != 0 && now_us - repair->complained_us < COMPLAIN_EVERY_US)) {
        return;
    }
    size_t damaged = list_damaged(rlog, list, sizeof list, &voters);
    if (voters == 0 || voters - damaged > voters / 2) {
        return; /* who joined knows its members from log and image alone: none, perhaps */
    }
    repair->complained_us = now_us;
    env_log(rlog->env, ENV_LOG_ERROR, "repair",
            "nodes %s of %zu found damage and have no vote: no leader can be elected, since what "
            "was acknowledged may be gone. Put a whole folder of one of them back, or restore the "
            "cluster from a backup",
            list, voters);
}

static void on_timer(void *arg)
{
    struct rlog *rlog = arg;
    if (!rlog_alive(rlog) || !rlog_repair_needed(rlog)) {
        return;
    }
    tell_all(rlog);
    complain(rlog);
    env_timer_start(rlog->repair->timer, rlog->config.heartbeat_us);
    rlog_settle(rlog);
}

/* ---- hearing ---- */

/* D4: leading, we count for that member from 0, once in each of its lives and of our terms. */
static void answer(struct rlog *rlog, uint64_t from, struct repaired *member, uint64_t life)
{
    uint64_t term = rlog_engine_term(rlog);
    struct rlog_wire_repair_result result = {.term = term, .life = life};
    if (rlog_engine_role(rlog) != RLOG_LEADER) {
        return;
    }
    if (member->life != life || member->term != term) {
        member->life = life;
        member->term = term;
        member->until = rlog_log_last(rlog->log);
        rlog_engine_forget_match(rlog, from);
    }
    result.until = member->until;
    if (!rlog_engine_match(rlog, from, &result.match)) {
        return;
    }
    struct base_writer *writer = rlog_peers_begin(rlog, from, RLOG_WIRE_REPAIR_RESULT);
    if (writer != NULL) {
        rlog_wire_write_repair_result(writer, &result);
        rlog_peers_end(rlog);
    }
}

static bool on_repair(struct rlog *rlog, uint64_t from, struct bytes body)
{
    struct rlog_wire_repair message;
    if (!rlog_wire_read_repair(body, &message)) {
        return false;
    }
    struct repaired *member = find(rlog->repair, from);
    if (member == NULL) {
        return true;
    }
    if (member->needed != message.needed) {
        env_log(rlog->env, ENV_LOG_WARN, "repair", "node %llu %s", (unsigned long long)from,
                message.needed ? "found damage: it has no vote until it is repaired"
                               : "is repaired and has its vote again");
    }
    member->needed = message.needed;
    member->heard_us = env_mono_us(rlog->env);
    if (message.needed) {
        answer(rlog, from, member, message.life);
        complain(rlog);
    }
    return true;
}

/* What another leader, another life or an older term said is nothing. */
static bool on_result(struct rlog *rlog, uint64_t from, struct bytes body)
{
    struct rlog_repair *repair = rlog->repair;
    struct rlog_wire_repair_result result;
    if (!rlog_wire_read_repair_result(body, &result)) {
        return false;
    }
    if (result.life == repair->life && result.term == rlog_engine_term(rlog) &&
        from == rlog_engine_leader(rlog)) {
        repair->term = result.term;
        repair->until = result.until;
        repair->match = result.match;
    }
    return true;
}

bool rlog_repair_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body)
{
    return kind == RLOG_WIRE_REPAIR ? on_repair(rlog, from, body) : on_result(rlog, from, body);
}

/* ---- the end of it ---- */

/* Without its own memory of whom it met, it needs the cluster's of all of them. */
static bool knows_all(const struct rlog *rlog)
{
    const struct rlog_roll *applied = &rlog->members.applied;
    for (size_t i = 0; i < applied->count; i++) {
        if (id128_is_zero(applied->list[i].store)) {
            return false;
        }
    }
    return applied->count > 0;
}

/* D5. */
static bool is_whole(const struct rlog *rlog)
{
    const struct rlog_repair *repair = rlog->repair;
    return repair->note.stage == RLOG_DAMAGE_RENEWED && repair->until > 0 &&
           repair->term == rlog_engine_term(rlog) && repair->match >= repair->until &&
           rlog_log_stored(rlog->log) >= repair->until &&
           rlog_engine_applied(rlog) >= repair->until &&
           (!repair->note.lost_met || knows_all(rlog));
}

/* The note goes last. */
static int note_end(struct rlog *rlog)
{
    const struct rlog_damage none = {.stage = RLOG_DAMAGE_NONE};
    int rc = 0;
    if (rlog->repair->note.lost_met) {
        rc = rlog_met_store(rlog->env, rlog->config.folder, rlog->store.store_id, &rlog->members);
    }
    return rc == 0 ? note_store(rlog, &none) : rc;
}

bool rlog_repair_advance(struct rlog *rlog)
{
    struct rlog_repair *repair = rlog->repair;
    if (!rlog_repair_needed(rlog) || !is_whole(rlog)) {
        return false;
    }
    int rc = note_end(rlog);
    if (rc == ENV_NO_SPACE) {
        return false; /* the timer comes back to it */
    }
    if (rc != 0) {
        rlog_fail(rlog, rc, "the end of a repair cannot be noted: %s", env_error_text(rc));
        return false;
    }
    env_log(rlog->env, ENV_LOG_WARN, "repair",
            "all up to %llu is here again: this node has its vote back",
            (unsigned long long)repair->until);
    repair->term = repair->until = repair->match = 0;
    env_timer_stop(repair->timer);
    tell_all(rlog);
    return true;
}

/* ---- life ---- */

int rlog_repair_create(struct rlog *rlog, char *error, size_t error_size)
{
    struct rlog_repair *repair = calloc(1, sizeof *repair);
    ASSERT(repair != NULL);
    repair->rlog = rlog;
    rlog->repair = repair;
    repair->timer = env_timer_create(rlog->env, on_timer, rlog);
    return rlog_damage_load(rlog->env, rlog->config.folder, rlog->store.store_id, &repair->note,
                            error, error_size);
}

void rlog_repair_start(struct rlog *rlog)
{
    struct rlog_repair *repair = rlog->repair;
    repair->led_us = env_mono_us(rlog->env);
    if (rlog_repair_needed(rlog)) {
        env_random(rlog->env, &repair->life, sizeof repair->life);
        env_log(rlog->env, ENV_LOG_ERROR, "repair",
                "%s: this node has no vote until a leader has repaired it", repair->note.text);
        env_timer_start(repair->timer, rlog->config.heartbeat_us);
    }
}

void rlog_repair_destroy(struct rlog *rlog)
{
    if (rlog->repair != NULL) {
        env_timer_destroy(rlog->repair->timer);
        free(rlog->repair);
        rlog->repair = NULL;
    }
}

/* Changes of the members, and handing leadership over: what an operator may ask of the leader, and
 * when. Keeps no list (members.c); what a change means to Raft is the core's.
 *
 * A member without a vote is close when a round of catching up took less than an election timeout:
 * it got all that the log held when the round began. What is left then is as much as came in
 * meanwhile, and a promotion stalls the cluster for no longer than an election does.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "env/clock.h"
#include "raftlog/engine.h"
#include "raftlog/peers.h"
#include "raftlog/rlog.h"

enum {
    VOTERS_LEAST = 3,          /* M2 */
    VOTERS_LEAST_REPLACED = 2, /* until the new disk is promoted: the same two had to be there */
    HAND_PAUSE_US = 1000,
};

/* ---- catching up ---- */

static struct rlog_catch_up *round_of(struct rlog *rlog, uint64_t id)
{
    struct rlog_catch_up *unused = NULL;
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        struct rlog_catch_up *round = &rlog->catch_up[i];
        if (round->id == id) {
            return round;
        }
        if (round->id == 0 ||
            rlog_roll_find(&rlog->members.roll, round->id) == rlog->members.roll.count) {
            unused = round;
        }
    }
    ASSERT(unused != NULL); /* as many places as members */
    *unused = (struct rlog_catch_up){.id = id};
    return unused;
}

static void watch(struct rlog *rlog, uint64_t id)
{
    struct rlog_catch_up *round = round_of(rlog, id);
    uint64_t now_us = env_mono_us(rlog->env);
    uint64_t match = 0;
    if (!rlog_engine_match(rlog, id, &match) || !rlog_peers_connected(rlog, id)) {
        *round = (struct rlog_catch_up){.id = id};
        return;
    }
    bool in_time = now_us - round->began_us <= rlog->config.election_us;
    if (round->target != 0 && match < round->target) {
        round->close = round->close && in_time;
        return;
    }
    round->close = round->target != 0 && in_time;
    round->target = rlog_log_last(rlog->log);
    round->began_us = now_us;
}

void rlog_watch_catch_up(struct rlog *rlog)
{
    const struct rlog_roll *roll = &rlog->members.roll;
    if (rlog_engine_role(rlog) != RLOG_LEADER) {
        memset(rlog->catch_up, 0, sizeof rlog->catch_up);
        return;
    }
    for (size_t i = 0; i < roll->count; i++) {
        if (!roll->list[i].voter) {
            watch(rlog, roll->list[i].id);
        }
    }
}

bool rlog_is_close(const struct rlog *rlog, uint64_t id)
{
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        if (rlog->catch_up[i].id == id && id != 0) {
            return rlog->catch_up[i].close;
        }
    }
    return false;
}

/* ---- what may be changed ---- */

/* A change that is looked at: the roll after it, and what to answer. */
struct look {
    struct rlog *rlog;
    struct rlog_change *change;
    struct rlog_roll next;
    size_t at; /* of the member in `next` */
    char *reason;
    size_t reason_size;
};

static enum rlog_change_verdict say(struct look *look, enum rlog_change_verdict verdict,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum rlog_change_verdict say(struct look *look, enum rlog_change_verdict verdict,
                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(look->reason, look->reason_size, format, arguments);
    va_end(arguments);
    return verdict;
}

static bool is_member(const struct look *look)
{
    return look->at < look->next.count;
}

/* Another member that has the store or the address; `count` when there is none. */
static size_t taken_by(const struct look *look, const struct rlog_member *member)
{
    const struct rlog_roll *roll = &look->rlog->members.roll;
    size_t i = 0;
    while (i < roll->count && (roll->list[i].id == member->id ||
                               (!id128_equal(roll->list[i].store, member->store) &&
                                strcmp(roll->list[i].address, member->address) != 0))) {
        i++;
    }
    return i;
}

static enum rlog_change_verdict look_at_add(struct look *look)
{
    const struct rlog_member *member = &look->change->member;
    unsigned long long id = member->id;
    if (is_member(look)) {
        const struct rlog_member *now = &look->next.list[look->at];
        bool same = id128_equal(now->store, member->store) &&
                    strcmp(now->address, member->address) == 0;
        return same
                   ? RLOG_CHANGE_SO
                   : say(look, RLOG_CHANGE_REFUSED,
                         "node %llu is a member already, with another disk or address: if its disk "
                         "was replaced, say member replace",
                         id);
    }
    if (look->next.count == RLOG_MEMBERS_MAX) {
        return say(look, RLOG_CHANGE_REFUSED, "a cluster has at most %d members", RLOG_MEMBERS_MAX);
    }
    look->at = look->next.count++;
    look->next.list[look->at] = *member;
    look->next.list[look->at].voter = false;
    return RLOG_CHANGE_BEGUN;
}

static enum rlog_change_verdict look_at_promote(struct look *look)
{
    unsigned long long id = look->change->member.id;
    if (!is_member(look)) {
        return say(look, RLOG_CHANGE_REFUSED, "node %llu is no member: say member add first", id);
    }
    struct rlog_member *member = &look->next.list[look->at];
    if (member->voter) {
        return RLOG_CHANGE_SO;
    }
    if (!rlog_peers_connected(look->rlog, id)) {
        return say(look, RLOG_CHANGE_LATER, "node %llu is not connected: start it", id);
    }
    if (!rlog_is_close(look->rlog, id)) {
        uint64_t match = 0;
        (void)rlog_engine_match(look->rlog, id, &match);
        return say(look, RLOG_CHANGE_LATER,
                   "node %llu is not close yet: it holds %llu of %llu "
                   "entries",
                   id, (unsigned long long)match,
                   (unsigned long long)rlog_log_last(look->rlog->log));
    }
    member->voter = true;
    return RLOG_CHANGE_BEGUN;
}

static void take_out(struct look *look)
{
    for (size_t i = look->at; i + 1 < look->next.count; i++) {
        look->next.list[i] = look->next.list[i + 1];
    }
    look->next.count--;
    look->at = look->next.count;
}

static enum rlog_change_verdict look_at_remove(struct look *look)
{
    unsigned long long id = look->change->member.id;
    if (!is_member(look)) {
        return RLOG_CHANGE_SO;
    }
    if (look->next.list[look->at].voter && rlog_roll_voters(&look->next) <= VOTERS_LEAST) {
        return say(look, RLOG_CHANGE_REFUSED,
                   "a cluster keeps %d voters: add and promote another one before node %llu goes; "
                   "for a lost disk, say member replace",
                   VOTERS_LEAST, id);
    }
    if (id == look->rlog->config.id) {
        return say(look, RLOG_CHANGE_LEADS, "node %llu leads: hand leadership over first", id);
    }
    take_out(look);
    return RLOG_CHANGE_BEGUN;
}

/* Takes the member out, and then in again: the core would go on with what the old disk held. */
static enum rlog_change_verdict look_at_replace(struct look *look)
{
    struct rlog_member *wanted = &look->change->member;
    unsigned long long id = wanted->id;
    if (!is_member(look)) {
        return wanted->address[0] != '\0'
                   ? look_at_add(look)
                   : say(look, RLOG_CHANGE_REFUSED, "node %llu is no member: say member add", id);
    }
    const struct rlog_member *member = &look->next.list[look->at];
    if (id128_equal(member->store, wanted->store)) {
        return RLOG_CHANGE_SO;
    }
    if (id == look->rlog->config.id || rlog_peers_connected(look->rlog, id)) {
        return say(look, RLOG_CHANGE_REFUSED,
                   "node %llu is here with the disk that it has: stop it first", id);
    }
    if (member->voter && rlog_roll_voters(&look->next) <= VOTERS_LEAST_REPLACED) {
        return say(look, RLOG_CHANGE_REFUSED,
                   "a cluster keeps %d voters: promote another one first", VOTERS_LEAST_REPLACED);
    }
    if (wanted->address[0] == '\0') {
        memcpy(wanted->address, member->address, sizeof wanted->address);
    }
    if (wanted->note[0] == '\0') {
        memcpy(wanted->note, member->note, sizeof wanted->note);
    }
    take_out(look);
    return RLOG_CHANGE_BEGUN;
}

static enum rlog_change_verdict look_at(struct look *look)
{
    const struct rlog_member *member = &look->change->member;
    bool names = look->change->kind == RLOG_ADD || look->change->kind == RLOG_REPLACE;
    if (names && id128_is_zero(member->store)) {
        return say(look, RLOG_CHANGE_REFUSED, "its disk has to be named: tenured --join tells it");
    }
    size_t taken = names ? taken_by(look, member) : look->rlog->members.roll.count;
    if (taken < look->rlog->members.roll.count) {
        return say(look, RLOG_CHANGE_REFUSED, "node %llu has that disk or address",
                   (unsigned long long)look->rlog->members.roll.list[taken].id);
    }
    switch (look->change->kind) {
    case RLOG_ADD:
        return look_at_add(look);
    case RLOG_PROMOTE:
        return look_at_promote(look);
    case RLOG_REMOVE:
        return look_at_remove(look);
    case RLOG_REPLACE:
        return look_at_replace(look);
    }
    UNREACHABLE("a change outside its enum");
}

/* Whether a majority of the voters after the change is there, so that it is committed, and what
 * follows it. */
static bool would_stand(const struct look *look, size_t *ret_there)
{
    *ret_there = 0;
    for (size_t i = 0; i < look->next.count; i++) {
        const struct rlog_member *member = &look->next.list[i];
        bool there = member->id == look->rlog->config.id ||
                     rlog_peers_connected(look->rlog, member->id);
        *ret_there += member->voter && there ? 1 : 0;
    }
    return *ret_there > rlog_roll_voters(&look->next) / 2;
}

static enum rlog_change_verdict submit(struct look *look, uint64_t *ret_index)
{
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    struct rlog_roll again;
    struct bytes encoded = rlog_roll_write(&look->next, buffer);
    if (encoded.size == 0 || !rlog_roll_read(encoded, &again)) {
        return say(look, RLOG_CHANGE_REFUSED,
                   "the list of members would not fit, or names one twice");
    }
    switch (rlog_engine_submit(look->rlog, RLOG_CHANGE, encoded, ret_index)) {
    case RLOG_SUBMITTED:
        rlog_settle_soon(look->rlog);
        return RLOG_CHANGE_BEGUN;
    case RLOG_BUSY:
        return say(look, RLOG_CHANGE_LATER, "too much is waiting already");
    case RLOG_NOT_LEADER:
        return RLOG_CHANGE_ELSEWHERE;
    }
    UNREACHABLE("an answer outside its enum");
}

enum rlog_change_verdict rlog_change(struct rlog *rlog, struct rlog_change *change, char *reason,
                                     size_t reason_size, uint64_t *ret_index)
{
    struct look look = {.rlog = rlog,
                        .change = change,
                        .next = rlog->members.roll,
                        .reason = reason,
                        .reason_size = reason_size};
    size_t there = 0;
    snprintf(reason, reason_size, "this node does not lead");
    if (rlog->phase != RLOG_RUNNING || rlog_engine_leader(rlog) != rlog->config.id) {
        return RLOG_CHANGE_ELSEWHERE;
    }
    if (!rlog_engine_may_change(rlog) || rlog->handing.wanted) {
        return say(&look, RLOG_CHANGE_LATER,
                   "another change is on its way, or this leader has just begun");
    }
    look.at = rlog_roll_find(&look.next, change->member.id);
    enum rlog_change_verdict verdict = look_at(&look);
    if (verdict != RLOG_CHANGE_BEGUN) {
        return verdict;
    }
    if (!would_stand(&look, &there)) {
        return say(&look, RLOG_CHANGE_LATER,
                   "only %zu of %zu voters would be there: bring them back first", there,
                   rlog_roll_voters(&look.next));
    }
    return submit(&look, ret_index);
}

/* ---- handing leadership over (M10) ---- */

bool rlog_transferring(const struct rlog *rlog)
{
    return rlog->handing.wanted;
}

enum rlog_change_verdict rlog_transfer(struct rlog *rlog, uint64_t to, char *reason,
                                       size_t reason_size)
{
    const struct rlog_roll *roll = &rlog->members.roll;
    unsigned long long id = to;
    if (rlog->phase != RLOG_RUNNING || rlog_engine_role(rlog) != RLOG_LEADER) {
        snprintf(reason, reason_size, "this node does not lead");
        return RLOG_CHANGE_ELSEWHERE;
    }
    if (to != 0 && (to == rlog->config.id || !rlog_roll_votes(roll, to))) {
        snprintf(reason, reason_size, "node %llu is %s", id,
                 to == rlog->config.id ? "the leader already" : "no voter");
        return RLOG_CHANGE_REFUSED;
    }
    if (to != 0 && !rlog_peers_connected(rlog, to)) {
        snprintf(reason, reason_size, "node %llu is not connected", id);
        return RLOG_CHANGE_LATER;
    }
    rlog->handing = (struct rlog_handing){
        .wanted = true,
        .to = to,
        .term = rlog_engine_term(rlog),
        .deadline_us = env_mono_us(rlog->env) + 2 * rlog->config.election_us,
    };
    env_timer_start(rlog->hand_timer, 0);
    return RLOG_CHANGE_BEGUN;
}

void rlog_hand_over_step(void *arg)
{
    struct rlog *rlog = arg;
    struct rlog_handing *handing = &rlog->handing;
    if (!handing->wanted || !rlog_alive(rlog)) {
        return;
    }
    bool leads = rlog_engine_role(rlog) == RLOG_LEADER && rlog_engine_term(rlog) == handing->term;
    if (!leads || rlog->phase != RLOG_RUNNING || env_mono_us(rlog->env) >= handing->deadline_us) {
        handing->wanted = false;
        rlog_settle(rlog);
        return;
    }
    if (handing->to == 0) { /* once all is acknowledged; nothing new is taken */
        rlog_engine_transfer(rlog);
    } else {
        (void)rlog_engine_transfer_to(rlog, handing->to);
    }
    rlog_settle(rlog);
    env_timer_start(rlog->hand_timer, HAND_PAUSE_US);
}

/* The guards of guard.h. Reads and corrects the core's own fields; decides nothing of Raft. */
#include "raftlog/guard.h"

#include <stddef.h>

#include <../src/progress.h> /* M12, M14: what the core keeps of a member, of the source we pin */

#include "raftlog/roll.h"

/* No cluster counts so far; sums of two such numbers do not overflow. */
#define COUNT_MAX (UINT64_C(1) << 48)

static bool leads_in(const struct raft *raft, raft_term term)
{
    return raft->state == RAFT_LEADER && raft->current_term == term;
}

static bool entries_are_sane(const struct raft_append_entries *append)
{
    raft_term term = append->prev_log_term;
    struct rlog_roll roll;
    for (unsigned i = 0; i < append->n_entries; i++) {
        const struct raft_entry *entry = &append->entries[i];
        if (entry->term == 0 || entry->term < term || entry->term > append->term) {
            return false;
        }
        if (entry->type == RAFT_CHANGE &&
            !rlog_roll_read(bytes_of(entry->buf.base, entry->buf.len), &roll)) {
            return false;
        }
        term = entry->term;
    }
    return true;
}

/* M3: without it the core appends entries that lie below its compacted prefix as if they were new
 * (with previous index 0 nothing is compared) or refuses what is committed. All up to the snapshot
 * is committed, so a leader of the current term has the same there: what is left begins at the
 * snapshot. False when that is older than the snapshot. */
static bool begin_at_snapshot(const struct raft *raft, struct raft_append_entries *append)
{
    raft_index first = raft->trail.offset;
    raft_index snapshot = raft->trail.snapshot.index;
    if (append->prev_log_index >= first || snapshot == 0) {
        return true;
    }
    raft_index skip = snapshot - append->prev_log_index;
    if (skip > append->n_entries) {
        skip = append->n_entries;
    }
    append->entries += skip;
    append->n_entries -= (unsigned)skip;
    append->prev_log_index = snapshot;
    append->prev_log_term = raft->trail.snapshot.term;
    return append->n_entries == 0 || append->entries[0].term >= append->prev_log_term;
}

static enum rlog_guard_verdict guard_append(struct raft *raft, struct raft_append_entries *append)
{
    bool begins = append->prev_log_index == 0;
    if (append->term == 0 || begins != (append->prev_log_term == 0) ||
        append->prev_log_term > append->term || leads_in(raft, append->term) ||
        !entries_are_sane(append)) {
        return RLOG_GUARD_BROKEN;
    }
    if (append->term >= raft->current_term && !begin_at_snapshot(raft, append)) {
        return RLOG_GUARD_BROKEN;
    }
    return RLOG_GUARD_STEP;
}

/* M14: heartbeats to a member that is being sent an image go out at the newest one's index, but the
 * core takes a rejection for stale unless it names the image that was sent: once a newer one is
 * there, it would ask for none before its timeout of 30 s, whatever became of the first. */
static void follow_newest_image(struct raft *raft, uint64_t from, raft_index rejected)
{
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        struct raft_progress *progress = &raft->leader_state.progress[i];
        if (raft->configuration.servers[i].id == from && progress->state == PROGRESS__SNAPSHOT &&
            rejected == raft->trail.snapshot.index) {
            progress->snapshot.index = rejected;
        }
    }
}

static enum rlog_guard_verdict guard_append_result(struct raft *raft, uint64_t from,
                                                   struct raft_append_entries_result *result)
{
    raft_index match = 0;
    if (!leads_in(raft, result->term) || raft_match_index(raft, from, &match) != 0) {
        return RLOG_GUARD_STEP;
    }
    if (result->rejected > 0 && result->rejected <= match) { /* M5 */
        result->rejected = 0;
        result->last_log_index = match;
    }
    if (result->rejected > 0 && result->last_log_index < match) {
        return RLOG_GUARD_WENT_BACK; /* the core would assert that it cannot be */
    }
    if (result->rejected > 0) {
        follow_newest_image(raft, from, result->rejected);
    }
    return RLOG_GUARD_STEP;
}

/* M7. */
static void forget_silent_leader(struct raft *raft, uint64_t now_ms)
{
    if (raft->state != RAFT_FOLLOWER || raft->follower_state.current_leader.id == 0 ||
        now_ms < raft->election_timer_start + raft->election_timeout) {
        return;
    }
    raft->follower_state.current_leader.id = 0;
    raft_free(raft->follower_state.current_leader.address);
    raft->follower_state.current_leader.address = NULL;
}

/* M7. */
static void count_as_voter(struct raft *raft, struct rlog_guard_undo *ret_undo)
{
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        struct raft_server *server = &raft->configuration.servers[i];
        if (server->id == raft->id && server->role != RAFT_VOTER) {
            *ret_undo = (struct rlog_guard_undo){server, server->role};
            server->role = RAFT_VOTER;
        }
    }
}

/* The core reads candidate fields in any state; a result that nobody waits for is dropped here. */
static enum rlog_guard_verdict guard_vote_result(const struct raft *raft,
                                                 const struct raft_request_vote_result *result)
{
    if (result->version < 2) {
        return RLOG_GUARD_BROKEN;
    }
    if (raft->state != RAFT_CANDIDATE) {
        return RLOG_GUARD_DROP;
    }
    if (raft->candidate_state.in_pre_vote && result->vote_granted &&
        result->term > raft->current_term + 1) {
        return RLOG_GUARD_BROKEN;
    }
    return RLOG_GUARD_STEP;
}

static enum rlog_guard_verdict guard_install(const struct raft *raft,
                                             const struct raft_install_snapshot *install)
{
    if (install->last_index == 0 || install->last_term == 0 || install->last_term > install->term ||
        leads_in(raft, install->term)) {
        return RLOG_GUARD_BROKEN;
    }
    return raft->snapshot.installing ? RLOG_GUARD_DROP : RLOG_GUARD_STEP;
}

static bool counts_are_sane(const struct raft_message *message)
{
    uint64_t most = 0;
    switch (message->type) {
    case RAFT_APPEND_ENTRIES:
        most = message->append_entries.term | message->append_entries.prev_log_index |
               message->append_entries.leader_commit;
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        most = message->append_entries_result.term | message->append_entries_result.rejected |
               message->append_entries_result.last_log_index;
        break;
    case RAFT_REQUEST_VOTE:
        most = message->request_vote.term | message->request_vote.last_log_index;
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        most = message->request_vote_result.term;
        break;
    case RAFT_INSTALL_SNAPSHOT:
        most = message->install_snapshot.term | message->install_snapshot.last_index;
        break;
    case RAFT_TIMEOUT_NOW:
        most = message->timeout_now.term | message->timeout_now.last_log_index;
        break;
    }
    return most < COUNT_MAX;
}

unsigned rlog_guard_part(const struct raft_append_entries *append)
{
    unsigned count = 0;
    while (count < append->n_entries && append->entries[count].type != RAFT_CHANGE) {
        count++;
    }
    return count == 0 && append->n_entries > 0 ? 1 : count;
}

raft_index rlog_guard_settled(const struct raft *raft, const struct raft_append_entries *append,
                              raft_term own_term)
{
    raft_index before = raft->configuration_uncommitted_index;
    if (append->n_entries == 0 || append->entries[0].type != RAFT_CHANGE || before == 0 ||
        before > append->prev_log_index || append->term < raft->current_term ||
        own_term != append->prev_log_term) {
        return 0;
    }
    return before;
}

bool rlog_guard_agrees(const struct raft *raft, const struct rlog_roll *roll)
{
    if (raft->configuration.n != roll->count) {
        return false;
    }
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        if (server->id != roll->list[i].id || (server->role == RAFT_VOTER) != roll->list[i].voter) {
            return false;
        }
    }
    return true;
}

bool rlog_guard_may_change(const struct raft *raft, raft_index own_first, raft_index commit)
{
    return raft->state == RAFT_LEADER && own_first != 0 && commit >= own_first &&
           raft->configuration_uncommitted_index == 0 && raft_transferee(raft) == 0;
}

enum rlog_guard_verdict rlog_guard_receive(struct raft *raft, struct raft_message *message,
                                           uint64_t now_ms, struct rlog_guard_undo *ret_undo)
{
    *ret_undo = (struct rlog_guard_undo){NULL, 0};
    if (!counts_are_sane(message)) {
        return RLOG_GUARD_BROKEN;
    }
    switch (message->type) {
    case RAFT_APPEND_ENTRIES:
        return guard_append(raft, &message->append_entries);
    case RAFT_APPEND_ENTRIES_RESULT:
        return guard_append_result(raft, message->server_id, &message->append_entries_result);
    case RAFT_REQUEST_VOTE:
        if (message->request_vote.term == 0 || message->request_vote.version < 2 ||
            message->request_vote.candidate_id != message->server_id) {
            return RLOG_GUARD_BROKEN;
        }
        forget_silent_leader(raft, now_ms);
        count_as_voter(raft, ret_undo);
        return RLOG_GUARD_STEP;
    case RAFT_REQUEST_VOTE_RESULT:
        return guard_vote_result(raft, &message->request_vote_result);
    case RAFT_INSTALL_SNAPSHOT:
        return guard_install(raft, &message->install_snapshot);
    case RAFT_TIMEOUT_NOW:
        return RLOG_GUARD_STEP;
    }
    return RLOG_GUARD_BROKEN;
}

void rlog_guard_stand_aside(struct raft *raft, struct rlog_guard_undo *ret_undo)
{
    *ret_undo = (struct rlog_guard_undo){NULL, 0};
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        struct raft_server *server = &raft->configuration.servers[i];
        if (server->id == raft->id) {
            *ret_undo = (struct rlog_guard_undo){server, server->role};
            server->role = RAFT_STANDBY;
        }
    }
}

void rlog_guard_received(const struct rlog_guard_undo *undo)
{
    if (undo->server != NULL) {
        undo->server->role = undo->role;
    }
}

static bool of_stale_leader(const struct raft *raft, const struct raft_message *message)
{
    return (message->type == RAFT_APPEND_ENTRIES &&
            message->append_entries.term < raft->current_term) ||
           (message->type == RAFT_INSTALL_SNAPSHOT &&
            message->install_snapshot.term < raft->current_term);
}

void rlog_guard_answers(const struct raft *raft, const struct raft_event *event,
                        struct raft_message *answers, unsigned count)
{
    if (event->type != RAFT_RECEIVE || !of_stale_leader(raft, event->receive.message)) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (answers[i].type == RAFT_APPEND_ENTRIES_RESULT) { /* M11 */
            answers[i].append_entries_result.last_log_index = 0;
        }
    }
}

void rlog_guard_send(const struct raft *raft, struct raft_message *message)
{
    if (message->type != RAFT_REQUEST_VOTE_RESULT) {
        return;
    }
    struct raft_request_vote_result *result = &message->request_vote_result;
    if (result->pre_vote && !result->vote_granted && result->term < raft->current_term) { /* M6 */
        result->term = raft->current_term;
    }
}

uint64_t rlog_guard_commit(uint64_t before, uint64_t commit)
{
    return commit > before ? commit : before;
}

uint64_t rlog_guard_tick(uint64_t timeout_ms, uint64_t last_tick_ms, uint64_t heartbeat_ms)
{
    uint64_t pause_ms = heartbeat_ms / 4 > 0 ? heartbeat_ms / 4 : 1;
    uint64_t earliest_ms = last_tick_ms + pause_ms;
    return timeout_ms > earliest_ms ? timeout_ms : earliest_ms;
}

void rlog_guard_forget_match(struct raft *raft, uint64_t id)
{
    for (unsigned i = 0; raft->state == RAFT_LEADER && i < raft->configuration.n; i++) {
        struct raft_progress *progress = &raft->leader_state.progress[i];
        if (raft->configuration.servers[i].id == id && id != raft->id) {
            progress->state = PROGRESS__PROBE;
            progress->next_index = raft_last_index(raft) + 1;
            progress->match_index = 0;
            progress->snapshot.index = 0;
        }
    }
}

bool rlog_guard_may_take_over(struct raft *raft, uint64_t id)
{
    raft_index match = 0;
    if (raft->state != RAFT_LEADER || raft_transferee(raft) != 0) {
        return false;
    }
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        if (server->id == id) {
            return id != raft->id && server->role == RAFT_VOTER &&
                   raft_match_index(raft, id, &match) == 0 && match == raft_last_index(raft);
        }
    }
    return false;
}

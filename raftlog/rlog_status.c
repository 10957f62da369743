/* What a node tells of itself and of the members. Changes nothing.
 */
#include <string.h>

#include "raftlog/engine.h"
#include "raftlog/peers.h"
#include "raftlog/repair.h"
#include "raftlog/rlog.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/streams.h"

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
    ret_status->snapshot_held_us = rlog->snapshot_held_us;
    ret_status->snapshot_received = rlog_streams_received(rlog);
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

/* Drives libraft: one event in, one update carried out in raft.md's order. Hides raft.h.
 *
 * libraft decides; this file's functions persist, send and apply what it decided. One thing waits
 * for the disk, on the loop: storing term and vote.
 */
#ifndef RAFTLOG_ENGINE_H
#define RAFTLOG_ENGINE_H

#include "raftlog/log.h"
#include "raftlog/raftlog.h"
#include "raftlog/snapshots.h"

struct rlog_engine;

/* Starts from the term and vote, the log and the restored snapshot (NULL: none) of `rlog`. */
int rlog_engine_create(struct rlog *rlog, const struct rlog_snapshot_info *snapshot, char *error,
                       size_t error_size);
/* Stops the timer for good: no further events of its own. */
void rlog_engine_halt(struct rlog *rlog);
void rlog_engine_destroy(struct rlog *rlog);

/* ---- events ---- */

/* A Raft message of wire.def from a member; false when it is malformed or cannot be true. */
bool rlog_engine_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body);
/* A CHANGE only when rlog_engine_may_change. */
enum rlog_submit rlog_engine_submit(struct rlog *rlog, enum rlog_entry_type type,
                                    struct bytes payload, uint64_t *ret_index);
/* The log is durable up to `index`. */
void rlog_engine_stored(struct rlog *rlog, uint64_t index);
/* A snapshot of the leader `from` in `term` lies whole and durable in our folder, and the
 * machine's second state is made of it. False when its configuration cannot be read. Afterwards
 * it is installed, or the core had no use for it. */
bool rlog_engine_install(struct rlog *rlog, uint64_t from, uint64_t term,
                         const struct rlog_snapshot_info *info);
/* Our own snapshot is durable, with the configuration of `configuration_index`; the log is pruned
 * to the trailing entries. */
void rlog_engine_snapshot_taken(struct rlog *rlog, uint64_t index, uint64_t configuration_index);
/* Leading: counts anew what the member `id` holds, from nothing on. */
void rlog_engine_forget_match(struct rlog *rlog, uint64_t id);
/* Leads and somebody has all our entries: hands leadership over. */
void rlog_engine_transfer(struct rlog *rlog);
/* Leads, and this voter is connected and has all our entries: hands leadership over to it. True
 * when that has begun. */
bool rlog_engine_transfer_to(struct rlog *rlog, uint64_t id);

/* ---- what follows (rlog_settle) ---- */

/* Tells the machine a changed role, term or leader. True when there was one. */
bool rlog_engine_notify(struct rlog *rlog);
/* Applies some of what is committed. True when there was some. */
bool rlog_engine_apply(struct rlog *rlog);

/* ---- looking ---- */

enum rlog_role rlog_engine_role(const struct rlog *rlog);
uint64_t rlog_engine_term(const struct rlog *rlog);
uint64_t rlog_engine_leader(const struct rlog *rlog);
uint64_t rlog_engine_commit(const struct rlog *rlog);
/* The last entry that this member is known to hold; false when this node does not lead. */
bool rlog_engine_match(const struct rlog *rlog, uint64_t id, uint64_t *ret_match);
uint64_t rlog_engine_applied(const struct rlog *rlog);
/* While leading: the first index of our own term. */
uint64_t rlog_engine_own_first(const struct rlog *rlog);
/* The configuration bytes that a snapshot at the applied index carries (M1c: the applied roll), and
 * the index they come from. Into `buffer` of RLOG_CONFIGURATION_MAX. */
struct bytes rlog_engine_configuration(const struct rlog *rlog, uint8_t *buffer,
                                       uint64_t *ret_index);
/* Index of the newest configuration in our log, committed or not; 0: there is none. */
uint64_t rlog_engine_configured(const struct rlog *rlog);
/* Index of the newest one that this node knows to be committed; 0: of none. */
uint64_t rlog_engine_settled(const struct rlog *rlog);
/* Index of a newer one in our log, which may be lost again, and its term; 0: there is none. */
uint64_t rlog_engine_unsettled(const struct rlog *rlog, uint64_t *ret_term);
/* Our log ends before an entry of that term and index, as candidates compare logs. */
bool rlog_engine_ends_before(const struct rlog *rlog, uint64_t term, uint64_t index);
/* Leads, has committed an entry of its own term (M4), and no change is on its way. */
bool rlog_engine_may_change(const struct rlog *rlog);
/* Leadership is being handed over. */
bool rlog_engine_transferring(const struct rlog *rlog);

#endif

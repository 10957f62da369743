/* When a snapshot is due, and taking it: the machine's walk, a bounded step a turn.
 *
 * Due behind the entry with which the log, all that it ever held, passes a multiple of a stride:
 * snapshot_bytes, doubled until it is at least half of the last image. Images carry how long the
 * log was, so all nodes count alike, and take theirs at the same index, whenever they began and
 * whatever else was asked of them; one that cannot at that moment takes it late, and is with the
 * others again at the next.
 */
#ifndef RAFTLOG_SNAPSHOT_TASK_H
#define RAFTLOG_SNAPSHOT_TASK_H

#include "raftlog/raftlog.h"
#include "raftlog/snapshots.h"

/* `newest`: what the folder holds, NULL for none. */
void rlog_snapshot_task_create(struct rlog *rlog, const struct rlog_snapshot_info *newest);
void rlog_snapshot_task_destroy(struct rlog *rlog);

/* Starts one when it is due and possible (rlog_settle). */
void rlog_snapshot_task_advance(struct rlog *rlog);
void rlog_snapshot_task_want(struct rlog *rlog);
/* Gives up the walk in progress, if any. */
void rlog_snapshot_task_abort(struct rlog *rlog);
/* A received snapshot has replaced everything. */
void rlog_snapshot_task_installed(struct rlog *rlog, const struct rlog_snapshot_info *info);
/* An entry was applied: begins the walk behind just this one, when it is due here. */
void rlog_snapshot_task_applied(struct rlog *rlog);
/* Index of the newest one, 0: none. */
uint64_t rlog_snapshot_task_index(const struct rlog *rlog);
/* Identity of the newest one (rlog_snapshot_file_tell); 0: it was found at the start. */
uint64_t rlog_snapshot_task_identity(const struct rlog *rlog);
/* How many this process has taken, and the size of the newest one's image. */
void rlog_snapshot_task_tell(const struct rlog *rlog, uint64_t *ret_taken, uint64_t *ret_bytes);
/* Entries below `index` are not needed: they go in the next turns, some in each. */
void rlog_snapshot_task_prune(struct rlog *rlog, uint64_t index);
/* Removes all files but the newest one's, once no stream reads them. */
void rlog_snapshot_task_tidy(struct rlog *rlog);
/* No work in flight that would outlive rlog_snapshot_task_destroy. */
bool rlog_snapshot_task_idle(const struct rlog *rlog);

#endif

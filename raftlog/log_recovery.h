/* What recovery's two files share: log_recover.c, which decides, and log_replay.c, which reads.
 *
 * Not for code outside log_re*.c.
 */
#ifndef RAFTLOG_LOG_RECOVERY_H
#define RAFTLOG_LOG_RECOVERY_H

#include "raftlog/log_state.h"

struct rlog_recovery {
    struct rlog_log *log;
    struct rlog_log_disk *disk;
    struct rlog_segment *found; /* in order of their numbers */
    size_t count, capacity;
    size_t first; /* of the run without a gap that ends with the newest */
    struct rlog_log_point mark;
    uint64_t newest_offset; /* of the last batch of the newest segment; 0: it has none */
    uint8_t *buffer;
    size_t buffer_size;
    char *error;
    size_t error_size;
};

/* Each writes the error line and returns an rc. */
int rlog_recovery_refuse(struct rlog_recovery *recovery, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Behind the last entry that could be read. */
int rlog_recovery_damaged(struct rlog_recovery *recovery, const char *what);
int rlog_recovery_unreadable(struct rlog_recovery *recovery, int rc, const char *name);
/* What rlog_unseal found. */
int rlog_recovery_unsealed(struct rlog_recovery *recovery, int rc, const char *name);

/* Opens the next segment and applies its batches up to the first that is not whole. */
int rlog_recovery_segment(struct rlog_recovery *recovery, struct rlog_segment *segment);
/* Looks behind the end of the newest segment for what proves a batch that is not there. */
int rlog_recovery_tail_check(struct rlog_recovery *recovery);
/* What was read is durable from here on, what was torn is gone, and both slots of the mark say so.
 */
int rlog_recovery_tail_settle(struct rlog_recovery *recovery);

#endif

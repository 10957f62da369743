/* Confirmation rounds (raft.md section 7): proof of leadership that began after a read arrived. */
#ifndef RAFTLOG_READS_H
#define RAFTLOG_READS_H

#include "raftlog/raftlog.h"

void rlog_reads_create(struct rlog *rlog);
/* Refuses all that waits. */
void rlog_reads_refuse(struct rlog *rlog);
/* Drops what waits without a call. */
void rlog_reads_destroy(struct rlog *rlog);

enum rlog_submit rlog_reads_confirm(struct rlog *rlog, rlog_confirmed_cb done, void *arg);
/* CONFIRM and CONFIRM_RESULT; false when malformed. */
bool rlog_reads_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body);
/* Answers what can be answered (rlog_settle); true when something was. */
bool rlog_reads_advance(struct rlog *rlog);

#endif

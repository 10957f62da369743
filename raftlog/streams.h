/* Snapshot files on their way to and from peers: one stream a peer and direction, chunks in order,
 * a window of two. No resumption: a broken stream begins anew when the core asks again.
 */
#ifndef RAFTLOG_STREAMS_H
#define RAFTLOG_STREAMS_H

#include "raftlog/raftlog.h"

void rlog_streams_create(struct rlog *rlog);
void rlog_streams_destroy(struct rlog *rlog);

/* The core wants `to` to have our snapshot at (index, last_term). Nothing happens while a stream to
 * it is on its way and moves; one that stands still begins anew. */
void rlog_streams_send(struct rlog *rlog, uint64_t to, uint64_t term, uint64_t index,
                       uint64_t last_term);
/* A SNAPSHOT_ message; false when it is malformed. */
bool rlog_streams_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body);
/* The connection is gone, and its streams with it. */
void rlog_streams_lost(struct rlog *rlog, uint64_t peer);
/* Whether a file is being read for a peer or written from one: all files must stay. */
bool rlog_streams_using_files(const struct rlog *rlog);
/* No work in flight that would outlive rlog_streams_destroy. */
bool rlog_streams_idle(const struct rlog *rlog);

#endif

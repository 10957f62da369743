/* Snapshot files on their way to and from peers: one stream a peer out, one in; chunks in order,
 * each with a checksum, a window of two.
 *
 * The leader offers its newest image: index, size, and identity, which stands for all its bytes
 * (rlog_snapshot_file_tell). The other side says from which byte on it wants it: it keeps what it
 * wrote, on disk, whatever becomes of the connection, the leader or itself, and goes on behind the
 * last whole block of it when the same image is offered, by whomever. Another image begins anew,
 * and takes the old part's place. A connection that comes back is offered at once what it was
 * sent before. A file becomes ours only when every byte of it is checked, and is restored from
 * before the loop takes notice of it (snapshot_task.h). An offer that comes while one is restored
 * from waits; so does one that comes soon after a transfer failed here, for a second at most.
 */
#ifndef RAFTLOG_STREAMS_H
#define RAFTLOG_STREAMS_H

#include "raftlog/raftlog.h"

enum { RLOG_STREAM_CHUNK = 128 * 1024 /* the most that rlog_config.image_chunk may be */ };

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
/* A connection is there: what the last one was in the middle of is offered again, if we still lead
 * in that term. */
void rlog_streams_greet(struct rlog *rlog, uint64_t peer);
/* Files may be opened again: begins with the offer that waits, if one does. */
void rlog_streams_go_on(struct rlog *rlog);
/* Role or term have changed: streams of a term that we do not lead end. */
void rlog_streams_follow_role(struct rlog *rlog);
/* Ends streams that stand still, so that they keep no files. */
void rlog_streams_release(struct rlog *rlog);
/* Whether a file is being read for a peer or written from one: all files must stay. */
bool rlog_streams_using_files(const struct rlog *rlog);
/* No work in flight that would outlive rlog_streams_destroy. */
bool rlog_streams_idle(const struct rlog *rlog);
/* Bytes of images that arrived here in chunks, since the start. */
uint64_t rlog_streams_received(const struct rlog *rlog);

#endif

/* Connections to the other members: mutual TLS, hello, frames, keep-alive. Knows no Raft.
 *
 * One connection a pair. The lower id dials; the higher does when the lower has not for a while,
 * since it may not know of it, and at once when the lower has no vote, since it may know nobody. A
 * connection counts once both hellos have been checked; a newer one replaces the older (the
 * connection epoch), whose bytes are dropped. What cannot be sent is dropped: Raft repeats itself.
 *
 * Who is no member is told so and nothing else; but for one who knows of a newer change
 * of the members than we do: a guest, until our log has caught up.
 */
#ifndef RAFTLOG_PEERS_H
#define RAFTLOG_PEERS_H

#include "raftlog/raftlog.h"

enum { RLOG_PEERS_MAX = 2 * RLOG_MEMBERS_MAX /* members, and guests on their way in or out */ };

/* Listens; delivers nothing inside the call. */
int rlog_peers_create(struct rlog *rlog, char *error, size_t error_size);
/* Dials from the next turn on. */
void rlog_peers_start(struct rlog *rlog);
/* Closes everything, flushing what is queued when `flush`. No bytes are delivered afterwards. */
void rlog_peers_close(struct rlog *rlog, bool flush);
/* Whether the last connection is gone. */
bool rlog_peers_closed(const struct rlog *rlog);
void rlog_peers_destroy(struct rlog *rlog);

/* Whether frames to the member can be sent at all. */
bool rlog_peers_connected(const struct rlog *rlog, uint64_t id);
/* How long a connected member has said nothing; 0 for others. */
uint64_t rlog_peers_silent(const struct rlog *rlog, uint64_t id);
/* The store id that it said hello with; zero when it is not connected. */
struct id128 rlog_peers_store(const struct rlog *rlog, uint64_t id);
/* Ids of all to whom frames can be sent, members or not yet; returns how many. */
size_t rlog_peers_ready(const struct rlog *rlog, uint64_t ids[RLOG_PEERS_MAX]);
/* Starts a frame: NULL when not connected or the queue is full. Write the body, then call
 * rlog_peers_end. One frame at a time. */
struct base_writer *rlog_peers_begin(struct rlog *rlog, uint64_t id, uint8_t kind);
void rlog_peers_end(struct rlog *rlog);
/* The members have changed: dials the new ones; who is none any more is told so and let go, and so
 * is one whose store id does not fit any more. */
void rlog_peers_check(struct rlog *rlog);
/* Where a peer is, for the Raft core, which compares it; never NULL. */
const char *rlog_peers_place(const struct rlog *rlog, uint64_t id);
/* Tells the member why in one line, logs it, and closes its connection. */
void rlog_peers_refuse(struct rlog *rlog, uint64_t id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *rlog_peers_address(const struct rlog *rlog);

#endif

/* One connection to a member, between peers.c, which has them all, and link.c, which knows how one
 * comes to be ready. For these two files only.
 */
#ifndef RAFTLOG_LINK_H
#define RAFTLOG_LINK_H

#include "base/list.h"
#include "env/net.h"
#include "raftlog/greeting.h"
#include "raftlog/peers.h"
#include "raftlog/rlog.h"
#include "raftlog/wire.h"

enum { RLOG_LINK_LINE_MAX = 320 };

enum link_state { LINK_CONNECTING, LINK_GREETING, LINK_READY, LINK_CLOSING };

struct link {
    struct list node;
    struct rlog_peers *peers;
    struct env_conn *conn;
    struct peer *peer; /* NULL until the certificate was seen, and of a stranger until its hello */
    uint64_t stranger; /* id of one whom we do not know, until its hello; 0: none */
    enum link_state state;
    bool dialed;
    struct id128 store;
    struct rlog_told told; /* by its hello: who knows more than we do is believed */
    uint64_t began_us;
    uint64_t ready_us; /* since when it is */
    uint64_t heard_us;
    uint64_t sent_us;
    uint8_t *buffer;
    size_t fill;
    size_t capacity;
};

struct peer {
    uint64_t id; /* 0: a free place */
    bool member; /* otherwise a guest */
    bool voter;
    char address[ENV_ADDRESS_MAX];
    uint64_t lost_us;    /* since when there is no connection */
    struct link *ready;  /* the current epoch */
    struct link *dialed; /* on its way or ready */
    uint64_t backoff_us;
    uint64_t dial_at_us;
    /* What was last logged about it: news, and trouble. Two, so that a connection that is refused
     * again and again is not told each time. */
    char lines[2][RLOG_LINK_LINE_MAX];
};

struct rlog_peers {
    struct rlog *rlog;
    struct env_listener *listener;
    struct env_timer *timer;
    struct list links;
    struct peer list[RLOG_PEERS_MAX];
    char address[ENV_ADDRESS_MAX];
    struct base_writer writer;
    struct link *target; /* of the frame that is being written */
    uint8_t scratch[RLOG_WIRE_HEADER + RLOG_WIRE_FRAME_MAX];
};

/* NULL: unknown, or this node itself. */
struct peer *rlog_peers_find(const struct rlog *rlog, uint64_t id);
/* Takes one in whom we do not know; NULL when there are too many. */
struct peer *rlog_peers_guest(struct rlog_peers *peers, uint64_t id);
/* Begins a frame in the scratch of `peers`: one at a time. */
struct base_writer *rlog_link_frame(struct rlog_peers *peers, uint8_t kind);

/* The callbacks of every connection to a member. */
extern const struct env_conn_handlers rlog_link_handlers;

/* Not yet connected; `conn` and, when it is dialed, `peer` are the caller's to set. */
struct link *rlog_link_create(struct rlog_peers *peers, bool dialed);
/* Its connection is gone. */
void rlog_link_free(struct link *link);
/* Its peer does without it, and dials again later. */
void rlog_link_detach(struct link *link);
/* Nothing of it is heard any more; on_close frees it. */
void rlog_link_close(struct link *link, bool flush);
void rlog_link_write(struct link *link, struct bytes frame);
/* Says why on both sides and closes. */
void rlog_link_refuse(struct link *link, const char *reason);
/* Closes the connection of a stranger, and logs why; it hears so when `tell`. */
void rlog_link_turn_away(struct link *link, const char *reason, bool tell);
/* One line about a peer, unless it would repeat the last one of its kind. */
void rlog_link_say(struct peer *peer, struct rlog *rlog, enum env_log_level level,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif

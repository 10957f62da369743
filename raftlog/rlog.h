/* One node's parts and how they find each other: for raftlog's own files only.
 *
 * Every entry point (timer, bytes from a peer, finished write) does its part and then calls
 * rlog_settle, which runs what follows: role changes, applies, reads, snapshots. Machine callbacks
 * and read callbacks run from rlog_settle alone, never from inside raft_step's update.
 */
#ifndef RAFTLOG_RLOG_H
#define RAFTLOG_RLOG_H

#include "env/clock.h"
#include "env/log.h"
#include "raftlog/log.h"
#include "raftlog/members.h"
#include "raftlog/raftlog.h"
#include "raftlog/store.h"
#include "raftlog/vote.h"

enum {
    RLOG_PATH_MAX = 4096,
    RLOG_APPEND_BYTES = 256 * 1024,      /* the most that rlog_config.append_bytes may be */
    RLOG_PENDING_MAX = 16 * 1024 * 1024, /* of entries not yet durable: then BUSY */
    RLOG_INFLIGHT_ENTRIES = 256,         /* to one peer, not yet acknowledged */
    RLOG_APPLY_ENTRIES = 512,            /* in one turn */
    RLOG_READS_MAX = 65536,              /* confirmations that wait */
    RLOG_MESSAGE_MAX = 64 * 1024,        /* of the user's, to a peer */
    RLOG_USER_KIND_MAX = 127,
};

enum rlog_phase {
    RLOG_RUNNING,
    RLOG_HANDING_OVER, /* stopping: leadership goes to another */
    RLOG_FINISHING,    /* stopping: the last writes */
    RLOG_STOPPED,
    RLOG_FAILED, /* on_fatal was called */
};

/* How a member without a vote keeps up (change.c): the round under way, and the one before. */
struct rlog_catch_up {
    uint64_t id;
    uint64_t target; /* all that the log held when the round began */
    uint64_t began_us;
    bool close;
};

/* Leadership that is to be handed over (rlog_transfer). */
struct rlog_handing {
    bool wanted;
    uint64_t to; /* 0: to anybody */
    uint64_t term;
    uint64_t deadline_us;
};

struct rlog_engine;
struct rlog_peers;
struct rlog_reads;
struct rlog_repair;
struct rlog_snapshot_task;
struct rlog_streams;

struct rlog {
    struct env *env;
    struct rlog_config config;
    struct rlog_machine machine;
    struct rlog_store store;
    struct rlog_members members;
    struct rlog_vote vote;
    struct rlog_log *log;
    struct rlog_engine *engine;
    struct rlog_peers *peers;
    struct rlog_reads *reads;
    struct rlog_repair *repair;
    struct rlog_snapshot_task *snapshot_task;
    struct rlog_streams *streams;
    struct rlog_catch_up catch_up[RLOG_MEMBERS_MAX];
    struct rlog_handing handing;
    struct env_timer *settle_timer;
    struct env_timer *stop_timer;
    struct env_timer *hand_timer;
    char log_folder[RLOG_PATH_MAX];
    char snapshot_folder[RLOG_PATH_MAX];
    enum rlog_phase phase;
    bool settling;
    bool bound;                /* the cluster has noted our disk as this node's */
    bool removed;              /* and then removed us: that was told */
    uint64_t snapshot_held_us; /* the longest that work on snapshots has held the loop */
    uint64_t stop_deadline_us;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* Runs what is due: role changes first, then applies, reads, bindings, snapshots. Does nothing when
 * called from inside itself. */
void rlog_settle(struct rlog *rlog);
/* Does that at the loop's next turn. */
void rlog_settle_soon(struct rlog *rlog);
/* The node can go on no more: closes all connections, tells the machine once. */
void rlog_fail(struct rlog *rlog, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The member `id` said hello with `store`: remembers a first meeting durably. False when that
 * failed: the node with it, unless the disk is full. */
bool rlog_meet(struct rlog *rlog, uint64_t id, struct id128 store);
/* Those of rlog.c; none is started. */
void rlog_timers_create(struct rlog *rlog);
/* What this node's log is opened with, and whom it calls. */
struct rlog_log_config rlog_log_config_of(const struct rlog *rlog);
struct rlog_log_handlers rlog_log_handlers_of(struct rlog *rlog);
/* Work on a snapshot has held the loop since then: notes the longest. */
void rlog_held(struct rlog *rlog, uint64_t since_us);
/* Neither failed nor stopped. */
bool rlog_alive(const struct rlog *rlog);
/* Born to join a cluster that there was already. */
bool rlog_joined(const struct rlog *rlog);

/* change.c: looks how far members without a vote are, while this node leads (rlog_settle). */
void rlog_watch_catch_up(struct rlog *rlog);
bool rlog_is_close(const struct rlog *rlog, uint64_t id);
/* change.c: goes on with handing leadership over. */
void rlog_hand_over_step(void *arg);

#endif

/* A replicated log of opaque entries over a machine of the caller's: Raft, disk, peers, reads.
 *
 * raftlog knows neither what an entry means nor who its clients are. libraft decides (raft_step),
 * we persist, send and apply. One `struct rlog` a node, driven by its env's loop.
 *
 * What blocks the loop: start; each new term or vote, until both its files are synced (by design:
 * no message may leave before); and the first meeting with each member, until it is noted. All else
 * on disk is queued work, and so is the restoring of an image that came from a leader, into a
 * second state of the machine beside the one that serves. Errors of the disk end the node: see
 * on_fatal. A full disk does not: the log waits for space (rlog_status tells), and acknowledges
 * nothing meanwhile.
 */
#ifndef RAFTLOG_RAFTLOG_H
#define RAFTLOG_RAFTLOG_H

#include "base/bytes.h"
#include "env/env.h"
#include "env/net.h"

enum {
    RLOG_MEMBERS_MAX = 9,
    RLOG_ENTRY_MAX = 128 * 1024,
    RLOG_NAME_MAX = 64,
    RLOG_DAMAGE_LINE_MAX = 400,
};

enum rlog_role { RLOG_FOLLOWER = 1, RLOG_CANDIDATE, RLOG_LEADER };

struct rlog_member {
    uint64_t id;                   /* 1 or more */
    char address[ENV_ADDRESS_MAX]; /* of its peer port */
    char note[ENV_ADDRESS_MAX];    /* the caller's own text: where its clients find it */
    bool voter;                    /* false: it gets the log, and its vote does not count */
    struct id128 store;            /* its disk; zero: none is known yet */
    bool joined;                   /* by a change, which named its disk (set by raftlog alone) */
};

/* The machine's state that a restored cluster begins with: pieces of an image, of any size. */
struct rlog_image {
    void *arg;
    void (*write)(void *arg, void (*sink)(void *sink_arg, struct bytes piece), void *sink_arg);
};

/* What a node's data folder is born with; entry 1 of the log is made from the members, who all
 * vote, or they go into the image's snapshot when there is one: then no log holds entry 1. A folder
 * that is to join a cluster that there is already has none of them: its members come from the
 * cluster. */
struct rlog_birth {
    char cluster[RLOG_NAME_MAX];
    struct id128 incarnation;
    struct rlog_member members[RLOG_MEMBERS_MAX];
    size_t member_count;
    struct bytes machine;           /* the machine's own bytes (limits, T0, keys); at most 16 KiB */
    const struct rlog_image *image; /* rlog_format alone looks at it; NULL: an empty machine */
};

/* The replicated machine. All calls on the loop; none may call back into rlog unless it says so. */
struct rlog_machine {
    void *arg;
    /* At start, before anything else: the birth's bytes. */
    int (*birth)(void *arg, const struct rlog_birth *birth);
    /* A committed entry, in order, each exactly once per (re)start or restore. False: the machine
     * cannot understand it; the node stops. */
    bool (*apply)(void *arg, uint64_t index, uint64_t term, struct bytes entry);
    /* An entry entered this node's log (from its own disk at start, from a leader, by submit); not
     * committed yet, may still be replaced. For clocks that must follow the log (model.md T2).
     * `local` is true at start and for submit. */
    void (*appended)(void *arg, uint64_t term, bool local, struct bytes entry);
    /* Role, term or known leader changed. leader 0: unknown. May call rlog_submit. */
    void (*role_changed)(void *arg, enum rlog_role role, uint64_t term, uint64_t leader);
    /* A message sent with rlog_peer_send by another node, in order per connection. May call
     * rlog_peer_send. */
    void (*peer_message)(void *arg, uint64_t from, uint8_t kind, struct bytes message);
    /* Image of the applied state, in pieces through `sink` (raftlog stores them, compressed): begin
     * fixes the position, step walks on and says true when all pieces are out. */
    void (*snapshot_begin)(void *arg, void (*sink)(void *sink_arg, struct bytes piece),
                           void *sink_arg);
    bool (*snapshot_step)(void *arg);
    void (*snapshot_abort)(void *arg);
    /* The machine's state is replaced by an image: begin makes an empty second state beside the
     * one that there is, feed fills it with pieces of any size, end checks that it is whole.
     * These three come from queued work, but at start, and may touch nothing but the second
     * state; a negative rc: the image is unusable. Then, on the loop, take makes the second
     * state the state, or nothing does. At last drop, from queued work again, frees the one of
     * both that is not in use, if there is one. On the loop, between the work that met a
     * negative rc and anything after it, refused, which may be NULL: the work's own notes of why
     * may be looked at then, and at start, and at no other time. */
    int (*restore_begin)(void *arg);
    int (*restore_feed)(void *arg, struct bytes piece);
    int (*restore_end)(void *arg);
    void (*restore_take)(void *arg);
    void (*restore_drop)(void *arg);
    void (*restore_refused)(void *arg);
    /* For who counts; may be NULL. A batch of the log is durable: its bytes, and how long it took,
     * the wait for a worker included. */
    void (*log_written)(void *arg, uint64_t bytes, uint64_t took_us);
    /* The node can go on no more (disk error, damage, refused entry): one line says why. The owner
     * ends the process; raftlog does nothing further, sends nothing, votes no more. */
    void (*on_fatal)(void *arg, int rc, const char *detail);
};

struct rlog_config {
    uint64_t id;
    const char *folder;      /* of this node's data */
    const char *listen;      /* address of the peer port; port 0 picks one (tests) */
    struct env_tls *tls;     /* identity: tenure://<cluster>/-/peer/<id> */
    uint64_t election_us;    /* election timeout; 500,000 */
    uint64_t heartbeat_us;   /* 50,000 */
    uint64_t segment_bytes;  /* size of a log segment; 64 MiB */
    uint64_t snapshot_bytes; /* a snapshot is due each time the log got so much longer; 64 MiB */
    uint64_t trailing;       /* entries kept behind a snapshot; 4,096 */
    uint64_t backlog_max;    /* uncommitted entries; as many as a follower is sent unasked */
    uint64_t peer_queue_max; /* bytes queued to one peer; 16 MiB */
    size_t append_bytes;     /* of entries in one message to a peer; 256 KiB, the most */
    size_t image_block;      /* bytes of an image that are packed together; 256 KiB, the most */
    size_t image_chunk;      /* bytes of its file that are sent together; 128 KiB, the most */
};

/* Election and heartbeat and all bounds at their defaults. */
void rlog_config_init(struct rlog_config *config);

/* Formats an empty folder (created when missing): birth, store id, entry 1 (when the birth has
 * members), vote. Synchronous. EXISTS when the folder holds a node already. `error`: one line for a
 * person. `ret_store_id` may be NULL. */
int rlog_format(struct env *env, const char *folder, uint64_t id, const struct rlog_birth *birth,
                char *error, size_t error_size, struct id128 *ret_store_id);

/* The image in the file of a snapshot, for a restore: gives its pieces to `feed`, whose negative
 * answer ends it. Only ENV_OK says that the file is whole; otherwise `error`, unless feed refused:
 * one line for a person. Synchronous. */
int rlog_image_read(struct env *env, const char *path, int (*feed)(void *arg, struct bytes piece),
                    void *arg, char *error, size_t error_size);

struct rlog;

/* Opens the folder (lock, birth, vote, newest snapshot, log), restores the machine, replays nothing
 * that is not known to be committed, listens, and joins. Borrows `config`'s strings and `machine`
 * until rlog_destroy. On failure `error` says in one line what is wrong and what to do: no node
 * here; a folder of another cluster, node id or incarnation (compared with `config` and the
 * certificate); a damaged birth or vote. A damaged log or image is no failure: the node starts
 * without a vote and is repaired by a leader (repair.h); only one that has no other member does
 * not start. */
int rlog_start(struct env *env, const struct rlog_config *config,
               const struct rlog_machine *machine, char *error, size_t error_size,
               struct rlog **ret_rlog);

/* Hands leadership over when we lead (bounded by one election timeout), finishes the writes in
 * flight, closes; then `stopped`. */
void rlog_stop(struct rlog *rlog, void (*stopped)(void *arg), void *arg);
/* Gives leadership up in favour of a member that has the whole log, when we lead and there is one;
 * otherwise nothing. For who submits nothing any more, and asks again: a leader with load uses
 * rlog_transfer. */
void rlog_step_down(struct rlog *rlog);
/* Frees everything at once, also without rlog_stop (a crash in the simulator). NULL is fine. */
void rlog_destroy(struct rlog *rlog);

/* ---- writing ---- */

/* Appends one entry to the leader's log; copies. The outcome arrives as apply() of that index, or
 * as a change of role or term before it (then it is unknown). */
enum rlog_submit {
    RLOG_SUBMITTED,
    RLOG_NOT_LEADER,
    RLOG_BUSY, /* backlog or disk queue is full: nothing was appended, try again later */
};
enum rlog_submit rlog_submit(struct rlog *rlog, struct bytes entry, uint64_t *ret_index);
/* Whether rlog_submit would accept now. */
bool rlog_ready(const struct rlog *rlog);

/* ---- reading (raft.md section 7) ---- */

/* Confirms leadership with a round that begins after this call, then waits until everything
 * committed at this call is applied; then `done(arg, true)`. `done(arg, false)` when leadership is
 * in doubt: the read has to be refused with RETRY. The caller serves reads only after its own
 * TERM_START is applied. Never runs `done` inside this call. Many calls in one turn share one
 * round. */
typedef void (*rlog_confirmed_cb)(void *arg, bool confirmed);
enum rlog_submit rlog_confirm(struct rlog *rlog, rlog_confirmed_cb done, void *arg);

/* ---- peers ---- */

/* A bounded message to a member; dropped silently when it is not connected or its queue is full.
 * Kinds 1..127 are the caller's. At most 64 KiB. */
void rlog_peer_send(struct rlog *rlog, uint64_t id, uint8_t kind, struct bytes message);

/* env_mono_us since which the member's present connection stands, before any message of it was
 * delivered; UINT64_MAX when there is none. A member's process has begun before its connection. */
uint64_t rlog_peer_since(const struct rlog *rlog, uint64_t id);

/* ---- members ---- */

enum rlog_change_kind {
    RLOG_ADD = 1, /* `member` becomes one without a vote: its log is filled by the leader */
    RLOG_PROMOTE, /* its vote counts from now on; only when it is close */
    RLOG_REMOVE,
    RLOG_REPLACE, /* its disk is another one: it loses its vote until it is promoted again. Two
                     changes: taken out, and, when that is done and it is asked for again, in */
};

struct rlog_change {
    enum rlog_change_kind kind;
    /* id always; store for ADD and REPLACE; address and note for ADD, and for REPLACE when they are
     * others than before: what it was is filled in, so that the same change may be asked for again.
     * `voter` is not looked at. */
    struct rlog_member member;
};

enum rlog_change_verdict {
    RLOG_CHANGE_BEGUN,    /* it stands in the log at `ret_index`: ask again once that is applied */
    RLOG_CHANGE_SO,       /* nothing to do: it is so, and committed */
    RLOG_CHANGE_LATER,    /* not now, `reason` says why: ask again soon */
    RLOG_CHANGE_LEADS,    /* not by this node, which is to go: hand leadership over first */
    RLOG_CHANGE_REFUSED,  /* `reason` says why, and what to do instead */
    RLOG_CHANGE_ELSEWHERE /* this node does not lead */
};

/* Begins one change of the members: one at a time, by the leader, once it has committed an entry of
 * its own term (raft.md M4), never down to fewer than three voters (M2; a replaced disk may leave
 * two for a while), and only when a majority of the voters after it is there. To ask again for what
 * is so already does no harm. A member is close when it got all that the log held at some moment
 * within one election timeout. `reason`: one line for a person. */
enum rlog_change_verdict rlog_change(struct rlog *rlog, struct rlog_change *change, char *reason,
                                     size_t reason_size, uint64_t *ret_index);
/* Hands leadership to the voter `to` (0: the first that can take it). Until it has the whole log,
 * for two election timeouts at most, rlog_submit is BUSY; then leadership goes, or stays here when
 * it could not. BEGUN; LATER when `to` is not connected; otherwise as rlog_change. */
enum rlog_change_verdict rlog_transfer(struct rlog *rlog, uint64_t to, char *reason,
                                       size_t reason_size);
/* Whether a transfer is on its way. */
bool rlog_transferring(const struct rlog *rlog);
/* Index of the last entry that is applied. */
uint64_t rlog_applied(const struct rlog *rlog);
/* The members as of this node's log's end; lives as long as the rlog. */
const struct rlog_member *rlog_members(const struct rlog *rlog, size_t *ret_count);
/* How many of them vote, and whether `id` does. */
size_t rlog_voters(const struct rlog *rlog);
bool rlog_is_voter(const struct rlog *rlog, uint64_t id);

/* ---- looking ---- */

/* What this node has seen of a member. */
struct rlog_progress {
    struct id128 store; /* applied binding; zero: none yet */
    uint64_t silent_us; /* since it was heard last; 0 for this node, and while not connected */
    bool damaged;       /* it found damage on its disk, and has no vote until it is repaired */
    bool known;         /* this node leads: `match` is the member's */
    uint64_t match;     /* last entry that it said it holds durably */
    bool close;         /* this node leads, and would promote it */
};

struct rlog_status {
    uint64_t id, term, leader;
    enum rlog_role role;
    uint64_t commit, applied, last, stored, snapshot;
    uint64_t snapshots;         /* taken by this process */
    uint64_t snapshot_bytes;    /* of the newest one's image */
    uint64_t snapshot_held_us;  /* the longest that work on a snapshot has held the loop */
    uint64_t snapshot_received; /* bytes of images that leaders sent to this process */
    uint64_t pending_bytes;     /* of records that are not yet durable */
    bool log_waits;             /* the disk is full: what the log has to write waits for space */
    bool log_reserved;          /* the space of the log's next segment is taken already */
    char damage[RLOG_DAMAGE_LINE_MAX]; /* this node has no vote: why, and how far its repair is */
    struct id128 store_id;
    uint64_t configuration; /* index of the members' newest change in our log; 0: none yet */
    bool changing;          /* and it is not committed yet */
    size_t voters;
    size_t member_count;
    struct rlog_member members[RLOG_MEMBERS_MAX]; /* as of our log's end */
    bool connected[RLOG_MEMBERS_MAX];             /* self: true */
    struct rlog_progress progress[RLOG_MEMBERS_MAX];
};
void rlog_status(const struct rlog *rlog, struct rlog_status *ret_status);
/* The birth that the folder was made with; lives as long as the rlog. */
const struct rlog_birth *rlog_birth(const struct rlog *rlog);
/* Address of the peer port in use. */
const char *rlog_address(const struct rlog *rlog);
/* Takes a snapshot soon, whatever the log's size (tests, operators). */
void rlog_snapshot_now(struct rlog *rlog);
/* Bytes of the file of the snapshot at `index` (rlog_status.snapshot), fewer than `capacity`
 * only at its end; `folder` is that of the node's data. NOT_FOUND: there is another one by now.
 * For queued work: touches no rlog. */
int rlog_snapshot_read(struct env *env, const char *folder, uint64_t index, uint64_t offset,
                       void *buffer, size_t capacity, size_t *ret_size);

#endif

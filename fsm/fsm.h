/* The meaning of the service: a deterministic machine over the replicated log (docs/MODEL.md).
 *
 * Pure: it never allocates, knows no clock, no I/O and no other node. Time enters inside entries
 * alone (T1). All its memory is one range that the caller reserves. Same entries, same state, same
 * digest, on every node (S8).
 */
#ifndef FSM_FSM_H
#define FSM_FSM_H

#include "base/hash.h"
#include "op/command.h"
#include "op/op.h"

struct fsm;

/* What the bootstrap file fixes for all nodes of a cluster. */
struct fsm_birth {
    struct id128 incarnation;
    uint64_t time; /* T0, Unix time in µs */
    struct siphash_key hash_key;
    struct op_limits limits;
    uint64_t level; /* greatest feature level that this node knows; 0: OP_LEVEL */
};

/* Bytes of address range that these limits need; pages are touched as they are used. */
size_t fsm_memory_size(const struct op_limits *limits);
/* Makes an empty machine inside `memory` (zeroed pages, 64-byte aligned, `size` at least
 * fsm_memory_size). Borrows the range until the caller unmaps it; there is no destroy. */
struct fsm *fsm_create(void *memory, size_t size, const struct fsm_birth *birth);

/* ---- commands ---- */

struct fsm_reply {
    uint64_t position; /* a retry's is the first's, like time and term */
    uint64_t time;     /* T */
    uint64_t term;
    enum op_outcome outcome;
    bool repeated;     /* an earlier command had this result; nothing happened now */
    bool minted;       /* the reply's token is the one that this command minted: add its secret */
    bool superseded;   /* done, but its secret belongs to another try (model.md section 6) */
    struct bytes body; /* stored form: the operation's reply struct when the outcome is of class
                          DONE, op_details otherwise; borrowed for the callback alone */
};

/* `index` counts the entry's commands from 0. Also called for TICK and TERM_START. */
typedef void (*fsm_reply_cb)(void *arg, uint32_t index, const struct fsm_reply *reply);

/* Applies one committed entry. False: the entry cannot be understood (damage or a newer version);
 * nothing was applied and the node has to stop. `reply` may be NULL (recovery, followers). */
bool fsm_apply(struct fsm *fsm, struct bytes entry, fsm_reply_cb reply, void *arg);

/* ---- reads ---- */

struct fsm_read {
    struct op_caller caller;
    enum op_number number;
    const union op_request *request;  /* decoded, verifiers filled in */
    uint64_t clock;                   /* c of T6: max(T, clock), read after the confirmation */
    const struct op_command *command; /* OP_EITHER: what would be written; otherwise NULL */
};

enum fsm_read_verdict {
    FSM_READ_ANSWERED,
    FSM_READ_WAIT, /* a deadline lies in (T, c]: apply an entry with stamp >= c, then ask again */
    FSM_READ_COMMAND, /* OP_EITHER: it has to be a command; nothing is answered */
};

/* Answers from the applied state; never changes it. On ANSWERED fills `ret_reply`; its body is
 * written into `buffer` (of `capacity`, at least FSM_REPLY_MAX). */
enum { FSM_REPLY_MAX = 80 * 1024 };
enum fsm_read_verdict fsm_read(struct fsm *fsm, const struct fsm_read *read, void *buffer,
                               size_t capacity, struct fsm_reply *ret_reply);

/* Would fsm_read answer COMMAND? For OP_EITHER, before anything is confirmed: it may choose the way
 * of a request, never its answer. */
bool fsm_read_writes(struct fsm *fsm, const struct fsm_read *read);

/* Is this the token of a living session with a secret that a rotation replaced longer ago than the
 * grace? Then its use is theft, and the leader proposes REUSE (docs/MODEL.md section 4). Asked when
 * the answer stands, so that it tells nobody anything. */
bool fsm_reused(struct fsm *fsm, const struct op_token *token);

/* Is that a session or task, perhaps ended, of another tenant, or of another user than that one?
 * An empty user is any. The leader asks when a denial stands, so that it tells nobody anything. */
bool fsm_foreign(const struct fsm *fsm, struct bytes tenant, struct bytes user,
                 struct id128 object);

/* For a retried command that mints: the id that the first try's object has, when (caller, client,
 * request) is remembered as DONE. The leader mints for that id then, not for a fresh one. */
bool fsm_minted_before(struct fsm *fsm, const struct op_caller *caller, uint64_t client,
                       uint64_t request, struct id128 *ret_id);

/* ---- what a node needs to know ---- */

uint64_t fsm_position(const struct fsm *fsm);
uint64_t fsm_time(const struct fsm *fsm);
uint64_t fsm_term(const struct fsm *fsm); /* of the newest TERM_START */
/* The cluster's feature level: what all members can do. It never goes down. */
uint64_t fsm_level(const struct fsm *fsm);
struct id128 fsm_incarnation(const struct fsm *fsm);
/* The earliest deadline of all, or OP_INFINITE (T5). */
uint64_t fsm_next_deadline(const struct fsm *fsm);
/* The sweep has work now: propose a TICK at once. */
bool fsm_sweep_due(const struct fsm *fsm);
/* Sessions that had died by that T and are not swept yet; looks at FSM_OVERDUE_LOOKS records at
 * most, so it says no more than that. */
enum { FSM_OVERDUE_LOOKS = 10000 };
uint32_t fsm_overdue(const struct fsm *fsm, uint64_t time);
/* 128-bit digest of the whole state at fsm_position (S8); O(1). */
struct hash128 fsm_digest(const struct fsm *fsm);
uint64_t fsm_session_count(const struct fsm *fsm);
uint64_t fsm_task_count(const struct fsm *fsm);
/* The tables by number from 0; NULL beyond the last. Their records in use, and how many fit. */
const char *fsm_table_name(size_t table);
uint32_t fsm_table_used(const struct fsm *fsm, size_t table);
uint32_t fsm_table_capacity(const struct fsm *fsm, size_t table);

/* A session was swept, from inside fsm_apply: for who counts. No part of the state, and what an
 * image replaces is not told. */
struct fsm_ended {
    enum op_end_cause cause;
    uint64_t lifetime_us; /* from its creation to its end, in cluster time */
    uint64_t late_us;     /* from its end to this sweep, in cluster time */
    uint64_t bytes;       /* of its record, metadata and state */
};
typedef void (*fsm_ended_cb)(void *arg, const struct fsm_ended *ended);
/* NULL: nobody counts, as at the start. */
void fsm_watch_ended(struct fsm *fsm, fsm_ended_cb callback, void *arg);

/* ---- snapshots: a consistent image of one position, taken while commands go on ---- */

typedef void (*fsm_snapshot_sink)(void *arg, struct bytes piece);

/* Fixes the image at the current position. `sink` is called from here, from fsm_snapshot_step and
 * from fsm_apply (for records about to change); pieces in call order are the image. */
void fsm_snapshot_begin(struct fsm *fsm, fsm_snapshot_sink sink, void *arg);
/* Walks on over at most `slots` slots; true when the image is complete (and the walk is over). */
bool fsm_snapshot_step(struct fsm *fsm, uint32_t slots);
/* Gives a running walk up. Harmless when there is none. */
void fsm_snapshot_abort(struct fsm *fsm);
bool fsm_snapshot_running(const struct fsm *fsm);

/* Empties the machine and fills it from an image, fed in pieces of any size. False from feed or
 * end: the image is damaged or of a newer version (`fsm_restore_error` says what, one line); the
 * machine must be created anew then. */
void fsm_restore_begin(struct fsm *fsm);
bool fsm_restore_feed(struct fsm *fsm, struct bytes piece);
bool fsm_restore_end(struct fsm *fsm);
const char *fsm_restore_error(const struct fsm *fsm);

/* ---- a new incarnation, from the image of a backup (docs/MODEL.md section 6) ---- */

/* The first position of a restored cluster lies at least so far above the last that is known. */
#define FSM_REBORN_STEP (UINT64_C(1) << 32)

struct fsm_rebirth {
    struct id128 incarnation;
    uint64_t time;     /* T0 of the new one; T becomes it */
    uint64_t position; /* of its first command */
};

/* Ends all that lives in a machine that was just filled: sessions are revoked, tasks and clients
 * are gone. Tenants stay, with their policies, quotas, auth floors and events. NULL, or why this
 * image cannot begin that incarnation: nothing was done. */
const char *fsm_reborn(struct fsm *fsm, const struct fsm_rebirth *rebirth);

#endif

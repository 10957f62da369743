/* A node that found its own disk damaged: it has no vote until a leader has given it everything
 * back that it may ever have acknowledged.
 *
 *            damage found at start              first message of a leader
 *   whole ──────────────────────────▶ FOUND ──────────────────────────────▶ RENEWED
 *     ▲                                 ▲  damage found again, at a start      │
 *     │                                 └──────────────────────────────────────┤
 *     └───── the leader says: you hold all that I have, from then on ──────────┘
 *
 * The stage is durable (damage.h) before anything follows from it. In FOUND the log is not used and
 * not touched: whatever can still be read of it stays for a person to look at, and it is removed
 * only when a leader is there, which is proof that a majority did without it. Then the log begins
 * anew behind the image that this node could restore, or at nothing.
 *
 * Without a vote (rlog_repair_needed) a node
 *   D1  answers no RequestVote and no pre-vote, stands for nothing, follows no TimeoutNow
 *   D2  says no to every CONFIRM
 *   D3  acknowledges entries as any follower does: what it says it holds, it holds, durably
 *   D4  tells every member of it (REPAIR, with a number for this life of the process). A leader
 *       that hears of a new life forgets what this node said before (its `match` begins at 0 again)
 *       and notes `until`, the end of its own log at that moment.
 *   D5  has its vote again when the leader of its own current term says that since then it has
 *       acknowledged `until`, and it has applied that. Then the note goes, durably, and after that
 *       D1 and D2 end.
 *
 * Why no acknowledged entry is lost by this. Let n be such a node, and e an entry that was, or will
 * be, committed because n acknowledged it before the damage, among others; e was n's in term t.
 *   1. Term and vote of n are whole (two files, vote.c; without them it does not start), so n's
 *      term is at least t, and n votes in no term twice.
 *   2. All votes that n ever gave, it gave while it held what it had acknowledged (D1). So every
 *      leader of a term above t that was elected before n's repair had a majority in which each
 *      member, n included, held what it had acknowledged of e's majority: it has e, as the Raft
 *      paper's Leader Completeness says. Those elected while n has no vote have a majority without
 *      n; it meets e's majority in a member that did not forget. With any number of nodes without
 *      a vote the same holds: they elect nobody.
 *   3. n is repaired by a leader L of n's own term, which is at least t. If L's term is t, e is in
 *      L's log: L sent it to n. A leader appends only, so e lies within `until`, which L read
 *      after this life of n had begun. If L's term is above t, e is in L's log by 2, from L's
 *      election on, so within `until` again. L counts for `match` only what n said on a connection
 *      of this life, and by D3 that is on n's disk. So when n has its vote again it holds e, and
 *      from there on it is a follower like any other.
 *   4. Acknowledgements of before the damage that a leader still counts, because it has not heard
 *      of this life yet, commit nothing that could be lost: by 2 and 3 n takes part in no election
 *      before it holds them again.
 * If a majority is without a vote and nobody leads, nobody can be elected: the cluster stands
 * still and says so, rather than going on without what it acknowledged.
 *
 * What is not found is not repaired: log_recover.c says what that is.
 */
#ifndef RAFTLOG_REPAIR_H
#define RAFTLOG_REPAIR_H

#include "raftlog/raftlog.h"

enum rlog_damaged_part { RLOG_DAMAGED_DATA, RLOG_DAMAGED_MET };

/* Reads the note of the folder. */
int rlog_repair_create(struct rlog *rlog, char *error, size_t error_size);
void rlog_repair_destroy(struct rlog *rlog);
/* Damage was found at start; `error` says what. Notes it durably: 0, and this node has no vote.
 * Otherwise it may not start, and `error` says why. */
int rlog_repair_found(struct rlog *rlog, enum rlog_damaged_part part, char *error,
                      size_t error_size);
/* Begins to tell the others. */
void rlog_repair_start(struct rlog *rlog);

/* This node has no vote. */
bool rlog_repair_needed(const struct rlog *rlog);
/* And its log is not used yet: nothing may be appended to it. */
bool rlog_repair_waits(const struct rlog *rlog);
/* Before anything of a leader is taken: the log begins anew when it still stands as it was found.
 * Blocks. False when there is no space for it yet, or when it failed, and the node with it. */
bool rlog_repair_renew(struct rlog *rlog);
/* Takes the vote back when all is here again (rlog_settle); true when it did. */
bool rlog_repair_advance(struct rlog *rlog);

/* The connection to the member counts from now on: it hears of the damage before all else. */
void rlog_repair_greet(struct rlog *rlog, uint64_t id);
/* REPAIR and REPAIR_RESULT; false when malformed. */
bool rlog_repair_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body);
/* Whether the member, or this node itself, says that it has no vote. */
bool rlog_repair_of(const struct rlog *rlog, uint64_t id);
/* What was found, and how far the repair is, in one line; "" when nothing was. */
void rlog_repair_tell(const struct rlog *rlog, char *text, size_t text_size);

#endif

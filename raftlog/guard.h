/* Guards around libraft 0.22.1: what it does wrong, put right from outside. Pure: no I/O, no env.
 *
 *   M1  a CHANGE behind other entries is put down at the      rlog_guard_part
 *       wrong index
 *   M1b truncation rolls back behind a committed CHANGE       rlog_guard_settled
 *   M1c a snapshot carries a configuration of another index   engine_start.c, the applied roll
 *   M2  a sole voter elects itself without a new term        engine.c, before START
 *   M3  AppendEntries that begin below the compacted prefix   rlog_guard_receive
 *   M4  a CHANGE before an entry of the own term is           rlog_guard_may_change, and
 *       committed                                             engine.c, own barrier
 *   M5  a stale rejection aborts the leader                   rlog_guard_receive
 *   M6  a refused pre-vote hides a higher term                rlog_guard_send
 *   M7  a lagging voter or a stale leader denies votes        rlog_guard_receive, _received
 *   M8  the next timeout stays in the past                    rlog_guard_tick
 *   M9  the commit index goes back                            rlog_guard_commit
 *   M10 a transfer is lost when the target lags               rlog_guard_may_take_over
 *   M11 the answer to a stale leader carries stack bytes      rlog_guard_answers
 *   M12 a member that forgot can never be sent it again       rlog_guard_forget_match
 *   M13 a voter cannot be without a vote                      rlog_guard_stand_aside
 *   M14 an image is asked for no more once there is a newer   rlog_guard_receive
 *
 * Beside them: messages that no correct member sends and that would trip the core's assertions are
 * told apart here, so that bytes of a peer never end the process.
 */
#ifndef RAFTLOG_GUARD_H
#define RAFTLOG_GUARD_H

#include <raft.h>

#include "base/bytes.h"

enum rlog_guard_verdict {
    RLOG_GUARD_STEP,     /* step it, perhaps changed */
    RLOG_GUARD_DROP,     /* late or pointless: ignore it */
    RLOG_GUARD_BROKEN,   /* no correct member sends this: close the connection */
    RLOG_GUARD_WENT_BACK /* nor this: in this term it acknowledged more than it has now */
};

struct rlog_roll;

/* How many of the first entries are to be stepped at once: a CHANGE alone (M1). */
unsigned rlog_guard_part(const struct raft_append_entries *append);
/* Before a part that begins with a CHANGE is stepped: the index of the CHANGE before it that the
 * core has not been told to be committed, 0 when there is none. It is, since a leader appends no
 * CHANGE before the last one is committed, and both logs are the same up to there: `own_term` is
 * the term of our entry at the part's previous index, 0 when there is none (M1b). */
raft_index rlog_guard_settled(const struct raft *raft, const struct raft_append_entries *append,
                              raft_term own_term);
/* Whether the core goes by this roll. */
bool rlog_guard_agrees(const struct raft *raft, const struct rlog_roll *roll);
/* Whether a CHANGE may be submitted: this node leads, has committed (`commit`) the first entry of
 * its term (`own_first`; 0: not appended yet), and no other change or transfer is on its way (M4).
 */
bool rlog_guard_may_change(const struct raft *raft, raft_index own_first, raft_index commit);

/* What rlog_guard_received has to undo. */
struct rlog_guard_undo {
    struct raft_server *server; /* NULL: nothing */
    int role;
};

/* Before RAFT_RECEIVE at `now_ms`. May change the message and the core's view of leader and role.
 */
enum rlog_guard_verdict rlog_guard_receive(struct raft *raft, struct raft_message *message,
                                           uint64_t now_ms, struct rlog_guard_undo *ret_undo);
/* Before RAFT_TIMEOUT of a follower that has no vote (repair.h): it stands for nothing. */
void rlog_guard_stand_aside(struct raft *raft, struct rlog_guard_undo *ret_undo);
/* After either of them. */
void rlog_guard_received(const struct rlog_guard_undo *undo);
/* What a step answered to `event`, before any of it is looked at: sets what the core left unset. */
void rlog_guard_answers(const struct raft *raft, const struct raft_event *event,
                        struct raft_message *answers, unsigned count);
/* Before a message is encoded. */
void rlog_guard_send(const struct raft *raft, struct raft_message *message);
/* The commit index to go by: never below `before`. */
uint64_t rlog_guard_commit(uint64_t before, uint64_t commit);
/* When to step TIMEOUT next: `timeout_ms` but never twice within a quarter of a heartbeat. */
uint64_t rlog_guard_tick(uint64_t timeout_ms, uint64_t last_tick_ms, uint64_t heartbeat_ms);
/* Leading: all that the member `id` said it holds is forgotten, as after an election. The core only
 * ever raises it, and asserts that no member has less than it said. Nothing when we do not lead. */
void rlog_guard_forget_match(struct raft *raft, uint64_t id);
/* Whether RAFT_TRANSFER to `id` would reach its aim: a voter that has all our entries, and no
 * transfer under way. */
bool rlog_guard_may_take_over(struct raft *raft, uint64_t id);

#endif

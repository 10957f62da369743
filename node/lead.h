/* Leadership as the service sees it: when this node may serve, and what time it is then.
 *
 *   FOLLOWING --leader--> COLLECTING --majority of clocks--> STARTING --entry applied--> SERVING
 *                             | ^                               |                         | ^
 *                             | `-- own readings too far apart (paused) -- also of these -' |
 *                             |                                 |                           |
 *                             |                 no clock: birth |--> TELLING --majority holds it
 *                             |              no clock otherwise `--> TIMELESS --operator--> TELLING
 *                             `--own clock went down--> LEAVING
 *   any state --leadership lost--> FOLLOWING, and that is the only way out of LEAVING
 *
 * Invariants
 *   L1  nothing is stamped and no read takes the clock outside SERVING (TIMELESS: ends and
 *       revokes, under the stamp T)
 *   L2  while it serves, a stamp or a read's clock comes from node_lead_clock alone, which notices
 *       a pause (T2); a collection brings the answers to one moment and notices one by itself
 *   L3  a leader whose clock went down within its term reads it for nobody any more: LEAVING asks
 *       for another leader at every heartbeat and never concludes a collection
 *   L4  a leader that made the cluster's clock serves only when a majority holds that clock: every
 *       later collection finds it, and no second one is ever made beside it
 *   L5  the leader's clock is told at least every LEADER_CLOCK_US, however busy it is
 */
#ifndef NODE_LEAD_H
#define NODE_LEAD_H

#include "op/op.h"
#include "raftlog/raftlog.h"

struct env_timer;
struct node;
struct node_time_finding;

enum lead_state {
    LEAD_FOLLOWING,
    LEAD_COLLECTING,
    LEAD_STARTING,
    LEAD_TELLING,
    LEAD_SERVING,
    LEAD_TIMELESS,
    LEAD_LEAVING,
};

struct node_lead {
    enum lead_state state;
    uint64_t term;
    uint64_t leader;      /* known leader's id, 0: none */
    uint64_t start_index; /* of our TERM_START; 0: not submitted in this term */
    bool recollecting;    /* TERM_START of this term is applied already */
    bool by_walls;        /* T3: `walls` is what the wall clocks said at `walls_at` (BOOTTIME) */
    uint64_t walls;
    uint64_t walls_at;
    uint64_t stepped;      /* the newest term in which this node made a clock of wall clocks */
    uint64_t last_reading; /* BOOTTIME of the newest reading as a leader */
    uint64_t last_entry;   /* BOOTTIME when we last submitted an entry */
    uint64_t last_tick;    /* BOOTTIME of the last TICK proposed */
    uint64_t sweep_since;  /* BOOTTIME since which the sweep got nowhere; 0: it has nothing to do */
    struct env_timer *timer; /* the collection's, the telling's, and T5's */
};

int node_lead_init(struct node *node);
void node_lead_done(struct node *node);
void node_lead_role_changed(struct node *node, enum rlog_role role, uint64_t term, uint64_t leader);
/* An entry is applied: our TERM_START may be it. */
void node_lead_applied(struct node *node, uint64_t index, uint64_t term);
/* The collection's finding at `now` (BOOTTIME): learns it and goes on. */
void node_lead_collected(struct node *node, const struct node_time_finding *finding, uint64_t now);
/* One more node holds the clock that we made. */
void node_lead_held(struct node *node);
/* Successive readings of our own that no leader may trust: it stood still, or its clock jumped
 * (T2). Both BOOTTIME. */
bool node_lead_too_far_apart(const struct node *node, uint64_t before, uint64_t now);
/* The leader's clock, read afresh. False: this node must not use it now (L1, L2). */
bool node_lead_clock(struct node *node, uint64_t *ret_clock);
/* The stamp for an entry: as node_lead_clock, but T itself in TIMELESS. */
bool node_lead_stamp(struct node *node, uint64_t *ret_stamp);
/* OK, or why this operation is not served now. */
enum op_outcome node_lead_admits(const struct node *node, const struct op_row *row);
/* Turn end: is a TICK due (T5, T6, sweep)? */
bool node_lead_tick_due(struct node *node);
/* Turn end: counts a sweep that gets nowhere (session_cleanup_failures_total). */
void node_lead_watch_sweep(struct node *node);
/* A TICK is applied. */
void node_lead_swept(struct node *node);
/* Turn end: tells the others the leader's clock when that is due, and arms the timer for whatever
 * comes next. */
void node_lead_arm(struct node *node, bool soon);
/* An operator states the time (T3). */
enum op_outcome node_lead_state_time(struct node *node, uint64_t time_us, uint64_t *ret_clock);

#endif

/* Leadership as the service sees it: when this node may serve, and what time it is then.
 *
 *   FOLLOWING --leader--> COLLECTING --majority of clocks--> STARTING --entry applied--> SERVING
 *                             | | ^                                                           |
 *                             | | `------ own readings too far apart (paused) ----------------|
 *                             | `--no clock anywhere--> TIMELESS --operator states the time---'
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
 *   L4  the leader's clock is told at least every LEADER_CLOCK_US, however busy it is
 */
#ifndef NODE_LEAD_H
#define NODE_LEAD_H

#include "node/time.h"
#include "op/op.h"
#include "raftlog/raftlog.h"

struct node;
struct env_timer;

enum lead_state {
    LEAD_FOLLOWING,
    LEAD_COLLECTING,
    LEAD_STARTING,
    LEAD_SERVING,
    LEAD_TIMELESS,
    LEAD_LEAVING,
};

struct node_lead {
    enum lead_state state;
    uint64_t term;
    uint64_t leader;       /* known leader's id, 0: none */
    uint64_t start_index;  /* of our TERM_START; 0: not submitted in this term */
    bool recollecting;     /* TERM_START of this term is applied already */
    uint64_t last_reading; /* BOOTTIME of the newest reading as a leader */
    uint64_t last_entry;   /* BOOTTIME when we last submitted an entry */
    uint64_t last_tick;    /* BOOTTIME of the last TICK proposed */
    uint64_t told_at;      /* BOOTTIME when we last told the others our clock */
    uint64_t odd;          /* node that is to void its clock, until it answers so; 0: none */
    /* the collection */
    uint64_t nonce;
    uint64_t asked_at;    /* BOOTTIME */
    uint64_t majority_at; /* BOOTTIME when a majority had answered; 0: not yet */
    struct node_time_offer offers[RLOG_MEMBERS_MAX]; /* value: clock at `received` */
    uint64_t received[RLOG_MEMBERS_MAX];
    size_t offer_count;
    struct env_timer *timer; /* the collection's, and T5's */
};

int node_lead_init(struct node *node);
void node_lead_done(struct node *node);
void node_lead_role_changed(struct node *node, enum rlog_role role, uint64_t term, uint64_t leader);
/* An entry is applied: our TERM_START may be it. */
void node_lead_applied(struct node *node, uint64_t index, uint64_t term);
/* A stamp of another node's entry of `term`: raises the clock, or makes us ask for one. */
void node_lead_follow(struct node *node, uint64_t term, uint64_t stamp);
/* The leader's clock, read afresh. False: this node must not use it now (L1, L2). */
bool node_lead_clock(struct node *node, uint64_t *ret_clock);
/* The stamp for an entry: as node_lead_clock, but T itself in TIMELESS. */
bool node_lead_stamp(struct node *node, uint64_t *ret_stamp);
/* OK, or why this operation is not served now. */
enum op_outcome node_lead_admits(const struct node *node, const struct op_row *row);
/* Turn end: is a TICK due (T5, T6, sweep)? */
bool node_lead_tick_due(struct node *node);
/* Turn end: tells the others the leader's clock when that is due, and arms the timer for whatever
 * comes next. */
void node_lead_arm(struct node *node, bool soon);
/* An operator states the time (T3). */
enum op_outcome node_lead_state_time(struct node *node, uint64_t time_us, uint64_t *ret_clock);

/* ---- clocks between nodes: kinds of rlog_peer_send ---- */
enum { PEER_CLOCK_ASK = 1, PEER_CLOCK_ANSWER = 2, PEER_CLOCK_LEADER = 3, PEER_CLOCK_VOID = 4 };
void node_lead_peer_message(struct node *node, uint64_t from, uint8_t kind, struct bytes message);

#endif

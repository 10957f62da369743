/* What nodes tell each other of their clocks (model.md T2): questions and answers, the leader's
 * clock, and who holds it.
 *
 *   ASK     nonce            to anybody              what does your clock say?
 *   ANSWER  nonce, clock     to who asked            and what the wall clock says of it (T3)
 *   LEADER  term, clock      leader to all           raises clocks of its era; makes others ask it
 *   HELD    term, era        follower to its leader  I hold the clock that you made
 *   VOID    term             leader to the odd one   your clock jumped: forget it
 *
 * The channel may lose and delay; whatever has to arrive is told until it is answered. Does not
 * judge clocks (node/time.c), nor decide what a leader does next (node/lead.c).
 */
#ifndef NODE_CLOCKS_H
#define NODE_CLOCKS_H

#include "base/bytes.h"
#include "node/time.h"
#include "raftlog/raftlog.h"

struct node;

/* Kinds of rlog_peer_send. */
enum {
    PEER_CLOCK_ASK = 1,
    PEER_CLOCK_ANSWER = 2,
    PEER_CLOCK_LEADER = 3,
    PEER_CLOCK_VOID = 4,
    PEER_CLOCK_HELD = 5,
};

struct node_clocks {
    uint64_t nonce;    /* of our newest question */
    uint64_t asked_at; /* BOOTTIME */
    uint64_t told_at;  /* BOOTTIME when we last told the others our clock as their leader */
    uint64_t odd;      /* node that is to void its clock, until it answers so; 0: none */
    uint64_t holders[RLOG_MEMBERS_MAX]; /* others that hold the clock made in this term */
    size_t holder_count;
};

/* What this node offers to a collection at `now` (BOOTTIME). */
struct node_time_offer node_clocks_own(struct node *node, uint64_t now);
/* A new term of ours, or a clock that we made anew: nobody is known to hold it, nobody is odd. */
void node_clocks_reset(struct node *node);
/* Asks everybody; answers to earlier questions no longer count. */
void node_clocks_ask(struct node *node);
/* Tells all others `clock`, ours, as the leader of our term. */
void node_clocks_tell(struct node *node, uint64_t clock);
/* Asks the odd node, if there is one, whether it is odd still. */
void node_clocks_remind_odd(struct node *node);
/* Node `odd` is to void its clock; it is told so until it has. */
void node_clocks_void_odd(struct node *node, uint64_t odd);
/* A majority of the voters, ourselves among it, holds the clock that we made. */
bool node_clocks_majority_holds(const struct node *node);
/* The era of our clock has become durable. */
void node_clocks_durable(struct node *node);
/* A clock value of the leader of `term`, of whatever era: raises ours, or makes us ask. */
void node_clocks_follow(struct node *node, uint64_t term, uint64_t value);
void node_clocks_message(struct node *node, uint64_t from, uint8_t kind, struct bytes message);

#endif

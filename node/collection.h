/* A new leader's collection of clocks (model.md T2): one offer a voter, a majority at least.
 *
 * Begun by node/lead.c, which also says what follows from the finding. Makes no clock.
 */
#ifndef NODE_COLLECTION_H
#define NODE_COLLECTION_H

#include "node/time.h"
#include "raftlog/raftlog.h"

struct node;

struct node_collection {
    struct node_time_offer offers[RLOG_MEMBERS_MAX]; /* value: clock at `received` */
    uint64_t received[RLOG_MEMBERS_MAX];             /* BOOTTIME */
    size_t count;
    uint64_t majority_at; /* BOOTTIME when a majority had answered; 0: not yet */
};

/* Forgets earlier offers and asks everybody. */
void node_collection_begin(struct node *node);
/* Another node's answer to our question; a second one of the same node does not count. */
void node_collection_offer(struct node *node, struct node_time_offer offer);
/* The lead timer has fired: asks again or concludes (node_lead_collected). */
void node_collection_step(struct node *node);

#endif

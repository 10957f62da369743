/* What an operator changes of the cluster itself: its members, and who leads.
 *
 * These calls are reads to the log of commands: a round confirms that this node leads, then it
 * changes the members by an entry of raftlog's own, and answers when that is applied. To ask again
 * for what is so already does no harm, so a caller whose leader went asks the next one.
 *
 *   confirmed -> asked (rlog_change) -> waits for its index -> asked again -> ... -> answered
 *             -> handing over (rlog_transfer) -> answered by whoever of the two it may be
 */
#ifndef NODE_OPERATE_H
#define NODE_OPERATE_H

#include "base/list.h"
#include "op/op.h"
#include "raftlog/raftlog.h"

struct node;
struct node_request;

struct node_operations {
    struct list open; /* struct operation */
    size_t count;
};

void node_operate_init(struct node_operations *operations);
void node_operate_done(struct node *node);
/* Whether this row is answered here. */
bool node_operates(const struct op_row *row);
/* A confirmed call; takes the request. */
void node_operate(struct node *node, struct node_request *request);
/* Turn end: goes on with what waits. */
void node_operate_turn(struct node *node);
/* This node leads no more. */
void node_operate_lost(struct node *node);
bool node_operate_empty(const struct node_operations *operations);

#endif

/* What only the node that answers can say of the cluster: its name, its members, how far each is.
 *
 * It is the leader's observation when it answers, no part of the replicated state: another leader
 * may see other connections, and what a member holds may be more than was heard of it. Decides
 * nothing.
 */
#ifndef NODE_INSPECT_H
#define NODE_INSPECT_H

#include "op/op.h"
#include "raftlog/raftlog.h"

struct node;

/* Completes the reply of an operator's read; other rows are left alone. `ret_status` has to live as
 * long as the reply, which borrows addresses of it and of the node. */
void node_inspect(const struct node *node, const struct op_row *row, union op_reply *reply,
                  struct rlog_status *ret_status);

#endif

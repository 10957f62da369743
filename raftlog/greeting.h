/* What peers say first to each other, and who is believed. Knows no connection. */
#ifndef RAFTLOG_GREETING_H
#define RAFTLOG_GREETING_H

#include "raftlog/raftlog.h"
#include "raftlog/wire.h"

/* Our hello to the member `to`. */
struct rlog_wire_hello rlog_greeting(const struct rlog *rlog, uint64_t to);
/* Whether `body` is the hello of node `from`, as its certificate calls it: of our protocol, cluster
 * and incarnation, to us, and a member's with the store id that is bound to it. One who knows of a
 * newer committed change of the members than we do is believed in both: we lag behind. When not,
 * `reason` says why in one line that both sides may log. */
bool rlog_greeting_check(const struct rlog *rlog, uint64_t from, struct bytes body,
                         struct rlog_wire_hello *ret_hello, char *reason, size_t reason_size);
/* The line for a node id whose store id is not the bound one. */
void rlog_greeting_replaced(uint64_t id, struct id128 store, char *reason, size_t reason_size);

#endif

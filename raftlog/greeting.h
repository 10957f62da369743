/* What peers say first to each other, and who is believed. Knows no connection. */
#ifndef RAFTLOG_GREETING_H
#define RAFTLOG_GREETING_H

#include "raftlog/raftlog.h"
#include "raftlog/wire.h"

/* What a hello says of the members: the newest change of which its sender knows that it is
 * committed, and a newer one in its log; 0: none. */
struct rlog_told {
    uint64_t configuration;
    uint64_t change_term, change;
};

/* It knows more of the members than we do, so it is believed who belongs to them and whose disk
 * that is: it knows of a newer committed change; or its log has one behind all that ours has, so
 * that we lag, or that change is lost. Who starts again knows only what its image has to be
 * committed: two who need each other must not refuse each other for that. */
bool rlog_greeting_knows_more(const struct rlog *rlog, struct rlog_told told);
struct rlog_told rlog_greeting_told(const struct rlog_wire_hello *hello);
/* Our hello to the member `to`. */
struct rlog_wire_hello rlog_greeting(const struct rlog *rlog, uint64_t to);
/* Whether `body` is the hello of node `from`, as its certificate calls it: of our protocol, cluster
 * and incarnation, to us, and a member's with the store id that is bound to it. One who knows more
 * of the members than we do is believed in both. When not, `reason` says why in one line that both
 * sides may log. */
bool rlog_greeting_check(const struct rlog *rlog, uint64_t from, struct bytes body,
                         struct rlog_wire_hello *ret_hello, char *reason, size_t reason_size);
/* The line for a node id whose store id is not the bound one. */
void rlog_greeting_replaced(uint64_t id, struct id128 store, char *reason, size_t reason_size);

#endif

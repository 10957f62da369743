/* Whose disk each member's was when this node first met it, durably: the file "met".
 *
 * A binding counts once it is in the log; this file covers the time before, and the node that never
 * got the binding. It is written before anything but the hello is heard from a store that is new.
 */
#ifndef RAFTLOG_MET_H
#define RAFTLOG_MET_H

#include "raftlog/members.h"

/* Nobody was met. Synchronous and durable. */
int rlog_met_format(struct env *env, const char *folder, struct id128 store_id);
/* Fills `members->met`. On failure `error` is one line: INVALID when the file is damaged or
 * missing, LIMIT when it is of a later version, DENIED when it is another store's. Synchronous. */
int rlog_met_load(struct env *env, const char *folder, struct id128 store_id,
                  struct rlog_members *members, char *error, size_t error_size);
/* Replaces the file by `members->met`. Synchronous, so it holds up the loop: a few times in a
 * node's life. NO_SPACE: nothing has changed. Any other error: the process has to end. */
int rlog_met_store(struct env *env, const char *folder, struct id128 store_id,
                   const struct rlog_members *members);

#endif

/* Term and vote, durable before any message that depends on them leaves. Two copies, in two files.
 */
#ifndef RAFTLOG_VOTE_H
#define RAFTLOG_VOTE_H

#include "base/bytes.h"
#include "env/env.h"

struct rlog_vote {
    uint64_t term;
    uint64_t voted_for; /* 0: nobody */
};

/* Both files; must not exist yet. Synchronous and durable. */
int rlog_vote_format(struct env *env, const char *folder, struct id128 store_id,
                     struct rlog_vote vote);
/* The newest whole one; before this returns both files hold it, durably, whatever was torn or
 * damaged. Both damaged, or the folder's is another store's (DENIED): an error line. */
int rlog_vote_load(struct env *env, const char *folder, struct id128 store_id,
                   struct rlog_vote *ret_vote, char *error, size_t error_size);
/* Synchronous: on return both files hold it, durably. Neither term nor a vote within a term ever
 * goes back (asserted). Any error: the process has to end. */
int rlog_vote_store(struct env *env, const char *folder, struct id128 store_id,
                    struct rlog_vote before, struct rlog_vote after);

#endif

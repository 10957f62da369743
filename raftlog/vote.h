/* Term and vote, durable before any message that depends on them leaves. Two alternating files. */
#ifndef RAFTLOG_VOTE_H
#define RAFTLOG_VOTE_H

#include "base/bytes.h"
#include "env/env.h"

struct rlog_vote {
    uint64_t term;
    uint64_t voted_for; /* 0: nobody */
};

int rlog_vote_format(struct env *env, const char *folder, struct id128 store_id, struct rlog_vote vote);
/* The newest whole one. Both damaged, or the folder's is another store's: an error line. */
int rlog_vote_load(struct env *env, const char *folder, struct id128 store_id, struct rlog_vote *ret_vote,
              char *error, size_t error_size);
/* Synchronous: write, sync; on return it is durable. Neither term nor a vote within a term ever goes
 * back (asserted). Any error: the process has to end. */
int rlog_vote_store(struct env *env, const char *folder, struct id128 store_id, struct rlog_vote before,
               struct rlog_vote after);

#endif

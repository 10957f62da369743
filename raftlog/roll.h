/* The roll of a cluster: who is a member, where, with which disk, and whose vote counts. As bytes
 * it is a configuration of libraft, and what libraft does not know. Pure: no env, no core.
 *
 *   u8 1, u64 count, per member: u64 id, address with its zero, u8 role; zeros up to 8 bytes
 *   u8 1, per member: id store, short note          (absent: of all stores and notes none is known)
 *
 * libraft reads the first part and ignores what follows. A CHANGE in the log carries a whole roll;
 * a binding in the log (members.h) names the store of a member that the roll has none of.
 */
#ifndef RAFTLOG_ROLL_H
#define RAFTLOG_ROLL_H

#include "raftlog/raftlog.h"

enum { RLOG_CONFIGURATION_MAX = 4096 };

struct rlog_roll {
    size_t count;
    struct rlog_member list[RLOG_MEMBERS_MAX];
};

/* Position in the list; `count` when it is no member. */
size_t rlog_roll_find(const struct rlog_roll *roll, uint64_t id);
size_t rlog_roll_voters(const struct rlog_roll *roll);
/* Whether `id` is a member whose vote counts. */
bool rlog_roll_votes(const struct rlog_roll *roll, uint64_t id);
/* False when the bytes are none: the core may decode only what this reads, since it asserts what it
 * could check. Ids and addresses differ, and there is one member at least. */
bool rlog_roll_read(struct bytes encoded, struct rlog_roll *ret_roll);
/* Into `buffer` of RLOG_CONFIGURATION_MAX; BYTES_NONE when it does not fit. */
struct bytes rlog_roll_write(const struct rlog_roll *roll, uint8_t *buffer);
/* The roll after a CHANGE: a store that it does not name stays as it was. */
void rlog_roll_follow(struct rlog_roll *roll, const struct rlog_roll *change);

#endif

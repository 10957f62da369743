/* Who belongs to the cluster, and whose disk it is: members from birth, store ids by replication.
 *
 * The leader appends a binding (node id, store id) for each member once it has met it; the first
 * committed binding of a node id holds for ever. It travels as a barrier entry with a payload of
 * raftlog's own, never reaches the machine, and is part of a snapshot's configuration bytes.
 *
 * What is committed is not durable, so a node that starts again knows of no applied binding until
 * a leader tells it. A disk that was replaced must not use that time to vote under its old name: so
 * a store has to fit the first binding in our log too, committed or not, and the store that we met
 * first (met.h), until a binding is applied. Two nodes that would be one majority refuse each other
 * rather than elect when they disagree.
 *
 * Not covered: a node that never met the member before its disk was replaced, and has no binding of
 * it in its log, has nothing to tell the two apart by. So a cluster should be whole once before a
 * disk of it is replaced.
 */
#ifndef RAFTLOG_MEMBERS_H
#define RAFTLOG_MEMBERS_H

#include "raftlog/raftlog.h"

struct rlog_members {
    size_t count;
    struct rlog_member list[RLOG_MEMBERS_MAX];
    struct id128 stores[RLOG_MEMBERS_MAX]; /* applied; zero: not bound yet */
    struct id128 noted[RLOG_MEMBERS_MAX];  /* of the first binding in our log */
    uint64_t noted_at[RLOG_MEMBERS_MAX];   /* its index; 0: there is none */
    struct id128 met[RLOG_MEMBERS_MAX];    /* at first, durably (met.h); zero: never */
    bool changed; /* a store became known that connections, or we, may not fit */
};

enum { RLOG_BINDING_SIZE = 26, RLOG_CONFIGURATION_MAX = 4096 };

void rlog_members_init(struct rlog_members *members, const struct rlog_birth *birth);
/* Position in the list; `count` when it is no member. */
size_t rlog_members_find(const struct rlog_members *members, uint64_t id);
/* "tenure://<cluster>/-/peer/<id>": the id; 0 when the identity is not a peer's of this cluster. */
uint64_t rlog_members_identity(const char *cluster, const char *identity);

/* False when `id` is bound to another store, or may be: see above. */
bool rlog_members_fits(const struct rlog_members *members, uint64_t id, struct id128 store);
/* Payload of a binding entry into `buffer` of RLOG_BINDING_SIZE. */
struct bytes rlog_members_write_binding(uint8_t *buffer, uint64_t id, struct id128 store);
/* Whether an applied binding says that `id` has another store. */
bool rlog_members_replaced(const struct rlog_members *members, uint64_t id, struct id128 store);
/* Whether the leader may append a binding of `id`: none is applied, none is in our log. */
bool rlog_members_unbound(const struct rlog_members *members, uint64_t id);
/* Applies a committed barrier's payload; false when it is none of ours. */
bool rlog_members_apply(struct rlog_members *members, struct bytes payload);
/* A barrier's payload stands in our log at `index`. */
void rlog_members_note(struct rlog_members *members, uint64_t index, struct bytes payload);
/* Our log ends before `index` now. */
void rlog_members_forget(struct rlog_members *members, uint64_t index);
/* The member `id` said hello with `store`. True when `met` has changed: store it. */
bool rlog_members_meet(struct rlog_members *members, uint64_t id, struct id128 store);
/* Applied bindings override what was met. True when `met` has changed: store it. */
bool rlog_members_override(struct rlog_members *members);

/* A snapshot's configuration bytes: `raft` (the core's encoding) and the bindings. Into `buffer` of
 * RLOG_CONFIGURATION_MAX; BYTES_NONE when it does not fit. */
struct bytes rlog_members_write_configuration(const struct rlog_members *members, struct bytes raft,
                                              uint8_t *buffer);
/* Takes the bindings over when `members` is not NULL; `ret_raft` borrows from `bytes`. */
bool rlog_members_read_configuration(struct bytes configuration, struct rlog_members *members,
                                     struct bytes *ret_raft);

#endif

/* Who belongs to the cluster, and whose disk it is: members from birth, store ids by replication.
 *
 * The leader appends a binding (node id, store id) for each member once it has met it; the first
 * committed binding of a node id holds for ever. It travels as a barrier entry with a payload of
 * raftlog's own, never reaches the machine, and is part of a snapshot's configuration bytes.
 */
#ifndef RAFTLOG_MEMBERS_H
#define RAFTLOG_MEMBERS_H

#include "raftlog/raftlog.h"

struct rlog_members {
    size_t count;
    struct rlog_member list[RLOG_MEMBERS_MAX];
    struct id128 stores[RLOG_MEMBERS_MAX];   /* zero: not bound yet */
    uint64_t binding[RLOG_MEMBERS_MAX];      /* index of our own binding on its way; 0: none */
    uint64_t binding_term[RLOG_MEMBERS_MAX]; /* and the term it was appended in */
};

enum { RLOG_BINDING_SIZE = 26, RLOG_CONFIGURATION_MAX = 4096 };

void rlog_members_init(struct rlog_members *members, const struct rlog_birth *birth);
/* Position in the list; `count` when it is no member. */
size_t rlog_members_find(const struct rlog_members *members, uint64_t id);
/* "tenure://<cluster>/-/peer/<id>": the id; 0 when the identity is not a peer's of this cluster. */
uint64_t rlog_members_identity(const char *cluster, const char *identity);

/* False when `id` is bound to another store. */
bool rlog_members_fits(const struct rlog_members *members, uint64_t id, struct id128 store);
/* Payload of a binding entry into `buffer` of RLOG_BINDING_SIZE. */
struct bytes rlog_members_write_binding(uint8_t *buffer, uint64_t id, struct id128 store);
/* Applies a committed barrier's payload; false when it is none of ours. */
bool rlog_members_apply(struct rlog_members *members, struct bytes payload);

/* A snapshot's configuration bytes: `raft` (the core's encoding) and the bindings. Into `buffer` of
 * RLOG_CONFIGURATION_MAX; BYTES_NONE when it does not fit. */
struct bytes rlog_members_write_configuration(const struct rlog_members *members, struct bytes raft,
                                              uint8_t *buffer);
/* Takes the bindings over when `members` is not NULL; `ret_raft` borrows from `bytes`. */
bool rlog_members_read_configuration(struct bytes configuration, struct rlog_members *members,
                                     struct bytes *ret_raft);

#endif

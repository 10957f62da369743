/* Who belongs to the cluster, and whose disk it is: as of our log's end, and as of what is applied.
 *
 * A CHANGE in the log carries the whole roll (roll.h), with the store ids of all that joined later.
 * Of the founders the leader appends a binding (node id, store id) once it has met each; the first
 * one holds until a CHANGE says otherwise. It travels as a barrier entry with a payload of
 * raftlog's own. Neither reaches the machine; the applied roll is a snapshot's configuration.
 *
 * What is committed is not durable, so a node that starts again knows of no applied binding until
 * a leader tells it. A disk that was replaced must not use that time to vote under its old name: so
 * a store has to fit the roll at our log's end too, committed or not, and the store that we met
 * first (met.h), until a store is applied. Two nodes that would be one majority refuse each other
 * rather than elect when they disagree. A store that a CHANGE names counts as soon as that is in
 * our log: the CHANGE that took the old one out stands before it, so it is committed.
 *
 * Not covered: a node that never met the member before its disk was replaced, and has no binding of
 * it in its log, has nothing to tell the two apart by. So a cluster should be whole once before a
 * disk of it is replaced.
 */
#ifndef RAFTLOG_MEMBERS_H
#define RAFTLOG_MEMBERS_H

#include "raftlog/log.h"
#include "raftlog/roll.h"

enum { RLOG_MET_MAX = 2 * RLOG_MEMBERS_MAX };

struct rlog_met {
    uint64_t id; /* 0: a free place */
    struct id128 store;
};

struct rlog_members {
    struct rlog_roll roll;    /* in force: as of our log's end */
    struct rlog_roll applied; /* empty until an entry or snapshot says more */
    struct rlog_met met[RLOG_MET_MAX];
    bool changed; /* the roll, or a store that connections, or we, may not fit */
};

enum { RLOG_BINDING_SIZE = 26 };

/* Nobody is known. */
void rlog_members_init(struct rlog_members *members);
/* "tenure://<cluster>/-/peer/<id>": the id; 0 when the identity is not a peer's of this cluster. */
uint64_t rlog_members_identity(const char *cluster, const char *identity);

/* A member now, or until the change on its way is applied. */
bool rlog_members_known(const struct rlog_members *members, uint64_t id);
/* False when `id` is bound to another store, or may be, or is not known: see above. */
bool rlog_members_fits(const struct rlog_members *members, uint64_t id, struct id128 store);
/* Payload of a binding entry into `buffer` of RLOG_BINDING_SIZE. */
struct bytes rlog_members_write_binding(uint8_t *buffer, uint64_t id, struct id128 store);
/* The store that the applied roll names; zero: none. */
struct id128 rlog_members_bound(const struct rlog_members *members, uint64_t id);

/* An entry stands in our log behind all that was noted before. False: a CHANGE that cannot be read.
 * A binding that cannot be read stops nobody before it is applied: it may never be. */
bool rlog_members_note(struct rlog_members *members, enum rlog_entry_type type,
                       struct bytes payload);
/* Our log was cut off: the roll is the applied one again, until all behind it is noted anew. */
void rlog_members_rewind(struct rlog_members *members);
/* The entry is applied. False: a CHANGE or a binding that cannot be read. */
bool rlog_members_apply(struct rlog_members *members, enum rlog_entry_type type,
                        struct bytes payload);
/* A snapshot takes the place of all: its configuration is the roll, and applied. False: it cannot
 * be read, and nothing has changed. */
bool rlog_members_restore(struct rlog_members *members, struct bytes configuration);

/* The member `id` said hello with `store`. True when `met` has changed: store it. */
bool rlog_members_meet(struct rlog_members *members, uint64_t id, struct id128 store);
/* It could not be stored: the member may be met again. */
void rlog_members_unmeet(struct rlog_members *members, uint64_t id);
/* Applied stores override what was met, who is no member any more was not met. True when `met` has
 * changed: store it. */
bool rlog_members_override(struct rlog_members *members);

#endif

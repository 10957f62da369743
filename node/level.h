/* The cluster's feature level: the least of what its members know (docs/ARCHITECTURE.md).
 *
 * Each node tells the leader which levels its program knows, twice a second. When every member of
 * the roll, voter or not, has said so a moment ago, over the connection that it has now, and all
 * know a higher one than the cluster's, the leader proposes LEVEL, which raises it for all; it
 * looks at the roll and at the reports in the turn that proposes. Who gets a vote has to know the
 * cluster's level, or the one that is proposed: a learner may be behind the entry that it will stop
 * at, and a voter that stops is one less. A node that reads of a level that it does not
 * know stops (node/machine.c). What a level allows is the business of who writes it.
 */
#ifndef NODE_LEVEL_H
#define NODE_LEVEL_H

#include "base/bytes.h"
#include "raftlog/raftlog.h"

struct env_timer;
struct node;

/* Kind of rlog_peer_send. */
enum { PEER_LEVEL = 24 };

struct node_level_report {
    uint64_t node; /* 0: none */
    uint64_t level;
    uint64_t heard_us;
};

struct node_level {
    struct env_timer *timer;
    struct node_level_report reports[RLOG_MEMBERS_MAX];
    uint64_t proposed; /* in this node's term as a leader; 0: nothing */
};

/* The greatest that this program knows. */
uint32_t node_release_level(void);

int node_level_start(struct node *node);
void node_level_end(struct node *node);
void node_level_done(struct node *node);
void node_level_message(struct node *node, uint64_t from, struct bytes message);
/* The greatest that the member knows, as it says over its present connection; 0: it said nothing
 * lately. For who leads. */
uint64_t node_level_known(const struct node *node, uint64_t id);
/* What the next entry has to raise the level to; 0: nothing. */
uint64_t node_level_due(const struct node *node);
/* An entry that raises it to that was submitted. */
void node_level_sent(struct node *node, uint64_t level);
/* Must this learner have no vote yet, for the level's sake? `reason`: one line for a person. */
bool node_level_bars(const struct node *node, uint64_t id, char *reason, size_t reason_size);
/* Does the cluster's level allow what is served from `level` on? */
bool node_level_admits(const struct node *node, uint64_t level);

#endif

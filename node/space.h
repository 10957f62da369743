/* Disk space: when this node is short of it, what it then refuses as a leader, and whom it asks to
 * lead.
 *
 *   ROOMY --free space below the watermark, no segment ahead of the log, or the log waits--> SHORT
 *   SHORT --an eighth above the watermark, a segment ahead, and the log goes on--> ROOMY
 *
 * Every node tells its leader which it is. Nothing here is replicated, and nothing here writes:
 * what a full disk does to the log is raftlog/log.h's affair.
 *
 * Invariants
 *   P1  a leader that is SHORT, or sees fewer than a majority that is connected and ROOMY, takes
 *       only what takes away, ends or keeps a task (`from_reserve` in op/ops.def), and what
 *       nobody asks for: TICK, TERM_START, DENIALS, REUSE
 *   P2  a leader that is SHORT asks only a member to lead that said a moment ago that it is ROOMY
 */
#ifndef NODE_SPACE_H
#define NODE_SPACE_H

#include "base/bytes.h"
#include "env/work.h"
#include "op/op.h"
#include "raftlog/raftlog.h"

struct env_timer;
struct node;

/* Kind of rlog_peer_send; those below it are node/clocks.h's. */
enum { PEER_SPACE = 16 };

/* What a member said last. */
struct node_space_report {
    uint64_t node; /* 0: a free place */
    uint64_t free;
    uint64_t heard_us; /* env_mono_us */
    bool is_short;
};

struct node_space {
    struct env_timer *timer;
    struct env_work work;
    int work_rc;
    uint64_t work_free;
    bool busy;
    bool ending;
    bool known;    /* there was a look */
    int rc;        /* the newest look's */
    uint64_t free; /* bytes, where the folder is, at the newest one that told */
    bool is_short;
    bool refuses;        /* P1, as a leader */
    uint64_t hand_at_us; /* leadership may be handed over again then */
    uint64_t handed_to;  /* the member that was asked to lead; 0: none since it became short */
    struct node_space_report reports[RLOG_MEMBERS_MAX];
};

int node_space_start(struct node *node);
/* False while a look is on its way. */
bool node_space_idle(const struct node_space *space);
/* No further look begins. */
void node_space_end(struct node_space *space);
void node_space_done(struct node *node);
/* A member says how it stands. */
void node_space_message(struct node *node, uint64_t from, struct bytes message);
/* Whether this may join the queue of commands now (P1). */
bool node_space_admits(const struct node *node, const struct op_row *row);
/* The watermark in bytes. */
uint64_t node_space_watermark(const struct node *node);

#endif

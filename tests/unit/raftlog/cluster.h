/* A cluster of raftlog nodes in the simulated world, over a machine that is a list of numbers.
 *
 * It watches what must hold in every run, whatever happens: one index holds one entry on all nodes,
 * a term has one leader, a node's term never falls, an acknowledged number is in every caught-up
 * list.
 */
#ifndef TESTS_UNIT_RAFTLOG_CLUSTER_H
#define TESTS_UNIT_RAFTLOG_CLUSTER_H

#include "env/net.h"
#include "env/sim/sim.h"
#include "raftlog/raftlog.h"

enum {
    CLUSTER_NODES_MAX = 8,
    CLUSTER_ENTRIES_MAX = 1 << 16,
    CLUSTER_TERMS_MAX = 4096,
    CLUSTER_LINE_MAX = 512,
    CLUSTER_PORT = 7400,
    CLUSTER_RECORD_MAX = 1024,
};

struct cluster;

struct cluster_node {
    struct cluster *cluster;
    uint64_t id;
    struct sim_host *host;
    struct env *env; /* NULL: down */
    struct env_tls *tls;
    struct rlog *rlog;
    struct id128 store;           /* of its disk, as formatted */
    char error[CLUSTER_LINE_MAX]; /* of the last start that failed, or of on_fatal */
    bool fatal;
    bool stopped;
    /* The machine. */
    uint64_t *values;
    size_t count;
    uint64_t *second; /* being restored, or replaced by what was */
    size_t second_count;
    uint64_t applied; /* index */
    size_t walk_at, walk_end;
    void (*sink)(void *arg, struct bytes piece);
    void *sink_arg;
    uint8_t partial[CLUSTER_RECORD_MAX];
    size_t partial_size;
    unsigned restores;
    unsigned appended_local, appended_remote;
    unsigned writes; /* batches of the log, of this process */
    /* What it was told. */
    enum rlog_role role;
    uint64_t term, leader;
    uint64_t messages; /* received by rlog_peer_send */
    /* Submitted here in this term and not seen applied. */
    uint64_t pending[CLUSTER_ENTRIES_MAX / 16];
    size_t pending_count;
    size_t acknowledged_position; /* the last one of this node's list that was acknowledged here */
};

struct cluster {
    struct sim *sim;
    size_t count; /* of nodes, members or not; the founders are birth.member_count */
    char reason[CLUSTER_LINE_MAX]; /* of the last change that was not made */
    struct cluster_node nodes[CLUSTER_NODES_MAX];
    struct rlog_birth birth;
    struct rlog_config config; /* every node starts with it */
    uint64_t next_value;
    uint64_t entries[CLUSTER_ENTRIES_MAX]; /* index -> value, 0: not seen yet */
    uint64_t leaders[CLUSTER_TERMS_MAX];
    uint64_t acknowledged[CLUSTER_ENTRIES_MAX];
    size_t acknowledged_count;
    size_t padding; /* bytes added to each entry */
    size_t record;  /* bytes of a number in an image, at least 8; the rest cannot be packed */
    bool liars;     /* a member lies: what it makes the others believe is not checked */
    char log[64][CLUSTER_LINE_MAX]; /* the last lines at WARN and above */
    size_t log_count;
};

/* `count` hosts, formatted folders, nothing started. */
struct cluster *cluster_create(uint64_t seed, size_t count);
/* As before, born with an image: the numbers from 1 to `values`, which count as acknowledged. */
struct cluster *cluster_create_restored(uint64_t seed, size_t count, uint64_t values);
/* Crashes and frees all; checks nothing. */
void cluster_destroy(struct cluster *cluster);

/* rc of rlog_start; `error` of the node holds the line. */
int cluster_start(struct cluster *cluster, size_t node);
void cluster_start_all(struct cluster *cluster);
/* Formats the node's folder anew, as somebody would who replaced the disk. The node is down. */
void cluster_replace_disk(struct cluster *cluster, size_t node);
/* One more host, with a folder that is to join; nothing started. Its place. */
size_t cluster_join(struct cluster *cluster);
/* The node's folder is empty and is to join, as after `member replace`. The node is down. */
void cluster_join_again(struct cluster *cluster, size_t node);
/* Asks whoever leads until it is so; false when it is refused or does not come about in time. The
 * node to be removed steps down when it leads. */
struct rlog_change cluster_change_of(const struct cluster *cluster, enum rlog_change_kind kind,
                                     size_t node);
bool cluster_change_within(struct cluster *cluster, enum rlog_change_kind kind, size_t node,
                           uint64_t us);
/* As before; fails the test when it does not come about. */
void cluster_change(struct cluster *cluster, enum rlog_change_kind kind, size_t node);
/* The process ends; the disk keeps what was written. */
void cluster_crash(struct cluster *cluster, size_t node);
/* The host loses power; the disk's policy decides. */
void cluster_power_cut(struct cluster *cluster, size_t node);
/* rlog_stop, then everything freed. */
void cluster_stop(struct cluster *cluster, size_t node);

void cluster_run(struct cluster *cluster, uint64_t us);
/* False when it does not happen within `us`. */
bool cluster_run_until(struct cluster *cluster, bool (*condition)(struct cluster *cluster),
                       uint64_t us);
/* Conditions. */
bool cluster_has_leader(struct cluster *cluster);
/* All nodes that run have the same list, at least all acknowledged numbers, and a common leader. */
bool cluster_is_even(struct cluster *cluster);

/* The running node that leads in the highest term; NULL when there is none. */
struct cluster_node *cluster_leader(struct cluster *cluster);
struct cluster_node *cluster_wait_leader(struct cluster *cluster);
/* Submits a new number; false when refused. */
bool cluster_submit(struct cluster_node *node);
/* Submits `count` numbers to whoever leads and runs until all of them are acknowledged. */
void cluster_write(struct cluster *cluster, size_t count);
/* Runs until cluster_is_even, or fails the test; then checks that nothing acknowledged is missing.
 */
void cluster_settle(struct cluster *cluster, uint64_t us);
/* A line at WARN or above that contains `text` was logged. */
bool cluster_logged(const struct cluster *cluster, const char *text);

#endif

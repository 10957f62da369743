/* The connections that the measuring programs of this folder share out their calls over, and the
 * loop that turns them. Knows no operation and measures nothing.
 */
#ifndef TESTS_BENCH_CROWD_H
#define TESTS_BENCH_CROWD_H

#include "tests/cluster/remote.h"

enum { CROWD_CONNECTIONS = 8 };

struct crowd {
    struct remote remote;
    struct tenure_client *clients[CROWD_CONNECTIONS];
    struct tenure_client *watchers[REMOTE_NODES_MAX]; /* operators; each stays with its node */
    int signals;                                      /* readable: somebody wants us to end */
    bool stopped;                                     /* it was; whoever waits gives up */
};

/* Of the cluster of cluster/local in `folder`. Ends the program when it cannot. SIGINT and SIGTERM
 * no longer kill: they set `stopped`, so that whoever runs can clean up. */
void crowd_open(struct crowd *crowd, const char *folder);
void crowd_close(struct crowd *crowd);
/* Does what there is to do for the connections, callbacks too; waits for it at most so long. */
void crowd_turn(struct crowd *crowd, uint64_t wait_us);
/* CLOCK_MONOTONIC in microseconds. */
uint64_t crowd_now_us(void);

/* What all nodes say of themselves. */
struct crowd_view {
    bool serving;                       /* one leads and serves */
    size_t leader;                      /* which, counted from 0 */
    uint64_t commit;                    /* greatest */
    uint64_t sessions;                  /* greatest number in a node's table, swept or not */
    uint64_t applied[REMOTE_NODES_MAX]; /* 0: the node does not answer */
    uint64_t term;                      /* of the one that serves */
};
struct crowd_view crowd_look(struct crowd *crowd);
/* Turns until nodes have applied what is committed at the call: all, or the one that is given.
 * False: not within so long, or stopped. */
bool crowd_await(struct crowd *crowd, size_t only, uint64_t wait_us);

#endif

/* One server: joins fsm and raftlog, serves clients. README.md of this folder has the way of a
 * request.
 *
 * Driven by its env's loop; several nodes can live in one process (the simulator).
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "env/env.h"
#include "node/bootstrap.h"
#include "node/config.h"

struct node;

struct node_handlers {
    void *arg;
    /* After node_stop: everything is closed; node_destroy may be called. */
    void (*on_stopped)(void *arg);
    /* The node cannot go on (disk, damage): one line says why. The owner ends the process. */
    void (*on_fatal)(void *arg, const char *detail);
};

/* Formats the configured folder from a bootstrap. `error`: one line. */
bool node_format(struct env *env, const struct node_config *config,
                 struct node_bootstrap *bootstrap, char *error, size_t error_size);

/* The same for a node that is to join the cluster, which was born from this bootstrap long since:
 * its folder knows no member, and is filled by the leader once an operator has added the node with
 * `ret_store_id` (tenurectl member add, or replace). */
bool node_format_joining(struct env *env, const struct node_config *config,
                         struct node_bootstrap *bootstrap, char *error, size_t error_size,
                         struct id128 *ret_store_id);
/* Starts serving. Borrows `config` until node_destroy. */
bool node_start(struct env *env, const struct node_config *config,
                const struct node_handlers *handlers, char *error, size_t error_size,
                struct node **ret_node);
/* Graceful: no new requests, leadership handed over, replies sent; then on_stopped. */
void node_stop(struct node *node);
/* At once: after on_stopped, or when its env has crashed (the simulator). NULL is fine. */
void node_destroy(struct node *node);

/* Addresses in use (port 0 in the configuration picks one). */
const char *node_client_address(const struct node *node);
const char *node_peer_address(const struct node *node);

/* ---- looking: for the port of metrics ---- */

struct node_process {
    uint64_t started_us; /* by the wall clock */
    uint64_t cpu_us;     /* of all its threads */
    uint64_t resident_bytes;
    uint64_t late_us; /* how late this look is */
};

/* Brings gauges and the checks of readiness up to date; once a second. */
void node_look(struct node *node, const struct node_process *process);
/* As last looked at. Returns the size of the text. */
size_t node_metrics_text(const struct node *node, char *ret_text, size_t capacity);
/* As last looked at: may this node be sent clients? One line for each check that fails (`verbose`:
 * for each), and the verdict. */
bool node_ready(const struct node *node, bool verbose, char *ret_text, size_t capacity);

#define NODE_VERSION "0.1.0"

#endif

/* The port of /metrics, /livez and /readyz of tenured. No part of the node: the simulator has none.
 *
 * Once a second the loop looks at the node and publishes what it found; env/uv/http.h serves that
 * from a thread of its own.
 */
#ifndef NODE_MONITOR_H
#define NODE_MONITOR_H

#include "node/config.h"
#include "node/node.h"

struct node_monitor;

/* Serves at once, "starting". NULL in `ret_monitor` and true when the configuration names no
 * address. False: `error` says why it cannot serve. Borrows nothing of `config`. */
bool node_monitor_start(struct env *env, const struct node_config *config, char *error,
                        size_t error_size, struct node_monitor **ret_monitor);
/* From now on it looks at this node, until node_monitor_stop. */
void node_monitor_watch(struct node_monitor *monitor, struct node *node);
/* Before the node and the env go. NULL is fine, here and above. */
void node_monitor_stop(struct node_monitor *monitor);
/* The address in use. */
const char *node_monitor_address(const struct node_monitor *monitor);

#endif

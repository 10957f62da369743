/* The node's clock across restarts of its process (model.md T2): durable at least once a second.
 *
 * Two alternating slots in the file CLOCK, each with version, sequence number and checksum. A slot
 * that cannot be read only costs the clock, never the node.
 */
#ifndef NODE_CLOCK_FILE_H
#define NODE_CLOCK_FILE_H

#include "env/work.h"
#include "node/forms.h"

struct env;
struct env_file;
struct env_timer;
struct node;

struct clock_file {
    struct env_file *file;
    struct env_timer *timer;
    struct env_work work;
    uint64_t sequence;
    bool busy;
    bool ending;
    bool wrote_clock;   /* the newest slot says that there is a clock */
    uint64_t wrote_era; /* and of which era */
    uint64_t durable_era;
    bool broken;  /* the newest write failed: the node ends by node_fatal */
    bool refused; /* the disk was full: written again at the next turn of it */
    uint8_t slot[NODE_FORM_MAX];
};

/* Reads what the file says into node->time when it is of this very boot; starts writing. */
int node_clock_file_start(struct node *node);
/* False while a write is still on its way. */
bool node_clock_file_idle(const struct clock_file *file);
/* Turn end: what made or took the clock is written at once. */
void node_clock_file_turn(struct node *node);
/* No further write begins. */
void node_clock_file_end(struct clock_file *file);
void node_clock_file_done(struct node *node);

#endif

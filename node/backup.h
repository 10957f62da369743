/* What this node's newest snapshot holds, for the operator who makes a backup of it.
 *
 * A snapshot holds what was committed and applied here. One that holds a position which a confirmed
 * read has answered (cluster.get) is linearizable with everything that ended before that read, on
 * whichever node it was taken; so no round is asked for here. Does not encrypt: that is done where
 * the key is, by tenurectl.
 */
#ifndef NODE_BACKUP_H
#define NODE_BACKUP_H

#include "base/hash.h"
#include "op/frame.h"

struct node;

struct node_backup_facts {
    bool known;
    uint64_t index; /* of the snapshot; 0: whichever was the newest when it was read */
    uint64_t position;
    uint64_t time;
    struct hash128 digest;
    uint64_t sessions, tasks;
};

struct node_backup {
    struct node_backup_facts next;   /* of the walk that began last */
    struct node_backup_facts newest; /* of the newest snapshot */
};

/* A walk begins at what is applied now; an image was read, and is what is applied now. */
void node_backup_begun(struct node *node);
void node_backup_restored(struct node *node);

/* False: there is no snapshot yet that holds `position`; one will be taken. The reply's texts point
 * into the node and into `buffer`. */
enum { NODE_BACKUP_BUFFER = OP_SNAPSHOT_LIMITS_MAX + 16 };
bool node_backup_take(struct node *node, uint64_t position, uint8_t buffer[NODE_BACKUP_BUFFER],
                      struct op_snapshot_take_reply *ret_reply);

#endif

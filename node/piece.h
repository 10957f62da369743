/* Pieces of the newest snapshot's file, for an operator's backup (snapshot.read): read in queued
 * work, a few at a time, and answered when they are there. Which snapshot that is: node/backup.h.
 */
#ifndef NODE_PIECE_H
#define NODE_PIECE_H

#include "base/list.h"
#include "op/frame.h"

struct node;
struct node_connection;

enum { NODE_PIECES_MAX = 4 /* being read at one time */ };

struct node_pieces {
    struct list reading;
    size_t count;
};

void node_pieces_init(struct node_pieces *pieces);
/* Frees what a crashed env never gave back. */
void node_pieces_done(struct node_pieces *pieces);
bool node_pieces_idle(const struct node_pieces *pieces);
/* OK: the answer follows, if the connection is still there then. Otherwise why not, at once. */
enum op_outcome node_pieces_read(struct node *node, const struct node_connection *connection,
                                 uint32_t msgid, const struct op_snapshot_read_request *request);

#endif

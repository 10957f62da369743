/* Reads pieces of the newest snapshot's file in queued work, and answers them. Decides nothing
 * about snapshots.
 */
#include "node/piece.h"

#include <stdlib.h>

#include "env/work.h"
#include "node/internal.h"

struct piece {
    struct list link;
    struct env_work work;
    struct node *node;
    uint64_t connection; /* its number: it may be gone */
    uint32_t msgid;
    uint64_t index, offset;
    int rc;
    size_t size;
    uint8_t data[OP_SNAPSHOT_PIECE];
};

static void run(struct env_work *work)
{
    struct piece *piece = work->arg;
    const struct node *node = piece->node;
    piece->rc = rlog_snapshot_read(node->env, node->config->folder, piece->index, piece->offset,
                                   piece->data, sizeof(piece->data), &piece->size);
}

static struct node_connection *find(struct node *node, uint64_t number)
{
    LIST_FOR_EACH(at, &node->listener.connections)
    {
        struct node_connection *connection = LIST_ENTRY(at, struct node_connection, in_listener);
        if (connection->number == number) {
            return connection;
        }
    }
    return NULL;
}

static void tell(struct node *node, const struct piece *piece)
{
    const struct op_snapshot_read_reply reply = {.data = bytes_of(piece->data, piece->size)};
    struct node_connection *connection = find(node, piece->connection);
    if (connection == NULL) {
        return;
    }
    if (piece->rc == ENV_OK) {
        node_answer(node, connection, piece->msgid, &op_snapshot_read_reply_struct, &reply);
    } else if (piece->rc == ENV_NOT_FOUND) {
        node_refuse(node, connection, piece->msgid, OP_NOT_FOUND, NODE_PIECE_REPLACED);
    } else {
        node_refuse(node, connection, piece->msgid, OP_NOT_READY, "the snapshot cannot be read");
    }
}

static void done(struct env_work *work)
{
    struct piece *piece = work->arg;
    struct node *node = piece->node;
    list_remove(&piece->link);
    node->pieces.count--;
    if (!node->failed) {
        tell(node, piece);
    }
    free(piece);
}

void node_pieces_init(struct node_pieces *pieces)
{
    list_init(&pieces->reading);
}

void node_pieces_done(struct node_pieces *pieces)
{
    LIST_FOR_EACH_SAFE(at, following, &pieces->reading)
    {
        struct piece *piece = LIST_ENTRY(at, struct piece, link);
        list_remove(at);
        free(piece);
    }
}

bool node_pieces_idle(const struct node_pieces *pieces)
{
    return pieces->count == 0;
}

enum op_outcome node_pieces_read(struct node *node, const struct node_connection *connection,
                                 uint32_t msgid, const struct op_snapshot_read_request *request)
{
    struct rlog_status status;
    rlog_status(node->rlog, &status);
    if (request->index == 0 || request->index != status.snapshot) {
        return OP_NOT_FOUND;
    }
    struct piece *piece = node->pieces.count == NODE_PIECES_MAX ? NULL : malloc(sizeof(*piece));
    if (piece == NULL) {
        return OP_NOT_READY;
    }
    piece->node = node;
    piece->connection = connection->number;
    piece->msgid = msgid;
    piece->index = request->index;
    piece->offset = request->offset;
    piece->size = 0;
    piece->work = (struct env_work){.run = run, .done = done, .arg = piece};
    list_append(&node->pieces.reading, &piece->link);
    node->pieces.count++;
    env_work_submit(node->env, &piece->work);
    return OP_OK;
}

/* Clients' connections: frames in, answers out, with bounds on both.
 *
 * Invariants
 *   N1  nothing but hello is served before hello
 *   N2  a connection holds at most one partial frame; it is not read from while it has
 *       CONNECTION_REQUESTS_MAX open requests, while these and the greatest answers that they
 *       can get exceed CONNECTION_OPEN_MAX, or while its unsent answers exceed
 *       CONNECTION_UNSENT_MAX
 *   N3  an answer goes to the connection that asked, under the msgid that it asked with, or
 *       nowhere
 */
#ifndef NODE_CONNECTION_H
#define NODE_CONNECTION_H

#include "base/list.h"
#include "env/net.h"
#include "op/frame.h"

struct node;
struct node_request;

enum {
    CONNECTION_REQUESTS_MAX = 4096,
    CONNECTION_OPEN_MAX = 32 * 1024 * 1024,
    CONNECTION_UNSENT_MAX = 4 * 1024 * 1024
};

struct node_connection {
    struct list in_listener;
    struct node *node;
    struct env_conn *conn;
    struct list requests;
    size_t request_count;
    size_t open_bytes; /* of open requests and their answers to come */
    bool greeted;
    bool closing;
    bool paused;
    /* who it is, from the certificate */
    enum op_role role;
    char tenant[OP_NAME_MAX + 1];
    char name[OP_NAME_MAX + 1]; /* "role/name" */
    struct id128 instance;      /* from hello */
    uint8_t *input;             /* one partial frame */
    size_t input_size;
    size_t input_capacity;
};

struct node_listener {
    struct env_listener *listener;
    struct list connections;
    size_t count;
    bool relieved; /* some connection that had stopped may be read from again */
    char address[ENV_ADDRESS_MAX];
};

int node_listener_start(struct node *node);
/* Turn end: reads on where answers have gone out. */
void node_listener_turn(struct node *node);
/* No new connections; what is open says goaway. */
void node_listener_drain(struct node *node);
/* Closes everything, flushing answers. */
void node_listener_close(struct node *node);
/* Frees at once. */
void node_listener_done(struct node *node);

/* Sends a whole frame; drops it when the connection is closing. */
void node_connection_send(struct node_connection *connection, struct bytes frame);
/* One error for bytes that break the protocol, then close. */
void node_connection_break(struct node_connection *connection, const char *reason);
/* A request of it is answered or cancelled: reads on when it had stopped. */
void node_connection_relieved(struct node_connection *connection);
/* From now on this request is the connection's no more. */
void node_connection_forget(struct node_connection *connection, struct node_request *request);

#endif

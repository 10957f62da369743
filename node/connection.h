/* Clients' connections: frames in, answers out, with bounds on both.
 *
 * Invariants
 *   N0  of those that are in their handshake the oldest goes when there are handshakes_max, and
 *       each after handshake_ms: who only keeps the door keeps nobody out; no certificate has more
 *       than certificate_connections_max
 *   N1  nothing but hello is served before hello
 *   N2  a connection holds at most one partial frame, and that no longer than frame_ms; it says
 *       hello within hello_ms after its handshake; it is not read from while it has
 *       CONNECTION_REQUESTS_MAX open requests, while these and the greatest answers that they
 *       can get exceed CONNECTION_OPEN_MAX, or while its unsent answers exceed
 *       CONNECTION_UNSENT_MAX
 *   N3  what all connections together have open and unsent is bounded by LISTENER_BYTES_MAX: beyond
 *       it a request is refused, and who leaves more than CONNECTION_UNSENT_LEAST unsent is not
 *       read from
 *   N4  no token is left behind in a buffer of the node once its message is handled
 *   N5  an answer goes to the connection that asked, under the msgid that it asked with, or
 *       nowhere
 *   N6  what one tenant's connections have handled in a turn of the loop is bounded (node/share.h):
 *       who finds nothing left is not read from until the next turn, and goes on there
 */
#ifndef NODE_CONNECTION_H
#define NODE_CONNECTION_H

#include "base/list.h"
#include "env/net.h"
#include "node/guests.h"
#include "node/share.h"
#include "op/frame.h"

struct node;
struct node_request;

enum {
    CONNECTION_REQUESTS_MAX = 4096,
    CONNECTION_OPEN_MAX = 32 * 1024 * 1024,
    CONNECTION_UNSENT_MAX = 4 * 1024 * 1024,
    CONNECTION_UNSENT_LEAST = 64 * 1024,
    CONNECTION_INPUT_KEPT = 16 * 1024, /* an empty input buffer above this is given back */
    LISTENER_SWEEP_US = 1000000,
    LISTENER_BYTES_MAX = 512 * 1024 * 1024,
};

struct node_connection {
    struct list in_listener;
    struct list in_ages; /* of one of the listener's three, or alone */
    uint64_t since;      /* env_mono_us when it entered that list */
    struct node *node;
    struct env_conn *conn;
    struct node_guest *guest; /* from its opening on */
    uint64_t number;          /* counted from 1 by the listener: its name in the log */
    struct list requests;
    size_t request_count;
    size_t open_bytes;   /* of open requests and their answers to come */
    size_t unsent_bytes; /* of answers, as last seen */
    bool shaking;        /* in its handshake */
    bool greeted;
    bool closing;
    bool paused;
    struct node_share *share; /* its tenant's, from its opening on */
    struct list in_held;      /* of its share, or alone */
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
    uint64_t accepted;   /* since the start */
    struct list guests;  /* certificates that have connections */
    struct list shaking; /* in their handshake; oldest first */
    size_t shaking_count;
    struct list greeting;   /* open, and hello was not said; oldest first */
    struct list unfinished; /* hold a part of a frame; oldest first */
    struct env_timer *timer;
    struct node_shares shares;
    struct env_timer *next_turn; /* for those that a share holds */
    size_t bytes;                /* open_bytes and unsent_bytes of all */
    bool full;                   /* somebody was turned away since there was room */
    bool relieved;               /* some connection that had stopped may be read from again */
    char address[ENV_ADDRESS_MAX];
};

int node_listener_start(struct node *node);
/* Turn end: reads on where answers have gone out, and begins new shares. */
void node_listener_turn(struct node *node);
/* No new connections; what is open says goaway. */
void node_listener_drain(struct node *node);
/* Closes everything, flushing answers. */
void node_listener_close(struct node *node);
/* Frees at once. */
void node_listener_done(struct node *node);

/* node/identity.c: takes tenant, role and name from what the certificate names. False: it is no
 * service or operator of this cluster. */
bool node_connection_identify(struct node_connection *connection, const char *identity);

/* Sends a whole frame; drops it when the connection is closing. */
void node_connection_send(struct node_connection *connection, struct bytes frame);
/* One error for bytes that break the protocol, then close. */
void node_connection_break(struct node_connection *connection, const char *reason);
/* A request of it is answered or cancelled: reads on when it had stopped. */
void node_connection_relieved(struct node_connection *connection);
/* Hello was said. */
void node_connection_greeted(struct node_connection *connection);
/* Would a request of this cost be within the bounds of the whole node? */
bool node_listener_has_room(const struct node_listener *listener, size_t cost);
/* The request is the connection's; its cost counts from now on. */
void node_connection_own(struct node_connection *connection, struct node_request *request);
/* From now on this request is the connection's no more. */
void node_connection_forget(struct node_connection *connection, struct node_request *request);

#endif

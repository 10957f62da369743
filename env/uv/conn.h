/* A connection: a stream, the poll that drives it, and the callbacks that it owes.
 *
 *   CONNECTING --> HANDSHAKE --> OPEN --> FLUSHING --> LINGERING
 *       |              |          |          |             |
 *       +--------------+----------+----------+-------------+--> CLOSED --> (freed)
 *
 *   CONNECTING  the kernel connects                              (client side only)
 *   HANDSHAKE   TLS handshake; bounded by HANDSHAKE_US together with CONNECTING
 *   OPEN        on_open was called
 *   FLUSHING    closed by us with `flush`: sends what is queued; what comes is dropped
 *   LINGERING   all is sent and ended; waits for the other side's end, because closing a socket
 *               with unread input would reset the connection and lose what was just sent
 *   CLOSED      on_close is owed, and then the connection is freed
 *
 * Invariants:
 *   C1. Each move is in the table of conn.c.
 *   C2. User callbacks run from polls and env_conns_deliver alone, never inside a user's call.
 *   C3. A connection is freed in env_conns_deliver alone, after on_close: no code below a poll or a
 *       timer loses its connection.
 *   C4. on_data and on_drain run in OPEN alone.
 */
#ifndef ENV_UV_CONN_H
#define ENV_UV_CONN_H

#include "base/list.h"
#include "env/clock.h"
#include "env/net.h"
#include "env/uv/stream.h"

#include <sys/socket.h>
#include <uv.h>

enum conn_state {
    CONN_CONNECTING,
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_FLUSHING,
    CONN_LINGERING,
    CONN_CLOSED,
};

struct env_conn {
    struct env *env;
    struct list link;
    struct list unsent_link;
    struct list ready_link;
    enum conn_state state;
    struct env_stream stream;
    struct env_tls *tls;
    struct env_listener *listener; /* during a server's handshake, while it is open */
    struct env_timer *timer;
    uv_poll_t poll;
    bool has_poll;
    bool paused;
    bool blocked;  /* the kernel took no more: the poll says when */
    bool draining; /* something was queued since the last on_drain */
    bool read_due; /* owed through `ready`: more input without a poll, or a last look */
    bool drain_due;
    int events; /* what the poll watches */
    struct env_conn_handlers handlers;
    void *arg;
    int close_rc;
    char detail[STREAM_TEXT_MAX];
    char address[ENV_ADDRESS_MAX];
};

/* For listener.c: a connection in HANDSHAKE. Takes `fd`. NULL when out of memory. */
struct env_conn *env_conn_accept(struct env *env, int fd, struct env_listener *listener,
                                 struct env_tls *tls, const char *alpn,
                                 const struct sockaddr_storage *address);
/* Closes at once, whatever was queued. */
void env_conn_abandon(struct env_conn *conn);

/* Between conn.c and conn_step.c. */
void env_conn_move(struct env_conn *conn, enum conn_state next);
void env_conn_finish(struct env_conn *conn, int rc, const char *detail);
void env_conn_finish_failed(struct env_conn *conn);
void env_conn_owe(struct env_conn *conn);
void env_conn_watch(struct env_conn *conn);
void env_conn_unsent(struct env_conn *conn);
void env_conn_free(struct env_conn *conn);
void env_conn_on_poll(uv_poll_t *poll, int status, int events);

#endif

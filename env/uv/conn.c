/* The life of a connection: begin, allowed moves, end, the public calls. Its steps: conn_step.c. */
#include "env/uv/conn.h"

#include "base/assert.h"
#include "env/uv/address.h"
#include "env/uv/internal.h"
#include "env/uv/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HANDSHAKE_US = 5000000,
    FLUSH_US = 2000000,
    QUEUED_MAX = 256 * 1024 * 1024, /* a user without back-pressure loses the connection */
    KEEP_ALIVE_IDLE_S = 15,
    KEEP_ALIVE_STEP_S = 5,
    KEEP_ALIVE_COUNT = 3,
};

/* C1: bit n of moves[s] allows s -> n. */
static const unsigned moves[] = {
    [CONN_CONNECTING] = 1u << CONN_HANDSHAKE | 1u << CONN_CLOSED,
    [CONN_HANDSHAKE] = 1u << CONN_OPEN | 1u << CONN_CLOSED,
    [CONN_OPEN] = 1u << CONN_FLUSHING | 1u << CONN_CLOSED,
    [CONN_FLUSHING] = 1u << CONN_LINGERING | 1u << CONN_CLOSED,
    [CONN_LINGERING] = 1u << CONN_CLOSED,
    [CONN_CLOSED] = 0,
};

void env_conn_move(struct env_conn *conn, enum conn_state next)
{
    ASSERT((moves[conn->state] & 1u << next) != 0);
    if (conn->state == CONN_HANDSHAKE && conn->listener != NULL) {
        env_listener_handshake_over(conn->listener);
        conn->listener = NULL;
    }
    conn->state = next;
}

void env_conn_owe(struct env_conn *conn)
{
    list_remove(&conn->ready_link);
    list_append(&conn->env->ready, &conn->ready_link);
}

void env_conn_unsent(struct env_conn *conn)
{
    if (!conn->blocked) {
        list_remove(&conn->unsent_link);
        list_append(&conn->env->unsent, &conn->unsent_link);
    }
}

static int wanted_events(const struct env_conn *conn)
{
    int write = conn->blocked ? UV_WRITABLE : 0;
    switch (conn->state) {
    case CONN_CONNECTING:
        return UV_WRITABLE;
    case CONN_HANDSHAKE:
    case CONN_FLUSHING:
    case CONN_LINGERING:
        return UV_READABLE | write;
    case CONN_OPEN:
        return (conn->paused ? 0 : UV_READABLE) | write;
    case CONN_CLOSED:
        return 0;
    }
    return 0;
}

/* Makes the poll watch what the state needs. */
void env_conn_watch(struct env_conn *conn)
{
    int events = wanted_events(conn);
    if (!conn->has_poll || events == conn->events) {
        return;
    }
    conn->events = events;
    int rc = events != 0 ? uv_poll_start(&conn->poll, events, env_conn_on_poll)
                         : uv_poll_stop(&conn->poll);
    ASSERT(rc == 0);
}

/* Ends the connection from our side; on_close follows from env_conns_deliver. */
void env_conn_finish(struct env_conn *conn, int rc, const char *detail)
{
    if (conn->state == CONN_CLOSED) {
        return;
    }
    env_conn_move(conn, CONN_CLOSED);
    conn->close_rc = rc;
    (void)snprintf(conn->detail, sizeof(conn->detail), "%s", detail);
    list_remove(&conn->unsent_link);
    env_conn_watch(conn);
    env_timer_stop(conn->timer);
    env_conn_owe(conn);
}

void env_conn_finish_failed(struct env_conn *conn)
{
    ASSERT(conn->stream.rc != 0);
    env_conn_finish(conn, conn->stream.rc, conn->stream.reason);
}

static void on_timer(void *arg)
{
    struct env_conn *conn = arg;
    switch (conn->state) {
    case CONN_CONNECTING:
        env_conn_finish(conn, ENV_REFUSED, "connecting timed out");
        break;
    case CONN_HANDSHAKE:
        env_conn_finish(conn, ENV_TLS, "handshake timed out");
        break;
    case CONN_FLUSHING:
        env_conn_finish(conn, ENV_CLOSED, "closed by this side before all was sent");
        break;
    case CONN_LINGERING:
        env_conn_finish(conn, ENV_CLOSED, "closed by this side");
        break;
    case CONN_OPEN:
    case CONN_CLOSED:
        UNREACHABLE("the timer is stopped in these states");
    }
}

static void set_options(int fd)
{
    const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEP_ALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEP_ALIVE_STEP_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEP_ALIVE_COUNT},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
    }
}

/* Takes `fd`, which may be -1 with errno set: such a connection closes at once. */
static struct env_conn *create(struct env *env, int fd, struct env_tls *tls, const char *alpn,
                               const struct sockaddr_storage *address, enum conn_state state)
{
    int error = errno;
    struct env_conn *conn = calloc(1, sizeof(*conn));
    struct env_timer *timer = conn != NULL ? env_timer_create(env, on_timer, conn) : NULL;
    if (timer == NULL) {
        free(conn);
        if (fd >= 0) {
            (void)close(fd);
        }
        return NULL;
    }
    conn->env = env;
    conn->state = state;
    conn->timer = timer;
    conn->tls = env_tls_hold(tls);
    list_append(&env->conns, &conn->link);
    list_init(&conn->unsent_link);
    list_init(&conn->ready_link);
    env_address_format(address, conn->address);
    errno = error;
    if (!env_stream_init(&conn->stream, fd, tls, state == CONN_HANDSHAKE, alpn)) {
        env_conn_finish_failed(conn);
        return conn;
    }
    set_options(fd);
    env_timer_start(timer, HANDSHAKE_US);
    int rc = uv_poll_init(&env->loop, &conn->poll, fd);
    if (rc != 0) {
        (void)env_stream_fail_errno(&conn->stream, -rc);
        env_conn_finish_failed(conn);
        return conn;
    }
    conn->has_poll = true;
    conn->poll.data = conn;
    return conn;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Only from env_conns_deliver (C3). */
void env_conn_free(struct env_conn *conn)
{
    ASSERT(conn->state == CONN_CLOSED);
    list_remove(&conn->link);
    list_remove(&conn->ready_link);
    env_timer_destroy(conn->timer);
    if (conn->has_poll) {
        uv_close((uv_handle_t *)&conn->poll, on_poll_closed);
    }
    env_stream_done(&conn->stream);
    env_tls_release(conn->tls);
    if (!conn->has_poll) {
        free(conn);
    }
}

/* ---- public calls ---- */

struct env_conn *env_connect(struct env *env, const char *address, struct env_tls *tls,
                             const char *alpn, const struct env_conn_handlers *handlers, void *arg)
{
    struct sockaddr_storage to;
    if (!env_address_parse(address, &to)) {
        return NULL;
    }
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct env_conn *conn = create(env, fd, tls, alpn, &to, CONN_CONNECTING);
    if (conn == NULL) {
        return NULL;
    }
    env_conn_adopt(conn, handlers, arg);
    if (conn->state == CONN_CLOSED) {
        return conn;
    }
    if (connect(fd, (const struct sockaddr *)&to, env_address_size(&to)) != 0 &&
        errno != EINPROGRESS) {
        env_conn_finish(conn, ENV_REFUSED, strerrordesc_np(errno));
        return conn;
    }
    env_conn_watch(conn);
    return conn;
}

struct env_conn *env_conn_accept(struct env *env, int fd, struct env_listener *listener,
                                 struct env_tls *tls, const char *alpn,
                                 const struct sockaddr_storage *address)
{
    struct env_conn *conn = create(env, fd, tls, alpn, address, CONN_HANDSHAKE);
    if (conn != NULL && conn->state == CONN_HANDSHAKE) {
        conn->listener = listener;
        env_listener_handshake_begun(listener);
        env_conn_watch(conn);
    }
    return conn;
}

void env_conn_adopt(struct env_conn *conn, const struct env_conn_handlers *handlers, void *arg)
{
    ASSERT(handlers->on_open != NULL && handlers->on_data != NULL && handlers->on_close != NULL);
    conn->handlers = *handlers;
    conn->arg = arg;
}

void env_conn_set_arg(struct env_conn *conn, void *arg)
{
    conn->arg = arg;
}

const char *env_conn_address(const struct env_conn *conn)
{
    return conn->address;
}

static bool takes_writes(const struct env_conn *conn)
{
    return conn->state == CONN_CONNECTING || conn->state == CONN_HANDSHAKE ||
           conn->state == CONN_OPEN;
}

void env_conn_write(struct env_conn *conn, struct bytes data)
{
    if (!takes_writes(conn) || data.size == 0) {
        return;
    }
    if (data.size > QUEUED_MAX - env_stream_queued(&conn->stream)) {
        env_conn_finish(conn, ENV_LIMIT, "too much queued for a slow receiver");
        return;
    }
    if (!env_stream_write(&conn->stream, data)) {
        env_conn_finish(conn, ENV_LIMIT, "no memory for what is queued");
        return;
    }
    conn->draining = true;
    if (conn->state == CONN_OPEN) {
        env_conn_unsent(conn);
    }
}

size_t env_conn_queued(const struct env_conn *conn)
{
    return takes_writes(conn) ? env_stream_queued(&conn->stream) : 0;
}

void env_conn_pause(struct env_conn *conn, bool paused)
{
    conn->paused = paused;
    if (conn->state != CONN_OPEN) {
        return;
    }
    env_conn_watch(conn);
    if (!paused && env_stream_holds_input(&conn->stream)) {
        conn->read_due = true;
        env_conn_owe(conn);
    }
}

void env_conn_close(struct env_conn *conn, bool flush)
{
    if (conn->state == CONN_OPEN && flush) {
        env_conn_move(conn, CONN_FLUSHING);
        env_timer_start(conn->timer, FLUSH_US);
        env_conn_watch(conn);
        env_conn_unsent(conn);
    } else if (takes_writes(conn)) {
        env_conn_abandon(conn);
    }
}

void env_conn_abandon(struct env_conn *conn)
{
    if (conn->state == CONN_OPEN && env_stream_queued(&conn->stream) == 0) {
        env_stream_end(&conn->stream); /* so that the other side sees an end, not a loss */
        (void)env_stream_send(&conn->stream);
    }
    env_conn_finish(conn, ENV_CLOSED, "closed by this side");
}

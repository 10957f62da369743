/* The steps of a connection: what a poll, a turn's end or a debt of callbacks makes it do. */
#include "base/assert.h"
#include "env/uv/conn.h"
#include "env/uv/internal.h"

#include <string.h>
#include <sys/socket.h>

/* A record's plain bytes (RFC 8446 section 5.1), and what one connection may deliver in one turn
 * before the others have theirs. */
enum { RECORD_MAX = 16384, READ_TURN_MAX = 256 * 1024 };

/* ---- sending ---- */

/* All is sent: the queue is empty, in OPEN or FLUSHING. */
static void step_sent(struct env_conn *conn)
{
    if (conn->state == CONN_OPEN && conn->draining && env_stream_queued(&conn->stream) == 0) {
        conn->draining = false;
        if (conn->handlers.on_drain != NULL) {
            conn->drain_due = true;
            env_conn_owe(conn);
        }
    } else if (conn->state == CONN_FLUSHING) {
        (void)shutdown(conn->stream.fd, SHUT_WR);
        env_conn_move(conn, CONN_LINGERING);
    }
}

/* In FLUSHING the "close notify" follows the last byte. */
static enum stream_result send_some(struct env_conn *conn)
{
    enum stream_result result = env_stream_send(&conn->stream);
    if (result == STREAM_DONE && conn->state == CONN_FLUSHING) {
        env_stream_end(&conn->stream);
        result = env_stream_send(&conn->stream);
    }
    return result;
}

static void step_send(struct env_conn *conn)
{
    if (conn->state == CONN_CLOSED) {
        return;
    }
    enum stream_result result = send_some(conn);
    conn->blocked = result == STREAM_AGAIN;
    switch (result) {
    case STREAM_DONE:
        step_sent(conn);
        break;
    case STREAM_AGAIN:
        break;
    case STREAM_END:
    case STREAM_FAILED:
        if (conn->state == CONN_OPEN && !conn->paused) {
            conn->read_due = true; /* a last look: the other side may have said why */
            env_conn_owe(conn);
        } else {
            env_conn_finish_failed(conn);
        }
        break;
    }
    env_conn_watch(conn);
}

void env_conns_send(struct env *env)
{
    while (!list_empty(&env->unsent)) {
        struct env_conn *conn = LIST_ENTRY(env->unsent.next, struct env_conn, unsent_link);
        list_remove(&conn->unsent_link);
        step_send(conn);
    }
}

/* ---- receiving ---- */

static void end_of_reading(struct env_conn *conn, enum stream_result result)
{
    if (result == STREAM_END) {
        env_conn_finish(conn, ENV_CLOSED, "closed by the other side");
    } else if (result == STREAM_FAILED) {
        (void)env_stream_send(&conn->stream); /* an alert, as far as it goes */
        env_conn_finish_failed(conn);
    }
}

/* Delivers input. `to_the_end`: until the kernel has no more, because no poll will come. */
static void step_read(struct env_conn *conn, bool to_the_end)
{
    uint8_t record[RECORD_MAX];
    size_t total = 0;
    enum stream_result result = STREAM_DONE;
    while (conn->state == CONN_OPEN && !conn->paused && result == STREAM_DONE) {
        if (total >= READ_TURN_MAX && !to_the_end) {
            break;
        }
        size_t size = 0;
        result = env_stream_read(&conn->stream, record, sizeof(record), &size);
        if (result == STREAM_DONE) {
            total += size;
            conn->handlers.on_data(conn->arg, conn, bytes_of(record, size));
            if (!to_the_end && !env_stream_holds_input(&conn->stream)) {
                break;
            }
        }
    }
    if (conn->state != CONN_OPEN) {
        return;
    }
    end_of_reading(conn, result);
    if (conn->state != CONN_OPEN) {
        return;
    }
    if (result == STREAM_DONE && !conn->paused && env_stream_holds_input(&conn->stream)) {
        conn->read_due = true;
        env_conn_owe(conn);
    }
    if (env_stream_queued(&conn->stream) > 0) {
        env_conn_unsent(conn);
    }
}

static void step_discard(struct env_conn *conn)
{
    if (env_stream_discard(&conn->stream) != STREAM_AGAIN) {
        env_conn_finish(conn, ENV_CLOSED,
                        conn->state == CONN_LINGERING ? "closed by this side"
                                                      : "closed by this side before all was sent");
    }
}

/* ---- beginning ---- */

static void step_open(struct env_conn *conn)
{
    char identity[ENV_IDENTITY_MAX];
    if (!env_stream_identity(&conn->stream, identity)) {
        env_conn_finish_failed(conn);
        return;
    }
    env_conn_move(conn, CONN_OPEN);
    env_timer_stop(conn->timer);
    env_conn_unsent(conn);
    conn->handlers.on_open(conn->arg, conn, identity);
    step_read(conn, false); /* what came together with the end of the handshake */
}

static void step_handshake(struct env_conn *conn)
{
    enum stream_result result = env_stream_handshake(&conn->stream);
    enum stream_result sent = env_stream_send(&conn->stream);
    conn->blocked = sent == STREAM_AGAIN;
    if (result == STREAM_FAILED || sent == STREAM_FAILED) {
        env_conn_finish_failed(conn);
    } else if (result == STREAM_DONE) {
        step_open(conn);
    }
}

static void step_connected(struct env_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof(error);
    (void)getsockopt(conn->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        env_conn_finish(conn, ENV_REFUSED, strerrordesc_np(error));
        return;
    }
    env_conn_move(conn, CONN_HANDSHAKE);
    step_handshake(conn);
}

/* ---- the poll ---- */

static void step(struct env_conn *conn, int events, bool lost)
{
    switch (conn->state) {
    case CONN_CONNECTING:
        step_connected(conn);
        break;
    case CONN_HANDSHAKE:
        step_handshake(conn);
        break;
    case CONN_OPEN:
        if ((events & UV_WRITABLE) != 0 && !lost) {
            step_send(conn);
        }
        if ((events & UV_READABLE) != 0 || lost) {
            step_read(conn, lost);
        }
        break;
    case CONN_FLUSHING:
        if ((events & UV_WRITABLE) != 0 && !lost) {
            step_send(conn);
        }
        if (conn->state == CONN_FLUSHING && (events & UV_READABLE) != 0) {
            step_discard(conn);
        }
        break;
    case CONN_LINGERING:
        step_discard(conn);
        break;
    case CONN_CLOSED:
        break;
    }
}

/* On a socket's error libuv stops the poll and reports a status; the reason is in the socket,
 * behind whatever was received before it. */
void env_conn_on_poll(uv_poll_t *poll, int status, int events)
{
    struct env_conn *conn = poll->data;
    bool lost = status < 0;
    conn->env->ran = true;
    if (lost) {
        conn->events = 0;
    }
    step(conn, events, lost);
    if (lost) {
        env_conn_finish(conn, ENV_RESET, "connection lost");
    }
    env_conn_watch(conn);
}

/* ---- what is owed ---- */

static void deliver(struct env_conn *conn)
{
    if (conn->state == CONN_CLOSED) {
        if (conn->handlers.on_close != NULL) {
            conn->handlers.on_close(conn->arg, conn, conn->close_rc, conn->detail);
        }
        env_conn_free(conn);
        return;
    }
    bool drain = conn->drain_due;
    bool read = conn->read_due;
    conn->drain_due = false;
    conn->read_due = false;
    /* What was queued meanwhile will drain in its turn. */
    if (drain && conn->state == CONN_OPEN && env_stream_queued(&conn->stream) == 0) {
        conn->handlers.on_drain(conn->arg, conn);
    }
    if (read && conn->state == CONN_OPEN) {
        bool failed = conn->stream.rc != 0;
        step_read(conn, failed);
        if (failed) {
            env_conn_finish_failed(conn);
        }
        env_conn_watch(conn);
    }
}

/* Only what is owed now: what these callbacks cause waits for the next turn. */
void env_conns_deliver(struct env *env)
{
    struct list now;
    list_init(&now);
    while (!list_empty(&env->ready)) {
        struct list *node = env->ready.next;
        list_remove(node);
        list_append(&now, node);
    }
    while (!list_empty(&now)) {
        struct env_conn *conn = LIST_ENTRY(now.next, struct env_conn, ready_link);
        list_remove(&conn->ready_link);
        deliver(conn);
    }
}

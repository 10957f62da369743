/* One end of a simulated connection: queue, delivery in seeded chunks, drain, pause, close. */
#include "env/sim/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"

/* ---- queue ---- */

static void queue_append(struct sim_queue *queue, struct bytes data)
{
    if (queue->start + queue->size + data.size > queue->capacity) {
        if (queue->size > 0) {
            memmove(queue->data, queue->data + queue->start, queue->size);
        }
        queue->start = 0;
        if (queue->size + data.size > queue->capacity) {
            queue->capacity = 2 * (queue->size + data.size);
            queue->data = realloc(queue->data, queue->capacity);
            ASSERT(queue->data != NULL);
        }
    }
    memcpy(queue->data + queue->start + queue->size, data.data, data.size);
    queue->size += data.size;
}

static void queue_take(struct sim_queue *queue, size_t size)
{
    queue->start += size;
    queue->size -= size;
}

static void queue_done(struct sim_queue *queue)
{
    free(queue->data);
    *queue = (struct sim_queue){0};
}

/* ---- the end of an end ---- */

static void events_cancel(struct env_conn *conn)
{
    struct sim *sim = conn->env->sim;
    sim_event_cancel(sim, &conn->events.begin);
    sim_event_cancel(sim, &conn->events.arrive);
    sim_event_cancel(sim, &conn->events.send);
    sim_event_cancel(sim, &conn->events.receive);
    sim_event_cancel(sim, &conn->events.probe);
    sim_event_cancel(sim, &conn->events.timeout);
    sim_event_cancel(sim, &conn->events.close);
}

void sim_conn_free(struct env_conn *conn)
{
    events_cancel(conn);
    sim_detach(conn);
    list_remove(&conn->link);
    sim_pipe_done(&conn->pipe);
    queue_done(&conn->queue);
    sim_tls_release(conn->tls);
    sim_tls_release(conn->remote_tls);
    free(conn);
}

static void close_fire(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.close);
    sim_trace(conn->env->sim, (uint64_t)(int64_t)conn->close_rc);
    if (conn->handled) {
        conn->handlers.on_close(conn->arg, conn, conn->close_rc, conn->detail);
    }
    sim_conn_free(conn);
}

void sim_conn_end(struct env_conn *conn, int rc, const char *detail)
{
    ASSERT(conn->state != SIM_CONN_ENDED);
    events_cancel(conn);
    sim_detach(conn);
    conn->state = SIM_CONN_ENDED;
    conn->listener = NULL;
    conn->close_rc = rc;
    (void)snprintf(conn->detail, sizeof(conn->detail), "%s", detail);
    sim_pipe_done(&conn->pipe);
    queue_done(&conn->queue);
    sim_event_in(conn->env->sim, &conn->events.close, 0);
}

void sim_conn_break(struct env_conn *conn, int rc, const char *detail, int peer_rc,
                    const char *peer_detail)
{
    if (conn->peer != NULL) {
        sim_pipe_push_end(conn->peer, peer_rc, peer_detail);
    }
    sim_conn_end(conn, rc, detail);
}

/* ---- sending ---- */

static void send_soon(struct env_conn *conn)
{
    struct sim *sim = conn->env->sim;
    bool sends = conn->state == SIM_CONN_OPEN || conn->state == SIM_CONN_FLUSHING;
    if (sends && !sim_event_waits(&conn->events.send)) {
        sim_event_in(sim, &conn->events.send, sim_rng_below(&sim->rng.net, 20));
    }
}

/* Cuts what the kernel takes into segments. */
static void transmit(struct env_conn *conn)
{
    struct sim_queue *queue = &conn->queue;
    while (queue->size > 0 && conn->credit > 0) {
        size_t size = (size_t)u64_min(u64_min(queue->size, conn->credit), SIM_SEGMENT_MAX);
        if (sim_rng_chance(&conn->env->sim->rng.net, 250000)) {
            size = 1 + (size_t)sim_rng_below(&conn->env->sim->rng.net, size);
        }
        sim_pipe_push(conn->peer, SIM_SEGMENT_DATA, bytes_of(queue->data + queue->start, size));
        conn->credit -= size;
        queue_take(queue, size);
    }
}

static void finish(struct env_conn *conn)
{
    sim_conn_break(conn, ENV_CLOSED, "closed", ENV_CLOSED, "closed by the other side");
}

static void send_fire(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.send);
    size_t before = conn->queue.size;
    if (conn->peer != NULL) {
        transmit(conn);
    } else if (!conn->pipe.ends) {
        sim_pipe_probe_soon(conn);
    }
    if (before == 0 || conn->queue.size > 0) {
        return;
    }
    if (conn->state == SIM_CONN_FLUSHING) {
        finish(conn);
    } else if (conn->handlers.on_drain != NULL) {
        conn->handlers.on_drain(conn->arg, conn);
    }
}

void env_conn_write(struct env_conn *conn, struct bytes data)
{
    ASSERT(!conn->env->sim->in_run);
    bool taken = conn->state != SIM_CONN_ENDED && conn->state != SIM_CONN_FLUSHING;
    if (!taken || data.size == 0 || conn->env->crashed) {
        return;
    }
    queue_append(&conn->queue, data);
    send_soon(conn);
}

size_t env_conn_queued(const struct env_conn *conn)
{
    return conn->queue.size;
}

/* ---- receiving ---- */

void sim_conn_receive_soon(struct env_conn *conn)
{
    struct sim *sim = conn->env->sim;
    if (conn->state != SIM_CONN_ENDED && !sim_event_waits(&conn->events.receive)) {
        sim_event_in(sim, &conn->events.receive, sim_rng_below(&sim->rng.net, 20));
    }
}

/* Bytes at the head of the inbox that lie there in one run. */
static size_t readable(const struct sim_pipe *pipe)
{
    size_t size = 0;
    LIST_FOR_EACH(node, &pipe->inbox)
    {
        const struct sim_segment *segment = LIST_ENTRY(node, struct sim_segment, link);
        if (segment->kind != SIM_SEGMENT_DATA) {
            break;
        }
        size += segment->count;
    }
    return size;
}

static void inbox_take(struct sim_pipe *pipe, uint8_t *buffer, size_t size)
{
    while (size > 0) {
        struct sim_segment *segment = LIST_ENTRY(pipe->inbox.next, struct sim_segment, link);
        size_t part = (size_t)u64_min(size, segment->count);
        memcpy(buffer, segment->data + segment->start, part);
        buffer += part;
        size -= part;
        segment->start += part;
        segment->count -= part;
        if (segment->count == 0) {
            list_remove(&segment->link);
            free(segment);
        }
    }
}

/* Most often all that is there, now and then a part, now and then next to nothing. */
static size_t chunk_size(struct sim *sim, size_t size)
{
    uint64_t choice = sim_rng_below(&sim->rng.net, 8);
    if (choice == 0) {
        return (size_t)u64_min(size, 1 + sim_rng_below(&sim->rng.net, 16));
    }
    return choice < 3 ? 1 + (size_t)sim_rng_below(&sim->rng.net, size) : size;
}

static void deliver(struct env_conn *conn)
{
    struct sim *sim = conn->env->sim;
    size_t size = chunk_size(sim, readable(&conn->pipe));
    /* Of its exact size, so that a reader beyond its end is seen by the sanitizer. */
    uint8_t *buffer = sim_alloc(size);
    inbox_take(&conn->pipe, buffer, size);
    conn->owed += size;
    if (conn->peer != NULL && conn->owed >= SIM_WINDOW / 4) {
        sim_pipe_push_credit(conn->peer, conn->owed);
        conn->owed = 0;
    }
    if (conn->state == SIM_CONN_OPEN) {
        sim_trace_bytes(sim, bytes_of(buffer, size));
        conn->handlers.on_data(conn->arg, conn, bytes_of(buffer, size));
    }
    free(buffer);
}

static struct sim_segment *inbox_pop(struct sim_pipe *pipe)
{
    struct sim_segment *segment = LIST_ENTRY(pipe->inbox.next, struct sim_segment, link);
    list_remove(&segment->link);
    return segment;
}

static void receive_fire(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.receive);
    struct sim_pipe *pipe = &conn->pipe;
    if (list_empty(&pipe->inbox)) {
        return;
    }
    struct sim_segment *segment = LIST_ENTRY(pipe->inbox.next, struct sim_segment, link);
    switch (segment->kind) {
    case SIM_SEGMENT_HELLO:
        free(inbox_pop(pipe));
        sim_hello_received(conn);
        break;
    case SIM_SEGMENT_FINISHED:
        free(inbox_pop(pipe));
        sim_finished_received(conn);
        break;
    case SIM_SEGMENT_DATA:
        if (conn->paused) {
            return;
        }
        deliver(conn);
        break;
    case SIM_SEGMENT_END:
        if (conn->paused) {
            return;
        }
        segment = inbox_pop(pipe);
        sim_conn_end(conn, segment->rc, (const char *)segment->data);
        free(segment);
        return;
    case SIM_SEGMENT_CREDIT:
        UNREACHABLE("credit never reaches the inbox");
    }
    if (conn->state != SIM_CONN_ENDED && !list_empty(&pipe->inbox)) {
        sim_conn_receive_soon(conn);
    }
}

void env_conn_pause(struct env_conn *conn, bool paused)
{
    conn->paused = paused;
    if (!paused && !list_empty(&conn->pipe.inbox)) {
        sim_conn_receive_soon(conn);
    }
}

/* ---- life ---- */

static void timeout_fire(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.timeout);
    if (conn->state == SIM_CONN_FLUSHING) {
        finish(conn);
    } else if (conn->state == SIM_CONN_CONNECTING && conn->peer == NULL) {
        sim_conn_end(conn, ENV_REFUSED, "connecting timed out");
    } else {
        sim_conn_break(conn, ENV_TLS, "handshake timed out", ENV_RESET,
                       "the other side gave the handshake up");
    }
}

struct env_conn *sim_conn_create(struct env *env, struct env_tls *tls, const char *alpn,
                                 const char *address)
{
    struct env_conn *conn = sim_alloc(sizeof(*conn));
    conn->env = env;
    conn->tls = tls;
    conn->credit = SIM_WINDOW;
    sim_tls_hold(tls);
    (void)snprintf(conn->alpn, sizeof(conn->alpn), "%s", alpn);
    (void)snprintf(conn->address, sizeof(conn->address), "%s", address);
    sim_pipe_init(&conn->pipe);
    sim_event_init(&conn->events.begin, SIM_EVENT_SYN, NULL, sim_syn_fire);
    sim_event_init(&conn->events.arrive, SIM_EVENT_ARRIVE, NULL, sim_pipe_arrive);
    sim_event_init(&conn->events.send, SIM_EVENT_SEND, env, send_fire);
    sim_event_init(&conn->events.receive, SIM_EVENT_RECEIVE, env, receive_fire);
    sim_event_init(&conn->events.probe, SIM_EVENT_PROBE, NULL, sim_pipe_probe);
    sim_event_init(&conn->events.timeout, SIM_EVENT_TIMEOUT, env, timeout_fire);
    sim_event_init(&conn->events.close, SIM_EVENT_CLOSE, env, close_fire);
    sim_event_in(env->sim, &conn->events.timeout, SIM_HANDSHAKE_US);
    list_append(&env->handles.conns, &conn->link);
    return conn;
}

void sim_conn_open(struct env_conn *conn)
{
    sim_event_cancel(conn->env->sim, &conn->events.timeout);
    conn->state = SIM_CONN_OPEN;
    conn->listener = NULL;
    if (conn->queue.size > 0) {
        send_soon(conn);
    }
    conn->handlers.on_open(conn->arg, conn, conn->remote_tls->identity);
}

void env_conn_close(struct env_conn *conn, bool flush)
{
    ASSERT(!conn->env->sim->in_run);
    if (conn->env->crashed || conn->state == SIM_CONN_ENDED || conn->state == SIM_CONN_FLUSHING) {
        return;
    }
    if (flush && conn->state == SIM_CONN_OPEN && conn->queue.size > 0) {
        conn->state = SIM_CONN_FLUSHING;
        conn->paused = false;
        sim_event_in(conn->env->sim, &conn->events.timeout, SIM_FLUSH_US);
        sim_conn_receive_soon(conn);
        return;
    }
    finish(conn);
}

void env_conn_set_arg(struct env_conn *conn, void *arg)
{
    conn->arg = arg;
}

const char *env_conn_address(const struct env_conn *conn)
{
    return conn->address;
}

size_t sim_net_connections(const struct env *env)
{
    size_t count = 0;
    LIST_FOR_EACH(node, &env->handles.conns)
    {
        count += LIST_ENTRY(node, struct env_conn, link)->state != SIM_CONN_ENDED;
    }
    return count;
}

/* ---- the end of a process ---- */

/* Half of the time what was written before the end is on its way already, and arrives. */
static bool all_left(struct env_conn *conn)
{
    bool open = conn->state == SIM_CONN_OPEN || conn->state == SIM_CONN_FLUSHING;
    if (!open || !sim_rng_chance(&conn->env->sim->rng.net, 500000)) {
        return false;
    }
    transmit(conn);
    return true;
}

void sim_conns_end(struct env *env, bool power)
{
    LIST_FOR_EACH(node, &env->handles.conns)
    {
        struct env_conn *conn = LIST_ENTRY(node, struct env_conn, link);
        events_cancel(conn);
        bool left = conn->peer != NULL && all_left(conn);
        if (conn->peer != NULL && power) {
            sim_pipe_watch(conn->peer);
        } else if (conn->peer != NULL) {
            if (!left) {
                sim_pipe_tear(conn->peer);
            }
            sim_pipe_push_end(conn->peer, ENV_RESET, "the other process is gone");
        }
        sim_detach(conn);
    }
}

void sim_conns_free(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->handles.conns)
    {
        sim_conn_free(LIST_ENTRY(node, struct env_conn, link));
    }
    sim_listeners_free(env);
}

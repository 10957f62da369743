/* What travels between two ends, in order, and how an end finds out that nothing does. Calls nobody
 * back. */
#include <stdlib.h>
#include <string.h>

#include "base/sat.h"
#include "env/sim/conn.h"

/* As env/uv sets the kernel's keep-alive. */
#define SILENCE_US (15 * SIM_SECOND)
#define SILENCE_STEP_US (5 * SIM_SECOND)
#define SILENCE_MAX_US (30 * SIM_SECOND)

/* ---- pipes ---- */

void sim_pipe_init(struct sim_pipe *pipe)
{
    list_init(&pipe->flight);
    list_init(&pipe->inbox);
}

void sim_pipe_clear(struct list *segments)
{
    LIST_FOR_EACH_SAFE(node, following, segments)
    {
        list_remove(node);
        free(LIST_ENTRY(node, struct sim_segment, link));
    }
}

void sim_pipe_done(struct sim_pipe *pipe)
{
    sim_pipe_clear(&pipe->flight);
    sim_pipe_clear(&pipe->inbox);
}

static void push(struct env_conn *to, struct sim_segment *segment)
{
    struct sim *sim = to->env->sim;
    struct sim_pipe *pipe = &to->pipe;
    uint64_t arrives_us = sat_add(sim->now_us, sim_link_delay(sim, to->remote, to->env->host));
    segment->arrives_us = u64_max(arrives_us, pipe->last_arrival_us);
    pipe->last_arrival_us = segment->arrives_us;
    list_append(&pipe->flight, &segment->link);
    if (!sim_event_waits(&to->events.arrive)) {
        sim_event_at(sim, &to->events.arrive, segment->arrives_us);
    }
}

static struct sim_segment *segment_create(enum sim_segment_kind kind, struct bytes data)
{
    struct sim_segment *segment = sim_alloc(sizeof(*segment) + data.size);
    segment->kind = kind;
    segment->count = data.size;
    if (data.size > 0) {
        memcpy(segment->data, data.data, data.size);
    }
    return segment;
}

void sim_pipe_push(struct env_conn *to, enum sim_segment_kind kind, struct bytes data)
{
    push(to, segment_create(kind, data));
}

void sim_pipe_push_credit(struct env_conn *to, size_t count)
{
    struct sim_segment *segment = segment_create(SIM_SEGMENT_CREDIT, BYTES_NONE);
    segment->count = count;
    push(to, segment);
}

void sim_pipe_push_end(struct env_conn *to, int rc, const char *detail)
{
    if (to->state == SIM_CONN_ENDED || to->env->crashed || to->pipe.ends) {
        return;
    }
    struct sim_segment *segment = segment_create(SIM_SEGMENT_END,
                                                 bytes_of(detail, strlen(detail) + 1));
    segment->rc = rc;
    to->pipe.ends = true;
    push(to, segment);
}

void sim_pipe_tear(struct env_conn *to)
{
    struct sim_rng *rng = &to->env->sim->rng.net;
    size_t count = 0;
    LIST_FOR_EACH(counted, &to->pipe.flight)
    {
        count++;
    }
    size_t kept = (size_t)sim_rng_below(rng, count + 1);
    size_t index = 0;
    LIST_FOR_EACH_SAFE(node, following, &to->pipe.flight)
    {
        struct sim_segment *segment = LIST_ENTRY(node, struct sim_segment, link);
        if (index == kept && segment->kind == SIM_SEGMENT_DATA && segment->count > 1) {
            segment->count = 1 + (size_t)sim_rng_below(rng, segment->count - 1);
        } else if (index >= kept) {
            list_remove(node);
            free(segment);
        }
        index++;
    }
}

void sim_pipe_delay(struct env_conn *to, uint64_t late_us)
{
    struct sim_pipe *pipe = &to->pipe;
    LIST_FOR_EACH(node, &pipe->flight)
    {
        LIST_ENTRY(node, struct sim_segment, link)->arrives_us += late_us;
    }
    if (!list_empty(&pipe->flight)) {
        pipe->last_arrival_us += late_us;
        sim_event_at(to->env->sim, &to->events.arrive,
                     LIST_ENTRY(pipe->flight.next, struct sim_segment, link)->arrives_us);
    }
}

void sim_detach(struct env_conn *conn)
{
    if (conn->peer != NULL) {
        conn->peer->peer = NULL;
        conn->peer = NULL;
    }
}

/* ---- arrivals ---- */

/* The link is cut: try again later, as TCP does. The sender gives up in the end. */
static void stall(struct env_conn *conn)
{
    struct sim *sim = conn->env->sim;
    struct sim_pipe *pipe = &conn->pipe;
    if (pipe->stalled_since_us == 0) {
        pipe->stalled_since_us = sim->now_us;
        pipe->retry_us = SIM_RETRY_FIRST_US;
    }
    if (conn->peer != NULL && sim->now_us - pipe->stalled_since_us >= SIM_UNACKNOWLEDGED_US) {
        struct env_conn *sender = conn->peer;
        sim_detach(sender);
        sim_conn_end(sender, ENV_RESET, "nothing was acknowledged for too long");
        sim_pipe_watch(conn);
    }
    sim_event_in(sim, &conn->events.arrive, 1 + sim_rng_below(&sim->rng.net, pipe->retry_us));
    pipe->retry_us = u64_min(2 * pipe->retry_us, SIM_RETRY_MAX_US);
}

void sim_pipe_arrive(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.arrive);
    struct sim *sim = conn->env->sim;
    struct sim_pipe *pipe = &conn->pipe;
    if (list_empty(&pipe->flight)) {
        return;
    }
    if (!sim_path_open(conn->remote, conn->env->host)) {
        stall(conn);
        return;
    }
    pipe->stalled_since_us = 0;
    struct sim_segment *segment = LIST_ENTRY(pipe->flight.next, struct sim_segment, link);
    list_remove(&segment->link);
    if (segment->kind == SIM_SEGMENT_CREDIT) {
        conn->credit += segment->count;
        free(segment);
        if (conn->queue.size > 0) {
            sim_event_in(sim, &conn->events.send, sim_rng_below(&sim->rng.net, 20));
        }
    } else {
        list_append(&pipe->inbox, &segment->link);
        sim_conn_receive_soon(conn);
    }
    if (!list_empty(&pipe->flight)) {
        segment = LIST_ENTRY(pipe->flight.next, struct sim_segment, link);
        sim_event_at(sim, &conn->events.arrive, segment->arrives_us);
    }
}

/* ---- keep-alive ---- */

void sim_pipe_watch(struct env_conn *conn)
{
    if (conn->state == SIM_CONN_ENDED || conn->env->crashed) {
        return;
    }
    conn->pipe.silent_since_us = conn->env->sim->now_us;
    if (!sim_event_waits(&conn->events.probe)) {
        sim_event_in(conn->env->sim, &conn->events.probe, SILENCE_US);
    }
}

void sim_pipe_probe_soon(struct env_conn *conn)
{
    struct sim *sim = conn->env->sim;
    uint64_t at_us = sim->now_us + sim_link_delay(sim, conn->env->host, conn->remote);
    if (!sim_event_waits(&conn->events.probe) || conn->events.probe.at_us > at_us) {
        sim_event_at(sim, &conn->events.probe, at_us);
    }
}

void sim_pipe_probe(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.probe);
    struct sim *sim = conn->env->sim;
    const struct sim_host *host = conn->env->host;
    if (sim_path_open(host, conn->remote) && sim_path_open(conn->remote, host)) {
        if (conn->peer == NULL) {
            sim_pipe_push_end(conn, ENV_RESET, "the other side lost the connection");
        }
    } else if (sim->now_us - conn->pipe.silent_since_us < SILENCE_MAX_US) {
        sim_event_in(sim, event, SILENCE_STEP_US);
    } else {
        sim_conn_end(conn, ENV_RESET, "the other side does not answer");
    }
}

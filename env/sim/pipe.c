/* What travels between two ends: delays, loss, cuts, resets. Calls nobody back. */
#include <stdlib.h>
#include <string.h>

#include "base/sat.h"
#include "env/sim/conn.h"

#define RETRY_FIRST_US (200 * SIM_MILLISECOND)
#define RETRY_MAX_US (1600 * SIM_MILLISECOND)

/* ---- links ---- */

void sim_links_init(struct sim *sim, const struct sim_host *host)
{
    for (uint32_t i = 0; i < sim->hosts_count; i++) {
        sim_net_delay(sim, host, sim->hosts[i], 200, 600);
        sim_net_delay(sim, sim->hosts[i], host, 200, 600);
    }
    sim_net_delay(sim, host, host, 20, 60);
}

void sim_net_delay(struct sim *sim, const struct sim_host *from, const struct sim_host *to,
                   uint64_t base_us, uint64_t jitter_us)
{
    sim_link_of(sim, from, to)->base_us = base_us;
    sim_link_of(sim, from, to)->jitter_us = jitter_us;
}

void sim_net_loss(struct sim *sim, const struct sim_host *from, const struct sim_host *to,
                  uint32_t ppm)
{
    sim_link_of(sim, from, to)->loss_ppm = ppm;
}

void sim_net_cut(struct sim *sim, const struct sim_host *from, const struct sim_host *to, bool cut)
{
    sim_link_of(sim, from, to)->cut = cut;
}

void sim_net_isolate(struct sim *sim, const struct sim_host *host, bool cut)
{
    for (uint32_t i = 0; i < sim->hosts_count; i++) {
        if (sim->hosts[i] != host) {
            sim_net_cut(sim, host, sim->hosts[i], cut);
            sim_net_cut(sim, sim->hosts[i], host, cut);
        }
    }
}

void sim_net_heal(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->hosts_count; i++) {
        for (uint32_t j = 0; j < sim->hosts_count; j++) {
            sim_net_cut(sim, sim->hosts[i], sim->hosts[j], false);
        }
    }
}

uint64_t sim_link_delay(struct sim *sim, const struct sim_host *from, const struct sim_host *to)
{
    const struct sim_link *link = sim_link_of(sim, from, to);
    uint64_t delay_us = sat_add(link->base_us, sim_rng_below(&sim->net, link->jitter_us));
    uint64_t again_us = RETRY_FIRST_US;
    while (link->loss_ppm > 0 && again_us < RETRY_MAX_US &&
           sim_rng_chance(&sim->net, link->loss_ppm)) {
        delay_us += again_us;
        again_us *= 2;
    }
    return delay_us;
}

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
    struct sim_rng *rng = &to->env->sim->net;
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
        pipe->retry_us = RETRY_FIRST_US;
    }
    if (conn->peer != NULL && sim->now_us - pipe->stalled_since_us >= SIM_UNACKNOWLEDGED_US) {
        struct env_conn *sender = conn->peer;
        sim_detach(sender);
        sim_conn_end(sender, ENV_RESET, "nothing was acknowledged for too long");
    }
    sim_event_in(sim, &conn->events.arrive, 1 + sim_rng_below(&sim->net, pipe->retry_us));
    pipe->retry_us = u64_min(2 * pipe->retry_us, RETRY_MAX_US);
}

void sim_pipe_arrive(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.arrive);
    struct sim *sim = conn->env->sim;
    struct sim_pipe *pipe = &conn->pipe;
    if (list_empty(&pipe->flight)) {
        return;
    }
    if (sim_link_of(sim, conn->remote, conn->env->host)->cut) {
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
            sim_event_in(sim, &conn->events.send, sim_rng_below(&sim->net, 20));
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

/* Bytes went to a machine that knows this connection no more: it answers so, when it can. */
void sim_pipe_probe(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.probe);
    struct sim *sim = conn->env->sim;
    const struct sim_host *host = conn->env->host;
    if (conn->remote->up && !sim_link_of(sim, host, conn->remote)->cut &&
        !sim_link_of(sim, conn->remote, host)->cut) {
        sim_pipe_push_end(conn, ENV_RESET, "the other side lost the connection");
    } else {
        sim_event_in(sim, event, 1 + sim_rng_below(&sim->net, RETRY_MAX_US));
    }
}

/* ---- resets ---- */

static void reset(struct env_conn *conn)
{
    struct env_conn *peer = conn->peer;
    sim_pipe_tear(conn);
    sim_pipe_tear(peer);
    sim_pipe_push_end(conn, ENV_RESET, "reset by the network");
    sim_pipe_push_end(peer, ENV_RESET, "reset by the network");
    sim_detach(conn);
}

void sim_net_reset(struct sim *sim, const struct sim_host *a, const struct sim_host *b)
{
    (void)sim;
    LIST_FOR_EACH(process, &a->processes)
    {
        struct env *env = LIST_ENTRY(process, struct env, link);
        LIST_FOR_EACH(node, &env->conns)
        {
            struct env_conn *conn = LIST_ENTRY(node, struct env_conn, link);
            if (conn->peer != NULL && conn->remote == b) {
                reset(conn);
            }
        }
    }
}

/* The links between hosts: delays, loss, cuts, resets. What travels over them is pipe.c's. */
#include "base/sat.h"
#include "env/sim/conn.h"

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

bool sim_path_open(const struct sim_host *from, const struct sim_host *to)
{
    return !sim_link_of(from->sim, from, to)->cut && to->up && !to->stopped;
}

/* The ends on `host` of connections with `remote` may hear nothing from now on. */
static void watch(const struct sim_host *host, const struct sim_host *remote)
{
    LIST_FOR_EACH(process, &host->processes)
    {
        struct env *env = LIST_ENTRY(process, struct env, link);
        LIST_FOR_EACH(node, &env->handles.conns)
        {
            struct env_conn *conn = LIST_ENTRY(node, struct env_conn, link);
            if (conn->remote == remote) {
                sim_pipe_watch(conn);
            }
        }
    }
}

void sim_links_watch(const struct sim_host *host)
{
    for (uint32_t i = 0; i < host->sim->hosts_count; i++) {
        watch(host->sim->hosts[i], host);
    }
}

void sim_net_cut(struct sim *sim, const struct sim_host *from, const struct sim_host *to, bool cut)
{
    bool before = sim_link_of(sim, from, to)->cut;
    sim_link_of(sim, from, to)->cut = cut;
    if (cut && !before) {
        watch(from, to);
        watch(to, from);
    }
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
    uint64_t delay_us = sat_add(link->base_us, sim_rng_below(&sim->rng.net, link->jitter_us));
    uint64_t again_us = SIM_RETRY_FIRST_US;
    while (link->loss_ppm > 0 && again_us < SIM_RETRY_MAX_US &&
           sim_rng_chance(&sim->rng.net, link->loss_ppm)) {
        delay_us += again_us;
        again_us *= 2;
    }
    return delay_us;
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

static void reset_half(struct env_conn *conn, uint64_t late_us)
{
    struct env_conn *peer = conn->peer;
    sim_pipe_tear(conn);
    sim_pipe_push_end(conn, ENV_RESET, "reset by the network");
    sim_pipe_delay(peer, sim_rng_below(&conn->env->sim->rng.net, late_us));
    sim_detach(conn);
    sim_pipe_watch(peer);
}

void sim_net_reset_half(struct sim *sim, const struct sim_host *near, const struct sim_host *far,
                        uint64_t late_us)
{
    (void)sim;
    LIST_FOR_EACH(process, &near->processes)
    {
        struct env *env = LIST_ENTRY(process, struct env, link);
        LIST_FOR_EACH(node, &env->handles.conns)
        {
            struct env_conn *conn = LIST_ENTRY(node, struct env_conn, link);
            if (conn->peer != NULL && conn->remote == far && conn->state == SIM_CONN_OPEN) {
                reset_half(conn, late_us);
            }
        }
    }
}

void sim_net_reset(struct sim *sim, const struct sim_host *a, const struct sim_host *b)
{
    (void)sim;
    LIST_FOR_EACH(process, &a->processes)
    {
        struct env *env = LIST_ENTRY(process, struct env, link);
        LIST_FOR_EACH(node, &env->handles.conns)
        {
            struct env_conn *conn = LIST_ENTRY(node, struct env_conn, link);
            if (conn->peer != NULL && conn->remote == b) {
                reset(conn);
            }
        }
    }
}

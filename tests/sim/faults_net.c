/* Faults of the network: cuts of every shape, delay, loss, resets. */
#include "tests/sim/faults.h"

static struct run_node *node_of(struct run *run, const struct active *active)
{
    return &run->nodes[active->node];
}

static void cut(struct run *run, size_t a, size_t b)
{
    sim_net_cut(run->sim, run->nodes[a].host, run->nodes[b].host, true);
    sim_net_cut(run->sim, run->nodes[b].host, run->nodes[a].host, true);
}

/* From the other nodes; half the time from its clients too. */
void fault_cut_one(struct run *run, struct active *active)
{
    if (run_chance(run, 50)) {
        sim_net_isolate(run->sim, node_of(run, active)->host, true);
        return;
    }
    for (size_t i = 0; i < run->node_count; i++) {
        if (i != active->node) {
            cut(run, i, active->node);
        }
    }
}

void fault_cut_leader(struct run *run, struct active *active)
{
    size_t leader = nodes_leader(run);
    active->node = leader == NODES_MAX ? active->node : leader;
    fault_cut_one(run, active);
}

void fault_cut_halves(struct run *run, struct active *active)
{
    size_t nodes = run->node_count;
    for (size_t a = 0; a < nodes / 2; a++) {
        for (size_t b = nodes / 2; b < nodes; b++) {
            cut(run, (a + active->node) % nodes, (b + active->node) % nodes);
        }
    }
}

/* Each node sees its two neighbours alone: of five, each has a majority, no two the same. */
void fault_cut_ring(struct run *run, struct active *active)
{
    size_t nodes = run->node_count;
    (void)active;
    for (size_t a = 0; a < nodes; a++) {
        for (size_t b = a + 2; b < nodes; b++) {
            if ((b + 1) % nodes != a) {
                cut(run, a, b);
            }
        }
    }
}

/* Two sides that know of each other only through one node. */
void fault_cut_bridge(struct run *run, struct active *active)
{
    size_t nodes = run->node_count;
    size_t bridge = active->node;
    for (size_t a = 1; a <= nodes / 2; a++) {
        for (size_t b = nodes / 2 + 1; b < nodes; b++) {
            cut(run, (bridge + a) % nodes, (bridge + b) % nodes);
        }
    }
}

void fault_cut_one_way(struct run *run, struct active *active)
{
    bool outward = run_chance(run, 50);
    for (size_t i = 0; i < run->node_count; i++) {
        if (i != active->node && run_chance(run, 70)) {
            struct sim_host *self = node_of(run, active)->host;
            struct sim_host *other = run->nodes[i].host;
            sim_net_cut(run->sim, outward ? self : other, outward ? other : self, true);
        }
    }
}

void fault_cut_client(struct run *run, struct active *active)
{
    sim_net_isolate(run->sim, run->actors[active->actor].host, true);
}

void fault_heal_network(struct run *run, struct active *active)
{
    (void)active;
    sim_net_heal(run->sim);
}

static void for_each_link(struct run *run, uint64_t base_us, uint64_t jitter_us, uint32_t loss_ppm)
{
    for (size_t i = 0; i < run->node_count; i++) {
        for (size_t j = 0; j < run->node_count + run->actor_count; j++) {
            struct sim_host *a = run->nodes[i].host;
            struct sim_host *b = j < run->node_count ? run->nodes[j].host
                                                     : run->actors[j - run->node_count].host;
            if (a != b) {
                sim_net_delay(run->sim, a, b, base_us, jitter_us);
                sim_net_delay(run->sim, b, a, base_us, jitter_us);
                sim_net_loss(run->sim, a, b, loss_ppm);
                sim_net_loss(run->sim, b, a, loss_ppm);
            }
        }
    }
}

void fault_delay(struct run *run, struct active *active)
{
    (void)active;
    uint64_t base_us = 1000 + run_random(run, 60000);
    uint64_t jitter_us = 1000 + run_random(run, 150000);
    for_each_link(run, base_us, jitter_us, 0);
}

void fault_lose(struct run *run, struct active *active)
{
    (void)active;
    for_each_link(run, 200, 600, (uint32_t)(10000 + run_random(run, 250000)));
}

void fault_calm_links(struct run *run, struct active *active)
{
    (void)active;
    for_each_link(run, 200, 600, 0);
}

void fault_reset(struct run *run, struct active *active)
{
    for (size_t i = 0; i < run->node_count + run->actor_count; i++) {
        struct sim_host *other = i < run->node_count ? run->nodes[i].host
                                                     : run->actors[i - run->node_count].host;
        if (other != node_of(run, active)->host && run_chance(run, 60)) {
            sim_net_reset(run->sim, node_of(run, active)->host, other);
        }
    }
}

/* One side forgets its connections and dials anew; what it sent comes late, beside the new ones. */
void fault_reset_half(struct run *run, struct active *active)
{
    for (size_t i = 0; i < run->node_count + run->actor_count; i++) {
        struct sim_host *self = node_of(run, active)->host;
        struct sim_host *other = i < run->node_count ? run->nodes[i].host
                                                     : run->actors[i - run->node_count].host;
        bool forgets = run_chance(run, 50);
        uint64_t late_us = 1 + run_random(run, 3 * SIM_SECOND);
        if (other != self && run_chance(run, 60)) {
            sim_net_reset_half(run->sim, forgets ? self : other, forgets ? other : self, late_us);
        }
    }
}

/* Two candidates and one voter between them, which restarts when it has voted: a vote that is
 * forgotten makes two leaders of one term (S13).
 *
 *   1. The leader of three restarts; it and the first of the others do not hear each other.
 *   2. Once that one leads, by the vote of the second, the second restarts, and does not hear it.
 *   3. The old leader asks the second for its vote in the same term, and must not get it.
 */
#include "tests/sim/faults.h"

enum { RIVALS_OF = 3, ELECTIONS = 5 };

static void restart(struct run *run, size_t node)
{
    node_kill(&run->nodes[node]);
    run->nodes[node].start_at = sim_now_us(run->sim) + SIM_MILLISECOND;
}

static void part(struct run *run, size_t a, size_t b)
{
    sim_net_cut(run->sim, run->nodes[a].host, run->nodes[b].host, true);
    sim_net_cut(run->sim, run->nodes[b].host, run->nodes[a].host, true);
}

static void has_voted(void *arg)
{
    struct run *run = arg;
    size_t first = run->rival;
    size_t second = RIVALS_OF - run->rival_old - first;
    run_say(run, "node %zu restarts, which has voted", second + 1);
    part(run, first, second);
    restart(run, second);
}

void faults_led(struct run *run, const struct run_node *node)
{
    if (run->rivals && node == &run->nodes[run->rival]) {
        sim_at(run->sim, 0, has_voted, run);
    }
    run->rivals = false;
}

void fault_rivals(struct run *run, struct active *active)
{
    size_t leader = nodes_leader(run);
    bool next = run_chance(run, 50);
    if (run->plan.nodes != RIVALS_OF || leader == NODES_MAX) {
        return;
    }
    active->node = run->rival_old = leader;
    active->until = sim_now_us(run->sim) + ELECTIONS * run->plan.election_ms * SIM_MILLISECOND;
    run->rival = (leader + (next ? 1 : 2)) % RIVALS_OF;
    run->rivals = true;
    part(run, leader, run->rival);
    restart(run, leader);
}

void fault_rivals_end(struct run *run, struct active *active)
{
    run->rivals = false;
    fault_heal_network(run, active);
}

/* A rolling upgrade, while faults and load go on. In some seeds an operator restarts one node after
 * another with a program that knows a feature level more: the same objects, told so by their
 * configuration. Now and then one is taken back to the program before.
 *
 *  1. The level rises only when the later program has run on every member's folder (L1: a member
 *     that lacks it stops).
 *  2. No node applies an entry of a level that its program does not know (S8).
 *  3. A node ends itself for the level's sake only when it was taken back, and with one line that
 *     says to upgrade it; upgraded, it goes on.
 *  4. When faults have stopped and all are upgraded, the level rises (L1).
 */
#include "tests/sim/upgrade.h"

#include "tests/sim/faults.h"

#include <inttypes.h>
#include <string.h>

enum {
    PERCENT = 10,
    STREAM = 92, /* of a seed's draws: nothing else is drawn from it */
    BEFORE = OP_LEVEL,
    LATER = OP_LEVEL + 1,
};

void upgrade_plan(const struct run *run, struct plan *plan, bool can)
{
    bool wanted = run->setup->upgrade ||
                  sim_mix(run->setup->seed ^ sim_mix(STREAM)) % 100 < PERCENT;
    plan->on[FAULT_UPGRADE] = run->setup->on[FAULT_UPGRADE] && wanted && can;
    plan->upgrade = plan->on[FAULT_UPGRADE];
}

/* ---- one node ---- */

void upgrade_starts(struct run_node *node)
{
    node->config.level = node->program.later ? LATER : BEFORE;
}

void upgrade_started(struct run_node *node)
{
    node->program.knew = node->program.knew || node->config.level == LATER;
}

static bool was_taken_back(const struct run_node *node)
{
    return node->program.knew && node->config.level == BEFORE;
}

bool upgrade_explains(struct run_node *node)
{
    if (!was_taken_back(node) || strstr(node->error, "upgrade this node") == NULL ||
        strchr(node->error, '\n') != NULL) {
        return false;
    }
    run_say(node->run, "node %u was taken back, and says: %s", node->config.node, node->error);
    node->run->counters.upgrade.stopped++;
    node->program.later = true;
    return true;
}

/* Its process ends by itself, or is killed. */
static void become(struct run_node *node, bool later, bool gently)
{
    struct run *run = node->run;
    node->program.later = later;
    run->counters.upgrade.upgraded += later;
    run_say(run, "node %u is %s", node->config.node, later ? "upgraded" : "taken back");
    if (gently && node_runs(node) && !node->node->stopping) {
        node_stop(node->node);
    } else {
        node_kill(node);
    }
}

/* From `first` on, one that is started with that program; NULL: none. */
static struct run_node *find(struct run *run, size_t first, bool later)
{
    for (size_t i = 0; i < run->node_count; i++) {
        struct run_node *node = &run->nodes[(first + i) % run->node_count];
        if (node->program.later == later && (!later || node->program.knew)) {
            return node;
        }
    }
    return NULL;
}

static bool one_is_back(const struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        if (run->nodes[i].program.knew && !run->nodes[i].program.later) {
            return true;
        }
    }
    return false;
}

void fault_upgrade(struct run *run, struct active *active)
{
    size_t first = (size_t)run_random(run, run->node_count);
    bool gently = run_chance(run, 50);
    bool back = run_chance(run, 30) && !one_is_back(run);
    struct run_node *before = find(run, first, false);
    struct run_node *later = find(run, first, true);
    (void)active;
    if (later != NULL && (back || before == NULL)) {
        become(later, false, gently);
    } else if (before != NULL) {
        become(before, true, gently);
    }
}

/* ---- what is seen ---- */

void upgrade_raised(struct run *run, uint64_t level)
{
    run->counters.upgrade.raised++;
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        if (node->member && level > BEFORE && !node->program.knew) {
            run_fail(run, "L1: the level rises to %" PRIu64 ", which node %u does not know", level,
                     node->config.node);
        }
    }
}

void upgrade_watch(struct run *run, const struct run_node *node)
{
    uint64_t level = fsm_level(node->node->fsm);
    if (level > node->config.level) {
        run_fail(run, "S8: node %u goes on at level %" PRIu64 ", which it does not know",
                 node->config.node, level);
    }
}

/* ---- the end ---- */

void upgrade_calm(struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        struct run_node *node = &run->nodes[i];
        if (node->program.knew && !node->program.later) {
            become(node, true, false);
        }
    }
}

static bool all_at_later(const struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        if (!node_runs(node) || fsm_level(node->node->fsm) != LATER) {
            return false;
        }
    }
    return true;
}

static void set_quiet(struct run *run, bool quiet)
{
    for (size_t i = 0; i < run->actor_count; i++) {
        run->actors[i].quiet = quiet;
    }
}

/* One at a time, and only while all others run. The load pauses where slow disks let nobody catch
 * up under it (churn.c). */
void upgrade_finish(struct run *run)
{
    enum { SLICE_US = 20000 };
    const uint64_t limit_us = 20 * SIM_SECOND;
    uint64_t begun_us = sim_now_us(run->sim);
    uint64_t next_us = begun_us;
    while (run->plan.upgrade && !all_at_later(run)) {
        uint64_t now_us = sim_now_us(run->sim);
        struct run_node *node = find(run, 0, false);
        if (node != NULL && next_us <= now_us) {
            become(node, true, true);
            next_us = now_us + SIM_SECOND;
        }
        set_quiet(run, now_us - begun_us > limit_us);
        if (now_us - begun_us > 3 * limit_us) {
            run_fail(run, "L1: all nodes are upgraded, and the level does not rise");
        }
        if (!run_pass(run, SLICE_US)) {
            return;
        }
        operator_step(run);
    }
    set_quiet(run, false);
}

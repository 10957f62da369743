/* A rolling upgrade, while faults and load go on. In some seeds an operator restarts one node after
 * another with a program that knows a feature level more: the same objects, told so by their
 * configuration. Now and then one is taken back to the program before. Where members change too,
 * half of those that join, or get a new disk, do so with the program before.
 *
 *  1. The level rises only when the later program has run as every member (L1: a member that lacks
 *     it stops).
 *  2. No node applies an entry of a level that its program does not know (S8).
 *  3. A node ends itself for the level's sake only when the log raises the level, and the node was
 *     taken back or joined later; at the very entry or at an image, and with one line that says to
 *     upgrade it; upgraded, it goes on.
 *  4. When faults have stopped and all members are upgraded, the level rises, whatever those run
 *     who were members (L1).
 */
#include "tests/sim/upgrade.h"

#include "base/sat.h"
#include "op/command.h"
#include "raftlog/engine.h"
#include "raftlog/rlog.h"
#include "tests/sim/faults.h"

#include <inttypes.h>
#include <string.h>

enum {
    PERCENT = 10,
    STREAM = 92,        /* of a seed's draws: nothing else is drawn from it */
    PERCENT_CHURN = 30, /* of the seeds in which members change */
    STREAM_CHURN = 94,  /* the same for these */
    BEFORE = OP_LEVEL,
    LATER = OP_LEVEL + 1,
};

void upgrade_plan(const struct run *run, struct plan *plan, bool can)
{
    bool churn = plan->on[FAULT_CHURN];
    uint64_t drawn = sim_mix(run->setup->seed ^ sim_mix(churn ? STREAM_CHURN : STREAM)) % 100;
    bool wanted = run->setup->upgrade || drawn < (churn ? PERCENT_CHURN : PERCENT);
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

/* The entry that it stopped at raises the level above what it knows. */
static bool stopped_at_level(const struct run_node *node)
{
    const struct rlog *rlog = node->node->rlog;
    uint64_t index = rlog_engine_applied(rlog);
    struct base_reader reader;
    struct op_entry_head head;
    struct op_command command;
    if (index < rlog_log_start(rlog->log) || index > rlog_log_last(rlog->log)) {
        return false;
    }
    struct rlog_log_entry entry = rlog_log_entry(rlog->log, index);
    base_reader_init(&reader, entry.payload);
    bool good = entry.type == RLOG_COMMAND && op_entry_read(&reader, &head);
    for (uint32_t i = 0; good && i < head.count; i++) {
        good = op_command_read(&reader, &command);
        if (good && command.number == OP_COMMAND_LEVEL && command.level > node->config.level) {
            return true;
        }
    }
    return false;
}

/* It may be the first who would apply that entry. An image has it from who did. */
static bool has_risen(const struct run_node *node)
{
    bool entry = strncmp(node->error, "the entry at ", strlen("the entry at ")) == 0;
    return entry && node->node != NULL ? stopped_at_level(node)
                                       : node->run->level > node->config.level;
}

/* It is no member, or may be none just now: to be replaced it is taken out, and added again. */
static bool is_removed(const struct run_node *node)
{
    const struct run_churn *churn = &node->run->churn;
    bool leaves = churn->state == CHURN_REMOVES || churn->state == CHURN_REPLACES;
    return !node->member || (leaves && &node->run->nodes[churn->node] == node);
}

/* The level waits for who is a member, and does not know it; and so does a vote. */
static bool may_be_below(const struct run_node *node)
{
    bool joined = node->program.since > BEFORE && !node->votes;
    return node->program.knew || is_removed(node) || joined;
}

bool upgrade_explains(struct run_node *node)
{
    struct run_upgrades *counters = &node->run->counters.upgrade;
    bool says = strstr(node->error, "understood by this program: upgrade this node") != NULL &&
                strchr(node->error, '\n') == NULL;
    if (!says || node->config.level != BEFORE || !has_risen(node) || !may_be_below(node)) {
        return false;
    }
    run_say(node->run, "node %u is below the level, and says: %s", node->config.node, node->error);
    counters->stopped += node->program.knew;
    counters->strangers += !node->program.knew;
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

/* From `first` on, one that somebody starts with that program; NULL: none. */
static struct run_node *find(struct run *run, size_t first, bool later)
{
    for (size_t i = 0; i < run->node_count; i++) {
        struct run_node *node = &run->nodes[(first + i) % run->node_count];
        if (!node->out && node->program.later == later && (!later || node->program.knew)) {
            return node;
        }
    }
    return NULL;
}

static bool one_is_back(const struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        if (!node->out && node->program.knew && !node->program.later) {
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

/* ---- members that change ---- */

void upgrade_joins(struct run_node *node, bool later)
{
    struct run *run = node->run;
    if (!run->plan.upgrade) {
        return;
    }
    node->program.later = later || (node->member && one_is_back(run));
    node->program.knew = node->program.knew && node->member;
    run->counters.upgrade.replaced += node->program.knew && !node->program.later;
    run_say(run, "node %u gets the program %s", node->config.node,
            node->program.later ? "of the upgrade" : "before");
}

/* How many members are started with that program. */
static size_t members_with(const struct run *run, bool later)
{
    size_t count = 0;
    for (size_t i = 0; i < run->node_count; i++) {
        count += run->nodes[i].member && run->nodes[i].program.later == later;
    }
    return count;
}

void upgrade_added(struct run_node *node)
{
    struct run *run = node->run;
    node->program.since = run->level;
    run->counters.upgrade.mixed += run->level <= BEFORE && members_with(run, false) > 0 &&
                                   members_with(run, true) > 0;
}

void upgrade_votes(struct run_node *node)
{
    if (node->run->level > BEFORE && !node->program.knew) {
        run_fail(node->run, "L1: node %u gets a vote, and its program is below the level",
                 node->config.node);
    }
}

void upgrade_removed(struct run_node *node)
{
    node->run->counters.upgrade.held += upgrade_holder(node->run) == node;
}

struct run_node *upgrade_holder(struct run *run)
{
    bool waits = run->plan.upgrade && run->level <= BEFORE && members_with(run, false) == 1;
    for (size_t i = 0; waits && i < run->node_count; i++) {
        struct run_node *node = &run->nodes[i];
        if (node->member && !node->program.later) {
            return node;
        }
    }
    return NULL;
}

/* ---- what is seen ---- */

void upgrade_raised(struct run *run, uint64_t level)
{
    bool without = false;
    run->counters.upgrade.raised++;
    run->level = u64_max(run->level, level);
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        bool lacks = level > BEFORE && !node->program.knew;
        without = without || (lacks && !node->member && node->out_at != 0);
        if (lacks && !is_removed(node)) {
            run_fail(run, "L1: the level rises to %" PRIu64 ", which node %u does not know", level,
                     node->config.node);
        }
    }
    run->counters.upgrade.without += without;
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
        if (!node->out && node->program.knew && !node->program.later) {
            become(node, true, false);
        }
    }
}

static bool all_at_later(const struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        if (!node->out && (!node_runs(node) || fsm_level(node->node->fsm) != LATER)) {
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

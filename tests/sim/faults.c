/* What goes wrong in a run, and how it ends again. One table: name, and why one is off.
 *
 * A machine suffers one fault at a time; several machines may suffer at once. Faults that move
 * clocks say by how much the cluster's time may be wrong because of them (slack_us).
 */
#include "tests/sim/faults.h"

#include "base/sat.h"
#include "raftlog/engine.h"
#include "raftlog/rlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    REBOOT_SLACK_US = 100000, /* a clock asked for is at most so old (docs/MODEL.md T2) */
    LATE_US = 1100000,        /* a fault ends this much late at most: while the operator acts */
};

struct fault {
    const char *name;
    const char *reason; /* NULL: on by default */
    fault_fn *begin;
    fault_fn *end;
    uint64_t longest_us;
    bool alone;  /* no other fault meanwhile */
    bool client; /* strikes a client's process */
};

static struct run_node *node_of(struct run *run, const struct active *active)
{
    return &run->nodes[active->node];
}

static void nothing(struct run *run, struct active *active)
{
    (void)run;
    (void)active;
}

/* ---- crashes ---- */

static void crash(struct run *run, struct active *active)
{
    node_kill(node_of(run, active));
}

static void crash_all(struct run *run, struct active *active)
{
    (void)active;
    for (size_t i = 0; i < run->node_count; i++) {
        node_kill(&run->nodes[i]);
    }
}

/* At one of the next fault points, or at a moment around which an order of writes, syncs and
 * messages matters, whenever that comes. */
static void point(struct run *run, const struct active *active, enum sim_crash how)
{
    static const char *const names[] = {
        "vote.before_write", "vote.before_sync",      "vote.after_sync",
        "log.before_sync",   "log.after_sync",        "log.mark_written",
        "log.after_remove",  "snapshot.after_rename", "snapshot.before_remove",
    };
    struct run_node *node = node_of(run, active);
    bool named = run_chance(run, 35);
    const char *name = names[run_random(run, sizeof(names) / sizeof(names[0]))];
    uint64_t hits = 1 + run_random(run, named ? 3 : 60);
    if (node_runs(node)) {
        sim_fault_crash_at(node->env, named ? name : NULL, hits, how);
    }
}

static void crash_point(struct run *run, struct active *active)
{
    point(run, active, SIM_CRASH_PROCESS);
}

static void power_point(struct run *run, struct active *active)
{
    run->slack_us += REBOOT_SLACK_US;
    point(run, active, SIM_CRASH_POWER);
}

static void power_cut(struct run *run, struct active *active)
{
    run->slack_us += REBOOT_SLACK_US;
    node_power_cut(node_of(run, active));
}

static void power_cut_all(struct run *run, struct active *active)
{
    (void)active;
    run->slack_us += REBOOT_SLACK_US;
    for (size_t i = 0; i < run->node_count; i++) {
        node_power_cut(&run->nodes[i]);
    }
}

/* S7 at its sharpest: a majority loses power right after somebody was told that a write is done. */
static void await_answer(struct run *run, struct active *active)
{
    (void)active;
    run->strikes_answer = true;
}

static void await_no_more(struct run *run, struct active *active)
{
    (void)active;
    run->strikes_answer = false;
}

static void strike_most(void *arg)
{
    struct run *run = arg;
    size_t leader = nodes_leader(run);
    size_t first = leader == NODES_MAX ? 0 : leader;
    run_say(run, "power fails at an answer");
    run->slack_us += REBOOT_SLACK_US;
    for (size_t i = 0; i <= run->node_count / 2; i++) {
        node_power_cut(&run->nodes[(first + i) % run->node_count]);
    }
}

void faults_answered(struct run *run)
{
    if (run->strikes_answer) {
        run->strikes_answer = false;
        sim_at(run->sim, 0, strike_most, run);
    }
}

static void take_away(struct run *run, struct active *active)
{
    node_of(run, active)->away = true;
    node_kill(node_of(run, active));
}

static void bring_back(struct run *run, struct active *active)
{
    node_of(run, active)->away = false;
}

/* ---- processes and clocks ---- */

static void pause_node(struct run *run, struct active *active)
{
    if (node_runs(node_of(run, active))) {
        sim_process_pause(node_of(run, active)->env);
    }
}

static void resume_node(struct run *run, struct active *active)
{
    if (node_runs(node_of(run, active))) {
        sim_process_resume(node_of(run, active)->env);
    }
}

static void suspend(struct run *run, struct active *active)
{
    sim_host_stop(node_of(run, active)->host, SIM_STOP_SUSPEND);
}

static void hypervisor(struct run *run, struct active *active)
{
    run->slack_us += active->until - sim_now_us(run->sim) + LATE_US;
    sim_host_stop(node_of(run, active)->host, SIM_STOP_HYPERVISOR);
}

static void go_on(struct run *run, struct active *active)
{
    sim_host_continue(node_of(run, active)->host);
}

static void slow(struct run *run, struct active *active)
{
    if (node_runs(node_of(run, active))) {
        sim_process_slow(node_of(run, active)->env, 500 + run_random(run, 30000));
    }
}

static void fast(struct run *run, struct active *active)
{
    if (node_runs(node_of(run, active))) {
        sim_process_slow(node_of(run, active)->env, 0);
    }
}

static int64_t step(struct run *run, uint64_t most_us)
{
    int64_t by = (int64_t)run_random(run, most_us);
    return run_chance(run, 50) ? by : -by;
}

/* Offers further than 5 s apart are no time at all (T3): no more than that can come of it. */
static void step_wall(struct run *run, struct active *active)
{
    int64_t by = step(run, run_chance(run, 50) ? 4 * SIM_SECOND : 4000 * SIM_SECOND);
    uint64_t size = (uint64_t)(by < 0 ? -by : by);
    run->slack_us += run->plan.steady ? 0 : u64_min(size, 5 * SIM_SECOND);
    sim_host_step_wall(node_of(run, active)->host, by);
}

/* The boot clocks of a minority alone may lie; which, depends on the seed. Where members change, a
 * minority of three. */
static void choose_liar(struct run *run, struct active *active)
{
    size_t liars = run->plan.on[FAULT_CHURN] ? 1 : (run->plan.nodes - 1) / 2;
    active->node = (size_t)(run->setup->seed + run_random(run, liars)) % run->plan.nodes;
}

static void step_boot(struct run *run, struct active *active)
{
    choose_liar(run, active);
    int64_t by = step(run, 3 * SIM_SECOND);
    if (run->plan.steady) {
        /* Once, and by more than what clocks of one cluster may differ by. */
        size_t leader = nodes_leader(run);
        active->node = leader != NODES_MAX && run_chance(run, 50) ? leader : active->node;
        by = by < 0 ? -by : by;
        by = run->counters.faults[FAULT_BOOT_STEP] == 1 ? by + 3 * (int64_t)SIM_SECOND / 2 : 0;
        sim_host_step_boot(node_of(run, active)->host, by);
        return;
    }
    run->slack_us += (uint64_t)(by < 0 ? -by : by);
    sim_host_step_boot(node_of(run, active)->host, by);
}

static void drift(struct run *run, struct active *active)
{
    choose_liar(run, active);
    int32_t ppm = (int32_t)step(run, 50000);
    run->slack_us += (active->until - sim_now_us(run->sim) + LATE_US) / 20;
    sim_host_drift(node_of(run, active)->host, ppm);
}

static void undrift(struct run *run, struct active *active)
{
    sim_host_drift(node_of(run, active)->host, 0);
}

/* ---- leadership and snapshots ---- */

/* Half of the time a crash at one of its next fault points follows. */
static void snapshot(struct run *run, struct active *active)
{
    struct run_node *node = node_of(run, active);
    if (node_runs(node)) {
        rlog_snapshot_now(node->node->rlog);
        if (run->plan.on[FAULT_CRASH_POINT] && run_chance(run, 50)) {
            point(run, active, SIM_CRASH_PROCESS);
        }
    }
}

static void transfer(struct run *run, struct active *active)
{
    size_t leader = nodes_leader(run);
    active->node = leader == NODES_MAX ? active->node : leader;
    if (node_runs(node_of(run, active)) && !node_of(run, active)->node->stopping) {
        node_stop(node_of(run, active)->node);
    }
}

static void step_down(struct run *run, struct active *active)
{
    size_t leader = nodes_leader(run);
    (void)active;
    if (leader != NODES_MAX) {
        rlog_step_down(run->nodes[leader].node->rlog);
    }
}

/* ---- clients ---- */

static void crash_client(struct run *run, struct active *active)
{
    actor_kill(&run->actors[active->actor]);
}

static void pause_client(struct run *run, struct active *active)
{
    struct run_actor *actor = &run->actors[active->actor];
    if (actor->env != NULL) {
        actor->stands = true;
        sim_process_pause(actor->env);
    }
}

static void resume_client(struct run *run, struct active *active)
{
    struct run_actor *actor = &run->actors[active->actor];
    actor->stands = false;
    actor->stood_us = sim_now_us(run->sim);
    if (actor->env != NULL) {
        sim_process_resume(actor->env);
    }
}

/* ---- the table ---- */

#define MS(n) ((n) * SIM_MILLISECOND)

static const struct fault faults[FAULTS] = {
    [FAULT_CRASH] = {"crash", NULL, crash, nothing, MS(1), false, false},
    [FAULT_CRASH_POINT] = {"crash-point", NULL, crash_point, nothing, MS(500), false, false},
    [FAULT_CRASH_RECOVERY] = {"crash-recovery", NULL, NULL, NULL, 0, false, false},
    [FAULT_CRASH_ALL] = {"crash-all", NULL, crash_all, nothing, MS(1), true, false},
    [FAULT_POWER_POINT] = {"power-point", NULL, power_point, nothing, MS(500), false, false},
    [FAULT_POWER_CUT] = {"power-cut", NULL, power_cut, nothing, MS(1), false, false},
    [FAULT_POWER_CUT_ALL] = {"power-cut-all", NULL, power_cut_all, nothing, MS(1), true, false},
    [FAULT_POWER_ANSWER] = {"power-at-answer", NULL, await_answer, await_no_more, MS(2000), false,
                            false},
    [FAULT_FAILED_SYNC] = {"failed-sync", NULL, fault_fail_sync, fault_mend_sync, MS(3000), false,
                           false},
    [FAULT_DISK_HANG] = {"disk-hang", NULL, fault_hang_disk, fault_go_on_disk, MS(3000), false,
                         false},
    [FAULT_DISK_SLOW] = {"disk-slow", NULL, fault_slow_disk, fault_fast_disk, MS(4000), false,
                         false},
    [FAULT_DISK_FULL] = {"disk-full", NULL, fault_fill_disk, fault_empty_disk, MS(8000), false,
                         false},
    [FAULT_DISKS_FULL] = {"disks-full", NULL, fault_fill_disks, fault_empty_disks, MS(6000), false,
                          false},
    [FAULT_MISDIRECT] = {"misdirect", NULL, fault_misdirect, nothing, MS(1), false, false},
    [FAULT_BIT_FLIP] = {"bit-flip", NULL, fault_flip, nothing, MS(1), false, false},
    [FAULT_CUT_ONE] = {"cut-one", NULL, fault_cut_one, fault_heal_network, MS(4000), false, false},
    [FAULT_CUT_LEADER] = {"cut-leader", NULL, fault_cut_leader, fault_heal_network, MS(4000), false,
                          false},
    [FAULT_CUT_HALVES] = {"cut-halves", NULL, fault_cut_halves, fault_heal_network, MS(4000), false,
                          false},
    [FAULT_DUEL] = {"duel", NULL, fault_duel, fault_duel_end, MS(2500), false, false},
    [FAULT_RIVALS] = {"rivals", NULL, fault_rivals, fault_rivals_end, MS(2500), false, false},
    [FAULT_CUT_RING] = {"cut-ring", NULL, fault_cut_ring, fault_heal_network, MS(4000), false,
                        false},
    [FAULT_CUT_BRIDGE] = {"cut-bridge", NULL, fault_cut_bridge, fault_heal_network, MS(4000), false,
                          false},
    [FAULT_ONE_WAY] = {"one-way", NULL, fault_cut_one_way, fault_heal_network, MS(4000), false,
                       false},
    [FAULT_CUT_CLIENT] = {"cut-client", NULL, fault_cut_client, fault_heal_network, MS(8000), false,
                          true},
    [FAULT_DELAY] = {"delay", NULL, fault_delay, fault_calm_links, MS(4000), false, false},
    [FAULT_LOSS] = {"loss", NULL, fault_lose, fault_calm_links, MS(4000), false, false},
    [FAULT_RESET] = {"reset", NULL, fault_reset, nothing, MS(1), false, false},
    [FAULT_RESET_HALF] = {"reset-half", NULL, fault_reset_half, nothing, MS(1), false, false},
    [FAULT_PAUSE] = {"pause", NULL, pause_node, resume_node, MS(4000), false, false},
    [FAULT_SUSPEND] = {"suspend", NULL, suspend, go_on, MS(4000), false, false},
    [FAULT_HYPERVISOR] = {"hypervisor-stop", NULL, hypervisor, go_on, MS(4000), false, false},
    [FAULT_SLOW] = {"slow", NULL, slow, fast, MS(4000), false, false},
    [FAULT_WALL_STEP] = {"wall-step", NULL, step_wall, nothing, MS(1), false, false},
    [FAULT_BOOT_STEP] = {"boot-step", NULL, step_boot, nothing, MS(1), false, false},
    [FAULT_DRIFT] = {"drift", NULL, drift, undrift, MS(8000), false, false},
    [FAULT_SNAPSHOT] = {"snapshot", NULL, snapshot, nothing, MS(500), false, false},
    [FAULT_TRANSFER] = {"transfer", NULL, transfer, nothing, MS(500), false, false},
    [FAULT_STEP_DOWN] = {"step-down", NULL, step_down, nothing, MS(1), false, false},
    [FAULT_AWAY] = {"away", NULL, take_away, bring_back, MS(20000), false, false},
    [FAULT_BIRTH] = {"birth", NULL, NULL, NULL, 0, false, false},
    [FAULT_CLIENT_CRASH] = {"client-crash", NULL, crash_client, nothing, MS(1), false, true},
    [FAULT_WORKER_PAUSE] = {"client-pause", NULL, pause_client, resume_client, MS(15000), false,
                            true},
    [FAULT_CHURN] = {"churn", NULL, fault_churn, nothing, MS(1), false, true},
    [FAULT_LOST] = {"cluster-lost", NULL, NULL, NULL, 0, false, false},
    [FAULT_REBORN] = {"restored", NULL, NULL, NULL, 0, false, false},
    [FAULT_IMAGE] = {"image", NULL, fault_image, fault_image_end, MS(5000), false, false},
    [FAULT_DISKS_HANG] = {"disks-hang", NULL, fault_hang_disks, fault_go_on_disks, MS(1200), false,
                          false},
    [FAULT_UPGRADE] = {"upgrade", NULL, fault_upgrade, nothing, MS(1), false, true},
};

const char *fault_name(enum fault_kind kind)
{
    return faults[kind].name;
}

const char *fault_reason(enum fault_kind kind)
{
    return faults[kind].reason;
}

bool fault_of(const char *name, enum fault_kind *ret_kind)
{
    for (size_t kind = 0; kind < FAULTS; kind++) {
        if (strcmp(faults[kind].name, name) == 0) {
            *ret_kind = (enum fault_kind)kind;
            return true;
        }
    }
    return false;
}

/* ---- when ---- */

static void take_images(struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        if (node_runs(&run->nodes[i])) {
            rlog_snapshot_now(run->nodes[i].node->rlog);
        }
    }
}

static void end(struct run *run, struct active *active)
{
    active->running = false;
    if (active->images) {
        take_images(run);
    }
    faults[active->kind].end(run, active);
}

static bool free_to_suffer(const struct run *run, const struct active *wanted)
{
    const struct fault *fault = &faults[wanted->kind];
    for (size_t i = 0; i < ACTIVE_MAX; i++) {
        const struct active *other = &run->active[i];
        if (!other->running) {
            continue;
        }
        bool both = faults[other->kind].client == fault->client;
        if (fault->alone || (both && fault->client && other->actor == wanted->actor) ||
            (both && !fault->client && other->node == wanted->node)) {
            return false;
        }
    }
    return fault->client || node_runs(&run->nodes[wanted->node]);
}

/* One that is on, if a few draws find one. */
static enum fault_kind draw_kind(struct run *run)
{
    enum fault_kind kind = FAULT_CRASH;
    if (run->plan.on[FAULT_CHURN] && run_chance(run, 35)) {
        return FAULT_CHURN;
    }
    if (run->plan.on[FAULT_IMAGE] && run_chance(run, 30)) {
        return FAULT_IMAGE;
    }
    if (run->plan.on[FAULT_UPGRADE] && run_chance(run, 30)) {
        return FAULT_UPGRADE;
    }
    if (run->plan.on[FAULT_DISKS_HANG] && run_chance(run, 40)) {
        return FAULT_DISKS_HANG;
    }
    if (run_chance(run, run->plan.busy ? 25 : 12)) {
        return run_chance(run, 60) ? FAULT_AWAY : FAULT_SNAPSHOT;
    }
    if (run->plan.duels && run_chance(run, 60)) {
        return run_chance(run, 60) ? FAULT_DUEL : FAULT_RIVALS;
    }
    for (int tries = 0; tries < 4; tries++) {
        kind = (enum fault_kind)run_random(run, FAULT_CHURN); /* which comes by itself */
        if (run->plan.on[kind] && faults[kind].begin != NULL) {
            break;
        }
    }
    return kind;
}

static void begin(struct run *run, struct active *slot)
{
    struct active wanted = {.kind = draw_kind(run), .running = true};
    wanted.node = (size_t)run_random(run, run->node_count);
    wanted.actor = (size_t)run_random(run, run->actor_count);
    size_t leader = nodes_leader(run);
    if (leader != NODES_MAX && run_chance(run, 40)) {
        wanted.node = leader;
    }
    const struct fault *fault = &faults[wanted.kind];
    if (!run->plan.on[wanted.kind] || fault->begin == NULL || !free_to_suffer(run, &wanted)) {
        return;
    }
    wanted.until = sim_now_us(run->sim) + 1 + run_random(run, fault->longest_us);
    wanted.images = run->plan.on[FAULT_SNAPSHOT] && fault->longest_us >= MS(3000) &&
                    run_chance(run, wanted.kind == FAULT_AWAY ? 70 : 30);
    run_say(run, "f%" PRIu32 " fault %s, %s %zu, for %" PRIu64 " us", run->step.ordinal,
            fault->name, fault->client ? "client" : "node",
            fault->client ? wanted.actor : wanted.node + 1, wanted.until - sim_now_us(run->sim));
    run_takes(run);
    *slot = wanted;
    run->counters.faults[wanted.kind]++;
    fault->begin(run, slot);
}

void faults_expire(struct run *run)
{
    for (size_t i = 0; i < ACTIVE_MAX; i++) {
        if (run->active[i].running && run->active[i].until <= sim_now_us(run->sim)) {
            end(run, &run->active[i]);
        }
    }
}

static void begin_somewhere(struct run *run)
{
    for (size_t i = 0; i < ACTIVE_MAX; i++) {
        if (!run->active[i].running) {
            begin(run, &run->active[i]);
            return;
        }
    }
}

/* Some come close together. */
void faults_begin(struct run *run)
{
    while (run->next_fault_us <= sim_now_us(run->sim)) {
        struct step step = {STEP_FAULT, 0, run->fault_ordinal++};
        struct run_draws before = run_enter(run, step);
        uint64_t gap = 1 + run_random(run, run->plan.gap_us * 3 / 2);
        run->next_fault_us += run_chance(run, 20) ? 1 + gap / 20 : gap;
        if (run_keeps(run)) {
            begin_somewhere(run);
        }
        run_leave(run, before);
    }
}

void faults_heal(struct run *run)
{
    for (size_t i = 0; i < ACTIVE_MAX; i++) {
        if (run->active[i].running) {
            end(run, &run->active[i]);
        }
    }
    memset(run->plan.on, 0, sizeof(run->plan.on));
    for (size_t i = 0; i < run->node_count; i++) {
        if (node_runs(&run->nodes[i])) {
            sim_fault_crash_at(run->nodes[i].env, NULL, 0, SIM_CRASH_PROCESS);
        }
    }
}

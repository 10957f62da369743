/* What a seed draws before it begins: cluster, limits, workload, how often and which faults. */
#include "tests/sim/run.h"

#include "base/sat.h"

#include <string.h>

static uint64_t between(struct run *run, uint64_t least, uint64_t most)
{
    return least + run_random(run, most - least + 1);
}

static void draw_limits(struct run *run, struct op_limits *limits)
{
    op_limits_init(limits);
    limits->sessions_max = 4000;
    limits->tasks_max = 2000;
    limits->tombstones_max = 4000;
    limits->clients_max = 200;
    limits->requests_max = 8192;
    limits->tenants_max = 4;
    limits->watermarks_max = UINT64_C(16) << run_random(run, 7);
    limits->names_max = 512;
    limits->blocks_max = 32768;
    limits->keys_max = 8192;
    limits->tenant_events_max = UINT64_C(64) << run_random(run, 6);
    limits->events_max = 1024;
    limits->denials_max = 64;
    limits->denial_window_us = between(run, 3, 40) * SIM_SECOND;
    limits->session_tasks_max = between(run, 2, 8);
    limits->session_grants_max = between(run, 5, 8);
    limits->session_children_max = between(run, 1, 8);
    limits->session_depth_max = between(run, 2, 8);
    limits->task_lineages_max = between(run, 1, 4);
    limits->session_keys_max = between(run, 3, 6);
    limits->tombstone_us = between(run, 5, 60) * SIM_SECOND;
    limits->watermark_us = between(run, 5, 60) * SIM_SECOND;
    limits->rotation_grace_us = between(run, 1, 4) * SIM_SECOND;
    uint64_t silence = between(run, 20, 600);
    limits->client_silence_us = (silence < 120 ? 16 + silence % 5 : silence) * SIM_SECOND;
}

/* How much log there is before somebody who was away needs an image. What is kept is four times
 * what is under way, as in the product (guard M3), and mostly far less than there. */
static void draw_log(struct run *run, struct plan *plan)
{
    static const unsigned inflight[] = {1, 2, 4, 8, 16, 256};
    plan->inflight = inflight[run_random(run, 6)];
    plan->trailing = 4 * plan->inflight;
    if (run_chance(run, 20)) {
        plan->trailing *= 4;
    }
    plan->snapshot_bytes = UINT64_C(8192) << run_random(run, 8);
    plan->large = run_chance(run, 10);
    plan->segment_bytes = UINT64_C(8192) << run_random(run, 8);
}

/* So much is written that who was away needs a snapshot. */
static void draw_busy(struct plan *plan, const bool on[FAULTS])
{
    plan->services = plan->workers = 3;
    plan->think_us = 25 * SIM_MILLISECOND;
    plan->on[FAULT_AWAY] = on[FAULT_AWAY];
    plan->on[FAULT_SNAPSHOT] = on[FAULT_SNAPSHOT];
}

/* All clocks can be asked all the time, so that the one that jumped has to be found out (T2). */
static void draw_steady(struct plan *plan, const bool on[FAULTS])
{
    static const enum fault_kind kinds[] = {FAULT_BOOT_STEP, FAULT_WALL_STEP, FAULT_STEP_DOWN,
                                            FAULT_CLIENT_CRASH, FAULT_WORKER_PAUSE};
    memset(plan->on, 0, sizeof(plan->on));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        plan->on[kinds[i]] = on[kinds[i]];
    }
    plan->gap_us = 300 * SIM_MILLISECOND;
    plan->birth = plan->bare = false;
}

/* What is stored, torn or lost is asked again and again: most bugs of the log need two such faults
 * of one node, one soon after the other. */
static void draw_disks(struct plan *plan, const bool on[FAULTS])
{
    static const enum fault_kind kinds[] = {FAULT_CRASH_POINT,  FAULT_CRASH_RECOVERY,
                                            FAULT_POWER_POINT,  FAULT_POWER_CUT,
                                            FAULT_POWER_ANSWER, FAULT_FAILED_SYNC};
    memset(plan->on, 0, sizeof(plan->on));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        plan->on[kinds[i]] = on[kinds[i]];
    }
    plan->gap_us = 600 * SIM_MILLISECOND;
}

/* So long, and so many below each, that whole trees of sessions live at once. */
static void draw_trees(struct plan *plan)
{
    struct op_limits *limits = &plan->limits;
    plan->idle_us = u64_max(plan->idle_us, 12 * SIM_SECOND);
    plan->absolute_us = u64_max(plan->absolute_us, 25 * SIM_SECOND);
    limits->session_depth_max = u64_max(limits->session_depth_max, 4);
    limits->session_children_max = u64_max(limits->session_children_max, 3);
}

/* Members change in a fifth of the seeds. Nothing is drawn for it from the stream that draws the
 * rest: the other seeds are what they would be without. */
static void draw_churn(const struct run *run, struct plan *plan)
{
    enum { PERCENT = 20, STREAM = 90 };
    bool wanted = run->setup->churn || sim_mix(run->setup->seed ^ sim_mix(STREAM)) % 100 < PERCENT;
    bool can = plan->nodes >= 3 && !plan->steady; /* T9: that one needs three clocks, always */
    plan->on[FAULT_CHURN] = run->setup->on[FAULT_CHURN] && wanted && can;
    if (plan->on[FAULT_CHURN]) {
        plan->on[FAULT_RIVALS] = false; /* of three that stay */
    }
}

/* In some seeds, drawn apart as well: what is under way stays under way for long, and reads meet
 * deadlines that T has not reached. */
static void draw_hangs(const struct run *run, struct plan *plan)
{
    enum { PERCENT = 20, STREAM = 94 };
    bool wanted = sim_mix(run->setup->seed ^ sim_mix(STREAM)) % 100 < PERCENT;
    plan->on[FAULT_DISKS_HANG] = run->setup->on[FAULT_DISKS_HANG] && wanted && !plan->steady;
}

/* So small, in some seeds, that what somebody missed comes in many messages, of several terms. */
static void draw_parts(const struct run *run, struct plan *plan)
{
    enum { PERCENT = 30, STREAM = 95, MOST = 256 * 1024 };
    uint64_t drawn = sim_mix(run->setup->seed ^ sim_mix(STREAM));
    plan->append_bytes = drawn % 100 < PERCENT ? (size_t)256 << (drawn >> 8) % 8 : MOST;
}

void plan_draw(struct run *run)
{
    const bool *on = run->setup->on;
    static const uint64_t elections[] = {150, 250, 500};
    static const enum sim_disk_policy policies[] = {SIM_DISK_KEEP, SIM_DISK_LOSE, SIM_DISK_RANDOM};
    struct plan *plan = &run->plan;
    uint64_t drawn = run_random(run, 100);
    plan->nodes = drawn < 68 ? 3 : drawn < 92 ? 5 : 7;
    if (run->setup->nodes != 0) {
        plan->nodes = run->setup->nodes;
    }
    plan->services = (size_t)between(run, 1, 3);
    plan->workers = (size_t)between(run, 1, 3);
    plan->election_ms = (uint32_t)elections[run_random(run, 3)];
    plan->heartbeat_ms = plan->election_ms / 10;
    draw_log(run, plan);
    plan->fault_us = run->setup->fault_us;
    plan->gap_us = between(run, 500, 4000) * SIM_MILLISECOND;
    plan->think_us = between(run, 60, 400) * SIM_MILLISECOND;
    plan->timeout_us = between(run, 1, 15) * SIM_SECOND;
    plan->idle_us = between(run, 2, 20) * SIM_SECOND;
    plan->absolute_us = between(run, 4, 40) * SIM_SECOND;
    plan->disk = policies[run_random(run, 3)];
    plan->disk_us = run_chance(run, 70) ? 450 : between(run, 2, 60) * SIM_MILLISECOND;
    plan->clocks = run_chance(run, 30);
    plan->grain_us = run_chance(run, 30) ? 10 * SIM_MILLISECOND : 1;
    plan->busy = run_chance(run, 8);
    plan->bare = run_chance(run, 33);
    static const uint64_t doubts[] = {0, 0, 30, 100};
    plan->doubt = doubts[run_random(run, 4)];
    plan->duels = run_chance(run, 20);
    draw_limits(run, &plan->limits);
    for (size_t kind = 0; kind < FAULT_CHURN; kind++) {
        bool wanted = run_chance(run, 60);
        plan->on[kind] = on[kind] && wanted;
    }
    plan->birth = plan->on[FAULT_BIRTH];
    for (size_t kind = FAULT_WALL_STEP; kind <= FAULT_DRIFT; kind++) {
        plan->on[kind] = plan->on[kind] && plan->clocks;
    }
    plan->on[FAULT_HYPERVISOR] = plan->on[FAULT_HYPERVISOR] && plan->clocks;
    plan->steady = plan->clocks && run_chance(run, 30) && plan->nodes >= 3; /* T9 */
    if (plan->busy && !plan->steady) {
        draw_busy(plan, on);
    }
    if (plan->steady) {
        draw_steady(plan, on);
    } else if (plan->duels) {
        plan->gap_us = 900 * SIM_MILLISECOND;
        plan->on[FAULT_DUEL] = on[FAULT_DUEL];
        plan->on[FAULT_RIVALS] = on[FAULT_RIVALS];
    }
    plan->root = run_chance(run, 25);
    bool disks = run_chance(run, 12) && !plan->steady && !plan->duels && !plan->busy;
    if (disks) {
        draw_disks(plan, on);
    }
    plan->trees = run_chance(run, 30);
    if (plan->trees) {
        draw_trees(plan);
    }
    draw_churn(run, plan);
    draw_hangs(run, plan);
    draw_parts(run, plan);
    image_plan(run, plan, plan->nodes >= 3 && !plan->steady && !disks);
    upgrade_plan(run, plan, plan->nodes >= 3 && !plan->steady);
    lost_plan(run, plan, !plan->clocks && !plan->root && !plan->on[FAULT_CHURN] && !plan->upgrade);
    if (run->setup->rate != 0) {
        /* As counted: of what a process begins, some has nothing to ask about, or nobody to ask. */
        plan->think_us = (plan->services + plan->workers) * SIM_SECOND * 112 /
                         (100 * run->setup->rate);
    }
}

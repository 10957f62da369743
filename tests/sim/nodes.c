/* The cluster of a run: formats, starts, buries and restarts its nodes. Plays no faults. */
#include "tests/sim/run.h"

#include "base/assert.h"
#include "base/sat.h"
#include "env/disk.h"
#include "raftlog/engine_raft.h"
#include "raftlog/log_state.h"
#include "raftlog/repair.h"
#include "raftlog/rlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CA "cluster-ca"

void certify(struct sim_host *host, const char *identity)
{
    ASSERT(sim_ca_write(host, "/pki/ca.pem", CA) == ENV_OK);
    ASSERT(sim_certificate_write(host, "/pki/own.pem", CA, identity) == ENV_OK);
    ASSERT(sim_key_write(host, "/pki/own.key", CA, identity) == ENV_OK);
}

static void on_stopped(void *arg)
{
    struct run_node *node = arg;
    node->stopped = true;
}

static void on_fatal(void *arg, const char *detail)
{
    struct run_node *node = arg;
    node->failed = true;
    snprintf(node->error, sizeof(node->error), "%s", detail);
}

static void configure(struct run *run, size_t which)
{
    struct run_node *node = &run->nodes[which];
    char name[32];
    char identity[64];
    node->run = run;
    snprintf(name, sizeof(name), "host-%zu", which + 1);
    snprintf(identity, sizeof(identity), "tenure://sim/-/peer/%zu", which + 1);
    node->host = sim_host_create(run->sim, name);
    sim_disk_set_policy(node->host, run->plan.disk);
    sim_disk_latency(node->host, 50, run->plan.disk_us);
    sim_host_set_grain(node->host, run->plan.grain_us);
    sim_host_set_synchronised(node->host, !run_chance(run, run->plan.doubt));
    certify(node->host, identity);
    snprintf(node->listen, sizeof(node->listen), "%s:7400", sim_host_address(node->host));
    snprintf(node->peer_listen, sizeof(node->peer_listen), "%s:7401", sim_host_address(node->host));
    node_config_init(&node->config);
    node->config.node = (uint32_t)which + 1;
    node->config.folder = (char *)"/data";
    node->config.listen = node->listen;
    node->config.peer_listen = node->peer_listen;
    node->config.ca = (char *)"/pki/ca.pem";
    node->config.certificate = (char *)"/pki/own.pem";
    node->config.key = (char *)"/pki/own.key";
    node->config.segment_mib = 1;
    node->config.disk_free_mib = 1;
    node->config.snapshot_mib = 1;
    node->config.election_ms = run->plan.election_ms;
    node->config.heartbeat_ms = run->plan.heartbeat_ms;
}

static void bootstrap_of(struct run *run, struct node_bootstrap *ret)
{
    memset(ret, 0, sizeof(*ret));
    snprintf(ret->birth.cluster, sizeof(ret->birth.cluster), "sim");
    for (size_t i = 0; i < 16; i++) {
        ret->birth.incarnation.bytes[i] = (uint8_t)run_random(run, 256);
        ret->hash_key[i] = (uint8_t)run_random(run, 256);
    }
    memset(ret->derive_key, 0x5a, sizeof(ret->derive_key));
    ret->time = RUN_T0;
    ret->limits = run->plan.limits;
    ret->birth.member_count = run->plan.nodes;
    for (size_t i = 0; i < run->plan.nodes; i++) {
        ret->birth.members[i].id = i + 1;
        snprintf(ret->birth.members[i].address, ENV_ADDRESS_MAX, "%s", run->nodes[i].peer_listen);
        snprintf(ret->clients[i], ENV_ADDRESS_MAX, "%s", run->nodes[i].listen);
    }
}

static void forget_process(struct run_node *node)
{
    sim_process_free(node->env);
    node->env = NULL;
    node->node = NULL;
    node->calls = UINT64_MAX;
    node->applied = node->commit = node->fsm_time = 0;
    node->stopped = node->failed = false;
}

/* A fault that strikes while it recovers: its process has no moment of its own before. */
static void strike(struct run *run, struct run_node *node)
{
    struct step step = {STEP_NODE, (uint8_t)(node - run->nodes), node->starts++};
    struct run_draws before = run_enter(run, step);
    bool strikes = run->plan.birth || run->born_us != 0;
    if (run->plan.on[FAULT_CRASH_RECOVERY] && strikes && run_chance(run, 20) && run_keeps(run)) {
        uint64_t hits = 1 + run_random(run, 40);
        enum sim_crash how = run_chance(run, 50) ? SIM_CRASH_PROCESS : SIM_CRASH_POWER;
        run_takes(run);
        run_say(run, "n%u.%" PRIu32 " node %u crashes while it recovers, at fault point %" PRIu64,
                step.index, step.ordinal, node->config.node, hits);
        sim_fault_crash_at(node->env, NULL, hits, how);
        run->counters.faults[FAULT_CRASH_RECOVERY]++;
    }
    run_leave(run, before);
}

/* A disk that has failed to sync may still lose what was read of it since: half of the nodes lose
 * power before they write over it. */
static void strike_mended(struct run *run, struct run_node *node)
{
    enum { REBOOT_SLACK_US = 100000 }; /* as in faults.c */
    if (node->mended && sim_mix(run->setup->seed ^ node->starts) % 2 == 0) {
        run->slack_us += REBOOT_SLACK_US;
        sim_fault_crash_at(node->env, "log.before_write", 1, SIM_CRASH_POWER);
    }
    node->mended = false;
}

/* Small segments, so that one is full, and the next one wanted, every now and then. Its first batch
 * has not begun. */
static void shrink_segments(const struct plan *plan, struct rlog_log_disk *disk)
{
    disk->segment_bytes = plan->segment_bytes;
    disk->capacity = u64_min(disk->capacity, disk->offset + plan->segment_bytes);
}

/* One that never ran on a disk needs room there (docs/OPERATIONS.md, "A full disk"). */
static void make_room(struct run_node *node)
{
    if (!sim_disk_exists(node->host, "/data/CLOCK")) {
        sim_disk_set_capacity(node->host, UINT64_MAX);
    }
}

/* What crashes and lost power leave is no damage: who takes it for that gives its vote away, and a
 * majority of such nodes elects nobody. */
static void look_for_damage(struct run *run, const struct run_node *node)
{
    if (rlog_repair_needed(node->node->rlog) && !node->damaged) {
        run_fail(run, "S7: node %u says that its disk is damaged, and nothing damaged it",
                 node->config.node);
    }
}

static void start(struct run *run, struct run_node *node)
{
    char name[32];
    snprintf(name, sizeof(name), "node-%u", node->config.node);
    make_room(node);
    upgrade_starts(node);
    node->env = sim_process_start(node->host, name);
    strike(run, node);
    const struct node_handlers handlers = {
        .arg = node, .on_stopped = on_stopped, .on_fatal = on_fatal};
    if (node_start(node->env, &node->config, &handlers, node->error, sizeof(node->error),
                   &node->node)) {
        struct rlog *rlog = node->node->rlog;
        rlog->config.trailing = run->plan.trailing;
        rlog->config.snapshot_bytes = run->plan.snapshot_bytes;
        rlog->config.backlog_max = run->plan.inflight;
        rlog->config.append_bytes = run->plan.append_bytes;
        if (run->plan.image.chunk != 0) {
            rlog->config.image_block = run->plan.image.block;
            rlog->config.image_chunk = run->plan.image.chunk;
        }
        raft_set_max_inflight_entries(&rlog->engine->raft, run->plan.inflight);
        shrink_segments(&run->plan, &rlog->log->disk);
        run_say(run, "node %u starts", node->config.node);
        upgrade_started(node);
        run->counters.restarts++;
        strike_mended(run, node);
        look_for_damage(run, node);
        return;
    }
    bool crashed = sim_process_crashed(node->env);
    if (!crashed && !upgrade_explains(node) && !node->may_fail) {
        run_fail(run, "S7: node %u does not start: %s", node->config.node, node->error);
    }
    forget_process(node);
    node->start_at = sim_now_us(run->sim) + 200 * SIM_MILLISECOND;
}

/* Machines that may join: of three founders two, so that there are five. */
static void create_spares(struct run *run)
{
    enum { SPARES = 2 };
    run->node_count = run->plan.nodes + (run->plan.on[FAULT_CHURN] ? SPARES : 0);
    run->node_count = run->node_count < NODES_MAX ? run->node_count : NODES_MAX;
    for (size_t i = run->plan.nodes; i < run->node_count; i++) {
        configure(run, i);
        run->nodes[i].out = true;
    }
}

/* ---- who joins ---- */

struct removal {
    struct env *env;
    const char *folder;
};

static void remove_file(void *arg, const char *name);

static void remove_tree(struct env *env, const char *folder)
{
    struct removal removal = {env, folder};
    (void)env_folder_list(env, folder, remove_file, &removal);
}

static void remove_file(void *arg, const char *name)
{
    const struct removal *removal = arg;
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", removal->folder, name);
    if (strcmp(name, "log") == 0 || strcmp(name, "snapshots") == 0) {
        remove_tree(removal->env, path);
    }
    (void)env_remove(removal->env, path);
}

void node_wipe(struct run_node *node)
{
    struct env *env = sim_process_start(node->host, "wipe");
    remove_tree(env, "/data");
    sim_process_free(env);
    node->term = 0; /* its disk has never seen one */
    node->mended = node->may_fail = false;
}

void node_begin(struct run_node *node)
{
    start(node->run, node);
}

bool node_join(struct run_node *node)
{
    static struct node_bootstrap bootstrap; /* large: 16 KiB and more */
    struct env *env = sim_process_start(node->host, "join");
    remove_tree(env, "/data");
    make_room(node);
    memcpy(&bootstrap, &node->run->bootstrap, sizeof(bootstrap));
    bool good = node_format_joining(env, &node->config, &bootstrap, node->error,
                                    sizeof(node->error), &node->store);
    sim_process_free(env);
    node->term = 0; /* its disk has never seen one */
    node->mended = false;
    node->joins = true;
    return good;
}

/* ---- all of them ---- */

void nodes_create(struct run *run)
{
    for (size_t i = 0; i < run->plan.nodes; i++) {
        configure(run, i);
        run->nodes[i].member = run->nodes[i].votes = true;
    }
    bootstrap_of(run, &run->bootstrap);
    create_spares(run);
    for (size_t i = 0; i < run->plan.nodes; i++) {
        struct run_node *node = &run->nodes[i];
        struct env *env = sim_process_start(node->host, "init");
        if (!node_format(env, &node->config, &run->bootstrap, node->error, sizeof(node->error))) {
            run_fail(run, "node %zu is not formatted: %s", i + 1, node->error);
        }
        sim_process_free(env);
        start(run, node);
    }
}

bool node_runs(const struct run_node *node)
{
    return node->node != NULL && !node->failed && !sim_process_crashed(node->env);
}

static void bury(struct run_node *node)
{
    struct run *run = node->run;
    struct step step = {STEP_RESTART, (uint8_t)(node - run->nodes), node->burials++};
    struct run_draws before = run_enter(run, step);
    run_say(run, "node %u is down", node->config.node);
    node_destroy(node->node);
    forget_process(node);
    static const uint64_t pauses[] = {3 * SIM_SECOND, 300 * SIM_MILLISECOND, SIM_MILLISECOND};
    uint64_t pause = pauses[run_random(run, 3)];
    node->start_at = sim_now_us(run->sim) + run_random(run, pause);
    run_leave(run, before);
}

void node_kill(struct run_node *node)
{
    if (node->node != NULL) {
        sim_process_crash(node->env);
        bury(node);
    }
}

void node_power_cut(struct run_node *node)
{
    sim_host_power_cut(node->host);
    if (node->node != NULL) {
        bury(node);
    }
}

/* A node that ended itself has to have a reason: a disk that fails. */
static void look_at(struct run *run, struct run_node *node)
{
    if (node->failed && !sim_process_crashed(node->env) && !upgrade_explains(node) &&
        !node->may_fail) {
        run_fail(run, "L1: node %u ended itself: %s", node->config.node, node->error);
    }
    if (node->failed || node->stopped || sim_process_crashed(node->env)) {
        node_kill(node);
    }
}

void nodes_step(struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        struct run_node *node = &run->nodes[i];
        if (node->node != NULL) {
            look_at(run, node);
        } else if (!node->away && !node->out && node->start_at <= sim_now_us(run->sim)) {
            start(run, node);
        }
    }
}

size_t nodes_leader(const struct run *run)
{
    size_t best = NODES_MAX;
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        if (node_runs(node) && node->node->lead.state == LEAD_SERVING &&
            (best == NODES_MAX || node->node->lead.term > run->nodes[best].node->lead.term)) {
            best = i;
        }
    }
    return best;
}

size_t nodes_timeless(const struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        if (node_runs(&run->nodes[i]) && run->nodes[i].node->lead.state == LEAD_TIMELESS) {
            return i;
        }
    }
    return NODES_MAX;
}

void nodes_destroy(struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        node_kill(&run->nodes[i]);
    }
}

size_t nodes_victim(const struct run *run)
{
    enum { NOT_THE_LIARS = 1 }; /* faults.c: whose clocks lie */
    return (size_t)(run->setup->seed + NOT_THE_LIARS) % run->plan.nodes;
}

size_t nodes_voters(const struct run *run)
{
    size_t voters = 0;
    for (size_t i = 0; i < run->node_count; i++) {
        voters += run->nodes[i].votes;
    }
    return voters;
}

/* Who, is drawn; what they had is not lost. */
void nodes_leave(struct run *run)
{
    size_t first = (size_t)run_random(run, run->node_count);
    first = run->damaged ? nodes_victim(run) : first;
    size_t left = (nodes_voters(run) - 1) / 2;
    for (size_t i = 0; i < run->node_count && left > 0; i++) {
        struct run_node *node = &run->nodes[(first + i) % run->node_count];
        if (!node->out) {
            run_say(run, "node %u is gone for some time", node->config.node);
            node->away = true;
            node_kill(node);
            left--;
        }
    }
}

void nodes_return(struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        run->nodes[i].away = false;
    }
}

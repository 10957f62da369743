/* Faults of disks: syncs that fail, disks that hang, are slow or full, and damage at rest. */
#include "tests/sim/faults.h"

#include "raftlog/rlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct run_node *node_of(struct run *run, const struct active *active)
{
    return &run->nodes[active->node];
}

void fault_fail_sync(struct run *run, struct active *active)
{
    static const char *const patterns[] = {"/data/log/*", "/data/*", "/data/snapshots/*"};
    struct run_node *node = node_of(run, active);
    uint64_t which = run_random(run, 5) / 2;
    bool log = which < 2;
    node->may_fail = true;
    active->baseline = log && node_runs(node) ? rlog_log_last(node->node->rlog->log) : UINT64_MAX;
    sim_disk_fail(node->host, SIM_DISK_SYNC, patterns[which], 1, UINT64_MAX, ENV_IO);
}

/* What failed to sync once is never trusted again: the node has ended by now. */
void fault_mend_sync(struct run *run, struct active *active)
{
    struct run_node *node = node_of(run, active);
    if (node_runs(node) && rlog_log_stored(node->node->rlog->log) > active->baseline) {
        run_fail(run, "S7: node %u calls durable what its disk did not sync", node->config.node);
    }
    sim_disk_fail_clear(node->host);
    node_kill(node);
    node->may_fail = false;
    node->mended = true;
}

void fault_hang_disk(struct run *run, struct active *active)
{
    sim_disk_hang(node_of(run, active)->host, true);
}

void fault_go_on_disk(struct run *run, struct active *active)
{
    sim_disk_hang(node_of(run, active)->host, false);
}

/* Nothing is committed, while whoever leads goes on confirming its reads: c leaves T behind. */
void fault_hang_disks(struct run *run, struct active *active)
{
    (void)active;
    for (size_t i = 0; i < run->node_count; i++) {
        sim_disk_hang(run->nodes[i].host, true);
    }
}

void fault_go_on_disks(struct run *run, struct active *active)
{
    (void)active;
    for (size_t i = 0; i < run->node_count; i++) {
        sim_disk_hang(run->nodes[i].host, false);
    }
}

void fault_slow_disk(struct run *run, struct active *active)
{
    uint64_t jitter_us = 20 * SIM_MILLISECOND + run_random(run, 480 * SIM_MILLISECOND);
    sim_disk_latency(node_of(run, active)->host, 50, jitter_us);
}

void fault_fast_disk(struct run *run, struct active *active)
{
    sim_disk_latency(node_of(run, active)->host, 50, run->plan.disk_us);
}

/* Full at once, below the watermark at once, or soon. */
static void fill(struct run *run, struct run_node *node)
{
    static const uint64_t rooms[] = {0, UINT64_C(256) << 10, (UINT64_C(1) << 20) + 65536};
    uint64_t room = rooms[run_random(run, sizeof(rooms) / sizeof(rooms[0]))];
    sim_disk_set_capacity(node->host, sim_disk_used(node->host) + run_random(run, room + 1));
}

void fault_fill_disk(struct run *run, struct active *active)
{
    fill(run, node_of(run, active));
}

void fault_empty_disk(struct run *run, struct active *active)
{
    sim_disk_set_capacity(node_of(run, active)->host, UINT64_MAX);
}

void fault_fill_disks(struct run *run, struct active *active)
{
    (void)active;
    for (size_t i = 0; i < run->node_count; i++) {
        fill(run, &run->nodes[i]);
    }
}

void fault_empty_disks(struct run *run, struct active *active)
{
    (void)active;
    for (size_t i = 0; i < run->node_count; i++) {
        sim_disk_set_capacity(run->nodes[i].host, UINT64_MAX);
    }
}

struct choice {
    struct run *run;
    char name[256];
    uint64_t seen;
};

static void choose(void *arg, const char *name)
{
    struct choice *choice = arg;
    if (run_random(choice->run, ++choice->seen) == 0) {
        snprintf(choice->name, sizeof(choice->name), "%s", name);
    }
}

/* Damage at rest strikes only a minority, the same ones all through a seed: of whatever a majority
 * has stored, one copy stays whole. Its disk alone is ever replaced, too. NULL: it is being so just
 * now, and knows nobody who could repair it. */
static struct run_node *victim_of(struct run *run, struct active *active)
{
    size_t victims = run->plan.on[FAULT_CHURN] ? 1 : (run->plan.nodes - 1) / 2;
    uint64_t drawn = run_random(run, victims);
    active->node = (size_t)(nodes_victim(run) + drawn) % run->plan.nodes;
    if (churn_changes(run, active->node)) {
        return NULL;
    }
    run->damaged = true;
    node_of(run, active)->damaged = true;
    return node_of(run, active);
}

/* Some file of its log or of its images. */
static void choose_file(struct run *run, struct run_node *node, char *ret_path, size_t size)
{
    struct choice choice = {.run = run};
    const char *folder = run_chance(run, 70) ? "/data/log" : "/data/snapshots";
    (void)sim_disk_list(node->host, folder, choose, &choice);
    snprintf(ret_path, size, "%s/%s", folder, choice.name);
}

void fault_flip(struct run *run, struct active *active)
{
    struct run_node *node = victim_of(run, active);
    char path[512];
    if (node == NULL) {
        return;
    }
    node_kill(node);
    choose_file(run, node, path, sizeof(path));
    (void)sim_disk_flip(node->host, path, run_random(run, 8 * 65536));
}

enum { SECTOR = 512 };

struct sector {
    uint64_t offset;
    uint8_t data[SECTOR];
};

/* One that holds something, from a random place on; false: there is none. */
static bool choose_sector(struct run *run, const struct run_node *node, const char *path,
                          struct sector *ret_sector)
{
    static const uint8_t zeros[SECTOR];
    uint8_t *data = NULL;
    size_t size = 0;
    uint64_t draw = run_random(run, UINT32_MAX);
    bool found = false;
    if (sim_disk_read(node->host, path, &data, &size) == ENV_OK) {
        uint64_t count = size / SECTOR;
        for (uint64_t i = 0; i < count && !found; i++) {
            ret_sector->offset = (draw + i) % count * SECTOR;
            memcpy(ret_sector->data, data + ret_sector->offset, SECTOR);
            found = memcmp(ret_sector->data, zeros, SECTOR) != 0;
        }
    }
    free(data);
    return found;
}

/* A sector that was meant for one place of the disk stands at another, too. */
void fault_misdirect(struct run *run, struct active *active)
{
    struct run_node *node = victim_of(run, active);
    char from[512];
    char to[512];
    struct sector source;
    struct sector target;
    if (node == NULL) {
        return;
    }
    node_kill(node);
    choose_file(run, node, from, sizeof(from));
    choose_file(run, node, to, sizeof(to));
    bool found = choose_sector(run, node, from, &source);
    if (choose_sector(run, node, to, &target) && found) {
        (void)sim_disk_patch(node->host, to, target.offset, bytes_of(source.data, SECTOR));
    }
}

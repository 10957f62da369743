/* Under seeded crashes, power cuts, cuts of the network and pauses, and with members that come, go
 * and lose their disks in every third run, nothing that must hold breaks.
 *
 * SOAK_SEED=n runs one seed, SOAK_SEEDS=n so many from the first on. The seed of a run is printed
 * before it begins to fail: each run is the same every time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/raftlog/cluster.h"

enum { STEPS = 60, READS_MAX = 4096, SEEDS = 120 };

struct read {
    const struct cluster_node *node;
    size_t owed; /* positions that were acknowledged when it was asked */
    bool used;
};

struct soak {
    struct cluster *cluster;
    struct read reads[READS_MAX];
    size_t read_count;
    unsigned confirmed, refused;
    bool paused[CLUSTER_NODES_MAX];
    bool churns;
    bool wiped; /* `lost` has an empty disk and no vote yet */
    size_t lost;
    unsigned changes; /* that were begun */
};

/* Positions in the common list that somebody has been told of. */
static size_t acknowledged_positions(const struct cluster *cluster)
{
    size_t most = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i].acknowledged_position > most) {
            most = cluster->nodes[i].acknowledged_position;
        }
    }
    return most;
}

static void on_read(void *arg, bool confirmed)
{
    struct read *read = arg;
    assert_true(read->used);
    read->used = false;
    if (confirmed) {
        assert_true(read->node->count >= read->owed);
    }
}

static void ask(struct soak *soak, struct cluster_node *node)
{
    struct read *read = &soak->reads[soak->read_count % READS_MAX];
    if (read->used) {
        return;
    }
    *read = (struct read){node, acknowledged_positions(soak->cluster), true};
    if (rlog_confirm(node->rlog, on_read, read) == RLOG_SUBMITTED) {
        soak->read_count++;
    } else {
        read->used = false;
    }
}

static void forget_reads_of(struct soak *soak, const struct cluster_node *node)
{
    for (size_t i = 0; i < READS_MAX; i++) {
        if (soak->reads[i].node == node) {
            soak->reads[i].used = false;
        }
    }
}

static void bring_down(struct soak *soak, size_t i, bool power)
{
    soak->paused[i] = false;
    forget_reads_of(soak, &soak->cluster->nodes[i]);
    if (power) {
        cluster_power_cut(soak->cluster, i);
    } else {
        cluster_crash(soak->cluster, i);
    }
}

static void bring_up(struct soak *soak, size_t i)
{
    struct cluster *cluster = soak->cluster;
    struct cluster_node *node = &cluster->nodes[i];
    if (node->env != NULL && sim_process_crashed(node->env)) {
        bring_down(soak, i, false);
    }
    if (node->env == NULL && cluster_start(cluster, i) != 0) {
        fail_msg("node %u does not start: %s", (unsigned)i + 1, node->error);
    }
}

static void work(struct soak *soak)
{
    struct cluster *cluster = soak->cluster;
    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        if (node->env == NULL || sim_process_crashed(node->env) || node->fatal) {
            continue;
        }
        for (uint64_t n = sim_random(cluster->sim, 20); n > 0 && cluster_submit(node); n--) {
        }
        ask(soak, node);
    }
}

static void toggle_pause(struct soak *soak, size_t i)
{
    struct cluster_node *node = &soak->cluster->nodes[i];
    if (node->env == NULL || sim_process_crashed(node->env)) {
        return;
    }
    if (soak->paused[i]) {
        sim_process_resume(node->env);
    } else {
        sim_process_pause(node->env);
    }
    soak->paused[i] = !soak->paused[i];
}

static void disturb(struct soak *soak)
{
    struct cluster *cluster = soak->cluster;
    struct sim *sim = cluster->sim;
    size_t i = (size_t)sim_random(sim, cluster->count);
    size_t j = (i + 1 + (size_t)sim_random(sim, cluster->count - 1)) % cluster->count;
    struct cluster_node *node = &cluster->nodes[i];
    switch (sim_random(sim, 10)) {
    case 0:
        bring_down(soak, i, true);
        break;
    case 1:
        bring_down(soak, i, false);
        break;
    case 2:
        sim_net_cut(sim, node->host, cluster->nodes[j].host, true);
        break;
    case 3:
        sim_net_isolate(sim, node->host, true);
        break;
    case 4:
        sim_net_heal(sim);
        break;
    case 5:
        sim_net_reset(sim, node->host, cluster->nodes[j].host);
        break;
    case 6:
        toggle_pause(soak, i);
        break;
    case 7:
        if (node->env != NULL && !sim_process_crashed(node->env)) {
            sim_fault_crash_at(node->env, NULL, 1 + sim_random(sim, 40),
                               sim_random(sim, 2) == 0 ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
        }
        break;
    default:
        bring_up(soak, i);
        break;
    }
}

/* ---- members that come and go ---- */

/* Whoever leads is asked once. */
static enum rlog_change_verdict ask_change(struct soak *soak, enum rlog_change_kind kind, size_t i)
{
    struct cluster_node *leader = cluster_leader(soak->cluster);
    struct rlog_change change = cluster_change_of(soak->cluster, kind, i);
    char reason[256];
    uint64_t index = 0;
    if (leader == NULL || sim_process_crashed(leader->env) || soak->paused[leader->id - 1]) {
        return RLOG_CHANGE_ELSEWHERE;
    }
    if (kind == RLOG_REPLACE) { /* it may have to be taken in again by another leader */
        change.member = cluster_change_of(soak->cluster, RLOG_ADD, i).member;
    }
    enum rlog_change_verdict verdict = rlog_change(leader->rlog, &change, reason, sizeof reason,
                                                   &index);
    if (verdict == RLOG_CHANGE_LEADS) {
        (void)rlog_transfer(leader->rlog, 0, reason, sizeof reason);
    }
    soak->changes += verdict == RLOG_CHANGE_BEGUN;
    return verdict;
}

static bool is_member(struct cluster *cluster, size_t i, bool *ret_voter)
{
    const struct cluster_node *leader = cluster_leader(cluster);
    size_t count = 0;
    const struct rlog_member *list = leader == NULL ? NULL : rlog_members(leader->rlog, &count);
    for (size_t at = 0; at < count; at++) {
        if (list[at].id == i + 1) {
            *ret_voter = list[at].voter;
            return true;
        }
    }
    return false;
}

/* A disk is lost only while nobody else's is, and its node is asked in again until it has its vote.
 */
static void lose_a_disk(struct soak *soak, size_t i)
{
    struct cluster *cluster = soak->cluster;
    bool voter = false;
    if (soak->wiped || !is_member(cluster, i, &voter) || !voter ||
        cluster_leader(cluster)->id == i + 1) {
        return;
    }
    bring_down(soak, i, false);
    cluster_join_again(cluster, i);
    bring_up(soak, i);
    soak->wiped = true;
    soak->lost = i;
}

static void mend(struct soak *soak)
{
    bool voter = false;
    if (soak->wiped && ask_change(soak, RLOG_REPLACE, soak->lost) == RLOG_CHANGE_SO &&
        is_member(soak->cluster, soak->lost, &voter) &&
        (voter || ask_change(soak, RLOG_PROMOTE, soak->lost) == RLOG_CHANGE_SO)) {
        soak->wiped = false;
    }
}

static void churn(struct soak *soak)
{
    struct cluster *cluster = soak->cluster;
    size_t i = (size_t)sim_random(cluster->sim, cluster->count);
    bool voter = false;
    mend(soak);
    switch (sim_random(cluster->sim, 6)) {
    case 0:
        if (cluster->count < CLUSTER_NODES_MAX) {
            bring_up(soak, cluster_join(cluster));
        }
        break;
    case 1:
        lose_a_disk(soak, i);
        break;
    case 2:
        (void)ask_change(soak, RLOG_REMOVE, i);
        break;
    default:
        if (soak->wiped && i == soak->lost) {
            break;
        }
        if (is_member(cluster, i, &voter)) {
            (void)ask_change(soak, RLOG_PROMOTE, i);
        } else if (cluster_leader(cluster) != NULL) {
            (void)ask_change(soak, RLOG_ADD, i);
        }
        break;
    }
}

/* Who is no member in the end goes; all others become even. */
static void end_churn(struct soak *soak)
{
    struct cluster *cluster = soak->cluster;
    bool voter = false;
    cluster_wait_leader(cluster);
    for (unsigned i = 0; soak->churns && soak->wiped && i < 600; i++) {
        mend(soak);
        cluster_run(cluster, 100 * SIM_MILLISECOND);
    }
    assert_false(soak->wiped);
    cluster_write(cluster, 10); /* a change that was on its way is committed, or taken back */
    for (size_t i = 0; soak->churns && i < cluster->count; i++) {
        cluster_wait_leader(cluster);
        if (!is_member(cluster, i, &voter)) {
            bring_down(soak, i, false);
        }
    }
    if (soak->churns && soak->changes < 3) {
        print_message("hardly any change: %u\n", soak->changes);
    }
}

static void end_all_faults(struct soak *soak)
{
    struct cluster *cluster = soak->cluster;
    sim_net_heal(cluster->sim);
    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        if (soak->paused[i]) {
            toggle_pause(soak, i);
        }
        if (node->env != NULL && !sim_process_crashed(node->env)) {
            sim_fault_crash_at(node->env, NULL, 0, SIM_CRASH_PROCESS);
        }
        bring_up(soak, i);
        assert_false(node->fatal);
    }
}

static void run(uint64_t seed)
{
    struct soak *soak = calloc(1, sizeof *soak);
    struct cluster *cluster = cluster_create(seed, seed % 4 == 0 ? 5 : 3);
    soak->cluster = cluster;
    cluster->config.snapshot_bytes = 4096 << (seed % 5);
    cluster->config.trailing = 16 << (seed % 5);
    cluster->config.segment_bytes = 16 * 1024 << (seed % 3);
    cluster->padding = (size_t)sim_random(cluster->sim, 200);
    cluster_start_all(cluster);
    soak->churns = seed % 3 == 0;
    for (unsigned step = 0; step < STEPS; step++) {
        disturb(soak);
        for (unsigned i = 0; i < 10; i++) {
            work(soak);
            if (soak->churns && i % 3 == 0) {
                churn(soak);
            }
            cluster_run(cluster, sim_random(cluster->sim, 60 * SIM_MILLISECOND));
        }
        for (size_t i = 0; i < cluster->count; i++) {
            if (cluster->nodes[i].fatal) {
                fail_msg("node %u gave up: %s", (unsigned)i + 1, cluster->nodes[i].error);
            }
        }
    }
    end_all_faults(soak);
    end_churn(soak);
    cluster_settle(cluster, 60 * SIM_SECOND);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 10 * SIM_SECOND);
    for (size_t i = 0; i < cluster->count; i++) {
        bring_down(soak, i, false);
    }
    cluster_destroy(cluster);
    free(soak);
}

static void nothing_that_must_hold_breaks(void **state)
{
    (void)state;
    const char *one = getenv("SOAK_SEED");
    const char *many = getenv("SOAK_SEEDS");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one != NULL ? 1 : many != NULL ? strtoull(many, NULL, 10) : SEEDS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_must_hold_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

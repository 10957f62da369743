/* A node whose disk was damaged has no vote until it holds everything again, and nothing that was
 * acknowledged is lost by it (repair.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "env/disk.h"
#include "tests/unit/raftlog/cluster.h"

#define NOTE "/data/damaged"

/* ---- files of a stopped node ---- */

enum { FILES_MAX = 24, PATH_SIZE = 128 };

struct file {
    char path[PATH_SIZE];
    uint8_t *data;
    size_t size;
};

struct files {
    struct sim_host *host;
    const char *folder;
    size_t count;
    struct file files[FILES_MAX];
};

static void keep_file(void *arg, const char *name)
{
    struct files *files = arg;
    struct file *file = &files->files[files->count];
    assert_true(files->count < FILES_MAX);
    snprintf(file->path, sizeof file->path, "%s/%s", files->folder, name);
    if (sim_disk_read(files->host, file->path, &file->data, &file->size) == ENV_OK) {
        files->count++;
    }
}

static void files_read(struct files *files, struct sim_host *host)
{
    static const char *const folders[] = {"/data", "/data/log", "/data/snapshots"};
    *files = (struct files){.host = host};
    for (size_t i = 0; i < 3; i++) {
        files->folder = folders[i];
        assert_int_equal(sim_disk_list(host, folders[i], keep_file, files), ENV_OK);
    }
}

static void forget_file(void *arg, const char *name)
{
    struct files *files = arg;
    struct env *env = sim_process_start(files->host, "forget");
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", files->folder, name);
    (void)env_remove(env, path);
    sim_process_free(env);
}

/* The folder is again what it was. */
static void files_write(struct files *files)
{
    static const char *const folders[] = {"/data/log", "/data/snapshots"};
    for (size_t i = 0; i < 2; i++) {
        files->folder = folders[i];
        (void)sim_disk_list(files->host, folders[i], forget_file, files);
    }
    files->folder = "/data";
    forget_file(files, "damaged");
    for (size_t i = 0; i < files->count; i++) {
        const struct file *file = &files->files[i];
        assert_int_equal(sim_disk_write(files->host, file->path, bytes_of(file->data, file->size)),
                         ENV_OK);
    }
}

static void files_done(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].data);
    }
}

struct search {
    const char *folder, *prefix;
    char path[PATH_SIZE];
};

static void take_first(void *arg, const char *name)
{
    struct search *search = arg;
    if (search->path[0] == '\0' && strncmp(name, search->prefix, strlen(search->prefix)) == 0) {
        snprintf(search->path, sizeof search->path, "%s/%s", search->folder, name);
    }
}

static void flip_in(struct cluster *cluster, size_t node, const char *folder, const char *prefix,
                    uint64_t offset)
{
    struct search search = {.folder = folder, .prefix = prefix};
    struct sim_host *host = cluster->nodes[node].host;
    assert_int_equal(sim_disk_list(host, folder, take_first, &search), ENV_OK);
    assert_string_not_equal(search.path, "");
    assert_int_equal(sim_disk_flip(host, search.path, 8 * offset + 3), ENV_OK);
}

/* In its first record: all behind it proves that it was acknowledged. */
static void damage_log(struct cluster *cluster, size_t node)
{
    flip_in(cluster, node, "/data/log", "segment-", 600);
}

/* ---- what a node says ---- */

static bool has_vote(const struct cluster_node *node)
{
    struct rlog_status status;
    rlog_status(node->rlog, &status);
    return status.damage[0] == '\0';
}

static bool all_have_votes(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i].rlog != NULL && !has_vote(&cluster->nodes[i])) {
            return false;
        }
    }
    return cluster_is_even(cluster);
}

static void start(struct cluster *cluster, size_t node)
{
    if (cluster_start(cluster, node) != 0) {
        fail_msg("node %u: %s", (unsigned)node + 1, cluster->nodes[node].error);
    }
}

/* One that follows. */
static size_t follower_of(struct cluster *cluster)
{
    return cluster_wait_leader(cluster)->id % cluster->count;
}

static void repaired(struct cluster *cluster, size_t node)
{
    assert_true(cluster_run_until(cluster, all_have_votes, 20 * SIM_SECOND));
    cluster_settle(cluster, 5 * SIM_SECOND);
    assert_false(sim_disk_exists(cluster->nodes[node].host, NOTE));
    /* From now on it counts again: with it alone the others' leader can be replaced. */
    size_t other = cluster_leader(cluster)->id - 1;
    if (other != node) {
        cluster_crash(cluster, other);
        cluster_wait_leader(cluster);
        cluster_write(cluster, 5);
        start(cluster, other);
    }
    cluster_settle(cluster, 20 * SIM_SECOND);
}

/* ---- one damaged node ---- */

static struct cluster *with_entries(uint64_t seed, size_t count)
{
    struct cluster *cluster = cluster_create(seed, count);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 50);
    cluster_settle(cluster, 5 * SIM_SECOND);
    for (size_t i = 0; i < count; i++) {
        rlog_snapshot_now(cluster->nodes[i].rlog); /* who forgets the rest knows the members */
    }
    cluster_run(cluster, SIM_SECOND);
    cluster_write(cluster, 600); /* more than what is on its way at a time */
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_run(cluster, SIM_SECOND); /* the mark has followed */
    return cluster;
}

static void a_damaged_log_comes_from_the_leaders_log(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cluster *cluster = with_entries(seed, 3);
        size_t node = follower_of(cluster);
        cluster_crash(cluster, node);
        cluster_write(cluster, 20);
        damage_log(cluster, node);
        start(cluster, node);
        assert_false(has_vote(&cluster->nodes[node]));
        assert_true(sim_disk_exists(cluster->nodes[node].host, NOTE));
        repaired(cluster, node);
        assert_true(cluster_logged(cluster, "has no vote until a leader has repaired it"));
        cluster_destroy(cluster);
    }
}

static void a_damaged_log_comes_by_an_image(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(21, 3);
    cluster->config.trailing = 8;
    cluster->config.segment_bytes = 4096;
    cluster_start_all(cluster);
    size_t node = follower_of(cluster);
    cluster_write(cluster, 200);
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_crash(cluster, node);
    for (size_t i = 0; i < 3; i++) {
        if (i != node) {
            rlog_snapshot_now(cluster->nodes[i].rlog);
        }
    }
    cluster_write(cluster, 50);
    cluster_run(cluster, SIM_SECOND);
    damage_log(cluster, node);
    start(cluster, node);
    assert_false(has_vote(&cluster->nodes[node]));
    repaired(cluster, node);
    assert_true(cluster->nodes[node].restores > 0);
    cluster_destroy(cluster);
}

/* Half of it was fed to the machine before it is seen. */
static void a_damaged_image_is_replaced(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(22, 3);
    cluster->config.trailing = 8;
    cluster_start_all(cluster);
    size_t node = follower_of(cluster);
    cluster_write(cluster, 300);
    rlog_snapshot_now(cluster->nodes[node].rlog);
    cluster_run(cluster, SIM_SECOND);
    cluster_write(cluster, 50);
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_crash(cluster, node);
    flip_in(cluster, node, "/data/snapshots", "snap-", 400);
    start(cluster, node);
    assert_false(has_vote(&cluster->nodes[node]));
    assert_int_equal(cluster->nodes[node].count, 0);
    repaired(cluster, node);
    cluster_destroy(cluster);
}

static void who_was_met_is_learned_again(void **state)
{
    (void)state;
    struct cluster *cluster = with_entries(23, 3);
    size_t node = follower_of(cluster);
    cluster_crash(cluster, node);
    flip_in(cluster, node, "/data", "met", 20);
    start(cluster, node);
    assert_false(has_vote(&cluster->nodes[node]));
    repaired(cluster, node);
    cluster_destroy(cluster);
}

static void missing_folders_are_made_again(void **state)
{
    (void)state;
    struct cluster *cluster = with_entries(24, 3);
    size_t node = follower_of(cluster);
    struct files files = {.host = cluster->nodes[node].host, .folder = "/data/log"};
    cluster_crash(cluster, node);
    (void)sim_disk_list(files.host, files.folder, forget_file, &files);
    files.folder = "/data";
    forget_file(&files, "log");
    forget_file(&files, "snapshots");
    start(cluster, node);
    repaired(cluster, node);
    cluster_destroy(cluster);
}

/* Nothing is touched before the note is durable, so a full disk is no reason not to start. */
static void a_full_disk_waits_for_the_note(void **state)
{
    (void)state;
    struct cluster *cluster = with_entries(25, 3);
    size_t node = follower_of(cluster);
    struct sim_host *host = cluster->nodes[node].host;
    cluster_crash(cluster, node);
    damage_log(cluster, node);
    sim_disk_set_capacity(host, sim_disk_used(host));
    start(cluster, node);
    cluster_run(cluster, 5 * SIM_SECOND);
    assert_false(has_vote(&cluster->nodes[node]));
    assert_false(sim_disk_exists(host, NOTE));
    sim_disk_set_capacity(host, UINT64_MAX);
    repaired(cluster, node);
    cluster_destroy(cluster);
}

/* ---- no vote ---- */

/* Three nodes; what was acknowledged is on the leader and on `node` alone, the third lags. Then the
 * leader is gone, and `node` has forgotten. */
static struct cluster *with_two_copies(uint64_t seed, size_t *ret_leader, size_t *ret_node)
{
    struct cluster *cluster = with_entries(seed, 3);
    size_t leader = cluster_wait_leader(cluster)->id - 1;
    size_t node = (leader + 1) % 3, third = (leader + 2) % 3;
    sim_net_isolate(cluster->sim, cluster->nodes[third].host, true);
    cluster_write(cluster, 50);
    cluster_run(cluster, SIM_SECOND);
    cluster_crash(cluster, leader);
    cluster_crash(cluster, node);
    damage_log(cluster, node);
    sim_net_heal(cluster->sim);
    *ret_leader = leader;
    *ret_node = node;
    return cluster;
}

static void who_forgot_elects_nobody(void **state)
{
    (void)state;
    for (uint64_t seed = 31; seed <= 34; seed++) {
        size_t leader, node;
        struct cluster *cluster = with_two_copies(seed, &leader, &node);
        start(cluster, node);
        cluster_run(cluster, 20 * SIM_SECOND);
        assert_null(cluster_leader(cluster));
        assert_false(has_vote(&cluster->nodes[node]));
        start(cluster, leader);
        repaired(cluster, node);
        cluster_destroy(cluster);
    }
}

/* The leader counts nothing that was said before, and its core asserts nothing. */
static void the_leader_of_before_repairs_it(void **state)
{
    (void)state;
    for (uint64_t seed = 41; seed <= 45; seed++) {
        struct cluster *cluster = with_entries(seed, 3);
        size_t leader = cluster_wait_leader(cluster)->id - 1;
        size_t node = (leader + 1) % 3;
        uint64_t term = cluster->nodes[leader].term;
        cluster_crash(cluster, node);
        damage_log(cluster, node);
        start(cluster, node);
        cluster_write(cluster, 20);
        assert_true(cluster_run_until(cluster, all_have_votes, 20 * SIM_SECOND));
        assert_int_equal(cluster->nodes[leader].term, term);
        repaired(cluster, node);
        cluster_destroy(cluster);
    }
}

static void count_answers(void *arg, bool confirmed)
{
    unsigned *answers = arg;
    answers[confirmed ? 1 : 0]++;
}

/* Its disk hangs, so that it cannot be repaired; with it alone a leader confirms nothing. */
static void it_confirms_no_leader(void **state)
{
    (void)state;
    struct cluster *cluster = with_entries(51, 3);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    size_t node = leader->id % 3, third = (leader->id + 1) % 3;
    unsigned answers[2] = {0, 0};
    cluster_crash(cluster, node);
    damage_log(cluster, node);
    cluster_crash(cluster, third);
    start(cluster, node);
    sim_disk_hang(cluster->nodes[node].host, true);
    cluster_run(cluster, 300 * SIM_MILLISECOND);
    assert_ptr_equal(cluster_leader(cluster), leader);
    assert_int_equal(rlog_confirm(leader->rlog, count_answers, answers), RLOG_SUBMITTED);
    cluster_run(cluster, 2 * SIM_SECOND);
    assert_int_equal(answers[0], 1);
    assert_int_equal(answers[1], 0);
    sim_disk_hang(cluster->nodes[node].host, false);
    start(cluster, third);
    repaired(cluster, node);
    cluster_destroy(cluster);
}

/* ---- a majority ---- */

static void a_damaged_majority_elects_nobody_and_says_so(void **state)
{
    (void)state;
    struct cluster *cluster = with_entries(61, 3);
    struct files files;
    for (size_t i = 0; i < 3; i++) {
        cluster_crash(cluster, i);
    }
    files_read(&files, cluster->nodes[1].host);
    damage_log(cluster, 0);
    damage_log(cluster, 1);
    cluster_start_all(cluster);
    cluster_run(cluster, 30 * SIM_SECOND);
    assert_null(cluster_leader(cluster));
    assert_true(cluster_logged(cluster, "nodes 1, 2 of 3 found damage"));
    /* What is left of them was not touched: a person may still mend it. */
    cluster_crash(cluster, 1);
    files_write(&files);
    files_done(&files);
    start(cluster, 1);
    repaired(cluster, 0);
    cluster_destroy(cluster);
}

static void of_five_two_may_be_damaged(void **state)
{
    (void)state;
    struct cluster *cluster = with_entries(62, 5);
    size_t leader = cluster_wait_leader(cluster)->id - 1;
    size_t first = (leader + 1) % 5, second = (leader + 2) % 5;
    cluster_crash(cluster, first);
    cluster_crash(cluster, second);
    cluster_write(cluster, 20);
    damage_log(cluster, first);
    damage_log(cluster, second);
    start(cluster, first);
    start(cluster, second);
    cluster_crash(cluster, leader);
    cluster_run(cluster, 10 * SIM_SECOND);
    cluster_start_all(cluster);
    repaired(cluster, first);
    assert_false(sim_disk_exists(cluster->nodes[second].host, NOTE));
    cluster_destroy(cluster);
}

static void a_single_node_does_not_start(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(63, 1);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 50);
    cluster_run(cluster, SIM_SECOND);
    cluster_crash(cluster, 0);
    damage_log(cluster, 0);
    assert_int_equal(cluster_start(cluster, 0), ENV_INVALID);
    assert_non_null(strstr(cluster->nodes[0].error, "log is damaged at index 1"));
    assert_non_null(strstr(cluster->nodes[0].error, "backup"));
    assert_false(sim_disk_exists(cluster->nodes[0].host, NOTE));
    cluster_destroy(cluster);
}

/* ---- crashes in between ---- */

static uint64_t last_of(const struct cluster_node *node)
{
    struct rlog_status status;
    rlog_status(node->rlog, &status);
    return status.last;
}

/* Wherever it dies: it comes back without a vote, or it holds all that it had acknowledged. */
static void no_crash_makes_it_a_forgetful_voter(void **state)
{
    (void)state;
    struct cluster *cluster = with_entries(71, 3);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    size_t node = leader->id % 3;
    struct cluster_node *victim = &cluster->nodes[node];
    uint64_t acknowledged = last_of(victim);
    struct files files;
    unsigned without = 0, points = 0;
    cluster_crash(cluster, node);
    damage_log(cluster, node);
    files_read(&files, victim->host);
    for (int power = 0; power < 2; power++) {
        sim_disk_set_policy(victim->host, power == 1 ? SIM_DISK_LOSE : SIM_DISK_KEEP);
        for (uint64_t hits = 1;; hits++) {
            files_write(&files);
            victim->env = NULL;
            start(cluster, node); /* FOUND is durable when this returns */
            sim_fault_crash_at(victim->env, NULL, hits,
                               power == 1 ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
            (void)cluster_run_until(cluster, all_have_votes, 10 * SIM_SECOND);
            bool crashed = sim_process_crashed(victim->env);
            cluster_crash(cluster, node);
            sim_net_isolate(cluster->sim, victim->host, true);
            start(cluster, node);
            without += !has_vote(victim);
            points += crashed;
            assert_true(!has_vote(victim) || last_of(victim) >= acknowledged);
            cluster_crash(cluster, node);
            sim_net_heal(cluster->sim);
            if (!crashed) {
                assert_true(hits > 10);
                break;
            }
        }
    }
    assert_true(without > 10 && without < points);
    files_done(&files);
    cluster_start_all(cluster);
    repaired(cluster, node);
    cluster_destroy(cluster);
}

/* And where it dies while it notes what it found. */
static void no_crash_at_its_start_forgets_the_damage(void **state)
{
    (void)state;
    struct cluster *cluster = with_entries(72, 3);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    size_t node = leader->id % 3;
    struct cluster_node *victim = &cluster->nodes[node];
    struct files files;
    cluster_crash(cluster, node);
    damage_log(cluster, node);
    files_read(&files, victim->host);
    sim_disk_set_policy(victim->host, SIM_DISK_LOSE);
    sim_net_isolate(cluster->sim, victim->host, true);
    for (uint64_t late_us = 0; late_us < 20; late_us++) {
        files_write(&files);
        start(cluster, node);
        cluster_run(cluster, late_us * 50);
        cluster_power_cut(cluster, node);
        start(cluster, node);
        assert_false(has_vote(victim));
        cluster_crash(cluster, node);
    }
    sim_net_heal(cluster->sim);
    files_done(&files);
    start(cluster, node);
    repaired(cluster, node);
    cluster_destroy(cluster);
}

/* ---- every byte ---- */

/* One bit of one file of the folder is wrong, in turn one of every 61st byte or of REPAIR_STEP
 * bits: the node comes back with what it had, or it is repaired, or it says what is damaged and
 * does not start. Never does it serve anything else. */
static void every_byte_of_a_folder(void **state)
{
    (void)state;
    const char *step_text = getenv("REPAIR_STEP");
    size_t step = step_text == NULL ? 61 * 8 + 1 : (size_t)strtoul(step_text, NULL, 10);
    struct cluster *cluster = cluster_create(81, 3);
    struct files files;
    size_t total = 0, harmless = 0, mended = 0, refused = 0;
    cluster->config.trailing = 8;
    cluster->config.segment_bytes = 4096;
    cluster_start_all(cluster);
    size_t node = follower_of(cluster);
    struct cluster_node *victim = &cluster->nodes[node];
    cluster->padding = 100 * 1024;
    cluster_write(cluster, 12); /* the first segment is a large one */
    cluster->padding = 0;
    cluster_write(cluster, 100);
    cluster_settle(cluster, 5 * SIM_SECOND);
    rlog_snapshot_now(victim->rlog);
    cluster_run(cluster, SIM_SECOND);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_run(cluster, SIM_SECOND);
    cluster_crash(cluster, node);
    files_read(&files, victim->host);
    for (size_t f = 0; f < files.count; f++) {
        total += files.files[f].size;
    }
    assert_true(total > 8 * 1024 && total <= 64 * 1024);
    size_t at = 0;
    for (size_t f = 0; f < files.count; f++) {
        const struct file *file = &files.files[f];
        for (; at < 8 * file->size; at += step) {
            files_write(&files);
            assert_int_equal(sim_disk_flip(victim->host, file->path, at), ENV_OK);
            if (cluster_start(cluster, node) != 0) {
                assert_true(strstr(victim->error, "BIRTH is damaged") != NULL);
                refused++;
                continue;
            }
            if (has_vote(victim)) {
                harmless++;
            } else {
                mended++;
            }
            if (!cluster_run_until(cluster, all_have_votes, 20 * SIM_SECOND)) {
                fail_msg("%s, bit %u: not repaired", file->path, (unsigned)at);
            }
            cluster_settle(cluster, SIM_SECOND);
            cluster_crash(cluster, node);
        }
        at -= 8 * file->size;
    }
    print_message("%u bytes, every bit of %u: %u harmless, %u repaired, %u refused\n",
                  (unsigned)total, (unsigned)step, (unsigned)harmless, (unsigned)mended,
                  (unsigned)refused);
    assert_true(harmless > 0 && mended > 0 && refused > 0);
    files_done(&files);
    cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_log_comes_from_the_leaders_log),
        cmocka_unit_test(a_damaged_log_comes_by_an_image),
        cmocka_unit_test(a_damaged_image_is_replaced),
        cmocka_unit_test(who_was_met_is_learned_again),
        cmocka_unit_test(missing_folders_are_made_again),
        cmocka_unit_test(a_full_disk_waits_for_the_note),
        cmocka_unit_test(who_forgot_elects_nobody),
        cmocka_unit_test(the_leader_of_before_repairs_it),
        cmocka_unit_test(it_confirms_no_leader),
        cmocka_unit_test(a_damaged_majority_elects_nobody_and_says_so),
        cmocka_unit_test(of_five_two_may_be_damaged),
        cmocka_unit_test(a_single_node_does_not_start),
        cmocka_unit_test(no_crash_makes_it_a_forgetful_voter),
        cmocka_unit_test(no_crash_at_its_start_forgets_the_damage),
        cmocka_unit_test(every_byte_of_a_folder),
    };
    if (getenv("REPAIR_STEP") != NULL) {
        cmocka_set_test_filter("every_byte_of_a_folder");
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

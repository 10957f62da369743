/* Members come, go, and get other disks under load; nothing acknowledged is lost (raft.md M1-M10).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/raftlog/cluster.h"

static struct rlog_status status_of(const struct cluster_node *node)
{
    struct rlog_status status;
    rlog_status(node->rlog, &status);
    return status;
}

static bool is_voter(struct cluster *cluster, size_t i)
{
    return rlog_is_voter(cluster_wait_leader(cluster)->rlog, i + 1);
}

/* A fresh node becomes a member, catches up, and gets a vote. */
static size_t grow(struct cluster *cluster)
{
    size_t i = cluster_join(cluster);
    assert_int_equal(cluster_start(cluster, i), 0);
    cluster_change(cluster, RLOG_ADD, i);
    cluster_write(cluster, 20);
    cluster_change(cluster, RLOG_PROMOTE, i);
    assert_true(is_voter(cluster, i));
    return i;
}

static void a_node_joins_catches_up_and_votes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        cluster_write(cluster, 300);
        size_t i = cluster_join(cluster);
        assert_int_equal(cluster_start(cluster, i), 0);
        cluster_run(cluster, SIM_SECOND);
        assert_int_equal(cluster->nodes[i].count, 0); /* nobody knows it */
        cluster_change(cluster, RLOG_ADD, i);
        assert_false(is_voter(cluster, i));
        cluster_settle(cluster, 10 * SIM_SECOND);
        assert_int_equal(cluster->nodes[i].count, cluster->nodes[0].count);
        cluster_change(cluster, RLOG_PROMOTE, i);
        cluster_write(cluster, 100);
        cluster_settle(cluster, 10 * SIM_SECOND);
        struct rlog_status status = status_of(&cluster->nodes[i]);
        assert_int_equal(status.voters, 4);
        assert_string_equal(status.members[3].note, "client-4");
        cluster_destroy(cluster);
    }
}

static void three_become_five_become_three(void **state)
{
    (void)state;
    for (uint64_t seed = 10; seed <= 14; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        cluster_write(cluster, 100);
        (void)grow(cluster);
        (void)grow(cluster);
        assert_int_equal(status_of(cluster_wait_leader(cluster)).voters, 5);
        for (size_t i = 0; i < 2; i++) {
            cluster_change(cluster, RLOG_REMOVE, i); /* it steps down when it leads */
            cluster_write(cluster, 50);
            cluster_crash(cluster, i);
        }
        assert_int_equal(status_of(cluster_wait_leader(cluster)).voters, 3);
        cluster_write(cluster, 50);
        cluster_settle(cluster, 10 * SIM_SECOND);
        /* The three that are left do without the two that went, whichever of them fails. */
        cluster_crash(cluster, cluster_wait_leader(cluster)->id - 1);
        cluster_write(cluster, 50);
        cluster_destroy(cluster);
    }
}

/* By a snapshot, since the log before it is gone. */
static void a_node_joins_by_snapshot(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(20, 3);
    cluster->config.trailing = 16;
    cluster->config.snapshot_bytes = 4096;
    cluster_start_all(cluster);
    cluster_write(cluster, 3000);
    size_t i = grow(cluster);
    cluster_write(cluster, 100);
    cluster_settle(cluster, 10 * SIM_SECOND);
    assert_true(cluster->nodes[i].restores > 0);
    /* And starts again from what it has. */
    cluster_power_cut(cluster, i);
    cluster_write(cluster, 10);
    assert_int_equal(cluster_start(cluster, i), 0);
    cluster_settle(cluster, 10 * SIM_SECOND);
    assert_int_equal(status_of(&cluster->nodes[i]).voters, 4);
    cluster_destroy(cluster);
}

static void a_lost_disk_is_replaced(void **state)
{
    (void)state;
    for (uint64_t seed = 30; seed <= 36; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        size_t leader = cluster_wait_leader(cluster)->id - 1;
        size_t lost = (leader + 1 + seed % 2) % 3;
        cluster_write(cluster, 100);
        cluster_settle(cluster, 5 * SIM_SECOND);
        assert_false(cluster_change_within(cluster, RLOG_REPLACE, lost, SIM_SECOND) &&
                     !is_voter(cluster, lost)); /* it is there with the disk that it has */
        cluster_crash(cluster, lost);
        cluster_write(cluster, 100);
        cluster_join_again(cluster, lost);
        assert_int_equal(cluster_start(cluster, lost), 0);
        cluster_run(cluster, 3 * SIM_SECOND);
        assert_true(cluster_logged(cluster, "member replace --node"));
        assert_int_equal(cluster->nodes[lost].count, 0);
        cluster_change(cluster, RLOG_REPLACE, lost);
        assert_int_equal(status_of(cluster_wait_leader(cluster)).voters, 2);
        cluster_write(cluster, 50);
        cluster_change(cluster, RLOG_PROMOTE, lost);
        cluster_write(cluster, 50);
        cluster_settle(cluster, 10 * SIM_SECOND);
        assert_int_equal(status_of(&cluster->nodes[lost]).voters, 3);
        /* It counts: the others may fail, one at a time. */
        cluster_crash(cluster, leader);
        cluster_write(cluster, 50);
        assert_int_equal(cluster_start(cluster, leader), 0);
        cluster_settle(cluster, 20 * SIM_SECOND);
        cluster_destroy(cluster);
    }
}

static void assert_verdict(struct cluster *cluster, enum rlog_change_kind kind, size_t i,
                           enum rlog_change_verdict verdict, const char *reason)
{
    struct rlog_change change = cluster_change_of(cluster, kind, i);
    uint64_t index = 0;
    char text[256] = "";
    int answer = (int)rlog_change(cluster_wait_leader(cluster)->rlog, &change, text, sizeof text,
                                  &index);
    if (answer != (int)verdict || (reason != NULL && strstr(text, reason) == NULL)) {
        fail_msg("verdict %d, not %d: \"%s\", not \"%s\"", answer, (int)verdict, text, reason);
    }
}

static void what_makes_no_sense_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(40, 3);
    cluster_start_all(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    size_t leader = cluster_wait_leader(cluster)->id - 1;
    size_t other = (leader + 1) % 3, third = (leader + 2) % 3;
    size_t fourth = cluster_join(cluster);
    assert_verdict(cluster, RLOG_REMOVE, other, RLOG_CHANGE_REFUSED, "keeps 3 voters"); /* M2 */
    assert_verdict(cluster, RLOG_REMOVE, leader, RLOG_CHANGE_REFUSED, "keeps 3 voters");
    assert_verdict(cluster, RLOG_REMOVE, fourth, RLOG_CHANGE_SO, NULL);
    assert_verdict(cluster, RLOG_PROMOTE, other, RLOG_CHANGE_SO, NULL);
    assert_verdict(cluster, RLOG_PROMOTE, fourth, RLOG_CHANGE_REFUSED, "member add");
    assert_verdict(cluster, RLOG_REPLACE, fourth, RLOG_CHANGE_REFUSED, "no member");
    assert_verdict(cluster, RLOG_REPLACE, other, RLOG_CHANGE_SO, NULL);
    cluster->nodes[other].store.bytes[0] ^= 1;
    assert_verdict(cluster, RLOG_REPLACE, other, RLOG_CHANGE_REFUSED, "stop it first");
    assert_verdict(cluster, RLOG_ADD, other, RLOG_CHANGE_REFUSED, "member replace");
    cluster->nodes[other].store.bytes[0] ^= 1;
    cluster_crash(cluster, third);
    cluster_run(cluster, 3 * SIM_SECOND);
    assert_verdict(cluster, RLOG_ADD, fourth, RLOG_CHANGE_BEGUN, NULL);
    assert_verdict(cluster, RLOG_PROMOTE, fourth, RLOG_CHANGE_LATER,
                   "on its way"); /* one at a time */
    cluster_run(cluster, SIM_SECOND);
    assert_verdict(cluster, RLOG_PROMOTE, fourth, RLOG_CHANGE_LATER, "not connected");
    cluster->nodes[other].store.bytes[0] ^= 1;
    cluster_crash(cluster, other);
    cluster_run(cluster, 100 * SIM_MILLISECOND);
    assert_verdict(cluster, RLOG_REPLACE, other, RLOG_CHANGE_LATER, "only 1 of 2 voters");
    cluster_destroy(cluster);
}

/* Whoever is asked to vote has to be able to follow: not while its disk hangs, nor just when it has
 * come back. */
static void a_learner_is_promoted_only_when_it_is_close(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(42, 3);
    cluster_start_all(cluster);
    cluster_write(cluster, 10);
    size_t i = cluster_join(cluster);
    assert_int_equal(cluster_start(cluster, i), 0);
    cluster_change(cluster, RLOG_ADD, i);
    cluster_settle(cluster, 5 * SIM_SECOND);
    sim_disk_hang(cluster->nodes[i].host, true);
    cluster_write(cluster, 500);
    cluster_run(cluster, 2 * SIM_SECOND);
    assert_verdict(cluster, RLOG_PROMOTE, i, RLOG_CHANGE_LATER, "is not close yet: it holds ");
    assert_false(is_voter(cluster, i));
    sim_disk_hang(cluster->nodes[i].host, false);
    cluster_change(cluster, RLOG_PROMOTE, i);
    assert_true(is_voter(cluster, i));
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_destroy(cluster);
}

static void a_leader_that_is_to_go_hands_over_first(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(45, 5);
    cluster_start_all(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    size_t leader = cluster_wait_leader(cluster)->id - 1;
    assert_verdict(cluster, RLOG_REMOVE, leader, RLOG_CHANGE_LEADS, "leads");
    cluster_destroy(cluster);
}

/* Nothing is changed before an entry of the own term is committed: M4. */
static void a_new_leader_changes_nothing_at_once(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(50, 3);
    cluster_start_all(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    size_t fourth = cluster_join(cluster);
    struct cluster_node *before = cluster_wait_leader(cluster);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3; i++) {
            sim_disk_latency(cluster->nodes[i].host, 50 * SIM_MILLISECOND, 1);
        }
        rlog_step_down(before->rlog);
        struct cluster_node *next = before;
        while (next == before || next == NULL) {
            cluster_run(cluster, SIM_MILLISECOND);
            next = cluster_leader(cluster);
        }
        struct rlog_status status = status_of(next);
        assert_true(status.commit < status.last);
        assert_verdict(cluster, RLOG_ADD, fourth, RLOG_CHANGE_LATER, "just begun");
        cluster_settle(cluster, 10 * SIM_SECOND);
        before = cluster_wait_leader(cluster);
    }
    assert_verdict(cluster, RLOG_ADD, fourth, RLOG_CHANGE_BEGUN, NULL);
    cluster_destroy(cluster);
}

/* An uncommitted change of a leader that nobody heard is taken back with its log. */
static void a_change_that_nobody_heard_is_taken_back(void **state)
{
    (void)state;
    for (uint64_t seed = 60; seed < 66; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        cluster_write(cluster, 10);
        cluster_settle(cluster, 5 * SIM_SECOND);
        size_t fourth = cluster_join(cluster);
        struct cluster_node *old = cluster_wait_leader(cluster);
        sim_net_isolate(cluster->sim, old->host, true);
        assert_verdict(cluster, RLOG_ADD, fourth, RLOG_CHANGE_BEGUN, NULL);
        assert_int_equal(status_of(old).member_count, 4);
        cluster_run(cluster, 100 * SIM_MILLISECOND);
        if (seed % 2 == 0) { /* it finds the change in its log, too */
            cluster_crash(cluster, old->id - 1);
            assert_int_equal(cluster_start(cluster, old->id - 1), 0);
            assert_int_equal(status_of(old).member_count, 4);
        }
        cluster_run(cluster, 3 * SIM_SECOND);
        assert_ptr_not_equal(cluster_wait_leader(cluster), old);
        cluster_write(cluster, 20);
        sim_net_heal(cluster->sim);
        cluster_settle(cluster, 20 * SIM_SECOND);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(status_of(&cluster->nodes[i]).member_count, 3);
        }
        cluster_destroy(cluster);
    }
}

/* M1c: an image carries the members as of its index, not those of a CHANGE that stands behind it in
 * the log and is taken back later. */
static void an_image_carries_the_members_of_its_index(void **state)
{
    (void)state;
    for (uint64_t seed = 66; seed < 70; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster->config.trailing = 4;
        cluster_start_all(cluster);
        cluster_write(cluster, 100);
        cluster_settle(cluster, 5 * SIM_SECOND);
        size_t fourth = cluster_join(cluster);
        struct cluster_node *old = cluster_wait_leader(cluster);
        uint64_t before = status_of(old).snapshot;
        sim_net_isolate(cluster->sim, old->host, true);
        assert_verdict(cluster, RLOG_ADD, fourth, RLOG_CHANGE_BEGUN, NULL);
        rlog_snapshot_now(old->rlog);
        cluster_run(cluster, 200 * SIM_MILLISECOND);
        assert_true(status_of(old).snapshot > before);
        assert_true(status_of(old).changing);
        if (seed % 2 == 0) { /* it knows no members but the image's, and those of its log */
            cluster_crash(cluster, old->id - 1);
            assert_int_equal(cluster_start(cluster, old->id - 1), 0);
        }
        cluster_run(cluster, 3 * SIM_SECOND);
        cluster_write(cluster, 2);
        sim_net_heal(cluster->sim);
        cluster_settle(cluster, 20 * SIM_SECOND);
        cluster_crash(cluster, old->id - 1);
        assert_int_equal(cluster_start(cluster, old->id - 1), 0);
        cluster_settle(cluster, 20 * SIM_SECOND);
        assert_int_equal(status_of(old).member_count, 3);
        cluster_destroy(cluster);
    }
}

/* Somebody who was away while all others changed finds the cluster again. */
static void who_was_away_finds_the_new_members(void **state)
{
    (void)state;
    for (uint64_t seed = 70; seed < 74; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster->config.trailing = seed % 2 == 0 ? 16 : 4096;
        cluster->config.snapshot_bytes = 4096;
        cluster_start_all(cluster);
        cluster_write(cluster, 50);
        cluster_crash(cluster, 0);
        (void)grow(cluster);
        (void)grow(cluster);
        cluster_change(cluster, RLOG_REMOVE, 1);
        cluster_crash(cluster, 1);
        size_t sixth = grow(cluster);
        cluster_change(cluster, RLOG_REMOVE, 2);
        cluster_crash(cluster, 2);
        cluster_write(cluster, 500);
        assert_int_equal(cluster_start(cluster, 0), 0); /* it knows 1, 2 and 3 alone */
        cluster_settle(cluster, 30 * SIM_SECOND);
        assert_int_equal(status_of(&cluster->nodes[0]).voters, 4);
        assert_true(rlog_is_voter(cluster->nodes[0].rlog, sixth + 1));
        cluster_destroy(cluster);
    }
}

/* Who was removed is told so, and disturbs nobody. */
static void who_was_removed_is_told(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(80, 3);
    cluster_start_all(cluster);
    cluster_write(cluster, 50);
    (void)grow(cluster);
    size_t gone = (cluster_wait_leader(cluster)->id) % 3;
    cluster_change(cluster, RLOG_REMOVE, gone);
    cluster_run(cluster, SIM_SECOND);
    assert_true(cluster_logged(cluster, "was removed from the cluster: stop it"));
    uint64_t term = cluster_wait_leader(cluster)->term;
    cluster_run(cluster, 20 * SIM_SECOND);
    assert_int_equal(cluster_wait_leader(cluster)->term, term);
    cluster_crash(cluster, gone);
    assert_int_equal(cluster_start(cluster, gone), 0);
    cluster_run(cluster, 20 * SIM_SECOND);
    assert_int_equal(cluster_wait_leader(cluster)->term, term);
    cluster_write(cluster, 50);
    cluster_destroy(cluster);
}

struct asked {
    unsigned confirmed, refused;
};

static void on_read(void *arg, bool confirmed)
{
    struct asked *asked = arg;
    asked->confirmed += confirmed;
    asked->refused += !confirmed;
}

/* A round counts the voters of one list: when that changes, its reads wait for another round. */
static void a_change_while_a_round_is_open(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(90, 3);
    cluster_start_all(cluster);
    cluster_write(cluster, 50);
    size_t fourth = cluster_join(cluster);
    cluster_settle(cluster, 5 * SIM_SECOND);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    struct asked asked = {0, 0};
    for (size_t i = 0; i < 3; i++) { /* answers do not come back: the round stays open */
        if (i != leader->id - 1) {
            sim_net_cut(cluster->sim, cluster->nodes[i].host, leader->host, true);
        }
    }
    assert_int_equal(rlog_confirm(leader->rlog, on_read, &asked), RLOG_SUBMITTED);
    cluster_run(cluster, 20 * SIM_MILLISECOND);
    assert_verdict(cluster, RLOG_ADD, fourth, RLOG_CHANGE_BEGUN, NULL);
    cluster_run(cluster, 20 * SIM_MILLISECOND);
    assert_int_equal(asked.confirmed + asked.refused, 0);
    sim_net_heal(cluster->sim);
    cluster_run(cluster, 2 * SIM_SECOND);
    assert_int_equal(asked.confirmed + asked.refused, 1);
    cluster_destroy(cluster);
}

static void take_name(void *arg, const char *name)
{
    snprintf(arg, 128, "/data/snapshots/%s", name);
}

/* Its birth names no members, and its image is damaged: it knows nobody, says nothing of who can be
 * elected, and a leader repairs it. */
static void who_joined_and_lost_its_image_is_repaired(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(85, 3);
    cluster->config.trailing = 8;
    cluster->config.snapshot_bytes = 4096;
    cluster_start_all(cluster);
    cluster_write(cluster, 1000);
    size_t i = grow(cluster);
    cluster_write(cluster, 200);
    cluster_settle(cluster, 10 * SIM_SECOND);
    rlog_snapshot_now(cluster->nodes[i].rlog);
    cluster_run(cluster, SIM_SECOND);
    for (size_t node = 0; node < 4; node++) {
        cluster_crash(cluster, node);
    }
    char path[128] = "";
    (void)sim_disk_list(cluster->nodes[i].host, "/data/snapshots", take_name, path);
    assert_int_equal(sim_disk_flip(cluster->nodes[i].host, path, 400 * 8), ENV_OK);
    assert_int_equal(cluster_start(cluster, i), 0);
    assert_string_not_equal(status_of(&cluster->nodes[i]).damage, "");
    assert_int_equal(status_of(&cluster->nodes[i]).member_count, 0);
    cluster_run(cluster, 60 * SIM_SECOND);
    assert_false(cluster_logged(cluster, "no leader can be elected"));
    cluster_start_all(cluster);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_write(cluster, 20);
    cluster_settle(cluster, 20 * SIM_SECOND);
    assert_string_equal(status_of(&cluster->nodes[i]).damage, "");
    assert_int_equal(status_of(&cluster->nodes[i]).voters, 4);
    cluster_destroy(cluster);
}

static void cut_answers(struct cluster *cluster, const struct cluster_node *leader, bool cut)
{
    for (size_t i = 0; i < 3; i++) {
        if (i != leader->id - 1) {
            sim_net_cut(cluster->sim, cluster->nodes[i].host, leader->host, cut);
        }
    }
}

/* What was said to a round before the change is about the voters of then: nobody counts it, also
 * when it arrives afterwards. */
static void answers_from_before_a_change_do_not_count(void **state)
{
    (void)state;
    for (uint64_t seed = 92; seed < 96; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        cluster_write(cluster, 50);
        size_t fourth = cluster_join(cluster);
        cluster_settle(cluster, 5 * SIM_SECOND);
        struct cluster_node *leader = cluster_wait_leader(cluster);
        struct asked asked = {0, 0};
        cut_answers(cluster, leader, true);
        assert_int_equal(rlog_confirm(leader->rlog, on_read, &asked), RLOG_SUBMITTED);
        cluster_run(cluster, 10 * SIM_MILLISECOND); /* the others have said yes */
        for (size_t i = 0; i < 3; i++) {            /* they hear of no other round */
            if (i != leader->id - 1) {
                sim_net_cut(cluster->sim, leader->host, cluster->nodes[i].host, true);
            }
        }
        assert_verdict(cluster, RLOG_ADD, fourth, RLOG_CHANGE_BEGUN, NULL);
        cluster_run(cluster, 10 * SIM_MILLISECOND);
        cut_answers(cluster, leader, false);
        cluster_run(cluster, 100 * SIM_MILLISECOND);
        assert_int_equal(asked.confirmed, 0);
        sim_net_heal(cluster->sim);
        cluster_run(cluster, 3 * SIM_SECOND);
        assert_int_equal(asked.confirmed + asked.refused, 1);
        cluster_destroy(cluster);
    }
}

static void leadership_goes_where_it_is_sent(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 106; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        char reason[256];
        cluster_start_all(cluster);
        cluster_write(cluster, 100);
        cluster_settle(cluster, 5 * SIM_SECOND);
        struct cluster_node *leader = cluster_wait_leader(cluster);
        uint64_t to = leader->id % 3 + 1, term = leader->term;
        assert_int_equal(rlog_transfer(leader->rlog, leader->id, reason, sizeof reason),
                         RLOG_CHANGE_REFUSED);
        assert_int_equal(rlog_transfer(leader->rlog, 9, reason, sizeof reason),
                         RLOG_CHANGE_REFUSED);
        assert_int_equal(
            rlog_transfer(cluster->nodes[to - 1].rlog, leader->id, reason, sizeof reason),
            RLOG_CHANGE_ELSEWHERE);
        for (size_t i = 0; i < 30; i++) {
            assert_true(cluster_submit(leader)); /* M10: it lags when it is asked for */
        }
        assert_int_equal(rlog_transfer(leader->rlog, to, reason, sizeof reason), RLOG_CHANGE_BEGUN);
        assert_false(cluster_submit(leader));
        assert_true(rlog_transferring(leader->rlog));
        cluster_run(cluster, 200 * SIM_MILLISECOND);
        assert_int_equal(cluster_wait_leader(cluster)->id, to);
        assert_int_equal(cluster_wait_leader(cluster)->term, term + 1);
        cluster_run(cluster, SIM_SECOND);
        assert_false(rlog_transferring(leader->rlog));
        cluster_write(cluster, 50);
        cluster_settle(cluster, 5 * SIM_SECOND);
        cluster_destroy(cluster);
    }
}

/* One who cannot take it leaves it where it is. */
static void leadership_that_cannot_go_stays(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(110, 3);
    char reason[256];
    cluster_start_all(cluster);
    cluster_write(cluster, 100);
    cluster_settle(cluster, 5 * SIM_SECOND);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    size_t to = leader->id % 3;
    sim_net_cut(cluster->sim, leader->host, cluster->nodes[to].host, true); /* it hears nothing */
    assert_true(cluster_submit(leader));
    assert_int_equal(rlog_transfer(leader->rlog, to + 1, reason, sizeof reason), RLOG_CHANGE_BEGUN);
    cluster_run(cluster, 400 * SIM_MILLISECOND);
    assert_false(rlog_ready(leader->rlog));
    cluster_run(cluster, 2 * SIM_SECOND);
    assert_false(rlog_transferring(leader->rlog));
    sim_net_heal(cluster->sim);
    cluster_write(cluster, 50);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_joins_catches_up_and_votes),
        cmocka_unit_test(three_become_five_become_three),
        cmocka_unit_test(a_node_joins_by_snapshot),
        cmocka_unit_test(a_lost_disk_is_replaced),
        cmocka_unit_test(what_makes_no_sense_is_refused_with_the_reason),
        cmocka_unit_test(a_learner_is_promoted_only_when_it_is_close),
        cmocka_unit_test(a_leader_that_is_to_go_hands_over_first),
        cmocka_unit_test(a_new_leader_changes_nothing_at_once),
        cmocka_unit_test(a_change_that_nobody_heard_is_taken_back),
        cmocka_unit_test(who_was_away_finds_the_new_members),
        cmocka_unit_test(who_was_removed_is_told),
        cmocka_unit_test(who_joined_and_lost_its_image_is_repaired),
        cmocka_unit_test(an_image_carries_the_members_of_its_index),
        cmocka_unit_test(a_change_while_a_round_is_open),
        cmocka_unit_test(answers_from_before_a_change_do_not_count),
        cmocka_unit_test(leadership_goes_where_it_is_sent),
        cmocka_unit_test(leadership_that_cannot_go_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

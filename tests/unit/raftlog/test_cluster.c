/* A cluster elects, replicates, survives crashes and power cuts, and loses nothing it acknowledged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/raftlog/cluster.h"

static void elects_one_leader(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        struct cluster_node *leader = cluster_wait_leader(cluster);
        cluster_settle(cluster, 5 * SIM_SECOND);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(cluster->nodes[i].leader, leader->id);
            assert_int_equal(cluster->nodes[i].term, leader->term);
        }
        cluster_destroy(cluster);
    }
}

static void replicates_many_entries(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(11, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 3000);
    cluster_settle(cluster, 5 * SIM_SECOND);
    assert_true(cluster->nodes[0].count >= 3000);
    cluster_destroy(cluster);
}

static void a_single_node_serves(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(12, 1);
    for (int life = 0; life < 3; life++) {
        cluster_start_all(cluster);
        cluster_wait_leader(cluster);
        assert_true(cluster->nodes[0].term > (uint64_t)life);
        cluster_write(cluster, 50);
        cluster_settle(cluster, 5 * SIM_SECOND);
        cluster_power_cut(cluster, 0);
    }
    cluster_destroy(cluster);
}

static void a_crashed_leader_is_replaced(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(13, 3);
    cluster_start_all(cluster);
    for (int round = 0; round < 5; round++) {
        struct cluster_node *leader = cluster_wait_leader(cluster);
        size_t crashed = leader->id - 1;
        cluster_write(cluster, 100);
        for (size_t i = 0; i < 20; i++) {
            (void)cluster_submit(leader); /* on their way when it dies */
        }
        cluster_crash(cluster, crashed);
        cluster_wait_leader(cluster);
        cluster_write(cluster, 100);
        assert_int_equal(cluster_start(cluster, crashed), 0);
        cluster_settle(cluster, 20 * SIM_SECOND);
    }
    cluster_destroy(cluster);
}

static void all_lose_power_and_what_was_acknowledged_stays(void **state)
{
    (void)state;
    const enum sim_disk_policy policies[] = {SIM_DISK_LOSE, SIM_DISK_RANDOM, SIM_DISK_KEEP};
    for (size_t p = 0; p < 3; p++) {
        struct cluster *cluster = cluster_create(20 + p, 3);
        for (size_t i = 0; i < 3; i++) {
            sim_disk_set_policy(cluster->nodes[i].host, policies[p]);
        }
        for (int round = 0; round < 4; round++) {
            cluster_start_all(cluster);
            cluster_wait_leader(cluster);
            cluster_write(cluster, 200);
            struct cluster_node *leader = cluster_leader(cluster);
            for (size_t i = 0; leader != NULL && i < 50; i++) {
                (void)cluster_submit(leader);
            }
            cluster_run(cluster, sim_random(cluster->sim, 2000));
            for (size_t i = 0; i < 3; i++) {
                cluster_power_cut(cluster, i);
            }
        }
        cluster_start_all(cluster);
        cluster_settle(cluster, 20 * SIM_SECOND);
        cluster_destroy(cluster);
    }
}

static void one_follower_restarts(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(30, 3);
    sim_disk_set_policy(cluster->nodes[0].host, SIM_DISK_LOSE);
    cluster_start_all(cluster);
    for (int round = 0; round < 5; round++) {
        cluster_wait_leader(cluster);
        cluster_write(cluster, 100);
        cluster_power_cut(cluster, 0);
        cluster_write(cluster, 100);
        assert_int_equal(cluster_start(cluster, 0), 0);
        cluster_settle(cluster, 20 * SIM_SECOND);
    }
    cluster_destroy(cluster);
}

static void a_minority_commits_nothing(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(40, 3);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    sim_net_isolate(cluster->sim, leader->host, true);
    size_t before = cluster->acknowledged_count;
    struct rlog_status status;
    rlog_status(leader->rlog, &status);
    uint64_t commit = status.commit;
    for (size_t i = 0; i < 10; i++) {
        assert_true(cluster_submit(leader));
    }
    cluster_run(cluster, 5 * SIM_SECOND);
    rlog_status(leader->rlog, &status);
    assert_int_equal(status.commit, commit);
    assert_int_equal(cluster->acknowledged_count, before);
    assert_ptr_not_equal(cluster_leader(cluster), leader);
    cluster_write(cluster, 100);
    sim_net_heal(cluster->sim);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

static void an_election_commits_an_entry_of_its_own_term(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(45, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    for (int round = 0; round < 3; round++) {
        struct rlog_status before, after;
        struct cluster_node *leader = cluster_leader(cluster);
        rlog_status(leader->rlog, &before);
        assert_int_equal(before.commit, before.last); /* nothing for the core to finish */
        cluster_crash(cluster, leader->id - 1);
        struct cluster_node *next = cluster_wait_leader(cluster);
        cluster_settle(cluster, 5 * SIM_SECOND);
        rlog_status(next->rlog, &after);
        assert_true(after.term > before.term);
        assert_int_equal(after.last, before.last + 1);
        assert_int_equal(after.commit, after.last);
        assert_int_equal(cluster_start(cluster, leader->id - 1), 0);
        cluster_settle(cluster, 5 * SIM_SECOND);
    }
    cluster_destroy(cluster);
}

/* A node that dies before its vote is durable has not voted: with the third one down nobody leads.
 */
static void a_vote_is_durable_before_it_is_told(void **state)
{
    (void)state;
    const char *const points[] = {"vote.before_write", "vote.before_sync"};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        struct cluster_node *voter = &cluster->nodes[seed % 2];
        sim_disk_set_policy(voter->host, SIM_DISK_LOSE);
        assert_int_equal(cluster_start(cluster, 0), 0);
        assert_int_equal(cluster_start(cluster, 1), 0);
        sim_fault_crash_at(voter->env, points[seed / 2 % 2], 1,
                           seed / 2 % 2 == 0 ? SIM_CRASH_PROCESS : SIM_CRASH_POWER);
        cluster_run(cluster, 5 * SIM_SECOND);
        assert_true(sim_process_crashed(voter->env));
        const struct cluster_node *other = &cluster->nodes[1 - seed % 2];
        for (uint64_t term = 1; term < CLUSTER_TERMS_MAX; term++) {
            assert_int_not_equal(cluster->leaders[term], other->id);
        }
        cluster_destroy(cluster);
    }
}

static void a_stopped_leader_hands_over(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(50, 3);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 100);
    uint64_t term = leader->term;
    uint64_t began_us = sim_now_us(cluster->sim);
    cluster_stop(cluster, leader->id - 1);
    struct cluster_node *next = cluster_wait_leader(cluster);
    assert_int_equal(next->term, term + 1);
    /* Sooner than any election timeout could bring it about. */
    assert_true(sim_now_us(cluster->sim) - began_us < cluster->config.election_us);
    cluster_write(cluster, 100);
    assert_int_equal(cluster_start(cluster, leader->id - 1), 0);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

/* What failed to sync is never trusted again: the node says so once and is heard of no more. */
static void a_disk_error_ends_the_node(void **state)
{
    (void)state;
    const enum sim_disk_op ops[] = {SIM_DISK_WRITE, SIM_DISK_SYNC};
    const struct {
        const char *pattern;
        const char *line;
    } cases[] = {{"/data/log/*", "the log cannot be written"},
                 {"/data/vote-*", "term and vote cannot be stored"}};
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < 2; k++) {
            struct cluster *cluster = cluster_create(55, 3);
            cluster_start_all(cluster);
            struct cluster_node *leader = cluster_wait_leader(cluster);
            cluster_write(cluster, 10);
            struct cluster_node *failing = &cluster->nodes[leader->id % 3];
            sim_disk_fail(failing->host, ops[k], cases[i].pattern, 1, UINT64_MAX, ENV_IO);
            cluster_write(cluster, 10);
            cluster_stop(cluster, leader->id - 1); /* makes the other two vote */
            cluster_run(cluster, 3 * SIM_SECOND);
            assert_true(failing->fatal);
            assert_non_null(strstr(failing->error, cases[i].line));
            assert_int_equal(sim_net_connections(failing->env), 0);
            uint64_t index = 0;
            assert_int_equal(rlog_submit(failing->rlog, bytes_of("12345678", 8), &index),
                             RLOG_NOT_LEADER);
            assert_int_equal(cluster_start(cluster, leader->id - 1), 0);
            cluster_write(cluster, 10);
            cluster_stop(cluster, failing->id - 1);
            cluster_destroy(cluster);
        }
    }
}

static void leadership_goes_to_one_who_is_there(void **state)
{
    (void)state;
    for (uint64_t seed = 51; seed < 61; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        struct cluster_node *leader = cluster_wait_leader(cluster);
        cluster_write(cluster, 10);
        cluster_settle(cluster, 5 * SIM_SECOND);
        uint64_t term = leader->term;
        cluster_crash(cluster, leader->id % 3); /* has the whole log, too */
        cluster_run(cluster, 10 * SIM_MILLISECOND);
        uint64_t began_us = sim_now_us(cluster->sim);
        rlog_step_down(leader->rlog);
        assert_false(rlog_ready(leader->rlog));
        cluster_run(cluster, 100 * SIM_MILLISECOND);
        struct cluster_node *next = cluster_leader(cluster);
        assert_non_null(next);
        assert_ptr_not_equal(next, leader);
        assert_int_equal(next->term, term + 1);
        assert_true(sim_now_us(cluster->sim) - began_us < cluster->config.election_us);
        cluster_write(cluster, 10);
        cluster_destroy(cluster);
    }
}

static void large_entries_travel_in_bounded_messages(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(60, 3);
    cluster->padding = 100 * 1024;
    cluster->config.segment_bytes = 1024 * 1024;
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 100);
    cluster_crash(cluster, 2);
    cluster_write(cluster, 60);
    assert_int_equal(cluster_start(cluster, 2), 0);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

/* A follower is sent what is on its way at most (256 entries), and writes what arrives during one
 * write by the next one. So the writes that it takes do not grow with the entries one by one. */
static void who_was_away_catches_up_in_a_few_writes(void **state)
{
    (void)state;
    const size_t paddings[] = {0, 1000};
    for (size_t p = 0; p < 2; p++) {
        struct cluster *cluster = cluster_create(75 + p, 3);
        cluster->padding = paddings[p];
        cluster_start_all(cluster);
        size_t away = cluster_wait_leader(cluster)->id % 3;
        cluster_crash(cluster, away);
        cluster_write(cluster, 1000);
        sim_disk_latency(cluster->nodes[away].host, 30 * SIM_MILLISECOND, 1);
        assert_int_equal(cluster_start(cluster, away), 0);
        cluster_settle(cluster, 2 * SIM_SECOND);
        assert_true(cluster->nodes[away].appended_remote >= 1000);
        assert_in_range(cluster->nodes[away].writes, 3, 12);
        cluster_destroy(cluster);
    }
}

static void the_backlog_is_bounded(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(70, 3);
    cluster->config.backlog_max = 100;
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    sim_net_isolate(cluster->sim, leader->host, true);
    size_t accepted = 0;
    while (accepted < 1000 && cluster_submit(leader)) {
        accepted++;
    }
    assert_true(accepted >= 90 && accepted <= 100);
    assert_false(rlog_ready(leader->rlog));
    uint64_t index = 0;
    assert_int_equal(rlog_submit(leader->rlog, bytes_of("12345678", 8), &index), RLOG_BUSY);
    cluster_destroy(cluster);
}

static void messages_of_the_caller_arrive(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(80, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_settle(cluster, 5 * SIM_SECOND);
    for (size_t i = 0; i < 3; i++) {
        for (uint64_t to = 1; to <= 3; to++) {
            if (to != i + 1) {
                rlog_peer_send(cluster->nodes[i].rlog, to, 7, bytes_of_text("hello"));
            }
        }
    }
    cluster_run(cluster, SIM_SECOND);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cluster->nodes[i].messages, 2);
    }
    cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elects_one_leader),
        cmocka_unit_test(replicates_many_entries),
        cmocka_unit_test(a_single_node_serves),
        cmocka_unit_test(a_crashed_leader_is_replaced),
        cmocka_unit_test(all_lose_power_and_what_was_acknowledged_stays),
        cmocka_unit_test(one_follower_restarts),
        cmocka_unit_test(a_minority_commits_nothing),
        cmocka_unit_test(an_election_commits_an_entry_of_its_own_term),
        cmocka_unit_test(a_vote_is_durable_before_it_is_told),
        cmocka_unit_test(a_stopped_leader_hands_over),
        cmocka_unit_test(a_disk_error_ends_the_node),
        cmocka_unit_test(leadership_goes_to_one_who_is_there),
        cmocka_unit_test(large_entries_travel_in_bounded_messages),
        cmocka_unit_test(who_was_away_catches_up_in_a_few_writes),
        cmocka_unit_test(the_backlog_is_bounded),
        cmocka_unit_test(messages_of_the_caller_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

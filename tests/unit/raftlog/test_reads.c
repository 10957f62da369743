/* A confirmed read proves leadership that began after it arrived; doubt refuses it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/raftlog/cluster.h"

struct answer {
    unsigned yes, no;
    const struct cluster_node *node;
    uint64_t applied; /* when the last yes came */
};

static void on_confirmed(void *arg, bool confirmed)
{
    struct answer *answer = arg;
    answer->yes += confirmed;
    answer->no += !confirmed;
    if (confirmed) {
        answer->applied = answer->node->applied;
    }
}

static bool answered(void *arg)
{
    const struct answer *answer = arg;
    return answer->yes + answer->no > 0;
}

static void wait_answer(struct cluster *cluster, struct answer *answer)
{
    assert_true(sim_run_until(cluster->sim, answered, answer, 10 * SIM_SECOND));
}

static void see_everything_committed_before(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(1, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    for (unsigned i = 0; i < 20; i++) {
        cluster_write(cluster, 10);
        struct cluster_node *leader = cluster_leader(cluster);
        struct answer answer = {.node = leader};
        struct rlog_status status;
        rlog_status(leader->rlog, &status);
        assert_int_equal(rlog_confirm(leader->rlog, on_confirmed, &answer), RLOG_SUBMITTED);
        assert_int_equal(answer.yes + answer.no, 0); /* never inside the call */
        wait_answer(cluster, &answer);
        assert_int_equal(answer.yes, 1);
        rlog_status(leader->rlog, &status);
        assert_true(status.applied >= status.commit);
    }
    cluster_destroy(cluster);
}

static void many_share_rounds(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(2, 3);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 1);
    struct answer answer = {.node = leader};
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(rlog_confirm(leader->rlog, on_confirmed, &answer), RLOG_SUBMITTED);
        if (i % 10 == 0) {
            cluster_run(cluster, 50);
        }
    }
    cluster_run(cluster, SIM_SECOND);
    assert_int_equal(answer.yes, 1000);
    cluster_destroy(cluster);
}

static void a_follower_takes_none(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(3, 3);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_settle(cluster, 5 * SIM_SECOND);
    struct answer answer = {.node = leader};
    for (size_t i = 0; i < 3; i++) {
        if (&cluster->nodes[i] != leader) {
            assert_int_equal(rlog_confirm(cluster->nodes[i].rlog, on_confirmed, &answer),
                             RLOG_NOT_LEADER);
        }
    }
    cluster_run(cluster, SIM_SECOND);
    assert_int_equal(answer.yes + answer.no, 0);
    cluster_destroy(cluster);
}

static void without_a_majority_none_is_confirmed(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(4, 3);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    sim_net_isolate(cluster->sim, leader->host, true);
    struct answer answer = {.node = leader};
    /* It still believes that it leads. */
    assert_int_equal(rlog_confirm(leader->rlog, on_confirmed, &answer), RLOG_SUBMITTED);
    wait_answer(cluster, &answer);
    assert_int_equal(answer.yes, 0);
    assert_int_equal(answer.no, 1);
    cluster_destroy(cluster);
}

static void a_frozen_leader_that_was_replaced_confirms_none(void **state)
{
    (void)state;
    for (uint64_t seed = 5; seed < 15; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        struct cluster_node *old = cluster_wait_leader(cluster);
        cluster_write(cluster, 10);
        size_t before = old->count;
        sim_process_pause(old->env);
        old->role = RLOG_FOLLOWER; /* for cluster_leader alone: it knows nothing */
        cluster_wait_leader(cluster);
        cluster_write(cluster, 10);
        /* A client asks in the moment that it wakes: the state is older than what others
         * acknowledged. */
        struct answer answer = {.node = old};
        assert_int_equal(rlog_confirm(old->rlog, on_confirmed, &answer), RLOG_SUBMITTED);
        assert_int_equal(old->count, before);
        sim_process_resume(old->env);
        wait_answer(cluster, &answer);
        assert_int_equal(answer.yes, 0);
        cluster_run(cluster, SIM_SECOND);
        assert_int_equal(answer.yes, 0);
        cluster_destroy(cluster);
    }
}

static void a_stopping_leader_refuses_what_waits(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(6, 3);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    sim_net_isolate(cluster->sim, leader->host, true);
    struct answer answer = {.node = leader};
    assert_int_equal(rlog_confirm(leader->rlog, on_confirmed, &answer), RLOG_SUBMITTED);
    cluster_stop(cluster, leader->id - 1);
    assert_int_equal(answer.yes, 0);
    assert_int_equal(answer.no, 1);
    cluster_destroy(cluster);
}

/* A new leader to whom all is committed appends an entry of its own term, or nobody could ask it.
 */
static void a_leader_with_nothing_to_commit_confirms(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(6, 3);
    cluster_start_all(cluster);
    size_t first = cluster_wait_leader(cluster)->id - 1;
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_stop(cluster, first); /* hands over to one who knows that all is committed */
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_run(cluster, SIM_SECOND);
    struct answer answer = {.node = leader};
    assert_int_equal(rlog_confirm(leader->rlog, on_confirmed, &answer), RLOG_SUBMITTED);
    wait_answer(cluster, &answer);
    assert_int_equal(answer.yes, 1);
    cluster_destroy(cluster);
}

static void a_single_node_confirms(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(7, 1);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    struct answer answer = {.node = leader};
    assert_int_equal(rlog_confirm(leader->rlog, on_confirmed, &answer), RLOG_SUBMITTED);
    wait_answer(cluster, &answer);
    assert_int_equal(answer.yes, 1);
    cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(see_everything_committed_before),
        cmocka_unit_test(many_share_rounds),
        cmocka_unit_test(a_follower_takes_none),
        cmocka_unit_test(without_a_majority_none_is_confirmed),
        cmocka_unit_test(a_frozen_leader_that_was_replaced_confirms_none),
        cmocka_unit_test(a_stopping_leader_refuses_what_waits),
        cmocka_unit_test(a_single_node_confirms),
        cmocka_unit_test(a_leader_with_nothing_to_commit_confirms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

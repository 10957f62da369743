/* A backup's pieces are read beside the loop: a disk that does not answer holds nobody else up,
 * only so many are read at one time, and who is gone meanwhile gets nothing. */
#include "tests/node/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPERATOR "tenure://test/-/operator/root"

struct fixture {
    struct world world;
    struct env_tls *tls;
    struct raw raw;
    size_t leader;
    uint64_t index; /* of the leader's snapshot */
};

static struct fixture fixture;

static struct sim_host *host_of(struct fixture *f)
{
    return f->world.nodes[f->leader].host;
}

static int start(void **state)
{
    struct fixture *f = *state = &fixture;
    struct rlog_status status;
    world_start(&f->world, 1);
    f->leader = world_leader(&f->world);
    rlog_snapshot_now(f->world.nodes[f->leader].node->rlog);
    world_pass(&f->world, SIM_SECOND);
    rlog_status(f->world.nodes[f->leader].node->rlog, &status);
    assert_true(status.snapshot > 0);
    f->index = status.snapshot;
    f->tls = world_identity(&f->world, OPERATOR);
    raw_open(&f->raw, &f->world, f->leader, f->tls);
    raw_hello(&f->raw);
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    raw_close(&f->raw);
    env_tls_destroy(f->tls);
    world_end(&f->world);
    return 0;
}

static void ask(struct fixture *f, uint32_t msgid, uint64_t index)
{
    const struct op_snapshot_read_request read = {
        .has_index = true, .index = index, .has_offset = true};
    raw_request(&f->raw, msgid, OP_METHOD_SNAPSHOT_READ, NULL, &op_snapshot_read_request_struct,
                &read);
}

static void are_those_of_the_newest_snapshot(void **state)
{
    struct fixture *f = *state;
    struct raw_answer answer;
    ask(f, 2, f->index);
    raw_answer(&f->raw, &answer);
    assert_int_equal(answer.head.outcome, OP_OK);
    assert_true(answer.result.size > 100);
    ask(f, 3, f->index + 1);
    raw_expect(&f->raw, 3, OP_NOT_FOUND);
    ask(f, 4, 0);
    raw_expect(&f->raw, 4, OP_NOT_FOUND);
}

static void a_disk_that_does_not_answer_holds_nobody(void **state)
{
    struct fixture *f = *state;
    const struct op_time_request time = {.has_time = true, .time = WORLD_T0};
    sim_disk_hang(host_of(f), true);
    for (uint32_t i = 0; i < NODE_PIECES_MAX; i++) {
        ask(f, 10 + i, f->index);
    }
    ask(f, 20, f->index);
    raw_expect(&f->raw, 20, OP_NOT_READY); /* no more at one time */
    raw_request(&f->raw, 21, OP_METHOD_TIME, NULL, &op_time_request_struct, &time);
    struct raw_answer answer;
    raw_answer(&f->raw, &answer); /* and the others still wait */
    assert_int_equal(answer.msgid, 21);
    sim_disk_hang(host_of(f), false);
    for (uint32_t i = 0; i < NODE_PIECES_MAX; i++) {
        raw_answer(&f->raw, &answer);
        assert_in_range(answer.msgid, 10, 10 + NODE_PIECES_MAX - 1);
        assert_int_equal(answer.head.outcome, OP_OK);
    }
    ask(f, 30, f->index);
    raw_expect(&f->raw, 30, OP_OK);
}

static void who_is_gone_gets_nothing(void **state)
{
    struct fixture *f = *state;
    struct node *node = f->world.nodes[f->leader].node;
    sim_disk_hang(host_of(f), true);
    ask(f, 2, f->index);
    world_pass(&f->world, SIM_SECOND / 10);
    assert_false(node_pieces_idle(&node->pieces));
    raw_close(&f->raw);
    world_pass(&f->world, SIM_SECOND / 10);
    sim_disk_hang(host_of(f), false);
    world_pass(&f->world, SIM_SECOND);
    assert_true(node_pieces_idle(&node->pieces));
    raw_open(&f->raw, &f->world, f->leader, f->tls);
    raw_hello(&f->raw);
}

/* And who is asked is gone. */
static void a_node_ends_while_it_reads(void **state)
{
    struct fixture *f = *state;
    sim_disk_hang(host_of(f), true);
    ask(f, 2, f->index);
    world_pass(&f->world, SIM_SECOND / 10);
    world_node_kill(&f->world.nodes[f->leader]);
    sim_disk_hang(host_of(f), false);
    world_pass(&f->world, SIM_SECOND / 10);
    raw_expect_closed(&f->raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(are_those_of_the_newest_snapshot, start, end),
        cmocka_unit_test_setup_teardown(a_disk_that_does_not_answer_holds_nobody, start, end),
        cmocka_unit_test_setup_teardown(who_is_gone_gets_nothing, start, end),
        cmocka_unit_test_setup_teardown(a_node_ends_while_it_reads, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a later version wrote stops a node, with one line that says what to do; it is never skipped,
 * and the node's data stays as it is.
 */
#include "tests/node/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { LATER = 1999 }; /* no command of this version */

/* An entry of one command of that number; `version` is the entry's own. */
static struct bytes later_entry(uint8_t buffer[64], uint8_t version, uint32_t number)
{
    struct op_command tick = {.number = OP_COMMAND_TICK};
    struct base_writer writer, at;
    base_writer_init(&writer, buffer, 64);
    op_entry_begin(&writer);
    size_t head = base_written(&writer).size;
    op_entry_add(&writer, &tick);
    op_entry_finish(&writer, WORLD_T0, 1);
    buffer[0] = version;
    base_writer_init(&at, buffer + head + 4, 4);
    base_write_u32(&at, number);
    return base_written(&writer);
}

/* Whoever hears that the entry is committed stops. The last one never does: it has no majority. */
static bool majority_failed(void *arg)
{
    const struct world *world = arg;
    size_t failed = 0;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        failed += world->nodes[i].failed;
    }
    return failed == WORLD_NODES - 1;
}

static void expect_failures(struct world *world, const char *what)
{
    assert_true(sim_run_until(world->sim, majority_failed, world, 20 * SIM_SECOND));
    world_pass(world, 5 * SIM_SECOND);
    assert_true(majority_failed(world));
    for (size_t i = 0; i < WORLD_NODES; i++) {
        const char *error = world->nodes[i].error;
        if (world->nodes[i].failed &&
            (strstr(error, what) == NULL || strstr(error, "upgrade this node") == NULL ||
             strstr(error, "of term") == NULL || strchr(error, '\n') != NULL)) {
            fail_msg("node %zu says: %s", i + 1, error);
        }
    }
}

static void stopped_by(uint8_t version, uint32_t number, const char *what)
{
    struct world world;
    uint8_t buffer[64];
    uint64_t index, position;
    world_start(&world, 50 + version + number);
    world_agree(&world);
    size_t leader = world_leader(&world);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world.nodes[i].may_fail = true;
    }
    position = fsm_position(world.nodes[leader].node->fsm);
    assert_int_equal(
        rlog_submit(world.nodes[leader].node->rlog, later_entry(buffer, version, number), &index),
        RLOG_SUBMITTED);
    expect_failures(&world, what);
    for (size_t i = 0; i < WORLD_NODES; i++) { /* nothing behind it was applied, nor half of it */
        assert_true(fsm_position(world.nodes[i].node->fsm) <= position + 4);
        world_node_kill(&world.nodes[i]);
    }
    for (size_t i = 0; i < WORLD_NODES; i++) { /* it is there still, and stops them again */
        world.nodes[i].failed = false;
        world_node_run(&world.nodes[i]);
    }
    expect_failures(&world, what);
    world_end(&world);
}

static void an_entry_of_a_later_version_stops_each_node(void **state)
{
    (void)state;
    stopped_by(2, OP_COMMAND_TICK, "entries of version 2");
}

static void a_command_of_a_later_version_stops_each_node(void **state)
{
    (void)state;
    stopped_by(OP_ENTRY_VERSION, LATER, "command 1999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_of_a_later_version_stops_each_node),
        cmocka_unit_test(a_command_of_a_later_version_stops_each_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

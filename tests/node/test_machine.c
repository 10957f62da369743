/* Why an image was refused is the work's own, on another thread, until the work says that it is
 * done: a node that ends meanwhile, for another reason, looks at none of it.
 */
#include "tests/node/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

enum { TIMES = 200 };

struct worker {
    struct rlog_machine machine;
    size_t refused;
};

/* As raftlog's queued work does it with an image that this program does not understand. */
static void *refuse_images(void *arg)
{
    struct worker *worker = arg;
    const struct rlog_machine *machine = &worker->machine;
    for (size_t i = 0; i < TIMES; i++) {
        bool begun = machine->restore_begin(machine->arg) == ENV_OK;
        worker->refused += begun && machine->restore_feed(machine->arg,
                                                          bytes_of_text("no image at all")) != 0;
        machine->restore_drop(machine->arg);
    }
    return NULL;
}

/* What the node says when it ends now. */
static const char *ends(struct world_node *which, const struct rlog_machine *machine)
{
    which->node->failed = false;
    machine->on_fatal(machine->arg, ENV_FAILED, "the log cannot be written");
    return which->error;
}

/* On another thread, for the thread sanitizer; what is said is the same on any. */
static void an_image_s_refusal_is_said_when_its_work_is_done(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 83);
    struct world_node *which = &world.nodes[0];
    which->may_fail = true;
    struct node *node = which->node;
    struct worker worker = {.machine = node_machine_of(node)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, refuse_images, &worker), 0);
    for (size_t i = 0; i < TIMES; i++) {
        (void)ends(which, &worker.machine);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(worker.refused, TIMES);
    assert_true(node->second.error[0] != '\0');
    assert_null(strstr(ends(which, &worker.machine), node->second.error));
    worker.machine.restore_refused(node);
    assert_non_null(strstr(ends(which, &worker.machine), node->second.error));
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_s_refusal_is_said_when_its_work_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

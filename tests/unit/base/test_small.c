/* Law: lists keep their order and tolerate double removal; arithmetic saturates; ASSERT ends. */
#include "base/assert.h"
#include "base/list.h"
#include "base/sat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct element {
    int number;
    struct list node;
};

static int digits(struct list *head)
{
    int all = 0;

    LIST_FOR_EACH(node, head)
    {
        all = all * 10 + LIST_ENTRY(node, struct element, node)->number;
    }
    return all;
}

static void a_list_keeps_its_order(void **state)
{
    struct list head;
    struct element elements[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};

    (void)state;
    list_init(&head);
    assert_true(list_empty(&head));
    for (size_t i = 0; i < 3; i++) {
        list_append(&head, &elements[i].node);
    }
    list_prepend(&head, &elements[3].node);
    assert_int_equal(digits(&head), 4123);
    list_remove(&elements[1].node);
    list_remove(&elements[1].node);
    assert_int_equal(digits(&head), 413);
    LIST_FOR_EACH_SAFE(node, following, &head)
    {
        if (LIST_ENTRY(node, struct element, node)->number != 1) {
            list_remove(node);
        }
    }
    assert_int_equal(digits(&head), 1);
}

static void arithmetic_saturates(void **state)
{
    (void)state;
    assert_true(sat_add(UINT64_MAX, 1) == UINT64_MAX);
    assert_true(sat_add(UINT64_MAX - 1, 1) == UINT64_MAX);
    assert_true(sat_add(2, 3) == 5);
    assert_true(sat_sub(2, 3) == 0);
    assert_true(sat_sub(3, 2) == 1);
    assert_true(u64_min(2, 3) == 2 && u64_max(2, 3) == 3);
}

static void a_broken_assertion_ends_the_process(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(2);
        ASSERT(1 + 1 == 3);
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_keeps_its_order),
        cmocka_unit_test(arithmetic_saturates),
        cmocka_unit_test(a_broken_assertion_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

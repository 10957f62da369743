/* A call's states: every move of the table, and no other (R1, R2). */
#include "node/request.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool may_move(enum request_state from, enum request_state to)
{
    static const enum request_state allowed[][2] = {
        {REQUEST_RECEIVED, REQUEST_QUEUED},    {REQUEST_RECEIVED, REQUEST_ARRIVED},
        {REQUEST_RECEIVED, REQUEST_ANSWERED},  {REQUEST_QUEUED, REQUEST_SUBMITTED},
        {REQUEST_QUEUED, REQUEST_ANSWERED},    {REQUEST_SUBMITTED, REQUEST_ANSWERED},
        {REQUEST_ARRIVED, REQUEST_CONFIRMING}, {REQUEST_ARRIVED, REQUEST_ANSWERED},
        {REQUEST_CONFIRMING, REQUEST_WAITING}, {REQUEST_CONFIRMING, REQUEST_ANSWERED},
        {REQUEST_CONFIRMING, REQUEST_QUEUED},  {REQUEST_WAITING, REQUEST_QUEUED},
        {REQUEST_WAITING, REQUEST_ANSWERED},   {REQUEST_CONFIRMING, REQUEST_OPERATING},
        {REQUEST_OPERATING, REQUEST_ANSWERED},
    };
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (allowed[i][0] == from && allowed[i][1] == to) {
            return true;
        }
    }
    return false;
}

/* Whether the move ends the process: tried in a child. */
static bool ends(enum request_state from, enum request_state to)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct node_request request = {.state = from};
        (void)close(2); /* the assertion's line belongs in no test's output */
        (void)signal(SIGABRT, SIG_DFL);
        node_request_move(&request, to);
        _exit(request.state == to ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void only_the_table_s_moves_are_made(void **state)
{
    (void)state;
    for (unsigned from = REQUEST_RECEIVED; from <= REQUEST_ANSWERED; from++) {
        for (unsigned to = REQUEST_RECEIVED; to <= REQUEST_ANSWERED; to++) {
            assert_int_equal(ends((enum request_state)from, (enum request_state)to),
                             !may_move((enum request_state)from, (enum request_state)to));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_table_s_moves_are_made)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

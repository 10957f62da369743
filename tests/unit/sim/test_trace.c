/* One seed is one course of events: equal seeds give equal traces, other seeds other ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "env/clock.h"
#include "env/sim/sim.h"
#include "tests/unit/sim/scenario.h"

enum { SEEDS = 20 };

static void equal_seeds_equal_traces(void **state)
{
    (void)state;
    struct scenario_result sum = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct scenario_result first = scenario_run(seed);
        void *shift = malloc(seed * 1000); /* other addresses */
        struct scenario_result second = scenario_run(seed);
        free(shift);
        assert_int_equal(first.trace, second.trace);
        assert_int_equal(first.messages, second.messages);
        sum.messages += first.messages;
        sum.syncs += first.syncs;
        sum.restarts += first.restarts;
        sum.lost += first.lost;
    }
    /* The traces are those of busy worlds. */
    assert_true(sum.messages > 1000 && sum.syncs > 1000 && sum.restarts > 20 && sum.lost > 20);
}

static void different_seeds_different_traces(void **state)
{
    (void)state;
    uint64_t traces[SEEDS];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        traces[seed] = scenario_run(seed).trace;
        for (uint64_t other = 0; other < seed; other++) {
            assert_true(traces[seed] != traces[other]);
        }
    }
}

static void nothing(void *arg)
{
    (void)arg;
}

static uint64_t trace_of_one_timer(uint64_t delay_us)
{
    struct sim *sim = sim_create(1);
    struct env *env = sim_process_start(sim_host_create(sim, "n1"), "node");
    env_timer_start(env_timer_create(env, nothing, NULL), delay_us);
    (void)sim_run_until(sim, NULL, NULL, SIM_SECOND);
    uint64_t trace = sim_trace_hash(sim);
    sim_destroy(sim);
    return trace;
}

static void one_microsecond_changes_the_trace(void **state)
{
    (void)state;
    assert_true(trace_of_one_timer(1000) == trace_of_one_timer(1000));
    assert_true(trace_of_one_timer(1000) != trace_of_one_timer(1001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_seeds_equal_traces),
        cmocka_unit_test(different_seeds_different_traces),
        cmocka_unit_test(one_microsecond_changes_the_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Law: clocks go forward, timers fire once, in order and never early, and a turn's end stands
 * between its callbacks and the next wait, also when another loop embeds this one (env/clock.h,
 * env/loop.h). */
#include "env/clock.h"
#include "env/loop.h"
#include "env/random.h"
#include "tests/unit/env/place.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { TIMERS = 8, SECOND_US = 1000000 };

static int set_up(void **state)
{
    struct env *env = NULL;
    assert_int_equal(env_uv_create(&env), 0);
    *state = env;
    return 0;
}

static int tear_down(void **state)
{
    env_uv_destroy(*state);
    return 0;
}

static void clocks_go_forward(void **state)
{
    struct env *env = *state;
    uint64_t mono = env_mono_us(env);
    uint64_t boot = env_boot_us(env);
    for (int i = 0; i < 100000; i++) {
        uint64_t mono_now = env_mono_us(env);
        uint64_t boot_now = env_boot_us(env);
        assert_true(mono_now >= mono && boot_now >= boot);
        mono = mono_now;
        boot = boot_now;
    }
    assert_true(env_wall_us(env) > UINT64_C(1700000000) * SECOND_US);
    (void)env_wall_synchronised(env);
}

static void the_boot_id_is_the_same_for_each_env(void **state)
{
    struct env *other = NULL;
    assert_int_equal(env_uv_create(&other), 0);
    assert_false(id128_is_zero(env_boot_id(other)));
    assert_true(id128_equal(env_boot_id(other), env_boot_id(*state)));
    env_uv_destroy(other);
}

/* In a time namespace whose boot clock is so far ahead. False: nobody may make one here. */
static bool boot_id_ahead(const char *offsets, struct id128 *ret_id)
{
    int ends[2];
    pid_t child;
    assert_int_equal(pipe(ends), 0);
    if ((child = fork()) == 0) {
        int fd = unshare(CLONE_NEWTIME) == 0 ? open("/proc/self/timens_offsets", O_WRONLY) : -1;
        if (fd < 0 || write(fd, offsets, strlen(offsets)) < 0 || close(fd) != 0) {
            _exit(1);
        }
        if (fork() == 0) { /* children are in it, the process itself is not */
            struct env *env = NULL;
            struct id128 id;
            if (env_uv_create(&env) == 0) {
                id = env_boot_id(env);
                _exit(write(ends[1], &id, sizeof(id)) == sizeof(id) ? 0 : 1);
            }
            _exit(1);
        }
        int status = 1;
        (void)wait(&status);
        _exit(status == 0 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    bool good = status == 0 && read(ends[0], ret_id, sizeof(*ret_id)) == sizeof(*ret_id);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return good;
}

/* The kernel gives the number of a namespace that is gone to the next one. */
static void another_time_namespace_is_another_boot(void **state)
{
    struct id128 first, second;
    if (!boot_id_ahead("boottime 100 0", &first)) {
        print_message("nobody may make a time namespace here: NOT SHOWN\n");
        return;
    }
    assert_true(boot_id_ahead("boottime 5000 0", &second));
    assert_false(id128_equal(first, second));
    assert_false(id128_equal(first, env_boot_id(*state)));
}

static void random_bytes_differ(void **state)
{
    uint8_t a[1000] = {0};
    uint8_t b[1000] = {0};
    env_random(*state, a, sizeof(a));
    env_random(*state, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 984, b + 984, 16);
}

/* As a long callback would: the loop's idea of the time grows old. */
static void be_busy_until(struct env *env, uint64_t until)
{
    while (env_mono_us(env) < until) {
    }
}

struct clocked {
    struct env *env;
    struct env_timer *timer;
    uint64_t due_us;
    bool in_start;
    int fired;
    int *order;
    int place;
};

static void on_timer(void *arg)
{
    struct clocked *clocked = arg;
    assert_false(clocked->in_start);
    assert_true(env_mono_us(clocked->env) >= clocked->due_us);
    clocked->fired++;
    clocked->place = ++*clocked->order;
}

static void start(struct clocked *clocked, uint64_t delay_us)
{
    clocked->due_us = env_mono_us(clocked->env) + delay_us;
    clocked->in_start = true;
    env_timer_start(clocked->timer, delay_us);
    clocked->in_start = false;
}

static void timers_fire_once_in_order_and_never_early(void **state)
{
    static const uint64_t delays[TIMERS] = {20000, 1, 5000, 999, 12345, 0, 30001, 1001};
    struct env *env = *state;
    struct clocked timers[TIMERS];
    uint64_t due_from[TIMERS]; /* this process may stand still between two starts */
    uint64_t due_to[TIMERS];
    for (int round = 0; round < 20; round++) {
        int order = 0;
        for (int i = 0; i < TIMERS; i++) {
            timers[i] = (struct clocked){.env = env, .order = &order};
            timers[i].timer = env_timer_create(env, on_timer, &timers[i]);
            due_from[i] = env_mono_us(env) + delays[i];
            start(&timers[i], delays[i]);
            due_to[i] = env_mono_us(env) + delays[i];
        }
        while (order < TIMERS) {
            env_turn(env, 100000);
        }
        for (int i = 0; i < TIMERS; i++) {
            assert_int_equal(timers[i].fired, 1);
            for (int j = 0; j < TIMERS; j++) {
                if (due_to[i] + 2000 < due_from[j]) {
                    assert_true(timers[i].place < timers[j].place);
                }
            }
            env_timer_destroy(timers[i].timer);
        }
    }
}

static void a_busy_loop_makes_no_timer_early(void **state)
{
    struct env *env = *state;
    int order = 0;
    struct clocked clocked = {.env = env, .order = &order};
    clocked.timer = env_timer_create(env, on_timer, &clocked);
    env_turn(env, 0);
    be_busy_until(env, env_mono_us(env) + 30000);
    start(&clocked, 20000);
    be_busy_until(env, env_mono_us(env) + 10000);
    assert_in_range(env_timeout_us(env), 0, 12000);
    while (clocked.fired == 0) {
        env_turn(env, 100000);
    }
    env_timer_destroy(clocked.timer);
}

static void stopped_and_destroyed_timers_do_not_fire(void **state)
{
    struct env *env = *state;
    int order = 0;
    struct clocked stopped = {.env = env, .order = &order};
    struct clocked destroyed = {.env = env, .order = &order};
    struct clocked later = {.env = env, .order = &order};
    stopped.timer = env_timer_create(env, on_timer, &stopped);
    destroyed.timer = env_timer_create(env, on_timer, &destroyed);
    later.timer = env_timer_create(env, on_timer, &later);
    start(&stopped, 1000);
    start(&destroyed, 1000);
    start(&later, 1000);
    start(&later, 20000); /* replaces */
    env_timer_stop(stopped.timer);
    env_timer_destroy(destroyed.timer);
    env_timer_destroy(NULL);
    while (later.fired == 0) {
        env_turn(env, 100000);
    }
    assert_int_equal(order, 1);
    env_timer_destroy(stopped.timer);
    env_timer_destroy(later.timer);
}

struct restarting {
    struct env_timer *timer;
    unsigned fired;
    unsigned turns;
};

static void restart(void *arg)
{
    struct restarting *restarting = arg;
    restarting->fired++;
    env_timer_start(restarting->timer, 0);
}

static void a_timer_that_starts_itself_lets_turns_end(void **state)
{
    struct env *env = *state;
    struct restarting restarting = {0};
    restarting.timer = env_timer_create(env, restart, &restarting);
    env_timer_start(restarting.timer, 0);
    while (restarting.fired < 20) {
        env_turn(env, 100000);
        restarting.turns++;
        assert_in_range(restarting.fired, 0, 2 * restarting.turns);
    }
    env_timer_destroy(restarting.timer);
}

static void a_timer_without_delay_fires_in_the_next_turn(void **state)
{
    struct env *env = *state;
    int order = 0;
    struct clocked clocked = {.env = env, .order = &order};
    clocked.timer = env_timer_create(env, on_timer, &clocked);
    for (int i = 1; i <= 10; i++) {
        env_timer_start(clocked.timer, 0);
        assert_int_equal(clocked.fired, i - 1);
        assert_int_equal(env_timeout_us(env), 0);
        env_turn(env, UINT64_MAX);
        assert_int_equal(clocked.fired, i);
    }
    env_timer_start(clocked.timer, 0);
    env_timer_stop(clocked.timer);
    env_turn(env, 0);
    assert_int_equal(clocked.fired, 10);
    env_timer_start(clocked.timer, 0);
    env_timer_destroy(clocked.timer);
    env_turn(env, 0);
    assert_int_equal(clocked.fired, 10);
}

/* A wait is bounded, and it is a wait: one that was interrupted twice may end early (env/uv/loop.c,
 * step 2), but turns do not spin. */
static void a_turn_waits_as_long_as_it_may(void **state)
{
    struct env *env = *state;
    uint64_t from = env_mono_us(env);
    int turns = 0;
    while (env_mono_us(env) - from < 300000) {
        env_turn(env, 30000);
        turns++;
    }
    assert_in_range(turns, 1, 100);
    assert_in_range(env_mono_us(env) - from, 300000, 10 * SECOND_US);
    from = env_mono_us(env);
    env_turn(env, 0);
    assert_in_range(env_mono_us(env) - from, 0, 5 * SECOND_US);
}

struct trace {
    struct env *env;
    char text[256];
};

static void add(struct trace *trace, const char *word)
{
    size_t used = strlen(trace->text);
    (void)snprintf(trace->text + used, sizeof(trace->text) - used, "%s", word);
}

static void trace_timer(void *arg)
{
    add(arg, "T");
}

static void trace_turn_end(void *arg)
{
    add(arg, ".");
}

/* libuv 1.44 runs due timers before it polls, and would wait with the batch unpacked. */
static void the_turn_end_comes_before_the_wait(void **state)
{
    struct env *env = *state;
    struct trace trace = {.env = env};
    struct env_timer *soon = env_timer_create(env, trace_timer, &trace);
    env_on_turn_end(env, trace_turn_end, &trace);
    env_timer_start(soon, 1);
    uint64_t until = env_mono_us(env) + 5000;
    be_busy_until(env, until);
    env_turn(env, 20 * (uint64_t)SECOND_US);
    assert_in_range(env_mono_us(env) - until, 0, 10 * SECOND_US);
    assert_string_equal(trace.text, "T.");
    env_on_turn_end(env, NULL, NULL);
    env_turn(env, 0);
    assert_string_equal(trace.text, "T.");
    env_timer_destroy(soon);
}

static void waking_ends_the_wait(void **state)
{
    struct env *env = *state;
    uint64_t from = env_mono_us(env);
    env_wake(env);
    env_turn(env, UINT64_MAX);
    assert_in_range(env_mono_us(env) - from, 0, 10 * SECOND_US);
}

/* As another event loop would: it waits for the fd or the time and makes a turn without waiting. */
static void an_embedding_loop_is_told_when_to_turn(void **state)
{
    struct env *env = *state;
    int order = 0;
    struct clocked clocked = {.env = env, .order = &order};
    clocked.timer = env_timer_create(env, on_timer, &clocked);
    env_turn(env, 0);
    assert_int_equal(env_timeout_us(env), UINT64_MAX);
    start(&clocked, 20000);
    unsigned turns = 0;
    for (; clocked.fired == 0; turns++) {
        uint64_t timeout_us = env_timeout_us(env);
        assert_in_range(timeout_us, 0, 22000);
        struct pollfd poll_fd = {.fd = env_fd(env), .events = POLLIN};
        (void)poll(&poll_fd, 1, (int)((timeout_us + 999) / 1000));
        env_turn(env, 0);
    }
    assert_in_range(turns, 1, 20);
    env_timer_destroy(clocked.timer);
}

struct told {
    bool came;
    int signal;
};

static void on_signal(void *arg, int signal)
{
    struct told *told = arg;
    told->came = true;
    told->signal = signal;
}

static void signals_arrive_on_the_loop(void **state)
{
    struct env *env = *state;
    struct told first = {0};
    struct told told = {0};
    env_uv_on_signal(env, SIGUSR1, on_signal, &first);
    env_uv_on_signal(env, SIGUSR1, on_signal, &told); /* replaces */
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    while (!told.came) {
        env_turn(env, SECOND_US);
    }
    assert_int_equal(told.signal, SIGUSR1);
    assert_false(first.came);
    env_uv_on_signal(env, SIGUSR1, NULL, NULL);
    assert_int_equal(kill(getpid(), SIGUSR1), 0); /* ignored, not fatal */
}

static void keep_busy(void *arg)
{
    struct env *env = arg;
    uint64_t began = env_mono_us(env);
    while (env_mono_us(env) - began < SECOND_US / 50) {
    }
}

/* The wait is many times as long as the work, and no part of it. */
static void a_turn_s_time_is_that_of_its_callbacks(void **state)
{
    struct env *env = *state;
    struct env_timer *timer = env_timer_create(env, keep_busy, env);
    uint64_t began = env_mono_us(env);
    env_timer_start(timer, SECOND_US / 2);
    uint64_t longest = 0, all = 0;
    while (longest < SECOND_US / 50) {
        env_turn(env, 2 * SECOND_US);
        longest = env_turn_us(env) > longest ? env_turn_us(env) : longest;
        all += env_turn_us(env);
    }
    assert_true(env_mono_us(env) - began >= SECOND_US / 2 + SECOND_US / 50);
    assert_true(all <= env_mono_us(env) - began - SECOND_US / 4);
    env_timer_destroy(timer);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(clocks_go_forward),
        CASE(the_boot_id_is_the_same_for_each_env),
        CASE(another_time_namespace_is_another_boot),
        CASE(random_bytes_differ),
        CASE(timers_fire_once_in_order_and_never_early),
        CASE(a_timer_without_delay_fires_in_the_next_turn),
        CASE(a_busy_loop_makes_no_timer_early),
        CASE(stopped_and_destroyed_timers_do_not_fire),
        CASE(a_timer_that_starts_itself_lets_turns_end),
        CASE(a_turn_waits_as_long_as_it_may),
        CASE(the_turn_end_comes_before_the_wait),
        CASE(a_turn_s_time_is_that_of_its_callbacks),
        CASE(waking_ends_the_wait),
        CASE(an_embedding_loop_is_told_when_to_turn),
        CASE(signals_arrive_on_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Processes get their events in order, one turn end after them, and nothing once they crashed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "env/clock.h"
#include "env/disk.h"
#include "env/fault.h"
#include "env/loop.h"
#include "env/random.h"
#include "env/sim/sim.h"
#include "env/work.h"

/* What happened, as letters. */
struct diary {
    char text[128];
    struct env *env;
    struct env_timer *timer;
};

static void note(struct diary *diary, char letter)
{
    size_t size = strlen(diary->text);
    assert_true(size + 1 < sizeof(diary->text));
    diary->text[size] = letter;
}

static void on_timer(void *arg)
{
    note(arg, 't');
}

static void on_turn_end(void *arg)
{
    note(arg, '.');
}

static struct env *process(struct sim *sim, struct diary *diary)
{
    struct env *env = sim_process_start(sim_host_create(sim, "n1"), "node");
    diary->env = env;
    env_on_turn_end(env, on_turn_end, diary);
    return env;
}

static void start_timer(struct diary *diary, uint64_t delay_us)
{
    struct env_timer *timer = env_timer_create(diary->env, on_timer, diary);
    assert_non_null(timer);
    env_timer_start(timer, delay_us);
}

static void timers_fire_once_and_never_early(void **state)
{
    (void)state;
    struct sim *sim = sim_create(1);
    struct diary diary = {0};
    process(sim, &diary);
    start_timer(&diary, 1000);
    sim_run_until(sim, NULL, NULL, 999);
    assert_string_equal(diary.text, "");
    sim_run_until(sim, NULL, NULL, 100);
    assert_string_equal(diary.text, "t.");
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "t.");
    sim_destroy(sim);
}

static void restart_replaces_stop_and_destroy_silence(void **state)
{
    (void)state;
    struct sim *sim = sim_create(2);
    struct diary diary = {0};
    struct env *env = process(sim, &diary);
    struct env_timer *timer = env_timer_create(env, on_timer, &diary);
    env_timer_start(timer, 1000);
    env_timer_start(timer, 5000);
    sim_run_until(sim, NULL, NULL, 4999);
    assert_string_equal(diary.text, "");
    env_timer_stop(timer);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    env_timer_start(timer, 0);
    env_timer_destroy(timer);
    env_timer_destroy(NULL);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "");
    sim_destroy(sim);
}

static void one_turn_end_for_all_of_an_instant(void **state)
{
    (void)state;
    struct sim *sim = sim_create(3);
    struct diary diary = {0};
    struct env *env = process(sim, &diary);
    sim_process_pause(env);
    start_timer(&diary, 1000);
    start_timer(&diary, 2000);
    start_timer(&diary, 3000);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "");
    sim_process_resume(env);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "ttt.");
    start_timer(&diary, 1000);
    start_timer(&diary, 20000);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "ttt.t.t.");
    sim_destroy(sim);
}

static void on_late_timer(void *arg)
{
    note(arg, 'T');
}

static void what_waited_comes_in_its_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct sim *sim = sim_create(seed);
        struct diary diary = {0};
        struct env *env = process(sim, &diary);
        sim_process_pause(env);
        env_timer_start(env_timer_create(env, on_late_timer, &diary), 2000);
        start_timer(&diary, 1000);
        sim_run_until(sim, NULL, NULL, SIM_SECOND);
        sim_process_resume(env);
        sim_run_until(sim, NULL, NULL, SIM_SECOND);
        assert_string_equal(diary.text, "tT.");
        sim_destroy(sim);
    }
}

static void turn_moves_the_world_for_one_process(void **state)
{
    (void)state;
    struct sim *sim = sim_create(4);
    struct diary diary = {0};
    struct env *env = process(sim, &diary);
    assert_int_equal(env_fd(env), -1);
    assert_int_equal(env_timeout_us(env), UINT64_MAX);
    start_timer(&diary, 3 * SIM_SECOND);
    assert_in_range(env_timeout_us(env), 3 * SIM_SECOND, 3 * SIM_SECOND + 100);
    uint64_t start_us = sim_now_us(sim);
    env_turn(env, SIM_SECOND);
    assert_int_equal(sim_now_us(sim), start_us + SIM_SECOND);
    assert_string_equal(diary.text, ".");
    env_turn(env, UINT64_MAX);
    assert_string_equal(diary.text, "..t.");
    env_turn(env, UINT64_MAX); /* nothing will ever happen: it returns */
    env_wake(env);
    env_wake(env);
    env_turn(env, UINT64_MAX);
    assert_string_equal(diary.text, "..t....");
    sim_destroy(sim);
}

static void ties_are_broken_by_the_seed(void **state)
{
    (void)state;
    unsigned swapped = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sim *sim = sim_create(seed);
        struct diary first = {0};
        struct diary second = {0};
        env_wake(process(sim, &first));
        env_wake(process(sim, &second));
        assert_true(sim_step(sim));
        swapped += second.text[0] != '\0';
        sim_destroy(sim);
    }
    assert_in_range(swapped, 1, 19);
}

static void work_run(struct env_work *work)
{
    note(work->arg, 'r');
}

static void work_done(struct env_work *work)
{
    note(work->arg, 'd');
}

static void work_runs_later_and_then_is_done(void **state)
{
    (void)state;
    struct sim *sim = sim_create(5);
    struct diary diary = {0};
    struct env *env = process(sim, &diary);
    struct env_work work = {work_run, work_done, &diary, NULL};
    env_work_submit(env, &work);
    assert_string_equal(diary.text, "");
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "r.d.");
    sim_destroy(sim);
}

static void work_of_a_hanging_disk_waits(void **state)
{
    (void)state;
    struct sim *sim = sim_create(6);
    struct diary diary = {0};
    struct sim_host *host = sim_host_create(sim, "n1");
    struct env *env = sim_process_start(host, "node");
    struct env_work work = {work_run, work_done, &diary, NULL};
    sim_disk_hang(host, true);
    env_work_submit(env, &work);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "");
    sim_disk_hang(host, false);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "rd");
    sim_disk_latency(host, 5000, 0);
    env_work_submit(env, &work);
    sim_run_until(sim, NULL, NULL, 4999);
    assert_string_equal(diary.text, "rd");
    sim_run_until(sim, NULL, NULL, 100);
    assert_string_equal(diary.text, "rdrd");
    sim_destroy(sim);
}

static void two_orders_of_parallel_work_occur(void **state)
{
    (void)state;
    unsigned swapped = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sim *sim = sim_create(seed);
        struct diary first = {0};
        struct diary second = {0};
        struct env *env = process(sim, &first);
        env_on_turn_end(env, NULL, NULL);
        struct env_work a = {work_run, work_done, &first, NULL};
        struct env_work b = {work_run, work_done, &second, NULL};
        env_work_submit(env, &a);
        env_work_submit(env, &b);
        while (first.text[0] == '\0' && second.text[0] == '\0') {
            assert_true(sim_step(sim));
        }
        swapped += second.text[0] != '\0';
        sim_destroy(sim);
    }
    assert_in_range(swapped, 1, 19);
}

static void on_timer_crash(void *arg)
{
    struct diary *diary = arg;
    note(diary, 'c');
    sim_fault_crash_at(diary->env, "here", 1, SIM_CRASH_PROCESS);
    env_fault(diary->env, "here");
    start_timer(diary, 0);
    env_timer_start(diary->timer, 0);
    env_wake(diary->env);
}

static void crash_silences_everything(void **state)
{
    (void)state;
    struct sim *sim = sim_create(7);
    struct diary diary = {0};
    struct env *env = process(sim, &diary);
    struct env_work work = {work_run, work_done, &diary, NULL};
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(env, "/f", ENV_OPEN_CREATE, &file), 0);
    start_timer(&diary, 2 * SIM_SECOND);
    diary.timer = env_timer_create(env, on_timer_crash, &diary);
    env_timer_start(diary.timer, SIM_SECOND);
    sim_run_until(sim, NULL, NULL, SIM_SECOND + SIM_SECOND / 2);
    assert_string_equal(diary.text, "c");
    assert_true(sim_process_crashed(env));
    env_work_submit(env, &work);
    env_turn(env, SIM_SECOND);
    uint64_t size = 7;
    assert_int_equal(env_file_size(file, &size), ENV_CRASHED);
    assert_int_equal(env_folder_create(env, "/d"), ENV_CRASHED);
    sim_run_until(sim, NULL, NULL, 10 * SIM_SECOND);
    assert_string_equal(diary.text, "c");
    env_timer_destroy(diary.timer);
    env_file_close(file);
    sim_process_free(env);
    sim_destroy(sim);
}

static void crash_between_run_and_done_leaves_no_done(void **state)
{
    (void)state;
    struct sim *sim = sim_create(8);
    struct diary diary = {0};
    struct env *env = process(sim, &diary);
    struct env_work work = {work_run, work_done, &diary, NULL};
    env_work_submit(env, &work);
    while (diary.text[0] == '\0') {
        assert_true(sim_step(sim));
    }
    sim_process_crash(env);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_string_equal(diary.text, "r.");
    sim_destroy(sim);
}

static void slow_process_is_late_but_gets_all(void **state)
{
    (void)state;
    struct sim *sim = sim_create(9);
    struct diary diary = {0};
    struct env *env = process(sim, &diary);
    sim_process_slow(env, SIM_SECOND);
    for (unsigned i = 0; i < 10; i++) {
        start_timer(&diary, 1000);
    }
    sim_run_until(sim, NULL, NULL, 2000);
    assert_true(strlen(diary.text) < 20);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_int_equal(strlen(diary.text), 20);
    sim_destroy(sim);
}

static void random_bytes_come_from_seed_and_process(void **state)
{
    (void)state;
    uint8_t bytes[3][13];
    for (unsigned i = 0; i < 3; i++) {
        struct sim *sim = sim_create(i == 2 ? 11 : 10);
        struct sim_host *host = sim_host_create(sim, "n1");
        struct env *env = sim_process_start(host, "a");
        uint8_t other[13];
        env_random(env, bytes[i], sizeof(bytes[i]));
        env_random(sim_process_start(host, "b"), other, sizeof(other));
        assert_memory_not_equal(bytes[i], other, sizeof(other));
        sim_destroy(sim);
    }
    assert_memory_equal(bytes[0], bytes[1], sizeof(bytes[0]));
    assert_memory_not_equal(bytes[0], bytes[2], sizeof(bytes[0]));
}

static void keep_line(void *arg, const char *line)
{
    (void)snprintf(arg, 256, "%s", line);
}

static void log_lines_carry_time_and_process(void **state)
{
    (void)state;
    struct sim *sim = sim_create(12);
    char line[256] = "";
    struct env *env = sim_process_start(sim_host_create(sim, "n1"), "tenured");
    sim_log_to(sim, ENV_LOG_WARN, keep_line, line);
    sim_run_until(sim, NULL, NULL, 1500 * SIM_MILLISECOND);
    env_log(env, ENV_LOG_INFO, "raft", "not shown");
    assert_string_equal(line, "");
    env_log(env, ENV_LOG_WARN, "raft", "term %d", 7);
    assert_non_null(strstr(line, "1.500000 n1"));
    assert_non_null(strstr(line, "tenured"));
    assert_non_null(strstr(line, "warn  raft   term 7"));
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_and_never_early),
        cmocka_unit_test(restart_replaces_stop_and_destroy_silence),
        cmocka_unit_test(one_turn_end_for_all_of_an_instant),
        cmocka_unit_test(what_waited_comes_in_its_order),
        cmocka_unit_test(turn_moves_the_world_for_one_process),
        cmocka_unit_test(ties_are_broken_by_the_seed),
        cmocka_unit_test(work_runs_later_and_then_is_done),
        cmocka_unit_test(work_of_a_hanging_disk_waits),
        cmocka_unit_test(two_orders_of_parallel_work_occur),
        cmocka_unit_test(crash_silences_everything),
        cmocka_unit_test(crash_between_run_and_done_leaves_no_done),
        cmocka_unit_test(slow_process_is_late_but_gets_all),
        cmocka_unit_test(random_bytes_come_from_seed_and_process),
        cmocka_unit_test(log_lines_carry_time_and_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

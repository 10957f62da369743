/* Law: queued work runs on another thread, its `done` on the loop, each once, also when the env is
 * being destroyed; waking works from any thread (env/work.h, env/loop.h). */
#include "env/clock.h"
#include "env/disk.h"
#include "env/loop.h"
#include "env/work.h"
#include "tests/unit/env/place.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 200, SECOND_US = 1000000 };

struct task {
    struct env_work work;
    struct place *place;
    pthread_t loop_thread;
    bool in_submit;
    bool ran_on_loop;
    int number;
    int rc;
    int runs;
    int dones;
    int *left;
};

static void on_run(struct env_work *work)
{
    struct task *task = work->arg;
    char name[32];
    char path[PLACE_PATH_MAX];
    struct env_file *file = NULL;
    task->ran_on_loop = pthread_equal(pthread_self(), task->loop_thread) != 0;
    (void)snprintf(name, sizeof(name), "w%d", task->number);
    task->rc = env_file_open(task->place->env, place_path(task->place, name, path), ENV_OPEN_CREATE,
                             &file);
    if (task->rc == 0) {
        task->rc = env_file_write(file, 0, bytes_of_text(name));
        env_file_close(file);
    }
    task->runs++;
}

static void on_done(struct env_work *work)
{
    struct task *task = work->arg;
    assert_true(pthread_equal(pthread_self(), task->loop_thread));
    assert_false(task->in_submit || task->ran_on_loop);
    assert_int_equal(task->runs, task->dones + 1);
    assert_int_equal(task->rc, 0);
    task->dones++;
    --*task->left;
}

static void submit(struct task *task, struct place *place, int number, int *left)
{
    task->work = (struct env_work){.run = on_run, .done = on_done, .arg = task};
    task->place = place;
    task->loop_thread = pthread_self();
    task->number = number;
    task->left = left;
    task->in_submit = true;
    env_work_submit(place->env, &task->work);
    task->in_submit = false;
}

static void work_runs_elsewhere_and_is_done_on_the_loop(void **state)
{
    (void)state;
    struct place place;
    int left = MANY;
    place_init(&place);
    struct task *tasks = calloc(MANY, sizeof(*tasks));
    for (int i = 0; i < MANY; i++) {
        submit(&tasks[i], &place, i, &left);
    }
    uint64_t until = env_mono_us(place.env) + 20 * (uint64_t)SECOND_US;
    while (left > 0) {
        assert_true(env_mono_us(place.env) < until);
        env_turn(place.env, SECOND_US);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tasks[i].dones, 1);
    }
    free(tasks);
    place_done(&place);
}

static void destroying_waits_for_work(void **state)
{
    (void)state;
    struct place place;
    int left = MANY;
    place_init(&place);
    struct task *tasks = calloc(MANY, sizeof(*tasks));
    for (int i = 0; i < MANY; i++) {
        submit(&tasks[i], &place, i, &left);
    }
    env_uv_destroy(place.env);
    assert_int_equal(left, 0);
    assert_int_equal(env_uv_create(&place.env), 0);
    free(tasks);
    place_done(&place);
}

static void again(struct env_work *work)
{
    struct task *task = work->arg;
    on_done(work);
    if (*task->left > 0) {
        task->number++;
        task->in_submit = true;
        env_work_submit(task->place->env, work);
        task->in_submit = false;
    }
}

static void done_may_submit_the_same_work_again(void **state)
{
    (void)state;
    struct place place;
    int left = 50;
    struct task task = {0};
    place_init(&place);
    submit(&task, &place, 0, &left);
    task.work.done = again;
    while (left > 0) {
        env_turn(place.env, SECOND_US);
    }
    assert_int_equal(task.dones, 50);
    place_done(&place);
}

static void *wake(void *arg)
{
    env_wake(arg);
    return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
    (void)state;
    struct place place;
    pthread_t thread;
    place_init(&place);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pthread_create(&thread, NULL, wake, place.env), 0);
        uint64_t from = env_mono_us(place.env);
        env_turn(place.env, UINT64_MAX);
        assert_in_range(env_mono_us(place.env) - from, 0, 10 * SECOND_US);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    place_done(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_runs_elsewhere_and_is_done_on_the_loop),
        cmocka_unit_test(destroying_waits_for_work),
        cmocka_unit_test(done_may_submit_the_same_work_again),
        cmocka_unit_test(another_thread_wakes_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

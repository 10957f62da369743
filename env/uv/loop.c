/* One turn of the loop, and its end. Creates the env; what happens in a turn is in the other files.
 *
 * A turn, in this order:
 *   1. what was queued for sending outside a turn is sent
 *   2. due callbacks (timers, work, polls); the poll waits only when none ran before it
 *   3. callbacks that connections are owed (on_drain, on_close, more on_data)
 *   4. the turn-end callback
 *   5. what the turn has queued for sending is sent
 *
 * Invariants:
 *   I1. Between a callback and the next wait of the poll stands always a turn end: libuv may run
 *       timers before it polls, so `prepare` forbids the wait when anything of ours has run.
 *   I2. A connection on `ready` or `unsent` forbids the wait, and so does a timer on `soon`.
 */
#include "env/loop.h"

#include "base/assert.h"
#include "base/sat.h"
#include "env/uv/internal.h"

#include <poll.h>
#include <stdlib.h>

enum { US_PER_MS = 1000, NS_PER_MS = 1000000, NS_PER_US = 1000 };

/* libuv's own bound is INT_MAX milliseconds. */
#define WAIT_US_MAX ((uint64_t)86400 * 1000000)

static void on_wake(uv_async_t *handle)
{
    struct env *env = handle->loop->data;
    env->ran = true;
}

/* libuv may run this before it polls: with nothing else to wait for, the poll would have no end. */
static void on_wait_over(uv_timer_t *handle)
{
    struct env *env = handle->loop->data;
    env->ran = true;
}

static void on_busy(uv_idle_t *handle)
{
    (void)handle;
}

static void on_prepare(uv_prepare_t *handle)
{
    struct env *env = handle->loop->data;
    if (env->ran || !list_empty(&env->ready)) {
        (void)uv_idle_start(&env->busy, on_busy);
    }
}

static void init_lists(struct env *env)
{
    struct list *lists[] = {&env->timers, &env->soon,   &env->listeners, &env->signals,
                            &env->conns,  &env->unsent, &env->ready};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        list_init(lists[i]);
    }
}

int env_uv_create(struct env **ret_env)
{
    struct env *env = calloc(1, sizeof(*env));
    if (env == NULL || uv_loop_init(&env->loop) != 0) {
        free(env);
        return ENV_LIMIT;
    }
    env->loop.data = env;
    (void)uv_loop_configure(&env->loop, UV_METRICS_IDLE_TIME);
    if (uv_async_init(&env->loop, &env->wake, on_wake) != 0) {
        (void)uv_loop_close(&env->loop);
        free(env);
        return ENV_LIMIT;
    }
    (void)uv_timer_init(&env->loop, &env->wait);
    (void)uv_idle_init(&env->loop, &env->busy);
    (void)uv_prepare_init(&env->loop, &env->prepare);
    (void)uv_prepare_start(&env->prepare, on_prepare);
    init_lists(env);
    env->log.least = ENV_LOG_INFO;
    env->boot_id = env_clock_boot_id(env);
    *ret_env = env;
    return 0;
}

/* Step 2. Waits for at most `wait_us`, rounded up to a millisecond.
 *
 * It may be less though nothing came: from libuv 1.45 on, io_uring's clean-up interrupts the poll
 * without a signal, and libuv takes the time since the beginning of the wait off what is left at
 * every interruption (seen with 1.50: waits of 30, 22 and 10 ms, of which 7, 4 and 10 passed). */
static void run_callbacks(struct env *env, uint64_t wait_us)
{
    env_timers_fire_soon(env);
    if (wait_us == 0 || env->ran || !list_empty(&env->ready)) {
        (void)uv_run(&env->loop, UV_RUN_NOWAIT);
    } else {
        if (wait_us != UINT64_MAX) {
            uint64_t wait_ms = (u64_min(wait_us, WAIT_US_MAX) + US_PER_MS - 1) / US_PER_MS;
            uv_update_time(&env->loop);
            (void)uv_timer_start(&env->wait, on_wait_over, wait_ms, 0);
        }
        (void)uv_run(&env->loop, UV_RUN_ONCE);
        (void)uv_timer_stop(&env->wait);
    }
    (void)uv_idle_stop(&env->busy);
}

void env_turn(struct env *env, uint64_t wait_us)
{
    ASSERT(!env->turning);
    uint64_t began = uv_hrtime();
    uint64_t idle = uv_metrics_idle_time(&env->loop);
    env->turning = true;
    env->ran = false;
    env_conns_send(env);
    run_callbacks(env, wait_us);
    env_conns_deliver(env);
    if (env->turn_end != NULL) {
        env->turn_end(env->turn_end_arg);
    }
    env_conns_send(env);
    env->turning = false;
    uint64_t took = uv_hrtime() - began;
    env->turn_us = sat_sub(took, uv_metrics_idle_time(&env->loop) - idle) / NS_PER_US;
}

int env_fd(const struct env *env)
{
    return uv_backend_fd(&env->loop);
}

uint64_t env_timeout_us(const struct env *env)
{
    if (!list_empty(&env->soon) || !list_empty(&env->ready) || !list_empty(&env->unsent)) {
        return 0;
    }
    int timeout_ms = uv_backend_timeout(&env->loop);
    if (timeout_ms < 0) {
        return UINT64_MAX;
    }
    /* libuv counts from its cached time, which may be as old as the last turn. */
    uint64_t passed_ms = sat_sub(uv_hrtime() / NS_PER_MS, uv_now(&env->loop));
    return sat_sub((uint64_t)timeout_ms, passed_ms) * US_PER_MS;
}

void env_wait(const struct env *env, uint64_t wait_us)
{
    struct pollfd ready = {.fd = uv_backend_fd(&env->loop), .events = POLLIN};
    int wait_ms = -1;
    if (wait_us != UINT64_MAX) {
        wait_ms = (int)((u64_min(wait_us, WAIT_US_MAX) + US_PER_MS - 1) / US_PER_MS);
    }
    (void)poll(&ready, 1, wait_ms); /* an interrupted wait is a short one */
}

void env_wake(struct env *env)
{
    (void)uv_async_send(&env->wake);
}

uint64_t env_turn_us(const struct env *env)
{
    return env->turn_us;
}

void env_on_turn_end(struct env *env, void (*callback)(void *arg), void *arg)
{
    env->turn_end = callback;
    env->turn_end_arg = arg;
}

/* Clocks by clock_gettime at each call, timers on libuv's. Knows nothing of cluster time. */
#include "env/clock.h"

#include "base/assert.h"
#include "base/sat.h"
#include "env/crypto.h"
#include "env/random.h"
#include "env/uv/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

enum { US_PER_S = 1000000, US_PER_MS = 1000, NS_PER_US = 1000 };

/* Far beyond any process's life, and small enough for libuv's sums. */
#define DELAY_US_MAX ((uint64_t)1 << 56)

struct env_timer {
    uv_timer_t handle;
    struct list link;
    struct list soon_link; /* on env.soon, or linked to itself */
    env_timer_cb callback;
    void *arg;
};

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    int rc = clock_gettime(clock, &now);
    ASSERT(rc == 0);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

uint64_t env_mono_us(struct env *env)
{
    (void)env;
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t env_boot_us(struct env *env)
{
    (void)env;
    return read_clock(CLOCK_BOOTTIME);
}

uint64_t env_wall_us(struct env *env)
{
    (void)env;
    return read_clock(CLOCK_REALTIME);
}

bool env_wall_synchronised(struct env *env)
{
    (void)env;
    struct timex state;
    memset(&state, 0, sizeof(state));
    int rc = adjtimex(&state);
    return rc >= 0 && rc != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

struct id128 env_boot_id(struct env *env)
{
    return env->boot_id;
}

enum { PIECE_MAX = 256 };

/* The beginning of a file of /proc; 0 bytes when there is none. */
static size_t read_piece(const char *path, char piece[PIECE_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, piece, PIECE_MAX) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    return size > 0 ? (size_t)size : 0;
}

/* The kernel's boot id together with the time namespace, whose BOOTTIME has an offset of its own.
 * The number of a namespace that is gone goes to the next one, so the offsets count as well. Where
 * /proc does not tell, a random id: it looks like a reboot, which is the safe mistake. */
struct id128 env_clock_boot_id(struct env *env)
{
    char text[3 * PIECE_MAX];
    struct id128 id;
    size_t size = read_piece("/proc/sys/kernel/random/boot_id", text);
    if (size == 0) {
        env_random(env, id.bytes, sizeof(id.bytes));
        return id;
    }
    ssize_t space_size = readlink("/proc/self/ns/time", text + size, PIECE_MAX);
    size += space_size > 0 ? (size_t)space_size : 0;
    size += read_piece("/proc/self/timens_offsets", text + size);
    uint8_t digest[32];
    env_sha256(bytes_of(text, size), digest);
    memcpy(id.bytes, digest, sizeof(id.bytes));
    return id;
}

static void on_timer(uv_timer_t *handle)
{
    struct env_timer *timer = handle->data;
    struct env *env = handle->loop->data;
    env->ran = true;
    timer->callback(timer->arg);
}

struct env_timer *env_timer_create(struct env *env, env_timer_cb callback, void *arg)
{
    struct env_timer *timer = calloc(1, sizeof(*timer));
    if (timer == NULL) {
        return NULL;
    }
    (void)uv_timer_init(&env->loop, &timer->handle);
    timer->handle.data = timer;
    timer->callback = callback;
    timer->arg = arg;
    list_init(&timer->soon_link);
    list_append(&env->timers, &timer->link);
    return timer;
}

/* Without a delay: at the next turn, at once, since a commit waits for it; once a turn, so that a
 * timer which starts itself again cannot keep a turn from ending. With one: libuv counts whole
 * milliseconds of a clock that may lag, so the due time is rounded up as an absolute time and a
 * callback is never early. */
void env_timer_start(struct env_timer *timer, uint64_t delay_us)
{
    struct env *env = timer->handle.loop->data;
    env_timer_stop(timer);
    if (delay_us == 0) {
        list_append(&env->soon, &timer->soon_link);
        return;
    }
    uv_loop_t *loop = timer->handle.loop;
    uint64_t due_us = read_clock(CLOCK_MONOTONIC) + u64_min(delay_us, DELAY_US_MAX);
    uint64_t due_ms = (due_us + US_PER_MS - 1) / US_PER_MS;
    uv_update_time(loop);
    uint64_t wait_ms = u64_max(sat_sub(due_ms, uv_now(loop)), 1);
    int rc = uv_timer_start(&timer->handle, on_timer, wait_ms, 0);
    ASSERT(rc == 0);
}

void env_timer_stop(struct env_timer *timer)
{
    list_remove(&timer->soon_link);
    (void)uv_timer_stop(&timer->handle);
}

void env_timers_fire_soon(struct env *env)
{
    struct list due;
    list_init(&due);
    while (!list_empty(&env->soon)) {
        struct list *node = env->soon.next;
        list_remove(node);
        list_append(&due, node);
    }
    while (!list_empty(&due)) {
        struct env_timer *timer = LIST_ENTRY(due.next, struct env_timer, soon_link);
        list_remove(&timer->soon_link);
        env->ran = true;
        timer->callback(timer->arg);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void env_timer_destroy(struct env_timer *timer)
{
    if (timer != NULL) {
        list_remove(&timer->link);
        list_remove(&timer->soon_link);
        uv_close((uv_handle_t *)&timer->handle, on_timer_closed);
    }
}

void env_clock_done(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->timers)
    {
        env_timer_destroy(LIST_ENTRY(node, struct env_timer, link));
    }
}

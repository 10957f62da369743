/* Delivery of signals on the loop. Decides nothing about what a signal means. */
#include "base/assert.h"
#include "env/uv/internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct watched_signal {
    uv_signal_t handle;
    struct list link;
    int number;
    void (*callback)(void *arg, int signal);
    void *arg;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct watched_signal *watched = handle->data;
    struct env *env = handle->loop->data;
    env->ran = true;
    watched->callback(watched->arg, number);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void forget(struct watched_signal *watched)
{
    list_remove(&watched->link);
    uv_close((uv_handle_t *)&watched->handle, on_closed);
}

static void forget_number(struct env *env, int number)
{
    LIST_FOR_EACH_SAFE(node, following, &env->signals)
    {
        struct watched_signal *watched = LIST_ENTRY(node, struct watched_signal, link);
        if (watched->number == number) {
            forget(watched);
        }
    }
}

static void ignore(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_IGN;
    int rc = sigaction(number, &action, NULL);
    ASSERT(rc == 0);
}

void env_uv_on_signal(struct env *env, int signal, void (*callback)(void *arg, int signal),
                      void *arg)
{
    forget_number(env, signal);
    if (callback == NULL) {
        ignore(signal);
        return;
    }
    struct watched_signal *watched = calloc(1, sizeof(*watched));
    ASSERT(watched != NULL);
    watched->number = signal;
    watched->callback = callback;
    watched->arg = arg;
    (void)uv_signal_init(&env->loop, &watched->handle);
    watched->handle.data = watched;
    list_append(&env->signals, &watched->link);
    int rc = uv_signal_start(&watched->handle, on_signal, signal);
    ASSERT(rc == 0);
}

void env_signals_done(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->signals)
    {
        forget(LIST_ENTRY(node, struct watched_signal, link));
    }
}

/* The end of an env: nothing of it is left, and everybody who was promised a callback had it. */
#include "base/assert.h"
#include "env/loop.h"
#include "env/net.h"
#include "env/uv/conn.h"
#include "env/uv/internal.h"
#include "env/uv/listener.h"

#include <stdlib.h>

static void close_network(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->listeners)
    {
        env_listener_close(LIST_ENTRY(node, struct env_listener, link));
    }
    LIST_FOR_EACH(node, &env->conns)
    {
        env_conn_abandon(LIST_ENTRY(node, struct env_conn, link));
    }
}

void env_uv_destroy(struct env *env)
{
    if (env == NULL) {
        return;
    }
    ASSERT(!env->turning);
    env_on_turn_end(env, NULL, NULL);
    close_network(env);
    while (env->work_count > 0 || !list_empty(&env->conns)) {
        env_turn(env, UINT64_MAX);
        close_network(env); /* what a callback has opened meanwhile */
    }
    env_clock_done(env);
    env_signals_done(env);
    uv_close((uv_handle_t *)&env->wake, NULL);
    uv_close((uv_handle_t *)&env->wait, NULL);
    uv_close((uv_handle_t *)&env->prepare, NULL);
    uv_close((uv_handle_t *)&env->busy, NULL);
    (void)uv_run(&env->loop, UV_RUN_DEFAULT);
    env_work_done(env);
    int rc = uv_loop_close(&env->loop);
    ASSERT(rc == 0);
    free(env);
}

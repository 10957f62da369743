/* Queued work on libuv's threads. Requests are kept for reuse; nothing here locks. */
#include "env/work.h"

#include "base/assert.h"
#include "env/uv/internal.h"

#include <stdlib.h>

struct work_request {
    uv_work_t uv;
    struct env *env;
    struct env_work *work;
    struct work_request *next; /* in env.work_free */
};

static void on_run(uv_work_t *uv)
{
    struct work_request *request = uv->data;
    request->work->run(request->work);
}

static void on_done(uv_work_t *uv, int status)
{
    ASSERT(status == 0); /* nothing is ever cancelled */
    struct work_request *request = uv->data;
    struct env_work *work = request->work;
    struct env *env = request->env;
    request->work = NULL;
    request->next = env->work_free;
    env->work_free = request;
    env->work_count--;
    env->ran = true;
    work->env_private = NULL;
    work->done(work);
}

void env_work_submit(struct env *env, struct env_work *work)
{
    struct work_request *request = env->work_free;
    if (request != NULL) {
        env->work_free = request->next;
    } else {
        request = malloc(sizeof(*request));
        ASSERT(request != NULL); /* `done` is promised: without memory there is no going on */
    }
    request->env = env;
    request->work = work;
    request->uv.data = request;
    work->env_private = request;
    env->work_count++;
    int rc = uv_queue_work(&env->loop, &request->uv, on_run, on_done);
    ASSERT(rc == 0);
}

void env_work_done(struct env *env)
{
    ASSERT(env->work_count == 0);
    while (env->work_free != NULL) {
        struct work_request *request = env->work_free;
        env->work_free = request->next;
        free(request);
    }
}

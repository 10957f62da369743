/* Queued work: what may block runs elsewhere, its result comes back on the loop.
 *
 * `run` may call env/disk.h and env/crypto.h and nothing else of the env; it owns what it touches
 * until `done`. `done` runs on the loop, always, also after env shut down was asked for.
 */
#ifndef ENV_WORK_H
#define ENV_WORK_H

#include "env/env.h"

struct env_work {
    void (*run)(struct env_work *work);
    void (*done)(struct env_work *work);
    void *arg;
    void *env_private;
};

/* Borrows `work` until its `done`. Items submitted may run in parallel and in any order. Never runs
 * anything inside this call. */
void env_work_submit(struct env *env, struct env_work *work);

#endif

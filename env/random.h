/* Random bytes: the kernel's in env/uv, the seed's in env/sim. Never fails: no entropy, no process.
 */
#ifndef ENV_RANDOM_H
#define ENV_RANDOM_H

#include "env/env.h"

void env_random(struct env *env, void *buffer, size_t size);

#endif

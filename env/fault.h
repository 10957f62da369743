/* Named fault points: places where the simulator may end, stall or fail a process.
 *
 * In env/uv a fault point does nothing and costs a call.
 */
#ifndef ENV_FAULT_H
#define ENV_FAULT_H

#include "env/env.h"

/* `name` is static and unique in the program ("log.before_sync"). In the simulator the process may
 * be dead when this returns: every env call then fails or does nothing, and it is torn down. */
void env_fault(struct env *env, const char *name);

#endif

/* Fault points of the real world: none. The simulator's are in env/sim. */
#include "env/fault.h"

void env_fault(struct env *env, const char *name)
{
    (void)env;
    (void)name;
}

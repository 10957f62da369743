/* Turning an env's loop from the outside: the daemon's main, synchronous client calls, tests. */
#ifndef ENV_LOOP_H
#define ENV_LOOP_H

#include "env/env.h"

/* Runs callbacks that are due; when none is, waits up to `wait_us` for one (UINT64_MAX: without
 * end). In the simulator the whole simulated world moves on meanwhile. Never from a callback. */
void env_turn(struct env *env, uint64_t wait_us);
/* For embedding into another loop: readable when a turn has work (-1 in the simulator); time until
 * the next timer, 0 when a turn has work now, UINT64_MAX when there is none. */
int env_fd(const struct env *env);
uint64_t env_timeout_us(const struct env *env);
/* Waits until env_fd is readable or `wait_us` have passed, without running anything; an env_wake
 * ends it. May be called by the one thread that turns the loop while another holds its owner's
 * lock. */
void env_wait(const struct env *env, uint64_t wait_us);
/* Makes env_turn and env_wait return soon. The one env call that any thread may make. */
void env_wake(struct env *env);
/* Runs after all callbacks of a turn have run, before the loop waits again. One per env; NULL
 * removes it. This is where a node packs its batch. */
void env_on_turn_end(struct env *env, void (*callback)(void *arg), void *arg);
/* How long the last turn ran callbacks: its waits are left out. 0 in the simulator, where no time
 * passes in a turn. */
uint64_t env_turn_us(const struct env *env);

#endif

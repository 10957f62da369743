/* Clocks and timers. All times are microseconds; a timer belongs to the env's loop.
 *
 * MONO measures the process's own waiting (stands still in suspend); BOOT is CLOCK_BOOTTIME, which
 * cluster time is made of (model.md T1, T2); WALL is for T3, certificates and logs alone.
 */
#ifndef ENV_CLOCK_H
#define ENV_CLOCK_H

#include "env/env.h"

/* Read from the source at each call, never from a loop's cached time. */
uint64_t env_mono_us(struct env *env);
uint64_t env_boot_us(struct env *env);
uint64_t env_wall_us(struct env *env);
/* The kernel says that its wall clock is disciplined (adjtimex). */
bool env_wall_synchronised(struct env *env);
/* Changes at each boot and with each time namespace, one that has the number of a former one
 * too. */
struct id128 env_boot_id(struct env *env);

struct env_timer;
typedef void (*env_timer_cb)(void *arg);

/* Returns owned; NULL only when out of memory. */
struct env_timer *env_timer_create(struct env *env, env_timer_cb callback, void *arg);
/* Fires once, `delay_us` from now (never inside this call). Starting again replaces. */
void env_timer_start(struct env_timer *timer, uint64_t delay_us);
void env_timer_stop(struct env_timer *timer);
/* NULL is fine. The callback does not run afterwards. */
void env_timer_destroy(struct env_timer *timer);

#endif

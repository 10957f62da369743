/* Address range that is reserved and not touched: pages come into being when they are used.
 *
 * One implementation (env/range.c) for both worlds.
 */
#ifndef ENV_RANGE_H
#define ENV_RANGE_H

#include "env/env.h"

/* Zero pages, page-aligned; NULL when the address space or the memory limit refuses it. */
void *env_range_reserve(size_t size);
void env_range_release(void *range, size_t size);

#endif

/* The counters of many runs together. */
#ifndef TESTS_SIM_SUMS_H
#define TESTS_SIM_SUMS_H

#include "tests/sim/run.h"

void sums_add(struct run_counters *sum, const struct run_counters *one);
/* Of this process and of those that it played in. */
double sums_cpu_seconds(void);
/* `real`: seconds that they took. */
void sums_print(const struct run_counters *sum, uint64_t seeds, double real);
/* V1: so many seeds together have to show all of it (each alone has had its answers). Says what is
 * missing. */
bool sums_exercised(const struct run_counters *sum, uint64_t seeds, const struct run_setup *setup);

#endif

/* A busy little world for tests of determinism. Proves nothing by itself. */
#ifndef TESTS_UNIT_SIM_SCENARIO_H
#define TESTS_UNIT_SIM_SCENARIO_H

#include <stdint.h>

enum { SCENARIO_NODES = 3 };

struct scenario_result {
    uint64_t trace;
    uint64_t messages; /* received by all */
    uint64_t syncs;
    uint64_t restarts;
    uint64_t lost; /* connections */
};

/* Ten simulated seconds: nodes send each other numbers and write them down, while links are cut and
 * reset, and nodes crash, pause, drift and lose power. */
struct scenario_result scenario_run(uint64_t seed);

#endif

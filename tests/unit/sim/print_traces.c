/* Prints the trace hashes of the first seeds, to be compared between compilers and flags. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/sim/scenario.h"

int main(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct scenario_result result = scenario_run(seed);
        printf("%" PRIu64 " %016" PRIx64 " %" PRIu64 "\n", seed, result.trace, result.messages);
    }
    return 0;
}

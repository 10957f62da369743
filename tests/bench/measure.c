/* tenure-measure: what no count of calls a second tells of a running cluster of cluster/local:
 * memory of sessions, lateness of expiry, time without a leader. Starts no node: tests/bench/run
 * does.
 *
 * Usage: tenure-measure memory FOLDER SESSIONS METADATA
 *        tenure-measure expiry FOLDER SESSIONS PER_SECOND LIFE_SECONDS
 *        tenure-measure lateness FOLDER SESSIONS PER_SECOND LIFE_SECONDS   … while a leader dies
 *        tenure-measure storm FOLDER SESSIONS LIFE_SECONDS
 *        tenure-measure failover FOLDER
 *        tenure-measure overload FOLDER SECONDS
 *        tenure-measure tenants FOLDER SECONDS OUTSTANDING PER_SECOND
 *        tenure-measure flood FOLDER OUTSTANDING PER_SECOND            what tenants runs beside
 *        tenure-measure await FOLDER [NODE]     until NODE, or all, have applied what is committed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/measures.h"

enum { AWAIT_US = 120000000, NUMBERS = 3 };

static int misuse(void)
{
    fprintf(stderr, "usage: tenure-measure memory FOLDER SESSIONS METADATA\n"
                    "       tenure-measure expiry FOLDER SESSIONS PER_SECOND LIFE_SECONDS\n"
                    "       tenure-measure lateness FOLDER SESSIONS PER_SECOND LIFE_SECONDS\n"
                    "       tenure-measure storm FOLDER SESSIONS LIFE_SECONDS\n"
                    "       tenure-measure failover FOLDER\n"
                    "       tenure-measure overload FOLDER SECONDS\n"
                    "       tenure-measure tenants FOLDER SECONDS OUTSTANDING PER_SECOND\n"
                    "       tenure-measure flood FOLDER OUTSTANDING PER_SECOND\n"
                    "       tenure-measure await FOLDER [NODE]\n");
    return 2;
}

enum measure {
    MEMORY,
    EXPIRY,
    LATENESS,
    STORM,
    FAILOVER,
    OVERLOAD,
    TENANTS,
    FLOOD,
    AWAIT,
    MEASURES
};

static enum measure named(const char *name)
{
    static const char *const names[MEASURES] = {"memory",  "expiry",   "lateness",
                                                "storm",   "failover", "overload",
                                                "tenants", "flood",    "await"};
    size_t i = 0;
    while (i < MEASURES && strcmp(names[i], name) != 0) {
        i++;
    }
    return (enum measure)i;
}

static bool run(struct crowd *crowd, enum measure measure, const unsigned long numbers[NUMBERS])
{
    switch (measure) {
    case MEMORY:
        return measure_memory(crowd, numbers[0], numbers[1]);
    case EXPIRY:
    case LATENESS:
        return measure_expiry(crowd, numbers[0], numbers[1], numbers[2] * UINT64_C(1000000),
                              measure == LATENESS);
    case STORM:
        return measure_storm(crowd, numbers[0], numbers[1] * UINT64_C(1000000));
    case FAILOVER:
        return measure_failover(crowd);
    case OVERLOAD:
        return measure_overload(crowd, numbers[0]);
    case TENANTS:
        return measure_tenants(crowd, numbers[0], numbers[1], numbers[2]);
    case FLOOD:
        return measure_flood(crowd, numbers[0], numbers[1]);
    case AWAIT:
        return crowd_await(crowd, numbers[0] == 0 ? REMOTE_ALL : numbers[0] - 1, AWAIT_US);
    case MEASURES:
        break;
    }
    return false;
}

/* How many numbers have to follow the folder. */
static int numbers_of(enum measure measure, int given)
{
    switch (measure) {
    case MEMORY:
    case STORM:
    case FLOOD:
        return 2;
    case EXPIRY:
    case LATENESS:
    case TENANTS:
        return 3;
    case FAILOVER:
        return 0;
    case OVERLOAD:
        return 1;
    case AWAIT:
        return given > 0 ? 1 : 0;
    case MEASURES:
        break;
    }
    return -1;
}

static bool may_be_zero(enum measure measure, int place)
{
    return (measure == MEMORY || measure == FLOOD) ? place == 1 : measure == TENANTS && place == 2;
}

int main(int argc, char **argv)
{
    struct crowd crowd;
    unsigned long numbers[NUMBERS] = {0};
    enum measure measure = argc > 2 ? named(argv[1]) : MEASURES;
    int given = argc - 3;
    if (given != numbers_of(measure, given)) {
        return misuse();
    }
    for (int i = 0; i < given; i++) {
        numbers[i] = strtoul(argv[3 + i], NULL, 10);
        if (numbers[i] == 0 && !may_be_zero(measure, i)) {
            return misuse();
        }
    }
    crowd_open(&crowd, argv[2]);
    bool fine = run(&crowd, measure, numbers);
    crowd_close(&crowd);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

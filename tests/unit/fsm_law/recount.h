/* Every count that the machine keeps, made anew from its records. */
#ifndef TESTS_FSM_LAW_RECOUNT_H
#define TESTS_FSM_LAW_RECOUNT_H

#include "tests/unit/fsm_law/machine.h"

struct recounted {
    uint64_t sessions, tasks, clients, bytes; /* of all tenants: what was there to be counted */
};

/* Fails the test when a cover's, a tenant's or a session's count differs from its records. */
void recount(const struct fsm *fsm, struct recounted *ret_sum);

#endif

/* A seeded stream of calls that hit what earlier ones made, mostly rightly and sometimes not; holds
 * no test. */
#ifndef TESTS_FSM_LAW_MIX_H
#define TESTS_FSM_LAW_MIX_H

#include "tests/unit/fsm_law/machine.h"

enum { MIX_SESSIONS = 10, MIX_TASKS = 8, MIX_ACTORS = 4, MIX_OLD = 16 };

struct mix_session {
    struct id128 id;
    uint64_t secret;
    uint32_t actor;
    uint32_t user;
    struct id128 parent; /* zero for none */
    uint32_t depth;      /* 1: it is a root; as far as its parents are known */
};

struct mix_task {
    struct id128 id;
    uint64_t secret;
    uint64_t attempt;
    uint64_t operation; /* the next */
    uint32_t actor;
    uint32_t user;
};

struct mix {
    uint64_t random;
    uint64_t made; /* ids and secrets so far */
    struct op_caller callers[MIX_ACTORS];
    uint64_t clients[MIX_ACTORS];
    uint64_t requests[MIX_ACTORS];
    struct mix_session sessions[MIX_SESSIONS];
    struct mix_task tasks[MIX_TASKS];
    struct call old[MIX_OLD]; /* to be sent again */
    uint32_t deep;            /* sessions so far that were opened three deep or more */
    uint32_t actor;           /* of the present call */
    uint32_t user;
};

void mix_init(struct mix *mix, uint64_t seed);
uint64_t mix_below(struct mix *mix, uint64_t bound);
/* How far the clock goes before the next call. */
uint64_t mix_pause(struct mix *mix);
/* Fills the next call; it may be a read. */
void mix_next(struct mix *mix, struct call *call);
/* Takes from the answer what later calls need. */
void mix_learn(struct mix *mix, const struct call *call, const struct machine *machine);

#endif

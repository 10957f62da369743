/* Makes histories: one call after another, answered by a law that may be wrong on purpose. */
#ifndef TESTS_JEPSEN_MAKER_H
#define TESTS_JEPSEN_MAKER_H

#include "jepsen/check/check.h"
#include "jepsen/model/mutation.h"

struct maker_caller {
    const char *tenant;
    uint64_t client; /* 0: not registered */
    uint64_t number;
    uint8_t worker; /* of its instance */
    bool root;      /* an operator, who names the tenant */
};

struct maker;

/* Somebody else than the specification who answers: a machine under test. Sets position and T. */
typedef void maker_ask_fn(struct maker *maker, struct model_op *op, uint16_t attempt,
                          struct id128 minted_id, const uint8_t minted_secret[32],
                          struct model_answer *ret_answer);

struct maker {
    maker_ask_fn *ask; /* or NULL */
    void *ask_arg;
    struct history *history;
    struct model *model;
    uint64_t position, time, ns;
    uint64_t applied_time; /* T at the present position */
    uint64_t random;
    uint32_t minted;
    uint64_t spread_ns; /* calls and returns lie up to this far around their moment */
    struct op_limits limits;
    struct model_answer answer; /* the newest */
    uint32_t row;
};

void maker_init(struct maker *maker, uint64_t seed, enum model_mutation mutation);
/* … with other limits than those that op_limits_init gives. */
void maker_init_within(struct maker *maker, uint64_t seed, enum model_mutation mutation,
                       const struct op_limits *limits);
void maker_done(struct maker *maker);
uint64_t maker_random(struct maker *maker, uint64_t below);

/* One call now: answered and applied. Commands take the next position, reads the present one. */
void maker_call(struct maker *maker, struct maker_caller *caller, enum op_number f,
                const union op_request *request);
/* The newest call again under its number, by try 2. */
void maker_retry(struct maker *maker, struct maker_caller *caller, enum op_number f,
                 const union op_request *request);
/* The newest call's answer never came. */
void maker_lose(struct maker *maker);
void maker_wait(struct maker *maker, uint64_t us);

/* A history of about `steps` rows over a few users, sessions, tasks and revokes. */
void maker_mix(struct maker *maker, uint32_t steps);

#endif

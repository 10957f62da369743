/* The steps of a run: each fault and each call, named by who makes it and by its ordinal.
 *
 * Each step draws from a stream of its own, so that leaving one out moves no draw of another. A run
 * is its seed, its settings, and the set of steps that are kept (none given: all of them); that is
 * what shrink.c makes smaller. As text: "f3,c1.44-47": the third fault, and what client 1 calls
 * from the 44th to the 47th time.
 */
#ifndef TESTS_SIM_STEPS_H
#define TESTS_SIM_STEPS_H

#include "env/sim/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Who makes a step; the index of a node, client or session is added. */
enum step_maker {
    STEP_PLAN,    /* what the seed draws before it begins; never left out */
    STEP_PROBE,   /* calls that look whether there is an answer (L1); never left out */
    STEP_FAULT,   /* f */
    STEP_NODE,    /* n: a node's starts, which a crash may strike */
    STEP_RESTART, /* when a node is started again; never left out */
    STEP_CALL,    /* c */
    STEP_READ,    /* r: the last reads of a session */
    STEP_REPEAT,  /* d: a request that is sent once more */
    STEP_DUEL,    /* u: what the client of a node calls in a duel */
    STEP_MAKERS,
};

struct step {
    uint8_t maker; /* enum step_maker */
    uint8_t index;
    uint32_t ordinal;
};

/* Sorted, without doubles. */
struct step_set {
    struct step *at;
    size_t count;
    size_t capacity;
};

struct sim_rng step_stream(uint64_t seed, struct step step);
/* A number that tells steps apart. */
uint64_t step_key(struct step step);
bool step_can_be_left_out(struct step step);
char step_letter(struct step step);
bool step_set_has(const struct step_set *set, struct step step);
/* In any order; step_set_sort before anybody asks. */
void step_set_add(struct step_set *set, struct step step);
void step_set_sort(struct step_set *set);
void step_set_done(struct step_set *set);
/* Adds what the text names; false when it is none. */
bool step_set_read(struct step_set *set, const char *text);
void step_set_write(const struct step_set *set, FILE *file);

#endif

/* A rolling upgrade to a program that knows a feature level more (upgrade.c). Inside tests/sim. */
#ifndef TESTS_SIM_UPGRADE_H
#define TESTS_SIM_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

struct plan;
struct run;
struct run_node;

/* Of one node. */
struct run_program {
    bool later; /* it is started with the later one from now on */
    bool knew;  /* the later one ran on this folder */
};

struct run_upgrades {
    uint64_t upgraded; /* nodes, a second time too */
    uint64_t raised;   /* the level rose */
    uint64_t stopped;  /* nodes that were taken back, and ended with their line */
};

/* Whether programs change in this seed; nothing of the seed's other draws. */
void upgrade_plan(const struct run *run, struct plan *plan, bool can);
/* The node's next process: which levels it knows; and that it runs. */
void upgrade_starts(struct run_node *node);
void upgrade_started(struct run_node *node);
/* It ended itself, or did not start: because it was taken back? Then it is upgraded again. */
bool upgrade_explains(struct run_node *node);
/* The log raises the level. */
void upgrade_raised(struct run *run, uint64_t level);
/* After an event that made the node apply something. */
void upgrade_watch(struct run *run, const struct run_node *node);
/* Nothing more goes wrong: who was taken back is upgraded again. */
void upgrade_calm(struct run *run);
/* After that, under load: all others, one after another; the level has to rise. */
void upgrade_finish(struct run *run);

#endif

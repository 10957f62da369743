/* A rolling upgrade to a program that knows a feature level more (upgrade.c). Inside tests/sim. */
#ifndef TESTS_SIM_UPGRADE_H
#define TESTS_SIM_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

struct plan;
struct run;
struct run_node;

/* Of one machine. */
struct run_program {
    bool later;     /* it is started with the later one from now on */
    bool knew;      /* the later one ran here, as this member */
    uint64_t since; /* the cluster's level when it became a member */
};

struct run_upgrades {
    uint64_t upgraded;  /* nodes, a second time too */
    uint64_t raised;    /* the level rose */
    uint64_t stopped;   /* nodes that were taken back, and ended with their line */
    uint64_t strangers; /* the same of those that joined with the program before */
    uint64_t mixed;     /* members that were added while some ran the later program, some not */
    uint64_t held;      /* removed, who alone held the level */
    uint64_t without;   /* the level rose, and one that was removed had never known it */
    uint64_t replaced;  /* members who got a new disk, and the program before on it */
};

/* Whether programs change in this seed; nothing of the seed's other draws. */
void upgrade_plan(const struct run *run, struct plan *plan, bool can);
/* The node's next process: which levels it knows; and that it runs. */
void upgrade_starts(struct run_node *node);
void upgrade_started(struct run_node *node);
/* It ended itself, or did not start: because it was taken back, or joined with the program before,
 * and the level is above it? Then it is upgraded. */
bool upgrade_explains(struct run_node *node);
/* Members change (churn.c). It gets an empty disk and that program; it was added, got a vote, or
 * was removed. */
void upgrade_joins(struct run_node *node, bool later);
void upgrade_added(struct run_node *node);
void upgrade_votes(struct run_node *node);
void upgrade_removed(struct run_node *node);
/* The member that holds the level down alone; NULL: none does. */
struct run_node *upgrade_holder(struct run *run);
/* The log raises the level. */
void upgrade_raised(struct run *run, uint64_t level);
/* After an event that made the node apply something. */
void upgrade_watch(struct run *run, const struct run_node *node);
/* Nothing more goes wrong: who was taken back is upgraded again. */
void upgrade_calm(struct run *run);
/* After that, under load: all others, one after another; the level has to rise. */
void upgrade_finish(struct run *run);

#endif

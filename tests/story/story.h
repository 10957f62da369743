/* The story: what Tenure is for, played once from the first session to the last refusal.
 *
 * It exists once and runs on a stage: real processes (`./demo`) or the simulated world
 * (`./test quick`). Every line that it prints is derived from a decoded reply; every answer that
 * differs from what the story demands is a failure.
 */
#ifndef TESTS_STORY_STORY_H
#define TESTS_STORY_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenure.h>

enum { STORY_NODES = 3, STORY_WORKERS = 2, STORY_LINE = 1024 };

/* What the story needs done around it. Every function but `wait` reports its own failure and
 * returns false then. Nodes and workers are counted from 0. */
struct story_stage {
    void *arg;
    /* Starts a worker: a process of its own, with a client of its own. */
    bool (*worker_start)(void *arg, size_t worker);
    /* One line to the worker, or one line from it (without its newline), in order. */
    bool (*worker_tell)(void *arg, size_t worker, const char *line);
    bool (*worker_hear)(void *arg, size_t worker, char ret_line[STORY_LINE]);
    bool (*worker_freeze)(void *arg, size_t worker); /* SIGSTOP */
    bool (*worker_thaw)(void *arg, size_t worker);
    bool (*node_kill)(void *arg, size_t node); /* SIGKILL */
    bool (*node_start)(void *arg, size_t node);
    /* Lets this much time pass. */
    void (*wait)(void *arg, uint64_t us);
    /* A client of the service that acts for users, and one for each node alone. */
    struct tenure_client *client;
    struct tenure_client *nodes[STORY_NODES];
};

/* Plays it all; prints to standard output. True when every answer was as the story demands. */
bool story_play(const struct story_stage *stage);

#endif

/* The simulator's command line, and the lines of its file of seeds. */
#ifndef TESTS_SIM_OPTIONS_H
#define TESTS_SIM_OPTIONS_H

#include "tests/sim/run.h"

struct options {
    uint64_t first, last; /* seeds */
    uint64_t of_commit;   /* so many seeds, chosen by the commit; 0: the ones above */
    uint64_t part, parts; /* of them this part alone */
    const char *known;    /* a file of seeds */
    uint64_t shrink_seconds;
    bool has_seed, keep_going, traces, list, here, help;
    bool has_keep;
    struct step_set keep;
    struct run_setup setup; /* but for the seed */
};

extern const char options_usage[];

/* What a run is when nothing is said. */
void options_init(struct options *options);
/* Reads one option, and its value where it has one; says how many words that were, 0: it is
 * none. `next` may be NULL. */
int options_read(struct options *options, const char *word, const char *next);
bool options_of(int argc, char **argv, struct options *options);
void options_done(struct options *options);

#endif

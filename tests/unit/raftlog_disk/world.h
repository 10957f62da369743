/* One simulated machine with a data folder, for the tests of what raftlog keeps on disk. */
#ifndef TESTS_UNIT_RAFTLOG_DISK_WORLD_H
#define TESTS_UNIT_RAFTLOG_DISK_WORLD_H

#include "env/disk.h"
#include "env/sim/sim.h"

enum { ERROR_MAX = 512 };

struct world {
    struct sim *sim;
    struct sim_host *host;
    struct env *env;
    char error[ERROR_MAX];
};

/* A machine with the empty folders /d and /d/log, durable; a process runs on it. */
void world_create(struct world *world, uint64_t seed);
void world_destroy(struct world *world);
/* Ends the process, power and all when `power`, and starts another one. What ran in it was freed.
 */
void world_cycle(struct world *world, bool power);
bool world_crashed(const struct world *world);
/* Lets the time pass; stops at a crash. */
void world_pass(struct world *world, uint64_t us);

/* All files of some folders, to be put back after they were damaged. */
enum { SAVED_MAX = 64 };
struct saved_file {
    char path[128];
    uint8_t *data;
    size_t size;
};
struct saved {
    struct saved_file files[SAVED_MAX];
    size_t count;
};
/* Adds the files of `folder`, names sorted; not those below it. */
void saved_add(struct saved *saved, struct world *world, const char *folder);
/* Removes what is in their place now and writes them back. */
void saved_restore(const struct saved *saved, struct world *world, const char *folder);
void saved_free(struct saved *saved);

#endif

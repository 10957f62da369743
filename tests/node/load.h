/* Writers that do not stop: counters under a few keys of one session, and what was acknowledged of
 * them.
 *
 * Says nothing about the answers' order between keys: each key has one open write at a time.
 */
#ifndef TESTS_NODE_LOAD_H
#define TESTS_NODE_LOAD_H

#include "tests/node/world.h"

enum { LOAD_KEYS = 24 };

struct load_key {
    struct load *load;
    char name[16];
    uint64_t sent;  /* the newest value that was asked for */
    uint64_t acked; /* the newest that was acknowledged */
    bool open;
};

struct load {
    struct world *world;
    struct tenure_client *client;
    struct env_timer *timer;
    struct world_session session;
    struct load_key keys[LOAD_KEYS];
    size_t value_size; /* values are padded to this */
    uint64_t pace_us;  /* between an answer and the key's next write, at most */
    uint64_t done;     /* acknowledged writes */
    uint64_t failed;   /* writes that ended otherwise */
    bool ending;       /* no write follows */
};

/* Opens the session; from now on each key is written anew, some time after its answer. */
void load_start(struct load *load, struct world *world, size_t value_size);
/* Lets the open writes end, then reads every key: no acknowledged write is lost, none made up. */
void load_finish(struct load *load);

#endif

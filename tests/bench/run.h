/* One measured run: so many calls of one kind outstanding at a time, as one ends the next begins.
 * Counts and times them; says nothing of speed being enough.
 */
#ifndef TESTS_BENCH_RUN_H
#define TESTS_BENCH_RUN_H

#include "tests/bench/crowd.h"

enum { RUN_TOKEN = 112, RUN_NAME = 48, RUN_SESSIONS_PER_USER = 10, RUN_SAMPLES_MAX = 16000000 };

enum run_kind { RUN_CREATE, RUN_VALIDATE, RUN_TOUCH, RUN_STATE_PUT, RUN_REVOKE, RUN_MIX };

/* A session that was made. */
struct run_session {
    struct tenure_id id;
    uint32_t user;
    char token[RUN_TOKEN];
};

/* Grows at its end; `first` counts revokes of victims, touches of a pool. */
struct run_sessions {
    struct run_session *all;
    size_t first;
    size_t count;
    size_t capacity;
};

struct run_counters {
    uint64_t started;
    uint64_t done;
    uint64_t elided; /* touches that wrote nothing */
    uint64_t errors;
    uint64_t samples;
};

struct run {
    struct crowd *crowd;
    enum run_kind kind;
    size_t outstanding;
    char agent[RUN_NAME]; /* of all sessions that it makes: by it they are revoked in the end */
    uint64_t idle_us;     /* of these */
    size_t metadata;      /* bytes, of these */
    bool keep;            /* they go to the end of `victims` */
    uint64_t starts_max;
    uint64_t end_us;
    struct run_sessions pool;    /* what calls take in turn */
    struct run_sessions victims; /* what revokes use up */
    struct run_counters counters;
    size_t open;
    uint32_t *samples; /* µs, of what was done and of what failed; room for RUN_SAMPLES_MAX */
    uint64_t began_us;
    uint64_t took_us;
};

/* Calls of `kind` until `end_us` or `starts_max`, whichever comes first, or until nothing is left
 * to revoke; returns when none is open. Counters begin at 0. */
void run_play(struct run *run);
/* The latency below which so many of a thousand lie; sorts the samples. 0 without any. */
uint32_t run_percentile(struct run *run, uint64_t of_thousand);
/* Frees sessions and samples. */
void run_done(struct run *run);

struct run_slot {
    struct run *run;
    struct tenure_client *client;
    uint64_t began_us;
    uint32_t user; /* of the session that it creates */
};

/* calls.c: begins the next call of this kind. False: there is nothing to call with. */
bool call_start(struct run_slot *slot, enum run_kind kind);
/* run.c: that call has ended. */
void run_ended(struct run_slot *slot, const struct tenure_result *result, bool elided);

#endif

/* What a log must be, in the simplest way: a list of operations and an array of values.
 *
 * A log after a crash must be the one after some first part of the operations, and must hold all
 * that was reported as stored. The shadow drives the log, and checks that.
 */
#ifndef TESTS_UNIT_RAFTLOG_DISK_SHADOW_H
#define TESTS_UNIT_RAFTLOG_DISK_SHADOW_H

#include "raftlog/log.h"
#include "tests/unit/raftlog_disk/world.h"

enum { SHADOW_INDEX_MAX = 4096, SHADOW_OPS_MAX = 8192 };

enum shadow_kind { SHADOW_APPEND, SHADOW_TRUNCATE, SHADOW_RESTART };

struct shadow_op {
    enum shadow_kind kind;
    uint64_t index;
    uint64_t term;
    uint64_t value; /* of an append: unique */
    size_t size;
};

struct shadow_state {
    uint64_t base; /* entries begin at base + 1 */
    uint64_t base_term;
    uint64_t last;
    struct {
        uint64_t term, value;
        size_t size;
    } at[SHADOW_INDEX_MAX];
};

struct shadow {
    struct world *world;
    struct rlog_log *log;
    uint64_t segment_bytes;
    struct shadow_state from; /* before the first of the operations */
    struct shadow_state now;
    struct shadow_op ops[SHADOW_OPS_MAX];
    size_t op_count;
    uint64_t values;
    uint64_t term;
    uint64_t stored; /* reported, less what was truncated since */
    uint64_t reports;
    uint64_t snapshot_index, snapshot_term;
    int failures; /* times that failed() was called */
    int failed_rc;
    bool late; /* something was reported after a failure */
    struct shadow_state scratch;
};

void shadow_init(struct shadow *shadow, struct world *world, uint64_t segment_bytes);
/* Makes an empty log; an rc. */
int shadow_format(struct shadow *shadow);
/* Opens without any check; an rc, and world->error. */
int shadow_try_open(struct shadow *shadow);
/* Opens after whatever happened and checks the law; fails the test, or returns ENV_CRASHED. */
int shadow_open(struct shadow *shadow);
/* NULL when the log equals the state after some first part of the operations that covers what was
 * stored; otherwise what is wrong. */
const char *shadow_wrong(struct shadow *shadow);
void shadow_close(struct shadow *shadow);

void shadow_append(struct shadow *shadow, size_t size);
void shadow_truncate(struct shadow *shadow, uint64_t index);
void shadow_restart(struct shadow *shadow, uint64_t index);
/* A snapshot at `index` (<= stored) is durable; keeps `trailing` entries. */
void shadow_prune(struct shadow *shadow, uint64_t index, uint64_t trailing);
/* Until all is durable, the log failed, or the process crashed. */
void shadow_wait(struct shadow *shadow);
/* The bytes of a value. */
struct bytes shadow_payload(uint64_t value, size_t size, uint8_t *buffer);

#endif

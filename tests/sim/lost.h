/* The whole cluster is lost, and begins anew from a backup (lost.c). Inside tests/sim. */
#ifndef TESTS_SIM_LOST_H
#define TESTS_SIM_LOST_H

#include "base/bytes.h"
#include "op/op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan;
struct run;

/* What the operator saved. */
struct run_backup {
    uint8_t *image; /* owned: a node's snapshot file, as it was read piece by piece */
    size_t size, capacity;
    uint64_t index, position, time;
    uint8_t digest[16];
    uint8_t hash_key[16];
    struct id128 incarnation;
    struct op_limits limits;
};

struct run_lost {
    struct run_backup backup;
    struct id128 incarnation; /* of the restored cluster */
    uint64_t first;           /* its first position */
};

struct run_losses {
    uint64_t backups;  /* made under load */
    uint64_t restored; /* clusters */
    uint64_t stale;    /* definite answers to who held something of before */
};

/* Whether that happens in this seed; nothing of its other draws. */
void lost_plan(const struct run *run, struct plan *plan, bool can);
/* The operator makes a backup, by the library's calls, while the others go on. */
void lost_save(struct run *run);
/* No call is open, the history was judged: all nodes and disks are lost, and a restored cluster
 * starts on new ones. The history begins anew with what the law says that a restore does. */
void lost_restore(struct run *run);
/* Those who held something of before go on with it: a few calls of their own. */
void lost_call(struct run *run);
/* All calls of the restored cluster have ended: what no model of its own history can judge is
 * judged here, and taken out. */
void lost_judge(struct run *run);
void lost_destroy(struct run *run);

#endif

/* The bootstrap file: what all nodes of a cluster are born with (`tenurectl cluster init`
 * writes it).
 *
 * It is read once, to format a data folder; from then on the folder's own birth record counts. Does
 * not check it against this node's configuration (node/machine.c).
 */
#ifndef NODE_BOOTSTRAP_H
#define NODE_BOOTSTRAP_H

#include "node/derive.h"
#include "op/op.h"
#include "raftlog/raftlog.h"

/* The state that a restored cluster begins with (docs/MODEL.md section 6). */
struct node_bootstrap_restore {
    char image[4096];         /* the file that tenurectl snapshot restore wrote; "": no restore */
    struct id128 incarnation; /* of the image */
    uint64_t at;              /* its position */
    uint8_t digest[16];       /* and state digest there */
    uint64_t position;        /* of the first command of the new incarnation */
};

struct node_bootstrap {
    struct rlog_birth birth;                         /* machine: points at machine_bytes */
    char clients[RLOG_MEMBERS_MAX][ENV_ADDRESS_MAX]; /* client address of each member */
    uint64_t time;                                   /* T0 */
    uint8_t hash_key[16];
    uint8_t derive_key[NODE_DERIVE_KEY]; /* secret (node/derive.h) */
    struct op_limits limits;
    struct node_bootstrap_restore restore; /* of the file alone: no part of the folder's birth */
    uint8_t machine_bytes[16 * 1024];
};

/* Reads the file. False: `error` says in one line what is wrong. */
bool node_bootstrap_load(const char *path, struct node_bootstrap *ret_bootstrap, char *error,
                         size_t error_size);

/* birth.machine in and out: version, T0, both keys, limits, client addresses. */
void node_birth_write(struct node_bootstrap *bootstrap);
bool node_birth_read(const struct rlog_birth *birth, struct node_bootstrap *ret_bootstrap);
/* Of a record that cannot be read: why, and what to do. */
const char *node_birth_fault(const struct rlog_birth *birth);

#endif

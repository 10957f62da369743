/* What one node is told at its start: its YAML configuration, and the bootstrap file of its
 * cluster.
 *
 * Parsing is libcyaml's, schema-driven; every mistake is one line that names the file, the line in
 * it and what to do. Does not open anything that the configuration names.
 */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "node/config.def"
#include "op/op.h"
#include "raftlog/raftlog.h"

struct node_config {
#define NODE_TEXT_(name, help) char *name;
#define NODE_NUMBER_(name, standard, least, greatest, help) uint32_t name;
    NODE_CONFIG(NODE_TEXT_, NODE_NUMBER_)
#undef NODE_TEXT_
#undef NODE_NUMBER_
};

/* All numbers at their defaults, all texts NULL. */
void node_config_init(struct node_config *config);
/* Reads the file; relative paths in it are taken from the file's own folder. Returns owned strings:
 * node_config_done. False: `error` says what is wrong. */
bool node_config_load(const char *path, struct node_config *ret_config, char *error,
                      size_t error_size);
/* Bounds, missing keys, and what must fit together. NULL when all is well, else one static-ish line
 * written into `error`. */
bool node_config_check(const struct node_config *config, char *error, size_t error_size);
void node_config_done(struct node_config *config);
/* One line a key, for --help. */
void node_config_help(void (*line)(void *arg, const char *text), void *arg);

/* ---- the bootstrap file: what all nodes of a cluster are born with (written by
 * `tenurectl cluster init`) ---- */

struct node_bootstrap {
    struct rlog_birth birth;                         /* machine: points at machine_bytes */
    char clients[RLOG_MEMBERS_MAX][ENV_ADDRESS_MAX]; /* client address of each member */
    uint64_t time;                                   /* T0 */
    uint8_t hash_key[16];
    struct op_limits limits;
    uint8_t machine_bytes[16 * 1024];
};

bool node_bootstrap_load(const char *path, struct node_bootstrap *ret_bootstrap, char *error,
                         size_t error_size);

/* birth.machine in and out: version, T0, hash key, limits, client addresses. */
void node_birth_write(struct node_bootstrap *bootstrap);
bool node_birth_read(const struct rlog_birth *birth, struct node_bootstrap *ret_bootstrap);

#endif

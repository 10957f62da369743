/* Three nodes on the simulated world, and clients of them: what the tests of this folder stand on.
 *
 * Fails the running test by itself when something that has to work does not. Plays no faults of its
 * own.
 */
#ifndef TESTS_NODE_WORLD_H
#define TESTS_NODE_WORLD_H

#include "client-lib/internal.h"
#include "env/sim/sim.h"
#include "node/internal.h"

enum { WORLD_NODES = 3 };

#define WORLD_T0 UINT64_C(1700000000000000)
#define WORLD_OPERATOR "/pki/operator.pem"

struct world_node {
    struct sim_host *host;
    struct env *env;
    struct node *node; /* NULL while it is dead */
    struct node_config config;
    char listen[ENV_ADDRESS_MAX];
    char peer_listen[ENV_ADDRESS_MAX];
    bool stopped;    /* on_stopped was called */
    bool failed;     /* on_fatal was called */
    bool may_fail;   /* a test that expects on_fatal */
    char error[512]; /* of node_start or on_fatal */
};

struct world {
    struct sim *sim;
    struct world_node nodes[WORLD_NODES];
    struct world_node fourth; /* after world_join; no function but that one looks at it */
    struct node_bootstrap bootstrap;
    struct sim_host *apps;
    struct env *console; /* the process that the clients live in */
};

/* Three nodes, formatted and running; nobody leads yet. */
void world_begin(struct world *world, uint64_t seed);
/* As world_begin; a leader serves when it returns. */
void world_start(struct world *world, uint64_t seed);
void world_end(struct world *world);

/* One more machine, whose empty disk is to join, and a process on it. */
void world_join(struct world *world, struct tenure_id *ret_store);
/* Starts a process with this node on it. False: `error` says why. */
bool world_node_try(struct world_node *node);
void world_node_run(struct world_node *node);
/* As kill -9. Harmless when it is dead. */
void world_node_kill(struct world_node *node);
/* As world_node_kill, with the machine's power. */
void world_node_power_cut(struct world_node *node);
/* Frees what a fault point or a power cut has ended. True when it had. */
bool world_node_bury(struct world_node *node);

void world_pass(struct world *world, uint64_t us);
/* The one that serves; waits for it. */
size_t world_leader(struct world *world);
/* Which node serves now in the highest term; WORLD_NODES when none does. */
size_t world_leader_now(const struct world *world);
/* Which node leads without any clock; WORLD_NODES when none does. */
size_t world_timeless(const struct world *world);
/* The kernels of all nodes no longer call their wall clocks synchronised (T3), or do again. */
void world_doubt_walls(struct world *world, bool doubt);
/* What a node's clock says now. */
uint64_t world_clock(const struct world_node *node);
/* Waits until each live node has a clock. */
void world_want_clocks(struct world *world);
/* Another one than `node`. */
size_t world_other(size_t node);
/* Waits until all live nodes have applied the same position; their digests have to be equal. */
void world_agree(struct world *world);

/* A client of all nodes, or of `only` alone (WORLD_NODES: of all). `role`: "service", "operator".
 */
struct tenure_client *world_client(struct world *world, size_t only, const char *role);
/* A TLS identity of the console, of any text. */
struct env_tls *world_identity(struct world *world, const char *identity);

/* ---- calls that most tests make ---- */

struct world_session {
    struct tenure_id id;
    char user[32];
    char token[256];
    uint64_t absolute; /* left at `time` */
    uint64_t time;     /* T of its creation */
};

enum tenure_outcome world_create(struct tenure_client *client, const char *user, uint64_t idle_us,
                                 uint64_t absolute_us, struct world_session *ret_session);
enum tenure_outcome world_validate(struct tenure_client *client,
                                   const struct world_session *session,
                                   struct tenure_result *ret_result);
enum tenure_outcome world_put(struct tenure_client *client, const struct world_session *session,
                              const char *key, const char *value);
/* The value as text; empty when nobody wrote it. */
enum tenure_outcome world_get(struct tenure_client *client, const struct world_session *session,
                              const char *key, char ret_value[64]);
enum tenure_outcome world_revoke(struct tenure_client *client, const char *user);
enum tenure_outcome world_logout(struct tenure_client *client, const struct world_session *session);

#endif

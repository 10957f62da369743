/* The story on the simulated world: the archives that tenured and libtenure are made of, no faults
 * but the story's own.
 *
 * Usage: story-sim [SEED]. Exit code 0 only when every answer was as the story demands.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "client-lib/internal.h"
#include "env/sim/sim.h"
#include "node/node.h"
#include "tests/story/story.h"
#include "tests/story/worker.h"

#define CA "cluster-ca"
#define IDENTITY_SERVICE "tenure://story/acme/service/gateway"
#define IDENTITY_WORKER "tenure://story/acme/service/worker"

struct sim_node {
    struct sim_host *host;
    struct env *env;
    struct node *node; /* NULL while it is dead */
    struct node_config config;
    char listen[ENV_ADDRESS_MAX];
    char peer_listen[ENV_ADDRESS_MAX];
};

struct sim_worker {
    struct env *env;
    struct tenure_client *client;
    struct worker *worker;
    struct env_timer *timer; /* delivers the line on the worker's own time */
    char told[STORY_LINE];
    char said[STORY_LINE];
    bool has_said;
};

struct world {
    struct sim *sim;
    struct sim_node nodes[STORY_NODES];
    struct sim_host *apps;
    struct env *console;
    struct sim_worker workers[STORY_WORKERS];
    struct story_stage stage;
};

/* ---- nodes ---- */

static void on_stopped(void *arg)
{
    (void)arg;
}

static void on_fatal(void *arg, const char *detail)
{
    const struct sim_node *node = arg;
    fprintf(stderr, "node %u cannot go on: %s\n", node->config.node, detail);
    abort();
}

static void certify(struct sim_host *host, const char *identity)
{
    ASSERT(sim_ca_write(host, "/pki/ca.pem", CA) == ENV_OK);
    ASSERT(sim_certificate_write(host, "/pki/own.pem", CA, identity) == ENV_OK);
    ASSERT(sim_key_write(host, "/pki/own.key", CA, identity) == ENV_OK);
}

static bool node_run(struct sim_node *node)
{
    char name[16];
    char error[512];
    snprintf(name, sizeof(name), "node-%u", node->config.node);
    node->env = sim_process_start(node->host, name);
    struct node_handlers handlers = {.arg = node, .on_stopped = on_stopped, .on_fatal = on_fatal};
    if (!node_start(node->env, &node->config, &handlers, error, sizeof(error), &node->node)) {
        fprintf(stderr, "%s: %s\n", name, error);
        return false;
    }
    return true;
}

static void node_end(struct sim_node *node)
{
    if (node->node != NULL) {
        sim_process_crash(node->env);
        node_destroy(node->node);
        sim_process_free(node->env);
        node->node = NULL;
    }
}

static void configure(struct world *world, size_t which)
{
    struct sim_node *node = &world->nodes[which];
    char name[16];
    char identity[64];
    snprintf(name, sizeof(name), "host-%zu", which + 1);
    snprintf(identity, sizeof(identity), "tenure://story/-/peer/%zu", which + 1);
    node->host = sim_host_create(world->sim, name);
    certify(node->host, identity);
    snprintf(node->listen, sizeof(node->listen), "%s:7400", sim_host_address(node->host));
    snprintf(node->peer_listen, sizeof(node->peer_listen), "%s:7401", sim_host_address(node->host));
    node_config_init(&node->config);
    node->config.node = (uint32_t)which + 1;
    node->config.folder = (char *)"/data";
    node->config.listen = node->listen;
    node->config.peer_listen = node->peer_listen;
    node->config.ca = (char *)"/pki/ca.pem";
    node->config.certificate = (char *)"/pki/own.pem";
    node->config.key = (char *)"/pki/own.key";
    node->config.segment_mib = 1;
    node->config.snapshot_mib = 1;
}

/* What `tenurectl cluster init` would write. */
static void bootstrap_of(struct world *world, struct node_bootstrap *ret)
{
    memset(ret, 0, sizeof(*ret));
    snprintf(ret->birth.cluster, sizeof(ret->birth.cluster), "story");
    for (size_t i = 0; i < 16; i++) {
        ret->birth.incarnation.bytes[i] = (uint8_t)sim_random(world->sim, 256);
        ret->hash_key[i] = (uint8_t)sim_random(world->sim, 256);
    }
    memset(ret->derive_key, 0x5a, sizeof(ret->derive_key));
    ret->time = UINT64_C(1700000000000000);
    op_limits_init(&ret->limits);
    static const struct {
        const char *name;
        uint64_t value;
    } small[] = {{"sessions_max", 1000},   {"tasks_max", 1000},    {"tombstones_max", 1000},
                 {"clients_max", 100},     {"requests_max", 4096}, {"tenants_max", 16},
                 {"watermarks_max", 1000}, {"names_max", 4096},    {"blocks_max", 16384},
                 {"keys_max", 4096}};
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        ASSERT(op_limits_set(&ret->limits, bytes_of_text(small[i].name), small[i].value));
    }
    ret->birth.member_count = STORY_NODES;
    for (size_t i = 0; i < STORY_NODES; i++) {
        ret->birth.members[i].id = i + 1;
        snprintf(ret->birth.members[i].address, ENV_ADDRESS_MAX, "%s", world->nodes[i].peer_listen);
        snprintf(ret->clients[i], ENV_ADDRESS_MAX, "%s", world->nodes[i].listen);
    }
}

static bool nodes_start(struct world *world)
{
    static struct node_bootstrap bootstrap; /* large: 16 KiB and more */
    for (size_t i = 0; i < STORY_NODES; i++) {
        configure(world, i);
    }
    bootstrap_of(world, &bootstrap);
    for (size_t i = 0; i < STORY_NODES; i++) {
        struct sim_node *node = &world->nodes[i];
        char error[512];
        struct env *env = sim_process_start(node->host, "init");
        bool formatted = node_format(env, &node->config, &bootstrap, error, sizeof(error));
        sim_process_free(env);
        if (!formatted) {
            fprintf(stderr, "node %zu: %s\n", i + 1, error);
            return false;
        }
        if (!node_run(node)) {
            return false;
        }
    }
    return true;
}

/* ---- clients ---- */

static struct tenure_client *open_client(struct world *world, struct env *env, size_t first,
                                         size_t count)
{
    const char *servers[STORY_NODES];
    for (size_t i = 0; i < count; i++) {
        servers[i] = world->nodes[first + i].listen;
    }
    struct tenure_options options = {.servers = servers,
                                     .server_count = count,
                                     .ca = "/pki/ca.pem",
                                     .certificate = "/pki/own.pem",
                                     .key = "/pki/own.key",
                                     .software = "story",
                                     .timeout_us = 10 * SIM_SECOND,
                                     .stay = count == 1};
    char error[512];
    struct tenure_client *client;
    if (!tenure_open_env(env, &options, error, sizeof(error), &client)) {
        fprintf(stderr, "client: %s\n", error);
        return NULL;
    }
    return client;
}

/* ---- the stage: workers ---- */

static void on_say(void *arg, const char *line)
{
    struct sim_worker *worker = arg;
    snprintf(worker->said, sizeof(worker->said), "%s", line);
    worker->has_said = true;
}

static void on_told(void *arg)
{
    struct sim_worker *worker = arg;
    ASSERT(worker_command(worker->worker, worker->told));
}

static bool worker_start(void *arg, size_t which)
{
    struct world *world = arg;
    struct sim_worker *worker = &world->workers[which];
    char name[16];
    snprintf(name, sizeof(name), "worker-%zu", which + 1);
    struct sim_host *host = sim_host_create(world->sim, name);
    certify(host, IDENTITY_WORKER);
    worker->env = sim_process_start(host, name);
    worker->client = open_client(world, worker->env, 0, STORY_NODES);
    worker->worker = worker_create(worker->client, on_say, worker);
    worker->timer = env_timer_create(worker->env, on_told, worker);
    return worker->client != NULL && worker->worker != NULL && worker->timer != NULL;
}

static bool worker_tell(void *arg, size_t which, const char *line)
{
    struct world *world = arg;
    struct sim_worker *worker = &world->workers[which];
    snprintf(worker->told, sizeof(worker->told), "%s", line);
    env_timer_start(worker->timer, 0);
    return true;
}

static bool has_said(void *arg)
{
    const struct sim_worker *worker = arg;
    return worker->has_said;
}

static bool worker_hear(void *arg, size_t which, char ret_line[STORY_LINE])
{
    struct world *world = arg;
    struct sim_worker *worker = &world->workers[which];
    if (!sim_run_until(world->sim, has_said, worker, 30 * SIM_SECOND)) {
        return false;
    }
    worker->has_said = false;
    memcpy(ret_line, worker->said, STORY_LINE);
    return true;
}

static bool worker_freeze(void *arg, size_t which)
{
    struct world *world = arg;
    sim_process_pause(world->workers[which].env);
    return true;
}

static bool worker_thaw(void *arg, size_t which)
{
    struct world *world = arg;
    sim_process_resume(world->workers[which].env);
    return true;
}

static void worker_end(struct sim_worker *worker)
{
    if (worker->env != NULL) {
        tenure_close(worker->client);
        env_timer_destroy(worker->timer);
        worker_destroy(worker->worker);
        sim_process_free(worker->env);
    }
}

/* ---- the stage: nodes and time ---- */

static bool kill_node(void *arg, size_t which)
{
    struct world *world = arg;
    node_end(&world->nodes[which]);
    return true;
}

static bool start_node(void *arg, size_t which)
{
    struct world *world = arg;
    return node_run(&world->nodes[which]);
}

static void let_pass(void *arg, uint64_t us)
{
    struct world *world = arg;
    (void)sim_run_until(world->sim, NULL, NULL, us);
}

static bool world_start(struct world *world, uint64_t seed)
{
    world->sim = sim_create(seed);
    if (!nodes_start(world)) {
        return false;
    }
    world->apps = sim_host_create(world->sim, "apps");
    certify(world->apps, IDENTITY_SERVICE);
    world->console = sim_process_start(world->apps, "console");
    world->stage = (struct story_stage){
        .arg = world,
        .worker_start = worker_start,
        .worker_tell = worker_tell,
        .worker_hear = worker_hear,
        .worker_freeze = worker_freeze,
        .worker_thaw = worker_thaw,
        .node_kill = kill_node,
        .node_start = start_node,
        .wait = let_pass,
        .client = open_client(world, world->console, 0, STORY_NODES),
    };
    for (size_t i = 0; i < STORY_NODES; i++) {
        world->stage.nodes[i] = open_client(world, world->console, i, 1);
    }
    return world->stage.client != NULL;
}

static void world_end(struct world *world)
{
    for (size_t i = 0; i < STORY_WORKERS; i++) {
        worker_end(&world->workers[i]);
    }
    tenure_close(world->stage.client);
    for (size_t i = 0; i < STORY_NODES; i++) {
        tenure_close(world->stage.nodes[i]);
        node_end(&world->nodes[i]);
    }
    sim_process_free(world->console);
    sim_destroy(world->sim);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    printf("seed %" PRIu64 "\n", seed);
    static struct world world;
    bool played = world_start(&world, seed) && story_play(&world.stage);
    printf("trace %016" PRIx64 "\n", sim_trace_hash(world.sim));
    world_end(&world);
    return played ? EXIT_SUCCESS : EXIT_FAILURE;
}

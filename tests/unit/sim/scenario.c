/* The nodes of scenario.h and the faults that they meet. */
#include "tests/unit/sim/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/clock.h"
#include "env/disk.h"
#include "env/fault.h"
#include "env/loop.h"
#include "env/net.h"
#include "env/random.h"
#include "env/sim/sim.h"
#include "env/work.h"

enum { PORT = 7000 };

struct scenario;

struct node {
    struct scenario *scenario;
    struct sim_host *host;
    struct env *env;
    struct env_tls *tls;
    struct env_listener *listener;
    struct env_timer *tick;
    struct env_file *file;
    struct env_conn *out; /* to the next node */
    struct env_work work;
    unsigned number;
    uint64_t written;
    bool working;
    bool dirty;
};

struct scenario {
    struct sim *sim;
    struct node nodes[SCENARIO_NODES];
    struct scenario_result result;
};

/* ---- one node ---- */

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct node *node = arg;
    uint64_t nonce;
    ASSERT(strncmp(identity, "tenure://", 9) == 0);
    env_random(node->env, &nonce, sizeof(nonce));
    env_conn_write(conn, bytes_of(&nonce, sizeof(nonce)));
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct node *node = arg;
    node->scenario->result.messages++;
    node->written += data.size;
    node->dirty = true;
    if (conn == node->out && data.size > 4) {
        env_conn_write(conn, bytes_of(data.data, data.size / 2));
    }
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct node *node = arg;
    (void)rc;
    (void)detail;
    node->scenario->result.lost++;
    if (conn == node->out) {
        node->out = NULL;
    }
}

static const struct env_conn_handlers handlers = {on_open, on_data, NULL, on_close};

static void on_accept(void *arg, struct env_conn *conn)
{
    env_conn_adopt(conn, &handlers, arg);
}

static void work_run(struct env_work *work)
{
    struct node *node = work->arg;
    uint64_t offset = node->written % 65536;
    int rc = env_file_write(node->file, offset, bytes_of(&node->written, sizeof(node->written)));
    env_fault(node->env, "scenario.between");
    if (rc == 0) {
        rc = env_file_sync(node->file);
    }
    ASSERT(rc == 0 || rc == ENV_CRASHED);
}

static void work_done(struct env_work *work)
{
    struct node *node = work->arg;
    node->working = false;
    node->scenario->result.syncs++;
}

static void on_turn_end(void *arg)
{
    struct node *node = arg;
    if (node->dirty && !node->working) {
        node->dirty = false;
        node->working = true;
        node->work = (struct env_work){work_run, work_done, node, NULL};
        env_work_submit(node->env, &node->work);
    }
}

static void on_tick(void *arg)
{
    struct node *node = arg;
    uint8_t burst[3000];
    if (node->out == NULL) {
        char address[ENV_ADDRESS_MAX];
        (void)snprintf(address, sizeof(address), "10.0.0.%u:%d",
                       (node->number + 1) % SCENARIO_NODES + 1, PORT);
        node->out = env_connect(node->env, address, node->tls, "ring/1", &handlers, node);
    }
    env_random(node->env, burst, sizeof(burst));
    env_conn_write(node->out, bytes_of(burst, burst[0] * 10U));
    env_timer_start(node->tick, 5000 + burst[1] * 100U);
}

static void node_start(struct node *node)
{
    char error[256];
    char address[ENV_ADDRESS_MAX];
    (void)snprintf(address, sizeof(address), "%s:%d", sim_host_address(node->host), PORT);
    node->env = sim_process_start(node->host, "ring");
    node->out = NULL;
    node->working = false;
    int rc = env_tls_create(node->env, "/ca", "/certificate", "/key", error, sizeof(error),
                            &node->tls);
    ASSERT(rc == 0);
    rc = env_listen(node->env, address, node->tls, "ring/1", on_accept, node, address,
                    &node->listener);
    ASSERT(rc == 0);
    rc = env_file_open(node->env, "/data", ENV_OPEN_WRITE, &node->file);
    ASSERT(rc == 0);
    node->tick = env_timer_create(node->env, on_tick, node);
    env_timer_start(node->tick, 1000);
    env_on_turn_end(node->env, on_turn_end, node);
}

static void node_create(struct scenario *scenario, struct node *node, unsigned number)
{
    char name[16];
    char identity[64];
    (void)snprintf(name, sizeof(name), "n%u", number + 1);
    (void)snprintf(identity, sizeof(identity), "tenure://c/t/peer/%s", name);
    node->scenario = scenario;
    node->number = number;
    node->host = sim_host_create(scenario->sim, name);
    (void)sim_ca_write(node->host, "/ca", "CA");
    (void)sim_certificate_write(node->host, "/certificate", "CA", identity);
    (void)sim_key_write(node->host, "/key", "CA", identity);
    (void)sim_disk_write(node->host, "/data", BYTES_NONE);
    node_start(node);
}

/* ---- faults ---- */

static void restart(struct node *node)
{
    sim_process_free(node->env);
    node->scenario->result.restarts++;
    node_start(node);
}

static void heal_all(struct scenario *scenario)
{
    sim_net_heal(scenario->sim);
    for (unsigned i = 0; i < SCENARIO_NODES; i++) {
        sim_process_resume(scenario->nodes[i].env);
        if (sim_process_crashed(scenario->nodes[i].env)) {
            restart(&scenario->nodes[i]);
        }
    }
}

static void fault(struct scenario *scenario)
{
    struct sim *sim = scenario->sim;
    struct node *node = &scenario->nodes[sim_random(sim, SCENARIO_NODES)];
    struct node *other = &scenario->nodes[sim_random(sim, SCENARIO_NODES)];
    switch (sim_random(sim, 8)) {
    case 0:
        sim_process_crash(node->env);
        break;
    case 1:
        sim_host_power_cut(node->host);
        break;
    case 2:
        sim_process_pause(node->env);
        break;
    case 3:
        sim_net_cut(sim, node->host, other->host, true);
        break;
    case 4:
        sim_net_reset(sim, node->host, other->host);
        break;
    case 5:
        sim_host_drift(node->host, (int32_t)sim_random(sim, 1000) - 500);
        break;
    case 6:
        sim_fault_crash_at(node->env, "scenario.between", 3, SIM_CRASH_POWER);
        break;
    default:
        heal_all(scenario);
    }
}

static void on_fault(void *arg)
{
    struct scenario *scenario = arg;
    fault(scenario);
    sim_at(scenario->sim, sim_random(scenario->sim, 400 * SIM_MILLISECOND), on_fault, scenario);
}

struct scenario_result scenario_run(uint64_t seed)
{
    struct scenario *scenario = calloc(1, sizeof(*scenario));
    ASSERT(scenario != NULL);
    scenario->sim = sim_create(seed);
    for (unsigned i = 0; i < SCENARIO_NODES; i++) {
        node_create(scenario, &scenario->nodes[i], i);
    }
    sim_at(scenario->sim, SIM_SECOND, on_fault, scenario);
    (void)sim_run_until(scenario->sim, NULL, NULL, 10 * SIM_SECOND);
    scenario->result.trace = sim_trace_hash(scenario->sim);
    struct scenario_result result = scenario->result;
    sim_destroy(scenario->sim);
    free(scenario);
    return result;
}

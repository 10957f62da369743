/* Against a real node: whatever the network does, each call's effect is there exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "client-lib/internal.h"
#include "env/sim/sim.h"
#include "node/internal.h"

enum { SEEDS = 6, RESETS = 60, EACH = 8, SESSIONS = RESETS * EACH, BETWEEN_US = 12000 };

struct tally {
    unsigned ended;
    unsigned done;
    unsigned retried; /* calls that needed more than one try */
};

struct cluster {
    struct sim *sim;
    struct sim_host *host;
    struct sim_host *apps;
    struct env *env;
    struct env *app;
    struct node *node;
    struct node_config config;
    char listen[ENV_ADDRESS_MAX];
    char peer_listen[ENV_ADDRESS_MAX];
    struct tenure_client *client;
};

static void certify(struct sim_host *host, const char *identity)
{
    ASSERT(sim_ca_write(host, "/pki/ca.pem", "ca") == ENV_OK);
    ASSERT(sim_certificate_write(host, "/pki/own.pem", "ca", identity) == ENV_OK);
    ASSERT(sim_key_write(host, "/pki/own.key", "ca", identity) == ENV_OK);
}

static void on_stopped(void *arg)
{
    (void)arg;
}

static void on_fatal(void *arg, const char *detail)
{
    (void)arg;
    fail_msg("%s", detail);
}

static void configure(struct cluster *cluster)
{
    struct node_config *config = &cluster->config;
    const char *address = sim_host_address(cluster->host);
    (void)snprintf(cluster->listen, sizeof(cluster->listen), "%s:7400", address);
    (void)snprintf(cluster->peer_listen, sizeof(cluster->peer_listen), "%s:7401", address);
    node_config_init(config);
    config->node = 1;
    config->folder = (char *)"/data";
    config->listen = cluster->listen;
    config->peer_listen = cluster->peer_listen;
    config->ca = (char *)"/pki/ca.pem";
    config->certificate = (char *)"/pki/own.pem";
    config->key = (char *)"/pki/own.key";
    config->segment_mib = 1;
    config->snapshot_mib = 1;
}

static void bootstrap_of(const struct cluster *cluster, struct node_bootstrap *ret)
{
    static const char *const small[] = {"sessions_max", "tasks_max",    "tombstones_max",
                                        "tenants_max",  "names_max",    "watermarks_max",
                                        "keys_max",     "requests_max", "blocks_max"};
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->birth.cluster, sizeof(ret->birth.cluster), "c");
    ret->birth.incarnation.bytes[0] = 1;
    ret->time = UINT64_C(1700000000000000);
    op_limits_init(&ret->limits);
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        ASSERT(op_limits_set(&ret->limits, bytes_of_text(small[i]), 2000));
    }
    ASSERT(op_limits_set(&ret->limits, bytes_of_text("clients_max"), 100));
    ret->birth.member_count = 1;
    ret->birth.members[0].id = 1;
    (void)snprintf(ret->birth.members[0].address, ENV_ADDRESS_MAX, "%s", cluster->peer_listen);
    (void)snprintf(ret->clients[0], ENV_ADDRESS_MAX, "%s", cluster->listen);
}

static void start_node(struct cluster *cluster)
{
    struct node_handlers handlers = {.on_stopped = on_stopped, .on_fatal = on_fatal};
    char error[512] = "";
    cluster->env = sim_process_start(cluster->host, "node");
    if (!node_start(cluster->env, &cluster->config, &handlers, error, sizeof(error),
                    &cluster->node)) {
        fail_msg("%s", error);
    }
}

static void start(struct cluster *cluster, uint64_t seed)
{
    static struct node_bootstrap bootstrap; /* large */
    char error[512] = "";
    memset(cluster, 0, sizeof(*cluster));
    cluster->sim = sim_create(seed);
    cluster->host = sim_host_create(cluster->sim, "node");
    cluster->apps = sim_host_create(cluster->sim, "apps");
    certify(cluster->host, "tenure://c/-/peer/1");
    certify(cluster->apps, "tenure://c/acme/service/gateway");
    configure(cluster);
    bootstrap_of(cluster, &bootstrap);
    struct env *env = sim_process_start(cluster->host, "init");
    if (!node_format(env, &cluster->config, &bootstrap, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    sim_process_free(env);
    start_node(cluster);
    cluster->app = sim_process_start(cluster->apps, "app");
    const char *servers[] = {cluster->listen};
    struct tenure_options options = {.servers = servers,
                                     .server_count = 1,
                                     .ca = "/pki/ca.pem",
                                     .certificate = "/pki/own.pem",
                                     .key = "/pki/own.key",
                                     .timeout_us = 60 * SIM_SECOND};
    assert_true(tenure_open_env(cluster->app, &options, error, sizeof(error), &cluster->client));
}

static void crash_node(struct cluster *cluster)
{
    sim_process_crash(cluster->env);
    node_destroy(cluster->node);
    sim_process_free(cluster->env);
}

static void end(struct cluster *cluster)
{
    tenure_close(cluster->client);
    sim_process_free(cluster->app);
    crash_node(cluster);
    sim_destroy(cluster->sim);
}

static void on_created(void *arg, const struct tenure_result *result,
                       const struct tenure_session_create_reply *reply)
{
    struct tally *tally = arg;
    tally->ended++;
    tally->done += reply != NULL;
    tally->retried += result->attempts > 1;
    if (reply == NULL) {
        print_error("%s: %s\n", tenure_outcome_name(result->outcome), result->message);
    }
}

static void start_creates(struct cluster *cluster, struct tally *tally)
{
    struct tenure_session_create_request request = {.user = tenure_text("alice"),
                                                    .agent = tenure_text("agent"),
                                                    .idle = 3600 * SIM_SECOND,
                                                    .absolute = 3600 * SIM_SECOND};
    for (size_t i = 0; i < EACH; i++) {
        tenure_session_create_start(cluster->client, &request, on_created, tally);
    }
}

static bool all_ended(void *arg)
{
    const struct tally *tally = arg;
    return tally->ended == SESSIONS;
}

static uint64_t sessions_in_the_table(struct cluster *cluster)
{
    return fsm_session_count(cluster->node->fsm);
}

static void test_each_session_once_though_connections_break(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static struct cluster cluster;
        struct tally tally = {0};
        start(&cluster, seed);
        for (unsigned i = 0; i < RESETS; i++) {
            start_creates(&cluster, &tally);
            (void)sim_run_until(cluster.sim, all_ended, &tally,
                                sim_random(cluster.sim, BETWEEN_US));
            sim_net_reset(cluster.sim, cluster.host, cluster.apps);
            if (i % 20 == 10) {
                crash_node(&cluster);
                start_node(&cluster);
            }
        }
        assert_true(sim_run_until(cluster.sim, all_ended, &tally, 60 * SIM_SECOND));
        assert_int_equal(tally.done, SESSIONS);
        assert_true(tally.retried > EACH); /* else nothing was put to the test */
        assert_int_equal(sessions_in_the_table(&cluster), SESSIONS);
        end(&cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_session_once_though_connections_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

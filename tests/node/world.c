/* The world of world.h. */
#include "tests/node/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CA "cluster-ca"

/* ---- nodes ---- */

static void on_stopped(void *arg)
{
    struct world_node *node = arg;
    node->stopped = true;
}

static void on_fatal(void *arg, const char *detail)
{
    struct world_node *node = arg;
    node->failed = true;
    snprintf(node->error, sizeof(node->error), "%s", detail);
    if (!node->may_fail && !sim_process_crashed(node->env)) {
        fail_msg("node %u cannot go on: %s", node->config.node, detail);
    }
}

static void certify(struct sim_host *host, const char *name, const char *identity)
{
    char certificate[64];
    char key[64];
    snprintf(certificate, sizeof(certificate), "/pki/%s.pem", name);
    snprintf(key, sizeof(key), "/pki/%s.key", name);
    assert_int_equal(sim_ca_write(host, "/pki/ca.pem", CA), ENV_OK);
    assert_int_equal(sim_certificate_write(host, certificate, CA, identity), ENV_OK);
    assert_int_equal(sim_key_write(host, key, CA, identity), ENV_OK);
}

bool world_node_try(struct world_node *node)
{
    char name[16];
    snprintf(name, sizeof(name), "node-%u", node->config.node);
    node->env = sim_process_start(node->host, name);
    node->stopped = node->failed = false;
    const struct node_handlers handlers = {
        .arg = node, .on_stopped = on_stopped, .on_fatal = on_fatal};
    if (node_start(node->env, &node->config, &handlers, node->error, sizeof(node->error),
                   &node->node)) {
        return true;
    }
    sim_process_free(node->env);
    node->env = NULL;
    node->node = NULL;
    return false;
}

void world_node_run(struct world_node *node)
{
    if (!world_node_try(node)) {
        fail_msg("node %u does not start: %s", node->config.node, node->error);
    }
}

void world_node_kill(struct world_node *node)
{
    if (node->node != NULL) {
        sim_process_crash(node->env);
        (void)world_node_bury(node);
    }
}

void world_node_power_cut(struct world_node *node)
{
    sim_host_power_cut(node->host);
    (void)world_node_bury(node);
}

bool world_node_bury(struct world_node *node)
{
    if (node->node == NULL || !sim_process_crashed(node->env)) {
        return false;
    }
    node_destroy(node->node);
    sim_process_free(node->env);
    node->node = NULL;
    node->env = NULL;
    return true;
}

static void configure(struct world *world, struct world_node *node, size_t which)
{
    char name[16];
    char identity[64];
    snprintf(name, sizeof(name), "host-%zu", which + 1);
    snprintf(identity, sizeof(identity), "tenure://test/-/peer/%zu", which + 1);
    node->host = sim_host_create(world->sim, name);
    certify(node->host, "own", identity);
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

static void bootstrap_of(struct world *world, struct node_bootstrap *ret)
{
    memset(ret, 0, sizeof(*ret));
    snprintf(ret->birth.cluster, sizeof(ret->birth.cluster), "test");
    for (size_t i = 0; i < 16; i++) {
        ret->birth.incarnation.bytes[i] = (uint8_t)sim_random(world->sim, 256);
        ret->hash_key[i] = (uint8_t)sim_random(world->sim, 256);
    }
    memset(ret->derive_key, 0x5a, sizeof(ret->derive_key));
    ret->time = WORLD_T0;
    op_limits_init(&ret->limits);
    static const struct {
        const char *name;
        uint64_t value;
    } small[] = {{"sessions_max", 4000},   {"tasks_max", 1000},    {"tombstones_max", 4000},
                 {"clients_max", 400},     {"requests_max", 8192}, {"tenants_max", 16},
                 {"watermarks_max", 1000}, {"names_max", 8192},    {"blocks_max", 65536},
                 {"keys_max", 8192}};
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        assert_true(op_limits_set(&ret->limits, bytes_of_text(small[i].name), small[i].value));
    }
    ret->birth.member_count = WORLD_NODES;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        ret->birth.members[i].id = i + 1;
        snprintf(ret->birth.members[i].address, ENV_ADDRESS_MAX, "%s", world->nodes[i].peer_listen);
        snprintf(ret->clients[i], ENV_ADDRESS_MAX, "%s", world->nodes[i].listen);
    }
}

static void format(struct world_node *node, struct node_bootstrap *bootstrap)
{
    struct env *env = sim_process_start(node->host, "init");
    if (!node_format(env, &node->config, bootstrap, node->error, sizeof(node->error))) {
        fail_msg("node %u: %s", node->config.node, node->error);
    }
    sim_process_free(env);
}

void world_begin(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    world->sim = sim_create(seed);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        configure(world, &world->nodes[i], i);
    }
    bootstrap_of(world, &world->bootstrap);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        format(&world->nodes[i], &world->bootstrap);
        world_node_run(&world->nodes[i]);
    }
    world->apps = sim_host_create(world->sim, "apps");
    certify(world->apps, "service", "tenure://test/acme/service/gateway");
    certify(world->apps, "operator", "tenure://test/-/operator/root");
    world->console = sim_process_start(world->apps, "console");
}

void world_join(struct world *world, struct tenure_id *ret_store)
{
    static struct node_bootstrap bootstrap; /* large: 16 KiB and more */
    struct world_node *node = &world->fourth;
    struct id128 store;
    configure(world, node, WORLD_NODES);
    memcpy(&bootstrap, &world->bootstrap, sizeof(bootstrap));
    struct env *env = sim_process_start(node->host, "join");
    if (!node_format_joining(env, &node->config, &bootstrap, node->error, sizeof(node->error),
                             &store)) {
        fail_msg("node %u: %s", node->config.node, node->error);
    }
    sim_process_free(env);
    memcpy(ret_store->bytes, store.bytes, sizeof(store.bytes));
    world_node_run(node);
}

void world_start(struct world *world, uint64_t seed)
{
    world_begin(world, seed);
    (void)world_leader(world);
}

void world_end(struct world *world)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_kill(&world->nodes[i]);
    }
    world_node_kill(&world->fourth);
    sim_process_free(world->console);
    sim_destroy(world->sim);
}

/* ---- waiting ---- */

void world_pass(struct world *world, uint64_t us)
{
    (void)sim_run_until(world->sim, NULL, NULL, us);
}

size_t world_leader_now(const struct world *world)
{
    size_t best = WORLD_NODES;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        const struct node *node = world->nodes[i].node;
        if (node != NULL && !sim_process_crashed(world->nodes[i].env) &&
            node->lead.state == LEAD_SERVING &&
            (best == WORLD_NODES || node->lead.term > world->nodes[best].node->lead.term)) {
            best = i;
        }
    }
    return best;
}

size_t world_timeless(const struct world *world)
{
    size_t which = 0;
    while (which < WORLD_NODES && (world->nodes[which].node == NULL ||
                                   world->nodes[which].node->lead.state != LEAD_TIMELESS)) {
        which++;
    }
    return which;
}

static bool has_leader(void *arg)
{
    return world_leader_now(arg) != WORLD_NODES;
}

size_t world_leader(struct world *world)
{
    assert_true(sim_run_until(world->sim, has_leader, world, 30 * SIM_SECOND));
    return world_leader_now(world);
}

void world_doubt_walls(struct world *world, bool doubt)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        sim_host_set_synchronised(world->nodes[i].host, !doubt);
    }
}

uint64_t world_clock(const struct world_node *node)
{
    return node_time_clock(&node->node->time, env_boot_us(node->env));
}

static bool all_have_clocks(void *arg)
{
    const struct world *world = arg;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (world->nodes[i].node != NULL && !world->nodes[i].node->time.has_clock) {
            return false;
        }
    }
    return true;
}

void world_want_clocks(struct world *world)
{
    assert_true(sim_run_until(world->sim, all_have_clocks, world, 5 * SIM_SECOND));
}

size_t world_other(size_t node)
{
    return (node + 1) % WORLD_NODES;
}

static bool at_one_position(void *arg)
{
    const struct world *world = arg;
    const struct fsm *first = NULL;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (world->nodes[i].node != NULL) {
            const struct fsm *fsm = world->nodes[i].node->fsm;
            first = first == NULL ? fsm : first;
            if (fsm_position(fsm) != fsm_position(first)) {
                return false;
            }
        }
    }
    return true;
}

void world_agree(struct world *world)
{
    assert_true(sim_run_until(world->sim, at_one_position, world, 30 * SIM_SECOND));
    const struct fsm *first = NULL;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (world->nodes[i].node != NULL) {
            const struct fsm *fsm = world->nodes[i].node->fsm;
            first = first == NULL ? fsm : first;
            struct hash128 one = fsm_digest(fsm);
            struct hash128 other = fsm_digest(first);
            assert_memory_equal(&one, &other, sizeof(one));
        }
    }
}

/* ---- clients ---- */

struct tenure_client *world_client(struct world *world, size_t only, const char *role)
{
    const char *servers[WORLD_NODES];
    bool one = only < WORLD_NODES;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        servers[i] = world->nodes[one ? only : i].listen;
    }
    char certificate[64];
    char key[64];
    snprintf(certificate, sizeof(certificate), "/pki/%s.pem", role);
    snprintf(key, sizeof(key), "/pki/%s.key", role);
    const struct tenure_options options = {
        .servers = servers,
        .server_count = one ? 1 : WORLD_NODES,
        .ca = "/pki/ca.pem",
        .certificate = certificate,
        .key = key,
        .tenant = strcmp(role, "operator") == 0 ? "acme" : NULL,
        .software = "test",
        .timeout_us = 10 * SIM_SECOND,
        .stay = one,
    };
    char error[512];
    struct tenure_client *client;
    if (!tenure_open_env(world->console, &options, error, sizeof(error), &client)) {
        fail_msg("client: %s", error);
    }
    return client;
}

struct env_tls *world_identity(struct world *world, const char *identity)
{
    char error[512];
    struct env_tls *tls = NULL;
    certify(world->apps, "some", identity);
    if (env_tls_create(world->console, "/pki/ca.pem", "/pki/some.pem", "/pki/some.key", error,
                       sizeof(error), &tls) != ENV_OK) {
        fail_msg("%s: %s", identity, error);
    }
    return tls;
}

/* ---- calls ---- */

enum tenure_outcome world_create(struct tenure_client *client, const char *user, uint64_t idle_us,
                                 uint64_t absolute_us, struct world_session *ret_session)
{
    const struct tenure_session_create_request request = {
        .user = tenure_text(user),
        .agent = tenure_text("assistant"),
        .idle = idle_us,
        .absolute = absolute_us,
        .has_grants = true,
        .grants_count = 3,
        .grants = {{.permission = tenure_text("state:write")},
                   {.permission = tenure_text("task:begin")},
                   {.permission = tenure_text("task:user")}},
    };
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_create(client, &request, &reply, &result);
    memset(ret_session, 0, sizeof(*ret_session));
    snprintf(ret_session->user, sizeof(ret_session->user), "%s", user);
    if (outcome == TENURE_OK) {
        ret_session->id = reply.session;
        ret_session->absolute = reply.absolute;
        ret_session->time = result.time;
        snprintf(ret_session->token, sizeof(ret_session->token), "%.*s", (int)reply.token.size,
                 (const char *)reply.token.data);
    }
    tenure_result_done(&result);
    return outcome;
}

enum tenure_outcome world_validate(struct tenure_client *client,
                                   const struct world_session *session,
                                   struct tenure_result *ret_result)
{
    const struct tenure_session_validate_request request = {.user = tenure_text(session->user),
                                                            .token = tenure_text(session->token)};
    struct tenure_session_validate_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_validate(client, &request, &reply, &result);
    tenure_result_done(&result);
    if (ret_result != NULL) {
        *ret_result = result;
    }
    return outcome;
}

enum tenure_outcome world_put(struct tenure_client *client, const struct world_session *session,
                              const char *key, const char *value)
{
    const struct tenure_state_put_request request = {
        .user = tenure_text(session->user),
        .has_token = true,
        .token = tenure_text(session->token),
        .key = tenure_text(key),
        .value = tenure_text(value),
    };
    struct tenure_state_put_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_state_put(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

enum tenure_outcome world_get(struct tenure_client *client, const struct world_session *session,
                              const char *key, char ret_value[64])
{
    const struct tenure_state_get_request request = {
        .user = tenure_text(session->user),
        .has_token = true,
        .token = tenure_text(session->token),
        .key = tenure_text(key),
    };
    struct tenure_state_get_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_state_get(client, &request, &reply, &result);
    ret_value[0] = '\0';
    if (outcome == TENURE_OK) {
        snprintf(ret_value, 64, "%.*s", (int)reply.value.size, (const char *)reply.value.data);
    }
    tenure_result_done(&result);
    return outcome;
}

enum tenure_outcome world_revoke(struct tenure_client *client, const char *user)
{
    const struct tenure_revoke_user_request request = {.user = tenure_text(user)};
    struct tenure_revoke_user_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_revoke_user(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

enum tenure_outcome world_logout(struct tenure_client *client, const struct world_session *session)
{
    const struct tenure_session_end_request request = {.user = tenure_text(session->user),
                                                       .token = tenure_text(session->token)};
    struct tenure_session_end_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_end(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

/* The world of world.h. */
#include "tests/unit/client/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "op/token.h"

static void certify(struct sim_host *host, const char *identity)
{
    ASSERT(sim_ca_write(host, "/pki/ca.pem", "ca") == ENV_OK);
    ASSERT(sim_certificate_write(host, "/pki/own.pem", "ca", identity) == ENV_OK);
    ASSERT(sim_key_write(host, "/pki/own.key", "ca", identity) == ENV_OK);
}

static void server_create(struct world *world, size_t which)
{
    char name[16];
    char identity[64];
    char error[256] = "";
    struct env_tls *tls;
    (void)snprintf(name, sizeof(name), "server-%zu", which + 1);
    (void)snprintf(identity, sizeof(identity), "tenure://c/-/peer/%zu", which + 1);
    world->hosts[which] = sim_host_create(world->sim, name);
    certify(world->hosts[which], identity);
    struct env *env = sim_process_start(world->hosts[which], name);
    assert_int_equal(env_tls_create(env, "/pki/ca.pem", "/pki/own.pem", "/pki/own.key", error,
                                    sizeof(error), &tls),
                     ENV_OK);
    server_start(&world->servers[which], env, tls, sim_host_address(world->hosts[which]));
    world->servers[which].script = server_obey;
}

int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    ASSERT(world != NULL);
    world->sim = sim_create(7);
    for (size_t i = 0; i < WORLD_SERVERS; i++) {
        server_create(world, i);
    }
    world->server = &world->servers[0];
    world->apps = sim_host_create(world->sim, "apps");
    certify(world->apps, "tenure://c/acme/service/gateway");
    world->app = sim_process_start(world->apps, "app");
    const char *servers[] = {world->server->address};
    world->client = world_client(world, servers, 1, false);
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    tenure_close(world->client);
    sim_process_free(world->app);
    for (size_t i = 0; i < WORLD_SERVERS; i++) {
        struct env *env = world->servers[i].env;
        sim_process_crash(env);
        server_done(&world->servers[i]);
        sim_process_free(env);
    }
    sim_destroy(world->sim);
    free(world);
    return 0;
}

struct tenure_client *world_client(struct world *world, const char *const *servers, size_t count,
                                   bool stay)
{
    char error[256] = "";
    struct tenure_client *client;
    struct tenure_options options = {.servers = servers,
                                     .server_count = count,
                                     .ca = "/pki/ca.pem",
                                     .certificate = "/pki/own.pem",
                                     .key = "/pki/own.key",
                                     .timeout_us = WORLD_TIMEOUT_US,
                                     .stay = stay};
    assert_true(tenure_open_env(world->app, &options, error, sizeof(error), &client));
    return client;
}

void world_know_both(struct world *world)
{
    const char *servers[] = {world->servers[0].address, world->servers[1].address};
    tenure_close(world->client);
    world->client = world_client(world, servers, 2, false);
}

/* ---- calls ---- */

static void note(struct outcome *outcome, const struct tenure_result *result)
{
    outcome->ends++;
    outcome->outcome = result->outcome;
    outcome->attempts = result->attempts;
    outcome->superseded = result->superseded;
    outcome->at = outcome->world == NULL ? 0 : sim_now_us(outcome->world->sim);
    (void)snprintf(outcome->message, sizeof(outcome->message), "%s", result->message);
    if (result->details.has_field) {
        (void)snprintf(outcome->field, sizeof(outcome->field), "%.*s",
                       (int)result->details.field.size, (const char *)result->details.field.data);
    }
}

static void on_revoked(void *arg, const struct tenure_result *result,
                       const struct tenure_revoke_user_reply *reply)
{
    struct outcome *outcome = arg;
    note(outcome, result);
    assert_int_equal(reply != NULL, tenure_outcome_class(result->outcome) == TENURE_CLASS_DONE);
    outcome->watermark = reply == NULL ? 0 : reply->watermark;
}

tenure_call call_revoke(struct tenure_client *client, struct outcome *outcome)
{
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    return tenure_revoke_user_start(client, &request, on_revoked, outcome);
}

struct tenure_bytes session_token(uint8_t id, char buffer[128])
{
    struct op_token token;
    struct base_writer writer;
    memset(&token, 1, sizeof(token));
    memset(&token.id, id, sizeof(token.id));
    base_writer_init(&writer, (uint8_t *)buffer, 128);
    op_token_write(&writer, OP_TOKEN_session, &token);
    return (struct tenure_bytes){base_written(&writer).data, base_written(&writer).size};
}

static void on_validated(void *arg, const struct tenure_result *result,
                         const struct tenure_session_validate_reply *reply)
{
    struct outcome *outcome = arg;
    note(outcome, result);
    if (reply != NULL) {
        outcome->session = reply->session;
    }
}

tenure_call call_validate(struct tenure_client *client, struct outcome *outcome, uint8_t id)
{
    char text[128];
    struct tenure_session_validate_request request = {.user = tenure_text("alice"),
                                                      .token = session_token(id, text)};
    return tenure_session_validate_start(client, &request, on_validated, outcome);
}

static void on_touched(void *arg, const struct tenure_result *result,
                       const struct tenure_session_touch_reply *reply)
{
    (void)reply;
    note(arg, result);
}

tenure_call call_touch(struct tenure_client *client, struct outcome *outcome, uint8_t id)
{
    char text[128];
    struct tenure_session_touch_request request = {.user = tenure_text("alice"),
                                                   .token = session_token(id, text)};
    return tenure_session_touch_start(client, &request, on_touched, outcome);
}

static void on_ended(void *arg, const struct tenure_result *result,
                     const struct tenure_session_end_reply *reply)
{
    struct outcome *outcome = arg;
    note(outcome, result);
    if (reply != NULL) {
        outcome->session = reply->session;
    }
}

tenure_call call_end(struct tenure_client *client, struct outcome *outcome, uint8_t id)
{
    char text[128];
    struct tenure_session_end_request request = {.user = tenure_text("alice"),
                                                 .token = session_token(id, text)};
    return tenure_session_end_start(client, &request, on_ended, outcome);
}

/* ---- time ---- */

static bool has_ended(void *arg)
{
    const struct outcome *outcome = arg;
    return outcome->ends > 0;
}

void world_end_of(struct world *world, struct outcome *outcome)
{
    outcome->world = world;
    assert_true(sim_run_until(world->sim, has_ended, outcome, 30 * SIM_SECOND));
}

struct awaited {
    const struct server *server;
    size_t count;
};

static bool has_seen(void *arg)
{
    const struct awaited *awaited = arg;
    return awaited->server->count >= awaited->count;
}

void world_requests(struct world *world, size_t count)
{
    struct awaited awaited = {world->server, count};
    assert_true(sim_run_until(world->sim, has_seen, &awaited, 30 * SIM_SECOND));
}

void world_pass(struct world *world, uint64_t us)
{
    (void)sim_run_until(world->sim, NULL, NULL, us);
}

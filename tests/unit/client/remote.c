/* The server on a thread of remote.h. */
#include "tests/unit/client/remote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "env/crypto.h"
#include "env/loop.h"
#include "env/uv/uv.h"

enum { TURN_US = 1000000 };

/* ---- certificates ---- */

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    ASSERT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void issue(const char *ca, const char *ca_key, const char *name, const char *identity)
{
    static char certificate[ENV_PEM_MAX];
    static char key[ENV_PEM_MAX];
    char path[64];
    ASSERT(env_pki_issue(ca, ca_key, identity, 2, certificate, key) == ENV_OK);
    (void)snprintf(path, sizeof(path), "%s.pem", name);
    write_file(path, certificate);
    (void)snprintf(path, sizeof(path), "%s.key", name);
    write_file(path, key);
}

void remote_certify(void)
{
    static char ca[ENV_PEM_MAX];
    static char key[ENV_PEM_MAX];
    ASSERT(env_pki_ca("c", 2, ca, key) == ENV_OK);
    write_file("ca.pem", ca);
    issue(ca, key, "server", "tenure://c/-/peer/1");
    issue(ca, key, "app", "tenure://c/acme/service/gateway");
}

/* ---- the thread ---- */

static void *run(void *arg)
{
    struct remote *remote = arg;
    while (!atomic_load(&remote->stopping)) {
        env_turn(remote->env, TURN_US);
    }
    return NULL;
}

void remote_start(struct remote *remote, server_script script, void *arg)
{
    char error[256] = "";
    struct env_tls *tls;
    ASSERT(env_uv_create(&remote->env) == ENV_OK);
    assert_int_equal(env_tls_create(remote->env, "ca.pem", "server.pem", "server.key", error,
                                    sizeof(error), &tls),
                     ENV_OK);
    server_start(&remote->server, remote->env, tls, "127.0.0.1");
    remote->server.script = script;
    remote->server.arg = arg;
    memcpy(remote->address, remote->server.address, sizeof(remote->address));
    atomic_init(&remote->stopping, false);
    ASSERT(pthread_create(&remote->thread, NULL, run, remote) == 0);
}

void remote_stop(struct remote *remote)
{
    atomic_store(&remote->stopping, true);
    env_wake(remote->env);
    ASSERT(pthread_join(remote->thread, NULL) == 0);
    server_stop(&remote->server);
    env_uv_destroy(remote->env); /* its last callbacks still find the server */
    server_done(&remote->server);
}

struct tenure_client *remote_client(const struct remote *remote, uint64_t timeout_us)
{
    const char *servers[] = {remote->address};
    char error[256] = "";
    struct tenure_client *client;
    struct tenure_options options = {.servers = servers,
                                     .server_count = 1,
                                     .ca = "ca.pem",
                                     .certificate = "app.pem",
                                     .key = "app.key",
                                     .timeout_us = timeout_us};
    if (!tenure_open(&options, error, sizeof(error), &client)) {
        fail_msg("%s", error);
    }
    return client;
}

/* ---- gates ---- */

void gate_count(struct gate *gate)
{
    ASSERT(pthread_mutex_lock(&gate->lock) == 0);
    gate->count++;
    ASSERT(pthread_cond_broadcast(&gate->changed) == 0);
    ASSERT(pthread_mutex_unlock(&gate->lock) == 0);
}

void gate_wait(struct gate *gate, unsigned count)
{
    ASSERT(pthread_mutex_lock(&gate->lock) == 0);
    while (gate->count < count) {
        ASSERT(pthread_cond_wait(&gate->changed, &gate->lock) == 0);
    }
    ASSERT(pthread_mutex_unlock(&gate->lock) == 0);
}

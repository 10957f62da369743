/* A client's life: options, steps, close. Knows no implementation of env (open.c does). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/encode.h"
#include "client-lib/internal.h"
#include "env/crypto.h"
#include "env/loop.h"
#include "env/random.h"
#include "op/text.h"

enum { TIMEOUT_US = 5000000 };

void tenure_step(struct tenure_client *client)
{
    tenure_link_step(client);
    tenure_calls_step(client);
}

static void on_timer(void *arg)
{
    tenure_step(arg);
}

_Static_assert(OP_NAME_MAX == 128, "the messages below say so");

/* What a server would refuse in hello or in every call. */
static bool name_fits(const char *name)
{
    if (name == NULL) {
        return true;
    }
    struct bytes text = bytes_of_text(name);
    return text.size > 0 && text.size <= OP_NAME_MAX && op_text_valid(text);
}

static bool check_options(const struct tenure_options *options, char *error, size_t error_size)
{
    const char *wrong = options->server_count == 0      ? "servers: give at least one address"
                        : options->ca == NULL           ? "ca: give the CA's PEM file"
                        : options->certificate == NULL  ? "certificate: give a PEM file"
                        : options->key == NULL          ? "key: give a PEM file"
                        : !name_fits(options->tenant)   ? "tenant: no name of at most 128 bytes"
                        : !name_fits(options->software) ? "software: no name of at most 128 bytes"
                                                        : NULL;
    if (wrong != NULL) {
        snprintf(error, error_size, "%s", wrong);
    }
    return wrong == NULL;
}

/* True also for no text. False: out of memory. */
static bool copy_text(const char *text, char **ret_copy)
{
    if (text == NULL) {
        return true;
    }
    size_t size = strlen(text) + 1;
    *ret_copy = malloc(size);
    if (*ret_copy != NULL) {
        memcpy(*ret_copy, text, size);
    }
    return *ret_copy != NULL;
}

/* False: out of memory; what was taken is the client's. */
static bool copy_options(struct tenure_client *client, const struct tenure_options *options)
{
    client->timeout_us = options->timeout_us == 0 ? TIMEOUT_US : options->timeout_us;
    client->stay = options->stay;
    client->stale = options->stale;
    client->servers = calloc(options->server_count, sizeof(*client->servers));
    if (client->servers == NULL) {
        return false;
    }
    client->server_count = options->server_count;
    for (size_t i = 0; i < options->server_count; i++) {
        if (!copy_text(options->servers[i], &client->servers[i])) {
            return false;
        }
    }
    const char *software = options->software == NULL ? "libtenure " TENURE_VERSION
                                                     : options->software;
    return copy_text(options->tenant, &client->tenant) && copy_text(software, &client->software);
}

/* Takes the TLS context. NULL: out of memory. */
static struct tenure_client *make_client(struct env *env, struct env_tls *tls,
                                         const struct tenure_options *options)
{
    struct tenure_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        env_tls_destroy(tls);
        return NULL;
    }
    client->env = env;
    client->tls = tls;
    tenure_calls_init(client);
    tenure_registration_init(&client->registration);
    client->frame = malloc(OP_FRAME_MAX);
    client->timer = env_timer_create(env, on_timer, client);
    if (client->frame == NULL || client->timer == NULL || !copy_options(client, options)) {
        tenure_client_free(client);
        return NULL;
    }
    return client;
}

bool tenure_open_env(struct env *env, const struct tenure_options *options, char *error,
                     size_t error_size, struct tenure_client **ret_client)
{
    if (!check_options(options, error, error_size)) {
        return false;
    }
    struct env_tls *tls;
    if (env_tls_create(env, options->ca, options->certificate, options->key, error, error_size,
                       &tls) != ENV_OK) {
        return false;
    }
    struct tenure_client *client = make_client(env, tls, options);
    if (client == NULL) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    env_random(env, &client->instance, sizeof(client->instance));
    snprintf(client->link.fault, sizeof(client->link.fault), "no server could be reached");
    *ret_client = client;
    return true;
}

/* All but the env, which open.c may own. */
void tenure_client_free(struct tenure_client *client)
{
    tenure_calls_end(client);
    tenure_link_done(client);
    if (client->timer != NULL) {
        env_timer_destroy(client->timer);
    }
    env_tls_destroy(client->tls);
    for (size_t i = 0; i < client->server_count; i++) {
        free(client->servers[i]);
    }
    free(client->servers);
    free(client->tenant);
    free(client->software);
    env_wipe(client->frame, client->frame_used); /* requests show tokens */
    free(client->frame);
    free(client);
}

void tenure_close(struct tenure_client *client)
{
    if (client == NULL) {
        return;
    }
    ASSERT(client->thread != NULL || !client->calls.delivering); /* not from a callback */
    tenure_thread_stop(client);
    struct env *env = client->env;
    void (*close_env)(struct env *) = client->close_env;
    tenure_client_free(client);
    if (close_env != NULL) {
        close_env(env);
    }
}

int tenure_fd(const struct tenure_client *client)
{
    return env_fd(client->env);
}

uint64_t tenure_timeout_us(const struct tenure_client *client)
{
    return env_timeout_us(client->env);
}

void tenure_process(struct tenure_client *client, uint64_t wait_us)
{
    ASSERT(client->thread == NULL);    /* it drives itself */
    ASSERT(!client->calls.delivering); /* not from a callback: the loop runs it */
    env_turn(client->env, wait_us);
}

/* ---- small things for callers ---- */

struct tenure_bytes tenure_text(const char *text)
{
    return (struct tenure_bytes){(const uint8_t *)text, strlen(text)};
}

void tenure_id_text(struct tenure_id id, char ret_text[TENURE_ID_TEXT])
{
    hex_write(ret_text, bytes_of(id.bytes, sizeof(id.bytes)));
}

bool tenure_id_of_text(const char *text, struct tenure_id *ret_id)
{
    return hex_read(bytes_of_text(text), ret_id->bytes, sizeof(ret_id->bytes));
}

enum tenure_class tenure_outcome_class(enum tenure_outcome outcome)
{
    return (enum tenure_class)op_outcome_class((enum op_outcome)outcome);
}

const char *tenure_outcome_name(enum tenure_outcome outcome)
{
    return op_outcome_name((enum op_outcome)outcome);
}

const char *tenure_end_cause_text(uint32_t cause)
{
    return op_cause_text(cause);
}

/* Addresses, listeners and the handshake: who meets whom, and whether they trust each other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/clock.h"
#include "env/sim/conn.h"

/* ---- addresses ---- */

/* "10.0.0.2:7000" into host part and port. */
static bool address_split(const char *address, char *host, size_t size, uint16_t *ret_port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || (size_t)(colon - address) >= size || strlen(colon + 1) > 5 ||
        strlen(colon + 1) != strspn(colon + 1, "0123456789") || colon[1] == '\0') {
        return false;
    }
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (port > UINT16_MAX) {
        return false;
    }
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    *ret_port = (uint16_t)port;
    return true;
}

static bool is_own(const struct sim_host *host, const char *text)
{
    static const char *const own[] = {"127.0.0.1", "0.0.0.0", "[::1]", "[::]"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(text, own[i]) == 0) {
            return true;
        }
    }
    return strcmp(text, host->address) == 0;
}

static bool is_numeric(const char *text)
{
    unsigned part[4];
    char rest;
    int count = sscanf(text, "%3u.%3u.%3u.%3u%c", &part[0], &part[1], &part[2], &part[3], &rest);
    return (count == 4 && part[0] < 256 && part[1] < 256 && part[2] < 256 && part[3] < 256) ||
           (text[0] == '[' && text[strlen(text) - 1] == ']' &&
            strspn(text + 1, "0123456789abcdefABCDEF:.") == strlen(text) - 2);
}

static struct sim_host *host_find(struct sim_host *asking, const char *text)
{
    if (is_own(asking, text)) {
        return asking;
    }
    for (uint32_t i = 0; i < asking->sim->hosts_count; i++) {
        if (strcmp(asking->sim->hosts[i]->address, text) == 0) {
            return asking->sim->hosts[i];
        }
    }
    return NULL;
}

/* ---- listeners ---- */

static struct env_listener *listener_find(const struct sim_host *host, uint16_t port)
{
    LIST_FOR_EACH(process, &host->processes)
    {
        const struct env *env = LIST_ENTRY(process, struct env, link);
        LIST_FOR_EACH(node, &env->handles.listeners)
        {
            struct env_listener *listener = LIST_ENTRY(node, struct env_listener, link);
            if (listener->port == port && !env->crashed) {
                return listener;
            }
        }
    }
    return NULL;
}

static uint16_t port_pick(struct sim_host *host)
{
    while (listener_find(host, host->next_port) != NULL) {
        host->next_port++;
    }
    return host->next_port++;
}

int env_listen(struct env *env, const char *address, struct env_tls *tls, const char *alpn,
               env_accept_cb on_accept, void *arg, char *ret_address,
               struct env_listener **ret_listener)
{
    char host[ENV_ADDRESS_MAX];
    uint16_t port;
    ASSERT(!env->sim->in_run);
    if (env->crashed) {
        return ENV_CRASHED;
    }
    if (!address_split(address, host, sizeof(host) - 8, &port) || !is_own(env->host, host)) {
        return ENV_ADDRESS;
    }
    if (port != 0 && listener_find(env->host, port) != NULL) {
        return ENV_IN_USE;
    }
    struct env_listener *listener = sim_alloc(sizeof(*listener));
    listener->env = env;
    listener->port = port != 0 ? port : port_pick(env->host);
    listener->tls = tls;
    sim_tls_hold(tls);
    (void)snprintf(listener->alpn, sizeof(listener->alpn), "%s", alpn);
    listener->on_accept = on_accept;
    listener->arg = arg;
    list_append(&env->handles.listeners, &listener->link);
    (void)snprintf(ret_address, ENV_ADDRESS_MAX, "%.100s:%u", host, (unsigned)listener->port);
    *ret_listener = listener;
    return 0;
}

static void listener_free(struct env_listener *listener)
{
    list_remove(&listener->link);
    sim_tls_release(listener->tls);
    free(listener);
}

void env_listener_close(struct env_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    LIST_FOR_EACH(node, &listener->env->handles.conns)
    {
        struct env_conn *conn = LIST_ENTRY(node, struct env_conn, link);
        if (conn->listener != listener) {
            continue;
        }
        conn->listener = NULL;
        if (conn->state == SIM_CONN_ACCEPTED && sim_event_waits(&conn->events.begin)) {
            sim_conn_break(conn, ENV_CLOSED, "the listener is closed", ENV_RESET,
                           "the other side stopped listening");
        }
    }
    listener_free(listener);
}

void sim_listeners_free(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->handles.listeners)
    {
        listener_free(LIST_ENTRY(node, struct env_listener, link));
    }
}

/* ---- the handshake ---- */

/* Why `conn` does not trust the other side; NULL when it does. */
static const char *distrust(const struct env_conn *conn)
{
    if (strcmp(conn->tls->ca, conn->remote_tls->ca) != 0) {
        return "the other side's certificate is signed by an unknown authority";
    }
    if (env_wall_us(conn->env) >= conn->remote_tls->until_us) {
        return "the other side's certificate has expired";
    }
    return NULL;
}

static void refuse(struct env_conn *conn, const char *reason)
{
    sim_conn_break(conn, ENV_TLS, reason, ENV_TLS, "the other side refused the handshake");
}

static void accept_fire(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.begin);
    struct env_listener *listener = conn->listener;
    listener->on_accept(listener->arg, conn);
    if (conn->state == SIM_CONN_ACCEPTED && !conn->env->crashed) {
        sim_conn_break(conn, ENV_CLOSED, "nobody took it", ENV_RESET, "not accepted");
    }
}

static size_t pending(const struct env_listener *listener)
{
    size_t count = 0;
    LIST_FOR_EACH(node, &listener->env->handles.conns)
    {
        count += LIST_ENTRY(node, struct env_conn, link)->listener == listener;
    }
    return count;
}

/* The server's end, made when a client's first packet arrives. */
static void server_create(struct env_listener *listener, struct env_conn *client)
{
    struct sim *sim = client->env->sim;
    char address[ENV_ADDRESS_MAX];
    (void)snprintf(address, sizeof(address), "%s:%u", client->env->host->address,
                   (unsigned)(50000 + sim_rng_below(&sim->rng.net, 10000)));
    struct env_conn *conn = sim_conn_create(listener->env, listener->tls, listener->alpn, address);
    conn->state = SIM_CONN_ACCEPTED;
    conn->listener = listener;
    conn->remote = client->env->host;
    conn->remote_tls = client->tls;
    sim_tls_hold(client->tls);
    client->remote_tls = listener->tls;
    sim_tls_hold(listener->tls);
    conn->peer = client;
    client->peer = conn;
    sim_event_init(&conn->events.begin, SIM_EVENT_ACCEPT, listener->env, accept_fire);
    sim_event_in(sim, &conn->events.begin, sim_rng_below(&sim->rng.net, 50));
}

void sim_syn_fire(struct sim_event *event)
{
    struct env_conn *conn = SIM_EVENT_OWNER(event, struct env_conn, events.begin);
    struct sim *sim = conn->env->sim;
    struct sim_host *remote = conn->remote;
    struct env_listener *listener = NULL;
    bool answers = remote != NULL && sim_path_open(conn->env->host, remote);
    if (answers) {
        listener = listener_find(remote, conn->port);
        answers = listener == NULL || pending(listener) < SIM_PENDING_MAX;
    }
    if (!answers) {
        sim_event_in(sim, event, SIM_SECOND + sim_rng_below(&sim->rng.net, 200));
        return;
    }
    if (listener == NULL) {
        sim_pipe_push_end(conn, ENV_REFUSED, "nobody listens there");
    } else {
        server_create(listener, conn);
    }
}

struct env_conn *env_connect(struct env *env, const char *address, struct env_tls *tls,
                             const char *alpn, const struct env_conn_handlers *handlers, void *arg)
{
    char host[ENV_ADDRESS_MAX];
    uint16_t port;
    ASSERT(!env->sim->in_run);
    if (!address_split(address, host, sizeof(host), &port) || !is_numeric(host) || port == 0) {
        return NULL;
    }
    struct env_conn *conn = sim_conn_create(env, tls, alpn, address);
    conn->state = SIM_CONN_CONNECTING;
    conn->handlers = *handlers;
    conn->handled = true;
    conn->arg = arg;
    conn->port = port;
    conn->remote = host_find(env->host, host);
    if (env->crashed) {
        return conn; /* nothing will ever happen to it */
    }
    uint64_t delay_us = conn->remote == NULL ? 0
                                             : sim_link_delay(env->sim, env->host, conn->remote);
    sim_event_in(env->sim, &conn->events.begin, delay_us);
    return conn;
}

void env_conn_adopt(struct env_conn *conn, const struct env_conn_handlers *handlers, void *arg)
{
    if (conn->env->crashed || conn->state == SIM_CONN_ENDED) {
        return;
    }
    ASSERT(conn->state == SIM_CONN_ACCEPTED);
    conn->handlers = *handlers;
    conn->handled = true;
    conn->arg = arg;
    conn->state = SIM_CONN_SHAKING;
    if (conn->peer == NULL) {
        return; /* the client is gone already; its END is under way */
    }
    if (strcmp(conn->alpn, conn->peer->alpn) != 0) {
        refuse(conn, "no protocol in common");
        return;
    }
    sim_pipe_push(conn->peer, SIM_SEGMENT_HELLO, BYTES_NONE);
}

void sim_hello_received(struct env_conn *conn)
{
    if (conn->state != SIM_CONN_CONNECTING) {
        return;
    }
    const char *reason = distrust(conn);
    if (reason != NULL) {
        refuse(conn, reason);
        return;
    }
    if (conn->peer != NULL) {
        sim_pipe_push(conn->peer, SIM_SEGMENT_FINISHED, BYTES_NONE);
    }
    sim_conn_open(conn);
}

void sim_finished_received(struct env_conn *conn)
{
    if (conn->state != SIM_CONN_SHAKING) {
        return;
    }
    const char *reason = distrust(conn);
    if (reason != NULL) {
        refuse(conn, reason);
        return;
    }
    sim_conn_open(conn);
}

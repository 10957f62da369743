/* Clients' connections: frames and bounds; who they are is identity.c. */
#include "node/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/crypto.h"
#include "node/internal.h"

#define ALPN_CLIENT "tenure/1"

/* ---- out ---- */

static void see_unsent(struct node_connection *connection)
{
    size_t queued = env_conn_queued(connection->conn);
    connection->node->listener.bytes += queued - connection->unsent_bytes;
    connection->unsent_bytes = queued;
}

void node_connection_send(struct node_connection *connection, struct bytes frame)
{
    if (connection->closing || connection->conn == NULL) {
        return;
    }
    env_conn_write(connection->conn, frame);
    see_unsent(connection);
}

/* Why, under msgid 0, and then the end. */
static void turn_away(struct node_connection *connection, enum op_outcome outcome,
                      const char *reason)
{
    struct node *node = connection->node;
    node_observe_count(node, METRIC_BROKEN);
    env_log(node->env, ENV_LOG_WARN, "client", "%s: %s: closed", env_conn_address(connection->conn),
            reason);
    struct op_reply_head head = node_head(node, outcome);
    head.message = bytes_of_text(reason);
    struct base_writer writer;
    base_writer_init(&writer, node->scratch, NODE_SCRATCH);
    op_response_write(&writer, 0, &head, NULL, NULL, NULL);
    node_connection_send(connection, base_written(&writer));
    connection->closing = true;
    env_conn_close(connection->conn, true);
}

void node_connection_break(struct node_connection *connection, const char *reason)
{
    if (!connection->closing) {
        turn_away(connection, OP_PROTOCOL, reason);
    }
}

static bool overfull(const struct node_connection *connection)
{
    bool scarce = connection->node->listener.bytes >= LISTENER_BYTES_MAX;
    return connection->request_count >= CONNECTION_REQUESTS_MAX ||
           connection->open_bytes >= CONNECTION_OPEN_MAX ||
           env_conn_queued(connection->conn) >
               (scarce ? CONNECTION_UNSENT_LEAST : CONNECTION_UNSENT_MAX);
}

bool node_listener_has_room(const struct node_listener *listener, size_t cost)
{
    return listener->bytes + cost <= LISTENER_BYTES_MAX;
}

void node_connection_relieved(struct node_connection *connection)
{
    if (connection->paused && !connection->closing && !overfull(connection)) {
        connection->node->listener.relieved = true; /* the turn's end reads on */
    }
}

void node_connection_own(struct node_connection *connection, struct node_request *request)
{
    list_append(&connection->requests, &request->in_connection);
    connection->request_count++;
    connection->open_bytes += request->cost;
    connection->node->listener.bytes += request->cost;
}

void node_connection_forget(struct node_connection *connection, struct node_request *request)
{
    connection->request_count--;
    connection->open_bytes -= request->cost;
    connection->node->listener.bytes -= request->cost;
    request->connection = NULL;
    list_remove(&request->in_connection);
}

static void on_drain(void *arg, struct env_conn *conn)
{
    (void)conn;
    see_unsent(arg);
    node_connection_relieved(arg);
}

/* ---- ages ---- */

static bool anybody_ages(const struct node_listener *listener)
{
    return !list_empty(&listener->shaking) || !list_empty(&listener->greeting) ||
           !list_empty(&listener->unfinished);
}

static void age_in(struct node_connection *connection, struct list *ages)
{
    struct node *node = connection->node;
    if (!anybody_ages(&node->listener)) {
        env_timer_start(node->listener.timer, LISTENER_SWEEP_US);
    }
    list_remove(&connection->in_ages);
    list_append(ages, &connection->in_ages);
    connection->since = env_mono_us(node->env);
}

/* Its handshake is over, one way or the other. */
static void shaking_out(struct node_connection *connection)
{
    if (connection->shaking) {
        connection->shaking = false;
        connection->node->listener.shaking_count--;
        list_remove(&connection->in_ages);
    }
}

/* There is nobody yet to tell why. */
static void drop_oldest_shaking(struct node *node)
{
    struct node_connection *oldest = LIST_ENTRY(node->listener.shaking.next, struct node_connection,
                                                in_ages);
    shaking_out(oldest);
    oldest->closing = true;
    env_conn_close(oldest->conn, false);
}

static void drop_older_shaking(struct node *node, uint64_t most_us)
{
    uint64_t now = env_mono_us(node->env);
    while (!list_empty(&node->listener.shaking) &&
           now - LIST_ENTRY(node->listener.shaking.next, struct node_connection, in_ages)->since >=
               most_us) {
        drop_oldest_shaking(node);
    }
}

static void close_older(struct node *node, struct list *ages, uint64_t most_us, const char *reason)
{
    uint64_t now = env_mono_us(node->env);
    while (!list_empty(ages)) {
        struct node_connection *oldest = LIST_ENTRY(ages->next, struct node_connection, in_ages);
        if (now - oldest->since < most_us) {
            return;
        }
        list_remove(&oldest->in_ages);
        node_connection_break(oldest, reason);
    }
}

static void sweep(void *arg)
{
    struct node *node = arg;
    struct node_listener *listener = &node->listener;
    drop_older_shaking(node, node->config->handshake_ms * UINT64_C(1000));
    close_older(node, &listener->greeting, node->config->hello_ms * UINT64_C(1000),
                "hello did not come in time");
    close_older(node, &listener->unfinished, node->config->frame_ms * UINT64_C(1000),
                "the rest of the frame did not come in time");
    if (anybody_ages(listener)) {
        env_timer_start(listener->timer, LISTENER_SWEEP_US);
    }
}

void node_connection_greeted(struct node_connection *connection)
{
    connection->greeted = true;
    list_remove(&connection->in_ages);
}

/* Its tenant had its part of this turn. */
static bool is_held(const struct node_connection *connection)
{
    return !list_empty(&connection->in_held);
}

/* Frames were taken: `used` bytes of them. The rest, if any, is a frame that has to be finished;
 * but nobody can finish one while we do not read. */
static void age_frame(struct node_connection *connection, size_t used)
{
    if (!connection->greeted || connection->closing) {
        return;
    }
    if (connection->input_size == 0 || connection->paused || is_held(connection)) {
        list_remove(&connection->in_ages);
    } else if (used > 0 || list_empty(&connection->in_ages)) {
        age_in(connection, &connection->node->listener.unfinished);
    }
}

/* ---- in ---- */

static void take_message(struct node_connection *connection, struct bytes frame)
{
    struct op_message message;
    struct op_fault fault;
    if (!op_message_read(frame, &message, &fault)) {
        node_connection_break(connection, fault.text);
        return;
    }
    if (node_admin_message(connection->node, connection, &message)) {
        return;
    }
    if (!connection->greeted) {
        node_connection_break(connection, "the first message has to be hello"); /* N1 */
        return;
    }
    node_dispatch_message(connection->node, connection, &message);
}

static void drop_input(struct node_connection *connection)
{
    if (connection->input != NULL) {
        env_wipe(connection->input, connection->input_size); /* what was taken is wiped already */
        free(connection->input);
    }
    connection->input = NULL;
    connection->input_size = connection->input_capacity = 0;
}

/* Takes whole frames off the input's head, as long as the bounds allow. */
static void take_frames(struct node_connection *connection)
{
    size_t used = 0;
    while (!connection->closing && !overfull(connection) && !is_held(connection)) {
        struct bytes rest = bytes_of(connection->input + used, connection->input_size - used);
        size_t bound = connection->greeted ? OP_FRAME_REQUEST_MAX : OP_FRAME_HELLO_MAX;
        size_t size = 0;
        if (!op_frame_size(rest, bound, &size)) {
            node_connection_break(connection, "the frame is larger than is allowed");
            return;
        }
        if (size == 0 || size > rest.size) {
            break;
        }
        if (!node_share_left(connection->share)) {
            list_append(&connection->share->held, &connection->in_held);
            env_conn_pause(connection->conn, true);
            break;
        }
        node_share_take(connection->share, size);
        take_message(connection, bytes_of(rest.data + OP_FRAME_PREFIX, size - OP_FRAME_PREFIX));
        used += size;
    }
    if (used > 0) {
        connection->input_size -= used;
        memmove(connection->input, connection->input + used, connection->input_size);
        env_wipe(connection->input + connection->input_size, used); /* N4 */
    }
    if (!connection->closing && !connection->paused && overfull(connection)) {
        connection->paused = true;
        env_conn_pause(connection->conn, true);
    }
    age_frame(connection, used);
    if (connection->input_size == 0 && connection->input_capacity > CONNECTION_INPUT_KEPT) {
        drop_input(connection);
    }
}

static void read_on(struct node_connection *connection)
{
    env_conn_pause(connection->conn, connection->paused || is_held(connection));
    take_frames(connection);
}

static void read_relieved(struct node_listener *listener)
{
    LIST_FOR_EACH(at, &listener->connections)
    {
        struct node_connection *connection = LIST_ENTRY(at, struct node_connection, in_listener);
        if (connection->paused && !connection->closing && !overfull(connection)) {
            connection->paused = false;
            read_on(connection);
        }
    }
}

/* A new turn: who was held goes on, those of one share in their order, as far as it goes. */
static void read_held(void *arg)
{
    struct node *node = arg;
    for (size_t i = 0; i < SHARE_BUCKETS; i++) {
        struct node_share *share = &node->listener.shares.buckets[i];
        while (!list_empty(&share->held) && node_share_left(share)) {
            struct node_connection *connection = LIST_ENTRY(share->held.next,
                                                            struct node_connection, in_held);
            list_remove(&connection->in_held);
            if (!connection->closing) {
                read_on(connection);
            }
        }
    }
}

void node_listener_turn(struct node *node)
{
    struct node_listener *listener = &node->listener;
    if (listener->relieved) {
        listener->relieved = false;
        read_relieved(listener);
    }
    if (node_shares_turn(&listener->shares, env_mono_us(node->env))) {
        env_timer_start(listener->next_turn, 0);
    }
}

static bool reserve_input(struct node_connection *connection, size_t more)
{
    size_t need = connection->input_size + more;
    if (need <= connection->input_capacity) {
        return true;
    }
    size_t capacity = connection->input_capacity == 0 ? 4096 : connection->input_capacity;
    while (capacity < need) {
        capacity *= 2;
    }
    uint8_t *input = malloc(capacity); /* not realloc: what it leaves behind is to be wiped */
    if (input == NULL) {
        return false;
    }
    size_t size = connection->input_size;
    if (size > 0) {
        memcpy(input, connection->input, size);
    }
    drop_input(connection);
    connection->input = input;
    connection->input_size = size;
    connection->input_capacity = capacity;
    return true;
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    (void)conn;
    struct node_connection *connection = arg;
    if (connection->closing) {
        return;
    }
    if (!reserve_input(connection, data.size)) {
        node_connection_break(connection, "out of memory");
        return;
    }
    memcpy(connection->input + connection->input_size, data.data, data.size);
    connection->input_size += data.size;
    take_frames(connection);
}

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    (void)conn;
    struct node_connection *connection = arg;
    struct node *node = connection->node;
    shaking_out(connection);
    bool known = node_connection_identify(connection, identity);
    connection->share = node_share_of(&node->listener.shares, bytes_of_text(connection->tenant));
    if (!known) {
        env_log(connection->node->env, ENV_LOG_WARN, "client", "%s is no client of this cluster",
                identity);
        node_connection_break(connection,
                              "the certificate names no service or operator of this cluster");
        return;
    }
    connection->guest = node_guest_enter(&node->listener.guests, connection->tenant,
                                         connection->name,
                                         node->config->certificate_connections_max);
    if (connection->guest == NULL) {
        turn_away(connection, OP_OVERLOADED, "this certificate has too many connections");
        return;
    }
    age_in(connection, &node->listener.greeting);
}

/* R3: what it asked for goes on without it. */
static void forget_requests(struct node_connection *connection)
{
    LIST_FOR_EACH_SAFE(at, following, &connection->requests)
    {
        node_connection_forget(connection, LIST_ENTRY(at, struct node_request, in_connection));
    }
}

static void connection_free(struct node_connection *connection)
{
    forget_requests(connection);
    shaking_out(connection);
    node_guest_leave(connection->guest);
    list_remove(&connection->in_listener);
    list_remove(&connection->in_ages);
    list_remove(&connection->in_held);
    connection->node->listener.count--;
    connection->node->listener.bytes -= connection->unsent_bytes;
    drop_input(connection);
    free(connection);
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    (void)conn;
    struct node_connection *connection = arg;
    if (rc == ENV_TLS) {
        node_observe_count(connection->node, METRIC_HANDSHAKES_FAILED);
        env_log(connection->node->env, ENV_LOG_WARN, "client", "%s", detail);
    }
    connection_free(connection);
}

/* ---- the listener ---- */

/* Says once that there is none, until there is one again. */
static bool has_place(struct node *node)
{
    struct node_listener *listener = &node->listener;
    bool full = listener->count >= node->config->connections_max;
    if (full && !listener->full) {
        env_log(node->env, ENV_LOG_WARN, "client",
                "there are %zu connections, and connections_max is %u: new ones are closed",
                listener->count, node->config->connections_max);
    }
    listener->full = full;
    return !full;
}

static void on_accept(void *arg, struct env_conn *conn)
{
    static const struct env_conn_handlers handlers = {
        .on_open = on_open, .on_data = on_data, .on_drain = on_drain, .on_close = on_close};
    struct node *node = arg;
    if (node->listener.shaking_count >= node->config->handshakes_max) {
        drop_oldest_shaking(node);
    }
    struct node_connection *connection = has_place(node) ? calloc(1, sizeof(*connection)) : NULL;
    if (connection == NULL) {
        env_conn_close(conn, false);
        return;
    }
    connection->node = node;
    connection->conn = conn;
    connection->number = ++node->listener.accepted;
    list_init(&connection->requests);
    list_init(&connection->in_ages);
    list_init(&connection->in_held);
    list_append(&node->listener.connections, &connection->in_listener);
    node->listener.count++;
    env_conn_adopt(conn, &handlers, connection);
    age_in(connection, &node->listener.shaking);
    connection->shaking = true;
    node->listener.shaking_count++;
}

int node_listener_start(struct node *node)
{
    struct node_listener *listener = &node->listener;
    list_init(&listener->connections);
    list_init(&listener->guests);
    list_init(&listener->shaking);
    list_init(&listener->greeting);
    list_init(&listener->unfinished);
    listener->timer = env_timer_create(node->env, sweep, node);
    listener->next_turn = env_timer_create(node->env, read_held, node);
    if (listener->timer == NULL || listener->next_turn == NULL) {
        return ENV_FAILED;
    }
    return env_listen(node->env, node->config->listen, node->tls, ALPN_CLIENT, on_accept, node,
                      listener->address, &listener->listener);
}

void node_listener_drain(struct node *node)
{
    struct node_listener *listener = &node->listener;
    if (listener->listener != NULL) {
        env_listener_close(listener->listener);
        listener->listener = NULL;
    }
    uint8_t frame[64];
    struct base_writer writer;
    base_writer_init(&writer, frame, sizeof(frame));
    op_notification_write(&writer, OP_METHOD_GOAWAY, 0);
    LIST_FOR_EACH(at, &listener->connections)
    {
        node_connection_send(LIST_ENTRY(at, struct node_connection, in_listener),
                             base_written(&writer));
    }
}

void node_listener_close(struct node *node)
{
    LIST_FOR_EACH(at, &node->listener.connections)
    {
        struct node_connection *connection = LIST_ENTRY(at, struct node_connection, in_listener);
        if (!connection->closing) {
            connection->closing = true;
            env_conn_close(connection->conn, true);
        }
    }
}

/* The env may outlive the node: a connection that is still closing then calls nobody. */
static void orphan_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    (void)arg;
    (void)conn;
    (void)rc;
    (void)detail;
}

static void orphan_open(void *arg, struct env_conn *conn, const char *identity)
{
    (void)arg;
    (void)conn;
    (void)identity;
}

static void orphan_data(void *arg, struct env_conn *conn, struct bytes data)
{
    (void)arg;
    (void)conn;
    (void)data;
}

void node_listener_done(struct node *node)
{
    static const struct env_conn_handlers orphan = {
        .on_open = orphan_open, .on_data = orphan_data, .on_close = orphan_close};
    struct node_listener *listener = &node->listener;
    if (listener->connections.next == NULL) {
        return; /* never started */
    }
    if (listener->listener != NULL) {
        env_listener_close(listener->listener);
        listener->listener = NULL;
    }
    while (!list_empty(&listener->connections)) {
        struct node_connection *connection = LIST_ENTRY(listener->connections.next,
                                                        struct node_connection, in_listener);
        env_conn_adopt(connection->conn, &orphan, NULL);
        env_conn_close(connection->conn, false);
        connection_free(connection);
    }
    env_timer_destroy(listener->timer);
    env_timer_destroy(listener->next_turn);
    listener->timer = listener->next_turn = NULL;
}

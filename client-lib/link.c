/* The client's one connection: where to, when, and frames both ways. Knows no operation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sat.h"
#include "client-lib/internal.h"
#include "env/crypto.h"
#include "env/random.h"

enum {
    BACKOFF_LEAST_US = 10000,
    BACKOFF_MOST_US = 250000, /* a connection costs a handshake */
    CONNECT_US = 3000000,     /* a server that does not answer in this time is passed over */
    SILENCE_US = 3000000,     /* the same while requests are open */
    GOAWAY_US = 2000000,      /* what is open may be answered for so long */
    REDIRECTS_MAX = 3,        /* in a row without a back-off: two followers may name each other */
};

uint64_t tenure_backoff_us(struct tenure_client *client, uint32_t failures, uint64_t most_us)
{
    uint64_t most = BACKOFF_LEAST_US;
    for (uint32_t i = 0; i < failures && most < most_us; i++) {
        most *= 2;
    }
    most = u64_min(most, most_us);
    uint64_t draw;
    env_random(client->env, &draw, sizeof(draw));
    return most / 2 + draw % (most / 2 + 1);
}

/* MONO when a server that owes answers has been silent for too long. It owes them also when the
 * calls have ended by their own deadlines meanwhile. */
static uint64_t silent_at(const struct tenure_client *client)
{
    const struct tenure_link *link = &client->link;
    return link->owes ? sat_add(link->owes_since, SILENCE_US) : UINT64_MAX;
}

uint64_t tenure_link_due(const struct tenure_client *client)
{
    switch (client->link.state) {
    case LINK_DOWN:
        return tenure_calls_need_link(client) ? client->link.retry_at : UINT64_MAX;
    case LINK_CONNECTING:
    case LINK_GREETING:
        return client->link.deadline;
    case LINK_READY:
        return silent_at(client);
    case LINK_LEAVING:
        break;
    }
    return client->calls.sent_count == 0 ? 0 : client->link.deadline;
}

void tenure_link_send(struct tenure_client *client, struct bytes frame)
{
    if (frame.size > client->frame_used) {
        client->frame_used = frame.size;
    }
    struct tenure_link *link = &client->link;
    if (link->conn != NULL) {
        if (!link->owes) {
            link->owes = true;
            link->owes_since = env_mono_us(client->env);
        }
        env_conn_write(link->conn, frame);
    }
}

/* Its last callback finds nobody. */
static void close_connection(struct tenure_link *link)
{
    if (link->conn != NULL) {
        env_conn_set_arg(link->conn, NULL);
        env_conn_close(link->conn, false);
        link->conn = NULL;
    }
}

void tenure_link_drop(struct tenure_client *client, const char *reason)
{
    struct tenure_link *link = &client->link;
    close_connection(link);
    snprintf(link->fault, sizeof(link->fault), "%s: %s", link->target, reason);
    bool at_once = link->leader[0] != '\0' && link->failures < REDIRECTS_MAX;
    link->state = LINK_DOWN;
    env_wipe(link->input, link->input_size);
    link->input_size = 0;
    link->retry_at = env_mono_us(client->env) +
                     (at_once ? 0 : tenure_backoff_us(client, link->failures, BACKOFF_MOST_US));
    link->failures++;
    tenure_calls_link_lost(client);
    env_timer_start(client->timer, 0);
}

void tenure_link_leave(struct tenure_client *client, const char *reason, uint64_t wait_us)
{
    struct tenure_link *link = &client->link;
    if (link->state == LINK_READY) {
        link->state = LINK_LEAVING;
        link->leaving = reason;
        link->deadline = env_mono_us(client->env) + wait_us;
        env_timer_start(client->timer, 0);
    }
}

/* ---- greeting ---- */

static void send_hello(struct tenure_client *client)
{
    struct op_hello_request hello = {
        .version = OP_PROTOCOL_VERSION,
        .instance = client->instance,
        .has_software = client->software != NULL,
    };
    if (hello.has_software) {
        hello.software = bytes_of_text(client->software);
    }
    struct base_writer writer;
    base_writer_init(&writer, client->frame, OP_FRAME_MAX);
    client->link.hello_msgid = tenure_calls_msgid(client);
    op_request_write(&writer, client->link.hello_msgid, OP_METHOD_HELLO, NULL,
                     &op_hello_request_struct, &hello);
    tenure_link_send(client, base_written(&writer));
}

/* A follower tells us the leader at once: no call is wasted on it. */
static bool redirected(struct tenure_client *client, const struct op_hello_reply *hello)
{
    struct tenure_link *link = &client->link;
    if (client->stay || client->stale || !hello->has_leader || hello->leader.size == 0 ||
        hello->leader.size >= sizeof(link->leader) ||
        bytes_equal(hello->leader, bytes_of_text(link->target))) {
        return false;
    }
    memcpy(link->leader, hello->leader.data, hello->leader.size);
    link->leader[hello->leader.size] = '\0';
    return true;
}

/* The other side is about to close, and says why (PROTOCOL.md section 2). */
static void take_reason(struct tenure_client *client, const struct op_message *message)
{
    struct op_reply_head head;
    struct op_details details;
    struct op_fault fault;
    char reason[200] = "the server ends the connection";
    if (op_response_read(message, &head, &details, NULL, NULL, &fault) && head.message.size > 0) {
        snprintf(reason, sizeof(reason), "%.*s", (int)u64_min(head.message.size, sizeof(reason)),
                 (const char *)head.message.data);
    }
    tenure_link_drop(client, reason);
}

static void take_hello(struct tenure_client *client, const struct op_message *message)
{
    struct op_reply_head head;
    struct op_details details;
    struct op_hello_reply hello;
    struct op_fault fault;
    if (message->msgid != client->link.hello_msgid ||
        !op_response_read(message, &head, &details, &op_hello_reply_struct, &hello, &fault)) {
        tenure_link_drop(client, "the server's answer breaks the protocol");
        return;
    }
    if (head.outcome != OP_OK || hello.version != OP_PROTOCOL_VERSION) {
        take_reason(client, message);
        return;
    }
    if (!id128_is_zero(client->incarnation) &&
        !id128_equal(client->incarnation, hello.incarnation)) {
        tenure_registration_lost(client, "the cluster was restored: it has a new incarnation");
    }
    client->incarnation = hello.incarnation;
    if (redirected(client, &hello)) {
        tenure_link_drop(client, "this server does not lead");
        return;
    }
    client->link.state = LINK_READY;
    client->link.leader[0] = '\0';
    client->link.leaderless_since = 0;
}

/* ---- frames in ---- */

static void take_message(struct tenure_client *client, struct bytes frame)
{
    struct op_message message;
    struct op_fault fault;
    if (!op_message_read(frame, &message, &fault)) {
        tenure_link_drop(client, fault.text);
        return;
    }
    if (message.kind == OP_MESSAGE_NOTIFICATION) {
        if (bytes_equal(message.method, bytes_of_text(OP_METHOD_GOAWAY))) {
            tenure_link_leave(client, "the server is stopping", GOAWAY_US);
        }
        return;
    }
    if (message.kind != OP_MESSAGE_RESPONSE) {
        tenure_link_drop(client, "the server sent a request");
    } else if (message.msgid == 0) {
        take_reason(client, &message);
    } else if (client->link.state == LINK_GREETING) {
        take_hello(client, &message);
    } else if (!tenure_calls_response(client, &message)) {
        tenure_link_drop(client, "the server's answer breaks the protocol");
    }
}

static void take_frames(struct tenure_client *client)
{
    struct tenure_link *link = &client->link;
    size_t used = 0;
    while (link->conn != NULL) {
        struct bytes rest = bytes_of(link->input + used, link->input_size - used);
        size_t size = 0;
        size_t most = link->state == LINK_GREETING ? OP_FRAME_HELLO_MAX : OP_FRAME_MAX;
        if (!op_frame_size(rest, most, &size)) {
            tenure_link_drop(client, "the server's frame is too large");
            return;
        }
        if (size == 0 || size > rest.size) {
            break;
        }
        used += size;
        take_message(client, bytes_of(rest.data + OP_FRAME_PREFIX, size - OP_FRAME_PREFIX));
    }
    if (link->conn != NULL) { /* a drop has emptied the input already */
        size_t left = link->input_size - used;
        memmove(link->input, link->input + used, left);
        env_wipe(link->input + left, used); /* replies hold tokens */
        link->input_size = left;
    }
}

static void forget_input(struct tenure_link *link)
{
    if (link->input != NULL) {
        env_wipe(link->input, link->input_capacity);
        free(link->input);
    }
    link->input = NULL;
    link->input_capacity = 0;
}

static bool reserve_input(struct tenure_link *link, size_t more)
{
    size_t capacity = link->input_capacity == 0 ? 16384 : link->input_capacity;
    while (capacity < link->input_size + more) {
        capacity *= 2;
    }
    if (capacity > link->input_capacity) {
        uint8_t *input = malloc(capacity); /* no realloc: it leaves the old bytes in the heap */
        if (input == NULL) {
            return false;
        }
        if (link->input_size > 0) {
            memcpy(input, link->input, link->input_size);
        }
        forget_input(link);
        link->input = input;
        link->input_capacity = capacity;
    }
    return true;
}

/* ---- the connection's callbacks; a NULL argument: we have dropped it ---- */

/* tenure://<cluster>/-/peer/<name>, of the cluster that our own certificate is of. */
static bool server_identity(const char *identity, const char *own)
{
    static const char scheme[] = "tenure://";
    static const char peer[] = "/-/peer/";
    size_t skip = sizeof(scheme) - 1;
    if (strncmp(own, scheme, skip) != 0) {
        return false;
    }
    size_t size = skip + strcspn(own + skip, "/");
    const char *name = identity + size + sizeof(peer) - 1;
    return strncmp(identity, own, size) == 0 &&
           strncmp(identity + size, peer, sizeof(peer) - 1) == 0 && *name != '\0' &&
           strchr(name, '/') == NULL;
}

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct tenure_client *client = arg;
    (void)conn;
    if (client == NULL) {
        return;
    }
    if (!server_identity(identity, env_tls_identity(client->tls))) {
        tenure_link_drop(client, "the certificate there is not of a node of our cluster");
        return;
    }
    client->link.state = LINK_GREETING;
    send_hello(client);
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct tenure_client *client = arg;
    (void)conn;
    if (client == NULL) {
        return;
    }
    if (!reserve_input(&client->link, data.size)) {
        tenure_link_drop(client, "out of memory");
        return;
    }
    memcpy(client->link.input + client->link.input_size, data.data, data.size);
    client->link.input_size += data.size;
    take_frames(client);
    client->link.owes = client->link.conn != NULL && client->calls.sent_count > 0;
    client->link.owes_since = env_mono_us(client->env);
    tenure_step(client);
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct tenure_client *client = arg;
    (void)conn;
    (void)rc;
    if (client == NULL) {
        return;
    }
    client->link.conn = NULL;
    tenure_link_drop(client, detail);
}

/* ---- steps ---- */

static void choose_target(struct tenure_client *client)
{
    struct tenure_link *link = &client->link;
    if (link->leader[0] != '\0') {
        memcpy(link->target, link->leader, sizeof(link->target));
        link->leader[0] = '\0'; /* told once, tried once */
        return;
    }
    snprintf(link->target, sizeof(link->target), "%s", client->servers[link->next_server]);
    link->next_server = (link->next_server + 1) % client->server_count;
}

static void connect_now(struct tenure_client *client, uint64_t now)
{
    static const struct env_conn_handlers handlers = {
        .on_open = on_open, .on_data = on_data, .on_close = on_close};
    struct tenure_link *link = &client->link;
    choose_target(client);
    link->state = LINK_CONNECTING;
    link->owes = false;
    link->deadline = now + CONNECT_US;
    link->conn = env_connect(client->env, link->target, client->tls, "tenure/1", &handlers, client);
    if (link->conn == NULL) {
        tenure_link_drop(client, "not a usable address");
    }
}

void tenure_link_step(struct tenure_client *client)
{
    struct tenure_link *link = &client->link;
    uint64_t now = env_mono_us(client->env);
    switch (link->state) {
    case LINK_DOWN:
        if (tenure_calls_need_link(client) && now >= link->retry_at) {
            connect_now(client, now);
        }
        break;
    case LINK_CONNECTING:
    case LINK_GREETING:
        if (now >= link->deadline) {
            tenure_link_drop(client, "no answer");
        }
        break;
    case LINK_READY:
        if (now >= silent_at(client)) {
            tenure_link_drop(client, "no answer");
        }
        break;
    case LINK_LEAVING:
        if (client->calls.sent_count == 0 || now >= link->deadline) {
            tenure_link_drop(client, link->leaving);
        }
        break;
    }
}

void tenure_link_done(struct tenure_client *client)
{
    close_connection(&client->link);
    forget_input(&client->link);
}

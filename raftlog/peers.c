/* The connections of peers.h. Carries frames, checks who speaks; what is said is for others.
 *
 *   dialed:   connecting -> greeting -> ready -> closing
 *   accepted: connecting -> greeting -> ready -> closing      (adopted before its handshake)
 *
 * Invariants:
 *   P1  bytes are delivered only from a ready link that is its peer's current one
 *   P2  a ready link's certificate, hello and member entry name the same node
 *   P3  a link is closing as soon as anything about it was wrong; nothing of it is heard afterwards
 */
#include "raftlog/peers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/sat.h"
#include "env/random.h"
#include "raftlog/engine.h"
#include "raftlog/greeting.h"
#include "raftlog/reads.h"
#include "raftlog/rlog.h"
#include "raftlog/streams.h"
#include "raftlog/wire.h"

#define PEER_ALPN "tenure-peer/1"

enum {
    BACKOFF_FIRST_US = 50 * 1000,
    BACKOFF_MAX_US = 2 * 1000 * 1000,
    STRANGERS_MAX = 64, /* accepted and not yet ready */
    LINE_MAX = 320,
};

enum link_state { LINK_CONNECTING, LINK_GREETING, LINK_READY, LINK_CLOSING };

struct link {
    struct list node;
    struct rlog_peers *peers;
    struct env_conn *conn;
    struct peer *peer; /* NULL until the certificate was seen */
    enum link_state state;
    bool dialed;
    struct id128 store;
    uint64_t began_us;
    uint64_t ready_us; /* since when it is */
    uint64_t heard_us;
    uint64_t sent_us;
    uint8_t *buffer;
    size_t fill;
    size_t capacity;
};

struct peer {
    uint64_t id;
    const char *address;
    struct link *ready;  /* the current epoch */
    struct link *dialed; /* on its way or ready */
    uint64_t backoff_us;
    uint64_t dial_at_us;
    /* What was last logged about it: news, and trouble. Two, so that a connection that is refused
     * again and again is not told each time. */
    char lines[2][LINE_MAX];
};

struct rlog_peers {
    struct rlog *rlog;
    struct env_listener *listener;
    struct env_timer *timer;
    struct list links;
    size_t count;
    struct peer list[RLOG_MEMBERS_MAX];
    char address[ENV_ADDRESS_MAX];
    struct base_writer writer;
    struct link *target; /* of the frame that is being written */
    uint8_t scratch[RLOG_WIRE_HEADER + RLOG_WIRE_FRAME_MAX];
};

static struct peer *find(const struct rlog *rlog, uint64_t id)
{
    struct rlog_peers *peers = rlog->peers;
    for (size_t i = 0; i < peers->count; i++) {
        if (peers->list[i].id == id) {
            return &peers->list[i];
        }
    }
    return NULL;
}

/* One line about a peer, unless it would repeat the last one of its kind. */
static void say(struct peer *peer, struct rlog *rlog, enum env_log_level level, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
static void say(struct peer *peer, struct rlog *rlog, enum env_log_level level, const char *format,
                ...)
{
    char line[LINE_MAX];
    char *last = peer->lines[level >= ENV_LOG_WARN];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (strcmp(line, last) != 0) {
        memcpy(last, line, sizeof line);
        env_log(rlog->env, level, "peer", "%s", line);
    }
}

/* ---- links ---- */

/* Where it comes from, without the port, which another try would change. */
static const char *place_of(const struct link *link, char place[ENV_ADDRESS_MAX])
{
    snprintf(place, ENV_ADDRESS_MAX, "%s", env_conn_address(link->conn));
    char *port = strrchr(place, ':');
    if (port != NULL) {
        *port = '\0';
    }
    return place;
}

static struct link *link_create(struct rlog_peers *peers, bool dialed)
{
    struct link *link = calloc(1, sizeof *link);
    ASSERT(link != NULL);
    link->peers = peers;
    link->dialed = dialed;
    link->began_us = env_mono_us(peers->rlog->env);
    list_append(&peers->links, &link->node);
    return link;
}

static void link_free(struct link *link)
{
    list_remove(&link->node);
    free(link->buffer);
    free(link);
}

static void link_detach(struct link *link)
{
    struct peer *peer = link->peer;
    if (peer == NULL) {
        return;
    }
    struct rlog *rlog = link->peers->rlog;
    bool lived = peer->ready == link &&
                 env_mono_us(rlog->env) - link->ready_us >= rlog->config.election_us;
    if (lived) { /* one that is refused at once is no success */
        peer->backoff_us = 0;
        memset(peer->lines[1], 0, sizeof peer->lines[1]);
    }
    if (peer->ready == link) {
        peer->ready = NULL;
        rlog_streams_lost(rlog, peer->id);
    }
    if (peer->dialed == link) {
        struct env *env = rlog->env;
        uint32_t jitter;
        peer->dialed = NULL;
        peer->backoff_us = u64_min(u64_max(2 * peer->backoff_us, BACKOFF_FIRST_US), BACKOFF_MAX_US);
        env_random(env, &jitter, sizeof jitter);
        peer->dial_at_us = env_mono_us(env) + peer->backoff_us + jitter % peer->backoff_us;
    }
    link->peer = NULL;
}

static void link_close(struct link *link, bool flush)
{
    if (link->state == LINK_CLOSING) {
        return;
    }
    link->state = LINK_CLOSING;
    link_detach(link);
    env_conn_close(link->conn, flush);
}

static void link_write(struct link *link, struct bytes frame)
{
    link->sent_us = env_mono_us(link->peers->rlog->env);
    env_conn_write(link->conn, frame);
}

static struct base_writer *frame_begin(struct rlog_peers *peers, uint8_t kind)
{
    base_writer_init(&peers->writer, peers->scratch, sizeof peers->scratch);
    rlog_wire_frame_begin(&peers->writer, kind);
    return &peers->writer;
}

static void send_hello(struct link *link)
{
    struct rlog_wire_hello hello = rlog_greeting(link->peers->rlog, link->peer->id);
    rlog_wire_write_hello(frame_begin(link->peers, RLOG_WIRE_HELLO), &hello);
    link_write(link, rlog_wire_frame_end(&link->peers->writer));
}

/* Says why on both sides and closes. */
static void refuse(struct link *link, const char *reason)
{
    struct rlog_wire_refused refused = {.reason = bytes_of_text(reason)};
    char place[ENV_ADDRESS_MAX];
    say(link->peer, link->peers->rlog, ENV_LOG_WARN, "node %llu at %s is refused: %s",
        (unsigned long long)link->peer->id, place_of(link, place), reason);
    rlog_wire_write_refused(frame_begin(link->peers, RLOG_WIRE_REFUSED), &refused);
    link_write(link, rlog_wire_frame_end(&link->peers->writer));
    link_close(link, true);
}

static void on_hello(struct link *link, struct bytes body)
{
    struct rlog *rlog = link->peers->rlog;
    struct peer *peer = link->peer;
    struct rlog_wire_hello hello;
    char reason[RLOG_WIRE_TEXT_MAX], place[ENV_ADDRESS_MAX];
    if (!rlog_greeting_check(rlog, peer->id, body, &hello, reason, sizeof reason)) {
        refuse(link, reason);
        return;
    }
    if (!rlog_meet(rlog, peer->id, hello.store)) {
        return; /* all links are closing */
    }
    if (peer->ready != NULL) {
        link_close(peer->ready, false); /* an older epoch */
    }
    link->state = LINK_READY;
    link->store = hello.store;
    link->ready_us = env_mono_us(rlog->env);
    peer->ready = link;
    say(peer, rlog, ENV_LOG_INFO, "node %llu at %s is connected", (unsigned long long)peer->id,
        place_of(link, place));
}

static void on_refused(struct link *link, struct bytes body)
{
    struct rlog_wire_refused refused;
    if (rlog_wire_read_refused(body, &refused)) {
        say(link->peer, link->peers->rlog, ENV_LOG_WARN, "node %llu refuses us: %.*s",
            (unsigned long long)link->peer->id, (int)refused.reason.size,
            (const char *)refused.reason.data);
    }
    link_close(link, false);
}

/* False: the message is none, or cannot be true. */
static bool deliver(struct link *link, uint8_t kind, struct bytes body)
{
    struct rlog *rlog = link->peers->rlog;
    uint64_t from = link->peer->id;
    struct rlog_wire_keepalive keepalive;
    if (kind <= RLOG_USER_KIND_MAX) {
        if (kind == 0 || body.size > RLOG_MESSAGE_MAX) {
            return false;
        }
        rlog->machine.peer_message(rlog->machine.arg, from, kind, body);
        return true;
    }
    if (kind == RLOG_WIRE_KEEPALIVE) {
        return rlog_wire_read_keepalive(body, &keepalive);
    }
    if (kind >= RLOG_WIRE_REQUEST_VOTE && kind <= RLOG_WIRE_TIMEOUT_NOW) {
        return rlog_engine_receive(rlog, from, kind, body);
    }
    if (kind >= RLOG_WIRE_SNAPSHOT_BEGIN && kind <= RLOG_WIRE_SNAPSHOT_RESULT) {
        return rlog_streams_receive(rlog, from, kind, body);
    }
    if (kind == RLOG_WIRE_CONFIRM || kind == RLOG_WIRE_CONFIRM_RESULT) {
        return rlog_reads_receive(rlog, from, kind, body);
    }
    return false;
}

static void on_frame(struct link *link, uint8_t kind, struct bytes body)
{
    struct rlog *rlog = link->peers->rlog;
    bool greeted = link->state == LINK_GREETING || link->state == LINK_READY;
    if (greeted && kind == RLOG_WIRE_REFUSED) {
        on_refused(link, body);
    } else if (link->state == LINK_READY) {
        link->heard_us = env_mono_us(rlog->env);
        if (!deliver(link, kind, body) && link->state == LINK_READY) {
            say(link->peer, rlog, ENV_LOG_ERROR,
                "node %llu sent a message of kind %u that cannot be: connection closed",
                (unsigned long long)link->peer->id, kind);
            link_close(link, false);
        }
    } else if (link->state == LINK_GREETING && kind == RLOG_WIRE_HELLO) {
        link->heard_us = env_mono_us(rlog->env);
        on_hello(link, body);
    } else {
        link_close(link, false);
    }
    rlog_settle(rlog);
}

/* ---- callbacks of the connection; `arg` NULL: the node is gone ---- */

static void link_opened(struct link *link, const char *identity)
{
    struct rlog *rlog = link->peers->rlog;
    uint64_t id = rlog_members_identity(rlog->store.birth.cluster, identity);
    struct peer *peer = find(rlog, id);
    if (link->dialed && peer != link->peer) {
        say(link->peer, rlog, ENV_LOG_WARN, "node %llu's address %s answers as %s",
            (unsigned long long)link->peer->id, link->peer->address, identity);
        link_close(link, false);
        return;
    }
    if (peer == NULL || (!link->dialed && id > rlog->config.id)) {
        env_log(rlog->env, ENV_LOG_WARN, "peer", "%s is refused: %s is not one who may call here",
                env_conn_address(link->conn), identity);
        link_close(link, false);
        return;
    }
    link->peer = peer;
    link->state = LINK_GREETING;
    send_hello(link);
}

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct link *link = arg;
    (void)conn;
    if (link != NULL && link->state == LINK_CONNECTING) {
        link_opened(link, identity);
    }
}

static void keep_rest(struct link *link, size_t taken)
{
    link->fill -= taken;
    memmove(link->buffer, link->buffer + taken, link->fill);
}

static void read_frames(struct link *link)
{
    size_t taken = 0;
    while (link->state != LINK_CLOSING) {
        uint8_t kind = 0;
        struct bytes body = BYTES_NONE;
        size_t size = 0;
        size_t size_max = link->state == LINK_READY ? RLOG_WIRE_FRAME_MAX : RLOG_WIRE_GREETING_MAX;
        struct bytes stream = bytes_of(link->buffer + taken, link->fill - taken);
        enum rlog_wire_frame frame = rlog_wire_frame_read(stream, size_max, &kind, &body, &size);
        if (frame == RLOG_FRAME_PART) {
            break;
        }
        if (frame == RLOG_FRAME_BAD) {
            link_close(link, false);
            break;
        }
        taken += size;
        on_frame(link, kind, body);
    }
    keep_rest(link, taken);
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct link *link = arg;
    (void)conn;
    if (link == NULL || link->state == LINK_CLOSING) {
        return;
    }
    if (link->fill + data.size > link->capacity) {
        size_t capacity = 2 * (link->fill + data.size);
        link->buffer = realloc(link->buffer, capacity);
        ASSERT(link->buffer != NULL);
        link->capacity = capacity;
    }
    memcpy(link->buffer + link->fill, data.data, data.size);
    link->fill += data.size;
    read_frames(link);
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct link *link = arg;
    (void)conn;
    if (link == NULL) {
        return;
    }
    if (link->peer != NULL) {
        say(link->peer, link->peers->rlog, ENV_LOG_INFO, "node %llu at %s is not connected: %s",
            (unsigned long long)link->peer->id, link->peer->address,
            rc == ENV_CLOSED ? "closed" : detail);
    }
    link_detach(link);
    link_free(link);
}

static const struct env_conn_handlers handlers = {on_open, on_data, NULL, on_close};

/* Makes room: the oldest of too many goes, so that who only keeps the door keeps nobody out. */
static void drop_a_stranger(struct rlog_peers *peers)
{
    struct link *oldest = NULL;
    size_t strangers = 0;
    LIST_FOR_EACH(node, &peers->links)
    {
        struct link *link = LIST_ENTRY(node, struct link, node);
        if (!link->dialed && (link->state == LINK_CONNECTING || link->state == LINK_GREETING)) {
            oldest = oldest == NULL ? link : oldest;
            strangers++;
        }
    }
    if (strangers >= STRANGERS_MAX) {
        link_close(oldest, false);
    }
}

static void on_accept(void *arg, struct env_conn *conn)
{
    struct rlog_peers *peers = arg;
    if (!rlog_alive(peers->rlog)) {
        env_conn_close(conn, false);
        return;
    }
    drop_a_stranger(peers);
    struct link *link = link_create(peers, false);
    link->conn = conn;
    env_conn_adopt(conn, &handlers, link);
}

/* ---- dialing and keep-alive ---- */

static void dial(struct rlog_peers *peers, struct peer *peer)
{
    struct rlog *rlog = peers->rlog;
    struct link *link = link_create(peers, true);
    link->peer = peer;
    peer->dialed = link;
    link->conn = env_connect(rlog->env, peer->address, rlog->config.tls, PEER_ALPN, &handlers,
                             link);
    if (link->conn == NULL) {
        say(peer, rlog, ENV_LOG_WARN, "node %llu: %s is not a usable address",
            (unsigned long long)peer->id, peer->address);
        link_detach(link);
        link_free(link);
    }
}

static void check_link(struct link *link, uint64_t now_us)
{
    struct rlog *rlog = link->peers->rlog;
    uint64_t patience_us = 4 * rlog->config.election_us;
    if (link->state == LINK_CLOSING) {
        return;
    }
    uint64_t since_us = link->state == LINK_READY ? link->heard_us : link->began_us;
    if (now_us - since_us > patience_us) {
        if (link->peer != NULL) {
            say(link->peer, rlog, ENV_LOG_INFO, "node %llu is silent",
                (unsigned long long)link->peer->id);
        }
        link_close(link, false);
        return;
    }
    if (link->state == LINK_READY && now_us - link->sent_us >= rlog->config.election_us) {
        struct rlog_wire_keepalive keepalive = {.wall_us = env_wall_us(rlog->env)};
        rlog_wire_write_keepalive(frame_begin(link->peers, RLOG_WIRE_KEEPALIVE), &keepalive);
        link_write(link, rlog_wire_frame_end(&link->peers->writer));
    }
}

static void on_tick(void *arg)
{
    struct rlog_peers *peers = arg;
    struct rlog *rlog = peers->rlog;
    uint64_t now_us = env_mono_us(rlog->env);
    LIST_FOR_EACH_SAFE(node, following, &peers->links)
    {
        check_link(LIST_ENTRY(node, struct link, node), now_us);
    }
    for (size_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];
        if (rlog->config.id < peer->id && peer->dialed == NULL && now_us >= peer->dial_at_us) {
            dial(peers, peer);
        }
    }
    env_timer_start(peers->timer, rlog->config.heartbeat_us);
}

/* ---- public ---- */

int rlog_peers_create(struct rlog *rlog, char *error, size_t error_size)
{
    struct rlog_peers *peers = calloc(1, sizeof *peers);
    ASSERT(peers != NULL);
    peers->rlog = rlog;
    rlog->peers = peers;
    list_init(&peers->links);
    for (size_t i = 0; i < rlog->members.count; i++) {
        const struct rlog_member *member = &rlog->members.list[i];
        if (member->id != rlog->config.id) {
            struct peer *peer = &peers->list[peers->count++];
            peer->id = member->id;
            peer->address = member->address;
        }
    }
    peers->timer = env_timer_create(rlog->env, on_tick, peers);
    int rc = env_listen(rlog->env, rlog->config.listen, rlog->config.tls, PEER_ALPN, on_accept,
                        peers, peers->address, &peers->listener);
    if (rc != 0) {
        snprintf(error, error_size, "cannot listen for peers on %s: %s", rlog->config.listen,
                 env_error_text(rc));
    }
    return rc;
}

void rlog_peers_start(struct rlog *rlog)
{
    env_timer_start(rlog->peers->timer, 0);
}

void rlog_peers_close(struct rlog *rlog, bool flush)
{
    struct rlog_peers *peers = rlog->peers;
    if (peers == NULL) {
        return;
    }
    env_timer_stop(peers->timer);
    if (peers->listener != NULL) {
        env_listener_close(peers->listener);
        peers->listener = NULL;
    }
    LIST_FOR_EACH_SAFE(node, following, &peers->links)
    {
        link_close(LIST_ENTRY(node, struct link, node), flush);
    }
}

bool rlog_peers_closed(const struct rlog *rlog)
{
    return list_empty(&rlog->peers->links);
}

void rlog_peers_destroy(struct rlog *rlog)
{
    struct rlog_peers *peers = rlog->peers;
    if (peers == NULL) {
        return;
    }
    rlog_peers_close(rlog, false);
    LIST_FOR_EACH_SAFE(node, following, &peers->links)
    {
        struct link *link = LIST_ENTRY(node, struct link, node);
        env_conn_set_arg(link->conn, NULL);
        link_free(link);
    }
    env_timer_destroy(peers->timer);
    free(peers);
    rlog->peers = NULL;
}

bool rlog_peers_connected(const struct rlog *rlog, uint64_t id)
{
    struct peer *peer = find(rlog, id);
    return peer != NULL && peer->ready != NULL;
}

struct id128 rlog_peers_store(const struct rlog *rlog, uint64_t id)
{
    struct peer *peer = find(rlog, id);
    return peer != NULL && peer->ready != NULL ? peer->ready->store : ID128_ZERO;
}

struct base_writer *rlog_peers_begin(struct rlog *rlog, uint64_t id, uint8_t kind)
{
    struct peer *peer = find(rlog, id);
    if (peer == NULL || peer->ready == NULL ||
        env_conn_queued(peer->ready->conn) > rlog->config.peer_queue_max) {
        return NULL;
    }
    rlog->peers->target = peer->ready;
    return frame_begin(rlog->peers, kind);
}

void rlog_peers_end(struct rlog *rlog)
{
    struct rlog_peers *peers = rlog->peers;
    link_write(peers->target, rlog_wire_frame_end(&peers->writer));
    peers->target = NULL;
}

void rlog_peers_check(struct rlog *rlog)
{
    for (size_t i = 0; i < rlog->peers->count; i++) {
        struct peer *peer = &rlog->peers->list[i];
        if (peer->ready != NULL &&
            !rlog_members_fits(&rlog->members, peer->id, peer->ready->store)) {
            char reason[RLOG_WIRE_TEXT_MAX];
            rlog_greeting_replaced(peer->id, reason, sizeof reason);
            refuse(peer->ready, reason);
        }
    }
}

void rlog_peers_refuse(struct rlog *rlog, uint64_t id, const char *format, ...)
{
    struct peer *peer = find(rlog, id);
    char reason[RLOG_WIRE_TEXT_MAX];
    va_list arguments;
    if (peer == NULL || peer->ready == NULL) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    refuse(peer->ready, reason);
}

const char *rlog_peers_address(const struct rlog *rlog)
{
    return rlog->peers->address;
}

/* One connection to a member: its greeting, its frames, its end. Neither listens nor dials
 * (peers.c), and what is said in a frame is for others.
 *
 *   dialed:   connecting -> greeting -> ready -> closing
 *   accepted: connecting -> greeting -> ready -> closing      (adopted before its handshake)
 *
 * Invariants:
 *   P1  bytes are delivered only from a ready link that is its peer's current one
 *   P2  a ready link's certificate, hello and member entry name the same node
 *   P3  a link is closing as soon as anything about it was wrong; nothing of it is heard afterwards
 */
#include "raftlog/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "env/random.h"
#include "raftlog/engine.h"
#include "raftlog/reads.h"
#include "raftlog/repair.h"
#include "raftlog/streams.h"

enum {
    BACKOFF_FIRST_US = 50 * 1000,
    BACKOFF_MAX_US = 2 * 1000 * 1000,
};

void rlog_link_say(struct peer *peer, struct rlog *rlog, enum env_log_level level,
                   const char *format, ...)
{
    char line[RLOG_LINK_LINE_MAX];
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

struct link *rlog_link_create(struct rlog_peers *peers, bool dialed)
{
    struct link *link = calloc(1, sizeof *link);
    ASSERT(link != NULL);
    link->peers = peers;
    link->dialed = dialed;
    link->began_us = env_mono_us(peers->rlog->env);
    list_append(&peers->links, &link->node);
    return link;
}

void rlog_link_free(struct link *link)
{
    list_remove(&link->node);
    free(link->buffer);
    free(link);
}

static bool has_links(const struct rlog_peers *peers, const struct peer *peer)
{
    LIST_FOR_EACH(node, &peers->links)
    {
        if (LIST_ENTRY(node, struct link, node)->peer == peer) {
            return true;
        }
    }
    return false;
}

void rlog_link_detach(struct link *link)
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
        peer->lost_us = env_mono_us(rlog->env);
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
    if (!peer->member && !has_links(link->peers, peer)) {
        peer->id = 0; /* no guest any more */
    }
}

void rlog_link_close(struct link *link, bool flush)
{
    if (link->state == LINK_CLOSING) {
        return;
    }
    link->state = LINK_CLOSING;
    rlog_link_detach(link);
    env_conn_close(link->conn, flush);
}

void rlog_link_write(struct link *link, struct bytes frame)
{
    link->sent_us = env_mono_us(link->peers->rlog->env);
    env_conn_write(link->conn, frame);
}

struct base_writer *rlog_link_frame(struct rlog_peers *peers, uint8_t kind)
{
    base_writer_init(&peers->writer, peers->scratch, sizeof peers->scratch);
    rlog_wire_frame_begin(&peers->writer, kind);
    return &peers->writer;
}

static void send_hello(struct link *link)
{
    struct rlog_wire_hello hello = rlog_greeting(link->peers->rlog, link->peer->id);
    rlog_wire_write_hello(rlog_link_frame(link->peers, RLOG_WIRE_HELLO), &hello);
    rlog_link_write(link, rlog_wire_frame_end(&link->peers->writer));
}

void rlog_link_refuse(struct link *link, const char *reason)
{
    struct rlog_wire_refused refused = {.reason = bytes_of_text(reason)};
    char place[ENV_ADDRESS_MAX];
    rlog_link_say(link->peer, link->peers->rlog, ENV_LOG_WARN, "node %llu at %s is refused: %s",
                  (unsigned long long)link->peer->id, place_of(link, place), reason);
    rlog_wire_write_refused(rlog_link_frame(link->peers, RLOG_WIRE_REFUSED), &refused);
    rlog_link_write(link, rlog_wire_frame_end(&link->peers->writer));
    rlog_link_close(link, true);
}

void rlog_link_turn_away(struct link *link, const char *reason, bool tell)
{
    struct rlog *rlog = link->peers->rlog;
    env_log(rlog->env, ENV_LOG_WARN, "peer", "tenure://%s/-/peer/%llu at %s is refused: %s",
            rlog->store.birth.cluster, (unsigned long long)link->stranger,
            env_conn_address(link->conn), reason);
    if (tell) {
        struct rlog_wire_refused refused = {.reason = bytes_of_text(reason)};
        rlog_wire_write_refused(rlog_link_frame(link->peers, RLOG_WIRE_REFUSED), &refused);
        rlog_link_write(link, rlog_wire_frame_end(&link->peers->writer));
    }
    link->stranger = 0;
    rlog_link_close(link, tell);
}

/* A node that we do not know has said hello: a guest when it knows more than we do. */
static bool on_stranger(struct link *link, struct bytes body)
{
    struct rlog *rlog = link->peers->rlog;
    struct rlog_wire_hello hello;
    char reason[RLOG_WIRE_TEXT_MAX] = "there are too many guests";
    if (rlog_peers_find(rlog, link->stranger) != NULL) { /* it became known meanwhile */
        link->peer = rlog_peers_find(rlog, link->stranger);
    } else if (rlog_greeting_check(rlog, link->stranger, body, &hello, reason, sizeof reason)) {
        link->peer = rlog_peers_guest(link->peers, link->stranger);
    }
    if (link->peer == NULL) {
        rlog_link_turn_away(link, reason, true);
        return false;
    }
    link->stranger = 0;
    send_hello(link);
    return true;
}

static void on_hello(struct link *link, struct bytes body)
{
    struct rlog *rlog = link->peers->rlog;
    struct rlog_wire_hello hello;
    char reason[RLOG_WIRE_TEXT_MAX], place[ENV_ADDRESS_MAX];
    if (link->peer == NULL && !on_stranger(link, body)) {
        return;
    }
    struct peer *peer = link->peer;
    if (!rlog_greeting_check(rlog, peer->id, body, &hello, reason, sizeof reason)) {
        rlog_link_refuse(link, reason);
        return;
    }
    if (!rlog_greeting_knows_more(rlog, rlog_greeting_told(&hello)) &&
        !rlog_meet(rlog, peer->id, hello.store)) {
        if (rlog_alive(rlog)) { /* otherwise all links are closing */
            rlog_link_refuse(link, "its disk is full: it cannot note whom it meets");
        }
        return;
    }
    struct link *older = peer->ready;
    link->state = LINK_READY;
    link->store = hello.store;
    link->told = rlog_greeting_told(&hello);
    link->ready_us = env_mono_us(rlog->env);
    peer->ready = link;
    if (older != NULL) {
        rlog_streams_lost(rlog, peer->id);
        rlog_link_close(older, false); /* an older epoch */
    }
    rlog_link_say(peer, rlog, ENV_LOG_INFO, "node %llu at %s is connected",
                  (unsigned long long)peer->id, place_of(link, place));
    rlog_repair_greet(rlog, peer->id);
    rlog_streams_greet(rlog, peer->id);
}

static void on_refused(struct link *link, struct bytes body)
{
    struct rlog_wire_refused refused;
    if (rlog_wire_read_refused(body, &refused)) {
        rlog_link_say(link->peer, link->peers->rlog, ENV_LOG_WARN, "node %llu refuses us: %.*s",
                      (unsigned long long)link->peer->id, (int)refused.reason.size,
                      (const char *)refused.reason.data);
    }
    rlog_link_close(link, false);
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
    if (kind == RLOG_WIRE_REPAIR || kind == RLOG_WIRE_REPAIR_RESULT) {
        return rlog_repair_receive(rlog, from, kind, body);
    }
    return false;
}

static void on_frame(struct link *link, uint8_t kind, struct bytes body)
{
    struct rlog *rlog = link->peers->rlog;
    bool greeted = link->peer != NULL &&
                   (link->state == LINK_GREETING || link->state == LINK_READY);
    if (greeted && kind == RLOG_WIRE_REFUSED) {
        on_refused(link, body);
    } else if (link->state == LINK_READY) {
        link->heard_us = env_mono_us(rlog->env);
        if (!deliver(link, kind, body) && link->state == LINK_READY) {
            rlog_link_say(link->peer, rlog, ENV_LOG_ERROR,
                          "node %llu sent a message of kind %u that cannot be: connection closed",
                          (unsigned long long)link->peer->id, kind);
            rlog_link_close(link, false);
        }
    } else if (link->state == LINK_GREETING && kind == RLOG_WIRE_HELLO) {
        link->heard_us = env_mono_us(rlog->env);
        on_hello(link, body);
    } else {
        rlog_link_close(link, false);
    }
    rlog_settle(rlog);
}

/* ---- callbacks of the connection; `arg` NULL: the node is gone ---- */

static void link_opened(struct link *link, const char *identity)
{
    struct rlog *rlog = link->peers->rlog;
    uint64_t id = rlog_members_identity(rlog->store.birth.cluster, identity);
    struct peer *peer = rlog_peers_find(rlog, id);
    if (link->dialed && peer != link->peer) {
        rlog_link_say(link->peer, rlog, ENV_LOG_WARN, "node %llu's address %s answers as %s",
                      (unsigned long long)link->peer->id, link->peer->address, identity);
        rlog_link_close(link, false);
        return;
    }
    if (id == 0 || id == rlog->config.id) {
        env_log(rlog->env, ENV_LOG_WARN, "peer", "%s is refused: %s is not one who may call here",
                env_conn_address(link->conn), identity);
        rlog_link_close(link, false);
        return;
    }
    link->state = LINK_GREETING;
    link->peer = peer;
    if (peer == NULL) {
        link->stranger = id; /* it speaks first */
    } else {
        send_hello(link);
    }
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
            rlog_link_close(link, false);
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
        rlog_link_say(link->peer, link->peers->rlog, ENV_LOG_INFO,
                      "node %llu at %s is not connected: %s", (unsigned long long)link->peer->id,
                      link->peer->address, rc == ENV_CLOSED ? "closed" : detail);
    }
    rlog_link_detach(link);
    rlog_link_free(link);
}

const struct env_conn_handlers rlog_link_handlers = {on_open, on_data, NULL, on_close};

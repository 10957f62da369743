/* The connections of peers.h, all of them: who calls, who is called, who is silent. Knows not how
 * one comes to be ready and what is heard on it (link.c).
 */
#include "raftlog/peers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "raftlog/engine.h"
#include "raftlog/greeting.h"
#include "raftlog/link.h"

#define PEER_ALPN "tenure-peer/1"

enum { STRANGERS_MAX = 64 /* accepted and not yet ready */ };

static struct peer *find(struct rlog_peers *peers, uint64_t id)
{
    for (size_t i = 0; i < RLOG_PEERS_MAX; i++) {
        if (peers->list[i].id == id) {
            return &peers->list[i];
        }
    }
    return NULL;
}

struct peer *rlog_peers_find(const struct rlog *rlog, uint64_t id)
{
    return id == 0 ? NULL : find(rlog->peers, id);
}

static struct peer *take_in(struct rlog_peers *peers, uint64_t id)
{
    struct peer *peer = find(peers, 0);
    if (peer != NULL) {
        memset(peer, 0, sizeof *peer);
        peer->id = id;
        peer->lost_us = env_mono_us(peers->rlog->env);
    }
    return peer;
}

struct peer *rlog_peers_guest(struct rlog_peers *peers, uint64_t id)
{
    struct peer *peer = take_in(peers, id);
    if (peer != NULL) {
        snprintf(peer->address, sizeof peer->address, "guest-%llu", (unsigned long long)id);
    }
    return peer;
}

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
        rlog_link_close(oldest, false);
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
    struct link *link = rlog_link_create(peers, false);
    link->conn = conn;
    env_conn_adopt(conn, &rlog_link_handlers, link);
}

/* ---- dialing and keep-alive ---- */

static void dial(struct rlog_peers *peers, struct peer *peer)
{
    struct rlog *rlog = peers->rlog;
    struct link *link = rlog_link_create(peers, true);
    link->peer = peer;
    peer->dialed = link;
    link->conn = env_connect(rlog->env, peer->address, rlog->config.tls, PEER_ALPN,
                             &rlog_link_handlers, link);
    if (link->conn == NULL) {
        rlog_link_say(peer, rlog, ENV_LOG_WARN, "node %llu: %s is not a usable address",
                      (unsigned long long)peer->id, peer->address);
        rlog_link_detach(link);
        rlog_link_free(link);
    }
}

/* The lower id dials; see peers.h for when the higher does. */
static bool is_ours_to_dial(const struct rlog *rlog, const struct peer *peer, uint64_t now_us)
{
    return peer->member && peer->dialed == NULL && peer->ready == NULL &&
           now_us >= peer->dial_at_us &&
           (rlog->config.id < peer->id || !peer->voter ||
            now_us - peer->lost_us >= 4 * rlog->config.election_us);
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
            rlog_link_say(link->peer, rlog, ENV_LOG_INFO, "node %llu is silent",
                          (unsigned long long)link->peer->id);
        } else if (link->stranger != 0) {
            rlog_link_turn_away(link, "not one who may call here", false);
        }
        rlog_link_close(link, false);
        return;
    }
    if (link->state == LINK_READY && now_us - link->sent_us >= rlog->config.election_us) {
        struct rlog_wire_keepalive keepalive = {.wall_us = env_wall_us(rlog->env)};
        rlog_wire_write_keepalive(rlog_link_frame(link->peers, RLOG_WIRE_KEEPALIVE), &keepalive);
        rlog_link_write(link, rlog_wire_frame_end(&link->peers->writer));
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
    for (size_t i = 0; i < RLOG_PEERS_MAX; i++) {
        struct peer *peer = &peers->list[i];
        if (peer->id != 0 && is_ours_to_dial(rlog, peer, now_us)) {
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
        rlog_link_close(LIST_ENTRY(node, struct link, node), flush);
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
        rlog_link_free(link);
    }
    env_timer_destroy(peers->timer);
    free(peers);
    rlog->peers = NULL;
}

bool rlog_peers_connected(const struct rlog *rlog, uint64_t id)
{
    struct peer *peer = rlog_peers_find(rlog, id);
    return peer != NULL && peer->ready != NULL;
}

uint64_t rlog_peers_silent(const struct rlog *rlog, uint64_t id)
{
    struct peer *peer = rlog_peers_find(rlog, id);
    return peer != NULL && peer->ready != NULL
               ? sat_sub(env_mono_us(rlog->env), peer->ready->heard_us)
               : 0;
}

uint64_t rlog_peer_since(const struct rlog *rlog, uint64_t id)
{
    struct peer *peer = rlog_peers_find(rlog, id);
    return peer != NULL && peer->ready != NULL ? peer->ready->ready_us : UINT64_MAX;
}

struct id128 rlog_peers_store(const struct rlog *rlog, uint64_t id)
{
    struct peer *peer = rlog_peers_find(rlog, id);
    return peer != NULL && peer->ready != NULL ? peer->ready->store : ID128_ZERO;
}

size_t rlog_peers_ready(const struct rlog *rlog, uint64_t ids[RLOG_PEERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < RLOG_PEERS_MAX; i++) {
        const struct peer *peer = &rlog->peers->list[i];
        if (peer->id != 0 && peer->ready != NULL) {
            ids[count++] = peer->id;
        }
    }
    return count;
}

struct base_writer *rlog_peers_begin(struct rlog *rlog, uint64_t id, uint8_t kind)
{
    struct peer *peer = rlog_peers_find(rlog, id);
    if (peer == NULL || peer->ready == NULL ||
        env_conn_queued(peer->ready->conn) > rlog->config.peer_queue_max) {
        return NULL;
    }
    rlog->peers->target = peer->ready;
    return rlog_link_frame(rlog->peers, kind);
}

void rlog_peers_end(struct rlog *rlog)
{
    struct rlog_peers *peers = rlog->peers;
    rlog_link_write(peers->target, rlog_wire_frame_end(&peers->writer));
    peers->target = NULL;
}

/* The member's present address and vote; a new one when it was none. */
static void follow_member(struct rlog_peers *peers, const struct rlog_member *member)
{
    struct peer *peer = rlog_peers_find(peers->rlog, member->id);
    if (member->id == peers->rlog->config.id) {
        return;
    }
    peer = peer != NULL ? peer : take_in(peers, member->id);
    if (peer == NULL) {
        return; /* guests have taken all places; the next change looks again */
    }
    peer->member = true;
    peer->voter = member->voter;
    snprintf(peer->address, sizeof peer->address, "%s", member->address);
}

static void let_go(struct rlog_peers *peers, struct peer *peer)
{
    char reason[RLOG_WIRE_TEXT_MAX];
    bool any = false;
    snprintf(reason, sizeof reason,
             "node %llu was removed from the cluster: stop it; its folder is of no more use",
             (unsigned long long)peer->id);
    peer->member = false;
    LIST_FOR_EACH_SAFE(node, following, &peers->links)
    {
        struct link *link = LIST_ENTRY(node, struct link, node);
        if (link->peer == peer) {
            any = true;
            if (link->state == LINK_READY) {
                rlog_link_refuse(link, reason);
            } else {
                rlog_link_close(link, false);
            }
        }
    }
    if (!any) {
        peer->id = 0;
    }
}

static void check_store(struct rlog *rlog, struct peer *peer)
{
    if (peer->ready != NULL && !rlog_greeting_knows_more(rlog, peer->ready->told) &&
        !rlog_members_fits(&rlog->members, peer->id, peer->ready->store)) {
        char reason[RLOG_WIRE_TEXT_MAX];
        rlog_greeting_replaced(peer->id, peer->ready->store, reason, sizeof reason);
        rlog_link_refuse(peer->ready, reason);
    }
}

void rlog_peers_check(struct rlog *rlog)
{
    struct rlog_peers *peers = rlog->peers;
    const struct rlog_members *members = &rlog->members;
    for (size_t i = 0; i < members->applied.count; i++) {
        follow_member(peers, &members->applied.list[i]);
    }
    for (size_t i = 0; i < members->roll.count; i++) {
        follow_member(peers, &members->roll.list[i]);
    }
    for (size_t i = 0; i < RLOG_PEERS_MAX; i++) {
        struct peer *peer = &peers->list[i];
        if (peer->id == 0) {
            continue;
        }
        if (rlog_members_known(members, peer->id)) {
            check_store(rlog, peer);
        } else if (peer->member) {
            let_go(peers, peer);
        }
    }
}

const char *rlog_peers_place(const struct rlog *rlog, uint64_t id)
{
    const struct peer *peer = rlog_peers_find(rlog, id);
    return peer != NULL ? peer->address : "unknown";
}

void rlog_peers_refuse(struct rlog *rlog, uint64_t id, const char *format, ...)
{
    struct peer *peer = rlog_peers_find(rlog, id);
    char reason[RLOG_WIRE_TEXT_MAX];
    va_list arguments;
    if (peer == NULL || peer->ready == NULL) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    rlog_link_refuse(peer->ready, reason);
}

const char *rlog_peers_address(const struct rlog *rlog)
{
    return rlog->peers->address;
}

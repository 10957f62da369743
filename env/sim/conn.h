/* A simulated connection: two ends, each with the pipe that leads to it. Shared by conn.c (an end's
 * life), pipe.c (what travels) and listen.c (addresses and handshake).
 *
 *   client   CONNECTING -----------------------> OPEN --> FLUSHING --> ENDED --> freed
 *   server   ACCEPTED --> SHAKING -------------> OPEN --> FLUSHING --> ENDED --> freed
 *   (every state may go to ENDED; on_close is the only thing that happens there)
 *
 * Invariants
 *   1. `peer` is mutual or NULL: an end whose peer is NULL gets what its pipe still holds, no more.
 *   2. An end that is not ENDED has at most one event of each kind under way, so order is kept.
 *   3. A pipe carries END last.
 */
#ifndef ENV_SIM_CONN_H
#define ENV_SIM_CONN_H

#include "base/list.h"
#include "env/net.h"
#include "env/sim/world.h"

enum {
    SIM_ALPN_MAX = 64,
    SIM_DETAIL_MAX = 256,
    SIM_WINDOW = 128 * 1024,     /* bytes that a kernel takes before its peer has read any */
    SIM_SEGMENT_MAX = 16 * 1024, /* a TLS record */
    SIM_PENDING_MAX = 256, /* connections of a listener that are not through their handshake */
};
#define SIM_HANDSHAKE_US (5 * SIM_SECOND)
#define SIM_FLUSH_US (2 * SIM_SECOND)
#define SIM_UNACKNOWLEDGED_US (30 * SIM_SECOND)
#define SIM_RETRY_FIRST_US (200 * SIM_MILLISECOND)
#define SIM_RETRY_MAX_US (1600 * SIM_MILLISECOND)

struct env_tls {
    struct list link; /* handles.tls, until env_tls_destroy */
    unsigned references;
    uint64_t until_us; /* by the wall clock of whoever looks */
    char ca[128];
    char identity[ENV_IDENTITY_MAX];
};
/* `references` counts its owner and the connections and listeners that use it. */
void sim_tls_hold(struct env_tls *tls);
/* NULL is fine. */
void sim_tls_release(struct env_tls *tls);

struct env_listener {
    struct env *env;
    struct list link;
    struct env_tls *tls; /* counted */
    uint16_t port;
    char alpn[SIM_ALPN_MAX];
    env_accept_cb on_accept;
    void *arg;
};

enum sim_segment_kind {
    SIM_SEGMENT_HELLO,    /* the server's half of the handshake */
    SIM_SEGMENT_FINISHED, /* the client's */
    SIM_SEGMENT_DATA,
    SIM_SEGMENT_CREDIT, /* `count` bytes were read: the kernel's own affair */
    SIM_SEGMENT_END,    /* nothing follows; rc and the text in `data` say why */
};

struct sim_segment {
    struct list link;
    enum sim_segment_kind kind;
    int rc;
    uint64_t arrives_us;
    size_t count; /* bytes in `data` that are not delivered yet, or the credit */
    size_t start;
    uint8_t data[];
};

/* What leads to one end. */
struct sim_pipe {
    struct list flight; /* on its way, in order */
    struct list inbox;  /* in the kernel, not yet read */
    uint64_t last_arrival_us;
    uint64_t stalled_since_us; /* 0: moving */
    uint64_t retry_us;
    uint64_t silent_since_us; /* nothing can have been heard from the other side */
    bool ends;                /* END is in it */
};

struct sim_queue {
    uint8_t *data;
    size_t start;
    size_t size;
    size_t capacity;
};

enum sim_conn_state {
    SIM_CONN_CONNECTING,
    SIM_CONN_ACCEPTED,
    SIM_CONN_SHAKING,
    SIM_CONN_OPEN,
    SIM_CONN_FLUSHING,
    SIM_CONN_ENDED,
};

struct sim_conn_events {
    struct sim_event begin; /* SYN or accept */
    struct sim_event arrive;
    struct sim_event send;
    struct sim_event receive;
    struct sim_event probe;
    struct sim_event timeout;
    struct sim_event close;
};

struct env_conn {
    struct env *env;
    struct list link;
    struct env_conn *peer;
    struct sim_host *remote;       /* NULL: no host has that address */
    struct env_listener *listener; /* a server's, until it is open or the listener is gone */
    struct env_tls *tls;           /* counted */
    struct env_tls *remote_tls;    /* counted; NULL while unknown */
    struct env_conn_handlers handlers;
    void *arg;
    enum sim_conn_state state;
    bool handled; /* has handlers */
    bool paused;
    uint16_t port; /* a client's target */
    int close_rc;
    size_t credit;
    size_t owed; /* bytes read, of which the other side was not told */
    struct sim_pipe pipe;
    struct sim_queue queue;
    struct sim_conn_events events;
    char alpn[SIM_ALPN_MAX];
    char address[ENV_ADDRESS_MAX];
    char detail[SIM_DETAIL_MAX];
};

/* conn.c */
struct env_conn *sim_conn_create(struct env *env, struct env_tls *tls, const char *alpn,
                                 const char *address);
/* Frees without a word. */
void sim_conn_free(struct env_conn *conn);
/* No more of it but on_close(rc, detail), in an event of its own. */
void sim_conn_end(struct env_conn *conn, int rc, const char *detail);
/* The same, after telling the peer. */
void sim_conn_break(struct env_conn *conn, int rc, const char *detail, int peer_rc,
                    const char *peer_detail);
/* The handshake is through on this end. */
void sim_conn_open(struct env_conn *conn);
void sim_conn_receive_soon(struct env_conn *conn);

/* links.c */
uint64_t sim_link_delay(struct sim *sim, const struct sim_host *from, const struct sim_host *to);
/* Packets sent by `from` reach `to`. */
bool sim_path_open(const struct sim_host *from, const struct sim_host *to);

/* pipe.c */
void sim_pipe_init(struct sim_pipe *pipe);
void sim_pipe_done(struct sim_pipe *pipe);
void sim_pipe_clear(struct list *segments);
/* Sends towards the end `to`. */
void sim_pipe_push(struct env_conn *to, enum sim_segment_kind kind, struct bytes data);
void sim_pipe_push_credit(struct env_conn *to, size_t count);
void sim_pipe_push_end(struct env_conn *to, int rc, const char *detail);
/* A seeded part of what is on its way to `to` is lost. */
void sim_pipe_tear(struct env_conn *to);
/* What is on its way to `to` arrives that much later. */
void sim_pipe_delay(struct env_conn *to, uint64_t late_us);
void sim_pipe_arrive(struct sim_event *event);
/* Keep-alive: ends the connection when nothing was heard from the other side for too long. */
void sim_pipe_probe(struct sim_event *event);
/* From now on nothing may be heard from the other side. */
void sim_pipe_watch(struct env_conn *conn);
/* Something was sent to an end that is no more: its machine will say so. */
void sim_pipe_probe_soon(struct env_conn *conn);
void sim_detach(struct env_conn *conn);

/* listen.c */
void sim_syn_fire(struct sim_event *event);
void sim_hello_received(struct env_conn *conn);
void sim_finished_received(struct env_conn *conn);
void sim_listeners_free(struct env *env);

#endif

/* The client's own structs, and what its files ask of each other. Not for anybody else. */
#ifndef CLIENT_LIB_INTERNAL_H
#define CLIENT_LIB_INTERNAL_H

#include <pthread.h>

#include "base/list.h"
#include "env/clock.h"
#include "env/net.h"
#include "op/frame.h"
#include "op/op.h"
#include "tenure.h"

/* ---- conversion between the public structs and op's (client-lib/convert.c) ---- */

/* Where a public struct keeps what an op_field describes; in the same order as the op_struct's fields. */
struct tenure_field_map {
    size_t offset;
    size_t has_offset;   /* SIZE_MAX: required, there is none */
    size_t count_offset; /* lists */
    size_t item_size;    /* lists: of a public item */
    const struct tenure_field_map *item;
};

typedef void (*tenure_any_cb)(void);

/* What a call asks and what it gets: op's structs, and how the public ones map to them. */
struct tenure_method {
    const char *name;
    const struct op_row *row; /* NULL: answered by one node of itself, never numbered */
    const struct op_struct *request;
    const struct op_struct *reply;
    const struct tenure_field_map *request_map;
    const struct tenure_field_map *reply_map;
    size_t reply_size; /* of the public struct */
    /* Calls an operation's callback as its own type. */
    void (*deliver)(tenure_any_cb callback, void *arg, const struct tenure_result *result,
                    const void *reply);
};

struct tenure_method tenure_method_of(enum op_number number);

/* A deep copy of a public request as op's struct, in one malloc: returns owned, NULL with `ret_field`
 * naming the field that is wrong (a malformed token), or NULL with NULL when out of memory. */
void *tenure_request_copy(const struct tenure_method *method, const void *value,
                          const char **ret_field);
/* A public reply from op's; texts are copied into `*ret_memory` (owned, may be NULL when there are none).
 * False when out of memory. */
bool tenure_reply_copy(const struct op_struct *s, const struct tenure_field_map *map,
                       const void *value, void *ret_value, void **ret_memory);

extern const struct tenure_field_map tenure_details_map[];

/* ---- calls (client-lib/call.c) ----
 *
 *   WAITING --link ready (and registered)--> SENT --DONE or REFUSED--> ended
 *      ^                                      |
 *      `--RETRY, UNKNOWN, link lost: backoff--'      any --deadline, cancel, close--> ended
 *
 * Invariants
 *   K1  a numbered call keeps its number until it ends, each try has a higher attempt (model.md 6)
 *   K2  only a reply to the newest try counts, and only when it echoes the call's session
 *   K3  a call ends exactly once, by its deadline at the latest
 */
enum tenure_call_state { CALL_WAITING, CALL_BACKOFF, CALL_SENT };

struct tenure_pending {
    struct list in_client;
    tenure_call id;
    struct tenure_method method;
    void *request; /* op's struct, owned */
    enum tenure_call_state state;
    uint64_t number; /* 0: not numbered, or not yet */
    uint32_t attempts;
    uint32_t msgid;      /* of the newest try */
    bool maybe_happened; /* some try was sent and not definitely refused */
    const char *wrong_field; /* of a request that could not be taken */
    enum op_outcome last; /* the newest RETRY or UNKNOWN answer; UNREACHABLE before any */
    uint64_t deadline;   /* MONO */
    uint64_t retry_at;   /* MONO, in CALL_BACKOFF */
    tenure_any_cb callback;
    void *arg;
    struct tenure_wait *wait; /* a synchronous call that takes the result instead */
};

/* ---- the link: one connection to the server that we believe leads (client-lib/link.c) ---- */
enum tenure_link_state { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_READY };

struct tenure_link {
    enum tenure_link_state state;
    struct env_conn *conn;
    char target[ENV_ADDRESS_MAX]; /* where we are, or are going */
    char leader[ENV_ADDRESS_MAX]; /* where we were told to go; empty: nobody told */
    size_t next_server;
    uint32_t failures;   /* in a row, for the backoff */
    uint64_t retry_at;   /* MONO, in LINK_DOWN */
    uint64_t deadline;   /* MONO, while CONNECTING or GREETING */
    uint8_t *input;
    size_t input_size;
    size_t input_capacity;
    char fault[256]; /* why the newest attempt failed */
};

struct tenure_registration {
    bool registered;
    uint64_t client;
    struct id128 incarnation;
    uint64_t next_number;
    tenure_call call; /* the register call in flight; 0: none */
};

struct tenure_thread;

struct tenure_client {
    struct env *env;
    void (*close_env)(struct env *env); /* NULL: the env is the caller's */
    struct env_tls *tls;
    struct env_timer *timer;
    char **servers;
    size_t server_count;
    char *tenant;
    char *software;
    uint64_t timeout_us;
    bool stay;
    struct id128 instance;
    struct id128 incarnation; /* of the cluster that we last talked to */
    struct tenure_link link;
    struct tenure_registration registration;
    struct list calls;
    tenure_call last_call;
    uint32_t last_msgid;
    uint8_t *frame; /* OP_FRAME_MAX: one request being built */
    struct tenure_thread *thread; /* NULL: driven by the caller */
};

/* A client over an env of the caller's (the simulator, tests). Borrows `env`; `tenure_close` ends it. */
bool tenure_open_env(struct env *env, const struct tenure_options *options, char *error,
                     size_t error_size, struct tenure_client **ret_client);

/* Starts a call. What cannot be taken (a bad argument, no memory) ends it too, through its callback, in the
 * next step. */
tenure_call tenure_call_start(struct tenure_client *client, const struct tenure_method *method,
                              const void *request, tenure_any_cb callback, void *arg);
enum tenure_outcome tenure_call_wait(struct tenure_client *client,
                                     const struct tenure_method *method, const void *request,
                                     void *ret_reply, struct tenure_result *ret_result);
/* Sends what can be sent, ends what is over, arms the timer. */
void tenure_calls_step(struct tenure_client *client);
/* A response came in. False: it breaks the protocol, the link has to go. */
bool tenure_calls_response(struct tenure_client *client, const struct op_message *message);
/* The link is gone: what was sent is tried again. */
void tenure_calls_link_lost(struct tenure_client *client);
/* Ends all, without waiting (close). */
void tenure_calls_end(struct tenure_client *client);
/* Another incarnation: what is outstanding is UNKNOWN, and we register anew. */
void tenure_calls_reborn(struct tenure_client *client);

void tenure_link_step(struct tenure_client *client); /* connects when somebody needs it */
void tenure_link_send(struct tenure_client *client, struct bytes frame);
/* Drops the connection; `reason` for people. Goes to `link.leader` next when that is known. */
void tenure_link_drop(struct tenure_client *client, const char *reason);
void tenure_link_done(struct tenure_client *client);
/* MONO of the link's next own event; UINT64_MAX: none. */
uint64_t tenure_link_due(const struct tenure_client *client);

/* Everything that may be due now: link, then calls. */
void tenure_step(struct tenure_client *client);
/* Jittered exponential back-off, in µs: 10 ms doubling to 500 ms, each drawn from its upper half. */
uint64_t tenure_backoff_us(struct tenure_client *client, uint32_t failures);

/* Ends open calls and frees everything but the env. */
void tenure_client_free(struct tenure_client *client);

/* ---- the optional thread (client-lib/thread.c) ---- */
void tenure_lock(struct tenure_client *client);
void tenure_unlock(struct tenure_client *client);
bool tenure_on_thread(const struct tenure_client *client);
void tenure_thread_stop(struct tenure_client *client);
/* Waits, unlocked, until something changed on the client's thread. */
void tenure_thread_wait(struct tenure_client *client);
void tenure_thread_wake(struct tenure_client *client);
void tenure_thread_changed(struct tenure_client *client);

#endif

/* The client's own structs, and what its files ask of each other. Not for anybody else. */
#ifndef CLIENT_LIB_INTERNAL_H
#define CLIENT_LIB_INTERNAL_H

#include <pthread.h>

#include "base/list.h"
#include "env/clock.h"
#include "env/net.h"
#include "op/frame.h"
#include "op/op.h"
#include <tenure.h>

/* ---- conversion between the public structs and op's (client-lib/convert.c) ---- */

/* Where a public struct keeps what an op_field describes; in the order of the op_struct. */
struct tenure_field_map {
    size_t offset;
    size_t has_offset;   /* SIZE_MAX: required, there is none */
    size_t count_offset; /* lists */
    size_t item_size;    /* lists: of a public item */
    bool pointer;        /* lists of replies: what stands there points to the items */
    const struct tenure_field_map *item;
};

/* The items of a public list. */
const uint8_t *tenure_items(const struct tenure_field_map *map, const void *value);

typedef void (*tenure_any_cb)(void);

/* What a call asks and what it gets: op's structs, and how the public ones map to them. */
struct tenure_method {
    const char *name;
    const struct op_row *row; /* NULL: no operation, never numbered */
    bool own;                 /* every node answers it of itself: no answer is tried again */
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

/* A deep copy of a public request as op's struct, in one malloc: returns owned, NULL with
 * `ret_field` naming the field that is wrong (a malformed token, an empty text, more than its
 * bound), or NULL with NULL when out of memory. */
void *tenure_request_copy(const struct tenure_method *method, const void *value,
                          const char **ret_field);
/* A public reply from op's; texts and lists are copied into `*ret_memory` (owned by the result,
 * which tenure_result_done frees; NULL when there are none).
 * False when out of memory. */
bool tenure_reply_copy(const struct op_struct *s, const struct tenure_field_map *map,
                       const void *value, void *ret_value, void **ret_memory);

extern const struct tenure_field_map tenure_details_map[];

/* ---- calls (client-lib/call.c) ----
 *
 *   UNNUMBERED --a number is free--> READY --link ready--> SENT --DONE, REFUSED--> ended
 *                                     ^                      |
 *                 BACKOFF <-----------|--RETRY, UNKNOWN------+
 *                    |                |                      |
 *                    `--its time------+------link lost-------'
 *
 *   any --deadline--> ended      any --cancel, bad argument--> ENDING --next step--> ended
 *
 * What needs no number begins as READY. Each state has its queue, so that a step looks only at what
 * can move.
 *
 * Invariants
 *   K1  a numbered call keeps its number until it ends, each try has a higher attempt (model.md 6);
 *       only one that certainly did nothing may get a new number, and only of a new registration
 *   K2  only a reply to the newest try counts, and only when it echoes the call's session and task
 *   K3  a call ends exactly once, by its deadline at the latest
 *   K4  the open numbers of a registration lie in [lowest, lowest + window), window <= 256
 */
enum tenure_call_state {
    CALL_UNNUMBERED,
    CALL_READY,
    CALL_BACKOFF,
    CALL_SENT,
    CALL_ENDING,
    CALL_STATES,
};

struct tenure_wait; /* where a synchronous call gets its result (client-lib/thread.c) */

struct tenure_pending {
    struct list in_client; /* all calls by age; one timeout for all, so by deadline too */
    struct list in_queue;  /* of its state */
    tenure_call id;
    struct tenure_method method;
    void *request; /* op's struct, owned */
    enum tenure_call_state state;
    uint64_t number;       /* 0: not numbered, or not yet */
    uint64_t registration; /* the generation that the number belongs to */
    uint64_t lowest;       /* that the newest try told of */
    uint32_t attempts;     /* of that number */
    uint32_t tries;        /* of all numbers: what the caller is told */
    uint32_t msgid;        /* of the newest try */
    uint64_t sent;         /* BOOT: when that was sent */
    bool in_doubt;         /* some earlier try of a write may have happened */
    enum op_outcome last;  /* the newest RETRY or UNKNOWN answer; UNREACHABLE before any; in
                              CALL_ENDING the outcome that it ends with */
    const char *ending; /* CALL_ENDING: a message, or with INVALID the wrong field; may be NULL */
    uint64_t deadline;  /* MONO */
    uint64_t due;       /* MONO: in CALL_BACKOFF when to try again */
    tenure_any_cb callback;
    void *arg;
    struct tenure_wait *wait; /* a synchronous call that takes the result instead */
};

enum {
    CALLS_SENT_MAX = 4096, /* open requests of a connection (PROTOCOL.md section 7); power of two */
    CALLS_NUMBERS_MAX = 256, /* the standard of limits.def: client_open_max */
};

struct tenure_calls {
    struct list all;
    struct list queues[CALL_STATES];
    struct tenure_pending *by_msgid[CALLS_SENT_MAX]; /* CALL_SENT, at msgid modulo the size */
    size_t sent_count;
    uint64_t backoff_due; /* not after the earliest `due` in CALL_BACKOFF */
    bool leaderless;      /* some in CALL_BACKOFF may wait for a leader that serves */
    uint32_t last_msgid;
    tenure_call last_id;
    bool closing;    /* no call is taken any more */
    bool delivering; /* a callback of a call runs */
};

/* ---- the client's registration and its numbers (client-lib/registration.c) ---- */
struct tenure_registration {
    bool registered;
    uint64_t generation; /* counts registrations; numbers of an earlier one are dead */
    uint64_t client;
    struct id128 incarnation;
    uint64_t time, term; /* of the answer that registered it; for who records it */
    uint64_t silence;    /* that the cluster bears before it forgets a client */
    uint64_t heard;      /* BOOT, as the cluster counts it: it has heard of us since then */
    uint64_t asked;      /* BOOT: when the newest registering began */
    bool spare;          /* it was given up, and may be taken back while no new one is there */
    bool stays;          /* it is not given up before the cluster is heard again */
    uint64_t given_up; /* the client that we last gave up for our own silence; for who records it */
    uint64_t next_number;
    uint64_t lowest;                                /* every number below is ended */
    uint64_t window;                                /* K4; smaller when the cluster says so */
    struct tenure_pending *open[CALLS_NUMBERS_MAX]; /* by number modulo the size */
    tenure_call call;                               /* the register call in flight; 0: none */
    enum op_outcome last;                           /* what the cluster last said to registering */
    const char *lost;                               /* why the one before is gone, for a person */
};

/* ---- the link: one connection to the server that we believe leads (client-lib/link.c) ----
 *
 *   DOWN --a call--> CONNECTING --> GREETING --hello--> READY --goaway, NOT_LEADER--> LEAVING
 *    ^                   |             |                  |                             |
 *    `-------------------+-------------+------------------+-----------------------------'
 */
enum tenure_link_state { LINK_DOWN, LINK_CONNECTING, LINK_GREETING, LINK_READY, LINK_LEAVING };

struct tenure_link {
    enum tenure_link_state state;
    struct env_conn *conn;
    char target[ENV_ADDRESS_MAX]; /* where we are, or are going */
    char leader[ENV_ADDRESS_MAX]; /* where we were told to go; empty: nobody told */
    size_t next_server;
    uint32_t failures;    /* since the last good answer, for the backoff */
    uint32_t hello_msgid; /* in LINK_GREETING */
    uint64_t retry_at;    /* MONO, in LINK_DOWN */
    uint64_t deadline;    /* MONO, in CONNECTING, GREETING and LEAVING */
    bool owes;            /* something was sent, and not a byte was heard since */
    uint64_t owes_since;  /* MONO */
    uint64_t
        leaderless_since; /* MONO: it knows of no leader, and has answered nothing else; or 0 */
    const char *leaving;  /* why, in LINK_LEAVING */
    uint8_t *input;
    size_t input_size;
    size_t input_capacity;
    char fault[256]; /* why the newest attempt failed */
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
    bool stale; /* every operation asks for what its server has applied */
    struct id128 instance;
    struct id128 incarnation; /* of the cluster that we last talked to */
    struct tenure_link link;
    struct tenure_registration registration;
    struct tenure_calls calls;
    uint8_t *frame;               /* OP_FRAME_MAX: one request being built */
    size_t frame_used;            /* so much of it was ever written */
    struct tenure_thread *thread; /* NULL: driven by the caller */
};

/* A client over an env of the caller's (the simulator, tests). Borrows `env`; `tenure_close` ends
 * it. */
bool tenure_open_env(struct env *env, const struct tenure_options *options, char *error,
                     size_t error_size, struct tenure_client **ret_client);

/* Starts a call. What cannot be taken (a bad argument) ends it too, through its callback, in the
 * next step. 0: the client is closing or there is no memory, the callback will not run. */
tenure_call tenure_call_start(struct tenure_client *client, const struct tenure_method *method,
                              const void *request, tenure_any_cb callback, void *arg);
enum tenure_outcome tenure_call_wait(struct tenure_client *client,
                                     const struct tenure_method *method, const void *request,
                                     void *ret_reply, struct tenure_result *ret_result);
void tenure_calls_init(struct tenure_client *client);
/* Sends what can be sent, ends what is over, arms the timer. */
void tenure_calls_step(struct tenure_client *client);
/* The link is gone: what was sent is tried again. */
void tenure_calls_link_lost(struct tenure_client *client);
/* Numbers of an earlier registration are dead: their calls end, or get new ones (K1). */
void tenure_calls_renumber(struct tenure_client *client);
/* Ends all, without waiting (close). */
void tenure_calls_end(struct tenure_client *client);
/* Some call waits for a link. */
bool tenure_calls_need_link(const struct tenure_client *client);
/* A msgid that no open request has; never 0. */
uint32_t tenure_calls_msgid(struct tenure_client *client);

/* For answer.c and registration.c: the moves of one call. */
bool tenure_call_numbered(const struct tenure_pending *call);
void tenure_call_back_off(struct tenure_client *client, struct tenure_pending *call,
                          uint64_t hint_us);
/* A leader answered: who was told to wait for one waits no more. */
void tenure_calls_served(struct tenure_client *client);
/* To READY, UNNUMBERED or, when its number is dead and it may have happened, ENDING. */
void tenure_call_again(struct tenure_client *client, struct tenure_pending *call);
/* In the next step. Borrows `text` (static). */
void tenure_call_end_soon(struct tenure_client *client, struct tenure_pending *call,
                          enum op_outcome outcome, const char *text);
/* Hands the result over and forgets the call (K3). Takes the result's memory. `reply` may be
 * NULL. */
void tenure_call_end(struct tenure_client *client, struct tenure_pending *call,
                     struct tenure_result *result, const void *reply);
/* The same with an answer of the library's own; a NULL or empty `text` is the outcome's. */
void tenure_call_end_with(struct tenure_client *client, struct tenure_pending *call,
                          enum op_outcome outcome, const char *text);
void tenure_result_message(struct tenure_result *result, struct bytes text);

/* ---- answers (client-lib/answer.c) ---- */

/* A response came in. False: it breaks the protocol, the link has to go. */
bool tenure_calls_response(struct tenure_client *client, const struct op_message *message);

/* ---- registration (client-lib/registration.c) ---- */
void tenure_registration_init(struct tenure_registration *registration);
/* Registers when that is not under way. */
void tenure_registration_need(struct tenure_client *client);
/* Our registration is gone: forgotten by the cluster, or of another incarnation. */
void tenure_registration_lost(struct tenure_client *client, const char *reason);
/* The cluster applied a try of the call, so it has heard of us since that was sent. */
void tenure_registration_heard(struct tenure_client *client, const struct tenure_pending *call);
/* The call ends, and nobody knows what became of it. The registration stays: the next call's
 * `lowest` keeps a late try of this one from being applied behind it. */
void tenure_registration_unsure(struct tenure_client *client, const struct tenure_pending *call);
/* This answer ends the registering at once: there is no room, and one to take back. */
bool tenure_registration_ends(const struct tenure_client *client, const struct tenure_pending *call,
                              enum op_outcome outcome);
/* Registers anew after a silence so long that the cluster may have forgotten us: else the first
 * call after it, when its answer is lost, could never be told for certain. */
void tenure_registration_check(struct tenure_client *client);
/* A number can be given out (K4). */
bool tenure_number_free(struct tenure_client *client);
void tenure_number_give(struct tenure_client *client, struct tenure_pending *call);
void tenure_number_end(struct tenure_client *client, struct tenure_pending *call);
uint64_t tenure_number_lowest(struct tenure_client *client);
/* Its number is of an earlier registration. */
bool tenure_number_dead(const struct tenure_client *client, const struct tenure_pending *call);

void tenure_link_step(struct tenure_client *client); /* connects when somebody needs it */
void tenure_link_send(struct tenure_client *client, struct bytes frame);
/* Drops the connection; `reason` for people. Goes to `link.leader` next when that is known. */
void tenure_link_drop(struct tenure_client *client, const char *reason);
/* Sends nothing new, waits a bounded time for what is open, then drops. Borrows `reason`. */
void tenure_link_leave(struct tenure_client *client, const char *reason, uint64_t wait_us);
void tenure_link_done(struct tenure_client *client);
/* MONO of the link's next own event; UINT64_MAX: none. */
uint64_t tenure_link_due(const struct tenure_client *client);

/* Everything that may be due now: link, then calls. */
void tenure_step(struct tenure_client *client);
/* Jittered exponential back-off, µs: 10 ms doubling to `most_us`, each from its upper half. */
uint64_t tenure_backoff_us(struct tenure_client *client, uint32_t failures, uint64_t most_us);

/* Ends open calls and frees everything but the env. */
void tenure_client_free(struct tenure_client *client);

/* ---- the optional thread (client-lib/thread.c) ---- */

struct tenure_wait {
    void *reply;
    struct tenure_result *result;
    bool ended;
    pthread_cond_t changed; /* with a thread only */
};

void tenure_lock(struct tenure_client *client);
void tenure_unlock(struct tenure_client *client);
bool tenure_on_thread(const struct tenure_client *client);
/* Ends all calls on the thread, waits until every synchronous caller has its answer, joins. */
void tenure_thread_stop(struct tenure_client *client);
/* Locked: waits until the wait has ended, turning the loop when there is no thread that does. */
void tenure_thread_wait(struct tenure_client *client, struct tenure_wait *wait);
void tenure_thread_ended(struct tenure_client *client, struct tenure_wait *wait);
void tenure_thread_wake(struct tenure_client *client);

#endif

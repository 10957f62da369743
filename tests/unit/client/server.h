/* For tests of client-lib: a server that answers what a script tells it, in either world. Proves
 * nothing by itself. */
#ifndef TESTS_UNIT_CLIENT_SERVER_H
#define TESTS_UNIT_CLIENT_SERVER_H

#include "env/net.h"
#include "op/frame.h"

enum { SERVER_CONNECTIONS_MAX = 64, SERVER_FIELDS_MAX = 512, SERVER_METHOD_MAX = 32 };

/* A request as it came, hello apart; the envelope's texts are not kept. */
struct request {
    struct server_end *from;
    uint32_t msgid;
    char method[SERVER_METHOD_MAX];
    const struct op_row *row; /* NULL: no operation */
    struct op_envelope envelope;
    uint8_t fields[SERVER_FIELDS_MAX]; /* the operation's, in stored form */
    size_t fields_size;
};

struct server;

/* One accepted connection. */
struct server_end {
    struct server *server;
    struct env_conn *conn; /* NULL after it was closed */
    uint8_t input[1 << 17];
    size_t input_size;
};

typedef void (*server_script)(struct server *server, const struct request *request);

struct server {
    struct env *env;
    struct env_tls *tls;
    struct env_listener *listener;
    char address[ENV_ADDRESS_MAX];
    /* What the script of a test sets. */
    server_script script; /* NULL: nothing is answered */
    void *arg;
    struct op_hello_reply hello;
    enum op_outcome hello_outcome;
    bool hello_silent;
    bool register_scripted; /* client.register goes to the script too */
    /* What the server saw. */
    unsigned hellos;
    uint64_t silence; /* us: what registering says of it; 0: nothing */
    unsigned registrations;
    unsigned cancels;
    uint32_t cancelled; /* msgid */
    unsigned closed;    /* connections */
    size_t count;       /* requests that went to the script */
    struct request last;
    struct server_end *ends[SERVER_CONNECTIONS_MAX];
    size_t end_count;
};

/* Zeroes all but env and tls, which it takes. Listens on a free port of `host`. */
void server_start(struct server *server, struct env *env, struct env_tls *tls, const char *host);
/* Frees; before the env. The listener has to be closed by server_stop when the env lives on. */
void server_done(struct server *server);
void server_stop(struct server *server);

/* The newest connection that is open; NULL: none. */
struct server_end *server_newest(const struct server *server);
size_t server_open_count(const struct server *server);
void server_write(struct server_end *end, const void *data, size_t size);
void server_goaway(struct server_end *end);
void server_close(struct server_end *end);

/* DONE with the operation's reply; `value` is op's struct. */
void server_done_with(const struct request *request, const void *value);
/* Anything else. `details` may be NULL. */
void server_answer(const struct request *request, enum op_outcome outcome,
                   const struct op_details *details);
void server_not_leader(const struct request *request, const char *leader);
/* A script: the right answer to what these tests ask, about the session that was asked for. */
void server_obey(struct server *server, const struct request *request);

#endif

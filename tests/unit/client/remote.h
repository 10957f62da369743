/* For tests of client-lib on the real world: a scripted server on a thread of its own, with real
 * certificates. Proves nothing by itself. */
#ifndef TESTS_UNIT_CLIENT_REMOTE_H
#define TESTS_UNIT_CLIENT_REMOTE_H

#include <pthread.h>
#include <stdatomic.h>

#include <tenure.h>
#include "tests/unit/client/server.h"

struct remote {
    struct env *env;
    struct server server; /* its thread's alone while that runs */
    pthread_t thread;
    atomic_bool stopping;
    char address[ENV_ADDRESS_MAX];
};

/* Writes ca.pem, server.pem, app.pem and their keys to the working folder. */
void remote_certify(void);
/* Listens, and answers by `script` (which runs on its thread) until remote_stop. */
void remote_start(struct remote *remote, server_script script, void *arg);
/* Joins the thread, then frees; the server's counters stay readable. */
void remote_stop(struct remote *remote);

/* A client of that server with the identity app.pem. */
struct tenure_client *remote_client(const struct remote *remote, uint64_t timeout_us);

/* Counts what happens on one thread for another that waits for it. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
};

#define GATE_INIT {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}
void gate_count(struct gate *gate);
void gate_wait(struct gate *gate, unsigned count);

#endif

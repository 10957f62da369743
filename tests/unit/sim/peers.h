/* For tests of env/sim: a host with certificates, a listener and connections that record all that
 * happens to them. Proves nothing by itself. */
#ifndef TESTS_UNIT_SIM_PEERS_H
#define TESTS_UNIT_SIM_PEERS_H

#include "env/net.h"
#include "env/sim/sim.h"

enum { PEER_BYTES_MAX = 1 << 20 };

/* What one end saw. */
struct peer {
    struct env *env;
    struct env_conn *conn; /* NULL after on_close */
    unsigned opens;
    unsigned closes;
    unsigned drains;
    unsigned deliveries;
    int rc;
    bool inside; /* a callback of it is running */
    bool echoes;
    size_t size;
    size_t smallest; /* delivery */
    size_t largest;
    char identity[ENV_IDENTITY_MAX];
    char detail[256];
    uint8_t data[PEER_BYTES_MAX];
};

/* A host with one process, an identity "tenure://c/t/peer/NAME" of the CA, and a listener. */
struct machine {
    struct sim_host *host;
    struct env *env;
    struct env_tls *tls;
    struct env_listener *listener;
    struct peer *accepted; /* gets what the listener accepts, one after the other */
    unsigned accepts;
    char address[ENV_ADDRESS_MAX];
};

void machine_create(struct sim *sim, struct machine *machine, const char *name, const char *ca);
/* Starts a process on the host again, after a crash and sim_process_free. */
void machine_start(struct machine *machine);
void machine_listen(struct machine *machine, struct peer *accepted, const char *alpn);
void peer_connect(struct peer *peer, struct machine *from, const char *address, const char *alpn);
/* Conditions for sim_run_until; `arg` is a struct peer. */
bool peer_is_open(void *arg);
bool peer_is_closed(void *arg);
/* Both ends open, on seed-drawn delays; asserts it. */
void connect_pair(struct sim *sim, struct machine *client, struct machine *server,
                  struct peer *near, struct peer *far);
/* `size` bytes whose values depend on their place. */
void pattern_fill(uint8_t *buffer, size_t size);

#endif

/* For tests of client-lib: a simulated world with two scripted servers and a client. Proves nothing
 * by itself. */
#ifndef TESTS_UNIT_CLIENT_WORLD_H
#define TESTS_UNIT_CLIENT_WORLD_H

#include "client-lib/internal.h"
#include "env/sim/sim.h"
#include "tests/unit/client/server.h"

enum { WORLD_SERVERS = 2, WORLD_TIMEOUT_US = 2000000 };

struct world {
    struct sim *sim;
    struct sim_host *hosts[WORLD_SERVERS];
    struct server
        servers[WORLD_SERVERS]; /* the first is `server` below, and all that a client knows */
    struct server *server;
    struct sim_host *apps;
    struct env *app;
    struct tenure_client *client;
};

/* What a callback got; `ends` counts, the rest is of the newest. */
struct outcome {
    unsigned ends;
    enum tenure_outcome outcome;
    uint32_t attempts;
    uint64_t watermark; /* of revoke.user, when done */
    struct tenure_id session;
    uint64_t at; /* simulated time */
    bool superseded;
    char message[256];
    char field[64];
    struct world *world;
};

/* For cmocka: `*state` becomes a struct world whose servers answer as server_obey does. */
int world_setup(void **state);
int world_teardown(void **state);

struct tenure_client *world_client(struct world *world, const char *const *servers, size_t count,
                                   bool stay);
/* Closes the world's client and opens one that knows both servers. */
void world_know_both(struct world *world);

tenure_call call_revoke(struct tenure_client *client, struct outcome *outcome);
/* About the session whose id is all `id`. */
tenure_call call_validate(struct tenure_client *client, struct outcome *outcome, uint8_t id);
tenure_call call_touch(struct tenure_client *client, struct outcome *outcome, uint8_t id);
tenure_call call_end(struct tenure_client *client, struct outcome *outcome, uint8_t id);
struct tenure_bytes session_token(uint8_t id, char buffer[128]);

/* Runs until that call has ended (asserts that it does so within 30 s). */
void world_end_of(struct world *world, struct outcome *outcome);
/* Runs until the first server's script has seen so many requests. */
void world_requests(struct world *world, size_t count);
void world_pass(struct world *world, uint64_t us);

#endif

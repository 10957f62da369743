/* The time without an answer when a leader dies. Kills one process of the cluster: its leader, by
 * the id that cluster/local wrote down; starts none.
 */
#include "tests/bench/measures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/one.h"
#include "tests/bench/servers.h"

enum { SLOTS = CROWD_CONNECTIONS, READY_US = 60000000, BEFORE_US = 300000, GIVE_UP_US = 30000000 };

struct failover {
    struct crowd *crowd;
    char token[RUN_TOKEN];
    uint64_t term;      /* of the leader that dies */
    uint64_t killed_us; /* 0: not yet */
    uint64_t write_us;  /* the first answer of a later term; 0: none */
    uint64_t read_us;
    uint64_t acknowledged; /* before the kill */
    uint32_t open;
    bool quiet; /* begin no more calls */
};

struct lane {
    struct failover *failover;
    struct tenure_client *client;
};

/* Each connection has one write and one read outstanding, all the time. */
static void put(struct lane *lane);
static void validate(struct lane *lane);

static bool noted(struct failover *failover, const struct tenure_result *result, uint64_t *first_us)
{
    failover->open--;
    if (result->outcome == TENURE_OK && failover->killed_us == 0) {
        failover->acknowledged++;
    }
    if (result->outcome == TENURE_OK && result->term > failover->term && *first_us == 0) {
        *first_us = crowd_now_us();
    }
    return !failover->quiet;
}

static void on_put(void *arg, const struct tenure_result *result,
                   const struct tenure_state_put_reply *reply)
{
    struct lane *lane = arg;
    (void)reply;
    if (noted(lane->failover, result, &lane->failover->write_us)) {
        put(lane);
    }
}

static void put(struct lane *lane)
{
    lane->failover->open++;
    one_put(lane->client, lane->failover->token, "key", "value", on_put, lane);
}

static void on_validate(void *arg, const struct tenure_result *result,
                        const struct tenure_session_validate_reply *reply)
{
    struct lane *lane = arg;
    (void)reply;
    if (noted(lane->failover, result, &lane->failover->read_us)) {
        validate(lane);
    }
}

static void validate(struct lane *lane)
{
    lane->failover->open++;
    one_validate(lane->client, lane->failover->token, on_validate, lane);
}

static void turn_until(struct failover *failover, uint64_t until_us)
{
    uint64_t now;
    while ((now = crowd_now_us()) < until_us && !failover->crowd->stopped &&
           (failover->write_us == 0 || failover->read_us == 0)) {
        crowd_turn(failover->crowd, until_us - now);
    }
}

static bool play(struct failover *failover)
{
    struct lane lanes[SLOTS];
    for (size_t i = 0; i < SLOTS; i++) {
        lanes[i] = (struct lane){failover, failover->crowd->clients[i]};
        put(&lanes[i]);
        validate(&lanes[i]);
    }
    turn_until(failover, crowd_now_us() + BEFORE_US);
    struct crowd_view view = crowd_look(failover->crowd);
    failover->term = view.term;
    failover->write_us = failover->read_us = 0;
    failover->killed_us = crowd_now_us();
    bool killed = view.serving && servers_kill(failover->crowd->remote.folder, view.leader + 1);
    if (killed) {
        turn_until(failover, failover->killed_us + GIVE_UP_US);
    }
    failover->quiet = true;
    while (failover->open > 0) {
        crowd_turn(failover->crowd, GIVE_UP_US);
    }
    printf("{\"measure\": \"failover\", \"killed\": %zu, \"acknowledged\": %" PRIu64,
           view.leader + 1, failover->acknowledged);
    return killed && failover->write_us != 0 && failover->read_us != 0;
}

bool measure_failover(struct crowd *crowd)
{
    struct failover failover = {.crowd = crowd, .term = UINT64_MAX};
    if (!crowd_await(crowd, REMOTE_ALL, READY_US) ||
        !one_open(crowd->clients[0], "bench-failover", failover.token, NULL)) {
        fprintf(stderr, "tenure-measure: the cluster does not serve\n");
        return false;
    }
    bool fine = play(&failover);
    if (fine) {
        printf(", \"write_us\": %" PRIu64 ", \"read_us\": %" PRIu64,
               failover.write_us - failover.killed_us, failover.read_us - failover.killed_us);
    }
    printf("}\n");
    return fine;
}

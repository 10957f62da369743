/* The time without an answer when a leader dies. Kills one process of the cluster: its leader, by
 * the id that cluster/local wrote down; starts none.
 */
#include "tests/bench/measures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/run.h"
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

static struct tenure_bytes user(void)
{
    return tenure_text("bench");
}

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
    struct tenure_state_put_request request = {.user = user(),
                                               .has_token = true,
                                               .token = tenure_text(lane->failover->token),
                                               .key = tenure_text("key"),
                                               .value = tenure_text("value")};
    lane->failover->open++;
    (void)tenure_state_put_start(lane->client, &request, on_put, lane);
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
    struct tenure_session_validate_request request = {.user = user(),
                                                      .token = tenure_text(lane->failover->token)};
    lane->failover->open++;
    (void)tenure_session_validate_start(lane->client, &request, on_validate, lane);
}

static bool open_session(struct failover *failover)
{
    struct tenure_session_create_request request = {
        .user = user(),
        .agent = tenure_text("bench-failover"),
        .idle = UINT64_C(3600000000),
        .absolute = UINT64_C(3600000000),
        .has_grants = true,
        .grants_count = 1,
        .grants = {{.permission = tenure_text("state:write")}},
    };
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    bool opened = tenure_session_create(failover->crowd->clients[0], &request, &reply, &result) ==
                  TENURE_OK;
    if (opened) {
        (void)snprintf(failover->token, sizeof(failover->token), "%.*s", (int)reply.token.size,
                       (const char *)reply.token.data);
    } else {
        fprintf(stderr, "tenure-measure: %s: %s\n", tenure_outcome_name(result.outcome),
                result.message);
    }
    tenure_result_done(&result);
    return opened;
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
    if (!crowd_await(crowd, REMOTE_ALL, READY_US) || !open_session(&failover)) {
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

/* F-01, F-13, F-32, F-60, F-64: handlers that race with one another mix nothing up, lose nothing,
 * and bring nothing back to life. Rates are not limited here.
 */
#include "tests/acceptance/stage.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLERS = 8, ROUNDS = 40, TIMEOUT_US = 30000000 };

/* One handler: a thread, with a client of its own or with all others on one. */
struct handler {
    struct stage *stage;
    struct tenure_client *client;
    struct stage_session session;
    pthread_t thread;
    size_t index;
    uint64_t count; /* of what the row counts */
    struct tenure_id ids[ROUNDS];
    uint64_t epochs[ROUNDS];
    char complaint[256]; /* what went wrong first */
};

static void run_all(struct stage *stage, struct handler handlers[HANDLERS], void *(*work)(void *))
{
    for (size_t i = 0; i < HANDLERS; i++) {
        handlers[i].stage = stage;
        handlers[i].index = i;
        if (pthread_create(&handlers[i].thread, NULL, work, &handlers[i]) != 0) {
            abort();
        }
    }
    for (size_t i = 0; i < HANDLERS; i++) {
        (void)pthread_join(handlers[i].thread, NULL);
        EXPECT(stage, handlers[i].complaint[0] == '\0', "handler %zu: %s", i,
               handlers[i].complaint);
    }
}

static void open_clients(struct stage *stage, struct handler handlers[HANDLERS])
{
    for (size_t i = 0; i < HANDLERS; i++) {
        handlers[i].client = remote_client(&stage->remote, i % 2 == 0 ? "client" : "second",
                                           REMOTE_ALL, NULL, TIMEOUT_US);
    }
}

static void close_clients(struct handler handlers[HANDLERS])
{
    for (size_t i = 0; i < HANDLERS; i++) {
        tenure_close(handlers[i].client);
    }
}

static void complain(struct handler *handler, const char *what, const char *detail)
{
    if (handler->complaint[0] == '\0') {
        (void)snprintf(handler->complaint, sizeof(handler->complaint), "%s: %.200s", what, detail);
    }
}

/* ---- one counter, many handlers: no update is lost ---- */

/* Reads the counter, and writes one more if nobody else did meanwhile. */
static bool add_one(struct handler *handler)
{
    const struct tenure_state_get_request get = {.user = tenure_text(handler->session.user),
                                                 .has_token = true,
                                                 .token = tenure_text(handler->session.token),
                                                 .key = tenure_text("counter")};
    struct tenure_state_get_reply got;
    struct tenure_state_put_reply put;
    struct tenure_result result;
    char text[32] = "0";
    if (tenure_state_get(handler->client, &get, &got, &result) != TENURE_OK) {
        complain(handler, "get", result.message);
    } else if (got.value.size > 0 && got.value.size < sizeof(text)) {
        memcpy(text, got.value.data, got.value.size);
        text[got.value.size] = '\0';
    }
    uint64_t version = got.version, value = strtoull(text, NULL, 10);
    tenure_result_done(&result);
    (void)snprintf(text, sizeof(text), "%" PRIu64, value + 1);
    const struct tenure_state_put_request request = {.user = get.user,
                                                     .has_token = true,
                                                     .token = get.token,
                                                     .key = get.key,
                                                     .value = tenure_text(text),
                                                     .has_expected = true,
                                                     .expected = version};
    enum tenure_outcome outcome = tenure_state_put(handler->client, &request, &put, &result);
    if (outcome != TENURE_OK && outcome != TENURE_CONFLICT) {
        complain(handler, "put", result.message);
    }
    tenure_result_done(&result);
    return outcome == TENURE_OK;
}

static void *count_up(void *arg)
{
    struct handler *handler = arg;
    for (size_t i = 0; i < ROUNDS; i++) {
        handler->count += add_one(handler);
    }
    return NULL;
}

static void no_update_is_lost(struct stage *stage)
{
    static struct handler handlers[HANDLERS];
    struct stage_session session;
    char value[STAGE_VALUE];
    uint64_t added = 0;
    open_clients(stage, handlers);
    stage_open(stage, stage->client, "alice", &session);
    for (size_t i = 0; i < HANDLERS; i++) {
        handlers[i].session = session;
    }
    run_all(stage, handlers, count_up);
    for (size_t i = 0; i < HANDLERS; i++) {
        added += handlers[i].count;
    }
    EXPECT(stage, stage_get(stage->client, &session, "counter", value) == TENURE_OK, "it is read");
    EXPECT(stage, strtoull(value, NULL, 10) == added, "%s after %" PRIu64 " additions", value,
           added);
    EXPECT(stage, added > 0 && added < HANDLERS * ROUNDS, "%" PRIu64 " of %d: no race", added,
           HANDLERS * ROUNDS);
    close_clients(handlers);
}

/* ---- creating at once: each gets one of its own ---- */

static void *create_many(void *arg)
{
    struct handler *handler = arg;
    const struct tenure_session_create_request request = {.user = tenure_text("alice"),
                                                          .agent = tenure_text("agent"),
                                                          .idle = STAGE_HOUR,
                                                          .absolute = STAGE_HOUR};
    for (size_t i = 0; i < ROUNDS; i++) {
        enum tenure_outcome outcome = stage_create(handler->client, &request, &handler->session);
        if (outcome != TENURE_OK) {
            complain(handler, "create", tenure_outcome_name(outcome));
        }
        handler->ids[i] = handler->session.id;
        handler->epochs[i] = handler->session.epoch;
    }
    return NULL;
}

static void each_gets_its_own(struct stage *stage)
{
    static struct handler handlers[HANDLERS];
    open_clients(stage, handlers);
    run_all(stage, handlers, create_many);
    for (size_t a = 0; a < HANDLERS * ROUNDS; a++) {
        const struct handler *one = &handlers[a / ROUNDS];
        for (size_t b = 0; b < a; b++) {
            const struct handler *other = &handlers[b / ROUNDS];
            EXPECT(stage,
                   memcmp(&one->ids[a % ROUNDS], &other->ids[b % ROUNDS], sizeof(one->ids[0])) !=
                           0 &&
                       one->epochs[a % ROUNDS] != other->epochs[b % ROUNDS],
                   "creations %zu and %zu are one session", a, b);
        }
    }
    close_clients(handlers);
}

/* ---- many callers on one connection: each hears of its own session ---- */

static void *own_context(void *arg)
{
    struct handler *handler = arg;
    char user[32], value[32], got[STAGE_VALUE];
    (void)snprintf(user, sizeof(user), "user-%zu", handler->index);
    stage_open(handler->stage, handler->client, user, &handler->session);
    for (size_t i = 0; i < ROUNDS; i++) {
        (void)snprintf(value, sizeof(value), "%zu-%zu", handler->index, i);
        if (stage_put(handler->client, &handler->session, "mine", value) != TENURE_OK ||
            stage_get(handler->client, &handler->session, "mine", got) != TENURE_OK) {
            complain(handler, "a call failed", value);
        } else if (strcmp(value, got) != 0) {
            complain(handler, value, got);
        }
    }
    return NULL;
}

static void each_hears_of_its_own(struct stage *stage)
{
    static struct handler handlers[HANDLERS];
    struct tenure_client *shared = remote_client(&stage->remote, "client", REMOTE_ALL, NULL,
                                                 TIMEOUT_US);
    EXPECT(stage, tenure_start_thread(shared), "no thread");
    for (size_t i = 0; i < HANDLERS; i++) {
        handlers[i].client = shared;
    }
    run_all(stage, handlers, own_context);
    tenure_close(shared);
}

/* ---- two libraries in one process know nothing of each other ---- */

static void nothing_is_shared(struct stage *stage)
{
    struct tenure_client *own = remote_client(&stage->remote, "client", REMOTE_ALL, NULL,
                                              TIMEOUT_US);
    struct stage_session alice;
    char value[STAGE_VALUE];
    stage_open(stage, own, "alice", &alice);
    EXPECT(stage, stage_put(own, &alice, "key", "before") == TENURE_OK, "she writes");
    EXPECT(stage, stage_get(stage->second, &alice, "key", value) == TENURE_OK, "another reads");
    EXPECT(stage, stage_put(stage->second, &alice, "key", "after") == TENURE_OK, "and writes");
    EXPECT(stage, stage_get(own, &alice, "key", value) == TENURE_OK, "she reads");
    EXPECT(stage, strcmp(value, "after") == 0, "she has \"%s\": a memory of its own", value);
    EXPECT(stage, stage_end(stage->second, &alice) == TENURE_OK, "another ends it");
    EXPECT(stage, stage_validate(own, &alice) == TENURE_ENDED, "she hears of it at once");
    tenure_close(own);
}

/* ---- a late save against the end (connect-redis#328, express-session#632) ---- */

/* Saves until it is told that the session is over; counts what was saved. */
static void *save_on(void *arg)
{
    struct handler *handler = arg;
    enum tenure_outcome outcome;
    char value[32];
    do {
        (void)snprintf(value, sizeof(value), "%zu-%" PRIu64, handler->index, handler->count);
        outcome = stage_put(handler->client, &handler->session, "saved", value);
        handler->count += outcome == TENURE_OK;
    } while (outcome == TENURE_OK);
    if (outcome != TENURE_ENDED) {
        complain(handler, "a late save", tenure_outcome_name(outcome));
    }
    return NULL;
}

/* The first handler ends the session when it has saved something itself. */
static void *save_or_end(void *arg)
{
    struct handler *handler = arg;
    if (handler->index != 0) {
        return save_on(arg);
    }
    enum tenure_outcome outcome = TENURE_OK;
    for (size_t i = 0; i < ROUNDS && outcome == TENURE_OK; i++) {
        outcome = stage_put(handler->client, &handler->session, "saved", "0");
    }
    outcome = stage_end(handler->client, &handler->session);
    if (outcome != TENURE_OK) {
        complain(handler, "end", tenure_outcome_name(outcome));
    }
    if (stage_put(handler->client, &handler->session, "saved", "late") != TENURE_ENDED) {
        complain(handler, "end", "a save after it");
    }
    return NULL;
}

static void ended_stays_ended(struct stage *stage)
{
    static struct handler handlers[HANDLERS];
    struct stage_session before, after;
    char value[STAGE_VALUE];
    open_clients(stage, handlers);
    stage_open(stage, stage->client, "alice", &before);
    for (size_t i = 0; i < HANDLERS; i++) {
        handlers[i].session = before;
        handlers[i].count = 0;
    }
    run_all(stage, handlers, save_or_end);
    stage_open(stage, stage->client, "alice", &after);
    EXPECT(stage, after.epoch > before.epoch, "the next login is a new session");
    EXPECT(stage, stage_get(stage->client, &after, "saved", value) == TENURE_OK && value[0] == '\0',
           "it begins with \"%s\"", value);
    EXPECT(stage, stage_validate(stage->client, &before) == TENURE_ENDED, "ended");
    EXPECT(stage, stage_get(stage->client, &before, "saved", value) == TENURE_ENDED, "gone");
    EXPECT(stage, stage_end(stage->client, &before) == TENURE_ENDED, "and ended once only");
    close_clients(handlers);
}

int main(int argc, char **argv)
{
    static const struct stage_row rows[] = {
        {"F-13", "racing updates of one key: none is lost", no_update_is_lost},
        {"F-13", "racing logins: each gets a session of its own", each_gets_its_own},
        {"F-01 F-32", "callers on one connection: each hears of its own session",
         each_hears_of_its_own},
        {"F-60", "two clients in one process: no memory that is stale", nothing_is_shared},
        {"F-64", "saves that race with the end bring nothing back", ended_stays_ended},
    };
    return stage_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}

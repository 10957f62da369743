/* The calls that a measured run makes, one function for each kind. Times nothing (run.c). */
#include "tests/bench/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METADATA_MAX = 4096, KEYS = 4, OF_MIX = 100 };

#define LIFE_US UINT64_C(86400000000)

/* ---- sessions ---- */

static void keep(struct run_sessions *sessions, uint32_t user,
                 const struct tenure_session_create_reply *reply)
{
    if (sessions->count == sessions->capacity) {
        sessions->capacity = 2 * sessions->capacity + 1024;
        sessions->all = realloc(sessions->all, sessions->capacity * sizeof(*sessions->all));
        if (sessions->all == NULL) {
            fprintf(stderr, "tenure-bench: out of memory\n");
            exit(EXIT_FAILURE);
        }
    }
    struct run_session *session = &sessions->all[sessions->count++];
    session->id = reply->session;
    session->user = user;
    (void)snprintf(session->token, sizeof(session->token), "%.*s", (int)reply->token.size,
                   (const char *)reply->token.data);
}

static struct tenure_bytes user_name(uint32_t user, char text[RUN_NAME])
{
    (void)snprintf(text, RUN_NAME, "bench-%u", user);
    return tenure_text(text);
}

/* Of the pool, one after the other. */
static const struct run_session *of_pool(const struct run *run, uint64_t turn)
{
    const struct run_sessions *pool = &run->pool;
    return pool->count == 0 ? NULL : &pool->all[turn % pool->count];
}

/* ---- create ---- */

static void on_create(void *arg, const struct tenure_result *result,
                      const struct tenure_session_create_reply *reply)
{
    struct run_slot *slot = arg;
    if (reply != NULL && slot->run->keep) {
        keep(&slot->run->victims, slot->user, reply);
    }
    run_ended(slot, result, false);
}

static bool start_create(struct run_slot *slot)
{
    static const uint8_t metadata[METADATA_MAX];
    struct run *run = slot->run;
    char user[RUN_NAME];
    slot->user = (uint32_t)(run->counters.started / RUN_SESSIONS_PER_USER);
    struct tenure_session_create_request request = {
        .user = user_name(slot->user, user),
        .agent = tenure_text(run->agent),
        .idle = run->idle_us,
        .absolute = LIFE_US,
        .has_grants = true,
        .grants_count = 1,
        .grants = {{.permission = tenure_text("state:write")}},
        .has_metadata = run->metadata > 0,
        .metadata = {metadata, run->metadata},
    };
    return tenure_session_create_start(slot->client, &request, on_create, slot) != 0;
}

/* ---- validate ---- */

static void on_validate(void *arg, const struct tenure_result *result,
                        const struct tenure_session_validate_reply *reply)
{
    (void)reply;
    run_ended(arg, result, false);
}

static bool start_validate(struct run_slot *slot)
{
    const struct run_session *session = of_pool(slot->run, slot->run->counters.started);
    char user[RUN_NAME];
    if (session == NULL) {
        return false;
    }
    struct tenure_session_validate_request request = {.user = user_name(session->user, user),
                                                      .token = tenure_text(session->token)};
    return tenure_session_validate_start(slot->client, &request, on_validate, slot) != 0;
}

/* ---- touch ---- */

static void on_touch(void *arg, const struct tenure_result *result,
                     const struct tenure_session_touch_reply *reply)
{
    run_ended(arg, result, reply != NULL && !reply->written);
}

static bool start_touch(struct run_slot *slot)
{
    const struct run_session *session = of_pool(slot->run, slot->run->pool.first++);
    char user[RUN_NAME];
    if (session == NULL) {
        return false;
    }
    struct tenure_session_touch_request request = {.user = user_name(session->user, user),
                                                   .token = tenure_text(session->token)};
    return tenure_session_touch_start(slot->client, &request, on_touch, slot) != 0;
}

/* ---- state_put ---- */

static void on_put(void *arg, const struct tenure_result *result,
                   const struct tenure_state_put_reply *reply)
{
    (void)reply;
    run_ended(arg, result, false);
}

static bool start_put(struct run_slot *slot)
{
    static const char value[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const struct run_session *session = of_pool(slot->run, slot->run->counters.started);
    char key[RUN_NAME], user[RUN_NAME];
    if (session == NULL) {
        return false;
    }
    uint64_t turn = slot->run->counters.started / slot->run->pool.count;
    (void)snprintf(key, sizeof(key), "key-%u", (unsigned)(turn % KEYS));
    struct tenure_state_put_request request = {.user = user_name(session->user, user),
                                               .has_token = true,
                                               .token = tenure_text(session->token),
                                               .key = tenure_text(key),
                                               .value = tenure_text(value)};
    return tenure_state_put_start(slot->client, &request, on_put, slot) != 0;
}

/* ---- revoke ---- */

static void on_revoke(void *arg, const struct tenure_result *result,
                      const struct tenure_session_revoke_reply *reply)
{
    (void)reply;
    run_ended(arg, result, false);
}

static bool start_revoke(struct run_slot *slot)
{
    struct run_sessions *victims = &slot->run->victims;
    char user[RUN_NAME];
    if (victims->first == victims->count) {
        return false;
    }
    const struct run_session *session = &victims->all[victims->first++];
    struct tenure_session_revoke_request request = {.user = user_name(session->user, user),
                                                    .session = session->id};
    return tenure_session_revoke_start(slot->client, &request, on_revoke, slot) != 0;
}

/* ---- mix: 90 % validate, 8 % touch, 1 % create, 1 % revoke ---- */

static enum run_kind of_mix(uint64_t number)
{
    uint64_t place = number % OF_MIX;
    if (place == 25) {
        return RUN_CREATE;
    }
    if (place == 75) {
        return RUN_REVOKE;
    }
    return place % 12 == 6 && place < 96 ? RUN_TOUCH : RUN_VALIDATE;
}

bool call_start(struct run_slot *slot, enum run_kind kind)
{
    switch (kind) {
    case RUN_CREATE:
        return start_create(slot);
    case RUN_VALIDATE:
        return start_validate(slot);
    case RUN_TOUCH:
        return start_touch(slot);
    case RUN_STATE_PUT:
        return start_put(slot);
    case RUN_REVOKE:
        return start_revoke(slot);
    case RUN_MIX:
        return call_start(slot, of_mix(slot->run->counters.started));
    }
    return false;
}

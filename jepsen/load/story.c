/* What most workloads do: sessions, values, tasks. By lane.h's calls alone. */
#include "jepsen/load/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_LONG = 8000, VALUE_LONG_PERCENT = 40 };

void lane_user(struct lane *lane, const char *name, char ret_user[LANE_NAME])
{
    (void)snprintf(ret_user, LANE_NAME, "%s-%" PRIu32 "-%" PRIu32, name, lane->index, lane->count);
}

bool lane_take_token(char to[LANE_TOKEN], bool has, struct tenure_bytes token)
{
    if (!has || token.size >= LANE_TOKEN) {
        return false;
    }
    memcpy(to, token.data, token.size);
    to[token.size] = '\0';
    return true;
}

bool lane_open(struct lane *lane, const char *user, uint64_t idle_us, uint64_t absolute_us,
               struct lane_session *ret_session)
{
    struct load *load = lane->load;
    const struct tenure_session_create_request request = {
        .user = tenure_text(user),
        .agent = tenure_text("agent"),
        .idle = idle_us,
        .absolute = absolute_us,
        .has_grants = true,
        .grants = {{.permission = tenure_text("state:write")},
                   {.permission = tenure_text("task:begin")},
                   {.permission = tenure_text("task:user")},
                   {.permission = tenure_text("task:adopt")}},
        .grants_count = 4};
    struct lane_session session = {.epoch = 0};
    if (lane_call(lane, OP_session_create, &request)->outcome != TENURE_OK) {
        return false;
    }
    const struct tenure_session_create_reply *reply = lane_reply(lane);
    (void)snprintf(session.user, sizeof session.user, "%s", user);
    session.id = reply->session;
    session.epoch = reply->epoch;
    if (!lane_take_token(session.token, reply->has_token, reply->token)) {
        return false;
    }
    load->remembered[load->remembered_count++ % LOAD_REMEMBERED] = session;
    *ret_session = session;
    return true;
}

static struct tenure_bytes key_of(char text[16], unsigned key)
{
    (void)snprintf(text, 16, "key-%u", key % LANE_KEYS);
    return tenure_text(text);
}

/* Some are long, so that the log gathers what a snapshot is due for within seconds. */
static struct tenure_bytes value_of(struct lane *lane, char text[VALUE_LONG + 1])
{
    int size = snprintf(text, 48, "%" PRIu32 ".%" PRIu64, lane->load->proc, ++lane->load->values);
    if (lane_chance(lane, VALUE_LONG_PERCENT)) {
        memset(text + size, '.', (size_t)(VALUE_LONG - size));
        text[VALUE_LONG] = '\0';
    }
    return tenure_text(text);
}

enum tenure_outcome lane_put(struct lane *lane, const struct lane_session *session, unsigned key)
{
    char key_text[16], value_text[VALUE_LONG + 1];
    const struct tenure_state_put_request request = {.user = tenure_text(session->user),
                                                     .has_token = true,
                                                     .token = tenure_text(session->token),
                                                     .key = key_of(key_text, key),
                                                     .value = value_of(lane, value_text)};
    return lane_call(lane, OP_state_put, &request)->outcome;
}

enum tenure_outcome lane_put_fenced(struct lane *lane, const char *user, const char *fence,
                                    struct tenure_id session, uint64_t operation, unsigned key)
{
    char key_text[16], value_text[VALUE_LONG + 1];
    const struct tenure_state_put_request request = {.user = tenure_text(user),
                                                     .has_fence = true,
                                                     .fence = tenure_text(fence),
                                                     .has_session = true,
                                                     .session = session,
                                                     .has_operation = true,
                                                     .operation = operation,
                                                     .key = key_of(key_text, key),
                                                     .value = value_of(lane, value_text)};
    return lane_call(lane, OP_state_put, &request)->outcome;
}

enum tenure_outcome lane_get(struct lane *lane, const struct lane_session *session, unsigned key)
{
    char key_text[16];
    const struct tenure_state_get_request request = {.user = tenure_text(session->user),
                                                     .has_token = true,
                                                     .token = tenure_text(session->token),
                                                     .key = key_of(key_text, key)};
    return lane_call(lane, OP_state_get, &request)->outcome;
}

/* Their requests all begin with user and token, and need no more. */
static struct tenure_session_validate_request asked(const struct lane_session *session)
{
    _Static_assert(sizeof(struct tenure_session_validate_request) >=
                           sizeof(struct tenure_session_end_request) &&
                       sizeof(struct tenure_session_validate_request) >=
                           sizeof(struct tenure_session_touch_request) &&
                       sizeof(struct tenure_session_validate_request) >=
                           sizeof(struct tenure_session_get_request) &&
                       sizeof(struct tenure_session_validate_request) >=
                           sizeof(struct tenure_grant_list_request),
                   "one list, and its beginning");
    return (struct tenure_session_validate_request){.user = tenure_text(session->user),
                                                    .token = tenure_text(session->token)};
}

enum tenure_outcome lane_ask(struct lane *lane, const struct lane_session *session,
                             enum op_number number)
{
    const struct tenure_session_validate_request request = asked(session);
    return lane_call(lane, number, &request)->outcome;
}

void lane_ask_start(struct lane *lane, const struct lane_session *session, enum op_number number)
{
    const struct tenure_session_validate_request request = asked(session);
    lane_start(lane, number, &request);
}

bool lane_begin_task(struct lane *lane, const struct lane_session *session,
                     enum tenure_task_scope scope, uint64_t ttl_us, struct tenure_id *ret_task)
{
    const struct tenure_task_begin_request request = {.user = tenure_text(session->user),
                                                      .has_token = true,
                                                      .token = tenure_text(session->token),
                                                      .kind = tenure_text("work"),
                                                      .scope = scope,
                                                      .ttl = ttl_us};
    if (lane_call(lane, OP_task_begin, &request)->outcome != TENURE_OK) {
        return false;
    }
    *ret_task = ((const struct tenure_task_begin_reply *)lane_reply(lane))->task;
    return true;
}

/* The calls of one.h. */
#include "tests/bench/one.h"

#include <stdio.h>

static const char user[] = "bench";

bool one_open(struct tenure_client *client, const char *agent, char ret_token[RUN_TOKEN],
              uint64_t *ret_clock)
{
    struct tenure_session_create_request request = {
        .user = tenure_text(user),
        .agent = tenure_text(agent),
        .idle = UINT64_C(3600000000),
        .absolute = UINT64_C(3600000000),
        .has_grants = true,
        .grants_count = 1,
        .grants = {{.permission = tenure_text("state:write")}},
    };
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    bool opened = tenure_session_create(client, &request, &reply, &result) == TENURE_OK;
    if (opened) {
        (void)snprintf(ret_token, RUN_TOKEN, "%.*s", (int)reply.token.size,
                       (const char *)reply.token.data);
        if (ret_clock != NULL) {
            *ret_clock = result.clock;
        }
    } else {
        fprintf(stderr, "tenure-measure: %s: %s\n", tenure_outcome_name(result.outcome),
                result.message);
    }
    tenure_result_done(&result);
    return opened;
}

void one_put(struct tenure_client *client, const char *token, const char *key, const char *value,
             tenure_state_put_cb callback, void *arg)
{
    struct tenure_state_put_request request = {.user = tenure_text(user),
                                               .has_token = true,
                                               .token = tenure_text(token),
                                               .key = tenure_text(key),
                                               .value = tenure_text(value)};
    (void)tenure_state_put_start(client, &request, callback, arg);
}

void one_get(struct tenure_client *client, const char *token, const char *key,
             tenure_state_get_cb callback, void *arg)
{
    struct tenure_state_get_request request = {.user = tenure_text(user),
                                               .has_token = true,
                                               .token = tenure_text(token),
                                               .key = tenure_text(key)};
    (void)tenure_state_get_start(client, &request, callback, arg);
}

void one_validate(struct tenure_client *client, const char *token,
                  tenure_session_validate_cb callback, void *arg)
{
    struct tenure_session_validate_request request = {.user = tenure_text(user),
                                                      .token = tenure_text(token)};
    (void)tenure_session_validate_start(client, &request, callback, arg);
}

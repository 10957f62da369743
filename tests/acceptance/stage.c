/* Calls and the table that the themes of this folder share. */
#include "tests/acceptance/stage.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_US = 30000000 };

void stage_fail(struct stage *stage, const char *file, int line, const char *condition,
                const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("%s:%d: %s: ", file, line, condition);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    stage->failed++;
}

int stage_main(int argc, char **argv, const struct stage_row *rows, size_t count)
{
    struct stage stage = {.failed = 0};
    unsigned failed = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    remote_read(&stage.remote, argv[1]);
    stage.client = remote_client(&stage.remote, "client", REMOTE_ALL, NULL, TIMEOUT_US);
    stage.second = remote_client(&stage.remote, "second", REMOTE_ALL, NULL, TIMEOUT_US);
    stage.stranger = remote_client(&stage.remote, "stranger", REMOTE_ALL, NULL, TIMEOUT_US);
    for (size_t i = 0; i < count; i++) {
        stage.failed = 0;
        rows[i].play(&stage);
        printf("%s %s: %s\n", stage.failed == 0 ? "ok    " : "FAILED", rows[i].rows, rows[i].law);
        failed += stage.failed;
    }
    tenure_close(stage.client);
    tenure_close(stage.second);
    tenure_close(stage.stranger);
    return failed == 0 && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- calls ---- */

void stage_keep(char to[STAGE_TOKEN], struct tenure_bytes text)
{
    to[0] = '\0';
    if (text.size > 0 && text.size < STAGE_TOKEN) {
        memcpy(to, text.data, text.size);
        to[text.size] = '\0';
    }
}

enum tenure_outcome stage_create(struct tenure_client *client,
                                 const struct tenure_session_create_request *request,
                                 struct stage_session *ret_session)
{
    struct tenure_result result;
    struct tenure_session_create_reply reply;
    enum tenure_outcome outcome = tenure_session_create(client, request, &reply, &result);
    if (outcome == TENURE_OK) {
        *ret_session = (struct stage_session){
            .id = reply.session, .epoch = reply.epoch, .time = result.time};
        stage_keep(ret_session->token, reply.token);
        (void)snprintf(ret_session->user, sizeof(ret_session->user), "%.*s",
                       (int)request->user.size, (const char *)request->user.data);
    }
    tenure_result_done(&result);
    return outcome;
}

void stage_open(struct stage *stage, struct tenure_client *client, const char *user,
                struct stage_session *ret_session)
{
    const struct tenure_session_create_request request = {
        .user = tenure_text(user),
        .agent = tenure_text("agent"),
        .idle = STAGE_HOUR,
        .absolute = 24 * STAGE_HOUR,
        .has_grants = true,
        .grants = {{.permission = tenure_text("state:write")},
                   {.permission = tenure_text("task:begin")},
                   {.permission = tenure_text("task:user")}},
        .grants_count = 3};
    enum tenure_outcome outcome = stage_create(client, &request, ret_session);
    EXPECT(stage, outcome == TENURE_OK, "%s", tenure_outcome_name(outcome));
}

enum tenure_outcome stage_validate(struct tenure_client *client,
                                   const struct stage_session *session)
{
    const struct tenure_session_validate_request request = {.user = tenure_text(session->user),
                                                            .token = tenure_text(session->token)};
    struct tenure_session_validate_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_validate(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

enum tenure_outcome stage_end(struct tenure_client *client, const struct stage_session *session)
{
    const struct tenure_session_end_request request = {.user = tenure_text(session->user),
                                                       .token = tenure_text(session->token)};
    struct tenure_session_end_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_end(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

enum tenure_outcome stage_put(struct tenure_client *client, const struct stage_session *session,
                              const char *key, const char *value)
{
    const struct tenure_state_put_request request = {.user = tenure_text(session->user),
                                                     .has_token = true,
                                                     .token = tenure_text(session->token),
                                                     .key = tenure_text(key),
                                                     .value = tenure_text(value)};
    struct tenure_state_put_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_state_put(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

enum tenure_outcome stage_get(struct tenure_client *client, const struct stage_session *session,
                              const char *key, char ret_value[STAGE_VALUE])
{
    const struct tenure_state_get_request request = {.user = tenure_text(session->user),
                                                     .has_token = true,
                                                     .token = tenure_text(session->token),
                                                     .key = tenure_text(key)};
    struct tenure_result result;
    struct tenure_state_get_reply reply;
    enum tenure_outcome outcome = tenure_state_get(client, &request, &reply, &result);
    (void)snprintf(ret_value, STAGE_VALUE, "%.*s", (int)reply.value.size,
                   reply.value.size == 0 ? "" : (const char *)reply.value.data);
    tenure_result_done(&result);
    return outcome;
}

enum tenure_outcome stage_check(struct tenure_client *client, const struct stage_session *session,
                                const char *permission)
{
    const struct tenure_permission_check_request request = {.user = tenure_text(session->user),
                                                            .token = tenure_text(session->token),
                                                            .permission = tenure_text(permission)};
    struct tenure_permission_check_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_permission_check(client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

/* What cannot be asked is refused as INVALID, with the field's name, before anything is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/client/world.h"

static void assert_refused(struct world *world, const struct tenure_result *result,
                           const char *field)
{
    assert_int_equal(result->outcome, TENURE_INVALID);
    assert_true(result->details.has_field);
    assert_int_equal(result->details.field.size, strlen(field));
    assert_memory_equal(result->details.field.data, field, strlen(field));
    assert_non_null(strstr(result->message, field));
    assert_int_equal(result->attempts, 0);
    assert_int_equal(world->server->end_count, 0); /* it did not even connect */
}

static void assert_user_refused(struct world *world, const char *user)
{
    struct tenure_revoke_user_request request = {.user = tenure_text(user)};
    struct tenure_revoke_user_reply reply;
    struct tenure_result result;
    tenure_revoke_user(world->client, &request, &reply, &result);
    assert_refused(world, &result, "user");
    tenure_result_done(&result);
}

static void test_texts(void **state)
{
    struct world *world = *state;
    char longest[OP_NAME_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[OP_NAME_MAX + 1] = '\0';
    assert_user_refused(world, longest);
    assert_user_refused(world, "");
    assert_user_refused(world, "a\nb");
    assert_user_refused(world, "\xff");
    longest[OP_NAME_MAX] = '\0'; /* the longest that is allowed goes through */
    struct tenure_revoke_user_request request = {.user = tenure_text(longest)};
    struct tenure_revoke_user_reply reply;
    struct tenure_result result;
    assert_int_equal(tenure_revoke_user(world->client, &request, &reply, &result), TENURE_OK);
}

static void assert_token_refused(struct world *world, struct tenure_bytes token)
{
    struct tenure_session_validate_request request = {.user = tenure_text("alice"), .token = token};
    struct tenure_session_validate_reply reply;
    struct tenure_result result;
    tenure_session_validate(world->client, &request, &reply, &result);
    assert_refused(world, &result, "token");
    tenure_result_done(&result);
}

static void test_tokens(void **state)
{
    struct world *world = *state;
    char text[128];
    struct tenure_bytes token = session_token(1, text);
    assert_token_refused(world, tenure_text(""));
    assert_token_refused(world, (struct tenure_bytes){NULL, 0});
    assert_token_refused(world, tenure_text("tn1_"));
    assert_token_refused(world, tenure_text("password"));
    assert_token_refused(world, (struct tenure_bytes){token.data, token.size - 1});
    text[0] = 'T';
    assert_token_refused(world, token);
    text[0] = 't';
    text[20] ^= 1; /* the checksum */
    assert_token_refused(world, token);
}

static void assert_list_refused(struct world *world, uint32_t count)
{
    struct tenure_session_create_request request = {.user = tenure_text("alice"),
                                                    .agent = tenure_text("agent"),
                                                    .has_grants = true,
                                                    .grants_count = count};
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    for (size_t i = 0; i < 64; i++) {
        request.grants[i].permission = tenure_text("state:write");
    }
    tenure_session_create(world->client, &request, &reply, &result);
    assert_refused(world, &result, "grants");
    tenure_result_done(&result);
}

static void test_lists(void **state)
{
    struct world *world = *state;
    assert_list_refused(world, 65);
    assert_list_refused(world, UINT32_MAX);
    struct tenure_session_create_request request = {.user = tenure_text("alice"),
                                                    .agent = tenure_text("agent"),
                                                    .has_grants = true,
                                                    .grants_count = 2};
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    request.grants[0].permission = tenure_text("state:write");
    request.grants[1].permission = tenure_text(""); /* in an item */
    tenure_session_create(world->client, &request, &reply, &result);
    assert_refused(world, &result, "permission");
    tenure_result_done(&result);
}

static void test_blobs(void **state)
{
    struct world *world = *state;
    static uint8_t large[65537];
    char text[128];
    struct tenure_state_put_request request = {.user = tenure_text("alice"),
                                               .has_token = true,
                                               .token = session_token(1, text),
                                               .key = tenure_text("k"),
                                               .value = {large, sizeof(large)}};
    struct tenure_state_put_reply reply;
    struct tenure_result result;
    tenure_state_put(world->client, &request, &reply, &result);
    assert_refused(world, &result, "value");
    tenure_result_done(&result);
}

static void test_enumerations(void **state)
{
    struct world *world = *state;
    char text[128];
    struct tenure_task_begin_request request = {.user = tenure_text("alice"),
                                                .has_token = true,
                                                .token = session_token(1, text),
                                                .kind = tenure_text("mail"),
                                                .ttl = 1};
    struct tenure_task_begin_reply reply;
    struct tenure_result result;
    tenure_task_begin(world->client, &request, &reply, &result); /* 0 is never a value */
    assert_refused(world, &result, "scope");
    tenure_result_done(&result);
    request.scope = 3;
    tenure_task_begin(world->client, &request, &reply, &result);
    assert_refused(world, &result, "scope");
    tenure_result_done(&result);
}

static void note_refusal(void *arg, const struct tenure_result *result,
                         const struct tenure_revoke_user_reply *reply)
{
    struct outcome *outcome = arg;
    assert_null(reply);
    outcome->ends++;
    assert_refused(outcome->world, result, "user");
}

static void test_asynchronous_calls_learn_it_in_their_callback(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {.world = world};
    struct tenure_revoke_user_request request = {.user = tenure_text("")};
    assert_int_not_equal(tenure_revoke_user_start(world->client, &request, note_refusal, &outcome),
                         0);
    assert_int_equal(outcome.ends, 0); /* never inside the call */
    world_pass(world, SIM_MILLISECOND);
    assert_int_equal(outcome.ends, 1);
    assert_int_equal(world->server->end_count, 0);
}

/* ---- options ---- */

static bool opens(struct world *world, const struct tenure_options *options, const char *expected)
{
    char error[512] = "";
    struct tenure_client *client;
    bool opened = tenure_open_env(world->app, options, error, sizeof(error), &client);
    if (opened) {
        tenure_close(client);
    } else {
        assert_non_null(strstr(error, expected));
    }
    return opened;
}

static void test_options(void **state)
{
    struct world *world = *state;
    const char *servers[] = {"10.0.0.1:1"};
    const struct tenure_options good = {.servers = servers,
                                        .server_count = 1,
                                        .ca = "/pki/ca.pem",
                                        .certificate = "/pki/own.pem",
                                        .key = "/pki/own.key"};
    char longest[OP_NAME_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[OP_NAME_MAX + 1] = '\0';
    assert_true(opens(world, &good, ""));
    struct tenure_options wrong = good;
    wrong.tenant = longest;
    assert_false(opens(world, &wrong, "tenant"));
    wrong.tenant = "";
    assert_false(opens(world, &wrong, "tenant"));
    wrong = good;
    wrong.software = longest;
    assert_false(opens(world, &wrong, "software"));
    wrong.software = "a\nb";
    assert_false(opens(world, &wrong, "software"));
    longest[OP_NAME_MAX] = '\0';
    wrong.software = wrong.tenant = longest;
    assert_true(opens(world, &wrong, ""));
    wrong = good;
    wrong.server_count = 0;
    assert_false(opens(world, &wrong, "servers"));
    wrong = good;
    wrong.ca = NULL;
    assert_false(opens(world, &wrong, "ca"));
    wrong = good;
    wrong.certificate = NULL;
    assert_false(opens(world, &wrong, "certificate"));
    wrong = good;
    wrong.key = NULL;
    assert_false(opens(world, &wrong, "key"));
    wrong = good;
    wrong.key = "/pki/nothing.key";
    assert_false(opens(world, &wrong, "/pki/nothing.key"));
    tenure_close(NULL);
}

static void test_ids_as_text(void **state)
{
    (void)state;
    struct tenure_id id;
    char text[TENURE_ID_TEXT];
    assert_true(tenure_id_of_text("000102030405060708090a0b0c0d0e0f", &id));
    assert_int_equal(id.bytes[15], 15);
    tenure_id_text(id, text);
    assert_string_equal(text, "000102030405060708090a0b0c0d0e0f");
    assert_false(tenure_id_of_text("00", &id));
    assert_false(tenure_id_of_text("", &id));
    assert_false(tenure_id_of_text("g00102030405060708090a0b0c0d0e0f", &id));
    assert_false(tenure_id_of_text("000102030405060708090a0b0c0d0e0f00", &id));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_texts),        CASE(test_tokens),
        CASE(test_lists),        CASE(test_blobs),
        CASE(test_enumerations), CASE(test_asynchronous_calls_learn_it_in_their_callback),
        CASE(test_options),      cmocka_unit_test(test_ids_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

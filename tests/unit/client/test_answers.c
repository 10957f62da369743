/* What each class of answer leads to (docs/PROTOCOL.md section 5), deadlines, cancel, close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/client/world.h"

/* ---- DONE and REFUSED ---- */

static void test_done_gives_the_reply_and_its_place(void **state)
{
    struct world *world = *state;
    char text[128];
    struct tenure_state_get_request request = {.user = tenure_text("alice"),
                                               .has_token = true,
                                               .token = session_token(5, text),
                                               .key = tenure_text("k")};
    struct tenure_state_get_reply reply;
    struct tenure_result result;
    assert_int_equal(tenure_state_get(world->client, &request, &reply, &result), TENURE_OK);
    assert_int_equal(result.position, 300);
    assert_int_equal(result.time, 1000);
    assert_int_equal(result.clock, 1001);
    assert_int_equal(result.term, 3);
    assert_int_equal(result.attempts, 1);
    assert_string_equal(result.message, "done");
    assert_int_equal(reply.session.bytes[15], 5);
    assert_memory_equal(reply.value.data, "value", reply.value.size);
    assert_int_equal(reply.value.size, 5);
    tenure_result_done(&result);
    tenure_result_done(&result); /* harmless */
}

/* Three grants, the second without a deadline; of session 6 none. */
static void list_grants(struct server *server, const struct request *request)
{
    static const char *const names[] = {"a", "a:longer:permission", "b"};
    (void)server;
    struct op_grant_list_request asked;
    struct base_reader reader;
    base_reader_init(&reader, bytes_of(request->fields, request->fields_size));
    assert_true(op_load(&reader, request->row->request, &asked));
    struct op_grant_list_reply reply = {.session = asked.token.id};
    for (uint32_t i = 0; asked.token.id.bytes[15] != 6 && i < 3; i++) {
        reply.grants[reply.grants_count++] = (struct op_item_listed_grant){
            .permission = bytes_of_text(names[i]), .given = i, .has_left = i != 1, .left = 10 + i};
    }
    server_done_with(request, &reply);
}

static void test_a_list_lives_in_the_result(void **state)
{
    struct world *world = *state;
    char text[128];
    struct tenure_grant_list_request request = {.user = tenure_text("alice"),
                                                .token = session_token(5, text)};
    struct tenure_grant_list_reply reply;
    struct tenure_result result;
    world->server->script = list_grants;
    assert_int_equal(tenure_grant_list(world->client, &request, &reply, &result), TENURE_OK);
    assert_int_equal(reply.grants_count, 3);
    assert_int_equal((uintptr_t)reply.grants % _Alignof(struct tenure_listed_grant), 0);
    assert_int_equal(reply.grants[1].permission.size, strlen("a:longer:permission"));
    assert_memory_equal(reply.grants[1].permission.data, "a:longer:permission", 19);
    assert_false(reply.grants[1].has_left);
    assert_int_equal(reply.grants[1].left, 0);
    assert_memory_equal(reply.grants[2].permission.data, "b", 1);
    assert_int_equal(reply.grants[2].given, 2);
    assert_true(reply.grants[2].has_left);
    assert_int_equal(reply.grants[2].left, 12);
    tenure_result_done(&result);
    request.token = session_token(6, text);
    assert_int_equal(tenure_grant_list(world->client, &request, &reply, &result), TENURE_OK);
    assert_int_equal(reply.grants_count, 0);
    tenure_result_done(&result);
}

static void fence(struct server *server, const struct request *request)
{
    (void)server;
    struct op_details details = {.has_failed = true, .failed = 16, .has_headline = true};
    details.headline = 4;
    details.has_required = true;
    details.required = bytes_of_text("state:write");
    server_answer(request, OP_FENCED, &details);
}

static void test_refused_is_told_once_with_its_details(void **state)
{
    struct world *world = *state;
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    struct tenure_revoke_user_reply reply;
    struct tenure_result result;
    world->server->script = fence;
    assert_int_equal(tenure_revoke_user(world->client, &request, &reply, &result), TENURE_FENCED);
    assert_int_equal(world->server->count, 1);
    assert_int_equal(result.details.failed, 16);
    assert_int_equal(result.details.headline, 4);
    assert_false(result.details.has_hint);
    assert_int_equal(result.details.required.size, 11);
    tenure_result_done(&result);
}

static void forget_number(struct server *server, const struct request *request)
{
    (void)server;
    server_answer(request, OP_FORGOTTEN, NULL);
}

static void test_forgotten_is_not_asked_again(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->server->script = forget_number;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_FORGOTTEN);
    assert_int_equal(world->server->count, 1);
}

/* ---- RETRY ---- */

struct retries {
    struct world *world;
    size_t count;
    size_t most;
    enum op_outcome outcome;
    uint64_t hint;
    uint64_t at[64]; /* simulated time of each try */
};

static void retry_first(struct server *server, const struct request *request)
{
    struct retries *retries = server->arg;
    assert_true(retries->count < 64);
    retries->at[retries->count++] = sim_now_us(retries->world->sim);
    struct op_details details = {.has_hint = retries->hint > 0, .hint = retries->hint};
    if (retries->count > retries->most) {
        server_obey(server, request);
    } else {
        server_answer(request, retries->outcome, &details);
    }
}

static void test_retry_backs_off_and_asks_again(void **state)
{
    struct world *world = *state;
    struct retries retries = {.world = world, .most = 5, .outcome = OP_OVERLOADED};
    struct outcome outcome = {0};
    world->server->script = retry_first;
    world->server->arg = &retries;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(outcome.attempts, 6);
    assert_int_equal(outcome.watermark, 101);
    for (size_t i = 1; i < retries.count; i++) { /* 10 ms doubling, from its upper half */
        uint64_t waited = retries.at[i] - retries.at[i - 1];
        assert_in_range(waited, UINT64_C(10000) << i >> 1, (UINT64_C(10000) << i) + 5000);
    }
    assert_int_equal(server_open_count(world->server), 1);
    assert_int_equal(world->server->hellos, 1);
}

/* Only the session of which all bytes are 1 has to wait. */
static void refuse_the_first_session(struct server *server, const struct request *request)
{
    struct retries *retries = server->arg;
    struct op_session_validate_request asked;
    struct base_reader reader;
    base_reader_init(&reader, bytes_of(request->fields, request->fields_size));
    assert_true(op_load(&reader, request->row->request, &asked));
    if (asked.token.id.bytes[0] == 1 && retries->count < retries->most) {
        retry_first(server, request);
    } else {
        server_obey(server, request);
    }
}

static void test_who_waits_for_a_leader_goes_as_soon_as_one_answers(void **state)
{
    struct world *world = *state;
    struct retries retries = {.world = world, .most = 5, .outcome = OP_NOT_READY};
    struct outcome waits = {0};
    struct outcome other = {0};
    world->server->script = refuse_the_first_session;
    world->server->arg = &retries;
    call_validate(world->client, &waits, 1);
    world_requests(world, 5); /* the next wait is of 160 ms at least */
    call_validate(world->client, &other, 2);
    world_end_of(world, &other);
    assert_int_equal(other.outcome, TENURE_OK);
    world_end_of(world, &waits);
    assert_int_equal(waits.outcome, TENURE_OK);
    assert_in_range(waits.at - other.at, 0, 5000);
}

static void test_retry_waits_at_least_for_the_hint(void **state)
{
    struct world *world = *state;
    struct retries retries = {.world = world, .most = 1, .outcome = OP_SWEEPING, .hint = 700000};
    struct outcome outcome = {0};
    world->server->script = retry_first;
    world->server->arg = &retries;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_in_range(retries.at[1] - retries.at[0], 700000, 705000);
}

/* ---- deadlines: never outlived, and honest about what may have happened ---- */

static void assert_ended_at_its_deadline(const struct outcome *outcome, uint64_t began)
{
    assert_in_range(outcome->at - began, WORLD_TIMEOUT_US, WORLD_TIMEOUT_US + 1000);
}

static void test_write_without_an_answer_times_out_as_unknown(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    uint64_t began = sim_now_us(world->sim);
    world->server->script = NULL;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_TIMED_OUT);
    assert_int_equal(tenure_outcome_class(outcome.outcome), TENURE_CLASS_UNKNOWN);
    assert_ended_at_its_deadline(&outcome, began);
}

static void test_read_without_an_answer_did_nothing(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    uint64_t began = sim_now_us(world->sim);
    world->server->script = NULL;
    call_validate(world->client, &outcome, 1);
    world_end_of(world, &outcome);
    assert_int_equal(tenure_outcome_class(outcome.outcome), TENURE_CLASS_RETRY);
    assert_ended_at_its_deadline(&outcome, began);
}

static void test_nothing_but_retries_ends_as_retry(void **state)
{
    struct world *world = *state;
    struct retries retries = {.world = world, .most = 64, .outcome = OP_NOT_READY};
    struct outcome outcome = {0};
    uint64_t began = sim_now_us(world->sim);
    world->server->script = retry_first;
    world->server->arg = &retries;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_NOT_READY);
    assert_true(outcome.attempts > 2);
    assert_ended_at_its_deadline(&outcome, began);
}

static void test_a_hint_beyond_the_deadline_does_not_outlive_it(void **state)
{
    struct world *world = *state;
    struct retries retries = {
        .world = world, .most = 9, .outcome = OP_SWEEPING, .hint = UINT64_MAX};
    struct outcome outcome = {0};
    uint64_t began = sim_now_us(world->sim);
    world->server->script = retry_first;
    world->server->arg = &retries;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_SWEEPING);
    assert_ended_at_its_deadline(&outcome, began);
}

/* Whoever is told to come back after its deadline tries once more before it. */
static void test_a_hint_beyond_the_deadline_leaves_one_more_try(void **state)
{
    struct world *world = *state;
    struct retries retries = {
        .world = world, .most = 1, .outcome = OP_OVERLOADED, .hint = 2 * WORLD_TIMEOUT_US};
    struct outcome outcome = {0};
    world->server->script = retry_first;
    world->server->arg = &retries;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(outcome.attempts, 2);
    assert_in_range(retries.at[1] - retries.at[0], WORLD_TIMEOUT_US / 2, WORLD_TIMEOUT_US);
}

/* A lost try stays in doubt, whatever the later ones were told. */
static void test_a_lost_try_and_then_retries_end_as_unknown(void **state)
{
    struct world *world = *state;
    struct retries retries = {.world = world, .most = 64, .outcome = OP_OVERLOADED};
    struct outcome outcome = {0};
    world->server->script = NULL;
    call_revoke(world->client, &outcome);
    world_requests(world, 1);
    world->server->script = retry_first;
    world->server->arg = &retries;
    server_close(server_newest(world->server));
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_TIMED_OUT);
}

static void test_unreachable_says_why_and_did_nothing(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    uint64_t began = sim_now_us(world->sim);
    server_stop(world->server);
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_UNREACHABLE);
    assert_non_null(strstr(outcome.message, world->server->address));
    assert_int_equal(outcome.attempts, 0);
    assert_ended_at_its_deadline(&outcome, began);
}

/* ---- K2: whose answer it is ---- */

static void echo_wrong_once(struct server *server, const struct request *request)
{
    unsigned *count = server->arg;
    struct request wrong = *request;
    if ((*count)++ > 0) {
        server_obey(server, request);
        return;
    }
    struct op_session_validate_reply reply = {.agent = bytes_of_text("agent")};
    memset(&reply.session, 2, sizeof(reply.session));
    server_done_with(&wrong, &reply);
}

static void test_an_answer_about_another_session_is_never_handed_on(void **state)
{
    struct world *world = *state;
    unsigned count = 0;
    struct outcome outcome = {0};
    world->server->script = echo_wrong_once;
    world->server->arg = &count;
    call_validate(world->client, &outcome, 1);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(outcome.session.bytes[0], 1);
    assert_int_equal(outcome.attempts, 2);
    assert_int_equal(world->server->hellos, 2); /* the connection was dropped */
    world_pass(world, SIM_SECOND);
    assert_int_equal(server_open_count(world->server), 1);
}

static void echo_wrong_task(struct server *server, const struct request *request)
{
    (void)server;
    struct op_task_claim_reply reply = {.epoch = 1};
    memset(&reply.task, 2, sizeof(reply.task));
    server_done_with(request, &reply);
}

static void test_an_answer_about_another_task_is_never_handed_on(void **state)
{
    struct world *world = *state;
    struct tenure_task_claim_request request = {.user = tenure_text("alice"), .lease = 1};
    struct tenure_task_claim_reply reply;
    struct tenure_result result;
    world->server->script = echo_wrong_task;
    assert_int_equal(tenure_task_claim(world->client, &request, &reply, &result), TENURE_TIMED_OUT);
    assert_true(world->server->hellos > 1);
    tenure_result_done(&result);
}

/* The class of redis-py's issue 2624: a cancelled call's reply must not reach the next caller. */
static void test_a_cancelled_calls_reply_reaches_nobody(void **state)
{
    struct world *world = *state;
    struct outcome cancelled = {0};
    struct outcome next = {0};
    world->server->script = NULL;
    tenure_call call = call_validate(world->client, &cancelled, 1);
    world_requests(world, 1);
    struct request first = world->server->last;
    tenure_cancel(world->client, call);
    call_validate(world->client, &next, 2);
    world_end_of(world, &cancelled);
    world_requests(world, 2);
    struct request second = world->server->last;
    assert_int_equal(world->server->cancels, 1);
    assert_int_equal(world->server->cancelled, first.msgid);
    server_obey(world->server, &first); /* late: nobody waits */
    world_pass(world, 100 * SIM_MILLISECOND);
    assert_int_equal(next.ends, 0);
    server_obey(world->server, &second);
    world_end_of(world, &next);
    assert_int_equal(next.outcome, TENURE_OK);
    assert_int_equal(next.session.bytes[0], 2);
    assert_int_equal(cancelled.ends, 1);
    assert_int_equal(world->server->hellos, 1);
}

static void test_answers_in_any_order_reach_their_callers(void **state)
{
    struct world *world = *state;
    struct outcome outcomes[3] = {{0}};
    struct request requests[3];
    world->server->script = NULL;
    for (uint8_t i = 0; i < 3; i++) {
        call_validate(world->client, &outcomes[i], (uint8_t)(i + 1));
        world_requests(world, i + 1U);
        requests[i] = world->server->last;
    }
    for (size_t i = 3; i > 0; i--) {
        server_obey(world->server, &requests[i - 1]);
    }
    for (size_t i = 0; i < 3; i++) {
        world_end_of(world, &outcomes[i]);
        assert_int_equal(outcomes[i].session.bytes[0], i + 1);
    }
}

/* PROTOCOL.md section 4, rule 5. */
static void test_an_older_trys_answer_is_ignored(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->server->script = NULL;
    call_revoke(world->client, &outcome);
    world_requests(world, 1);
    struct request older = world->server->last;
    server_answer(&older, OP_UNKNOWN, NULL);
    world_requests(world, 2);
    struct request newer = world->server->last;
    struct op_revoke_user_reply stale = {.watermark = 666};
    server_done_with(&older, &stale);
    world_pass(world, 100 * SIM_MILLISECOND);
    assert_int_equal(outcome.ends, 0);
    server_obey(world->server, &newer);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.watermark, 101);
}

/* ---- cancel and close ---- */

static void test_cancel_is_honest(void **state)
{
    struct world *world = *state;
    struct outcome sent = {0};
    struct outcome unsent = {0};
    struct outcome none = {0};
    world->server->script = NULL;
    tenure_call first = call_revoke(world->client, &sent);
    world_requests(world, 1);
    tenure_call second = call_revoke(world->client, &unsent);
    tenure_cancel(world->client, second);
    tenure_cancel(world->client, first);
    tenure_cancel(world->client, first);
    tenure_cancel(world->client, 0);
    tenure_cancel(world->client, 999);
    assert_int_equal(sent.ends, 0); /* never inside the call */
    world_end_of(world, &sent);
    world_end_of(world, &unsent);
    assert_int_equal(sent.outcome, TENURE_UNKNOWN);
    assert_int_equal(unsent.outcome, TENURE_UNREACHABLE);
    tenure_cancel(world->client, first); /* harmless when it has ended */
    world_pass(world, SIM_SECOND);
    assert_int_equal(sent.ends + unsent.ends, 2);
    call_revoke(world->client, &none);
    world_requests(world, 2);
    assert_int_equal(world->server->last.envelope.lowest, 2); /* the cancelled one is not open */
    server_obey(world->server, &world->server->last);
    world_end_of(world, &none);
}

struct restart {
    struct world *world;
    struct outcome again;
    unsigned ends;
    enum tenure_outcome outcome;
    tenure_call started;
};

static void start_another(void *arg, const struct tenure_result *result,
                          const struct tenure_revoke_user_reply *reply)
{
    struct restart *restart = arg;
    (void)reply;
    restart->ends++;
    restart->outcome = result->outcome;
    restart->started = call_revoke(restart->world->client, &restart->again);
}

static void test_close_ends_open_calls_and_takes_no_more(void **state)
{
    struct world *world = *state;
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    struct restart sent = {.world = world};
    struct outcome read = {0};
    world->server->script = NULL;
    tenure_revoke_user_start(world->client, &request, start_another, &sent);
    call_validate(world->client, &read, 1);
    world_requests(world, 2);
    request.user = tenure_text("");
    tenure_revoke_user_start(world->client, &request, NULL, NULL); /* nobody wants to know */
    tenure_close(world->client);
    world->client = NULL;
    assert_int_equal(sent.ends, 1);
    assert_int_equal(sent.outcome, TENURE_UNKNOWN);
    assert_int_equal(sent.started, 0);
    assert_int_equal(sent.again.ends, 0);
    assert_int_equal(read.ends, 1);
    assert_int_equal(read.outcome, TENURE_UNREACHABLE);
    world_pass(world, SIM_SECOND);
    assert_int_equal(server_open_count(world->server), 0);
}

static void test_a_callback_may_start_calls(void **state)
{
    struct world *world = *state;
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    struct restart restart = {.world = world};
    tenure_revoke_user_start(world->client, &request, start_another, &restart);
    world_end_of(world, &restart.again);
    assert_int_equal(restart.again.watermark, 102);
}

/* ---- superseded ---- */

static void supersede(struct server *server, const struct request *request)
{
    (void)server;
    uint8_t frame[512];
    struct base_writer writer;
    struct op_reply_head head = {.outcome = OP_OK, .position = 7, .superseded = true};
    struct op_session_create_reply reply = {.epoch = 7};
    base_writer_init(&writer, frame, sizeof(frame));
    op_response_write(&writer, request->msgid, &head, NULL, request->row->reply, &reply);
    server_write(request->from, frame, base_written(&writer).size);
}

static void test_a_superseded_answer_has_no_secret(void **state)
{
    struct world *world = *state;
    struct tenure_session_create_request request = {.user = tenure_text("alice"),
                                                    .agent = tenure_text("agent")};
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    assert_int_equal(tenure_session_create(world->client, &request, &reply, &result), TENURE_OK);
    assert_true(reply.has_token && !result.superseded);
    tenure_result_done(&result);
    world->server->script = supersede;
    assert_int_equal(tenure_session_create(world->client, &request, &reply, &result), TENURE_OK);
    assert_true(!reply.has_token && result.superseded);
    tenure_result_done(&result);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_done_gives_the_reply_and_its_place),
        CASE(test_a_list_lives_in_the_result),
        CASE(test_refused_is_told_once_with_its_details),
        CASE(test_forgotten_is_not_asked_again),
        CASE(test_retry_backs_off_and_asks_again),
        CASE(test_who_waits_for_a_leader_goes_as_soon_as_one_answers),
        CASE(test_who_waits_for_a_leader_goes_as_soon_as_one_answers),
        CASE(test_retry_waits_at_least_for_the_hint),
        CASE(test_write_without_an_answer_times_out_as_unknown),
        CASE(test_read_without_an_answer_did_nothing),
        CASE(test_nothing_but_retries_ends_as_retry),
        CASE(test_a_hint_beyond_the_deadline_does_not_outlive_it),
        CASE(test_a_hint_beyond_the_deadline_leaves_one_more_try),
        CASE(test_a_lost_try_and_then_retries_end_as_unknown),
        CASE(test_unreachable_says_why_and_did_nothing),
        CASE(test_an_answer_about_another_session_is_never_handed_on),
        CASE(test_an_answer_about_another_task_is_never_handed_on),
        CASE(test_a_cancelled_calls_reply_reaches_nobody),
        CASE(test_answers_in_any_order_reach_their_callers),
        CASE(test_an_older_trys_answer_is_ignored),
        CASE(test_cancel_is_honest),
        CASE(test_close_ends_open_calls_and_takes_no_more),
        CASE(test_a_callback_may_start_calls),
        CASE(test_a_superseded_answer_has_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

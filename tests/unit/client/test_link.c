/* The one connection: whom it trusts, whom it follows, what it survives (PROTOCOL.md 1 to 3, 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/client/world.h"

/* ---- following the leader ---- */

static void point_to(struct server *server, const char *leader)
{
    server->hello.has_leader = leader != NULL;
    server->hello.leader = bytes_of_text(leader == NULL ? "" : leader);
}

static void test_hello_redirects_before_any_call_is_wasted(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    point_to(&world->servers[0], world->servers[1].address);
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(outcome.attempts, 1);
    assert_int_equal(world->servers[0].count, 0);
    assert_int_equal(world->servers[1].count, 1);
}

static void test_two_that_name_each_other_are_not_asked_in_a_tight_loop(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    point_to(&world->servers[0], world->servers[1].address);
    point_to(&world->servers[1], world->servers[0].address);
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_UNREACHABLE);
    assert_in_range(world->servers[0].hellos + world->servers[1].hellos, 4, 25);
}

static void not_leader(struct server *server, const struct request *request)
{
    server_not_leader(request, server->arg == NULL ? "" : server->arg);
}

static void test_not_leader_with_an_address_goes_there(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->servers[0].script = not_leader;
    world->servers[0].arg = world->servers[1].address;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(world->servers[0].count, 1);
    assert_int_equal(world->servers[1].last.envelope.attempt, 2);
    assert_int_equal(world->servers[1].registrations, 0); /* it belongs to the certificate */
}

/* One that knows of no leader is asked again where we are, and left when it stays so. */
static void test_not_leader_without_an_address(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {.world = world};
    world_know_both(world);
    unsigned hellos = world->servers[0].hellos + 1;
    world->servers[0].script = not_leader;
    call_validate(world->client, &outcome, 1);
    world_pass(world, 450 * SIM_MILLISECOND);
    assert_true(world->servers[0].count > 3);
    assert_int_equal(world->servers[0].hellos, hellos);
    assert_int_equal(world->servers[1].count, 0);
    world_pass(world, 650 * SIM_MILLISECOND);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(world->servers[1].count, 1);
}

/* It knows of no leader, and hears of one while it is asked. */
static void test_a_leader_that_is_found_meanwhile(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {.world = world};
    world_know_both(world);
    unsigned hellos = world->servers[0].hellos + 1;
    world->servers[0].script = not_leader;
    call_validate(world->client, &outcome, 1);
    world_pass(world, 300 * SIM_MILLISECOND);
    assert_true(world->servers[0].count > 1);
    world->servers[0].arg = world->servers[1].address;
    world_pass(world, 110 * SIM_MILLISECOND);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(world->servers[1].count, 1);
    assert_int_equal(world->servers[0].hellos, hellos);
}

/* The answers that are still on their way are waited for: their calls are not left in doubt. */
static void test_not_leader_waits_for_the_other_answers(void **state)
{
    struct world *world = *state;
    struct outcome told = {0};
    struct outcome other = {0};
    world->servers[0].script = NULL;
    call_revoke(world->client, &told);
    world_requests(world, 1);
    struct request first = world->server->last;
    call_revoke(world->client, &other);
    world_requests(world, 2);
    server_not_leader(&first, world->servers[1].address);
    world_pass(world, 20 * SIM_MILLISECOND);
    assert_int_equal(world->servers[1].hellos, 0);
    server_obey(world->server, &world->server->last);
    world_end_of(world, &other);
    assert_int_equal(other.attempts, 1);
    world_end_of(world, &told);
    assert_int_equal(told.attempts, 2);
    assert_int_equal(world->servers[1].count, 1);
}

static void test_not_leader_does_not_wait_for_long(void **state)
{
    struct world *world = *state;
    struct outcome told = {0};
    struct outcome other = {0};
    world->servers[0].script = NULL;
    call_validate(world->client, &told, 1);
    world_requests(world, 1);
    struct request first = world->server->last;
    call_validate(world->client, &other, 2);
    world_requests(world, 2);
    server_not_leader(&first, world->servers[1].address);
    world_end_of(world, &other);
    assert_int_equal(other.attempts, 2);
    world_end_of(world, &told);
    assert_int_equal(world->servers[1].count, 2);
}

static void refuse(struct server *server, const struct request *request)
{
    (void)server;
    server_answer(request, OP_INVALID, NULL);
}

/* Only the leader takes a stated time, though it is no operation. */
static void test_a_stated_time_goes_to_the_leader(void **state)
{
    struct world *world = *state;
    struct tenure_cluster_time_request request = {.time = 1};
    struct tenure_cluster_time_reply reply;
    struct tenure_result result;
    world->servers[0].script = not_leader;
    world->servers[0].arg = world->servers[1].address;
    world->servers[1].script = refuse;
    assert_int_equal(tenure_cluster_time(world->client, &request, &reply, &result), TENURE_INVALID);
    assert_int_equal(result.attempts, 2);
    assert_int_equal(world->servers[1].count, 1);
    tenure_result_done(&result);
}

static void test_staying_clients_follow_nobody(void **state)
{
    struct world *world = *state;
    const char *servers[] = {world->servers[0].address};
    tenure_close(world->client);
    world->client = world_client(world, servers, 1, true);
    point_to(&world->servers[0], world->servers[1].address);
    world->servers[0].script = not_leader;
    world->servers[0].arg = world->servers[1].address;
    struct outcome outcome = {0};
    call_validate(world->client, &outcome, 1);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_NOT_LEADER);
    assert_int_equal(world->servers[1].hellos, 0);
    assert_int_equal(world->servers[0].hellos, 1);
}

/* ---- servers that stop, or say nothing ---- */

static void test_goaway_waits_for_what_is_open_and_sends_nothing_new(void **state)
{
    struct world *world = *state;
    struct outcome open = {0};
    struct outcome next = {0};
    world_know_both(world);
    world->servers[0].script = NULL;
    call_revoke(world->client, &open);
    world_requests(world, 1);
    server_goaway(server_newest(&world->servers[0]));
    world_pass(world, 20 * SIM_MILLISECOND);
    call_validate(world->client, &next, 1);
    world_pass(world, 20 * SIM_MILLISECOND);
    assert_int_equal(world->servers[0].count, 1);
    server_obey(&world->servers[0], &world->servers[0].last);
    world_end_of(world, &open);
    assert_int_equal(open.attempts, 1);
    world_end_of(world, &next);
    assert_int_equal(next.outcome, TENURE_OK);
    assert_int_equal(world->servers[1].count, 1);
    world_pass(world, SIM_SECOND);
    assert_int_equal(server_open_count(&world->servers[0]), 0);
}

static struct tenure_client *patient(struct world *world, uint64_t timeout_us)
{
    tenure_close(world->client);
    const char *servers[] = {world->servers[0].address, world->servers[1].address};
    world->client = world_client(world, servers, 2, false);
    world->client->timeout_us = timeout_us;
    return world->client;
}

static void test_a_silent_server_is_left(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    patient(world, 10 * SIM_SECOND);
    world->servers[0].script = NULL;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(world->servers[1].last.envelope.attempt, 2);
}

/* Each call ends before a server counts as silent; all of them together do not. */
static void test_a_silent_server_is_left_by_impatient_calls(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    patient(world, SIM_SECOND);
    world->servers[0].script = NULL;
    for (int calls = 0; calls < 4; calls++) {
        outcome = (struct outcome){0};
        call_revoke(world->client, &outcome);
        world_end_of(world, &outcome);
    }
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_true(world->servers[1].count > 0);
}

static void test_a_server_that_does_not_greet_is_left(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    patient(world, 10 * SIM_SECOND);
    world->servers[0].hello_silent = true;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(world->servers[1].last.envelope.attempt, 1);
}

static void test_a_refused_hello_is_told(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->server->hello_outcome = OP_PROTOCOL;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_UNREACHABLE);
    assert_int_equal(world->server->count, 0);
}

static void test_an_unreachable_server_is_passed_over(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world_know_both(world);
    server_stop(&world->servers[0]);
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(world->servers[1].count, 1);
}

static void test_an_idle_client_does_not_connect(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world_pass(world, SIM_SECOND);
    assert_int_equal(world->server->end_count, 0);
    call_validate(world->client, &outcome, 1);
    world_end_of(world, &outcome);
    server_close(server_newest(world->server));
    world_pass(world, 10 * SIM_SECOND);
    assert_int_equal(world->server->end_count, 1); /* nobody calls: no reason to come back */
}

/* ---- servers that break the protocol ---- */

struct garbage {
    const char *name;
    size_t size;
    const char *bytes;
};

/* Written once, in the place of the first answer; the second connection behaves. */
static void write_garbage(struct server *server, const struct request *request)
{
    const struct garbage *garbage = server->arg;
    if (server->count == 1) {
        server_write(request->from, garbage->bytes, garbage->size);
    } else {
        server_obey(server, request);
    }
}

static const struct garbage garbages[] = {
    {"a frame above the bound", 4, "\xff\xff\xff\xff"},
    {"a frame one byte above the bound", 4, "\x00\x0f\xff\xfd"},
    {"a frame that is no message", 5, "\x00\x00\x00\x01\xc1"},
    {"a frame of nothing", 4, "\x00\x00\x00\x00"},
    {"a request", 13, "\x00\x00\x00\x09\x94\x00\x07\xa3xyz\x91\x80"},
    {"bytes after the message", 10, "\x00\x00\x00\x06\x94\x01\x07\xc0\xc0\x00"},
    {"text", 19, "HTTP/1.1 200 OK\r\n\r\n"},
    {"the reason for closing", 9, "\x00\x00\x00\x05\x94\x01\x00\xc0\x80"},
};

static void test_garbage_costs_the_connection_and_no_call(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(garbages) / sizeof(garbages[0]); i++) {
        struct outcome outcome = {0};
        struct garbage garbage = garbages[i];
        unsigned hellos = world->server->hellos;
        world->server->count = 0;
        world->server->script = write_garbage;
        world->server->arg = &garbage;
        call_validate(world->client, &outcome, 1);
        world_end_of(world, &outcome);
        if (outcome.outcome != TENURE_OK || outcome.attempts != 2) {
            fail_msg("%s: outcome %d, %u tries", garbage.name, (int)outcome.outcome,
                     outcome.attempts);
        }
        assert_true(world->server->hellos > hellos);
        world_pass(world, SIM_SECOND);
        assert_int_equal(server_open_count(world->server), 1);
    }
}

/* Right frame, right msgid, and a result that is not one of the method. */
static void write_wrong_result(struct server *server, const struct request *request)
{
    if (server->count > 1) {
        server_obey(server, request);
        return;
    }
    struct op_reply_head head = {.outcome = OP_OK, .position = 1};
    struct op_session_end_reply reply = {.lifetime = 1};
    uint8_t frame[256];
    struct base_writer writer;
    base_writer_init(&writer, frame, sizeof(frame));
    op_response_write(&writer, request->msgid, &head, NULL, op_row_of_number(OP_session_end)->reply,
                      &reply);
    server_write(request->from, frame, base_written(&writer).size);
}

static void test_a_result_without_its_fields_costs_the_connection(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->server->script = write_wrong_result;
    call_validate(world->client, &outcome, 1);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(outcome.attempts, 2);
}

static void test_half_a_frame_is_waited_for_and_no_longer(void **state)
{
    struct world *world = *state;
    struct garbage half = {"half", 6, "\x00\x00\x00\x44\x94\x01"};
    struct outcome outcome = {0};
    patient(world, 10 * SIM_SECOND);
    world->server->script = write_garbage;
    world->server->arg = &half;
    call_validate(world->client, &outcome, 1);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(outcome.attempts, 2);
}

/* Frames in pieces and many in one piece are the same to it. */
static void test_frames_may_come_byte_by_byte(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    uint8_t frame[256];
    struct base_writer writer;
    world->server->script = NULL;
    call_validate(world->client, &outcome, 1);
    world_requests(world, 1);
    struct op_reply_head head = {.outcome = OP_OK, .position = 1};
    struct op_session_validate_reply reply = {.agent = bytes_of_text("agent")};
    memset(&reply.session, 1, sizeof(reply.session));
    base_writer_init(&writer, frame, sizeof(frame));
    op_response_write(&writer, world->server->last.msgid, &head, NULL,
                      world->server->last.row->reply, &reply);
    for (size_t i = 0; i < base_written(&writer).size; i++) {
        assert_int_equal(outcome.ends, 0);
        server_write(world->server->last.from, frame + i, 1);
        world_pass(world, SIM_MILLISECOND);
    }
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
}

static void test_unknown_notifications_are_ignored(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    static const char newer[] = "\x00\x00\x00\x09\x93\x02\xa4"
                                "news"
                                "\x91\x80";
    world->server->script = NULL;
    call_validate(world->client, &outcome, 1);
    world_requests(world, 1);
    server_write(world->server->last.from, newer, sizeof(newer) - 1);
    server_obey(world->server, &world->server->last);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(outcome.attempts, 1);
}

/* ---- whom it trusts ---- */

static void test_only_a_node_of_our_own_cluster_is_a_server(void **state)
{
    static const char *const strangers[] = {
        "tenure://other/-/peer/1",
        "tenure://d/-/peer/1",
        "tenure://c/-/boss/1",
        "tenure://c/x/peer/1",
        "tenure://c/acme/service/gateway",
        "tenure://c/-/operator/o",
        "tenure://c2/-/peer/1",
        "tenure://c/acme/peer/1",
        "tenure://c/-/peer/1/x",
        "tenure://x/tenure://c/-/peer/1/",
        "tenure://c/-/peer/",
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        struct sim_host *host = sim_host_create(world->sim, "stranger");
        char error[256] = "";
        struct env_tls *tls;
        struct server stranger;
        assert_int_equal(sim_ca_write(host, "/pki/ca.pem", "ca"), ENV_OK);
        assert_int_equal(sim_certificate_write(host, "/pki/own.pem", "ca", strangers[i]), ENV_OK);
        assert_int_equal(sim_key_write(host, "/pki/own.key", "ca", strangers[i]), ENV_OK);
        struct env *env = sim_process_start(host, "stranger");
        assert_int_equal(env_tls_create(env, "/pki/ca.pem", "/pki/own.pem", "/pki/own.key", error,
                                        sizeof(error), &tls),
                         ENV_OK);
        server_start(&stranger, env, tls, sim_host_address(host));
        const char *servers[] = {stranger.address};
        struct tenure_client *client = world_client(world, servers, 1, false);
        struct outcome outcome = {0};
        call_validate(client, &outcome, 1);
        world_end_of(world, &outcome);
        assert_int_equal(outcome.outcome, TENURE_UNREACHABLE);
        assert_non_null(strstr(outcome.message, "not of a node of our cluster"));
        assert_int_equal(stranger.hellos, 0);
        tenure_close(client);
        sim_process_crash(env);
        server_done(&stranger);
        sim_process_free(env);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_hello_redirects_before_any_call_is_wasted),
        CASE(test_two_that_name_each_other_are_not_asked_in_a_tight_loop),
        CASE(test_not_leader_with_an_address_goes_there),
        CASE(test_not_leader_without_an_address),
        CASE(test_a_leader_that_is_found_meanwhile),
        CASE(test_not_leader_waits_for_the_other_answers),
        CASE(test_not_leader_does_not_wait_for_long),
        CASE(test_a_stated_time_goes_to_the_leader),
        CASE(test_staying_clients_follow_nobody),
        CASE(test_goaway_waits_for_what_is_open_and_sends_nothing_new),
        CASE(test_a_silent_server_is_left),
        CASE(test_a_silent_server_is_left_by_impatient_calls),
        CASE(test_a_server_that_does_not_greet_is_left),
        CASE(test_a_refused_hello_is_told),
        CASE(test_an_unreachable_server_is_passed_over),
        CASE(test_an_idle_client_does_not_connect),
        CASE(test_garbage_costs_the_connection_and_no_call),
        CASE(test_a_result_without_its_fields_costs_the_connection),
        CASE(test_half_a_frame_is_waited_for_and_no_longer),
        CASE(test_frames_may_come_byte_by_byte),
        CASE(test_unknown_notifications_are_ignored),
        CASE(test_only_a_node_of_our_own_cluster_is_a_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

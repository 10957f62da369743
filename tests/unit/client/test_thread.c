/* The client's own thread: calls from many threads, callbacks on one, and an end while calls are
 * open. Meant for the thread sanitizer above all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "op/token.h"
#include "tests/unit/client/remote.h"

enum {
    THREADS = 6,
    CALLS = 60,
    LONG_US = 30000000,
    SHORT_US = 60000,
};

static struct tenure_bytes token_of(uint8_t id, char buffer[OP_TOKEN_TEXT_MAX])
{
    struct op_token token;
    struct base_writer writer;
    memset(&token, 1, sizeof(token));
    memset(&token.id, id, sizeof(token.id));
    base_writer_init(&writer, (uint8_t *)buffer, OP_TOKEN_TEXT_MAX);
    op_token_write(&writer, OP_TOKEN_session, &token);
    return (struct tenure_bytes){base_written(&writer).data, base_written(&writer).size};
}

static enum tenure_outcome validate(struct tenure_client *client, uint8_t id)
{
    char text[OP_TOKEN_TEXT_MAX];
    struct tenure_session_validate_request request = {.user = tenure_text("alice"),
                                                      .token = token_of(id, text)};
    struct tenure_session_validate_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_validate(client, &request, &reply, &result);
    ASSERT(outcome != TENURE_OK || reply.session.bytes[0] == id); /* another caller's answer */
    tenure_result_done(&result);
    return outcome;
}

static enum tenure_outcome revoke(struct tenure_client *client, uint64_t *ret_watermark)
{
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    struct tenure_revoke_user_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_revoke_user(client, &request, &reply, &result);
    *ret_watermark = reply.watermark;
    tenure_result_done(&result);
    return outcome;
}

/* ---- synchronous calls from many threads ---- */

struct caller {
    struct tenure_client *client;
    pthread_t thread;
    uint8_t id;
    uint64_t watermarks[CALLS];
    enum tenure_outcome outcome; /* of test_close */
};

static void *call_often(void *arg)
{
    struct caller *caller = arg;
    for (size_t i = 0; i < CALLS; i++) {
        ASSERT(validate(caller->client, caller->id) == TENURE_OK);
        ASSERT(revoke(caller->client, &caller->watermarks[i]) == TENURE_OK);
    }
    return NULL;
}

static void start_callers(struct caller callers[THREADS], struct tenure_client *client,
                          void *(*run)(void *arg))
{
    for (size_t i = 0; i < THREADS; i++) {
        callers[i].client = client;
        callers[i].id = (uint8_t)(i + 1);
        ASSERT(pthread_create(&callers[i].thread, NULL, run, &callers[i]) == 0);
    }
}

static void join_callers(struct caller callers[THREADS])
{
    for (size_t i = 0; i < THREADS; i++) {
        ASSERT(pthread_join(callers[i].thread, NULL) == 0);
    }
}

static void test_each_of_many_threads_gets_its_own_answers(void **state)
{
    (void)state;
    struct remote remote;
    static struct caller callers[THREADS];
    static bool seen[THREADS * CALLS + 1];
    remote_start(&remote, server_obey, NULL);
    struct tenure_client *client = remote_client(&remote, LONG_US);
    assert_true(tenure_start_thread(client));
    assert_true(tenure_start_thread(client)); /* harmless */
    start_callers(callers, client, call_often);
    join_callers(callers);
    tenure_close(client);
    remote_stop(&remote);
    assert_int_equal(remote.server.registrations, 1);
    assert_int_equal(remote.server.end_count, 1);
    for (size_t i = 0; i < THREADS * CALLS; i++) { /* 100 + the number: each number once */
        uint64_t number = callers[i / CALLS].watermarks[i % CALLS] - 100;
        assert_in_range(number, 1, THREADS * CALLS);
        assert_false(seen[number]);
        seen[number] = true;
    }
}

/* ---- callbacks on the client's thread ---- */

struct chain {
    struct tenure_client *client;
    struct gate ended;
    pthread_t thread; /* of the first callback */
    unsigned count;   /* the client's thread's alone */
    enum tenure_outcome outcome;
};

static void on_link(void *arg, const struct tenure_result *result,
                    const struct tenure_revoke_user_reply *reply)
{
    struct chain *chain = arg;
    (void)reply;
    ASSERT(chain->count == 0 || pthread_equal(chain->thread, pthread_self()) != 0);
    chain->thread = pthread_self();
    chain->outcome = result->outcome;
    if (++chain->count < CALLS) {
        struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
        tenure_call next = tenure_revoke_user_start(chain->client, &request, on_link, chain);
        ASSERT(next != 0 || result->outcome != TENURE_OK); /* 0: the client is closing */
    }
    gate_count(&chain->ended);
}

static void start_chain(struct chain *chain, struct tenure_client *client)
{
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    chain->client = client;
    assert_int_not_equal(tenure_revoke_user_start(client, &request, on_link, chain), 0);
}

static void test_callbacks_run_on_the_clients_thread(void **state)
{
    (void)state;
    struct remote remote;
    struct chain chains[3] = {{.ended = GATE_INIT}, {.ended = GATE_INIT}, {.ended = GATE_INIT}};
    remote_start(&remote, server_obey, NULL);
    struct tenure_client *client = remote_client(&remote, LONG_US);
    assert_true(tenure_start_thread(client));
    for (size_t i = 0; i < 3; i++) {
        start_chain(&chains[i], client);
    }
    for (size_t i = 0; i < 3; i++) {
        gate_wait(&chains[i].ended, CALLS);
        assert_false(pthread_equal(chains[i].thread, pthread_self()));
        assert_true(pthread_equal(chains[i].thread, chains[0].thread));
        assert_int_equal(chains[i].outcome, TENURE_OK);
    }
    tenure_close(client);
    remote_stop(&remote);
}

/* Reads are answered, writes are not. */
static void answer_reads(struct server *server, const struct request *request)
{
    if (request->row->access == OP_READ) {
        server_obey(server, request);
    }
}

static void *read_often(void *arg)
{
    struct caller *caller = arg;
    for (size_t i = 0; i < CALLS; i++) {
        (void)validate(caller->client, caller->id);
    }
    return NULL;
}

/* A synchronous caller must not run the callbacks of others: they would start calls below its
 * lock. */
static void test_deadlines_of_others_stay_on_the_clients_thread(void **state)
{
    (void)state;
    struct remote remote;
    struct chain chain = {.ended = GATE_INIT};
    static struct caller callers[THREADS];
    remote_start(&remote, answer_reads, NULL);
    struct tenure_client *client = remote_client(&remote, SHORT_US);
    assert_true(tenure_start_thread(client));
    start_chain(&chain, client); /* each link ends by its deadline */
    start_callers(callers, client, read_often);
    join_callers(callers);
    gate_wait(&chain.ended, 2);
    tenure_close(client);
    remote_stop(&remote);
    assert_int_equal(chain.count, chain.ended.count);
    assert_int_equal(tenure_outcome_class(chain.outcome), TENURE_CLASS_UNKNOWN);
}

/* ---- close and cancel ---- */

/* Answers nothing, and tells that a request is there. */
static void keep_open(struct server *server, const struct request *request)
{
    (void)request;
    gate_count(server->arg);
}

static void *wait_for_nothing(void *arg)
{
    struct caller *caller = arg;
    uint64_t watermark;
    caller->outcome = caller->id % 2 == 0 ? validate(caller->client, caller->id)
                                          : revoke(caller->client, &watermark);
    return NULL;
}

static void test_close_ends_callers_that_wait(void **state)
{
    (void)state;
    struct remote remote;
    struct gate open = GATE_INIT;
    static struct caller callers[THREADS];
    remote_start(&remote, keep_open, &open);
    struct tenure_client *client = remote_client(&remote, LONG_US);
    assert_true(tenure_start_thread(client));
    start_callers(callers, client, wait_for_nothing);
    gate_wait(&open, THREADS);
    tenure_close(client);
    join_callers(callers);
    remote_stop(&remote);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(callers[i].outcome,
                         callers[i].id % 2 == 0 ? TENURE_UNREACHABLE : TENURE_UNKNOWN);
    }
}

static void on_cancelled(void *arg, const struct tenure_result *result,
                         const struct tenure_revoke_user_reply *reply)
{
    struct chain *chain = arg;
    (void)reply;
    chain->outcome = result->outcome;
    chain->thread = pthread_self();
    gate_count(&chain->ended);
}

static void test_cancel_from_another_thread(void **state)
{
    (void)state;
    struct remote remote;
    struct gate open = GATE_INIT;
    struct chain chain = {.ended = GATE_INIT};
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    remote_start(&remote, keep_open, &open);
    struct tenure_client *client = remote_client(&remote, LONG_US);
    assert_true(tenure_start_thread(client));
    tenure_call call = tenure_revoke_user_start(client, &request, on_cancelled, &chain);
    gate_wait(&open, 1);
    tenure_cancel(client, call);
    gate_wait(&chain.ended, 1);
    assert_int_equal(chain.outcome, TENURE_UNKNOWN);
    assert_false(pthread_equal(chain.thread, pthread_self()));
    tenure_close(client);
    remote_stop(&remote);
}

static void test_close_runs_callbacks_on_the_clients_thread(void **state)
{
    (void)state;
    struct remote remote;
    struct gate open = GATE_INIT;
    struct chain chain = {.ended = GATE_INIT};
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    remote_start(&remote, keep_open, &open);
    struct tenure_client *client = remote_client(&remote, LONG_US);
    assert_true(tenure_start_thread(client));
    (void)tenure_revoke_user_start(client, &request, on_cancelled, &chain);
    gate_wait(&open, 1);
    tenure_close(client);
    assert_int_equal(chain.ended.count, 1); /* all callbacks have run when close returns */
    assert_int_equal(chain.outcome, TENURE_UNKNOWN);
    assert_false(pthread_equal(chain.thread, pthread_self()));
    remote_stop(&remote);
}

/* The same library, driven by hand. */
static void test_without_a_thread_the_caller_drives(void **state)
{
    (void)state;
    struct remote remote;
    struct chain chain = {.ended = GATE_INIT};
    uint64_t watermark;
    remote_start(&remote, server_obey, NULL);
    struct tenure_client *client = remote_client(&remote, LONG_US);
    assert_true(tenure_fd(client) >= 0);
    assert_int_equal(revoke(client, &watermark), TENURE_OK);
    start_chain(&chain, client);
    while (chain.count < CALLS) {
        tenure_process(client, tenure_timeout_us(client));
    }
    assert_true(pthread_equal(chain.thread, pthread_self()));
    tenure_close(client);
    remote_stop(&remote);
}

static int certify(void **state)
{
    (void)state;
    remote_certify();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_of_many_threads_gets_its_own_answers),
        cmocka_unit_test(test_callbacks_run_on_the_clients_thread),
        cmocka_unit_test(test_deadlines_of_others_stay_on_the_clients_thread),
        cmocka_unit_test(test_close_ends_callers_that_wait),
        cmocka_unit_test(test_cancel_from_another_thread),
        cmocka_unit_test(test_close_runs_callbacks_on_the_clients_thread),
        cmocka_unit_test(test_without_a_thread_the_caller_drives),
    };
    return cmocka_run_group_tests(tests, certify, NULL);
}

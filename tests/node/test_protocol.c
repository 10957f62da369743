/* What a node does with a client's bytes: who is served, what is refused, and within which bounds.
 */
#include "tests/node/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "op/token.h"

#define SERVICE "tenure://test/acme/service/gateway"
#define OPERATOR "tenure://test/-/operator/root"
#define HOUR (3600 * SIM_SECOND)
/* node/config.def */
#define HELLO_US (5 * SIM_SECOND)
#define FRAME_US (30 * SIM_SECOND)

struct fixture {
    struct world world;
    size_t leader;
    struct env_tls *tls;
    struct raw raw;
};

static struct fixture fixture;

static int start(void **state)
{
    *state = &fixture;
    world_start(&fixture.world, 1);
    fixture.leader = world_leader(&fixture.world);
    fixture.tls = world_identity(&fixture.world, SERVICE);
    raw_open(&fixture.raw, &fixture.world, fixture.leader, fixture.tls);
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    raw_close(&f->raw);
    env_tls_destroy(f->tls);
    world_end(&f->world);
    return 0;
}

/* Another connection, of another certificate, in place of the fixture's. */
static void come_as(struct fixture *f, const char *identity)
{
    raw_close(&f->raw);
    env_tls_destroy(f->tls);
    f->tls = world_identity(&f->world, identity);
    raw_open(&f->raw, &f->world, f->leader, f->tls);
}

static const struct op_struct *fields(const char *method)
{
    return op_row_of_method(bytes_of_text(method))->request;
}

/* ---- who ---- */

static void nothing_is_served_before_hello(void **state)
{
    static const char *const methods[] = {"session.validate", OP_METHOD_STATUS, OP_METHOD_TIME,
                                          "client.register", "no.such"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        raw_request(&f->raw, 9, methods[i], NULL, NULL, NULL);
        raw_expect(&f->raw, 0, OP_PROTOCOL);
        raw_expect_closed(&f->raw);
        raw_close(&f->raw);
        raw_open(&f->raw, &f->world, f->leader, f->tls);
    }
}

static void hello_comes_once_and_in_a_known_version(void **state)
{
    struct fixture *f = *state;
    raw_hello(&f->raw);
    const struct op_hello_request hello = {.has_version = true, .version = 1, .has_instance = true};
    raw_request(&f->raw, 2, OP_METHOD_HELLO, NULL, &op_hello_request_struct, &hello);
    raw_expect(&f->raw, 0, OP_PROTOCOL);
    raw_expect_closed(&f->raw);
    raw_close(&f->raw);
    raw_open(&f->raw, &f->world, f->leader, f->tls);
    const struct op_hello_request newer = {.has_version = true, .version = 2, .has_instance = true};
    raw_request(&f->raw, 1, OP_METHOD_HELLO, NULL, &op_hello_request_struct, &newer);
    raw_expect(&f->raw, 0, OP_PROTOCOL);
    raw_expect_closed(&f->raw);
}

static void a_certificate_that_is_no_client_s_is_told_so(void **state)
{
    static const char *const strangers[] = {
        "tenure://test/-/peer/1",               /* a node */
        "tenure://other/acme/service/gateway",  /* another cluster's */
        "tenure://test/acme/owner/gateway",     /* no such role */
        "tenure://test/acme/service",           /* no name */
        "tenure://test/acme/service/a/b",       /* too much */
        "tenure://test/acme/service/gateway/",  /* a second spelling of one name */
        "tenure://test//service/gateway",       /* no tenant */
        "tenure://test/-/service/gateway",      /* a service has a tenant */
        "tenure://test/acme/operator/root",     /* an operator has none */
        "tenure://test/ac\tme/service/gateway", /* no text that the protocol could carry */
        "tenure://test/acme/service/\xff",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        come_as(f, strangers[i]);
        raw_expect(&f->raw, 0, OP_PROTOCOL);
        raw_expect_closed(&f->raw);
    }
}

static void only_operators_name_a_tenant_and_they_have_to(void **state)
{
    struct fixture *f = *state;
    struct op_envelope envelope = {.has_tenant = true, .tenant = bytes_of_text("acme")};
    const struct op_state_get_request get = {.has_user = true,
                                             .user = bytes_of_text("alice"),
                                             .has_key = true,
                                             .key = bytes_of_text("k")};
    raw_hello(&f->raw);
    raw_request(&f->raw, 2, "state.get", &envelope, fields("state.get"), &get);
    raw_expect(&f->raw, 2, OP_FORBIDDEN);
    const struct op_time_request time = {.has_time = true, .time = WORLD_T0};
    raw_request(&f->raw, 3, OP_METHOD_TIME, NULL, &op_time_request_struct, &time);
    raw_expect(&f->raw, 3, OP_FORBIDDEN);
    const struct op_snapshot_take_request take = {.has_position = true, .position = 1};
    raw_request(&f->raw, 4, OP_METHOD_SNAPSHOT_TAKE, NULL, &op_snapshot_take_request_struct, &take);
    raw_expect(&f->raw, 4, OP_FORBIDDEN);
    const struct op_snapshot_read_request read = {
        .has_index = true, .index = 1, .has_offset = true};
    raw_request(&f->raw, 5, OP_METHOD_SNAPSHOT_READ, NULL, &op_snapshot_read_request_struct, &read);
    raw_expect(&f->raw, 5, OP_FORBIDDEN);

    come_as(f, OPERATOR);
    raw_hello(&f->raw);
    raw_request(&f->raw, 2, "state.get", &envelope, fields("state.get"), &get);
    raw_expect(&f->raw, 2, OP_FORBIDDEN); /* by the row's roles */
    const struct op_revoke_user_request revoke = {.has_user = true, .user = bytes_of_text("alice")};
    raw_request(&f->raw, 3, "revoke.user", NULL, fields("revoke.user"), &revoke);
    raw_expect(&f->raw, 3, OP_INVALID);
    raw_request(&f->raw, 4, "revoke.user", &envelope, fields("revoke.user"), &revoke);
    struct raw_answer answer; /* and it has no number */
    raw_answer(&f->raw, &answer);
    assert_int_equal(answer.head.outcome, OP_INVALID);
    assert_true(bytes_equal(answer.details.field, bytes_of_text("client")));
}

/* ---- bytes ---- */

static void a_frame_beyond_the_bound_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    static const uint8_t before[] = {0, 1, 0, 0};
    raw_write(&f->raw, bytes_of(before, sizeof(before)));
    raw_expect(&f->raw, 0, OP_PROTOCOL);
    raw_expect_closed(&f->raw);
    raw_close(&f->raw);
    raw_open(&f->raw, &f->world, f->leader, f->tls);
    raw_hello(&f->raw);
    static const uint8_t after[] = {0, 2, 0, 0};
    raw_write(&f->raw, bytes_of(after, sizeof(after)));
    raw_expect(&f->raw, 0, OP_PROTOCOL);
    raw_expect_closed(&f->raw);
}

static void a_malformed_frame_ends_the_connection(void **state)
{
    static const char *const frames[] = {
        "\x01\xc1",                      /* no message */
        "\x05\x94\x00\xcc\x05\xa1",      /* not the shortest form */
        "\x01\x94",                      /* cut short */
        "\x05\x94\x01\x02\xc0\x80",      /* a response */
        "\x07\x94\x00\x02\xa1x\x91\x80", /* bytes too few after */
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < 4; i++) {
        raw_hello(&f->raw);
        uint8_t frame[16] = {0};
        size_t size = (size_t)frames[i][0];
        frame[3] = (uint8_t)size;
        memcpy(frame + 4, frames[i] + 1, size);
        raw_write(&f->raw, bytes_of(frame, size + 4));
        raw_expect(&f->raw, 0, OP_PROTOCOL);
        raw_expect_closed(&f->raw);
        raw_close(&f->raw);
        raw_open(&f->raw, &f->world, f->leader, f->tls);
    }
}

static void a_wrong_request_is_answered_and_the_connection_goes_on(void **state)
{
    struct fixture *f = *state;
    raw_hello(&f->raw);
    raw_request(&f->raw, 2, "no.such", NULL, NULL, NULL);
    raw_expect(&f->raw, 2, OP_PROTOCOL);
    raw_request(&f->raw, 3, "session.validate", NULL, NULL, NULL); /* fields missing */
    raw_expect(&f->raw, 3, OP_INVALID);
    const struct op_status_request status = {.has_at = true, .at = 1};
    raw_request(&f->raw, 4, "session.validate", NULL, &op_status_request_struct, &status);
    struct raw_answer answer; /* an unknown field */
    raw_answer(&f->raw, &answer);
    assert_int_equal(answer.msgid, 4);
    assert_int_equal(op_outcome_class(answer.head.outcome), OP_CLASS_REFUSED);
    const struct op_revoke_user_request text = {.has_user = true, .user = bytes_of_text("x")};
    raw_request(&f->raw, 5, OP_METHOD_STATUS, NULL, fields("revoke.user"), &text);
    raw_answer(&f->raw, &answer);
    assert_int_equal(answer.msgid, 5);
    assert_int_equal(op_outcome_class(answer.head.outcome), OP_CLASS_REFUSED);
    raw_request(&f->raw, 6, OP_METHOD_STATUS, NULL, NULL, NULL);
    raw_expect(&f->raw, 6, OP_OK);
}

/* ---- many ---- */

static void register_many(struct fixture *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct op_status_request status = {.has_at = false};
        raw_request(&f->raw, 10 + i, OP_METHOD_STATUS, NULL, &op_status_request_struct, &status);
    }
}

static void five_thousand_pipelined_requests_are_all_answered(void **state)
{
    enum { MANY = 5000 };
    static bool seen[MANY];
    struct fixture *f = *state;
    const struct op_session_validate_request validate = {
        .has_user = true,
        .user = bytes_of_text("alice"),
        .has_token = true,
        .token = {.incarnation = fsm_incarnation(f->world.nodes[f->leader].node->fsm)}};
    memset(seen, 0, sizeof(seen));
    raw_hello(&f->raw);
    for (uint32_t i = 0; i < MANY; i++) {
        raw_request(&f->raw, i, "session.validate", NULL, fields("session.validate"), &validate);
    }
    const struct node *node = f->world.nodes[f->leader].node;
    for (uint32_t i = 0; i < MANY; i++) {
        struct raw_answer answer;
        LIST_FOR_EACH(at, &node->listener.connections)
        {
            const struct node_connection *connection = LIST_ENTRY(at, struct node_connection,
                                                                  in_listener);
            assert_true(connection->request_count <= CONNECTION_REQUESTS_MAX);
        }
        raw_answer(&f->raw, &answer);
        assert_int_equal(answer.head.outcome, OP_NOT_FOUND);
        assert_true(answer.msgid < MANY && !seen[answer.msgid]);
        seen[answer.msgid] = true;
    }
    register_many(f, 5000); /* and those that the node answers at once */
    for (uint32_t i = 0; i < 5000; i++) {
        raw_expect(&f->raw, 10 + i, OP_OK);
    }
}

/* It asks for large answers and takes none: memory stays bounded, and all come when it reads again.
 */
static void a_client_that_does_not_read_is_not_read_from(void **state)
{
    enum { MANY = 2000, VALUE = 60000 };
    struct fixture *f = *state;
    struct tenure_client *client = world_client(&f->world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    static char value[VALUE + 1];
    memset(value, 'v', VALUE);
    assert_int_equal(world_put(client, &session, "k", value), TENURE_OK);
    raw_hello(&f->raw);
    env_conn_pause(f->raw.conn, true);
    struct op_state_get_request get = {.has_user = true,
                                       .user = bytes_of_text("alice"),
                                       .has_token = true,
                                       .has_key = true,
                                       .key = bytes_of_text("k")};
    assert_true(op_token_read(bytes_of_text(session.token), OP_TOKEN_session, &get.token));
    for (uint32_t i = 0; i < MANY; i++) {
        raw_request(&f->raw, i, "state.get", NULL, fields("state.get"), &get);
    }
    world_pass(&f->world, 5 * SIM_SECOND);
    const struct node *node = f->world.nodes[f->leader].node;
    bool paused = false;
    LIST_FOR_EACH(at, &node->listener.connections)
    {
        const struct node_connection *connection = LIST_ENTRY(at, struct node_connection,
                                                              in_listener);
        assert_true(env_conn_queued(connection->conn) <
                    CONNECTION_OPEN_MAX + CONNECTION_UNSENT_MAX);
        paused |= connection->paused;
    }
    assert_true(paused);
    env_conn_pause(f->raw.conn, false);
    for (uint32_t i = 0; i < MANY; i++) {
        struct raw_answer answer;
        raw_answer(&f->raw, &answer);
        assert_int_equal(answer.head.outcome, OP_OK);
        assert_true(answer.result.size > VALUE);
    }
    tenure_close(client);
}

static void register_request(struct fixture *f, uint32_t msgid)
{
    const struct op_client_register_request request = {.op_unused_ = false};
    raw_request(&f->raw, msgid, "client.register", NULL, fields("client.register"), &request);
}

static void a_cancelled_request_gets_no_answer(void **state)
{
    struct fixture *f = *state;
    raw_hello(&f->raw);
    register_request(f, 5);
    uint8_t frame[64];
    struct base_writer writer;
    base_writer_init(&writer, frame, sizeof(frame));
    op_notification_write(&writer, OP_METHOD_CANCEL, 5);
    raw_write(&f->raw, base_written(&writer));
    struct op_message message;
    assert_false(raw_take(&f->raw, 2 * SIM_SECOND, &message));
    register_request(f, 6);
    raw_expect(&f->raw, 6, OP_OK);
}

static struct node_connection *only_connection(const struct fixture *f)
{
    const struct node *node = f->world.nodes[f->leader].node;
    assert_int_equal(node->listener.count, 1);
    return LIST_ENTRY(node->listener.connections.next, struct node_connection, in_listener);
}

/* Nobody gets room by cancelling what is still on its way. */
static void a_cancelled_request_counts_until_it_ends(void **state)
{
    struct fixture *f = *state;
    struct node *node = f->world.nodes[f->leader].node;
    raw_hello(&f->raw);
    register_request(f, 5);
    uint8_t frame[64];
    struct base_writer writer;
    base_writer_init(&writer, frame, sizeof(frame));
    op_notification_write(&writer, OP_METHOD_CANCEL, 5);
    raw_write(&f->raw, base_written(&writer));
    const struct node_connection *connection = only_connection(f);
    while (list_empty(&node->batch->flights) || connection->input_size > 0) {
        assert_true(sim_step(f->world.sim));
    }
    assert_int_equal(connection->request_count, 1);
    assert_true(connection->open_bytes > 0 && node->listener.bytes >= connection->open_bytes);
    world_pass(&f->world, SIM_SECOND);
    assert_int_equal(connection->request_count, 0);
    assert_int_equal(connection->open_bytes, 0);
    assert_int_equal(node->listener.bytes, 0);
}

/* Of class RETRY, and with a hint. */
static void expect_overloaded(struct fixture *f, uint32_t msgid)
{
    struct raw_answer answer;
    raw_answer(&f->raw, &answer);
    assert_int_equal(answer.msgid, msgid);
    assert_int_equal(answer.head.outcome, OP_OVERLOADED);
    assert_int_equal(op_outcome_class(answer.head.outcome), OP_CLASS_RETRY);
    assert_true(answer.details.has_hint && answer.details.hint > 0);
}

static void what_the_whole_node_holds_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct node *node = f->world.nodes[f->leader].node;
    raw_hello(&f->raw);
    node->listener.bytes += LISTENER_BYTES_MAX; /* as if others held it */
    register_request(f, 5);
    expect_overloaded(f, 5);
    node->listener.bytes -= LISTENER_BYTES_MAX;
    register_request(f, 6);
    raw_expect(&f->raw, 6, OP_OK);
}

static uint64_t refused_for_their_share(const struct node *node, enum op_number number)
{
    size_t count = 0;
    return node_metrics_value(&node->observed.metrics, METRIC_SHARE_VIOLATIONS,
                              (size_t)(op_row_of_number(number) - op_rows(&count)), 0);
}

/* F-87: where a queue is full, who has the most in it is turned away, and that is counted. */
static void a_share_of_a_queue_that_is_used_up_is_counted(void **state)
{
    struct fixture *f = *state;
    struct node *node = f->world.nodes[f->leader].node;
    const struct op_session_validate_request validate = {
        .has_user = true,
        .user = bytes_of_text("alice"),
        .has_token = true,
        .token = {.incarnation = fsm_incarnation(node->fsm)}};
    raw_hello(&f->raw);
    register_request(f, 2);
    raw_expect(&f->raw, 2, OP_OK);
    node->batch->queue.bytes += BATCH_QUEUE_BYTES_MAX; /* as if it were full of this tenant's */
    register_request(f, 3);
    expect_overloaded(f, 3);
    node->batch->queue.bytes -= BATCH_QUEUE_BYTES_MAX;
    assert_int_equal(refused_for_their_share(node, OP_client_register), 1);
    node->reads.count += READS_MAX;
    raw_request(&f->raw, 4, "session.validate", NULL, fields("session.validate"), &validate);
    expect_overloaded(f, 4);
    node->reads.count -= READS_MAX;
    assert_int_equal(refused_for_their_share(node, OP_session_validate), 1);
    node->listener.bytes += LISTENER_BYTES_MAX; /* that is nobody's share */
    register_request(f, 5);
    expect_overloaded(f, 5);
    node->listener.bytes -= LISTENER_BYTES_MAX;
    assert_int_equal(refused_for_their_share(node, OP_client_register), 1);
}

/* ---- what is left behind ---- */

static bool holds(const uint8_t *buffer, size_t size, const char *text)
{
    size_t length = strlen(text);
    for (size_t at = 0; at + length <= size; at++) {
        if (memcmp(buffer + at, text, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Nodes, clients and the worlds of earlier tests share one heap, and a world of the same seed mints
 * the same tokens: what malloc found in these buffers says nothing of what the node left there. */
static size_t blank_buffers(struct node *node)
{
    size_t size = 0;
    memset(node->scratch, 0, NODE_SCRATCH);
    LIST_FOR_EACH(at, &node->listener.connections)
    {
        struct node_connection *connection = LIST_ENTRY(at, struct node_connection, in_listener);
        assert_int_equal(connection->input_size, 0);
        if (connection->input != NULL) {
            memset(connection->input, 0, connection->input_capacity);
        }
        size += connection->input_capacity;
    }
    return size;
}

static void no_token_stays_in_a_buffer(void **state)
{
    struct fixture *f = *state;
    struct node *node = f->world.nodes[f->leader].node;
    struct tenure_client *client = world_client(&f->world, f->leader, "service");
    struct tenure_node_status_request status = {.has_at = false};
    struct tenure_node_status_reply reply;
    struct tenure_result result;
    assert_int_equal(tenure_node_status(client, &status, &reply, &result), TENURE_OK);
    tenure_result_done(&result);
    size_t blank = blank_buffers(node);
    struct world_session session;
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    assert_false(holds(node->scratch, NODE_SCRATCH, session.token));
    assert_int_equal(world_validate(client, &session, NULL), TENURE_OK);
    size_t seen = 0;
    LIST_FOR_EACH(at, &node->listener.connections)
    {
        const struct node_connection *connection = LIST_ENTRY(at, struct node_connection,
                                                              in_listener);
        seen += connection->input_capacity;
        assert_false(holds(connection->input, connection->input_capacity, session.token));
    }
    assert_true(seen > 0);
    assert_int_equal(seen, blank); /* these buffers, and no others */
    tenure_close(client);
}

static void a_large_buffer_is_given_back(void **state)
{
    static char value[60001];
    struct fixture *f = *state;
    raw_hello(&f->raw);
    memset(value, 'v', sizeof(value) - 1);
    struct op_state_put_request put = {.has_user = true,
                                       .user = bytes_of_text("alice"),
                                       .has_key = true,
                                       .key = bytes_of_text("k"),
                                       .has_value = true,
                                       .value = bytes_of_text(value)};
    raw_request(&f->raw, 2, "state.put", NULL, fields("state.put"), &put);
    raw_expect(&f->raw, 2, OP_INVALID); /* it has no number */
    assert_true(only_connection(f)->input_capacity <= CONNECTION_INPUT_KEPT);
}

static void who_does_not_go_on_is_closed(void **state)
{
    static const uint8_t part[] = {0, 0, 1, 0, 0x94};
    struct fixture *f = *state;
    world_pass(&f->world, HELLO_US - SIM_SECOND);
    assert_false(f->raw.closed);
    world_pass(&f->world, 2 * LISTENER_SWEEP_US + SIM_SECOND);
    raw_expect(&f->raw, 0, OP_PROTOCOL);
    raw_expect_closed(&f->raw);
    raw_close(&f->raw);
    raw_open(&f->raw, &f->world, f->leader, f->tls);
    raw_hello(&f->raw);
    world_pass(&f->world, FRAME_US + HELLO_US);
    assert_false(f->raw.closed); /* one that is silent may stay */
    raw_write(&f->raw, bytes_of(part, sizeof(part)));
    world_pass(&f->world, FRAME_US / 2);
    raw_write(&f->raw, bytes_of(part + 4, 1)); /* another byte gains it no time */
    world_pass(&f->world, FRAME_US / 2 + 2 * LISTENER_SWEEP_US);
    raw_expect(&f->raw, 0, OP_PROTOCOL);
    raw_expect_closed(&f->raw);
}

/* ---- what else a node may be asked, or fed ---- */

static bool counts_in_status(struct fixture *f)
{
    struct raw_answer answer;
    raw_hello(&f->raw);
    raw_request(&f->raw, 2, OP_METHOD_STATUS, NULL, NULL, NULL);
    raw_answer(&f->raw, &answer);
    assert_int_equal(answer.head.outcome, OP_OK);
    bool sessions = holds(answer.result.data, answer.result.size, "sessions");
    assert_int_equal(sessions, holds(answer.result.data, answer.result.size, "tasks"));
    return sessions;
}

static void a_service_learns_nothing_of_other_tenants_counts(void **state)
{
    struct fixture *f = *state;
    assert_false(counts_in_status(f));
    come_as(f, OPERATOR);
    assert_true(counts_in_status(f));
}

static void an_operator_registers_for_a_tenant(void **state)
{
    struct fixture *f = *state;
    come_as(f, OPERATOR);
    raw_hello(&f->raw);
    register_request(f, 5);
    struct raw_answer answer;
    raw_answer(&f->raw, &answer);
    assert_int_equal(answer.head.outcome, OP_INVALID);
    assert_true(bytes_equal(answer.details.field, bytes_of_text("tenant")));
    const struct op_envelope envelope = {.has_tenant = true, .tenant = bytes_of_text("acme")};
    const struct op_client_register_request request = {.op_unused_ = false};
    raw_request(&f->raw, 6, "client.register", &envelope, fields("client.register"), &request);
    raw_expect(&f->raw, 6, OP_OK);
}

/* An entry without a command would end where the one before it did. */
static void an_entry_of_no_command_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fsm *fsm = f->world.nodes[f->leader].node->fsm;
    uint8_t buffer[64];
    struct base_writer writer;
    base_writer_init(&writer, buffer, sizeof(buffer));
    op_entry_begin(&writer);
    op_entry_finish(&writer, fsm_time(fsm), 0);
    assert_false(writer.failed);
    assert_false(fsm_apply(fsm, base_written(&writer), NULL, NULL));
}

static bool batch_is_empty(void *arg)
{
    return node_batch_empty(arg);
}

/* R3: the connection goes, what it asked for happens all the same. */
static void a_closed_connection_takes_nothing_back(void **state)
{
    struct fixture *f = *state;
    const struct node *node = f->world.nodes[f->leader].node;
    raw_hello(&f->raw);
    uint64_t before = fsm_position(node->fsm);
    for (uint32_t i = 0; i < 50; i++) {
        register_request(f, 10 + i);
    }
    raw_expect(&f->raw, 10, OP_OK); /* the others are on their way */
    raw_close(&f->raw);
    world_pass(&f->world, SIM_SECOND);
    assert_true(fsm_position(node->fsm) > before);
    assert_int_equal(node->listener.count, 0);
    assert_true(sim_run_until(f->world.sim, batch_is_empty, node->batch, SIM_SECOND));
    raw_open(&f->raw, &f->world, f->leader, f->tls);
}

/* ---- where ---- */

static void a_follower_names_the_leader(void **state)
{
    struct fixture *f = *state;
    struct raw raw;
    raw_open(&raw, &f->world, world_other(f->leader), f->tls);
    raw_hello(&raw);
    const struct op_client_register_request request = {.op_unused_ = false};
    raw_request(&raw, 2, "client.register", NULL, fields("client.register"), &request);
    struct raw_answer answer;
    raw_answer(&raw, &answer);
    assert_int_equal(answer.head.outcome, OP_NOT_LEADER);
    assert_true(bytes_equal(answer.head.leader, bytes_of_text(f->world.nodes[f->leader].listen)));
    const struct op_time_request time = {.has_time = true, .time = WORLD_T0};
    raw_close(&raw);
    struct env_tls *tls = world_identity(&f->world, OPERATOR);
    raw_open(&raw, &f->world, world_other(f->leader), tls);
    raw_hello(&raw);
    raw_request(&raw, 3, OP_METHOD_TIME, NULL, &op_time_request_struct, &time);
    raw_expect(&raw, 3, OP_NOT_LEADER);
    raw_close(&raw);
    env_tls_destroy(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_served_before_hello, start, end),
        cmocka_unit_test_setup_teardown(hello_comes_once_and_in_a_known_version, start, end),
        cmocka_unit_test_setup_teardown(a_certificate_that_is_no_client_s_is_told_so, start, end),
        cmocka_unit_test_setup_teardown(only_operators_name_a_tenant_and_they_have_to, start, end),
        cmocka_unit_test_setup_teardown(a_frame_beyond_the_bound_ends_the_connection, start, end),
        cmocka_unit_test_setup_teardown(a_malformed_frame_ends_the_connection, start, end),
        cmocka_unit_test_setup_teardown(a_wrong_request_is_answered_and_the_connection_goes_on,
                                        start, end),
        cmocka_unit_test_setup_teardown(five_thousand_pipelined_requests_are_all_answered, start,
                                        end),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_is_not_read_from, start, end),
        cmocka_unit_test_setup_teardown(a_cancelled_request_gets_no_answer, start, end),
        cmocka_unit_test_setup_teardown(a_cancelled_request_counts_until_it_ends, start, end),
        cmocka_unit_test_setup_teardown(what_the_whole_node_holds_is_bounded, start, end),
        cmocka_unit_test_setup_teardown(a_share_of_a_queue_that_is_used_up_is_counted, start, end),
        cmocka_unit_test_setup_teardown(no_token_stays_in_a_buffer, start, end),
        cmocka_unit_test_setup_teardown(a_large_buffer_is_given_back, start, end),
        cmocka_unit_test_setup_teardown(who_does_not_go_on_is_closed, start, end),
        cmocka_unit_test_setup_teardown(a_service_learns_nothing_of_other_tenants_counts, start,
                                        end),
        cmocka_unit_test_setup_teardown(an_operator_registers_for_a_tenant, start, end),
        cmocka_unit_test_setup_teardown(an_entry_of_no_command_is_refused, start, end),
        cmocka_unit_test_setup_teardown(a_closed_connection_takes_nothing_back, start, end),
        cmocka_unit_test_setup_teardown(a_follower_names_the_leader, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

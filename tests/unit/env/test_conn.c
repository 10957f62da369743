/* Law: a connection delivers bytes in order, back-pressure works both ways, and each connection is
 * closed exactly once, never inside a call (env/net.h). */
#include "env/clock.h"
#include "env/loop.h"
#include "tests/unit/env/place.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALPN "tenure/1"
enum { WAIT_S = 20, MEGABYTE = 1024 * 1024, EMBEDDED_WAIT_MS = 3000 };

/* One side of a connection as a test sees it. */
struct side {
    struct env_conn *conn;
    bool opened;
    bool closed;
    bool drained;
    bool in_call; /* set around calls that must not call back */
    bool echoes;
    int closes;
    int rc;
    char detail[256];
    char identity[ENV_IDENTITY_MAX];
    uint8_t *data;
    size_t size;
    size_t wanted;
    bool complete;
};

struct pair {
    struct place place;
    struct env_tls *server_tls;
    struct env_tls *client_tls;
    struct env_listener *listener;
    char address[ENV_ADDRESS_MAX];
    struct side server;
    struct side client;
    bool both_closed;
    bool refuse_in_accept;
};

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct side *side = arg;
    assert_ptr_equal(side->conn, conn);
    assert_false(side->in_call || side->opened || side->closed);
    side->opened = true;
    (void)snprintf(side->identity, sizeof(side->identity), "%s", identity);
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct side *side = arg;
    assert_true(side->opened && !side->closed && !side->in_call);
    if (side->echoes) {
        env_conn_write(conn, data);
    }
    if (side->data != NULL) {
        assert_true(side->size + data.size <= side->wanted);
        memcpy(side->data + side->size, data.data, data.size);
    }
    side->size += data.size;
    side->complete = side->size >= side->wanted;
}

static void on_drain(void *arg, struct env_conn *conn)
{
    struct side *side = arg;
    assert_false(side->in_call || side->closed);
    assert_int_equal(env_conn_queued(conn), 0);
    side->drained = true;
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct side *side = arg;
    assert_ptr_equal(side->conn, conn);
    assert_false(side->in_call);
    side->closes++;
    side->closed = true;
    side->rc = rc;
    (void)strncpy(side->detail, detail, sizeof(side->detail) - 1);
    side->conn = NULL;
}

static const struct env_conn_handlers handlers = {on_open, on_data, on_drain, on_close};

static void on_accept(void *arg, struct env_conn *conn)
{
    struct pair *pair = arg;
    if (pair->refuse_in_accept) {
        env_conn_close(conn, false);
        return;
    }
    pair->server.conn = conn;
    env_conn_adopt(conn, &handlers, &pair->server);
}

static int set_up(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    assert_non_null(pair);
    place_init(&pair->place);
    place_make_ca(&pair->place, "one");
    place_issue(&pair->place, "one", "server", "tenure://c/peer/n1");
    place_issue(&pair->place, "one", "client", "tenure://c/t1/service/web");
    pair->server_tls = place_tls(&pair->place, "one", "server");
    pair->client_tls = place_tls(&pair->place, "one", "client");
    assert_int_equal(env_listen(pair->place.env, "127.0.0.1:0", pair->server_tls, ALPN, on_accept,
                                pair, pair->address, &pair->listener),
                     0);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    env_listener_close(pair->listener);
    place_done(&pair->place); /* closes what a test has left open */
    env_tls_destroy(pair->server_tls);
    env_tls_destroy(pair->client_tls);
    assert_in_range(pair->client.closes, 0, 1);
    assert_in_range(pair->server.closes, 0, 1);
    free(pair);
    return 0;
}

static void connect_client(struct pair *pair)
{
    pair->client.in_call = true;
    pair->client.conn = env_connect(pair->place.env, pair->address, pair->client_tls, ALPN,
                                    &handlers, &pair->client);
    pair->client.in_call = false;
    assert_non_null(pair->client.conn);
}

static void open_pair(struct pair *pair)
{
    connect_client(pair);
    place_wait(&pair->place, &pair->client.opened, WAIT_S);
    place_wait(&pair->place, &pair->server.opened, WAIT_S);
}

/* One round of another event loop that has taken this one in: it waits for the fd or the time. */
static void embedded_round(struct pair *pair)
{
    uint64_t timeout_us = env_timeout_us(pair->place.env);
    struct pollfd poll_fd = {.fd = env_fd(pair->place.env), .events = POLLIN};
    bool bounded = timeout_us < (uint64_t)EMBEDDED_WAIT_MS * 1000;
    int wait_ms = bounded ? (int)((timeout_us + 999) / 1000) : EMBEDDED_WAIT_MS;
    int ready = poll(&poll_fd, 1, wait_ms);
    assert_true(bounded || ready > 0); /* nothing came, and no timer was announced for now */
    env_turn(pair->place.env, 0);
}

static void an_embedding_loop_carries_connections(void **state)
{
    struct pair *pair = *state;
    pair->server.echoes = true;
    pair->client.wanted = 10;
    connect_client(pair);
    while (!pair->client.opened || !pair->server.opened) {
        embedded_round(pair);
    }
    env_conn_write(pair->client.conn, bytes_of_text("over there"));
    while (!pair->client.complete) {
        embedded_round(pair);
    }
    env_conn_close(pair->client.conn, true);
    while (!pair->client.closed || !pair->server.closed) {
        embedded_round(pair);
    }
}

static uint8_t *make_pattern(size_t size)
{
    uint8_t *data = malloc(size);
    assert_non_null(data);
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (uint8_t)(state >> 24);
    }
    return data;
}

static void each_side_learns_the_other_ones_identity(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    assert_string_equal(pair->client.identity, "tenure://c/peer/n1");
    assert_string_equal(pair->server.identity, "tenure://c/t1/service/web");
    assert_string_equal(env_tls_identity(pair->server_tls), "tenure://c/peer/n1");
    assert_string_equal(env_conn_address(pair->client.conn), pair->address);
    assert_memory_equal(env_conn_address(pair->server.conn), "127.0.0.1:", 10);
}

static void a_megabyte_comes_back_unchanged(void **state)
{
    struct pair *pair = *state;
    uint8_t *sent = make_pattern(MEGABYTE);
    pair->server.echoes = true;
    pair->server.wanted = MEGABYTE;
    pair->client.wanted = MEGABYTE;
    pair->client.data = calloc(1, MEGABYTE);
    open_pair(pair);
    for (size_t at = 0, piece = 1; at < MEGABYTE; piece = piece * 3 % 70001 + 1) {
        size_t size = piece < MEGABYTE - at ? piece : MEGABYTE - at;
        env_conn_write(pair->client.conn, bytes_of(sent + at, size));
        at += size;
    }
    assert_int_equal(env_conn_queued(pair->client.conn), MEGABYTE);
    place_wait(&pair->place, &pair->client.complete, WAIT_S);
    assert_memory_equal(sent, pair->client.data, MEGABYTE);
    place_wait(&pair->place, &pair->client.drained, WAIT_S);
    assert_int_equal(env_conn_queued(pair->client.conn), 0);
    free(sent);
    free(pair->client.data);
}

static void what_is_written_before_the_handshake_arrives(void **state)
{
    struct pair *pair = *state;
    pair->server.wanted = 5;
    connect_client(pair);
    env_conn_write(pair->client.conn, bytes_of_text("hello"));
    place_wait(&pair->place, &pair->server.complete, WAIT_S);
    place_wait(&pair->place, &pair->client.drained, WAIT_S);
}

static void a_paused_receiver_gets_nothing_and_holds_the_sender(void **state)
{
    enum { TOTAL = 16 * MEGABYTE };
    struct pair *pair = *state;
    uint8_t *sent = make_pattern(TOTAL);
    pair->server.wanted = TOTAL;
    pair->server.data = malloc(TOTAL);
    open_pair(pair);
    env_conn_pause(pair->server.conn, true);
    env_conn_write(pair->client.conn, bytes_of(sent, TOTAL));
    for (int i = 0; i < 20; i++) {
        env_turn(pair->place.env, 10000);
    }
    assert_int_equal(pair->server.size, 0);
    assert_false(pair->client.drained);
    assert_in_range(env_conn_queued(pair->client.conn), 1, TOTAL);
    env_conn_pause(pair->server.conn, false);
    place_wait(&pair->place, &pair->server.complete, WAIT_S);
    place_wait(&pair->place, &pair->client.drained, WAIT_S);
    assert_memory_equal(sent, pair->server.data, TOTAL);
    free(sent);
    free(pair->server.data);
}

static void pause_at_first_data(void *arg, struct env_conn *conn, struct bytes data)
{
    on_data(arg, conn, data);
    env_conn_pause(conn, true);
}

/* Several records arrive in one system call: pausing after the first keeps the others back, and
 * resuming brings them although the kernel has nothing more to report. */
static void pausing_within_on_data_keeps_the_rest_back(void **state)
{
    enum { RECORD = 16384, TOTAL = 3 * RECORD };
    struct pair *pair = *state;
    struct env_conn_handlers pausing = handlers;
    pausing.on_data = pause_at_first_data;
    uint8_t *sent = make_pattern(TOTAL);
    open_pair(pair);
    env_conn_adopt(pair->server.conn, &pausing, &pair->server);
    env_conn_write(pair->client.conn, bytes_of(sent, TOTAL));
    place_wait(&pair->place, &pair->client.drained, WAIT_S);
    for (size_t records = 1; records <= 3; records++) {
        place_wait(&pair->place, &pair->server.complete, WAIT_S);
        pair->server.complete = false;
        for (int i = 0; i < 5; i++) {
            env_turn(pair->place.env, 1000);
        }
        assert_int_equal(pair->server.size, records * RECORD);
        env_conn_pause(pair->server.conn, false);
    }
    free(sent);
}

static void wait_closed(struct pair *pair)
{
    place_wait(&pair->place, &pair->client.closed, WAIT_S);
    place_wait(&pair->place, &pair->server.closed, WAIT_S);
    for (int i = 0; i < 3; i++) {
        env_turn(pair->place.env, 1000);
    }
    assert_int_equal(pair->client.closes, 1);
    assert_int_equal(pair->server.closes, 1);
}

static void close_ends_both_sides_in_order(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    pair->client.in_call = true;
    env_conn_close(pair->client.conn, false);
    env_conn_close(pair->client.conn, false);
    env_conn_write(pair->client.conn, bytes_of_text("ignored"));
    assert_int_equal(env_conn_queued(pair->client.conn), 0);
    pair->client.in_call = false;
    wait_closed(pair);
    assert_int_equal(pair->client.rc, ENV_CLOSED);
    assert_string_equal(pair->client.detail, "closed by this side");
    assert_int_equal(pair->server.rc, ENV_CLOSED);
    assert_string_equal(pair->server.detail, "closed by the other side");
    assert_int_equal(pair->server.size, 0);
}

/* The closing side has unread input in its socket: the last words must arrive all the same. */
static void close_with_flush_loses_nothing(void **state)
{
    enum { TOTAL = 4 * MEGABYTE };
    struct pair *pair = *state;
    uint8_t *words = make_pattern(TOTAL);
    pair->client.wanted = TOTAL;
    pair->client.data = malloc(TOTAL);
    open_pair(pair);
    env_conn_pause(pair->server.conn, true);
    env_conn_write(pair->client.conn, bytes_of(words, TOTAL)); /* goes on during the close */
    env_conn_write(pair->client.conn, bytes_of(words, TOTAL));
    env_turn(pair->place.env, 1000);
    env_conn_write(pair->server.conn, bytes_of(words, TOTAL));
    env_conn_close(pair->server.conn, true);
    env_conn_write(pair->server.conn, bytes_of_text("ignored"));
    wait_closed(pair);
    assert_int_equal(pair->server.size, 0);
    assert_int_equal(pair->client.size, TOTAL);
    assert_memory_equal(words, pair->client.data, TOTAL);
    assert_int_equal(pair->client.rc, ENV_CLOSED);
    assert_string_equal(pair->client.detail, "closed by the other side");
    assert_int_equal(pair->server.rc, ENV_CLOSED);
    assert_string_equal(pair->server.detail, "closed by this side");
    free(words);
    free(pair->client.data);
}

static void close_with_flush_is_bounded(void **state)
{
    struct pair *pair = *state;
    uint8_t *words = make_pattern(16 * MEGABYTE);
    open_pair(pair);
    env_conn_pause(pair->client.conn, true);
    env_conn_write(pair->server.conn, bytes_of(words, 16 * MEGABYTE));
    uint64_t from = env_mono_us(pair->place.env);
    env_conn_close(pair->server.conn, true);
    place_wait(&pair->place, &pair->server.closed, WAIT_S);
    assert_in_range(env_mono_us(pair->place.env) - from, 2000000, 5000000);
    assert_string_equal(pair->server.detail, "closed by this side before all was sent");
    env_conn_pause(pair->client.conn, false);
    wait_closed(pair);
    assert_int_equal(pair->client.rc, ENV_RESET);
    free(words);
}

static void close_before_open_is_told_once(void **state)
{
    struct pair *pair = *state;
    connect_client(pair);
    pair->client.in_call = true;
    env_conn_close(pair->client.conn, true);
    pair->client.in_call = false;
    place_wait(&pair->place, &pair->client.closed, WAIT_S);
    assert_false(pair->client.opened);
    assert_int_equal(pair->client.rc, ENV_CLOSED);
}

static void a_connection_refused_at_accept_is_lost(void **state)
{
    struct pair *pair = *state;
    pair->refuse_in_accept = true;
    connect_client(pair);
    place_wait(&pair->place, &pair->client.closed, WAIT_S);
    assert_int_equal(pair->client.rc, ENV_RESET);
    assert_false(pair->client.opened);
}

static void nobody_listens(void **state)
{
    struct pair *pair = *state;
    env_listener_close(pair->listener);
    pair->listener = NULL;
    connect_client(pair);
    place_wait(&pair->place, &pair->client.closed, WAIT_S);
    assert_int_equal(pair->client.rc, ENV_REFUSED);
    assert_string_equal(pair->client.detail, "Connection refused");
}

static void accepted_connections_outlive_their_listener(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    env_listener_close(pair->listener);
    pair->listener = NULL;
    pair->server.wanted = 5;
    env_conn_write(pair->client.conn, bytes_of_text("still"));
    place_wait(&pair->place, &pair->server.complete, WAIT_S);
}

static void destroy_closes_what_is_open(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    env_conn_write(pair->client.conn, bytes_of_text("unsent"));
    env_uv_destroy(pair->place.env);
    assert_int_equal(pair->client.closes, 1);
    assert_int_equal(pair->server.closes, 1);
    pair->listener = NULL; /* went with the env */
    assert_int_equal(env_uv_create(&pair->place.env), 0);
}

static void addresses_are_numeric_or_refused(void **state)
{
    struct pair *pair = *state;
    static const char *const bad[] = {
        "",          "127.0.0.1",       "localhost:1",  ":1",
        "[::1]",     "[::1:1",          "1.2.3.4:",     "1.2.3.4:65536",
        "1.2.3.4:x", "127.0.0.1:70000", "[127.0.0.1]:1"};
    struct env_listener *listener = NULL;
    char address[ENV_ADDRESS_MAX];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(env_connect(pair->place.env, bad[i], pair->client_tls, ALPN, &handlers, pair));
        assert_int_equal(env_listen(pair->place.env, bad[i], pair->server_tls, ALPN, on_accept,
                                    pair, address, &listener),
                         ENV_ADDRESS);
    }
    assert_int_equal(env_listen(pair->place.env, pair->address, pair->server_tls, ALPN, on_accept,
                                pair, address, &listener),
                     ENV_IN_USE);
    assert_int_equal(env_listen(pair->place.env, "192.0.2.1:0", pair->server_tls, ALPN, on_accept,
                                pair, address, &listener),
                     ENV_ADDRESS);
}

static void ipv6_works_where_the_machine_has_it(void **state)
{
    struct pair *pair = *state;
    struct env_listener *listener = NULL;
    int rc = env_listen(pair->place.env, "[::1]:0", pair->server_tls, ALPN, on_accept, pair,
                        pair->address, &listener);
    if (rc == ENV_ADDRESS) {
        return; /* no IPv6 on this machine */
    }
    assert_int_equal(rc, 0);
    assert_memory_equal(pair->address, "[::1]:", 6);
    open_pair(pair);
    env_listener_close(listener);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_side_learns_the_other_ones_identity),
        CASE(a_megabyte_comes_back_unchanged),
        CASE(what_is_written_before_the_handshake_arrives),
        CASE(a_paused_receiver_gets_nothing_and_holds_the_sender),
        CASE(pausing_within_on_data_keeps_the_rest_back),
        CASE(close_ends_both_sides_in_order),
        CASE(close_with_flush_loses_nothing),
        CASE(close_with_flush_is_bounded),
        CASE(close_before_open_is_told_once),
        CASE(a_connection_refused_at_accept_is_lost),
        CASE(nobody_listens),
        CASE(accepted_connections_outlive_their_listener),
        CASE(destroy_closes_what_is_open),
        CASE(addresses_are_numeric_or_refused),
        CASE(an_embedding_loop_carries_connections),
        CASE(ipv6_works_where_the_machine_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

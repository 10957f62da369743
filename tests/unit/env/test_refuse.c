/* Law: only TLS 1.3 with certificates of our CA, one identity and one protocol is a connection; all
 * else is refused with one clear line, once, and costs the server little (env/net.h). */
#include "env/clock.h"
#include "env/loop.h"
#include "tests/unit/env/alter.h"
#include "tests/unit/env/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ALPN "tenure/1"
enum { WAIT_S = 20, TURN_US = 1000, HANDSHAKES_MAX = 256 };

struct side {
    bool opened;
    bool closed;
    int closes;
    int rc;
    char detail[256];
};

struct scene {
    struct place place;
    struct env_tls *tls;
    struct env_listener *listener;
    char address[ENV_ADDRESS_MAX];
    struct side server;
    struct side client;
    struct raw raw;
    unsigned accepts;
};

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct side *side = arg;
    (void)conn;
    (void)identity;
    side->opened = true;
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    (void)arg;
    (void)conn;
    (void)data;
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct side *side = arg;
    (void)conn;
    side->closed = true;
    side->closes++;
    side->rc = rc;
    (void)strncpy(side->detail, detail, sizeof(side->detail) - 1);
}

static const struct env_conn_handlers handlers = {on_open, on_data, NULL, on_close};

static void on_accept(void *arg, struct env_conn *conn)
{
    struct scene *scene = arg;
    scene->accepts++;
    env_conn_adopt(conn, &handlers, &scene->server);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    scene->raw.fd = -1;
    place_init(&scene->place);
    place_make_ca(&scene->place, "one");
    place_issue(&scene->place, "one", "server", "tenure://c/peer/n1");
    place_issue(&scene->place, "one", "client", "tenure://c/t1/service/web");
    scene->tls = place_tls(&scene->place, "one", "server");
    assert_int_equal(env_listen(scene->place.env, "127.0.0.1:0", scene->tls, ALPN, on_accept, scene,
                                scene->address, &scene->listener),
                     0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    raw_done(&scene->raw);
    place_done(&scene->place);
    env_tls_destroy(scene->tls);
    free(scene);
    return 0;
}

static void wait_closed(struct scene *scene, const struct side *side)
{
    uint64_t until = env_mono_us(scene->place.env) + (uint64_t)WAIT_S * 1000000;
    while (!side->closed) {
        assert_true(env_mono_us(scene->place.env) < until);
        env_turn(scene->place.env, TURN_US);
        raw_step(&scene->raw);
    }
    for (int i = 0; i < 3; i++) {
        env_turn(scene->place.env, TURN_US);
    }
    assert_int_equal(side->closes, 1);
}

/* The server refuses the raw client before it is open, for this reason. */
static void expect_refused(struct scene *scene, const char *detail)
{
    raw_begin(&scene->raw, raw_connect(scene->address), false);
    wait_closed(scene, &scene->server);
    assert_string_equal(scene->server.detail, detail);
    assert_int_equal(scene->server.rc, ENV_TLS);
    assert_false(scene->server.opened);
}

static void expect_certificate_refused(struct scene *scene, void (*alter)(X509 *certificate),
                                       const char *detail)
{
    place_alter(&scene->place, "one", "client", alter);
    raw_init(&scene->raw, &scene->place, "client", ALPN);
    expect_refused(scene, detail);
}

static void a_right_raw_client_is_accepted_and_gets_no_ticket(void **state)
{
    struct scene *scene = *state;
    raw_init(&scene->raw, &scene->place, "client", ALPN);
    raw_begin(&scene->raw, raw_connect(scene->address), false);
    while (!scene->server.opened) {
        assert_false(scene->server.closed);
        env_turn(scene->place.env, TURN_US);
        raw_step(&scene->raw);
    }
    for (int i = 0; i < 10; i++) {
        env_turn(scene->place.env, TURN_US);
        raw_step(&scene->raw);
    }
    assert_int_equal(scene->raw.failed, 0);
    assert_int_equal(scene->raw.tickets, 0);
    assert_string_equal(SSL_get_version(scene->raw.ssl), "TLSv1.3");
}

static void a_client_of_another_ca_is_refused(void **state)
{
    struct scene *scene = *state;
    place_make_ca(&scene->place, "two");
    place_issue(&scene->place, "two", "client", "tenure://c/t1/service/web");
    raw_init(&scene->raw, &scene->place, "client", ALPN);
    expect_refused(scene, "unknown CA");
}

static void a_client_of_another_ca_of_the_same_name_is_refused(void **state)
{
    struct scene *scene = *state;
    place_make_ca(&scene->place, "one"); /* the server has loaded the first one of that name */
    place_issue(&scene->place, "one", "client", "tenure://c/t1/service/web");
    raw_init(&scene->raw, &scene->place, "client", ALPN);
    expect_refused(scene, "unknown CA");
}

static void a_client_refuses_a_server_of_another_ca(void **state)
{
    struct scene *scene = *state;
    place_make_ca(&scene->place, "two");
    place_issue(&scene->place, "two", "client", "tenure://c/t1/service/web");
    struct env_tls *tls = place_tls(&scene->place, "two", "client");
    assert_non_null(
        env_connect(scene->place.env, scene->address, tls, ALPN, &handlers, &scene->client));
    wait_closed(scene, &scene->client);
    wait_closed(scene, &scene->server);
    env_tls_destroy(tls);
    assert_false(scene->client.opened || scene->server.opened);
    assert_int_equal(scene->client.rc, ENV_TLS);
    assert_string_equal(scene->client.detail, "unknown CA");
    assert_int_equal(scene->server.rc, ENV_TLS);
    assert_string_equal(scene->server.detail, "refused by the other side: unknown CA");
}

static void an_expired_certificate_is_refused(void **state)
{
    expect_certificate_refused(*state, alter_expire, "certificate expired");
}

static void a_future_certificate_is_refused(void **state)
{
    expect_certificate_refused(*state, alter_postpone, "certificate not yet valid");
}

static void a_server_certificate_is_no_client_certificate(void **state)
{
    expect_certificate_refused(*state, alter_no_client_use, "certificate not made for this use");
}

static void a_certificate_needs_exactly_one_identity(void **state)
{
    static const struct {
        void (*alter)(X509 *certificate);
        const char *detail;
    } cases[] = {
        {alter_drop_names, "certificate without a URI name"},
        {alter_dns_name, "certificate without a URI name"},
        {alter_two_uris, "certificate with two URI names"},
        {alter_foreign_scheme, "certificate whose URI name is not a tenure:// identity"},
        {alter_control_character, "certificate whose URI name is not a tenure:// identity"},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        place_issue(&scene->place, "one", "client", "tenure://c/t1/service/web");
        memset(&scene->server, 0, sizeof(scene->server));
        expect_certificate_refused(scene, cases[i].alter, cases[i].detail);
        raw_done(&scene->raw);
        scene->raw = (struct raw){.fd = -1};
    }
}

static void a_missing_certificate_is_refused(void **state)
{
    struct scene *scene = *state;
    raw_init(&scene->raw, &scene->place, NULL, ALPN);
    expect_refused(scene, "no client certificate");
}

static void tls_1_2_is_refused(void **state)
{
    struct scene *scene = *state;
    raw_init(&scene->raw, &scene->place, "client", ALPN);
    assert_int_equal(SSL_CTX_set_max_proto_version(scene->raw.context, TLS1_2_VERSION), 1);
    expect_refused(scene, "not TLS 1.3");
}

static void another_protocol_name_is_refused_on_both_sides(void **state)
{
    struct scene *scene = *state;
    assert_non_null(env_connect(scene->place.env, scene->address, scene->tls, "tenure-peer/1",
                                &handlers, &scene->client));
    wait_closed(scene, &scene->client);
    wait_closed(scene, &scene->server);
    assert_false(scene->client.opened || scene->server.opened);
    assert_int_equal(scene->server.rc, ENV_TLS);
    assert_string_equal(scene->server.detail, "no ALPN tenure/1");
    assert_int_equal(scene->client.rc, ENV_TLS);
    assert_string_equal(scene->client.detail, "no ALPN tenure-peer/1");
}

static void no_protocol_name_is_refused(void **state)
{
    struct scene *scene = *state;
    raw_init(&scene->raw, &scene->place, "client", NULL);
    expect_refused(scene, "no ALPN tenure/1");
}

static void what_is_not_tls_is_refused(void **state)
{
    struct scene *scene = *state;
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = raw_connect(scene->address);
    assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    wait_closed(scene, &scene->server);
    (void)close(fd);
    assert_int_equal(scene->server.rc, ENV_TLS);
    assert_string_equal(scene->server.detail, "not TLS");
}

static void a_client_that_leaves_in_the_handshake_is_lost(void **state)
{
    struct scene *scene = *state;
    int fd = raw_connect(scene->address);
    (void)close(fd);
    wait_closed(scene, &scene->server);
    assert_int_equal(scene->server.rc, ENV_RESET);
}

static void a_silent_client_is_closed_in_time(void **state)
{
    struct scene *scene = *state;
    int fd = raw_connect(scene->address);
    uint64_t from = env_mono_us(scene->place.env);
    wait_closed(scene, &scene->server);
    assert_in_range(env_mono_us(scene->place.env) - from, 5000000, 8000000);
    assert_int_equal(scene->server.rc, ENV_TLS);
    assert_string_equal(scene->server.detail, "handshake timed out");
    (void)close(fd);
}

/* The client's side against a raw server that answers with `raw`. */
static void expect_server_refused(struct scene *scene, const char *detail)
{
    char address[ENV_ADDRESS_MAX];
    int listener = raw_listen(address);
    assert_non_null(
        env_connect(scene->place.env, address, scene->tls, ALPN, &handlers, &scene->client));
    int fd = -1;
    while (fd < 0) {
        env_turn(scene->place.env, TURN_US);
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    (void)close(listener);
    raw_begin(&scene->raw, fd, true);
    wait_closed(scene, &scene->client);
    assert_false(scene->client.opened);
    assert_int_equal(scene->client.rc, ENV_TLS);
    assert_string_equal(scene->client.detail, detail);
}

static void a_client_refuses_an_expired_server(void **state)
{
    struct scene *scene = *state;
    place_alter(&scene->place, "one", "client", alter_expire);
    raw_init(&scene->raw, &scene->place, "client", NULL);
    expect_server_refused(scene, "certificate expired");
}

static void a_client_refuses_a_server_without_protocol_name(void **state)
{
    struct scene *scene = *state;
    raw_init(&scene->raw, &scene->place, "client", NULL);
    expect_server_refused(scene, "no ALPN tenure/1");
}

static void a_client_refuses_tls_1_2(void **state)
{
    struct scene *scene = *state;
    raw_init(&scene->raw, &scene->place, "client", NULL);
    assert_int_equal(SSL_CTX_set_max_proto_version(scene->raw.context, TLS1_2_VERSION), 1);
    expect_server_refused(scene, "refused by the other side: TLS version");
}

static void connections_in_handshake_are_bounded(void **state)
{
    enum { MANY = HANDSHAKES_MAX + 40 };
    struct scene *scene = *state;
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = raw_connect(scene->address);
        env_turn(scene->place.env, 0);
    }
    for (int i = 0; i < 20; i++) {
        env_turn(scene->place.env, TURN_US);
    }
    assert_int_equal(scene->accepts, HANDSHAKES_MAX);
    (void)close(fds[0]);
    while (scene->accepts == HANDSHAKES_MAX) { /* room for one more */
        env_turn(scene->place.env, TURN_US);
    }
    for (int i = 1; i < MANY; i++) {
        (void)close(fds[i]);
    }
    while (scene->accepts < MANY) {
        env_turn(scene->place.env, TURN_US);
    }
}

/* Out of files, the loop must rest instead of turning for nothing, and accept later. */
static void out_of_files_the_listener_rests(void **state)
{
    struct scene *scene = *state;
    struct rlimit limit;
    int fd = raw_connect(scene->address);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    env_uv_set_log(scene->place.env, ENV_UV_LOG_TEXT, ENV_LOG_ERROR, NULL);
    uint64_t until = env_mono_us(scene->place.env) + 350000;
    unsigned turns = 0;
    while (env_mono_us(scene->place.env) < until) {
        env_turn(scene->place.env, 350000);
        turns++;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(scene->accepts, 0);
    assert_in_range(turns, 1, 20);
    while (scene->accepts == 0) {
        env_turn(scene->place.env, TURN_US);
    }
    (void)close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_right_raw_client_is_accepted_and_gets_no_ticket),
        CASE(a_client_of_another_ca_is_refused),
        CASE(a_client_of_another_ca_of_the_same_name_is_refused),
        CASE(a_client_refuses_a_server_of_another_ca),
        CASE(an_expired_certificate_is_refused),
        CASE(a_future_certificate_is_refused),
        CASE(a_server_certificate_is_no_client_certificate),
        CASE(a_certificate_needs_exactly_one_identity),
        CASE(a_missing_certificate_is_refused),
        CASE(tls_1_2_is_refused),
        CASE(another_protocol_name_is_refused_on_both_sides),
        CASE(no_protocol_name_is_refused),
        CASE(what_is_not_tls_is_refused),
        CASE(a_client_that_leaves_in_the_handshake_is_lost),
        CASE(a_silent_client_is_closed_in_time),
        CASE(a_client_refuses_an_expired_server),
        CASE(a_client_refuses_a_server_without_protocol_name),
        CASE(a_client_refuses_tls_1_2),
        CASE(connections_in_handshake_are_bounded),
        CASE(out_of_files_the_listener_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

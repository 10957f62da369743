/* Who may come in, and how many: half-open connections, crowds of one certificate, a full house.
 * None of them keeps others out for long, and each ends within its time.
 */
#include "tests/node/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GATEWAY "tenure://test/acme/service/gateway"
#define OTHER "tenure://test/acme/service/other"

enum { CROWD = 40 };

struct fixture {
    struct world world;
    size_t leader;
    struct env_tls *tls;
};

/* A connection of which only its end counts. */
struct visitor {
    struct env_conn *conn;
    bool open;
    bool closed;
};

static struct fixture fixture;

static int start(void **state)
{
    *state = &fixture;
    world_start(&fixture.world, 3);
    fixture.leader = world_leader(&fixture.world);
    fixture.tls = world_identity(&fixture.world, GATEWAY);
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    env_tls_destroy(f->tls);
    world_end(&f->world);
    return 0;
}

static struct world_node *server(struct fixture *f)
{
    return &f->world.nodes[f->leader];
}

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    (void)conn;
    (void)identity;
    ((struct visitor *)arg)->open = true;
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    (void)arg;
    (void)conn;
    (void)data;
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct visitor *visitor = arg;
    (void)conn;
    (void)rc;
    (void)detail;
    visitor->closed = true;
    visitor->conn = NULL;
}

static void visit(struct fixture *f, struct visitor *visitors, size_t count)
{
    static const struct env_conn_handlers handlers = {
        .on_open = on_open, .on_data = on_data, .on_close = on_close};
    memset(visitors, 0, count * sizeof(*visitors));
    for (size_t i = 0; i < count; i++) {
        visitors[i].conn = env_connect(f->world.console, server(f)->listen, f->tls, "tenure/1",
                                       &handlers, &visitors[i]);
        assert_non_null(visitors[i].conn);
    }
}

static void leave(struct fixture *f, struct visitor *visitors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (visitors[i].conn != NULL) {
            env_conn_close(visitors[i].conn, false);
        }
    }
    world_pass(&f->world, SIM_SECOND);
}

/* Their first bytes arrive and no answer does: none gets through its handshake. */
static void hold_in_handshake(struct fixture *f, bool hold)
{
    sim_net_cut(f->world.sim, server(f)->host, f->world.apps, hold);
}

static void of_too_many_handshakes_the_oldest_goes(void **state)
{
    struct fixture *f = *state;
    static struct visitor visitors[CROWD];
    struct node_listener *listener = &server(f)->node->listener;
    server(f)->config.handshakes_max = 8;
    hold_in_handshake(f, true);
    visit(f, visitors, CROWD);
    for (size_t most = 0, i = 0; i < 200; i++) {
        world_pass(&f->world, 5 * SIM_MILLISECOND);
        most = listener->shaking_count > most ? listener->shaking_count : most;
        assert_true(most <= 8 && listener->count <= CROWD);
        assert_true(i < 199 || most == 8);
    }
    hold_in_handshake(f, false);
    struct raw raw; /* who is new gets in at once */
    raw_open(&raw, &f->world, f->leader, f->tls);
    raw_hello(&raw);
    raw_close(&raw);
    leave(f, visitors, CROWD);
    assert_int_equal(listener->count, 0);
    assert_int_equal(listener->shaking_count, 0);
}

static void a_handshake_has_its_time(void **state)
{
    struct fixture *f = *state;
    struct visitor visitor;
    struct node_listener *listener = &server(f)->node->listener;
    server(f)->config.handshake_ms = 1000;
    hold_in_handshake(f, true);
    visit(f, &visitor, 1);
    world_pass(&f->world, 500 * SIM_MILLISECOND);
    assert_int_equal(listener->shaking_count, 1);
    world_pass(&f->world, 600 * SIM_MILLISECOND + LISTENER_SWEEP_US);
    assert_int_equal(listener->shaking_count, 0);
    assert_int_equal(listener->count, 0);
    hold_in_handshake(f, false);
    leave(f, &visitor, 1);
    assert_false(visitor.open);
}

static void one_certificate_does_not_take_all_places(void **state)
{
    struct fixture *f = *state;
    struct visitor visitors[3];
    struct raw raw;
    server(f)->config.certificate_connections_max = 3;
    server(f)->config.hello_ms = 60000;
    visit(f, visitors, 3);
    world_pass(&f->world, SIM_SECOND);
    assert_true(visitors[0].open && visitors[1].open && visitors[2].open);
    raw_open(&raw, &f->world, f->leader, f->tls);
    raw_expect(&raw, 0, OP_OVERLOADED);
    raw_expect_closed(&raw);
    raw_close(&raw);
    struct env_tls *other = world_identity(&f->world, OTHER);
    raw_open(&raw, &f->world, f->leader, other);
    raw_hello(&raw);
    raw_close(&raw);
    env_tls_destroy(other);
    leave(f, visitors, 1); /* its place is free again */
    raw_open(&raw, &f->world, f->leader, f->tls);
    raw_hello(&raw);
    raw_close(&raw);
    leave(f, visitors, 3);
    assert_true(list_empty(&server(f)->node->listener.guests));
}

static void a_full_house_closes_who_is_new(void **state)
{
    struct fixture *f = *state;
    static struct visitor visitors[CROWD];
    struct node_listener *listener = &server(f)->node->listener;
    server(f)->config.connections_max = 16;
    server(f)->config.hello_ms = 60000;
    visit(f, visitors, CROWD);
    world_pass(&f->world, SIM_SECOND);
    size_t open = 0, closed = 0;
    for (size_t i = 0; i < CROWD; i++) {
        open += visitors[i].open && !visitors[i].closed;
        closed += visitors[i].closed;
    }
    assert_int_equal(open, 16);
    assert_int_equal(closed, CROWD - 16);
    assert_int_equal(listener->count, 16);
    leave(f, visitors, CROWD);
    struct raw raw;
    raw_open(&raw, &f->world, f->leader, f->tls);
    raw_hello(&raw);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_too_many_handshakes_the_oldest_goes, start, end),
        cmocka_unit_test_setup_teardown(a_handshake_has_its_time, start, end),
        cmocka_unit_test_setup_teardown(one_certificate_does_not_take_all_places, start, end),
        cmocka_unit_test_setup_teardown(a_full_house_closes_who_is_new, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

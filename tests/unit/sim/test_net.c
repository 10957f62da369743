/* A connection opens on both ends or on none, delivers in order or is lost, and closes once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sim/peers.h"

struct world {
    struct sim *sim;
    struct machine a;
    struct machine b;
    struct peer near;
    struct peer far[2];
};

static uint8_t pattern[PEER_BYTES_MAX];

static struct world *world_create(uint64_t seed)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->sim = sim_create(seed);
    machine_create(world->sim, &world->a, "a", "CA");
    machine_create(world->sim, &world->b, "b", "CA");
    pattern_fill(pattern, sizeof(pattern));
    return world;
}

static struct world *world_connected(uint64_t seed)
{
    struct world *world = world_create(seed);
    connect_pair(world->sim, &world->a, &world->b, &world->near, &world->far[0]);
    return world;
}

static void world_destroy(struct world *world)
{
    sim_destroy(world->sim);
    free(world);
}

static bool received_64k(void *arg)
{
    return ((struct peer *)arg)->size >= 65536;
}

static void opens_with_identities(void **state)
{
    (void)state;
    struct world *world = world_connected(1);
    assert_string_equal(world->near.identity, "tenure://c/t/peer/b");
    assert_string_equal(world->far[0].identity, "tenure://c/t/peer/a");
    assert_string_equal(env_conn_address(world->near.conn), world->b.address);
    world_destroy(world);
}

static void bytes_arrive_in_order_in_many_chunkings(void **state)
{
    (void)state;
    unsigned splits = 0;
    unsigned merges = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = world_connected(seed);
        for (size_t at = 0; at < 65536; at += 4096) {
            env_conn_write(world->near.conn, bytes_of(pattern + at, 4096));
        }
        assert_true(sim_run_until(world->sim, received_64k, &world->far[0], SIM_SECOND));
        assert_memory_equal(world->far[0].data, pattern, 65536);
        splits += world->far[0].smallest < 4096;
        merges += world->far[0].largest > 4096;
        assert_true(world->near.drains > 0);
        world_destroy(world);
    }
    assert_true(splits > 0 && merges > 0);
}

static void what_is_written_before_the_handshake_waits_for_it(void **state)
{
    (void)state;
    struct world *world = world_create(21);
    machine_listen(&world->b, world->far, "test/1");
    peer_connect(&world->near, &world->a, world->b.address, "test/1");
    env_conn_write(world->near.conn, bytes_of(pattern, 65536));
    assert_int_equal(env_conn_queued(world->near.conn), 65536);
    assert_true(sim_run_until(world->sim, received_64k, &world->far[0], SIM_SECOND));
    assert_memory_equal(world->far[0].data, pattern, 65536);
    assert_int_equal(world->near.opens, 1);
    world_destroy(world);
}

static bool received_any(void *arg)
{
    return ((struct peer *)arg)->size > 0;
}

static void each_direction_has_its_delay(void **state)
{
    (void)state;
    struct world *world = world_connected(22);
    sim_net_delay(world->sim, world->a.host, world->b.host, 50000, 10000);
    sim_net_delay(world->sim, world->b.host, world->a.host, 7000, 0);
    sim_run_until(world->sim, NULL, NULL, SIM_SECOND);
    uint64_t start_us = sim_now_us(world->sim);
    env_conn_write(world->near.conn, bytes_of(pattern, 1));
    assert_true(sim_run_until(world->sim, received_any, &world->far[0], SIM_SECOND));
    assert_in_range(sim_now_us(world->sim) - start_us, 50000, 60100);
    start_us = sim_now_us(world->sim);
    env_conn_write(world->far[0].conn, bytes_of(pattern, 1));
    assert_true(sim_run_until(world->sim, received_any, &world->near, SIM_SECOND));
    assert_in_range(sim_now_us(world->sim) - start_us, 7000, 7100);
    world_destroy(world);
}

static void nothing_happens_inside_the_call(void **state)
{
    (void)state;
    struct world *world = world_create(2);
    machine_listen(&world->b, world->far, "test/1");
    peer_connect(&world->near, &world->a, "10.0.0.2:1", "test/1");
    env_conn_close(world->near.conn, false);
    assert_int_equal(world->near.closes, 0);
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, SIM_SECOND));
    assert_int_equal(world->near.rc, ENV_CLOSED);
    world_destroy(world);
}

static void unknown_authority_closes_both(void **state)
{
    (void)state;
    struct world *world = world_create(3);
    struct machine stranger = {0};
    machine_create(world->sim, &stranger, "x", "other-CA");
    machine_listen(&world->b, world->far, "test/1");
    peer_connect(&world->near, &stranger, world->b.address, "test/1");
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, SIM_SECOND));
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->far[0], SIM_SECOND));
    assert_int_equal(world->near.opens + world->far[0].opens, 0);
    assert_int_equal(world->near.rc, ENV_TLS);
    assert_int_equal(world->far[0].rc, ENV_TLS);
    world_destroy(world);
}

static void other_protocol_closes_both(void **state)
{
    (void)state;
    struct world *world = world_create(4);
    machine_listen(&world->b, world->far, "tenure/1");
    peer_connect(&world->near, &world->a, world->b.address, "tenure-peer/1");
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, SIM_SECOND));
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->far[0], SIM_SECOND));
    assert_int_equal(world->near.opens + world->far[0].opens, 0);
    assert_int_equal(world->near.rc, ENV_TLS);
    assert_int_equal(world->far[0].rc, ENV_TLS);
    world_destroy(world);
}

static void expired_certificate_is_refused(void **state)
{
    (void)state;
    struct world *world = world_create(5);
    uint64_t soon_us = UINT64_C(1735689600) * SIM_SECOND + 60 * SIM_SECOND;
    struct machine late = {0};
    machine_create(world->sim, &late, "x", "CA");
    assert_int_equal(sim_certificate_write_until(late.host, "/tls/certificate", "CA",
                                                 "tenure://c/t/peer/x", soon_us),
                     0);
    env_tls_destroy(late.tls);
    sim_process_free(late.env);
    machine_start(&late);
    machine_listen(&world->b, world->far, "test/1");
    sim_run_until(world->sim, NULL, NULL, 120 * SIM_SECOND);
    peer_connect(&world->near, &late, world->b.address, "test/1");
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->far[0], SIM_SECOND));
    assert_int_equal(world->far[0].rc, ENV_TLS);
    world_destroy(world);
}

static void nobody_there_is_refused(void **state)
{
    (void)state;
    struct world *world = world_create(6);
    peer_connect(&world->near, &world->a, "10.0.0.2:7000", "test/1");
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, SIM_SECOND));
    assert_int_equal(world->near.rc, ENV_REFUSED);
    world_destroy(world);
}

static void unusable_addresses_are_told_apart(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "b",           "10.0.0.2",   "10.0.0.2:",   "10.0.0.2:70000",
        "b:7000", "10.0.0.2:7x", "10.0.0.2:0", "10.0.0.256:1"};
    struct world *world = world_create(7);
    struct env_conn_handlers none = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(env_connect(world->a.env, bad[i], world->a.tls, "t", &none, NULL));
    }
    struct env_listener *listener;
    char address[ENV_ADDRESS_MAX];
    assert_int_equal(
        env_listen(world->a.env, "10.0.0.2:1", world->a.tls, "t", NULL, NULL, address, &listener),
        ENV_ADDRESS);
    machine_listen(&world->b, world->far, "t");
    assert_int_equal(env_listen(world->b.env, world->b.address, world->b.tls, "t", NULL, NULL,
                                address, &listener),
                     ENV_IN_USE);
    world_destroy(world);
}

static void cut_link_stalls_one_way_and_heals(void **state)
{
    (void)state;
    struct world *world = world_connected(8);
    sim_net_cut(world->sim, world->a.host, world->b.host, true);
    env_conn_write(world->near.conn, bytes_of(pattern, 65536));
    env_conn_write(world->far[0].conn, bytes_of(pattern, 100));
    sim_run_until(world->sim, NULL, NULL, 3 * SIM_SECOND);
    assert_int_equal(world->far[0].size, 0);
    assert_int_equal(world->near.size, 100);
    sim_net_cut(world->sim, world->a.host, world->b.host, false);
    assert_true(sim_run_until(world->sim, received_64k, &world->far[0], 5 * SIM_SECOND));
    assert_memory_equal(world->far[0].data, pattern, 65536);
    world_destroy(world);
}

static void cut_for_long_loses_the_connection(void **state)
{
    (void)state;
    struct world *world = world_connected(9);
    sim_net_cut(world->sim, world->a.host, world->b.host, true);
    env_conn_write(world->near.conn, bytes_of(pattern, 10));
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, 60 * SIM_SECOND));
    assert_int_equal(world->near.rc, ENV_RESET);
    world_destroy(world);
}

static void connecting_over_a_cut_times_out(void **state)
{
    (void)state;
    struct world *world = world_create(10);
    machine_listen(&world->b, world->far, "test/1");
    sim_net_isolate(world->sim, world->b.host, true);
    peer_connect(&world->near, &world->a, world->b.address, "test/1");
    assert_false(sim_run_until(world->sim, peer_is_closed, &world->near, 4 * SIM_SECOND));
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, 2 * SIM_SECOND));
    assert_int_equal(world->near.rc, ENV_REFUSED);
    sim_net_heal(world->sim);
    memset(&world->near, 0, sizeof(world->near));
    peer_connect(&world->near, &world->a, world->b.address, "test/1");
    assert_true(sim_run_until(world->sim, peer_is_open, &world->near, SIM_SECOND));
    world_destroy(world);
}

static void reset_leaves_a_prefix(void **state)
{
    (void)state;
    unsigned partial = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = world_connected(seed);
        env_conn_write(world->near.conn, bytes_of(pattern, 65536));
        sim_run_until(world->sim, NULL, NULL, 150);
        sim_net_reset(world->sim, world->a.host, world->b.host);
        assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, SIM_SECOND));
        assert_true(sim_run_until(world->sim, peer_is_closed, &world->far[0], SIM_SECOND));
        assert_int_equal(world->near.rc, ENV_RESET);
        assert_int_equal(world->far[0].rc, ENV_RESET);
        assert_memory_equal(world->far[0].data, pattern, world->far[0].size);
        partial += world->far[0].size > 0 && world->far[0].size < 65536;
        world_destroy(world);
    }
    assert_true(partial > 0);
}

/* Old bytes come while the next connection is open already; the old end finds out by sending. */
static void half_a_reset_lets_old_bytes_come_late(void **state)
{
    (void)state;
    unsigned beside = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = world_connected(seed);
        env_conn_write(world->near.conn, bytes_of(pattern, 65536));
        sim_run_until(world->sim, NULL, NULL, 150);
        sim_net_reset_half(world->sim, world->a.host, world->b.host, 500 * SIM_MILLISECOND);
        assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, SIM_SECOND));
        assert_int_equal(world->near.rc, ENV_RESET);
        memset(&world->near, 0, sizeof(world->near));
        peer_connect(&world->near, &world->a, world->b.address, "test/1");
        assert_true(sim_run_until(world->sim, peer_is_open, &world->near, SIM_SECOND));
        size_t before = world->far[0].size;
        assert_int_equal(world->far[0].closes, 0);
        sim_run_until(world->sim, NULL, NULL, SIM_SECOND);
        beside += world->far[0].size > before;
        assert_memory_equal(world->far[0].data, pattern, world->far[0].size);
        env_conn_write(world->far[0].conn, bytes_of(pattern, 1));
        assert_true(sim_run_until(world->sim, peer_is_closed, &world->far[0], SIM_SECOND));
        assert_int_equal(world->far[0].rc, ENV_RESET);
        assert_int_equal(world->near.closes, 0);
        world_destroy(world);
    }
    assert_true(beside > 0);
}

static void paused_reader_pushes_back(void **state)
{
    (void)state;
    struct world *world = world_connected(11);
    env_conn_pause(world->far[0].conn, true);
    env_conn_write(world->near.conn, bytes_of(pattern, sizeof(pattern)));
    sim_run_until(world->sim, NULL, NULL, SIM_SECOND);
    assert_int_equal(world->far[0].size, 0);
    assert_in_range(env_conn_queued(world->near.conn), 1, sizeof(pattern) - 1);
    assert_int_equal(world->near.drains, 0);
    env_conn_pause(world->far[0].conn, false);
    sim_run_until(world->sim, NULL, NULL, SIM_SECOND);
    assert_int_equal(world->far[0].size, sizeof(pattern));
    assert_memory_equal(world->far[0].data, pattern, sizeof(pattern));
    assert_int_equal(env_conn_queued(world->near.conn), 0);
    assert_int_equal(world->near.drains, 1);
    world_destroy(world);
}

static void close_with_flush_sends_all(void **state)
{
    (void)state;
    struct world *world = world_connected(12);
    env_conn_write(world->near.conn, bytes_of(pattern, 65536));
    env_conn_close(world->near.conn, true);
    env_conn_write(world->near.conn, bytes_of(pattern, 1));
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->far[0], SIM_SECOND));
    assert_int_equal(world->far[0].size, 65536);
    assert_int_equal(world->far[0].rc, ENV_CLOSED);
    assert_int_equal(world->near.closes, 1);
    assert_int_equal(sim_net_connections(world->a.env), 0);
    world_destroy(world);
}

static void close_without_flush_drops_the_queue(void **state)
{
    (void)state;
    struct world *world = world_connected(13);
    env_conn_write(world->near.conn, bytes_of(pattern, 65536));
    env_conn_close(world->near.conn, false);
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->far[0], SIM_SECOND));
    assert_int_equal(world->far[0].size, 0);
    world_destroy(world);
}

static void flush_ends_although_nobody_reads(void **state)
{
    (void)state;
    struct world *world = world_connected(14);
    env_conn_pause(world->far[0].conn, true);
    env_conn_write(world->near.conn, bytes_of(pattern, sizeof(pattern)));
    env_conn_close(world->near.conn, true);
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, 3 * SIM_SECOND));
    world_destroy(world);
}

static void crash_resets_the_peer_and_frees_the_port(void **state)
{
    (void)state;
    struct world *world = world_connected(15);
    sim_process_crash(world->b.env);
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, SIM_SECOND));
    assert_int_equal(world->near.rc, ENV_RESET);
    assert_int_equal(world->far[0].closes, 0);
    sim_process_free(world->b.env);
    machine_start(&world->b);
    struct env_listener *listener;
    char address[ENV_ADDRESS_MAX];
    assert_int_equal(env_listen(world->b.env, world->b.address, world->b.tls, "t", NULL, NULL,
                                address, &listener),
                     0);
    assert_string_equal(address, world->b.address);
    world_destroy(world);
}

static void crash_behind_a_cut_is_seen_after_it(void **state)
{
    (void)state;
    struct world *world = world_connected(16);
    sim_net_cut(world->sim, world->b.host, world->a.host, true);
    sim_process_crash(world->b.env);
    assert_false(sim_run_until(world->sim, peer_is_closed, &world->near, 10 * SIM_SECOND));
    sim_net_heal(world->sim);
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, 5 * SIM_SECOND));
    world_destroy(world);
}

static void power_cut_leaves_the_peer_half_open(void **state)
{
    (void)state;
    struct world *world = world_connected(17);
    sim_host_power_cut(world->b.host);
    env_conn_write(world->near.conn, bytes_of(pattern, 10));
    assert_false(sim_run_until(world->sim, peer_is_closed, &world->near, 10 * SIM_SECOND));
    sim_process_free(world->b.env);
    machine_start(&world->b);
    assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, 6 * SIM_SECOND));
    assert_int_equal(world->near.rc, ENV_RESET);
    world_destroy(world);
}

/* Neither end writes: only the keep-alive can find out. */
static void silence_ends_an_idle_connection(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        struct world *world = world_connected(18);
        if (kind == 0) {
            sim_host_power_cut(world->b.host);
        } else if (kind == 1) {
            sim_host_stop(world->b.host, SIM_STOP_HYPERVISOR);
        } else {
            sim_net_cut(world->sim, world->b.host, world->a.host, true);
        }
        assert_false(sim_run_until(world->sim, peer_is_closed, &world->near, 29 * SIM_SECOND));
        assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, 2 * SIM_SECOND));
        assert_int_equal(world->near.rc, ENV_RESET);
        world_destroy(world);
    }
    struct world *world = world_connected(18);
    sim_process_pause(world->b.env);
    sim_net_cut(world->sim, world->b.host, world->a.host, true);
    sim_run_until(world->sim, NULL, NULL, 20 * SIM_SECOND);
    sim_net_heal(world->sim);
    assert_false(sim_run_until(world->sim, peer_is_closed, &world->near, 100 * SIM_SECOND));
    world_destroy(world);
}

static bool far_has_both(void *arg)
{
    struct world *world = arg;
    return world->far[0].opens > 0 && world->far[1].opens > 0;
}

static void listener_closed_keeps_accepted_connections(void **state)
{
    (void)state;
    struct world *world = world_connected(18);
    struct peer *second = calloc(1, sizeof(*second));
    assert_non_null(second);
    peer_connect(second, &world->a, world->b.address, "test/1");
    assert_true(sim_run_until(world->sim, far_has_both, world, SIM_SECOND));
    env_listener_close(world->b.listener);
    env_conn_write(world->near.conn, bytes_of(pattern, 65536));
    assert_true(sim_run_until(world->sim, received_64k, &world->far[0], SIM_SECOND));
    memset(second, 0, sizeof(*second));
    peer_connect(second, &world->a, world->b.address, "test/1");
    assert_true(sim_run_until(world->sim, peer_is_closed, second, SIM_SECOND));
    assert_int_equal(second->rc, ENV_REFUSED);
    world_destroy(world);
    free(second);
}

static void stopped_process_keeps_its_connections(void **state)
{
    (void)state;
    struct world *world = world_connected(23);
    sim_process_pause(world->b.env);
    env_conn_write(world->near.conn, bytes_of(pattern, 65536));
    assert_false(sim_run_until(world->sim, peer_is_closed, &world->near, 60 * SIM_SECOND));
    assert_int_equal(env_conn_queued(world->near.conn), 0); /* the other kernel has it */
    assert_int_equal(world->far[0].size, 0);
    struct peer *second = calloc(1, sizeof(*second));
    assert_non_null(second);
    peer_connect(second, &world->a, world->b.address, "test/1");
    assert_true(sim_run_until(world->sim, peer_is_closed, second, 6 * SIM_SECOND));
    assert_int_equal(second->rc, ENV_TLS);
    sim_process_resume(world->b.env);
    assert_true(sim_run_until(world->sim, received_64k, &world->far[0], SIM_SECOND));
    assert_int_equal(world->far[1].opens, 0);
    world_destroy(world);
    free(second);
}

static void close_on_accept(void *arg, struct env_conn *conn)
{
    if (arg != NULL) {
        env_conn_close(conn, false);
    }
}

static void connection_that_nobody_adopts_is_closed(void **state)
{
    (void)state;
    for (unsigned closes = 0; closes < 2; closes++) {
        struct world *world = world_create(24);
        struct env_listener *listener;
        char address[ENV_ADDRESS_MAX];
        assert_int_equal(env_listen(world->b.env, "10.0.0.2:7", world->b.tls, "t", close_on_accept,
                                    closes ? world : NULL, address, &listener),
                         0);
        peer_connect(&world->near, &world->a, address, "t");
        assert_true(sim_run_until(world->sim, peer_is_closed, &world->near, SIM_SECOND));
        assert_int_equal(world->near.opens, 0);
        assert_int_equal(world->near.rc, closes ? ENV_CLOSED : ENV_RESET);
        assert_int_equal(sim_net_connections(world->b.env), 0);
        world_destroy(world);
    }
}

static void full_backlog_makes_clients_wait(void **state)
{
    (void)state;
    enum { CLIENTS = 300 };
    struct world *world = world_create(25);
    static const struct env_conn_handlers silent = {0};
    machine_listen(&world->b, world->far, "test/1");
    sim_process_pause(world->b.env);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct env_conn_handlers handlers = silent;
        assert_non_null(
            env_connect(world->a.env, world->b.address, world->a.tls, "test/1", &handlers, NULL));
    }
    sim_run_until(world->sim, NULL, NULL, 2 * SIM_SECOND);
    assert_int_equal(sim_net_connections(world->b.env), 256);
    assert_int_equal(sim_net_connections(world->a.env), CLIENTS);
    world_destroy(world);
}

static void lossy_link_is_late_but_whole(void **state)
{
    (void)state;
    struct world *world = world_connected(19);
    sim_net_loss(world->sim, world->a.host, world->b.host, 300000);
    uint64_t start_us = sim_now_us(world->sim);
    env_conn_write(world->near.conn, bytes_of(pattern, 65536));
    assert_true(sim_run_until(world->sim, received_64k, &world->far[0], 60 * SIM_SECOND));
    assert_memory_equal(world->far[0].data, pattern, 65536);
    assert_true(sim_now_us(world->sim) - start_us > 150 * SIM_MILLISECOND);
    world_destroy(world);
}

static void bad_certificates_have_one_clear_line(void **state)
{
    (void)state;
    struct world *world = world_create(20);
    struct env_tls *tls;
    char error[256];
    struct env *env = world->a.env;
    struct sim_host *host = world->a.host;
    assert_int_equal(env_tls_create(env, "/tls/none", "/tls/certificate", "/tls/key", error,
                                    sizeof(error), &tls),
                     ENV_NOT_FOUND);
    assert_string_equal(error, "/tls/none: no such file or folder");
    assert_int_equal(
        env_tls_create(env, "/tls/key", "/tls/certificate", "/tls/key", error, sizeof(error), &tls),
        ENV_TLS);
    assert_string_equal(error, "/tls/key: is not a simulated-ca");
    sim_ca_write(host, "/tls/ca2", "other");
    assert_int_equal(
        env_tls_create(env, "/tls/ca2", "/tls/certificate", "/tls/key", error, sizeof(error), &tls),
        ENV_TLS);
    assert_string_equal(error, "/tls/certificate: is not signed by the CA");
    sim_key_write(host, "/tls/key2", "CA", "tenure://c/t/peer/z");
    assert_int_equal(
        env_tls_create(env, "/tls/ca", "/tls/certificate", "/tls/key2", error, sizeof(error), &tls),
        ENV_TLS);
    assert_string_equal(error, "/tls/key2: does not fit the certificate");
    sim_certificate_write_until(host, "/tls/old", "CA", "tenure://c/t/peer/a", 1);
    assert_int_equal(
        env_tls_create(env, "/tls/ca", "/tls/old", "/tls/key", error, sizeof(error), &tls),
        ENV_TLS);
    assert_string_equal(error, "/tls/old: has expired");
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_with_identities),
        cmocka_unit_test(bytes_arrive_in_order_in_many_chunkings),
        cmocka_unit_test(what_is_written_before_the_handshake_waits_for_it),
        cmocka_unit_test(each_direction_has_its_delay),
        cmocka_unit_test(nothing_happens_inside_the_call),
        cmocka_unit_test(unknown_authority_closes_both),
        cmocka_unit_test(other_protocol_closes_both),
        cmocka_unit_test(expired_certificate_is_refused),
        cmocka_unit_test(nobody_there_is_refused),
        cmocka_unit_test(unusable_addresses_are_told_apart),
        cmocka_unit_test(cut_link_stalls_one_way_and_heals),
        cmocka_unit_test(cut_for_long_loses_the_connection),
        cmocka_unit_test(connecting_over_a_cut_times_out),
        cmocka_unit_test(reset_leaves_a_prefix),
        cmocka_unit_test(half_a_reset_lets_old_bytes_come_late),
        cmocka_unit_test(paused_reader_pushes_back),
        cmocka_unit_test(close_with_flush_sends_all),
        cmocka_unit_test(close_without_flush_drops_the_queue),
        cmocka_unit_test(flush_ends_although_nobody_reads),
        cmocka_unit_test(crash_resets_the_peer_and_frees_the_port),
        cmocka_unit_test(crash_behind_a_cut_is_seen_after_it),
        cmocka_unit_test(power_cut_leaves_the_peer_half_open),
        cmocka_unit_test(silence_ends_an_idle_connection),
        cmocka_unit_test(listener_closed_keeps_accepted_connections),
        cmocka_unit_test(stopped_process_keeps_its_connections),
        cmocka_unit_test(connection_that_nobody_adopts_is_closed),
        cmocka_unit_test(full_backlog_makes_clients_wait),
        cmocka_unit_test(lossy_link_is_late_but_whole),
        cmocka_unit_test(bad_certificates_have_one_clear_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

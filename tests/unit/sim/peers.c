/* The recording peers of peers.h. */
#include "tests/unit/sim/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void enter(struct peer *peer)
{
    assert_false(peer->inside);
    assert_int_equal(peer->closes, 0);
    peer->inside = true;
}

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct peer *peer = arg;
    enter(peer);
    assert_ptr_equal(peer->conn, conn);
    peer->opens++;
    (void)snprintf(peer->identity, sizeof(peer->identity), "%s", identity);
    peer->inside = false;
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct peer *peer = arg;
    enter(peer);
    assert_int_equal(peer->opens, 1);
    assert_true(data.size > 0 && peer->size + data.size <= sizeof(peer->data));
    memcpy(peer->data + peer->size, data.data, data.size);
    peer->size += data.size;
    peer->smallest = peer->deliveries == 0 || data.size < peer->smallest ? data.size
                                                                         : peer->smallest;
    peer->largest = data.size > peer->largest ? data.size : peer->largest;
    peer->deliveries++;
    if (peer->echoes) {
        env_conn_write(conn, data);
    }
    peer->inside = false;
}

static void on_drain(void *arg, struct env_conn *conn)
{
    struct peer *peer = arg;
    enter(peer);
    assert_int_equal(env_conn_queued(conn), 0);
    peer->drains++;
    peer->inside = false;
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct peer *peer = arg;
    enter(peer);
    assert_ptr_equal(peer->conn, conn);
    peer->conn = NULL;
    peer->closes++;
    peer->rc = rc;
    (void)snprintf(peer->detail, sizeof(peer->detail), "%s", detail);
    peer->inside = false;
}

static const struct env_conn_handlers handlers = {on_open, on_data, on_drain, on_close};

static void on_accept(void *arg, struct env_conn *conn)
{
    struct machine *machine = arg;
    struct peer *peer = &machine->accepted[machine->accepts++];
    peer->env = machine->env;
    peer->conn = conn;
    env_conn_adopt(conn, &handlers, peer);
}

void machine_start(struct machine *machine)
{
    char error[256] = "";
    machine->env = sim_process_start(machine->host, "node");
    int rc = env_tls_create(machine->env, "/tls/ca", "/tls/certificate", "/tls/key", error,
                            sizeof(error), &machine->tls);
    assert_string_equal(error, "");
    assert_int_equal(rc, 0);
}

void machine_create(struct sim *sim, struct machine *machine, const char *name, const char *ca)
{
    char identity[128];
    (void)snprintf(identity, sizeof(identity), "tenure://c/t/peer/%s", name);
    machine->host = sim_host_create(sim, name);
    assert_int_equal(sim_ca_write(machine->host, "/tls/ca", ca), 0);
    assert_int_equal(sim_certificate_write(machine->host, "/tls/certificate", ca, identity), 0);
    assert_int_equal(sim_key_write(machine->host, "/tls/key", ca, identity), 0);
    machine_start(machine);
}

void machine_listen(struct machine *machine, struct peer *accepted, const char *alpn)
{
    char address[ENV_ADDRESS_MAX];
    (void)snprintf(address, sizeof(address), "%s:0", sim_host_address(machine->host));
    machine->accepted = accepted;
    int rc = env_listen(machine->env, address, machine->tls, alpn, on_accept, machine,
                        machine->address, &machine->listener);
    assert_int_equal(rc, 0);
}

void peer_connect(struct peer *peer, struct machine *from, const char *address, const char *alpn)
{
    peer->env = from->env;
    peer->conn = env_connect(from->env, address, from->tls, alpn, &handlers, peer);
    assert_non_null(peer->conn);
}

bool peer_is_open(void *arg)
{
    return ((struct peer *)arg)->opens > 0;
}

bool peer_is_closed(void *arg)
{
    return ((struct peer *)arg)->closes > 0;
}

void connect_pair(struct sim *sim, struct machine *client, struct machine *server,
                  struct peer *near, struct peer *far)
{
    machine_listen(server, far, "test/1");
    peer_connect(near, client, server->address, "test/1");
    assert_true(sim_run_until(sim, peer_is_open, near, SIM_SECOND));
    assert_true(sim_run_until(sim, peer_is_open, far, SIM_SECOND));
}

void pattern_fill(uint8_t *buffer, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        buffer[i] = (uint8_t)(i * 7 + i / 251);
    }
}

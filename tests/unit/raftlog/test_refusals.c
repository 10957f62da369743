/* Who does not belong, or is not who it says, is refused with one clear line; the others go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/wire.h"
#include "tests/unit/raftlog/cluster.h"

static void assert_error(const struct cluster_node *node, const char *text)
{
    if (strstr(node->error, text) == NULL || strchr(node->error, '\n') != NULL) {
        fail_msg("\"%s\" is not one line with \"%s\"", node->error, text);
    }
}

static void a_folder_of_another_node(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(1, 3);
    cluster->config.id = 2;
    assert_int_equal(cluster_start(cluster, 0), ENV_INVALID);
    assert_error(&cluster->nodes[0], "/data is node 1's folder, but this is node 2");
    cluster_destroy(cluster);
}

static void a_folder_of_another_cluster(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(2, 3);
    const char *identity = "tenure://other/-/peer/1";
    assert_int_equal(sim_certificate_write(cluster->nodes[0].host, "/tls/cert", "ca", identity), 0);
    assert_int_equal(sim_key_write(cluster->nodes[0].host, "/tls/key", "ca", identity), 0);
    assert_int_equal(cluster_start(cluster, 0), ENV_INVALID);
    assert_error(&cluster->nodes[0], "the certificate is tenure://other/-/peer/1's, but /data "
                                     "belongs to tenure://test/-/peer/1");
    cluster_destroy(cluster);
}

static void a_folder_without_a_node(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(3, 3);
    cluster->config.folder = "/nowhere";
    assert_true(cluster_start(cluster, 0) < 0);
    assert_error(&cluster->nodes[0], "/nowhere");
    cluster_destroy(cluster);
}

static void a_replaced_disk(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(4, 3);
    cluster_start_all(cluster);
    struct cluster_node *leader = cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    size_t wiped = leader->id % 3;
    cluster_crash(cluster, wiped);
    cluster_replace_disk(cluster, wiped);
    assert_int_equal(cluster_start(cluster, wiped), 0);
    cluster_run(cluster, 5 * SIM_SECOND);
    char line[128];
    snprintf(line, sizeof line, "node %u's disk was replaced", (unsigned)wiped + 1);
    assert_true(cluster_logged(cluster, line));
    assert_int_equal(cluster->nodes[wiped].count, 0);
    assert_int_equal(cluster->nodes[wiped].leader, 0);
    /* It cannot help to elect: with one of the others down nobody leads. */
    cluster_crash(cluster, leader->id - 1);
    cluster_run(cluster, 10 * SIM_SECOND);
    assert_null(cluster_leader(cluster));
    assert_int_equal(cluster_start(cluster, leader->id - 1), 0);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    cluster_destroy(cluster);
}

/* `late` knows nothing of what was acknowledged, and `wiped` forgot it. */
static void cannot_elect(struct cluster *cluster, size_t late, size_t wiped, size_t leader)
{
    assert_int_equal(cluster_start(cluster, late), 0);
    assert_int_equal(cluster_start(cluster, wiped), 0);
    assert_false(cluster_run_until(cluster, cluster_has_leader, 20 * SIM_SECOND));
    assert_int_equal(cluster_start(cluster, leader), 0);
    cluster_wait_leader(cluster);
    cluster_crash(cluster, wiped); /* it never becomes even */
    cluster_settle(cluster, 20 * SIM_SECOND);
}

/* The late node has seen a binding in its log at most, and no commit since it started again. */
static void a_replaced_disk_and_a_late_node(void **state)
{
    (void)state;
    for (uint64_t seed = 40; seed < 50; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        cluster_start_all(cluster);
        size_t leader = cluster_wait_leader(cluster)->id - 1;
        size_t wiped = (leader + 1) % 3, late = (leader + 2) % 3;
        cluster_write(cluster, 10);
        cluster_settle(cluster, 5 * SIM_SECOND);
        cluster_crash(cluster, late);
        cluster_write(cluster, 10);
        cluster_run(cluster, 2 * SIM_SECOND);
        cluster_crash(cluster, leader);
        cluster_crash(cluster, wiped);
        cluster_replace_disk(cluster, wiped);
        cannot_elect(cluster, late, wiped, leader);
        cluster_destroy(cluster);
    }
}

/* The late node has met the other one and never got an entry. */
static void a_replaced_disk_and_a_node_without_a_binding(void **state)
{
    (void)state;
    for (uint64_t seed = 60; seed < 70; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        size_t late = seed % 3, wiped = (late + 1) % 3, leader = (late + 2) % 3;
        assert_int_equal(cluster_start(cluster, late), 0);
        assert_int_equal(cluster_start(cluster, wiped), 0);
        cluster_run(cluster, 100 * SIM_MILLISECOND); /* no election timeout passes */
        assert_null(cluster_leader(cluster));
        cluster_power_cut(cluster, late);
        assert_int_equal(cluster_start(cluster, leader), 0);
        cluster_write(cluster, 10);
        cluster_run(cluster, SIM_SECOND);
        cluster_crash(cluster, leader);
        cluster_crash(cluster, wiped);
        cluster_replace_disk(cluster, wiped);
        cannot_elect(cluster, late, wiped, leader);
        cluster_destroy(cluster);
    }
}

/* Node 1 has the bindings in its log and knows of none that it is committed. */
static bool is_bound_in_its_log(struct cluster *cluster)
{
    struct rlog_status status;
    rlog_status(cluster->nodes[0].rlog, &status);
    return status.stored >= 5 && status.commit < 3;
}

/* The late node has never met the other one; the binding came from the leader, by its log. */
static void a_replaced_disk_and_a_node_that_never_met_it(void **state)
{
    (void)state;
    unsigned tried = 0;
    for (uint64_t seed = 80; seed < 100; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        const size_t late = 0, wiped = 1, leader = 2;
        sim_net_cut(cluster->sim, cluster->nodes[late].host, cluster->nodes[wiped].host, true);
        sim_net_cut(cluster->sim, cluster->nodes[wiped].host, cluster->nodes[late].host, true);
        cluster_start_all(cluster);
        if (cluster_run_until(cluster, is_bound_in_its_log, 2 * SIM_SECOND) &&
            cluster_wait_leader(cluster)->id == leader + 1) {
            tried++;
            cluster_crash(cluster, late);
            cluster_write(cluster, 10);
            cluster_run(cluster, 2 * SIM_SECOND);
            cluster_crash(cluster, leader);
            cluster_crash(cluster, wiped);
            cluster_replace_disk(cluster, wiped);
            sim_net_heal(cluster->sim);
            cannot_elect(cluster, late, wiped, leader);
        }
        cluster_destroy(cluster);
    }
    assert_true(tried > 3);
}

static void the_same_name_born_twice(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(5, 3);
    memset(cluster->birth.incarnation.bytes, 9, 16);
    cluster_replace_disk(cluster, 2);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    assert_true(cluster_logged(cluster, "node 3"));
    assert_true(cluster_logged(cluster, "another incarnation"));
    assert_int_equal(cluster->nodes[2].count, 0);
    cluster_destroy(cluster);
}

/* ---- strangers: somebody with a certificate of the same authority calls a node's peer port ----
 */

struct stranger {
    bool opened, closed;
    uint8_t received[4096];
    size_t received_size;
    struct bytes greeting; /* written once open */
};

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct stranger *stranger = arg;
    (void)identity;
    stranger->opened = true;
    if (stranger->greeting.size > 0) {
        env_conn_write(conn, stranger->greeting);
    }
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct stranger *stranger = arg;
    (void)conn;
    for (size_t i = 0; i < data.size && stranger->received_size < sizeof stranger->received; i++) {
        stranger->received[stranger->received_size++] = data.data[i];
    }
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct stranger *stranger = arg;
    (void)conn;
    (void)rc;
    (void)detail;
    stranger->closed = true;
}

static bool is_closed(void *arg)
{
    const struct stranger *stranger = arg;
    return stranger->closed;
}

static void call_as(struct cluster *cluster, const char *identity, struct bytes greeting,
                    struct stranger *ret_stranger)
{
    static const struct env_conn_handlers handlers = {on_open, on_data, NULL, on_close};
    struct sim_host *host = sim_host_create(cluster->sim, "stranger");
    char error[256];
    struct env_tls *tls = NULL;
    assert_int_equal(sim_ca_write(host, "/tls/ca", "ca"), 0);
    assert_int_equal(sim_certificate_write(host, "/tls/cert", "ca", identity), 0);
    assert_int_equal(sim_key_write(host, "/tls/key", "ca", identity), 0);
    struct env *env = sim_process_start(host, "stranger");
    assert_int_equal(
        env_tls_create(env, "/tls/ca", "/tls/cert", "/tls/key", error, sizeof error, &tls), 0);
    memset(ret_stranger, 0, sizeof *ret_stranger);
    ret_stranger->greeting = greeting;
    assert_non_null(env_connect(env, cluster->birth.members[2].address, tls, "tenure-peer/1",
                                &handlers, ret_stranger));
    assert_true(sim_run_until(cluster->sim, is_closed, ret_stranger, 20 * SIM_SECOND));
    env_tls_destroy(tls);
    sim_process_free(env);
}

static void strangers_are_told_nothing(void **state)
{
    (void)state;
    const char *const identities[] = {
        "tenure://test/acme/service/billing",
        "tenure://test/-/operator/1",
        "tenure://other/-/peer/1",
        "tenure://test/-/peer/4",
        "tenure://test/-/peer/01",
        "tenure://test/-/peer/1x",
        "tenure://test/-/peer/3", /* the node's own name */
    };
    struct cluster *cluster = cluster_create(6, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    for (size_t i = 0; i < sizeof identities / sizeof *identities; i++) {
        struct stranger stranger;
        call_as(cluster, identities[i], BYTES_NONE, &stranger);
        assert_int_equal(stranger.received_size, 0);
        assert_true(cluster_logged(cluster, identities[i]));
    }
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_destroy(cluster);
}

static struct bytes hello_of(struct base_writer *writer, const struct rlog_wire_hello *hello)
{
    rlog_wire_frame_begin(writer, RLOG_WIRE_HELLO);
    rlog_wire_write_hello(writer, hello);
    return rlog_wire_frame_end(writer);
}

static void assert_refused(const struct stranger *stranger, const char *reason)
{
    struct bytes stream = bytes_of(stranger->received, stranger->received_size);
    uint8_t kind = 0;
    struct bytes body = BYTES_NONE;
    size_t size = 0;
    struct rlog_wire_refused refused;
    assert_int_equal(rlog_wire_frame_read(stream, 1024, &kind, &body, &size), RLOG_FRAME_WHOLE);
    assert_int_equal(kind, RLOG_WIRE_HELLO);
    stream = bytes_of(stream.data + size, stream.size - size);
    assert_int_equal(rlog_wire_frame_read(stream, 1024, &kind, &body, &size), RLOG_FRAME_WHOLE);
    if (kind != RLOG_WIRE_REFUSED) {
        fail_msg("not refused, though it should: \"%s\"", reason);
    }
    assert_true(rlog_wire_read_refused(body, &refused));
    char text[RLOG_WIRE_TEXT_MAX + 1];
    snprintf(text, sizeof text, "%.*s", (int)refused.reason.size,
             (const char *)refused.reason.data);
    if (strstr(text, reason) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", text, reason);
    }
}

/* Whatever it was told, it was no refusal. */
static void assert_not_refused(const struct stranger *stranger)
{
    struct bytes stream = bytes_of(stranger->received, stranger->received_size);
    uint8_t kind = 0;
    struct bytes body = BYTES_NONE;
    size_t size = 0;
    unsigned frames = 0;
    while (rlog_wire_frame_read(stream, 4096, &kind, &body, &size) == RLOG_FRAME_WHOLE) {
        assert_int_not_equal(kind, RLOG_WIRE_REFUSED);
        stream = bytes_of(stream.data + size, stream.size - size);
        frames++;
    }
    assert_true(frames > 0);
}

static void greetings_that_do_not_fit(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(7, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_crash(cluster, 0); /* its name is free */
    const struct rlog_wire_hello good = {
        .magic = RLOG_WIRE_MAGIC,
        .version = 1,
        .version_min = 1,
        .node = 1,
        .to = 3,
        .incarnation = cluster->birth.incarnation,
        .store = {{1}},
        .cluster = bytes_of_text("test"),
    };
    const char *const reasons[] = {
        "not a Tenure peer's", "speaks versions 2 to 3", "another cluster",
        "another incarnation", "says that it is node 2", "speaks to node 2",
        "disk was replaced",
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        struct rlog_wire_hello hello = good;
        uint8_t buffer[1024];
        struct base_writer writer;
        struct stranger stranger;
        base_writer_init(&writer, buffer, sizeof buffer);
        hello.magic += i == 0;
        hello.version_min = i == 1 ? 2 : hello.version_min;
        hello.version = i == 1 ? 3 : hello.version;
        hello.cluster = i == 2 ? bytes_of_text("tess") : hello.cluster;
        hello.incarnation.bytes[3] ^= i == 3;
        hello.node = i == 4 ? 2 : hello.node;
        hello.to = i == 5 ? 2 : hello.to;
        call_as(cluster, "tenure://test/-/peer/1", hello_of(&writer, &hello), &stranger);
        assert_refused(&stranger, reasons[i]);
        assert_true(cluster_logged(cluster, reasons[i]));
    }
    assert_int_equal(cluster_start(cluster, 0), 0);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

static void greet_as_one(struct cluster *cluster, uint64_t term, uint64_t change,
                         struct stranger *ret_stranger)
{
    const struct rlog_wire_hello hello = {
        .magic = RLOG_WIRE_MAGIC,
        .version = 1,
        .version_min = 1,
        .node = 1,
        .to = 3,
        .incarnation = cluster->birth.incarnation,
        .store = {{1}},
        .cluster = bytes_of_text("test"),
        .configuration = 1,
        .change_term = term,
        .change = change,
    };
    uint8_t buffer[1024];
    struct base_writer writer;
    base_writer_init(&writer, buffer, sizeof buffer);
    call_as(cluster, "tenure://test/-/peer/1", hello_of(&writer, &hello), ret_stranger);
}

/* Who has a change of the members behind all that our log has is believed, committed or not: when
 * it starts again it does not know that it is, and we may be whom it needs. One of a past term, or
 * at a place that we have, is none of these. */
static void a_change_behind_our_log_is_believed(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(7, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    cluster_crash(cluster, 0); /* its name is free */
    cluster_wait_leader(cluster);
    cluster_write(cluster, 1);
    cluster_settle(cluster, 5 * SIM_SECOND);
    struct rlog_status status;
    struct stranger stranger;
    rlog_status(cluster->nodes[2].rlog, &status);
    greet_as_one(cluster, status.term - 1, status.last + 100, &stranger);
    assert_refused(&stranger, "disk was replaced");
    greet_as_one(cluster, status.term, status.last, &stranger);
    assert_refused(&stranger, "disk was replaced");
    greet_as_one(cluster, status.term, 0, &stranger);
    assert_refused(&stranger, "disk was replaced");
    greet_as_one(cluster, status.term, status.last + 1, &stranger);
    assert_not_refused(&stranger);
    greet_as_one(cluster, status.term + 1, 2, &stranger);
    assert_not_refused(&stranger);
    assert_int_equal(cluster_start(cluster, 0), 0);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

/* Asks in node 1's name, with its store id, three times: in its own term, a past and a coming one.
 */
static struct bytes three_questions(uint8_t *buffer, const struct rlog_wire_hello *hello,
                                    uint64_t term)
{
    struct base_writer writer;
    base_writer_init(&writer, buffer, 512);
    size_t size = hello_of(&writer, hello).size;
    for (uint64_t round = 1; round <= 3; round++) {
        struct rlog_wire_confirm confirm = {term + round - 2, round, 77};
        base_writer_init(&writer, buffer + size, 512 - size);
        rlog_wire_frame_begin(&writer, RLOG_WIRE_CONFIRM);
        rlog_wire_write_confirm(&writer, &confirm);
        size += rlog_wire_frame_end(&writer).size;
    }
    return bytes_of(buffer, size);
}

static void a_round_of_another_term_gets_a_no(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(9, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    struct rlog_status status;
    rlog_status(cluster->nodes[0].rlog, &status);
    cluster_crash(cluster, 0);
    cluster_wait_leader(cluster);
    cluster_settle(cluster, 5 * SIM_SECOND);
    struct rlog_wire_hello hello = {
        .magic = RLOG_WIRE_MAGIC,
        .version = 1,
        .version_min = 1,
        .node = 1,
        .to = 3,
        .incarnation = cluster->birth.incarnation,
        .store = status.store_id,
        .cluster = bytes_of_text("test"),
    };
    uint8_t buffer[512];
    struct stranger stranger;
    call_as(cluster, "tenure://test/-/peer/1",
            three_questions(buffer, &hello, cluster->nodes[2].term), &stranger);
    struct bytes stream = bytes_of(stranger.received, stranger.received_size);
    unsigned answers = 0;
    uint8_t kind = 0;
    struct bytes body = BYTES_NONE;
    size_t size = 0;
    while (rlog_wire_frame_read(stream, 4096, &kind, &body, &size) == RLOG_FRAME_WHOLE) {
        struct rlog_wire_confirm_result result;
        if (kind == RLOG_WIRE_CONFIRM_RESULT) {
            assert_true(rlog_wire_read_confirm_result(body, &result));
            assert_int_equal(result.nonce, 77);
            assert_int_equal(result.yes, result.round == 2);
            answers++;
        }
        stream = bytes_of(stream.data + size, stream.size - size);
    }
    assert_int_equal(answers, 3);
    cluster_destroy(cluster);
}

static void bytes_that_are_no_frames(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(8, 3);
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    cluster_crash(cluster, 0);
    for (unsigned i = 0; i < 50; i++) {
        uint8_t noise[600];
        struct stranger stranger;
        size_t size = 1 + (size_t)sim_random(cluster->sim, sizeof noise - 1);
        for (size_t k = 0; k < size; k++) {
            noise[k] = (uint8_t)sim_random(cluster->sim, 256);
        }
        call_as(cluster, "tenure://test/-/peer/1", bytes_of(noise, size), &stranger);
    }
    assert_int_equal(cluster_start(cluster, 0), 0);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

/* Who only keeps the door keeps nobody out: the oldest caller that says nothing makes room. */
static void strangers_at_the_door(void **state)
{
    (void)state;
    static const struct env_conn_handlers handlers = {on_open, on_data, NULL, on_close};
    static struct stranger strangers[100];
    struct cluster *cluster = cluster_create(10, 3);
    char error[256];
    struct env_tls *tls = NULL;
    struct rlog_status status;
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_crash(cluster, 0);
    struct env *env = sim_process_start(cluster->nodes[0].host, "stranger");
    assert_int_equal(
        env_tls_create(env, "/tls/ca", "/tls/cert", "/tls/key", error, sizeof error, &tls), 0);
    memset(strangers, 0, sizeof strangers);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        assert_non_null(env_connect(env, cluster->birth.members[2].address, tls, "tenure-peer/1",
                                    &handlers, &strangers[i]));
    }
    cluster_run(cluster, 100 * SIM_MILLISECOND);
    unsigned kept = 0;
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        kept += strangers[i].opened && !strangers[i].closed;
    }
    assert_true(kept > 10 && kept < 100);
    assert_int_equal(cluster_start(cluster, 0), 0);
    cluster_run(cluster, 40 * SIM_MILLISECOND); /* its first call: no pause has passed */
    rlog_status(cluster->nodes[2].rlog, &status);
    assert_true(status.connected[0]);
    env_tls_destroy(tls);
    sim_process_free(env);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

/* ---- somebody who answers for node 3, and refuses each caller once it has greeted ---- */

struct refuser {
    struct cluster *cluster;
    struct id128 store;
    unsigned calls;
};

static void refuser_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct refuser *refuser = arg;
    struct base_writer writer;
    uint8_t buffer[1024];
    const struct rlog_wire_hello hello = {
        .magic = RLOG_WIRE_MAGIC,
        .version = 1,
        .version_min = 1,
        .node = 3,
        .to = (uint64_t)(identity[strlen(identity) - 1] - '0'),
        .incarnation = refuser->cluster->birth.incarnation,
        .store = refuser->store,
        .cluster = bytes_of_text("test"),
    };
    const struct rlog_wire_refused refused = {.reason = bytes_of_text("for a reason of my own")};
    refuser->calls++;
    base_writer_init(&writer, buffer, sizeof buffer);
    env_conn_write(conn, hello_of(&writer, &hello));
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_frame_begin(&writer, RLOG_WIRE_REFUSED);
    rlog_wire_write_refused(&writer, &refused);
    env_conn_write(conn, rlog_wire_frame_end(&writer));
}

static void refuser_data(void *arg, struct env_conn *conn, struct bytes data)
{
    (void)arg;
    (void)conn;
    (void)data;
}

static void refuser_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    (void)arg;
    (void)conn;
    (void)rc;
    (void)detail;
}

static void refuser_accept(void *arg, struct env_conn *conn)
{
    static const struct env_conn_handlers handlers = {refuser_open, refuser_data, NULL,
                                                      refuser_close};
    env_conn_adopt(conn, &handlers, arg);
}

static void a_refused_node_says_why_once_and_calls_less_and_less(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(11, 3);
    struct rlog_status status;
    char error[256], address[ENV_ADDRESS_MAX];
    struct env_tls *tls = NULL;
    struct env_listener *listener = NULL;
    cluster_start_all(cluster);
    cluster_wait_leader(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    rlog_status(cluster->nodes[2].rlog, &status);
    struct refuser refuser = {.cluster = cluster, .store = status.store_id};
    cluster_crash(cluster, 2);
    struct env *env = sim_process_start(cluster->nodes[2].host, "refuser");
    assert_int_equal(
        env_tls_create(env, "/tls/ca", "/tls/cert", "/tls/key", error, sizeof error, &tls), 0);
    assert_int_equal(env_listen(env, cluster->birth.members[2].address, tls, "tenure-peer/1",
                                refuser_accept, &refuser, address, &listener),
                     0);
    size_t lines = cluster->log_count;
    cluster_run(cluster, 20 * SIM_SECOND);
    assert_true(cluster_logged(cluster, "node 3 refuses us: for a reason of my own"));
    assert_true(cluster->log_count - lines <= 4);
    assert_in_range(refuser.calls, 2 * 5, 2 * 20);
    env_listener_close(listener);
    env_tls_destroy(tls);
    sim_process_free(env);
    assert_int_equal(cluster_start(cluster, 2), 0);
    cluster_settle(cluster, 20 * SIM_SECOND);
    cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_of_another_node),
        cmocka_unit_test(a_folder_of_another_cluster),
        cmocka_unit_test(a_folder_without_a_node),
        cmocka_unit_test(a_replaced_disk),
        cmocka_unit_test(a_replaced_disk_and_a_late_node),
        cmocka_unit_test(a_replaced_disk_and_a_node_without_a_binding),
        cmocka_unit_test(a_replaced_disk_and_a_node_that_never_met_it),
        cmocka_unit_test(the_same_name_born_twice),
        cmocka_unit_test(strangers_are_told_nothing),
        cmocka_unit_test(greetings_that_do_not_fit),
        cmocka_unit_test(a_change_behind_our_log_is_believed),
        cmocka_unit_test(a_round_of_another_term_gets_a_no),
        cmocka_unit_test(bytes_that_are_no_frames),
        cmocka_unit_test(strangers_at_the_door),
        cmocka_unit_test(a_refused_node_says_why_once_and_calls_less_and_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

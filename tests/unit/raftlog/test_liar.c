/* A member that lies in well-formed messages never ends another's process by an assertion.
 *
 * Raft believes its members: it may make the node give up with a clear line (a committed entry that
 * differs), or follow it. It may not make it abort.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/stream.h"
#include "tests/unit/raftlog/cluster.h"

enum { SEEDS = 60, FRAMES = 40 };

struct liar {
    struct cluster *cluster;
    struct env *env;
    struct env_tls *tls;
    struct env_conn *conn;
    struct id128 store;
    uint64_t term, last;
    bool open, closed;
    uint8_t heard[64 * 1024]; /* since the call, when `listens` */
    size_t heard_size;
    bool listens;
    unsigned begins;                         /* of snapshots that were offered */
    unsigned answers;                        /* to CONFIRM */
    unsigned yes_rounds;                     /* of these: the rounds that were confirmed, as bits */
    struct rlog_wire_snapshot_result result; /* the last one */
    unsigned results;
};

static uint64_t near(struct liar *liar, uint64_t value)
{
    uint64_t spread = sim_random(liar->cluster->sim, 8);
    switch (sim_random(liar->cluster->sim, 12)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX - spread;
    case 2:
        return UINT64_C(1) << sim_random(liar->cluster->sim, 64);
    case 3:
    case 4:
        return value + spread;
    case 5:
    case 6:
        return value > spread ? value - spread : 0;
    case 7:
        return 1 + spread;
    default:
        return value;
    }
}

static uint64_t number_of(struct liar *liar, const char *field)
{
    if (strstr(field, "term") != NULL) {
        return near(liar, liar->term);
    }
    if (strcmp(field, "candidate") == 0) {
        return near(liar, 1);
    }
    return near(liar, liar->last);
}

static struct bytes write_entries(struct liar *liar, uint8_t *buffer, size_t size)
{
    struct base_writer writer;
    uint8_t payload[64];
    base_writer_init(&writer, buffer, size);
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)sim_random(liar->cluster->sim, 3);
    }
    payload[0] = 1;
    for (uint64_t n = sim_random(liar->cluster->sim, 4); n > 0; n--) {
        uint64_t type = 1 + sim_random(liar->cluster->sim, 3);
        struct rlog_log_entry entry = {near(liar, liar->term), (enum rlog_entry_type)type,
                                       bytes_of(payload, sizeof payload)};
        rlog_wire_write_entry(&writer, &entry);
    }
    return base_written(&writer);
}

#define LIE_u8 ((uint8_t)(sim_random(liar->cluster->sim, 8) == 0 ? 0 : version))
#define LIE_u16 ((uint16_t)near(liar, 1))
#define LIE_u32 ((uint32_t)sim_random(liar->cluster->sim, 4))
#define LIE_u64 number_of(liar, field)
#define LIE_flag (sim_random(liar->cluster->sim, 2) == 0)
#define LIE_id liar->store
#define LIE_text bytes_of_text("test")
#define LIE_tail write_entries(liar, tail, sizeof tail)

/* Which message, with lies in its fields. */
static void lie(struct liar *liar, struct base_writer *writer)
{
    uint8_t tail[1024];
    uint64_t kind = 130 + sim_random(liar->cluster->sim, 11);
    rlog_wire_frame_begin(writer, (uint8_t)kind);
#define WIRE_BEGIN(NAME, name, number)                                                             \
    if (kind == (number)) {                                                                        \
        struct rlog_wire_##name message;                                                           \
        const uint8_t version = (number) == RLOG_WIRE_REQUEST_VOTE ||                              \
                                        (number) == RLOG_WIRE_REQUEST_VOTE_RESULT                  \
                                    ? 2                                                            \
                                    : 1;                                                           \
        const char *field = "";                                                                    \
        (void)tail;                                                                                \
        (void)version;
#define WIRE_FIELD(name, kind, member)                                                             \
    field = #member;                                                                               \
    message.member = LIE_##kind;                                                                   \
    (void)field;
#define WIRE_END(name)                                                                             \
    rlog_wire_write_##name(writer, &message);                                                      \
    }
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END
}

static void send_hello(struct liar *liar)
{
    uint8_t buffer[512];
    struct base_writer writer;
    struct rlog_wire_hello hello = {
        .magic = RLOG_WIRE_MAGIC,
        .version = 1,
        .version_min = 1,
        .node = 1,
        .to = 3,
        .incarnation = liar->cluster->birth.incarnation,
        .store = liar->store,
        .cluster = bytes_of_text("test"),
    };
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_frame_begin(&writer, RLOG_WIRE_HELLO);
    rlog_wire_write_hello(&writer, &hello);
    env_conn_write(liar->conn, rlog_wire_frame_end(&writer));
}

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    struct liar *liar = arg;
    (void)conn;
    (void)identity;
    liar->open = true;
    send_hello(liar);
}

static void note_confirm(struct liar *liar, struct bytes body)
{
    struct rlog_wire_confirm_result result;
    assert_true(rlog_wire_read_confirm_result(body, &result));
    liar->answers++;
    liar->yes_rounds |= result.yes ? 1u << result.round : 0;
}

static void note_result(struct liar *liar, struct bytes body)
{
    assert_true(rlog_wire_read_snapshot_result(body, &liar->result));
    liar->results++;
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct liar *liar = arg;
    (void)conn;
    for (size_t i = 0; liar->listens && i < data.size; i++) {
        uint8_t kind = 0;
        struct bytes body = BYTES_NONE;
        size_t size = 0;
        assert_true(liar->heard_size < sizeof liar->heard);
        liar->heard[liar->heard_size++] = data.data[i];
        if (rlog_wire_frame_read(bytes_of(liar->heard, liar->heard_size), sizeof liar->heard, &kind,
                                 &body, &size) == RLOG_FRAME_WHOLE) {
            liar->begins += kind == RLOG_WIRE_SNAPSHOT_BEGIN;
            if (kind == RLOG_WIRE_CONFIRM_RESULT) {
                note_confirm(liar, body);
            }
            if (kind == RLOG_WIRE_SNAPSHOT_RESULT) {
                note_result(liar, body);
            }
            liar->heard_size = 0;
        }
    }
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct liar *liar = arg;
    (void)conn;
    (void)rc;
    (void)detail;
    liar->closed = true;
}

static void note(struct liar *liar)
{
    struct rlog_status status;
    rlog_status(liar->cluster->nodes[2].rlog, &status);
    liar->term = status.term;
    liar->last = status.last;
}

/* Calls node 3 in node 1's name. */
static void call(struct liar *liar)
{
    static const struct env_conn_handlers handlers = {on_open, on_data, NULL, on_close};
    struct cluster *cluster = liar->cluster;
    char error[256];
    liar->env = sim_process_start(cluster->nodes[0].host, "liar");
    assert_int_equal(env_tls_create(liar->env, "/tls/ca", "/tls/cert", "/tls/key", error,
                                    sizeof error, &liar->tls),
                     0);
    liar->open = false;
    liar->closed = false;
    liar->conn = env_connect(liar->env, cluster->birth.members[2].address, liar->tls,
                             "tenure-peer/1", &handlers, liar);
    assert_non_null(liar->conn);
    cluster_run(cluster, 20 * SIM_MILLISECOND);
    assert_true(liar->open);
}

static void hang_up(struct liar *liar)
{
    env_tls_destroy(liar->tls);
    sim_process_free(liar->env);
}

static void tell_lies(struct liar *liar)
{
    struct cluster *cluster = liar->cluster;
    call(liar);
    for (size_t i = 0; i < FRAMES && !liar->closed && !cluster->nodes[2].fatal; i++) {
        uint8_t buffer[4096];
        struct base_writer writer;
        note(liar);
        base_writer_init(&writer, buffer, sizeof buffer);
        lie(liar, &writer);
        env_conn_write(liar->conn, rlog_wire_frame_end(&writer));
        cluster_run(cluster, 1 + sim_random(cluster->sim, 30 * SIM_MILLISECOND));
    }
    hang_up(liar);
}

static void never_ends_a_process(void **state)
{
    (void)state;
    const char *one = getenv("LIAR_SEED");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one != NULL ? 1 : SEEDS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        struct cluster *cluster = cluster_create(seed, 3);
        struct liar liar = {.cluster = cluster};
        struct rlog_status status;
        cluster->config.snapshot_bytes = 1024;
        cluster->config.trailing = 8;
        cluster_start_all(cluster);
        cluster_wait_leader(cluster);
        cluster_write(cluster, 100 + (size_t)sim_random(cluster->sim, 200));
        cluster_settle(cluster, 5 * SIM_SECOND);
        rlog_status(cluster->nodes[0].rlog, &status);
        liar.store = status.store_id;
        cluster->liars = true;
        cluster_crash(cluster, 0);
        cluster_wait_leader(cluster);
        for (unsigned call = 0; call < 20 && !cluster->nodes[2].fatal; call++) {
            tell_lies(&liar);
        }
        cluster_destroy(cluster);
    }
}

/* ---- lies that ended a process once, or kept it waiting ---- */

/* Node 1 is gone, and the liar may speak in its name; all that it will say has gone before. */
static void take_its_place(struct liar *liar, struct cluster *cluster)
{
    struct rlog_status status;
    rlog_status(cluster->nodes[0].rlog, &status);
    *liar = (struct liar){.cluster = cluster, .store = status.store_id, .last = status.last};
    cluster_crash(cluster, 0);
}

static void say_result(struct liar *liar, uint64_t term, uint64_t rejected, uint64_t last)
{
    uint8_t buffer[512];
    struct base_writer writer;
    const struct rlog_wire_append_result result = {
        .version = 1, .term = term, .rejected = rejected, .last_index = last};
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_frame_begin(&writer, RLOG_WIRE_APPEND_RESULT);
    rlog_wire_write_append_result(&writer, &result);
    env_conn_write(liar->conn, rlog_wire_frame_end(&writer));
}

/* What an older copy of its folder would make of node 1: it rejects with less than it stored. */
static void a_log_that_went_back(void **state)
{
    (void)state;
    unsigned tried = 0;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        struct liar liar;
        struct rlog_status status;
        cluster_start_all(cluster);
        if (cluster_wait_leader(cluster)->id == 3) {
            tried++;
            cluster_write(cluster, 50);
            cluster_settle(cluster, 5 * SIM_SECOND);
            take_its_place(&liar, cluster);
            cluster_write(cluster, 10);
            cluster_run(cluster, 3 * SIM_SECOND);
            rlog_status(cluster->nodes[2].rlog, &status);
            call(&liar);
            say_result(&liar, status.term, status.last, 5);
            cluster_run(cluster, SIM_SECOND);
            assert_true(liar.closed);
            hang_up(&liar);
            assert_true(cluster_logged(cluster, "node 1's log went back: its folder is older than "
                                                "what it acknowledged"));
            assert_int_equal(cluster->nodes[2].role, RLOG_LEADER);
            assert_int_equal(cluster_start(cluster, 0), 0);
            cluster_settle(cluster, 20 * SIM_SECOND);
        }
        cluster_destroy(cluster);
    }
    assert_true(tried > 3);
}

/* Entries from before the snapshot on, whose terms are older than the snapshot's. */
static void terms_older_than_the_snapshot(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(7, 3);
    struct liar liar;
    struct rlog_status status;
    uint8_t buffer[4096], tail[2048];
    struct base_writer writer, entries;
    cluster->config.trailing = 8;
    cluster_start_all(cluster);
    cluster_write(cluster, 50);
    cluster_settle(cluster, 5 * SIM_SECOND);
    rlog_snapshot_now(cluster->nodes[2].rlog);
    cluster_run(cluster, SIM_SECOND);
    take_its_place(&liar, cluster);
    cluster_crash(cluster, 1);
    cluster->liars = true;
    rlog_status(cluster->nodes[2].rlog, &status);
    assert_true(status.snapshot > 20 && status.last == status.snapshot);
    uint64_t before = status.snapshot - 8 - 1;
    uint64_t count = status.last + 1 - before;
    base_writer_init(&entries, tail, sizeof tail);
    for (uint64_t i = 0; i < count; i++) {
        struct rlog_log_entry entry = {1, RLOG_COMMAND, bytes_of_text("12345678")};
        rlog_wire_write_entry(&entries, &entry);
    }
    const struct rlog_wire_append lie = {.version = 1,
                                         .term = status.term + 5,
                                         .previous_index = before,
                                         .previous_term = 1,
                                         .count = (uint32_t)count,
                                         .entries = base_written(&entries)};
    call(&liar);
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_frame_begin(&writer, RLOG_WIRE_APPEND);
    rlog_wire_write_append(&writer, &lie);
    env_conn_write(liar.conn, rlog_wire_frame_end(&writer));
    cluster_run(cluster, SIM_SECOND);
    assert_true(liar.closed);
    assert_false(cluster->nodes[2].fatal);
    hang_up(&liar);
    cluster_destroy(cluster);
}

/* It rejects what it lacks and never answers a chunk: its snapshot is offered again. */
static void a_snapshot_whose_answers_are_lost_is_sent_again(void **state)
{
    (void)state;
    unsigned tried = 0;
    for (uint64_t seed = 1; seed < 20 && tried == 0; seed++) {
        struct cluster *cluster = cluster_create(seed, 3);
        static struct liar liar;
        struct rlog_status status;
        cluster->config.snapshot_bytes = 1024;
        cluster->config.trailing = 8;
        cluster_start_all(cluster);
        if (cluster_wait_leader(cluster)->id == 3) {
            tried++;
            cluster_write(cluster, 50);
            cluster_settle(cluster, 5 * SIM_SECOND);
            take_its_place(&liar, cluster);
            liar.listens = true;
            cluster_write(cluster, 600);
            cluster_run(cluster, 3 * SIM_SECOND);
            rlog_status(cluster->nodes[2].rlog, &status);
            call(&liar);
            for (unsigned i = 0; i < 200 && !liar.closed; i++) {
                say_result(&liar, status.term, status.snapshot, liar.last);
                cluster_run(cluster, 500 * SIM_MILLISECOND);
            }
            assert_false(liar.closed);
            assert_in_range(liar.begins, 2, 6);
            hang_up(&liar);
        }
        cluster_destroy(cluster);
    }
    assert_int_equal(tried, 1);
}

static void ask_confirm(struct liar *liar, uint64_t term, uint64_t round)
{
    uint8_t buffer[512];
    struct base_writer writer;
    const struct rlog_wire_confirm confirm = {.term = term, .round = round, .nonce = 1};
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_frame_begin(&writer, RLOG_WIRE_CONFIRM);
    rlog_wire_write_confirm(&writer, &confirm);
    env_conn_write(liar->conn, rlog_wire_frame_end(&writer));
}

/* No lie: a leader that was replaced asks. A member confirms the term that it is in, no older one
 * (whose leader may be replaced) and no newer one (which it has not stored). */
static void only_the_present_term_is_confirmed(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(3, 3);
    static struct liar liar;
    struct rlog_status status;
    cluster_start_all(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    take_its_place(&liar, cluster);
    cluster_run(cluster, 3 * SIM_SECOND);
    rlog_status(cluster->nodes[2].rlog, &status);
    assert_true(status.term > 1);
    call(&liar);
    liar.listens = true;
    ask_confirm(&liar, status.term - 1, 1);
    ask_confirm(&liar, status.term, 2);
    ask_confirm(&liar, status.term + 1, 3);
    cluster_run(cluster, 100 * SIM_MILLISECOND);
    assert_int_equal(liar.answers, 3);
    assert_int_equal(liar.yes_rounds, 1u << 2);
    assert_false(liar.closed);
    hang_up(&liar);
    cluster_destroy(cluster);
}

/* ---- an image in chunks ---- */

static const uint8_t image_bytes[3 * 1000];

static void offer_image(struct liar *liar, uint64_t stream, uint64_t term, uint64_t identity)
{
    uint8_t buffer[512];
    struct base_writer writer;
    const struct rlog_wire_snapshot_begin begin = {.version = RLOG_STREAM_VERSION,
                                                   .stream = stream,
                                                   .term = term,
                                                   .index = 1000,
                                                   .last_term = 1,
                                                   .size = sizeof image_bytes,
                                                   .identity = identity};
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_frame_begin(&writer, RLOG_WIRE_SNAPSHOT_BEGIN);
    rlog_wire_write_snapshot_begin(&writer, &begin);
    env_conn_write(liar->conn, rlog_wire_frame_end(&writer));
    cluster_run(liar->cluster, 20 * SIM_MILLISECOND);
}

static void send_chunk(struct liar *liar, uint64_t stream, uint64_t offset, uint32_t flaw)
{
    static uint8_t buffer[2000];
    struct base_writer writer;
    struct rlog_wire_snapshot_chunk chunk = {
        .stream = stream, .offset = offset, .data = bytes_of(image_bytes + offset, 1000)};
    chunk.checksum = rlog_stream_checksum(stream, offset, chunk.data) ^ flaw;
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_frame_begin(&writer, RLOG_WIRE_SNAPSHOT_CHUNK);
    rlog_wire_write_snapshot_chunk(&writer, &chunk);
    env_conn_write(liar->conn, rlog_wire_frame_end(&writer));
    cluster_run(liar->cluster, 20 * SIM_MILLISECOND);
}

static void heard(const struct liar *liar, enum rlog_stream_verdict verdict, uint64_t offset)
{
    assert_int_equal(liar->result.verdict, verdict);
    assert_int_equal(liar->result.offset, offset);
}

/* A chunk whose checksum is wrong is refused and asked for again, and so is all behind it. Three
 * chunks of zeros are no image: it is not installed, and nothing of it stays. */
static void a_damaged_chunk_is_asked_for_again(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_create(3, 3);
    static struct liar liar;
    struct rlog_status status;
    cluster_start_all(cluster);
    cluster_write(cluster, 10);
    cluster_settle(cluster, 5 * SIM_SECOND);
    take_its_place(&liar, cluster);
    cluster_run(cluster, 3 * SIM_SECOND);
    rlog_status(cluster->nodes[2].rlog, &status);
    call(&liar);
    liar.listens = true;
    offer_image(&liar, 1, status.term, 7);
    heard(&liar, RLOG_STREAM_GO_ON, 0);
    send_chunk(&liar, 1, 0, 0);
    heard(&liar, RLOG_STREAM_GO_ON, 1000);
    send_chunk(&liar, 1, 1000, 1); /* damaged on its way */
    heard(&liar, RLOG_STREAM_AGAIN, 1000);
    send_chunk(&liar, 1, 2000, 0); /* sent before the answer came */
    assert_int_equal(liar.results, 3);
    send_chunk(&liar, 1, 1000, 0);
    heard(&liar, RLOG_STREAM_GO_ON, 2000);
    send_chunk(&liar, 1, 2000, 0);
    heard(&liar, RLOG_STREAM_DAMAGED, 3000);
    assert_false(liar.closed);
    assert_false(sim_disk_exists(cluster->nodes[2].host,
                                 "/data/snapshots/snap-00000000000003e8-0000000000000007.part"));
    rlog_status(cluster->nodes[2].rlog, &status);
    assert_true(status.snapshot == 0 && cluster->nodes[2].restores == 0);
    /* Not for ever. */
    offer_image(&liar, 2, status.term, 8);
    cluster_run(cluster, 100 * SIM_MILLISECOND); /* the pause after the first */
    for (unsigned i = 0; i <= RLOG_STREAM_REPEATS_MAX; i++) {
        assert_false(liar.closed);
        send_chunk(&liar, 2, 0, 1);
    }
    assert_true(liar.closed);
    hang_up(&liar);
    cluster_destroy(cluster);
}

/* No chunk may leave a gap, or reach behind the end. */
static void no_chunk_lies_elsewhere(void **state)
{
    (void)state;
    static const uint64_t offsets[] = {1000, 2000};
    for (size_t i = 0; i < 2; i++) {
        struct cluster *cluster = cluster_create(3, 3);
        static struct liar liar;
        struct rlog_status status;
        cluster_start_all(cluster);
        cluster_write(cluster, 10);
        cluster_settle(cluster, 5 * SIM_SECOND);
        take_its_place(&liar, cluster);
        cluster_run(cluster, 3 * SIM_SECOND);
        rlog_status(cluster->nodes[2].rlog, &status);
        call(&liar);
        liar.listens = true;
        offer_image(&liar, 1, status.term, 7);
        send_chunk(&liar, 1, offsets[i], 0);
        assert_true(liar.closed);
        hang_up(&liar);
        cluster_destroy(cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_ends_a_process),
        cmocka_unit_test(a_log_that_went_back),
        cmocka_unit_test(terms_older_than_the_snapshot),
        cmocka_unit_test(a_snapshot_whose_answers_are_lost_is_sent_again),
        cmocka_unit_test(only_the_present_term_is_confirmed),
        cmocka_unit_test(a_damaged_chunk_is_asked_for_again),
        cmocka_unit_test(no_chunk_lies_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

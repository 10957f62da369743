/* A client's bytes on a node of a cluster of three, in the simulated world: whatever they are and
 * however they are cut, the node lives, answers or closes, serves another client meanwhile, and
 * when the connection is gone nothing of it is left: no place, no bytes, no request.
 *
 * The cluster lives on from input to input. An input is a byte whose lowest bit says that hello
 * goes before, one for the size of pieces, and the bytes.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/node/raw.h"

#include <stdlib.h>

#define CLIENT "tenure://test/acme/service/gateway"

enum { PIECES_MAX = 64, OTHER_EVERY = 16 };

struct stage {
    struct world world;
    size_t leader;
    struct env_tls *tls;
    struct raw other;
    uint32_t inputs;
};

static struct stage *stage(void)
{
    static struct stage *stage;

    if (stage == NULL) {
        stage = calloc(1, sizeof *stage);
        ASSERT(stage != NULL);
        world_start(&stage->world, 1);
        stage->leader = world_leader(&stage->world);
        stage->tls = world_identity(&stage->world, CLIENT);
        raw_open(&stage->other, &stage->world, stage->leader, stage->tls);
        raw_hello(&stage->other);
    }
    return stage;
}

static bool is_gone(void *arg)
{
    const struct node_listener *listener = arg;

    return listener->count == 1 && listener->bytes == 0;
}

/* In pieces of this size, but not too many of them. */
static void say(struct raw *raw, struct bytes bytes, size_t piece)
{
    piece = bytes.size / piece > PIECES_MAX ? bytes.size / PIECES_MAX : piece;
    for (size_t at = 0; at < bytes.size && raw->conn != NULL; at += piece) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;

        raw_write(raw, bytes_of(bytes.data + at, size));
        world_pass(raw->world, SIM_MILLISECOND);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage *on = stage();
    struct node *node = on->world.nodes[on->leader].node;
    struct raw raw;

    if (size < 2) {
        return 0;
    }
    raw_open(&raw, &on->world, on->leader, on->tls);
    if (data[0] % 2 == 1) {
        raw_hello(&raw);
    }
    say(&raw, bytes_of(data + 2, size - 2), 1 + (size_t)data[1]);
    world_pass(&on->world, 5 * SIM_MILLISECOND);
    raw_close(&raw);
    ASSERT(sim_run_until(on->world.sim, is_gone, &node->listener, 10 * SIM_SECOND));
    ASSERT(node->listener.shaking_count == 0);
    if (++on->inputs % OTHER_EVERY == 0) {
        raw_request(&on->other, on->inputs, OP_METHOD_STATUS, NULL, NULL, NULL);
        raw_expect(&on->other, on->inputs, OP_OK);
    }
    return 0;
}

/* Hello, a registration, a status and a cancellation, in one stream; then it cut in pieces. */
bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    static const struct op_hello_request hello = {.version = 1, .instance = {{1}}};
    static const struct op_status_request status = {.has_at = true, .at = 1};
    size_t rows;
    const struct op_row *row = op_rows(&rows);

    base_write_u8(writer, n % 2 == 1);
    base_write_u8(writer, n < 4 ? 255 : (uint8_t)n);
    if (n % 2 == 0) {
        op_request_write(writer, 1, OP_METHOD_HELLO, NULL, &op_hello_request_struct, &hello);
    }
    op_request_write(writer, 2, row[n % rows].method, NULL, NULL, NULL);
    op_request_write(writer, 3, "client.register", NULL, NULL, NULL);
    op_request_write(writer, 4, OP_METHOD_STATUS, NULL, &op_status_request_struct, &status);
    op_notification_write(writer, OP_METHOD_CANCEL, 3);
    return n < 2 * rows;
}

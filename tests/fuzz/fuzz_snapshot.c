/* Snapshot files, sealed rightly or not: whole, or refused, and the two ways of reading one agree.
 * What is fed is what the end of the file counts. A file that arrives from a leader and is refused
 * leaves nothing in the folder; one that is taken is the same bytes under its name.
 *
 * An input is a program that writes blocks, each of the body that it names (see `step`).
 */
#include "raftlog/path.h"
#include "raftlog/sealed.h"
#include "raftlog/snapshot_format.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/raftlog_disk/world.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 * 1024, INDEX = 5 };

struct draft {
    uint8_t file[FILE_MAX];
    size_t size;
    struct rlog_snapshot_chain chain;
};

/* The kinds and the chain of snapshot_format.c, once more. */
static const struct rlog_sealed_kind kinds[] = {{RLOG_MAGIC('t', 'n', 'S', 'N'), 1},
                                                {RLOG_MAGIC('t', 'n', 'S', 'C'), 1},
                                                {RLOG_MAGIC('t', 'n', 'C', 'H'), 1},
                                                {RLOG_MAGIC('t', 'n', 'S', 'E'), 1}};

static void put_block(struct draft *draft, struct rlog_sealed_kind kind, struct bytes body)
{
    struct siphash_key key;
    struct base_writer writer;

    if (draft->size + RLOG_SEALED_EXTRA + body.size > FILE_MAX) {
        return;
    }
    base_writer_init(&writer, key.bytes, sizeof key.bytes);
    base_write_u64(&writer, draft->chain.hash);
    base_write_u64(&writer, draft->chain.blocks);
    draft->chain.hash = rlog_seal(draft->file + draft->size, kind, &key, body);
    draft->chain.blocks++;
    draft->size += RLOG_SEALED_EXTRA + body.size;
}

static void put_honest(struct draft *draft, uint8_t what, struct bytes raw)
{
    static uint8_t out[2 * RLOG_SNAPSHOT_BLOCK_MAX], scratch[2 * RLOG_SNAPSHOT_BLOCK_MAX];
    const struct rlog_snapshot_meta meta = {
        .index = INDEX, .term = 2, .configuration_index = 1, .configuration = raw};
    struct rlog_snapshot_chain chain = draft->chain;
    size_t size = 0;

    if (what == 0) {
        size = rlog_snapshot_put_head(&chain, &meta, out);
    } else if (what == 1 && raw.size > 0) {
        size = rlog_snapshot_put_chunk(&chain, raw, out, scratch);
    } else if (what == 2) {
        size = rlog_snapshot_put_end(&chain, out);
    }
    if (draft->size + size <= FILE_MAX) {
        memcpy(draft->file + draft->size, out, size);
        draft->size += size;
        draft->chain = chain;
    }
}

static void step(struct draft *draft, struct base_reader *input)
{
    uint8_t code = base_read_u8(input);
    struct bytes body = fuzz_take(input, (size_t)fuzz_byte(input) | (size_t)(code & 0xf0) << 4);

    switch (code % 8) {
    case 0:
    case 1:
    case 2:
        put_honest(draft, code % 8, body);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        put_block(draft, kinds[code % 8 - 3], body);
        break;
    default:
        for (size_t i = 0; i + 1 < body.size && draft->size > 0; i += 2) {
            draft->file[(size_t)body.data[i] * 37 % draft->size] ^= body.data[i + 1];
        }
        draft->size -= draft->size > 0 && code == 255;
        break;
    }
}

/* ---- what is proven ---- */

struct fed {
    uint64_t bytes, pieces, hash;
};

static int feed(void *arg, struct bytes piece)
{
    const struct siphash_key key = {{0}};
    struct fed *fed = arg;

    ASSERT(piece.size > 0 && piece.size <= RLOG_SNAPSHOT_CHUNK);
    fed->bytes += piece.size;
    fed->pieces++;
    fed->hash = fed->hash * 31 + base_siphash64(&key, piece);
    return ENV_OK;
}

static unsigned files_of(struct world *world, const char *folder)
{
    struct saved saved = {.count = 0};
    unsigned count;

    saved_add(&saved, world, folder);
    count = (unsigned)saved.count;
    saved_free(&saved);
    return count;
}

static struct rlog_snapshot_receiver *receiver_of(struct world *world, uint64_t identity,
                                                  uint64_t *ret_offset)
{
    struct rlog_snapshot_receiver *receiver = NULL;
    int rc = rlog_snapshot_receiver_create(world->env, "/d/log", INDEX, identity, &receiver,
                                           ret_offset);

    ASSERT(rc == ENV_OK);
    return receiver;
}

static void append(struct rlog_snapshot_receiver *receiver, const struct draft *draft, size_t at,
                   size_t end)
{
    for (size_t piece = draft->size / 3 + 1; at < end; at += piece) {
        size_t size = end - at < piece ? end - at : piece;

        ASSERT(rlog_snapshot_receiver_append(receiver, bytes_of(draft->file + at, size)) == ENV_OK);
    }
}

/* As from a leader, in pieces, and half of it before a restart. */
static int receive(struct world *world, const struct draft *draft, uint64_t identity,
                   struct rlog_snapshot_info *info, struct fed *fed)
{
    uint64_t offset = 0;
    struct rlog_snapshot_receiver *receiver = receiver_of(world, identity, &offset);
    int rc;

    ASSERT(offset == 0);
    append(receiver, draft, 0, draft->size / 2);
    rlog_snapshot_receiver_destroy(receiver);
    receiver = receiver_of(world, identity, &offset);
    ASSERT(offset <= draft->size / 2);
    append(receiver, draft, (size_t)offset, draft->size);
    world->error[0] = '\0';
    rc = rlog_snapshot_receiver_finish(receiver, feed, fed, info, world->error,
                                       sizeof world->error);
    ASSERT(rc == ENV_OK || fuzz_is_line(world->error));
    rlog_snapshot_receiver_destroy(receiver);
    return rc;
}

static void check(struct world *world, const struct draft *draft)
{
    static struct rlog_snapshot_info info, again;
    info.identity = 0;
    struct fed one = {.bytes = 0}, two = {.bytes = 0};
    int rc, received;

    ASSERT(sim_disk_write(world->host, "/d/file", bytes_of(draft->file, draft->size)) == ENV_OK);
    rc = rlog_snapshot_walk(world->env, "/d/file", feed, &one, &info);
    ASSERT(rc == ENV_OK || rc == ENV_INVALID || rc == ENV_LIMIT);
    ASSERT(rc != ENV_OK || rlog_snapshot_read_meta(world->env, "/d/file", &again) == ENV_OK);
    received = receive(world, draft, info.identity, &again, &two);
    ASSERT((received == ENV_OK) == (rc == ENV_OK && info.meta.index == INDEX));
    ASSERT(files_of(world, "/d/log") == (received == ENV_OK));
    if (received != ENV_OK) {
        return;
    }
    ASSERT(memcmp(&one, &two, sizeof one) == 0);
    two = (struct fed){.bytes = 0};
    ASSERT(rlog_snapshots_newest(world->env, "/d/log", &again, world->error, sizeof world->error) ==
           ENV_OK);
    ASSERT(again.meta.term == info.meta.term && again.file_bytes == draft->size);
    ASSERT(bytes_equal(again.meta.configuration, info.meta.configuration));
    ASSERT(rlog_snapshot_restore(world->env, "/d/log", INDEX, feed, &two, world->error,
                                 sizeof world->error) == ENV_OK);
    ASSERT(memcmp(&one, &two, sizeof one) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    static struct draft draft;
    struct base_reader input;

    draft.size = 0;
    draft.chain = (struct rlog_snapshot_chain){.hash = 0};
    base_reader_init(&input, bytes_of(data, size));
    while (base_reader_left(&input) > 0) {
        step(&draft, &input);
    }
    world_create(&world, 1);
    check(&world, &draft);
    world_destroy(&world);
    return 0;
}

bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    static const uint8_t head[] = {0, 4, 'r', 'a', 'f', 't'};
    static const uint8_t chunk[] = {1, 8, 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'};
    static const uint8_t own_chunk[] = {5, 10, 4, 0, 0, 0, 0x40, 'a', 'b', 'c', 'd', 0};
    static const uint8_t end[] = {2, 0};
    static const uint8_t flip[] = {7, 2, 9, 1};

    base_write_bytes(writer, bytes_of(head, sizeof head));
    for (uint64_t i = 0; i < n % 3; i++) {
        base_write_bytes(writer, bytes_of(chunk, sizeof chunk));
    }
    base_write_bytes(writer, n == 3 ? bytes_of(own_chunk, sizeof own_chunk) : BYTES_NONE);
    base_write_bytes(writer, n == 4 ? BYTES_NONE : bytes_of(end, sizeof end));
    base_write_bytes(writer, n == 5 ? bytes_of(flip, sizeof flip) : BYTES_NONE);
    base_write_bytes(writer, n == 6 ? bytes_of(end, sizeof end) : BYTES_NONE);
    return n < 7;
}

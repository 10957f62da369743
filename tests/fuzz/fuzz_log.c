/* A folder of log segments and a mark, as somebody made it who knows the store's key: recovery
 * refuses in one line and leaves every file as it was, or recovers a log that opens again as the
 * same entries. However large a length is claimed, no more is read than there is.
 *
 * An input is a program: each of its bytes with those behind it writes a record, ends a batch,
 * begins a segment, changes a byte (see `step`).
 */
#include "raftlog/log_format.h"
#include "raftlog/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/raftlog_disk/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT = 8192, SEGMENTS_MAX = 6, BODY_MAX = 4096, ENTRIES_MAX = 4096 };

static const struct id128 store_id = {"store-of-the-one"};

/* What the input makes. */
struct draft {
    struct siphash_key key;
    struct rlog_log_point point; /* where an honest writer would stand */
    uint64_t number;
    uint64_t first; /* index in the segment's name */
    uint8_t segment[SEGMENT];
    size_t offset;
    uint8_t body[BODY_MAX];
    size_t body_size;
    uint32_t records;
    uint64_t body_chain;
    uint64_t index, term; /* of the body's end */
    struct rlog_log_point marks[2];
};

static void segment_begin(struct draft *draft)
{
    struct rlog_segment_head head;

    draft->number++;
    draft->first = draft->point.index + 1;
    memset(draft->segment, 0, sizeof draft->segment);
    head = (struct rlog_segment_head){.number = draft->number, .before = draft->point};
    draft->point.chain = rlog_segment_head_write(draft->segment, &draft->key, &head);
    draft->offset = RLOG_BLOCK;
}

static void segment_end(struct draft *draft, struct world *world)
{
    char name[RLOG_SEGMENT_NAME_MAX], path[128];

    rlog_segment_name(name, draft->number, draft->first);
    (void)snprintf(path, sizeof path, "/d/log/%s", name);
    ASSERT(sim_disk_write(world->host, path, bytes_of(draft->segment, SEGMENT)) == ENV_OK);
}

/* ---- batches: records are sealed at the batch's end, when its head's hash is known ---- */

struct pending {
    uint32_t type;
    uint64_t index, term;
    uint8_t payload[64];
    size_t size;
};

struct batch {
    struct pending records[32];
    size_t count;
};

static uint64_t near(uint64_t value, uint8_t step)
{
    return step < 200 ? value : value + step - 228; /* most inputs follow, some do not */
}

static void record_add(struct draft *draft, struct batch *batch, struct base_reader *input)
{
    static const uint32_t types[] = {1, 1, 1,  1, 2, 3, RLOG_RECORD_TRUNCATE, RLOG_RECORD_RESTART,
                                     0, 4, 15, 18};
    struct pending *record = &batch->records[batch->count];
    struct bytes payload;

    if (batch->count == sizeof batch->records / sizeof batch->records[0]) {
        return;
    }
    record->type = types[fuzz_byte(input) % (sizeof types / sizeof types[0])];
    record->term = near(draft->term, fuzz_byte(input));
    record->index = near(draft->index + (record->type < 16), fuzz_byte(input));
    payload = fuzz_take(input, record->type < 16 ? fuzz_byte(input) % 64 : 0);
    record->size = payload.size;
    if (payload.size > 0) {
        memcpy(record->payload, payload.data, payload.size);
    }
    draft->index = record->index;
    draft->term = record->term;
    batch->count++;
}

static size_t body_size(const struct batch *batch)
{
    size_t size = 0;

    for (size_t i = 0; i < batch->count; i++) {
        size += RLOG_RECORD_EXTRA + batch->records[i].size;
    }
    return size;
}

/* `wrong` says which number of the head is not what it has to be; 0: none. */
static void batch_end(struct draft *draft, struct batch *batch, uint8_t wrong)
{
    size_t size = body_size(batch);
    struct rlog_batch_head head = {.before = draft->point,
                                   .body_bytes = (uint32_t)size,
                                   .record_count = (uint32_t)batch->count};
    uint8_t *at = draft->segment + draft->offset;
    uint64_t chain;

    if (draft->offset + rlog_blocks_up(RLOG_BATCH_HEAD + size) > SEGMENT) {
        batch->count = 0;
        return;
    }
    head.body_bytes += wrong == 1 ? 1 : wrong == 2 ? UINT32_MAX / 2 : 0;
    head.record_count += wrong == 3 ? 1 : wrong == 4 ? UINT32_MAX / 2 : 0;
    head.before.batch += wrong == 5;
    head.before.index += wrong == 6;
    chain = rlog_batch_head_write(at, &draft->key, &head);
    at += RLOG_BATCH_HEAD;
    for (size_t i = 0; i < batch->count; i++) {
        const struct pending *from = &batch->records[i];
        const struct rlog_record record = {.type = from->type,
                                           .index = from->index,
                                           .term = from->term,
                                           .payload = bytes_of(from->payload, from->size)};

        chain = rlog_record_write(at, &draft->key, chain, &record);
        at += RLOG_RECORD_EXTRA + from->size;
    }
    draft->point = (struct rlog_log_point){.batch = draft->point.batch + 1,
                                           .chain = chain,
                                           .index = draft->index,
                                           .term = draft->term};
    draft->offset += rlog_blocks_up(RLOG_BATCH_HEAD + size);
    batch->count = 0;
}

/* ---- the program ---- */

static void change_byte(struct draft *draft, struct base_reader *input)
{
    size_t at = ((size_t)fuzz_byte(input) << 8 | fuzz_byte(input)) % SEGMENT;

    draft->segment[at] ^= fuzz_byte(input);
}

static void put_raw(struct draft *draft, struct base_reader *input)
{
    struct bytes raw = fuzz_take(input, (size_t)fuzz_byte(input) * 4);

    if (raw.size > 0 && draft->offset + raw.size <= SEGMENT) {
        memcpy(draft->segment + draft->offset, raw.data, raw.size);
    }
}

static void step(struct draft *draft, struct batch *batch, struct world *world,
                 struct base_reader *input)
{
    uint8_t code = base_read_u8(input);

    switch (code % 8) {
    case 4:
        batch_end(draft, batch, code / 8 < 24 ? 0 : (uint8_t)(code / 8 - 24));
        break;
    case 5:
        if (draft->number < SEGMENTS_MAX) {
            segment_end(draft, world);
            draft->number += code >= 248; /* a gap */
            segment_begin(draft);
        }
        break;
    case 6:
        draft->marks[code / 8 % 2] = draft->point;
        break;
    case 7:
        if (code < 128) {
            change_byte(draft, input);
        } else {
            put_raw(draft, input);
        }
        break;
    default:
        record_add(draft, batch, input);
        break;
    }
}

static void make(struct world *world, struct bytes program)
{
    static struct draft draft;
    static struct batch batch;
    static uint8_t mark[RLOG_MARK_STRIDE + RLOG_BLOCK];
    struct base_reader input;

    memset(&draft, 0, sizeof draft);
    memset(mark, 0, sizeof mark);
    batch.count = 0;
    draft.key = rlog_store_key(store_id);
    draft.term = 1;
    segment_begin(&draft);
    base_reader_init(&input, program);
    while (base_reader_left(&input) > 0) {
        step(&draft, &batch, world, &input);
    }
    batch_end(&draft, &batch, 0);
    segment_end(&draft, world);
    rlog_mark_write(mark, &draft.key, &draft.marks[0]);
    rlog_mark_write(mark + RLOG_MARK_STRIDE, &draft.key, &draft.marks[1]);
    ASSERT(sim_disk_write(world->host, "/d/log/mark", bytes_of(mark, sizeof mark)) == ENV_OK);
}

/* ---- what is proven ---- */

static void on_stored(void *arg, uint64_t index)
{
    (void)arg;
    (void)index;
}

static void on_failed(void *arg, int rc, const char *detail)
{
    (void)arg;
    (void)rc;
    (void)detail;
    UNREACHABLE("no disk fails here");
}

/* All that a log holds, in one number. */
struct content {
    uint64_t start, last, hash;
};

static int try_open(struct world *world, struct content *ret)
{
    const struct rlog_log_config config = {
        .folder = "/d/log", .segment_bytes = SEGMENT, .store_id = store_id};
    const struct rlog_log_handlers handlers = {.stored = on_stored, .failed = on_failed};
    const struct siphash_key key = {{0}};
    struct rlog_log *log = NULL;
    int rc;

    world->error[0] = '\0';
    rc = rlog_log_open(world->env, &config, 0, 0, &handlers, world->error, sizeof world->error,
                       &log);
    memset(ret, 0, sizeof *ret);
    if (rc == ENV_OK) {
        ret->start = rlog_log_start(log);
        ret->last = rlog_log_last(log);
        ASSERT(ret->last - ret->start + 1 <= ENTRIES_MAX);
        for (uint64_t i = ret->start; i <= ret->last; i++) {
            struct rlog_log_entry entry = rlog_log_entry(log, i);

            ASSERT(entry.type >= RLOG_COMMAND && entry.type <= RLOG_CHANGE);
            ret->hash = ret->hash * 31 + entry.term * 7 + (uint64_t)entry.type +
                        base_siphash64(&key, entry.payload);
        }
    }
    sim_process_crash(world->env);
    rlog_log_destroy(log);
    world_cycle(world, false);
    return rc;
}

static bool same_files(const struct saved *a, const struct saved *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = strcmp(a->files[i].path, b->files[i].path) == 0 &&
               bytes_equal(bytes_of(a->files[i].data, a->files[i].size),
                           bytes_of(b->files[i].data, b->files[i].size));
    }
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    static struct saved before, after;
    struct content first, again;

    if (size > 2048) {
        return 0;
    }
    world_create(&world, 1);
    make(&world, bytes_of(data, size));
    before.count = after.count = 0;
    saved_add(&before, &world, "/d/log");
    if (try_open(&world, &first) == ENV_OK) {
        ASSERT(try_open(&world, &again) == ENV_OK);
        ASSERT(memcmp(&first, &again, sizeof first) == 0);
    } else {
        ASSERT(fuzz_is_line(world.error));
        saved_add(&after, &world, "/d/log");
        ASSERT(same_files(&before, &after));
    }
    saved_free(&before);
    saved_free(&after);
    world_destroy(&world);
    return 0;
}

#define PROGRAM(literal) {literal, sizeof(literal) - 1}

bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    static const struct {
        const char *text;
        size_t size;
    } programs[] = {
        PROGRAM(""),
        PROGRAM("\0\0\0\0\3abc\4"),
        PROGRAM("\0\0\0\0\1a\0\0\0\0\1b\4\6\0\4\0\0\1c\4\16"),
        PROGRAM("\0\0\0\0\1a\4\5\0\0\0\0\1b\4\5\0\6\0\310\0\4\6"),
        PROGRAM("\0\0\0\0\1a\4\0\0\0\0\1b\4\7\2\4\377"),
        PROGRAM("\0\0\0\0\1a\4\0\7\0\344\4\6\0\0\0\0\1b\4"),
        PROGRAM("\0\0\0\0\1a\4\4\304\314\324\334\344\354\364"),
        PROGRAM("\0\0\0\0\1a\4\207\20tnBAtnBAtnBA"),
    };

    if (n >= sizeof programs / sizeof programs[0]) {
        return false;
    }
    base_write_bytes(writer, bytes_of(programs[n].text, programs[n].size));
    return true;
}

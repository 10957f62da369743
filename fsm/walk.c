/* The snapshot walk and its inverse: records as tagged fields, slot numbers kept. Never a memory
 * image, no compression and no checksum of its own but the state's digest.
 *
 * An image, all integers little-endian:
 *
 *     head    version u8 (1), tables u8, then per table: id u8, records u32
 *     record  table id u8 (never 0), size u16 of what follows, slot u32, fields u16,
 *             then per field: tag u8, size u16, value
 *     end     0 u8, records u64, digest u64 low, u64 high (of all records, at p)
 *
 * Records come by table and slot, so that an image is a function of the state alone, however the
 * walk and the commands took turns; but where more changed ahead of the walk than `keep` holds,
 * what changed after that comes when it changes. A reader takes any order. A table or a field
 * that is missing is empty or zero: the image of an older version. New fields stand at the end
 * of a record's image, so that zeros there leave the digest as it was. What is unknown, double,
 * out of range or too much is an error.
 *
 *  1. While a walk runs, slots below the cursor (place, number) are done; bits of `handed` are set
 *     at or above it only, and below walk_end.
 *  2. A slot at or above the cursor whose `handed` bit is clear has not changed since p: used, it
 *     is handed out as it is. Set, its form at p is in `keep`, or out already, or there was none.
 */
#include "fsm/table.h"

#include "base/assert.h"
#include "fsm/table_internal.h"

#include <string.h>

enum {
    IMAGE_VERSION = 1,
    IMAGE_END = 0, /* where a record has its table's id */
    HEAD_BYTES = 2,
    HEAD_TABLE_BYTES = 5,
    RECORD_HEAD_BYTES = 3,  /* table id, size: what tells how long the rest is */
    RECORD_FIXED_BYTES = 6, /* slot, fields */
    FIELD_HEAD_BYTES = 3,
    END_BYTES = 25,
};

uint32_t walk_record_size(const struct table_type *type)
{
    uint32_t body = RECORD_FIXED_BYTES + (uint32_t)type->field_count * FIELD_HEAD_BYTES +
                    type->record_size;

    ASSERT(body <= UINT16_MAX);
    return RECORD_HEAD_BYTES + body;
}

uint32_t walk_unit_size(size_t table_count)
{
    uint32_t head = (uint32_t)(HEAD_BYTES + HEAD_TABLE_BYTES * table_count);

    return head > END_BYTES ? head : END_BYTES;
}

/* ---- writing ---- */

static void put_out(struct store *store, const struct base_writer *writer)
{
    ASSERT(!writer->failed);
    store->walk.sink(store->walk.arg, base_written(writer));
}

static void put_out_record(struct table *table, uint32_t number, const uint8_t *image)
{
    const struct table_type *type = table->type;
    struct base_writer writer;

    base_writer_init(&writer, table->store->unit_buffer, table->record_size_max);
    base_write_u8(&writer, type->id);
    base_write_u16(&writer, (uint16_t)(table->record_size_max - RECORD_HEAD_BYTES));
    base_write_u32(&writer, number + 1);
    base_write_u16(&writer, type->field_count);
    for (uint16_t i = 0; i < type->field_count; i++) {
        const struct table_field *field = &type->fields[i];

        /* Images are little-endian in memory too (asserted in table.c). */
        base_write_u8(&writer, field->tag);
        base_write_short(&writer, bytes_of(image + field->offset, field_size(field)));
    }
    put_out(table->store, &writer);
}

static void put_out_head(struct store *store)
{
    struct base_writer writer;

    base_writer_init(&writer, store->unit_buffer, store->unit_size_max);
    base_write_u8(&writer, IMAGE_VERSION);
    base_write_u8(&writer, (uint8_t)store->table_count);
    for (uint32_t i = 0; i < store->table_count; i++) {
        base_write_u8(&writer, store->tables[i].type->id);
        base_write_u32(&writer, store->tables[i].count);
    }
    put_out(store, &writer);
}

static void put_out_end(struct store *store)
{
    struct base_writer writer;

    base_writer_init(&writer, store->unit_buffer, store->unit_size_max);
    base_write_u8(&writer, IMAGE_END);
    base_write_u64(&writer, store->walk.count);
    base_write_u64(&writer, store->walk.digest.low);
    base_write_u64(&writer, store->walk.digest.high);
    put_out(store, &writer);
}

/* ---- the walk ---- */

/* The slot was not yet visited, and the walk will come to it. */
static bool ahead(const struct table *table, uint32_t number)
{
    const struct walk *walk = &table->store->walk;

    return walk->running && number < table->walk_end &&
           (table->place > walk->place || (table->place == walk->place && number >= walk->number));
}

void walk_before_change(struct table *table, uint32_t number)
{
    if (ahead(table, number) && !bit_test(table->handed, number)) {
        bit_set(table->handed, number);
        if (!walk_keep_add(table, number)) {
            put_out_record(table, number, table_at(table, number));
        }
    }
}

void walk_after_take(struct table *table, uint32_t number)
{
    if (ahead(table, number)) {
        bit_set(table->handed, number);
    }
}

void store_walk_begin(struct store *store, store_sink sink, void *arg)
{
    ASSERT(!store->walk.running);
    ASSERT(store->dirty_count == 0);
    ASSERT(sink != NULL);
    store->walk = (struct walk){.running = true, .digest = store->digest, .sink = sink, .arg = arg};
    for (uint32_t i = 0; i < store->table_count; i++) {
        store->tables[i].walk_end = store->tables[i].high_water;
        store->walk.count += store->tables[i].count;
    }
    walk_keep_clear(&store->keep);
    put_out_head(store);
}

/* The slot changed since p. */
static void visit_handed(struct table *table, uint32_t number)
{
    const uint8_t *image = walk_keep_find(table, number);

    bit_clear(table->handed, number);
    if (image != NULL) {
        put_out_record(table, number, image);
    }
}

/* Visits the next slots of one table: a record, or a word's rest without any. */
static void visit(struct table *table, struct walk *walk)
{
    uint32_t number = walk->number;
    uint32_t word = number / 64;

    if (number % 64 == 0 && table->used.level[0][word] == 0 && table->handed[word] == 0) {
        walk->number += 64;
        return;
    }
    walk->number++;
    if (bit_test(table->handed, number)) {
        visit_handed(table, number);
    } else if (bit_test(table->used.level[0], number)) {
        put_out_record(table, number, table_at(table, number));
    }
}

bool store_walk_step(struct store *store, uint32_t slots)
{
    struct walk *walk = &store->walk;

    ASSERT(walk->running);
    ASSERT(store->dirty_count == 0);
    while (walk->place < store->table_count) {
        struct table *table = &store->tables[walk->place];

        if (walk->number >= table->walk_end) {
            walk->place++;
            walk->number = 0;
            continue;
        }
        if (slots == 0) {
            return false;
        }
        slots--;
        visit(table, walk);
    }
    put_out_end(store);
    walk->running = false;
    return true;
}

void store_walk_abort(struct store *store)
{
    struct walk *walk = &store->walk;

    if (!walk->running) {
        return;
    }
    walk->running = false;
    for (uint32_t place = walk->place; place < store->table_count; place++) {
        struct table *table = &store->tables[place];
        size_t words = bits_words(table->walk_end);

        for (size_t i = place == walk->place ? walk->number / 64 : 0; i < words; i++) {
            if (table->handed[i] != 0) { /* writes to no page that is untouched */
                table->handed[i] = 0;
            }
        }
    }
}

bool store_walk_running(const struct store *store)
{
    return store->walk.running;
}

/* ---- reading ---- */

static bool refuse(struct store *store, const char *error)
{
    store->restore.stage = RESTORE_FAILED;
    store->restore.error = error;
    return false;
}

static struct table *table_of_id(struct store *store, uint8_t id)
{
    for (uint32_t i = 0; i < store->table_count; i++) {
        if (store->tables[i].type->id == id) {
            return &store->tables[i];
        }
    }
    return NULL;
}

static bool read_head(struct store *store, struct bytes unit)
{
    struct base_reader reader;
    uint64_t seen[4] = {0};
    uint8_t count;

    base_reader_init(&reader, unit);
    base_read_u8(&reader); /* the version: unit_size has looked at it */
    count = base_read_u8(&reader);
    for (uint8_t i = 0; i < count; i++) {
        uint8_t id = base_read_u8(&reader);
        uint32_t records = base_read_u32(&reader);
        struct table *table = table_of_id(store, id);

        if (table == NULL) {
            return refuse(store, "the snapshot has a table that this version does not know");
        }
        if (bit_test(seen, id)) {
            return refuse(store, "the snapshot announces a table twice");
        }
        if (records > table->capacity) {
            return refuse(store, "the snapshot has more records than the limits allow");
        }
        bit_set(seen, id);
        table->announced = records;
    }
    ASSERT(base_reader_finished(&reader));
    store->restore.stage = RESTORE_RECORDS;
    return true;
}

/* The place of a tag among the fields; `guess` is where it is when nothing was added since. */
static const struct table_field *field_of_tag(const struct table_type *type, uint8_t tag,
                                              uint16_t guess)
{
    if (guess < type->field_count && type->fields[guess].tag == tag) {
        return &type->fields[guess];
    }
    for (uint16_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].tag == tag) {
            return &type->fields[i];
        }
    }
    return NULL;
}

static bool read_fields(struct table *table, struct base_reader *reader, uint8_t *image)
{
    uint16_t count = base_read_u16(reader);
    uint64_t seen[4] = {0};

    for (uint16_t i = 0; i < count && !reader->failed; i++) {
        uint8_t tag = base_read_u8(reader);
        struct bytes value = base_read_short(reader, UINT16_MAX);
        const struct table_field *field = field_of_tag(table->type, tag, i);

        if (field == NULL) {
            return refuse(table->store, "the snapshot has a field that this version does not know");
        }
        if (bit_test(seen, tag) || value.size != field_size(field)) {
            return refuse(table->store, "the snapshot has a field twice or of the wrong size");
        }
        bit_set(seen, tag);
        memcpy(image + field->offset, value.data, value.size);
    }
    if (!base_reader_finished(reader)) {
        return refuse(table->store, "the snapshot has a record that its fields do not fill");
    }
    return true;
}

static bool read_record(struct store *store, struct bytes unit)
{
    struct base_reader reader;
    struct table *table;
    uint32_t slot;

    base_reader_init(&reader, unit);
    table = table_of_id(store, base_read_u8(&reader));
    base_read_u16(&reader); /* the size: it is this unit's */
    slot = base_read_u32(&reader);
    ASSERT(table != NULL); /* unit_size has refused it */
    if (reader.failed || slot == SLOT_NONE || slot > table->capacity) {
        return refuse(store, "the snapshot has a record outside of its table");
    }
    if (table_used(table, slot)) {
        return refuse(store, "the snapshot has two records for one slot");
    }
    table_occupy(table, slot - 1);
    if (!read_fields(table, &reader, table_at(table, slot - 1))) {
        return false;
    }
    store->digest = hash128_add(store->digest, table_hash(table, slot - 1));
    store->restore.count++;
    return true;
}

static bool read_end(struct store *store, struct bytes unit)
{
    struct base_reader reader;
    struct hash128 digest;
    uint64_t count;

    base_reader_init(&reader, unit);
    base_read_u8(&reader);
    count = base_read_u64(&reader);
    digest.low = base_read_u64(&reader);
    digest.high = base_read_u64(&reader);
    ASSERT(base_reader_finished(&reader));
    for (uint32_t i = 0; i < store->table_count; i++) {
        if (store->tables[i].count != store->tables[i].announced) {
            return refuse(store, "the snapshot lacks records that it announced, or has others");
        }
    }
    if (count != store->restore.count) {
        return refuse(store, "the snapshot has another number of records than it says");
    }
    if (!hash128_equal(digest, store->digest)) {
        return refuse(store, "the snapshot's records do not have the digest that it names");
    }
    store->restore.stage = RESTORE_ENDED;
    return true;
}

/* How long the unit is that begins with these bytes, or a number above start.size: that many are
 * needed to say so or to read it. Never start.size or less unless it is final. 0: refused. */
static uint32_t unit_size(struct store *store, struct bytes start)
{
    const struct table *table;
    uint32_t size;

    if (start.size == 0) {
        return 1;
    }
    if (store->restore.stage == RESTORE_HEAD) {
        if (start.data[0] != IMAGE_VERSION) {
            refuse(store, "the snapshot is of a version that this one does not know");
            return 0;
        }
        if (start.size > 1 && start.data[1] > store->table_count) {
            refuse(store, "the snapshot has more tables than this version knows");
            return 0;
        }
        return start.size < 2 ? 2 : (uint32_t)HEAD_BYTES + HEAD_TABLE_BYTES * start.data[1];
    }
    if (start.data[0] == IMAGE_END) {
        return END_BYTES;
    }
    table = table_of_id(store, start.data[0]);
    if (table == NULL) {
        refuse(store, "the snapshot has a record of a table that this version does not know");
        return 0;
    }
    if (start.size < RECORD_HEAD_BYTES) {
        return RECORD_HEAD_BYTES;
    }
    size = RECORD_HEAD_BYTES + (start.data[1] | (uint32_t)start.data[2] << 8);
    if (size > table->record_size_max) {
        refuse(store, "the snapshot has a record that is too long");
        return 0;
    }
    return size;
}

static bool read_unit(struct store *store, struct bytes unit)
{
    if (store->restore.stage == RESTORE_HEAD) {
        return read_head(store, unit);
    }
    return unit.data[0] == IMAGE_END ? read_end(store, unit) : read_record(store, unit);
}

/* Completes the unit whose start is carried; takes what it uses off `piece`. False: refused. */
static bool feed_carried(struct store *store, struct bytes *piece)
{
    struct restore *restore = &store->restore;

    for (;;) {
        uint32_t size = unit_size(store, bytes_of(store->unit_buffer, restore->carried));
        size_t missing;

        if (size == 0) {
            return false;
        }
        ASSERT(size <= store->unit_size_max && size >= restore->carried);
        missing = size - restore->carried;
        if (missing == 0) {
            restore->carried = 0;
            return read_unit(store, bytes_of(store->unit_buffer, size));
        }
        if (piece->size == 0) {
            return true;
        }
        missing = missing < piece->size ? missing : piece->size;
        memcpy(store->unit_buffer + restore->carried, piece->data, missing);
        restore->carried += (uint32_t)missing;
        *piece = bytes_of(piece->data + missing, piece->size - missing);
    }
}

/* Reads one unit straight out of the piece, or carries the piece's rest. False: refused. */
static bool feed_one(struct store *store, struct bytes *piece)
{
    uint32_t size;

    if (store->restore.stage == RESTORE_ENDED) {
        return refuse(store, "the snapshot goes on after its end mark");
    }
    if (store->restore.carried > 0) {
        return feed_carried(store, piece);
    }
    size = unit_size(store, *piece);
    if (size == 0) {
        return false;
    }
    if (size > piece->size) {
        memcpy(store->unit_buffer, piece->data, piece->size);
        store->restore.carried = (uint32_t)piece->size;
        *piece = BYTES_NONE;
        return true;
    }
    if (!read_unit(store, bytes_of(piece->data, size))) {
        return false;
    }
    *piece = bytes_of(piece->data + size, piece->size - size);
    return true;
}

void store_restore_begin(struct store *store)
{
    ASSERT(store->dirty_count == 0);
    store_walk_abort(store);
    for (uint32_t i = 0; i < store->table_count; i++) {
        struct table *table = &store->tables[i];

        bits_clear(&table->used, table->high_water);
        table->count = 0;
        table->high_water = 0;
        table->announced = 0;
    }
    store->digest = (struct hash128){.low = 0, .high = 0};
    store->restore = (struct restore){.stage = RESTORE_HEAD};
}

bool store_restore_feed(struct store *store, struct bytes piece, const char **ret_error)
{
    bool ok = store->restore.stage != RESTORE_FAILED;

    ASSERT(store->restore.stage != RESTORE_NONE);
    while (ok && piece.size > 0) {
        ok = feed_one(store, &piece);
    }
    if (!ok) {
        *ret_error = store->restore.error;
    }
    return ok;
}

bool store_restore_end(struct store *store, const char **ret_error)
{
    ASSERT(store->restore.stage != RESTORE_NONE);
    if (store->restore.stage == RESTORE_HEAD || store->restore.stage == RESTORE_RECORDS) {
        refuse(store, "the snapshot ends before its end mark");
    }
    if (store->restore.stage == RESTORE_FAILED) {
        *ret_error = store->restore.error;
        return false;
    }
    store->restore.stage = RESTORE_NONE;
    return true;
}

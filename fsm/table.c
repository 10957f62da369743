/* Tables of fixed-size slots: taking, freeing, the write set and the digest. The snapshot walk and
 * restore are in walk.c; what the records mean is not known here.
 *
 *  1. A slot is in use exactly when its bit in `used` is set; `count` counts these bits.
 *  2. store.digest is the sum over the used slots that are not dirty. A slot becomes dirty, and
 *     leaves the sum, by its first table_write or table_take in a command; it leaves the write set
 *     by store_settle (its new form enters the sum) or by table_free.
 *  3. A mutable record stays so until store_settle: the write set never empties itself early. Its
 *     list may overflow; the dirty bits alone are the truth.
 *  4. No slot at `high_water` or above has a page touched by a record or a set bit anywhere.
 */
#include "fsm/table.h"

#include "base/assert.h"
#include "fsm/table_internal.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "images are hashed as they lie in memory");

/* ---- laying out ---- */

/* Hands out parts of a range; with a NULL `base` it only counts. */
struct carver {
    uint8_t *base;
    size_t used;
};

static void *carve(struct carver *carver, size_t size)
{
    size_t offset = (carver->used + 63) & ~(size_t)63;

    carver->used = offset + size;
    return carver->base == NULL ? NULL : carver->base + offset;
}

uint32_t field_size(const struct table_field *field)
{
    switch (field->kind) {
    case TABLE_U8:
        return 1;
    case TABLE_U16:
        return 2;
    case TABLE_U32:
        return 4;
    case TABLE_U64:
        return 8;
    case TABLE_BYTES:
        return field->size;
    }
    UNREACHABLE("a field of no kind");
}

/* The field at this offset; fields may be listed in any order. */
static const struct table_field *field_at(const struct table_type *type, uint32_t offset)
{
    for (uint16_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].offset == offset) {
            return &type->fields[i];
        }
    }
    return NULL;
}

/* Fields tile the image: each byte of it belongs to exactly one. */
static void check_fields(const struct table_type *type)
{
    uint64_t tags[4] = {0};
    uint32_t offset = 0;
    uint32_t total = 0;

    while (offset < type->record_size) {
        const struct table_field *field = field_at(type, offset);

        ASSERT(field != NULL);
        ASSERT(field_size(field) > 0);
        offset += field_size(field);
    }
    for (uint16_t i = 0; i < type->field_count; i++) {
        ASSERT(type->fields[i].tag != 0);
        ASSERT(!bit_test(tags, type->fields[i].tag));
        bit_set(tags, type->fields[i].tag);
        total += field_size(&type->fields[i]);
    }
    ASSERT(total == type->record_size);
}

static void check_type(const struct table_type *type)
{
    ASSERT(type->id != 0);
    ASSERT(type->record_size > 0);
    ASSERT(type->slot_size >= type->record_size);
    ASSERT(type->slot_size % 8 == 0);
    check_fields(type);
}

static void lay_out_table(struct carver *carver, const struct store_plan *plan, struct table *table)
{
    size_t flat = bits_words(plan->capacity) * sizeof(uint64_t);
    void *used = carve(carver, bits_size(plan->capacity));
    uint64_t *dirty = carve(carver, flat);
    uint64_t *handed = carve(carver, flat);
    uint8_t *slots = carve(carver, (size_t)plan->capacity * plan->type->slot_size);

    if (table == NULL) {
        return;
    }
    bits_init(&table->used, used, plan->capacity);
    table->type = plan->type;
    table->slots = slots;
    table->dirty = dirty;
    table->handed = handed;
    table->capacity = plan->capacity;
    table->record_size_max = walk_record_size(plan->type);
}

static void lay_out_keep(struct carver *carver, const struct store_plan *plans, size_t count,
                         struct store *store)
{
    uint32_t bucket_count;
    size_t size = walk_keep_size(plans, count, &bucket_count);
    uint32_t *buckets = carve(carver, bucket_count * sizeof *buckets);
    uint8_t *bytes = carve(carver, size);

    if (store != NULL) {
        store->keep = (struct keep){.bytes = bytes,
                                    .size = (uint32_t)size,
                                    .buckets = buckets,
                                    .bucket_count = bucket_count};
    }
}

/* Both store_size and store_create: the places of all parts, and how much they take. */
static size_t lay_out(void *memory, const struct store_plan *plans, size_t count)
{
    struct carver carver = {.base = memory, .used = 0};
    struct store *store = carve(&carver, sizeof *store);
    uint32_t unit_size_max = walk_unit_size(count);
    size_t image_size_max = 0;
    uint8_t *hash_buffer;
    uint8_t *unit_buffer;

    for (size_t i = 0; i < count; i++) {
        uint32_t unit_size = walk_record_size(plans[i].type);

        lay_out_table(&carver, &plans[i], store == NULL ? NULL : &store->tables[i]);
        unit_size_max = unit_size > unit_size_max ? unit_size : unit_size_max;
        if (plans[i].type->record_size > image_size_max) {
            image_size_max = plans[i].type->record_size;
        }
    }
    hash_buffer = carve(&carver, HASH_PREFIX_BYTES + image_size_max);
    unit_buffer = carve(&carver, unit_size_max);
    lay_out_keep(&carver, plans, count, store);
    if (store != NULL) {
        store->hash_buffer = hash_buffer;
        store->unit_buffer = unit_buffer;
        store->unit_size_max = unit_size_max;
    }
    return carver.used;
}

size_t store_size(const struct store_plan *plans, size_t count)
{
    ASSERT(count > 0 && count <= STORE_TABLES_MAX);
    return lay_out(NULL, plans, count);
}

struct store *store_create(void *memory, size_t size, const struct store_plan *plans, size_t count,
                           const struct siphash_key *key)
{
    struct store *store = memory;
    uint64_t ids[4] = {0};

    ASSERT((uintptr_t)memory % 64 == 0);
    ASSERT(size >= store_size(plans, count));
    for (size_t i = 0; i < count; i++) {
        check_type(plans[i].type);
        ASSERT(!bit_test(ids, plans[i].type->id));
        bit_set(ids, plans[i].type->id);
    }
    memset(store, 0, sizeof *store);
    lay_out(memory, plans, count);
    store->key = *key;
    store->table_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        store->tables[i].store = store;
        store->tables[i].place = (uint8_t)i;
    }
    return store;
}

struct table *store_table(struct store *store, size_t plan_index)
{
    ASSERT(plan_index < store->table_count);
    return &store->tables[plan_index];
}

/* ---- digest and write set ---- */

/* Bytes of the image up to its last one that is not zero. */
static size_t significant_size(const uint8_t *image, size_t size)
{
    uint64_t word;

    while (size >= sizeof word) {
        memcpy(&word, image + size - sizeof word, sizeof word);
        if (word != 0) {
            break;
        }
        size -= sizeof word;
    }
    while (size > 0 && image[size - 1] == 0) {
        size--;
    }
    return size;
}

struct hash128 table_hash(const struct table *table, uint32_t number)
{
    uint8_t *buffer = table->store->hash_buffer;
    const uint8_t *image = table_at(table, number);
    size_t size = significant_size(image, table->type->record_size);
    uint32_t slot = number + 1;

    buffer[0] = table->type->id;
    memcpy(buffer + 1, &slot, sizeof slot);
    memcpy(buffer + HASH_PREFIX_BYTES, image, size);
    return base_siphash128(&table->store->key, bytes_of(buffer, HASH_PREFIX_BYTES + size));
}

static void write_set_add(struct table *table, uint32_t number)
{
    struct store *store = table->store;

    bit_set(table->dirty, number);
    store->dirty_count++;
    if (store->listed == WRITE_LIST_MAX) {
        store->list_overflowed = true;
        return;
    }
    store->write_list[store->listed++] = (struct write_entry){.number = number,
                                                              .place = table->place};
}

/* The slot's present form enters the sum. */
static void settle_slot(struct table *table, uint32_t number)
{
    struct store *store = table->store;

    bit_clear(table->dirty, number);
    store->dirty_count--;
    store->digest = hash128_add(store->digest, table_hash(table, number));
}

/* A command that wrote more than the list holds: finds its slots by their bits. */
static void settle_by_bits(struct table *table)
{
    size_t words = bits_words(table->high_water);

    for (size_t word = 0; word < words; word++) {
        while (table->dirty[word] != 0) {
            settle_slot(table,
                        (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(table->dirty[word]));
        }
    }
}

void store_settle(struct store *store)
{
    for (uint32_t i = 0; i < store->listed; i++) {
        struct table *table = &store->tables[store->write_list[i].place];

        if (bit_test(table->dirty, store->write_list[i].number)) {
            settle_slot(table, store->write_list[i].number);
        }
    }
    for (uint32_t i = 0; store->list_overflowed && i < store->table_count; i++) {
        settle_by_bits(&store->tables[i]);
    }
    store->listed = 0;
    store->list_overflowed = false;
    ASSERT(store->dirty_count == 0);
}

struct hash128 store_digest(const struct store *store)
{
    ASSERT(store->dirty_count == 0);
    return store->digest;
}

/* ---- slots ---- */

bool table_used(const struct table *table, uint32_t slot)
{
    return slot != SLOT_NONE && slot <= table->capacity && bit_test(table->used.level[0], slot - 1);
}

void table_occupy(struct table *table, uint32_t number)
{
    bits_add(&table->used, number);
    table->count++;
    if (number >= table->high_water) {
        table->high_water = number + 1;
    }
    memset(table_at(table, number), 0, table->type->slot_size);
}

uint32_t table_take(struct table *table)
{
    uint32_t number;

    if (table->count == table->capacity) {
        return SLOT_NONE;
    }
    number = bits_lowest_hole(&table->used);
    ASSERT(number < table->capacity);
    table_occupy(table, number);
    walk_after_take(table, number);
    write_set_add(table, number);
    return number + 1;
}

void table_free(struct table *table, uint32_t slot)
{
    struct store *store = table->store;
    uint32_t number = slot - 1;

    ASSERT(table_used(table, slot));
    if (bit_test(table->dirty, number)) {
        bit_clear(table->dirty, number);
        store->dirty_count--;
    } else {
        walk_before_change(table, number);
        store->digest = hash128_sub(store->digest, table_hash(table, number));
    }
    bits_remove(&table->used, number);
    table->count--;
}

const void *table_read(const struct table *table, uint32_t slot)
{
    ASSERT(table_used(table, slot));
    return table_at(table, slot - 1);
}

void *table_write(struct table *table, uint32_t slot)
{
    struct store *store = table->store;
    uint32_t number = slot - 1;

    ASSERT(table_used(table, slot));
    if (!bit_test(table->dirty, number)) {
        walk_before_change(table, number);
        store->digest = hash128_sub(store->digest, table_hash(table, number));
        write_set_add(table, number);
    }
    return table_at(table, number);
}

void *table_derived(const struct table *table, uint32_t slot)
{
    ASSERT(table_used(table, slot));
    if (table->type->slot_size == table->type->record_size) {
        return NULL;
    }
    return table_at(table, slot - 1) + table->type->record_size;
}

uint32_t table_count(const struct table *table)
{
    return table->count;
}

uint32_t table_capacity(const struct table *table)
{
    return table->capacity;
}

uint32_t table_next(const struct table *table, uint32_t slot)
{
    uint32_t number = bits_next(&table->used, slot, table->high_water);

    return number < table->high_water ? number + 1 : SLOT_NONE;
}

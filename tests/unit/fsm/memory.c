/* The shared parts of the tests of the FSM's memory; see memory.h. Holds no test. */
#include "tests/unit/fsm/memory.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const struct siphash_key test_key = {{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}};

uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

uint32_t random_below(struct random *random, uint32_t bound)
{
    return (uint32_t)(random_next(random) % bound);
}

void *memory_get(size_t size)
{
    size_t whole = (size + 63) / 64 * 64;
    void *memory = aligned_alloc(64, whole);

    assert_non_null(memory);
    memset(memory, 0, whole);
    return memory;
}

void memory_give(void *memory)
{
    free(memory);
}

/* ---- types ---- */

static const struct table_field wide_fields[] = {
    {4, TABLE_U64, offsetof(struct wide_record, number), 0},
    {1, TABLE_U32, offsetof(struct wide_record, link), 0},
    {9, TABLE_U16, offsetof(struct wide_record, half), 0},
    {200, TABLE_U8, offsetof(struct wide_record, flag), 0},
    {7, TABLE_BYTES, offsetof(struct wide_record, text), 25},
};

static const struct table_field small_fields[] = {
    {1, TABLE_BYTES, 0, 3},
    {2, TABLE_U16, 3, 0},
};

static const struct table_field block_fields[] = {
    {1, TABLE_U32, 0, 0},
    {2, TABLE_BYTES, 4, 252},
};

const struct table_type wide_type = {.id = 3,
                                     .name = "wide",
                                     .record_size = WIDE_IMAGE,
                                     .slot_size = sizeof(struct wide_record),
                                     .fields = wide_fields,
                                     .field_count = 5};
const struct table_type small_type = {.id = 255,
                                      .name = "small",
                                      .record_size = SMALL_IMAGE,
                                      .slot_size = 8,
                                      .fields = small_fields,
                                      .field_count = 2};
const struct table_type block_type = {.id = 1,
                                      .name = "block",
                                      .record_size = BLOCK_IMAGE,
                                      .slot_size = 256,
                                      .fields = block_fields,
                                      .field_count = 2};

void test_store_open(struct test_store *store, uint32_t wide, uint32_t small, uint32_t block)
{
    size_t size;

    store->plans[0] = (struct store_plan){.type = &wide_type, .capacity = wide};
    store->plans[1] = (struct store_plan){.type = &small_type, .capacity = small};
    store->plans[2] = (struct store_plan){.type = &block_type, .capacity = block};
    size = store_size(store->plans, STORE_TABLES);
    store->memory = memory_get(size);
    store->store = store_create(store->memory, size, store->plans, STORE_TABLES, &test_key);
}

void test_store_close(struct test_store *store)
{
    memory_give(store->memory);
}

/* ---- shadow ---- */

static void shadow_table_open(struct shadow_table *table, uint32_t capacity)
{
    table->capacity = capacity;
    table->count = 0;
    table->used = calloc(capacity + 1, 1);
    table->image = calloc(capacity + 1, IMAGE_MAX);
    assert_non_null(table->used);
    assert_non_null(table->image);
}

void shadow_open(struct shadow *shadow, const struct test_store *store)
{
    for (size_t i = 0; i < STORE_TABLES; i++) {
        shadow->types[i] = store->plans[i].type;
        shadow_table_open(&shadow->tables[i], store->plans[i].capacity);
    }
}

void shadow_copy(struct shadow *shadow, const struct shadow *from)
{
    for (size_t i = 0; i < STORE_TABLES; i++) {
        size_t slots = from->tables[i].capacity + 1;

        shadow->types[i] = from->types[i];
        shadow_table_open(&shadow->tables[i], from->tables[i].capacity);
        shadow->tables[i].count = from->tables[i].count;
        memcpy(shadow->tables[i].used, from->tables[i].used, slots);
        memcpy(shadow->tables[i].image, from->tables[i].image, slots * IMAGE_MAX);
    }
}

void shadow_close(struct shadow *shadow)
{
    for (size_t i = 0; i < STORE_TABLES; i++) {
        free(shadow->tables[i].used);
        free(shadow->tables[i].image);
    }
}

struct hash128 shadow_digest(const struct shadow *shadow)
{
    struct hash128 digest = {.low = 0, .high = 0};

    for (size_t i = 0; i < STORE_TABLES; i++) {
        const struct shadow_table *table = &shadow->tables[i];

        for (uint32_t slot = 1; slot <= table->capacity; slot++) {
            uint8_t form[5 + IMAGE_MAX] = {shadow->types[i]->id, (uint8_t)slot,
                                           (uint8_t)(slot >> 8), (uint8_t)(slot >> 16),
                                           (uint8_t)(slot >> 24)};
            size_t size = 5 + IMAGE_MAX;

            if (!table->used[slot]) {
                continue;
            }
            memcpy(form + 5, table->image[slot], IMAGE_MAX);
            while (size > 5 && form[size - 1] == 0) {
                size--;
            }
            digest = hash128_add(digest, base_siphash128(&test_key, bytes_of(form, size)));
        }
    }
    return digest;
}

void shadow_check(const struct shadow *shadow, const struct test_store *store)
{
    for (size_t i = 0; i < STORE_TABLES; i++) {
        const struct shadow_table *expected = &shadow->tables[i];
        const struct table *table = store_table(store->store, i);
        uint32_t walked = SLOT_NONE;

        assert_int_equal(table_count(table), expected->count);
        for (uint32_t slot = 1; slot <= expected->capacity; slot++) {
            assert_int_equal(table_used(table, slot), expected->used[slot]);
            if (expected->used[slot]) {
                walked = table_next(table, walked);
                assert_int_equal(walked, slot);
                assert_memory_equal(table_read(table, slot), expected->image[slot],
                                    shadow->types[i]->record_size);
            }
        }
        assert_int_equal(table_next(table, walked), SLOT_NONE);
    }
    assert_true(hash128_equal(store_digest(store->store), shadow_digest(shadow)));
}

/* ---- random commands ---- */

static uint32_t lowest_free(const struct shadow_table *table)
{
    for (uint32_t slot = 1; slot <= table->capacity; slot++) {
        if (!table->used[slot]) {
            return slot;
        }
    }
    return SLOT_NONE;
}

static void take_one(struct test_store *store, struct shadow *shadow, size_t place)
{
    struct shadow_table *expected = &shadow->tables[place];
    struct table *table = store_table(store->store, place);
    uint32_t slot = table_take(table);

    assert_int_equal(slot, lowest_free(expected));
    if (slot == SLOT_NONE) {
        return;
    }
    expected->used[slot] = 1;
    expected->count++;
    memset(expected->image[slot], 0, IMAGE_MAX);
    assert_memory_equal(table_read(table, slot), expected->image[slot],
                        shadow->types[place]->slot_size);
    if (place == 0) { /* the derived part is nobody's business: neither hashed nor in images */
        *(uint64_t *)table_derived(table, slot) = UINT64_MAX;
    }
}

static uint32_t some_used(struct random *random, const struct shadow_table *table)
{
    uint32_t slot = 1 + random_below(random, table->capacity);

    for (uint32_t i = 0; i < table->capacity; i++) {
        if (table->used[slot]) {
            return slot;
        }
        slot = slot % table->capacity + 1;
    }
    return SLOT_NONE;
}

static void write_one(struct random *random, struct test_store *store, struct shadow *shadow,
                      size_t place, uint32_t slot)
{
    struct shadow_table *expected = &shadow->tables[place];
    uint8_t *image = table_write(store_table(store->store, place), slot);
    uint32_t at = random_below(random, shadow->types[place]->record_size);
    uint8_t value = (uint8_t)random_below(random, 3); /* often the same, often back to zero */

    image[at] = value;
    expected->image[slot][at] = value;
}

static void free_one(struct test_store *store, struct shadow *shadow, size_t place, uint32_t slot)
{
    table_free(store_table(store->store, place), slot);
    shadow->tables[place].used[slot] = 0;
    shadow->tables[place].count--;
}

void random_command(struct random *random, struct test_store *store, struct shadow *shadow,
                    uint32_t changes)
{
    uint32_t count = random_below(random, changes + 1);

    for (uint32_t i = 0; i < count; i++) {
        size_t place = random_below(random, STORE_TABLES);
        uint32_t slot = some_used(random, &shadow->tables[place]);
        uint32_t choice = random_below(random, 10);

        if (slot == SLOT_NONE || choice < 4) {
            take_one(store, shadow, place);
        } else if (choice < 7) {
            write_one(random, store, shadow, place, slot);
        } else {
            free_one(store, shadow, place, slot);
        }
    }
    store_settle(store->store);
}

/* ---- images ---- */

void image_sink(void *arg, struct bytes piece)
{
    struct image *image = arg;

    if (image->size + piece.size > image->capacity) {
        image->capacity = 2 * (image->size + piece.size);
        image->data = realloc(image->data, image->capacity);
        assert_non_null(image->data);
    }
    if (piece.size > 0) {
        memcpy(image->data + image->size, piece.data, piece.size);
    }
    image->size += piece.size;
    image->largest = piece.size > image->largest ? piece.size : image->largest;
}

void image_drop(struct image *image)
{
    free(image->data);
    *image = (struct image){.data = NULL};
}

void image_take(struct test_store *store, struct image *image)
{
    store_walk_begin(store->store, image_sink, image);
    while (!store_walk_step(store->store, 100)) {
    }
    assert_false(store_walk_running(store->store));
}

const char *image_restore(struct test_store *store, struct bytes image, struct random *random,
                          uint32_t piece_max)
{
    const char *error = NULL;

    store_restore_begin(store->store);
    for (size_t done = 0; done < image.size;) {
        size_t size = random_below(random, piece_max + 1);
        uint8_t *piece;
        bool ok;

        size = size < image.size - done ? size : image.size - done;
        piece = malloc(size + 1); /* its own block: nobody may look past it */
        assert_non_null(piece);
        piece = memcpy(piece + 1, image.data + done, size);
        ok = store_restore_feed(store->store, bytes_of(piece, size), &error);
        free(piece - 1);
        done += size;
        assert_true(ok == (error == NULL));
        if (!ok) {
            assert_false(store_restore_end(store->store, &error));
            return error;
        }
    }
    assert_true(store_restore_end(store->store, &error) == (error == NULL));
    return error;
}

/* ---- bugs ---- */

void expect_assert(void (*body)(void *arg), void *arg)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(2);
        body(arg);
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

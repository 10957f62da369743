/* Tables: a slot is the lowest free one, the digest is that of the records and of nothing else,
 * untouched pages stay untouched, and a record type with a hole is a bug that is seen at start. */
#include "tests/unit/fsm/memory.h"

#include <string.h>
#include <sys/mman.h>

static void test_slots_are_reused_lowest_first(void **state)
{
    struct test_store store;
    struct table *table;

    (void)state;
    test_store_open(&store, 200, 1, 1);
    table = store_table(store.store, 0);
    for (uint32_t slot = 1; slot <= 200; slot++) {
        assert_int_equal(table_take(table), slot);
    }
    assert_int_equal(table_take(table), SLOT_NONE);
    assert_int_equal(table_count(table), table_capacity(table));
    table_free(table, 130);
    table_free(table, 7);
    table_free(table, 64);
    assert_int_equal(table_take(table), 7);
    assert_int_equal(table_take(table), 64);
    assert_int_equal(table_take(table), 130);
    assert_int_equal(table_take(table), SLOT_NONE);
    store_settle(store.store);
    assert_false(table_used(table, SLOT_NONE));
    assert_false(table_used(table, 201));
    assert_false(table_used(table, UINT32_MAX));
    test_store_close(&store);
}

static void test_taken_slot_is_zero_also_after_use(void **state)
{
    static const uint8_t zeros[sizeof(struct wide_record)];
    struct test_store store;
    struct table *table;

    (void)state;
    test_store_open(&store, 2, 1, 1);
    table = store_table(store.store, 0);
    assert_int_equal(table_take(table), 1);
    memset(table_write(table, 1), 0xff, sizeof(struct wide_record));
    store_settle(store.store);
    table_free(table, 1);
    assert_int_equal(table_take(table), 1); /* in the same command */
    assert_memory_equal(table_read(table, 1), zeros, sizeof zeros);
    assert_ptr_equal(table_derived(table, 1), (const uint8_t *)table_read(table, 1) + WIDE_IMAGE);
    store_settle(store.store);
    assert_int_equal(table_take(store_table(store.store, 2)), 1);
    assert_null(table_derived(store_table(store.store, 2), 1));
    test_store_close(&store);
}

/* Writes `number` into slots 1..6 of the first table, by another way each time. */
static struct hash128 history(uint32_t way)
{
    struct test_store store;
    struct table *table;
    struct hash128 digest;

    test_store_open(&store, 8, 8, 8);
    table = store_table(store.store, 0);
    for (uint32_t i = 0; i < (way == 0 ? 6u : 8u); i++) {
        uint32_t slot = table_take(table);

        if (way == 1) {
            store_settle(store.store); /* a command for each */
        }
        ((struct wide_record *)table_write(table, slot))->number = way == 1 ? slot + 70 : slot;
    }
    if (way != 0) {
        table_free(table, 3);
        table_free(table, 8);
        store_settle(store.store);
        assert_int_equal(table_take(table), 3);
        table_free(table, 7);
        for (uint32_t slot = 1; slot <= 6; slot++) {
            ((struct wide_record *)table_write(table, slot))->number = slot;
            *(uint64_t *)table_derived(table, slot) = way; /* not part of it */
        }
    }
    store_settle(store.store);
    digest = store_digest(store.store);
    test_store_close(&store);
    return digest;
}

static void test_digest_knows_no_history(void **state)
{
    (void)state;
    assert_true(hash128_equal(history(0), history(1)));
    assert_true(hash128_equal(history(0), history(2)));
}

static void test_digest_sees_each_byte(void **state)
{
    struct test_store store;

    (void)state;
    test_store_open(&store, 4, 4, 4);
    for (size_t place = 0; place < STORE_TABLES; place++) {
        struct table *table = store_table(store.store, place);
        uint32_t slot = table_take(table);

        store_settle(store.store);
        for (uint16_t at = 0; at < store.plans[place].type->record_size; at++) {
            struct hash128 before = store_digest(store.store);

            ((uint8_t *)table_write(table, slot))[at] = 1;
            store_settle(store.store);
            assert_false(hash128_equal(before, store_digest(store.store)));
            ((uint8_t *)table_write(table, slot))[at] = 0;
            store_settle(store.store);
            assert_true(hash128_equal(before, store_digest(store.store)));
        }
    }
    test_store_close(&store);
}

static void test_digest_sees_slot_and_table(void **state)
{
    struct test_store store;
    struct hash128 digest[3];

    (void)state;
    test_store_open(&store, 4, 4, 4);
    table_take(store_table(store.store, 0));
    store_settle(store.store);
    digest[0] = store_digest(store.store);
    table_take(store_table(store.store, 0));
    table_free(store_table(store.store, 0), 1);
    store_settle(store.store);
    digest[1] = store_digest(store.store);
    table_free(store_table(store.store, 0), 2);
    store_settle(store.store);
    assert_true(hash128_equal(store_digest(store.store), (struct hash128){.low = 0, .high = 0}));
    table_take(store_table(store.store, 1));
    store_settle(store.store);
    digest[2] = store_digest(store.store);
    assert_false(hash128_equal(digest[0], digest[1]));
    assert_false(hash128_equal(digest[0], digest[2]));
    test_store_close(&store);
}

static void test_one_command_may_write_any_number(void **state)
{
    enum { MANY = 5000 };
    static struct wide_record *records[MANY + 1];
    struct test_store store;
    struct shadow shadow;
    struct table *table;

    (void)state;
    test_store_open(&store, MANY, 1, 1);
    shadow_open(&shadow, &store);
    table = store_table(store.store, 0);
    for (uint32_t slot = 1; slot <= MANY; slot++) {
        assert_int_equal(table_take(table), slot);
        records[slot] = table_write(table, slot);
    }
    for (uint32_t slot = 1; slot <= MANY; slot++) { /* all are mutable still */
        records[slot]->number = slot;
        memcpy(shadow.tables[0].image[slot], records[slot], WIDE_IMAGE);
        shadow.tables[0].used[slot] = 1;
    }
    shadow.tables[0].count = MANY;
    table_free(table, MANY);
    shadow.tables[0].used[MANY] = 0;
    shadow.tables[0].count--;
    store_settle(store.store);
    shadow_check(&shadow, &store);
    shadow_close(&shadow);
    test_store_close(&store);
}

static void test_random_commands_follow_the_shadow(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct random random = {seed};
        struct test_store store;
        struct shadow shadow;

        test_store_open(&store, 1 + random_below(&random, 150), 1 + random_below(&random, 70),
                        1 + random_below(&random, 20));
        shadow_open(&shadow, &store);
        for (uint32_t i = 0; i < 150; i++) {
            random_command(&random, &store, &shadow, i % 10 == 0 ? 300 : 12);
            if (i % 10 == 0) {
                shadow_check(&shadow, &store);
            }
        }
        shadow_check(&shadow, &store);
        shadow_close(&shadow);
        test_store_close(&store);
    }
}

/* Pages of the range that hold something; the kernel says. */
static size_t touched_pages(void *memory, size_t size)
{
    size_t pages = size / 4096;
    size_t touched = 0;
    static unsigned char resident[1u << 20];

    for (size_t done = 0; done < pages; done += sizeof resident) {
        size_t part = pages - done < sizeof resident ? pages - done : sizeof resident;

        assert_int_equal(mincore((uint8_t *)memory + done * 4096, part * 4096, resident), 0);
        for (size_t i = 0; i < part; i++) {
            touched += resident[i] & 1;
        }
    }
    return touched;
}

static void some_work(struct store *store)
{
    const char *error = NULL;
    struct image image = {.data = NULL};

    for (uint32_t i = 0; i < 100; i++) {
        memset(table_write(store_table(store, 0), table_take(store_table(store, 0))), 1, 9);
    }
    store_settle(store);
    store_walk_begin(store, image_sink, &image);
    table_free(store_table(store, 0), 50);
    assert_int_equal(table_take(store_table(store, 0)), 50);
    store_settle(store);
    while (!store_walk_step(store, 1000)) {
    }
    store_restore_begin(store);
    assert_true(store_restore_feed(store, bytes_of(image.data, image.size), &error));
    assert_true(store_restore_end(store, &error));
    image_drop(&image);
}

static void test_large_limits_touch_few_pages(void **state)
{
    const struct store_plan plans[] = {{.type = &block_type, .capacity = 64000000},
                                       {.type = &wide_type, .capacity = 10000000}};
    size_t size = (store_size(plans, 2) + 4095) / 4096 * 4096;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct store *store;

    (void)state;
    assert_true(size > 16000000000u);
    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(madvise(memory, size, MADV_NOHUGEPAGE), 0);
    store = store_create(memory, size, plans, 2, &test_key);
    some_work(store);
    assert_true(touched_pages(memory, size) > 100 * 256 / 4096);
    assert_true(touched_pages(memory, size) < 40);
    assert_int_equal(munmap(memory, size), 0);
}

/* ---- bugs end the process ---- */

static void create_with(void *arg)
{
    const struct store_plan plan = {.type = arg, .capacity = 4};
    size_t size = store_size(&plan, 1);

    store_create(memory_get(size), size, &plan, 1, &test_key);
}

static void refuse_fields(uint16_t record_size, const struct table_field *fields, uint16_t count)
{
    struct table_type type = {.id = 1,
                              .name = "planted",
                              .record_size = record_size,
                              .slot_size = 16,
                              .fields = fields,
                              .field_count = count};

    expect_assert(create_with, &type);
}

static void test_fields_tile_the_image(void **state)
{
    static const struct table_field whole[] = {{1, TABLE_U64, 0, 0}, {2, TABLE_U32, 8, 0}};
    static const struct table_field gap[] = {{1, TABLE_U32, 0, 0}, {2, TABLE_U32, 8, 0}};
    static const struct table_field overlap[] = {{1, TABLE_U64, 0, 0}, {2, TABLE_U64, 4, 0}};
    static const struct table_field inside[] = {
        {1, TABLE_U64, 0, 0}, {2, TABLE_U32, 8, 0}, {3, TABLE_U16, 2, 0}};
    static const struct table_field same_tag[] = {{1, TABLE_U64, 0, 0}, {1, TABLE_U32, 8, 0}};
    static const struct table_field no_tag[] = {{0, TABLE_U64, 0, 0}, {2, TABLE_U32, 8, 0}};
    static const struct table_field empty[] = {{1, TABLE_BYTES, 0, 0}, {2, TABLE_U32, 8, 0}};

    (void)state;
    refuse_fields(12, gap, 2);
    refuse_fields(12, overlap, 2);
    refuse_fields(12, inside, 3);
    refuse_fields(12, same_tag, 2);
    refuse_fields(12, no_tag, 2);
    refuse_fields(12, empty, 2);
    refuse_fields(11, whole, 2);
    refuse_fields(13, whole, 2);
    refuse_fields(12, whole, 1);
}

static void misuse(void *arg)
{
    struct test_store store;
    struct table *table;

    test_store_open(&store, 4, 4, 4);
    table = store_table(store.store, 0);
    table_take(table);
    switch (*(int *)arg) {
    case 0:
        table_read(table, 2);
        break;
    case 1:
        table_write(table, SLOT_NONE);
        break;
    case 2:
        table_free(table, 5);
        break;
    case 3:
        table_derived(table, 3);
        break;
    case 4: /* not settled */
        store_digest(store.store);
        break;
    case 5:
        store_walk_begin(store.store, image_sink, NULL);
        break;
    default:
        store_restore_begin(store.store);
    }
}

static void test_misuse_ends_the_process(void **state)
{
    (void)state;
    for (int which = 0; which <= 6; which++) {
        expect_assert(misuse, &which);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_are_reused_lowest_first),
        cmocka_unit_test(test_taken_slot_is_zero_also_after_use),
        cmocka_unit_test(test_digest_knows_no_history),
        cmocka_unit_test(test_digest_sees_each_byte),
        cmocka_unit_test(test_digest_sees_slot_and_table),
        cmocka_unit_test(test_one_command_may_write_any_number),
        cmocka_unit_test(test_random_commands_follow_the_shadow),
        cmocka_unit_test(test_large_limits_touch_few_pages),
        cmocka_unit_test(test_fields_tile_the_image),
        cmocka_unit_test(test_misuse_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

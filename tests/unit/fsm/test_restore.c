/* Restore takes what the walk wrote, and an older version's image; all else is refused with a text,
 * and nothing in an image can end the process. */
#include "tests/unit/fsm/memory.h"

#include <string.h>

static void open_filled(struct test_store *store, struct image *image)
{
    struct random random = {42};
    struct shadow shadow;

    test_store_open(store, 12, 9, 3);
    shadow_open(&shadow, store);
    for (int i = 0; i < 20; i++) {
        random_command(&random, store, &shadow, 30);
    }
    assert_true(shadow.tables[0].count > 2 && shadow.tables[1].count > 2);
    assert_true(shadow.tables[2].count > 0);
    shadow_close(&shadow);
    image_take(store, image);
}

static void test_each_flipped_bit_is_refused(void **state)
{
    struct test_store origin;
    struct test_store store;
    struct image image = {.data = NULL};
    struct random random = {1};

    (void)state;
    open_filled(&origin, &image);
    test_store_open(&store, 12, 9, 3);
    for (size_t at = 0; at < image.size; at++) {
        for (unsigned bit = 0; bit <= 8; bit++) {
            uint8_t flip = (uint8_t)(bit == 8 ? 0xff : 1u << bit);

            image.data[at] ^= flip;
            assert_non_null(image_restore(&store, bytes_of(image.data, image.size), &random, 5000));
            image.data[at] ^= flip;
        }
    }
    assert_null(image_restore(&store, bytes_of(image.data, image.size), &random, 5000));
    assert_true(hash128_equal(store_digest(store.store), store_digest(origin.store)));
    image_drop(&image);
    test_store_close(&origin);
    test_store_close(&store);
}

static void test_each_truncation_and_addition_is_refused(void **state)
{
    struct test_store store;
    struct image image = {.data = NULL};
    struct random random = {2};

    (void)state;
    open_filled(&store, &image);
    for (size_t size = 0; size < image.size; size++) {
        assert_non_null(image_restore(&store, bytes_of(image.data, size), &random, 100));
    }
    assert_null(image_restore(&store, bytes_of(image.data, image.size), &random, 100));
    for (uint32_t more = 0; more < 256; more++) {
        uint8_t byte = (uint8_t)more;

        image_sink(&image, bytes_of(&byte, 1));
        assert_string_equal(image_restore(&store, bytes_of(image.data, image.size), &random, 100),
                            "the snapshot goes on after its end mark");
        image.size--;
    }
    image_drop(&image);
    test_store_close(&store);
}

static void test_pieces_of_each_size(void **state)
{
    struct test_store origin;
    struct test_store store;
    struct image image = {.data = NULL};
    const char *error = NULL;

    (void)state;
    open_filled(&origin, &image);
    test_store_open(&store, 12, 9, 3);
    for (size_t size = 1; size <= image.size; size++) {
        store_restore_begin(store.store);
        for (size_t done = 0; done < image.size; done += size) {
            size_t part = image.size - done < size ? image.size - done : size;

            assert_true(store_restore_feed(store.store, bytes_of(image.data + done, part), &error));
        }
        assert_true(store_restore_end(store.store, &error));
        assert_true(hash128_equal(store_digest(store.store), store_digest(origin.store)));
    }
    image_drop(&image);
    test_store_close(&origin);
    test_store_close(&store);
}

static void test_garbage_never_ends_the_process(void **state)
{
    struct test_store origin;
    struct test_store store;
    struct image image = {.data = NULL};
    struct random random = {3};

    (void)state;
    open_filled(&origin, &image);
    test_store_open(&store, 5, 4, 3);
    for (int i = 0; i < 20000; i++) { /* parts of a good image, put together at will */
        struct image mix = {.data = NULL};

        for (uint32_t parts = 1 + random_below(&random, 6); parts > 0; parts--) {
            size_t from = random_below(&random, (uint32_t)image.size);
            size_t size = random_below(&random, 200);

            if (parts > 3) {
                from = 0;
            }
            size = size < image.size - from ? size : image.size - from;
            image_sink(&mix, bytes_of(image.data + from, size));
        }
        for (uint32_t bytes = random_below(&random, 4); bytes > 0 && mix.size > 0; bytes--) {
            mix.data[random_below(&random, (uint32_t)mix.size)] = (uint8_t)random_next(&random);
        }
        assert_non_null(image_restore(&store, bytes_of(mix.data, mix.size), &random, 300));
        image_drop(&mix);
    }
    image_drop(&image);
    test_store_close(&origin);
    test_store_close(&store);
}

/* ---- images made by hand ---- */

struct draft {
    struct base_writer writer;
    uint8_t bytes[1000];
};

static void draft_head(struct draft *draft, uint32_t wide, uint32_t small, uint32_t block)
{
    base_writer_init(&draft->writer, draft->bytes, sizeof draft->bytes);
    base_write_u8(&draft->writer, 1);
    base_write_u8(&draft->writer, 3);
    base_write_u8(&draft->writer, wide_type.id);
    base_write_u32(&draft->writer, wide);
    base_write_u8(&draft->writer, small_type.id);
    base_write_u32(&draft->writer, small);
    base_write_u8(&draft->writer, block_type.id);
    base_write_u32(&draft->writer, block);
}

/* A record of the small table: the first field alone, with `size` bytes under `tag`. */
static void draft_small(struct draft *draft, uint32_t slot, uint8_t tag, uint16_t size)
{
    base_write_u8(&draft->writer, small_type.id);
    base_write_u16(&draft->writer, (uint16_t)(4 + 2 + 3 + size));
    base_write_u32(&draft->writer, slot);
    base_write_u16(&draft->writer, 1);
    base_write_u8(&draft->writer, tag);
    base_write_short(&draft->writer, bytes_of("abcdefgh", size));
}

static void draft_end(struct draft *draft, uint64_t count, struct hash128 digest)
{
    base_write_u8(&draft->writer, 0);
    base_write_u64(&draft->writer, count);
    base_write_u64(&draft->writer, digest.low);
    base_write_u64(&draft->writer, digest.high);
}

static void expect(const struct draft *draft, const char *text)
{
    struct test_store store;
    struct random random = {5};
    const char *error;

    test_store_open(&store, 4, 4, 4);
    for (int i = 0; i < 20; i++) {
        error = image_restore(&store, base_written(&draft->writer), &random, i < 10 ? 4 : 1000);
        if (text == NULL) {
            assert_null(error);
        } else {
            assert_non_null(error);
            assert_string_equal(error, text);
        }
    }
    test_store_close(&store);
}

static struct hash128 hash_of_small(uint32_t slot)
{
    const uint8_t form[] = {small_type.id, (uint8_t)slot, 0, 0, 0, 'a', 'b', 'c'};

    return base_siphash128(&test_key, bytes_of(form, sizeof form));
}

static void test_texts_say_what_is_wrong(void **state)
{
    const struct hash128 none = {.low = 0, .high = 0};
    struct draft draft;

    (void)state;
    draft_head(&draft, 0, 0, 0);
    draft_end(&draft, 0, none);
    expect(&draft, NULL);
    draft.bytes[0] = 2;
    expect(&draft, "the snapshot is of a version that this one does not know");
    draft_head(&draft, 0, 0, 0);
    draft.bytes[1] = 4;
    expect(&draft, "the snapshot has more tables than this version knows");
    draft_head(&draft, 0, 0, 0);
    draft.bytes[2] = 77;
    expect(&draft, "the snapshot has a table that this version does not know");
    draft.bytes[2] = small_type.id;
    expect(&draft, "the snapshot announces a table twice");
    draft_head(&draft, 0, 5, 0);
    expect(&draft, "the snapshot has more records than the limits allow");
    draft_head(&draft, 0, 1, 0);
    draft_end(&draft, 0, none);
    expect(&draft, "the snapshot lacks records that it announced, or has others");
    draft_head(&draft, 0, 0, 0);
    draft_end(&draft, 1, none);
    expect(&draft, "the snapshot has another number of records than it says");
    draft_head(&draft, 0, 0, 0);
    draft_end(&draft, 0, (struct hash128){.low = 0, .high = 1});
    expect(&draft, "the snapshot's records do not have the digest that it names");
}

static void test_texts_about_records(void **state)
{
    struct draft draft;

    (void)state;
    draft_head(&draft, 0, 2, 0);
    draft_small(&draft, 0, 1, 3);
    expect(&draft, "the snapshot has a record outside of its table");
    draft_head(&draft, 0, 2, 0);
    draft_small(&draft, 5, 1, 3);
    expect(&draft, "the snapshot has a record outside of its table");
    draft_head(&draft, 0, 2, 0);
    draft_small(&draft, 4, 3, 3);
    expect(&draft, "the snapshot has a field that this version does not know");
    draft_head(&draft, 0, 2, 0);
    draft_small(&draft, 4, 1, 2);
    expect(&draft, "the snapshot has a field twice or of the wrong size");
    draft_head(&draft, 0, 2, 0);
    draft_small(&draft, 4, 1, 8);
    base_write_u8(&draft.writer, 77);
    expect(&draft, "the snapshot has a field twice or of the wrong size");
    draft_head(&draft, 0, 2, 0);
    draft_small(&draft, 4, 1, 3);
    draft_small(&draft, 4, 1, 3);
    expect(&draft, "the snapshot has two records for one slot");
    draft_head(&draft, 0, 2, 0);
    draft_small(&draft, 4, 1, 3);
    base_write_u8(&draft.writer, 77);
    expect(&draft, "the snapshot has a record of a table that this version does not know");
    draft_head(&draft, 0, 2, 0);
    base_write_u8(&draft.writer, small_type.id);
    base_write_u16(&draft.writer, 4 + 2 + 2 * 3 + SMALL_IMAGE + 1);
    expect(&draft, "the snapshot has a record that is too long");
    draft_head(&draft, 0, 2, 0);
    base_write_u8(&draft.writer, small_type.id);
    base_write_u16(&draft.writer, 4 + 2 + 2 * (3 + 2));
    base_write_u32(&draft.writer, 1);
    base_write_u16(&draft.writer, 2);
    for (int twice = 0; twice < 2; twice++) {
        base_write_u8(&draft.writer, 2);
        base_write_short(&draft.writer, bytes_of("ab", 2));
    }
    expect(&draft, "the snapshot has a field twice or of the wrong size");
    draft_head(&draft, 0, 2, 0);
    base_write_u8(&draft.writer, small_type.id);
    base_write_u16(&draft.writer, 7);
    base_write_u32(&draft.writer, 1);
    base_write_u16(&draft.writer, 0);
    base_write_u8(&draft.writer, 0);
    expect(&draft, "the snapshot has a record that its fields do not fill");
    draft_head(&draft, 0, 2, 0);
    draft_small(&draft, 4, 1, 3);
    expect(&draft, "the snapshot ends before its end mark");
}

/* What an older version wrote: no `block` table, no second field of `small`. */
static void test_missing_fields_and_tables_are_zero(void **state)
{
    struct random random = {6};
    struct test_store store;
    struct draft draft;
    struct bytes image;

    (void)state;
    base_writer_init(&draft.writer, draft.bytes, sizeof draft.bytes);
    base_write_u8(&draft.writer, 1);
    base_write_u8(&draft.writer, 1);
    base_write_u8(&draft.writer, small_type.id);
    base_write_u32(&draft.writer, 2);
    draft_small(&draft, 4, 1, 3);
    draft_small(&draft, 1, 1, 3);
    draft_end(&draft, 2, hash128_add(hash_of_small(1), hash_of_small(4)));
    image = base_written(&draft.writer);
    test_store_open(&store, 4, 4, 4);
    for (size_t i = 0; i < STORE_TABLES; i++) { /* what was there before is gone */
        memset(table_write(store_table(store.store, i), table_take(store_table(store.store, i))),
               0xee, store.plans[i].type->record_size);
    }
    store_settle(store.store);
    assert_null(image_restore(&store, image, &random, 100));
    assert_int_equal(table_count(store_table(store.store, 0)), 0);
    assert_int_equal(table_count(store_table(store.store, 2)), 0);
    assert_int_equal(table_count(store_table(store.store, 1)), 2);
    assert_memory_equal(table_read(store_table(store.store, 1), 1), "abc\0\0", SMALL_IMAGE);
    assert_memory_equal(table_read(store_table(store.store, 1), 4), "abc\0\0", SMALL_IMAGE);
    assert_int_equal(table_take(store_table(store.store, 1)), 2);
    test_store_close(&store);
}

static void test_other_key_is_refused(void **state)
{
    static const struct siphash_key other = {{1}};
    struct test_store origin;
    struct image image = {.data = NULL};
    struct store *store;
    const char *error = NULL;
    size_t size;

    (void)state;
    open_filled(&origin, &image);
    size = store_size(origin.plans, STORE_TABLES);
    store = store_create(memory_get(size), size, origin.plans, STORE_TABLES, &other);
    store_restore_begin(store);
    assert_false(store_restore_feed(store, bytes_of(image.data, image.size), &error));
    assert_non_null(error);
    memory_give(store);
    image_drop(&image);
    test_store_close(&origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_flipped_bit_is_refused),
        cmocka_unit_test(test_each_truncation_and_addition_is_refused),
        cmocka_unit_test(test_pieces_of_each_size),
        cmocka_unit_test(test_garbage_never_ends_the_process),
        cmocka_unit_test(test_texts_say_what_is_wrong),
        cmocka_unit_test(test_texts_about_records),
        cmocka_unit_test(test_missing_fields_and_tables_are_zero),
        cmocka_unit_test(test_other_key_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The walk's image is that of position p, whatever changes while it runs; and a restore of it is
 * that state again, record by record and by digest. */
#include "tests/unit/fsm/memory.h"

#include <string.h>

static uint32_t step_size(struct random *random)
{
    return random_below(random, 4) == 0 ? random_below(random, 200) : random_below(random, 6);
}

/* Restores into a store that held something else before, and compares. */
static void check_image(struct random *random, const struct test_store *origin,
                        const struct shadow *at_p, const struct image *image)
{
    struct test_store store;
    struct shadow other;
    const char *error;

    test_store_open(&store, origin->plans[0].capacity, origin->plans[1].capacity,
                    origin->plans[2].capacity);
    shadow_open(&other, &store);
    for (uint32_t i = random_below(random, 20); i > 0; i--) {
        random_command(random, &store, &other, 40);
    }
    error = image_restore(&store, bytes_of(image->data, image->size), random,
                          random_below(random, 2) == 0 ? 7 : 3000);
    if (error != NULL) {
        fail_msg("%s", error);
    }
    shadow_check(at_p, &store);
    for (uint32_t slot = 1; slot <= at_p->tables[0].capacity; slot++) {
        if (at_p->tables[0].used[slot]) {
            assert_int_equal(*(uint64_t *)table_derived(store_table(store.store, 0), slot), 0);
        }
    }
    shadow_close(&other);
    test_store_close(&store);
}

/* A restored store goes on as the one that ran: the same slots, the same digest. */
static void check_goes_on(struct random *random, struct test_store *origin,
                          const struct shadow *now)
{
    struct image image = {.data = NULL};
    struct test_store store;
    struct shadow here;
    struct shadow there;
    struct random again;
    const char *error;

    test_store_open(&store, origin->plans[0].capacity, origin->plans[1].capacity,
                    origin->plans[2].capacity);
    image_take(origin, &image);
    error = image_restore(&store, bytes_of(image.data, image.size), random, 500);
    assert_null(error);
    shadow_copy(&here, now);
    shadow_copy(&there, now);
    again = *random;
    for (uint32_t i = 0; i < 20; i++) {
        random_command(random, origin, &here, 20);
        random_command(&again, &store, &there, 20);
        assert_true(hash128_equal(store_digest(origin->store), store_digest(store.store)));
    }
    shadow_check(&there, &store);
    image_drop(&image);
    shadow_close(&here);
    shadow_close(&there);
    test_store_close(&store);
}

static void one_walk(struct random *random, struct test_store *store, struct shadow *shadow)
{
    struct image image = {.data = NULL};
    struct image quiet = {.data = NULL};
    struct shadow at_p;

    for (uint32_t i = random_below(random, 15); i > 0; i--) {
        random_command(random, store, shadow, random_below(random, 60));
    }
    shadow_copy(&at_p, shadow);
    image_take(store, &quiet);
    store_walk_begin(store->store, image_sink, &image);
    if (random_below(random, 5) == 0) { /* given up half way: the next walk knows nothing of it */
        random_command(random, store, shadow, 50);
        if (!store_walk_step(store->store, step_size(random))) {
            random_command(random, store, shadow, 50);
        }
        store_walk_abort(store->store);
        image_drop(&image);
        image_drop(&quiet);
        shadow_close(&at_p);
        return;
    }
    while (!store_walk_step(store->store, step_size(random))) {
        random_command(random, store, shadow, random_below(random, 20));
    }
    shadow_check(shadow, store);
    check_image(random, store, &at_p, &image);
    assert_int_equal(image.size, quiet.size); /* one state, one image */
    assert_memory_equal(image.data, quiet.data, quiet.size);
    image_drop(&image);
    image_drop(&quiet);
    shadow_close(&at_p);
}

static void test_image_is_that_of_p(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random random = {seed};
        struct test_store store;
        struct shadow shadow;

        test_store_open(&store, 1 + random_below(&random, 260), 1 + random_below(&random, 130),
                        1 + random_below(&random, 40));
        shadow_open(&shadow, &store);
        for (uint32_t walks = 0; walks < 8; walks++) {
            one_walk(&random, &store, &shadow);
        }
        check_goes_on(&random, &store, &shadow);
        shadow_close(&shadow);
        test_store_close(&store);
    }
}

/* More changes ahead of the walk than there is room to keep: what changes after that comes early,
 * and the image is of p all the same. */
static void test_image_is_that_of_p_without_room(void **state)
{
    enum { RECORDS = 20000 };
    struct image image = {.data = NULL};
    struct image quiet = {.data = NULL};
    struct random random = {7};
    struct test_store store;
    struct test_store other;
    struct table *table;
    struct hash128 digest;

    (void)state;
    test_store_open(&store, RECORDS, 1, 1);
    test_store_open(&other, RECORDS, 1, 1);
    table = store_table(store.store, 0);
    for (uint32_t i = 0; i < RECORDS; i++) {
        ((struct wide_record *)table_write(table, table_take(table)))->number = i;
    }
    store_settle(store.store);
    digest = store_digest(store.store);
    image_take(&store, &quiet);
    store_walk_begin(store.store, image_sink, &image);
    assert_false(store_walk_step(store.store, 10));
    for (uint32_t slot = RECORDS; slot > 0; slot--) {
        ((struct wide_record *)table_write(table, slot))->number = 0;
    }
    store_settle(store.store);
    assert_true(image.size > 10000); /* some had to come at once */
    while (!store_walk_step(store.store, 1000)) {
    }
    assert_int_equal(image.size, quiet.size);
    assert_memory_not_equal(image.data, quiet.data, quiet.size);
    assert_null(image_restore(&other, bytes_of(image.data, image.size), &random, 3000));
    assert_true(hash128_equal(store_digest(other.store), digest));
    image_drop(&image);
    image_drop(&quiet);
    test_store_close(&store);
    test_store_close(&other);
}

/* Eight records of the first table with their slot for a number; settled. */
static void open_eight(struct test_store *store)
{
    test_store_open(store, 100, 10, 10);
    for (uint32_t i = 0; i < 8; i++) {
        struct table *table = store_table(store->store, 0);
        uint32_t slot = table_take(table);

        ((struct wide_record *)table_write(table, slot))->number = slot;
    }
    store_settle(store->store);
}

static size_t finish(struct test_store *store, struct image *image)
{
    while (!store_walk_step(store->store, 1)) {
    }
    return image->size;
}

static void test_quiet_walk_hands_out_each_record_once(void **state)
{
    struct test_store store;
    struct image quiet = {.data = NULL};
    struct image busy = {.data = NULL};
    struct table *table;

    (void)state;
    open_eight(&store);
    table = store_table(store.store, 0);
    store_walk_begin(store.store, image_sink, &quiet);
    finish(&store, &quiet);
    store_walk_begin(store.store, image_sink, &busy);
    assert_false(store_walk_step(store.store, 3));
    table_write(table, 2); /* behind: not again */
    table_write(table, 6); /* ahead: now, and not again */
    store_settle(store.store);
    table_write(table, 6);
    table_free(table, 7);
    table_free(table, 3);
    store_settle(store.store);
    assert_int_equal(table_take(table), 3); /* behind */
    assert_int_equal(table_take(table), 7); /* ahead, freed after p */
    assert_int_equal(table_take(table), 9); /* above all of p */
    table_free(table, 7);
    store_settle(store.store);
    assert_int_equal(table_take(table), 7);
    store_settle(store.store);
    assert_int_equal(finish(&store, &busy), quiet.size);
    image_drop(&quiet);
    image_drop(&busy);
    test_store_close(&store);
}

static void test_hole_filled_after_p_is_skipped(void **state)
{
    struct test_store store;
    struct image before = {.data = NULL};
    struct image image = {.data = NULL};

    (void)state;
    open_eight(&store);
    table_free(store_table(store.store, 0), 5);
    store_settle(store.store);
    store_walk_begin(store.store, image_sink, &before);
    finish(&store, &before);
    store_walk_begin(store.store, image_sink, &image);
    assert_int_equal(table_take(store_table(store.store, 0)), 5);
    store_settle(store.store);
    table_write(store_table(store.store, 0), 5);
    store_settle(store.store);
    finish(&store, &image);
    assert_int_equal(image.size, before.size);
    assert_memory_equal(image.data, before.data, image.size);
    image_drop(&before);
    image_drop(&image);
    test_store_close(&store);
}

static void test_step_is_bounded(void **state)
{
    struct test_store store;
    struct image image = {.data = NULL};
    size_t record = 3 + 6 + 5 * 3 + WIDE_IMAGE;
    size_t head;

    (void)state;
    open_eight(&store);
    store_walk_begin(store.store, image_sink, &image);
    head = image.size;
    assert_false(store_walk_step(store.store, 0));
    assert_int_equal(image.size, head);
    assert_false(store_walk_step(store.store, 5));
    assert_int_equal(image.size, head + 5 * record);
    store_walk_abort(store.store);
    store_walk_abort(store.store);
    assert_false(store_walk_running(store.store));
    image_drop(&image);
    test_store_close(&store);
}

static void test_restore_gives_a_running_walk_up(void **state)
{
    struct random random = {7};
    struct test_store store;
    struct image good = {.data = NULL};
    struct image cut = {.data = NULL};
    size_t size;

    (void)state;
    open_eight(&store);
    image_take(&store, &good);
    store_walk_begin(store.store, image_sink, &cut);
    table_write(store_table(store.store, 0), 8);
    store_settle(store.store);
    size = cut.size;
    assert_null(image_restore(&store, bytes_of(good.data, good.size), &random, 100));
    assert_false(store_walk_running(store.store));
    table_write(store_table(store.store, 0), 5);
    store_settle(store.store);
    assert_int_equal(cut.size, size);
    image_drop(&cut);
    image_take(&store, &cut); /* nothing is left of the one before: 8 is in it */
    assert_int_equal(cut.size, good.size);
    assert_memory_equal(cut.data, good.data, good.size);
    image_drop(&good);
    image_drop(&cut);
    test_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image_is_that_of_p),
        cmocka_unit_test(test_image_is_that_of_p_without_room),
        cmocka_unit_test(test_quiet_walk_hands_out_each_record_once),
        cmocka_unit_test(test_hole_filled_after_p_is_skipped),
        cmocka_unit_test(test_step_is_bounded),
        cmocka_unit_test(test_restore_gives_a_running_walk_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

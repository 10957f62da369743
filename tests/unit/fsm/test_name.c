/* A name is stored once, counted, forgotten with its last use, and found again after a restore. */
#include "tests/unit/fsm/memory.h"

#include "fsm/name.h"

#include <string.h>

enum { NAMES = 40 };

struct name_store {
    void *memory;
    struct store *store;
    struct names *names;
};

static void name_store_open(struct name_store *store)
{
    const struct store_plan plan = {.type = &name_type, .capacity = NAMES};
    size_t size = store_size(&plan, 1);

    store->memory = memory_get(size);
    store->store = store_create(store->memory, size, &plan, 1, &test_key);
    size = names_size(NAMES);
    store->names = names_create(memory_get(size), size, store_table(store->store, 0), &test_key);
}

static void name_store_close(struct name_store *store)
{
    memory_give(store->names);
    memory_give(store->memory);
}

static uint32_t stored(const struct name_store *store)
{
    return table_count(store_table(store->store, 0));
}

static void test_name_is_stored_once_and_counted(void **state)
{
    struct name_store store;
    uint32_t alice;
    uint32_t bob;

    (void)state;
    name_store_open(&store);
    assert_int_equal(names_find(store.names, bytes_of_text("alice")), SLOT_NONE);
    alice = names_hold(store.names, bytes_of_text("alice"));
    bob = names_hold(store.names, bytes_of_text("bob"));
    assert_int_not_equal(alice, bob);
    assert_int_equal(names_hold(store.names, bytes_of_text("alice")), alice);
    assert_int_equal(names_find(store.names, bytes_of_text("alice")), alice);
    assert_int_equal(stored(&store), 2);
    assert_true(bytes_equal(names_text(store.names, bob), bytes_of_text("bob")));
    names_release(store.names, alice);
    assert_int_equal(names_find(store.names, bytes_of_text("alice")), alice);
    names_release(store.names, alice);
    assert_int_equal(names_find(store.names, bytes_of_text("alice")), SLOT_NONE);
    assert_int_equal(stored(&store), 1);
    assert_int_equal(names_hold(store.names, bytes_of_text("carol")), alice); /* the lowest slot */
    store_settle(store.store);
    name_store_close(&store);
}

static void test_names_of_all_lengths_are_told_apart(void **state)
{
    static uint8_t text[NAME_BYTES_MAX];
    uint32_t slots[NAMES];
    struct name_store store;

    (void)state;
    name_store_open(&store);
    for (size_t i = 0; i < NAMES; i++) { /* zeros: only the length differs */
        size_t size = i < 20 ? i : NAME_BYTES_MAX - (i - 20);

        slots[i] = names_hold(store.names, bytes_of(text, size));
        assert_int_not_equal(slots[i], SLOT_NONE);
        assert_int_equal(names_text(store.names, slots[i]).size, size);
        assert_int_equal(stored(&store), i + 1);
    }
    assert_int_equal(names_hold(store.names, bytes_of_text("one more")), SLOT_NONE);
    assert_int_equal(names_hold(store.names, bytes_of(text, 3)), slots[3]); /* full is no matter */
    store_settle(store.store);
    name_store_close(&store);
}

static void name_of(char *text, uint32_t number)
{
    memset(text, 'x', 5);
    text[5] = (char)('a' + number);
    text[6] = 0;
}

static void check_uses(const struct name_store *store, const uint32_t *uses)
{
    uint32_t count = 0;
    char text[7];

    for (uint32_t i = 0; i < 26; i++) {
        uint32_t slot;

        name_of(text, i);
        slot = names_find(store->names, bytes_of_text(text));
        assert_true((slot != SLOT_NONE) == (uses[i] > 0));
        if (slot != SLOT_NONE) {
            assert_true(bytes_equal(names_text(store->names, slot), bytes_of_text(text)));
            count++;
        }
    }
    assert_int_equal(stored(store), count);
}

static void random_uses(struct random *random, struct name_store *store, uint32_t *uses)
{
    char text[7];

    for (uint32_t i = 0; i < 100; i++) {
        uint32_t number = random_below(random, 26);

        name_of(text, number);
        if (random_below(random, 2) == 0) {
            names_hold(store->names, bytes_of_text(text));
            uses[number]++;
        } else if (uses[number] > 0) {
            names_release(store->names, names_find(store->names, bytes_of_text(text)));
            uses[number]--;
        }
        store_settle(store->store);
    }
}

static void test_uses_survive_a_restore(void **state)
{
    struct random random = {9};
    struct name_store store;
    struct name_store other;
    uint32_t uses[26] = {0};
    uint32_t other_uses[26] = {0};

    (void)state;
    name_store_open(&store);
    name_store_open(&other);
    random_uses(&random, &other, other_uses); /* all of this is to be gone */
    for (uint32_t round = 0; round < 20; round++) {
        struct image image = {.data = NULL};
        const char *error = NULL;

        random_uses(&random, &store, uses);
        check_uses(&store, uses);
        store_walk_begin(store.store, image_sink, &image);
        while (!store_walk_step(store.store, 10)) {
        }
        store_restore_begin(other.store);
        assert_true(store_restore_feed(other.store, bytes_of(image.data, image.size), &error));
        assert_true(store_restore_end(other.store, &error));
        names_rebuild(other.names);
        image_drop(&image);
        check_uses(&other, uses);
        memcpy(other_uses, uses, sizeof uses);
        random_uses(&random, &other, other_uses); /* and the counts came along */
        check_uses(&other, other_uses);
    }
    name_store_close(&store);
    name_store_close(&other);
}

static void misuse(void *arg)
{
    static uint8_t text[NAME_BYTES_MAX + 1];
    struct name_store store;

    name_store_open(&store);
    if (*(int *)arg == 0) {
        names_hold(store.names, bytes_of(text, sizeof text));
    } else {
        names_release(store.names, 1);
    }
}

static void test_misuse_ends_the_process(void **state)
{
    (void)state;
    for (int which = 0; which <= 1; which++) {
        expect_assert(misuse, &which);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_is_stored_once_and_counted),
        cmocka_unit_test(test_names_of_all_lengths_are_told_apart),
        cmocka_unit_test(test_uses_survive_a_restore),
        cmocka_unit_test(test_misuse_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

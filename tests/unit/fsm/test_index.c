/* The index finds exactly what was inserted and not removed, however the hashes collide. */
#include "tests/unit/fsm/memory.h"

#include "fsm/index.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    uint64_t hash;
    uint32_t slot;
};

struct shadow_index {
    struct pair pairs[1000];
    uint32_t count;
};

static bool is_slot(const void *arg, uint32_t slot)
{
    return slot == *(const uint32_t *)arg;
}

static void compare(const struct index *index, const struct shadow_index *shadow, uint32_t slot_max)
{
    static uint8_t present[1001];

    memset(present, 0, sizeof present);
    for (uint32_t i = 0; i < shadow->count; i++) {
        const struct pair *pair = &shadow->pairs[i];

        assert_int_equal(index_find(index, pair->hash, is_slot, &pair->slot), pair->slot);
        present[pair->slot] = 1;
        /* The same slot under another hash is not there. */
        assert_int_equal(index_find(index, pair->hash ^ 1u << 31, is_slot, &pair->slot), SLOT_NONE);
    }
    for (uint32_t slot = 1; slot <= slot_max; slot++) {
        for (uint64_t hash = 0; !present[slot] && hash < 8; hash++) {
            assert_int_equal(index_find(index, hash, is_slot, &slot), SLOT_NONE);
        }
    }
}

/* Slots are 1..capacity; a slot's hash is one of `hashes` values, spread over the table's end. */
static void against_shadow(uint32_t capacity, uint32_t hashes, uint64_t seed)
{
    static struct shadow_index shadow;
    struct random random = {seed};
    size_t size = index_size(capacity);
    void *memory = memory_get(size);
    struct index *index = index_create(memory, size, capacity);
    uint8_t *used = calloc(capacity + 1, 1);

    assert_non_null(used);
    shadow.count = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t slot = 1 + random_below(&random, capacity);

        if (!used[slot] && shadow.count < capacity) {
            uint64_t hash = random_below(&random, hashes) - (uint64_t)(hashes / 2);

            hash &= ~(UINT64_C(1) << 31);
            index_insert(index, hash, slot);
            shadow.pairs[shadow.count++] = (struct pair){.hash = hash, .slot = slot};
            used[slot] = 1;
        } else {
            uint32_t at = random_below(&random, shadow.count);

            index_remove(index, shadow.pairs[at].hash, shadow.pairs[at].slot);
            used[shadow.pairs[at].slot] = 0;
            shadow.pairs[at] = shadow.pairs[--shadow.count];
        }
        if (i % 50 == 0) {
            compare(index, &shadow, capacity);
        }
    }
    compare(index, &shadow, capacity);
    index_clear(index);
    shadow.count = 0;
    compare(index, &shadow, capacity);
    for (size_t i = 64; i < size; i++) { /* emptied to the last byte */
        assert_int_equal(((const uint8_t *)memory)[i], 0);
    }
    free(used);
    memory_give(memory);
}

static void test_index_follows_the_shadow(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        against_shadow(1, 1, seed);
        against_shadow(3, 2, seed);
        against_shadow(64, 1, seed);
        against_shadow(64, 5, seed);
        against_shadow(200, 40, seed);
        against_shadow(500, 1u << 30, seed);
    }
}

static bool never(const void *arg, uint32_t slot)
{
    (void)arg;
    (void)slot;
    return false;
}

static bool none_asked(const void *arg, uint32_t slot)
{
    (void)arg;
    fail_msg("asked for slot %u of another hash", slot);
    return false;
}

static void test_match_decides_among_equal_hashes_only(void **state)
{
    size_t size = index_size(8);
    struct index *index = index_create(memory_get(size), size, 8);
    uint32_t wanted = 4;

    (void)state;
    index_insert(index, 5, 3);
    index_insert(index, 5, 4);
    assert_int_equal(index_find(index, 5, is_slot, &wanted), 4);
    assert_int_equal(index_find(index, 5, never, NULL), SLOT_NONE);
    assert_int_equal(index_find(index, 5 + 16, none_asked, NULL), SLOT_NONE); /* same home */
    memory_give(index);
}

static void misuse(void *arg)
{
    size_t size = index_size(1);
    struct index *index = index_create(memory_get(size), size, 1);

    index_insert(index, 1, 1);
    switch (*(int *)arg) {
    case 0: /* full */
        index_insert(index, 2, 2);
        break;
    case 1: /* not in it */
        index_remove(index, 1, 2);
        break;
    default:
        index_remove(index, 2, 1);
    }
}

static void test_misuse_ends_the_process(void **state)
{
    (void)state;
    for (int which = 0; which <= 2; which++) {
        expect_assert(misuse, &which);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_follows_the_shadow),
        cmocka_unit_test(test_match_decides_among_equal_hashes_only),
        cmocka_unit_test(test_misuse_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

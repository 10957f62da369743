/* Chains hold what was written, of every size around the blocks' borders, and give all back. */
#include "tests/unit/fsm/memory.h"

#include "fsm/chain.h"

#include <string.h>

enum { BLOCKS = 12, BYTES_MAX = 10 * CHAIN_BLOCK_BYTES };

struct chain_store {
    void *memory;
    struct store *store;
    struct table *blocks;
};

static void chain_store_open(struct chain_store *store)
{
    const struct store_plan plan = {.type = &chain_block_type, .capacity = BLOCKS};
    size_t size = store_size(&plan, 1);

    store->memory = memory_get(size);
    store->store = store_create(store->memory, size, &plan, 1, &test_key);
    store->blocks = store_table(store->store, 0);
}

static void fill(uint8_t *buffer, size_t size)
{
    struct random random = {size};

    for (size_t i = 0; i < size; i++) {
        buffer[i] = (uint8_t)random_next(&random);
    }
}

static void one_size(struct chain_store *store, size_t size)
{
    static uint8_t source[BYTES_MAX + 1];
    static uint8_t copy[BYTES_MAX + 1];
    struct hash128 before = store_digest(store->store);
    uint32_t count = table_count(store->blocks);
    uint32_t first;

    fill(source, size);
    first = chain_write(store->blocks, bytes_of(source, size));
    store_settle(store->store);
    assert_int_equal(table_count(store->blocks), count + chain_blocks(size));
    assert_true((first == SLOT_NONE) == (size == 0));
    copy[size] = 0x5a;
    chain_read(store->blocks, first, copy, size);
    assert_memory_equal(copy, source, size);
    assert_int_equal(copy[size], 0x5a);
    assert_true(chain_equal(store->blocks, first, bytes_of(source, size)));
    source[size] = 0;
    assert_false(chain_equal(store->blocks, first, bytes_of(source, size + 1)));
    if (size > 0) {
        chain_read(store->blocks, first, copy, size - 1); /* a part of it */
        assert_false(chain_equal(store->blocks, first, bytes_of(source, size - 1)));
        assert_false(chain_equal(store->blocks, first, BYTES_NONE));
        source[size - 1] ^= 1;
        assert_false(chain_equal(store->blocks, first, bytes_of(source, size)));
        source[size - 1] ^= 1;
        source[size / 2] ^= 1;
        assert_false(chain_equal(store->blocks, first, bytes_of(source, size)));
    }
    chain_free(store->blocks, first);
    store_settle(store->store);
    assert_int_equal(table_count(store->blocks), count);
    assert_true(hash128_equal(before, store_digest(store->store)));
}

static void test_sizes_around_borders(void **state)
{
    struct chain_store store;

    (void)state;
    chain_store_open(&store);
    for (size_t size = 0; size <= 3 * CHAIN_BLOCK_BYTES + 2; size++) {
        one_size(&store, size);
    }
    for (size_t blocks = 4; blocks <= 10; blocks++) {
        one_size(&store, blocks * CHAIN_BLOCK_BYTES - 1);
        one_size(&store, blocks * CHAIN_BLOCK_BYTES);
        one_size(&store, blocks * CHAIN_BLOCK_BYTES - CHAIN_BLOCK_BYTES + 1);
    }
    memory_give(store.memory);
}

static void test_blocks_are_counted_exactly(void **state)
{
    (void)state;
    assert_int_equal(chain_blocks(0), 0);
    assert_int_equal(chain_blocks(1), 1);
    assert_int_equal(chain_blocks(CHAIN_BLOCK_BYTES), 1);
    assert_int_equal(chain_blocks(CHAIN_BLOCK_BYTES + 1), 2);
    assert_int_equal(chain_blocks(64 * 1024), 265);
}

/* A chain through the holes that others left: its blocks are neither in order nor neighbours. */
static void test_chain_through_holes(void **state)
{
    static uint8_t text[4 * CHAIN_BLOCK_BYTES];
    static uint8_t copy[sizeof text];
    struct chain_store store;
    uint32_t single[BLOCKS];
    uint32_t first;

    (void)state;
    chain_store_open(&store);
    fill(text, sizeof text);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        single[i] = chain_write(store.blocks, bytes_of(&i, 1));
    }
    chain_free(store.blocks, single[2]);
    chain_free(store.blocks, single[5]);
    chain_free(store.blocks, single[9]);
    chain_free(store.blocks, single[11]);
    first = chain_write(store.blocks, bytes_of(text, sizeof text));
    store_settle(store.store);
    assert_int_equal(first, single[2]);
    assert_int_equal(table_count(store.blocks), BLOCKS);
    chain_read(store.blocks, first, copy, sizeof copy);
    assert_memory_equal(copy, text, sizeof text);
    for (uint8_t i = 0; i < BLOCKS; i++) {
        if (i != 2 && i != 5 && i != 9 && i != 11) {
            assert_true(chain_equal(store.blocks, single[i], bytes_of(&i, 1)));
        }
    }
    chain_free(store.blocks, SLOT_NONE);
    assert_true(chain_equal(store.blocks, SLOT_NONE, BYTES_NONE));
    memory_give(store.memory);
}

static void misuse(void *arg)
{
    static uint8_t text[BLOCKS * CHAIN_BLOCK_BYTES + 1];
    struct chain_store store;

    chain_store_open(&store);
    if (*(int *)arg == 0) {
        chain_write(store.blocks, bytes_of(text, sizeof text));
    } else { /* longer than it is */
        chain_read(store.blocks, chain_write(store.blocks, bytes_of(text, 10)), text, 11);
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
        cmocka_unit_test(test_sizes_around_borders),
        cmocka_unit_test(test_blocks_are_counted_exactly),
        cmocka_unit_test(test_chain_through_holes),
        cmocka_unit_test(test_misuse_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

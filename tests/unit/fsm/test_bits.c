/* The set of used slots: it finds the lowest hole and the next member, at every level's border. */
#include "tests/unit/fsm/memory.h"

#include "fsm/bits.h"

#include <string.h>

struct plain {
    uint8_t member[300000];
    uint32_t capacity;
};

static uint32_t plain_hole(const struct plain *plain)
{
    const uint8_t *hole = memchr(plain->member, 0, plain->capacity);

    return hole == NULL ? plain->capacity : (uint32_t)(hole - plain->member);
}

static uint32_t plain_next(const struct plain *plain, uint32_t from, uint32_t end)
{
    while (from < end && !plain->member[from]) {
        from++;
    }
    return from < end ? from : end;
}

static void compare(const struct bits *bits, const struct plain *plain, struct random *random)
{
    uint32_t hole = bits_lowest_hole(bits);
    uint32_t from = random_below(random, plain->capacity);
    uint32_t end = random_below(random, plain->capacity + 1);

    assert_int_equal(hole < plain->capacity ? hole : plain->capacity, plain_hole(plain));
    assert_int_equal(bits_next(bits, from, end), from < end ? plain_next(plain, from, end) : end);
}

static void against_plain(uint32_t capacity, uint32_t changes, uint64_t seed)
{
    static struct plain plain;
    struct random random = {seed};
    void *memory = memory_get(bits_size(capacity));
    struct bits bits;

    memset(&plain, 0, sizeof plain);
    plain.capacity = capacity;
    bits_init(&bits, memory, capacity);
    for (uint32_t i = 0; i < capacity; i++) { /* fills it, lowest first */
        assert_int_equal(bits_lowest_hole(&bits), i);
        bits_add(&bits, i);
        plain.member[i] = 1;
    }
    compare(&bits, &plain, &random);
    for (uint32_t i = 0; i < changes; i++) {
        uint32_t number = random_below(&random, capacity);

        if (random_below(&random, 3) == 0) {
            number = plain_hole(&plain) % capacity;
        }
        if (plain.member[number]) {
            bits_remove(&bits, number);
        } else {
            bits_add(&bits, number);
        }
        plain.member[number] ^= 1;
        compare(&bits, &plain, &random);
    }
    bits_clear(&bits, capacity);
    memset(plain.member, 0, capacity);
    compare(&bits, &plain, &random);
    memory_give(memory);
}

static void test_every_level_border(void **state)
{
    static const uint32_t capacities[] = {1,    2,    63,   64,   65,     127,    128,
                                          4095, 4096, 4097, 8191, 262143, 262144, 262145};

    (void)state;
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        against_plain(capacities[i], capacities[i] > 10000 ? 200 : 2000, i + 1);
    }
}

static void test_size_is_no_more_than_needed(void **state)
{
    (void)state;
    assert_int_equal(bits_size(1), 8);
    assert_int_equal(bits_size(64), 8);
    assert_int_equal(bits_size(65), 8 * (2 + 1));
    assert_int_equal(bits_size(4096), 8 * (64 + 1));
    assert_int_equal(bits_size(4097), 8 * (65 + 2 + 1));
    assert_int_equal(bits_size(UINT32_MAX),
                     8 * ((1ULL << 26) + (1 << 20) + (1 << 14) + 256 + 4 + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_level_border),
        cmocka_unit_test(test_size_is_no_more_than_needed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

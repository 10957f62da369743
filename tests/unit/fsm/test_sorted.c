/* The sorted set finds what was added and not removed, in order, from any place on; owners have
 * nothing to do with one another, and nobody makes a set deep. */
#include "tests/unit/fsm/memory.h"

#include "fsm/sorted.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 600, OWNERS = 3 };

/* What the sets are sorted by, and whose each slot is: 0 for nobody's. */
struct world {
    struct sorted *sorted;
    void *memory;
    uint64_t keys[CAPACITY + 1];
    uint32_t owner[CAPACITY + 1];
    uint64_t compared;
};

static int by_key(const void *arg, uint32_t a, uint32_t b)
{
    struct world *world = (struct world *)arg;

    world->compared++;
    return (world->keys[a] > world->keys[b]) - (world->keys[a] < world->keys[b]);
}

struct place {
    const struct world *world;
    uint64_t after;
};

static bool behind(const void *arg, uint32_t slot)
{
    const struct place *place = arg;

    return place->world->keys[slot] > place->after;
}

static void world_open(struct world *world)
{
    size_t size = sorted_size(CAPACITY, OWNERS);

    memset(world, 0, sizeof *world);
    world->memory = memory_get(size);
    world->sorted = sorted_create(world->memory, size, CAPACITY, OWNERS, &test_key, by_key, world);
}

static uint32_t first_behind(const struct world *world, uint32_t owner, uint64_t after)
{
    uint32_t first = SLOT_NONE;

    for (uint32_t slot = 1; slot <= CAPACITY; slot++) {
        if (world->owner[slot] == owner && world->keys[slot] > after &&
            (first == SLOT_NONE || world->keys[slot] < world->keys[first])) {
            first = slot;
        }
    }
    return first;
}

/* Each set from its beginning on, and from some places within it. */
static void compare(struct world *world, struct random *random)
{
    for (uint32_t owner = 1; owner <= OWNERS; owner++) {
        struct place place = {world, 0};
        uint32_t slot = sorted_first(world->sorted, owner, behind, &place);

        for (uint64_t after = 0; first_behind(world, owner, after) != SLOT_NONE;
             after = world->keys[slot], slot = sorted_next(world->sorted, owner, slot)) {
            assert_int_equal(slot, first_behind(world, owner, after));
        }
        assert_int_equal(slot, SLOT_NONE);
        for (int i = 0; i < 8; i++) {
            place.after = random_below(random, 2000);
            assert_int_equal(sorted_first(world->sorted, owner, behind, &place),
                             first_behind(world, owner, place.after));
        }
    }
}

/* Keys are unique: a slot's own in the low digits. */
static void change(struct world *world, struct random *random)
{
    uint32_t slot = 1 + random_below(random, CAPACITY);

    if (world->owner[slot] != 0) {
        sorted_remove(world->sorted, world->owner[slot], slot);
        world->owner[slot] = 0;
        return;
    }
    world->keys[slot] = (uint64_t)(1 + random_below(random, 3)) * CAPACITY + slot;
    world->owner[slot] = 1 + random_below(random, OWNERS);
    sorted_add(world->sorted, world->owner[slot], slot);
}

static void finds_all_in_order(void **state)
{
    static struct world world;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random random = {seed};

        world_open(&world);
        for (int i = 0; i < 1500; i++) {
            change(&world, &random);
            if (i % 150 == 0) {
                compare(&world, &random);
            }
        }
        compare(&world, &random);
        memory_give(world.memory);
    }
}

static void drops_one_owner_and_clears_all(void **state)
{
    static struct world world;
    struct random random = {7};

    (void)state;
    world_open(&world);
    for (int i = 0; i < 400; i++) {
        change(&world, &random);
    }
    sorted_drop(world.sorted, 2);
    for (uint32_t slot = 1; slot <= CAPACITY; slot++) {
        world.owner[slot] = world.owner[slot] == 2 ? 0 : world.owner[slot];
    }
    compare(&world, &random);
    for (int i = 0; i < 400; i++) { /* what was dropped may come again */
        change(&world, &random);
    }
    compare(&world, &random);
    sorted_clear(world.sorted);
    memset(world.owner, 0, sizeof world.owner);
    compare(&world, &random);
    memory_give(world.memory);
}

/* In order of the slots, against it, and from both ends to the middle. */
static void stays_flat(void **state)
{
    static struct world world;

    (void)state;
    for (uint32_t kind = 0; kind < 3; kind++) {
        world_open(&world);
        for (uint32_t slot = 1; slot <= CAPACITY; slot++) {
            world.keys[slot] = kind == 0   ? slot
                               : kind == 1 ? 1 + CAPACITY - slot
                               : slot % 2  ? slot
                                           : 1 + CAPACITY - slot + 2 * CAPACITY;
            sorted_add(world.sorted, 1, slot);
        }
        for (uint32_t slot = 1; slot <= CAPACITY; slot++) {
            world.compared = 0;
            (void)sorted_next(world.sorted, 1, slot);
            assert_true(world.compared <= 60); /* log2 is 9; a list would be hundreds */
        }
        memory_give(world.memory);
    }
}

static void remove_stranger(void *arg)
{
    struct world *world = arg;

    sorted_remove(world->sorted, 1, 5);
}

static void removing_a_stranger_is_a_bug(void **state)
{
    static struct world world;

    (void)state;
    world_open(&world);
    world.keys[4] = 4;
    world.keys[5] = 5;
    sorted_add(world.sorted, 1, 4);
    expect_assert(remove_stranger, &world);
    memory_give(world.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_all_in_order),
        cmocka_unit_test(drops_one_owner_and_clears_all),
        cmocka_unit_test(stays_flat),
        cmocka_unit_test(removing_a_stranger_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

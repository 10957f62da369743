/* The earliest deadline is the earliest, ties go by id, and the order of insertion is no matter. */
#include "tests/unit/fsm/memory.h"

#include "fsm/deadline.h"

#include <string.h>

enum { SLOTS = 300 };

/* By slot: ids that run against the slots' order. */
struct ids {
    uint32_t id[SLOTS + 1];
};

static int by_id(const void *arg, uint32_t slot_a, uint32_t slot_b)
{
    const struct ids *ids = arg;

    return (ids->id[slot_a] > ids->id[slot_b]) - (ids->id[slot_a] < ids->id[slot_b]);
}

struct shadow_deadlines {
    uint64_t time[SLOTS + 1]; /* UINT64_MAX: absent */
    struct ids ids;
};

static void shadow_init(struct shadow_deadlines *shadow, struct random *random)
{
    for (uint32_t slot = 1; slot <= SLOTS; slot++) {
        shadow->time[slot] = UINT64_MAX;
        shadow->ids.id[slot] = slot;
    }
    for (uint32_t slot = SLOTS; slot > 1; slot--) {
        uint32_t other = 1 + random_below(random, slot);
        uint32_t id = shadow->ids.id[slot];

        shadow->ids.id[slot] = shadow->ids.id[other];
        shadow->ids.id[other] = id;
    }
}

static uint32_t shadow_earliest(const struct shadow_deadlines *shadow)
{
    uint32_t best = SLOT_NONE;

    for (uint32_t slot = 1; slot <= SLOTS; slot++) {
        if (shadow->time[slot] == UINT64_MAX) {
            continue;
        }
        if (best == SLOT_NONE || shadow->time[slot] < shadow->time[best] ||
            (shadow->time[slot] == shadow->time[best] && by_id(&shadow->ids, slot, best) < 0)) {
            best = slot;
        }
    }
    return best;
}

static void compare(const struct deadlines *deadlines, const struct shadow_deadlines *shadow)
{
    uint32_t expected = shadow_earliest(shadow);
    uint32_t slot = 12345;
    uint64_t time = deadlines_earliest(deadlines, &slot);

    assert_int_equal(slot, expected);
    assert_true(time == (expected == SLOT_NONE ? UINT64_MAX : shadow->time[expected]));
}

/* Takes all out, the earliest first. */
static void drain(struct deadlines *deadlines, struct shadow_deadlines *shadow)
{
    uint32_t slot;

    compare(deadlines, shadow);
    while (deadlines_earliest(deadlines, &slot) != UINT64_MAX) {
        deadlines_remove(deadlines, slot);
        shadow->time[slot] = UINT64_MAX;
        compare(deadlines, shadow);
    }
}

static void against_shadow(uint32_t times, uint64_t seed)
{
    static struct shadow_deadlines shadow;
    struct random random = {seed};
    size_t size = deadlines_size(SLOTS);
    struct deadlines *deadlines = deadlines_create(memory_get(size), size, SLOTS, by_id,
                                                   &shadow.ids);

    shadow_init(&shadow, &random);
    compare(deadlines, &shadow);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t slot = 1 + random_below(&random, SLOTS);
        uint64_t time = random_below(&random, times);

        switch (random_below(&random, 6)) {
        case 0: /* also of absent ones */
            deadlines_remove(deadlines, slot);
            time = UINT64_MAX;
            break;
        case 1:
            time = UINT64_MAX;
            deadlines_set(deadlines, slot, time);
            break;
        case 2:
            deadlines_earliest(deadlines, &slot);
            slot = slot == SLOT_NONE ? 1 : slot;
            deadlines_set(deadlines, slot, time);
            break;
        default:
            deadlines_set(deadlines, slot, time);
        }
        shadow.time[slot] = time;
        compare(deadlines, &shadow);
    }
    if (seed % 2 == 0) {
        deadlines_clear(deadlines);
        shadow_init(&shadow, &random);
        for (uint32_t slot = SLOTS; slot > 0; slot--) {
            shadow.time[slot] = random_below(&random, times);
            deadlines_set(deadlines, slot, shadow.time[slot]);
        }
    }
    drain(deadlines, &shadow);
    memory_give(deadlines);
}

static void test_heap_follows_the_shadow(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        against_shadow(1, seed); /* ties only */
        against_shadow(20, seed);
        against_shadow(UINT32_MAX, seed);
    }
}

static void misuse(void *arg)
{
    static struct ids ids;
    size_t size = deadlines_size(4);
    struct deadlines *deadlines = deadlines_create(memory_get(size), size, 4, by_id, &ids);

    deadlines_set(deadlines, *(uint32_t *)arg, 1);
}

static void test_slot_out_of_range_ends_the_process(void **state)
{
    uint32_t slots[] = {SLOT_NONE, 5, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        expect_assert(misuse, &slots[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_follows_the_shadow),
        cmocka_unit_test(test_slot_out_of_range_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The arithmetic of a node's clock, and the collection's verdict (T2). */
#include "node/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
#define NOW (1000000 * SECOND)

static void without_a_clock_it_is_nought_and_nothing_raises_it(void **state)
{
    struct node_time time;
    (void)state;
    node_time_init(&time);
    assert_int_equal(node_time_clock(&time, 5 * SECOND), 0);
    node_time_follow(&time, NOW, 5 * SECOND); /* a stamp raises, it never makes */
    assert_false(time.has_clock);
    assert_int_equal(node_time_clock(&time, 5 * SECOND), 0);
}

static void learning_makes_a_clock_and_following_only_raises_it(void **state)
{
    struct node_time time;
    (void)state;
    node_time_init(&time);
    node_time_learn(&time, 1, NOW, 10 * SECOND);
    assert_true(time.has_clock);
    assert_int_equal(node_time_clock(&time, 12 * SECOND), NOW + 2 * SECOND);
    node_time_follow(&time, NOW + SECOND, 12 * SECOND);
    assert_int_equal(node_time_clock(&time, 12 * SECOND), NOW + 2 * SECOND);
    node_time_follow(&time, NOW + 3 * SECOND, 12 * SECOND);
    assert_int_equal(node_time_clock(&time, 13 * SECOND), NOW + 4 * SECOND);
}

static void a_clock_that_is_learned_anew_may_lie_below_the_one_before(void **state)
{
    struct node_time time;
    (void)state;
    node_time_init(&time);
    node_time_learn(&time, 1, NOW, 3 * SECOND);
    node_time_follow(&time, NOW + 9 * SECOND, 3 * SECOND);
    assert_int_equal(node_time_clock(&time, 4 * SECOND), NOW + 10 * SECOND);
    node_time_void(&time);
    assert_false(time.has_clock);
    assert_int_equal(node_time_clock(&time, 4 * SECOND), 0);
    node_time_learn(&time, 2, NOW - 50 * SECOND, 4 * SECOND);
    assert_int_equal(node_time_clock(&time, 4 * SECOND), NOW - 50 * SECOND);
    assert_int_equal(node_time_clock(&time, 5 * SECOND), NOW - 49 * SECOND); /* and it runs */
}

static void values_beyond_the_bound_do_not_overflow(void **state)
{
    struct node_time time;
    (void)state;
    node_time_init(&time);
    node_time_learn(&time, 1, UINT64_MAX, 10 * SECOND);
    assert_int_equal(node_time_clock(&time, 10 * SECOND), NODE_TIME_MAX_US);
    node_time_follow(&time, UINT64_MAX, 10 * SECOND);
    assert_int_equal(node_time_clock(&time, 11 * SECOND), NODE_TIME_MAX_US + SECOND);
    node_time_init(&time);
    node_time_learn(&time, 1, SECOND, 10 * SECOND); /* a clock below BOOTTIME */
    assert_int_equal(node_time_clock(&time, 10 * SECOND), SECOND);
    assert_int_equal(node_time_clock(&time, 0), 0);
}

/* ---- the verdict ---- */

#define NONE UINT64_MAX

/* Nodes 1, 2, ... offer these, all of one era; NONE: it has no clock. */
static struct node_time_finding collect(size_t count, const uint64_t *values)
{
    struct node_time_offer offers[9];
    for (size_t i = 0; i < count; i++) {
        bool has = values[i] != NONE;
        offers[i] = (struct node_time_offer){.node = i + 1,
                                             .has_clock = has,
                                             .era = has ? 3 : 2,
                                             .value = has ? values[i] : NOW + 500 * SECOND};
    }
    return node_time_collect(offers, count);
}

static void agreed(size_t count, const uint64_t *values, uint64_t value)
{
    struct node_time_finding finding = collect(count, values);
    assert_int_equal(finding.verdict, NODE_TIME_AGREED);
    assert_int_equal(finding.value, value);
    assert_int_equal(finding.era, 3);
}

static void odd_one(size_t count, const uint64_t *values, uint64_t value, uint64_t odd)
{
    struct node_time_finding finding = collect(count, values);
    assert_int_equal(finding.verdict, NODE_TIME_ODD_ONE);
    assert_int_equal(finding.value, value);
    assert_int_equal(finding.odd, odd);
    assert_int_equal(finding.era, 3);
}

static void the_largest_clock_is_the_time(void **state)
{
    (void)state;
    agreed(3, (const uint64_t[]){NOW, NOW + 2, NOW + 1}, NOW + 2);
    agreed(3, (const uint64_t[]){NONE, NOW, NONE}, NOW); /* a single one does */
    agreed(2, (const uint64_t[]){NOW, NOW + 3600 * SECOND}, NOW + 3600 * SECOND);
    agreed(3, (const uint64_t[]){NOW, NONE, NOW + 3600 * SECOND}, NOW + 3600 * SECOND);
    assert_int_equal(collect(3, (const uint64_t[]){NONE, NONE, NONE}).verdict, NODE_TIME_NONE);
    assert_int_equal(collect(0, NULL).verdict, NODE_TIME_NONE);
}

static void a_clock_that_two_others_contradict_is_odd(void **state)
{
    (void)state;
    odd_one(3, (const uint64_t[]){NOW, NOW + 10 * SECOND, NOW + 1}, NOW + 1, 2);
    /* "more than 1 s below", "within 1 s of each other": to the microsecond */
    agreed(3, (const uint64_t[]){NOW + SECOND, NOW, NOW}, NOW + SECOND);
    odd_one(3, (const uint64_t[]){NOW + SECOND + 1, NOW, NOW}, NOW, 1);
    odd_one(3, (const uint64_t[]){NOW + 9 * SECOND, NOW + SECOND, NOW}, NOW + SECOND, 1);
    agreed(3, (const uint64_t[]){NOW + 9 * SECOND, NOW + SECOND + 1, NOW}, NOW + 9 * SECOND);
    /* those without a clock contradict nobody */
    agreed(4, (const uint64_t[]){NOW + 9 * SECOND, NOW, NONE, NONE}, NOW + 9 * SECOND);
    /* of five: the pair need not be the next below */
    odd_one(5,
            (const uint64_t[]){NOW + 90 * SECOND, NOW + 50 * SECOND, NOW + 20 * SECOND, NOW, NOW},
            NOW, 1);
    /* two that jumped alike hold each other up: the largest stands */
    agreed(5,
           (const uint64_t[]){NOW + 9 * SECOND, NOW + 9 * SECOND + 5, NOW + 8 * SECOND + 500000,
                              NOW + 8 * SECOND + 499999, NONE},
           NOW + 9 * SECOND + 5);
}

/* A clock that never reached a majority is forgotten for the one that was made after it. */
static void the_newest_era_is_the_time(void **state)
{
    (void)state;
    const struct node_time_offer offers[] = {
        {.node = 1, .has_clock = true, .era = 2, .value = NOW + 90 * SECOND},
        {.node = 2, .has_clock = true, .era = 5, .value = NOW},
        {.node = 3, .has_clock = true, .era = 2, .value = NOW + 90 * SECOND},
        {.node = 4, .has_clock = true, .era = 5, .value = NOW + 1},
        {.node = 5, .has_clock = false, .era = 5, .value = NOW + 95 * SECOND},
    };
    struct node_time_finding finding = node_time_collect(offers, 5);
    assert_int_equal(finding.verdict, NODE_TIME_AGREED);
    assert_int_equal(finding.era, 5);
    assert_int_equal(finding.value, NOW + 1);
    /* nor does an older era make a clock odd */
    finding = node_time_collect(offers, 3);
    assert_int_equal(finding.verdict, NODE_TIME_AGREED);
    assert_int_equal(finding.value, NOW);
    const struct node_time_offer odd[] = {
        {.node = 1, .has_clock = true, .era = 5, .value = NOW + 90 * SECOND},
        {.node = 2, .has_clock = true, .era = 2, .value = NOW},
        {.node = 3, .has_clock = true, .era = 2, .value = NOW},
    };
    assert_int_equal(node_time_collect(odd, 3).verdict, NODE_TIME_AGREED);
    assert_int_equal(node_time_collect(odd, 3).value, NOW + 90 * SECOND);
}

/* A clock that never reached a majority does not come back when the one after it is lost. */
static void an_era_that_was_lost_is_remembered(void **state)
{
    (void)state;
    const struct node_time_offer offers[] = {
        {.node = 1, .has_clock = true, .era = 2, .value = NOW},
        {.node = 2, .has_clock = false, .era = 3},
    };
    assert_int_equal(node_time_collect(offers, 2).verdict, NODE_TIME_NONE);
    assert_int_equal(node_time_collect(offers, 1).verdict, NODE_TIME_AGREED);
    struct node_time time;
    node_time_init(&time);
    node_time_learn(&time, 3, NOW, SECOND);
    node_time_void(&time);
    assert_int_equal(time.era, 3);
}

/* ---- T3 ---- */

#define OFFERED NODE_TIME_WALL_OFFERED
#define UNTRUE NODE_TIME_WALL_UNTRUE

static struct node_time_offer wall(uint64_t era, enum node_time_wall how, uint64_t value)
{
    return (struct node_time_offer){.era = era, .wall = how, .wall_value = value};
}

static bool told(size_t count, const struct node_time_offer *offers, size_t members)
{
    uint64_t value;
    return node_time_by_walls(offers, count, members, &value);
}

static void wall_clocks_of_a_majority_have_to_agree(void **state)
{
    (void)state;
    const struct node_time_offer far = wall(3, OFFERED, NOW + 5 * SECOND + 1);
    const struct node_time_offer near = wall(3, OFFERED, NOW + 5 * SECOND);
    const struct node_time_offer one = wall(3, OFFERED, NOW);
    const struct node_time_offer none = wall(3, NODE_TIME_WALL_NONE, 0);
    const struct node_time_offer doubt = wall(3, UNTRUE, NOW);
    const struct node_time_offer older = wall(2, OFFERED, NOW + 3600 * SECOND);
    uint64_t value = 0;
    assert_true(
        node_time_by_walls((const struct node_time_offer[]){one, near, none}, 3, 3, &value));
    assert_int_equal(value, NOW + 5 * SECOND); /* the largest */
    assert_false(told(3, (const struct node_time_offer[]){one, far, one}, 3));
    assert_false(told(3, (const struct node_time_offer[]){one, doubt, one}, 3));
    assert_false(told(2, (const struct node_time_offer[]){one, none}, 3));
    assert_false(told(2, (const struct node_time_offer[]){one, one}, 4)); /* no majority */
    assert_true(told(3, (const struct node_time_offer[]){one, one, one}, 5));
    /* An older era's clock says nothing, agreed or not. */
    assert_true(told(3, (const struct node_time_offer[]){one, older, one}, 3));
    assert_false(told(3, (const struct node_time_offer[]){one, older, older}, 3));
    assert_true(told(1, &one, 1));
    assert_false(told(1, &none, 1));
    assert_false(told(0, NULL, 1));
}

static void a_wall_clock_counts_from_where_the_clock_was_kept(void **state)
{
    struct node_time time;
    uint64_t value;
    (void)state;
    node_time_init(&time);
    node_time_keep(&time, SECOND, 50 * SECOND); /* there is nothing to keep */
    assert_int_equal(node_time_wall_offer(&time, 60 * SECOND, true, &value), NODE_TIME_WALL_NONE);
    node_time_learn(&time, 1, NOW, SECOND);
    node_time_keep(&time, 2 * SECOND, 50 * SECOND);
    assert_int_equal(node_time_wall_offer(&time, 60 * SECOND, false, &value), UNTRUE);
    assert_int_equal(node_time_wall_offer(&time, 60 * SECOND, true, &value), OFFERED);
    assert_int_equal(value, NOW + 11 * SECOND);
    assert_int_equal(node_time_wall_offer(&time, 47 * SECOND, true, &value), OFFERED);
    assert_int_equal(value, NOW - 2 * SECOND); /* it was set back */
    time.has_clock = false;
    node_time_keep(&time, 9 * SECOND, 90 * SECOND); /* without a clock what was kept stays */
    assert_int_equal(node_time_wall_offer(&time, 60 * SECOND, true, &value), OFFERED);
    assert_int_equal(value, NOW + 11 * SECOND);
    assert_int_equal(node_time_wall_offer(&time, UINT64_MAX, true, &value), OFFERED);
    assert_int_equal(value, NODE_TIME_MAX_US);
    node_time_void(&time); /* it was wrong, and so is what it said */
    assert_int_equal(node_time_wall_offer(&time, 60 * SECOND, true, &value), NODE_TIME_WALL_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_clock_it_is_nought_and_nothing_raises_it),
        cmocka_unit_test(learning_makes_a_clock_and_following_only_raises_it),
        cmocka_unit_test(a_clock_that_is_learned_anew_may_lie_below_the_one_before),
        cmocka_unit_test(values_beyond_the_bound_do_not_overflow),
        cmocka_unit_test(wall_clocks_of_a_majority_have_to_agree),
        cmocka_unit_test(a_wall_clock_counts_from_where_the_clock_was_kept),
        cmocka_unit_test(the_largest_clock_is_the_time),
        cmocka_unit_test(a_clock_that_two_others_contradict_is_odd),
        cmocka_unit_test(the_newest_era_is_the_time),
        cmocka_unit_test(an_era_that_was_lost_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

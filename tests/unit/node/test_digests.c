/* The ring of digests: what is kept, and what is honestly not there. */
#include "node/digests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct node_digests digests;

static struct hash128 digest_at(uint64_t position)
{
    return (struct hash128){.low = position * 7, .high = ~position};
}

static void want(uint64_t position, bool there)
{
    struct hash128 digest = {.low = 1};
    assert_int_equal(node_digests_find(&digests, position, &digest), there);
    if (there) {
        assert_int_equal(digest.low, digest_at(position).low);
        assert_int_equal(digest.high, digest_at(position).high);
    }
}

static void only_the_ends_of_entries_are_found(void **state)
{
    (void)state;
    node_digests_init(&digests);
    want(0, false);
    want(1, false);
    for (uint64_t position = 10; position <= 30; position += 10) {
        node_digests_add(&digests, position, digest_at(position));
    }
    want(9, false);
    want(10, true);
    want(11, false);
    want(20, true);
    want(30, true);
    want(31, false);
    want(UINT64_MAX, false);
}

static void what_does_not_rise_is_not_kept(void **state)
{
    (void)state;
    node_digests_init(&digests);
    node_digests_add(&digests, 10, digest_at(10));
    node_digests_add(&digests, 10, digest_at(11));
    node_digests_add(&digests, 9, digest_at(9));
    want(9, false);
    want(10, true);
    node_digests_add(&digests, 20, digest_at(20));
    want(20, true);
}

static void the_newest_are_kept(void **state)
{
    (void)state;
    node_digests_init(&digests);
    for (uint64_t i = 1; i <= DIGESTS_KEPT + 100; i++) {
        node_digests_add(&digests, i * 3, digest_at(i * 3));
    }
    want(100 * 3, false);
    want(101 * 3, true);
    want(102 * 3, true);
    want((DIGESTS_KEPT + 100) * 3, true);
    want((DIGESTS_KEPT + 100) * 3 - 1, false);
    for (uint64_t i = 101; i <= DIGESTS_KEPT + 100; i++) {
        want(i * 3, true);
    }
    node_digests_init(&digests);
    want(101 * 3, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_ends_of_entries_are_found),
        cmocka_unit_test(what_does_not_rise_is_not_kept),
        cmocka_unit_test(the_newest_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

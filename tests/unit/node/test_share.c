/* What one tenant's clients ask for in a turn is bounded; what is beyond waits for the next turn,
 * and another tenant's is not touched by it. */
#include "node/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct node_shares shares;

static struct node_share *begin(const char *tenant)
{
    static const struct siphash_key key = {{7}};

    node_shares_init(&shares, &key);
    return node_share_of(&shares, bytes_of_text(tenant));
}

static uint32_t take_all(struct node_share *share, size_t bytes)
{
    uint32_t count = 0;

    while (node_share_left(share) && count < 2 * SHARE_ALONE) {
        node_share_take(share, bytes);
        count++;
    }
    return count;
}

static void a_turn_has_so_many_calls_of_a_tenant(void **state)
{
    (void)state;
    struct node_share *flood = begin("flood");
    struct node_share *other = node_share_of(&shares, bytes_of_text("other"));

    assert_ptr_not_equal(flood, other);
    assert_ptr_equal(flood, node_share_of(&shares, bytes_of_text("flood")));
    assert_int_equal(take_all(flood, 200), SHARE_CALLS);
    assert_true(node_share_left(other));
    node_share_take(other, 200);
    assert_false(node_shares_turn(&shares, 1));
    assert_int_equal(take_all(flood, 200), SHARE_CALLS);
}

/* Others count for SHARE_US, in whichever turns they ask. */
static void a_tenant_alone_has_more_until_another_asks(void **state)
{
    (void)state;
    struct node_share *flood = begin("flood");
    struct node_share *other = node_share_of(&shares, bytes_of_text("other"));

    node_share_take(flood, 200);
    (void)node_shares_turn(&shares, 5);
    assert_int_equal(take_all(flood, 200), SHARE_ALONE);
    (void)node_shares_turn(&shares, 6);
    node_share_take(other, 200);
    (void)node_shares_turn(&shares, 7);
    assert_int_equal(take_all(flood, 200), SHARE_CALLS);
    (void)node_shares_turn(&shares, 8); /* the flood after the other: two of them */
    (void)node_shares_turn(&shares, 7 + SHARE_US);
    assert_int_equal(take_all(flood, 200), SHARE_CALLS);
    (void)node_shares_turn(&shares, 8 + SHARE_US);
    assert_int_equal(take_all(flood, 200), SHARE_ALONE);
}

static void large_calls_count_for_more(void **state)
{
    (void)state;
    struct node_share *share = begin("flood");

    assert_int_equal(take_all(share, SHARE_CALL_BYTES), SHARE_CALLS / 2);
    (void)node_shares_turn(&shares, 1);
    assert_int_equal(take_all(share, (size_t)32 * 1024 * 1024), 1); /* whatever it is, one goes */
}

static void who_is_held_is_told_of(void **state)
{
    (void)state;
    struct node_share *share = begin("flood");
    struct list held;

    list_init(&held);
    assert_false(node_shares_turn(&shares, 1));
    list_append(&share->held, &held);
    assert_true(node_shares_turn(&shares, 1));
    list_remove(&held);
    assert_false(node_shares_turn(&shares, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_has_so_many_calls_of_a_tenant),
        cmocka_unit_test(a_tenant_alone_has_more_until_another_asks),
        cmocka_unit_test(large_calls_count_for_more),
        cmocka_unit_test(who_is_held_is_told_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

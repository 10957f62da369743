/* Whose disk a member's is: what the log says, what was met, and what is applied in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raftlog/members.h"

static const struct id128 one = {{1}}, two = {{2}};

static struct rlog_members members_of_three(void)
{
    struct rlog_members members;
    struct rlog_birth birth = {.member_count = 3};
    for (size_t i = 0; i < 3; i++) {
        birth.members[i].id = i + 1;
    }
    rlog_members_init(&members, &birth);
    return members;
}

static void note(struct rlog_members *members, uint64_t index, uint64_t id, struct id128 store)
{
    uint8_t buffer[RLOG_BINDING_SIZE];
    rlog_members_note(members, index, rlog_members_write_binding(buffer, id, store));
}

static void apply(struct rlog_members *members, uint64_t id, struct id128 store)
{
    uint8_t buffer[RLOG_BINDING_SIZE];
    assert_true(rlog_members_apply(members, rlog_members_write_binding(buffer, id, store)));
}

static void anybody_fits_at_first(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    assert_true(rlog_members_fits(&members, 2, one));
    assert_true(rlog_members_fits(&members, 2, two));
    assert_false(rlog_members_fits(&members, 4, one));
    assert_true(rlog_members_unbound(&members, 2));
    assert_false(rlog_members_unbound(&members, 4));
    assert_false(members.changed);
}

static void the_first_in_the_log_counts_until_it_is_cut_off(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    note(&members, 5, 2, one);
    note(&members, 9, 2, two);
    assert_true(members.changed);
    assert_true(rlog_members_fits(&members, 2, one));
    assert_false(rlog_members_fits(&members, 2, two));
    assert_false(rlog_members_unbound(&members, 2));
    assert_true(rlog_members_fits(&members, 3, two));
    rlog_members_forget(&members, 6);
    assert_false(rlog_members_fits(&members, 2, two));
    rlog_members_forget(&members, 5);
    assert_true(rlog_members_fits(&members, 2, two));
    assert_true(rlog_members_unbound(&members, 2));
    note(&members, 5, 2, two);
    assert_false(rlog_members_fits(&members, 2, one));
}

static void the_first_that_was_met_counts(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    assert_true(rlog_members_meet(&members, 2, one));
    assert_false(rlog_members_meet(&members, 2, one));
    assert_false(rlog_members_meet(&members, 2, two));
    assert_true(rlog_members_fits(&members, 2, one));
    assert_false(rlog_members_fits(&members, 2, two));
    assert_true(rlog_members_unbound(&members, 2));
    note(&members, 5, 2, two); /* they disagree: nobody, until one of them is applied */
    assert_false(rlog_members_fits(&members, 2, one));
    assert_false(rlog_members_fits(&members, 2, two));
}

static void an_applied_one_overrides_all(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    (void)rlog_members_meet(&members, 2, one);
    note(&members, 5, 2, one);
    assert_false(rlog_members_override(&members));
    apply(&members, 2, two);
    apply(&members, 2, one);
    assert_true(rlog_members_fits(&members, 2, two));
    assert_false(rlog_members_fits(&members, 2, one));
    assert_true(rlog_members_replaced(&members, 2, one));
    assert_false(rlog_members_replaced(&members, 2, two));
    assert_false(rlog_members_replaced(&members, 3, two));
    assert_true(rlog_members_override(&members));
    assert_memory_equal(&members.met[1], &two, sizeof two);
    assert_false(rlog_members_override(&members));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anybody_fits_at_first),
        cmocka_unit_test(the_first_in_the_log_counts_until_it_is_cut_off),
        cmocka_unit_test(the_first_that_was_met_counts),
        cmocka_unit_test(an_applied_one_overrides_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

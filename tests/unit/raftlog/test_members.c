/* Whose disk a member's is: what the log says, what was met, and what is applied in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/members.h"

static const struct id128 one = {{1}}, two = {{2}};

/* Nothing is applied yet. */
static struct rlog_members members_of_three(void)
{
    struct rlog_members members;
    struct rlog_roll roll = {.count = 3};
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    for (size_t i = 0; i < 3; i++) {
        roll.list[i] = (struct rlog_member){
            .id = i + 1, .address = {(char)('1' + i)}, .voter = true};
    }
    rlog_members_init(&members);
    assert_true(rlog_members_note(&members, RLOG_CHANGE, rlog_roll_write(&roll, buffer)));
    members.changed = false;
    return members;
}

static void note(struct rlog_members *members, uint64_t id, struct id128 store)
{
    uint8_t buffer[RLOG_BINDING_SIZE];
    assert_true(
        rlog_members_note(members, RLOG_BARRIER, rlog_members_write_binding(buffer, id, store)));
}

static bool unbound(const struct rlog_members *members, uint64_t id)
{
    size_t i = rlog_roll_find(&members->roll, id);
    return i < members->roll.count && id128_is_zero(members->roll.list[i].store);
}

/* The roll at our log's end without the member, or with it on another disk and without a vote. */
static struct rlog_roll without(const struct rlog_members *members, uint64_t id)
{
    struct rlog_roll roll = members->roll;
    size_t i = rlog_roll_find(&roll, id);
    roll.list[i] = roll.list[--roll.count];
    return roll;
}

static struct rlog_roll with(const struct rlog_members *members, uint64_t id, struct id128 store)
{
    struct rlog_roll roll = members->roll;
    roll.list[roll.count++] = (struct rlog_member){.id = id, .address = "9", .store = store};
    return roll;
}

static void apply(struct rlog_members *members, uint64_t id, struct id128 store)
{
    uint8_t buffer[RLOG_BINDING_SIZE];
    assert_true(
        rlog_members_apply(members, RLOG_BARRIER, rlog_members_write_binding(buffer, id, store)));
}

static void anybody_fits_at_first(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    assert_true(rlog_members_fits(&members, 2, one));
    assert_true(rlog_members_fits(&members, 2, two));
    assert_false(rlog_members_fits(&members, 4, one));
    assert_true(unbound(&members, 2));
    assert_false(unbound(&members, 4));
    assert_false(members.changed);
}

static void the_first_in_the_log_counts_until_it_is_cut_off(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    members.applied = members.roll;
    note(&members, 2, one);
    note(&members, 2, two);
    assert_true(members.changed);
    assert_true(rlog_members_fits(&members, 2, one));
    assert_false(rlog_members_fits(&members, 2, two));
    assert_false(unbound(&members, 2));
    assert_true(rlog_members_fits(&members, 3, two));
    rlog_members_rewind(&members);
    assert_true(rlog_members_fits(&members, 2, two));
    assert_true(unbound(&members, 2));
    note(&members, 2, two);
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
    assert_true(unbound(&members, 2));
    note(&members, 2, two); /* they disagree: nobody, until one of them is applied */
    assert_false(rlog_members_fits(&members, 2, one));
    assert_false(rlog_members_fits(&members, 2, two));
}

static void an_applied_one_overrides_all(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    members.applied = members.roll;
    (void)rlog_members_meet(&members, 2, one);
    note(&members, 2, one);
    assert_false(rlog_members_override(&members));
    apply(&members, 2, two);
    apply(&members, 2, one);
    assert_true(rlog_members_fits(&members, 2, two));
    assert_false(rlog_members_fits(&members, 2, one));
    struct id128 bound = rlog_members_bound(&members, 2);
    assert_memory_equal(&bound, &two, sizeof two);
    assert_true(rlog_members_override(&members));
    assert_false(rlog_members_override(&members));
    rlog_members_rewind(&members);
    assert_true(rlog_members_fits(&members, 2, two));
}

/* The old disk may vote until its removal is committed; what follows that in our log says so. */
static void a_replaced_disk_counts_once_it_is_in_our_log(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    uint8_t out[RLOG_CONFIGURATION_MAX], in[RLOG_CONFIGURATION_MAX];
    members.applied = members.roll;
    note(&members, 2, one);
    apply(&members, 2, one);
    assert_true(rlog_members_override(&members));
    struct rlog_roll next = without(&members, 2);
    struct bytes removal = rlog_roll_write(&next, out);
    assert_true(rlog_members_note(&members, RLOG_CHANGE, removal));
    assert_true(rlog_members_fits(&members, 2, one));
    assert_false(rlog_members_fits(&members, 2, two));
    assert_int_equal(rlog_roll_voters(&members.roll), 2);
    next = with(&members, 2, two);
    struct bytes addition = rlog_roll_write(&next, in);
    assert_true(rlog_members_note(&members, RLOG_CHANGE, addition));
    assert_false(rlog_members_fits(&members, 2, one));
    assert_true(rlog_members_fits(&members, 2, two));
    rlog_members_rewind(&members); /* both were cut off */
    assert_true(rlog_members_fits(&members, 2, one));
    assert_true(rlog_members_apply(&members, RLOG_CHANGE, removal));
    assert_true(rlog_members_apply(&members, RLOG_CHANGE, addition));
    rlog_members_rewind(&members);
    assert_false(rlog_members_fits(&members, 2, one));
    assert_true(rlog_members_fits(&members, 2, two));
    assert_true(rlog_members_override(&members)); /* so does who was met */
}

/* A node that starts again has applied nothing yet: its log says whose disk it is, whoever was met
 * before. */
static void a_replaced_disk_in_the_log_alone(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    (void)rlog_members_meet(&members, 2, one);
    note(&members, 2, one);
    struct rlog_roll next = without(&members, 2);
    assert_true(rlog_members_note(&members, RLOG_CHANGE, rlog_roll_write(&next, buffer)));
    next = with(&members, 2, two);
    assert_true(rlog_members_note(&members, RLOG_CHANGE, rlog_roll_write(&next, buffer)));
    assert_true(rlog_members_fits(&members, 2, two));
    assert_false(rlog_members_fits(&members, 2, one));
}

/* Who is removed is known until that is applied, and then nothing is kept of it. */
static void who_is_removed_is_forgotten(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    members.applied = members.roll;
    assert_true(rlog_members_meet(&members, 2, one));
    struct rlog_roll next = without(&members, 2);
    struct bytes change = rlog_roll_write(&next, buffer);
    assert_true(rlog_members_note(&members, RLOG_CHANGE, change));
    assert_true(rlog_members_known(&members, 2));
    assert_true(rlog_members_apply(&members, RLOG_CHANGE, change));
    assert_false(rlog_members_known(&members, 2));
    assert_false(rlog_members_meet(&members, 2, two));
    assert_true(rlog_members_override(&members));
    assert_false(rlog_members_override(&members));
}

/* The roll's bytes: what is read is what was written, and nothing else is read. */
static void a_roll_travels_whole(void **state)
{
    (void)state;
    struct rlog_members members = members_of_three();
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    struct rlog_roll again;
    struct rlog_roll roll = members.roll;
    roll.list[1].voter = false;
    roll.list[1].store = two;
    (void)memcpy(roll.list[2].note, "10.0.0.3:7000", 14);
    struct bytes bytes = rlog_roll_write(&roll, buffer);
    assert_true(bytes.size > 0);
    assert_true(rlog_roll_read(bytes, &again));
    uint8_t second[RLOG_CONFIGURATION_MAX];
    assert_true(bytes_equal(rlog_roll_write(&again, second), bytes));
    assert_false(again.list[1].voter);
    assert_string_equal(again.list[2].note, "10.0.0.3:7000");
    for (size_t size = 0; size < bytes.size; size++) {
        if (size % 8 != 0 || size < 48) {
            assert_false(rlog_roll_read(bytes_of(buffer, size), &again));
        }
    }
    roll.list[1].id = 1;
    assert_false(rlog_roll_read(rlog_roll_write(&roll, buffer), &again)); /* one id twice */
    roll.list[1].id = 2;
    (void)memcpy(roll.list[1].address, "1", 2);
    assert_false(rlog_roll_read(rlog_roll_write(&roll, buffer), &again)); /* one address twice */
}

/* A binding of a later version may be noted, for it may never be committed; it is not applied. */
static void a_later_binding_is_not_passed_over(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {{0, 2}, {1, 2}};
    static const uint8_t zeros[8];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rlog_members members = members_of_three();
        uint8_t buffer[RLOG_BINDING_SIZE];
        struct bytes payload = rlog_members_write_binding(buffer, 2, one);
        buffer[cases[i].at] = cases[i].value;
        assert_true(rlog_members_note(&members, RLOG_BARRIER, payload));
        assert_true(unbound(&members, 2));
        assert_false(rlog_members_apply(&members, RLOG_BARRIER, payload));
        assert_true(rlog_members_apply(&members, RLOG_BARRIER, bytes_of(zeros, sizeof(zeros))));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anybody_fits_at_first),
        cmocka_unit_test(the_first_in_the_log_counts_until_it_is_cut_off),
        cmocka_unit_test(the_first_that_was_met_counts),
        cmocka_unit_test(an_applied_one_overrides_all),
        cmocka_unit_test(a_replaced_disk_counts_once_it_is_in_our_log),
        cmocka_unit_test(a_replaced_disk_in_the_log_alone),
        cmocka_unit_test(who_is_removed_is_forgotten),
        cmocka_unit_test(a_roll_travels_whole),
        cmocka_unit_test(a_later_binding_is_not_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

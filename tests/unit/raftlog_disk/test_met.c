/* Who was met is remembered whole: the old list or the new one, or a line that says it is damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/met.h"
#include "tests/unit/raftlog_disk/world.h"

static const struct id128 own = {{9}}, one = {{1}}, two = {{2}};
static struct world world;

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

static int load(struct rlog_members *ret_members)
{
    *ret_members = members_of_three();
    world.error[0] = '\0';
    return rlog_met_load(world.env, "/d", own, ret_members, world.error, ERROR_MAX);
}

static int store_first(void)
{
    struct rlog_members members = members_of_three();
    (void)rlog_members_meet(&members, 2, one);
    return rlog_met_store(world.env, "/d", own, &members);
}

static void nobody_then_some(void **state)
{
    (void)state;
    struct rlog_members members;
    world_create(&world, 1);
    assert_int_equal(load(&members), ENV_INVALID); /* a folder without it is no node's */
    assert_non_null(strstr(world.error, "/d/met is damaged"));
    assert_int_equal(rlog_met_format(world.env, "/d", own), 0);
    assert_int_equal(load(&members), 0);
    assert_true(rlog_members_meet(&members, 2, one));
    assert_int_equal(rlog_met_store(world.env, "/d", own, &members), 0);
    world_cycle(&world, true);
    assert_int_equal(load(&members), 0);
    assert_false(rlog_members_fits(&members, 2, two));
    assert_true(rlog_members_fits(&members, 2, one));
    assert_true(rlog_members_fits(&members, 3, two));
    world_destroy(&world);
}

static void every_byte_counts(void **state)
{
    (void)state;
    struct rlog_members members;
    uint8_t *data;
    size_t size;
    world_create(&world, 2);
    assert_int_equal(store_first(), 0);
    assert_int_equal(sim_disk_read(world.host, "/d/met", &data, &size), 0);
    for (size_t at = 0; at < size; at++) {
        assert_int_equal(sim_disk_flip(world.host, "/d/met", 8 * at + at % 8), 0);
        assert_int_equal(load(&members), ENV_INVALID);
        assert_non_null(strstr(world.error, "/d/met is damaged"));
        assert_int_equal(sim_disk_flip(world.host, "/d/met", 8 * at + at % 8), 0);
        assert_int_equal(sim_disk_write(world.host, "/d/met", bytes_of(data, at)), 0);
        assert_int_equal(load(&members), ENV_INVALID);
        assert_int_equal(sim_disk_write(world.host, "/d/met", bytes_of(data, size)), 0);
    }
    assert_int_equal(load(&members), 0);
    assert_int_equal(rlog_met_load(world.env, "/d", one, &members, world.error, ERROR_MAX),
                     ENV_DENIED); /* another store's */
    free(data);
    world_destroy(&world);
}

static void a_crash_at_every_point(void **state)
{
    (void)state;
    bool crashed = true;
    unsigned before = 0, after = 0;
    for (uint64_t n = 1; crashed; n++) {
        struct rlog_members members;
        world_create(&world, 100 + n);
        assert_int_equal(store_first(), 0);
        sim_fault_crash_at(world.env, NULL, n, n % 2 == 0 ? SIM_CRASH_POWER : SIM_CRASH_PROCESS);
        assert_int_equal(load(&members) == 0 || world_crashed(&world), 1);
        (void)rlog_members_meet(&members, 3, two);
        int rc = rlog_met_store(world.env, "/d", own, &members);
        crashed = world_crashed(&world);
        assert_true(crashed || rc == 0);
        world_cycle(&world, false);
        assert_int_equal(load(&members), 0);
        assert_false(rlog_members_fits(&members, 2, two));
        bool met = !rlog_members_fits(&members, 3, one);
        assert_true(crashed || met);
        before += !met;
        after += met;
        /* Whatever was left behind is in nobody's way. */
        assert_int_equal(rlog_met_store(world.env, "/d", own, &members), 0);
        world_destroy(&world);
    }
    assert_true(before > 3 && after > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_then_some),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(a_crash_at_every_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

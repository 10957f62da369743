/* Each stop, step and drift moves exactly the clocks that it should; timers follow MONO. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "env/clock.h"
#include "env/loop.h"
#include "env/sim/sim.h"

struct world {
    struct sim *sim;
    struct sim_host *host;
    struct env *env;
    uint64_t mono_us;
    uint64_t boot_us;
    uint64_t wall_us;
    unsigned fired;
    unsigned turns;
};

static void mark(struct world *world)
{
    world->mono_us = env_mono_us(world->env);
    world->boot_us = env_boot_us(world->env);
    world->wall_us = env_wall_us(world->env);
}

static struct world world_create(uint64_t seed)
{
    struct world world = {0};
    world.sim = sim_create(seed);
    world.host = sim_host_create(world.sim, "n1");
    world.env = sim_process_start(world.host, "node");
    mark(&world);
    return world;
}

/* By how much each clock moved since the last mark. */
static void assert_moved(struct world *world, uint64_t mono_us, uint64_t boot_us, uint64_t wall_us)
{
    assert_int_equal(env_mono_us(world->env) - world->mono_us, mono_us);
    assert_int_equal(env_boot_us(world->env) - world->boot_us, boot_us);
    assert_int_equal(env_wall_us(world->env) - world->wall_us, wall_us);
    mark(world);
}

static void pass(struct world *world, uint64_t us)
{
    sim_run_until(world->sim, NULL, NULL, us);
}

static void on_timer(void *arg)
{
    ((struct world *)arg)->fired++;
}

static struct env_timer *timer_in(struct world *world, uint64_t delay_us)
{
    struct env_timer *timer = env_timer_create(world->env, on_timer, world);
    env_timer_start(timer, delay_us);
    return timer;
}

static void on_turn_end(void *arg)
{
    ((struct world *)arg)->turns++;
}

static void clocks_run_with_the_world(void **state)
{
    (void)state;
    struct world world = world_create(1);
    pass(&world, 1234567);
    assert_moved(&world, 1234567, 1234567, 1234567);
    assert_in_range(world.boot_us, SIM_SECOND, 40 * SIM_SECOND);
    assert_in_range(world.wall_us / SIM_SECOND, 1735689598, 1735689604);
    assert_true(env_wall_synchronised(world.env));
    sim_host_set_synchronised(world.host, false);
    assert_false(env_wall_synchronised(world.env));
    sim_destroy(world.sim);
}

static void suspend_stops_mono_alone(void **state)
{
    (void)state;
    struct world world = world_create(2);
    env_on_turn_end(world.env, on_turn_end, &world);
    timer_in(&world, 10 * SIM_SECOND);
    pass(&world, 4 * SIM_SECOND);
    mark(&world);
    sim_host_stop(world.host, SIM_STOP_SUSPEND);
    pass(&world, 100 * SIM_SECOND);
    sim_host_continue(world.host);
    assert_moved(&world, 0, 100 * SIM_SECOND, 100 * SIM_SECOND);
    pass(&world, 5999999);
    assert_int_equal(world.fired + world.turns, 0);
    pass(&world, 101);
    assert_int_equal(world.fired, 1);
    assert_moved(&world, 6000100, 6000100, 6000100);
    sim_destroy(world.sim);
}

static void hypervisor_stops_all_clocks(void **state)
{
    (void)state;
    struct world world = world_create(3);
    timer_in(&world, 10 * SIM_SECOND);
    pass(&world, 4 * SIM_SECOND);
    mark(&world);
    sim_host_stop(world.host, SIM_STOP_HYPERVISOR);
    pass(&world, 100 * SIM_SECOND);
    assert_int_equal(world.fired, 0);
    sim_host_continue(world.host);
    assert_moved(&world, 0, 0, 0);
    pass(&world, 5999999);
    assert_int_equal(world.fired, 0);
    pass(&world, 101);
    assert_int_equal(world.fired, 1);
    sim_destroy(world.sim);
}

static void pause_stops_no_clock(void **state)
{
    (void)state;
    struct world world = world_create(4);
    timer_in(&world, SIM_SECOND);
    sim_process_pause(world.env);
    pass(&world, 10 * SIM_SECOND);
    assert_int_equal(world.fired, 0);
    sim_process_resume(world.env);
    pass(&world, 1);
    assert_int_equal(world.fired, 1);
    assert_moved(&world, 10000001, 10000001, 10000001);
    sim_destroy(world.sim);
}

static void steps_move_one_clock(void **state)
{
    (void)state;
    struct world world = world_create(5);
    sim_host_step_wall(world.host, -3600 * (int64_t)SIM_SECOND);
    assert_moved(&world, 0, 0, (uint64_t)0 - 3600 * SIM_SECOND);
    sim_host_step_wall(world.host, 7);
    assert_moved(&world, 0, 0, 7);
    sim_host_step_boot(world.host, 9);
    assert_moved(&world, 0, 9, 0);
    sim_host_step_boot(world.host, INT64_MIN);
    assert_int_equal(env_boot_us(world.env), 0);
    sim_destroy(world.sim);
}

static void drift_changes_the_rate_of_clocks_and_timers(void **state)
{
    (void)state;
    struct world world = world_create(6);
    timer_in(&world, 10 * SIM_SECOND);
    sim_host_drift(world.host, 250000);
    pass(&world, 8 * SIM_SECOND - 1);
    assert_int_equal(world.fired, 0);
    pass(&world, 101);
    assert_int_equal(world.fired, 1);
    assert_moved(&world, 10000125, 10000125, 10000125);
    sim_host_drift(world.host, -200000);
    timer_in(&world, 8 * SIM_SECOND);
    pass(&world, 10 * SIM_SECOND - 1);
    assert_int_equal(world.fired, 1);
    pass(&world, 101);
    assert_int_equal(world.fired, 2);
    sim_destroy(world.sim);
}

static void slow_drift_never_makes_a_timer_early(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct world world = world_create(seed);
        sim_host_drift(world.host, (int32_t)sim_random(world.sim, 800000) - 400000);
        uint64_t delay_us = 1 + sim_random(world.sim, SIM_SECOND);
        mark(&world);
        timer_in(&world, delay_us);
        while (world.fired == 0) {
            assert_true(sim_step(world.sim));
        }
        assert_in_range(env_mono_us(world.env) - world.mono_us, delay_us, delay_us + 70);
        sim_destroy(world.sim);
    }
}

static void power_cut_boots_anew(void **state)
{
    (void)state;
    struct world world = world_create(7);
    struct id128 boot_id = env_boot_id(world.env);
    pass(&world, 3600 * SIM_SECOND);
    mark(&world);
    sim_process_crash(world.env);
    sim_process_free(world.env);
    world.env = sim_process_start(world.host, "node");
    assert_moved(&world, 0, 0, 0);
    assert_true(id128_equal(boot_id, env_boot_id(world.env)));
    sim_host_power_cut(world.host);
    sim_process_free(world.env);
    world.env = sim_process_start(world.host, "node");
    assert_false(id128_equal(boot_id, env_boot_id(world.env)));
    assert_in_range(env_boot_us(world.env), SIM_SECOND, 31 * SIM_SECOND);
    assert_in_range(env_mono_us(world.env), SIM_SECOND, 31 * SIM_SECOND);
    assert_int_equal(env_wall_us(world.env), world.wall_us);
    sim_destroy(world.sim);
}

static void power_cut_ends_a_stop(void **state)
{
    (void)state;
    struct world world = world_create(8);
    sim_host_stop(world.host, SIM_STOP_SUSPEND);
    pass(&world, SIM_SECOND);
    sim_host_power_cut(world.host);
    sim_process_free(world.env);
    world.env = sim_process_start(world.host, "node");
    timer_in(&world, 1000);
    pass(&world, 2000);
    assert_int_equal(world.fired, 1);
    sim_destroy(world.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_run_with_the_world),
        cmocka_unit_test(suspend_stops_mono_alone),
        cmocka_unit_test(hypervisor_stops_all_clocks),
        cmocka_unit_test(pause_stops_no_clock),
        cmocka_unit_test(steps_move_one_clock),
        cmocka_unit_test(drift_changes_the_rate_of_clocks_and_timers),
        cmocka_unit_test(slow_drift_never_makes_a_timer_early),
        cmocka_unit_test(power_cut_boots_anew),
        cmocka_unit_test(power_cut_ends_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is synced survives a power cut, what is not may be kept, lost or torn, names included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "env/disk.h"
#include "env/sim/sim.h"

struct world {
    struct sim *sim;
    struct sim_host *host;
    struct env *env;
};

static struct world world_create(uint64_t seed, enum sim_disk_policy policy)
{
    struct world world;
    world.sim = sim_create(seed);
    world.host = sim_host_create(world.sim, "n1");
    world.env = sim_process_start(world.host, "node");
    sim_disk_set_policy(world.host, policy);
    return world;
}

static void power_cycle(struct world *world)
{
    sim_host_power_cut(world->host);
    sim_process_free(world->env);
    world->env = sim_process_start(world->host, "node");
}

static struct env_file *open_file(struct world *world, const char *path, enum env_open_mode mode)
{
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(world->env, path, mode, &file), 0);
    return file;
}

static void write_text(struct env_file *file, uint64_t offset, const char *text)
{
    assert_int_equal(env_file_write(file, offset, bytes_of_text(text)), 0);
}

/* The whole file as text; "-" when there is none. */
static const char *content(struct world *world, const char *path)
{
    static char text[256];
    uint8_t *data;
    size_t size;
    if (sim_disk_read(world->host, path, &data, &size) != 0) {
        return "-";
    }
    assert_true(size < sizeof(text));
    memcpy(text, data, size);
    text[size] = '\0';
    free(data);
    return text;
}

/* A durable file with this text. */
static struct env_file *settled(struct world *world, const char *path, const char *text)
{
    assert_int_equal(sim_disk_write(world->host, path, bytes_of_text(text)), 0);
    return open_file(world, path, ENV_OPEN_WRITE);
}

static void synced_write_survives_unsynced_is_lost(void **state)
{
    (void)state;
    struct world world = world_create(1, SIM_DISK_LOSE);
    struct env_file *file = settled(&world, "/d/f", "aaaa");
    write_text(file, 0, "bb");
    assert_int_equal(env_file_sync(file), 0);
    write_text(file, 2, "cc");
    write_text(file, 4, "dd");
    assert_string_equal(content(&world, "/d/f"), "bbccdd");
    power_cycle(&world);
    assert_string_equal(content(&world, "/d/f"), "bbaa");
    sim_destroy(world.sim);
}

static void keeping_disk_loses_nothing(void **state)
{
    (void)state;
    struct world world = world_create(1, SIM_DISK_KEEP);
    struct env_file *file = settled(&world, "/d/f", "aaaa");
    write_text(file, 2, "cccc");
    power_cycle(&world);
    assert_string_equal(content(&world, "/d/f"), "aacccc");
    sim_destroy(world.sim);
}

static void process_crash_loses_nothing(void **state)
{
    (void)state;
    struct world world = world_create(1, SIM_DISK_LOSE);
    struct env_file *file = open_file(&world, "/f", ENV_OPEN_CREATE);
    write_text(file, 0, "text");
    sim_process_crash(world.env);
    assert_int_equal(env_file_write(file, 0, bytes_of_text("late")), ENV_CRASHED);
    assert_int_equal(env_file_sync(file), ENV_CRASHED);
    sim_process_free(world.env);
    world.env = sim_process_start(world.host, "node");
    assert_string_equal(content(&world, "/f"), "text");
    sim_destroy(world.sim);
}

enum fate { OLD, NEW, TORN, FATES };

/* Counts what a power cut makes of 8 pages of 'a' overwritten with 'b'. */
static void overwrite_and_cut(uint64_t seed, unsigned counts[FATES])
{
    static uint8_t pages[8 * 4096];
    struct world world = world_create(seed, SIM_DISK_RANDOM);
    memset(pages, 'a', sizeof(pages));
    assert_int_equal(sim_disk_write(world.host, "/f", bytes_of(pages, sizeof(pages))), 0);
    struct env_file *file = open_file(&world, "/f", ENV_OPEN_WRITE);
    memset(pages, 'b', sizeof(pages));
    assert_int_equal(env_file_write(file, 0, bytes_of(pages, sizeof(pages))), 0);
    power_cycle(&world);
    uint8_t *data;
    size_t size;
    assert_int_equal(sim_disk_read(world.host, "/f", &data, &size), 0);
    assert_int_equal(size, sizeof(pages));
    for (size_t at = 0; at < size; at += 512) {
        size_t news = 0;
        while (news < 512 && data[at + news] == 'b') {
            news++;
        }
        for (size_t i = news; i < 512; i++) {
            assert_int_equal(data[at + i], 'a');
        }
        counts[news == 0 ? OLD : news == 512 ? NEW : TORN]++;
    }
    free(data);
    sim_destroy(world.sim);
}

static void random_disk_keeps_loses_and_tears_sectors(void **state)
{
    (void)state;
    unsigned counts[FATES] = {0};
    for (uint64_t seed = 1; seed <= 5; seed++) {
        overwrite_and_cut(seed, counts);
    }
    assert_in_range(counts[OLD], 60, 160);
    assert_in_range(counts[NEW], 60, 160);
    assert_in_range(counts[TORN], 60, 160);
}

static void new_name_needs_its_folder_synced(void **state)
{
    (void)state;
    struct world world = world_create(2, SIM_DISK_LOSE);
    assert_int_equal(env_folder_create(world.env, "/d"), 0);
    assert_int_equal(env_folder_sync(world.env, "/"), 0);
    struct env_file *first = open_file(&world, "/d/1", ENV_OPEN_CREATE);
    write_text(first, 0, "one");
    assert_int_equal(env_file_sync(first), 0);
    assert_int_equal(env_folder_sync(world.env, "/d"), 0);
    struct env_file *second = open_file(&world, "/d/2", ENV_OPEN_CREATE);
    write_text(second, 0, "two");
    assert_int_equal(env_file_sync(second), 0);
    power_cycle(&world);
    assert_string_equal(content(&world, "/d/1"), "one");
    assert_string_equal(content(&world, "/d/2"), "-");
    sim_destroy(world.sim);
}

static void new_folder_needs_its_parent_synced(void **state)
{
    (void)state;
    struct world world = world_create(2, SIM_DISK_LOSE);
    assert_int_equal(env_folder_create(world.env, "/d"), 0);
    struct env_file *file = open_file(&world, "/d/f", ENV_OPEN_CREATE);
    assert_int_equal(env_file_sync(file), 0);
    assert_int_equal(env_folder_sync(world.env, "/d"), 0);
    power_cycle(&world);
    assert_false(sim_disk_exists(world.host, "/d"));
    sim_destroy(world.sim);
}

static void rename_and_remove_need_their_folder_synced(void **state)
{
    (void)state;
    for (unsigned synced = 0; synced < 2; synced++) {
        struct world world = world_create(3, SIM_DISK_LOSE);
        settled(&world, "/d/old", "old");
        settled(&world, "/d/new", "new");
        settled(&world, "/d/gone", "gone");
        assert_int_equal(env_rename(world.env, "/d/new", "/d/old"), 0);
        assert_int_equal(env_remove(world.env, "/d/gone"), 0);
        assert_string_equal(content(&world, "/d/old"), "new");
        if (synced) {
            assert_int_equal(env_folder_sync(world.env, "/d"), 0);
        }
        power_cycle(&world);
        assert_string_equal(content(&world, "/d/old"), synced ? "new" : "old");
        assert_string_equal(content(&world, "/d/new"), synced ? "-" : "new");
        assert_string_equal(content(&world, "/d/gone"), synced ? "-" : "gone");
        sim_destroy(world.sim);
    }
}

static void random_disk_keeps_a_first_part_of_renames_whole(void **state)
{
    (void)state;
    unsigned seen[3] = {0};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world world = world_create(seed, SIM_DISK_RANDOM);
        settled(&world, "/d/a", "a");
        settled(&world, "/d/b", "b");
        assert_int_equal(env_rename(world.env, "/d/a", "/d/x"), 0);
        assert_int_equal(env_rename(world.env, "/d/b", "/d/y"), 0);
        power_cycle(&world);
        bool first = sim_disk_exists(world.host, "/d/x");
        bool second = sim_disk_exists(world.host, "/d/y");
        assert_int_equal(sim_disk_exists(world.host, "/d/a"), !first);
        assert_int_equal(sim_disk_exists(world.host, "/d/b"), !second);
        assert_true(first || !second);
        seen[first + second]++;
        sim_destroy(world.sim);
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
}

static void truncation_and_allocation_are_durable_after_sync(void **state)
{
    (void)state;
    struct world world = world_create(4, SIM_DISK_LOSE);
    struct env_file *file = settled(&world, "/f", "abcdef");
    assert_int_equal(env_file_truncate(file, 3), 0);
    assert_int_equal(env_file_allocate(file, 5), 0);
    uint8_t *data;
    size_t size;
    assert_int_equal(sim_disk_read(world.host, "/f", &data, &size), 0);
    assert_int_equal(size, 5);
    assert_memory_equal(data, "abc\0\0", 5);
    free(data);
    power_cycle(&world);
    assert_string_equal(content(&world, "/f"), "abcdef");
    file = open_file(&world, "/f", ENV_OPEN_WRITE);
    assert_int_equal(env_file_truncate(file, 3), 0);
    assert_int_equal(env_file_sync(file), 0);
    power_cycle(&world);
    assert_string_equal(content(&world, "/f"), "abc");
    sim_destroy(world.sim);
}

static void failed_sync_is_never_made_good(void **state)
{
    (void)state;
    static uint8_t pages[16 * 4096];
    unsigned lost = 0;
    struct world world = world_create(5, SIM_DISK_KEEP);
    memset(pages, 'a', sizeof(pages));
    assert_int_equal(sim_disk_write(world.host, "/f", bytes_of(pages, sizeof(pages))), 0);
    struct env_file *file = open_file(&world, "/f", ENV_OPEN_WRITE);
    memset(pages, 'b', sizeof(pages));
    assert_int_equal(env_file_write(file, 0, bytes_of(pages, sizeof(pages))), 0);
    sim_disk_fail(world.host, SIM_DISK_SYNC, "/f", 1, 1, ENV_IO);
    assert_int_equal(env_file_sync(file), ENV_IO);
    assert_int_equal(env_file_sync(file), 0);
    power_cycle(&world);
    uint8_t *data;
    size_t size;
    assert_int_equal(sim_disk_read(world.host, "/f", &data, &size), 0);
    for (size_t at = 0; at < size; at += 4096) {
        lost += data[at] == 'a';
    }
    assert_in_range(lost, 1, 15);
    free(data);
    sim_destroy(world.sim);
}

static void injected_errors_hit_the_nth_call_of_a_pattern(void **state)
{
    (void)state;
    struct world world = world_create(6, SIM_DISK_LOSE);
    struct env_file *log = settled(&world, "/d/log-1", "........");
    struct env_file *other = settled(&world, "/d/other", "........");
    sim_disk_fail(world.host, SIM_DISK_WRITE, "/d/log-*", 2, 2, ENV_NO_SPACE);
    write_text(other, 0, "x");
    write_text(log, 0, "1");
    write_text(other, 0, "y");
    assert_int_equal(env_file_write(log, 1, bytes_of_text("222")), ENV_NO_SPACE);
    assert_int_equal(env_file_write(log, 4, bytes_of_text("333")), ENV_NO_SPACE);
    write_text(log, 7, "4");
    const char *text = content(&world, "/d/log-1");
    assert_int_equal(text[0], '1');
    assert_int_equal(text[7], '4');
    sim_disk_fail(world.host, SIM_DISK_RENAME, "*", 1, UINT64_MAX, ENV_IO);
    assert_int_equal(env_rename(world.env, "/d/other", "/d/z"), ENV_IO);
    assert_int_equal(env_rename(world.env, "/d/other", "/d/z"), ENV_IO);
    sim_disk_fail_clear(world.host);
    assert_int_equal(env_rename(world.env, "/d/other", "/d/z"), 0);
    sim_destroy(world.sim);
}

static void full_disk_says_so_and_frees(void **state)
{
    (void)state;
    struct world world = world_create(7, SIM_DISK_LOSE);
    uint64_t left;
    sim_disk_set_capacity(world.host, 64 * 1024);
    struct env_file *file = open_file(&world, "/f", ENV_OPEN_CREATE);
    assert_int_equal(env_file_allocate(file, 60 * 1024), 0);
    assert_int_equal(env_disk_free(world.env, "/", &left), 0);
    assert_int_equal(left, 4096);
    struct env_file *second = open_file(&world, "/g", ENV_OPEN_CREATE);
    assert_int_equal(env_file_allocate(second, 4097), ENV_NO_SPACE);
    static const uint8_t zeros[8192];
    assert_int_equal(env_file_write(second, 0, bytes_of(zeros, 4096)), 0);
    assert_int_equal(env_file_write(second, 4096, bytes_of(zeros, 1)), ENV_NO_SPACE);
    write_text(file, 0, "inside what is allocated");
    assert_int_equal(env_remove(world.env, "/f"), 0);
    env_file_close(file);
    assert_int_equal(env_folder_sync(world.env, "/"), 0);
    assert_int_equal(sim_disk_used(world.host), 4096);
    sim_destroy(world.sim);
}

static void flipped_bit_stays(void **state)
{
    (void)state;
    struct world world = world_create(8, SIM_DISK_LOSE);
    settled(&world, "/f", "aaaa");
    assert_int_equal(sim_disk_flip(world.host, "/f", 8 * 2 + 1), 0);
    assert_string_equal(content(&world, "/f"), "aaca");
    power_cycle(&world);
    assert_string_equal(content(&world, "/f"), "aaca");
    assert_int_equal(sim_disk_flip(world.host, "/f", 8 * 4), ENV_INVALID);
    assert_int_equal(sim_disk_flip(world.host, "/g", 0), ENV_NOT_FOUND);
    assert_int_equal(sim_disk_patch(world.host, "/f", 1, bytes_of_text("xy")), 0);
    power_cycle(&world);
    assert_string_equal(content(&world, "/f"), "axya");
    sim_destroy(world.sim);
}

static void lock_is_exclusive_until_close_or_crash(void **state)
{
    (void)state;
    struct world world = world_create(9, SIM_DISK_LOSE);
    struct env_file *file = settled(&world, "/lock", "");
    struct env *other = sim_process_start(world.host, "other");
    struct env_file *again = NULL;
    assert_int_equal(env_file_lock(file), 0);
    assert_int_equal(env_file_open(other, "/lock", ENV_OPEN_WRITE, &again), 0);
    assert_int_equal(env_file_lock(again), ENV_IN_USE);
    sim_process_crash(world.env);
    assert_int_equal(env_file_lock(again), 0);
    env_file_close(again);
    sim_destroy(world.sim);
}

enum { NAMES_MAX = 64 };

static void append_name(void *arg, const char *name)
{
    size_t used = strlen(arg);
    (void)snprintf((char *)arg + used, NAMES_MAX - used, "%s ", name);
}

static void names_follow_the_contract(void **state)
{
    (void)state;
    struct world world = world_create(10, SIM_DISK_LOSE);
    struct env *env = world.env;
    struct env_file *file = NULL;
    char names[NAMES_MAX] = "";
    assert_int_equal(env_file_open(env, "/d/f", ENV_OPEN_CREATE, &file), ENV_NOT_FOUND);
    assert_int_equal(env_folder_create(env, "/d"), 0);
    assert_int_equal(env_folder_create(env, "/d"), ENV_EXISTS);
    assert_int_equal(env_file_open(env, "/d/f", ENV_OPEN_WRITE, &file), ENV_NOT_FOUND);
    env_file_close(open_file(&world, "/d/b", ENV_OPEN_CREATE));
    env_file_close(open_file(&world, "/d//./a", ENV_OPEN_CREATE));
    assert_int_equal(env_file_open(env, "/d/a", ENV_OPEN_CREATE, &file), ENV_EXISTS);
    assert_int_equal(env_folder_create(env, "/d/c"), 0);
    assert_int_equal(env_folder_list(env, "/d/", append_name, names), 0);
    assert_string_equal(names, "a b c ");
    names[0] = '\0';
    assert_int_equal(sim_disk_list(world.host, "/d", append_name, names), 0);
    assert_string_equal(names, "a b c ");
    assert_int_equal(sim_disk_list(world.host, "/d/a", append_name, names), ENV_NOT_FOUND);
    assert_int_equal(env_folder_list(env, "/e", append_name, names), ENV_NOT_FOUND);
    assert_int_equal(env_remove(env, "/d"), ENV_FAILED);
    assert_int_equal(env_remove(env, "/d/c"), 0);
    assert_int_equal(env_remove(env, "/d/c"), ENV_NOT_FOUND);
    assert_int_equal(env_rename(env, "/d/c", "/d/z"), ENV_NOT_FOUND);
    assert_int_equal(env_rename(env, "/d/a", "/d/a"), 0);
    sim_destroy(world.sim);
}

static void reads_are_short_only_at_the_end(void **state)
{
    (void)state;
    struct world world = world_create(11, SIM_DISK_LOSE);
    struct env_file *file = open_file(&world, "/f", ENV_OPEN_CREATE);
    char buffer[8];
    size_t got;
    write_text(file, 10000, "end");
    assert_int_equal(env_file_read(file, 9999, buffer, sizeof(buffer), &got), 0);
    assert_int_equal(got, 4);
    assert_memory_equal(buffer, "\0end", 4);
    assert_int_equal(env_file_read(file, 20000, buffer, sizeof(buffer), &got), 0);
    assert_int_equal(got, 0);
    sim_destroy(world.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synced_write_survives_unsynced_is_lost),
        cmocka_unit_test(keeping_disk_loses_nothing),
        cmocka_unit_test(process_crash_loses_nothing),
        cmocka_unit_test(random_disk_keeps_loses_and_tears_sectors),
        cmocka_unit_test(new_name_needs_its_folder_synced),
        cmocka_unit_test(new_folder_needs_its_parent_synced),
        cmocka_unit_test(rename_and_remove_need_their_folder_synced),
        cmocka_unit_test(random_disk_keeps_a_first_part_of_renames_whole),
        cmocka_unit_test(truncation_and_allocation_are_durable_after_sync),
        cmocka_unit_test(failed_sync_is_never_made_good),
        cmocka_unit_test(injected_errors_hit_the_nth_call_of_a_pattern),
        cmocka_unit_test(full_disk_says_so_and_frees),
        cmocka_unit_test(flipped_bit_stays),
        cmocka_unit_test(lock_is_exclusive_until_close_or_crash),
        cmocka_unit_test(names_follow_the_contract),
        cmocka_unit_test(reads_are_short_only_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

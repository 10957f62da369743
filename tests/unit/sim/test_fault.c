/* A crash can be planned at any hit of any fault point, disk calls included, and hits are counted.
 *
 * The subject is a small writer of a record that is right by construction: write beside, sync,
 * rename, sync the folder. Crashed at every point in turn it must leave the old record or the new.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "env/disk.h"
#include "env/fault.h"
#include "env/sim/sim.h"
#include "env/work.h"

struct writer {
    struct env *env;
    bool careless; /* forgets a sync, as a bug would */
    bool finished;
    struct env_work work;
};

static void replace(struct env_work *work)
{
    struct writer *writer = work->arg;
    struct env_file *file = NULL;
    env_fault(writer->env, "writer.begin");
    if (env_file_open(writer->env, "/d/new", ENV_OPEN_CREATE, &file) != 0) {
        return;
    }
    int rc = env_file_write(file, 0, bytes_of_text("new record"));
    if (rc == 0 && !writer->careless) {
        rc = env_file_sync(file);
    }
    env_file_close(file);
    env_fault(writer->env, "writer.synced");
    if (rc == 0) {
        rc = env_rename(writer->env, "/d/new", "/d/record");
    }
    if (rc == 0) {
        rc = env_folder_sync(writer->env, "/d");
    }
    writer->finished = rc == 0;
}

static void replaced(struct env_work *work)
{
    (void)work;
}

/* Runs the writer with a crash at the n-th point (0: none), then looks at what a restart finds:
 * 'o'ld, 'n'ew, or 'x' for anything else. */
static char outcome(uint64_t seed, uint64_t n, enum sim_crash crash, struct writer *writer)
{
    struct sim *sim = sim_create(seed);
    struct sim_host *host = sim_host_create(sim, "n1");
    assert_int_equal(sim_disk_write(host, "/d/record", bytes_of_text("old record")), 0);
    writer->env = sim_process_start(host, "writer");
    writer->work = (struct env_work){replace, replaced, writer, NULL};
    sim_fault_crash_at(writer->env, NULL, n, crash);
    env_work_submit(writer->env, &writer->work);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_int_equal(sim_process_crashed(writer->env), n != 0);
    if (n == 0) {
        sim_host_power_cut(host);
    }
    uint8_t *data;
    size_t size;
    assert_int_equal(sim_disk_read(host, "/d/record", &data, &size), 0);
    char found = 'x';
    if (size == 10 &&
        (memcmp(data, "old record", 10) == 0 || memcmp(data, "new record", 10) == 0)) {
        found = (char)data[0];
    }
    free(data);
    sim_destroy(sim);
    return found;
}

static void every_point_leaves_old_or_new(void **state)
{
    (void)state;
    struct writer writer = {0};
    assert_int_equal(outcome(1, 0, SIM_CRASH_PROCESS, &writer), 'n');
    assert_true(writer.finished);
    unsigned found[256] = {0};
    for (uint64_t n = 1; n <= 7; n++) {
        for (uint64_t seed = 1; seed <= 30; seed++) {
            enum sim_crash crash = seed % 2 == 0 ? SIM_CRASH_POWER : SIM_CRASH_PROCESS;
            writer = (struct writer){0};
            found[(unsigned char)outcome(seed, n, crash, &writer)]++;
            assert_false(writer.finished);
        }
    }
    assert_int_equal(found['x'], 0);
    assert_true(found['o'] > 0 && found['n'] > 0);
}

static void a_forgotten_sync_is_found(void **state)
{
    (void)state;
    unsigned damaged = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct writer writer = {.careless = true};
        damaged += outcome(seed, 0, SIM_CRASH_POWER, &writer) == 'x';
    }
    assert_true(damaged > 0);
}

static void count_points(void *arg, const char *name, uint64_t hits)
{
    (void)name;
    *(uint64_t *)arg += hits;
}

static void hits_are_counted(void **state)
{
    (void)state;
    struct sim *sim = sim_create(1);
    struct sim_host *host = sim_host_create(sim, "n1");
    struct writer writer = {0};
    assert_int_equal(sim_disk_write(host, "/d/record", BYTES_NONE), 0);
    writer.env = sim_process_start(host, "writer");
    writer.work = (struct env_work){replace, replaced, &writer, NULL};
    env_work_submit(writer.env, &writer.work);
    sim_run_until(sim, NULL, NULL, SIM_SECOND);
    assert_int_equal(sim_fault_hits(sim, NULL), 7);
    assert_int_equal(sim_fault_hits_of(writer.env), 7);
    assert_int_equal(sim_fault_hits(sim, "writer.synced"), 1);
    assert_int_equal(sim_fault_hits(sim, "disk.sync"), 1);
    assert_int_equal(sim_fault_hits(sim, "nowhere"), 0);
    uint64_t total = 0;
    sim_fault_visit(sim, count_points, &total);
    assert_int_equal(total, 7);
    sim_destroy(sim);
}

static void named_point_counts_itself_alone(void **state)
{
    (void)state;
    struct sim *sim = sim_create(1);
    struct sim_host *host = sim_host_create(sim, "n1");
    struct env *env = sim_process_start(host, "a");
    struct env *other = sim_process_start(host, "b");
    sim_fault_crash_at(env, "x", 2, SIM_CRASH_PROCESS);
    env_fault(env, "x");
    env_fault(env, "y");
    env_fault(other, "x");
    assert_false(sim_process_crashed(env));
    env_fault(env, "x");
    assert_true(sim_process_crashed(env));
    assert_false(sim_process_crashed(other));
    env_fault(env, "x");
    assert_int_equal(sim_fault_hits(sim, "x"), 3);
    sim_fault_crash_at(other, NULL, 1, SIM_CRASH_POWER);
    sim_fault_crash_at(other, NULL, 0, SIM_CRASH_POWER);
    env_fault(other, "x");
    assert_false(sim_process_crashed(other));
    sim_destroy(sim);
}

static void planned_power_cut_takes_the_whole_host(void **state)
{
    (void)state;
    struct sim *sim = sim_create(1);
    struct sim_host *host = sim_host_create(sim, "n1");
    struct env *env = sim_process_start(host, "a");
    struct env *neighbour = sim_process_start(host, "b");
    struct env *other = sim_process_start(sim_host_create(sim, "n2"), "c");
    sim_disk_set_policy(host, SIM_DISK_LOSE);
    assert_int_equal(env_folder_create(env, "/d"), 0);
    sim_fault_crash_at(env, "disk.list", 1, SIM_CRASH_POWER);
    assert_int_equal(env_folder_list(env, "/", NULL, NULL), ENV_CRASHED);
    assert_true(sim_process_crashed(env) && sim_process_crashed(neighbour));
    assert_false(sim_process_crashed(other));
    assert_false(sim_disk_exists(host, "/d"));
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_leaves_old_or_new),
        cmocka_unit_test(a_forgotten_sync_is_found),
        cmocka_unit_test(hits_are_counted),
        cmocka_unit_test(named_point_counts_itself_alone),
        cmocka_unit_test(planned_power_cut_takes_the_whole_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

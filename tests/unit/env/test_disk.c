/* Law: files keep what was written, every failure has its own error, and a lock holds against other
 * processes for as long as the file is open (env/disk.h). */
#include "env/disk.h"
#include "tests/unit/env/place.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG = 300000, NAMES_MAX = 4096 };

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    place_init(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    place_done(*state);
    free(*state);
    return 0;
}

static struct env_file *open_file(const struct place *place, const char *name,
                                  enum env_open_mode mode)
{
    char path[PLACE_PATH_MAX];
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(place->env, place_path(place, name, path), mode, &file), 0);
    return file;
}

static uint64_t size_of(struct env_file *file)
{
    uint64_t size = 0;
    assert_int_equal(env_file_size(file, &size), 0);
    return size;
}

static void what_was_written_is_read(void **state)
{
    const struct place *place = *state;
    uint8_t *data = malloc(BIG);
    uint8_t *back = calloc(1, BIG);
    for (size_t i = 0; i < BIG; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    struct env_file *file = open_file(place, "f", ENV_OPEN_CREATE);
    assert_int_equal(env_file_write(file, 10, bytes_of(data, BIG)), 0);
    assert_int_equal(env_file_sync(file), 0);
    env_file_close(file);
    env_file_close(NULL);
    file = open_file(place, "f", ENV_OPEN_READ);
    assert_int_equal(size_of(file), BIG + 10);
    size_t size = 0;
    assert_int_equal(env_file_read(file, 10, back, BIG, &size), 0);
    assert_int_equal(size, BIG);
    assert_memory_equal(data, back, BIG);
    assert_int_equal(env_file_read(file, 0, back, 20, &size), 0);
    assert_memory_equal(back, "\0\0\0\0\0\0\0\0\0\0", 10);
    assert_memory_equal(back + 10, data, 10);
    assert_int_equal(env_file_read(file, BIG, back, 20, &size), 0);
    assert_int_equal(size, 10);
    assert_int_equal(env_file_read(file, BIG + 10, back, 20, &size), 0);
    assert_int_equal(size, 0);
    env_file_close(file);
    free(data);
    free(back);
}

static void modes_and_errors_are_told_apart(void **state)
{
    const struct place *place = *state;
    char path[PLACE_PATH_MAX];
    char inner[PLACE_PATH_MAX];
    struct env_file *file = NULL;
    size_t size = 77;
    char byte = 0;
    place_path(place, "f", path);
    assert_int_equal(env_file_open(place->env, path, ENV_OPEN_READ, &file), ENV_NOT_FOUND);
    assert_int_equal(env_file_open(place->env, path, ENV_OPEN_WRITE, &file), ENV_NOT_FOUND);
    assert_int_equal(
        env_file_open(place->env, place_path(place, "no/f", inner), ENV_OPEN_CREATE, &file),
        ENV_NOT_FOUND);
    assert_null(file);
    env_file_close(open_file(place, "f", ENV_OPEN_CREATE));
    assert_int_equal(env_file_open(place->env, path, ENV_OPEN_CREATE, &file), ENV_EXISTS);
    assert_null(file);
    file = open_file(place, "f", ENV_OPEN_READ);
    assert_true(env_file_write(file, 0, bytes_of_text("x")) < 0);
    assert_int_equal(env_file_read(file, UINT64_MAX, &byte, 1, &size), ENV_INVALID);
    assert_int_equal(env_file_truncate(file, UINT64_MAX), ENV_INVALID);
    assert_int_equal(env_file_allocate(file, UINT64_MAX), ENV_INVALID);
    assert_int_equal(size, 77);
    env_file_close(file);
    file = open_file(place, "f", ENV_OPEN_WRITE);
    assert_int_equal(env_file_write(file, UINT64_MAX - 1, bytes_of_text("x")), ENV_INVALID);
    env_file_close(file);
    assert_int_equal(env_file_open(place->env, place->folder, ENV_OPEN_WRITE, &file), ENV_INVALID);
}

static void files_and_folders_are_private(void **state)
{
    const struct place *place = *state;
    char path[PLACE_PATH_MAX];
    struct stat status;
    (void)umask(0);
    env_file_close(open_file(place, "f", ENV_OPEN_CREATE));
    assert_int_equal(stat(place_path(place, "f", path), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(env_folder_create(place->env, place_path(place, "d", path)), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(env_folder_create(place->env, path), ENV_EXISTS);
}

static void allocating_extends_with_zeros_and_keeps_what_is_there(void **state)
{
    const struct place *place = *state;
    uint8_t back[8192];
    size_t size = 0;
    struct env_file *file = open_file(place, "f", ENV_OPEN_CREATE);
    assert_int_equal(env_file_allocate(file, 0), 0);
    assert_int_equal(env_file_write(file, 0, bytes_of_text("kept")), 0);
    assert_int_equal(env_file_allocate(file, sizeof(back)), 0);
    assert_int_equal(size_of(file), sizeof(back));
    assert_int_equal(env_file_read(file, 0, back, sizeof(back), &size), 0);
    assert_memory_equal(back, "kept", 4);
    for (size_t i = 4; i < size; i++) {
        assert_int_equal(back[i], 0);
    }
    assert_int_equal(env_file_allocate(file, 100), 0);
    assert_int_equal(size_of(file), sizeof(back));
    assert_int_equal(env_file_truncate(file, 4), 0);
    assert_int_equal(size_of(file), 4);
    env_file_close(file);
}

/* A limit of the process stands for the full disk of which a test cannot dispose. */
static void a_write_beyond_the_limit_fails_with_an_error(void **state)
{
    const struct place *place = *state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct env_file *file = open_file(place, "f", ENV_OPEN_CREATE);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = {.rlim_cur = 1000, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint8_t data[2000] = {0};
    int write_rc = env_file_write(file, 0, bytes_of(data, sizeof(data)));
    int allocate_rc = env_file_allocate(file, 4000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(write_rc, ENV_LIMIT);
    assert_int_equal(allocate_rc, ENV_LIMIT);
    env_file_close(file);
}

static void a_full_device_is_no_space(void **state)
{
    const struct place *place = *state;
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(place->env, "/dev/full", ENV_OPEN_WRITE, &file), 0);
    assert_int_equal(env_file_write(file, 0, bytes_of_text("x")), ENV_NO_SPACE);
    env_file_close(file);
}

/* What a child process that tries to take the lock exits with: 0 taken, 1 in use, 2 else. */
static int lock_elsewhere(const char *path)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct env_file *file = NULL;
        int rc = env_file_open(NULL, path, ENV_OPEN_WRITE, &file);
        rc = rc == 0 ? env_file_lock(file) : rc;
        _exit(rc == 0 ? 0 : rc == ENV_IN_USE ? 1 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_lock_holds_against_other_processes_until_close(void **state)
{
    const struct place *place = *state;
    char path[PLACE_PATH_MAX];
    place_path(place, "lock", path);
    struct env_file *file = open_file(place, "lock", ENV_OPEN_CREATE);
    assert_int_equal(lock_elsewhere(path), 0);
    assert_int_equal(env_file_lock(file), 0);
    assert_int_equal(lock_elsewhere(path), 1);
    struct env_file *second = open_file(place, "lock", ENV_OPEN_WRITE);
    assert_int_equal(env_file_lock(second), ENV_IN_USE);
    env_file_close(second); /* must not drop the first one's lock */
    assert_int_equal(lock_elsewhere(path), 1);
    env_file_close(file);
    assert_int_equal(lock_elsewhere(path), 0);
}

static void add_name(void *arg, const char *name)
{
    char *names = arg;
    size_t used = strlen(names);
    (void)snprintf(names + used, NAMES_MAX - used, "%s;", name);
}

static void folders_list_their_names_in_byte_order(void **state)
{
    const struct place *place = *state;
    static const char *const created[] = {"b", "a", "Z", "10", "9", "\xc3\xa4", ".hidden"};
    char names[NAMES_MAX] = "";
    char path[PLACE_PATH_MAX];
    assert_int_equal(env_folder_list(place->env, place->folder, add_name, names), 0);
    assert_string_equal(names, "");
    for (size_t i = 0; i < sizeof(created) / sizeof(created[0]); i++) {
        env_file_close(open_file(place, created[i], ENV_OPEN_CREATE));
    }
    assert_int_equal(env_folder_sync(place->env, place->folder), 0);
    assert_int_equal(env_folder_list(place->env, place->folder, add_name, names), 0);
    assert_string_equal(names, ".hidden;10;9;Z;a;b;\xc3\xa4;");
    place_path(place, "none", path);
    assert_int_equal(env_folder_list(place->env, path, add_name, names), ENV_NOT_FOUND);
    assert_int_equal(env_folder_sync(place->env, path), ENV_NOT_FOUND);
}

static void many_names_are_all_listed(void **state)
{
    enum { MANY = 300 };
    const struct place *place = *state;
    char names[NAMES_MAX] = "";
    for (int i = MANY - 1; i >= 0; i--) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%03d", i);
        env_file_close(open_file(place, name, ENV_OPEN_CREATE));
    }
    assert_int_equal(env_folder_list(place->env, place->folder, add_name, names), 0);
    assert_int_equal(strlen(names), (size_t)MANY * 5);
    assert_memory_equal(names, "n000;n001;", 10);
    assert_string_equal(names + (MANY - 1) * 5, "n299;");
}

static void renaming_replaces_and_removing_removes(void **state)
{
    const struct place *place = *state;
    char from[PLACE_PATH_MAX];
    char to[PLACE_PATH_MAX];
    char text[16];
    place_write(place, "from", "new");
    place_write(place, "to", "old");
    place_path(place, "from", from);
    place_path(place, "to", to);
    assert_int_equal(env_rename(place->env, from, to), 0);
    place_read(place, "to", text, sizeof(text));
    assert_string_equal(text, "new");
    assert_int_equal(env_rename(place->env, from, to), ENV_NOT_FOUND);
    assert_int_equal(env_remove(place->env, to), 0);
    assert_int_equal(env_remove(place->env, to), ENV_NOT_FOUND);
    assert_int_equal(env_folder_create(place->env, to), 0);
    assert_int_equal(env_remove(place->env, to), 0);
}

static void free_space_is_told(void **state)
{
    const struct place *place = *state;
    uint64_t bytes = 0;
    char path[PLACE_PATH_MAX];
    assert_int_equal(env_disk_free(place->env, place->folder, &bytes), 0);
    assert_true(bytes > 0);
    assert_int_equal(env_disk_free(place->env, place_path(place, "none", path), &bytes),
                     ENV_NOT_FOUND);
}

static void every_error_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(env_error_text(0), "no error");
    assert_string_equal(env_error_text(ENV_NO_SPACE), "the disk is full");
    assert_string_equal(env_error_text(ENV_CRASHED), "the simulated process has crashed");
    assert_string_equal(env_error_text(-1000), "unknown error");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_written_is_read),
        CASE(modes_and_errors_are_told_apart),
        CASE(files_and_folders_are_private),
        CASE(allocating_extends_with_zeros_and_keeps_what_is_there),
        CASE(a_write_beyond_the_limit_fails_with_an_error),
        CASE(a_full_device_is_no_space),
        CASE(a_lock_holds_against_other_processes_until_close),
        CASE(folders_list_their_names_in_byte_order),
        CASE(many_names_are_all_listed),
        CASE(renaming_replaces_and_removing_removes),
        CASE(free_space_is_told),
        CASE(every_error_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

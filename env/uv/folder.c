/* Folders, names and free space by direct system calls. Files are in disk.c. */
#include "env/disk.h"

#include "env/uv/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FOLDER_MODE = 0700, NAMES_FIRST = 64 };

struct names {
    char **items;
    size_t count;
    size_t capacity;
};

int env_folder_create(struct env *env, const char *path)
{
    (void)env;
    return mkdir(path, FOLDER_MODE) == 0 ? 0 : env_of_errno(errno);
}

int env_folder_sync(struct env *env, const char *path)
{
    (void)env;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return env_of_errno(errno);
    }
    int rc = fsync(fd) == 0 ? 0 : env_of_errno(errno);
    (void)close(fd);
    return rc;
}

static int names_add(struct names *names, const char *name)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity == 0 ? NAMES_FIRST : names->capacity * 2;
        char **items = realloc(names->items, capacity * sizeof(*items));
        if (items == NULL) {
            return ENV_LIMIT;
        }
        names->items = items;
        names->capacity = capacity;
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return ENV_LIMIT;
    }
    names->items[names->count++] = copy;
    return 0;
}

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    free(names->items);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(struct names *names, const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return env_of_errno(errno);
    }
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            rc = env_of_errno(errno);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            rc = names_add(names, entry->d_name);
        }
    }
    (void)closedir(folder);
    return rc;
}

int env_folder_list(struct env *env, const char *path, void (*visit)(void *arg, const char *name),
                    void *arg)
{
    (void)env;
    struct names names = {0};
    int rc = names_read(&names, path);
    if (rc == 0 && names.count > 0) {
        qsort(names.items, names.count, sizeof(*names.items), compare_names);
        for (size_t i = 0; i < names.count; i++) {
            visit(arg, names.items[i]);
        }
    }
    names_done(&names);
    return rc;
}

int env_rename(struct env *env, const char *from, const char *to)
{
    (void)env;
    return rename(from, to) == 0 ? 0 : env_of_errno(errno);
}

int env_remove(struct env *env, const char *path)
{
    (void)env;
    return remove(path) == 0 ? 0 : env_of_errno(errno);
}

int env_disk_free(struct env *env, const char *path, uint64_t *ret_bytes)
{
    (void)env;
    struct statvfs status;
    int rc = 0;
    do {
        rc = statvfs(path, &status);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        return env_of_errno(errno);
    }
    *ret_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return 0;
}

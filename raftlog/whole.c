/* Writes beside, syncs, renames, syncs the folder. Decides nothing about the content. */
#include "raftlog/whole.h"

#include "env/disk.h"
#include "env/fault.h"
#include "raftlog/path.h"

#include <stdio.h>

static int write_beside(struct env *env, const char *path, struct bytes content)
{
    struct env_file *file;
    int rc = env_remove(env, path); /* of a replacement that was interrupted */

    if (rc != ENV_OK && rc != ENV_NOT_FOUND) {
        return rc;
    }
    rc = env_file_open(env, path, ENV_OPEN_CREATE, &file);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_write(file, 0, content);
    env_fault(env, "whole.written");
    if (rc == ENV_OK) {
        rc = env_file_sync(file);
    }
    env_file_close(file);
    env_fault(env, "whole.synced");
    return rc;
}

int rlog_whole_write(struct env *env, const char *folder, const char *name, struct bytes content)
{
    char path[RLOG_FILE_PATH_MAX], beside[RLOG_FILE_PATH_MAX], beside_name[32];
    int rc;

    (void)snprintf(beside_name, sizeof beside_name, "%s.tmp", name);
    if (!rlog_path(path, folder, name) || !rlog_path(beside, folder, beside_name)) {
        return ENV_INVALID;
    }
    rc = write_beside(env, beside, content);
    if (rc == ENV_OK) {
        rc = env_rename(env, beside, path);
    }
    env_fault(env, "whole.named");
    return rc == ENV_OK ? env_folder_sync(env, folder) : rc;
}

int rlog_whole_read(struct env *env, const char *folder, const char *name, void *buffer,
                    size_t capacity, size_t *ret_size)
{
    char path[RLOG_FILE_PATH_MAX];
    struct env_file *file;
    int rc;

    if (!rlog_path(path, folder, name)) {
        return ENV_INVALID;
    }
    rc = env_file_open(env, path, ENV_OPEN_READ, &file);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_read(file, 0, buffer, capacity, ret_size);
    env_file_close(file);
    return rc;
}

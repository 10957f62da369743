/* env/disk.h on a simulated disk: handles, locks, and the fault point before each call. */
#include "env/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "env/sim/disk.h"

struct env_file {
    struct env *env;
    struct list link;
    struct sim_inode *inode; /* counted */
    bool writable;
    char *path; /* as opened, for injected failures */
};

/* Every call passes here first: the fault point, the crash, the injected failure, the trace. */
static int enter(struct env *env, enum sim_disk_op op, const char *path)
{
    static const char *const points[] = {
        [SIM_DISK_OPEN] = "disk.open",
        [SIM_DISK_READ] = "disk.read",
        [SIM_DISK_WRITE] = "disk.write",
        [SIM_DISK_ALLOCATE] = "disk.allocate",
        [SIM_DISK_TRUNCATE] = "disk.truncate",
        [SIM_DISK_SYNC] = "disk.sync",
        [SIM_DISK_LOCK] = "disk.lock",
        [SIM_DISK_FOLDER_CREATE] = "disk.create_folder",
        [SIM_DISK_FOLDER_SYNC] = "disk.sync_folder",
        [SIM_DISK_FOLDER_LIST] = "disk.list",
        [SIM_DISK_RENAME] = "disk.rename",
        [SIM_DISK_REMOVE] = "disk.remove",
    };
    sim_fault_hit(env, points[op]);
    if (env->crashed) {
        return ENV_CRASHED;
    }
    sim_trace(env->sim, (uint64_t)op << 32 | env->number);
    return sim_disk_check(env->host->disk, op, path);
}

/* ---- files ---- */

static int open_inode(struct sim_disk *disk, const char *path, enum env_open_mode mode,
                      struct sim_inode **ret_inode)
{
    const char *name;
    struct sim_inode *folder = sim_disk_parent(disk, path, &name);
    if (folder == NULL) {
        return ENV_NOT_FOUND;
    }
    struct sim_inode *inode = sim_folder_find(folder, name);
    if (mode == ENV_OPEN_CREATE) {
        if (inode != NULL) {
            return ENV_EXISTS;
        }
        inode = sim_inode_create(disk, false);
        sim_folder_set(folder, name, inode, ++disk->groups);
    }
    if (inode == NULL) {
        return ENV_NOT_FOUND;
    }
    if (inode->folder) {
        return ENV_INVALID;
    }
    *ret_inode = inode;
    return 0;
}

int env_file_open(struct env *env, const char *path, enum env_open_mode mode,
                  struct env_file **ret_file)
{
    struct sim_inode *inode;
    int rc = enter(env, SIM_DISK_OPEN, path);
    if (rc != 0) {
        return rc;
    }
    rc = open_inode(env->host->disk, path, mode, &inode);
    if (rc != 0) {
        return rc;
    }
    struct env_file *file = sim_alloc(sizeof(*file));
    file->env = env;
    file->inode = inode;
    file->writable = mode != ENV_OPEN_READ;
    file->path = sim_alloc(strlen(path) + 1);
    memcpy(file->path, path, strlen(path) + 1);
    sim_inode_hold(inode);
    list_append(&env->handles.files, &file->link);
    *ret_file = file;
    return 0;
}

static void unlock(struct env_file *file)
{
    if (file->inode->locked_by == file) {
        file->inode->locked_by = NULL;
    }
}

void env_file_close(struct env_file *file)
{
    if (file == NULL) {
        return;
    }
    unlock(file);
    list_remove(&file->link);
    sim_inode_release(file->inode);
    free(file->path);
    free(file);
}

int env_file_size(struct env_file *file, uint64_t *ret_size)
{
    if (file->env->crashed) {
        return ENV_CRASHED;
    }
    *ret_size = file->inode->image.size;
    return 0;
}

int env_file_read(struct env_file *file, uint64_t offset, void *buffer, size_t size,
                  size_t *ret_size)
{
    int rc = enter(file->env, SIM_DISK_READ, file->path);
    if (rc != 0) {
        return rc;
    }
    size_t part = (size_t)u64_min(size, sat_sub(file->inode->image.size, offset));
    sim_image_read(&file->inode->image, offset, buffer, part);
    *ret_size = part;
    return 0;
}

/* Writes as much of `data` as there is space for. */
static int write_some(struct env_file *file, uint64_t offset, struct bytes data)
{
    struct sim_inode *inode = file->inode;
    uint64_t size = u64_max(inode->image.size, offset + data.size);
    int rc = sim_file_charge(inode, size);
    if (rc != 0) {
        data.size = (size_t)u64_min(data.size, sat_sub(inode->charged, offset));
        if (data.size == 0) {
            return rc;
        }
    }
    sim_trace(file->env->sim, offset);
    sim_trace_bytes(file->env->sim, data);
    sim_image_write(&inode->image, offset, data);
    return rc;
}

int env_file_write(struct env_file *file, uint64_t offset, struct bytes data)
{
    int rc = enter(file->env, SIM_DISK_WRITE, file->path);
    if (rc == ENV_CRASHED) {
        return rc;
    }
    ASSERT(file->writable);
    if (data.size > UINT64_MAX - offset) {
        return ENV_INVALID;
    }
    if (rc != 0) {
        data.size = (size_t)sim_rng_below(&file->env->sim->rng.disk, data.size + 1);
    }
    if (data.size == 0) {
        return rc;
    }
    int written = write_some(file, offset, data);
    return rc != 0 ? rc : written;
}

int env_file_allocate(struct env_file *file, uint64_t size)
{
    int rc = enter(file->env, SIM_DISK_ALLOCATE, file->path);
    ASSERT(file->writable);
    if (rc != 0 || size <= file->inode->image.size) {
        return rc;
    }
    rc = sim_file_charge(file->inode, size);
    if (rc == 0) {
        sim_image_resize(&file->inode->image, size);
    }
    return rc;
}

int env_file_truncate(struct env_file *file, uint64_t size)
{
    int rc = enter(file->env, SIM_DISK_TRUNCATE, file->path);
    ASSERT(file->writable);
    if (rc != 0) {
        return rc;
    }
    rc = sim_file_charge(file->inode, size);
    if (rc == 0) {
        sim_image_resize(&file->inode->image, size);
    }
    return rc;
}

int env_file_sync(struct env_file *file)
{
    int rc = enter(file->env, SIM_DISK_SYNC, file->path);
    if (rc == 0) {
        sim_image_sync(&file->inode->image);
    } else if (rc != ENV_CRASHED) {
        sim_image_sync_failed(&file->inode->image, &file->env->sim->rng.disk);
    }
    return rc;
}

int env_file_lock(struct env_file *file)
{
    int rc = enter(file->env, SIM_DISK_LOCK, file->path);
    if (rc != 0) {
        return rc;
    }
    if (file->inode->locked_by != NULL && file->inode->locked_by != file) {
        return ENV_IN_USE;
    }
    file->inode->locked_by = file;
    return 0;
}

/* ---- folders ---- */

int env_folder_create(struct env *env, const char *path)
{
    int rc = enter(env, SIM_DISK_FOLDER_CREATE, path);
    if (rc != 0) {
        return rc;
    }
    struct sim_disk *disk = env->host->disk;
    const char *name;
    struct sim_inode *parent = sim_disk_parent(disk, path, &name);
    if (parent == NULL) {
        return ENV_NOT_FOUND;
    }
    if (sim_folder_find(parent, name) != NULL) {
        return ENV_EXISTS;
    }
    sim_folder_set(parent, name, sim_inode_create(disk, true), ++disk->groups);
    return 0;
}

static int folder_of(struct env *env, enum sim_disk_op op, const char *path,
                     struct sim_inode **ret_folder)
{
    int rc = enter(env, op, path);
    if (rc != 0) {
        return rc;
    }
    struct sim_inode *folder = sim_disk_find(env->host->disk, path);
    if (folder == NULL || !folder->folder) {
        return ENV_NOT_FOUND;
    }
    *ret_folder = folder;
    return 0;
}

int env_folder_sync(struct env *env, const char *path)
{
    struct sim_inode *folder;
    int rc = folder_of(env, SIM_DISK_FOLDER_SYNC, path, &folder);
    if (rc == 0) {
        sim_folder_sync(folder);
    }
    return rc;
}

int env_folder_list(struct env *env, const char *path, void (*visit)(void *arg, const char *name),
                    void *arg)
{
    struct sim_inode *folder;
    int rc = folder_of(env, SIM_DISK_FOLDER_LIST, path, &folder);
    if (rc != 0) {
        return rc;
    }
    sim_folder_visit(folder, visit, arg);
    return 0;
}

/* Whether `source` may replace `target`, with rename(2)'s errors. */
static int replaceable(const struct sim_inode *source, const struct sim_inode *target)
{
    if (target == NULL || (!target->folder && !source->folder)) {
        return 0;
    }
    if (target->folder && source->folder) {
        return target->entries.count == 0 ? 0 : ENV_FAILED;
    }
    return target->folder ? ENV_INVALID : ENV_NOT_FOUND;
}

int env_rename(struct env *env, const char *from, const char *to)
{
    int rc = enter(env, SIM_DISK_RENAME, to);
    if (rc != 0) {
        return rc;
    }
    struct sim_disk *disk = env->host->disk;
    const char *from_name;
    const char *to_name;
    struct sim_inode *from_folder = sim_disk_parent(disk, from, &from_name);
    struct sim_inode *to_folder = sim_disk_parent(disk, to, &to_name);
    if (from_folder == NULL || to_folder == NULL) {
        return ENV_NOT_FOUND;
    }
    struct sim_inode *inode = sim_folder_find(from_folder, from_name);
    struct sim_inode *target = sim_folder_find(to_folder, to_name);
    if (inode == NULL) {
        return ENV_NOT_FOUND;
    }
    rc = inode == target ? 0 : replaceable(inode, target);
    if (rc != 0 || inode == target) {
        return rc;
    }
    uint64_t group = ++disk->groups;
    sim_folder_set(to_folder, to_name, inode, group);
    sim_folder_set(from_folder, from_name, NULL, group);
    return 0;
}

int env_remove(struct env *env, const char *path)
{
    int rc = enter(env, SIM_DISK_REMOVE, path);
    if (rc != 0) {
        return rc;
    }
    const char *name;
    struct sim_inode *folder = sim_disk_parent(env->host->disk, path, &name);
    struct sim_inode *inode = folder == NULL ? NULL : sim_folder_find(folder, name);
    if (inode == NULL) {
        return ENV_NOT_FOUND;
    }
    if (inode->folder && inode->entries.count > 0) {
        return ENV_FAILED;
    }
    sim_folder_set(folder, name, NULL, ++env->host->disk->groups);
    return 0;
}

int env_disk_free(struct env *env, const char *path, uint64_t *ret_bytes)
{
    (void)path;
    if (env->crashed) {
        return ENV_CRASHED;
    }
    const struct sim_disk *disk = env->host->disk;
    *ret_bytes = sat_sub(disk->capacity, disk->used);
    return 0;
}

/* ---- the end of a process ---- */

void sim_files_end(struct env *env)
{
    LIST_FOR_EACH(node, &env->handles.files)
    {
        unlock(LIST_ENTRY(node, struct env_file, link));
    }
}

void sim_files_free(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->handles.files)
    {
        env_file_close(LIST_ENTRY(node, struct env_file, link));
    }
}

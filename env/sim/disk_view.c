/* What tests see and do to a simulated disk, past all faults and at once durable. */
#include "env/sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"

static struct sim_inode *file_find(const struct sim_host *host, const char *path)
{
    struct sim_inode *inode = sim_disk_find(host->disk, path);
    return inode == NULL || inode->folder ? NULL : inode;
}

int sim_disk_read(struct sim_host *host, const char *path, uint8_t **ret_data, size_t *ret_size)
{
    const struct sim_inode *inode = file_find(host, path);
    if (inode == NULL) {
        return ENV_NOT_FOUND;
    }
    size_t size = (size_t)inode->image.size;
    uint8_t *data = sim_alloc(size);
    sim_image_read(&inode->image, 0, data, size);
    *ret_data = data;
    *ret_size = size;
    return 0;
}

/* The folder that `path` lies in, created and synced with those above it. */
static struct sim_inode *folders_make(struct sim_disk *disk, const char *path)
{
    struct sim_inode *folder = disk->root;
    char name[256];
    for (path += strspn(path, "/"); path[strcspn(path, "/")] == '/'; path += strspn(path, "/")) {
        size_t part = strcspn(path, "/");
        ASSERT(part < sizeof(name));
        memcpy(name, path, part);
        name[part] = '\0';
        path += part;
        struct sim_inode *next = sim_folder_find(folder, name);
        if (next == NULL) {
            next = sim_inode_create(disk, true);
            sim_folder_set(folder, name, next, ++disk->groups);
        }
        sim_folder_sync(folder);
        if (!next->folder) {
            return NULL;
        }
        folder = next;
    }
    return folder;
}

int sim_disk_write(struct sim_host *host, const char *path, struct bytes content)
{
    struct sim_disk *disk = host->disk;
    struct sim_inode *folder = folders_make(disk, path);
    const char *name = strrchr(path, '/');
    name = name == NULL ? path : name + 1;
    if (folder == NULL || *name == '\0') {
        return ENV_INVALID;
    }
    struct sim_inode *inode = sim_inode_create(disk, false);
    sim_folder_set(folder, name, inode, ++disk->groups);
    sim_folder_sync(folder);
    int rc = sim_file_charge(inode, content.size);
    if (rc != 0) {
        return rc;
    }
    sim_image_write(&inode->image, 0, content);
    sim_image_sync(&inode->image);
    return 0;
}

int sim_disk_patch(struct sim_host *host, const char *path, uint64_t offset, struct bytes content)
{
    struct sim_inode *inode = file_find(host, path);
    if (inode == NULL) {
        return ENV_NOT_FOUND;
    }
    if (sat_add(offset, content.size) > inode->image.size) {
        return ENV_INVALID;
    }
    sim_image_patch(&inode->image, offset, content);
    return 0;
}

int sim_disk_flip(struct sim_host *host, const char *path, uint64_t bit)
{
    struct sim_inode *inode = file_find(host, path);
    if (inode == NULL) {
        return ENV_NOT_FOUND;
    }
    if (bit / 8 >= inode->image.size) {
        return ENV_INVALID;
    }
    uint8_t byte;
    sim_image_read(&inode->image, bit / 8, &byte, 1);
    byte = (uint8_t)(byte ^ (1U << (bit % 8)));
    sim_image_patch(&inode->image, bit / 8, bytes_of(&byte, 1));
    return 0;
}

bool sim_disk_exists(struct sim_host *host, const char *path)
{
    return sim_disk_find(host->disk, path) != NULL;
}

int sim_disk_list(struct sim_host *host, const char *path,
                  void (*visit)(void *arg, const char *name), void *arg)
{
    const struct sim_inode *folder = sim_disk_find(host->disk, path);
    if (folder == NULL || !folder->folder) {
        return ENV_NOT_FOUND;
    }
    sim_folder_visit(folder, visit, arg);
    return 0;
}

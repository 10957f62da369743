/* Names, power cuts and injected failures of a simulated disk. Its files' bytes are image.c's. */
#include "env/sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"

/* ---- names ---- */

static char *name_copy(const char *name)
{
    char *copy = sim_alloc(strlen(name) + 1);
    memcpy(copy, name, strlen(name) + 1);
    return copy;
}

void sim_inode_hold(struct sim_inode *inode)
{
    if (inode != NULL) {
        inode->references++;
    }
}

static void entries_clear(struct sim_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->at[i].name);
        sim_inode_release(entries->at[i].inode);
    }
    free(entries->at);
    *entries = (struct sim_entries){0};
}

static void changes_clear(struct sim_inode *folder)
{
    LIST_FOR_EACH_SAFE(node, following, &folder->changes)
    {
        struct sim_change *change = LIST_ENTRY(node, struct sim_change, link);
        list_remove(&change->link);
        sim_inode_release(change->inode);
        free(change->name);
        free(change);
    }
}

void sim_inode_release(struct sim_inode *inode)
{
    if (inode == NULL || --inode->references > 0) {
        return;
    }
    changes_clear(inode);
    entries_clear(&inode->entries);
    entries_clear(&inode->durable);
    inode->disk->used -= inode->charged;
    sim_image_done(&inode->image);
    free(inode);
}

struct sim_inode *sim_inode_create(struct sim_disk *disk, bool folder)
{
    struct sim_inode *inode = sim_alloc(sizeof(*inode));
    inode->disk = disk;
    inode->folder = folder;
    list_init(&inode->changes);
    return inode;
}

/* Where `name` is or belongs; true when it is there. */
static bool entries_find(const struct sim_entries *entries, const char *name, size_t *ret_index)
{
    size_t index = 0;
    while (index < entries->count && strcmp(entries->at[index].name, name) < 0) {
        index++;
    }
    *ret_index = index;
    return index < entries->count && strcmp(entries->at[index].name, name) == 0;
}

static void entries_insert(struct sim_entries *entries, size_t index, const char *name)
{
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity == 0 ? 8 : 2 * entries->capacity;
        entries->at = realloc(entries->at, entries->capacity * sizeof(entries->at[0]));
        ASSERT(entries->at != NULL);
    }
    memmove(&entries->at[index + 1], &entries->at[index],
            (entries->count - index) * sizeof(entries->at[0]));
    entries->count++;
    entries->at[index] = (struct sim_entry){.name = name_copy(name)};
}

static void entries_erase(struct sim_entries *entries, size_t index)
{
    free(entries->at[index].name);
    sim_inode_release(entries->at[index].inode);
    entries->count--;
    memmove(&entries->at[index], &entries->at[index + 1],
            (entries->count - index) * sizeof(entries->at[0]));
}

static void entries_set(struct sim_entries *entries, const char *name, struct sim_inode *inode)
{
    size_t index;
    bool there = entries_find(entries, name, &index);
    if (inode == NULL) {
        if (there) {
            entries_erase(entries, index);
        }
        return;
    }
    if (!there) {
        entries_insert(entries, index, name);
    }
    sim_inode_hold(inode);
    sim_inode_release(entries->at[index].inode);
    entries->at[index].inode = inode;
}

static void entries_copy(struct sim_entries *target, const struct sim_entries *source)
{
    struct sim_entries old = *target;
    *target = (struct sim_entries){0};
    for (size_t i = 0; i < source->count; i++) {
        entries_insert(target, i, source->at[i].name);
        sim_inode_hold(source->at[i].inode);
        target->at[i].inode = source->at[i].inode;
    }
    entries_clear(&old);
}

struct sim_inode *sim_folder_find(const struct sim_inode *folder, const char *name)
{
    size_t index;
    return entries_find(&folder->entries, name, &index) ? folder->entries.at[index].inode : NULL;
}

void sim_folder_set(struct sim_inode *folder, const char *name, struct sim_inode *inode,
                    uint64_t group)
{
    struct sim_change *change = sim_alloc(sizeof(*change));
    change->group = group;
    change->name = name_copy(name);
    change->inode = inode;
    sim_inode_hold(inode);
    list_append(&folder->changes, &change->link);
    entries_set(&folder->entries, name, inode);
}

void sim_folder_sync(struct sim_inode *folder)
{
    if (!list_empty(&folder->changes)) {
        entries_copy(&folder->durable, &folder->entries);
        changes_clear(folder);
    }
}

void sim_folder_visit(const struct sim_inode *folder, void (*visit)(void *arg, const char *name),
                      void *arg)
{
    size_t count = folder->entries.count;
    char **names = sim_alloc(count * sizeof(names[0]));
    for (size_t i = 0; i < count; i++) {
        names[i] = name_copy(folder->entries.at[i].name);
    }
    for (size_t i = 0; i < count; i++) {
        visit(arg, names[i]);
        free(names[i]);
    }
    free(names);
}

/* ---- paths ---- */

static size_t part_size(const char *path)
{
    return strcspn(path, "/");
}

/* The inode named by the first `size` bytes of `path`. */
static struct sim_inode *walk(const struct sim_disk *disk, const char *path, size_t size)
{
    struct sim_inode *inode = disk->root;
    const char *end = path + size;
    char name[256];
    for (path += strspn(path, "/"); path < end; path += strspn(path, "/")) {
        size_t part = part_size(path);
        if (!inode->folder || part >= sizeof(name)) {
            return NULL;
        }
        memcpy(name, path, part);
        name[part] = '\0';
        path += part;
        if (strcmp(name, ".") != 0) {
            inode = sim_folder_find(inode, name);
        }
        if (inode == NULL) {
            return NULL;
        }
    }
    return inode;
}

struct sim_inode *sim_disk_find(const struct sim_disk *disk, const char *path)
{
    return walk(disk, path, strlen(path));
}

struct sim_inode *sim_disk_parent(const struct sim_disk *disk, const char *path,
                                  const char **ret_name)
{
    const char *name = strrchr(path, '/');
    name = name == NULL ? path : name + 1;
    struct sim_inode *folder = walk(disk, path, (size_t)(name - path));
    if (folder == NULL || !folder->folder || *name == '\0' || strlen(name) > 255) {
        return NULL;
    }
    *ret_name = name;
    return folder;
}

/* ---- capacity and failures ---- */

int sim_file_charge(struct sim_inode *inode, uint64_t size)
{
    uint64_t pages = size / SIM_PAGE_SIZE + (size % SIM_PAGE_SIZE != 0);
    uint64_t charge = pages * SIM_PAGE_SIZE;
    struct sim_disk *disk = inode->disk;
    uint64_t others = disk->used - inode->charged;
    if (charge > inode->charged && sat_add(others, charge) > disk->capacity) {
        return ENV_NO_SPACE;
    }
    disk->used = others + charge;
    inode->charged = charge;
    return 0;
}

/* '*' stands for any text. */
static bool matches(const char *pattern, const char *text)
{
    while (*pattern != '\0' && *pattern != '*') {
        if (*pattern++ != *text++) {
            return false;
        }
    }
    if (*pattern == '\0') {
        return *text == '\0';
    }
    while (!matches(pattern + 1, text)) {
        if (*text++ == '\0') {
            return false;
        }
    }
    return true;
}

int sim_disk_check(struct sim_disk *disk, enum sim_disk_op op, const char *path)
{
    int rc = 0;
    LIST_FOR_EACH(node, &disk->failures)
    {
        struct sim_failure *failure = LIST_ENTRY(node, struct sim_failure, link);
        if (failure->op != op || failure->times == 0 || !matches(failure->pattern, path)) {
            continue;
        }
        if (failure->skip > 0) {
            failure->skip--;
        } else {
            failure->times -= failure->times != UINT64_MAX;
            rc = rc == 0 ? failure->rc : rc;
        }
    }
    return rc;
}

void sim_disk_fail(struct sim_host *host, enum sim_disk_op op, const char *pattern, uint64_t n,
                   uint64_t times, int rc)
{
    ASSERT(n >= 1 && rc < 0);
    struct sim_failure *failure = sim_alloc(sizeof(*failure));
    failure->op = op;
    failure->skip = n - 1;
    failure->times = times;
    failure->rc = rc;
    ASSERT(strlen(pattern) < sizeof(failure->pattern));
    memcpy(failure->pattern, pattern, strlen(pattern) + 1);
    list_append(&host->disk->failures, &failure->link);
}

static void failures_clear(struct sim_disk *disk)
{
    LIST_FOR_EACH_SAFE(node, following, &disk->failures)
    {
        list_remove(node);
        free(LIST_ENTRY(node, struct sim_failure, link));
    }
}

void sim_disk_fail_clear(struct sim_host *host)
{
    failures_clear(host->disk);
}

void sim_disk_set_policy(struct sim_host *host, enum sim_disk_policy policy)
{
    host->disk->policy = policy;
}

void sim_disk_set_capacity(struct sim_host *host, uint64_t bytes)
{
    host->disk->capacity = bytes;
}

uint64_t sim_disk_used(const struct sim_host *host)
{
    return host->disk->used;
}

/* ---- life ---- */

struct sim_disk *sim_disk_create(void)
{
    struct sim_disk *disk = sim_alloc(sizeof(*disk));
    disk->capacity = UINT64_MAX;
    disk->policy = SIM_DISK_RANDOM;
    disk->root = sim_inode_create(disk, true);
    disk->root->references = 1;
    list_init(&disk->failures);
    return disk;
}

void sim_disk_destroy(struct sim_disk *disk)
{
    sim_inode_release(disk->root);
    failures_clear(disk);
    free(disk);
}

/* How many of the folder's changes the disk has: never a part of a group. */
static size_t changes_kept(const struct sim_inode *folder, enum sim_disk_policy policy,
                           struct sim_rng *rng)
{
    size_t count = 0;
    LIST_FOR_EACH(node, &folder->changes)
    {
        count++;
    }
    switch (policy) {
    case SIM_DISK_KEEP:
        return count;
    case SIM_DISK_LOSE:
        return 0;
    case SIM_DISK_RANDOM:
        break;
    }
    return (size_t)sim_rng_below(rng, count + 1);
}

static void folder_cut(struct sim_inode *folder, enum sim_disk_policy policy, struct sim_rng *rng)
{
    size_t kept = changes_kept(folder, policy, rng);
    uint64_t group = 0;
    LIST_FOR_EACH(node, &folder->changes)
    {
        const struct sim_change *change = LIST_ENTRY(node, struct sim_change, link);
        if (kept == 0 && change->group != group) {
            break;
        }
        entries_set(&folder->durable, change->name, change->inode);
        group = change->group;
        kept -= kept > 0;
    }
    entries_copy(&folder->entries, &folder->durable);
    changes_clear(folder);
}

static void inode_cut(struct sim_inode *inode, enum sim_disk_policy policy, struct sim_rng *rng)
{
    if (!inode->folder) {
        sim_image_power_cut(&inode->image, policy, rng);
        inode->disk->used -= inode->charged;
        inode->charged = 0;
        uint64_t capacity = inode->disk->capacity;
        inode->disk->capacity = UINT64_MAX;
        (void)sim_file_charge(inode, inode->image.size);
        inode->disk->capacity = capacity;
        return;
    }
    folder_cut(inode, policy, rng);
    for (size_t i = 0; i < inode->entries.count; i++) {
        inode_cut(inode->entries.at[i].inode, policy, rng);
    }
}

void sim_disk_power_cut(struct sim_host *host)
{
    inode_cut(host->disk->root, host->disk->policy, &host->sim->rng.disk);
}

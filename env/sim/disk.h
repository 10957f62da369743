/* The disk of a host: a tree of folders and files, each folder with its names as the page cache has
 * them and as the disk has them. Knows no process; file.c puts env/disk.h on top of it.
 */
#ifndef ENV_SIM_DISK_H
#define ENV_SIM_DISK_H

#include "base/list.h"
#include "env/sim/image.h"
#include "env/sim/world.h"

struct sim_inode;

struct sim_entry {
    char *name;
    struct sim_inode *inode; /* counted */
};

/* Sorted by name, as bytes. */
struct sim_entries {
    struct sim_entry *at;
    size_t count;
    size_t capacity;
};

/* A change of one name since the last sync of its folder. */
struct sim_change {
    struct list link;
    uint64_t group;          /* changes of one group are durable together (a rename) */
    struct sim_inode *inode; /* counted; NULL: the name is gone */
    char *name;
};

struct sim_inode {
    uint64_t references; /* by names, changes and open files */
    uint64_t charged;    /* bytes taken of the disk's capacity */
    bool folder;
    struct env_file *locked_by;
    struct sim_disk *disk;
    struct sim_image image;     /* a file's */
    struct sim_entries entries; /* a folder's: now */
    struct sim_entries durable; /* a folder's: at its last sync */
    struct list changes;        /* what leads from `durable` to `entries` */
};

/* An error to come. */
struct sim_failure {
    struct list link;
    enum sim_disk_op op;
    uint64_t skip; /* calls that still pass */
    uint64_t times;
    int rc;
    char pattern[128];
};

struct sim_disk {
    struct sim_inode *root;
    uint64_t capacity;
    uint64_t used;
    uint64_t groups;
    enum sim_disk_policy policy;
    struct list failures;
};

void sim_inode_hold(struct sim_inode *inode);
void sim_inode_release(struct sim_inode *inode);
/* What `path` names, borrowed; NULL when nothing. */
struct sim_inode *sim_disk_find(const struct sim_disk *disk, const char *path);
/* The folder that `path` lies in, and its last part (a view into `path`, terminated); NULL when
 * there is no such folder or no last part. */
struct sim_inode *sim_disk_parent(const struct sim_disk *disk, const char *path,
                                  const char **ret_name);
struct sim_inode *sim_folder_find(const struct sim_inode *folder, const char *name);
/* A new file or folder without a name; released by its first name's release. */
struct sim_inode *sim_inode_create(struct sim_disk *disk, bool folder);
/* Gives the name to `inode` (or takes it away: NULL), not durably. */
void sim_folder_set(struct sim_inode *folder, const char *name, struct sim_inode *inode,
                    uint64_t group);
void sim_folder_sync(struct sim_inode *folder);
/* Shows each name; the visitor may change the folder. */
void sim_folder_visit(const struct sim_inode *folder, void (*visit)(void *arg, const char *name),
                      void *arg);
/* Changes a file's size within the capacity; NO_SPACE else. */
int sim_file_charge(struct sim_inode *inode, uint64_t size);
/* The rc that an injected failure wants for this call; 0 when none does. */
int sim_disk_check(struct sim_disk *disk, enum sim_disk_op op, const char *path);

#endif

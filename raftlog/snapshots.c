/* The folder of snapshots: the newest, the old ones, restoring, reading the raw file. Writes none
 * (snapshot_writer.c) and receives none (snapshot_receiver.c).
 */
#include "raftlog/snapshots.h"

#include "env/disk.h"
#include "env/fault.h"
#include "raftlog/path.h"
#include "raftlog/sealed.h"
#include "raftlog/snapshot_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REMOVE_AT_ONCE = 16 };

/* One look at the folder. */
struct listing {
    uint64_t newest;
    bool found;
    bool beside; /* collect what was left half-written; otherwise snapshots but `keep` */
    uint64_t keep;
    char removable[REMOVE_AT_ONCE][RLOG_SNAPSHOT_NAME_MAX];
    size_t removable_count;
};

static bool name_read(const char *name, uint64_t *ret_index)
{
    char again[RLOG_SNAPSHOT_NAME_MAX];

    if (strlen(name) != 21 || sscanf(name, "snap-%16" SCNx64, ret_index) != 1) {
        return false;
    }
    rlog_snapshot_name(again, *ret_index);
    return strcmp(name, again) == 0;
}

static bool name_beside(const char *name)
{
    size_t size = strlen(name);

    return size > 9 && size < RLOG_SNAPSHOT_NAME_MAX && memcmp(name, "snap-", 5) == 0 &&
           strcmp(name + size - 4, ".tmp") == 0;
}

static void look(void *arg, const char *name)
{
    struct listing *listing = arg;
    uint64_t index = 0;
    bool snapshot = name_read(name, &index);

    if (snapshot && (!listing->found || index > listing->newest)) {
        listing->newest = index;
        listing->found = true;
    }
    if (listing->removable_count < REMOVE_AT_ONCE &&
        (listing->beside ? name_beside(name) : snapshot && index != listing->keep)) {
        memcpy(listing->removable[listing->removable_count++], name, strlen(name) + 1);
    }
}

/* Removes what the listing collects, as often as it collects something; then syncs the folder. */
static int folder_clean(struct env *env, const char *folder, struct listing *listing)
{
    int rc;

    do {
        listing->removable_count = 0;
        rc = env_folder_list(env, folder, look, listing);
        for (size_t i = 0; rc == ENV_OK && i < listing->removable_count; i++) {
            char path[RLOG_FILE_PATH_MAX];

            (void)rlog_path(path, folder, listing->removable[i]);
            env_fault(env, "snapshot.before_remove");
            rc = env_remove(env, path);
        }
    } while (rc == ENV_OK && listing->removable_count > 0);
    return rc == ENV_OK ? env_folder_sync(env, folder) : rc;
}

static int say(char *error, size_t error_size, int rc, uint64_t index)
{
    if (rc == ENV_INVALID) {
        (void)snprintf(error, error_size, "snapshot %" PRIu64 " is damaged", index);
    } else if (rc == ENV_LIMIT) {
        (void)snprintf(error, error_size, "snapshot %" PRIu64 " is " RLOG_LATER_FORMAT, index);
    } else {
        (void)snprintf(error, error_size, "snapshot %" PRIu64 ": %s", index, env_error_text(rc));
    }
    return rc;
}

int rlog_snapshots_newest(struct env *env, const char *folder, struct rlog_snapshot_info *ret_info,
                          char *error, size_t error_size)
{
    struct listing listing = {.beside = true};
    char name[RLOG_SNAPSHOT_NAME_MAX], path[RLOG_FILE_PATH_MAX];
    int rc = folder_clean(env, folder, &listing);

    if (rc != ENV_OK) {
        (void)snprintf(error, error_size, "snapshots: %s: %s", folder, env_error_text(rc));
        return rc == ENV_NOT_FOUND ? ENV_INVALID : rc; /* the folder is born with the node */
    }
    if (!listing.found) {
        return ENV_NOT_FOUND;
    }
    rlog_snapshot_name(name, listing.newest);
    (void)rlog_path(path, folder, name);
    rc = rlog_snapshot_read_meta(env, path, ret_info);
    if (rc == ENV_OK && ret_info->meta.index != listing.newest) {
        rc = ENV_INVALID;
    }
    return rc == ENV_OK ? ENV_OK : say(error, error_size, rc, listing.newest);
}

int rlog_snapshots_keep(struct env *env, const char *folder, uint64_t index)
{
    struct listing listing = {.keep = index};

    return folder_clean(env, folder, &listing);
}

/* Tells what the machine refuses from what is damaged. */
struct feeding {
    int (*feed)(void *arg, struct bytes piece);
    void *arg;
    int rc;
};

static int feed_on(void *arg, struct bytes piece)
{
    struct feeding *feeding = arg;

    feeding->rc = feeding->feed(feeding->arg, piece);
    return feeding->rc;
}

int rlog_snapshot_restore(struct env *env, const char *folder, uint64_t index,
                          int (*feed)(void *arg, struct bytes piece), void *arg, char *error,
                          size_t error_size)
{
    struct feeding feeding = {.feed = feed, .arg = arg, .rc = ENV_OK};
    struct rlog_snapshot_info info;
    char name[RLOG_SNAPSHOT_NAME_MAX], path[RLOG_FILE_PATH_MAX];
    int rc;

    rlog_snapshot_name(name, index);
    (void)rlog_path(path, folder, name);
    rc = rlog_snapshot_walk(env, path, feed_on, &feeding, &info);
    if (feeding.rc < 0) {
        (void)snprintf(error, error_size,
                       "snapshot %" PRIu64 " is whole, but not understood by this program: upgrade "
                       "this node, its data is untouched",
                       index);
        return ENV_LIMIT;
    }
    if (rc == ENV_OK && info.meta.index != index) {
        rc = ENV_INVALID;
    }
    return rc == ENV_OK ? ENV_OK : say(error, error_size, rc, index);
}

int rlog_snapshot_file_read(struct env *env, const char *folder, uint64_t index, uint64_t offset,
                            void *buffer, size_t capacity, size_t *ret_size)
{
    char name[RLOG_SNAPSHOT_NAME_MAX], path[RLOG_FILE_PATH_MAX];
    struct env_file *file;
    int rc;

    rlog_snapshot_name(name, index);
    if (!rlog_path(path, folder, name)) {
        return ENV_INVALID;
    }
    rc = env_file_open(env, path, ENV_OPEN_READ, &file);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_read(file, offset, buffer, capacity, ret_size);
    env_file_close(file);
    return rc;
}

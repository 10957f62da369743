/* The folder of snapshots: the newest, the old ones, restoring, reading the raw file. Writes none
 * (snapshot_writer.c) and receives none (snapshot_receiver.c).
 */
#include "raftlog/snapshots.h"

#include "base/assert.h"
#include "env/disk.h"
#include "env/fault.h"
#include "raftlog/path.h"
#include "raftlog/sealed.h"
#include "raftlog/snapshot_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REMOVE_AT_ONCE = 16 };

/* What a look at the folder collects. */
enum wanted {
    HALF_WRITTEN, /* by this node */
    REPLACED,     /* snapshots but `keep`, and what arrived in part of one up to it */
    ARRIVED,      /* in part, of any image but the one called `but` */
};

struct listing {
    uint64_t newest;
    bool found;
    enum wanted wanted;
    uint64_t keep;
    const char *but;
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

static bool name_part(const char *name, uint64_t *ret_index)
{
    char again[RLOG_SNAPSHOT_NAME_MAX];
    uint64_t identity;

    if (sscanf(name, "snap-%16" SCNx64 "-%16" SCNx64 ".part", ret_index, &identity) != 2) {
        return false;
    }
    rlog_snapshot_name_part(again, *ret_index, identity);
    return strcmp(name, again) == 0;
}

static bool is_wanted(const struct listing *listing, const char *name)
{
    uint64_t index = 0;

    switch (listing->wanted) {
    case HALF_WRITTEN:
        return name_beside(name);
    case REPLACED:
        return (name_read(name, &index) && index != listing->keep) ||
               (name_part(name, &index) && index <= listing->keep);
    case ARRIVED:
        return name_part(name, &index) && strcmp(name, listing->but) != 0;
    }
    UNREACHABLE("nothing else is collected");
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
    if (listing->removable_count < REMOVE_AT_ONCE && is_wanted(listing, name)) {
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
    struct listing listing = {.wanted = HALF_WRITTEN};
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
    struct listing listing = {.wanted = REPLACED, .keep = index};

    return folder_clean(env, folder, &listing);
}

int rlog_snapshots_drop_parts(struct env *env, const char *folder, const char *but)
{
    struct listing listing = {.wanted = ARRIVED, .but = but};

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

static int file_open(struct env *env, const char *folder, uint64_t index,
                     struct env_file **ret_file)
{
    char name[RLOG_SNAPSHOT_NAME_MAX], path[RLOG_FILE_PATH_MAX];

    rlog_snapshot_name(name, index);
    return rlog_path(path, folder, name) ? env_file_open(env, path, ENV_OPEN_READ, ret_file)
                                         : ENV_INVALID;
}

int rlog_snapshot_file_read(struct env *env, const char *folder, uint64_t index, uint64_t offset,
                            void *buffer, size_t capacity, size_t *ret_size)
{
    struct env_file *file;
    int rc = file_open(env, folder, index, &file);

    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_read(file, offset, buffer, capacity, ret_size);
    env_file_close(file);
    return rc;
}

int rlog_snapshot_file_tell(struct env *env, const char *folder, uint64_t index, uint64_t *ret_size,
                            uint64_t *ret_identity)
{
    uint8_t tail[RLOG_SEALED_TAIL];
    struct base_reader reader;
    struct env_file *file;
    size_t size = 0;
    int rc = file_open(env, folder, index, &file);

    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_size(file, ret_size);
    if (rc == ENV_OK && *ret_size < sizeof tail) {
        rc = ENV_INVALID;
    }
    if (rc == ENV_OK) {
        rc = env_file_read(file, *ret_size - sizeof tail, tail, sizeof tail, &size);
    }
    env_file_close(file);
    if (rc == ENV_OK) {
        base_reader_init(&reader, bytes_of(tail, size));
        *ret_identity = base_read_u64(&reader);
        rc = reader.failed ? ENV_INVALID : ENV_OK;
    }
    return rc;
}

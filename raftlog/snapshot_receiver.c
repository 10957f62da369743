/* Takes in a snapshot file that a leader sends, goes on with what arrived of it before, and makes
 * it one of ours only when it is whole. Knows no connection.
 */
#include "base/assert.h"
#include "env/disk.h"
#include "env/fault.h"
#include "raftlog/path.h"
#include "raftlog/snapshot_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rlog_snapshot_receiver {
    struct env *env;
    char folder[RLOG_FOLDER_MAX];
    char part[RLOG_SNAPSHOT_NAME_MAX];
    char path[RLOG_FILE_PATH_MAX];
    uint64_t index;
    uint64_t identity;
    struct env_file *file; /* NULL once it is finished or dropped */
    uint64_t offset;
};

/* What arrived before, cut off behind its last whole block; or a new file. */
static int part_open(struct rlog_snapshot_receiver *receiver)
{
    struct env *env = receiver->env;
    int rc = rlog_snapshot_measure(env, receiver->path, receiver->index, &receiver->offset);

    if (rc == ENV_NOT_FOUND) {
        return env_file_open(env, receiver->path, ENV_OPEN_CREATE, &receiver->file);
    }
    if (rc == ENV_OK) {
        rc = env_file_open(env, receiver->path, ENV_OPEN_WRITE, &receiver->file);
    }
    if (rc == ENV_OK) {
        rc = env_file_truncate(receiver->file, receiver->offset);
    }
    return rc;
}

int rlog_snapshot_receiver_create(struct env *env, const char *folder, uint64_t index,
                                  uint64_t identity, struct rlog_snapshot_receiver **ret_receiver,
                                  uint64_t *ret_offset)
{
    struct rlog_snapshot_receiver *receiver = malloc(sizeof *receiver);
    int rc = ENV_INVALID;

    ASSERT(receiver != NULL);
    memset(receiver, 0, sizeof *receiver);
    receiver->env = env;
    receiver->index = index;
    receiver->identity = identity;
    rlog_snapshot_name_part(receiver->part, index, identity);
    if (rlog_path(receiver->path, folder, receiver->part)) {
        memcpy(receiver->folder, folder, strlen(folder) + 1);
        rc = rlog_snapshots_drop_parts(env, folder, receiver->part);
    }
    if (rc == ENV_OK) {
        rc = part_open(receiver);
    }
    if (rc != ENV_OK) {
        rlog_snapshot_receiver_destroy(receiver);
        return rc;
    }
    *ret_receiver = receiver;
    *ret_offset = receiver->offset;
    return ENV_OK;
}

int rlog_snapshot_receiver_append(struct rlog_snapshot_receiver *receiver, struct bytes piece)
{
    int rc;

    env_fault(receiver->env, "snapshot.before_append");
    rc = env_file_write(receiver->file, receiver->offset, piece);
    if (rc == ENV_OK) {
        receiver->offset += piece.size;
    }
    return rc;
}

/* Tells what the machine refuses from what is damaged. */
struct feeding {
    int (*feed)(void *arg, struct bytes piece);
    void *arg;
    bool refused;
};

static int feed_on(void *arg, struct bytes piece)
{
    struct feeding *feeding = arg;
    int rc = feeding->feed(feeding->arg, piece);

    feeding->refused = rc < 0;
    return rc;
}

int rlog_snapshot_receiver_finish(struct rlog_snapshot_receiver *receiver,
                                  int (*feed)(void *arg, struct bytes piece), void *arg,
                                  struct rlog_snapshot_info *ret_info, char *error,
                                  size_t error_size)
{
    struct feeding feeding = {.feed = feed, .arg = arg};
    int rc = rlog_snapshot_walk(receiver->env, receiver->path, feed_on, &feeding, ret_info);

    if (feeding.refused) {
        (void)snprintf(error, error_size,
                       "snapshot %" PRIu64 " is whole, but not understood by this program: upgrade "
                       "this node, its data is untouched",
                       receiver->index);
        return ENV_LIMIT;
    }
    if (rc == ENV_OK &&
        (ret_info->meta.index != receiver->index || ret_info->identity != receiver->identity)) {
        rc = ENV_INVALID;
    }
    if (rc == ENV_INVALID || rc == ENV_LIMIT) {
        (void)snprintf(
            error, error_size, "the snapshot %" PRIu64 " that arrived is %s", receiver->index,
            rc == ENV_LIMIT ? "of a format that this program does not know" : "not whole");
        rlog_snapshot_receiver_drop(receiver);
        return ENV_INVALID;
    }
    if (rc == ENV_OK) {
        rc = rlog_snapshot_settle(receiver->env, receiver->folder, receiver->file, receiver->part,
                                  receiver->index);
    }
    if (rc != ENV_OK) {
        (void)snprintf(error, error_size, "the snapshot %" PRIu64 " that arrived: %s",
                       receiver->index, env_error_text(rc));
        return rc;
    }
    env_file_close(receiver->file);
    receiver->file = NULL;
    return ENV_OK;
}

void rlog_snapshot_receiver_drop(struct rlog_snapshot_receiver *receiver)
{
    if (receiver->file != NULL) {
        env_file_close(receiver->file);
        receiver->file = NULL;
        (void)env_remove(receiver->env, receiver->path); /* or with the next image's arrival */
    }
}

void rlog_snapshot_receiver_destroy(struct rlog_snapshot_receiver *receiver)
{
    if (receiver != NULL) {
        env_file_close(receiver->file);
        free(receiver);
    }
}

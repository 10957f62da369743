/* Takes in a snapshot file that a leader sends, and makes it one of ours only when it is whole.
 * Knows no connection.
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
    char beside[RLOG_SNAPSHOT_NAME_MAX];
    char path[RLOG_FILE_PATH_MAX];
    uint64_t index;
    struct env_file *file; /* NULL once it is finished */
    uint64_t offset;
};

int rlog_snapshot_receiver_create(struct env *env, const char *folder, uint64_t index,
                                  struct rlog_snapshot_receiver **ret_receiver)
{
    struct rlog_snapshot_receiver *receiver = malloc(sizeof *receiver);
    int rc = ENV_INVALID;

    ASSERT(receiver != NULL);
    memset(receiver, 0, sizeof *receiver);
    receiver->env = env;
    receiver->index = index;
    rlog_snapshot_name_beside(receiver->beside, index, 0);
    if (rlog_path(receiver->path, folder, receiver->beside)) {
        memcpy(receiver->folder, folder, strlen(folder) + 1);
        (void)env_remove(env, receiver->path); /* of an earlier try that was not tidied up */
        rc = env_file_open(env, receiver->path, ENV_OPEN_CREATE, &receiver->file);
    }
    if (rc != ENV_OK) {
        free(receiver);
        return rc;
    }
    *ret_receiver = receiver;
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

int rlog_snapshot_receiver_finish(struct rlog_snapshot_receiver *receiver,
                                  struct rlog_snapshot_info *ret_info, char *error,
                                  size_t error_size)
{
    int rc = rlog_snapshot_walk(receiver->env, receiver->path, NULL, NULL, ret_info);

    if (rc == ENV_OK && ret_info->meta.index != receiver->index) {
        rc = ENV_INVALID;
    }
    if (rc == ENV_INVALID || rc == ENV_LIMIT) {
        (void)snprintf(
            error, error_size, "the snapshot %" PRIu64 " that arrived is %s", receiver->index,
            rc == ENV_LIMIT ? "of a format that this program does not know" : "not whole");
        return ENV_INVALID;
    }
    if (rc == ENV_OK) {
        rc = rlog_snapshot_settle(receiver->env, receiver->folder, receiver->file, receiver->beside,
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

void rlog_snapshot_receiver_destroy(struct rlog_snapshot_receiver *receiver)
{
    if (receiver == NULL) {
        return;
    }
    if (receiver->file != NULL) {
        env_file_close(receiver->file);
        (void)env_remove(receiver->env, receiver->path); /* or at the next start */
    }
    free(receiver);
}

/* The image that a data folder is born with, where a cluster is restored: written as the snapshot
 * that the log begins behind, and read from the file of a backup. Knows no machine and no key.
 */
#include "base/assert.h"
#include "env/disk.h"
#include "raftlog/path.h"
#include "raftlog/raftlog.h"
#include "raftlog/rlog.h"
#include "raftlog/snapshot_format.h"
#include "raftlog/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

struct image_file {
    struct env_file *file;
    struct rlog_snapshot_chain chain;
    uint64_t offset;
    int rc;
    uint8_t *raw; /* the chunk that fills up */
    size_t raw_size;
    uint8_t *block;
    uint8_t *scratch;
};

static void append(struct image_file *image, size_t size)
{
    if (image->rc == ENV_OK) {
        image->rc = env_file_write(image->file, image->offset, bytes_of(image->block, size));
        image->offset += size;
    }
}

static void flush(struct image_file *image)
{
    if (image->raw_size > 0) {
        append(image, rlog_snapshot_put_chunk(&image->chain, bytes_of(image->raw, image->raw_size),
                                              image->block, image->scratch));
        image->raw_size = 0;
    }
}

static void take_piece(void *arg, struct bytes piece)
{
    struct image_file *image = arg;

    while (piece.size > 0) {
        size_t room = RLOG_SNAPSHOT_CHUNK - image->raw_size;
        size_t size = piece.size < room ? piece.size : room;

        memcpy(image->raw + image->raw_size, piece.data, size);
        image->raw_size += size;
        piece = bytes_of(piece.data + size, piece.size - size);
        if (image->raw_size == RLOG_SNAPSHOT_CHUNK) {
            flush(image);
        }
    }
}

/* `configuration`: what would have been entry 1; the snapshot stands for it. */
static void write_all(struct image_file *image, const struct rlog_birth *birth,
                      struct bytes configuration)
{
    const struct rlog_snapshot_meta meta = {.index = RLOG_IMAGE_INDEX,
                                            .term = RLOG_IMAGE_TERM,
                                            .configuration_index = 1,
                                            .configuration = configuration};

    append(image, rlog_snapshot_put_head(&image->chain, &meta, image->block));
    birth->image->write(birth->image->arg, take_piece, image);
    flush(image);
    append(image, rlog_snapshot_put_end(&image->chain, image->block));
}

int rlog_image_format(struct env *env, const char *folder, const struct rlog_birth *birth,
                      struct bytes configuration)
{
    char snapshots[RLOG_FILE_PATH_MAX], path[RLOG_FILE_PATH_MAX];
    char beside[RLOG_SNAPSHOT_NAME_MAX];
    struct image_file image = {.rc = ENV_INVALID};

    rlog_snapshot_name_beside(beside, RLOG_IMAGE_INDEX, 0);
    if (rlog_path(snapshots, folder, "snapshots") && rlog_path(path, snapshots, beside)) {
        image.rc = env_file_open(env, path, ENV_OPEN_CREATE, &image.file);
    }
    if (image.rc != ENV_OK) {
        return image.rc;
    }
    image.raw = malloc(RLOG_SNAPSHOT_CHUNK);
    image.block = malloc(RLOG_SNAPSHOT_BLOCK_MAX);
    image.scratch = malloc(RLOG_SNAPSHOT_BLOCK_MAX);
    ASSERT(image.raw != NULL && image.block != NULL && image.scratch != NULL);
    write_all(&image, birth, configuration);
    if (image.rc == ENV_OK) {
        image.rc = rlog_snapshot_settle(env, snapshots, image.file, beside, RLOG_IMAGE_INDEX);
    }
    env_file_close(image.file);
    free(image.raw);
    free(image.block);
    free(image.scratch);
    return image.rc;
}

/* ---- reading ---- */

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

int rlog_image_read(struct env *env, const char *path, int (*feed)(void *arg, struct bytes piece),
                    void *arg, char *error, size_t error_size)
{
    struct rlog_snapshot_info *info = malloc(sizeof *info);
    struct feeding feeding = {.feed = feed, .arg = arg};
    int rc;

    ASSERT(info != NULL);
    rc = rlog_snapshot_walk(env, path, feed_on, &feeding, info);
    free(info);
    if (feeding.refused) {
        return rc; /* it has said why, where its caller looks */
    }
    if (rc == ENV_INVALID || rc == ENV_LIMIT) {
        (void)snprintf(error, error_size, "%s: %s", path,
                       rc == ENV_INVALID ? "the image is damaged"
                                         : "the image is damaged, or of a format that this "
                                           "program does not know");
    } else if (rc != ENV_OK) {
        (void)snprintf(error, error_size, "%s: %s", path, env_error_text(rc));
    }
    return rc;
}

int rlog_snapshot_read(struct env *env, const char *folder, uint64_t index, uint64_t offset,
                       void *buffer, size_t capacity, size_t *ret_size)
{
    char snapshots[RLOG_FILE_PATH_MAX];

    return rlog_path(snapshots, folder, "snapshots")
               ? rlog_snapshot_file_read(env, snapshots, index, offset, buffer, capacity, ret_size)
               : ENV_INVALID;
}

/* Writes a snapshot from the machine's pieces: chunks gather on the loop and are packed and written
 * in queued work. Knows nothing of when a snapshot is due.
 *
 *   GATHERING ──finish──▶ ENDING ──all written, file durable──▶ DONE
 *       └───────────── a failure ──────────────┴──────────────▶ FAILED
 *
 * The file beside is created by the first work. Giving up closes and removes it, in queued work
 * too.
 */
#include "base/assert.h"
#include "base/list.h"
#include "env/disk.h"
#include "env/fault.h"
#include "env/random.h"
#include "env/work.h"
#include "raftlog/path.h"
#include "raftlog/snapshot_format.h"

#include <stdlib.h>
#include <string.h>

struct chunk {
    struct list link;
    size_t size;
    uint8_t data[];
};

enum writer_state { GATHERING, ENDING, DONE, FAILED };

struct rlog_snapshot_writer {
    struct env *env;
    char folder[RLOG_FOLDER_MAX];
    char beside[RLOG_SNAPSHOT_NAME_MAX];
    struct rlog_snapshot_info info;
    void (*done)(void *arg, int rc);
    void *arg;
    enum writer_state state;
    bool destroyed;
    struct list link; /* among those that were left while their work is under way */
    size_t block_bytes;
    struct chunk *filling; /* not full yet, or NULL */
    struct list full;
    uint64_t pending_bytes;

    /* The work's, while it is under way. */
    struct env_work work;
    bool busy;
    bool ends; /* this work writes the end */
    struct list writing;
    struct env_file *file;
    uint64_t offset;
    struct rlog_snapshot_chain chain;
    uint8_t *block;
    uint8_t *scratch;
    int rc;
};

static void *take_memory(size_t size)
{
    void *memory = malloc(size);

    ASSERT(memory != NULL);
    return memory;
}

static uint64_t chunks_free(struct list *chunks)
{
    uint64_t bytes = 0;

    LIST_FOR_EACH_SAFE(node, following, chunks)
    {
        struct chunk *chunk = LIST_ENTRY(node, struct chunk, link);

        bytes += chunk->size;
        list_remove(node);
        free(chunk);
    }
    return bytes;
}

static void writer_free(struct rlog_snapshot_writer *writer)
{
    list_remove(&writer->link);
    (void)chunks_free(&writer->full);
    (void)chunks_free(&writer->writing);
    free(writer->filling);
    env_file_close(writer->file);
    free(writer->block);
    free(writer->scratch);
    free(writer);
}

/* ---- the work ---- */

static int block_write(struct rlog_snapshot_writer *writer, size_t size)
{
    int rc;

    env_fault(writer->env, "snapshot.before_write");
    rc = env_file_write(writer->file, writer->offset, bytes_of(writer->block, size));
    writer->offset += size;
    return rc;
}

static int file_begin(struct rlog_snapshot_writer *writer)
{
    char path[RLOG_FILE_PATH_MAX];
    int rc;

    (void)rlog_path(path, writer->folder, writer->beside);
    rc = env_file_open(writer->env, path, ENV_OPEN_CREATE, &writer->file);
    return rc == ENV_OK
               ? block_write(writer, rlog_snapshot_put_head(&writer->chain, &writer->info.meta,
                                                            writer->block))
               : rc;
}

static int file_end(struct rlog_snapshot_writer *writer)
{
    int rc = block_write(writer, rlog_snapshot_put_end(&writer->chain, writer->block));

    return rc == ENV_OK ? rlog_snapshot_settle(writer->env, writer->folder, writer->file,
                                               writer->beside, writer->info.meta.index)
                        : rc;
}

static void run(struct env_work *work)
{
    struct rlog_snapshot_writer *writer = work->arg;
    int rc = writer->file == NULL ? file_begin(writer) : ENV_OK;

    LIST_FOR_EACH(node, &writer->writing)
    {
        const struct chunk *chunk = LIST_ENTRY(node, struct chunk, link);

        if (rc != ENV_OK) {
            break;
        }
        rc = block_write(writer,
                         rlog_snapshot_put_chunk(&writer->chain, bytes_of(chunk->data, chunk->size),
                                                 writer->block, writer->scratch));
    }
    if (rc == ENV_OK && writer->ends) {
        rc = file_end(writer);
    }
    writer->rc = rc;
}

static void give_up_run(struct env_work *work)
{
    struct rlog_snapshot_writer *writer = work->arg;
    char path[RLOG_FILE_PATH_MAX];

    (void)rlog_path(path, writer->folder, writer->beside);
    (void)env_remove(writer->env, path); /* what stays is removed at the next start */
}

static void give_up_done(struct env_work *work)
{
    writer_free(work->arg);
}

/* Nobody waits for this any more. */
static void give_up(struct rlog_snapshot_writer *writer)
{
    if (writer->file == NULL || writer->state == DONE) {
        writer_free(writer);
        return;
    }
    writer->work.run = give_up_run;
    writer->work.done = give_up_done;
    env_work_submit(writer->env, &writer->work);
}

static void submit(struct rlog_snapshot_writer *writer)
{
    if (writer->busy || writer->state == DONE || writer->state == FAILED ||
        (list_empty(&writer->full) && writer->state == GATHERING && writer->file != NULL)) {
        return;
    }
    LIST_FOR_EACH_SAFE(node, following, &writer->full)
    {
        list_remove(node);
        list_append(&writer->writing, node);
    }
    writer->ends = writer->state == ENDING;
    writer->busy = true;
    env_work_submit(writer->env, &writer->work);
}

static void work_done(struct env_work *work)
{
    struct rlog_snapshot_writer *writer = work->arg;

    writer->busy = false;
    writer->pending_bytes -= chunks_free(&writer->writing);
    if (writer->rc != ENV_OK) {
        writer->state = FAILED;
    } else if (writer->ends) {
        writer->state = DONE;
    }
    if (writer->destroyed) {
        give_up(writer);
    } else if (writer->state == DONE || writer->state == FAILED) {
        writer->done(writer->arg, writer->rc);
    } else {
        submit(writer);
    }
}

/* ---- the loop's calls ---- */

struct rlog_snapshot_writer *rlog_snapshot_writer_create(struct env *env, const char *folder,
                                                         const struct rlog_snapshot_meta *meta,
                                                         void (*done)(void *arg, int rc), void *arg)
{
    struct rlog_snapshot_writer *writer = take_memory(sizeof *writer);
    uint32_t tag;

    ASSERT(strlen(folder) < sizeof writer->folder);
    ASSERT(meta->configuration.size <= sizeof writer->info.configuration_bytes);
    memset(writer, 0, sizeof *writer);
    writer->env = env;
    memcpy(writer->folder, folder, strlen(folder) + 1);
    env_random(env, &tag, sizeof tag); /* one that was given up may still be on its way out */
    rlog_snapshot_name_beside(writer->beside, meta->index, tag | 1);
    writer->info.meta = *meta;
    if (meta->configuration.size > 0) {
        memcpy(writer->info.configuration_bytes, meta->configuration.data,
               meta->configuration.size);
    }
    writer->info.meta.configuration.data = writer->info.configuration_bytes;
    writer->block_bytes = RLOG_SNAPSHOT_CHUNK;
    writer->done = done;
    writer->arg = arg;
    list_init(&writer->link);
    list_init(&writer->full);
    list_init(&writer->writing);
    writer->block = take_memory(RLOG_SNAPSHOT_BLOCK_MAX);
    writer->scratch = take_memory(RLOG_SNAPSHOT_BLOCK_MAX);
    writer->work = (struct env_work){.run = run, .done = work_done, .arg = writer};
    submit(writer);
    return writer;
}

void rlog_snapshot_writer_pack(struct rlog_snapshot_writer *writer, size_t block_bytes)
{
    ASSERT(writer->filling == NULL && block_bytes > 0 && block_bytes <= RLOG_SNAPSHOT_CHUNK);
    writer->block_bytes = block_bytes;
}

void rlog_snapshot_writer_piece(struct rlog_snapshot_writer *writer, struct bytes piece)
{
    ASSERT(writer->state == GATHERING || writer->state == FAILED);
    while (piece.size > 0 && writer->state == GATHERING) {
        struct chunk *chunk = writer->filling;
        size_t size;

        if (chunk == NULL) {
            chunk = writer->filling = take_memory(sizeof *chunk + writer->block_bytes);
            list_init(&chunk->link);
            chunk->size = 0;
        }
        size = writer->block_bytes - chunk->size;
        size = piece.size < size ? piece.size : size;
        memcpy(chunk->data + chunk->size, piece.data, size);
        chunk->size += size;
        piece = bytes_of(piece.data + size, piece.size - size);
        writer->pending_bytes += size;
        if (chunk->size == writer->block_bytes) {
            list_append(&writer->full, &chunk->link);
            writer->filling = NULL;
        }
    }
    submit(writer);
}

uint64_t rlog_snapshot_writer_identity(const struct rlog_snapshot_writer *writer)
{
    ASSERT(writer->state == DONE);
    return writer->chain.hash;
}

uint64_t rlog_snapshot_writer_pending(const struct rlog_snapshot_writer *writer)
{
    return writer->pending_bytes;
}

void rlog_snapshot_writer_finish(struct rlog_snapshot_writer *writer)
{
    ASSERT(writer->state == GATHERING || writer->state == FAILED);
    if (writer->state == FAILED) {
        return;
    }
    if (writer->filling != NULL) {
        list_append(&writer->full, &writer->filling->link);
        writer->filling = NULL;
    }
    writer->state = ENDING;
    submit(writer);
}

/* A crashed env never gives work back. */
static bool has_crashed(const struct rlog_snapshot_writer *writer)
{
    uint64_t bytes;

    return env_disk_free(writer->env, writer->folder, &bytes) == ENV_CRASHED;
}

void rlog_snapshot_writer_leave(struct rlog_snapshot_writer *writer, struct list *left)
{
    if (writer == NULL) {
        return;
    }
    if (has_crashed(writer)) {
        writer_free(writer);
        return;
    }
    list_append(left, &writer->link);
    writer->destroyed = true;
    if (!writer->busy) {
        give_up(writer);
    }
}

void rlog_snapshot_writer_destroy(struct rlog_snapshot_writer *writer)
{
    struct list alone;

    list_init(&alone);
    rlog_snapshot_writer_leave(writer, &alone);
    rlog_snapshot_writers_forget(&alone);
}

void rlog_snapshot_writers_forget(struct list *left)
{
    LIST_FOR_EACH_SAFE(at, following, left)
    {
        struct rlog_snapshot_writer *writer = LIST_ENTRY(at, struct rlog_snapshot_writer, link);

        list_remove(at);
        if (has_crashed(writer)) {
            writer_free(writer);
        }
    }
}

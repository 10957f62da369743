/* The log's blocking half: segments, batches, mark, each durable when its function returns. Runs in
 * queued work, and at start; knows nothing of the loop.
 *
 * Order of syncs
 *   1. A segment gets its name when its head is durable, and a batch when its segment's name is.
 *   2. A batch is written when the batch before it is durable: so batch n proves batches 1..n - 1.
 *   3. A mark is written when its batch is durable.
 *
 * A full disk: NO_SPACE is said only where nothing was promised yet, and the same call may be made
 * again; whatever it left behind is written over. A sync that finds no space has failed like any
 * other (IO): what it covered is never trusted again.
 */
#include "base/assert.h"
#include "base/sat.h"
#include "env/fault.h"
#include "raftlog/log_state.h"

#include <stdlib.h>
#include <string.h>

static const char spare_name[] = "spare";
static const char mark_name[] = "mark";

int rlog_disk_init(struct rlog_log_disk *disk, struct env *env,
                   const struct rlog_log_config *config)
{
    size_t size = strlen(config->folder) + 1;

    ASSERT(config->segment_bytes >= 2 * RLOG_BLOCK);
    memset(disk, 0, sizeof *disk);
    disk->env = env;
    disk->key = rlog_store_key(config->store_id);
    disk->segment_bytes = rlog_blocks_up(config->segment_bytes);
    if (size > RLOG_FOLDER_MAX) {
        return ENV_INVALID;
    }
    disk->folder = rlog_grow(NULL, size);
    memcpy(disk->folder, config->folder, size);
    return ENV_OK;
}

void rlog_disk_done(struct rlog_log_disk *disk)
{
    env_file_close(disk->tail);
    free(disk->folder);
    free(disk->buffer);
    disk->tail = NULL;
    disk->folder = NULL;
    disk->buffer = NULL;
}

static int failed(struct rlog_log_disk *disk, int rc, const char *at)
{
    if (rc != ENV_OK) {
        disk->failed_at = at;
    }
    return rc;
}

/* What a sync says. */
static int synced(int rc)
{
    return rc == ENV_NO_SPACE ? ENV_IO : rc;
}

static void buffer_reserve(struct rlog_log_disk *disk, size_t size)
{
    if (disk->buffer_size < size) {
        disk->buffer = rlog_grow(disk->buffer, size);
        disk->buffer_size = size;
    }
}

/* ---- segments ---- */

static int spare_create(const struct rlog_log_disk *disk, uint64_t bytes,
                        struct env_file **ret_file)
{
    char path[RLOG_FILE_PATH_MAX];
    struct env_file *file;
    int rc;

    (void)rlog_path(path, disk->folder, spare_name);
    rc = env_remove(disk->env, path);
    if (rc != ENV_OK && rc != ENV_NOT_FOUND) {
        return rc;
    }
    rc = env_file_open(disk->env, path, ENV_OPEN_CREATE, &file);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_allocate(file, bytes);
    if (rc != ENV_OK) {
        env_file_close(file);
        (void)env_remove(disk->env, path); /* a full disk gets its space back */
        return rc;
    }
    *ret_file = file;
    return ENV_OK;
}

/* The one that an earlier process prepared: its space is ours already. Only its head was ever
 * written, and that is written again. NOT_FOUND: there is none of this size. */
static int spare_find(const struct rlog_log_disk *disk, struct env_file **ret_file)
{
    char path[RLOG_FILE_PATH_MAX];
    struct env_file *file;
    uint64_t size = 0;
    int rc;

    (void)rlog_path(path, disk->folder, spare_name);
    rc = env_file_open(disk->env, path, ENV_OPEN_WRITE, &file);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_size(file, &size);
    if (rc == ENV_OK && size == disk->segment_bytes) {
        rc = env_file_allocate(file, size);
    } else if (rc == ENV_OK) {
        rc = ENV_NOT_FOUND;
    }
    if (rc != ENV_OK) {
        env_file_close(file);
        return rc;
    }
    *ret_file = file;
    return ENV_OK;
}

int rlog_disk_spare(const struct rlog_log_disk *disk)
{
    struct env_file *file;
    int rc;

    env_fault(disk->env, "log.before_spare");
    rc = spare_find(disk, &file);
    if (rc == ENV_NOT_FOUND) {
        rc = spare_create(disk, disk->segment_bytes, &file);
    }
    if (rc != ENV_OK) {
        return rc;
    }
    rc = synced(env_file_sync(file));
    env_file_close(file);
    env_fault(disk->env, "log.after_spare");
    return rc;
}

/* Gives the spare file its head, makes that durable, then its name, then that. */
static int segment_make(struct rlog_log_disk *disk, struct env_file *file, uint64_t *ret_chain)
{
    struct rlog_segment_head head = {.number = disk->number + 1, .before = disk->point};
    char name[RLOG_SEGMENT_NAME_MAX], from[RLOG_FILE_PATH_MAX], to[RLOG_FILE_PATH_MAX];
    uint8_t block[RLOG_BLOCK];
    int rc;

    rlog_segment_name(name, head.number, disk->point.index + 1);
    (void)rlog_path(from, disk->folder, spare_name);
    (void)rlog_path(to, disk->folder, name);
    *ret_chain = rlog_segment_head_write(block, &disk->key, &head);
    rc = env_file_write(file, 0, bytes_of(block, sizeof block));
    if (rc != ENV_OK) {
        return rc;
    }
    env_fault(disk->env, "log.segment_written");
    rc = synced(env_file_sync(file));
    if (rc != ENV_OK) {
        return rc;
    }
    env_fault(disk->env, "log.segment_synced");
    rc = env_rename(disk->env, from, to);
    if (rc != ENV_OK) {
        return rc;
    }
    disk->spare_ready = false; /* it has another name */
    env_fault(disk->env, "log.segment_named");
    return synced(env_folder_sync(disk->env, disk->folder));
}

int rlog_disk_roll(struct rlog_log_disk *disk, uint64_t body_bytes)
{
    uint64_t capacity = u64_max(disk->segment_bytes,
                                RLOG_BLOCK + rlog_blocks_up(RLOG_BATCH_HEAD + body_bytes));
    char path[RLOG_FILE_PATH_MAX];
    struct env_file *file = NULL;
    uint64_t chain;
    int rc;

    env_fault(disk->env, "log.before_roll");
    if (disk->spare_ready && capacity == disk->segment_bytes) {
        (void)rlog_path(path, disk->folder, spare_name);
        rc = env_file_open(disk->env, path, ENV_OPEN_WRITE, &file);
    } else {
        disk->spare_ready = false;
        rc = spare_create(disk, capacity, &file);
    }
    if (rc != ENV_OK) {
        return failed(disk, rc, "creating a segment");
    }
    rc = segment_make(disk, file, &chain);
    if (rc != ENV_OK) {
        env_file_close(file);
        return failed(disk, rc, "writing the head of a segment");
    }
    env_fault(disk->env, "log.after_roll");
    env_file_close(disk->tail);
    disk->tail = file;
    disk->capacity = capacity;
    disk->offset = RLOG_BLOCK;
    disk->number++;
    disk->point.chain = chain;
    return ENV_OK;
}

int rlog_disk_sweep(const struct rlog_log_disk *disk, const struct rlog_segment *segments,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[RLOG_SEGMENT_NAME_MAX], path[RLOG_FILE_PATH_MAX];
        int rc;

        rlog_segment_name(name, segments[i].number, segments[i].index);
        (void)rlog_path(path, disk->folder, name);
        env_fault(disk->env, "log.before_remove");
        rc = env_remove(disk->env, path);
        if (rc != ENV_OK && rc != ENV_NOT_FOUND) {
            return rc;
        }
    }
    env_fault(disk->env, "log.after_remove");
    return env_folder_sync(disk->env, disk->folder);
}

/* ---- batches ---- */

uint64_t rlog_disk_record_bytes(const struct rlog_item *item)
{
    return RLOG_RECORD_EXTRA + item->size;
}

bool rlog_disk_fits(const struct rlog_log_disk *disk, uint64_t body_bytes)
{
    return rlog_blocks_up(RLOG_BATCH_HEAD + body_bytes) <= disk->capacity - disk->offset;
}

/* Encodes the batch into the buffer, padded to whole blocks; returns where the log will stand. */
static struct rlog_log_point batch_encode(struct rlog_log_disk *disk, const struct list *items,
                                          struct rlog_batch_head *head, size_t size)
{
    struct rlog_log_point point = disk->point;
    uint8_t *at = disk->buffer + RLOG_BATCH_HEAD;

    point.batch++;
    point.chain = rlog_batch_head_write(disk->buffer, &disk->key, head);
    LIST_FOR_EACH(node, items)
    {
        const struct rlog_item *item = LIST_ENTRY(node, struct rlog_item, link);
        struct rlog_record record = {.type = item->type,
                                     .index = item->index,
                                     .term = item->term,
                                     .payload = bytes_of(item->data, item->size)};

        point.chain = rlog_record_write(at, &disk->key, point.chain, &record);
        point.index = item->index;
        point.term = item->term;
        at += rlog_disk_record_bytes(item);
    }
    memset(at, 0, (size_t)(disk->buffer + size - at));
    return point;
}

int rlog_disk_batch(struct rlog_log_disk *disk, const struct list *items)
{
    struct rlog_batch_head head = {.body_bytes = 0};
    struct rlog_log_point point;
    size_t size;
    int rc;

    LIST_FOR_EACH(node, items)
    {
        const struct rlog_item *item = LIST_ENTRY(node, struct rlog_item, link);

        head.body_bytes += (uint32_t)rlog_disk_record_bytes(item);
        head.record_count++;
    }
    rc = rlog_disk_fits(disk, head.body_bytes) ? ENV_OK : rlog_disk_roll(disk, head.body_bytes);
    if (rc != ENV_OK) {
        return rc;
    }
    head.before = disk->point;
    size = (size_t)rlog_blocks_up(RLOG_BATCH_HEAD + head.body_bytes);
    buffer_reserve(disk, size);
    point = batch_encode(disk, items, &head, size);
    env_fault(disk->env, "log.before_write");
    rc = env_file_write(disk->tail, disk->offset, bytes_of(disk->buffer, size));
    if (rc != ENV_OK) {
        return failed(disk, rc, "writing a batch");
    }
    env_fault(disk->env, "log.before_sync");
    rc = synced(env_file_sync(disk->tail));
    if (rc != ENV_OK) {
        return failed(disk, rc, "syncing a batch");
    }
    env_fault(disk->env, "log.after_sync");
    disk->offset += size;
    disk->point = point;
    return ENV_OK;
}

/* ---- the mark ---- */

int rlog_disk_mark(const struct rlog_log_disk *disk, struct env_file *file, unsigned slot,
                   const struct rlog_log_point *point)
{
    uint8_t block[RLOG_BLOCK];
    int rc;

    rlog_mark_write(block, &disk->key, point);
    env_fault(disk->env, "log.before_mark");
    rc = env_file_write(file, (uint64_t)slot * RLOG_MARK_STRIDE, bytes_of(block, sizeof block));
    if (rc != ENV_OK) {
        return rc;
    }
    env_fault(disk->env, "log.mark_written");
    rc = synced(env_file_sync(file));
    env_fault(disk->env, "log.mark_synced");
    return rc;
}

/* ---- birth ---- */

/* Both slots; the second time when the first entry is durable. */
static int marks_write(struct rlog_log_disk *disk, struct env_file *file)
{
    for (unsigned slot = 0; slot < RLOG_MARK_SLOTS; slot++) {
        int rc = rlog_disk_mark(disk, file, slot, &disk->point);

        if (rc != ENV_OK) {
            return rc;
        }
    }
    return ENV_OK;
}

static int format(struct rlog_log_disk *disk, struct list *items)
{
    char path[RLOG_FILE_PATH_MAX];
    struct env_file *file;
    int rc;

    (void)rlog_path(path, disk->folder, mark_name);
    rc = env_file_open(disk->env, path, ENV_OPEN_CREATE, &file);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = rlog_disk_roll(disk, 0);
    if (rc == ENV_OK && !list_empty(items)) {
        rc = rlog_disk_batch(disk, items);
    }
    if (rc == ENV_OK) {
        rc = marks_write(disk, file);
    }
    env_file_close(file);
    return rc == ENV_OK ? env_folder_sync(disk->env, disk->folder) : rc;
}

int rlog_log_format(struct env *env, const struct rlog_log_config *config, uint64_t index,
                    uint64_t term, const struct rlog_log_entry *first)
{
    struct rlog_log_disk disk;
    struct rlog_item *item = NULL;
    struct list items;
    int rc = rlog_disk_init(&disk, env, config);

    if (rc != ENV_OK) {
        return rc;
    }
    disk.point.index = index;
    disk.point.term = term;
    list_init(&items);
    if (first != NULL) {
        item = rlog_item_create(first->type, index + 1, first->term, first->payload);
        list_append(&items, &item->link);
    }
    rc = format(&disk, &items);
    if (item != NULL) {
        rlog_item_release(item);
    }
    rlog_disk_done(&disk);
    return rc;
}

/* ---- beginning anew ---- */

enum { REMOVE_AT_ONCE = 16, FILE_NAME_MAX = 64 };

struct leftovers {
    char names[REMOVE_AT_ONCE][FILE_NAME_MAX];
    size_t count;
};

static void leftover(void *arg, const char *name)
{
    struct leftovers *leftovers = arg;

    if (leftovers->count < REMOVE_AT_ONCE && strlen(name) < FILE_NAME_MAX) {
        memcpy(leftovers->names[leftovers->count++], name, strlen(name) + 1);
    }
}

/* Whatever we ever gave a name; the names of others are longer, or theirs to remove. */
static int folder_empty(struct env *env, const char *folder)
{
    struct leftovers leftovers;
    int rc;

    do {
        leftovers.count = 0;
        rc = env_folder_list(env, folder, leftover, &leftovers);
        for (size_t i = 0; rc == ENV_OK && i < leftovers.count; i++) {
            char path[RLOG_FILE_PATH_MAX];

            (void)rlog_path(path, folder, leftovers.names[i]);
            env_fault(env, "log.before_remove");
            rc = env_remove(env, path);
        }
    } while (rc == ENV_OK && leftovers.count > 0);
    return rc == ENV_OK ? env_folder_sync(env, folder) : rc;
}

int rlog_log_renew(struct env *env, const struct rlog_log_config *config, uint64_t index,
                   uint64_t term)
{
    int rc = folder_empty(env, config->folder);

    env_fault(env, "log.emptied");
    return rc == ENV_OK ? rlog_log_format(env, config, index, term, NULL) : rc;
}

/* Reads segments batch by batch into an empty log, and cleans what stands behind the last one. What
 * it means that a batch is not there is decided in log_recover.c.
 */
#include "env/fault.h"
#include "raftlog/log_recovery.h"

#include <inttypes.h>
#include <string.h>

enum { SCAN_BYTES = 64 * 1024 };

/* ---- batches ---- */

static bool record_apply(struct rlog_recovery *recovery, struct rlog_segment *segment,
                         const struct rlog_record *record)
{
    struct rlog_log *log = recovery->log;
    uint64_t last = rlog_log_last(log);

    if (record->index > RLOG_INDEX_MAX) {
        return false;
    }
    switch (record->type) {
    case RLOG_COMMAND:
    case RLOG_BARRIER:
    case RLOG_CHANGE:
        if (record->index != last + 1) {
            return false;
        }
        rlog_memory_append(
            log, rlog_item_create(record->type, record->index, record->term, record->payload));
        break;
    case RLOG_RECORD_TRUNCATE:
        if (record->index > last) {
            return false;
        }
        if (record->index + 1 >= log->start) {
            rlog_memory_truncate(log, record->index + 1);
        } else {
            rlog_memory_restart(log, record->index, record->term); /* a restart follows */
        }
        break;
    case RLOG_RECORD_RESTART:
        rlog_memory_restart(log, record->index, record->term);
        segment->index_max = record->index;
        for (size_t i = recovery->first; recovery->found + i < segment; i++) {
            recovery->found[i].index_max = 0;
        }
        break;
    default:
        return false;
    }
    if (record->index > segment->index_max) {
        segment->index_max = record->index;
    }
    return true;
}

/* The body is whole: first checked to its end, then applied. */
static bool body_check(const struct rlog_recovery *recovery, struct bytes body, uint32_t count,
                       uint64_t *chain)
{
    struct base_reader reader;
    struct rlog_record record;

    base_reader_init(&reader, body);
    for (uint32_t i = 0; i < count; i++) {
        if (!rlog_record_read(&reader, &recovery->disk->key, chain, &record)) {
            return false;
        }
    }
    return base_reader_finished(&reader);
}

/* Types are never reused: of another one is the record of a later program. */
static bool record_known(uint32_t type)
{
    return type == RLOG_COMMAND || type == RLOG_BARRIER || type == RLOG_CHANGE ||
           type == RLOG_RECORD_TRUNCATE || type == RLOG_RECORD_RESTART;
}

/* `chain_end` is where body_check has found it to lead. */
static int body_apply(struct rlog_recovery *recovery, struct rlog_segment *segment,
                      struct bytes body, uint64_t chain_end)
{
    struct rlog_log_point *point = &recovery->disk->point;
    struct base_reader reader;
    struct rlog_record record;

    base_reader_init(&reader, body);
    while (base_reader_left(&reader) > 0) {
        bool whole = rlog_record_reread(&reader, &record);
        if (whole && !record_known(record.type)) {
            return rlog_recovery_refuse(recovery, ENV_LIMIT,
                                        "log: the record of type %" PRIu32 " at index %" PRIu64
                                        " is " RLOG_LATER_FORMAT,
                                        record.type, record.index);
        }
        if (!whole || !record_apply(recovery, segment, &record)) {
            return rlog_recovery_damaged(recovery, "a record does not follow the one before it");
        }
        point->index = record.index;
        point->term = record.term;
    }
    point->chain = chain_end;
    point->batch++;
    return ENV_OK;
}

/* A batch of this log that a later program wrote: no torn end, which would be zeroed. */
static int batch_later(struct rlog_recovery *recovery)
{
    return rlog_recovery_refuse(recovery, ENV_LIMIT,
                                "log: the batch behind index %" PRIu64 " is " RLOG_LATER_FORMAT,
                                recovery->disk->point.index);
}

static void buffer_reserve(struct rlog_recovery *recovery, size_t size)
{
    if (recovery->buffer_size < size) {
        recovery->buffer = rlog_grow(recovery->buffer, size);
        recovery->buffer_size = size;
    }
}

static bool follows(const struct rlog_log_point *point, const struct rlog_batch_head *head)
{
    return head->before.batch == point->batch && head->before.chain == point->chain &&
           head->before.index == point->index && head->before.term == point->term;
}

/* Reads the batch at disk->offset. `ret_whole` false: there is none, or it is not whole. */
static int batch_read(struct rlog_recovery *recovery, struct rlog_segment *segment, bool *ret_whole)
{
    struct rlog_log_disk *disk = recovery->disk;
    struct rlog_batch_head head;
    struct bytes body;
    uint64_t chain, chain_end;
    size_t size = 0;
    int rc;

    *ret_whole = false;
    if (disk->offset + RLOG_BLOCK > disk->capacity) {
        return ENV_OK;
    }
    buffer_reserve(recovery, RLOG_BLOCK);
    rc = env_file_read(disk->tail, disk->offset, recovery->buffer, RLOG_BLOCK, &size);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = rlog_batch_head_read(bytes_of(recovery->buffer, size), &disk->key, &head, &chain);
    if (rc == ENV_LIMIT) {
        return batch_later(recovery);
    }
    if (rc != ENV_OK || !follows(&disk->point, &head) || !rlog_disk_fits(disk, head.body_bytes)) {
        return ENV_OK;
    }
    buffer_reserve(recovery, head.body_bytes);
    rc = env_file_read(disk->tail, disk->offset + RLOG_BATCH_HEAD, recovery->buffer,
                       head.body_bytes, &size);
    if (rc != ENV_OK) {
        return rc;
    }
    body = bytes_of(recovery->buffer, size);
    chain_end = chain;
    if (size != head.body_bytes || !body_check(recovery, body, head.record_count, &chain_end)) {
        return ENV_OK;
    }
    rc = body_apply(recovery, segment, body, chain_end);
    if (rc != ENV_OK) {
        return rc;
    }
    recovery->newest_offset = disk->offset;
    disk->offset += rlog_blocks_up(RLOG_BATCH_HEAD + head.body_bytes);
    *ret_whole = true;
    return ENV_OK;
}

/* ---- segments ---- */

static int segment_open(struct rlog_recovery *recovery, struct rlog_segment *segment,
                        struct rlog_segment_head *ret_head, uint64_t *ret_chain)
{
    struct rlog_log_disk *disk = recovery->disk;
    char name[RLOG_SEGMENT_NAME_MAX], path[RLOG_FILE_PATH_MAX];
    uint8_t block[RLOG_BLOCK];
    uint64_t bytes = 0;
    size_t size;
    int rc;

    rlog_segment_name(name, segment->number, segment->index);
    (void)rlog_path(path, disk->folder, name);
    env_file_close(disk->tail);
    disk->tail = NULL;
    rc = env_file_open(disk->env, path, ENV_OPEN_WRITE, &disk->tail);
    if (rc == ENV_OK) {
        rc = env_file_size(disk->tail, &bytes);
    }
    if (rc == ENV_OK) {
        rc = env_file_read(disk->tail, 0, block, sizeof block, &size);
    }
    if (rc != ENV_OK) {
        return rlog_recovery_unreadable(recovery, rc, name);
    }
    rc = rlog_segment_head_read(bytes_of(block, size), &disk->key, ret_head, ret_chain);
    if (rc != ENV_OK) {
        return rlog_recovery_unsealed(recovery, rc, name);
    }
    if (ret_head->number != segment->number || ret_head->before.index > RLOG_INDEX_MAX ||
        ret_head->before.index + 1 != segment->index) {
        return rlog_recovery_refuse(recovery, ENV_INVALID,
                                    "log is damaged: %s has another segment's content", name);
    }
    disk->capacity = bytes / RLOG_BLOCK * RLOG_BLOCK;
    disk->offset = RLOG_BLOCK;
    disk->number = segment->number;
    recovery->newest_offset = 0;
    return ENV_OK;
}

int rlog_recovery_segment(struct rlog_recovery *recovery, struct rlog_segment *segment)
{
    struct rlog_log_point *point = &recovery->disk->point;
    struct rlog_segment_head head;
    uint64_t chain;
    bool whole = true;
    int rc = segment_open(recovery, segment, &head, &chain);

    if (rc != ENV_OK) {
        return rc;
    }
    if (segment == &recovery->found[recovery->first]) {
        *point = head.before;
        rlog_memory_restart(recovery->log, point->index, point->term);
    } else if (head.before.batch != point->batch || head.before.chain != point->chain ||
               head.before.index != point->index || head.before.term != point->term) {
        return rlog_recovery_damaged(recovery, "what the next segment follows is not there");
    }
    point->chain = chain;
    while (whole) {
        rc = batch_read(recovery, segment, &whole);
        if (rc != ENV_OK) {
            return recovery->error[0] == '\0' ? rlog_recovery_unreadable(recovery, rc, "segment")
                                              : rc;
        }
    }
    return ENV_OK;
}

/* ---- the tail ---- */

/* Every byte equals the one before it, and the first is zero. */
static bool is_zeros(const uint8_t *chunk, size_t size)
{
    return size == 0 || (chunk[0] == 0 && memcmp(chunk, chunk + 1, size - 1) == 0);
}

/* Looks at every block behind the tail for a batch that proves the missing one, and puts zeros over
 * whatever else is there. */
static int tail_chunk(struct rlog_recovery *recovery, uint64_t offset, uint8_t *chunk, size_t size,
                      bool clean)
{
    struct rlog_log_disk *disk = recovery->disk;
    struct rlog_batch_head head;
    uint64_t chain;

    if (is_zeros(chunk, size)) {
        return ENV_OK;
    }
    if (clean) {
        memset(chunk, 0, size);
        return env_file_write(disk->tail, offset, bytes_of(chunk, size));
    }
    for (size_t at = 0; at + RLOG_BLOCK <= size; at += RLOG_BLOCK) {
        int rc = rlog_batch_head_read(bytes_of(chunk + at, RLOG_BLOCK), &disk->key, &head, &chain);
        if (rc == ENV_LIMIT) {
            return batch_later(recovery);
        }
        if (rc == ENV_OK && head.before.batch > disk->point.batch) {
            return rlog_recovery_damaged(recovery, "a later batch is there, this one is not");
        }
    }
    return ENV_OK;
}

static int tail_walk(struct rlog_recovery *recovery, bool clean)
{
    struct rlog_log_disk *disk = recovery->disk;
    uint64_t offset = disk->offset;
    size_t size = SCAN_BYTES;

    buffer_reserve(recovery, SCAN_BYTES);
    while (offset < disk->capacity && size > 0) {
        int rc = env_file_read(disk->tail, offset, recovery->buffer, SCAN_BYTES, &size);

        if (rc == ENV_OK) {
            rc = tail_chunk(recovery, offset, recovery->buffer, size, clean);
        }
        if (rc != ENV_OK) {
            return recovery->error[0] == '\0' ? rlog_recovery_unreadable(recovery, rc, "segment")
                                              : rc;
        }
        offset += size;
    }
    return ENV_OK;
}

/* The newest batch was perhaps read out of a cache after a sync of it had failed: another sync
 * would then say yes and do nothing. So it is written again. */
static int newest_rewrite(struct rlog_recovery *recovery)
{
    struct rlog_log_disk *disk = recovery->disk;
    uint64_t size = disk->offset - recovery->newest_offset;
    size_t read = 0;
    int rc;

    if (recovery->newest_offset == 0 || disk->point.batch <= recovery->mark.batch) {
        return ENV_OK;
    }
    buffer_reserve(recovery, (size_t)size);
    rc = env_file_read(disk->tail, recovery->newest_offset, recovery->buffer, (size_t)size, &read);
    if (rc == ENV_OK) {
        rc = env_file_write(disk->tail, recovery->newest_offset, bytes_of(recovery->buffer, read));
    }
    return rc == ENV_OK ? ENV_OK : rlog_recovery_unreadable(recovery, rc, "segment");
}

int rlog_recovery_tail_check(struct rlog_recovery *recovery)
{
    return tail_walk(recovery, false);
}

int rlog_recovery_tail_settle(struct rlog_recovery *recovery)
{
    struct rlog_log_disk *disk = recovery->disk;
    struct rlog_mark_work *mark = &recovery->log->mark;
    int rc = tail_walk(recovery, true);

    if (rc == ENV_OK) {
        rc = newest_rewrite(recovery);
    }
    if (rc != ENV_OK) {
        return rc;
    }
    env_fault(disk->env, "log.recovery_cleaned");
    rc = env_file_sync(disk->tail);
    if (rc == ENV_OK) {
        rc = env_folder_sync(disk->env, disk->folder);
    }
    env_fault(disk->env, "log.recovery_synced");
    for (unsigned slot = 0; rc == ENV_OK && slot < RLOG_MARK_SLOTS; slot++) {
        rc = rlog_disk_mark(disk, mark->file, slot, &disk->point);
    }
    return rc == ENV_OK ? ENV_OK
                        : rlog_recovery_unreadable(recovery, rc, "settling the end of the log");
}

/* Recovery: reads the segments in order, tells a torn tail from damage, and makes the log writable.
 *
 * What proves that batch n was durable, and so may have been reported as stored:
 *   - a whole batch n + 1 or later (it was written when n was durable);
 *   - a segment that begins after n (it got its name when n was durable);
 *   - a slot of the mark that names n or later (written within RLOG_MARK_DELAY_US after it).
 * The first batch that is not whole, or missing, is damage when one of these proves it: the node must
 * not run on, since others count on what it acknowledged. Otherwise it is the torn end of a write that
 * was never reported: it is overwritten with zeros, so that a later recovery finds nothing of it.
 *
 * Not covered: damage to the newest batch within the mark's delay before a crash, and a whole folder
 * put back from an older copy.
 */
#include "base/assert.h"
#include "env/fault.h"
#include "env/log.h"
#include "raftlog/log_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_BYTES = 64 * 1024 };

struct recovery {
    struct rlog_log *log;
    struct rlog_log_disk *disk;
    struct rlog_segment *found; /* in order of their numbers */
    size_t count, capacity;
    size_t first; /* of the run without a gap that ends with the newest */
    struct rlog_log_point mark;
    uint64_t newest_offset; /* of the last batch of the newest segment; 0: it has none */
    uint8_t *buffer;
    size_t buffer_size;
    char *error;
    size_t error_size;
};

static const char advice[] = "remove this node from the cluster and add it again";

static int refuse(struct recovery *recovery, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct recovery *recovery, int rc, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)snprintf(recovery->error, recovery->error_size, "%s", text);
    return rc;
}

/* The log is damaged behind the last entry that could be read. */
static int damaged(struct recovery *recovery, const char *what)
{
    return refuse(recovery, ENV_INVALID, "log is damaged at index %" PRIu64 ": %s; %s",
                  recovery->disk->point.index + 1, what, advice);
}

static int unreadable(struct recovery *recovery, int rc, const char *name)
{
    return refuse(recovery, rc, "log: %s: %s", name, env_error_text(rc));
}

static int unsealed(struct recovery *recovery, int rc, const char *name)
{
    if (rc == ENV_DENIED) {
        return refuse(recovery, rc, "log: %s belongs to another node's store", name);
    }
    if (rc == ENV_LIMIT) {
        return refuse(recovery, rc, "log: %s is damaged, or of a format that this program does not "
                      "know; %s", name, advice);
    }
    return refuse(recovery, rc, "log is damaged: %s is not whole; %s", name, advice);
}

/* ---- the folder ---- */

static void visit(void *arg, const char *name)
{
    struct recovery *recovery = arg;
    struct rlog_segment segment = {.number = 0};

    if (!rlog_segment_name_read(name, &segment.number, &segment.index)) {
        return;
    }
    segment.index_max = segment.index - 1;
    if (recovery->count == recovery->capacity) {
        recovery->capacity = 2 * recovery->capacity + 8;
        recovery->found =
            rlog_grow(recovery->found, recovery->capacity * sizeof *recovery->found);
    }
    recovery->found[recovery->count++] = segment;
}

/* Names sort by number. What lies before a gap in the numbers was on its way out when the node
 * stopped; if not, the log misses its beginning, and that is found when it meets the snapshot. */
static int segments_find(struct recovery *recovery)
{
    int rc = env_folder_list(recovery->disk->env, recovery->disk->folder, visit, recovery);

    if (rc != ENV_OK) {
        return unreadable(recovery, rc, recovery->disk->folder);
    }
    if (recovery->count == 0) {
        return refuse(recovery, ENV_INVALID, "log is damaged: it has no segment; %s", advice);
    }
    recovery->first = recovery->count - 1;
    while (recovery->first > 0 && recovery->found[recovery->first - 1].number + 1 ==
                                      recovery->found[recovery->first].number) {
        recovery->first--;
    }
    return ENV_OK;
}

/* ---- the mark ---- */

/* The newest whole slot. One that is not whole was being written, or is damaged: the other one tells
 * enough, since a mark only ever proves what the log holds anyway. */
static int mark_read(struct recovery *recovery)
{
    struct rlog_mark_work *mark = &recovery->log->mark;
    char path[RLOG_FILE_PATH_MAX];
    bool found = false;
    int worst = ENV_INVALID;
    int rc;

    (void)rlog_path(path, recovery->disk->folder, "mark");
    rc = env_file_open(recovery->disk->env, path, ENV_OPEN_WRITE, &mark->file);
    if (rc == ENV_NOT_FOUND) {
        return refuse(recovery, ENV_INVALID, "log is damaged: its mark is missing; %s", advice);
    }
    for (unsigned slot = 0; rc == ENV_OK && slot < RLOG_MARK_SLOTS; slot++) {
        uint8_t block[RLOG_BLOCK];
        struct rlog_log_point point;
        size_t size;
        int whole;

        rc = env_file_read(mark->file, (uint64_t)slot * RLOG_MARK_STRIDE, block, sizeof block,
                           &size);
        whole = rc == ENV_OK ? rlog_mark_read(bytes_of(block, size), &recovery->disk->key, &point)
                             : rc;
        if (whole != ENV_OK) {
            worst = whole;
        } else if (!found || point.batch > recovery->mark.batch) {
            recovery->mark = point;
            found = true;
        }
    }
    if (rc != ENV_OK) {
        return unreadable(recovery, rc, "mark");
    }
    return found ? ENV_OK : unsealed(recovery, worst, "mark");
}

/* ---- batches ---- */

static bool record_apply(struct recovery *recovery, struct rlog_segment *segment,
                         const struct rlog_record *record)
{
    struct rlog_log *log = recovery->log;
    uint64_t last = rlog_log_last(log);

    switch (record->type) {
    case RLOG_COMMAND:
    case RLOG_BARRIER:
    case RLOG_CHANGE:
        if (record->index != last + 1) {
            return false;
        }
        rlog_memory_append(log, rlog_item_create(record->type, record->index, record->term,
                                                 record->payload));
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
static bool body_check(const struct recovery *recovery, struct bytes body, uint32_t count,
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

static bool body_apply(struct recovery *recovery, struct rlog_segment *segment, struct bytes body,
                       uint64_t chain)
{
    struct rlog_log_point *point = &recovery->disk->point;
    struct base_reader reader;
    struct rlog_record record;

    base_reader_init(&reader, body);
    while (base_reader_left(&reader) > 0) {
        if (!rlog_record_read(&reader, &recovery->disk->key, &chain, &record) ||
            !record_apply(recovery, segment, &record)) {
            return false;
        }
        point->index = record.index;
        point->term = record.term;
    }
    point->chain = chain;
    point->batch++;
    return true;
}

static void buffer_reserve(struct recovery *recovery, size_t size)
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
static int batch_read(struct recovery *recovery, struct rlog_segment *segment, bool *ret_whole)
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
    if (rlog_batch_head_read(bytes_of(recovery->buffer, size), &disk->key, &head, &chain) !=
            ENV_OK ||
        !follows(&disk->point, &head) || !rlog_disk_fits(disk, head.body_bytes)) {
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
    if (!body_apply(recovery, segment, body, chain)) {
        return damaged(recovery, "a record does not follow the one before it");
    }
    recovery->newest_offset = disk->offset;
    disk->offset += rlog_blocks_up(RLOG_BATCH_HEAD + head.body_bytes);
    *ret_whole = true;
    return ENV_OK;
}

/* ---- segments ---- */

static int segment_open(struct recovery *recovery, struct rlog_segment *segment,
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
        return unreadable(recovery, rc, name);
    }
    rc = rlog_segment_head_read(bytes_of(block, size), &disk->key, ret_head, ret_chain);
    if (rc != ENV_OK) {
        return unsealed(recovery, rc, name);
    }
    if (ret_head->number != segment->number || ret_head->before.index + 1 != segment->index) {
        return refuse(recovery, ENV_INVALID, "log is damaged: %s has another segment's content; %s",
                      name, advice);
    }
    disk->capacity = bytes / RLOG_BLOCK * RLOG_BLOCK;
    disk->offset = RLOG_BLOCK;
    disk->number = segment->number;
    recovery->newest_offset = 0;
    return ENV_OK;
}

static int segment_read(struct recovery *recovery, struct rlog_segment *segment)
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
        return damaged(recovery, "what the next segment follows is not there");
    }
    point->chain = chain;
    while (whole) {
        rc = batch_read(recovery, segment, &whole);
        if (rc != ENV_OK) {
            return recovery->error[0] == '\0' ? unreadable(recovery, rc, "segment") : rc;
        }
    }
    return ENV_OK;
}

/* ---- the tail ---- */

/* Looks at every block behind the tail for a batch that proves the missing one, and puts zeros over
 * whatever else is there. */
static int tail_chunk(struct recovery *recovery, uint64_t offset, uint8_t *chunk, size_t size,
                      bool clean)
{
    struct rlog_log_disk *disk = recovery->disk;
    struct rlog_batch_head head;
    uint64_t chain;
    bool empty = true;

    for (size_t at = 0; at < size; at++) {
        empty = empty && chunk[at] == 0;
    }
    if (empty) {
        return ENV_OK;
    }
    if (clean) {
        memset(chunk, 0, size);
        return env_file_write(disk->tail, offset, bytes_of(chunk, size));
    }
    for (size_t at = 0; at + RLOG_BLOCK <= size; at += RLOG_BLOCK) {
        if (rlog_batch_head_read(bytes_of(chunk + at, RLOG_BLOCK), &disk->key, &head, &chain) ==
                ENV_OK &&
            head.before.batch > disk->point.batch) {
            return damaged(recovery, "a later batch is there, this one is not");
        }
    }
    return ENV_OK;
}

static int tail_walk(struct recovery *recovery, bool clean)
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
            return recovery->error[0] == '\0' ? unreadable(recovery, rc, "segment") : rc;
        }
        offset += size;
    }
    return ENV_OK;
}

/* The newest batch was perhaps read out of a cache after a sync of it had failed: another sync would
 * then say yes and do nothing. So it is written again. */
static int newest_rewrite(struct recovery *recovery)
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
    return rc == ENV_OK ? ENV_OK : unreadable(recovery, rc, "segment");
}

/* What was read is durable from here on, what was torn is gone, and both slots of the mark say so. */
static int tail_settle(struct recovery *recovery)
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
    return rc == ENV_OK ? ENV_OK : unreadable(recovery, rc, "settling the end of the log");
}

/* ---- all of it ---- */

/* The snapshot and the log have to meet. */
static int snapshot_meet(struct recovery *recovery, uint64_t index, uint64_t term)
{
    struct rlog_log *log = recovery->log;

    if (log->start > index + 1) {
        return refuse(recovery, ENV_INVALID,
                      "log is damaged at index %" PRIu64 ": entries from there to %" PRIu64
                      " are missing and no snapshot holds them; %s",
                      index + 1, log->start - 1, advice);
    }
    if (index > rlog_log_last(log) || (index > 0 && rlog_log_term(log, index) != term)) {
        env_log(log->env, ENV_LOG_INFO, "log", "restarts at the snapshot of index %" PRIu64, index);
        rlog_memory_restart(log, index, term);
        log->stored = index;
        list_append(&log->queue,
                    &rlog_item_create(RLOG_RECORD_RESTART, index, term, BYTES_NONE)->link);
    }
    return ENV_OK;
}

static int recover(struct recovery *recovery, uint64_t snapshot_index, uint64_t snapshot_term)
{
    struct rlog_log *log = recovery->log;
    int rc = segments_find(recovery);

    if (rc == ENV_OK) {
        rc = mark_read(recovery);
    }
    for (size_t i = recovery->first; rc == ENV_OK && i < recovery->count; i++) {
        rc = segment_read(recovery, &recovery->found[i]);
    }
    if (rc == ENV_OK) {
        rc = tail_walk(recovery, false);
    }
    if (rc == ENV_OK && recovery->disk->point.batch < recovery->mark.batch) {
        rc = damaged(recovery, "the mark says that it was stored");
    }
    if (rc == ENV_OK) {
        log->stored = rlog_log_last(log);
        rc = snapshot_meet(recovery, snapshot_index, snapshot_term);
    }
    return rc == ENV_OK ? tail_settle(recovery) : rc;
}

int rlog_recover(struct rlog_log *log, uint64_t snapshot_index, uint64_t snapshot_term, char *error,
                 size_t error_size)
{
    struct recovery recovery = {
        .log = log, .disk = &log->disk, .error = error, .error_size = error_size};
    int rc;

    ASSERT(error_size > 0);
    error[0] = '\0';
    rc = recover(&recovery, snapshot_index, snapshot_term);
    if (rc == ENV_OK) {
        for (size_t i = 0; i < recovery.count; i++) {
            rlog_segment_add(log, recovery.found[i].number, recovery.found[i].index);
            log->segments[i].index_max =
                i < recovery.first ? 0 : recovery.found[i].index_max;
        }
        log->durable = log->disk.point;
        log->mark.point = log->disk.point;
    }
    free(recovery.found);
    free(recovery.buffer);
    return rc;
}

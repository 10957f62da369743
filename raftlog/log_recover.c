/* Recovery: finds the segments and the mark, has them read (log_replay.c), tells a torn tail from
 * damage, and meets the snapshot. Writes nothing before all of that is decided.
 *
 * What proves that batch n was durable, and so may have been reported as stored:
 *   - a whole batch n + 1 or later (it was written when n was durable);
 *   - a segment that begins after n (it got its name when n was durable);
 *   - a slot of the mark that names n or later (written within RLOG_MARK_DELAY_US after it).
 * The first batch that is not whole, or missing, is damage when one of these proves it: others
 * count on what the node acknowledged, so it has no vote until that is here again (repair.h).
 * Otherwise it is the torn end of a
 * write that was never reported: it is overwritten with zeros, so that a later recovery finds
 * nothing of it.
 *
 * Not covered: damage to the newest batch within the mark's delay before a crash, and a whole
 * folder put back from an older copy.
 */
#include "base/assert.h"
#include "env/log.h"
#include "raftlog/log_recovery.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rlog_recovery_refuse(struct rlog_recovery *recovery, int rc, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)snprintf(recovery->error, recovery->error_size, "%s", text);
    return rc;
}

int rlog_recovery_damaged(struct rlog_recovery *recovery, const char *what)
{
    return rlog_recovery_refuse(recovery, ENV_INVALID, "log is damaged at index %" PRIu64 ": %s",
                                recovery->disk->point.index + 1, what);
}

int rlog_recovery_unreadable(struct rlog_recovery *recovery, int rc, const char *name)
{
    return rlog_recovery_refuse(recovery, rc, "log: %s: %s", name, env_error_text(rc));
}

int rlog_recovery_unsealed(struct rlog_recovery *recovery, int rc, const char *name)
{
    if (rc == ENV_DENIED) {
        return rlog_recovery_refuse(recovery, rc, "log: %s belongs to another node's store", name);
    }
    if (rc == ENV_LIMIT) {
        return rlog_recovery_refuse(recovery, rc, "log: %s is " RLOG_LATER_FORMAT, name);
    }
    return rlog_recovery_refuse(recovery, rc, "log is damaged: %s is not whole", name);
}

/* ---- the folder ---- */

static void visit(void *arg, const char *name)
{
    struct rlog_recovery *recovery = arg;
    struct rlog_segment segment = {.number = 0};

    if (!rlog_segment_name_read(name, &segment.number, &segment.index)) {
        return;
    }
    segment.index_max = segment.index - 1;
    if (recovery->count == recovery->capacity) {
        recovery->capacity = 2 * recovery->capacity + 8;
        recovery->found = rlog_grow(recovery->found, recovery->capacity * sizeof *recovery->found);
    }
    recovery->found[recovery->count++] = segment;
}

/* Names sort by number. What lies before a gap in the numbers was on its way out when the node
 * stopped; if not, the log misses its beginning, and that is found when it meets the snapshot. */
static int segments_find(struct rlog_recovery *recovery)
{
    int rc = env_folder_list(recovery->disk->env, recovery->disk->folder, visit, recovery);

    if (rc == ENV_NOT_FOUND) {
        return rlog_recovery_refuse(recovery, ENV_INVALID, "log is damaged: its folder is missing");
    }
    if (rc != ENV_OK) {
        return rlog_recovery_unreadable(recovery, rc, recovery->disk->folder);
    }
    if (recovery->count == 0) {
        return rlog_recovery_refuse(recovery, ENV_INVALID, "log is damaged: it has no segment");
    }
    recovery->first = recovery->count - 1;
    while (recovery->first > 0 && recovery->found[recovery->first - 1].number + 1 ==
                                      recovery->found[recovery->first].number) {
        recovery->first--;
    }
    return ENV_OK;
}

/* ---- the mark ---- */

/* The newest whole slot. One that is not whole was being written, or is damaged: the other one
 * tells enough, since a mark only ever proves what the log holds anyway. */
static int mark_read(struct rlog_recovery *recovery)
{
    struct rlog_mark_work *mark = &recovery->log->mark;
    char path[RLOG_FILE_PATH_MAX];
    bool found = false;
    int worst = ENV_INVALID;
    int rc;

    (void)rlog_path(path, recovery->disk->folder, "mark");
    rc = env_file_open(recovery->disk->env, path, ENV_OPEN_WRITE, &mark->file);
    if (rc == ENV_NOT_FOUND) {
        return rlog_recovery_refuse(recovery, ENV_INVALID, "log is damaged: its mark is missing");
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
        if (whole == ENV_LIMIT) { /* it may be the newer one, and nothing may be done to it */
            return rlog_recovery_unsealed(recovery, whole, "mark");
        }
        if (whole != ENV_OK) {
            worst = whole;
        } else if (!found || point.batch > recovery->mark.batch) {
            recovery->mark = point;
            found = true;
        }
    }
    if (rc != ENV_OK) {
        return rlog_recovery_unreadable(recovery, rc, "mark");
    }
    return found ? ENV_OK : rlog_recovery_unsealed(recovery, worst, "mark");
}

/* ---- all of it ---- */

/* The snapshot and the log have to meet. */
static int snapshot_meet(struct rlog_recovery *recovery, uint64_t index, uint64_t term)
{
    struct rlog_log *log = recovery->log;

    if (log->start > index + 1) {
        return rlog_recovery_refuse(recovery, ENV_INVALID,
                                    "log is damaged at index %" PRIu64
                                    ": entries from there to %" PRIu64
                                    " are missing and no snapshot holds them",
                                    index + 1, log->start - 1);
    }
    if (index > rlog_log_last(log) || (index > 0 && rlog_log_term(log, index) != term)) {
        env_log(log->env, ENV_LOG_INFO, "log", "restarts at the snapshot of index %" PRIu64, index);
        rlog_memory_restart(log, index, term);
        log->stored = index;
        rlog_write_queue(log, rlog_item_create(RLOG_RECORD_RESTART, index, term, BYTES_NONE));
    }
    return ENV_OK;
}

static int recover(struct rlog_recovery *recovery, uint64_t snapshot_index, uint64_t snapshot_term)
{
    struct rlog_log *log = recovery->log;
    int rc = segments_find(recovery);

    if (rc == ENV_OK) {
        rc = mark_read(recovery);
    }
    for (size_t i = recovery->first; rc == ENV_OK && i < recovery->count; i++) {
        rc = rlog_recovery_segment(recovery, &recovery->found[i]);
    }
    if (rc == ENV_OK) {
        rc = rlog_recovery_tail_check(recovery);
    }
    if (rc == ENV_OK && recovery->disk->point.batch < recovery->mark.batch) {
        rc = rlog_recovery_damaged(recovery, "the mark says that it was stored");
    }
    if (rc == ENV_OK) {
        log->stored = rlog_log_last(log);
        rc = snapshot_meet(recovery, snapshot_index, snapshot_term);
    }
    return rc == ENV_OK ? rlog_recovery_tail_settle(recovery) : rc;
}

int rlog_recover(struct rlog_log *log, uint64_t snapshot_index, uint64_t snapshot_term, char *error,
                 size_t error_size)
{
    struct rlog_recovery recovery = {
        .log = log, .disk = &log->disk, .error = error, .error_size = error_size};
    int rc;

    ASSERT(error_size > 0);
    error[0] = '\0';
    rc = recover(&recovery, snapshot_index, snapshot_term);
    if (rc == ENV_OK) {
        for (size_t i = 0; i < recovery.count; i++) {
            rlog_segment_add(log, recovery.found[i].number, recovery.found[i].index);
            log->segments[i].index_max = i < recovery.first ? 0 : recovery.found[i].index_max;
        }
        log->durable = log->disk.point;
        log->mark.point = log->disk.point;
    }
    free(recovery.found);
    free(recovery.buffer);
    return rc;
}

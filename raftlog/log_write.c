/* The log's writer on the loop: what gathers while a batch is on its way is the next batch. Decides
 * when and what; log_disk.c does it, in queued work.
 *
 *            queue not empty                     done, queue not empty
 *   IDLE ──────────────────────▶ ARMED (timer 0) ◀──────────────┐
 *    ▲                             │ fires, no spare on its way  │
 *    └────── done, queue empty ── WRITING ──────────────────────┘     a failure anywhere: FAILED
 *                                  │    ▲
 *                    no space left ▼    │ timer
 *                                 WAITING
 *
 * Invariants
 *   1. One batch at most is on its way; it is fixed when it is submitted.
 *   2. `stored` is told on the loop, once a batch, after its sync; never after a failure.
 *   3. What a batch may report is its last entry that the memory still holds: whatever was
 *      truncated meanwhile is not held any more, even when another entry has its index.
 *   4. A batch that found no space stays as it is, and is written again; nothing overtakes it.
 *   5. Old segments go only when what makes them needless is durable: the caller's snapshot (prune)
 *      or the record of a restart.
 */
#include "base/assert.h"
#include "base/sat.h"
#include "env/log.h"
#include "raftlog/log_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void batch_arm(struct rlog_log *log)
{
    if (!log->failed && !log->batch.busy && !log->batch.waits && !list_empty(&log->queue)) {
        env_timer_start(log->batch_timer, 0);
    }
}

/* ---- the end of a log ---- */

static void items_release(struct list *items)
{
    LIST_FOR_EACH_SAFE(node, following, items)
    {
        struct rlog_item *item = LIST_ENTRY(node, struct rlog_item, link);

        list_remove(node);
        rlog_item_release(item);
    }
}

static void log_free(struct rlog_log *log)
{
    items_release(&log->queue);
    items_release(&log->batch.items);
    if (log->count > 0) {
        rlog_memory_truncate(log, log->start);
    }
    env_file_close(log->mark.file);
    rlog_disk_done(&log->disk);
    (void)rlog_litter_free(log, SIZE_MAX);
    free(log->ring);
    free(log->segments);
    free(log->sweep.doomed);
    free(log);
}

bool rlog_write_working(const struct rlog_log *log)
{
    return log->batch.busy || log->mark.busy || log->spare.busy || log->sweep.busy;
}

/* Of a work that came back: true when the log was destroyed meanwhile (and may be gone now). */
static bool orphaned(struct rlog_log *log)
{
    if (log->destroyed && !rlog_write_working(log)) {
        log_free(log);
        return true;
    }
    return log->destroyed;
}

void rlog_log_destroy(struct rlog_log *log)
{
    uint64_t size;

    if (log == NULL) {
        return;
    }
    env_timer_destroy(log->batch_timer);
    env_timer_destroy(log->mark_timer);
    env_timer_destroy(log->spare_timer);
    log->destroyed = true;
    /* A crashed env never gives work back. */
    if (!rlog_write_working(log) || env_file_size(log->mark.file, &size) == ENV_CRASHED) {
        log_free(log);
    }
}

/* The owner may destroy the log in the handler: nothing follows a call of this. */
static void fail(struct rlog_log *log, int rc, const char *at)
{
    char detail[128];

    if (log->failed) {
        return;
    }
    log->failed = true;
    (void)snprintf(detail, sizeof detail, "the log failed at %s: %s", at, env_error_text(rc));
    log->handlers.failed(log->handlers.arg, rc, detail);
}

/* ---- segments ---- */

void rlog_segment_add(struct rlog_log *log, uint64_t number, uint64_t index)
{
    if (log->segment_count == log->segment_capacity) {
        log->segment_capacity = 2 * log->segment_capacity + 4;
        log->segments = rlog_grow(log->segments, log->segment_capacity * sizeof *log->segments);
    }
    log->segments[log->segment_count++] = (struct rlog_segment){
        .number = number, .index = index, .index_max = index - 1};
}

static void sweep_submit(struct rlog_log *log)
{
    log->sweep.busy = true;
    env_work_submit(log->env, &log->sweep.work);
}

void rlog_segments_drop(struct rlog_log *log, size_t count)
{
    struct rlog_sweep_work *sweep = &log->sweep;

    if (count == 0 || log->failed) {
        return;
    }
    ASSERT(count < log->segment_count);
    if (sweep->busy) {
        return; /* the next prune finds them again */
    }
    if (sweep->capacity < count) {
        sweep->doomed = rlog_grow(sweep->doomed, count * sizeof *sweep->doomed);
        sweep->capacity = count;
    }
    memcpy(sweep->doomed, log->segments, count * sizeof *sweep->doomed);
    log->segment_count -= count;
    memmove(log->segments, log->segments + count, log->segment_count * sizeof *log->segments);
    sweep->count = count;
    sweep_submit(log);
}

static void sweep_run(struct env_work *work)
{
    struct rlog_log *log = work->arg;

    log->sweep.rc = rlog_disk_sweep(&log->disk, log->sweep.doomed, log->sweep.count);
}

static void sweep_done(struct env_work *work)
{
    struct rlog_log *log = work->arg;

    log->sweep.busy = false;
    if (orphaned(log)) {
        return;
    }
    if (log->sweep.rc != ENV_OK) {
        fail(log, log->sweep.rc, "removing an old segment");
    }
}

/* ---- the spare segment ---- */

static void spare_run(struct env_work *work)
{
    struct rlog_log *log = work->arg;

    log->spare.rc = rlog_disk_spare(&log->disk);
}

static void spare_done(struct env_work *work)
{
    struct rlog_log *log = work->arg;
    int rc = log->spare.rc;

    log->spare.busy = false;
    if (orphaned(log)) {
        return;
    }
    if (rc == ENV_NO_SPACE) {
        log->spare.refused = true; /* the roll-over tries for itself, when it comes to that */
        log->spare.pauses = true;
        env_timer_start(log->spare_timer, RLOG_SPARE_RETRY_US);
    } else if (rc != ENV_OK) {
        fail(log, rc, "preparing a segment");
        return;
    } else {
        log->spare.refused = false;
        log->disk.spare_ready = true;
    }
    if (log->batch.waits) {
        env_timer_start(log->batch_timer, 0); /* it may have fired meanwhile, and let this end */
    }
    batch_arm(log);
}

/* Called between batches. */
static void spare_prepare(struct rlog_log *log)
{
    if (!log->spare.busy && !log->spare.pauses && !log->disk.spare_ready) {
        log->spare.busy = true;
        env_work_submit(log->env, &log->spare.work);
    }
}

/* A batch that is on its way, or waits for space, may need the file: its end comes back to this. */
static void spare_due(void *arg)
{
    struct rlog_log *log = arg;

    log->spare.pauses = false;
    if (!log->failed && !log->batch.busy && !log->batch.waits) {
        spare_prepare(log);
    }
}

/* ---- the mark ---- */

static void mark_arm(struct rlog_log *log)
{
    if (!log->mark_waits && !log->mark.busy && log->mark.point.batch < log->durable.batch) {
        log->mark_waits = true;
        env_timer_start(log->mark_timer, RLOG_MARK_DELAY_US);
    }
}

static void mark_due(void *arg)
{
    struct rlog_log *log = arg;

    log->mark_waits = false;
    if (log->failed || log->mark.busy) {
        return;
    }
    log->mark.point = log->durable;
    log->mark.busy = true;
    env_work_submit(log->env, &log->mark.work);
}

static void mark_run(struct env_work *work)
{
    struct rlog_log *log = work->arg;

    log->mark.rc = rlog_disk_mark(&log->disk, log->mark.file, log->mark.slot, &log->mark.point);
}

static void mark_done(struct env_work *work)
{
    struct rlog_log *log = work->arg;

    log->mark.busy = false;
    if (orphaned(log)) {
        return;
    }
    if (log->mark.rc == ENV_NO_SPACE) { /* this slot again: the other one is whole */
        log->mark_waits = true;
        env_timer_start(log->mark_timer, RLOG_MARK_DELAY_US);
        return;
    }
    if (log->mark.rc != ENV_OK) {
        fail(log, log->mark.rc, "writing the mark");
        return;
    }
    log->mark.slot = (log->mark.slot + 1) % RLOG_MARK_SLOTS;
    mark_arm(log);
}

/* ---- batches ---- */

/* Moves from the queue what goes into one batch: at least one item, no more than fits. */
static void batch_gather(struct rlog_log *log)
{
    const struct rlog_log_disk *disk = &log->disk;
    uint64_t body = rlog_disk_record_bytes(LIST_ENTRY(log->queue.next, struct rlog_item, link));
    uint64_t room = rlog_disk_fits(disk, body) ? disk->capacity - disk->offset
                                               : disk->segment_bytes - RLOG_BLOCK;

    room = u64_min(room, RLOG_BATCH_BYTES_MAX) - RLOG_BATCH_HEAD;
    body = 0;
    log->batch.bytes = 0;
    LIST_FOR_EACH_SAFE(node, following, &log->queue)
    {
        struct rlog_item *item = LIST_ENTRY(node, struct rlog_item, link);

        if (body > 0 && body + rlog_disk_record_bytes(item) > room) {
            break;
        }
        body += rlog_disk_record_bytes(item);
        log->batch.bytes += rlog_disk_record_bytes(item);
        list_remove(node);
        list_append(&log->batch.items, node);
    }
}

static void batch_due(void *arg)
{
    struct rlog_log *log = arg;
    struct list *items = log->batch.waits ? &log->batch.items : &log->queue;
    const struct rlog_item *first;

    if (log->failed || log->batch.busy || list_empty(items)) {
        return;
    }
    first = LIST_ENTRY(items->next, struct rlog_item, link);
    if (log->spare.busy &&
        (log->batch.waits || !rlog_disk_fits(&log->disk, rlog_disk_record_bytes(first)))) {
        return; /* spare_done comes back to this */
    }
    if (!log->batch.waits) {
        batch_gather(log);
        log->batch.number_before = log->disk.number; /* a batch that waits may have rolled over */
    }
    log->batch.submitted_us = env_mono_us(log->env);
    log->batch.busy = true;
    env_work_submit(log->env, &log->batch.work);
}

static void batch_run(struct env_work *work)
{
    struct rlog_log *log = work->arg;

    log->batch.rc = rlog_disk_batch(&log->disk, &log->batch.items);
}

/* Keeps the list of segments in step with what the batch wrote. */
static void batch_count(struct rlog_log *log)
{
    struct rlog_segment *segment;
    bool restarted = false;

    if (log->disk.number != log->batch.number_before) {
        /* The name holds the index after what stood before the batch. */
        rlog_segment_add(log, log->disk.number, log->durable.index + 1);
    }
    segment = &log->segments[log->segment_count - 1];
    LIST_FOR_EACH(node, &log->batch.items)
    {
        const struct rlog_item *item = LIST_ENTRY(node, struct rlog_item, link);

        if (item->type == RLOG_RECORD_RESTART) {
            restarted = true;
            segment->index_max = item->index;
        } else {
            segment->index_max = u64_max(segment->index_max, item->index);
        }
    }
    if (restarted) {
        for (size_t i = 0; i + 1 < log->segment_count; i++) {
            log->segments[i].index_max = 0; /* a prune that finds the sweep busy takes them later */
        }
        rlog_segments_drop(log, log->segment_count - 1);
    }
}

/* The last entry of the batch that the memory still holds is stored, and so is all before it. */
static void batch_store(struct rlog_log *log)
{
    for (struct list *node = log->batch.items.previous; node != &log->batch.items;
         node = node->previous) {
        const struct rlog_item *item = LIST_ENTRY(node, struct rlog_item, link);

        if (rlog_memory_holds(log, item)) {
            log->stored = u64_max(log->stored, item->index);
            return;
        }
    }
}

static void batch_tell(struct rlog_log *log)
{
    if (log->handlers.written != NULL) {
        log->handlers.written(log->handlers.arg, log->batch.bytes,
                              env_mono_us(log->env) - log->batch.submitted_us);
    }
    log->handlers.stored(log->handlers.arg, log->stored);
}

/* Invariant 4. */
static void batch_wait(struct rlog_log *log)
{
    if (!log->batch.waits) {
        env_log(log->env, ENV_LOG_ERROR, "log",
                "the disk is full at %s: nothing is stored until there is space",
                log->disk.failed_at);
    }
    log->batch.waits = true;
    env_timer_start(log->batch_timer, RLOG_SPACE_RETRY_US);
}

static void batch_goes_on(struct rlog_log *log)
{
    if (log->batch.waits) {
        env_log(log->env, ENV_LOG_INFO, "log", "there is space again: what waited is stored");
    }
    log->batch.waits = false;
}

static void batch_done(struct env_work *work)
{
    struct rlog_log *log = work->arg;

    log->batch.busy = false;
    if (orphaned(log) || log->failed) {
        return;
    }
    if (log->batch.rc == ENV_NO_SPACE) {
        batch_wait(log);
        return;
    }
    if (log->batch.rc != ENV_OK) {
        fail(log, log->batch.rc, log->disk.failed_at);
        return;
    }
    batch_goes_on(log);
    batch_count(log);
    batch_store(log);
    items_release(&log->batch.items);
    log->pending_bytes -= log->batch.bytes;
    log->durable = log->disk.point;
    spare_prepare(log);
    mark_arm(log);
    batch_arm(log);
    batch_tell(log);
}

void rlog_write_queue(struct rlog_log *log, struct rlog_item *item)
{
    if (log->failed) {
        rlog_item_release(item);
        return;
    }
    list_append(&log->queue, &item->link);
    log->pending_bytes += rlog_disk_record_bytes(item);
    batch_arm(log);
}

void rlog_write_init(struct rlog_log *log)
{
    log->batch.work = (struct env_work){.run = batch_run, .done = batch_done, .arg = log};
    log->mark.work = (struct env_work){.run = mark_run, .done = mark_done, .arg = log};
    log->spare.work = (struct env_work){.run = spare_run, .done = spare_done, .arg = log};
    log->sweep.work = (struct env_work){.run = sweep_run, .done = sweep_done, .arg = log};
    log->batch_timer = env_timer_create(log->env, batch_due, log);
    log->mark_timer = env_timer_create(log->env, mark_due, log);
    log->spare_timer = env_timer_create(log->env, spare_due, log);
    ASSERT(log->batch_timer != NULL && log->mark_timer != NULL && log->spare_timer != NULL);
}

void rlog_write_start(struct rlog_log *log)
{
    env_timer_start(log->spare_timer, 0);
}

/* The log in memory: entries by index, and what append, truncate, restart and prune mean. Writes
 * nothing itself: what has to become durable goes to the queue of log_write.c.
 *
 * Invariants
 *   1. ring holds exactly start..last, in one reference each; term(start - 1) is base_term.
 *   2. The queue holds, in order of calls, what brings the disk's log to the memory's.
 *   3. stored <= last; an entry that is truncated was either reported before or never will be.
 */
#include "raftlog/log.h"

#include "base/assert.h"
#include "base/sat.h"
#include "raftlog/log_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING_SIZE_FIRST = 64,
    LITTER_LEAST = 4096, /* fewer entries are freed at once: a millisecond at most */
};

void *rlog_grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size);

    ASSERT(grown != NULL);
    return grown;
}

/* ---- items ---- */

struct rlog_item *rlog_item_create(uint32_t type, uint64_t index, uint64_t term,
                                   struct bytes payload)
{
    struct rlog_item *item = rlog_grow(NULL, sizeof *item + payload.size);

    list_init(&item->link);
    item->refs = 1;
    item->type = type;
    item->index = index;
    item->term = term;
    item->bytes_end = 0;
    item->size = payload.size;
    if (payload.size > 0) {
        memcpy(item->data, payload.data, payload.size);
    }
    return item;
}

void rlog_item_release(struct rlog_item *item)
{
    ASSERT(item->refs > 0);
    if (--item->refs == 0) {
        free(item);
    }
}

/* ---- the ring ---- */

static struct rlog_item **slot_of(const struct rlog_log *log, uint64_t index)
{
    return &log->ring[index & (log->ring_size - 1)];
}

static void ring_grow(struct rlog_log *log)
{
    struct rlog_item **old = log->ring;
    size_t old_size = log->ring_size;

    log->ring_size = old_size == 0 ? RING_SIZE_FIRST : 2 * old_size;
    log->ring = rlog_grow(NULL, log->ring_size * sizeof *log->ring);
    for (uint64_t i = log->start; i < log->start + log->count; i++) {
        *slot_of(log, i) = old[i & (old_size - 1)];
    }
    free(old);
}

static uint64_t bytes_end(const struct rlog_log *log)
{
    return log->count == 0 ? log->base_bytes : (*slot_of(log, rlog_log_last(log)))->bytes_end;
}

void rlog_memory_append(struct rlog_log *log, struct rlog_item *item)
{
    ASSERT(item->index == rlog_log_last(log) + 1);
    if (log->count == log->ring_size) {
        ring_grow(log);
    }
    item->bytes_end = bytes_end(log) + item->size;
    *slot_of(log, item->index) = item;
    log->count++;
}

void rlog_memory_truncate(struct rlog_log *log, uint64_t index)
{
    ASSERT(index >= log->start);
    while (rlog_log_last(log) >= index) {
        rlog_item_release(*slot_of(log, rlog_log_last(log)));
        log->count--;
    }
}

size_t rlog_litter_free(struct rlog_log *log, size_t count)
{
    struct rlog_litter *litter = &log->litter;
    size_t freed = 0;

    while (litter->count > 0 && freed < count) {
        rlog_item_release(litter->ring[litter->start & (litter->ring_size - 1)]);
        litter->start++;
        litter->count--;
        freed++;
    }
    if (litter->count == 0) {
        free(litter->ring);
        litter->ring = NULL;
    }
    return freed;
}

void rlog_memory_restart(struct rlog_log *log, uint64_t index, uint64_t term)
{
    uint64_t bytes = bytes_end(log);

    if (log->count > LITTER_LEAST) {
        (void)rlog_litter_free(log, SIZE_MAX); /* of two restarts at once */
        log->litter = (struct rlog_litter){log->ring, log->ring_size, log->start, log->count};
        log->ring = NULL;
        log->ring_size = 0;
        log->count = 0;
    } else {
        rlog_memory_truncate(log, log->start);
    }
    log->start = index + 1;
    log->base_term = term;
    log->base_bytes = bytes;
}

bool rlog_memory_holds(const struct rlog_log *log, const struct rlog_item *item)
{
    return item->index >= log->start && item->index <= rlog_log_last(log) &&
           *slot_of(log, item->index) == item;
}

/* False: more than `count` entries were to go, and some are left. */
static bool memory_prune(struct rlog_log *log, uint64_t index, size_t count)
{
    count -= rlog_litter_free(log, count);
    for (; log->count > 0 && log->start < index; count--) {
        if (count == 0) {
            return false;
        }
        struct rlog_item *item = *slot_of(log, log->start);

        log->base_term = item->term;
        log->base_bytes = item->bytes_end;
        log->start++;
        log->count--;
        rlog_item_release(item);
    }
    return log->litter.count == 0;
}

/* ---- opening ---- */

int rlog_log_create_empty(struct env *env, const struct rlog_log_config *config, uint64_t index,
                          uint64_t term, const struct rlog_log_handlers *handlers,
                          struct rlog_log **ret_log)
{
    struct rlog_log *log = rlog_grow(NULL, sizeof *log);
    int rc;

    memset(log, 0, sizeof *log);
    log->env = env;
    log->handlers = *handlers;
    log->start = index + 1;
    log->base_term = term;
    log->stored = index;
    list_init(&log->queue);
    list_init(&log->batch.items);
    rlog_write_init(log);
    rc = rlog_disk_init(&log->disk, env, config);
    if (rc != ENV_OK) {
        rlog_log_destroy(log);
        return rc;
    }
    *ret_log = log;
    return ENV_OK;
}

int rlog_log_open(struct env *env, const struct rlog_log_config *config, uint64_t snapshot_index,
                  uint64_t snapshot_term, const struct rlog_log_handlers *handlers, char *error,
                  size_t error_size, struct rlog_log **ret_log)
{
    struct rlog_log *log = NULL;
    int rc = rlog_log_create_empty(env, config, 0, 0, handlers, &log);

    if (rc != ENV_OK) {
        (void)snprintf(error, error_size, "the log's folder has too long a name: %s",
                       config->folder);
    } else {
        rc = rlog_recover(log, snapshot_index, snapshot_term, error, error_size);
    }
    if (rc != ENV_OK) {
        rlog_log_destroy(log);
        return rc;
    }
    rlog_write_start(log);
    *ret_log = log;
    return ENV_OK;
}

/* ---- looking ---- */

uint64_t rlog_log_start(const struct rlog_log *log)
{
    return log->start;
}

uint64_t rlog_log_last(const struct rlog_log *log)
{
    return log->start + log->count - 1;
}

uint64_t rlog_log_stored(const struct rlog_log *log)
{
    return log->stored;
}

uint64_t rlog_log_term(const struct rlog_log *log, uint64_t index)
{
    if (index + 1 == log->start) {
        return log->base_term;
    }
    if (index < log->start || index > rlog_log_last(log)) {
        return 0;
    }
    return (*slot_of(log, index))->term;
}

struct rlog_log_entry rlog_log_entry(const struct rlog_log *log, uint64_t index)
{
    const struct rlog_item *item;

    ASSERT(index >= log->start && index <= rlog_log_last(log));
    item = *slot_of(log, index);
    return (struct rlog_log_entry){.term = item->term,
                                   .type = (enum rlog_entry_type)item->type,
                                   .payload = bytes_of(item->data, item->size)};
}

uint64_t rlog_log_pending_bytes(const struct rlog_log *log)
{
    return log->pending_bytes;
}

uint64_t rlog_log_bytes_since(const struct rlog_log *log, uint64_t index)
{
    if (index < log->start) {
        return bytes_end(log) - log->base_bytes;
    }
    if (index >= rlog_log_last(log)) {
        return 0;
    }
    return bytes_end(log) - (*slot_of(log, index))->bytes_end;
}

bool rlog_log_waits(const struct rlog_log *log)
{
    return log->batch.waits;
}

bool rlog_log_reserved(const struct rlog_log *log)
{
    return !log->spare.refused && !log->batch.waits;
}

bool rlog_log_idle(const struct rlog_log *log)
{
    return log->pending_bytes == 0 && !rlog_write_working(log) && !log->mark_waits &&
           log->mark.point.batch == log->durable.batch;
}

/* ---- changing ---- */

uint64_t rlog_log_append(struct rlog_log *log, const struct rlog_log_entry *entry)
{
    uint64_t index = rlog_log_last(log) + 1;
    struct rlog_item *item = rlog_item_create(entry->type, index, entry->term, entry->payload);

    item->refs++; /* the memory's and the queue's */
    rlog_memory_append(log, item);
    rlog_write_queue(log, item);
    return index;
}

void rlog_log_truncate(struct rlog_log *log, uint64_t index)
{
    uint64_t last = index - 1;

    ASSERT(index >= log->start && index <= rlog_log_last(log));
    rlog_memory_truncate(log, index);
    log->stored = u64_min(log->stored, last);
    rlog_write_queue(
        log, rlog_item_create(RLOG_RECORD_TRUNCATE, last, rlog_log_term(log, last), BYTES_NONE));
}

void rlog_log_restart(struct rlog_log *log, uint64_t index, uint64_t term)
{
    rlog_memory_restart(log, index, term);
    log->stored = index; /* by the snapshot, which is durable */
    rlog_write_queue(log, rlog_item_create(RLOG_RECORD_RESTART, index, term, BYTES_NONE));
}

bool rlog_log_prune_some(struct rlog_log *log, uint64_t index, size_t entries)
{
    size_t count = 0;

    index = u64_min(index, log->stored + 1);
    if (!memory_prune(log, index, entries)) {
        return false;
    }
    while (count + 1 < log->segment_count && log->segments[count].index_max < index) {
        count++;
    }
    rlog_segments_drop(log, count);
    return true;
}

void rlog_log_prune(struct rlog_log *log, uint64_t index)
{
    (void)rlog_log_prune_some(log, index, SIZE_MAX);
}

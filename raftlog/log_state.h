/* What the files of the log share: its state in memory, and the half of it that works on the disk.
 *
 * Not for code outside log*.c (that is log.h).
 *
 * Ownership: `struct rlog_log_disk` belongs to the batch under way from its submission to its
 * `done`, and to the loop otherwise. The mark, the spare segment and the removal of old segments
 * are work of their own on files that the batch does not touch.
 */
#ifndef RAFTLOG_LOG_STATE_H
#define RAFTLOG_LOG_STATE_H

#include "base/list.h"
#include "env/clock.h"
#include "env/disk.h"
#include "env/work.h"
#include "raftlog/log.h"
#include "raftlog/log_format.h"
#include "raftlog/path.h"

enum {
    RLOG_BATCH_BYTES_MAX = 1024 * 1024, /* one larger record is a batch of its own */
    RLOG_MARK_DELAY_US = 100000,
    RLOG_SPACE_RETRY_US = 100000, /* a batch that found no space is tried again */
    RLOG_SPARE_RETRY_US = 500000, /* the spare segment */
};

/* An entry, or a record of the log's own. Held by the memory, by the queue or batch, or by both. */
struct rlog_item {
    struct list link; /* in the queue or in the batch under way */
    uint8_t refs;     /* 1 or 2 */
    uint32_t type;    /* enum rlog_entry_type or enum rlog_record_type */
    uint64_t index;
    uint64_t term;
    uint64_t bytes_end; /* payload bytes of all entries up to this one, since the log was opened */
    size_t size;
    uint8_t data[];
};

/* The ring of before a restart, which is freed in pieces. */
struct rlog_litter {
    struct rlog_item **ring; /* NULL: there is none */
    size_t ring_size;
    uint64_t start, count;
};

struct rlog_segment {
    uint64_t number;
    uint64_t index;     /* first index, as in its name */
    uint64_t index_max; /* greatest index written to it, since the last restart in it */
};

/* The disk's half: where the writer stands. All its functions block. */
struct rlog_log_disk {
    struct env *env;
    char *folder;
    struct siphash_key key;
    uint64_t segment_bytes;
    struct env_file *tail; /* the newest segment */
    uint64_t offset;       /* of the next batch in it */
    uint64_t capacity;
    uint64_t number;
    bool spare_ready; /* a prepared file waits under the name "spare" */
    struct rlog_log_point point;
    uint8_t *buffer;
    size_t buffer_size;
    const char *failed_at; /* what failed, for the error line */
};

struct rlog_batch_work {
    struct env_work work;
    struct list items;
    uint64_t bytes;
    uint64_t number_before; /* of the newest segment */
    uint64_t submitted_us;  /* env_mono_us */
    bool busy;
    bool waits; /* for space: the same items are written again */
    int rc;
};

struct rlog_mark_work {
    struct env_work work;
    struct env_file *file;
    unsigned slot; /* the one to write next */
    struct rlog_log_point point;
    bool busy;
    int rc;
};

struct rlog_spare_work {
    struct env_work work;
    bool busy;
    bool refused; /* the last try found the disk full */
    bool pauses;  /* until spare_timer */
    int rc;
};

struct rlog_sweep_work {
    struct env_work work;
    struct rlog_segment *doomed; /* `count` of them wait */
    size_t count, capacity;
    bool busy;
    int rc;
};

struct rlog_log {
    struct env *env;
    struct rlog_log_handlers handlers;

    struct rlog_item **ring; /* start..start + count - 1; the size is a power of two */
    size_t ring_size;
    uint64_t start;
    uint64_t count;
    uint64_t base_term;  /* of start - 1 */
    uint64_t base_bytes; /* bytes_end of start - 1 */
    struct rlog_litter litter;
    uint64_t stored;

    struct list queue;
    uint64_t pending_bytes;        /* of the queue and of the batch under way */
    struct rlog_segment *segments; /* oldest first; the last one is being written */
    size_t segment_count, segment_capacity;
    struct rlog_log_point durable;

    struct rlog_log_disk disk;
    struct rlog_batch_work batch;
    struct rlog_mark_work mark;
    struct rlog_spare_work spare;
    struct rlog_sweep_work sweep;
    struct env_timer *batch_timer;
    struct env_timer *mark_timer;
    struct env_timer *spare_timer;
    bool mark_waits; /* mark_timer runs */
    bool failed;
    bool destroyed; /* freed when the last work comes back */
};

/* ---- memory (log.c) ---- */

/* Returns owned, refs 1; the payload is copied. */
struct rlog_item *rlog_item_create(uint32_t type, uint64_t index, uint64_t term,
                                   struct bytes payload);
void rlog_item_release(struct rlog_item *item);
/* Appends to the memory alone; takes one reference. */
void rlog_memory_append(struct rlog_log *log, struct rlog_item *item);
/* Removes entries from `index` on. */
void rlog_memory_truncate(struct rlog_log *log, uint64_t index);
/* Removes all; the next index is index + 1. Many entries are freed by rlog_log_prune. */
void rlog_memory_restart(struct rlog_log *log, uint64_t index, uint64_t term);
/* Frees up to `count` entries of the litter; returns how many it has freed. */
size_t rlog_litter_free(struct rlog_log *log, size_t count);
bool rlog_memory_holds(const struct rlog_log *log, const struct rlog_item *item);
/* realloc that ends the process when memory is out. */
void *rlog_grow(void *memory, size_t size);

/* ---- the loop's half of writing (log_write.c) ---- */

void rlog_write_init(struct rlog_log *log);
/* The log was recovered: begins to prepare what it will need. */
void rlog_write_start(struct rlog_log *log);
/* Takes over one reference and arms the next batch. */
void rlog_write_queue(struct rlog_log *log, struct rlog_item *item);
/* Whether any work is on its way. */
bool rlog_write_working(const struct rlog_log *log);
void rlog_segment_add(struct rlog_log *log, uint64_t number, uint64_t index);
/* Removes the files of the `count` oldest segments, soon. */
void rlog_segments_drop(struct rlog_log *log, size_t count);

/* ---- blocking (log_disk.c) ---- */

/* Opens the disk's half: copies the folder's name. */
int rlog_disk_init(struct rlog_log_disk *disk, struct env *env,
                   const struct rlog_log_config *config);
void rlog_disk_done(struct rlog_log_disk *disk);
/* Bytes that a record takes in a batch. */
uint64_t rlog_disk_record_bytes(const struct rlog_item *item);
/* Whether a batch with `body_bytes` of records fits the newest segment. */
bool rlog_disk_fits(const struct rlog_log_disk *disk, uint64_t body_bytes);
/* A new segment of at least `body_bytes` for the next batch; durable on return. */
int rlog_disk_roll(struct rlog_log_disk *disk, uint64_t body_bytes);
/* Writes the items (a list of struct rlog_item) as one batch; durable on return. Rolls over first
 * when it does not fit. NO_SPACE: nothing of it counts, and the same items may be written again. */
int rlog_disk_batch(struct rlog_log_disk *disk, const struct list *items);
/* Prepares the file "spare", or finds it prepared: the space of the next segment, kept before it is
 * needed, so that what other programs write to the disk cannot take it. */
int rlog_disk_spare(const struct rlog_log_disk *disk);
/* Removes the files of these segments; durable on return. */
int rlog_disk_sweep(const struct rlog_log_disk *disk, const struct rlog_segment *segments,
                    size_t count);
/* Writes one slot of the mark; durable on return. */
int rlog_disk_mark(const struct rlog_log_disk *disk, struct env_file *file, unsigned slot,
                   const struct rlog_log_point *point);

/* ---- recovery (log_recover.c) ---- */

/* Fills an empty log from its folder. On failure `error` says why. */
int rlog_recover(struct rlog_log *log, uint64_t snapshot_index, uint64_t snapshot_term, char *error,
                 size_t error_size);

#endif

/* The durable log of one node: segments of checksummed, chained records, group commit, recovery.
 *
 * One writer. Appends and truncations are queued in order and made durable in batches (one write
 * and one sync for all that gathered while the batch before was on its way); `stored` advances when
 * a batch is durable. Entries stay readable in memory from the log's start to its end.
 *
 * A torn tail (never acknowledged: cut off) and damage (acknowledged: it is not opened) are told
 * apart by the durable mark: each batch carries what was durable before it, and the newest mark is
 * written again, apart from the segments, soon after.
 *
 * A full disk ends nothing: what cannot be written is tried again until there is space, is not
 * stored until then, and all that follows waits behind it. The space of one segment ahead is taken
 * early, and kept: what other programs leave of the disk decides nothing before that is used up.
 */
#ifndef RAFTLOG_LOG_H
#define RAFTLOG_LOG_H

#include "base/bytes.h"
#include "env/env.h"

enum rlog_entry_type { RLOG_COMMAND = 1, RLOG_BARRIER = 2, RLOG_CHANGE = 3 };

struct rlog_log_entry {
    uint64_t term;
    enum rlog_entry_type type;
    struct bytes payload; /* borrowed from the log until truncated or pruned */
};

struct rlog_log;

struct rlog_log_config {
    const char *folder; /* borrowed; exists */
    uint64_t segment_bytes;
    struct id128 store_id; /* stamped into every segment: a foreign segment is refused */
};

struct rlog_log_handlers {
    void *arg;
    /* A batch is durable: all entries up to `index` of what was appended and not truncated since.
     * Once a batch: the same index may come again (a truncation or a restart on its own). */
    void (*stored)(void *arg, uint64_t index);
    /* The batch that `stored` tells of next: its bytes, and how long it took from its submission,
     * the wait for a worker included. For who counts; may be NULL. */
    void (*written)(void *arg, uint64_t bytes, uint64_t took_us);
    /* A write or sync failed, and not for want of space: the log is dead, the process has to
     * end. */
    void (*failed)(void *arg, int rc, const char *detail);
};

/* Creates the files of a log that starts after (index, term): its first entry is index + 1. `first`
 * is written as that entry; NULL leaves the log empty. Synchronous and durable. EXISTS when there
 * is a log in the folder. */
int rlog_log_format(struct env *env, const struct rlog_log_config *config, uint64_t index,
                    uint64_t term, const struct rlog_log_entry *first);

/* Opens and recovers. `snapshot_index`, `snapshot_term` are the newest durable snapshot's, or 0: a
 * log that ends before it, or that holds another term at its index, is restarted there (the crash
 * came between installing the snapshot and restarting the log). On failure `error` says in one line
 * what is damaged, where, and what to do. Synchronous. INVALID: damaged; DENIED: another store's.
 */
int rlog_log_open(struct env *env, const struct rlog_log_config *config, uint64_t snapshot_index,
                  uint64_t snapshot_term, const struct rlog_log_handlers *handlers, char *error,
                  size_t error_size, struct rlog_log **ret_log);
/* A log that holds nothing and has no files: its first entry would be index + 1, but nothing may be
 * appended to it. It takes the place of one that is damaged. INVALID: the folder's name is too
 * long. */
int rlog_log_create_empty(struct env *env, const struct rlog_log_config *config, uint64_t index,
                          uint64_t term, const struct rlog_log_handlers *handlers,
                          struct rlog_log **ret_log);
/* Removes whatever the folder holds and formats an empty log that starts after (index, term).
 * Synchronous and durable; done in part after a crash: the caller knows to begin it again. */
int rlog_log_renew(struct env *env, const struct rlog_log_config *config, uint64_t index,
                   uint64_t term);
/* Calls no handler any more. Frees at once when no work is on its way or the env has crashed, and
 * otherwise when the last work comes back. Writes nothing that was not submitted. NULL is fine. */
void rlog_log_destroy(struct rlog_log *log);

/* First index that is readable (start), last index (start - 1 when empty), last durable index. */
uint64_t rlog_log_start(const struct rlog_log *log);
uint64_t rlog_log_last(const struct rlog_log *log);
uint64_t rlog_log_stored(const struct rlog_log *log);
/* The term of an index from start - 1 to last; 0 elsewhere. */
uint64_t rlog_log_term(const struct rlog_log *log, uint64_t index);
/* The entry must lie in start..last. */
struct rlog_log_entry rlog_log_entry(const struct rlog_log *log, uint64_t index);

/* Appends at rlog_log_last + 1 in memory and queues the write; copies the payload. Returns the
 * index. */
uint64_t rlog_log_append(struct rlog_log *log, const struct rlog_log_entry *entry);
/* Removes entries from `index` on (index <= last) and queues that, before whatever is appended
 * next. Batches already on their way report at most index - 1. */
void rlog_log_truncate(struct rlog_log *log, uint64_t index);
/* Everything is replaced by the durable snapshot at (index, term): empties the log, next append is
 * index + 1, stored is `index`. Nothing older is reported as stored any more. Old segments go once
 * that is durable. */
void rlog_log_restart(struct rlog_log *log, uint64_t index, uint64_t term);
/* A durable snapshot reaches to `index` - 1 at least: entries below `index` are not needed; frees
 * memory, and whole segments. Entries that are not stored stay. */
void rlog_log_prune(struct rlog_log *log, uint64_t index);
/* The same in pieces, for the loop: frees `entries` at most, those of before a restart first.
 * False: there is more to do. */
bool rlog_log_prune_some(struct rlog_log *log, uint64_t index, size_t entries);

/* Bytes of records that are not yet durable (back-pressure; 0: all is), and payload bytes of the
 * entries after `index` (snapshot policy). */
uint64_t rlog_log_pending_bytes(const struct rlog_log *log);
uint64_t rlog_log_bytes_since(const struct rlog_log *log, uint64_t index);
/* The disk is full, and something waits to be written until there is space. */
bool rlog_log_waits(const struct rlog_log *log);
/* The space of the next segment is taken already, or is being taken for the first time. */
bool rlog_log_reserved(const struct rlog_log *log);
/* All is durable, the mark says so, and no work is on its way: the folder may be opened again once
 * the log is destroyed. Within RLOG_MARK_DELAY_US and the disk's time after the last change; never
 * after a failure that left something behind. */
bool rlog_log_idle(const struct rlog_log *log);

#endif

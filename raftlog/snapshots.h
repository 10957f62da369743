/* Snapshots on disk: one file each, chunks compressed with LZ4 and checksummed, written beside and
 * renamed, folder synced.
 *
 * File: head (version, index, term, configuration index, the log's bytes), configuration bytes,
 * chunks, end (counts); each block with its checksum, chained to the block before
 * (snapshot_format.h). The same bytes travel to a lagging peer. `folder` is the folder of
 * snapshots itself; it exists.
 */
#ifndef RAFTLOG_SNAPSHOTS_H
#define RAFTLOG_SNAPSHOTS_H

#include "base/bytes.h"
#include "base/list.h"
#include "env/env.h"

enum { RLOG_SNAPSHOT_CHUNK = 256 * 1024 };

struct rlog_snapshot_meta {
    uint64_t index;
    uint64_t term;
    uint64_t configuration_index;
    uint64_t log_bytes; /* payload bytes of all entries up to `index`, since the log's birth */
    struct bytes configuration; /* opaque to this file; at most 4 KiB */
};

struct rlog_snapshot_info {
    struct rlog_snapshot_meta meta;
    uint8_t configuration_bytes[4096]; /* meta.configuration points here */
    uint64_t file_bytes;
    /* Only where the whole file was walked: of its image, and the hash of its last block. */
    uint64_t raw_bytes;
    uint64_t identity;
};

/* The newest snapshot of the folder; NOT_FOUND when there is none. Its head and configuration are
 * checked, its chunks when it is restored. Removes half-written files, but those that arrive and
 * may be of use yet: only at start. INVALID:
 * damaged, never a reason to take an older one silently; LIMIT: of a later version. Synchronous. */
int rlog_snapshots_newest(struct env *env, const char *folder, struct rlog_snapshot_info *ret_info,
                          char *error, size_t error_size);
/* Removes all but the one at `index`, and what arrived in part of one up to it; leaves those that
 * are being written. Synchronous. */
int rlog_snapshots_keep(struct env *env, const char *folder, uint64_t index);

/* ---- writing one (from the machine's pieces), asynchronously ---- */
struct rlog_snapshot_writer;
/* `done(arg, rc)` once, on the loop, never inside a call: 0 when the file is durable under its
 * final name. The writer may be destroyed in it. */
struct rlog_snapshot_writer *rlog_snapshot_writer_create(struct env *env, const char *folder,
                                                         const struct rlog_snapshot_meta *meta,
                                                         void (*done)(void *arg, int rc),
                                                         void *arg);
/* Packs so many bytes together, RLOG_SNAPSHOT_CHUNK at most and otherwise; before any piece. */
void rlog_snapshot_writer_pack(struct rlog_snapshot_writer *writer, size_t block_bytes);
void rlog_snapshot_writer_piece(struct rlog_snapshot_writer *writer,
                                struct bytes piece); /* copies */
/* The image's identity, once it is done: as of a file (rlog_snapshot_file_tell). */
uint64_t rlog_snapshot_writer_identity(const struct rlog_snapshot_writer *writer);
/* Bytes that wait for the disk: the machine's walk pauses above a bound. */
uint64_t rlog_snapshot_writer_pending(const struct rlog_snapshot_writer *writer);
void rlog_snapshot_writer_finish(struct rlog_snapshot_writer *writer); /* no more pieces */
/* Frees it; when it is not done, gives it up and removes the file soon, without `done`. NULL is
 * fine. */
void rlog_snapshot_writer_destroy(struct rlog_snapshot_writer *writer);
/* As destroy; while its work is under way it stands in `left`, for rlog_snapshot_writers_forget. */
void rlog_snapshot_writer_leave(struct rlog_snapshot_writer *writer, struct list *left);
/* Empties the list: those whose work will end free themselves, those of a crashed env are freed. */
void rlog_snapshot_writers_forget(struct list *left);

/* ---- reading one into the machine, synchronously (at start, at install) ----
 * `feed` gets pieces whose checksums are right; only ENV_OK says that they were all of them. A
 * negative answer of feed ends it: LIMIT, as for a file of a later version. INVALID: damaged. */
int rlog_snapshot_restore(struct env *env, const char *folder, uint64_t index,
                          int (*feed)(void *arg, struct bytes piece), void *arg, char *error,
                          size_t error_size);

/* ---- the raw file, for sending and receiving ---- */
/* Reads up to `capacity` bytes of the file at `offset`. For queued work or the loop. */
int rlog_snapshot_file_read(struct env *env, const char *folder, uint64_t index, uint64_t offset,
                            void *buffer, size_t capacity, size_t *ret_size);
/* Its size, and the hash of its last block, which is chained to all before and so stands for the
 * whole file: the image's identity. Neither is checked. For queued work. */
int rlog_snapshot_file_tell(struct env *env, const char *folder, uint64_t index, uint64_t *ret_size,
                            uint64_t *ret_identity);

/* A file that arrives from a leader. What was written stays on disk when the receiver is destroyed,
 * under a name of its index and identity, and the next receiver of the same image goes on behind
 * the last block of it that is whole. All are synchronous, for queued work; but destroy, which only
 * closes. */
struct rlog_snapshot_receiver;
/* Removes what arrived of other images. `ret_offset`: from here on it has to be appended. */
int rlog_snapshot_receiver_create(struct env *env, const char *folder, uint64_t index,
                                  uint64_t identity, struct rlog_snapshot_receiver **ret_receiver,
                                  uint64_t *ret_offset);
int rlog_snapshot_receiver_append(struct rlog_snapshot_receiver *receiver, struct bytes piece);
/* Checks everything (checksums, meta, identity) while it gives the pieces to `feed`, makes it
 * durable and renames. INVALID: it is not the whole image; what arrived is removed. LIMIT: feed
 * gave a negative answer. Only ENV_OK says that feed got all of it. */
int rlog_snapshot_receiver_finish(struct rlog_snapshot_receiver *receiver,
                                  int (*feed)(void *arg, struct bytes piece), void *arg,
                                  struct rlog_snapshot_info *ret_info, char *error,
                                  size_t error_size);
/* Removes what arrived: it is of no use, or its space is needed. */
void rlog_snapshot_receiver_drop(struct rlog_snapshot_receiver *receiver);
void rlog_snapshot_receiver_destroy(struct rlog_snapshot_receiver *receiver);

#endif

/* A node's data folder: its lock, its birth, its store id; and what must be there.
 *
 * LOCK (held while open), BIRTH (cluster, incarnation, node id, store id, members, machine's bytes;
 * written once), vote-0/vote-1, met, log/ and snapshots/. Every file has a magic, a version and a
 * checksum.
 */
#ifndef RAFTLOG_STORE_H
#define RAFTLOG_STORE_H

#include "env/disk.h"
#include "raftlog/raftlog.h"

enum { RLOG_MACHINE_MAX = 16 * 1024 }; /* the machine's bytes in a birth */

/* Where the image of a restored cluster stands. No log holds an entry up to there, so that nobody
 * can come to the present without it: the core sends its snapshot to who lacks entry 1 when it has
 * no term for that, neither of an entry nor of the snapshot; hence 2 and not 1. */
enum { RLOG_IMAGE_INDEX = 2, RLOG_IMAGE_TERM = 1 };

struct rlog_store {
    struct env_file *lock;
    uint64_t id;
    struct id128 store_id;
    struct rlog_birth birth;
    uint8_t machine_bytes[RLOG_MACHINE_MAX]; /* birth.machine points here */
};

/* Makes `folder` (which is empty or does not exist yet) a node's: log/ with entry 1, a CHANGE of
 * term 1 with `first_configuration`, or empty without one, or empty behind birth->image;
 * snapshots/; vote (term 1, nobody); met; and, last, BIRTH: a crash before that leaves no node.
 * EXISTS when the folder is not empty. `error`: one line for a person. `ret_store_id` may be NULL.
 */
int rlog_store_format(struct env *env, const char *folder, uint64_t id,
                      const struct rlog_birth *birth, struct bytes first_configuration,
                      uint64_t segment_bytes, char *error, size_t error_size,
                      struct id128 *ret_store_id);
/* Writes birth->image as the snapshot at RLOG_IMAGE_INDEX (raftlog/image.c). */
int rlog_image_format(struct env *env, const char *folder, const struct rlog_birth *birth,
                      struct bytes configuration);
/* Locks the folder and reads its birth. `ret_store` stays where it is until closed: birth.machine
 * points into it. NOT_FOUND: no folder, or an empty one. IN_USE: another process has it open.
 * INVALID: files without a birth, or a damaged one. */
int rlog_store_open(struct env *env, const char *folder, struct rlog_store *ret_store, char *error,
                    size_t error_size);
void rlog_store_close(struct rlog_store *store);

#endif

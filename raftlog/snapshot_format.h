/* The bytes of a snapshot file: made block by block, and walked with every byte checked.
 *
 *   head            sealed: index, term, index of the configuration, bytes of the log
 *   configuration   sealed: its bytes, opaque
 *   chunk ...       sealed: u32 raw size, LZ4 block of at most RLOG_SNAPSHOT_CHUNK raw bytes
 *   end             sealed: number of chunks, raw bytes in total; the file ends here
 *
 * Each block is sealed under a key made of the hash of the block before and its own number, so that
 * no block can be missing, twice, or another file's. The keys are not a store's: the same bytes
 * travel to other nodes. Who writes, names and removes files is not decided here.
 */
#ifndef RAFTLOG_SNAPSHOT_FORMAT_H
#define RAFTLOG_SNAPSHOT_FORMAT_H

#include "env/disk.h"
#include "raftlog/snapshots.h"

enum {
    RLOG_SNAPSHOT_CONFIGURATION_MAX = 4096,
    /* No block of the file is larger: LZ4's worst case, its sizes and its seal. */
    RLOG_SNAPSHOT_BLOCK_MAX = RLOG_SNAPSHOT_CHUNK + RLOG_SNAPSHOT_CHUNK / 255 + 64,
};

/* Where a writer or reader of a file stands. */
struct rlog_snapshot_chain {
    uint64_t hash; /* of the block before */
    uint64_t blocks;
    uint64_t chunks;
    uint64_t raw_bytes;
};

/* Each writes one block (the head: two) to `out`, which holds RLOG_SNAPSHOT_BLOCK_MAX bytes, and
 * returns its size. `scratch` holds as much. The chain begins as zeros. */
size_t rlog_snapshot_put_head(struct rlog_snapshot_chain *chain,
                              const struct rlog_snapshot_meta *meta, uint8_t *out);
size_t rlog_snapshot_put_chunk(struct rlog_snapshot_chain *chain, struct bytes raw, uint8_t *out,
                               uint8_t *scratch);
size_t rlog_snapshot_put_end(struct rlog_snapshot_chain *chain, uint8_t *out);

/* Reads head and configuration. INVALID: damaged; LIMIT: of another version. */
int rlog_snapshot_read_meta(struct env *env, const char *path, struct rlog_snapshot_info *ret_info);
/* Reads the whole file and gives each raw chunk to `feed` (NULL: only checks). What feed returns
 * when it is negative ends the walk. Only ENV_OK means that the file is whole. */
int rlog_snapshot_walk(struct env *env, const char *path,
                       int (*feed)(void *arg, struct bytes piece), void *arg,
                       struct rlog_snapshot_info *ret_info);

/* How many bytes of the file at `path` are whole blocks of an image at `index`, from its start on:
 * 0 when it is not even its head. Anything may follow them. */
int rlog_snapshot_measure(struct env *env, const char *path, uint64_t index, uint64_t *ret_bytes);

/* "snap-<index>", in hexadecimal; and what is written beside until it is durable. */
enum { RLOG_SNAPSHOT_NAME_MAX = 48 };
void rlog_snapshot_name(char name[RLOG_SNAPSHOT_NAME_MAX], uint64_t index);
/* `tag` sets apart those that may exist at one time. */
void rlog_snapshot_name_beside(char name[RLOG_SNAPSHOT_NAME_MAX], uint64_t index, uint32_t tag);
/* What arrives: "snap-<index>-<identity>.part". */
void rlog_snapshot_name_part(char name[RLOG_SNAPSHOT_NAME_MAX], uint64_t index, uint64_t identity);
/* Removes what arrived of other images than this one (snapshots.c). */
int rlog_snapshots_drop_parts(struct env *env, const char *folder, const char *but);
/* Closes the gap between a whole file beside and a snapshot: syncs, renames, syncs the folder. */
int rlog_snapshot_settle(struct env *env, const char *folder, struct env_file *file,
                         const char *beside, uint64_t index);

#endif

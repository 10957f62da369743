/* The log of a stopped node, read into memory: its segments, batches and records, and what the
 * entries were after each batch. Writes damaged copies of it and has them recovered; says nothing
 * about what should have come of that.
 */
#ifndef TESTS_CLUSTER_LOG_IMAGE_H
#define TESTS_CLUSTER_LOG_IMAGE_H

#include "raftlog/log_state.h"

enum {
    IMAGE_PATH = 600,
    IMAGE_SEGMENT_HEAD = RLOG_SEALED_EXTRA + 40, /* bytes of it that count */
    IMAGE_MARK = RLOG_SEALED_EXTRA + 32,
};

#define IMAGE_OF_MARK SIZE_MAX

struct image_file {
    char name[RLOG_SEGMENT_NAME_MAX];
    uint8_t *bytes;
    uint64_t size;
};

struct image_batch {
    size_t segment;
    uint64_t number;      /* 1, 2, ... in this log */
    uint64_t offset, end; /* head and records, without what fills up the block */
};

struct image_record {
    uint64_t batch; /* its number */
    uint64_t offset, size;
};

struct image {
    const char *data;    /* the node's folder */
    const char *scratch; /* where copies go: a folder of our own */
    struct id128 store_id;
    struct siphash_key key;
    uint64_t snapshot_index, snapshot_term;
    struct image_file mark_file;
    struct image_file *segments; /* in order */
    size_t segment_count;
    struct image_batch *batches;
    uint64_t batch_count; /* number of the last one: the first here is 1 */
    struct image_record *records;
    size_t record_count;
    uint64_t *digests; /* by batch: of all entries after it; [0]: before the first */
    uint64_t mark;     /* number of the batch that the mark names */
    uint64_t proven; /* what may have been acknowledged: the mark, or a later segment's beginning */
    uint64_t first;  /* what a batch's number here is more than its own */
};

enum image_kind { IMAGE_WHOLE, IMAGE_CUT, IMAGE_ZERO, IMAGE_FLIP };

struct image_damage {
    enum image_kind kind;
    size_t segment; /* or IMAGE_OF_MARK */
    uint64_t offset;
    unsigned bit;
};

struct image_found {
    bool accepted;
    bool told;      /* refused: the line says that the log is damaged */
    uint64_t batch; /* the last one */
    uint64_t digest;
    char error[512];
};

/* Ends the program when the folder cannot be read. */
void image_read(struct image *image, struct env *env, const char *data);
void image_done(struct image *image);
/* The image with the damage, into FOLDER/log. */
void image_write(const struct image *image, const char *folder, const struct image_damage *damage);
void image_recover(const struct image *image, struct env *env, const struct image_damage *damage,
                   struct image_found *ret_found);

/* The last batch that is whole when the segment ends at `offset`, or has zeros from there on. A
 * batch fills its last block, and its own last bytes may be zeros. */
uint64_t image_batch_at(const struct image *image, size_t segment, uint64_t offset, bool zeros);
/* The first of the last `count` batches of the newest segment. */
const struct image_batch *image_last_batches(const struct image *image, uint64_t count);
uint64_t image_blocks_end(const struct image_batch *batch);

#endif

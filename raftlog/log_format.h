/* The bytes of a log: segment header, batches, records, mark. Pure: no file, no memory of its own.
 *
 *   segment-<number>-<index>   a 512-byte block (sealed segment header), then batches, then zeros
 *   batch                      begins at a multiple of 512: sealed batch header, records, zeros
 *   record                     u32 payload size, u32 type, u64 index, u64 term, u64 link, payload,
 *                              u64 hash, u32 CRC32C
 *   mark                       two 512-byte slots, 4,096 bytes apart, each a sealed mark
 *
 * All is one chain of 64-bit SipHashes keyed by the store id: each segment header, batch header and
 * record holds the hash of what stands before it (its link) and gives its own to what comes next.
 * So old bytes of a segment and bytes of another node never pass for a continuation.
 */
#ifndef RAFTLOG_LOG_FORMAT_H
#define RAFTLOG_LOG_FORMAT_H

#include "raftlog/sealed.h"

enum {
    RLOG_BLOCK = 512,
    RLOG_MARK_STRIDE = 4096,
    RLOG_MARK_SLOTS = 2,
    RLOG_BATCH_HEAD = RLOG_SEALED_EXTRA + 40,
    RLOG_RECORD_HEAD = 32,
    RLOG_RECORD_EXTRA = RLOG_RECORD_HEAD + 12,
    RLOG_SEGMENT_NAME_MAX = 48,
};

/* No log gets there, and the index after it is one too: what claims more is refused. */
#define RLOG_INDEX_MAX (UINT64_MAX / 2)

/* Entries have the types of enum rlog_entry_type; these are the log's own records. */
enum rlog_record_type {
    RLOG_RECORD_TRUNCATE = 16, /* the last entry is now (index, term) */
    RLOG_RECORD_RESTART = 17,  /* the log is empty after (index, term) */
};

/* Where a log's writer stands: the last batch, the chain, the last entry. */
struct rlog_log_point {
    uint64_t batch; /* sequence number of the last batch; 0 before the first */
    uint64_t chain;
    uint64_t index;
    uint64_t term;
};

struct rlog_segment_head {
    uint64_t number;              /* 1, 2, ... without gaps */
    struct rlog_log_point before; /* chain: the link */
};

/* `point` is where the log stood before the batch: what was durable when it was written. */
struct rlog_batch_head {
    struct rlog_log_point before;
    uint32_t body_bytes;
    uint32_t record_count;
};

struct rlog_record {
    uint32_t type;
    uint64_t index;
    uint64_t term;
    struct bytes payload;
};

/* "segment-0000000000000001-0000000000000001": number, then first index, in hexadecimal. */
void rlog_segment_name(char name[RLOG_SEGMENT_NAME_MAX], uint64_t number, uint64_t index);
bool rlog_segment_name_read(const char *name, uint64_t *ret_number, uint64_t *ret_index);

/* Fills a whole block; returns the chain after it. */
uint64_t rlog_segment_head_write(uint8_t block[RLOG_BLOCK], const struct siphash_key *key,
                                 const struct rlog_segment_head *head);
/* As rlog_unseal; `before.chain` is the link, `ret_chain` the chain after it. */
int rlog_segment_head_read(struct bytes block, const struct siphash_key *key,
                           struct rlog_segment_head *ret_head, uint64_t *ret_chain);

/* RLOG_BATCH_HEAD bytes. The batch's own number is before.batch + 1. */
uint64_t rlog_batch_head_write(uint8_t *at, const struct siphash_key *key,
                               const struct rlog_batch_head *head);
int rlog_batch_head_read(struct bytes block, const struct siphash_key *key,
                         struct rlog_batch_head *ret_head, uint64_t *ret_chain);

/* RLOG_RECORD_EXTRA + payload.size bytes; returns the chain after it. */
uint64_t rlog_record_write(uint8_t *at, const struct siphash_key *key, uint64_t link,
                           const struct rlog_record *record);
/* Takes the next record from `reader` and moves `chain` on. False when it is not whole or does not
 * follow. */
bool rlog_record_read(struct base_reader *reader, const struct siphash_key *key, uint64_t *chain,
                      struct rlog_record *ret_record);
/* The same, of bytes that rlog_record_read has found whole: computes no sums again. */
bool rlog_record_reread(struct base_reader *reader, struct rlog_record *ret_record);

/* One slot of the mark: all batches up to point.batch are durable. */
void rlog_mark_write(uint8_t block[RLOG_BLOCK], const struct siphash_key *key,
                     const struct rlog_log_point *point);
int rlog_mark_read(struct bytes block, const struct siphash_key *key,
                   struct rlog_log_point *ret_point);

/* `size` rounded up to whole blocks. */
uint64_t rlog_blocks_up(uint64_t size);

#endif

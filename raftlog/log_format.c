/* Encoding and checking the log's bytes; decides nothing about what damage means. */
#include "raftlog/log_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct rlog_sealed_kind segment_kind = {RLOG_MAGIC('t', 'n', 'S', 'G'), 1};
static const struct rlog_sealed_kind batch_kind = {RLOG_MAGIC('t', 'n', 'B', 'A'), 1};
static const struct rlog_sealed_kind mark_kind = {RLOG_MAGIC('t', 'n', 'M', 'K'), 1};

enum { POINT_BYTES = 32, SEGMENT_BODY = 8 + POINT_BYTES, BATCH_BODY = POINT_BYTES + 8 };

_Static_assert(RLOG_BATCH_HEAD == RLOG_SEALED_EXTRA + BATCH_BODY, "the head is the sealed body");

static void point_write(struct base_writer *writer, const struct rlog_log_point *point)
{
    base_write_u64(writer, point->batch);
    base_write_u64(writer, point->chain);
    base_write_u64(writer, point->index);
    base_write_u64(writer, point->term);
}

static struct rlog_log_point point_read(struct base_reader *reader)
{
    struct rlog_log_point point;

    point.batch = base_read_u64(reader);
    point.chain = base_read_u64(reader);
    point.index = base_read_u64(reader);
    point.term = base_read_u64(reader);
    return point;
}

uint64_t rlog_blocks_up(uint64_t size)
{
    return (size + RLOG_BLOCK - 1) / RLOG_BLOCK * RLOG_BLOCK;
}

/* ---- segments ---- */

static const char name_prefix[] = "segment-";

void rlog_segment_name(char name[RLOG_SEGMENT_NAME_MAX], uint64_t number, uint64_t index)
{
    (void)snprintf(name, RLOG_SEGMENT_NAME_MAX, "%s%016" PRIx64 "-%016" PRIx64, name_prefix, number,
                   index);
}

static bool hex16_read(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (int i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = text[i] == '\0' ? NULL : strchr(digits, text[i]);

        if (digit == NULL) {
            return false;
        }
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *ret_value = value;
    return true;
}

bool rlog_segment_name_read(const char *name, uint64_t *ret_number, uint64_t *ret_index)
{
    size_t prefix = sizeof name_prefix - 1;

    return strlen(name) == prefix + 33 && memcmp(name, name_prefix, prefix) == 0 &&
           hex16_read(name + prefix, ret_number) && name[prefix + 16] == '-' &&
           hex16_read(name + prefix + 17, ret_index);
}

uint64_t rlog_segment_head_write(uint8_t block[RLOG_BLOCK], const struct siphash_key *key,
                                 const struct rlog_segment_head *head)
{
    uint8_t body[SEGMENT_BODY];
    struct base_writer writer;

    base_writer_init(&writer, body, sizeof body);
    base_write_u64(&writer, head->number);
    point_write(&writer, &head->before);
    memset(block, 0, RLOG_BLOCK);
    return rlog_seal(block, segment_kind, key, base_written(&writer));
}

int rlog_segment_head_read(struct bytes block, const struct siphash_key *key,
                           struct rlog_segment_head *ret_head, uint64_t *ret_chain)
{
    struct base_reader reader;
    struct rlog_segment_head head;
    struct bytes body;
    uint64_t chain;
    int rc = rlog_unseal(block, segment_kind, key, &body, &chain);

    if (rc != ENV_OK) {
        return rc;
    }
    base_reader_init(&reader, body);
    head.number = base_read_u64(&reader);
    head.before = point_read(&reader);
    if (!base_reader_finished(&reader)) {
        return ENV_INVALID;
    }
    *ret_head = head;
    *ret_chain = chain;
    return ENV_OK;
}

/* ---- batches ---- */

uint64_t rlog_batch_head_write(uint8_t *at, const struct siphash_key *key,
                               const struct rlog_batch_head *head)
{
    uint8_t body[BATCH_BODY];
    struct base_writer writer;

    base_writer_init(&writer, body, sizeof body);
    point_write(&writer, &head->before);
    base_write_u32(&writer, head->body_bytes);
    base_write_u32(&writer, head->record_count);
    return rlog_seal(at, batch_kind, key, base_written(&writer));
}

int rlog_batch_head_read(struct bytes block, const struct siphash_key *key,
                         struct rlog_batch_head *ret_head, uint64_t *ret_chain)
{
    struct base_reader reader;
    struct rlog_batch_head head;
    struct bytes body;
    uint64_t chain;
    int rc = rlog_unseal(block, batch_kind, key, &body, &chain);

    if (rc != ENV_OK) {
        return rc;
    }
    base_reader_init(&reader, body);
    head.before = point_read(&reader);
    head.body_bytes = base_read_u32(&reader);
    head.record_count = base_read_u32(&reader);
    if (!base_reader_finished(&reader)) {
        return ENV_INVALID;
    }
    *ret_head = head;
    *ret_chain = chain;
    return ENV_OK;
}

/* ---- records ---- */

uint64_t rlog_record_write(uint8_t *at, const struct siphash_key *key, uint64_t link,
                           const struct rlog_record *record)
{
    struct base_writer writer;
    uint64_t hash;

    base_writer_init(&writer, at, RLOG_RECORD_EXTRA + record->payload.size);
    base_write_u32(&writer, (uint32_t)record->payload.size);
    base_write_u32(&writer, record->type);
    base_write_u64(&writer, record->index);
    base_write_u64(&writer, record->term);
    base_write_u64(&writer, link);
    base_write_bytes(&writer, record->payload);
    hash = base_siphash64(key, base_written(&writer));
    base_write_u64(&writer, hash);
    base_write_u32(&writer, base_crc32c(0, base_written(&writer)));
    return hash;
}

bool rlog_record_read(struct base_reader *reader, const struct siphash_key *key, uint64_t *chain,
                      struct rlog_record *ret_record)
{
    const uint8_t *start = reader->at;
    struct rlog_record record;
    uint64_t link, hash;
    size_t size;
    uint32_t crc;

    size = base_read_u32(reader);
    record.type = base_read_u32(reader);
    record.index = base_read_u64(reader);
    record.term = base_read_u64(reader);
    link = base_read_u64(reader);
    record.payload = base_read_bytes(reader, size);
    hash = base_read_u64(reader);
    crc = base_read_u32(reader);
    if (reader->failed || link != *chain ||
        crc != base_crc32c(0, bytes_of(start, RLOG_RECORD_HEAD + size + sizeof hash)) ||
        hash != base_siphash64(key, bytes_of(start, RLOG_RECORD_HEAD + size))) {
        return false;
    }
    *chain = hash;
    *ret_record = record;
    return true;
}

bool rlog_record_reread(struct base_reader *reader, struct rlog_record *ret_record)
{
    struct rlog_record record;
    size_t size = base_read_u32(reader);

    record.type = base_read_u32(reader);
    record.index = base_read_u64(reader);
    record.term = base_read_u64(reader);
    (void)base_read_u64(reader); /* link */
    record.payload = base_read_bytes(reader, size);
    (void)base_read_u64(reader); /* hash */
    (void)base_read_u32(reader); /* checksum */
    *ret_record = record;
    return !reader->failed;
}

/* ---- the mark ---- */

void rlog_mark_write(uint8_t block[RLOG_BLOCK], const struct siphash_key *key,
                     const struct rlog_log_point *point)
{
    uint8_t body[POINT_BYTES];
    struct base_writer writer;

    base_writer_init(&writer, body, sizeof body);
    point_write(&writer, point);
    memset(block, 0, RLOG_BLOCK);
    (void)rlog_seal(block, mark_kind, key, base_written(&writer));
}

int rlog_mark_read(struct bytes block, const struct siphash_key *key,
                   struct rlog_log_point *ret_point)
{
    struct base_reader reader;
    struct rlog_log_point point;
    struct bytes body;
    int rc = rlog_unseal(block, mark_kind, key, &body, NULL);

    if (rc != ENV_OK) {
        return rc;
    }
    base_reader_init(&reader, body);
    point = point_read(&reader);
    if (!base_reader_finished(&reader)) {
        return ENV_INVALID;
    }
    *ret_point = point;
    return ENV_OK;
}

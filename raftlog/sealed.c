/* Sealing and checking blocks; knows no file and no meaning. */
#include "raftlog/sealed.h"

#include <string.h>

struct siphash_key rlog_store_key(struct id128 store_id)
{
    struct siphash_key key;

    memcpy(key.bytes, store_id.bytes, sizeof key.bytes);
    return key;
}

uint64_t rlog_seal(void *block, struct rlog_sealed_kind kind, const struct siphash_key *key,
                   struct bytes body)
{
    struct base_writer writer;
    uint64_t hash;

    base_writer_init(&writer, block, RLOG_SEALED_EXTRA + body.size);
    base_write_u32(&writer, kind.magic);
    base_write_u32(&writer, kind.version);
    base_write_u32(&writer, (uint32_t)body.size);
    base_write_bytes(&writer, body);
    hash = base_siphash64(key, base_written(&writer));
    base_write_u64(&writer, hash);
    base_write_u32(&writer, base_crc32c(0, base_written(&writer)));
    return hash;
}

int rlog_unseal(struct bytes block, struct rlog_sealed_kind kind, const struct siphash_key *key,
                struct bytes *ret_body, uint64_t *ret_hash)
{
    struct base_reader reader;
    struct bytes body;
    size_t size;
    uint64_t hash;
    uint32_t magic, version, crc;

    base_reader_init(&reader, block);
    magic = base_read_u32(&reader);
    version = base_read_u32(&reader);
    size = base_read_u32(&reader);
    if (reader.failed || magic != kind.magic) {
        return ENV_INVALID;
    }
    body = base_read_bytes(&reader, size);
    hash = base_read_u64(&reader);
    crc = base_read_u32(&reader);
    if (reader.failed ||
        crc != base_crc32c(0, bytes_of(block.data, RLOG_SEALED_HEAD + size + sizeof hash))) {
        return ENV_INVALID;
    }
    if (hash != base_siphash64(key, bytes_of(block.data, RLOG_SEALED_HEAD + size))) {
        return ENV_DENIED;
    }
    if (version != kind.version) {
        return ENV_LIMIT;
    }
    *ret_body = body;
    if (ret_hash != NULL) {
        *ret_hash = hash;
    }
    return ENV_OK;
}

/* Encoding and checking snapshot files. The only file that knows LZ4. */
#include "raftlog/snapshot_format.h"

#include "base/assert.h"
#include "env/fault.h"
#include "raftlog/path.h"
#include "raftlog/sealed.h"

#include <inttypes.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rlog_sealed_kind head_kind = {RLOG_MAGIC('t', 'n', 'S', 'N'), 2};
static const struct rlog_sealed_kind configuration_kind = {RLOG_MAGIC('t', 'n', 'S', 'C'), 1};
static const struct rlog_sealed_kind chunk_kind = {RLOG_MAGIC('t', 'n', 'C', 'H'), 1};
static const struct rlog_sealed_kind end_kind = {RLOG_MAGIC('t', 'n', 'S', 'E'), 1};

enum { HEAD_BODY = 32, END_BODY = 16, CHUNK_HEAD = 4 };

_Static_assert(RLOG_SNAPSHOT_BLOCK_MAX >=
                   LZ4_COMPRESSBOUND(RLOG_SNAPSHOT_CHUNK) + CHUNK_HEAD + RLOG_SEALED_EXTRA,
               "a chunk fits a block");
_Static_assert(RLOG_SNAPSHOT_BLOCK_MAX >=
                   HEAD_BODY + RLOG_SNAPSHOT_CONFIGURATION_MAX + 2 * RLOG_SEALED_EXTRA,
               "the head fits a block");

/* ---- names ---- */

void rlog_snapshot_name(char name[RLOG_SNAPSHOT_NAME_MAX], uint64_t index)
{
    (void)snprintf(name, RLOG_SNAPSHOT_NAME_MAX, "snap-%016" PRIx64, index);
}

void rlog_snapshot_name_beside(char name[RLOG_SNAPSHOT_NAME_MAX], uint64_t index, uint32_t tag)
{
    (void)snprintf(name, RLOG_SNAPSHOT_NAME_MAX, "snap-%016" PRIx64 "-%08" PRIx32 ".tmp", index,
                   tag);
}

void rlog_snapshot_name_part(char name[RLOG_SNAPSHOT_NAME_MAX], uint64_t index, uint64_t identity)
{
    (void)snprintf(name, RLOG_SNAPSHOT_NAME_MAX, "snap-%016" PRIx64 "-%016" PRIx64 ".part", index,
                   identity);
}

int rlog_snapshot_settle(struct env *env, const char *folder, struct env_file *file,
                         const char *beside, uint64_t index)
{
    char name[RLOG_SNAPSHOT_NAME_MAX], from[RLOG_FILE_PATH_MAX], to[RLOG_FILE_PATH_MAX];
    int rc;

    rlog_snapshot_name(name, index);
    if (!rlog_path(from, folder, beside) || !rlog_path(to, folder, name)) {
        return ENV_INVALID;
    }
    env_fault(env, "snapshot.before_sync");
    rc = env_file_sync(file);
    if (rc != ENV_OK) {
        return rc;
    }
    env_fault(env, "snapshot.before_rename");
    rc = env_rename(env, from, to);
    if (rc != ENV_OK) {
        return rc;
    }
    env_fault(env, "snapshot.after_rename");
    rc = env_folder_sync(env, folder);
    env_fault(env, "snapshot.durable");
    return rc;
}

/* ---- writing blocks ---- */

static struct siphash_key chain_key(const struct rlog_snapshot_chain *chain)
{
    struct siphash_key key;
    struct base_writer writer;

    base_writer_init(&writer, key.bytes, sizeof key.bytes);
    base_write_u64(&writer, chain->hash);
    base_write_u64(&writer, chain->blocks);
    return key;
}

static size_t put(struct rlog_snapshot_chain *chain, struct rlog_sealed_kind kind,
                  struct bytes body, uint8_t *out)
{
    struct siphash_key key = chain_key(chain);

    chain->hash = rlog_seal(out, kind, &key, body);
    chain->blocks++;
    return RLOG_SEALED_EXTRA + body.size;
}

size_t rlog_snapshot_put_head(struct rlog_snapshot_chain *chain,
                              const struct rlog_snapshot_meta *meta, uint8_t *out)
{
    uint8_t body[HEAD_BODY];
    struct base_writer writer;
    size_t size;

    ASSERT(meta->configuration.size <= RLOG_SNAPSHOT_CONFIGURATION_MAX);
    base_writer_init(&writer, body, sizeof body);
    base_write_u64(&writer, meta->index);
    base_write_u64(&writer, meta->term);
    base_write_u64(&writer, meta->configuration_index);
    base_write_u64(&writer, meta->log_bytes);
    size = put(chain, head_kind, base_written(&writer), out);
    return size + put(chain, configuration_kind, meta->configuration, out + size);
}

size_t rlog_snapshot_put_chunk(struct rlog_snapshot_chain *chain, struct bytes raw, uint8_t *out,
                               uint8_t *scratch)
{
    struct base_writer writer;
    int packed;

    ASSERT(raw.size > 0 && raw.size <= RLOG_SNAPSHOT_CHUNK);
    base_writer_init(&writer, scratch, CHUNK_HEAD);
    base_write_u32(&writer, (uint32_t)raw.size);
    packed = LZ4_compress_default((const char *)raw.data, (char *)scratch + CHUNK_HEAD,
                                  (int)raw.size, LZ4_COMPRESSBOUND(RLOG_SNAPSHOT_CHUNK));
    ASSERT(packed > 0);
    chain->chunks++;
    chain->raw_bytes += raw.size;
    return put(chain, chunk_kind, bytes_of(scratch, CHUNK_HEAD + (size_t)packed), out);
}

size_t rlog_snapshot_put_end(struct rlog_snapshot_chain *chain, uint8_t *out)
{
    uint8_t body[END_BODY];
    struct base_writer writer;

    base_writer_init(&writer, body, sizeof body);
    base_write_u64(&writer, chain->chunks);
    base_write_u64(&writer, chain->raw_bytes);
    return put(chain, end_kind, base_written(&writer), out);
}

/* ---- walking a file ---- */

struct walk {
    struct env_file *file;
    uint64_t offset;
    struct rlog_snapshot_chain chain;
    uint8_t *block; /* RLOG_SNAPSHOT_BLOCK_MAX */
    uint8_t *raw;   /* RLOG_SNAPSHOT_CHUNK */
};

/* The size that the block at hand claims, when it can be one. */
static size_t block_size(const uint8_t *head)
{
    struct base_reader reader;
    uint32_t size;

    base_reader_init(&reader, bytes_of(head, RLOG_SEALED_HEAD));
    (void)base_read_u64(&reader);
    size = base_read_u32(&reader);
    return size > RLOG_SNAPSHOT_BLOCK_MAX - RLOG_SEALED_EXTRA ? 0 : RLOG_SEALED_EXTRA + size;
}

/* Loads the next block; `ret_size` 0 when no block can be there. */
static int block_load(struct walk *walk, size_t *ret_size)
{
    size_t size = 0, wanted = 0;
    int rc = env_file_read(walk->file, walk->offset, walk->block, RLOG_SEALED_HEAD, &size);

    *ret_size = 0;
    if (rc != ENV_OK || size < RLOG_SEALED_HEAD) {
        return rc;
    }
    wanted = block_size(walk->block);
    if (wanted == 0) {
        return ENV_OK;
    }
    rc = env_file_read(walk->file, walk->offset, walk->block, wanted, &size);
    if (rc == ENV_OK && size == wanted) {
        *ret_size = wanted;
    }
    return rc;
}

/* Checks the loaded block as `kind` and steps over it. */
static int block_take(struct walk *walk, size_t size, struct rlog_sealed_kind kind,
                      struct bytes *ret_body)
{
    struct siphash_key key = chain_key(&walk->chain);
    uint64_t hash;
    int rc = rlog_unseal(bytes_of(walk->block, size), kind, &key, ret_body, &hash);

    if (rc == ENV_DENIED) {
        return ENV_INVALID; /* whole, but of another place */
    }
    if (rc == ENV_OK) {
        walk->chain.hash = hash;
        walk->chain.blocks++;
        walk->offset += size;
    }
    return rc;
}

static int meta_walk(struct walk *walk, struct rlog_snapshot_info *info)
{
    struct rlog_snapshot_meta *meta = &info->meta;
    struct base_reader reader;
    struct bytes body;
    size_t size;
    int rc = block_load(walk, &size);

    rc = rc == ENV_OK ? block_take(walk, size, head_kind, &body) : rc;
    if (rc != ENV_OK) {
        return rc;
    }
    base_reader_init(&reader, body);
    meta->index = base_read_u64(&reader);
    meta->term = base_read_u64(&reader);
    meta->configuration_index = base_read_u64(&reader);
    meta->log_bytes = base_read_u64(&reader);
    if (!base_reader_finished(&reader)) {
        return ENV_INVALID;
    }
    rc = block_load(walk, &size);
    rc = rc == ENV_OK ? block_take(walk, size, configuration_kind, &body) : rc;
    if (rc != ENV_OK) {
        return rc;
    }
    if (body.size > sizeof info->configuration_bytes) {
        return ENV_INVALID;
    }
    if (body.size > 0) {
        memcpy(info->configuration_bytes, body.data, body.size);
    }
    meta->configuration = bytes_of(info->configuration_bytes, body.size);
    return env_file_size(walk->file, &info->file_bytes);
}

static int chunk_walk(struct walk *walk, struct bytes body,
                      int (*feed)(void *arg, struct bytes piece), void *arg)
{
    struct base_reader reader;
    uint32_t raw_size;
    int size;

    base_reader_init(&reader, body);
    raw_size = base_read_u32(&reader);
    if (reader.failed || raw_size == 0 || raw_size > RLOG_SNAPSHOT_CHUNK) {
        return ENV_INVALID;
    }
    size = LZ4_decompress_safe((const char *)reader.at, (char *)walk->raw,
                               (int)base_reader_left(&reader), RLOG_SNAPSHOT_CHUNK);
    if (size < 0 || (uint32_t)size != raw_size) {
        return ENV_INVALID;
    }
    walk->chain.chunks++;
    walk->chain.raw_bytes += raw_size;
    return feed == NULL ? ENV_OK : feed(arg, bytes_of(walk->raw, raw_size));
}

static int end_walk(struct walk *walk, struct bytes body, uint64_t file_bytes)
{
    struct base_reader reader;
    uint64_t chunks, raw_bytes;

    base_reader_init(&reader, body);
    chunks = base_read_u64(&reader);
    raw_bytes = base_read_u64(&reader);
    return base_reader_finished(&reader) && chunks == walk->chain.chunks &&
                   raw_bytes == walk->chain.raw_bytes && walk->offset == file_bytes
               ? ENV_OK
               : ENV_INVALID;
}

static int blocks_walk(struct walk *walk, int (*feed)(void *arg, struct bytes piece), void *arg,
                       uint64_t file_bytes)
{
    struct bytes body;
    size_t size;

    for (;;) {
        int rc = block_load(walk, &size);

        if (rc != ENV_OK) {
            return rc;
        }
        rc = block_take(walk, size, end_kind, &body);
        if (rc != ENV_INVALID) {
            return rc == ENV_OK ? end_walk(walk, body, file_bytes) : rc;
        }
        rc = block_take(walk, size, chunk_kind, &body);
        rc = rc == ENV_OK ? chunk_walk(walk, body, feed, arg) : rc;
        if (rc < 0) {
            return rc;
        }
    }
}

static int walk_open(struct walk *walk, struct env *env, const char *path)
{
    int rc;

    memset(walk, 0, sizeof *walk);
    rc = env_file_open(env, path, ENV_OPEN_READ, &walk->file);
    if (rc != ENV_OK) {
        return rc;
    }
    walk->block = malloc(RLOG_SNAPSHOT_BLOCK_MAX);
    walk->raw = malloc(RLOG_SNAPSHOT_CHUNK);
    ASSERT(walk->block != NULL && walk->raw != NULL);
    return ENV_OK;
}

static void walk_close(struct walk *walk)
{
    env_file_close(walk->file);
    free(walk->block);
    free(walk->raw);
}

int rlog_snapshot_read_meta(struct env *env, const char *path, struct rlog_snapshot_info *ret_info)
{
    struct walk walk;
    int rc = walk_open(&walk, env, path);

    if (rc != ENV_OK) {
        return rc;
    }
    rc = meta_walk(&walk, ret_info);
    walk_close(&walk);
    return rc;
}

int rlog_snapshot_walk(struct env *env, const char *path,
                       int (*feed)(void *arg, struct bytes piece), void *arg,
                       struct rlog_snapshot_info *ret_info)
{
    struct walk walk;
    int rc = walk_open(&walk, env, path);

    if (rc != ENV_OK) {
        return rc;
    }
    rc = meta_walk(&walk, ret_info);
    if (rc == ENV_OK) {
        rc = blocks_walk(&walk, feed, arg, ret_info->file_bytes);
        ret_info->raw_bytes = walk.chain.raw_bytes;
        ret_info->identity = walk.chain.hash;
    }
    walk_close(&walk);
    return rc;
}

int rlog_snapshot_measure(struct env *env, const char *path, uint64_t index, uint64_t *ret_bytes)
{
    struct rlog_snapshot_info info;
    struct walk walk;
    struct bytes body;
    size_t size = 0;
    int rc = walk_open(&walk, env, path);

    if (rc != ENV_OK) {
        return rc;
    }
    rc = meta_walk(&walk, &info);
    if (rc == ENV_OK && info.meta.index != index) {
        rc = ENV_INVALID;
    }
    *ret_bytes = 0;
    while (rc == ENV_OK) {
        *ret_bytes = walk.offset;
        rc = block_load(&walk, &size);
        if (rc == ENV_OK && block_take(&walk, size, end_kind, &body) != ENV_OK) {
            rc = block_take(&walk, size, chunk_kind, &body);
        }
    }
    walk_close(&walk);
    return rc == ENV_INVALID || rc == ENV_LIMIT ? ENV_OK : rc;
}

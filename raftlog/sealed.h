/* Blocks on disk that are whole or refused: magic, version, body, keyed hash, checksum.
 *
 * What a sealed block means is its user's affair; this only tells whole from damaged, ours from a
 * foreign store's, and a known version from another. Pure.
 */
#ifndef RAFTLOG_SEALED_H
#define RAFTLOG_SEALED_H

#include "base/bytes.h"
#include "base/hash.h"
#include "env/env.h"

/* The first four bytes of a block, as text in the file ("tnSG"), then a u32 version. */
#define RLOG_MAGIC(a, b, c, d)                                                                     \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

enum {
    RLOG_SEALED_HEAD = 12, /* magic, version, body size */
    RLOG_SEALED_TAIL = 12, /* hash, CRC32C */
    RLOG_SEALED_EXTRA = RLOG_SEALED_HEAD + RLOG_SEALED_TAIL,
};

/* What is said of a LIMIT, behind a name and "is". */
#define RLOG_LATER_FORMAT                                                                          \
    "of a format that this program does not know: upgrade this node, its data is untouched"

struct rlog_sealed_kind {
    uint32_t magic;
    uint32_t version;
};

/* The key of all hashes of one store. */
struct siphash_key rlog_store_key(struct id128 store_id);

/* Writes RLOG_SEALED_EXTRA + body.size bytes to `block`. Returns the hash, which stands for the
 * block in a chain. */
uint64_t rlog_seal(void *block, struct rlog_sealed_kind kind, const struct siphash_key *key,
                   struct bytes body);
/* `block` may be longer than what was sealed. INVALID: damaged. DENIED: whole, but sealed under
 * another key. LIMIT: whole, under this key, of another version (every version keeps this seal): a
 * later program wrote it, and nothing may be done to it. The body points into `block`. `ret_hash`
 * may be NULL. */
int rlog_unseal(struct bytes block, struct rlog_sealed_kind kind, const struct siphash_key *key,
                struct bytes *ret_body, uint64_t *ret_hash);

#endif

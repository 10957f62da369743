/* Hashes that carry no secrets' safety: CRC32C for damage, keyed SipHash for tables and digests.
 *
 * SHA-256 lives behind env/crypto.h; nothing here is for hashing secrets.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

/* CRC32C (Castagnoli, RFC 3720 B.4), continuing from `crc` (0 to start). */
uint32_t base_crc32c(uint32_t crc, struct bytes data);

struct siphash_key {
    uint8_t bytes[16];
};

/* 128 bits, added and subtracted modulo 2^128 by the digest. */
struct hash128 {
    uint64_t low;
    uint64_t high;
};

/* SipHash-2-4, 64-bit output (Aumasson and Bernstein, 2012). */
uint64_t base_siphash64(const struct siphash_key *key, struct bytes data);
/* SipHash-2-4, 128-bit output. */
struct hash128 base_siphash128(const struct siphash_key *key, struct bytes data);

struct hash128 hash128_add(struct hash128 a, struct hash128 b);
struct hash128 hash128_sub(struct hash128 a, struct hash128 b);
bool hash128_equal(struct hash128 a, struct hash128 b);

#endif

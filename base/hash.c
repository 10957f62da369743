/* CRC32C by tables and SipHash-2-4. For damage and for tables; no secret's safety rests on it. */
#include "base/hash.h"

/* ---- CRC32C: eight bytes a step ----
 *
 * crc_tables[k][n] is the checksum of byte n followed by k zero bytes. The checksum is linear over
 * exclusive or, so an entry is the combination of the eight entries of its single bits: those are
 * the numbers below, the rest is spelled out by the preprocessor. */
#define CRC_BIT(n, bit, value) (((n) >> (bit) & 1U) != 0 ? (value) : 0U)

#define CRC_ENTRY_0(n)                                                                             \
    (CRC_BIT(n, 0, 0xf26b8303U) ^ CRC_BIT(n, 1, 0xe13b70f7U) ^ CRC_BIT(n, 2, 0xc79a971fU) ^        \
     CRC_BIT(n, 3, 0x8ad958cfU) ^ CRC_BIT(n, 4, 0x105ec76fU) ^ CRC_BIT(n, 5, 0x20bd8edeU) ^        \
     CRC_BIT(n, 6, 0x417b1dbcU) ^ CRC_BIT(n, 7, 0x82f63b78U))
#define CRC_ENTRY_1(n)                                                                             \
    (CRC_BIT(n, 0, 0x13a29877U) ^ CRC_BIT(n, 1, 0x274530eeU) ^ CRC_BIT(n, 2, 0x4e8a61dcU) ^        \
     CRC_BIT(n, 3, 0x9d14c3b8U) ^ CRC_BIT(n, 4, 0x3fc5f181U) ^ CRC_BIT(n, 5, 0x7f8be302U) ^        \
     CRC_BIT(n, 6, 0xff17c604U) ^ CRC_BIT(n, 7, 0xfbc3faf9U))
#define CRC_ENTRY_2(n)                                                                             \
    (CRC_BIT(n, 0, 0xa541927eU) ^ CRC_BIT(n, 1, 0x4f6f520dU) ^ CRC_BIT(n, 2, 0x9edea41aU) ^        \
     CRC_BIT(n, 3, 0x38513ec5U) ^ CRC_BIT(n, 4, 0x70a27d8aU) ^ CRC_BIT(n, 5, 0xe144fb14U) ^        \
     CRC_BIT(n, 6, 0xc76580d9U) ^ CRC_BIT(n, 7, 0x8b277743U))
#define CRC_ENTRY_3(n)                                                                             \
    (CRC_BIT(n, 0, 0xdd45aab8U) ^ CRC_BIT(n, 1, 0xbf672381U) ^ CRC_BIT(n, 2, 0x7b2231f3U) ^        \
     CRC_BIT(n, 3, 0xf64463e6U) ^ CRC_BIT(n, 4, 0xe964b13dU) ^ CRC_BIT(n, 5, 0xd725148bU) ^        \
     CRC_BIT(n, 6, 0xaba65fe7U) ^ CRC_BIT(n, 7, 0x52a0c93fU))
#define CRC_ENTRY_4(n)                                                                             \
    (CRC_BIT(n, 0, 0x38116facU) ^ CRC_BIT(n, 1, 0x7022df58U) ^ CRC_BIT(n, 2, 0xe045beb0U) ^        \
     CRC_BIT(n, 3, 0xc5670b91U) ^ CRC_BIT(n, 4, 0x8f2261d3U) ^ CRC_BIT(n, 5, 0x1ba8b557U) ^        \
     CRC_BIT(n, 6, 0x37516aaeU) ^ CRC_BIT(n, 7, 0x6ea2d55cU))
#define CRC_ENTRY_5(n)                                                                             \
    (CRC_BIT(n, 0, 0xef306b19U) ^ CRC_BIT(n, 1, 0xdb8ca0c3U) ^ CRC_BIT(n, 2, 0xb2f53777U) ^        \
     CRC_BIT(n, 3, 0x6006181fU) ^ CRC_BIT(n, 4, 0xc00c303eU) ^ CRC_BIT(n, 5, 0x85f4168dU) ^        \
     CRC_BIT(n, 6, 0x0e045bebU) ^ CRC_BIT(n, 7, 0x1c08b7d6U))
#define CRC_ENTRY_6(n)                                                                             \
    (CRC_BIT(n, 0, 0x68032cc8U) ^ CRC_BIT(n, 1, 0xd0065990U) ^ CRC_BIT(n, 2, 0xa5e0c5d1U) ^        \
     CRC_BIT(n, 3, 0x4e2dfd53U) ^ CRC_BIT(n, 4, 0x9c5bfaa6U) ^ CRC_BIT(n, 5, 0x3d5b83bdU) ^        \
     CRC_BIT(n, 6, 0x7ab7077aU) ^ CRC_BIT(n, 7, 0xf56e0ef4U))
#define CRC_ENTRY_7(n)                                                                             \
    (CRC_BIT(n, 0, 0x493c7d27U) ^ CRC_BIT(n, 1, 0x9278fa4eU) ^ CRC_BIT(n, 2, 0x211d826dU) ^        \
     CRC_BIT(n, 3, 0x423b04daU) ^ CRC_BIT(n, 4, 0x847609b4U) ^ CRC_BIT(n, 5, 0x0d006599U) ^        \
     CRC_BIT(n, 6, 0x1a00cb32U) ^ CRC_BIT(n, 7, 0x34019664U))

#define CRC_4(entry, n) entry(n), entry((n) + 1U), entry((n) + 2U), entry((n) + 3U)
#define CRC_16(entry, n)                                                                           \
    CRC_4(entry, n), CRC_4(entry, (n) + 4U), CRC_4(entry, (n) + 8U), CRC_4(entry, (n) + 12U)
#define CRC_64(entry, n)                                                                           \
    CRC_16(entry, n), CRC_16(entry, (n) + 16U), CRC_16(entry, (n) + 32U), CRC_16(entry, (n) + 48U)
#define CRC_256(entry)                                                                             \
    CRC_64(entry, 0U), CRC_64(entry, 64U), CRC_64(entry, 128U), CRC_64(entry, 192U)

static const uint32_t crc_tables[8][256] = {
    {CRC_256(CRC_ENTRY_0)}, {CRC_256(CRC_ENTRY_1)}, {CRC_256(CRC_ENTRY_2)}, {CRC_256(CRC_ENTRY_3)},
    {CRC_256(CRC_ENTRY_4)}, {CRC_256(CRC_ENTRY_5)}, {CRC_256(CRC_ENTRY_6)}, {CRC_256(CRC_ENTRY_7)},
};

static uint32_t load_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t load_u64(const uint8_t *at)
{
    return (uint64_t)load_u32(at) | (uint64_t)load_u32(at + 4) << 32;
}

static uint32_t crc_step_8(uint32_t crc, const uint8_t *at)
{
    uint32_t low = crc ^ load_u32(at);
    uint32_t high = load_u32(at + 4);

    return crc_tables[7][low & 255] ^ crc_tables[6][low >> 8 & 255] ^
           crc_tables[5][low >> 16 & 255] ^ crc_tables[4][low >> 24] ^ crc_tables[3][high & 255] ^
           crc_tables[2][high >> 8 & 255] ^ crc_tables[1][high >> 16 & 255] ^
           crc_tables[0][high >> 24];
}

uint32_t base_crc32c(uint32_t crc, struct bytes data)
{
    size_t i = 0;

    crc = ~crc;
    for (; data.size - i >= 8; i += 8) {
        crc = crc_step_8(crc, data.data + i);
    }
    for (; i < data.size; i++) {
        crc = crc >> 8 ^ crc_tables[0][(crc ^ data.data[i]) & 255];
    }
    return ~crc;
}

/* ---- SipHash-2-4 ---- */

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v2 += sip->v3;
    sip->v1 = rotate(sip->v1, 13) ^ sip->v0;
    sip->v3 = rotate(sip->v3, 16) ^ sip->v2;
    sip->v0 = rotate(sip->v0, 32);
    sip->v2 += sip->v1;
    sip->v0 += sip->v3;
    sip->v1 = rotate(sip->v1, 17) ^ sip->v2;
    sip->v3 = rotate(sip->v3, 21) ^ sip->v0;
    sip->v2 = rotate(sip->v2, 32);
}

static inline void sip_word(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_round(sip);
    sip_round(sip);
    sip->v0 ^= word;
}

static inline uint64_t sip_end(struct sip *sip)
{
    for (int i = 0; i < 4; i++) {
        sip_round(sip);
    }
    return sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
}

/* Both widths in one function, so that the state stays in registers. `wide` of the two sets the
 * outputs apart, as the paper's reference does. */
static struct hash128 sip_hash(const struct siphash_key *key, struct bytes data, bool wide)
{
    uint64_t k0 = load_u64(key->bytes);
    uint64_t k1 = load_u64(key->bytes + 8);
    uint64_t last = (uint64_t)data.size << 56;
    struct sip sip = {.v0 = k0 ^ 0x736f6d6570736575ULL,
                      .v1 = k1 ^ 0x646f72616e646f6dULL ^ (wide ? 0xee : 0),
                      .v2 = k0 ^ 0x6c7967656e657261ULL,
                      .v3 = k1 ^ 0x7465646279746573ULL};
    struct hash128 hash = {.high = 0};
    size_t i = 0;

    for (; data.size - i >= 8; i += 8) {
        sip_word(&sip, load_u64(data.data + i));
    }
    for (size_t k = 0; i + k < data.size; k++) {
        last |= (uint64_t)data.data[i + k] << (8 * k);
    }
    sip_word(&sip, last);
    sip.v2 ^= wide ? 0xee : 0xff;
    hash.low = sip_end(&sip);
    if (wide) {
        sip.v1 ^= 0xdd;
        hash.high = sip_end(&sip);
    }
    return hash;
}

uint64_t base_siphash64(const struct siphash_key *key, struct bytes data)
{
    return sip_hash(key, data, false).low;
}

struct hash128 base_siphash128(const struct siphash_key *key, struct bytes data)
{
    return sip_hash(key, data, true);
}

struct hash128 hash128_add(struct hash128 a, struct hash128 b)
{
    struct hash128 sum = {.low = a.low + b.low, .high = a.high + b.high};

    sum.high += sum.low < a.low;
    return sum;
}

struct hash128 hash128_sub(struct hash128 a, struct hash128 b)
{
    struct hash128 difference = {.low = a.low - b.low, .high = a.high - b.high};

    difference.high -= a.low < b.low;
    return difference;
}

bool hash128_equal(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

/* Law: CRC32C is RFC 3720's and SipHash-2-4 its authors', for every length and split. */
#include "base/hash.h"
#include "tests/unit/base/siphash_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* One bit at a time, from the polynomial: the table's independent twin. */
static uint32_t crc32c_by_bits(struct bytes data)
{
    uint32_t crc = 0xffffffffU;

    for (size_t i = 0; i < data.size; i++) {
        crc ^= data.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78U : 0);
        }
    }
    return ~crc;
}

static void crc32c_has_the_vectors_of_rfc_3720(void **state)
{
    uint8_t data[32];
    static const uint8_t scsi_read[48] = {0x01, 0xc0, 0, 0,    0,    0, 0, 0,    0,    0, 0,    0,
                                          0,    0,    0, 0,    0x14, 0, 0, 0,    0,    0, 0x04, 0,
                                          0,    0,    0, 0x14, 0,    0, 0, 0x18, 0x28, 0, 0,    0,
                                          0,    0,    0, 0,    0x02, 0, 0, 0,    0,    0, 0,    0};

    (void)state;
    memset(data, 0, sizeof data);
    assert_int_equal(base_crc32c(0, bytes_of(data, sizeof data)), 0x8a9136aaU);
    memset(data, 0xff, sizeof data);
    assert_int_equal(base_crc32c(0, bytes_of(data, sizeof data)), 0x62a8ab43U);
    for (uint8_t i = 0; i < 32; i++) {
        data[i] = i;
    }
    assert_int_equal(base_crc32c(0, bytes_of(data, sizeof data)), 0x46dd794eU);
    for (uint8_t i = 0; i < 32; i++) {
        data[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(base_crc32c(0, bytes_of(data, sizeof data)), 0x113fdb5cU);
    assert_int_equal(base_crc32c(0, bytes_of(scsi_read, sizeof scsi_read)), 0xd9963a56U);
    assert_int_equal(base_crc32c(0, bytes_of_text("123456789")), 0xe3069283U);
    assert_int_equal(base_crc32c(0, BYTES_NONE), 0);
}

/* Every table entry is used: each byte value in each of the eight places of a step. */
static void crc32c_tables_are_right(void **state)
{
    uint8_t data[8] = {0};

    (void)state;
    for (unsigned place = 0; place < 8; place++) {
        for (unsigned value = 0; value < 256; value++) {
            data[place] = (uint8_t)value;
            assert_int_equal(base_crc32c(0, bytes_of(data, 8)), crc32c_by_bits(bytes_of(data, 8)));
        }
    }
}

static void crc32c_continues_at_any_split(void **state)
{
    uint8_t data[100];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 37 + 11);
    }
    for (size_t size = 0; size <= sizeof data; size++) {
        uint32_t whole = base_crc32c(0, bytes_of(data, size));

        assert_int_equal(whole, crc32c_by_bits(bytes_of(data, size)));
        for (size_t cut = 0; cut <= size; cut++) {
            uint32_t first = base_crc32c(0, bytes_of(data, cut));

            assert_int_equal(base_crc32c(first, bytes_of(data + cut, size - cut)), whole);
        }
    }
}

static void siphash_has_its_authors_vectors(void **state)
{
    struct siphash_key key;
    uint8_t data[SIPHASH_VECTORS];

    (void)state;
    for (uint8_t i = 0; i < sizeof key.bytes; i++) {
        key.bytes[i] = i;
    }
    for (uint8_t i = 0; i < SIPHASH_VECTORS; i++) {
        struct hash128 wide = base_siphash128(&key, bytes_of(data, i));

        assert_true(base_siphash64(&key, bytes_of(data, i)) == siphash_vectors[i].narrow);
        assert_true(wide.low == siphash_vectors[i].wide[0]);
        assert_true(wide.high == siphash_vectors[i].wide[1]);
        data[i] = i;
    }
}

static void hash128_adds_modulo_its_width(void **state)
{
    struct hash128 a = {.low = UINT64_MAX, .high = 5};
    struct hash128 one = {.low = 1};
    struct hash128 all = {.low = UINT64_MAX, .high = UINT64_MAX};
    struct hash128 sum = hash128_add(a, one);

    (void)state;
    assert_true(sum.low == 0 && sum.high == 6);
    assert_true(hash128_equal(hash128_sub(sum, one), a));
    assert_true(hash128_equal(hash128_add(all, one), (struct hash128){0}));
    assert_true(hash128_equal(hash128_sub((struct hash128){0}, one), all));
    assert_false(hash128_equal(a, all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_has_the_vectors_of_rfc_3720),
        cmocka_unit_test(crc32c_tables_are_right),
        cmocka_unit_test(crc32c_continues_at_any_split),
        cmocka_unit_test(siphash_has_its_authors_vectors),
        cmocka_unit_test(hash128_adds_modulo_its_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

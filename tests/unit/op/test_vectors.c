/* Law: each value has one encoding. All formats of MessagePack, each at the sizes where a shorter
 * one ends and a longer one begins: what is the shortest form is read, and msgpack-c writes it as
 * the same bytes; what is not is refused, whoever reads it. Decoding comes before the log: what one
 * node lets in is canonical on all.
 */
#include "op/frame.h"
#include "op/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <string.h>

enum { VECTOR_MAX = 140 * 1024 };

enum verdict { SHORTEST, LONGER, MALFORMED };

struct suite {
    uint8_t bytes[VECTOR_MAX];
    size_t size;
    unsigned taken, refused;
};

static struct suite suite;

/* ---- making vectors ---- */

static void put(uint8_t byte)
{
    assert_true(suite.size < VECTOR_MAX);
    suite.bytes[suite.size++] = byte;
}

static void put_number(uint64_t value, unsigned bytes)
{
    while (bytes-- > 0) {
        put((uint8_t)(value >> (8 * bytes)));
    }
}

static void put_many(uint8_t byte, size_t count)
{
    assert_true(count <= VECTOR_MAX - suite.size);
    memset(suite.bytes + suite.size, byte, count);
    suite.size += count;
}

static void begin(uint8_t first)
{
    suite.size = 0;
    put(first);
}

/* ---- judging one ---- */

/* msgpack-c reads it too, and writes the very same bytes: it is the canonical form. */
static void check_canonical(void)
{
    msgpack_unpacked result;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    size_t offset = 0;

    msgpack_unpacked_init(&result);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    assert_int_equal(msgpack_unpack_next(&result, (const char *)suite.bytes, suite.size, &offset),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(offset, suite.size);
    assert_int_equal(msgpack_pack_object(&packer, result.data), 0);
    assert_int_equal(buffer.size, suite.size);
    assert_memory_equal(buffer.data, suite.bytes, suite.size);
    msgpack_sbuffer_destroy(&buffer);
    msgpack_unpacked_destroy(&result);
}

/* As the value of a field: by the schema, out of a map {"at": value}. */
static void check_field(const struct op_struct *s, const char *name, bool fits)
{
    static uint8_t map[VECTOR_MAX + 64];
    static struct op_details details;
    static struct op_envelope envelope;
    struct op_fault fault = {.text = NULL};
    size_t name_size = strlen(name);
    bool good;

    map[0] = 0x81;
    map[1] = (uint8_t)(0xa0 + name_size);
    memcpy(map + 2, name, name_size);
    memcpy(map + 2 + name_size, suite.bytes, suite.size);
    good = op_map_read(bytes_of(map, 2 + name_size + suite.size), s,
                       s == &op_details_struct ? (void *)&details : (void *)&envelope, NULL, NULL,
                       &fault);
    assert_int_equal(good, fits);
    if (!good) {
        assert_non_null(fault.text);
        assert_true(fault.outcome == OP_PROTOCOL || fault.outcome == OP_INVALID);
    }
}

/* Whole and shortest; as a value of each kind of field; and none of its beginnings. */
static void judge(enum verdict verdict, enum op_pack_kind kind)
{
    struct base_reader reader;
    const char *fault = NULL;
    bool taken;

    base_reader_init(&reader, bytes_of(suite.bytes, suite.size));
    taken = op_pack_skip(&reader, 0, &fault) && base_reader_finished(&reader);
    assert_int_equal(taken, verdict == SHORTEST);
    suite.taken += taken;
    suite.refused += !taken;
    if (taken) {
        check_canonical();
    } else if (verdict == LONGER) {
        assert_string_equal(fault, "a number or length is not in its shortest form");
    }
    check_field(&op_details_struct, "failed", taken && kind == OP_PACK_UNSIGNED);
    check_field(&op_details_struct, "hint", taken && kind == OP_PACK_UNSIGNED);
    check_field(&op_envelope_struct, "tenant",
                taken && kind == OP_PACK_STR && suite.size > 1 && suite.size <= OP_NAME_MAX + 2);
    check_field(&op_envelope_struct, "incarnation",
                taken && kind == OP_PACK_BIN && suite.size == 18);
    check_field(&op_details_struct, "cause", false); /* none of these is a text that it has */
    for (size_t size = 0; size < suite.size && size < 40; size++) {
        base_reader_init(&reader, bytes_of(suite.bytes, size));
        assert_false(op_pack_skip(&reader, 0, &fault));
    }
}

/* ---- integers ---- */

static const uint64_t edges[] = {
    0,          1,          31,         32,         127,       128,
    255,        256,        32767,      32768,      65535,     65536,
    2147483647, 2147483648, 4294967295, 4294967296, INT64_MAX, (uint64_t)INT64_MAX + 1,
    UINT64_MAX};

enum { EDGES = sizeof edges / sizeof edges[0] };

static unsigned bytes_for(uint64_t value)
{
    return value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
}

static void positive_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < EDGES; i++) {
        uint64_t value = edges[i];

        if (value < 128) {
            begin((uint8_t)value);
            judge(SHORTEST, OP_PACK_UNSIGNED);
        }
        for (unsigned width = 0; width < 4; width++) {
            unsigned bytes = 1U << width;

            if (bytes >= bytes_for(value)) {
                begin((uint8_t)(0xcc + width));
                put_number(value, bytes);
                judge(value >= 128 && bytes == bytes_for(value) ? SHORTEST : LONGER,
                      OP_PACK_UNSIGNED);
            }
            if (value >> (8 * bytes - 1) == 0) { /* positive in a signed format: never */
                begin((uint8_t)(0xd0 + width));
                put_number(value, bytes);
                judge(LONGER, OP_PACK_NEGATIVE);
            }
        }
    }
}

/* -1 - value */
static void negative_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < EDGES; i++) {
        uint64_t value = edges[i];

        if (value < 32) {
            begin((uint8_t)~value);
            judge(SHORTEST, OP_PACK_NEGATIVE);
        }
        for (unsigned width = 0; width < 4; width++) {
            unsigned bytes = 1U << width;
            uint64_t below = bytes == 1 ? 32 : UINT64_C(1) << (4 * bytes - 1);

            if (value >> (8 * bytes - 1) == 0) {
                begin((uint8_t)(0xd0 + width));
                put_number(~value, bytes);
                judge(value >= below ? SHORTEST : LONGER, OP_PACK_NEGATIVE);
            }
        }
    }
}

/* ---- what has a length ---- */

static const size_t lengths[] = {0,  1,  2,  3,   4,   5,   7,   8,   9,     15,   16,
                                 17, 31, 32, 127, 128, 129, 255, 256, 65535, 65536};

enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

/* A family of formats: `fixed` holds lengths below `fixed_below` in its first byte. */
struct family {
    enum op_pack_kind kind;
    uint8_t fixed;
    size_t fixed_below;
    uint8_t first;       /* of the format with the narrowest length of its own */
    unsigned narrowest;  /* its bytes */
    uint8_t element;     /* what it is filled with */
    unsigned per_length; /* elements */
};

static const struct family families[] = {
    {OP_PACK_STR, 0xa0, 32, 0xd9, 1, 'a', 1},
    {OP_PACK_BIN, 0, 0, 0xc4, 1, 0xff, 1},
    {OP_PACK_ARRAY, 0x90, 16, 0xdc, 2, 0xc0, 1},
};

static void try_length(const struct family *family, size_t length)
{
    bool fixed = length < family->fixed_below;

    if (fixed) {
        begin((uint8_t)(family->fixed + length));
        put_many(family->element, length * family->per_length);
        judge(SHORTEST, family->kind);
    }
    for (unsigned bytes = family->narrowest, step = 0; bytes <= 4; bytes *= 2, step++) {
        unsigned needed = bytes_for(length) < family->narrowest ? family->narrowest
                                                                : bytes_for(length);

        if (bytes >= needed) {
            begin((uint8_t)(family->first + step));
            put_number(length, bytes);
            put_many(family->element, length * family->per_length);
            judge(!fixed && bytes == needed ? SHORTEST : LONGER, family->kind);
        }
    }
}

static void texts_blobs_and_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        for (size_t k = 0; k < LENGTHS; k++) {
            try_length(&families[i], lengths[k]);
        }
    }
}

static void maps(void **state)
{
    const struct family family = {OP_PACK_MAP, 0x80, 16, 0xde, 2, 0xc0, 2};

    (void)state;
    for (size_t k = 0; k < LENGTHS && lengths[k] * 2 < VECTOR_MAX - 16; k++) {
        try_length(&family, lengths[k]);
    }
}

/* fixext 1, 2, 4, 8, 16 are 0xd4..0xd8; ext 8, 16, 32 are 0xc7..0xc9. */
static void extensions(void **state)
{
    (void)state;
    for (size_t k = 0; k < LENGTHS; k++) {
        size_t length = lengths[k];
        bool fixed = false;

        for (unsigned step = 0; step < 5; step++) {
            if (length == (size_t)1 << step) {
                fixed = true;
                begin((uint8_t)(0xd4 + step));
                put(0x7f);
                put_many(0xaa, length);
                judge(SHORTEST, OP_PACK_EXT);
            }
        }
        for (unsigned bytes = 1, step = 0; bytes <= 4; bytes *= 2, step++) {
            if (bytes >= bytes_for(length)) {
                begin((uint8_t)(0xc7 + step));
                put_number(length, bytes);
                put(0x80); /* its type, -128 */
                put_many(0xaa, length);
                judge(!fixed && bytes == bytes_for(length) ? SHORTEST : LONGER, OP_PACK_EXT);
            }
        }
    }
}

/* ---- the rest ---- */

static void nil_booleans_and_the_unused_byte(void **state)
{
    (void)state;
    begin(0xc0);
    judge(SHORTEST, OP_PACK_NIL);
    begin(0xc2);
    judge(SHORTEST, OP_PACK_BOOLEAN);
    begin(0xc3);
    judge(SHORTEST, OP_PACK_BOOLEAN);
    begin(0xc1);
    judge(MALFORMED, OP_PACK_NIL);
}

/* Zeros of both signs, infinities, quiet and signalling NaN, the least and the greatest. */
static void fractions(void **state)
{
    static const uint32_t narrow[] = {0,          0x80000000, 0x3f800000, 0x7f800000, 0xff800000,
                                      0x7fc00000, 0x7fa00001, 0xffffffff, 1,          0x7f7fffff};

    (void)state;
    for (size_t i = 0; i < sizeof narrow / sizeof narrow[0]; i++) {
        if (narrow[i] != 0x7fa00001) { /* a signalling NaN changes on its way through msgpack-c */
            begin(0xca);
            put_number(narrow[i], 4);
            judge(SHORTEST, OP_PACK_FLOAT);
        }
        begin(0xcb);
        put_number((uint64_t)narrow[i] << 32 | narrow[i], 8);
        judge(SHORTEST, OP_PACK_FLOAT);
    }
}

/* Whole values, and no text of a field. */
static void texts_that_are_not_utf_8(void **state)
{
    static const char *const wrong[] = {"\x80",
                                        "\xbf",
                                        "\xc3",
                                        "\xc0\xaf",
                                        "\xe0\x9f\xbf",
                                        "\xed\xa0\x80",
                                        "\xed\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf8\x88\x80\x80\x80",
                                        "\xff",
                                        "\xfe",
                                        "a\xe2\x82",
                                        "\x7f",
                                        "\xc2\x85",
                                        "\n",
                                        "\x1b[0m"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        begin((uint8_t)(0xa0 + strlen(wrong[i])));
        for (size_t k = 0; k < strlen(wrong[i]); k++) {
            put((uint8_t)wrong[i][k]);
        }
        check_field(&op_envelope_struct, "tenant", false);
        check_field(&op_details_struct, "limit", false);
        suite.refused++;
    }
    begin(0xa1); /* a zero byte is a control character */
    put(0);
    check_field(&op_envelope_struct, "tenant", false);
}

/* Counts and lengths that promise more than there is, up to the greatest. */
static void promises_that_are_not_kept(void **state)
{
    static const uint8_t firsts[] = {0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd9, 0xda,
                                     0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0x9f, 0x8f, 0xbf};

    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        begin(firsts[i]);
        put_many(0xff, 4);
        judge(MALFORMED, OP_PACK_NIL);
    }
}

static void there_were_many_of_both(void **state)
{
    (void)state;
    assert_true(suite.taken > 100 && suite.refused > 133);
    print_message("%u taken, %u refused\n", suite.taken, suite.refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positive_integers),
        cmocka_unit_test(negative_integers),
        cmocka_unit_test(texts_blobs_and_lists),
        cmocka_unit_test(maps),
        cmocka_unit_test(extensions),
        cmocka_unit_test(nil_booleans_and_the_unused_byte),
        cmocka_unit_test(fractions),
        cmocka_unit_test(texts_that_are_not_utf_8),
        cmocka_unit_test(promises_that_are_not_kept),
        cmocka_unit_test(there_were_many_of_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

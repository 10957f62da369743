/* Law: the reader takes exactly the shortest form of each value that msgpack-c knows. */
#include "op/pack.h"

#include "op/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 512 };

/* What the reader makes of one value; the size that it used. */
static bool accepts(const uint8_t *source, size_t size, size_t *ret_used)
{
    struct base_reader reader;
    const char *fault = NULL;
    bool good;

    base_reader_init(&reader, bytes_of(source, size));
    good = op_pack_skip(&reader, 0, &fault);
    if (good) {
        *ret_used = size - base_reader_left(&reader);
    } else {
        assert_non_null(fault);
    }
    return good;
}

/* msgpack-c reads it too, uses as many bytes, and writes the very same bytes again. */
static void check_with_oracle(const uint8_t *source, size_t used)
{
    msgpack_unpacked result;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    size_t offset = 0;

    msgpack_unpacked_init(&result);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    assert_int_equal(msgpack_unpack_next(&result, (const char *)source, used, &offset),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(offset, used);
    assert_int_equal(msgpack_pack_object(&packer, result.data), 0);
    assert_int_equal(buffer.size, used);
    assert_memory_equal(buffer.data, source, used);
    msgpack_sbuffer_destroy(&buffer);
    msgpack_unpacked_destroy(&result);
}

/* All inputs of up to two bytes, and each first byte before each of some tails. */
static void what_it_accepts_the_oracle_writes_the_same(void **state)
{
    static const uint8_t tails[][6] = {
        {0, 0, 0, 0, 0, 0},       {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0x80, 0, 0, 0, 0, 0},    {0, 0x80, 0, 0, 0x01, 0},
        {0, 0, 0, 1, 0xc0, 0xc0}, {1, 0, 0x7f, 0, 0, 0},
        {0, 1, 0x81, 0xc0, 1, 2}, {0x91, 0x91, 0x90, 0xc2, 0xc3, 5},
        {3, 1, 2, 3, 4, 5},
    };
    size_t used;
    unsigned accepted = 0;

    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        const uint8_t pair[2] = {(uint8_t)(i >> 8), (uint8_t)i};

        if (accepts(pair, 2, &used)) {
            accepted++;
            check_with_oracle(pair, used);
        }
    }
    for (unsigned first = 0; first < 256; first++) {
        for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
            uint8_t input[7] = {(uint8_t)first};

            memcpy(input + 1, tails[i], 6);
            if (accepts(input, sizeof input, &used)) {
                accepted++;
                check_with_oracle(input, used);
            }
        }
    }
    assert_true(accepted > 40000);
}

static uint64_t next_random(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/* One random value out of msgpack-c, containers up to `depth` of them in one another. */
static void pack_random(msgpack_packer *packer, uint64_t *random, unsigned depth)
{
    static const char body[300] = {0};
    size_t size = (size_t)(next_random(random) % 300);
    /* Small ones mostly; some need a count of their own. */
    size_t count = (size_t)(next_random(random) % (next_random(random) % 16 == 0 ? 40 : 3));

    switch (next_random(random) % (depth > 0 ? 11 : 9)) {
    case 0:
        (void)msgpack_pack_nil(packer);
        return;
    case 1:
        (void)msgpack_pack_true(packer);
        return;
    case 2:
        (void)msgpack_pack_uint64(packer, next_random(random) >> next_random(random) % 64);
        return;
    case 3:
        (void)msgpack_pack_int64(packer,
                                 -(int64_t)(next_random(random) >> next_random(random) % 64 >> 1));
        return;
    case 4:
        (void)msgpack_pack_double(packer, 1.5);
        return;
    case 5:
        (void)msgpack_pack_float(packer, 1.5F);
        return;
    case 6:
        (void)msgpack_pack_str(packer, size);
        (void)msgpack_pack_str_body(packer, body, size);
        return;
    case 7:
        (void)msgpack_pack_bin(packer, size);
        (void)msgpack_pack_bin_body(packer, body, size);
        return;
    case 8:
        (void)msgpack_pack_ext(packer, size % 20, 5);
        (void)msgpack_pack_ext_body(packer, body, size % 20);
        return;
    case 9:
        (void)msgpack_pack_array(packer, count);
        break;
    default:
        (void)msgpack_pack_map(packer, count);
        count *= 2;
        break;
    }
    for (size_t i = 0; i < count; i++) {
        pack_random(packer, random, depth - 1);
    }
}

/* Also: all truncations are refused, and what a flip leaves acceptable is still the oracle's. */
static void what_the_oracle_writes_it_accepts(void **state)
{
    uint64_t random = 7;

    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        msgpack_sbuffer buffer;
        msgpack_packer packer;
        size_t used = 0;

        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        pack_random(&packer, &random, OP_PACK_DEPTH_MAX);
        assert_true(accepts((uint8_t *)buffer.data, buffer.size, &used));
        assert_int_equal(used, buffer.size);
        for (size_t size = 0; size < buffer.size && size < INPUT_MAX; size++) {
            uint8_t *copy = malloc(size + (size == 0));

            assert_non_null(copy);
            memcpy(copy, buffer.data, size);
            assert_false(accepts(copy, size, &used));
            free(copy);
        }
        for (size_t i = 0; i < buffer.size && i < INPUT_MAX && round < 300; i++) {
            buffer.data[i] = (char)(buffer.data[i] ^ 1 << (round + i) % 8);
            if (accepts((uint8_t *)buffer.data, buffer.size, &used)) {
                check_with_oracle((uint8_t *)buffer.data, used);
            }
            buffer.data[i] = (char)(buffer.data[i] ^ 1 << (round + i) % 8);
        }
        msgpack_sbuffer_destroy(&buffer);
    }
}

static const char *fault_of(const char *source, size_t size)
{
    struct base_reader reader;
    const char *fault = NULL;

    base_reader_init(&reader, bytes_of(source, size));
    assert_false(op_pack_skip(&reader, 0, &fault));
    return fault;
}

#define FAULT(literal) fault_of(literal, sizeof(literal) - 1)

static void each_fault_has_its_own_words(void **state)
{
    static const char shortest[] = "a number or length is not in its shortest form";
    static const char early[] = "the message ends too early";
    static const char claims[] = "a list or map claims more than the message holds";
    static const char deep[] = "lists and maps lie too deep in one another";

    (void)state;
    assert_string_equal(FAULT(""), early);
    assert_string_equal(FAULT("\xcc\x7f"), shortest);
    assert_string_equal(FAULT("\xcd\x00\xff"), shortest);
    assert_string_equal(FAULT("\xce\x00\x00\xff\xff"), shortest);
    assert_string_equal(FAULT("\xcf\x00\x00\x00\x00\xff\xff\xff\xff"), shortest);
    assert_string_equal(FAULT("\xd0\xe0"), shortest);
    assert_string_equal(FAULT("\xd0\x05"), shortest);
    assert_string_equal(FAULT("\xd1\xff\x80"), shortest);
    assert_string_equal(FAULT("\xd9\x01x"), shortest);
    assert_string_equal(FAULT("\xda\x00\x20"), shortest);
    assert_string_equal(FAULT("\xdc\x00\x01\xc0"), shortest);
    assert_string_equal(FAULT("\xde\x00\x01\xc0\xc0"), shortest);
    assert_string_equal(FAULT("\xc7\x01\x05x"), shortest);
    assert_string_equal(FAULT("\xcd\x01"), early);
    assert_string_equal(FAULT("\xa2x"), early);
    assert_string_equal(FAULT("\xc6\xff\xff\xff\xff"), early);
    assert_string_equal(FAULT("\xdd\xff\xff\xff\xff"), claims);
    assert_string_equal(FAULT("\xdf\xff\xff\xff\xff"), claims);
    assert_string_equal(FAULT("\x92\xc0"), claims);
    assert_string_equal(FAULT("\x81\xc0"), claims);
    assert_string_equal(FAULT("\xc1"), "a byte that MessagePack does not use");
    assert_string_equal(FAULT("\x91\x91\x91\x91\x91\x91\x91\x91\x90"), deep);
}

static void eight_containers_in_one_another_pass(void **state)
{
    static const uint8_t eight[] = {0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0xc0};
    struct base_reader reader;
    const char *fault = NULL;
    size_t used = 0;

    (void)state;
    assert_true(accepts(eight, sizeof eight, &used));
    base_reader_init(&reader, bytes_of(eight, sizeof eight));
    assert_false(op_pack_skip(&reader, 1, &fault));
    base_reader_init(&reader, bytes_of(eight + 8, 1));
    assert_true(op_pack_skip(&reader, OP_PACK_DEPTH_MAX, &fault));
}

static bool valid(const char *text, size_t size)
{
    return op_text_valid(bytes_of(text, size));
}

#define VALID(literal) valid(literal, sizeof(literal) - 1)

static void texts_are_utf_8_without_controls(void **state)
{
    (void)state;
    assert_true(VALID(""));
    assert_true(VALID("plain"));
    assert_true(VALID("\xc2\xa0"));         /* U+00A0 */
    assert_true(VALID("\xdf\xbf"));         /* U+07FF */
    assert_true(VALID("\xe0\xa0\x80"));     /* U+0800 */
    assert_true(VALID("\xed\x9f\xbf"));     /* U+D7FF */
    assert_true(VALID("\xee\x80\x80"));     /* U+E000 */
    assert_true(VALID("\xf0\x90\x80\x80")); /* U+10000 */
    assert_true(VALID("\xf4\x8f\xbf\xbf")); /* U+10FFFF */
    assert_false(VALID("a\0"));             /* NUL */
    assert_false(VALID("\n"));
    assert_false(VALID("\x1f"));
    assert_false(VALID("\x7f"));
    assert_false(VALID("\xc2\x80"));             /* U+0080 */
    assert_false(VALID("\xc2\x9f"));             /* U+009F */
    assert_false(VALID("\x80"));                 /* no beginning */
    assert_false(VALID("\xc3"));                 /* no end */
    assert_false(VALID("\xe2\x82"));             /* no end */
    assert_false(VALID("\xc3\x41"));             /* no continuation */
    assert_false(VALID("\xc0\xaf"));             /* overlong */
    assert_false(VALID("\xc1\xbf"));             /* overlong */
    assert_false(VALID("\xe0\x9f\xbf"));         /* overlong */
    assert_false(VALID("\xf0\x8f\xbf\xbf"));     /* overlong */
    assert_false(VALID("\xed\xa0\x80"));         /* surrogate */
    assert_false(VALID("\xed\xbf\xbf"));         /* surrogate */
    assert_false(VALID("\xf4\x90\x80\x80"));     /* beyond U+10FFFF */
    assert_false(VALID("\xf8\x88\x80\x80\x80")); /* five bytes */
    assert_false(VALID("\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_accepts_the_oracle_writes_the_same),
        cmocka_unit_test(what_the_oracle_writes_it_accepts),
        cmocka_unit_test(each_fault_has_its_own_words),
        cmocka_unit_test(eight_containers_in_one_another_pass),
        cmocka_unit_test(texts_are_utf_8_without_controls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The MessagePack reader: bounded, strict, without allocation and without recursion. */
#include "op/pack.h"

#include "base/assert.h"

static const char truncated[] = "the message ends too early";
static const char not_shortest[] = "a number or length is not in its shortest form";

/* Big-endian integer of `size` bytes. */
static uint64_t read_number(struct base_reader *reader, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        value = value << 8 | base_read_u8(reader);
    }
    return value;
}

/* Widths 0..3 stand for 1, 2, 4 and 8 bytes, as in the format's own order. */
struct width {
    unsigned width;
    unsigned narrowest; /* of this family of formats */
    uint64_t least;     /* value that does not fit into a format without a number of its own */
};

/* False when a shorter form would do. */
static bool read_wide(struct base_reader *reader, struct width form, uint64_t *ret_value,
                      const char **ret_fault)
{
    static const uint64_t needed[4] = {0, UINT8_MAX + 1ULL, UINT16_MAX + 1ULL, UINT32_MAX + 1ULL};
    uint64_t value = read_number(reader, (size_t)1 << form.width);
    uint64_t least = form.width == form.narrowest ? form.least : needed[form.width];

    if (reader->failed || value < least) {
        *ret_fault = reader->failed ? truncated : not_shortest;
        return false;
    }
    *ret_value = value;
    return true;
}

/* int 8, 16, 32, 64: only a negative number that needs the width may be written so. */
static bool read_signed(struct base_reader *reader, unsigned width, const char **ret_fault)
{
    static const uint64_t shorter[4] = {32, 128, 32768, 2147483648ULL};
    unsigned bits = 8U << width;
    uint64_t value = read_number(reader, (size_t)1 << width);
    uint64_t below_zero = (UINT64_MAX >> (64 - bits)) - value; /* -1 is 0, -2 is 1, ... */

    if (reader->failed || value >> (bits - 1) == 0 || below_zero < shorter[width]) {
        *ret_fault = reader->failed ? truncated : not_shortest;
        return false;
    }
    return true;
}

static bool take_bytes(struct base_reader *reader, uint64_t size, struct bytes *ret_bytes,
                       const char **ret_fault)
{
    if (size > base_reader_left(reader)) {
        *ret_fault = truncated;
        return false;
    }
    *ret_bytes = base_read_bytes(reader, (size_t)size);
    return true;
}

/* Every element takes at least one byte: a count that the bytes left cannot hold is refused here,
 * before anybody loops over it. */
static bool take_count(struct base_reader *reader, enum op_pack_kind kind, uint64_t count,
                       struct op_pack *ret_pack, const char **ret_fault)
{
    uint64_t elements = kind == OP_PACK_MAP ? 2 * count : count;

    if (elements > base_reader_left(reader)) {
        *ret_fault = "a list or map claims more than the message holds";
        return false;
    }
    ret_pack->kind = kind;
    ret_pack->number = count;
    return true;
}

static bool take_text(struct base_reader *reader, enum op_pack_kind kind, uint64_t size,
                      struct op_pack *ret_pack, const char **ret_fault)
{
    ret_pack->kind = kind;
    return take_bytes(reader, size, &ret_pack->bytes, ret_fault);
}

/* An extension: a type byte, then `size` bytes. */
static bool take_ext(struct base_reader *reader, uint64_t size, struct op_pack *ret_pack,
                     const char **ret_fault)
{
    struct bytes dropped;

    ret_pack->kind = OP_PACK_EXT;
    return take_bytes(reader, size + 1, &dropped, ret_fault);
}

/* ext 8 with a size that has a fixext of its own is not the shortest form. */
static bool read_ext(struct base_reader *reader, unsigned width, struct op_pack *ret_pack,
                     const char **ret_fault)
{
    uint64_t size;

    if (!read_wide(reader, (struct width){width, 0, 0}, &size, ret_fault)) {
        return false;
    }
    if (size == 1 || size == 2 || size == 4 || size == 8 || size == 16) {
        *ret_fault = not_shortest;
        return false;
    }
    return take_ext(reader, size, ret_pack, ret_fault);
}

/* The formats that fit one byte with their value or count. False when `first` is none of them. */
static bool read_fixed(struct base_reader *reader, uint8_t first, struct op_pack *ret_pack,
                       bool *ret_good, const char **ret_fault)
{
    *ret_good = true;
    if (first < 0x80) {
        ret_pack->kind = OP_PACK_UNSIGNED;
        ret_pack->number = first;
    } else if (first < 0x90) {
        *ret_good = take_count(reader, OP_PACK_MAP, first & 15, ret_pack, ret_fault);
    } else if (first < 0xa0) {
        *ret_good = take_count(reader, OP_PACK_ARRAY, first & 15, ret_pack, ret_fault);
    } else if (first < 0xc0) {
        *ret_good = take_text(reader, OP_PACK_STR, first & 31, ret_pack, ret_fault);
    } else if (first >= 0xe0) {
        ret_pack->kind = OP_PACK_NEGATIVE;
    } else {
        return false;
    }
    return true;
}

/* bin, str, array and map with a length or count of their own. */
static bool read_counted(struct base_reader *reader, enum op_pack_kind kind, struct width form,
                         struct op_pack *ret_pack, const char **ret_fault)
{
    uint64_t count;

    if (!read_wide(reader, form, &count, ret_fault)) {
        return false;
    }
    return kind == OP_PACK_ARRAY || kind == OP_PACK_MAP
               ? take_count(reader, kind, count, ret_pack, ret_fault)
               : take_text(reader, kind, count, ret_pack, ret_fault);
}

/* Formats 0xc0..0xdf. */
static bool read_headed(struct base_reader *reader, uint8_t first, struct op_pack *ret_pack,
                        const char **ret_fault)
{
    struct bytes dropped;

    if (first == 0xc0) {
        ret_pack->kind = OP_PACK_NIL;
        return true;
    }
    if (first == 0xc1) {
        *ret_fault = "a byte that MessagePack does not use";
        return false;
    }
    if (first <= 0xc3) {
        ret_pack->kind = OP_PACK_BOOLEAN;
        ret_pack->number = first & 1;
        return true;
    }
    if (first <= 0xc6) {
        return read_counted(reader, OP_PACK_BIN, (struct width){first - 0xc4U, 0, 0}, ret_pack,
                            ret_fault);
    }
    if (first <= 0xc9) {
        return read_ext(reader, first - 0xc7U, ret_pack, ret_fault);
    }
    if (first <= 0xcb) {
        ret_pack->kind = OP_PACK_FLOAT;
        return take_bytes(reader, first == 0xca ? 4 : 8, &dropped, ret_fault);
    }
    if (first <= 0xcf) {
        ret_pack->kind = OP_PACK_UNSIGNED;
        return read_wide(reader, (struct width){first - 0xccU, 0, 128}, &ret_pack->number,
                         ret_fault);
    }
    if (first <= 0xd3) {
        ret_pack->kind = OP_PACK_NEGATIVE;
        return read_signed(reader, first - 0xd0U, ret_fault);
    }
    if (first <= 0xd8) {
        return take_ext(reader, 1ULL << (first - 0xd4U), ret_pack, ret_fault);
    }
    if (first <= 0xdb) {
        return read_counted(reader, OP_PACK_STR, (struct width){first - 0xd9U, 0, 32}, ret_pack,
                            ret_fault);
    }
    return read_counted(reader, first <= 0xdd ? OP_PACK_ARRAY : OP_PACK_MAP,
                        (struct width){1U + (first & 1U), 1, 16}, ret_pack, ret_fault);
}

bool op_pack_read(struct base_reader *reader, struct op_pack *ret_pack, const char **ret_fault)
{
    struct op_pack pack = {.number = 0};
    uint8_t first = base_read_u8(reader);
    bool good;

    if (reader->failed) {
        *ret_fault = truncated;
        return false;
    }
    if (!read_fixed(reader, first, &pack, &good, ret_fault)) {
        good = read_headed(reader, first, &pack, ret_fault);
    }
    if (good) {
        *ret_pack = pack;
    }
    return good;
}

bool op_pack_skip(struct base_reader *reader, unsigned depth, const char **ret_fault)
{
    /* What is still to come in each open container; [0] is the value itself. */
    uint64_t left[OP_PACK_DEPTH_MAX + 1] = {1};
    unsigned open = 0;

    ASSERT(depth <= OP_PACK_DEPTH_MAX);
    for (;;) {
        struct op_pack pack;

        while (left[open] == 0) {
            if (open == 0) {
                return true;
            }
            open--;
        }
        left[open]--;
        if (!op_pack_read(reader, &pack, ret_fault)) {
            return false;
        }
        if (pack.kind == OP_PACK_ARRAY || pack.kind == OP_PACK_MAP) {
            if (depth + open >= OP_PACK_DEPTH_MAX) {
                *ret_fault = "lists and maps lie too deep in one another";
                return false;
            }
            open++;
            left[open] = pack.kind == OP_PACK_MAP ? 2 * pack.number : pack.number;
        }
    }
}

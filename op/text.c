/* Judges texts: UTF-8 without control characters, and the shape of a permission. */
#include "op/text.h"

#include "op/op.h"

/* Length of the sequence that `first` begins, its payload bits and the least code point that needs
 * that length; 0 for a byte that begins none. */
static size_t sequence_of(uint8_t first, uint32_t *ret_point, uint32_t *ret_least)
{
    if (first < 0x80) {
        *ret_point = first;
        *ret_least = 0;
        return 1;
    }
    if (first >= 0xc0 && first < 0xe0) {
        *ret_point = first & 0x1fU;
        *ret_least = 0x80;
        return 2;
    }
    if (first >= 0xe0 && first < 0xf0) {
        *ret_point = first & 0x0fU;
        *ret_least = 0x800;
        return 3;
    }
    if (first >= 0xf0 && first < 0xf8) {
        *ret_point = first & 0x07U;
        *ret_least = 0x10000;
        return 4;
    }
    return 0;
}

static bool point_valid(uint32_t point, uint32_t least)
{
    bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    bool surrogate = point >= 0xd800 && point < 0xe000;

    return point >= least && point <= 0x10ffff && !control && !surrogate;
}

bool op_text_valid(struct bytes text)
{
    for (size_t i = 0; i < text.size;) {
        uint32_t point;
        uint32_t least;
        size_t size = sequence_of(text.data[i], &point, &least);

        if (size == 0 || size > text.size - i) {
            return false;
        }
        for (size_t k = 1; k < size; k++) {
            if ((text.data[i + k] & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (text.data[i + k] & 0x3fU);
        }
        if (!point_valid(point, least)) {
            return false;
        }
        i += size;
    }
    return true;
}

static bool permission_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' ||
           c == '-';
}

bool op_permission_valid(struct bytes permission)
{
    for (size_t i = 0; i < permission.size; i++) {
        if (!permission_character(permission.data[i])) {
            return false;
        }
    }
    return permission.size > 0 && permission.size <= OP_PERMISSION_MAX;
}

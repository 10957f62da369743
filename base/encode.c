/* base64url and hexadecimal, strict: one text for one value. Knows nothing of what they mean. */
#include "base/encode.h"

static const char base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char hex_alphabet[] = "0123456789abcdef";

/* One more than the value of each character; 0: outside the alphabet. */
static const uint8_t base64url_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

size_t base64url_size(size_t size)
{
    static const size_t tail[3] = {0, 2, 3};

    return size / 3 * 4 + tail[size % 3];
}

void base64url_write(struct base_writer *writer, struct bytes source)
{
    for (size_t i = 0; i < source.size; i += 3) {
        size_t count = source.size - i < 3 ? source.size - i : 3;
        uint32_t group = (uint32_t)source.data[i] << 16;

        group |= count > 1 ? (uint32_t)source.data[i + 1] << 8 : 0;
        group |= count > 2 ? (uint32_t)source.data[i + 2] : 0;
        for (size_t k = 0; k <= count; k++) {
            base_write_u8(writer, (uint8_t)base64url_alphabet[(group >> (18 - 6 * k)) & 63]);
        }
    }
}

/* Decodes 2, 3 or 4 characters into 1, 2 or 3 bytes; false on a foreign one or trailing bits. */
static bool read_group(const uint8_t *text, size_t count, uint8_t *ret)
{
    uint32_t group = 0;

    for (size_t k = 0; k < count; k++) {
        uint32_t value = base64url_values[text[k]];

        if (value == 0) {
            return false;
        }
        group |= (value - 1) << (18 - 6 * k);
    }
    for (size_t k = 0; k + 1 < count; k++) {
        ret[k] = (uint8_t)(group >> (16 - 8 * k));
    }
    return (group & (0xffffffU >> (8 * (count - 1)))) == 0;
}

bool base64url_read(struct bytes text, void *buffer, size_t capacity, size_t *ret_size)
{
    uint8_t *out = buffer;
    size_t size = text.size / 4 * 3 + (text.size % 4 == 0 ? 0 : text.size % 4 - 1);

    if (text.size % 4 == 1 || size > capacity) {
        return false;
    }
    for (size_t i = 0; i < text.size; i += 4) {
        size_t count = text.size - i < 4 ? text.size - i : 4;

        if (!read_group(text.data + i, count, out + i / 4 * 3)) {
            return false;
        }
    }
    *ret_size = size;
    return true;
}

void hex_write(char *buffer, struct bytes source)
{
    for (size_t i = 0; i < source.size; i++) {
        buffer[2 * i] = hex_alphabet[source.data[i] >> 4];
        buffer[2 * i + 1] = hex_alphabet[source.data[i] & 15];
    }
    buffer[2 * source.size] = '\0';
}

static int nibble_of(uint8_t character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

bool hex_read(struct bytes text, void *buffer, size_t size)
{
    uint8_t *out = buffer;

    if (text.size % 2 != 0 || text.size / 2 != size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        int high = nibble_of(text.data[2 * i]);
        int low = nibble_of(text.data[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

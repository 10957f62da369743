/* Views of bytes and the bounded cursors over them. Allocates nothing and never trusts a length. */
#include "base/bytes.h"

#include "base/assert.h"

#include <string.h>

struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool base_equal_constant_time(const void *a, const void *b, size_t size)
{
    /* volatile: the compiler may not leave the loop at the first difference. */
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint8_t difference = 0;

    for (size_t i = 0; i < size; i++) {
        difference = (uint8_t)(difference | (left[i] ^ right[i]));
    }
    return difference == 0;
}

bool id128_equal(struct id128 a, struct id128 b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool id128_is_zero(struct id128 a)
{
    return id128_equal(a, ID128_ZERO);
}

int id128_compare(struct id128 a, struct id128 b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

/* ---- reading ---- */

void base_reader_init(struct base_reader *reader, struct bytes source)
{
    ASSERT(source.data != NULL || source.size == 0);
    reader->at = source.data;
    reader->end = source.size == 0 ? source.data : source.data + source.size;
    reader->failed = false;
}

/* The next `size` bytes, or NULL and failed. */
static const uint8_t *take(struct base_reader *reader, size_t size)
{
    const uint8_t *at = reader->at;

    if (reader->failed || size > base_reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    if (size > 0) {
        reader->at += size;
    }
    return at;
}

/* Spelled out: a compiler makes one load of each. */
static uint32_t load_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t load_u64(const uint8_t *at)
{
    return (uint64_t)load_u32(at) | (uint64_t)load_u32(at + 4) << 32;
}

uint8_t base_read_u8(struct base_reader *reader)
{
    const uint8_t *at = take(reader, 1);

    return at == NULL ? 0 : at[0];
}

uint16_t base_read_u16(struct base_reader *reader)
{
    const uint8_t *at = take(reader, 2);

    return (uint16_t)(at == NULL ? 0 : at[0] | at[1] << 8);
}

uint32_t base_read_u32(struct base_reader *reader)
{
    const uint8_t *at = take(reader, 4);

    return at == NULL ? 0 : load_u32(at);
}

uint64_t base_read_u64(struct base_reader *reader)
{
    const uint8_t *at = take(reader, 8);

    return at == NULL ? 0 : load_u64(at);
}

struct id128 base_read_id(struct base_reader *reader)
{
    struct id128 id = ID128_ZERO;
    const uint8_t *at = take(reader, sizeof id.bytes);

    if (at != NULL) {
        memcpy(id.bytes, at, sizeof id.bytes);
    }
    return id;
}

struct bytes base_read_bytes(struct base_reader *reader, size_t size)
{
    const uint8_t *at = take(reader, size);

    return at == NULL ? BYTES_NONE : bytes_of(at, size);
}

static struct bytes take_bounded(struct base_reader *reader, size_t size, size_t size_max)
{
    if (size > size_max) {
        reader->failed = true;
    }
    return base_read_bytes(reader, size);
}

struct bytes base_read_short(struct base_reader *reader, size_t size_max)
{
    return take_bounded(reader, base_read_u16(reader), size_max);
}

struct bytes base_read_long(struct base_reader *reader, size_t size_max)
{
    return take_bounded(reader, base_read_u32(reader), size_max);
}

size_t base_reader_left(const struct base_reader *reader)
{
    return reader->at == reader->end ? 0 : (size_t)(reader->end - reader->at);
}

bool base_reader_finished(const struct base_reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

/* ---- writing ---- */

void base_writer_init(struct base_writer *writer, void *buffer, size_t size)
{
    ASSERT(buffer != NULL || size == 0);
    writer->start = buffer;
    writer->at = buffer;
    writer->end = size == 0 ? writer->start : writer->start + size;
    writer->failed = false;
}

/* Room for `size` bytes, or NULL and failed. */
static uint8_t *make_room(struct base_writer *writer, size_t size)
{
    uint8_t *at = writer->at;

    if (writer->failed || size > (size_t)(writer->end - writer->at)) {
        writer->failed = true;
        return NULL;
    }
    writer->at += size;
    return at;
}

static void store_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)(value >> 16);
    at[3] = (uint8_t)(value >> 24);
}

void base_write_u8(struct base_writer *writer, uint8_t value)
{
    uint8_t *at = make_room(writer, 1);

    if (at != NULL) {
        at[0] = value;
    }
}

void base_write_u16(struct base_writer *writer, uint16_t value)
{
    uint8_t *at = make_room(writer, 2);

    if (at != NULL) {
        at[0] = (uint8_t)value;
        at[1] = (uint8_t)(value >> 8);
    }
}

void base_write_u32(struct base_writer *writer, uint32_t value)
{
    uint8_t *at = make_room(writer, 4);

    if (at != NULL) {
        store_u32(at, value);
    }
}

void base_write_u64(struct base_writer *writer, uint64_t value)
{
    uint8_t *at = make_room(writer, 8);

    if (at != NULL) {
        store_u32(at, (uint32_t)value);
        store_u32(at + 4, (uint32_t)(value >> 32));
    }
}

void base_write_id(struct base_writer *writer, struct id128 id)
{
    base_write_bytes(writer, bytes_of(id.bytes, sizeof id.bytes));
}

void base_write_bytes(struct base_writer *writer, struct bytes source)
{
    uint8_t *at;

    if (source.size == 0) {
        return;
    }
    at = make_room(writer, source.size);
    if (at != NULL) {
        memcpy(at, source.data, source.size);
    }
}

void base_write_short(struct base_writer *writer, struct bytes source)
{
    if (source.size > UINT16_MAX) {
        writer->failed = true;
        return;
    }
    base_write_u16(writer, (uint16_t)source.size);
    base_write_bytes(writer, source);
}

void base_write_long(struct base_writer *writer, struct bytes source)
{
    if (source.size > UINT32_MAX) {
        writer->failed = true;
        return;
    }
    base_write_u32(writer, (uint32_t)source.size);
    base_write_bytes(writer, source);
}

struct bytes base_written(const struct base_writer *writer)
{
    if (writer->failed || writer->at == writer->start) {
        return BYTES_NONE;
    }
    return bytes_of(writer->start, (size_t)(writer->at - writer->start));
}

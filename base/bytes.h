/* Views of bytes, and bounded cursors that read and write them.
 *
 * A view never owns. A cursor never reads or writes past its end: it remembers that it failed
 * (sticky), every later call on it yields zeros or writes nothing, and the caller asks once at the
 * end. All integers are little-endian. No allocation anywhere.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes. `data` may be NULL only when `size` is 0. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

#define BYTES_NONE ((struct bytes){NULL, 0})

/* View of a zero-terminated string, without its terminator. */
struct bytes bytes_of_text(const char *text);
static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){(const uint8_t *)data, size};
}

/* Same length and content. Not constant-time: never for secrets (see base_equal_constant_time). */
bool bytes_equal(struct bytes a, struct bytes b);
/* <0, 0, >0: unsigned byte order, the shorter first when one is the other's prefix. */
int bytes_compare(struct bytes a, struct bytes b);
/* Compares two buffers of `size` bytes in a time that depends on `size` alone. */
bool base_equal_constant_time(const void *a, const void *b, size_t size);

/* A 128-bit name: session selector, task id, store id, incarnation, worker instance. */
struct id128 {
    uint8_t bytes[16];
};

#define ID128_ZERO ((struct id128){{0}})

bool id128_equal(struct id128 a, struct id128 b);
bool id128_is_zero(struct id128 a);
/* Order of the bytes; for ordered lists and ties. */
int id128_compare(struct id128 a, struct id128 b);

/* ---- reading ---- */

struct base_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

void base_reader_init(struct base_reader *reader, struct bytes source);
uint8_t base_read_u8(struct base_reader *reader);
uint16_t base_read_u16(struct base_reader *reader);
uint32_t base_read_u32(struct base_reader *reader);
uint64_t base_read_u64(struct base_reader *reader);
struct id128 base_read_id(struct base_reader *reader);
/* A view into the source of exactly `size` bytes; BYTES_NONE and failed when fewer are left. */
struct bytes base_read_bytes(struct base_reader *reader, size_t size);
/* A u16 (u32) length, then that many bytes; fails when the length exceeds `size_max`. */
struct bytes base_read_short(struct base_reader *reader, size_t size_max);
struct bytes base_read_long(struct base_reader *reader, size_t size_max);
size_t base_reader_left(const struct base_reader *reader);
/* True when nothing failed and nothing is left. */
bool base_reader_finished(const struct base_reader *reader);

/* ---- writing ---- */

struct base_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

void base_writer_init(struct base_writer *writer, void *buffer, size_t size);
void base_write_u8(struct base_writer *writer, uint8_t value);
void base_write_u16(struct base_writer *writer, uint16_t value);
void base_write_u32(struct base_writer *writer, uint32_t value);
void base_write_u64(struct base_writer *writer, uint64_t value);
void base_write_id(struct base_writer *writer, struct id128 id);
void base_write_bytes(struct base_writer *writer, struct bytes source);
/* A u16 (u32) length, then the bytes. Fails when the length does not fit its prefix. */
void base_write_short(struct base_writer *writer, struct bytes source);
void base_write_long(struct base_writer *writer, struct bytes source);
/* What was written so far; BYTES_NONE when the writer failed. */
struct bytes base_written(const struct base_writer *writer);

#endif

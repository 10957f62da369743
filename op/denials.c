/* DENIALS as bytes of the log. What they lead to is the FSM's. */
#include "op/denials.h"

#include "base/assert.h"

enum { HEAD_SIZE = 4 + 2, ROW_FIXED_SIZE = 3 * 2 + 16 + 4 };

static size_t size_of(const struct op_denial *row)
{
    return ROW_FIXED_SIZE + row->tenant.size + row->name.size + row->user.size;
}

static uint32_t add_count(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static void write_row(struct base_writer *writer, const struct op_denial *row)
{
    base_write_short(writer, row->tenant);
    base_write_short(writer, row->name);
    base_write_short(writer, row->user);
    base_write_id(writer, row->object);
    base_write_u32(writer, row->count);
}

void op_denials_write(struct base_writer *writer, const struct op_denial *rows, size_t count,
                      uint32_t overflow)
{
    size_t size = HEAD_SIZE, fit = 0;

    ASSERT(count <= OP_DENIALS_MAX);
    while (fit < count && size + size_of(&rows[fit]) <= OP_DENIALS_BYTES_MAX) {
        size += size_of(&rows[fit++]);
    }
    for (size_t i = fit; i < count; i++) {
        overflow = add_count(overflow, rows[i].count);
    }
    base_write_u32(writer, overflow);
    base_write_u16(writer, (uint16_t)fit);
    for (size_t i = 0; i < fit; i++) {
        write_row(writer, &rows[i]);
    }
}

static bool read_row(struct base_reader *reader, struct op_denial *ret_row)
{
    ret_row->tenant = base_read_short(reader, OP_NAME_MAX);
    ret_row->name = base_read_short(reader, OP_NAME_MAX);
    ret_row->user = base_read_short(reader, OP_NAME_MAX);
    ret_row->object = base_read_id(reader);
    ret_row->count = base_read_u32(reader);
    return !reader->failed && ret_row->count > 0;
}

bool op_denials_read(struct bytes body, struct op_denials *ret_denials)
{
    struct op_denial row;
    struct base_reader reader;

    base_reader_init(&reader, body);
    ret_denials->overflow = base_read_u32(&reader);
    ret_denials->count = base_read_u16(&reader);
    if (reader.failed || ret_denials->count > OP_DENIALS_MAX) {
        return false;
    }
    ret_denials->rows = reader;
    for (uint16_t i = 0; i < ret_denials->count; i++) {
        if (!read_row(&reader, &row)) {
            return false;
        }
    }
    return base_reader_finished(&reader);
}

bool op_denials_next(struct op_denials *denials, struct op_denial *ret_row)
{
    bool read;

    if (denials->count == 0) {
        return false;
    }
    denials->count--;
    read = read_row(&denials->rows, ret_row);
    ASSERT(read); /* op_denials_read has looked at it */
    return true;
}

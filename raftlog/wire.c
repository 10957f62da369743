/* Encodes and decodes frames and messages of wire.def. Knows no connection and no meaning. */
#include "raftlog/wire.h"

#include "base/assert.h"
#include "raftlog/raftlog.h"

static bool read_flag(struct base_reader *reader)
{
    uint8_t value = base_read_u8(reader);
    if (value > 1) {
        reader->failed = true;
    }
    return value == 1;
}

#define READ_u8(reader) base_read_u8(reader)
#define READ_u16(reader) base_read_u16(reader)
#define READ_u32(reader) base_read_u32(reader)
#define READ_u64(reader) base_read_u64(reader)
#define READ_flag(reader) read_flag(reader)
#define READ_id(reader) base_read_id(reader)
#define READ_text(reader) base_read_short(reader, RLOG_WIRE_TEXT_MAX)
#define READ_tail(reader) base_read_bytes(reader, base_reader_left(reader))

#define WIRE_BEGIN(NAME, name, number)                                                             \
    bool rlog_wire_read_##name(struct bytes body, struct rlog_wire_##name *ret_message)            \
    {                                                                                              \
        struct base_reader reader;                                                                 \
        struct rlog_wire_##name message;                                                           \
        base_reader_init(&reader, body);
#define WIRE_FIELD(name, kind, field) message.field = READ_##kind(&reader);
#define WIRE_END(name)                                                                             \
    if (!base_reader_finished(&reader)) {                                                          \
        return false;                                                                              \
    }                                                                                              \
    *ret_message = message;                                                                        \
    return true;                                                                                   \
    }
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END

#define WRITE_u8(writer, value) base_write_u8(writer, value)
#define WRITE_u16(writer, value) base_write_u16(writer, value)
#define WRITE_u32(writer, value) base_write_u32(writer, value)
#define WRITE_u64(writer, value) base_write_u64(writer, value)
#define WRITE_flag(writer, value) base_write_u8(writer, (value) ? 1 : 0)
#define WRITE_id(writer, value) base_write_id(writer, value)
#define WRITE_text(writer, value) base_write_short(writer, value)
#define WRITE_tail(writer, value) base_write_bytes(writer, value)

#define WIRE_BEGIN(NAME, name, number)                                                             \
    void rlog_wire_write_##name(struct base_writer *writer,                                        \
                                const struct rlog_wire_##name *message)                            \
    {
#define WIRE_FIELD(name, kind, field) WRITE_##kind(writer, message->field);
#define WIRE_END(name) }
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END

void rlog_wire_write_entry(struct base_writer *writer, const struct rlog_log_entry *entry)
{
    base_write_u64(writer, entry->term);
    base_write_u8(writer, (uint8_t)entry->type);
    base_write_long(writer, entry->payload);
}

bool rlog_wire_read_entry(struct base_reader *reader, struct rlog_log_entry *ret_entry)
{
    struct rlog_log_entry entry;
    entry.term = base_read_u64(reader);
    uint8_t type = base_read_u8(reader);
    entry.payload = base_read_long(reader, RLOG_ENTRY_MAX);
    if (reader->failed || type < RLOG_COMMAND || type > RLOG_CHANGE) {
        return false;
    }
    entry.type = (enum rlog_entry_type)type;
    *ret_entry = entry;
    return true;
}

void rlog_wire_frame_begin(struct base_writer *writer, uint8_t kind)
{
    ASSERT(writer->at == writer->start);
    base_write_u32(writer, 0);
    base_write_u8(writer, kind);
}

struct bytes rlog_wire_frame_end(struct base_writer *writer)
{
    struct bytes frame = base_written(writer);
    ASSERT(frame.size > RLOG_WIRE_HEADER && frame.size - RLOG_WIRE_HEADER <= RLOG_WIRE_FRAME_MAX);
    struct base_writer size;
    base_writer_init(&size, writer->start, RLOG_WIRE_HEADER);
    base_write_u32(&size, (uint32_t)(frame.size - RLOG_WIRE_HEADER));
    return frame;
}

enum rlog_wire_frame rlog_wire_frame_read(struct bytes stream, size_t size_max, uint8_t *ret_kind,
                                          struct bytes *ret_body, size_t *ret_size)
{
    struct base_reader reader;
    base_reader_init(&reader, stream);
    if (stream.size < RLOG_WIRE_HEADER) {
        *ret_size = 0;
        return RLOG_FRAME_PART;
    }
    size_t size = base_read_u32(&reader);
    if (size == 0 || size > size_max) {
        return RLOG_FRAME_BAD;
    }
    *ret_size = RLOG_WIRE_HEADER + size;
    if (stream.size < *ret_size) {
        return RLOG_FRAME_PART;
    }
    *ret_kind = base_read_u8(&reader);
    *ret_body = base_read_bytes(&reader, size - 1);
    return RLOG_FRAME_WHOLE;
}

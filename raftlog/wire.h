/* The peers' codec: frames and the messages of wire.def, through bounded cursors. No I/O, no heap.
 *
 * A frame is u32 size, u8 kind, body; `size` counts kind and body. Views in a decoded message
 * borrow from the frame.
 */
#ifndef RAFTLOG_WIRE_H
#define RAFTLOG_WIRE_H

#include "base/bytes.h"
#include "raftlog/log.h"

enum {
    RLOG_WIRE_MAGIC = 0x52504e54, /* "TNPR" */
    RLOG_WIRE_VERSION = 1,
    RLOG_WIRE_VERSION_MIN = 1,
    RLOG_WIRE_TEXT_MAX = 255,
    RLOG_WIRE_HEADER = 4,             /* the size */
    RLOG_WIRE_FRAME_MAX = 512 * 1024, /* largest `size` */
    RLOG_WIRE_GREETING_MAX = 1024,    /* largest `size` before the hello */
    RLOG_WIRE_ENTRIES_MAX = 4096,
    RLOG_WIRE_ENTRY_HEADER = 13,
};

enum rlog_wire_kind {
#define WIRE_BEGIN(NAME, name, number) RLOG_WIRE_##NAME = (number),
#define WIRE_FIELD(name, kind, field)
#define WIRE_END(name)
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END
};

#define WIRE_TYPE_u8 uint8_t
#define WIRE_TYPE_u16 uint16_t
#define WIRE_TYPE_u32 uint32_t
#define WIRE_TYPE_u64 uint64_t
#define WIRE_TYPE_flag bool
#define WIRE_TYPE_id struct id128
#define WIRE_TYPE_text struct bytes
#define WIRE_TYPE_tail struct bytes

#define WIRE_BEGIN(NAME, name, number) struct rlog_wire_##name {
#define WIRE_FIELD(name, kind, field) WIRE_TYPE_##kind field;
/* clang-format off */
#define WIRE_END(name) };
/* clang-format on */
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END

/* rlog_wire_read_X: false unless the body is exactly one message. rlog_wire_write_X: body only. */
#define WIRE_BEGIN(NAME, name, number)                                                             \
    bool rlog_wire_read_##name(struct bytes body, struct rlog_wire_##name *ret_message);           \
    void rlog_wire_write_##name(struct base_writer *writer, const struct rlog_wire_##name *message);
#define WIRE_FIELD(name, kind, field)
#define WIRE_END(name)
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END

void rlog_wire_write_entry(struct base_writer *writer, const struct rlog_log_entry *entry);
/* False when it is malformed; an entry's payload is at most RLOG_ENTRY_MAX. */
bool rlog_wire_read_entry(struct base_reader *reader, struct rlog_log_entry *ret_entry);

/* Starts a frame in `writer`, finishes it (sets its size). The writer holds one frame from its
 * start. */
void rlog_wire_frame_begin(struct base_writer *writer, uint8_t kind);
struct bytes rlog_wire_frame_end(struct base_writer *writer);

/* What the first bytes of a stream hold. */
enum rlog_wire_frame { RLOG_FRAME_WHOLE, RLOG_FRAME_PART, RLOG_FRAME_BAD };
/* `size_max` bounds the frame's size. WHOLE: kind, body and the bytes that the frame takes. PART:
 * the bytes that it takes in all, 0 when even that is not known yet. */
enum rlog_wire_frame rlog_wire_frame_read(struct bytes stream, size_t size_max, uint8_t *ret_kind,
                                          struct bytes *ret_body, size_t *ret_size);

#endif

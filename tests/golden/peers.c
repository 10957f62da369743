/* Messages between peers: one of each kind, with every field set; and entries inside of one. */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "raftlog/wire.h"
#include "tests/golden/golden.h"

enum { MESSAGE_MAX = 1024 };

/* What a field holds: the same in each making. */
static uint64_t number(const char *field, unsigned kind)
{
    return (kind * UINT64_C(0x0101010101)) + (unsigned char)field[0] * UINT64_C(3) + strlen(field);
}

#define SET_u8(field, kind) (uint8_t)(number(field, kind) & 3)
#define SET_u16(field, kind) (uint16_t)number(field, kind)
#define SET_u32(field, kind) (uint32_t)number(field, kind)
#define SET_u64(field, kind) number(field, kind)
#define SET_flag(field, kind) true
#define SET_id(field, kind)                                                                        \
    (struct id128)                                                                                 \
    {                                                                                              \
        {                                                                                          \
            (uint8_t)(kind), 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16                    \
        }                                                                                          \
    }
#define SET_text(field, kind) bytes_of_text(field)
#define SET_tail(field, kind) tail()

static struct bytes tail(void)
{
    static uint8_t buffer[256];
    static const struct rlog_log_entry entries[] = {
        {3, RLOG_COMMAND, {(const uint8_t *)"command", 7}},
        {4, RLOG_BARRIER, {(const uint8_t *)"barrier", 7}},
        {5, RLOG_CHANGE, {(const uint8_t *)"change", 6}}};
    struct base_writer writer;
    base_writer_init(&writer, buffer, sizeof(buffer));
    for (size_t i = 0; i < 3; i++) {
        rlog_wire_write_entry(&writer, &entries[i]);
    }
    return base_written(&writer);
}

#define WIRE_BEGIN(NAME, name, number_)                                                            \
    static void make_##name(struct base_writer *writer)                                            \
    {                                                                                              \
        const unsigned of = (number_);                                                             \
        struct rlog_wire_##name message;                                                           \
        memset(&message, 0, sizeof(message));
#define WIRE_FIELD(name, kind, field) message.field = SET_##kind(#field, of);
#define WIRE_END(name)                                                                             \
    rlog_wire_write_##name(writer, &message);                                                      \
    (void)of;                                                                                      \
    }
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END

void golden_peers_make(struct golden *golden)
{
    uint8_t buffer[MESSAGE_MAX];
    struct base_writer writer;
#define WIRE_BEGIN(NAME, name, number_)                                                            \
    base_writer_init(&writer, buffer, sizeof(buffer));                                             \
    rlog_wire_frame_begin(&writer, number_);                                                       \
    make_##name(&writer);                                                                          \
    golden_add(golden, #name, rlog_wire_frame_end(&writer));
#define WIRE_FIELD(name, kind, field)
#define WIRE_END(name)
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END
}

static void tell_entries(FILE *text, struct bytes entries)
{
    struct base_reader reader;
    struct rlog_log_entry entry;
    base_reader_init(&reader, entries);
    while (base_reader_left(&reader) > 0 && rlog_wire_read_entry(&reader, &entry)) {
        fprintf(text, "  entry term=%" PRIu64 " type=%d %.*s\n", entry.term, (int)entry.type,
                (int)entry.payload.size, (const char *)entry.payload.data);
    }
}

#define TELL_u8(field) fprintf(text, " " #field "=%u", (unsigned)message.field)
#define TELL_u16(field) fprintf(text, " " #field "=%u", (unsigned)message.field)
#define TELL_u32(field) fprintf(text, " " #field "=%u", (unsigned)message.field)
#define TELL_u64(field) fprintf(text, " " #field "=%" PRIu64, message.field)
#define TELL_flag(field) fprintf(text, " " #field "=%d", (int)message.field)
#define TELL_id(field) golden_hex(text, " " #field, bytes_of(message.field.bytes, 16))
#define TELL_text(field)                                                                           \
    fprintf(text, " " #field "=%.*s", (int)message.field.size, (const char *)message.field.data)
#define TELL_tail(field) (putc('\n', text), tell_entries(text, message.field))

#define WIRE_BEGIN(NAME, name, number_)                                                            \
    static void tell_##name(FILE *text, struct bytes body)                                         \
    {                                                                                              \
        struct rlog_wire_##name message;                                                           \
        if (!rlog_wire_read_##name(body, &message)) {                                              \
            fprintf(text, " is not read\n");                                                       \
            return;                                                                                \
        }
#define WIRE_FIELD(name, kind, field) TELL_##kind(field);
#define WIRE_END(name)                                                                             \
    putc('\n', text);                                                                              \
    }
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END

static void tell_frame(FILE *text, uint8_t kind, struct bytes body)
{
    switch (kind) {
#define WIRE_BEGIN(NAME, name, number_)                                                            \
    case (number_):                                                                                \
        fprintf(text, #name);                                                                      \
        tell_##name(text, body);                                                                   \
        return;
#define WIRE_FIELD(name, kind, field)
#define WIRE_END(name)
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END
    default: /* any number may stand in a file */
        fprintf(text, "kind %u is not known\n", kind);
    }
}

void golden_peers_tell(const struct golden *golden, FILE *text)
{
    for (size_t i = 0; i < golden->count; i++) {
        struct bytes body;
        uint8_t kind;
        size_t size;
        if (rlog_wire_frame_read(golden_bytes(&golden->pieces[i]), MESSAGE_MAX, &kind, &body,
                                 &size) != RLOG_FRAME_WHOLE) {
            fprintf(text, "%s is no frame\n", golden->pieces[i].name);
            continue;
        }
        tell_frame(text, kind, body);
    }
}

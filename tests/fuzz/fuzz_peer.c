/* Messages between nodes, bindings and configurations: what is read is written as the same bytes
 * again; the stream falls into the same frames however it is cut; entries are bounded before memory
 * is taken for them; a hello is believed only when all of it fits.
 */
#include "raftlog/engine_raft.h"
#include "raftlog/greeting.h"
#include "raftlog/link.h"
#include "raftlog/log_state.h"
#include "raftlog/rlog.h"
#include "raftlog/wire.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

static const struct id128 stores[3] = {{{1}}, {{2}}, {{3}}};

enum { LAST = 10, LAST_TERM = 5 }; /* of its log */

/* A node that has no connection: as much of it as reading takes. */
static struct rlog *node(void)
{
    static struct rlog rlog;
    static struct rlog_log log = {.start = LAST + 1, .base_term = LAST_TERM};
    static struct rlog_engine engine = {.configuration_index = 4};
    static struct rlog_peers peers;

    memset(&rlog.members, 0, sizeof rlog.members);
    rlog.engine = &engine;
    rlog.log = &log;
    rlog.peers = &peers;
    rlog.config.id = 3;
    rlog.store.birth.incarnation = (struct id128){{7, 7}};
    (void)snprintf(rlog.store.birth.cluster, sizeof rlog.store.birth.cluster, "test");
    rlog.members.roll.count = 3;
    for (uint64_t i = 0; i < 3; i++) {
        rlog.members.roll.list[i].id = i + 1;
        rlog.members.roll.list[i].voter = true;
        rlog.members.roll.list[i].store = i < 2 ? stores[i] : ID128_ZERO;
    }
    rlog.members.applied = rlog.members.roll;
    return &rlog;
}

/* ---- one message of each kind ---- */

#define WIRE_BEGIN(NAME, name, number)                                                             \
    static void codec_##name(struct bytes body)                                                    \
    {                                                                                              \
        static uint8_t buffer[FUZZ_INPUT_MAX + 1024];                                              \
        struct rlog_wire_##name message;                                                           \
        struct base_writer writer;                                                                 \
        if (rlog_wire_read_##name(body, &message)) {                                               \
            base_writer_init(&writer, buffer, sizeof buffer);                                      \
            rlog_wire_write_##name(&writer, &message);                                             \
            ASSERT(bytes_equal(base_written(&writer), body));                                      \
        }                                                                                          \
    }
#define WIRE_FIELD(name, kind, field)
#define WIRE_END(name)
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END

static void try_codec(uint8_t kind, struct bytes body)
{
#define WIRE_BEGIN(NAME, name, number)                                                             \
    if (kind == (number)) {                                                                        \
        codec_##name(body);                                                                        \
    }
#define WIRE_FIELD(name, kind, field)
#define WIRE_END(name)
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END
}

static void believe_hello(struct bytes body)
{
    struct rlog_wire_hello hello;
    char reason[RLOG_WIRE_TEXT_MAX];

    memset(reason, 0, sizeof reason);
    if (!rlog_greeting_check(node(), 1, body, &hello, reason, sizeof reason)) {
        ASSERT(fuzz_is_line(reason));
        return;
    }
    ASSERT(hello.node == 1 && hello.to == 3 && hello.magic == RLOG_WIRE_MAGIC);
    /* Who knows of a later roll, or has one behind all that we have, may know its disk to be
     * another. */
    bool behind = hello.change_term > LAST_TERM ||
                  (hello.change_term == LAST_TERM && hello.change > LAST);
    ASSERT(id128_equal(hello.store, stores[0]) || hello.configuration > 4 ||
           (hello.change != 0 && behind));
    ASSERT(id128_equal(hello.incarnation, node()->store.birth.incarnation));
    ASSERT(bytes_equal(hello.cluster, bytes_of_text("test")));
}

static void try_raft(uint8_t kind, struct bytes body)
{
    struct rlog_received received;

    if (!rlog_translate_receive(node(), 1, kind, body, &received)) {
        ASSERT(received.entries == NULL);
        return;
    }
    ASSERT(received.message.server_id == 1);
    if (kind == RLOG_WIRE_APPEND) {
        ASSERT(received.message.append_entries.n_entries <= RLOG_WIRE_ENTRIES_MAX);
        ASSERT(received.message.append_entries.n_entries <= body.size / RLOG_WIRE_ENTRY_HEADER);
    }
    rlog_received_done(&received);
}

/* ---- what lies in entries and snapshots ---- */

static void try_configuration(struct bytes bytes)
{
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    struct rlog_members members = node()->members;
    struct rlog_roll roll, second;
    struct bytes again;

    if (!rlog_members_restore(&members, bytes)) {
        ASSERT(memcmp(&members, &node()->members, sizeof members) == 0);
    }
    if (!rlog_roll_read(bytes, &roll)) {
        return;
    }
    ASSERT(roll.count >= 1 && roll.count <= RLOG_MEMBERS_MAX);
    again = rlog_roll_write(&roll, buffer);
    if (again.data != NULL) { /* it may not fit: then nothing is written */
        ASSERT(rlog_roll_read(again, &second) && second.count == roll.count);
        for (size_t i = 0; i < roll.count; i++) {
            ASSERT(second.list[i].id == roll.list[i].id);
            ASSERT(second.list[i].voter == roll.list[i].voter);
            ASSERT(id128_equal(second.list[i].store, roll.list[i].store));
        }
    }
}

static void try_binding(struct bytes payload)
{
    uint8_t buffer[RLOG_BINDING_SIZE];
    struct rlog_members members = node()->members;

    ASSERT(rlog_members_note(&members, RLOG_BARRIER, payload)); /* only a CHANGE has to be read */
    if (!rlog_members_apply(&members, RLOG_BARRIER, payload)) {
        return; /* of a later version: it stops the node */
    }
    ASSERT(id128_equal(rlog_members_bound(&members, 1), stores[0]));
    ASSERT(id128_equal(rlog_members_bound(&members, 2), stores[1]));
    if (!id128_is_zero(rlog_members_bound(&members, 3))) {
        ASSERT(bytes_equal(payload,
                           rlog_members_write_binding(buffer, 3, rlog_members_bound(&members, 3))));
    }
}

static void try_entries(struct bytes tail)
{
    static uint8_t buffer[FUZZ_INPUT_MAX + 1024];
    struct base_reader reader;
    struct base_writer writer;
    struct rlog_log_entry entry;
    size_t read = 0;

    base_reader_init(&reader, tail);
    base_writer_init(&writer, buffer, sizeof buffer);
    while (base_reader_left(&reader) > 0 && rlog_wire_read_entry(&reader, &entry)) {
        rlog_wire_write_entry(&writer, &entry);
        read = tail.size - base_reader_left(&reader);
    }
    ASSERT(bytes_equal(base_written(&writer), bytes_of(tail.data, read)));
}

/* ---- the stream ---- */

static void try_frame(uint8_t kind, struct bytes body)
{
    try_codec(kind, body);
    if (kind == RLOG_WIRE_HELLO) {
        believe_hello(body);
    }
    if (kind >= RLOG_WIRE_REQUEST_VOTE && kind <= RLOG_WIRE_TIMEOUT_NOW) {
        try_raft(kind, body);
    }
    if (kind == 1) {
        try_configuration(body);
    } else if (kind == 2) {
        try_binding(body);
    } else if (kind == 3) {
        try_entries(body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = 0;

    for (;;) {
        struct bytes rest = bytes_of(data + at, size - at), body = BYTES_NONE;
        size_t frame = 0;
        uint8_t kind = 0;
        enum rlog_wire_frame found = rlog_wire_frame_read(rest, RLOG_WIRE_FRAME_MAX, &kind, &body,
                                                          &frame);

        if (found != RLOG_FRAME_WHOLE) {
            ASSERT(found == RLOG_FRAME_BAD || frame == 0 ||
                   (frame > rest.size && frame <= RLOG_WIRE_HEADER + RLOG_WIRE_FRAME_MAX));
            return 0;
        }
        ASSERT(frame <= rest.size && body.size + RLOG_WIRE_HEADER + 1 == frame);
        ASSERT(rlog_wire_frame_read(bytes_of(rest.data, frame - 1), RLOG_WIRE_FRAME_MAX, &kind,
                                    &body, &frame) == RLOG_FRAME_PART);
        kind = rest.data[RLOG_WIRE_HEADER];
        try_frame(kind, bytes_of(rest.data + RLOG_WIRE_HEADER + 1, frame - RLOG_WIRE_HEADER - 1));
        at += frame;
    }
}

/* ---- seeds ---- */

static void put_frame(struct base_writer *writer, uint8_t kind, struct bytes body)
{
    base_write_u32(writer, (uint32_t)body.size + 1);
    base_write_u8(writer, kind);
    base_write_bytes(writer, body);
}

#define SEED_u8 1
#define SEED_u16 1
#define SEED_u32 RLOG_WIRE_MAGIC
#define SEED_u64 1
#define SEED_flag true
#define SEED_id                                                                                    \
    (struct id128)                                                                                 \
    {                                                                                              \
        {                                                                                          \
            1                                                                                      \
        }                                                                                          \
    }
#define SEED_text bytes_of_text("test")
#define SEED_tail BYTES_NONE

/* A message of each kind; then one with entries, a configuration, a binding, a hello to believe. */
static void put_extra(uint64_t n, struct base_writer *writer, struct base_writer *body)
{
    uint8_t buffer[RLOG_CONFIGURATION_MAX], tail[256];
    struct rlog_log_entry entry = {.term = 1, .type = RLOG_COMMAND, .payload = bytes_of_text("x")};
    struct rlog_wire_append append = {.version = 1, .term = 2, .count = 2};
    struct rlog_wire_hello hello = {.magic = RLOG_WIRE_MAGIC,
                                    .version = 1,
                                    .version_min = 1,
                                    .node = 1,
                                    .to = 3,
                                    .store = stores[0],
                                    .incarnation = {{7, 7}},
                                    .cluster = bytes_of_text("test")};
    struct base_writer entries;

    base_writer_init(&entries, tail, sizeof tail);
    rlog_wire_write_entry(&entries, &entry);
    rlog_wire_write_entry(&entries, &entry);
    append.entries = base_written(&entries);
    rlog_wire_write_append(body, &append);
    if (n == 0) {
        put_frame(writer, RLOG_WIRE_APPEND, base_written(body));
    } else if (n == 1) {
        put_frame(writer, 1, rlog_roll_write(&node()->members.roll, buffer));
    } else if (n == 2) {
        put_frame(writer, 2, rlog_members_write_binding(buffer, 3, stores[2]));
    } else if (n == 3) {
        put_frame(writer, 3, append.entries);
    } else {
        body->at = body->start;
        rlog_wire_write_hello(body, &hello);
        put_frame(writer, RLOG_WIRE_HELLO, base_written(body));
    }
}

bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    uint8_t buffer[1024];
    struct base_writer body;
    uint64_t kind = 0;

    base_writer_init(&body, buffer, sizeof buffer);
#define WIRE_BEGIN(NAME, name, number)                                                             \
    if (n == kind++) {                                                                             \
        struct rlog_wire_##name message;
#define WIRE_FIELD(name, kind, field) message.field = SEED_##kind;
#define WIRE_END(name)                                                                             \
    rlog_wire_write_##name(&body, &message);                                                       \
    put_frame(writer, (uint8_t)(RLOG_WIRE_HELLO + n), base_written(&body));                        \
    return true;                                                                                   \
    }
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END
    if (n >= kind + 5) {
        return false;
    }
    put_extra(n - kind, writer, &body);
    return true;
}

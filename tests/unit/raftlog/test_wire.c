/* The peers' codec: what is written is read back; what is cut or flipped is refused or harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raftlog/raftlog.h"
#include "raftlog/wire.h"

/* Values by kind, different in each call. */
static uint64_t counter;

static uint64_t fill_u64(void)
{
    return ++counter * UINT64_C(0x0123456789abcdef);
}
static struct id128 fill_id(void)
{
    struct id128 id;
    memset(id.bytes, (int)(++counter & 0xff), sizeof id.bytes);
    return id;
}

#define FILL_u8 ((uint8_t)fill_u64())
#define FILL_u16 ((uint16_t)fill_u64())
#define FILL_u32 ((uint32_t)fill_u64())
#define FILL_u64 fill_u64()
#define FILL_flag ((++counter & 1) != 0)
#define FILL_id fill_id()
#define FILL_text bytes_of_text("a text")
#define FILL_tail bytes_of_text("the rest of it")
#define SAME_u8(a, b) assert_int_equal(a, b)
#define SAME_u16(a, b) assert_int_equal(a, b)
#define SAME_u32(a, b) assert_int_equal(a, b)
#define SAME_u64(a, b) assert_int_equal(a, b)
#define SAME_flag(a, b) assert_int_equal(a, b)
#define SAME_id(a, b) assert_true(id128_equal(a, b))
#define SAME_text(a, b) assert_true(bytes_equal(a, b))
#define SAME_tail(a, b) assert_true(bytes_equal(a, b))

/* One sample body of each message, and its checks. */
struct sample {
    const char *name;
    uint8_t kind;
    bool has_tail;
    uint8_t body[256];
    size_t size;
};

static struct sample samples[32];
static size_t sample_count;

static void add_sample(const char *name, uint8_t kind, struct bytes body)
{
    struct sample *sample = &samples[sample_count++];
    assert_true(body.size > 0 && body.size <= sizeof sample->body);
    sample->name = name;
    sample->kind = kind;
    sample->has_tail = kind == RLOG_WIRE_APPEND || kind == RLOG_WIRE_SNAPSHOT_CHUNK;
    sample->size = body.size;
    memcpy(sample->body, body.data, body.size);
}

#define WIRE_BEGIN(NAME, name, number)                                                             \
    static void round_trip_##name(void)                                                            \
    {                                                                                              \
        const char *text = #name;                                                                  \
        const uint8_t kind = number;                                                               \
        struct rlog_wire_##name message, again;                                                    \
        uint8_t buffer[256];                                                                       \
        struct base_writer writer;                                                                 \
        for (int pass = 0; pass < 2; pass++) {                                                     \
            if (pass == 1) {                                                                       \
                base_writer_init(&writer, buffer, sizeof buffer);                                  \
                rlog_wire_write_##name(&writer, &message);                                         \
                assert_true(rlog_wire_read_##name(base_written(&writer), &again));                 \
                add_sample(text, kind, base_written(&writer));                                     \
            }
#define WIRE_FIELD(name, kind, field)                                                              \
    if (pass == 0) {                                                                               \
        message.field = FILL_##kind;                                                               \
    } else {                                                                                       \
        SAME_##kind(message.field, again.field);                                                   \
    }
#define WIRE_END(name)                                                                             \
    }                                                                                              \
    }
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END

static bool read_any(uint8_t kind, struct bytes body)
{
#define WIRE_BEGIN(NAME, name, number)                                                             \
    if (kind == (number)) {                                                                        \
        struct rlog_wire_##name message;                                                           \
        return rlog_wire_read_##name(body, &message);                                              \
    }
#define WIRE_FIELD(name, kind, field)
#define WIRE_END(name)
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END
    return false;
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    sample_count = 0;
#define WIRE_BEGIN(NAME, name, number) round_trip_##name();
#define WIRE_FIELD(name, kind, field)
#define WIRE_END(name)
#include "raftlog/wire.def"
#undef WIRE_BEGIN
#undef WIRE_FIELD
#undef WIRE_END
    assert_int_equal(sample_count, 15);
}

static void what_is_cut_or_longer_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++) {
        const struct sample *sample = &samples[i];
        size_t fixed = sample->size - (sample->has_tail ? strlen("the rest of it") : 0);
        for (size_t size = 0; size < fixed; size++) {
            /* An exact copy, so that a sanitizer sees a read past its end. */
            uint8_t *copy = malloc(size + 1);
            memcpy(copy, sample->body, size);
            assert_false(read_any(sample->kind, bytes_of(copy, size)));
            free(copy);
        }
        if (!sample->has_tail) {
            uint8_t longer[300];
            memcpy(longer, sample->body, sample->size);
            longer[sample->size] = 0;
            assert_false(read_any(sample->kind, bytes_of(longer, sample->size + 1)));
        }
    }
}

static void a_flipped_bit_is_harmless(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++) {
        for (size_t bit = 0; bit < 8 * samples[i].size; bit++) {
            uint8_t *copy = malloc(samples[i].size);
            memcpy(copy, samples[i].body, samples[i].size);
            copy[bit / 8] ^= (uint8_t)(1U << (bit % 8));
            (void)read_any(samples[i].kind, bytes_of(copy, samples[i].size));
            free(copy);
        }
    }
}

static void flags_are_0_or_1(void **state)
{
    (void)state;
    struct rlog_wire_confirm_result result = {1, 2, 3, true};
    uint8_t buffer[64];
    struct base_writer writer;
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_write_confirm_result(&writer, &result);
    struct bytes body = base_written(&writer);
    assert_true(rlog_wire_read_confirm_result(body, &result));
    buffer[body.size - 1] = 2;
    assert_false(rlog_wire_read_confirm_result(body, &result));
}

static void entries_are_bounded(void **state)
{
    (void)state;
    static uint8_t buffer[RLOG_ENTRY_MAX + 64];
    static uint8_t payload[RLOG_ENTRY_MAX + 1];
    for (size_t extra = 0; extra < 2; extra++) {
        struct rlog_log_entry entry = {7, RLOG_COMMAND, bytes_of(payload, RLOG_ENTRY_MAX + extra)};
        struct rlog_log_entry again;
        struct base_writer writer;
        struct base_reader reader;
        base_writer_init(&writer, buffer, sizeof buffer);
        rlog_wire_write_entry(&writer, &entry);
        base_reader_init(&reader, base_written(&writer));
        assert_int_equal(rlog_wire_read_entry(&reader, &again), extra == 0);
    }
    for (unsigned type = 0; type < 256; type++) {
        struct rlog_log_entry entry = {7, RLOG_BARRIER, BYTES_NONE};
        struct base_writer writer;
        struct base_reader reader;
        base_writer_init(&writer, buffer, sizeof buffer);
        rlog_wire_write_entry(&writer, &entry);
        buffer[8] = (uint8_t)type;
        base_reader_init(&reader, base_written(&writer));
        assert_int_equal(rlog_wire_read_entry(&reader, &entry), type >= 1 && type <= 3);
    }
}

static void frames_come_in_parts_and_have_a_bound(void **state)
{
    (void)state;
    uint8_t buffer[64];
    struct base_writer writer;
    struct rlog_wire_keepalive keepalive = {5};
    uint8_t kind = 0;
    struct bytes body = BYTES_NONE;
    size_t size = 0;
    base_writer_init(&writer, buffer, sizeof buffer);
    rlog_wire_frame_begin(&writer, RLOG_WIRE_KEEPALIVE);
    rlog_wire_write_keepalive(&writer, &keepalive);
    struct bytes frame = rlog_wire_frame_end(&writer);
    for (size_t part = 0; part < frame.size; part++) {
        assert_int_equal(rlog_wire_frame_read(bytes_of(buffer, part), 1024, &kind, &body, &size),
                         RLOG_FRAME_PART);
        assert_int_equal(size, part < 4 ? 0 : frame.size);
    }
    assert_int_equal(rlog_wire_frame_read(frame, 1024, &kind, &body, &size), RLOG_FRAME_WHOLE);
    assert_int_equal(kind, RLOG_WIRE_KEEPALIVE);
    assert_int_equal(size, frame.size);
    assert_true(rlog_wire_read_keepalive(body, &keepalive));
    assert_int_equal(keepalive.wall_us, 5);
    assert_int_equal(rlog_wire_frame_read(frame, frame.size - 5, &kind, &body, &size),
                     RLOG_FRAME_BAD);
    memset(buffer, 0, 4); /* a frame without even a kind */
    assert_int_equal(rlog_wire_frame_read(frame, 1024, &kind, &body, &size), RLOG_FRAME_BAD);
    memset(buffer, 0xff, 4);
    assert_int_equal(rlog_wire_frame_read(frame, 1024, &kind, &body, &size), RLOG_FRAME_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(what_is_cut_or_longer_is_refused),
        cmocka_unit_test(a_flipped_bit_is_harmless),
        cmocka_unit_test(flags_are_0_or_1),
        cmocka_unit_test(entries_are_bounded),
        cmocka_unit_test(frames_come_in_parts_and_have_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

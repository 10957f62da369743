/* Frames and messages: the stream falls into the same frames however it is cut; a message is taken
 * apart into views that lie inside it, which msgpack-c reads too; none of its beginnings is one.
 */
#include "op/frame.h"
#include "tests/fuzz/fuzz.h"

#include <msgpack.h>

/* The view is a part of the frame, and one map. */
static void check_map(struct bytes whole, struct bytes map)
{
    msgpack_unpacked result;
    size_t offset = 0;

    ASSERT(map.data >= whole.data && map.data + map.size <= whole.data + whole.size);
    msgpack_unpacked_init(&result);
    ASSERT(msgpack_unpack_next(&result, (const char *)map.data, map.size, &offset) ==
           MSGPACK_UNPACK_SUCCESS);
    ASSERT(offset == map.size && result.data.type == MSGPACK_OBJECT_MAP);
    msgpack_unpacked_destroy(&result);
}

static void try_message(struct bytes whole)
{
    struct op_message message, cut;
    struct op_fault fault = {.text = NULL};

    if (!op_message_read(whole, &message, &fault)) {
        ASSERT(fuzz_is_line(fault.text) && fault.outcome == OP_PROTOCOL && fault.field == NULL);
        return;
    }
    if (message.kind == OP_MESSAGE_RESPONSE) {
        ASSERT((message.error.size == 0) != (message.result.size == 0));
        check_map(whole, message.error.size > 0 ? message.error : message.result);
    } else {
        ASSERT(message.method.size > 0 && message.method.size <= 64);
        check_map(whole, message.params);
        (void)op_row_of_method(message.method);
    }
    for (size_t size = whole.size < 64 ? 0 : whole.size - 64; size < whole.size; size++) {
        ASSERT(!op_message_read(bytes_of(whole.data, size), &cut, &fault));
    }
}

/* The frame at `at`, seen when `seen` bytes of the stream have come. */
static bool frame_at(struct bytes stream, size_t at, size_t seen, size_t *ret_size)
{
    *ret_size = 0;
    return op_frame_size(bytes_of(stream.data + at, seen - at), OP_FRAME_REQUEST_MAX, ret_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes stream = bytes_of(data, size);
    size_t at = 0, frame = 0;

    try_message(stream);
    while (at < size && frame_at(stream, at, size, &frame) && frame != 0 && frame <= size - at) {
        for (size_t seen = at; seen < at + 8 && seen <= size; seen++) {
            size_t early = 0;

            ASSERT(frame_at(stream, at, seen, &early));
            ASSERT(early == (seen - at < OP_FRAME_PREFIX ? 0 : frame));
        }
        ASSERT(frame >= OP_FRAME_PREFIX && frame <= OP_FRAME_REQUEST_MAX);
        try_message(bytes_of(data + at + OP_FRAME_PREFIX, frame - OP_FRAME_PREFIX));
        at += frame;
    }
    return 0;
}

static void put_all(struct base_writer *writer)
{
    const struct op_hello_request hello = {.version = 1};
    const struct op_reply_head done = {.outcome = OP_OK, .position = 5};
    const struct op_reply_head refused = {.outcome = OP_FENCED, .position = 6};

    op_request_write(writer, 1, OP_METHOD_HELLO, NULL, &op_hello_request_struct, &hello);
    op_response_write(writer, 1, &done, NULL, NULL, NULL);
    op_response_write(writer, UINT32_MAX, &refused, NULL, NULL, NULL);
    op_notification_write(writer, OP_METHOD_CANCEL, 70000);
    op_notification_write(writer, OP_METHOD_GOAWAY, 0);
}

/* Each kind of message alone and without its prefix, then all in one stream. */
bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    uint8_t buffer[2048];
    struct base_writer all;
    size_t at = 0, size = 0;

    base_writer_init(&all, buffer, sizeof buffer);
    put_all(&all);
    for (uint64_t i = 0; i <= n % 5; i++) {
        at += size;
        ASSERT(op_frame_size(bytes_of(buffer + at, (size_t)(all.at - all.start) - at), OP_FRAME_MAX,
                             &size));
    }
    base_write_bytes(writer, n < 5 ? bytes_of(buffer + at + OP_FRAME_PREFIX, size - OP_FRAME_PREFIX)
                                   : base_written(&all));
    return n < 6;
}

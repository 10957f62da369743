/* The codec, for each row of the op table: what a request decodes to is written as as many bytes
 * again, and decodes to the same; the same of its stored form. msgpack-c, which wrote it, reads
 * what we accept. Responses, which may say more than we know, are stable from their second form on.
 *
 * An input is one byte that chooses what the map is read as, and the map.
 */
#include "op/frame.h"
#include "op/pack.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/op/fill.h"

#include <msgpack.h>
#include <string.h>

/* The method of an envelope-less map is of no matter. */
static const struct op_struct *const others[] = {
    &op_hello_request_struct, &op_status_request_struct, &op_time_request_struct,
    &op_cancel_struct,        &op_details_struct,
};
static const struct op_struct *const other_replies[] = {
    &op_hello_reply_struct, &op_status_reply_struct, &op_time_reply_struct};

enum { OTHERS = sizeof others / sizeof others[0] };
enum { OTHER_REPLIES = sizeof other_replies / sizeof other_replies[0] };

union any {
    union op_request request;
    union op_reply reply;
    struct op_hello_request hello;
    struct op_hello_reply hello_reply;
    struct op_status_request status;
    struct op_status_reply status_reply;
    struct op_time_request time;
    struct op_cancel cancel;
    struct op_details details;
};

static uint8_t frame[2][OP_FRAME_MAX];
static uint8_t stored[2][OP_FRAME_MAX];

/* ---- what is proven ---- */

static void check_fault(const struct op_fault *fault)
{
    ASSERT(fuzz_is_line(fault->text));
    ASSERT(fault->outcome == OP_PROTOCOL || fault->outcome == OP_INVALID);
    ASSERT(fault->outcome == OP_PROTOCOL || fault->field == NULL || fuzz_is_line(fault->field));
}

/* The oracle takes the very same bytes. */
static void check_oracle(struct bytes map)
{
    msgpack_unpacked result;
    size_t offset = 0;

    msgpack_unpacked_init(&result);
    ASSERT(msgpack_unpack_next(&result, (const char *)map.data, map.size, &offset) ==
           MSGPACK_UNPACK_SUCCESS);
    ASSERT(offset == map.size && result.data.type == MSGPACK_OBJECT_MAP);
    msgpack_unpacked_destroy(&result);
}

/* One value has one stored form, and that form loads. */
static void check_stored(const struct op_struct *s, const void *value)
{
    static union any loaded;
    struct base_writer writer, again;
    struct base_reader reader;

    base_writer_init(&writer, stored[0], sizeof stored[0]);
    op_store(&writer, s, value, OP_STORE_ALL);
    ASSERT(!writer.failed);
    base_reader_init(&reader, base_written(&writer));
    ASSERT(op_load(&reader, s, &loaded) && base_reader_finished(&reader));
    base_writer_init(&again, stored[1], sizeof stored[1]);
    op_store(&again, s, &loaded, OP_STORE_ALL);
    ASSERT(bytes_equal(base_written(&writer), base_written(&again)));
}

static struct op_message parse(struct base_writer *writer)
{
    struct bytes whole = base_written(writer);
    struct op_message message;
    struct op_fault fault;
    size_t size = 0;

    ASSERT(!writer->failed);
    ASSERT(op_frame_size(whole, OP_FRAME_MAX, &size) && size == whole.size);
    ASSERT(op_message_read(bytes_of(whole.data + OP_FRAME_PREFIX, whole.size - OP_FRAME_PREFIX),
                           &message, &fault));
    return message;
}

/* ---- requests ---- */

static void try_request(struct bytes map, const char *method, const struct op_struct *envelope,
                        const struct op_struct *s)
{
    static struct op_envelope head, head_again;
    static union any value, again;
    struct op_fault fault = {.text = NULL};
    struct base_writer writer, second;
    struct op_message message;

    if (!op_map_read(map, envelope, &head, s, &value, &fault)) {
        check_fault(&fault);
        return;
    }
    check_oracle(map);
    base_writer_init(&writer, frame[0], sizeof frame[0]);
    op_request_write(&writer, 7, method, envelope == NULL ? NULL : &head, s, &value);
    message = parse(&writer);
    ASSERT(message.msgid == 7 && bytes_equal(message.method, bytes_of_text(method)));
    ASSERT(message.params.size == map.size); /* strict: only the order of keys was free */
    ASSERT(op_map_read(message.params, envelope, &head_again, s, &again, &fault));
    ASSERT(fill_same(s, &value, &again));
    ASSERT(envelope == NULL || fill_same(envelope, &head, &head_again));
    base_writer_init(&second, frame[1], sizeof frame[1]);
    op_request_write(&second, 7, method, envelope == NULL ? NULL : &head_again, s, &again);
    ASSERT(bytes_equal(base_written(&writer), base_written(&second)));
    check_stored(s, &value);
}

/* ---- responses ---- */

static bool read_response(const struct op_message *message, const struct op_struct *s,
                          struct op_reply_head *head, struct op_details *details, void *value)
{
    struct op_fault fault = {.text = NULL};

    if (op_response_read(message, head, details, s, value, &fault)) {
        return true;
    }
    check_fault(&fault);
    return false;
}

static void try_response(struct bytes map, bool error, const struct op_struct *s)
{
    static union any value, again;
    static struct op_details details, details_again;
    struct op_reply_head head, head_again;
    struct base_writer writer, second;
    struct op_message message = {.kind = OP_MESSAGE_RESPONSE,
                                 .error = error ? map : BYTES_NONE,
                                 .result = error ? BYTES_NONE : map};

    if (map.size == 0 || !read_response(&message, s, &head, &details, &value)) {
        return;
    }
    ASSERT((op_outcome_class(head.outcome) == OP_CLASS_DONE) == !error);
    base_writer_init(&writer, frame[0], sizeof frame[0]);
    op_response_write(&writer, 9, &head, &details, s, &value);
    message = parse(&writer);
    ASSERT(read_response(&message, s, &head_again, &details_again, &again));
    ASSERT(head.outcome == head_again.outcome && head.position == head_again.position);
    ASSERT(error || fill_same(s, &value, &again));
    ASSERT(!error || fill_same(&op_details_struct, &details, &details_again));
    base_writer_init(&second, frame[1], sizeof frame[1]);
    op_response_write(&second, 9, &head_again, &details_again, s, &again);
    ASSERT(bytes_equal(base_written(&writer), base_written(&second)));
}

/* ---- inputs ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t rows;
    const struct op_row *row = op_rows(&rows);
    struct bytes map = bytes_of(data + (size > 0), size - (size > 0));
    size_t which = size == 0 ? 0 : data[0];

    which %= 2 * rows + 1 + OTHERS + OTHER_REPLIES;
    if (which < rows) {
        try_request(map, row[which].method, &op_envelope_struct, row[which].request);
    } else if (which < 2 * rows) {
        try_response(map, false, row[which - rows].reply);
    } else if (which == 2 * rows) {
        try_response(map, true, row->reply);
    } else if (which <= 2 * rows + OTHERS) {
        try_request(map, "x", NULL, others[which - 2 * rows - 1]);
    } else {
        try_response(map, false, other_replies[which - 2 * rows - 1 - OTHERS]);
    }
    return 0;
}

/* A map of `s` as it travels, without what is around it. */
static void put_request(struct base_writer *writer, struct fill *fill,
                        const struct op_struct *envelope, const struct op_struct *s)
{
    static struct op_envelope head;
    static union any value;
    struct base_writer whole;

    fill_struct(fill, s, &value);
    memset(&head, 0, sizeof head);
    head.has_client = head.has_number = envelope != NULL;
    base_writer_init(&whole, frame[0], sizeof frame[0]);
    op_request_write(&whole, 1, "x", envelope == NULL ? NULL : &head, s, &value);
    base_write_bytes(writer, parse(&whole).params);
}

static void put_response(struct base_writer *writer, struct fill *fill, enum op_outcome outcome,
                         const struct op_struct *s)
{
    static union any value;
    struct op_reply_head head = {.outcome = outcome, .position = 300, .time = 1, .term = 3};
    struct base_writer whole;
    struct op_message message;

    fill_struct(fill, outcome == OP_OK ? s : &op_details_struct, &value);
    base_writer_init(&whole, frame[0], sizeof frame[0]);
    op_response_write(&whole, 1, &head, outcome == OP_OK ? NULL : &value.details,
                      outcome == OP_OK ? s : NULL, outcome == OP_OK ? &value : NULL);
    message = parse(&whole);
    base_write_bytes(writer, outcome == OP_OK ? message.result : message.error);
}

/* The header at `from`, one format wider than it has to be; nothing for one that has none wider. */
static void widen(struct base_writer *writer, const struct op_pack *pack, struct bytes from)
{
    uint8_t first = from.data[0];
    size_t content = pack->kind == OP_PACK_STR || pack->kind == OP_PACK_BIN ? pack->bytes.size : 0;

    if (first >= 0xa0 && first < 0xc0) {
        base_write_u8(writer, 0xd9);
        base_write_u8(writer, first & 31);
    } else if (first < 0x80 || first == 0xc4) {
        base_write_u8(writer, first == 0xc4 ? 0xc5 : 0xcc);
        base_write_u8(writer, first == 0xc4 ? 0 : first);
        base_write_bytes(writer, bytes_of(from.data + 1, first == 0xc4 ? 1 : 0));
    } else if (first < 0xa0) {
        base_write_u8(writer, first < 0x90 ? 0xde : 0xdc);
        base_write_u8(writer, 0);
        base_write_u8(writer, first & 15);
    } else {
        content = from.size;
    }
    base_write_bytes(writer, bytes_of(from.data + from.size - content, content));
}

/* A row's request in which the header number `which` is wider. False: it has fewer. */
static bool put_widened(struct base_writer *writer, struct fill *fill, const struct op_row *row,
                        size_t which)
{
    static uint8_t buffer[FUZZ_INPUT_MAX];
    struct base_writer plain;
    struct base_reader reader;
    bool found = false;

    base_writer_init(&plain, buffer, sizeof buffer);
    put_request(&plain, fill, &op_envelope_struct, row->request);
    base_reader_init(&reader, base_written(&plain));
    for (size_t i = 0; base_reader_left(&reader) > 0; i++) {
        const uint8_t *at = reader.at;
        const char *fault;
        struct op_pack pack;

        ASSERT(op_pack_read(&reader, &pack, &fault));
        if (i == which) {
            widen(writer, &pack, bytes_of(at, (size_t)(reader.at - at)));
            found = true;
        } else {
            base_write_bytes(writer, bytes_of(at, (size_t)(reader.at - at)));
        }
    }
    return found;
}

enum { HEADERS = 24 }; /* of a request that are widened, one at a time */

/* Each struct three times: the least of it, and twice something. Then the requests with one header
 * that is not the shortest. */
bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    static uint8_t memory[FILL_MEMORY];
    size_t rows;
    const struct op_row *row = op_rows(&rows);
    size_t kinds = 2 * rows + 1 + OTHERS + OTHER_REPLIES;
    size_t which = (size_t)n % kinds;
    struct fill fill = {.random = n, .memory = memory};

    if (n >= 3 * kinds + rows * HEADERS) {
        return false;
    }
    fill.mode = n < kinds ? FILL_LEAST : FILL_RANDOM;
    if (n >= 3 * kinds) {
        which = (size_t)(n - 3 * kinds) / HEADERS;
        fill.random = which;
        base_write_u8(writer, (uint8_t)which);
        (void)put_widened(writer, &fill, &row[which], (size_t)(n - 3 * kinds) % HEADERS);
        return true;
    }
    base_write_u8(writer, (uint8_t)which);
    if (which < rows) {
        put_request(writer, &fill, &op_envelope_struct, row[which].request);
    } else if (which < 2 * rows) {
        put_response(writer, &fill, OP_OK, row[which - rows].reply);
    } else if (which == 2 * rows) {
        put_response(writer, &fill, OP_FENCED, NULL);
    } else if (which <= 2 * rows + OTHERS) {
        put_request(writer, &fill, NULL, others[which - 2 * rows - 1]);
    } else {
        put_response(writer, &fill, OP_OK, other_replies[which - 2 * rows - 1 - OTHERS]);
    }
    return true;
}

/* Frames and messages taken apart, down to the raw bytes of their maps. Knows no field. */
#include "op/frame.h"

#include "op/pack.h"
#include "op/text.h"

enum { METHOD_MAX = 64 };

/* The containers that a request's map and a response's maps lie in. */
enum { REQUEST_MAP_DEPTH = 2, RESPONSE_MAP_DEPTH = 1 };

bool op_frame_size(struct bytes buffered, size_t frame_max, size_t *ret_size)
{
    uint64_t size = OP_FRAME_PREFIX;

    if (buffered.size < OP_FRAME_PREFIX) {
        *ret_size = 0;
        return true;
    }
    size += (uint64_t)buffered.data[0] << 24 | (uint64_t)buffered.data[1] << 16 |
            (uint64_t)buffered.data[2] << 8 | (uint64_t)buffered.data[3];
    if (size > frame_max) {
        return false;
    }
    *ret_size = (size_t)size;
    return true;
}

/* Reads one token that has to be of `kind`; `wrong` says what is wrong when it is not. */
static bool expect(struct base_reader *reader, enum op_pack_kind kind, const char *wrong,
                   struct op_pack *ret_pack, const char **ret_text)
{
    if (!op_pack_read(reader, ret_pack, ret_text)) {
        return false;
    }
    if (ret_pack->kind != kind) {
        *ret_text = wrong;
        return false;
    }
    return true;
}

/* The raw bytes of one map; or BYTES_NONE for nil, where that is allowed. */
static bool read_map(struct base_reader *reader, unsigned depth, bool nil_allowed,
                     struct bytes *ret_map, const char **ret_text)
{
    struct base_reader start = *reader;
    struct op_pack pack;

    if (!op_pack_read(reader, &pack, ret_text)) {
        return false;
    }
    if (pack.kind == OP_PACK_NIL && nil_allowed) {
        *ret_map = BYTES_NONE;
        return true;
    }
    if (pack.kind != OP_PACK_MAP) {
        *ret_text = "a map belongs where something else is";
        return false;
    }
    *reader = start;
    if (!op_pack_skip(reader, depth, ret_text)) {
        return false;
    }
    *ret_map = bytes_of(start.at, (size_t)(reader->at - start.at));
    return true;
}

static bool read_msgid(struct base_reader *reader, uint32_t *ret_msgid, const char **ret_text)
{
    struct op_pack pack;

    if (!expect(reader, OP_PACK_UNSIGNED, "the message id is not a number", &pack, ret_text)) {
        return false;
    }
    if (pack.number > UINT32_MAX) {
        *ret_text = "the message id has more than 32 bits";
        return false;
    }
    *ret_msgid = (uint32_t)pack.number;
    return true;
}

/* method, [params]: the rest of a request and of a notification. */
static bool read_call(struct base_reader *reader, struct op_message *message, const char **ret_text)
{
    static const char one_map[] = "the parameters are not a list of one map";
    struct op_pack pack;

    if (!expect(reader, OP_PACK_STR, "the method is not a text", &pack, ret_text)) {
        return false;
    }
    if (pack.bytes.size == 0 || pack.bytes.size > METHOD_MAX || !op_text_valid(pack.bytes)) {
        *ret_text = "the method is not a name";
        return false;
    }
    message->method = pack.bytes;
    if (!expect(reader, OP_PACK_ARRAY, one_map, &pack, ret_text)) {
        return false;
    }
    if (pack.number != 1) {
        *ret_text = one_map;
        return false;
    }
    return read_map(reader, REQUEST_MAP_DEPTH, false, &message->params, ret_text);
}

/* error, result: the rest of a response. */
static bool read_answer(struct base_reader *reader, struct op_message *message,
                        const char **ret_text)
{
    if (!read_map(reader, RESPONSE_MAP_DEPTH, true, &message->error, ret_text) ||
        !read_map(reader, RESPONSE_MAP_DEPTH, true, &message->result, ret_text)) {
        return false;
    }
    if ((message->error.size == 0) == (message->result.size == 0)) {
        *ret_text = "a response has an error or a result, and not both";
        return false;
    }
    return true;
}

/* `count` elements follow the message's own head; the first is its type. */
static bool read_message(struct base_reader *reader, uint64_t count, struct op_message *message,
                         const char **ret_text)
{
    static const char unknown[] = "not a request, a response or a notification";
    struct op_pack type;

    if (!expect(reader, OP_PACK_UNSIGNED, unknown, &type, ret_text)) {
        return false;
    }
    if (type.number == OP_MESSAGE_NOTIFICATION && count == 3) {
        message->kind = OP_MESSAGE_NOTIFICATION;
        return read_call(reader, message, ret_text);
    }
    if (type.number > OP_MESSAGE_RESPONSE || count != 4) {
        *ret_text = unknown;
        return false;
    }
    message->kind = type.number == OP_MESSAGE_REQUEST ? OP_MESSAGE_REQUEST : OP_MESSAGE_RESPONSE;
    if (!read_msgid(reader, &message->msgid, ret_text)) {
        return false;
    }
    return message->kind == OP_MESSAGE_REQUEST ? read_call(reader, message, ret_text)
                                               : read_answer(reader, message, ret_text);
}

bool op_message_read(struct bytes frame, struct op_message *ret_message, struct op_fault *ret_fault)
{
    struct op_message message = {.msgid = 0};
    struct base_reader reader;
    struct op_pack head;
    const char *text = NULL;
    bool good;

    base_reader_init(&reader, frame);
    good = expect(&reader, OP_PACK_ARRAY, "a message is not a list", &head, &text) &&
           read_message(&reader, head.number, &message, &text);
    if (good && !base_reader_finished(&reader)) {
        text = "bytes follow the message";
        good = false;
    }
    if (!good) {
        *ret_fault = (struct op_fault){.outcome = OP_PROTOCOL, .text = text};
        return false;
    }
    *ret_message = message;
    return true;
}

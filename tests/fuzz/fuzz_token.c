/* Tokens as text: what is accepted is the one spelling of what it says; the rest changes nothing.
 */
#include "op/token.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void try_kind(struct bytes text, enum op_token_kind kind)
{
    uint8_t buffer[OP_TOKEN_TEXT_MAX];
    struct op_token token, untouched;
    struct base_writer writer;

    memset(&token, 0xa5, sizeof token);
    untouched = token;
    if (!op_token_read(text, kind, &token)) {
        ASSERT(memcmp(&token, &untouched, sizeof token) == 0);
        return;
    }
    base_writer_init(&writer, buffer, sizeof buffer);
    op_token_write(&writer, kind, &token);
    ASSERT(bytes_equal(base_written(&writer), text));
    ASSERT(kind == OP_TOKEN_fence || (token.epoch == 0 && token.attempt == 0));
}

/* The checksum keeps nearly all changes out: the second try puts the right one behind the bytes. */
static void try_sealed(struct bytes raw, enum op_token_kind kind)
{
    uint8_t buffer[OP_TOKEN_TEXT_MAX];
    struct op_token token = {.epoch = 0};
    struct base_reader reader;
    struct base_writer writer;

    base_reader_init(&reader, raw);
    token.incarnation = base_read_id(&reader);
    token.id = base_read_id(&reader);
    token.epoch = kind == OP_TOKEN_fence ? base_read_u64(&reader) : 0;
    token.attempt = kind == OP_TOKEN_fence ? base_read_u64(&reader) : 0;
    for (size_t i = 0; i < sizeof token.secret; i++) {
        token.secret[i] = base_read_u8(&reader);
    }
    base_writer_init(&writer, buffer, sizeof buffer);
    op_token_write(&writer, kind, &token);
    ASSERT(!writer.failed);
    try_kind(base_written(&writer), kind);
    try_kind(base_written(&writer), kind == OP_TOKEN_fence ? OP_TOKEN_session : OP_TOKEN_fence);
    buffer[raw.size % (size_t)(writer.at - writer.start)] ^= 1;
    try_kind(base_written(&writer), kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_kind(bytes_of(data, size), OP_TOKEN_session);
    try_kind(bytes_of(data, size), OP_TOKEN_fence);
    try_sealed(bytes_of(data, size), OP_TOKEN_session);
    try_sealed(bytes_of(data, size), OP_TOKEN_fence);
    return 0;
}

bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    struct op_token token = {.epoch = n * 77777, .attempt = UINT64_MAX - n};

    memset(token.secret, (int)(n * 31), sizeof token.secret);
    memset(token.id.bytes, (int)(n * 7 + 1), sizeof token.id.bytes);
    op_token_write(writer, n % 2 == 0 ? OP_TOKEN_session : OP_TOKEN_fence, &token);
    if (n >= 8) { /* cut, long, and of the other prefix */
        writer->at -= n == 8 ? 1 : 0;
        base_write_bytes(writer, n == 9 ? bytes_of_text("A") : BYTES_NONE);
        writer->start[1] = n == 10 ? 'f' : writer->start[1];
    }
    return n < 11;
}

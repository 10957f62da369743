/* Tokens as text. Checks their shape; whether one is true is the FSM's to say. */
#include "op/token.h"

#include "base/assert.h"
#include "base/encode.h"
#include "base/hash.h"
#include "op/access.h"

#include <string.h>

enum { PREFIX_SIZE = 4, SECRET_SIZE = 32 };
enum { SESSION_SIZE = 16 + 16 + SECRET_SIZE + 4, FENCE_SIZE = SESSION_SIZE + 8 + 8 };

static size_t size_of(enum op_token_kind kind)
{
    switch (kind) {
    case OP_TOKEN_session:
        return SESSION_SIZE;
    case OP_TOKEN_fence:
        return FENCE_SIZE;
    }
    UNREACHABLE("a token's kind comes from the table");
}

static struct bytes prefix_of(enum op_token_kind kind)
{
    return bytes_of(kind == OP_TOKEN_session ? "tn1_" : "tf1_", PREFIX_SIZE);
}

static uint32_t checksum(enum op_token_kind kind, struct bytes data)
{
    return base_crc32c(base_crc32c(0, prefix_of(kind)), data);
}

bool op_token_read(struct bytes text, enum op_token_kind kind, struct op_token *ret_token)
{
    uint8_t raw[FENCE_SIZE];
    size_t size;
    struct base_reader reader;
    struct op_token token = {.epoch = 0};

    if (text.size < PREFIX_SIZE ||
        !bytes_equal(bytes_of(text.data, PREFIX_SIZE), prefix_of(kind)) ||
        !base64url_read(bytes_of(text.data + PREFIX_SIZE, text.size - PREFIX_SIZE), raw, sizeof raw,
                        &size) ||
        size != size_of(kind)) {
        return false;
    }
    base_reader_init(&reader, bytes_of(raw, size));
    token.incarnation = base_read_id(&reader);
    token.id = base_read_id(&reader);
    if (kind == OP_TOKEN_fence) {
        token.epoch = base_read_u64(&reader);
        token.attempt = base_read_u64(&reader);
    }
    memcpy(token.secret, base_read_bytes(&reader, SECRET_SIZE).data, SECRET_SIZE);
    if (base_read_u32(&reader) != checksum(kind, bytes_of(raw, size - 4))) {
        return false;
    }
    ASSERT(base_reader_finished(&reader));
    *ret_token = token;
    return true;
}

void op_token_write(struct base_writer *writer, enum op_token_kind kind,
                    const struct op_token *token)
{
    uint8_t raw[FENCE_SIZE];
    struct base_writer raw_writer;

    base_writer_init(&raw_writer, raw, size_of(kind));
    base_write_id(&raw_writer, token->incarnation);
    base_write_id(&raw_writer, token->id);
    if (kind == OP_TOKEN_fence) {
        base_write_u64(&raw_writer, token->epoch);
        base_write_u64(&raw_writer, token->attempt);
    }
    base_write_bytes(&raw_writer, bytes_of(token->secret, SECRET_SIZE));
    base_write_u32(&raw_writer, checksum(kind, base_written(&raw_writer)));
    base_write_bytes(writer, prefix_of(kind));
    base64url_write(writer, base_written(&raw_writer));
}

void op_token_verifier_input(const struct op_token *token, uint8_t ret_input[64])
{
    memcpy(ret_input, token->incarnation.bytes, 16);
    memcpy(ret_input + 16, token->id.bytes, 16);
    memcpy(ret_input + 32, token->secret, SECRET_SIZE);
}

static void visit_list(const struct op_field *field, void *value,
                       void (*visit)(void *arg, struct op_token *token), void *arg)
{
    uint32_t count = op_list_count(field, value);

    ASSERT(count <= field->bound);
    for (uint32_t i = 0; i < count; i++) {
        op_visit_tokens(field->item, op_item(field, value, i), visit, arg);
    }
}

void op_visit_tokens(const struct op_struct *s, void *value,
                     void (*visit)(void *arg, struct op_token *token), void *arg)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];

        if (!op_present(field, value)) {
            continue;
        }
        if (field->kind == OP_KIND_token) {
            visit(arg, op_member(value, field->offset));
        } else if (field->kind == OP_KIND_list) {
            visit_list(field, value, visit, arg);
        }
    }
}

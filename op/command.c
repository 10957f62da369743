/* Entries and commands as bytes of the log. Knows nothing of what a command does. */
#include "op/command.h"

#include "base/assert.h"
#include "op/denials.h"

#include <string.h>

/* Where the head's stamp lies: behind the version and the kind. */
enum { STAMP_AT = 2, HEAD_SIZE = 1 + 1 + 8 + 4 };
enum { MINTED_VERIFIER_SIZE = 32, DIGEST_SIZE = 16 };

void op_entry_begin(struct base_writer *writer)
{
    ASSERT(writer->at == writer->start);
    base_write_u8(writer, OP_ENTRY_VERSION);
    base_write_u8(writer, OP_ENTRY_COMMANDS);
    base_write_u64(writer, 0);
    base_write_u32(writer, 0);
}

void op_entry_finish(struct base_writer *writer, uint64_t stamp, uint32_t count)
{
    struct base_writer head;

    if (writer->failed) {
        return;
    }
    ASSERT((size_t)(writer->at - writer->start) >= HEAD_SIZE);
    base_writer_init(&head, writer->start + STAMP_AT, HEAD_SIZE - STAMP_AT);
    base_write_u64(&head, stamp);
    base_write_u32(&head, count);
    ASSERT(!head.failed);
}

/* Whether the number is that of an operation which is written to the log. */
static bool is_operation(uint32_t number)
{
    const struct op_row *row = op_row_of_number(number);

    return row != NULL && row->access != OP_READ;
}

/* Bytes behind the size prefix. */
static size_t size_of(const struct op_command *command)
{
    const struct op_caller *caller = &command->caller;

    if (command->number == OP_COMMAND_TICK) {
        return 4;
    }
    if (command->number == OP_COMMAND_TERM_START || command->number == OP_COMMAND_LEVEL) {
        return 4 + 8;
    }
    if (command->number == OP_COMMAND_REUSE) {
        return 4 + 16 + MINTED_VERIFIER_SIZE;
    }
    if (command->number == OP_COMMAND_DENIALS) {
        return 4 + (4 + command->body.size);
    }
    return 4 + (2 + caller->tenant.size) + (2 + caller->name.size) + 4 + 16 + /* caller */
           8 + 16 + 8 + 8 + 8 +                                               /* client, request */
           DIGEST_SIZE + DIGEST_SIZE + 16 + MINTED_VERIFIER_SIZE +            /* digests, minted */
           (4 + command->body.size);
}

size_t op_command_size(const struct op_command *command)
{
    return 4 + size_of(command);
}

static void write_operation(struct base_writer *writer, const struct op_command *command)
{
    base_write_short(writer, command->caller.tenant);
    base_write_short(writer, command->caller.name);
    base_write_u32(writer, command->caller.role);
    base_write_id(writer, command->caller.instance);
    base_write_u64(writer, command->client);
    base_write_id(writer, command->incarnation);
    base_write_u64(writer, command->request);
    base_write_u64(writer, command->attempt);
    base_write_u64(writer, command->lowest);
    base_write_bytes(writer, bytes_of(command->digest, DIGEST_SIZE));
    base_write_bytes(writer, bytes_of(command->operation_digest, DIGEST_SIZE));
    base_write_id(writer, command->minted_id);
    base_write_bytes(writer, bytes_of(command->minted_verifier, MINTED_VERIFIER_SIZE));
    base_write_long(writer, command->body);
}

void op_entry_add(struct base_writer *writer, const struct op_command *command)
{
    base_write_u32(writer, (uint32_t)size_of(command));
    base_write_u32(writer, command->number);
    if (command->number == OP_COMMAND_TERM_START) {
        base_write_u64(writer, command->term);
    } else if (command->number == OP_COMMAND_LEVEL) {
        base_write_u64(writer, command->level);
    } else if (command->number == OP_COMMAND_REUSE) {
        base_write_id(writer, command->minted_id);
        base_write_bytes(writer, bytes_of(command->minted_verifier, MINTED_VERIFIER_SIZE));
    } else if (command->number == OP_COMMAND_DENIALS) {
        base_write_long(writer, command->body);
    } else if (command->number != OP_COMMAND_TICK) {
        ASSERT(is_operation(command->number));
        ASSERT(command->caller.tenant.size <= OP_NAME_MAX);
        ASSERT(command->caller.name.size <= OP_NAME_MAX);
        ASSERT(command->body.size <= OP_COMMAND_BYTES_MAX);
        write_operation(writer, command);
    }
}

bool op_entry_read(struct base_reader *reader, struct op_entry_head *ret_head)
{
    uint8_t version = base_read_u8(reader);
    uint8_t kind = base_read_u8(reader);
    struct op_entry_head head = {.stamp = base_read_u64(reader)};

    head.count = base_read_u32(reader);
    if (reader->failed || version != OP_ENTRY_VERSION || kind != OP_ENTRY_COMMANDS) {
        return false;
    }
    *ret_head = head;
    return true;
}

static void read_array(struct base_reader *reader, uint8_t *ret_array, size_t size)
{
    struct bytes source = base_read_bytes(reader, size);

    if (source.data != NULL) {
        memcpy(ret_array, source.data, size);
    }
}

static bool role_valid(uint32_t role)
{
    return role == OP_ROLE_NONE || role == OP_ROLE_PEER || role == OP_ROLE_SERVICE ||
           role == OP_ROLE_OPERATOR;
}

static void read_operation(struct base_reader *reader, struct op_command *command)
{
    command->caller.tenant = base_read_short(reader, OP_NAME_MAX);
    command->caller.name = base_read_short(reader, OP_NAME_MAX);
    command->caller.role = base_read_u32(reader);
    command->caller.instance = base_read_id(reader);
    command->client = base_read_u64(reader);
    command->incarnation = base_read_id(reader);
    command->request = base_read_u64(reader);
    command->attempt = base_read_u64(reader);
    command->lowest = base_read_u64(reader);
    read_array(reader, command->digest, DIGEST_SIZE);
    read_array(reader, command->operation_digest, DIGEST_SIZE);
    command->minted_id = base_read_id(reader);
    read_array(reader, command->minted_verifier, MINTED_VERIFIER_SIZE);
    command->body = base_read_long(reader, OP_COMMAND_BYTES_MAX);
    if (!role_valid(command->caller.role)) {
        reader->failed = true;
    }
}

bool op_command_read(struct base_reader *reader, struct op_command *ret_command)
{
    struct op_command command = {.number = 0};
    struct base_reader inner;

    base_reader_init(&inner, base_read_long(reader, OP_COMMAND_BYTES_MAX));
    command.number = base_read_u32(&inner);
    if (command.number == OP_COMMAND_TERM_START) {
        command.term = base_read_u64(&inner);
    } else if (command.number == OP_COMMAND_LEVEL) {
        command.level = base_read_u64(&inner);
    } else if (command.number == OP_COMMAND_REUSE) {
        command.minted_id = base_read_id(&inner);
        read_array(&inner, command.minted_verifier, MINTED_VERIFIER_SIZE);
    } else if (command.number == OP_COMMAND_DENIALS) {
        command.body = base_read_long(&inner, OP_COMMAND_BYTES_MAX);
    } else if (command.number != OP_COMMAND_TICK) {
        if (!is_operation(command.number)) {
            return false;
        }
        read_operation(&inner, &command);
    }
    if (reader->failed || !base_reader_finished(&inner)) {
        return false;
    }
    *ret_command = command;
    return true;
}

static bool is_known(uint32_t number)
{
    return number == OP_COMMAND_TICK || number == OP_COMMAND_TERM_START ||
           number == OP_COMMAND_REUSE || number == OP_COMMAND_DENIALS ||
           number == OP_COMMAND_LEVEL || is_operation(number);
}

/* The content of one command, as far as it can be judged without applying it. */
static bool content_known(const struct op_command *command)
{
    const struct op_row *row = op_row_of_number(command->number);
    union op_request request;
    struct base_reader reader;
    struct op_denials denials;

    if (command->number == OP_COMMAND_DENIALS) {
        return op_denials_read(command->body, &denials);
    }
    base_reader_init(&reader, command->body);
    return row == NULL ||
           (op_load(&reader, row->request, &request) && base_reader_finished(&reader));
}

enum op_misfit op_entry_misfit(struct bytes entry, uint64_t level, uint32_t *ret_number)
{
    struct base_reader reader;
    struct op_entry_head head;

    base_reader_init(&reader, entry);
    *ret_number = 0;
    if (!op_entry_read(&reader, &head)) {
        bool later = entry.size > 0 && entry.data[0] != OP_ENTRY_VERSION;

        *ret_number = entry.size > 1 ? entry.data[later ? 0 : 1] : 0;
        return later ? OP_MISFIT_VERSION : OP_MISFIT_KIND;
    }
    while (base_reader_left(&reader) > 0) {
        struct base_reader ahead = reader;
        struct op_command command;

        (void)base_read_u32(&ahead); /* its size */
        *ret_number = base_read_u32(&ahead);
        if (!ahead.failed && !is_known(*ret_number)) {
            return OP_MISFIT_COMMAND;
        }
        if (!op_command_read(&reader, &command) || !content_known(&command)) {
            return OP_MISFIT_CONTENT;
        }
        if (command.number == OP_COMMAND_LEVEL && command.level > level) {
            *ret_number = command.level > UINT32_MAX ? UINT32_MAX : (uint32_t)command.level;
            return OP_MISFIT_LEVEL;
        }
    }
    *ret_number = 0;
    return OP_MISFIT_CONTENT;
}

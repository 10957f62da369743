/* Entries of the log: what is read is written as the very same bytes again, and so is each
 * command's stored body. The machine takes an entry whole or not at all: what it refuses leaves its
 * digest and position alone, what it takes survives a snapshot, and no entry ends the process.
 *
 * An input is a list of entries, each after its length (u32).
 */
#include "tests/fuzz/fuzz_machine.h"

enum { ENTRIES_MAX = 64 };

/* ---- the bytes ---- */

static void check_body(const struct op_command *command)
{
    static union op_request request;
    static uint8_t buffer[OP_COMMAND_BYTES_MAX + 1024];
    const struct op_row *row = op_row_of_number(command->number);
    struct base_reader reader;
    struct base_writer writer;

    if (row == NULL) {
        return; /* TICK, TERM_START */
    }
    base_reader_init(&reader, command->body);
    if (!op_load(&reader, row->request, &request) || !base_reader_finished(&reader)) {
        return;
    }
    base_writer_init(&writer, buffer, sizeof buffer);
    op_store(&writer, row->request, &request, OP_STORE_ALL);
    ASSERT(bytes_equal(base_written(&writer), command->body));
}

static void check_bytes(struct bytes entry)
{
    static uint8_t buffer[FUZZ_INPUT_MAX + 1024];
    struct op_entry_head head;
    struct base_reader reader;
    struct base_writer writer;
    uint32_t count = 0;

    base_reader_init(&reader, entry);
    if (!op_entry_read(&reader, &head)) {
        return;
    }
    base_writer_init(&writer, buffer, sizeof buffer);
    op_entry_begin(&writer);
    while (base_reader_left(&reader) > 0) {
        struct op_command command;

        if (!op_command_read(&reader, &command)) {
            return;
        }
        ASSERT(op_command_size(&command) <= entry.size);
        op_entry_add(&writer, &command);
        check_body(&command);
        count++;
    }
    op_entry_finish(&writer, head.stamp, head.count);
    ASSERT(count <= entry.size / 4);
    ASSERT(bytes_equal(base_written(&writer), entry));
}

/* ---- the machine ---- */

static void check_image(struct fsm *fsm)
{
    struct bytes image = fuzz_image(fsm);
    struct fsm *other = fuzz_machine(1);

    fsm_restore_begin(other);
    ASSERT(fsm_restore_feed(other, image) && fsm_restore_end(other));
    ASSERT(hash128_equal(fsm_digest(fsm), fsm_digest(other)));
    ASSERT(fsm_next_deadline(fsm) == fsm_next_deadline(other));
    ASSERT(fsm_sweep_due(fsm) == fsm_sweep_due(other));
}

static void count_reply(void *arg, uint32_t index, const struct fsm_reply *reply)
{
    uint32_t *count = arg;

    ASSERT(index == (*count)++ && reply->body.size <= FSM_REPLY_MAX);
}

static void apply(struct fsm *fsm, struct bytes entry)
{
    struct hash128 digest = fsm_digest(fsm);
    uint64_t position = fsm_position(fsm), time = fsm_time(fsm);
    uint32_t replies = 0;

    if (!fsm_apply(fsm, entry, count_reply, &replies)) {
        ASSERT(hash128_equal(digest, fsm_digest(fsm)) && replies == 0);
        ASSERT(position == fsm_position(fsm) && time == fsm_time(fsm));
        return;
    }
    ASSERT(replies > 0 && fsm_position(fsm) == position + replies && fsm_time(fsm) >= time);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fsm *fsm = fuzz_machine(0);
    struct base_reader reader;

    base_reader_init(&reader, bytes_of(data, size));
    for (int i = 0; i < ENTRIES_MAX && base_reader_left(&reader) >= 4; i++) {
        struct bytes entry = fuzz_take(&reader, base_read_u32(&reader));

        check_bytes(entry);
        apply(fsm, entry);
    }
    check_image(fsm);
    return 0;
}

bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    return fuzz_entries_seed(n, writer);
}

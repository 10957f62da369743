/* Law: an entry gives back the commands that were packed into it, and refuses damaged bytes. */
#include "op/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct op_command sample(void)
{
    struct op_command command = {
        .number = OP_session_create,
        .caller = {.tenant = bytes_of_text("acme"),
                   .name = bytes_of_text("service/web"),
                   .role = OP_ROLE_SERVICE,
                   .instance = {{1, 2, 3}}},
        .client = 5,
        .incarnation = {{4, 5, 6}},
        .request = 7,
        .attempt = 2,
        .lowest = 6,
        .minted_id = {{9}},
        .body = bytes_of_text("the body"),
    };

    memset(command.digest, 0xd1, sizeof command.digest);
    memset(command.operation_digest, 0xd2, sizeof command.operation_digest);
    memset(command.minted_verifier, 0xd3, sizeof command.minted_verifier);
    return command;
}

static struct bytes pack_three(uint8_t *buffer, size_t size)
{
    struct op_command client = sample();
    struct op_command tick = {.number = OP_COMMAND_TICK};
    struct op_command start = {.number = OP_COMMAND_TERM_START, .term = 12};
    struct base_writer writer;

    base_writer_init(&writer, buffer, size);
    op_entry_begin(&writer);
    op_entry_add(&writer, &start);
    op_entry_add(&writer, &client);
    op_entry_add(&writer, &tick);
    op_entry_finish(&writer, 1234567, 3);
    return base_written(&writer);
}

/* How many commands of the entry are read before the first bad one; whole: nothing is left over. */
static bool read_all(struct bytes entry, uint32_t *ret_count)
{
    struct base_reader reader;
    struct op_entry_head head;
    struct op_command command;

    base_reader_init(&reader, entry);
    *ret_count = 0;
    if (!op_entry_read(&reader, &head)) {
        return false;
    }
    for (; *ret_count < head.count; ++*ret_count) {
        if (!op_command_read(&reader, &command)) {
            return false;
        }
    }
    return base_reader_finished(&reader);
}

static void assert_same(const struct op_command *a, const struct op_command *b)
{
    assert_int_equal(a->number, b->number);
    assert_true(bytes_equal(a->caller.tenant, b->caller.tenant));
    assert_true(bytes_equal(a->caller.name, b->caller.name));
    assert_int_equal(a->caller.role, b->caller.role);
    assert_true(id128_equal(a->caller.instance, b->caller.instance));
    assert_true(a->client == b->client && a->request == b->request);
    assert_true(a->attempt == b->attempt && a->lowest == b->lowest);
    assert_true(id128_equal(a->incarnation, b->incarnation));
    assert_true(id128_equal(a->minted_id, b->minted_id));
    assert_memory_equal(a->digest, b->digest, sizeof a->digest);
    assert_memory_equal(a->operation_digest, b->operation_digest, sizeof a->operation_digest);
    assert_memory_equal(a->minted_verifier, b->minted_verifier, sizeof a->minted_verifier);
    assert_true(bytes_equal(a->body, b->body));
    assert_true(a->term == b->term);
}

static void an_entry_round_trips(void **state)
{
    uint8_t buffer[1024];
    struct bytes entry = pack_three(buffer, sizeof buffer);
    struct base_reader reader;
    struct op_entry_head head;
    struct op_command command;
    struct op_command client = sample();
    struct op_command tick = {.number = OP_COMMAND_TICK};
    struct op_command start = {.number = OP_COMMAND_TERM_START, .term = 12};

    (void)state;
    assert_int_equal(entry.size, 14 + op_command_size(&client) + op_command_size(&tick) +
                                     op_command_size(&start));
    assert_int_equal(entry.data[0], OP_ENTRY_VERSION);
    base_reader_init(&reader, entry);
    assert_true(op_entry_read(&reader, &head));
    assert_true(head.stamp == 1234567 && head.count == 3);
    assert_true(op_command_read(&reader, &command));
    assert_same(&command, &start);
    assert_true(op_command_read(&reader, &command));
    assert_same(&command, &client);
    assert_true(op_command_read(&reader, &command));
    assert_same(&command, &tick);
    assert_true(base_reader_finished(&reader));
}

static void every_truncation_is_refused(void **state)
{
    uint8_t buffer[1024];
    struct bytes entry = pack_three(buffer, sizeof buffer);
    uint32_t count;

    (void)state;
    assert_true(read_all(entry, &count));
    for (size_t size = 0; size < entry.size; size++) {
        uint8_t *copy = malloc(size + (size == 0));

        assert_non_null(copy);
        memcpy(copy, buffer, size);
        assert_false(read_all(bytes_of(copy, size), &count));
        free(copy);
    }
}

static void every_flip_is_survived(void **state)
{
    uint8_t buffer[1024];
    struct bytes entry = pack_three(buffer, sizeof buffer);
    uint32_t count;

    (void)state;
    for (size_t i = 0; i < entry.size; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            buffer[i] ^= (uint8_t)flip;
            (void)read_all(entry, &count);
            buffer[i] ^= (uint8_t)flip;
        }
    }
}

/* The byte at `at` becomes `value`: the entry is no longer one. */
static void refused_with(size_t at, uint8_t value)
{
    uint8_t buffer[1024];
    struct bytes entry = pack_three(buffer, sizeof buffer);
    uint32_t count;

    buffer[at] = value;
    assert_false(read_all(entry, &count));
}

static void what_is_not_an_entry_is_refused(void **state)
{
    enum { HEAD = 14, START = 16, CLIENT_NUMBER = HEAD + START + 4 };

    (void)state;
    refused_with(0, 2);                               /* another version */
    refused_with(1, 0);                               /* another kind */
    refused_with(HEAD, 11);                           /* a size too small */
    refused_with(HEAD, 13);                           /* a size too great */
    refused_with(HEAD + 3, 1);                        /* a size beyond every bound */
    refused_with(CLIENT_NUMBER, 0);                   /* no such operation */
    refused_with(CLIENT_NUMBER, OP_session_validate); /* a read is no command */
    refused_with(CLIENT_NUMBER + 4 + 1, 1);           /* a tenant of 260 bytes */
    refused_with(CLIENT_NUMBER + 4 + 6 + 2 + 11, 3);  /* two roles at once */
}

/* Its size says so and the bytes are there, but a TERM_START has no use for them. */
static void a_command_with_a_byte_too_many_is_refused(void **state)
{
    static const uint8_t start[] = {12, 0, 0, 0, 0xe9, 3, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t longer[] = {13, 0, 0, 0, 0xe9, 3, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0};
    struct base_reader reader;
    struct op_command command;

    (void)state;
    base_reader_init(&reader, bytes_of(start, sizeof start));
    assert_true(op_command_read(&reader, &command));
    assert_true(command.number == OP_COMMAND_TERM_START && command.term == 5);
    base_reader_init(&reader, bytes_of(longer, sizeof longer));
    assert_false(op_command_read(&reader, &command));
}

/* The first command's number is `number`; its size stays. */
static void misfits(size_t at, uint8_t value, enum op_misfit expected, uint32_t expected_number)
{
    uint8_t buffer[1024];
    struct bytes entry = pack_three(buffer, sizeof buffer);
    uint32_t number = 77;

    buffer[at] = value;
    assert_int_equal(op_entry_misfit(entry, OP_LEVEL, &number), expected);
    assert_int_equal(number, expected_number);
}

static void what_a_later_version_wrote_is_named(void **state)
{
    enum { HEAD = 14, START_NUMBER = HEAD + 4 };

    (void)state;
    misfits(0, 2, OP_MISFIT_VERSION, 2);
    misfits(1, 9, OP_MISFIT_KIND, 9);
    misfits(START_NUMBER, 0xff, OP_MISFIT_COMMAND, 0x3ff);
    misfits(HEAD, 13, OP_MISFIT_CONTENT, OP_COMMAND_TERM_START);
    misfits(HEAD, 12, OP_MISFIT_CONTENT, OP_session_create); /* "the body" is none */
}

static void a_short_buffer_fails_the_writer(void **state)
{
    uint8_t whole[1024];
    size_t needed = pack_three(whole, sizeof whole).size;

    (void)state;
    for (size_t size = 0; size < needed; size++) {
        uint8_t *buffer = malloc(size + (size == 0));

        assert_non_null(buffer);
        assert_int_equal(pack_three(buffer, size).size, 0);
        free(buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_round_trips),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flip_is_survived),
        cmocka_unit_test(what_is_not_an_entry_is_refused),
        cmocka_unit_test(a_command_with_a_byte_too_many_is_refused),
        cmocka_unit_test(what_a_later_version_wrote_is_named),
        cmocka_unit_test(a_short_buffer_fails_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Law: the frames that docs/PROTOCOL.md shows are the frames that the code writes and reads. */
#include "base/encode.h"
#include "op/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { FRAME_MAX = 1024, EXAMPLES = 5 };

struct example {
    uint8_t bytes[FRAME_MAX];
    size_t size;
};

/* The pairs of digits of one line. */
static void take_line(struct example *example, const char *line)
{
    for (; strlen(line) >= 2; line += strspn(line + 2, " \n") + 2) {
        assert_true(example->size < FRAME_MAX);
        assert_true(hex_read(bytes_of(line, 2), &example->bytes[example->size], 1));
        example->size++;
    }
}

/* The blocks between ```hex and ```, in the page's order. */
static size_t read_page(struct example *examples)
{
    FILE *page = fopen(PROTOCOL_PAGE, "r");
    char line[512];
    size_t count = 0;
    bool inside = false;

    assert_non_null(page);
    while (fgets(line, sizeof line, page) != NULL) {
        if (strcmp(line, "```hex\n") == 0) {
            assert_true(count < EXAMPLES);
            examples[count++].size = 0;
            inside = true;
        } else if (strcmp(line, "```\n") == 0) {
            inside = false;
        } else if (inside) {
            take_line(&examples[count - 1], line);
        }
    }
    (void)fclose(page);
    return count;
}

static void write_hello(struct base_writer *writer)
{
    struct op_hello_request hello = {.version = OP_PROTOCOL_VERSION,
                                     .has_software = true,
                                     .software = bytes_of_text("example 1.0")};

    for (uint8_t i = 0; i < 16; i++) {
        hello.instance.bytes[i] = i;
    }
    op_request_write(writer, 1, OP_METHOD_HELLO, NULL, &op_hello_request_struct, &hello);
}

static void write_revoke(struct base_writer *writer)
{
    const struct op_row *row = op_row_of_number(OP_revoke_user);
    struct op_revoke_user_request request = {.user = bytes_of_text("alice")};
    struct op_envelope envelope = {.has_client = true,
                                   .client = 41,
                                   .has_incarnation = true,
                                   .has_number = true,
                                   .number = 1,
                                   .has_attempt = true,
                                   .attempt = 1,
                                   .has_lowest = true,
                                   .lowest = 1};

    for (uint8_t i = 0; i < 16; i++) {
        envelope.incarnation.bytes[i] = (uint8_t)(0xa0 + i);
    }
    op_request_write(writer, 2, row->method, &envelope, row->request, &request);
}

static struct op_reply_head head_at(enum op_outcome outcome, uint64_t position)
{
    return (struct op_reply_head){.outcome = outcome,
                                  .position = position,
                                  .time = 1767225600000000ULL,
                                  .clock = 1767225600000000ULL,
                                  .term = 3};
}

static void write_revoked(struct base_writer *writer)
{
    struct op_reply_head head = head_at(OP_OK, 300);
    struct op_revoke_user_reply reply = {.watermark = 300};

    op_response_write(writer, 2, &head, NULL, op_row_of_number(OP_revoke_user)->reply, &reply);
}

static void write_fenced(struct base_writer *writer)
{
    struct op_reply_head head = head_at(OP_FENCED, 301);
    struct op_details details = {.has_failed = true,
                                 .failed = 1U << 4,
                                 .has_headline = true,
                                 .headline = 4,
                                 .has_task_epoch = true,
                                 .task_epoch = 17,
                                 .has_session_epoch = true,
                                 .session_epoch = 23};

    op_response_write(writer, 3, &head, &details, NULL, NULL);
}

static void write_cancel(struct base_writer *writer)
{
    op_notification_write(writer, OP_METHOD_CANCEL, 2);
}

static void the_page_shows_what_is_written(void **state)
{
    static void (*const writes[EXAMPLES])(struct base_writer *writer) = {
        write_hello, write_revoke, write_revoked, write_fenced, write_cancel};
    static struct example examples[EXAMPLES];

    (void)state;
    assert_int_equal(read_page(examples), EXAMPLES);
    for (size_t i = 0; i < EXAMPLES; i++) {
        uint8_t buffer[FRAME_MAX];
        struct base_writer writer;
        struct op_message message;
        struct op_fault fault;
        struct bytes shown = bytes_of(examples[i].bytes, examples[i].size);

        base_writer_init(&writer, buffer, sizeof buffer);
        writes[i](&writer);
        if (!bytes_equal(base_written(&writer), shown)) {
            fail_msg("example %zu of docs/PROTOCOL.md is not what is written", i + 1);
        }
        shown = bytes_of(shown.data + OP_FRAME_PREFIX, shown.size - OP_FRAME_PREFIX);
        assert_true(op_message_read(shown, &message, &fault));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_shows_what_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

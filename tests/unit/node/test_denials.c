/* Gathering denials: by (certificate, user), bounded, and one command every 100 ms (docs/MODEL.md
 * section 4). */
#include "node/denials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct op_caller caller_of(const char *tenant, const char *name)
{
    return (struct op_caller){
        .tenant = bytes_of_text(tenant), .name = bytes_of_text(name), .role = OP_ROLE_SERVICE};
}

static void deny(struct node_denials *denials, const char *tenant, const char *name,
                 const char *user, uint8_t id)
{
    union op_request request = {.session_validate = {.user = bytes_of_text(user)}};
    struct op_caller caller = caller_of(tenant, name);

    request.session_validate.token.id.bytes[0] = id;
    node_denials_note(denials, &caller, op_row_of_number(OP_session_validate), &request);
}

/* What the next command says. */
static void send(struct node_denials *denials, uint64_t now, struct op_denials *ret_sent)
{
    static uint8_t buffer[OP_ENTRY_BYTES_MAX];
    struct base_writer writer;
    struct base_reader reader;
    struct op_entry_head head;
    struct op_command command;

    base_writer_init(&writer, buffer, sizeof buffer);
    op_entry_begin(&writer);
    node_denials_add(denials, &writer);
    op_entry_finish(&writer, 1, 1);
    node_denials_sent(denials, now);
    base_reader_init(&reader, base_written(&writer));
    assert_true(op_entry_read(&reader, &head));
    assert_true(op_command_read(&reader, &command));
    assert_int_equal(command.number, OP_COMMAND_DENIALS);
    assert_true(op_denials_read(command.body, ret_sent));
}

static struct node_denials *create(void)
{
    struct node_denials *denials = calloc(1, sizeof(*denials));

    assert_non_null(denials);
    return denials;
}

static void test_one_row_for_each_caller(void **state)
{
    struct node_denials *denials = create();
    struct op_denials sent;
    struct op_denial row;

    (void)state;
    for (uint8_t i = 1; i <= 3; i++) {
        deny(denials, "acme", "service/app", "mallory", i);
    }
    deny(denials, "acme", "service/app", "bob", 9);
    deny(denials, "acme", "service/other", "mallory", 9);
    deny(denials, "acmeservice", "/app", "mallory", 9); /* the same bytes, other names */
    send(denials, 1, &sent);
    assert_int_equal(sent.count, 4);
    assert_true(op_denials_next(&sent, &row));
    assert_int_equal(row.count, 3);
    assert_int_equal(row.object.bytes[0], 3); /* what was asked about last */
    free(denials);
}

static void test_one_command_every_100_ms(void **state)
{
    struct node_denials *denials = create();
    struct op_denials sent;

    (void)state;
    assert_int_equal(node_denials_delay(denials, 1000), OP_INFINITE);
    deny(denials, "acme", "service/app", "mallory", 1);
    assert_int_equal(node_denials_delay(denials, 1000), 0);
    send(denials, 1000, &sent);
    assert_int_equal(node_denials_delay(denials, 1000), OP_INFINITE);
    deny(denials, "acme", "service/app", "mallory", 1);
    assert_int_equal(node_denials_delay(denials, 1000), DENIALS_SPACING_US);
    assert_int_equal(node_denials_delay(denials, 100999), 1);
    assert_int_equal(node_denials_delay(denials, 101000), 0);
    node_denials_clear(denials);
    assert_int_equal(node_denials_delay(denials, 101000), OP_INFINITE);
    free(denials);
}

static void test_rows_are_bounded(void **state)
{
    struct node_denials *denials = create();
    struct op_denials sent;
    char user[16];

    (void)state;
    for (unsigned i = 0; i < OP_DENIALS_MAX + 10; i++) {
        (void)snprintf(user, sizeof user, "user-%u", i);
        deny(denials, "acme", "service/app", user, 1);
    }
    deny(denials, "acme", "service/app", "user-0", 1);
    send(denials, 1, &sent);
    assert_int_equal(sent.count, OP_DENIALS_MAX);
    assert_int_equal(sent.overflow, 10);
    deny(denials, "acme", "service/app", "user-300", 1);
    send(denials, 2, &sent);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.overflow, 0);
    free(denials);
}

static void test_what_was_asked_about(void **state)
{
    struct node_denials *denials = create();
    struct op_caller caller = caller_of("acme", "service/app");
    union op_request request;
    struct op_denials sent;
    struct op_denial row;

    (void)state;
    memset(&request, 0, sizeof request);
    request.task_claim.user = bytes_of_text("bob");
    request.task_claim.task.bytes[0] = 5;
    node_denials_note(denials, &caller, op_row_of_number(OP_task_claim), &request);
    memset(&request, 0, sizeof request);
    request.state_put.user = bytes_of_text("carol");
    request.state_put.has_fence = true;
    request.state_put.fence.id.bytes[0] = 6;
    node_denials_note(denials, &caller, op_row_of_number(OP_state_put), &request);
    send(denials, 1, &sent);
    assert_true(op_denials_next(&sent, &row));
    assert_int_equal(row.object.bytes[0], 5);
    assert_true(op_denials_next(&sent, &row));
    assert_int_equal(row.object.bytes[0], 6);
    free(denials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_row_for_each_caller),
        cmocka_unit_test(test_one_command_every_100_ms),
        cmocka_unit_test(test_rows_are_bounded),
        cmocka_unit_test(test_what_was_asked_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

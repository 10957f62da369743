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

/* In these tests what begins with 200 or more belongs to others. */
static bool foreign(void *arg, const struct op_caller *caller, struct bytes user,
                    struct id128 object)
{
    (void)arg;
    (void)caller;
    (void)user;
    return object.bytes[0] >= 200;
}

static void deny(struct node_denials *denials, const char *tenant, const char *name,
                 const char *user, uint8_t id)
{
    union op_request request = {.session_validate = {.user = bytes_of_text(user)}};
    struct op_caller caller = caller_of(tenant, name);

    request.session_validate.token.id.bytes[0] = id;
    node_denials_note(denials, &caller, op_row_of_number(OP_session_validate), &request, foreign,
                      NULL);
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
    assert_int_equal(node_denials_delay(denials, 900), 0); /* the clock of the machine went back */
    node_denials_clear(denials);
    assert_int_equal(node_denials_delay(denials, 101000), OP_INFINITE);
    free(denials);
}

static void test_rows_are_bounded(void **state)
{
    struct node_denials *denials = create();
    struct op_denials sent;
    char user[16], name[16];

    (void)state;
    for (unsigned i = 0; i < OP_DENIALS_MAX + 10; i++) {
        (void)snprintf(user, sizeof user, "user-%u", i);
        (void)snprintf(name, sizeof name, "service/%u", i / DENIALS_SHARE);
        deny(denials, "acme", name, user, 1);
    }
    deny(denials, "acme", "service/0", "user-0", 1);
    send(denials, 1, &sent);
    assert_int_equal(sent.count, OP_DENIALS_MAX);
    assert_int_equal(sent.overflow, 10);
    deny(denials, "acme", "service/app", "user-300", 1);
    send(denials, 2, &sent);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.overflow, 0);
    free(denials);
}

/* One certificate that makes up users leaves room for the others. */
static void test_a_certificate_has_its_share(void **state)
{
    struct node_denials *denials = create();
    struct op_denials sent;
    char user[16];

    (void)state;
    for (unsigned i = 0; i < OP_DENIALS_MAX + 10; i++) {
        (void)snprintf(user, sizeof user, "user-%u", i);
        deny(denials, "acme", "service/app", user, 1);
    }
    deny(denials, "acme", "service/other", "bob", 1);
    deny(denials, "umbrella", "service/app", "bob", 1);
    send(denials, 1, &sent);
    assert_int_equal(sent.count, DENIALS_SHARE + 2);
    assert_int_equal(sent.overflow, OP_DENIALS_MAX + 10 - DENIALS_SHARE);
    free(denials);
}

/* First byte of what this request is noted for. */
static uint8_t noted(enum op_number number, union op_request *request)
{
    struct node_denials *denials = create();
    struct op_caller caller = caller_of("acme", "service/app");
    struct op_denials sent;
    struct op_denial row;

    node_denials_note(denials, &caller, op_row_of_number(number), request, foreign, NULL);
    send(denials, 1, &sent);
    assert_true(op_denials_next(&sent, &row));
    free(denials);
    return row.object.bytes[0];
}

static void test_what_was_asked_about(void **state)
{
    union op_request claim = {.task_claim = {.task.bytes = {5}}};
    union op_request put = {.state_put = {.has_fence = true, .fence.id.bytes = {6}}};
    union op_request adopt = {.task_adopt = {.token.id.bytes = {7}, .task.bytes = {8}}};

    (void)state;
    assert_int_equal(noted(OP_task_claim, &claim), 5);
    assert_int_equal(noted(OP_state_put, &put), 6);
    assert_int_equal(noted(OP_task_adopt, &adopt), 8); /* what is named, not what is shown */
}

/* The caller shows a token of his own, and asks about what is another's. */
static void test_what_is_foreign(void **state)
{
    union op_request adopt = {.task_adopt = {.token.id.bytes = {7}, .task.bytes = {201}}};
    union op_request stolen = {.task_adopt = {.token.id.bytes = {202}, .task.bytes = {8}}};
    union op_request put = {
        .state_put = {
            .has_fence = true, .fence.id.bytes = {6}, .has_session = true, .session.bytes = {203}}};
    union op_request check = {
        .fence_check = {.fence.id.bytes = {6}, .has_session = true, .session.bytes = {204}}};
    union op_request child = {.session_create = {.has_parent = true, .parent.id.bytes = {205}}};
    union op_request begin = {
        .task_begin = {
            .has_token = true, .token.id.bytes = {7}, .has_targets = true, .targets_count = 2}};

    (void)state;
    begin.task_begin.targets[0].token.id.bytes[0] = 8;
    begin.task_begin.targets[1].token.id.bytes[0] = 208;
    assert_int_equal(noted(OP_task_adopt, &adopt), 201);
    assert_int_equal(noted(OP_task_adopt, &stolen), 202);
    assert_int_equal(noted(OP_state_put, &put), 203);
    assert_int_equal(noted(OP_fence_check, &check), 204);
    assert_int_equal(noted(OP_session_create, &child), 205);
    assert_int_equal(noted(OP_task_begin, &begin), 208);
    begin.task_begin.targets[1].token.id.bytes[0] = 9;
    assert_int_equal(noted(OP_task_begin, &begin), 0); /* one of them there is not */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_row_for_each_caller),
        cmocka_unit_test(test_one_command_every_100_ms),
        cmocka_unit_test(test_rows_are_bounded),
        cmocka_unit_test(test_a_certificate_has_its_share),
        cmocka_unit_test(test_what_was_asked_about),
        cmocka_unit_test(test_what_is_foreign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Arguments become requests by the op table: each field of each row arrives in op's struct as it
 * was given, through the public struct and the library's own conversion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client-lib/cli/cli.h"
#include "op/token.h"

union any_request {
#define MEMBER_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)            \
    struct tenure_##name##_request name;
    OP_TABLE(MEMBER_)
#undef MEMBER_
};

static const char id_sample[] = "000102030405060708090a0b0c0d0e0f";

static const char *token_sample(struct cli_memory *memory, size_t kind)
{
    struct op_token token = {.epoch = kind == OP_TOKEN_fence ? 7 : 0};
    struct base_writer writer;
    char *text = cli_take(memory, OP_TOKEN_TEXT_MAX + 1);
    memset(token.id.bytes, 5, sizeof(token.id.bytes));
    base_writer_init(&writer, text, OP_TOKEN_TEXT_MAX);
    op_token_write(&writer, (enum op_token_kind)kind, &token);
    return text;
}

static const char *enum_sample(const struct op_enum *e)
{
    return e->texts[e->count - 1];
}

static const char *sample_of(struct cli_memory *memory, const struct op_field *field)
{
    switch (field->kind) {
    case OP_KIND_u64:
        return "1234567890123";
    case OP_KIND_time_us:
        return "1m30s";
    case OP_KIND_boolean:
        return "true";
    case OP_KIND_enumeration:
        return enum_sample(field->enumeration);
    case OP_KIND_id:
        return id_sample;
    case OP_KIND_blob:
        return "hex:00ff";
    case OP_KIND_text:
        return "some.text";
    case OP_KIND_token:
        return token_sample(memory, field->bound);
    case OP_KIND_list:
        break;
    }
    char *item = cli_take(memory, 512);
    for (size_t i = 0; i < field->item->field_count; i++) {
        size_t used = strlen(item);
        snprintf(item + used, 512 - used, "%s%s", i == 0 ? "" : "=",
                 sample_of(memory, &field->item->fields[i]));
    }
    return item;
}

static void check_struct(const struct op_struct *s, const uint8_t *value);

static void check_field(const struct op_field *field, const uint8_t *at)
{
    uint64_t number;
    uint32_t small;
    struct bytes view;
    struct op_token token;
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        memcpy(&number, at, sizeof(number));
        assert_true(number == (field->kind == OP_KIND_u64 ? 1234567890123 : 90000000));
        return;
    case OP_KIND_boolean:
        assert_true(*(const bool *)at);
        return;
    case OP_KIND_enumeration:
        memcpy(&small, at, sizeof(small));
        assert_int_equal(small, field->enumeration->count - 1);
        return;
    case OP_KIND_id:
        assert_int_equal(at[15], 15);
        return;
    case OP_KIND_blob:
        memcpy(&view, at, sizeof(view));
        assert_int_equal(view.size, 2);
        assert_memory_equal(view.data, "\0\xff", 2);
        return;
    case OP_KIND_text:
        memcpy(&view, at, sizeof(view));
        assert_true(bytes_equal(view, bytes_of_text("some.text")));
        return;
    case OP_KIND_token:
        memcpy(&token, at, sizeof(token));
        assert_int_equal(token.id.bytes[3], 5);
        assert_int_equal(token.epoch, field->bound == OP_TOKEN_fence ? 7 : 0);
        return;
    case OP_KIND_list:
        break;
    }
}

static void check_struct(const struct op_struct *s, const uint8_t *value)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        assert_true(*(const bool *)(value + field->has_offset));
        check_field(field, value + field->offset);
        if (field->kind == OP_KIND_list) {
            uint32_t count;
            memcpy(&count, value + field->count_offset, sizeof(count));
            assert_int_equal(count, 2);
            check_struct(field->item, value + field->offset);
            check_struct(field->item, value + field->offset + field->item->size);
        }
    }
}

static void fill_row(const struct cli_command *command)
{
    struct tenure_method method = tenure_method_of(command->row->number);
    struct cli_memory memory = {NULL};
    struct cli_error error = {""};
    union any_request *request = cli_take(&memory, sizeof(*request));
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        struct cli_given given = {option, sample_of(&memory, option->field)};
        for (int times = option->repeatable ? 2 : 1; times > 0; times--) {
            if (!cli_fill(&memory, method.request, method.request_map, request, &given, &error)) {
                fail_msg("%s --%s: %s", command->words, option->name, error.text);
            }
        }
    }
    const char *wrong = NULL;
    uint8_t *copy = tenure_request_copy(&method, request, &wrong);
    assert_non_null(copy);
    check_struct(method.request, copy);
    free(copy);
    cli_memory_done(&memory);
}

static void every_field_of_every_row_arrives(void **state)
{
    struct cli_table table;
    size_t rows = 0;
    (void)state;
    cli_table_init(&table);
    for (size_t i = 0; i < table.count; i++) {
        if (table.commands[i].row != NULL) {
            fill_row(&table.commands[i]);
            rows++;
        }
    }
    assert_true(rows >= 12);
    cli_table_done(&table);
}

/* What stays unset must not look given. */
static void what_is_not_given_is_absent(void **state)
{
    struct tenure_method method = tenure_method_of(OP_session_create);
    struct tenure_session_create_request request;
    struct cli_memory memory = {NULL};
    struct cli_error error;
    const struct op_field *field = &method.request->fields[4];
    struct cli_option option = {.name = "grants", .field = field};
    struct cli_given given = {&option, "tool:run"};
    (void)state;
    memset(&request, 0, sizeof(request));
    assert_string_equal(field->name, "grants");
    assert_true(cli_fill(&memory, method.request, method.request_map, &request, &given, &error));
    assert_int_equal(request.grants_count, 1);
    assert_false(request.grants[0].has_ttl);
    assert_false(request.has_metadata);
    given.text = "tool:run=2s";
    assert_true(cli_fill(&memory, method.request, method.request_map, &request, &given, &error));
    assert_int_equal(request.grants_count, 2);
    assert_true(request.grants[1].has_ttl);
    assert_true(request.grants[1].ttl == 2000000);
    cli_memory_done(&memory);
}

static void too_many_items_are_refused(void **state)
{
    struct tenure_method method = tenure_method_of(OP_session_create);
    struct tenure_session_create_request request;
    struct cli_memory memory = {NULL};
    struct cli_error error;
    struct cli_option option = {.name = "grants", .field = &method.request->fields[4]};
    struct cli_given given = {&option, "a"};
    (void)state;
    memset(&request, 0, sizeof(request));
    for (size_t i = 0; i < option.field->bound; i++) {
        assert_true(
            cli_fill(&memory, method.request, method.request_map, &request, &given, &error));
    }
    assert_false(cli_fill(&memory, method.request, method.request_map, &request, &given, &error));
    assert_non_null(strstr(error.text, "at most 64"));
    cli_memory_done(&memory);
}

static void refuse(enum op_number number, const char *name, const char *text, const char *says)
{
    struct tenure_method method = tenure_method_of(number);
    struct cli_memory memory = {NULL};
    struct cli_error error = {""};
    union any_request *request = cli_take(&memory, sizeof(*request));
    for (size_t i = 0; i < method.request->field_count; i++) {
        if (strcmp(method.request->fields[i].name, name) == 0) {
            struct cli_option option = {.field = &method.request->fields[i]};
            snprintf(option.name, sizeof(option.name), "%s", name);
            struct cli_given given = {&option, text};
            assert_false(
                cli_fill(&memory, method.request, method.request_map, request, &given, &error));
        }
    }
    if (strstr(error.text, says) == NULL) {
        fail_msg("--%s %s: \"%s\" does not say \"%s\"", name, text, error.text, says);
    }
    assert_null(strchr(error.text, '\n'));
    cli_memory_done(&memory);
}

static void wrong_values_are_refused(void **state)
{
    char long_key[300];
    (void)state;
    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    refuse(OP_session_create, "idle", "30", "a duration");
    refuse(OP_session_create, "user", "", "not empty");
    refuse(OP_session_create, "user", "a\tb", "without control characters");
    refuse(OP_session_create, "user", "\xff", "UTF-8");
    refuse(OP_session_create, "grants", "a=2", "a duration");
    refuse(OP_task_begin, "scope", "world", "one of the names");
    refuse(OP_task_claim, "task", "12", "32 hexadecimal digits");
    refuse(OP_state_put, "operation", "-1", "a number");
    refuse(OP_state_put, "key", long_key, "at most 256");
    refuse(OP_state_put, "value", "hex:1", "hexadecimal");
    refuse(OP_session_end, "token", "tn1_short", "begins with tn1_");
    refuse(OP_task_claim, "fence", "tn1_short", "begins with tf1_");
}

/* A secret must not come back in an error that lands in a log. */
static void a_wrong_token_is_not_repeated(void **state)
{
    struct tenure_method method = tenure_method_of(OP_session_end);
    struct tenure_session_end_request request;
    struct cli_memory memory = {NULL};
    struct cli_error error = {""};
    struct cli_option option = {.name = "token", .field = &method.request->fields[1]};
    struct cli_given given = {&option, "tn1_almostRight"};
    (void)state;
    assert_false(cli_fill(&memory, method.request, method.request_map, &request, &given, &error));
    assert_null(strstr(error.text, "almostRight"));
    cli_memory_done(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_every_row_arrives),
        cmocka_unit_test(what_is_not_given_is_absent),
        cmocka_unit_test(too_many_items_are_refused),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(a_wrong_token_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

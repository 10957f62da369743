/* What tenurectl prints: all of a reply in both forms, refusals in one line, exit codes by class.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "client-lib/cli/cli.h"

union any_reply {
#define MEMBER_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)            \
    struct tenure_##name##_reply name;
    OP_TABLE(MEMBER_)
#undef MEMBER_
};

/* Both streams of one printer, in memory. */
struct printed {
    struct cli_printer printer;
    char *out;
    char *err;
    size_t out_size;
    size_t err_size;
};

static void begin(struct printed *printed, enum cli_output output)
{
    *printed = (struct printed){.out = NULL};
    printed->printer = (struct cli_printer){output,
                                            open_memstream(&printed->out, &printed->out_size),
                                            open_memstream(&printed->err, &printed->err_size)};
}

static void end(struct printed *printed)
{
    fclose(printed->printer.out);
    fclose(printed->printer.err);
}

static void release(struct printed *printed)
{
    free(printed->out);
    free(printed->err);
}

enum { ITEMS = 2 };

static void set_field(const struct op_field *field, const struct tenure_field_map *map,
                      uint8_t *value);

/* Two items, all of whose fields are set; of one list at a time. */
static void set_list(const struct op_field *field, const struct tenure_field_map *map,
                     uint8_t *value)
{
    static max_align_t memory[512];
    const uint8_t *items = (const uint8_t *)memory;
    uint32_t count = ITEMS;
    assert_true(ITEMS * map->item_size <= sizeof(memory));
    memset(memory, 0, sizeof(memory));
    for (size_t k = 0; k < ITEMS; k++) {
        for (size_t i = 0; i < field->item->field_count; i++) {
            set_field(&field->item->fields[i], &map->item[i],
                      (uint8_t *)memory + k * map->item_size);
        }
    }
    memcpy(value + map->count_offset, &count, sizeof(count));
    memcpy(value + map->offset, &items, sizeof(items));
}

static void set_field(const struct op_field *field, const struct tenure_field_map *map,
                      uint8_t *value)
{
    static const uint8_t bytes[] = {'a', '"', 'b', 0xff};
    struct tenure_bytes view = {bytes, field->kind == OP_KIND_blob ? 4 : 3};
    uint64_t number = 90000000;
    uint32_t small = 1;
    struct tenure_id id;
    memset(&id, 0xab, sizeof(id));
    if (map->has_offset != SIZE_MAX) {
        *(bool *)(value + map->has_offset) = true;
    }
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        memcpy(value + map->offset, &number, sizeof(number));
        return;
    case OP_KIND_boolean:
        *(bool *)(value + map->offset) = true;
        return;
    case OP_KIND_enumeration:
        memcpy(value + map->offset, &small, sizeof(small));
        return;
    case OP_KIND_id:
        memcpy(value + map->offset, &id, sizeof(id));
        return;
    case OP_KIND_blob:
    case OP_KIND_text:
    case OP_KIND_token:
        memcpy(value + map->offset, &view, sizeof(view));
        return;
    case OP_KIND_list:
        set_list(field, map, value);
        return;
    }
}

static void check_json_field(const json_t *object, const struct op_field *field);

static void check_json_list(const json_t *list, const struct op_struct *s)
{
    assert_true(json_is_array(list));
    assert_int_equal(json_array_size(list), ITEMS);
    for (size_t k = 0; k < ITEMS; k++) {
        const json_t *item = json_array_get(list, k);
        assert_int_equal(json_object_size(item), s->field_count);
        for (size_t i = 0; i < s->field_count; i++) {
            check_json_field(item, &s->fields[i]);
        }
    }
}

static void check_json_field(const json_t *object, const struct op_field *field)
{
    const json_t *value = json_object_get(object, field->name);
    assert_non_null(value);
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        assert_int_equal(json_integer_value(value), 90000000);
        return;
    case OP_KIND_boolean:
        assert_true(json_is_true(value));
        return;
    case OP_KIND_id:
        assert_string_equal(json_string_value(value), "abababababababababababababababab");
        return;
    case OP_KIND_blob:
        assert_string_equal(json_string_value(value), "hex:612262ff");
        return;
    case OP_KIND_text:
    case OP_KIND_token:
        assert_string_equal(json_string_value(value), "a\"b");
        return;
    case OP_KIND_enumeration:
        assert_true(json_is_string(value));
        return;
    case OP_KIND_list:
        check_json_list(value, field->item);
        return;
    }
}

static const struct tenure_result result_sample = {.outcome = TENURE_OK,
                                                   .position = 17,
                                                   .time = 1795330069041592,
                                                   .clock = 5,
                                                   .term = 3,
                                                   .attempts = 1};

static void check_row(enum op_number number)
{
    struct tenure_method method = tenure_method_of(number);
    union any_reply reply;
    struct printed printed;
    json_error_t error;
    memset(&reply, 0, sizeof(reply));
    for (size_t i = 0; i < method.reply->field_count; i++) {
        set_field(&method.reply->fields[i], &method.reply_map[i], (uint8_t *)&reply);
    }
    begin(&printed, CLI_JSON);
    cli_print_reply(&printed.printer, &method, &reply, &result_sample);
    end(&printed);
    json_t *object = json_loads(printed.out, JSON_REJECT_DUPLICATES, &error);
    assert_true(json_is_object(object));
    assert_int_equal(json_object_size(object), method.reply->field_count + 6);
    for (size_t i = 0; i < method.reply->field_count; i++) {
        check_json_field(object, &method.reply->fields[i]);
    }
    assert_int_equal(json_integer_value(json_object_get(object, "position")), 17);
    assert_int_equal(json_integer_value(json_object_get(object, "T")), 1795330069041592);
    assert_int_equal(json_integer_value(json_object_get(object, "clock")), 5);
    assert_int_equal(json_integer_value(json_object_get(object, "term")), 3);
    assert_string_equal(json_string_value(json_object_get(object, "outcome")), "OK");
    assert_int_equal(printed.err_size, 0);
    json_decref(object);
    release(&printed);
}

static void json_has_every_field_of_every_reply(void **state)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        check_row(rows[i].number);
    }
}

static void a_table_shows_times_and_the_position(void **state)
{
    struct tenure_method method = tenure_method_of(OP_session_end);
    struct tenure_session_end_reply reply = {.lifetime = 1500000};
    struct printed printed;
    (void)state;
    begin(&printed, CLI_TABLE);
    cli_print_reply(&printed.printer, &method, &reply, &result_sample);
    end(&printed);
    assert_string_equal(printed.out,
                        "session    00000000000000000000000000000000\n"
                        "lifetime   1s500ms (1500000 us)\n"
                        "position   17\n"
                        "T          2026-11-22T06:47:49.041592Z (1795330069041592 us)\n"
                        "clock      1970-01-01T00:00:00.000005Z (5 us)\n"
                        "term       3\n");
    release(&printed);
}

static void a_table_shows_a_list_line_by_line(void **state)
{
    static const struct tenure_listed_grant grants[] = {
        {.permission = {(const uint8_t *)"mail:send", 9}, .given = 3},
        {.permission = {(const uint8_t *)"b", 1}, .given = 12, .has_left = true, .left = 5000000}};
    struct tenure_method method = tenure_method_of(OP_grant_list);
    struct tenure_grant_list_reply reply = {.grants_count = 2, .grants = grants};
    struct printed printed;
    (void)state;
    begin(&printed, CLI_TABLE);
    cli_print_reply(&printed.printer, &method, &reply, &result_sample);
    end(&printed);
    assert_non_null(strstr(printed.out, "session    00000000000000000000000000000000\n"
                                        "grants     2\n"
                                        "  permission  given  left\n"
                                        "  mail:send   3      -\n"
                                        "  b           12     5s (5000000 us)\n"
                                        "position   17\n"));
    release(&printed);
    reply = (struct tenure_grant_list_reply){.grants_count = 0};
    begin(&printed, CLI_TABLE);
    cli_print_reply(&printed.printer, &method, &reply, &result_sample);
    end(&printed);
    assert_non_null(strstr(printed.out, "grants     0\nposition   17\n"));
    release(&printed);
}

static const struct tenure_result fenced = {
    .outcome = TENURE_FENCED,
    .message = "the fence refuses this task here",
    .details = {.has_failed = true,
                .failed = 1 << 4,
                .has_headline = true,
                .headline = 4,
                .has_task_epoch = true,
                .task_epoch = 17,
                .has_session_epoch = true,
                .session_epoch = 23},
};

static void a_fence_names_its_rule_and_both_epochs(void **state)
{
    struct tenure_result result = fenced;
    char line[256];
    (void)state;
    cli_refusal_line(&result, line, sizeof(line));
    assert_string_equal(line, "FENCED W4: task epoch 17, session epoch 23");
    result.details.failed |= 1 << 7;
    cli_refusal_line(&result, line, sizeof(line));
    assert_string_equal(line, "FENCED W4: task epoch 17, session epoch 23, failed W4 W7");
}

static void details_follow_the_message(void **state)
{
    struct tenure_result result = {.outcome = TENURE_DENIED,
                                   .message = "the permission is not held"};
    char line[256];
    (void)state;
    cli_refusal_line(&result, line, sizeof(line));
    assert_string_equal(line, "DENIED: the permission is not held");
    result.details.has_required = true;
    result.details.required = tenure_text("tool:run");
    result.details.has_hint = true;
    result.details.hint = 10000;
    cli_refusal_line(&result, line, sizeof(line));
    assert_string_equal(line, "DENIED: the permission is not held: hint 10ms (10000 us), "
                              "required tool:run");
}

static void a_refusal_is_one_line_on_standard_error(void **state)
{
    struct printed printed;
    json_error_t error;
    (void)state;
    begin(&printed, CLI_TABLE);
    cli_print_refusal(&printed.printer, &fenced);
    end(&printed);
    assert_string_equal(printed.err, "tenurectl: FENCED W4: task epoch 17, session epoch 23; "
                                     "this task may not act there any more: begin another, or "
                                     "claim it anew\n");
    assert_int_equal(printed.out_size, 0);
    release(&printed);
    begin(&printed, CLI_JSON);
    cli_print_refusal(&printed.printer, &fenced);
    end(&printed);
    assert_int_equal(printed.out_size, 0);
    assert_ptr_equal(strchr(printed.err, '\n'), printed.err + printed.err_size - 1);
    json_t *object = json_loads(printed.err, JSON_REJECT_DUPLICATES, &error);
    assert_string_equal(json_string_value(json_object_get(object, "outcome")), "FENCED");
    assert_string_equal(json_string_value(json_object_get(object, "class")), "REFUSED");
    const json_t *details = json_object_get(object, "details");
    assert_int_equal(json_integer_value(json_object_get(details, "task_epoch")), 17);
    json_decref(object);
    release(&printed);
}

/* A message that was cut within a character must not take the rest with it. */
static void json_is_whole_whatever_the_message(void **state)
{
    struct tenure_result result = {.outcome = TENURE_DENIED, .message = "cut \xc3"};
    struct printed printed;
    json_error_t error;
    (void)state;
    begin(&printed, CLI_JSON);
    cli_print_refusal(&printed.printer, &result);
    end(&printed);
    json_t *object = json_loads(printed.err, JSON_REJECT_DUPLICATES, &error);
    assert_true(json_is_string(json_object_get(object, "message")));
    json_decref(object);
    release(&printed);
}

/* So that nobody stands before an answer and knows no further. */
static void every_outcome_has_advice_and_an_exit_code(void **state)
{
    static const struct {
        enum tenure_outcome outcome;
        const char *class;
    } outcomes[] = {
#define OUTCOME_(number, NAME, CLASS, message) {(enum tenure_outcome)number, #CLASS},
        OP_OUTCOMES(OUTCOME_)
#undef OUTCOME_
    };
    static const char *const classes[] = {[CLI_DONE] = "DONE",
                                          [CLI_REFUSED] = "REFUSED",
                                          [CLI_RETRIES] = "RETRY",
                                          [CLI_UNCERTAIN] = "UNKNOWN"};
    (void)state;
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        assert_true(strlen(cli_advice(outcomes[i].outcome)) > 10);
        assert_string_equal(classes[cli_exit_of(outcomes[i].outcome)], outcomes[i].class);
    }
}

static void exit_codes_follow_the_class(void **state)
{
    (void)state;
    assert_int_equal(cli_exit_of(TENURE_OK), 0);
    assert_int_equal(cli_exit_of(TENURE_NOT_FOUND), 3);
    assert_int_equal(cli_exit_of(TENURE_FENCED), 3);
    assert_int_equal(cli_exit_of(TENURE_UNREACHABLE), 4);
    assert_int_equal(cli_exit_of(TENURE_NO_TIME), 4);
    assert_int_equal(cli_exit_of(TENURE_TIMED_OUT), 5);
    assert_int_equal(cli_exit_of(TENURE_FORGOTTEN), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_every_field_of_every_reply),
        cmocka_unit_test(a_table_shows_times_and_the_position),
        cmocka_unit_test(a_table_shows_a_list_line_by_line),
        cmocka_unit_test(a_fence_names_its_rule_and_both_epochs),
        cmocka_unit_test(details_follow_the_message),
        cmocka_unit_test(a_refusal_is_one_line_on_standard_error),
        cmocka_unit_test(json_is_whole_whatever_the_message),
        cmocka_unit_test(every_outcome_has_advice_and_an_exit_code),
        cmocka_unit_test(exit_codes_follow_the_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

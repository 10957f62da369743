/* Law: numbers, tags, names, methods are unique; no field hides a key that is reserved. */
#include "op/command.h"
#include "op/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const struct op_field *find(const struct op_struct *s, const char *name)
{
    for (size_t i = 0; i < s->field_count; i++) {
        if (strcmp(s->fields[i].name, name) == 0) {
            return &s->fields[i];
        }
    }
    return NULL;
}

static void check_struct(const struct op_struct *s);

static void check_field(const struct op_struct *s, const struct op_field *field)
{
    bool sized = field->kind == OP_KIND_blob || field->kind == OP_KIND_text;

    assert_true(field->tag >= 1 && field->tag <= 63);
    assert_true(find(s, field->name) == field); /* names are unique */
    assert_true(field->offset < s->size && field->has_offset < s->size);
    assert_true(!sized || field->bound > 0);
    assert_true((field->kind == OP_KIND_enumeration) == (field->enumeration != NULL));
    assert_true((field->kind == OP_KIND_list) == (field->item != NULL));
    assert_true(strlen(field->help) > 0);
    if (field->item != NULL) {
        assert_true(field->bound > 0 && field->count_offset < s->size);
        check_struct(field->item);
    }
}

static void check_struct(const struct op_struct *s)
{
    for (size_t i = 0; i < s->field_count; i++) {
        assert_true(i == 0 || s->fields[i - 1].tag < s->fields[i].tag);
        check_field(s, &s->fields[i]);
    }
}

static void assert_disjoint(const struct op_struct *a, const struct op_struct *b)
{
    for (size_t i = 0; i < a->field_count; i++) {
        if (find(b, a->fields[i].name) != NULL) {
            fail_msg("%s and %s both have %s", a->name, b->name, a->fields[i].name);
        }
    }
}

static void every_struct_is_well_formed(void **state)
{
    static const struct op_struct *const others[] = {
        &op_envelope_struct,     &op_details_struct,        &op_hello_request_struct,
        &op_hello_reply_struct,  &op_status_request_struct, &op_status_reply_struct,
        &op_time_request_struct, &op_time_reply_struct,     &op_result_head_struct,
        &op_error_head_struct,   &op_cancel_struct,
    };
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        check_struct(others[i]);
    }
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        check_struct(rows[i].request);
        check_struct(rows[i].reply);
    }
}

static void no_field_hides_a_reserved_key(void **state)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_disjoint(rows[i].request, &op_envelope_struct);
        assert_disjoint(rows[i].reply, &op_error_head_struct);
        assert_null(find(rows[i].reply, OP_KEY_DETAILS));
    }
    assert_disjoint(&op_hello_request_struct, &op_envelope_struct);
    assert_disjoint(&op_status_request_struct, &op_envelope_struct);
    assert_disjoint(&op_time_request_struct, &op_envelope_struct);
}

static void rows_are_unique_and_found(void **state)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct op_row *row = &rows[i];

        assert_true(row->number > 0 && (unsigned)row->number < OP_COMMAND_TICK);
        assert_true(op_row_of_number((uint64_t)row->number) == row);
        assert_true(op_row_of_method(bytes_of_text(row->method)) == row);
        assert_true(row->roles != 0 && strlen(row->help) > 0);
        assert_true(strlen(row->needs) == 0 || op_permission_valid(bytes_of_text(row->needs)));
        assert_true(row->access != OP_READ || row->idempotency == OP_FREE);
        if (row->access == OP_EITHER) {
            const struct op_field *written = find(row->reply, "written");

            assert_non_null(written);
            assert_true(written->kind == OP_KIND_boolean && written->required);
            assert_true(row->idempotency == OP_NUMBERED && op_minted_token(row) == NULL);
        }
    }
    assert_null(op_row_of_number(0));
    assert_null(op_row_of_number(OP_COMMAND_TICK));
    assert_null(op_row_of_number(UINT64_MAX));
    assert_null(op_row_of_method(bytes_of_text("session_create")));
    assert_null(op_row_of_method(BYTES_NONE));
}

/* A method is its row's name with the first underscore turned into a dot, and nothing else. */
static void methods_follow_their_names(void **state)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const char *bar = strchr(rows[i].name, '_');
        size_t at;

        assert_non_null(bar);
        at = (size_t)(bar - rows[i].name);
        assert_true(at > 0);
        assert_int_equal(strlen(rows[i].method), strlen(rows[i].name));
        assert_memory_equal(rows[i].method, rows[i].name, at);
        assert_int_equal(rows[i].method[at], '.');
        assert_string_equal(rows[i].method + at + 1, rows[i].name + at + 1);
    }
    assert_string_equal(op_row_of_number(OP_session_create)->method, "session.create");
}

static void outcomes_have_names_and_classes(void **state)
{
    size_t known = 0;

    (void)state;
    for (uint64_t number = 0; number < 1000; number++) {
        enum op_outcome outcome;

        if (!op_outcome_of(number, &outcome)) {
            continue;
        }
        known++;
        assert_true((uint64_t)outcome == number);
        assert_true(strlen(op_outcome_name(outcome)) > 0);
        assert_true(strlen(op_outcome_message(outcome)) > 0);
        assert_true((op_outcome_class(outcome) == OP_CLASS_DONE) == (outcome == OP_OK));
    }
#define COUNT_(number, NAME, CLASS, message) +1
    assert_int_equal(known, 0 OP_OUTCOMES(COUNT_));
#undef COUNT_
    assert_string_equal(op_outcome_name(OP_FENCED), "FENCED");
    assert_int_equal(op_outcome_class(OP_FORGOTTEN), OP_CLASS_UNKNOWN);
    assert_int_equal(op_outcome_class(OP_SWEEPING), OP_CLASS_RETRY);
    assert_string_equal(op_class_name(OP_CLASS_REFUSED), "REFUSED");
}

static void enumerations_translate_both_ways(void **state)
{
    const struct op_enum *e = find(&op_details_struct, "cause")->enumeration;
    uint32_t number = 99;

    (void)state;
    assert_string_equal(op_enum_text(e, OP_END_CAUSE_LOGOUT), "logout");
    assert_null(op_enum_text(e, 0));
    assert_null(op_enum_text(e, UINT32_MAX));
    for (uint32_t i = 1; i < e->count; i++) {
        assert_true(op_enum_number(e, bytes_of_text(op_enum_text(e, i)), &number));
        assert_int_equal(number, i);
    }
    assert_false(op_enum_number(e, bytes_of_text("LOGOUT"), &number));
    assert_false(op_enum_number(e, BYTES_NONE, &number));
    assert_string_equal(op_cause_text(OP_END_CAUSE_REVOKED), "revoked");
}

static void limits_hold_their_bounds(void **state)
{
    struct op_limits limits;

    (void)state;
    op_limits_init(&limits);
    assert_null(op_limits_check(&limits));
    assert_true(limits.sessions_max == 1000000);
    assert_true(op_limits_set(&limits, bytes_of_text("sessions_max"), 16));
    assert_true(limits.sessions_max == 16);
    assert_false(op_limits_set(&limits, bytes_of_text("sessions_max"), 15));
    assert_false(op_limits_set(&limits, bytes_of_text("session_max"), 16));
    assert_true(limits.sessions_max == 16);
    limits.lease_min_us = 0;
    assert_string_equal(op_limits_check(&limits), "lease_min_us");
}

static void limits_have_a_stored_form(void **state)
{
    uint8_t buffer[1024];
    struct op_limits limits;
    struct op_limits again;
    struct base_writer writer;
    struct base_reader reader;
    struct bytes whole;

    (void)state;
    op_limits_init(&limits);
    limits.tenants_max = 7;
    base_writer_init(&writer, buffer, sizeof buffer);
    op_limits_write(&writer, &limits);
    whole = base_written(&writer);
    base_reader_init(&reader, whole);
    assert_true(op_limits_read(&reader, &again) && base_reader_finished(&reader));
    assert_memory_equal(&limits, &again, sizeof limits);
    for (size_t size = 0; size < whole.size; size++) {
        base_reader_init(&reader, bytes_of(buffer, size));
        assert_false(op_limits_read(&reader, &again));
    }
}

static bool reads_limits(const uint8_t *source, size_t size)
{
    struct base_reader reader;
    struct op_limits limits;

    base_reader_init(&reader, bytes_of(source, size));
    return op_limits_read(&reader, &limits) && base_reader_finished(&reader);
}

static void limits_refuse_what_is_not_theirs(void **state)
{
    static const uint8_t none[] = {0, 0};
    static const uint8_t good[] = {1, 0, 6, 0, 7, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t unknown[] = {1, 0, 99, 0, 7, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t out[] = {1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t twice[] = {2, 0, 6, 0, 7, 0, 0, 0, 0, 0, 0,
                                    0, 6, 0, 8, 0, 0, 0, 0, 0, 0, 0};

    (void)state;
    assert_true(reads_limits(none, sizeof none));
    assert_true(reads_limits(good, sizeof good));
    assert_false(reads_limits(unknown, sizeof unknown));
    assert_false(reads_limits(out, sizeof out));
    assert_false(reads_limits(twice, sizeof twice));
}

static void permissions_have_one_alphabet(void **state)
{
    char longest[66];

    (void)state;
    memset(longest, 'a', 65);
    longest[65] = '\0';
    assert_true(op_permission_valid(bytes_of_text("state:write")));
    assert_true(op_permission_valid(bytes_of_text("a-z_0.9:")));
    assert_true(op_permission_valid(bytes_of(longest, 64)));
    assert_false(op_permission_valid(bytes_of(longest, 65)));
    assert_false(op_permission_valid(BYTES_NONE));
    assert_false(op_permission_valid(bytes_of_text("State:write")));
    assert_false(op_permission_valid(bytes_of_text("state write")));
    assert_false(op_permission_valid(bytes_of_text("state*")));
    assert_false(op_permission_valid(bytes_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_struct_is_well_formed),
        cmocka_unit_test(no_field_hides_a_reserved_key),
        cmocka_unit_test(rows_are_unique_and_found),
        cmocka_unit_test(methods_follow_their_names),
        cmocka_unit_test(outcomes_have_names_and_classes),
        cmocka_unit_test(enumerations_translate_both_ways),
        cmocka_unit_test(limits_hold_their_bounds),
        cmocka_unit_test(limits_have_a_stored_form),
        cmocka_unit_test(limits_refuse_what_is_not_theirs),
        cmocka_unit_test(permissions_have_one_alphabet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

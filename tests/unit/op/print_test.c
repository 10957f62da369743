/* Law: op-print's JSON is JSON, and says of each operation what the table says. */
#include "op/op.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Says what is wrong; 1 counts it. */
static int wrong(const char *name, const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", name, what);
    return 1;
}

static int check_text(const char *name, const json_t *object, const char *key, const char *text)
{
    const char *found = json_string_value(json_object_get(object, key));

    return found != NULL && strcmp(found, text) == 0 ? 0 : wrong(name, key);
}

static int check_fields(const char *name, const json_t *fields, const struct op_struct *s)
{
    int faults = 0;

    if (!json_is_array(fields) || json_array_size(fields) != s->field_count) {
        return wrong(name, "other fields");
    }
    for (size_t i = 0; i < s->field_count; i++) {
        const json_t *field = json_array_get(fields, i);

        faults += check_text(name, field, "name", s->fields[i].name);
        faults += check_text(name, field, "help", s->fields[i].help);
        if (json_is_true(json_object_get(field, "required")) != s->fields[i].required) {
            faults += wrong(name, "required");
        }
        if (s->fields[i].item != NULL) {
            faults += check_fields(name, json_object_get(field, "fields"), s->fields[i].item);
        }
    }
    return faults;
}

static int check_row(const json_t *row, const struct op_row *expected)
{
    int faults = 0;

    if (json_integer_value(json_object_get(row, "number")) != (json_int_t)expected->number) {
        faults += wrong(expected->name, "number");
    }
    faults += check_text(expected->name, row, "name", expected->name);
    faults += check_text(expected->name, row, "method", expected->method);
    faults += check_text(expected->name, row, "needs", expected->needs);
    faults += check_fields(expected->name, json_object_get(row, "request"), expected->request);
    faults += check_fields(expected->name, json_object_get(row, "reply"), expected->reply);
    return faults;
}

static int check_tables(const json_t *root)
{
    static const char *const tables[] = {"operations", "structs", "enumerations", "outcomes",
                                         "limits"};
    const json_t *operations = json_object_get(root, "operations");
    size_t count;
    const struct op_row *rows = op_rows(&count);
    int faults = 0;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const json_t *table = json_object_get(root, tables[i]);

        if (json_array_size(table) + json_object_size(table) == 0) {
            faults += wrong(tables[i], "is empty");
        }
    }
    if (json_array_size(operations) != count) {
        return wrong("operations", "another count");
    }
    for (size_t i = 0; i < count; i++) {
        faults += check_row(json_array_get(operations, i), &rows[i]);
    }
    return faults;
}

int main(void)
{
    json_error_t error;
    json_t *root = json_loadf(stdin, JSON_REJECT_DUPLICATES, &error);
    int faults;

    if (root == NULL) {
        (void)fprintf(stderr, "line %d: %s\n", error.line, error.text);
        return 1;
    }
    faults = check_tables(root);
    json_decref(root);
    return faults == 0 ? 0 : 1;
}

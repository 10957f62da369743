/* Writes tenure.h: the template, with what the op table says at its marks. Runs at build time.
 *
 * Usage: tenure-header TEMPLATE VERSION > tenure.h
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op/frame.h"
#include "op/op.h"

enum { COLUMNS_MAX = 100 };

static void print_outcomes(void)
{
    puts("enum tenure_outcome {");
#define OUTCOME_(number, NAME, CLASS, message)                                                     \
    printf("    TENURE_%s = %d, /* %s: %s */\n", #NAME, number, #CLASS, message);
    OP_OUTCOMES(OUTCOME_)
#undef OUTCOME_
    puts("};");
}

static void print_enums(void)
{
#define VALUE_(E, number, NAME, text) printf("    TENURE_%s_%s = %d,\n", #E, #NAME, number);
#define ENUM_(name, E, VALUES)                                                                     \
    printf("enum tenure_%s {\n", #name);                                                           \
    VALUES(VALUE_, E)                                                                              \
    puts("};\n");
    OP_ENUMS(ENUM_)
#undef ENUM_
#undef VALUE_
    puts("/* \"logout\"; NULL for a number that is no cause. */\n"
         "TENURE_API const char *tenure_end_cause_text(uint32_t cause);");
}

/* Columns of UTF-8 text. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

/* The comment stands behind the member, or above it when the line would be too wide. */
static void print_commented(const char *member, const char *comment)
{
    bool fits = strlen("     /*  */") + width_of(member) + width_of(comment) <= COLUMNS_MAX;
    if (fits) {
        printf("    %s /* %s */\n", member, comment);
    } else {
        printf("    /* %s */\n    %s\n", comment, member);
    }
}

static void name_member(const struct op_field *field, bool is_reply, char *ret_member, size_t size)
{
    const char *name = field->name;
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        snprintf(ret_member, size, "uint64_t %s;", name);
        return;
    case OP_KIND_boolean:
        snprintf(ret_member, size, "bool %s;", name);
        return;
    case OP_KIND_enumeration:
        snprintf(ret_member, size, "uint32_t %s;", name);
        return;
    case OP_KIND_id:
        snprintf(ret_member, size, "struct tenure_id %s;", name);
        return;
    case OP_KIND_blob:
    case OP_KIND_text:
    case OP_KIND_token:
        snprintf(ret_member, size, "struct tenure_bytes %s;", name);
        return;
    case OP_KIND_list:
        if (is_reply) {
            snprintf(ret_member, size, "const struct tenure_%s *%s;", field->item->name, name);
        } else {
            snprintf(ret_member, size, "struct tenure_%s %s[%zu];", field->item->name, name,
                     field->bound);
        }
        return;
    }
}

static void print_member(const struct op_field *field, bool is_reply)
{
    char member[COLUMNS_MAX];
    char comment[2 * COLUMNS_MAX];
    name_member(field, is_reply, member, sizeof(member));
    if (field->kind == OP_KIND_list) {
        printf("    uint32_t %s_count;\n", field->name);
    }
    snprintf(comment, sizeof(comment), "%s%s%s%s", field->kind == OP_KIND_time_us ? "µs: " : "",
             field->kind == OP_KIND_enumeration ? "enum tenure_" : "",
             field->kind == OP_KIND_enumeration ? field->enumeration->name : "",
             field->kind == OP_KIND_enumeration ? ": " : "");
    size_t used = strlen(comment);
    snprintf(comment + used, sizeof(comment) - used, "%s", field->help);
    print_commented(member, comment);
}

static void print_members(const struct op_struct *s, bool is_reply)
{
    for (size_t i = 0; i < s->field_count; i++) {
        if (!s->fields[i].required) {
            printf("    bool has_%s;\n", s->fields[i].name);
        }
        print_member(&s->fields[i], is_reply);
    }
    if (s->field_count == 0) {
        puts("    bool nothing; /* this operation has no fields here */");
    }
}

static void print_struct(const char *name, const char *suffix, const struct op_struct *s)
{
    printf("struct tenure_%s%s {\n", name, suffix);
    print_members(s, strcmp(suffix, "_reply") == 0);
    puts("};\n");
}

static const struct op_struct *item_in(const struct op_struct *s, const char *name)
{
    const struct op_struct *item = NULL;
    for (size_t i = 0; i < s->field_count && item == NULL; i++) {
        bool of_name = s->fields[i].item != NULL && strcmp(s->fields[i].item->name, name) == 0;
        item = of_name ? s->fields[i].item : NULL;
    }
    return item;
}

/* Of the first row that has a list of it. */
static const struct op_struct *item_named(const char *name)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);
    const struct op_struct *item = NULL;
    for (size_t i = 0; i < count && item == NULL; i++) {
        item = item_in(rows[i].request, name);
        item = item == NULL ? item_in(rows[i].reply, name) : item;
    }
    if (item == NULL) {
        fprintf(stderr, "tenure-header: no list has items of %s\n", name);
        exit(EXIT_FAILURE);
    }
    return item;
}

/* Each once, before all that use it. */
static void print_items(void)
{
#define ITEM_(name, FIELDS, max) print_struct(#name, "", item_named(#name));
    OP_ITEMS(ITEM_)
#undef ITEM_
}

/* What it does, who may ask for it, what it needs. */
static void print_comment(const struct op_row *row)
{
    bool service = (row->roles & OP_ROLE_SERVICE) != 0;
    bool operator_too = (row->roles & OP_ROLE_OPERATOR) != 0;
    printf("/* %s.\n * A %s, for %s%s%s.", row->help, op_access_text(row->access),
           service ? "services" : "", service && operator_too ? " and " : "",
           operator_too ? "operators" : "");
    if (row->needs[0] != '\0') {
        printf(" The session or task has to hold the permission %s.", row->needs);
    }
    puts(" */");
}

static void print_functions(const struct op_row *row)
{
    const char *name = row->name;
    printf("typedef void (*tenure_%s_cb)(\n"
           "    void *arg, const struct tenure_result *result,\n"
           "    const struct tenure_%s_reply *reply);\n",
           name, name);
    print_comment(row);
    printf("TENURE_API enum tenure_outcome tenure_%s(\n"
           "    struct tenure_client *client, const struct tenure_%s_request *request,\n"
           "    struct tenure_%s_reply *ret_reply, struct tenure_result *ret_result);\n",
           name, name, name);
    printf("/* The same, and returns at once: the callback tells the end. */\n"
           "TENURE_API tenure_call tenure_%s_start(\n"
           "    struct tenure_client *client, const struct tenure_%s_request *request,\n"
           "    tenure_%s_cb callback, void *arg);\n\n",
           name, name, name);
}

static void print_operations(void)
{
    print_items();
    size_t count;
    const struct op_row *rows = op_rows(&count);
    for (size_t i = 0; i < count; i++) {
        printf("/* ---- %s: %s ---- */\n\n", rows[i].method, rows[i].help);
        print_struct(rows[i].name, "_request", rows[i].request);
        print_struct(rows[i].name, "_reply", rows[i].reply);
        print_functions(&rows[i]);
    }
}

static void print_status(void)
{
    print_struct("node_status", "_request", &op_status_request_struct);
    print_struct("node_status", "_reply", &op_status_reply_struct);
    print_struct("cluster_time", "_request", &op_time_request_struct);
    print_struct("cluster_time", "_reply", &op_time_reply_struct);
    print_struct("snapshot_take", "_request", &op_snapshot_take_request_struct);
    print_struct("snapshot_take", "_reply", &op_snapshot_take_reply_struct);
    print_struct("snapshot_read", "_request", &op_snapshot_read_request_struct);
    print_struct("snapshot_read", "_reply", &op_snapshot_read_reply_struct);
}

static void print_details(void)
{
    puts("/* Why something was refused; only what applies is there. */");
    print_struct("details", "", &op_details_struct);
}

static const struct {
    const char *mark;
    void (*print)(void);
} marks[] = {{"/*@OUTCOMES@*/", print_outcomes},
             {"/*@ENUMS@*/", print_enums},
             {"/*@DETAILS@*/", print_details},
             {"/*@STATUS@*/", print_status},
             {"/*@OPERATIONS@*/", print_operations}};

static void print_line(const char *line, const char *version)
{
    static const char version_mark[] = "@PROJECT_VERSION@";
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strncmp(line, marks[i].mark, strlen(marks[i].mark)) == 0) {
            marks[i].print();
            return;
        }
    }
    const char *at = strstr(line, version_mark);
    if (at == NULL) {
        fputs(line, stdout);
        return;
    }
    printf("%.*s%s%s", (int)(at - line), line, version, at + strlen(version_mark));
}

int main(int argc, char **argv)
{
    FILE *template = argc == 3 ? fopen(argv[1], "r") : NULL;
    if (template == NULL) {
        fprintf(stderr, "usage: tenure-header TEMPLATE VERSION > tenure.h\n");
        return EXIT_FAILURE;
    }
    char line[512];
    while (fgets(line, sizeof(line), template) != NULL) {
        print_line(line, argv[2]);
    }
    fclose(template);
    return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

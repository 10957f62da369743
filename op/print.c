/* op-print: the protocol's tables as JSON, for what is not C, and as Markdown, for people.
 *
 * Prints what op.h's tables hold; adds nothing of its own.
 */
#include "op/frame.h"
#include "op/head.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct enum_value {
    unsigned number;
    const char *text;
};

struct enum_entry {
    const char *name;
    const struct enum_value *values; /* ends with a NULL text */
};

struct outcome_entry {
    unsigned number;
    const char *name;
    const char *class;
    const char *message;
};

struct limit_entry {
    unsigned tag;
    const char *name;
    uint64_t standard;
    uint64_t least;
    uint64_t greatest;
    const char *help;
};

#define VALUE_(E, number, NAME, text) {number, text},
#define ENUM_(name, E, VALUES)                                                                     \
    static const struct enum_value values_##name[] = {VALUES(VALUE_, E){0, NULL}};
OP_ENUMS(ENUM_)
#undef ENUM_
#undef VALUE_

#define ENUM_(name, E, VALUES) {#name, values_##name},
static const struct enum_entry enums[] = {OP_ENUMS(ENUM_)};
#undef ENUM_

#define OUTCOME_(number, NAME, CLASS, message) {number, #NAME, #CLASS, message},
static const struct outcome_entry outcomes[] = {OP_OUTCOMES(OUTCOME_)};
#undef OUTCOME_

#define LIMIT_(tag, name, standard, least, greatest, help)                                         \
    {tag, #name, standard, least, greatest, help},
static const struct limit_entry limits[] = {OP_LIMITS(LIMIT_)};
#undef LIMIT_

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* What is no row: who sends it, and its struct. */
struct other {
    const char *title;
    const struct op_struct *s;
};

static const struct other others[] = {
    {"Envelope: what every operation's request may carry beside its own fields",
     &op_envelope_struct},
    {"Result: what every result carries beside its own fields", &op_result_head_struct},
    {"Error: what every error carries", &op_error_head_struct},
    {"Details of an error, under its key `details`", &op_details_struct},
    {"Request of `hello`", &op_hello_request_struct},
    {"Reply to `hello`", &op_hello_reply_struct},
    {"Request of `node.status`", &op_status_request_struct},
    {"Reply to `node.status`", &op_status_reply_struct},
    {"Request of `cluster.time`", &op_time_request_struct},
    {"Reply to `cluster.time`", &op_time_reply_struct},
    {"Notification `cancel`", &op_cancel_struct},
};

static const char *kind_name(enum op_kind kind)
{
    static const char *const names[] = {
        [OP_KIND_u64] = "u64",         [OP_KIND_time_us] = "time_us",
        [OP_KIND_boolean] = "boolean", [OP_KIND_enumeration] = "enumeration",
        [OP_KIND_id] = "id",           [OP_KIND_blob] = "blob",
        [OP_KIND_text] = "text",       [OP_KIND_token] = "token",
        [OP_KIND_list] = "list",
    };

    return names[kind];
}

static const char *token_name(const struct op_field *field)
{
    return field->bound == OP_TOKEN_session ? "session" : "fence";
}

/* ---- JSON ---- */

static void json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('"');
}

/* A member of an object that has one before it. */
static void json_member(const char *key, const char *text)
{
    printf(", \"%s\": ", key);
    json_text(text);
}

static void json_fields(const struct op_struct *s);

static void json_field(const struct op_field *field)
{
    printf("{\"tag\": %u", (unsigned)field->tag);
    json_member("name", field->name);
    json_member("kind", kind_name(field->kind));
    printf(", \"required\": %s, \"bound\": %zu", field->required ? "true" : "false",
           field->kind == OP_KIND_token ? (size_t)0 : field->bound);
    json_member("help", field->help);
    if (field->enumeration != NULL) {
        json_member("enumeration", field->enumeration->name);
    }
    if (field->kind == OP_KIND_token) {
        json_member("token", token_name(field));
    }
    if (field->item != NULL) {
        json_member("item", field->item->name);
        printf(", \"fields\": ");
        json_fields(field->item);
    }
    putchar('}');
}

static void json_fields(const struct op_struct *s)
{
    putchar('[');
    for (size_t i = 0; i < s->field_count; i++) {
        printf("%s", i == 0 ? "" : ", ");
        json_field(&s->fields[i]);
    }
    putchar(']');
}

static void json_roles(uint32_t roles)
{
    const char *comma = "";

    printf(", \"roles\": [");
    if ((roles & OP_ROLE_SERVICE) != 0) {
        printf("\"service\"");
        comma = ", ";
    }
    if ((roles & OP_ROLE_OPERATOR) != 0) {
        printf("%s\"operator\"", comma);
    }
    putchar(']');
}

static void json_row(const struct op_row *row)
{
    printf("{\"number\": %u", (unsigned)row->number);
    json_member("name", row->name);
    json_member("method", row->method);
    json_member("access", op_access_text(row->access));
    json_roles(row->roles);
    json_member("needs", row->needs);
    json_member("idempotency", row->idempotency == OP_FREE ? "free" : "numbered");
    json_member("help", row->help);
    printf(",\n   \"request\": ");
    json_fields(row->request);
    printf(",\n   \"reply\": ");
    json_fields(row->reply);
    putchar('}');
}

static void json_enum(const struct enum_entry *entry)
{
    printf("{\"name\": \"%s\", \"values\": [", entry->name);
    for (const struct enum_value *value = entry->values; value->text != NULL; value++) {
        printf("%s{\"number\": %u", value == entry->values ? "" : ", ", value->number);
        json_member("text", value->text);
        putchar('}');
    }
    printf("]}");
}

static void json_outcome(const struct outcome_entry *outcome)
{
    printf("{\"number\": %u", outcome->number);
    json_member("name", outcome->name);
    json_member("class", outcome->class);
    json_member("message", outcome->message);
    putchar('}');
}

static void json_limit(const struct limit_entry *limit)
{
    printf("{\"tag\": %u", limit->tag);
    json_member("name", limit->name);
    printf(", \"default\": %" PRIu64 ", \"least\": %" PRIu64 ", \"greatest\": %" PRIu64,
           limit->standard, limit->least, limit->greatest);
    json_member("help", limit->help);
    putchar('}');
}

/* What separates element i of `count` from the next. */
static const char *separator(size_t i, size_t count)
{
    return i + 1 < count ? ",\n" : "\n";
}

static void print_json(void)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    printf("{\"protocol\": {\"version\": %d, \"frame_bytes_max\": %d, \"request_bytes_max\": %d, "
           "\"hello_bytes_max\": %d},\n",
           OP_PROTOCOL_VERSION, OP_FRAME_MAX, OP_FRAME_REQUEST_MAX, OP_FRAME_HELLO_MAX);
    printf(" \"operations\": [\n");
    for (size_t i = 0; i < count; i++) {
        printf("  ");
        json_row(&rows[i]);
        printf("%s", separator(i, count));
    }
    printf(" ],\n \"structs\": {\n");
    for (size_t i = 0; i < LENGTH(others); i++) {
        printf("  \"%s\": ", others[i].s->name);
        json_fields(others[i].s);
        printf("%s", separator(i, LENGTH(others)));
    }
    printf(" },\n \"enumerations\": [\n");
    for (size_t i = 0; i < LENGTH(enums); i++) {
        printf("  ");
        json_enum(&enums[i]);
        printf("%s", separator(i, LENGTH(enums)));
    }
    printf(" ],\n \"outcomes\": [\n");
    for (size_t i = 0; i < LENGTH(outcomes); i++) {
        printf("  ");
        json_outcome(&outcomes[i]);
        printf("%s", separator(i, LENGTH(outcomes)));
    }
    printf(" ],\n \"limits\": [\n");
    for (size_t i = 0; i < LENGTH(limits); i++) {
        printf("  ");
        json_limit(&limits[i]);
        printf("%s", separator(i, LENGTH(limits)));
    }
    printf(" ]}\n");
}

/* ---- Markdown ---- */

static void markdown_kind(const struct op_field *field)
{
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
    case OP_KIND_boolean:
    case OP_KIND_id:
        printf("%s", kind_name(field->kind));
        return;
    case OP_KIND_blob:
    case OP_KIND_text:
        printf("%s, at most %zu bytes", kind_name(field->kind), field->bound);
        return;
    case OP_KIND_enumeration:
        printf("enumeration %s", field->enumeration->name);
        return;
    case OP_KIND_token:
        printf("%s token", token_name(field));
        return;
    case OP_KIND_list:
        printf("list of %s, at most %zu", field->item->name, field->bound);
        return;
    }
}

/* One line for a field; those of a list's item follow it, as `list[].field`. */
static void markdown_field(const char *prefix, const struct op_field *field)
{
    printf("| %s`%s` | ", prefix, field->name);
    markdown_kind(field);
    printf(" | %s | %s |\n", field->required ? "required" : "", field->help);
    for (size_t i = 0; field->item != NULL && i < field->item->field_count; i++) {
        char nested[80];

        (void)snprintf(nested, sizeof nested, "`%s[]` ", field->name);
        markdown_field(nested, &field->item->fields[i]);
    }
}

static void markdown_fields(const struct op_struct *s)
{
    if (s->field_count == 0) {
        printf("No fields.\n\n");
        return;
    }
    printf("| field | kind | | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < s->field_count; i++) {
        markdown_field("", &s->fields[i]);
    }
    printf("\n");
}

static void markdown_row(const struct op_row *row)
{
    bool service = (row->roles & OP_ROLE_SERVICE) != 0;
    bool operator_too = (row->roles & OP_ROLE_OPERATOR) != 0;

    printf("### %s\n\n%s. Operation %u; a %s; %s; for %s%s%s.\n", row->method, row->help,
           (unsigned)row->number, op_access_text(row->access),
           row->idempotency == OP_FREE ? "may be repeated freely" : "needs a request number",
           service ? "services" : "", service && operator_too ? " and " : "",
           operator_too ? "operators" : "");
    if (row->needs[0] != '\0') {
        printf("Its session or task must hold the permission `%s`.\n", row->needs);
    }
    printf("\nRequest:\n\n");
    markdown_fields(row->request);
    printf("Reply:\n\n");
    markdown_fields(row->reply);
}

static void markdown_tables(void)
{
    printf("## Outcomes\n\n| code | name | class | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < LENGTH(outcomes); i++) {
        printf("| %u | %s | %s | %s |\n", outcomes[i].number, outcomes[i].name, outcomes[i].class,
               outcomes[i].message);
    }
    printf("\n## Enumerations\n\nThey travel as their texts.\n\n");
    for (size_t i = 0; i < LENGTH(enums); i++) {
        printf("- %s:", enums[i].name);
        for (const struct enum_value *value = enums[i].values; value->text != NULL; value++) {
            printf("%s `%s`", value == enums[i].values ? "" : ",", value->text);
        }
        printf("\n");
    }
    printf(
        "\n## Limits\n\nReplicated: the same on every node. Names that end in `_us` are times in "
        "microseconds.\n\n| name | default | least | greatest | |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < LENGTH(limits); i++) {
        printf("| `%s` | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %s |\n", limits[i].name,
               limits[i].standard, limits[i].least, limits[i].greatest, limits[i].help);
    }
}

static void print_markdown(void)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);

    printf("# Operations\n\nGenerated from `op/` by `op-print markdown`: change the tables, not "
           "this page.\nHow these maps travel: PROTOCOL.md.\n\n## Operations\n\n");
    for (size_t i = 0; i < count; i++) {
        markdown_row(&rows[i]);
    }
    printf("## Other maps\n\n");
    for (size_t i = 0; i < LENGTH(others); i++) {
        printf("### %s\n\n", others[i].title);
        markdown_fields(others[i].s);
    }
    markdown_tables();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "json") == 0) {
        print_json();
    } else if (argc == 2 && strcmp(argv[1], "markdown") == 0) {
        print_markdown();
    } else {
        (void)fprintf(stderr, "usage: op-print json|markdown\n");
        return 2;
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}

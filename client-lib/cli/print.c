/* Replies and refusals for people and for programs, by the op table. Knows no operation. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "client-lib/cli/cli.h"
#include "client-lib/cli/json.h"
#include "op/head.h"

enum { NAME_WIDTH = 10 };

static bool present(const struct tenure_field_map *map, const uint8_t *value)
{
    return map->has_offset == SIZE_MAX || *(const bool *)(value + map->has_offset);
}

static uint64_t number_at(const uint8_t *at)
{
    uint64_t number;
    memcpy(&number, at, sizeof(number));
    return number;
}

static uint32_t enumeration_at(const uint8_t *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof(number));
    return number;
}

static struct tenure_bytes view_at(const uint8_t *at)
{
    struct tenure_bytes view;
    memcpy(&view, at, sizeof(view));
    return view;
}

static char *view_text(struct cli_memory *memory, const uint8_t *at)
{
    struct tenure_bytes view = view_at(at);
    return cli_take_text(memory, view.size == 0 ? "" : (const char *)view.data, view.size);
}

static char *id_text(struct cli_memory *memory, const uint8_t *at)
{
    struct tenure_id id;
    memcpy(&id, at, sizeof(id));
    char *text = cli_take(memory, TENURE_ID_TEXT);
    tenure_id_text(id, text);
    return text;
}

static char *number_text(struct cli_memory *memory, uint64_t number)
{
    char *text = cli_take(memory, CLI_TIME_TEXT);
    snprintf(text, CLI_TIME_TEXT, "%" PRIu64, number);
    return number == TENURE_INFINITE ? cli_take_text(memory, "infinite", 8) : text;
}

static char *duration_text(struct cli_memory *memory, uint64_t us)
{
    char readable[CLI_TIME_TEXT];
    cli_duration_write(us, readable);
    char *text = cli_take(memory, 2 * CLI_TIME_TEXT);
    snprintf(text, 2 * CLI_TIME_TEXT, us == TENURE_INFINITE ? "%s" : "%s (%" PRIu64 " us)",
             readable, us);
    return text;
}

static const char *enumeration_text(const struct op_field *field, const uint8_t *at)
{
    const char *text = op_enum_text(field->enumeration, enumeration_at(at));
    return text == NULL ? "unknown" : text;
}

/* For people; in `memory` or static. Lists have forms of their own. */
static const char *value_text(struct cli_memory *memory, const struct op_field *field,
                              const uint8_t *at)
{
    switch (field->kind) {
    case OP_KIND_u64:
        return number_text(memory, number_at(at));
    case OP_KIND_time_us:
        return duration_text(memory, number_at(at));
    case OP_KIND_boolean:
        return *(const bool *)at ? "true" : "false";
    case OP_KIND_enumeration:
        return enumeration_text(field, at);
    case OP_KIND_id:
        return id_text(memory, at);
    case OP_KIND_blob:
        return cli_blob_write(memory, view_at(at));
    case OP_KIND_text:
    case OP_KIND_token:
        return view_text(memory, at);
    case OP_KIND_list:
        break;
    }
    return "";
}

/* ---- JSON ---- */

/* A text that was cut within a character is no UTF-8, and jansson takes none. */
static json_t *text_json(const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("(not UTF-8)");
}

/* JSON's numbers end before ours do: what is larger is a text. */
static json_t *number_json(uint64_t number)
{
    char text[CLI_TIME_TEXT];
    snprintf(text, sizeof(text), "%" PRIu64, number);
    return number == TENURE_INFINITE ? json_string("infinite")
           : number > INT64_MAX      ? json_string(text)
                                     : json_integer((json_int_t)number);
}

static uint32_t item_count(const struct tenure_field_map *map, const uint8_t *value)
{
    return enumeration_at(value + map->count_offset);
}

static json_t *list_json(struct cli_memory *memory, const struct op_field *field,
                         const struct tenure_field_map *map, const uint8_t *value)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < item_count(map, value); i++) {
        json_array_append_new(list, cli_struct_json(memory, field->item, map->item,
                                                    tenure_items(map, value) + i * map->item_size));
    }
    return list;
}

static json_t *value_json(struct cli_memory *memory, const struct op_field *field,
                          const struct tenure_field_map *map, const uint8_t *value)
{
    const uint8_t *at = value + map->offset;
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        return number_json(number_at(at));
    case OP_KIND_boolean:
        return json_boolean(*(const bool *)at);
    case OP_KIND_list:
        return list_json(memory, field, map, value);
    case OP_KIND_enumeration:
    case OP_KIND_id:
    case OP_KIND_blob:
    case OP_KIND_text:
    case OP_KIND_token:
        break;
    }
    return text_json(value_text(memory, field, at));
}

json_t *cli_struct_json(struct cli_memory *memory, const struct op_struct *s,
                        const struct tenure_field_map *map, const void *value)
{
    json_t *object = json_object();
    for (size_t i = 0; i < s->field_count; i++) {
        if (present(&map[i], value)) {
            json_object_set_new(object, s->fields[i].name,
                                value_json(memory, &s->fields[i], &map[i], value));
        }
    }
    return object;
}

static void set_number(json_t *object, const char *name, uint64_t number)
{
    json_object_set_new(object, name, number_json(number));
}

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, text_json(text));
}

void cli_result_json(json_t *object, const struct tenure_result *result)
{
    set_text(object, "outcome", tenure_outcome_name(result->outcome));
    set_number(object, "position", result->position);
    set_number(object, "T", result->time);
    set_number(object, "clock", result->clock);
    set_number(object, "term", result->term);
    set_number(object, "attempts", result->attempts);
    if (result->superseded) {
        json_object_set_new(object, "superseded", json_true());
    }
    if (result->stale) {
        json_object_set_new(object, "stale", json_true());
    }
}

void cli_print_json(FILE *out, json_t *value)
{
    json_dumpf(value, out, JSON_COMPACT | JSON_PRESERVE_ORDER);
    fputc('\n', out);
    json_decref(value);
}

/* ---- replies ---- */

static void print_time(FILE *out, const char *name, uint64_t us)
{
    char readable[CLI_TIME_TEXT];
    cli_time_write(us, readable);
    if (us == 0) {
        fprintf(out, "%-*s none\n", NAME_WIDTH, name);
        return;
    }
    fprintf(out, "%-*s %s (%" PRIu64 " us)\n", NAME_WIDTH, name, readable, us);
}

static void print_head(FILE *out, const struct tenure_result *result)
{
    fprintf(out, "%-*s %" PRIu64 "\n", NAME_WIDTH, "position", result->position);
    print_time(out, "T", result->time);
    print_time(out, "clock", result->clock);
    fprintf(out, "%-*s %" PRIu64 "\n", NAME_WIDTH, "term", result->term);
    if (result->superseded) {
        fprintf(out, "%-*s true: another try has the secret\n", NAME_WIDTH, "superseded");
    }
    if (result->stale) {
        fprintf(out, "%-*s true: so it was at this position, and T, and perhaps no more\n",
                NAME_WIDTH, "stale");
    }
}

/* ---- lists: a line an item, below the names of their fields ---- */

enum { COLUMNS_MAX = 16, COLUMN_GAP = 2 };

static const char *cell(struct cli_memory *memory, const struct op_field *field,
                        const struct tenure_field_map *map, const uint8_t *item)
{
    return present(map, item) ? value_text(memory, field, item + map->offset) : "-";
}

/* Columns of a UTF-8 text. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static void print_cell(FILE *out, const char *text, size_t width, bool last)
{
    fprintf(out, "%s", text);
    for (size_t i = width_of(text); !last && i < width + COLUMN_GAP; i++) {
        fputc(' ', out);
    }
}

/* One line of a list; `item` NULL: the names. */
static void print_line(FILE *out, struct cli_memory *memory, const struct op_struct *s,
                       const struct tenure_field_map *map, const uint8_t *item,
                       const size_t *widths)
{
    fprintf(out, "  ");
    for (size_t i = 0; i < s->field_count && i < COLUMNS_MAX; i++) {
        const char *text = item == NULL ? s->fields[i].name
                                        : cell(memory, &s->fields[i], &map[i], item);
        print_cell(out, text, widths[i], i + 1 == s->field_count);
    }
    fputc('\n', out);
}

static void print_list(FILE *out, struct cli_memory *memory, const struct op_field *field,
                       const struct tenure_field_map *map, const uint8_t *value)
{
    const struct op_struct *s = field->item;
    const uint8_t *items = tenure_items(map, value);
    uint32_t count = item_count(map, value);
    size_t widths[COLUMNS_MAX];
    fprintf(out, "%-*s %" PRIu32 "\n", NAME_WIDTH, field->name, count);
    for (size_t i = 0; i < s->field_count && i < COLUMNS_MAX; i++) {
        widths[i] = strlen(s->fields[i].name);
        for (uint32_t k = 0; k < count; k++) {
            size_t width = width_of(
                cell(memory, &s->fields[i], &map->item[i], items + k * map->item_size));
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    if (count > 0) {
        print_line(out, memory, s, map->item, NULL, widths);
    }
    for (uint32_t k = 0; k < count; k++) {
        print_line(out, memory, s, map->item, items + k * map->item_size, widths);
    }
}

void cli_print_reply(const struct cli_printer *printer, const struct tenure_method *method,
                     const void *reply, const struct tenure_result *result)
{
    struct cli_memory memory = {NULL};
    const struct tenure_field_map *map = method->reply_map;
    if (printer->output == CLI_JSON) {
        json_t *object = cli_struct_json(&memory, method->reply, map, reply);
        cli_result_json(object, result);
        cli_print_json(printer->out, object);
        cli_memory_done(&memory);
        return;
    }
    for (size_t i = 0; i < method->reply->field_count; i++) {
        const struct op_field *field = &method->reply->fields[i];
        if (field->kind == OP_KIND_list && present(&map[i], reply)) {
            print_list(printer->out, &memory, field, &map[i], reply);
        } else if (present(&map[i], reply)) {
            fprintf(printer->out, "%-*s %s\n", NAME_WIDTH, field->name,
                    value_text(&memory, field, (const uint8_t *)reply + map[i].offset));
        }
    }
    print_head(printer->out, result);
    cli_memory_done(&memory);
}

/* ---- refusals ---- */

/* Appends as printf does; what does not fit is cut. */
__attribute__((format(printf, 3, 4))) static void add(char *line, size_t size, const char *format,
                                                      ...)
{
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, size - used, format, arguments);
    va_end(arguments);
}

/* "failed W3 W4": only when it says more than the headline does. */
static void add_failed(char *line, size_t size, const struct tenure_details *details,
                       const char *before)
{
    if (details->has_headline && details->headline < 64 &&
        details->failed == UINT64_C(1) << details->headline) {
        return;
    }
    add(line, size, "%sfailed", before);
    for (unsigned rule = 1; rule < 64; rule++) {
        if ((details->failed >> rule & 1) != 0) {
            add(line, size, " W%u", rule);
        }
    }
}

static void add_detail(char *line, size_t size, struct cli_memory *memory,
                       const struct op_field *field, const uint8_t *at, const char *before)
{
    add(line, size, "%s", before);
    for (const char *c = field->name; *c != '\0'; c++) {
        add(line, size, "%c", *c == '_' ? ' ' : *c);
    }
    add(line, size, " %s", value_text(memory, field, at));
}

void cli_refusal_line(const struct tenure_result *result, char *ret_line, size_t size)
{
    const struct tenure_details *details = &result->details;
    const uint8_t *bytes = (const uint8_t *)details;
    struct cli_memory memory = {NULL};
    snprintf(ret_line, size, "%s", tenure_outcome_name(result->outcome));
    if (details->has_headline) {
        add(ret_line, size, " W%" PRIu64, details->headline);
    } else {
        add(ret_line, size, ": %s", result->message);
    }
    const char *before = ": ";
    for (size_t i = 0; i < op_details_struct.field_count; i++) {
        const struct op_field *field = &op_details_struct.fields[i];
        size_t used = strlen(ret_line);
        if (!present(&tenure_details_map[i], bytes) || strcmp(field->name, "failed") == 0 ||
            strcmp(field->name, "headline") == 0) {
            continue;
        }
        add_detail(ret_line, size, &memory, field, bytes + tenure_details_map[i].offset, before);
        before = strlen(ret_line) > used ? ", " : before;
    }
    if (details->has_failed) {
        add_failed(ret_line, size, details, before);
    }
    cli_memory_done(&memory);
}

void cli_print_refusal(const struct cli_printer *printer, const struct tenure_result *result)
{
    if (printer->output == CLI_TABLE) {
        char line[1024];
        cli_refusal_line(result, line, sizeof(line));
        fprintf(printer->err, "tenurectl: %s; %s\n", line, cli_advice(result->outcome));
        return;
    }
    struct cli_memory memory = {NULL};
    json_t *object = json_object();
    cli_result_json(object, result);
    set_text(object, "class", op_class_name(op_outcome_class((enum op_outcome)result->outcome)));
    set_text(object, "message", result->message);
    set_text(object, "advice", cli_advice(result->outcome));
    json_object_set_new(
        object, "details",
        cli_struct_json(&memory, &op_details_struct, tenure_details_map, &result->details));
    cli_print_json(printer->err, object);
    cli_memory_done(&memory);
}

enum cli_exit cli_exit_of(enum tenure_outcome outcome)
{
    switch (tenure_outcome_class(outcome)) {
    case TENURE_CLASS_DONE:
        return CLI_DONE;
    case TENURE_CLASS_REFUSED:
        return CLI_REFUSED;
    case TENURE_CLASS_RETRY:
        return CLI_RETRIES;
    case TENURE_CLASS_UNKNOWN:
        break;
    }
    return CLI_UNCERTAIN;
}

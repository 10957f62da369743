/* Arguments into the public request structs of libtenure, by the op table. Sends nothing. */
#include <string.h>

#include "client-lib/cli/cli.h"
#include "op/text.h"
#include "op/token.h"

/* One value to be read: where it goes, and how to speak of it. */
struct target {
    struct cli_memory *memory;
    const struct op_field *field;
    uint8_t *at;
    const char *option; /* name for errors */
    struct cli_error *error;
};

static bool wrong(const struct target *target, const char *text, const char *what)
{
    return cli_fail(target->error, "--%s %s: give %s (%s)", target->option, text, what,
                    target->field->help);
}

static bool fill_number(const struct target *target, const char *text)
{
    uint64_t number;
    if (!cli_number_read(text, &number)) {
        return wrong(target, text, "a number");
    }
    memcpy(target->at, &number, sizeof(number));
    return true;
}

static bool fill_duration(const struct target *target, const char *text)
{
    uint64_t us;
    if (!cli_duration_read(text, &us)) {
        return wrong(target, text, "a duration such as 90s, 30m or 1h30m; units us ms s m h d");
    }
    memcpy(target->at, &us, sizeof(us));
    return true;
}

static bool fill_boolean(const struct target *target, const char *text)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0) {
        return wrong(target, text, "true or false");
    }
    memcpy(target->at, &yes, sizeof(yes));
    return true;
}

static bool fill_enumeration(const struct target *target, const char *text)
{
    uint32_t number;
    if (!op_enum_number(target->field->enumeration, bytes_of_text(text), &number)) {
        return wrong(target, text, "one of the names that --help lists");
    }
    memcpy(target->at, &number, sizeof(number));
    return true;
}

static bool fill_id(const struct target *target, const char *text)
{
    struct tenure_id id;
    if (!tenure_id_of_text(text, &id)) {
        return wrong(target, text, "32 hexadecimal digits");
    }
    memcpy(target->at, &id, sizeof(id));
    return true;
}

static bool fill_view(const struct target *target, const char *text, struct tenure_bytes view)
{
    if (view.size > target->field->bound) {
        return cli_fail(target->error, "--%s: %zu bytes are too many: give at most %zu (%s)",
                        target->option, view.size, target->field->bound, target->field->help);
    }
    if (target->field->kind == OP_KIND_text &&
        (view.size == 0 || !op_text_valid(bytes_of(view.data, view.size)))) {
        return wrong(target, text, "UTF-8 text without control characters, not empty");
    }
    memcpy(target->at, &view, sizeof(view));
    return true;
}

static bool fill_blob(const struct target *target, const char *text)
{
    struct tenure_bytes view;
    struct cli_error cause;
    if (!cli_blob_read(target->memory, text, &view, &cause)) {
        return cli_fail(target->error, "--%s: %s", target->option, cause.text);
    }
    return fill_view(target, text, view);
}

/* A token may come from a file, so that it need not show in the list of processes. It is never
 * repeated in an error. */
static bool fill_token(const struct target *target, const char *text)
{
    struct tenure_bytes view = tenure_text(text);
    struct op_token token;
    struct cli_error cause;
    if (text[0] == '@' && !cli_blob_read(target->memory, text, &view, &cause)) {
        return cli_fail(target->error, "--%s: %s", target->option, cause.text);
    }
    while (view.size > 0 && view.data[view.size - 1] == '\n') {
        view.size--;
    }
    bool session = target->field->bound == OP_TOKEN_session;
    if (!op_token_read(bytes_of(view.data, view.size), (enum op_token_kind)target->field->bound,
                       &token)) {
        return cli_fail(target->error,
                        "--%s: this is no whole %s token: give the text that begins with %s, or "
                        "@FILE (%s)",
                        target->option, session ? "session" : "fence", session ? "tn1_" : "tf1_",
                        target->field->help);
    }
    memcpy(target->at, &view, sizeof(view));
    return true;
}

static bool fill_scalar(const struct target *target, const char *text)
{
    switch (target->field->kind) {
    case OP_KIND_u64:
        return fill_number(target, text);
    case OP_KIND_time_us:
        return fill_duration(target, text);
    case OP_KIND_boolean:
        return fill_boolean(target, text);
    case OP_KIND_enumeration:
        return fill_enumeration(target, text);
    case OP_KIND_id:
        return fill_id(target, text);
    case OP_KIND_blob:
        return fill_blob(target, text);
    case OP_KIND_text:
        return fill_view(target, text, tenure_text(text));
    case OP_KIND_token:
        return fill_token(target, text);
    case OP_KIND_list:
        break;
    }
    return cli_fail(target->error, "--%s: a list in a list has no form here", target->option);
}

static void set_present(const struct tenure_field_map *map, uint8_t *value)
{
    const bool yes = true;
    if (map->has_offset != SIZE_MAX) {
        memcpy(value + map->has_offset, &yes, sizeof(yes));
    }
}

/* An item's fields stand in the table's order, "=" between them; the last takes the rest. */
static bool fill_item(const struct target *list, const struct tenure_field_map *map, uint8_t *item,
                      const char *text)
{
    const struct op_struct *s = list->field->item;
    const char *rest = text;
    for (size_t i = 0; i < s->field_count && rest != NULL; i++) {
        size_t size = i + 1 < s->field_count ? strcspn(rest, "=") : strlen(rest);
        const char *part = cli_take_text(list->memory, rest, size);
        struct target target = *list;
        target.field = &s->fields[i];
        target.at = item + map[i].offset;
        if (!fill_scalar(&target, part)) {
            return false;
        }
        set_present(&map[i], item);
        rest = rest[size] == '=' ? rest + size + 1 : NULL;
        if (rest == NULL && i + 1 < s->field_count && s->fields[i + 1].required) {
            return cli_fail(list->error, "--%s %s: give %s behind \"=\" too", list->option, text,
                            s->fields[i + 1].name);
        }
    }
    return true;
}

static bool fill_list(const struct target *target, const struct tenure_field_map *map,
                      uint8_t *value, const char *text)
{
    uint32_t count;
    memcpy(&count, value + map->count_offset, sizeof(count));
    if (count >= target->field->bound) {
        return cli_fail(target->error, "--%s: give it at most %zu times (%s)", target->option,
                        target->field->bound, target->field->help);
    }
    if (!fill_item(target, map->item, value + map->offset + count * map->item_size, text)) {
        return false;
    }
    count++;
    memcpy(value + map->count_offset, &count, sizeof(count));
    return true;
}

bool cli_fill(struct cli_memory *memory, const struct op_struct *s,
              const struct tenure_field_map *map, void *value, const struct cli_given *given,
              struct cli_error *ret_error)
{
    const struct op_field *field = given->option->field;
    const struct tenure_field_map *entry = &map[field - s->fields];
    struct target target = {memory, field, (uint8_t *)value + entry->offset, given->option->name,
                            ret_error};
    bool filled = field->kind == OP_KIND_list ? fill_list(&target, entry, value, given->text)
                                              : fill_scalar(&target, given->text);
    if (filled) {
        set_present(entry, value);
    }
    return filled;
}

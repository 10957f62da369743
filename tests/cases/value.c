/* Arguments of a case file into the fields of a request, by the kinds of the operations' table.
 *
 *   number        17, infinite                 time        30m, 1h30m, 250ms, infinite
 *   enumeration   its text                     boolean     true, false
 *   text, blob    as it stands, in quotes where it has blanks, or bytes(N): N times the same byte
 *   id            a name, or `unknown`
 *   token         a name, or `unknown`, and then what is wrong with it: s1~secret (a bad one),
 *                 s1~incarnation (of another), f1~attempt=9, f1~epoch=9, s1~of=s2 (another's id)
 *   list          items between commas, an item's fields between slashes: a:b,c:d/2s
 */
#include "tests/cases/call.h"

#include <string.h>

const struct op_field *field_of(const struct op_struct *s, struct bytes name)
{
    for (size_t i = 0; i < s->field_count; i++) {
        if (bytes_equal(bytes_of_text(s->fields[i].name), name)) {
            return &s->fields[i];
        }
    }
    return NULL;
}

_Noreturn static void wrong_value(const struct scenario *scenario, const struct op_field *field,
                                  struct bytes text)
{
    case_wrong(scenario, "%s: not a value: %.*s", field->name, (int)text.size,
               (const char *)text.data);
}

static struct id128 id_of(struct scenario *scenario, const struct op_field *field,
                          struct bytes text)
{
    const struct binding *binding = case_binding(scenario, text);

    if (case_word_is(text, "unknown")) {
        return case_draw_id(scenario);
    }
    if (binding == NULL || binding->kind == BOUND_CLIENT) {
        wrong_value(scenario, field, text);
    }
    return binding->id;
}

/* What is wrong with a token: after its "~". */
static void token_change(struct scenario *scenario, const struct op_field *field,
                         struct bytes change, struct op_token *token, uint64_t *secret)
{
    struct bytes value = change;
    struct bytes what = case_cut(&value, '=');

    if (case_word_is(what, "secret")) {
        *secret = case_draw_secret(scenario);
    } else if (case_word_is(what, "incarnation")) {
        token->incarnation = case_draw_id(scenario);
    } else if (case_word_is(what, "of")) {
        token->id = id_of(scenario, field, value);
    } else if (!(case_word_is(what, "attempt") && case_number_read(value, &token->attempt)) &&
               !(case_word_is(what, "epoch") && case_number_read(value, &token->epoch))) {
        wrong_value(scenario, field, change);
    }
}

static void token_read(struct scenario *scenario, const struct op_field *field, struct bytes text,
                       struct op_token *ret_token)
{
    struct bytes changes = text;
    struct bytes name = case_cut(&changes, '~');
    const struct binding *binding = case_binding(scenario, name);
    struct op_token token = {.incarnation = case_incarnation(), .id = id_of(scenario, field, name)};
    uint64_t secret = binding == NULL ? case_draw_secret(scenario) : binding->secret;
    bool of_another = false;

    if (binding != NULL && field->bound == OP_TOKEN_fence) {
        token.epoch = binding->epoch;
        token.attempt = binding->attempt;
    }
    case_verifier(token.id, secret, token.verifier);
    while (changes.size > 0) {
        struct bytes change = case_cut(&changes, '~');

        of_another |= change.size > 3 && memcmp(change.data, "of=", 3) == 0;
        token_change(scenario, field, change, &token, &secret);
    }
    if (!of_another) { /* another's id with this one's own verifier is the worst that one can try */
        case_verifier(token.id, secret, token.verifier);
    }
    *ret_token = token;
}

/* bytes(N), or the text itself. */
static struct bytes bytes_read(struct scenario *scenario, const struct op_field *field,
                               struct bytes text)
{
    uint64_t count;
    char *filled;

    if (text.size < 8 || memcmp(text.data, "bytes(", 6) != 0 || text.data[text.size - 1] != ')') {
        filled = case_text(scenario, text.size);
        if (text.size > 0) {
            memcpy(filled, text.data, text.size);
        }
        return bytes_of(filled, text.size);
    }
    if (!case_number_read(bytes_of(text.data + 6, text.size - 7), &count) || count > field->bound) {
        wrong_value(scenario, field, text);
    }
    filled = case_text(scenario, (size_t)count);
    memset(filled, 'x', (size_t)count);
    return bytes_of(filled, (size_t)count);
}

static void item_read(struct scenario *scenario, const struct op_struct *item, struct bytes text,
                      void *base)
{
    if (item->field_count == 1) { /* a resource has slashes of its own */
        value_read(scenario, &item->fields[0], text, base);
        return;
    }
    for (size_t i = 0; i < item->field_count && text.data != NULL; i++) {
        value_read(scenario, &item->fields[i], case_cut(&text, '/'), base);
    }
}

static void list_read(struct scenario *scenario, const struct op_field *field, struct bytes text,
                      void *base)
{
    uint32_t *count = (uint32_t *)(void *)((uint8_t *)base + field->count_offset);

    *count = 0;
    while (text.size > 0) {
        struct bytes item = case_cut(&text, ',');

        if (*count == field->bound) {
            wrong_value(scenario, field, item);
        }
        item_read(scenario, field->item, item,
                  (uint8_t *)base + field->offset + *count * field->item->size);
        (*count)++;
    }
}

static void number_read(struct scenario *scenario, const struct op_field *field, struct bytes text,
                        void *member)
{
    bool read = field->kind == OP_KIND_u64 ? case_number_read(text, member)
                                           : case_time_read(text, member);

    if (!read) {
        wrong_value(scenario, field, text);
    }
}

static void text_read(struct scenario *scenario, const struct op_field *field, struct bytes text,
                      struct bytes *ret_value)
{
    *ret_value = bytes_read(scenario, field, text);
    if (ret_value->size > field->bound) {
        wrong_value(scenario, field, text);
    }
}

void value_read(struct scenario *scenario, const struct op_field *field, struct bytes text,
                void *base)
{
    void *member = (uint8_t *)base + field->offset;

    *(bool *)((uint8_t *)base + field->has_offset) = true;
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        number_read(scenario, field, text, member);
        return;
    case OP_KIND_boolean:
        *(bool *)member = case_word_is(text, "true");
        if (!*(bool *)member && !case_word_is(text, "false")) {
            wrong_value(scenario, field, text);
        }
        return;
    case OP_KIND_enumeration:
        if (!op_enum_number(field->enumeration, text, member)) {
            wrong_value(scenario, field, text);
        }
        return;
    case OP_KIND_id:
        *(struct id128 *)member = id_of(scenario, field, text);
        return;
    case OP_KIND_blob:
    case OP_KIND_text:
        text_read(scenario, field, text, member);
        return;
    case OP_KIND_token:
        token_read(scenario, field, text, member);
        return;
    case OP_KIND_list:
        list_read(scenario, field, text, base);
        return;
    }
    case_wrong(scenario, "%s: a kind of field that the runner does not know", field->name);
}

/* Gathering denials: see denials.h. */
#include "node/denials.h"

#include <string.h>

#include "base/assert.h"
#include "base/sat.h"

static const void *member(const union op_request *request, const struct op_field *field)
{
    return (const uint8_t *)request + field->offset;
}

/* NULL when the request has no such field, or does not give it. */
static const void *given(const struct op_row *row, const union op_request *request,
                         const char *name, enum op_kind kind)
{
    const struct op_field *field = op_field_named(row->request, name);
    if (field == NULL || field->kind != kind ||
        (!field->required && !*(const bool *)((const uint8_t *)request + field->has_offset))) {
        return NULL;
    }
    return member(request, field);
}

/* What a request asks about, while it is looked through. */
struct asked {
    const struct op_caller *caller;
    struct bytes user;
    node_foreign_cb foreign;
    void *arg;
    struct id128 first; /* zero: none */
    struct id128 found; /* the first that is foreign; zero: none */
    size_t count;
};

static void look_at(struct asked *asked, struct id128 object)
{
    if (asked->count++ == 0) {
        asked->first = object;
    }
    if (id128_is_zero(asked->found) &&
        asked->foreign(asked->arg, asked->caller, asked->user, object)) {
        asked->found = object;
    }
}

static void look_at_token(void *arg, struct op_token *token)
{
    look_at(arg, token->id);
}

static struct id128 object_of(struct asked *asked, const struct op_row *row,
                              union op_request *request)
{
    static const char *const ids[] = {"task", "session"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        const struct id128 *id = given(row, request, ids[i], OP_KIND_id);
        if (id != NULL) {
            look_at(asked, *id);
        }
    }
    bool named = asked->count > 0;
    op_visit_tokens(row->request, request, look_at_token, asked);
    if (!id128_is_zero(asked->found)) {
        return asked->found;
    }
    return named || asked->count == 1 ? asked->first : ID128_ZERO;
}

static struct op_denial row_of(const struct node_denial *denial)
{
    const uint8_t *texts = denial->texts;
    return (struct op_denial){
        .tenant = bytes_of(texts, denial->tenant_size),
        .name = bytes_of(texts + denial->tenant_size, denial->name_size),
        .user = bytes_of(texts + denial->tenant_size + denial->name_size, denial->user_size),
        .object = denial->object,
        .count = denial->count,
    };
}

static struct node_denial *find(struct node_denials *denials, const struct op_caller *caller,
                                struct bytes user)
{
    for (size_t i = 0; i < denials->count; i++) {
        struct op_denial row = row_of(&denials->rows[i]);
        if (bytes_equal(row.user, user) && bytes_equal(row.name, caller->name) &&
            bytes_equal(row.tenant, caller->tenant)) {
            return &denials->rows[i];
        }
    }
    return NULL;
}

static uint16_t append(uint8_t **at, struct bytes text)
{
    ASSERT(text.size <= OP_NAME_MAX);
    if (text.size > 0) {
        memcpy(*at, text.data, text.size);
        *at += text.size;
    }
    return (uint16_t)text.size;
}

static size_t rows_of(const struct node_denials *denials, const struct op_caller *caller)
{
    size_t count = 0;
    for (size_t i = 0; i < denials->count; i++) {
        struct op_denial row = row_of(&denials->rows[i]);
        count += bytes_equal(row.name, caller->name) && bytes_equal(row.tenant, caller->tenant);
    }
    return count;
}

/* NULL: there is no room for another row of this certificate. */
static struct node_denial *add(struct node_denials *denials, const struct op_caller *caller,
                               struct bytes user)
{
    if (denials->count == OP_DENIALS_MAX || rows_of(denials, caller) == DENIALS_SHARE) {
        return NULL;
    }
    struct node_denial *denial = &denials->rows[denials->count++];
    uint8_t *at = denial->texts;
    denial->tenant_size = append(&at, caller->tenant);
    denial->name_size = append(&at, caller->name);
    denial->user_size = append(&at, user);
    denial->count = 0;
    return denial;
}

static uint32_t one_more(uint32_t count)
{
    return count == UINT32_MAX ? count : count + 1;
}

void node_denials_clear(struct node_denials *denials)
{
    denials->count = 0;
    denials->overflow = 0;
}

void node_denials_note(struct node_denials *denials, const struct op_caller *caller,
                       const struct op_row *row, union op_request *request, node_foreign_cb foreign,
                       void *arg)
{
    const struct bytes *user = given(row, request, "user", OP_KIND_text);
    struct bytes acting = user == NULL ? BYTES_NONE : *user;
    struct asked asked = {.caller = caller, .user = acting, .foreign = foreign, .arg = arg};
    struct node_denial *denial = find(denials, caller, acting);
    if (denial == NULL) {
        denial = add(denials, caller, acting);
    }
    if (denial == NULL) {
        denials->overflow = one_more(denials->overflow);
        return;
    }
    denial->count = one_more(denial->count);
    denial->object = object_of(&asked, row, request);
}

uint64_t node_denials_delay(const struct node_denials *denials, uint64_t boot_us)
{
    if (denials->count == 0) {
        return OP_INFINITE;
    }
    if (denials->last_us == 0 || boot_us < denials->last_us) { /* the clock was set back */
        return 0;
    }
    return sat_sub(denials->last_us + DENIALS_SPACING_US, boot_us);
}

void node_denials_add(struct node_denials *denials, struct base_writer *writer)
{
    struct op_denial rows[OP_DENIALS_MAX];
    struct op_command command = {.number = OP_COMMAND_DENIALS};
    struct base_writer body;
    for (size_t i = 0; i < denials->count; i++) {
        rows[i] = row_of(&denials->rows[i]);
    }
    base_writer_init(&body, denials->body, sizeof(denials->body));
    op_denials_write(&body, rows, denials->count, denials->overflow);
    command.body = base_written(&body);
    op_entry_add(writer, &command);
}

void node_denials_sent(struct node_denials *denials, uint64_t boot_us)
{
    node_denials_clear(denials);
    denials->last_us = boot_us;
}

/* The protocol's tables as data, made from ops.def, enums.def and frame.h. Encodes nothing. */
#include "base/assert.h"
#include "op/head.h"
#include "op/op.h"

#include <string.h>

/* ---- enumerations ---- */

#define VALUE_(E, number, NAME, text) [number] = text,
#define ENUM_(name, E, VALUES)                                                                     \
    static const char *const texts_##name[] = {VALUES(VALUE_, E)};                                 \
    static const struct op_enum enum_##name = {#name, texts_##name,                                \
                                               sizeof texts_##name / sizeof texts_##name[0]};
OP_ENUMS(ENUM_)
#undef ENUM_
#undef VALUE_

/* ---- fields: one macro for each kind and column ---- */

#define BOUND_u64(bound) 0
#define BOUND_time_us(bound) 0
#define BOUND_boolean(bound) 0
#define BOUND_enumeration(bound) 0
#define BOUND_id(bound) 16
#define BOUND_blob(bound) (bound)
#define BOUND_text(bound) (bound)
#define BOUND_token(bound) OP_TOKEN_##bound
#define BOUND_list(bound) OP_MAX_##bound

#define COUNT_u64(S, name) 0
#define COUNT_time_us(S, name) 0
#define COUNT_boolean(S, name) 0
#define COUNT_enumeration(S, name) 0
#define COUNT_id(S, name) 0
#define COUNT_blob(S, name) 0
#define COUNT_text(S, name) 0
#define COUNT_token(S, name) 0
#define COUNT_list(S, name) offsetof(struct S, name##_count)

#define ENUMERATION_u64(bound) NULL
#define ENUMERATION_time_us(bound) NULL
#define ENUMERATION_boolean(bound) NULL
#define ENUMERATION_enumeration(bound) &enum_##bound
#define ENUMERATION_id(bound) NULL
#define ENUMERATION_blob(bound) NULL
#define ENUMERATION_text(bound) NULL
#define ENUMERATION_token(bound) NULL
#define ENUMERATION_list(bound) NULL

#define ITEM_u64(bound) NULL
#define ITEM_time_us(bound) NULL
#define ITEM_boolean(bound) NULL
#define ITEM_enumeration(bound) NULL
#define ITEM_id(bound) NULL
#define ITEM_blob(bound) NULL
#define ITEM_text(bound) NULL
#define ITEM_token(bound) NULL
#define ITEM_list(bound) &struct_op_item_##bound

#define NEED_REQUIRED true
#define NEED_OPTIONAL false

#define FIELD_(S, number, type, member, limit, need, text)                                         \
    {.tag = number,                                                                                \
     .kind = OP_KIND_##type,                                                                       \
     .name = #member,                                                                              \
     .offset = offsetof(struct S, member),                                                         \
     .has_offset = offsetof(struct S, has_##member),                                               \
     .count_offset = COUNT_##type(S, member),                                                      \
     .bound = BOUND_##type(limit),                                                                 \
     .required = NEED_##need,                                                                      \
     .enumeration = ENUMERATION_##type(limit),                                                     \
     .item = ITEM_##type(limit),                                                                   \
     .help = text},

/* The last element is there because C has no empty arrays; it is not counted. */
#define FIELDS_(S, FIELDS)                                                                         \
    static const struct op_field fields_##S[] = {FIELDS(FIELD_, S){.name = NULL}};
#define STRUCT_(S, text)                                                                           \
    {.name = text,                                                                                 \
     .size = sizeof(struct S),                                                                     \
     .fields = fields_##S,                                                                         \
     .field_count = sizeof fields_##S / sizeof fields_##S[0] - 1}

#define ITEM_STRUCT_(item, FIELDS, max)                                                            \
    FIELDS_(op_item_##item, FIELDS)                                                                \
    static const struct op_struct struct_op_item_##item = STRUCT_(op_item_##item, #item);
OP_ITEMS(ITEM_STRUCT_)
#undef ITEM_STRUCT_

#define PUBLIC_STRUCT_(S, FIELDS, text)                                                            \
    FIELDS_(S, FIELDS)                                                                             \
    const struct op_struct S##_struct = STRUCT_(S, text);
PUBLIC_STRUCT_(op_envelope, OP_ENVELOPE, "envelope")
PUBLIC_STRUCT_(op_details, OP_DETAILS, "details")
PUBLIC_STRUCT_(op_hello_request, OP_HELLO_REQUEST, "hello_request")
PUBLIC_STRUCT_(op_hello_reply, OP_HELLO_REPLY, "hello_reply")
PUBLIC_STRUCT_(op_status_request, OP_STATUS_REQUEST, "status_request")
PUBLIC_STRUCT_(op_status_reply, OP_STATUS_REPLY, "status_reply")
PUBLIC_STRUCT_(op_time_request, OP_TIME_REQUEST, "time_request")
PUBLIC_STRUCT_(op_time_reply, OP_TIME_REPLY, "time_reply")
PUBLIC_STRUCT_(op_snapshot_take_request, OP_SNAPSHOT_TAKE_REQUEST, "snapshot_take_request")
PUBLIC_STRUCT_(op_snapshot_take_reply, OP_SNAPSHOT_TAKE_REPLY, "snapshot_take_reply")
PUBLIC_STRUCT_(op_snapshot_read_request, OP_SNAPSHOT_READ_REQUEST, "snapshot_read_request")
PUBLIC_STRUCT_(op_snapshot_read_reply, OP_SNAPSHOT_READ_REPLY, "snapshot_read_reply")
PUBLIC_STRUCT_(op_cancel, OP_CANCEL, "cancel")
PUBLIC_STRUCT_(op_result_head, OP_RESULT_HEAD, "result")
PUBLIC_STRUCT_(op_error_head, OP_ERROR_HEAD, "error")
#undef PUBLIC_STRUCT_

#define ROW_STRUCTS_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)       \
    FIELDS_(op_##name##_request, OP_##FIELDS##_REQUEST)                                            \
    FIELDS_(op_##name##_reply, OP_##FIELDS##_REPLY)                                                \
    static const struct op_struct struct_op_##name##_request = STRUCT_(op_##name##_request,        \
                                                                       #name "_request");          \
    static const struct op_struct struct_op_##name##_reply = STRUCT_(op_##name##_reply,            \
                                                                     #name "_reply");
OP_TABLE(ROW_STRUCTS_)
#undef ROW_STRUCTS_

/* ---- methods: a row's name with its first underscore turned into a dot ---- */

enum { METHOD_BYTES = 25 };

/* Character i of a name that is padded with zeros. */
#define CHAR_(name, i) ((name "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")[i])
#define NO_BAR_(name, i) (CHAR_(name, i) != '_')
#define BEFORE_1_(n) NO_BAR_(n, 0)
#define BEFORE_2_(n) (BEFORE_1_(n) && NO_BAR_(n, 1))
#define BEFORE_3_(n) (BEFORE_2_(n) && NO_BAR_(n, 2))
#define BEFORE_4_(n) (BEFORE_3_(n) && NO_BAR_(n, 3))
#define BEFORE_5_(n) (BEFORE_4_(n) && NO_BAR_(n, 4))
#define BEFORE_6_(n) (BEFORE_5_(n) && NO_BAR_(n, 5))
#define BEFORE_7_(n) (BEFORE_6_(n) && NO_BAR_(n, 6))
#define BEFORE_8_(n) (BEFORE_7_(n) && NO_BAR_(n, 7))
#define BEFORE_9_(n) (BEFORE_8_(n) && NO_BAR_(n, 8))
#define BEFORE_10_(n) (BEFORE_9_(n) && NO_BAR_(n, 9))
#define BEFORE_11_(n) (BEFORE_10_(n) && NO_BAR_(n, 10))
#define BEFORE_12_(n) (BEFORE_11_(n) && NO_BAR_(n, 11))

/* The first underscore is among the first 13 characters (tests hold that). */
#define DOT_(n, i) (CHAR_(n, i) == '_' && BEFORE_##i##_(n) ? '.' : CHAR_(n, i))
#define METHOD_(n)                                                                                 \
    {CHAR_(n, 0),  DOT_(n, 1),   DOT_(n, 2),   DOT_(n, 3),   DOT_(n, 4),                           \
     DOT_(n, 5),   DOT_(n, 6),   DOT_(n, 7),   DOT_(n, 8),   DOT_(n, 9),                           \
     DOT_(n, 10),  DOT_(n, 11),  DOT_(n, 12),  CHAR_(n, 13), CHAR_(n, 14),                         \
     CHAR_(n, 15), CHAR_(n, 16), CHAR_(n, 17), CHAR_(n, 18), CHAR_(n, 19),                         \
     CHAR_(n, 20), CHAR_(n, 21), CHAR_(n, 22), CHAR_(n, 23), CHAR_(n, 24)}

#define ROW_METHOD_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)        \
    _Static_assert(sizeof #name <= METHOD_BYTES, "name too long");                                 \
    static const char method_##name[METHOD_BYTES] = METHOD_(#name);
OP_TABLE(ROW_METHOD_)
#undef ROW_METHOD_

/* ---- rows ---- */

#define WITHOUT_TIME_SERVED true
#define WITHOUT_TIME_RESERVE false
#define WITHOUT_TIME_REFUSED false
#define WITHOUT_TIME_STALE false
#define FROM_RESERVE_SERVED true
#define FROM_RESERVE_RESERVE true
#define FROM_RESERVE_REFUSED false
#define FROM_RESERVE_STALE false
#define MAY_BE_STALE_SERVED false
#define MAY_BE_STALE_RESERVE false
#define MAY_BE_STALE_REFUSED false
#define MAY_BE_STALE_STALE true

#define ROW_(number_, name_, FIELDS, access_, roles_, needs_, idempotency_, besides_, help_)       \
    {.number = OP_##name_,                                                                         \
     .name = #name_,                                                                               \
     .method = method_##name_,                                                                     \
     .access = OP_##access_,                                                                       \
     .roles = roles_,                                                                              \
     .needs = needs_,                                                                              \
     .idempotency = OP_##idempotency_,                                                             \
     .without_time = WITHOUT_TIME_##besides_,                                                      \
     .from_reserve = FROM_RESERVE_##besides_,                                                      \
     .may_be_stale = MAY_BE_STALE_##besides_,                                                      \
     .help = help_,                                                                                \
     .request = &struct_op_##name_##_request,                                                      \
     .reply = &struct_op_##name_##_reply},
static const struct op_row rows[] = {OP_TABLE(ROW_)};
#undef ROW_

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const struct op_row *op_rows(size_t *ret_count)
{
    *ret_count = ROW_COUNT;
    return rows;
}

uint64_t op_row_level(const struct op_row *row)
{
    static const struct {
        enum op_number number;
        uint64_t level;
    } later[] = {
#define LATER_(name, level) {OP_##name, level},
        OP_LATER(LATER_)
#undef LATER_
            {0, OP_LEVEL_FIRST}}; /* all others: it stands last */
    size_t i = 0;

    while (later[i].number != 0 && later[i].number != row->number) {
        i++;
    }
    return later[i].level;
}

const struct op_row *op_row_of_number(uint64_t number)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if ((uint64_t)rows[i].number == number) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct op_row *op_row_of_method(struct bytes method)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (bytes_equal(bytes_of_text(rows[i].method), method)) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *op_enum_text(const struct op_enum *e, uint32_t number)
{
    return number < e->count ? e->texts[number] : NULL;
}

bool op_enum_number(const struct op_enum *e, struct bytes text, uint32_t *ret_number)
{
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->texts[i] != NULL && bytes_equal(bytes_of_text(e->texts[i]), text)) {
            *ret_number = i;
            return true;
        }
    }
    return false;
}

const struct op_field *op_field_named(const struct op_struct *s, const char *name)
{
    for (size_t i = 0; i < s->field_count; i++) {
        if (bytes_equal(bytes_of_text(s->fields[i].name), bytes_of_text(name))) {
            return &s->fields[i];
        }
    }
    return NULL;
}

bool op_wrote(const struct op_row *row, enum op_outcome outcome, const void *reply)
{
    if (row->access != OP_EITHER) {
        return row->access == OP_WRITE;
    }
    return outcome == OP_OK &&
           *((const bool *)reply + op_field_named(row->reply, "written")->offset);
}

const char *op_access_text(enum op_access access)
{
    switch (access) {
    case OP_READ:
        return "read";
    case OP_WRITE:
        return "write";
    case OP_EITHER:
        return "read or write";
    }
    UNREACHABLE("all kinds of access are named");
}

const char *op_cause_text(uint32_t cause)
{
    return op_enum_text(&enum_end_cause, cause);
}

const char *op_class_name(enum op_class class)
{
    switch (class) {
    case OP_CLASS_DONE:
        return "DONE";
    case OP_CLASS_REFUSED:
        return "REFUSED";
    case OP_CLASS_RETRY:
        return "RETRY";
    case OP_CLASS_UNKNOWN:
        return "UNKNOWN";
    }
    UNREACHABLE("an outcome's class comes from outcome.def");
}

const struct op_field *op_minted_token(const struct op_row *row)
{
    for (size_t i = 0; i < row->reply->field_count; i++) {
        if (row->reply->fields[i].kind == OP_KIND_token) {
            return &row->reply->fields[i];
        }
    }
    return NULL;
}

const struct op_field *op_minted_for(const struct op_row *row)
{
    const struct op_field *minted = op_minted_token(row);
    const struct op_field *object = op_field_named(row->request, row->reply->fields[0].name);
    const struct op_field *token = op_field_named(row->request, minted->name);
    if (object != NULL && object->kind == OP_KIND_id) {
        return object;
    }
    return token != NULL && token->kind == OP_KIND_token && token->required ? token : NULL;
}

/* The protocol's types, made from ops.def, enums.def, outcome.def and limits.def.
 *
 * Pure data and pure functions: nothing here allocates, does I/O or knows what an operation means.
 * A decoded struct borrows from the bytes that it was decoded from.
 */
#ifndef OP_OP_H
#define OP_OP_H

#include "base/bytes.h"
#include "op/enums.def"
#include "op/limits.def"
#include "op/ops.def"
#include "op/outcome.def"

#define OP_NAME_MAX 128
#define OP_PERMISSION_MAX 64
#define OP_RESOURCE_MAX 256
#define OP_ADDRESS_MAX 45
#define OP_NETWORK_MAX 49
#define OP_FINGERPRINT_MAX 64
#define OP_INFINITE UINT64_MAX

/* ---- enumerations ---- */
#define OP_VALUE_(E, number, NAME, text) OP_##E##_##NAME = number,
#define OP_ENUM_(name, E, VALUES) enum op_##name{OP_##E##_NONE = 0, VALUES(OP_VALUE_, E)};
OP_ENUMS(OP_ENUM_)
#undef OP_ENUM_
#undef OP_VALUE_

enum op_class { OP_CLASS_DONE, OP_CLASS_REFUSED, OP_CLASS_RETRY, OP_CLASS_UNKNOWN };

#define OP_OUTCOME_(number, NAME, CLASS, message) OP_##NAME = number,
enum op_outcome { OP_OUTCOMES(OP_OUTCOME_) };
#undef OP_OUTCOME_

enum op_class op_outcome_class(enum op_outcome outcome);
/* "FENCED"; never NULL. */
const char *op_outcome_name(enum op_outcome outcome);
const char *op_outcome_message(enum op_outcome outcome);
/* False for a number that no outcome has. */
bool op_outcome_of(uint64_t number, enum op_outcome *ret_outcome);

/* A role is one bit, so that a row can name several. */
enum op_role { OP_ROLE_NONE = 0, OP_ROLE_PEER = 1, OP_ROLE_SERVICE = 2, OP_ROLE_OPERATOR = 4 };

/* ---- limits ---- */
struct op_limits {
#define OP_LIMIT_(tag, name, standard, least, greatest, help) uint64_t name;
    OP_LIMITS(OP_LIMIT_)
#undef OP_LIMIT_
};

/* The defaults of limits.def. */
void op_limits_init(struct op_limits *limits);
/* NULL when all lie within their bounds, otherwise the name of the first that does not. */
const char *op_limits_check(const struct op_limits *limits);
/* Sets one by its name; false when there is no such limit or the value is out of bounds. */
bool op_limits_set(struct op_limits *limits, struct bytes name, uint64_t value);
/* Tagged stored form: (count, then tag u16 and value u64 each). */
void op_limits_write(struct base_writer *writer, const struct op_limits *limits);
/* Defaults for what is absent; false on an unknown tag or a value out of bounds. */
bool op_limits_read(struct base_reader *reader, struct op_limits *ret_limits);

/* ---- tokens inside requests (text form and minting: op/token.h) ---- */
enum op_token_kind { OP_TOKEN_session = 1, OP_TOKEN_fence = 2 };

struct op_token {
    struct id128 incarnation;
    struct id128 id;      /* session selector, or task id */
    uint64_t epoch;       /* fence tokens: E, shown, never trusted */
    uint64_t attempt;     /* fence tokens: A */
    uint8_t secret[32];   /* as presented or minted; never stored, never encoded in a command */
    uint8_t verifier[32]; /* SHA-256(incarnation, id, secret): what the FSM compares */
};

/* ---- structs of fields ---- */
#define OP_TYPE_u64(name, bound) uint64_t name;
#define OP_TYPE_time_us(name, bound) uint64_t name;
#define OP_TYPE_boolean(name, bound) bool name;
#define OP_TYPE_enumeration(name, bound) uint32_t name; /* enum op_<bound> */
#define OP_TYPE_id(name, bound) struct id128 name;
#define OP_TYPE_blob(name, bound) struct bytes name;
#define OP_TYPE_text(name, bound) struct bytes name; /* UTF-8, no control characters */
#define OP_TYPE_token(name, bound) struct op_token name;
#define OP_TYPE_list(name, bound)                                                                  \
    uint32_t name##_count;                                                                         \
    struct op_item_##bound name[OP_MAX_##bound];
/* `has_x` is meaningful for OPTIONAL fields; a decoder sets it for every field. */
#define OP_MEMBER_(S, tag, kind, name, bound, need, help)                                          \
    bool has_##name;                                                                               \
    OP_TYPE_##kind(name, bound)

#define OP_ITEM_MAX_(name, FIELDS, max) OP_MAX_##name = max,
enum { OP_ITEMS(OP_ITEM_MAX_) OP_ITEM_MAX_END_ };
#undef OP_ITEM_MAX_

#define OP_ITEM_STRUCT_(name, FIELDS, max)                                                         \
    struct op_item_##name {                                                                        \
        FIELDS(OP_MEMBER_, op_item_##name)                                                         \
    };
OP_ITEMS(OP_ITEM_STRUCT_)
#undef OP_ITEM_STRUCT_

struct op_envelope {
    OP_ENVELOPE(OP_MEMBER_, op_envelope)
};

/* Why something was refused. Zero it before use. */
struct op_details {
    OP_DETAILS(OP_MEMBER_, op_details)
};

/* struct op_session_create_request, struct op_session_create_reply, … ; `op_unused_` keeps an
 * operation without fields a C struct. */
#define OP_STRUCTS_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)        \
    struct op_##name##_request {                                                                   \
        bool op_unused_;                                                                           \
        OP_##FIELDS##_REQUEST(OP_MEMBER_, op_##name##_request)                                     \
    };                                                                                             \
    struct op_##name##_reply {                                                                     \
        bool op_unused_;                                                                           \
        OP_##FIELDS##_REPLY(OP_MEMBER_, op_##name##_reply)                                         \
    };
OP_TABLE(OP_STRUCTS_)
#undef OP_STRUCTS_

/* OP_session_create = 2, … */
#define OP_NUMBER_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)         \
    OP_##name = number,
enum op_number { OP_NUMBER_NONE_ = 0, OP_TABLE(OP_NUMBER_) };
#undef OP_NUMBER_

union op_request {
    bool op_unused_;
#define OP_UNION_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)          \
    struct op_##name##_request name;
    OP_TABLE(OP_UNION_)
#undef OP_UNION_
};

union op_reply {
    bool op_unused_;
#define OP_UNION_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)          \
    struct op_##name##_reply name;
    OP_TABLE(OP_UNION_)
#undef OP_UNION_
};

/* ---- the tables as data ---- */
enum op_kind {
    OP_KIND_u64,
    OP_KIND_time_us,
    OP_KIND_boolean,
    OP_KIND_enumeration,
    OP_KIND_id,
    OP_KIND_blob,
    OP_KIND_text,
    OP_KIND_token,
    OP_KIND_list,
};

/* OP_EITHER: a command where it has something to write, otherwise a read (docs/MODEL.md T7). Its
 * reply says which by a boolean field `written`. */
enum op_access { OP_READ, OP_WRITE, OP_EITHER };
enum op_idempotency { OP_FREE, OP_NUMBERED };

struct op_struct;
struct op_enum;

struct op_field {
    uint8_t tag;
    enum op_kind kind;
    const char *name;
    size_t offset;       /* of the value in its struct */
    size_t has_offset;   /* of has_<name> */
    size_t count_offset; /* lists: of <name>_count */
    size_t bound;        /* blob, text: bytes; list: items; token: enum op_token_kind */
    bool required;
    const struct op_enum *enumeration; /* enumerations only */
    const struct op_struct *item;      /* lists only */
    const char *help;
};

struct op_struct {
    const char *name;
    size_t size;
    const struct op_field *fields;
    size_t field_count;
};

struct op_enum {
    const char *name;
    const char *const *texts; /* by number; NULL where there is none */
    size_t count;             /* greatest number + 1 */
};

struct op_row {
    enum op_number number;
    const char *name;   /* "session_create" */
    const char *method; /* "session.create": on the wire and, with a space, on the command line */
    enum op_access access;
    uint32_t roles;
    const char *needs;
    enum op_idempotency idempotency;
    bool without_time; /* served while no clock has survived */
    bool from_reserve; /* served while disks are short of space */
    bool may_be_stale; /* a read that any node answers as it stands, when asked for so */
    const char *help;
    const struct op_struct *request;
    const struct op_struct *reply;
};

extern const struct op_struct op_envelope_struct;
extern const struct op_struct op_details_struct;

/* Feature levels: what all members of a cluster can read, and so what may be written. A cluster is
 * born at the first; this program knows all up to OP_LEVEL (docs/ARCHITECTURE.md). */
enum { OP_LEVEL_FIRST = 1, OP_LEVEL = 1 };

/* Rows in the table's order. */
const struct op_row *op_rows(size_t *ret_count);
/* NULL when there is none. */
const struct op_row *op_row_of_number(uint64_t number);
const struct op_row *op_row_of_method(struct bytes method);
/* The cluster's feature level from which on the operation is served. */
uint64_t op_row_level(const struct op_row *row);
/* The token that the row's reply mints, or NULL. */
const struct op_field *op_minted_token(const struct op_row *row);
/* The request's field that names the object which that token is for, an id or the token that it
 * replaces; NULL: the leader draws its id. Of a row that mints. */
const struct op_field *op_minted_for(const struct op_row *row);
/* "read", "write", "read or write". */
const char *op_access_text(enum op_access access);
/* Did a command give this answer: to OP_EITHER, the reply's `written` says it. `reply` is looked at
 * only when the outcome is OK. */
bool op_wrote(const struct op_row *row, enum op_outcome outcome, const void *reply);
/* The field of that name, or NULL. */
const struct op_field *op_field_named(const struct op_struct *s, const char *name);
/* NULL for a number that the enumeration has not. */
const char *op_enum_text(const struct op_enum *e, uint32_t number);
bool op_enum_number(const struct op_enum *e, struct bytes text, uint32_t *ret_number);
const char *op_cause_text(uint32_t cause);

/* `[a-z0-9_.:-]{1,64}` (docs/MODEL.md section 2). */
bool op_permission_valid(struct bytes permission);

/* Calls `visit` for every present token of a decoded struct, those of list items included. */
void op_visit_tokens(const struct op_struct *s, void *value,
                     void (*visit)(void *arg, struct op_token *token), void *arg);

/* ---- stored form: commands in the log, dedupe replies, FSM replies ----
 *
 * A struct is: u8 field count, then for each present field in ascending tag order: u8 tag and its
 * value (u64, time: u64; boolean: u8; enumeration: u32; id: 16; blob, text: u32 length and bytes;
 * token: kind u8, incarnation, id, epoch and attempt (0 for a session's), verifier; list: u32 count
 * and structs). One value has one encoding, so that a digest over it is well defined. */
enum op_store_flags {
    OP_STORE_ALL = 0,
    /* For the digest of (task, operation), docs/MODEL.md section 6: the struct's own tokens, which
     * show who asks, are left out; a list's tokens, which say what is asked for, keep only
     * incarnation and id. Cannot be loaded again. */
    OP_STORE_WITHOUT_TOKENS = 1,
};

void op_store(struct base_writer *writer, const struct op_struct *s, const void *value,
              enum op_store_flags flags);
/* Strict: unknown, repeated or descending tags, missing required fields, values out of bounds fail.
 * `ret_value` is zeroed first. */
bool op_load(struct base_reader *reader, const struct op_struct *s, void *ret_value);

#endif

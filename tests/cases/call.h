/* One call of a case file: an operation of the table, its fields, and what surrounds them. */
#ifndef TESTS_CASES_CALL_H
#define TESTS_CASES_CALL_H

#include "tests/cases/words.h"

struct call {
    const struct op_row *row; /* NULL: `kind` is one of the commands that no client asks for */
    uint32_t kind;            /* enum op_command_kind */
    uint64_t term;
    uint64_t count; /* of DENIALS */
    union op_request request;
    struct op_caller caller;
    struct op_command command; /* of writes: all but the body */
    uint64_t minted_secret;
    struct bytes name; /* `as`, or empty */
    uint64_t clock;    /* of reads */
};

/* Reads the words; draws ids and secrets, numbers the request, binds `as`, and has the caller's
 * client registered when it has none (an entry of its own, before this one). `ahead`: commands that
 * stand before this one in its entry. */
void call_read(struct scenario *scenario, const struct words *words, size_t ahead,
               struct call *ret_call);
/* Appends the command to an entry. */
void call_encode(const struct call *call, struct base_writer *writer);
/* Takes over what the answer says about the names that the call has bound. `reply`: decoded. */
void call_bound(struct scenario *scenario, const struct call *call, const void *reply);
/* Kind of the token that the operation mints, 0 for none. */
uint32_t call_mints(const struct op_row *row);

/* ---- value.c: one argument by the table's kinds ---- */
/* Writes the value of `field` into the request at `base`. */
void value_read(struct scenario *scenario, const struct op_field *field, struct bytes text,
                void *base);
/* NULL when the struct has no such field. */
const struct op_field *field_of(const struct op_struct *s, struct bytes name);

#endif

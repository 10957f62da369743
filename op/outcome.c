/* Names, messages and classes of the outcomes, from outcome.def. Decides nothing. */
#include "base/assert.h"
#include "op/op.h"

struct outcome_row {
    const char *name; /* NULL: no outcome has this number */
    const char *message;
    enum op_class class;
};

#define ROW_(number, NAME, CLASS, message) [number] = {#NAME, message, OP_CLASS_##CLASS},
static const struct outcome_row outcome_rows[] = {OP_OUTCOMES(ROW_)};
#undef ROW_

enum { OUTCOME_END = sizeof outcome_rows / sizeof outcome_rows[0] };

static const struct outcome_row *row_of(enum op_outcome outcome)
{
    size_t number = (size_t)outcome;

    ASSERT(number < OUTCOME_END && outcome_rows[number].name != NULL);
    return &outcome_rows[number];
}

enum op_class op_outcome_class(enum op_outcome outcome)
{
    return row_of(outcome)->class;
}

const char *op_outcome_name(enum op_outcome outcome)
{
    return row_of(outcome)->name;
}

const char *op_outcome_message(enum op_outcome outcome)
{
    return row_of(outcome)->message;
}

bool op_outcome_of(uint64_t number, enum op_outcome *ret_outcome)
{
    if (number >= OUTCOME_END || outcome_rows[number].name == NULL) {
        return false;
    }
    *ret_outcome = (enum op_outcome)number;
    return true;
}

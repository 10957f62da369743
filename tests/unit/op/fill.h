/* Fills any struct of the op table from a seed. For tests; knows no field by name. */
#ifndef TESTS_UNIT_OP_FILL_H
#define TESTS_UNIT_OP_FILL_H

#include "op/op.h"

enum fill_mode {
    FILL_LEAST,  /* required fields only, of the least size */
    FILL_RANDOM, /* each optional field or not, sizes small (64 bytes at most) */
    FILL_SMALL,  /* every field, small; lists of one or two */
    FILL_FULL,   /* every field, of the greatest size */
};

struct fill {
    uint64_t random; /* state of the generator: the seed */
    enum fill_mode mode;
    bool verifiers;  /* tokens with verifiers and without secrets, as they are stored */
    uint8_t *memory; /* what the struct borrows; FILL_MEMORY bytes */
    size_t used;
};

enum { FILL_MEMORY = 256 * 1024 };

uint64_t fill_random(struct fill *fill);
/* Zeroes `ret_value` and fills it. What it borrows lies in fill->memory, from its start on. */
void fill_struct(struct fill *fill, const struct op_struct *s, void *ret_value);

/* Both structs have the same fields with the same values, secrets included. */
bool fill_same(const struct op_struct *s, const void *a, const void *b);

#endif

/* Rows of DENIALS: who was answered NOT_FOUND, how often, and what he had asked about last. No
 * secret is in them, and not who owns what was asked about: each node finds that itself.
 *
 *   body     u32 overflow, u16 rows, then per row: tenant, certificate, user (each u16 size and
 *            text), object (16 bytes), u32 count
 */
#ifndef OP_DENIALS_H
#define OP_DENIALS_H

#include "op/op.h"

enum { OP_DENIALS_MAX = 256, OP_DENIALS_BYTES_MAX = 48 * 1024 };

struct op_denial {
    struct bytes tenant; /* of the certificate */
    struct bytes name;   /* of the certificate */
    struct bytes user;   /* that it acted for; empty: none */
    struct id128 object; /* zero: none */
    uint32_t count;      /* never 0 */
};

struct op_denials {
    uint32_t overflow; /* denials that no row has: more were refused than fit */
    uint16_t count;
    struct base_reader rows;
};

/* Writes as many of the rows as fit into OP_DENIALS_BYTES_MAX; the others go into the overflow. */
void op_denials_write(struct base_writer *writer, const struct op_denial *rows, size_t count,
                      uint32_t overflow);
/* Reads the head and checks all rows, which op_denials_next gives then, one at a time. False: the
 * bytes are none that op_denials_write has written. */
bool op_denials_read(struct bytes body, struct op_denials *ret_denials);
/* False when there is none left. Borrows from the body. */
bool op_denials_next(struct op_denials *denials, struct op_denial *ret_row);

#endif

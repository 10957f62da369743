/* Inside op/: MessagePack read one token at a time, bounded and strict. Knows no field, no schema.
 *
 * Strict: each header in its shortest form, a count never greater than what the bytes left could
 * hold, no byte past the end ever looked at. What msgpack-c accepts in several spellings has one
 * here.
 */
#ifndef OP_PACK_H
#define OP_PACK_H

#include "base/bytes.h"

/* Containers in one another, the message's own array included. */
enum { OP_PACK_DEPTH_MAX = 8 };

enum op_pack_kind {
    OP_PACK_NIL,
    OP_PACK_BOOLEAN,
    OP_PACK_UNSIGNED,
    OP_PACK_NEGATIVE, /* its value is dropped: no field is negative */
    OP_PACK_FLOAT,    /* its value is dropped: no field is a fraction */
    OP_PACK_STR,
    OP_PACK_BIN,
    OP_PACK_EXT, /* its content is dropped */
    OP_PACK_ARRAY,
    OP_PACK_MAP,
};

struct op_pack {
    enum op_pack_kind kind;
    uint64_t number;    /* boolean: 0 or 1; array, map: the count of elements or pairs */
    struct bytes bytes; /* str, bin */
};

/* Reads one scalar whole, or a container's header. On refusal: false, and what is wrong in
 * `ret_fault` (static storage); the reader is then of no further use. */
bool op_pack_read(struct base_reader *reader, struct op_pack *ret_pack, const char **ret_fault);

/* Reads one value with all that is in it and drops it. `depth`: containers that it lies in. */
bool op_pack_skip(struct base_reader *reader, unsigned depth, const char **ret_fault);

#endif

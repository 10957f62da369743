/* Inside op/: the keys that every result and every error has (op/frame.h: struct op_reply_head).
 *
 * An operation's reply has no field of these names (tests hold that); of hello and status, whose
 * replies repeat some, one key of the map stands for both.
 */
#ifndef OP_HEAD_H
#define OP_HEAD_H

#include "op/frame.h"

enum { OP_MESSAGE_MAX = 512 };

#define OP_COMMON_HEAD(F, S)                                                                       \
    F(S, 1, u64, position, 0, REQUIRED, "position of the command, or that a read is true at")      \
    F(S, 2, u64, T, 0, REQUIRED, "cluster time at that position")                                  \
    F(S, 3, u64, clock, 0, REQUIRED, "the leader's clock between arrival and this answer, or 0")   \
    F(S, 4, u64, term, 0, REQUIRED, "the leader's term")                                           \
    F(S, 5, boolean, superseded, 0, OPTIONAL, "done, but a later try has the secret")              \
    F(S, 6, text, leader, OP_NAME_MAX, OPTIONAL, "client address of the leader")

#define OP_STALE_HEAD(F, S)                                                                        \
    F(S, 11, boolean, stale, 0, OPTIONAL, "true at that position, and perhaps no more: as asked")

#define OP_RESULT_HEAD(F, S)                                                                       \
    OP_COMMON_HEAD(F, S)                                                                           \
    OP_STALE_HEAD(F, S)

#define OP_ERROR_HEAD(F, S)                                                                        \
    OP_COMMON_HEAD(F, S)                                                                           \
    F(S, 7, u64, code, 0, REQUIRED, "number of the outcome")                                       \
    F(S, 8, text, name, OP_NAME_MAX, REQUIRED, "name of the outcome")                              \
    F(S, 9, text, class, OP_NAME_MAX, REQUIRED, "class of the outcome")                            \
    F(S, 10, text, message, OP_MESSAGE_MAX, REQUIRED, "what to tell a person")                     \
    OP_STALE_HEAD(F, S)

/* Beside these an error may have the key `details`: a map of struct op_details. */
#define OP_KEY_DETAILS "details"

struct op_result_head {
    OP_RESULT_HEAD(OP_MEMBER_, op_result_head)
};
struct op_error_head {
    OP_ERROR_HEAD(OP_MEMBER_, op_error_head)
};

extern const struct op_struct op_result_head_struct;
extern const struct op_struct op_error_head_struct;

/* "DONE", "REFUSED", "RETRY", "UNKNOWN". */
const char *op_class_name(enum op_class class);

#endif

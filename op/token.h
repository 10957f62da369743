/* The text of tokens: opaque to clients, checked for shape here and for truth in fsm/.
 *
 * `tn1_` + base64url(incarnation 16, selector 16, secret 32, CRC32C 4) for a session;
 * `tf1_` + base64url(incarnation 16, task id 16, E 8, A 8, secret 32, CRC32C 4) for a fence
 * (integers little-endian; the checksum covers the kind's prefix and all bytes before it).
 */
#ifndef OP_TOKEN_H
#define OP_TOKEN_H

#include "op/op.h"

#define OP_TOKEN_TEXT_MAX 128

/* Parses text into incarnation, id, epoch, attempt and secret; the verifier is left zero. False
 * when it is not a well-formed token of that kind (prefix, alphabet, length, checksum). */
bool op_token_read(struct bytes text, enum op_token_kind kind, struct op_token *ret_token);
/* Writes the text without terminator. */
void op_token_write(struct base_writer *writer, enum op_token_kind kind,
                    const struct op_token *token);
/* The 64 bytes that the verifier is the SHA-256 of: incarnation, id, secret. */
void op_token_verifier_input(const struct op_token *token, uint8_t ret_input[64]);

#endif

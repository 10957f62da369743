/* base64url without padding (RFC 4648 section 5) and lower-case hexadecimal; strict both ways. */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/bytes.h"

/* Characters that `size` bytes encode to, without a terminator. */
size_t base64url_size(size_t size);
/* Writes base64url_size(source.size) characters and no terminator into `writer`. */
void base64url_write(struct base_writer *writer, struct bytes source);
/* Decodes into `buffer` of `capacity`. False on any foreign character, padding, impossible length,
 * non-zero trailing bits, or when it does not fit; `ret_size` is untouched then. */
bool base64url_read(struct bytes text, void *buffer, size_t capacity, size_t *ret_size);

/* 2 * source.size characters and a terminator into `buffer` (which must hold them). */
void hex_write(char *buffer, struct bytes source);
/* Exactly `size` bytes from 2 * size hexadecimal digits of either case. */
bool hex_read(struct bytes text, void *buffer, size_t size);

#endif

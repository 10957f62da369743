/* Text in the form that manual pages take. */
#ifndef BASE_TROFF_H
#define BASE_TROFF_H

#include <stddef.h>

/* Writes `text` so that troff prints it as it stands: neither a request at the beginning of a line,
 * nor an escape, nor a hyphen for a minus. At most `size` - 1 characters and a terminator; a
 * character that does not fit as a whole is left out, with all behind it. */
void base_troff(char *ret_text, size_t size, const char *text);

#endif

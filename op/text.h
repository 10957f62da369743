/* What a text may consist of. Knows no field and no language. */
#ifndef OP_TEXT_H
#define OP_TEXT_H

#include "base/bytes.h"

/* Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF) without control
 * characters (U+0000..U+001F, U+007F..U+009F). The empty text is one. */
bool op_text_valid(struct bytes text);

#endif

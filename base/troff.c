/* Text in the form that manual pages take: escapes, and nothing else of troff. */
#include "base/troff.h"

#include <string.h>

/* NULL: the character stands for itself. */
static const char *escape_of(char character)
{
    switch (character) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '`':
        return "\\(ga";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    default:
        return NULL;
    }
}

void base_troff(char *ret_text, size_t size, const char *text)
{
    size_t used = 0;
    if (text[0] == '.' && size > 2) {
        memcpy(ret_text, "\\&", 2);
        used = 2;
    } else if (text[0] == '.') {
        text = "";
    }
    for (; *text != '\0'; text++) {
        const char *escape = escape_of(*text);
        size_t more = escape == NULL ? 1 : strlen(escape);
        if (used + more >= size) {
            break;
        }
        memcpy(ret_text + used, escape == NULL ? text : escape, more);
        used += more;
    }
    ret_text[used] = '\0';
}

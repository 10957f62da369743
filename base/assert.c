/* The end of a process whose invariant is broken. Never called for bytes from outside. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void base_assert_failed(const char *file, int line, const char *function,
                                  const char *text)
{
    (void)fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function, text);
    (void)fflush(stderr);
    abort();
}

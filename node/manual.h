/* The manual pages of the daemon and of its configuration. */
#ifndef NODE_MANUAL_H
#define NODE_MANUAL_H

#include <stdbool.h>

/* Prints tenured(8) or tenured.yaml(5) to standard output, as troff (the man macros). False: there
 * is no page in that section. */
bool node_manual_print(const char *section);

#endif

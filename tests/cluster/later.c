/* Makes tenured the program of a later release: it knows one feature level more. Linked instead of
 * node/release.c, and into no program that is installed. */
#include "node/level.h"
#include "op/command.h"

uint32_t node_release_level(void)
{
    return OP_LEVEL + 1;
}

/* Which feature levels this release knows; alone here, so that a test can be another release. */
#include "node/level.h"
#include "op/command.h"

uint32_t node_release_level(void)
{
    return OP_LEVEL;
}

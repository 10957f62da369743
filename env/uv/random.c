/* Random bytes from the kernel. Keeps no pool of its own. */
#include "env/random.h"

#include "base/assert.h"

#include <errno.h>
#include <sys/random.h>

void env_random(struct env *env, void *buffer, size_t size)
{
    (void)env;
    uint8_t *at = buffer;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        ASSERT(got > 0);
        at += got;
        size -= (size_t)got;
    }
}

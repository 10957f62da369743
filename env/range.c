/* Reserved address ranges by mmap. Does not decide how much is needed. */
#include "env/range.h"

#include <sys/mman.h>

void *env_range_reserve(size_t size)
{
    void *range = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return range == MAP_FAILED ? NULL : range;
}

void env_range_release(void *range, size_t size)
{
    if (range != NULL) {
        (void)munmap(range, size);
    }
}

/* What this process uses of its machine. */
#include "env/uv/uv.h"

#include <uv.h>

struct env_uv_usage env_uv_usage(void)
{
    uv_rusage_t used;
    size_t resident = 0;
    struct env_uv_usage usage = {0};
    if (uv_getrusage(&used) == 0) {
        usage.cpu_us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    }
    if (uv_resident_set_memory(&resident) == 0) {
        usage.resident_bytes = resident;
    }
    return usage;
}

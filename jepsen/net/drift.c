/* A library to preload: the monotonic clock and the boot clock of a process run faster or slower
 * than the machine's, and the monotonic one jumps ahead. Leaves the wall clock alone.
 *
 * The file that JEPSEN_DRIFT names has two numbers of fixed width, "%+08d %+014lld": parts in a
 * million that both clocks run faster, and nanoseconds that the monotonic one lies ahead. It may be
 * written over at any time; neither clock ever goes back.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 24, SECOND = 1000000000, MILLION = 1000000 };

struct shifted {
    int64_t machine_ns, shown_ns, ppm, ahead_ns; /* since the rate was changed last */
};

/* One for all threads of the process: there is nobody who could hand it over. */
static struct {
    pthread_mutex_t lock;
    const char *orders; /* mapped; NULL: no file */
    struct shifted mono, boot;
} drift = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void map_orders(void)
{
    const char *path = getenv("JEPSEN_DRIFT");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        void *mapped = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, file, 0);
        drift.orders = mapped == MAP_FAILED ? NULL : mapped;
        close(file);
    }
}

/* What the clock shows at the machine's `now_ns`. */
static int64_t show(struct shifted *clock, int64_t now_ns, int64_t ppm, int64_t ahead_ns)
{
    int64_t since_ns = now_ns - clock->machine_ns;
    int64_t shown_ns = clock->shown_ns + since_ns + since_ns * clock->ppm / MILLION;
    if (clock->machine_ns == 0) {
        shown_ns = now_ns;
    }
    if (clock->machine_ns == 0 || clock->ppm != ppm || ahead_ns > clock->ahead_ns) {
        shown_ns += ahead_ns > clock->ahead_ns ? ahead_ns - clock->ahead_ns : 0;
        *clock = (struct shifted){now_ns, shown_ns, ppm, ahead_ns};
    }
    return shown_ns;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    char text[SIZE + 1] = "";
    char *rest = text;
    int status = (int)syscall(SYS_clock_gettime, id, ret);
    if (status != 0 || (id != CLOCK_MONOTONIC && id != CLOCK_BOOTTIME)) {
        return status;
    }
    pthread_mutex_lock(&drift.lock);
    if (drift.orders == NULL) {
        map_orders();
    }
    if (drift.orders != NULL) {
        memcpy(text, drift.orders, SIZE);
    }
    int64_t ppm = strtoll(text, &rest, 10);
    int64_t ahead_ns = id == CLOCK_MONOTONIC ? strtoll(rest, NULL, 10) : 0;
    int64_t now_ns = ret->tv_sec * (int64_t)SECOND + ret->tv_nsec;
    now_ns = show(id == CLOCK_MONOTONIC ? &drift.mono : &drift.boot, now_ns, ppm, ahead_ns);
    pthread_mutex_unlock(&drift.lock);
    ret->tv_sec = now_ns / SECOND;
    ret->tv_nsec = now_ns % SECOND;
    return 0;
}

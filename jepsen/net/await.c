/* jepsen-await SECONDS PID: returns when that process has ended, its status 0; status 1 when it has
 * not within so long, 2 when it cannot be told. Ends nothing and looks at nothing meanwhile. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: jepsen-await SECONDS PID\n");
        return 2;
    }
    int process = (int)syscall(SYS_pidfd_open, (pid_t)strtol(argv[2], NULL, 10), 0);
    if (process < 0) {
        return errno == ESRCH ? 0 : 2;
    }
    struct pollfd ready = {.fd = process, .events = POLLIN};
    int came = poll(&ready, 1, (int)strtol(argv[1], NULL, 10) * 1000);
    return came > 0 ? 0 : came == 0 ? 1 : 2;
}

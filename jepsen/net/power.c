/* jepsen-power FOLDER: shuts the file system of FOLDER down without writing anything out, not even
 * its journal: as a machine that loses power. Nothing but unmounting it helps then. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SHUTDOWN _IOR('X', 125, uint32_t) /* of ext4 and XFS; no header of the system has it */
enum { WITHOUT_LOG_FLUSH = 2 };

int main(int argc, char **argv)
{
    uint32_t flags = WITHOUT_LOG_FLUSH;
    if (argc != 2) {
        fprintf(stderr, "usage: jepsen-power FOLDER\n");
        return 2;
    }
    int folder = open(argv[1], O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (folder < 0 || ioctl(folder, SHUTDOWN, &flags) != 0) {
        perror(argv[1]);
        return 1;
    }
    close(folder);
    return 0;
}

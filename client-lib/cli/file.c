/* Small whole files: read them, and make new ones that never replace an old one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client-lib/cli/cli.h"

static bool take_all(struct cli_memory *memory, FILE *file, struct bytes *ret_content)
{
    size_t size = 0;
    char *content = NULL;
    for (size_t capacity = 4096; capacity <= 2 * CLI_FILE_MAX; capacity *= 2) {
        char *larger = cli_take(memory, capacity + 1);
        memcpy(larger, size == 0 ? "" : content, size);
        content = larger;
        size += fread(content + size, 1, capacity - size, file);
        if (size < capacity) {
            *ret_content = bytes_of(content, size);
            return !ferror(file);
        }
    }
    errno = EFBIG;
    return false;
}

bool cli_file_read(struct cli_memory *memory, const char *path, struct bytes *ret_content,
                   struct cli_error *ret_error)
{
    bool standard = strcmp(path, "-") == 0;
    errno = 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    bool taken = file != NULL && take_all(memory, file, ret_content);
    int cause = errno;
    if (file != NULL && !standard) {
        fclose(file);
    }
    return taken || cli_fail(ret_error, "cannot read %s: %s", path, strerror(cause));
}

static bool write_all(int fd, const char *content)
{
    size_t left = strlen(content);
    while (left > 0) {
        ssize_t written = write(fd, content, left);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        size_t done = written < 0 ? 0 : (size_t)written;
        content += done;
        left -= done;
    }
    return fsync(fd) == 0;
}

bool cli_file_create(const char *path, unsigned mode, const char *content,
                     struct cli_error *ret_error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0 && errno == EEXIST) {
        return cli_fail(ret_error, "%s exists already: move it away, or name another", path);
    }
    bool written = fd >= 0 && write_all(fd, content);
    int cause = errno;
    bool closed = fd >= 0 && close(fd) == 0;
    if (!written || !closed) {
        if (fd >= 0) {
            unlink(path);
        }
        return cli_fail(ret_error, "cannot write %s: %s", path, strerror(written ? errno : cause));
    }
    return true;
}

bool cli_file_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

bool cli_folder_make(const char *path, struct cli_error *ret_error)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
        return true;
    }
    return cli_fail(ret_error, "cannot make the folder %s: %s", path, strerror(errno));
}

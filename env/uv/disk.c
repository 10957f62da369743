/* Files by direct system calls. Caches nothing and decides nothing about durability. */
#include "env/disk.h"

#include "env/uv/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct env_file {
    int fd;
};

enum { FILE_MODE = 0600, ZEROS_MAX = 64 * 1024 };

static int open_flags(enum env_open_mode mode)
{
    switch (mode) {
    case ENV_OPEN_READ:
        return O_RDONLY;
    case ENV_OPEN_WRITE:
        return O_RDWR;
    case ENV_OPEN_CREATE:
        return O_RDWR | O_CREAT | O_EXCL;
    }
    return O_RDONLY;
}

int env_file_open(struct env *env, const char *path, enum env_open_mode mode,
                  struct env_file **ret_file)
{
    (void)env;
    struct env_file *file = malloc(sizeof(*file));
    if (file == NULL) {
        return ENV_LIMIT;
    }
    do {
        file->fd = open(path, open_flags(mode) | O_CLOEXEC | O_NOCTTY, FILE_MODE);
    } while (file->fd < 0 && errno == EINTR);
    if (file->fd < 0) {
        int rc = env_of_errno(errno);
        free(file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

void env_file_close(struct env_file *file)
{
    if (file != NULL) {
        (void)close(file->fd);
        free(file);
    }
}

int env_file_size(struct env_file *file, uint64_t *ret_size)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0) {
        return env_of_errno(errno);
    }
    *ret_size = (uint64_t)status.st_size;
    return 0;
}

static bool offset_fits(uint64_t offset, uint64_t size)
{
    return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

int env_file_read(struct env_file *file, uint64_t offset, void *buffer, size_t size,
                  size_t *ret_size)
{
    if (!offset_fits(offset, size)) {
        return ENV_INVALID;
    }
    size_t total = 0;
    while (total < size) {
        ssize_t got = pread(file->fd, (uint8_t *)buffer + total, size - total,
                            (off_t)(offset + total));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return env_of_errno(errno);
        }
        if (got == 0) {
            break;
        }
        total += (size_t)got;
    }
    *ret_size = total;
    return 0;
}

int env_file_write(struct env_file *file, uint64_t offset, struct bytes data)
{
    if (!offset_fits(offset, data.size)) {
        return ENV_INVALID;
    }
    size_t total = 0;
    while (total < data.size) {
        ssize_t put = pwrite(file->fd, data.data + total, data.size - total,
                             (off_t)(offset + total));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return env_of_errno(errno);
        }
        total += (size_t)put;
    }
    return 0;
}

/* For file systems that cannot allocate: writes the zeros. */
static int extend_with_zeros(struct env_file *file, uint64_t size)
{
    static const uint8_t zeros[ZEROS_MAX];
    uint64_t at = 0;
    int rc = env_file_size(file, &at);
    while (rc == 0 && at < size) {
        size_t piece = size - at < ZEROS_MAX ? (size_t)(size - at) : ZEROS_MAX;
        rc = env_file_write(file, at, bytes_of(zeros, piece));
        at += piece;
    }
    return rc;
}

int env_file_allocate(struct env_file *file, uint64_t size)
{
    if (!offset_fits(0, size)) {
        return ENV_INVALID;
    }
    if (size == 0) {
        return 0;
    }
    int rc = 0;
    do {
        rc = fallocate(file->fd, 0, 0, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno == EOPNOTSUPP) {
        return extend_with_zeros(file, size);
    }
    return rc == 0 ? 0 : env_of_errno(errno);
}

int env_file_truncate(struct env_file *file, uint64_t size)
{
    if (!offset_fits(0, size)) {
        return ENV_INVALID;
    }
    int rc = 0;
    do {
        rc = ftruncate(file->fd, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : env_of_errno(errno);
}

/* Never again after an error: the kernel forgets what it failed to write (fsync(2)). */
int env_file_sync(struct env_file *file)
{
    return fdatasync(file->fd) == 0 ? 0 : env_of_errno(errno);
}

/* An open-file-description lock: it belongs to this open file, not to the process, so a second open
 * of the same process is refused as well and closing another one does not drop it. */
int env_file_lock(struct env_file *file)
{
    struct flock lock;
    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(file->fd, F_OFD_SETLK, &lock) == 0) {
        return 0;
    }
    return errno == EAGAIN || errno == EACCES ? ENV_IN_USE : env_of_errno(errno);
}

/* Translates errno values into the env's errors. The only place that does. */
#include "env/uv/internal.h"

#include <errno.h>

int env_of_errno(int error)
{
    switch (error) {
    case 0:
        return 0;
    case ENOENT:
    case ENOTDIR:
        return ENV_NOT_FOUND;
    case EEXIST:
        return ENV_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ENV_NO_SPACE;
    case EIO:
        return ENV_IO;
    case EACCES:
    case EPERM:
    case EROFS:
        return ENV_DENIED;
    case ECONNREFUSED:
        return ENV_REFUSED;
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
        return ENV_RESET;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return ENV_ADDRESS;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EFBIG:
        return ENV_LIMIT;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
        return ENV_INVALID;
    case EADDRINUSE:
        return ENV_IN_USE;
    default:
        return ENV_FAILED;
    }
}

/* Paths of files in a folder. Looks at no disk. */
#include "raftlog/path.h"

#include <stdio.h>
#include <string.h>

bool rlog_path(char path[RLOG_FILE_PATH_MAX], const char *folder, const char *name)
{
    int size;

    if (strlen(folder) >= RLOG_FOLDER_MAX) {
        return false;
    }
    size = snprintf(path, RLOG_FILE_PATH_MAX, "%s/%s", folder, name);
    return size > 0 && size < RLOG_FILE_PATH_MAX;
}

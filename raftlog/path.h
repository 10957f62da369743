/* Paths of files in a folder. Looks at no disk. */
#ifndef RAFTLOG_PATH_H
#define RAFTLOG_PATH_H

#include <stdbool.h>

enum {
    RLOG_FOLDER_MAX = 4096, /* with its terminator */
    RLOG_FILE_PATH_MAX = RLOG_FOLDER_MAX + 64,
};

/* "<folder>/<name>"; false when the folder's name is too long. */
bool rlog_path(char path[RLOG_FILE_PATH_MAX], const char *folder, const char *name);

#endif

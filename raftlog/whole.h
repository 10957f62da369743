/* Small files that are replaced as a whole: the old content is there or the new, never a part.
 * Knows no content.
 */
#ifndef RAFTLOG_WHOLE_H
#define RAFTLOG_WHOLE_H

#include "base/bytes.h"
#include "env/env.h"

/* "<folder>/<name>" holds `content`, durably, or what it held before and an rc of env_file_*. Goes
 * through "<name>.tmp", whatever lies there. Synchronous. */
int rlog_whole_write(struct env *env, const char *folder, const char *name, struct bytes content);
/* Up to `capacity` bytes of it. NOT_FOUND, and what env_file_read says. Synchronous. */
int rlog_whole_read(struct env *env, const char *folder, const char *name, void *buffer,
                    size_t capacity, size_t *ret_size);

#endif

/* Files: plain blocking calls, to be made from queued work once a node serves (env/work.h).
 *
 * Durability is explicit: written bytes are durable after env_file_sync, names (create, rename,
 * remove) after env_folder_sync of their folder. What a failed sync covered must never be trusted
 * again: the caller ends the process. Paths are zero-terminated, relative to nothing.
 */
#ifndef ENV_DISK_H
#define ENV_DISK_H

#include "env/env.h"

struct env_file;

enum env_open_mode {
    ENV_OPEN_READ,   /* exists, for reading */
    ENV_OPEN_WRITE,  /* exists, for reading and writing */
    ENV_OPEN_CREATE, /* must not exist yet, for reading and writing, mode 0600 */
};

/* Returns owned through `ret_file`. NOT_FOUND, EXISTS, DENIED, NO_SPACE, IO. */
int env_file_open(struct env *env, const char *path, enum env_open_mode mode,
                  struct env_file **ret_file);
/* NULL is fine. Says nothing about durability. */
void env_file_close(struct env_file *file);
int env_file_size(struct env_file *file, uint64_t *ret_size);
/* Reads up to `size` bytes at `offset`; fewer only at the end of the file. */
int env_file_read(struct env_file *file, uint64_t offset, void *buffer, size_t size,
                  size_t *ret_size);
/* All of it or an error (then any part may have been written). */
int env_file_write(struct env_file *file, uint64_t offset, struct bytes data);
/* Takes the space and extends the size; what was not written reads as zeros. */
int env_file_allocate(struct env_file *file, uint64_t size);
int env_file_truncate(struct env_file *file, uint64_t size);
int env_file_sync(struct env_file *file);
/* An exclusive lock for as long as the file is open; IN_USE when another process holds it. */
int env_file_lock(struct env_file *file);

/* One level; EXISTS when it is there. */
int env_folder_create(struct env *env, const char *path);
int env_folder_sync(struct env *env, const char *path);
/* Calls `visit` with each plain name in it, sorted by bytes. */
int env_folder_list(struct env *env, const char *path, void (*visit)(void *arg, const char *name),
                    void *arg);
int env_rename(struct env *env, const char *from, const char *to);
int env_remove(struct env *env, const char *path);
/* Bytes that are still free on the file system of `path`. */
int env_disk_free(struct env *env, const char *path, uint64_t *ret_bytes);

#endif

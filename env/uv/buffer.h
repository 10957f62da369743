/* A growing run of bytes, filled at its end and taken from its start. */
#ifndef ENV_UV_BUFFER_H
#define ENV_UV_BUFFER_H

#include "base/bytes.h"

struct env_buffer {
    uint8_t *data;
    size_t start;
    size_t end;
    size_t capacity;
};

/* False when out of memory; the buffer is unchanged then. */
bool env_buffer_append(struct env_buffer *buffer, struct bytes data);
struct bytes env_buffer_view(const struct env_buffer *buffer);
static inline size_t env_buffer_size(const struct env_buffer *buffer)
{
    return buffer->end - buffer->start;
}
/* `size` is at most the buffer's. What was emptied gives a large allocation back. */
void env_buffer_take(struct env_buffer *buffer, size_t size);
void env_buffer_done(struct env_buffer *buffer);

#endif

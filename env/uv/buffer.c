/* A growing run of bytes. Has no limit of its own: its users have. */
#include "env/uv/buffer.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_FIRST = 4096, CAPACITY_KEPT = 64 * 1024 };

static bool make_room(struct env_buffer *buffer, size_t size)
{
    size_t used = env_buffer_size(buffer);
    if (buffer->start > 0 && buffer->start >= used && buffer->capacity - used >= size) {
        memcpy(buffer->data, buffer->data + buffer->start, used);
    } else {
        size_t capacity = buffer->capacity == 0 ? CAPACITY_FIRST : buffer->capacity;
        while (capacity - used < size) {
            if (capacity > SIZE_MAX / 2) {
                return false;
            }
            capacity *= 2;
        }
        uint8_t *data = malloc(capacity);
        if (data == NULL) {
            return false;
        }
        if (used > 0) {
            memcpy(data, buffer->data + buffer->start, used);
        }
        free(buffer->data);
        buffer->data = data;
        buffer->capacity = capacity;
    }
    buffer->start = 0;
    buffer->end = used;
    return true;
}

bool env_buffer_append(struct env_buffer *buffer, struct bytes data)
{
    if (data.size == 0) {
        return true;
    }
    if (buffer->capacity - buffer->end < data.size && !make_room(buffer, data.size)) {
        return false;
    }
    memcpy(buffer->data + buffer->end, data.data, data.size);
    buffer->end += data.size;
    return true;
}

struct bytes env_buffer_view(const struct env_buffer *buffer)
{
    size_t size = env_buffer_size(buffer);
    return size == 0 ? BYTES_NONE : bytes_of(buffer->data + buffer->start, size);
}

void env_buffer_take(struct env_buffer *buffer, size_t size)
{
    ASSERT(size <= env_buffer_size(buffer));
    buffer->start += size;
    if (buffer->start == buffer->end) {
        buffer->start = 0;
        buffer->end = 0;
        if (buffer->capacity > CAPACITY_KEPT) {
            env_buffer_done(buffer);
        }
    }
}

void env_buffer_done(struct env_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct env_buffer){0};
}

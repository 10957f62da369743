/* Resource filters: which resources a session may reach, as it was said when it was opened. What a
 * resource is, nobody here knows: a name, compared segment by segment. Nothing changes a filter.
 *
 *  1. A resource is 1 to 16 segments with '/' between them, of [A-Za-z0-9_.:@+~-], none of them
 *     "." or "..". In a pattern a segment may be "*", which stands for exactly one; the last may be
 *     "**", which stands for one or more. There is no other wildcard.
 *  2. A child's patterns each lie within one of its parent's. Without any it has its parent's.
 *  3. The chain goes from a session to its tombstone while tasks pin that, and with the last of
 *     them it is freed.
 */
#include "fsm/machine.h"

#include "base/assert.h"

#include <string.h>

enum { SEGMENTS_MAX = 16 };

/* ---- names and patterns ---- */

struct path {
    struct bytes rest;
    bool over;
};

static bool next_segment(struct path *path, struct bytes *ret_segment)
{
    size_t size = 0;

    if (path->over) {
        return false;
    }
    while (size < path->rest.size && path->rest.data[size] != '/') {
        size++;
    }
    *ret_segment = bytes_of(path->rest.data, size);
    path->over = size == path->rest.size;
    if (!path->over) {
        path->rest = bytes_of(path->rest.data + size + 1, path->rest.size - size - 1);
    }
    return true;
}

static bool is(struct bytes segment, const char *text)
{
    return bytes_equal(segment, bytes_of_text(text));
}

static bool character_valid(uint8_t c)
{
    static const char others[] = "_.:@+~-";
    size_t at = 0;

    while (at < sizeof others - 1 && (uint8_t)others[at] != c) {
        at++;
    }
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           at < sizeof others - 1;
}

static bool segment_valid(struct bytes segment)
{
    for (size_t i = 0; i < segment.size; i++) {
        if (!character_valid(segment.data[i])) {
            return false;
        }
    }
    return segment.size > 0 && !is(segment, ".") && !is(segment, "..");
}

static bool path_valid(struct bytes text, bool pattern)
{
    struct path path = {text, false};
    struct bytes segment;
    uint32_t count = 0;

    while (next_segment(&path, &segment)) {
        bool star = pattern && (is(segment, "*") || (path.over && is(segment, "**")));

        if (!star && !segment_valid(segment)) {
            return false;
        }
        count++;
    }
    return count <= SEGMENTS_MAX && text.size <= OP_RESOURCE_MAX;
}

bool fsm_resource_valid(struct bytes resource)
{
    return path_valid(resource, false);
}

/* Does all that `inner`, a pattern or a resource, stands for lie within `outer`? */
static bool within(struct bytes inner, struct bytes outer)
{
    struct path a = {inner, false}, b = {outer, false};
    struct bytes one, other;

    while (next_segment(&b, &other)) {
        if (!next_segment(&a, &one)) {
            return false;
        }
        if (is(other, "**")) {
            return true;
        }
        if (is(one, "**") || (!is(other, "*") && !bytes_equal(one, other))) {
            return false;
        }
    }
    return a.over;
}

/* ---- filters ---- */

static bool reaches(const struct fsm_filter *filter, struct bytes resource)
{
    struct base_reader reader;

    base_reader_init(&reader, bytes_of(filter->image, filter->size));
    while (!base_reader_finished(&reader)) {
        struct bytes pattern = base_read_short(&reader, OP_RESOURCE_MAX);

        ASSERT(!reader.failed);
        if (within(resource, pattern)) {
            return true;
        }
    }
    return false;
}

void fsm_session_filter(const struct fsm *fsm, const struct fsm_session *session,
                        struct fsm_filter *ret_filter)
{
    uint32_t chain = session->record != NULL ? session->record->filter_chain
                                             : session->stone->filter_chain;

    ret_filter->size = session->record != NULL ? session->record->filter_size
                                               : session->stone->filter_size;
    ASSERT(ret_filter->size <= sizeof ret_filter->image);
    chain_read(fsm_blocks(fsm), chain, ret_filter->image, ret_filter->size);
}

bool fsm_filter_valid(const struct op_session_create_request *request)
{
    for (uint32_t i = 0; i < request->filter_count; i++) {
        if (!path_valid(request->filter[i].pattern, true)) {
            return false;
        }
    }
    return !request->has_filter || request->filter_count > 0;
}

enum op_outcome fsm_filter_ask(struct fsm_context *ctx,
                               const struct op_session_create_request *request,
                               const struct fsm_session *parent, struct fsm_filter *ret_filter)
{
    struct fsm_filter above = {.size = 0};
    struct base_writer writer;

    if (parent->head != NULL) {
        fsm_session_filter(ctx->fsm, parent, &above);
    }
    *ret_filter = above;
    if (!request->has_filter) {
        return OP_OK;
    }
    base_writer_init(&writer, ret_filter->image, sizeof ret_filter->image);
    for (uint32_t i = 0; i < request->filter_count; i++) {
        struct bytes pattern = request->filter[i].pattern;

        if (above.size > 0 && !reaches(&above, pattern)) {
            return fsm_refuse_resource(ctx, "filter");
        }
        base_write_short(&writer, pattern);
    }
    ret_filter->size = (uint32_t)base_written(&writer).size;
    return OP_OK;
}

enum op_outcome fsm_filter_reaches(struct fsm_context *ctx, const struct fsm_session *session,
                                   const struct bytes *resource)
{
    struct fsm_filter filter;

    fsm_session_filter(ctx->fsm, session, &filter);
    if (filter.size > 0 && (resource == NULL || !reaches(&filter, *resource))) {
        return fsm_refuse_resource(ctx, "resource");
    }
    return OP_OK;
}

uint32_t fsm_filter_list(struct fsm *fsm, const struct fsm_session *session, uint8_t *buffer,
                         struct op_item_pattern *ret_patterns)
{
    struct fsm_filter filter;
    struct base_reader reader;
    uint32_t count = 0;

    fsm_session_filter(fsm, session, &filter);
    memcpy(buffer, filter.image, filter.size);
    base_reader_init(&reader, bytes_of(buffer, filter.size));
    while (!base_reader_finished(&reader)) {
        ASSERT(count < OP_MAX_pattern);
        ret_patterns[count].has_pattern = true;
        ret_patterns[count++].pattern = base_read_short(&reader, OP_RESOURCE_MAX);
    }
    return count;
}

/* The law of resource filters: docs/MODEL.md section 4. A pattern is taken apart into its segments
 * and compared from the left, one by one.
 */
#include "jepsen/model/rules.h"

enum { PARTS_MAX = 16 };

struct parts {
    struct bytes at[PARTS_MAX];
    uint32_t count;
    bool good;
};

static bool is_text(struct bytes part, const char *text)
{
    return bytes_equal(part, bytes_of_text(text));
}

static bool is_letter(uint8_t c)
{
    static const char others[] = {'_', '.', ':', '@', '+', '~', '-'};

    for (size_t i = 0; i < sizeof others; i++) {
        if (c == (uint8_t)others[i]) {
            return true;
        }
    }
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A part that is no wildcard. */
static bool is_name(struct bytes part)
{
    bool letters = part.size > 0;

    for (size_t i = 0; i < part.size; i++) {
        letters = letters && is_letter(part.data[i]);
    }
    return letters && !is_text(part, ".") && !is_text(part, "..");
}

static struct parts parts_of(struct bytes text, bool wild)
{
    struct parts parts = {.count = 0, .good = text.size <= OP_RESOURCE_MAX};
    size_t from = 0;

    for (size_t i = 0; i <= text.size && parts.good; i++) {
        if (i < text.size && text.data[i] != '/') {
            continue;
        }
        struct bytes part = bytes_of(text.data + from, i - from);
        bool star = wild && (is_text(part, "*") || (i == text.size && is_text(part, "**")));

        parts.good = parts.count < PARTS_MAX && (star || is_name(part));
        if (parts.good) {
            parts.at[parts.count++] = part;
        }
        from = i + 1;
    }
    return parts;
}

static bool part_reaches(struct bytes wide, struct bytes narrow)
{
    return (is_text(wide, "*") && !is_text(narrow, "**")) || bytes_equal(wide, narrow);
}

/* Whatever `narrow` stands for, `wide` stands for too. */
static bool reaches(struct bytes wide_text, struct bytes narrow_text)
{
    struct parts wide = parts_of(wide_text, true), narrow = parts_of(narrow_text, true);
    bool open = is_text(wide.at[wide.count - 1], "**");
    uint32_t fixed = open ? wide.count - 1 : wide.count;

    if (open ? narrow.count < wide.count : narrow.count != wide.count) {
        return false;
    }
    for (uint32_t i = 0; i < fixed; i++) {
        if (!part_reaches(wide.at[i], narrow.at[i])) {
            return false;
        }
    }
    return true;
}

bool rule_resource_valid(struct bytes resource)
{
    return parts_of(resource, false).good;
}

bool rule_filter_valid(const struct op_session_create_request *request)
{
    bool good = !request->has_filter || request->filter_count > 0;

    for (uint32_t i = 0; request->has_filter && i < request->filter_count; i++) {
        good = good && parts_of(request->filter[i].pattern, true).good;
    }
    return good;
}

static bool session_reaches(struct model *model, const struct session *session, struct bytes what)
{
    bool reached = session->filter_count == 0 || model->mutation == MODEL_MUTATION_FILTER_IGNORED;

    for (uint32_t i = 0; i < session->filter_count; i++) {
        reached = reached || reaches(model_names_bytes(model->names, session->filter[i]), what);
    }
    return reached;
}

bool rule_filter_outside(struct model *model, const struct op_session_create_request *request,
                         const struct session *parent)
{
    bool outside = false;

    for (uint32_t i = 0; request->has_filter && i < request->filter_count; i++) {
        outside = outside || !session_reaches(model, parent, request->filter[i].pattern);
    }
    return outside;
}

bool expect_reached(struct model *model, const struct session *session, bool has_resource,
                    struct bytes resource, struct model_expect *expect)
{
    bool named = has_resource || session->filter_count == 0 ||
                 model->mutation == MODEL_MUTATION_FILTER_IGNORED;

    if (named && (!has_resource || session_reaches(model, session, resource))) {
        return true;
    }
    expect_refusal(expect, OP_OUT_OF_SCOPE, MODEL_S12,
                   "no pattern of the session has the resource");
    return false;
}

void apply_filter(struct model *model, const struct op_session_create_request *request,
                  struct session *session)
{
    const struct session *parent = &model->sessions[session->parent];

    session->filter_count = request->has_filter    ? request->filter_count
                            : session->parent != 0 ? parent->filter_count
                                                   : 0;
    for (uint32_t i = 0; i < session->filter_count; i++) {
        session->filter[i] = request->has_filter ? state_name(model, request->filter[i].pattern)
                                                 : parent->filter[i];
    }
}

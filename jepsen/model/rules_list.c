/* The law of lists: what belongs to one, in which order, and where a page may end. docs/MODEL.md
 * section 7. */
#include "base/assert.h"
#include "jepsen/model/rules.h"

#include <stdlib.h>

/* Is that a page that may be asked for? */
static bool page_valid(bool has_max, uint64_t max, uint64_t most, struct model_expect *expect)
{
    if (!has_max || (max > 0 && max <= most)) {
        return true;
    }
    if (expect->outcome != OP_OK) {
        expect_also(expect, expect->outcome); /* the order of these two is not said */
    }
    expect_refusal(expect, OP_INVALID, MODEL_S1, "no page is so long");
    return false;
}

static int by_permission(const void *a, const void *b)
{
    const struct op_item_listed_grant *x = a, *y = b;

    return bytes_compare(x->permission, y->permission);
}

void expect_grant_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_token *token = &ask->op->request->grant_list.token;
    struct op_grant_list_reply *reply = &expect->reply.grant_list;
    uint32_t session = expect_session(model, ask, token, expect);
    const struct session *of = &model->sessions[session];

    if (session == 0) {
        return;
    }
    reply->session = token->id;
    for (uint32_t i = 0; i < of->grant_count; i++) {
        const struct grant *grant = life_holds(model, of, of->grants[i].permission, ask->time);

        if (grant != NULL) {
            reply->grants[reply->grants_count++] = (struct op_item_listed_grant){
                .permission = model_names_bytes(model->names, grant->permission),
                .given = grant->given,
                .has_left = grant->deadline != OP_INFINITE,
                .left = sat_sub(grant->deadline, ask->time)};
        }
    }
    qsort(reply->grants, reply->grants_count, sizeof reply->grants[0], by_permission);
}

void apply_grant_list(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

/* ---- keys: by their bytes ---- */

struct key_line {
    struct bytes text;
    const struct key *key;
};

static int by_text(const void *a, const void *b)
{
    const struct key_line *x = a, *y = b;

    return bytes_compare(x->text, y->text);
}

/* All behind `after`, sorted; the caller frees them. */
static struct key_line *key_lines(struct model *model, const struct session *of, struct bytes after,
                                  uint32_t *ret_count)
{
    struct key_line *lines = calloc(of->key_count + 1, sizeof *lines);

    ASSERT(lines != NULL);
    *ret_count = 0;
    for (uint32_t i = 0; i < of->key_count; i++) {
        struct bytes text = model_names_bytes(model->names, of->keys[i].key);

        if (bytes_compare(text, after) > 0) {
            lines[(*ret_count)++] = (struct key_line){text, &of->keys[i]};
        }
    }
    qsort(lines, *ret_count, sizeof *lines, by_text);
    return lines;
}

static struct op_item_listed_key show_line(struct model *model, const struct key_line *line)
{
    struct op_item_listed_key item = {
        .key = line->text,
        .version = line->key->version,
        .size = model_names_bytes(model->names, line->key->value).size,
        .has_writer = line->key->writer != 0};

    if (item.has_writer) {
        item.writer = state_id_of(model, model->tasks[line->key->writer].id);
    }
    return item;
}

void expect_state_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_state_list_request *request = &ask->op->request->state_list;
    const struct state_reader reader = {.token = request->has_token ? &request->token : NULL,
                                        .fence = request->has_fence ? &request->fence : NULL,
                                        .session = request->has_session ? &request->session : NULL};
    struct op_state_list_reply *reply = &expect->reply.state_list;
    uint32_t session = expect_state_read(model, ask, &reader, expect), count, shown;
    struct key_line *lines;

    if (!page_valid(request->has_max, request->max, OP_MAX_listed_key, expect) || session == 0) {
        return;
    }
    reply->session = state_id_of(model, model->sessions[session].id);
    lines = key_lines(model, &model->sessions[session],
                      request->has_after ? request->after : BYTES_NONE, &count);
    shown = (uint32_t)u64_min(count, request->has_max ? request->max : OP_MAX_listed_key);
    for (uint32_t i = 0; i < shown; i++) {
        reply->keys[reply->keys_count++] = show_line(model, &lines[i]);
    }
    reply->has_next = shown < count;
    if (reply->has_next) {
        reply->next = lines[shown - 1].text;
    }
    free(lines);
}

void apply_state_list(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

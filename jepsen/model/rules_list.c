/* The law of lists: what belongs to one, in which order, and where a page may end. docs/MODEL.md
 * section 7. */
#include "jepsen/model/rules.h"

#include <stdlib.h>

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

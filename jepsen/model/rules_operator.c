/* What operators read: the cluster's limits whole; of its counts what no answer may leave out.
 * Members are what a leader saw, which no history can judge. docs/MODEL.md section 7. */
#include "jepsen/model/rules.h"

/* What is not swept counts too, so more may be told than lives, and never less. */
static uint64_t at_least(uint64_t seen, uint64_t least)
{
    return u64_max(seen, least);
}

static uint64_t sessions_alive(struct model *model, const struct ask *ask)
{
    uint64_t count = 0, also;

    for (uint32_t i = 1; i < model->session_count; i++) {
        const struct session *session = &model->sessions[i];

        count += !session->unnamed && life_of(model, session, ask->time, &also) == 0 &&
                 !rule_may_be_compromised(model, ask, i);
    }
    return count;
}

static uint64_t tasks_kept(const struct model *model, const struct ask *ask)
{
    uint64_t count = 0;

    for (uint32_t i = 1; i < model->task_count; i++) {
        const struct task *task = &model->tasks[i];

        count += !task->unnamed && ask->time < sat_add(task->deadline, model->limits.tombstone_us);
    }
    return count;
}

void expect_cluster_get(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct model_answer *answer = ask->op->seen;
    const struct op_cluster_get_reply *seen = answer != NULL && answer->outcome == OP_OK
                                                  ? &answer->reply.cluster_get
                                                  : NULL;
    struct op_cluster_get_reply *reply = &expect->reply.cluster_get;

    reply->sessions = at_least(seen == NULL ? 0 : seen->sessions, sessions_alive(model, ask));
    reply->tasks = at_least(seen == NULL ? 0 : seen->tasks, tasks_kept(model, ask));
    expect->free_tags = TAG(1) | TAG(2) | TAG(5) | TAG(6) | TAG(7) | TAG(8) | TAG(9);
}

void apply_cluster_get(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

void expect_member_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    (void)model;
    (void)ask;
    expect->free_tags = TAG(1);
}

void apply_member_list(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

#define LIMIT_LINE(tag, limit, ...)                                                                \
    reply->limits[reply->limits_count++] = (struct op_item_listed_limit){                          \
        .name = bytes_of_text(#limit), .value = model->limits.limit};

void expect_limit_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    struct op_limit_list_reply *reply = &expect->reply.limit_list;

    (void)ask;
    OP_LIMITS(LIMIT_LINE)
}

void apply_limit_list(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

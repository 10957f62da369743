/* What operators read: the cluster's limits whole; of its counts what no answer may leave out.
 * Members are what a leader saw, which no history can judge. docs/MODEL.md section 7. */
#include "jepsen/model/rules.h"

/* What is not swept counts too, so more may be told than lives, and never less. */
static uint64_t at_least(uint64_t seen, uint64_t least)
{
    return u64_max(seen, least);
}

/* Of one tenant, or of all: 0. */
static uint64_t sessions_alive(struct model *model, const struct ask *ask, uint32_t tenant)
{
    uint64_t count = 0, also;

    for (uint32_t i = 1; i < model->session_count; i++) {
        const struct session *session = &model->sessions[i];

        count += !session->unnamed && (tenant == 0 || session->tenant == tenant) &&
                 life_of(model, session, ask->time, &also) == 0 &&
                 !rule_may_be_compromised(model, ask, i);
    }
    return count;
}

static uint64_t tasks_kept(const struct model *model, const struct ask *ask, uint32_t tenant)
{
    uint64_t count = 0;

    for (uint32_t i = 1; i < model->task_count; i++) {
        const struct task *task = &model->tasks[i];

        count += !task->unnamed && (tenant == 0 || task->tenant == tenant) &&
                 ask->time < sat_add(task->deadline, model->limits.tombstone_us);
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

    reply->sessions = at_least(seen == NULL ? 0 : seen->sessions, sessions_alive(model, ask, 0));
    reply->tasks = at_least(seen == NULL ? 0 : seen->tasks, tasks_kept(model, ask, 0));
    expect->free_tags = TAG(1) | TAG(2) | TAG(5) | TAG(6) | TAG(7) | TAG(8) | TAG(9) | TAG(10);
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

/* What changes the members or the leader is no part of the law: whatever is told fits. */
#define OUTSIDE_(name, tags)                                                                       \
    void expect_##name(struct model *model, const struct ask *ask, struct model_expect *expect)    \
    {                                                                                              \
        (void)model;                                                                               \
        (void)ask;                                                                                 \
        expect->free_tags = (tags);                                                                \
    }                                                                                              \
    void apply_##name(struct model *model, const struct ask *ask,                                  \
                      const struct model_answer *answer)                                           \
    {                                                                                              \
        (void)model;                                                                               \
        (void)ask;                                                                                 \
        (void)answer;                                                                              \
    }
OUTSIDE_(member_add, TAG(1) | TAG(2))
OUTSIDE_(member_promote, TAG(1) | TAG(2))
OUTSIDE_(member_remove, TAG(1) | TAG(2))
OUTSIDE_(member_replace, TAG(1) | TAG(2))
OUTSIDE_(leader_transfer, TAG(1))

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

/* ---- tenants ---- */

static const struct op_tenant_list_reply *seen_tenants(const struct ask *ask)
{
    const struct model_answer *seen = ask->op->seen;

    return seen != NULL && seen->outcome == OP_OK ? &seen->reply.tenant_list : NULL;
}

/* The line that was seen of it, or NULL. */
static const struct op_item_listed_tenant *seen_tenant(const struct ask *ask, struct bytes name)
{
    const struct op_tenant_list_reply *seen = seen_tenants(ask);

    for (uint32_t i = 0; seen != NULL && i < seen->tenants_count; i++) {
        if (bytes_equal(seen->tenants[i].name, name)) {
            return &seen->tenants[i];
        }
    }
    return NULL;
}

/* The tenants of those that live, each once. */
static uint32_t tenants_alive(struct model *model, const struct ask *ask, uint32_t *ret_tenants,
                              uint32_t most)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < model->session_count && count < most; i++) {
        uint32_t tenant = model->sessions[i].tenant, at = 0;

        while (at < count && ret_tenants[at] != tenant) {
            at++;
        }
        if (at == count && sessions_alive(model, ask, tenant) > 0) {
            ret_tenants[count++] = tenant;
        }
    }
    return count;
}

/* As it was seen, but with no less than there must be. */
static struct op_item_listed_tenant tenant_line(struct model *model, const struct ask *ask,
                                                const struct op_item_listed_tenant *seen)
{
    struct op_item_listed_tenant line = *seen;
    uint32_t tenant = state_name(model, seen->name);

    line.sessions = at_least(line.sessions, sessions_alive(model, ask, tenant));
    line.tasks = at_least(line.tasks, tasks_kept(model, ask, tenant));
    return line;
}

/* Which tenants ever registered is not known here, nor their numbers. Whoever has something that
 * lives is on one of the pages from the first to the last. */
void expect_tenant_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    enum { TENANTS = 16 };
    const struct op_tenant_list_request *request = &ask->op->request->tenant_list;
    const struct op_tenant_list_reply *seen = seen_tenants(ask);
    struct op_tenant_list_reply *reply = &expect->reply.tenant_list;
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_tenant;
    uint64_t after = request->has_after ? request->after : 0;
    uint32_t alive[TENANTS], count = tenants_alive(model, ask, alive, TENANTS);

    if (max == 0 || max > OP_MAX_listed_tenant) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "no page is so long");
        return;
    }
    if (seen == NULL) { /* the law's own, for makers of histories: a page that ended at once */
        reply->has_next = true;
        reply->next = after;
        return;
    }
    reply->has_next = seen->has_next;
    reply->next = seen->next;
    for (uint32_t i = 0; i < seen->tenants_count && i < max && seen->tenants[i].number > after;
         i++) {
        after = seen->tenants[i].number;
        reply->tenants[reply->tenants_count++] = tenant_line(model, ask, &seen->tenants[i]);
    }
    for (uint32_t i = 0; !request->has_after && !seen->has_next && i < count; i++) {
        struct bytes name = model_names_bytes(model->names, alive[i]);

        if (seen_tenant(ask, name) == NULL && reply->tenants_count < OP_MAX_listed_tenant) {
            reply->tenants[reply->tenants_count++] = (struct op_item_listed_tenant){.name = name};
        }
    }
}

void apply_tenant_list(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

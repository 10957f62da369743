/* The law of quotas: docs/MODEL.md sections 2 and 4. What is dead counts until its sweep, but an
 * answer that depends on that is SWEEPING, of class RETRY, and no matter for this law: QUOTA is
 * right where what lives, or is kept, uses the quota up. */
#include "jepsen/model/rules.h"

static const struct quota *quota_of(const struct model *model, uint32_t tenant, uint32_t kind)
{
    const struct quota *found = NULL;

    for (uint32_t i = 0; i < model->quota_count; i++) {
        if (model->quotas[i].tenant == tenant && model->quotas[i].kind == kind) {
            found = &model->quotas[i];
        }
    }
    return found != NULL && found->set ? found : NULL;
}

/* Counting takes as long as there are sessions or tasks: only where somebody set a bound. */
static bool bounded(const struct model *model, const struct ask *ask, uint32_t kind)
{
    return quota_of(model, ask->tenant, kind) != NULL;
}

void expect_quota(struct model *model, const struct ask *ask, uint32_t kind, struct tally tally,
                  uint64_t more, struct model_expect *expect)
{
    const struct quota *quota = quota_of(model, ask->tenant, kind);

    if (quota == NULL || more == 0 || model->mutation == MODEL_MUTATION_QUOTA_IGNORED) {
        return;
    }
    if (sat_add(tally.sure, more) > quota->value) {
        if (expect->outcome == OP_OK) {
            expect_refusal(expect, OP_QUOTA, MODEL_S1, "the quota is used up");
        } else if (expect->outcome == OP_LIMIT) {
            expect_also(expect, OP_QUOTA); /* the order of these two is not said */
        }
    } else if (sat_add(tally.sure + tally.maybe, more) > quota->value) {
        expect_also(expect, OP_QUOTA);
    }
}

/* Of the asker's tenant; of one user alone, unless 0. */
static struct tally sessions(struct model *model, const struct ask *ask, uint32_t user)
{
    struct tally tally = {0, 0};

    for (uint32_t i = 1; i < model->session_count; i++) {
        const struct session *session = &model->sessions[i];
        uint64_t also;

        if (session->tenant != ask->tenant || (user != 0 && session->user != user) ||
            life_of(model, session, ask->time, &also) != 0) {
            continue;
        }
        if (session->unnamed || rule_may_be_compromised(model, ask, i)) {
            tally.maybe++;
        } else {
            tally.sure++;
        }
    }
    return tally;
}

/* As above; of one session alone, unless 0. */
static struct tally tasks(const struct model *model, const struct ask *ask, uint32_t user,
                          uint32_t session)
{
    struct tally tally = {0, 0};

    for (uint32_t i = 1; i < model->task_count; i++) {
        const struct task *task = &model->tasks[i];

        if (task->tenant != ask->tenant || (user != 0 && task->user != user) ||
            (session != 0 && task->session != session) ||
            ask->time >= sat_add(task->deadline, model->limits.tombstone_us)) {
            continue;
        }
        if (task->unnamed) {
            tally.maybe++;
        } else {
            tally.sure++;
        }
    }
    return tally;
}

void expect_session_quotas(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    if (bounded(model, ask, OP_QUOTA_TENANT_SESSIONS)) {
        expect_quota(model, ask, OP_QUOTA_TENANT_SESSIONS, sessions(model, ask, 0), 1, expect);
    }
    if (bounded(model, ask, OP_QUOTA_USER_SESSIONS)) {
        expect_quota(model, ask, OP_QUOTA_USER_SESSIONS, sessions(model, ask, ask->user), 1,
                     expect);
    }
}

struct tally rule_session_tasks(const struct model *model, const struct ask *ask, uint32_t session)
{
    return tasks(model, ask, 0, session);
}

void expect_task_quotas(struct model *model, const struct ask *ask, uint32_t session,
                        struct model_expect *expect)
{
    if (bounded(model, ask, OP_QUOTA_TENANT_TASKS)) {
        expect_quota(model, ask, OP_QUOTA_TENANT_TASKS, tasks(model, ask, 0, 0), 1, expect);
    }
    if (bounded(model, ask, OP_QUOTA_USER_TASKS)) {
        expect_quota(model, ask, OP_QUOTA_USER_TASKS, tasks(model, ask, ask->user, 0), 1, expect);
    }
    if (bounded(model, ask, OP_QUOTA_SESSION_TASKS)) {
        expect_quota(model, ask, OP_QUOTA_SESSION_TASKS, rule_session_tasks(model, ask, session), 1,
                     expect);
    }
}

void expect_byte_quotas(struct model *model, const struct ask *ask, uint32_t session,
                        uint64_t bytes, struct model_expect *expect)
{
    const struct session *of = &model->sessions[session];
    uint64_t more = sat_sub(bytes, of->state_bytes), also;
    struct tally all = {0, 0};
    bool counted = bounded(model, ask, OP_QUOTA_TENANT_STATE_BYTES);

    for (uint32_t i = 1; counted && i < model->session_count; i++) {
        const struct session *session_of = &model->sessions[i];

        if (session_of->tenant == ask->tenant &&
            life_of(model, session_of, ask->time, &also) == 0) {
            bool sure = !session_of->unnamed && !rule_may_be_compromised(model, ask, i);

            all.sure += sure ? session_of->state_bytes : 0;
            all.maybe += sure ? 0 : session_of->state_bytes;
        }
    }
    expect_quota(model, ask, OP_QUOTA_TENANT_STATE_BYTES, all, more, expect);
    expect_quota(model, ask, OP_QUOTA_SESSION_STATE_BYTES, (struct tally){of->state_bytes, 0}, more,
                 expect);
}

/* ---- setting and listing ---- */

void expect_quota_set(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_quota_set_request *request = &ask->op->request->quota_set;

    (void)model;
    if (ask->op->role != OP_ROLE_OPERATOR && request->quota <= OP_QUOTA_TENANT_STATE_BYTES) {
        expect_refusal(expect, OP_FORBIDDEN, MODEL_S1, "what bounds a tenant is an operator's");
        return;
    }
    expect->reply.quota_set.since = ask->op->position;
}

void apply_quota_set(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    const struct op_quota_set_request *request = &ask->op->request->quota_set;

    (void)answer;
    model->quotas = model_names_grow(model->quotas, &model->quota_capacity, model->quota_count + 1,
                                     sizeof *model->quotas);
    model->quotas[model->quota_count++] = (struct quota){.tenant = ask->tenant,
                                                         .kind = request->quota,
                                                         .set = request->has_value,
                                                         .value = request->value};
}

/* As many as were seen to be in use, but no fewer than there must be. */
static void line_used(struct model *model, const struct ask *ask,
                      const struct op_item_listed_quota *seen, struct op_item_listed_quota *line)
{
    const struct op_quota_list_request *request = &ask->op->request->quota_list;
    uint32_t user = request->has_user ? state_name(model, request->user) : 0;
    uint64_t least = 0;

    line->has_used = line->quota <= OP_QUOTA_TENANT_STATE_BYTES ||
                     (request->has_user && line->quota <= OP_QUOTA_USER_TASKS);
    if (line->quota == OP_QUOTA_TENANT_SESSIONS) {
        least = sessions(model, ask, 0).sure;
    } else if (line->quota == OP_QUOTA_TENANT_TASKS) {
        least = tasks(model, ask, 0, 0).sure;
    } else if (line->quota == OP_QUOTA_USER_SESSIONS && user != 0) {
        least = sessions(model, ask, user).sure;
    } else if (line->quota == OP_QUOTA_USER_TASKS && user != 0) {
        least = tasks(model, ask, user, 0).sure;
    }
    line->used = u64_max(least, seen == NULL ? 0 : seen->used);
}

void expect_quota_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct model_answer *answer = ask->op->seen;
    const struct op_quota_list_reply *seen = answer != NULL && answer->outcome == OP_OK
                                                 ? &answer->reply.quota_list
                                                 : NULL;
    struct op_quota_list_reply *reply = &expect->reply.quota_list;

    for (uint32_t kind = 1; kind <= OP_QUOTA_SESSION_STATE_BYTES; kind++) {
        const struct quota *quota = quota_of(model, ask->tenant, kind);
        struct op_item_listed_quota *line = &reply->quotas[reply->quotas_count++];

        line->quota = kind;
        line->has_value = quota != NULL;
        line->value = quota == NULL ? 0 : quota->value;
        line_used(model, ask,
                  seen != NULL && seen->quotas_count >= kind ? &seen->quotas[kind - 1] : NULL,
                  line);
    }
}

void apply_quota_list(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

/* The law of policies: docs/MODEL.md section 4, "Policies". */
#include "jepsen/model/rules.h"

static bool is_text(struct bytes name, const char *text)
{
    return bytes_equal(name, bytes_of_text(text));
}

static struct policy policy(uint64_t idle_minutes, uint64_t minutes, uint32_t evidence)
{
    return (struct policy){.idle = idle_minutes * 60 * OP_SECOND,
                           .absolute = minutes * 60 * OP_SECOND,
                           .evidence = evidence};
}

/* 30 min and 24 h; 10 min and 1 h, needs a new authentication; 5 and 15 min, a second factor. */
static bool built_in(struct bytes name, struct policy *ret_policy)
{
    if (is_text(name, "standard")) {
        *ret_policy = policy(30, 24 * 60, 0);
    } else if (is_text(name, "elevated")) {
        *ret_policy = policy(10, 60, OP_EVIDENCE_REAUTHENTICATION);
    } else if (is_text(name, "privileged")) {
        *ret_policy = policy(5, 15, OP_EVIDENCE_MFA);
    } else {
        return false;
    }
    return true;
}

bool rule_policy(struct model *model, const struct ask *ask, struct bytes name,
                 struct policy *ret_policy)
{
    uint32_t number = state_name(model, name);

    if (built_in(name, ret_policy)) {
        ret_policy->idle = u64_min(ret_policy->idle, model->limits.session_ttl_max_us);
        ret_policy->absolute = u64_min(ret_policy->absolute, model->limits.session_ttl_max_us);
        return true;
    }
    for (uint32_t i = model->policy_count; i > 0; i--) {
        const struct policy *defined = &model->policies[i - 1];

        if (defined->tenant == ask->tenant && defined->name == number) {
            *ret_policy = *defined;
            return true;
        }
    }
    return false;
}

static bool lifetime_valid(const struct model *model, uint64_t lifetime)
{
    return lifetime >= model->limits.session_ttl_min_us &&
           lifetime <= model->limits.session_ttl_max_us;
}

void expect_policy_set(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_policy_set_request *request = &ask->op->request->policy_set;
    struct policy any;

    if (built_in(request->name, &any) || !lifetime_valid(model, request->idle) ||
        !lifetime_valid(model, request->absolute)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "a policy built in, or beyond the caps");
        return;
    }
    if (!rule_policy(model, ask, request->name, &any) &&
        model->policy_count >= model->limits.tenant_policies_max) {
        expect_also(expect, OP_LIMIT); /* of all tenants, so it is full at that at the earliest */
    }
    expect->reply.policy_set.since = ask->op->position;
}

void apply_policy_set(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    const struct op_policy_set_request *request = &ask->op->request->policy_set;

    (void)answer;
    model->policies = model_names_grow(model->policies, &model->policy_capacity,
                                       model->policy_count + 1, sizeof *model->policies);
    model->policies[model->policy_count++] = (struct policy){
        .tenant = ask->tenant,
        .name = state_name(model, request->name),
        .idle = request->idle,
        .absolute = request->absolute,
        .evidence = request->has_evidence ? request->evidence : 0};
}

/* The law of clients, and of sessions that are there: docs/MODEL.md sections 4 and 6. How one comes
 * to be: rules_create.c; revokes: rules_revoke.c. */
#include "jepsen/model/rules.h"

void expect_client_register(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    struct op_client_register_reply *reply = &expect->reply.client_register;

    reply->client = ask->op->position;
    reply->silence = model->limits.client_silence_us;
    expect->free_tags = TAG(2);
    if (model->client_count >= model->limits.clients_max) {
        expect_also(expect, OP_LIMIT);
    }
    /* When a silent client is forgotten is not followed here, so neither is how many there are. */
    if (ask->op->role != OP_ROLE_OPERATOR) {
        expect_quota(model, ask, OP_QUOTA_TENANT_CLIENTS, (struct tally){0, model->client_count}, 1,
                     expect);
    }
}

void apply_client_register(struct model *model, const struct ask *ask,
                           const struct model_answer *answer)
{
    struct client *client = state_client_add(model, answer->reply.client_register.client);

    client->tenant = ask->tenant;
    client->certificate = ask->certificate;
    client->heard = ask->time;
}

void expect_session_validate(struct model *model, const struct ask *ask,
                             struct model_expect *expect)
{
    const struct op_session_validate_request *request = &ask->op->request->session_validate;
    const struct op_token *token = &request->token;
    struct op_session_validate_reply *reply = &expect->reply.session_validate;
    uint32_t session = expect_session(model, ask, token, expect);
    const struct session *of = &model->sessions[session];

    if (!expect_place(model, session, SAID(request, address), SAID(request, fingerprint), expect)) {
        return;
    }
    reply->session = token->id;
    reply->epoch = of->epoch;
    reply->agent = model_names_bytes(model->names, of->agent);
    reply->idle = sat_sub(of->idle, ask->time);
    reply->absolute = sat_sub(of->absolute, ask->time);
    reply->has_metadata = of->metadata != 0;
    reply->metadata = model_names_bytes(model->names, of->metadata);
}

void apply_session_validate(struct model *model, const struct ask *ask,
                            const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

/* T7: what would move the deadline by less than 1 % of the idle time, or 5 s, writes nothing. Of a
 * read T is what counts here: its clock, by which it was judged, lies at or above it. */
void expect_session_touch(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_session_touch_request *request = &ask->op->request->session_touch;
    const struct op_token *token = &request->token;
    struct op_session_touch_reply *reply = &expect->reply.session_touch;
    uint32_t session = expect_session(model, ask, token, expect);
    const struct session *of = &model->sessions[session];
    uint64_t asked = sat_add(ask->time, of->idle_time);
    uint64_t least = u64_min(of->idle_time / 100, 5 * OP_SECOND);

    if (!expect_place(model, session, SAID(request, address), SAID(request, fingerprint), expect)) {
        return;
    }
    reply->session = token->id;
    reply->epoch = of->epoch;
    reply->agent = model_names_bytes(model->names, of->agent);
    reply->written = sat_sub(asked, of->idle) >= least &&
                     model->mutation != MODEL_MUTATION_TOUCH_IGNORED;
    reply->idle = sat_sub(reply->written ? asked : of->idle, ask->time);
    reply->absolute = sat_sub(of->absolute, ask->time);
}

void apply_session_touch(struct model *model, const struct ask *ask,
                         const struct model_answer *answer)
{
    uint32_t session = state_session_of(model, ask->op->request->session_touch.token.id);

    if (answer->reply.session_touch.written) {
        model->sessions[session].idle = sat_add(ask->time, answer->reply.session_touch.idle);
    }
}

/* Section 4: the idle deadline moves; the absolute one to creation + policy's maximum at most. */
void expect_session_renew(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_session_renew_request *request = &ask->op->request->session_renew;
    struct op_session_renew_reply *reply = &expect->reply.session_renew;
    uint64_t asked = request->has_absolute ? request->absolute : OP_INFINITE;
    uint64_t wanted;
    uint32_t session = expect_session(model, ask, &request->token, expect);
    const struct session *of = &model->sessions[session];

    if (asked < model->limits.session_ttl_min_us) {
        expect_also(expect, expect->outcome == OP_OK ? OP_INVALID : expect->outcome);
        expect_refusal(expect, OP_INVALID, MODEL_S1, "T9: too short a life");
        return;
    }
    if (session == 0) {
        return;
    }
    reply->session = request->token.id;
    reply->idle = of->idle_time;
    wanted = u64_min(sat_add(ask->time, asked), of->cap);
    if (of->parent != 0) {
        wanted = u64_min(wanted, model->sessions[of->parent].absolute);
    }
    reply->absolute = sat_sub(u64_max(of->absolute, wanted), ask->time);
}

void apply_session_renew(struct model *model, const struct ask *ask,
                         const struct model_answer *answer)
{
    const struct op_session_renew_reply *reply = &answer->reply.session_renew;
    uint32_t session = state_session_of(model, ask->op->request->session_renew.token.id);

    model->sessions[session].idle = sat_add(ask->time, reply->idle);
    model->sessions[session].absolute = sat_add(ask->time, reply->absolute);
}

/* Section 4: a new secret; C and state stay. Another policy makes nothing live longer. */
void expect_session_rotate(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_session_rotate_request *request = &ask->op->request->session_rotate;
    struct op_session_rotate_reply *reply = &expect->reply.session_rotate;
    uint32_t session = expect_session(model, ask, &request->token, expect);
    const struct session *of = &model->sessions[session];
    struct policy policy;

    if (session == 0) {
        return;
    }
    if (request->has_policy && !rule_policy(model, ask, request->policy, &policy)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "the tenant has no policy of that name");
        return;
    }
    if (request->has_policy && policy.evidence > (request->has_evidence ? request->evidence : 0)) {
        expect_refusal(expect, OP_UNPROVEN, MODEL_S12, "the policy needs more evidence");
        return;
    }
    reply->session = request->token.id;
    reply->epoch = of->epoch;
    reply->idle = request->has_policy ? policy.idle : of->idle_time;
    reply->absolute = sat_sub(of->absolute, ask->time);
    if (request->has_policy) {
        reply->absolute = u64_min(reply->absolute, policy.absolute);
    }
    expect->free_tags = TAG(2);
}

const struct op_token *rule_rotates(const struct model_op *op)
{
    if (op->f == OP_session_rotate) {
        return &op->request->session_rotate.token;
    }
    return op->f == OP_session_elevate ? &op->request->session_elevate.token : NULL;
}

void apply_rotation(struct model *model, const struct ask *ask, struct session *session,
                    const struct op_token *token)
{
    struct session *root;

    session->before = session->secret;
    session->before_counts = false;
    session->secret = token != NULL ? state_secret(model, token) : 0;
    session->older = 0;
    session->made = ask->op->position;
    root = &model->sessions[life_root(model, (uint32_t)(session - model->sessions))];
    root->first_rotated = root->rotated ? root->first_rotated : ask->time;
    root->rotated = true;
}

void apply_session_rotate(struct model *model, const struct ask *ask,
                          const struct model_answer *answer)
{
    const struct op_session_rotate_request *request = &ask->op->request->session_rotate;
    const struct op_session_rotate_reply *reply = &answer->reply.session_rotate;
    struct session *session = &model->sessions[state_session_of(model, request->token.id)];
    struct policy policy;

    apply_rotation(model, ask, session, reply->has_token ? &reply->token : NULL);
    session->idle = sat_add(ask->time, reply->idle);
    session->absolute = sat_add(ask->time, reply->absolute);
    if (request->has_policy && rule_policy(model, ask, request->policy, &policy)) {
        session->idle_time = policy.idle;
        session->cap = u64_min(session->cap, sat_add(ask->time, policy.absolute));
        session->policy = state_name(model, request->policy);
    }
    session->evidence = request->has_evidence ? request->evidence : session->evidence;
}

void expect_session_end(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_token *token = &ask->op->request->session_end.token;
    uint32_t session = expect_session(model, ask, token, expect);

    if (session != 0) {
        expect->reply.session_end.session = token->id;
        expect->reply.session_end.lifetime = sat_sub(ask->time, model->sessions[session].created);
    }
}

void apply_session_end(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    uint32_t session = state_session_of(model, ask->op->request->session_end.token.id);

    (void)answer;
    model->sessions[session].ended = ask->op->position;
    model->sessions[session].ended_time = ask->time;
}

void expect_session_get(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_token *token = &ask->op->request->session_get.token;
    struct op_session_get_reply *reply = &expect->reply.session_get;
    uint32_t session = expect_session(model, ask, token, expect);
    const struct session *of = &model->sessions[session];

    if (session == 0) {
        return;
    }
    reply->session = token->id;
    reply->epoch = of->epoch;
    reply->agent = model_names_bytes(model->names, of->agent);
    reply->has_policy = of->policy != 0;
    reply->policy = model_names_bytes(model->names, of->policy);
    reply->has_evidence = of->evidence != 0;
    reply->evidence = of->evidence;
    reply->age = sat_sub(ask->time, of->created);
    reply->idle = sat_sub(of->idle, ask->time);
    reply->absolute = sat_sub(of->absolute, ask->time);
    reply->longest = sat_sub(of->cap, ask->time);
    reply->pause = of->idle_time;
    reply->has_parent = of->parent != 0;
    if (of->parent != 0) {
        reply->parent = state_id_of(model, model->sessions[of->parent].id);
    }
    reply->has_floor = of->floor != OP_INFINITE;
    reply->floor = of->floor;
    reply->filter_count = of->filter_count;
    reply->has_filter = of->filter_count > 0;
    for (uint32_t i = 0; i < of->filter_count; i++) {
        reply->filter[i].pattern = model_names_bytes(model->names, of->filter[i]);
    }
    reply->networks_count = of->network_count;
    reply->has_networks = of->network_count > 0;
    for (uint32_t i = 0; i < of->network_count; i++) {
        reply->networks[i].network = model_names_bytes(model->names, of->networks[i]);
    }
    reply->has_fingerprint = of->fingerprint != 0;
    reply->fingerprint = model_names_bytes(model->names, of->fingerprint);
    reply->keys = of->key_count;
    reply->size = of->state_bytes;
    reply->has_metadata = of->metadata != 0;
    reply->metadata = model_names_bytes(model->names, of->metadata);
}

void apply_session_get(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

/* The value is free: jepsen/check/derived.c compares them. */
void expect_session_derive(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_session_derive_request *request = &ask->op->request->session_derive;
    struct op_session_derive_reply *reply = &expect->reply.session_derive;
    uint32_t session;

    if (request->label.size == 0) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "a value is derived for a label");
        return;
    }
    session = expect_session(model, ask, &request->token, expect);
    if (session != 0) {
        reply->session = request->token.id;
        reply->epoch = model->sessions[session].epoch;
        expect->free_tags = TAG(3);
    }
}

void apply_session_derive(struct model *model, const struct ask *ask,
                          const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer; /* it changes nothing */
}

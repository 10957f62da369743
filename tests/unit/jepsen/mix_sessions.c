/* Of a random history, the calls that make, ask, give to and end sessions. */
#include "tests/unit/jepsen/mix.h"

#include <string.h>

/* The deepest of a few. */
struct known_session *mix_deep_session(struct mix *mix)
{
    struct known_session *deepest = mix_some_session(mix);

    for (int i = 0; i < 3; i++) {
        struct known_session *other = mix_some_session(mix);

        deepest = other->depth > deepest->depth ? other : deepest;
    }
    return deepest;
}

/* Whose child it is to be, or NULL. */
static struct known_session *draw_place(struct mix *mix, struct op_session_create_request *request,
                                        const char **ret_user, uint8_t *ret_tenant)
{
    struct known_task *task = mix->task_count > 0 && mix_one_in(mix, 2) ? mix_some_task(mix) : NULL;
    struct known_session *parent = mix->trees && !mix_one_in(mix, 3) ? mix_deep_session(mix)
                                                                     : mix_some_session(mix);

    if (task != NULL && task->fences[0].attempt != 0) {
        *ret_tenant = task->tenant;
        *ret_user = task->user;
        request->has_fence = request->has_operation = true;
        request->fence = mix_some_fence(mix, task);
        request->operation = mix_one_in(mix, 8) && task->next > 1 ? task->next - 1 : task->next++;
        return mix_session_of(mix, task->session);
    }
    *ret_tenant = parent->tenant;
    *ret_user = parent->user;
    request->has_parent = true;
    request->parent = parent->token;
    return parent;
}

static void draw_grants(struct mix *mix, struct op_session_create_request *request,
                        const struct known_session *parent)
{
    bool child = request->has_parent || request->has_fence;

    request->has_grants = true;
    for (uint32_t i = 0; i < PERMISSIONS; i++) {
        bool held = parent != NULL && parent->asked[i];

        if (child ? mix_one_in(mix, held ? 2 : 20) : !mix_one_in(mix, 4)) {
            struct op_item_grant *grant = &request->grants[request->grants_count++];

            grant->permission = bytes_of_text(permissions[i]);
            grant->has_ttl = mix_one_in(mix, mix->trees ? 8 : 3);
            grant->ttl = (5 + mix_below(mix, 40)) * SECOND;
        }
    }
}

static void learn_session(struct mix *mix, const struct op_session_create_request *request,
                          struct known_session *parent, const char *user, uint8_t tenant)
{
    const struct op_session_create_reply *reply = &mix->maker->answer.reply.session_create;
    struct known_session *known = &mix->sessions[mix->session_count];

    if (mix->maker->answer.outcome != OP_OK || !reply->has_token ||
        mix->session_count == SESSIONS_MAX) {
        return;
    }
    mix->session_count++;
    *known = (struct known_session){.token = reply->token,
                                    .user = user,
                                    .tenant = tenant,
                                    .idle_deadline = mix->maker->time + reply->idle,
                                    .parent = parent,
                                    .depth = parent == NULL ? 1 : parent->depth + 1};
    for (uint32_t i = 0; i < request->grants_count; i++) {
        for (uint32_t j = 0; j < PERMISSIONS; j++) {
            known->asked[j] |= bytes_equal(request->grants[i].permission,
                                           bytes_of_text(permissions[j]));
        }
    }
}

static void draw_filter(struct mix *mix, struct op_session_create_request *request)
{
    request->has_filter = mix_one_in(mix, 3);
    request->filter_count = 1 + (uint32_t)mix_below(mix, 2);
    request->filter[0].pattern = mix_pick(mix, patterns, 6);
    request->filter[1].pattern = mix_pick(mix, patterns, 6);
}

void mix_create(struct mix *mix)
{
    struct op_session_create_request *request = &mix->request.session_create;
    uint8_t tenant = (uint8_t)mix_one_in(mix, 4);
    const char *user = users[mix_below(mix, 3)];
    struct known_session *parent = NULL;

    mix->f = OP_session_create;
    if (mix->session_count > 0 && (mix->trees ? !mix_one_in(mix, 4) : mix_one_in(mix, 3))) {
        parent = draw_place(mix, request, &user, &tenant);
    }
    mix->caller = &mix->callers[tenant * 2];
    request->user = bytes_of_text(user);
    request->agent = mix_pick(mix, agents, 2);
    request->idle = (20 + mix_below(mix, 100)) * SECOND;
    request->absolute = request->idle + mix_below(mix, 200) * SECOND;
    if (mix_one_in(mix, 8)) {
        request->has_policy = true;
        request->policy = mix_pick(mix, policies, 5);
        request->has_evidence = mix_one_in(mix, 2);
        request->evidence = mix_one_in(mix, 2) ? OP_EVIDENCE_MFA : OP_EVIDENCE_REAUTHENTICATION;
    }
    draw_filter(mix, request);
    request->networks_count = request->has_networks = mix_one_in(mix, 5);
    request->networks[0].network = mix_pick(mix, networks, 3);
    request->has_fingerprint = mix_one_in(mix, 12);
    request->fingerprint = mix_pick(mix, addresses, 2);
    request->has_auth_position = mix_one_in(mix, 4);
    request->auth_position = mix_below(mix, mix->maker->position + 1);
    draw_grants(mix, request, parent);
    mix_go(mix);
    learn_session(mix, request, parent, user, tenant);
    if (request->has_fence && mix_one_in(mix, 3)) {
        mix_go(mix); /* the same operation under another number: told again, and its retry */
        maker_retry(mix->maker, mix->caller, mix->f, &mix->request);
    }
}

void mix_ask_of(struct mix *mix, enum op_number f, const struct known_session *session)
{
    struct op_token token = session->token;
    struct bytes user = mix_user_of(mix, session->user);

    mix_spoil(mix, &token);
    mix->f = f;
    mix->caller = mix_caller_of(mix, session->tenant);
    if (f == OP_session_validate) {
        mix->request.session_validate.user = user;
        mix->request.session_validate.token = token;
        PLACE(mix, session_validate);
    } else if (f == OP_session_get) {
        mix->request.session_get.user = user;
        mix->request.session_get.token = token;
    } else if (f == OP_grant_list) {
        mix->request.grant_list.user = user;
        mix->request.grant_list.token = token;
    } else if (f == OP_session_derive) {
        mix->request.session_derive.user = user;
        mix->request.session_derive.token = token;
        mix->request.session_derive.label = bytes_of_text("memory");
    } else if (f == OP_session_touch) {
        mix->request.session_touch.user = user;
        mix->request.session_touch.token = token;
        PLACE(mix, session_touch);
    } else if (f == OP_session_renew) {
        mix->request.session_renew.user = user;
        mix->request.session_renew.token = token;
        mix->request.session_renew.has_absolute = mix_one_in(mix, 2);
        mix->request.session_renew.absolute = mix_below(mix, 100) * SECOND;
    } else if (f == OP_session_end) {
        mix->request.session_end.user = user;
        mix->request.session_end.token = token;
    } else if (f == OP_permission_check) {
        mix->request.permission_check.user = user;
        mix->request.permission_check.token = token;
        PLACE(mix, permission_check);
        mix->request.permission_check.permission = mix_pick(mix, permissions, PERMISSIONS);
        mix->request.permission_check.has_resource = !mix_one_in(mix, 4);
        mix->request.permission_check.resource = mix_pick(mix, resources, 5);
    } else if (f == OP_grant_revoke) {
        mix->request.grant_revoke.user = user;
        mix->request.grant_revoke.token = token;
        mix->request.grant_revoke.permission = mix_pick(mix, permissions, PERMISSIONS);
    } else if (f == OP_grant_add) {
        mix->request.grant_add.user = user;
        mix->request.grant_add.token = token;
        mix->request.grant_add.permission = mix_pick(mix, permissions, PERMISSIONS);
        mix->request.grant_add.has_ttl = mix_one_in(mix, 2);
        mix->request.grant_add.ttl = (2 + mix_below(mix, 30)) * SECOND;
    }
    mix_go(mix);
}

void mix_ask_session(struct mix *mix, enum op_number f)
{
    mix_ask_of(mix, f, mix_some_session(mix));
}

/* What was taken just now: with a new G. */
void mix_give_again(struct mix *mix)
{
    const struct op_grant_revoke_request taken = mix->request.grant_revoke;

    if (mix->f != OP_grant_revoke || mix->maker->answer.outcome != OP_OK || mix_one_in(mix, 3)) {
        return;
    }
    memset(&mix->request, 0, sizeof mix->request);
    mix->f = OP_grant_add;
    mix->request.grant_add.user = taken.user;
    mix->request.grant_add.token = taken.token;
    mix->request.grant_add.permission = taken.permission;
    mix_go(mix);
}

void mix_revoke_one(struct mix *mix, const struct known_session *session)
{
    mix->caller = mix_caller_of(mix, session->tenant);
    if (mix_one_in(mix, 2)) {
        mix->f = OP_session_revoke;
        mix->request.session_revoke.user = mix_user_of(mix, session->user);
        mix->request.session_revoke.session = session->token.id;
    } else {
        mix->f = OP_revoke_lineage;
        mix->request.revoke_lineage.user = mix_user_of(mix, session->user);
        mix->request.revoke_lineage.session = session->token.id;
    }
    mix_go(mix);
}

void mix_revoke(struct mix *mix)
{
    uint64_t kind = mix_below(mix, 20);

    mix->caller = &mix->callers[mix_one_in(mix, 4) ? 2 : 0];
    if (kind < 2) {
        mix->f = kind == 0 ? OP_revoke_tenant : OP_revoke_all;
        mix->caller = mix_one_in(mix, 4) ? mix->caller : &mix->callers[4];
    } else if (kind < 10) {
        mix->f = OP_revoke_user;
        mix->request.revoke_user.user = mix_pick(mix, users, 3);
    } else {
        mix->f = OP_revoke_agent;
        mix->request.revoke_agent.agent = mix_pick(mix, agents, 2);
    }
    mix_go(mix);
}

void mix_list_sessions(struct mix *mix)
{
    struct op_session_list_request *request = &mix->request.session_list;
    const struct known_session *session = mix_some_session(mix);

    mix->f = OP_session_list;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    request->has_after = mix_one_in(mix, 2);
    request->after = mix_below(mix, mix->maker->position + 1);
    request->has_max = mix_one_in(mix, 2);
    request->max = mix_below(mix, 4);
    mix_go(mix);
}

void mix_list_children(struct mix *mix)
{
    struct op_session_children_request *request = &mix->request.session_children;
    const struct known_session *session = mix_deep_session(mix);

    session = session->parent != NULL ? session->parent : session;
    mix->f = OP_session_children;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    request->token = session->token;
    request->has_after = mix_one_in(mix, 3);
    request->after = mix_below(mix, mix->maker->position + 1);
    request->has_max = mix_one_in(mix, 2);
    request->max = mix_below(mix, 4);
    mix_go(mix);
}

/* Whoever rotates knows the new secret; `spoil` shows wrong ones. */
void mix_rotate(struct mix *mix)
{
    struct known_session *session = &mix->sessions[mix_below(mix, mix->session_count)];
    struct op_session_rotate_request *request = &mix->request.session_rotate;

    mix->f = OP_session_rotate;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    request->token = session->token;
    mix_spoil(mix, &request->token);
    request->has_policy = mix_one_in(mix, 4);
    request->policy = mix_pick(mix, policies, 5);
    request->has_evidence = mix_one_in(mix, 2);
    request->evidence = OP_EVIDENCE_MFA;
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK && mix->maker->answer.reply.session_rotate.has_token) {
        session->token = mix->maker->answer.reply.session_rotate.token;
    }
}

/* For so long that it ends in the run; under a policy whose evidence is not always shown. */
void mix_elevate(struct mix *mix)
{
    struct known_session *session = &mix->sessions[mix_below(mix, mix->session_count)];
    struct op_session_elevate_request *request = &mix->request.session_elevate;

    mix->f = OP_session_elevate;
    mix->caller = mix_caller_of(mix, session->tenant);
    request->user = mix_user_of(mix, session->user);
    request->token = session->token;
    mix_spoil(mix, &request->token);
    request->policy = mix_pick(mix, policies, 5);
    request->has_evidence = !mix_one_in(mix, 4);
    request->evidence = mix_one_in(mix, 2) ? OP_EVIDENCE_MFA : OP_EVIDENCE_REAUTHENTICATION;
    request->permissions_count = 1 + (uint32_t)mix_below(mix, 2);
    request->permissions[0].permission = mix_pick(mix, permissions, PERMISSIONS);
    request->permissions[1].permission = mix_pick(mix, permissions, PERMISSIONS);
    request->has_ttl = !mix_one_in(mix, 4);
    request->ttl = (2 + mix_below(mix, 30)) * SECOND;
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK && mix->maker->answer.reply.session_elevate.has_token) {
        session->token = mix->maker->answer.reply.session_elevate.token;
    }
}

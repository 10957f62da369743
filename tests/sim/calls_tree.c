/* The workload's generators of what opens sessions, and of what happens to trees of them: opened
 * below others, several deep, ended and revoked at each level, and their permissions taken away and
 * given anew above. The mixes are in calls.c.
 */
#include "tests/sim/calls.h"

#include "base/sat.h"

#include <inttypes.h>
#include <stdio.h>

/* Of those built in, and the one that is defined by the table. */
void draw_policy(struct run *run, struct tenure_session_create_request *request)
{
    static const char *const policies[] = {"standard", "elevated", "privileged", "by-table"};
    request->has_policy = run_chance(run, 30);
    request->policy = tenure_text(policies[run_random(run, 4)]);
    request->has_evidence = run_chance(run, 60);
    request->evidence = run_chance(run, 50) ? TENURE_EVIDENCE_MFA
                                            : TENURE_EVIDENCE_REAUTHENTICATION;
}

/* Some while before what the leader has applied. */
static void draw_login(struct run *run, struct tenure_session_create_request *request)
{
    size_t leader = nodes_leader(run);
    uint64_t back = run_random(run, 300);
    request->has_auth_position = leader < NODES_MAX && run_chance(run, 25);
    if (request->has_auth_position) {
        request->auth_position = sat_sub(fsm_position(run->nodes[leader].node->fsm), back);
    }
}

/* Of what the session above was opened with, each mostly; now and then something else, too. */
static void draw_copies(struct run *run, uint32_t above,
                        struct tenure_session_create_request *request)
{
    for (size_t i = 0; i < PERMISSIONS_OPENING; i++) {
        bool there = (above >> i & 1) != 0;
        if (run_chance(run, there ? 75 : 2)) {
            struct tenure_grant *grant = &request->grants[request->grants_count++];
            grant->permission = tenure_text(permission_text(i));
            grant->has_ttl = run_chance(run, 10);
            grant->ttl = lifetime(run, 5 * SIM_SECOND);
        }
    }
}

static void draw_grants(struct run *run, struct tenure_session_create_request *request)
{
    for (size_t i = 0; i < PERMISSIONS_OPENING; i++) {
        if (i == 0 || run_chance(run, 75)) {
            struct tenure_grant *grant = &request->grants[request->grants_count++];
            grant->permission = tenure_text(permission_text(i));
            grant->has_ttl = run_chance(run, 25);
            grant->ttl = lifetime(run, 5 * SIM_SECOND);
        }
    }
}

/* The deeper of two. */
static struct run_session *draw_parent(struct run *run)
{
    struct run_session *one = any_session(run);
    struct run_session *other = any_session(run);
    return one == NULL || (other != NULL && other->depth > one->depth) ? other : one;
}

static void draw_place(struct run *run, struct run_session *parent, struct run_fence *fence,
                       struct draft *draft)
{
    struct tenure_session_create_request *request = &draft->request.session_create;
    if (fence != NULL) {
        parent = session_known(run, &fence->session);
        request->user = tenure_text(fence->user);
        request->has_fence = request->has_operation = true;
        request->fence = tenure_text(fence->token);
        request->operation = draw_operation(run, fence);
    } else if (parent != NULL) {
        request->user = acting(run, draft, parent->user);
        request->has_parent = true;
        request->parent = tampered(run, draft, parent->token, OP_TOKEN_session);
    } else {
        snprintf(draft->user, sizeof(draft->user), "user-%" PRIu64, run_random(run, USERS));
        request->user = tenure_text(draft->user);
        draw_grants(run, request);
        return;
    }
    draw_copies(run, parent == NULL ? 1 : parent->asked, request);
}

/* The same child again, by a call of its own: what a worker does that was started anew. */
static bool open_again(struct run *run, const struct run_fence *fence, struct draft *draft)
{
    struct tenure_session_create_request *request = &draft->request.session_create;
    if (!fence->opened || !run_chance(run, 10)) {
        return false;
    }
    *request = fence->opening;
    snprintf(draft->text, sizeof(draft->text), "%s", fence->agent);
    request->user = tenure_text(fence->user);
    request->fence = tenure_text(fence->token);
    request->agent = tenure_text(draft->text);
    return true;
}

static void keep_opening(struct run_fence *fence, const struct draft *draft)
{
    fence->opening = draft->request.session_create;
    snprintf(fence->agent, sizeof(fence->agent), "%s", draft->text);
    fence->opened = true;
}

/* By a service now and then below a session; by a worker always by one of its tasks. */
static bool draw_opening(struct run_actor *actor, struct draft *draft, bool child)
{
    struct run *run = actor->run;
    struct tenure_session_create_request *request = &draft->request.session_create;
    struct run_fence *fence = actor->worker ? any_fence(actor) : NULL;
    struct run_session *parent = child && !actor->worker ? draw_parent(run) : NULL;
    if (actor->worker && fence == NULL) {
        return false;
    }
    if (fence != NULL && open_again(run, fence, draft)) {
        return true;
    }
    request->has_grants = true;
    draw_place(run, parent, fence, draft);
    snprintf(draft->text, sizeof(draft->text), "agent-%" PRIu64, run_random(run, AGENTS));
    request->agent = tenure_text(draft->text);
    request->idle = lifetime(run, run->plan.idle_us);
    request->absolute = lifetime(run, run->plan.absolute_us);
    draw_policy(run, request);
    draw_login(run, request);
    draw_filter(run, request);
    draw_binding(run, request);
    if (fence != NULL) {
        keep_opening(fence, draft);
    }
    return true;
}

bool draw_session_create(struct run_actor *actor, struct draft *draft)
{
    bool child = run_chance(actor->run, 15);
    return draw_opening(actor, draft, child);
}

/* ---- trees ---- */

static bool draw_child(struct run_actor *actor, struct draft *draft)
{
    return draw_opening(actor, draft, true);
}

/* In a child: its E is bounded by F, where a task had a part in its creation. */
static bool draw_begin_below(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = deep_session(run, 2);
    struct tenure_task_begin_request *request = &draft->request.task_begin;
    if (session == NULL) {
        return false;
    }
    request->user = tenure_text(session->user);
    request->has_token = true;
    request->token = tenure_text(session->token);
    request->kind = tenure_text("work");
    request->scope = run_chance(run, 50) ? TENURE_TASK_SCOPE_USER : TENURE_TASK_SCOPE_SESSION;
    request->ttl = SIM_SECOND + lifetime(run, 40 * SIM_SECOND);
    return true;
}

/* Of what it was opened with. */
static struct tenure_bytes asked_of(struct run *run, const struct run_session *session)
{
    size_t which = (size_t)run_random(run, PERMISSIONS_OPENING);
    for (size_t i = 0; i < PERMISSIONS_OPENING && (session->asked >> which & 1) == 0; i++) {
        which = (which + 1) % PERMISSIONS_OPENING;
    }
    return tenure_text(permission_text(which));
}

static void ask_permission(struct run_actor *actor, const struct run_session *session,
                           struct tenure_bytes permission)
{
    const struct tenure_permission_check_request check = {.user = tenure_text(session->user),
                                                          .token = tenure_text(session->token),
                                                          .permission = permission};
    record_call(actor, OP_permission_check, &check, NULL);
}

static bool draw_check_below(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = deep_session(run, 2);
    if (session == NULL) {
        return false;
    }
    draft->request.permission_check = (struct tenure_permission_check_request){
        .user = tenure_text(session->user), .token = tenure_text(session->token)};
    draft->request.permission_check.permission = asked_of(run, session);
    return true;
}

/* What is taken above is gone below, given anew or not; somebody asks before that, and later. */
static bool draw_give_above(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = deep_session(run, 2);
    if (session == NULL) {
        return false;
    }
    const struct run_session *above = session_above(run, session);
    const struct tenure_grant_revoke_request revoke = {.user = tenure_text(above->user),
                                                       .token = tenure_text(above->token),
                                                       .permission = asked_of(run, session)};
    record_call(actor, OP_grant_revoke, &revoke, NULL);
    if (run_chance(run, 50)) {
        ask_permission(actor, session, revoke.permission);
    }
    draft->request.grant_add = (struct tenure_grant_add_request){
        .user = revoke.user, .token = revoke.token, .permission = revoke.permission};
    return run_chance(run, 70);
}

/* Mostly one above, and then what hangs below it is asked after. */
static bool draw_end_above(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = deep_session(run, 3);
    if (session == NULL) {
        return false;
    }
    const struct run_session *above = session_above(run, session);
    draft->request.session_end = (struct tenure_session_end_request){
        .user = tenure_text(above->user), .token = tenure_text(above->token)};
    return true;
}

static bool draw_revoke_above(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = deep_session(run, 2);
    if (session == NULL) {
        return false;
    }
    bool below = run_chance(run, 40);
    const struct run_session *revoked = below ? session : session_above(run, session);
    draft->request.session_revoke = (struct tenure_session_revoke_request){
        .user = acting(run, draft, revoked->user), .session = revoked->id};
    return true;
}

static bool draw_lineage_below(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_session *session = deep_session(run, 3);
    if (session == NULL) {
        return false;
    }
    draft->request.revoke_lineage = (struct tenure_revoke_lineage_request){
        .user = acting(run, draft, session->user), .session = session->id};
    return true;
}

static bool draw_validate_below(struct run_actor *actor, struct draft *draft)
{
    struct run_session *session = deep_session(actor->run, 3);
    if (session == NULL) {
        return false;
    }
    draft->request.session_validate = (struct tenure_session_validate_request){
        .user = tenure_text(session->user), .token = tenure_text(session->token)};
    return true;
}

static const struct {
    enum op_number number;
    draw_fn *draw;
    uint64_t weight; /* of 100 */
} of_trees[] = {
    {OP_session_create, draw_child, 36},
    {OP_task_begin, draw_begin_below, 17},
    {OP_permission_check, draw_check_below, 12},
    {OP_grant_add, draw_give_above, 9},
    {OP_session_children, draw_session_children, 8},
    {OP_session_validate, draw_validate_below, 6},
    {OP_session_end, draw_end_above, 6},
    {OP_session_revoke, draw_revoke_above, 3},
    {OP_revoke_lineage, draw_lineage_below, 3},
};

bool call_tree(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    if (!run->plan.trees || !run_chance(run, actor->worker ? 8 : 25)) {
        return false;
    }
    uint64_t left = run_random(run, 100);
    size_t at = 0;
    while (left >= of_trees[at].weight) {
        left -= of_trees[at++].weight;
    }
    at = actor->worker ? 0 : at; /* a worker has its tasks, and opens by them */
    if (of_trees[at].draw(actor, draft)) {
        record_call(actor, of_trees[at].number, &draft->request, NULL);
    }
    return true;
}

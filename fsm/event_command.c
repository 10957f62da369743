/* What is told of each command that was carried out, of a reuse, and of the dead that the sweep
 * finds. How events are kept is event.c's.
 *
 *  1. The end of a session is told once: by the command that ended it, otherwise by the sweep, with
 *     its cause and the T at which it ended.
 *  2. What follows from an event by the law alone is not told again: the sub-tasks of a task that
 *     was cancelled, grants at their deadlines, a lease that ran out. Orphans are told, for they
 *     wait to be adopted.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

typedef struct fsm_event (*telling)(struct fsm_context *ctx, const union op_request *request,
                                    const union op_reply *reply);

/* ---- sessions ---- */

static struct fsm_event tell_session_create(struct fsm_context *ctx,
                                            const union op_request *request,
                                            const union op_reply *reply)
{
    (void)ctx;
    return (struct fsm_event){.kind = OP_EVENT_KIND_SESSION_CREATED,
                              .session = reply->session_create.session,
                              .parent = reply->session_create.parent,
                              .epoch = reply->session_create.epoch,
                              .user = request->session_create.user,
                              .name = request->session_create.agent};
}

static struct fsm_event tell_session_rotate(struct fsm_context *ctx,
                                            const union op_request *request,
                                            const union op_reply *reply)
{
    (void)ctx;
    return (struct fsm_event){
        .kind = OP_EVENT_KIND_SESSION_ROTATED,
        .session = reply->session_rotate.session,
        .epoch = reply->session_rotate.epoch,
        .user = request->session_rotate.user,
        .name = request->session_rotate.has_policy ? request->session_rotate.policy : BYTES_NONE};
}

static struct fsm_event tell_session_elevate(struct fsm_context *ctx,
                                             const union op_request *request,
                                             const union op_reply *reply)
{
    (void)ctx;
    return (struct fsm_event){.kind = OP_EVENT_KIND_SESSION_ELEVATED,
                              .session = reply->session_elevate.session,
                              .given = reply->session_elevate.given,
                              .user = request->session_elevate.user,
                              .name = request->session_elevate.policy};
}

static struct fsm_event tell_grant_add(struct fsm_context *ctx, const union op_request *request,
                                       const union op_reply *reply)
{
    (void)ctx;
    return (struct fsm_event){.kind = OP_EVENT_KIND_GRANT_ADDED,
                              .session = reply->grant_add.session,
                              .given = reply->grant_add.given,
                              .user = request->grant_add.user,
                              .name = request->grant_add.permission};
}

static struct fsm_event tell_grant_revoke(struct fsm_context *ctx, const union op_request *request,
                                          const union op_reply *reply)
{
    (void)ctx;
    return (struct fsm_event){.kind = OP_EVENT_KIND_GRANT_REVOKED,
                              .session = reply->grant_revoke.session,
                              .given = reply->grant_revoke.given,
                              .user = request->grant_revoke.user,
                              .name = request->grant_revoke.permission};
}

static struct fsm_event tell_policy_set(struct fsm_context *ctx, const union op_request *request,
                                        const union op_reply *reply)
{
    (void)ctx;
    (void)reply;
    return (struct fsm_event){.kind = OP_EVENT_KIND_POLICY_SET, .name = request->policy_set.name};
}

/* ---- revokes ---- */

static struct fsm_event tell_revoke_user(struct fsm_context *ctx, const union op_request *request,
                                         const union op_reply *reply)
{
    (void)ctx;
    (void)reply;
    return (struct fsm_event){.kind = OP_EVENT_KIND_USER_REVOKED,
                              .user = request->revoke_user.user};
}

static struct fsm_event tell_revoke_agent(struct fsm_context *ctx, const union op_request *request,
                                          const union op_reply *reply)
{
    (void)ctx;
    (void)reply;
    return (struct fsm_event){.kind = OP_EVENT_KIND_AGENT_REVOKED,
                              .name = request->revoke_agent.agent};
}

static struct fsm_event tell_revoke_tenant(struct fsm_context *ctx, const union op_request *request,
                                           const union op_reply *reply)
{
    (void)ctx;
    (void)request;
    (void)reply;
    return (struct fsm_event){.kind = OP_EVENT_KIND_TENANT_REVOKED};
}

static struct fsm_event tell_revoke_all(struct fsm_context *ctx, const union op_request *request,
                                        const union op_reply *reply)
{
    (void)ctx;
    (void)request;
    (void)reply;
    return (struct fsm_event){.kind = OP_EVENT_KIND_ALL_REVOKED};
}

static struct fsm_event tell_revoke_lineage(struct fsm_context *ctx,
                                            const union op_request *request,
                                            const union op_reply *reply)
{
    (void)ctx;
    return (struct fsm_event){.kind = OP_EVENT_KIND_LINEAGE_REVOKED,
                              .session = reply->revoke_lineage.lineage,
                              .user = request->revoke_lineage.user};
}

static struct fsm_event tell_session_revoke(struct fsm_context *ctx,
                                            const union op_request *request,
                                            const union op_reply *reply)
{
    (void)ctx;
    return (struct fsm_event){.kind = OP_EVENT_KIND_SESSION_REVOKED,
                              .session = reply->session_revoke.session,
                              .user = request->session_revoke.user};
}

/* ---- tasks ---- */

/* Of a task that is there, with what it is now. */
static struct fsm_event of_task(struct fsm_context *ctx, enum op_event_kind kind, struct id128 id,
                                struct bytes user)
{
    const struct task_record *task;
    uint32_t slot = fsm_task_of(ctx->fsm, id);

    ASSERT(slot != SLOT_NONE);
    task = table_read(ctx->fsm->tables[FSM_TASKS], slot);
    return (struct fsm_event){.kind = kind,
                              .session = task->session,
                              .task = id,
                              .parent = task->parent,
                              .user = user,
                              .name = names_text(ctx->fsm->names, task->kind),
                              .epoch = task->epoch};
}

static struct fsm_event of_attempt(struct fsm_context *ctx, enum op_event_kind kind,
                                   struct id128 id, struct bytes user)
{
    struct fsm_event event = of_task(ctx, kind, id, user);
    const struct task_record *task = table_read(ctx->fsm->tables[FSM_TASKS],
                                                fsm_task_of(ctx->fsm, id));

    event.attempt = task->attempt;
    event.name = names_text(ctx->fsm->names, task->owner);
    return event;
}

static struct fsm_event tell_task_begin(struct fsm_context *ctx, const union op_request *request,
                                        const union op_reply *reply)
{
    return of_task(ctx, OP_EVENT_KIND_TASK_BEGUN, reply->task_begin.task, request->task_begin.user);
}

static struct fsm_event tell_task_claim(struct fsm_context *ctx, const union op_request *request,
                                        const union op_reply *reply)
{
    return of_attempt(ctx, OP_EVENT_KIND_TASK_CLAIMED, reply->task_claim.task,
                      request->task_claim.user);
}

static struct fsm_event tell_task_hand_over(struct fsm_context *ctx,
                                            const union op_request *request,
                                            const union op_reply *reply)
{
    return of_attempt(ctx, OP_EVENT_KIND_TASK_HANDED_OVER, reply->task_hand_over.task,
                      request->task_hand_over.user);
}

static struct fsm_event tell_task_complete(struct fsm_context *ctx, const union op_request *request,
                                           const union op_reply *reply)
{
    return of_task(ctx, OP_EVENT_KIND_TASK_DONE, reply->task_complete.task,
                   request->task_complete.user);
}

static struct fsm_event tell_task_fail(struct fsm_context *ctx, const union op_request *request,
                                       const union op_reply *reply)
{
    return of_task(ctx, OP_EVENT_KIND_TASK_FAILED, reply->task_fail.task, request->task_fail.user);
}

static struct fsm_event tell_task_cancel(struct fsm_context *ctx, const union op_request *request,
                                         const union op_reply *reply)
{
    return of_task(ctx, OP_EVENT_KIND_TASK_CANCELLED, reply->task_cancel.task,
                   request->task_cancel.user);
}

static struct fsm_event tell_task_adopt(struct fsm_context *ctx, const union op_request *request,
                                        const union op_reply *reply)
{
    return of_task(ctx, OP_EVENT_KIND_TASK_ADOPTED, reply->task_adopt.task,
                   request->task_adopt.user);
}

static const telling tellings[] = {
    [OP_session_create] = tell_session_create,
    [OP_session_rotate] = tell_session_rotate,
    [OP_session_elevate] = tell_session_elevate,
    [OP_grant_add] = tell_grant_add,
    [OP_grant_revoke] = tell_grant_revoke,
    [OP_policy_set] = tell_policy_set,
    [OP_revoke_user] = tell_revoke_user,
    [OP_revoke_agent] = tell_revoke_agent,
    [OP_revoke_tenant] = tell_revoke_tenant,
    [OP_revoke_all] = tell_revoke_all,
    [OP_revoke_lineage] = tell_revoke_lineage,
    [OP_session_revoke] = tell_session_revoke,
    [OP_task_begin] = tell_task_begin,
    [OP_task_claim] = tell_task_claim,
    [OP_task_hand_over] = tell_task_hand_over,
    [OP_task_complete] = tell_task_complete,
    [OP_task_fail] = tell_task_fail,
    [OP_task_cancel] = tell_task_cancel,
    [OP_task_adopt] = tell_task_adopt,
};

/* ---- ends ---- */

static struct fsm_event ended(const struct fsm *fsm, const struct fsm_session *session,
                              const struct fsm_end *end)
{
    const struct cover_record *user = table_read(fsm->tables[FSM_COVERS],
                                                 session->head->cover[COVER_USER]);

    return (struct fsm_event){.kind = OP_EVENT_KIND_SESSION_ENDED,
                              .session = session->head->selector,
                              .user = names_text(fsm->names, user->name),
                              .cause = end->cause,
                              .epoch = session->head->created,
                              .ended = end->time,
                              .lifetime = sat_sub(end->time, session->head->created_time)};
}

/* Invariant 1: the session that this command ended, if it did. */
static void tell_ended_here(struct fsm_context *ctx, struct id128 selector)
{
    struct fsm_session session = fsm_session_of(ctx->fsm, selector);

    if (session.record != NULL && fsm_session_status(session.record) == SESSION_ENDED &&
        session.record->end_position == ctx->position) {
        struct fsm_end end = fsm_session_end_of(ctx, &session);
        struct fsm_event event = ended(ctx->fsm, &session, &end);

        fsm_event_add(ctx, session.head->tenant, &event);
    }
}

void fsm_event_command(struct fsm_context *ctx, const union op_request *request,
                       const union op_reply *reply)
{
    size_t number = (size_t)ctx->row->number;
    struct fsm_event event;

    if (ctx->row->number == OP_session_end) {
        tell_ended_here(ctx, reply->session_end.session);
        return;
    }
    if (number >= sizeof tellings / sizeof tellings[0] || tellings[number] == NULL) {
        return;
    }
    event = tellings[number](ctx, request, reply);
    fsm_event_add(ctx, ctx->tenant, &event);
    if (ctx->row->number == OP_revoke_lineage || ctx->row->number == OP_session_revoke) {
        tell_ended_here(ctx, event.session);
    }
}

void fsm_event_reuse(struct fsm_context *ctx)
{
    struct fsm *fsm = ctx->fsm;
    struct fsm_session shown = fsm_session_of(fsm, ctx->command->minted_id);
    struct fsm_session root;
    struct fsm_event event = {.kind = OP_EVENT_KIND_SECRET_REUSED};
    const struct cover_record *user;

    if (shown.record == NULL) {
        return;
    }
    root = fsm_root_of(fsm, &shown);
    if (root.record == NULL || root.record->end_position != ctx->position) {
        return;
    }
    user = table_read(fsm->tables[FSM_COVERS], shown.head->cover[COVER_USER]);
    event.session = shown.head->selector;
    event.epoch = shown.head->created;
    event.user = names_text(fsm->names, user->name);
    fsm_event_add(ctx, shown.head->tenant, &event);
    tell_ended_here(ctx, root.head->selector);
}

/* ---- orphans ---- */

struct own_query {
    const struct fsm *fsm;
    struct id128 session;
};

static const struct task_record *task_at(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_TASKS], slot);
}

/* In SORTED_OWN: at the session's first task, or behind it. */
static bool at_least(const void *arg, uint32_t slot)
{
    const struct own_query *query = arg;

    return id128_compare(task_at(query->fsm, slot)->session, query->session) >= 0;
}

static bool is_orphan(const struct fsm *fsm, const struct task_record *task)
{
    enum task_status status = fsm_task_status_of(fsm, task);

    return task->scope == OP_TASK_SCOPE_SESSION && (status == TASK_OPEN || status == TASK_CLAIMED);
}

static void tell_orphans(struct fsm_context *ctx, const struct fsm_session *session,
                         struct bytes user)
{
    struct fsm *fsm = ctx->fsm;
    struct own_query query = {fsm, session->head->selector};
    uint32_t cover = session->head->cover[COVER_USER];
    uint32_t slot = sorted_first(fsm->sorted[SORTED_OWN], cover, at_least, &query);

    while (slot != SLOT_NONE && id128_equal(task_at(fsm, slot)->session, query.session)) {
        if (is_orphan(fsm, task_at(fsm, slot))) {
            struct fsm_event event = of_task(ctx, OP_EVENT_KIND_TASK_ORPHANED,
                                             task_at(fsm, slot)->id, user);

            fsm_event_add(ctx, session->head->tenant, &event);
        }
        slot = sorted_next(fsm->sorted[SORTED_OWN], cover, slot);
    }
}

void fsm_event_swept(struct fsm_context *ctx, const struct fsm_session *session,
                     const struct fsm_end *end)
{
    struct fsm_event event = ended(ctx->fsm, session, end);

    if (fsm_session_status(session->record) == SESSION_LIVE) {
        fsm_event_add(ctx, session->head->tenant, &event);
    }
    tell_orphans(ctx, session, event.user);
}

uint32_t fsm_event_units(const struct session_record *session)
{
    return 1 + session->head.task_count;
}

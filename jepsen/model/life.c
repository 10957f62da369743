/* Who is alive and which grant holds: docs/MODEL.md section 2, "life is a predicate", and
 * section 4.
 *
 * Changes nothing.
 */
#include "jepsen/model/state.h"

#define BIT(n) (1ULL << (n))

/* T4: a deadline d has passed iff T >= d. */
bool life_passed(const struct model *model, uint64_t deadline, uint64_t time)
{
    if (model->mutation == MODEL_MUTATION_DEADLINE_LATE) {
        return time > deadline;
    }
    if (model->mutation == MODEL_MUTATION_DEADLINE_EARLY) {
        return sat_add(time, 1) >= deadline;
    }
    return time >= deadline;
}

/* The first watermark of a list that covers the session: C(s) is not above it. */
static const struct mark *first_above(const struct model *model, const struct marks *all,
                                      uint32_t end, uint32_t name, const struct session *session)
{
    if (name >= end || model->mutation == MODEL_MUTATION_REVOKE_IGNORED) {
        return NULL;
    }
    for (uint32_t i = 0; i < all[name].count; i++) {
        const struct mark *mark = &all[name].items[i];

        if (mark->tenant == session->tenant &&
            (mark->position > session->epoch ||
             model->mutation == MODEL_MUTATION_REVOKE_LATER_TOO)) {
            return mark;
        }
    }
    return NULL;
}

static const struct mark *earlier(const struct mark *a, const struct mark *b)
{
    if (a == NULL || b == NULL) {
        return a == NULL ? b : a;
    }
    return a->position < b->position ? a : b;
}

static const struct mark *first_mark(const struct model *model, const struct session *session)
{
    const struct mark *user = first_above(model, model->user_marks, model->user_mark_end,
                                          session->user, session);
    const struct mark *agent = first_above(model, model->agent_marks, model->agent_mark_end,
                                           session->agent, session);

    const struct mark *own = session->own_first.position == 0 ? NULL : &session->own_first;

    return earlier(earlier(user, agent), own);
}

uint64_t life_watermark(const struct model *model, const struct session *session)
{
    uint64_t newest = session->own_newest;

    if (model->mutation == MODEL_MUTATION_REVOKE_IGNORED) {
        return 0;
    }
    for (int agent = 0; agent < 2; agent++) {
        const struct marks *all = agent ? model->agent_marks : model->user_marks;
        uint32_t end = agent ? model->agent_mark_end : model->user_mark_end;
        uint32_t name = agent ? session->agent : session->user;

        for (uint32_t i = 0; name < end && i < all[name].count; i++) {
            if (all[name].items[i].tenant == session->tenant) {
                newest = u64_max(newest, all[name].items[i].position);
            }
        }
    }
    return newest;
}

/* Which of two deadlines comes first; absolute before idle on a tie. One step of T may pass both,
 * and then they tie: what T did between two operations is not always known. */
static uint32_t deadline_cause(const struct model *model, const struct session *session,
                               uint64_t time, uint64_t *ret_also)
{
    uint64_t idle = session->idle;
    bool absolute = life_passed(model, session->absolute, time);

    if (!life_passed(model, idle, time)) {
        return absolute ? OP_END_CAUSE_ABSOLUTE_TIMEOUT : 0;
    }
    if (!absolute) {
        return OP_END_CAUSE_IDLE_TIMEOUT;
    }
    *ret_also = idle == session->absolute
                    ? 0
                    : BIT(OP_END_CAUSE_ABSOLUTE_TIMEOUT) | BIT(OP_END_CAUSE_IDLE_TIMEOUT);
    return idle < session->absolute ? OP_END_CAUSE_IDLE_TIMEOUT : OP_END_CAUSE_ABSOLUTE_TIMEOUT;
}

uint32_t life_of(struct model *model, const struct session *session, uint64_t time,
                 uint64_t *ret_also)
{
    const struct mark *mark = first_mark(model, session);
    uint64_t until = time;
    uint32_t cause;

    *ret_also = 0;
    if (session->ended != 0 && model->mutation != MODEL_MUTATION_END_IGNORED) {
        /* it was alive then, so nothing came before */
        return session->compromised ? OP_END_CAUSE_COMPROMISED : OP_END_CAUSE_LOGOUT;
    }
    if (mark != NULL) {
        until = u64_min(time, mark->time);
    }
    cause = deadline_cause(model, session, until, ret_also);
    if (mark == NULL) {
        return cause;
    }
    if (cause == 0) {
        return OP_END_CAUSE_REVOKED;
    }
    if (u64_min(session->idle, session->absolute) > mark->time_before) {
        *ret_also |= BIT(OP_END_CAUSE_REVOKED); /* T may have passed it with the revoke's entry */
    }
    return cause;
}

/* When it died, at the earliest. */
static uint64_t death_time(const struct model *model, const struct session *session)
{
    const struct mark *mark = first_mark(model, session);
    uint64_t death = u64_min(session->idle, session->absolute);

    if (session->ended != 0) {
        death = session->ended_time;
    }
    return mark == NULL ? death : u64_min(death, mark->time);
}

uint64_t life_reuse_time(const struct model *model, const struct session *session)
{
    return session->rotated ? sat_add(session->first_rotated, model->limits.rotation_grace_us)
                            : OP_INFINITE;
}

bool life_forgotten(struct model *model, const struct session *session, uint64_t time)
{
    uint64_t also;
    uint64_t since = life_reuse_time(model, session);

    if (life_of(model, session, time, &also) != 0) {
        since = u64_min(since, death_time(model, session));
    } else if (since > time) {
        return false;
    }
    return time >= sat_add(since, model->limits.tombstone_us) ||
           model->session_count > model->limits.tombstones_max;
}

/* Section 2: a task whose parent is CANCELLED or FAILED is CANCELLED. */
uint32_t life_closed(const struct model *model, const struct task *task)
{
    uint32_t above;

    if (task->closed != 0 || task->parent == 0 || model->mutation == MODEL_MUTATION_CANCEL_OF_ONE) {
        return task->closed;
    }
    above = life_closed(model, &model->tasks[task->parent]);
    return above == OP_TASK_STATUS_FAILED || above == OP_TASK_STATUS_CANCELLED
               ? OP_TASK_STATUS_CANCELLED
               : 0;
}

static bool lapsed(const struct model *model, const struct grant *grant, uint64_t time)
{
    return model->mutation != MODEL_MUTATION_GRANT_FOREVER &&
           life_passed(model, grant->deadline, time);
}

const struct grant *life_holds(struct model *model, const struct session *session,
                               uint32_t permission, uint64_t time)
{
    uint64_t also;

    if (life_of(model, session, time, &also) != 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < session->grant_count; i++) {
        if (session->grants[i].permission == permission &&
            !lapsed(model, &session->grants[i], time)) {
            return &session->grants[i];
        }
    }
    return NULL;
}

/* Section 4: a copy holds only while the session that it came from holds the same pair. A task of
 * scope user keeps those without deadline that its session held at its end. */
static bool source_holds(struct model *model, const struct task *task, const struct grant *pair,
                         uint64_t time)
{
    const struct session *own = &model->sessions[task->session];
    uint64_t also;
    bool alive = life_of(model, own, time, &also) == 0;

    if (!alive && !task->outlives) {
        return false;
    }
    for (uint32_t i = 0; i < own->grant_count; i++) {
        const struct grant *grant = &own->grants[i];

        if (grant->permission == pair->permission &&
            (grant->given == pair->given || model->mutation == MODEL_MUTATION_G_IGNORED)) {
            return alive ? !lapsed(model, grant, time) : grant->deadline == OP_INFINITE;
        }
    }
    return false;
}

const struct grant *life_copy(struct model *model, const struct task *task, uint32_t permission,
                              uint64_t time)
{
    for (uint32_t i = 0; i < task->pair_count; i++) {
        if (task->pairs[i].permission == permission &&
            source_holds(model, task, &task->pairs[i], time)) {
            return &task->pairs[i];
        }
    }
    return NULL;
}

static uint64_t newest_of(const struct marks *all, uint32_t end, uint32_t name, uint32_t tenant)
{
    uint64_t newest = 0;

    for (uint32_t i = 0; name < end && i < all[name].count; i++) {
        if (all[name].items[i].tenant == tenant) {
            newest = u64_max(newest, all[name].items[i].position);
        }
    }
    return newest;
}

bool life_login_revoked(const struct model *model, uint32_t tenant, uint32_t user, uint32_t agent,
                        uint64_t position)
{
    return newest_of(model->user_marks, model->user_mark_end, user, tenant) > position ||
           newest_of(model->agent_marks, model->agent_mark_end, agent, tenant) > position;
}

/* A mark of anybody above `position` that the tenant may have dropped by now. */
static bool may_be_dropped(const struct model *model, const struct marks *all, uint32_t end,
                           uint32_t tenant, uint64_t position, uint64_t time)
{
    for (uint32_t name = 0; name < end; name++) {
        for (uint32_t i = 0; i < all[name].count; i++) {
            const struct mark *mark = &all[name].items[i];

            if (mark->tenant == tenant && mark->position > position &&
                time >= sat_add(mark->time, model->limits.watermark_us)) {
                return true;
            }
        }
    }
    return false;
}

bool life_auth_floor(const struct model *model, uint32_t tenant, uint64_t position, uint64_t time)
{
    return may_be_dropped(model, model->user_marks, model->user_mark_end, tenant, position, time) ||
           may_be_dropped(model, model->agent_marks, model->agent_mark_end, tenant, position, time);
}

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

static bool ignored(const struct model *model, enum cover_kind kind)
{
    return model->mutation == MODEL_MUTATION_REVOKE_IGNORED ||
           (model->mutation == MODEL_MUTATION_REVOKE_NARROW &&
            (kind == COVER_TENANT || kind == COVER_ALL));
}

/* The first watermark on a cover of the session that lies above C. */
static const struct mark *first_above(const struct model *model, enum cover_kind kind,
                                      const struct session *session)
{
    const struct cover *cover = &model->covers[session->covers[kind]];

    for (uint32_t i = 0; i < cover->mark_count && !ignored(model, kind); i++) {
        if (cover->marks[i].position > session->epoch ||
            model->mutation == MODEL_MUTATION_REVOKE_LATER_TOO) {
            return &cover->marks[i];
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
    const struct mark *first = session->own_first.position == 0 ? NULL : &session->own_first;

    for (enum cover_kind kind = COVER_USER; kind < COVER_KINDS; kind++) {
        first = earlier(first, first_above(model, kind, session));
    }
    return first;
}

static uint64_t newest_of(const struct cover *cover)
{
    return cover->mark_count == 0 ? 0 : cover->marks[cover->mark_count - 1].position;
}

uint32_t life_root(const struct model *model, uint32_t session)
{
    bool higher = true;

    while (higher && model->sessions[session].parent != 0) {
        session = model->sessions[session].parent;
        higher = model->mutation != MODEL_MUTATION_LINEAGE_OF_PARENT;
    }
    return session;
}

static uint64_t own_watermark(const struct model *model, const struct session *session)
{
    uint64_t newest = session->own_newest;

    if (model->mutation == MODEL_MUTATION_REVOKE_IGNORED) {
        return 0;
    }
    for (enum cover_kind kind = COVER_USER; kind < COVER_KINDS; kind++) {
        if (!ignored(model, kind)) {
            newest = u64_max(newest, newest_of(&model->covers[session->covers[kind]]));
        }
    }
    return newest;
}

uint64_t life_watermark(const struct model *model, const struct session *session)
{
    uint64_t newest = own_watermark(model, session);

    for (uint32_t above = session->parent; above != 0; above = model->sessions[above].parent) {
        newest = u64_max(newest, own_watermark(model, &model->sessions[above]));
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

/* By what is written of itself. */
static uint32_t own_life(const struct model *model, const struct session *session, uint64_t time,
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

/* When it died of itself, at the earliest. */
static uint64_t own_death(const struct model *model, const struct session *session)
{
    const struct mark *mark = first_mark(model, session);
    uint64_t death = u64_min(session->idle, session->absolute);

    if (session->ended != 0) {
        death = session->ended_time;
    }
    return mark == NULL ? death : u64_min(death, mark->time);
}

/* Whoever died first, itself or one above it. A revoke of a session covers all below it; a reuse is
 * the lineage's. */
uint32_t life_of(struct model *model, const struct session *session, uint64_t time,
                 uint64_t *ret_also)
{
    uint32_t cause = own_life(model, session, time, ret_also);
    uint64_t first = cause == 0 ? UINT64_MAX : own_death(model, session);

    for (uint32_t above = session->parent;
         above != 0 && model->mutation != MODEL_MUTATION_CHILD_OUTLIVES;
         above = model->mutation == MODEL_MUTATION_CHILD_OF_ONE ? 0
                                                                : model->sessions[above].parent) {
        const struct session *over = &model->sessions[above];
        uint32_t inherited = over->compromised               ? OP_END_CAUSE_COMPROMISED
                             : over->own_first.position != 0 ? OP_END_CAUSE_REVOKED
                                                             : OP_END_CAUSE_PARENT_ENDED;
        uint64_t also;

        if (own_life(model, over, time, &also) == 0 || own_death(model, over) > first) {
            continue;
        }
        if (own_death(model, over) < first) { /* else nobody may know which was first */
            *ret_also = 0;
            cause = inherited;
            first = own_death(model, over);
        }
        *ret_also |= BIT(inherited) | BIT(OP_END_CAUSE_PARENT_ENDED);
    }
    return cause;
}

static uint64_t death_time(const struct model *model, const struct session *session)
{
    uint64_t death = own_death(model, session);

    for (uint32_t above = session->parent; above != 0; above = model->sessions[above].parent) {
        death = u64_min(death, own_death(model, &model->sessions[above]));
    }
    return death;
}

uint64_t life_reuse_time(const struct model *model, const struct session *session)
{
    if (session->parent != 0) {
        session = &model->sessions[life_root(model, session->parent)];
    }
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

bool life_held_above(const struct model *model, const struct session *session,
                     const struct grant *grant)
{
    for (uint32_t above = session->parent;
         above != 0 && model->mutation != MODEL_MUTATION_CHILD_KEEPS_GRANT;
         above = model->sessions[above].parent) {
        const struct grant *same = state_grant(&model->sessions[above], grant->permission);

        if (same == NULL ||
            (same->given != grant->given && model->mutation != MODEL_MUTATION_CHILD_REVIVED)) {
            return false;
        }
    }
    return true;
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
            !lapsed(model, &session->grants[i], time) &&
            life_held_above(model, session, &session->grants[i])) {
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
            return (alive ? !lapsed(model, grant, time) : grant->deadline == OP_INFINITE) &&
                   life_held_above(model, own, grant);
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

bool life_login_revoked(struct model *model, uint32_t tenant, uint32_t user, uint32_t agent,
                        uint64_t position)
{
    const uint32_t names[COVER_KINDS] = {[COVER_USER] = user, [COVER_AGENT] = agent};

    for (enum cover_kind kind = COVER_USER; kind < COVER_KINDS; kind++) {
        uint32_t cover = state_cover_of(model, kind, tenant, names[kind]);

        if (newest_of(&model->covers[cover]) > position) {
            return true;
        }
    }
    return false;
}

/* A mark above `position`, of whomever, that may be dropped by now. */
bool life_auth_floor(const struct model *model, uint32_t tenant, uint64_t position, uint64_t time)
{
    for (uint32_t i = 1; i < model->cover_count; i++) {
        const struct cover *cover = &model->covers[i];

        for (uint32_t j = 0; j < cover->mark_count; j++) {
            if ((cover->kind == COVER_ALL || cover->tenant == tenant) &&
                cover->marks[j].position > position &&
                time >= sat_add(cover->marks[j].time, model->limits.watermark_us)) {
                return true;
            }
        }
    }
    return false;
}

/* Is a session under this cover surely remembered? */
static bool somebody(struct model *model, enum cover_kind kind, uint32_t cover, uint64_t time)
{
    for (uint32_t i = 1; i < model->session_count && cover != 0; i++) {
        const struct session *session = &model->sessions[i];

        if (session->covers[kind] == cover && !life_forgotten(model, session, time)) {
            return true;
        }
    }
    return false;
}

/* Section 10: a tenant has a quarter of all watermarks, half of that for whom nobody stands under,
 * who leave a quarter free too; all tenants leave one and a 64th for everyone's. */
bool life_marks_full(struct model *model, enum cover_kind kind, uint32_t tenant, uint32_t cover,
                     uint64_t time)
{
    uint64_t most = model->limits.watermarks_max, kept = 0, own = 0;

    for (uint32_t i = 1; i < model->cover_count; i++) {
        kept += model->covers[i].kept;
        own += model->covers[i].kind != COVER_ALL && model->covers[i].tenant == tenant
                   ? model->covers[i].kept
                   : 0;
    }
    if (kind == COVER_ALL) {
        return kept >= most;
    }
    if (own < most / 8 && kept + 2 + most / 64 + most / 4 <= most) {
        return false;
    }
    return !somebody(model, kind, cover, time) || own >= most / 4 || kept + 2 + most / 64 > most;
}

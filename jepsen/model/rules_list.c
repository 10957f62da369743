/* The law of lists: what belongs to one, in which order, and where a page may end. docs/MODEL.md
 * section 7. */
#include "base/assert.h"
#include "jepsen/model/rules.h"

#include <stdlib.h>

/* Is that a page that may be asked for? */
static bool page_valid(bool has_max, uint64_t max, uint64_t most, struct model_expect *expect)
{
    if (!has_max || (max > 0 && max <= most)) {
        return true;
    }
    expect_either(expect, OP_INVALID, MODEL_S1, "no page is so long");
    return false;
}

static int by_permission(const void *a, const void *b)
{
    const struct op_item_listed_grant *x = a, *y = b;

    return bytes_compare(x->permission, y->permission);
}

void expect_grant_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_token *token = &ask->op->request->grant_list.token;
    struct op_grant_list_reply *reply = &expect->reply.grant_list;
    uint32_t session = expect_session(model, ask, token, expect);
    const struct session *of = &model->sessions[session];

    if (session == 0) {
        return;
    }
    reply->session = token->id;
    for (uint32_t i = 0; i < of->grant_count; i++) {
        const struct grant *grant = life_holds(model, of, of->grants[i].permission, ask->time);

        if (grant != NULL) {
            reply->grants[reply->grants_count++] = (struct op_item_listed_grant){
                .permission = model_names_bytes(model->names, grant->permission),
                .given = grant->given,
                .has_left = grant->deadline != OP_INFINITE,
                .left = sat_sub(grant->deadline, ask->time)};
        }
    }
    qsort(reply->grants, reply->grants_count, sizeof reply->grants[0], by_permission);
}

void apply_grant_list(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

/* ---- keys: by their bytes ---- */

struct key_line {
    struct bytes text;
    const struct key *key;
};

static int by_text(const void *a, const void *b)
{
    const struct key_line *x = a, *y = b;

    return bytes_compare(x->text, y->text);
}

/* All behind `after`, sorted; the caller frees them. */
static struct key_line *key_lines(struct model *model, const struct session *of, struct bytes after,
                                  uint32_t *ret_count)
{
    struct key_line *lines = calloc(of->key_count + 1, sizeof *lines);

    ASSERT(lines != NULL);
    *ret_count = 0;
    for (uint32_t i = 0; i < of->key_count; i++) {
        struct bytes text = model_names_bytes(model->names, of->keys[i].key);

        if (bytes_compare(text, after) > 0) {
            lines[(*ret_count)++] = (struct key_line){text, &of->keys[i]};
        }
    }
    qsort(lines, *ret_count, sizeof *lines, by_text);
    return lines;
}

static struct op_item_listed_key show_line(struct model *model, const struct key_line *line)
{
    struct op_item_listed_key item = {
        .key = line->text,
        .version = line->key->version,
        .size = model_names_bytes(model->names, line->key->value).size,
        .has_writer = line->key->writer != 0};

    if (item.has_writer) {
        item.writer = state_id_of(model, model->tasks[line->key->writer].id);
    }
    return item;
}

void expect_state_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_state_list_request *request = &ask->op->request->state_list;
    const struct state_reader reader = {.token = request->has_token ? &request->token : NULL,
                                        .fence = request->has_fence ? &request->fence : NULL,
                                        .session = request->has_session ? &request->session : NULL};
    struct op_state_list_reply *reply = &expect->reply.state_list;
    uint32_t session = expect_state_read(model, ask, &reader, expect), count, shown;
    struct key_line *lines;

    if (!page_valid(request->has_max, request->max, OP_MAX_listed_key, expect) || session == 0) {
        return;
    }
    reply->session = state_id_of(model, model->sessions[session].id);
    lines = key_lines(model, &model->sessions[session],
                      request->has_after ? request->after : BYTES_NONE, &count);
    shown = (uint32_t)u64_min(count, request->has_max ? request->max : OP_MAX_listed_key);
    for (uint32_t i = 0; i < shown; i++) {
        reply->keys[reply->keys_count++] = show_line(model, &lines[i]);
    }
    reply->has_next = shown < count;
    if (reply->has_next) {
        reply->next = lines[shown - 1].text;
    }
    free(lines);
}

void apply_state_list(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}

/* ---- sessions: by their epochs ---- */

/* The page that was seen, or NULL. */
static const struct op_session_list_reply *seen_sessions(const struct ask *ask)
{
    const struct model_answer *seen = ask->op->seen;

    return seen != NULL && seen->outcome == OP_OK ? &seen->reply.session_list : NULL;
}

/* The line that was seen among these for the session created there, or NULL. */
static const struct op_item_listed_session *line_of(const struct op_item_listed_session *lines,
                                                    uint32_t count, uint64_t epoch)
{
    for (uint32_t i = 0; i < count; i++) {
        if (lines[i].epoch == epoch) {
            return &lines[i];
        }
    }
    return NULL;
}

static const struct op_item_listed_session *seen_session(const struct ask *ask, uint64_t epoch)
{
    const struct op_session_list_reply *seen = seen_sessions(ask);

    return seen == NULL ? NULL : line_of(seen->sessions, seen->sessions_count, epoch);
}

/* Must it be listed? Where that is open, what was seen decides. */
static bool session_listed(struct model *model, const struct ask *ask, uint32_t session)
{
    const struct session *of = &model->sessions[session];
    uint64_t also;
    bool open = of->unnamed || rule_may_be_compromised(model, ask, session);

    return ask_owns(model, ask, of->tenant, of->user) &&
           life_of(model, of, ask->time, &also) == 0 &&
           (!open || seen_sessions(ask) == NULL || seen_session(ask, of->epoch) != NULL);
}

/* Of one that has no name yet, it is the one that was seen. */
static struct op_item_listed_session session_line(struct model *model, const struct ask *ask,
                                                  const struct session *of,
                                                  const struct op_item_listed_session *seen)
{
    bool named = !of->unnamed || seen == NULL;

    return (struct op_item_listed_session){.session = named ? state_id_of(model, of->id)
                                                            : seen->session,
                                           .epoch = of->epoch,
                                           .agent = model_names_bytes(model->names, of->agent),
                                           .has_policy = of->policy != 0,
                                           .policy = model_names_bytes(model->names, of->policy),
                                           .idle = sat_sub(of->idle, ask->time),
                                           .absolute = sat_sub(of->absolute, ask->time)};
}

/* The first behind that epoch which must be listed, or 0. */
static uint32_t next_session(struct model *model, const struct ask *ask, uint64_t after)
{
    uint32_t next = 0;

    for (uint32_t i = 1; i < model->session_count; i++) {
        uint64_t epoch = model->sessions[i].epoch;

        if (epoch > after && (next == 0 || epoch < model->sessions[next].epoch) &&
            session_listed(model, ask, i)) {
            next = i;
        }
    }
    return next;
}

/* A page ends where it was told to, or sooner: what is dead counts for its cost. Up to where it was
 * seen to end, nothing may be missing. */
void expect_session_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_session_list_request *request = &ask->op->request->session_list;
    const struct op_session_list_reply *seen = seen_sessions(ask);
    struct op_session_list_reply *reply = &expect->reply.session_list;
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_session;
    uint64_t after = request->has_after ? request->after : 0;
    uint32_t session;

    if (!page_valid(request->has_max, request->max, OP_MAX_listed_session, expect)) {
        return;
    }
    reply->has_next = seen != NULL && seen->has_next && seen->next > after;
    reply->next = reply->has_next ? seen->next : OP_INFINITE;
    for (session = next_session(model, ask, after);
         session != 0 && model->sessions[session].epoch <= reply->next;
         session = next_session(model, ask, model->sessions[session].epoch)) {
        if (reply->sessions_count == max) {
            reply->has_next = true; /* nowhere behind the last */
            reply->next = reply->sessions[max - 1].epoch;
            return;
        }
        reply->sessions[reply->sessions_count++] = session_line(
            model, ask, &model->sessions[session],
            seen_session(ask, model->sessions[session].epoch));
    }
}

/* A session whose creation nobody saw has its id from here. */
void apply_session_list(struct model *model, const struct ask *ask,
                        const struct model_answer *answer)
{
    const struct op_session_list_reply *reply = &answer->reply.session_list;

    (void)ask;
    for (uint32_t k = 0; k < reply->sessions_count; k++) {
        rule_name_session(model, reply->sessions[k].epoch, reply->sessions[k].session);
    }
}

/* ---- children: of one session, by their epochs ---- */

/* The first child behind that epoch which is alive, or 0. */
static uint32_t next_child(struct model *model, const struct ask *ask, uint32_t parent,
                           uint64_t after)
{
    uint32_t next = 0;
    uint64_t also;

    for (uint32_t i = 1; i < model->session_count; i++) {
        const struct session *child = &model->sessions[i];

        if (child->parent == parent && child->epoch > after &&
            (next == 0 || child->epoch < model->sessions[next].epoch) &&
            life_of(model, child, ask->time, &also) == 0) {
            next = i;
        }
    }
    return next;
}

/* A page is full, or the last. Whether one is listed that may never have been created, or may be
 * dead by what no row shows, is told by what was seen. */
void expect_session_children(struct model *model, const struct ask *ask,
                             struct model_expect *expect)
{
    const struct op_session_children_request *request = &ask->op->request->session_children;
    struct op_session_children_reply *reply = &expect->reply.session_children;
    const struct op_session_children_reply *seen = ask->op->seen != NULL &&
                                                           ask->op->seen->outcome == OP_OK
                                                       ? &ask->op->seen->reply.session_children
                                                       : NULL;
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_session;
    uint32_t session = expect_session(model, ask, &request->token, expect);
    uint32_t child = 0;

    if (!page_valid(request->has_max, request->max, OP_MAX_listed_session, expect) ||
        session == 0) {
        return;
    }
    reply->session = request->token.id;
    for (child = next_child(model, ask, session, request->has_after ? request->after : 0);
         child != 0 && !reply->has_next;
         child = next_child(model, ask, session, model->sessions[child].epoch)) {
        const struct session *of = &model->sessions[child];
        bool open = seen != NULL && (of->unnamed || rule_may_be_compromised(model, ask, child));
        const struct op_item_listed_session *line =
            seen == NULL ? NULL : line_of(seen->sessions, seen->sessions_count, of->epoch);

        if (reply->sessions_count == max) {
            reply->has_next = open ? seen->has_next : true;
        } else if (!open || line != NULL) {
            reply->sessions[reply->sessions_count++] = session_line(model, ask, of, line);
        }
    }
    if (reply->has_next) {
        reply->next = reply->sessions[reply->sessions_count - 1].epoch;
    }
}

void apply_session_children(struct model *model, const struct ask *ask,
                            const struct model_answer *answer)
{
    const struct op_session_children_reply *reply = &answer->reply.session_children;

    (void)ask;
    for (uint32_t k = 0; k < reply->sessions_count; k++) {
        rule_name_session(model, reply->sessions[k].epoch, reply->sessions[k].session);
    }
}

/* ---- tasks: by where they began ---- */

/* The page that was seen, or NULL. */
static const struct op_task_list_reply *seen_tasks(const struct ask *ask)
{
    const struct model_answer *seen = ask->op->seen;

    return seen != NULL && seen->outcome == OP_OK ? &seen->reply.task_list : NULL;
}

/* The line that was seen for the task that began there, or NULL. */
static const struct op_item_listed_task *seen_task(const struct ask *ask, uint64_t begun)
{
    const struct op_task_list_reply *seen = seen_tasks(ask);

    for (uint32_t i = 0; seen != NULL && i < seen->tasks_count; i++) {
        if (seen->tasks[i].begun == begun) {
            return &seen->tasks[i];
        }
    }
    return NULL;
}

/* Must it be listed, of this session (0: of any)? Of one whose beginning nobody saw it is not sure
 * that it began: what was seen decides. */
static bool task_listed(struct model *model, const struct ask *ask, const struct task *task,
                        uint32_t session)
{
    return ask_owns(model, ask, task->tenant, task->user) &&
           (session == 0 || task->session == session) &&
           ask->time < sat_add(task->deadline, model->limits.tombstone_us) &&
           (!task->unnamed || seen_tasks(ask) == NULL || seen_task(ask, task->begun) != NULL);
}

/* Section 2: what a task *is*. */
static uint32_t task_status(struct model *model, const struct ask *ask, const struct task *task)
{
    uint32_t closed = life_closed(model, task);
    uint64_t also;

    if (closed != 0) {
        return closed;
    }
    if (!task->outlives && life_of(model, &model->sessions[task->session], ask->time, &also) != 0) {
        return OP_TASK_STATUS_ORPHANED;
    }
    if (!task->claimed) {
        return OP_TASK_STATUS_OPEN;
    }
    return life_passed(model, task->lease, ask->time) ? OP_TASK_STATUS_LOST
                                                      : OP_TASK_STATUS_CLAIMED;
}

static struct op_item_listed_task task_line(struct model *model, const struct ask *ask,
                                            const struct task *task)
{
    const struct op_item_listed_task *seen = seen_task(ask, task->begun);
    struct op_item_listed_task item = {
        .task = seen != NULL && task->unnamed ? seen->task : state_id_of(model, task->id),
        .session = state_id_of(model, model->sessions[task->session].id),
        .has_parent = task->parent != 0,
        .kind = model_names_bytes(model->names, task->kind),
        .scope = task->outlives ? OP_TASK_SCOPE_USER : OP_TASK_SCOPE_SESSION,
        .status = task_status(model, ask, task),
        .begun = task->begun,
        .epoch = task->epoch,
        .has_attempt = task->attempts[0].position != 0,
        .attempt = task->attempts[0].position,
        .left = sat_sub(task->deadline, ask->time)};

    if (item.has_parent) {
        item.parent = state_id_of(model, model->tasks[task->parent].id);
    }
    item.has_worker = item.has_lease = task->claimed && life_closed(model, task) == 0;
    if (item.has_worker) {
        item.worker = model_names_bytes(model->names, task->worker);
        item.lease = sat_sub(task->lease, ask->time);
    }
    if (seen != NULL && rule_may_be_compromised(model, ask, task->session) &&
        id128_equal(seen->task, item.task)) {
        return *seen; /* whether what was done in it counted is not known */
    }
    return item;
}

/* The first behind that position which must be listed, or NULL. */
static const struct task *next_task(struct model *model, const struct ask *ask, uint64_t after,
                                    uint32_t session)
{
    const struct task *next = NULL;

    for (uint32_t i = 1; i < model->task_count; i++) {
        const struct task *task = &model->tasks[i];

        if (task->begun > after && (next == NULL || task->begun < next->begun) &&
            task_listed(model, ask, task, session)) {
            next = task;
        }
    }
    return next;
}

void expect_task_list(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_task_list_request *request = &ask->op->request->task_list;
    const struct op_task_list_reply *seen = seen_tasks(ask);
    struct op_task_list_reply *reply = &expect->reply.task_list;
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_task;
    uint64_t after = request->has_after ? request->after : 0;
    uint32_t session = request->has_token ? expect_session(model, ask, &request->token, expect) : 0;

    if (!page_valid(request->has_max, request->max, OP_MAX_listed_task, expect) ||
        (request->has_token && session == 0)) {
        return;
    }
    reply->has_session = request->has_token;
    reply->session = request->token.id;
    reply->has_next = seen != NULL && seen->has_next && seen->next > after;
    reply->next = reply->has_next ? seen->next : OP_INFINITE;
    for (const struct task *task = next_task(model, ask, after, session);
         task != NULL && task->begun <= reply->next;
         task = next_task(model, ask, task->begun, session)) {
        if (reply->tasks_count == max) {
            reply->has_next = true; /* nowhere behind the last */
            reply->next = reply->tasks[max - 1].begun;
            return;
        }
        reply->tasks[reply->tasks_count++] = task_line(model, ask, task);
    }
}

void apply_task_list(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    const struct op_task_list_reply *reply = &answer->reply.task_list;

    (void)ask;
    for (uint32_t k = 0; k < reply->tasks_count; k++) {
        rule_name_task(model, reply->tasks[k].begun, reply->tasks[k].task);
    }
}

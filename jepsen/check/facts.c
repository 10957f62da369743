/* Collects facts from the answers that were OK, in the order of positions. See facts.h. */
#include "jepsen/check/facts.h"

#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

static uint32_t id_name(const struct history *history, struct id128 id)
{
    return model_names_number(history->names, bytes_of(id.bytes, sizeof id.bytes));
}

uint32_t facts_session(const struct facts *facts, struct id128 id)
{
    uint32_t name = id_name(facts->history, id);

    return name < facts->session_of_end ? facts->session_of[name] : 0;
}

uint32_t facts_root(const struct facts *facts, uint32_t session)
{
    while (facts->sessions[session].parent != 0) {
        session = facts->sessions[session].parent;
    }
    return session;
}

uint32_t facts_task(const struct facts *facts, struct id128 id)
{
    uint32_t name = id_name(facts->history, id);

    return name < facts->task_of_end ? facts->task_of[name] : 0;
}

static const void *member(const void *value, const struct op_field *field)
{
    return (const uint8_t *)value + field->offset;
}

static bool present(const void *value, const struct op_field *field)
{
    return field->required || *((const bool *)value + field->has_offset);
}

/* Replies that name what is left of both limits, and came of a command, gave them. */
static bool moves_deadlines(const struct event *event)
{
    const struct op_struct *reply = op_row_of_number(event->f)->reply;

    return history_is_write(event) && op_field_named(reply, "idle") != NULL &&
           op_field_named(reply, "absolute") != NULL;
}

static void note_deadlines(struct facts *facts, uint32_t of, uint32_t row,
                           const union op_reply *reply)
{
    const struct event *event = &facts->history->events[row];
    const struct op_struct *s = op_row_of_number(event->f)->reply;
    const uint64_t *idle = member(reply, op_field_named(s, "idle"));
    const uint64_t *absolute = member(reply, op_field_named(s, "absolute"));
    struct fact_session *session = &facts->sessions[of];

    session->moves = model_names_grow(session->moves, &session->move_capacity,
                                      session->move_count + 1, sizeof *session->moves);
    session->moves[session->move_count++] = (struct fact_deadlines){
        .row = row,
        .idle = sat_add(event->time, *idle),
        .absolute = sat_add(event->time, *absolute)};
}

const struct fact_deadlines *facts_deadlines(const struct facts *facts, uint32_t session,
                                             const struct event *event)
{
    const struct fact_session *of = &facts->sessions[session];
    uint32_t at = of->move_count - 1;

    while (at > 0) {
        uint64_t position = facts->history->events[of->moves[at].row].position;

        if (position < event->position ||
            (position == event->position && !history_is_write(event))) {
            break;
        }
        at--;
    }
    return &of->moves[at];
}

static void note_session(struct facts *facts, uint32_t row, const union op_request *request)
{
    const struct event *event = &facts->history->events[row];
    struct names *names = facts->history->names;
    struct fact_session *session;
    union op_reply reply;
    uint32_t name;

    history_reply(facts->history, event, &reply);
    if (reply.session_create.epoch != event->position) {
        return; /* a known (task, n), told again: what is left of it was so then */
    }
    name = id_name(facts->history, reply.session_create.session);
    facts->sessions = model_names_grow(facts->sessions, &facts->session_capacity,
                                       facts->session_count + 1, sizeof *facts->sessions);
    facts->session_of = model_names_grow(facts->session_of, &facts->session_of_end, name + 1,
                                         sizeof(uint32_t));
    if (facts->session_of[name] != 0) {
        return; /* another try's answer */
    }
    facts->session_of[name] = facts->session_count;
    session = &facts->sessions[facts->session_count++];
    session->row = row;
    session->tenant = model_names_number(names, history_caller_of(facts->history, event).tenant);
    session->user = model_names_number(names, request->session_create.user);
    session->agent = model_names_number(names, request->session_create.agent);
    session->epoch = reply.session_create.epoch;
    session->revoke_row = UINT32_MAX;
    session->parent = reply.session_create.has_parent
                          ? facts_session(facts, reply.session_create.parent)
                          : 0;
    note_deadlines(facts, facts->session_of[name], row, &reply);
}

static void note_task(struct facts *facts, uint32_t row, const union op_request *request)
{
    const struct event *event = &facts->history->events[row];
    struct fact_task *task;
    union op_reply reply;
    uint32_t name;

    history_reply(facts->history, event, &reply);
    name = id_name(facts->history, reply.task_begin.task);
    facts->tasks = model_names_grow(facts->tasks, &facts->task_capacity, facts->task_count + 1,
                                    sizeof *facts->tasks);
    facts->task_of = model_names_grow(facts->task_of, &facts->task_of_end, name + 1,
                                      sizeof(uint32_t));
    if (facts->task_of[name] != 0) {
        return;
    }
    facts->task_of[name] = facts->task_count;
    task = &facts->tasks[facts->task_count++];
    task->row = row;
    task->session = facts_session(facts, reply.task_begin.session);
    task->epoch = reply.task_begin.epoch;
    task->outlives = request->task_begin.scope == OP_TASK_SCOPE_USER;
}

static void note_claim(struct facts *facts, uint32_t row, const union op_request *request)
{
    const struct event *event = &facts->history->events[row];
    bool claim = event->f == OP_task_claim;
    uint32_t of = facts_task(facts,
                             claim ? request->task_claim.task : request->task_hand_over.task);
    struct fact_task *task = &facts->tasks[of];
    union op_reply reply;

    if (of == 0) {
        return;
    }
    history_reply(facts->history, event, &reply);
    task->claims = model_names_grow(task->claims, &task->claim_capacity, task->claim_count + 1,
                                    sizeof *task->claims);
    task->claims[task->claim_count++] = (struct fact_claim){
        .attempt = claim ? reply.task_claim.attempt : reply.task_hand_over.attempt, .row = row};
}

/* From here on it stands elsewhere; what came before is judged less strictly. */
static void note_adoption(struct facts *facts, uint32_t row, const union op_request *request)
{
    struct fact_task *task = &facts->tasks[facts_task(facts, request->task_adopt.task)];
    union op_reply reply;

    history_reply(facts->history, &facts->history->events[row], &reply);
    task->session = facts_session(facts, reply.task_adopt.session);
    task->epoch = reply.task_adopt.epoch;
}

/* By whom: the fence of what owns it, or anybody who names it. */
static void note_close(struct facts *facts, uint32_t row, const union op_request *request)
{
    const struct event *event = &facts->history->events[row];
    struct id128 id = request->task_cancel.task;
    uint32_t task;

    if (event->f == OP_task_complete) {
        id = request->task_complete.fence.id;
    } else if (event->f == OP_task_fail) {
        id = request->task_fail.fence.id;
    }
    task = facts_task(facts, id);
    if (facts->tasks[task].closed == 0) { /* the first: others are told again */
        facts->tasks[task].closed = row;
    }
}

bool facts_is_revoke(const struct history *history, const struct event *event,
                     const union op_request *request, enum fact_kind *ret_kind, uint32_t *ret_name)
{
    struct names *names = history->names;

    *ret_name = 0;
    if (event->f == OP_revoke_user) {
        *ret_kind = FACT_USER;
        *ret_name = model_names_number(names, request->revoke_user.user);
    } else if (event->f == OP_revoke_agent) {
        *ret_kind = FACT_AGENT;
        *ret_name = model_names_number(names, request->revoke_agent.agent);
    } else if (event->f == OP_revoke_tenant) {
        *ret_kind = FACT_TENANT;
    } else if (event->f == OP_revoke_all) {
        *ret_kind = FACT_ALL;
    } else {
        return false;
    }
    return true;
}

uint32_t facts_covered(const struct fact_session *session, enum fact_kind kind)
{
    switch (kind) {
    case FACT_USER:
        return session->user;
    case FACT_AGENT:
        return session->agent;
    case FACT_TENANT:
    case FACT_ALL:
    case FACT_KINDS:
        break;
    }
    return 0;
}

static bool note_revoke(struct facts *facts, uint32_t row, const union op_request *request)
{
    const struct event *event = &facts->history->events[row];
    struct bytes tenant = history_caller_of(facts->history, event).tenant;
    struct fact_revokes *of;
    struct fact_names *all;
    enum fact_kind kind;
    uint32_t name;

    if (!facts_is_revoke(facts->history, event, request, &kind, &name)) {
        return false;
    }
    all = &facts->revokes[kind];
    all->names = model_names_grow(all->names, &all->end, name + 1, sizeof *all->names);
    of = &all->names[name];
    of->items = model_names_grow(of->items, &of->capacity, of->count + 1, sizeof *of->items);
    of->items[of->count++] = (struct fact_revoke){
        .tenant = kind == FACT_ALL ? 0 : model_names_number(facts->history->names, tenant),
        .row = row};
    return true;
}

/* By the fields' names. What mints a fence is about a task, not by its leave. */
void facts_objects(const struct facts *facts, const struct event *event,
                   const union op_request *request, uint32_t *ret_session, uint32_t *ret_task,
                   const struct op_token **ret_fence)
{
    const struct op_row *row = op_row_of_number(event->f);
    const struct op_field *minted = op_minted_token(row);
    const struct op_field *token = op_field_named(
        row->request, event->f == OP_session_create ? "parent" : "token");
    const struct op_field *fence = op_field_named(row->request, "fence");
    const struct op_field *written = op_field_named(row->request, "session");

    *ret_fence = NULL;
    *ret_session = *ret_task = 0;
    if (token != NULL && present(request, token)) {
        *ret_session = facts_session(facts, ((const struct op_token *)member(request, token))->id);
    } else if (fence != NULL && present(request, fence) &&
               (minted == NULL || minted->bound != OP_TOKEN_fence)) {
        *ret_fence = member(request, fence);
        *ret_task = facts_task(facts, (*ret_fence)->id);
        if (written != NULL && present(request, written)) {
            *ret_session = facts_session(facts, *(const struct id128 *)member(request, written));
        }
    }
}

/* A command whose answer nobody knows: its session's deadlines may lie later than is known. */
static void note_unknown(struct facts *facts, uint32_t row)
{
    const struct event *event = &facts->history->events[row];
    const struct op_token *fence;
    uint32_t session, task;
    union op_request request;

    if (event->f == OP_session_create) {
        return; /* what it moves is the new one's */
    }
    if (history_definite(event) || (!moves_deadlines(event) && event->f != OP_task_adopt)) {
        return;
    }
    history_request(facts->history, event, &request);
    if (event->f == OP_task_adopt) {
        facts->tasks[facts_task(facts, request.task_adopt.task)].unsure = true;
        return;
    }
    facts_objects(facts, event, &request, &session, &task, &fence);
    facts->sessions[session].unsure = true;
}

static void note_compromised(struct facts *facts, uint32_t row)
{
    const struct event *event = &facts->history->events[row];
    const struct op_token *fence;
    uint32_t session, task;
    union op_request request;
    struct op_details details;

    if (event->outcome != OP_ENDED || event->f == OP_task_begin) {
        return; /* of a beginning it may be a target */
    }
    history_details(facts->history, event, &details);
    if (details.has_cause && details.cause == OP_END_CAUSE_COMPROMISED) {
        history_request(facts->history, event, &request);
        facts_objects(facts, event, &request, &session, &task, &fence);
        facts->sessions[facts_root(facts, session)].compromised = true;
    }
}

static void note_move(struct facts *facts, uint32_t row, const union op_request *request)
{
    const struct event *event = &facts->history->events[row];
    const struct op_token *fence;
    uint32_t session, task;
    union op_reply reply;

    if (!moves_deadlines(event)) {
        return;
    }
    facts_objects(facts, event, request, &session, &task, &fence);
    if (session != 0) {
        history_reply(facts->history, event, &reply);
        note_deadlines(facts, session, row, &reply);
    }
}

static void note_taken(struct facts *facts, uint32_t row, const union op_request *request)
{
    uint32_t of = facts_session(facts, request->grant_revoke.token.id);
    struct fact_session *session = &facts->sessions[of];

    if (of != 0) {
        session->taken = model_names_grow(session->taken, &session->taken_capacity,
                                          session->taken_count + 1, sizeof *session->taken);
        session->taken[session->taken_count++] = row;
    }
}

static void note_raised(struct facts *facts, uint32_t row, const union op_request *request)
{
    uint32_t of = facts_session(facts, request->session_elevate.token.id);
    struct fact_session *session = &facts->sessions[of];

    if (of != 0) {
        session->raised = model_names_grow(session->raised, &session->raised_capacity,
                                           session->raised_count + 1, sizeof *session->raised);
        session->raised[session->raised_count++] = row;
    }
}

static void note_own_revoke(struct facts *facts, uint32_t row, const union op_request *request)
{
    bool one = facts->history->events[row].f == OP_session_revoke;
    uint32_t of = facts_session(facts, one ? request->session_revoke.session
                                           : request->revoke_lineage.session);

    of = one ? of : facts_root(facts, of);
    if (of != 0 && facts->sessions[of].revoke_row == UINT32_MAX) {
        facts->sessions[of].revoke_row = row;
    }
}

static void note(struct facts *facts, uint32_t row)
{
    const struct event *event = &facts->history->events[row];
    union op_request request;

    if (!history_is_write(event) || event->f == OP_client_register) {
        return;
    }
    history_request(facts->history, event, &request);
    if (event->outcome != OP_OK || note_revoke(facts, row, &request)) {
        return;
    }
    if (event->f == OP_session_create) {
        note_session(facts, row, &request);
    } else if (event->f == OP_task_begin) {
        note_task(facts, row, &request);
    } else if (event->f == OP_task_claim || event->f == OP_task_hand_over) {
        note_claim(facts, row, &request);
    } else if (event->f == OP_task_adopt) {
        note_adoption(facts, row, &request);
    } else if (event->f == OP_task_complete || event->f == OP_task_fail ||
               event->f == OP_task_cancel) {
        note_close(facts, row, &request);
    } else if (event->f == OP_grant_revoke) {
        note_taken(facts, row, &request);
    } else if (event->f == OP_session_elevate) {
        note_raised(facts, row, &request);
    } else if (event->f == OP_session_revoke || event->f == OP_revoke_lineage) {
        note_own_revoke(facts, row, &request);
    } else {
        note_move(facts, row, &request);
    }
}

void facts_init(struct facts *facts, const struct history *history, const struct order *order)
{
    memset(facts, 0, sizeof *facts);
    facts->history = history;
    facts->sessions = model_names_grow(NULL, &facts->session_capacity, 1, sizeof *facts->sessions);
    facts->session_count = 1;
    facts->tasks = model_names_grow(NULL, &facts->task_capacity, 1, sizeof *facts->tasks);
    facts->task_count = 1;
    for (uint32_t i = 0; i < order->count; i++) {
        note(facts, order->rows[i]);
        note_unknown(facts, order->rows[i]);
        note_compromised(facts, order->rows[i]);
    }
    for (uint32_t i = 0; i < order->doubtful_count; i++) {
        note_unknown(facts, order->doubtful[i]);
    }
}

void facts_done(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->session_count; i++) {
        free(facts->sessions[i].moves);
        free(facts->sessions[i].taken);
        free(facts->sessions[i].raised);
    }
    for (uint32_t i = 0; i < facts->task_count; i++) {
        free(facts->tasks[i].claims);
    }
    for (size_t kind = 0; kind < FACT_KINDS; kind++) {
        for (uint32_t i = 0; i < facts->revokes[kind].end; i++) {
            free(facts->revokes[kind].names[i].items);
        }
        free(facts->revokes[kind].names);
    }
    free(facts->sessions);
    free(facts->tasks);
    free(facts->session_of);
    free(facts->task_of);
}

static uint32_t first_revoke(const struct facts *facts, const struct fact_revokes *of,
                             uint32_t tenant, uint64_t epoch, uint64_t call_ns)
{
    /* From the newest: they end at the first that lies at or below the epoch. */
    uint32_t found = UINT32_MAX;

    for (uint32_t i = of->count; i > 0; i--) {
        const struct event *event = &facts->history->events[of->items[i - 1].row];

        if (event->position <= epoch) {
            break;
        }
        if ((of->items[i - 1].tenant == 0 || of->items[i - 1].tenant == tenant) &&
            event->ret_ns < call_ns) {
            found = of->items[i - 1].row;
        }
    }
    return found;
}

static uint32_t own_revoke(const struct facts *facts, const struct fact_session *session,
                           uint64_t epoch, uint64_t call_ns)
{
    uint32_t found = UINT32_MAX;

    for (enum fact_kind kind = FACT_USER; kind < FACT_KINDS && found == UINT32_MAX; kind++) {
        const struct fact_names *all = &facts->revokes[kind];
        uint32_t name = facts_covered(session, kind);

        if (name < all->end) {
            found = first_revoke(facts, &all->names[name], session->tenant, epoch, call_ns);
        }
    }
    if (found == UINT32_MAX && session->revoke_row != UINT32_MAX) {
        const struct event *event = &facts->history->events[session->revoke_row];

        found = event->position > epoch && event->ret_ns < call_ns ? session->revoke_row : found;
    }
    return found;
}

uint32_t facts_revoke(const struct facts *facts, const struct fact_session *session, uint64_t epoch,
                      uint64_t call_ns)
{
    uint32_t found = own_revoke(facts, session, epoch, call_ns);

    while (found == UINT32_MAX && session->parent != 0) {
        session = &facts->sessions[session->parent];
        found = own_revoke(facts, session, epoch, call_ns);
    }
    return found;
}

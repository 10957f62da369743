/* S10: what events_read told, against what was acknowledged. Goes by answers alone, without a
 * replay: what was done has its event in every page that reaches over it, what was refused has
 * none, and of the dead the end is told once. That no event is told before it was asked for follows
 * from the order of positions and of real time (order.c).
 */
#include "jepsen/check/told.h"

#include "base/assert.h"
#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

/* ---- pages against what was acknowledged ---- */

/* What an operation is told as, the first at its position and perhaps a second; the reply's field
 * that says where it was carried out, where an earlier result may be told again; and what the event
 * says: fields of the reply, or else of the request. NULL: nothing. */
struct telling {
    enum op_number f;
    uint32_t k;
    enum op_event_kind kind;
    const char *since;
    const char *says[TOLD_FIELDS];
};

#define ANY "*"    /* the answer does not say it */
#define CALLER "@" /* the caller's certificate; said of every event */
#define SAYS(user, name, session, task, parent, epoch, attempt, given)                             \
    {user, name, CALLER, session, task, parent, epoch, attempt, given}
#define OF_SESSION(name, given) SAYS("user", name, "session", NULL, NULL, NULL, NULL, given)
#define OF_CLOSE SAYS("user", ANY, ANY, "task", ANY, ANY, NULL, NULL)
#define OF_CLAIM(name) SAYS("user", name, "session", "task", ANY, "epoch", "attempt", NULL)
#define OF_END(session) SAYS("user", NULL, session, NULL, NULL, ANY, NULL, NULL)
#define OF_ALL(user, name) SAYS(user, name, NULL, NULL, NULL, NULL, NULL, NULL)

static const struct telling tellings[] = {
    {OP_session_create, 0, OP_EVENT_KIND_SESSION_CREATED, "epoch",
     SAYS("user", "agent", "session", NULL, "parent", "epoch", NULL, NULL)},
    {OP_session_end, 0, OP_EVENT_KIND_SESSION_ENDED, NULL, OF_END("session")},
    {OP_session_rotate, 0, OP_EVENT_KIND_SESSION_ROTATED, NULL,
     SAYS("user", "policy", "session", NULL, NULL, "epoch", NULL, NULL)},
    {OP_session_elevate, 0, OP_EVENT_KIND_SESSION_ELEVATED, NULL, OF_SESSION("policy", "given")},
    {OP_session_revoke, 0, OP_EVENT_KIND_SESSION_REVOKED, NULL, OF_SESSION(NULL, NULL)},
    {OP_session_revoke, 1, OP_EVENT_KIND_SESSION_ENDED, NULL, OF_END("session")},
    {OP_revoke_lineage, 0, OP_EVENT_KIND_LINEAGE_REVOKED, NULL,
     SAYS("user", NULL, "lineage", NULL, NULL, NULL, NULL, NULL)},
    {OP_revoke_lineage, 1, OP_EVENT_KIND_SESSION_ENDED, NULL, OF_END("lineage")},
    {OP_grant_add, 0, OP_EVENT_KIND_GRANT_ADDED, NULL, OF_SESSION("permission", "given")},
    {OP_grant_revoke, 0, OP_EVENT_KIND_GRANT_REVOKED, NULL, OF_SESSION("permission", "given")},
    {OP_policy_set, 0, OP_EVENT_KIND_POLICY_SET, NULL, OF_ALL(NULL, "name")},
    {OP_revoke_user, 0, OP_EVENT_KIND_USER_REVOKED, NULL, OF_ALL("user", NULL)},
    {OP_revoke_agent, 0, OP_EVENT_KIND_AGENT_REVOKED, NULL, OF_ALL(NULL, "agent")},
    {OP_revoke_tenant, 0, OP_EVENT_KIND_TENANT_REVOKED, NULL, OF_ALL(NULL, NULL)},
    {OP_revoke_all, 0, OP_EVENT_KIND_ALL_REVOKED, NULL, OF_ALL(NULL, NULL)},
    {OP_task_begin, 0, OP_EVENT_KIND_TASK_BEGUN, "begun",
     SAYS("user", "kind", "session", "task", "fence", "epoch", NULL, NULL)},
    {OP_task_claim, 0, OP_EVENT_KIND_TASK_CLAIMED, NULL, OF_CLAIM(CALLER)},
    {OP_task_hand_over, 0, OP_EVENT_KIND_TASK_HANDED_OVER, NULL, OF_CLAIM("worker")},
    {OP_task_complete, 0, OP_EVENT_KIND_TASK_DONE, "closed", OF_CLOSE},
    {OP_task_fail, 0, OP_EVENT_KIND_TASK_FAILED, "closed", OF_CLOSE},
    {OP_task_cancel, 0, OP_EVENT_KIND_TASK_CANCELLED, NULL, OF_CLOSE},
    {OP_task_adopt, 0, OP_EVENT_KIND_TASK_ADOPTED, NULL,
     SAYS("user", ANY, "session", "task", ANY, "epoch", NULL, NULL)},
};

/* What this command tells as the k-th at its position; NULL: nothing. */
static const struct telling *telling_of(const struct events *events, const struct event *event,
                                        uint64_t k)
{
    const struct op_struct *s = op_row_of_number(event->f)->reply;
    const struct telling *telling = NULL;
    static union op_reply reply;

    for (size_t i = 0; i < sizeof tellings / sizeof tellings[0]; i++) {
        telling = tellings[i].f == event->f && tellings[i].k == k ? &tellings[i] : telling;
    }
    if (telling == NULL || event->outcome != OP_OK) {
        return NULL;
    }
    if (telling->since != NULL) {
        history_reply(events->history, event, &reply);
        return told_number(events->history, s, &reply, telling->since) == event->position ? telling
                                                                                          : NULL;
    }
    return telling;
}

/* Does this event say what was asked and answered? */
static bool says_it(const struct events *events, const struct event *event,
                    const struct telling *telling, const struct told *told)
{
    const struct history *history = events->history;
    const struct op_row *row = op_row_of_number(event->f);
    struct bytes caller = history_caller_of(history, event).certificate;
    static union op_request request;
    static union op_reply reply;

    history_request(history, event, &request);
    history_reply(history, event, &reply);
    for (size_t i = 0; i < TOLD_FIELDS; i++) {
        const char *name = telling->says[i];
        uint64_t said = 0;

        if (name != NULL && strcmp(name, ANY) == 0) {
            continue;
        }
        if (name != NULL && strcmp(name, CALLER) == 0) {
            said = model_names_number(history->names, caller) + 1ULL;
        } else if (name != NULL && op_field_named(row->reply, name) != NULL) {
            said = told_number(history, row->reply, &reply, name);
        } else if (name != NULL) {
            said = told_number(history, row->request, &request, name);
        }
        if (said != told->said[i]) {
            return false;
        }
    }
    return true;
}

/* What is told of this command's position, and where nothing is told, whether a page says so. */
static bool check_command(const struct events *events, uint32_t row)
{
    const struct event *event = &events->history->events[row];
    uint32_t tenant = told_tenant(events, event);
    const struct telling *first = telling_of(events, event, 0);
    uint32_t i = 0;
    bool found = false;

    while (i < events->told_count) { /* of each tenant those at this position */
        const struct told *told = &events->told[i];
        uint32_t at = told_behind(events, told->tenant,
                                  (struct place){event->position - 1, UINT64_MAX});

        for (; at < events->told_count && events->told[at].tenant == told->tenant &&
               events->told[at].place.position == event->position;
             at++) {
            const struct told *here = &events->told[at];
            const struct telling *telling = telling_of(events, event, here->place.k);

            if (telling == NULL || here->tenant != tenant || here->kind != telling->kind) {
                return told_refuse(events, "an event of what this command did not do", row,
                                   here->row);
            }
            if (!says_it(events, event, telling, here)) {
                return told_refuse(events, "an event that says other than was answered", row,
                                   here->row);
            }
            found = true;
        }
        i = told_behind(events, told->tenant, (struct place){UINT64_MAX, UINT64_MAX});
    }
    for (i = 0; i < events->page_count && first != NULL && !found; i++) {
        const struct page *page = &events->pages[i];
        struct place at = {event->position, 0};

        if (page->tenant == tenant && told_compare(page->from, at) < 0 &&
            told_compare(at, page->to) <= 0) {
            return told_refuse(events, "what was acknowledged has no event", row, page->row);
        }
    }
    return true;
}

static bool check_commands(const struct events *events)
{
    for (uint32_t i = 0; i < events->order->count; i++) {
        const struct event *event = &events->history->events[events->order->rows[i]];

        if (history_definite(event) && history_is_write(event) && event->position != 0 &&
            event->outcome != OP_FORBIDDEN && !check_command(events, events->order->rows[i])) {
            return false;
        }
    }
    return true;
}

/* ---- ends ---- */

static const struct told *end_of(const struct events *events, uint32_t session)
{
    uint32_t end = events->ends[session];

    return end == 0 ? NULL : &events->told[end - 1];
}

/* Once, not before it was, and after the life that it had. */
static bool check_end(struct events *events, uint32_t which)
{
    const struct told *end = &events->told[which];
    uint32_t session = facts_session(&events->facts, end->session);
    uint32_t row = events->facts.sessions[session].row;

    if (end->ended > end->time) {
        return told_refuse(events, "an end is told before its time", end->row, UINT32_MAX);
    }
    if (session == 0) {
        return true; /* nobody saw its creation */
    }
    if (events->ends[session] != 0) {
        return told_refuse(events, "one session is told to have ended twice",
                           end_of(events, session)->row, end->row);
    }
    events->ends[session] = which + 1;
    return end->lifetime == sat_sub(end->ended, events->history->events[row].time) ||
           told_refuse(events, "an end with another lifetime", row, end->row);
}

static bool is_validation(const struct event *event)
{
    return event->f == OP_session_validate || event->f == OP_session_touch;
}

/* What this answer says of a session, against when its end was told. */
static bool check_alive(const struct events *events, uint32_t row)
{
    const struct event *event = &events->history->events[row];
    const struct op_token *fence;
    uint32_t session, task;
    union op_request request;
    const struct told *end;

    if (event->outcome != OP_OK || !is_validation(event)) {
        return true;
    }
    history_request(events->history, event, &request);
    facts_objects(&events->facts, event, &request, &session, &task, &fence);
    end = end_of(events, session);
    return end == NULL || end->place.position > event->position ||
           told_refuse(events, "a session lives whose end was told", end->row, row);
}

/* Is everything told between the creation of the session and the end of that page? Then its death
 * was, by the time that the page was asked for. */
static bool check_told_end(const struct events *events, uint32_t which, uint32_t dead_row)
{
    const struct fact_session *session = &events->facts.sessions[which];
    const struct event *dead = &events->history->events[dead_row];
    const struct told *created = told_at(events, session->tenant,
                                         (struct place){session->epoch, 0});
    const struct page *page = told_late(events, session->tenant, dead->term, dead->ret_ns);

    if (created == NULL || page == NULL || told_compare(page->to, created->place) <= 0) {
        return true;
    }
    return !told_wholly(events, (uint32_t)(created - events->told), page) ||
           end_of(events, which) != NULL ||
           told_refuse(events, "the end of a session was not told", dead_row, page->row);
}

static bool check_dead(const struct events *events, uint32_t row)
{
    const struct event *event = &events->history->events[row];
    const struct op_token *fence;
    uint32_t session, task;
    union op_request request;
    struct op_details details;
    const struct told *end;

    if (!is_validation(event) || (event->outcome != OP_EXPIRED && event->outcome != OP_ENDED)) {
        return true;
    }
    history_request(events->history, event, &request);
    facts_objects(&events->facts, event, &request, &session, &task, &fence);
    history_details(events->history, event, &details);
    end = end_of(events, session);
    if (end != NULL && details.has_cause && details.cause != end->cause) {
        return told_refuse(events, "an end is told with another cause", row, end->row);
    }
    return session == 0 || events->options->timeless_count > 0 ||
           check_told_end(events, session, row);
}

static bool check_ends(struct events *events)
{
    for (uint32_t i = 0; i < events->told_count; i++) {
        if (events->told[i].kind == OP_EVENT_KIND_SESSION_ENDED && !check_end(events, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < events->order->count; i++) {
        if (!check_alive(events, events->order->rows[i]) ||
            !check_dead(events, events->order->rows[i])) {
            return false;
        }
    }
    return true;
}

bool check_events(const struct history *history, const struct order *order,
                  const struct check_options *options, struct check_verdict *verdict)
{
    struct events events = {
        .history = history, .order = order, .options = options, .verdict = verdict};
    bool good;

    facts_init(&events.facts, history, order);
    events.ends = calloc(events.facts.session_count + 1, sizeof *events.ends);
    ASSERT(events.ends != NULL);
    good = told_collect(&events) &&
           (events.page_count == 0 ||
            (check_commands(&events) && check_ends(&events) && check_alerts(&events)));
    facts_done(&events.facts);
    free(events.ends);
    free(events.told);
    free(events.pages);
    return good;
}

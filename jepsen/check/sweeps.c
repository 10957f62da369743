/* Direct checks of one promise each, without a replay: S2, S3, S4, S6, S9, S12.
 *
 * They see only what answers said, so that a mistake of the specification does not hide from them
 * what a client can see with its own eyes.
 */
#include "jepsen/check/facts.h"

#include "base/assert.h"
#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

struct look {
    const struct facts *facts;
    const struct check_options *options;
    struct check_verdict *verdict;
    uint64_t *call_ns; /* by row */
    uint32_t row;
    const struct event *event;
    union op_request request;
    uint32_t session, task; /* indices of facts, 0: none */
    const struct op_token *fence;
};

static bool refuse(const struct look *look, enum model_property property, const char *rule,
                   uint32_t other)
{
    return check_refuse(look->verdict, property, rule, other, look->row);
}

static const struct fact_deadlines *deadlines(const struct look *look)
{
    return facts_deadlines(look->facts, look->session, look->event);
}

/* S2: nothing under what was created before a revoke, and invoked after it returned, succeeds. */
static bool sweep_s2(const struct look *look)
{
    const struct fact_task *task = &look->facts->tasks[look->task];
    uint64_t call_ns = look->call_ns[look->row];
    uint32_t revoke = UINT32_MAX;

    if (look->session != 0) {
        const struct fact_session *session = &look->facts->sessions[look->session];

        revoke = facts_revoke(look->facts, session, session->epoch, call_ns);
    }
    if (revoke == UINT32_MAX && look->task != 0 && task->session != 0) {
        revoke = facts_revoke(look->facts, &look->facts->sessions[task->session], task->epoch,
                              call_ns);
    }
    return revoke == UINT32_MAX ||
           refuse(look, MODEL_S2, "succeeded, invoked after a revoke of it had returned", revoke);
}

/* S3, what can be told without a replay: attempts, W4 and W5. */
static bool sweep_s3(const struct look *look)
{
    const struct fact_task *task = &look->facts->tasks[look->task];
    const struct fact_session *session = &look->facts->sessions[look->session];

    if (look->task == 0 || look->fence == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < task->claim_count; i++) {
        const struct event *claim = &look->facts->history->events[task->claims[i].row];

        if (task->claims[i].attempt > look->fence->attempt &&
            claim->ret_ns < look->call_ns[look->row]) {
            return refuse(look, MODEL_S3, "W1: a lower attempt acts after a higher one returned",
                          task->claims[i].row);
        }
    }
    if (task->closed != 0) {
        const struct event *close = &look->facts->history->events[task->closed];

        if (look->row != task->closed && close->ret_ns < look->call_ns[look->row]) {
            return refuse(look, MODEL_S3, "W1: a task acts that was closed before", task->closed);
        }
    }
    if (look->session == 0 || look->session == task->session || task->session == 0) {
        return true;
    }
    return session->epoch < task->epoch ||
           refuse(look, MODEL_S3, "W4: a task reaches a session created after it began", task->row);
}

/* S4: OK implies T < deadline. */
static bool sweep_s4_ok(const struct look *look)
{
    if (look->session == 0 || look->facts->sessions[look->session].unsure) {
        return true;
    }
    if (look->event->time >= deadlines(look)->absolute) {
        return refuse(look, MODEL_S4, "OK at or after the absolute deadline", deadlines(look)->row);
    }
    return look->event->time < deadlines(look)->idle ||
           refuse(look, MODEL_S4, "OK at or after the idle deadline", deadlines(look)->row);
}

/* S4: EXPIRED implies T >= deadline. */
static bool sweep_s4_expired(const struct look *look)
{
    const struct fact_deadlines *at;

    if (look->session == 0 || look->fence != NULL || look->event->f == OP_task_begin ||
        look->facts->sessions[look->session].unsure) {
        return true;
    }
    at = deadlines(look);
    return look->event->time >= u64_min(at->idle, at->absolute) ||
           refuse(look, MODEL_S4, "EXPIRED before the deadline", at->row);
}

/* `ns`, moved as the cluster's clock goes from `from` to `to`: back, when an answer came late. */
static uint64_t moved(uint64_t ns, uint64_t from_us, uint64_t to_us)
{
    return to_us >= from_us ? sat_add(ns, check_ns_of_us(to_us - from_us))
                            : sat_sub(ns, check_ns_of_us(from_us - to_us));
}

/* S6: by the client's clock alone, a deadline D lies in [call + D - clock, ret + D - clock]. */
static bool sweep_s6(const struct look *look, bool ok)
{
    const struct fact_deadlines *at = look->session == 0 ? NULL : deadlines(look);
    const struct event *from = at == NULL ? look->event : &look->facts->history->events[at->row];
    uint64_t first, last, deadline, drift;

    first = u64_min(from->call_ns, look->call_ns[look->row]);
    last = u64_max(from->ret_ns, look->event->ret_ns);
    if (at == NULL || look->fence != NULL || from->clock == 0 ||
        check_timeless(look->options, first, last)) {
        return true;
    }
    deadline = u64_min(at->idle, at->absolute);
    drift = check_drift_ns(look->options, last - first);
    if (ok) {
        return look->facts->sessions[look->session].unsure ||
               look->call_ns[look->row] <=
                   sat_add(moved(from->ret_ns, from->clock, deadline), drift) ||
               refuse(look, MODEL_S6, "OK, invoked later than the deadline", at->row);
    }
    return look->event->ret_ns >= sat_sub(moved(from->call_ns, from->clock, deadline), drift) ||
           look->event->f == OP_task_begin ||
           refuse(look, MODEL_S6, "EXPIRED, returned earlier than the deadline", at->row);
}

/* S12: no ALLOW by a grant whose revoke had returned. */
static bool sweep_s12_taken(const struct look *look, uint32_t of, uint64_t given)
{
    const struct history *history = look->facts->history;
    const struct fact_session *session = &look->facts->sessions[of];
    union op_request taken;

    for (uint32_t i = 0; i < session->taken_count; i++) {
        const struct event *event = &history->events[session->taken[i]];

        history_request(history, event, &taken);
        if (event->position > given && event->ret_ns < look->call_ns[look->row] &&
            bytes_equal(taken.grant_revoke.permission, look->request.permission_check.permission)) {
            return refuse(look, MODEL_S12, "ALLOW, invoked after the grant's revoke had returned",
                          session->taken[i]);
        }
    }
    return true;
}

/* S12: no ALLOW by an elevation at or after the deadline that its own answer named. */
static bool sweep_s12_raised(const struct look *look, uint32_t of, uint64_t given)
{
    const struct history *history = look->facts->history;
    const struct fact_session *session = &look->facts->sessions[of];
    union op_reply raised;

    for (uint32_t i = 0; i < session->raised_count; i++) {
        const struct event *event = &history->events[session->raised[i]];

        history_reply(history, event, &raised);
        if (raised.session_elevate.given == given &&
            look->event->time >= sat_add(event->time, raised.session_elevate.left)) {
            return refuse(look, MODEL_S12, "ALLOW at or after the deadline of the elevation",
                          session->raised[i]);
        }
    }
    return true;
}

/* S12: an ALLOW names its own deadline; that never moves back behind T. */
static bool sweep_s12(const struct look *look)
{
    union op_reply reply;

    if (look->event->f != OP_permission_check) {
        return true;
    }
    history_reply(look->facts->history, look->event, &reply);
    if (reply.permission_check.given > look->event->position) {
        return refuse(look, MODEL_S12, "ALLOW by a grant that was given later", UINT32_MAX);
    }
    if (reply.permission_check.has_left && reply.permission_check.left == 0) {
        return refuse(look, MODEL_S12, "ALLOW at the grant's deadline", UINT32_MAX);
    }
    for (uint32_t of = look->session; of != 0; of = look->facts->sessions[of].parent) {
        if (!sweep_s12_taken(look, of, reply.permission_check.given) ||
            !sweep_s12_raised(look, of, reply.permission_check.given)) {
            return false; /* a copy holds while all above hold the same pair */
        }
    }
    return true;
}

/* A known (task, n) is answered as before, whatever became of the session since (section 5). */
static bool told_again(const struct look *look)
{
    union op_reply reply;

    if (look->event->outcome != OP_OK || look->fence == NULL) {
        return false;
    }
    history_reply(look->facts->history, look->event, &reply);
    return (look->event->f == OP_state_put && reply.state_put.version != look->event->position) ||
           (look->event->f == OP_state_delete &&
            reply.state_delete.deleted != look->event->position) ||
           (look->event->f == OP_task_begin && reply.task_begin.begun != look->event->position) ||
           (look->event->f == OP_session_create &&
            reply.session_create.epoch != look->event->position) ||
           (look->event->f == OP_task_complete &&
            reply.task_complete.closed != look->event->position) ||
           (look->event->f == OP_task_fail && reply.task_fail.closed != look->event->position);
}

/* S9: a try that was sent after a higher attempt had returned finds the object with another secret,
 * so it mints none. */
static bool sweep_minted(const struct look *look)
{
    bool claim = look->event->f == OP_task_claim;
    union op_reply reply;

    if ((!claim && look->event->f != OP_task_hand_over) || look->event->superseded) {
        return true;
    }
    history_reply(look->facts->history, look->event, &reply);
    const struct fact_task *task = &look->facts->tasks[facts_task(
        look->facts, claim ? reply.task_claim.task : reply.task_hand_over.task)];
    for (uint32_t i = 0; i < task->claim_count; i++) {
        const struct event *other = &look->facts->history->events[task->claims[i].row];

        if (task->claims[i].attempt > look->event->position &&
            other->ret_ns < look->event->call_ns) {
            return refuse(look, MODEL_S9,
                          "a secret for an attempt, asked for after a higher one had returned",
                          task->claims[i].row);
        }
    }
    return true;
}

static bool sweep_row(struct look *look)
{
    enum op_outcome outcome = look->event->outcome;

    history_request(look->facts->history, look->event, &look->request);
    facts_objects(look->facts, look->event, &look->request, &look->session, &look->task,
                  &look->fence);
    if (look->facts->tasks[look->task].unsure) {
        look->task = 0;
    }
    if (outcome == OP_EXPIRED) {
        return sweep_s4_expired(look) && sweep_s6(look, false);
    }
    return outcome != OP_OK || told_again(look) ||
           (sweep_minted(look) && sweep_s2(look) && sweep_s3(look) && sweep_s12(look) &&
            sweep_s4_ok(look) && sweep_s6(look, true));
}

/* Answers that are about the number itself, not about what was asked, or a read's. */
static bool about_number(const struct event *event)
{
    return !history_definite(event) || !history_is_write(event) ||
           event->outcome == OP_NUMBER_REUSED || event->outcome == OP_CLIENT_UNKNOWN ||
           event->outcome == OP_FORBIDDEN || /* at the door, before numbers are looked at */
           event->position == 0;
}

/* Same facts, secrets apart: a later try has a new one. */
static bool same_answer(const struct history *history, const struct event *a, const struct event *b)
{
    union op_reply x, y;

    if (a->outcome != b->outcome || a->position != b->position || a->time != b->time) {
        return false;
    }
    if (a->outcome != OP_OK) {
        return true;
    }
    history_reply(history, a, &x);
    history_reply(history, b, &y);
    if (a->f == OP_session_create) {
        return id128_equal(x.session_create.session, y.session_create.session);
    }
    if (a->f == OP_task_begin) {
        return id128_equal(x.task_begin.task, y.task_begin.task);
    }
    if (a->f == OP_task_claim) {
        return x.task_claim.attempt == y.task_claim.attempt;
    }
    if (a->f == OP_task_hand_over) {
        return x.task_hand_over.attempt == y.task_hand_over.attempt;
    }
    if (a->f == OP_task_complete) {
        return x.task_complete.closed == y.task_complete.closed;
    }
    if (a->f == OP_task_fail) {
        return x.task_fail.closed == y.task_fail.closed;
    }
    if (a->f == OP_state_delete) {
        return x.state_delete.deleted == y.state_delete.deleted;
    }
    if (a->f == OP_state_put) {
        return x.state_put.version == y.state_put.version;
    }
    if (a->f == OP_session_elevate) {
        return x.session_elevate.given == y.session_elevate.given;
    }
    return a->f != OP_grant_add || x.grant_add.given == y.grant_add.given;
}

/* S9: one effect and one result for each request number. */
static bool sweep_s9(struct look *look, const struct order *order)
{
    const struct history *history = look->facts->history;
    uint32_t first = UINT32_MAX;

    for (uint32_t i = 0; i < order->numbered_count; i++) {
        uint32_t row = order->numbered[i];
        const struct event *b = &history->events[row];
        const struct event *a = first == UINT32_MAX ? b : &history->events[first];

        if (about_number(b)) {
            continue;
        }
        look->row = row;
        if (a == b || a->client != b->client || a->number != b->number) {
            first = row;
        } else if (history_digest(history, a) != history_digest(history, b)) {
            return refuse(look, MODEL_S9, "one request number, two requests carried out", first);
        } else if (!same_answer(history, a, b)) {
            return refuse(look, MODEL_S9, "one request number, two results", first);
        }
    }
    return true;
}

static bool minted(const struct event *event)
{
    return event->outcome == OP_OK && !event->superseded &&
           op_minted_token(op_row_of_number(event->f)) != NULL;
}

/* S9: of one try only one mints, and none once a higher one has returned. */
static bool sweep_tries(struct look *look, const struct order *order)
{
    const struct history *history = look->facts->history;

    for (uint32_t i = 0; i < order->numbered_count; i++) {
        const struct event *b = &history->events[order->numbered[i]];

        for (uint32_t j = i + 1; j < order->numbered_count && minted(b); j++) {
            const struct event *a = &history->events[order->numbered[j]]; /* a try not below b's */

            if (a->client != b->client || a->number != b->number) {
                break;
            }
            if (minted(a) && (a->attempt == b->attempt || a->ret_ns < b->call_ns)) {
                look->row = order->numbered[i];
                return refuse(look, MODEL_S9, "two secrets for one try, or for a lower one later",
                              order->numbered[j]);
            }
        }
    }
    return true;
}

/* ---- sessions that were found compromised ---- */

/* A token that is looked for among those that a request shows, targets included. */
struct search {
    struct op_token token;
    bool found;
};

static void compare_token(void *arg, struct op_token *token)
{
    struct search *search = arg;

    search->found |= id128_equal(token->id, search->token.id) &&
                     memcmp(token->secret, search->token.secret, sizeof token->secret) == 0;
}

/* May what this call sent have arrived as late as you like? Nobody hears of a try given up: of the
 * only one, or of those before the last. */
static bool may_arrive_late(const struct event *event)
{
    return op_outcome_class(event->outcome) == OP_CLASS_UNKNOWN || event->attempt > 1;
}

/* Did somebody show the secret that this rotation replaced, and not only before it? */
static bool used_again(struct look *look, uint32_t rotation, uint32_t session)
{
    const struct history *history = look->facts->history;
    const struct event *rotated = &history->events[rotation];
    struct search search = {.found = false};

    if (rotated->f != OP_session_rotate && rotated->f != OP_session_elevate) {
        return false;
    }
    history_request(history, rotated, &look->request);
    search.token = rotated->f == OP_session_rotate ? look->request.session_rotate.token
                                                   : look->request.session_elevate.token;
    if (facts_root(look->facts, facts_session(look->facts, search.token.id)) != session) {
        return false;
    }
    for (uint32_t row = 0; row < history->count && !search.found; row++) {
        const struct event *event = &history->events[row];

        if (row != rotation && (event->ret_ns >= rotated->call_ns || may_arrive_late(event))) {
            history_request(history, event, &look->request);
            op_visit_tokens(op_row_of_number(event->f)->request, &look->request, compare_token,
                            &search);
        }
    }
    return search.found;
}

/* Section 4: only the use of a rotated secret makes a session compromised. */
static bool sweep_reuse(struct look *look)
{
    const struct history *history = look->facts->history;

    for (uint32_t i = 1; i < look->facts->session_count; i++) {
        const struct fact_session *session = &look->facts->sessions[i];
        bool used = !session->compromised;

        for (uint32_t row = 0; row < history->count && !used; row++) {
            used = used_again(look, row, i);
        }
        if (!used) {
            look->row = session->row;
            return refuse(look, MODEL_S1,
                          "compromised, and nobody showed a secret that was rotated", UINT32_MAX);
        }
    }
    return true;
}

bool check_sweeps(const struct history *history, const struct order *order,
                  const struct check_options *options, struct check_verdict *verdict)
{
    struct facts facts;
    struct look look = {
        .facts = &facts, .options = options, .verdict = verdict, .call_ns = order->call_ns};
    bool good;

    facts_init(&facts, history, order);
    good = sweep_s9(&look, order) && sweep_tries(&look, order);
    for (uint32_t i = 0; good && i < order->count; i++) {
        look.row = order->rows[i];
        look.event = &history->events[look.row];
        good = !history_definite(look.event) || sweep_row(&look);
    }
    good = good && sweep_reuse(&look);
    facts_done(&facts);
    return good;
}

/* Cuts a history into one small history for each session, for the blind search. P-compositional:
 * sessions share nothing but revokes, which each of them sees. */
#include "jepsen/check/blind.h"
#include "jepsen/check/facts.h"

#include "base/assert.h"
#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

/* One row that a session's partition has, by (session, call). */
struct entry {
    uint32_t session;
    struct blind_op op;
    uint32_t key; /* name; its place among the session's keys comes later */
};

struct cut {
    const struct history *history;
    const struct order *order;
    struct facts facts;
    uint64_t latest; /* T, as far as any answer shows */
    bool *shaken;    /* by session: may it have ended, without a word of its own? */
    struct entry *entries;
    uint32_t count, capacity;
};

static void add(struct cut *cut, uint32_t session, const struct blind_op *op, uint32_t key)
{
    cut->entries = model_names_grow(cut->entries, &cut->capacity, cut->count + 1,
                                    sizeof *cut->entries);
    cut->entries[cut->count++] = (struct entry){.session = session, .op = *op, .key = key};
    cut->shaken[session] |= op->unknown || op->kind == BLIND_END || op->kind == BLIND_REVOKE;
}

/* An answer that nobody knows may have ended it; after a rotation a REUSE, which no row shows, ends
 * the lineage. */
static void shake(struct cut *cut, const struct event *event, uint32_t session, bool unknown)
{
    cut->shaken[session] |= unknown;
    if ((event->f == OP_session_rotate || event->f == OP_session_elevate) &&
        (unknown || event->outcome == OP_OK)) {
        cut->shaken[facts_root(&cut->facts, session)] = true;
    }
}

/* What a row's answer says of the session; false when it says nothing. */
static bool kind_of(const struct cut *cut, const struct event *event,
                    const union op_request *request, bool by_fence, struct blind_op *op,
                    uint32_t *ret_key)
{
    struct names *names = cut->history->names;
    union op_reply reply;

    if (event->outcome == OP_ENDED || event->outcome == OP_EXPIRED) {
        op->kind = event->outcome == OP_ENDED ? BLIND_ENDED : BLIND_EXPIRED;
        return !by_fence && event->f != OP_task_begin;
    }
    if (event->outcome != OP_OK && !op->unknown) {
        return false;
    }
    op->kind = BLIND_ALIVE;
    if (event->f == OP_session_end) {
        op->kind = BLIND_END;
    } else if (event->f == OP_state_put) {
        op->kind = BLIND_WRITE;
        *ret_key = model_names_number(names, request->state_put.key);
        op->value = model_names_number(names, request->state_put.value) + 1;
    } else if (event->f == OP_state_delete) {
        op->kind = BLIND_WRITE;
        *ret_key = model_names_number(names, request->state_delete.key);
        op->value = 0;
    } else if (event->f == OP_state_get && !op->unknown) {
        history_reply(cut->history, event, &reply);
        op->kind = BLIND_READ;
        *ret_key = model_names_number(names, request->state_get.key);
        op->value = reply.state_get.version == 0
                        ? 0
                        : model_names_number(names, reply.state_get.value) + 1;
    }
    return op->kind != BLIND_ALIVE || !op->unknown; /* that would say and change nothing */
}

static bool told_again(const struct cut *cut, const struct event *event, bool by_fence)
{
    union op_reply reply;

    if ((event->f != OP_state_put && event->f != OP_state_delete) || event->outcome != OP_OK ||
        !by_fence) {
        return false;
    }
    history_reply(cut->history, event, &reply);
    return (event->f == OP_state_put ? reply.state_put.version : reply.state_delete.deleted) !=
           event->position;
}

static bool add_revoke(struct cut *cut, const struct event *event, const union op_request *request,
                       struct blind_op *op)
{
    struct bytes caller = history_caller_of(cut->history, event).tenant;
    uint32_t tenant = model_names_number(cut->history->names, caller);
    enum fact_kind kind;
    uint32_t name;

    if (!facts_is_revoke(cut->history, event, request, &kind, &name)) {
        return false;
    }
    op->kind = BLIND_REVOKE;
    for (uint32_t i = 1; i < cut->facts.session_count; i++) {
        const struct fact_session *session = &cut->facts.sessions[i];

        if ((kind == FACT_ALL || session->tenant == tenant) &&
            facts_covered(session, kind) == name && (event->outcome == OP_OK || op->unknown)) {
            add(cut, i, op, 0);
        }
    }
    return true;
}

static void add_row(struct cut *cut, uint32_t row, bool unknown)
{
    const struct event *event = &cut->history->events[row];
    struct blind_op op = {.call_ns = cut->order->call_ns[row],
                          .ret_ns = unknown ? HISTORY_NEVER : event->ret_ns,
                          .unknown = unknown,
                          .row = row};
    const struct op_token *fence;
    union op_request request;
    uint32_t session, task, key = 0;
    union op_reply reply;

    history_request(cut->history, event, &request);
    if (add_revoke(cut, event, &request, &op)) {
        return;
    }
    if (event->f == OP_session_revoke || event->f == OP_revoke_lineage) {
        session = facts_session(&cut->facts, event->f == OP_session_revoke
                                                 ? request.session_revoke.session
                                                 : request.revoke_lineage.session);
        session = event->f == OP_session_revoke ? session : facts_root(&cut->facts, session);
        op.kind = BLIND_REVOKE;
        if (session != 0 && (event->outcome == OP_OK || unknown)) {
            add(cut, session, &op, 0);
        }
        return;
    }
    if (event->f == OP_session_create) {
        if (event->outcome == OP_OK) {
            history_reply(cut->history, event, &reply);
            if (reply.session_create.epoch != event->position) {
                return; /* a known (task, n), told again */
            }
            session = facts_session(&cut->facts, reply.session_create.session);
            op.kind = BLIND_CREATE;
            add(cut, session, &op, 0);
        }
        return;
    }
    facts_objects(&cut->facts, event, &request, &session, &task, &fence);
    shake(cut, event, session, unknown);
    if (session != 0 && !told_again(cut, event, fence != NULL) &&
        kind_of(cut, event, &request, fence != NULL, &op, &key)) {
        add(cut, session, &op, key);
    }
}

static int by_session(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->session != y->session) {
        return x->session < y->session ? -1 : 1;
    }
    if (x->op.call_ns != y->op.call_ns) {
        return x->op.call_ns < y->op.call_ns ? -1 : 1;
    }
    return x->op.row < y->op.row ? -1 : x->op.row > y->op.row;
}

/* Numbers the keys of one partition from 0; entries of keys beyond the last place drop out. */
static uint32_t take(const struct entry *entries, uint32_t count, struct blind_op *ops)
{
    uint32_t keys[BLIND_KEYS_MAX], key_count = 0, taken = 0;

    for (uint32_t i = 0; i < count && taken < BLIND_OPS_MAX; i++) {
        uint32_t place = 0;

        if (entries[i].op.kind == BLIND_WRITE || entries[i].op.kind == BLIND_READ) {
            while (place < key_count && keys[place] != entries[i].key) {
                place++;
            }
            if (place == BLIND_KEYS_MAX) {
                continue;
            }
            if (place == key_count) {
                keys[key_count++] = entries[i].key;
            }
        }
        ops[taken] = entries[i].op;
        ops[taken++].key = (uint8_t)place;
    }
    return taken;
}

/* A partition that is too long is cut at a moment: what had not returned by then is unknown. */
static uint32_t cut_off(struct blind_op *ops, uint32_t count, uint64_t moment)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (ops[i].ret_ns >= moment && !ops[i].unknown) {
            bool changes = ops[i].kind == BLIND_WRITE || ops[i].kind == BLIND_END ||
                           ops[i].kind == BLIND_REVOKE;

            if (!changes && ops[i].kind != BLIND_CREATE) {
                continue;
            }
            ops[i].unknown = changes;
        }
        ops[kept++] = ops[i];
    }
    return kept;
}

static bool is_read(const struct blind_op *ops, uint32_t count, const struct blind_op *write)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i].kind == BLIND_READ && ops[i].key == write->key && ops[i].value == write->value) {
            return true;
        }
    }
    return false;
}

/* A write of unknown outcome that nobody read need not have happened; each doubles the search. */
static uint32_t drop_unread(struct blind_op *ops, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct blind_op op = ops[i];

        if (!op.unknown || op.kind != BLIND_WRITE || is_read(ops, count, &op)) {
            ops[kept++] = op;
        }
    }
    return kept;
}

static bool refuse(struct check_verdict *verdict, const struct blind_op *ops, uint32_t count)
{
    (void)check_refuse(verdict, MODEL_S1,
                       "blind: no order that is true to real time explains this session",
                       UINT32_MAX, UINT32_MAX);
    for (uint32_t i = 0; i < count && verdict->op_count < CHECK_OPS_MAX; i++) {
        verdict->ops[verdict->op_count++] = ops[i].row;
    }
    return false;
}

static bool check_part(const struct entry *entries, uint32_t count,
                       const struct check_options *options, struct check_verdict *verdict)
{
    struct blind_op ops[BLIND_OPS_MAX];
    uint32_t taken = take(entries, count, ops);

    if (count > BLIND_OPS_MAX) {
        taken = cut_off(ops, taken, entries[BLIND_OPS_MAX].op.call_ns);
    }
    taken = drop_unread(ops, taken);
    switch (blind_search(ops, taken, options->blind_steps)) {
    case BLIND_YES:
        verdict->counters.blind_sessions++;
        break;
    case BLIND_NO:
        return refuse(verdict, ops, taken);
    case BLIND_TOO_MANY_STEPS:
        verdict->kind = CHECK_UNDECIDED;
        (void)snprintf(verdict->rule, sizeof verdict->rule, "blind: the search was too long");
        break;
    }
    return true;
}

static bool check_parts(const struct cut *cut, const struct check_options *options,
                        struct check_verdict *verdict)
{
    for (uint32_t at = 0, end; at < cut->count; at = end) {
        for (end = at + 1;
             end < cut->count && cut->entries[end].session == cut->entries[at].session; end++) {
        }
        if (!check_part(cut->entries + at, end - at, options, verdict)) {
            return false;
        }
    }
    return true;
}

/* May one above it have ended, of which its own partition shows nothing? */
static bool stands_on_shaken(const struct cut *cut, uint32_t which)
{
    for (uint32_t at = cut->facts.sessions[which].parent; at != 0;
         at = cut->facts.sessions[at].parent) {
        const struct fact_session *above = &cut->facts.sessions[at];
        const struct fact_deadlines *last = &above->moves[above->move_count - 1];

        if (cut->shaken[at] || above->compromised || above->unsure ||
            u64_min(last->idle, last->absolute) <= cut->latest) {
            return true;
        }
    }
    return false;
}

/* A session that was found compromised was ended by a command that no row shows; a child, by what
 * is not its partition's. */
static void add_reuses(struct cut *cut)
{
    for (uint32_t i = 1; i < cut->facts.session_count; i++) {
        const struct blind_op op = {.kind = BLIND_REVOKE,
                                    .ret_ns = HISTORY_NEVER,
                                    .unknown = true,
                                    .row = cut->facts.sessions[i].row};

        if (cut->facts.sessions[i].compromised || stands_on_shaken(cut, i)) {
            add(cut, i, &op, 0);
        }
    }
}

bool check_blind(const struct history *history, const struct order *order,
                 const struct check_options *options, struct check_verdict *verdict)
{
    struct cut cut = {.history = history, .order = order};
    bool good;

    facts_init(&cut.facts, history, order);
    cut.shaken = calloc(cut.facts.session_count, sizeof *cut.shaken);
    ASSERT(cut.shaken != NULL);
    for (uint32_t i = 0; i < order->count; i++) {
        const struct event *event = &history->events[order->rows[i]];

        cut.latest = u64_max(cut.latest, u64_max(event->time, event->clock));
        if (!order->again[order->rows[i]]) {
            add_row(&cut, order->rows[i], !history_definite(event));
        }
    }
    for (uint32_t i = 0; i < order->doubtful_count; i++) {
        add_row(&cut, order->doubtful[i], true);
    }
    add_reuses(&cut);
    if (cut.count > 1) {
        qsort(cut.entries, cut.count, sizeof *cut.entries, by_session);
    }
    good = check_parts(&cut, options, verdict);
    free(cut.entries);
    free(cut.shaken);
    facts_done(&cut.facts);
    return good;
}

/* The witness check: replays the specification in the order that the positions claim.
 *
 * Sound and n log n. A command of unknown outcome may have been applied at any position that is
 * free, or nowhere: it is placed only when the answers cannot be explained without it, and then the
 * replay begins again. Where its position is known and the law leaves open whether it was refused,
 * it was when the answers cannot be explained otherwise.
 */
#include "jepsen/check/order.h"

#include "base/assert.h"
#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

enum { PLACED_MAX = 64, OPEN_MAX = 1024 };

struct placed {
    uint32_t row;
    uint64_t position;
};

struct replay {
    const struct history *history;
    const struct order *order;
    const struct check_options *options;
    struct placed placed[PLACED_MAX]; /* by position */
    uint32_t placed_count;
    uint32_t open[OPEN_MAX]; /* rows without an answer that may have been refused */
    uint32_t open_count;
    bool refused[OPEN_MAX]; /* those of them that were */
    uint32_t failed;        /* index in order->rows */
    struct model_reason reason;
};

static void fill(const struct history *history, const struct event *event,
                 union op_request *request, struct model_op *op)
{
    struct history_caller caller = history_caller_of(history, event);

    history_request(history, event, request);
    *op = (struct model_op){.f = event->f,
                            .tenant = caller.tenant,
                            .certificate = caller.certificate,
                            .role = caller.role,
                            .instance = caller.instance,
                            .client = event->client,
                            .number = event->number,
                            .digest = event->client == 0 ? 0 : history_digest(history, event),
                            .position = event->position,
                            .time = event->time,
                            .request = request};
}

/* Was this one refused, where the law leaves that open: by a limit, or for a secret that a later
 * try may have replaced? */
static bool refused(struct replay *replay, struct model *model, const struct model_op *op,
                    uint32_t row)
{
    struct model_expect expect;
    uint32_t at = 0;

    model_expect(model, op, &expect);
    if (expect.also == 0 || expect.outcome != OP_OK) {
        return false;
    }
    while (at < replay->open_count && replay->open[at] != row) {
        at++;
    }
    if (at == OPEN_MAX) {
        return false;
    }
    if (at == replay->open_count) {
        replay->open[replay->open_count++] = row;
    }
    return replay->refused[at];
}

/* A command without an answer has the one that the law gives. Whoever does not know its answer
 * knows no id or secret of it either; any will do. */
static void apply_unanswered(struct model *model, struct model_op *op, uint32_t row)
{
    struct id128 id = {{0xff}};
    uint8_t secret[32] = {0xff};

    memcpy(id.bytes + 8, &row, sizeof row);
    memcpy(secret + 8, &row, sizeof row);
    model_apply_unanswered(model, op, id, secret);
}

static bool step_row(struct replay *replay, struct model *model, uint32_t row)
{
    const struct event *event = &replay->history->events[row];
    union op_request request;
    struct model_answer answer;
    struct model_op op;

    fill(replay->history, event, &request, &op);
    if (!history_definite(event)) {
        if (!refused(replay, model, &op, row)) {
            apply_unanswered(model, &op, row);
        }
        return true;
    }
    answer.outcome = event->outcome;
    answer.superseded = event->superseded;
    history_details(replay->history, event, &answer.details);
    if (event->outcome == OP_OK) {
        history_reply(replay->history, event, &answer.reply);
    }
    if (!model_step(model, &op, &answer, &replay->reason)) {
        return false;
    }
    if (replay->order->doubts[row]) {
        model_doubt(model, &op);
    }
    return true;
}

static void step_placed(struct replay *replay, struct model *model, const struct placed *placed,
                        uint64_t time)
{
    struct event event = replay->history->events[placed->row];
    union op_request request;
    struct model_op op;

    event.position = placed->position;
    event.time = time;
    fill(replay->history, &event, &request, &op);
    apply_unanswered(model, &op, placed->row);
}

/* True when every answer is the law's; otherwise `failed` is the first that is not. */
static bool replay_all(struct replay *replay)
{
    struct model *model = model_create(replay->history->names, &replay->options->limits);
    uint64_t time = 0;
    uint32_t next = 0;

    for (replay->failed = 0; replay->failed < replay->order->count; replay->failed++) {
        uint32_t row = replay->order->rows[replay->failed];
        const struct event *event = &replay->history->events[row];

        /* No row's command is at a placed position, but reads may be: they come after it. */
        while (next < replay->placed_count && replay->placed[next].position <= event->position) {
            step_placed(replay, model, &replay->placed[next++], time);
        }
        if (!step_row(replay, model, row)) {
            break;
        }
        time = u64_max(time, event->time);
    }
    model_destroy(model);
    return replay->failed == replay->order->count;
}

/* ---- unknown outcomes ---- */

static bool is_placed(const struct replay *replay, uint32_t row)
{
    for (uint32_t i = 0; i < replay->placed_count; i++) {
        if (replay->placed[i].row == row) {
            return true;
        }
    }
    return false;
}

static struct bytes user_of(const struct history *history, const struct event *event)
{
    const struct op_struct *s = op_row_of_number(event->f)->request;
    union op_request request;

    if (s->field_count == 0 || strcmp(s->fields[0].name, "user") != 0) {
        return BYTES_NONE;
    }
    history_request(history, event, &request);
    return *(const struct bytes *)(const void *)((const uint8_t *)&request + s->fields[0].offset);
}

/* What a tenant's quota may refuse depends on all that its users have. */
static bool counts(enum op_number f)
{
    return f == OP_session_create || f == OP_task_begin || f == OP_state_put;
}

/* Could this unknown command have to do with what failed? */
static bool concerns(const struct replay *replay, uint32_t unknown, const struct event *failed)
{
    const struct history *history = replay->history;
    const struct event *event = &history->events[unknown];

    return replay->order->call_ns[unknown] < failed->ret_ns &&
           (event->f == OP_revoke_agent || event->f == OP_revoke_tenant ||
            event->f == OP_revoke_all || counts(failed->f) ||
            bytes_equal(user_of(history, event), user_of(history, failed)));
}

static bool related(const struct replay *replay, uint32_t unknown, const struct event *failed)
{
    return !is_placed(replay, unknown) && concerns(replay, unknown, failed);
}

static bool taken(const struct replay *replay, uint64_t position)
{
    uint32_t low = 0, high = replay->order->count;

    for (uint32_t i = 0; i < replay->placed_count; i++) {
        if (replay->placed[i].position == position) {
            return true;
        }
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (replay->history->events[replay->order->rows[middle]].position < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < replay->order->count; low++) {
        const struct event *event = &replay->history->events[replay->order->rows[low]];

        if (event->position != position || history_is_write(event)) {
            return event->position == position;
        }
    }
    return false;
}

/* Above everything that had returned before it was invoked. */
static uint64_t least_position(const struct replay *replay, uint32_t row)
{
    uint64_t least = 0;

    for (uint32_t i = 0; i < replay->order->count; i++) {
        const struct event *event = &replay->history->events[replay->order->rows[i]];

        if (event->ret_ns < replay->order->call_ns[row]) {
            least = u64_max(least, event->position);
        }
    }
    return least + 1;
}

/* The position that the failed answer shows, if it shows one. */
static uint64_t shown_position(const struct replay *replay, const struct event *failed)
{
    union op_reply reply;
    struct op_details details;

    if (failed->outcome != OP_OK) {
        history_details(replay->history, failed, &details);
        return details.has_task_attempt ? details.task_attempt : 0;
    }
    history_reply(replay->history, failed, &reply);
    if (failed->f == OP_state_get) {
        return reply.state_get.version;
    }
    if (failed->f == OP_permission_check) {
        return reply.permission_check.given;
    }
    return failed->f == OP_grant_add ? reply.grant_add.given : 0;
}

static void place(struct replay *replay, uint32_t row, uint64_t position)
{
    uint32_t at = replay->placed_count++;

    while (at > 0 && replay->placed[at - 1].position > position) {
        replay->placed[at] = replay->placed[at - 1];
        at--;
    }
    replay->placed[at] = (struct placed){.row = row, .position = position};
}

static bool try_at(struct replay *replay, uint32_t row, uint64_t position, uint64_t least,
                   uint64_t below)
{
    struct replay before = *replay;

    if (position < least || position >= below || taken(replay, position)) {
        return false;
    }
    place(replay, row, position);
    if (replay_all(replay) || replay->failed > before.failed) {
        return true;
    }
    *replay = before;
    return false;
}

/* At the position that shows, else as late as it can be, else as early. */
static bool try_row(struct replay *replay, uint32_t row, const struct event *failed)
{
    uint64_t least = least_position(replay, row), last = failed->position, first = least;
    uint64_t below = failed->position + (history_is_write(failed) ? 0 : 1);

    if (try_at(replay, row, shown_position(replay, failed), least, below)) {
        return true;
    }
    while (last > least && (taken(replay, last) || last >= below)) {
        last--;
    }
    while (first < below && taken(replay, first)) {
        first++;
    }
    return try_at(replay, row, last, least, below) ||
           (first != last && try_at(replay, row, first, least, below));
}

/* How far the replay gets when open[i] is taken for refused, or not. */
static uint32_t refuse(struct replay *replay, uint32_t i, bool refused)
{
    replay->refused[i] = refused;
    (void)replay_all(replay);
    return replay->failed;
}

/* Takes those of `all` back without which the replay gets as far. */
static void take_back(struct replay *replay, const bool all[OPEN_MAX], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t far = replay->failed;

        if (all[i] && refuse(replay, i, false) < far) {
            (void)refuse(replay, i, true);
        }
    }
}

/* Takes unanswered commands for refused, so that the replay gets further: the one that helps most,
 * or, when no single one helps, as few as can be of those that do no harm. */
static bool refuse_some(struct replay *replay)
{
    const struct event *failed = &replay->history->events[replay->order->rows[replay->failed]];
    const struct replay before = *replay;
    uint32_t best = UINT32_MAX, far = before.failed;
    bool harmless[OPEN_MAX] = {false};

    for (uint32_t i = before.open_count; i-- > 0;) {
        if (before.refused[i] || !concerns(replay, before.open[i], failed)) {
            continue;
        }
        *replay = before;
        harmless[i] = refuse(replay, i, true) >= before.failed;
        if (replay->failed > far) {
            far = replay->failed;
            best = i;
        }
    }
    *replay = before;
    if (best != UINT32_MAX) {
        return refuse(replay, best, true) > before.failed;
    }
    for (uint32_t i = 0; i < before.open_count; i++) {
        replay->refused[i] = replay->refused[i] || harmless[i];
    }
    (void)replay_all(replay);
    if (replay->failed <= before.failed) {
        *replay = before;
        return false;
    }
    take_back(replay, harmless, before.open_count);
    return true;
}

/* Places one unknown command so that the replay gets further. `ret_any`: there was one to try. */
static bool place_one(struct replay *replay, bool *ret_any)
{
    uint32_t row = replay->order->rows[replay->failed];
    const struct event *failed = &replay->history->events[row];

    *ret_any = false;
    for (uint32_t i = 0; i < replay->order->doubtful_count; i++) {
        uint32_t unknown = replay->order->doubtful[i];

        if (!related(replay, unknown, failed)) {
            continue;
        }
        *ret_any = true;
        if (replay->placed_count < u64_min(replay->options->placements, PLACED_MAX) &&
            try_row(replay, unknown, failed)) {
            return true;
        }
    }
    return false;
}

bool check_witness(const struct history *history, const struct order *order,
                   const struct check_options *options, struct check_verdict *verdict)
{
    struct replay replay = {.history = history, .order = order, .options = options};
    bool any = false;

    if (replay_all(&replay)) {
        return true;
    }
    while (replay.failed < order->count && (refuse_some(&replay) || place_one(&replay, &any))) {
    }
    if (replay.failed == order->count) {
        return true;
    }
    (void)check_refuse(verdict, replay.reason.property, replay.reason.rule,
                       order->rows[replay.failed], UINT32_MAX);
    if (any) {
        verdict->kind = CHECK_UNDECIDED; /* not every place of every unknown command was tried */
    }
    return false;
}

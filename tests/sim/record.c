/* The history of a run: every call as it was made and as it was answered, for jepsen/check.
 *
 * A row is a call, all tries of the library included, or a request that is sent once more past the
 * library (repeat.c). Registering is the library's own: those rows are made from the log.
 */
#include "tests/sim/calls.h"

#include "base/assert.h"
#include "base/sat.h"
#include "jepsen/record/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct flight {
    struct run_actor *actor;
    const struct tenure_pending *pending;
    struct run_fence *fence; /* a claim's, to be filled */
    struct step step;        /* that made the call */
    bool repeated;           /* was sent once more, past the library */
    enum op_number number;
    uint32_t row;
    char user[16];
    char agent[16];
};

static void nothing(void)
{
}

/* ---- what an answer teaches the processes ---- */

static void keep_token(char to[TOKEN_MAX], struct tenure_bytes text)
{
    ASSERT(text.size < TOKEN_MAX);
    memcpy(to, text.data, text.size);
    to[text.size] = '\0';
}

static uint32_t asked_for(const struct flight *flight)
{
    struct run *run = flight->actor->run;
    union op_request request;
    uint32_t asked = 0;
    history_request(run->history, &run->history->events[flight->row], &request);
    for (size_t i = 0; i < request.session_create.grants_count; i++) {
        asked |= call_permission(request.session_create.grants[i].permission);
    }
    return asked;
}

static void learn_session(const struct flight *flight, uint64_t position,
                          const struct tenure_session_create_reply *reply)
{
    struct run *run = flight->actor->run;
    if (!reply->has_token) {
        return;
    }
    const struct run_session *parent = reply->has_parent ? session_known(run, &reply->parent)
                                                         : NULL;
    uint32_t depth = parent != NULL ? parent->depth + 1 : reply->has_parent ? 2 : 1;
    struct run_session *session = &run->sessions[run->next_session++ % SESSIONS_MAX];
    *session = (struct run_session){.id = reply->session,
                                    .parent = reply->parent,
                                    .depth = depth,
                                    .asked = asked_for(flight),
                                    .step = flight->step,
                                    .since_us = sim_now_us(run->sim),
                                    .made = position,
                                    .known = true};
    memcpy(session->user, flight->user, sizeof(session->user));
    memcpy(session->agent, flight->agent, sizeof(session->agent));
    keep_token(session->token, reply->token);
}

/* What a rotation says, and an elevation, which is one. */
static struct tenure_session_rotate_reply rotated_by(enum op_number number, const void *reply)
{
    const struct tenure_session_elevate_reply *raised = reply;
    if (number == OP_session_rotate) {
        return *(const struct tenure_session_rotate_reply *)reply;
    }
    return (struct tenure_session_rotate_reply){
        .session = raised->session, .has_token = raised->has_token, .token = raised->token};
}

static void learn_rotation(const struct flight *flight, uint64_t position,
                           const struct tenure_session_rotate_reply *reply)
{
    struct run *run = flight->actor->run;
    for (size_t i = 0; i < SESSIONS_MAX && reply->has_token; i++) {
        struct run_session *session = &run->sessions[i];
        if (session->known && memcmp(&session->id, &reply->session, sizeof(reply->session)) == 0) {
            memcpy(session->old_token, session->token, sizeof(session->old_token));
            keep_token(session->token, reply->token);
            session->made = position;
        }
    }
}

/* A hand-over's reply has the fields of a claim's. */
static struct tenure_task_claim_reply claimed_by(enum op_number number, const void *reply)
{
    struct tenure_task_claim_reply claimed;
    _Static_assert(sizeof(claimed) == sizeof(struct tenure_task_hand_over_reply), "one list");
    ASSERT(number == OP_task_claim || number == OP_task_hand_over);
    memcpy(&claimed, reply, sizeof(claimed));
    return claimed;
}

static void learn_claim(const struct flight *flight, const struct tenure_task_claim_reply *reply)
{
    struct run_fence *fence = flight->fence;
    if (fence == NULL || !reply->has_fence) {
        return;
    }
    *fence = (struct run_fence){.task = reply->task,
                                .session = reply->session,
                                .attempt = reply->attempt,
                                .first = reply->next,
                                .next = reply->next,
                                .held = true};
    memcpy(fence->user, flight->user, sizeof(fence->user));
    keep_token(fence->token, reply->fence);
}

/* Keys are named key-0, key-1 …; those of duels are not. */
static void learn_version(const struct flight *flight, const struct tenure_id *id, uint64_t version)
{
    struct run *run = flight->actor->run;
    union op_request request;
    history_request(run->history, &run->history->events[flight->row], &request);
    struct bytes key = flight->number == OP_state_put   ? request.state_put.key
                       : flight->number == OP_state_get ? request.state_get.key
                                                        : request.state_delete.key;
    size_t which = (size_t)(key.data[key.size - 1] - '0');
    for (size_t i = 0; i < SESSIONS_MAX && which < KEYS; i++) {
        if (memcmp(&run->sessions[i].id, id, sizeof(*id)) == 0) {
            run->sessions[i].versions[which] = version;
        }
    }
}

/* The place to go on from; of one that was lost what is kept behind it. */
static void learn_events(struct run_actor *actor, const struct tenure_result *result,
                         const struct tenure_events_read_reply *reply)
{
    if (reply != NULL) {
        actor->event_origin = reply->origin;
        actor->event_position = reply->next;
        actor->event_k = reply->k;
        actor->run->counters.events += reply->events_count;
        for (size_t i = 0; i < reply->events_count; i++) {
            bool alert = reply->events[i].kind == TENURE_EVENT_KIND_FOREIGN_ACCESS;
            actor->run->counters.alerts += alert;
        }
    } else if (result->outcome == TENURE_COMPACTED) {
        actor->event_position = result->details.oldest_position;
        actor->event_k = result->details.oldest_k;
        actor->run->counters.compacted++;
    }
}

static void learn(const struct flight *flight, uint64_t position, const void *reply)
{
    struct run *run = flight->actor->run;
    if (flight->number == OP_state_put) {
        const struct tenure_state_put_reply *put = reply;
        learn_version(flight, &put->session, put->version);
    } else if (flight->number == OP_state_get) {
        const struct tenure_state_get_reply *got = reply;
        learn_version(flight, &got->session, got->version);
    } else if (flight->number == OP_state_delete) {
        const struct tenure_state_delete_reply *gone = reply;
        learn_version(flight, &gone->session, 0);
    }
    if (flight->number == OP_session_create) {
        const struct tenure_session_create_reply *made = reply;
        run->counters.children += made->has_parent;
        learn_session(flight, position, reply);
    } else if (flight->number == OP_session_rotate || flight->number == OP_session_elevate) {
        const struct tenure_session_rotate_reply rotated = rotated_by(flight->number, reply);
        learn_rotation(flight, position, &rotated);
    } else if (flight->number == OP_task_claim || flight->number == OP_task_hand_over) {
        const struct tenure_task_claim_reply claimed = claimed_by(flight->number, reply);
        learn_claim(flight, &claimed);
    } else if (flight->number == OP_task_begin) {
        const struct tenure_task_begin_reply *begun = reply;
        struct run_task *task = &run->tasks[run->next_task++ % TASKS_MAX];
        *task = (struct run_task){.id = begun->task,
                                  .step = flight->step,
                                  .since_us = sim_now_us(run->sim),
                                  .session = begun->session,
                                  .known = true};
        memcpy(task->user, flight->user, sizeof(task->user));
    }
}

/* ---- answers ---- */

static void note_registration(struct run_actor *actor)
{
    const struct tenure_registration *registration = &actor->client->registration;
    if (registration->registered) {
        actor->clients[registration->generation % GENERATIONS] = registration->client;
    }
}

static void note_answer(struct run *run, uint32_t row, const struct tenure_result *result,
                        const void *reply)
{
    void *body = recorder_return(run->history, row, result, reply, sim_now_us(run->sim) * 1000);
    tell_answer(run, row, result, body);
    free(body);
}

static void count_answer(struct run *run, const struct flight *flight,
                         const struct tenure_result *result)
{
    ASSERT((size_t)flight->number < sizeof(run->counters.calls) / sizeof(run->counters.calls[0]));
    run->counters.outcomes[result->outcome]++;
    run->counters.retried += result->attempts > 1;
    run->counters.superseded += result->superseded;
    if (result->outcome == TENURE_OK) {
        run->counters.calls[flight->number]++;
        if (op_row_of_number(flight->number)->access != OP_READ) {
            faults_answered(run);
        }
    }
}

void record_mark(void *arg)
{
    ((struct flight *)arg)->repeated = true;
}

/* T3: the time was stated, or told, after the cluster had last heard of this process, and T has
 * gone on by more than the silence of a client of it: that one is forgotten, and what it asks now
 * may have an earlier try. */
static bool may_be_forgotten(const struct run *run, const struct flight *flight)
{
    const struct run_watch *watch = &run->watch;
    const struct id128 *instance = &flight->actor->client->instance;
    uint64_t time = watch->entry_count == 0 ? 0 : watch->entries[watch->entry_count - 1].time;
    if (run->stated_us <= flight->actor->done_us) {
        return false;
    }
    for (size_t i = 0; i < watch->client_count; i++) {
        const struct run_client *client = &watch->clients[i];
        if (id128_equal(client->instance, *instance) &&
            sat_add(client->heard, run->plan.limits.client_silence_us) <= time) {
            return true;
        }
    }
    return false;
}

/* The operation number that a task's write was asked for under, and its task; 0: it is none. */
static uint64_t operation_of(const struct run *run, const struct event *event,
                             struct id128 *ret_task)
{
    const struct op_struct *s = op_row_of_number(event->f)->request;
    const struct op_field *fence = op_field_named(s, "fence");
    const struct op_field *number = op_field_named(s, "operation");
    union op_request request;
    uint64_t operation = 0;
    if (fence == NULL || number == NULL) {
        return 0;
    }
    history_request(run->history, event, &request);
    *ret_task =
        ((const struct op_token *)(const void *)((const uint8_t *)&request + fence->offset))->id;
    memcpy(&operation, (const uint8_t *)&request + number->offset, sizeof(operation));
    return number->required || *((const bool *)&request + number->has_offset) ? operation : 0;
}

/* W9: may a number so old have left its task's window? Only when the task's newest, which is none
 * of those that were refused, lies so far above it. */
static bool below_window(const struct run *run, const struct event *event)
{
    enum { WINDOW = 64 };
    struct id128 task = {{0}};
    uint64_t operation = operation_of(run, event, &task);
    uint64_t newest = 0;
    for (uint32_t row = 0; operation != 0 && row < run->history->count; row++) {
        const struct event *other = &run->history->events[row];
        struct id128 of = {{0}};
        uint64_t asked = other->outcome == OP_OK ||
                                 op_outcome_class(other->outcome) == OP_CLASS_UNKNOWN
                             ? operation_of(run, other, &of)
                             : 0;
        newest = asked > newest && id128_equal(of, task) ? asked : newest;
    }
    return operation != 0 && operation + WINDOW <= newest;
}

/* A child that its task had created before, by another request: the reply has the epoch of then. */
static bool told_again(const struct flight *flight, const struct tenure_result *result,
                       const void *reply)
{
    const struct tenure_session_create_reply *created = reply;
    return flight->number == OP_session_create && created != NULL &&
           created->epoch != result->position;
}

/* What a caller was promised about the answer itself, whatever it says. */
static void check_promises(struct run *run, const struct flight *flight,
                           const struct tenure_result *result, const void *reply)
{
    enum { LATE_MS = 50, CALM_SECONDS = 5, TOMBSTONE_SECONDS = 5 };
    const struct run_actor *actor = flight->actor;
    uint64_t begun = run->history->events[flight->row].call_ns / 1000;
    uint64_t took = sim_now_us(run->sim) - begun;
    if (took > run->plan.timeout_us + LATE_MS * SIM_MILLISECOND && actor->stood_us < begun &&
        !actor->stands) {
        run_fail(run,
                 "L1: row %" PRIu32 " ended %" PRIu64 " ms after its call, later than its "
                 "deadline",
                 flight->row, took / 1000);
    }
    bool answered = tenure_outcome_class(result->outcome) != TENURE_CLASS_UNKNOWN ||
                    result->outcome == TENURE_FORGOTTEN;
    if (!answered && run->calm_us != 0 && begun >= run->calm_us &&
        run->plan.timeout_us >= CALM_SECONDS * SIM_SECOND && !actor->client->calls.closing &&
        !may_be_forgotten(run, flight)) {
        run_fail(run, "L1: row %" PRIu32 " was not answered although nothing went wrong",
                 flight->row);
    }
    if (result->outcome == TENURE_FORGOTTEN &&
        !below_window(run, &run->history->events[flight->row])) {
        run_fail(run, "S9: the number of row %" PRIu32 " was given up while its call was open",
                 flight->row);
    }
    if (flight->number == OP_session_create && result->superseded && !flight->repeated &&
        !told_again(flight, result, reply) && took < TOMBSTONE_SECONDS * SIM_SECOND) {
        run_fail(run, "S9: row %" PRIu32 " was superseded by nobody", flight->row);
    }
}

static void on_answer(tenure_any_cb callback, void *arg, const struct tenure_result *result,
                      const void *reply)
{
    struct flight *flight = arg;
    struct run_actor *actor = flight->actor;
    struct run *run = actor->run;
    (void)callback;
    note_registration(actor);
    recorder_number(run->history, flight->row,
                    actor->clients[flight->pending->registration % GENERATIONS],
                    flight->pending->number, flight->pending->attempts);
    count_answer(run, flight, result);
    note_answer(run, flight->row, result, reply);
    check_promises(run, flight, result, reply);
    if (result->position != 0 && op_row_of_number(flight->number)->access != OP_READ) {
        actor->done_us = sim_now_us(run->sim);
    }
    repeat_answered(actor, flight->pending, result->outcome);
    if (flight->number == OP_events_read) {
        learn_events(actor, result, reply);
    } else if (reply != NULL) {
        learn(flight, result->position, reply);
    }
    actor->open--;
    free(flight);
}

/* ---- calls ---- */

static struct history_caller caller_of(bool root, bool worker, struct id128 instance)
{
    return (struct history_caller){.tenant = bytes_of_text("acme"),
                                   .certificate = bytes_of_text(root     ? "operator/root"
                                                                : worker ? "service/worker"
                                                                         : "service/gateway"),
                                   .role = root ? OP_ROLE_OPERATOR : OP_ROLE_SERVICE,
                                   .instance = instance};
}

static uint32_t note_call(struct run_actor *actor, struct id128 instance, enum op_number number,
                          uint32_t attempt, const union op_request *request)
{
    struct run *run = actor->run;
    struct history_call call = {
        .proc = (uint32_t)(actor - run->actors),
        .seq = ++actor->seq,
        .attempt = (uint16_t)attempt,
        .f = number,
        .caller = caller_of(actor->root, actor->worker, instance),
        .call_ns = sim_now_us(run->sim) * 1000,
        .request = request,
    };
    uint32_t row = history_invoke(run->history, &call);
    tell_call(run, row, request);
    return row;
}

static void copy_text(char to[16], const void *request, size_t offset)
{
    struct bytes text;
    memcpy(&text, (const uint8_t *)request + offset, sizeof(text));
    ASSERT(text.size < 16);
    if (text.size > 0) {
        memcpy(to, text.data, text.size);
    }
}

uint64_t record_call(struct run_actor *actor, enum op_number number, const void *request,
                     struct run_fence *fence)
{
    struct tenure_method method = tenure_method_of(number);
    struct flight *flight = calloc(1, sizeof(*flight));
    ASSERT(flight != NULL);
    union op_request *decoded = recorder_op_of(method.request, method.request_map, request);
    flight->actor = actor;
    flight->number = number;
    flight->fence = fence;
    flight->step = actor->run->step;
    flight->row = note_call(actor, actor->client->instance, number, 1, decoded);
    run_takes(actor->run);
    if (number == OP_session_create) {
        copy_text(flight->agent, decoded, offsetof(struct op_session_create_request, agent));
    }
    if (method.request->field_count > 0 && strcmp(method.request->fields[0].name, "user") == 0) {
        copy_text(flight->user, decoded, method.request->fields[0].offset);
    }
    free(decoded);
    note_registration(actor);
    actor->open++;
    method.deliver = on_answer;
    ASSERT(tenure_call_start(actor->client, &method, request, nothing, flight) != 0);
    flight->pending = LIST_ENTRY(actor->client->calls.all.previous, struct tenure_pending,
                                 in_client);
    repeat_choose(actor, &method, request, flight->pending->id, fence);
    return flight->pending->id;
}

/* ---- what is sent once more ---- */

uint32_t record_repeat(struct run_actor *actor, const struct run_repeat *repeat, uint32_t attempt)
{
    struct run *run = actor->run;
    const struct tenure_pending *pending = repeat->pending;
    struct run_draws before = run_enter(run, repeat->step);
    uint32_t row = note_call(actor, repeat->client->instance, pending->method.row->number, attempt,
                             pending->request);
    run_leave(run, before);
    recorder_number(run->history, row, repeat->client->registration.client, pending->number,
                    attempt);
    return row;
}

/* The secret that was made at `position` is replaced, unless a newer one counts already. */
static void learn_secret(struct run *run, const struct tenure_id *session, uint64_t position,
                         struct tenure_bytes token)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct run_session *known = &run->sessions[i];
        if (memcmp(&known->id, session, sizeof(*session)) == 0 && known->made == position) {
            keep_token(known->token, token);
        }
    }
}

/* A secret that was minted anew is the one that counts. */
static void learn_again(struct run *run, enum op_number number, uint64_t position,
                        const void *reply)
{
    if (number == OP_session_create) {
        const struct tenure_session_create_reply *created = reply;
        if (created->has_token) {
            learn_secret(run, &created->session, position, created->token);
        }
    } else if (number == OP_session_rotate || number == OP_session_elevate) {
        const struct tenure_session_rotate_reply rotated = rotated_by(number, reply);
        if (rotated.has_token) {
            learn_secret(run, &rotated.session, position, rotated.token);
        }
    } else if (number == OP_task_claim || number == OP_task_hand_over) {
        const struct tenure_task_claim_reply claimed = claimed_by(number, reply);
        for (size_t i = 0; i < run->actor_count * FENCES_MAX && claimed.has_fence; i++) {
            struct run_fence *fence = &run->actors[i / FENCES_MAX].fences[i % FENCES_MAX];
            if (fence->held && fence->attempt == claimed.attempt) {
                keep_token(fence->token, claimed.fence);
            }
        }
    }
}

void record_repeated(struct run_actor *actor, const struct run_repeat *repeat,
                     const struct tenure_result *result, const void *reply)
{
    /* Its client tries again by itself, too. */
    recorder_number(actor->run->history, repeat->row, repeat->client->registration.client,
                    repeat->pending->number, repeat->pending->attempts);
    note_answer(actor->run, repeat->row, result, reply);
    if (reply != NULL) {
        learn_again(actor->run, repeat->pending->method.row->number, result->position, reply);
    }
}

/* ---- what only the log tells ---- */

void record_registrations(struct run *run)
{
    for (size_t i = 0; i < run->watch.client_count; i++) {
        const struct run_client *client = &run->watch.clients[i];
        const struct history_caller caller = caller_of(client->root, client->worker,
                                                       client->instance);
        const struct recorder_registration made = {.client = client->id,
                                                   .time = client->time,
                                                   .term = client->term,
                                                   .silence = run->plan.limits.client_silence_us,
                                                   .from_ns = run->begun_us * 1000,
                                                   .until_ns = sim_now_us(run->sim) * 1000};
        recorder_register(run->history, &caller, &made);
    }
}

static const struct run_command *command_of(const struct run_watch *watch, const struct event *row)
{
    for (size_t i = 0; row->number != 0 && i < watch->command_count; i++) {
        const struct run_command *command = &watch->commands[i];
        if (command->client == row->client && command->number == row->number) {
            return command;
        }
    }
    return NULL;
}

void record_place(struct run *run)
{
    for (uint32_t row = 0; row < run->history->count; row++) {
        const struct event *event = &run->history->events[row];
        if (op_outcome_class(event->outcome) != OP_CLASS_UNKNOWN || !history_is_write(event)) {
            continue;
        }
        const struct run_command *command = command_of(&run->watch, event);
        if (command != NULL) {
            history_place(run->history, row, command->position, command->time);
            run->counters.placed++;
        } else {
            run->history->events[row].outcome = OP_UNREACHABLE; /* the log never had it */
        }
    }
}

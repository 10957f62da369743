/* Requests that are sent once more, past the library: what a network that delivers twice or late
 * would do (S9). Each has the number of a call that the library made, a try of its own choice, and
 * the same request or, sometimes, another.
 *
 *   IDLE --a call that is chosen--> HELD --its number is known--> SENT --answer, deadline--> IDLE
 *
 * It travels over a client of its own, which never registers: it borrows the registration of the
 * actor's, for one number. It believes that it is about to register, always.
 *
 * A claim may have to wait longer, until its process has claimed the task once more: then nobody
 * may mint for the first one any more. Its number stays open for so long.
 */
#include "tests/sim/run.h"

#include "base/assert.h"
#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHOSEN = 8,      /* of a hundred calls */
    AS_ANOTHER = 15, /* of a hundred chosen: its request goes under another call's number */
    OUTDONE = 15     /* of a hundred claims: is asked for again after a later claim */
};

static void nothing(void)
{
}

/* ---- the borrowed registration ---- */

static void give_back(struct run_repeat *repeat)
{
    struct tenure_registration *own = &repeat->client->registration;
    own->registered = false;
    memset(own->open, 0, sizeof(own->open));
}

/* The lowest open number stays what the actor's client tells: a number that it still asks for must
 * not be forgotten. */
static void borrow(struct run_repeat *repeat, const struct tenure_registration *from,
                   uint64_t number, uint64_t lowest)
{
    struct tenure_registration *own = &repeat->client->registration;
    own->registered = true;
    own->client = from->client;
    own->incarnation = from->incarnation;
    own->next_number = number;
    own->lowest = u64_min(lowest, number);
    own->window = UINT64_MAX;
    if (own->lowest < number) {
        own->open[own->lowest % CALLS_NUMBERS_MAX] = &repeat->bound;
    }
}

/* ---- the number of a claim that is outdone ---- */

static struct tenure_pending **slot_of(struct run_actor *actor)
{
    struct tenure_registration *registration = &actor->client->registration;
    return &registration->open[actor->repeat.number % CALLS_NUMBERS_MAX];
}

/* As if its caller had not heard the answer yet. */
static void hold(struct run_actor *actor)
{
    ASSERT(*slot_of(actor) == NULL);
    *slot_of(actor) = &actor->repeat.bound;
    actor->repeat.holds = true;
}

static void let_go(struct run_actor *actor)
{
    /* A new registration has other numbers. */
    if (actor->repeat.holds && *slot_of(actor) == &actor->repeat.bound) {
        *slot_of(actor) = NULL;
    }
    actor->repeat.holds = false;
}

/* ---- held, sent, answered ---- */

static void on_answer(tenure_any_cb callback, void *arg, const struct tenure_result *result,
                      const void *reply)
{
    struct run_actor *actor = arg;
    struct run_repeat *repeat = &actor->repeat;
    (void)callback;
    if (repeat->sent) {
        record_repeated(actor, repeat, result, reply);
    }
    repeat->pending = NULL;
    let_go(actor);
    give_back(repeat);
}

/* Of which call the number is borrowed. */
static void note(struct run_repeat *repeat, const struct tenure_pending *original)
{
    repeat->number = original->number;
    repeat->registration = original->registration;
    repeat->tries = original->attempts > 0 ? original->attempts : 1;
}

/* Sends it with that number, as the try that its own draws say. */
static void send(struct run_actor *actor)
{
    struct run_repeat *repeat = &actor->repeat;
    struct tenure_pending *pending = repeat->pending;
    uint32_t attempt = repeat->later ? repeat->tries + 1 : 1 + repeat->draw % repeat->tries;
    borrow(repeat, &actor->client->registration, repeat->number,
           tenure_number_lowest(actor->client));
    tenure_number_give(repeat->client, pending);
    pending->attempts = attempt - 1;
    tenure_call_again(repeat->client, pending);
    env_timer_start(repeat->client->timer, 0);
    repeat->sent = true;
    actor->run->counters.repeated++;
    repeat->row = record_repeat(actor, repeat, attempt);
}

static void send_with(struct run_actor *actor, const struct tenure_pending *original)
{
    note(&actor->repeat, original);
    send(actor);
    if (original->id == actor->repeat.original) {
        record_mark(original->arg);
    }
}

static bool waits_for(const struct run_repeat *repeat)
{
    return repeat->pending != NULL && !repeat->sent && repeat->pending->state == CALL_UNNUMBERED;
}

static bool same_registration(const struct run_actor *actor, const struct tenure_pending *call)
{
    return actor->client->registration.registered &&
           call->registration == actor->client->registration.generation && call->number != 0;
}

/* First the original is answered, then the later claim. */
static void outdo(struct run_actor *actor, const struct tenure_pending *call,
                  enum tenure_outcome outcome)
{
    struct run_repeat *repeat = &actor->repeat;
    if (repeat->holds && call->id == repeat->second) {
        repeat->due = outcome == TENURE_OK;
        env_timer_start(repeat->timer, 1 + repeat->after_us);
    } else if (!repeat->holds && call->id == repeat->original && outcome == TENURE_OK) {
        note(repeat, call);
        hold(actor);
        env_timer_start(repeat->timer, 0);
    }
}

/* The same process claims once more: that is a new attempt. */
static void claim_again(struct run_actor *actor)
{
    struct run_repeat *repeat = &actor->repeat;
    struct run_draws before = run_enter(actor->run, repeat->step);
    const struct tenure_task_claim_request request = {
        .user = tenure_text(repeat->user), .task = repeat->task, .lease = repeat->lease};
    repeat->second = record_call(actor, OP_task_claim, &request, repeat->fence);
    run_leave(actor->run, before);
}

static void outdo_more(struct run_actor *actor)
{
    struct run_repeat *repeat = &actor->repeat;
    bool same = repeat->registration == actor->client->registration.generation;
    if (repeat->holds && repeat->second == 0 && !actor->quiet) {
        claim_again(actor);
    } else if (repeat->due && same && actor->client->registration.registered) {
        send(actor);
    } else {
        let_go(actor);
    }
}

void repeat_answered(struct run_actor *actor, const struct tenure_pending *original,
                     enum tenure_outcome outcome)
{
    struct run_repeat *repeat = &actor->repeat;
    enum tenure_class class = tenure_outcome_class(outcome);
    bool definite = class == TENURE_CLASS_DONE || class == TENURE_CLASS_REFUSED;
    bool recorded = definite && original->method.row->access == OP_WRITE; /* T7: not every touch */
    if (!waits_for(repeat) || !same_registration(actor, original)) {
        return;
    }
    if (repeat->outdone) {
        outdo(actor, original, outcome);
    } else if (repeat->another ? recorded && original->id > repeat->original
                               : original->id == repeat->original) {
        send_with(actor, original);
    }
}

/* Half of them do not wait for the answer of the first. */
static void on_timer(void *arg)
{
    struct run_actor *actor = arg;
    struct run_repeat *repeat = &actor->repeat;
    if (!waits_for(repeat) || repeat->another) {
        return;
    }
    if (repeat->outdone) {
        outdo_more(actor);
        return;
    }
    LIST_FOR_EACH(at, &actor->client->calls.all)
    {
        struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_client);
        if (call->id == repeat->original && same_registration(actor, call) && call->attempts > 0) {
            send_with(actor, call);
            return;
        }
    }
}

static void note_claim(struct run_repeat *repeat, const struct tenure_task_claim_request *request,
                       struct run_fence *fence)
{
    ASSERT(request->user.size < sizeof(repeat->user));
    memcpy(repeat->user, request->user.data, request->user.size);
    repeat->user[request->user.size] = '\0';
    repeat->task = request->task;
    repeat->lease = request->lease;
    repeat->fence = fence;
    repeat->second = 0;
    repeat->due = false;
}

void repeat_choose(struct run_actor *actor, const struct tenure_method *method, const void *request,
                   uint64_t original, struct run_fence *fence)
{
    struct run *run = actor->run;
    struct run_repeat *repeat = &actor->repeat;
    struct step step = {STEP_REPEAT, run->step.index, run->step.ordinal};
    if (run->step.maker != STEP_CALL || op_row_of_number(method->row->number)->access == OP_READ) {
        return;
    }
    struct run_draws before = run_enter(run, step);
    bool chosen = run_chance(run, CHOSEN);
    bool races = run_chance(run, 50);
    uint64_t after_us = run_random(run, run_chance(run, 50) ? 5000 : 200000);
    bool outdone = method->row->number == OP_task_claim && run_chance(run, OUTDONE);
    if ((chosen || outdone) && repeat->pending == NULL && run_keeps(run)) {
        struct tenure_method own = *method;
        repeat->step = step;
        repeat->later = run_chance(run, 60) || outdone;
        repeat->another = run_chance(run, AS_ANOTHER) && !outdone;
        repeat->draw = (uint32_t)run_random(run, UINT32_MAX);
        repeat->original = original;
        repeat->sent = false;
        repeat->outdone = outdone;
        repeat->after_us = after_us;
        if (outdone) {
            note_claim(repeat, request, fence);
        }
        own.deliver = on_answer;
        ASSERT(tenure_call_start(repeat->client, &own, request, nothing, actor) != 0);
        repeat->pending = LIST_ENTRY(repeat->client->calls.all.previous, struct tenure_pending,
                                     in_client);
        run_takes(run);
        if (races && !outdone) {
            env_timer_start(repeat->timer, after_us);
        }
    }
    run_leave(run, before);
}

void repeat_open(struct run_actor *actor, struct tenure_client *client)
{
    struct run_repeat *repeat = &actor->repeat;
    memset(repeat, 0, sizeof(*repeat));
    repeat->client = client;
    client->instance = actor->client->instance; /* the same process, for the cluster */
    client->registration.call = UINT64_MAX;     /* under way, for ever: it never makes its own */
    repeat->timer = env_timer_create(actor->env, on_timer, actor);
    ASSERT(repeat->timer != NULL);
    give_back(repeat);
}

void repeat_forget(struct run_actor *actor)
{
    actor->repeat.sent = false;
}

void repeat_close(struct run_actor *actor)
{
    tenure_close(actor->repeat.client);
    env_timer_destroy(actor->repeat.timer);
    memset(&actor->repeat, 0, sizeof(actor->repeat));
}

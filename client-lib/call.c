/* Calls: their moves from state to state, tries, deadlines. Reads no answer (answer.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "client-lib/internal.h"
#include "env/crypto.h"

enum {
    BACKOFF_MOST_US = 250000,
    LEADERLESS_MOST_US = 100000, /* to ask who leads by now costs a server little */
};

static struct tenure_pending *of_queue(struct list *at)
{
    return LIST_ENTRY(at, struct tenure_pending, in_queue);
}

static struct tenure_pending *of_client(struct list *at)
{
    return LIST_ENTRY(at, struct tenure_pending, in_client);
}

void tenure_calls_init(struct tenure_client *client)
{
    struct tenure_calls *calls = &client->calls;
    list_init(&calls->all);
    for (size_t i = 0; i < CALL_STATES; i++) {
        list_init(&calls->queues[i]);
    }
    calls->backoff_due = UINT64_MAX;
}

/* ---- what a call is ---- */

bool tenure_call_numbered(const struct tenure_pending *call)
{
    return call->method.row != NULL && call->method.row->idempotency == OP_NUMBERED;
}

/* A try of it that nobody answers may have changed something. */
static bool writes(const struct tenure_pending *call)
{
    return call->method.row == NULL ? call->method.request == &op_time_request_struct
                                    : call->method.row->access != OP_READ;
}

static bool may_have_happened(const struct tenure_pending *call)
{
    return call->in_doubt || (call->state == CALL_SENT && writes(call));
}

/* ---- moves ---- */

static void leave_queue(struct tenure_client *client, struct tenure_pending *call)
{
    struct tenure_calls *calls = &client->calls;
    list_remove(&call->in_queue);
    if (call->state == CALL_SENT) {
        calls->by_msgid[call->msgid % CALLS_SENT_MAX] = NULL;
        calls->sent_count--;
    }
}

static void move(struct tenure_client *client, struct tenure_pending *call,
                 enum tenure_call_state state)
{
    leave_queue(client, call);
    call->state = state;
    list_append(&client->calls.queues[state], &call->in_queue);
}

void tenure_call_end_soon(struct tenure_client *client, struct tenure_pending *call,
                          enum op_outcome outcome, const char *text)
{
    call->last = outcome;
    call->ending = text;
    move(client, call, CALL_ENDING);
    env_timer_start(client->timer, 0);
}

void tenure_call_again(struct tenure_client *client, struct tenure_pending *call)
{
    if (tenure_number_dead(client, call)) {
        if (call->in_doubt) {
            tenure_call_end_soon(client, call, OP_UNKNOWN, client->registration.lost);
            return;
        }
        call->number = 0;
    }
    bool waits = tenure_call_numbered(call) && call->number == 0;
    move(client, call, waits ? CALL_UNNUMBERED : CALL_READY);
}

static bool awaits_leader(const struct tenure_pending *call)
{
    return call->last == OP_NOT_LEADER || call->last == OP_NOT_READY;
}

void tenure_call_back_off(struct tenure_client *client, struct tenure_pending *call,
                          uint64_t hint_us)
{
    uint64_t most = call->last == OP_NOT_LEADER ? LEADERLESS_MOST_US : BACKOFF_MOST_US;
    uint64_t now = env_mono_us(client->env);
    uint64_t left = sat_sub(call->deadline, now);
    uint64_t wait = u64_min(hint_us, left - left / 4); /* a hint costs no call its last try */
    call->due = sat_add(now, u64_max(wait, tenure_backoff_us(client, call->tries, most)));
    client->calls.backoff_due = u64_min(client->calls.backoff_due, call->due);
    client->calls.leaderless |= awaits_leader(call);
    move(client, call, CALL_BACKOFF);
}

void tenure_calls_served(struct tenure_client *client)
{
    struct tenure_calls *calls = &client->calls;
    if (!calls->leaderless) {
        return;
    }
    calls->leaderless = false;
    LIST_FOR_EACH_SAFE(at, following, &calls->queues[CALL_BACKOFF])
    {
        struct tenure_pending *call = of_queue(at);
        if (awaits_leader(call)) {
            tenure_call_again(client, call);
        }
    }
}

void tenure_calls_link_lost(struct tenure_client *client)
{
    struct list *sent = &client->calls.queues[CALL_SENT];
    while (!list_empty(sent)) {
        struct tenure_pending *call = of_queue(sent->next);
        call->in_doubt = may_have_happened(call);
        call->last = OP_UNREACHABLE;
        tenure_call_again(client, call);
    }
}

void tenure_calls_renumber(struct tenure_client *client)
{
    LIST_FOR_EACH(at, &client->calls.all)
    {
        struct tenure_pending *call = of_client(at);
        if (tenure_number_dead(client, call) &&
            (call->state == CALL_READY || call->state == CALL_BACKOFF)) {
            tenure_call_again(client, call);
        }
    }
}

/* ---- ends ---- */

void tenure_result_message(struct tenure_result *result, struct bytes text)
{
    struct bytes shown = text.size > 0
                             ? text
                             : bytes_of_text(op_outcome_message((enum op_outcome)result->outcome));
    size_t size = u64_min(shown.size, sizeof(result->message) - 1);
    memcpy(result->message, shown.data, size);
    result->message[size] = '\0';
}

static void deliver(struct tenure_client *client, const struct tenure_pending *call,
                    struct tenure_result *result, const void *reply)
{
    if (call->callback != NULL) {
        client->calls.delivering = true;
        call->method.deliver(call->callback, call->arg, result, reply);
        client->calls.delivering = false;
    }
    tenure_result_done(result);
}

void tenure_call_end(struct tenure_client *client, struct tenure_pending *call,
                     struct tenure_result *result, const void *reply)
{
    result->attempts = call->tries;
    if (tenure_outcome_class(result->outcome) == TENURE_CLASS_UNKNOWN) {
        tenure_registration_unsure(client, call);
    }
    leave_queue(client, call);
    list_remove(&call->in_client);
    tenure_number_end(client, call);
    struct tenure_wait *wait = call->wait;
    if (wait == NULL) {
        deliver(client, call, result, reply);
    } else {
        if (reply != NULL) {
            memcpy(wait->reply, reply, call->method.reply_size);
        }
        *wait->result = *result;
        tenure_thread_ended(client, wait);
    }
    env_wipe(call->request, call->request == NULL ? 0 : call->method.request->size);
    free(call->request);
    free(call);
}

void tenure_call_end_with(struct tenure_client *client, struct tenure_pending *call,
                          enum op_outcome outcome, const char *text)
{
    struct tenure_result result = {.outcome = (enum tenure_outcome)outcome};
    tenure_result_message(&result, bytes_of_text(text == NULL ? "" : text));
    tenure_call_end(client, call, &result, NULL);
}

/* A request that could not be taken at all; no field: there was no memory. */
static void refuse_argument(struct tenure_client *client, struct tenure_pending *call,
                            const char *field)
{
    struct tenure_result result = {.outcome = TENURE_INVALID};
    if (field != NULL) {
        result.details.has_field = true;
        result.details.field = tenure_text(field);
        snprintf(result.message, sizeof(result.message), "%s: malformed or out of bounds", field);
    } else {
        snprintf(result.message, sizeof(result.message), "out of memory");
    }
    tenure_call_end(client, call, &result, NULL);
}

/* Why nothing happened until the deadline. */
static void end_undone(struct tenure_client *client, struct tenure_pending *call)
{
    const struct tenure_registration *registration = &client->registration;
    if (call->last != OP_UNREACHABLE) {
        tenure_call_end_with(client, call, call->last, NULL);
    } else if (call->state == CALL_SENT) {
        tenure_call_end_with(client, call, OP_UNREACHABLE, "no answer before the deadline");
    } else if (call->state == CALL_UNNUMBERED && registration->registered) {
        tenure_call_end_with(client, call, OP_OVERLOADED, "too many requests are open already");
    } else if (call->state == CALL_UNNUMBERED && registration->last != OP_UNREACHABLE) {
        tenure_call_end_with(client, call, registration->last, NULL);
    } else {
        tenure_call_end_with(client, call, OP_UNREACHABLE, client->link.fault);
    }
}

static void end_decided(struct tenure_client *client, struct tenure_pending *call)
{
    ASSERT(call->state == CALL_ENDING);
    if (call->request == NULL) {
        refuse_argument(client, call, call->ending);
    } else {
        tenure_call_end_with(client, call, call->last, call->ending);
    }
}

static void end_due(struct tenure_client *client, uint64_t now)
{
    struct list *all = &client->calls.all;
    while (!list_empty(all) && of_client(all->next)->deadline <= now) {
        struct tenure_pending *call = of_client(all->next);
        if (call->state == CALL_ENDING) {
            end_decided(client, call);
        } else if (may_have_happened(call)) {
            tenure_call_end_with(client, call, OP_TIMED_OUT, NULL);
        } else {
            end_undone(client, call);
        }
    }
}

/* Those that were there before: a callback may begin more. */
static void end_ending(struct tenure_client *client)
{
    struct list *ending = &client->calls.queues[CALL_ENDING];
    tenure_call newest = client->calls.last_id;
    while (!list_empty(ending) && of_queue(ending->next)->id <= newest) {
        end_decided(client, of_queue(ending->next));
    }
}

void tenure_calls_end(struct tenure_client *client)
{
    client->calls.closing = true;
    struct list *all = &client->calls.all;
    while (!list_empty(all)) {
        struct tenure_pending *call = of_client(all->next);
        if (call->state != CALL_ENDING) {
            tenure_call_end_soon(client, call,
                                 may_have_happened(call) ? OP_UNKNOWN : OP_UNREACHABLE,
                                 "the client was closed");
        }
        end_decided(client, call);
    }
}

/* ---- sending ---- */

uint32_t tenure_calls_msgid(struct tenure_client *client)
{
    struct tenure_calls *calls = &client->calls;
    do {
        calls->last_msgid++;
    } while (calls->last_msgid == 0 || calls->by_msgid[calls->last_msgid % CALLS_SENT_MAX] != NULL);
    return calls->last_msgid;
}

bool tenure_calls_need_link(const struct tenure_client *client)
{
    const struct list *queues = client->calls.queues;
    return !list_empty(&queues[CALL_UNNUMBERED]) || !list_empty(&queues[CALL_READY]) ||
           !list_empty(&queues[CALL_BACKOFF]);
}

static void fill_envelope(struct tenure_client *client, struct tenure_pending *call,
                          struct op_envelope *envelope)
{
    if (client->tenant != NULL && call->method.row != NULL) {
        envelope->has_tenant = true;
        envelope->tenant = bytes_of_text(client->tenant);
    }
    envelope->has_stale = envelope->stale = client->stale && call->method.row != NULL;
    if (!tenure_call_numbered(call)) {
        return;
    }
    call->lowest = tenure_number_lowest(client);
    envelope->has_client = envelope->has_incarnation = envelope->has_number = true;
    envelope->has_attempt = envelope->has_lowest = true;
    envelope->client = client->registration.client;
    envelope->incarnation = client->registration.incarnation;
    envelope->number = call->number;
    envelope->attempt = call->attempts + 1;
    envelope->lowest = call->lowest;
}

static void send_call(struct tenure_client *client, struct tenure_pending *call)
{
    struct tenure_calls *calls = &client->calls;
    struct op_envelope envelope = {.has_client = false};
    fill_envelope(client, call, &envelope);
    call->msgid = tenure_calls_msgid(client);
    struct base_writer writer;
    base_writer_init(&writer, client->frame, OP_FRAME_REQUEST_MAX);
    op_request_write(&writer, call->msgid, call->method.name, &envelope, call->method.request,
                     call->request);
    if (writer.failed) {
        client->frame_used = OP_FRAME_MAX;
        tenure_call_end_with(client, call, OP_INVALID, "the request is larger than a frame may be");
        return;
    }
    call->attempts++;
    call->tries++;
    call->sent = env_boot_us(client->env);
    move(client, call, CALL_SENT);
    calls->by_msgid[call->msgid % CALLS_SENT_MAX] = call;
    calls->sent_count++;
    tenure_link_send(client, base_written(&writer));
}

static void send_ready(struct tenure_client *client)
{
    struct list *ready = &client->calls.queues[CALL_READY];
    while (!list_empty(ready) && client->calls.sent_count < CALLS_SENT_MAX) {
        send_call(client, of_queue(ready->next));
    }
}

static void send_all(struct tenure_client *client)
{
    struct list *unnumbered = &client->calls.queues[CALL_UNNUMBERED];
    if (!list_empty(unnumbered)) {
        tenure_registration_check(client);
    }
    if (!list_empty(unnumbered) && !client->registration.registered) {
        tenure_registration_need(client);
    }
    send_ready(client);
    while (!list_empty(unnumbered) && client->calls.sent_count < CALLS_SENT_MAX &&
           tenure_number_free(client)) {
        struct tenure_pending *call = of_queue(unnumbered->next);
        tenure_number_give(client, call);
        send_call(client, call);
    }
}

/* ---- the steps of all calls ---- */

static void end_backoffs(struct tenure_client *client, uint64_t now)
{
    struct tenure_calls *calls = &client->calls;
    if (now < calls->backoff_due) {
        return;
    }
    calls->backoff_due = UINT64_MAX;
    LIST_FOR_EACH_SAFE(at, following, &calls->queues[CALL_BACKOFF])
    {
        struct tenure_pending *call = of_queue(at);
        if (call->due <= now) {
            tenure_call_again(client, call);
        } else {
            calls->backoff_due = u64_min(calls->backoff_due, call->due);
        }
    }
}

static void arm_timer(struct tenure_client *client)
{
    const struct tenure_calls *calls = &client->calls;
    uint64_t due = u64_min(tenure_link_due(client), calls->backoff_due);
    if (!list_empty(&calls->all)) {
        due = u64_min(due, of_client(calls->all.next)->deadline);
    }
    if (!list_empty(&calls->queues[CALL_ENDING])) {
        due = 0;
    }
    if (due == UINT64_MAX) {
        env_timer_stop(client->timer);
    } else {
        env_timer_start(client->timer, sat_sub(due, env_mono_us(client->env)));
    }
}

void tenure_calls_step(struct tenure_client *client)
{
    uint64_t now = env_mono_us(client->env);
    end_ending(client);
    end_due(client, now);
    end_backoffs(client, now);
    if (client->link.state == LINK_READY) {
        send_all(client);
    }
    arm_timer(client);
}

/* ---- beginning, waiting, cancelling ---- */

/* NULL: out of memory. */
static struct tenure_pending *begin(struct tenure_client *client,
                                    const struct tenure_method *method, const void *request)
{
    struct tenure_calls *calls = &client->calls;
    struct tenure_pending *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return NULL;
    }
    const char *wrong;
    call->method = *method;
    call->request = tenure_request_copy(method, request, &wrong);
    call->last = OP_UNREACHABLE;
    call->id = ++calls->last_id;
    call->deadline = sat_add(env_mono_us(client->env), client->timeout_us);
    list_append(&calls->all, &call->in_client);
    list_init(&call->in_queue);
    if (call->request == NULL) {
        tenure_call_end_soon(client, call, OP_INVALID, wrong);
    } else {
        tenure_call_again(client, call);
    }
    env_timer_start(client->timer, 0);
    return call;
}

tenure_call tenure_call_start(struct tenure_client *client, const struct tenure_method *method,
                              const void *request, tenure_any_cb callback, void *arg)
{
    tenure_call id = 0;
    tenure_lock(client);
    if (!client->calls.closing) {
        struct tenure_pending *call = begin(client, method, request);
        if (call != NULL) {
            call->callback = callback;
            call->arg = arg;
            id = call->id;
        }
    }
    tenure_unlock(client);
    tenure_thread_wake(client);
    return id;
}

enum tenure_outcome tenure_call_wait(struct tenure_client *client,
                                     const struct tenure_method *method, const void *request,
                                     void *ret_reply, struct tenure_result *ret_result)
{
    memset(ret_reply, 0, method->reply_size);
    memset(ret_result, 0, sizeof(*ret_result));
    ASSERT(!tenure_on_thread(client)); /* a callback must not wait for its own thread */
    tenure_lock(client);
    ASSERT(client->thread != NULL || !client->calls.delivering); /* nor turn the loop below it */
    struct tenure_wait wait = {.reply = ret_reply, .result = ret_result};
    if (client->calls.closing) {
        ret_result->outcome = TENURE_UNREACHABLE;
        tenure_result_message(ret_result, bytes_of_text("the client was closed"));
    } else {
        struct tenure_pending *call = begin(client, method, request);
        if (call == NULL) {
            ret_result->outcome = TENURE_UNREACHABLE;
            tenure_result_message(ret_result, bytes_of_text("out of memory"));
        } else {
            call->wait = &wait;
            tenure_thread_wait(client, &wait);
        }
    }
    tenure_unlock(client);
    return ret_result->outcome;
}

static struct tenure_pending *find_call(struct tenure_client *client, tenure_call id)
{
    LIST_FOR_EACH(at, &client->calls.all)
    {
        struct tenure_pending *call = of_client(at);
        if (call->id >= id) {
            return call->id == id ? call : NULL;
        }
    }
    return NULL;
}

void tenure_cancel(struct tenure_client *client, tenure_call id)
{
    tenure_lock(client);
    struct tenure_pending *call = find_call(client, id);
    if (call != NULL && call->state != CALL_ENDING) {
        bool unsure = may_have_happened(call);
        if (call->state == CALL_SENT) {
            struct base_writer writer;
            base_writer_init(&writer, client->frame, OP_FRAME_MAX);
            op_notification_write(&writer, OP_METHOD_CANCEL, call->msgid);
            tenure_link_send(client, base_written(&writer));
        }
        tenure_call_end_soon(client, call, unsure ? OP_UNKNOWN : OP_UNREACHABLE,
                             "the caller cancelled it");
    }
    tenure_unlock(client);
    tenure_thread_wake(client);
}

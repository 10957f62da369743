/* Calls: tries, retries under one number, deadlines, echoes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "client-lib/internal.h"
#include "env/crypto.h"

/* Where a synchronous call gets its result. */
struct tenure_wait {
    void *reply;
    struct tenure_result *result;
    bool ended;
};

/* ---- results ---- */

static void set_message(struct tenure_result *result, struct bytes text)
{
    struct bytes shown =
        text.size > 0 ? text : bytes_of_text(op_outcome_message((enum op_outcome)result->outcome));
    size_t size = shown.size < sizeof(result->message) ? shown.size : sizeof(result->message) - 1;
    memcpy(result->message, shown.data, size);
    result->message[size] = '\0';
}

/* Hands the result over and forgets the call (K3). */
static void end_call(struct tenure_client *client, struct tenure_pending *call,
                     struct tenure_result *result, const void *reply)
{
    result->attempts = call->attempts;
    list_remove(&call->in_client);
    struct tenure_wait *wait = call->wait;
    if (wait != NULL) {
        if (reply != NULL) {
            memcpy(wait->reply, reply, call->method.reply_size);
        }
        *wait->result = *result;
        wait->ended = true;
        tenure_thread_changed(client);
    } else {
        if (call->callback != NULL) {
            call->method.deliver(call->callback, call->arg, result, reply);
        }
        tenure_result_done(result);
    }
    env_wipe(call->request, call->request == NULL ? 0 : call->method.request->size);
    free(call->request);
    free(call);
}

/* Ends it with an answer of the library's own. */
static void end_with(struct tenure_client *client, struct tenure_pending *call,
                     enum op_outcome outcome, const char *text)
{
    struct tenure_result result = {.outcome = (enum tenure_outcome)outcome};
    set_message(&result, bytes_of_text(text == NULL ? "" : text));
    end_call(client, call, &result, NULL);
}

/* A request that could not be taken at all. */
static void refuse_argument(struct tenure_client *client, struct tenure_pending *call,
                            const char *field)
{
    struct tenure_result result = {.outcome = TENURE_INVALID};
    if (field != NULL) {
        result.details.has_field = true;
        result.details.field = tenure_text(field);
        snprintf(result.message, sizeof(result.message), "%s is malformed or too long", field);
    } else {
        snprintf(result.message, sizeof(result.message), "out of memory");
    }
    end_call(client, call, &result, NULL);
}

/* Its time is over: UNKNOWN when a try may have happened, otherwise nothing did. */
static void expire(struct tenure_client *client, struct tenure_pending *call)
{
    if (call->last == OP_INVALID) {
        refuse_argument(client, call, call->wrong_field);
    } else if (call->maybe_happened) {
        end_with(client, call, OP_TIMED_OUT, NULL);
    } else {
        const char *fault = call->last == OP_UNREACHABLE ? client->link.fault : NULL;
        end_with(client, call, call->last, fault);
    }
}

/* ---- sending ---- */

static bool numbered(const struct tenure_pending *call)
{
    return call->method.row != NULL && call->method.row->idempotency == OP_NUMBERED;
}

static uint64_t lowest_open(const struct tenure_client *client)
{
    uint64_t lowest = client->registration.next_number;
    LIST_FOR_EACH(at, &client->calls)
    {
        const struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_client);
        if (call->number != 0) {
            lowest = u64_min(lowest, call->number);
        }
    }
    return lowest;
}

static void fill_envelope(const struct tenure_client *client, struct tenure_pending *call,
                          struct op_envelope *envelope)
{
    if (client->tenant != NULL && call->method.row != NULL) {
        envelope->has_tenant = true;
        envelope->tenant = bytes_of_text(client->tenant);
    }
    if (!numbered(call)) {
        return;
    }
    envelope->has_client = envelope->has_incarnation = envelope->has_number = true;
    envelope->has_attempt = envelope->has_lowest = true;
    envelope->client = client->registration.client;
    envelope->incarnation = client->registration.incarnation;
    envelope->number = call->number;
    envelope->attempt = call->attempts;
    envelope->lowest = lowest_open(client);
}

static void send_call(struct tenure_client *client, struct tenure_pending *call)
{
    if (numbered(call) && call->number == 0) {
        call->number = client->registration.next_number++;
    }
    call->attempts++;
    call->msgid = ++client->last_msgid;
    call->state = CALL_SENT;
    struct op_envelope envelope = {.has_client = false};
    fill_envelope(client, call, &envelope);
    struct base_writer writer;
    base_writer_init(&writer, client->frame, OP_FRAME_MAX);
    op_request_write(&writer, call->msgid, call->method.name, &envelope, call->method.request,
                     call->request);
    if (writer.failed) {
        end_with(client, call, OP_INVALID, "the request is larger than a frame may be");
        return;
    }
    call->maybe_happened = call->maybe_happened || call->method.row == NULL ||
                           call->method.row->access == OP_WRITE;
    tenure_link_send(client, base_written(&writer));
}

/* ---- registration: the first numbered call makes the client register itself ---- */

static void on_registered(void *arg, const struct tenure_result *result,
                          const struct tenure_client_register_reply *reply)
{
    struct tenure_client *client = arg;
    struct tenure_registration *registration = &client->registration;
    registration->call = 0;
    if (reply != NULL) {
        registration->registered = true;
        registration->client = reply->client;
        memcpy(&registration->incarnation, &reply->incarnation, sizeof(struct id128));
        registration->next_number = 1;
        return;
    }
    LIST_FOR_EACH_SAFE(at, following, &client->calls)
    {
        struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_client);
        if (numbered(call) && call->number == 0 &&
            tenure_outcome_class(result->outcome) == TENURE_CLASS_REFUSED) {
            end_with(client, call, (enum op_outcome)result->outcome, result->message);
        }
    }
}

static void need_registration(struct tenure_client *client)
{
    if (client->registration.call == 0) {
        struct tenure_client_register_request nothing = {0};
        client->registration.call =
            tenure_client_register_start(client, &nothing, on_registered, client);
    }
}

/* ---- answers ---- */

static void back_off(struct tenure_client *client, struct tenure_pending *call, uint64_t hint_us)
{
    uint64_t delay = u64_max(hint_us, tenure_backoff_us(client, call->attempts));
    call->state = CALL_BACKOFF;
    call->retry_at = env_mono_us(client->env) + delay;
}

/* The session that the request names, by its token or its id. */
static bool asked_session(const struct tenure_pending *call, struct id128 *ret_id)
{
    const struct op_struct *s = call->method.request;
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        const uint8_t *value = (const uint8_t *)call->request;
        if (!*(const bool *)(value + field->has_offset)) {
            continue;
        }
        if (field->kind == OP_KIND_token && field->bound == OP_TOKEN_session) {
            memcpy(ret_id, value + field->offset + offsetof(struct op_token, id), sizeof(*ret_id));
            return true;
        }
        if (field->kind == OP_KIND_id && strcmp(field->name, "session") == 0) {
            memcpy(ret_id, value + field->offset, sizeof(*ret_id));
            return true;
        }
    }
    return false;
}

/* K2: a result about another session than the one asked for is never handed on. */
static bool echoes(const struct tenure_pending *call, const uint8_t *reply)
{
    struct id128 asked;
    if (!asked_session(call, &asked)) {
        return true;
    }
    const struct op_struct *s = call->method.reply;
    for (size_t i = 0; i < s->field_count; i++) {
        if (s->fields[i].kind == OP_KIND_id && strcmp(s->fields[i].name, "session") == 0) {
            struct id128 told;
            memcpy(&told, reply + s->fields[i].offset, sizeof(told));
            return id128_equal(asked, told);
        }
    }
    return true;
}

static struct tenure_result result_of(const struct op_reply_head *head)
{
    struct tenure_result result = {
        .outcome = (enum tenure_outcome)head->outcome,
        .position = head->position,
        .time = head->time,
        .clock = head->clock,
        .term = head->term,
        .superseded = head->superseded,
    };
    set_message(&result, head->message);
    return result;
}

static void deliver_done(struct tenure_client *client, struct tenure_pending *call,
                         const struct op_reply_head *head, const void *op_reply)
{
    struct tenure_result result = result_of(head);
    union tenure_any_reply {
#define OP_MEMBER_REPLY_(number, name, FIELDS, access, roles, needs, idempotency, help)            \
    struct tenure_##name##_reply name;
        OP_TABLE(OP_MEMBER_REPLY_)
        struct tenure_node_status_reply status;
        struct tenure_cluster_time_reply time;
    } reply;
    memset(&reply, 0, sizeof(reply));
    if (!tenure_reply_copy(call->method.reply, call->method.reply_map, op_reply, &reply,
                           &result.memory)) {
        end_with(client, call, OP_TIMED_OUT, "out of memory");
        return;
    }
    end_call(client, call, &result, &reply);
}

static void deliver_refused(struct tenure_client *client, struct tenure_pending *call,
                            const struct op_reply_head *head, const struct op_details *details)
{
    struct tenure_result result = result_of(head);
    if (!tenure_reply_copy(&op_details_struct, tenure_details_map, details, &result.details,
                           &result.memory)) {
        memset(&result.details, 0, sizeof(result.details));
    }
    end_call(client, call, &result, NULL);
}

/* Our registration is gone. A first try did nothing and may go under a new one; a later try cannot know. */
static void on_client_unknown(struct tenure_client *client, struct tenure_pending *call)
{
    if (call->attempts > 1) {
        end_with(client, call, OP_UNKNOWN, "the cluster has forgotten this client");
        return;
    }
    client->registration.registered = false;
    call->number = 0;
    call->attempts = 0;
    call->maybe_happened = false;
    call->state = CALL_WAITING;
}

/* RETRY and UNKNOWN: again, under the same number, until the deadline. */
static void try_again(struct tenure_client *client, struct tenure_pending *call,
                      const struct op_reply_head *head, const struct op_details *details)
{
    call->last = head->outcome;
    if (op_outcome_class(head->outcome) == OP_CLASS_RETRY && call->attempts == 1) {
        call->maybe_happened = false; /* definite: the only try did nothing */
    }
    bool moved = head->outcome == OP_NOT_LEADER && head->leader.size > 0 &&
                 head->leader.size < sizeof(client->link.leader);
    back_off(client, call, details->has_hint ? details->hint : 0);
    if (head->outcome != OP_NOT_LEADER || client->stay) {
        return;
    }
    if (moved) {
        memcpy(client->link.leader, head->leader.data, head->leader.size);
        client->link.leader[head->leader.size] = '\0';
        call->retry_at = 0;
    }
    tenure_link_drop(client, "this server does not lead");
}

static void take_answer(struct tenure_client *client, struct tenure_pending *call,
                        const struct op_reply_head *head, const struct op_details *details,
                        const void *op_reply)
{
    if (head->outcome == OP_CLIENT_UNKNOWN && numbered(call)) {
        on_client_unknown(client, call);
        return;
    }
    bool own = call->method.row == NULL; /* of this one node: nobody else can answer */
    switch (op_outcome_class(head->outcome)) {
    case OP_CLASS_DONE:
        deliver_done(client, call, head, op_reply);
        return;
    case OP_CLASS_REFUSED:
        deliver_refused(client, call, head, details);
        return;
    case OP_CLASS_UNKNOWN:
        if (head->outcome == OP_FORGOTTEN || !numbered(call)) {
            deliver_refused(client, call, head, details);
            return;
        }
        try_again(client, call, head, details);
        return;
    case OP_CLASS_RETRY:
        if (own) {
            deliver_refused(client, call, head, details);
        } else {
            try_again(client, call, head, details);
        }
        return;
    }
}

static struct tenure_pending *find_sent(const struct tenure_client *client, uint32_t msgid)
{
    LIST_FOR_EACH(at, &client->calls)
    {
        struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_client);
        if (call->state == CALL_SENT && call->msgid == msgid) {
            return call;
        }
    }
    return NULL;
}

bool tenure_calls_response(struct tenure_client *client, const struct op_message *message)
{
    struct tenure_pending *call = find_sent(client, message->msgid);
    if (call == NULL) {
        return true; /* an older try's, or a cancelled call's: K2 */
    }
    struct op_reply_head head;
    struct op_details details;
    struct op_fault fault;
    union op_any_reply {
        union op_reply operation;
        struct op_status_reply status;
        struct op_time_reply time;
    } reply;
    if (!op_response_read(message, &head, &details, call->method.reply, &reply, &fault)) {
        return false;
    }
    if (op_outcome_class(head.outcome) == OP_CLASS_DONE &&
        !echoes(call, (const uint8_t *)&reply)) {
        return false;
    }
    take_answer(client, call, &head, &details, &reply);
    env_wipe(&reply, sizeof(reply)); /* it may hold a secret */
    return true;
}

/* ---- the steps of all calls ---- */

static void step_call(struct tenure_client *client, struct tenure_pending *call, uint64_t now)
{
    if (now >= call->deadline) {
        expire(client, call);
        return;
    }
    if (call->state == CALL_BACKOFF && now >= call->retry_at) {
        call->state = CALL_WAITING;
    }
    if (call->state != CALL_WAITING || client->link.state != LINK_READY) {
        return;
    }
    if (numbered(call) && !client->registration.registered) {
        need_registration(client);
        return;
    }
    send_call(client, call);
}

static uint64_t call_due(const struct tenure_pending *call)
{
    return call->state == CALL_BACKOFF ? u64_min(call->retry_at, call->deadline) : call->deadline;
}

void tenure_calls_step(struct tenure_client *client)
{
    uint64_t now = env_mono_us(client->env);
    uint64_t due = tenure_link_due(client);
    /* A call that ends may take others with it: begin again from the head until nothing ends. */
    for (struct list *at = client->calls.next; at != &client->calls;) {
        struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_client);
        tenure_call last = call->id;
        step_call(client, call, now);
        at = client->calls.next;
        while (at != &client->calls && LIST_ENTRY(at, struct tenure_pending, in_client)->id <= last) {
            at = at->next;
        }
    }
    LIST_FOR_EACH(at, &client->calls)
    {
        due = u64_min(due, call_due(LIST_ENTRY(at, struct tenure_pending, in_client)));
    }
    if (due == UINT64_MAX) {
        env_timer_stop(client->timer);
    } else {
        env_timer_start(client->timer, sat_sub(due, now));
    }
}

void tenure_calls_link_lost(struct tenure_client *client)
{
    LIST_FOR_EACH(at, &client->calls)
    {
        struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_client);
        if (call->state == CALL_SENT) {
            call->last = OP_UNREACHABLE;
            call->state = CALL_WAITING;
        }
    }
}

static void end_all(struct tenure_client *client, bool only_started, const char *text)
{
    tenure_call newest = client->last_call; /* callbacks may start new ones */
    for (struct list *at = client->calls.next; at != &client->calls;) {
        struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_client);
        at = at->next;
        if (call->id <= newest && (!only_started || call->number != 0)) {
            end_with(client, call, call->maybe_happened ? OP_UNKNOWN : OP_UNREACHABLE, text);
            at = client->calls.next;
        }
    }
}

void tenure_calls_end(struct tenure_client *client)
{
    end_all(client, false, "the client was closed");
}

void tenure_calls_reborn(struct tenure_client *client)
{
    client->registration.registered = false;
    end_all(client, true, "the cluster was restored: it has a new incarnation");
}

/* ---- beginning and waiting ---- */

static struct tenure_pending *begin(struct tenure_client *client,
                                    const struct tenure_method *method, const void *request,
                                    const char **ret_field)
{
    struct tenure_pending *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    call->method = *method;
    call->request = tenure_request_copy(method, request, ret_field);
    call->state = CALL_WAITING;
    call->last = OP_UNREACHABLE;
    call->id = ++client->last_call;
    call->deadline = sat_add(env_mono_us(client->env), client->timeout_us);
    list_append(&client->calls, &call->in_client);
    return call;
}

tenure_call tenure_call_start(struct tenure_client *client, const struct tenure_method *method,
                              const void *request, tenure_any_cb callback, void *arg)
{
    tenure_lock(client);
    const char *field;
    struct tenure_pending *call = begin(client, method, request, &field);
    tenure_call id = call->id;
    call->callback = callback;
    call->arg = arg;
    if (call->request == NULL) {
        call->deadline = 0; /* ends in the next step, as INVALID */
        call->last = OP_INVALID;
        call->wrong_field = field;
    }
    env_timer_start(client->timer, 0);
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
    struct tenure_wait wait = {.reply = ret_reply, .result = ret_result};
    const char *field;
    struct tenure_pending *call = begin(client, method, request, &field);
    call->wait = &wait;
    if (call->request == NULL) {
        refuse_argument(client, call, field);
    } else {
        tenure_step(client);
    }
    while (!wait.ended) {
        tenure_thread_wait(client);
    }
    tenure_unlock(client);
    return ret_result->outcome;
}

void tenure_cancel(struct tenure_client *client, tenure_call id)
{
    tenure_lock(client);
    LIST_FOR_EACH(at, &client->calls)
    {
        struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_client);
        if (call->id == id) {
            if (call->state == CALL_SENT) {
                struct base_writer writer;
                base_writer_init(&writer, client->frame, OP_FRAME_MAX);
                op_notification_write(&writer, "cancel", call->msgid);
                tenure_link_send(client, base_written(&writer));
            }
            call->deadline = 0; /* ends in the next step */
            env_timer_start(client->timer, 0);
            break;
        }
    }
    tenure_unlock(client);
    tenure_thread_wake(client);
}

void tenure_result_done(struct tenure_result *result)
{
    free(result->memory);
    result->memory = NULL;
}

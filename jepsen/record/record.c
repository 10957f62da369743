/* Calls of libtenure as rows of a history. */
#include "jepsen/record/record.h"

#include "base/assert.h"

#include <stdlib.h>

void *recorder_op_of(const struct op_struct *s, const struct tenure_field_map *map,
                     const void *value)
{
    const struct tenure_method method = {.request = s, .request_map = map};
    const char *field = NULL;
    void *copy = tenure_request_copy(&method, value, &field);

    ASSERT(copy != NULL);
    return copy;
}

void *recorder_return(struct history *history, uint32_t row, const struct tenure_result *result,
                      const void *reply, uint64_t ret_ns)
{
    struct tenure_method method = tenure_method_of(history->events[row].f);
    struct history_answer answer = {.outcome = (enum op_outcome)result->outcome,
                                    .superseded = result->superseded,
                                    .ret_ns = ret_ns,
                                    .position = result->position,
                                    .time = result->time,
                                    .clock = result->clock,
                                    .term = result->term};
    void *details = NULL;
    void *body = NULL;

    if (tenure_outcome_class(result->outcome) == TENURE_CLASS_UNKNOWN) {
        return NULL;
    }
    if (reply != NULL) {
        body = recorder_op_of(method.reply, method.reply_map, reply);
    } else {
        details = recorder_op_of(&op_details_struct, tenure_details_map, &result->details);
    }
    answer.details = details;
    answer.reply = body;
    history_return(history, row, &answer);
    free(details);
    return body;
}

void recorder_number(struct history *history, uint32_t row, uint64_t client, uint64_t number,
                     uint32_t attempt)
{
    struct event *event = &history->events[row];

    event->client = number == 0 ? 0 : client;
    event->number = number;
    event->attempt = (uint16_t)(attempt > 0 ? attempt : 1);
}

void recorder_register(struct history *history, const struct history_caller *caller,
                       const struct recorder_registration *registration)
{
    static const union op_request request;
    const union op_reply reply = {.client_register = {.has_client = true,
                                                      .client = registration->client,
                                                      .has_silence = true,
                                                      .silence = registration->silence}};
    const struct history_call call = {.attempt = 1,
                                      .f = OP_client_register,
                                      .caller = *caller,
                                      .call_ns = registration->from_ns,
                                      .request = &request};
    const struct history_answer answer = {.outcome = OP_OK,
                                          .ret_ns = registration->until_ns,
                                          .position = registration->client,
                                          .time = registration->time,
                                          .term = registration->term,
                                          .reply = &reply};

    history_return(history, history_invoke(history, &call), &answer);
}

/* ---- clients whose calls are rows ---- */

struct recorded_call {
    struct recorder *recorder;
    const struct tenure_pending *pending;
    recorder_cb callback;
    void *arg;
    uint32_t row;
};

static uint64_t now_ns(const struct recorder *recorder)
{
    return env_mono_us(recorder->client->env) * 1000;
}

void recorder_init(struct recorder *recorder, struct history *history, uint32_t proc,
                   struct tenure_client *client, const char *tenant, const char *certificate)
{
    *recorder = (struct recorder){.history = history,
                                  .client = client,
                                  .caller = {.tenant = bytes_of_text(tenant),
                                             .certificate = bytes_of_text(certificate),
                                             .role = OP_ROLE_SERVICE,
                                             .instance = client->instance},
                                  .proc = proc};
    recorder->from_ns = now_ns(recorder);
}

static void note_registration(struct recorder *recorder)
{
    const struct tenure_registration *made = &recorder->client->registration;
    struct recorder_registration row = {.client = made->client,
                                        .time = made->time,
                                        .term = made->term,
                                        .silence = made->silence,
                                        .from_ns = recorder->from_ns};

    if (!made->registered || made->generation == recorder->registered) {
        return;
    }
    bool taken_back = recorder->registered != 0 &&
                      recorder->clients[recorder->registered % RECORDER_GENERATIONS] ==
                          made->client;
    row.until_ns = now_ns(recorder);
    recorder->registered = made->generation;
    recorder->clients[made->generation % RECORDER_GENERATIONS] = made->client;
    if (!taken_back) {
        recorder_register(recorder->history, &recorder->caller, &row);
    }
}

static void nothing(void)
{
}

static void on_answer(tenure_any_cb callback, void *arg, const struct tenure_result *result,
                      const void *reply)
{
    struct recorded_call *call = arg;
    struct recorder *recorder = call->recorder;
    const struct tenure_pending *pending = call->pending;

    (void)callback;
    note_registration(recorder);
    recorder_number(recorder->history, call->row,
                    recorder->clients[pending->registration % RECORDER_GENERATIONS],
                    pending->number, pending->attempts);
    recorder->history->events[call->row].again = pending->number != 0 && pending->attempts > 1 &&
                                                 pending->in_doubt;
    free(recorder_return(recorder->history, call->row, result, reply, now_ns(recorder)));
    recorder->open--;
    call->callback(call->arg, call->row, result, reply);
    free(call);
}

uint32_t recorder_call(struct recorder *recorder, enum op_number number, const void *request,
                       recorder_cb callback, void *arg)
{
    struct tenure_method method = tenure_method_of(number);
    union op_request *decoded = recorder_op_of(method.request, method.request_map, request);
    struct recorded_call *call = calloc(1, sizeof *call);
    const struct history_call invoked = {.proc = recorder->proc,
                                         .seq = ++recorder->seq,
                                         .attempt = 1,
                                         .f = number,
                                         .caller = recorder->caller,
                                         .call_ns = now_ns(recorder),
                                         .request = decoded};

    ASSERT(call != NULL);
    note_registration(recorder);
    *call = (struct recorded_call){.recorder = recorder,
                                   .callback = callback,
                                   .arg = arg,
                                   .row = history_invoke(recorder->history, &invoked)};
    free(decoded);
    recorder->open++;
    method.deliver = on_answer;
    ASSERT(tenure_call_start(recorder->client, &method, request, nothing, call) != 0);
    call->pending = LIST_ENTRY(recorder->client->calls.all.previous, struct tenure_pending,
                               in_client);
    return call->row;
}

/* The client's registration, and the numbers that it gives out. Sends nothing by itself. */
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "client-lib/internal.h"

void tenure_registration_init(struct tenure_registration *registration)
{
    memset(registration, 0, sizeof(*registration));
    registration->generation = 1;
    registration->window = CALLS_NUMBERS_MAX;
    registration->last = OP_UNREACHABLE;
}

/* ---- numbers ---- */

uint64_t tenure_number_lowest(struct tenure_client *client)
{
    struct tenure_registration *registration = &client->registration;
    while (registration->lowest < registration->next_number &&
           registration->open[registration->lowest % CALLS_NUMBERS_MAX] == NULL) {
        registration->lowest++;
    }
    return registration->lowest;
}

bool tenure_number_free(struct tenure_client *client)
{
    const struct tenure_registration *registration = &client->registration;
    return registration->registered &&
           registration->next_number - tenure_number_lowest(client) < registration->window;
}

void tenure_number_give(struct tenure_client *client, struct tenure_pending *call)
{
    struct tenure_registration *registration = &client->registration;
    struct tenure_pending **slot =
        &registration->open[registration->next_number % CALLS_NUMBERS_MAX];
    ASSERT(call->number == 0 && *slot == NULL); /* K4 */
    *slot = call;
    call->number = registration->next_number++;
    call->registration = registration->generation;
    call->attempts = 0;
}

bool tenure_number_dead(const struct tenure_client *client, const struct tenure_pending *call)
{
    return call->number != 0 && call->registration != client->registration.generation;
}

void tenure_number_end(struct tenure_client *client, struct tenure_pending *call)
{
    if (call->number == 0 || tenure_number_dead(client, call)) {
        return;
    }
    struct tenure_pending **slot = &client->registration.open[call->number % CALLS_NUMBERS_MAX];
    ASSERT(*slot == call);
    *slot = NULL;
}

/* ---- registering: the first call that needs a number makes the client register itself ---- */

/* What waits for a number will not get one: it ends as registering did. */
static void refuse_unnumbered(struct tenure_client *client, const struct tenure_result *result)
{
    LIST_FOR_EACH_SAFE(at, following, &client->calls.queues[CALL_UNNUMBERED])
    {
        struct tenure_pending *call = LIST_ENTRY(at, struct tenure_pending, in_queue);
        tenure_call_end_soon(client, call, (enum op_outcome)result->outcome,
                             "the cluster refused to register this client");
    }
}

void tenure_registration_heard(struct tenure_client *client, const struct tenure_pending *call)
{
    struct tenure_registration *registration = &client->registration;
    if (call->number != 0 && !tenure_number_dead(client, call)) {
        registration->heard = u64_max(registration->heard, call->sent);
        registration->stays = false;
    }
}

void tenure_registration_unsure(struct tenure_client *client, const struct tenure_pending *call)
{
    if (call->number != 0 && !tenure_number_dead(client, call)) {
        client->registration.stays = true;
    }
}

/* Three quarters: clocks run at other rates, and a call takes its time to be applied. */
void tenure_registration_check(struct tenure_client *client)
{
    struct tenure_registration *registration = &client->registration;
    uint64_t bearable = registration->silence - registration->silence / 4;
    if (registration->registered && registration->silence > 0 && !registration->stays &&
        tenure_number_lowest(client) == registration->next_number &&
        sat_add(registration->heard, bearable) <= env_boot_us(client->env)) {
        registration->given_up = registration->client;
        tenure_registration_lost(client, "this client was silent for long");
        registration->spare = true;
    }
}

bool tenure_registration_ends(const struct tenure_client *client, const struct tenure_pending *call,
                              enum op_outcome outcome)
{
    const struct tenure_registration *registration = &client->registration;
    return call->id == registration->call && registration->spare && outcome == OP_SWEEPING;
}

/* There was no room for a new one: the one given up serves as long as the cluster knows it. */
static bool take_back(struct tenure_client *client)
{
    struct tenure_registration *registration = &client->registration;
    if (!registration->spare) {
        return false;
    }
    registration->spare = false;
    registration->stays = true;
    registration->registered = true;
    return true;
}

static void on_registered(void *arg, const struct tenure_result *result,
                          const struct tenure_client_register_reply *reply)
{
    struct tenure_client *client = arg;
    struct tenure_registration *registration = &client->registration;
    registration->call = 0;
    if (reply == NULL) {
        if (!take_back(client) && tenure_outcome_class(result->outcome) == TENURE_CLASS_REFUSED) {
            refuse_unnumbered(client, result);
        }
        return;
    }
    registration->registered = true;
    registration->client = reply->client;
    memcpy(&registration->incarnation, &reply->incarnation, sizeof(struct id128));
    registration->time = result->time;
    registration->term = result->term;
    registration->silence = reply->silence;
    registration->heard = registration->asked;
    registration->spare = false;
    registration->next_number = 1;
    registration->lowest = 1;
    registration->last = OP_UNREACHABLE;
}

void tenure_registration_need(struct tenure_client *client)
{
    if (client->registration.call == 0 && !client->calls.closing) {
        struct tenure_client_register_request nothing = {0};
        client->registration.asked = env_boot_us(client->env);
        client->registration.call = tenure_client_register_start(client, &nothing, on_registered,
                                                                 client);
    }
}

void tenure_registration_lost(struct tenure_client *client, const char *reason)
{
    struct tenure_registration *registration = &client->registration;
    registration->registered = registration->spare = registration->stays = false;
    registration->generation++;
    registration->lost = reason;
    memset(registration->open, 0, sizeof(registration->open));
    tenure_calls_renumber(client);
}

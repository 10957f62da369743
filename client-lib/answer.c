/* What the cluster answers, and what follows from it. Sends nothing by itself. */
#include <string.h>

#include "base/sat.h"
#include "client-lib/internal.h"
#include "env/crypto.h"

enum {
    NOT_LEADER_WAIT_US = 250000, /* for the other answers of a server that does not lead */
    LEADERLESS_US = 500000,      /* we stay with a server that knows of no leader */
};

/* ---- echoes (K2) ---- */

/* The id of that name, when the struct has one that is present. */
static bool named_id(const struct op_struct *s, const uint8_t *value, const char *name,
                     struct id128 *ret_id)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        if (field->kind == OP_KIND_id && strcmp(field->name, name) == 0 &&
            *(const bool *)(value + field->has_offset)) {
            memcpy(ret_id, value + field->offset, sizeof(*ret_id));
            return true;
        }
    }
    return false;
}

/* The session whose token the request shows, and by which name the reply tells it again. */
static bool shown_session(const struct op_struct *s, const uint8_t *value, const char **ret_name,
                          struct id128 *ret_id)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        if (field->kind == OP_KIND_token && field->bound == OP_TOKEN_session &&
            *(const bool *)(value + field->has_offset)) {
            memcpy(ret_id, value + field->offset + offsetof(struct op_token, id), sizeof(*ret_id));
            *ret_name = strcmp(field->name, "token") == 0 ? "session" : field->name;
            return true;
        }
    }
    return false;
}

static bool echoes_name(const struct tenure_pending *call, const uint8_t *reply, const char *name,
                        const struct id128 *asked)
{
    struct id128 told;
    return !named_id(call->method.reply, reply, name, &told) || id128_equal(*asked, told);
}

/* A result about another object than the one asked for is never handed on: an id of the request is
 * the reply's of the same name, and so is the session that a token of that name shows; one that is
 * named `token` shows the reply's `session` (the names that are spelled here: no field of the table
 * says it). */
static bool echoes(const struct tenure_pending *call, const uint8_t *reply)
{
    const struct op_struct *s = call->method.request;
    const char *name = NULL;
    struct id128 asked;
    for (size_t i = 0; i < s->field_count; i++) {
        if (named_id(s, call->request, s->fields[i].name, &asked) &&
            !echoes_name(call, reply, s->fields[i].name, &asked)) {
            return false;
        }
    }
    return !shown_session(s, call->request, &name, &asked) ||
           echoes_name(call, reply, name, &asked);
}

/* ---- delivering ---- */

static struct tenure_result result_of(const struct op_reply_head *head)
{
    struct tenure_result result = {
        .outcome = (enum tenure_outcome)head->outcome,
        .position = head->position,
        .time = head->time,
        .clock = head->clock,
        .term = head->term,
        .superseded = head->superseded,
        .stale = head->stale,
    };
    tenure_result_message(&result, head->message);
    return result;
}

static void deliver_done(struct tenure_client *client, struct tenure_pending *call,
                         const struct op_reply_head *head, const void *op_reply)
{
    struct tenure_result result = result_of(head);
    union tenure_any_reply {
#define OP_MEMBER_REPLY_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)   \
    struct tenure_##name##_reply name;
        OP_TABLE(OP_MEMBER_REPLY_)
        struct tenure_node_status_reply status;
        struct tenure_cluster_time_reply time;
        struct tenure_snapshot_take_reply taken;
        struct tenure_snapshot_read_reply piece;
    } reply;
    memset(&reply, 0, call->method.reply_size);
    if (!tenure_reply_copy(call->method.reply, call->method.reply_map, op_reply, &reply,
                           &result.memory)) {
        tenure_call_end_with(client, call, OP_UNKNOWN, "it was done; out of memory for the answer");
        return;
    }
    tenure_call_end(client, call, &result, &reply);
}

static void deliver_refused(struct tenure_client *client, struct tenure_pending *call,
                            const struct op_reply_head *head, const struct op_details *details)
{
    struct tenure_result result = result_of(head);
    if (!tenure_reply_copy(&op_details_struct, tenure_details_map, details, &result.details,
                           &result.memory)) {
        memset(&result.details, 0, sizeof(result.details));
    }
    tenure_call_end(client, call, &result, NULL);
}

/* ---- trying again ---- */

/* Our registration is gone. What certainly did nothing goes under a new one (K1). */
static void on_client_unknown(struct tenure_client *client, struct tenure_pending *call)
{
    if (!tenure_number_dead(client, call)) {
        tenure_registration_lost(client, "the cluster has forgotten this client");
    }
    tenure_call_again(client, call);
}

/* The cluster lets a client have fewer numbers open than we thought: nothing happened. */
static bool too_many_open(const struct op_reply_head *head, const struct op_details *details)
{
    return head->outcome == OP_OVERLOADED && details->has_limit &&
           bytes_equal(details->limit, bytes_of_text("client_open_max"));
}

static void narrow(struct tenure_client *client, struct tenure_pending *call)
{
    uint64_t *window = &client->registration.window;
    *window = u64_max(1, u64_min(*window, call->number - call->lowest));
    call->last = OP_OVERLOADED;
    tenure_call_back_off(client, call, 0);
}

/* While there is an election a server hears of its end sooner than we could by going about, and to
 * ask it again costs no handshake. Not for ever: it may be cut off. */
static bool may_learn(struct tenure_client *client)
{
    struct tenure_link *link = &client->link;
    uint64_t now = env_mono_us(client->env);
    if (link->leaderless_since == 0) {
        link->leaderless_since = now;
    }
    return now - link->leaderless_since < LEADERLESS_US;
}

static void on_not_leader(struct tenure_client *client, const struct op_reply_head *head,
                          struct tenure_pending *call)
{
    struct tenure_link *link = &client->link;
    if (client->stay || client->stale) {
        return;
    }
    if (head->leader.size > 0 && head->leader.size < sizeof(link->leader)) {
        memcpy(link->leader, head->leader.data, head->leader.size);
        link->leader[head->leader.size] = '\0';
        tenure_call_again(client, call); /* the link's own back-off is enough */
    } else if (may_learn(client)) {
        return;
    }
    tenure_link_leave(client, "this server does not lead", NOT_LEADER_WAIT_US);
}

/* RETRY and UNKNOWN: again, under the same number, until the deadline. */
static void try_again(struct tenure_client *client, struct tenure_pending *call,
                      const struct op_reply_head *head, const struct op_details *details)
{
    call->last = head->outcome;
    if (op_outcome_class(head->outcome) == OP_CLASS_UNKNOWN) {
        call->in_doubt = true;
    }
    if (tenure_registration_ends(client, call, head->outcome)) {
        deliver_refused(client, call, head, details);
        return;
    }
    if (call->id == client->registration.call) {
        client->registration.last = head->outcome;
    }
    tenure_call_back_off(client, call, details->has_hint ? details->hint : 0);
    if (head->outcome == OP_NOT_LEADER) {
        on_not_leader(client, head, call);
    }
}

static void take_answer(struct tenure_client *client, struct tenure_pending *call,
                        const struct op_reply_head *head, const struct op_details *details,
                        const void *op_reply)
{
    enum op_class class = op_outcome_class(head->outcome);
    if (class != OP_CLASS_RETRY) {
        client->link.failures = 0;
        client->link.leaderless_since = 0;
        if (head->position != 0 && !head->stale) {
            tenure_calls_served(client);
        }
    }
    if (head->outcome == OP_CLIENT_UNKNOWN && tenure_call_numbered(call)) {
        on_client_unknown(client, call);
    } else if (tenure_call_numbered(call) && too_many_open(head, details)) {
        narrow(client, call);
    } else if (class == OP_CLASS_DONE) {
        if (tenure_call_numbered(call) && op_wrote(call->method.row, head->outcome, op_reply)) {
            tenure_registration_heard(client, call);
        }
        deliver_done(client, call, head, op_reply);
    } else if (class == OP_CLASS_REFUSED || call->method.own || head->outcome == OP_FORGOTTEN) {
        deliver_refused(client, call, head, details);
    } else {
        try_again(client, call, head, details);
    }
}

/* NULL for an older try's reply, or a cancelled call's (K2). */
static struct tenure_pending *find_sent(const struct tenure_client *client, uint32_t msgid)
{
    struct tenure_pending *call = client->calls.by_msgid[msgid % CALLS_SENT_MAX];
    return call != NULL && call->msgid == msgid ? call : NULL;
}

bool tenure_calls_response(struct tenure_client *client, const struct op_message *message)
{
    struct tenure_pending *call = find_sent(client, message->msgid);
    if (call == NULL) {
        return true;
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
    size_t size = call->method.reply->size; /* the call may be gone below */
    bool good = op_outcome_class(head.outcome) != OP_CLASS_DONE ||
                echoes(call, (const uint8_t *)&reply);
    if (good) {
        take_answer(client, call, &head, &details, &reply);
    }
    env_wipe(&reply, size); /* it may hold a secret */
    return good;
}

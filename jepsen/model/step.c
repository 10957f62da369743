/* Dispatch, exactly-once, and the verdict on one answer. The rules themselves are in rules_*.c. */
#include "base/assert.h"
#include "jepsen/model/rules.h"

#include <string.h>

static const char *const property_texts[] = {
    "", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14",
};

const char *model_property_text(enum model_property property)
{
    return property_texts[property];
}

/* The acting user stands first in each request that has one; a revoke's is not acting. */
static struct bytes user_of(const struct model_op *op)
{
    const struct op_struct *s = op_row_of_number(op->f)->request;

    if (s->field_count == 0 || strcmp(s->fields[0].name, "user") != 0 || op->f == OP_revoke_user) {
        return BYTES_NONE;
    }
    return *(const struct bytes *)(const void *)((const uint8_t *)op->request +
                                                 s->fields[0].offset);
}

static struct ask ask_of(struct model *model, const struct model_op *op)
{
    return (struct ask){.op = op,
                        .time = op->time,
                        .tenant = state_name(model, op->tenant),
                        .user = state_name(model, user_of(op)),
                        .certificate = state_name(model, op->certificate)};
}

static void expect_by_rule(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    switch (ask->op->f) {
#define RULE(number, name, ...)                                                                    \
    case OP_##name:                                                                                \
        expect_##name(model, ask, expect);                                                         \
        return;
        OP_TABLE(RULE)
#undef RULE
    case OP_NUMBER_NONE_:
        break;
    }
    UNREACHABLE("an operation without a rule");
}

static void apply_by_rule(struct model *model, const struct ask *ask,
                          const struct model_answer *answer)
{
    switch (ask->op->f) {
#define RULE(number, name, ...)                                                                    \
    case OP_##name:                                                                                \
        apply_##name(model, ask, answer);                                                          \
        return;
        OP_TABLE(RULE)
#undef RULE
    case OP_NUMBER_NONE_:
        break;
    }
    UNREACHABLE("an operation without a rule");
}

/* Section 6. True when the request number alone settles the answer. */
static bool expect_by_number(struct model *model, const struct ask *ask,
                             struct model_expect *expect)
{
    const struct model_op *op = ask->op;
    struct client *client = state_client_of(model, op->client);
    const struct record *record;

    if (op->client == 0 || model->mutation == MODEL_MUTATION_DEDUPE_IGNORED) {
        return false;
    }
    if (client == NULL || client->tenant != ask->tenant ||
        client->certificate != ask->certificate) {
        expect_refusal(expect, OP_CLIENT_UNKNOWN, MODEL_S9,
                       "the client is not registered by this certificate");
        return true;
    }
    if (ask->time >= sat_add(client->heard, model->limits.client_silence_us)) {
        expect_also(expect, OP_CLIENT_UNKNOWN);
    }
    record = state_record(client, op->number);
    if (record == NULL) {
        return false;
    }
    if (record->digest != op->digest) {
        expect_refusal(expect, OP_NUMBER_REUSED, MODEL_S9,
                       "the request number was used for another request");
        return true;
    }
    expect->outcome = record->outcome;
    expect->property = MODEL_S9;
    expect->rule = "a retry got another answer than the first";
    expect->repeated = true;
    expect->bare = record->bare;
    expect->first = record->position;
    expect->first_time = record->time;
    expect->free_tags = UINT64_MAX;
    return true;
}

void model_expect(struct model *model, const struct model_op *op, struct model_expect *ret_expect)
{
    const struct op_row *row = op_row_of_number(op->f);
    struct ask ask = ask_of(model, op);

    memset(ret_expect, 0, sizeof *ret_expect);
    ret_expect->outcome = OP_OK;
    ASSERT(row != NULL);
    if ((row->roles & op->role) == 0) {
        expect_refusal(ret_expect, OP_FORBIDDEN, MODEL_S1, "the role may not call this");
        return;
    }
    if (!expect_by_number(model, &ask, ret_expect)) {
        expect_by_rule(model, &ask, ret_expect);
    }
}

/* A child that a task had created before: it has the epoch of then. */
static bool told_again(const struct model_op *op, const struct model_answer *answer)
{
    return op->f == OP_session_create && answer->outcome == OP_OK &&
           answer->reply.session_create.epoch != op->position;
}

void model_apply(struct model *model, const struct model_op *op, const struct model_answer *answer)
{
    struct ask ask = ask_of(model, op);
    struct client *client = op->client == 0 ? NULL : state_client_of(model, op->client);
    bool again = client != NULL && model->mutation != MODEL_MUTATION_DEDUPE_IGNORED &&
                 state_record(client, op->number) != NULL;
    /* What may have been a read has perhaps no record, and no answer tells whether it has: another
     * try at another position is judged anew. */
    bool wrote = op_wrote(op_row_of_number(op->f), answer->outcome, &answer->reply);

    model->position = u64_max(model->position, op->position);
    if (answer->outcome == OP_OK && !again) {
        apply_by_rule(model, &ask, answer);
    } else if (answer->outcome == OP_OK) {
        apply_again(model, &ask, answer);
    } else if (answer->outcome == OP_ENDED && answer->details.has_cause &&
               answer->details.cause == OP_END_CAUSE_COMPROMISED) {
        apply_compromised(model, &ask);
    }
    model->time = u64_max(model->time, op->time);
    if (client != NULL && wrote) {
        client->heard = u64_max(client->heard, op->time);
    }
    if (client != NULL && wrote && !again && answer->outcome != OP_CLIENT_UNKNOWN) {
        state_record_add(client, (struct record){.number = op->number,
                                                 .digest = op->digest,
                                                 .position = op->position,
                                                 .time = op->time,
                                                 .outcome = answer->outcome,
                                                 .bare = told_again(op, answer)});
    }
}

void model_doubt(struct model *model, const struct model_op *op)
{
    struct client *client = op->client == 0 ? NULL : state_client_of(model, op->client);
    const struct record *record = client == NULL ? NULL : state_record(client, op->number);

    if (record != NULL && record->outcome == OP_OK) {
        doubt_secret(model, op, record->position);
    }
}

bool model_step(struct model *model, const struct model_op *op, const struct model_answer *answer,
                struct model_reason *ret_reason)
{
    struct model_op known = *op;
    struct model_expect expect;

    known.seen = answer;
    model_expect(model, &known, &expect);
    if (!model_judge(&expect, &known, answer, ret_reason)) {
        return false;
    }
    model_apply(model, &known, answer);
    return true;
}

static void mint(struct model *model, const struct model_op *op, struct id128 id,
                 const uint8_t secret[32], struct model_answer *answer)
{
    const union op_request *request = op->request;
    struct op_token *token = NULL;

    (void)model;
    if (op->f == OP_session_create) {
        answer->reply.session_create.session = id;
        answer->reply.session_create.has_token = true;
        token = &answer->reply.session_create.token;
        token->id = id;
    } else if (op->f == OP_session_rotate) {
        answer->reply.session_rotate.has_token = true;
        token = &answer->reply.session_rotate.token;
        token->id = request->session_rotate.token.id;
    } else if (op->f == OP_session_elevate) {
        answer->reply.session_elevate.has_token = true;
        token = &answer->reply.session_elevate.token;
        token->id = request->session_elevate.token.id;
    } else if (op->f == OP_session_derive) {
        answer->reply.session_derive.has_value = true; /* one for each session will do */
        answer->reply.session_derive.value = bytes_of(request->session_derive.token.id.bytes,
                                                      sizeof(struct id128));
    } else if (op->f == OP_task_begin) {
        answer->reply.task_begin.task = id;
    } else if (op->f == OP_task_claim || op->f == OP_task_hand_over) {
        answer->reply.task_claim.has_fence = true;
        token = &answer->reply.task_claim.fence;
        token->id = answer->reply.task_claim.task;
        token->epoch = answer->reply.task_claim.epoch;
        token->attempt = answer->reply.task_claim.attempt;
    }
    if (token != NULL) {
        memcpy(token->secret, secret, sizeof token->secret);
    }
}

void model_answer(struct model *model, const struct model_op *op, struct id128 minted_id,
                  const uint8_t minted_secret[32], struct model_answer *ret_answer)
{
    struct model_expect expect;

    model_expect(model, op, &expect);
    ret_answer->outcome = expect.outcome;
    ret_answer->superseded = expect.bare;
    ret_answer->details = expect.details;
    ret_answer->reply = expect.reply;
    if (expect.outcome == OP_OK && !expect.repeated) {
        mint(model, op, minted_id, minted_secret, ret_answer);
    }
}

void model_apply_unanswered(struct model *model, const struct model_op *op, struct id128 minted_id,
                            const uint8_t minted_secret[32])
{
    struct ask ask = ask_of(model, op);
    struct model_op unknown = *op;
    struct model_answer answer = {.outcome = OP_OK};
    uint32_t session;
    bool doubtful;

    unknown.unanswered = true;
    model_answer(model, op, minted_id, minted_secret, &answer);
    if (rule_rotates(op) == NULL) {
        model_apply(model, &unknown, &answer);
        return;
    }
    session = state_session_of(model, rule_rotates(op)->id);
    doubtful = answer.outcome == OP_OK && rule_may_be_compromised(model, &ask, session);
    model_apply(model, op, &answer);
    model->sessions[session].before_counts |= doubtful;
}

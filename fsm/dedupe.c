/* Exactly once (docs/MODEL.md section 6): one result per request number, and tries that mint again.
 *
 *  1. A client's records have numbers in [lowest, lowest + client_open_max): what is below was
 * freed, what is above is refused.
 *  2. RETRY is never remembered: nothing happened. UNKNOWN is not either.
 *  3. A try above the highest seen mints again only while the object carries the secret that this
 *     request made (its `secret_made`, or the attempt, is the request's first position). One that
 *     was told again by its (task, n) has made none: it is SUPERSEDED, whatever the try.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

struct request_query {
    const struct fsm *fsm;
    uint32_t client;
    uint64_t number;
};

static const struct request_record *request_read(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_REQUESTS], slot);
}

static bool match_request(const void *arg, uint32_t slot)
{
    const struct request_query *query = arg;
    const struct request_record *record = request_read(query->fsm, slot);

    return record->head.of == query->client && record->number == query->number;
}

uint32_t fsm_request_of(const struct fsm *fsm, uint32_t client, uint64_t number)
{
    struct request_query query = {fsm, client, number};

    return index_find(fsm->indexes[INDEX_REQUEST], fsm_hash_pair(fsm, client, number),
                      match_request, &query);
}

void fsm_result_take(struct fsm_context *ctx, const struct result_head *result)
{
    ASSERT(result->body_size <= sizeof ctx->fsm->body);
    chain_read(fsm_blocks(ctx->fsm), result->body_chain, ctx->fsm->body, result->body_size);
    ctx->answer.position = result->position;
    ctx->answer.time = result->time;
    ctx->answer.term = result->term;
    ctx->answer.outcome = (enum op_outcome)result->outcome;
    ctx->answer.repeated = true;
    ctx->answer.body = bytes_of(ctx->fsm->body, result->body_size);
    ctx->first = true;
}

void fsm_result_keep(struct fsm_context *ctx, struct result_head *result, uint32_t of)
{
    const struct fsm_reply *answer = &ctx->answer;

    ASSERT(answer->body.size <= FSM_RESULT_MAX);
    result->position = answer->position;
    result->time = answer->time;
    result->term = answer->term;
    result->outcome = answer->outcome;
    result->of = of;
    result->body_size = (uint32_t)answer->body.size;
    result->body_chain = chain_write(fsm_blocks(ctx->fsm), answer->body);
}

void fsm_dedupe_free(struct fsm *fsm, uint32_t client_slot, uint64_t from, uint64_t count)
{
    struct client_record *client = table_write(fsm->tables[FSM_CLIENTS], client_slot);

    for (uint64_t i = 0; i < count && from <= UINT64_MAX - i; i++) {
        uint32_t slot = fsm_request_of(fsm, client_slot, from + i);

        if (slot != SLOT_NONE) {
            chain_free(fsm_blocks(fsm), request_read(fsm, slot)->head.body_chain);
            index_remove(fsm->indexes[INDEX_REQUEST], fsm_hash_pair(fsm, client_slot, from + i),
                         slot);
            table_free(fsm->tables[FSM_REQUESTS], slot);
            client->remembered--;
        }
    }
}

/* Replaces a session's secret when request `made` made the present one. */
static bool remint_session(struct fsm *fsm, struct id128 id, uint64_t made, const uint8_t *verifier)
{
    struct fsm_session session = fsm_session_of(fsm, id);
    struct session_head *head;

    if (session.head == NULL || session.head->secret_made != made) {
        return false;
    }
    head = fsm_head_write(fsm, &session);
    memcpy(head->verifier, verifier, sizeof head->verifier);
    return true;
}

static bool remint_task(struct fsm *fsm, struct id128 id, uint64_t made, const uint8_t *verifier)
{
    uint32_t slot = fsm_task_of(fsm, id);
    const struct task_record *task;
    struct task_record *written;

    if (slot == SLOT_NONE) {
        return false;
    }
    task = table_read(fsm->tables[FSM_TASKS], slot);
    if (task->attempt != made || task->status != TASK_CLAIMED) {
        return false;
    }
    written = table_write(fsm->tables[FSM_TASKS], slot);
    memcpy(written->verifier, verifier, sizeof written->verifier);
    return true;
}

/* Is what this request minted still there with that secret, for a repetition to replace it? */
static bool carries(struct fsm_context *ctx, const struct request_record *record)
{
    struct fsm *fsm = ctx->fsm;
    uint32_t task;

    if (record->mints == OP_TOKEN_session) {
        struct fsm_session session = fsm_session_of(fsm, record->object);
        struct fsm_end end;

        if (session.head == NULL || session.head->secret_made != record->head.position) {
            return false;
        }
        end = fsm_session_end_of(ctx, &session);
        return !end.ended ||
               !fsm_deadline_passed(ctx, fsm_forgotten_time(fsm, session.head, end.time));
    }
    task = fsm_task_of(fsm, record->object);
    return task != SLOT_NONE &&
           !fsm_deadline_passed(
               ctx, fsm_task_forgotten_time(fsm, table_read(fsm->tables[FSM_TASKS], task)));
}

/* Done without a secret, by an operation that makes one: it was a known (task, n) (window.c). */
static bool told_again(const struct fsm_context *ctx)
{
    return op_outcome_class(ctx->answer.outcome) == OP_CLASS_DONE &&
           op_minted_token(ctx->row) != NULL;
}

/* The same number again: the first result, and for what mints a look at the tries. */
static enum op_outcome repeat(struct fsm_context *ctx, uint32_t slot)
{
    const struct op_command *command = ctx->command;
    const struct request_record *record = request_read(ctx->fsm, slot);
    bool later = command->attempt > record->tries;
    struct request_record *written;

    if (record->mints == 0) {
        fsm_result_take(ctx, &record->head);
        ctx->answer.superseded = told_again(ctx);
        return ctx->answer.outcome;
    }
    if (later && carries(ctx, record)) {
        if (record->mints == OP_TOKEN_session && !id128_equal(command->minted_id, record->object)) {
            return OP_MINT_AGAIN;
        }
        ctx->answer.minted = record->mints == OP_TOKEN_session
                                 ? remint_session(ctx->fsm, record->object, record->head.position,
                                                  command->minted_verifier)
                                 : remint_task(ctx->fsm, record->object, record->head.position,
                                               command->minted_verifier);
    }
    fsm_result_take(ctx, &record->head);
    ctx->answer.superseded = !ctx->answer.minted;
    if (later) {
        written = table_write(ctx->fsm->tables[FSM_REQUESTS], slot);
        written->tries = command->attempt;
    }
    return ctx->answer.outcome;
}

/* Numbers that no client of ours sends. */
static const char *wrong_number(const struct op_command *command)
{
    if (command->request == 0) {
        return "number";
    }
    if (command->attempt == 0) {
        return "attempt";
    }
    if (command->lowest == 0 || command->lowest > command->request) {
        return "lowest";
    }
    return NULL;
}

/* A sign of life; what lies below the lowest open number is not asked for again. */
static void client_hear(struct fsm_context *ctx)
{
    struct client_record *client = table_write(ctx->fsm->tables[FSM_CLIENTS], ctx->client);

    client->heard = ctx->now;
    if (ctx->command->lowest > client->lowest) {
        uint64_t count = u64_min(ctx->command->lowest - client->lowest,
                                 ctx->fsm->limits.client_open_max);

        fsm_dedupe_free(ctx->fsm, ctx->client, client->lowest, count);
        client->lowest = ctx->command->lowest;
    }
    fsm_schedule(ctx->fsm, FSM_CLIENTS, ctx->client);
}

/* Room to remember a new number; every result has its blocks reserved. Without room the answer is
 * of class RETRY, never REFUSED: it is not remembered, so an earlier try that is still on its way
 * may yet be applied, and a definite refusal would be a lie. */
static enum op_outcome request_room(struct fsm_context *ctx)
{
    const struct client_record *client = table_read(ctx->fsm->tables[FSM_CLIENTS], ctx->client);
    enum op_outcome outcome;

    if (ctx->command->request - client->lowest >= ctx->fsm->limits.client_open_max) {
        ctx->details->has_limit = true;
        ctx->details->limit = bytes_of_text("client_open_max");
        return OP_OVERLOADED;
    }
    outcome = fsm_result_room(ctx);
    return outcome == OP_LIMIT ? OP_OVERLOADED : outcome;
}

bool fsm_dedupe_fresh(struct fsm *fsm, const struct op_command *command)
{
    uint32_t client = fsm_client_of(fsm, fsm_time(fsm), &command->caller, command->client);
    const struct client_record *record;

    if (client == SLOT_NONE || !id128_equal(command->incarnation, fsm->incarnation) ||
        wrong_number(command) != NULL || command->attempt > 1) {
        return false;
    }
    record = table_read(fsm->tables[FSM_CLIENTS], client);
    return command->request >= record->lowest &&
           fsm_request_of(fsm, client, command->request) == SLOT_NONE;
}

bool fsm_dedupe_answer(struct fsm_context *ctx, enum op_outcome *ret_outcome)
{
    const struct op_command *command = ctx->command;
    const struct client_record *client;
    const char *wrong = wrong_number(command);
    uint32_t client_slot;
    uint32_t slot;

    client_slot = fsm_client_of(ctx->fsm, ctx->now, ctx->caller, command->client);
    if (client_slot == SLOT_NONE || !id128_equal(command->incarnation, ctx->fsm->incarnation)) {
        *ret_outcome = OP_CLIENT_UNKNOWN;
        return true;
    }
    if (wrong != NULL) {
        *ret_outcome = fsm_refuse_field(ctx, wrong);
        return true;
    }
    ctx->client = client_slot;
    client_hear(ctx);
    client = table_read(ctx->fsm->tables[FSM_CLIENTS], client_slot);
    slot = fsm_request_of(ctx->fsm, client_slot, command->request);
    if (command->request < client->lowest) {
        *ret_outcome = OP_FORGOTTEN;
    } else if (slot == SLOT_NONE) {
        *ret_outcome = request_room(ctx);
    } else if (memcmp(request_read(ctx->fsm, slot)->digest, command->digest,
                      sizeof command->digest) != 0) {
        *ret_outcome = OP_NUMBER_REUSED;
    } else {
        *ret_outcome = repeat(ctx, slot);
        return true;
    }
    return *ret_outcome != OP_OK;
}

void fsm_dedupe_record(struct fsm_context *ctx)
{
    enum op_class class = op_outcome_class(ctx->answer.outcome);
    struct fsm *fsm = ctx->fsm;
    struct client_record *client;
    struct request_record *record;
    uint32_t slot;

    if (class == OP_CLASS_RETRY || class == OP_CLASS_UNKNOWN) {
        return;
    }
    slot = table_take(fsm->tables[FSM_REQUESTS]);
    ASSERT(slot != SLOT_NONE);
    record = table_write(fsm->tables[FSM_REQUESTS], slot);
    fsm_result_keep(ctx, &record->head, ctx->client);
    record->number = ctx->command->request;
    record->tries = ctx->command->attempt;
    memcpy(record->digest, ctx->command->digest, sizeof record->digest);
    if (!id128_is_zero(ctx->minted)) {
        record->object = ctx->minted;
        record->mints = (uint32_t)op_minted_token(ctx->row)->bound;
    }
    index_insert(fsm->indexes[INDEX_REQUEST], fsm_hash_pair(fsm, ctx->client, record->number),
                 slot);
    client = table_write(fsm->tables[FSM_CLIENTS], ctx->client);
    client->remembered++;
}

/* Calls one after another; see maker.h. What is asked for is in mix.c. */
#include "tests/unit/jepsen/maker.h"

#include <string.h>

enum { PROCS = 4 };

void maker_init(struct maker *maker, uint64_t seed, enum model_mutation mutation)
{
    struct op_limits limits;

    op_limits_init(&limits);
    maker_init_within(maker, seed, mutation, &limits);
}

void maker_init_within(struct maker *maker, uint64_t seed, enum model_mutation mutation,
                       const struct op_limits *limits)
{
    memset(maker, 0, sizeof *maker);
    maker->limits = *limits;
    maker->history = history_create();
    maker->model = model_create(maker->history->names, &maker->limits);
    model_mutate(maker->model, mutation);
    maker->random = seed * 0x9e3779b97f4a7c15u + 1;
    maker->time = 1700000000000000;
    maker->ns = 1000000000000;
}

void maker_done(struct maker *maker)
{
    model_destroy(maker->model);
    history_destroy(maker->history);
}

uint64_t maker_random(struct maker *maker, uint64_t below)
{
    maker->random ^= maker->random << 13;
    maker->random ^= maker->random >> 7;
    maker->random ^= maker->random << 17;
    return (maker->random >> 11) % below;
}

void maker_wait(struct maker *maker, uint64_t us)
{
    maker->time += us;
    maker->ns += us * 1000;
}

static struct model_op op_of(const struct maker *maker, const struct maker_caller *caller,
                             enum op_number f, const union op_request *request)
{
    struct id128 instance = {{0x77, caller->worker}};
    bool numbered = op_row_of_number(f)->idempotency == OP_NUMBERED;

    return (struct model_op){.f = f,
                             .tenant = bytes_of_text(caller->tenant),
                             .certificate = bytes_of_text(caller->root ? "root" : caller->tenant),
                             .role = caller->root ? OP_ROLE_OPERATOR : OP_ROLE_SERVICE,
                             .instance = instance,
                             .client = numbered ? caller->client : 0,
                             .number = numbered ? caller->number : 0,
                             .position = maker->position,
                             .time = maker->time,
                             .request = request};
}

/* Positions and T of a retry are the first's. */
static void told_first(struct maker *maker, struct model_op *op)
{
    struct model_expect expect;

    model_expect(maker->model, op, &expect);
    if (expect.first != 0) {
        op->position = expect.first;
        op->time = expect.first_time;
    }
}

static void call(struct maker *maker, struct maker_caller *caller, enum op_number f,
                 const union op_request *request, uint16_t attempt)
{
    struct model_op op = op_of(maker, caller, f, request);
    struct id128 id = {{0x1d}};
    uint8_t secret[32] = {0x5e};
    uint64_t spread = maker->spread_ns == 0 ? 0 : maker_random(maker, maker->spread_ns);
    struct history_call row = {.proc = maker->row % PROCS,
                               .seq = maker->row,
                               .attempt = attempt,
                               .f = f,
                               .caller = {op.tenant, op.certificate, op.role, op.instance},
                               .client = op.client,
                               .number = op.number,
                               .call_ns = maker->ns - spread - 1,
                               .request = request};
    struct history_answer answer;

    maker->minted++;
    memcpy(id.bytes + 1, &maker->minted, sizeof maker->minted);
    memcpy(secret + 1, &maker->minted, sizeof maker->minted);
    maker->row = history_invoke(maker->history, &row);
    op.digest = history_digest(maker->history, &maker->history->events[maker->row]);
    if (maker->ask != NULL) {
        maker->ask(maker, &op, attempt, id, secret, &maker->answer);
    } else {
        model_answer(maker->model, &op, id, secret, &maker->answer);
        model_apply(maker->model, &op, &maker->answer);
    }
    if (attempt > 1 && maker->ask == NULL) {
        told_first(maker, &op);
    }
    answer = (struct history_answer){
        .outcome = maker->answer.outcome,
        .superseded = maker->answer.superseded,
        .ret_ns = maker->ns + (maker->spread_ns == 0 ? 1 : maker_random(maker, maker->spread_ns)),
        .position = op.position,
        .time = op.time,
        .clock = op.time,
        .term = 1,
        .details = &maker->answer.details,
        .reply = &maker->answer.reply};
    history_return(maker->history, maker->row, &answer);
    maker->ns += 10;
}

void maker_call(struct maker *maker, struct maker_caller *caller, enum op_number f,
                const union op_request *request)
{
    bool command = op_row_of_number(f)->access != OP_READ;

    if (command || maker->time != maker->applied_time) {
        maker->position++; /* of a read: a TICK has brought T here */
        maker->applied_time = maker->time;
    }
    caller->number += command;
    call(maker, caller, f, request, 1);
    if (f == OP_client_register) {
        caller->client = maker->answer.reply.client_register.client;
    }
}

void maker_retry(struct maker *maker, struct maker_caller *caller, enum op_number f,
                 const union op_request *request)
{
    struct model_answer first = maker->answer;

    maker->position++;
    maker->applied_time = maker->time;
    call(maker, caller, f, request, 2);
    /* Whoever asks again gets the first's ids; its secret is the first's too as long as none is
     * minted again. */
    if (maker->ask == NULL && maker->answer.outcome == OP_OK &&
        maker->history->events[maker->row].position < maker->position) {
        struct event *event = &maker->history->events[maker->row];
        struct history_answer answer = {.outcome = first.outcome,
                                        .superseded = first.superseded,
                                        .ret_ns = event->ret_ns,
                                        .position = event->position,
                                        .time = event->time,
                                        .clock = event->clock,
                                        .term = event->term,
                                        .details = &first.details,
                                        .reply = &first.reply};
        history_return(maker->history, maker->row, &answer);
        maker->answer = first;
    }
}

void maker_lose(struct maker *maker)
{
    struct event *event = &maker->history->events[maker->row];

    event->outcome = OP_UNKNOWN;
    event->ret_ns = HISTORY_NEVER;
    event->position = event->time = event->clock = 0;
}

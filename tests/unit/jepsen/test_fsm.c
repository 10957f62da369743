/* The machine of fsm/ and the specification give the same answers: fsm/ answers random calls, the
 * checker judges (S1-S4, S7, S9, S12). The specification was written without looking at fsm/. */
#include "fsm/fsm.h"
#include "op/denials.h"
#include "tests/unit/jepsen/maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SEEDS = 60, STEPS = 500 };

struct machine {
    struct fsm *fsm;
    void *memory;
    struct fsm_reply reply;
    uint8_t body[FSM_REPLY_MAX];
    uint8_t entry[OP_ENTRY_BYTES_MAX];
    uint8_t stored[OP_COMMAND_BYTES_MAX];
};

static void limits_init(struct op_limits *limits)
{
    op_limits_init(limits);
    limits->sessions_max = limits->tasks_max = limits->tombstones_max = 4096;
    limits->clients_max = limits->tenants_max = 16;
    limits->requests_max = limits->watermarks_max = limits->keys_max = 16384;
    limits->names_max = limits->blocks_max = 32768;
    limits->tenant_events_max = 128;
    limits->events_max = 192;
    limits->denials_max = 64;
}

static void on_reply(void *arg, uint32_t index, const struct fsm_reply *reply)
{
    struct machine *machine = arg;

    (void)index;
    machine->reply = *reply;
    if (reply->body.size > 0) {
        memcpy(machine->body, reply->body.data, reply->body.size);
    }
    machine->reply.body = bytes_of(machine->body, reply->body.size);
}

static void apply(struct machine *machine, const struct op_command *command, uint64_t stamp)
{
    struct base_writer writer;

    base_writer_init(&writer, machine->entry, sizeof machine->entry);
    op_entry_begin(&writer);
    op_entry_add(&writer, command);
    op_entry_finish(&writer, stamp, 1);
    assert_true(fsm_apply(machine->fsm, base_written(&writer), on_reply, machine));
}

static void tick(struct machine *machine, uint64_t stamp)
{
    const struct op_command command = {.number = OP_COMMAND_TICK};

    apply(machine, &command, stamp);
}

/* The machine only compares verifiers: a test's are the secrets themselves. */
static void verify(void *arg, struct op_token *token)
{
    (void)arg;
    memcpy(token->verifier, token->secret, sizeof token->verifier);
}

static struct op_caller caller_of(const struct model_op *op)
{
    return (struct op_caller){
        .tenant = op->tenant, .name = op->certificate, .role = op->role, .instance = op->instance};
}

/* Over the operation too: two of them may have the same fields (docs/MODEL.md section 6). */
static uint64_t digest_of(enum op_number f, struct bytes body, enum op_store_flags flags)
{
    static const struct siphash_key key = {{4}};

    return base_siphash64(&key, body) ^ (uint64_t)flags ^ ((uint64_t)f << 32);
}

/* The command that this operation is, its body in the machine's memory. */
static struct op_command command_of(struct machine *machine, const struct model_op *op,
                                    uint16_t attempt, struct id128 id, const uint8_t secret[32],
                                    const union op_request *request)
{
    const struct op_row *row = op_row_of_number(op->f);
    struct op_command command = {.number = op->f,
                                 .caller = caller_of(op),
                                 .client = op->client,
                                 .request = op->number,
                                 .attempt = op->client == 0 ? 0 : attempt,
                                 .lowest = op->client == 0 ? 0 : op->number,
                                 .minted_id = id};
    struct base_writer writer;
    uint64_t digest;

    if (op->f == OP_task_claim) {
        command.minted_id = request->task_claim.task;
    } else if (op->f == OP_task_hand_over) {
        command.minted_id = request->task_hand_over.task;
    } else if (op->f == OP_session_rotate) {
        command.minted_id = request->session_rotate.token.id;
    } else if (op->f == OP_session_elevate) {
        command.minted_id = request->session_elevate.token.id;
    }
    memcpy(command.minted_verifier, secret, 32);
    base_writer_init(&writer, machine->stored, sizeof machine->stored);
    op_store(&writer, row->request, request, OP_STORE_WITHOUT_TOKENS);
    digest = digest_of(op->f, base_written(&writer), OP_STORE_WITHOUT_TOKENS);
    memcpy(command.operation_digest, &digest, sizeof digest);
    base_writer_init(&writer, machine->stored, sizeof machine->stored);
    op_store(&writer, row->request, request, OP_STORE_ALL);
    command.body = base_written(&writer);
    digest = digest_of(op->f, command.body, OP_STORE_ALL);
    memcpy(command.digest, &digest, sizeof digest);
    return command;
}

/* False: it has to be a command. */
static bool read_state(struct machine *machine, const struct model_op *op,
                       const union op_request *request, const struct op_command *command)
{
    struct fsm_read read = {.caller = caller_of(op),
                            .number = op->f,
                            .request = request,
                            .clock = op->time,
                            .command = command};
    enum fsm_read_verdict verdict;

    if (fsm_time(machine->fsm) != op->time) {
        tick(machine, op->time);
    }
    verdict = fsm_read(machine->fsm, &read, machine->body, sizeof machine->body, &machine->reply);
    assert_int_not_equal(verdict, FSM_READ_WAIT);
    return verdict == FSM_READ_ANSWERED;
}

static void add_secret(const struct model_op *op, const struct machine *machine,
                       const uint8_t secret[32], struct model_answer *answer)
{
    struct op_token *token = NULL;

    if (op->f == OP_session_create) {
        token = &answer->reply.session_create.token;
        answer->reply.session_create.has_token = machine->reply.minted;
        token->id = answer->reply.session_create.session;
    } else if (op->f == OP_session_rotate) {
        token = &answer->reply.session_rotate.token;
        answer->reply.session_rotate.has_token = machine->reply.minted;
        token->id = answer->reply.session_rotate.session;
    } else if (op->f == OP_session_elevate) {
        token = &answer->reply.session_elevate.token;
        answer->reply.session_elevate.has_token = machine->reply.minted;
        token->id = answer->reply.session_elevate.session;
    } else if (op->f == OP_task_claim || op->f == OP_task_hand_over) {
        token = &answer->reply.task_claim.fence;
        answer->reply.task_claim.has_fence = machine->reply.minted;
        token->id = answer->reply.task_claim.task;
        token->epoch = answer->reply.task_claim.epoch;
        token->attempt = answer->reply.task_claim.attempt;
    }
    if (op->f == OP_session_derive) {
        answer->reply.session_derive.has_value = true;
        answer->reply.session_derive.value = bytes_of(op->request->session_derive.token.id.bytes,
                                                      sizeof(struct id128));
    }
    if (token != NULL && machine->reply.minted) {
        memcpy(token->secret, secret, sizeof token->secret);
    }
}

/* What a leader would gather: here one denial at a time. */
static void deny(struct machine *machine, const struct model_op *op)
{
    const struct op_field *user = op_field_named(op_row_of_number(op->f)->request, "user");
    struct op_denial row = {.tenant = op->tenant, .name = op->certificate, .count = 1};
    struct op_command command = {.number = OP_COMMAND_DENIALS};
    uint8_t body[1024];
    struct base_writer writer;

    if (user != NULL) {
        row.user = *(const struct bytes *)(const void *)((const uint8_t *)op->request +
                                                         user->offset);
    }
    base_writer_init(&writer, body, sizeof body);
    op_denials_write(&writer, &row, 1, 0);
    command.body = base_written(&writer);
    apply(machine, &command, fsm_time(machine->fsm));
}

static void ask(struct maker *maker, struct model_op *op, uint16_t attempt, struct id128 id,
                const uint8_t secret[32], struct model_answer *ret_answer)
{
    static union op_request request;
    struct machine *machine = maker->ask_arg;
    const struct op_row *row = op_row_of_number(op->f);
    struct op_caller caller = caller_of(op);
    struct op_command command;
    struct base_reader reader;

    request = *op->request;
    op_visit_tokens(row->request, &request, verify, NULL);
    if (row->access == OP_WRITE && attempt > 1) {
        (void)fsm_minted_before(machine->fsm, &caller, op->client, op->number, &id);
    }
    command = command_of(machine, op, attempt, id, secret, &request);
    if (row->access == OP_WRITE ||
        !read_state(machine, op, &request, row->access == OP_EITHER ? &command : NULL)) {
        apply(machine, &command, op->time);
    }
    memset(ret_answer, 0, sizeof *ret_answer);
    ret_answer->outcome = machine->reply.outcome;
    ret_answer->superseded = machine->reply.superseded;
    base_reader_init(&reader, machine->reply.body);
    if (machine->reply.body.size > 0) {
        assert_true(machine->reply.outcome == OP_OK
                        ? op_load(&reader, row->reply, &ret_answer->reply)
                        : op_load(&reader, &op_details_struct, &ret_answer->details));
    }
    if (machine->reply.outcome == OP_OK) {
        add_secret(op, machine, secret, ret_answer);
    }
    op->position = machine->reply.position;
    op->time = machine->reply.time;
    if (ret_answer->outcome == OP_NOT_FOUND && !machine->reply.repeated) {
        deny(machine, op);
    }
    maker->position = fsm_position(machine->fsm);
}

static void machine_init(struct machine *machine, const struct maker *maker)
{
    struct fsm_birth birth = {.time = maker->time};
    struct op_command start = {.number = OP_COMMAND_TERM_START, .term = 1};
    size_t size;

    limits_init(&birth.limits);
    size = fsm_memory_size(&birth.limits);
    size = (size + 63) / 64 * 64;
    machine->memory = aligned_alloc(64, size);
    assert_non_null(machine->memory);
    memset(machine->memory, 0, size);
    machine->fsm = fsm_create(machine->memory, size, &birth);
    assert_non_null(machine->fsm);
    apply(machine, &start, maker->time);
}

static void test_same_answers(void **state)
{
    struct machine *machine = calloc(1, sizeof *machine);
    struct check_options options;
    struct check_verdict verdict;
    uint32_t bad = 0;

    (void)state;
    check_options_init(&options);
    limits_init(&options.limits);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct maker maker;

        maker_init(&maker, seed, MODEL_MUTATION_NONE);
        machine_init(machine, &maker);
        maker.ask = ask;
        maker.ask_arg = machine;
        maker.position = fsm_position(machine->fsm);
        maker_mix(&maker, STEPS);
        check_history(maker.history, &options, &verdict);
        if (verdict.kind != CHECK_OK) {
            check_print(maker.history, &verdict, stderr);
            bad++;
        }
        free(machine->memory);
        maker_done(&maker);
    }
    free(machine);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

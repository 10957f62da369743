/* One machine under test; see machine.h. Holds no test. */
#include "tests/unit/fsm_law/machine.h"

#include "env/range.h"

#include <string.h>

struct op_limits small_limits(void)
{
    struct op_limits limits;

    op_limits_init(&limits);
    limits.sessions_max = 256;
    limits.tasks_max = 256;
    limits.tombstones_max = 256;
    limits.clients_max = 16;
    limits.requests_max = 4096;
    limits.tenants_max = 4;
    limits.watermarks_max = 64;
    limits.names_max = 256;
    limits.blocks_max = 20000;
    limits.keys_max = 1024;
    limits.tenant_events_max = 512;
    limits.events_max = 1024;
    limits.denials_max = 64;
    return limits;
}

struct fsm_birth birth_of(const struct op_limits *limits)
{
    struct fsm_birth birth = {.incarnation = id_of(77), .time = 1000 * SECOND, .limits = *limits};

    memset(birth.hash_key.bytes, 5, sizeof birth.hash_key.bytes);
    return birth;
}

void machine_init(struct machine *machine, const struct op_limits *limits)
{
    struct fsm_birth birth = birth_of(limits);

    machine->size = fsm_memory_size(limits);
    machine->memory = env_range_reserve(machine->size);
    assert_non_null(machine->memory);
    machine->fsm = fsm_create(machine->memory, machine->size, &birth);
    machine->stamp = birth.time;
}

void machine_done(struct machine *machine)
{
    env_range_release(machine->memory, machine->size);
}

struct bytes text(const char *zero_terminated)
{
    return bytes_of_text(zero_terminated);
}

struct id128 id_of(uint64_t number)
{
    struct id128 id = {{0}};

    memcpy(id.bytes, &number, sizeof number);
    id.bytes[15] = 0xee;
    return id;
}

/* Stands for SHA-256 here: the machine only compares. */
static void verifier_of(struct id128 id, uint64_t secret, uint8_t *ret_verifier)
{
    static const struct siphash_key keys[4] = {{{1}}, {{2}}, {{3}}, {{4}}};
    uint8_t input[24];

    memcpy(input, id.bytes, 16);
    memcpy(input + 16, &secret, 8);
    for (size_t i = 0; i < 4; i++) {
        uint64_t part = base_siphash64(&keys[i], bytes_of(input, sizeof input));

        memcpy(ret_verifier + 8 * i, &part, 8);
    }
}

struct op_token token_of(struct id128 id, uint64_t secret)
{
    struct op_token token = {.incarnation = id_of(77), .id = id};

    verifier_of(id, secret, token.verifier);
    return token;
}

struct op_token fence_of(struct id128 id, uint64_t attempt, uint64_t secret)
{
    struct op_token token = token_of(id, secret);

    token.attempt = attempt;
    return token;
}

struct op_caller caller_of(const char *tenant, const char *name, uint64_t instance)
{
    return (struct op_caller){text(tenant), text(name), OP_ROLE_SERVICE, id_of(instance)};
}

void call_init(struct call *call, enum op_number number, const struct op_caller *caller,
               uint64_t client, uint64_t request)
{
    memset(call, 0, sizeof *call);
    call->number = number;
    call->caller = *caller;
    call->client = client;
    call->request = request;
    call->attempt = 1;
    call->lowest = 1;
}

static size_t finish_entry(const struct op_command *command, uint64_t stamp, void *buffer,
                           size_t capacity)
{
    struct base_writer writer;

    base_writer_init(&writer, buffer, capacity);
    op_entry_begin(&writer);
    op_entry_add(&writer, command);
    op_entry_finish(&writer, stamp, 1);
    assert_false(writer.failed);
    return base_written(&writer).size;
}

static void digest_of(const struct call *call, enum op_store_flags flags, uint8_t *ret_digest)
{
    static uint8_t image[128 * 1024];
    static const struct siphash_key key = {{9}};
    struct base_writer writer;
    struct hash128 hash;

    base_writer_init(&writer, image, sizeof image);
    op_store(&writer, op_row_of_number(call->number)->request, &call->fields, flags);
    assert_false(writer.failed);
    hash = base_siphash128(&key, base_written(&writer));
    memcpy(ret_digest, &hash, 16);
}

size_t entry_of(const struct call *call, uint64_t stamp, void *buffer, size_t capacity)
{
    static uint8_t image[128 * 1024];
    struct op_command command = {.number = call->number,
                                 .caller = call->caller,
                                 .client = call->client,
                                 .incarnation = id_of(77),
                                 .request = call->request,
                                 .attempt = call->attempt,
                                 .lowest = call->lowest,
                                 .minted_id = call->minted_id};
    struct base_writer writer;

    base_writer_init(&writer, image, sizeof image);
    op_store(&writer, op_row_of_number(call->number)->request, &call->fields, OP_STORE_ALL);
    assert_false(writer.failed);
    command.body = base_written(&writer);
    digest_of(call, OP_STORE_ALL, command.digest);
    digest_of(call, OP_STORE_WITHOUT_TOKENS, command.operation_digest);
    verifier_of(call->minted_id, call->minted_secret, command.minted_verifier);
    return finish_entry(&command, stamp, buffer, capacity);
}

size_t entry_of_kind(uint32_t kind, uint64_t stamp, void *buffer, size_t capacity)
{
    struct op_command command = {.number = kind};

    return finish_entry(&command, stamp, buffer, capacity);
}

static void take_body(struct machine *machine, const struct op_row *row)
{
    struct base_reader reader;
    bool loaded;

    memset(&machine->fields, 0, sizeof machine->fields);
    memset(&machine->details, 0, sizeof machine->details);
    if (row == NULL) {
        return;
    }
    base_reader_init(&reader, machine->reply.body);
    if (op_outcome_class(machine->reply.outcome) == OP_CLASS_DONE) {
        loaded = op_load(&reader, row->reply, &machine->fields);
    } else {
        loaded = op_load(&reader, &op_details_struct, &machine->details);
    }
    assert_true(loaded);
}

static void take_reply(void *arg, uint32_t index, const struct fsm_reply *reply)
{
    struct machine *machine = arg;

    assert_int_equal(index, 0);
    machine->reply = *reply;
    assert_true(reply->body.size <= sizeof machine->body);
    if (reply->body.size > 0) {
        memcpy(machine->body, reply->body.data, reply->body.size);
    }
    machine->reply.body.data = machine->body;
}

enum op_outcome machine_entry(struct machine *machine, struct bytes entry)
{
    struct op_entry_head head;
    struct op_command command;
    struct base_reader reader;

    assert_true(fsm_apply(machine->fsm, entry, take_reply, machine));
    base_reader_init(&reader, entry);
    assert_true(op_entry_read(&reader, &head));
    assert_true(op_command_read(&reader, &command));
    take_body(machine, op_row_of_number(command.number));
    return machine->reply.outcome;
}

enum op_outcome machine_command(struct machine *machine, const struct call *call)
{
    static uint8_t entry[128 * 1024];
    size_t size = entry_of(call, machine->stamp, entry, sizeof entry);

    return machine_entry(machine, bytes_of(entry, size));
}

void machine_tick(struct machine *machine)
{
    uint8_t entry[512];
    size_t size = entry_of_kind(OP_COMMAND_TICK, machine->stamp, entry, sizeof entry);

    (void)machine_entry(machine, bytes_of(entry, size));
}

enum fsm_read_verdict machine_read(struct machine *machine, const struct call *call, uint64_t clock)
{
    const struct op_command command = {.number = call->number,
                                       .caller = call->caller,
                                       .client = call->client,
                                       .incarnation = id_of(77),
                                       .request = call->request,
                                       .attempt = call->attempt,
                                       .lowest = call->lowest};
    bool either = op_row_of_number(call->number)->access == OP_EITHER;
    struct fsm_read read = {call->caller, call->number, &call->fields, clock,
                            either ? &command : NULL};
    enum fsm_read_verdict verdict = fsm_read(machine->fsm, &read, machine->body,
                                             sizeof machine->body, &machine->reply);

    if (verdict == FSM_READ_ANSWERED) {
        take_body(machine, op_row_of_number(call->number));
    }
    return verdict;
}

struct hash128 law_digest(const struct machine *machine)
{
    static const enum fsm_table tables[] = {FSM_COVERS,     FSM_WATERMARKS, FSM_SESSIONS,
                                            FSM_TOMBSTONES, FSM_TASKS,      FSM_KEYS,
                                            FSM_OPERATIONS};
    static const struct siphash_key key = {{7}};
    struct hash128 sum = {0, 0};

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct table *table = machine->fsm->tables[tables[i]];
        uint16_t size = fsm_table_type(tables[i])->record_size;

        for (uint32_t slot = table_next(table, 0); slot != SLOT_NONE;
             slot = table_next(table, slot)) {
            struct hash128 hash = base_siphash128(&key, bytes_of(table_read(table, slot), size));

            hash.low ^= slot;
            hash.high ^= tables[i];
            sum = hash128_add(sum, hash);
        }
    }
    return sum;
}

/* A small machine, its images, and entries that mean something to it. */
#include "tests/fuzz/fuzz_machine.h"

#include "op/frame.h"
#include "tests/unit/op/fill.h"

#include <stdlib.h>
#include <string.h>

enum { IMAGE_MAX = 4 * 1024 * 1024 };

static const struct fsm_birth *birth(void)
{
    static struct fsm_birth birth;

    birth.time = 1700000000000000;
    birth.incarnation = (struct id128){{1, 2, 3}};
    op_limits_init(&birth.limits);
#define LEAST_(tag, name, standard, least, greatest, help)                                         \
    birth.limits.name = (least) > 1000 ? (standard) : (least);
    OP_LIMITS(LEAST_)
#undef LEAST_
    birth.limits.blocks_max = 600;
    birth.limits.session_tasks_max = birth.limits.client_open_max = 4;
    birth.limits.session_grants_max = birth.limits.task_depth_max = 4;
    return &birth;
}

/* One of two machines, empty. */
struct fsm *fuzz_machine(int which)
{
    static void *memory[2];
    size_t size = (fsm_memory_size(&birth()->limits) + 63) / 64 * 64;

    if (memory[which] == NULL) {
        memory[which] = aligned_alloc(64, size);
        ASSERT(memory[which] != NULL);
    }
    memset(memory[which], 0, size);
    return fsm_create(memory[which], size, birth());
}

/* ---- images ---- */

struct image {
    uint8_t *data;
    size_t size;
};

static void sink(void *arg, struct bytes piece)
{
    struct image *image = arg;

    ASSERT(piece.size <= IMAGE_MAX - image->size);
    memcpy(image->data + image->size, piece.data, piece.size);
    image->size += piece.size;
}

struct bytes fuzz_image(struct fsm *fsm)
{
    static uint8_t memory[IMAGE_MAX];
    struct image image = {.data = memory};

    fsm_snapshot_begin(fsm, sink, &image);
    while (!fsm_snapshot_step(fsm, 1000)) {
    }
    return bytes_of(image.data, image.size);
}

/* ---- seeds ---- */

struct draft {
    struct base_writer *writer;
    struct fill fill;
    struct id128 session;
    uint8_t verifier[32];
    uint64_t number;
};

/* Tokens of the draft name its one session, so that some of its requests mean something. */
static void name_session(void *arg, struct op_token *token)
{
    const struct draft *draft = arg;

    token->incarnation = birth()->incarnation;
    token->id = draft->session;
    memcpy(token->verifier, draft->verifier, sizeof token->verifier);
}

/* What has to be right for a handler to go further than its first look. */
static void make_sensible(union op_request *request, const struct op_struct *s)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        uint8_t *member = (uint8_t *)request + field->offset;
        bool user = strcmp(field->name, "user") == 0;

        if (field->kind == OP_KIND_time_us) {
            *(uint64_t *)(void *)member = 60000000;
        } else if (user || strcmp(field->name, "permission") == 0) {
            *(struct bytes *)(void *)member = bytes_of_text(user ? "alice" : "task:begin");
        } else if (strcmp(field->name, "policy") == 0) {
            *((bool *)request + field->has_offset) = false;
        }
    }
}

static void put_command(struct draft *draft, struct base_writer *entry, const struct op_row *row)
{
    static uint8_t body[OP_COMMAND_BYTES_MAX];
    static union op_request request;
    struct base_writer writer;
    struct op_command command = {
        .number = (uint32_t)row->number,
        .caller = {.tenant = bytes_of_text("acme"),
                   .name = bytes_of_text("service/web"),
                   .role = OP_ROLE_SERVICE},
        .incarnation = birth()->incarnation,
        .client = row->idempotency == OP_FREE ? 0 : 1,
        .request = row->idempotency == OP_FREE ? 0 : ++draft->number,
        .attempt = row->idempotency != OP_FREE,
        .lowest = row->idempotency != OP_FREE,
        .minted_id = draft->session,
    };

    memcpy(command.minted_verifier, draft->verifier, sizeof draft->verifier);
    command.digest[0] = (uint8_t)draft->number;
    fill_struct(&draft->fill, row->request, &request);
    make_sensible(&request, row->request);
    op_visit_tokens(row->request, &request, name_session, draft);
    base_writer_init(&writer, body, sizeof body);
    op_store(&writer, row->request, &request, OP_STORE_ALL);
    command.body = base_written(&writer);
    op_entry_add(entry, &command);
}

static void put_entry(struct draft *draft, const struct op_row *row, uint64_t stamp)
{
    static uint8_t buffer[OP_ENTRY_BYTES_MAX];
    const struct op_command tick = {.number = OP_COMMAND_TICK};
    struct base_writer entry;

    base_writer_init(&entry, buffer, sizeof buffer);
    op_entry_begin(&entry);
    if (row == NULL) {
        op_entry_add(&entry, &tick);
    } else {
        put_command(draft, &entry, row);
    }
    op_entry_finish(&entry, stamp, 1);
    ASSERT(!entry.failed);
    base_write_long(draft->writer, base_written(&entry));
}

/* A client, a session, each row that writes in turn, and ticks that sweep it all away. */
bool fuzz_entries_seed(uint64_t n, struct base_writer *writer)
{
    static uint8_t memory[FILL_MEMORY];
    size_t rows;
    const struct op_row *row = op_rows(&rows);
    uint64_t now = birth()->time;
    struct draft draft = {.writer = writer,
                          .session = {{9, 9}},
                          .fill = {.random = n, .verifiers = true, .memory = memory}};

    if (n >= 2 * rows) {
        return false;
    }
    draft.fill.mode = FILL_LEAST;
    put_entry(&draft, op_row_of_number(OP_client_register), now);
    put_entry(&draft, op_row_of_number(OP_session_create), now + 1);
    draft.fill.mode = n < rows ? FILL_RANDOM : FILL_LEAST;
    for (size_t i = 0; i < 3; i++) {
        const struct op_row *next = &row[(n + i * 5) % rows];

        put_entry(&draft, next->access == OP_READ ? NULL : next, now + 2 + i);
    }
    put_entry(&draft, NULL, now + 61000000);
    put_entry(&draft, NULL, now + UINT64_C(90000000000));
    return true;
}

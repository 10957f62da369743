/* Two machines that get the same entries. Whatever a case file expects, this holds after every
 * command, or the file fails:
 *
 *  1. An answer that is not of class DONE, and a repeated one that minted nothing, changes no
 *     record that the law reads.
 *  2. Both machines give the same answers and have the same digest, although the second is made
 *     anew out of a snapshot of the first after every entry: nothing that an answer depends on is
 *     outside of the snapshot.
 *  3. T is max(T, stamp), and every command takes the next position (rules T1, section 1).
 *  4. A read changes nothing.
 */
#include "tests/cases/machines.h"

#include "base/sat.h"
#include "env/range.h"
#include "fsm/chain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define T0 (1000 * OP_SECOND)

void machines_limits(struct op_limits *ret_limits)
{
    op_limits_init(ret_limits);
    ret_limits->sessions_max = 64;
    ret_limits->tasks_max = 128;
    ret_limits->tombstones_max = 64;
    ret_limits->clients_max = 32;
    ret_limits->requests_max = 2048;
    ret_limits->tenants_max = 4;
    ret_limits->watermarks_max = 256;
    ret_limits->names_max = 128;
    ret_limits->blocks_max = 8448;
    ret_limits->keys_max = 512;
    ret_limits->tenant_events_max = 512;
    ret_limits->events_max = 1024;
    ret_limits->denials_max = 64;
    ret_limits->client_silence_us = OP_DAY;
}

static void replica_begin(struct scenario *scenario, struct replica *replica)
{
    replica->size = fsm_memory_size(&scenario->birth.limits);
    replica->memory = env_range_reserve(replica->size);
    if (replica->memory == NULL) {
        case_wrong(scenario, "no memory for a machine");
    }
    replica->fsm = fsm_create(replica->memory, replica->size, &scenario->birth);
}

static void replica_end(struct replica *replica)
{
    if (replica->memory != NULL) {
        env_range_release(replica->memory, replica->size);
    }
    memset(replica, 0, sizeof *replica);
}

void machines_end(struct scenario *scenario)
{
    replica_end(&scenario->first);
    replica_end(&scenario->second);
}

void machines_begin(struct scenario *scenario, const struct op_limits *limits)
{
    struct answer answer;

    machines_end(scenario);
    scenario->birth = (struct fsm_birth){
        .incarnation = case_incarnation(), .time = T0, .limits = *limits};
    memset(scenario->birth.hash_key.bytes, 5, sizeof scenario->birth.hash_key.bytes);
    scenario->stamp = T0;
    scenario->binding_count = 0;
    scenario->client_count = 0;
    replica_begin(scenario, &scenario->first);
    replica_begin(scenario, &scenario->second);
    machines_apply_own(scenario, OP_COMMAND_TERM_START, 1, &answer);
}

/* ---- the digest of what the law reads ---- */

static void add_record(struct hash128 *sum, size_t table, uint32_t slot, const void *image,
                       size_t size)
{
    static const struct siphash_key key = {{7}};
    struct hash128 hash = base_siphash128(&key, bytes_of(image, size));

    hash.low ^= (uint64_t)slot << 8 | table;
    hash.high += slot;
    *sum = hash128_add(*sum, base_siphash128(&key, bytes_of(&hash, sizeof hash)));
}

/* Blocks hold what varies in size, of requests too; each begins with the number of its next. */
static void leave_out_requests(const struct fsm *fsm, bool *left_out)
{
    const struct table *requests = fsm->tables[FSM_REQUESTS];

    for (uint32_t slot = table_next(requests, 0); slot != SLOT_NONE;
         slot = table_next(requests, slot)) {
        const struct request_record *record = table_read(requests, slot);
        uint32_t block = record->head.body_chain;

        while (block != SLOT_NONE) {
            left_out[block] = true;
            memcpy(&block, table_read(fsm->tables[FSM_BLOCKS], block), sizeof block);
        }
    }
}

struct hash128 machines_law(const struct fsm *fsm)
{
    struct hash128 sum = {0, 0};
    bool *left_out = calloc(table_capacity(fsm->tables[FSM_BLOCKS]) + 1, sizeof *left_out);

    if (left_out == NULL) {
        abort();
    }
    leave_out_requests(fsm, left_out);
    for (enum fsm_table i = FSM_META; i < FSM_TABLES; i++) {
        const struct table *table = fsm->tables[i];
        bool read_by_law = i != FSM_META && i != FSM_CLIENTS && i != FSM_REQUESTS;
        uint32_t slot = read_by_law ? table_next(table, 0) : SLOT_NONE;

        for (; slot != SLOT_NONE; slot = table_next(table, slot)) {
            if (i != FSM_BLOCKS || !left_out[slot]) {
                add_record(&sum, i, slot, table_read(table, slot), fsm_table_type(i)->record_size);
            }
        }
    }
    free(left_out);
    return sum;
}

/* ---- applying ---- */

struct applying {
    struct scenario *scenario;
    struct fsm *fsm;
    struct hash128 law;
    uint64_t position;
    struct answer *answers;
    bool checked; /* the first machine: the second only has to agree */
};

static void check_command(struct applying *applying, const struct fsm_reply *reply)
{
    struct scenario *scenario = applying->scenario;
    struct hash128 law = machines_law(applying->fsm);
    bool done = op_outcome_class(reply->outcome) == OP_CLASS_DONE;

    if ((!done || (reply->repeated && !reply->minted)) && !hash128_equal(law, applying->law)) {
        case_broken(scenario, "%s%s at position %" PRIu64 " changed what the law reads",
                    reply->repeated ? "a repeated " : "", op_outcome_name(reply->outcome),
                    applying->position + 1);
    }
    if (fsm_position(applying->fsm) != applying->position + 1) {
        case_broken(scenario, "position %" PRIu64 " instead of the next",
                    fsm_position(applying->fsm));
    }
    if (!reply->repeated && reply->position != applying->position + 1) {
        case_broken(scenario, "the answer names position %" PRIu64, reply->position);
    }
    applying->law = law;
    applying->position++;
}

static void take_answer(void *arg, uint32_t index, const struct fsm_reply *reply)
{
    struct applying *applying = arg;

    if (applying->checked) {
        check_command(applying, reply);
    }
    if (applying->answers == NULL) {
        return;
    }
    if (reply->body.size > FSM_RESULT_MAX) {
        case_broken(applying->scenario, "an answer of %zu bytes", reply->body.size);
        return;
    }
    applying->answers[index].reply = *reply;
    if (reply->body.size > 0) {
        memcpy(applying->answers[index].body, reply->body.data, reply->body.size);
    }
    applying->answers[index].reply.body.data = applying->answers[index].body;
}

static bool same_answer(const struct fsm_reply *a, const struct fsm_reply *b)
{
    return a->position == b->position && a->time == b->time && a->term == b->term &&
           a->outcome == b->outcome && a->repeated == b->repeated && a->minted == b->minted &&
           a->superseded == b->superseded && bytes_equal(a->body, b->body);
}

static uint32_t count_of(struct bytes entry)
{
    struct base_reader reader;
    struct op_entry_head head = {.count = 0};

    base_reader_init(&reader, entry);
    return op_entry_read(&reader, &head) ? head.count : 0;
}

static void compare(struct scenario *scenario, const struct answer *answers,
                    const struct answer *others, uint32_t count)
{
    if (!hash128_equal(fsm_digest(scenario->first.fsm), fsm_digest(scenario->second.fsm))) {
        case_broken(scenario, "two machines differ after position %" PRIu64,
                    fsm_position(scenario->first.fsm));
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!same_answer(&answers[i].reply, &others[i].reply)) {
            case_broken(scenario, "two machines answer position %" PRIu64 " differently",
                        answers[i].reply.position);
        }
    }
}

void machines_apply(struct scenario *scenario, struct bytes entry, struct answer *answers)
{
    uint32_t count = count_of(entry);
    struct answer *own = calloc((size_t)count * 2 + 1, sizeof *own);
    struct fsm *fsm = scenario->first.fsm;
    uint64_t time = u64_max(fsm_time(fsm), scenario->stamp);
    struct applying first = {scenario, fsm, machines_law(fsm), fsm_position(fsm), own, true};
    struct applying second = {.scenario = scenario, .answers = own == NULL ? NULL : own + count};

    if (own == NULL || !fsm_apply(fsm, entry, take_answer, &first) ||
        !fsm_apply(scenario->second.fsm, entry, take_answer, &second)) {
        case_wrong(scenario, "the entry is not understood");
    }
    if (fsm_time(fsm) != time) {
        case_broken(scenario, "T is %" PRIu64 " us, not %" PRIu64, fsm_time(fsm), time);
    }
    compare(scenario, own, own + count, count);
    for (uint32_t i = 0; i < count && answers != NULL; i++) {
        answers[i] = own[i];
        answers[i].reply.body.data = answers[i].body;
    }
    free(own);
    machines_restore(scenario);
}

void machines_pass(struct scenario *scenario)
{
    struct answer answer;

    machines_apply_own(scenario, OP_COMMAND_TERM_START, fsm_term(scenario->first.fsm), &answer);
}

void machines_apply_own(struct scenario *scenario, uint32_t kind, uint64_t term,
                        struct answer *ret_answer)
{
    uint8_t buffer[128];
    struct base_writer writer;
    struct op_command command = {.number = kind, .term = term};

    base_writer_init(&writer, buffer, sizeof buffer);
    op_entry_begin(&writer);
    op_entry_add(&writer, &command);
    op_entry_finish(&writer, scenario->stamp, 1);
    machines_apply(scenario, base_written(&writer), ret_answer);
}

/* ---- reading ---- */

enum fsm_read_verdict machines_read(struct scenario *scenario, const struct fsm_read *read,
                                    uint8_t *body, struct fsm_reply *ret_reply)
{
    static uint8_t other_body[FSM_REPLY_MAX];
    struct hash128 before = fsm_digest(scenario->first.fsm);
    struct fsm_reply other;
    enum fsm_read_verdict verdict = fsm_read(scenario->first.fsm, read, body, FSM_REPLY_MAX,
                                             ret_reply);

    if (!hash128_equal(before, fsm_digest(scenario->first.fsm))) {
        case_broken(scenario, "a read changed the state");
    }
    if (fsm_read(scenario->second.fsm, read, other_body, sizeof other_body, &other) != verdict ||
        (verdict == FSM_READ_ANSWERED && !same_answer(ret_reply, &other))) {
        case_broken(scenario, "two machines answer a read differently");
    }
    return verdict;
}

/* ---- snapshot and restore ---- */

static void take_piece(void *arg, struct bytes piece)
{
    struct scenario *scenario = arg;

    if (scenario->image_size + piece.size > scenario->image_capacity) {
        size_t capacity = 2 * (scenario->image_size + piece.size);
        uint8_t *image = realloc(scenario->image, capacity);

        if (image == NULL) {
            abort();
        }
        scenario->image = image;
        scenario->image_capacity = capacity;
    }
    memcpy(scenario->image + scenario->image_size, piece.data, piece.size);
    scenario->image_size += piece.size;
}

void machines_restore(struct scenario *scenario)
{
    struct fsm *from = scenario->first.fsm;
    struct fsm *to = scenario->second.fsm;

    scenario->image_size = 0;
    fsm_snapshot_begin(from, take_piece, scenario);
    while (!fsm_snapshot_step(from, 4096)) {
    }
    fsm_restore_begin(to);
    if (!fsm_restore_feed(to, bytes_of(scenario->image, scenario->image_size)) ||
        !fsm_restore_end(to)) {
        case_broken(scenario, "a snapshot is not restored: %s", fsm_restore_error(to));
        return;
    }
    if (!hash128_equal(fsm_digest(from), fsm_digest(to)) ||
        !hash128_equal(machines_law(from), machines_law(to)) ||
        fsm_position(from) != fsm_position(to) || fsm_time(from) != fsm_time(to) ||
        fsm_term(from) != fsm_term(to) || fsm_sweep_due(from) != fsm_sweep_due(to) ||
        fsm_next_deadline(from) != fsm_next_deadline(to)) {
        case_broken(scenario, "a restored machine differs");
    }
}

/* The way of a write: queue, entry, log, apply, answer. */
#include "node/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "node/internal.h"

/* One entry on its way through the log. */
struct node_flight {
    struct list in_batch;
    uint64_t index;
    uint64_t term;
    uint64_t stamp;
    uint64_t sent_us;     /* env_mono_us when it was submitted */
    size_t ahead;         /* bytes of the entries before it, then */
    size_t bytes;         /* of its clients' commands */
    uint32_t silent;      /* commands at its head that no client waits for */
    bool tick;            /* it sweeps */
    struct list requests; /* in the entry's order */
};

void node_batch_init(struct node_batch *batch, const struct siphash_key *key)
{
    node_fair_init(&batch->queue, key);
    list_init(&batch->flights);
    batch->flying_bytes = 0;
    batch->shared_us = 0;
    node_pace_init(&batch->pace);
    batch->applying = NULL;
    batch->tick_stamp = 0;
    batch->counted_us = batch->counted = batch->per_second = 0;
    batch->reuse_count = 0;
    batch->denials.last_us = 0;
    node_denials_clear(&batch->denials);
}

bool node_batch_empty(const struct node_batch *batch)
{
    return batch->queue.count == 0 && list_empty(&batch->flights);
}

enum { RATE_OVER_US = 1000000 };

uint64_t node_batch_hint(const struct node_batch *batch)
{
    uint64_t rate = u64_max(batch->per_second, batch->counted); /* that in a second, or less */
    uint64_t drain_us = rate == 0 ? 0 : batch->queue.count * UINT64_C(1000000) / rate;
    return u64_max(NODE_OVERLOADED_HINT_US, u64_min(drain_us / 2, BATCH_HINT_MOST_US));
}

/* One command of a client is applied. */
static void count_applied(struct node *node)
{
    struct node_batch *batch = node->batch;
    uint64_t now = env_mono_us(node->env);
    batch->counted++;
    if (now - batch->counted_us >= RATE_OVER_US) {
        batch->per_second = batch->counted * UINT64_C(1000000) / (now - batch->counted_us);
        batch->counted_us = now;
        batch->counted = 0;
    }
}

static bool has_room(const struct node_fair *queue, const struct node_request *request)
{
    return queue->count < BATCH_QUEUE_MAX &&
           queue->bytes + request->command_size <= BATCH_QUEUE_BYTES_MAX;
}

void node_batch_add(struct node *node, struct node_request *request)
{
    struct node_fair *queue = &node->batch->queue;
    struct node_request *other;
    if (!node_space_admits(node, request->row)) {
        node_request_refuse(node, request, OP_NO_SPACE);
        return;
    }
    while (!has_room(queue, request) &&
           (other = node_fair_make_room(queue, request->caller.tenant)) != NULL) {
        node_observe_share(node, other);
        node_request_refuse(node, other, OP_OVERLOADED);
    }
    if (!has_room(queue, request)) {
        node_observe_share(node, request);
        node_request_refuse(node, request, OP_OVERLOADED);
        return;
    }
    node_request_move(request, REQUEST_QUEUED);
    node_fair_add(queue, request);
}

static struct node_flight *flight_create(uint64_t stamp)
{
    struct node_flight *flight = calloc(1, sizeof(*flight));
    ASSERT(flight != NULL);
    list_init(&flight->requests);
    flight->stamp = stamp;
    return flight;
}

static void add_own_command(struct base_writer *writer, enum op_command_kind kind, uint64_t term)
{
    struct op_command command = {.number = kind, .term = term};
    op_entry_add(writer, &command);
}

static void note_reuse(struct node_batch *batch, const struct op_token *token)
{
    for (size_t i = 0; i < batch->reuse_count; i++) {
        if (id128_equal(batch->reuses[i].session, token->id)) {
            return;
        }
    }
    if (batch->reuse_count < REUSES_MAX) {
        struct node_reuse *reuse = &batch->reuses[batch->reuse_count++];
        reuse->session = token->id;
        memcpy(reuse->verifier, token->verifier, sizeof(reuse->verifier));
    }
}

static void look_at_token(void *arg, struct op_token *token)
{
    struct node *node = arg;
    if (fsm_reused(node->fsm, token)) {
        env_log(node->env, ENV_LOG_WARN, "session", "the old secret of a session was used again");
        note_reuse(node->batch, token);
    }
}

static bool is_foreign(void *arg, const struct op_caller *caller, struct bytes user,
                       struct id128 object)
{
    const struct node *node = arg;
    return fsm_foreign(node->fsm, caller->tenant, user, object);
}

void node_batch_denied(struct node *node, const struct node_request *request, bool fresh)
{
    union op_request decoded;
    struct op_command command;
    node_request_decode(request, &decoded, &command);
    op_visit_tokens(request->row->request, &decoded, look_at_token, node);
    if (fresh) {
        node_denials_note(&node->batch->denials, &request->caller, request->row, &decoded,
                          is_foreign, node);
    }
}

static bool denials_due(const struct node *node)
{
    return node->lead.state == LEAD_SERVING &&
           node_denials_delay(&node->batch->denials, env_boot_us(node->env)) == 0;
}

/* REUSE for each use of a replaced secret; returns how many. */
static uint32_t add_reuses(const struct node_batch *batch, struct base_writer *writer)
{
    for (size_t i = 0; i < batch->reuse_count; i++) {
        struct op_command command = {.number = OP_COMMAND_REUSE,
                                     .minted_id = batch->reuses[i].session};
        memcpy(command.minted_verifier, batch->reuses[i].verifier, sizeof(command.minted_verifier));
        op_entry_add(writer, &command);
    }
    return (uint32_t)batch->reuse_count;
}

static size_t flying_max(const struct node *node)
{
    const struct node_batch *batch = node->batch;
    bool shared = batch->shared_us != 0 &&
                  env_mono_us(node->env) - batch->shared_us < BATCH_SHARED_US;
    return shared ? batch->pace.window : PACE_BYTES_MOST;
}

static void note_tenants(struct node *node, const struct node_flight *flight,
                         const struct node_request *next)
{
    if (!list_empty(&flight->requests)) {
        const struct node_request *last = LIST_ENTRY(flight->requests.previous, struct node_request,
                                                     in_queue);
        if (!bytes_equal(last->caller.tenant, next->caller.tenant)) {
            node->batch->shared_us = env_mono_us(node->env);
        }
    }
}

/* Moves as many queued commands into the entry as fit; returns how many. */
static uint32_t take_commands(struct node *node, struct base_writer *writer,
                              struct node_flight *flight)
{
    struct node_batch *batch = node->batch;
    struct node_request *request;
    size_t most = flying_max(node);
    uint32_t count = 0;
    while (count < OP_BATCH_COMMANDS && (request = node_fair_next(&batch->queue)) != NULL) {
        size_t size = (size_t)(writer->at - writer->start);
        if ((count > 0 && size + request->command_size > OP_BATCH_BYTES) ||
            batch->flying_bytes + flight->bytes >= most) {
            break;
        }
        base_write_bytes(writer, node_request_command(request));
        node_fair_take(&batch->queue, request);
        note_tenants(node, flight, request);
        list_append(&flight->requests, &request->in_queue);
        flight->bytes += request->command_size;
        count++;
    }
    return count;
}

/* The entry was not taken: its requests go back to the queue's head, each tenant's in order. */
static void put_back(struct node_batch *batch, struct node_flight *flight)
{
    while (!list_empty(&flight->requests)) {
        struct list *last = flight->requests.previous;
        list_remove(last);
        node_fair_return(&batch->queue, LIST_ENTRY(last, struct node_request, in_queue));
    }
    free(flight);
}

static bool submit(struct node *node, struct base_writer *writer, struct node_flight *flight)
{
    struct node_batch *batch = node->batch;
    ASSERT(!writer->failed);
    if (rlog_submit(node->rlog, base_written(writer), &flight->index) != RLOG_SUBMITTED) {
        put_back(batch, flight);
        return false;
    }
    flight->term = node->lead.term;
    flight->sent_us = env_mono_us(node->env);
    flight->ahead = batch->flying_bytes;
    batch->flying_bytes += flight->bytes;
    list_append(&batch->flights, &flight->in_batch);
    LIST_FOR_EACH(at, &flight->requests)
    {
        node_request_move(LIST_ENTRY(at, struct node_request, in_queue), REQUEST_SUBMITTED);
    }
    node->lead.last_entry = env_boot_us(node->env);
    return true;
}

bool node_batch_turn(struct node *node, bool tick)
{
    struct node_batch *batch = node->batch;
    bool denials = denials_due(node);
    uint64_t level = node_level_due(node);
    bool own = tick || batch->reuse_count > 0 || denials || level != 0;
    if (batch->queue.count == 0 && !own) {
        return false;
    }
    if (!rlog_ready(node->rlog) || (!own && batch->flying_bytes >= flying_max(node))) {
        return true;
    }
    struct node_flight *flight = flight_create(0);
    struct base_writer writer;
    base_writer_init(&writer, batch->buffer, sizeof(batch->buffer));
    op_entry_begin(&writer);
    if (tick) {
        add_own_command(&writer, OP_COMMAND_TICK, 0);
        flight->silent = 1;
        flight->tick = true;
    }
    if (level != 0) {
        const struct op_command raise = {.number = OP_COMMAND_LEVEL, .level = level};
        op_entry_add(&writer, &raise);
        flight->silent++;
    }
    flight->silent += add_reuses(batch, &writer);
    if (denials) {
        node_denials_add(&batch->denials, &writer);
        flight->silent++;
    }
    uint32_t count = flight->silent;
    if (!denials) { /* with them, what is queued might not fit */
        count += take_commands(node, &writer, flight);
    }
    if (!node_lead_stamp(node, &flight->stamp)) { /* T1: after the last command arrived */
        put_back(batch, flight);
        return false;
    }
    op_entry_finish(&writer, flight->stamp, count);
    uint64_t stamp = flight->stamp;
    if (!submit(node, &writer, flight)) {
        return true;
    }
    batch->reuse_count = 0;
    if (level != 0) {
        node_level_sent(node, level);
    }
    if (denials) {
        node_denials_sent(&batch->denials, env_boot_us(node->env));
    }
    if (tick) {
        node->lead.last_tick = node->lead.last_entry;
        batch->tick_stamp = stamp;
    }
    return batch->queue.count > 0;
}

bool node_batch_term_start(struct node *node, uint64_t term, uint64_t stamp, uint64_t *ret_index)
{
    struct node_flight *flight = flight_create(stamp);
    flight->silent = 1;
    struct base_writer writer;
    base_writer_init(&writer, node->batch->buffer, sizeof(node->batch->buffer));
    op_entry_begin(&writer);
    add_own_command(&writer, OP_COMMAND_TERM_START, term);
    op_entry_finish(&writer, stamp, 1);
    if (!submit(node, &writer, flight)) {
        return false;
    }
    *ret_index = flight->index;
    return true;
}

/* ---- apply ---- */

static void on_reply(void *arg, uint32_t index, const struct fsm_reply *reply)
{
    struct node *node = arg;
    struct node_flight *flight = node->batch->applying;
    if (flight == NULL || index < flight->silent) {
        return;
    }
    ASSERT(!list_empty(&flight->requests));
    struct node_request *request = LIST_ENTRY(flight->requests.next, struct node_request, in_queue);
    count_applied(node);
    node_request_reply(node, request, reply, flight->stamp);
}

bool node_batch_apply(struct node *node, uint64_t index, uint64_t term, struct bytes entry)
{
    struct node_batch *batch = node->batch;
    struct node_flight *flight = list_empty(&batch->flights)
                                     ? NULL
                                     : LIST_ENTRY(batch->flights.next, struct node_flight,
                                                  in_batch);
    if (flight != NULL && (flight->index != index || flight->term != term)) {
        flight = NULL;
    }
    if (flight != NULL) {
        const struct node_pace_entry landed = {.ahead = flight->ahead,
                                               .bytes = flight->bytes,
                                               .took_us = env_mono_us(node->env) - flight->sent_us};
        node_pace_applied(&batch->pace, &landed);
    }
    batch->applying = flight;
    bool applied = fsm_apply(node->fsm, entry, on_reply, node);
    batch->applying = NULL;
    if (flight != NULL) {
        ASSERT(!applied || list_empty(&flight->requests));
        if (batch->tick_stamp == flight->stamp) {
            batch->tick_stamp = 0;
        }
        if (flight->tick) {
            node_lead_swept(node);
        }
        while (!list_empty(&flight->requests)) {
            node_request_refuse(
                node, LIST_ENTRY(flight->requests.next, struct node_request, in_queue), OP_UNKNOWN);
        }
        batch->flying_bytes -= flight->bytes;
        list_remove(&flight->in_batch);
        free(flight);
    }
    return applied;
}

/* ---- the end of leadership ---- */

static void refuse_all(struct node *node, struct list *requests, enum op_outcome outcome)
{
    while (!list_empty(requests)) {
        node_request_refuse(node, LIST_ENTRY(requests->next, struct node_request, in_queue),
                            outcome);
    }
}

void node_batch_unsent(struct node *node)
{
    struct node_request *request;
    while ((request = node_fair_next(&node->batch->queue)) != NULL) {
        node_fair_take(&node->batch->queue, request);
        node_request_refuse(node, request, OP_NOT_LEADER);
    }
    node->batch->reuse_count = 0;
    node_denials_clear(&node->batch->denials);
}

void node_batch_lost(struct node *node)
{
    struct node_batch *batch = node->batch;
    node_batch_unsent(node);
    batch->tick_stamp = 0;
    batch->flying_bytes = 0;
    while (!list_empty(&batch->flights)) {
        struct node_flight *flight = LIST_ENTRY(batch->flights.next, struct node_flight, in_batch);
        refuse_all(node, &flight->requests, OP_UNKNOWN);
        list_remove(&flight->in_batch);
        free(flight);
    }
}

void node_batch_done(struct node *node)
{
    if (node->batch != NULL) {
        node_batch_lost(node);
    }
}

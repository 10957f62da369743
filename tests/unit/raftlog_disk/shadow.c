/* Drives a log and a list of operations side by side, and compares. */
#include "tests/unit/raftlog_disk/shadow.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAYLOAD_MAX = 16384 };

static const struct id128 store_id = {"store-of-the-one"};

struct bytes shadow_payload(uint64_t value, size_t size, uint8_t *buffer)
{
    ASSERT(size <= PAYLOAD_MAX);
    for (size_t i = 0; i < size; i++) {
        buffer[i] = (uint8_t)(value * 31 + (value >> 8) + i * i * 7 + i);
    }
    return bytes_of(buffer, size);
}

/* ---- states ---- */

static void state_apply(struct shadow_state *state, const struct shadow_op *op)
{
    switch (op->kind) {
    case SHADOW_APPEND:
        ASSERT(op->index == state->last + 1 && op->index < SHADOW_INDEX_MAX);
        state->at[op->index].term = op->term;
        state->at[op->index].value = op->value;
        state->at[op->index].size = op->size;
        state->last = op->index;
        break;
    case SHADOW_TRUNCATE:
        state->last = op->index - 1;
        break;
    case SHADOW_RESTART:
        state->base = state->last = op->index;
        state->base_term = op->term;
        break;
    }
}

static void op_add(struct shadow *shadow, struct shadow_op op)
{
    ASSERT(shadow->op_count < SHADOW_OPS_MAX);
    shadow->ops[shadow->op_count++] = op;
    state_apply(&shadow->now, &op);
}

static bool entry_equal(const struct rlog_log *log, const struct shadow_state *state,
                        uint64_t index)
{
    uint8_t buffer[PAYLOAD_MAX];
    struct rlog_log_entry entry = rlog_log_entry(log, index);

    return entry.term == state->at[index].term && entry.type == RLOG_COMMAND &&
           bytes_equal(entry.payload,
                       shadow_payload(state->at[index].value, state->at[index].size, buffer));
}

static bool state_equal(const struct rlog_log *log, const struct shadow_state *state)
{
    uint64_t start = rlog_log_start(log);

    if (rlog_log_last(log) != state->last || start > state->last + 1) {
        return false;
    }
    /* A log may begin later than the state (pruned) or earlier (segments stay whole). */
    for (uint64_t i = start > state->base ? start : state->base + 1; i <= state->last; i++) {
        if (!entry_equal(log, state, i)) {
            return false;
        }
    }
    return true;
}

const char *shadow_wrong(struct shadow *shadow)
{
    const struct rlog_log *log = shadow->log;
    struct shadow_state *state = &shadow->scratch;
    bool found = false;

    if (rlog_log_last(log) < shadow->stored) {
        return "what was stored is gone";
    }
    for (uint64_t i = rlog_log_start(log); i <= shadow->stored; i++) {
        if (i > shadow->now.base && !entry_equal(log, &shadow->now, i)) {
            return "what was stored is another entry";
        }
    }
    *state = shadow->from;
    found = state_equal(log, state);
    for (size_t i = 0; i < shadow->op_count && !found; i++) {
        state_apply(state, &shadow->ops[i]);
        found = state_equal(log, state);
    }
    if (!found) {
        return "the log is not what any first part of the operations makes";
    }
    if (rlog_log_start(log) > shadow->snapshot_index + 1) {
        return "the log does not reach the snapshot";
    }
    return NULL;
}

/* ---- the log's life ---- */

static void stored(void *arg, uint64_t index)
{
    struct shadow *shadow = arg;

    ASSERT(index <= rlog_log_last(shadow->log) && index == rlog_log_stored(shadow->log));
    shadow->late = shadow->late || shadow->failures > 0;
    shadow->stored = index > shadow->stored ? index : shadow->stored;
    shadow->reports++;
}

static void failed(void *arg, int rc, const char *detail)
{
    struct shadow *shadow = arg;

    ASSERT(strchr(detail, '\n') == NULL && strlen(detail) > 10);
    shadow->failures++;
    shadow->failed_rc = rc;
}

void shadow_init(struct shadow *shadow, struct world *world, uint64_t segment_bytes)
{
    memset(shadow, 0, sizeof *shadow);
    shadow->world = world;
    shadow->segment_bytes = segment_bytes;
    shadow->term = 1;
}

static struct rlog_log_config config_of(const struct shadow *shadow)
{
    return (struct rlog_log_config){
        .folder = "/d/log", .segment_bytes = shadow->segment_bytes, .store_id = store_id};
}

int shadow_format(struct shadow *shadow)
{
    struct rlog_log_config config = config_of(shadow);

    return rlog_log_format(shadow->world->env, &config, 0, 0, NULL);
}

int shadow_try_open(struct shadow *shadow)
{
    struct rlog_log_config config = config_of(shadow);
    struct rlog_log_handlers handlers = {.arg = shadow, .stored = stored, .failed = failed};

    shadow->log = NULL;
    shadow->world->error[0] = '\0';
    return rlog_log_open(shadow->world->env, &config, shadow->snapshot_index, shadow->snapshot_term,
                         &handlers, shadow->world->error, ERROR_MAX, &shadow->log);
}

/* What was recovered is the new beginning. */
static void state_take(struct shadow *shadow)
{
    struct shadow_state *state = &shadow->scratch;

    shadow->from = *state;
    shadow->now = *state;
    shadow->op_count = 0;
    shadow->stored = rlog_log_stored(shadow->log);
    shadow->failures = 0;
    shadow->late = false;
}

int shadow_open(struct shadow *shadow)
{
    const char *wrong;
    int rc = shadow_try_open(shadow);

    if (rc == ENV_CRASHED) {
        return rc;
    }
    if (rc != ENV_OK) {
        fprintf(stderr, "refused: %s\n", shadow->world->error);
    }
    ASSERT(rc == ENV_OK);
    wrong = shadow_wrong(shadow);
    if (wrong != NULL) {
        fprintf(stderr, "wrong: %s\n", wrong);
    }
    ASSERT(wrong == NULL);
    state_take(shadow);
    return ENV_OK;
}

void shadow_close(struct shadow *shadow)
{
    rlog_log_destroy(shadow->log);
    shadow->log = NULL;
}

/* ---- operations ---- */

void shadow_append(struct shadow *shadow, size_t size)
{
    uint8_t buffer[PAYLOAD_MAX];
    struct shadow_op op = {.kind = SHADOW_APPEND,
                           .index = shadow->now.last + 1,
                           .term = shadow->term,
                           .value = ++shadow->values,
                           .size = size};
    struct rlog_log_entry entry = {
        .term = op.term, .type = RLOG_COMMAND, .payload = shadow_payload(op.value, size, buffer)};

    op_add(shadow, op);
    ASSERT(rlog_log_append(shadow->log, &entry) == op.index);
}

void shadow_truncate(struct shadow *shadow, uint64_t index)
{
    shadow->term++;
    op_add(shadow, (struct shadow_op){.kind = SHADOW_TRUNCATE, .index = index});
    rlog_log_truncate(shadow->log, index);
    shadow->stored = shadow->stored < index ? shadow->stored : index - 1;
}

void shadow_restart(struct shadow *shadow, uint64_t index)
{
    shadow->term++;
    op_add(shadow,
           (struct shadow_op){.kind = SHADOW_RESTART, .index = index, .term = shadow->term});
    shadow->snapshot_index = index;
    shadow->snapshot_term = shadow->term;
    rlog_log_restart(shadow->log, index, shadow->term);
    shadow->stored = index;
}

void shadow_prune(struct shadow *shadow, uint64_t index, uint64_t trailing)
{
    ASSERT(index <= shadow->stored);
    shadow->snapshot_index = index;
    shadow->snapshot_term = rlog_log_term(shadow->log, index);
    if (index > trailing) {
        rlog_log_prune(shadow->log, index - trailing + 1);
    }
}

static bool settled(void *arg)
{
    const struct shadow *shadow = arg;

    return world_crashed(shadow->world) || shadow->failures > 0 ||
           rlog_log_pending_bytes(shadow->log) == 0;
}

void shadow_wait(struct shadow *shadow)
{
    (void)sim_run_until(shadow->world->sim, settled, shadow, 10 * SIM_SECOND);
    ASSERT(settled(shadow));
}

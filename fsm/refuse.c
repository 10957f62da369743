/* Refusals that many handlers share: wrong field, missing permission, full table. Decides nothing
 * about life or fences. */
#include "fsm/machine.h"

#include "base/assert.h"

enum { FULL_HINT_US = 10000 }; /* the least time between two ticks (T5) */

/* Blocks that the results of this command may still take: its request and its operation. */
enum { RESULT_RESERVE = 2 * FSM_RESULT_BLOCKS };

/* One in so many blocks is for results alone. Of blocks and requests, one in so many more is for
 * the results of what takes away (the rows that are served without a clock): sessions are ended and
 * revoked when everything else is full. */
enum { RESULT_SHARE = 64 };

enum op_outcome fsm_refuse_field(struct fsm_context *ctx, const char *field)
{
    ctx->details->has_field = true;
    ctx->details->field = bytes_of_text(field);
    return OP_INVALID;
}

enum op_outcome fsm_refuse_permission(struct fsm_context *ctx, struct bytes permission)
{
    ctx->details->has_required = true;
    ctx->details->required = permission;
    return OP_DENIED;
}

enum op_outcome fsm_refuse_resource(struct fsm_context *ctx, const char *field)
{
    ctx->details->has_field = true;
    ctx->details->field = bytes_of_text(field);
    return OP_OUT_OF_SCOPE;
}

enum op_outcome fsm_refuse_binding(struct fsm_context *ctx, const char *field)
{
    ctx->details->has_field = true;
    ctx->details->field = bytes_of_text(field);
    return OP_BOUND_ELSEWHERE;
}

enum op_outcome fsm_refuse_full(struct fsm_context *ctx, const char *limit)
{
    if (fsm_sweep_due(ctx->fsm)) {
        ctx->details->has_hint = true;
        ctx->details->hint = FULL_HINT_US;
        return OP_SWEEPING;
    }
    ctx->details->has_limit = true;
    ctx->details->limit = bytes_of_text(limit);
    return OP_LIMIT;
}

static const char *limit_of(enum fsm_table table)
{
    switch (table) {
    case FSM_NAMES:
        return "names_max";
    case FSM_BLOCKS:
        return "blocks_max";
    case FSM_TENANTS:
        return "tenants_max";
    case FSM_WATERMARKS:
        return "watermarks_max";
    case FSM_SESSIONS:
        return "sessions_max";
    case FSM_TASKS:
        return "tasks_max";
    case FSM_KEYS:
        return "keys_max";
    case FSM_CLIENTS:
        return "clients_max";
    case FSM_REQUESTS:
    case FSM_OPERATIONS:
        return "requests_max";
    case FSM_META:
    case FSM_COVERS:
    case FSM_TOMBSTONES:
    case FSM_CERTIFICATES:
    case FSM_EVENTS: /* the oldest give way, here and below */
    case FSM_DENIALS:
    case FSM_TABLES:
        break; /* sized so that they cannot be full when the others are not (fsm.c) */
    }
    UNREACHABLE("a table without a limit");
}

enum op_outcome fsm_room(struct fsm_context *ctx, enum fsm_table table, uint32_t need)
{
    const struct table *records = ctx->fsm->tables[table];
    uint64_t wanted = need;

    if (need == 0) {
        return OP_OK;
    }
    if (table == FSM_BLOCKS) {
        wanted += RESULT_RESERVE + 2 * (ctx->fsm->limits.blocks_max / RESULT_SHARE);
    }
    if (table_capacity(records) - table_count(records) >= wanted) {
        return OP_OK;
    }
    return fsm_refuse_full(ctx, limit_of(table));
}

enum op_outcome fsm_result_room(struct fsm_context *ctx)
{
    const struct table *blocks = fsm_blocks(ctx->fsm);
    uint32_t share = ctx->row->without_time ? 0 : table_capacity(blocks) / RESULT_SHARE;

    if (table_capacity(blocks) - table_count(blocks) < RESULT_RESERVE + share) {
        return fsm_refuse_full(ctx, limit_of(FSM_BLOCKS));
    }
    share = ctx->row->without_time ? 0
                                   : table_capacity(ctx->fsm->tables[FSM_REQUESTS]) / RESULT_SHARE;
    return fsm_room(ctx, FSM_REQUESTS, 1 + share);
}

uint32_t fsm_name_missing(const struct fsm *fsm, struct bytes text)
{
    return names_find(fsm->names, text) == SLOT_NONE ? 1 : 0;
}

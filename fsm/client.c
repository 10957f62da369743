/* Clients and tenants: registration, silence, and whose client a number belongs to. What the
 * numbers answered is in dedupe.c.
 *
 *  1. A client belongs to the certificate (tenant and name) that registered it.
 *  2. A client that was silent for client_silence_us is unknown from then on, swept or not.
 *  3. A tenant's record is made by its first client and stays.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

struct number_query {
    const struct fsm *fsm;
    uint64_t number;
};

static const struct client_record *client_read(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_CLIENTS], slot);
}

static bool match_client(const void *arg, uint32_t slot)
{
    const struct number_query *query = arg;

    return client_read(query->fsm, slot)->position == query->number;
}

static bool match_tenant(const void *arg, uint32_t slot)
{
    const struct number_query *query = arg;
    const struct tenant_record *tenant = table_read(query->fsm->tables[FSM_TENANTS], slot);

    return tenant->name == query->number;
}

uint32_t fsm_tenant_of(const struct fsm *fsm, struct bytes name)
{
    uint32_t slot = names_find(fsm->names, name);
    struct number_query query = {fsm, slot};

    if (slot == SLOT_NONE) {
        return SLOT_NONE;
    }
    return index_find(fsm->indexes[INDEX_TENANT], fsm_hash_pair(fsm, slot, 0), match_tenant,
                      &query);
}

uint32_t fsm_client_of(struct fsm *fsm, uint64_t now, const struct op_caller *caller,
                       uint64_t position)
{
    struct number_query query = {fsm, position};
    uint32_t slot = index_find(fsm->indexes[INDEX_CLIENT], fsm_hash_pair(fsm, position, 0),
                               match_client, &query);
    const struct client_record *client;

    if (slot == SLOT_NONE) {
        return SLOT_NONE;
    }
    client = client_read(fsm, slot);
    if (client->tenant != fsm_tenant_of(fsm, caller->tenant) ||
        client->name != names_find(fsm->names, caller->name) ||
        sat_add(client->heard, fsm->limits.client_silence_us) <= now) {
        return SLOT_NONE;
    }
    return slot;
}

void fsm_client_drop(struct fsm *fsm, uint32_t slot)
{
    const struct client_record *client = client_read(fsm, slot);

    fsm_dedupe_free(fsm, slot, client->lowest, fsm->limits.client_open_max);
    index_remove(fsm->indexes[INDEX_CLIENT], fsm_hash_pair(fsm, client->position, 0), slot);
    deadlines_remove(fsm->heaps[HEAP_CLIENT], slot);
    names_release(fsm->names, client->name);
    table_free(fsm->tables[FSM_CLIENTS], slot);
}

static uint32_t tenant_hold(struct fsm *fsm, struct bytes name)
{
    uint32_t slot = fsm_tenant_of(fsm, name);
    struct tenant_record *tenant;

    if (slot != SLOT_NONE) {
        return slot;
    }
    slot = table_take(fsm->tables[FSM_TENANTS]);
    ASSERT(slot != SLOT_NONE);
    tenant = table_write(fsm->tables[FSM_TENANTS], slot);
    tenant->name = names_hold(fsm->names, name);
    ASSERT(tenant->name != SLOT_NONE);
    index_insert(fsm->indexes[INDEX_TENANT], fsm_hash_pair(fsm, tenant->name, 0), slot);
    return slot;
}

static enum op_outcome register_room(struct fsm_context *ctx)
{
    uint32_t names = fsm_name_missing(ctx->fsm, ctx->caller->tenant) +
                     fsm_name_missing(ctx->fsm, ctx->caller->name);
    enum op_outcome outcome = fsm_room(ctx, FSM_CLIENTS, 1);

    if (outcome == OP_OK) {
        outcome = fsm_room(ctx, FSM_TENANTS, ctx->tenant == SLOT_NONE ? 1 : 0);
    }
    return outcome == OP_OK ? fsm_room(ctx, FSM_NAMES, names) : outcome;
}

enum op_outcome fsm_do_client_register(struct fsm_context *ctx,
                                       const struct op_client_register_request *request,
                                       struct op_client_register_reply *reply)
{
    struct fsm *fsm = ctx->fsm;
    struct client_record *client;
    enum op_outcome outcome;
    uint32_t slot;

    (void)request;
    if (ctx->caller->tenant.size == 0) {
        return fsm_refuse_field(ctx, "tenant");
    }
    outcome = register_room(ctx);
    if (outcome != OP_OK) {
        return outcome;
    }
    slot = table_take(fsm->tables[FSM_CLIENTS]);
    client = table_write(fsm->tables[FSM_CLIENTS], slot);
    client->position = ctx->position;
    client->lowest = 1;
    client->heard = ctx->now;
    client->tenant = tenant_hold(fsm, ctx->caller->tenant);
    client->name = names_hold(fsm->names, ctx->caller->name);
    ASSERT(client->name != SLOT_NONE);
    index_insert(fsm->indexes[INDEX_CLIENT], fsm_hash_pair(fsm, ctx->position, 0), slot);
    fsm_schedule(fsm, FSM_CLIENTS, slot);

    reply->has_client = true;
    reply->client = ctx->position;
    reply->has_incarnation = true;
    reply->incarnation = fsm->incarnation;
    reply->has_silence = true;
    reply->silence = fsm->limits.client_silence_us;
    return OP_OK;
}

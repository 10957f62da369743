/* Clients and tenants: registration, silence, and whose client a number belongs to. What the
 * numbers answered is in dedupe.c.
 *
 *  1. A client belongs to the certificate (tenant and name) that registered it.
 *  2. A client that was silent for client_silence_us is unknown from then on, swept or not.
 *  3. A tenant's record is made by its first client and stays.
 *  4. A certificate's record counts its clients, and goes with the last of them; a tenant's counts
 *     its own.
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

/* ---- certificates ---- */

static const struct certificate_record *certificate_read(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_CERTIFICATES], slot);
}

struct certificate_query {
    const struct fsm *fsm;
    uint32_t tenant;
    uint32_t name;
};

static bool match_certificate(const void *arg, uint32_t slot)
{
    const struct certificate_query *query = arg;
    const struct certificate_record *certificate = certificate_read(query->fsm, slot);

    return certificate->tenant == query->tenant && certificate->name == query->name;
}

static uint32_t certificate_of(const struct fsm *fsm, uint32_t tenant, uint32_t name)
{
    struct certificate_query query = {fsm, tenant, name};

    return index_find(fsm->indexes[INDEX_CERTIFICATE], fsm_hash_pair(fsm, tenant, name),
                      match_certificate, &query);
}

static uint32_t certificate_join(struct fsm *fsm, uint32_t tenant, uint32_t name)
{
    uint32_t slot = certificate_of(fsm, tenant, name);
    struct certificate_record *certificate;

    if (slot == SLOT_NONE) {
        slot = table_take(fsm->tables[FSM_CERTIFICATES]);
        ASSERT(slot != SLOT_NONE); /* there are no more of them than clients */
        certificate = table_write(fsm->tables[FSM_CERTIFICATES], slot);
        certificate->tenant = tenant;
        certificate->name = name; /* held by each of its clients */
        index_insert(fsm->indexes[INDEX_CERTIFICATE], fsm_hash_pair(fsm, tenant, name), slot);
    }
    certificate = table_write(fsm->tables[FSM_CERTIFICATES], slot);
    certificate->clients++;
    return slot;
}

static void certificate_leave(struct fsm *fsm, uint32_t slot)
{
    struct certificate_record *certificate = table_write(fsm->tables[FSM_CERTIFICATES], slot);

    ASSERT(certificate->clients > 0);
    certificate->clients--;
    if (certificate->clients == 0) {
        index_remove(fsm->indexes[INDEX_CERTIFICATE],
                     fsm_hash_pair(fsm, certificate->tenant, certificate->name), slot);
        table_free(fsm->tables[FSM_CERTIFICATES], slot);
    }
}

/* OK when this caller may have one client more. */
static enum op_outcome certificate_room(struct fsm_context *ctx)
{
    const struct fsm *fsm = ctx->fsm;
    uint32_t name = names_find(fsm->names, ctx->caller->name);
    uint32_t slot = ctx->tenant == SLOT_NONE || name == SLOT_NONE
                        ? SLOT_NONE
                        : certificate_of(fsm, ctx->tenant, name);

    if (slot == SLOT_NONE ||
        certificate_read(fsm, slot)->clients < fsm->limits.certificate_clients_max) {
        return OP_OK;
    }
    return fsm_refuse_full(ctx, "certificate_clients_max");
}

/* ---- clients ---- */

static void tenant_count(struct fsm *fsm, uint32_t slot, int change)
{
    struct tenant_record *tenant = table_write(fsm->tables[FSM_TENANTS], slot);

    ASSERT(change > 0 || tenant->client_count > 0);
    tenant->client_count += (uint32_t)change;
}

void fsm_client_drop(struct fsm *fsm, uint32_t slot)
{
    const struct client_record *client = client_read(fsm, slot);

    fsm_dedupe_free(fsm, slot, client->lowest, fsm->limits.client_open_max);
    index_remove(fsm->indexes[INDEX_CLIENT], fsm_hash_pair(fsm, client->position, 0), slot);
    deadlines_remove(fsm->heaps[HEAP_CLIENT], slot);
    certificate_leave(fsm, client->certificate);
    names_release(fsm->names, client->name);
    tenant_count(fsm, client->tenant, -1);
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
    enum op_outcome outcome = certificate_room(ctx);

    if (outcome == OP_OK) {
        outcome = fsm_quota_client(ctx);
    }
    if (outcome == OP_OK) {
        outcome = fsm_room(ctx, FSM_CLIENTS, 1);
    }
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
    client->certificate = certificate_join(fsm, client->tenant, client->name);
    tenant_count(fsm, client->tenant, 1);
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

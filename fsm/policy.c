/* Policies: what limits the sessions under them have, and what has to be shown to open one. Three
 * are built in, tenants define others (docs/MODEL.md section 4).
 *
 *  1. A tenant's policies are one chain of its record, by name's slot in no order; each counts one
 *     use of its name.
 *  2. A session keeps what it was opened with: to define a policy anew changes no session.
 *  3. No policy goes beyond the cluster's caps, a built-in one neither.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

enum { POLICY_BYTES = 24, POLICIES_MAX = 64 };

struct built_in {
    const char *name;
    uint64_t idle, absolute;
    uint32_t evidence;
};

static const struct built_in built_ins[] = {
    {"standard", 1800 * OP_SECOND, OP_DAY, OP_EVIDENCE_NONE},
    {"elevated", 600 * OP_SECOND, 3600 * OP_SECOND, OP_EVIDENCE_REAUTHENTICATION},
    {"privileged", 300 * OP_SECOND, 900 * OP_SECOND, OP_EVIDENCE_MFA},
};

/* One in a tenant's chain. */
struct defined {
    uint32_t name;
    uint32_t evidence;
    uint64_t idle, absolute;
};
struct policies {
    uint32_t count;
    struct defined list[POLICIES_MAX];
};

static const struct built_in *built_in_of(struct bytes name)
{
    for (size_t i = 0; i < sizeof built_ins / sizeof built_ins[0]; i++) {
        if (bytes_equal(bytes_of_text(built_ins[i].name), name)) {
            return &built_ins[i];
        }
    }
    return NULL;
}

static void policies_read(const struct fsm *fsm, uint32_t tenant_slot,
                          struct policies *ret_policies)
{
    const struct tenant_record *tenant = table_read(fsm->tables[FSM_TENANTS], tenant_slot);
    uint8_t image[POLICIES_MAX * POLICY_BYTES];
    struct base_reader reader;

    ASSERT(tenant->policy_count <= POLICIES_MAX);
    chain_read(fsm_blocks(fsm), tenant->policy_chain, image,
               (size_t)tenant->policy_count * POLICY_BYTES);
    base_reader_init(&reader, bytes_of(image, (size_t)tenant->policy_count * POLICY_BYTES));
    ret_policies->count = tenant->policy_count;
    for (uint32_t i = 0; i < ret_policies->count; i++) {
        ret_policies->list[i].name = base_read_u32(&reader);
        ret_policies->list[i].evidence = base_read_u32(&reader);
        ret_policies->list[i].idle = base_read_u64(&reader);
        ret_policies->list[i].absolute = base_read_u64(&reader);
    }
}

static void policies_write(struct fsm *fsm, uint32_t tenant_slot, const struct policies *policies)
{
    struct tenant_record *tenant = table_write(fsm->tables[FSM_TENANTS], tenant_slot);
    uint8_t image[POLICIES_MAX * POLICY_BYTES];
    struct base_writer writer;

    base_writer_init(&writer, image, sizeof image);
    for (uint32_t i = 0; i < policies->count; i++) {
        base_write_u32(&writer, policies->list[i].name);
        base_write_u32(&writer, policies->list[i].evidence);
        base_write_u64(&writer, policies->list[i].idle);
        base_write_u64(&writer, policies->list[i].absolute);
    }
    chain_free(fsm_blocks(fsm), tenant->policy_chain);
    tenant->policy_chain = chain_write(fsm_blocks(fsm), base_written(&writer));
    tenant->policy_count = policies->count;
}

static uint32_t policies_find(const struct policies *policies, uint32_t name)
{
    uint32_t at = 0;

    while (at < policies->count && policies->list[at].name != name) {
        at++;
    }
    return at;
}

bool fsm_policy_of(const struct fsm_context *ctx, struct bytes name, struct fsm_policy *ret_policy)
{
    const struct built_in *built_in = built_in_of(name);
    uint64_t most = ctx->fsm->limits.session_ttl_max_us;
    struct policies policies;
    uint32_t at;

    if (built_in != NULL) {
        *ret_policy = (struct fsm_policy){u64_min(built_in->idle, most),
                                          u64_min(built_in->absolute, most), built_in->evidence};
        return true;
    }
    policies_read(ctx->fsm, ctx->tenant, &policies);
    at = policies_find(&policies, names_find(ctx->fsm->names, name));
    if (at == policies.count) {
        return false;
    }
    *ret_policy = (struct fsm_policy){policies.list[at].idle, policies.list[at].absolute,
                                      policies.list[at].evidence};
    return true;
}

enum op_outcome fsm_policy_admit(struct fsm_context *ctx, struct bytes name, bool shown,
                                 uint32_t evidence, struct fsm_policy *ret_policy)
{
    if (!fsm_policy_of(ctx, name, ret_policy)) {
        return fsm_refuse_field(ctx, "policy");
    }
    return ret_policy->evidence > (shown ? evidence : OP_EVIDENCE_NONE) ? OP_UNPROVEN : OP_OK;
}

/* ---- defining one ---- */

static bool lifetime_fits(const struct op_limits *limits, uint64_t lifetime)
{
    return lifetime >= limits->session_ttl_min_us && lifetime <= limits->session_ttl_max_us;
}

static enum op_outcome set_check(struct fsm_context *ctx,
                                 const struct op_policy_set_request *request)
{
    if (request->name.size == 0 || built_in_of(request->name) != NULL) {
        return fsm_refuse_field(ctx, "name");
    }
    if (!lifetime_fits(&ctx->fsm->limits, request->idle)) {
        return fsm_refuse_field(ctx, "idle");
    }
    if (!lifetime_fits(&ctx->fsm->limits, request->absolute)) {
        return fsm_refuse_field(ctx, "absolute");
    }
    return OP_OK;
}

static enum op_outcome set_room(struct fsm_context *ctx, struct bytes name, uint32_t count)
{
    enum op_outcome outcome;

    if (count > ctx->fsm->limits.tenant_policies_max) {
        ctx->details->has_limit = true;
        ctx->details->limit = bytes_of_text("tenant_policies_max");
        return OP_LIMIT;
    }
    outcome = fsm_room(ctx, FSM_NAMES, fsm_name_missing(ctx->fsm, name));
    return outcome == OP_OK ? fsm_room(ctx, FSM_BLOCKS, chain_blocks((size_t)count * POLICY_BYTES))
                            : outcome;
}

enum op_outcome fsm_do_policy_set(struct fsm_context *ctx,
                                  const struct op_policy_set_request *request,
                                  struct op_policy_set_reply *reply)
{
    struct names *names = ctx->fsm->names;
    enum op_outcome outcome = set_check(ctx, request);
    struct policies policies;
    struct defined policy = {.evidence = request->has_evidence ? request->evidence
                                                               : OP_EVIDENCE_NONE,
                             .idle = request->idle,
                             .absolute = request->absolute};
    uint32_t at;

    if (outcome != OP_OK) {
        return outcome;
    }
    policies_read(ctx->fsm, ctx->tenant, &policies);
    at = policies_find(&policies, names_find(names, request->name));
    outcome = set_room(ctx, request->name, policies.count + (at == policies.count ? 1 : 0));
    if (outcome != OP_OK) {
        return outcome;
    }
    policy.name = at == policies.count ? names_hold(names, request->name) : policies.list[at].name;
    ASSERT(policy.name != SLOT_NONE);
    policies.count += at == policies.count ? 1 : 0;
    policies.list[at] = policy;
    policies_write(ctx->fsm, ctx->tenant, &policies);
    reply->has_since = true;
    reply->since = ctx->position;
    return OP_OK;
}

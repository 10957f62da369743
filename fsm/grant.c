/* Grants: pairs (permission, G), who holds them, giving and taking one. Extending keeps G, giving
 * again after a lapse makes a new G; what a dead session held at its end is what has no deadline.
 *
 *  1. Each pair stored anywhere counts one use of its permission's name.
 *  2. In images the highest bit of a permission's name says that an elevation gave the pair.
 *  3. A session with tasks keeps its grants in a chain, so that its sweep can always write down
 * what its tasks keep: that chain is never longer than the one it replaces.
 *  4. A child's pairs are copies of its parent's: the same G, a deadline that lies no later. It
 *     loses what its parent loses, and gains nothing.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

/* Above every slot: op/limits.def has at most 20,000,000 names. */
#define ELEVATED 0x80000000u

static uint32_t image_of(const struct fsm_grant *grant)
{
    ASSERT(grant->permission < ELEVATED);
    return grant->permission | (grant->elevated ? ELEVATED : 0);
}

static struct fsm_grant grant_of(uint32_t image, uint64_t given, uint64_t deadline)
{
    return (struct fsm_grant){.permission = image & ~ELEVATED,
                              .elevated = (image & ELEVATED) != 0,
                              .given = given,
                              .deadline = deadline};
}

/* ---- lists in chains ---- */

uint32_t fsm_grants_blocks(uint32_t count)
{
    return chain_blocks((size_t)count * FSM_GRANT_BYTES);
}

void fsm_grants_read(const struct fsm *fsm, uint32_t chain, uint32_t count,
                     struct fsm_grants *ret_grants)
{
    uint8_t image[OP_MAX_grant * FSM_GRANT_BYTES];
    struct base_reader reader;

    ASSERT(count <= OP_MAX_grant);
    chain_read(fsm_blocks(fsm), chain, image, (size_t)count * FSM_GRANT_BYTES);
    base_reader_init(&reader, bytes_of(image, (size_t)count * FSM_GRANT_BYTES));
    ret_grants->count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t permission = base_read_u32(&reader);
        uint64_t given = base_read_u64(&reader);

        ret_grants->list[i] = grant_of(permission, given, base_read_u64(&reader));
    }
}

static uint32_t write_chain(struct fsm *fsm, const struct fsm_grants *grants)
{
    uint8_t image[OP_MAX_grant * FSM_GRANT_BYTES];
    struct base_writer writer;

    base_writer_init(&writer, image, sizeof image);
    for (uint32_t i = 0; i < grants->count; i++) {
        base_write_u32(&writer, image_of(&grants->list[i]));
        base_write_u64(&writer, grants->list[i].given);
        base_write_u64(&writer, grants->list[i].deadline);
    }
    return chain_write(fsm_blocks(fsm), base_written(&writer));
}

static void names_retain(struct fsm *fsm, const struct fsm_grants *grants)
{
    for (uint32_t i = 0; i < grants->count; i++) {
        uint32_t permission = grants->list[i].permission;
        uint32_t slot = names_hold(fsm->names, names_text(fsm->names, permission));

        ASSERT(slot == permission);
    }
}

static void names_give_back(struct fsm *fsm, const struct fsm_grants *grants)
{
    for (uint32_t i = 0; i < grants->count; i++) {
        names_release(fsm->names, grants->list[i].permission);
    }
}

uint32_t fsm_grants_write(struct fsm *fsm, const struct fsm_grants *grants)
{
    names_retain(fsm, grants);
    return write_chain(fsm, grants);
}

void fsm_grants_free(struct fsm *fsm, uint32_t chain, uint32_t count)
{
    struct fsm_grants grants;

    fsm_grants_read(fsm, chain, count, &grants);
    names_give_back(fsm, &grants);
    chain_free(fsm_blocks(fsm), chain);
}

const struct fsm_grant *fsm_grants_find(const struct fsm_grants *grants, uint32_t permission)
{
    for (uint32_t i = 0; i < grants->count; i++) {
        if (grants->list[i].permission == permission) {
            return &grants->list[i];
        }
    }
    return NULL;
}

/* ---- a session's own ---- */

static void inline_read(const struct session_record *session, struct fsm_grants *ret_grants)
{
    ASSERT(session->grant_count <= GRANTS_INLINE);
    ret_grants->count = session->grant_count;
    for (uint32_t i = 0; i < session->grant_count; i++) {
        ret_grants->list[i] = grant_of(session->grant_permission[i], session->grant_given[i],
                                       session->grant_deadline[i]);
    }
}

void fsm_session_grants(const struct fsm *fsm, const struct fsm_session *session,
                        struct fsm_grants *ret_grants)
{
    const struct session_record *record = session->record;

    if (record == NULL) {
        fsm_grants_read(fsm, session->stone->kept_chain, session->stone->kept_count, ret_grants);
    } else if (record->grant_chain != SLOT_NONE) {
        fsm_grants_read(fsm, record->grant_chain, record->grant_count, ret_grants);
    } else {
        inline_read(record, ret_grants);
    }
}

void fsm_session_grants_set(struct fsm *fsm, uint32_t slot, const struct fsm_grants *grants)
{
    struct session_record *record = table_write(fsm->tables[FSM_SESSIONS], slot);
    struct fsm_session session = {&record->head, record, NULL, slot};
    struct fsm_grants old;

    fsm_session_grants(fsm, &session, &old);
    names_retain(fsm, grants);
    names_give_back(fsm, &old);
    chain_free(fsm_blocks(fsm), record->grant_chain);
    record->grant_chain = SLOT_NONE;
    record->grant_count = grants->count;
    memset(record->grant_permission, 0, sizeof record->grant_permission);
    memset(record->grant_given, 0, sizeof record->grant_given);
    memset(record->grant_deadline, 0, sizeof record->grant_deadline);
    if (grants->count > GRANTS_INLINE || record->head.pins > 0) {
        record->grant_chain = write_chain(fsm, grants);
        return;
    }
    for (uint32_t i = 0; i < grants->count; i++) {
        record->grant_permission[i] = image_of(&grants->list[i]);
        record->grant_given[i] = grants->list[i].given;
        record->grant_deadline[i] = grants->list[i].deadline;
    }
}

/* ---- what holds ---- */

/* A pair that lapsed above has lapsed here too: no copy's deadline lies later (invariant 4). */
bool fsm_held_above(const struct fsm *fsm, const struct fsm_session *session,
                    const struct fsm_grant *grant)
{
    for (struct fsm_session above = fsm_parent_of(fsm, session); above.head != NULL;
         above = fsm_parent_of(fsm, &above)) {
        struct fsm_grants all;
        const struct fsm_grant *same;

        fsm_session_grants(fsm, &above, &all);
        same = fsm_grants_find(&all, grant->permission);
        if (same == NULL || same->given != grant->given) {
            return false;
        }
    }
    return true;
}

void fsm_grants_held(struct fsm_context *ctx, const struct fsm_session *session,
                     struct fsm_grants *ret_grants)
{
    bool alive = fsm_alive(ctx, session);
    struct fsm_grants all;

    fsm_session_grants(ctx->fsm, session, &all);
    ret_grants->count = 0;
    for (uint32_t i = 0; i < all.count; i++) {
        uint64_t deadline = all.list[i].deadline;
        bool holds = alive ? !fsm_deadline_passed(ctx, deadline) : deadline == OP_INFINITE;

        if (holds && fsm_held_above(ctx->fsm, session, &all.list[i])) {
            ret_grants->list[ret_grants->count++] = all.list[i];
        }
    }
}

/* The one grant alone: no other grant's deadline can leave the answer undecided. */
bool fsm_session_holds(struct fsm_context *ctx, const struct fsm_session *session,
                       struct bytes permission, struct fsm_grant *ret_grant)
{
    struct fsm_grants all;
    const struct fsm_grant *grant;

    fsm_session_grants(ctx->fsm, session, &all);
    grant = fsm_grants_find(&all, names_find(ctx->fsm->names, permission));
    if (grant == NULL) {
        return false;
    }
    if (grant->deadline != OP_INFINITE &&
        (!fsm_alive(ctx, session) || fsm_deadline_passed(ctx, grant->deadline))) {
        return false;
    }
    *ret_grant = *grant;
    return fsm_held_above(ctx->fsm, session, grant);
}

void fsm_task_grants(struct fsm_context *ctx, const struct fsm_task *task,
                     struct fsm_grants *ret_grants)
{
    struct fsm_grants held;
    struct fsm_grants copies;

    fsm_grants_held(ctx, &task->own, &held);
    fsm_grants_read(ctx->fsm, task->record->pair_chain, task->record->pair_count, &copies);
    ret_grants->count = 0;
    for (uint32_t i = 0; i < copies.count; i++) {
        const struct fsm_grant *grant = fsm_grants_find(&held, copies.list[i].permission);

        if (grant != NULL && grant->given == copies.list[i].given) {
            ret_grants->list[ret_grants->count++] = *grant;
        }
    }
}

/* ---- giving ---- */

static enum op_outcome grant_add_check(struct fsm_context *ctx,
                                       const struct op_grant_add_request *request)
{
    const struct op_limits *limits = &ctx->fsm->limits;

    if (!op_permission_valid(request->permission)) {
        return fsm_refuse_field(ctx, "permission");
    }
    if (request->has_ttl &&
        (request->ttl < limits->session_ttl_min_us || request->ttl > limits->session_ttl_max_us)) {
        return fsm_refuse_field(ctx, "ttl");
    }
    return OP_OK;
}

enum op_outcome fsm_grants_room(struct fsm_context *ctx, uint32_t names, uint32_t count,
                                uint32_t more_blocks)
{
    enum op_outcome outcome;

    if (count > ctx->fsm->limits.session_grants_max) {
        ctx->details->has_limit = true;
        ctx->details->limit = bytes_of_text("session_grants_max");
        return OP_LIMIT;
    }
    outcome = fsm_room(ctx, FSM_NAMES, names);
    return outcome == OP_OK ? fsm_room(ctx, FSM_BLOCKS, fsm_grants_blocks(count) + more_blocks)
                            : outcome;
}

static void grant_reply(const struct fsm_context *ctx, const struct fsm_grant *grant,
                        uint64_t *ret_given, bool *ret_has_left, uint64_t *ret_left)
{
    *ret_given = grant->given;
    *ret_has_left = grant->deadline != OP_INFINITE;
    *ret_left = *ret_has_left ? sat_sub(grant->deadline, ctx->now) : 0;
}

/* An elevation is not extended: what is to last longer is given anew, without its mark. A child's
 * copy of one has no mark, and never lasts longer. */
static struct fsm_grant extended(const struct fsm_context *ctx, const struct fsm_grant *held,
                                 uint64_t deadline)
{
    struct fsm_grant grant = *held;

    grant.deadline = u64_max(held->deadline, deadline);
    if (held->elevated && grant.deadline > held->deadline) {
        grant.given = ctx->position;
        grant.elevated = false;
    }
    return grant;
}

enum op_outcome fsm_do_grant_add(struct fsm_context *ctx,
                                 const struct op_grant_add_request *request,
                                 struct op_grant_add_reply *reply)
{
    uint64_t deadline = request->has_ttl ? sat_add(ctx->now, request->ttl) : OP_INFINITE;
    enum op_outcome outcome = grant_add_check(ctx, request);
    const struct fsm_grant *held;
    struct fsm_session session;
    struct fsm_grants grants;
    struct fsm_grant grant;
    uint32_t name;

    if (outcome != OP_OK) {
        return outcome;
    }
    outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    fsm_grants_held(ctx, &session, &grants);
    held = fsm_grants_find(&grants, names_find(ctx->fsm->names, request->permission));
    if (session.head->depth > 1) { /* invariant 4 */
        struct fsm_session above = fsm_parent_of(ctx->fsm, &session);
        struct fsm_grant most;

        if (held == NULL || !fsm_session_holds(ctx, &above, request->permission, &most)) {
            return fsm_refuse_permission(ctx, request->permission);
        }
        deadline = u64_min(deadline, most.deadline);
    }
    outcome = fsm_grants_room(ctx, fsm_name_missing(ctx->fsm, request->permission),
                              grants.count + (held == NULL ? 1 : 0), 0);
    if (outcome != OP_OK) {
        return outcome;
    }
    name = names_hold(ctx->fsm->names, request->permission);
    ASSERT(name != SLOT_NONE);
    if (held != NULL) {
        size_t at = (size_t)(held - grants.list);

        grants.list[at] = extended(ctx, held, deadline);
        grant = grants.list[at];
    } else {
        grant = (struct fsm_grant){name, false, ctx->position, deadline};
        grants.list[grants.count++] = grant;
    }
    fsm_session_grants_set(ctx->fsm, session.slot, &grants);
    names_release(ctx->fsm->names, name); /* the session's own use stays */
    reply->has_session = true;
    reply->session = request->token.id;
    reply->has_given = true;
    grant_reply(ctx, &grant, &reply->given, &reply->has_left, &reply->left);
    return OP_OK;
}

/* A list that gets shorter needs no room: what it replaces is freed first. */
enum op_outcome fsm_do_grant_revoke(struct fsm_context *ctx,
                                    const struct op_grant_revoke_request *request,
                                    struct op_grant_revoke_reply *reply)
{
    struct fsm_session session;
    struct fsm_grants grants;
    const struct fsm_grant *held;
    enum op_outcome outcome;
    size_t at;

    if (!op_permission_valid(request->permission)) {
        return fsm_refuse_field(ctx, "permission");
    }
    outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    fsm_grants_held(ctx, &session, &grants);
    held = fsm_grants_find(&grants, names_find(ctx->fsm->names, request->permission));
    if (held == NULL) {
        return fsm_refuse_permission(ctx, request->permission);
    }
    reply->has_session = true;
    reply->session = request->token.id;
    reply->has_given = true;
    reply->given = held->given;
    at = (size_t)(held - grants.list);
    grants.count--;
    memmove(grants.list + at, grants.list + at + 1, (grants.count - at) * sizeof grants.list[0]);
    fsm_session_grants_set(ctx->fsm, session.slot, &grants);
    return OP_OK;
}

enum op_outcome fsm_do_permission_check(struct fsm_context *ctx,
                                        const struct op_permission_check_request *request,
                                        struct op_permission_check_reply *reply)
{
    struct fsm_session session;
    struct fsm_grant grant;
    enum op_outcome outcome;

    if (!op_permission_valid(request->permission)) {
        return fsm_refuse_field(ctx, "permission");
    }
    if (request->has_resource && !fsm_resource_valid(request->resource)) {
        return fsm_refuse_field(ctx, "resource");
    }
    if (request->has_address && !fsm_address_valid(request->address)) {
        return fsm_refuse_field(ctx, "address");
    }
    outcome = fsm_find_session(ctx, request->user, &request->token, &session);
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    outcome = fsm_binding_admits(ctx, &session, FSM_GIVEN(request, address),
                                 FSM_GIVEN(request, fingerprint));
    if (outcome != OP_OK) {
        return outcome;
    }
    if (!fsm_session_holds(ctx, &session, request->permission, &grant)) {
        return fsm_refuse_permission(ctx, request->permission);
    }
    outcome = fsm_filter_reaches(ctx, &session, FSM_GIVEN(request, resource));
    if (outcome != OP_OK) {
        return outcome;
    }
    reply->has_session = true;
    reply->session = request->token.id;
    reply->has_given = true;
    grant_reply(ctx, &grant, &reply->given, &reply->has_left, &reply->left);
    return OP_OK;
}

/* A session's state: a map from keys to values, written by the session itself or by a task under
 * its fence, perhaps only while a key has the version that was seen. What a dead session leaves
 * behind is the sweep's.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

struct key_query {
    const struct fsm *fsm;
    uint32_t session;
    struct bytes key;
};

/* Who accesses which session, after all checks of life and law. */
struct state_access {
    struct fsm_session session;
    struct fsm_task task; /* no record: by the session itself */
};

struct bytes fsm_key_text(const struct fsm *fsm, const struct key_record *key,
                          uint8_t buffer[FSM_KEY_MAX])
{
    ASSERT(key->key_size <= FSM_KEY_MAX);
    chain_read(fsm_blocks(fsm), key->key_chain, buffer, key->key_size);
    return bytes_of(buffer, key->key_size);
}

static const struct key_record *key_read(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_KEYS], slot);
}

static bool match_key(const void *arg, uint32_t slot)
{
    const struct key_query *query = arg;
    const struct key_record *record = key_read(query->fsm, slot);

    return record->session == query->session && record->key_size == query->key.size &&
           chain_equal(fsm_blocks(query->fsm), record->key_chain, query->key);
}

static uint32_t key_of(const struct fsm *fsm, uint32_t session, struct bytes key)
{
    struct key_query query = {fsm, session, key};

    return index_find(fsm->indexes[INDEX_KEY], fsm_hash_key(fsm, session, key), match_key, &query);
}

/* ---- access ---- */

/* By the session's own secret. */
static enum op_outcome access_own(struct fsm_context *ctx, struct bytes user,
                                  const struct op_token *token, struct state_access *ret_access)
{
    enum op_outcome outcome = fsm_find_session(ctx, user, token, &ret_access->session);
    struct bytes needs = bytes_of_text(ctx->row->needs);
    struct fsm_grant grant;

    ret_access->task.record = NULL;
    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &ret_access->session);
    }
    if (outcome != OP_OK || needs.size == 0 ||
        fsm_session_holds(ctx, &ret_access->session, needs, &grant)) {
        return outcome;
    }
    return fsm_refuse_permission(ctx, needs);
}

static enum op_outcome fenced(struct fsm_context *ctx, const struct op_token *fence,
                              const struct state_access *access)
{
    struct fence_question question = {&access->task, fence, &access->session, false,
                                      ctx->row->needs};

    return fsm_fence(ctx, &question);
}

/* ---- writing ---- */

/* What a put and a delete have in common. */
struct state_change {
    struct bytes user;
    const struct op_token *token; /* NULL: none */
    const struct op_token *fence; /* NULL: none */
    const struct id128 *session;  /* NULL: none */
    const uint64_t *operation;    /* NULL: none */
    const uint64_t *expected;     /* NULL: whatever version the key has */
    struct bytes key;
};

static enum op_outcome change_check(struct fsm_context *ctx, const struct state_change *change)
{
    if ((change->token == NULL) == (change->fence == NULL)) {
        return fsm_refuse_field(ctx, "token");
    }
    if ((change->fence == NULL) != (change->operation == NULL)) {
        return fsm_refuse_field(ctx, "operation");
    }
    if (change->session != NULL && change->fence == NULL) {
        return fsm_refuse_field(ctx, "session");
    }
    return change->key.size == 0 ? fsm_refuse_field(ctx, "key") : OP_OK;
}

static enum op_outcome change_access(struct fsm_context *ctx, const struct state_change *change,
                                     struct state_access *ret_access)
{
    enum op_outcome outcome = change_check(ctx, change);

    if (outcome != OP_OK) {
        return outcome;
    }
    if (change->token != NULL) {
        return access_own(ctx, change->user, change->token, ret_access);
    }
    outcome = fsm_find_fenced(ctx, change->user, change->fence, change->session, &ret_access->task,
                              &ret_access->session);
    if (outcome == OP_OK) {
        outcome = fsm_window_admit(ctx, &ret_access->task, *change->operation);
    }
    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    outcome = fenced(ctx, change->fence, ret_access);
    return outcome == OP_OK ? fsm_room(ctx, FSM_OPERATIONS, 1) : outcome;
}

/* The key's slot, or SLOT_NONE, when it has the version that was expected. */
static enum op_outcome change_find(struct fsm_context *ctx, const struct state_change *change,
                                   struct state_access *ret_access, uint32_t *ret_slot)
{
    enum op_outcome outcome = change_access(ctx, change, ret_access);
    uint64_t version;

    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    *ret_slot = key_of(ctx->fsm, ret_access->session.slot, change->key);
    version = *ret_slot == SLOT_NONE ? 0 : key_read(ctx->fsm, *ret_slot)->version;
    if (change->expected != NULL && *change->expected != version) {
        ctx->details->has_version = true;
        ctx->details->version = version;
        return OP_CONFLICT;
    }
    return OP_OK;
}

static enum op_outcome limit_reached(struct fsm_context *ctx, const char *limit)
{
    ctx->details->has_limit = true;
    ctx->details->limit = bytes_of_text(limit);
    return OP_LIMIT;
}

static enum op_outcome put_room(struct fsm_context *ctx, const struct session_record *session,
                                uint32_t old, const struct op_state_put_request *request)
{
    const struct op_limits *limits = &ctx->fsm->limits;
    uint64_t bytes = session->state_bytes + request->value.size;
    enum op_outcome outcome = OP_OK;
    uint32_t blocks = chain_blocks(request->value.size);

    if (old == SLOT_NONE) {
        bytes += request->key.size;
        blocks += chain_blocks(request->key.size);
        if (session->key_count >= limits->session_keys_max) {
            return limit_reached(ctx, "session_keys_max");
        }
        outcome = fsm_quota_room(ctx, OP_QUOTA_SESSION_KEYS, session->key_count, 1);
        outcome = outcome == OP_OK ? fsm_room(ctx, FSM_KEYS, 1) : outcome;
    } else {
        uint32_t freed = chain_blocks(key_read(ctx->fsm, old)->value_size);

        bytes -= key_read(ctx->fsm, old)->value_size;
        blocks -= freed < blocks ? freed : blocks;
    }
    if (outcome == OP_OK && bytes > limits->session_state_bytes_max) {
        return limit_reached(ctx, "session_state_bytes_max");
    }
    outcome = outcome == OP_OK ? fsm_quota_bytes(ctx, session, bytes) : outcome;
    return outcome == OP_OK ? fsm_room(ctx, FSM_BLOCKS, blocks) : outcome;
}

/* Every change of a session's bytes is one of its tenant's. */
static void bytes_change(struct fsm *fsm, struct session_record *session, uint64_t more,
                         uint64_t less)
{
    struct tenant_record *tenant = table_write(fsm->tables[FSM_TENANTS], session->head.tenant);

    ASSERT(session->state_bytes + more >= less && tenant->state_bytes + more >= less);
    session->state_bytes = session->state_bytes + more - less;
    tenant->state_bytes = tenant->state_bytes + more - less;
}

void fsm_state_gone(struct fsm *fsm, uint32_t session_slot)
{
    struct session_record *session = table_write(fsm->tables[FSM_SESSIONS], session_slot);

    bytes_change(fsm, session, 0, session->state_bytes);
}

static uint32_t key_add(struct fsm *fsm, uint32_t session_slot, struct bytes key)
{
    uint32_t slot = table_take(fsm->tables[FSM_KEYS]);
    struct session_record *session = table_write(fsm->tables[FSM_SESSIONS], session_slot);
    struct key_record *record = table_write(fsm->tables[FSM_KEYS], slot);

    record->session = session_slot;
    record->key_size = (uint32_t)key.size;
    record->key_chain = chain_write(fsm_blocks(fsm), key);
    record->next = session->key_first;
    session->key_first = slot;
    session->key_count++;
    bytes_change(fsm, session, key.size, 0);
    index_insert(fsm->indexes[INDEX_KEY], fsm_hash_key(fsm, session_slot, key), slot);
    sorted_add(fsm->sorted[SORTED_KEYS], session_slot, slot);
    return slot;
}

static void put(struct fsm_context *ctx, const struct state_access *access, uint32_t slot,
                const struct op_state_put_request *request)
{
    struct fsm *fsm = ctx->fsm;
    uint32_t session_slot = access->session.slot;
    struct session_record *session = table_write(fsm->tables[FSM_SESSIONS], session_slot);
    struct key_record *record;

    if (slot == SLOT_NONE) {
        slot = key_add(fsm, session_slot, request->key);
    }
    record = table_write(fsm->tables[FSM_KEYS], slot);
    bytes_change(fsm, session, request->value.size, record->value_size);
    chain_free(fsm_blocks(fsm), record->value_chain);
    record->value_chain = chain_write(fsm_blocks(fsm), request->value);
    record->value_size = (uint32_t)request->value.size;
    record->version = ctx->position;
    record->writer = access->task.record == NULL ? ID128_ZERO : access->task.record->id;
}

enum op_outcome fsm_do_state_put(struct fsm_context *ctx,
                                 const struct op_state_put_request *request,
                                 struct op_state_put_reply *reply)
{
    struct state_change change = {.user = request->user,
                                  .token = FSM_GIVEN(request, token),
                                  .fence = FSM_GIVEN(request, fence),
                                  .session = FSM_GIVEN(request, session),
                                  .operation = FSM_GIVEN(request, operation),
                                  .expected = FSM_GIVEN(request, expected),
                                  .key = request->key};
    struct state_access access;
    uint32_t old = SLOT_NONE;
    enum op_outcome outcome = change_find(ctx, &change, &access, &old);

    if (outcome == OP_OK && !ctx->first) {
        outcome = put_room(ctx, access.session.record, old, request);
    }
    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    put(ctx, &access, old, request);
    reply->has_session = true;
    reply->session = access.session.head->selector;
    reply->has_version = true;
    reply->version = ctx->position;
    return OP_OK;
}

/* ---- deleting ---- */

/* The link that names this key: the session's, or that of the key before it. */
static uint32_t *link_to(struct fsm *fsm, uint32_t session_slot, uint32_t slot)
{
    struct session_record *session = table_write(fsm->tables[FSM_SESSIONS], session_slot);
    uint32_t before = session->key_first;

    if (before == slot) {
        return &session->key_first;
    }
    while (key_read(fsm, before)->next != slot) {
        before = key_read(fsm, before)->next;
        ASSERT(before != SLOT_NONE);
    }
    return &((struct key_record *)table_write(fsm->tables[FSM_KEYS], before))->next;
}

static void key_remove(struct fsm *fsm, uint32_t session_slot, uint32_t slot, struct bytes key)
{
    const struct key_record *record = key_read(fsm, slot);
    struct session_record *session = table_write(fsm->tables[FSM_SESSIONS], session_slot);

    *link_to(fsm, session_slot, slot) = record->next;
    session->key_count--;
    bytes_change(fsm, session, 0, (uint64_t)record->key_size + record->value_size);
    index_remove(fsm->indexes[INDEX_KEY], fsm_hash_key(fsm, session_slot, key), slot);
    sorted_remove(fsm->sorted[SORTED_KEYS], session_slot, slot);
    chain_free(fsm_blocks(fsm), record->key_chain);
    chain_free(fsm_blocks(fsm), record->value_chain);
    table_free(fsm->tables[FSM_KEYS], slot);
}

enum op_outcome fsm_do_state_delete(struct fsm_context *ctx,
                                    const struct op_state_delete_request *request,
                                    struct op_state_delete_reply *reply)
{
    struct state_change change = {.user = request->user,
                                  .token = FSM_GIVEN(request, token),
                                  .fence = FSM_GIVEN(request, fence),
                                  .session = FSM_GIVEN(request, session),
                                  .operation = FSM_GIVEN(request, operation),
                                  .expected = FSM_GIVEN(request, expected),
                                  .key = request->key};
    struct state_access access;
    uint32_t slot = SLOT_NONE;
    enum op_outcome outcome = change_find(ctx, &change, &access, &slot);

    if (outcome != OP_OK || ctx->first) {
        return outcome;
    }
    reply->has_session = true;
    reply->session = access.session.head->selector;
    reply->has_deleted = true;
    reply->deleted = ctx->position;
    reply->has_version = true;
    if (slot != SLOT_NONE) {
        reply->version = key_read(ctx->fsm, slot)->version;
        key_remove(ctx->fsm, access.session.slot, slot, request->key);
    }
    return OP_OK;
}

/* ---- reading ---- */

enum op_outcome fsm_state_readable(struct fsm_context *ctx, const struct fsm_state_reader *reader,
                                   struct fsm_session *ret_session)
{
    struct state_access access;
    enum op_outcome outcome;

    if ((reader->token == NULL) == (reader->fence == NULL)) {
        return fsm_refuse_field(ctx, "token");
    }
    if (reader->session != NULL && reader->fence == NULL) {
        return fsm_refuse_field(ctx, "session");
    }
    if (reader->token != NULL) {
        outcome = access_own(ctx, reader->user, reader->token, &access);
    } else {
        outcome = fsm_find_fenced(ctx, reader->user, reader->fence, reader->session, &access.task,
                                  &access.session);
        outcome = outcome == OP_OK ? fenced(ctx, reader->fence, &access) : outcome;
    }
    if (outcome == OP_OK) {
        *ret_session = access.session;
    }
    return outcome;
}

/* A key that nobody wrote has version 0 and no value. */
enum op_outcome fsm_do_state_get(struct fsm_context *ctx,
                                 const struct op_state_get_request *request,
                                 struct op_state_get_reply *reply)
{
    struct fsm *fsm = ctx->fsm;
    const struct fsm_state_reader reader = {.user = request->user,
                                            .token = FSM_GIVEN(request, token),
                                            .fence = FSM_GIVEN(request, fence),
                                            .session = FSM_GIVEN(request, session)};
    struct fsm_session session;
    enum op_outcome outcome = fsm_state_readable(ctx, &reader, &session);
    const struct key_record *record;
    uint32_t slot;

    if (outcome != OP_OK) {
        return outcome;
    }
    reply->has_session = true;
    reply->session = session.head->selector;
    reply->has_version = true;
    reply->has_value = true;
    slot = session.record == NULL ? SLOT_NONE : key_of(fsm, session.slot, request->key);
    if (slot == SLOT_NONE) {
        return OP_OK;
    }
    record = key_read(fsm, slot);
    ASSERT(record->value_size <= sizeof fsm->value);
    chain_read(fsm_blocks(fsm), record->value_chain, fsm->value, record->value_size);
    reply->version = record->version;
    reply->value = bytes_of(fsm->value, record->value_size);
    reply->has_writer = !id128_is_zero(record->writer);
    reply->writer = record->writer;
    return OP_OK;
}

/* Finding sessions and tasks for a caller: the one code path of docs/MODEL.md section 4. Says
 * nothing about life, but for what is forgotten.
 *
 *  1. Unknown id, other incarnation, other tenant, other user and bad secret give NOT_FOUND after
 * the same steps: the same lookups, the same number of comparisons, no branch between them.
 *  2. Deadlines are looked at only for a caller who passed all of that.
 */
#include "fsm/machine.h"

#include "base/assert.h"

#include <string.h>

/* Compared when there is nothing to compare: no SHA-256 that anybody knows the source of. */
static const uint8_t verifier_of_nobody[32];

struct id_query {
    const struct fsm *fsm;
    struct id128 id;
};

static bool match_session(const void *arg, uint32_t slot)
{
    const struct id_query *query = arg;
    const struct session_record *record = table_read(query->fsm->tables[FSM_SESSIONS], slot);

    return id128_equal(record->head.selector, query->id);
}

static bool match_tombstone(const void *arg, uint32_t slot)
{
    const struct id_query *query = arg;
    const struct tombstone_record *record = table_read(query->fsm->tables[FSM_TOMBSTONES], slot);

    return id128_equal(record->head.selector, query->id);
}

static bool match_task(const void *arg, uint32_t slot)
{
    const struct id_query *query = arg;
    const struct task_record *record = table_read(query->fsm->tables[FSM_TASKS], slot);

    return id128_equal(record->id, query->id);
}

uint64_t fsm_hash_id(const struct fsm *fsm, struct id128 id)
{
    return base_siphash64(&fsm->key, bytes_of(id.bytes, sizeof id.bytes));
}

uint64_t fsm_hash_pair(const struct fsm *fsm, uint64_t a, uint64_t b)
{
    const uint64_t input[2] = {a, b};

    return base_siphash64(&fsm->key, bytes_of(input, sizeof input));
}

uint64_t fsm_hash_cover(const struct fsm *fsm, uint32_t kind, uint32_t tenant, uint32_t name)
{
    return fsm_hash_pair(fsm, ((uint64_t)kind << 32) | tenant, name);
}

uint64_t fsm_hash_key(const struct fsm *fsm, uint32_t session, struct bytes key)
{
    return fsm_hash_pair(fsm, session, base_siphash64(&fsm->key, key));
}

struct fsm_session fsm_session_of(const struct fsm *fsm, struct id128 selector)
{
    struct id_query query = {fsm, selector};
    uint64_t hash = fsm_hash_id(fsm, selector);
    uint32_t live = index_find(fsm->indexes[INDEX_SESSION], hash, match_session, &query);
    uint32_t stone = index_find(fsm->indexes[INDEX_TOMBSTONE], hash, match_tombstone, &query);
    struct fsm_session session = {NULL, NULL, NULL, SLOT_NONE};

    if (live != SLOT_NONE) {
        session.slot = live;
        session.record = table_read(fsm->tables[FSM_SESSIONS], live);
        session.head = &session.record->head;
    } else if (stone != SLOT_NONE) {
        session.slot = stone;
        session.stone = table_read(fsm->tables[FSM_TOMBSTONES], stone);
        session.head = &session.stone->head;
    }
    return session;
}

uint32_t fsm_task_of(const struct fsm *fsm, struct id128 id)
{
    struct id_query query = {fsm, id};

    return index_find(fsm->indexes[INDEX_TASK], fsm_hash_id(fsm, id), match_task, &query);
}

struct session_head *fsm_head_write(struct fsm *fsm, const struct fsm_session *session)
{
    if (session->record != NULL) {
        return &((struct session_record *)table_write(fsm->tables[FSM_SESSIONS], session->slot))
                    ->head;
    }
    return &((struct tombstone_record *)table_write(fsm->tables[FSM_TOMBSTONES], session->slot))
                ->head;
}

/* One constant-time comparison, counted. */
static bool verifier_equal(struct fsm *fsm, const uint8_t *stored, const uint8_t *presented)
{
    fsm->counters.comparisons++;
    return base_equal_constant_time(stored, presented, sizeof verifier_of_nobody);
}

/* Same tenant as the caller, and this user in it. */
static bool owned(const struct fsm_context *ctx, const struct session_head *head, struct bytes user)
{
    uint32_t cover = fsm_cover_of(ctx->fsm, COVER_USER, ctx->tenant, user);

    return (head != NULL) & (cover != SLOT_NONE) &&
           (head->tenant == ctx->tenant) & (head->cover[COVER_USER] == cover);
}

static bool remembered(struct fsm_context *ctx, const struct fsm_session *session)
{
    struct fsm_end end = fsm_session_end_of(ctx, session);

    return !end.ended ||
           !fsm_deadline_passed(ctx, fsm_forgotten_time(ctx->fsm, session->head, end.time));
}

enum op_outcome fsm_find_session(struct fsm_context *ctx, struct bytes user,
                                 const struct op_token *token, struct fsm_session *ret_session)
{
    struct fsm *fsm = ctx->fsm;
    struct fsm_session session = fsm_session_of(fsm, token->id);
    const uint8_t *verifier = session.head == NULL ? verifier_of_nobody : session.head->verifier;
    bool here = id128_equal(token->incarnation, fsm->incarnation);
    bool secret = verifier_equal(fsm, verifier, token->verifier);
    bool owner = owned(ctx, session.head, user);

    fsm->counters.lookups++;
    if (!(here & secret & owner) || !remembered(ctx, &session)) {
        return OP_NOT_FOUND;
    }
    *ret_session = session;
    return OP_OK;
}

enum op_outcome fsm_find_target(struct fsm_context *ctx, struct bytes user, struct id128 selector,
                                struct fsm_session *ret_session)
{
    struct fsm_session session = fsm_session_of(ctx->fsm, selector);

    ctx->fsm->counters.lookups++;
    if (!owned(ctx, session.head, user) || !remembered(ctx, &session)) {
        return OP_NOT_FOUND;
    }
    *ret_session = session;
    return OP_OK;
}

/* The verifiers of a task's last four attempts, newest first; of nobody where there are fewer. */
static void task_verifiers(const struct fsm *fsm, const struct task_record *task,
                           uint8_t (*ret_verifiers)[32])
{
    memset(ret_verifiers, 0, (size_t)(1 + TASK_VERIFIERS_OLDER) * 32);
    if (task == NULL || task->attempt == 0) {
        return;
    }
    memcpy(ret_verifiers[0], task->verifier, 32);
    if (task->older_count > 0) {
        ASSERT(task->older_count <= TASK_VERIFIERS_OLDER);
        chain_read(fsm_blocks(fsm), task->older_chain, ret_verifiers[1],
                   (size_t)task->older_count * 32);
    }
}

/* The task under this id as far as this user may know of it. */
static bool task_owned(struct fsm_context *ctx, struct bytes user, struct id128 id,
                       struct fsm_task *ret_task)
{
    struct fsm *fsm = ctx->fsm;
    uint32_t slot = fsm_task_of(fsm, id);
    const struct task_record *record = slot == SLOT_NONE ? NULL
                                                         : table_read(fsm->tables[FSM_TASKS], slot);
    struct fsm_session own = fsm_session_of(fsm, record == NULL ? id : record->session);

    fsm->counters.lookups++;
    ASSERT(record == NULL || own.head != NULL); /* a task pins its own session */
    *ret_task = (struct fsm_task){slot, record, own, false};
    return (record != NULL) & owned(ctx, own.head, user);
}

enum op_outcome fsm_find_fence(struct fsm_context *ctx, struct bytes user,
                               const struct op_token *token, struct fsm_task *ret_task)
{
    uint8_t verifiers[1 + TASK_VERIFIERS_OLDER][32];
    struct fsm_task task;
    bool owner = task_owned(ctx, user, token->id, &task);
    bool here = id128_equal(token->incarnation, ctx->fsm->incarnation);
    bool known = false;

    task_verifiers(ctx->fsm, task.record, verifiers);
    task.newest = verifier_equal(ctx->fsm, verifiers[0], token->verifier);
    for (size_t i = 1; i <= TASK_VERIFIERS_OLDER; i++) {
        known |= verifier_equal(ctx->fsm, verifiers[i], token->verifier);
    }
    known |= task.newest;
    if (!(owner & here & known) ||
        fsm_deadline_passed(ctx, fsm_task_forgotten_time(ctx->fsm, task.record))) {
        return OP_NOT_FOUND;
    }
    *ret_task = task;
    return OP_OK;
}

enum op_outcome fsm_find_fenced(struct fsm_context *ctx, struct bytes user,
                                const struct op_token *fence, const struct id128 *session,
                                struct fsm_task *ret_task, struct fsm_session *ret_target)
{
    enum op_outcome task = fsm_find_fence(ctx, user, fence, ret_task);
    struct id128 selector = fence->id;
    enum op_outcome target;

    if (session != NULL) {
        selector = *session;
    } else if (task == OP_OK) {
        selector = ret_task->record->session;
    }
    target = fsm_find_target(ctx, user, selector, ret_target);
    return task == OP_OK ? target : task;
}

enum op_outcome fsm_find_task(struct fsm_context *ctx, struct bytes user, struct id128 id,
                              struct fsm_task *ret_task)
{
    struct fsm_task task;

    if (!task_owned(ctx, user, id, &task) ||
        fsm_deadline_passed(ctx, fsm_task_forgotten_time(ctx->fsm, task.record))) {
        return OP_NOT_FOUND;
    }
    *ret_task = task;
    return OP_OK;
}

/* Lineages: a session without parent and all below it, and what a task keeps of those that it
 * belongs to or belonged to. Who is dead by a revoke is life.c's and fence.c's to say.
 *
 *  1. A head's `pins` counts the tasks whose own session it is, and those that left its lineage;
 *     its tombstone is kept while there are any. So whatever a task stands under can be found, and
 *     can be revoked.
 *  2. A task remembers at most task_lineages_max lineages that it left, each once.
 *  3. A pinned session keeps its grants in a chain (grant.c, invariant 2).
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

/* More than any limit allows. */
enum { LINEAGES_MOST = 64 };

struct fsm_session fsm_root_of(const struct fsm *fsm, const struct fsm_session *session)
{
    (void)fsm;
    return *session;
}

/* ---- pins ---- */

static void pin(struct fsm *fsm, const struct fsm_session *session, uint64_t until)
{
    struct session_head *head = fsm_head_write(fsm, session);

    head->pins++;
    head->tasks_until = u64_max(head->tasks_until, until);
    if (session->record != NULL && head->pins == 1) { /* invariant 3 */
        struct fsm_grants grants;

        fsm_session_grants(fsm, session, &grants);
        fsm_session_grants_set(fsm, session->slot, &grants);
    }
}

static void unpin(struct fsm *fsm, const struct fsm_session *session)
{
    struct session_head *head = fsm_head_write(fsm, session);

    ASSERT(head->pins > 0);
    head->pins--;
    if (head->pins == 0 && session->stone != NULL) {
        fsm_tombstone_unpin(fsm, session->slot);
    }
}

void fsm_task_pin(struct fsm *fsm, struct id128 id, uint64_t until)
{
    struct fsm_session own = fsm_session_of(fsm, id);

    fsm_head_write(fsm, &own)->task_count++;
    pin(fsm, &own, until);
}

uint32_t fsm_pin_blocks(const struct fsm_session *own)
{
    (void)own;
    return fsm_grants_blocks(GRANTS_INLINE);
}

void fsm_task_unpin(struct fsm *fsm, struct id128 id)
{
    struct fsm_session own = fsm_session_of(fsm, id);
    struct session_head *head;

    ASSERT(own.head != NULL && own.head->task_count > 0);
    head = fsm_head_write(fsm, &own);
    head->task_count--;
    unpin(fsm, &own);
}

/* ---- lineages that a task left ---- */

static uint32_t lineages_read(const struct fsm *fsm, const struct task_record *task,
                              struct id128 *ret_roots)
{
    ASSERT(task->lineage_count <= LINEAGES_MOST);
    chain_read(fsm_blocks(fsm), task->lineage_chain, ret_roots,
               task->lineage_count * sizeof ret_roots[0]);
    return task->lineage_count;
}

/* Has it to be remembered, when the task leaves `own` for `adopter`? */
static bool is_new(const struct fsm *fsm, const struct task_record *task,
                   const struct fsm_session *own, const struct fsm_session *adopter)
{
    struct id128 root = fsm_root_of(fsm, own).head->selector;
    struct id128 roots[LINEAGES_MOST];
    uint32_t count = lineages_read(fsm, task, roots);

    for (uint32_t i = 0; i < count; i++) {
        if (id128_equal(roots[i], root)) {
            return false;
        }
    }
    return !id128_equal(root, fsm_root_of(fsm, adopter).head->selector);
}

enum op_outcome fsm_lineage_room(struct fsm_context *ctx, const struct fsm_task *task,
                                 const struct fsm_session *adopter)
{
    if (task->record->lineage_count < ctx->fsm->limits.task_lineages_max ||
        !is_new(ctx->fsm, task->record, &task->own, adopter)) {
        return OP_OK;
    }
    ctx->details->has_limit = true;
    ctx->details->limit = bytes_of_text("task_lineages_max");
    return OP_LIMIT;
}

void fsm_lineage_leave(struct fsm *fsm, struct task_record *task, const struct fsm_session *own,
                       const struct fsm_session *adopter)
{
    struct fsm_session root = fsm_root_of(fsm, own);
    struct id128 roots[LINEAGES_MOST];
    uint32_t count;

    if (!is_new(fsm, task, own, adopter)) {
        return;
    }
    count = lineages_read(fsm, task, roots);
    ASSERT(count < LINEAGES_MOST);
    roots[count++] = root.head->selector;
    chain_free(fsm_blocks(fsm), task->lineage_chain);
    task->lineage_count = count;
    task->lineage_chain = chain_write(fsm_blocks(fsm), bytes_of(roots, count * sizeof roots[0]));
    pin(fsm, &root, fsm_task_forgotten_time(fsm, task));
}

bool fsm_lineage_revoked(const struct fsm *fsm, const struct task_record *task)
{
    struct id128 roots[LINEAGES_MOST];
    uint32_t count = lineages_read(fsm, task, roots);

    for (uint32_t i = 0; i < count; i++) {
        if (fsm_session_of(fsm, roots[i]).head->revoked > task->epoch) {
            return true;
        }
    }
    return false;
}

void fsm_lineages_free(struct fsm *fsm, const struct task_record *task)
{
    struct id128 roots[LINEAGES_MOST];
    uint32_t count = lineages_read(fsm, task, roots);

    for (uint32_t i = 0; i < count; i++) {
        struct fsm_session root = fsm_session_of(fsm, roots[i]);

        unpin(fsm, &root);
    }
    chain_free(fsm_blocks(fsm), task->lineage_chain);
}

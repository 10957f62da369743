/* Lineages: a session without parent and all below it, and what a task keeps of those that it
 * belongs to or belonged to. Who is dead by a revoke is life.c's and fence.c's to say.
 *
 *  1. A head's `pins` counts the tasks whose own session it or one below it is, and those that left
 *     its lineage; its tombstone is kept while there are any. So whatever a task stands under can
 *     be found, and can be revoked.
 *  2. A task remembers at most task_lineages_max lineages that it left, each once.
 *  3. A pinned session keeps its grants in a chain (grant.c, invariant 2).
 *  4. At most tasks_max sessions and tombstones are pinned: there are tombstones for so many.
 *  5. A session's children that are not swept are in a list by C, and it is swept after them. In
 *     its tenant's list no tombstone stands before one below it.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

/* More than any limit allows. */
enum { LINEAGES_MOST = 64 };

struct fsm_session fsm_parent_of(const struct fsm *fsm, const struct fsm_session *session)
{
    if (id128_is_zero(session->head->parent)) {
        return (struct fsm_session){NULL, NULL, NULL, SLOT_NONE};
    }
    return fsm_session_of(fsm, session->head->parent);
}

struct fsm_session fsm_root_of(const struct fsm *fsm, const struct fsm_session *session)
{
    struct fsm_session root = *session;

    for (struct fsm_session at = root; at.head != NULL; at = fsm_parent_of(fsm, &at)) {
        root = at;
    }
    return root;
}

/* ---- children ---- */

static struct session_record *session_write(struct fsm *fsm, uint32_t slot)
{
    return table_write(fsm->tables[FSM_SESSIONS], slot);
}

void fsm_child_link(struct fsm *fsm, uint32_t parent_slot, uint32_t slot)
{
    struct session_record *parent = session_write(fsm, parent_slot);
    struct session_record *child = session_write(fsm, slot);

    parent->child_count++;
    child->child_next = SLOT_NONE;
    child->child_previous = slot;
    if (parent->child_first == SLOT_NONE) {
        parent->child_first = slot;
    } else {
        struct session_record *first = session_write(fsm, parent->child_first);

        session_write(fsm, first->child_previous)->child_next = slot;
        child->child_previous = first->child_previous;
        first->child_previous = slot;
    }
}

void fsm_child_unlink(struct fsm *fsm, uint32_t slot)
{
    struct session_record *child = session_write(fsm, slot);
    struct fsm_session self = {&child->head, child, NULL, slot};
    struct fsm_session above = fsm_parent_of(fsm, &self);
    struct session_record *parent;

    if (above.record == NULL) {
        return;
    }
    parent = session_write(fsm, above.slot);
    ASSERT(parent->child_count > 0);
    parent->child_count--;
    if (child->child_next != SLOT_NONE) {
        session_write(fsm, child->child_next)->child_previous = child->child_previous;
    } else if (parent->child_first != slot) { /* it was the last */
        session_write(fsm, parent->child_first)->child_previous = child->child_previous;
    }
    if (parent->child_first == slot) {
        parent->child_first = child->child_next;
    } else {
        session_write(fsm, child->child_previous)->child_next = child->child_next;
    }
}

/* ---- pins ---- */

static void pin(struct fsm *fsm, const struct fsm_session *session, uint64_t until)
{
    struct session_head *head = fsm_head_write(fsm, session);

    if (head->pins == 0) {
        ((struct meta_record *)table_write(fsm->tables[FSM_META], 1))->pinned++;
    }
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
    if (head->pins == 0) {
        ((struct meta_record *)table_write(fsm->tables[FSM_META], 1))->pinned--;
    }
    if (head->pins == 0 && session->stone != NULL) {
        fsm_tombstone_unpin(fsm, session->slot);
    }
}

void fsm_task_pin(struct fsm *fsm, struct id128 id, uint64_t until)
{
    struct fsm_session own = fsm_session_of(fsm, id);

    fsm_head_write(fsm, &own)->task_count++;
    fsm_covers_task(fsm, own.head, 1);
    for (struct fsm_session at = own; at.head != NULL; at = fsm_parent_of(fsm, &at)) {
        pin(fsm, &at, until);
    }
}

/* Invariant 4. */
enum op_outcome fsm_pin_room(struct fsm_context *ctx, const struct fsm_session *own)
{
    uint64_t more = 0;

    for (struct fsm_session at = *own; at.head != NULL; at = fsm_parent_of(ctx->fsm, &at)) {
        more += at.head->pins == 0 ? 1 : 0;
    }
    return more > 0 && fsm_meta(ctx->fsm)->pinned + more > ctx->fsm->limits.tasks_max
               ? fsm_refuse_full(ctx, "tasks_max")
               : OP_OK;
}

uint32_t fsm_pin_blocks(const struct fsm_session *own)
{
    return own->head->depth * fsm_grants_blocks(GRANTS_INLINE);
}

uint32_t fsm_unpin_blocks(const struct fsm *fsm, const struct fsm_session *own)
{
    uint32_t blocks = 0;

    for (struct fsm_session at = *own; at.head != NULL; at = fsm_parent_of(fsm, &at)) {
        if (at.stone != NULL && at.head->pins == 1) {
            blocks += fsm_tombstone_blocks(at.stone);
        }
    }
    return blocks;
}

void fsm_task_unpin(struct fsm *fsm, struct id128 id)
{
    struct fsm_session own = fsm_session_of(fsm, id);
    struct session_head *head;

    ASSERT(own.head != NULL && own.head->task_count > 0);
    head = fsm_head_write(fsm, &own);
    head->task_count--;
    fsm_covers_task(fsm, head, -1);
    for (struct fsm_session at = own; at.head != NULL;) { /* from below: invariant 5 */
        struct fsm_session above = fsm_parent_of(fsm, &at);

        unpin(fsm, &at);
        at = above;
    }
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

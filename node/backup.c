/* Keeps in mind what the newest snapshot holds, and asks for a newer one. */
#include "node/backup.h"

#include "base/assert.h"
#include "base/encode.h"
#include "node/bootstrap.h"
#include "node/internal.h"

static struct node_backup_facts facts_of(const struct node *node, uint64_t index)
{
    return (struct node_backup_facts){.known = true,
                                      .index = index,
                                      .position = fsm_position(node->fsm),
                                      .time = fsm_time(node->fsm),
                                      .digest = fsm_digest(node->fsm),
                                      .sessions = fsm_session_count(node->fsm),
                                      .tasks = fsm_task_count(node->fsm)};
}

void node_backup_restored(struct node *node)
{
    node->backup.newest = facts_of(node, 0);
    node->backup.next = (struct node_backup_facts){.known = false};
}

/* Of the snapshot that is the newest by now. */
static const struct node_backup_facts *newest(struct node *node, uint64_t index)
{
    struct node_backup *backup = &node->backup;
    if (backup->next.known && backup->next.index == index) {
        backup->newest = backup->next;
        backup->next.known = false;
    }
    if (backup->newest.index == 0) {
        backup->newest.index = index;
    }
    return index != 0 && backup->newest.known && backup->newest.index == index ? &backup->newest
                                                                               : NULL;
}

void node_backup_begun(struct node *node)
{
    struct rlog_status status;
    if (node->rlog == NULL) {
        node->backup.next.known = false; /* it has not come back from its start */
        return;
    }
    rlog_status(node->rlog, &status);
    (void)newest(node, status.snapshot); /* the walk before has ended */
    node->backup.next = facts_of(node, status.applied);
}

bool node_backup_take(struct node *node, uint64_t position, uint8_t buffer[NODE_BACKUP_BUFFER],
                      struct op_snapshot_take_reply *ret_reply)
{
    struct rlog_status status;
    rlog_status(node->rlog, &status);
    const struct node_backup_facts *facts = newest(node, status.snapshot);
    if (facts == NULL || facts->position < position) {
        rlog_snapshot_now(node->rlog);
        return false;
    }
    struct base_writer writer;
    node_digest_bytes(facts->digest, buffer);
    base_writer_init(&writer, buffer + 16, OP_SNAPSHOT_LIMITS_MAX);
    op_limits_write(&writer, &node->bootstrap->limits);
    ASSERT(!writer.failed);
    *ret_reply = (struct op_snapshot_take_reply){
        .index = facts->index,
        .position = facts->position,
        .time = facts->time,
        .digest = bytes_of(buffer, 16),
        .cluster = bytes_of_text(node->bootstrap->birth.cluster),
        .incarnation = fsm_incarnation(node->fsm),
        .sessions = facts->sessions,
        .tasks = facts->tasks,
        .hash_key = bytes_of(node->bootstrap->hash_key, sizeof(node->bootstrap->hash_key)),
        .limits = base_written(&writer),
    };
    return true;
}

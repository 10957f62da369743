/* Changes of the members and of the leader, one call each. Decides not which are sound
 * (raftlog/change.c).
 */
#include "node/operate.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "node/internal.h"

enum { OPERATIONS_MAX = 16, REASON_MAX = 256, NODE_ID_MAX = 65535 };

struct operation {
    struct list in_open;
    struct node_request *request;
    bool transfers;
    struct rlog_change change;
    uint64_t index;       /* that has to be applied; 0: none yet */
    uint64_t deadline_us; /* until then leadership is handed over, where it has to be */
};

void node_operate_init(struct node_operations *operations)
{
    list_init(&operations->open);
    operations->count = 0;
}

bool node_operate_empty(const struct node_operations *operations)
{
    return operations->count == 0;
}

static const struct {
    enum op_number number;
    enum rlog_change_kind kind;
} changes[] = {{OP_member_add, RLOG_ADD},
               {OP_member_promote, RLOG_PROMOTE},
               {OP_member_remove, RLOG_REMOVE},
               {OP_member_replace, RLOG_REPLACE}};

enum { CHANGES = sizeof(changes) / sizeof(changes[0]) };

bool node_operates(const struct op_row *row)
{
    size_t i = 0;
    while (i < CHANGES && changes[i].number != row->number) {
        i++;
    }
    return i < CHANGES || row->number == OP_leader_transfer;
}

static void end(struct node *node, struct operation *operation)
{
    list_remove(&operation->in_open);
    node->operations.count--;
    free(operation);
}

static void refuse(struct node *node, struct operation *operation, enum op_outcome outcome,
                   const char *reason)
{
    struct op_reply_head head = node_head(node, outcome);
    head.message = reason == NULL ? BYTES_NONE : bytes_of_text(reason);
    node_request_answer(node, operation->request, &head, NULL, NULL, NULL);
    end(node, operation);
}

static void answer_members(struct node *node, struct operation *operation)
{
    struct op_reply_head head = node_head(node, OP_OK);
    size_t count;
    (void)rlog_members(node->rlog, &count);
    size_t voters = rlog_voters(node->rlog);
    /* The four replies have the same fields. */
    const struct op_member_add_reply reply = {
        .has_voters = true, .voters = voters, .has_learners = true, .learners = count - voters};
    env_log(node->env, ENV_LOG_INFO, "members", "%s of node %llu is done: %zu voters, %zu learners",
            operation->request->row->method, (unsigned long long)operation->change.member.id,
            voters, count - voters);
    node_request_answer(node, operation->request, &head, NULL, operation->request->row->reply,
                        &reply);
    end(node, operation);
}

static void answer_leader(struct node *node, struct operation *operation)
{
    struct op_reply_head head = node_head(node, OP_OK);
    const struct op_leader_transfer_reply reply = {.has_node = true, .node = node->lead.leader};
    node_request_answer(node, operation->request, &head, NULL, operation->request->row->reply,
                        &reply);
    end(node, operation);
}

/* ---- members ---- */

static bool take_text(struct bytes text, char *buffer)
{
    if (text.size >= ENV_ADDRESS_MAX) {
        return false;
    }
    if (text.size > 0) {
        memcpy(buffer, text.data, text.size);
    }
    return true;
}

static bool take_change(const struct node_request *request, struct rlog_change *ret_change)
{
    union op_request asked;
    struct rlog_member *member = &ret_change->member;
    node_request_decode(request, &asked, NULL);
    memset(ret_change, 0, sizeof(*ret_change));
    for (size_t i = 0; i < CHANGES; i++) {
        if (changes[i].number == request->row->number) {
            ret_change->kind = changes[i].kind;
        }
    }
    switch (ret_change->kind) {
    case RLOG_ADD:
        member->id = asked.member_add.node;
        member->store = asked.member_add.store;
        return member->id > 0 && member->id <= NODE_ID_MAX && asked.member_add.address.size > 0 &&
               asked.member_add.client_address.size > 0 &&
               take_text(asked.member_add.address, member->address) &&
               take_text(asked.member_add.client_address, member->note);
    case RLOG_PROMOTE:
        member->id = asked.member_promote.node;
        return true;
    case RLOG_REMOVE:
        member->id = asked.member_remove.node;
        return true;
    case RLOG_REPLACE:
        member->id = asked.member_replace.node;
        member->store = asked.member_replace.store;
        return take_text(asked.member_replace.address, member->address) &&
               take_text(asked.member_replace.client_address, member->note);
    }
    UNREACHABLE("no change of the members");
}

static void ask(struct node *node, struct operation *operation)
{
    char reason[REASON_MAX] = "";
    if (operation->change.kind == RLOG_PROMOTE &&
        node_level_bars(node, operation->change.member.id, reason, sizeof(reason))) {
        refuse(node, operation, OP_NOT_READY, reason);
        return;
    }
    switch (
        rlog_change(node->rlog, &operation->change, reason, sizeof(reason), &operation->index)) {
    case RLOG_CHANGE_BEGUN:
        return;
    case RLOG_CHANGE_SO:
        answer_members(node, operation);
        return;
    case RLOG_CHANGE_LEADS: /* its successor takes it out, when that is asked */
        if (rlog_transfer(node->rlog, 0, reason, sizeof(reason)) != RLOG_CHANGE_BEGUN) {
            refuse(node, operation, OP_NOT_READY, reason);
        } /* otherwise node_operate_lost answers, or a turn asks again */
        return;
    case RLOG_CHANGE_LATER:
        refuse(node, operation, OP_NOT_READY, reason);
        return;
    case RLOG_CHANGE_REFUSED:
        refuse(node, operation, OP_INVALID, reason);
        return;
    case RLOG_CHANGE_ELSEWHERE:
        refuse(node, operation, OP_NOT_LEADER, NULL);
        return;
    }
}

/* ---- leadership ---- */

static void hand_over(struct node *node, struct operation *operation)
{
    union op_request asked;
    char reason[REASON_MAX] = "";
    node_request_decode(operation->request, &asked, NULL);
    uint64_t to = asked.leader_transfer.has_node ? asked.leader_transfer.node : 0;
    if (to != 0 && to == node->config->node) {
        answer_leader(node, operation); /* it leads, as somebody may have asked before */
        return;
    }
    enum rlog_change_verdict verdict = rlog_transfer(node->rlog, to, reason, sizeof(reason));
    if (verdict != RLOG_CHANGE_BEGUN) {
        refuse(node, operation, verdict == RLOG_CHANGE_REFUSED ? OP_INVALID : OP_NOT_READY, reason);
    }
}

static void look_at_transfer(struct node *node, struct operation *operation)
{
    bool leads = node->lead.state != LEAD_FOLLOWING;
    if (!leads && node->lead.leader != 0) {
        answer_leader(node, operation);
    } else if (leads && !rlog_transferring(node->rlog)) {
        refuse(node, operation, OP_NOT_READY, "nobody could take leadership over in time");
    } else if (env_mono_us(node->env) >= operation->deadline_us) {
        refuse(node, operation, OP_NOT_READY, "no new leader is known yet");
    }
}

/* Of a change: nothing has happened yet, and nobody waits for it any more, or for too long. What
 * stands in the log is gone on with: a replaced member is out for a while. */
static bool may_end(const struct node *node, const struct operation *operation)
{
    const struct node_request *request = operation->request;
    return operation->index == 0 && (request->unwanted || request->connection == NULL ||
                                     env_mono_us(node->env) >= operation->deadline_us);
}

/* ---- all of them ---- */

void node_operate(struct node *node, struct node_request *request)
{
    struct operation *operation = node->operations.count < OPERATIONS_MAX
                                      ? calloc(1, sizeof(*operation))
                                      : NULL;
    if (operation == NULL) {
        node_request_refuse(node, request, OP_OVERLOADED);
        return;
    }
    list_remove(&request->in_queue);
    node_request_move(request, REQUEST_OPERATING);
    operation->request = request;
    operation->transfers = request->row->number == OP_leader_transfer;
    operation->deadline_us = env_mono_us(node->env) +
                             4 * (uint64_t)node->config->election_ms * 1000;
    list_append(&node->operations.open, &operation->in_open);
    node->operations.count++;
    if (operation->transfers) {
        hand_over(node, operation);
    } else if (!take_change(request, &operation->change)) {
        refuse(node, operation, OP_INVALID,
               "give an id from 1 to 65535, and an address and a client address of HOST:PORT");
    } else {
        ask(node, operation);
    }
}

void node_operate_turn(struct node *node)
{
    LIST_FOR_EACH_SAFE(at, following, &node->operations.open)
    {
        struct operation *operation = LIST_ENTRY(at, struct operation, in_open);
        if (operation->transfers) {
            look_at_transfer(node, operation);
        } else if (may_end(node, operation)) {
            refuse(node, operation, OP_NOT_READY, "leadership could not be handed over in time");
        } else if (!rlog_transferring(node->rlog) && rlog_applied(node->rlog) >= operation->index) {
            ask(node, operation);
        }
    }
}

void node_operate_lost(struct node *node)
{
    LIST_FOR_EACH_SAFE(at, following, &node->operations.open)
    {
        struct operation *operation = LIST_ENTRY(at, struct operation, in_open);
        if (!operation->transfers || node->stopping) {
            refuse(node, operation, OP_NOT_LEADER, NULL);
        }
    }
}

void node_operate_done(struct node *node)
{
    while (!list_empty(&node->operations.open)) {
        refuse(node, LIST_ENTRY(node->operations.open.next, struct operation, in_open),
               OP_NOT_LEADER, NULL);
    }
}

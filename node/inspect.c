/* Fills in the leader's view of the cluster. */
#include "node/inspect.h"

#include "base/assert.h"
#include "base/sat.h"
#include "node/internal.h"

static struct op_item_listed_member member_line(const struct node *node,
                                                const struct rlog_status *status, size_t which)
{
    const struct rlog_member *member = &status->members[which];
    const struct rlog_progress *progress = &status->progress[which];
    uint64_t knows = node_level_known(node, member->id);
    return (struct op_item_listed_member){
        .has_node = true,
        .node = member->id,
        .has_role = true,
        .role = member->voter ? OP_MEMBER_ROLE_VOTER : OP_MEMBER_ROLE_LEARNER,
        .has_leader = true,
        .leader = member->id == status->id,
        .has_address = true,
        .address = bytes_of_text(member->address),
        .has_client = true,
        .client = bytes_of_text(member->note[0] == '\0' ? "-" : member->note),
        .has_store = !id128_is_zero(progress->store),
        .store = progress->store,
        .has_connected = true,
        .connected = status->connected[which],
        .has_silent_us = status->connected[which],
        .silent_us = progress->silent_us,
        .has_match = progress->known,
        .match = progress->match,
        .has_lag = progress->known,
        .lag = sat_sub(status->last, progress->match),
        .has_damaged = true,
        .damaged = progress->damaged,
        .has_knows = knows != 0,
        .knows = knows,
    };
}

static void list_members(const struct node *node, const struct rlog_status *status,
                         struct op_member_list_reply *reply)
{
    ASSERT(status->member_count <= OP_MAX_listed_member);
    for (size_t i = 0; i < status->member_count; i++) {
        reply->members[reply->members_count++] = member_line(node, status, i);
    }
}

static void name_cluster(const struct node *node, const struct rlog_status *status,
                         struct op_cluster_get_reply *reply)
{
    reply->has_cluster = true;
    reply->cluster = bytes_of_text(node->bootstrap->birth.cluster);
    reply->has_node = true;
    reply->node = status->id;
    reply->has_voters = true;
    reply->voters = status->voters;
    reply->has_connected = true;
    for (size_t i = 0; i < status->member_count; i++) {
        reply->connected += status->members[i].voter && status->connected[i] ? 1 : 0;
    }
    reply->has_level = true;
    reply->level = fsm_level(node->fsm);
}

void node_inspect(const struct node *node, const struct op_row *row, union op_reply *reply,
                  struct rlog_status *ret_status)
{
    bool members = row->number == OP_member_list;
    if (!members && row->number != OP_cluster_get) {
        return;
    }
    rlog_status(node->rlog, ret_status);
    if (members) {
        list_members(node, ret_status, &reply->member_list);
    } else {
        name_cluster(node, ret_status, &reply->cluster_get);
    }
}

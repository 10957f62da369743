/* Calls that a node answers of itself, without the log: hello, node.status, cluster.time,
 * snapshot.take and snapshot.read. */
#include <string.h>

#include "base/assert.h"
#include "node/internal.h"
#include "op/text.h"

void node_answer(struct node *node, struct node_connection *connection, uint32_t msgid,
                 const struct op_struct *s, const void *value)
{
    struct op_reply_head head = node_head(node, OP_OK);
    struct base_writer writer;
    base_writer_init(&writer, node->scratch, NODE_SCRATCH);
    op_response_write(&writer, msgid, &head, NULL, s, value);
    ASSERT(!writer.failed);
    node_connection_send(connection, base_written(&writer));
}

void node_refuse(struct node *node, struct node_connection *connection, uint32_t msgid,
                 enum op_outcome outcome, const char *text)
{
    struct op_reply_head head = node_head(node, outcome);
    head.message = text == NULL ? BYTES_NONE : bytes_of_text(text);
    struct base_writer writer;
    base_writer_init(&writer, node->scratch, NODE_SCRATCH);
    op_response_write(&writer, msgid, &head, NULL, NULL, NULL);
    node_connection_send(connection, base_written(&writer));
}

static void hello(struct node *node, struct node_connection *connection,
                  const struct op_message *message)
{
    struct op_hello_request request;
    struct op_fault fault;
    if (!op_map_read(message->params, &op_hello_request_struct, &request, NULL, NULL, &fault)) {
        node_connection_break(connection, fault.text);
        return;
    }
    if (request.version != OP_PROTOCOL_VERSION) {
        node_connection_break(connection, "this server speaks protocol version 1");
        return;
    }
    if (connection->greeted) {
        node_connection_break(connection, "hello was said already");
        return;
    }
    node_connection_greeted(connection);
    if (request.has_software) {
        env_log(node->env, ENV_LOG_DEBUG, "client", "%s: connection %llu: %s: %.*s",
                env_conn_address(connection->conn), (unsigned long long)connection->number,
                connection->name, (int)request.software.size, (const char *)request.software.data);
    }
    connection->instance = request.instance;
    struct bytes leader = node_leader_address(node);
    struct op_hello_reply reply = {
        .version = OP_PROTOCOL_VERSION,
        .cluster = bytes_of_text(node->bootstrap->birth.cluster),
        .incarnation = fsm_incarnation(node->fsm),
        .node = node->config->node,
        .has_leader = leader.size > 0,
        .leader = leader,
    };
    node_answer(node, connection, message->msgid, &op_hello_reply_struct, &reply);
}

static const char *role_text(enum rlog_role role)
{
    switch (role) {
    case RLOG_FOLLOWER:
        return "follower";
    case RLOG_CANDIDATE:
        return "candidate";
    case RLOG_LEADER:
        return "leader";
    }
    return "stopped";
}

/* It names files as this machine has them: those bytes may be no text. */
static struct bytes damage_text(const struct rlog_status *raft)
{
    struct bytes text = bytes_of_text(raft->damage);
    _Static_assert(sizeof(raft->damage) <= OP_DAMAGE_MAX + 1, "it fits into the answer");
    return op_text_valid(text) ? text : bytes_of_text("this node found damage: see its log");
}

void node_digest_bytes(struct hash128 digest, uint8_t ret_bytes[16])
{
    struct base_writer writer;
    base_writer_init(&writer, ret_bytes, 16);
    base_write_u64(&writer, digest.low);
    base_write_u64(&writer, digest.high);
}

static void status(struct node *node, struct node_connection *connection,
                   const struct op_message *message)
{
    struct op_status_request request;
    struct op_fault fault;
    if (!op_map_read(message->params, &op_status_request_struct, &request, NULL, NULL, &fault)) {
        node_refuse(node, connection, message->msgid, fault.outcome, fault.text);
        return;
    }
    uint64_t position = request.has_at ? request.at : fsm_position(node->fsm);
    struct hash128 digest = fsm_digest(node->fsm);
    if (request.has_at && !node_digests_find(&node->digests, position, &digest)) {
        node_refuse(node, connection, message->msgid,
                    position > fsm_position(node->fsm) ? OP_NOT_READY : OP_NOT_FOUND,
                    "no digest is kept for that position");
        return;
    }
    uint8_t bytes[16];
    node_digest_bytes(digest, bytes);
    struct rlog_status raft;
    rlog_status(node->rlog, &raft);
    struct bytes leader = node_leader_address(node);
    bool all_tenants = connection->role == OP_ROLE_OPERATOR; /* these counts are of all */
    struct op_status_reply reply = {
        .node = node->config->node,
        .role = bytes_of_text(role_text(raft.role)),
        .term = raft.term,
        .has_leader_node = raft.leader != 0,
        .leader_node = raft.leader,
        .has_leader = leader.size > 0,
        .leader = leader,
        .position = position,
        .digest = bytes_of(bytes, sizeof(bytes)),
        .time = fsm_time(node->fsm),
        .has_clock = node->time.has_clock,
        .commit = raft.commit,
        .applied = raft.applied,
        .last = raft.last,
        .snapshot = raft.snapshot,
        .has_sessions = all_tenants,
        .sessions = fsm_session_count(node->fsm),
        .has_tasks = all_tenants,
        .tasks = fsm_task_count(node->fsm),
        .serving = node->lead.state == LEAD_SERVING,
        .version = bytes_of_text(NODE_VERSION),
        .has_disk_free = node->space.known && node->space.rc == ENV_OK,
        .disk_free = node->space.free,
        .has_disk_short = node->space.known,
        .disk_short = node->space.is_short,
        .has_log_waits = true,
        .log_waits = raft.log_waits,
        .has_level = true,
        .level = fsm_level(node->fsm),
        .has_knows = true,
        .knows = node->config->level,
        .has_read_only = node->space.known,
        .read_only = node->space.refuses,
        .has_damage = raft.damage[0] != '\0',
        .damage = damage_text(&raft),
    };
    node_answer(node, connection, message->msgid, &op_status_reply_struct, &reply);
}

static void state_time(struct node *node, struct node_connection *connection,
                       const struct op_message *message)
{
    struct op_time_request request;
    struct op_fault fault;
    if (connection->role != OP_ROLE_OPERATOR) {
        node_refuse(node, connection, message->msgid, OP_FORBIDDEN,
                    "only an operator may state the time");
        return;
    }
    if (!op_map_read(message->params, &op_time_request_struct, &request, NULL, NULL, &fault)) {
        node_refuse(node, connection, message->msgid, fault.outcome, fault.text);
        return;
    }
    struct op_time_reply reply;
    enum op_outcome outcome = node_lead_state_time(node, request.time, &reply.time);
    if (outcome != OP_OK) {
        node_refuse(node, connection, message->msgid, outcome,
                    outcome == OP_INVALID ? "the cluster knows its time, or this is none" : NULL);
        return;
    }
    node_answer(node, connection, message->msgid, &op_time_reply_struct, &reply);
}

static void take_snapshot(struct node *node, struct node_connection *connection,
                          const struct op_message *message)
{
    struct op_snapshot_take_request request;
    struct op_snapshot_take_reply reply;
    struct op_fault fault;
    uint8_t buffer[NODE_BACKUP_BUFFER];
    if (connection->role != OP_ROLE_OPERATOR) {
        node_refuse(node, connection, message->msgid, OP_FORBIDDEN,
                    "only an operator may make a backup");
        return;
    }
    if (!op_map_read(message->params, &op_snapshot_take_request_struct, &request, NULL, NULL,
                     &fault)) {
        node_refuse(node, connection, message->msgid, fault.outcome, fault.text);
        return;
    }
    if (!node_backup_take(node, request.position, buffer, &reply)) {
        node_refuse(node, connection, message->msgid, OP_NOT_READY, "the snapshot is being taken");
        return;
    }
    node_answer(node, connection, message->msgid, &op_snapshot_take_reply_struct, &reply);
}

static void read_snapshot(struct node *node, struct node_connection *connection,
                          const struct op_message *message)
{
    struct op_snapshot_read_request request;
    struct op_fault fault;
    if (connection->role != OP_ROLE_OPERATOR) {
        node_refuse(node, connection, message->msgid, OP_FORBIDDEN,
                    "only an operator may make a backup");
        return;
    }
    if (!op_map_read(message->params, &op_snapshot_read_request_struct, &request, NULL, NULL,
                     &fault)) {
        node_refuse(node, connection, message->msgid, fault.outcome, fault.text);
        return;
    }
    enum op_outcome outcome = node_pieces_read(node, connection, message->msgid, &request);
    if (outcome != OP_OK) {
        node_refuse(node, connection, message->msgid, outcome,
                    outcome == OP_NOT_FOUND ? NODE_PIECE_REPLACED : "other pieces are being read");
    }
}

bool node_admin_message(struct node *node, struct node_connection *connection,
                        const struct op_message *message)
{
    if (message->kind != OP_MESSAGE_REQUEST) {
        return false;
    }
    if (bytes_equal(message->method, bytes_of_text(OP_METHOD_HELLO))) {
        hello(node, connection, message);
        return true;
    }
    if (!connection->greeted) {
        return false;
    }
    if (bytes_equal(message->method, bytes_of_text(OP_METHOD_STATUS))) {
        status(node, connection, message);
        return true;
    }
    if (bytes_equal(message->method, bytes_of_text(OP_METHOD_TIME))) {
        state_time(node, connection, message);
        return true;
    }
    if (bytes_equal(message->method, bytes_of_text(OP_METHOD_SNAPSHOT_TAKE))) {
        take_snapshot(node, connection, message);
        return true;
    }
    if (bytes_equal(message->method, bytes_of_text(OP_METHOD_SNAPSHOT_READ))) {
        read_snapshot(node, connection, message);
        return true;
    }
    return false;
}

/* Counting what happens, looking at what is, and saying whether the node is ready. */
#include "node/observe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sat.h"
#include "node/internal.h"

enum { LEAKED_GRACE_US = 60 * 1000 * 1000 }; /* as its help says */

bool node_observe_init(struct node_observed *observed)
{
    memset(observed, 0, sizeof(*observed));
    return node_metrics_init(&observed->metrics);
}

void node_observe_done(struct node_observed *observed)
{
    node_metrics_done(&observed->metrics);
}

/* ---- counting ---- */

static size_t place_of(const struct op_row *row)
{
    size_t count = 0;
    return (size_t)(row - op_rows(&count));
}

static void count_outcome(struct node_metrics *metrics, const struct op_row *row,
                          enum op_outcome outcome, const struct op_details *details)
{
    size_t op = place_of(row);
    node_metrics_add(metrics, METRIC_REQUESTS, op, outcome, 1);
    if (outcome == OP_DENIED) {
        node_metrics_add(metrics, METRIC_PERMISSION_VIOLATIONS, op, 0, 1);
    }
    if (outcome == OP_OUT_OF_SCOPE) {
        node_metrics_add(metrics, METRIC_RESOURCE_VIOLATIONS, op, 0, 1);
    }
    if (outcome == OP_OP_MISMATCH) {
        node_metrics_add(metrics, METRIC_FENCE_REFUSALS, 8, 0, 1); /* W9 */
    }
    if (details == NULL) {
        return;
    }
    for (unsigned rule = 1; rule <= 8 && outcome == OP_FENCED && details->has_failed; rule++) {
        node_metrics_add(metrics, METRIC_FENCE_REFUSALS, rule - 1, 0, details->failed >> rule & 1);
    }
    if ((outcome == OP_ENDED || outcome == OP_EXPIRED) && details->has_cause) {
        node_metrics_add(metrics, METRIC_EXPIRED_USAGE, details->cause, 0, 1);
    }
}

void node_observe_count(struct node *node, enum node_metric id)
{
    node_metrics_add(&node->observed.metrics, id, 0, 0, 1);
}

void node_observe_share(struct node *node, const struct node_request *request)
{
    node_metrics_add(&node->observed.metrics, METRIC_SHARE_VIOLATIONS, place_of(request->row), 0,
                     1);
}

void node_observe_cleanup(struct node *node, enum node_cleanup_error error)
{
    node_metrics_add(&node->observed.metrics, METRIC_CLEANUP_FAILURES, error, 0, 1);
}

void node_observe_ended(void *arg, const struct fsm_ended *ended)
{
    struct node *node = arg;
    struct node_metrics *metrics = &node->observed.metrics;
    bool leads = node->lead.state == LEAD_SERVING || node->lead.state == LEAD_TIMELESS;
    if (!leads) {
        return; /* every node applies it, one counts it */
    }
    node_metrics_add(metrics, METRIC_SESSIONS_ENDED, ended->cause, 0, 1);
    node_metrics_observe(metrics, METRIC_SESSION_DURATION, 0, ended->lifetime_us);
    node_metrics_observe(metrics, METRIC_SESSION_MEMORY, 0, ended->bytes);
    if (ended->cause == OP_END_CAUSE_IDLE_TIMEOUT ||
        ended->cause == OP_END_CAUSE_ABSOLUTE_TIMEOUT) {
        node_metrics_observe(metrics, METRIC_EXPIRY_LATENESS, 0, ended->late_us);
    }
}

void node_observe_log(struct node *node, uint64_t bytes, uint64_t took_us)
{
    node_metrics_observe(&node->observed.metrics, METRIC_LOG_WRITE, 0, took_us);
    node_metrics_add(&node->observed.metrics, METRIC_LOG_BYTES, 0, 0, bytes);
}

void node_observe_leader(struct node *node, uint64_t leader)
{
    if (leader != 0 && leader != node->observed.leader) {
        node->observed.leader = leader;
        node_observe_count(node, METRIC_LEADER_CHANGES);
    }
}

/* ---- telling ---- */

static bool tells(const struct node *node)
{
    return env_log_wants(node->env, ENV_LOG_DEBUG);
}

void node_observe_answer(struct node *node, const struct node_request *request,
                         enum op_outcome outcome, const struct op_details *details)
{
    uint64_t took_us = sat_sub(env_mono_us(node->env), request->arrived_us);
    count_outcome(&node->observed.metrics, request->row, outcome, details);
    node_metrics_observe(&node->observed.metrics, METRIC_REQUEST_SECONDS, place_of(request->row),
                         took_us);
    if (!tells(node)) {
        return;
    }
    char id[48];
    snprintf(id, sizeof(id), "%" PRIu64 ".%u", request->connection_number, request->msgid);
    env_log_about(node->env, ENV_LOG_DEBUG, "request", id,
                  "%s %s after %" PRIu64 " us, %.*s of %.*s", request->row->method,
                  op_outcome_name(outcome), took_us, (int)request->caller.name.size,
                  (const char *)request->caller.name.data, (int)request->caller.tenant.size,
                  (const char *)request->caller.tenant.data);
}

void node_observe_refusal(struct node *node, const struct node_connection *connection,
                          const struct op_row *row, uint32_t msgid, enum op_outcome outcome)
{
    if (row != NULL) {
        count_outcome(&node->observed.metrics, row, outcome, NULL);
    }
    if (!tells(node)) {
        return;
    }
    char id[48];
    snprintf(id, sizeof(id), "%" PRIu64 ".%u", connection->number, msgid);
    env_log_about(node->env, ENV_LOG_DEBUG, "request", id, "%s %s at once, %s of %s",
                  row == NULL ? "no such method" : row->method, op_outcome_name(outcome),
                  connection->name, connection->tenant);
}

/* ---- looking ---- */

static void look_at_disk(struct node *node, const struct rlog_status *raft)
{
    struct node_metrics *metrics = &node->observed.metrics;
    node_metrics_set(metrics, METRIC_DISK_FREE, 0, node->space.free);
    node_metrics_set(metrics, METRIC_DISK_WANTED, 0, node_space_watermark(node));
    node_metrics_set(metrics, METRIC_DISK_SHORT, 0, node->space.is_short);
    node_metrics_set(metrics, METRIC_LOG_WAITS, 0, raft->log_waits);
    node_metrics_set(metrics, METRIC_READ_ONLY, 0, node->space.refuses);
}

static void look_at_state(struct node *node, const struct rlog_status *raft)
{
    struct node_metrics *metrics = &node->observed.metrics;
    uint64_t time = fsm_time(node->fsm);
    uint64_t clock = node_time_clock(&node->time, env_boot_us(node->env));
    node_metrics_set(metrics, METRIC_ACTIVE_SESSIONS, 0, fsm_session_count(node->fsm));
    /* By the clock of who leads, or where nobody does: T stands still where nothing is committed. A
     * follower that catches up has not leaked what its leader has swept. */
    bool by_clock = node->time.has_clock && (raft->leader == 0 || raft->role == RLOG_LEADER);
    node_metrics_set(
        metrics, METRIC_LEAKED_SESSIONS, 0,
        fsm_overdue(node->fsm, sat_sub(by_clock ? u64_max(clock, time) : time, LEAKED_GRACE_US)));
    for (size_t i = 0; fsm_table_name(i) != NULL; i++) {
        node_metrics_set(metrics, METRIC_TABLE_RECORDS, i, fsm_table_used(node->fsm, i));
        node_metrics_set(metrics, METRIC_TABLE_CAPACITY, i, fsm_table_capacity(node->fsm, i));
    }
    node_metrics_set(metrics, METRIC_POSITION, 0, fsm_position(node->fsm));
    node_metrics_set(metrics, METRIC_FEATURE_LEVEL, 0, fsm_level(node->fsm));
    node_metrics_set(metrics, METRIC_FEATURE_LEVEL_KNOWN, 0, node->config->level);
    node_metrics_set(metrics, METRIC_CLUSTER_TIME, 0, time);
    node_metrics_set(metrics, METRIC_CLOCK_KNOWN, 0, node->time.has_clock);
    node_metrics_set(metrics, METRIC_CLOCK_AHEAD, 0,
                     node->time.has_clock ? sat_sub(clock, time) : 0);
    node_metrics_set(metrics, METRIC_SERVING, 0, node->lead.state == LEAD_SERVING);
    node_metrics_set(metrics, METRIC_TIMELESS, 0, node->lead.state == LEAD_TIMELESS);
}

static void look_at_log(struct node *node, const struct rlog_status *raft)
{
    struct node_metrics *metrics = &node->observed.metrics;
    for (size_t role = RLOG_FOLLOWER; role <= RLOG_LEADER; role++) {
        node_metrics_set(metrics, METRIC_ROLE, role, raft->role == role);
    }
    node_metrics_set(metrics, METRIC_TERM, 0, raft->term);
    node_metrics_set(metrics, METRIC_LEADER, 0, raft->leader);
    node_metrics_set(metrics, METRIC_COMMIT, 0, raft->commit);
    node_metrics_set(metrics, METRIC_APPLIED, 0, raft->applied);
    node_metrics_set(metrics, METRIC_LAST, 0, raft->last);
    node_metrics_set(metrics, METRIC_STORED, 0, raft->stored);
    node_metrics_set(metrics, METRIC_LOG_PENDING, 0, raft->pending_bytes);
    node_metrics_set(metrics, METRIC_SNAPSHOTS, 0, raft->snapshots);
    node_metrics_set(metrics, METRIC_SNAPSHOT_INDEX, 0, raft->snapshot);
    node_metrics_set(metrics, METRIC_SNAPSHOT_BYTES, 0, raft->snapshot_bytes);
    node_metrics_set(metrics, METRIC_SNAPSHOT_HELD, 0, raft->snapshot_held_us);
    node_metrics_set(metrics, METRIC_SNAPSHOT_RECEIVED, 0, raft->snapshot_received);
    node_metrics_set(metrics, METRIC_DAMAGED, 0, raft->damage[0] != '\0');
    node_metrics_set(metrics, METRIC_MEMBERS, 0, raft->member_count);
    metrics->member_count = raft->member_count;
    for (size_t i = 0; i < raft->member_count; i++) {
        metrics->members[i] = raft->members[i].id;
        node_metrics_set(metrics, METRIC_MEMBER_CONNECTED, i, raft->connected[i]);
    }
}

static void look_at_clients(struct node *node)
{
    struct node_metrics *metrics = &node->observed.metrics;
    node_metrics_set(metrics, METRIC_CONNECTIONS, 0, node->listener.count);
    node_metrics_set(metrics, METRIC_CONNECTIONS_MAX, 0, node->config->connections_max);
    node_metrics_set(metrics, METRIC_CONNECTION_BYTES, 0, node->listener.bytes);
    node_metrics_set(metrics, METRIC_ACCEPTED, 0, node->listener.accepted);
    node_metrics_set(metrics, METRIC_COMMANDS_QUEUED, 0, node->batch->queue.count);
    node_metrics_set(metrics, METRIC_READS_OPEN, 0, node->reads.count);
}

static void look_at_process(struct node *node, const struct node_process *process)
{
    struct node_metrics *metrics = &node->observed.metrics;
    node_metrics_observe(metrics, METRIC_LOOP_LATE, 0, process->late_us);
    node_metrics_set(metrics, METRIC_CPU, 0, process->cpu_us);
    node_metrics_set(metrics, METRIC_RESIDENT, 0, process->resident_bytes);
    node_metrics_set(metrics, METRIC_STARTED, 0, process->started_us);
    node_metrics_set(metrics, METRIC_BUILD, 0, 1);
}

/* ---- readiness ---- */

static void check(struct node *node, enum node_check which, bool holds, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void check(struct node *node, enum node_check which, bool holds, const char *format, ...)
{
    struct node_verdict *into = &node->observed.checks[which];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(into->text, sizeof(into->text), format, arguments);
    va_end(arguments);
    into->holds = holds;
    node_metrics_set(&node->observed.metrics, METRIC_CHECK, which, holds);
}

/* A leader sees whom it is connected to; another node only its leader. */
static void check_quorum(struct node *node, const struct rlog_status *raft)
{
    size_t connected = 0;
    bool to_leader = false;
    for (size_t i = 0; i < raft->member_count; i++) {
        connected += raft->members[i].voter && raft->connected[i] ? 1 : 0;
        to_leader = to_leader || (raft->connected[i] && raft->members[i].id == raft->leader);
    }
    if (raft->role == RLOG_LEADER) {
        check(node, CHECK_QUORUM, 2 * connected > raft->voters,
              "this node leads term %" PRIu64 " and is connected to %zu of %zu members", raft->term,
              connected, raft->voters);
    } else if (raft->leader == 0) {
        check(node, CHECK_QUORUM, false, "no leader is known in term %" PRIu64, raft->term);
    } else {
        check(node, CHECK_QUORUM, to_leader, "node %" PRIu64 " leads term %" PRIu64 "%s",
              raft->leader, raft->term, to_leader ? "" : ", and there is no connection to it");
    }
}

static void check_voter(struct node *node, const struct rlog_status *raft)
{
    size_t i = 0;
    while (i < raft->member_count && raft->members[i].id != raft->id) {
        i++;
    }
    if (raft->damage[0] != '\0') {
        check(node, CHECK_VOTER, false, "no vote: %s", raft->damage);
        return;
    }
    bool votes = i < raft->member_count && raft->members[i].voter;
    if (i < raft->member_count && !votes) {
        check(node, CHECK_VOTER, false, "node %" PRIu64 " learns: it has no vote yet", raft->id);
    } else {
        check(node, CHECK_VOTER, votes, "node %" PRIu64 " is %s of %zu members", raft->id,
              votes ? "one" : "none", raft->voters);
    }
}

static void check_clock(struct node *node)
{
    bool timeless = node->lead.state == LEAD_TIMELESS;
    bool has = node->time.has_clock;
    check(node, CHECK_CLOCK, has && !timeless, "%s",
          timeless ? "no clock survived on a majority: state the time (tenurectl cluster time)"
          : has    ? "this node has the cluster's clock"
                   : "this node has no clock yet");
}

static void check_disk(struct node *node, const struct rlog_status *raft)
{
    const struct node_space *space = &node->space;
    if (!space->known) {
        check(node, CHECK_DISK, false, "not looked at yet");
    } else if (space->rc != ENV_OK) {
        check(node, CHECK_DISK, false, "%s", env_error_text(space->rc));
    } else {
        check(node, CHECK_DISK, !space->is_short,
              "%" PRIu64 " MiB are free, at least %" PRIu64 " are wanted%s%s", space->free >> 20,
              node_space_watermark(node) >> 20, raft->log_waits ? "; the log waits for space" : "",
              space->refuses ? "; only what ends or completes is taken" : "");
    }
}

void node_look(struct node *node, const struct node_process *process)
{
    struct rlog_status raft;
    rlog_status(node->rlog, &raft);
    look_at_disk(node, &raft);
    look_at_state(node, &raft);
    look_at_log(node, &raft);
    look_at_clients(node);
    look_at_process(node, process);
    check(node, CHECK_RUNNING, !node->stopping && !node->failed, "%s",
          node->failed     ? "this node has failed"
          : node->stopping ? "this node is stopping"
                           : "this node runs");
    check_voter(node, &raft);
    check_quorum(node, &raft);
    check_clock(node);
    check_disk(node, &raft);
}

size_t node_metrics_text(const struct node *node, char *ret_text, size_t capacity)
{
    return node_metrics_write(&node->observed.metrics, ret_text, capacity);
}

bool node_ready(const struct node *node, bool verbose, char *ret_text, size_t capacity)
{
    bool ready = true;
    size_t size = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        const struct node_verdict *at = &node->observed.checks[i];
        ready = ready && at->holds;
        if ((verbose || !at->holds) && size < capacity) {
            size += (size_t)snprintf(ret_text + size, capacity - size, "[%s] %s: %s\n",
                                     at->holds ? "+" : "-", node_check_name((enum node_check)i),
                                     at->text);
        }
    }
    if (size < capacity) {
        snprintf(ret_text + size, capacity - size, ready ? "ready\n" : "not ready\n");
    }
    return ready;
}

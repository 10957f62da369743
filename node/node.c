/* A node's life: start, turns, stop. */
#include "node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/loop.h"
#include "env/random.h"
#include "env/range.h"
#include "node/internal.h"
#include "node/restore.h"

void node_fatal(struct node *node, const char *detail)
{
    if (!node->failed) {
        node->failed = true;
        node->handlers.on_fatal(node->handlers.arg, detail);
    }
}

static struct rlog_config rlog_config_of(const struct node *node)
{
    const struct node_config *config = node->config;
    struct rlog_config rlog;
    rlog_config_init(&rlog);
    rlog.id = config->node;
    rlog.folder = config->folder;
    rlog.listen = config->peer_listen;
    rlog.tls = node->tls;
    rlog.election_us = (uint64_t)config->election_ms * 1000;
    rlog.heartbeat_us = (uint64_t)config->heartbeat_ms * 1000;
    rlog.segment_bytes = (uint64_t)config->segment_mib << 20;
    rlog.snapshot_bytes = (uint64_t)config->snapshot_mib << 20;
    rlog.trailing = config->trailing_entries;
    return rlog;
}

bool node_format_joining(struct env *env, const struct node_config *config,
                         struct node_bootstrap *bootstrap, char *error, size_t error_size,
                         struct id128 *ret_store_id)
{
    bootstrap->birth.member_count = 0; /* who they are by now, the cluster tells */
    node_birth_write(bootstrap);
    return rlog_format(env, config->folder, config->node, &bootstrap->birth, error, error_size,
                       ret_store_id) == ENV_OK;
}

bool node_format(struct env *env, const struct node_config *config,
                 struct node_bootstrap *bootstrap, char *error, size_t error_size)
{
    for (size_t i = 0; i < bootstrap->birth.member_count; i++) {
        struct rlog_member *member = &bootstrap->birth.members[i];
        snprintf(member->note, sizeof(member->note), "%s", bootstrap->clients[i]);
    }
    node_birth_write(bootstrap);
    if (bootstrap->restore.image[0] != '\0') {
        return node_restore_format(env, config, bootstrap, error, error_size);
    }
    return rlog_format(env, config->folder, config->node, &bootstrap->birth, error, error_size,
                       NULL) == ENV_OK;
}

static void step_stop(struct node *node);

/* Everything that happens once a loop turn, in this order. */
static void on_turn_end(void *arg)
{
    struct node *node = arg;
    if (node->failed || node->rlog == NULL) {
        return;
    }
    node_metrics_observe(&node->observed.metrics, METRIC_LOOP_TURN, 0,
                         env_turn_us(node->env)); /* of the one before */
    node_listener_turn(node);
    bool more = node_batch_turn(node, node_lead_tick_due(node));
    node_reads_turn(node);
    node_operate_turn(node);
    node_lead_watch_sweep(node);
    node_lead_arm(node, more);
    node_clock_file_turn(node);
    if (node->stopping) {
        step_stop(node);
    }
}

static struct node *node_allocate(struct env *env, const struct node_config *config,
                                  const struct node_handlers *handlers)
{
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL) {
        return NULL;
    }
    node->env = env;
    node->config = config;
    node->handlers = *handlers;
    node_pieces_init(&node->pieces);
    node->batch = calloc(1, sizeof(*node->batch));
    node->bootstrap = calloc(1, sizeof(*node->bootstrap));
    node->scratch = malloc(NODE_SCRATCH);
    node->read_body = malloc(FSM_REPLY_MAX);
    if (!node_observe_init(&node->observed) || node->batch == NULL || node->bootstrap == NULL ||
        node->scratch == NULL || node->read_body == NULL) {
        return node;
    }
    node->observed.metrics.aliases = config->metrics_aliases == 1;
    struct siphash_key key;
    env_random(env, key.bytes, sizeof(key.bytes));
    node_batch_init(node->batch, &key);
    node_reads_init(&node->reads, &key);
    node_shares_init(&node->listener.shares, &key);
    node_operate_init(&node->operations);
    node_mint_init(&node->mint);
    node_digests_init(&node->digests);
    node_time_init(&node->time);
    list_init(&node->listener.connections);
    return node;
}

static bool open_all(struct node *node, char *error, size_t error_size)
{
    const struct node_config *config = node->config;
    if (env_tls_create(node->env, config->ca, config->certificate, config->key, error, error_size,
                       &node->tls) != ENV_OK) {
        return false;
    }
    if (node_lead_init(node) != ENV_OK) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    /* Before raftlog: what a late failure would have to take back has not begun. Nobody is accepted
     * before the first turn. */
    int rc = node_listener_start(node);
    if (rc != ENV_OK) {
        snprintf(error, error_size, "cannot listen for clients on %s: %s", config->listen,
                 env_error_text(rc));
        return false;
    }
    struct rlog_config rlog = rlog_config_of(node);
    struct rlog_machine machine = node_machine_of(node);
    if (rlog_start(node->env, &rlog, &machine, error, error_size, &node->rlog) != ENV_OK) {
        if (node->birth_error[0] != '\0') {
            snprintf(error, error_size, "%s", node->birth_error);
        }
        if (node->second.error[0] != '\0') {
            env_log(node->env, ENV_LOG_ERROR, "fsm", "snapshot refused: %s", node->second.error);
        }
        return false;
    }
    rc = node_clock_file_start(node);
    if (rc != ENV_OK) {
        snprintf(error, error_size, "%s/CLOCK: %s", config->folder, env_error_text(rc));
        return false;
    }
    if (node_space_start(node) != ENV_OK || node_level_start(node) != ENV_OK) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    return true;
}

bool node_start(struct env *env, const struct node_config *config,
                const struct node_handlers *handlers, char *error, size_t error_size,
                struct node **ret_node)
{
    struct node *node = node_allocate(env, config, handlers);
    if (node == NULL || node->read_body == NULL || node->batch == NULL || node->bootstrap == NULL ||
        node->scratch == NULL || node->observed.metrics.values == NULL) {
        snprintf(error, error_size, "out of memory");
        node_destroy(node);
        return false;
    }
    if (!open_all(node, error, error_size)) {
        node_destroy(node);
        return false;
    }
    env_on_turn_end(env, on_turn_end, node);
    *ret_node = node;
    return true;
}

/* ---- what it says of itself ---- */

struct op_reply_head node_head(struct node *node, enum op_outcome outcome)
{
    return (struct op_reply_head){
        .outcome = outcome,
        .position = fsm_position(node->fsm),
        .time = fsm_time(node->fsm),
        .term = node->lead.term,
        .leader = node_leader_address(node),
    };
}

struct bytes node_leader_address(const struct node *node)
{
    if (node->rlog == NULL || (node->stopping && node->lead.leader == node->config->node)) {
        return BYTES_NONE; /* nobody is to come to us any more */
    }
    size_t count;
    const struct rlog_member *members = rlog_members(node->rlog, &count);
    for (size_t i = 0; i < count; i++) {
        if (members[i].id == node->lead.leader) {
            return bytes_of_text(members[i].note);
        }
    }
    return BYTES_NONE;
}

/* ---- the end ---- */

static void on_rlog_stopped(void *arg)
{
    struct node *node = arg;
    node->log_stopped = true;
    node_listener_close(node);
    node_clock_file_end(&node->clock_file);
    node_space_end(&node->space);
    node_level_end(node);
}

/* Open requests first, then leadership and the log, then answers and files that are on their way.
 * The owner may destroy the node in on_stopped: nothing of it is touched after that. */
static void step_stop(struct node *node)
{
    if (!node->handed_over && node_batch_empty(node->batch) && node_reads_empty(&node->reads) &&
        node_operate_empty(&node->operations)) {
        node->handed_over = true;
        rlog_stop(node->rlog, on_rlog_stopped, node);
    }
    if (node->log_stopped && !node->stopped && node->listener.count == 0 &&
        node_clock_file_idle(&node->clock_file) && node_space_idle(&node->space) &&
        node_pieces_idle(&node->pieces)) {
        node->stopped = true;
        env_on_turn_end(node->env, NULL, NULL);
        node->handlers.on_stopped(node->handlers.arg);
    }
}

void node_stop(struct node *node)
{
    if (node->stopping) {
        return;
    }
    node->stopping = true;
    node_listener_drain(node);
    step_stop(node); /* the turn's end goes on with it */
}

void node_destroy(struct node *node)
{
    if (node == NULL) {
        return;
    }
    env_on_turn_end(node->env, NULL, NULL);
    if (node->batch != NULL && node->scratch != NULL) {
        node_listener_done(node);
        rlog_destroy(node->rlog); /* gives every open round back */
        node->rlog = NULL;
        if (node->fsm != NULL) {
            node_batch_done(node);
            node_reads_done(node);
            node_operate_done(node);
        }
        node_lead_done(node);
        node_clock_file_done(node);
        node_space_done(node);
        node_level_done(node);
    }
    node_observe_done(&node->observed);
    env_tls_destroy(node->tls);
    env_range_release(node->range, node->range_size);
    env_range_release(node->second.range, node->range_size); /* a crash left it */
    free(node->batch);
    free(node->bootstrap);
    free(node->scratch);
    free(node->read_body);
    node_mint_done(&node->mint);
    node_pieces_done(&node->pieces);
    free(node);
}

const char *node_client_address(const struct node *node)
{
    return node->listener.address;
}

const char *node_peer_address(const struct node *node)
{
    return rlog_address(node->rlog);
}

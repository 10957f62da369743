/* Hears which levels the members know, and raises the cluster's when all of them do. */
#include "node/level.h"

#include <stdio.h>

#include "base/sat.h"
#include "env/clock.h"
#include "node/forms.h"
#include "node/internal.h"

enum {
    TELL_US = 500000,
    REPORT_US = 2000000, /* what a member said counts for so long */
};

static void tell_leader(struct node *node)
{
    const struct node_level_message message = {.level = node->config->level};
    uint8_t buffer[NODE_FORM_MAX];
    if (node->lead.leader == 0 || node->lead.leader == node->config->node) {
        return;
    }
    rlog_peer_send(node->rlog, node->lead.leader, PEER_LEVEL,
                   node_form_write_level(buffer, &message));
}

/* 0: it said nothing a moment ago. Nor does it count what was said before the present connection:
 * by another process, which may have been another program. */
static uint64_t level_of(const struct node *node, uint64_t id)
{
    uint64_t since = u64_max(sat_sub(env_mono_us(node->env), REPORT_US),
                             rlog_peer_since(node->rlog, id));
    if (id == node->config->node) {
        return node->config->level;
    }
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        const struct node_level_report *report = &node->level.reports[i];
        if (report->node == id) {
            return report->heard_us >= since ? report->level : 0;
        }
    }
    return 0;
}

static uint64_t least_of_members(const struct node *node)
{
    size_t count;
    const struct rlog_member *members = rlog_members(node->rlog, &count);
    uint64_t least = node->config->level;
    for (size_t i = 0; i < count; i++) {
        uint64_t level = level_of(node, members[i].id);
        least = level < least ? level : least;
    }
    return least;
}

/* What the cluster has, or will have of this leader. */
static uint64_t level_to_be(const struct node *node)
{
    return u64_max(fsm_level(node->fsm), node->level.proposed);
}

uint64_t node_level_known(const struct node *node, uint64_t id)
{
    return level_of(node, id);
}

uint64_t node_level_due(const struct node *node)
{
    if (node->lead.state != LEAD_SERVING || node->config->level <= level_to_be(node)) {
        return 0;
    }
    uint64_t least = least_of_members(node);
    return least > level_to_be(node) ? least : 0;
}

void node_level_sent(struct node *node, uint64_t level)
{
    node->level.proposed = level;
    env_log(node->env, ENV_LOG_INFO, "level",
            "all members know feature level %llu: it is the cluster's from now on",
            (unsigned long long)level);
}

bool node_level_bars(const struct node *node, uint64_t id, char *reason, size_t reason_size)
{
    size_t count;
    const struct rlog_member *members = rlog_members(node->rlog, &count);
    uint64_t level = level_of(node, id);
    size_t i = 0;
    while (i < count && members[i].id != id) {
        i++;
    }
    if (i == count || members[i].voter || level >= level_to_be(node)) {
        return false;
    }
    if (level == 0) {
        snprintf(reason, reason_size, "node %llu has not said yet which feature levels it knows",
                 (unsigned long long)id);
    } else {
        snprintf(reason, reason_size,
                 "node %llu knows feature level %llu, and the cluster's is %llu: upgrade it",
                 (unsigned long long)id, (unsigned long long)level,
                 (unsigned long long)level_to_be(node));
    }
    return true;
}

/* Raising it is a turn's business, and this begins one. */
static void on_timer(void *arg)
{
    struct node *node = arg;
    if (!node->failed) {
        tell_leader(node);
        env_timer_start(node->level.timer, TELL_US);
    }
}

/* The place of its report, or of the oldest one. */
static struct node_level_report *place_of(struct node_level *level, uint64_t id)
{
    struct node_level_report *oldest = &level->reports[0];
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        struct node_level_report *at = &level->reports[i];
        if (at->node == id) {
            return at;
        }
        oldest = at->heard_us < oldest->heard_us ? at : oldest;
    }
    return oldest;
}

void node_level_message(struct node *node, uint64_t from, struct bytes message)
{
    struct node_level_message said;
    if (node_form_read_level(message, &said)) {
        *place_of(&node->level, from) = (struct node_level_report){
            .node = from, .level = said.level, .heard_us = env_mono_us(node->env)};
    }
}

bool node_level_admits(const struct node *node, uint64_t level)
{
    return level <= fsm_level(node->fsm);
}

int node_level_start(struct node *node)
{
    node->level.timer = env_timer_create(node->env, on_timer, node);
    if (node->level.timer == NULL) {
        return ENV_FAILED;
    }
    env_timer_start(node->level.timer, TELL_US);
    return ENV_OK;
}

void node_level_end(struct node *node)
{
    env_timer_stop(node->level.timer);
}

void node_level_done(struct node *node)
{
    env_timer_destroy(node->level.timer);
    node->level.timer = NULL;
}

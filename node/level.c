/* Hears which levels the members know, and raises the cluster's when all of them do. */
#include "node/level.h"

#include "env/clock.h"
#include "node/forms.h"
#include "node/internal.h"

enum {
    LOOK_US = 500000,
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

/* 0: it said nothing a moment ago. */
static uint64_t level_of(const struct node *node, uint64_t id)
{
    uint64_t now = env_mono_us(node->env);
    if (id == node->config->node) {
        return node->config->level;
    }
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        const struct node_level_report *report = &node->level.reports[i];
        if (report->node == id) {
            return now - report->heard_us <= REPORT_US ? report->level : 0;
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

static void look(void *arg)
{
    struct node *node = arg;
    if (node->failed) {
        return;
    }
    uint64_t least = least_of_members(node);
    tell_leader(node);
    node->level.due = node->lead.state == LEAD_SERVING && least > fsm_level(node->fsm) ? least : 0;
    if (node->level.due != 0) {
        env_log(node->env, ENV_LOG_INFO, "level",
                "all members know feature level %llu: it is the cluster's from now on",
                (unsigned long long)least);
    }
    env_timer_start(node->level.timer, LOOK_US);
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
    node->level.timer = env_timer_create(node->env, look, node);
    if (node->level.timer == NULL) {
        return ENV_FAILED;
    }
    env_timer_start(node->level.timer, LOOK_US);
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

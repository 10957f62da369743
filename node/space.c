/* Looks at the disk, tells the leader, and decides what a leader does about it. */
#include "node/space.h"

#include "base/sat.h"
#include "env/disk.h"
#include "node/forms.h"
#include "node/internal.h"

enum {
    LOOK_US = 250000,
    HAND_PAUSE = 10,     /* election timeouts between two tries to hand leadership over */
    REPORT_US = 1500000, /* what a member said counts for so long */
};

uint64_t node_space_watermark(const struct node *node)
{
    return (uint64_t)node->config->disk_free_mib << 20;
}

/* ---- what members say ---- */

static void tell_leader(struct node *node)
{
    const struct node_space *space = &node->space;
    const struct node_space_message message = {.is_short = space->is_short, .free = space->free};
    uint8_t buffer[NODE_FORM_MAX];
    if (node->lead.leader == 0 || node->lead.leader == node->config->node) {
        return;
    }
    rlog_peer_send(node->rlog, node->lead.leader, PEER_SPACE,
                   node_form_write_space(buffer, &message));
}

/* The place of its report, or of the oldest one. */
static struct node_space_report *place_of(struct node_space *space, uint64_t id)
{
    struct node_space_report *oldest = &space->reports[0];
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        struct node_space_report *at = &space->reports[i];
        if (at->node == id) {
            return at;
        }
        if (at->heard_us < oldest->heard_us) {
            oldest = at;
        }
    }
    return oldest;
}

/* What it said a moment ago; NULL: nothing. */
static const struct node_space_report *report_of(const struct node *node, uint64_t id)
{
    uint64_t now = env_mono_us(node->env);
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        const struct node_space_report *at = &node->space.reports[i];
        if (at->node == id) {
            return now - at->heard_us <= REPORT_US ? at : NULL;
        }
    }
    return NULL;
}

/* ---- as a leader ---- */

/* A member that says nothing is taken to have room. */
static bool too_few_have_room(const struct node *node, const struct rlog_status *raft)
{
    size_t connected = 0;
    size_t roomy = 0;
    for (size_t i = 0; i < raft->member_count; i++) {
        uint64_t id = raft->members[i].id;
        const struct node_space_report *report = report_of(node, id);
        if (!raft->members[i].voter) {
            continue;
        }
        bool is_short = id == raft->id ? node->space.is_short : report != NULL && report->is_short;
        connected += raft->connected[i];
        roomy += raft->connected[i] && !is_short;
    }
    size_t majority = raft->voters / 2 + 1;
    return connected >= majority && roomy < majority;
}

/* The one with most room; 0: nobody said that it has any. */
static uint64_t roomiest(const struct node *node, const struct rlog_status *raft)
{
    const struct node_space_report *best = NULL;
    for (size_t i = 0; i < raft->member_count; i++) {
        const struct node_space_report *report = report_of(node, raft->members[i].id);
        bool has_room = report != NULL && !report->is_short && raft->connected[i] &&
                        raft->members[i].voter && raft->members[i].id != raft->id;
        if (has_room && (best == NULL || report->free > best->free)) {
            best = report;
        }
    }
    return best == NULL ? 0 : best->node;
}

/* Nothing is served while leadership is on its way (two election timeouts at most), so what came to
 * nothing is not tried again at once. */
static void hand_over(struct node *node, const struct rlog_status *raft)
{
    uint64_t now_us = env_mono_us(node->env);
    uint64_t id = roomiest(node, raft);
    char reason[256];
    if (id == 0 || now_us < node->space.hand_at_us || rlog_transferring(node->rlog) ||
        rlog_transfer(node->rlog, id, reason, sizeof(reason)) != RLOG_CHANGE_BEGUN) {
        return; /* at a later look */
    }
    node->space.hand_at_us = now_us + HAND_PAUSE * (uint64_t)node->config->election_ms * 1000;
    if (node->space.handed_to != id) {
        env_log(node->env, ENV_LOG_WARN, "disk",
                "short of space: node %llu has more, and is to lead", (unsigned long long)id);
    }
    node->space.handed_to = id;
}

static void judge(struct node *node, const struct rlog_status *raft)
{
    struct node_space *space = &node->space;
    bool leads = raft->role == RLOG_LEADER;
    bool refuses = leads && (space->is_short || too_few_have_room(node, raft));
    if (refuses != space->refuses) {
        env_log(node->env, refuses ? ENV_LOG_ERROR : ENV_LOG_INFO, "disk",
                refuses ? "short of space, %s: only what ends, revokes or completes is served"
                        : "room again, %s: everything is served",
                space->is_short ? "here" : "among the members");
    }
    space->refuses = refuses;
    if (leads && space->is_short && !node->stopping) {
        hand_over(node, raft);
    }
}

/* ---- looking ---- */

static bool falls_short(const struct node *node, const struct rlog_status *raft)
{
    const struct node_space *space = &node->space;
    uint64_t wanted = node_space_watermark(node);
    if (space->is_short) {
        wanted += wanted / 8;
    }
    return raft->log_waits || !raft->log_reserved || (space->rc == ENV_OK && space->free < wanted);
}

static void note(struct node *node, const struct rlog_status *raft)
{
    struct node_space *space = &node->space;
    bool is_short = falls_short(node, raft);
    if (is_short != space->is_short) {
        env_log(node->env, is_short ? ENV_LOG_ERROR : ENV_LOG_INFO, "disk",
                "%llu MiB are free, %llu are wanted: this node is %s",
                (unsigned long long)(space->free >> 20),
                (unsigned long long)(node_space_watermark(node) >> 20),
                is_short ? "short of space" : "short of space no more");
        space->handed_to = 0;
        space->hand_at_us = 0;
    }
    space->is_short = is_short;
}

static void run(struct env_work *work)
{
    struct node *node = work->arg;
    node->space.work_rc = env_disk_free(node->env, node->config->folder, &node->space.work_free);
}

static void done(struct env_work *work)
{
    struct node *node = work->arg;
    struct node_space *space = &node->space;
    struct rlog_status raft;
    space->busy = false;
    if (space->ending || node->failed) {
        return;
    }
    space->known = true;
    space->rc = space->work_rc;
    space->free = space->rc == ENV_OK ? space->work_free : space->free;
    rlog_status(node->rlog, &raft);
    note(node, &raft);
    judge(node, &raft);
    tell_leader(node);
    env_timer_start(space->timer, LOOK_US);
}

/* May block, so it is queued work. */
static void look(void *arg)
{
    struct node *node = arg;
    struct node_space *space = &node->space;
    if (space->busy || space->ending) {
        return;
    }
    space->busy = true;
    space->work = (struct env_work){.run = run, .done = done, .arg = node};
    env_work_submit(node->env, &space->work);
}

void node_space_message(struct node *node, uint64_t from, struct bytes message)
{
    struct node_space_message said;
    if (!node_form_read_space(message, &said)) {
        return; /* of another version: nothing is known of its disk */
    }
    struct node_space_report *report = place_of(&node->space, from);
    *report = (struct node_space_report){.node = from,
                                         .free = said.free,
                                         .heard_us = env_mono_us(node->env),
                                         .is_short = said.is_short};
}

bool node_space_admits(const struct node *node, const struct op_row *row)
{
    return !node->space.refuses || row->from_reserve;
}

/* ---- life ---- */

int node_space_start(struct node *node)
{
    node->space.timer = env_timer_create(node->env, look, node);
    if (node->space.timer == NULL) {
        return ENV_FAILED;
    }
    env_timer_start(node->space.timer, 0);
    return ENV_OK;
}

bool node_space_idle(const struct node_space *space)
{
    return !space->busy;
}

void node_space_end(struct node_space *space)
{
    space->ending = true;
    env_timer_stop(space->timer);
}

void node_space_done(struct node *node)
{
    env_timer_destroy(node->space.timer);
    node->space.timer = NULL;
}

/* When this node may serve, and what time it is then. */
#include "node/lead.h"

#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "node/internal.h"

enum {
    TICK_SPACING_US = 10000,     /* T5 */
    LIVENESS_US = 1000000,       /* T5: an entry a second while any deadline exists */
    LEADER_CLOCK_US = 500000,    /* a leader tells its clock at least this often */
    SWEEP_PATIENCE_US = 1000000, /* then a sweep that got nowhere has failed */
    TIMELESS_US = 1000000,       /* T3: how often a leader without time asks for it again */
};

static uint64_t election_us(const struct node *node)
{
    return (uint64_t)node->config->election_ms * 1000;
}

static uint64_t heartbeat_us(const struct node *node)
{
    return (uint64_t)node->config->heartbeat_ms * 1000;
}

/* How often a leader tells its clock; more often than a pause may last that it has to notice. */
static uint64_t tell_us(const struct node *node)
{
    return u64_min(LEADER_CLOCK_US, election_us(node) / 4);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a < b ? b - a : a - b;
}

bool node_lead_too_far_apart(const struct node *node, uint64_t before, uint64_t now)
{
    return now < before || now - before > election_us(node);
}

static void collect(struct node *node)
{
    node->lead.state = LEAD_COLLECTING;
    node_collection_begin(node);
}

/* TERM_START is applied: T lies at or above every stamp in our log, and our clock at or above T. */
static void serve(struct node *node)
{
    struct node_lead *lead = &node->lead;
    lead->state = LEAD_SERVING;
    lead->recollecting = false;
    lead->last_reading = env_boot_us(node->env);
    node_time_follow(&node->time, fsm_time(node->fsm), lead->last_reading);
    env_log(node->env, ENV_LOG_INFO, "lead", "serving term %llu", (unsigned long long)lead->term);
}

static void collect_again(struct node *node)
{
    node->lead.recollecting = true;
    collect(node);
}

/* Serving begins from here alone: the time is known and TERM_START applied. A clock that we made is
 * told first, until a majority holds it: whoever leads next will find it (T2). */
static void serve_when_held(struct node *node)
{
    struct node_lead *lead = &node->lead;
    uint64_t now = env_boot_us(node->env);
    bool made_here = node->time.era == lead->term;
    if (node_lead_too_far_apart(node, lead->last_reading, now)) {
        collect_again(node);
    } else if (!made_here || node_clocks_majority_holds(node)) {
        serve(node);
    } else {
        lead->state = LEAD_TELLING;
        lead->last_reading = now;
        node_clocks_tell(node, node_time_clock(&node->time, now));
        env_timer_start(lead->timer, heartbeat_us(node));
    }
}

void node_lead_held(struct node *node)
{
    if (node->lead.state == LEAD_TELLING && node_clocks_majority_holds(node)) {
        serve_when_held(node);
    }
}

static void make_clock(struct node *node, uint64_t value)
{
    uint64_t now = env_boot_us(node->env);
    node->lead.last_reading = now;
    node_clocks_reset(node);
    node_time_learn(&node->time, node->lead.term, value, now);
}

/* Commits TERM_START; nothing is served until that is applied (T2). The log may have been full, and
 * the clock that was found may have jumped since. */
static void start_term(struct node *node)
{
    struct node_lead *lead = &node->lead;
    if (lead->recollecting) {
        serve_when_held(node);
        return;
    }
    if (lead->start_index != 0) {
        return;
    }
    uint64_t now = env_boot_us(node->env);
    if (node_lead_too_far_apart(node, lead->last_reading, now)) {
        collect(node);
        return;
    }
    lead->state = LEAD_STARTING;
    lead->last_reading = now;
    uint64_t stamp = u64_max(node_time_clock(&node->time, now), node->bootstrap->time);
    if (!node_batch_term_start(node, lead->term, stamp, &lead->start_index)) {
        env_timer_start(lead->timer, heartbeat_us(node)); /* the log is full: again */
    }
}

/* A clock of this leader that went down is not one to serve by (T2), nor is none at all: somebody
 * remembers a newer era than the one that this term was begun with. */
static bool clock_went_down(struct node *node, uint64_t before)
{
    return node->lead.recollecting &&
           (!node->time.has_clock || node_time_clock(&node->time, env_boot_us(node->env)) < before);
}

static void leave_step(struct node *node)
{
    rlog_step_down(node->rlog);
    env_timer_start(node->lead.timer, heartbeat_us(node));
}

/* Gives the term up. That may take a while (no follower has the whole log yet, or none can be
 * reached): nothing is stamped or answered by this clock meanwhile. */
static void give_up(struct node *node)
{
    env_log(node->env, ENV_LOG_WARN, "lead", "own clock went down: stepping down");
    node->lead.state = LEAD_LEAVING;
    node_batch_unsent(node);
    node_reads_lost(node);
    leave_step(node);
}

static void void_odd(struct node *node, uint64_t odd)
{
    env_log(node->env, ENV_LOG_ERROR, "time",
            "node %llu's clock is more than a second ahead of two others: it is voided",
            (unsigned long long)odd);
    if (odd != node->config->node) {
        node_clocks_void_odd(node, odd);
    }
}

/* ---- T3 ---- */

static void note_walls(struct node_lead *lead, const struct node_time_finding *finding,
                       uint64_t now)
{
    lead->by_walls = finding->by_walls;
    lead->walls = finding->value;
    lead->walls_at = now;
}

/* No clock survived, but the wall clocks agree: T goes on from there, however far that is. */
static bool make_clock_of_walls(struct node *node)
{
    struct node_lead *lead = &node->lead;
    if (!lead->by_walls) {
        return false;
    }
    uint64_t value = sat_add(lead->walls, env_boot_us(node->env) - lead->walls_at);
    lead->by_walls = false;
    lead->stepped = lead->term;
    env_log(node->env, ENV_LOG_WARN, "time",
            "no clock survived on a majority; the wall clocks agree: the time goes on by %llu ms",
            (unsigned long long)(sat_sub(value, fsm_time(node->fsm)) / 1000));
    make_clock(node, u64_max(value, fsm_time(node->fsm)));
    return true;
}

/* Time came back: somebody has a clock again, or the wall clocks agree by now. */
static void end_timeless(struct node *node)
{
    if (node->time.has_clock || make_clock_of_walls(node)) {
        serve_when_held(node);
    } else {
        env_timer_start(node->lead.timer, TIMELESS_US);
    }
}

static void ask_for_time(struct node *node)
{
    if (env_boot_us(node->env) - node->clocks.asked_at >= TIMELESS_US) {
        node_collection_begin(node);
    } else {
        node_collection_step(node);
    }
}

void node_lead_collected(struct node *node, const struct node_time_finding *finding, uint64_t now)
{
    uint64_t before = node_time_clock(&node->time, now);
    node->lead.last_reading = now;
    switch (finding->verdict) {
    case NODE_TIME_AGREED:
        node_time_learn(&node->time, finding->era, finding->value, now);
        break;
    case NODE_TIME_ODD_ONE:
        void_odd(node, finding->odd);
        node_time_learn(&node->time, finding->era, finding->value, now);
        break;
    case NODE_TIME_NONE:
        if (node->time.has_clock) {
            node_time_void(&node->time);
        }
        note_walls(&node->lead, finding, now);
        break;
    }
    if (node->lead.state == LEAD_TIMELESS) {
        end_timeless(node);
    } else if (clock_went_down(node, before)) {
        give_up(node);
    } else {
        start_term(node);
    }
}

/* ---- roles ---- */

static void become_leader(struct node *node, uint64_t term)
{
    struct node_lead *lead = &node->lead;
    lead->term = term;
    lead->start_index = 0;
    lead->recollecting = false;
    lead->by_walls = false;
    node->level.proposed = 0;
    node_clocks_reset(node);
    collect(node);
}

static bool sweep_has_work(const struct node *node, uint64_t now)
{
    return fsm_sweep_due(node->fsm) ||
           (node->time.has_clock &&
            fsm_next_deadline(node->fsm) <= node_time_clock(&node->time, now));
}

static void leave(struct node *node)
{
    if (node->batch->tick_stamp != 0 && sweep_has_work(node, env_boot_us(node->env))) {
        node_observe_cleanup(node, CLEANUP_LEADERSHIP_LOST);
    }
    node->lead.state = LEAD_FOLLOWING;
    node_batch_lost(node);
    node_reads_lost(node);
    node_operate_lost(node);
}

void node_lead_role_changed(struct node *node, enum rlog_role role, uint64_t term, uint64_t leader)
{
    struct node_lead *lead = &node->lead;
    lead->leader = leader;
    bool leads = lead->state != LEAD_FOLLOWING;
    if (leads && (role != RLOG_LEADER || term != lead->term)) {
        leave(node);
        leads = false;
    }
    if (!leads && role == RLOG_LEADER) {
        become_leader(node, term);
    } else if (!leads && leader != 0 && !node->time.has_clock) {
        node_clocks_ask(node);
    }
    if (!leads) {
        lead->term = term;
    }
}

/* The log is applied whole, and no entry in it was stamped by a clock: there is no deadline, and
 * the time is T0 still (T2, Birth). */
static bool is_birth(const struct node *node)
{
    return fsm_time(node->fsm) == node->bootstrap->time &&
           fsm_next_deadline(node->fsm) == OP_INFINITE;
}

static void stay_timeless(struct node *node)
{
    node->lead.state = LEAD_TIMELESS;
    env_log(node->env, ENV_LOG_ERROR, "time",
            "no clock survived on a majority, and its wall clocks do not tell the time: only ends "
            "and revokes are served; state the time with: tenurectl cluster time");
    env_timer_start(node->lead.timer, TIMELESS_US);
}

void node_lead_applied(struct node *node, uint64_t index, uint64_t term)
{
    struct node_lead *lead = &node->lead;
    if (lead->state != LEAD_STARTING || index != lead->start_index || term != lead->term) {
        return;
    }
    bool known = node->time.has_clock || make_clock_of_walls(node);
    if (!known && !is_birth(node)) {
        stay_timeless(node);
        return;
    }
    if (!known) {
        make_clock(node, node->bootstrap->time);
    }
    serve_when_held(node);
}

/* ---- the clock ---- */

bool node_lead_clock(struct node *node, uint64_t *ret_clock)
{
    struct node_lead *lead = &node->lead;
    if (lead->state != LEAD_SERVING) {
        return false;
    }
    uint64_t now = env_boot_us(node->env);
    if (node_lead_too_far_apart(node, lead->last_reading, now)) {
        env_log(node->env, ENV_LOG_WARN, "lead", "stood still for %llu ms: asking for clocks again",
                (unsigned long long)(distance(lead->last_reading, now) / 1000));
        collect_again(node);
        return false;
    }
    lead->last_reading = now;
    *ret_clock = node_time_clock(&node->time, now);
    return true;
}

bool node_lead_stamp(struct node *node, uint64_t *ret_stamp)
{
    if (node->lead.state == LEAD_TIMELESS) {
        *ret_stamp = fsm_time(node->fsm);
        return true;
    }
    return node_lead_clock(node, ret_stamp);
}

enum op_outcome node_lead_admits(const struct node *node, const struct op_row *row)
{
    if (node->stopping) {
        return OP_NOT_LEADER;
    }
    switch (node->lead.state) {
    case LEAD_FOLLOWING:
        return OP_NOT_LEADER;
    case LEAD_COLLECTING:
    case LEAD_STARTING:
    case LEAD_TELLING:
    case LEAD_LEAVING:
        return OP_NOT_READY;
    case LEAD_SERVING:
        return OP_OK;
    case LEAD_TIMELESS:
        return row->without_time ? OP_OK : OP_NO_TIME; /* T3 */
    }
    UNREACHABLE("all states are named");
}

enum op_outcome node_lead_state_time(struct node *node, uint64_t time_us, uint64_t *ret_clock)
{
    switch (node->lead.state) {
    case LEAD_FOLLOWING:
        return OP_NOT_LEADER;
    case LEAD_COLLECTING:
    case LEAD_STARTING:
    case LEAD_TELLING:
    case LEAD_LEAVING:
        return OP_NOT_READY;
    case LEAD_SERVING:
        return OP_INVALID;
    case LEAD_TIMELESS:
        break;
    }
    if (time_us > NODE_TIME_MAX_US) {
        return OP_INVALID;
    }
    make_clock(node, u64_max(time_us, fsm_time(node->fsm)));
    serve_when_held(node);
    *ret_clock = node_time_clock(&node->time, env_boot_us(node->env));
    return OP_OK;
}

/* ---- T5 ---- */

/* A sweep goes on at once; a deadline at most every 10 ms. */
static bool deadline_due(const struct node *node, uint64_t clock, uint64_t now)
{
    if (fsm_sweep_due(node->fsm)) {
        return true;
    }
    return fsm_next_deadline(node->fsm) <= clock && now - node->lead.last_tick >= TICK_SPACING_US;
}

bool node_lead_tick_due(struct node *node)
{
    uint64_t clock;
    if (!node_lead_clock(node, &clock)) {
        return false;
    }
    uint64_t now = node->lead.last_reading;
    if (node->reads.tick_wanted != 0 && node->batch->tick_stamp < node->reads.tick_wanted) {
        return true; /* T6 */
    }
    if (node->batch->tick_stamp != 0) {
        return false; /* one is on its way: it may do all there is to do */
    }
    bool any_deadline = fsm_next_deadline(node->fsm) != OP_INFINITE;
    return deadline_due(node, clock, now) ||
           (any_deadline && now - node->lead.last_entry >= LIVENESS_US);
}

/* ---- the sweep, as it is counted ---- */

static enum node_cleanup_error sweep_error(const struct node *node)
{
    struct rlog_status raft;
    if (node->lead.state != LEAD_SERVING) {
        return CLEANUP_NO_TIME;
    }
    rlog_status(node->rlog, &raft);
    return raft.log_waits                 ? CLEANUP_NO_SPACE
           : node->batch->tick_stamp != 0 ? CLEANUP_NOT_COMMITTED
                                          : CLEANUP_LOG_BUSY;
}

void node_lead_watch_sweep(struct node *node)
{
    struct node_lead *lead = &node->lead;
    uint64_t now = env_boot_us(node->env);
    if (lead->state == LEAD_FOLLOWING || !sweep_has_work(node, now)) {
        lead->sweep_since = 0;
    } else if (lead->sweep_since == 0) {
        lead->sweep_since = now;
    } else if (now - lead->sweep_since >= SWEEP_PATIENCE_US) {
        lead->sweep_since = now;
        node_observe_cleanup(node, sweep_error(node));
    }
}

void node_lead_swept(struct node *node)
{
    node->lead.sweep_since = 0;
}

/* Serving: how long until this node has something to do by itself. */
static uint64_t next_delay(const struct node *node, uint64_t now)
{
    const struct node_lead *lead = &node->lead;
    uint64_t clock = node_time_clock(&node->time, now);
    /* The telling notices a pause as well (L2). */
    uint64_t delay = sat_sub(node->clocks.told_at + tell_us(node), now);
    delay = u64_min(delay, node_denials_delay(&node->batch->denials, now));
    if (node->batch->tick_stamp == 0) {
        uint64_t next = fsm_next_deadline(node->fsm);
        uint64_t deadline = next == OP_INFINITE ? OP_INFINITE : sat_sub(next, clock);
        uint64_t spacing = sat_sub(lead->last_tick + TICK_SPACING_US, now);
        delay = u64_min(delay, u64_max(deadline, spacing));
        if (deadline != OP_INFINITE) {
            delay = u64_min(delay, sat_sub(lead->last_entry + LIVENESS_US, now));
        }
    }
    return delay;
}

/* Tells the others our clock, so that theirs follow (T2), and asks the odd one for its own. */
static void tell_clock(struct node *node)
{
    uint64_t clock;
    if (env_boot_us(node->env) - node->clocks.told_at >= tell_us(node) &&
        node_lead_clock(node, &clock)) {
        node_clocks_tell(node, clock);
        node_clocks_remind_odd(node);
    }
}

void node_lead_arm(struct node *node, bool soon)
{
    struct node_lead *lead = &node->lead;
    if (lead->state == LEAD_SERVING) {
        tell_clock(node); /* may find that it has to collect */
    }
    switch (lead->state) {
    case LEAD_COLLECTING:
    case LEAD_STARTING:
    case LEAD_TELLING:
    case LEAD_LEAVING:
        return; /* their own timer runs */
    case LEAD_FOLLOWING:
    case LEAD_TIMELESS:
        if (soon) {
            env_timer_start(lead->timer, 1000);
        }
        return;
    case LEAD_SERVING:
        env_timer_start(lead->timer, soon ? 1000 : next_delay(node, env_boot_us(node->env)));
        return;
    }
}

static void on_timer(void *arg)
{
    struct node *node = arg;
    switch (node->lead.state) {
    case LEAD_FOLLOWING:
    case LEAD_SERVING:
        break; /* it has begun a turn, and the turn's end does what is due */
    case LEAD_TIMELESS:
        ask_for_time(node);
        break;
    case LEAD_COLLECTING:
        node_collection_step(node);
        break;
    case LEAD_STARTING:
        start_term(node);
        break;
    case LEAD_TELLING:
        serve_when_held(node);
        break;
    case LEAD_LEAVING:
        leave_step(node);
        break;
    }
}

int node_lead_init(struct node *node)
{
    node->lead = (struct node_lead){.state = LEAD_FOLLOWING};
    node->lead.timer = env_timer_create(node->env, on_timer, node);
    return node->lead.timer == NULL ? ENV_FAILED : ENV_OK;
}

void node_lead_done(struct node *node)
{
    env_timer_destroy(node->lead.timer);
    node->lead.timer = NULL;
}

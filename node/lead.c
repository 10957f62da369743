/* When this node may serve, and what time it is then. */
#include "node/lead.h"

#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "env/random.h"
#include "node/internal.h"

enum {
    TICK_SPACING_US = 10000,  /* T5 */
    LIVENESS_US = 1000000,    /* T5: an entry a second while any deadline exists */
    LEADER_CLOCK_US = 500000, /* a leader tells its clock at least this often */
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

/* ---- messages between nodes: u8 version, then the kind's fields ---- */

enum { CLOCK_MESSAGE_VERSION = 1, CLOCK_MESSAGE_MAX = 32 };

/* ASK: nonce.  ANSWER: nonce, has, value.  LEADER: term, value.  VOID: nothing. */
static void send_clock(struct node *node, uint64_t to, uint8_t kind, uint64_t first, bool has,
                       uint64_t value)
{
    uint8_t buffer[CLOCK_MESSAGE_MAX];
    struct base_writer writer;
    base_writer_init(&writer, buffer, sizeof(buffer));
    base_write_u8(&writer, CLOCK_MESSAGE_VERSION);
    base_write_u64(&writer, first);
    base_write_u8(&writer, has ? 1 : 0);
    base_write_u64(&writer, value);
    rlog_peer_send(node->rlog, to, kind, base_written(&writer));
}

static void send_clock_to_all(struct node *node, uint8_t kind, uint64_t first, uint64_t value)
{
    const struct rlog_birth *birth = &node->bootstrap->birth;
    for (size_t i = 0; i < birth->member_count; i++) {
        if (birth->members[i].id != node->config->node) {
            send_clock(node, birth->members[i].id, kind, first, true, value);
        }
    }
}

/* ---- asking for clocks ---- */

static void new_question(struct node *node)
{
    struct node_lead *lead = &node->lead;
    env_random(node->env, &lead->nonce, sizeof(lead->nonce));
    lead->asked_at = env_boot_us(node->env);
}

static void ask(struct node *node)
{
    new_question(node);
    send_clock_to_all(node, PEER_CLOCK_ASK, node->lead.nonce, 0);
}

/* Successive readings of our own that no leader may trust: it stood still, or its clock jumped
 * (T2). */
static bool too_far_apart(const struct node *node, uint64_t before, uint64_t now)
{
    return now < before || now - before > election_us(node);
}

static void collect(struct node *node)
{
    struct node_lead *lead = &node->lead;
    lead->state = LEAD_COLLECTING;
    lead->offer_count = 0;
    lead->majority_at = 0;
    ask(node);
    env_timer_start(lead->timer, heartbeat_us(node));
}

static void take_offer(struct node *node, uint64_t from, bool has, uint64_t value)
{
    struct node_lead *lead = &node->lead;
    for (size_t i = 0; i < lead->offer_count; i++) {
        if (lead->offers[i].node == from) {
            return;
        }
    }
    ASSERT(lead->offer_count < RLOG_MEMBERS_MAX);
    lead->offers[lead->offer_count] = (struct node_time_offer){
        .node = from, .has_clock = has, .value = value};
    lead->received[lead->offer_count++] = env_boot_us(node->env);
}

static void serve(struct node *node)
{
    struct node_lead *lead = &node->lead;
    lead->state = LEAD_SERVING;
    lead->recollecting = false;
    lead->last_reading = env_boot_us(node->env);
    env_log(node->env, ENV_LOG_INFO, "lead", "serving term %llu", (unsigned long long)lead->term);
}

/* Commits TERM_START; nothing is served until that is applied (T2). */
static void start_term(struct node *node)
{
    struct node_lead *lead = &node->lead;
    if (lead->recollecting) {
        serve(node);
        return;
    }
    if (lead->start_index != 0) {
        return;
    }
    lead->state = LEAD_STARTING;
    uint64_t now = env_boot_us(node->env);
    lead->last_reading = now;
    uint64_t stamp = node->time.has_clock ? node_time_clock(&node->time, now) : node->time.floor;
    if (!node_batch_term_start(node, lead->term, stamp, &lead->start_index)) {
        env_timer_start(lead->timer, heartbeat_us(node)); /* the log is full: again */
    }
}

/* Offers are brought to one moment by our own clock: it must have run evenly since they came. */
static bool offers_are_fresh(const struct node *node, uint64_t now)
{
    const struct node_lead *lead = &node->lead;
    for (size_t i = 0; i < lead->offer_count; i++) {
        if (too_far_apart(node, lead->received[i], now)) {
            return false;
        }
    }
    return true;
}

/* A clock of this leader that went down is not one to serve by (T2). */
static bool clock_went_down(struct node *node, uint64_t before)
{
    return node->lead.recollecting && node->time.has_clock &&
           node_time_clock(&node->time, env_boot_us(node->env)) < before;
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
        node->lead.odd = odd;
        send_clock(node, odd, PEER_CLOCK_VOID, node->lead.term, false, 0);
    }
}

static void conclude(struct node *node)
{
    struct node_lead *lead = &node->lead;
    uint64_t now = env_boot_us(node->env);
    if (!offers_are_fresh(node, now)) {
        collect(node);
        return;
    }
    uint64_t before = node_time_clock(&node->time, now);
    struct node_time_offer offers[RLOG_MEMBERS_MAX + 1];
    size_t count = 0;
    offers[count++] = (struct node_time_offer){
        .node = node->config->node, .has_clock = node->time.has_clock, .value = before};
    for (size_t i = 0; i < lead->offer_count; i++) {
        offers[count] = lead->offers[i];
        offers[count++].value = sat_add(lead->offers[i].value, now - lead->received[i]);
    }
    uint64_t value = 0;
    uint64_t odd = 0;
    switch (node_time_collect(offers, count, &value, &odd)) {
    case NODE_TIME_AGREED:
        node_time_learn(&node->time, value, now);
        break;
    case NODE_TIME_ODD_ONE:
        void_odd(node, odd);
        node_time_learn(&node->time, value, now);
        break;
    case NODE_TIME_NONE:
        node_time_void(&node->time);
        env_log(node->env, ENV_LOG_ERROR, "time",
                "no clock survived on a majority: only ends and revokes are served; state the time "
                "with: tenurectl cluster time");
        break;
    }
    if (clock_went_down(node, before)) {
        give_up(node);
        return;
    }
    start_term(node);
}

/* A majority has answered, and the rest had a heartbeat's time or answered too. */
static void collection_step(struct node *node)
{
    struct node_lead *lead = &node->lead;
    size_t members = node->bootstrap->birth.member_count;
    size_t known = lead->offer_count + 1;
    uint64_t now = env_boot_us(node->env);
    if (known > members / 2 && lead->majority_at == 0) {
        lead->majority_at = now;
    }
    bool waited = lead->majority_at != 0 && now - lead->majority_at >= heartbeat_us(node);
    if (known == members || waited) {
        conclude(node);
        return;
    }
    if (now - lead->asked_at >= election_us(node) / 2) {
        ask(node); /* it was lost, or the answers were */
    }
    env_timer_start(lead->timer, heartbeat_us(node));
}

/* ---- roles ---- */

static bool is_birth(const struct node *node)
{
    return node->time.floor == 0 && fsm_position(node->fsm) == 0;
}

static void become_leader(struct node *node, uint64_t term)
{
    struct node_lead *lead = &node->lead;
    lead->term = term;
    lead->start_index = 0;
    lead->recollecting = false;
    lead->odd = 0;
    if (is_birth(node)) { /* model.md T2, Birth */
        node_time_learn(&node->time, node->bootstrap->time, env_boot_us(node->env));
        start_term(node);
        return;
    }
    collect(node);
}

static void leave(struct node *node)
{
    node->lead.state = LEAD_FOLLOWING;
    node_batch_lost(node);
    node_reads_lost(node);
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
        ask(node);
    }
    if (!leads) {
        lead->term = term;
    }
}

void node_lead_applied(struct node *node, uint64_t index, uint64_t term)
{
    struct node_lead *lead = &node->lead;
    if (lead->state != LEAD_STARTING || index != lead->start_index || term != lead->term) {
        return;
    }
    if (!node->time.has_clock) {
        lead->state = LEAD_TIMELESS;
    } else if (too_far_apart(node, lead->last_reading, env_boot_us(node->env))) {
        lead->recollecting = true;
        collect(node);
    } else {
        serve(node);
    }
}

/* ---- the clock ---- */

bool node_lead_clock(struct node *node, uint64_t *ret_clock)
{
    struct node_lead *lead = &node->lead;
    if (lead->state != LEAD_SERVING) {
        return false;
    }
    uint64_t now = env_boot_us(node->env);
    if (too_far_apart(node, lead->last_reading, now)) {
        env_log(node->env, ENV_LOG_WARN, "lead", "stood still for %llu ms: asking for clocks again",
                (unsigned long long)((now - lead->last_reading) / 1000));
        lead->recollecting = true;
        collect(node);
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
    uint64_t now = env_boot_us(node->env);
    node_time_learn(&node->time, u64_max(time_us, fsm_time(node->fsm)), now);
    serve(node);
    *ret_clock = node_time_clock(&node->time, now);
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

/* Serving: how long until this node has something to do by itself. */
static uint64_t next_delay(const struct node *node, uint64_t now)
{
    const struct node_lead *lead = &node->lead;
    uint64_t clock = node_time_clock(&node->time, now);
    uint64_t delay = sat_sub(lead->told_at + tell_us(node), now); /* notices a pause as well: L2 */
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
    struct node_lead *lead = &node->lead;
    uint64_t clock;
    if (env_boot_us(node->env) - lead->told_at < tell_us(node) || !node_lead_clock(node, &clock)) {
        return;
    }
    lead->told_at = lead->last_reading;
    send_clock_to_all(node, PEER_CLOCK_LEADER, lead->term, clock);
    if (lead->odd != 0 && lead->told_at - lead->asked_at > NODE_TIME_ANSWER_US) {
        new_question(node);
        send_clock(node, lead->odd, PEER_CLOCK_ASK, lead->nonce, true, 0);
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
    case LEAD_TIMELESS:
        break; /* it has begun a turn, and the turn's end does what is due */
    case LEAD_COLLECTING:
        collection_step(node);
        break;
    case LEAD_STARTING:
        start_term(node);
        break;
    case LEAD_LEAVING:
        leave_step(node);
        break;
    }
}

/* ---- what other nodes say ---- */

/* The odd one's answer: it has voided its clock or learned a better one, or has to be told again.
 * The message is told on an unreliable channel. */
static void on_odd_answer(struct node *node, bool has, uint64_t value)
{
    struct node_lead *lead = &node->lead;
    uint64_t clock;
    if (!node_lead_clock(node, &clock)) {
        return;
    }
    if (has && value > clock + NODE_TIME_ODD_US) {
        send_clock(node, lead->odd, PEER_CLOCK_VOID, lead->term, false, 0);
    } else {
        lead->odd = 0;
    }
}

static void on_answer(struct node *node, uint64_t from, uint64_t nonce, bool has, uint64_t value)
{
    struct node_lead *lead = &node->lead;
    uint64_t now = env_boot_us(node->env);
    uint64_t bound = node->time.has_clock ? election_us(node) : NODE_TIME_ANSWER_US;
    if (nonce != lead->nonce || now - lead->asked_at > bound) {
        return; /* T2: an answer to our own question, in time when it makes a clock */
    }
    if (lead->state == LEAD_COLLECTING) {
        take_offer(node, from, has, value);
        collection_step(node);
    } else if (lead->state == LEAD_FOLLOWING && has && !node->time.has_clock) {
        node_time_learn(&node->time, value, now);
        env_log(node->env, ENV_LOG_INFO, "time", "learned the time from node %llu",
                (unsigned long long)from);
    } else if (lead->state == LEAD_SERVING && from == lead->odd) {
        on_odd_answer(node, has, value);
    }
}

/* A clock value of the leader: raises ours, or makes us ask when the question before found nobody
 * (T2, C3). */
static void hear(struct node *node, uint64_t value)
{
    uint64_t now = env_boot_us(node->env);
    if (node->time.has_clock) {
        node_time_follow(&node->time, value, now);
    } else if (now - node->lead.asked_at > NODE_TIME_ANSWER_US) {
        ask(node);
    }
}

void node_lead_follow(struct node *node, uint64_t term, uint64_t stamp)
{
    const struct node_lead *lead = &node->lead;
    if (lead->state == LEAD_FOLLOWING && term == lead->term && lead->leader != 0) {
        hear(node, stamp);
    }
}

static void on_leader_clock(struct node *node, uint64_t from, uint64_t term, uint64_t value)
{
    if (node->lead.state == LEAD_FOLLOWING && term == node->lead.term &&
        from == node->lead.leader) {
        hear(node, value);
    }
}

void node_lead_peer_message(struct node *node, uint64_t from, uint8_t kind, struct bytes message)
{
    struct base_reader reader;
    base_reader_init(&reader, message);
    uint8_t version = base_read_u8(&reader);
    uint64_t first = base_read_u64(&reader);
    bool has = base_read_u8(&reader) == 1;
    uint64_t value = base_read_u64(&reader);
    if (version != CLOCK_MESSAGE_VERSION || !base_reader_finished(&reader)) {
        env_log(node->env, ENV_LOG_WARN, "time", "node %llu sent a clock message of no known form",
                (unsigned long long)from);
        return;
    }
    if (kind == PEER_CLOCK_ASK) {
        uint64_t clock = node_time_clock(&node->time, env_boot_us(node->env));
        send_clock(node, from, PEER_CLOCK_ANSWER, first, node->time.has_clock, clock);
    } else if (kind == PEER_CLOCK_ANSWER) {
        on_answer(node, from, first, has, value);
    } else if (kind == PEER_CLOCK_LEADER) {
        on_leader_clock(node, from, first, value);
    } else if (kind == PEER_CLOCK_VOID && first == node->lead.term && from == node->lead.leader) {
        node_time_void(&node->time);
        ask(node);
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

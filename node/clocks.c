/* Messages between nodes that carry clocks: what each makes of the receiver's. */
#include "node/clocks.h"

#include "env/random.h"
#include "node/forms.h"
#include "node/internal.h"

static void send_clock(struct node *node, uint64_t to, uint8_t kind,
                       struct node_clock_message message)
{
    uint8_t buffer[NODE_FORM_MAX];
    rlog_peer_send(node->rlog, to, kind, node_form_write_clock(buffer, &message));
}

static void send_clock_to_all(struct node *node, uint8_t kind, struct node_clock_message message)
{
    size_t count;
    const struct rlog_member *members = rlog_members(node->rlog, &count);
    for (size_t i = 0; i < count; i++) {
        if (members[i].id != node->config->node) {
            send_clock(node, members[i].id, kind, message);
        }
    }
}

/* ---- saying ---- */

void node_clocks_reset(struct node *node)
{
    node->clocks.holder_count = 0;
    node->clocks.odd = 0;
}

static void new_question(struct node *node)
{
    struct node_clocks *clocks = &node->clocks;
    env_random(node->env, &clocks->nonce, sizeof(clocks->nonce));
    clocks->asked_at = env_boot_us(node->env);
}

void node_clocks_ask(struct node *node)
{
    new_question(node);
    send_clock_to_all(node, PEER_CLOCK_ASK,
                      (struct node_clock_message){.first = node->clocks.nonce});
}

void node_clocks_tell(struct node *node, uint64_t clock)
{
    node->clocks.told_at = env_boot_us(node->env);
    send_clock_to_all(
        node, PEER_CLOCK_LEADER,
        (struct node_clock_message){
            .first = node->lead.term, .has = true, .value = clock, .era = node->time.era});
}

void node_clocks_remind_odd(struct node *node)
{
    struct node_clocks *clocks = &node->clocks;
    if (clocks->odd != 0 && clocks->told_at - clocks->asked_at > NODE_TIME_ANSWER_US) {
        new_question(node);
        send_clock(node, clocks->odd, PEER_CLOCK_ASK,
                   (struct node_clock_message){.first = clocks->nonce});
    }
}

void node_clocks_void_odd(struct node *node, uint64_t odd)
{
    node->clocks.odd = odd;
    send_clock(node, odd, PEER_CLOCK_VOID, (struct node_clock_message){.first = node->lead.term});
}

bool node_clocks_majority_holds(const struct node *node)
{
    const struct node_clocks *clocks = &node->clocks;
    bool own = node->clock_file.durable_era == node->time.era;
    size_t voters = 1; /* who leads */
    for (size_t i = 0; i < clocks->holder_count; i++) {
        voters += rlog_is_voter(node->rlog, clocks->holders[i]) ? 1 : 0;
    }
    return own && voters > rlog_voters(node->rlog) / 2;
}

/* ---- hearing ---- */

struct node_time_offer node_clocks_own(struct node *node, uint64_t now)
{
    struct node_time_offer offer = {
        .node = node->config->node,
        .has_clock = node->time.has_clock,
        .era = node->time.era,
        .value = node_time_clock(&node->time, now),
    };
    offer.wall = node_time_wall_offer(&node->time, env_wall_us(node->env),
                                      env_wall_synchronised(node->env), &offer.wall_value);
    return offer;
}

static void on_ask(struct node *node, uint64_t from, const struct node_clock_message *message)
{
    struct node_time_offer own = node_clocks_own(node, env_boot_us(node->env));
    send_clock(node, from, PEER_CLOCK_ANSWER,
               (struct node_clock_message){.first = message->first,
                                           .has = own.has_clock,
                                           .value = own.value,
                                           .era = own.era,
                                           .wall = own.wall,
                                           .wall_value = own.wall_value});
}

/* The odd one has voided its clock or learned a better one, or has to be told again. */
static void on_odd_answer(struct node *node, const struct node_clock_message *message)
{
    uint64_t clock;
    if (!node_lead_clock(node, &clock)) {
        return;
    }
    if (message->has && message->value > clock + NODE_TIME_ODD_US) {
        node_clocks_void_odd(node, node->clocks.odd);
    } else {
        node->clocks.odd = 0;
    }
}

/* We hold the clock that our leader made, and remember its era if we lose it. */
static void say_held(struct node *node)
{
    if (!node->time.has_clock || node->time.era != node->lead.term ||
        node->clock_file.durable_era != node->time.era) {
        return; /* the leader tells its clock again */
    }
    send_clock(node, node->lead.leader, PEER_CLOCK_HELD,
               (struct node_clock_message){.first = node->lead.term, .era = node->time.era});
}

void node_clocks_durable(struct node *node)
{
    if (node->lead.state == LEAD_FOLLOWING && node->lead.leader != 0) {
        say_held(node);
    }
    node_lead_held(node);
}

/* Without a clock anybody's will do that is of no older era than the one that we have lost; a clock
 * of another era gives way to the leader's alone. */
static void on_follower_answer(struct node *node, uint64_t from,
                               const struct node_clock_message *message)
{
    bool of_leader = from == node->lead.leader;
    bool other_era = message->era != node->time.era;
    bool wanted = of_leader ? !node->time.has_clock || other_era
                            : !node->time.has_clock && message->era >= node->time.era;
    if (!message->has || !wanted) {
        return;
    }
    node_time_learn(&node->time, message->era, message->value, env_boot_us(node->env));
    env_log(node->env, ENV_LOG_INFO, "time", "learned the time of era %llu from node %llu",
            (unsigned long long)message->era, (unsigned long long)from);
}

/* T2: an answer to our own question, and in time when it makes a clock. */
static bool is_answer(const struct node *node, uint64_t nonce)
{
    const struct node_clocks *clocks = &node->clocks;
    bool makes = node->lead.state == LEAD_FOLLOWING || !node->time.has_clock;
    uint64_t bound = makes ? NODE_TIME_ANSWER_US : (uint64_t)node->config->election_ms * 1000;
    return nonce == clocks->nonce && env_boot_us(node->env) - clocks->asked_at <= bound;
}

static void on_answer(struct node *node, uint64_t from, const struct node_clock_message *message)
{
    if (!is_answer(node, message->first)) {
        return;
    }
    if (node->lead.state == LEAD_COLLECTING || node->lead.state == LEAD_TIMELESS) {
        node_collection_offer(node, (struct node_time_offer){.node = from,
                                                             .has_clock = message->has,
                                                             .era = message->era,
                                                             .value = message->value,
                                                             .wall = message->wall,
                                                             .wall_value = message->wall_value});
    } else if (node->lead.state == LEAD_FOLLOWING) {
        on_follower_answer(node, from, message);
    } else if (node->lead.state == LEAD_SERVING && from == node->clocks.odd) {
        on_odd_answer(node, message);
    }
}

/* Asks, unless the question before may be answered still (C3). */
static void ask_again(struct node *node)
{
    if (env_boot_us(node->env) - node->clocks.asked_at > NODE_TIME_ANSWER_US) {
        node_clocks_ask(node);
    }
}

void node_clocks_follow(struct node *node, uint64_t term, uint64_t value)
{
    const struct node_lead *lead = &node->lead;
    if (lead->state != LEAD_FOLLOWING || term != lead->term || lead->leader == 0) {
        return;
    }
    if (node->time.has_clock) {
        node_time_follow(&node->time, value, env_boot_us(node->env));
    } else {
        ask_again(node);
    }
}

static void on_leader_clock(struct node *node, uint64_t from,
                            const struct node_clock_message *message)
{
    if (from != node->lead.leader || message->first != node->lead.term) {
        return;
    }
    if (node->time.has_clock && message->era != node->time.era) {
        ask_again(node);
        return;
    }
    node_clocks_follow(node, message->first, message->value);
    if (node->lead.state == LEAD_FOLLOWING) {
        say_held(node);
    }
}

static void on_held(struct node *node, uint64_t from, const struct node_clock_message *message)
{
    struct node_clocks *clocks = &node->clocks;
    if (node->lead.state == LEAD_FOLLOWING || message->first != node->lead.term ||
        message->era != node->lead.term) {
        return;
    }
    for (size_t i = 0; i < clocks->holder_count; i++) {
        if (clocks->holders[i] == from) {
            return;
        }
    }
    if (clocks->holder_count == RLOG_MEMBERS_MAX) {
        clocks->holder_count = 0; /* of members that are gone, too: the others say so again */
    }
    clocks->holders[clocks->holder_count++] = from;
    node_lead_held(node);
}

static void on_void(struct node *node, uint64_t from, const struct node_clock_message *message)
{
    if (message->first == node->lead.term && from == node->lead.leader) {
        node_time_void(&node->time);
        node_clocks_ask(node);
    }
}

void node_clocks_message(struct node *node, uint64_t from, uint8_t kind, struct bytes bytes)
{
    struct node_clock_message message;
    if (!node_form_read_clock(bytes, &message)) {
        env_log(node->env, ENV_LOG_WARN, "time", "node %llu sent a clock message of no known form",
                (unsigned long long)from);
        return;
    }
    if (kind == PEER_CLOCK_ASK) {
        on_ask(node, from, &message);
    } else if (kind == PEER_CLOCK_ANSWER) {
        on_answer(node, from, &message);
    } else if (kind == PEER_CLOCK_LEADER) {
        on_leader_clock(node, from, &message);
    } else if (kind == PEER_CLOCK_HELD) {
        on_held(node, from, &message);
    } else if (kind == PEER_CLOCK_VOID) {
        on_void(node, from, &message);
    }
}

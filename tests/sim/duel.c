/* Two who lead, or believe so: the leader is cut off from the others while its clients still reach
 * it. The moment that another one serves, a hot session is written, ended and revoked there and
 * read at the old one, every few milliseconds: whatever it still answers must be true (section 7).
 *
 * It is a session that was made for this duel, so that it lives. Left alone, the others elect
 * about when the old one gives up: both wait for an election timeout. So in most duels it hands
 * over, and hears nothing any more: then the next one serves within milliseconds.
 *
 * Each node has a client of its own for this, which never goes to another one; they are made when
 * the first duel begins.
 */
#include "tests/sim/faults.h"

#include "base/assert.h"
#include "node/node.h"
#include "raftlog/raftlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    TICK_US = 4000,
    READS_OPEN_MAX = 8,
    WRITES_OPEN_MAX = 3,
    CREATE_US = 400000,
};

enum act { ACT_CREATE, ACT_READ, ACT_WRITE };

static struct run_actor *second_of(struct run *run, size_t node)
{
    return &run->actors[ACTORS_MAX + node];
}

static const struct run_session *hot_session(struct run *run)
{
    const struct run_session *newest = NULL;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        const struct run_session *session = &run->sessions[i];
        if (session->known && (newest == NULL || session->since_us > newest->since_us)) {
            newest = session;
        }
    }
    return newest;
}

static void read_hot(struct run_actor *actor, const struct run_session *session)
{
    struct run *run = actor->run;
    const struct tenure_session_validate_request validate = {.user = tenure_text(session->user),
                                                             .token = tenure_text(session->token)};
    const struct tenure_state_get_request get = {.user = validate.user,
                                                 .has_token = true,
                                                 .token = validate.token,
                                                 .key = tenure_text("key-hot")};
    const struct tenure_permission_check_request check = {
        .user = validate.user, .token = validate.token, .permission = tenure_text("state:write")};
    switch (run_random(run, 4)) {
    case 0:
        record_call(actor, OP_session_validate, &validate, NULL);
        return;
    case 1:
        record_call(actor, OP_permission_check, &check, NULL);
        return;
    default:
        record_call(actor, OP_state_get, &get, NULL);
    }
}

/* Mostly what leaves the session alive, so that there is more to see. */
static void write_hot(struct run_actor *actor, const struct run_session *session)
{
    struct run *run = actor->run;
    char value[32];
    snprintf(value, sizeof(value), "duel-%u-%" PRIu32, run->step.index, run->step.ordinal);
    const struct tenure_state_put_request put = {.user = tenure_text(session->user),
                                                 .has_token = true,
                                                 .token = tenure_text(session->token),
                                                 .key = tenure_text("key-hot"),
                                                 .value = tenure_text(value)};
    const struct tenure_session_end_request end = {.user = put.user, .token = put.token};
    const struct tenure_revoke_user_request revoke = {.user = put.user};
    uint64_t drawn = run_random(run, 100);
    if (drawn < 80) {
        record_call(actor, OP_state_put, &put, NULL);
    } else if (drawn < 92) {
        record_call(actor, OP_session_end, &end, NULL);
    } else {
        record_call(actor, OP_revoke_user, &revoke, NULL);
    }
}

/* With lives longer than the duel. Nobody else revokes this user. */
static void create_hot(struct run_actor *actor)
{
    struct tenure_session_create_request create = {.user = tenure_text("user-duel"),
                                                   .agent = tenure_text("agent-duel"),
                                                   .idle = 20 * SIM_SECOND,
                                                   .absolute = 40 * SIM_SECOND,
                                                   .has_grants = true};
    create.grants[create.grants_count++].permission = tenure_text("state:read");
    create.grants[create.grants_count++].permission = tenure_text("state:write");
    record_call(actor, OP_session_create, &create, NULL);
}

static void act(struct run *run, size_t node, enum act act)
{
    static const uint32_t open_max[] = {1, READS_OPEN_MAX, WRITES_OPEN_MAX};
    struct run_actor *actor = second_of(run, node);
    const struct run_session *session = hot_session(run);
    struct step step = {STEP_DUEL, (uint8_t)node, actor->turns++};
    struct run_draws before = run_enter(run, step);
    if (actor->env != NULL && actor->open < open_max[act] && run_keeps(run)) {
        if (act == ACT_CREATE) {
            create_hot(actor);
        } else if (session != NULL && act == ACT_READ) {
            read_hot(actor, session);
        } else if (session != NULL) {
            write_hot(actor, session);
        }
    }
    run_leave(run, before);
}

/* It does not hear the others, or is not heard by them. */
static void cut(struct run *run, size_t old, bool heard)
{
    struct sim_host *here = run->nodes[old].host;
    for (size_t i = 0; i < run->node_count; i++) {
        struct sim_host *there = run->nodes[i].host;
        if (i != old) {
            sim_net_cut(run->sim, heard ? here : there, heard ? there : here, true);
        }
    }
}

static void prepare(struct run *run)
{
    size_t leader = nodes_leader(run);
    const struct run_session *session = hot_session(run);
    bool created = session != NULL && session->since_us > run->duel_begun_us;
    if (leader == NODES_MAX) {
        return;
    }
    if (!created && sim_now_us(run->sim) < run->duel_begun_us + CREATE_US) {
        act(run, leader, ACT_CREATE);
        return;
    }
    run_say(run, "node %zu hears nobody%s", leader + 1, run->duel_elects ? ", and hands over" : "");
    run->duel_old = leader;
    run->duel_state = DUEL_DEAF;
    cut(run, leader, false);
    if (run->duel_elects) {
        rlog_step_down(run->nodes[leader].node->rlog);
    }
}

static void tick(void *arg)
{
    struct run *run = arg;
    if (run->duel_until_us <= sim_now_us(run->sim) || run->failure[0] != '\0') {
        return;
    }
    size_t leader = nodes_leader(run);
    if (run->duel_state == DUEL_PREPARES) {
        prepare(run);
    } else {
        act(run, run->duel_old, ACT_READ);
        if (leader != NODES_MAX && leader != run->duel_old) {
            act(run, leader, ACT_WRITE);
            act(run, run->duel_old, ACT_READ);
        }
        if (run->duel_state == DUEL_DEAF) { /* its last words have arrived */
            run->duel_state = DUEL_CUT;
            cut(run, run->duel_old, true);
        }
    }
    sim_at(run->sim, TICK_US, tick, run);
}

void fault_duel(struct run *run, struct active *active)
{
    size_t leader = nodes_leader(run);
    if (leader == NODES_MAX || run->duel_until_us > sim_now_us(run->sim)) {
        return;
    }
    for (size_t i = 0; i < run->node_count; i++) {
        if (second_of(run, i)->env == NULL) {
            actor_start_second(run, i);
        }
    }
    active->node = run->duel_old = leader;
    run->duel_begun_us = sim_now_us(run->sim);
    active->until = run->duel_begun_us + CREATE_US + 4 * run->plan.election_ms * SIM_MILLISECOND;
    run->duel_until_us = active->until;
    run->duel_state = DUEL_PREPARES;
    run->duel_elects = run_chance(run, 70);
    sim_at(run->sim, 0, tick, run);
}

void fault_duel_end(struct run *run, struct active *active)
{
    run->duel_until_us = 0;
    fault_heal_network(run, active);
}

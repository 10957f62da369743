/* Two who lead, or believe so: the leader is cut off from the others while its clients still reach
 * it. The moment that another one serves, the hot sessions are written, ended and revoked there and
 * read at the old one, every few milliseconds: whatever it still answers must be true (section 7).
 *
 * Each node has a client of its own for this, which never goes to another one; they are made when
 * the first duel begins.
 */
#include "tests/sim/faults.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    TICK_US = 4000,
    READS_OPEN_MAX = 8,
    WRITES_OPEN_MAX = 3,
};

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

static void act(struct run *run, size_t node, bool writes)
{
    struct run_actor *actor = second_of(run, node);
    const struct run_session *session = hot_session(run);
    struct step step = {STEP_DUEL, (uint8_t)node, actor->turns++};
    struct run_draws before = run_enter(run, step);
    uint32_t most = writes ? WRITES_OPEN_MAX : READS_OPEN_MAX;
    if (session != NULL && actor->env != NULL && actor->open < most && run_keeps(run)) {
        if (writes) {
            write_hot(actor, session);
        } else {
            read_hot(actor, session);
        }
    }
    run_leave(run, before);
}

static void tick(void *arg)
{
    struct run *run = arg;
    if (run->duel_until_us <= sim_now_us(run->sim) || run->failure[0] != '\0') {
        return;
    }
    size_t leader = nodes_leader(run);
    act(run, run->duel_old, false);
    if (leader != NODES_MAX && leader != run->duel_old) {
        act(run, leader, true);
        act(run, run->duel_old, false);
    }
    sim_at(run->sim, TICK_US, tick, run);
}

/* Both ways: who still hears the others hears of the next term. */
static void cut_off(struct run *run, size_t old)
{
    for (size_t i = 0; i < run->plan.nodes; i++) {
        if (i != old) {
            sim_net_cut(run->sim, run->nodes[old].host, run->nodes[i].host, true);
            sim_net_cut(run->sim, run->nodes[i].host, run->nodes[old].host, true);
        }
    }
}

void fault_duel(struct run *run, struct active *active)
{
    size_t leader = nodes_leader(run);
    if (leader == NODES_MAX || run->duel_until_us > sim_now_us(run->sim)) {
        return;
    }
    for (size_t i = 0; i < run->plan.nodes; i++) {
        if (second_of(run, i)->env == NULL) {
            actor_start_second(run, i);
        }
    }
    active->node = run->duel_old = leader;
    active->until = sim_now_us(run->sim) + 3 * run->plan.election_ms * SIM_MILLISECOND;
    run->duel_until_us = active->until;
    cut_off(run, leader);
    sim_at(run->sim, 0, tick, run);
}

void fault_duel_end(struct run *run, struct active *active)
{
    run->duel_until_us = 0;
    fault_heal_network(run, active);
}

/* An operator who changes the members, by the calls of tenurectl, while faults and load go on. One
 * change at a time, each asked for until it is so: what the faults break off is asked again.
 *
 *   grow       FORMATS -> ADDS -> PROMOTES -> IDLE
 *   shrink     REMOVES -> IDLE                  half of the time whoever leads
 *   disk gone  LOSES -> REFORMATS -> MISTAKES -> REPLACES -> PROMOTES -> IDLE
 *   transfer   TRANSFERS -> IDLE
 *
 * All of it is drawn by the step that begins it. Of three founders two more machines may join, and
 * back; five and seven shrink to three and grow again. Who was taken out goes on for a while, with
 * the members that it knows, and may join again later with an empty disk. Not told here: who may
 * lose a disk, and why only one machine may (faults_disk.c).
 */
#include "tests/sim/faults.h"

#include "base/assert.h"
#include "base/sat.h"
#include "raftlog/rlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    VOTERS_LEAST = 3,
    CALL_US = 3000000,
    PAUSE_US = 200000,
    LEAVE_US = 8000000,
    PATIENCE_US = 6000000,
};

static struct run_node *node_of(struct run *run)
{
    return &run->nodes[run->churn.node];
}

bool churn_is_idle(const struct run *run)
{
    return run->churn.state == CHURN_IDLE;
}

bool churn_changes(const struct run *run, size_t node)
{
    return !churn_is_idle(run) && run->churn.node == node;
}

static void go_to(struct run *run, enum churn_state state)
{
    static const char *const words[] = {
        [CHURN_IDLE] = "has come to an end",    [CHURN_FORMATS] = "begins: it joins",
        [CHURN_ADDS] = "asks for: add",         [CHURN_PROMOTES] = "asks for: promote",
        [CHURN_REMOVES] = "asks for: remove",   [CHURN_LOSES] = "begins: its disk is lost",
        [CHURN_REFORMATS] = "makes a new disk", [CHURN_MISTAKES] = "asks for: add, by mistake",
        [CHURN_REPLACES] = "asks for: replace", [CHURN_TRANSFERS] = "asks for: lead"};
    run->churn.state = state;
    run->churn.next_us = 0;
    run_say(run, "the change of node %zu %s", run->churn.node + 1, words[state]);
}

/* ---- what is begun ---- */

static size_t members_of(const struct run *run)
{
    size_t members = 0;
    for (size_t i = 0; i < run->node_count; i++) {
        members += run->nodes[i].member;
    }
    return members;
}

/* From `first` on; NODES_MAX: none. */
static size_t find(const struct run *run, size_t first, bool out)
{
    for (size_t i = 0; i < run->node_count; i++) {
        size_t which = (first + i) % run->node_count;
        if (out ? run->nodes[which].out : run->nodes[which].member) {
            return which;
        }
    }
    return NODES_MAX;
}

static void begin_growth(struct run *run, size_t drawn)
{
    size_t which = find(run, drawn, true);
    if (which != NODES_MAX) {
        run->churn.node = which;
        go_to(run, CHURN_FORMATS);
    }
}

/* In an upgrade rather one for whom all others wait. */
static size_t removal_of(struct run *run, size_t drawn)
{
    const struct run_node *holder = upgrade_holder(run);
    return holder == NULL ? find(run, drawn, false) : (size_t)(holder - run->nodes);
}

static void begin_removal(struct run *run, size_t drawn, bool leads)
{
    size_t leader = nodes_leader(run);
    leads = leads && leader != NODES_MAX && run->nodes[leader].member;
    run->churn.node = leads ? leader : removal_of(run, drawn);
    run->churn.led = run->churn.node == leader;
    run->churn.early = run->churn.early && !run->churn.led;
    go_to(run, CHURN_REMOVES);
    if (run->churn.early) {
        node_of(run)->out = true;
        node_kill(node_of(run));
    }
}

void fault_churn(struct run *run, struct active *active)
{
    struct run_churn *churn = &run->churn;
    uint64_t drawn = run_random(run, 100);
    size_t which = (size_t)run_random(run, run->node_count);
    bool leads = run_chance(run, 50);
    bool early = run_chance(run, 50);
    uint64_t leave_us = run_random(run, LEAVE_US);
    size_t members = members_of(run);
    (void)active;
    if (!churn_is_idle(run)) {
        return;
    }
    churn->early = early;
    churn->leave_us = leave_us;
    churn->begun_us = sim_now_us(run->sim);
    churn->later = !run->plan.upgrade || run_chance(run, 50);
    churn->grows = members <= VOTERS_LEAST || (churn->grows && find(run, 0, true) != NODES_MAX);
    churn->node = nodes_victim(run);
    if (drawn < 20 && run->nodes[churn->node].member) {
        go_to(run, CHURN_LOSES);
    } else if (drawn < 30) {
        churn->node = find(run, which, false);
        go_to(run, CHURN_TRANSFERS);
    } else if (churn->grows) {
        begin_growth(run, which);
    } else {
        begin_removal(run, which, leads);
    }
}

/* ---- calls ---- */

static void nothing(void)
{
}

static void on_answer(tenure_any_cb callback, void *arg, const struct tenure_result *result,
                      const void *reply)
{
    struct run_churn *churn = arg;
    (void)callback;
    (void)reply;
    churn->asked = false;
    churn->answered = true;
    churn->outcome = result->outcome;
    snprintf(churn->message, sizeof(churn->message), "%s", result->message);
}

static void call(struct run *run, enum op_number number, const void *request)
{
    struct run_churn *churn = &run->churn;
    struct tenure_method method = tenure_method_of(number);
    method.deliver = on_answer;
    if (churn->env == NULL) {
        churn->env = sim_process_start(run->office, "members");
        churn->client = actors_open_client(run, churn->env, CALL_US, "acme", NODES_MAX);
    }
    churn->asked = true;
    churn->answered = false;
    ASSERT(tenure_call_start(churn->client, &method, request, nothing, churn) != 0);
}

static struct tenure_id store_of(const struct run_node *node)
{
    struct tenure_id store;
    memcpy(store.bytes, node->store.bytes, sizeof(store.bytes));
    return store;
}

static void ask_add(struct run *run, const struct run_node *node)
{
    const struct tenure_member_add_request request = {.node = node->config.node,
                                                      .address = tenure_text(node->peer_listen),
                                                      .client_address = tenure_text(node->listen),
                                                      .store = store_of(node)};
    call(run, OP_member_add, &request);
}

static void ask_replace(struct run *run, const struct run_node *node)
{
    const struct tenure_member_replace_request request = {
        .node = node->config.node,
        .store = store_of(node),
        .has_address = true,
        .address = tenure_text(node->peer_listen),
        .has_client_address = true,
        .client_address = tenure_text(node->listen)};
    call(run, OP_member_replace, &request);
}

static void ask(struct run *run)
{
    const struct run_node *node = node_of(run);
    const struct tenure_member_promote_request promote = {.node = node->config.node};
    const struct tenure_member_remove_request remove = {.node = node->config.node};
    const struct tenure_leader_transfer_request transfer = {.has_node = true,
                                                            .node = node->config.node};
    switch (run->churn.state) {
    case CHURN_ADDS:
    case CHURN_MISTAKES:
        ask_add(run, node);
        return;
    case CHURN_PROMOTES:
        call(run, OP_member_promote, &promote);
        return;
    case CHURN_REMOVES:
        call(run, OP_member_remove, &remove);
        return;
    case CHURN_REPLACES:
        ask_replace(run, node);
        return;
    case CHURN_TRANSFERS:
        call(run, OP_leader_transfer, &transfer);
        return;
    case CHURN_IDLE:
    case CHURN_FORMATS:
    case CHURN_LOSES:
    case CHURN_REFORMATS:
        break;
    }
    UNREACHABLE("nothing is asked for here");
}

/* ---- what is done without a call ---- */

static void start(struct run *run)
{
    node_of(run)->out = false;
    node_of(run)->start_at = sim_now_us(run->sim);
}

static void make_disk(struct run *run, enum churn_state next)
{
    if (node_join(node_of(run))) {
        upgrade_joins(node_of(run), run->churn.later);
        if (run->churn.early || next == CHURN_MISTAKES) {
            start(run);
        }
        go_to(run, next);
    }
}

/* A disk is only lost once every member knows whose it was (raftlog/members.h). It may take some
 * time, or not come about: then it is not lost. */
static void lose_disk(struct run *run)
{
    uint64_t id = node_of(run)->config.node;
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        if (node->member && (!node_runs(node) ||
                             id128_is_zero(rlog_members_bound(&node->node->rlog->members, id)))) {
            bool late = sim_now_us(run->sim) - run->churn.begun_us > PATIENCE_US;
            if (late) {
                go_to(run, CHURN_IDLE);
            }
            return;
        }
    }
    node_of(run)->out = true;
    node_kill(node_of(run));
    go_to(run, CHURN_REFORMATS);
}

/* ---- answers ---- */

static void became(struct run *run, uint64_t *counter, enum churn_state next)
{
    ++*counter;
    go_to(run, next);
}

static void on_done(struct run *run)
{
    struct run_churn *churn = &run->churn;
    struct run_node *node = node_of(run);
    switch (churn->state) {
    case CHURN_ADDS:
        start(run);
        node->member = true;
        upgrade_added(node);
        became(run, &run->counters.churn.added, CHURN_PROMOTES);
        return;
    case CHURN_PROMOTES:
        node->votes = true;
        upgrade_votes(node);
        became(run, &run->counters.churn.promoted, CHURN_IDLE);
        return;
    case CHURN_REMOVES:
        upgrade_removed(node);
        node->member = node->votes = false;
        node->out_at = sim_now_us(run->sim) + churn->leave_us;
        run->counters.churn.leaders += churn->led;
        became(run, &run->counters.churn.removed, CHURN_IDLE);
        return;
    case CHURN_MISTAKES:
        run_fail(run, "S13: node %zu was added again, with another disk", churn->node + 1);
        return;
    case CHURN_REPLACES:
        node->votes = false;
        upgrade_added(node);
        became(run, &run->counters.churn.replaced, CHURN_PROMOTES);
        return;
    case CHURN_TRANSFERS:
        became(run, &run->counters.churn.transferred, CHURN_IDLE);
        return;
    case CHURN_IDLE:
    case CHURN_FORMATS:
    case CHURN_LOSES:
    case CHURN_REFORMATS:
        break;
    }
    UNREACHABLE("nothing was asked for here");
}

static void on_not_done(struct run *run)
{
    struct run_churn *churn = &run->churn;
    run_say(run, "the change of node %zu: %s: %s", churn->node + 1,
            tenure_outcome_name(churn->outcome), churn->message);
    if (churn->state == CHURN_MISTAKES && churn->outcome == TENURE_INVALID &&
        strstr(churn->message, "member replace") != NULL) {
        became(run, &run->counters.churn.mistakes, CHURN_REPLACES);
    } else if (churn->state == CHURN_TRANSFERS) {
        go_to(run, CHURN_IDLE);
    }
    churn->next_us = sim_now_us(run->sim) + PAUSE_US;
}

/* Those that were taken out, when their time is over. */
static void stop_leavers(struct run *run, uint64_t now_us)
{
    for (size_t i = 0; i < run->node_count; i++) {
        struct run_node *node = &run->nodes[i];
        if (!node->member && !node->out && !churn_changes(run, i) && node->out_at <= now_us) {
            node->out = true;
            node_kill(node);
        }
    }
}

void churn_step(struct run *run)
{
    struct run_churn *churn = &run->churn;
    stop_leavers(run, sim_now_us(run->sim));
    if (churn_is_idle(run) || churn->asked || run->failure[0] != '\0') {
        return;
    }
    if (churn->answered) {
        churn->answered = false;
        if (churn->outcome == TENURE_OK) {
            on_done(run);
        } else {
            on_not_done(run);
        }
        return;
    }
    if (churn->next_us > sim_now_us(run->sim)) {
        return;
    }
    if (churn->state == CHURN_FORMATS) {
        make_disk(run, CHURN_ADDS);
    } else if (churn->state == CHURN_LOSES) {
        lose_disk(run);
    } else if (churn->state == CHURN_REFORMATS) {
        make_disk(run, CHURN_MISTAKES);
    } else {
        ask(run);
    }
}

/* ---- the end ---- */

static void set_quiet(struct run *run, bool quiet)
{
    for (size_t i = 0; i < run->actor_count; i++) {
        run->actors[i].quiet = quiet;
    }
}

void churn_calm(struct run *run)
{
    if (run->churn.state == CHURN_REMOVES && node_of(run)->out) {
        start(run);
    }
}

/* Under the load for as long as that may take; where a seed sends one entry at a time to slow disks
 * a joiner may never get close under it, so the load pauses then. */
void churn_finish(struct run *run)
{
    enum { SLICE_US = 20000 };
    const uint64_t limit_us = 20 * SIM_SECOND;
    uint64_t begun_us = sim_now_us(run->sim);
    bool passes = true;
    while (!churn_is_idle(run) && passes) {
        uint64_t took_us = sim_now_us(run->sim) - begun_us;
        set_quiet(run, took_us > limit_us);
        churn_step(run);
        passes = run_pass(run, SLICE_US);
        if (took_us > 3 * limit_us) {
            run_fail(run, "L1: the change of node %zu does not come to an end: %s: %s",
                     run->churn.node + 1, tenure_outcome_name(run->churn.outcome),
                     run->churn.message);
        }
        operator_step(run);
    }
    set_quiet(run, false);
    stop_leavers(run, UINT64_MAX);
}

void churn_destroy(struct run *run)
{
    if (run->churn.env != NULL) {
        tenure_close(run->churn.client);
        sim_process_free(run->churn.env);
    }
}

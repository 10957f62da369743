/* Confirmation rounds: who leads, proven after a read arrived. Counts nothing but CONFIRM answers.
 *
 *   gathering -> round in flight -> confirmed, waits for applied >= index -> answered true
 *   round in flight -> gathering, when the members changed
 *   any of the first two -> answered false, when term or role changed or the round took too long
 *
 * Invariants:
 *   R1  a read joins only a round that begins after it arrived
 *   R2  a round counts answers with its own term, number and this process's nonce, once a member
 *   R3  a majority counts only while we lead in the round's term
 *   R4  the index a read waits for is at least the commit index at its arrival and the first index
 * of our own term
 *   R5  a round counts the voters that were in force when it began: when the members change, its
 *       reads wait for another one
 */
#include "raftlog/reads.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/list.h"
#include "env/random.h"
#include "raftlog/engine.h"
#include "raftlog/peers.h"
#include "raftlog/repair.h"
#include "raftlog/rlog.h"
#include "raftlog/wire.h"

enum { ROUNDS_MAX = 8 };

struct waiting {
    struct list node;
    rlog_confirmed_cb done;
    void *arg;
};

struct round {
    struct list node;
    struct list reads;
    uint64_t number;
    uint64_t term;
    uint64_t index;
    uint64_t configured; /* which members it counts */
    uint64_t began_us;
    bool confirmed;
    bool yes[RLOG_MEMBERS_MAX];
};

struct rlog_reads {
    struct rlog *rlog;
    uint64_t nonce; /* of this process's life */
    uint64_t last_number;
    size_t count;
    size_t rounds_count;
    uint64_t gathering_term;
    struct list gathering;
    struct list rounds; /* oldest first */
    struct list refused;
    struct env_timer *timer; /* begins the next round */
    struct env_timer *patience;
};

static void move_all(struct list *from, struct list *to)
{
    LIST_FOR_EACH_SAFE(node, following, from)
    {
        list_remove(node);
        list_append(to, node);
    }
}

static bool leads(const struct rlog *rlog, uint64_t term)
{
    return rlog_engine_role(rlog) == RLOG_LEADER && rlog_engine_term(rlog) == term;
}

static void round_free(struct rlog_reads *reads, struct round *round)
{
    ASSERT(list_empty(&round->reads));
    list_remove(&round->node);
    reads->rounds_count--;
    free(round);
}

static bool has_majority(const struct rlog *rlog, const struct round *round)
{
    const struct rlog_roll *roll = &rlog->members.roll;
    size_t yes = 0;
    for (size_t i = 0; i < roll->count; i++) {
        yes += roll->list[i].voter && round->yes[i] ? 1 : 0;
    }
    return yes > rlog_roll_voters(roll) / 2;
}

static void say_yes(const struct rlog *rlog, struct round *round, uint64_t id)
{
    size_t i = rlog_roll_find(&rlog->members.roll, id);
    if (i < rlog->members.roll.count && round->configured == rlog_engine_configured(rlog)) {
        round->yes[i] = true;
        round->confirmed = round->confirmed || has_majority(rlog, round);
    }
}

static void ask(struct rlog_reads *reads, const struct round *round)
{
    struct rlog *rlog = reads->rlog;
    struct rlog_wire_confirm confirm = {round->term, round->number, reads->nonce};
    const struct rlog_roll *roll = &rlog->members.roll;
    for (size_t i = 0; i < roll->count; i++) {
        uint64_t id = roll->list[i].id;
        struct base_writer *writer = id == rlog->config.id || !roll->list[i].voter
                                         ? NULL
                                         : rlog_peers_begin(rlog, id, RLOG_WIRE_CONFIRM);
        if (writer != NULL) {
            rlog_wire_write_confirm(writer, &confirm);
            rlog_peers_end(rlog);
        }
    }
}

static void begin_round(struct rlog_reads *reads)
{
    struct rlog *rlog = reads->rlog;
    struct round *round = calloc(1, sizeof *round);
    ASSERT(round != NULL);
    uint64_t commit = rlog_engine_commit(rlog);
    uint64_t own = rlog_engine_own_first(rlog);
    round->number = ++reads->last_number;
    round->term = rlog_engine_term(rlog);
    round->index = commit > own ? commit : own;
    round->began_us = env_mono_us(rlog->env);
    round->configured = rlog_engine_configured(rlog);
    say_yes(rlog, round, rlog->config.id);
    list_init(&round->reads);
    move_all(&reads->gathering, &round->reads);
    list_append(&reads->rounds, &round->node);
    reads->rounds_count++;
    ask(reads, round);
    env_timer_start(reads->patience, rlog->config.election_us);
}

static void on_timer(void *arg)
{
    struct rlog_reads *reads = arg;
    if (!rlog_alive(reads->rlog)) {
        return;
    }
    if (!list_empty(&reads->gathering) && leads(reads->rlog, reads->gathering_term) &&
        reads->rounds_count < ROUNDS_MAX) {
        begin_round(reads);
    }
    rlog_settle(reads->rlog);
}

static void on_patience(void *arg)
{
    struct rlog_reads *reads = arg;
    if (rlog_alive(reads->rlog)) {
        rlog_settle(reads->rlog);
        if (!list_empty(&reads->rounds)) {
            env_timer_start(reads->patience, reads->rlog->config.election_us);
        }
    }
}

void rlog_reads_create(struct rlog *rlog)
{
    struct rlog_reads *reads = calloc(1, sizeof *reads);
    ASSERT(reads != NULL);
    reads->rlog = rlog;
    rlog->reads = reads;
    env_random(rlog->env, &reads->nonce, sizeof reads->nonce);
    list_init(&reads->gathering);
    list_init(&reads->rounds);
    list_init(&reads->refused);
    reads->timer = env_timer_create(rlog->env, on_timer, reads);
    reads->patience = env_timer_create(rlog->env, on_patience, reads);
}

static void drop_all(struct list *list)
{
    LIST_FOR_EACH_SAFE(node, following, list)
    {
        list_remove(node);
        free(LIST_ENTRY(node, struct waiting, node));
    }
}

void rlog_reads_destroy(struct rlog *rlog)
{
    struct rlog_reads *reads = rlog->reads;
    if (reads == NULL) {
        return;
    }
    drop_all(&reads->gathering);
    drop_all(&reads->refused);
    LIST_FOR_EACH_SAFE(node, following, &reads->rounds)
    {
        struct round *round = LIST_ENTRY(node, struct round, node);
        drop_all(&round->reads);
        round_free(reads, round);
    }
    env_timer_destroy(reads->timer);
    env_timer_destroy(reads->patience);
    free(reads);
    rlog->reads = NULL;
}

enum rlog_submit rlog_reads_confirm(struct rlog *rlog, rlog_confirmed_cb done, void *arg)
{
    struct rlog_reads *reads = rlog->reads;
    if (!rlog_alive(rlog) || rlog_engine_role(rlog) != RLOG_LEADER ||
        rlog_engine_own_first(rlog) == 0) {
        return RLOG_NOT_LEADER;
    }
    if (reads->count >= RLOG_READS_MAX) {
        return RLOG_BUSY;
    }
    uint64_t term = rlog_engine_term(rlog);
    if (term != reads->gathering_term) {
        move_all(&reads->gathering, &reads->refused);
        reads->gathering_term = term;
    }
    struct waiting *waiting = calloc(1, sizeof *waiting);
    ASSERT(waiting != NULL);
    waiting->done = done;
    waiting->arg = arg;
    if (list_empty(&reads->gathering)) {
        env_timer_start(reads->timer, 0);
    }
    list_append(&reads->gathering, &waiting->node);
    reads->count++;
    return RLOG_SUBMITTED;
}

static void answer_confirm(struct rlog *rlog, uint64_t from,
                           const struct rlog_wire_confirm *confirm)
{
    struct base_writer *writer = rlog_peers_begin(rlog, from, RLOG_WIRE_CONFIRM_RESULT);
    if (writer != NULL) {
        struct rlog_wire_confirm_result result = {
            .term = confirm->term,
            .round = confirm->round,
            .nonce = confirm->nonce,
            .yes = rlog_engine_term(rlog) == confirm->term && !rlog_repair_needed(rlog), /* D2 */
        };
        rlog_wire_write_confirm_result(writer, &result);
        rlog_peers_end(rlog);
    }
}

static void count_answer(struct rlog_reads *reads, uint64_t from,
                         const struct rlog_wire_confirm_result *result)
{
    struct rlog *rlog = reads->rlog;
    if (!result->yes || result->nonce != reads->nonce || !leads(rlog, result->term)) {
        return;
    }
    LIST_FOR_EACH(node, &reads->rounds)
    {
        struct round *round = LIST_ENTRY(node, struct round, node);
        if (round->number == result->round && round->term == result->term) {
            say_yes(rlog, round, from);
        }
    }
}

bool rlog_reads_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body)
{
    struct rlog_wire_confirm confirm;
    struct rlog_wire_confirm_result result;
    if (kind == RLOG_WIRE_CONFIRM) {
        if (!rlog_wire_read_confirm(body, &confirm)) {
            return false;
        }
        answer_confirm(rlog, from, &confirm);
        return true;
    }
    if (!rlog_wire_read_confirm_result(body, &result)) {
        return false;
    }
    count_answer(rlog->reads, from, &result);
    return true;
}

static bool answer(struct rlog_reads *reads, struct list *list, bool confirmed)
{
    bool any = false;
    while (!list_empty(list)) {
        struct waiting *waiting = LIST_ENTRY(list->next, struct waiting, node);
        list_remove(&waiting->node);
        reads->count--;
        waiting->done(waiting->arg, confirmed);
        free(waiting);
        any = true;
    }
    return any;
}

static void refuse_what_is_in_doubt(struct rlog_reads *reads)
{
    struct rlog *rlog = reads->rlog;
    uint64_t now_us = env_mono_us(rlog->env);
    if (!leads(rlog, reads->gathering_term)) {
        move_all(&reads->gathering, &reads->refused);
    }
    LIST_FOR_EACH_SAFE(node, following, &reads->rounds)
    {
        struct round *round = LIST_ENTRY(node, struct round, node);
        bool late = now_us - round->began_us >= rlog->config.election_us;
        bool of_others = round->configured != rlog_engine_configured(rlog);
        /* Confirmed ones wait for the apply alone; but for an index of ours that may never commit.
         */
        if (!leads(rlog, round->term) || (late && !round->confirmed)) {
            move_all(&round->reads, &reads->refused);
            round_free(reads, round);
        } else if (of_others && !round->confirmed) { /* R5 */
            reads->gathering_term = round->term;
            move_all(&round->reads, &reads->gathering);
            round_free(reads, round);
        }
    }
}

void rlog_reads_refuse(struct rlog *rlog)
{
    struct rlog_reads *reads = rlog->reads;
    move_all(&reads->gathering, &reads->refused);
    LIST_FOR_EACH_SAFE(node, following, &reads->rounds)
    {
        struct round *round = LIST_ENTRY(node, struct round, node);
        move_all(&round->reads, &reads->refused);
        round_free(reads, round);
    }
    (void)answer(reads, &reads->refused, false);
}

bool rlog_reads_advance(struct rlog *rlog)
{
    struct rlog_reads *reads = rlog->reads;
    bool any = false;
    refuse_what_is_in_doubt(reads);
    LIST_FOR_EACH_SAFE(node, following, &reads->rounds)
    {
        struct round *round = LIST_ENTRY(node, struct round, node);
        if (round->confirmed && rlog_engine_applied(rlog) >= round->index) {
            struct list ready;
            list_init(&ready);
            move_all(&round->reads, &ready);
            round_free(reads, round);
            any |= answer(reads, &ready, true);
            break; /* answering may have changed the list; called again until nothing is left */
        }
    }
    any |= answer(reads, &reads->refused, false);
    if (!list_empty(&reads->gathering) && reads->rounds_count < ROUNDS_MAX) {
        env_timer_start(reads->timer, 0);
    }
    return any;
}

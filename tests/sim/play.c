/* One seed from birth to verdict. */
#include "tests/sim/run.h"

#include "base/assert.h"
#include "base/sat.h"
#include "raftlog/raftlog.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICE_US = 20000 };

void run_fail(struct run *run, const char *format, ...)
{
    if (run->failure[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(run->failure, sizeof(run->failure), format, arguments);
        va_end(arguments);
    }
}

/* ---- steps ---- */

struct run_draws run_enter(struct run *run, struct step step)
{
    struct run_draws before = {.step = run->step, .rng = run->rng};
    run->step = step;
    run->rng = step_stream(run->setup->seed, step);
    return before;
}

void run_leave(struct run *run, struct run_draws before)
{
    run->step = before.step;
    run->rng = before.rng;
}

bool run_keeps(const struct run *run)
{
    return run->setup->keep == NULL || step_set_has(run->setup->keep, run->step);
}

void run_takes(struct run *run)
{
    struct run_result *result = run->result;
    if (result->taken_count < TAKEN_MAX && step_can_be_left_out(run->step)) {
        result->taken[result->taken_count++] = (struct run_taken){
            .step = run->step, .at_us = sim_now_us(run->sim) - run->faults_us};
    }
}

uint64_t run_random(struct run *run, uint64_t bound)
{
    return sim_rng_below(&run->rng, bound);
}

bool run_chance(struct run *run, uint64_t percent)
{
    return run_random(run, 100) < percent;
}

static bool watched(void *arg)
{
    struct run *run = arg;
    watch_step(run);
    return run->failure[0] != '\0';
}

/* T3: while no clock survived, and a little longer. */
static void watch_timeless(struct run *run, uint64_t from_us)
{
    uint64_t to_ns = sim_now_us(run->sim) * 1000;
    struct check_span *last = &run->timeless[run->timeless_count - (run->timeless_count > 0)];
    bool timeless = nodes_timeless(run) != NODES_MAX;
    if (run->timeless_count > 0 && last->to_ns > from_us * 1000) {
        last->to_ns = timeless ? to_ns + 1 : to_ns;
    } else if (timeless && run->timeless_count < TIMELESS_MAX) {
        run->timeless[run->timeless_count++] = (struct check_span){from_us * 1000, to_ns + 1};
    }
}

/* T3: the wall clocks told the time. Several of them lie no further apart than the slack of what
 * was done to them; a single node has nobody to contradict its own. */
static void watch_walls(struct run *run, uint64_t from_us)
{
    for (size_t i = 0; i < run->node_count; i++) {
        if (node_runs(&run->nodes[i]) && run->nodes[i].node->lead.stepped > run->stepped_term) {
            run->stepped_term = run->nodes[i].node->lead.stepped;
            run->stated_us = sim_now_us(run->sim);
            run->counters.times_told++;
            if (run->plan.nodes == 1 && run->timeless_count < TIMELESS_MAX) {
                run->timeless[run->timeless_count++] = (struct check_span){
                    from_us * 1000, run->stated_us * 1000 + 1};
            }
        }
    }
}

bool run_pass(struct run *run, uint64_t us)
{
    uint64_t from_us = sim_now_us(run->sim);
    watch_all(run);
    (void)sim_run_until(run->sim, watched, run, us);
    watch_walls(run, from_us);
    watch_timeless(run, from_us);
    if (run->failure[0] == '\0') {
        nodes_step(run);
        actors_step(run);
    }
    return run->failure[0] == '\0';
}

/* ---- the phases ---- */

static uint64_t recovery_limit(const struct run *run)
{
    return 10 * SIM_SECOND + 10 * (uint64_t)run->plan.election_ms * SIM_MILLISECOND;
}

/* Until a leader serves and the others have had time to learn its clock. */
static void play_birth(struct run *run)
{
    uint64_t limit = sim_now_us(run->sim) + recovery_limit(run);
    while (nodes_leader(run) == NODES_MAX && run_pass(run, SLICE_US)) {
        if (sim_now_us(run->sim) > limit) {
            run_fail(run, "L1: no first leader");
            return;
        }
    }
    (void)run_pass(run, SIM_SECOND);
}

static void play_faults(struct run *run)
{
    run->faults_us = run->next_fault_us = sim_now_us(run->sim);
    uint64_t until = run->faults_us + run->plan.fault_us;
    while (sim_now_us(run->sim) < until && run_pass(run, SLICE_US)) {
        faults_expire(run);
        operator_step(run);
        churn_step(run);
        faults_begin(run);
    }
}

/* Those that somebody starts. */
static bool all_run(const struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        if (!node_runs(node) && !node->away && !node->out) {
            return false;
        }
    }
    return true;
}

/* L1: within ten seconds and ten election timeouts there is an answer again. */
static bool await_answer(struct run *run)
{
    uint64_t begun = sim_now_us(run->sim);
    uint64_t limit = recovery_limit(run);
    uint64_t before = run->counters.calls[OP_session_create];
    while (run->counters.calls[OP_session_create] == before || !all_run(run)) {
        if (sim_now_us(run->sim) - begun > limit) {
            run_fail(run, "L1: no answer within %" PRIu64 " ms of the last fault", limit / 1000);
            return false;
        }
        struct run_actor *actor = &run->actors[0];
        if (actor->env != NULL && actor->open < 4) {
            struct step step = {STEP_PROBE, 0, run->probes++};
            struct run_draws draws = run_enter(run, step);
            call_probe(actor);
            run_leave(run, draws);
        }
        if (!run_pass(run, SLICE_US)) {
            return false;
        }
        operator_step(run);
        churn_step(run);
    }
    uint64_t took = sim_now_us(run->sim) - begun;
    run->counters.longest_recovery_us = u64_max(run->counters.longest_recovery_us, took);
    return true;
}

/* Leadership is handed over with calls under way: no fault, so each of them gets its answer. */
static void play_hand_over(struct run *run)
{
    size_t leader = nodes_leader(run);
    run->calm_us = sim_now_us(run->sim);
    if (run_pass(run, SIM_SECOND) && leader != NODES_MAX && node_runs(&run->nodes[leader])) {
        run_say(run, "node %zu hands over", leader + 1);
        rlog_step_down(run->nodes[leader].node->rlog);
        watch_all(run);
        (void)run_pass(run, SIM_SECOND);
    }
}

/* In some seeds a bare majority has to answer first. */
static void play_recovery(struct run *run)
{
    struct step step = {STEP_PROBE, 0, run->probes++};
    struct run_draws draws = run_enter(run, step);
    faults_heal(run);
    run_say(run, "faults have stopped");
    churn_calm(run);
    upgrade_calm(run);
    bool bare = run->plan.bare && churn_is_idle(run);
    if (bare) {
        nodes_leave(run);
    }
    run_leave(run, draws);
    bool answered = await_answer(run);
    if (answered && bare) {
        nodes_return(run);
        answered = await_answer(run);
    }
    if (answered) {
        churn_finish(run);
        upgrade_finish(run);
        answered = run->failure[0] == '\0';
    }
    if (answered) {
        play_hand_over(run);
    }
}

static uint64_t open_calls(const struct run *run)
{
    uint64_t open = 0;
    for (size_t i = 0; i < ACTORS_MAX + NODES_MAX; i++) {
        open += run->actors[i].open;
    }
    return open;
}

static void play_out(struct run *run)
{
    for (size_t i = 0; i < run->actor_count; i++) {
        run->actors[i].quiet = true;
    }
    for (uint64_t left = run->plan.timeout_us + 2 * SIM_SECOND; open_calls(run) != 0;) {
        if (left < SLICE_US) {
            run_fail(run, "L1: a call has not ended by its own deadline");
            return;
        }
        left -= SLICE_US;
        if (!run_pass(run, SLICE_US)) {
            return;
        }
    }
}

/* S7: all that anybody knows of is read once more. */
static void play_last_reads(struct run *run)
{
    for (size_t i = 0; i < SESSIONS_MAX && run->failure[0] == '\0'; i++) {
        struct run_actor *actor = &run->actors[i % run->plan.services];
        if (actor->env != NULL) {
            call_last_reads(actor, i);
            (void)run_pass(run, 5 * SIM_MILLISECOND);
        }
    }
    if (run->failure[0] == '\0') {
        play_out(run);
    }
}

/* What it takes to send and to store all that the last one lacks. Where a seed has one entry on its
 * way at a time and slow disks, each entry costs a round and a write: the product has 256 on their
 * way, and with those this adds a few writes. A write begins after half of `disk_us` on average;
 * twice as long, because what arrives during one write waits for the next. */
static uint64_t catch_up_us(const struct run *run)
{
    uint64_t most = 0, least = UINT64_MAX;
    for (size_t i = 0; i < run->node_count; i++) {
        struct rlog_status status;
        if (node_runs(&run->nodes[i])) {
            rlog_status(run->nodes[i].node->rlog, &status);
            most = u64_max(most, status.last);
            least = u64_min(least, status.stored);
        }
    }
    uint64_t rounds = most > least ? (most - least) / run->plan.inflight + 1 : 0;
    return rounds * (run->plan.disk_us + 5 * SIM_MILLISECOND);
}

static bool all_agree(const struct run *run)
{
    const struct run_node *first = NULL;
    for (size_t i = 0; i < run->node_count; i++) {
        const struct run_node *node = &run->nodes[i];
        if (!node->out) {
            first = first == NULL ? node : first;
            if (node->applied != first->applied) {
                return false;
            }
        }
    }
    return all_run(run);
}

/* S8: all nodes come to one position. The digests there are compared by watch.c. */
static void play_agreement(struct run *run)
{
    uint64_t limit = sim_now_us(run->sim) + recovery_limit(run) + catch_up_us(run);
    while (sim_now_us(run->sim) < limit) {
        if (all_agree(run) || !run_pass(run, 7 * SIM_MILLISECOND)) {
            return;
        }
    }
    run_fail(run, "L1: the nodes do not come to one position");
}

/* ---- the verdict ---- */

static void judge(struct run *run)
{
    static struct check_verdict verdict;
    struct check_options options;
    record_registrations(run);
    record_place(run);
    check_options_init(&options);
    options.limits = run->plan.limits;
    options.blind_steps = 5000000; /* duels ask much of one session at once */
    options.epsilon_ns += run->slack_us * 1000;
    options.stepped_us = run->slack_us;
    options.leaderless_ns += run->slack_us * 1000;
    options.snapshots = run->counters.installs;
    options.timeless = run->timeless;
    options.timeless_count = run->timeless_count;
    options.reduce = run->setup->told != TOLD_NOTHING;
    clock_t begun = clock();
    check_history(run->history, &options, &verdict);
    run->counters.judged_us = (uint64_t)(clock() - begun) * 1000000 / CLOCKS_PER_SEC;
    run->counters.check = verdict.counters;
    if (verdict.kind != CHECK_OK) {
        if (run->setup->told != TOLD_NOTHING) {
            check_print(run->history, &verdict, stdout);
        }
        run_fail(run, "%s: %s, says the checker", model_property_text(verdict.property),
                 verdict.rule);
    }
}

static void play_end(struct run *run)
{
    if (run->failure[0] == '\0') {
        play_out(run);
    }
    if (run->failure[0] == '\0') {
        play_last_reads(run);
    }
    if (run->failure[0] == '\0') {
        play_agreement(run);
    }
}

static void play(struct run *run)
{
    run->faults_us = sim_now_us(run->sim);
    if (!run->plan.birth) {
        play_birth(run);
    }
    if (run->failure[0] == '\0') {
        play_faults(run);
    }
    if (run->failure[0] == '\0') {
        play_recovery(run);
    }
    if (run->failure[0] == '\0' && run->plan.lost) {
        lost_save(run);
        (void)run_pass(run, 2 * SIM_SECOND); /* what is done now is lost */
    }
    play_end(run);
}

/* What went wrong before the cluster was lost goes wrong again. */
static void play_faults_again(struct run *run, const bool on[FAULTS])
{
    enum { AGAIN_US = 12000000 };
    run->counters.faults[FAULT_REBORN]++;
    memcpy(run->plan.on, on, sizeof(run->plan.on));
    run->plan.fault_us = u64_min(run->plan.fault_us, AGAIN_US);
    play_faults(run);
    if (run->failure[0] == '\0') {
        play_recovery(run);
    }
}

/* Once more, on a cluster that was restored from a backup. */
static void play_restored(struct run *run, const bool on[FAULTS])
{
    struct check_counters before = run->counters.check;
    run->counters.faults[FAULT_LOST]++;
    lost_restore(run);
    for (size_t i = 0; i < run->actor_count; i++) {
        run->actors[i].quiet = false;
    }
    if (run->failure[0] == '\0' && await_answer(run)) {
        lost_call(run);
        (void)run_pass(run, 2 * SIM_SECOND);
        node_kill(&run->nodes[run->setup->seed % run->node_count]);
        (void)run_pass(run, 3 * SIM_SECOND);
    }
    if (run->failure[0] == '\0' && on[FAULT_REBORN]) {
        play_faults_again(run, on);
    }
    play_end(run);
    if (run->failure[0] == '\0') {
        lost_judge(run);
        judge(run);
    }
    run->counters.check = before;
}

static void on_line(void *arg, const char *line)
{
    (void)arg;
    printf("             %s\n", line);
}

static void write_history(const struct run *run)
{
    FILE *file = run->setup->history == NULL ? NULL : fopen(run->setup->history, "w");
    if (file != NULL) {
        (void)history_write(run->history, file);
        (void)fclose(file);
    }
}

static void conclude(const struct run *run, struct run_result *result)
{
    memcpy(result->failure, run->failure, sizeof(result->failure));
    result->counters = run->counters;
    result->trace = sim_trace_hash(run->sim);
    result->verdict = run->failure[0] != '\0'            ? RUN_FAILED
                      : run->counters.check.definite > 0 ? RUN_OK
                                                         : RUN_INVALID;
}

void run_play(const struct run_setup *setup, struct run_result *ret_result)
{
    static struct run played;
    struct run *run = &played;
    memset(run, 0, sizeof(*run));
    ret_result->taken_count = 0;
    run->setup = setup;
    run->result = ret_result;
    run->rng = step_stream(setup->seed, run->step);
    run->sim = sim_create(setup->seed);
    run->begun_us = sim_now_us(run->sim);
    if (setup->told == TOLD_LOG) {
        sim_log_to(run->sim, ENV_LOG_INFO, on_line, NULL);
    }
    run->history = history_create();
    plan_draw(run);
    bool on[FAULTS];
    memcpy(on, run->plan.on, sizeof(on));
    nodes_create(run);
    actors_create(run);
    play(run);
    if (run->failure[0] == '\0' && run->plan.lost) {
        judge(run);
    }
    if (run->failure[0] == '\0' && run->plan.lost) {
        play_restored(run, on);
    }
    run->counters.simulated_us = sim_now_us(run->sim) - run->begun_us;
    churn_destroy(run);
    actors_destroy(run);
    nodes_destroy(run);
    if (run->failure[0] == '\0' && !run->plan.lost) {
        judge(run);
    }
    lost_destroy(run);
    write_history(run);
    conclude(run, ret_result);
    sim_destroy(run->sim);
    history_destroy(run->history);
    watch_done(run);
}

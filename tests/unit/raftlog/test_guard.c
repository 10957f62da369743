/* Each guard has a scenario that the bare core fails and the guarded one passes.
 *
 * The core runs here without raftlog around it, in a child process, since some scenarios end it by
 * an assertion of its own. A core that stops failing without the guard has been repaired, or the
 * scenario has lost its teeth: both want to be known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raftlog/guard.h"

enum { ELECTION_MS = 1000, HEARTBEAT_MS = 100 };

struct core {
    struct raft raft;
    struct raft_update update;
    uint64_t now_ms;
    bool guarded;
};

/* Ends the child: the scenario went wrong. */
static void expect(bool condition)
{
    if (!condition) {
        _exit(1);
    }
}

static void step(struct core *core, struct raft_event *event)
{
    event->time = core->now_ms;
    memset(&core->update, 0, sizeof core->update);
    expect(raft_step(&core->raft, event, &core->update) == 0);
}

static struct raft_configuration configuration_of(unsigned voters)
{
    struct raft_configuration configuration;
    raft_configuration_init(&configuration);
    for (unsigned i = 1; i <= voters; i++) {
        char address[2] = {(char)('0' + i), '\0'};
        expect(raft_configuration_add(&configuration, i, address, RAFT_VOTER) == 0);
    }
    return configuration;
}

static void init(struct core *core, unsigned id, bool guarded)
{
    memset(core, 0, sizeof *core);
    core->guarded = guarded;
    core->now_ms = 1000;
    expect(raft_init(&core->raft, NULL, NULL, id, "self") == 0);
    core->raft.tracer = NULL;
    raft_seed(&core->raft, 1);
    raft_set_election_timeout(&core->raft, ELECTION_MS);
    raft_set_heartbeat_timeout(&core->raft, HEARTBEAT_MS);
}

/* The log holds the first configuration and then entries of the terms given, all stored. */
static void start(struct core *core, unsigned voters, uint64_t term, const uint64_t *terms,
                  unsigned count)
{
    struct raft_configuration configuration = configuration_of(voters);
    struct raft_entry *entries = raft_calloc(count + 1, sizeof *entries);
    char *batch = raft_malloc(1);
    expect(raft_configuration_encode(&configuration, &entries[0].buf) == 0);
    entries[0].type = RAFT_CHANGE;
    entries[0].term = 1;
    entries[0].batch = batch;
    for (unsigned i = 0; i < count; i++) {
        entries[i + 1] = (struct raft_entry){terms[i], RAFT_COMMAND, {batch, 1}, batch};
    }
    struct raft_event event = {.type = RAFT_START};
    event.start.term = term;
    event.start.start_index = 1;
    event.start.entries = entries;
    event.start.n_entries = count + 1;
    step(core, &event);
    raft_free(entries[0].buf.base);
    raft_free(entries);
    raft_free(batch);
    raft_configuration_close(&configuration);
}

/* As the engine does it; without the guards as one would do it without. */
static enum rlog_guard_verdict receive(struct core *core, unsigned from,
                                       struct raft_message *message)
{
    struct rlog_guard_undo undo = {NULL, 0};
    message->server_id = from;
    message->server_address = from == 1 ? "1" : from == 2 ? "2" : "3";
    if (core->guarded) {
        enum rlog_guard_verdict verdict = rlog_guard_receive(&core->raft, message, core->now_ms,
                                                             &undo);
        if (verdict != RLOG_GUARD_STEP) {
            return verdict;
        }
    }
    struct raft_append_entries *append = &message->append_entries;
    void *batch = NULL;
    if (message->type == RAFT_APPEND_ENTRIES && append->n_entries > 0) {
        batch = raft_malloc(1);
        for (unsigned i = 0; i < append->n_entries; i++) {
            append->entries[i].batch = batch;
        }
    }
    struct raft_event event = {.type = RAFT_RECEIVE, .receive = {.message = message}};
    step(core, &event);
    rlog_guard_received(&undo);
    if (batch != NULL && (core->update.flags & (unsigned)(RAFT_UPDATE_ENTRIES)) != 0) {
        raft_free(batch);
    }
    return RLOG_GUARD_STEP;
}

/* The first message of the last update; through the guard when there is one. */
static struct raft_message sent(struct core *core)
{
    expect(core->update.messages.n > 0);
    struct raft_message message = core->update.messages.batch[0];
    if (core->guarded) {
        rlog_guard_send(&core->raft, &message);
    }
    return message;
}

static void timeout(struct core *core)
{
    struct raft_event event = {.type = RAFT_TIMEOUT};
    step(core, &event);
}

static struct raft_message append(uint64_t term, uint64_t previous, uint64_t previous_term,
                                  uint64_t commit, struct raft_entry *entries, unsigned count)
{
    struct raft_message message;
    memset(&message, 0, sizeof message);
    message.type = RAFT_APPEND_ENTRIES;
    message.append_entries = (struct raft_append_entries){
        .term = term,
        .prev_log_index = previous,
        .prev_log_term = previous_term,
        .leader_commit = commit,
        .entries = entries,
        .n_entries = count,
    };
    return message;
}

static struct raft_message result(uint64_t term, uint64_t rejected, uint64_t last)
{
    struct raft_message message;
    memset(&message, 0, sizeof message);
    message.type = RAFT_APPEND_ENTRIES_RESULT;
    message.append_entries_result = (struct raft_append_entries_result){
        .version = 2, .term = term, .rejected = rejected, .last_log_index = last};
    return message;
}

static struct raft_message request_vote(uint64_t term, unsigned candidate, uint64_t last,
                                        uint64_t last_term, bool pre_vote)
{
    struct raft_message message;
    memset(&message, 0, sizeof message);
    message.type = RAFT_REQUEST_VOTE;
    message.request_vote = (struct raft_request_vote){
        .version = 2,
        .term = term,
        .candidate_id = candidate,
        .last_log_index = last,
        .last_log_term = last_term,
        .pre_vote = pre_vote,
    };
    return message;
}

static struct raft_message vote(uint64_t term, bool granted)
{
    struct raft_message message;
    memset(&message, 0, sizeof message);
    message.type = RAFT_REQUEST_VOTE_RESULT;
    message.request_vote_result = (struct raft_request_vote_result){
        .version = 2, .term = term, .vote_granted = granted};
    return message;
}

/* Node 1 of three leads in term 2; its log is the first configuration. */
static void lead(struct core *core)
{
    start(core, 3, 1, NULL, 0);
    core->now_ms += 2 * ELECTION_MS;
    timeout(core);
    struct raft_message message = vote(2, true);
    receive(core, 2, &message);
    expect(raft_state(&core->raft) == RAFT_LEADER);
}

static void submit(struct core *core, unsigned count)
{
    char batch = 0;
    for (unsigned i = 0; i < count; i++) {
        struct raft_entry entry = {
            raft_current_term(&core->raft), RAFT_COMMAND, {&batch, 1}, &batch};
        struct raft_event event = {.type = RAFT_SUBMIT, .submit = {&entry, 1}};
        step(core, &event);
    }
    struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
    event.persisted_entries.index = raft_last_index(&core->raft);
    step(core, &event);
}

/* ---- the scenarios: return when all is as it must be ---- */

/* A voter alone leads again after a restart: in a new term, or two of its lives share one. */
static void m2_sole_voter(bool guarded)
{
    struct core core;
    init(&core, 1, guarded);
    const uint64_t terms[] = {3};
    start(&core, 1, guarded ? 4 : 3, terms, 1); /* the guard: a new term, made durable before */
    expect(raft_state(&core.raft) == RAFT_LEADER);
    expect(raft_current_term(&core.raft) > 3);
}

/* A late AppendEntries from before the compacted prefix changes nothing. */
static void m3_late_append(bool guarded)
{
    struct core core;
    init(&core, 2, guarded);
    const uint64_t terms[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    start(&core, 3, 1, terms, 9);
    struct raft_message heartbeat = append(1, 10, 1, 10, NULL, 0);
    receive(&core, 1, &heartbeat);
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = 10;
    taken.snapshot.metadata.term = 1;
    taken.snapshot.metadata.configuration = configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    step(&core, &taken);
    struct raft_entry entries[2] = {{1, RAFT_COMMAND, {NULL, 0}, NULL},
                                    {1, RAFT_COMMAND, {NULL, 0}, NULL}};
    struct raft_message late = append(1, 0, 0, 10, entries, 2);
    receive(&core, 1, &late);
    expect((core.update.flags & (unsigned)(RAFT_UPDATE_ENTRIES)) == 0);
    expect(raft_last_index(&core.raft) == 10);
    struct raft_message answer = sent(&core);
    expect(answer.append_entries_result.rejected == 0);
    expect(answer.append_entries_result.last_log_index == 10);
}

/* One that begins before the compacted prefix and ends behind our log appends what is new. */
static void m3_overlapping_append(bool guarded)
{
    struct core core;
    init(&core, 2, guarded);
    const uint64_t terms[] = {1, 1, 1, 1};
    start(&core, 3, 1, terms, 4);
    struct raft_message heartbeat = append(1, 5, 1, 5, NULL, 0);
    receive(&core, 1, &heartbeat);
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = 5;
    taken.snapshot.metadata.term = 1;
    taken.snapshot.metadata.configuration = configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    step(&core, &taken);
    struct raft_entry entries[4];
    for (unsigned i = 0; i < 4; i++) {
        entries[i] = (struct raft_entry){1, RAFT_COMMAND, {NULL, 0}, NULL};
    }
    struct raft_message message = append(1, 3, 1, 7, entries, 4); /* 4 to 7 */
    receive(&core, 1, &message);
    expect((core.update.flags & (unsigned)(RAFT_UPDATE_ENTRIES)) != 0);
    expect(core.update.entries.index == 6 && core.update.entries.n == 2);
    expect(raft_last_index(&core.raft) == 7);
}

/* A leader has an entry of its own term to commit at once, whatever its log says. */
static void m4_own_entry(bool guarded)
{
    struct core core;
    init(&core, 1, guarded);
    lead(&core);
    if (guarded) {
        submit(&core, 1); /* the engine's own barrier */
    }
    expect(raft_last_index(&core.raft) == 2);
}

/* A rejection that was overtaken by a success ends nothing. */
static void m5_stale_rejection(bool guarded)
{
    struct core core;
    init(&core, 1, guarded);
    lead(&core);
    submit(&core, 2);
    struct raft_message message = result(2, 0, 3);
    receive(&core, 2, &message);
    core.now_ms += ELECTION_MS / 2;
    message = result(2, 0, 3);
    receive(&core, 3, &message);
    timeout(&core);
    core.now_ms += ELECTION_MS / 2;
    message = result(2, 0, 3);
    receive(&core, 3, &message);
    timeout(&core); /* node 2 was silent: it is probed from 4 on */
    message = result(2, 3, 2);
    receive(&core, 2, &message);
    raft_index match = 0;
    expect(raft_state(&core.raft) == RAFT_LEADER);
    expect(raft_match_index(&core.raft, 2, &match) == 0 && match == 3);
}

/* The better log learns the higher term of the worse one, or nobody is ever elected. */
static void m6_hidden_term(bool guarded)
{
    struct core better;
    struct core worse;
    const uint64_t terms[] = {5};
    init(&better, 1, guarded);
    init(&worse, 2, guarded);
    raft_set_pre_vote(&better.raft, true);
    start(&better, 3, 5, terms, 1);
    start(&worse, 3, 7, NULL, 0);
    better.now_ms += 2 * ELECTION_MS;
    worse.now_ms = better.now_ms;
    timeout(&better);
    struct raft_message question = sent(&better);
    expect(question.request_vote.pre_vote && question.request_vote.term == 6);
    receive(&worse, 1, &question);
    struct raft_message answer = sent(&worse);
    expect(!answer.request_vote_result.vote_granted);
    receive(&better, 2, &answer);
    expect(raft_current_term(&better.raft) == 7);
}

/* A leader that has been silent for an election timeout keeps nobody from voting. */
static void m7_silent_leader(bool guarded)
{
    struct core core;
    init(&core, 2, guarded);
    start(&core, 3, 1, NULL, 0);
    struct raft_message heartbeat = append(1, 1, 1, 1, NULL, 0);
    receive(&core, 1, &heartbeat);
    core.now_ms += ELECTION_MS;
    struct raft_message question = request_vote(2, 3, 1, 1, true);
    receive(&core, 3, &question);
    expect(sent(&core).request_vote_result.vote_granted);
}

/* And one that was heard of just now does. */
static void m7_fresh_leader(bool guarded)
{
    struct core core;
    init(&core, 2, guarded);
    start(&core, 3, 1, NULL, 0);
    struct raft_message heartbeat = append(1, 1, 1, 1, NULL, 0);
    receive(&core, 1, &heartbeat);
    core.now_ms += ELECTION_MS - 1;
    struct raft_message question = request_vote(2, 3, 1, 1, true);
    receive(&core, 3, &question);
    expect(!sent(&core).request_vote_result.vote_granted);
}

/* A voter that does not know yet that it is one votes. */
static void m7_lagging_voter(bool guarded)
{
    struct core core;
    init(&core, 2, guarded);
    start(&core, 3, 1, NULL, 0);
    core.raft.configuration.servers[1].role = RAFT_STANDBY;
    struct raft_message question = request_vote(2, 3, 1, 1, false);
    receive(&core, 3, &question);
    expect(sent(&core).request_vote_result.vote_granted);
    expect(raft_role(&core.raft) == RAFT_STANDBY);
}

/* Stepping TIMEOUT brings the next one into the future. */
static void m8_timeout_in_the_past(bool guarded)
{
    struct core core;
    init(&core, 1, guarded);
    lead(&core);
    core.raft.configuration.servers[2].role = RAFT_SPARE;
    core.now_ms += 2 * HEARTBEAT_MS;
    timeout(&core);
    uint64_t next_ms = raft_timeout(&core.raft);
    if (guarded) {
        next_ms = rlog_guard_tick(next_ms, core.now_ms, HEARTBEAT_MS);
        expect(next_ms == core.now_ms + HEARTBEAT_MS / 4);
    }
    expect(next_ms > core.now_ms);
}

/* A late heartbeat takes back nothing that is committed. */
static void m9_commit_goes_back(bool guarded)
{
    struct core core;
    init(&core, 2, guarded);
    const uint64_t terms[] = {1, 1, 1, 1};
    start(&core, 3, 1, terms, 4);
    struct raft_message heartbeat = append(1, 5, 1, 5, NULL, 0);
    receive(&core, 1, &heartbeat);
    uint64_t commit = raft_commit_index(&core.raft);
    expect(commit == 5);
    struct raft_message late = append(1, 2, 1, 7, NULL, 0);
    receive(&core, 1, &late);
    uint64_t next = raft_commit_index(&core.raft);
    commit = guarded ? rlog_guard_commit(commit, next) : next;
    expect(commit == 5);
}

/* Leadership goes only to one who has the whole log: TimeoutNow is sent once. */
static void m10_lagging_transferee(bool guarded)
{
    struct core core;
    init(&core, 1, guarded);
    lead(&core);
    submit(&core, 2);
    struct raft_message message = result(2, 0, 1);
    receive(&core, 2, &message);
    if (!guarded || rlog_guard_may_take_over(&core.raft, 2)) {
        struct raft_event event = {.type = RAFT_TRANSFER, .transfer = {2}};
        step(&core, &event);
    }
    message = result(2, 0, 2); /* one of the two */
    receive(&core, 2, &message);
    for (unsigned i = 0; i < core.update.messages.n; i++) {
        expect(core.update.messages.batch[i].type != RAFT_TIMEOUT_NOW);
    }
    message = result(2, 0, 3);
    receive(&core, 2, &message);
    expect(!guarded || rlog_guard_may_take_over(&core.raft, 2));
}

/* ---- running them ---- */

static bool passes(void (*scenario)(bool guarded), bool guarded)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, STDERR_FILENO); /* the core's last words, when it aborts */
        scenario(guarded);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void needs_its_guard(void (*scenario)(bool guarded), const char *name)
{
    if (!passes(scenario, true)) {
        fail_msg("%s fails with its guard", name);
    }
    if (passes(scenario, false)) {
        fail_msg("%s passes without its guard: it proves nothing any more", name);
    }
}

#define NEEDS_ITS_GUARD(scenario)                                                                  \
    static void needs_##scenario(void **state)                                                     \
    {                                                                                              \
        (void)state;                                                                               \
        needs_its_guard(scenario, #scenario);                                                      \
    }

NEEDS_ITS_GUARD(m2_sole_voter)
NEEDS_ITS_GUARD(m3_late_append)
NEEDS_ITS_GUARD(m3_overlapping_append)
NEEDS_ITS_GUARD(m4_own_entry)
NEEDS_ITS_GUARD(m5_stale_rejection)
NEEDS_ITS_GUARD(m6_hidden_term)
NEEDS_ITS_GUARD(m7_silent_leader)
NEEDS_ITS_GUARD(m7_lagging_voter)
NEEDS_ITS_GUARD(m8_timeout_in_the_past)
NEEDS_ITS_GUARD(m9_commit_goes_back)
NEEDS_ITS_GUARD(m10_lagging_transferee)

static void a_fresh_leader_is_kept_by_the_guarded_core_too(void **state)
{
    (void)state;
    assert_true(passes(m7_fresh_leader, true));
    assert_true(passes(m7_fresh_leader, false));
}

/* ---- messages of no correct member ---- */

/* Node 2 acknowledged 3 in this term, needs a snapshot now, and rejects with less. */
static void went_back(bool guarded)
{
    struct core core;
    init(&core, 1, guarded);
    lead(&core);
    submit(&core, 2);
    struct raft_message message = result(2, 0, 3);
    receive(&core, 2, &message);
    submit(&core, 7);
    message = result(2, 0, 10);
    receive(&core, 3, &message);
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = 10;
    taken.snapshot.metadata.term = 2;
    taken.snapshot.metadata.configuration = configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    step(&core, &taken);
    for (unsigned i = 0; i < 6; i++) {
        core.now_ms += ELECTION_MS / 2;
        message = result(2, 0, 10);
        receive(&core, 3, &message);
        timeout(&core);
    }
    for (unsigned i = 0; i < 3; i++) {
        message = result(2, 10, 2);
        enum rlog_guard_verdict verdict = receive(&core, 2, &message); /* the bare core aborts */
        expect(!guarded || verdict == RLOG_GUARD_WENT_BACK);
        core.now_ms += ELECTION_MS / 2;
        message = result(2, 0, 10);
        receive(&core, 3, &message);
    }
    message = result(2, 10, 3);
    expect(receive(&core, 2, &message) == RLOG_GUARD_STEP);
    expect(raft_state(&core.raft) == RAFT_LEADER);
}

/* What is left of an AppendEntries behind our snapshot is older than the snapshot. */
static void terms_fall_behind_the_snapshot(bool guarded)
{
    struct core core;
    init(&core, 2, guarded);
    const uint64_t terms[] = {1, 1, 2, 3};
    start(&core, 3, 3, terms, 4);
    struct raft_message heartbeat = append(3, 5, 3, 5, NULL, 0);
    receive(&core, 1, &heartbeat);
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = 5;
    taken.snapshot.metadata.term = 3;
    taken.snapshot.metadata.configuration = configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    step(&core, &taken);
    struct raft_entry entries[4];
    for (unsigned i = 0; i < 4; i++) {
        entries[i] = (struct raft_entry){2, RAFT_COMMAND, {NULL, 0}, NULL};
    }
    struct raft_message message = append(4, 3, 1, 5, entries, 4); /* 4 to 7 */
    expect(receive(&core, 1, &message) == RLOG_GUARD_BROKEN);
    message = append(4, 5, 3, 5, entries, 4); /* nor when it begins there itself */
    expect(receive(&core, 1, &message) == RLOG_GUARD_BROKEN);
    entries[2].term = entries[3].term = 3;
    message = append(4, 3, 1, 5, entries, 4);
    expect(receive(&core, 1, &message) == RLOG_GUARD_STEP);
    expect(raft_last_index(&core.raft) == 7);
}

static void liars(bool guarded)
{
    struct core leader;
    struct core follower;
    init(&leader, 1, guarded);
    init(&follower, 2, guarded);
    lead(&leader);
    start(&follower, 3, 1, NULL, 0);
    struct raft_entry entry = {1, RAFT_COMMAND, {NULL, 0}, NULL};
    struct raft_message message;

    message = append(2, 1, 1, 1, NULL, 0); /* a second leader in our term */
    expect(receive(&leader, 2, &message) == RLOG_GUARD_BROKEN);
    message = append(1, 1, 0, 1, NULL, 0); /* previous entry without a term */
    expect(receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    message = append(1, 0, 1, 1, NULL, 0);
    expect(receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    entry.term = 0;
    message = append(1, 1, 1, 1, &entry, 1);
    expect(receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    entry.term = 2; /* newer than its leader */
    message = append(1, 1, 1, 1, &entry, 1);
    expect(receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    entry = (struct raft_entry){1, RAFT_CHANGE, {&entry, 3}, NULL}; /* no configuration */
    message = append(1, 1, 1, 1, &entry, 1);
    expect(receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    message = request_vote(3, 3, 1, 1, false); /* in another's name */
    expect(receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    message = vote(9, true); /* nobody asked */
    expect(receive(&follower, 1, &message) == RLOG_GUARD_DROP);
    expect(raft_current_term(&follower.raft) == 1);
}

static void bytes_of_a_peer_never_end_the_core(void **state)
{
    (void)state;
    assert_true(passes(liars, true));
    assert_false(passes(liars, false));
    assert_true(passes(went_back, true));
    assert_false(passes(went_back, false));
    assert_true(passes(terms_fall_behind_the_snapshot, true));
}

/* The core leaves last_log_index of its answer to a stale leader unset: what was on its stack would
 * travel, and be judged where it arrives. */
static void stale_leader(bool guarded)
{
    struct core core;
    const uint64_t terms[] = {3};
    init(&core, 1, guarded);
    start(&core, 3, 3, terms, 1);
    struct raft_message message = append(2, 1, 1, 1, NULL, 0);
    expect(receive(&core, 2, &message) == RLOG_GUARD_STEP);
    expect(core.update.messages.n == 1);
    struct raft_message *answer = core.update.messages.batch;
    expect(answer->type == RAFT_APPEND_ENTRIES_RESULT && answer->append_entries_result.term == 3);
    answer->append_entries_result.last_log_index = UINT64_C(0x5a5a5a5a5a5a5a5a); /* as it may be */
    const struct raft_event event = {.type = RAFT_RECEIVE, .receive = {.message = &message}};
    if (guarded) {
        rlog_guard_answers(&core.raft, &event, answer, 1);
    }
    expect(answer->append_entries_result.last_log_index == 0);
    raft_close(&core.raft, NULL);
}

static void needs_m11_unset_answer(void **state)
{
    (void)state;
    assert_true(passes(stale_leader, true));
    assert_false(passes(stale_leader, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_m2_sole_voter),
        cmocka_unit_test(needs_m3_late_append),
        cmocka_unit_test(needs_m3_overlapping_append),
        cmocka_unit_test(needs_m4_own_entry),
        cmocka_unit_test(needs_m5_stale_rejection),
        cmocka_unit_test(needs_m6_hidden_term),
        cmocka_unit_test(needs_m7_silent_leader),
        cmocka_unit_test(needs_m7_lagging_voter),
        cmocka_unit_test(needs_m8_timeout_in_the_past),
        cmocka_unit_test(needs_m9_commit_goes_back),
        cmocka_unit_test(needs_m10_lagging_transferee),
        cmocka_unit_test(needs_m11_unset_answer),
        cmocka_unit_test(a_fresh_leader_is_kept_by_the_guarded_core_too),
        cmocka_unit_test(bytes_of_a_peer_never_end_the_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
#include <unistd.h>

#include "tests/unit/raftlog/core.h"

/* ---- the scenarios: return when all is as it must be ---- */

/* A CHANGE behind another entry is put down where it stands, and so it is known when it is
 * committed. */
static void m1_change_behind_another(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    core_start(&core, 3, 1, NULL, 0);
    struct raft_entry entries[2] = {{1, RAFT_COMMAND, {NULL, 0}, NULL}, core_change(1, 4)};
    struct raft_message message = core_append(1, 1, 1, 3, entries, 2);
    core_receive(&core, 1, &message);
    core_configure(&core, 3, core_configuration_of(4));
    core_expect(core.raft.configuration.n == 4);
    core_expect(core.raft.configuration_uncommitted_index == 0);
    core_expect(core.raft.configuration_committed_index == 3);
}

/* What is cut off takes back the last change, not the committed one before it as well. */
static void m1b_two_changes(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    core_start(&core, 3, 1, NULL, 0);
    struct raft_entry first = core_change(1, 4);
    struct raft_message message = core_append(1, 1, 1, 1, &first, 1);
    core_receive(&core, 1, &message);
    struct raft_entry second = core_change(1, 5);
    message = core_append(1, 2, 1, 2, &second, 1); /* it commits the first */
    core_receive(&core, 1, &message);
    core_expect(core.raft.configuration.n == 5);
    struct raft_entry other = {2, RAFT_COMMAND, {NULL, 0}, NULL};
    message = core_append(2, 2, 1, 2, &other, 1); /* a new leader never had the second */
    core_receive(&core, 3, &message);
    core_expect(core.raft.configuration.n == 4);
}

/* A snapshot says who belonged to the cluster at its index, whatever was appended since. */
static void m1c_snapshot_before_a_change(bool guarded)
{
    struct core core;
    struct core again;
    core_init(&core, 2, guarded);
    core_start(&core, 3, 1, NULL, 0);
    struct raft_entry change = core_change(1, 4);
    struct raft_message message = core_append(1, 1, 1, 1, &change, 1);
    core_receive(&core, 1, &message);
    struct raft_event start = {.type = RAFT_START};
    struct raft_snapshot_metadata taken = {.index = 1, .term = 1, .configuration_index = 1};
    taken.configuration = core_configuration_of(guarded ? 3 : core.raft.configuration.n);
    start.start.term = 1;
    start.start.start_index = 2;
    start.start.metadata = &taken; /* and the change was cut off */
    core_init(&again, 2, guarded);
    core_step(&again, &start);
    core_expect(again.raft.configuration.n == 3);
}

/* No change before an entry of the own term is committed: two leaders in a row could each commit
 * one that the other's majority never heard of. */
static void m4_change_before_own_entry(bool guarded)
{
    struct core core;
    core_init(&core, 1, guarded);
    core_lead(&core);
    char batch = 0;
    struct raft_entry change = core_change(2, 4);
    change.batch = &batch;
    if (!guarded || rlog_guard_may_change(&core.raft, 0, raft_commit_index(&core.raft))) {
        struct raft_event event = {.type = RAFT_SUBMIT, .submit = {&change, 1}};
        core_step(&core, &event);
    }
    core_expect(core.raft.configuration_uncommitted_index == 0);
    core_submit(&core, 1);
    core_expect(!guarded || !rlog_guard_may_change(&core.raft, 2, raft_commit_index(&core.raft)));
    struct raft_message message = core_result(2, 0, 2);
    core_receive(&core, 2, &message);
    core_expect(!guarded || rlog_guard_may_change(&core.raft, 2, raft_commit_index(&core.raft)));
}

/* A voter alone leads again after a restart: in a new term, or two of its lives share one. */
static void m2_sole_voter(bool guarded)
{
    struct core core;
    core_init(&core, 1, guarded);
    const uint64_t terms[] = {3};
    core_start(&core, 1, guarded ? 4 : 3, terms,
               1); /* the guard: a new term, made durable before */
    core_expect(raft_state(&core.raft) == RAFT_LEADER);
    core_expect(raft_current_term(&core.raft) > 3);
}

/* A late AppendEntries from before the compacted prefix changes nothing. */
static void m3_late_append(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    const uint64_t terms[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    core_start(&core, 3, 1, terms, 9);
    struct raft_message heartbeat = core_append(1, 10, 1, 10, NULL, 0);
    core_receive(&core, 1, &heartbeat);
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = 10;
    taken.snapshot.metadata.term = 1;
    taken.snapshot.metadata.configuration = core_configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    core_step(&core, &taken);
    struct raft_entry entries[2] = {{1, RAFT_COMMAND, {NULL, 0}, NULL},
                                    {1, RAFT_COMMAND, {NULL, 0}, NULL}};
    struct raft_message late = core_append(1, 0, 0, 10, entries, 2);
    core_receive(&core, 1, &late);
    core_expect((core.update.flags & (unsigned)(RAFT_UPDATE_ENTRIES)) == 0);
    core_expect(raft_last_index(&core.raft) == 10);
    struct raft_message answer = core_sent(&core);
    core_expect(answer.append_entries_result.rejected == 0);
    core_expect(answer.append_entries_result.last_log_index == 10);
}

/* One that begins before the compacted prefix and ends behind our log appends what is new. */
static void m3_overlapping_append(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    const uint64_t terms[] = {1, 1, 1, 1};
    core_start(&core, 3, 1, terms, 4);
    struct raft_message heartbeat = core_append(1, 5, 1, 5, NULL, 0);
    core_receive(&core, 1, &heartbeat);
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = 5;
    taken.snapshot.metadata.term = 1;
    taken.snapshot.metadata.configuration = core_configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    core_step(&core, &taken);
    struct raft_entry entries[4];
    for (unsigned i = 0; i < 4; i++) {
        entries[i] = (struct raft_entry){1, RAFT_COMMAND, {NULL, 0}, NULL};
    }
    struct raft_message message = core_append(1, 3, 1, 7, entries, 4); /* 4 to 7 */
    core_receive(&core, 1, &message);
    core_expect((core.update.flags & (unsigned)(RAFT_UPDATE_ENTRIES)) != 0);
    core_expect(core.update.entries.index == 6 && core.update.entries.n == 2);
    core_expect(raft_last_index(&core.raft) == 7);
}

/* A leader has an entry of its own term to commit at once, whatever its log says. */
static void m4_own_entry(bool guarded)
{
    struct core core;
    core_init(&core, 1, guarded);
    core_lead(&core);
    if (guarded) {
        core_submit(&core, 1); /* the engine's own barrier */
    }
    core_expect(raft_last_index(&core.raft) == 2);
}

/* A rejection that was overtaken by a success ends nothing. */
static void m5_stale_rejection(bool guarded)
{
    struct core core;
    core_init(&core, 1, guarded);
    core_lead(&core);
    core_submit(&core, 2);
    struct raft_message message = core_result(2, 0, 3);
    core_receive(&core, 2, &message);
    core.now_ms += ELECTION_MS / 2;
    message = core_result(2, 0, 3);
    core_receive(&core, 3, &message);
    core_timeout(&core);
    core.now_ms += ELECTION_MS / 2;
    message = core_result(2, 0, 3);
    core_receive(&core, 3, &message);
    core_timeout(&core); /* node 2 was silent: it is probed from 4 on */
    message = core_result(2, 3, 2);
    core_expect(core_receive(&core, 2, &message) == RLOG_GUARD_STEP); /* nobody is sent away */
    raft_index match = 0;
    core_expect(raft_state(&core.raft) == RAFT_LEADER);
    core_expect(raft_match_index(&core.raft, 2, &match) == 0 && match == 3);
}

/* The better log learns the higher term of the worse one, or nobody is ever elected. */
static void m6_hidden_term(bool guarded)
{
    struct core better;
    struct core worse;
    const uint64_t terms[] = {5};
    core_init(&better, 1, guarded);
    core_init(&worse, 2, guarded);
    raft_set_pre_vote(&better.raft, true);
    core_start(&better, 3, 5, terms, 1);
    core_start(&worse, 3, 7, NULL, 0);
    better.now_ms += 2 * ELECTION_MS;
    worse.now_ms = better.now_ms;
    core_timeout(&better);
    struct raft_message question = core_sent(&better);
    core_expect(question.request_vote.pre_vote && question.request_vote.term == 6);
    core_receive(&worse, 1, &question);
    struct raft_message answer = core_sent(&worse);
    core_expect(!answer.request_vote_result.vote_granted);
    core_receive(&better, 2, &answer);
    core_expect(raft_current_term(&better.raft) == 7);
}

/* A leader that has been silent for an election timeout keeps nobody from voting. */
static void m7_silent_leader(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    core_start(&core, 3, 1, NULL, 0);
    struct raft_message heartbeat = core_append(1, 1, 1, 1, NULL, 0);
    core_receive(&core, 1, &heartbeat);
    core.now_ms += ELECTION_MS;
    struct raft_message question = core_request_vote(2, 3, 1, 1, true);
    core_receive(&core, 3, &question);
    core_expect(core_sent(&core).request_vote_result.vote_granted);
}

/* And one that was heard of just now does. */
static void m7_fresh_leader(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    core_start(&core, 3, 1, NULL, 0);
    struct raft_message heartbeat = core_append(1, 1, 1, 1, NULL, 0);
    core_receive(&core, 1, &heartbeat);
    core.now_ms += ELECTION_MS - 1;
    struct raft_message question = core_request_vote(2, 3, 1, 1, true);
    core_receive(&core, 3, &question);
    core_expect(!core_sent(&core).request_vote_result.vote_granted);
}

/* A voter that does not know yet that it is one votes. */
static void m7_lagging_voter(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    core_start(&core, 3, 1, NULL, 0);
    core.raft.configuration.servers[1].role = RAFT_STANDBY;
    struct raft_message question = core_request_vote(2, 3, 1, 1, false);
    core_receive(&core, 3, &question);
    core_expect(core_sent(&core).request_vote_result.vote_granted);
    core_expect(raft_role(&core.raft) == RAFT_STANDBY);
}

/* Stepping TIMEOUT brings the next one into the future. */
static void m8_timeout_in_the_past(bool guarded)
{
    struct core core;
    core_init(&core, 1, guarded);
    core_lead(&core);
    core.raft.configuration.servers[2].role = RAFT_SPARE;
    core.now_ms += 2 * HEARTBEAT_MS;
    core_timeout(&core);
    uint64_t next_ms = raft_timeout(&core.raft);
    if (guarded) {
        next_ms = rlog_guard_tick(next_ms, core.now_ms, HEARTBEAT_MS);
        core_expect(next_ms == core.now_ms + HEARTBEAT_MS / 4);
    }
    core_expect(next_ms > core.now_ms);
}

/* A late heartbeat takes back nothing that is committed. */
static void m9_commit_goes_back(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    const uint64_t terms[] = {1, 1, 1, 1};
    core_start(&core, 3, 1, terms, 4);
    struct raft_message heartbeat = core_append(1, 5, 1, 5, NULL, 0);
    core_receive(&core, 1, &heartbeat);
    uint64_t commit = raft_commit_index(&core.raft);
    core_expect(commit == 5);
    struct raft_message late = core_append(1, 2, 1, 7, NULL, 0);
    core_receive(&core, 1, &late);
    uint64_t next = raft_commit_index(&core.raft);
    commit = guarded ? rlog_guard_commit(commit, next) : next;
    core_expect(commit == 5);
}

/* Leadership goes only to one who has the whole log: TimeoutNow is sent once. */
static void m10_lagging_transferee(bool guarded)
{
    struct core core;
    core_init(&core, 1, guarded);
    core_lead(&core);
    core_submit(&core, 2);
    struct raft_message message = core_result(2, 0, 1);
    core_receive(&core, 2, &message);
    if (!guarded || rlog_guard_may_take_over(&core.raft, 2)) {
        struct raft_event event = {.type = RAFT_TRANSFER, .transfer = {2}};
        core_step(&core, &event);
    }
    message = core_result(2, 0, 2); /* one of the two */
    core_receive(&core, 2, &message);
    for (unsigned i = 0; i < core.update.messages.n; i++) {
        core_expect(core.update.messages.batch[i].type != RAFT_TIMEOUT_NOW);
    }
    message = core_result(2, 0, 3);
    core_receive(&core, 2, &message);
    core_expect(!guarded || rlog_guard_may_take_over(&core.raft, 2));
}

/* The leader's log up to `index` is an image, and no more. */
static void take_image(struct core *core, uint64_t index)
{
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = index;
    taken.snapshot.metadata.term = 2;
    taken.snapshot.metadata.configuration = core_configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    core_step(core, &taken);
}

/* A rejection of node 2 after a heartbeat; whether an image is to be sent to it, and which. */
static uint64_t image_after_rejection(struct core *core, uint64_t rejected)
{
    struct raft_message message = core_result(2, rejected, 1);
    core->now_ms += HEARTBEAT_MS;
    core_timeout(core);
    core_receive(core, 2, &message);
    for (unsigned i = 0; i < core->update.messages.n; i++) {
        if (core->update.messages.batch[i].type == RAFT_INSTALL_SNAPSHOT) {
            return core->update.messages.batch[i].install_snapshot.last_index;
        }
    }
    return 0;
}

/* An image that did not arrive is asked for again, if it is the newest or another one is. */
static void m14_newer_image(bool guarded)
{
    struct core core;
    core_init(&core, 1, guarded);
    core_lead(&core);
    core_submit(&core, 5);
    struct raft_message message = core_result(2, 0, 6);
    core_receive(&core, 3, &message);
    take_image(&core, 6);
    core_expect(image_after_rejection(&core, 6) == 6);
    core_submit(&core, 2);
    message = core_result(2, 0, 8);
    core_receive(&core, 3, &message);
    take_image(&core, 8);
    core_expect(image_after_rejection(&core, 8) == 8);
    core_expect(image_after_rejection(&core, 6) == 0); /* late: of before */
    core_expect(image_after_rejection(&core, 8) == 8);
}

/* ---- running them ---- */

static void needs_its_guard(void (*scenario)(bool guarded), const char *name)
{
    if (!core_passes(scenario, true)) {
        fail_msg("%s fails with its guard", name);
    }
    if (core_passes(scenario, false)) {
        fail_msg("%s passes without its guard: it proves nothing any more", name);
    }
}

#define NEEDS_ITS_GUARD(scenario)                                                                  \
    static void needs_##scenario(void **state)                                                     \
    {                                                                                              \
        (void)state;                                                                               \
        needs_its_guard(scenario, #scenario);                                                      \
    }

NEEDS_ITS_GUARD(m1_change_behind_another)
NEEDS_ITS_GUARD(m1b_two_changes)
NEEDS_ITS_GUARD(m1c_snapshot_before_a_change)
NEEDS_ITS_GUARD(m2_sole_voter)
NEEDS_ITS_GUARD(m3_late_append)
NEEDS_ITS_GUARD(m3_overlapping_append)
NEEDS_ITS_GUARD(m4_own_entry)
NEEDS_ITS_GUARD(m4_change_before_own_entry)
NEEDS_ITS_GUARD(m5_stale_rejection)
NEEDS_ITS_GUARD(m6_hidden_term)
NEEDS_ITS_GUARD(m7_silent_leader)
NEEDS_ITS_GUARD(m7_lagging_voter)
NEEDS_ITS_GUARD(m8_timeout_in_the_past)
NEEDS_ITS_GUARD(m9_commit_goes_back)
NEEDS_ITS_GUARD(m10_lagging_transferee)
NEEDS_ITS_GUARD(m14_newer_image)

static void a_fresh_leader_is_kept_by_the_guarded_core_too(void **state)
{
    (void)state;
    assert_true(core_passes(m7_fresh_leader, true));
    assert_true(core_passes(m7_fresh_leader, false));
}

/* ---- messages of no correct member ---- */

/* Node 2 acknowledged 3 in this term, needs a snapshot now, and rejects with less. */
static void went_back(bool guarded)
{
    struct core core;
    core_init(&core, 1, guarded);
    core_lead(&core);
    core_submit(&core, 2);
    struct raft_message message = core_result(2, 0, 3);
    core_receive(&core, 2, &message);
    core_submit(&core, 7);
    message = core_result(2, 0, 10);
    core_receive(&core, 3, &message);
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = 10;
    taken.snapshot.metadata.term = 2;
    taken.snapshot.metadata.configuration = core_configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    core_step(&core, &taken);
    for (unsigned i = 0; i < 6; i++) {
        core.now_ms += ELECTION_MS / 2;
        message = core_result(2, 0, 10);
        core_receive(&core, 3, &message);
        core_timeout(&core);
    }
    for (unsigned i = 0; i < 3; i++) {
        message = core_result(2, 10, 2);
        enum rlog_guard_verdict verdict = core_receive(&core, 2,
                                                       &message); /* the bare core aborts */
        core_expect(!guarded || verdict == RLOG_GUARD_WENT_BACK);
        core.now_ms += ELECTION_MS / 2;
        message = core_result(2, 0, 10);
        core_receive(&core, 3, &message);
    }
    message = core_result(2, 10, 3);
    core_expect(core_receive(&core, 2, &message) == RLOG_GUARD_STEP);
    core_expect(raft_state(&core.raft) == RAFT_LEADER);
}

/* What is left of an AppendEntries behind our snapshot is older than the snapshot. */
static void terms_fall_behind_the_snapshot(bool guarded)
{
    struct core core;
    core_init(&core, 2, guarded);
    const uint64_t terms[] = {1, 1, 2, 3};
    core_start(&core, 3, 3, terms, 4);
    struct raft_message heartbeat = core_append(3, 5, 3, 5, NULL, 0);
    core_receive(&core, 1, &heartbeat);
    struct raft_event taken = {.type = RAFT_SNAPSHOT};
    taken.snapshot.metadata.index = 5;
    taken.snapshot.metadata.term = 3;
    taken.snapshot.metadata.configuration = core_configuration_of(3);
    taken.snapshot.metadata.configuration_index = 1;
    core_step(&core, &taken);
    struct raft_entry entries[4];
    for (unsigned i = 0; i < 4; i++) {
        entries[i] = (struct raft_entry){2, RAFT_COMMAND, {NULL, 0}, NULL};
    }
    struct raft_message message = core_append(4, 3, 1, 5, entries, 4); /* 4 to 7 */
    core_expect(core_receive(&core, 1, &message) == RLOG_GUARD_BROKEN);
    message = core_append(4, 5, 3, 5, entries, 4); /* nor when it begins there itself */
    core_expect(core_receive(&core, 1, &message) == RLOG_GUARD_BROKEN);
    entries[2].term = entries[3].term = 3;
    message = core_append(4, 3, 1, 5, entries, 4);
    core_expect(core_receive(&core, 1, &message) == RLOG_GUARD_STEP);
    core_expect(raft_last_index(&core.raft) == 7);
}

static void liars(bool guarded)
{
    struct core leader;
    struct core follower;
    core_init(&leader, 1, guarded);
    core_init(&follower, 2, guarded);
    core_lead(&leader);
    core_start(&follower, 3, 1, NULL, 0);
    struct raft_entry entry = {1, RAFT_COMMAND, {NULL, 0}, NULL};
    struct raft_message message;

    message = core_append(2, 1, 1, 1, NULL, 0); /* a second leader in our term */
    core_expect(core_receive(&leader, 2, &message) == RLOG_GUARD_BROKEN);
    message = core_append(1, 1, 0, 1, NULL, 0); /* previous entry without a term */
    core_expect(core_receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    message = core_append(1, 0, 1, 1, NULL, 0);
    core_expect(core_receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    entry.term = 0;
    message = core_append(1, 1, 1, 1, &entry, 1);
    core_expect(core_receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    entry.term = 2; /* newer than its leader */
    message = core_append(1, 1, 1, 1, &entry, 1);
    core_expect(core_receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    entry = (struct raft_entry){1, RAFT_CHANGE, {&entry, 3}, NULL}; /* no configuration */
    message = core_append(1, 1, 1, 1, &entry, 1);
    core_expect(core_receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    message = core_request_vote(3, 3, 1, 1, false); /* in another's name */
    core_expect(core_receive(&follower, 1, &message) == RLOG_GUARD_BROKEN);
    message = core_vote(9, true); /* nobody asked */
    core_expect(core_receive(&follower, 1, &message) == RLOG_GUARD_DROP);
    core_expect(raft_current_term(&follower.raft) == 1);
}

static void bytes_of_a_peer_never_end_the_core(void **state)
{
    (void)state;
    assert_true(core_passes(liars, true));
    assert_false(core_passes(liars, false));
    assert_true(core_passes(went_back, true));
    assert_false(core_passes(went_back, false));
    assert_true(core_passes(terms_fall_behind_the_snapshot, true));
}

/* The core leaves last_log_index of its answer to a stale leader unset: what was on its stack would
 * travel, and be judged where it arrives. */
static void stale_leader(bool guarded)
{
    struct core core;
    const uint64_t terms[] = {3};
    core_init(&core, 1, guarded);
    core_start(&core, 3, 3, terms, 1);
    struct raft_message message = core_append(2, 1, 1, 1, NULL, 0);
    core_expect(core_receive(&core, 2, &message) == RLOG_GUARD_STEP);
    core_expect(core.update.messages.n == 1);
    struct raft_message *answer = core.update.messages.batch;
    core_expect(answer->type == RAFT_APPEND_ENTRIES_RESULT &&
                answer->append_entries_result.term == 3);
    answer->append_entries_result.last_log_index = UINT64_C(0x5a5a5a5a5a5a5a5a); /* as it may be */
    const struct raft_event event = {.type = RAFT_RECEIVE, .receive = {.message = &message}};
    if (guarded) {
        rlog_guard_answers(&core.raft, &event, answer, 1);
    }
    core_expect(answer->append_entries_result.last_log_index == 0);
    raft_close(&core.raft, NULL);
}

static void needs_m11_unset_answer(void **state)
{
    (void)state;
    assert_true(core_passes(stale_leader, true));
    assert_false(core_passes(stale_leader, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_m1_change_behind_another),
        cmocka_unit_test(needs_m1b_two_changes),
        cmocka_unit_test(needs_m1c_snapshot_before_a_change),
        cmocka_unit_test(needs_m2_sole_voter),
        cmocka_unit_test(needs_m3_late_append),
        cmocka_unit_test(needs_m3_overlapping_append),
        cmocka_unit_test(needs_m4_own_entry),
        cmocka_unit_test(needs_m4_change_before_own_entry),
        cmocka_unit_test(needs_m5_stale_rejection),
        cmocka_unit_test(needs_m6_hidden_term),
        cmocka_unit_test(needs_m7_silent_leader),
        cmocka_unit_test(needs_m7_lagging_voter),
        cmocka_unit_test(needs_m8_timeout_in_the_past),
        cmocka_unit_test(needs_m9_commit_goes_back),
        cmocka_unit_test(needs_m10_lagging_transferee),
        cmocka_unit_test(needs_m14_newer_image),
        cmocka_unit_test(needs_m11_unset_answer),
        cmocka_unit_test(a_fresh_leader_is_kept_by_the_guarded_core_too),
        cmocka_unit_test(bytes_of_a_peer_never_end_the_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

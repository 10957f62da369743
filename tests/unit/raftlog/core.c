/* The bare Raft core on a stage: steps, messages by hand, and a process to die in. */
#include "tests/unit/raftlog/core.h"

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

/* Ends the child: the scenario went wrong. */
void core_expect(bool condition)
{
    if (!condition) {
        _exit(1);
    }
}

void core_step(struct core *core, struct raft_event *event)
{
    event->time = core->now_ms;
    memset(&core->update, 0, sizeof core->update);
    core_expect(raft_step(&core->raft, event, &core->update) == 0);
}

struct raft_configuration core_configuration_of(unsigned voters)
{
    struct raft_configuration configuration;
    raft_configuration_init(&configuration);
    for (unsigned i = 1; i <= voters; i++) {
        char address[2] = {(char)('0' + i), '\0'};
        core_expect(raft_configuration_add(&configuration, i, address, RAFT_VOTER) == 0);
    }
    return configuration;
}

void core_init(struct core *core, unsigned id, bool guarded)
{
    memset(core, 0, sizeof *core);
    core->guarded = guarded;
    core->now_ms = 1000;
    core_expect(raft_init(&core->raft, NULL, NULL, id, "self") == 0);
    core->raft.tracer = NULL;
    raft_seed(&core->raft, 1);
    raft_set_election_timeout(&core->raft, ELECTION_MS);
    raft_set_heartbeat_timeout(&core->raft, HEARTBEAT_MS);
}

/* The log holds the first configuration and then entries of the terms given, all stored. */
void core_start(struct core *core, unsigned voters, uint64_t term, const uint64_t *terms,
                unsigned count)
{
    struct raft_configuration configuration = core_configuration_of(voters);
    struct raft_entry *entries = raft_calloc(count + 1, sizeof *entries);
    char *batch = raft_malloc(1);
    core_expect(raft_configuration_encode(&configuration, &entries[0].buf) == 0);
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
    core_step(core, &event);
    raft_free(entries[0].buf.base);
    raft_free(entries);
    raft_free(batch);
    raft_configuration_close(&configuration);
}

static void step_received(struct core *core, struct raft_message *message)
{
    struct raft_append_entries *append = &message->append_entries;
    void *batch = NULL;
    if (message->type == RAFT_APPEND_ENTRIES && append->n_entries > 0) {
        batch = raft_malloc(1);
        for (unsigned i = 0; i < append->n_entries; i++) {
            append->entries[i].batch = batch;
        }
    }
    struct raft_event event = {.type = RAFT_RECEIVE, .receive = {.message = message}};
    core_step(core, &event);
    if (batch != NULL && (core->update.flags & (unsigned)(RAFT_UPDATE_ENTRIES)) != 0) {
        raft_free(batch);
    }
}

void core_configure(struct core *core, uint64_t index, struct raft_configuration configuration)
{
    struct raft_event event = {.type = RAFT_CONFIGURATION};
    event.configuration.index = index;
    event.configuration.conf = configuration;
    core_step(core, &event);
}

/* As raftlog/engine_append.c; what is settled is the CHANGE before, of as many voters less one. */
static void step_parts(struct core *core, const struct raft_message *message)
{
    struct raft_append_entries rest = message->append_entries;
    do {
        struct raft_message part = *message;
        part.append_entries = rest;
        part.append_entries.n_entries = rlog_guard_part(&rest);
        raft_index before = rlog_guard_settled(&core->raft, &part.append_entries,
                                               rest.prev_log_term);
        if (before != 0) {
            core_configure(core, before, core_configuration_of(core->raft.configuration.n));
        }
        unsigned count = part.append_entries.n_entries;
        step_received(core, &part);
        rest.prev_log_index += count;
        rest.prev_log_term = count > 0 ? rest.entries[count - 1].term : rest.prev_log_term;
        rest.entries += count;
        rest.n_entries -= count;
    } while (rest.n_entries > 0);
}

/* As the engine does it; without the guards as one would do it without. */
enum rlog_guard_verdict core_receive(struct core *core, unsigned from, struct raft_message *message)
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
    if (core->guarded && message->type == RAFT_APPEND_ENTRIES) {
        step_parts(core, message);
    } else {
        step_received(core, message);
    }
    rlog_guard_received(&undo);
    return RLOG_GUARD_STEP;
}

struct raft_entry core_change(uint64_t term, unsigned voters)
{
    struct raft_configuration configuration = core_configuration_of(voters);
    struct raft_entry entry = {.term = term, .type = RAFT_CHANGE};
    core_expect(raft_configuration_encode(&configuration, &entry.buf) == 0);
    raft_configuration_close(&configuration);
    return entry; /* the child ends before anybody misses the bytes */
}

/* The first message of the last update; through the guard when there is one. */
struct raft_message core_sent(struct core *core)
{
    core_expect(core->update.messages.n > 0);
    struct raft_message message = core->update.messages.batch[0];
    if (core->guarded) {
        rlog_guard_send(&core->raft, &message);
    }
    return message;
}

void core_timeout(struct core *core)
{
    struct raft_event event = {.type = RAFT_TIMEOUT};
    core_step(core, &event);
}

struct raft_message core_append(uint64_t term, uint64_t previous, uint64_t previous_term,
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

struct raft_message core_result(uint64_t term, uint64_t rejected, uint64_t last)
{
    struct raft_message message;
    memset(&message, 0, sizeof message);
    message.type = RAFT_APPEND_ENTRIES_RESULT;
    message.append_entries_result = (struct raft_append_entries_result){
        .version = 2, .term = term, .rejected = rejected, .last_log_index = last};
    return message;
}

struct raft_message core_request_vote(uint64_t term, unsigned candidate, uint64_t last,
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

struct raft_message core_vote(uint64_t term, bool granted)
{
    struct raft_message message;
    memset(&message, 0, sizeof message);
    message.type = RAFT_REQUEST_VOTE_RESULT;
    message.request_vote_result = (struct raft_request_vote_result){
        .version = 2, .term = term, .vote_granted = granted};
    return message;
}

/* Node 1 of three leads in term 2; its log is the first configuration. */
void core_lead(struct core *core)
{
    core_start(core, 3, 1, NULL, 0);
    core->now_ms += 2 * ELECTION_MS;
    core_timeout(core);
    struct raft_message message = core_vote(2, true);
    core_receive(core, 2, &message);
    core_expect(raft_state(&core->raft) == RAFT_LEADER);
}

void core_submit(struct core *core, unsigned count)
{
    char batch = 0;
    for (unsigned i = 0; i < count; i++) {
        struct raft_entry entry = {
            raft_current_term(&core->raft), RAFT_COMMAND, {&batch, 1}, &batch};
        struct raft_event event = {.type = RAFT_SUBMIT, .submit = {&entry, 1}};
        core_step(core, &event);
    }
    struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
    event.persisted_entries.index = raft_last_index(&core->raft);
    core_step(core, &event);
}

bool core_passes(void (*scenario)(bool guarded), bool guarded)
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

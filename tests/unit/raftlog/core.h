/* The Raft core alone, with the guards of raftlog or without: a stage for scenarios.
 *
 * Nothing of raftlog is around it: a scenario steps the core by hand, as node 1 of up to three, and
 * writes the others' messages itself. It runs in a child process (core_passes), since some end the
 * core by an assertion of its own.
 */
#ifndef TESTS_UNIT_RAFTLOG_CORE_H
#define TESTS_UNIT_RAFTLOG_CORE_H

#include "raftlog/guard.h"

enum { ELECTION_MS = 1000, HEARTBEAT_MS = 100 };

struct core {
    struct raft raft;
    struct raft_update update;
    uint64_t now_ms;
    bool guarded;
};

/* Ends the child: the scenario went wrong. */
void core_expect(bool condition);
void core_step(struct core *core, struct raft_event *event);
/* `voters` voters, 1 to voters; the core takes it over. */
struct raft_configuration core_configuration_of(unsigned voters);
void core_init(struct core *core, unsigned id, bool guarded);
/* The log holds the first configuration and then entries of the terms given, all stored. */
void core_start(struct core *core, unsigned voters, uint64_t term, const uint64_t *terms,
                unsigned count);
/* As the engine does it; without the guards as one would do it without. */
enum rlog_guard_verdict core_receive(struct core *core, unsigned from,
                                     struct raft_message *message);
/* RAFT_CONFIGURATION: the CHANGE at `index` is committed. The core takes it over. */
void core_configure(struct core *core, uint64_t index, struct raft_configuration configuration);
/* An entry that makes 1 to `voters` the voters. */
struct raft_entry core_change(uint64_t term, unsigned voters);
/* The first message of the last update; through the guard when there is one. */
struct raft_message core_sent(struct core *core);
void core_timeout(struct core *core);
struct raft_message core_append(uint64_t term, uint64_t previous, uint64_t previous_term,
                                uint64_t commit, struct raft_entry *entries, unsigned count);
struct raft_message core_result(uint64_t term, uint64_t rejected, uint64_t last);
struct raft_message core_request_vote(uint64_t term, unsigned candidate, uint64_t last,
                                      uint64_t last_term, bool pre_vote);
struct raft_message core_vote(uint64_t term, bool granted);
/* Node 1 of three leads in term 2; its log is the first configuration. */
void core_lead(struct core *core);
void core_submit(struct core *core, unsigned count);
/* Runs the scenario in a process of its own. False: that ended otherwise than by returning. */
bool core_passes(void (*scenario)(bool guarded), bool guarded);

#endif

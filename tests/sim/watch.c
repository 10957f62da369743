/* What must hold after every step of the world: S13, S8, S5, and that a clock only goes forward.
 *
 *  1. At most one node leads in a term, and no process of it leads where another one did; a node's
 *     term never goes back, over all its processes, its commit index not in one of them.
 *  2. Two nodes that have applied an index have applied the same entry there.
 *  3. Two nodes at the end of one entry have one position, one T and one digest; T is
 *     max(T, stamp).
 *
 * After an event only the nodes are looked at whose code ran since the last look: nothing else of a
 * node changes. Reads the nodes' own structs, changes nothing.
 */
#include "tests/sim/run.h"

#include "base/assert.h"
#include "base/sat.h"
#include "op/command.h"
#include "raftlog/engine.h"
#include "raftlog/rlog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void *grown(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return items;
    }
    size_t larger = *capacity == 0 ? 1024 : *capacity * 2;
    items = realloc(items, larger * size);
    ASSERT(items != NULL);
    memset((uint8_t *)items + *capacity * size, 0, (larger - *capacity) * size);
    *capacity = larger;
    return items;
}

static bool is_same(const struct run_entry *known, const struct rlog_log_entry *entry)
{
    return known->type == entry->type && known->term == entry->term &&
           bytes_equal(bytes_of(known->payload, known->size), entry->payload);
}

static uint8_t *copy_of(struct bytes payload)
{
    uint8_t *copy = malloc(payload.size + 1);
    ASSERT(copy != NULL);
    if (payload.size > 0) {
        memcpy(copy, payload.data, payload.size);
    }
    return copy;
}

/* Section 6 of the model: a client that was silent for too long is unknown, and a number below the
 * lowest that the client still asks for is forgotten. True: the command is looked at. */
static bool hear_client(struct run *run, const struct op_command *command, uint64_t time)
{
    struct run_watch *watch = &run->watch;
    for (size_t i = watch->client_count; i > 0; i--) {
        struct run_client *client = &watch->clients[i - 1];
        if (client->id == command->client) {
            if (sat_add(client->heard, run->plan.limits.client_silence_us) <= time) {
                return false;
            }
            if (client->before != 0) {
                run_fail(run, "S9: client %" PRIu64 " was forgotten although it was heard",
                         client->before);
            }
            client->heard = time;
            client->used = true;
            client->lowest = u64_max(client->lowest, command->lowest);
            return command->request >= client->lowest;
        }
    }
    return false;
}

/* It was given up for its process's own silence: nobody told that one anything. */
static bool was_silent(const struct run_watch *watch, uint64_t client)
{
    for (size_t i = watch->silent_count; i > 0; i--) {
        if (watch->silent[i - 1] == client) {
            return true;
        }
    }
    return false;
}

static void watch_silence(struct run_watch *watch, const struct tenure_client *client)
{
    uint64_t given_up = client == NULL ? 0 : client->registration.given_up;
    if (given_up != 0 && !was_silent(watch, given_up)) {
        watch->silent = grown(watch->silent, &watch->silent_capacity, watch->silent_count,
                              sizeof(*watch->silent));
        watch->silent[watch->silent_count++] = given_up;
    }
}

/* The client that this process had used and that was not silent for too long by then, or 0: it
 * registers again only when it was told that the cluster does not know that one, or was silent. */
static uint64_t known_before(const struct run *run, const struct id128 *instance, uint64_t time)
{
    for (size_t i = run->watch.client_count; i > 0; i--) {
        const struct run_client *client = &run->watch.clients[i - 1];
        if (client->used && id128_equal(client->instance, *instance) &&
            !was_silent(&run->watch, client->id) &&
            sat_add(client->heard, run->plan.limits.client_silence_us) > time) {
            return client->id;
        }
    }
    return 0;
}

static void learn_command(struct run *run, const struct op_command *command, uint64_t position,
                          uint64_t time, uint64_t term)
{
    struct run_watch *watch = &run->watch;
    if (command->number == OP_client_register) {
        uint64_t before = known_before(run, &command->caller.instance, time);
        watch->clients = grown(watch->clients, &watch->client_capacity, watch->client_count,
                               sizeof(*watch->clients));
        watch->clients[watch->client_count++] = (struct run_client){
            .id = position,
            .time = time,
            .before = before,
            .term = term,
            .instance = command->caller.instance,
            .worker = bytes_equal(command->caller.name, bytes_of_text("service/worker")),
            .root = command->caller.role == OP_ROLE_OPERATOR,
            .heard = time};
    } else if (command->client != 0 && hear_client(run, command, time)) {
        watch->commands = grown(watch->commands, &watch->command_capacity, watch->command_count,
                                sizeof(*watch->commands));
        watch->commands[watch->command_count++] = (struct run_command){.client = command->client,
                                                                       .number = command->request,
                                                                       .position = position,
                                                                       .time = time};
    }
}

/* Positions, T and request numbers of one entry's commands. */
static void learn_commands(struct run *run, const struct rlog_log_entry *entry,
                           struct run_entry *learned)
{
    struct base_reader reader;
    struct op_entry_head head;
    base_reader_init(&reader, entry->payload);
    if (!op_entry_read(&reader, &head)) {
        run_fail(run, "a committed entry cannot be read");
        return;
    }
    learned->time = u64_max(learned->time, head.stamp);
    if (learned->time <= RUN_T0) { /* every birth, the last of them counts (T2) */
        run->born_us = sim_now_us(run->sim);
    }
    for (uint32_t i = 0; i < head.count; i++) {
        struct op_command command;
        if (!op_command_read(&reader, &command)) {
            run_fail(run, "a committed command cannot be read");
            return;
        }
        if (command.number == OP_COMMAND_LEVEL) {
            upgrade_raised(run, command.level);
        }
        learned->position++;
        learn_command(run, &command, learned->position, learned->time, entry->term);
    }
    run->counters.commands += head.count;
}

static void learn(struct run *run, const struct rlog_log_entry *entry)
{
    struct run_watch *watch = &run->watch;
    struct run_entry next = watch->entries[watch->entry_count - 1];
    next.type = entry->type;
    next.term = entry->term;
    next.size = entry->payload.size;
    next.payload = copy_of(entry->payload);
    next.has_digest = false;
    next.image = 0;
    if (entry->type == RLOG_COMMAND) {
        learn_commands(run, entry, &next);
    }
    watch->entries = grown(watch->entries, &watch->entry_capacity, watch->entry_count,
                           sizeof(next));
    watch->entries[watch->entry_count++] = next;
}

static void watch_entries(struct run *run, struct run_node *node, uint64_t applied)
{
    struct run_watch *watch = &run->watch;
    const struct rlog_log *log = node->node->rlog->log;
    uint64_t start = rlog_log_start(log);
    uint64_t index = u64_max(node->applied + 1, start);
    if (node->applied + 1 < start && node->applied != 0) {
        run->counters.installs++;
        image_installed(run, node, start - 1);
    }
    if (node->applied == 0 && start > 1 && node->joins) {
        run->counters.churn.images++;
    }
    node->joins = false;
    for (; index <= applied; index++) {
        struct rlog_log_entry entry = rlog_log_entry(log, index);
        if (index > watch->entry_count) {
            run_fail(run, "node %u applied entry %" PRIu64 " before anybody applied %zu",
                     node->config.node, index, watch->entry_count);
            return;
        }
        if (index == watch->entry_count) {
            learn(run, &entry);
        } else if (!is_same(&watch->entries[index], &entry)) {
            run_fail(run, "S13: node %u applied another entry at index %" PRIu64, node->config.node,
                     index);
            return;
        }
    }
}

/* Compares the digests at the ends of all entries that were applied since the last look. */
static void watch_digests(struct run *run, struct run_node *node, uint64_t applied)
{
    const struct node_digests *digests = &node->node->digests;
    uint64_t back = digests->count;
    for (uint64_t index = applied; index > node->applied && back > 0; index--) {
        struct run_entry *entry = &run->watch.entries[index];
        if (entry->position == run->watch.entries[index - 1].position) {
            continue; /* raftlog's own */
        }
        back--;
        const struct hash128 *digest = &digests->ring[back % DIGESTS_KEPT].digest;
        if (digests->ring[back % DIGESTS_KEPT].position != entry->position) {
            return; /* from here on back it is a snapshot's */
        }
        if (!entry->has_digest) {
            entry->digest = *digest;
            entry->has_digest = true;
        } else if (memcmp(&entry->digest, digest, sizeof(*digest)) != 0) {
            run_fail(run, "S8: node %u differs from another at position %" PRIu64,
                     node->config.node, entry->position);
            return;
        } else {
            run->counters.digests++;
        }
        if (digests->count - back >= DIGESTS_KEPT) {
            return;
        }
    }
}

static void watch_applied(struct run *run, struct run_node *node)
{
    uint64_t applied = rlog_engine_applied(node->node->rlog);
    const struct fsm *fsm = node->node->fsm;
    if (applied == node->applied) {
        return;
    }
    if (applied < node->applied) {
        run_fail(run, "S13: node %u went back from index %" PRIu64 " to %" PRIu64,
                 node->config.node, node->applied, applied);
        return;
    }
    upgrade_watch(run, node);
    watch_entries(run, node, applied);
    if (run->failure[0] != '\0' || applied >= run->watch.entry_count) {
        return;
    }
    const struct run_entry *entry = &run->watch.entries[applied];
    if (fsm_position(fsm) != entry->position || fsm_time(fsm) != entry->time) {
        run_fail(run,
                 "S5: node %u is at position %" PRIu64 " and T %" PRIu64 ", the log says %" PRIu64
                 " and %" PRIu64,
                 node->config.node, fsm_position(fsm), fsm_time(fsm), entry->position, entry->time);
        return;
    }
    watch_digests(run, node, applied);
    node->applied = applied;
}

static void watch_term(struct run *run, struct run_node *node)
{
    struct run_watch *watch = &run->watch;
    uint64_t term = rlog_engine_term(node->node->rlog);
    if (term < node->term) {
        run_fail(run, "S13: node %u went back from term %" PRIu64 " to %" PRIu64, node->config.node,
                 node->term, term);
    }
    node->term = term;
    if (rlog_engine_role(node->node->rlog) != RLOG_LEADER) {
        return;
    }
    while (term >= watch->term_count) {
        watch->leaders = grown(watch->leaders, &watch->term_count, watch->term_count,
                               sizeof(*watch->leaders));
    }
    struct run_leader *leader = &watch->leaders[term];
    uint8_t self = (uint8_t)node->config.node;
    if (leader->node == 0) {
        *leader = (struct run_leader){.node = self, .life = node->starts};
        run_say(run, "node %u leads in term %" PRIu64, self, term);
        faults_led(run, node);
    } else if (leader->node != self) {
        run_fail(run, "S13: nodes %u and %u both lead in term %" PRIu64, leader->node, self, term);
    } else if (leader->life != node->starts) {
        run_fail(run, "S13: node %u leads in term %" PRIu64 " again, after a restart", self, term);
    }
}

static void watch_commit(struct run *run, struct run_node *node)
{
    uint64_t commit = rlog_engine_commit(node->node->rlog);
    if (commit < node->commit) {
        run_fail(run, "S13: node %u went back from commit index %" PRIu64 " to %" PRIu64,
                 node->config.node, node->commit, commit);
    }
    node->commit = commit;
}

/* T6: reads wait until T has reached their c. Those that begin between two looks count once. */
static void watch_waits(struct run *run, struct run_node *node)
{
    uint64_t wanted = node->node->reads.tick_wanted;
    run->counters.waits += wanted != 0 && wanted != node->wanted;
    node->wanted = wanted;
}

static void watch_node(struct run *run, struct run_node *node)
{
    if (node_runs(node)) {
        watch_waits(run, node);
        watch_term(run, node);
        watch_commit(run, node);
        watch_applied(run, node);
        image_watch(run, node);
    }
}

void watch_step(struct run *run)
{
    struct run_watch *watch = &run->watch;
    if (watch->entry_count == 0) {
        watch->entries = grown(watch->entries, &watch->entry_capacity, 0, sizeof(*watch->entries));
        watch->entries[0].time = RUN_T0;
        watch->entry_count = 1;
    }
    run->counters.steps++;
    for (size_t i = 0; i < ACTORS_MAX + NODES_MAX; i++) {
        watch_silence(watch, run->actors[i].client);
    }
    watch_silence(watch, run->churn.client);
    for (size_t i = 0; i < run->node_count && run->failure[0] == '\0'; i++) {
        struct run_node *node = &run->nodes[i];
        if (node->node != NULL && node->calls != sim_process_calls(node->env)) {
            node->calls = sim_process_calls(node->env);
            watch_node(run, node);
        }
    }
}

void watch_all(struct run *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        run->nodes[i].calls = UINT64_MAX;
    }
    watch_step(run);
}

static void forget(struct run_watch *watch)
{
    for (size_t i = 0; i < watch->entry_count; i++) {
        free(watch->entries[i].payload);
    }
    free(watch->entries);
    free(watch->commands);
    free(watch->clients);
    free(watch->leaders);
}

void watch_done(struct run *run)
{
    forget(&run->watch);
    free(run->watch.silent);
    memset(&run->watch, 0, sizeof(run->watch));
}

void watch_reborn(struct run *run, const struct run_node *node)
{
    struct run_watch *watch = &run->watch;
    struct run_watch kept = {.silent = watch->silent,
                             .silent_count = watch->silent_count,
                             .silent_capacity = watch->silent_capacity};
    uint64_t applied = rlog_engine_applied(node->node->rlog);
    forget(watch);
    *watch = kept;
    watch->entries = grown(watch->entries, &watch->entry_capacity, 0, sizeof(*watch->entries));
    for (; watch->entry_count <= applied; watch->entry_count++) { /* its image stands for them */
        watch->entries[watch->entry_count].position = fsm_position(node->node->fsm);
        watch->entries[watch->entry_count].time = fsm_time(node->node->fsm);
    }
}

/* Turns libraft's messages into those of wire.def and back. Decides nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "raftlog/engine_raft.h"
#include "raftlog/guard.h"
#include "raftlog/peers.h"
#include "raftlog/streams.h"
#include "raftlog/wire.h"

enum raft_entry_type rlog_raft_type(enum rlog_entry_type type)
{
    switch (type) {
    case RLOG_COMMAND:
        return RAFT_COMMAND;
    case RLOG_BARRIER:
        return RAFT_BARRIER;
    case RLOG_CHANGE:
        return RAFT_CHANGE;
    }
    UNREACHABLE("an entry type outside its enum");
}

enum rlog_entry_type rlog_entry_type_of(enum raft_entry_type type)
{
    switch (type) {
    case RAFT_COMMAND:
        return RLOG_COMMAND;
    case RAFT_BARRIER:
        return RLOG_BARRIER;
    case RAFT_CHANGE:
        return RLOG_CHANGE;
    }
    UNREACHABLE("an entry type outside its enum");
}

/* ---- sending ---- */

static uint32_t count_that_fits(const struct rlog *rlog, uint64_t first, uint64_t last)
{
    const struct rlog_log *log = rlog->log;
    size_t size = 0;
    uint64_t index = first;
    while (index <= last && index - first < RLOG_WIRE_ENTRIES_MAX) {
        size += RLOG_WIRE_ENTRY_HEADER + rlog_log_entry(log, index).payload.size;
        if (index > first && size > rlog->config.append_bytes) {
            break;
        }
        index++;
    }
    return (uint32_t)(index - first);
}

static void write_append(struct base_writer *writer, const struct rlog_log *log,
                         const struct rlog_wire_append *append)
{
    rlog_wire_write_append(writer, append); /* its tail is empty: the entries follow one by one */
    for (uint32_t i = 0; i < append->count; i++) {
        struct rlog_log_entry entry = rlog_log_entry(log, append->previous_index + 1 + i);
        rlog_wire_write_entry(writer, &entry);
    }
}

/* One AppendEntries of the core becomes as many messages as its bytes need. When the queue is full
 * the rest is dropped: the follower then misses entries and says so. */
static void send_append(struct rlog_engine *engine, uint64_t to,
                        const struct raft_append_entries *message)
{
    const struct rlog_log *log = engine->rlog->log;
    struct rlog_wire_append append = {
        .version = message->version,
        .term = message->term,
        .previous_index = message->prev_log_index,
        .previous_term = message->prev_log_term,
        .commit = message->leader_commit,
        .entries = BYTES_NONE,
    };
    uint64_t last = message->prev_log_index + message->n_entries;
    do {
        append.count = count_that_fits(engine->rlog, append.previous_index + 1, last);
        struct base_writer *writer = rlog_peers_begin(engine->rlog, to, RLOG_WIRE_APPEND);
        if (writer == NULL) {
            return;
        }
        write_append(writer, log, &append);
        rlog_peers_end(engine->rlog);
        append.previous_index += append.count;
        append.previous_term = rlog_log_term(log, append.previous_index);
    } while (append.previous_index < last);
}

static void write_append_result(struct base_writer *writer,
                                const struct raft_append_entries_result *result)
{
    struct rlog_wire_append_result message = {
        .version = result->version,
        .term = result->term,
        .rejected = result->rejected,
        .last_index = result->last_log_index,
        .features = result->features,
        .capacity = result->capacity,
    };
    rlog_wire_write_append_result(writer, &message);
}

static void write_request_vote(struct base_writer *writer, const struct raft_request_vote *request)
{
    struct rlog_wire_request_vote message = {
        .version = request->version,
        .term = request->term,
        .candidate = request->candidate_id,
        .last_index = request->last_log_index,
        .last_term = request->last_log_term,
        .disrupt_leader = request->disrupt_leader,
        .pre_vote = request->pre_vote,
    };
    rlog_wire_write_request_vote(writer, &message);
}

static void write_request_vote_result(struct base_writer *writer,
                                      const struct raft_request_vote_result *result)
{
    struct rlog_wire_request_vote_result message = {
        .version = result->version,
        .term = result->term,
        .granted = result->vote_granted,
        .pre_vote = result->pre_vote,
        .features = result->features,
        .capacity = result->capacity,
    };
    rlog_wire_write_request_vote_result(writer, &message);
}

static void write_timeout_now(struct base_writer *writer, const struct raft_timeout_now *timeout)
{
    struct rlog_wire_timeout_now message = {
        .version = timeout->version,
        .term = timeout->term,
        .last_index = timeout->last_log_index,
        .last_term = timeout->last_log_term,
    };
    rlog_wire_write_timeout_now(writer, &message);
}

static uint8_t wire_kind(enum raft_message_type type)
{
    switch (type) {
    case RAFT_APPEND_ENTRIES:
        return RLOG_WIRE_APPEND;
    case RAFT_APPEND_ENTRIES_RESULT:
        return RLOG_WIRE_APPEND_RESULT;
    case RAFT_REQUEST_VOTE:
        return RLOG_WIRE_REQUEST_VOTE;
    case RAFT_REQUEST_VOTE_RESULT:
        return RLOG_WIRE_REQUEST_VOTE_RESULT;
    case RAFT_INSTALL_SNAPSHOT:
        return RLOG_WIRE_SNAPSHOT_BEGIN;
    case RAFT_TIMEOUT_NOW:
        return RLOG_WIRE_TIMEOUT_NOW;
    }
    UNREACHABLE("a message type outside its enum");
}

static void send_small(struct rlog_engine *engine, const struct raft_message *message)
{
    struct base_writer *writer = rlog_peers_begin(engine->rlog, message->server_id,
                                                  wire_kind(message->type));
    if (writer == NULL) {
        return;
    }
    switch (message->type) {
    case RAFT_APPEND_ENTRIES_RESULT:
        write_append_result(writer, &message->append_entries_result);
        break;
    case RAFT_REQUEST_VOTE:
        write_request_vote(writer, &message->request_vote);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        write_request_vote_result(writer, &message->request_vote_result);
        break;
    case RAFT_TIMEOUT_NOW:
        write_timeout_now(writer, &message->timeout_now);
        break;
    case RAFT_APPEND_ENTRIES:
    case RAFT_INSTALL_SNAPSHOT:
        UNREACHABLE("sent by their own functions");
    }
    rlog_peers_end(engine->rlog);
}

void rlog_translate_send(struct rlog_engine *engine, const struct raft_message *messages,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct raft_message message = messages[i];
        rlog_guard_send(&engine->raft, &message);
        if (message.type == RAFT_APPEND_ENTRIES) {
            send_append(engine, message.server_id, &message.append_entries);
        } else if (message.type == RAFT_INSTALL_SNAPSHOT) {
            rlog_streams_send(engine->rlog, message.server_id, message.install_snapshot.term,
                              message.install_snapshot.last_index,
                              message.install_snapshot.last_term);
        } else {
            send_small(engine, &message);
        }
    }
}

/* ---- receiving ---- */

static bool read_entries(struct rlog_received *received, const struct rlog_wire_append *append)
{
    /* Each entry takes its header at least: the count is bounded before memory is taken. */
    if (append->count > RLOG_WIRE_ENTRIES_MAX ||
        append->count > append->entries.size / RLOG_WIRE_ENTRY_HEADER) {
        return false;
    }
    struct base_reader reader;
    base_reader_init(&reader, append->entries);
    if (append->count > 0) {
        received->entries = calloc(append->count, sizeof *received->entries);
        ASSERT(received->entries != NULL);
    }
    for (uint32_t i = 0; i < append->count; i++) {
        struct rlog_log_entry entry;
        if (!rlog_wire_read_entry(&reader, &entry)) {
            return false;
        }
        received->entries[i] = (struct raft_entry){
            .term = entry.term,
            .type = rlog_raft_type(entry.type),
            .buf = {.base = (void *)(uintptr_t)entry.payload.data, .len = entry.payload.size},
        };
    }
    return base_reader_finished(&reader);
}

static bool read_append(struct bytes body, struct rlog_received *received)
{
    struct rlog_wire_append append;
    if (!rlog_wire_read_append(body, &append) || !read_entries(received, &append) ||
        append.previous_index > UINT64_MAX - RLOG_WIRE_ENTRIES_MAX) {
        return false;
    }
    received->message.type = RAFT_APPEND_ENTRIES;
    received->message.append_entries = (struct raft_append_entries){
        .version = append.version,
        .term = append.term,
        .prev_log_index = append.previous_index,
        .prev_log_term = append.previous_term,
        .leader_commit = append.commit,
        .entries = received->entries,
        .n_entries = append.count,
    };
    return true;
}

static bool read_append_result(struct bytes body, struct rlog_received *received)
{
    struct rlog_wire_append_result result;
    if (!rlog_wire_read_append_result(body, &result)) {
        return false;
    }
    received->message.type = RAFT_APPEND_ENTRIES_RESULT;
    received->message.append_entries_result = (struct raft_append_entries_result){
        .version = result.version,
        .term = result.term,
        .rejected = result.rejected,
        .last_log_index = result.last_index,
        .features = result.features,
        .capacity = result.capacity,
    };
    return true;
}

static bool read_request_vote(struct bytes body, struct rlog_received *received)
{
    struct rlog_wire_request_vote request;
    if (!rlog_wire_read_request_vote(body, &request)) {
        return false;
    }
    received->message.type = RAFT_REQUEST_VOTE;
    received->message.request_vote = (struct raft_request_vote){
        .version = request.version,
        .term = request.term,
        .candidate_id = request.candidate,
        .last_log_index = request.last_index,
        .last_log_term = request.last_term,
        .disrupt_leader = request.disrupt_leader,
        .pre_vote = request.pre_vote,
    };
    return true;
}

static bool read_request_vote_result(struct bytes body, struct rlog_received *received)
{
    struct rlog_wire_request_vote_result result;
    if (!rlog_wire_read_request_vote_result(body, &result)) {
        return false;
    }
    received->message.type = RAFT_REQUEST_VOTE_RESULT;
    received->message.request_vote_result = (struct raft_request_vote_result){
        .version = result.version,
        .term = result.term,
        .vote_granted = result.granted,
        .pre_vote = result.pre_vote,
        .features = result.features,
        .capacity = result.capacity,
    };
    return true;
}

static bool read_timeout_now(struct bytes body, struct rlog_received *received)
{
    struct rlog_wire_timeout_now timeout;
    if (!rlog_wire_read_timeout_now(body, &timeout)) {
        return false;
    }
    received->message.type = RAFT_TIMEOUT_NOW;
    received->message.timeout_now = (struct raft_timeout_now){
        .version = timeout.version,
        .term = timeout.term,
        .last_log_index = timeout.last_index,
        .last_log_term = timeout.last_term,
    };
    return true;
}

static bool read_message(uint8_t kind, struct bytes body, struct rlog_received *received)
{
    if (kind == RLOG_WIRE_APPEND) {
        return read_append(body, received);
    }
    if (kind == RLOG_WIRE_APPEND_RESULT) {
        return read_append_result(body, received);
    }
    if (kind == RLOG_WIRE_REQUEST_VOTE) {
        return read_request_vote(body, received);
    }
    if (kind == RLOG_WIRE_REQUEST_VOTE_RESULT) {
        return read_request_vote_result(body, received);
    }
    return kind == RLOG_WIRE_TIMEOUT_NOW && read_timeout_now(body, received);
}

bool rlog_translate_receive(const struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body,
                            struct rlog_received *ret_received)
{
    memset(ret_received, 0, sizeof *ret_received);
    if (!read_message(kind, body, ret_received)) {
        rlog_received_done(ret_received);
        return false;
    }
    ret_received->message.server_id = from;
    ret_received->message.server_address = rlog_peers_place(rlog, from);
    return true;
}

void rlog_received_done(struct rlog_received *received)
{
    free(received->entries);
    received->entries = NULL;
}

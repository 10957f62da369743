/* The streams of streams.h. Reads and writes files in queued work; what a snapshot means is the
 * engine's.
 *
 *   outgoing: idle -> reading (a chunk from disk) <-> waiting (for the window) -> idle
 *   incoming: idle -> open -> (writing a chunk <-> waiting for the next) -> checked -> installed ->
 * idle
 *
 * A work item owns the buffers of its stream until it is done; a stream that ends meanwhile is
 * `doomed` and cleared then.
 */
#include "raftlog/streams.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/work.h"
#include "raftlog/engine.h"
#include "raftlog/peers.h"
#include "raftlog/repair.h"
#include "raftlog/rlog.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/snapshots.h"
#include "raftlog/wire.h"

enum {
    STREAM_VERSION = 1,
    CHUNK = 128 * 1024,
    WINDOW = 2 * CHUNK,
    /* Longer than the check of a large file takes; the core asks again after as long. */
    STALLED_US = 20 * 1000 * 1000,
};

struct outgoing {
    struct env_work work;
    struct rlog *rlog;
    uint64_t to; /* 0: the slot is free */
    uint64_t stream;
    uint64_t index;
    uint64_t sent;
    uint64_t written;  /* by the other side */
    uint64_t moved_us; /* when the other side last said so */
    bool busy;
    bool doomed;
    bool last; /* the last chunk was read */
    int rc;
    size_t size;
    uint8_t chunk[CHUNK];
};

struct incoming {
    struct env_work work;
    struct rlog *rlog;
    uint64_t from; /* 0: none */
    struct rlog_wire_snapshot_begin begin;
    uint64_t received;
    uint64_t written;
    struct rlog_snapshot_receiver *receiver;
    bool busy;
    bool doomed;
    bool last;   /* the last chunk has arrived */
    bool finish; /* and is in the work item's hands */
    int rc;
    size_t waiting_size; /* arrived, not yet with the work item */
    size_t writing_size;
    uint8_t waiting[WINDOW];
    uint8_t writing[WINDOW];
    struct rlog_snapshot_info info;
    char error[512];
};

struct rlog_streams {
    uint64_t last_stream;
    struct outgoing outgoing[RLOG_MEMBERS_MAX];
    struct incoming incoming;
};

/* ---- outgoing ---- */

static void read_next(struct outgoing *out);

static void out_end(struct outgoing *out)
{
    if (out->busy) {
        out->doomed = true;
        return;
    }
    out->to = 0;
    out->doomed = false;
}

static void send_chunk(struct outgoing *out)
{
    struct rlog_wire_snapshot_chunk chunk = {
        .stream = out->stream,
        .offset = out->sent,
        .last = out->last,
        .data = bytes_of(out->chunk, out->size),
    };
    struct base_writer *writer = rlog_peers_begin(out->rlog, out->to, RLOG_WIRE_SNAPSHOT_CHUNK);
    if (writer == NULL) {
        out_end(out); /* it begins anew when the core asks again */
        return;
    }
    rlog_wire_write_snapshot_chunk(writer, &chunk);
    rlog_peers_end(out->rlog);
    out->sent += out->size;
}

static void read_run(struct env_work *work)
{
    struct outgoing *out = work->arg;
    out->rc = rlog_snapshot_file_read(out->rlog->env, out->rlog->snapshot_folder, out->index,
                                      out->sent, out->chunk, CHUNK, &out->size);
}

static void read_done(struct env_work *work)
{
    struct outgoing *out = work->arg;
    out->busy = false;
    if (out->doomed || out->rc != 0 || !rlog_alive(out->rlog)) {
        out_end(out);
    } else {
        out->last = out->size < CHUNK;
        send_chunk(out);
        read_next(out);
    }
    rlog_settle(out->rlog);
}

static void read_next(struct outgoing *out)
{
    if (out->to == 0 || out->busy || out->last || out->sent - out->written >= WINDOW) {
        return;
    }
    out->busy = true;
    out->work = (struct env_work){.run = read_run, .done = read_done, .arg = out};
    env_work_submit(out->rlog->env, &out->work);
}

/* The stream to `to`, or a free place for one; NULL when there is neither. */
static struct outgoing *out_find(struct rlog *rlog, uint64_t to)
{
    struct outgoing *unused = NULL;
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        struct outgoing *out = &rlog->streams->outgoing[i];
        if (out->to == to) {
            return out;
        }
        unused = out->to == 0 ? out : unused;
    }
    return unused;
}

void rlog_streams_send(struct rlog *rlog, uint64_t to, uint64_t term, uint64_t index,
                       uint64_t last_term)
{
    struct outgoing *out = out_find(rlog, to);
    if (out != NULL && out->to != 0 && env_mono_us(rlog->env) - out->moved_us >= STALLED_US) {
        env_log(rlog->env, ENV_LOG_WARN, "snapshot", "node %llu takes no more of the one at %llu",
                (unsigned long long)to, (unsigned long long)out->index);
        out_end(out); /* an answer was lost: it dropped what its queue could not hold */
    }
    if (out == NULL || out->to != 0 || index != rlog_snapshot_task_index(rlog)) {
        return;
    }
    struct rlog_wire_snapshot_begin begin = {
        .version = STREAM_VERSION,
        .stream = ++rlog->streams->last_stream,
        .term = term,
        .index = index,
        .last_term = last_term,
    };
    struct base_writer *writer = rlog_peers_begin(rlog, to, RLOG_WIRE_SNAPSHOT_BEGIN);
    if (writer == NULL) {
        return;
    }
    rlog_wire_write_snapshot_begin(writer, &begin);
    rlog_peers_end(rlog);
    env_log(rlog->env, ENV_LOG_INFO, "snapshot", "sending the one at %llu to node %llu",
            (unsigned long long)index, (unsigned long long)to);
    out->rlog = rlog;
    out->to = to;
    out->stream = begin.stream;
    out->index = index;
    out->sent = 0;
    out->written = 0;
    out->moved_us = env_mono_us(rlog->env);
    out->last = false;
    read_next(out);
}

static bool on_result(struct rlog *rlog, uint64_t from, struct bytes body)
{
    struct rlog_wire_snapshot_result result;
    struct outgoing *out = out_find(rlog, from);
    if (!rlog_wire_read_snapshot_result(body, &result)) {
        return false;
    }
    if (out == NULL || out->to != from || out->doomed || out->stream != result.stream) {
        return true;
    }
    if (result.offset > out->sent || result.offset < out->written) {
        return false;
    }
    out->written = result.offset;
    out->moved_us = env_mono_us(rlog->env);
    if (result.finished) {
        out_end(out);
    } else {
        read_next(out);
    }
    return true;
}

/* ---- incoming ---- */

static void tell(struct rlog *rlog, uint64_t to, uint64_t stream, uint64_t offset, bool finished)
{
    struct rlog_wire_snapshot_result result = {stream, offset, finished};
    struct base_writer *writer = rlog_peers_begin(rlog, to, RLOG_WIRE_SNAPSHOT_RESULT);
    if (writer != NULL) {
        rlog_wire_write_snapshot_result(writer, &result);
        rlog_peers_end(rlog);
    }
}

static void in_end(struct incoming *in)
{
    if (in->busy) {
        in->doomed = true;
        return;
    }
    rlog_snapshot_receiver_destroy(in->receiver);
    in->receiver = NULL;
    in->from = 0;
    in->doomed = false;
}

static void write_run(struct env_work *work)
{
    struct incoming *in = work->arg;
    struct env *env = in->rlog->env;
    in->rc = 0;
    if (in->receiver == NULL) {
        in->rc = rlog_snapshot_receiver_create(env, in->rlog->snapshot_folder, in->begin.index,
                                               &in->receiver);
    }
    if (in->rc == 0) {
        in->rc = rlog_snapshot_receiver_append(in->receiver,
                                               bytes_of(in->writing, in->writing_size));
    }
    if (in->rc == 0 && in->finish) {
        in->rc = rlog_snapshot_receiver_finish(in->receiver, &in->info, in->error,
                                               sizeof in->error);
    }
}

static void install(struct incoming *in)
{
    struct rlog *rlog = in->rlog;
    bool fits = in->info.meta.index == in->begin.index && in->info.meta.term == in->begin.last_term;
    if (!fits || !rlog_engine_install(rlog, in->from, in->begin.term, &in->info)) {
        env_log(rlog->env, ENV_LOG_ERROR, "snapshot",
                "the one at %llu from node %llu is not what was announced",
                (unsigned long long)in->begin.index, (unsigned long long)in->from);
    }
    rlog_snapshot_task_tidy(rlog);
}

static void write_next(struct incoming *in);

static void write_done(struct env_work *work)
{
    struct incoming *in = work->arg;
    struct rlog *rlog = in->rlog;
    in->busy = false;
    in->written += in->writing_size;
    if (in->doomed || !rlog_alive(rlog)) {
        in_end(in);
        rlog_snapshot_task_tidy(rlog); /* it may have been renamed into place already */
    } else if (in->rc != 0) {
        env_log(rlog->env, ENV_LOG_ERROR, "snapshot", "the one from node %llu is not stored: %s",
                (unsigned long long)in->from,
                in->error[0] != '\0' ? in->error : env_error_text(in->rc));
        tell(rlog, in->from, in->begin.stream, in->written, true);
        in_end(in);
    } else if (in->finish) {
        install(in);
        tell(rlog, in->from, in->begin.stream, in->written, true);
        in_end(in);
    } else {
        tell(rlog, in->from, in->begin.stream, in->written, false);
        write_next(in);
    }
    rlog_settle(rlog);
}

static void write_next(struct incoming *in)
{
    if (in->busy || in->from == 0 || (in->waiting_size == 0 && !in->last)) {
        return;
    }
    memcpy(in->writing, in->waiting, in->waiting_size);
    in->writing_size = in->waiting_size;
    in->waiting_size = 0;
    in->finish = in->last;
    in->error[0] = '\0';
    in->busy = true;
    in->work = (struct env_work){.run = write_run, .done = write_done, .arg = in};
    env_work_submit(in->rlog->env, &in->work);
}

static bool on_begin(struct rlog *rlog, uint64_t from, struct bytes body)
{
    struct incoming *in = &rlog->streams->incoming;
    struct rlog_wire_snapshot_begin begin;
    if (!rlog_wire_read_snapshot_begin(body, &begin) || begin.version != STREAM_VERSION) {
        return false;
    }
    if (in->from != 0) {
        in_end(in); /* an older stream */
    }
    if (in->from != 0 || !rlog_snapshot_task_idle(rlog) || rlog_repair_waits(rlog) ||
        begin.term < rlog_engine_term(rlog) || begin.index <= rlog_snapshot_task_index(rlog)) {
        tell(rlog, from, begin.stream, 0, true);
        return true;
    }
    env_log(rlog->env, ENV_LOG_INFO, "snapshot", "receiving the one at %llu from node %llu",
            (unsigned long long)begin.index, (unsigned long long)from);
    in->rlog = rlog;
    in->from = from;
    in->begin = begin;
    in->received = 0;
    in->written = 0;
    in->waiting_size = 0;
    in->last = false;
    return true;
}

static bool on_chunk(struct rlog *rlog, uint64_t from, struct bytes body)
{
    struct incoming *in = &rlog->streams->incoming;
    struct rlog_wire_snapshot_chunk chunk;
    if (!rlog_wire_read_snapshot_chunk(body, &chunk)) {
        return false;
    }
    if (in->from != from || in->doomed || in->begin.stream != chunk.stream) {
        return true; /* of a stream that has ended */
    }
    if (chunk.offset != in->received || in->last ||
        chunk.data.size > sizeof in->waiting - in->waiting_size) {
        in_end(in);
        return false;
    }
    if (chunk.data.size > 0) {
        memcpy(in->waiting + in->waiting_size, chunk.data.data, chunk.data.size);
    }
    in->waiting_size += chunk.data.size;
    in->received += chunk.data.size;
    in->last = chunk.last;
    write_next(in);
    return true;
}

bool rlog_streams_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body)
{
    if (kind == RLOG_WIRE_SNAPSHOT_BEGIN) {
        return on_begin(rlog, from, body);
    }
    if (kind == RLOG_WIRE_SNAPSHOT_CHUNK) {
        return on_chunk(rlog, from, body);
    }
    return on_result(rlog, from, body);
}

/* ---- both ---- */

void rlog_streams_create(struct rlog *rlog)
{
    rlog->streams = calloc(1, sizeof *rlog->streams);
    ASSERT(rlog->streams != NULL);
}

void rlog_streams_destroy(struct rlog *rlog)
{
    if (rlog->streams != NULL) {
        rlog_snapshot_receiver_destroy(rlog->streams->incoming.receiver);
        free(rlog->streams);
        rlog->streams = NULL;
    }
}

void rlog_streams_lost(struct rlog *rlog, uint64_t peer)
{
    struct outgoing *out = out_find(rlog, peer);
    if (rlog->streams->incoming.from == peer) {
        in_end(&rlog->streams->incoming);
    }
    if (out != NULL && out->to == peer) {
        out_end(out);
    }
}

bool rlog_streams_using_files(const struct rlog *rlog)
{
    if (rlog->streams->incoming.from != 0) {
        return true;
    }
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        if (rlog->streams->outgoing[i].to != 0) {
            return true;
        }
    }
    return false;
}

bool rlog_streams_idle(const struct rlog *rlog)
{
    bool busy = rlog->streams->incoming.busy;
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        busy = busy || rlog->streams->outgoing[i].busy;
    }
    return !busy;
}

/* Sends the newest snapshot's file to those who need it. Reads in queued work; what a snapshot
 * means is the engine's.
 *
 *   none -> looking (what the file is) -> offered -> moving (reading <-> full window) -> none
 *   offered, moving -> interrupted (the connection is gone) -> looking (it is back), or none
 *
 * A work item owns the buffer of its stream until it is done; a stream that ends meanwhile is
 * `doomed` and cleared then.
 */
#include "base/assert.h"
#include "raftlog/engine.h"
#include "raftlog/peers.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/stream.h"

enum { UNREADABLE_PAUSE_US = 1000 * 1000 }; /* the core asks again with each heartbeat */

static void out_end(struct rlog_outgoing *out)
{
    out->doomed = out->busy;
    out->state = OUTGOING_NONE;
}

/* The stream to `to`, or a place for one: a free one, or that of a stream whose peer is gone. NULL
 * when there is neither. */
static struct rlog_outgoing *out_find(struct rlog *rlog, uint64_t to)
{
    struct rlog_outgoing *unused = NULL;
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        struct rlog_outgoing *out = &rlog->streams->outgoing[i];
        if (out->to == to && (out->state != OUTGOING_NONE || out->busy)) {
            return out;
        }
        bool better = unused == NULL || unused->state == OUTGOING_INTERRUPTED;
        if (!out->busy &&
            (out->state == OUTGOING_NONE || (out->state == OUTGOING_INTERRUPTED && better))) {
            unused = out;
        }
    }
    return unused;
}

/* ---- chunks ---- */

static void send_chunk(struct rlog_outgoing *out)
{
    struct bytes data = bytes_of(out->chunk, out->size);
    struct rlog_wire_snapshot_chunk chunk = {
        .stream = out->begin.stream,
        .offset = out->sent,
        .checksum = out->checksum,
        .data = data,
    };
    struct base_writer *writer = rlog_peers_begin(out->rlog, out->to, RLOG_WIRE_SNAPSHOT_CHUNK);
    if (writer == NULL) {
        out_end(out); /* it goes on when the core asks again */
        return;
    }
    rlog_wire_write_snapshot_chunk(writer, &chunk);
    rlog_peers_end(out->rlog);
    out->sent += out->size;
}

static void read_run(struct env_work *work)
{
    struct rlog_outgoing *out = work->arg;
    out->rc = rlog_snapshot_file_read(out->rlog->env, out->rlog->snapshot_folder, out->begin.index,
                                      out->offset, out->chunk, out->rlog->config.image_chunk,
                                      &out->size);
    if (out->rc == 0) {
        out->checksum = rlog_stream_checksum(out->begin.stream, out->offset,
                                             bytes_of(out->chunk, out->size));
    }
}

static void read_next(struct rlog_outgoing *out);

/* Our own file of it. Nothing is logged about one image twice. */
static void on_unreadable(const struct rlog_outgoing *out)
{
    struct rlog *rlog = out->rlog;
    struct rlog_streams *streams = rlog->streams;
    uint64_t index = out->begin.index;
    if (index != rlog_snapshot_task_index(rlog)) {
        return; /* there is a newer one */
    }
    if (streams->unreadable != index) {
        env_log(rlog->env, ENV_LOG_ERROR, "snapshot",
                "our own one at %llu, which node %llu needs, cannot be read: %s: another one is "
                "taken",
                (unsigned long long)index, (unsigned long long)out->to, env_error_text(out->rc));
    }
    streams->unreadable = index;
    streams->look_not_before_us = env_mono_us(rlog->env) + UNREADABLE_PAUSE_US;
    rlog_snapshot_task_want(rlog);
}

static bool may_look(const struct rlog *rlog, uint64_t index)
{
    return index == rlog_snapshot_task_index(rlog) &&
           (index != rlog->streams->unreadable ||
            env_mono_us(rlog->env) >= rlog->streams->look_not_before_us);
}

/* Whether the stream is still there after the work. */
static bool out_goes_on(struct rlog_outgoing *out)
{
    out->busy = false;
    if (out->doomed) {
        out->doomed = false;
        return false;
    }
    bool alive = rlog_alive(out->rlog);
    if (out->rc != 0 && alive) {
        on_unreadable(out);
    }
    if (out->rc != 0 || !alive) {
        out_end(out);
        return false;
    }
    return true;
}

static void work_ended(struct rlog_outgoing *out)
{
    struct rlog *rlog = out->rlog;
    if (out->state == OUTGOING_INTERRUPTED && rlog_alive(rlog) &&
        rlog_peers_connected(rlog, out->to)) {
        rlog_streams_greet(rlog, out->to); /* it came back meanwhile */
    }
    rlog_settle(rlog);
}

static void read_done(struct env_work *work)
{
    struct rlog_outgoing *out = work->arg;
    if (out_goes_on(out) && out->state == OUTGOING_MOVING) {
        if (!out->rewound && out->size == 0) {
            out->rc = ENV_INVALID; /* the file has become shorter */
            on_unreadable(out);
            out_end(out);
        } else if (!out->rewound) {
            uint64_t since_us = env_mono_us(out->rlog->env);
            send_chunk(out);
            rlog_held(out->rlog, since_us);
        }
        out->rewound = false;
        read_next(out);
    }
    work_ended(out);
}

static void read_next(struct rlog_outgoing *out)
{
    if (out->state != OUTGOING_MOVING || out->busy || out->sent >= out->begin.size ||
        out->sent - out->written >= 2 * out->rlog->config.image_chunk) {
        return;
    }
    out->busy = true;
    out->offset = out->sent;
    out->work = (struct env_work){.run = read_run, .done = read_done, .arg = out};
    env_work_submit(out->rlog->env, &out->work);
}

/* ---- the offer ---- */

static void offer(struct rlog_outgoing *out)
{
    struct rlog *rlog = out->rlog;
    struct base_writer *writer = rlog_peers_begin(rlog, out->to, RLOG_WIRE_SNAPSHOT_BEGIN);
    if (writer == NULL) {
        out_end(out);
        return;
    }
    out->begin.stream = ++rlog->streams->last_stream;
    rlog_wire_write_snapshot_begin(writer, &out->begin);
    rlog_peers_end(rlog);
    out->state = OUTGOING_OFFERED;
    out->moved_us = env_mono_us(rlog->env);
    env_log(rlog->env, ENV_LOG_INFO, "snapshot", "offering the one at %llu to node %llu",
            (unsigned long long)out->begin.index, (unsigned long long)out->to);
}

static void look_run(struct env_work *work)
{
    struct rlog_outgoing *out = work->arg;
    out->rc = rlog_snapshot_file_tell(out->rlog->env, out->rlog->snapshot_folder, out->begin.index,
                                      &out->begin.size, &out->begin.identity);
}

static void look_done(struct env_work *work)
{
    struct rlog_outgoing *out = work->arg;
    if (out_goes_on(out) && out->state == OUTGOING_LOOKING) {
        offer(out);
    }
    work_ended(out);
}

static void look(struct rlog_outgoing *out)
{
    out->state = OUTGOING_LOOKING;
    out->moved_us = env_mono_us(out->rlog->env);
    out->repeats = 0;
    out->rewound = false;
    out->busy = true;
    out->work = (struct env_work){.run = look_run, .done = look_done, .arg = out};
    env_work_submit(out->rlog->env, &out->work);
}

/* An answer was lost: the other side dropped what its queue could not hold. */
static void end_if_stalled(struct rlog_outgoing *out)
{
    if (out->state != OUTGOING_NONE && out->state != OUTGOING_INTERRUPTED &&
        env_mono_us(out->rlog->env) - out->moved_us >= RLOG_STREAM_STALLED_US) {
        env_log(out->rlog->env, ENV_LOG_WARN, "snapshot",
                "node %llu takes no more of the one at %llu", (unsigned long long)out->to,
                (unsigned long long)out->begin.index);
        out_end(out);
    }
}

void rlog_outgoing_release(struct rlog *rlog)
{
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        end_if_stalled(&rlog->streams->outgoing[i]);
    }
}

void rlog_streams_follow_role(struct rlog *rlog)
{
    bool leads = rlog_engine_role(rlog) == RLOG_LEADER;
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        struct rlog_outgoing *out = &rlog->streams->outgoing[i];
        if (out->state != OUTGOING_NONE && !(leads && out->begin.term == rlog_engine_term(rlog))) {
            out_end(out);
        }
    }
}

void rlog_streams_send(struct rlog *rlog, uint64_t to, uint64_t term, uint64_t index,
                       uint64_t last_term)
{
    struct rlog_outgoing *out = out_find(rlog, to);
    if (out != NULL) {
        end_if_stalled(out);
    }
    if (out == NULL || out->busy || !may_look(rlog, index) ||
        (out->state != OUTGOING_NONE && out->state != OUTGOING_INTERRUPTED)) {
        return;
    }
    out->rlog = rlog;
    out->to = to;
    out->begin = (struct rlog_wire_snapshot_begin){
        .version = RLOG_STREAM_VERSION, .term = term, .index = index, .last_term = last_term};
    look(out);
}

void rlog_outgoing_lost(struct rlog *rlog, uint64_t peer)
{
    struct rlog_outgoing *out = out_find(rlog, peer);
    if (out != NULL && out->to == peer && out->state != OUTGOING_NONE) {
        out->doomed = out->busy;
        out->state = OUTGOING_INTERRUPTED;
    }
}

void rlog_streams_greet(struct rlog *rlog, uint64_t peer)
{
    struct rlog_outgoing *out = out_find(rlog, peer);
    if (out == NULL || out->to != peer || out->state != OUTGOING_INTERRUPTED || out->busy) {
        return;
    }
    bool wanted = rlog_engine_role(rlog) == RLOG_LEADER &&
                  out->begin.term == rlog_engine_term(rlog) && may_look(rlog, out->begin.index);
    if (wanted) {
        look(out);
    } else {
        out_end(out);
    }
}

/* ---- answers ---- */

static void on_damaged(struct rlog_outgoing *out)
{
    env_log(out->rlog->env, ENV_LOG_ERROR, "snapshot",
            "node %llu found the one at %llu damaged: another one is taken",
            (unsigned long long)out->to, (unsigned long long)out->begin.index);
    if (out->begin.index == rlog_snapshot_task_index(out->rlog)) {
        rlog_snapshot_task_want(out->rlog);
    }
    out_end(out);
}

/* False: it cannot be true. */
static bool on_progress(struct rlog_outgoing *out, uint64_t offset, bool again)
{
    if (out->state == OUTGOING_OFFERED) {
        if (offset > out->begin.size) {
            return false;
        }
        if (offset > 0) {
            env_log(out->rlog->env, ENV_LOG_INFO, "snapshot",
                    "node %llu has %llu of %llu bytes of the one at %llu",
                    (unsigned long long)out->to, (unsigned long long)offset,
                    (unsigned long long)out->begin.size, (unsigned long long)out->begin.index);
        }
        out->state = OUTGOING_MOVING;
        out->sent = offset;
        out->written = offset;
    } else if (offset < out->written || offset > out->sent) {
        return false;
    } else if (!again) {
        out->written = offset;
    } else if (++out->repeats > RLOG_STREAM_REPEATS_MAX) {
        out_end(out);
    } else {
        env_log(out->rlog->env, ENV_LOG_WARN, "snapshot",
                "node %llu got a damaged chunk of the one at %llu, at %llu: it is sent again",
                (unsigned long long)out->to, (unsigned long long)out->begin.index,
                (unsigned long long)offset);
        out->sent = offset;
        out->rewound = out->busy;
    }
    return true;
}

bool rlog_outgoing_result(struct rlog *rlog, uint64_t from, struct bytes body)
{
    struct rlog_wire_snapshot_result result;
    struct rlog_outgoing *out = out_find(rlog, from);
    if (!rlog_wire_read_snapshot_result(body, &result) || result.verdict > RLOG_STREAM_DAMAGED) {
        return false;
    }
    if (out == NULL || out->to != from || out->begin.stream != result.stream ||
        (out->state != OUTGOING_OFFERED && out->state != OUTGOING_MOVING)) {
        return true; /* of a stream that has ended */
    }
    out->moved_us = env_mono_us(rlog->env);
    switch ((enum rlog_stream_verdict)result.verdict) {
    case RLOG_STREAM_GO_ON:
    case RLOG_STREAM_AGAIN:
        if (!on_progress(out, result.offset, result.verdict == RLOG_STREAM_AGAIN)) {
            return false;
        }
        break;
    case RLOG_STREAM_ENDED:
        out_end(out);
        break;
    case RLOG_STREAM_DAMAGED:
        on_damaged(out);
        break;
    }
    read_next(out);
    return true;
}

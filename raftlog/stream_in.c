/* Takes in the file of a snapshot that a leader offers. Writes, checks and restores from it in
 * queued work; what a snapshot means is the engine's.
 *
 *   none -> opening (what arrived before) -> open -> (writing a chunk <-> waiting for the next)
 *        -> checked, and fed to the machine's second state -> installed -> forgetting the first
 *        -> none
 *
 * A work item owns the receiver, `writing` and the machine's second state until it is done; a
 * stream that ends meanwhile is `doomed` and cleared then. What was written stays on disk.
 *
 * Invariants:
 *   I1  a chunk is taken only with the right checksum, and only at `received`
 *   I2  nothing is renamed, restored or told to the core but a whole file of the offered identity
 *   I3  the machine's second state is dropped before the stream is none
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "raftlog/engine.h"
#include "raftlog/peers.h"
#include "raftlog/repair.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/stream.h"

enum {
    PAUSE_FIRST_US = 50 * 1000, /* after a failure; the next one's is twice as long */
    PAUSE_MAX_US = 1000 * 1000,
    TELL_AGAIN_US = 10 * 1000 * 1000, /* the same failure, in the log */
};

static void tell(struct rlog_incoming *in, uint64_t to, uint64_t stream, uint64_t offset,
                 enum rlog_stream_verdict verdict)
{
    struct rlog_wire_snapshot_result result = {stream, offset, (uint8_t)verdict};
    struct base_writer *writer = rlog_peers_begin(in->rlog, to, RLOG_WIRE_SNAPSHOT_RESULT);
    if (writer != NULL) {
        rlog_wire_write_snapshot_result(writer, &result);
        rlog_peers_end(in->rlog);
    }
}

static void submit(struct rlog_incoming *in, void (*run)(struct env_work *work),
                   void (*done)(struct env_work *work))
{
    in->busy = true;
    in->work = (struct env_work){.run = run, .done = done, .arg = in};
    env_work_submit(in->rlog->env, &in->work);
}

/* ---- the end ---- */

static void forget_run(struct env_work *work)
{
    const struct rlog_incoming *in = work->arg;
    in->rlog->machine.restore_drop(in->rlog->machine.arg);
}

static void in_end(struct rlog_incoming *in);

static void forget_done(struct env_work *work)
{
    struct rlog_incoming *in = work->arg;
    struct rlog *rlog = in->rlog;
    in->busy = false;
    in->fed = false;
    in_end(in);
    rlog_settle(rlog);
}

static void in_end(struct rlog_incoming *in)
{
    if (in->busy) {
        in->doomed = true;
        return;
    }
    if (in->fed && rlog_alive(in->rlog)) {
        in->finish = false; /* an offer that comes now waits, and is looked at afterwards */
        submit(in, forget_run, forget_done); /* I3 */
        return;
    }
    rlog_snapshot_receiver_destroy(in->receiver);
    in->receiver = NULL;
    in->from = 0;
    in->doomed = false;
    rlog_streams_go_on(in->rlog);
}

/* ---- the file is whole ---- */

static int feed(void *arg, struct bytes piece)
{
    struct rlog_incoming *in = arg;
    return in->rlog->machine.restore_feed(in->rlog->machine.arg, piece);
}

static int finish(struct rlog_incoming *in)
{
    const struct rlog_machine *machine = &in->rlog->machine;
    in->fed = true;
    int rc = machine->restore_begin(machine->arg);
    if (rc != 0) {
        snprintf(in->error, sizeof in->error, "no room to restore it: %s", env_error_text(rc));
        return ENV_LIMIT;
    }
    rc = rlog_snapshot_receiver_finish(in->receiver, feed, in, &in->info, in->error,
                                       sizeof in->error);
    if (rc == 0 && machine->restore_end(machine->arg) != 0) {
        snprintf(in->error, sizeof in->error,
                 "the snapshot at %llu is whole, but not understood by this program: upgrade this "
                 "node, its data is untouched",
                 (unsigned long long)in->info.meta.index);
        rc = ENV_LIMIT; /* its bytes are whole */
    }
    return rc;
}

static void install(struct rlog_incoming *in)
{
    struct rlog *rlog = in->rlog;
    bool fits = in->info.meta.index == in->begin.index && in->info.meta.term == in->begin.last_term;
    if (!fits || !rlog_engine_install(rlog, in->from, in->begin.term, &in->info)) {
        env_log(rlog->env, ENV_LOG_ERROR, "snapshot",
                "the one at %llu from node %llu is not what was announced",
                (unsigned long long)in->begin.index, (unsigned long long)in->from);
    }
}

/* ---- writing ---- */

static void write_run(struct env_work *work)
{
    struct rlog_incoming *in = work->arg;
    in->rc = 0;
    if (in->writing_size > 0) {
        in->rc = rlog_snapshot_receiver_append(in->receiver,
                                               bytes_of(in->writing, in->writing_size));
    }
    if (in->rc == 0 && in->finish) {
        in->rc = finish(in);
    } else if (in->rc == ENV_NO_SPACE) {
        rlog_snapshot_receiver_drop(in->receiver); /* others need the space more */
    }
}

static void write_next(struct rlog_incoming *in);

/* The offers that come are not taken for some time; the core has one made with each heartbeat. */
static void begin_pause(struct rlog_incoming *in, const char *error)
{
    struct env *env = in->rlog->env;
    uint64_t now_us = env_mono_us(env);
    if (in->pause_us == 0 || in->rc != in->told_rc || now_us - in->told_us >= TELL_AGAIN_US) {
        env_log(env, ENV_LOG_ERROR, "snapshot", "the one from node %llu is not stored: %s",
                (unsigned long long)in->from, error);
        in->told_rc = in->rc;
        in->told_us = now_us;
    }
    in->pause_us = in->pause_us == 0 ? PAUSE_FIRST_US : u64_min(2 * in->pause_us, PAUSE_MAX_US);
    in->not_before_us = now_us + in->pause_us;
}

static void on_failed(struct rlog_incoming *in)
{
    struct rlog *rlog = in->rlog;
    const char *error = in->error[0] != '\0' ? in->error : env_error_text(in->rc);
    if (in->fed && rlog->machine.restore_refused != NULL) {
        rlog->machine.restore_refused(rlog->machine.arg);
    }
    if (in->rc == ENV_LIMIT) {
        rlog_fail(rlog, in->rc, "received from the leader: %s", error);
    } else {
        begin_pause(in, error);
        tell(in, in->from, in->begin.stream, in->written,
             in->rc == ENV_INVALID ? RLOG_STREAM_DAMAGED : RLOG_STREAM_ENDED);
    }
    in_end(in);
}

/* The leader finds out how far it brought us, and whether its log does the rest. */
static void on_installed(struct rlog_incoming *in)
{
    in->pause_us = 0;
    in->not_before_us = 0;
    if (in->next_from != 0) {
        tell(in, in->next_from, in->next.stream, 0, RLOG_STREAM_ENDED);
        in->next_from = 0;
    }
}

static void write_done(struct env_work *work)
{
    struct rlog_incoming *in = work->arg;
    struct rlog *rlog = in->rlog;
    in->busy = false;
    in->written += in->writing_size;
    in->moved_us = env_mono_us(rlog->env);
    if (in->finish) {
        rlog_snapshot_task_tidy(rlog); /* it may have been renamed into place already */
    }
    if (in->doomed || !rlog_alive(rlog)) {
        in_end(in);
    } else if (in->rc != 0) {
        on_failed(in);
    } else if (in->finish) {
        uint64_t since_us = env_mono_us(rlog->env);
        install(in);
        rlog_held(rlog, since_us);
        tell(in, in->from, in->begin.stream, in->written, RLOG_STREAM_ENDED);
        if (rlog_snapshot_task_index(rlog) >= in->begin.index) {
            on_installed(in);
        }
        in_end(in);
    } else {
        tell(in, in->from, in->begin.stream, in->written, RLOG_STREAM_GO_ON);
        write_next(in);
    }
    rlog_settle(rlog);
}

static void write_next(struct rlog_incoming *in)
{
    bool last = in->received == in->begin.size;
    if (in->busy || in->from == 0 || (in->waiting_size == 0 && !last)) {
        return;
    }
    memcpy(in->writing, in->waiting, in->waiting_size);
    in->writing_size = in->waiting_size;
    in->waiting_size = 0;
    in->finish = last;
    in->error[0] = '\0';
    submit(in, write_run, write_done);
}

/* ---- opening ---- */

static void open_run(struct env_work *work)
{
    struct rlog_incoming *in = work->arg;
    in->rc = rlog_snapshot_receiver_create(in->rlog->env, in->rlog->snapshot_folder,
                                           in->begin.index, in->begin.identity, &in->receiver,
                                           &in->offset);
}

static void open_done(struct env_work *work)
{
    struct rlog_incoming *in = work->arg;
    struct rlog *rlog = in->rlog;
    in->busy = false;
    in->error[0] = '\0';
    if (in->doomed || !rlog_alive(rlog)) {
        in_end(in);
    } else if (in->rc != 0) {
        on_failed(in);
    } else if (in->offset > in->begin.size) {
        rlog_snapshot_receiver_drop(in->receiver); /* no image of this size */
        tell(in, in->from, in->begin.stream, 0, RLOG_STREAM_ENDED);
        in_end(in);
    } else {
        env_log(rlog->env, ENV_LOG_INFO, "snapshot",
                "receiving the one at %llu from node %llu: %llu bytes from %llu on",
                (unsigned long long)in->begin.index, (unsigned long long)in->from,
                (unsigned long long)(in->begin.size - in->offset), (unsigned long long)in->offset);
        in->received = in->offset;
        in->written = in->offset;
        in->moved_us = env_mono_us(rlog->env);
        tell(in, in->from, in->begin.stream, in->offset, RLOG_STREAM_GO_ON);
        write_next(in); /* perhaps nothing is missing */
    }
    rlog_settle(rlog);
}

static void in_open(struct rlog_incoming *in, uint64_t from,
                    const struct rlog_wire_snapshot_begin *begin)
{
    in->from = from;
    in->begin = *begin;
    in->received = 0;
    in->written = 0;
    in->waiting_size = 0;
    in->again = false;
    in->finish = false;
    in->repeats = 0;
    submit(in, open_run, open_done);
}

void rlog_streams_go_on(struct rlog *rlog)
{
    struct rlog_incoming *in = &rlog->streams->incoming;
    uint64_t from = in->next_from;
    if (from == 0 || in->from != 0 || !rlog_snapshot_task_idle(rlog) || !rlog_alive(rlog)) {
        return;
    }
    uint64_t now_us = env_mono_us(rlog->env);
    if (rlog->phase != RLOG_RUNNING || rlog_repair_waits(rlog) ||
        in->next.term < rlog_engine_term(rlog) ||
        in->next.index <= rlog_snapshot_task_index(rlog)) {
        in->next_from = 0;
        tell(in, from, in->next.stream, 0, RLOG_STREAM_ENDED);
    } else if (now_us < in->not_before_us) {
        env_timer_start(in->timer, in->not_before_us - now_us);
    } else {
        in->next_from = 0;
        in_open(in, from, &in->next);
    }
}

static void on_pause_over(void *arg)
{
    const struct rlog_incoming *in = arg;
    rlog_streams_go_on(in->rlog);
}

void rlog_incoming_create(struct rlog *rlog)
{
    struct rlog_incoming *in = &rlog->streams->incoming;
    in->rlog = rlog;
    in->timer = env_timer_create(rlog->env, on_pause_over, in);
}

void rlog_incoming_destroy(struct rlog *rlog)
{
    struct rlog_incoming *in = &rlog->streams->incoming;
    env_timer_destroy(in->timer);
    rlog_snapshot_receiver_destroy(in->receiver);
}

/* The work has all of it, and reads no more of what was announced. */
static bool is_finishing(const struct rlog_incoming *in)
{
    return in->from != 0 && in->busy && in->finish && !in->doomed;
}

bool rlog_incoming_begin(struct rlog *rlog, uint64_t from, struct bytes body)
{
    struct rlog_incoming *in = &rlog->streams->incoming;
    struct rlog_wire_snapshot_begin begin;
    if (!rlog_wire_read_snapshot_begin(body, &begin) || begin.version != RLOG_STREAM_VERSION ||
        begin.size == 0) {
        return false;
    }
    if (is_finishing(in) && in->begin.index == begin.index &&
        in->begin.identity == begin.identity) {
        in->from = from; /* nothing of it is missing: it comes from this leader now */
        in->begin = begin;
        return true;
    }
    in->next_from = from;
    in->next = begin;
    if (in->from == 0) {
        rlog_streams_go_on(rlog);
    } else if (!is_finishing(in)) {
        in_end(in); /* an older stream; the offer waits until it is over */
    }
    return true;
}

void rlog_incoming_release(struct rlog *rlog)
{
    struct rlog_incoming *in = &rlog->streams->incoming;
    if (in->from != 0 && !in->busy &&
        env_mono_us(rlog->env) - in->moved_us >= RLOG_STREAM_STALLED_US) {
        env_log(rlog->env, ENV_LOG_WARN, "snapshot", "node %llu sends no more of the one at %llu",
                (unsigned long long)in->from, (unsigned long long)in->begin.index);
        in_end(in);
    }
}

/* ---- chunks ---- */

/* I1. */
static bool ask_again(struct rlog_incoming *in)
{
    if (++in->repeats > RLOG_STREAM_REPEATS_MAX) {
        in_end(in);
        return false;
    }
    env_log(in->rlog->env, ENV_LOG_WARN, "snapshot",
            "a chunk from node %llu arrived damaged, at %llu: asked for again",
            (unsigned long long)in->from, (unsigned long long)in->received);
    in->again = true;
    tell(in, in->from, in->begin.stream, in->received, RLOG_STREAM_AGAIN);
    return true;
}

bool rlog_incoming_chunk(struct rlog *rlog, uint64_t from, struct bytes body)
{
    struct rlog_incoming *in = &rlog->streams->incoming;
    struct rlog_wire_snapshot_chunk chunk;
    if (!rlog_wire_read_snapshot_chunk(body, &chunk)) {
        return false;
    }
    if (in->from != from || in->doomed || in->begin.stream != chunk.stream ||
        (in->again && chunk.offset > in->received)) {
        return true; /* of a stream that has ended, or behind what was asked for again */
    }
    if (in->receiver == NULL || chunk.offset != in->received || chunk.data.size == 0 ||
        chunk.data.size > in->begin.size - in->received ||
        chunk.data.size > sizeof in->waiting - in->waiting_size) {
        in_end(in);
        return false;
    }
    uint64_t since_us = env_mono_us(rlog->env);
    if (chunk.checksum != rlog_stream_checksum(chunk.stream, chunk.offset, chunk.data)) {
        return ask_again(in);
    }
    in->again = false;
    memcpy(in->waiting + in->waiting_size, chunk.data.data, chunk.data.size);
    in->waiting_size += chunk.data.size;
    in->received += chunk.data.size;
    rlog->streams->received += chunk.data.size;
    in->moved_us = since_us;
    write_next(in);
    rlog_held(rlog, since_us);
    return true;
}

void rlog_incoming_lost(struct rlog *rlog, uint64_t peer)
{
    struct rlog_incoming *in = &rlog->streams->incoming;
    if (in->next_from == peer) {
        in->next_from = 0;
    }
    if (in->from == peer && !is_finishing(in)) {
        in_end(in);
    }
}

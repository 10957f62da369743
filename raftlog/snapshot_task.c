/* Takes snapshots of the machine when they are due, and removes the files they replace.
 *
 *   idle -> walking (the machine's steps, a timer's turn each) -> writing (the file's end) -> idle
 */
#include "raftlog/snapshot_task.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/sat.h"
#include "env/work.h"
#include "raftlog/engine.h"
#include "raftlog/rlog.h"
#include "raftlog/streams.h"

enum {
    WRITER_PENDING_MAX = 4 * 1024 * 1024, /* above it the walk waits for the disk */
    WALK_PAUSE_US = 1000,
    FULL_DISK_PAUSE_US = 10 * 1000 * 1000,
    PRUNE_ENTRIES = 4096, /* of the log, freed in one turn: a millisecond at most */
};

enum task_state { TASK_IDLE, TASK_WALKING, TASK_WRITING };

struct rlog_snapshot_task {
    struct rlog *rlog;
    enum task_state state;
    bool wanted;
    bool untidy;
    uint64_t index;     /* of the newest one */
    uint64_t bytes;     /* of its image */
    uint64_t log_bytes; /* up to it */
    uint64_t identity;
    uint64_t taken; /* by this process */
    uint64_t next_index;
    uint64_t next_bytes;
    uint64_t next_log_bytes;
    uint64_t next_configuration; /* index of the configuration that it carries (M1c) */
    uint64_t not_before_us;
    struct rlog_snapshot_writer *writer;
    struct env_timer *timer;
    struct env_timer *prune_timer;
    uint64_t prune_index;
    struct env_work tidy;
    uint64_t tidy_index;
    bool tidying;
    int tidy_rc;
    struct list left; /* writers that were given up, while they end */
};

static void end_task(struct rlog_snapshot_task *task)
{
    rlog_snapshot_writer_leave(task->writer, &task->left);
    task->writer = NULL;
    task->state = TASK_IDLE;
    env_timer_stop(task->timer);
}

static void on_piece(void *arg, struct bytes piece)
{
    struct rlog_snapshot_task *task = arg;
    task->next_bytes += piece.size;
    rlog_snapshot_writer_piece(task->writer, piece);
}

static void on_written(void *arg, int rc)
{
    struct rlog_snapshot_task *task = arg;
    struct rlog *rlog = task->rlog;
    if (rc == 0 && task->state == TASK_WRITING) {
        task->index = task->next_index;
        task->bytes = task->next_bytes;
        task->log_bytes = task->next_log_bytes;
        task->identity = rlog_snapshot_writer_identity(task->writer);
        env_log(rlog->env, ENV_LOG_INFO, "snapshot",
                "taken at %llu, %llu bytes of state, identity %016llx",
                (unsigned long long)task->index, (unsigned long long)task->bytes,
                (unsigned long long)task->identity);
        task->taken++;
        task->wanted = false;
        task->untidy = true;
        end_task(task);
        uint64_t since_us = env_mono_us(rlog->env);
        rlog_engine_snapshot_taken(rlog, task->index, task->next_configuration);
        rlog_held(rlog, since_us);
    } else {
        if (task->state == TASK_WALKING) {
            rlog->machine.snapshot_abort(rlog->machine.arg);
        }
        end_task(task);
        if (rc == ENV_NO_SPACE) {
            env_log(rlog->env, ENV_LOG_WARN, "snapshot", "no room for a new one: %s",
                    env_error_text(rc));
            task->not_before_us = env_mono_us(rlog->env) + FULL_DISK_PAUSE_US;
        } else {
            rlog_fail(rlog, rc, "a snapshot cannot be stored: %s", env_error_text(rc));
        }
    }
    rlog_settle(rlog);
}

static void on_prune_timer(void *arg)
{
    struct rlog_snapshot_task *task = arg;
    struct rlog *rlog = task->rlog;
    uint64_t since_us = env_mono_us(rlog->env);
    if (rlog_alive(rlog) && !rlog_log_prune_some(rlog->log, task->prune_index, PRUNE_ENTRIES)) {
        env_timer_start(task->prune_timer, 0);
    }
    rlog_held(rlog, since_us);
}

void rlog_snapshot_task_prune(struct rlog *rlog, uint64_t index)
{
    rlog->snapshot_task->prune_index = index;
    env_timer_start(rlog->snapshot_task->prune_timer, 0);
}

static void walk_on(struct rlog_snapshot_task *task)
{
    struct rlog *rlog = task->rlog;
    if (task->state != TASK_WALKING || !rlog_alive(rlog)) {
        return;
    }
    if (rlog_snapshot_writer_pending(task->writer) > WRITER_PENDING_MAX ||
        task->next_index > rlog_log_stored(rlog->log)) { /* it never becomes ours before its log */
        env_timer_start(task->timer, WALK_PAUSE_US);
        return;
    }
    if (rlog->machine.snapshot_step(rlog->machine.arg)) {
        task->state = TASK_WRITING;
        rlog_snapshot_writer_finish(task->writer);
    } else {
        env_timer_start(task->timer, 0);
    }
}

static void on_timer(void *arg)
{
    struct rlog_snapshot_task *task = arg;
    uint64_t since_us = env_mono_us(task->rlog->env);
    walk_on(task);
    rlog_held(task->rlog, since_us);
}

/* Of all entries up to the last one that is applied. */
static uint64_t log_bytes(const struct rlog_snapshot_task *task)
{
    const struct rlog *rlog = task->rlog;
    return task->log_bytes + rlog_log_bytes_since(rlog->log, task->index) -
           rlog_log_bytes_since(rlog->log, rlog_engine_applied(rlog));
}

static void begin_walk(struct rlog_snapshot_task *task)
{
    struct rlog *rlog = task->rlog;
    uint64_t since_us = env_mono_us(rlog->env);
    uint8_t configuration[RLOG_CONFIGURATION_MAX];
    struct rlog_snapshot_meta meta = {.index = rlog_engine_applied(rlog),
                                      .log_bytes = log_bytes(task)};
    meta.term = rlog_log_term(rlog->log, meta.index);
    meta.configuration = rlog_engine_configuration(rlog, configuration, &meta.configuration_index);
    task->next_configuration = meta.configuration_index;
    task->next_index = meta.index;
    task->next_bytes = 0;
    task->next_log_bytes = meta.log_bytes;
    task->state = TASK_WALKING;
    task->writer = rlog_snapshot_writer_create(rlog->env, rlog->snapshot_folder, &meta, on_written,
                                               task);
    rlog_snapshot_writer_pack(task->writer, rlog->config.image_block);
    rlog->machine.snapshot_begin(rlog->machine.arg, on_piece, task);
    env_timer_start(task->timer, 0);
    rlog_held(rlog, since_us);
}

static bool is_due(const struct rlog_snapshot_task *task)
{
    uint64_t stride = u64_max(task->rlog->config.snapshot_bytes, 1);
    while (stride < task->bytes / 2) {
        stride *= 2;
    }
    return task->wanted || log_bytes(task) / stride > task->log_bytes / stride;
}

/* Never twice at one index, nothing while files are tidied. */
static bool is_possible(const struct rlog_snapshot_task *task)
{
    const struct rlog *rlog = task->rlog;
    return task->state == TASK_IDLE && !task->tidying && rlog->phase == RLOG_RUNNING &&
           rlog_engine_applied(rlog) > task->index && env_mono_us(rlog->env) >= task->not_before_us;
}

static void tidy_run(struct env_work *work)
{
    struct rlog_snapshot_task *task = work->arg;
    struct rlog *rlog = task->rlog;
    task->tidy_rc = rlog_snapshots_keep(rlog->env, rlog->snapshot_folder, task->tidy_index);
}

static void tidy_done(struct env_work *work)
{
    struct rlog_snapshot_task *task = work->arg;
    task->tidying = false;
    if (task->tidy_rc != 0) {
        rlog_fail(task->rlog, task->tidy_rc, "old snapshots cannot be removed: %s",
                  env_error_text(task->tidy_rc));
    }
    rlog_streams_go_on(task->rlog);
    rlog_settle(task->rlog);
}

static void tidy(struct rlog_snapshot_task *task)
{
    task->untidy = false;
    task->tidying = true;
    task->tidy_index = task->index;
    task->tidy = (struct env_work){.run = tidy_run, .done = tidy_done, .arg = task};
    env_work_submit(task->rlog->env, &task->tidy);
}

void rlog_snapshot_task_create(struct rlog *rlog, const struct rlog_snapshot_info *newest)
{
    struct rlog_snapshot_task *task = calloc(1, sizeof *task);
    ASSERT(task != NULL);
    task->rlog = rlog;
    list_init(&task->left);
    task->timer = env_timer_create(rlog->env, on_timer, task);
    task->prune_timer = env_timer_create(rlog->env, on_prune_timer, task);
    if (newest != NULL) {
        task->index = newest->meta.index;
        task->bytes = newest->raw_bytes;
        task->log_bytes = newest->meta.log_bytes;
    }
    rlog->snapshot_task = task;
}

void rlog_snapshot_task_destroy(struct rlog *rlog)
{
    struct rlog_snapshot_task *task = rlog->snapshot_task;
    if (task != NULL) {
        end_task(task);
        rlog_snapshot_writers_forget(&task->left);
        env_timer_destroy(task->timer);
        env_timer_destroy(task->prune_timer);
        free(task);
        rlog->snapshot_task = NULL;
    }
}

void rlog_snapshot_task_advance(struct rlog *rlog)
{
    struct rlog_snapshot_task *task = rlog->snapshot_task;
    bool may_tidy = task->untidy && !task->tidying && task->state == TASK_IDLE &&
                    rlog->phase == RLOG_RUNNING;
    if (may_tidy) {
        rlog_streams_release(rlog);
    }
    if (may_tidy && !rlog_streams_using_files(rlog)) {
        tidy(task);
    } else {
        rlog_snapshot_task_applied(rlog);
    }
}

void rlog_snapshot_task_applied(struct rlog *rlog)
{
    struct rlog_snapshot_task *task = rlog->snapshot_task;
    if (is_possible(task) && is_due(task)) {
        begin_walk(task);
    }
}

void rlog_snapshot_task_want(struct rlog *rlog)
{
    rlog->snapshot_task->wanted = true;
    rlog_settle_soon(rlog);
}

void rlog_snapshot_task_abort(struct rlog *rlog)
{
    struct rlog_snapshot_task *task = rlog->snapshot_task;
    if (task->state == TASK_WALKING) {
        rlog->machine.snapshot_abort(rlog->machine.arg);
    }
    if (task->state != TASK_IDLE) {
        end_task(task);
    }
}

void rlog_snapshot_task_installed(struct rlog *rlog, const struct rlog_snapshot_info *info)
{
    rlog->snapshot_task->index = info->meta.index;
    rlog->snapshot_task->bytes = info->raw_bytes;
    rlog->snapshot_task->log_bytes = info->meta.log_bytes;
    rlog->snapshot_task->identity = info->identity;
    rlog->snapshot_task->untidy = true;
    rlog_snapshot_task_prune(rlog, info->meta.index + 1); /* frees what the log was before */
    env_log(rlog->env, ENV_LOG_INFO, "snapshot", "installed the one at %llu",
            (unsigned long long)info->meta.index);
}

uint64_t rlog_snapshot_task_index(const struct rlog *rlog)
{
    return rlog->snapshot_task->index;
}

uint64_t rlog_snapshot_task_identity(const struct rlog *rlog)
{
    return rlog->snapshot_task->identity;
}

void rlog_snapshot_task_tell(const struct rlog *rlog, uint64_t *ret_taken, uint64_t *ret_bytes)
{
    *ret_taken = rlog->snapshot_task->taken;
    *ret_bytes = rlog->snapshot_task->bytes;
}

void rlog_snapshot_task_tidy(struct rlog *rlog)
{
    rlog->snapshot_task->untidy = true;
}

bool rlog_snapshot_task_idle(const struct rlog *rlog)
{
    return !rlog->snapshot_task->tidying;
}

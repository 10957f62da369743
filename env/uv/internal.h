/* What the files of env/uv share: the env itself and how a turn is told that something happened. */
#ifndef ENV_UV_INTERNAL_H
#define ENV_UV_INTERNAL_H

#include "base/list.h"
#include "env/uv/uv.h"

#include <uv.h>

struct work_request;

struct env_uv_log {
    enum env_uv_log_format format;
    enum env_log_level least;
    const char *node;
};

struct env {
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t wait;      /* bounds the wait of one turn */
    uv_prepare_t prepare; /* runs between the callbacks of timers and the poll */
    uv_idle_t busy;       /* while active, the poll does not wait */
    bool turning;
    bool ran; /* a callback of ours ran in this turn */
    void (*turn_end)(void *arg);
    void *turn_end_arg;
    uint64_t turn_us;      /* of the last one, without its wait */
    struct list timers;    /* env_timer.link */
    struct list soon;      /* env_timer.soon_link: due at the next turn */
    struct list listeners; /* env_listener.link */
    struct list signals;   /* signal.link */
    struct list conns;     /* env_conn.link: all of them */
    struct list unsent;    /* env_conn.unsent_link: to be written at the turn's end */
    struct list ready;     /* env_conn.ready_link: owed a callback that no poll will cause */
    struct work_request *work_free;
    size_t work_count; /* submitted, `done` not yet run */
    struct id128 boot_id;
    struct env_uv_log log;
};

/* clock.c */
struct id128 env_clock_boot_id(struct env *env);
void env_clock_done(struct env *env);
/* Fires the timers on `soon`; those that are started meanwhile wait for the next turn. */
void env_timers_fire_soon(struct env *env);

/* work.c */
void env_work_done(struct env *env);

/* signal.c */
void env_signals_done(struct env *env);

/* errno.c: ENV_* for an errno value. */
int env_of_errno(int error);

/* conn_step.c: writes what the turn has queued; delivers what `ready` owes. */
void env_conns_send(struct env *env);
void env_conns_deliver(struct env *env);

#endif

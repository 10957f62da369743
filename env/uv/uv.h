/* Creating and ending the real world, and what only it has: log format and signals.
 *
 * For main programs and tests; everything else includes the headers of env/ alone.
 */
#ifndef ENV_UV_UV_H
#define ENV_UV_UV_H

#include "env/env.h"
#include "env/log.h"

/* Returns owned through `ret_env`. Logs to standard error as text from INFO on. ENV_LIMIT when the
 * kernel gives no loop (files, memory). */
int env_uv_create(struct env **ret_env);

/* Waits for queued work (its `done` runs), closes what is still open (each connection's on_close
 * runs), then frees. Timers, listeners and signals that are left are freed with it: their handles
 * must not be used afterwards. Never from a callback; NULL is fine. */
void env_uv_destroy(struct env *env);

enum env_uv_log_format {
    ENV_UV_LOG_TEXT, /* 2026-01-31T12:00:00.000000Z WARN  raft [n1] message */
    ENV_UV_LOG_JSON, /* {"time":"...","level":"warn","component":"raft","node":"n1","message":""} */
};

/* Lines below `least` are dropped. Borrows `node` (may be NULL) for the env's life. */
void env_uv_set_log(struct env *env, enum env_uv_log_format format, enum env_log_level least,
                    const char *node);

/* Processor time of all threads, and memory that is resident; 0 where the kernel does not say. */
struct env_uv_usage {
    uint64_t cpu_us;
    uint64_t resident_bytes;
};
struct env_uv_usage env_uv_usage(void);

/* Calls `callback` on the loop for each delivery of `signal`; again replaces. A NULL callback makes
 * the process ignore the signal. No other call of the env touches how signals are handled: sockets
 * never raise SIGPIPE; a daemon whose standard error may go away ignores it by this call. */
void env_uv_on_signal(struct env *env, int signal, void (*callback)(void *arg, int signal),
                      void *arg);

#endif

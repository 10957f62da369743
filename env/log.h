/* The log sink: one line an event, with fields, never a secret. */
#ifndef ENV_LOG_H
#define ENV_LOG_H

#include "env/env.h"

enum env_log_level { ENV_LOG_DEBUG, ENV_LOG_INFO, ENV_LOG_WARN, ENV_LOG_ERROR };

/* "component" is a short static word ("raft", "log", "peer", "node"); the message is one line. */
void env_log(struct env *env, enum env_log_level level, const char *component, const char *format,
             ...) __attribute__((format(printf, 4, 5)));
/* As above, about one request: `about` is its id, a field of its own in a JSON line. */
void env_log_about(struct env *env, enum env_log_level level, const char *component,
                   const char *about, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Would a line of this level be written? For what is costly to find out. */
bool env_log_wants(const struct env *env, enum env_log_level level);

#endif

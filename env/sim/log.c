/* The log of the world: simulated time and process before each line; silent unless asked for. */
#include "env/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "env/sim/world.h"

enum { LINE_MAX_BYTES = 1024 };

static void to_standard_error(void *arg, const char *line)
{
    (void)arg;
    (void)fprintf(stderr, "%s\n", line);
}

static const char *level_name(enum env_log_level level)
{
    switch (level) {
    case ENV_LOG_DEBUG:
        return "debug";
    case ENV_LOG_INFO:
        return "info ";
    case ENV_LOG_WARN:
        return "warn ";
    case ENV_LOG_ERROR:
        return "error";
    }
    return "?";
}

void sim_log_init(struct sim *sim)
{
    if (getenv("SIM_LOG") != NULL) {
        sim_log_to(sim, ENV_LOG_DEBUG, to_standard_error, NULL);
        sim_log_world(sim, "seed %llu", (unsigned long long)sim->seed);
    }
}

void sim_log_to(struct sim *sim, enum env_log_level level,
                void (*sink)(void *arg, const char *line), void *arg)
{
    sim->log.level = level;
    sim->log.sink = sink;
    sim->log.arg = arg;
}

static void emit(struct sim *sim, const char *host, const char *process, const char *words,
                 const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));

static void emit(struct sim *sim, const char *host, const char *process, const char *words,
                 const char *format, va_list arguments)
{
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES + 128];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    double elapsed = (double)(sim->now_us - sim->start_us) / 1e6;
    (void)snprintf(line, sizeof(line), "%12.6f %-6s %-10s %s %s", elapsed, host, process, words,
                   text);
    sim->log.sink(sim->log.arg, line);
}

bool env_log_wants(const struct env *env, enum env_log_level level)
{
    const struct sim *sim = env->sim;
    return sim->log.sink != NULL && level >= sim->log.level && !env->crashed;
}

void env_log(struct env *env, enum env_log_level level, const char *component, const char *format,
             ...)
{
    if (!env_log_wants(env, level)) {
        return;
    }
    char words[64];
    (void)snprintf(words, sizeof(words), "%s %-6s", level_name(level), component);
    va_list arguments;
    va_start(arguments, format);
    emit(env->sim, env->host->name, env->name, words, format, arguments);
    va_end(arguments);
}

void env_log_about(struct env *env, enum env_log_level level, const char *component,
                   const char *about, const char *format, ...)
{
    if (!env_log_wants(env, level)) {
        return;
    }
    char words[128];
    (void)snprintf(words, sizeof(words), "%s %-6s %s:", level_name(level), component, about);
    va_list arguments;
    va_start(arguments, format);
    emit(env->sim, env->host->name, env->name, words, format, arguments);
    va_end(arguments);
}

void sim_log_world(struct sim *sim, const char *format, ...)
{
    if (sim->log.sink == NULL || sim->log.level > ENV_LOG_INFO) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    emit(sim, "-", "-", "world", format, arguments);
    va_end(arguments);
}

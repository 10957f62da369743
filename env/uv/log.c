/* The log sink: one write of one line to standard error, as text or as JSON. Keeps no file.
 *
 * A line never breaks and never lies about where it ends: control characters are written as escapes
 * and, in JSON, bytes that are not UTF-8 become U+FFFD.
 */
#include "env/log.h"

#include "env/clock.h"
#include "env/uv/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_MAX = 1024, LINE_MAX_BYTES = 8192, US_PER_S = 1000000 };

struct line {
    char text[LINE_MAX_BYTES];
    size_t size;
};

static const char *level_word(enum env_log_level level)
{
    switch (level) {
    case ENV_LOG_DEBUG:
        return "debug";
    case ENV_LOG_INFO:
        return "info";
    case ENV_LOG_WARN:
        return "warn";
    case ENV_LOG_ERROR:
        return "error";
    }
    return "error";
}

static void put(struct line *line, const char *text, size_t size)
{
    if (size < sizeof(line->text) - line->size) { /* keeps room for the newline */
        memcpy(line->text + line->size, text, size);
        line->size += size;
    }
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Length of the well-formed UTF-8 sequence at `text` (RFC 3629), 0 when there is none. */
static size_t utf8_size(const unsigned char *text)
{
    unsigned char first = text[0];
    size_t size = first < 0x80                     ? 1
                  : first >= 0xc2 && first <= 0xdf ? 2
                  : first >= 0xe0 && first <= 0xef ? 3
                  : first >= 0xf0 && first <= 0xf4 ? 4
                                                   : 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) { /* stops at the terminator too */
            return 0;
        }
    }
    bool overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
    bool outside = (first == 0xed && text[1] > 0x9f) || (first == 0xf4 && text[1] > 0x8f);
    return overlong || outside ? 0 : size;
}

static void put_escaped(struct line *line, const char *text, bool json)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        char escape[8];
        size_t size = utf8_size(at);
        if (size == 0) {
            (void)snprintf(escape, sizeof(escape), json ? "\\ufffd" : "\\x%02x", *at);
            put_text(line, escape);
            at++;
        } else if (*at < 0x20 || *at == 0x7f || (json && (*at == '"' || *at == '\\'))) {
            (void)snprintf(escape, sizeof(escape), json ? "\\u%04x" : "\\x%02x", *at);
            put_text(line, escape);
            at++;
        } else {
            put(line, (const char *)at, size);
            at += size;
        }
    }
}

static void put_time(struct line *line, uint64_t wall_us)
{
    char text[40];
    time_t seconds = (time_t)(wall_us / US_PER_S);
    struct tm utc;
    size_t size = 0;
    if (gmtime_r(&seconds, &utc) != NULL) {
        size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    }
    (void)snprintf(text + size, sizeof(text) - size, ".%06uZ", (unsigned)(wall_us % US_PER_S));
    put_text(line, text);
}

/* What one line says. */
struct said {
    enum env_log_level level;
    const char *component;
    const char *about; /* NULL: no request */
    const char *message;
};

static void format_text(struct line *line, const struct env_uv_log *log, const struct said *said)
{
    put_text(line, " ");
    put_text(line, level_word(said->level));
    put_text(line, " ");
    put_escaped(line, said->component, false);
    if (log->node != NULL) {
        put_text(line, " [");
        put_escaped(line, log->node, false);
        put_text(line, "]");
    }
    if (said->about != NULL) {
        put_text(line, " request ");
        put_escaped(line, said->about, false);
        put_text(line, ":");
    }
    put_text(line, " ");
    put_escaped(line, said->message, false);
}

static void format_json(struct line *line, const struct env_uv_log *log, const struct said *said)
{
    put_text(line, "\",\"level\":\"");
    put_text(line, level_word(said->level));
    put_text(line, "\",\"component\":\"");
    put_escaped(line, said->component, true);
    if (log->node != NULL) {
        put_text(line, "\",\"node\":\"");
        put_escaped(line, log->node, true);
    }
    if (said->about != NULL) {
        put_text(line, "\",\"request\":\"");
        put_escaped(line, said->about, true);
    }
    put_text(line, "\",\"message\":\"");
    put_escaped(line, said->message, true);
    put_text(line, "\"}");
}

static void say(struct env *env, struct said said, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void say(struct env *env, struct said said, const char *format, va_list arguments)
{
    char message[MESSAGE_MAX];
    int size = vsnprintf(message, sizeof(message), format, arguments);
    if (size >= MESSAGE_MAX) {
        memcpy(message + MESSAGE_MAX - 4, "...", 4);
    }
    said.message = message;
    struct line line = {.size = 0};
    bool json = env->log.format == ENV_UV_LOG_JSON;
    put_text(&line, json ? "{\"time\":\"" : "");
    put_time(&line, env_wall_us(env));
    (json ? format_json : format_text)(&line, &env->log, &said);
    line.text[line.size++] = '\n';
    ssize_t written = write(STDERR_FILENO, line.text, line.size);
    (void)written; /* there is nobody to tell */
}

bool env_log_wants(const struct env *env, enum env_log_level level)
{
    return level >= env->log.least;
}

void env_log(struct env *env, enum env_log_level level, const char *component, const char *format,
             ...)
{
    if (env_log_wants(env, level)) {
        va_list arguments;
        va_start(arguments, format);
        say(env, (struct said){.level = level, .component = component}, format, arguments);
        va_end(arguments);
    }
}

void env_log_about(struct env *env, enum env_log_level level, const char *component,
                   const char *about, const char *format, ...)
{
    if (env_log_wants(env, level)) {
        va_list arguments;
        va_start(arguments, format);
        say(env, (struct said){.level = level, .component = component, .about = about}, format,
            arguments);
        va_end(arguments);
    }
}

void env_uv_set_log(struct env *env, enum env_uv_log_format format, enum env_log_level least,
                    const char *node)
{
    env->log = (struct env_uv_log){.format = format, .least = least, .node = node};
}

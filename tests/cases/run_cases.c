/* Runs a case file: blocks of commands, `----`, the expected answers; see README.md beside it.
 * Knows no operation: what a command is and what it answers comes from the operations' table.
 *
 *   run-cases FILE             compares; exit 0: all as expected
 *   run-cases --rewrite FILE   writes what was answered into the file
 *   run-cases --refused FILE   exit 0 when the file fails, as it has to: a test of the runner
 */
#include "tests/cases/call.h"
#include "tests/cases/directives.h"
#include "tests/cases/machines.h"
#include "tests/cases/show.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_COMMANDS_MAX = 1024, STATUS_WRONG_FILE = 2 };

/* ---- what scenario.h promises ---- */

void case_wrong(const struct scenario *scenario, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s:%zu: ", scenario->file, scenario->line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    exit(STATUS_WRONG_FILE);
}

void case_broken(struct scenario *scenario, const char *format, ...)
{
    va_list arguments;

    scenario->broken = true;
    fprintf(stderr, "%s:%zu: broken: ", scenario->file, scenario->line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

void case_print(struct scenario *scenario, const char *format, ...)
{
    size_t left = sizeof scenario->output - scenario->output_used;
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(scenario->output + scenario->output_used, left, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= left) {
        case_wrong(scenario, "too long an answer");
    }
    scenario->output_used += (size_t)size;
}

char *case_text(struct scenario *scenario, size_t size)
{
    char *text = scenario->text + scenario->text_used;

    if (size > sizeof scenario->text - scenario->text_used) {
        case_wrong(scenario, "too long a line");
    }
    scenario->text_used += size;
    return text;
}

/* ---- commands ---- */

/* False: it is a command after all. */
static bool run_read(struct scenario *scenario, const struct call *call)
{
    static uint8_t body[FSM_REPLY_MAX];
    struct fsm_read read = {call->caller, call->row->number, &call->request, call->clock,
                            call->row->access == OP_EITHER ? &call->command : NULL};
    struct fsm_reply reply;

    scenario->counted = scenario->first.fsm->counters;
    switch (machines_read(scenario, &read, body, &reply)) {
    case FSM_READ_WAIT:
        case_print(scenario, "WAIT\n");
        return true;
    case FSM_READ_COMMAND:
        return false;
    case FSM_READ_ANSWERED:
        show_answer(scenario, call, &reply);
        return true;
    }
    UNREACHABLE("all verdicts are named");
}

/* Commands that become one entry. */
struct entry {
    struct base_writer writer;
    uint8_t buffer[OP_ENTRY_BYTES_MAX];
    size_t count;
    struct call calls[ENTRY_COMMANDS_MAX];
    struct answer answers[ENTRY_COMMANDS_MAX];
};

static void entry_begin(struct entry *entry)
{
    base_writer_init(&entry->writer, entry->buffer, sizeof entry->buffer);
    op_entry_begin(&entry->writer);
    entry->count = 0;
}

static void entry_apply(struct scenario *scenario, struct entry *entry)
{
    static struct questions before;
    bool ticks = false;

    for (size_t i = 0; i < entry->count; i++) {
        ticks |= entry->calls[i].kind == OP_COMMAND_TICK;
    }
    if (ticks) { /* at the T of the tick, but without it */
        machines_pass(scenario);
        questions_ask(scenario, &before);
    }
    op_entry_finish(&entry->writer, scenario->stamp, (uint32_t)entry->count);
    if (entry->writer.failed) {
        case_wrong(scenario, "too large an entry");
    }
    scenario->counted = scenario->first.fsm->counters;
    machines_apply(scenario, base_written(&entry->writer), entry->answers);
    for (size_t i = 0; i < entry->count; i++) {
        show_answer(scenario, &entry->calls[i], &entry->answers[i].reply);
    }
    if (ticks && entry->count == 1) {
        questions_compare(scenario, &before);
    }
}

static void run_command(struct scenario *scenario, const struct words *words, struct entry *entry,
                        bool packed)
{
    struct call *call = &entry->calls[entry->count];

    if (!packed) {
        scenario->text_used = 0;
    }
    call_read(scenario, words, entry->count, call);
    if (call->row != NULL && call->row->access == OP_READ && packed) {
        case_wrong(scenario, "a read is no part of an entry");
    }
    if (call->row != NULL && call->row->access != OP_WRITE && !packed && run_read(scenario, call)) {
        return;
    }
    call_encode(call, &entry->writer);
    entry->count++;
    if (!packed) {
        entry_apply(scenario, entry);
    }
}

/* ---- repeat N COMMAND: the same command N times, {} is the round; answers are counted ---- */

static struct bytes with_round(struct scenario *scenario, struct bytes line, unsigned round,
                               char *buffer, size_t capacity)
{
    size_t used = 0;

    for (size_t i = 0; i < line.size && used + 12 < capacity; i++) {
        if (line.data[i] == '{' && i + 1 < line.size && line.data[i + 1] == '}') {
            used += (size_t)snprintf(buffer + used, capacity - used, "%u", round);
            i++;
        } else {
            buffer[used++] = (char)line.data[i];
        }
    }
    if (used + 12 >= capacity) {
        case_wrong(scenario, "too long a line to repeat");
    }
    return bytes_of(buffer, used);
}

/* One round; the outcome that it had, without the rest of its answer. */
static void run_round(struct scenario *scenario, struct bytes line, struct entry *entry,
                      char *ret_outcome)
{
    size_t start = scenario->output_used;
    struct bytes answer;
    struct words words;

    case_words(scenario, line, &words);
    entry_begin(entry);
    run_command(scenario, &words, entry, false);
    answer = bytes_of(scenario->output + start, scenario->output_used - start);
    scenario->output_used = start;
    if (!case_copy(ret_outcome, CASE_NAME_MAX, case_cut(&answer, ' '))) {
        case_wrong(scenario, "too long an outcome");
    }
}

static void run_repeat(struct scenario *scenario, struct bytes line, struct entry *entry)
{
    char buffer[1024];
    char outcome[CASE_NAME_MAX] = "";
    char before[CASE_NAME_MAX] = "";
    unsigned same = 0;
    uint64_t rounds;

    (void)case_cut(&line, ' ');
    if (!case_number_read(case_cut(&line, ' '), &rounds) || rounds == 0 || rounds > 100000) {
        case_wrong(scenario, "how often?");
    }
    for (unsigned round = 1; round <= rounds; round++) {
        run_round(scenario, with_round(scenario, line, round, buffer, sizeof buffer), entry,
                  outcome);
        if (same > 0 && strcmp(outcome, before) != 0) {
            case_print(scenario, "%s %u times\n", before, same);
            same = 0;
        }
        memcpy(before, outcome, sizeof before);
        same++;
    }
    case_print(scenario, "%s %u times\n", before, same);
}

/* ---- blocks ---- */

static struct bytes next_line(struct bytes *rest)
{
    return case_cut(rest, '\n');
}

static void run_line(struct scenario *scenario, struct bytes line, struct entry *entry, bool packed)
{
    struct words words;

    case_words(scenario, line, &words);
    if (words.count == 0) {
        return;
    }
    if (case_word_is(words.list[0].key, "repeat")) {
        run_repeat(scenario, line, entry);
    } else if (packed || !directive(scenario, &words)) {
        if (!packed) {
            entry_begin(entry);
        }
        run_command(scenario, &words, entry, packed);
    }
}

/* Runs the commands of one block; `entry` alone on a line packs those after it. */
static void run_block(struct scenario *scenario, struct bytes commands, size_t first_line)
{
    static struct entry entry;
    bool packed = false;

    scenario->output_used = 0;
    scenario->text_used = 0;
    scenario->line = first_line;
    for (; commands.size > 0; scenario->line++) {
        struct bytes line = next_line(&commands);

        if (line.size == 0 || line.data[0] == '#') {
            continue;
        }
        if (case_word_is(line, "entry")) {
            packed = true;
            entry_begin(&entry);
        } else {
            run_line(scenario, line, &entry, packed);
        }
    }
    if (packed) {
        entry_apply(scenario, &entry);
    }
}

/* ---- files ---- */

struct text_file {
    char *data;
    size_t size;
};

static struct text_file file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct text_file text = {NULL, 0};
    size_t capacity = (size_t)4 * 1024 * 1024;

    text.data = malloc(capacity);
    if (file == NULL || text.data == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(STATUS_WRONG_FILE);
    }
    text.size = fread(text.data, 1, capacity, file);
    fclose(file);
    return text;
}

static void file_write(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        exit(STATUS_WRONG_FILE);
    }
}

struct run {
    struct scenario *scenario;
    FILE *rewritten;
    size_t line; /* of the file */
    size_t blocks;
    size_t differing;
};

static void differ(struct run *run, size_t line, struct bytes expected, struct bytes answered)
{
    run->differing++;
    fprintf(stderr, "%s:%zu: expected\n%.*s%s:%zu: answered\n%.*s\n", run->scenario->file, line,
            (int)expected.size, (const char *)expected.data, run->scenario->file, line,
            (int)answered.size, (const char *)answered.data);
}

/* From `from` on: the lines up to an empty one, without it. */
static struct bytes expected_of(struct run *run, struct bytes *rest)
{
    const uint8_t *start = rest->data;
    size_t size = 0;

    while (rest->size > 0) {
        struct bytes line = next_line(rest);

        run->line++;
        if (line.size == 0) {
            break;
        }
        size += line.size + 1;
    }
    return bytes_of(start, start == NULL ? 0 : size);
}

static void finish_block(struct run *run, struct bytes commands, size_t first_line,
                         struct bytes *rest)
{
    struct scenario *scenario = run->scenario;
    struct bytes expected = expected_of(run, rest);
    struct bytes answered;

    run_block(scenario, commands, first_line);
    run->blocks++;
    answered = bytes_of(scenario->output, scenario->output_used);
    if (!bytes_equal(expected, answered)) {
        differ(run, first_line, expected, answered);
    }
    fprintf(run->rewritten, "%.*s----\n%.*s%s", (int)commands.size, (const char *)commands.data,
            (int)answered.size, (const char *)answered.data, rest->size > 0 ? "\n" : "");
}

/* One block, or one line between blocks. */
static void run_part(struct run *run, struct bytes *rest)
{
    struct bytes start = *rest;
    size_t first_line = run->line;
    struct bytes line = next_line(rest);
    size_t size = 0;

    run->line++;
    if (line.size == 0 || line.data[0] == '#') {
        fprintf(run->rewritten, "%.*s\n", (int)line.size, (const char *)line.data);
        return;
    }
    while (!case_word_is(line, "----")) {
        size += line.size + 1;
        if (rest->size == 0 || line.size == 0) {
            run->scenario->line = first_line;
            case_wrong(run->scenario, "commands without ----");
        }
        line = next_line(rest);
        run->line++;
    }
    finish_block(run, bytes_of(start.data, size), first_line, rest);
}

static void run_file(struct run *run, struct text_file text)
{
    static const char law[] = "# Law: ";
    struct bytes rest = bytes_of(text.data, text.size);
    struct op_limits limits;

    run->line = 1;
    if (text.size < sizeof law - 1 || memcmp(text.data, law, sizeof law - 1) != 0) {
        run->scenario->line = 1;
        case_wrong(run->scenario, "the first line is \"# Law: \" and the law that it proves");
    }
    machines_limits(&limits);
    machines_begin(run->scenario, &limits);
    while (rest.size > 0) {
        run_part(run, &rest);
    }
    machines_restore(run->scenario);
    machines_end(run->scenario);
    free(run->scenario->image);
}

static int verdict(const struct run *run, const char *mode)
{
    bool good = run->differing == 0 && !run->scenario->broken && run->blocks > 0;

    if (strcmp(mode, "--rewrite") == 0) {
        printf("%s: %zu blocks, %zu rewritten%s\n", run->scenario->file, run->blocks,
               run->differing, run->scenario->broken ? ", broken" : "");
        return run->scenario->broken ? 1 : 0;
    }
    printf("%s: %zu blocks, %zu differ%s\n", run->scenario->file, run->blocks, run->differing,
           run->scenario->broken ? ", broken" : "");
    return good == (strcmp(mode, "--refused") != 0) ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct scenario scenario;
    const char *mode = argc == 3 ? argv[1] : "";
    char *rewritten = NULL;
    size_t size = 0;
    struct run run = {.scenario = &scenario};
    struct text_file text;

    if (argc < 2 || argc > 3 ||
        (argc == 3 && strcmp(mode, "--rewrite") != 0 && strcmp(mode, "--refused") != 0)) {
        fprintf(stderr, "usage: run-cases [--rewrite | --refused] FILE\n");
        return STATUS_WRONG_FILE;
    }
    scenario.file = argv[argc - 1];
    text = file_read(scenario.file);
    run.rewritten = open_memstream(&rewritten, &size);
    if (run.rewritten == NULL) {
        return STATUS_WRONG_FILE;
    }
    run_file(&run, text);
    fclose(run.rewritten);
    if (strcmp(mode, "--rewrite") == 0) {
        file_write(scenario.file, rewritten, size);
    }
    free(rewritten);
    free(text.data);
    return verdict(&run, mode);
}

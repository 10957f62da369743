/* What the files of tenurectl ask of each other. Installed nowhere. */
#ifndef CLIENT_LIB_CLI_CLI_H
#define CLIENT_LIB_CLI_CLI_H

#include <stdio.h>

#include "client-lib/internal.h"

/* docs/OPERATIONS.md explains each to an operator. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_LOCAL = 1,
    CLI_USAGE = 2,
    CLI_REFUSED = 3,
    CLI_RETRIES = 4, /* nothing happened, and the deadline is over */
    CLI_UNCERTAIN = 5,
};

/* "refused: nothing changed, the line says why": for help and manual page. */
const char *cli_exit_text(enum cli_exit code);

/* One line for a person: what is wrong, and what to do. */
struct cli_error {
    char text[1024];
};

/* Always false, so that a caller can return it. */
__attribute__((format(printf, 2, 3))) bool cli_fail(struct cli_error *ret_error, const char *format,
                                                    ...);
enum cli_output { CLI_TABLE, CLI_JSON };

/* Prints "tenurectl: TEXT", or an object with class and message, to standard error, and gives
 * `code` back. */
int cli_complain(enum cli_output output, const char *text, enum cli_exit code);
/* What to do after this outcome, for a person; never NULL. */
const char *cli_advice(enum tenure_outcome outcome);

/* ---- memory of one run: what arguments and files were turned into (cli/memory.c) ---- */

struct cli_memory {
    void *newest;
};

/* Zeroed, lives until cli_memory_done; ends the process when there is none. */
void *cli_take(struct cli_memory *memory, size_t size);
char *cli_take_text(struct cli_memory *memory, const char *text, size_t size);
void cli_memory_done(struct cli_memory *memory);

/* ---- commands and options (cli/table.c) ---- */

enum { CLI_WORD_MAX = 48, CLI_ARGUMENT_MAX = 96 };

struct cli_option {
    char name[CLI_WORD_MAX];         /* without "--" */
    char letter;                     /* or 0 */
    char argument[CLI_ARGUMENT_MAX]; /* "" for a flag */
    const char *help;
    bool required;
    bool repeatable;
    const struct op_field *field; /* of an operation's request; otherwise NULL */
};

struct cli_run;

struct cli_command {
    char words[CLI_WORD_MAX]; /* "session create" */
    const char *group;        /* headline in the help */
    const char *help;
    const char *positional; /* "TIME_US"; NULL: none */
    const struct cli_option *options;
    size_t option_count;
    int (*run)(const struct cli_run *run);
    const struct op_row *row; /* operations only */
};

struct cli_table {
    struct cli_memory memory;
    const struct cli_command *commands;
    size_t count;
    const struct cli_option *common; /* options that every command takes */
    size_t common_count;
};

/* The commands of this program and one for each row of the op table. */
void cli_table_init(struct cli_table *table);
void cli_table_done(struct cli_table *table);
const struct cli_command *cli_find(const struct cli_table *table, const char *words);

/* ---- one run (cli/parse.c) ---- */

struct cli_given {
    const struct cli_option *option;
    const char *text;
};

struct cli_run {
    const struct cli_table *table;
    const struct cli_command *command; /* NULL: help or version was asked for */
    const struct cli_given *given;
    size_t given_count;
    const char *positional; /* NULL: none given */
    enum cli_output output;
    bool help;
    bool version;
    struct cli_memory *memory;
};

/* Takes the words of the command line apart; nothing that they mean is checked but required options
 * and the output form. Borrows them. False: usage. */
bool cli_parse(const struct cli_table *table, int argc, char **argv, struct cli_memory *memory,
               struct cli_run *ret_run, struct cli_error *ret_error);
/* The last text given for the option; NULL when there is none. */
const char *cli_text_of(const struct cli_run *run, const char *name);
/* As a number within bounds; `standard` when the option was not given. */
bool cli_number_of(const struct cli_run *run, const char *name, uint64_t standard, uint64_t least,
                   uint64_t greatest, uint64_t *ret_number, struct cli_error *ret_error);

void cli_help(FILE *out, const struct cli_table *table);
/* On standard output, in the form that was asked for; of all commands when it is NULL. */
void cli_show_help(const struct cli_run *run, const struct cli_command *command);
void cli_command_help(FILE *out, const struct cli_table *table, const struct cli_command *command);

/* ---- texts of values (cli/text.c) ---- */

enum { CLI_TIME_TEXT = 40 };

/* Decimal digits alone. */
bool cli_number_read(const char *text, uint64_t *ret_number);
/* "1h30m", "250ms": numbers with units, in any order; µs. */
bool cli_duration_read(const char *text, uint64_t *ret_us);
/* The same form; "infinite" for TENURE_INFINITE. */
void cli_duration_write(uint64_t us, char ret_text[CLI_TIME_TEXT]);
/* Unix time in µs as "2026-01-31T12:00:00.000000Z". */
void cli_time_write(uint64_t us, char ret_text[CLI_TIME_TEXT]);
/* Text itself, "text:…", "hex:…", "@FILE" or "@-". Into `memory`, or borrowed from `text`. */
bool cli_blob_read(struct cli_memory *memory, const char *text, struct tenure_bytes *ret_bytes,
                   struct cli_error *ret_error);
/* In a form that cli_blob_read takes back. */
char *cli_blob_write(struct cli_memory *memory, struct tenure_bytes blob);

/* ---- public structs by the op table (cli/fill.c, cli/print.c) ---- */

/* Puts what was given for the option's field into the public request struct. */
bool cli_fill(struct cli_memory *memory, const struct op_struct *s,
              const struct tenure_field_map *map, void *value, const struct cli_given *given,
              struct cli_error *ret_error);

/* Where results and refusals go, and how. */
struct cli_printer {
    enum cli_output output;
    FILE *out;
    FILE *err;
};

void cli_print_reply(const struct cli_printer *printer, const struct tenure_method *method,
                     const void *reply, const struct tenure_result *result);
/* What was not done: one line, or one JSON object in a line. */
void cli_print_refusal(const struct cli_printer *printer, const struct tenure_result *result);
enum cli_exit cli_exit_of(enum tenure_outcome outcome);
/* "FENCED W4: task epoch 17, session epoch 23" */
void cli_refusal_line(const struct tenure_result *result, char *ret_line, size_t size);

/* ---- how the cluster is reached (cli/settings.c) ---- */

enum { CLI_SERVERS_MAX = 16 };

struct cli_settings {
    struct tenure_options options; /* borrows from the run's memory */
    bool timeout_given;
};

/* Options win over the environment, the environment over the file. False: `ret_code` too. */
bool cli_settings_load(const struct cli_run *run, struct cli_settings *ret_settings,
                       struct cli_error *ret_error, enum cli_exit *ret_code);
/* "servers", "TENURE_SERVERS": one for each option of a connection. */
void cli_setting_environment(const char *name, char ret_name[CLI_WORD_MAX]);
bool cli_is_setting(const char *name);

/* ---- files (cli/file.c) ---- */

enum { CLI_FILE_MAX = 1024 * 1024 };

/* Whole file into `memory`, terminated by a zero that is not counted; "-" is standard input. */
bool cli_file_read(struct cli_memory *memory, const char *path, struct bytes *ret_content,
                   struct cli_error *ret_error);
/* Never overwrites; durable when it returns. */
bool cli_file_create(const char *path, unsigned mode, const char *content,
                     struct cli_error *ret_error);
bool cli_file_exists(const char *path);
/* One level, mode 0700; fine when it is there. */
bool cli_folder_make(const char *path, struct cli_error *ret_error);

/* A file that a command wrote. */
struct cli_made {
    const char *name; /* in JSON */
    const char *path;
};
/* The paths, one a line, or as one object. */
void cli_print_made(const struct cli_run *run, const struct cli_made *made, size_t count);

/* ---- the commands ---- */

int cli_run_operation(const struct cli_run *run);
int cli_run_status(const struct cli_run *run);
int cli_run_cluster_time(const struct cli_run *run);
int cli_run_cluster_init(const struct cli_run *run);

/* What a restored cluster is born from; borrows. */
struct cli_restored {
    const char *cluster;                            /* its name, where no other is given */
    const char *image;                              /* file that tenured --init reads */
    uint64_t position;                              /* of the backup */
    uint64_t time;                                  /* T there */
    const uint8_t *incarnation, *digest, *hash_key; /* 16 bytes each */
    const struct op_limits *limits;
};
/* Are the options good, and is it late enough? False: `ret_code` too. */
bool cli_birth_check(const struct cli_run *run, const struct cli_restored *restored,
                     struct cli_error *ret_error, enum cli_exit *ret_code);
/* Writes the bootstrap file. `restored`: NULL for a new cluster. */
bool cli_birth_write(const struct cli_run *run, const struct cli_restored *restored,
                     const char *path, struct cli_error *ret_error);
int cli_run_snapshot_save(const struct cli_run *run);
int cli_run_snapshot_inspect(const struct cli_run *run);
int cli_run_snapshot_restore(const struct cli_run *run);
/* The replicated limits with their bounds, for its help. */
void cli_print_limits(FILE *out);
int cli_run_pki_init(const struct cli_run *run);
int cli_run_pki_issue(const struct cli_run *run);
int cli_run_help(const struct cli_run *run);
int cli_run_version(const struct cli_run *run);
int cli_run_completion(const struct cli_run *run);
int cli_run_man(const struct cli_run *run);

#endif

/* Help, from the table of commands; and the version. */
#include <string.h>

#include "client-lib/cli/cli.h"
#include "client-lib/cli/json.h"

enum { COLUMN = 22 };

static bool takes_connection(const struct cli_command *command)
{
    return strcmp(command->group, "Operations") == 0 || strcmp(command->group, "Cluster") == 0;
}

static void print_option(FILE *out, const struct cli_option *option)
{
    char left[CLI_WORD_MAX + CLI_ARGUMENT_MAX + 8];
    int width = snprintf(left, sizeof(left), "%s%s%s%s", option->letter != 0 ? "-o, --" : "--",
                         option->name, option->argument[0] == '\0' ? "" : " ", option->argument);
    if (option->letter != 0) {
        left[1] = option->letter;
    }
    fprintf(out, "  %-*s%s", COLUMN, left, width >= COLUMN ? "\n  " : "");
    fprintf(out, "%*s%s%s%s\n", width >= COLUMN ? COLUMN : 0, "", option->help,
            option->required ? " (required)" : "", option->repeatable ? " (repeatable)" : "");
}

static void print_options(FILE *out, const char *title, const struct cli_option *options,
                          size_t count)
{
    if (count > 0) {
        fprintf(out, "\n%s:\n", title);
    }
    for (size_t i = 0; i < count; i++) {
        print_option(out, &options[i]);
    }
}

static const char values_help[] =
    "\nValues:\n"
    "  DURATION  numbers with units us ms s m h d: 90s, 1h30m\n"
    "  ID        32 hexadecimal digits\n"
    "  BYTES     the text itself, hex:DIGITS, @FILE, @- (standard input), or text:ANYTHING\n"
    "  TOKEN     the token's text, @FILE or @-\n";

const char *cli_exit_text(enum cli_exit code)
{
    switch (code) {
    case CLI_DONE:
        return "done";
    case CLI_LOCAL:
        return "local failure: a file, a certificate, this machine";
    case CLI_USAGE:
        return "wrong usage: a command, an option or a value";
    case CLI_REFUSED:
        return "refused by the cluster: definite, nothing changed";
    case CLI_RETRIES:
        return "retries exhausted: definite, nothing happened before the deadline";
    case CLI_UNCERTAIN:
        break;
    }
    return "unknown outcome: it may have happened";
}

static void print_exits(FILE *out)
{
    fprintf(out, "\nExit codes:\n");
    for (int code = CLI_DONE; code <= CLI_UNCERTAIN; code++) {
        fprintf(out, "  %d  %s\n", code, cli_exit_text((enum cli_exit)code));
    }
}

void cli_help(FILE *out, const struct cli_table *table)
{
    const char *group = "";
    fprintf(out, "Usage: tenurectl [OPTION]... COMMAND [OPTION]...\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct cli_command *command = &table->commands[i];
        if (strcmp(group, command->group) != 0) {
            group = command->group;
            fprintf(out, "\n%s:\n", group);
        }
        fprintf(out, "  %-*s%s\n", COLUMN, command->words, command->help);
    }
    print_options(out, "Options", table->common, table->common_count);
    fprintf(out, "\nservers, ca, cert, key, tenant and timeout also come from the environment\n"
                 "(TENURE_SERVERS, ..., TENURE_TIMEOUT) and from the file that --config or\n"
                 "TENURE_CONFIG names. An option that a command has too is the command's when it\n"
                 "stands behind the command: \"tenurectl --key FILE state put --key NAME\".\n"
                 "\n\"tenurectl COMMAND --help\" says more of a command.\n");
    print_exits(out);
}

void cli_command_help(FILE *out, const struct cli_table *table, const struct cli_command *command)
{
    fprintf(out, "Usage: tenurectl %s%s%s%s\n\n%s.\n", command->words,
            command->positional == NULL ? "" : " ",
            command->positional == NULL ? "" : command->positional,
            command->option_count > 0 ? " OPTION..." : "", command->help);
    if (command->row != NULL && command->row->needs[0] != '\0') {
        fprintf(out, "The session or task has to hold the permission %s.\n", command->row->needs);
    }
    print_options(out, "Options", command->options, command->option_count);
    if (command->run == cli_run_cluster_init) {
        cli_print_limits(out);
    }
    if (takes_connection(command)) {
        print_options(out, "Connection and output", table->common, table->common_count);
    }
    fprintf(out, "%s", command->row == NULL ? "" : values_help);
    print_exits(out);
}

/* ---- for programs ---- */

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, json_string(text));
}

static json_t *options_json(const struct cli_option *options, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *option = json_object();
        set_text(option, "name", options[i].name);
        set_text(option, "argument", options[i].argument);
        set_text(option, "help", options[i].help);
        json_object_set_new(option, "required", json_boolean(options[i].required));
        json_object_set_new(option, "repeatable", json_boolean(options[i].repeatable));
        json_array_append_new(list, option);
    }
    return list;
}

static json_t *command_json(const struct cli_command *command)
{
    json_t *object = json_object();
    set_text(object, "command", command->words);
    set_text(object, "help", command->help);
    if (command->positional != NULL) {
        set_text(object, "argument", command->positional);
    }
    if (command->row != NULL) {
        set_text(object, "needs", command->row->needs);
    }
    json_object_set_new(object, "options", options_json(command->options, command->option_count));
    return object;
}

static json_t *table_json(const struct cli_table *table)
{
    json_t *object = json_object();
    json_t *commands = json_array();
    for (size_t i = 0; i < table->count; i++) {
        json_array_append_new(commands, command_json(&table->commands[i]));
    }
    json_object_set_new(object, "commands", commands);
    json_object_set_new(object, "options", options_json(table->common, table->common_count));
    return object;
}

void cli_show_help(const struct cli_run *run, const struct cli_command *command)
{
    if (run->output == CLI_JSON) {
        cli_print_json(stdout, command == NULL ? table_json(run->table) : command_json(command));
    } else if (command == NULL) {
        cli_help(stdout, run->table);
    } else {
        cli_command_help(stdout, run->table, command);
    }
}

/* ---- the commands ---- */

int cli_run_help(const struct cli_run *run)
{
    const struct cli_command *command = NULL;
    if (run->positional != NULL) {
        command = cli_find(run->table, run->positional);
    }
    if (run->positional != NULL && command == NULL) {
        struct cli_error error;
        (void)cli_fail(&error, "\"%s\" is no command: see tenurectl help", run->positional);
        return cli_complain(run->output, error.text, CLI_USAGE);
    }
    cli_show_help(run, command);
    return CLI_DONE;
}

int cli_run_version(const struct cli_run *run)
{
    if (run->output == CLI_JSON) {
        cli_print_json(stdout, json_pack("{s:s}", "version", TENURE_VERSION));
    } else {
        printf("tenurectl " TENURE_VERSION "\n");
    }
    return CLI_DONE;
}

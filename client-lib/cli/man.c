/* The manual page tenurectl(1), from the table of commands and the tables of op. Prints troff (the
 * man macros) and formats nothing. */
#include <inttypes.h>
#include <string.h>

#include "base/troff.h"
#include "client-lib/cli/cli.h"

enum { TEXT_MAX = 1024 };

/* Prints `words` as they stand, between two pieces of troff. */
static void put(const char *before, const char *words, const char *after)
{
    char escaped[TEXT_MAX];
    base_troff(escaped, sizeof(escaped), words);
    printf("%s%s%s", before, escaped, after);
}

static void options(const struct cli_option *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf(".TP\n");
        if (list[i].letter != 0) {
            printf("\\fB\\-%c\\fR, ", list[i].letter);
        }
        put("\\fB\\-\\-", list[i].name, "\\fR");
        put(list[i].argument[0] == '\0' ? "" : " \\fI", list[i].argument,
            list[i].argument[0] == '\0' ? "\n" : "\\fR\n");
        put("", list[i].help, "");
        printf("%s%s.\n", list[i].required ? " (required)" : "",
               list[i].repeatable ? " (repeatable)" : "");
    }
}

/* Who may ask, what for, and what is printed. */
static void operation(const struct op_row *row)
{
    bool service = (row->roles & OP_ROLE_SERVICE) != 0;
    bool operator_too = (row->roles & OP_ROLE_OPERATOR) != 0;
    printf(".PP\nFor %s%s%s; a %s.\n", service ? "services" : "",
           service && operator_too ? " and " : "", operator_too ? "operators" : "",
           op_access_text(row->access));
    if (row->needs[0] != '\0') {
        put("The session or task has to hold the permission\n.BR ", row->needs, " .\n");
    }
    if (row->reply->field_count > 0) {
        printf("Prints:\n");
    }
    for (size_t i = 0; i < row->reply->field_count; i++) {
        put(".TP\n.I ", row->reply->fields[i].name, "\n");
        put("", row->reply->fields[i].help, "");
        printf("%s.\n", row->reply->fields[i].required ? "" : " (where it applies)");
    }
}

static void command(const struct cli_command *command)
{
    put(".SS ", command->words, "\n");
    put("\\fBtenurectl ", command->words, "\\fR");
    if (command->positional != NULL) {
        put(" \\fI", command->positional, "\\fR");
    }
    printf("%s\n.PP\n", command->option_count > 0 ? " \\fIOPTION\\fR..." : "");
    put("", command->help, ".\n");
    options(command->options, command->option_count);
    if (command->row != NULL) {
        operation(command->row);
    }
}

static void commands(const struct cli_table *table)
{
    const char *group = "";
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(group, table->commands[i].group) != 0) {
            group = table->commands[i].group;
            put(".SH COMMANDS: ", group, "\n");
        }
        command(&table->commands[i]);
    }
}

static void limits(void)
{
    printf(".SH LIMITS\nWhat\n.B cluster init\ntakes as\n.B \\-\\-limit\n.IR NAME=VALUE ;\n"
           "times are in microseconds.\n");
#define LIMIT_(tag, name, standard, least, greatest, help)                                         \
    put(".TP\n.I ", #name, "\n");                                                                  \
    put("", help, "");                                                                             \
    printf("; default %" PRIu64 ", from %" PRIu64 " to %" PRIu64 ".\n", (uint64_t)(standard),      \
           (uint64_t)(least), (uint64_t)(greatest));
    OP_LIMITS(LIMIT_)
#undef LIMIT_
}

static void outcomes(void)
{
    printf(".SH OUTCOMES\nWhat the cluster answers, and the exit status that it gives.\n");
#define OUTCOME_(number, NAME, CLASS, message)                                                     \
    put(".TP\n.B ", #NAME, "\n");                                                                  \
    printf("%d (" #CLASS "): ", (int)cli_exit_of((enum tenure_outcome)number));                    \
    put("", message, "; ");                                                                        \
    put("", cli_advice((enum tenure_outcome)number), ".\n");
    OP_OUTCOMES(OUTCOME_)
#undef OUTCOME_
}

static void environment(const struct cli_table *table)
{
    printf(".SH ENVIRONMENT\nOptions win over the environment, the environment over the file.\n");
    for (size_t i = 0; i < table->common_count; i++) {
        char variable[CLI_WORD_MAX];
        const struct cli_option *option = &table->common[i];
        if (cli_is_setting(option->name)) {
            cli_setting_environment(option->name, variable);
            put(".TP\n.B ", variable, "\n");
            put("As\n.BR \\-\\-", option->name, " .\n");
        }
    }
}

static const char head[] =
    ".TH TENURECTL 1 " TENURE_DATE " \"Tenure " TENURE_VERSION "\" \"Tenure\"\n"
    ".SH NAME\ntenurectl \\- Tenure on the command line\n"
    ".SH SYNOPSIS\n"
    ".B tenurectl\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
    ".SH DESCRIPTION\n"
    ".B tenurectl\ncalls a cluster of Tenure, a distributed session service: each operation of "
    "the\n"
    "cluster is one command, whose options are the operation\\(aqs fields.\n"
    "It also shows what the servers say of themselves, writes the file that a cluster is born "
    "from,\n"
    "and issues certificates.\n"
    ".PP\n"
    "What stands before the command belongs to the connection. An option that a command has too "
    "is\n"
    "the command\\(aqs when it stands behind the command:\n"
    ".PP\n.RS 4\n.EX\ntenurectl \\-\\-key FILE state put \\-\\-key NAME ...\n.EE\n.RE\n"
    ".PP\n"
    "Each run is a new client of the cluster: what ended with an unknown outcome may have "
    "happened,\n"
    "and running the command again is another request.\n";

static const char values[] =
    ".SH VALUES\n"
    ".TP\n.I DURATION\nNumbers with units us ms s m h d: 90s, 1h30m.\n"
    ".TP\n.I ID\n32 hexadecimal digits.\n"
    ".TP\n.I BYTES\nThe text itself, hex:DIGITS, @FILE, @\\- (standard input), or text:ANYTHING.\n"
    ".TP\n.I TOKEN\nThe token\\(aqs text, @FILE or @\\-: so that the secret does not show in the "
    "list\n"
    "of processes.\n";

static const char output[] =
    ".SH OUTPUT\n"
    "Results go to standard output, one field a line, or as one JSON object in a line with\n"
    ".BR \"\\-o json\" .\n"
    "What was not done is one line on standard error that begins with \\(lqtenurectl:\\(rq and\n"
    "says what to do, or one JSON object there: its key\n.I class\nis LOCAL, USAGE, REFUSED,\n"
    "RETRY or UNKNOWN, one for each exit status, and\n.I message\n"
    "is for a person; an answer of the\n"
    "cluster has\n.IR outcome ,\n.I advice\nand\n.I details\ntoo.\n"
    "Help and version are objects as well; what\n.B man\nand\n.B completion\nprint is the same\n"
    "in both forms.\n";

static const char tail[] =
    ".SH FILES\n"
    "The file that\n.B \\-\\-config\nor\n.B TENURE_CONFIG\nnames is YAML; relative paths in it "
    "are\n"
    "taken from its own folder:\n"
    ".PP\n.RS 4\n.EX\n"
    "servers:\n  \\- \\(dq10.0.0.1:7400\\(dq\n  \\- \\(dq10.0.0.2:7400\\(dq\n"
    "  \\- \\(dq10.0.0.3:7400\\(dq\n"
    "ca: ca.pem\ncert: web.pem\nkey: web.key\ntimeout: 5s\n"
    ".EE\n.RE\n"
    ".SH EXAMPLES\n.EX\n"
    "tenurectl pki init \\-\\-out pki\n"
    "tenurectl pki issue \\-\\-ca pki \\-\\-identity tenure://prod/acme/service/web \\-\\-out web\n"
    "tenurectl \\-\\-config client.yaml session create \\-\\-user alice \\-\\-agent helper \\e\n"
    "    \\-\\-idle 30m \\-\\-absolute 8h \\-\\-grants tool:run=2s\n"
    "tenurectl \\-\\-config client.yaml \\-o json status\n"
    ".EE\n"
    ".SH SEE ALSO\n.BR tenured (8),\n.BR tenured.yaml (5)\n";

int cli_run_man(const struct cli_run *run)
{
    const struct cli_table *table = run->table;
    printf("%s.SH OPTIONS\n", head);
    options(table->common, table->common_count);
    commands(table);
    printf("%s", values);
    limits();
    printf("%s.SH EXIT STATUS\n", output);
    for (int code = CLI_DONE; code <= CLI_UNCERTAIN; code++) {
        printf(".TP\n.B %d\n", code);
        put("", cli_exit_text((enum cli_exit)code), ".\n");
    }
    outcomes();
    environment(table);
    printf("%s", tail);
    return CLI_DONE;
}

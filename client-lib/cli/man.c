/* The manual page of tenurectl, from the table of commands. */
#include "client-lib/cli/cli.h"

/* Text as troff takes it: no line begins a request, no backslash an escape. */
static void text(const char *words)
{
    if (*words == '.' || *words == '\'') {
        printf("\\&");
    }
    for (; *words != '\0'; words++) {
        if (*words == '\\') {
            printf("\\e");
        } else {
            printf(*words == '-' ? "\\%c" : "%c", *words);
        }
    }
}

static void options(const struct cli_option *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf(".TP\n.B \\-\\-");
        text(list[i].name);
        if (list[i].argument[0] != '\0') {
            printf(" \\fI");
            text(list[i].argument);
            printf("\\fR");
        }
        printf("\n");
        text(list[i].help);
        printf("%s%s.\n", list[i].required ? " (required)" : "",
               list[i].repeatable ? " (repeatable)" : "");
    }
}

int cli_run_man(const struct cli_run *run)
{
    const struct cli_table *table = run->table;
    printf(".TH TENURECTL 1 \"\" \"Tenure " TENURE_VERSION "\"\n"
           ".SH NAME\ntenurectl \\- Tenure on the command line\n"
           ".SH SYNOPSIS\n.B tenurectl\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
           ".SH OPTIONS\n");
    options(table->common, table->common_count);
    printf(".SH COMMANDS\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct cli_command *command = &table->commands[i];
        printf(".SS ");
        text(command->words);
        printf("\n");
        text(command->help);
        printf(".\n");
        options(command->options, command->option_count);
    }
    printf(".SH EXIT STATUS\n"
           "0 done; 1 local failure; 2 usage; 3 refused; 4 retries exhausted, nothing happened; "
           "5 unknown outcome.\n");
    return CLI_DONE;
}

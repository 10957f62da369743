/* What the three completions know of a command's words: which values an option takes, which words
 * follow which. Prints nothing. */
#ifndef CLIENT_LIB_CLI_COMPLETION_H
#define CLIENT_LIB_CLI_COMPLETION_H

#include "client-lib/cli/cli.h"

enum cli_value {
    CLI_VALUE_NONE,   /* a flag */
    CLI_VALUE_FREE,   /* nothing that a shell could know */
    CLI_VALUE_PATH,   /* a file or folder */
    CLI_VALUE_AT,     /* a file behind "@", among others */
    CLI_VALUE_CHOICE, /* one of some words: cli_choices */
};

enum cli_value cli_value_of(const char *argument);
/* "table|json" as "table json": the words that stand for themselves, so without "TIME_US". False:
 * there are none. */
bool cli_choices(const char *argument, char separator, char ret_text[CLI_ARGUMENT_MAX]);

/* "create" of "session create"; NULL when the command has one word. */
const char *cli_second_word(const struct cli_command *command);
/* Bytes of the first word. */
int cli_first_word(const struct cli_command *command);
/* No command before this one in the table has the same first word. */
bool cli_begins_group(const struct cli_table *table, size_t index);
/* These two have the same first word. */
bool cli_in_group(const struct cli_table *table, size_t group, size_t index);
bool cli_has_option(const struct cli_command *command, const char *name);

void cli_completion_zsh(const struct cli_table *table);
void cli_completion_fish(const struct cli_table *table);

#endif

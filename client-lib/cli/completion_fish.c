/* Completion of tenurectl for fish: one line a word or an option. Knows no command. */
#include "client-lib/cli/completion.h"

/* Text within '…'. */
static void quoted(const char *text)
{
    for (; *text != '\0'; text++) {
        printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    }
}

/* What the option takes: no file where none is meant. */
static void value(const char *argument)
{
    char choices[CLI_ARGUMENT_MAX];
    switch (cli_value_of(argument)) {
    case CLI_VALUE_NONE:
        return;
    case CLI_VALUE_FREE:
        printf(" -x");
        return;
    case CLI_VALUE_AT:
    case CLI_VALUE_PATH:
        printf(" -r -F");
        return;
    case CLI_VALUE_CHOICE:
        (void)cli_choices(argument, ' ', choices);
        printf(" -x -a '%s'", choices);
        return;
    }
}

static void option(const char *condition, const struct cli_option *option)
{
    printf("complete -c tenurectl%s -l %s", condition, option->name);
    if (option->letter != 0) {
        printf(" -s %c", option->letter);
    }
    value(option->argument);
    printf(" -d '");
    quoted(option->help);
    printf("'\n");
}

static void command_options(const struct cli_command *command)
{
    char condition[CLI_WORD_MAX + 48];
    snprintf(condition, sizeof(condition), " -n '__tenurectl_runs \"%s\"'", command->words);
    for (size_t i = 0; i < command->option_count; i++) {
        option(condition, &command->options[i]);
    }
    char choices[CLI_ARGUMENT_MAX];
    if (command->positional != NULL && cli_choices(command->positional, ' ', choices)) {
        printf("complete -c tenurectl%s -x -a '%s'\n", condition, choices);
    }
}

/* Its first word after nothing, its second after the first. */
static void command_words(const struct cli_table *table, size_t index)
{
    const struct cli_command *command = &table->commands[index];
    const char *second = cli_second_word(command);
    int size = cli_first_word(command);
    if (cli_begins_group(table, index)) {
        printf("complete -c tenurectl -n '__tenurectl_typed_is \"\"' -a '%.*s' -d '", size,
               command->words);
        quoted(second == NULL ? command->help : "several commands");
        printf("'\n");
    }
    if (second != NULL) {
        printf("complete -c tenurectl -n '__tenurectl_typed_is \"%.*s\"' -a '%s' -d '", size,
               command->words, second);
        quoted(command->help);
        printf("'\n");
    }
}

void cli_completion_fish(const struct cli_table *table)
{
    printf("# Completion of tenurectl for fish. Printed by \"tenurectl completion fish\".\n\n"
           "# The words typed so far, without options before the command and their values.\n"
           "function __tenurectl_typed\n"
           "    set -l words\n"
           "    set -l skip no\n"
           "    for word in (commandline -opc)[2..-1]\n"
           "        if test $skip = yes\n"
           "            set skip no\n"
           "            continue\n"
           "        end\n"
           "        switch $word\n"
           "            case");
    for (size_t i = 0; i < table->common_count; i++) {
        if (table->common[i].argument[0] != '\0') {
            printf(" --%s", table->common[i].name);
        }
        if (table->common[i].argument[0] != '\0' && table->common[i].letter != 0) {
            printf(" -%c", table->common[i].letter);
        }
    }
    printf("\n"
           "                set skip yes\n"
           "            case '-*'\n"
           "            case '*'\n"
           "                set -a words $word\n"
           "        end\n"
           "    end\n"
           "    if test \"$words[1]\" = help\n"
           "        set -e words[1]\n"
           "    end\n"
           "    string join ' ' -- $words\n"
           "end\n\n"
           "function __tenurectl_typed_is\n"
           "    test \"$(__tenurectl_typed)\" = \"$argv[1]\"\n"
           "end\n\n"
           "function __tenurectl_runs\n"
           "    string match -q -- \"$argv[1] *\" \"$(__tenurectl_typed) \"\n"
           "end\n\n"
           "complete -c tenurectl -f\n");
    for (size_t i = 0; i < table->common_count; i++) {
        option("", &table->common[i]);
    }
    for (size_t i = 0; i < table->count; i++) {
        command_words(table, i);
    }
    for (size_t i = 0; i < table->count; i++) {
        command_options(&table->commands[i]);
    }
}

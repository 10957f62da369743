/* Completion of tenurectl for zsh, by its own _arguments and _describe. Knows no command. */
#include <string.h>

#include "client-lib/cli/completion.h"

/* Text within '…' and within _arguments' brackets or _describe's first field. */
static void quoted(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            printf("'\\''");
        } else {
            printf(strchr("[]:\\", *text) != NULL ? "\\%c" : "%c", *text);
        }
    }
}

static void action(const char *argument)
{
    char choices[CLI_ARGUMENT_MAX];
    switch (cli_value_of(argument)) {
    case CLI_VALUE_NONE:
        return;
    case CLI_VALUE_FREE:
    case CLI_VALUE_AT:
        printf(":");
        quoted(argument);
        printf(": ");
        return;
    case CLI_VALUE_PATH:
        printf(":");
        quoted(argument);
        printf(":_files");
        return;
    case CLI_VALUE_CHOICE:
        (void)cli_choices(argument, ' ', choices);
        printf(":");
        quoted(argument);
        printf(":(%s)", choices);
        return;
    }
}

static void option(const struct cli_option *option)
{
    const char *equals = option->argument[0] == '\0' ? "" : "=";
    printf("\n            '%s--%s%s[", option->repeatable ? "*" : "", option->name, equals);
    quoted(option->help);
    printf("]");
    action(option->argument);
    printf("'");
    if (option->letter != 0) {
        printf(" '-%c[", option->letter);
        quoted(option->help);
        printf("]");
        action(option->argument);
        printf("'");
    }
}

/* Common options too, but those whose name the command uses for something else. */
static void options_of(const struct cli_table *table, const struct cli_command *command)
{
    printf("        ('%s')\n            specs=(", command->words);
    for (size_t i = 0; i < command->option_count; i++) {
        option(&command->options[i]);
    }
    for (size_t i = 0; i < table->common_count; i++) {
        if (!cli_has_option(command, table->common[i].name)) {
            option(&table->common[i]);
        }
    }
    char choices[CLI_ARGUMENT_MAX];
    if (command->positional != NULL && cli_choices(command->positional, ' ', choices)) {
        printf("\n            ':");
        quoted(command->positional);
        printf(":(%s)'", choices);
    }
    printf(") ;;\n");
}

static void described(const char *word, int size, const char *help)
{
    printf("\n                '%.*s", size, word);
    printf(":");
    quoted(help);
    printf("'");
}

/* Behind the first word: the second ones. */
static void seconds(const struct cli_table *table, size_t group)
{
    printf("            ('%.*s') list=(", cli_first_word(&table->commands[group]),
           table->commands[group].words);
    for (size_t i = group; i < table->count; i++) {
        const char *second = cli_second_word(&table->commands[i]);
        if (cli_in_group(table, group, i) && second != NULL) {
            described(second, (int)strlen(second), table->commands[i].help);
        }
    }
    printf(") ;;\n");
}

static void words(const struct cli_table *table)
{
    printf("            ('') list=(");
    for (size_t i = 0; i < table->count; i++) {
        const struct cli_command *command = &table->commands[i];
        if (cli_begins_group(table, i)) {
            described(command->words, cli_first_word(command),
                      cli_second_word(command) == NULL ? command->help : "several commands");
        }
    }
    printf(") ;;\n");
    for (size_t i = 0; i < table->count; i++) {
        if (cli_begins_group(table, i) && cli_second_word(&table->commands[i]) != NULL) {
            seconds(table, i);
        }
    }
}

static void common_with_value(const struct cli_table *table)
{
    for (size_t i = 0; i < table->common_count; i++) {
        const struct cli_option *common = &table->common[i];
        if (common->argument[0] != '\0') {
            printf("%s--%s", i == 0 ? "" : "|", common->name);
        }
        if (common->argument[0] != '\0' && common->letter != 0) {
            printf("|-%c", common->letter);
        }
    }
}

void cli_completion_zsh(const struct cli_table *table)
{
    printf("#compdef tenurectl\n"
           "# Completion of tenurectl for zsh. Printed by \"tenurectl completion zsh\".\n\n"
           "# Sets `specs`; fails when this is no command.\n"
           "_tenurectl_options() {\n    case $1 in\n        ('')\n            specs=(");
    for (size_t i = 0; i < table->common_count; i++) {
        option(&table->common[i]);
    }
    printf(") ;;\n");
    for (size_t i = 0; i < table->count; i++) {
        options_of(table, &table->commands[i]);
    }
    printf("        (*) return 1 ;;\n    esac\n}\n\n"
           "_tenurectl() {\n"
           "    local -a specs list\n"
           "    local typed= skip= found= word\n"
           "    local -i i\n"
           "    _tenurectl_options ''\n"
           "    for ((i = 2; i < CURRENT; i++)); do\n"
           "        word=${words[i]}\n"
           "        if [[ -n $skip ]]; then\n"
           "            skip=\n"
           "            continue\n"
           "        fi\n"
           "        case $word in\n"
           "            (");
    common_with_value(table);
    printf(") skip=1 ;;\n"
           "            (-*) ;;\n"
           "            (*)\n"
           "                [[ $typed$word == help ]] && continue\n"
           "                typed=\"${typed:+$typed }$word\"\n"
           "                if _tenurectl_options $typed; then found=1; break; fi ;;\n"
           "        esac\n"
           "    done\n"
           "    if [[ -n $found ]]; then\n"
           "        words=(\"tenurectl $typed\" \"${(@)words[i + 1,-1]}\")\n"
           "        (( CURRENT -= i - 1 ))\n"
           "        _arguments -s : $specs\n"
           "    elif [[ -n $skip || ${words[CURRENT]} == -* ]]; then\n"
           "        _arguments -s : $specs\n"
           "    else\n"
           "        case $typed in\n");
    words(table);
    printf("        esac\n"
           "        _describe -t commands 'command' list\n"
           "    fi\n"
           "}\n\n"
           "if [[ $funcstack[1] == _tenurectl ]]; then\n"
           "    _tenurectl \"$@\"\n"
           "else\n"
           "    (( $+functions[compdef] )) && compdef _tenurectl tenurectl\n"
           "fi\n");
}

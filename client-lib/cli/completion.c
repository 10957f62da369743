/* Completion of tenurectl for three shells, from the table of commands: what a word may be, and the
 * form of bash. Knows no command. */
#include <ctype.h>
#include <string.h>

#include "client-lib/cli/cli.h"
#include "client-lib/cli/completion.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static bool is_choice(const char *word, size_t size)
{
    bool lower = size > 0;
    for (size_t i = 0; i < size; i++) {
        lower = lower && (islower((unsigned char)word[i]) || word[i] == '_');
    }
    return lower;
}

bool cli_choices(const char *argument, char separator, char ret_text[CLI_ARGUMENT_MAX])
{
    size_t used = 0;
    const char *at = argument;
    ret_text[0] = '\0';
    while (strchr(argument, '|') != NULL && *at != '\0') {
        size_t size = strcspn(at, "|");
        if (is_choice(at, size)) {
            used += (size_t)snprintf(ret_text + used, CLI_ARGUMENT_MAX - used, "%s%.*s",
                                     used == 0 ? "" : (char[]){separator, '\0'}, (int)size, at);
        }
        at += at[size] == '|' ? size + 1 : size;
    }
    return used > 0;
}

enum cli_value cli_value_of(const char *argument)
{
    static const struct {
        const char *argument;
        enum cli_value value;
    } known[] = {{"", CLI_VALUE_NONE},       {"FILE", CLI_VALUE_PATH}, {"FOLDER", CLI_VALUE_PATH},
                 {"PREFIX", CLI_VALUE_PATH}, {"BYTES", CLI_VALUE_AT},  {"TOKEN", CLI_VALUE_AT}};
    for (size_t i = 0; i < LENGTH(known); i++) {
        if (strcmp(known[i].argument, argument) == 0) {
            return known[i].value;
        }
    }
    char choices[CLI_ARGUMENT_MAX];
    return cli_choices(argument, ' ', choices) ? CLI_VALUE_CHOICE : CLI_VALUE_FREE;
}

const char *cli_second_word(const struct cli_command *command)
{
    const char *space = strchr(command->words, ' ');
    return space == NULL ? NULL : space + 1;
}

int cli_first_word(const struct cli_command *command)
{
    return (int)strcspn(command->words, " ");
}

bool cli_begins_group(const struct cli_table *table, size_t index)
{
    int size = cli_first_word(&table->commands[index]);
    for (size_t i = 0; i < index; i++) {
        if (cli_first_word(&table->commands[i]) == size &&
            memcmp(table->commands[i].words, table->commands[index].words, (size_t)size) == 0) {
            return false;
        }
    }
    return true;
}

bool cli_in_group(const struct cli_table *table, size_t group, size_t index)
{
    int size = cli_first_word(&table->commands[group]);
    return cli_first_word(&table->commands[index]) == size &&
           memcmp(table->commands[group].words, table->commands[index].words, (size_t)size) == 0;
}

bool cli_has_option(const struct cli_command *command, const char *name)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (strcmp(command->options[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- bash ---- */

/* "/" a path, "@" a path behind an at sign, "." anything, or the words themselves. */
static void bash_value(const char *argument)
{
    char choices[CLI_ARGUMENT_MAX];
    switch (cli_value_of(argument)) {
    case CLI_VALUE_NONE:
        return;
    case CLI_VALUE_FREE:
        printf("=.");
        return;
    case CLI_VALUE_PATH:
        printf("=/");
        return;
    case CLI_VALUE_AT:
        printf("=@");
        return;
    case CLI_VALUE_CHOICE:
        (void)cli_choices(argument, '|', choices);
        printf("=%s", choices);
        return;
    }
}

static void bash_row(const char *words, const char *positional, const struct cli_option *options,
                     size_t count)
{
    char choices[CLI_ARGUMENT_MAX] = "";
    bool has = positional != NULL && cli_choices(positional, '|', choices);
    printf("%s\t%s\t", words, has ? choices : "-");
    for (size_t i = 0; i < count; i++) {
        printf(" --%s", options[i].name);
        bash_value(options[i].argument);
        if (options[i].letter != 0) {
            printf(" -%c", options[i].letter);
            bash_value(options[i].argument);
        }
    }
    printf("\n");
}

static const char bash_functions[] =
    "# Sets `options`, and `positional` when this is a command; fails when it is none.\n"
    "_tenurectl_row() {\n"
    "    local name place list found=1 common=()\n"
    "    options=() positional=-\n"
    "    while IFS=$'\\t' read -r name place list; do\n"
    "        if [ \"$name\" = - ]; then\n"
    "            read -ra common <<<\"$list\"\n"
    "        elif [ \"$name\" = \"$1\" ]; then\n"
    "            read -ra options <<<\"$list\"\n"
    "            positional=$place found=0\n"
    "        fi\n"
    "    done <<<\"$_tenurectl_table\"\n"
    "    options+=(\"${common[@]}\")\n"
    "    return $found\n"
    "}\n"
    "\n"
    "# Sets `value` to what the option takes; fails when it takes nothing.\n"
    "_tenurectl_takes() {\n"
    "    local option\n"
    "    for option in \"${options[@]}\"; do\n"
    "        [ \"${option%%=*}\" = \"$1\" ] || continue\n"
    "        value=${option#\"$1\"}\n"
    "        value=${value#=}\n"
    "        [ -n \"$value\" ]\n"
    "        return\n"
    "    done\n"
    "    return 1\n"
    "}\n"
    "\n"
    "_tenurectl_value() {\n"
    "    case $1 in\n"
    "        . | -) ;;\n"
    "        /) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$2\")) ;;\n"
    "        @) if [[ $2 == @* ]]; then COMPREPLY=($(compgen -P @ -f -- \"${2#@}\")); fi ;;\n"
    "        *) COMPREPLY=($(compgen -W \"${1//|/ }\" -- \"$2\")) ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# The words that may follow the first ones of a command.\n"
    "_tenurectl_words() {\n"
    "    local name rest words=\n"
    "    while IFS=$'\\t' read -r name rest; do\n"
    "        [ \"$name\" != - ] || continue\n"
    "        if [ -z \"$1\" ]; then\n"
    "            words+=\" ${name%% *}\"\n"
    "        elif [[ $name == \"$1 \"* ]]; then\n"
    "            words+=\" ${name#\"$1 \"}\"\n"
    "        fi\n"
    "    done <<<\"$_tenurectl_table\"\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$2\" | sort -u))\n"
    "}\n"
    "\n"
    "_tenurectl() {\n"
    "    local IFS=$' \\t\\n' word i typed= found= skip= value= positional=- options=()\n"
    "    local current=${COMP_WORDS[COMP_CWORD]#=}\n"
    "    COMPREPLY=()\n"
    "    _tenurectl_row -\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [ \"$word\" = = ]; then\n"
    "            continue\n"
    "        elif [ -n \"$skip\" ]; then\n"
    "            skip=\n"
    "        elif [[ $word == -* ]]; then\n"
    "            if _tenurectl_takes \"$word\"; then skip=1; fi\n"
    "        elif [ -z \"$found\" ] && [ \"$typed$word\" != help ]; then\n"
    "            typed=${typed:+$typed }$word\n"
    "            if _tenurectl_row \"$typed\"; then found=1; fi\n"
    "        fi\n"
    "    done\n"
    "    if [ -n \"$skip\" ]; then\n"
    "        _tenurectl_value \"$value\" \"$current\"\n"
    "    elif [[ $current == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"${options[*]%%=*}\" -- \"$current\"))\n"
    "    elif [ -n \"$found\" ]; then\n"
    "        _tenurectl_value \"$positional\" \"$current\"\n"
    "    else\n"
    "        _tenurectl_words \"$typed\" \"$current\"\n"
    "    fi\n"
    "}\n"
    "complete -F _tenurectl tenurectl\n";

static void bash(const struct cli_table *table)
{
    printf("# Completion of tenurectl for bash. Printed by \"tenurectl completion bash\".\n\n"
           "# A command, the words that may stand behind it, its options and what they take;\n"
           "# first the options of all commands.\n"
           "_tenurectl_table='");
    bash_row("-", NULL, table->common, table->common_count);
    for (size_t i = 0; i < table->count; i++) {
        const struct cli_command *command = &table->commands[i];
        bash_row(command->words, command->positional, command->options, command->option_count);
    }
    printf("'\n\n%s", bash_functions);
}

int cli_run_completion(const struct cli_run *run)
{
    static const struct {
        const char *shell;
        void (*print)(const struct cli_table *table);
    } shells[] = {{"bash", bash}, {"zsh", cli_completion_zsh}, {"fish", cli_completion_fish}};
    for (size_t i = 0; i < LENGTH(shells); i++) {
        if (strcmp(shells[i].shell, run->positional) == 0) {
            shells[i].print(run->table);
            return CLI_DONE;
        }
    }
    return cli_complain(run->output, "completion: give bash, zsh or fish", CLI_USAGE);
}

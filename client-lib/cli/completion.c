/* Completions of commands and options for three shells. Completes no values. */
#include <string.h>

#include "client-lib/cli/cli.h"

/* Each command is told to a printer of one shell's form. */
typedef void (*word_printer)(const char *words, const struct cli_option *option);

static void each_option(const struct cli_table *table, word_printer print)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct cli_command *command = &table->commands[i];
        for (size_t k = 0; k < command->option_count; k++) {
            print(command->words, &command->options[k]);
        }
    }
}

static void print_names(const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf(" --%s", options[i].name);
    }
}

/* A `case` of bash and zsh alike: what may follow the words typed so far. */
static void print_cases(const struct cli_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct cli_command *command = &table->commands[i];
        printf("        \"%s\"*) words=\"", command->words);
        print_names(command->options, command->option_count);
        print_names(table->common, table->common_count);
        printf("\" ;;\n");
    }
    printf("        *) words=\"");
    for (size_t i = 0; i < table->count; i++) {
        const char *words = table->commands[i].words;
        printf("%s%s", i == 0 ? "" : " ", words);
    }
    print_names(table->common, table->common_count);
    printf("\" ;;\n");
}

static void bash(const struct cli_table *table)
{
    printf("# Completion of tenurectl for bash: source it.\n"
           "_tenurectl() {\n"
           "    local words line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
           "    case \"$line\" in\n");
    print_cases(table);
    printf("    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
           "}\n"
           "complete -o default -F _tenurectl tenurectl\n");
}

static void zsh(const struct cli_table *table)
{
    printf("#compdef tenurectl\n"
           "_tenurectl() {\n"
           "    local words_typed=\"${words[2,CURRENT-1]}\" words_known\n"
           "    () {\n"
           "        local words\n"
           "        case \"$1\" in\n");
    print_cases(table);
    printf("        esac\n"
           "        words_known=\"$words\"\n"
           "    } \"$words_typed\"\n"
           "    compadd -- ${=words_known}\n"
           "}\n"
           "compdef _tenurectl tenurectl\n");
}

static void fish_option(const char *words, const struct cli_option *option)
{
    printf("complete -c tenurectl -n '__tenurectl_typed \"%s\"' -l %s %s -d '", words, option->name,
           option->argument[0] == '\0' ? "" : "-r");
    for (const char *c = option->help; *c != '\0'; c++) {
        if (*c == '\'') {
            putchar('\\');
        }
        putchar(*c);
    }
    printf("'\n");
}

static void fish(const struct cli_table *table)
{
    printf("# Completion of tenurectl for fish.\n"
           "function __tenurectl_typed\n"
           "    string match -q -- \"$argv[1]*\" (string join ' ' (commandline -opc)[2..])\n"
           "end\n");
    for (size_t i = 0; i < table->count; i++) {
        printf("complete -c tenurectl -n '__fish_is_nth_token 1' -f -a '%s' -d '%s'\n",
               table->commands[i].words, table->commands[i].help);
    }
    each_option(table, fish_option);
}

int cli_run_completion(const struct cli_run *run)
{
    static const struct {
        const char *shell;
        void (*print)(const struct cli_table *table);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].shell, run->positional) == 0) {
            shells[i].print(run->table);
            return CLI_DONE;
        }
    }
    return cli_complain("completion: give bash, zsh or fish", CLI_USAGE);
}

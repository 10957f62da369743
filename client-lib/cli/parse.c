/* The command line: which command, which options with which texts. Knows no option's meaning.
 *
 * What stands before the command belongs to the connection; what stands behind it belongs to the
 * command first, and to the connection when the command has no option of that name.
 */
#include <string.h>

#include "client-lib/cli/cli.h"

struct parser {
    const struct cli_table *table;
    int argc;
    char **argv;
    int next;
    struct cli_given *given;
    struct cli_run *run;
    struct cli_error *error;
};

static const char *program_of(const struct cli_command *command)
{
    return command == NULL ? "" : command->words;
}

static const struct cli_option *search(const struct cli_option *options, size_t count,
                                       const char *name, size_t size, char letter)
{
    for (size_t i = 0; i < count; i++) {
        if (letter != 0
                ? options[i].letter == letter
                : strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static const struct cli_option *find_option(const struct parser *parser, const char *word)
{
    const struct cli_command *command = parser->run->command;
    bool long_form = word[1] == '-';
    const char *name = long_form ? word + 2 : word + 1;
    size_t size = strcspn(name, "=");
    char letter = long_form ? 0 : name[0];
    if (!long_form && name[1] != '\0') {
        return NULL;
    }
    const struct cli_option *option = NULL;
    if (command != NULL) {
        option = search(command->options, command->option_count, name, size, letter);
    }
    return option != NULL
               ? option
               : search(parser->table->common, parser->table->common_count, name, size, letter);
}

static bool repeated(const struct parser *parser, const struct cli_option *option)
{
    for (size_t i = 0; i < parser->run->given_count; i++) {
        if (parser->given[i].option == option && !option->repeatable) {
            return true;
        }
    }
    return false;
}

/* The text of an option: behind "=", or the next word. */
static bool take_text(struct parser *parser, const struct cli_option *option, const char *word,
                      const char **ret_text)
{
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    if (option->argument[0] == '\0') {
        *ret_text = "";
        return equals == NULL || cli_fail(parser->error, "--%s takes no value", option->name);
    }
    if (equals != NULL) {
        *ret_text = equals + 1;
        return true;
    }
    if (parser->next >= parser->argc) {
        return cli_fail(parser->error, "--%s: give %s behind it (%s)", option->name,
                        option->argument, option->help);
    }
    *ret_text = parser->argv[parser->next++];
    return true;
}

static bool take_option(struct parser *parser, const char *word)
{
    const struct cli_option *option = find_option(parser, word);
    const char *text = NULL;
    if (option == NULL) {
        const char *of = program_of(parser->run->command);
        return cli_fail(parser->error, "%s is no option here: see tenurectl %s%s--help", word, of,
                        of[0] == '\0' ? "" : " ");
    }
    if (!take_text(parser, option, word, &text)) {
        return false;
    }
    if (repeated(parser, option)) {
        return cli_fail(parser->error, "--%s is given twice: give it once", option->name);
    }
    parser->given[parser->run->given_count++] = (struct cli_given){option, text};
    return true;
}

/* Commands have one word or two. */
static bool take_command(struct parser *parser, const char *word)
{
    char words[2 * CLI_WORD_MAX];
    const char *second = parser->next < parser->argc ? parser->argv[parser->next] : "";
    snprintf(words, sizeof(words), "%.*s %.*s", CLI_WORD_MAX - 1, word, CLI_WORD_MAX - 1, second);
    parser->run->command = cli_find(parser->table, words);
    if (parser->run->command != NULL) {
        parser->next++;
        return true;
    }
    parser->run->command = cli_find(parser->table, word);
    if (parser->run->command != NULL) {
        return true;
    }
    return cli_fail(parser->error, "\"%s%s%s\" is no command: see tenurectl help", word,
                    second[0] == '\0' ? "" : " ", second);
}

/* "help session create" has more words than others. */
static bool take_positional(struct parser *parser, const char *word)
{
    struct cli_run *run = parser->run;
    if (run->command->positional == NULL) {
        return cli_fail(parser->error, "\"%s\" is too much: see tenurectl %s --help", word,
                        run->command->words);
    }
    if (run->positional == NULL) {
        run->positional = word;
        return true;
    }
    if (run->command->run != cli_run_help) {
        return cli_fail(parser->error, "\"%s\" is too much: give one %s", word,
                        run->command->positional);
    }
    size_t size = strlen(run->positional) + 1 + strlen(word);
    char *both = cli_take(run->memory, size + 1);
    snprintf(both, size + 1, "%s %s", run->positional, word);
    run->positional = both;
    return true;
}

static bool take_words(struct parser *parser)
{
    bool options_end = false;
    while (parser->next < parser->argc) {
        const char *word = parser->argv[parser->next++];
        bool is_option = !options_end && word[0] == '-' && word[1] != '\0';
        bool taken = true;
        if (is_option && strcmp(word, "--") == 0) {
            options_end = true;
        } else if (is_option) {
            taken = take_option(parser, word);
        } else if (parser->run->command == NULL) {
            taken = take_command(parser, word);
        } else {
            taken = take_positional(parser, word);
        }
        if (!taken) {
            return false;
        }
    }
    return true;
}

static bool take_common(struct parser *parser)
{
    struct cli_run *run = parser->run;
    const char *output = cli_text_of(run, "output");
    run->help = cli_text_of(run, "help") != NULL;
    run->version = cli_text_of(run, "version") != NULL;
    if (output != NULL && strcmp(output, "table") != 0 && strcmp(output, "json") != 0) {
        return cli_fail(parser->error, "--output %s: give table or json", output);
    }
    run->output = output != NULL && strcmp(output, "json") == 0 ? CLI_JSON : CLI_TABLE;
    return true;
}

static bool check_required(const struct parser *parser)
{
    const struct cli_run *run = parser->run;
    const struct cli_command *command = run->command;
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        bool has = !option->required;
        for (size_t k = 0; k < run->given_count; k++) {
            has = has || run->given[k].option == option;
        }
        if (!has) {
            return cli_fail(parser->error, "%s: give --%s %s (%s)", command->words, option->name,
                            option->argument, option->help);
        }
    }
    if (command->positional != NULL && run->positional == NULL && command->run != cli_run_help) {
        return cli_fail(parser->error, "%s: give %s", command->words, command->positional);
    }
    return true;
}

/* Before all else, so that a complaint about the rest has the form that was asked for. */
static enum cli_output output_asked_for(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool next = strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0;
        if (strcmp(argv[i], "--output=json") == 0 ||
            (next && i + 1 < argc && strcmp(argv[i + 1], "json") == 0)) {
            return CLI_JSON;
        }
    }
    return CLI_TABLE;
}

bool cli_parse(const struct cli_table *table, int argc, char **argv, struct cli_memory *memory,
               struct cli_run *ret_run, struct cli_error *ret_error)
{
    *ret_run = (struct cli_run){
        .table = table, .memory = memory, .output = output_asked_for(argc, argv)};
    struct parser parser = {
        .table = table, .argc = argc, .argv = argv, .next = 1, .run = ret_run, .error = ret_error};
    parser.given = cli_take(memory, ((size_t)argc + 1) * sizeof(*parser.given));
    ret_run->given = parser.given;
    if (!take_words(&parser) || !take_common(&parser)) {
        return false;
    }
    if (ret_run->help || ret_run->version) {
        return true;
    }
    if (ret_run->command == NULL) {
        return cli_fail(ret_error, "give a command: see tenurectl help");
    }
    return check_required(&parser);
}

const char *cli_text_of(const struct cli_run *run, const char *name)
{
    const char *text = NULL;
    for (size_t i = 0; i < run->given_count; i++) {
        if (run->given[i].option->field == NULL && strcmp(run->given[i].option->name, name) == 0) {
            text = run->given[i].text;
        }
    }
    return text;
}

bool cli_number_of(const struct cli_run *run, const char *name, uint64_t standard, uint64_t least,
                   uint64_t greatest, uint64_t *ret_number, struct cli_error *ret_error)
{
    const char *text = cli_text_of(run, name);
    uint64_t number = standard;
    if (text != NULL && (!cli_number_read(text, &number) || number < least || number > greatest)) {
        return cli_fail(ret_error, "--%s %s: give a number from %llu to %llu", name, text,
                        (unsigned long long)least, (unsigned long long)greatest);
    }
    *ret_number = number;
    return true;
}
